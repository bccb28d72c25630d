#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The audit log of a weir-mgmt: who asked for what leaves which line, no secret is in it, and what a full disk does.

Usage: test_audit.py WEIR_MGMT WEIR
"""
from __future__ import annotations

import base64
import glob
import hashlib
import http.client
import json
import os
import resource
import shutil
import signal
import ssl
import subprocess
import sys
import typing
import unittest

import counted
from api_node import TOKENS, Node, config, free_port, wait_for
from shared_store import shared

WEIR = sys.argv.pop(2)
PROGRAM = sys.argv.pop(1)
NOBODY_UID = 65534


class Audited(unittest.TestCase):
    def setUp(self) -> None:
        self.port = free_port()
        self.node = Node(PROGRAM, text=config(f"https://127.0.0.1:{self.port}"))
        self.addCleanup(self.node.close)
        self.node.start()
        wait_for("the API over TCP", self.serves)

    def serves(self) -> bool:
        try:
            return self.node.ask_tcp(self.port, "GET", "/healthz").status == 200
        except OSError:
            return False

    def text(self) -> str:
        parts = []
        for path in sorted(glob.glob(f"{self.node.state}/audit/*.log")):
            with open(path) as f:
                parts.append(f.read())
        return "".join(parts)

    def lines(self, **has: object) -> list[dict[str, typing.Any]]:
        lines = [json.loads(line) for line in self.text().splitlines()]
        return [line for line in lines if all(line.get(name) == value for name, value in has.items())]

    def line(self, **has: object) -> dict[str, typing.Any]:
        found: list[dict[str, typing.Any]] = wait_for(f"a line {has}", lambda: self.lines(**has))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def first_line(self, **has: object) -> dict[str, typing.Any]:
        """Of what is counted: on a slow machine what follows it has been written already."""
        found: list[dict[str, typing.Any]] = wait_for(f"a line {has}", lambda: self.lines(**has))
        return found[0]

    def weir(self, *words: str, status: int = 0) -> str:
        p = subprocess.run([WEIR, "--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run, *words],
                           capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, status, p.stdout + p.stderr)
        return p.stdout

    def hold_counts(self, counts: list[typing.Any], n: int) -> None:
        """The first has a line of its own; the others are counted, on a slow machine in more than one minute."""
        self.assertIsNone(counts[0])
        self.assertEqual(sum(counts[1:]), n)
        self.assertLess(len(counts), 6)

    def verify(self) -> dict[str, typing.Any]:
        verdict = json.loads(self.weir("--json", "audit", "verify"))
        self.assertTrue(verdict["good"])
        return typing.cast(dict[str, typing.Any], verdict)


class Lines(Audited):
    def test_changes_of_members_are_counted_and_renewals_are_none(self) -> None:
        n, members = self.node, "/v1/pools/web-ams/members"
        with_members = n.files("max_backends = 10;", 'max_backends = 10; registration = { prefixes = [ "10.1.9.0/24" ]; };')
        self.assertEqual(n.apply(with_members).status, 201)
        for m, status in (("m1", 201), ("m1", 200), ("m2", 201), ("m1", 200)):
            put = n.ask("PUT", f"{members}/{m}", {"address": f"10.1.9.{m[1:]}", "ttl": "60s"})
            self.assertEqual(put.status, status, put.raw)
        self.assertEqual(n.ask("PUT", f"{members}/m3", {"address": "10.2.9.1"}).status, 422)
        line = self.first_line(kind="change", path=members)
        self.assertEqual((line["who"], line["status"], line["method"]), ("user:root", 201, "PUT"))
        self.line(kind="refusal", path=members, status=422)
        n.stop()  # what was counted is written
        counted_lines = self.lines(kind="change", path=members)
        self.assertEqual([c.get("count", 1) for c in counted_lines], [1, 1], counted_lines)

    def test_each_kind_of_change_leaves_its_line(self) -> None:
        n = self.node
        root = {"who": "user:root", "source": "socket"}
        self.assertEqual(n.apply(n.files("# two sites", "# 2 sites"), author="Ada").status, 201)
        line = self.line(kind="change", path="/v1/config/apply")
        self.assertEqual({name: line[name] for name in ("who", "source", "author", "method", "status", "result", "reason", "node")},
                         {**root, "author": "Ada", "method": "POST", "status": 201, "result": "version 2", "reason": "a test",
                          "node": "ams-1"})
        self.line(kind="in-force", result="version 2", who="weir", author="Ada", reason="a test")
        edited = n.ask("PATCH", "/v1/pools/web-ams/backends/b1?reason=less&author=Olga", {"weight": 50},
                       {"If-Match": "*", "Content-Type": "application/merge-patch+json"})
        self.assertEqual(edited.status, 201, edited.raw)
        self.line(kind="change", method="PATCH", path="/v1/pools/web-ams/backends/b1", result="version 3", reason="less", author="Olga",
                  **root)
        edits = [{"method": "PATCH", "path": "pools/web-ams/backends/b2", "if_match": "*", "value": {"weight": 50}}]
        self.assertEqual(n.ask("POST", "/v1/changes", {"edits": edits, "reason": "both"}).status, 201)
        self.line(kind="change", path="/v1/changes", object="pools/web-ams/backends/b2", result="version 4", reason="both")
        back = n.ask("POST", "/v1/versions/1/rollback", {"reason": "back"}, {"If-Match": "*"})
        self.assertEqual(back.status, 201, back.raw)
        self.line(kind="change", path="/v1/versions/1/rollback", result="version 5", reason="back")
        drained = n.drain()
        self.assertEqual(drained.status, 201, drained.raw)
        self.line(kind="change", path="/v1/overrides", object="sites/ams", result=drained.json["override"]["id"], reason="a test")
        self.assertIn(n.command("disable", {"pool": "web-ams", "backend": "b1"}, until="+1h").status, (200, 201, 202))
        self.line(kind="change", path="/v1/overrides", object="pools/web-ams/backends/b1")
        undrained = n.command("undrain", {"site": "ams"}, now=True)
        self.assertIn(undrained.status, (200, 201, 202), undrained.raw)
        self.assertEqual(len(self.lines(kind="change", path="/v1/overrides", object="sites/ams")), 2)
        self.assertEqual(n.ask("POST", "/v1/clock/accept", {"reason": "right"}).status, 200)
        self.line(kind="change", path="/v1/clock/accept", reason="right")
        # a confirmation
        risky = n.apply(n.files("weight = 100; },", "weight = 90; },"), confirm_within="5m")
        self.assertEqual(risky.status, 201, risky.raw)
        number = risky.json["version"]["number"]
        self.assertEqual(n.ask("POST", f"/v1/versions/{number}/confirm", {"reason": "well"}).status, 200)
        self.line(kind="change", path=f"/v1/versions/{number}/confirm", result=f"version {number}", reason="well")
        # and those that come with another change, or with none
        for weight, pending, word in ((70, "refuse", f"version {number + 1}"), (80, "confirm", f"version {number + 2}, confirmed {number + 1}"),
                                      (80, "confirm", f"confirmed {number + 2}")):
            n.apply(n.files("weight = 100; },", f"weight = {weight}; }},"), confirm_within="5m", pending=pending)
            self.line(kind="change", path="/v1/config/apply", result=word)
        # the key
        rotated = n.ask("POST", "/v1/audit/rotate", {"reason": "a new year"})
        self.assertEqual(rotated.status, 200, rotated.raw)
        self.line(kind="key", next=rotated.json["key"], key=rotated.json["former"], who="user:root", reason="a new year")
        self.assertEqual(self.verify()["key"], rotated.json["key"])

    def test_who_passes_a_gate_is_named_and_who_confirms_that_is_not(self) -> None:
        n = self.node
        names = [f"gate-{i:02d}-for-the-end-of-the-year" for i in range(4)]
        gates = ", ".join(f'{{ name = "{name}"; from = "2020-01-01T00:00:00Z"; until = "never"; }}' for name in names)
        text = n.files()["weir.conf"] + f"gates = ( {gates} );\n"
        self.assertEqual(n.apply({**n.files(), "weir.conf": text}, confirm_within="none").status, 201)
        text = text.replace("weight = 100; },", "weight = 60; },")
        made = n.apply({**n.files(), "weir.conf": text}, confirm_within="5m", without_gates=",".join(names))
        self.assertEqual((made.status, made.json["version"]["without_gates"]), (201, ",".join(names)), made.raw)
        self.line(kind="change", path="/v1/config/apply", result=f"version 3, past gate {names[0]}\u2026")
        self.assertEqual(n.ask("POST", "/v1/versions/3/confirm", {"reason": "well"}).status, 200)
        self.line(kind="change", path="/v1/versions/3/confirm", result="version 3")

    def test_the_first_version_of_a_store_comes_into_force_too(self) -> None:
        """Before it the node ran its own file, as version 1 of nobody else."""
        with shared(self.node):
            self.assertEqual(self.node.stop(), 0)
            self.node.start()
            wait_for("the API", self.serves)
            self.assertEqual(self.node.apply(self.node.files("# two sites", "# 2 sites"), author="Ada", confirm_within="none").status, 201)
            wait_for("both are on record", lambda: {line["author"] for line in self.lines(kind="in-force", result="version 1")} == {"first start", "Ada"})

    def test_each_refusal_leaves_its_line_and_reads_and_dry_runs_none(self) -> None:
        n = self.node
        for path in ("/v1/status", "/v1/versions", "/v1/overrides", "/v1/versions/77"):
            n.ask("GET", path)
        self.assertEqual(n.drain(query="?dry_run=true").status, 200)
        self.assertEqual(n.ask("POST", "/v1/config/check", {"files": n.files()}).status, 200)
        self.assertEqual(n.apply(n.files("# two sites", "# 2 sites"), match="").status, 428)
        self.line(kind="refusal", path="/v1/config/apply", status=428, code="if-match-required", who="user:root")
        self.assertEqual(n.apply(n.files("# two sites", "# 2 sites"), match='"other"').status, 412)
        self.line(kind="refusal", path="/v1/config/apply", status=412, code="stale")
        self.assertEqual(n.apply(n.files("schema = 1", "schema = 9")).status, 422)
        self.line(kind="refusal", path="/v1/config/apply", status=422, code="mistakes")
        self.assertEqual(n.command("explode", {"site": "ams"}).status, 422)
        self.line(kind="refusal", path="/v1/overrides", status=422, code="invalid")
        n.drain()
        guarded = n.drain("fra")
        self.assertEqual((guarded.status, guarded.code), (409, "guard"))
        self.line(kind="refusal", path="/v1/overrides", status=409, code="guard")
        self.assertEqual(n.ask_tcp(self.port, "POST", "/v1/overrides", "vera" * 8, {"do": "drain"}).status, 403)
        self.line(kind="refusal", path="/v1/overrides", status=403, code="forbidden", who="token:vera", source="127.0.0.1")
        self.assertEqual(n.ask_tcp(self.port, "GET", "/v1/audit", "olga" * 8).status, 403)
        self.line(kind="refusal", path="/v1/audit", status=403, who="token:olga")
        self.assertEqual(n.ask_tcp(self.port, "GET", "/v1/status").status, 401)
        line = self.line(kind="refusal", path="/v1/status", status=401, code="unauthorized", source="127.0.0.1")
        self.assertNotIn("who", line)
        # again and again: one line, and the others are counted at the end
        for _ in range(50):
            self.assertEqual(n.ask_tcp(self.port, "GET", "/v1/audit", "olga" * 8).status, 403)
        n.stop()
        counts = [line.get("count") for line in self.lines(kind="refusal", path="/v1/audit", who="token:olga")]
        self.hold_counts(counts, 50)
        for path in ("/v1/versions", "/v1/versions/77", "/v1/config/check"):
            self.assertEqual(self.lines(path=path), [])
        self.assertEqual(len(self.lines(kind="change")), 1)

    def test_objects_that_have_no_room_leave_a_mark(self) -> None:
        n = self.node
        edits = [{"method": "PATCH", "path": f"pools/web-ams/backends/{'h' * 40}{i}", "value": {"weight": 1}} for i in range(9)]
        self.assertGreaterEqual(n.ask("POST", "/v1/changes", {"edits": edits, "reason": "many"}).status, 400)
        line = self.line(kind="refusal", path="/v1/changes", reason="many")
        named = line["object"].split(" ")
        self.assertEqual(named, [e["path"] for e in edits[:len(named) - 1]] + ["…"])
        self.assertGreater(len(named), 3)
        # one that is longer than all the room
        edits = [{"method": "PATCH", "path": "pools/" + "é" * 200, "value": {"weight": 1}}] * 2
        self.assertGreaterEqual(n.ask("POST", "/v1/changes", {"edits": edits, "reason": "long"}).status, 400)
        cut = self.line(kind="refusal", path="/v1/changes", reason="long")["object"]
        self.assertTrue(cut.startswith("pools/éé") and cut.endswith("é…"), cut)
        self.assertLess(len(cut.encode()), 256)
        # and what a refused change was to do is on record
        self.assertEqual(n.command("explode", {"site": "fra"}).status, 422)
        self.line(kind="refusal", path="/v1/overrides", object="sites/fra")

    def test_logins_leave_lines(self) -> None:
        n = self.node
        for name in TOKENS:
            n.ask_tcp(self.port, "GET", "/metrics", name * 8)
        for name in TOKENS:
            self.line(kind="login", who=f"token:{name}", source="127.0.0.1")
        self.assertEqual(n.ask_tcp(self.port, "POST", "/v1/peer/exchange", "p" * 40, {}).status, 400)
        self.line(kind="login", who="peer", source="127.0.0.1")
        for _ in range(5):
            self.assertEqual(n.ask_tcp(self.port, "GET", "/v1/status", "wrong" * 8).status, 401)
        self.line(kind="bad-login", source="127.0.0.1", status=401)
        # a right token that is not taken is named
        with open(f"{n.conf}/tokens", "a") as f:
            for name, words in (("stolen", "from=192.0.2.0/24"), ("old", "until=2020-01-01 person=eve")):
                f.write(f"{name} admin {hashlib.sha256((name * 8).encode()).hexdigest()} {words}\n")
        self.assertEqual(n.ask_tcp(self.port, "GET", "/v1/status", "stolen" * 8).status, 403)
        self.assertEqual(n.ask_tcp(self.port, "GET", "/v1/status", "old" * 8).status, 401)
        self.line(kind="bad-login", who="token:stolen", status=403, code="token-elsewhere", source="127.0.0.1")
        self.line(kind="bad-login", who="token:old (eve)", status=401, code="token-ended")
        n.stop()
        self.hold_counts([line.get("count") for line in self.lines(kind="bad-login", code="unauthorized")], 4)

    def test_no_secret_is_in_the_log(self) -> None:
        n = self.node
        secrets = [name * 8 for name in TOKENS] + ["p" * 40, "wrong" * 8, "body-of-a-file", "00112233445566778899aabbccddeeff"]
        for secret in secrets[:-2]:
            n.ask_tcp(self.port, "POST", "/v1/overrides", secret, {"do": "drain", "token": secret})
            c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=ssl.create_default_context(
                cafile=os.path.join(n.conf, "tls.crt")))
            n.send(c, "GET", "/", None, {"Authorization": "Basic " + base64.b64encode(f"x:{secret}".encode()).decode()}, None)
        n.apply(n.files("# two sites", "# body-of-a-file"))
        n.ask("POST", "/v1/overrides", {"do": "drain", "secret": "body-of-a-file"}, {"Idempotency-Key": "body-of-a-file"})
        n.ask("POST", "/v1/audit/rotate", {"reason": "a test"})
        n.stop()
        text = self.text()
        with open(f"{n.state}/audit/key") as f:
            secrets.append(f.read().strip())
        for secret in secrets:
            for form in (secret, base64.b64encode(secret.encode()).decode(), base64.b64encode(f"x:{secret}".encode()).decode()):
                self.assertNotIn(form, text)
        self.assertGreater(len(self.lines()), 15)
        for path in glob.glob(f"{n.state}/audit/*"):
            self.assertEqual(os.stat(path).st_mode & 0o77, 0, path)

    def test_what_a_key_repeats_says_so_and_is_counted(self) -> None:
        for _ in range(52):
            drained = self.node.command("drain", {"site": "ams"}, headers={"Idempotency-Key": "k1"}, until="never", now=True)
            self.assertEqual(drained.status, 201)
        self.assertEqual(len([line for line in self.lines(kind="change") if "replayed" not in line]), 1)
        self.first_line(kind="change", replayed=True, object="sites/ams", result=drained.json["override"]["id"])
        self.node.stop()  # and the others are counted
        self.hold_counts([line.get("count") for line in self.lines(kind="change", replayed=True)], 50)


class Reading(Audited):
    def test_lines_are_found_by_time_person_object_and_kind(self) -> None:
        n = self.node
        n.apply(n.files("# two sites", "# 2 sites"), author="Ada")
        n.drain()
        n.command("disable", {"pool": "web-ams", "backend": "b1"}, until="+1h")
        self.assertEqual(n.ask_tcp(self.port, "POST", "/v1/overrides", "otto" * 8,
                                   {"do": "undrain", "target": {"site": "ams"}, "reason": "back", "now": True}).status, 200)

        def found(query: str) -> list[str]:
            answer = n.ask("GET", "/v1/audit" + query)
            self.assertEqual(answer.status, 200, answer.raw)
            return [line["path"] for line in answer.json["items"] if line["kind"] == "change"]
        self.assertEqual(found(""), ["/v1/overrides"] * 3 + ["/v1/config/apply"])
        self.assertEqual(found("?who=otto"), ["/v1/overrides"])
        self.assertEqual(found("?who=token:otto"), ["/v1/overrides"])
        self.assertEqual(found("?who=user:otto"), [])
        with open(f"{n.conf}/tokens", "a") as f:
            f.write(f"sw oncall {hashlib.sha256(b'sw' * 16).hexdigest()} person=bea\n")
        self.assertEqual(n.ask_tcp(self.port, "POST", "/v1/clock/accept", "sw" * 16, {"reason": "right"}).status, 200)
        for who in ("bea", "sw", "token:sw", "token:sw%20(bea)"):
            self.assertEqual(found(f"?who={who}"), ["/v1/clock/accept"], who)
        for who in ("be", "s", "token", "(bea)", "token:bea", "bea)"):
            self.assertEqual(found(f"?who={who}"), [], who)
        self.assertEqual(found("?who=Ada"), ["/v1/config/apply"])
        self.assertEqual(found("?object=sites/ams"), ["/v1/overrides"] * 2)
        self.assertEqual(found("?object=pools/web-ams"), ["/v1/overrides"])
        self.assertEqual(found("?object=pools/web"), [])
        self.assertEqual(found("?object=config/apply"), ["/v1/config/apply"])
        self.assertEqual(found("?kind=refusal"), [])
        self.assertEqual(found("?since=2100-01-01T00:00:00Z"), [])
        self.assertEqual(len(found("?since=2000-01-01T00:00:00Z")), 5)
        self.assertEqual(len(found("?since=2000-01-01")), 5)
        self.assertEqual(len(found("?since=-1h")), 5)
        self.assertEqual((found("?since=2100-01-01"), found("?since=-1ms")), ([], []))
        self.assertEqual(found("?object=sites/ams/"), found("?object=sites/ams"))
        for query in ("since=yesterday", "since=2026-13-01", "since=-", "since=--1h", "since=-1y", "since=2026-11-2", "kind=changes", "kind="):
            self.assertEqual(n.ask("GET", f"/v1/audit?{query}").status, 400, query)
        whole = n.ask("GET", "/v1/audit").json
        self.assertEqual([line["seq"] for line in whole["items"]], list(range(len(whole["items"]), 0, -1)))
        self.assertIsNone(whole["before"])
        page = n.ask("GET", "/v1/audit?limit=2").json
        self.assertEqual(page["before"], page["items"][1]["seq"])
        self.assertEqual(n.ask("GET", f"/v1/audit?limit=2&before={page['before']}").json["items"], whole["items"][2:4])
        self.assertIn("-> version 2", self.weir("audit", "--who", "Ada", "--kind", "change"))
        self.assertIn("there is no such line", self.weir("audit", "--who", "nobody"))
        self.assertIn("token:otto", self.weir("audit", "--object", "sites/ams"))

    def test_a_clock_that_stepped_back_hides_no_line(self) -> None:
        n = self.node
        n.drain()
        first = self.line(kind="change", path="/v1/overrides")
        n.stop()
        # as if the clock had been ahead until then
        path, = glob.glob(f"{n.state}/audit/*.log")
        text = self.text()
        with open(path, "w") as f:
            f.write(text.replace(first["time"], "2099-01-01T00:00:00.000Z"))
        n.start()
        found = n.ask("GET", "/v1/audit?since=2098-01-01T00:00:00Z").json["items"]
        self.assertEqual([line["seq"] for line in found if line["kind"] == "change"], [first["seq"]])
        self.assertEqual({line["time"] for line in found}, {"2099-01-01T00:00:00.000Z"})

    def test_verify_works_without_weir_mgmt_and_names_the_line(self) -> None:
        n = self.node
        n.drain()
        wait_for("a signature", lambda: self.lines(kind="seal"))
        self.verify()
        heads = json.loads(self.weir("--json", "audit", "heads"))
        self.assertEqual((heads["node"], heads["at_peers"], heads["unheard"], heads["held"]), ("ams-1", [], [], []))
        wait_for("its own head", lambda: n.ask("GET", "/v1/audit/heads").json["own"])
        n.stop()
        self.verify()
        path, = glob.glob(f"{n.state}/audit/*.log")
        with open(path) as f:
            text = f.read()
        number = 1 + next(i for i, line in enumerate(text.splitlines()) if '"kind":"change"' in line)
        with open(path, "w") as f:
            f.write(text.replace("a test", "a lie!", 1))
        verdict = json.loads(self.weir("--json", "audit", "verify", status=10))
        self.assertEqual([(f["what"], f["line"], f["seq"]) for f in verdict["found"]], [("changed", number, number)])
        self.assertIn(f"{os.path.basename(path)}:{number}, line {number}:", self.weir("audit", "verify", status=10))
        self.weir("audit", "verify", "/nowhere", status=3)

    def test_verify_without_a_line_is_never_good(self) -> None:
        n = self.node
        audit = f"{n.state}/audit"
        path, = glob.glob(f"{audit}/*.log")
        n.stop()
        with open(path) as f:
            text = f.read()

        def findings(*words: str) -> list[str]:
            verdict = json.loads(self.weir("--json", "audit", "verify", *words, status=10))
            self.assertFalse(verdict["good"])
            return [f["what"] for f in verdict["found"]]
        with open(path, "w"):
            pass
        self.assertEqual(findings(), ["cut-off"])  # behind its mark
        os.remove(f"{audit}/mark")
        self.assertEqual(findings(), ["missing"])
        self.assertIn("NOT GOOD: 1 finding: the audit log of", self.weir("audit", "verify", status=10))
        self.assertIn("key none;", self.weir("audit", "verify", status=10))
        self.assertEqual(findings(audit), ["missing"])
        os.rename(path, f"{audit}/old.log")
        self.assertEqual(findings(), ["missing"])
        os.remove(f"{audit}/old.log")
        self.assertEqual(findings(), ["missing"])
        os.remove(f"{audit}/key")  # the store is left
        self.assertEqual(findings(), ["missing"])
        shutil.rmtree(audit)
        self.assertEqual(findings(), ["missing"])
        shutil.rmtree(f"{n.state}/store")
        nowhere: list[list[str]] = [[], [n.conf], ["/etc/passwd"]]
        for where in nowhere:  # no log, or none any more: nothing to judge
            p = subprocess.run([WEIR, "--state-dir", n.state, "--run-dir", n.run, "audit", "verify", *where],
                               capture_output=True, text=True, timeout=120)
            self.assertEqual((p.returncode, p.stdout), (3, ""), p.stderr)
            self.assertIn("there is no audit log" if where else "cannot be read: No such file", p.stderr)
        os.makedirs(audit)
        self.assertIn("good", self.weir("audit", "verify", self.copy(text)))

    def copy(self, text: str) -> str:
        path = f"{self.node.dir.name}/copy.log"
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_a_kill_leaves_a_log_that_goes_on(self) -> None:
        for _ in range(3):
            self.node.drain()
            self.node.command("undrain", {"site": "ams"}, now=True)
            self.node.stop(signal.SIGKILL)
            self.node.start()
        self.assertEqual(len(self.lines(kind="change")), 6)
        self.assertEqual(self.lines(kind="repair"), [])
        self.verify()


class Gone(Audited):
    def test_a_log_that_goes_under_weir_mgmt_is_a_condition(self) -> None:
        n = self.node
        n.drain()
        for path in glob.glob(f"{n.state}/audit/*.log"):
            os.remove(path)
        wait_for("the condition", lambda: "audit-gone" in n.ask("GET", "/v1/status").raw.decode())
        self.assertEqual(n.command("undrain", {"site": "ams"}, now=True).status, 200)
        self.assertEqual(self.line(kind="gone")["result"], "removed")
        self.line(kind="change", path="/v1/overrides")
        verdict = json.loads(self.weir("--json", "audit", "verify", status=10))
        self.assertEqual([f["what"] for f in verdict["found"]], ["removed"])
        self.assertIn("-> removed", self.weir("audit", "--kind", "gone"))
        self.weir("audit", "rotate", "--reason", "seen")
        wait_for("its end", lambda: "audit-gone" not in json.dumps(n.ask("GET", "/v1/status").json["reasons"]))

    def test_a_log_that_is_gone_at_a_start_does_not_begin_at_1(self) -> None:
        n = self.node
        n.stop()
        for path in glob.glob(f"{n.state}/audit/*.log"):
            os.remove(path)
        n.start()
        self.assertGreater(self.lines()[0]["seq"], 1)
        self.assertEqual(self.line(kind="gone")["result"], "missing")
        self.weir("audit", "verify", status=10)


class Full(Audited):
    def limit(self, most: int) -> None:
        assert self.node.process
        resource.prlimit(self.node.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    def conditions(self) -> list[str]:
        nodes = self.node.ask("GET", "/v1/status").json
        return [text for text in json.dumps(nodes).split('"') if text == "audit-not-written"]

    def test_a_full_disk_refuses_changes_and_never_a_drain(self) -> None:
        n = self.node
        self.limit(1)
        self.assertIn(n.drain().status, (201, 202))  # the first line that is lost
        refused = n.apply(n.files("# two sites", "# 2 sites"))
        self.assertEqual((refused.status, refused.code), (503, "audit"), refused.raw)
        self.assertIn("cannot be written", refused.json["detail"])
        edited = n.ask("PATCH", "/v1/pools/web-ams/backends/b1?reason=less", {"weight": 50},
                       {"If-Match": "*", "Content-Type": "application/merge-patch+json"})
        self.assertEqual(edited.code, "audit")
        self.assertNotEqual(n.apply(n.files("# two sites", "# 2 sites"), query="?dry_run=true").code, "audit")
        wait_for("the condition", self.conditions)
        for what in ("undrain", "drain", "undrain"):
            words: dict[str, typing.Any] = {} if what == "undrain" else {"until": "never"}
            answer = n.command(what, {"site": "ams"}, now=True, **words)
            self.assertIn(answer.status, (200, 201, 202), answer.raw)
        self.assertEqual(n.command("disable", {"pool": "web-ams", "backend": "b1"}, until="+1h").status, 202)
        # neither is refused for the log, whatever the store says
        for path in ("/v1/versions/1/rollback", "/v1/versions/1/confirm"):
            self.assertNotEqual(n.ask("POST", path, {"reason": "x"}, {"If-Match": "*"}).code, "audit")
        past = n.ask("POST", "/v1/versions/1/rollback", {"reason": "x", "without_gates": "holidays"}, {"If-Match": "*"})
        self.assertEqual(past.code, "audit", past.raw)
        self.limit(resource.RLIM_INFINITY)
        wait_for("the condition's end", lambda: not self.conditions())
        lost = self.line(kind="lost")
        self.assertGreaterEqual(lost["count"], 5)
        self.assertEqual(n.apply(n.files("# two sites", "# 2 sites")).status, 201)
        n.stop()
        self.verify()


class Peers(unittest.TestCase):
    def setUp(self) -> None:
        text = config(*(f"https://127.0.0.1:{free_port()}" for _ in range(2)))
        self.a, self.b = Node(PROGRAM, "ams-1", text), Node(PROGRAM, "fra-1", text)
        for node in (self.a, self.b):
            self.addCleanup(node.close)
            node.start()

    def heads(self, node: Node) -> dict[str, typing.Any]:
        answer = node.ask("GET", "/v1/audit/heads")
        self.assertEqual(answer.status, 200, answer.raw)
        return typing.cast(dict[str, typing.Any], answer.json)

    def is_held(self) -> bool:
        """The last head of a is what b says that it holds, and what it tells a."""
        own = self.heads(self.a)
        return own["own"] is not None and own["at_peers"] == [{"peer": "fra-1", "heads": [own["own"]]}] and self.heads(self.b)["held"] == [own["own"]]

    def verify(self, *words: str, status: int) -> dict[str, typing.Any]:
        p = subprocess.run([WEIR, "--conf-dir", self.a.conf, "--state-dir", self.a.state, "--run-dir", self.a.run, "--json", "audit", "verify",
                            *words], capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, status, p.stdout + p.stderr)
        return typing.cast(dict[str, typing.Any], json.loads(p.stdout))

    def test_a_log_that_was_cut_off_is_found_by_the_head_of_a_peer(self) -> None:
        wait_for("the head of a at b", self.is_held)
        head = self.heads(self.a)["own"]
        self.assertEqual(self.verify(status=0)["heads"], 1)
        self.b.stop()
        wait_for("b is gone", lambda: self.heads(self.a)["unheard"] == ["fra-1"])
        self.a.stop()
        self.b.start()  # without a word of a: what it holds is on its disk
        held = os.path.join(self.b.dir.name, "heads.json")
        with open(held, "w") as f:
            json.dump(self.heads(self.b), f)
        self.assertEqual(self.verify("--heads", held, status=0)["heads"], 1)
        path, = glob.glob(f"{self.a.state}/audit/*.log")
        with open(path) as f:
            lines = f.readlines()
        with open(path, "w") as f:
            f.writelines(lines[:head["seq"] - 1])
        self.assertEqual(self.verify(status=10)["heads"], 0)  # by its mark
        os.remove(f"{self.a.state}/audit/mark")
        self.assertEqual(self.verify(status=0)["heads"], 0)  # nobody is asked: it cannot be known, which is said
        verdict = self.verify("--heads", held, status=10)
        self.assertEqual([(f["what"], f["seq"]) for f in verdict["found"]], [("cut-off", head["seq"] - 1)])
        # it goes on, and is found still
        self.a.start()
        wait_for("another head", lambda: (self.heads(self.a)["own"] or head)["hash"] != head["hash"])
        self.a.stop()
        self.assertTrue(self.verify("--heads", held, status=10)["found"][0]["what"] in ("cut-off", "replaced"))


if __name__ == "__main__":
    counted.main()
