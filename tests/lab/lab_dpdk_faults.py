# SPDX-License-Identifier: BSD-2-Clause
"""What the DPDK driver says and does when it lacks something: hugepages, CPUs, a device, an IOMMU, a free name; when a
link goes and comes; when a device is gone; when one with two queues gives all to one. The process goes on each time, and
takes what is mended.
"""
from __future__ import annotations

import os
import struct
import sys
import time
import typing

from net import Lab, comes_true, executable, wait_until
from report import Report
from world import Node

CONFIG = """schema = 1;
cluster = {{ name = "faults"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {{ name = "s"; }} );
nodes = ( {{ name = "n"; site = "s"; driver = "dpdk"; ports = ( {{ interface = "{interface}"; device = "{device}"; }} );
            dpdk = {{ {dpdk} }}; tunnel_source = [ "10.255.1.0/24" ]; }} );
pools = ( {{ name = "p"; site = "s"; backends = ( {{ name = "b"; address = "10.1.0.9"; }} ); }} );
vips = ( {{ name = "v"; site = "s"; addresses = [ "192.0.2.80" ]; }} );
services = ( {{ name = "w"; protocol = "tcp"; port = 80; at = ( {{ site = "s"; vip = "v"; pool = "p"; }} ); }} );
"""
TAP = "net_tap0,iface=far0"


class Bed:
    def __init__(self, lab: Lab) -> None:
        self.lab, self.host = lab, lab.host("n")
        paths = {d: os.path.join(lab.dir, d) for d in ("conf", "state", "run", "bpfs")}
        for path in paths.values():
            os.makedirs(path, exist_ok=True)
        with open(os.path.join(paths["conf"], "hash.key"), "w") as f:
            f.write("000102030405060708090a0b0c0d0e0f\n")
        self.conf, self.effective = os.path.join(paths["conf"], "weir.conf"), os.path.join(paths["state"], "effective.conf")
        self.run_dir = paths["run"]
        self.options = ["--conf-dir", paths["conf"], "--state-dir", paths["state"], "--run-dir", paths["run"],
                        "--bpf-dir", paths["bpfs"], "--node", "n"]

    def write(self, device: str = TAP, interface: str = "wan0", dpdk: str = 'hugepages = "no";') -> None:
        with open(self.conf, "w") as f:
            f.write(CONFIG.format(device=device, interface=interface, dpdk=dpdk))
        self.host.run([executable("lab-effective"), self.conf, "n", self.effective])

    def start(self) -> None:
        self.process = self.host.start("dataplane", [executable("weir-dataplane"), *self.options])

    def says(self, words: str, times: int = 1, timeout_s: float = 15) -> bool:
        return comes_true(lambda: self.process.log().count(words) >= times and self.process.alive(), timeout_s)

    def carrier(self, interface: str) -> bool:
        return "LOWER_UP" in self.host.run(["ip", "link", "show", interface], check=False)


    def handed_over(self) -> list[typing.Any]:
        """Frames that each worker gave to others."""
        return [v for (name, _), v in sorted(Node.stats(self, "dataplane").items()) if name.endswith("worker_handed_over_total")]  # type: ignore[arg-type]  # run_dir is all it takes


def before_it_starts(report: Report, bed: Bed) -> None:
    """The environment can be started once: what it lacks is told, and tried again each second."""
    bed.write(dpdk='hugepages = "yes"; memory = 262144;')
    bed.start()
    report.check(bed.says("262144 are needed (dpdk.memory)"), "too few hugepages are told, with what to do")
    bed.write(dpdk='hugepages = "no"; cores = "900";')
    report.check(bed.says("dpdk.cores names CPU 900, which this process may not use"), "so is a CPU that is none of ours")


def ports(report: Report, bed: Bed) -> None:
    bed.host.ip("link add wan0 type veth peer name x")
    bed.write()
    report.check(bed.says("wan0 exists already and is no multi-queue TAP"), "a name that is taken is told")
    bed.host.ip("link del wan0")
    report.check(bed.says("port-attached interface=wan0"), "and taken when it is free, with no new document")
    bed.write(device="0000:ff:1f.7")
    report.check(bed.says("there is no PCI device 0000:ff:1f.7: weir nic lists them"), "a PCI device that is not there")
    devices = "/sys/bus/pci/devices"
    bound = [d for d in os.listdir(devices) if os.path.exists(f"{devices}/{d}/driver")] if os.path.isdir(devices) else []
    if bound:
        driver = os.path.basename(os.readlink(f"{devices}/{bound[0]}/driver"))
        bed.write(device=bound[0])
        report.check(bed.says(f"{bound[0]} is driven by {driver}: bind it to vfio-pci (weir nic says how)"),
                     "a PCI device that the kernel drives")
    bed.write(device="net_af_packet0,iface=nosuch")
    report.check(bed.says("net_af_packet0 cannot be opened"), "a virtual device with wrong arguments")
    bed.write(dpdk='hugepages = "no"; cores = "0-1";')  # of the start's; the device is taken
    report.check(bed.says("port-attached interface=wan0", 2), "a right one is taken at once")


