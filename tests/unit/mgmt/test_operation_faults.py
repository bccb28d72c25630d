#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong around operations, with three real weir-mgmt and weir-dns: upgrades, rollbacks, other keys, clocks, full disks, refusals.

The table of cases is in docs/testing.md. Usage: test_operation_faults.py WEIR_MGMT WEIR_DNS WEIR STEPPED_LIBRARY
"""
from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import typing
import unittest

import counted
from api_node import PRELOAD_FIRST, wait_for
from cluster3 import SITES, UNMEASURED
from etcd_cluster import b64
from shared_store import ID
from test_operations import REST, World  # takes the first two arguments

if typing.TYPE_CHECKING:
    from api_node import Answer

WEIR, STEPPED = (sys.argv.pop(1) for _ in range(2))
HOUR_MS = 3600 * 1000


class Faults(World):
    """An operation on site ams that moves, and commands as people give them."""

    def moving(self, **more: typing.Any) -> str:
        id = self.begun("fra", ["ams"], now=False, **more)
        wait_for("a step", lambda: self.c.get("lon", id)["level_ppm"] >= 100000)
        return id

    def goes_on(self, id: str, level: int, at: str = "lon") -> None:
        wait_for("it goes on", lambda: self.c.get(at, id)["level_ppm"] > level, 90)

    def goes_on_as_shown(self, id: str, level: int, at: str = "lon") -> None:
        """By itself, or by the command that a hold prints."""
        def is_beyond() -> bool:
            o = self.c.get(at, id)
            if o["state"] == "held" and o["hold"]["code"] != "taken":
                self.assertIn(o["hold"]["code"], ("node-lost", "not-in-force", "majority"), o["hold"])
                self.weir(at, o["hold"]["resume"])
            return o["level_ppm"] > level
        wait_for("it goes on", is_beyond, 90)

    def weir(self, at: str, line: str) -> subprocess.CompletedProcess[str]:
        """A command line as it was printed, at a node."""
        n, words = self.c.nodes[at], shlex.split(line)
        self.assertEqual(words[0], "weir")
        return subprocess.run([WEIR, *words[1:], "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run],
                              capture_output=True, text=True, timeout=120, check=False)

    @staticmethod
    def printed(done: subprocess.CompletedProcess[str]) -> str:
        return (done.stdout + done.stderr).partition("(kept in the record): ")[2].splitlines()[0]

    @staticmethod
    def briefly(line: str) -> str:
        """A command line without the node that it is for."""
        return re.sub(r" --(conf|state|run)-dir \S+", "", line)


class Printed(Faults):
    def test_a_printed_command_means_what_was_asked_for(self) -> None:
        for line in ("drain site ams lon --over 1500ms --until +4h --withdraw --reason \"it's $x\"", "drain site ams --service web --now --reason 'a b'",
                     "shift site ams 33.5% --service web --until never --reason x", "shift site lon 30% --until +2h --over 5m --reason x",
                     "drain site --label region=eu --reason x --override share"):
            with self.subTest(line):
                first = self.weir("fra", f"weir {line} --dry-run --json")
                self.assertEqual(first.returncode, 2, first.stderr)
                asked = json.loads(first.stdout)
                self.assertFalse(asked["preflight"]["would_begin"])
                # management's own, for who has no command line
                again = self.weir("lon", asked["preflight"]["override"] + " --dry-run --json")
                self.assertEqual(again.returncode, 0, again.stderr)
                o = json.loads(again.stdout)
                for name in ("kind", "sites", "service", "goal_ppm", "now", "withdraw", "reason", "plan", "without"):
                    self.assertEqual(o[name], asked[name], name)
                if "until" in line and "+" not in line:
                    self.assertEqual(o["until"], asked["until"])
                # and the command line's
                refused = self.weir("fra", f"weir {line}")
                self.assertEqual(refused.returncode, 2, refused.stderr)
                third = self.weir("fra", self.printed(refused) + " --dry-run --json")
                self.assertEqual((third.returncode, json.loads(third.stdout)["goal_ppm"]), (0, asked["goal_ppm"]), third.stderr)
        self.assertEqual(self.c.nodes["fra"].ask("GET", "/v1/operations").json["items"], [])

    def test_without_a_majority_the_absent_nodes_are_named(self) -> None:
        for s in ("fra", "lon"):
            self.c.nodes[s].stop(signal.SIGKILL)
        time.sleep(3)  # what they said before is too old then
        refused = self.weir("ams", "weir drain site fra --now --reason x")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        line = self.printed(refused)
        self.assertRegex(line, r" --without fra-1,lon-1( |$)")
        done = self.weir("ams", line)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.c.nodes["ams"].ask("GET", "/v1/operations").json["items"][0]["kind"], "drain")

    def test_a_take_and_a_resume_name_what_they_need(self) -> None:
        id = self.moving()
        for s in ("fra", "ams"):
            self.c.nodes[s].stop(signal.SIGKILL)
        time.sleep(3)  # as above
        away = self.weir("lon", f"weir operation {id} hold --reason x")
        self.assertEqual(away.returncode, 4, away.stderr)
        self.assertIn(f"weir operation {id} take", away.stderr)
        refused = self.weir("lon", f"weir operation {id} take --reason x")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertEqual(self.briefly(self.printed(refused)), f"weir operation {id} take --reason x --without ams-1,fra-1")
        self.assertEqual(self.weir("lon", self.printed(refused)).returncode, 0)
        self.c.wait("lon", id, ("held", "moving"))
        held = self.weir("lon", f"weir operation {id} hold --reason x")
        self.assertIn(held.returncode, (0, 4), held.stderr)
        resumed = self.weir("lon", f"weir operation {id} resume --reason 'go on'")
        if resumed.returncode == 2:
            self.assertIn("guard", resumed.stderr)
            resumed = self.weir("lon", self.printed(resumed))
        self.assertEqual(resumed.returncode, 0, resumed.stderr)

    def test_a_refusal_that_the_owner_gives_names_its_guards_at_any_node(self) -> None:
        id = self.begun("fra", ["ams"], now=False, override_guards=UNMEASURED)
        wait_for("it moves", lambda: self.c.get("lon", id)["state"] == "moving")
        self.assertEqual(self.weir("lon", f"weir operation {id} hold --reason x").returncode, 0)
        n = self.c.nodes["lon"]
        a = n.apply(n.files("# three sites", "# two"), query="?wait=all", confirm_within="5m")
        self.assertIn(a.status, (200, 201, 202), a.raw)
        refused = wait_for("the guard", lambda: next((d for d in [self.weir("ams", f"weir operation {id} resume --reason x")] if d.returncode == 2), None))
        self.assertIn("unconfirmed", refused.stderr)
        self.assertRegex(self.briefly(self.printed(refused)), rf"^weir operation {id} resume --reason x --override \S*unconfirmed")


class Written(Faults):
    def test_every_field_that_is_sent_is_in_the_document(self) -> None:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "docs", "api.md")) as f:
            document = f.read()
        id = self.begun("fra", ["ams"])
        self.c.wait("fra", id, REST)
        n = self.c.nodes["fra"]
        sent = [self.c.get("fra", id), self.c.begin("fra", ["lon"], query="?dry_run=true").json, self.c.begin("fra", ["lon"]).json,
                n.ask("GET", "/v1/operations").json, n.ask("GET", "/v1/sites/ams/arrivals").json, self.c.order("fra", id, "hold").json]
        names: set[str] = set()
        while sent:
            if isinstance(one := sent.pop(), dict):
                names |= one.keys()
            sent += list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else []
        self.assertGreater(len(names), 100)
        self.assertEqual([x for x in sorted(names) if not re.search(rf"[`{{,\s\"]{re.escape(x)}[\"`,?}}]", document)], [])
        described = n.ask("GET", "/v1/openapi.json").json["paths"]["/v1/operations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        for name in described["properties"]:  # each is read: a wrong value is named, an unknown field would be too
            a = n.ask("POST", "/v1/operations", {name: {"no": "such"}})
            self.assertIn(name, [e["field"] for e in a.json["errors"]], a.raw)
            self.assertNotIn("unknown", str([e for e in a.json["errors"] if e["field"] == name]))


class Upgrades(Faults):
    def test_a_drain_goes_on_while_all_nodes_are_restarted_one_by_one(self) -> None:
        id = self.moving(over="20s")
        seen: list[int] = []
        for s in SITES:
            level = max(self.levels())
            self.c.servers[s].stop()
            self.c.nodes[s].stop()
            self.c.nodes[s].start()
            self.c.servers[s].start()
            wait_for("agreement", self.c.agreed)
            wait_for("the record is there", lambda s=s: self.known(id))
            seen.append(min(self.levels()))
            self.assertGreaterEqual(seen[-1], level, "a level went back")
            o = self.c.get(s, id)
            if o["state"] == "held":  # a person looks once at what is away longer than a moment
                self.assertIn(o["hold"]["code"], ("node-lost", "not-in-force", "majority"), o["hold"])
                done = wait_for("it goes on as shown", lambda o=o: next(
                    (d for d in [self.weir("lon", o["hold"]["resume"])] if d.returncode == 0), None))
                self.assertEqual(done.returncode, 0, done.stderr)
        o = self.c.wait("lon", id, REST, 120)
        self.assertEqual(self.levels(), [1000000] * 3)
        self.assertEqual(len({(s["from_ppm"], s["level_ppm"]) for s in o["steps"]}), len(o["steps"]), "a step happened twice")

    def test_record_and_level_survive_a_restart_of_the_owner_that_rests(self) -> None:
        id = self.begun("fra", ["ams"])
        self.c.wait("fra", id, REST)
        before = self.c.get("fra", id)
        for s in SITES:  # all at once: nothing is left but the stores
            self.c.nodes[s].stop(signal.SIGKILL)
        for s in SITES:
            self.c.nodes[s].start()
        after = self.c.get("fra", id)
        for name in ("owner", "epoch", "state", "level_ppm", "reason", "principal", "created", "goal_ppm"):
            self.assertEqual(after[name], before[name], name)
        self.assertEqual(self.levels(), [1000000] * 3)


class Documents(Faults):
    def test_a_rollback_does_not_disturb_it(self) -> None:
        n = self.c.nodes["lon"]
        a = n.apply(n.files("# three sites", "# three of them"), query="?wait=all", confirm_within="none")
        self.assertIn(a.status, (200, 201, 202), a.raw)
        number = a.json["version"]["number"]
        id = self.moving()
        level = self.c.get("lon", id)["level_ppm"]
        a = n.ask("POST", f"/v1/versions/{number - 1}/rollback?wait=all", {"reason": "a test", "confirm_within": "none"}, {"If-Match": "*"})
        self.assertIn(a.status, (200, 201, 202), a.raw)
        self.goes_on(id, level)
        self.assertEqual(self.c.get("fra", id)["state"], "moving")

    def test_another_key_holds_it_and_an_exchanged_file_does_not(self) -> None:
        id = self.moving()
        for n in self.c.nodes.values():
            n.write("hash2.key", "ffeeddccbbaa99887766554433221100\n")
        level = self.c.get("lon", id)["level_ppm"]
        self.c.nodes["fra"].write("hash.key", "ffeeddccbbaa99887766554433221100\n")  # of the owner: no version has it
        self.goes_on(id, level)
        self.c.nodes["fra"].write("hash.key", "00112233445566778899aabbccddeeff\n")
        n = self.c.nodes["lon"]
        a = n.apply(n.files('hash_key_file = "hash.key"; hash_key_id = "k1"', 'hash_key_file = "hash2.key"; hash_key_id = "k2"'),
                    query="?wait=all", confirm_within="none")
        self.assertIn(a.status, (200, 201, 202), a.raw)
        o = self.c.wait("fra", id, ("held",), 40)
        self.assertEqual(o["hold"]["code"], "key-changed", o)
        level = o["level_ppm"]
        done = self.weir("ams", o["hold"]["resume"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.goes_on(id, level)

    def test_a_service_that_leaves_the_site_holds_it_and_abort_ends_it(self) -> None:
        id = self.moving(service="web")
        n = self.c.nodes["lon"]
        old = '{ site = "ams"; vip = "shop-ams"; pool = "web-ams"; },'
        a = n.apply(n.files(old, ""), query="?wait=all", confirm_within="none")
        self.assertIn(a.status, (200, 201, 202), a.raw)
        o = self.c.wait("fra", id, ("held",), 40)
        self.assertEqual(o["hold"]["code"], "service-gone", o)
        done = self.weir("ams", o["hold"]["resume"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.c.wait("fra", id, ("failed",), 40)
        a = self.c.begin("fra", ["ams"], "undrain", service="web")  # no operation can; and none begins for that
        told = "weir undrain site ams --service web --scheduled"
        self.assertEqual((a.status, a.json["detail"]), (422, f"service: web is not at site ams any more: {told} returns it there"), a.raw)
        self.assertEqual(self.c.nodes["fra"].ask("GET", "/v1/operations?state=live").json["items"], [])
        done = self.weir("ams", f"{told} --now --reason x")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for("its level is gone", lambda: set(self.levels()) == {0}, 30)

    def test_a_site_that_leaves_with_its_node_holds_it_and_the_others_go_on(self) -> None:
        id = self.moving()
        n = self.c.nodes["lon"]
        text = re.sub(r'\( \{[^()]*?"ams".*?\},\n  \{ ', "( { ", self.c.text, flags=re.S)
        a = n.apply({**n.files(), "weir.conf": text}, query="?wait=all", confirm_within="none")
        self.assertIn(a.status, (200, 201, 202), a.raw)
        o = self.c.wait("fra", id, ("held", "failed"), 40)
        self.assertEqual(o["hold"]["code"], "site-gone", o)
        a = self.c.begin("fra", ["ams"])
        self.assertEqual((a.status, a.code), (404, "not-found"), a.raw)
        self.assertEqual(self.weir("lon", o["undo"]).returncode, 0, o["undo"])  # the abort: no operation finds the site
        undo = self.c.wait("fra", id, ("failed",), 40)["undo"]
        done = self.weir("lon", undo)
        self.assertEqual((done.returncode, "--scheduled" in undo), (0, True), done.stderr)


class Frozen(Faults):
    """The owner is stopped while it is asked. The drained site's node is stopped, too, so that asking all nodes takes a second."""

    def order_to_frozen(self, id: str, freeze_s: float) -> subprocess.CompletedProcess[str]:
        fra, ams = (self.c.nodes[s].process for s in ("fra", "ams"))
        assert fra and ams
        answers: list[subprocess.CompletedProcess[str]] = []
        asks = threading.Thread(target=lambda: answers.append(
            self.weir("lon", f"weir operation {id} resume --reason x --override {','.join(UNMEASURED)}")))
        ams.send_signal(signal.SIGSTOP)
        asks.start()
        time.sleep(freeze_s)  # the moment of its work that is tested
        fra.send_signal(signal.SIGSTOP)
        ams.send_signal(signal.SIGCONT)
        asks.join()
        fra.send_signal(signal.SIGCONT)
        return answers[0]

    def test_an_order_that_failed_is_not_carried_out_later(self) -> None:
        id = self.moving()
        self.assertEqual(self.c.order("fra", id, "hold").status, 200)
        for freeze_s in (0.4, 1.3):  # before the order is sent, and while the owner asks all nodes for it
            with self.subTest(freeze_s):
                before = wait_for("all nodes are there", lambda: next(
                    (o for o in [self.c.get("lon", id)] if all(n["reached"] for n in o["nodes"])), None))
                failed = self.order_to_frozen(id, freeze_s)
                self.assertEqual(failed.returncode, 4, failed.stderr)
                self.assertIn(f"weir operation {id} take", failed.stderr)
                time.sleep(4)  # it has read the order by now
                o = self.c.get("fra", id)
                self.assertEqual([o[f] for f in ("state", "epoch", "level_ppm")], [before[f] for f in ("state", "epoch", "level_ppm")])

    def test_an_owner_that_is_frozen_is_sent_no_order(self) -> None:
        id = self.moving()
        fra = self.c.nodes["fra"].process
        assert fra
        fra.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        failed = self.weir("lon", f"weir operation {id} abort --reason x")
        took = time.monotonic() - begun
        fra.send_signal(signal.SIGCONT)
        self.assertEqual(failed.returncode, 4, failed.stderr)
        self.assertIn("nothing was changed", failed.stderr)
        self.assertLess(took, 20)  # a person is answered, and not when the owner is back


