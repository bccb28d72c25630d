# SPDX-License-Identifier: BSD-2-Clause
"""Backends and load balancers change at the same moment, again and again, under 2,000 long connections.

A router spreads by ECMP over three balancers in front of eight backends. Connections carry checksummed data, a third
of them are silent for half a minute and more at a time; a stream of short ones comes beside; IPv4 and IPv6. From a
printed seed, backends are drained, undrained, removed, added, reweighted, killed and return; balancers leave and
enter the router's set, die and come back, have their dataplane killed, are upgraded.

    lab_churn.py [--quick] [--seed N] [--six] [--agents | --backends | --balancers]

Three worlds, into build/lab/churn.json: agents (everything changes; none may break but on a killed backend), plain
without agents when backends alone change (none), and when balancers change, too (measured), beside Maglev with a
table of connections a balancer, simulated on the same events.
"""
from __future__ import annotations

import argparse
import collections
import json
import os
import sys
import typing

import churn_maglev
from churn_events import LONGEST_START_MS, Size, check_balancers, check_paths, note_figures, run_events
from churn_world import ChurnWorld, make_plan
from net import Lab, say
from report import Report

if typing.TYPE_CHECKING:
    from churn_events import Churn, Run

TCP = 6


def judge(run: Run) -> tuple[dict[str, typing.Any], list[typing.Any]]:
    """The figures of a run, and what broke."""
    broken: list[typing.Any] = []
    killed: list[typing.Any] = []
    waited: list[typing.Any] = []
    for f in run.flows:
        if f.result != "ok":
            (killed if run.was_killed(f) else waited if run.waited_for_port(f) else broken).append(f)
    at_risk = [f for f in run.flows if run.at_risk(f)]
    maglev = churn_maglev.broken([(f.start, f.end, f.hash, f.key) for f in run.flows], run.churn.members,
                                 [(t, hop) for t, hops in run.churn.crashes for hop in hops], run.ways)
    return {"connections": len(run.flows), "broken": len(broken), "at_risk": len(at_risk),
            "also_balancer": sum(map(run.changed_balancer, at_risk)), "killed": len(killed),
            "stalls": sum(f.result == "stall" for f in broken), "waited_for_port": len(waited),
            "longest_start_ms": max((a.length() for a in run.churn.absences), default=0), **run.events(),
            "answers": sum(f.answers for f in run.flows), "maglev_broken": maglev}, broken


def play(name: str, options: argparse.Namespace, agents: bool, with_balancers: bool, size: Size,
         report: Report) -> dict[str, typing.Any]:
    """One world from beginning to end. Returns its figures."""
    seed = options.seed
    say(f"{name}: seed {seed}{', tunnels over IPv6' if agents and options.six else ''}")
    with Lab(f"churn-{name}") as lab:
        world = ChurnWorld(lab, make_plan(agents, options.six))
        world.start()
        check_paths(report, world)
        before = count_learned(lab)
        run = run_events(world, size, seed, with_balancers, TCP)
        check_balancers(report, world)
        if agents and not size.quick:
            plan_tells_what_waits(report, run.churn)
        figures, broken = judge(run)
        figures["seed"] = seed
        for f in broken[:12]:
            run.tell(f)
        if broken:
            say(f"taken out though they lived: {taken_out_alive(lab, run.churn.deaths)}")
        say(f"{name}: {json.dumps(figures)}")
        if agents:
            passed = sum(b.agent_status().get("passed-on", 0) for b in world.only_site.backends)
            report.check(passed > 100, "segments found their owner by second chance", passed)
            report.equal(count_learned(lab) - before, run.churn.boots, "balancers that booted learned from a fellow")
        return figures


def log_lines(lab: Lab) -> typing.Iterator[tuple[typing.Any, str]]:
    """(node, line) of all dataplanes' logs."""
    for name in sorted(os.listdir(lab.dir)):
        if name.endswith(".weir-dataplane.log"):
            with open(os.path.join(lab.dir, name)) as f:
                for line in f:
                    yield name.split(".")[0], line


