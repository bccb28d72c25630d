#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The management API over real HTTP: conventions, versions, overrides, events, roles.

Usage: test_api.py WEIR_MGMT
"""
from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import signal
import sys
import threading
import time
import typing
import unittest

import counted
from api_node import Node, ZONE, config, free_port, wait_for, large_config
from bad_requests import bad_requests

if typing.TYPE_CHECKING:
    from api_node import Answer

PROGRAM = sys.argv.pop(1)
HALF = ('{ name = "b1"; address = "10.1.1.11"; weight = 100; },', "")


class OneNode(unittest.TestCase):
    node: Node

    @classmethod
    def setUpClass(cls) -> None:
        cls.node = Node(PROGRAM).start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.close()


class Since(unittest.TestCase):
    def test_a_reason_keeps_its_time_from_call_to_call_and_over_a_kill(self) -> None:
        node = Node(PROGRAM).start()

        def since() -> dict[tuple[str, str], str]:
            status = node.ask("GET", "/v1/status").json
            return {(r["code"], r["subject"]): r["since"] for r in status["reasons"] + status["notes"]}
        try:
            began = wait_for("a reason", since)
            for _ in range(20):
                now = since()
                self.assertEqual({k: now[k] for k in began if k in now}, {k: v for k, v in began.items() if k in now})
            for _ in range(2):
                node.stop(signal.SIGKILL)
                time.sleep(1.1)  # the restart is seen as one: the times would differ in their seconds
                node.start()
                wait_for("the same reasons", lambda: began.keys() <= since().keys())
                now = since()
                self.assertEqual({k: now[k] for k in began}, began)
        finally:
            node.close()


class BadRequests(OneNode):
    node: Node

    def test_each_malformed_request_has_its_status_and_code_and_changes_nothing(self) -> None:
        for case, method, path, body, headers, status, code in bad_requests(self.node.files()):
            with self.subTest(case):
                raw = body if isinstance(body, bytes) else None
                a = self.node.ask(method, path, None if raw is not None else body, headers, raw)
                self.assertEqual((a.status, a.code), (status, code), a.raw[:300])
                self.assertEqual(a.headers["Content-Type"], "application/problem+json")
                self.assertEqual(a.json["type"], "urn:weir:problem:" + code)
        now = self.node.ask("GET", "/v1/status").json
        self.assertEqual(now["version"]["number"], 1)
        self.assertEqual(now["overrides"], [])

    def test_all_errors_of_a_configuration_are_listed_with_file_and_line(self) -> None:
        files = self.node.files('weight = 100; },', 'weigth = 100; },')
        files["weir.conf"] = files["weir.conf"].replace('check = "web"; mode = "ipip"', 'check = "wed"; mode = "ipip"')
        a = self.node.apply(files)
        self.assertEqual((a.status, a.code), (422, "mistakes"))
        self.assertGreaterEqual(len(a.json["mistakes"]), 3)
        for error in a.json["mistakes"]:
            self.assertEqual(error["file"], "weir.conf")
            self.assertGreater(error["line"], 0)
        self.assertTrue(any("web" in m["message"] for m in a.json["mistakes"]))
        in_force = self.node.ask("GET", "/v1/config").json["digest"]
        wait_for("what was tried to be removed", lambda: os.listdir(os.path.join(self.node.state, "config")) == [in_force])

    def test_a_method_that_is_not_for_a_path_is_told_which_are(self) -> None:
        self.assertEqual(self.node.ask("DELETE", "/v1/overrides").headers["Allow"], "GET, HEAD, POST")
        self.assertEqual(self.node.ask("POST", "/v1/status", {}).headers["Allow"], "GET, HEAD")

    def test_head_is_get_without_a_body(self) -> None:
        a = self.node.ask("HEAD", "/healthz")
        self.assertEqual((a.status, a.raw), (200, b""))
        self.assertEqual(self.node.ask("HEAD", "/v1/none").status, 404)

    def test_a_path_is_unescaped_and_a_nul_in_it_is_not_its_end(self) -> None:
        self.assertEqual(self.node.ask("GET", "/v1/versions/%31").json["number"], 1)
        for path in ("/v1/versions/1%00", "/v1/status%00/x", "/v1/versions/%"):
            a = self.node.ask("GET", path)
            self.assertEqual((a.status, a.code), (400, "bad-request"), path)
        self.assertEqual(self.node.ask("GET", "/v1/events?limit=1%00").status, 400)

    def test_a_client_that_goes_away_midway_harms_nobody(self) -> None:
        import socket
        for sent in (b"POST /v1/overrides HTTP/1.1\r\nContent-Length: 100\r\n\r\n{", b"GET /v1/sta", b"\0" * 5000):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(os.path.join(self.node.run, "api.sock"))
                s.sendall(sent)
        self.assertEqual(self.node.ask("GET", "/healthz").raw, b"ok\n")


class Versions(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(PROGRAM).start()

    def tearDown(self) -> None:
        self.node.close()

    def head(self) -> Answer:
        return self.node.ask("GET", "/v1/config")

    def test_a_plan_tells_of_probes_and_of_sites_that_were_never_heard(self) -> None:
        files = self.node.files("# two sites", "# three")
        par = ('{ name = "par-1"; site = "par"; ports = ( { interface = "eth1"; } ); tunnel_source = [ "10.3.255.0/24" ]; }')
        found = self.node.ask("POST", "/v1/config/plan", {"files": files}).json["plan"]
        self.assertEqual(found["warnings"], [])
        self.assertEqual(found["probes"][0], {"vip": "shop-ams", "nodes": 1, "per_second": 1.0, "per_second_before": 1.0})
        files["weir.conf"] = files["weir.conf"].replace('{ name = "fra"; }', '{ name = "fra"; }, { name = "par"; }').replace(
            "nodes = (", f"nodes = ( {par},")
        found = self.node.ask("POST", "/v1/config/plan", {"files": files}).json["plan"]
        self.assertEqual(found["probes"][0]["per_second"], 2.0)
        self.assertIn("2 of 3 sites were never heard by this node (fra, par)", found["warnings"][0])

    def test_apply_plan_diff_and_rollback(self) -> None:
        node, etag = self.node, self.head().headers["ETag"]
        files = node.files("# two sites", "# caf\u00e9")
        files["weir.conf"] = files["weir.conf"].replace('name = "b2"; address = "10.1.1.12"; weight = 100',
                                                        'name = "b2"; address = "10.1.1.12"; weight = 60')
        plan = node.ask("POST", "/v1/config/plan", {"files": files}).json
        self.assertEqual(plan["plan"]["changes"], [{"path": "pools/web-ams/backends/b2/weight", "kind": "changed",
                                                    "from": "100", "to": "60"}])
        self.assertEqual('"%s"' % plan["base"].strip('"'), etag)
        self.assertFalse(plan["plan"]["risky"])
        a = node.apply(files, etag, author="jw")
        self.assertEqual((a.status, a.json["version"]["number"], a.json["version"]["author"]), (201, 2, "jw"))
        self.assertTrue(a.json["complete"])
        self.assertEqual(node.apply(files, etag).status, 412)
        again = node.apply(files, a.headers["ETag"])
        self.assertEqual((again.status, again.json["changed"], again.json["version"]["number"]), (200, False, 2))
        self.assertEqual(self.head().json["files"], files)
        diff = node.ask("GET", "/v1/versions/1/diff/2").json
        self.assertIn("-# two sites\n+# caf\u00e9\n", diff["text"])
        self.assertEqual(diff["changes"], plan["plan"]["changes"])
        back = node.ask("POST", "/v1/versions/1/rollback", {"reason": "no"}, {"If-Match": "*"})
        self.assertEqual((back.status, back.json["version"]["number"]), (201, 3))
        self.assertEqual(self.head().json["files"], node.files())
        items = node.ask("GET", "/v1/versions").json["items"]
        self.assertEqual([v["number"] for v in items], [3, 2, 1])
        self.assertEqual(items[0]["digest"], items[2]["digest"])
        self.assertEqual(node.ask("GET", "/v1/versions?before=3&limit=1").json["items"][0]["number"], 2)

    def test_a_dry_run_changes_nothing(self) -> None:
        node, files = self.node, self.node.files(*HALF)
        a = node.apply(files, query="?dry_run=true")
        self.assertEqual((a.status, a.json["dry_run"], a.json["plan"]["risky"]), (200, True, True))
        self.assertEqual(a.json["plan"]["confirm_within_ms"], 300000)
        d = node.drain(query="?dry_run=true", over="5m", until="+4h")
        self.assertEqual((d.status, d.json["dry_run"]), (200, True))
        self.assertRegex(d.json["override"]["from"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(d.json["receivers"][0]["site"], "fra")
        self.assertEqual(d.json["undo"], "weir undrain site ams --scheduled")
        status = node.ask("GET", "/v1/status").json
        self.assertEqual((status["version"]["number"], status["overrides"], status["document"]), (1, [], 1))

    def test_a_risky_change_rolls_itself_back_unless_confirmed(self) -> None:
        node, files = self.node, self.node.files(*HALF)
        a = node.apply(files, confirm_within="1s")
        self.assertEqual(a.json["version"]["state"], "unconfirmed")
        node.stop(signal.SIGKILL)
        node.start()
        wait_for("the roll back", lambda: self.head().json["number"] == 1)
        items = node.ask("GET", "/v1/versions").json["items"]
        self.assertEqual([(v["number"], v["state"]) for v in items], [(2, "ended"), (1, "in_force")])
        node.apply(files, confirm_within="5s")
        self.assertEqual(node.ask("POST", "/v1/versions/3/confirm", {"reason": "x"}).status, 200)
        time.sleep(5.5)  # longer than the deadline
        self.assertEqual((self.head().json["number"], self.head().json["state"]), (3, "in_force"))

    def test_bytes_that_are_not_text_are_kept(self) -> None:
        files = self.node.files()
        files["shop.example.zone"] = {"base64": base64.b64encode(ZONE.encode() + b"; \xff\xfe\n").decode()}
        self.assertEqual(self.node.apply(files).status, 201)
        self.assertEqual(self.head().json["files"], files)

    def test_zone_reload_makes_a_version_of_what_differs(self) -> None:
        node = self.node
        a = node.ask("POST", "/v1/zones/reload", {"reason": "serial"})
        self.assertEqual((a.status, a.json["changed"]), (200, False))
        node.write("shop.example.zone", ZONE.replace(" 1 60", " 2 60"))
        node.write("weir.conf", "not to be read")
        a = node.ask("POST", "/v1/zones/reload", {"reason": "serial"})
        self.assertEqual((a.status, a.json["changed"], a.json["version"]["number"]), (201, True, 2))
        self.assertEqual(a.json["plan"]["changes"][0]["path"], "dns/zones/shop.example/contents")

    def test_the_same_key_gives_the_same_answer_once(self) -> None:
        node, headers = self.node, {"Idempotency-Key": "k1"}
        one = node.drain(headers=headers)
        two = node.drain(headers=headers)
        self.assertEqual((one.status, two.status), (201, 201))
        self.assertEqual(one.json["override"]["id"], two.json["override"]["id"])
        self.assertEqual((one.headers["Idempotent-Replay"], two.headers["Idempotent-Replay"]), (None, "true"))
        self.assertEqual(node.drain(headers=headers, reason="other").code, "key-reused")
        self.assertEqual(len(node.ask("GET", "/v1/overrides").json["items"]), 1)


class Overrides(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(PROGRAM).start()

    def tearDown(self) -> None:
        self.node.close()

    def test_a_drain_survives_apply_rollback_and_restart(self) -> None:
        node = self.node
        self.assertEqual(node.drain(reason="INC-1").status, 201)
        node.apply(node.files("# two sites", "# more"))
        node.apply(node.files())
        node.ask("POST", "/v1/versions/1/rollback", {"reason": "x"}, {"If-Match": "*"})
        node.stop(signal.SIGKILL)
        node.start()
        items = node.ask("GET", "/v1/overrides").json["items"]
        self.assertEqual([(o["target"], o["state"], o["reason"]) for o in items], [({"site": "ams"}, "drained", "INC-1")])
        self.assertIn(items[0]["id"], node.effective())

    def test_guards_keep_the_last_site_and_the_last_backend(self) -> None:
        node = self.node
        self.assertEqual(node.drain("ams").status, 201)
        a = node.drain("fra")
        self.assertEqual((a.status, a.code), (409, "guard"))
        self.assertEqual([g["guard"] for g in a.json["guards"] if not g["ok"]], ["last-site"])
        self.assertEqual(node.drain("fra", override_guards=["last-site"], reason="a drill").status, 201)
        one = {"pool": "web-fra", "backend": "b1"}
        self.assertEqual(node.command("disable", one, until="+1h").code, "guard")
        a = node.command("drain", {"pool": "web-ams", "backend": "b1"}, until="+1h", over="10m")
        self.assertEqual((a.status, a.json["receivers"][0]["backend"]), (201, "b2"))
        self.assertEqual(node.command("drain", {"pool": "web-ams", "backend": "b2"}, until="+1h").code, "guard")
        kinds = [e["kind"] for e in node.ask("GET", "/v1/events").json["items"]]
        self.assertIn("guard", kinds)

    def test_a_node_is_drained_by_name_and_stays_so_over_a_restart(self) -> None:
        node, target = self.node, {"node": "ams-1"}
        self.assertEqual(node.command("drain", target, until="never").status, 422)  # it announces nothing
        node.apply(node.files('dns_listen = [ "192.0.2.53" ];', 'dns_listen = [ "192.0.2.53" ]; announce = { daemon = "bird"; };'))
        a = node.command("drain", target, until="never")
        self.assertEqual((a.status, a.code), (409, "guard"))
        self.assertEqual([g["guard"] for g in a.json["guards"] if not g["ok"]], ["last-announcer"])
        a = node.command("drain", target, until="never", override_guards=["last-announcer"], reason="a drill")
        self.assertEqual((a.status, a.json["override"]["target"], a.json["undo"]), (201, target, "weir undrain node ams-1"))
        node.stop(signal.SIGKILL)
        node.start()
        self.assertIn('target = "node"', node.effective())
        shown = {n["name"]: n for n in node.ask("GET", "/v1/status").json["nodes"]}
        self.assertEqual((shown["ams-1"]["intent"]["state"], shown["fra-1"]["intent"]["state"]), ("drain", "serve"))
        self.assertEqual(shown["ams-1"]["effect"]["state"], "unknown")  # no weir-announce runs
        self.assertEqual(node.command("undrain", target).json["override"]["state"], "done")
        shown = {n["name"]: n for n in node.ask("GET", "/v1/status").json["nodes"]}
        self.assertEqual(shown["ams-1"]["intent"]["state"], "serve")

    def test_a_backend_drain_is_announced_two_seconds_ahead(self) -> None:
        node = self.node
        start = time.time()
        a = node.command("drain", {"pool": "web-ams", "backend": "b1"}, until="never", over="10m").json
        sets = re.findall(r'pool = "web-ams";[^}]*?from = "?([^";]+)', node.effective())
        self.assertGreaterEqual(len(sets), 2, node.effective())
        wait_for("the drain", lambda: node.ask("GET", f"/v1/overrides/{a['override']['id']}").json["state"] == "ramping")
        self.assertGreater(time.time() - start, 1.9)

    def test_hold_stops_a_ramp_and_drain_goes_on_from_there(self) -> None:
        node = self.node
        start = time.time()
        first = node.drain(over="100s").json["override"]
        time.sleep(1)  # the ramp goes on for this long
        self.assertEqual(node.command("hold", {"site": "ams"}).status, 201)
        held_at = time.time()
        level = lambda: [o["level_ppm"] for o in node.ask("GET", "/v1/overrides").json["items"] if o["do"] == "drain"][0]
        held = level()
        time.sleep(0.5)  # the level must stay for this long
        self.assertEqual(level(), held)
        self.assertTrue(9900 <= held <= (held_at - start) * 10000 + 100, (held, held_at - start))
        again = time.time()
        a = node.drain(over="100s")
        self.assertEqual(a.json["override"]["id"], first["id"])
        self.assertGreater(a.json["override"]["generation"], first["generation"])
        self.assertTrue(held <= level() <= held + (time.time() - again) * 10000 + 100)
        a = node.command("undrain", {"site": "ams"}, now=True)
        self.assertEqual((a.status, a.json["override"]["state"]), (200, "done"))
        self.assertEqual(node.ask("GET", "/v1/overrides").json["items"], [])
        self.assertGreaterEqual(len(node.ask("GET", "/v1/overrides?ended=true").json["items"]), 2)

    def test_what_was_drained_returns_and_is_not_scheduled(self) -> None:
        node = self.node
        self.assertEqual(node.drain(over="1h", now=False).json["override"]["state"], "scheduled")
        self.assertEqual(node.command("undrain", {"site": "ams"}, now=True).json["override"]["state"], "done")
        self.assertEqual(node.drain().json["override"]["state"], "drained")
        for _ in range(2):  # also when said again
            a = node.command("undrain", {"site": "ams"}, over="1h")
            self.assertEqual((a.status, a.json["override"]["state"]), (200, "returning"))
        self.assertEqual(node.drain(over="1h").json["override"]["state"], "ramping")

    def test_the_line_that_undoes_makes_again_what_was(self) -> None:
        until = "2036-11-20T12:00:00.000Z"
        b1 = {"pool": "web-ams", "backend": "b1"}
        cases: tuple[tuple[str, dict[str, str], dict[str, typing.Any], str, str], ...] = (
                ("drain", {"site": "ams"}, {"over": "5m"}, "undrain", "drain site ams --over 300s"),
                ("drain", b1, {"over": "1500ms"}, "undrain", "drain backend web-ams/b1 --over 1500ms"),
                ("disable", {"site": "fra"}, {}, "enable", "disable site fra"),
                ("force_up", b1, {}, "enable", "force-up backend web-ams/b1"))
        for what, target, more, ends, words in cases:
            with self.subTest(what, target=target):
                made = self.node.command(what, target, until=until, reason="x", **more).json
                clocked = " --scheduled" if what == "drain" and "site" in target else ""
                self.assertEqual(made["undo"], f"weir {ends} {'site' if 'site' in target else 'backend'} {words.split()[2]}{clocked}")
                again = self.node.command(what, target, until="never", reason="x", **more).json
                self.assertRegex(again["undo"], f"^weir {words}( --from [0-9TZ:.-]+)? --until {until}{clocked} --reason TEXT$")
                held = [] if what != "drain" or target == b1 else [self.node.command("hold", target).json["undo"]]
                for undo in held + [self.node.command(ends, target).json["undo"]]:
                    self.assertRegex(undo, f"^weir {words}( --from [0-9TZ:.-]+)? --until never{clocked} --reason TEXT$")

    def test_what_is_ended_at_once_is_back_at_once(self) -> None:
        self.node.command("drain", {"site": "ams"}, until="never", over="5m", now=True, reason="x")
        ended = self.node.command("undrain", {"site": "ams"}, now=True).json["override"]
        self.assertEqual((ended["state"], ended["returned"]), ("done", ended["until"]))

    def test_a_backend_that_is_to_return_is_shown_so(self) -> None:
        target = {"pool": "web-ams", "backend": "b1"}
        self.node.command("drain", target, until="never", reason="x")
        wait_for("it is drained", lambda: self.states() == ["drained"])
        self.assertEqual(self.node.command("undrain", target).json["override"]["state"], "returning")

    def states(self) -> list[typing.Any]:
        return [o["state"] for o in self.node.ask("GET", "/v1/overrides").json["items"]]

    def test_what_a_silent_process_lacks_is_not_in_force(self) -> None:
        shutil.copy(os.path.join(self.node.run, "stats.mgmt.page"), os.path.join(self.node.run, "stats.dataplane.page"))
        wait_for("its page is old", lambda: "silent" in [
            p["state"] for p in self.node.ask("GET", "/v1/processes").json["items"]])
        answer = self.node.command("drain", {"site": "ams"}, "?wait_ms=100", until="never", reason="x")
        self.assertEqual((answer.status, answer.json["complete"], answer.json["nodes"]),
                         (202, False, [{"node": "ams-1", "state": "written", "processes": ["dataplane"]}]))

    def test_if_match_on_an_override_is_honoured(self) -> None:
        a = self.node.drain()
        other = {"If-Match": '"o7"'}
        self.assertEqual(self.node.command("undrain", {"site": "ams"}, headers=other).status, 412)
        match = {"If-Match": a.headers["ETag"]}
        self.assertEqual(self.node.command("undrain", {"site": "ams"}, headers=match).status, 200)

    def test_events_are_numbered_and_can_be_waited_for_and_survive(self) -> None:
        node = self.node
        last = node.ask("GET", "/v1/events").json["last"]
        got: list[typing.Any] = []

        def wait_for_drain(until_s: typing.Any = time.monotonic() + 60) -> None:  # others come between, of the node's state
            while not any("wake" in e["message"] for e in got) and time.monotonic() < until_s:
                got.extend(node.ask("GET", f"/v1/events?since={last + len(got)}&wait_ms=10000").json["items"])
        waiter = threading.Thread(target=wait_for_drain)
        waiter.start()
        time.sleep(0.3)  # the request waits by then
        node.drain(reason="wake")
        waiter.join(60)
        self.assertEqual([e["id"] for e in got], list(range(last + 1, last + 1 + len(got))))
        self.assertIn("wake", got[-1]["message"])
        wait_for("the store", lambda: node.stored_events() >= last + len(got))
        node.stop(signal.SIGKILL)
        node.start()
        kept = node.ask("GET", f"/v1/events?since={last}").json["items"]
        self.assertEqual(kept[0]["message"], got[0]["message"])

    def test_events_without_a_start_are_the_newest_oldest_first(self) -> None:
        node = self.node
        for _ in range(3):
            node.drain()
            node.command("undrain", {"site": "ams"}, now=True)
        a = node.ask("GET", "/v1/events?limit=3").json
        self.assertGreater(a["last"], 4)
        self.assertEqual([e["id"] for e in a["items"]], [a["last"] - 2, a["last"] - 1, a["last"]])
        first = node.ask("GET", "/v1/events?since=0&limit=2").json["items"]
        self.assertEqual([e["id"] for e in first], [1, 2])

    def test_a_store_that_is_overwritten_stops_no_drain(self) -> None:
        node = self.node
        # at rest: a transaction that is open writes the first page again, and what is wrong behind it is seen at the next start
        wait_for("the store", lambda: node.stored_events() >= node.ask("GET", "/v1/events?limit=1").json["last"])
        with open(os.path.join(node.state, "store/store.db"), "r+b") as f:
            f.write(b"not a database.." * 4096)
        self.assertEqual(node.drain().status, 201)
        self.assertIn("ams-1-", node.effective())
        wait_for("a store again", lambda: node.ask("GET", "/v1/node").json["store"]["state"] == "rebuilt")
        node.stop(signal.SIGKILL)
        node.start()
        self.assertEqual(node.ask("GET", "/v1/overrides").json["items"][0]["state"], "drained")
        self.assertEqual(node.ask("GET", "/v1/config").json["files"], node.files())
        self.assertIn("store-corrupt", node.log())

    def test_a_node_says_for_how_long_its_process_runs(self) -> None:
        for _ in range(2):
            self.node.stop()
            began = time.monotonic()
            self.node.start()
            first = self.node.ask("GET", "/v1/node").json["uptime_ms"] / 1000
            self.assertLess(first, time.monotonic() - began)
            time.sleep(0.1)  # it rises by this time at least
            self.assertGreater(self.node.ask("GET", "/v1/node").json["uptime_ms"] / 1000, first + 0.09)

    def test_metrics_and_page_and_processes(self) -> None:
        node = self.node
        wait_for("the first gauges", lambda: b"weir_mgmt_version" in node.ask("GET", "/metrics").raw)
        text = node.ask("GET", "/metrics").raw.decode()
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{.+\})? [0-9.e+-]+)$')
        self.assertIn('weir_mgmt_version{process="mgmt"} 1', text)
        node.drain(reason="<script>alert(1)</script>")
        page = node.ask("GET", "/")
        self.assertIn("text/html", page.headers["Content-Type"])
        self.assertNotIn(b"<script", page.raw)
        self.assertIn(b"&lt;script>", page.raw)
        states = {p["process"]: p["state"] for p in node.ask("GET", "/v1/processes").json["items"]}
        self.assertEqual(states, {"dataplane": "absent", "health": "absent", "dns": "absent", "mgmt": "running"})
        status = node.ask("GET", "/v1/status").json
        self.assertEqual(status["pools"][0]["backends"][0]["observation"]["state"], "unknown")
        self.assertEqual(status["pools"][0]["backends"][0]["effect"]["state"], "unknown")

    def test_an_answer_is_explained_without_a_name_server(self) -> None:
        a = self.node.ask("GET", "/v1/dns/explain?name=www.shop.example&client=198.51.100.0/24&tcp=true")
        self.assertEqual((a.status, a.json["rcode"], a.json["authoritative"], a.json["mistakes"]), (200, "NOERROR", True, []), a.raw[:300])
        self.assertEqual([s["text"] for s in a.json["steps"] if s["step"] == "key"], ["198.51.100.0/24, from the client subnet of the query"])
        self.assertEqual(self.node.ask("GET", "/v1/dns/explain?name=none.shop.example&at=2026-11-20T12:00:00Z").json["rcode"], "NXDOMAIN")

    def test_the_description_of_the_interface_is_true(self) -> None:
        a = self.node.ask("GET", "/v1/openapi.json")
        self.assertEqual((a.status, a.json["openapi"]), (200, "3.1.0"))
        self.assertEqual(list(a.json), ["openapi", "info", "security", "paths", "components"])
        with open(os.path.join(os.path.dirname(__file__), "../../../docs/api.md")) as f:
            text = f.read()
        called = [of["operationId"] for item in a.json["paths"].values() for of in item.values()]
        self.assertEqual(sorted(set(called)), sorted(called))
        self.assertEqual([name for name in called if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", name)], [])
        self.assertLessEqual({"listPools", "getPool", "putPoolBackend", "listServiceAt", "getServiceAt", "getVersionDiff", "postChanges"}, set(called))
        self.assertNotIn(rb"\\u", a.raw)  # in patterns: ECMA has it, and neither PCRE nor RE2
        for path, item in a.json["paths"].items():
            base = re.sub(r"/\{.*", "/", path)
            self.assertTrue(base in text, path)
            for of in item.values():
                self.assertLessEqual({"2XX", "400", "401", "404", "500", "503"}, set(of["responses"]), path)
                self.assertNotIn("default", of["responses"], path)
                self.assertEqual(len(of["responses"]["2XX"]["content"]), 1, path)
            needed = [p for p in item.get("get", {}).get("parameters", []) if p["required"]]
            if "get" in item and not needed:  # each answer is held against its description (api_node.py)
                answer = self.node.ask("GET", path)
                self.assertTrue(answer.status == 200 or answer.code == "process-unreachable", path)
            if "post" not in item:
                continue
            schema = item["post"]["requestBody"]["content"]["application/json"]["schema"]
            tried = self.node.ask("POST", re.sub(r"\{\w+\}", "1", path), {"no_such_field": 1})
            if tried.code != "invalid":
                self.assertEqual(schema.get("properties", {}), {}, path)
                continue
            errors = {e["field"]: e["detail"] for e in tried.json["errors"]}
            known = errors["no_such_field"].split("known fields: ")[1].split(", ")
            self.assertEqual(set(known) - {"none"}, set(schema["properties"]), path)
            missing = {f for f, d in errors.items() if d == "is required"}
            self.assertEqual(missing, set(schema["required"]), path)

    def test_another_weir_mgmt_on_the_same_directories_gives_up(self) -> None:
        import subprocess
        node = self.node
        done = subprocess.run([PROGRAM, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir",
                               node.run + "2", "--bpf-dir", node.dir.name, "--node", "ams-1"],
                              capture_output=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(node.ask("GET", "/healthz").status, 200)

    def test_it_ends_cleanly(self) -> None:
        self.node.drain()
        self.assertEqual(self.node.stop(), 0)


class Large(unittest.TestCase):
    """Ten thousand backends of a thousand services."""
    node: Node

    @classmethod
    def setUpClass(cls) -> None:
        cls.node = Node(PROGRAM, text=large_config(1000, 10)).start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.close()

    def longest(self) -> float:
        """The longest work under the lock so far, as the metrics say when they have been written anew."""
        time.sleep(0.6)  # the metrics are written twice a second
        text = self.node.ask("GET", "/metrics").raw.decode()
        return float(re.search(r"^weir_mgmt_lock_longest_seconds\S* (\S+)", text, re.M).group(1))

    def holders(self, backend: str) -> list[str]:
        """Who only looks and has the lock for longer than changes of overrides of BACKEND, since the node began."""
        for pool in range(3, 8):  # one alone may be quick by chance, where the machine is busy with other things later
            self.assertEqual(self.node.command("drain", {"pool": f"p{pool}", "backend": backend}, until="never").status, 201)
        change, found = self.longest(), []
        files = {"files": self.node.files("weight = 100", "weight = 90")}
        looks: list[tuple[typing.Any, ...]] = [("GET", path) for path in (
            "/v1/status", "/v1/health", "/", "/v1/status?limit=40", "/v1/versions/1/diff/1")]
        for look in (*looks, ("POST", "/v1/config/check", files), ("POST", "/v1/config/plan", files)):
            self.assertEqual(self.node.ask(*look).status, 200, look[1])
            longest = self.longest()
            if longest >= 2 * change:  # a tick writes too, and no two writes are alike
                found.append(f"{look[1]}: {longest} s, changes {change} s")
        return found

    def test_who_only_looks_has_the_lock_for_less_than_a_change(self) -> None:
        for backend in ("b1", "b3", "b4"):  # a thread that the machine stops while it has the lock says nothing of the work
            found = self.holders(backend)
            if not found:
                return
            self.node.stop()
            self.node.start()
        self.fail(str(found))

    def test_a_limit_leaves_what_stands_out(self) -> None:
        self.node.command("disable", {"pool": "p7", "backend": "b2"}, until="never", reason="x")
        few = self.node.ask("GET", "/v1/status?limit=40").json
        shown = [(p["name"], b["name"]) for p in few["pools"] for b in p["backends"]]
        self.assertIn(("p7", "b2"), shown)
        self.assertLess(len(shown), 40)
        self.assertEqual((few["backends"]["all"], few["backends"]["shown"], len(few["pools"])), (10000, len(shown), 40))
        self.assertEqual(few["lists"]["pools"], {"all": 1000, "standing_out": 1, "shown": 40})
        self.assertEqual((len(few["services"]), few["lists"]["services"]["all"]), (40, 1000))
        self.assertLess(len(self.node.ask("GET", "/v1/status?limit=40").raw), 100000)
        one = self.node.ask("GET", "/v1/status?pool=p7&limit=40").json
        self.assertEqual([[b["name"] for b in p["backends"]] for p in one["pools"]], [[f"b{k}" for k in range(10)]])
        self.assertEqual([s["name"] for s in one["services"]], ["s7"])
        whole = self.node.ask("GET", "/v1/status?site=ams").json
        self.assertEqual(sum(len(p["backends"]) for p in whole["pools"]), 10000)
        page = self.node.ask("GET", "/").raw.decode()
        n_shown = self.node.ask("GET", "/v1/status?limit=200").json["backends"]["shown"]
        self.assertIn(f"Backends: {n_shown} of 10000 (those with an override or a problem)", page)
        self.assertIn("Services: the first 200 of 1000", page)
        self.assertLess(len(page), 100000)
        for query in ("site=fra", "pool=x", "limit=0"):
            self.assertIn(self.node.ask("GET", "/v1/status?" + query).status, (400, 404))


class Roles(unittest.TestCase):
    def test_each_role_reaches_what_it_may_and_no_more(self) -> None:
        port = free_port()
        node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}"))
        self.addCleanup(node.close)
        node.start()
        wait_for("TCP", lambda: "api-served" in node.log())
        drain: dict[str, typing.Any] = {"do": "drain", "target": {"site": "ams"}, "until": "never"}
        apply = {"files": node.files(), "reason": "x"}
        steps = [  # least role, method, path, body
            ("metrics", "GET", "/metrics", None),
            ("viewer", "GET", "/v1/status", None),
            ("oncall", "POST", "/v1/overrides?dry_run=true", drain),
            ("operator", "POST", "/v1/config/apply", apply),
            ("admin", "POST", "/v1/peer/exchange", {"node": "fra-1", "cluster": "shop", "query": "overrides"}),
        ]
        ladder = {"prom": 0, "vera": 1, "otto": 2, "olga": 3, "ada": 4}
        for name, rank in ladder.items():
            for need, (_, method, path, body) in enumerate(steps):
                a = node.ask_tcp(port, method, path, name * 8, body)
                with self.subTest(name + " " + path):
                    self.assertEqual(a.status == 403, rank < need, a.raw)
        for token in (None, "wrong", ""):
            a = node.ask_tcp(port, "GET", "/v1/status", token)
            self.assertEqual((a.status, a.headers["WWW-Authenticate"]), (401, 'Bearer realm="weir"'))
        self.assertEqual(node.ask_tcp(port, "GET", "/healthz").status, 200)
        self.assertEqual(node.ask_tcp(port, "POST", "/v1/peer/exchange", "p" * 40, steps[-1][3]).status, 200)
        self.assertEqual(node.ask_tcp(port, "GET", "/v1/status", "p" * 40).status, 403)
        node.write("tokens", "broken line\nanonymous viewer *\n")
        self.assertEqual(node.ask_tcp(port, "GET", "/").status, 200)
        self.assertEqual(node.ask_tcp(port, "GET", "/v1/status", "ada" * 8).status, 401)

    def test_without_a_certificate_nothing_is_served_over_tcp(self) -> None:
        port = free_port()
        node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}"))
        self.addCleanup(node.close)
        os.unlink(os.path.join(node.conf, "tls.key"))
        node.start()
        wait_for("a refusal", lambda: "api-not-served" in node.log())
        self.assertRaises(ConnectionRefusedError, node.ask_tcp, port, "GET", "/healthz")

    def test_plain_http_over_tcp_is_not_answered(self) -> None:
        port = free_port()
        node = Node(PROGRAM, text=config(ams_api=f"https://127.0.0.1:{port}"))
        self.addCleanup(node.close)
        node.start()
        wait_for("TCP", lambda: "api-served" in node.log())
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.assertRaises((OSError, http.client.HTTPException), self.plain, c)

    @staticmethod
    def plain(c: typing.Any) -> None:
        c.request("GET", "/healthz")
        c.getresponse()


if __name__ == "__main__":
    counted.main()
