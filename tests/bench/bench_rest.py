#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir-mgmt at rest: the share of a core that one takes while nobody asks it and nothing changes, and how often it wakes up; alone, and with
nodes that share a store of one member of etcd on loopback, whose own share in the same time is beside it.

Usage: bench_rest.py [--nodes N ...] [--seconds S] [--threads] [--dns]

--nodes: how many there are in each run (1 3 12; 1: alone, with no store). --threads: print what each thread of the first node takes.
--dns: each node has its weir-dns. Writes build/bench/rest.json.

Processor time is the kernel's count in ns (schedstat), wake-ups are the voluntary context switches: both also hold on a busy machine.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from lab_fleet_times import BUILD, Fleet  # noqa: E402

TARGETS = {1: 0.5, 3: 0.5, 12: 0.7, 112: 1.0}  # percent of a core
SETTLE_S = 15  # what follows on the start takes so long


class Taken(typing.NamedTuple):
    """By a thread, or by all of a process."""
    ns: int
    wakes: int

    def __sub__(self, other: typing.Any) -> Taken:
        return Taken(self.ns - other.ns, self.wakes - other.wakes)


def read(path: str) -> str:
    with open(path) as f:
        return f.read()


def look(pid: int) -> dict[int, Taken]:
    """What each thread has taken so far; what ended before counts for nobody."""
    threads = {}
    for tid in sorted(int(t) for t in os.listdir(f"/proc/{pid}/task")):
        try:
            ns = int(read(f"/proc/{pid}/task/{tid}/schedstat").split()[0])
            found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", read(f"/proc/{pid}/task/{tid}/status"), re.MULTILINE)
        except OSError:
            continue  # it ended
        assert found
        threads[tid] = Taken(ns, int(found[1]))
    return threads


def total(before: dict[int, Taken], after: dict[int, Taken]) -> Taken:
    each = [taken - before.get(tid, Taken(0, 0)) for tid, taken in after.items()]
    return Taken(sum(t.ns for t in each), sum(t.wakes for t in each))


def print_threads(before: dict[int, Taken], after: dict[int, Taken], seconds: float) -> None:
    for i, (tid, taken) in enumerate(after.items()):
        one = taken - before.get(tid, Taken(0, 0))
        print(f"    thread {i:2} {one.wakes / seconds:8.1f} wakes/s {one.ns / 1e6 / seconds:8.3f} ms/s")


def measure(n: int, seconds: float, threads: bool, dns: bool) -> list[dict[str, typing.Any]]:
    fleet = Fleet(n, members=1 if n > 1 else 0, dns=dns)
    try:
        fleet.begin()
        time.sleep(SETTLE_S)  # what is measured begins after the start
        pids = {node.name: node.process.pid for node in fleet.nodes if node.process}
        if fleet.etcd:
            pids |= {"etcd": m.process.pid for m in fleet.etcd.members if m.process}
        before, began = {name: look(pid) for name, pid in pids.items()}, time.monotonic()
        time.sleep(seconds)  # rest is what is measured
        after, took = {name: look(pid) for name, pid in pids.items()}, time.monotonic() - began
    finally:
        for node in fleet.nodes:
            if node.process:
                node.process.kill()
                node.process.wait()
                node.process = None
        fleet.close()
    if threads:
        first = fleet.nodes[0].name
        print_threads(before[first], after[first], took)
    taken = {name: total(before[name], after[name]) for name in pids}
    etcd = taken.pop("etcd", None)
    shares = sorted(100 * t.ns / 1e9 / took for t in taken.values())
    wakes = sorted(t.wakes / took for t in taken.values())
    rows = [row(f"rest.{n}.share", "percent", shares, 100 * etcd.ns / 1e9 / took if etcd else None, TARGETS.get(n)),
            row(f"rest.{n}.wakes", "1/s", wakes, etcd.wakes / took if etcd else None, None),
            row(f"rest.{n}.threads", "", [float(len(after[name])) for name in taken], len(after["etcd"]) if etcd else None, None)]
    for r in rows:
        print_row(r)
    return rows


def row(name: str, unit: str, values: list[float], reference: float | None, target: float | None) -> dict[str, typing.Any]:
    return {"name": name, "unit": unit, "n": len(values), "min": values[0], "median": values[len(values) // 2], "max": values[-1],
            "reference": "etcd" if reference is not None else None, "reference_median": reference, "target": target,
            "met": None if target is None else values[-1] <= target}


def print_row(r: dict[str, typing.Any]) -> None:
    etcd = " " * 9 if r["reference_median"] is None else f"{r['reference_median']:9.2f}"
    bar = "" if r["target"] is None else f"<= {r['target']} {'met' if r['met'] else 'NOT met'}"
    print(f"{r['name']:18} {r['n']:4} {r['min']:9.2f} {r['median']:9.2f} {r['max']:9.2f} {etcd}  {r['unit']:8} {bar}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 3, 12])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--dns", action="store_true")
    args = parser.parse_args()
    print(f"{'name':18} {'n':>4} {'min':>9} {'median':>9} {'max':>9} {'etcd':>9}")
    rows = [r for n in args.nodes for r in measure(n, args.seconds, args.threads, args.dns)]
    path = os.path.join(BUILD, "bench", "rest.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
