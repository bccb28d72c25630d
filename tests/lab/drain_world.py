# SPDX-License-Identifier: BSD-2-Clause
"""The world of lab churn, whose three nodes announce the VIPs themselves: nodes are drained under its flows.

Each node runs weir-announce and BIRD with the configuration of packaging/; the router runs BIRD, too, and has kernel ECMP.
`Looks` notes which node the router has for the flows that live; `Drains` drains nodes and takes them back, one after the other.
"""
from __future__ import annotations

import ipaddress
import json
import os
import socket
import threading
import time
import typing

from churn_events import Paths
from churn_world import ChurnWorld
from fib_watch import FibWatch
from net import executable, say, wait_until
from speakers import Bird
from watch import now_ms

if typing.TYPE_CHECKING:
    import plan as planning
    from churn_events import Flow
    from churn_world import Balancer
    from net import Lab, Process
    from report import Report

Key = tuple[str, int, str, int]  # source, port, target, port there
FIRST_NUMBER = 11  # of the nodes' addresses in the network of packaging/bird
WAIT_S = 500       # a drain waits until the connections at risk have ended, and for idle_time
LEFT_S = 2         # after which less than 1 % of a drained node's packets may come


class DrainWorld(ChurnWorld):
    def __init__(self, lab: Lab, plan: planning.Plan) -> None:
        plan.announce = {n.node: f'daemon = "bird"; socket = "{lab.dir}/{n.node}/bird.ctl";' for n in plan.nodes}
        super().__init__(lab, plan)
        self.router.address(self.only_site.switch, "192.0.2.1/24", "2001:db8::1/64")
        for number, balancer in enumerate(self.balancers, FIRST_NUMBER):
            self.prepare(balancer)
            balancer.next_hops = (f"192.0.2.{number}", f"2001:db8::{number}")
            balancer.node.host.address("eth1", f"192.0.2.{number}/24", f"2001:db8::{number}/64")
        Bird(lab, self.router, "router.conf")
        self.speakers = [Bird(lab, b.node.host, "bird.conf") for b in self.balancers]

    def prepare(self, balancer: Balancer) -> None:
        """Change a node's port before it gets its addresses."""

    def spread(self) -> None:
        """The nodes tell the router."""
        wait_until(lambda: all(s.sessions() == 2 for s in self.speakers), 60, "all sessions", 0.5)
        for b in self.balancers:
            if "announce" not in b.node.processes:
                b.node.start("announce")
        self.wait_used([b.name for b in self.balancers])

    def used(self) -> list[set[str]]:
        """The nodes that the router uses, by VIP."""
        return [self.used_for(vip) for vip in self.only_site.plan.vips]

    def used_for(self, vip: str) -> set[str]:
        family = "-6" if ":" in vip else "-4"
        rows = json.loads(self.router.run(["ip", family, "-j", "route", "show", vip]) or "[]")
        gateways = {h.get("gateway") or h.get("via", {}).get("host", "") for row in rows for h in row.get("nexthops", [row])}
        return {b.name for b in self.balancers if gateways & set(b.next_hops)}

    def wait_used(self, names: typing.Collection[str], timeout_s: float = 90) -> None:
        wait_until(lambda: all(used == set(names) for used in self.used()), timeout_s, f"the router uses {' '.join(names)}", 0.02)

    def unsettled(self) -> int:
        """Slots of all nodes."""
        return sum(v for b in self.balancers for (name, _), v in b.stats().items() if name == "weir_dataplane_pool_slots_unsettled")

    def watch(self) -> None:
        """Note from now on which ways the router's kernel has: BFD's 300 ms are short where no process gets the CPU."""
        self.fib = FibWatch(self.router)

    def ways_of(self, vip: str) -> list[tuple[int, int]]:
        """How many ways the router had for a VIP: [(time_ms, n)], from each change on."""
        prefix, offset_ms = ipaddress.ip_address(vip).packed, time.time() * 1000 - time.monotonic() * 1000
        return [(round(at / 1e6 + offset_ms), len(hops)) for at, to, hops in self.fib.events if to == prefix]

    def wait_settled(self) -> None:
        wait_until(lambda: self.unsettled() == 0, 120, "all slots are settled", 0.5)

    def capture(self) -> None:
        """Count the packets to VIPs on the wire to each node from now on: nodes count their own probe packets, too."""
        self.captures = {b.name: self.start_capture(f"p-{b.name}") for b in self.balancers}

    def packets(self) -> dict[str, int]:
        return {name: capture.counts("out", "vip") for name, capture in self.captures.items()}

    def rates(self, seconds: float) -> dict[str, float]:
        before, began = self.packets(), time.monotonic()
        time.sleep(seconds)  # the packets of this time are counted
        passed = time.monotonic() - began
        return {name: (n - before[name]) / passed for name, n in self.packets().items()}


class Looks(Paths):
    """Which node the router has for each connection of the client, asked when its set has changed."""

    def __init__(self, world: DrainWorld) -> None:
        super().__init__(world, socket.IPPROTO_TCP)
        self.taken: list[tuple[int, dict[Key, str]]] = []

    def look(self) -> None:
        """The set changes at moments that Drains knows."""

    def take(self) -> tuple[int, dict[Key, str]]:
        """Of the connections that are there now: (time_ms, {connection: next hop})."""
        at, text = now_ms(), self.world.client.run(["ss", "-Htn", "state", "established", "dport", "=", ":80"])
        ends = [line.split()[2:4] for line in text.splitlines()]
        pairs = [(mine.rsplit(":", 1), to.rsplit(":", 1)) for mine, to in ends]
        flows = [(a.strip("[]"), int(p), b.strip("[]"), int(q)) for (a, p), (b, q) in pairs]
        self.taken.append((at, self.world.paths(flows, self.protocol)))
        return self.taken[-1]

    def of(self, flows: list[typing.Any]) -> dict[typing.Any, list[typing.Any]]:
        return {f: [(at, vias[f]) for at, vias in self.taken if f in vias] for f in flows}


