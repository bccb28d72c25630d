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
from net import Lab, Process, call, executable, say, wait_until

if typing.TYPE_CHECKING:
    import plan as planning
    from churn_world import Balancer
    from report import Report

PORT = 4431
RATE, FLOWS = 1000, 20   # datagrams a second, each flow one each 20 ms
LONGEST_S, LEAST_S = 240, 15
ORDER = ("announce", "mgmt", "health", "dataplane")  # in which processes stop
PRIORITY = ["chrt", "-f", "10"]


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


def prefer(pid: int) -> None:
    """Let a thread have the CPU whenever it wants it."""
    call(["chrt", "-f", "-p", "10", str(pid)])


def prefer_workers(balancer: Balancer) -> None:
    tasks = f"/proc/{balancer.node.processes['dataplane'].pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/comm") as f:
            if "worker" in f.read():
                prefer(int(task))


def begin_probes(world: DrainWorld) -> Process:
    command = [*PRIORITY, executable("lab-probes"), str(PORT), str(RATE), str(FLOWS), str(LONGEST_S), *world.only_site.plan.vips]
    return world.client.start("probes", command)


def end_probes(probes: Process) -> dict[str, int]:
    """Its result; the last line of its log."""
    probes.stop(20)
    result: dict[str, int] = json.loads(probes.log().splitlines()[-1])
    return result


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


def play_round(world: DrainWorld, balancer: Balancer) -> tuple[dict[str, int], dict[str, int], float]:
    """The stream with an upgrade and without one: both results, and the seconds that the upgrade took."""
    probes, began = begin_probes(world), time.monotonic()
    time.sleep(2)  # the stream before the upgrade
    upgrade(world, balancer)
    took = time.monotonic() - began - 2
    time.sleep(max(2.0, LEAST_S - took))  # the stream after it
    seconds = time.monotonic() - began
    with_upgrade = end_probes(probes)
    probes = begin_probes(world)
    time.sleep(seconds)  # the same time
    without = end_probes(probes)
    say(f"upgraded in {took:.1f} s: {json.dumps(with_upgrade)}; without an upgrade: {json.dumps(without)}")
    return with_upgrade, without, took


def play(report: Report, quick: bool) -> dict[str, typing.Any]:
    """The world from beginning to end. Returns its figures."""
    with Lab("drain-upgrade") as lab:
        plan = make_plan(False, False, "5s", udp={PORT: "keep"})
        plan.idle_time = plan.udp_idle = "3s"
        world = UpgradeWorld(lab, plan)
        world.start()
        world.wait_settled()
        prefer_workers(world.balancers[1])
        rounds = [play_round(world, world.balancers[1]) for _ in range(1 if quick else 5)]
    gap = statistics.median(r[0]["longest_gap_us"] for r in rounds) / 1000
    gap_without = statistics.median(r[1]["longest_gap_us"] for r in rounds) / 1000
    figures = {"rounds": len(rounds), "sent": sum(r[0]["sent"] for r in rounds), "lost": sum(r[0]["lost"] for r in rounds),
               "lost_without": sum(r[1]["lost"] for r in rounds), "longest_gap_ms": gap, "longest_gap_without_ms": gap_without,
               "longest_gap_ratio": gap / gap_without, "upgrade_s": statistics.median(r[2] for r in rounds)}
    say(json.dumps(figures))
    report.equal(figures["lost"], 0, "upgrade: datagrams lost")
    report.check(figures["sent"] > 0.9 * RATE * LEAST_S * len(rounds), "upgrade: datagrams sent", figures["sent"])
    if not quick:
        report.check(figures["longest_gap_ratio"] <= 1.2, "upgrade: the longest gap, to that without an upgrade", figures["longest_gap_ratio"])
    return figures
