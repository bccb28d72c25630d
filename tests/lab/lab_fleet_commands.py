#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""People's commands at nodes that share a store: what the store decides, and what goes on without it.

Usage: lab_fleet_commands.py [TEST ...]

Three whole weir-mgmt and three real members of etcd; a way between them makes a node's writes late.
"""
from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import threading
import time
import typing
import unittest

from etcd_cluster import Cluster as Etcd
from etcd_cluster import running
from fleet_ways import Ways

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "unit", "mgmt"))
import counted  # noqa: E402
from api_node import Answer, Node, free_port, wait_for  # noqa: E402
from cluster3 import SITES, config, node_names  # noqa: E402
from shared_store import share_by_ways  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", "build")
PROGRAM = os.path.join(BUILD, "mgmt", "api", "weir-mgmt")
PREFIX = "/weir/shop/"
SITE = SITES[0]
LATE_S = 1.5


class Late(random.Random):
    """Each write is late by as much."""

    def uniform(self, a: float, b: float) -> float:
        return LATE_S


class Commands(unittest.TestCase):
    etcd: typing.ClassVar[Etcd]
    nodes: typing.ClassVar[list[Node]]
    ways: typing.ClassVar[Ways]

    @classmethod
    def setUpClass(cls) -> None:
        cls.etcd = cls.enterClassContext(running(3))
        cls.ways = Ways(1)
        cls.ways.random = Late(1)
        cls.addClassCleanup(cls.ways.close)
        text = config([f"https://127.0.0.1:{free_port()}" for _ in range(3)])
        cls.nodes = [Node(PROGRAM, name, text) for name in node_names(3)]
        for i, node in enumerate(cls.nodes):
            cls.addClassCleanup(node.close)
            share_by_ways(cls.etcd, cls.ways, f"node{i}", node, prefix=PREFIX)
            node.start()
        cls.wait_store("ready")
        answer = cls.nodes[0].apply(cls.nodes[0].files())
        assert answer.status == 201, answer.raw

    def tearDown(self) -> None:
        """Nothing is in force afterwards, and all know each other again."""
        for member in self.etcd.members:
            member.kill(signal.SIGCONT)
        for i, node in enumerate(self.nodes):
            self.ways.spoil([f"node{i}"], "")
            node.write("peer.token", "p" * 40 + "\n")
        self.wait_store("ready")
        self.wait_same()
        answer = self.nodes[0].command("undrain", {"site": SITE}, now=True)
        self.assertEqual(answer.status, 200, answer.raw)
        self.wait_live([])

    # what is asked

    @classmethod
    def wait_store(cls, state: str) -> None:
        wait_for(f"the store is {state}", lambda: all(n.ask("GET", "/v1/store").json["state"] == state for n in cls.nodes), 40)

    def live(self, node: Node) -> list[tuple[str, str]]:
        """Kind and author of what is in force at the site."""
        return sorted((o["do"], o["author"]) for o in node.ask("GET", "/v1/overrides").json["items"])

    def wait_live(self, wanted: list[tuple[str, str]], nodes: typing.Sequence[Node] = (), seconds: float = 20) -> None:
        nodes = nodes or self.nodes
        try:
            wait_for("", lambda: all(self.live(n) == wanted for n in nodes), seconds)
        except AssertionError:
            raise AssertionError(f"not {wanted}: {[self.live(n) for n in nodes]}") from None

    def wait_same(self) -> None:
        wait_for("all have the same", lambda: len({json.dumps(self.live(n)) for n in self.nodes}) == 1, 30)

    def stored(self) -> dict[str, typing.Any]:
        """The override that the store has of the last command at the site."""
        member = self.etcd.leader()
        last = json.loads(member.get(PREFIX + "command/site/" + SITE) or "{}")
        return {**json.loads(member.get(PREFIX + "override/" + last.get("id", "-")) or "{}"), "last": last}

    def drain(self, node: Node, author: str) -> Answer:
        return node.drain(SITE, author=author)

    def undrain(self, node: Node, author: str) -> Answer:
        return node.command("undrain", {"site": SITE}, now=True, author=author)

    def events(self, node: Node) -> str:
        return " | ".join(e["message"] for e in node.ask("GET", "/v1/events?limit=200").json["items"])

    def part(self) -> None:
        """No node hears another one: each has a token of its own."""
        for i, node in enumerate(self.nodes):
            node.write("peer.token", str(i) * 40 + "\n")

    def stop_store(self) -> None:
        for member in self.etcd.members:
            member.kill(signal.SIGSTOP)
        self.wait_store("cut-off")

    def start_store(self) -> None:
        for member in self.etcd.members:
            member.kill(signal.SIGCONT)
        self.wait_store("ready")

    # what is shown

    def test_a_a_command_is_in_the_store_and_comes_by_it(self) -> None:
        """Also where nodes do not hear each other."""
        self.part()
        answer = self.drain(self.nodes[0], "ada")
        self.assertEqual(answer.status, 201, answer.raw)
        stored = self.stored()
        self.assertEqual((stored["author"], stored["last"]["principal"], stored["last"]["node"], stored["generation"]),
                         ("ada", "user:root", self.nodes[0].name, answer.json["override"]["generation"]))
        self.wait_live([("drain", "ada")], seconds=3)
        self.assertEqual(self.undrain(self.nodes[1], "bob").status, 200)
        self.assertTrue(self.stored()["ended"])
        self.wait_live([], seconds=3)

    def test_b_who_did_not_hear_of_the_last_command_is_told(self) -> None:
        """Its write comes when another one has been made: it is refused, by name, and nothing of it is in force."""
        self.part()
        self.ways.spoil(["node1"], "late")
        answers: list[Answer] = []
        late = threading.Thread(target=lambda: answers.append(self.drain(self.nodes[1], "bob")))
        late.start()
        time.sleep(LATE_S / 3)  # it is on its way for longer
        self.assertEqual(self.drain(self.nodes[0], "ada").status, 201)
        late.join()
        refused = answers[0]
        self.assertEqual((refused.status, refused.code), (409, "overtaken"), refused.raw)
        self.assertIn(f"user:root has given a command there at node {self.nodes[0].name} at ", refused.json["detail"])
        self.wait_live([("drain", "ada")], seconds=3)
        self.ways.spoil(["node1"], "")
        self.assertEqual(self.drain(self.nodes[1], "bob").status, 200)  # who has looked may
        self.wait_live([("drain", "bob")], seconds=3)

    def test_c_without_the_store_it_goes_to_each_node_and_later_there(self) -> None:
        self.stop_store()
        began = time.monotonic()
        self.assertEqual(self.drain(self.nodes[1], "bea").status, 201)
        self.assertLess(time.monotonic() - began, 2)  # it is known that the store is silent: nobody waits
        self.wait_live([("drain", "bea")], seconds=10)
        self.start_store()
        wait_for("it is in the store", lambda: self.stored().get("author") == "bea", 20)
        self.assertEqual(self.stored()["last"]["node"], self.nodes[1].name)

    def test_d_a_store_that_falls_silent_is_not_waited_for_long(self) -> None:
        """Nobody knows yet that it does not answer."""
        for member in self.etcd.members:
            member.kill(signal.SIGSTOP)
        began = time.monotonic()
        answer = self.drain(self.nodes[2], "cyn")
        took = time.monotonic() - began
        self.assertEqual(answer.status, 201, answer.raw)
        self.assertLess(took, 7)
        self.wait_live([("drain", "cyn")], seconds=10)
        self.start_store()
        wait_for("it is in the store", lambda: self.stored().get("author") == "cyn", 20)

    def test_e_of_two_that_know_nothing_of_each_other_the_later_is_in_force(self) -> None:
        """Neither the store nor other nodes can be asked. An event says whose command was overruled."""
        self.assertEqual(self.drain(self.nodes[2], "cyn").status, 201)
        self.wait_live([("drain", "cyn")])
        self.stop_store()
        self.part()
        time.sleep(2.5)  # what was under way between nodes
        for _ in range(3):  # more changes, but earlier
            self.assertEqual(self.drain(self.nodes[0], "ada").status, 200)
        time.sleep(0.1)  # the later one is later by this
        self.assertEqual(self.undrain(self.nodes[1], "bob").status, 200)
        self.assertEqual([self.live(n) for n in self.nodes], [[("drain", "ada")], [], [("drain", "cyn")]])
        self.start_store()  # by which they hear of each other
        self.wait_live([])
        self.assertIn(f"by ada at node {self.nodes[0].name}, until never, is overruled by", self.events(self.nodes[0]))
        wait_for("the store has the end", lambda: self.stored().get("ended"), 20)

    def test_f_two_that_were_made_apart_are_one(self) -> None:
        """Two drains of one site, each with an id of its own: the earlier is ended everywhere."""
        self.stop_store()
        self.part()
        time.sleep(2.5)  # what was under way between nodes
        self.assertEqual(self.drain(self.nodes[0], "ada").status, 201)
        time.sleep(0.1)  # the later one is later by this
        self.assertEqual(self.drain(self.nodes[1], "bob").status, 201)
        self.start_store()
        self.wait_live([("drain", "bob")])
        self.assertIn(f"is overruled by user:root at node {self.nodes[1].name}", self.events(self.nodes[0]))

    def test_g_a_node_that_lost_its_disk_has_them_from_the_store(self) -> None:
        self.part()
        self.assertEqual(self.drain(self.nodes[0], "ada").status, 201)
        node = self.nodes[2]
        node.stop(signal.SIGKILL)
        shutil.rmtree(node.state)
        os.mkdir(node.state)
        node.start()
        self.wait_live([("drain", "ada")], [node], 20)

    def test_i_of_two_at_once_the_second_sees_the_first(self) -> None:
        """The last two sites, one node, whose writes are late: a guard keeps one, as it does one after the other."""
        self.assertEqual(self.nodes[0].drain(SITES[2], author="ada").status, 201)
        self.ways.spoil(["node0"], "late")
        answers: list[Answer] = []
        both = [threading.Thread(target=lambda s=s: answers.append(self.nodes[0].drain(s, author="ada"))) for s in SITES[:2]]
        for one in both:
            one.start()
        for one in both:
            one.join()
        for site in SITES:
            self.nodes[2].command("undrain", {"site": site}, now=True)
        self.assertEqual(sorted((a.status, a.code or "") for a in answers), [(201, ""), (409, "guard")], [a.raw for a in answers])

    def test_h_what_is_no_override_harms_nothing(self) -> None:
        member = self.etcd.leader()
        for text in ("garbage", "{}", json.dumps({"id": "other-id"})):
            member.put(PREFIX + "override/x-1", text)
            member.put(PREFIX + "command/site/" + SITE, text)
        answer = self.drain(self.nodes[1], "bob")  # compared with what is there, whatever it is
        self.assertIn(answer.status, (201, 409), answer.raw)
        if answer.status == 409:
            self.assertEqual((answer.code, self.drain(self.nodes[1], "bob").status), ("overtaken", 201))
        self.wait_live([("drain", "bob")], seconds=5)
        self.assertEqual({n.ask("GET", "/v1/store").json["state"] for n in self.nodes}, {"ready"})


if __name__ == "__main__":
    counted.main()