def count_learned(lab: Lab) -> int:
    """How often a balancer was told by a fellow who has which slots."""
    return sum("connection-state-applied from=ams-" in line for _, line in log_lines(lab))


def taken_out_alive(lab: Lab, deaths: list[typing.Any]) -> dict[typing.Any, typing.Any]:
    """Backends that a node took out more often than they died: checks that failed on a busy machine. {(node, backend): times}"""
    died = collections.Counter(name for _, name in deaths)
    out = collections.Counter((node, line.split("backend=")[1].split()[0]) for node, line in log_lines(lab)
                              if "backend-out" in line and 'reason="down"' in line)
    return {key: n - died[key[1]] for key, n in out.items() if n > died[key[1]]}


def plan_tells_what_waits(report: Report, churn: Churn) -> None:
    """After so many changes there are slots with three earlier owners, and plan says how many do not move."""
    churn.configured[0].weight += 1
    churn.node.write_config()
    path = os.path.join(churn.node.conf, "weir.conf")
    body = churn.node.weir_json("plan", path)
    full = body["plan"]["pools"][0]["full_slots"]
    report.check(full > 0, "slots whose list is full", full)
    report.check(f"{full} slots wait" in churn.node.weir("plan", path), "plan says that they wait")


def check_size(report: Report, name: str, f: typing.Any, quick: bool) -> None:
    if quick:
        report.check(f["at_risk"] > 20, f"{name}: connections whose slot moved", f["at_risk"])
        return
    report.check(f["at_risk"] > 500, f"{name}: connections at risk", f["at_risk"])
    report.check(f["events"] >= 60, f"{name}: changes", f["events"])
    report.check(f["overlapping"] >= 20, f"{name}: changes within two seconds of the one before", f["overlapping"])


def main_run(options: argparse.Namespace) -> typing.Callable[..., None]:
    def run(report: Report) -> None:
        size, result = Size(options.quick), {}
        worlds = {"agents": (True, True), "backends": (False, False), "balancers": (False, True)}
        chosen = [w for w in worlds if getattr(options, w)] or (["agents"] if options.quick else list(worlds))
        for name in chosen:
            agents, with_balancers = worlds[name]
            f = result[name] = play(name, options, agents, with_balancers, size, report)
            check_size(report, name, f, options.quick)
            if with_balancers:
                report.check(f["of_balancers"] >= (2 if options.quick else 15), f"{name}: changes of balancers",
                             f["of_balancers"])
            report.check(f["longest_start_ms"] < LONGEST_START_MS, f"{name}: each DPDK process has its port again",
                         f"{f['longest_start_ms']} ms at most, {f['waited_for_port']} flows stalled meanwhile")
            if name != "balancers":
                report.equal(f["broken"], 0, f"{name}: connections broken, but on killed backends")
        write(result)
    return run


def write(result: dict[str, typing.Any]) -> None:
    """The figures of the worlds that were simulated."""
    def change(known: typing.Any) -> None:
        plain = known.setdefault("plain", {})
        if "agents" in result:
            known["agents"] = result["agents"]
        for name, place in (("backends", "backends_only"), ("balancers", "with_balancers")):
            if name in result:
                plain[place] = result[name]
        source = result.get("balancers") or result.get("agents")
        if source:
            known["maglev_table"] = {"connections": source["connections"], "broken": source["maglev_broken"],
                                     "seed": source["seed"], "events": source["events"], "seconds": source["seconds"]}
    note_figures(change)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a short form of the first world")
    parser.add_argument("--seed", type=int, default=int(os.environ.get("LAB_SEED", "1")))
    parser.add_argument("--six", action="store_true", help="tunnels to agents over IPv6")
    for name in ("agents", "backends", "balancers"):
        parser.add_argument(f"--{name}", action="store_true", help="play this world alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(Report.main(main_run(read_options())))
