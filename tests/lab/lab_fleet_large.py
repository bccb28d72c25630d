#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""112 weir-mgmt at three sites that share a store of three real members of etcd, on this machine: what they cost at rest, and how fast a drain is
everywhere, with the store and without; and eight nodes on a machine with a load of 30.

Usage: lab_fleet_large.py [--nodes N] [--rounds N] [TEST ...]

--nodes: how many there are (112). --rounds: of drains with the store (50; a fifth of them without). Writes build/lab/fleet_large.json. Takes half an
hour of two processors; by hand only.
"""
from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import time
import typing
import unittest

from lab_fleet_times import BUILD, Fleet, processor_s

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Node, wait_for  # noqa: E402

NODES, ROUNDS = 112, 50
REST_S = 60
LOAD, BUSY_NODES = 30, 8
PATH = os.path.join(BUILD, "lab", "fleet_large.json")
HEARD = ("agreed", "behind", "ahead")
figures: dict[str, float | int | None] = {}


def told(key: str, value: float | None, bar: str = "") -> None:
    figures[key] = round(value, 3) if value is not None else None
    print(f"  {key:34} {'not measured' if value is None else f'{value:.3f}':>14}  {bar}", flush=True)


def peers_heard(node: Node) -> int:
    try:
        items = node.ask("GET", "/v1/peers").json["items"]
    except (OSError, TimeoutError):
        return -1
    return sum(p["state"] in HEARD for p in items)


class Large(unittest.TestCase):
    fleet: Fleet

    @classmethod
    def setUpClass(cls) -> None:
        cls.fleet = Fleet(NODES)
        cls.addClassCleanup(cls.fleet.close)
        cls.addClassCleanup(cls.kill_nodes)
        began = time.monotonic()
        cls.fleet.begin()
        told("started_s", time.monotonic() - began, "all nodes, one after the other, and the first version at all")

    @classmethod
    def kill_nodes(cls) -> None:
        """At once: 112 that end in order take their time."""
        for node in cls.fleet.nodes:
            if node.process:
                node.process.kill()
                node.process.wait()
                node.process = None

    def test_a_all_peers_are_heard(self) -> None:
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            wait_for("all are heard", lambda: min(pool.map(peers_heard, self.fleet.nodes)) == NODES - 1, 120)
        told("all_heard_s", time.monotonic() - began, "after the start")

    def test_b_what_rest_costs(self) -> None:
        assert self.fleet.etcd
        time.sleep(15)  # what follows on the start takes so long
        pids = {n.name: n.process.pid for n in self.fleet.nodes if n.process}
        members = {m.name: m.process.pid for m in self.fleet.etcd.members if m.process}
        before = {name: processor_s(pid) for name, pid in {**pids, **members}.items()}
        time.sleep(REST_S)  # rest is what is measured
        share = {name: 100 * (processor_s(pid) - before[name]) / REST_S for name, pid in {**pids, **members}.items()}
        told("idle_mgmt_percent", max(share[n] for n in pids), f"<= 2 of a core, the most of {NODES} nodes")
        told("idle_mgmt_mean_percent", sum(share[n] for n in pids) / len(pids))
        told("idle_etcd_percent", max(share[n] for n in members), "<= 3")

    def drained_everywhere_s(self, node: Node) -> float:
        """Until the effective document of each node has the drain."""
        began, answer = time.monotonic(), node.command("drain", {"site": "ams"}, until="never")
        for _ in range(20):  # the end of the last one has not come here yet: who looks at it may
            if answer.code != "overtaken":
                break
            time.sleep(1)  # the pace of the question
            began, answer = time.monotonic(), node.command("drain", {"site": "ams"}, until="never")
        assert answer.status in (200, 201, 202), answer.raw
        id, missing = answer.json["override"]["id"], list(self.fleet.nodes)

        def lacking() -> bool:
            missing[:] = [n for n in missing if id not in n.effective()]
            return not missing
        while not lacking():
            assert time.monotonic() < began + 60, f"{len(missing)} nodes have no drain"
            time.sleep(0.05)  # the pace of the question: a quicker one takes the nodes' time
        took = time.monotonic() - began
        assert node.command("undrain", {"site": "ams"}, now=True).status in (200, 202)
        time.sleep(3)  # its end spreads, too: the next drain is not to meet it
        return took

    def drain(self, key: str, rounds: int, bar_s: float) -> None:
        times = sorted(self.drained_everywhere_s(self.fleet.nodes[7 * i % NODES]) for i in range(rounds))
        told(f"{key}_median_s", times[len(times) // 2])
        told(f"{key}_longest_s", times[-1])
        told(f"{key}_in_time", sum(t <= bar_s for t in times) / len(times), f"of {rounds} within {bar_s} s")

    def test_c_a_drain_comes_to_all_nodes(self) -> None:
        self.drain("drain", ROUNDS, 2)

    def test_d_a_drain_comes_to_all_nodes_without_the_store(self) -> None:
        assert self.fleet.etcd
        for m in self.fleet.etcd.members:
            m.stop()
        time.sleep(5)  # until it is known
        self.drain("drain_without_store", max(ROUNDS // 5, 1), 3)


class Busy(unittest.TestCase):
    def test_all_peers_are_heard_on_a_busy_machine(self) -> None:
        fleet = Fleet(BUSY_NODES)
        self.addCleanup(fleet.close)
        fleet.begin()
        for node in fleet.nodes:
            node.stop()
        spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(LOAD)]
        try:
            for node in fleet.nodes:
                node.start()
            began = time.monotonic()
            heard: list[int] = []
            while time.monotonic() < began + 63:
                heard = [peers_heard(n) for n in fleet.nodes]
                if min(heard) == BUSY_NODES - 1:
                    break
                time.sleep(0.2)  # the pace of the question
            told("busy_all_heard_s", time.monotonic() - began if min(heard) == BUSY_NODES - 1 else None, f"<= 10, {LOAD} processes that only compute")
            told("busy_fewest_heard", min(heard), f"of {BUSY_NODES - 1}")
        finally:
            for p in spinning:
                p.kill()
                p.wait()


def save() -> None:
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    there: dict[str, typing.Any] = {}
    if os.path.exists(PATH):
        with open(PATH, encoding="utf-8") as f:
            there = json.load(f)
    with open(PATH, "w", encoding="utf-8") as f:
        json.dump({**there, "nodes": NODES, **figures}, f)


if __name__ == "__main__":
    ROUNDS, NODES = counted.read_rounds(ROUNDS), counted.read_number("--nodes", NODES)
    unittest.addModuleCleanup(save)
    counted.main()
