#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Unconfirmed versions of two nodes that share a store: what follows them, and who ends them.

Usage: test_unconfirmed.py WEIR_MGMT
"""
from __future__ import annotations

import re
import signal
import socket
import sys
import time
import typing
import unittest

import counted
from api_node import Node, config, free_port, wait_for
from shared_store import shared

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop(1)
HALF = ('{ name = "b1"; address = "10.1.1.11"; weight = 100; },', "")
FIRST = "# two sites"


class Unconfirmed(unittest.TestCase):
    def setUp(self) -> None:
        self.text = config(*(f"https://127.0.0.1:{free_port()}" for _ in range(2)))
        self.a, self.b = Node(PROGRAM, "ams-1", self.text), Node(PROGRAM, "fra-1", self.text)
        self.enterContext(shared(self.a, self.b))
        for node in (self.a, self.b):
            self.addCleanup(node.close)
            node.start()
        answer = self.a.apply(self.a.files(), query="?wait=all")
        self.assertEqual((answer.status, answer.json["version"]["number"]), (201, 1), answer.raw)
        wait_for("both have it", lambda: self.head(self.a) == self.head(self.b) == (1, "in_force"))

    @staticmethod
    def state(node: Node) -> typing.Any:
        items = node.ask("GET", "/v1/peers").json["items"]
        return items[0]["state"] if items else None

    @staticmethod
    def head(node: Node) -> tuple[typing.Any, typing.Any]:
        v = node.ask("GET", "/v1/config").json
        return v["number"], v["state"]

    def half(self, within: str = "3s") -> Answer:
        """Take a backend away at a, in force at both; returns the answer."""
        answer = self.a.apply(self.a.files(*HALF), query="?wait=all", confirm_within=within)
        self.assertEqual((answer.status, answer.json["complete"]), (201, True), answer.raw)
        return answer

    def confirm(self, node: Node, number: int) -> int:
        return node.ask("POST", f"/v1/versions/{number}/confirm", {"reason": "x"}).status

    def test_a_later_change_is_refused_at_every_node(self) -> None:
        self.half("60s")
        for node in (self.a, self.b):
            for answer in (node.apply(node.files(FIRST, "# other words")),
                           node.apply(node.files(FIRST, "# other words"), query="?dry_run=true")):
                self.assertEqual((answer.status, answer.code), (409, "unconfirmed"), answer.raw)
                self.assertTrue(0 < int(answer.headers["Retry-After"]) <= 60, answer.headers)
                self.assertEqual((answer.json["version"]["number"], answer.json["rolls_back_to"]), (2, 1))
            plan = node.ask("POST", "/v1/config/plan", {"files": node.files(FIRST, "# other words")})
            self.assertEqual(plan.status, 200)
            unconfirmed = plan.json["unconfirmed"]
            self.assertEqual((unconfirmed["version"], unconfirmed["author"], unconfirmed["rolls_back_to"]), (2, "root", 1))
            self.assertEqual(unconfirmed["confirm_by"], node.ask("GET", "/v1/versions/2").json["confirm_by"])
            for harmless in (node.files(), node.files(*HALF)):  # back to the last confirmed one, and what is in force
                plan = node.ask("POST", "/v1/config/plan", {"files": harmless})
                self.assertEqual((plan.status, "unconfirmed" in plan.json), (200, False), plan.raw)
        self.assertEqual(self.head(self.a), (2, "unconfirmed"))
        self.assertEqual(self.confirm(self.a, 2), 200)
        plan = self.a.ask("POST", "/v1/config/plan", {"files": self.a.files(FIRST, "# other words")})
        self.assertEqual((plan.status, "unconfirmed" in plan.json), (200, False), plan.raw)

    def test_any_node_confirms_when_the_first_is_dead(self) -> None:
        self.half()
        self.a.stop(signal.SIGKILL)
        self.assertEqual(self.confirm(self.b, 2), 200)
        time.sleep(4)  # longer than the deadline
        self.assertEqual(self.head(self.b), (2, "in_force"))
        self.a.start()  # its own deadline is over by now
        wait_for("the first hears of it", lambda: self.head(self.a) == (2, "in_force") and self.state(self.a) == "agreed")
        self.assertEqual(self.head(self.b), (2, "in_force"))

    def test_any_node_rolls_back_when_the_first_is_dead(self) -> None:
        self.half("60s")
        self.a.stop(signal.SIGKILL)
        answer = self.b.ask("POST", "/v1/versions/1/rollback", {"reason": "no"}, {"If-Match": "*"})
        self.assertEqual((answer.status, answer.json["version"]["state"]), (201, "in_force"), answer.raw)
        self.a.start()
        wait_for("agreement", lambda: self.head(self.a) == self.head(self.b) == (1, "in_force"))

    def test_the_deadline_ends_at_a_node_whose_first_is_dead(self) -> None:
        self.half()
        self.a.stop(signal.SIGKILL)
        wait_for("the end", lambda: self.head(self.b) == (1, "in_force"), 20)
        self.assertIn("10.1.1.11", self.b.ask("GET", "/v1/config").json["files"]["weir.conf"])
        self.a.start()
        wait_for("one version for both", lambda: self.state(self.a) == "agreed" and self.head(self.a) == (1, "in_force"))

    def test_a_rollback_reaches_a_peer_that_has_a_wrong_address_of_its_maker(self) -> None:
        own = re.search(r'ams-1.*?api = "(.*?)"', self.text, re.S)[1]
        with socket.create_server(("127.0.0.1", free_port())) as taken:
            wrong = f"https://127.0.0.1:{taken.getsockname()[1]}"
            self.a.apply(self.a.files(own, wrong), confirm_within="10m")
            wait_for("the end", lambda: self.head(self.a) == (1, "in_force"))
            wait_for("the peer has it", lambda: self.head(self.b) == (1, "in_force"))
        self.assertIn(own, self.b.ask("GET", "/v1/config").json["files"]["weir.conf"])
        wait_for("agreement", lambda: all(self.state(n) == "agreed" for n in (self.a, self.b)))

    def test_joined_versions_have_one_deadline_and_go_back_together(self) -> None:
        self.half("8s")
        answer = self.b.apply(self.b.files(FIRST, "# other words"), query="?wait=all", pending="join", confirm_within="4s")
        self.assertEqual((answer.status, answer.json["version"]["state"]), (201, "unconfirmed"), answer.raw)
        self.assertEqual(answer.json["rolls_back_to"], 1)
        self.assertEqual(self.confirm(self.a, 2), 409)
        first = self.a.ask("GET", "/v1/versions/1").json["digest"]
        for n in (self.a, self.b):
            wait_for("the end", lambda: self.head(n) == (1, "in_force"), 20)
            self.assertEqual(n.ask("GET", "/v1/config").json["digest"], first)

    def test_a_version_goes_back_where_not_all_nodes_are_well(self) -> None:
        """Here no other process of Weir runs, and all say so."""
        answer = self.a.apply(self.a.files(*HALF), query="?wait=all", confirm_within="6s", confirm_if="well for 1s")
        self.assertEqual((answer.status, answer.json["version"]["state"], answer.json["version"]["confirm_if"]),
                         (201, "unconfirmed", "well for 1s"), answer.raw)
        self.assertIn("once all nodes are well, which they are not now (ams-1: process-silent weir-", answer.raw.decode())
        self.assertEqual(self.b.ask("GET", "/v1/versions/2").json["confirm_if"], "well for 1s")
        for node, text in ((self.a, "it is confirmed once all nodes are well for 1s (now ams-1: process-silent weir-"),
                           (self.b, "ams-1 confirms it once all nodes are well for 1s: ")):
            wait_for("it says for what it waits", lambda n=node, t=text: t in n.ask("GET", "/v1/status").raw.decode())
        for node in (self.a, self.b):
            wait_for("the end", lambda n=node: self.head(n) == (1, "in_force"), 20)

    def test_confirming_joined_versions_at_the_other_node_keeps_both(self) -> None:
        self.half("8s")
        self.b.apply(self.b.files(FIRST, "# other words"), query="?wait=all", pending="join")
        self.assertEqual(self.confirm(self.a, 3), 200)
        time.sleep(9)  # longer than the deadline
        wait_for("both have it", lambda: self.head(self.a) == self.head(self.b) == (3, "in_force"))

    def test_confirm_pending_keeps_the_earlier_version_at_both(self) -> None:
        self.half("8s")
        text = self.a.files(*HALF)["weir.conf"].replace(FIRST, "# other words")
        answer = self.b.apply({**self.a.files(), "weir.conf": text}, query="?wait=all", pending="confirm")
        self.assertEqual((answer.status, answer.json["version"]["state"]), (201, "in_force"), answer.raw)
        time.sleep(9)  # longer than the deadline
        self.assertEqual((self.head(self.a), self.head(self.b)), ((3, "in_force"), (3, "in_force")))


if __name__ == "__main__":
    counted.main()
