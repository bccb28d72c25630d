#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Drills at a site whose node is another one: whole answers by what that node says of its backups and of what it counted.

Usage: test_drill_evidence.py WEIR_MGMT
"""
from __future__ import annotations

import datetime
import os
import pwd
import sys
import typing
import unittest

import counted
from api_node import Answer, Node, config, free_port
from fake_peer import Peer

PROGRAM = sys.argv.pop()
Row = dict[str, typing.Any]
READY: Row = {"service": "web", "class": "own", "ready": True, "detail": ""}
UNKNOWN = "the backup is not known to be ready"
SILENT = "a node of site fra does not say whether its backups are ready"
BACKED = 'pool = "web-fra"; backup = "web-ams"; backup_max = { new_flows = "100/s"; bits = "1Gbit"; };'
FILTERS = "replies leave the backup's site with this site's VIP as source: filters there and on the way must permit it (BCP 38, uRPF)"

NONE: Row = {"begun": 0, "repeated": 0, "followed": 0, "kept": 0}
NOT_ALL = "not all nodes of the site say what they counted"
USER = f"user:{pwd.getpwuid(os.geteuid()).pw_name}"


def counted_row(**more: typing.Any) -> Row:
    """What a node says that it counted."""
    return {"state": "sends", **NONE, **more}


def instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def two_sites(ams_port: int, fra_port: int) -> str:
    """The fixture's, but at fra two services have a backup."""
    text = config(f"https://127.0.0.1:{ams_port}", f"https://127.0.0.1:{fra_port}").replace('pool = "web-fra";', BACKED)
    return text.replace("services = ( ", 'services = ( { name = "mail"; protocol = "tcp"; port = 25; hash = "flow"; '
                        f'at = ( {{ site = "fra"; vip = "shop-fra"; {BACKED} }} ); }},\n  ', 1)


