# SPDX-License-Identifier: BSD-2-Clause
"""What it costs to read prefixes back from a daemon that has 200,000 other routes, and how old the answers get.

A router with BIRD sends the node 200,000 routes, which the configurations of packaging/ would refuse: the copies here let them
in, and keep them out of the kernel. 1,000 and 4,096 prefixes of Weir's are read back with the code of weir-announce, while
another client asks the daemon small questions. Figures: build/lab/readback.json, an array of
{daemon, others, prefixes, oldest_ms, all_known_ms, daemon_share, reader_share, other_p50_ms, other_p99_ms, idle_p50_ms, idle_p99_ms}.

    lab_readback.py [--others N] [--only bird|frr]
"""
from __future__ import annotations

import json
import os
import socket
import sys
import time
import typing

from lab_announce import Tool, addresses
from net import BUILD, Host, Lab, say, wait_until
from pace import Pace
from report import Report
from speakers import Bird, Frr, Speaker

OTHERS = int(sys.argv[sys.argv.index("--others") + 1]) if "--others" in sys.argv else 200_000
KINDS = (sys.argv[sys.argv.index("--only") + 1],) if "--only" in sys.argv else ("bird", "frr")
MEASURED_S = 20


def replaced(path: str, *pairs: tuple[str, str]) -> None:
    with open(path) as f:
        text = f.read()
    for old, new in pairs:
        if old not in text:
            raise RuntimeError(f"{path} has no {old!r}")
        text = text.replace(old, new)
    with open(path, "w") as f:
        f.write(text)


class FullRouter(Bird):
    """A router that sends OTHERS routes, of IPv4."""

    def start(self) -> None:
        replaced(self.config, ("\t\timport filter { from_node(32); };\n\t\texport none;",
                               "\t\timport filter { from_node(32); };\n\t\texport where source = RTS_STATIC;\n\t\tnext hop self;"))
        with open(self.config, "a") as f:
            f.write("protocol static others {\n\tipv4;\n")
            f.writelines(f"\troute {20 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24 blackhole;\n" for i in range(OTHERS))
            f.write("}\n")
        # they stay out of the kernel
        replaced(self.config, ("\tipv4 { import none; export where source = RTS_BGP; };", "\tipv4 { import none; export none; };"))
        super().start()


class FullBird(Bird):
    def start(self) -> None:
        replaced(self.config, ("\t\timport where net = 0.0.0.0/0;", "\t\timport all;"),
                 ("\tipv4 { import none; export where source = RTS_BGP; };", "\tipv4 { import none; export none; };"))
        super().start()


class FullFrr(Frr):
    def start(self) -> None:
        replaced(os.path.join(self.dir, "frr.conf"), ("WEIR-DEFAULT seq 5 permit 0.0.0.0/0\n", "WEIR-DEFAULT seq 5 permit 0.0.0.0/0 le 32\n"),
                 ("route-map WEIR-NOT-HERE permit 30", "route-map WEIR-NOT-HERE deny 30"))
        super().start()


