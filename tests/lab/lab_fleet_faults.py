#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole weir-mgmt that share a store, under schedules of faults: what a client was told is compared with what is there.

Usage: lab_fleet_faults.py [--schedules N] [--seconds N] [--nodes N]

In each schedule clients apply, confirm and roll back at any node, while members of etcd are killed, stopped and compacted, and
nodes are killed, stopped, cut off (in one direction, too), filled up and wiped. Prints each schedule's seed; WEIR_SEED repeats
one. Writes build/lab/fleet_faults.json:

lost              acknowledged versions and confirmations that are not there
refused_in_force  versions of requests that were refused, and are there
forks             two versions under one number, in force at nodes at any time
unequal           nodes that have another version in force after all is healed
"""
from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import typing

from etcd_cluster import Cluster as Etcd
from etcd_cluster import Member, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Answer, Node, free_port  # noqa: E402
from cluster3 import config, node_names  # noqa: E402
from shared_store import ID  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
PROGRAM = os.path.join(BUILD, "mgmt", "api", "weir-mgmt")
FULL_K = 24 * 1024  # of the disk that is filled
HEAL_S = 45


class Ways:
    """What lies between nodes and members: a way for each pair, which can be cut. It runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.cut: dict[int, str] = {}  # by node: "both", or "answers", which are lost
        self.open: dict[int, set[asyncio.StreamWriter]] = collections.defaultdict(set)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def add(self, node: int, member: Member) -> str:
        """@return the address of a way"""
        port = free_port()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open[node].add(writer)
            with contextlib.suppress(OSError):
                reader2, writer2 = await asyncio.open_connection("127.0.0.1", member.client)
                self.open[node].add(writer2)
                await asyncio.gather(self.pass_on(node, reader, writer2, ("both",)), self.pass_on(node, reader2, writer, ("both", "answers")))
                self.open[node].discard(writer2)
            writer.close()
            self.open[node].discard(writer)
        asyncio.run_coroutine_threadsafe(asyncio.start_server(accept, "127.0.0.1", port), self.loop).result()
        return f"http://127.0.0.1:{port}"

    async def pass_on(self, node: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallowed: tuple[str, ...]) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.cut.get(node) not in swallowed:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    def set(self, node: int, how: str) -> None:
        """@how: "" opens it again; what was under way is broken off, for bytes of it are missing."""
        self.cut[node] = how
        if not how:
            self.loop.call_soon_threadsafe(self.break_off, node)

    def break_off(self, node: int) -> None:
        for writer in list(self.open[node]):
            writer.close()

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@dataclasses.dataclass
class Told:
    """What a client asked, and what it was told."""
    what: str
    node: str
    digest: str  # of the files, where it is an apply
    status: int  # 0: no answer
    code: str
    number: int