class Lost(Faults):
    def lost(self) -> str:
        return next((r["text"] for r in self.c.nodes["lon"].ask("GET", "/v1/status").json["reasons"] if r["code"] == "operation-lost"), "")

    def lose_copies(self) -> None:
        for n in self.c.nodes.values():
            n.stop(signal.SIGKILL)
            shutil.rmtree(os.path.join(n.state, "store"))

    def test_the_store_has_what_all_nodes_lost(self) -> None:
        id = self.moving()
        before = self.levels()
        self.lose_copies()
        for n in self.c.nodes.values():
            n.start()
        self.assertEqual(self.levels(), before)
        wait_for("the record is there", lambda: self.known(id))
        self.goes_on_as_shown(id, max(before))
        self.assertEqual(self.lost(), "")

    def test_a_level_whose_operation_is_lost_is_told_and_returns(self) -> None:
        id = self.moving()
        before = self.levels()
        self.lose_copies()
        member = self.c.etcd.members[0]
        keys = [base64.b64decode(kv["key"]).decode() for kv in
                member.good("/v3/kv/range", {"key": b64("/"), "range_end": b64("0"), "keys_only": True})["kvs"]]
        mine = [key for key in keys if f"/{id}" in key]
        self.assertGreaterEqual(len(mine), 2, keys)
        for key in mine:
            member.good("/v3/kv/deleterange", {"key": b64(key)})
        for n in self.c.nodes.values():
            n.start()
        self.assertEqual(self.levels(), before)
        self.assertEqual(self.c.nodes["fra"].ask("GET", "/v1/operations").json["items"], [])
        told = wait_for("status tells", self.lost, 30)
        self.assertRegex(told, r"^ams: (10|25) % of the site's clients are elsewhere by operation ")
        line = told.partition("; ")[2].replace("TEXT", "'it is lost'")
        self.assertEqual(line, "weir undrain site ams --reason 'it is lost'")
        done = self.weir("lon", line + " --override " + ",".join(UNMEASURED))
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for("it is not lost any more", lambda: not self.lost())
        o = self.c.nodes["lon"].ask("GET", "/v1/operations").json["items"][0]
        self.assertEqual((o["state"], o["sites"]), ("returning", ["ams"]), o)


