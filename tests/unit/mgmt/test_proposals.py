#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changes that a gate asks other persons to approve: who may propose, approve, withdraw and use, and what for.

Usage: test_proposals.py WEIR_MGMT
"""
from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import os
import signal
import ssl
import sys
import typing
import unittest

import counted
from api_node import Node, config, free_port, freeze, wait_for
from shared_store import shared

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop()
PATCH = "application/merge-patch+json"
WHO = {"ada1": "operator person=ada", "ada2": "admin person=ada", "bob": "operator person=bob", "carol": "operator person=carol", "root": "admin person=root",
       "nobody": "admin", "bea": "operator person=bea", "limited": "operator person=dan scope=pools:web-*", "viewer": "viewer person=eve"}
TOKENS = "".join(f"{name} {words.split()[0]} {hashlib.sha256((name * 8).encode()).hexdigest()} {' '.join(words.split()[1:])}\n" for name, words in WHO.items())
GATE = 'gates = ( { name = "two"; scope = "pools:web-ams"; approvals = %u; } );\n'
BACKEND = "pools/web-ams/backends/b1"


class Proposals(unittest.TestCase):
    n_approvals = 1

    def setUp(self) -> None:
        self.port = free_port()
        text = config().replace('dns_listen = [ "192.0.2.53" ];', f'dns_listen = [ "192.0.2.53" ]; api = "https://127.0.0.1:{self.port}";')
        self.node = Node(PROGRAM, text=text + GATE % self.n_approvals)
        self.addCleanup(self.node.close)
        self.node.write("tokens", TOKENS)
        self.node.start()
        self.context = ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))
        wait_for("TCP", lambda: "api-served" in self.node.log())

    def ask(self, name: str, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context)
        return self.node.send(c, method, path, body, {"Authorization": f"Bearer {name * 8}", **(headers or {})}, None)

    def edit(self, name: str, weight: int, query: str = "", path: str = BACKEND) -> Answer:
        return self.ask(name, "PATCH", f"/v1/{path}?reason=x&wait_ms=0&confirm_within=none{query}", {"weight": weight},
                        {"If-Match": "*", "Content-Type": PATCH})

    def whole(self, name: str, text: str, query: str = "", **more: object) -> Answer:
        files = {**self.node.ask("GET", "/v1/config").json["files"], "weir.conf": text}
        return self.ask(name, "POST", "/v1/config/apply?wait_ms=0" + query, {"files": files, "reason": "x", "confirm_within": "none", "replace": True, **more}, {"If-Match": "*"})

    def text(self) -> str:
        return typing.cast(str, self.node.ask("GET", "/v1/config").json["files"]["weir.conf"])

    def propose(self, name: str, weight: int) -> str:
        answer = self.edit(name, weight, "&propose=true")
        self.assertEqual(answer.status, 202, answer.raw)
        return typing.cast(str, answer.json["proposal"]["id"])

    def decide(self, name: str, proposal: str, verb: str = "approve", query: str = "") -> Answer:
        return self.ask(name, "POST", f"/v1/proposals/{proposal}/{verb}?wait_ms=0{query}", {"reason": "read it"})

    def roll_back(self, name: str, to: int, query: str = "", **more: str) -> Answer:
        return self.ask(name, "POST", f"/v1/versions/{to}/rollback?wait_ms=0{query}", {"reason": "x", "confirm_within": "none", **more}, {"If-Match": "*"})

    def refused(self, answer: Answer, status: int, code: str, text: str = "") -> None:
        self.assertEqual((answer.status, answer.code), (status, code), answer.raw)
        self.assertIn(text, answer.json["detail"])

    def state(self, proposal: str) -> str:
        return typing.cast(str, self.ask("viewer", "GET", f"/v1/proposals/{proposal}").json["state"])

    def head(self) -> int:
        return typing.cast(int, self.node.ask("GET", "/v1/config").json["number"])

    def weight(self) -> int:
        return typing.cast(int, self.ask("viewer", "GET", "/v1/" + BACKEND).json["weight"])


class One(Proposals):
    def test_another_person_approves_what_was_proposed_and_it_is_made_once(self) -> None:
        answer = self.edit("ada1", 90)
        self.refused(answer, 409, "gate", "gate two asks for 1 other person to approve")
        self.assertEqual((answer.json["gate"], answer.json["approvals"]), ("two", 1))
        self.assertNotIn("until", answer.json)
        answer = self.edit("ada1", 90, "&propose=true")
        self.assertEqual(answer.status, 202, answer.raw)
        said = answer.json["proposal"]
        self.assertEqual((said["state"], said["gate"], said["needed"], said["person"], said["principal"], said["base"], said["approvals"]),
                         ("waiting", "two", 1, "ada", "token:ada1 (ada)", 1, []))
        self.assertEqual(said["changes"], ["changed pools/web-ams/backends/b1/weight: 100 -> 90"])
        one = said["id"]
        self.assertEqual([p["id"] for p in self.ask("viewer", "GET", "/v1/proposals").json["items"]], [one])
        self.refused(self.edit("ada1", 90, f"&proposal={one}"), 409, "proposal", "has too few approvals (approvals: 0 of 1)")
        for own in ("ada1", "ada2"):
            self.refused(self.decide(own, one), 403, "own-proposal", "ada proposed it")
        self.refused(self.decide("nobody", one), 403, "no-person")
        self.refused(self.decide("viewer", one), 403, "forbidden")
        self.refused(self.decide("limited", one), 403, "out-of-scope")
        self.assertEqual(self.state(one), "waiting")
        self.assertEqual(self.decide("bob", one, query="&dry_run=true").json["state"], "approved")
        self.assertEqual(self.state(one), "waiting")
        for _ in range(2):
            approved = self.decide("bob", one)
            self.assertEqual((approved.status, approved.json["state"]), (200, "approved"), approved.raw)
            self.assertEqual([(a["person"], a["principal"], a["reason"]) for a in approved.json["approvals"]], [("bob", "token:bob (bob)", "read it")])
        self.refused(self.edit("ada1", 91, f"&proposal={one}"), 409, "proposal", "is of another change than this one")
        self.refused(self.edit("ada1", 90), 409, "gate")
        self.assertEqual((self.head(), self.weight()), (1, 100))
        self.assertEqual(self.edit("ada1", 90, f"&proposal={one}&dry_run=true").status, 200)
        self.assertEqual((self.head(), self.state(one)), (1, "approved"))
        made = self.edit("ada1", 90, f"&proposal={one}")
        self.assertEqual((made.status, *(made.json["version"][n] for n in ("proposed_by", "approved_by", "proposal"))), (201, "ada", "bob", one), made.raw)
        self.assertEqual((self.head(), self.weight()), (2, 90))
        self.assertEqual(self.ask("viewer", "GET", "/v1/versions?limit=1").json["items"][0]["approved_by"], "bob")
        self.refused(self.edit("ada1", 91, f"&proposal={one}"), 409, "proposal", "there is no proposal")
        self.assertEqual(self.ask("viewer", "GET", f"/v1/proposals/{one}").status, 404)
        back = self.roll_back("ada1", 1)
        self.assertEqual((back.status, self.weight()), (201, 100), "no gate keeps anybody from going back")

    def make_approved(self) -> None:
        """Version 2, which others approved, waits to be confirmed."""
        one = self.propose("ada1", 90)
        self.decide("bob", one)
        made = self.ask("ada1", "PATCH", f"/v1/{BACKEND}?reason=x&wait_ms=0&confirm_within=10m&proposal={one}", {"weight": 90},
                        {"If-Match": "*", "Content-Type": PATCH})
        self.assertEqual((made.status, self.weight()), (201, 90), made.raw)

    def test_what_ended_is_no_way_past_a_gate(self) -> None:
        """It was approved, and went back: who approved it is asked again before it stays."""
        self.make_approved()
        self.assertEqual((self.roll_back("ada1", 1).status, self.weight()), (201, 100))
        for query in ("", "&dry_run=true"):
            self.refused(self.roll_back("ada1", 2, query), 409, "gate", "gate two asks for 1 other person")
        self.refused(self.roll_back("ada1", 2, without_gates="two"), 422, "invalid")
        answer = self.roll_back("ada1", 2, "&propose=true")
        self.assertEqual(answer.status, 202, answer.raw)
        self.assertEqual(self.weight(), 100)
        two = answer.json["proposal"]["id"]
        self.decide("carol", two)
        made = self.roll_back("ada1", 2, f"&proposal={two}")
        said = made.json["version"]
        self.assertEqual((made.status, said["rolled_back_to"], said["approved_by"], self.weight()), (201, 2, "carol", 90), made.raw)
        self.assertEqual(self.roll_back("ada1", 1).json["version"]["rolled_back_to"], 1)
        self.assertEqual(self.roll_back("ada1", said["number"]).status, 201, "this one stayed")
        self.assertEqual(self.roll_back("ada1", 1).status, 201)
        self.assertIn("of this version nothing says so here", self.roll_back("ada1", 2).json["detail"])
        said = self.roll_back("root", 2, without_gates="two").json["version"]
        self.assertEqual((said["rolled_back_to"], said["without_gates"]), (2, "two"))

    def test_a_plan_of_the_way_back_warns_of_no_gate(self) -> None:
        before = self.node.ask("GET", "/v1/config").json["files"]
        self.make_approved()
        for weight, warned in ((100, 0), (80, 1)):
            files = {**before, "weir.conf": before["weir.conf"].replace('address = "10.1.1.11"; weight = 100', f'address = "10.1.1.11"; weight = {weight}')}
            plan = self.ask("ada1", "POST", "/v1/config/plan", {"files": files, "base": "unknown"})
            self.assertEqual((sum("gate two" in w for w in plan.json["plan"]["warnings"]), "unconfirmed" in plan.json), (warned, bool(warned)), plan.raw)
        self.assertEqual(self.ask("ada1", "POST", "/v1/versions/2/confirm", {"reason": "it serves well"}).status, 200)
        self.assertTrue(any(e["message"].startswith("version 2 confirmed") and e["message"].endswith(": it serves well")
                            for e in self.node.ask("GET", "/v1/events?limit=20").json["items"]))

    def test_who_names_no_person_proposes_nothing(self) -> None:
        self.refused(self.edit("nobody", 90, "&propose=true"), 403, "no-person")
        answer = self.node.ask("PATCH", f"/v1/{BACKEND}?reason=x&propose=true", {"weight": 90}, headers={"If-Match": "*", "Content-Type": PATCH})
        self.refused(answer, 403, "no-person")
        answer = self.edit("ada1", 90, "&propose=true&proposal=x")
        self.refused(answer, 422, "invalid")
        self.assertEqual(answer.json["errors"], [{"field": "propose", "detail": "cannot be combined with proposal or dry_run"}])
        self.refused(self.edit("ada1", 90, "&propose=true&dry_run=true"), 422, "invalid")
        self.refused(self.edit("ada1", 90, "&propose=maybe"), 400, "bad-request")
        self.refused(self.edit("ada1", 90, "&proposal=" + "x" * 200), 409, "proposal", "there is no proposal")
        self.assertEqual(self.ask("viewer", "GET", "/v1/proposals").json["items"], [])

    def test_what_no_gate_asks_for_is_not_proposed(self) -> None:
        other = "pools/web-fra/backends/b1"
        self.refused(self.edit("ada1", 90, "&propose=true", other), 409, "not-gated", "no gate asks for an approval")
        self.refused(self.edit("ada1", 100, "&propose=true"), 409, "not-gated", "this changes nothing")
        self.assertEqual(self.edit("ada1", 90, path=other).status, 201)

    def test_a_proposal_is_good_for_one_version_alone(self) -> None:
        one = self.propose("ada1", 90)
        self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.assertEqual(self.edit("carol", 90, path="pools/web-fra/backends/b1").status, 201)
        self.assertEqual(self.state(one), "outdated")
        self.refused(self.edit("ada1", 90, f"&proposal={one}"), 409, "proposal", "another version than is in force")
        self.refused(self.decide("carol", one), 409, "proposal")
        two = self.propose("ada1", 90)
        self.assertEqual([p["id"] for p in self.ask("viewer", "GET", "/v1/proposals").json["items"]], [two], "what is over goes with the next")

    def test_who_proposed_it_withdraws_it_or_an_admin(self) -> None:
        one, two = self.propose("ada1", 90), self.propose("ada1", 91)
        self.refused(self.decide("bob", one, "withdraw"), 403, "forbidden")
        self.assertEqual(self.decide("ada1", one, "withdraw", "&dry_run=true").json["state"], "withdrawn")
        self.assertEqual(self.state(one), "waiting")
        self.assertEqual(self.decide("ada1", one, "withdraw").json["state"], "withdrawn")
        self.assertEqual(self.decide("root", two, "withdraw").json["state"], "withdrawn")
        self.refused(self.decide("bob", one), 409, "proposal", "was withdrawn")
        self.refused(self.edit("ada1", 90, f"&proposal={one}"), 409, "proposal", "was withdrawn")
        self.refused(self.decide("bob", "none"), 404, "not-found")

    def test_the_gate_itself_is_weakened_with_an_approval_alone(self) -> None:
        for name, value in (("approvals", 0), ("scope", "pools:none"), ("until", "2020-01-01T00:00:00Z")):
            answer = self.ask("ada2", "PATCH", "/v1/gates/two?reason=x&wait_ms=0&confirm_within=none", {name: value, **({"from": "2019-01-01T00:00:00Z", "until": "2020-01-01T00:00:00Z"} if not value else {})},
                              {"If-Match": "*", "Content-Type": PATCH})
            self.refused(answer, 409, "gate")
        self.refused(self.ask("ada2", "DELETE", "/v1/gates/two?reason=x&wait_ms=0&confirm_within=none", None, {"If-Match": "*"}), 409, "gate")
        self.refused(self.whole("ada2", self.text().replace(GATE % 1, "")), 409, "gate")
        passed = self.ask("ada2", "DELETE", "/v1/gates/two?reason=x&wait_ms=0&confirm_within=none&without_gates=two", None, {"If-Match": "*"})
        self.assertEqual((passed.status, passed.json["version"]["without_gates"]), (201, "two"), passed.raw)
        self.assertEqual(self.edit("ada1", 90).status, 201)

    def test_what_only_time_opens_no_person_approves(self) -> None:
        shut = 'gates = ( { name = "ever"; from = "2020-01-01T00:00:00Z"; until = "never"; }, '
        self.assertEqual(self.whole("ada2", self.text().replace("gates = ( ", shut)).status, 201)
        one = self.edit("ada1", 90, "&propose=true")
        self.refused(one, 409, "gate", "gate ever refuses such changes until never")
        self.refused(self.edit("ada1", 90), 409, "gate", "gate ever")

    def test_whole_texts_and_several_edits_are_proposed_alike(self) -> None:
        text = self.text().replace('"10.1.1.11"; weight = 100', '"10.1.1.11"; weight = 70')
        answer = self.whole("ada1", text, "&propose=true")
        self.assertEqual((answer.status, self.head()), (202, 1), answer.raw)
        one = answer.json["proposal"]["id"]
        self.assertEqual(self.decide("bob", one).status, 200)
        edits = {"edits": [{"method": "PATCH", "path": BACKEND, "value": {"weight": 70}, "if_match": "*"}], "reason": "x", "confirm_within": "none"}
        made = self.ask("carol", "POST", f"/v1/changes?wait_ms=0&proposal={one}", edits)
        self.assertEqual((made.status, self.weight()), (201, 70), made.raw)
        self.assertEqual(made.json["version"]["approved_by"], "bob")

    def test_proposals_are_kept_and_bounded(self) -> None:
        """All together, and those of a person."""
        ids = [self.propose(name, 101 + i) for name in ("ada1", "bob", "carol", "limited") for i in range(16) if name != "limited" or i < 15]
        self.refused(self.edit("ada2", 90, "&propose=true"), 409, "too-many", "ada has 16 proposals")
        ids.append(self.propose("bea", 300))
        self.refused(self.edit("bea", 90, "&propose=true"), 409, "too-many", "64 proposals")
        self.node.stop()
        self.node.start()
        wait_for("TCP", lambda: self.node.log().count("api-served") > 1)
        self.assertEqual(sorted(p["id"] for p in self.ask("viewer", "GET", "/v1/proposals").json["items"]), sorted(ids))
        self.assertEqual(self.decide("limited", ids[-2], "withdraw").json["withdrawn_by"], "token:limited (dan)", "also with a scope, of one's own")
        self.propose("bea", 90)
        self.refused(self.edit("bea", 91, "&propose=true"), 409, "too-many")

    def test_what_is_approved_can_be_read(self) -> None:
        """What is cut says so, and how much there is."""
        addresses = ", ".join(f'"203.0.113.{i}"' for i in range(100, 116))
        text = self.text().replace('addresses = [ "203.0.113.10" ]', f"addresses = [ {addresses} ]")
        text = text.replace('"10.1.1.11"; weight = 100', '"10.1.1.11"; weight = 70')
        text = text.replace("checks = ( ", "checks = ( " + "".join(f'{{ name = "a{i}"; type = "tcp"; }}, ' for i in range(30)))
        said = self.whole("ada1", text, "&propose=true").json["proposal"]
        self.assertEqual((len(said["changes"]), said["changes_all"]), (24, 32))
        one = self.whole("ada1", self.text().replace('"10.1.1.11"; weight = 100', '"10.1.1.11"; weight = 70').replace('addresses = [ "203.0.113.10" ]', f"addresses = [ {addresses} ]"),
                         "&propose=true").json["proposal"]
        line = next(c for c in one["changes"] if "addresses" in c)
        self.assertRegex(line, r"^changed vips/shop-ams/addresses: 203\.0\.113\.10 -> 203\.0\.113\.100.*\.\.\.$")
        self.assertLess(len(line), 200)
        self.assertEqual(len(one["risks"]), min(6, one["risks_all"]))
        self.assertIn("entries-gone", one["risks"][0])

    def test_the_key_is_part_of_what_is_approved(self) -> None:
        """It is in no file of a version: what its file has may be another when the change is made."""
        self.node.write("other.key", "ff112233445566778899aabbccddeeff\n")
        text = self.text().replace('hash_key_file = "hash.key"; hash_key_id = "k1"', 'hash_key_file = "other.key"; hash_key_id = "k2"')
        one = self.whole("ada1", text, "&propose=true").json["proposal"]["id"]
        self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.node.write("other.key", "0f112233445566778899aabbccddeeff\n")
        self.refused(self.whole("ada1", text, f"&proposal={one}"), 409, "proposal", "the hash key, or the canary, is another")
        self.node.write("other.key", "ff112233445566778899aabbccddeeff\n")
        self.assertEqual(self.whole("ada1", text, f"&proposal={one}").status // 100, 2)

    def test_a_user_of_the_node_is_a_person_and_root_is_none(self) -> None:
        one = self.propose("ada1", 90)
        body = {"reason": "read it"}
        self.refused(self.node.ask("POST", f"/v1/proposals/{one}/approve", body), 403, "no-person")
        os.chmod(self.node.dir.name, 0o755)
        os.chmod(os.path.join(self.node.run, "api.sock"), 0o666)
        os.seteuid(65534)
        try:
            answer = self.node.ask("POST", f"/v1/proposals/{one}/approve", body)
            own = self.node.ask("PATCH", f"/v1/{BACKEND}?reason=x&propose=true", {"weight": 80}, headers={"If-Match": "*", "Content-Type": PATCH})
        finally:
            os.seteuid(0)
        self.assertEqual((answer.status, answer.json["approvals"][0]["person"], answer.json["approvals"][0]["principal"]), (200, "nobody", "user:nobody"), answer.raw)
        self.assertEqual((own.status, own.json["proposal"]["person"]), (202, "nobody"), own.raw)

    def test_a_plan_that_changed_leaves_no_proposal(self) -> None:
        edits = {"edits": [{"method": "PATCH", "path": BACKEND, "value": {"weight": 70}, "if_match": "*"}], "reason": "x", "confirm_within": "none", "token": "0" * 16}
        self.refused(self.ask("ada1", "POST", "/v1/changes?wait_ms=0&propose=true", edits), 409, "gate")
        self.assertEqual(self.ask("viewer", "GET", "/v1/proposals").json["items"], [])

    def test_the_audit_log_names_the_proposal(self) -> None:
        one = self.propose("ada1", 90)
        line = next(i for i in self.ask("root", "GET", "/v1/audit").json["items"] if i["kind"] == "change" and i["who"] == "token:ada1 (ada)")
        self.assertEqual((line["result"], line["status"]), (one, 202))

    def test_a_fourth_person_is_not_told_that_this_counts(self) -> None:
        one = self.propose("ada1", 90)
        for name in ("bob", "carol", "root"):
            self.assertEqual(self.decide(name, one).status, 200)
        self.refused(self.decide("bea", one), 409, "proposal", "no room for more")
        self.assertEqual(self.decide("bob", one).status, 200, "who has approved it has")


class Two(Proposals):
    n_approvals = 2

    def test_each_person_counts_once(self) -> None:
        one = self.propose("ada1", 90)
        for _ in range(2):
            self.assertEqual(self.decide("bob", one).json["state"], "waiting")
        self.refused(self.edit("ada1", 90, f"&proposal={one}"), 409, "proposal", "approvals: 1 of 2")
        self.assertEqual(self.decide("carol", one).json["state"], "approved")
        self.assertEqual(self.edit("ada1", 90, f"&proposal={one}").json["version"]["approved_by"], "bob, carol")


class Shared(Proposals):
    def setUp(self) -> None:
        self.ports = [free_port() for _ in range(2)]
        text = config(*(f"https://127.0.0.1:{port}" for port in self.ports)) + GATE % 1
        self.nodes = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        self.etcd = self.enterContext(shared(*self.nodes))
        for node in self.nodes:
            self.addCleanup(node.close)
            node.write("tokens", TOKENS)
            node.start()
            wait_for("TCP", lambda: "api-served" in node.log())  # noqa: B023
        self.turn(0)
        self.context = ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))
        answer = self.node.apply(self.node.files(), query="?wait=all", confirm_within="none")
        self.assertEqual(answer.status, 201, answer.raw)
        wait_for("both have it", lambda: all(n.ask("GET", "/v1/config").json["number"] == 1 for n in self.nodes))

    def turn(self, i: int) -> None:
        self.node, self.port = self.nodes[i], self.ports[i]

    def listed(self) -> list[tuple[str, str]]:
        return [(p["id"], p["state"]) for p in self.ask("viewer", "GET", "/v1/proposals").json["items"]]

    def test_what_is_proposed_at_one_node_is_approved_at_another(self) -> None:
        one = self.propose("ada1", 90)
        self.turn(1)
        wait_for("it is there", lambda: self.listed() == [(one, "waiting")])
        self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.turn(0)
        wait_for("so is the approval", lambda: self.listed() == [(one, "approved")])
        made = self.edit("ada1", 90, f"&proposal={one}")
        self.assertEqual((made.status // 100, made.json["version"]["approved_by"]), (2, "bob"), made.raw)
        self.turn(1)
        wait_for("it is used", lambda: self.weight() == 90 and not self.listed())

    def test_where_it_is_tried_is_part_of_what_is_approved(self) -> None:
        def make(query: str) -> Answer:
            return self.ask("ada1", "PATCH", f"/v1/{BACKEND}?reason=x&wait_ms=0&confirm_within=60s{query}", {"weight": 90}, {"If-Match": "*", "Content-Type": PATCH})
        one = make("&propose=true&canary=ams").json["proposal"]["id"]
        self.assertEqual(self.ask("viewer", "GET", f"/v1/proposals/{one}").json["canary"], "site/ams")
        self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.refused(make(f"&proposal={one}"), 409, "proposal", "the hash key, or the canary, is another")
        made = make(f"&proposal={one}&canary=site/ams")
        self.assertEqual((made.status // 100, made.json["version"]["canary"], made.json["version"]["approved_by"]), (2, "site/ams", "bob"), made.raw)
        number = made.json["version"]["number"]
        wait_for("it is in force here", lambda: self.weight() == 90)
        self.assertEqual(self.roll_back("ada1", 1).status, 201)
        wait_for("it went back", lambda: self.weight() == 100)
        self.refused(self.roll_back("ada1", number), 409, "gate", "gate two asks for")

    def test_a_proposal_that_was_withdrawn_elsewhere_is_not_used(self) -> None:
        """The node that uses it may not know yet: the store does."""
        one = self.propose("ada1", 90)
        self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.turn(1)
        wait_for("it is there", lambda: self.listed() == [(one, "approved")])
        self.assertEqual(self.decide("ada2", one, "withdraw").status, 200)
        self.turn(0)
        answer = self.edit("ada1", 90, f"&proposal={one}")
        self.assertIn((answer.status, answer.code), [(409, "proposal"), (412, "stale"), (503, "busy")], answer.raw)
        self.assertEqual((self.head(), self.weight()), (1, 100))

    def test_a_node_that_is_behind_lets_nobody_past_gates_that_it_does_not_know(self) -> None:
        """The version that is to be in force is not here: what is approved here may be of another base, and its gates are unknown."""
        one = self.propose("ada1", 90)
        self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.turn(1)
        wait_for("it is there", lambda: self.listed() == [(one, "approved")])
        behind = self.text()
        assert self.nodes[1].process and self.nodes[0].process
        freeze(self.nodes[1].process)
        self.turn(0)
        wider = self.text().replace('scope = "pools:web-ams"; ', "").replace('"10.2.1.11"; weight = 100', '"10.2.1.11"; weight = 7')
        answer = self.whole("root", wider, without_gates="two")
        self.assertEqual(answer.status // 100, 2, answer.raw)
        self.nodes[0].stop(signal.SIGKILL)
        self.nodes[1].process.send_signal(signal.SIGCONT)
        self.turn(1)
        wait_for("it has heard of it", lambda: self.edit("ada1", 90, f"&proposal={one}").code == "not-here")
        for query in ("", "&dry_run=true"):
            self.refused(self.edit("carol", 60, query, "pools/web-fra/backends/b1"), 412, "not-here")
        approved = behind.replace('"10.1.1.11"; weight = 100', '"10.1.1.11"; weight = 90')
        self.refused(self.whole("ada1", approved, f"&proposal={one}"), 403, "forbidden", "its gates are not known here")
        self.refused(self.whole("root", approved, f"&proposal={one}"), 403, "forbidden", "without a proposal")
        self.refused(self.whole("carol", behind.replace('"10.2.1.11"; weight = 100', '"10.2.1.11"; weight = 55')), 403, "forbidden")
        made = self.whole("root", approved)
        self.assertEqual((made.status // 100, made.json["version"]["without_gates"]), (2, "*"), made.raw)

    def test_proposals_at_once_are_all_kept(self) -> None:
        """And who approves again writes nothing."""
        one = self.propose("ada1", 90)
        self.assertEqual(self.decide("bob", one).status, 200)
        before = self.node.ask("GET", "/v1/store").json["revision"]
        for _ in range(5):
            self.assertEqual(self.decide("bob", one).json["state"], "approved")
        self.assertEqual(self.node.ask("GET", "/v1/store").json["revision"], before)
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda i: self.edit(("ada1", "bob", "carol")[i % 3], 91 + i, "&propose=true"), range(6)))
        self.assertEqual([a.status for a in answers], [202] * 6, [a.raw for a in answers])

    def test_without_the_store_nothing_is_proposed_or_approved(self) -> None:
        one = self.propose("ada1", 90)
        self.etcd.members[0].stop()
        for answer in (self.edit("ada1", 91, "&propose=true"), self.decide("bob", one)):
            self.refused(answer, 503, "store-unavailable")
        self.assertEqual(self.listed(), [(one, "waiting")])


if __name__ == "__main__":
    counted.main()
