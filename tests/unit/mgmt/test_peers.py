#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two nodes over TLS on loopback: fast-forward, merging, divergence, confirmation, equal member sets.

Usage: test_peers.py WEIR_MGMT
"""
import os
import re
import sys
import time
import unittest

from api_node import Node, config, free_port, wait_for

PROGRAM = sys.argv.pop(1)
HALF = ('{ name = "b1"; address = "10.1.1.11"; weight = 100; },', "")


class Peers(unittest.TestCase):
    def setUp(self):
        ports = free_port(), free_port()
        api_a, self.api_b = (f"https://127.0.0.1:{p}" for p in ports)
        text = config(api_a, self.api_b)
        self.a, self.b = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        for node in (self.a, self.b):
            self.addCleanup(node.close)
            node.start()

    def cut(self, yes):
        """A cut: the nodes do not know each other's token any more."""
        self.b.write("peer.token", ("q" if yes else "p") * 40 + "\n")
        wanted = "unreachable" if yes else "agreed"
        if yes:
            for n in (self.a, self.b):
                wait_for("the cut", lambda: n.ask("GET", "/v1/peers").json["items"][0]["state"] == wanted)

    def states(self, node):
        return sorted((o["target"]["site"], o["state"]) for o in node.ask("GET", "/v1/overrides").json["items"])

    def agreed(self):
        return all(n.ask("GET", "/v1/peers").json["items"][0:1] and n.ask("GET", "/v1/peers").json["items"][0]["state"] == "agreed" for n in (self.a, self.b))

    def head(self, node):
        v = node.ask("GET", "/v1/config").json
        return v["number"], v["digest"], v["effective"]

    def test_waiting_for_all_means_that_all_have_it(self):
        wait_for("agreement", self.agreed)
        a = self.a.apply(self.a.files("# two sites", "# one"), query="?wait=all")
        self.assertEqual((a.status, [n["state"] for n in a.json["nodes"]]), (201, ["in_force", "agreed"]))
        self.assertEqual(self.head(self.a), self.head(self.b))
        a = self.b.drain(query="?wait=all")
        self.assertEqual((a.status, a.json["complete"]), (201, True))
        self.assertEqual(self.states(self.a), [("ams", "drained")])
        self.b.stop()
        a = self.a.command("undrain", {"site": "ams"}, query="?wait=all&wait_ms=2500", now=True)
        self.assertEqual((a.status, a.json["complete"], a.json["nodes"][1]["state"]), (202, False, "unreachable"))
        self.b.start()
        wait_for("the end of the drain", lambda: self.states(self.b) == [])

    def test_drains_taken_on_both_sides_of_a_cut_both_survive_it(self):
        wait_for("agreement", self.agreed)
        self.cut(True)
        self.a.drain("ams")
        self.b.drain("ams", reason="the other one")
        self.cut(False)
        start = time.monotonic()
        wait_for("both", lambda: len(self.states(self.a)) == 2 and self.states(self.a) == self.states(self.b))
        self.assertLess(time.monotonic() - start, 10)
        a = self.a.command("undrain", {"site": "ams"}, query="?wait=all", now=True)
        self.assertEqual((a.status, self.states(self.b)), (200, []))

    def test_a_peer_that_left_the_document_leaves_no_file_behind(self):
        def files():
            return sorted(f for f in os.listdir(self.a.run) if f.startswith("view-"))
        wait_for("the peer's page", lambda: files() == ["view-fra-1.page", "view-fra-1.page.lock"])
        self.a.apply(self.a.files(f'api = "{self.api_b}";', ""))
        wait_for("its end", lambda: files() == [])

    def test_unrelated_heads_are_shown_as_diverged_and_a_person_picks(self):
        wait_for("agreement", self.agreed)
        self.cut(True)
        self.a.apply(self.a.files("# two sites", "# one"))
        self.b.apply(self.b.files("# two sites", "# two"))
        self.cut(False)
        for n in (self.a, self.b):
            wait_for("divergence", lambda: n.ask("GET", "/v1/peers").json["items"][0]["state"] == "diverged")
        self.assertEqual(self.a.ask("GET", "/v1/status").json["state"], "degraded")
        a = self.a.apply(self.a.files("# two sites", "# three"))
        self.assertEqual((a.status, a.code), (409, "diverged"))
        heads = [h["digest"] for h in a.json["heads"]]
        self.assertEqual(heads, [self.head(self.b)[1]])
        a = self.a.ask("POST", "/v1/versions/2/rollback?wait=all", {"reason": "ours", "force": heads}, {"If-Match": "*"})
        self.assertEqual((a.status, a.json["complete"]), (201, True), a.raw)
        self.assertEqual(self.head(self.a), self.head(self.b))
        self.assertIn("# one", self.b.ask("GET", "/v1/config").json["files"]["weir.conf"])

    def test_a_confirmation_on_the_other_node_counts(self):
        wait_for("agreement", self.agreed)
        self.a.apply(self.a.files(*HALF), query="?wait=all", confirm_within="4s")
        self.assertEqual(self.b.ask("POST", "/v1/versions/2/confirm", {}).status, 200)
        time.sleep(5)
        self.assertEqual((self.head(self.a)[0], self.head(self.b)[0]), (2, 2))

    def test_two_nodes_compose_the_same_member_sets(self):
        wait_for("agreement", self.agreed)
        self.a.apply(self.a.files('address = "10.1.1.12"; weight = 100', 'address = "10.1.1.12"; weight = 30'), query="?wait=all")
        self.b.command("drain", {"pool": "web-ams", "backend": "b1"}, until="never", over="10m", query="?wait=all")
        time.sleep(2.5)
        wait_for("the same sets", lambda: self.sets(self.a) == self.sets(self.b))
        self.assertIn("weight = 0;", self.sets(self.a))

    @staticmethod
    def sets(node):
        """The member sets; each node has begun with version 1 by itself, so that instant is its own."""
        text = re.search(r"member_sets = .*?overrides", node.effective(), re.S)[0]
        return text.replace(node.ask("GET", "/v1/versions/1").json["time"], "START")


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(bool(failed))