class Drain:
    """The drain of one node and its return: what was seen, and what it makes with the flows' log."""

    def __init__(self, balancer: Balancer) -> None:
        self.balancer = balancer
        self.looks: list[tuple[int, dict[Key, str]]] = []
        self.figures: dict[str, typing.Any] = {"dpdk": balancer.node.plan.driver == "dpdk"}

    def judge(self, flows: list[Flow]) -> dict[str, typing.Any]:
        """Of the long connections that were there when it began: how many went to another node, and how many back."""
        began, first = self.looks[0]
        living = [f for f in flows if f.kind != "short" and f.start < began < f.end]
        changed = [f for f in living if len({vias[f.key] for _, vias in self.looks if f.key in vias}) > 1]
        own = [f for f in living if first.get(f.key) in self.balancer.next_hops]
        self.figures |= {"connections": len(living), "on_the_node": len(own), "changed": len(changed),
                         "changed_node": len(changed) / max(1, len(living))}
        return self.figures


class Drains(threading.Thread):
    """Drains nodes one after the other, while the caller lets flows live."""

    def __init__(self, world: DrainWorld, looks: Looks, report: Report, balancers: list[Balancer], warm_s: float, quick: bool) -> None:
        super().__init__()
        self.world, self.looks, self.report, self.warm_s, self.quick = world, looks, report, warm_s, quick
        self.done = [Drain(b) for b in balancers]
        self.then_unsettled = False
        self.waited_ms = 0

    def run(self) -> None:
        time.sleep(self.warm_s)  # all long flows have begun
        for drain in self.done:
            self.report.step(self.drain, drain)
            self.report.step(self.undrain, drain)
        if self.then_unsettled:
            self.report.step(self.drain_unsettled)

    def drain_unsettled(self) -> None:
        """A change of a weight moves slots, and their connections stay: without agents this node alone knows of them. It is the
        middle one of the router's ways, so that no connection moves between the others."""
        world, balancer, operator = self.world, self.done[0].balancer, self.world.balancers[0].node
        world.plan.sites[0].backends[0].weight = 50
        operator.write_config()
        operator.weir("apply", os.path.join(operator.conf, "weir.conf"), "--reason", "lab")
        wait_until(lambda: world.unsettled() > 0, 20, "unsettled slots", 0.2)
        began = time.monotonic()
        command = self.begin(balancer)
        world.wait_used([b.name for b in world.balancers if b is not balancer], WAIT_S)
        self.waited_ms = round((time.monotonic() - began) * 1000)
        wait_until(lambda: not command.alive(), 150, "weir drain --wait ends", 0.2)
        log = command.log()
        self.report.check("waiting, nothing is changed yet" in log and "connections at risk" in log,
                          f"{balancer.name}: a drain waits while connections are at risk", log[:200])

    def begin(self, balancer: Balancer) -> Process:
        """On the node itself, which alone knows which connections are at risk."""
        node = balancer.node
        return node.host.start(f"drain-{len(node.host.processes)}", [
            executable("weir"), *node.options, "drain", "node", node.name, "--until", "never", "--reason", "lab", "--wait"])

    def drain(self, drain: Drain) -> None:
        world, node, figures = self.world, drain.balancer.node, drain.figures
        rates = world.rates(2 if self.quick else 5)
        figures["packets_per_s_before"], figures["share_before"] = rates[node.name], rates[node.name] / sum(rates.values())
        drain.looks.append(self.looks.take())
        began = time.monotonic()
        say(f"drain of {node.name}")
        command = self.begin(drain.balancer)
        world.wait_used([b.name for b in world.balancers if b is not drain.balancer], 60)
        figures["drain_to_shutdown_ms"] = round((time.monotonic() - began) * 1000)
        drain.looks.append(self.looks.take())
        time.sleep(max(0.0, began + figures["drain_to_shutdown_ms"] / 1000 + LEFT_S - time.monotonic()))  # the time that packets may take
        figures["left_ratio_2s"] = world.rates(2 if self.quick else 4)[node.name] / figures["packets_per_s_before"]
        wait_until(lambda: not command.alive(), 150, "weir drain --wait ends", 0.2)
        figures["drain_to_withdrawn_ms"] = round((time.monotonic() - began) * 1000)
        self.report.equal((command.popen.returncode, command.log()[-300:] if command.popen.returncode else ""), (0, ""),
                          f"{node.name} is drained")

    def undrain(self, drain: Drain) -> None:
        world, node, figures = self.world, drain.balancer.node, drain.figures
        time.sleep(1 if self.quick else 8)  # changes of backends meanwhile
        began = time.monotonic()
        say(f"undrain of {node.name}")
        node.weir("undrain", "node", node.name, "--wait", timeout=150)
        world.wait_used([b.name for b in world.balancers], 60)
        figures["undrain_ms"] = round((time.monotonic() - began) * 1000)
        drain.looks.append(self.looks.take())
        rates = world.rates(3 if self.quick else 6)
        figures["share_after"] = rates[node.name] / sum(rates.values())
        figures["return_share_error"] = abs(figures["share_after"] - figures["share_before"])