class Stopped(Faults):
    """Nobody decides: the store's only member is dead."""

    @staticmethod
    def answer_of(a: Answer) -> Answer | None:
        """None: the owner had no processor for some seconds."""
        return None if a.code == "owner-unreachable" else a

    def test_while_the_store_is_silent_nothing_moves_and_then_it_goes_on(self) -> None:
        id = self.moving(over="60s")
        member = self.c.etcd.members[0]
        member.stop()
        a = wait_for("the owner answers", lambda: self.answer_of(self.c.order("lon", id, "hold")))
        self.assertEqual((a.status, a.code), (503, "store-unavailable"), a.raw)
        wait_for("the owner says it", lambda: "operation-waits" in str(self.c.nodes["fra"].ask("GET", "/v1/status").json), 30)
        before = self.levels()
        time.sleep(12)  # longer than a step takes, and than a lease
        self.assertEqual(self.levels(), before)
        self.assertEqual([self.c.get(s, id)["state"] for s in SITES], ["moving"] * 3)
        member.start()
        self.goes_on(id, max(before), "ams")
        wait_for("it waits no more", lambda: "operation-waits" not in str(self.c.nodes["fra"].ask("GET", "/v1/status").json))

    def test_nothing_begins_while_the_store_is_silent(self) -> None:
        self.c.etcd.members[0].stop()
        a = self.c.begin("lon", ["ams"], override_guards=UNMEASURED)
        self.assertEqual((a.status, a.code), (503, "store-unavailable"), a.raw)
        self.assertIn("weir drain site SITE --scheduled", a.json["detail"])
        wait_for("it is known", lambda: self.c.nodes["lon"].ask("GET", "/v1/store").json["state"] == "cut-off", 30)
        a = self.c.begin("lon", ["ams"])  # guards refuse it, too: a way past these would lead nowhere
        self.assertEqual((a.status, a.code), (503, "store-unavailable"), a.raw)
        for n in self.c.nodes.values():
            self.assertEqual(n.ask("GET", "/v1/operations").json["items"], [])
        self.c.etcd.members[0].start()
        time.sleep(3)  # what was written after all would be here
        self.assertEqual(self.c.nodes["fra"].ask("GET", "/v1/operations").json["items"], [])
        self.assertEqual(wait_for("it begins", lambda: next(
            (a for a in [self.c.begin("lon", ["ams"], override_guards=UNMEASURED)] if a.status != 503), None)).status, 201)

    def test_what_acts_without_the_store_ends_the_operation(self) -> None:
        id = self.moving()
        self.c.etcd.members[0].stop()
        time.sleep(1)  # a step that was decided comes into force
        done = self.weir("lon", "weir undrain site ams --scheduled --now --reason x")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for("all are back", lambda: set(self.levels()) == {0}, 30)
        self.c.etcd.members[0].start()
        self.c.wait("fra", id, ("aborted", "failed", "held"), 60)
        time.sleep(3)  # three ticks: nothing is written again
        self.assertEqual(set(self.levels()), {0})

    def test_one_service_returns_by_the_command_that_is_told(self) -> None:
        id = self.moving(service="web")
        self.c.etcd.members[0].stop()
        told = r"Without the store: (weir undrain site ams --service web --scheduled --reason TEXT)"
        line = wait_for("it is told", lambda: re.search(told, str(self.c.nodes["fra"].ask("GET", "/v1/status").json)), 30)[1]
        whole = self.weir("lon", "weir undrain site ams --scheduled --now --reason x")
        self.assertEqual((whole.returncode, "weir undrain site ams --service web --scheduled" in whole.stderr), (1, True), whole.stderr)
        self.assertEqual(self.weir("lon", line).returncode, 0)
        wait_for("all are back", lambda: set(self.levels()) == {0}, 30)
        self.c.etcd.members[0].start()
        self.c.wait("fra", id, ("aborted",), 60)

    def test_what_acts_without_the_store_ends_it_also_if_the_owner_died(self) -> None:
        id = self.moving()
        self.c.etcd.members[0].stop()
        time.sleep(1)  # as above
        done = self.weir("lon", "weir undrain site ams --scheduled --now --reason x")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_for("all are back", lambda: set(self.levels()) == {0}, 30)
        self.c.nodes["fra"].stop(signal.SIGKILL)
        self.c.etcd.members[0].start()
        self.c.wait("lon", id, ("aborted",), 60)
        time.sleep(3)  # as above
        self.assertEqual(set(self.levels()), {0})


