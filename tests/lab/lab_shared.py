#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Versions that five nodes share through three real members of etcd: who wins, what nobody confirms, what dies.

Usage: lab_shared.py [--rounds N] [TEST ...]      WEIR_BUILD says where lab-shared is

--rounds: how often two versions are applied that nobody confirms (20). Writes build/lab/shared.json.
"""
from __future__ import annotations

import base64
import http.server
import json
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

from etcd_cluster import Answer, Cluster, Member, running, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
TOOL = os.path.join(BUILD, "tests", "lab", "lab-shared")
PREFIX = "/weir/lab/"
NODES = 5
ROUNDS = 20
SEED = int(os.environ.get("WEIR_SEED", time.time_ns() % 1000000))


class Node:
    """A node's part, in a process; its folder outlives it."""

    def __init__(self, name: str, urls: list[str], folder: str) -> None:
        self.name, self.urls, self.folder = name, urls, os.path.join(folder, name)
        os.mkdir(self.folder)
        self.in_force: list[tuple[int, str]] = []  # each that it had, in order
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Node:
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", TOOL, self.folder, PREFIX, *self.urls],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, args=(self.process,))
        self.reader.start()
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout:
            said = json.loads(line)
            if "in_force" in said:
                self.in_force.append((said["in_force"], said["digest"]))
            elif "result" in said:
                self.answers.put(said)

    def now(self) -> tuple[int, str]:
        return self.in_force[-1] if self.in_force else (0, "")

    def send(self, **command: typing.Any) -> None:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def ask(self, **command: typing.Any) -> Answer:
        self.send(**command)
        return self.answers.get(timeout=30)

    def apply(self, within_ms: int = 0) -> Answer:
        """As a person would: where a version is just being ended, again."""
        return wait_for("the change is decided", lambda: self._decided(within_ms), 40)

    def _decided(self, within_ms: int) -> Answer | None:
        answer = self.ask(do="apply", within_ms=within_ms)
        return None if answer["result"] in ("EAGAIN", "refused") else answer

    def kill(self) -> None:
        self.process.kill()
        self._end()
        self.in_force.clear()

    def _end(self) -> int:
        status = self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        return status

    def close(self) -> None:
        self.process.stdin.close()  # which ends it
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if status := self._end():
            raise AssertionError(f"{self.name} ended with {status}")


