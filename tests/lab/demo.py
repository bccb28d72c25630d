# SPDX-License-Identifier: BSD-2-Clause
"""Weir end to end on one machine: packets to backends, names to sites, and what happens when things break.

    ./run demo [--quick] [--seed N] [--break health|dns|drain|agent|hash-key]

What is claimed is taken from clients' logs, nginx's logs and captures, and reconciled with Weir's counters.
The results go to build/demo.json. Without --quick everything stays up at the end until a key is pressed.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import typing

import plan as planning
from demo_phases import PHASES, behind_ecs
from demo_stay import check_commands, stay
from demo_table import print_table
from net import BUILD, Lab, LabError, machine, say
from report import Report
from servers import fnv1a, make_file
from watch import WATCH, Crowd, Progress, now_ms
from world import World

NAME = os.environ.get("WEIR_DEMO", "demo")  # of its directory and its results, for one beside another
RATE = 260  # requests a second; each phase must see 200
FAILED = ("steady", "kill", "drain_backend", "drain_site", "site_cut", "return")  # the keys of `failed` in demo.json
BREAKS = ("health", "dns", "drain", "agent", "hash-key")


class PhaseFailed(Exception):
    """A phase's claims do not hold; nothing after it means anything."""


class Demo:
    """One run. Phases are functions of demo_phases.py that get this object."""

    def __init__(self, lab: Lab, plan: planning.Plan, options: argparse.Namespace) -> None:
        self.lab, self.plan, self.options = lab, plan, options
        self.world, self.report = World(lab, plan), Report()
        self.site_of = {v: s.name for s in plan.sites for v in s.vips}
        self.crowds: list[typing.Any] = []
        self.captures: dict[typing.Any, typing.Any] = {}
        self.crowd: Crowd | None = None
        self.killed: tuple[str, float] = ("", 0)  # a backend, and when
        measured = ("backend_out_ms", "site_out_ms", "client_out_ms", "site_drain_s")
        self.result: dict[str, typing.Any] = {"ok": False, "seed": plan.seed, "requests": 0, "failed": {}, **dict.fromkeys(measured), "steps": []}
        self.times: dict[typing.Any, typing.Any] = {}
        self.failed_requests: dict[typing.Any, typing.Any] = {}  # by phase: (start_ms, end_ms); how many failed

    def seconds(self, quick: float, full: float) -> float:
        return quick if self.options.quick else full

    def setup(self) -> None:
        """Everything up, until names resolve and the VIPs answer."""
        world = self.world
        say(f"{len(self.plan.sites)} sites, {sum(len(s.backends) for s in self.plan.sites)} backends, "
            f"{2 * planning.PREFIXES} client prefixes, {self.plan.name}")
        for k, node in enumerate(world.nodes):
            odd_key = "f" * 32 + "\n" if self.options.broken == "hash-key" and k == 0 else None
            node.write_config(hash_key=odd_key)
        self.long_fnv = fnv1a(make_file(world.files, "long", 4 << 20))
        world.start_backends()
        for site in world.sites:
            self.captures[site.name] = world.start_capture(site.node_port)
            site.withdraw_vips()
            site.node.start_supervised()
        world.start_resolvers()
        for site in world.sites:
            site.wait_until_forwarding()
            site.announce_vips()
        for site in world.sites:
            if self.options.broken != "hash-key":  # which status tells
                site.node.wait_until_well()
        self.sabotage("agent")

    def sabotage(self, part: str) -> None:
        """What --break asks for, at the point where it does harm."""
        if self.options.broken != part:
            return
        say(f"breaking on purpose: {part}")
        site = self.world.sites[0]
        if part == "agent":
            site.backends[0].detach_agent()
        elif part in ("health", "dns"):
            for node in self.world.nodes:
                node.stop_for_good(part)

    def start_crowd(self, name: str, *more: str | int, targets: typing.Sequence[str] = (), rate: int = RATE) -> typing.Any:
        process = self.world.start_client(name, rate, *more, targets=targets)
        self.crowds.append(Crowd(os.path.join(self.lab.dir, f"{name}.requests"), process, self.site_of))
        self.crowds[-1].dropped = lambda: sum(s.lost_on_link() + s.lost_on_way_back() for s in self.world.sites)
        return self.crowds[-1]

    @contextlib.contextmanager
    def phase(self, name: str, what: str, crowd: typing.Any = None) -> typing.Iterator[None]:
        """A stretch of time with its progress, its requests and its failures."""
        crowd = crowd or self.crowd
        crowd.forget_dropped()
        say(f"--- {name}: {what}")
        begin, failed_before = now_ms(), self.report.failed
        progress = Progress(crowd, name, behind_ecs)
        try:
            yield
        finally:
            progress.stop()
        end = now_ms()
        self.times[name] = (begin, end)
        crowd.wait_ended(end)
        requests = crowd.between(begin, end)
        self.count_failed(name, sum(r.result != "ok" for r in requests))
        rate = len(requests) * 1000 / (end - begin)
        self.report.check(rate >= 200, f"{name}: at least 200 requests a second", f"{rate:.0f}")
        if self.report.failed > failed_before:
            raise PhaseFailed(name)

    def count_failed(self, phase: str, n: typing.Any) -> None:
        """`failed` has the phases that change something; that all Weir processes die stands beside it."""
        if phase in FAILED:
            self.result["failed"][phase] = n
        else:
            self.result[f"failed_{phase}"] = n
        self.failed_requests[phase] = n

    def run(self) -> None:
        self.setup()
        self.crowd = self.start_crowd("crowd")
        for phase in PHASES:
            phase(self)
        check_commands(self)
        self.result["ok"] = self.report.failed == 0

    def finish(self) -> None:
        """Write the results down and show them."""
        if self.crowd:
            self.result["requests"] = sum(len(c.read()) for c in self.crowds)
        self.result["passed"], self.result["failed_checks"] = self.report.passed, self.report.failed
        with open(os.path.join(BUILD, f"{NAME}.json"), "w") as f:
            json.dump(self.result, f, indent=2)
            f.write("\n")
        print_table(self)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter, and ends by itself")
    parser.add_argument("--seed", type=int, default=None, help="draw names, addresses, weights and sites from N")
    parser.add_argument("--break", dest="broken", choices=BREAKS, help="sabotage a part: the demo must fail")
    return parser.parse_args()


def main() -> int:
    options = read_options()
    plan = planning.draw(options.seed) if options.seed is not None else planning.issue(0)
    begin = machine.look()
    with Lab(NAME) as lab:
        demo = Demo(lab, plan, options)
        try:
            demo.run()
        except PhaseFailed as phase:
            say(f"phase {phase} failed; stopped")
        except LabError as error:
            say(f"stopped: {error}")
            demo.report.failed += 1
        if demo.report.failed:
            say(f"meanwhile: {WATCH.since(begin) or 'nothing was wrong with the machine'}")
        demo.finish()
        if not options.quick and sys.stdin.isatty():
            stay(demo)
    print(f"{demo.report.passed} passed, {demo.report.failed} failed")
    return 0 if demo.result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
