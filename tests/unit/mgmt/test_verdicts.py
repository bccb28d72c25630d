#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Verdicts that programs give to a real weir-mgmt, and what a real weir-health makes of them.

Usage: test_verdicts.py WEIR_MGMT WEIR_HEALTH WEIR
"""
from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import typing
import unittest

from api_node import Node, free_port, wait_for

if typing.TYPE_CHECKING:
    from api_node import Answer

MGMT, HEALTH, WEIR = sys.argv[1:4]
del sys.argv[1:4]
VERDICTS = "/v1/verdicts"
CONFIG = """schema = 1;
cluster = { name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; };
sites = ( { name = "ams"; }, { name = "fra"; } );
nodes = ( { name = "ams-1"; site = "ams"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.1.255.0/24" ]; %s },
          { name = "fra-1"; site = "fra"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.2.255.0/24" ]; api = "https://127.0.0.1:1"; } );
checks = ( { name = "told"; type = "external"; rise = 2; fall = 3; }, { name = "probed"; type = "tcp"; } );
pools = ( { name = "web"; site = "ams"; check = "told"; max_backends = 40;
  registration = { prefixes = [ "10.1.0.0/16" ]; };
  backends = ( { name = "b1"; address = "10.1.1.11"; }, { name = "b2"; address = "10.1.1.12"; } ); },
  { name = "still"; site = "ams"; check = "probed"; backends = ( { name = "b1"; address = "10.1.2.11"; } ); },
  { name = "bare"; site = "ams"; backends = ( { name = "b1"; address = "10.1.3.11"; } ); },
  { name = "far"; site = "fra"; check = "told"; backends = ( { name = "f1"; address = "10.2.3.11"; } ); } );
vips = ( { name = "v"; site = "ams"; addresses = [ "203.0.113.10" ]; } );
services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "ams"; vip = "v"; pool = "web"; } ); } );
"""


class World(unittest.TestCase):
    def setUp(self) -> None:
        self.port = free_port()
        self.node = Node(MGMT, text=CONFIG % f'api = "https://127.0.0.1:{self.port}";').start()
        self.health: subprocess.Popen[bytes] | None = None
        wait_for("a version", lambda: self.node.ask("GET", "/v1/pools/web").status == 200)

    def tearDown(self) -> None:
        self.stop_health()
        self.node.close()

    def start_health(self) -> None:
        n = self.node
        with open(os.path.join(n.dir.name, "health.log"), "a") as log:
            self.health = subprocess.Popen([HEALTH, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run,
                                            "--bpf-dir", n.dir.name, "--node", n.name], stdout=log, stderr=log)
        wait_for("weir-health", lambda: "web/b1" in self.rows())

    def stop_health(self) -> None:
        if self.health:
            self.health.send_signal(signal.SIGTERM)
            self.health.wait(60)
            self.health = None

    def rows(self) -> dict[str, dict[str, typing.Any]]:
        """The targets of weir-health by its control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(os.path.join(self.node.run, "health.ctl"))
            except OSError:
                return {}
            s.sendall(b'{"do":"list"}\n')
            with s.makefile() as f:
                answer = json.loads(f.readline())
        return {f"{t['pool']}/{t['backend']}": t for t in answer.get("targets", []) if "pool" in t}

    def state(self, target: str) -> str:
        return str(self.rows().get(target, {}).get("state"))

    def say(self, target: str, verdict: str, ttl: str = "60s", **more: typing.Any) -> Answer:
        return self.node.ask("PUT", f"{VERDICTS}/{target}", {"verdict": verdict, "ttl": ttl, **more})

    def verdict(self, target: str) -> dict[str, typing.Any]:
        a = self.node.ask("GET", f"{VERDICTS}/{target}")
        self.assertEqual(a.status, 200, a.raw)
        return typing.cast("dict[str, typing.Any]", a.json)


