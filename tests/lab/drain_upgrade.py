# SPDX-License-Identifier: BSD-2-Clause
"""A DPDK node is upgraded as the handbook has it: drained, stopped, started, taken back. No datagram of a steady stream is lost.

Three nodes as in drain_world.py; the port of the second one is a device of DPDK's, which the kernel sees by a TAP alone: without its
process the node has no link, no session and no neighbour. The same stream runs with and without an upgrade, in turn, for the same
time. The longest gap is that of any flow, between two answers. Clients and servers, which would be other machines, have priority
for the CPU, and so have DPDK's workers, which would have cores of their own.
"""
from __future__ import annotations

import json
import os
import statistics
import time
import typing

from churn_world import make_plan
from drain_world import DrainWorld
from net import Lab, executable, say, wait_until

if typing.TYPE_CHECKING:
    import plan as planning
    from churn_world import Balancer
    from report import Report

PORT = 4431
RATE, FLOWS = 1100, 20   # datagrams a second, each flow one each 18 ms
LONGEST_S, LEAST_S = 240, 15
ORDER = ("announce", "mgmt", "health", "dataplane")  # in which processes stop
PRIORITY = 10


class UpgradeWorld(DrainWorld):
    def __init__(self, lab: Lab, plan: planning.Plan) -> None:
        plan.more_nodes[0].device = "net_af_packet0,iface=nic1"
        super().__init__(lab, plan)

    def prepare(self, balancer: Balancer) -> None:
        if balancer.node.plan.device:
            balancer.node.give_tap()

    def serve(self, name: str) -> None:
        super().serve(name)
        prefer(self.servers[name].pid)


def prefer(thread: int) -> None:
    """Let it have the CPU whenever it wants it, where the machine allows that."""
    try:
        os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        say("no priority for the stream's threads: gaps are those of a busy machine")


def prefer_workers(balancer: Balancer) -> None:
    tasks = f"/proc/{balancer.node.processes['dataplane'].pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/comm") as f:
            if "worker" in f.read():
                prefer(int(task))


class Probes:
    """A steady stream of numbered datagrams to the VIPs."""

    def __init__(self, world: DrainWorld) -> None:
        command = [executable("lab-probes"), str(PORT), str(RATE), str(FLOWS), str(LONGEST_S), *world.only_site.plan.vips]
        self.process, self.began = world.client.start("probes", command), time.monotonic()
        prefer(self.process.pid)

    def end(self) -> dict[str, float]:
        """The result, which is the last line of its log."""
        seconds = time.monotonic() - self.began
        self.process.stop(20)
        result: dict[str, float] = json.loads(self.process.log().splitlines()[-1])
        return {**result, "seconds": seconds}


def upgrade(world: DrainWorld, balancer: Balancer) -> None:
    node = balancer.node
    node.weir("drain", "node", node.name, "--until", "never", "--reason", "upgrade", "--wait", timeout=150)
    for name in ORDER:
        node.processes.pop(name).stop(20)
    for name in reversed(ORDER):
        node.start(name)
    wait_until(balancer.is_on, 60, f"{node.name} has its port", 0.1)
    prefer_workers(balancer)
    wait_until(lambda: os.path.exists(os.path.join(node.run_dir, "api.sock")), 30, f"{node.name} is managed", 0.1)
    node.weir("undrain", "node", node.name, "--wait", timeout=150)
    world.wait_used([b.name for b in world.balancers])


def play_upgrade(world: DrainWorld, balancer: Balancer) -> dict[str, float]:
    """The stream with an upgrade. Returns its result, with the seconds that the upgrade took."""
    probes = Probes(world)
    time.sleep(2)  # the stream before the upgrade
    began = time.monotonic()
    upgrade(world, balancer)
    took = time.monotonic() - began
    time.sleep(max(2.0, LEAST_S - took))  # the stream after it
    return {**probes.end(), "upgrade_s": took}


def play_alone(world: DrainWorld, seconds: float) -> dict[str, float]:
    probes = Probes(world)
    time.sleep(seconds)  # as long as the stream with an upgrade
    return probes.end()


def figures_of(upgraded: list[dict[str, float]], alone: list[dict[str, float]]) -> dict[str, typing.Any]:
    def median(results: list[dict[str, float]], key: str, unit: float = 1) -> float:
        return round(statistics.median(r[key] for r in results) / unit, 3)

    def total(results: list[dict[str, float]], key: str) -> float:
        return sum(r[key] for r in results)

    figures = {"rounds": len(upgraded), "sent": total(upgraded, "sent"), "lost": total(upgraded, "lost"),
               "sent_per_s": round(total(upgraded, "sent") / total(upgraded, "seconds")),
               "longest_gap_ms": median(upgraded, "longest_gap_us", 1000), "upgrade_s": median(upgraded, "upgrade_s")}
    if alone:
        figures |= {"lost_without": total(alone, "lost"), "longest_gap_without_ms": median(alone, "longest_gap_us", 1000)}
        figures["longest_gap_ratio"] = round(figures["longest_gap_ms"] / figures["longest_gap_without_ms"], 3)
    return figures


def play(report: Report, quick: bool) -> dict[str, typing.Any]:
    """The world from beginning to end. Returns its figures."""
    upgraded: list[dict[str, float]] = []
    alone: list[dict[str, float]] = []
    with Lab("drain-upgrade") as lab:
        plan = make_plan(False, False, "5s", udp={PORT: "keep"})
        plan.idle_time = plan.udp_idle = "3s"
        world = UpgradeWorld(lab, plan)
        world.start()
        world.wait_settled()
        balancer = world.balancers[1]
        prefer_workers(balancer)
        for _ in range(1 if quick else 7):
            upgraded.append(play_upgrade(world, balancer))
            say(f"with an upgrade: {json.dumps(upgraded[-1])}")
            if not quick:
                alone.append(play_alone(world, upgraded[-1]["seconds"]))
                say(f"without: {json.dumps(alone[-1])}")
    figures = figures_of(upgraded, alone)
    say(json.dumps(figures))
    report.equal(figures["lost"], 0, "upgrade: datagrams lost")
    report.check(figures["sent_per_s"] >= (900 if quick else 1000), "upgrade: datagrams a second", figures["sent_per_s"])
    if alone:
        report.check(figures["longest_gap_ratio"] <= 1.2, "upgrade: the longest gap, to that without an upgrade", figures["longest_gap_ratio"])
    return figures