class Undecided(Faults):
    """The store answers, the owner's lease is there, and no change is decided."""

    def waits(self, at: str) -> bool:
        return "operation-waits" in str(self.c.nodes[at].ask("GET", "/v1/status").json)

    def test_a_full_store_is_told_and_then_it_goes_on(self) -> None:
        id = self.moving()
        member = self.c.etcd.members[0]
        alarm = {"memberID": member.status()["header"]["member_id"], "alarm": "NOSPACE"}
        member.good("/v3/maintenance/alarm", {**alarm, "action": "ACTIVATE"})
        wait_for("the owner says it", lambda: self.waits("fra"), 30)
        level = max(self.levels())
        member.good("/v3/maintenance/alarm", {**alarm, "action": "DEACTIVATE"})
        self.goes_on(id, level)
        wait_for("it waits no more", lambda: not self.waits("fra"))

    def test_a_record_that_cannot_be_read_is_told_and_nobody_goes_on(self) -> None:
        id = self.moving(over="60s")
        member = self.c.etcd.members[0]
        key = f"/weir/operation/{id}"
        member.put(key, "[]")
        wait_for("all say it", lambda: all(self.waits(s) for s in SITES), 30)
        a = self.c.order("lon", id, "hold")
        self.assertEqual((a.status, a.code), (503, "store-unavailable"), a.raw)
        self.assertIn("cannot be read", a.json["detail"])
        self.assertEqual(member.get(key), "[]")