class Between:
    """Stands before a member and passes requests on, but for transactions while @instead is set: it gets one and may carry it
    out, and there is no answer. It passes no watch."""

    def __init__(self, member: Member) -> None:
        self.instead: typing.Callable[[typing.Callable[[], Answer]], object] | None = None
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/v3/kv/txn" and between.instead:
                    instead, between.instead = between.instead, None
                    instead(lambda: member.good("/v3/kv/txn", body))
                    self.close_connection = True
                    return
                status, answer = (503, {}) if self.path == "/v3/watch" else member.ask(self.path, body)
                text = json.dumps(answer).encode()
                self.send_response(status or 503)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Shared(unittest.TestCase):
    figures: typing.ClassVar[dict[str, typing.Any]] = {"seed": SEED}
    folder: typing.ClassVar[str]
    cluster: typing.ClassVar[Cluster]
    urls: typing.ClassVar[list[str]]
    nodes: typing.ClassVar[list[Node]]
    random: typing.ClassVar[random.Random]
    acknowledged: typing.ClassVar[dict[int, str]] = {}  # number -> the change's id
    refused: typing.ClassVar[list[str]] = []  # ids of changes that are not written, for certain
    unknown: typing.ClassVar[int] = 0

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.mkdtemp(prefix="weir-shared-")
        cls.cluster = cls.enterClassContext(running(3))
        cls.urls = [m.url for m in cls.cluster.members]
        cls.nodes = [Node(f"n{i}", cls.urls, cls.folder).start() for i in range(NODES)]
        cls.random = random.Random(SEED)
        print(f"seed {SEED}")
        first = cls.nodes[0].apply()
        assert (first["result"], first["number"]) == ("done", 1), first
        wait_for("all have the first version", lambda: all(n.now()[0] == 1 for n in cls.nodes))

    @classmethod
    def tearDownClass(cls) -> None:
        for node in cls.nodes:
            node.close()
        shutil.rmtree(cls.folder)
        os.makedirs(os.path.join(BUILD, "lab"), exist_ok=True)
        with open(os.path.join(BUILD, "lab", "shared.json"), "w", encoding="utf-8") as f:
            json.dump(cls.figures, f)

    def wait_equal(self, why: str, number: int = 0, seconds: float = 20) -> tuple[int, str]:
        """Until all have the same version in force; @number: that one."""
        def find() -> tuple[int, str] | None:
            now = {n.now() for n in self.nodes}
            first = next(iter(now))
            return first if len(now) == 1 and first[0] and number in (0, first[0]) else None
        try:
            return wait_for("", find, seconds)
        except AssertionError:
            raise AssertionError(f"{why}: not {number or 'equal'} in {seconds} s: {[n.now() for n in self.nodes]}") from None

    def records(self, what: str) -> dict[int, Answer]:
        """What etcd itself has, read without the code under test."""
        begin = PREFIX + what + "/"
        answer = self.cluster.leader().good("/v3/kv/range", {"key": base64.b64encode(begin.encode()).decode(),
                                                             "range_end": base64.b64encode((begin[:-1] + "0").encode()).decode()})
        kvs = [(base64.b64decode(kv["key"]).decode(), json.loads(base64.b64decode(kv["value"]))) for kv in answer.get("kvs", [])]
        return {int(key.rsplit("/", 1)[1]): value for key, value in kvs}

    def note(self, answer: Answer) -> Answer:
        if answer["result"] == "done":
            self.acknowledged[answer["number"]] = answer["id"]
        elif answer["result"] in ("refused", "not-written"):
            self.refused.append(answer["id"])
        elif answer["result"] == "unknown":
            type(self).unknown += 1
        return answer

    def judge(self) -> None:
        """What was acknowledged is there, what was refused or not written is not, and numbers have no gap."""
        versions = self.records("version")
        lost = [n for n, change in self.acknowledged.items() if versions.get(n, {}).get("change") != change]
        written = {record["change"] for what in ("version", "mark") for record in self.records(what).values()}
        there = [change for change in self.refused if change in written]
        self.figures.update(acknowledged=len(self.acknowledged), lost=len(lost), refused=len(self.refused), refused_in_force=len(there),
                            unknown=self.unknown, versions=len(versions))
        self.assertEqual((lost, there), ([], []))
        self.assertEqual(sorted(versions), list(range(1, len(versions) + 1)))

    def test_a_of_those_that_apply_at_once_one_wins(self) -> None:
        for _ in range(20):
            for node in self.nodes:
                node.send(do="apply", within_ms=0)
            answers = [self.note(node.answers.get(timeout=30)) for node in self.nodes]
            numbers = [a["number"] for a in answers if a["result"] == "done"]
            self.assertEqual(len(numbers), len(set(numbers)), answers)
            self.assertTrue(numbers, answers)
            self.assertLessEqual({a["result"] for a in answers}, {"done", "refused"})
            self.wait_equal("one wins", max(numbers))
        self.judge()

    def test_b_what_nobody_confirms_ends_everywhere(self) -> None:
        """Two versions one after the other, at any nodes, with deadlines of their own: nobody confirms."""
        unequal, longest = 0, 0.0
        for i in range(ROUNDS):
            before = self.wait_equal("at rest")
            first, second = self.random.choices(self.nodes, k=2)
            self.note(first.apply(within_ms=self.random.randint(300, 1500)))
            time.sleep(self.random.uniform(0, 1.2))  # anywhere in the first one's time
            answer = self.note(second.apply(within_ms=self.random.randint(300, 1500)))
            began = time.monotonic()
            try:
                wait_for(f"round {i}: all are back at {before[0]}, not {[n.now() for n in self.nodes]}",
                         lambda: all(n.now() == before for n in self.nodes), 10)
            except AssertionError as e:
                unequal += 1
                print(e)
            longest = max(longest, time.monotonic() - began)
            self.assertEqual(answer["result"], "done", answer)
        self.figures.update(rounds=ROUNDS, unequal=unequal, longest_s=round(longest, 1))
        self.assertEqual(unequal, 0)
        self.judge()

    def test_c_a_confirmation_decides_for_all(self) -> None:
        before = self.wait_equal("at rest")
        for word in ("confirm", "end"):
            answer = self.note(self.nodes[1].apply(within_ms=60000))
            wait_for("all have it", lambda: all(n.now()[0] == answer["number"] for n in self.nodes))
            decided = self.nodes[3].ask(do=word, number=answer["number"])
            self.assertEqual(decided["result"], "done")
            wait_for("it is decided", lambda: self.nodes[0].ask(do="end", number=answer["number"])["result"] == "EALREADY")
            before = (answer["number"], before[1]) if word == "confirm" else before
            self.wait_equal(word, before[0])

    def begin_anew(self, node: Node, number: int) -> None:
        """All have that version in force, and @node begins with the first member: one that answered is kept."""
        node.kill()
        node.start()
        self.wait_equal("at rest", number)
        wait_for("it has followed", lambda: node.now()[0] == number)

    def test_d_an_answer_is_lost(self) -> None:
        """The same is tried at another member. Whether it was carried out before decides what is said."""
        between = Between(self.cluster.leader())
        node = Node("between", [between.url, *self.urls], self.folder).start()
        try:
            wait_for("it has followed", lambda: node.now() == self.nodes[0].now())
            self.note(node.apply())
            for i, carried_out in enumerate((True, False, True, False)):
                head = max(self.records("version"))
                self.begin_anew(node, head)
                between.instead = (lambda carry_out: carry_out()) if carried_out else (lambda _: None)
                answer = self.note(node.ask(do="apply", within_ms=0))
                self.assertIsNone(between.instead)
                self.assertEqual((i, answer["result"], answer["number"]), (i, "done", head + 1), answer)
            # lost before it was carried out, and another is first
            self.begin_anew(node, head + 1)
            between.instead = lambda _: self.note(self.nodes[0].apply())
            answer = self.note(node.ask(do="apply", within_ms=0))
            self.assertEqual((answer["result"], answer["number"]), ("refused", head + 2), answer)
            self.wait_equal("the other's", head + 2)
        finally:
            node.close()
            between.close()
        self.judge()

    def test_e_members_and_nodes_die(self) -> None:
        """A change a moment at any node, while members are killed and stopped, and nodes are killed and come back."""
        cluster, end = self.cluster, time.monotonic() + 60
        faults = 0
        while time.monotonic() < end:
            what = self.random.choice(("kill", "stop", "node", "leader"))
            member = cluster.leader() if what == "leader" else self.random.choice(cluster.members)
            node = self.random.choice(self.nodes)
            faults += 1
            if what == "node":
                node.kill()
            elif what == "stop":
                member.kill(signal.SIGSTOP)
            else:
                member.stop()
            for _ in range(4):
                other = self.random.choice([n for n in self.nodes if n is not node])
                self.note(other.ask(do="apply", within_ms=self.random.choice((0, 0, 500))))
            if what == "node":
                node.start()
            elif what == "stop":
                member.kill(signal.SIGCONT)
            else:
                member.start("--initial-cluster-state", "existing")
                wait_for(f"{member.name} is back", member.is_ready)
        self.wait_equal("all is healed", seconds=30)
        self.figures["faults"] = faults
        done = wait_for("a change is made", lambda: self.done(self.nodes[0]), 30)
        self.wait_equal("the last", done["number"])
        self.judge()

    def done(self, node: Node) -> Answer | None:
        answer = self.note(node.ask(do="apply", within_ms=0))
        return answer if answer["result"] == "done" else None

    def test_f_a_node_starts_from_its_copy(self) -> None:
        """Without any member: what was in force is in force; nothing can be changed, and that is said for certain."""
        before = self.wait_equal("at rest")
        node = self.nodes[2]
        for member in self.cluster.members:
            member.kill(signal.SIGSTOP)
        node.kill()
        node.start()
        self.assertEqual(wait_for("it has started", lambda: node.now()[0] and node.now()), before)
        answer = self.note(node.ask(do="apply", within_ms=0))
        self.assertIn(answer["result"], ("unknown", "not-written"), answer)
        for member in self.cluster.members:
            member.kill(signal.SIGCONT)
        done = wait_for("a change is made again", lambda: self.done(node), 30)
        self.wait_equal("all follow", done["number"])
        self.judge()


if __name__ == "__main__":
    ROUNDS = counted.read_rounds(ROUNDS)
    counted.main()
