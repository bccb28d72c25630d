# SPDX-License-Identifier: BSD-2-Clause
"""Weir's routes reach routers through BIRD and FRR: how fast, and that moves and reloads withdraw nothing.

Nodes with BIRD and with FRR announce to a router with BIRD and to one with FRR, all with the configurations of packaging/.
A third node announces the same prefixes all the time, so a router's kernel shows each change as a next hop that comes or
goes. Figures: build/lab/announce.json, in ms: the median of rounds, each until the last prefix at the slower router.

    lab_announce.py [--quick]       1 and 76 prefixes only, few rounds
    lab_announce.py --guest         inside a guest whose kernel has VRF devices: no times
"""
from __future__ import annotations

import ipaddress
import json
import os
import statistics
import subprocess
import sys
import time
import typing

import announce_restart
import announce_status
import bgp_capture
from fib_watch import FibWatch
from net import BUILD, Host, Lab, comes_true, entered, executable, say, wait_until
from report import Report
from speakers import Bird, Frr, Speaker

GUEST = "--guest" in sys.argv
QUICK = "--quick" in sys.argv or GUEST
ROUNDS = {1: 5, 76: 3} if QUICK else {1: 20, 76: 7, 1000: 5}
WANTED = {("bird", 1): 100, ("frr", 1): 150, ("bird", 1000): 500, ("frr", 1000): 500}
ROUTERS: dict[str, tuple[str, str, type[Bird] | type[Frr], str]] = {
    "router1": ("192.0.2.1", "2001:db8::1", Bird, "router.conf"), "router2": ("192.0.2.2", "2001:db8::2", Frr, "router.conf")}
NODES: dict[str, tuple[str, str, type[Bird] | type[Frr], str]] = {
    "bird": ("192.0.2.11", "2001:db8::11", Bird, "bird.conf"), "frr": ("192.0.2.12", "2001:db8::12", Frr, "frr.conf"),
    "other": ("192.0.2.13", "2001:db8::13", Bird, "bird.conf")}


def addresses(n: int) -> list[str]:
    """Both families in turn."""
    return [f"10.100.{i >> 9}.{(i >> 1) & 255}" if i % 2 == 0 else f"fd10::{(i >> 1) + 1:x}" for i in range(n)]


class Tool:
    """lab-announce at a node: Weir's own code for routes and daemons."""

    def __init__(self, lab: Lab, node: Host, kind: str, socket: str, path: str) -> None:
        with entered(node.ns), open(os.path.join(lab.dir, f"{node.name}.tool.log"), "wb") as log:
            self.popen = subprocess.Popen([executable("lab-announce"), kind, socket, path], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)

    def do(self, command: str) -> dict[str, typing.Any]:
        assert self.popen.stdin and self.popen.stdout
        self.popen.stdin.write(command + "\n")
        answer: dict[str, typing.Any] = json.loads(self.popen.stdout.readline())
        if answer.get("error"):
            raise RuntimeError(f"{command}: {os.strerror(-answer['error'])}")
        return answer

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()


class World:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.hosts: dict[str, Host] = {}
        self.speakers: dict[str, Speaker] = {}
        self.tools: dict[str, Tool] = {}
        switch = lab.host("switch")
        lab.bridge(switch, "br0")
        for name, (four, six, _, _) in {**ROUTERS, **NODES}.items():
            host = self.hosts[name] = lab.host(name)
            lab.port(switch, "br0", f"p-{name}", host, "eth0")
            host.address("eth0", f"{four}/24", f"{six}/64")
        self.vips = os.path.join(lab.dir, "vips")
        with open(self.vips, "w") as f:
            f.writelines(a + "\n" for a in addresses(max(ROUNDS)))
        self.captures = {name: os.path.join(lab.dir, f"{name}.pcap") for name in ROUTERS}
        for name, path in self.captures.items():
            self.hosts[name].start("tcpdump", ["tcpdump", "--immediate-mode", "-U", "-B", "65536", "-i", "eth0", "-w", path, "tcp port 179"])
        for name, (_, _, kind, file) in {**ROUTERS, **NODES}.items():
            self.speakers[name] = kind(lab, self.hosts[name], file)
            say(f"{name}: {kind.kind} runs")  # in a guest this takes a while, and silence is taken for a breakdown
        self.watches = {name: FibWatch(self.hosts[name]) for name in ROUTERS}
        wait_until(lambda: all(self.speakers[n].sessions() == 4 for n in NODES), 240 if GUEST else 60, "all sessions", 0.5)
        for name in NODES:
            speaker = self.speakers[name]
            self.tools[name] = Tool(lab, self.hosts[name], speaker.kind, speaker.socket, self.vips)

    def hops(self, node: str) -> set[bytes]:
        """A node's addresses, as next hops."""
        rows = json.loads(self.hosts[node].run(["ip", "-j", "addr", "show", "eth0"]))
        return {ipaddress.ip_address(a["local"]).packed for a in rows[0]["addr_info"]}

    def close(self) -> None:
        for tool in self.tools.values():
            tool.close()


