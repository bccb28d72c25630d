#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Versions of two nodes that share a store, which are tried at one of them first.

Usage: test_canary.py WEIR_MGMT
"""
from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import signal
import ssl
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
B1 = '{ name = "b1"; address = "10.1.1.11"; weight = '
WEIGHT = (B1 + "100", B1 + "50")  # of a pool at ams
INTERVAL = ('fast_interval = "200ms"', 'fast_interval = "300ms"')  # of a check, which each node may have its own way
PATCH = "application/merge-patch+json"
# a change, a place, and what a refusal says
REFUSED: tuple[tuple[tuple[str, str], str, str], ...] = (
    (("# two sites", "# other words"), "ams", "no setting differs, so nothing would be tried"),
    (('checks = (', 'checks = ( { name = "unused"; type = "tcp"; },'), "ams", "checks/unused has no effect at site/ams"),
    (WEIGHT, "node/ams-1", "pools/web-ams/backends/b1/weight cannot differ at node/ams-1: its smallest place is a site"),
    (WEIGHT, "ams-1", "cannot differ at node/ams-1"),
    (WEIGHT, "fra", "pools/web-ams/backends/b1/weight has no effect at site/fra"),
    (WEIGHT, "node/fra-1", "cannot differ at node/fra-1"),
    (WEIGHT, "lon", "it names no node and no site"),
    (WEIGHT, "site/ams-1", "it names no node and no site"),
    (WEIGHT, "", "it names no node and no site"),
    (('"k1"', '"k2"'), "ams", "cluster/hash_key_id cannot differ at site/ams: its smallest place is everywhere"),
    (("max_backends = 10", "max_backends = 11"), "ams", "pools/web-ams/max_backends cannot differ"),
    (('sites = ( { name = "ams"; }', 'sites = ( { name = "ams"; weight = 50; }'), "ams", "services/web/at/ams/weight cannot differ"),
    (('min = "1s"', 'min = "2s"'), "ams", "dns/names/www.shop.example/ttl/min_s cannot differ"),
    (('port = 80', 'port = 81'), "ams", "services/web/port cannot differ"),
    (('dns_listen = [ "192.0.2.53" ]', 'dns_listen = [ "192.0.2.54" ]'), "ams-1", "nodes/ams-1/dns_listen cannot differ"),
    (('tunnel_source = [ "10.2.255.0/24" ]', 'mtu = 1400; tunnel_source = [ "10.2.255.0/24" ]'), "ams-1", "nodes/fra-1/mtu has no effect at node/ams-1"),
    (('tunnel_source = [ "10.2.255.0/24" ]', 'mtu = 1400; tunnel_source = [ "10.2.255.0/24" ]'), "ams", "nodes/fra-1/mtu has no effect at site/ams"),
)
TAKEN: tuple[tuple[tuple[str, str], str, str], ...] = (
    (WEIGHT, "ams", "site/ams"), (WEIGHT, "site/ams", "site/ams"), (INTERVAL, "ams-1", "node/ams-1"), (INTERVAL, "node/fra-1", "node/fra-1"),
    (INTERVAL, "fra", "site/fra"),
    (('tunnel_source = [ "10.1.255.0/24" ]', 'mtu = 1400; tunnel_source = [ "10.1.255.0/24" ]'), "ams-1", "node/ams-1"),
    ((B1, '{ name = "b9"; address = "10.1.1.19"; weight = 1; }, ' + B1), "ams", "site/ams"))

MORE: tuple[dict[str, typing.Any], ...] = ({}, {"pending": "confirm"}, {"pending": "join"}, {"canary": "ams"}, {"canary": "ams", "pending": "join"})
WRONG: tuple[dict[str, typing.Any], ...] = ({"confirm_within": "none"}, {"canary": "x" * 70}, {"canary": 3},
                                             {"if_quiet": "go"}, {"if_quiet": "maybe", "confirm_if": "well for 5s"},
                                             {"if_quiet": "", "confirm_if": "well for 5s"}, {"if_quiet": "stay", "confirm_if": "well for 5s"},
                                             {"if_quiet": "go", "confirm_if": "well for 5s", "canary": None})


class Canary(unittest.TestCase):
    def setUp(self) -> None:
        self.apis = [f"https://127.0.0.1:{free_port()}" for _ in range(2)]
        text = config(*self.apis)
        self.ams, self.fra = self.nodes = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        self.etcd = self.enterContext(shared(*self.nodes))
        for node in self.nodes:
            self.addCleanup(node.close)
            node.start()
        answer = self.ams.apply(self.ams.files(), query="?wait=all")
        self.assertEqual((answer.status, answer.json["version"]["number"]), (201, 1), answer.raw)
        self.await_heads((1, "in_force"), (1, "in_force"))

    @staticmethod
    def head(node: Node) -> tuple[typing.Any, typing.Any]:
        v = node.ask("GET", "/v1/config").json
        return v["number"], v["state"]

    def await_heads(self, ams: tuple[int, str], fra: tuple[int, str], timeout_s: float = 20) -> None:
        wait_for("the heads", lambda: (self.head(self.ams), self.head(self.fra)) == (ams, fra), timeout_s)
        wait_for("agreement", lambda: [p["state"] for n in self.nodes for p in n.ask("GET", "/v1/peers").json["items"]] == ["agreed"] * 2)

    @staticmethod
    def weight(node: Node) -> int:
        return int(node.ask("GET", "/v1/pools/web-ams/backends/b1").json["weight"])

    def attempt(self, at: Node, change: tuple[str, str] = WEIGHT, canary: str = "ams", query: str = "?wait=all", **more: typing.Any) -> Answer:
        more = {"confirm_within": "60s", **more}
        return at.apply(at.files(*change), query=query, canary=canary, **more)

    def begin(self, at: Node, number: int = 2, **more: typing.Any) -> None:
        answer = self.attempt(at, **more)
        self.assertEqual((answer.status, answer.json["complete"]), (201, True), answer.raw)
        self.assertEqual((answer.json["version"]["canary"], answer.json["version"]["state"]), ("site/ams", "unconfirmed"), answer.raw)
        self.assertEqual(answer.json["rolls_back_to"], 1)
        self.await_heads((number, "unconfirmed"), (1, "in_force"))

    def confirm(self, node: Node, number: int = 2) -> Answer:
        return node.ask("POST", f"/v1/versions/{number}/confirm?wait=all", {"reason": "x"})

    def test_it_is_in_force_at_its_place_alone_until_it_is_confirmed(self) -> None:
        for number, (maker, confirmer) in enumerate(((self.fra, self.fra), (self.ams, self.fra), (self.fra, self.ams)), 1):
            with self.subTest(maker=maker.name, confirmer=confirmer.name):
                answer = maker.apply(maker.files(B1 + "100", B1 + str(100 - number)), query="?wait=all", canary="ams", confirm_within="60s")
                self.assertEqual((answer.status, answer.json["complete"]), (201, True), answer.raw)
                self.await_heads((number + 1, "unconfirmed"), (number, "in_force"))
                self.assertEqual((self.weight(self.ams), self.weight(self.fra)), (100 - number, 101 - number))
                for node in self.nodes:
                    planned = node.ask("POST", "/v1/config/plan", {"files": node.files(B1 + "100", B1 + "7"), "base": "unknown"})
                    self.assertEqual(planned.json["unconfirmed"]["canary"], "site/ams", planned.raw)
                    shown = next(v for v in node.ask("GET", "/v1/versions").json["items"] if v["number"] == number + 1)
                    self.assertEqual((shown["state"], shown["canary"]), ("unconfirmed", "site/ams"))
                    status = node.ask("GET", "/v1/status").raw.decode()
                    self.assertIn(f"version {number + 1} is tried at site/ams and not confirmed", status)
                    self.assertNotIn("peer-", status)
                confirmed = self.confirm(confirmer, number + 1)
                self.assertEqual((confirmed.status, confirmed.json["version"]["state"], confirmed.json["complete"]), (200, "in_force", True), confirmed.raw)
                self.await_heads((number + 1, "in_force"), (number + 1, "in_force"))
                self.assertEqual((self.weight(self.ams), self.weight(self.fra)), (100 - number,) * 2)
                wait_for("no reason is left", lambda: all("not confirmed" not in n.ask("GET", "/v1/status").raw.decode() for n in self.nodes))

    def test_any_node_takes_it_back(self) -> None:
        for number, node in enumerate(self.nodes, 2):
            self.begin(node, number)
            answer = node.ask("POST", "/v1/versions/1/rollback", {"reason": "no"}, {"If-Match": "*"})
            self.assertEqual(answer.status, 201, answer.raw)
            self.await_heads((1, "in_force"), (1, "in_force"))
            self.assertEqual((self.weight(self.ams), self.weight(self.fra)), (100, 100))
            answer = self.confirm(node, number)
            self.assertEqual((answer.status, answer.code), (409, "not-pending"), answer.raw)

    def test_it_goes_back_at_its_deadline_also_where_its_maker_is_dead(self) -> None:
        self.begin(self.fra, confirm_within="6s")
        self.fra.stop(signal.SIGKILL)
        wait_for("the end", lambda: self.head(self.ams) == (1, "in_force"), 20)
        self.fra.start()
        self.await_heads((1, "in_force"), (1, "in_force"))

    def test_a_later_change_is_refused_at_every_node_whatever_it_says(self) -> None:
        self.begin(self.fra)
        for node in self.nodes:
            for more in MORE:
                with self.subTest(node=node.name, more=more):
                    answer = node.apply(node.files(*INTERVAL), **more)
                    self.assertEqual((answer.status, answer.code), (409, "unconfirmed"), answer.raw)
                    self.assertIn("is not confirmed yet, is tried at site/ams and goes back", answer.json["detail"])
                    self.assertEqual((answer.json["version"]["number"], answer.json["rolls_back_to"]), (2, 1))
            edit = node.ask("PATCH", "/v1/checks/web?reason=x", {"rise": 3}, {"If-Match": "*", "Content-Type": PATCH})
            self.assertEqual((edit.status, edit.code), (409, "unconfirmed"), edit.raw)
            plan = node.ask("POST", "/v1/config/plan", {"files": node.files(*INTERVAL)})
            self.assertEqual((plan.status, plan.json["unconfirmed"]["version"]), (200, 2), plan.raw)
        self.await_heads((2, "unconfirmed"), (1, "in_force"))

    def test_it_is_made_on_nothing_that_is_open(self) -> None:
        self.assertEqual(self.ams.apply(self.ams.files(*INTERVAL), query="?wait=all", confirm_within="60s").status, 201)
        for pending in ("refuse", "join", "confirm"):
            answer = self.attempt(self.ams, pending=pending)
            self.assertEqual((answer.status, answer.code), (409, "unconfirmed"), answer.raw)

    def test_nodes_start_again_with_what_was_in_force_there(self) -> None:
        self.begin(self.fra)
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for node in self.nodes:
                node.stop(signal_number)
                node.start()
            self.await_heads((2, "unconfirmed"), (1, "in_force"))
        self.etcd.members[0].stop()
        for node in self.nodes:
            node.stop(signal.SIGKILL)
            node.start()
        self.assertEqual((self.head(self.ams)[0], self.head(self.fra)[0]), (2, 1))
        self.etcd.members[0].start("--initial-cluster-state", "existing")
        wait_for("the store", lambda: all(n.ask("GET", "/v1/store").json["state"] == "ready" for n in self.nodes), 60)
        self.await_heads((2, "unconfirmed"), (1, "in_force"), 60)
        self.assertEqual(self.confirm(self.ams).status, 200)
        self.await_heads((2, "in_force"), (2, "in_force"))

    def test_one_that_has_ended_never_was_elsewhere(self) -> None:
        self.begin(self.ams)
        self.assertEqual(self.ams.ask("POST", "/v1/versions/1/rollback", {"reason": "no"}, {"If-Match": "*"}).status, 201)
        self.await_heads((1, "in_force"), (1, "in_force"))
        self.fra.stop()
        self.fra.start()
        self.await_heads((1, "in_force"), (1, "in_force"))
        self.assertNotIn('"version 2 by', self.fra.ask("GET", "/v1/events?limit=200").raw.decode())
        answer = self.ams.apply(self.ams.files(*INTERVAL), query="?wait=all", confirm_within="none")
        self.assertEqual((answer.status, answer.json["version"]["number"]), (201, 3), answer.raw)
        self.await_heads((3, "in_force"), (3, "in_force"))

    def test_a_node_that_is_cut_off_hears_of_the_end_later(self) -> None:
        self.begin(self.fra, confirm_within="8s")
        self.fra.process.send_signal(signal.SIGSTOP)
        try:
            self.assertEqual(self.confirm(self.ams).status, 202)  # the other does not answer
            time.sleep(9)  # past the deadline
        finally:
            self.fra.process.send_signal(signal.SIGCONT)
        self.await_heads((2, "in_force"), (2, "in_force"), 60)

    def test_what_cannot_be_tried_there_is_refused_with_the_fields(self) -> None:
        for change, canary, text in REFUSED:
            for query in ("", "?dry_run=true"):
                with self.subTest(change=change[1], canary=canary):
                    answer = self.attempt(self.fra, change, canary, query)
                    self.assertEqual((answer.status, answer.code), (422, "canary"), answer.raw)
                    self.assertIn(text, answer.json["detail"])
                    self.assertEqual(len(answer.json["fields"]), answer.json["n_fields"])
        for more in WRONG:
            answer = self.attempt(self.fra, **more)
            self.assertEqual((answer.status, answer.code), (422, "invalid"), answer.raw)
        both = self.fra.files(*WEIGHT)
        both["weir.conf"] = both["weir.conf"].replace('"10.2.1.11"; weight = 100', '"10.2.1.11"; weight = 10')
        answer = self.fra.apply(both, canary="ams")
        self.assertEqual([(f["path"], f["least"], f["elsewhere"]) for f in answer.json["fields"]], [("pools/web-fra/backends/b1/weight", "a site", True)])
        self.assertEqual(self.head(self.fra), (1, "in_force"))

    def test_it_says_by_what_it_is_compared(self) -> None:
        for number, shown in enumerate((None, "back", "go"), 2):
            quiet: dict[str, typing.Any] = {"if_quiet": shown} if shown else {}
            answer = self.attempt(self.fra, confirm_if="well for 30s", **quiet)
            self.assertEqual((answer.status, answer.json["version"].get("if_quiet")), (201, shown), answer.raw)
            self.assertTrue(answer.json["plan"]["worse_if"].startswith("repeated SYNs 2 % of new flows, "), answer.raw)
            self.await_heads((number, "unconfirmed"), (1, "in_force"))
            self.assertEqual([n.ask("GET", f"/v1/versions/{number}").json.get("if_quiet") for n in self.nodes], [shown, shown])
            answer = self.ams.ask("POST", "/v1/versions/1/rollback", {"reason": "no"}, {"If-Match": "*"})
            self.assertEqual(answer.status, 201, answer.raw)
            self.await_heads((1, "in_force"), (1, "in_force"))
        self.assertNotIn("worse_if", self.fra.apply(self.fra.files(*WEIGHT), query="?dry_run=true").json["plan"])

    def test_what_can_be_tried_there_is_taken(self) -> None:
        for change, canary, place in TAKEN:
            with self.subTest(change=change[1], canary=canary):
                answer = self.attempt(self.fra, change, canary, "?dry_run=true")
                self.assertEqual((answer.status, answer.json["version"]["canary"]), (200, place), answer.raw)

    def test_edits_are_tried_there_too(self) -> None:
        query = "?reason=x&wait=all&confirm_within=60s&canary="
        for path, canary, code in (("pools/web-ams/backends/b1", "fra", "canary"), ("pools/web-ams/backends/b1", "ams", "")):
            answer = self.fra.ask("PATCH", f"/v1/{path}{query}{canary}", {"weight": 50}, {"If-Match": "*", "Content-Type": PATCH})
            self.assertEqual((answer.status, answer.json.get("code", "")), (422 if code else 201, code), answer.raw)
        self.await_heads((2, "unconfirmed"), (1, "in_force"))
        self.assertEqual((self.weight(self.ams), self.weight(self.fra)), (50, 100))

    def test_several_edits_are_tried_there_too(self) -> None:
        edits = [{"method": "PATCH", "path": "pools/web-ams/backends/b1", "if_match": "*", "value": {"weight": 50}}]
        for canary, code in (("fra", "canary"), ("ams", "")):
            answer = self.fra.ask("POST", "/v1/changes?wait=all", {"edits": edits, "reason": "x", "confirm_within": "60s", "canary": canary})
            self.assertEqual((answer.status, answer.json.get("code", "")), (422 if code else 201, code), answer.raw)
        self.assertEqual(answer.json["version"]["canary"], "site/ams")
        self.await_heads((2, "unconfirmed"), (1, "in_force"))
        self.assertEqual((self.weight(self.ams), self.weight(self.fra)), (50, 100))

    def test_what_changes_nothing_elsewhere_does_not_end_it(self) -> None:
        """A pipeline at a node of another site applies what is in force there, again and again."""
        self.begin(self.ams)
        own = {"If-Match": "*", "Content-Type": PATCH}
        for answer in (self.fra.apply(self.fra.files()), self.fra.apply(self.fra.files(), pending="join"), self.fra.apply(self.fra.files(), pending="confirm"),
                       self.fra.ask("PATCH", "/v1/pools/web-fra/backends/b1?reason=x", {"weight": 100}, own)):
            self.assertEqual((answer.status, answer.json["changed"]), (200, False), answer.raw)
        self.await_heads((2, "unconfirmed"), (1, "in_force"))

    def test_a_token_with_a_scope_does_not_end_anothers_from_elsewhere(self) -> None:
        for node in self.nodes:
            node.write("tokens", f"fra operator {hashlib.sha256(b'fra' * 8).hexdigest()} person=ada scope=pools:web-fra\n")
        self.begin(self.ams)
        context = ssl.create_default_context(cafile=os.path.join(self.fra.conf, "tls.crt"))
        for method, path, body in (("POST", "/v1/versions/1/rollback", {"reason": "x"}), ("POST", "/v1/versions/2/confirm", {"reason": "x"})):
            def ask(method: str = method, path: str = path, body: object = body) -> Answer:
                c = http.client.HTTPSConnection("127.0.0.1", int(self.apis[1].rpartition(":")[2]), timeout=60, context=context)
                return self.fra.send(c, method, path, body, {"Authorization": "Bearer " + "fra" * 8, "If-Match": "*"}, None)
            wait_for("the token is known", lambda: ask().status != 401)
            answer = ask()
            self.assertEqual((answer.status, answer.code), (403, "out-of-scope"), answer.raw)
        self.await_heads((2, "unconfirmed"), (1, "in_force"))

    def test_what_is_said_where_it_is_not_in_force(self) -> None:
        answer = self.attempt(self.fra)
        own = next(n for n in answer.json["nodes"] if n["node"] == "fra-1")
        self.assertEqual(own["detail"], "this node keeps version 1 until it is confirmed")
        self.await_heads((2, "unconfirmed"), (1, "in_force"))
        self.assertIsNone(self.fra.ask("GET", "/v1/status").json["version"]["confirm_by"])
        dry = self.fra.ask("POST", "/v1/versions/2/confirm?dry_run=true", {"reason": "x"})
        self.assertEqual((dry.status, dry.json["version"]["number"], dry.json["version"]["state"]), (200, 2, "unconfirmed"), dry.raw)

    def test_a_confirmation_waits_for_files_that_are_not_here_yet(self) -> None:
        self.begin(self.ams)
        self.fra.stop(signal.SIGKILL)
        shutil.rmtree(self.fra.state)
        os.mkdir(self.fra.state)
        self.fra.start()
        self.await_heads((2, "unconfirmed"), (1, "in_force"))
        answer = self.confirm(self.fra)
        self.assertEqual(answer.status, 200, answer.raw)
        self.assertTrue(answer.json["complete"], answer.raw)
        self.await_heads((2, "in_force"), (2, "in_force"))

    def test_the_only_node_tries_nothing(self) -> None:
        alone = Node(PROGRAM, "ams-1", self.ams.files()["weir.conf"].split("sites =")[0] + """sites = ( { name = "ams"; } );
nodes = ( { name = "ams-1"; site = "ams"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.1.255.0/24" ]; } );\n""")
        self.addCleanup(alone.close)
        alone.start()
        changed = alone.files("# two sites", "# other")
        changed["weir.conf"] = changed["weir.conf"].replace('tunnel_source', 'mtu = 1400; tunnel_source')
        for place in ("ams", "ams-1"):
            answer = alone.apply(changed, canary=place)
            self.assertEqual((answer.status, answer.code), (422, "canary"), answer.raw)
            self.assertIn("all nodes are of it", answer.json["detail"])


if __name__ == "__main__":
    counted.main()
