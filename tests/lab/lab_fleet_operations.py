#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Operations of whole weir-mgmt and weir-dns that share a store, under schedules of faults: who owns them, and what becomes of them.

Usage: lab_fleet_operations.py [--schedules N] [--seconds N] [--nodes N]

As lab_fleet_faults.py, with its faults; clients drain sites, hold, resume, take and abort operations at any node, and take sites back. The
records of operations are read past Weir all the time. Adds to build/lab/fleet.json, each with operation_ before it but the first:

two_owners        epochs of an operation that had two owners
backwards         records that went back: to an epoch or sequence of before, or to a level against their direction
lost              acknowledged operations of which there is no record
refused_in_force  operations that were refused, and have begun
diverged          nodes that have another state of an operation after all is healed
stuck             operations that do not end, and sites that cannot be drained, after all is healed
"""
from __future__ import annotations

import base64
import collections
import contextlib
import functools
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import typing

import fleet_figures
from fleet_judge import PREFIX, Records, Told, Wrong
from lab_fleet_faults import BUILD, HEAL_S, Schedule

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Answer, Node, wait_for  # noqa: E402
from cluster3 import UNMEASURED, Server  # noqa: E402

DNS = os.path.join(BUILD, "dns", "weir-dns")
ZERO: dict[str, typing.Any] = {"epoch": 0, "seq": 0, "owner": "", "state": "starting", "way": "out", "level_ppm": 0}  # is left out of a record
KINDS = ("two_owners", "backwards", "lost", "refused_in_force", "diverged", "stuck")
NODE_FAULTS = ("cut", "requests lost", "answers lost", "writes spoilt", "all writes spoilt", "no write is answered", "node stopped", "disk full",
               "node killed", "node killed", "node wiped")
SITES = ("ams", "fra")  # that are drained
OVER = ("done", "aborted", "failed")
AT_REST = ("drained", "drained_unconfirmed", "empty")
READ_S = 0.1
END_S = 60


class OperationRecords(Records):
    """Of operations, too: each state that was seen, by its revision."""

    def __init__(self, of: Records) -> None:
        super().__init__(of.etcd)
        self.states: dict[str, dict[int, dict[str, typing.Any]]] = collections.defaultdict(dict)
        self.there: set[str] = set()

    def take(self, kvs: list[dict[str, typing.Any]]) -> None:
        super().take(kvs)
        self.there = set()
        for kv in kvs:
            kind, _, id = base64.b64decode(kv["key"]).decode().removeprefix(PREFIX).partition("/")
            if kind == "operation":
                self.there.add(id)
                self.states[id][int(kv["mod_revision"])] = ZERO | json.loads(base64.b64decode(kv["value"]))

    def follow(self, stop: threading.Event) -> None:
        while not stop.wait(READ_S):
            self.read()

    def history(self, id: str) -> list[dict[str, typing.Any]]:
        return [state for _, state in sorted(self.states[id].items())]


def judge_owners(records: OperationRecords) -> list[str]:
    owners: dict[tuple[str, int], set[str]] = collections.defaultdict(set)
    for id in records.states:
        for state in records.history(id):
            owners[id, state["epoch"]].add(state["owner"])
    return [f"{id} of epoch {epoch} had {names}" for (id, epoch), names in owners.items() if len(names) > 1]


def is_backwards(was: dict[str, typing.Any], now: dict[str, typing.Any]) -> bool:
    if (now["epoch"], now["seq"]) < (was["epoch"], was["seq"]):
        return True
    if now["way"] != was["way"] or now["epoch"] != was["epoch"]:  # a person's order, or another owner, which goes on from what nodes have
        return False
    return bool(now["level_ppm"] < was["level_ppm"] if now["way"] == "out" else now["level_ppm"] > was["level_ppm"])


def judge_order(records: OperationRecords) -> list[str]:
    return [f"{id}: {[a[f] for f in ZERO]}, then {[b[f] for f in ZERO]}" for id in records.states
            for a, b in zip(records.history(id), records.history(id)[1:]) if is_backwards(a, b)]


class Operating(Schedule):
    node_faults: typing.Sequence[str] = NODE_FAULTS

    def __init__(self, seed: int, n_nodes: int, seconds: int) -> None:
        super().__init__(seed, n_nodes, seconds)
        self.records: OperationRecords = OperationRecords(self.records)
        self.servers = [Server(DNS, node) for node in self.nodes]
        self.ids: list[str] = []

    def begin(self) -> None:
        super().begin()
        for server in self.servers:
            server.start()

    def close(self) -> None:
        for server in self.servers:
            server.stop()
        super().close()

    def begin_again(self, node: Node, r: random.Random, is_wiped: bool) -> None:
        """With its disk the whole machine is new."""
        server = self.servers[self.nodes.index(node)]
        if is_wiped:
            server.stop()
        super().begin_again(node, r, is_wiped)
        if is_wiped:
            server.start()

    # what clients do

    def order(self, what: str, node: Node, path: str, **more: typing.Any) -> Told:
        told = self.begin_request(what, node)

        def act() -> Answer:
            answer = node.ask("POST", path, {"reason": "x", "author": told.author, **more})
            told.line = (answer.json or {}).get("id", "") if answer.status < 400 else ""
            return answer
        return self.hear(told, act)

    def drain(self, node: Node, site: str, **how: typing.Any) -> Told:
        told = self.order("begin", node, "/v1/operations", do="drain", sites=[site], override_guards=UNMEASURED, **how)
        if told.status == 201:
            self.ids.append(told.line)
        return told

    def take_back(self, node: Node, site: str) -> Told:
        return self.order("undrain", node, "/v1/overrides", do="undrain", target={"site": site}, now=True)

    def client(self, r: random.Random) -> None:
        while not self.stop.is_set():
            node, site = r.choice(self.nodes), r.choice(SITES)
            what = r.choice(("begin", "begin", "hold", "resume", "resume", "take", "take", "abort", "undrain"))
            if what == "begin" or not self.ids:
                how: dict[str, typing.Any] = {"now": True} if r.random() < 0.3 else {"over": "10s"}
                self.drain(node, site, **how)
            elif what == "undrain":
                self.take_back(node, site)
            else:
                id = self.ids[-1] if r.random() < 0.7 else r.choice(self.ids)
                more = {} if what in ("hold", "abort") else {"override_guards": UNMEASURED}
                self.order(what, node, f"/v1/operations/{id}/{what}", **more)
            self.stop.wait(r.uniform(0.2, 3))

    # what is wrong

    def shown(self, node: Node, id: str) -> typing.Any:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = node.ask("GET", f"/v1/operations/{id}")
            return tuple(answer.json[f] for f in ("state", "epoch", "owner", "level_ppm")) if answer.status == 200 else (answer.status,)
        return (0,)

    def find_unequal(self, only_over: bool = False) -> list[str]:
        found = []
        for id in sorted(self.records.there):
            seen = {n.name: self.shown(n, id) for n in self.nodes}
            if len(set(seen.values())) > 1 or (only_over and any(s[0] not in OVER for s in seen.values())):
                found.append(f"{id}: {seen}")
        return found

    def levels(self) -> list[int]:
        return [max((o["level_ppm"] for o in n.ask("GET", "/v1/overrides").json["items"]), default=0) for n in self.nodes]

    def waits(self, why: str, probe: typing.Callable[[], typing.Any], seconds: float, say: typing.Callable[[], typing.Any]) -> list[str]:
        try:
            wait_for(why, probe, seconds)
            return []
        except AssertionError:
            return [f"not in {seconds} s: {why}: {say()}"]

    def is_taken_back(self, site: str) -> bool:
        return self.take_back(self.nodes[0], site).status in (200, 202, 409)

    def judge(self) -> Wrong:
        wrong: Wrong = {kind: [] for kind in KINDS}
        self.waits("all hear the store", lambda: all(n.ask("GET", "/v1/store").json["state"] == "ready" for n in self.nodes), HEAL_S, str)
        wait_for("records", self.records.read, 30)
        wrong["diverged"] += self.waits("all have the same of each", lambda: self.records.read() and not self.find_unequal(), HEAL_S, self.find_unequal)
        for site in SITES:
            wrong["stuck"] += self.waits(f"{site} is taken back", functools.partial(self.is_taken_back, site), 30,
                                         lambda: self.told[-1])
        wrong["stuck"] += self.waits("all are over", lambda: self.records.read() and not self.find_unequal(True), END_S, lambda: self.find_unequal(True))
        wrong["stuck"] += self.waits("no site is drained", lambda: not any(self.levels()), 20, self.levels)
        for node in self.nodes if not wrong["stuck"] else []:
            wrong["stuck"] += self.try_drain(node)
        wait_for("records", self.records.read, 30)
        wrong["two_owners"], wrong["backwards"] = judge_owners(self.records), judge_order(self.records)
        self.judge_told(wrong)
        return wrong

    def judge_told(self, wrong: Wrong) -> None:
        begun = {state["author"] for states in self.records.states.values() for state in list(states.values())}
        for t in (t for t in self.told if t.what == "begin"):
            if t.status == 201 and t.line not in self.records.states:
                wrong["lost"].append(str(t))
            if t.status >= 400 and not t.is_unknown() and t.author in begun:
                wrong["refused_in_force"].append(str(t))

    def try_drain(self, node: Node) -> list[str]:
        """While nothing disturbs it."""
        told = self.drain(node, "ams", now=True)
        if told.status != 201:
            return [f"{told}"]
        wrong = self.waits("it comes to rest", lambda: self.is_at_rest(node, told.line), END_S, lambda: self.record_of(node, told.line))
        self.take_back(node, "ams")
        return wrong + self.waits("it is over", lambda: self.shown(node, told.line)[0] in OVER, 30, lambda: self.shown(node, told.line))

    def is_at_rest(self, node: Node, id: str) -> bool:
        """A hold of before is ended as a person would do it."""
        state = self.shown(node, id)[0]
        if state == "held":
            self.order("resume", node, f"/v1/operations/{id}/resume", override_guards=UNMEASURED)
            time.sleep(1)  # a round of the engine
        return state in AT_REST

    @staticmethod
    def record_of(node: Node, id: str) -> typing.Any:
        answer = node.ask("GET", f"/v1/operations/{id}").json
        return {name: answer.get(name) for name in ("state", "hold", "waits", "owner", "epoch", "level_ppm")}

    def judge_restored(self) -> Wrong:
        return {kind: [] for kind in KINDS}


def main() -> int:
    n_schedules, seconds, n_nodes = (counted.read_number(option, usual) for option, usual in (("--schedules", 1), ("--seconds", 60), ("--nodes", 3)))
    seed = int(os.environ.get("WEIR_SEED", time.time_ns() % 1000000))
    signal.signal(signal.SIGTERM, counted.interrupt)
    counts: collections.Counter[str] = collections.Counter(dict.fromkeys(("answers", "unknown", "faults", "records", *KINDS), 0))
    failed = 0
    for i in range(n_schedules):
        schedule = Operating(seed + i, n_nodes, seconds)
        result, wrong = schedule.carry_out(KINDS)
        result["records"] = len(schedule.records.states)
        failed += bool(wrong)
        for key in counts:
            counts[key] += result[key] if isinstance(result[key], int) else len(result[key])
        print(f"seed {result['seed']}: {len(result['faults'])} faults, {result['answers']} answers, {result['records']} operations, {result['unknown']} outcomes "
              f"unknown: {json.dumps(wrong, indent=1) if wrong else 'nothing is wrong'}", flush=True)
        fleet_figures.add({"operation_schedules": i + 1, **{k if k == "two_owners" else f"operation_{k}": n for k, n in counts.items()}})
    print(json.dumps(counts))
    print(f"{n_schedules - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