def wait_all(world: World, node: str, wanted: set[bytes], there: bool) -> None:
    hop = world.hops(node)
    wait_until(lambda: all(w.all_are(hop, wanted, there) for w in world.watches.values()), 120 if GUEST else 20,
               f"{node} {'among' if there else 'not among'} the next hops of {len(wanted)} prefixes")


class Figures:
    def __init__(self) -> None:
        self.values: dict[str, dict[str, dict[str, list[float]]]] = {}

    def note(self, key: str, kind: str, n: int, value_ms: float) -> None:
        self.values.setdefault(key, {}).setdefault(kind, {}).setdefault(str(n), []).append(value_ms)

    def medians(self) -> dict[str, typing.Any]:
        return {key: {kind: {n: round(statistics.median(v), 1) for n, v in row.items()} for kind, row in rows.items()}
                for key, rows in self.values.items()}


def timed(world: World, node: str, command: str, wanted: set[bytes], there: bool) -> float:
    """Run a command of the tool; milliseconds until its effect on the last prefix at the slower router."""
    hop = world.hops(node)
    done = world.tools[node].do(command)
    wait_all(world, node, wanted, there)
    values = [w.since(done["began_ns"], hop, wanted, there) for w in world.watches.values()]
    return max(v for v in values if v is not None)


def play_round(world: World, figures: Figures, node: str, n: int) -> None:
    """Announce, graceful shutdown, back, withdraw."""
    kind = world.speakers[node].kind
    wanted = {ipaddress.ip_address(a).packed for a in addresses(n)}
    figures.note("announce_ms", kind, n, timed(world, node, "add 177", wanted, True))
    time.sleep(0.2)  # time: what came before has settled at the far router
    figures.note("gshut_ms", kind, n, timed(world, node, "move 177 178", wanted, False))
    time.sleep(0.2)  # as above
    figures.note("return_ms", kind, n, timed(world, node, "move 178 177", wanted, True))
    time.sleep(0.2)  # as above
    figures.note("withdraw_ms", kind, n, timed(world, node, "delete 177", wanted, False))


def measure(world: World, figures: Figures, n: int, rounds: int) -> None:
    wanted = {ipaddress.ip_address(a).packed for a in addresses(n)}
    for tool in world.tools.values():
        tool.do(f"first {n}")
    world.tools["other"].do("add 177")
    wait_all(world, "other", wanted, True)
    for i in range(rounds):
        for node in ("bird", "frr"):
            play_round(world, figures, node, n)
            time.sleep(0.2)  # time: the rounds are apart
    say(f"{n} prefixes: {figures.medians()}")
    world.tools["other"].do("delete 177")
    wait_all(world, "other", wanted, False)


def withdrawn(world: World, node: str, began: float) -> list[int]:
    """How many prefixes a node withdrew since then, at each router."""
    senders = {NODES[node][0], NODES[node][1]}
    return [sum(len(u.withdrawn) for u in bgp_capture.updates(path) if u.sender in senders and u.at >= began)
            for path in world.captures.values()]


def show_no_withdrawals(world: World, report: Report, node: str) -> int:
    """Moves there and back with all prefixes, reloads in both states: a capture of both routers' ports."""
    n, tool, speaker = max(ROUNDS), world.tools[node], world.speakers[node]
    wanted = {ipaddress.ip_address(a).packed for a in addresses(n)}
    tool.do(f"first {n}")
    tool.do("add 177")
    wait_all(world, node, wanted, True)
    time.sleep(1)  # time: the daemons have sent all that the command brings
    began = time.time()

    def shut() -> int:
        """How many prefixes each router's port has seen with GRACEFUL_SHUTDOWN."""
        return min(len({p for u in bgp_capture.updates(path) for p in u.announced if u.shutdown and u.at >= began and u.sender in NODES[node][:2]})
                   for path in world.captures.values())

    for command in ("move 177 178", "reload", "move 178 177", "reload"):
        if command == "reload":
            said = speaker.reload()
            with open(os.path.join(world.lab.dir, f"{node}.reload.txt"), "a") as f:
                f.write(said)
            report.check("exit 0" in said or "Reconfigured" in said or "in progress" in said, f"{speaker.kind}: the reload works")
        else:
            tool.do(command)
        if command == "move 177 178":
            report.check(comes_true(lambda: shut() == n, 60 if GUEST else 10, 0.5),
                         f"{speaker.kind}: all prefixes are seen with GRACEFUL_SHUTDOWN", shut())
        time.sleep(1.5)  # time: BFD and BGP would have noticed by now
    count = sum(withdrawn(world, node, began))
    report.equal(count, 0, f"{speaker.kind}: nothing was withdrawn by two moves and two reloads of {n} prefixes")
    # In a guest, a processor may come too late for BFD.
    report.check(comes_true(lambda: speaker.sessions() == 4, 60 if GUEST else 0), f"{speaker.kind}: all sessions are up")
    tool.do("delete 177")
    wait_all(world, node, wanted, False)
    report.check(comes_true(lambda: min(withdrawn(world, node, began)) >= n, 10, 0.5), f"{speaker.kind}: each router's capture sees the withdrawal at the end")
    return count


