#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""How long nothing is forwarded while weir-dataplane is replaced under traffic: planned (the next process prepares itself
beside the one that forwards: weir restart dataplane), an upgrade (SIGTERM, and the next process as soon as it has ended)
and a death (SIGKILL, the same), with the XDP driver and with the DPDK driver on AF_PACKET. A router sends numbered packets
to a VIP at a steady rate; the longest time in which none comes back, and how many never do.

Both drivers go on with the tables of the process before: XDP's program forwards meanwhile, a DPDK worker ends with its
process. The reference is the longest pause in a second and a half without a restart: what the machine itself does to the stream.
With DPDK the row also has the parts of the time, from the lines of the log, and what DPDK's own start takes (eal).
Needs root. Usage: bench_restart.py [--trials N] [xdp|dpdk ...]
"""
from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import threading
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lab"))

import plan as planning  # noqa: E402
from bench_change import Tool  # noqa: E402
from net import BUILD, Lab, LabError, say, wait_until  # noqa: E402
from verdict import is_met, said  # noqa: E402
from world import World  # noqa: E402

TRIALS = 12
TARGETS_MS = {"restart.dpdk.planned": 150, "restart.dpdk.death": 312}
VIP = "198.18.0.1"  # where change-traffic sends to


class Timeline(threading.Thread):
    """When each line of a log was there, in ms; looked at each half a millisecond while a process is replaced."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.lines: list[tuple[float, str]] = []
        self.done = threading.Event()
        self.file = open(path, errors="replace")  # noqa: SIM115  # closed by end()
        self.file.seek(0, os.SEEK_END)
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.0005):
            line = self.file.readline()
            while line:
                self.lines.append((time.monotonic() * 1000, line))
                line = self.file.readline()

    def end(self) -> None:
        self.done.set()
        self.join()
        self.file.close()

    def at(self, event: str) -> float | None:
        """When the event was logged first."""
        return next((ms for ms, line in self.lines if re.match(rf"<\d>{event} ", line)), None)

    def parts(self) -> dict[str, float]:
        """What a DPDK process spent its time on, in ms."""
        steps = ("worker-stopped", "successor-begins", "port-attached")
        times = [self.at(step) for step in steps]
        found = {f"{a}..{b}": t - s for a, b, s, t in zip(steps, steps[1:], times, times[1:]) if s is not None and t is not None}
        for _, line in self.lines:
            eal = re.match(r"<\d>dpdk-started us=(\d+)", line)
            if eal:
                found["eal"] = int(eal[1]) / 1000
        if times[0] is not None and times[2] is not None:
            found["worker-stopped..port-attached"] = times[2] - times[0]
        return found


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

    def planned(self) -> None:
        self.node.succeed().popen.wait(20)
        wait_until(self.forwards, 30, "the successor forwards", 0.05)

    def upgrade(self) -> None:
        self.node.processes.pop("dataplane").stop(20)
        self.start()

    def die(self) -> None:
        self.node.kill("dataplane")
        self.start()

    def during(self, what: typing.Callable[..., typing.Any]) -> tuple[typing.Any, int, dict[str, float]]:
        """The longest pause of the stream, in ms, what it lost, and the parts of the time, while what() is done."""
        timeline = Timeline(os.path.join(self.node.host.lab.dir, f"{self.node.host.name}.weir-dataplane.log"))
        _, before, _, _ = self.stream.do("?")
        what()
        time.sleep(0.5)  # the last ones have come, or are late
        _, lost, unseen, pause_us = self.stream.do("?")
        timeline.end()
        if unseen:
            raise LabError(f"the kernel hid {unseen:.0f} packets: nothing can be said of losses")
        parts = timeline.parts() if self.driver == "dpdk" else {}
        if "worker-stopped..port-attached" in parts:
            parts["port-attached..first frame"] = pause_us / 1000 - parts.pop("worker-stopped..port-attached")
        return pause_us / 1000, int(lost - before), parts


def medians(parts: list[dict[str, float]]) -> dict[str, float]:
    names = {name: None for p in parts for name in p}  # in order
    return {name: round(statistics.median(p[name] for p in parts if name in p), 1) for name in names}


def row(driver: str, what: str, seen: list[typing.Any], quiet: list[typing.Any]) -> dict[str, typing.Any]:
    pauses, lost = ([s[i] for s in seen] for i in (0, 1))
    name, median = f"restart.{driver}.{what}", round(statistics.median(pauses), 1)
    target = TARGETS_MS.get(name)
    return {"name": name, "unit": "ms", "trials": len(seen), "min": round(min(pauses), 1),
            "median": median, "max": round(max(pauses), 1),
            "lost": {"min": min(lost), "median": statistics.median(lost), "max": max(lost)}, "lost_max": max(lost),
            "parts": medians([s[2] for s in seen]),
            "reference": "the longest pause without a restart",
            "reference_median": round(statistics.median(s[0] for s in quiet), 1),
            "target": target, "met": is_met(median, target)}


def measure(driver: str, trials: int) -> list[typing.Any]:
    with Lab(f"restart-{driver}") as lab:
        stage = Stage(lab, driver)
        seen: dict[typing.Any, typing.Any] = {"planned": [], "upgrade": [], "death": [], "quiet": []}
        for turn in range(trials):
            seen["planned"].append(stage.during(stage.planned))
            seen["upgrade"].append(stage.during(stage.upgrade))
            seen["death"].append(stage.during(stage.die))
            seen["quiet"].append(stage.during(lambda: time.sleep(1)))  # the undisturbed stream, measured for a second
            say(f"{driver} {turn + 1}/{trials}: " + ", ".join(f"{w} {s[-1][0]:.1f} ms, {s[-1][1]} lost"
                                                              for w, s in seen.items()))
        stage.stream.close()
    return [row(driver, what, seen[what], seen["quiet"]) for what in ("planned", "upgrade", "death")]


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--trials", type=int, default=TRIALS)
    options.add_argument("drivers", nargs="*", default=["xdp", "dpdk"])
    given = options.parse_args()
    rows = [r for driver in given.drivers for r in measure(driver, given.trials)]
    path = os.path.join(BUILD, "bench", "restart.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    print(f"{'longest pause, ms':24} {'min':>8} {'median':>8} {'max':>8} {'quiet':>8}  lost of 4 a ms: min, median, max")
    for r in rows:
        print(f"{r['name']:24} {r['min']:8.1f} {r['median']:8.1f} {r['max']:8.1f} {r['reference_median']:8.1f}  "
              + ", ".join(f"{r['lost'][k]:.0f}" for k in ("min", "median", "max"))
              + ("" if r["target"] is None else f"; target {r['target']}: {said(r['met'])}"))
        for part, ms in r["parts"].items():
            print(f"    {part:44} {ms:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