class Asked(World):
    def test_a_verdict_is_shown_with_who_said_it_and_until_when(self) -> None:
        one = self.verdict("web/b1")
        self.assertEqual((one["verdict"], one["said"], one["principal"], one["ends"]), ("unknown", None, None, None))
        a = self.say("web/b1", "down", "90s", reason="replication lag")
        self.assertEqual((a.status, a.json["outcome"]), (200, "said"), a.raw)
        one = self.verdict("web/b1")
        self.assertEqual([one[k] for k in ("pool", "backend", "check", "verdict", "reason", "node", "ttl_s", "age_s")],
                         ["web", "b1", "told", "down", "replication lag", "ams-1", 90, 0])
        self.assertTrue(one["principal"])
        self.assertLess(one["said"], one["ends"])
        self.assertEqual(self.say("web/b1", "down", "90s", reason="replication lag").json["outcome"], "renewed")
        self.assertEqual(self.say("web/b1", "down", "90s", reason="another").json["outcome"], "said")
        self.assertEqual(self.say("web/b1", "up").json["outcome"], "said")
        a = self.node.ask("DELETE", f"{VERDICTS}/web/b1")
        self.assertEqual((a.status, a.json["outcome"], a.json["verdict"]), (200, "taken_back", "unknown"))
        self.assertEqual(self.node.ask("DELETE", f"{VERDICTS}/web/b1").json["outcome"], "absent")
        self.assertEqual(self.verdict("web/b1")["verdict"], "unknown")

    def test_the_list_has_each_target_of_an_external_check(self) -> None:
        self.say("web/b2", "up")
        items = self.node.ask("GET", VERDICTS).json
        self.assertEqual([(i["pool"], i["backend"], i["verdict"]) for i in items["items"]],
                         [("far", "f1", "unknown"), ("web", "b1", "unknown"), ("web", "b2", "up")])
        self.assertIsNone(items["next"])
        up = self.node.ask("GET", VERDICTS + "?filter=verdict=up").json["items"]
        self.assertEqual([i["backend"] for i in up], ["b2"])
        seen, cursor = [], ""
        for _ in range(3):
            page = self.node.ask("GET", f"{VERDICTS}?limit=1{cursor}").json
            seen += [i["backend"] for i in page["items"]]
            cursor = "&cursor=" + str(page["next"]).replace("/", "%2F")
        self.assertEqual((seen, page["next"]), (["f1", "b1", "b2"], None))
        for bad in ("?limit=0", "?limit=1001", "?limit=x", "?cursor=", "?cursor=" + "x" * 200, "?more=1"):
            self.assertEqual(self.node.ask("GET", VERDICTS + bad).status, 400, bad)

    def test_each_mistake_is_refused_by_name(self) -> None:
        good: dict[str, typing.Any] = {"verdict": "down", "ttl": "30s"}
        for what, target, body, status, text in (
                ("a ttl of 0", "web/b1", {**good, "ttl": "0"}, 422, "ttl"),
                ("a ttl of 4 s", "web/b1", {**good, "ttl": "4s"}, 422, "from 5s to 1d"),
                ("a ttl of a year", "web/b1", {**good, "ttl": "365d"}, 422, "ttl"),
                ("a ttl beyond a day", "web/b1", {**good, "ttl": "86401s"}, 422, "ttl"),
                ("a ttl of milliseconds", "web/b1", {**good, "ttl": "5500ms"}, 422, "ttl"),
                ("a number for the ttl", "web/b1", {**good, "ttl": 30}, 422, "ttl"),
                ("null for the ttl", "web/b1", {**good, "ttl": None}, 422, "ttl"),
                ("no ttl", "web/b1", {"verdict": "down"}, 422, "ttl"),
                ("a ttl for ever", "web/b1", {**good, "ttl": "never"}, 422, "ttl"),
                ("no verdict", "web/b1", {"ttl": "30s"}, 422, "verdict"),
                ("null for the verdict", "web/b1", {**good, "verdict": None}, 422, "verdict"),
                ("a number for the verdict", "web/b1", {**good, "verdict": 1}, 422, "verdict"),
                ("unknown as a verdict", "web/b1", {**good, "verdict": "unknown"}, 422, "expected up or down"),
                ("another case", "web/b1", {**good, "verdict": "Down"}, 422, "verdict"),
                ("a near name", "web/b1", {**good, "reasn": "x"}, 422, "reasn"),
                ("a near name for the ttl", "web/b1", {**good, "ttl_s": 30}, 422, "ttl_s"),
                ("a reason with a newline", "web/b1", {**good, "reason": "a\nb"}, 422, "reason"),
                ("a reason with an escape", "web/b1", {**good, "reason": "\x1b[31m"}, 422, "reason"),
                ("a reason that turns round", "web/b1", {**good, "reason": "\u202e"}, 422, "reason"),
                ("a reason too long", "web/b1", {**good, "reason": "r" * 201}, 422, "reason"),
                ("a number for the reason", "web/b1", {**good, "reason": 7}, 422, "reason"),
                ("an unknown pool", "wob/b1", good, 404, "no pool wob"),
                ("an unknown backend", "web/b9", good, 404, "no backend b9"),
                ("a check that probes", "still/b1", good, 404, "a check that probes, probed"),
                ("no check", "bare/b1", good, 404, "no check"),
                ("a name too long", "web/" + "n" * 70, good, 404, "not-found"),
                ("an escaped slash", "web%2Fb1", good, 404, "not-found"),
                ("no backend", "web", good, 404, "not-found"),
                ("a part too many", "web/b1/x", good, 404, "not-found"),
                ("a list", "web/b1", [good], 422, "one JSON object")):
            with self.subTest(what):
                a = self.node.ask("PUT", f"{VERDICTS}/{target}", body)
                self.assertEqual(a.status, status, a.raw)
                self.assertIn(text, a.raw.decode())
        self.assertEqual(self.node.ask("PUT", f"{VERDICTS}/web/b1", raw='{"verdict":"up","verdict":"down","ttl":"5s"}').status, 422)
        self.assertEqual(self.node.ask("POST", f"{VERDICTS}/web/b1", good).status, 405)
        self.assertEqual(self.verdict("web/b1")["said"], None)
        longest = self.say("web/b1", "down", "1d", reason="r" * 200)
        self.assertEqual(longest.status, 200, longest.raw)
        self.assertEqual(self.say("web/b1", "down", "5s").status, 200)

    def test_roles_are_those_of_members(self) -> None:
        for who, status in (("vera", 403), ("prom", 403), ("otto", 200), ("olga", 200), (None, 401)):
            a = self.node.ask_tcp(self.port, "PUT", f"{VERDICTS}/web/b1", who and who * 8, {"verdict": "up", "ttl": "30s"})
            self.assertEqual(a.status, status, (who, a.raw))
        a = self.node.ask_tcp(self.port, "GET", f"{VERDICTS}/web/b1", "vera" * 8)
        self.assertEqual((a.status, a.json["principal"]), (200, "token:olga"))

    def test_a_scope_has_the_pool_of_the_target(self) -> None:
        a = subprocess.run([WEIR, "token", "new", "probe", "oncall", "--scope", "pools:web", "--run-dir", self.node.run, "--conf-dir",
                            self.node.conf, "--state-dir", self.node.state, "--node", "ams-1"], capture_output=True, text=True, timeout=60)
        if a.returncode:
            self.skipTest(a.stderr)
        token = a.stdout.split()[-1]
        body = {"verdict": "up", "ttl": "30s"}
        wait_for("the token", lambda: self.node.ask_tcp(self.port, "PUT", f"{VERDICTS}/web/b1", token, body).status == 200)
        for target in ("far/f1", "still/b1", "none/b1"):
            a2 = self.node.ask_tcp(self.port, "PUT", f"{VERDICTS}/{target}", token, body)
            self.assertEqual(a2.status, 403, (target, a2.raw))
            self.assertEqual(self.node.ask_tcp(self.port, "DELETE", f"{VERDICTS}/{target}", token).status, 403)

    def test_writes_are_bounded_and_say_when_to_come_again(self) -> None:
        answers: list[tuple[int, str | None]] = []
        lock = threading.Lock()

        def write() -> None:
            for _ in range(150):
                a = self.say("web/b1", "up")
                with lock:
                    answers.append((a.status, a.headers.get("Retry-After")))
        threads = [threading.Thread(target=write) for _ in range(6)]
        began = time.monotonic()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took = time.monotonic() - began
        taken = sum(s == 200 for s, _ in answers)
        self.assertLessEqual(taken, 101 + 256 * (took + 1))
        refused = [a for a in answers if a[0] != 200]
        self.assertTrue(all(a == (429, "1") for a in refused), refused[:3])
        if took < 2:
            self.assertTrue(refused)

    def test_a_member_is_a_target_too(self) -> None:
        self.node.close()  # members need a store, or a node that is alone
        alone = re.sub(r',\n +\{ name = "fra-1".*\n', " );\n", CONFIG % "").replace('site = "fra"; check', 'site = "ams"; check')
        self.node = Node(MGMT, text=alone).start()
        wait_for("a version", lambda: self.node.ask("GET", "/v1/pools/web").status == 200)
        self.assertEqual(self.say("web/m1", "up").status, 404)
        self.assertEqual(self.node.ask("PUT", "/v1/pools/web/members/m1", {"address": "10.1.9.1"}).status, 201)
        wait_for("the member", lambda: self.say("web/m1", "up").status == 200)
        self.start_health()
        wait_for("its state", lambda: self.state("web/m1") == "up")

    def test_the_audit_log_has_changes_and_no_renewals(self) -> None:
        self.say("web/b1", "down", reason="first")
        for _ in range(5):
            self.say("web/b1", "down", reason="first")
        self.say("still/b1", "down")

        def lines() -> list[tuple[str, str]]:
            items = self.node.ask("GET", "/v1/audit?limit=100").json["items"]
            return sorted((i["kind"], i["path"]) for i in items if "/v1/verdicts" in str(i.get("path")))
        wait_for("both lines", lambda: len(lines()) >= 2, 20)
        self.assertEqual(lines(), [("change", "/v1/verdicts/web"), ("refusal", "/v1/verdicts/still")])

    def test_nothing_is_written(self) -> None:
        with open(os.path.join(self.node.state, "effective.conf")) as f:
            before = f.read()
        self.say("web/b1", "down", reason="nowhere-on-a-disk")
        time.sleep(1)  # it would be written by then
        self.assertEqual(self.node.effective(), before)
        found = subprocess.run(["grep", "-rl", "nowhere-on-a-disk", os.path.join(self.node.state, "store")], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")


class Judged(World):
    def setUp(self) -> None:
        super().setUp()
        self.start_health()

    def test_down_counts_within_a_second_and_unknown_in_time(self) -> None:
        self.assertEqual(self.state("web/b1"), "unknown")
        self.say("web/b1", "up", "1h")
        wait_for("up", lambda: self.state("web/b1") == "up", 5)
        row = self.rows()["web/b1"]
        self.assertEqual((row["type"], row["check"], row["last"]), ("external", "told", "ok"))
        began = time.monotonic()
        self.say("web/b1", "down", "6s", reason="lag")
        wait_for("down", lambda: self.state("web/b1") == "down", 5)
        self.assertLess(time.monotonic() - began, 3)  # 0.8 s by the rules, and a busy machine
        row = self.rows()["web/b1"]
        self.assertEqual((row["last"], row["detect_worst_ms"]), ("external", 800))
        shown = {b["name"]: b for b in self.node.ask("GET", "/v1/status?pool=web").json["pools"][0]["backends"]}
        self.assertEqual(shown["b1"]["observation"]["state"], "down")
        time.sleep(max(0.0, 5.5 - (time.monotonic() - began)))  # time itself: its end is what is tested
        self.assertEqual(self.state("web/b1"), "down")
        wait_for("unknown", lambda: self.state("web/b1") == "unknown", 5)
        self.assertIn("no program says", self.rows()["web/b1"]["why"])

    def test_a_verdict_stands_and_ends_without_management(self) -> None:
        self.say("web/b1", "up", "1h")
        self.say("web/b2", "down", "8s")
        wait_for("both", lambda: (self.state("web/b1"), self.state("web/b2")) == ("up", "down"), 5)
        self.node.stop(signal.SIGKILL)
        self.stop_health()
        self.start_health()
        wait_for("both again", lambda: (self.state("web/b1"), self.state("web/b2")) == ("up", "down"), 5)
        wait_for("the end", lambda: self.state("web/b2") == "unknown", 12)
        self.assertEqual(self.state("web/b1"), "up")

    def test_a_node_that_starts_changes_nothing_until_it_has_heard_its_peers(self) -> None:
        self.say("web/b1", "down", "1h")
        wait_for("down", lambda: self.state("web/b1") == "down", 5)
        self.node.stop(signal.SIGKILL)
        self.node.start()
        began = time.monotonic()
        self.assertEqual(self.verdict("web/b1")["verdict"], "unknown")
        while time.monotonic() < began + 6:
            self.assertEqual(self.state("web/b1"), "down")
            time.sleep(0.2)  # the pace of the looks
        wait_for("unknown", lambda: self.state("web/b1") == "unknown", 15)

    def test_metrics_and_the_command_line_show_type_and_state(self) -> None:
        def weir(*words: str) -> subprocess.CompletedProcess[str]:
            n = self.node
            return subprocess.run([WEIR, *words, "--run-dir", n.run, "--state-dir", n.state, "--conf-dir", n.conf, "--node", n.name],
                                  capture_output=True, text=True, timeout=60)
        a = weir("verdict", "web/b1", "down", "--ttl", "1h", "--reason", "by hand")
        self.assertEqual(a.returncode, 0, a.stderr)
        self.assertIn("web/b1: down until", a.stdout)
        wait_for("down", lambda: self.state("web/b1") == "down", 5)
        listed = weir("verdicts").stdout
        self.assertIn("web/b1  down  said", listed)
        self.assertIn("by hand", listed)
        self.assertIn("web/b2  unknown  nothing is said", listed)
        self.assertIn("a program says that it is down", weir("health").stdout)
        metrics = self.node.ask("GET", "/metrics").raw.decode()
        self.assertIn('weir_health_targets_external{process="health"} 2', metrics)
        self.assertEqual(weir("verdict", "web/b1", "none").stdout, "web/b1: unknown\n")
        for words in (("verdict", "web/b1", "unknown"), ("verdict", "web/b1", "none", "--ttl", "5s"), ("verdict", "web/zz", "up")):
            self.assertEqual(weir(*words).returncode, 1, words)
        self.assertEqual(weir("verdict", "still/b1", "up").returncode, 1)
        self.assertNotEqual(weir("verdict", "web/b1", "up", "--ttl", "1s").returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
