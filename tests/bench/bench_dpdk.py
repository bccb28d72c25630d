#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A whole weir-dataplane with the DPDK driver, one worker, 64-byte frames of many flows, beside `dpdk-testpmd` on the same
devices and cores, in turn.

    python3 bench_dpdk.py [CASE ...]

huge    net_pcap that delivers its file for ever, into net_null; memory of 2 MiB pages, which are reserved for as long
large   the same with 1,000 backends, 131,072 slots and a million flows, whose sources bench-flows writes into the frames
4k      as huge, memory of 4 KiB pages; and frames a second of the same runs (a row of its own: pcap)
memif   frames from a generator on the other core, sent back to it; frames a second
veth    AF_PACKET on a kernel interface, frames from a generator on the other core; frames a second

The first three are nanoseconds of the worker thread's CPU a frame (schedstat). The reference is testpmd with macswap; the
machine's limit is testpmd that moves the same frames without a look at them (io). What writing the sources costs in
"large" is in all three of its figures alike. Needs root and two CPUs.
"""
from __future__ import annotations

import contextlib
import glob
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

import hugepages  # noqa: E402
from net import BUILD, Lab, executable, say, wait_until  # noqa: E402
from verdict import is_met, said  # noqa: E402
from world import Node  # noqa: E402

if typing.TYPE_CHECKING:
    from net import Process

TURNS, SECONDS, MEMORY_MB = 3, 3, 512
PAGES = 2 * MEMORY_MB // 2  # of 2 MiB: for packets, and as many for tables
VIP, MAC = "203.0.113.10", bytes.fromhex("02aa00000001")


class Case(typing.NamedTuple):
    """What is driven, and by what tables."""
    kind: str  # "pcap", "memif", "veth"
    huge: bool = False
    backends: int = 100
    max_backends: int = 100  # it fixes the number of slots
    flows: int = 0  # written into the frames by bench-flows; 0: those of the file


class Reading(typing.NamedTuple):
    """What a worker did until now, or between two such moments."""
    frames: float
    cpu_ns: float
    s: float

    def since(self, other: Reading) -> Reading:
        return Reading(self.frames - other.frames, self.cpu_ns - other.cpu_ns, self.s - other.s)

    def ns(self) -> float:
        return self.cpu_ns / self.frames

    def mpps(self) -> float:
        return self.frames / self.s / 1e6


CASES = {
    "huge": Case("pcap", huge=True),
    "large": Case("pcap", huge=True, backends=1000, max_backends=1000, flows=1000000),
    "4k": Case("pcap"),
    "memif": Case("memif"),
    "veth": Case("veth"),
}
# ns of CPU a frame: more than testpmd's macswap; of "large": times the row before
MORE_NS, LARGE_TIMES, SHARE = {"huge": 16.0, "4k": 13.0}, 1.1, 0.7

CONFIG = """schema = 1;
cluster = {{ name = "bench"; hash_key_file = "hash.key"; hash_key_id = "k1"; }};
sites = ( {{ name = "s"; }} );
nodes = ( {{ name = "n"; site = "s"; driver = "dpdk"; ports = ( {ports} ); dpdk = {{ cores = "1"; hugepages = "{pages}"; memory = {memory}; }};
            tunnel_source = [ "10.0.255.0/24" ]; }} );
