# SPDX-License-Identifier: BSD-2-Clause
"""Guests: the XDP driver on each kernel, the DPDK driver on each emulated NIC.

    python3 tests/vm/vm.py              all of them
    python3 tests/vm/vm.py NAME ...     some: xdp-5.10, nic-igb, ...
    python3 tests/vm/vm.py --list

What a guest claims is printed as it comes, and counted. A guest that cannot be had here (no QEMU, or the package
archive has no such kernel) is one skipped test, with the reason. Logs of guests: build/vm/NAME.
"""
from __future__ import annotations

import os
import re
import resource
import signal
import sys
import time

from guest import Guest, emulator
from packages import BUILD, SERIES, Missing, kernel, qemu_new

HERE = os.path.dirname(os.path.abspath(__file__))
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")
# On an idle machine a guest takes about half a minute; on one that others use as well, many times that.
GUEST_S = 600
NIC_KERNEL = "6.1"
IOMMU = ("-device", "intel-iommu,intremap=on,aw-bits=48")
TAP_QUEUES = 4
# The wire: the NIC under test at one end, at the other the router's.
WIRE = ("-netdev", "hubport,id=a,hubid=0", "-netdev", "hubport,id=b,hubid=0",
        "-device", "virtio-net-pci,netdev=b,addr=0x11,mac=52:54:00:00:00:11")
NIC = "netdev=a,mac=52:54:00:00:00:10"
# As a wire of TAPs, for a NIC with several queues: a hub has one.
TAPS = ("-netdev", f"tap,id=a,ifname=a,queues={TAP_QUEUES},script=no,downscript=no",
        "-netdev", "tap,id=b,ifname=b,script=no,downscript=no", *WIRE[4:])
MODERN = "disable-legacy=on,iommu_platform=on"  # virtio behind an IOMMU
LACP = "speed=1000,duplex=full"  # what it wants to know of a link
# Two wires, for two NICs, as a bond or as two ports, and the names that QEMU's monitor pulls a cable's ends by.
WIRES = (*WIRE[:-1], f"{WIRE[-1]},{LACP}", "-netdev", "hubport,id=c,hubid=1", "-netdev", "hubport,id=d,hubid=1",
        "-device", f"virtio-net-pci,netdev=d,addr=0x13,mac=52:54:00:00:00:13,{LACP}")
NIC2 = "netdev=c,mac=52:54:00:00:00:12"
VIRTIO_BOND = ("-device", f"virtio-net-pci,{NIC},addr=0x10,{MODERN}", "-device", f"virtio-net-pci,{NIC2},addr=0x12,{MODERN}")
E1000E_BOND = ("-device", f"e1000e,{NIC},addr=0x10", "-device", f"e1000e,{NIC2},addr=0x12")
# A NIC of the second of two NUMA nodes, whose memory is half of the guest's.
FAR_NODE = ("-object", "memory-backend-ram,id=near,size=1280M", "-object", "memory-backend-ram,id=far,size=1280M",
            "-numa", "node,nodeid=0,cpus=0-7,memdev=near", "-numa", "node,nodeid=1,memdev=far",
            "-device", "pxb-pcie,id=far-bus,bus_nr=64,bus=pcie.0,numa_node=1", "-device", "pcie-root-port,id=root0,bus=far-bus,chassis=1,slot=1")
TWO_PORTS = ("-device", f"vmxnet3,{NIC},addr=0x10", "-device", f"e1000e,{NIC2},addr=0x12")
CABLES = (("a", "b"), ("c", "d"))
PLUG = re.compile(r"host: (plug|unplug) (\d)")
# Name: the devices, Weir's workers, its receive queues under these workers, the bond's mode, VLANs, and whether Debian 12's QEMU
# lacks the device.
NICS = {
    "two-ports": ((*WIRES, *TWO_PORTS), 2, 1, 0, (), False),
    "vmxnet3": ((*WIRE, "-device", f"vmxnet3,{NIC},addr=0x10"), 1, 1, 0, (200, 100), False),
    "virtio-net": ((*TAPS, "-device", f"virtio-net-pci,{NIC},addr=0x10,{MODERN},"
                       f"mq=on,rss=on,vectors={2 * TAP_QUEUES + 2}"), TAP_QUEUES, TAP_QUEUES, 0, (100,), False),
    "bond-lacp": ((*WIRES, *VIRTIO_BOND), 1, 1, 4, (), False),
    "bond-backup": ((*WIRES, *E1000E_BOND), 1, 1, 1, (), False),
    "igb": ((*WIRE, *FAR_NODE, "-device", f"igb,{NIC},bus=root0"), 8, 8, 0, (100,), True),
}
# Tags on the wire of the guests with the XDP driver.
XDP_VLANS = {"5.10": (200, 100), "6.1": (), "6.12": (100,)}