def links(report: Report, bed: Bed) -> None:
    wait_until(lambda: bed.carrier("wan0"), 10, "the TAP's carrier", 0.2)
    bed.host.link_down("far0")
    report.check(bed.says("link-changed port=wan0 device=net_tap0 up=0"), "a link that goes is told")
    report.check(not bed.carrier("wan0"), "and the TAP's carrier goes with it, for routes and BGP")
    bed.host.link_up("far0")
    report.check(bed.says("link-changed port=wan0 device=net_tap0 up=1"), "it comes back")
    report.check(bed.carrier("wan0"), "with the carrier")
    bed.host.ip("link del wan0")
    wait_until(lambda: "wan0" in bed.host.run(["ip", "link"]), 15, "the TAP again", 0.2)
    report.check(bed.carrier("wan0"), "a TAP that somebody removed is made again")


def macs(report: Report, bed: Bed) -> None:
    """A port by AF_PACKET is the kernel's interface: who makes it gives it a MAC address a little later, as udev does."""
    bed.write(device="", interface="af0")
    kept = []
    for i in range(8):
        wait_until(lambda n=i + 1: bed.says("there is no interface af0", n), 15, "the port is missed")
        mac = f"02:aa:00:00:01:{i:02x}"
        bed.host.ip("link add af0 type veth peer name af1", "link set af1 up", "link set af0 up")
        time.sleep(i * 0.005)  # another delay in each round
        bed.host.ip(f"link set af0 address {mac}")
        wait_until(lambda n=i + 1: bed.says("port-attached interface=af0", n), 15, "the port is attached")
        kept.append(bed.host.mac("af0") == mac)
        bed.host.ip("link del af0")
    report.equal(kept, [True] * len(kept), "AF_PACKET leaves an interface the MAC address that it is given while it is attached")


def flows(path: str, count: int) -> str:
    """A pcap file of UDP packets, one of each of some flows."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for port in range(count):
            frame = bytes.fromhex("02aa00000001" "02cc00000001" "0800" "4500001c" "00004000" "40110000" "0a090001" "c0000250") + \
                struct.pack(">HHHH", 1024 + port, 80, 8, 0)
            f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    return path


def queues(report: Report, bed: Bed) -> None:
    """A device with two queues that gives all flows to one; what it said of itself is no help."""
    many, one = flows(f"{bed.lab.dir}/many.pcap", 500), flows(f"{bed.lab.dir}/one.pcap", 1)
    bed.write(device=f"net_pcap0,rx_pcap={many},rx_pcap={one},infinite_rx=1", dpdk='hugepages = "no"; cores = "0-1";')
    bed.start()
    report.check(bed.says("frames-not-spread port=wan0 device=net_pcap0 queues=2"), "a device that spreads nothing is told, with what to do")
    report.wait(lambda: sum(bed.handed_over()), 15, "its frames are handed over by flow", 0.2)
    bed.write(device=f"net_pcap1,rx_pcap={many},rx_pcap={many},infinite_rx=1", dpdk='hugepages = "no"; cores = "0-1";')
    report.check(bed.says("frames-spread port=wan0 device=net_pcap1 queues=2"), "one that spreads them is seen to")
    time.sleep(1.5)  # frames of the former configuration are counted by then
    handed = bed.handed_over()
    time.sleep(1.5)  # nothing may be handed over in this time
    report.equal(bed.handed_over(), handed, "and nothing is handed over")
    report.equal(bed.process.log().count("frames-not-spread"), 1, "each is said once")
    bed.process.stop()


def run(report: Report) -> None:
    with Lab("dpdk-faults") as lab:
        bed = Bed(lab)
        report.step(before_it_starts, report, bed)
        report.step(ports, report, bed)
        report.step(links, report, bed)
        report.step(macs, report, bed)
        bed.write()
        wait_until(lambda: bed.carrier("wan0"), 15, "the TAP's carrier", 0.2)
        time.sleep(0.5)  # the process must live for this long
        report.check(bed.process.alive(), "the process lives")
        bed.process.stop()
        report.check(not bed.carrier("wan0"), "without it the TAP has no carrier: routes and BGP notice")
        bed.host.run([executable("weir-dataplane"), "--detach", *bed.options])
        report.check("wan0" not in bed.host.run(["ip", "link"]), "--detach removes the TAP")
        report.step(queues, report, bed)


if __name__ == "__main__":
    sys.exit(Report.main(run))
