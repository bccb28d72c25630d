#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long nothing is forwarded while weir-dataplane is replaced under traffic: an upgrade (SIGTERM, and the next process
as soon as it has ended) and a death (SIGKILL, the same), with the XDP driver and with the DPDK driver on AF_PACKET. A
router sends numbered packets to a VIP at a steady rate; the longest time in which none comes back, and how many never do.

Both drivers go on with the tables of the process before: XDP's program forwards meanwhile, a DPDK worker ends with its
process. The reference is the longest pause in a second and a half without a restart: what the machine itself does to the stream.
Needs root.
"""
from __future__ import annotations

import json
import os
import statistics
import sys
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

import plan as planning  # noqa: E402
from bench_change import Tool  # noqa: E402
from net import BUILD, Lab, LabError, say, wait_until  # noqa: E402
from world import World  # noqa: E402

TRIALS = 12
VIP = "198.18.0.1"  # where change-traffic sends to


class Stage:
    """A node whose dataplane alone runs, two backends, and the stream."""

    def __init__(self, lab: Lab, driver: str) -> None:
        plan = planning.simple(1, 2, api=False)
        site = plan.sites[0]
        site.mode, site.vip4, site.driver = "ipip", VIP, driver
        site.backends = [planning.backend_plan(site, k, six=False) for k in (1, 2)]
        world = World(lab, plan, resolvers=())
        self.driver, self.node = driver, world.sites[0].node
        self.node.write_config()
        self.node.write_effective()
        self.start()
        self.stream = Tool(world.router, "change-traffic", world.sites[0].node_port, self.node.host.mac("eth1"), "1")
        time.sleep(1)  # the stream reaches its rate

    def forwards(self) -> typing.Any:
        """The process has its ports and knows the way to each backend."""
        try:
            return self.node.ctl("dataplane", {"do": "status"})["ports"] and all(
                b["next_hop"] == "known" for b in self.node.ctl("dataplane", {"do": "backends"})["backends"])
        except (OSError, ValueError, KeyError):
            return False

    def start(self) -> None:
        self.node.start("dataplane")
        wait_until(self.forwards, 30, "the dataplane forwards", 0.05)

    def upgrade(self) -> None:
        self.node.processes.pop("dataplane").stop(20)
        self.start()

    def die(self) -> None:
        self.node.kill("dataplane")
        self.start()

    def during(self, what: typing.Callable[..., typing.Any]) -> tuple[typing.Any, int]:
        """The longest pause of the stream, in ms, and what it lost, while what() is done."""
        _, before, _, _ = self.stream.do("?")
        what()
        time.sleep(0.5)  # the last ones have come, or are late
        _, lost, unseen, pause_us = self.stream.do("?")
        if unseen:
            raise LabError(f"the kernel hid {unseen:.0f} packets: nothing can be said of losses")
        return pause_us / 1000, int(lost - before)


def row(driver: str, what: str, seen: list[typing.Any], quiet: list[typing.Any]) -> dict[str, typing.Any]:
    pauses, lost = ([s[i] for s in seen] for i in (0, 1))
    return {"name": f"restart.{driver}.{what}", "unit": "ms", "trials": len(seen), "min": round(min(pauses), 1),
            "median": round(statistics.median(pauses), 1), "max": round(max(pauses), 1),
            "lost": {"min": min(lost), "median": statistics.median(lost), "max": max(lost)},
            "reference": "the longest pause without a restart",
            "reference_median": round(statistics.median(p for p, _ in quiet), 1), "target": None, "met": None}


def measure(driver: str) -> list[typing.Any]:
    with Lab(f"restart-{driver}") as lab:
        stage = Stage(lab, driver)
        seen: dict[typing.Any, typing.Any] = {"upgrade": [], "death": [], "quiet": []}
        for turn in range(TRIALS):
            seen["upgrade"].append(stage.during(stage.upgrade))
            seen["death"].append(stage.during(stage.die))
            seen["quiet"].append(stage.during(lambda: time.sleep(1)))  # the undisturbed stream, measured for a second
            say(f"{driver} {turn + 1}/{TRIALS}: " + ", ".join(f"{w} {s[-1][0]:.1f} ms, {s[-1][1]} lost"
                                                              for w, s in seen.items()))
        stage.stream.close()
    return [row(driver, what, seen[what], seen["quiet"]) for what in ("upgrade", "death")]


def main() -> int:
    rows = [r for driver in ("xdp", "dpdk") for r in measure(driver)]
    path = os.path.join(BUILD, "bench", "restart.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    print(f"{'longest pause, ms':24} {'min':>8} {'median':>8} {'max':>8} {'quiet':>8}  lost of 4 a ms: min, median, max")
    for r in rows:
        print(f"{r['name']:24} {r['min']:8.1f} {r['median']:8.1f} {r['max']:8.1f} {r['reference_median']:8.1f}  "
              + ", ".join(f"{r['lost'][k]:.0f}" for k in ("min", "median", "max")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