class Schedule:
    def __init__(self, seed: int, n_nodes: int, seconds: int) -> None:
        self.seed, self.random, self.seconds = seed, random.Random(seed), seconds
        self.told: list[Told] = []
        self.seen: dict[int, set[str]] = collections.defaultdict(set)
        self.faults: list[str] = []
        self.stop, self.n = threading.Event(), 0
        self.lock = threading.Lock()
        self.etcd, self.ways = Etcd(3), Ways()
        self.away: set[str] = set()
        text = config([f"https://127.0.0.1:{free_port()}" for _ in range(n_nodes)])
        self.nodes = [Node(PROGRAM, name, text) for name in node_names(n_nodes)]

    def begin(self) -> None:
        self.etcd.start()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_K}k", "tmpfs", self.nodes[-1].state], check=True)
        for i, node in enumerate(self.nodes):
            node.write("store.conf", json.dumps({"id": ID, "endpoints": [self.ways.add(i, m) for m in self.etcd.members]}))
            os.chmod(os.path.join(node.conf, "store.conf"), 0o644)
            node.start()
        first = self.nodes[0].apply(self.files())
        assert first.status == 201, first.raw
        wait_for("all have the first version", lambda: {self.head(n) for n in self.nodes} == {(1, first.json["version"]["digest"])})

    def close(self) -> None:
        for node in self.nodes:
            if node.process:
                node.process.send_signal(signal.SIGCONT)
                node.stop(signal.SIGKILL)
        subprocess.run(["umount", "-l", self.nodes[-1].state], check=False)
        for node in self.nodes:
            node.close()
        self.ways.close()
        self.etcd.close()

    def files(self) -> dict[str, typing.Any]:
        with self.lock:
            self.n += 1
            return self.nodes[0].files("# three sites", f"# change {self.n} of {self.seed}")

    @staticmethod
    def head(node: Node) -> tuple[int, str]:
        answer = node.ask("GET", "/v1/config")
        return (answer.json["number"], answer.json["digest"]) if answer.status == 200 else (0, "")

    # what clients do

    def ask(self, what: str, node: Node, words: str, act: typing.Callable[[], Answer]) -> Told:
        try:
            answer = act()
            v = (answer.json or {}).get("version") or {}
            told = Told(what, node.name, words, answer.status, answer.code or "", v.get("number", 0))
        except (OSError, ValueError, http.client.HTTPException):
            told = Told(what, node.name, words, 0, "", 0)
        self.told.append(told)
        return told

    def client(self, r: random.Random) -> None:
        while not self.stop.is_set():
            node, what = r.choice(self.nodes), r.choice(("apply", "apply", "apply", "confirm", "back"))
            if what == "apply":
                files = self.files()
                within = r.choice(("none", "none", "1s", "3s"))
                pending = r.choice(("confirm", "refuse") if within == "none" else ("confirm", "join", "refuse"))
                self.ask(what, node, files["weir.conf"].split("\n", 1)[0], lambda: node.apply(files, pending=pending, confirm_within=within))
            elif what == "confirm":
                number = max((t.number for t in self.told if t.what == "apply" and t.status == 201), default=0)
                told = self.ask(what, node, "", lambda: node.ask("POST", f"/v1/versions/{number}/confirm", {"reason": "x"}))
                told.number = number
            else:
                number = r.choice([t.number for t in self.told if t.status == 201] or [1])
                self.ask(what, node, "", lambda: node.ask("POST", f"/v1/versions/{number}/rollback", {"reason": "x", "confirm_within": "none"},
                                                          {"If-Match": "*"}))
            self.stop.wait(r.uniform(0, 0.3))

    def sample(self) -> None:
        while not self.stop.is_set():
            for node in self.nodes:
                with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                    number, digest = self.head(node) if node.name not in self.away else (0, "")
                    if number:
                        self.seen[number].add(digest)
            self.stop.wait(0.1)

    # faults

    def restart(self, member: Member) -> None:
        member.start("--initial-cluster-state", "existing")

    @contextlib.contextmanager
    def node_away(self, node: Node) -> typing.Iterator[None]:
        self.away.add(node.name)
        try:
            yield
        finally:
            self.away.discard(node.name)

    def fault(self, what: str) -> None:
        r = self.random
        member = self.etcd.leader() if r.random() < 0.5 else r.choice(self.etcd.members)
        i = r.randrange(len(self.nodes))
        node, long = self.nodes[i], r.uniform(1, 13)  # a write is given up after 8
        if what == "member killed":
            member.stop()
            self.stop.wait(long)
            self.restart(member)
        elif what == "member stopped":
            member.kill(signal.SIGSTOP)
            self.stop.wait(long)
            member.kill(signal.SIGCONT)
        elif what == "majority stopped":
            two = r.sample(self.etcd.members, 2)
            for m in two:
                m.kill(signal.SIGSTOP)
            self.stop.wait(long)
            for m in two:
                m.kill(signal.SIGCONT)
        elif what == "compaction":
            status = wait_for("status", lambda: member.ask("/v3/maintenance/status", {})[1].get("header"), 20)
            member.ask("/v3/kv/compaction", {"revision": status["revision"]})
        elif what in ("cut", "answers lost"):
            self.ways.set(i, "both" if what == "cut" else "answers")
            self.stop.wait(long if what == "cut" else r.uniform(6, 14))
            self.ways.set(i, "")
        elif what == "node stopped":
            assert node.process
            node.process.send_signal(signal.SIGSTOP)
            self.stop.wait(long)
            node.process.send_signal(signal.SIGCONT)
        elif what == "disk full":
            self.fill(self.nodes[-1], long)
        else:
            with self.node_away(node):
                node.stop(signal.SIGKILL)
                if what == "node wiped" and node is not self.nodes[-1]:
                    shutil.rmtree(node.state)
                    os.mkdir(node.state)
                self.stop.wait(r.uniform(0, 2))
                node.start()

    def fill(self, node: Node, seconds: float) -> None:
        path = os.path.join(node.state, "filler")
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as f:
            while True:
                f.write(b"x" * 4096)
        self.stop.wait(seconds)
        os.unlink(path)

    def run(self) -> dict[str, typing.Any]:
        whats = ["member killed", "member stopped", "majority stopped", "compaction", "cut", "answers lost", "node stopped", "disk full",
                 "node killed", "node wiped"]
        threads = [threading.Thread(target=self.client, args=(random.Random(self.seed + i),)) for i in range(3)]
        threads.append(threading.Thread(target=self.sample))
        for t in threads:
            t.start()
        end = time.monotonic() + self.seconds
        try:
            while time.monotonic() < end or len(self.faults) < 5:
                self.faults.append(self.random.choice(whats))
                self.fault(self.faults[-1])
                self.stop.wait(self.random.uniform(0, 1.5))
        finally:
            self.stop.set()
            for t in threads:
                t.join()
        return self.judge()

    def settle(self) -> tuple[int, str] | None:
        now = {self.head(n) for n in self.nodes}
        state = [n.ask("GET", "/v1/store").json for n in self.nodes]
        is_still = all(s["state"] == "ready" and s["goes_back_to"] is None and s["here"] == s["in_force"] for s in state)
        return next(iter(now)) if len(now) == 1 and is_still else None

    def judge(self) -> dict[str, typing.Any]:
        wrong: dict[str, list[str]] = {"lost": [], "refused_in_force": [], "forks": [], "unequal": []}
        for m in self.etcd.members:
            wait_for(f"{m.name} is back", m.is_ready, 30)
        try:
            wait_for("all have one version", self.settle, HEAL_S)
        except AssertionError:
            wrong["unequal"] = [f"{n.name} {self.head(n)} {n.ask('GET', '/v1/store').raw.decode()}" for n in self.nodes]
        listed = {v["number"]: v for v in self.nodes[0].ask("GET", "/v1/versions?limit=1000").json["items"]}
        first_lines = self.first_lines(listed)
        for t in self.told:
            if t.what == "apply" and t.status == 201 and first_lines.get(t.number) != t.digest:
                wrong["lost"].append(f"version {t.number} of {t.node}: {t.digest}, and there is {first_lines.get(t.number)}")
            if t.what == "confirm" and t.status == 200 and listed.get(t.number, {}).get("state") == "ended":
                wrong["lost"].append(f"the confirmation of version {t.number} at {t.node}")
            if t.what == "apply" and t.status >= 400 and t.code != "outcome-unknown" and t.digest in first_lines.values():
                wrong["refused_in_force"].append(f"{t}")
        wrong["forks"] = [f"{number}: {sorted(digests)}" for number, digests in self.seen.items() if len(digests) > 1 and number > 1]
        answers = [t for t in self.told if t.status]
        return {"seed": self.seed, "faults": self.faults, "answers": len(answers), "made": sum(t.status == 201 for t in answers),
                "unknown": sum(t.code == "outcome-unknown" for t in answers), **wrong}

    def first_lines(self, listed: dict[int, typing.Any]) -> dict[int, str]:
        """Of each version's file; each names its change. Who lacks its files asks others: it is asked of all nodes."""
        found: dict[int, str] = {}
        for number in listed:
            for node in self.nodes:
                answer = node.ask("GET", f"/v1/versions/{number}?files=true")
                if answer.status == 200:
                    found[number] = answer.json["files"]["weir.conf"].split("\n", 1)[0]
                    break
        return found


