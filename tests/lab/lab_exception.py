# SPDX-License-Identifier: BSD-2-Clause
"""The host behind a DPDK port: a BGP session with BFD of a real daemon, neighbour discovery and TCP through the port's
TAP, while all kinds of frames flood the host; what is passed equals what the TAP got, frame for frame.
"""
from __future__ import annotations

import hashlib
import os
import random
import re
import socket
import struct
import sys
import time
import typing

from lab_dpdk import on_tap
from books import check_node, weir_counts
from lab_forward import Stage
from net import Lab, executable, say, wait_until
from report import Report
from speakers import FIRST

if typing.TYPE_CHECKING:
    from net import Host

FLOOD_S, FRAMES = 12, 4096
ROUTE = "198.51.100.0/24"

BIRD = """
router id {own4};
protocol device {{}}
protocol kernel {{ ipv4 {{ export none; }}; }}
protocol static {{ ipv4; route {route} blackhole; }}
protocol bfd {{ interface "*" {{ interval 300 ms; multiplier 10; }}; }}
protocol bgp peer4 {{
    local {own4} as {own}; neighbor {peer4} as {peer}; hold time 9; bfd on;
    ipv4 {{ import all; export all; }};
}}
protocol bgp peer6 {{
    local {own6} as {own}; neighbor {peer6} as {peer}; hold time 9; bfd on;
    ipv6 {{ import all; export all; }};
}}
"""


def checksum(data: bytes) -> typing.Any:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip4(protocol: int, source: bytes, destination: bytes, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(source: bytes, destination: bytes, sport: int, dport: int, flags: int) -> bytes:
    head = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 5 << 4, flags, 1024, 0, 0)
    pseudo = source + destination + struct.pack("!HH", 6, len(head))
    return head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]


def flood_frames(ours: str, mac_to: bytes, mac_from: bytes) -> list[bytes]:
    """Frames for the host, of every class but BFD's and a BGP session's own: valid, with sources of the internet."""
    r, to, frames = random.Random(1), socket.inet_aton(ours), []
    for i in range(FRAMES):
        source, port = socket.inet_aton(f"100.{r.randrange(64, 128)}.{r.randrange(256)}.{r.randrange(1, 255)}"), \
            r.randrange(1024, 65536)
        kind = i % 6
        if kind == 0:  # to a closed port
            data = ip4(17, source, to, struct.pack("!HHHH", port, 33434, 8, 0))
        elif kind == 1:
            data = ip4(6, source, to, tcp(source, to, port, 179, 0x02))
        elif kind == 2:
            data = ip4(6, source, to, tcp(source, to, port, 22, 0x02))
        elif kind == 3:
            data = ip4(6, source, to, tcp(source, to, port, 22, 0x10))
        elif kind == 4:
            echo = struct.pack("!BBHHH", 8, 0, 0, port, 1)
            data = ip4(1, source, to, echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:])
        else:
            data = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac_from, source, bytes(6), to)
        frames.append(mac_to + mac_from + struct.pack("!H", 0x0806 if kind == 5 else 0x0800) + data + bytes(18))
    return frames


def mac_bytes(text: str) -> bytes:
    return bytes(int(b, 16) for b in text.split(":"))


class Daemon:
    """bird in a host."""

    def __init__(self, host: Host, addresses: tuple[typing.Any, typing.Any, typing.Any, typing.Any],
                 numbers: tuple[int, int], route: str) -> None:
        self.host, base = host, os.path.join(host.lab.dir, f"{host.name}.bird")
        own4, own6, peer4, peer6 = addresses
        with open(base + ".conf", "w") as f:
            f.write(BIRD.format(own4=own4, own6=own6, peer4=peer4, peer6=peer6, own=numbers[0], peer=numbers[1],
                                route=route))
        self.socket = base + ".ctl"
        host.start("bird", [*FIRST, "bird", "-f", "-c", base + ".conf", "-s", self.socket])

    def show(self, *what: str) -> str:
        return self.host.run(["birdc", "-s", self.socket, "show", *what], check=False)

    def sessions(self) -> dict[str, typing.Any]:
        """{name: second of the day since when} of the sessions that are established."""
        found = re.findall(r"^(peer\d)\s+BGP\s+\S+\s+up\s+(\d+):(\d+):(\S+)\s+Established", self.show("protocols"),
                           re.M)
        return {name: int(h) * 3600 + int(m) * 60 + float(s) for name, h, m, s in found}


def unbroken(now: dict[typing.Any, typing.Any], since: dict[typing.Any, typing.Any]) -> bool:
    """Is each session the one of before? BIRD computes the time again for each answer: it moves by some ms."""
    return now.keys() == since.keys() and all(abs(now[name] - since[name]) < 0.5 for name in since)


