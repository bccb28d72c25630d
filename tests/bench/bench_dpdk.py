#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A whole weir-dataplane with the DPDK driver, one worker, 64-byte frames of many flows, beside `dpdk-testpmd` with
macswap on the same devices and cores, in turn. Rates are of frames received, in millions a second; ordinary memory.

pcap    net_pcap that delivers its file for ever, into net_null
memif   frames from a generator on the other core, sent back to it
veth    AF_PACKET on a kernel interface, frames from a generator on the other core

Needs root and two CPUs. The target is for pcap: at least 0.7 of testpmd's rate.
"""
from __future__ import annotations

import json
import os
import random
import re
import socket
import statistics
import struct
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from net import BUILD, Lab, executable, say, wait_until  # noqa: E402
from world import Node  # noqa: E402

if typing.TYPE_CHECKING:
    from net import Process

TURNS, SECONDS, FLOWS, BACKENDS, TARGET = 3, 4, 4096, 100, 0.7
VIP, MAC = "203.0.113.10", bytes.fromhex("02aa00000001")

CONFIG = """schema = 1;
cluster = {{ name = "bench"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {{ name = "s"; }} );
nodes = ( {{ name = "n"; site = "s"; driver = "dpdk"; ports = ( {ports} ); dpdk = {{ cores = "1"; hugepages = "no"; memory = 512; }};
            tunnel_source = [ "10.0.255.0/24" ]; }} );
pools = ( {{ name = "p"; site = "s"; mode = "ipip"; backends = ( {backends} ); }} );
vips = ( {{ name = "v"; site = "s"; addresses = [ "{vip}" ]; }} );
services = ( {{ name = "w"; protocol = "tcp"; port = 80; at = ( {{ site = "s"; vip = "v"; pool = "p"; }} ); }} );
"""


def checksum(data: bytes) -> typing.Any:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frames() -> typing.Iterator[bytes]:
    """TCP segments of FLOWS clients to the VIP, 60 bytes and what a wire adds."""
    r = random.Random(1)
    for _ in range(FLOWS):
        source = struct.pack("!I", 0x64400000 + r.randrange(1 << 18))
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 1, 0, 64, 6, 0, source, socket.inet_aton(VIP))
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        tcp = struct.pack("!HHIIBBHHH", r.randrange(1024, 65536), 80, 1, 1, 0x50, 0x10, 1024, 0, 0)
        yield MAC + bytes.fromhex("02cc00000001") + b"\x08\0" + head + tcp + bytes(6)


def write_files(directory: str) -> None:
    with open(os.path.join(directory, "in.pcap"), "wb") as pcap, open(os.path.join(directory, "frames"), "wb") as raw:
        pcap.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames():
            pcap.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
            raw.write(struct.pack("=H", len(frame)) + frame)


def testpmd(directory: str, prefix: str, cores: str, devices: list[typing.Any], mode: str) -> list[typing.Any]:
    vdevs = [f"--vdev={d}" for d in devices]
    topology = "paired" if len(devices) == 2 else "loop"
    return ["stdbuf", "-oL", "dpdk-testpmd", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry", f"--file-prefix={prefix}",
            "-l", cores, *vdevs, "--", f"--forward-mode={mode}", "--auto-start", "--stats-period=1",
            "--total-num-mbufs=30000", "--burst=32", f"--port-topology={topology}"]


class Bed:
    """A namespace with a link of each kind, and what drives it."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab, self.kind, self.dir = lab, kind, lab.dir
        self.host, self.peer = lab.host(f"{kind}-n"), lab.host(f"{kind}-g")
        self.memif = os.path.join(lab.dir, "memif.sock")
        self.pcap = f"net_pcap0,rx_pcap={lab.dir}/in.pcap,infinite_rx=1"
        if kind == "veth":
            lab.link(self.peer, "v1", self.host, "v0")
            self.host.ip("addr add 10.0.0.1/24 dev v0")
            self.host.sysctl({"net.ipv6.conf.all.disable_ipv6": 1})
        self.out = {"pcap": "out", "memif": "in", "veth": "v0"}[kind]

    def devices(self, weir: bool) -> typing.Any:
        """What is driven: of Weir by interface, of testpmd in its ports' order."""
        if self.kind == "pcap":
            pair = {"in": self.pcap, "out": "net_null0,no-rx=1"}
        elif self.kind == "memif":
            pair = {"in": f"net_memif0,role=client,socket={self.memif},socket-abstract=no,rsize=11"}
        else:
            pair = {"v0": "" if weir else "net_af_packet0,iface=v0"}
        return pair if weir else list(pair.values())

    def generator(self) -> Process | None:
        if self.kind == "pcap":
            return None
        if self.kind == "memif":
            if os.path.exists(self.memif):
                os.unlink(self.memif)
            server = f"net_memif1,role=server,socket={self.memif},socket-abstract=no,rsize=11"
            command = testpmd(self.dir, "gen", "0,0", [self.pcap, server], "io")
            command[command.index("-l"):command.index("-l") + 2] = ["--lcores", "0@0,1@0"]
        else:
            command = ["taskset", "-c", "0", executable("lab-flood"), "v1", os.path.join(self.dir, "frames"), "60", "0"]
        process = self.peer.start("generator", command)
        time.sleep(2 if self.kind == "memif" else 0)  # testpmd opens its memif before Weir looks for it
        return process

    def configure(self) -> None:
        base = os.path.join(self.dir, f"{self.kind}.weir")
        self.conf, self.state, self.run_dir, self.bpf = (os.path.join(base, d) for d in ("conf", "state", "run", "bpf"))
        for directory in (self.conf, self.state, self.run_dir, self.bpf):
            os.makedirs(directory, exist_ok=True)
        ports = ", ".join(f'{{ interface = "{name}"; macs = [ "02:aa:00:00:00:01" ]; ' + (f'device = "{device}"; ' if device else "") + "}"
                          for name, device in self.devices(True).items())
        backends = ", ".join(f'{{ name = "b{i}"; address = "10.0.0.{i + 10}"; }}' for i in range(BACKENDS))
        with open(os.path.join(self.conf, "weir.conf"), "w") as f:
            f.write(CONFIG.format(ports=ports, backends=backends, vip=VIP))
        with open(os.path.join(self.conf, "hash.key"), "w") as f:
            f.write("000102030405060708090a0b0c0d0e0f\n")
        self.options = ["--conf-dir", self.conf, "--state-dir", self.state, "--run-dir", self.run_dir,
                        "--bpf-dir", self.bpf, "--node", "n"]
        self.host.run([executable("lab-effective"), os.path.join(self.conf, "weir.conf"), "n",
                       os.path.join(self.state, "effective.conf")])

    def resolve(self) -> None:
        """The way to the backends, on the port that they are behind."""
        if self.kind != "veth":
            wait_until(lambda: f": {self.out}:" in self.host.run(["ip", "link"]), 20, f"the TAP {self.out}", 0.2)
            self.host.ip(f"addr replace 10.0.0.1/24 dev {self.out}")
        self.host.ip(*(f"neigh replace 10.0.0.{i + 10} lladdr 02:bb:00:00:00:01 dev {self.out} nud permanent"
                       for i in range(BACKENDS)))

    def forwarded(self) -> tuple[typing.Any, float]:
        """Frames sent to backends, as of the page's next writing, which is each second; and when that was."""
        def count() -> typing.Any:
            try:
                stats = Node.stats(self, "dataplane")  # type: ignore[arg-type]  # run_dir is all it takes
            except OSError:
                return 0
            return stats.get(("weir_dataplane_packets_total", 'action="sent",reason="forwarded"'), 0)
        before = count()
        wait_until(lambda: count() > before, 20, "frames forwarded", 0.002)
        return count(), time.monotonic()


def rate_of_testpmd(bed: Bed, turn: int) -> float:
    generator = bed.generator()
    process = bed.host.start(f"testpmd{turn}", testpmd(bed.dir, "ref", "0,1", bed.devices(False), "macswap"))
    step = len(bed.devices(False))
    wait_until(lambda: process.log().count("Rx-pps") > step * (SECONDS + 1), 60, "rates of testpmd", 0.2)
    process.stop()
    if generator:
        generator.stop()
    rates = [int(n) for n in re.findall(r"Rx-pps:\s+(\d+)", process.log())]
    return statistics.median(rates[::step][1:]) / 1e6  # of the port that receives, but for its first second


def rate_of_weir(bed: Bed, turn: int) -> typing.Any:
    generator = bed.generator()
    process = bed.host.start(f"weir{turn}", [executable("weir-dataplane"), *bed.options])
    bed.resolve()
    time.sleep(2)  # the rate is steady by then
    first, start = bed.forwarded()
    time.sleep(SECONDS)  # the rate is measured over this time
    last, end = bed.forwarded()
    process.stop()
    if generator:
        generator.stop()
    bed.host.run([executable("weir-dataplane"), "--detach", *bed.options], check=False)
    return (last - first) / (end - start) / 1e6


def measure(lab: Lab, kind: str) -> dict[str, typing.Any]:
    bed = Bed(lab, kind)
    bed.configure()
    weir, reference = [], []
    for turn in range(TURNS):
        reference.append(rate_of_testpmd(bed, turn))
        weir.append(rate_of_weir(bed, turn))
    share = [a / b for a, b in zip(weir, reference)]
    target = TARGET if kind == "pcap" else None
    row = {"name": f"dpdk.{kind}", "unit": "Mpps", "min": min(weir), "median": statistics.median(weir),
           "reference": "testpmd macswap", "reference_median": statistics.median(reference),
           "share": statistics.median(share), "target": target,
           "met": statistics.median(share) >= target if target else None}
    print(f"{row['name']:<12} {row['min']:8.2f} {row['median']:8.2f} {row['reference_median']:8.2f} {row['share']:8.2f}"
          + (f" {target:8.2f}  {'met' if row['met'] else 'missed'}" if target else ""), flush=True)
    return row


def main() -> None:
    kinds = sys.argv[1:] or ("pcap", "memif", "veth")
    with Lab("dpdk-bench") as lab:
        write_files(lab.dir)
        say("Mpps: least, median, testpmd, share of it, target")
        rows = [measure(lab, kind) for kind in kinds]
    os.makedirs(os.path.join(BUILD, "bench"), exist_ok=True)
    with open(os.path.join(BUILD, "bench", "dpdk.json"), "w") as f:
        json.dump(rows, f, indent=2)


if __name__ == "__main__":
    main()