class Cuts(Faults):
    """lon is cut off from ams and fra, and all reach the store. On both sides people name the other side absent."""

    def cut(self, on: bool) -> None:
        for s in ("ams", "fra"):
            self.c.nodes[s].write("peer.token", ("q" if on else "p") * 40 + "\n")

    def test_orders_on_both_sides_of_a_cut_have_one_owner(self) -> None:
        id = self.moving()
        self.cut(True)
        self.c.wait("fra", id, ("held",), 40)
        wait_for("lon is alone", lambda: "agreed" not in [p["state"] for p in self.c.nodes["lon"].ask("GET", "/v1/peers").json["items"]])
        before = self.levels()
        a = self.c.order("lon", id, "take", without=["ams-1", "fra-1"], override_guards=UNMEASURED)
        self.assertEqual((a.status, a.json["owner"]), (200, "lon-1"), a.raw)
        wait_for("fra knows", lambda: self.c.get("fra", id)["owner"] == "lon-1")
        a = self.c.order("fra", id, "resume", without=["lon-1"], override_guards=UNMEASURED)
        self.assertEqual((a.status, a.code), (409, "owner-unreachable"), a.raw)
        events = [e["message"] for e in self.c.nodes["fra"].ask("GET", "/v1/events?limit=50").json["items"] if e["kind"] == "operation"]
        self.assertTrue(any("node lon-1 owns it now" in e for e in events), events)
        self.assertGreaterEqual(min(self.levels()), min(before))
        self.cut(False)
        self.goes_on_as_shown(id, max(before))
        wait_for("all have one level", lambda: len(set(self.levels())) == 1 and min(self.levels()) > max(before))