class OtherClient:
    """Asks the daemon a small question 50 times a second; how long the answers take, ms."""

    def __init__(self, speaker: Speaker) -> None:
        self.bird = speaker.kind == "bird"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(speaker.socket)
        if self.bird:
            self.socket.recv(4096)

    def is_whole(self, answer: bytes) -> bool:
        if not self.bird:
            return answer[-4:-1] == b"\0\0\0"
        return answer.endswith(b"\n") and answer.rsplit(b"\n", 2)[-2][4:5] == b" "

    def ask(self) -> float:
        began = time.monotonic()
        self.socket.sendall(b"show status\n" if self.bird else b"show version\0")
        answer = b""
        while not self.is_whole(answer):
            answer += self.socket.recv(65536)
        return (time.monotonic() - began) * 1000

    def measure(self) -> tuple[float, float]:
        values, end = [], time.monotonic() + MEASURED_S
        while time.monotonic() < end:
            values.append(self.ask())
            time.sleep(0.02)  # the pace of asking
        values.sort()
        return values[len(values) // 2], values[len(values) * 99 // 100]


def used_s(pid: int) -> float:
    """The processor time of a process so far."""
    with open(f"/proc/{pid}/stat") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def oldest_ms(tool: Tool) -> float:
    facts = tool.do("facts")
    if facts["state"] != "answers":
        return 1e9
    return float(max(facts["now_ms"] - min(r["at_ms"], r["exported_at_ms"]) for r in facts["routes"].values()))


def wait_for_all(tool: Tool, n: int) -> float:
    """How long it takes until all is known, and known to be exported to one router, ms."""
    began = time.monotonic()

    def known() -> bool:
        routes = tool.do("facts")["routes"]
        return len(routes) == n and all(r["at_ms"] and r["exported_at_ms"] and r["normal"] and r["exported"] for r in routes.values())
    wait_until(known, 300, f"{n} prefixes are read back as exported", 0.2)
    return (time.monotonic() - began) * 1000


def measure(report: Report, lab: Lab, host: Host, speaker: Speaker, idle: tuple[float, float, float], n: int) -> dict[str, typing.Any]:
    path, pace, start = os.path.join(lab.dir, f"vips.{n}"), Pace(), time.monotonic()
    with open(path, "w") as f:
        f.writelines(a + "\n" for a in addresses(n))
    tool = Tool(lab, host, speaker.kind, speaker.socket, path)
    try:
        tool.do(f"first {n}")
        tool.do("add 177")
        first_ms = wait_for_all(tool, n)
        time.sleep(5)  # time: what the change brought is over
        pid = speaker.processes["bgpd"].pid if isinstance(speaker, Frr) else speaker.process.pid
        before, own, began = used_s(pid), used_s(tool.popen.pid), time.monotonic()
        p50, p99 = OtherClient(speaker).measure()
        wall = time.monotonic() - began
        share, reader = (used_s(pid) - before) / wall, (used_s(tool.popen.pid) - own) / wall
        oldest = 0.0
        for _ in range(5):
            time.sleep(1)  # time: at five moments
            oldest = max(oldest, oldest_ms(tool))
        tool.do("delete 177")
    finally:
        tool.close()
    what = f"{speaker.kind}, {n} prefixes, {OTHERS} other routes"
    if late := pace.since(start):
        say(f"{what}: threads woke late {len(late)} times: a session that BFD ends meanwhile brings all routes again")
    report.check(oldest < 15000, f"{what}: nothing is older than 15 s", f"{oldest:.0f} ms; all known after {first_ms:.0f} ms")
    report.check(p99 - idle[1] < 20, f"{what}: other answers are not later by 20 ms", f"p99 {p99:.1f} ms, idle {idle[1]:.1f} ms")
    report.check(share - idle[2] <= 0.01, f"{what}: at most 1 % of a core", f"{(share - idle[2]) * 100:.2f} %; reader {reader * 100:.2f} %")
    return {"daemon": speaker.kind, "others": OTHERS, "prefixes": n, "oldest_ms": round(oldest), "all_known_ms": round(first_ms),
            "daemon_share": round(share - idle[2], 4), "reader_share": round(reader, 4), "other_p50_ms": round(p50, 2), "other_p99_ms": round(p99, 2),
            "idle_p50_ms": round(idle[0], 2), "idle_p99_ms": round(idle[1], 2)}


def run_kind(report: Report, kind: str) -> list[dict[str, typing.Any]]:
    with Lab(f"readback_{kind}") as lab:
        router, host = lab.host("router1"), lab.host("node")
        lab.link(router, "eth0", host, "eth0")
        router.address("eth0", "192.0.2.1/24", "2001:db8::1/64")
        host.address("eth0", "192.0.2.11/24", "2001:db8::11/64")
        FullRouter(lab, router, "router.conf")
        speaker: Speaker = FullBird(lab, host, "bird.conf") if kind == "bird" else FullFrr(lab, host, "frr.conf")
        wait_until(lambda: speaker.sessions() == 2, 60, "both sessions", 0.5)

        def counted() -> bool:
            if kind == "bird":
                return f"{OTHERS} of {OTHERS}" in speaker.ask("show route table master4 count")
            return f'"pfxRcd":{OTHERS},' in speaker.ask("show bgp ipv4 unicast summary json").replace(" ", "")
        wait_until(counted, 300, f"{OTHERS} routes", 1)
        time.sleep(3)  # time: the daemon has done with them
        pid = speaker.processes["bgpd"].pid if isinstance(speaker, Frr) else speaker.process.pid
        before = used_s(pid)
        p50, p99 = OtherClient(speaker).measure()
        idle = p50, p99, (used_s(pid) - before) / MEASURED_S
        say(f"{kind}: {idle[2] * 100:.2f} % of a core without the read-back; p50 {p50:.2f} ms, p99 {p99:.2f} ms")
        return [measure(report, lab, host, speaker, idle, n) for n in (1000, 4096)]


def run(report: Report) -> None:
    rows = [row for kind in KINDS for row in run_kind(report, kind)]
    with open(os.path.join(BUILD, "lab", "readback.json"), "w") as f:
        json.dump(rows, f, indent=1)


if __name__ == "__main__":
    sys.exit(Report.main(run))
