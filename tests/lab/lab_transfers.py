# SPDX-License-Identifier: BSD-2-Clause
"""Backends added, removed, drained and reweighted, again and again, under 200 long TCP transfers with checksums and a
crowd of short requests; the dataplane killed and started again in between. None fails, all come whole, and
what was counted equals what the kernel counted.

Slots settle every few seconds here (settle_time 15 s, idle_time 6 s), so each transfer lives through several changes
of its slot's owner; many end on a backend that has not been in the configuration for long.
"""
from __future__ import annotations

import os
import random
import sys
import time
import typing

import plan as planning
from lab_forward import check_conservation
from net import Lab, say, wait_until
from report import Report
from servers import fnv1a, make_file
from watch import Crowd, now_ms
from world import World

if typing.TYPE_CHECKING:
    from world import Node, Site

TRANSFERS, FILE_BYTES, FILE_RATE = 200, 3_000_000, "50k"  # about a minute each
BACKENDS, AT_LEAST = 6, 2
CHURN_S, EVERY_S, CHANGES_LEAST = 55, 3, 12


class Churn:
    """The site's membership, changed by its operator at random, and what was done."""

    def __init__(self, world: World, node: Node, seed: int) -> None:
        self.world, self.node, self.random = world, node, random.Random(seed)
        self.all = list(world.plan.sites[0].backends)
        self.drained: set[typing.Any] = set()
        self.done: list[typing.Any] = []
        self.left: list[typing.Any] = []  # left: (when, backend)

    @property
    def members(self) -> list[planning.BackendPlan]:
        return self.world.plan.sites[0].backends

    def serving(self) -> list[typing.Any]:
        return [b for b in self.members if b.name not in self.drained]

    def apply(self, what: str) -> None:
        self.node.write_config()
        self.node.weir("apply", os.path.join(self.node.conf, "weir.conf"), "--reason", what)

    def remove(self) -> str:
        victim = self.random.choice([b for b in self.members if b.name not in self.drained])
        self.members.remove(victim)
        self.left.append((now_ms(), victim.name))
        self.apply(f"remove {victim.name}")
        return f"remove {victim.name}"

    def add(self) -> str:
        new = self.random.choice([b for b in self.all if b not in self.members])
        self.members.append(new)
        self.apply(f"add {new.name}")
        return f"add {new.name}"

    def reweight(self) -> str:
        backend = self.random.choice(self.members)
        backend.weight = self.random.choice([w for w in (50, 100, 150) if w != backend.weight])
        self.apply(f"reweight {backend.name}")
        return f"weight of {backend.name} {backend.weight}"

    def drain(self) -> str:
        victim = self.random.choice(self.serving())
        self.node.weir("drain", "backend", f"web-ams/{victim.name}", "--until", "+10m", "--reason", "churn")
        self.drained.add(victim.name)
        self.left.append((now_ms(), victim.name))
        return f"drain {victim.name}"

    def undrain(self) -> str:
        name = self.random.choice(sorted(self.drained))
        self.node.weir("undrain", "backend", f"web-ams/{name}")
        self.drained.remove(name)
        return f"undrain {name}"

    def kill_dataplane(self) -> str:
        self.node.kill("dataplane")
        time.sleep(1)  # the process is dead for this long
        self.node.start("dataplane")
        return "dataplane killed and started again"

    def step(self) -> None:
        """One change that leaves at least AT_LEAST backends serving."""
        choices = [self.reweight, self.reweight, self.kill_dataplane]
        if len(self.serving()) > AT_LEAST:
            choices += [self.remove, self.remove, self.drain]
        if len(self.members) < len(self.all):
            choices += [self.add, self.add]
        if self.drained & {b.name for b in self.members}:
            choices.append(self.undrain)
        what = self.random.choice(choices)()
        self.drained &= {b.name for b in self.members}
        self.done.append(what)
        say(what)


def failures(crowd: Crowd) -> list[typing.Any]:
    return [(r.result, r.target, r.backend, r.bytes) for r in crowd.read() if r.result != "ok"]


def start_transfers(world: World, site: Site) -> Crowd:
    """200 transfers and some, begun over eleven seconds."""
    client = world.start_client("long", TRANSFERS / 10, "--path", "/files/long", "--timeout-ms", 150000,
                                "--seconds", 11, targets=site.plan.vips)
    return Crowd(f"{world.lab.dir}/long.requests", client, {})


def exceptions_seen(node: Node) -> typing.Any:
    return sum(v for (name, _), v in node.stats("dataplane").items() if name == "weir_dataplane_exceptions")


def run(report: Report) -> None:
    seed = int(os.environ.get("LAB_SEED", "1"))
    with Lab("transfers") as lab:
        plan = planning.simple(1, BACKENDS, settle_time="15s", idle_time="6s", check=planning.PATIENT)
        world = World(lab, plan, resolvers=(), file_rate=FILE_RATE)
        path = make_file(world.files, "long", FILE_BYTES)
        site, node = world.sites[0], world.sites[0].node
        node.write_config()
        site.start_backends()
        site.withdraw_vips()
        node.start()
        site.wait_until_forwarding()
        site.announce_vips()
        node.wait_until_well()
        short = Crowd(f"{lab.dir}/short.requests",
                      world.start_client("short", 100, "--timeout-ms", 10000, targets=site.plan.vips), {})
        long = start_transfers(world, site)
        churn, most = Churn(world, node, seed), 0
        end = time.monotonic() + 10 + CHURN_S
        latest = end + CHURN_S  # a busy machine takes longer for as many
        time.sleep(2)  # transfers begin before the first change
        while (now := time.monotonic()) < end or len(churn.done) < CHANGES_LEAST and now < latest:
            churn.step()
            most = max(most, exceptions_seen(node))
            time.sleep(EVERY_S)  # the pace of changes
        wait_until(lambda: not long.process.alive(), 120, "the last transfer ends", 0.5)
        short.process.stop(20)
        report.check(len(churn.done) >= CHANGES_LEAST, "changes made", len(churn.done))
        report.equal(failures(long)[:5], [], "no transfer fails")
        report.check(len(long.requests) >= TRANSFERS, "transfers", len(long.requests))
        report.equal({(r.bytes, r.fnv) for r in long.requests}, {(FILE_BYTES, fnv1a(path))}, "each came whole")
        report.equal(failures(short)[:5], [], "no short request fails")
        report.check(len(short.requests) > 4000, "short requests", len(short.requests))
        gone = {r.id for r in long.requests for t, name in churn.left
                if name == r.backend and r.start_ms < t < r.end_ms - 15000}
        report.check(gone, "transfers that went on for 15 s and more on a backend removed or drained", len(gone))
        report.check(most > 0, "flows were remembered", most)
        node.kill("mgmt", "health", "dns")  # at rest: nothing comes while the counters are compared
        check_conservation(report, type("Stage", (), {"node": node}))


if __name__ == "__main__":
    sys.exit(Report.main(run))
