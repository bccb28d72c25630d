# SPDX-License-Identifier: BSD-2-Clause
"""A node is drained and taken back under long downloads and a crowd of short requests: none fails.

Two nodes of a site, each with all of Weir's processes and BIRD with the configuration of packaging/, announce a VIP of both
families to a router with BIRD and kernel ECMP. After the drain the router sends nothing to the node; the drain holds over the
death of processes and over a restart of the host; undrain brings the node's share back. A node that announces and gets no
packet says so.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import typing

import plan as planning
from net import Lab, executable, say, wait_until
from servers import fnv1a, make_file
from speakers import Bird
from watch import Crowd
from world import World

if typing.TYPE_CHECKING:
    from report import Report
    from world import Node

QUICK = "--quick" in sys.argv
DOWNLOADS, FILE_BYTES, FILE_RATE = (60, 1_600_000, "40k") if QUICK else (200, 3_200_000, "40k")  # 40 s; 80 s
NUMBERS = (11, 12)  # of the nodes' addresses in the network of packaging/bird
PROCESSES = ("mgmt", "dataplane", "health", "dns", "announce")


class Stage:
    def __init__(self, lab: Lab) -> None:
        plan = planning.simple(1, 4, settle_time="5s", idle_time="3s", check=planning.PATIENT)
        site = plan.sites[0]
        plan.more_nodes = [planning.another_node(site, 1)]
        plan.announce = {n.node: f'daemon = "bird"; socket = "{lab.dir}/{n.node}/bird.ctl";' for n in plan.nodes}
        self.lab, self.world = lab, World(lab, plan, resolvers=(), file_rate=FILE_RATE)
        self.router, self.site = self.world.router, self.world.sites[0]
        self.nodes: list[Node] = [self.site.node, self.site.node_of(plan.more_nodes[0])]
        self.vips = self.site.plan.vips
        self.router.sysctl({"net.ipv4.fib_multipath_hash_policy": 1, "net.ipv6.fib_multipath_hash_policy": 1})
        self.router.address(self.site.switch, "192.0.2.1/24", "2001:db8::1/64")
        for node, number in zip(self.nodes, NUMBERS):
            node.host.address("eth1", f"192.0.2.{number}/24", f"2001:db8::{number}/64")
        self.site.withdraw_vips()
        sources = [t for n in plan.nodes for t in (n.tunnel4, n.tunnel6)]
        for backend in self.site.backends:
            backend.start()
            backend.attach_agent(sources)
        self.bird = Bird(lab, self.router, "router.conf")
        self.speakers = [Bird(lab, node.host, "bird.conf") for node in self.nodes]
        wait_until(lambda: all(s.sessions() == 2 for s in self.speakers), 60, "all sessions", 0.5)

    def start(self) -> None:
        for node in self.nodes:
            node.write_config()
        for node in self.nodes:
            node.start(*PROCESSES)

    def hops(self, vip: str) -> set[int]:
        """To which of the nodes the router sends the VIP's packets, by the last number of their addresses."""
        family = "-6" if ":" in vip else "-4"
        rows = json.loads(self.router.run(["ip", family, "-j", "route", "show", vip]) or "[]")
        gateways = [h.get("gateway") or h.get("via", {}).get("host", "") for row in rows for h in row.get("nexthops", [row])]
        return {int(g.replace(":", ".").rsplit(".", 1)[1]) for g in gateways if g}

    def all_hops(self) -> list[set[int]]:
        return [self.hops(v) for v in self.vips]

    def known_from(self, number: int) -> int:
        """How many routes of the VIPs the router has learnt from a node, used or not."""
        command = ["birdc", "-s", self.bird.socket, "show", "route", "for"]
        text = "".join(self.router.run([*command, v], check=False) for v in self.vips)  # it fails where there is none
        return text.count(f"via 192.0.2.{number} ") + text.count(f"via 2001:db8::{number} ")

    def packets(self) -> list[int]:
        """For services, by node."""
        return [sum(v for (name, _), v in node.stats("dataplane").items() if name == "weir_dataplane_service_packets_total")
                for node in self.nodes]

    def rates(self, seconds: float) -> list[float]:
        before, began = self.packets(), time.monotonic()
        time.sleep(seconds)  # the packets of this time are counted
        passed = time.monotonic() - began
        return [(b - a) / passed for a, b in zip(before, self.packets())]