class Relay:
    """Carries bytes to the store. Once told, the next answer to a change waits."""

    def __init__(self, port: int) -> None:
        self.port, self.keeps, self.kept, self.let_go = port, False, threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                ends = self.listener.accept()[0], socket.create_connection(("127.0.0.1", self.port))
                asked = threading.Event()
                for k in (0, 1):
                    threading.Thread(target=self.carry, args=(ends[k], ends[1 - k], asked, k == 0), daemon=True).start()

    def carry(self, source: socket.socket, to: socket.socket, asked: threading.Event, asks: bool) -> None:
        with contextlib.suppress(OSError), source, to:
            while data := source.recv(1 << 16):
                if asks and self.keeps and b"/v3/kv/txn" in data:
                    self.keeps = False
                    asked.set()
                elif not asks and asked.is_set():
                    asked.clear()
                    self.kept.set()
                    self.let_go.wait(60)
                to.sendall(data)


class Late(Faults):
    """The store's answers to the owner are late."""

    def test_a_late_answer_takes_nothing_back_that_was_decided_since(self) -> None:
        n, member = self.c.nodes["fra"], self.c.etcd.members[0]
        relay = Relay(member.client)
        self.addCleanup(relay.listener.close)
        n.stop()
        member.stop()
        member.start("--advertise-client-urls", relay.url)  # else the node learns of another way to it
        wait_for("the store", member.is_ready)
        n.write("store.conf", json.dumps({"id": ID, "endpoints": [relay.url]}))
        n.start()
        wait_for("agreement", self.c.agreed)
        id = self.moving()
        relay.keeps = True
        self.assertTrue(relay.kept.wait(30), "the owner changes nothing")
        a = self.c.order("lon", id, "take", override_guards=UNMEASURED)
        self.assertEqual((a.status, a.json["owner"]), (200, "lon-1"), a.raw)
        wait_for("the former owner knows", lambda: self.c.get("fra", id)["owner"] == "lon-1")
        epoch = self.c.get("lon", id)["epoch"]
        time.sleep(1)  # the new owner has noted what it waits for: its next change comes seconds later
        relay.let_go.set()
        for _ in range(10):
            time.sleep(0.3)  # the former owner has its answer
            self.assertEqual([(o["owner"], o["epoch"]) for o in (self.c.get(s, id) for s in SITES)], [("lon-1", epoch)] * 3)
        self.goes_on(id, 100000)


