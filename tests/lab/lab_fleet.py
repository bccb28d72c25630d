#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole weir-mgmt of three sites whose versions are those of a store: three real members of etcd.

Usage: lab_fleet.py [--nodes N] [--rounds N] [TEST ...]

--nodes: how many there are (3, at three sites by turns). --rounds: how often two versions are applied that nobody confirms
(5). Adds its figures to build/lab/fleet.json.
"""
from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import typing
import unittest

import fleet_figures
from etcd_cluster import Cluster as Etcd
from etcd_cluster import b64, running

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Answer, Node, free_port, wait_for  # noqa: E402
from cluster3 import SITES, config, node_names  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
PROGRAM = os.path.join(BUILD, "mgmt", "api", "weir-mgmt")
WEIR = os.path.join(BUILD, "mgmt", "cli", "weir")
ROUNDS, NODES = 5, 3
SEED = int(os.environ.get("WEIR_SEED", time.time_ns() % 1000000))
ID = "0123456789abcdef0123456789abcdef"


def head(node: Node) -> tuple[int, str, str]:
    """Number, digest and state of what a node has in force."""
    answer = node.ask("GET", "/v1/config")
    v = answer.json
    return (v["number"], v["digest"], v["state"]) if answer.status in (200, 304) else (0, "", answer.code or "")


def staged(node: Node) -> set[int]:
    """The versions of which the node has files and does not know yet whether there will be one."""
    with contextlib.closing(sqlite3.connect(f"file:{node.state}/store/store.db?mode=ro", uri=True, timeout=60)) as db:
        return {number for number, in db.execute("SELECT number FROM versions WHERE number<0")}


class Fleet(unittest.TestCase):
    figures: typing.ClassVar[dict[str, typing.Any]] = {"seed": SEED}
    etcd: typing.ClassVar[Etcd]
    nodes: typing.ClassVar[list[Node]]
    random: typing.ClassVar[random.Random]
    n_changes: typing.ClassVar[int] = 0
    text: typing.ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.random = random.Random(SEED)
        print(f"seed {SEED}")
        cls.etcd = cls.enterClassContext(running(3))
        cls.text = config([f"https://127.0.0.1:{free_port()}" for _ in range(NODES)])
        cls.nodes = [Node(PROGRAM, name, cls.text) for name in node_names(NODES)]
        conf = {"id": ID, "endpoints": [m.url for m in cls.etcd.members], "prefix": "/weir/shop/"}
        for node in cls.nodes:
            cls.addClassCleanup(node.close)
            node.write("store.conf", json.dumps(conf))
            os.chmod(os.path.join(node.conf, "store.conf"), 0o640)
            node.start()
        wait_for("each has its own file", lambda: all(head(n)[0] == 1 for n in cls.nodes))
        first = cls.nodes[0].apply(cls.nodes[0].files())  # which needs no confirmation, unlike those that follow
        assert first.status == 201, first.raw

    @classmethod
    def tearDownClass(cls) -> None:
        fleet_figures.add(cls.figures)

    def files(self) -> dict[str, str]:
        """Another configuration each time."""
        type(self).n_changes += 1
        return self.nodes[0].files("weight = 100", f"weight = {100 + self.n_changes}")

    def apply(self, node: Node, **more: typing.Any) -> Answer:
        return node.apply(self.files(), **more)

    def apply_settled(self, node: Node, **more: typing.Any) -> Answer:
        """A version that nobody confirmed is out of force at its deadline, and over in the store a moment later: until then a change is refused, and
        says that."""
        answers: list[Answer] = []

        def is_answered() -> bool:
            answers[:] = [self.apply(node, **more)]
            return (answers[0].status, answers[0].code) not in ((503, "busy"), (412, "not-here"))
        wait_for("what nobody confirmed is over", is_answered, 15)
        return answers[0]

    def apply_into(self, answers: list[Answer], node: Node, pending: str = "refuse") -> None:
        answers.append(self.apply(node, pending=pending))

    def wait_equal(self, why: str, number: int = 0, seconds: float = 20) -> tuple[int, str, str]:
        """Until all have the same in force; @number: that version."""
        def find() -> tuple[int, str, str] | None:
            now = {head(n)[:2] for n in self.nodes}
            return head(self.nodes[0]) if len(now) == 1 and number in (0, next(iter(now))[0]) else None
        try:
            return wait_for("", find, seconds)
        except AssertionError:
            raise AssertionError(f"{why}: not {number or 'equal'} in {seconds} s: {[head(n) for n in self.nodes]}") from None

    def conditions(self, node: Node) -> dict[str, str]:
        reasons = node.ask("GET", "/v1/status").json["reasons"]
        return {r["code"]: r["text"] for r in reasons}

    def test_a_a_version_is_in_force_everywhere(self) -> None:
        for node in self.nodes:
            answer = self.apply_settled(node, reason="a test")
            self.assertEqual(answer.status, 201, answer.raw)
            number = answer.json["version"]["number"]
            self.assertEqual(answer.json["version"]["state"], "in_force", answer.raw)
            self.assertEqual(head(node)[0], number)
            at = set(answer.json["files_at"])
            self.assertLessEqual(at, {n.name for n in self.nodes if n is not node})
            self.assertEqual(len(at), min(NODES - 1, 4), at)
            self.wait_equal("all follow", number)

    def test_b_of_those_that_apply_at_once_one_wins(self) -> None:
        """Each at its own node, upon the same version."""
        for _ in range(5):
            answers: list[Answer] = []
            before = self.wait_equal("at rest")[0]
            threads = [threading.Thread(target=self.apply_into, args=(answers, n)) for n in self.nodes]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(len(answers), len(self.nodes))
            made = [a.json["version"]["number"] for a in answers if a.status == 201]
            self.assertEqual(len(made), len(set(made)), [a.raw for a in answers])
            self.assertTrue(made, [a.raw for a in answers])
            refused = {(a.status, a.code) for a in answers if a.status != 201}  # the other may be decided, and not here yet
            self.assertLessEqual(refused, {(412, "stale"), (412, "not-here")}, [a.raw for a in answers])
            self.assertGreater(self.wait_equal("one wins", max(made))[0], before)

    def test_c_what_nobody_confirms_ends_everywhere(self) -> None:
        """V1: apply, apply with a confirmation pending, nobody confirms."""
        unequal, longest = 0, 0.0
        for i in range(ROUNDS):
            before = self.wait_equal("at rest")
            first, second = self.random.choices(self.nodes, k=2)
            answer = self.apply_settled(first, confirm_within=f"{self.random.randint(2, 4)}s")
            self.assertEqual(answer.status, 201, answer.raw)
            self.assertEqual(answer.json["version"]["state"], "unconfirmed", answer.raw)
            time.sleep(self.random.uniform(0, 2.5))  # anywhere in the first one's time
            answer = self.apply(second, confirm_within=f"{self.random.randint(2, 4)}s", pending="join")
            self.assertIn((answer.status, answer.code), ((201, None), (412, "stale"), (412, "not-here"), (503, "busy")), answer.raw)
            began = time.monotonic()
            try:
                wait_for(f"round {i}: all are back at {before}", lambda: all(head(n)[:2] == before[:2] for n in self.nodes), 15)
            except AssertionError as e:
                unequal += 1
                print(e, [head(n) for n in self.nodes])
            longest = max(longest, time.monotonic() - began)
        self.figures.update(nodes=NODES, rounds=ROUNDS, unequal=unequal, longest_s=round(longest, 1))
        self.assertEqual(unequal, 0)

    def test_d_a_confirmation_at_any_node_counts_everywhere(self) -> None:
        before = self.wait_equal("at rest")[0]
        answer = self.apply_settled(self.nodes[0], confirm_within="60s")
        number = answer.json["version"]["number"]
        wait_for("all have it", lambda: all(head(n)[::2] == (number, "unconfirmed") for n in self.nodes))
        said = self.nodes[1].ask("GET", "/v1/store").json
        self.assertEqual((said["state"], said["in_force"], said["goes_back_to"], said["files_missing"]), ("ready", number, before, False))
        refused = self.apply(self.nodes[1])
        self.assertEqual((refused.status, refused.code), (409, "unconfirmed"), refused.raw)
        confirmed = self.nodes[1].ask("POST", f"/v1/versions/{number}/confirm", {"reason": "x"})
        self.assertEqual(confirmed.status, 200, confirmed.raw)
        wait_for("all know", lambda: all(head(n)[::2] == (number, "in_force") for n in self.nodes))
        again = self.nodes[2].ask("POST", f"/v1/versions/{number}/confirm", {"reason": "x"})
        self.assertEqual((again.status, again.code), (409, "not-pending"), again.raw)

    def test_e_a_person_goes_back(self) -> None:
        before = self.wait_equal("at rest")
        number = self.apply_settled(self.nodes[0], confirm_within="60s").json["version"]["number"]
        self.wait_equal("all have it", number)
        back = self.nodes[1].ask("POST", f"/v1/versions/{before[0]}/rollback", {"reason": "x"}, {"If-Match": "*"})
        self.assertEqual(back.status, 201, back.raw)
        self.assertEqual(back.json["version"]["number"], before[0])
        self.wait_equal("all are back", before[0])

    def test_e2_who_made_a_version_is_gone(self) -> None:
        """It dies, with its disk, when it has answered: the others have the files."""
        for _ in range(3):
            node = self.nodes[2]
            answer = self.apply_settled(node)
            node.stop(signal.SIGKILL)
            self.assertEqual(answer.status, 201, answer.raw)
            shutil.rmtree(node.state)
            os.mkdir(node.state)
            number = answer.json["version"]["number"]
            wait_for("the others have it", lambda: all(head(n)[0] == number for n in self.nodes[:2]), 10)
            node.start()
            self.wait_equal("it has it again", number)

    def test_e3_who_repeats_a_request_learns_what_became_of_it(self) -> None:
        """A node dies at any moment of a change; the same request with the same key is not carried out twice, nor refused."""
        made = again = 0
        for i in range(8):
            node, before = self.nodes[2], self.wait_equal("at rest")[0]
            request = {"files": self.files(), "reason": f"try {i}"}
            headers = {"If-Match": node.ask("GET", "/v1/config").headers["ETag"], "Idempotency-Key": f"key-{SEED}-{i}"}
            thread = threading.Thread(target=self.ask_into, args=([], node, request, headers))
            thread.start()
            time.sleep(self.random.uniform(0, 0.25))  # any moment of it
            node.stop(signal.SIGKILL)
            thread.join()
            node.start()
            wait_for("it has followed", lambda: node.ask("GET", "/v1/store").json["state"] == "ready" and
                     head(node)[0] == head(self.nodes[0])[0], 30)
            answer = node.ask("POST", "/v1/config/apply", request, headers)
            self.assertIn(answer.status, (200, 201), answer.raw)
            made += answer.status == 201
            again += answer.status == 200
            self.assertEqual(self.wait_equal("once", before + 1)[0], answer.json["version"]["number"])
        print(f"{made} made, {again} found made")

    @staticmethod
    def ask_into(answers: list[Answer], node: Node, request: object, headers: dict[str, str]) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answers.append(node.ask("POST", "/v1/config/apply", request, headers))

    def test_f_without_the_store_all_goes_on(self) -> None:
        before = self.wait_equal("at rest")
        number = self.apply_settled(self.nodes[0], confirm_within="8s").json["version"]["number"]
        self.wait_equal("all have it", number)
        for member in self.etcd.members:
            member.kill(signal.SIGSTOP)
        answers: list[Answer] = []
        waiting = [threading.Thread(target=self.apply_into, args=(answers, self.nodes[1], "confirm")) for _ in range(5)]
        try:
            for t in waiting:
                t.start()
            wait_for("each goes back alone", lambda: all(head(n)[:2] == before[:2] for n in self.nodes), 20)  # 8 s and 3, whoever waits
            for t in waiting:
                t.join()
            self.assertEqual([a.status for a in answers], [503] * len(waiting), [a.raw for a in answers])
            wait_for("it is said", lambda: all("store-cut-off" in self.conditions(n) for n in self.nodes), 30)
            said = self.nodes[1].ask("GET", "/v1/store").json
            self.assertEqual((said["state"], said["in_force"], said["here"], said["newest"]), ("cut-off", before[0], before[0], number))
            self.assertGreaterEqual(said["silent_ms"], 6000)
            self.assertTrue(said["reason"], said)
            began = time.monotonic()
            answer = self.apply(self.nodes[1])
            self.assertEqual((answer.status, answer.code), (503, "store-unavailable"), answer.raw)
            self.assertLess(time.monotonic() - began, 5)  # it is known already: nobody waits
            self.nodes[2].stop(signal.SIGKILL)
            self.nodes[2].start()
            self.assertEqual(head(self.nodes[2])[:2], before[:2])
        finally:
            for member in self.etcd.members:
                member.kill(signal.SIGCONT)
        wait_for("the store is there", lambda: not any("store-cut-off" in self.conditions(n) for n in self.nodes), 30)
        wait_for("a change is made", lambda: self.apply(self.nodes[1]).status == 201, 30)
        self.wait_equal("all follow")

    def test_f0_what_cannot_be_made_is_given_to_nobody(self) -> None:
        """64 of them would push out the files of a version that was made and whose node died."""
        self.wait_equal("at rest")
        for member in self.etcd.members:
            member.kill(signal.SIGSTOP)
        try:
            wait_for("it is said", lambda: "store-cut-off" in self.conditions(self.nodes[1]), 30)
            before = [staged(n) for n in self.nodes]
            answer = self.apply(self.nodes[1])
            self.assertEqual((answer.status, answer.code), (503, "store-unavailable"), answer.raw)
            self.assertEqual([staged(n) for n in self.nodes], before)
        finally:
            for member in self.etcd.members:
                member.kill(signal.SIGCONT)
        wait_for("a change is made", lambda: self.apply(self.nodes[1]).status == 201, 30)
        self.wait_equal("all follow")

    def test_f1_what_is_not_ours_is_said_and_harms_nothing(self) -> None:
        before, member = self.wait_equal("at rest"), self.etcd.leader()
        member.put("/weir/shop/version/99999", "garbage")
        wait_for("it is said", lambda: all("store-not-kept" in self.conditions(n) for n in self.nodes), 30)
        self.nodes[2].stop()
        self.nodes[2].start()
        wait_for("also after a restart", lambda: "store-not-kept" in self.conditions(self.nodes[2]), 30)
        self.assertEqual({head(n)[:2] for n in self.nodes}, {before[:2]})
        answer = self.apply(self.nodes[1])
        self.assertEqual((answer.status, answer.code), (503, "store-unavailable"), answer.raw)
        member.good("/v3/kv/deleterange", {"key": b64("/weir/shop/version/99999")})
        wait_for("it is over", lambda: not any("store-not-kept" in self.conditions(n) for n in self.nodes), 30)
        number = wait_for("a change is made", lambda: self.apply(self.nodes[1]).status == 201 and head(self.nodes[1])[0], 30)
        self.wait_equal("all follow", number)

    def test_f2_another_store_is_not_taken_for_this_one(self) -> None:
        before, node = self.wait_equal("at rest"), self.nodes[2]
        with open(os.path.join(node.conf, "store.conf"), encoding="utf-8") as f:
            text = f.read()
        node.stop()
        node.write("store.conf", text.replace("/weir/shop/", "/weir/other/"))
        node.start()
        said = wait_for("it is said", lambda: self.conditions(node).get("store-differs"), 30)
        self.assertIn("/weir/other/", said)
        self.assertEqual((head(node)[:2], node.ask("GET", "/v1/store").json["state"]), (before[:2], "other"))
        answer = self.apply(node)
        self.assertEqual((answer.status, answer.code), (503, "store-unavailable"), answer.raw)
        node.stop()
        node.write("store.conf", text)
        node.start()
        number = wait_for("a change is made", lambda: self.apply(node).status == 201 and head(node)[0], 30)
        self.wait_equal("all follow", number)

    def test_f3_a_file_that_nobody_has_any_more(self) -> None:
        """It is in force by the store; only its maker had it, and is gone. Nothing is built upon it unseen."""
        maker = self.nodes[2]
        others = [n for n in self.nodes if n is not maker]
        before = self.wait_equal("at rest", self.apply_settled(self.nodes[0]).json["version"]["number"])
        for node in self.nodes:
            node.stop()
        maker.start()
        wait_for("it has heard of the store", lambda: maker.ask("GET", "/v1/store").json["state"] == "ready", 30)
        answer = self.apply(maker)
        self.assertEqual(answer.status, 201, answer.raw)
        self.assertEqual(answer.json["files_at"], [])
        self.assertIn("no other node has this version's files", str(answer.json["plan"]["warnings"]))
        number = answer.json["version"]["number"]
        maker.stop()
        shutil.rmtree(maker.state)
        os.mkdir(maker.state)
        for node in others:
            node.start()
        node = others[0]
        wait_for("it is said", lambda: "files-missing" in self.conditions(node), 30)
        self.assertEqual(head(node)[:2], before[:2])
        for same in (False, True):  # also of what is in force here it is not said that nothing changes
            files = node.ask("GET", "/v1/config").json["files"] if same else self.files()
            refused = node.apply(files)
            self.assertEqual((refused.status, refused.code), (412, "not-here"), refused.raw)
        again = node.apply(self.files(), replace=True)
        self.assertEqual((again.status, again.json["version"]["number"]), (201, number + 1), again.raw)
        maker.start()
        self.wait_equal("all follow", number + 1)

    def test_g_a_node_that_lost_all_comes_back(self) -> None:
        before = self.wait_equal("at rest")
        node = self.nodes[2]
        node.stop()
        shutil.rmtree(node.state)
        os.mkdir(node.state)
        node.start()
        wait_for("it has what the others have", lambda: head(node)[:2] == before[:2], 30)
        # it goes back to a version that it never had; who asks for it gets it from another node
        older = next(v for v in self.nodes[0].ask("GET", "/v1/versions").json["items"] if v["state"] == "superseded" and v["number"] < before[0])
        listed = [[v["number"] for v in n.ask("GET", "/v1/versions?limit=1000").json["items"]] for n in self.nodes]
        self.assertEqual(listed[2], listed[0])
        self.assertEqual(node.ask("GET", f"/v1/versions/{older['number']}").json["digest"], older["digest"])
        back = node.ask("POST", f"/v1/versions/{older['number']}/rollback", {"reason": "x"}, {"If-Match": "*"})
        self.assertEqual(back.status, 201, back.raw)
        self.assertEqual(self.wait_equal("all follow", before[0] + 1)[1], older["digest"])

    def test_h_a_drain_without_management_keeps_what_is_in_force(self) -> None:
        """The newest version that the node has files of has ended."""
        before = self.wait_equal("at rest", self.apply_settled(self.nodes[0]).json["version"]["number"])
        number = self.apply_settled(self.nodes[0], confirm_within="2s").json["version"]["number"]
        wait_for("all have it", lambda: all(head(n)[0] == number for n in self.nodes))
        wait_for("all are back", lambda: all(head(n)[:2] == before[:2] for n in self.nodes), 15)
        node = self.nodes[2]
        node.stop(signal.SIGKILL)
        done = subprocess.run([WEIR, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir", node.run, "--node", node.name, "drain", "site",
                               SITES[0], "--until", "never", "--reason", "x", "--offline"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        version = re.search(r'version = "(\d+)"', node.effective())
        self.assertEqual(version and int(version[1]), before[0], done.stdout)
        node.start()
        self.assertEqual(head(node)[:2], before[:2])
        wait_for("all know of the drain", lambda: all(n.ask("GET", "/v1/overrides").json["items"] for n in self.nodes), 30)
        self.assertEqual(node.command("undrain", {"site": SITES[0]}, now=True).status, 200)

    def test_i_a_store_that_lost_what_it_had(self) -> None:
        """Its records are removed: nothing is taken from it any more, also after a restart; deadlines go on."""
        before = self.wait_equal("at rest", self.apply_settled(self.nodes[0]).json["version"]["number"])
        number = self.apply_settled(self.nodes[0], confirm_within="6s").json["version"]["number"]
        wait_for("all have it", lambda: all(head(n)[0] == number for n in self.nodes))
        self.etcd.leader().good("/v3/kv/deleterange", {"key": b64("/weir/shop/"), "range_end": b64("/weir/shop0")})
        wait_for("it is said", lambda: all("store-went-back" in self.conditions(n) for n in self.nodes), 30)
        wait_for("all are back", lambda: all(head(n)[:2] == before[:2] for n in self.nodes), 20)
        node = self.nodes[1]
        node.stop(signal.SIGKILL)
        node.start()
        self.assertEqual(head(node)[:2], before[:2])  # from its first moment on
        wait_for("it knows of the store", lambda: node.ask("GET", "/v1/store").json["state"] == "went-back", 20)
        refused = self.apply(node)
        self.assertEqual((refused.status, refused.code), (503, "store-unavailable"), refused.raw)


if __name__ == "__main__":
    ROUNDS, NODES = counted.read_rounds(ROUNDS), counted.read_number("--nodes", NODES)
    counted.main()