class Drills(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        ports = free_port(), free_port()
        self.node = Node(PROGRAM, text=two_sites(*ports))
        self.peer = Peer(ports[1], self.node)
        self.addCleanup(self.peer.close)
        self.addCleanup(self.node.close)
        self.node.start()

    def say(self, measure: Row | None) -> None:
        """What node fra-1 says from now on; None: it does not answer."""
        if measure is None:
            self.peer.answers.clear()
        else:
            self.peer.answers["/v1/peer/exchange operations"] = (200, {"node": "fra-1", "cluster": "shop", "levels": [], "dns": False, "measure": measure})

    def begin(self, query: str = "?dry_run=true", **more: typing.Any) -> Answer:
        return self.node.ask("POST", "/v1/drills" + query, {"site": "fra", "clients": "198.51.100.0/24", "reason": "a look", **more})

    # (why, what the node says, the service that the drill is of, why it cannot begin or None, what is noted where it can)
    EVIDENCE: tuple[tuple[str, typing.Any, str | None, str | None, str], ...] = (
        ("it is ready", [READY], None, None, ""),
        ("the service that is named is ready", [{**READY, "ready": False}, {**READY, "service": "mail"}], "mail", None, ""),
        ("one of them is ready", [{**READY, "ready": False, "detail": "its pool is down"}, {**READY, "service": "mail"}], None, None,
         "node fra-1, service web: its pool is down"),
        ("the first of two reasons", [{**READY, "class": "backup"}, {**READY, "service": "mail", "ready": False}], None,
         "node fra-1, service web: the service is on its backup already: there is nothing to prove", ""),
        ("another service is ready", [READY, {**READY, "service": "mail", "ready": False, "detail": "no check"}], "mail",
         "node fra-1, service mail: no check", ""),
        ("nothing of the service that is named", [READY], "mail", SILENT, ""),
        ("on its backup", [{**READY, "class": "backup"}], None,
         "node fra-1, service web: the service is on its backup already: there is nothing to prove", ""),
        ("refused", [{**READY, "class": "refused"}], None,
         "node fra-1, service web: the service is on its backup already: there is nothing to prove", ""),
        ("without a class", [{"service": "web", "ready": True}], None, "node fra-1, service web: the node does not say whether its backup would serve", ""),
        ("with a class that is none", [{**READY, "class": 7}], None, "node fra-1, service web: the node does not say whether its backup would serve", ""),
        ("not ready, with a reason", [{**READY, "ready": False, "detail": "no route"}], None, "node fra-1, service web: no route", ""),
        ("not ready, with an empty reason", [{**READY, "ready": False}], None, f"node fra-1, service web: {UNKNOWN}", ""),
        ("not ready, with a reason that is none", [{**READY, "ready": False, "detail": 7}], None, f"node fra-1, service web: {UNKNOWN}", ""),
        ("not known, with a reason", [{**READY, "ready": None, "detail": "no check"}], None, "node fra-1, service web: no check", ""),
        ("not known", [{"service": "web", "class": "own"}], None, f"node fra-1, service web: {UNKNOWN}", ""),
        ("ready in a word", [{**READY, "ready": "true"}], None, f"node fra-1, service web: {UNKNOWN}", ""),
        ("without a name", [{"class": "own", "ready": False, "detail": "no route"}], None, "node fra-1, service ?: no route", ""),
        ("a long reason", [{**READY, "ready": False, "detail": 149 * "x" + "yz"}], None, f"node fra-1, service web: {149 * 'x'}y", ""),
        ("no row", [], None, SILENT, ""),
        ("no rows", {"web": READY}, None, SILENT, ""),
        ("nothing of backups", None, None, SILENT, ""),
    )

    def test_a_drill_begins_only_where_a_backup_would_serve(self) -> None:
        for why, rows, service, refusal, note in self.EVIDENCE:
            self.say({"backups": rows})
            answer = self.begin(**({"service": service} if service else {}))
            with self.subTest(why):
                if refusal:
                    self.assertEqual((answer.status, answer.json), (409, {
                        "type": "urn:weir:problem:drill", "title": "Drill", "status": 409, "code": "drill", "detail": refusal}))
                else:
                    self.assertEqual((answer.status, answer.json["note"], answer.json["service"]), (200, note, service or ""))
        self.assertEqual(self.node.ask("GET", "/v1/drills?ended=true").json, {"items": [], "more": 0})

    PREFIX = "expected a prefix such as 198.51.100.0/24 or 2001:db8::/48, its host bits zero"
    FIELDS = "is not a known field; known fields: site, service, clients, for, until, reason, author"
    # (what the request says differently, the field with its error, or None where it is taken)
    WRONG: tuple[tuple[Row, str, str | None], ...] = (
        ({"site": 7}, "site", "expected a text"), ({"site": None}, "site", "is required"), ({"clients": None}, "clients", "is required"),
        ({"clients": "me"}, "clients", f'found "me", {PREFIX}'), ({"clients": "198.51.100.1/24"}, "clients", f'found "198.51.100.1/24", {PREFIX}'),
        ({"clients": "10.0.0.0/7"}, "clients", "is wider than /8: a drill concerns some clients"), ({"clients": "10.0.0.0/8"}, "", None),
        ({"for": "10m", "until": "+5m"}, "for", "give for or until, not both"), ({"for": "soon"}, "for", 'found "soon", expected a duration such as "10m"'),
        ({"until": "noon"}, "until", 'found "noon", expected a time such as "+10m"'), ({"until": "+10m"}, "", None), ({"for": "20s"}, "", None),
        ({"for": "9s"}, "until", "is less than 10 s from now: a drill takes 2 s to begin"), ({"for": "1h"}, "", None),
        ({"for": "61m"}, "until", "is more than 1 h from now: a drill ends by itself"), ({"reason": " "}, "reason", "must not be blank: say why you make this change"),
        ({"reason": None}, "reason", "is required"), ({"reason": 256 * "x"}, "reason", "has more than 255 bytes"), ({"reason": 255 * "x"}, "", None),
        ({"author": 64 * "x"}, "author", "has more than 63 bytes"), ({"author": 63 * "x"}, "", None), ({"x": 1}, "x", FIELDS))

    def test_a_request_that_makes_no_sense_is_refused_in_words(self) -> None:
        self.say({"backups": [READY]})

        def problem(status: int, code: str, detail: str, **more: typing.Any) -> tuple[int, Row]:
            return status, {"type": f"urn:weir:problem:{code}", "title": code.replace("-", " ").capitalize(), "status": status, "code": code,
                            "detail": detail, **more}

        for body, field, error in self.WRONG:
            answer = self.begin(**body)
            with self.subTest(str(body)):
                if error is None:
                    self.assertEqual(answer.status, 200, answer.raw)
                    continue
                self.assertEqual((answer.status, answer.json), problem(422, "invalid", f"{field}: {error}", errors=[{"field": field, "detail": error}]))
        invalid = problem(422, "invalid", "dry_run: this request has none; nothing was changed")
        required = problem(422, "invalid", "reason: is required", errors=[{"field": "reason", "detail": "is required"}])
        flag, wait = (problem(400, "bad-request", t) for t in ("dry_run must be true or false", "wait must be local or all"))
        begin = {"site": "fra", "clients": "198.51.100.0/24", "reason": "a look"}
        for method, path, sent, expected in (
                ("POST", "", {**begin, "site": "lon"}, problem(404, "not-found", "there is no site lon")),
                ("POST", "", {**begin, "service": "none"}, problem(404, "not-found", "there is no service none")),
                ("POST", "", {**begin, "site": "ams"}, problem(409, "drill", "site ams has no backup pool for any service (TCP): set services[].at[].backup")),
                ("POST", "?dry_run=maybe", begin, flag), ("POST", "?wait=x", begin, wait),
                ("POST", "?wait_ms=60001", begin, problem(400, "bad-request", "wait_ms must be a number from 0 to 60000")),
                ("GET", "?limit=0", None, problem(400, "bad-request", "limit must be a number from 1 to 100000")),
                ("GET", "?ended=x", None, problem(400, "bad-request", "ended must be true or false")),
                ("GET", "/" + 50 * "n", None, problem(404, "not-found", "there is no drill " + 40 * "n")),
                ("POST", "/none/end", {"reason": "x"}, problem(404, "not-found", "there is no drill none")),
                ("POST", "/none/end?dry_run=true", {"reason": "x"}, invalid), ("POST", "/none/end?wait=x", {"reason": "x"}, wait),
                ("POST", "/none/end", {}, required)):
            answer = self.node.ask(method, "/v1/drills" + path, sent)
            with self.subTest(method + path):
                self.assertEqual((answer.status, answer.json), expected)
        self.assertEqual(self.node.ask("GET", "/v1/drills?ended=true").json, {"items": [], "more": 0})
        made = [self.begin("", clients=f"198.51.{k}.0/24").json["id"] for k in range(3)]
        some = self.node.ask("GET", "/v1/drills?limit=2").json
        self.assertEqual((len(some["items"]), some["more"], {d["id"] for d in some["items"]} < set(made)), (2, 1, True))

    def test_without_its_node_nothing_is_known_of_a_site(self) -> None:
        self.say(None)
        answer = self.begin()
        self.assertEqual((answer.status, answer.json["code"], answer.json["detail"]),
                         (409, "drill", "no node of site fra is reached: whether its backups are ready is not known"))

    # (why, what the node counted, the sum, the verdict, its words); a count that makes no sense is none
    COUNTS: tuple[tuple[str, typing.Any, Row, str, str], ...] = (
        ("nothing yet", counted_row(), NONE, "no_clients", "no new flow of the prefix has come yet"),
        ("all stayed", counted_row(kept=3), {**NONE, "kept": 3}, "no_clients",
         "all new flows of the prefix stayed with own backends: the backup was not ready, or backup_max or the room for exceptions was used up"),
        ("they have just begun", counted_row(begun=2), {**NONE, "begun": 2}, "unknown", "the first flows have just begun"),
        ("they come again", counted_row(begun=2, repeated=1), {**NONE, "begun": 2, "repeated": 1}, "not_proved", FILTERS),
        ("they went on", counted_row(begun=12, followed=11, kept=1), {"begun": 12, "repeated": 0, "followed": 11, "kept": 1}, "proved",
         "clients of the prefix were served by the backup: their flows went on"),
        ("too many are silent", counted_row(begun=100, followed=50, repeated=9), {"begun": 100, "repeated": 9, "followed": 50, "kept": 0}, "not_proved", FILTERS),
        ("the largest number", counted_row(kept=2**53 - 1), {**NONE, "kept": 2**53 - 1}, "no_clients",
         "all new flows of the prefix stayed with own backends: the backup was not ready, or backup_max or the room for exceptions was used up"),
        ("a larger one", counted_row(kept=2**53), NONE, "unknown", NOT_ALL),
        ("a number below nothing", counted_row(repeated=-1), NONE, "unknown", NOT_ALL),
        ("a number that is none", counted_row(followed="7"), NONE, "unknown", NOT_ALL),
        ("not all numbers", {"state": "sends", "begun": 7}, NONE, "unknown", NOT_ALL),
        ("another drill", {**counted_row(begun=7), "id": "other"}, NONE, "unknown", NOT_ALL),
    )

    def test_what_was_counted_is_shown_and_judged(self) -> None:
        self.say({"backups": [READY]})
        begun = self.begin("", service="web", author="ann", **{"for": "20m"})
        self.assertEqual(begun.status, 201, begun.raw)
        id, times = begun.json["id"], {k: begun.json[k] for k in ("created", "until")}
        self.assertEqual((instant(times["until"]) - instant(times["created"])).total_seconds(), 1200)
        whole = {"id": id, "site": "fra", "service": "web", "clients": "198.51.100.0/24", "state": "running", **times, "author": "ann", "principal": USER,
                 "reason": "a look", "node": "ams-1", "undo": f"weir drill end {id}"}
        silent: Row = {"node": "fra-1", "reached": True, "measured": False, "state": None, "begun": None, "repeated": None, "followed": None, "kept": None}
        self.assertEqual(begun.json, {**whole, "flows": NONE, "verdict": "unknown", "detail": NOT_ALL, "counts": [silent], "note": "", "filters": FILTERS,
                                      "dry_run": False, "document": 2, "complete": True, "nodes": [{"node": "ams-1", "state": "in_force", "processes": []}]})
        described = self.node.ask("GET", "/v1/openapi.json").json["paths"]["/v1/drills/{drill}"]["get"]["responses"]["2XX"]
        schema = described["content"]["application/json"]["schema"]
        for why, row, flows, verdict, detail in self.COUNTS:
            row = {"id": id, **row}
            self.say({"drills": [{**counted_row(begun=99), "id": "before"}, row]})
            counts = {**silent, "measured": True, **{k: row.get(k) for k in ("state", *NONE)}} if row["id"] == id else silent
            expected = {**whole, "flows": flows, "verdict": verdict, "detail": detail, "counts": [counts]}
            with self.subTest(why):
                self.assertEqual(self.node.ask("GET", f"/v1/drills/{id}").json, expected)
                self.assertEqual({*schema["required"], "clients"}, set(expected))  # an empty prefix would have no text
                self.assertLessEqual(set(expected), set(schema["properties"]))
                self.assertEqual(set(schema["properties"]["counts"]["items"]["required"]), set(counts))
                self.assertEqual(self.node.ask("GET", "/v1/drills").json, {"items": [expected], "more": 0})
        self.say({"drills": [{"id": id, **counted_row(begun=2)}]})
        ended = self.node.ask("POST", f"/v1/drills/{id}/end", {"reason": "enough"}).json
        again = self.node.ask("POST", f"/v1/drills/{id}/end", {"reason": "enough"})
        counts = {**silent, "measured": True, **counted_row(begun=2)}
        self.assertGreaterEqual(ended.pop("document"), 3)  # on a busy machine another one came meanwhile
        self.assertEqual((again.status, ended.pop("complete"), ended.pop("nodes")),
                         (200, True, [{"node": "ams-1", "state": "in_force", "processes": []}]))
        self.assertEqual({k: v for k, v in ended.items() if k != "until"}, {
            **{k: v for k, v in whole.items() if k != "until"}, "state": "over", "flows": {**NONE, "begun": 2}, "verdict": "not_proved", "detail": FILTERS,
            "counts": [counts]})
        self.assertEqual(again.json, ended)
        self.say({"drills": [{"id": id, **counted_row()}]})
        self.assertEqual(self.node.ask("GET", f"/v1/drills/{id}").json["detail"], "no new flow of the prefix came")
        self.assertEqual(self.node.ask("GET", "/v1/drills").json, {"items": [], "more": 0})
        self.assertEqual([d["id"] for d in self.node.ask("GET", "/v1/drills?ended=true").json["items"]], [id])


if __name__ == "__main__":
    counted.main()