class Clocks(Faults):
    """The owner's wall clock is what a file says."""

    def setUp(self) -> None:
        super().setUp()
        n = self.c.nodes["fra"]
        self.file = os.path.join(n.dir.name, "step")
        self.step(0)
        n.stop()
        os.environ.update(LD_PRELOAD=STEPPED, STEPPED_CLOCK=self.file, **PRELOAD_FIRST)
        try:
            n.start()
        finally:
            for name in ("LD_PRELOAD", "STEPPED_CLOCK", *PRELOAD_FIRST):
                del os.environ[name]
        wait_for("agreement", self.c.agreed)

    def step(self, ms: int) -> None:
        with open(self.file + ".new", "w") as f:
            f.write(f"{ms} 1\n")
        os.rename(self.file + ".new", self.file)

    def test_no_step_of_the_owners_clock_ends_it_or_takes_a_level_back(self) -> None:
        id = self.moving(until="+90m")
        for ms in (2 * HOUR_MS, -2 * HOUR_MS, 12 * 365 * 24 * HOUR_MS, 0):
            with self.subTest(ms):
                self.step(ms)
                before = self.levels()
                time.sleep(4)  # four ticks
                o = self.c.get("lon", id)
                self.assertGreaterEqual(min(self.levels()), min(before))
                self.assertIn(o["state"], ("moving", "held", "late", "drained", "drained_unconfirmed"), o["hold"])
                self.assertFalse(o["expired"])
                if o["state"] == "held":
                    self.assertIn(o["hold"]["code"], ("clock", "not-in-force"), o["hold"])
        if self.c.get("fra", id)["state"] == "held":  # the clock is right again
            wait_for("it goes on", lambda: self.c.order("fra", id, "resume", override_guards=UNMEASURED).status == 200)
        self.c.wait("lon", id, REST, 120)


