# SPDX-License-Identifier: BSD-2-Clause
"""A DPDK node that announces: its dataplane killed for good, stopped for 150 ms, and left alone.

One router is behind the port that DPDK drives, so its BGP and BFD sessions pass a worker and the TAP. The other one is behind
an interface of the kernel, whose sessions stay up whatever the dataplane does. Both run BIRD, and so does the node, with the
configurations of packaging/: BFD with 3 x 100 ms. Figures: build/lab/announce_dpdk.json; times are from the kill until the last
prefix of both families has left the kernel of the slower router.

    lab_announce_dpdk.py [--quick] [--idle SECONDS]     quick: 3 kills, 3 stalls, 5 s idle; else 20, 20, 600 s
"""
from __future__ import annotations

import collections
import ipaddress
import json
import os
import re
import signal
import statistics
import sys
import time
import typing

import plan as planning
from fib_watch import FibWatch
from lab_dpdk import on_tap
from net import BUILD, Lab, say, wait_until
from pace import Pace
from report import Report
from speakers import Bird
from world import SITE_MTU, World

QUICK = "--quick" in sys.argv
ROUNDS = 3 if QUICK else 20  # kills, and stalls
IDLE_S = float(sys.argv[sys.argv.index("--idle") + 1]) if "--idle" in sys.argv else 5 if QUICK else 600
WANTED_MS = 450 * (4 if QUICK else 1)  # a quick run has others beside it
STALL_S, LONGER_S = 0.15, 0.25
FORWARDS_ON_MS = 300  # of the 1,000 after a withdrawal, when the slower router knows it
OWN = ("192.0.2.11", "2001:db8::11")  # the node, for both routers
ROUTERS = {"router1": ("192.0.2.1", "2001:db8::1", "eth1"), "router2": ("192.0.2.2", "2001:db8::2", "eth2")}

Sessions = dict[tuple[str, ...], tuple[str, str]]


class Scene:
    def __init__(self, lab: Lab) -> None:
        plan = planning.simple(1, 2, api=False)
        name = plan.sites[0].node
        plan.announce[name] = f'daemon = "bird"; socket = "{lab.dir}/{name}/bird.ctl";'
        self.lab, self.world = lab, World(lab, plan, resolvers=())
        self.site, self.node = self.world.sites[0], self.world.sites[0].node
        self.host = self.node.host
        self.wanted = {ipaddress.ip_address(a).packed for a in self.site.plan.vips}
        self.hosts = {r: lab.host(r) for r in ROUTERS}
        lab.port(self.world.router, self.site.switch, "p-router1", self.hosts["router1"], "eth0", SITE_MTU)
        lab.link(self.hosts["router2"], "eth0", self.host, "eth2")
        self.node.give_tap()
        for router, (four, six, interface) in ROUTERS.items():
            self.hosts[router].address("eth0", f"{four}/24", f"{six}/64")
            # both routers are in one network, and on different links
            self.host.ip(f"addr add {OWN[0]} peer {four}/32 dev {interface}",
                         f"-6 addr add {OWN[1]} peer {six}/128 dev {interface} nodad")
        self.pace = Pace()
        self.watches = {r: FibWatch(self.hosts[r]) for r in ROUTERS}
        self.birds = {r: Bird(lab, self.hosts[r], "router.conf") for r in ROUTERS}
        self.birds["node"] = Bird(lab, self.host, "bird.conf")

    def start(self) -> None:
        node = self.node
        node.write_config()
        path = os.path.join(node.conf, "weir.conf")
        with open(path) as f:
            text = on_tap(f.read())
        with open(path, "w") as f:
            f.write(text)
        node.write_effective()
        self.site.start_backends()
        node.start("mgmt", "health", "dataplane", "announce")
        self.wait_announced()

    def hops(self) -> set[bytes]:
        """The node's addresses, as next hops."""
        rows = json.loads(self.host.run(["ip", "-j", "addr"]))
        return {ipaddress.ip_address(a["local"]).packed for row in rows if row["ifname"] in ("eth1", "eth2") for a in row["addr_info"]}

    def all_are(self, there: bool) -> bool:
        hops = self.hops()
        return all(w.all_are(hops, self.wanted, there) for w in self.watches.values())

    def wait_announced(self) -> None:
        wait_until(lambda: self.all_are(True) and self.birds["node"].sessions() == 4, 120, "both routers have the VIPs", 0.1)

    def sessions(self) -> Sessions:
        """Each BGP and BFD session at each end: its state, and since when it has it."""
        found: Sessions = {}
        for name, bird in self.birds.items():
            for p in re.finditer(r"^(\S+) +BGP +\S+ +\S+ +(\S+) +(\S.*)$", bird.ask("show protocols"), re.M):
                if not re.fullmatch(r"nodes[46]", p[1]):  # which make the others
                    found[name, p[1]] = (p[3].strip(), p[2])
            for b in re.finditer(r"^([\d.:a-f]+) +(\S+) +(Up|Down|Init|AdminDown) +(\S+) ", bird.ask("show bfd sessions"), re.M):
                found[name, b[1], b[2]] = (b[3], b[4])
        return found

    def are_up(self) -> bool:
        states = [state for state, _ in self.sessions().values()]
        return len(states) == 16 and all(s in ("Established", "Up") for s in states)

    def settle(self) -> None:
        """All sessions are up at both ends and stay so: a restart of BGP makes BFD begin again."""
        wait_until(self.are_up, 120, "all sessions of BGP and BFD", 0.2)
        last: Sessions = {}

        def stay() -> bool:
            nonlocal last
            before, last = last, self.sessions()
            return last.keys() == before.keys() and not ended(before, last) and self.are_up()
        wait_until(stay, 60, "sessions that stay up", 1.5)

    def withdrawals(self) -> list[str]:
        """What the routers' kernels lost, and what weir-announce decided so, until now."""
        hops = self.hops()
        lost = [f"{r} lost {ipaddress.ip_address(prefix)}" for r, w in self.watches.items() for _, prefix, left in w.events
                if prefix in self.wanted and not left & hops]
        return lost + re.findall(r"announcement-changed .* table=none.*", self.node.processes["announce"].log())


