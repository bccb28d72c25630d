#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a token may: until when, from where, as whom, and which objects it may change, by each way of a change.

Usage: test_scopes.py WEIR_MGMT
"""
from __future__ import annotations

import datetime
import hashlib
import http.client
import json
import os
import ssl
import sys
import typing
import unittest

import counted
from api_node import ZONE, Node, config, free_port, wait_for

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop()
PATCH = "application/merge-patch+json"
LABELS = '{ name = "ams"; labels = { region = "north"; }; }, { name = "fra"; labels = { region = "south"; }; }'
TEXT = config().replace('{ name = "ams"; }, { name = "fra"; }', LABELS)
SCOPES = {"all": None, "none": "", "web": "pools:web-ams", "pools": "pools:web-*", "checks": "checks:web,vips:shop-ams", "sites": "sites:ams", "north": "label:region=north", "mixed": "pools:web-ams,label:region=north",
          "dns": "dns/names:*,dns/zones:shop.example", "nodes": "nodes:ams-*", "services": "services:web"}


def day(days: int) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days)).strftime("%Y-%m-%d")


class Scopes(unittest.TestCase):
    def setUp(self) -> None:
        self.port = free_port()
        self.text = TEXT.replace('dns_listen = [ "192.0.2.53" ];', f'dns_listen = [ "192.0.2.53" ]; api = "https://127.0.0.1:{self.port}";')
        self.node = Node(PROGRAM, text=self.text)
        self.addCleanup(self.node.close)
        self.node.write("tokens", "".join(self.line(name, "admin", "" if scope is None else f"scope={scope}") for name, scope in SCOPES.items()))
        self.node.start()
        wait_for("TCP", lambda: "api-served" in self.node.log())
        self.context = ssl.create_default_context(cafile=os.path.join(self.node.conf, "tls.crt"))

    @staticmethod
    def line(name: str, role: str, words: str = "") -> str:
        return f"{name} {role} {hashlib.sha256((name * 8).encode()).hexdigest()} {words}\n"

    def tcp(self, name: str, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, source: str = "127.0.0.1") -> Answer:
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context, source_address=(source, 0))
        return self.node.send(c, method, path, body, {"Authorization": f"Bearer {name * 8}", **(headers or {})}, None)

    def edit(self, name: str, method: str, path: str, value: object = None, query: str = "", headers: dict[str, str] | None = None) -> Answer:
        kind = {"Content-Type": PATCH} if method == "PATCH" else {}
        return self.tcp(name, method, f"/v1/{path}?reason=x&wait_ms=0&confirm_within=none{query}", value, {"If-Match": "*", **kind, **(headers or {})})

    def changes(self, name: str, *edits: dict[str, typing.Any], query: str = "") -> Answer:
        return self.tcp(name, "POST", "/v1/changes?wait_ms=0" + query, {
            "edits": [{"if_match": "*", **e} for e in edits], "reason": "x", "confirm_within": "none"})

    def whole(self, name: str, old: str, new: str, query: str = "", **more: object) -> Answer:
        head = self.node.ask("GET", "/v1/config").json["files"]
        self.assertIn(old, head["weir.conf"])
        files = {**head, "weir.conf": head["weir.conf"].replace(old, new, 1)}
        return self.tcp(name, "POST", "/v1/config/apply?wait_ms=0" + query, {"files": files, "reason": "x", "confirm_within": "none", "replace": True, **more}, {"If-Match": "*"})

    def refused(self, answer: Answer, *outside: str) -> None:
        self.assertEqual((answer.status, answer.code), (403, "out-of-scope"), answer.raw)
        self.assertEqual(answer.json["outside"], list(outside))

    def done(self, answer: Answer) -> None:
        self.assertIn(answer.status, (200, 201, 202), answer.raw)

    def head(self) -> int:
        return self.node.ask("GET", "/v1/config").json["number"]

    def test_an_edit_is_judged_by_its_path(self) -> None:
        backend = "pools/web-ams/backends/b1"
        for name in ("none", "checks", "sites", "north", "dns", "services"):
            self.refused(self.edit(name, "PATCH", backend, {"weight": 101}), backend)
            self.refused(self.edit(name, "PATCH", backend, {"weight": 100}), backend)  # it would change nothing
            self.refused(self.edit(name, "PATCH", backend, {"weight": 101}, "&dry_run=true"), backend)
            self.refused(self.edit(name, "DELETE", "pools/none"), "pools/none")
        self.assertEqual(self.head(), 1)
        self.done(self.edit("web", "PATCH", backend, {"weight": 101}))
        self.done(self.edit("web", "PUT", "pools/web-ams/backends/b9", {"address": "10.1.1.19"}, headers={"If-Match": "", "If-None-Match": "*"}))
        self.done(self.edit("web", "DELETE", "pools/web-ams/backends/b9"))
        self.done(self.edit("web", "PATCH", "pools/web-ams", {"max_remove": "40%"}))
        self.refused(self.edit("web", "PATCH", "pools/web-fra/backends/b1", {"weight": 101}), "pools/web-fra/backends/b1")
        self.refused(self.edit("web", "PUT", "pools/web-amsterdam", {"site": "ams"}), "pools/web-amsterdam")
        self.done(self.edit("pools", "PATCH", "pools/web-fra/backends/b1", {"weight": 101}))
        self.done(self.edit("dns", "PATCH", "dns/names/WWW.shop.example", {"ttl": {"max": "3s"}}))
        self.refused(self.edit("web", "PATCH", "dns/names/www.shop.example", {"ttl": {"max": "4s"}}), "dns/names/www.shop.example")
        self.done(self.edit("nodes", "PATCH", "nodes/ams-1", {"mtu": 1501}))
        self.refused(self.edit("nodes", "PATCH", "nodes/fra-1", {"mtu": 1501}), "nodes/fra-1")
        self.done(self.edit("services", "PATCH", "services/web/at/ams", {"weight": 7}))
        self.assertEqual(self.tcp("none", "GET", "/v1/" + backend).json["weight"], 101, "reading is not limited")

    def test_a_check_that_pools_use_is_a_check(self) -> None:
        self.done(self.edit("checks", "PATCH", "checks/web", {"rise": 3}))
        self.done(self.whole("checks", "rise = 3", "rise = 4"))
        self.refused(self.edit("pools", "PATCH", "checks/web", {"rise": 5}), "checks/web")
        self.refused(self.whole("pools", "rise = 4", "rise = 5"), "checks/web")
        self.done(self.edit("checks", "PATCH", "vips/shop-ams", {"addresses": ["203.0.113.11"]}))  # a service and a name have it

    def test_of_several_edits_each_is_judged(self) -> None:
        inside = {"method": "PATCH", "path": "pools/web-ams/backends/b1", "value": {"weight": 90}}
        other = {"method": "PATCH", "path": "pools/web-fra/backends/b1", "value": {"weight": 90}}
        check = {"method": "PATCH", "path": "checks/web", "value": {"rise": 4}}
        self.refused(self.changes("web", inside, other, check), "pools/web-fra/backends/b1", "checks/web")
        self.refused(self.changes("web", inside, check, query="&dry_run=true"), "checks/web")
        self.assertEqual(self.head(), 1)
        self.done(self.changes("web", inside))
        self.done(self.changes("pools", inside, other))

    def test_a_whole_text_is_judged_by_its_difference(self) -> None:
        weight = 'address = "10.2.1.11"; weight = 10'
        self.refused(self.whole("web", weight + "0", weight + "1"), "pools/web-fra/backends/b1")
        self.refused(self.whole("web", weight + "0", weight + "1", "&dry_run=true"), "pools/web-fra/backends/b1")
        self.done(self.whole("pools", weight + "0", weight + "1"))
        self.done(self.whole("web", "# two sites", "# two sites, and a word more"))  # no object is another
        self.refused(self.whole("pools", 'schema = 1;', 'schema = 1; limits = { services = 2048; };'), "limits/services")
        self.refused(self.whole("pools", 'hash_key_id = "k1"', 'hash_key_id = "k2"'), "cluster/hash_key_id")
        self.node.write("other.key", "ffeeddccbbaa99887766554433221100\n")
        self.refused(self.whole("pools", "hash.key", "other.key"), "cluster/hash_key_file")
        self.refused(self.whole("pools", '{ name = "web-fra"; site', '{ name = "other"; site = "fra"; check = "web"; mode = "ipip"; max_backends = 9; backends = ( { name = "b1"; address = "10.2.1.99"; } ); },'
                                '{ name = "web-fra"; site'), "pools/other")
        for look in ("config/plan", "what-if"):
            self.refused(self.tcp("web", "POST", f"/v1/{look}", {"files": {"weir.conf": self.text.replace('"10.2.1.11"', '"10.2.1.12"'), "shop.example.zone": ZONE}}),
                         "pools/web-fra/backends/b1")
        self.assertEqual(self.tcp("web", "POST", "/v1/config/check", {"files": {"weir.conf": self.text.replace('"10.2.1.11"', '"10.2.1.12"'), "shop.example.zone": ZONE}}).status, 200)
        head = self.node.ask("GET", "/v1/config").json["files"]
        zone = {**head, "shop.example.zone": ZONE.replace("192.0.2.53", "192.0.2.54")}
        for name, ok in (("web", False), ("dns", True)):
            answer = self.tcp(name, "POST", "/v1/config/apply?wait_ms=0", {"files": zone, "reason": "x", "replace": True, "confirm_within": "none"}, {"If-Match": "*"})
            self.done(answer) if ok else self.refused(answer, "dns/zones/shop.example")
        self.node.write("shop.example.zone", ZONE.replace("192.0.2.53", "192.0.2.55"))
        for name, ok in (("web", False), ("dns", True)):
            answer = self.tcp(name, "POST", "/v1/zones/reload", {"reason": "x", "confirm_within": "none"})
            self.done(answer) if ok else self.refused(answer, "dns/zones/shop.example")

    def test_an_included_file_is_its_zone_s(self) -> None:
        def apply(name: str, text: str, query: str = "", **more: str) -> Answer:
            files = {"weir.conf": self.text, "shop.example.zone": ZONE + '$INCLUDE (\n"sub.inc" )\n', "sub.inc": "$INCLUDE below.inc\n", "below.inc": text, **more}
            return self.tcp(name, "POST", "/v1/config/apply?wait_ms=0" + query, {"files": files, "reason": "x", "replace": True, "confirm_within": "none"}, {"If-Match": "*"})
        self.done(apply("all", "a A 192.0.2.1\n"))
        for name in ("none", "web"):
            self.refused(apply(name, "a A 192.0.2.2\n"), "dns/zones/shop.example")
            self.refused(apply(name, "a A 192.0.2.2\n", "&dry_run=true"), "dns/zones/shop.example")
        self.done(apply("dns", "a A 192.0.2.2\n"))
        self.node.write("shop.example.zone", ZONE + "$INCLUDE sub.inc\n")
        self.node.write("sub.inc", "a A 192.0.2.3\n")
        self.refused(self.tcp("web", "POST", "/v1/zones/reload", {"reason": "x"}), "dns/zones/shop.example")
        self.refused(self.tcp("none", "POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"}), "dns/zones/shop.example")

    def test_rollback_and_confirmation_by_the_difference(self) -> None:
        self.done(self.whole("all", 'address = "10.2.1.11"; weight = 100', 'address = "10.2.1.11"; weight = 50', confirm_within="10m"))
        for name, ok in (("web", False), ("none", False), ("pools", True)):
            answer = self.tcp(name, "POST", "/v1/versions/2/confirm?dry_run=true", {"reason": "x"})
            self.done(answer) if ok else self.refused(answer, "pools/web-fra/backends/b1")
        self.refused(self.whole("web", 'address = "10.1.1.11"; weight = 100', 'address = "10.1.1.11"; weight = 50', pending="confirm"), "pending: confirm")
        for name, ok in (("web", False), ("pools", True)):
            answer = self.tcp(name, "POST", "/v1/versions/1/rollback?dry_run=true", {"reason": "x"}, {"If-Match": "*"})
            self.done(answer) if ok else self.refused(answer, "pools/web-fra/backends/b1")
        self.done(self.tcp("pools", "POST", "/v1/versions/2/confirm", {"reason": "x"}))
        self.done(self.edit("web", "PATCH", "pools/web-ams/backends/b1", {"weight": 77}))
        self.done(self.tcp("web", "POST", "/v1/versions/2/rollback", {"reason": "x"}, {"If-Match": "*"}))
        self.refused(self.tcp("web", "POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"}), "pools/web-fra/backends/b1")

    def test_who_joins_a_version_is_judged_by_that_too(self) -> None:
        """Its new deadline may keep the version, or end it."""
        other = "pools/web-fra/backends/b1"
        join = lambda name, query="": self.tcp(name, "PATCH", f"/v1/pools/web-ams?reason=x&wait_ms=0&pending=join{query}", {"max_remove": "40%"},  # noqa: E731
                                               {"If-Match": "*", "Content-Type": PATCH})
        self.assertEqual(join("web", "&dry_run=true").status, 200)  # nothing waits: it is judged alone
        self.done(self.tcp("all", "PATCH", f"/v1/{other}?reason=x&wait_ms=0&confirm_within=10m", {"weight": 50}, {"If-Match": "*", "Content-Type": PATCH}))
        waits = self.node.ask("GET", "/v1/versions?limit=1").json["items"][0]
        for query in ("", "&confirm_within=1s", "&confirm_within=24h", "&confirm_within=24h&dry_run=true"):
            self.refused(join("web", query), other)
        self.refused(self.whole("none", "# two sites", "# sites", pending="join", confirm_within="1s"), other)
        self.refused(self.tcp("web", "POST", "/v1/versions/1/rollback", {"reason": "x", "pending": "join"}, {"If-Match": "*"}), other)
        self.assertEqual(self.node.ask("GET", "/v1/versions?limit=1").json["items"][0]["confirm_by"], waits["confirm_by"])
        self.done(join("pools", "&confirm_within=20m"))
        self.done(self.tcp("all", "POST", f"/v1/versions/{self.head()}/confirm", {"reason": "x"}))
        self.assertEqual(join("web", "&dry_run=true").status, 200)

    def test_a_file_that_nobody_names_is_in_no_scope(self) -> None:
        def apply(name: str, query: str = "", **more: str) -> Answer:
            files = {**self.node.ask("GET", "/v1/config").json["files"], **more}
            return self.tcp(name, "POST", "/v1/config/apply?wait_ms=0" + query, {"files": files, "reason": "x", "replace": True, "confirm_within": "none"}, {"If-Match": "*"})
        for name in ("none", "web", "dns"):
            self.refused(apply(name, **{"unused.inc": "x"}), "files/unused.inc")
            self.refused(apply(name, "&dry_run=true", **{"unused.inc": "x"}), "files/unused.inc")
        self.refused(self.whole("none", "# two sites", "# a word more"), "files/weir.conf")
        self.done(self.whole("none", "# two sites", "# two sites"))  # nothing is another
        self.done(apply("all", **{"unused.inc": "x"}))
        self.refused(apply("web", **{"unused.inc": "y"}), "files/unused.inc")
        self.refused(self.tcp("web", "POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"}), "files/unused.inc")
        self.done(apply("dns", **{"shop.example.zone": ZONE + "$INCLUDE new.inc\n", "new.inc": "a A 192.0.2.1\n"}))
        self.done(apply("all", **{"weir.conf": self.text.replace("# two sites", '@include "more.conf"'), "more.conf": "# more\n"}))
        self.done(apply("web", **{"more.conf": "# no more\n"}))

    def test_a_label_covers_what_has_it_before_and_afterwards(self) -> None:
        self.done(self.edit("north", "PATCH", "sites/ams", {"weight": 90}))
        self.refused(self.whole("north", "weight = 90", "weight = 91"), "services/web/at/ams")  # which has the site's weight
        self.refused(self.edit("north", "PATCH", "sites/fra", {"weight": 90}), "sites/fra")
        self.refused(self.edit("north", "PATCH", "sites/ams", {"labels": {"region": "south"}}), "sites/ams")
        self.refused(self.edit("north", "PATCH", "sites/fra", {"labels": {"region": "north"}}), "sites/fra")
        self.refused(self.whole("north", '"south"', '"north"'), "sites/fra")
        away: dict[str, typing.Any] = {"method": "PATCH", "path": "sites/ams", "value": {"labels": {"region": "south"}}}
        self.refused(self.changes("north", away), "sites/ams")
        self.refused(self.changes("mixed", {"method": "PATCH", "path": "pools/web-ams/backends/b1", "value": {"weight": 90}}, away), "sites/ams")

    def test_overrides_and_operations_by_their_targets(self) -> None:
        def order(name: str, what: str, target: dict[str, typing.Any], **more: typing.Any) -> Answer:
            which: dict[str, typing.Any] = {**target} if "id" in target else {"target": target}
            return self.tcp(name, "POST", "/v1/overrides?wait_ms=0", {"do": what, **which, "reason": "x", **more})
        drain: dict[str, typing.Any] = {"until": "never", "now": True}
        self.refused(order("sites", "drain", {"site": "fra"}, **drain), "sites/fra")
        self.refused(order("web", "drain", {"site": "ams"}, **drain), "sites/ams")
        self.refused(order("none", "disable", {"node": "ams-1"}, until="never"), "nodes/ams-1")
        backend = {"pool": "web-ams", "backend": "b1"}
        self.refused(order("sites", "drain", backend, until="never"), "pools/web-ams/backends/b1")
        self.done(order("web", "drain", backend, until="never"))
        self.refused(order("pools", "drain", {"node": "ams-1"}, **drain), "nodes/ams-1")
        for name in ("sites", "north"):
            made = order(name, "drain", {"site": "ams"}, **drain)
            self.done(made)
            by_id = {"id": made.json["override"]["id"]}
            self.refused(order("web", "undrain", by_id, now=True), "sites/ams")
            self.refused(order("web", "undrain", {"id": "none"}, now=True), "overrides")
            self.done(order(name, "undrain", by_id, now=True))
        moves: list[dict[str, typing.Any]] = [{"sites": ["fra"]}, {"sites": ["ams", "fra"]}, {"label": "region=south"}]
        for given in moves:
            for do in ("drain", "undrain"):
                self.refused(self.tcp("north", "POST", "/v1/operations", {"do": do, **given, "reason": "x"}), "sites/fra")
        inside = self.tcp("north", "POST", "/v1/operations?dry_run=true", {"do": "drain", "sites": ["ams"], "reason": "x"})
        self.assertNotEqual(inside.code, "out-of-scope", inside.raw)
        self.refused(self.tcp("north", "POST", "/v1/operations/none/hold", {"reason": "x"}), "operations")
        self.refused(self.tcp("sites", "POST", "/v1/drills", {"site": "fra", "clients": "192.0.2.0/24", "reason": "x"}), "sites/fra")
        self.refused(self.tcp("sites", "POST", "/v1/drills/none/end", {"reason": "x"}), "overrides")

    def test_each_way_of_a_change_asks_for_the_scope(self) -> None:
        """A route that changes something and is not here was forgotten."""
        said: dict[str, object] = {"reason": "x"}
        bodies: dict[str, dict[str, object]] = {
            "/v1/config/apply": {"files": self.node.files("# two sites", "limits = { services = 2048; };"), "replace": True, "pending": "join", **said},
            "/v1/zones/reload": {"pending": "join", **said},
            "/v1/versions/{version}/rollback": said, "/v1/versions/{version}/confirm": said,
            "/v1/changes": {"edits": [{"method": "DELETE", "path": "pools/none"}], **said},
            "/v1/overrides": {"do": "drain", "target": {"site": "ams"}, "until": "never", **said},
            "/v1/operations": {"do": "drain", "sites": ["ams"], **said},
            "/v1/drills": {"site": "ams", "clients": "192.0.2.0/24", **said}}
        self.done(self.whole("all", 'address = "10.2.1.11"; weight = 100', 'address = "10.2.1.11"; weight = 50', confirm_within="10m"))
        self.node.write("shop.example.zone", ZONE.replace("192.0.2.53", "192.0.2.54"))
        paths = self.node.ask("GET", "/v1/openapi.json").json["paths"]
        asked = 0
        for pattern, methods in paths.items():
            for method in set(methods) & {"post", "put", "patch", "delete"}:
                if pattern in ("/v1/config/check", "/v1/files", "/v1/health/check", "/v1/config/plan", "/v1/what-if"):
                    continue  # these change nothing; a plan is judged, see above
                path = "/".join("1" if part.startswith("{") else part for part in pattern.split("/"))
                path = path.replace("versions/1/confirm", "versions/2/confirm")
                is_edit = method != "post"
                sent: dict[str, object] | None = {} if method in ("put", "patch") else None if is_edit else {"pending": "join", **said} if "rollback" in path else bodies.get(pattern, said)
                answer = self.tcp("none", method.upper(), path + ("?reason=x" if is_edit and "/members" not in path and "/verdicts" not in path else ""), sent,
                                  {"If-Match": "*", **({"Content-Type": PATCH} if method == "patch" else {})})
                self.assertEqual((answer.status, answer.code), (403, "out-of-scope"), f"{method} {path}: {answer.raw!r}")
                asked += 1
        self.assertGreater(asked, 40)
        self.assertEqual(self.head(), 2)

    def test_a_token_has_a_time_a_person_and_a_place(self) -> None:
        self.node.write("tokens", self.line("deploy", "operator", "person=ada until=" + day(1)) + self.line("late", "admin", "until=" + day(-1))
                        + self.line("here", "viewer", "from=127.0.0.1") + self.line("there", "viewer", "from=127.0.0.2,2001:db8::/32")
                        + self.line("both", "viewer", "from=192.0.2.0/24 until=2020-01-01") + self.line("wide", "viewer", "from=::/0")
                        + self.line("bad", "admin", "until=soon") + self.line("twice", "admin", "scope=pools:a scope=pools:b"))
        status = lambda name, source="127.0.0.1": (lambda a: (a.status, a.code))(self.tcp(name, "GET", "/v1/node", source=source))  # noqa: E731
        self.assertEqual(status("deploy"), (200, None))
        self.assertEqual(status("late"), (401, "token-ended"))
        self.assertEqual(status("here"), (200, None))
        self.assertEqual(status("here", "127.0.0.2"), (403, "token-elsewhere"))
        self.assertEqual(status("there"), (403, "token-elsewhere"))
        self.assertEqual(status("there", "127.0.0.2"), (200, None))
        self.assertEqual(status("both", "127.0.0.3"), (403, "token-elsewhere"))  # it does not learn that its time is over
        self.assertEqual(status("wide", "127.0.0.3"), (403, "token-elsewhere"))
        self.assertEqual(status("bad", "127.0.0.4"), (401, "unauthorized"))
        self.assertEqual(status("twice", "127.0.0.4"), (401, "unauthorized"))
        denied = self.tcp("late", "GET", "/v1/node", source="127.0.0.5")
        self.assertIn("Bearer", denied.headers["WWW-Authenticate"])
        self.assertNotIn("late", json.dumps(denied.json).replace("urn:weir:problem:", ""))
        self.assertIsNone(self.tcp("there", "GET", "/v1/node", source="127.0.0.5").headers["WWW-Authenticate"])
        self.done(self.edit("deploy", "PATCH", "pools/web-ams/backends/b1", {"weight": 60}))
        made = self.tcp("deploy", "POST", "/v1/overrides?wait_ms=0", {"do": "drain", "target": {"pool": "web-ams", "backend": "b1"}, "until": "never", "reason": "x"})
        whose = "token:deploy (ada)"
        self.assertEqual(self.node.ask("GET", "/v1/versions/2").json["principal"], whose)
        self.assertEqual(made.json["override"]["principal"], whose)
        events = self.node.ask("GET", "/v1/events").json["items"]
        self.assertIn(whose, [e.get("principal") for e in events] + [w for e in events for w in (whose,) if w in json.dumps(e)])

    def test_a_token_that_ends_is_a_note(self) -> None:
        def notes() -> dict[str, dict[str, str]]:
            found = self.node.ask("GET", "/v1/status").json["notes"]
            return {c["subject"]: c for c in found if c["code"] == "token-ends"}
        self.assertEqual(notes(), {})
        self.node.write("tokens", self.line("soon", "viewer", "until=" + day(3)) + self.line("later", "viewer", "until=" + day(20))
                        + self.line("over", "viewer", "until=" + day(-3)) + self.line("ever", "viewer"))
        wait_for("the notes", lambda: len(notes()) == 2)
        found = notes()
        self.assertEqual(set(found), {"soon", "over"})
        self.assertIn("has ended", found["over"]["text"])


if __name__ == "__main__":
    counted.main()
