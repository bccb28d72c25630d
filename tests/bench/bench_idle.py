#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A DPDK worker at rest: the share of its core that it takes while nothing comes, and what its sleep costs the first
packet afterwards. A router sends echo requests to a VIP, which the worker answers itself, each after a rest; the same
over the same link with the XDP driver, which does not sleep, in turn. AF_PACKET, which has no receive interrupts.

Needs root. The targets: under 5 % of a core; less than 1 ms more than XDP's answer takes.
"""
from __future__ import annotations

import json
import os
import re
import statistics
import sys
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

from lab_dpdk import idle_shares  # noqa: E402
from lab_forward import Stage  # noqa: E402
from net import BUILD, Lab, say, wait_until  # noqa: E402

TURNS, REQUESTS, REST_S, SHARE_S = 5, 20, 0.25, 4
TARGET_SHARE, TARGET_US = 0.05, 1000


def answers(stage: Stage) -> list[typing.Any]:
    """Microseconds from each request to its answer."""
    text = stage.world.router.run(["ping", "-c", str(REQUESTS), "-i", str(REST_S), stage.site.plan.vip4])
    return [float(ms) * 1000 for ms in re.findall(r"time=([\d.]+) ms", text)]


def switch(stage: Stage, driver: str) -> None:
    stage.write(edit=lambda text: text.replace('driver = "auto"', f'driver = "{driver}"'))
    wait_until(lambda: stage.ready() and stage.status()["driver"] == driver, 20, f"driver {driver}", 0.1)


def measure(stage: Stage) -> list[typing.Any]:
    shares: list[typing.Any] = []
    took: dict[str, list[typing.Any]] = {"xdp": [], "dpdk": []}
    for turn in range(TURNS):
        for driver, times in took.items():
            switch(stage, driver)
            times += answers(stage)
        shares += idle_shares(stage, SHARE_S)
        say(f"turn {turn + 1}/{TURNS}")
    more = statistics.median(took["dpdk"]) - statistics.median(took["xdp"])
    first = row("idle.first_packet", "us", took["dpdk"], took["xdp"], TARGET_US, more < TARGET_US)
    return [first, row("idle.core", "share", shares, [], TARGET_SHARE, max(shares) < TARGET_SHARE)]


def row(name: str, unit: str, values: list[typing.Any], reference: list[typing.Any], target: float,
        met: typing.Any) -> dict[str, typing.Any]:
    return {"name": name, "unit": unit, "n": len(values), "min": min(values), "median": statistics.median(values),
            "max": max(values), "reference": "the XDP driver" if reference else None,
            "reference_median": statistics.median(reference) if reference else None,
            "reference_max": max(reference) if reference else None, "target": target, "met": met}


def main() -> int:
    with Lab("idle") as lab:
        stage = Stage(None, lab, "ipip")
        stage.write()
        stage.start()
        rows = measure(stage)
    path = os.path.join(BUILD, "bench", "idle.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    print(f"{'name':18} {'n':>4} {'min':>9} {'median':>9} {'max':>9} {'XDP':>9} {'max':>9}  target")
    for r in rows:
        xdp = [f"{r[key]:9.3f}" if r[key] is not None else " " * 9 for key in ("reference_median", "reference_max")]
        print(f"{r['name']:18} {r['n']:4} {r['min']:9.3f} {r['median']:9.3f} {r['max']:9.3f} {xdp[0]} {xdp[1]}  "
              f"< {r['target']} {r['unit']}{' more' if r['reference'] else ''} {'met' if r['met'] else 'NOT met'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