def show_facts(world: World, report: Report, node: str) -> None:
    """What the module reads back, in each table."""
    tool, kind = world.tools[node], world.speakers[node].kind
    tool.do("first 2")
    for table, key in ((177, "normal"), (178, "gshut")):
        tool.do(f"add {table}")

        def known() -> bool:
            facts = tool.do("facts")
            return facts["state"] == "answers" and len(facts["neighbours"]) == 4 and all(facts["neighbours"].values()) and all(
                r["known"] and r[key] and bin(r["exported"]).count("1") == 2 for r in facts["routes"].values())
        report.check(comes_true(known, 60), f"{kind}: table {table} is read back as imported, and exported to both routers", tool.do("facts")["version"])
    tool.do("delete 177")
    tool.do("delete 178")
    report.check(comes_true(lambda: all(r["known"] and r["exported_at_ms"] and not (r["normal"] or r["gshut"] or r["exported"])
                                        for r in tool.do("facts")["routes"].values()), 60), f"{kind}: read back as exported to nobody")


def show_main_table(world: World, report: Report, node: str) -> None:
    world.tools[node].do("add 177")
    time.sleep(0.5)  # time: the daemon would have copied the routes by now
    text = world.hosts[node].run(["ip", "route"]) + world.hosts[node].run(["ip", "-6", "route"])
    report.check("10.100." not in text and "fd10:" not in text, f"{world.speakers[node].kind}: nothing of Weir's tables is in the main table")
    world.tools[node].do("delete 177")
    time.sleep(0.5)  # time: the next part begins without these routes


def show_without_ipv4(report: Report) -> None:
    """Nodes that have IPv6 alone announce, too."""
    with Lab("announce6") as lab:
        switch, router = lab.host("switch"), lab.host("router")
        lab.bridge(switch, "br0")
        nodes = {name: lab.host(name) for name in ("bird", "frr")}
        for host in (router, *nodes.values()):
            lab.port(switch, "br0", f"p-{host.name}", host, "eth0")
        router.address("eth0", *(f"{a}/{n}" for a, n in zip(ROUTERS["router1"][:2], (24, 64))))
        Bird(lab, router, "router.conf")
        vips = os.path.join(lab.dir, "vips")
        with open(vips, "w") as f:
            f.write("fd10::1\n")
        for name, host in nodes.items():
            host.address("eth0", f"{NODES[name][1]}/64")
            speaker = NODES[name][2](lab, host, NODES[name][3], False)
            tool = Tool(lab, host, name, speaker.socket, vips)
            tool.do("first 1")
            tool.do("add 177")
            tool.close()  # its routes stay
        report.check(comes_true(lambda: router.run(["ip", "-6", "route", "show", "fd10::1"]).count("nexthop") == 2, 60, 0.5),
                     "routers learn an address from nodes without IPv4", router.run(["ip", "-6", "route"]))


def run(report: Report) -> None:
    figures, withdraws = Figures(), {}
    if not GUEST:
        announce_restart.show_black_hole(report)
        show_without_ipv4(report)
    with Lab("announce") as lab:
        world = World(lab)
        say("all sessions are up")
        if GUEST:
            report.check("vrf" in world.hosts["frr"].run(["ip", "-d", "link", "show", "weir-gshut"]), "FRR's VRFs are devices")
        try:
            for node in ("bird", "frr"):
                show_facts(world, report, node)
                show_main_table(world, report, node)
                withdraws[world.speakers[node].kind] = show_no_withdrawals(world, report, node)
                if not GUEST:
                    announce_status.show_status(lab, report, world.hosts[node], world.speakers[node], world.watches, world.hops(node),
                                                addresses(4)[2:])
            for n, rounds in () if GUEST else ROUNDS.items():
                measure(world, figures, n, rounds)
        finally:
            world.close()
    if GUEST:
        return
    medians = figures.medians()
    for (kind, n), most in WANTED.items():
        for key in ("announce_ms", "gshut_ms", "withdraw_ms"):
            if n in ROUNDS:
                report.between(medians[key][kind][str(n)], 0, most * (4 if QUICK else 1), f"{kind}: {key} of {n} prefixes")
    with open(os.path.join(BUILD, "lab", "announce.json"), "w") as f:
        json.dump({**medians, "withdraws_during_gshut": withdraws}, f, indent=1)


if __name__ == "__main__":
    sys.exit(Report.main(run))