class FullDisk(Faults):
    def setUp(self) -> None:
        """A namespace of mounts of its own; it ends with this process."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, 0x44000, None):  # CLONE_NEWNS; MS_REC | MS_PRIVATE
            self.skipTest("no namespace of mounts: root is needed")
        super().setUp()

    def small_disk(self, site: str) -> None:
        """The node's state on a disk of its own. It was stopped, and starts."""
        n = self.c.nodes[site]
        subprocess.run(["cp", "-a", n.state, n.state + ".was"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0755", "none", n.state], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "-l", n.state], check=False))
        subprocess.run(["cp", "-a", n.state + ".was/.", n.state], check=True)
        n.start()
        self.c.servers[site].start()

    def small_disks(self, sites: typing.Sequence[str]) -> None:
        for s in sites:
            self.c.servers[s].stop()
            self.c.nodes[s].stop()
        for s in sites:
            self.small_disk(s)
        wait_for("agreement", self.c.agreed)

    def fill(self, site: str) -> None:
        with open(os.path.join(self.c.nodes[site].state, "filler"), "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass

    def test_of_an_owner_with_a_full_disk_another_node_goes_on(self) -> None:
        n = self.c.nodes["fra"]
        self.small_disks(["fra"])
        id = self.moving(over="60s")
        self.fill("fra")
        level = self.c.get("lon", id)["level_ppm"]
        wait_for("another owner", lambda: self.c.get("ams", id)["owner"] == "lon-1", 40)
        self.goes_on(id, level)
        at = self.c.get("lon", id)["level_ppm"]  # who keeps nothing follows all the same
        wait_for("it shows what is so", lambda: (o := self.c.get("fra", id))["owner"] == "lon-1" and o["level_ppm"] >= at)
        wait_for("status tells", lambda: n.ask("GET", "/v1/status").json["state"] != "well")
        n.stop(signal.SIGKILL)
        os.unlink(os.path.join(n.state, "filler"))
        level = self.c.get("lon", id)["level_ppm"]
        n.start()
        wait_for("the record is here", lambda: self.c.get("fra", id)["level_ppm"] >= level)
        self.goes_on_as_shown(id, level)
        self.assertGreaterEqual(min(self.levels()), level)

    def test_what_begins_at_a_node_that_keeps_nothing_goes_on_elsewhere(self) -> None:
        self.small_disks(["ams"])
        self.fill("ams")
        a = self.c.begin("ams", ["ams"], override_guards=UNMEASURED)
        if a.status == 503:  # it has seen that already
            self.assertIn("store", a.code)
            a = self.c.begin("fra", ["ams"], override_guards=UNMEASURED)
        self.assertEqual(a.status, 201, a.raw)  # the store has it
        wait_for("it moves", lambda: self.c.get("lon", a.json["id"])["state"] == "moving", 40)
        self.assertNotEqual(self.c.get("lon", a.json["id"])["owner"], "ams-1")

    def all_say_it(self) -> bool:
        """That they keep nothing, of a change that means nothing: a version is written again."""
        member = self.c.etcd.members[0]
        keys = [base64.b64decode(kv["key"]).decode() for kv in
                member.good("/v3/kv/range", {"key": b64("/"), "range_end": b64("0"), "keys_only": True})["kvs"]]
        key = next(k for k in keys if "/version/" in k)
        value = member.get(key)
        assert value
        member.put(key, value)
        time.sleep(1)  # until all have heard of it; a disk may have room for one change more
        return all("store-not-kept" in str(n.ask("GET", "/v1/status").json) for n in self.c.nodes.values())

    def test_while_no_node_keeps_anything_nothing_moves_and_then_it_goes_on(self) -> None:
        self.small_disks(SITES)
        id = self.moving(over="60s")
        for s in SITES:
            self.fill(s)
        wait_for("all say it", self.all_say_it, 40)  # whoever steps may see its own full disk before the others have anything to keep
        time.sleep(12)  # longer than a lease
        a = self.c.order("lon", id, "abort", override_guards=UNMEASURED)
        self.assertIn(a.status, (409, 503), a.raw)
        before = self.levels()
        time.sleep(5)  # as long as an order would take
        self.assertEqual(self.levels(), before)
        for n in self.c.nodes.values():  # they lose power at once; when they are back there is room on the disks
            n.stop(signal.SIGKILL)
        for n in self.c.nodes.values():
            os.unlink(os.path.join(n.state, "filler"))
            n.start()
        self.assertEqual(self.levels(), before)
        self.goes_on_as_shown(id, max(before))


if __name__ == "__main__":
    counted.main()