pools = ( {{ name = "p"; site = "s"; mode = "ipip"; max_backends = {max_backends}; backends = ( {backends} ); }} );
vips = ( {{ name = "v"; site = "s"; addresses = [ "{vip}" ]; }} );
services = ( {{ name = "w"; protocol = "tcp"; port = 80; at = ( {{ site = "s"; vip = "v"; pool = "p"; }} ); }} );
"""


def checksum(data: bytes) -> typing.Any:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frames() -> typing.Iterator[bytes]:
    """TCP segments of as many clients to the VIP, 60 bytes and what a wire adds."""
    r = random.Random(1)
    for _ in range(4096):
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


def testpmd(case: Case, prefix: str, cores: str, devices: list[typing.Any], mode: str, seen: str = "") -> list[typing.Any]:
    memory = "--in-memory" if case.huge else "--no-huge"
    topology = "paired" if len(devices) == 2 else "loop"
    return [*preload(case, seen), "stdbuf", "-oL", "dpdk-testpmd", memory, "-m", str(MEMORY_MB), "--no-pci", "--no-telemetry",
            f"--file-prefix={prefix}", "-l", cores, *(f"--vdev={d}" for d in devices), "--", f"--forward-mode={mode}", "--auto-start",
            "--stats-period=1", "--total-num-mbufs=30000", "--burst=32", f"--port-topology={topology}"]


def preload(case: Case, seen: str) -> list[str]:
    """What puts the source of another flow into each received frame, and counts these frames in the file SEEN."""
    if not case.flows:
        return []
    return ["env", f"LD_PRELOAD={executable('libbench-flows.so')}", f"BENCH_FLOWS={case.flows}", f"BENCH_FLOWS_SEEN={seen}"]


def check_flows(case: Case, seen: str, reading: Reading, who: str) -> None:
    """Every frame of READING must have come by bench-flows, or the case is another one."""
    if not case.flows:
        return
    with open(seen, "rb") as f:
        written = struct.unpack("=Q", f.read(8))[0]
    os.unlink(seen)
    if written < reading.frames:
        raise SystemExit(f"bench dpdk: {who} had {reading.frames:.0f} frames, and bench-flows wrote to {written}")


def worker_cpu_ns(process: Process) -> int:
    """CPU time of its one worker thread."""
    for task in glob.glob(f"/proc/{process.pid}/task/*"):
        with open(f"{task}/comm") as f:
            if "-worker-" not in f.read():
                continue
        with open(f"{task}/schedstat") as f:
            return int(f.read().split()[0])
    raise SystemExit(f"{process.name} has no worker")


class Bed:
    """A namespace with the link of a case, and what drives it."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.dir, self.name = lab, lab.dir, name
        self.case, self.kind = CASES[name], CASES[name].kind
        self.host, self.peer = lab.host(f"{name}-n"), lab.host(f"{name}-g")
        self.memif, self.seen = os.path.join(lab.dir, "memif.sock"), os.path.join(lab.dir, "flows-seen")
        self.pcap = f"net_pcap0,rx_pcap={lab.dir}/in.pcap,infinite_rx=1"
        if self.kind == "veth":
            lab.link(self.peer, "v1", self.host, "v0")
            self.host.ip("addr add 10.0.0.1/16 dev v0")
            self.host.sysctl({"net.ipv6.conf.all.disable_ipv6": 1})
        self.out = {"pcap": "out", "memif": "in", "veth": "v0"}[self.kind]

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
            command = testpmd(self.case, "gen", "0,0", [self.pcap, server], "io")
            command[command.index("-l"):command.index("-l") + 2] = ["--lcores", "0@0,1@0"]
        else:
            command = ["taskset", "-c", "0", executable("lab-flood"), "v1", os.path.join(self.dir, "frames"), "60", "0"]
        process = self.peer.start("generator", command)
        time.sleep(2 if self.kind == "memif" else 0)  # testpmd opens its memif before Weir looks for it
        return process

    def configure(self) -> None:
        base = os.path.join(self.dir, f"{self.name}.weir")
        self.conf, self.state, self.run_dir, self.bpf = (os.path.join(base, d) for d in ("conf", "state", "run", "bpf"))
        for directory in (self.conf, self.state, self.run_dir, self.bpf):
            os.makedirs(directory, exist_ok=True)
        ports = ", ".join(f'{{ interface = "{name}"; macs = [ "02:aa:00:00:00:01" ]; ' + (f'device = "{device}"; ' if device else "") + "}"
                          for name, device in self.devices(True).items())
        backends = ", ".join(f'{{ name = "b{i}"; address = "{self.backend(i)}"; }}'
                             for i in range(self.case.backends))
        with open(os.path.join(self.conf, "weir.conf"), "w") as f:
            f.write(CONFIG.format(ports=ports, backends=backends, max_backends=self.case.max_backends, vip=VIP,
                                  pages="yes" if self.case.huge else "no", memory=MEMORY_MB))
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
            self.host.ip(f"addr replace 10.0.0.1/16 dev {self.out}")
        self.host.ip(*(f"neigh replace {self.backend(i)} lladdr 02:bb:00:00:00:01 dev {self.out} nud permanent"
                       for i in range(self.case.backends)))

    @staticmethod
    def backend(i: int) -> str:
        return f"10.0.{1 + i // 250}.{1 + i % 250}"

    def forwarded(self, process: Process) -> Reading:
        """Frames sent to backends, as of the page's next writing, which is each second."""
        def count() -> typing.Any:
            try:
                stats = Node.stats(self, "dataplane")  # type: ignore[arg-type]  # run_dir is all it takes
            except OSError:
                return 0
            return stats.get(("weir_dataplane_packets_total", 'action="sent",reason="forwarded"'), 0)
        before = count()
        wait_until(lambda: count() > before, 20, "frames forwarded", 0.002)
        return Reading(count(), worker_cpu_ns(process), time.monotonic())


def read_testpmd(process: Process) -> Reading:
    """Frames that its first port has received, as it says each second."""
    def counts() -> list[str]:
        return re.findall(r"statistics for port 0 .*\s+RX-packets: (\d+)", process.log())
    before = len(counts())
    wait_until(lambda: len(counts()) > before, 60, "figures of testpmd", 0.002)
    return Reading(int(counts()[-1]), worker_cpu_ns(process), time.monotonic())