def inside(script: str, *words: int | str, lab: str = "vm") -> str:
    """What a guest runs; its lab's logs are kept if it fails."""
    return f"export WEIR_BUILD={BUILD}\npython3 {HERE}/{script} {' '.join(map(str, words))}; status=$?\n" \
        f"[ $status = 0 ] || cp -r $WEIR_BUILD/lab/{lab} /out/lab\nexit $status\n"


def xdp_guest(name: str) -> tuple[Guest, str]:
    series = name.removeprefix("xdp-")
    return Guest(name, kernel(series)), inside("inside_xdp.py", *XDP_VLANS[series])


def nic_guest(name: str) -> tuple[Guest, str]:
    devices, workers, queues, bond, vlans, new = NICS[name.removeprefix("nic-")]
    taps = {"a": True, "b": False} if TAPS[1] in devices else {}
    several = FAR_NODE[0] in devices  # NUMA nodes, each with as many hugepages as one alone
    guest = Guest(name, kernel(NIC_KERNEL), emulator(qemu_new()) if new else None, memory_mb=2560 if several else 2048,
                  hugepages=400 if several else 200,
                  cpus=max(2, workers), append="intel_iommu=on iommu=nopt", taps=taps, devices=(*IOMMU, *devices))
    return guest, inside("inside_nic.py", workers, queues, bond, *vlans)


def sent_guest() -> tuple[Guest, str]:
    """The XDP driver on a NIC whose send ring fills: QEMU empties it two seconds after it was told to."""
    nic = f"virtio-net-pci,{NIC},addr=0x10,tx=timer,x-txtimer=2000000000,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off"
    return Guest("xdp-sent", kernel(NIC_KERNEL), devices=(*WIRE, "-device", nic)), inside("inside_sent.py")


def vrf_guest() -> tuple[Guest, str]:
    """FRR on a kernel with VRF devices, which this machine's may lack."""
    guest = Guest("frr-vrf", kernel("6.1"), memory_mb=2048)
    return guest, inside("../lab/lab_announce.py", "--guest", lab="announce")


GUESTS = {"frr-vrf": lambda name: vrf_guest(), "xdp-sent": lambda name: sent_guest(), **{f"xdp-{series}": xdp_guest for series in SERIES}, **{f"nic-{nic}": nic_guest for nic in NICS}}


class Total:
    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0

    def line(self, text: str) -> None:
        """A line of a guest's: its last one is its count, which is ours to add up."""
        count = SUMMARY.match(text)
        if count:
            self.passed, self.failed = self.passed + int(count[1]), self.failed + int(count[2])
        else:
            print(f"  {text}", flush=True)


def cpu_of_guests_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def heard(guest: Guest, total: Total, text: str) -> None:
    """A line of a guest's: that a cable is to be pulled or put in, else what it claims."""
    cable = PLUG.match(text)
    if not cable:
        total.line(text)
    for end in CABLES[int(cable[2])] if cable else ():
        guest.monitor(f"set_link {end} {'on' if cable[1] == 'plug' else 'off'}")


def play(name: str, total: Total) -> None:
    started, before, cpu_s = time.monotonic(), (total.passed, total.failed), cpu_of_guests_s()
    print(f"{name}:", flush=True)
    try:
        if os.geteuid() != 0:
            raise Missing("a guest that sees this machine's files needs root")
        emulator()  # before anything is fetched
        guest, script = GUESTS[name](name)
        with guest:
            if guest.taps:
                guest.lay_wire()
            status = guest.run(script, GUEST_S, lambda text: heard(guest, total, text))
            if status is None and guest.broke_down():
                print(f"  the machine broke down; once more: {guest.broke_down()}", flush=True)
                status = guest.run(script, GUEST_S, lambda text: heard(guest, total, text))
            if status is None or (status == 0 and (total.passed, total.failed) == before):
                total.failed += 1
                print(f"  FAIL  the guest came to no end within {GUEST_S} s\n{guest.log('console')}{guest.log('qemu')}")
    except Missing as reason:
        print(f"  skipped: {reason}", flush=True)
        total.skipped += 1
        return
    print(f"  {time.monotonic() - started:.0f} s, {cpu_of_guests_s() - cpu_s:.0f} s of them on a CPU", flush=True)


def main() -> int:
    names = sys.argv[1:] or list(GUESTS)
    if names == ["--list"]:
        print("\n".join(GUESTS))
        return 0
    if not set(names) <= set(GUESTS):
        sys.exit(f"vm: there are: {' '.join(GUESTS)}")
    total = Total()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    for name in names:
        play(name, total)
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
