#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole weir-mgmt that share a store, under schedules of faults: what a client was told is compared with what is there.

Usage: lab_fleet_faults.py [--schedules N] [--seconds N] [--nodes N]

In each schedule clients apply, confirm, roll back, drain and undrain at any node, while two lanes of faults run beside them: members of etcd are killed,
stopped (also at the very moment of a write), cut off from each other, filled up and compacted; nodes are killed, stopped, cut off (in one
direction, too), filled up and wiped, and their writes, or the answers to them, are lost, cut off or late. At the end the members get a
backup from before: no node takes anything from them. Prints each schedule's seed; WEIR_SEED repeats one, as far as time allows. What there
was in a schedule with something wrong is kept in build/lab/fleet_faults-SEED.json. Adds to build/lab/fleet.json:

lost              acknowledged versions, confirmations, files and commands that are not there
refused_in_force  what requests that were refused have made
forks             two versions under one number, a mark that was written over, a request that was carried out twice
diverged          nodes that have another version in force, or other versions, after all is healed
stuck             nodes that make no change after all is healed
"""
from __future__ import annotations

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

import fleet_figures
from etcd_cluster import Cluster as Etcd
from etcd_cluster import Member, wait_for
from fleet_judge import KINDS, Records, Told, Wrong, judge_answers, judge_files, judge_nodes, judge_seen
from fleet_orders import Orders
from fleet_ways import ACCIDENTS, Ways

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Answer, Node, free_port  # noqa: E402
from cluster3 import config, node_names  # noqa: E402
from shared_store import share_by_ways  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
PROGRAM = os.path.join(BUILD, "mgmt", "api", "weir-mgmt")
FULL_K = 24 * 1024  # of the disk that is filled
QUOTA, FILLER = 16 << 20, 500_000  # bytes of a member's database
HEAL_S, BACK_S = 45, 30
MEMBER_FAULTS = ("member killed", "member stopped", "majority stopped", "leader stopped at a write", "leader killed at a write", "all killed",
                 "member not heard", "compaction", "compaction", "database full")
NODE_FAULTS = ("cut", "requests lost", "answers lost", "writes spoilt", "all writes spoilt", "no write arrives", "no write is answered",
               "node stopped", "disk full", "node killed", "node wiped", "maker wiped")
GIVEN_UP_S = 9.0  # a write is by then
MADE_S = 12.0  # a client makes a version at any node, mostly


class Schedule:
    node_faults: typing.Sequence[str] = NODE_FAULTS

    def __init__(self, seed: int, n_nodes: int, seconds: int) -> None:
        self.seed, self.seconds = seed, seconds
        self.told: list[Told] = []
        self.seen: dict[int, set[str]] = collections.defaultdict(set)
        self.faults: list[tuple[float, str]] = []  # when each began
        self.errors: list[BaseException] = []  # of all threads
        self.stop, self.n = threading.Event(), 0
        self.lock = threading.Lock()
        self.etcd, self.ways = Etcd(3, "--quota-backend-bytes", str(QUOTA)), Ways(seed)
        self.records = Records(self.etcd)
        self.away: set[str] = set()
        self.doomed = typing.cast(typing.Optional[Node], None)
        self.wiped = random.Random(f"{seed} wiped").randrange(n_nodes - 1)  # of one node alone: files outlive one disk
        text = config([f"https://127.0.0.1:{free_port()}" for _ in range(n_nodes)])
        self.nodes = [Node(PROGRAM, name, text) for name in node_names(n_nodes)]
        self.orders = Orders(self.nodes, (self.nodes[self.wiped].name, self.nodes[-1].name))

    def begin(self) -> None:
        for m in self.etcd.members:
            m.listens = free_port()  # the others come by a way
            self.ways.add(m.name, m.peer, m.listens)
        self.etcd.start()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_K}k", "tmpfs", self.nodes[-1].state], check=True)
        for i, node in enumerate(self.nodes):
            share_by_ways(self.etcd, self.ways, f"node{i}", node)
            node.start()
        first = self.nodes[0].apply(self.files("first"))
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

    def keep(self) -> None:
        """What shows how something came to be wrong."""
        os.makedirs(os.path.join(BUILD, "lab"), exist_ok=True)
        with open(os.path.join(BUILD, "lab", f"fleet_faults-{self.seed}.json"), "w", encoding="utf-8") as f:
            json.dump({"faults": self.faults, "told": [dataclasses.asdict(t) for t in self.told],
                       "orders": [dataclasses.asdict(o) for o in self.orders.given], "records": self.records.seen,
                       "there": sorted(self.records.now), "nodes": {n.name: n.log().splitlines() for n in self.nodes}}, f, indent=1)

    def files(self, author: str) -> dict[str, typing.Any]:
        return self.nodes[0].files("# three sites", f"# change {author} of {self.seed}")

    @staticmethod
    def head(node: Node) -> tuple[int, str]:
        answer = node.ask("GET", "/v1/config")
        return (answer.json["number"], answer.json["digest"]) if answer.status == 200 else (0, "")

    # what clients do

    def begin_request(self, what: str, node: Node, number: int = 0) -> Told:
        with self.lock:
            self.n += 1
            told = Told(what, f"r{self.n}", node.name, number=number)
            self.told.append(told)
            return told

    @staticmethod
    def hear(told: Told, act: typing.Callable[[], Answer]) -> Told:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            answer = act()
            told.number = ((answer.json or {}).get("version") or {}).get("number", told.number)
            told.code = answer.code or ""
            told.is_alone = (answer.json or {}).get("files_at") == []
            told.status = answer.status
        return told

    def apply(self, node: Node, **more: typing.Any) -> Told:
        told = self.begin_request("apply", node)
        files = self.files(told.author)
        told.line = files["weir.conf"].split("\n", 1)[0]
        self.hear(told, lambda: node.apply(files, author=told.author, **more))
        self.strike_maker(node, told)
        return told

    def strike_maker(self, node: Node, told: Told) -> None:
        """Kill who has just acknowledged a version, if it is the one who is to end so."""
        with self.lock:
            if self.doomed is node and told.is_made() and node.process:
                self.away.add(node.name)
                node.process.send_signal(signal.SIGKILL)
                self.doomed = None

    def confirm(self, node: Node, number: int) -> Told:
        told = self.begin_request("confirm", node, number)
        return self.hear(told, lambda: node.ask("POST", f"/v1/versions/{number}/confirm", {"reason": "x", "author": told.author}))

    def go_back(self, node: Node, number: int) -> Told:
        told = self.begin_request("back", node)
        return self.hear(told, lambda: node.ask("POST", f"/v1/versions/{number}/rollback",
                                                {"reason": "x", "author": told.author, "confirm_within": "none"}, {"If-Match": "*"}))

    def client(self, r: random.Random) -> None:
        while not self.stop.is_set():
            node, what = r.choice(self.nodes), r.choice(("apply", "apply", "apply", "confirm", "back"))
            made = [t.number for t in self.told if t.is_made()]
            if what == "apply":
                within = r.choice(("none", "none", "1s", "3s"))
                pending = r.choice(("confirm", "refuse") if within == "none" else ("confirm", "join", "refuse"))
                told = self.apply(node, pending=pending, confirm_within=within)
                if within != "none" and told.is_made() and r.random() < 0.5:  # at the end of its time, or beyond
                    self.stop.wait(r.uniform(0, 5))
                    self.confirm(r.choice(self.nodes), told.number)
            elif what == "confirm":
                self.confirm(node, max(made, default=1))
            else:
                self.go_back(node, r.choice(made or [1]))
            self.stop.wait(r.uniform(0, 0.3))

    def sample(self) -> None:
        while not self.stop.is_set():
            for node in self.nodes:
                with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                    number, digest = self.head(node) if node.name not in self.away else (0, "")
                    if number:
                        self.seen[number].add(digest)
            self.stop.wait(0.1)

    # faults of members

    def restart(self, member: Member) -> None:
        member.start("--initial-cluster-state", "existing")

    def stop_members(self, members: typing.Sequence[Member], seconds: float) -> None:
        for m in members:
            m.kill(signal.SIGSTOP)
        self.stop.wait(seconds)
        for m in members:
            m.kill(signal.SIGCONT)

    def kill_members(self, members: typing.Sequence[Member], seconds: float) -> None:
        for m in members:
            m.stop()
        self.stop.wait(seconds)
        for m in members:
            self.restart(m)

    def strike_at_write(self, leader: Member, number: int, seconds: float) -> None:
        """The leader's end comes with a write that is on its way."""
        struck = threading.Event()

        def strike() -> None:
            if leader.process:
                leader.process.send_signal(number)
            struck.set()
        self.ways.trap = strike
        if struck.wait(10):
            self.stop.wait(seconds)
        self.ways.trap = None
        if number == signal.SIGSTOP:
            leader.kill(signal.SIGCONT)
        else:
            self.kill_members([leader], 0)

    def fill_database(self, member: Member, seconds: float) -> None:
        """Until puts are refused; then as an operator clears it."""
        for i in range(2 * QUOTA // FILLER):
            status, _ = member.ask("/v3/kv/put", {"key": "ZmlsbGVy", "value": "x" * (FILLER // 4 * 4)})
            if status != 200 or self.stop.is_set():
                break
        self.stop.wait(seconds)
        self.clear_database()

    def clear_database(self) -> None:
        member = self.etcd.members[0]
        self.compact(member)
        wait_for("all are defragmented", lambda: all(m.ask("/v3/maintenance/defragment", {})[0] == 200 for m in self.etcd.members), 30)
        wait_for("no alarm", lambda: self.has_no_alarm(member), 30)

    @staticmethod
    def has_no_alarm(member: Member) -> bool:
        alarms = member.ask("/v3/maintenance/alarm", {"action": "GET"})
        for alarm in alarms[1].get("alarms", []):
            member.ask("/v3/maintenance/alarm", {"action": "DEACTIVATE", "memberID": alarm["memberID"], "alarm": alarm["alarm"]})
        return alarms[0] == 200 and not alarms[1].get("alarms")

    @staticmethod
    def compact(member: Member) -> None:
        status = wait_for("status", lambda: member.ask("/v3/maintenance/status", {})[1].get("header"), 20)
        member.ask("/v3/kv/compaction", {"revision": status["revision"]})

    def fault_member(self, what: str, r: random.Random) -> None:
        leader = self.etcd.leader()
        member, long = leader if r.random() < 0.5 else r.choice(self.etcd.members), r.uniform(1, 13)  # a write is given up after 8
        if what == "member killed":
            self.kill_members([member], long)
        elif what == "all killed":
            self.kill_members(self.etcd.members, long / 2)
        elif what == "member stopped":
            self.stop_members([member], long)
        elif what == "majority stopped":
            self.stop_members(r.sample(self.etcd.members, 2), long)
        elif what.endswith("at a write"):
            self.strike_at_write(leader, signal.SIGSTOP if "stopped" in what else signal.SIGKILL, long)
        elif what == "member not heard":
            self.ways.set(member.name, "answers")
            self.stop.wait(long)
            self.ways.set(member.name, "")
        elif what == "database full":
            self.fill_database(member, long / 2)
        else:
            self.compact(member)
        wait_for("the members answer", lambda: self.stop.is_set() or all(m.is_ready() for m in self.etcd.members), 60)

    # faults of nodes

    @contextlib.contextmanager
    def node_away(self, node: Node) -> typing.Iterator[None]:
        self.away.add(node.name)
        try:
            yield
        finally:
            self.away.discard(node.name)

    def compact_missed(self, r: random.Random) -> None:
        """At times, what a node misses that is away."""
        for member in self.etcd.members if r.random() < 0.6 else []:
            status, answer = member.ask("/v3/maintenance/status", {})
            if status == 200:
                member.ask("/v3/kv/compaction", {"revision": answer["header"]["revision"]})
                return

    def fault_node(self, what: str, r: random.Random) -> None:
        i = r.randrange(len(self.nodes))
        node, key, long = self.nodes[i], f"node{i}", r.uniform(1, 13)
        if what in ("cut", "requests lost", "answers lost"):
            self.ways.set(key, {"cut": "both", "requests lost": "requests"}.get(what, "answers"))
            self.stop.wait(long)
            self.compact_missed(r)
            self.ways.set(key, "")
        elif "write" in what:
            keys = [key] if what == "writes spoilt" else [f"node{k}" for k in range(len(self.nodes))]
            accident = {"no write arrives": "request lost", "no write is answered": "answer lost"}.get(what)
            self.ways.spoil(keys, accident or r.choice(("any", "any", *ACCIDENTS)))
            self.stop.wait(r.uniform(GIVEN_UP_S if accident else 3, 14))
            self.ways.spoil(keys, "")
        elif what == "node stopped":
            assert node.process
            node.process.send_signal(signal.SIGSTOP)
            self.stop.wait(long)
            self.compact_missed(r)
            node.process.send_signal(signal.SIGCONT)
        elif what == "disk full":
            self.fill(self.nodes[-1], long)
        elif what == "maker wiped":
            self.wipe_maker(r)
        elif what == "node wiped":
            self.begin_again(self.nodes[self.wiped], r, is_wiped=True)
        else:
            self.begin_again(node, r, is_wiped=False)

    def wipe_maker(self, r: random.Random) -> None:
        """One that has just acknowledged a version of which no other one has heard."""
        others = [f"node{k}" for k in range(len(self.nodes)) if k != self.wiped]
        for key in others:
            self.ways.set(key, "both")
        self.doomed = node = self.nodes[self.wiped]
        end = time.monotonic() + MADE_S
        while self.doomed and time.monotonic() < end:
            time.sleep(0.05)  # the pace of the loop
        with self.lock:
            was_struck, self.doomed = not self.doomed, None
        if was_struck:
            self.begin_again(node, r, is_wiped=True)
        for key in others:
            self.ways.set(key, "")

    def begin_again(self, node: Node, r: random.Random, is_wiped: bool) -> None:
        with self.node_away(node):
            node.stop(signal.SIGKILL)
            if is_wiped:
                shutil.rmtree(node.state)
                os.mkdir(node.state)
            self.stop.wait(r.uniform(0, 4))
            self.compact_missed(r)
            node.start()

    def fill(self, node: Node, seconds: float) -> None:
        path = os.path.join(node.state, "filler")
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as f:
            while True:
                f.write(b"x" * 4096)
        self.stop.wait(seconds)
        os.unlink(path)

    def lane(self, whats: typing.Sequence[str], act: typing.Callable[[str, random.Random], None]) -> None:
        """One fault after the other, each kind before one comes again, until the time is over."""
        r = random.Random(f"{self.seed} {whats[0]}")
        end, n, left = time.monotonic() + self.seconds, 0, typing.cast(list[str], [])
        while time.monotonic() < end or n < 3:
            left = left or r.sample(whats, len(whats))
            what = left.pop()
            self.faults.append((time.time(), what))
            n += 1
            act(what, r)
            self.stop.wait(r.uniform(0, 1.5))

    def try_to(self, act: typing.Callable[..., None], *args: typing.Any) -> None:
        try:
            act(*args)
        except BaseException as e:  # it is raised where the schedule ends
            self.errors.append(e)

    def raise_errors(self) -> None:
        if self.errors:
            raise self.errors[0]

    def thread(self, act: typing.Callable[..., None], *args: typing.Any) -> threading.Thread:
        return threading.Thread(target=self.try_to, args=(act, *args))

    # a schedule

    @contextlib.contextmanager
    def clients(self) -> typing.Iterator[None]:
        self.stop.clear()
        threads = [self.thread(self.client, random.Random(f"{self.seed} {self.n} {i}")) for i in range(3)]
        threads += [self.thread(self.sample), self.thread(self.orders.run, self.stop, f"{self.seed} orders {self.n}")]
        for t in threads:
            t.start()
        try:
            yield
        finally:
            self.stop.set()
            for t in threads:
                t.join()

    def run(self) -> dict[str, typing.Any]:
        end = threading.Event()
        others = [self.thread(self.lane, self.node_faults, self.fault_node), self.thread(self.records.follow, end)]
        for t in others:
            t.start()
        with self.clients():
            self.try_to(self.lane, MEMBER_FAULTS, self.fault_member)  # here: a member ends with the thread that started it
            others[0].join()
        end.set()
        others[1].join()
        self.raise_errors()
        told = [t for t in self.told if t.status]
        if len(told) < self.seconds / 5 or not any(t.is_made() for t in told):
            raise AssertionError(f"clients were told too little: {told}")
        wrong = self.judge()
        if not any(wrong.values()):
            wrong = self.judge_restored()
        self.raise_errors()
        answers = [t for t in self.told if t.status]
        return {"seed": self.seed, "faults": self.faults, "answers": len(answers), "made": sum(t.is_made() for t in answers),
                "unknown": sum(t.code == "outcome-unknown" for t in answers), "spoilt": sum(self.ways.counts.values()), "orders": sum(o.is_made() for o in self.orders.given), **wrong}

    def carry_out(self, kinds: typing.Sequence[str]) -> tuple[dict[str, typing.Any], Wrong]:
        """From its begin to its end. @return what became of it, and what of @kinds was wrong, which is kept"""
        try:
            self.begin()
            result = self.run()
            wrong = {k: result[k] for k in kinds if result[k]}
            if wrong:
                self.keep()
        except Exception:
            self.keep()
            raise
        finally:
            self.close()
        return result, wrong

    # what is wrong

    def settle(self) -> tuple[int, str] | None:
        now = {self.head(n) for n in self.nodes}
        state = [n.ask("GET", "/v1/store").json for n in self.nodes]
        is_still = all(s["state"] == "ready" and s["goes_back_to"] is None and s["here"] == s["in_force"] for s in state)
        is_still = is_still and now == {self.head(n) for n in self.nodes}  # a version may have ended between
        return next(iter(now)) if len(now) == 1 and is_still else None

    def judge(self) -> Wrong:
        wrong: Wrong = {kind: [] for kind in KINDS}
        head = None
        try:
            head = wait_for("all have one version", self.settle, HEAL_S)
        except AssertionError:
            wrong["diverged"] = [f"{n.name} {self.head(n)} {n.ask('GET', '/v1/store').raw.decode()}" for n in self.nodes]
        wait_for("records", self.records.read, 30)
        with contextlib.suppress(AssertionError):  # what is over gets its mark once the store takes writes again
            wait_for("marks", lambda: self.records.read() and (not head or all(
                self.records.mark(n) == "ended" for n in self.records.numbers() if n > head[0])), HEAL_S)
        judged = [judge_answers(self.told, self.records), {"forks": judge_seen(self.seen, self.records)}]
        if head:
            judged.append(judge_nodes(self.nodes, self.records, head))
        judged.append({"lost": judge_files(self.told, self.nodes, self.records)})
        for part in judged:
            for kind, found in part.items():
                wrong[kind] += found
        try:
            wait_for("all have the same overrides", self.orders.are_equal, HEAL_S)
            wrong["lost"] += self.orders.judge()
        except AssertionError:
            wrong["diverged"] += [f"{n.name} {self.orders.listed(n)}" for n in self.nodes]
        wrong["stuck"] = [f"{node.name}: {told}" for node in self.nodes for told in [self.try_change(node)] if not told.is_made()]
        return wrong

    def try_change(self, node: Node, confirm_within: str = "none") -> Told:
        """While nothing disturbs it; another node may have just ended a version."""
        end = time.monotonic() + 10
        told = self.apply(node, pending="confirm", confirm_within=confirm_within)
        while not told.is_made() and time.monotonic() < end:
            time.sleep(0.2)  # the pace of the loop
            told = self.apply(node, pending="confirm", confirm_within=confirm_within)
        return told

    def make_backup(self, r: random.Random) -> tuple[int, str]:
        """Of members that stand, before the last changes; also before a single one. @return what all nodes have in force after these"""
        is_only_confirmed = r.random() < 0.5
        if is_only_confirmed:
            number = self.try_change(self.nodes[0], confirm_within="60s").number
            wait_for("all have it", lambda: {self.head(n)[0] for n in self.nodes} == {number}, HEAL_S)
        for m in self.etcd.members:
            m.stop(signal.SIGTERM)
            shutil.copytree(m.folder, m.folder + ".backup")
        for m in self.etcd.members:
            self.restart(m)
        if is_only_confirmed:
            wait_for("it is confirmed", lambda: self.confirm(r.choice(self.nodes), number).is_made(), 10)
        else:
            for _ in range(r.randint(1, 4)):
                self.try_change(r.choice(self.nodes))
        return wait_for("all have one version", self.settle, HEAL_S)

    def judge_restored(self) -> Wrong:
        """The members get a backup of before the last changes, while clients go on: nothing that was acknowledged ends, and nothing is made."""
        wrong: Wrong = {kind: [] for kind in KINDS}
        head = self.make_backup(random.Random(f"{self.seed} restored"))
        self.records.read()
        acknowledged = {t.number for t in self.told if t.is_made()} & set(self.records.numbers())
        for m in self.etcd.members:
            m.stop()
            shutil.rmtree(m.folder)
            os.rename(m.folder + ".backup", m.folder)
        last = len(self.told)
        with self.clients():  # whose writes are under way when the members come back
            for m in self.etcd.members:
                self.restart(m)
            try:
                wait_for("all say it", lambda: {n.ask("GET", "/v1/store").json["state"] for n in self.nodes} == {"went-back"}, BACK_S)
            except AssertionError:
                wrong["diverged"] += [f"{n.name} after a restore: {n.ask('GET', '/v1/store').raw.decode()}" for n in self.nodes]
        for node in self.nodes:
            numbers = {v["number"] for v in node.ask("GET", "/v1/versions?limit=1000").json["items"]}
            if acknowledged - numbers or self.head(node)[0] < head[0]:
                wrong["lost"].append(f"{node.name} has {self.head(node)} after a restore, before it was {head}; lost {acknowledged - numbers}")
        wrong["lost"] += [f"made in a store that went back: {t}" for t in self.told[last:] if t.is_made()]
        self.faults.append((time.time(), "backup restored"))
        return wrong


def main() -> int:
    n_schedules, seconds = counted.read_number("--schedules", 1), counted.read_number("--seconds", 60)
    n_nodes = counted.read_number("--nodes", 3)
    seed = int(os.environ.get("WEIR_SEED", time.time_ns() % 1000000))
    signal.signal(signal.SIGTERM, counted.interrupt)
    counts: collections.Counter[str] = collections.Counter(dict.fromkeys(("answers", "made", "orders", "unknown", "spoilt", "faults", *KINDS), 0))
    figures: dict[str, typing.Any] = {}
    failed = 0
    for i in range(n_schedules):
        schedule = Schedule(seed + i, n_nodes, seconds)
        result, wrong = schedule.carry_out(KINDS)
        failed += bool(wrong)
        for key in counts:
            counts[key] += result[key] if isinstance(result[key], int) else len(result[key])
        print(f"seed {result['seed']}: {len(result['faults'])} faults, {result['answers']} answers, {result['made']} versions and {result['orders']} commands made, "
              f"{result['spoilt']} writes spoilt, {result['unknown']} outcomes unknown: "
              f"{json.dumps(wrong, indent=1) if wrong else 'nothing is wrong'}", flush=True)
        figures = {"schedules": i + 1, "schedule_nodes": n_nodes, **counts}
        fleet_figures.add(figures)
    print(json.dumps(figures))
    print(f"{n_schedules - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