def measure_testpmd(bed: Bed, mode: str, turn: int) -> Reading:
    generator = bed.generator()
    process = bed.host.start(f"{mode}{turn}", testpmd(bed.case, "ref", "0,1", bed.devices(False), mode, bed.seen))
    read_testpmd(process)  # from its second second on
    first = read_testpmd(process)
    time.sleep(SECONDS - 0.5)  # the rate is measured over this time
    reading = read_testpmd(process).since(first)
    check_flows(bed.case, bed.seen, reading, f"testpmd {mode}")
    process.stop()
    if generator:
        generator.stop()
    return reading


def measure_weir(bed: Bed, turn: int) -> Reading:
    generator = bed.generator()
    process = bed.host.start(f"weir{turn}", [*preload(bed.case, bed.seen), executable("weir-dataplane"), *bed.options])
    bed.resolve()
    if bed.case.huge:
        process.wait_for_log("tables-in-memory .* page_kb=2048 ")
    time.sleep(2)  # the rate is steady by then
    first = bed.forwarded(process)
    time.sleep(SECONDS - 0.5)  # the rate is measured over this time
    reading = bed.forwarded(process).since(first)
    check_flows(bed.case, bed.seen, reading, "weir-dataplane")
    process.stop()
    if generator:
        generator.stop()
    bed.host.run([executable("weir-dataplane"), "--detach", *bed.options], check=False)
    return reading


Readings = dict[str, list[Reading]]


def measure(lab: Lab, name: str) -> Readings:
    bed = Bed(lab, name)
    bed.configure()
    out: Readings = {"weir": [], "macswap": [], "io": []}
    for turn in range(TURNS):
        for mode in ("macswap", "io") if bed.kind == "pcap" else ("macswap",):
            out[mode].append(measure_testpmd(bed, mode, turn))
        out["weir"].append(measure_weir(bed, turn))
    return out


def median_ns(readings: list[Reading]) -> float:
    return statistics.median(r.ns() for r in readings)


def cpu_row(name: str, all_readings: dict[str, Readings]) -> dict[str, typing.Any]:
    """CPU a frame. What bench-flows costs is in each turn of "large", ours and testpmd's."""
    readings = all_readings[name]
    ns, reference = [r.ns() for r in readings["weir"]], median_ns(readings["macswap"])
    target: float | None = None
    if name in MORE_NS:
        target = reference + MORE_NS[name]
    elif "huge" in all_readings:
        target = LARGE_TIMES * median_ns(all_readings["huge"]["weir"])
    median = statistics.median(ns)
    return {"name": f"dpdk.{name}", "unit": "ns", "min": min(ns), "median": median,
            "reference": "testpmd macswap", "reference_min": min(r.ns() for r in readings["macswap"]), "reference_median": reference,
            "limit": "testpmd io", "limit_median": median_ns(readings["io"]),
            "target": target, "met": is_met(median, target)}


def rate_row(name: str, readings: Readings) -> dict[str, typing.Any]:
    weir, reference = ([r.mpps() for r in readings[who]] for who in ("weir", "macswap"))
    share = statistics.median(a / b for a, b in zip(weir, reference))
    target = SHARE if name == "pcap" else None
    return {"name": f"dpdk.{name}", "unit": "Mpps", "min": min(weir), "median": statistics.median(weir),
            "reference": "testpmd macswap", "reference_median": statistics.median(reference),
            "share": share, "target": target, "met": share >= target if target else None}


def print_row(row: dict[str, typing.Any]) -> None:
    print(f"{row['name']:<12} {row['min']:8.2f} {row['median']:8.2f} {row['unit']:<5} {row['reference_median']:8.2f}"
          f" {row.get('limit_median', 0.0):8.2f} {row['target'] or 0.0:8.2f}  {said(row['met']) if row['target'] else ''}", flush=True)


def rows_of(name: str, all_readings: dict[str, Readings]) -> list[dict[str, typing.Any]]:
    if CASES[name].kind != "pcap":
        return [rate_row(name, all_readings[name])]
    rows = [cpu_row(name, all_readings)]
    return [*rows, rate_row("pcap", all_readings[name])] if name == "4k" else rows


def chosen(words: list[str]) -> list[str]:
    """The cases that are asked for, in the order of the table; all if none is named."""
    unknown = [word for word in words if word not in CASES]
    if unknown:
        raise SystemExit(f"bench dpdk: no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    return [name for name in CASES if name in (words or CASES)]


def main() -> None:
    rows, readings = [], {}
    names = chosen(sys.argv[1:])
    with Lab("dpdk-bench") as lab, contextlib.ExitStack() as pages:
        write_files(lab.dir)
        if any(CASES[name].huge for name in names):
            pages.enter_context(hugepages.reserved(PAGES, os.path.join(lab.dir, "hugepages")))
        say("least, median; testpmd macswap, testpmd io, target")
        for name in names:
            readings[name] = measure(lab, name)
            for row in rows_of(name, readings):
                print_row(row)
                rows.append(row)
    os.makedirs(os.path.join(BUILD, "bench"), exist_ok=True)
    with open(os.path.join(BUILD, "bench", "dpdk.json"), "w") as f:
        json.dump(rows, f, indent=2)


if __name__ == "__main__":
    main()