def weir(node: Node, *arguments: str) -> tuple[int, str]:
    """The command line: (exit status, output with errors)."""
    done = subprocess.run([*node.host.enter, executable("weir"), *node.options, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=200, check=False)
    return done.returncode, done.stdout


def effect(node: Node, name: str) -> dict[str, typing.Any]:
    nodes = node.weir_json("status")["nodes"]
    found: dict[str, typing.Any] = next(n for n in nodes if n["name"] == name)["effect"]
    return found


def failures(crowd: Crowd) -> list[typing.Any]:
    return [(r.result, r.target, r.backend, r.bytes) for r in crowd.read() if r.result != "ok"]


def reasons(node: Node) -> set[str]:
    return {r["code"] for r in node.weir_json("status").get("reasons", [])}


def drain(stage: Stage, report: Report, figures: dict[str, typing.Any]) -> None:
    node, before = stage.nodes[0], stage.rates(4)
    report.check(stage.known_from(NUMBERS[0]) > 0, "the router has routes from the node")
    figures["packets_per_s_before"], share = before[0], before[0] / sum(before)
    figures["share_before"] = share
    report.check(share > 0.2, "the node has its share of the packets", f"{share:.2f}")
    began = time.monotonic()
    command = node.host.start("drain", [executable("weir"), *node.options, "drain", "node", node.name, "--until", "never", "--reason",
                                        "lab", "--wait"])
    report.wait(lambda: all(NUMBERS[0] not in h for h in stage.all_hops()), 20, "routers leave the node", 0.02)
    figures["drain_to_shutdown_ms"] = round((time.monotonic() - began) * 1000)
    time.sleep(2)  # after so long less than 1 % of the packets come
    after = stage.rates(4)
    figures["left_ratio_2s"] = after[0] / before[0]
    report.check(figures["left_ratio_2s"] < 0.01, "less than 1 % of the node's packets still come to it", f"{figures['left_ratio_2s']:.4f}")
    wait_until(lambda: not command.alive(), 150, "weir drain --wait ends", 0.2)
    report.equal(command.popen.returncode, 0, "weir drain node --wait succeeds")
    report.equal(stage.known_from(NUMBERS[0]), 0, "and the router has no route from it any more: withdrawn")
    figures["drain_to_withdrawn_ms"] = round((time.monotonic() - began) * 1000)
    shown = effect(node, node.name)
    say(f"{command.log()}\n{json.dumps(shown)}")
    report.equal(shown["state"], "drained", "the node says that it is drained")
    report.equal(shown["graceful_shutdown_honoured"], "yes", "and that its router honours graceful shutdown")
    told = [line for line in command.log().splitlines() if line.startswith("neighbour ")]
    report.equal(told, [f"neighbour router1_{family} honours graceful shutdown: yes" for family in (4, 6)], "so does the command, by neighbour")
    report.wait(lambda: effect(stage.nodes[1], node.name).get("state") == "drained", 10, "which the other node knows", 0.5)


def show_guard(stage: Stage, report: Report) -> None:
    other = stage.nodes[1]
    status, text = weir(other, "drain", "node", other.name, "--until", "+1h", "--reason", "lab")
    report.check(status == 2 and "last-announcer" in text, "the last node that announces the VIP is not drained", text[:200])
    report.check(all(NUMBERS[1] in h for h in stage.all_hops()), "it stays")


def show_unconfirmed(stage: Stage, report: Report) -> None:
    """Drained all the same, the last node keeps the packets, and says that its drain does not end."""
    node = stage.nodes[1]
    status, text = weir(node, "drain", "node", node.name, "--until", "+1h", "--reason", "lab", "--override", "last-announcer")
    report.equal(status, 0, "the guard can be overridden")
    report.wait(lambda: "drain-unconfirmed" in reasons(node), 40, "a drain that nobody confirms is a condition", 0.5)
    report.check(all(h == {NUMBERS[1]} for h in stage.all_hops()), "and the router still sends to the node")
    report.equal(weir(node, "undrain", "node", node.name, "--wait")[0], 0, "undrained")
    report.wait(lambda: "drain-unconfirmed" not in reasons(node), 10, "the condition ends", 0.5)


def stays_drained(stage: Stage, report: Report, claim: str) -> None:
    end, seen = time.monotonic() + 8, False
    while time.monotonic() < end:
        seen |= any(NUMBERS[0] in h for h in stage.all_hops())
        time.sleep(0.1)  # the pace of looks
    report.check(not seen, f"{claim}: the router sends nothing to the node")
    report.wait(lambda: effect(stage.nodes[0], stage.nodes[0].name).get("state") == "drained", 20, f"{claim}: it says that it is drained", 0.5)


def show_restarts(stage: Stage, report: Report) -> None:
    node = stage.nodes[0]
    node.kill("announce", "mgmt")
    node.start("mgmt", "announce")
    stays_drained(stage, report, "after the death of weir-mgmt and weir-announce")
    if QUICK:
        return
    node.kill(*PROCESSES)
    shutil.rmtree(node.run_dir)
    os.makedirs(node.run_dir)
    for table in (177, 178):
        node.host.run(["ip", "route", "flush", "table", str(table)], check=False)
        node.host.run(["ip", "-6", "route", "flush", "table", str(table)], check=False)
    node.start(*PROCESSES)
    stays_drained(stage, report, "after a restart of the host")


def undrain(stage: Stage, report: Report, figures: dict[str, typing.Any]) -> None:
    node, began = stage.nodes[0], time.monotonic()
    status, text = weir(node, "undrain", "node", node.name, "--wait")
    say(text)
    report.equal(status, 0, "weir undrain node --wait succeeds")
    report.wait(lambda: all(h == set(NUMBERS) for h in stage.all_hops()), 20, "both nodes have the VIPs again", 0.02)
    figures["undrain_ms"] = round((time.monotonic() - began) * 1000)
    report.check(figures["undrain_ms"] < 15000, "without a hold-down", figures["undrain_ms"])
    rates = stage.rates(5)
    figures["share_after"] = rates[0] / sum(rates)
    figures["return_share_error"] = abs(figures["share_after"] - figures["share_before"])
    report.check(figures["return_share_error"] < 0.1, "its share is back within 10 points", f"{figures['return_share_error']:.3f}")


def show_quiet(stage: Stage, report: Report) -> None:
    """A node that announces, and to which a router sends nothing while the other one gets packets, says so."""
    quiet, busy = stage.nodes
    ways = [f"{'-6 ' if ':' in v else ''}route %s {v} via {'2001:db8::' if ':' in v else '192.0.2.'}{NUMBERS[1]} metric 1" for v in stage.vips]
    report.check("vip-without-packets" not in reasons(quiet), "with its share of the packets the node has nothing to say of them")
    stage.router.ip(*(way % "add" for way in ways))
    report.wait(lambda: "vip-without-packets" in reasons(quiet), 120, "a minute without a packet, while the other node gets some, is shown", 1)
    report.check("vip-without-packets" not in reasons(busy), "the other node has packets")
    stage.router.ip(*(way % "del" for way in ways))
    report.wait(lambda: "vip-without-packets" not in reasons(quiet), 60, "it ends with the first packets", 1)


def play(report: Report) -> dict[str, typing.Any]:
    """The world from beginning to end. Returns its figures."""
    figures: dict[str, typing.Any] = {"connections": DOWNLOADS}
    with Lab("drain-restarts") as lab:
        stage = Stage(lab)
        path = make_file(stage.world.files, "long", FILE_BYTES)
        stage.start()
        wait_until(lambda: all(h == set(NUMBERS) for h in stage.all_hops()), 90, "both nodes announce the VIPs", 0.2)
        say("both nodes announce the VIPs")
        for node in stage.nodes:
            node.wait_until_well()
        short = Crowd(f"{lab.dir}/short.requests", stage.world.start_client("short", 60, "--timeout-ms", 10000, targets=stage.vips), {})
        client = stage.world.start_client("long", DOWNLOADS / 4, "--path", "/files/long", "--timeout-ms", 240000, "--seconds", 5,
                                          targets=stage.vips)
        long = Crowd(f"{lab.dir}/long.requests", client, {})
        time.sleep(6)  # all downloads have begun
        report.step(drain, stage, report, figures)
        report.step(show_guard, stage, report)
        if not QUICK:
            report.step(show_unconfirmed, stage, report)
        report.step(show_restarts, stage, report)
        report.step(undrain, stage, report, figures)
        wait_until(lambda: not client.alive(), 240, "the last download ends", 0.5)
        if not QUICK:
            report.step(show_quiet, stage, report)
        if short.process:
            short.process.stop(20)
        figures["broken"] = len(failures(long))
        report.equal(failures(long)[:5], [], "no download fails")
        report.check(len(long.requests) >= DOWNLOADS, "downloads", len(long.requests))
        report.equal({(r.bytes, r.fnv) for r in long.requests}, {(FILE_BYTES, fnv1a(path))}, "each came whole")
        report.equal(failures(short)[:5], [], "no short request fails")
        report.check(len(short.requests) > 1000, "short requests", len(short.requests))
    return figures
