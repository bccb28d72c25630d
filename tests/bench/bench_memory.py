#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bytes a service, a backend, a slot, a flow: taken from a running weir-dataplane with the XDP driver, by starting it with twice as much
of one thing and subtracting. `mapped` is what the kernel says that it maps of the tables (the limits decide), `resident` all the memory
that it uses (the document decides). Flows: packets of many flows are sent, and what they leave in the tables is counted. Needs root.

The reference of a `mapped` row is the whole of the tables, of a `resident` row the whole process, both in the larger of the two runs.
"""
from __future__ import annotations

import json
import os
import re
import sys
import time
import typing

import bench_change as change
from net import BUILD, Lab, say
from world import Node

LIMITS = {"services": 4096, "backends": 16384, "slots": 1 << 23, "exceptions": 1 << 18}
FLOWS_S = 8


def mapped(pid: int) -> typing.Any:
    """Bytes of BPF maps in its address space."""
    with open(f"/proc/{pid}/maps") as f:
        lines = [line.split() for line in f if "bpf-map" in line]
    return sum(int(end, 16) - int(start, 16) for start, end in (line[0].split("-") for line in lines))


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) * 1024


class Run(change.Bench):
    """A process with limits and a document of `pools` pools with `backends` backends each."""

    def __init__(self, lab: Lab, limits: dict[str, int], pools: int, backends: int) -> None:
        super().__init__(lab, f"run{len(lab.hosts)}", {"pools": pools, "backends": backends, "max": 16})
        text = "limits = {{ {} }};".format(" ".join(f"{k} = {v};" for k, v in limits.items()))
        for which in ("small", "whole"):
            path = os.path.join(self.conf, f"{which}.conf")
            with open(path) as f:
                document = re.sub(r"limits = \{.*\};", text, f.read())
            with open(path, "w") as f:
                f.write(document)
        self.start()
        self.load()

    def numbers(self) -> dict[str, typing.Any]:
        return {"mapped": mapped(self.process.pid), "resident": resident(self.process.pid)}

    def exceptions(self) -> int:
        """Flows that are remembered, as the tables say themselves."""
        node = Node.__new__(Node)
        node.run_dir = self.run_dir
        time.sleep(1.2)  # the page is written each second
        return next(v for (name, _), v in node.stats("dataplane").items() if name == "weir_dataplane_exceptions")


def measured(lab: Lab, limits: typing.Any, pools: int = 10, backends: int = 10) -> dict[str, typing.Any]:
    run = Run(lab, {**LIMITS, **limits}, pools, backends)
    numbers = run.numbers()
    run.close()
    return numbers


def growth(lab: Lab, what: str, one: tuple[typing.Any, ...], two: tuple[typing.Any, ...], by: int) -> dict[str, typing.Any]:
    """Bytes for each of `by` more: the two runs' arguments, smaller first."""
    small, large = measured(lab, *one), measured(lab, *two)
    kind = "mapped" if one[0] != two[0] else "resident"
    return entry(f"memory.{what}.{kind}", (large[kind] - small[kind]) / by, large[kind])


def entry(name: str, value: typing.Any, reference: typing.Any = None, target: int | None = None) -> dict[typing.Any,
          typing.Any]:
    value = round(value, 1)
    say(f"{name}: {value:g} bytes")
    return {"name": name, "unit": "bytes", "min": value, "median": value, "reference": reference,
            "reference_median": reference, "target": target, "met": None if target is None else value <= target}


def flows(lab: Lab) -> list[typing.Any]:
    """What flows leave behind: before any change, and in its middle."""
    run = Run(lab, LIMITS, 10, 10)
    before, memory = run.exceptions(), run.numbers()
    sent = run.stream.do("sent?")[0]
    time.sleep(FLOWS_S)  # flows are made for this long
    sent = run.stream.do("sent?")[0] - sent
    left, grown = run.exceptions() - before, run.numbers()["mapped"] - memory["mapped"]
    say(f"{sent:.0f} flows in the steady state left {left:.0f} entries")
    rows = [entry("memory.flow.steady", (left * 8 + grown) / sent, target=0)]
    run.close()
    return rows


def main() -> int:
    more = {"services": 2 * LIMITS["services"]}, {"backends": LIMITS["backends"] + 8192}, {"exceptions": 2 * LIMITS["exceptions"]}
    with Lab("memory") as lab:
        rows = [
            growth(lab, "service", ({},), (more[0],), LIMITS["services"]),
            growth(lab, "backend", ({},), (more[1],), 8192),
            growth(lab, "slot", ({"slots": LIMITS["slots"] // 2},), ({},), LIMITS["slots"] // 2),
            growth(lab, "service_with_pool", ({}, 10, 1), ({}, 510, 1), 500),
            growth(lab, "backend", ({}, 200, 5), ({}, 200, 10), 1000),
            *flows(lab),
            growth(lab, "flow.at_risk", ({},), (more[2],), LIMITS["exceptions"]),
        ]
    rows[-1].update(target=16, met=rows[-1]["median"] <= 16)
    path = os.path.join(BUILD, "bench", "memory.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    print(f"{'name':32} {'bytes':>10} {'of all':>14}  target")
    for r in rows:
        target = "" if r["target"] is None else f"<= {r['target']} {'met' if r['met'] else 'NOT met'}"
        print(f"{r['name']:32} {r['median']:10.1f} {r['reference'] or '':>14}  {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