def main() -> int:
    n_schedules, seconds = counted.read_number("--schedules", 1), counted.read_number("--seconds", 60)
    n_nodes = counted.read_number("--nodes", 3)
    seed = int(os.environ.get("WEIR_SEED", time.time_ns() % 1000000))
    signal.signal(signal.SIGTERM, counted.interrupt)
    figures: dict[str, typing.Any] = {"schedules": 0, "nodes": n_nodes, "answers": 0, "made": 0, "unknown": 0, "faults": 0, "lost": 0,
                                      "refused_in_force": 0, "forks": 0, "unequal": 0}
    failed = 0
    for i in range(n_schedules):
        schedule = Schedule(seed + i, n_nodes, seconds)
        try:
            schedule.begin()
            result = schedule.run()
        finally:
            schedule.close()
        wrong = {k: result[k] for k in ("lost", "refused_in_force", "forks", "unequal") if result[k]}
        failed += bool(wrong)
        figures["schedules"] += 1
        for key in figures.keys() - {"schedules", "nodes"}:
            figures[key] += result[key] if isinstance(result[key], int) else len(result[key])
        print(f"seed {result['seed']}: {len(result['faults'])} faults, {result['answers']} answers, {result['made']} versions made, "
              f"{result['unknown']} outcomes unknown: {json.dumps(wrong, indent=1) if wrong else 'nothing is wrong'}", flush=True)
    os.makedirs(os.path.join(BUILD, "lab"), exist_ok=True)
    with open(os.path.join(BUILD, "lab", "fleet_faults.json"), "w", encoding="utf-8") as f:
        json.dump(figures, f)
    print(json.dumps(figures))
    print(f"{n_schedules - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