def seconds(since: str) -> float:
    """A time of day of BIRD, which computes it anew for each answer: it may be a millisecond off."""
    h, m, s = (float(word) for word in since.split(":"))
    return h * 3600 + m * 60 + s


def is_same(a: tuple[str, str], b: tuple[str, str]) -> bool:
    return a[0] == b[0] and abs(seconds(a[1]) - seconds(b[1])) < 0.1


def ended(before: Sessions, after: Sessions) -> list[str]:
    """The ends of sessions that were up and are not, or are again."""
    return sorted(" ".join(key) for key, value in before.items()
                  if value[0] in ("Established", "Up") and not (key in after and is_same(value, after[key])))


def kill(scene: Scene) -> dict[str, float]:
    """The dataplane, for good. Returns when each router lost the last prefix, in ms."""
    hops, began = scene.hops(), time.monotonic_ns()
    scene.node.kill("dataplane")
    wait_until(lambda: scene.all_are(False), 30, "no router has the VIPs any more")
    found = {r: w.since(began, hops, scene.wanted, False) for r, w in scene.watches.items()}
    return {r: round(v, 1) for r, v in found.items() if v is not None}


def show_kills(scene: Scene, report: Report, figures: dict[str, typing.Any]) -> None:
    took: dict[str, list[float]] = {r: [] for r in ROUTERS}
    for _ in range(ROUNDS):
        for router, value in kill(scene).items():
            took[router].append(value)
        say(f"withdrawn after {({r: v[-1] for r, v in took.items()})} ms")
        scene.node.start("dataplane")
        scene.wait_announced()
        scene.settle()
    figures["kill_ms"] = took
    figures["dataplane_kill_ms"] = round(statistics.median([max(v) for v in zip(*took.values())]), 1)
    report.equal([len(v) for v in took.values()], [ROUNDS] * len(took), "each kill took the VIPs from both routers")
    report.between(figures["dataplane_kill_ms"], 0, WANTED_MS, "dataplane killed: ms until the slower router has no route, median")