def start_sessions(stage: Stage) -> tuple[Daemon, Daemon]:
    site = stage.site.plan
    router = (site.gateway4, site.gateway6, site.node4, site.node6)
    node = (site.node4, site.node6, site.gateway4, site.gateway6)
    daemons = Daemon(stage.world.router, router, (65001, 65002), "198.18.255.0/24"), \
        Daemon(stage.node.host, node, (65002, 65001), ROUTE)
    wait_until(lambda: len(daemons[0].sessions()) == 2, 40, "both BGP sessions", 0.5)
    return daemons


def transfer(report: Report, stage: Stage, what: str, size: int, timeout_s: float) -> None:
    """TCP of the host's own: a file from the router, as ssh or a package mirror would send it."""
    router, node, site = stage.world.router, stage.node.host, stage.site.plan
    source, got = os.path.join(stage.lab.dir, "file"), os.path.join(stage.lab.dir, "file.got")
    with open(source, "wb") as f:
        f.write(random.Random(2).randbytes(size))
    server = router.start("server", ["socat", "-u", f"FILE:{source}", "TCP-LISTEN:2222,reuseaddr"])
    wait_until(lambda: ":2222 " in router.run(["ss", "-ltn"]), 10, "the server listens")
    node.run(["timeout", str(timeout_s), "socat", "-u", f"TCP:{site.gateway4}:2222", f"CREATE:{got}"], check=False)
    server.stop()
    with open(source, "rb") as a, open(got, "rb") as b:
        same = hashlib.sha256(a.read()).digest() == hashlib.sha256(b.read()).digest()
    report.check(same, f"the host fetches {size >> 10} KiB by TCP: {what}")


def flood(report: Report, stage: Stage, daemons: tuple[Daemon, Daemon]) -> None:
    router, node, site = stage.world.router, stage.node.host, stage.site.plan
    before, since = weir_counts(stage.node), daemons[0].sessions()
    path = os.path.join(stage.lab.dir, "frames")
    with open(path, "wb") as f:
        for frame in flood_frames(site.node4, mac_bytes(node.mac("eth1")), mac_bytes(router.mac(stage.site.switch))):
            f.write(struct.pack("=H", len(frame)) + frame)
    say(f"a flood towards the host for {FLOOD_S} s, beyond BGP's hold time")
    process = router.start("flood", [executable("lab-flood"), stage.site.node_port, path, str(FLOOD_S), "0"])
    process.popen.wait(FLOOD_S + 30)
    time.sleep(1.5)  # the counters are published each second
    sent = int(process.log().split()[-1])
    after = weir_counts(stage.node)
    policed = after["reasons"]["kernel_policed"] - before["reasons"]["kernel_policed"]
    passed = after["passed"] - before["passed"]
    report.check(sent > 20 * 30000, "the flood is one", f"{sent // FLOOD_S} frames a second")
    report.check(policed > passed, "most of it is policed", f"{policed} dropped, {passed} passed")
    report.check(passed / FLOOD_S < 35000, "the kernel gets no more than the classes' rates")
    now = daemons[0].sessions()
    report.check(unbroken(now, since), "no BGP session went down, IPv4 and IPv6", f"since {since}, then {now}")
    report.check(ROUTE in daemons[0].show("route"), "and the host's route is there")


def conserved(report: Report, stage: Stage) -> None:
    """At rest: what was passed is what the TAP got."""
    time.sleep(2.5)  # the counters are published each second
    weir, tap = weir_counts(stage.node), stage.node.host.counters("eth1")
    time.sleep(2.5)  # two publications later: nothing was under way
    again = weir_counts(stage.node)
    report.equal(weir["received"], weir["sent"] + weir["passed"] + weir["dropped"],
                 "received = sent + passed + dropped")
    report.between(tap["rx"] + tap["rx_dropped"], weir["passed"] - 20, again["passed"],
                   "what was passed is what the TAP got, but for what came while it was read")
    classes = {re.search(r'class="(\w+)"', labels).group(1): int(value)
               for (name, labels), value in stage.node.stats("dataplane").items()
               if name == "weir_dataplane_kernel_frames_total"}
    report.check(classes["bgp"] > 10 and classes["bfd"] > 10 and classes["arp_nd"] > 2,
                 "frames are counted by class", classes)


def run(report: Report) -> None:
    with Lab("exception") as lab:
        stage = Stage(report, lab, "gue")
        stage.node.give_tap()
        stage.write(edit=lambda text: on_tap(text).replace('cores = "0-1"; ', ""))
        stage.start()
        daemons = start_sessions(stage)
        transfer(report, stage, "in peace", 8 << 20, 60)
        flood(report, stage, daemons)
        answer = stage.world.router.run(["ping", "-c", "3", "-i", "0.2", stage.site.plan.node6])
        report.check(" 0% packet loss" in answer, "the host answers afterwards")
        report.step(conserved, report, stage)
        report.step(check_node, report, stage.node, {"kernel_policed": 10 ** 9})


if __name__ == "__main__":
    sys.exit(Report.main(run))