def show_planned(scene: Scene, report: Report) -> None:
    """A successor is replaced, too: the one that ends withdraws and forwards on until the routers know it."""
    for turn in ("the first", "its successor"):
        hops, began = scene.hops(), time.monotonic_ns()
        old = scene.node.succeed()
        report.equal(old.popen.wait(20), 0, f"{turn} ends in order")
        took = (time.monotonic_ns() - began) / 1e6
        left = [w.since(began, hops, scene.wanted, False) for w in scene.watches.values()]
        report.check(all(v is not None and v + FORWARDS_ON_MS < took for v in left), "the routers had left it when it ended", (left, took))
        scene.wait_announced()
        scene.settle()


def stall(scene: Scene) -> float:
    """Stop the dataplane, and let it go on. Returns for how long it stood still, in s."""
    process, began = scene.node.processes["dataplane"], time.monotonic()
    process.signal(signal.SIGSTOP)
    time.sleep(STALL_S)  # the dataplane stands still for this long
    process.signal(signal.SIGCONT)
    took = time.monotonic() - began
    time.sleep(1.2)  # BFD and BGP would have noticed by now
    return took


def show_stalls(scene: Scene, report: Report, figures: dict[str, typing.Any]) -> None:
    took: list[float] = []
    lost = removed = longer = 0
    while len(took) < ROUNDS and longer < ROUNDS:
        before, withdrawn, began = scene.sessions(), scene.withdrawals(), time.monotonic()
        value = stall(scene)
        gone = ended(before, scene.sessions())
        if value > LONGER_S or (gone and scene.pace.worst_s(began)):  # the machine added its own, which counts for nothing
            longer += 1
            scene.wait_announced()
            scene.settle()
            continue
        took.append(round(value * 1000, 1))
        lost += len(gone)
        removed += len(scene.withdrawals()) - len(withdrawn)
    figures.update(stall_ms=max(took, default=0), sessions_lost=lost, routes_removed=removed)
    report.equal(len(took), ROUNDS, f"stalls of 150 to {LONGER_S * 1000:.0f} ms")
    report.equal(lost, 0, "sessions of BGP and BFD that they ended")
    report.equal(removed, 0, "routes that they removed")


def show_rest(scene: Scene, report: Report, figures: dict[str, typing.Any]) -> None:
    last, withdrawn, pace = scene.sessions(), scene.withdrawals(), scene.pace
    began, end = time.monotonic(), time.monotonic() + IDLE_S
    downs, excused, looked = 0, 0, began
    while time.monotonic() < end:
        time.sleep(min(1, IDLE_S))  # the pace of looks
        now, worst_ms = scene.sessions(), pace.worst_s(looked - 2) * 1000
        looked = time.monotonic()
        if gone := ended(last, now):  # when a session ends here, the other end may see it a look later
            say(f"sessions ended: {', '.join(gone)}; a thread woke {worst_ms:.0f} ms late")
            downs, excused = (downs, excused + len(gone)) if worst_ms else (downs + len(gone), excused)
            scene.settle()  # one that comes back may go again until both ends agree
            now = scene.sessions()
        last = now
    removed = list((collections.Counter(scene.withdrawals()) - collections.Counter(withdrawn)).elements())
    figures.update(idle_s=IDLE_S, false_downs=downs, excused_downs=excused, late_ms=round(pace.worst_s(began) * 1000))
    report.equal(downs, 0, f"{IDLE_S:.0f} s without an event: ends of BFD and BGP sessions that went down")
    report.check(not removed or excused, "and no route is removed", removed or "")


def run(report: Report) -> None:
    figures: dict[str, typing.Any] = {}
    with Lab("announce_dpdk") as lab:
        scene = Scene(lab)
        scene.start()
        scene.settle()
        say("both routers have the VIPs")
        report.equal(scene.node.ctl("dataplane", {"do": "status"})["driver"], "dpdk", "the driver")
        report.step(show_stalls, scene, report, figures)
        report.step(show_rest, scene, report, figures)
        report.step(show_kills, scene, report, figures)
        report.step(show_planned, scene, report)
        report.check(scene.node.processes["announce"].alive(), "weir-announce runs")
    with open(os.path.join(BUILD, "lab", "announce_dpdk.json"), "w") as f:
        json.dump(figures, f, indent=1)


if __name__ == "__main__":
    sys.exit(Report.main(run))
