#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line without any process of Weir: help, arguments, exit statuses, config.

Usage: test_cli.py WEIR SOURCE_ROOT
"""
import concurrent.futures
import functools
import hashlib
import http.server
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import typing
import unittest

import counted

ROOT, WEIR = sys.argv.pop(), sys.argv.pop()

CONFIG = """
schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ]; } );
"""


class Api(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Management as the command line sees it: canned answers; what was asked is kept."""

    daemon_threads = True
    request_queue_size = 64  # eleven commands may come at once, and one that finds no room is refused

    def __init__(self, path: str) -> None:
        self.requests, self.answers = list[typing.Any](), dict[str, typing.Any]()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                n = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(n)) if n else None
                api.requests.append((self.command, self.path, body, self.headers.get("If-Match")))
                status, found = api.answers.get(self.path.split("?")[0], (404, {"code": "not-found", "title": "?"}))
                if status == 0:
                    time.sleep(30)  # as one that is stopped
                if isinstance(found, list):
                    found = found.pop(0) if len(found) > 1 else found[0]
                data = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                pass

            def address_string(self) -> str:
                return "unix"

        super().__init__(path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()

    def get_request(self) -> tuple[typing.Any, tuple[str, int]]:
        request, _ = super().get_request()
        return request, ("unix", 0)


HEAD = {"items": [{"number": 7, "etag": "v7-00", "state": "in_force"}], "head": 7, "etag": "v7-00"}
LATIN = os.fsdecode(b"caf\xe9")  # no UTF-8
DRAIN = ("drain", "site", "ams", "--scheduled", "--until", "+4h", "--reason", "INC-77")
DRAINED: dict[str, typing.Any] = {
    "override": {"id": "o1", "do": "drain", "target": {"site": "ams"}, "state": "ramping",
                 "from": "2026-11-20T08:00:00.000Z", "full": "2026-11-20T08:05:00.000Z",
                 "until": "2026-11-20T12:00:00.000Z", "returned": "2026-11-20T12:05:00.000Z"},
    "receivers": [{"site": "fra", "weight_ppm_before": 500000, "weight_ppm_after": 1000000, "bits_per_s": 2100000000,
                   "bits_per_s_after": 4300000000, "capacity_bits_per_s": 40000000000, "load_ppm_after": 107500}],
    "guards": [{"guard": "room", "ok": True, "detail": "fra: 0.9 %"}], "undo": "weir undrain site ams", "notes": [],
    "complete": True, "document": 57, "nodes": [{"node": "ams-1", "state": "in_force"}]}
STATUS: dict[str, typing.Any] = {"node": "ams-1", "site": "ams", "cluster": "shop", "state": "well", "why": [], "document": 3,
          "version": {"number": 7}, "store": {"state": "ok", "detail": ""}, "processes": [], "peers": [],
          "sites": [{"name": "ams", "intent": {"state": "drain", "overrides": ["o1"]}, "observation": {"state": "up"},
                     "effect": {"level_ppm": 1000000, "weight_share_ppm": 0}}],
          "pools": [{"name": "web", "backends": [
              {"name": "b1", "intent": {"state": "serve"}, "observation": {"state": "down", "reason": "refused"},
               "effect": {"state": "out", "why": "refused"}}]}],
          "overrides": [{"id": "o1", "do": "drain", "target": {"site": "ams"}, "state": "drained", "author": "jw"}]}


class WithApi(unittest.TestCase):
    def setUp(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="weir-api.")
        self.api = Api(os.path.join(self.dir, "api.sock"))
        with open(os.path.join(self.dir, "hash.key"), "w") as f:
            f.write("0" * 32)
        with open(os.path.join(self.dir, "weir.conf"), "w") as f:
            f.write('@include "more.conf"\n' + CONFIG)
        with open(os.path.join(self.dir, "more.conf"), "w") as f:
            f.write("# nothing\n")
        self.api.answers["/v1/versions"] = (200, HEAD)

    def tearDown(self) -> None:
        self.api.shutdown()
        self.api.server_close()
        shutil.rmtree(self.dir)

    def weir(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir, *arguments],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_each_refusal_has_its_exit_status_and_says_what_to_do(self) -> None:
        for http_status, code, exit_status, expected in (
                (400, "bad-request", 1, ""), (401, "unauthorized", 7, "role"), (403, "forbidden", 7, "role"),
                (404, "not-found", 1, ""), (409, "guard", 2, "--override"), (409, "unconfirmed", 4, "weir confirm"),
                (409, "nothing-to-end", 4, ""), (412, "stale", 4, "weir diff"), (422, "invalid", 1, ""),
                (429, "busy", 3, "again"), (500, "internal", 3, ""), (503, "store", 3, "weir status"),
                (503, "store-unavailable", 3, "weir store status"), (503, "outcome-unknown", 3, "weir versions")):
            self.api.answers["/v1/overrides"] = (http_status, {
                "code": code, "title": "No", "detail": "because", "errors": [{"field": "until", "detail": "too long"}],
                "guards": [{"guard": "room", "ok": False, "detail": "fra is full"},
                           {"guard": "last-site", "ok": True, "detail": "fine"}]})
            done = self.weir(*DRAIN)
            with self.subTest(code):
                self.assertEqual(done.returncode, exit_status)
                for text in ("No: because", "until: too long", "room: fra is full", expected):
                    self.assertIn(text, done.stderr)
                self.assertNotIn("fine", done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertEqual(json.loads(self.weir(*DRAIN, "--json").stdout)["code"], code)

    def test_an_answer_that_is_no_json_is_no_crash(self) -> None:
        for http_status, exit_status in ((200, 5), (502, 3)):
            self.api.answers["/v1/overrides"] = (http_status, b"<html>")
            self.assertEqual(self.weir(*DRAIN).returncode, exit_status)
        self.api.answers["/v1/status"] = (200, b"[[[")
        self.assertEqual(self.weir("status").returncode, 3)  # as without management

    def test_plan_says_the_line_that_does_what_it_planned(self) -> None:
        self.api.answers["/v1/config/plan"] = (200, {"changed": True, "plan": {}, "base": '"v7-00"'})
        path = os.path.join(self.dir, "weir.conf")
        for words, line in ((("plan",), "weir apply"), (("plan", path), f"weir apply {path}"), (("plan", "--", self.copy("my conf")), f"weir apply '{self.dir}/my conf'"),
                            (("--bpf-dir=/a b", "plan", "--node", "n7"), "weir apply")):
            given = f" --conf-dir {self.dir} --state-dir {self.dir} --run-dir {self.dir}" + (f" '{words[0]}' --node n7" if "=" in words[0] else "")
            self.assertIn(f"\nto apply it: {line}{given} --reason TEXT\n", "\n" + self.weir(*words).stdout)

    def copy(self, name: str) -> str:
        return shutil.copy(os.path.join(self.dir, "weir.conf"), os.path.join(self.dir, name))

    def test_a_version_is_written_out_whole_and_as_it_was_laid_out(self) -> None:
        """A node may be without the version's files, or have others in their place: then nothing comes of it."""
        main, zone = 'schema = 1; # file = "zones/a"\nfile = "zones/a"\n', "@ TXT x\n"
        digest = hashlib.sha256("".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in (
            ("weir.conf", main), ("zones/a", zone))).encode()).hexdigest()
        self.api.answers["/v1/config"] = (200, {"etag": "v7-00", "digest": digest})
        cases: list[tuple[str, dict[str, str], str]] = [
            ("all are there", {"weir.conf": main, "zones/a": zone}, ""),
            ("one more that it does not name", {"weir.conf": main, "zones/a": zone, "zones/b": zone}, ""),
            ("a zone is another one", {"weir.conf": main, "zones/a": zone + zone}, "Resource temporarily unavailable"),
            ("the main file is another one", {"weir.conf": "#" + main, "zones/a": zone}, "Resource temporarily unavailable"),
            ("a zone is missing", {"weir.conf": main}, "Resource temporarily unavailable"),
            ("none is there", {}, "No such file or directory")]
        for why, laid_out, error in cases:
            into, folder = pathlib.Path(self.dir, "new"), pathlib.Path(self.dir, "config", digest)
            for name, text in laid_out.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text)
            done = self.weir("config", "show", "--applied", "--into", str(into))
            with self.subTest(why):
                found = {str(f.relative_to(into)): f.read_text() for f in into.rglob("*") if f.is_file()}
                if error:
                    self.assertEqual((done.returncode, done.stdout, found), (1, "", {}))
                    self.assertEqual(done.stderr, f"weir: {into}: cannot write the files of the version in force: {error}\n")
                else:
                    self.assertEqual((done.returncode, done.stderr), (0, ""))
                    self.assertEqual(found, {"weir.conf": "# weir base v7-00\n" + main, "zones/a": zone})
                    self.assertEqual(done.stdout, f"{into} now has the 2 files of version v7-00; change them, then run weir plan {into}/weir.conf"
                                     f" --conf-dir {self.dir} --state-dir {self.dir} --run-dir {self.dir}\n")
                    own = f"{into} own"
                    self.assertIn(f"weir plan '{own}/weir.conf' --conf-dir", self.weir("config", "show", "--applied", "--into", own).stdout)
                    shutil.rmtree(own)
                    self.assertEqual(json.loads(self.weir("config", "show", "--applied", "--json", "--into", own).stdout),
                                     {"into": own, "files": 2, "version": "v7-00"})
                    shutil.rmtree(own)
                self.assertEqual(into.exists(), not error)  # so that the same line works later
            shutil.rmtree(into, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)

    def test_a_version_is_shown_as_it_was_applied_whatever_its_bytes(self) -> None:
        for given, sent in ((b"schema = 1; # \xc3\xa4\n", "schema = 1; # \u00e4\n"),
                            (b"schema = 1; # \xe4\n", {"base64": "c2NoZW1hID0gMTsgIyDkCg=="})):
            self.api.answers["/v1/config"] = (200, {"etag": "v7-00", "files": {"weir.conf": sent}})
            done = subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir, "config", "show",
                                   "--applied"], capture_output=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, b"# weir base v7-00\n" + given))

    def test_a_version_that_cannot_be_written_whole_leaves_nothing(self) -> None:
        main = "schema = 1;\n" * 9
        digest = hashlib.sha256(f"{hashlib.sha256(main.encode()).hexdigest()}  weir.conf\n".encode()).hexdigest()
        self.api.answers["/v1/config"] = (200, {"etag": "v7-00", "digest": digest})
        into, folder = pathlib.Path(self.dir, "new"), pathlib.Path(self.dir, "config", digest)
        folder.mkdir(parents=True)
        (folder / "weir.conf").write_text(main)
        for most in (20, len(main) + 5):  # the file itself; and the line of its base

            def limit(most: int = most) -> None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            done = subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir, "config", "show",
                                   "--applied", "--into", str(into)], capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit)
            self.assertEqual((done.returncode, done.stderr), (1, f"weir: {into}: cannot write the files of the version in force: {into}/weir.conf: File too large\n"))
            self.assertFalse(into.exists())
        into.mkdir()
        (into / "mine").touch()
        self.assertIn("it exists already", self.weir("config", "show", "--applied", "--into", str(into)).stderr)
        self.assertTrue((into / "mine").exists())

    def test_what_only_asks_does_not_go_on_when_nobody_answers(self) -> None:
        self.api.answers["/v1/status"] = self.api.answers["/v1/health"] = self.api.answers["/v1/overrides"] = (0, None)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for done in pool.map(self.weir, ("status", "health", "overrides")):
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertNotIn("may or may not have been made", done.stderr)

    def test_a_dry_run_that_nobody_answers_has_changed_nothing(self) -> None:
        for path in ("config/plan", "overrides", "operations", "drills", "clock/accept", "files", "config/apply", "store/accept"):
            self.api.answers[f"/v1/{path}"] = (0, {})
        with open(os.path.join(self.dir, "more.conf"), "w") as f:
            f.write("# more\n" * 10 ** 6)  # so much goes ahead, by /v1/files
        small = self.dir + "/small"
        shutil.copytree(self.dir, small, ignore=shutil.ignore_patterns("more.conf", "*.sock", "small"))
        with open(small + "/weir.conf", "w") as f:
            f.write(CONFIG)
        until = ("--until", "+4h", "--reason", "x")
        commands = [("plan", small + "/weir.conf"), ("plan",), ("apply", small + "/weir.conf", "--reason", "x", "--dry-run"), (*DRAIN, "--dry-run"),
                    ("drain", "site", "ams", "--reason", "x", "--dry-run"), ("drain", "node", "n1", *until), ("drain", "node", "n1", *until, "--dry-run"),
                    ("clock", "accept", "--reason", "x", "--dry-run"), ("store", "accept", "--reason", "x"),
                    ("store", "accept", "--reason", "x", "--dry-run"),
                    ("drill", "backup", "ams", "--clients", "198.51.100.0/24", "--for", "1m", "--reason", "x", "--dry-run")]
        with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
            for arguments, done in zip(commands, pool.map(lambda a: self.weir(*a), commands)):
                with self.subTest(arguments):
                    self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)
                    self.assertRegex(done.stderr, r"\Aweir: management did not answer on \S+ in time; weir status works without management, too\n\Z")
        self.assertEqual(len(self.api.requests), len(commands) + 1)  # and for the head, once

    def test_what_some_nodes_lack_is_partly_and_what_goes_on_is_a_timeout(self) -> None:
        for states, exit_status in ((("in_force", "unreachable"), 6), (("in_force", "behind"), 5), (("written",), 5)):
            self.api.answers["/v1/overrides"] = (202, {**DRAINED, "complete": False, "nodes": [
                {"node": f"n{i}", "state": s} for i, s in enumerate(states)]})
            done = self.weir(*DRAIN, "--all")
            with self.subTest(states):
                self.assertEqual(done.returncode, exit_status)
                self.assertIn("weir-mgmt continues in the background: see weir status", done.stdout)
        self.assertIn("wait=all", self.api.requests[-1][1])

    def test_a_drain_says_when_who_takes_it_and_how_to_undo_it(self) -> None:
        self.api.answers["/v1/overrides"] = (201, DRAINED)
        done = self.weir("drain", "site", "ams", "--scheduled", "--over", "5m", "--until", "+4h", "--reason", "INC-77", "--override",
                         "room,last-site", "--now", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("drain site ams: ramping", "2026-11-20T08:05:00.000Z", "2026-11-20T12:00:00.000Z",
                     "share  50.0 % -> 100.0 %", "2.1 Gbit/s -> 4.3 Gbit/s (10.8 % of 40 Gbit/s)", "guard room: ok",
                     "undo: weir undrain site ams"):
            self.assertIn(text, done.stdout)
        method, path, body, _ = self.api.requests[-1]
        self.assertEqual((method, path), ("POST", "/v1/overrides?wait=local&dry_run=true"))
        self.assertEqual(body, {"do": "drain", "target": {"site": "ams"}, "over": "5m", "until": "+4h",
                                "reason": "INC-77", "now": True, "override_guards": ["room", "last-site"]})
        self.weir("disable", "backend", "web/b1", "--until", "never", "--reason", "x")
        self.assertEqual(self.api.requests[-1][2]["target"], {"pool": "web", "backend": "b1"})

    def test_a_drain_without_what_it_needs_is_not_asked(self) -> None:
        for arguments, expected in (
                (("drain", "site", "ams", "--scheduled", "--until", "+4h"), "--reason"),
                (("drain", "site", "ams", "--scheduled", "--reason", "x"), "--until"),
                (("drain", "backend", "b1", "--until", "+4h", "--reason", "x"), "POOL/NAME"),
                (("drain", "backend", "/b1", "--until", "+4h", "--reason", "x"), "POOL/NAME"),
                (("drain", "site", "a/b", "--until", "+4h", "--reason", "x"), "site NAME"),
                (("drain", "planet", "ams", "--until", "+4h", "--reason", "x"), "site NAME"),
                (("drain", "site"), "expected: site NAME..., or site --label region=NAME"),
                (("drain", "site", "ams", "--scheduled", "--until"), "needs a value: TIME"),
                (("drain", "site", "ams", "--scheduled", "--untli", "x"), 'did you mean "--until"?'),
                (("undrain", "site", "ams", "--scheduled", "--until", "x"), "no option --until"),
                ((*DRAIN, "--reason", "y"), "--reason is given twice"),
                *((a, "which --offline does without: leave") for a in (
                    (*DRAIN, "--offline", "--all"), ("undrain", "site", "ams", "--offline", "--all"),
                    ("drain", "node", "n1", "--until", "+4h", "--reason", "x", "--offline", "--wait"),
                    ("undrain", "node", "n1", "--offline", "--wait"),
                    *((do, "site", "ams", "--until", "+4h", "--reason", "x", "--offline", "--all") for do in ("disable", "force-up")),
                    *((do, "site", "ams", "--reason", "x", "--offline", "--all") for do in ("enable", "hold")))),
                (("drain", "site", "ams", "--scheduled", "--until", "+4h", "--reason", ""), "--reason"),
                (("disable", "site", "ams", "--until", "+4h", "--reason", " "), "--reason"),
                (("apply", "--reason", ""), "--reason"), (("rollback", "1", "--reason", ""), "--reason"),
                (("wait", "swell"), "well, degraded"), (("wait", "backend", "a/b", "floating"), "floating is not a state"),
                (("apply",), "--reason"), (("rollback", "x", "--reason", "y"), "number of a version"),
                (("apply", "--reason", LATIN), "--reason: expected text in UTF-8"),
                (("rollback", "1", "--reason", "x", "--author", LATIN), "--author: expected text in UTF-8"),
                (("apply", "--reason", "x", "--base", LATIN), "--base: expected text in UTF-8"),
                (("apply", "--reason", "x", "--base", f'"{LATIN}"'), "--base: expected text in UTF-8"),
                *(((do, *target, "--until", "+4h", "--reason", "x"), "expected a name in UTF-8") for do in ("disable", "drain") for target in (
                    ("node", LATIN), ("backend", f"web/{LATIN}"), ("backend", f"{LATIN}/b1"))),
                (("disable", "site", LATIN, "--until", "+4h", "--reason", "x"), "expected a name in UTF-8"),
                (("zone", "reload", "--reason", LATIN), "--reason: expected text in UTF-8"),
                (("apply", "--reason", "x", "--confirm-within", LATIN), "--confirm-within: expected text in UTF-8"),
                (("confirm", "7", "--author", LATIN), "--author: expected text in UTF-8"),
                (("clock", "accept", "--reason", LATIN), "--reason: expected text in UTF-8"),
                (("clock", "accept", "--reason", "x", "--author", LATIN), "--author: expected text in UTF-8"),
                (("store", "accept", "--reason", LATIN), "--reason: expected text in UTF-8"),
                (("store", "rebuild", "--reason", "x", "--author", LATIN), "--author: expected text in UTF-8"),
                (("rollback",), "an argument is missing"), (("diff", "a:b"), "NODE:NUMBER"),
                (("events", "--since", "x"), "a number"),
                (("events", "--limit", "0"), "a number from 1"), (("events", "--limit", "1001"), "a number from 1"),
                (("events", "--limit", "-1"), "a number from 1"), (("events", "--since", "-1"), "a number"),
                (("events", "--since", "1", "--limit", "1"), "leave --limit out"), (("wait", "site", "ams"), "expected: well"),
                (("wait", "well", "--timeout", "soon"), "a duration"), (("why", "moon", "x"), "expected: site"),
                (("why", "backend", "b1"), "POOL/NAME"), (("versions", "--limit", "0"), "a number")):
            done = self.weir(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr)
        self.assertEqual(self.api.requests, [])

    def test_apply_sends_all_files_to_the_head_that_it_saw(self) -> None:
        self.api.answers["/v1/config/apply"] = (201, {
            "changed": True, "version": {"number": 8, "effective": "T", "confirm_by": "2026-11-20T08:05:00.000Z"},
            "plan": {"changes": [{"path": "pools/web", "kind": "removed", "from": "", "to": ""}], "risks": ["it hurts"]},
            "complete": True, "nodes": [], "rolls_back_to": 6})
        done = self.weir("apply", "--reason", "CHG-1", "--confirm-within", "5m")
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("- pools/web", "! it hurts", "version 8", "ROLLED BACK at 2026-11-20T08:05:00.000Z unless confirmed: weir confirm 8",
                     "undo: weir rollback 6"):
            self.assertIn(text, done.stdout)
        method, path, body, if_match = self.api.requests[-1]
        self.assertEqual((method, path, if_match), ("POST", "/v1/config/apply?wait=local", '"v7-00"'))
        self.assertEqual(sorted(body["files"]), ["more.conf", "weir.conf"])
        self.assertEqual((body["reason"], body["confirm_within"]), ("CHG-1", "5m"))
        self.assertEqual((body["base"], body.get("replace")), ("unknown", None))
        self.weir("apply", "--reason", "x", "--base", "v6-11")
        self.assertEqual((self.api.requests[-1][2]["base"], self.api.requests[-1][3]), ("v6-11", '"v7-00"'))
        self.assertEqual(self.weir("apply", "none.conf", "--reason", "x").returncode, 1)

    def test_errors_found_by_management_are_shown_like_local_ones(self) -> None:
        self.api.answers["/v1/config/plan"] = (422, {"code": "mistakes", "title": "The configuration has mistakes",
                                                     "mistakes": [{"file": "weir.conf", "line": 3, "field": "a.b",
                                                                   "message": "is missing"}]})
        done = self.weir("plan")
        self.assertEqual(done.returncode, 1)
        self.assertIn("weir.conf:3: a.b: is missing", done.stderr)

    def test_a_rollback_is_made_to_the_version_that_was_named(self) -> None:
        self.api.answers["/v1/versions/6/rollback"] = (200, {"changed": False, "version": {"number": 7}})
        for base in ("v7-00", '"v7-00"'):
            self.assertEqual(self.weir("rollback", "6", "--reason", "x", "--base", base).returncode, 0)
            self.assertEqual(self.api.requests[-1][3], '"v7-00"')

    def test_a_plan_shows_what_would_change(self) -> None:
        self.api.answers["/v1/config/plan"] = (200, {"changed": True, "base": "v7-00", "plan": {
                "changes": [{"path": "pools/web/backends/b1/weight", "kind": "changed", "from": "100", "to": "50"}],
                "pools": [{"pool": "web", "backends_before": 2, "backends_after": 2, "moved_ppm": 166000}],
                "risks": ["it hurts"], "risky": True, "confirm_within_ms": 300000},
            "unconfirmed": {"version": 9, "author": "ann", "rolls_back_to": 7},
            "old_file": {"base": "v5-00", "n_takes_back": 1, "takes_back": [{"path": "a/b", "now": "1", "file": "2"}]}})
        for done in map(self.weir, ("plan", "diff")):
            self.assertEqual((done.returncode, "to do it" in done.stdout), (0, False), done.stderr)
            for text in ("~ pools/web/backends/b1/weight  100 -> 50", "16.6 % of its slots", "! it hurts", "within 300 s",
                         "v7-00", "weir apply", "version 9 by ann", "version 7 at", "weir confirm 9", "weir pull"):
                self.assertIn(text, done.stdout)

    def test_a_plan_promises_no_way_back_that_is_not_there(self) -> None:
        for within, text in ((300000, "will be rolled back unless it is confirmed within 300 s"), (0, "nothing rolls the change back by itself")):
            self.api.answers["/v1/config/plan"] = (200, {"changed": True, "base": "v7-00", "plan": {
                "changes": [], "pools": [], "risks": ["it hurts"], "risky": True, "confirm_within_ms": within}})
            out = self.weir("plan").stdout
            self.assertIn(f"\nrisky: {text}\n".replace("risky: will", "risky: the change will"), out)
            self.assertEqual("to apply it: " in out, within > 0)  # the other one would be refused

    def test_a_refusal_says_nothing_twice(self) -> None:
        self.api.answers["/v1/overrides"] = (422, {"code": "invalid", "title": "Invalid", "detail": "until: too long",
                                                   "errors": [{"field": "until", "detail": "too long"}]})
        self.assertEqual(self.weir(*DRAIN).stderr, "weir: Invalid: until: too long\n")
        self.api.answers["/v1/config/plan"] = (422, {"code": "mistakes", "title": "M", "mistakes": [
            {"file": "weir.conf", "line": 3, "field": "", "message": "syntax error"},
            {"file": "z", "line": 0, "field": "dns.zones", "message": "no SOA"}]})
        self.assertIn("weir.conf:3: syntax error\nz: dns.zones: no SOA\n", self.weir("plan").stderr)

    def test_what_returns_tells_when_and_not_when_it_began(self) -> None:
        self.api.answers["/v1/overrides"] = (200, {**DRAINED, "override": {**DRAINED["override"], "state": "returning"}})
        done = self.weir("undrain", "site", "ams", "--scheduled")
        self.assertIn("drain site ams: returning", done.stdout)
        self.assertIn("all back  2026-11-20T12:05", done.stdout)
        self.assertNotIn("starts", done.stdout)

    def test_confirm_finds_the_version_that_waits(self) -> None:
        self.assertEqual(self.weir("confirm").returncode, 4)
        self.api.answers["/v1/versions"] = (200, {"items": [{"number": 9, "state": "unconfirmed"}]})
        self.api.answers["/v1/versions/9/confirm"] = (200, {"number": 9})
        self.assertEqual(self.weir("confirm").returncode, 0)

    def test_status_ends_with_the_state(self) -> None:
        for state, exit_status in (("well", 0), ("degraded", 10), ("down", 11)):
            self.api.answers["/v1/status"] = (200, {**STATUS, "state": state, "why": ["a reason"]})
            done = self.weir("status")
            with self.subTest(state):
                self.assertEqual(done.returncode, exit_status)
                for text in (state, "a reason", "web/b1", "refused", "out", "100.0 %"):
                    self.assertIn(text, done.stdout)
        self.assertEqual(json.loads(self.weir("--json", "status").stdout)["document"], 3)

    def test_of_very_many_backends_status_shows_those_that_stand_out(self) -> None:
        pool = {"site": "ams", "intent": {"backends": 10}, "effect": {"state": "in_force", "serving": 9}}
        self.api.answers["/v1/status"] = (200, {
            **STATUS, "backends": {"all": 10000, "standing_out": 1, "shown": 1}, "pools": [
                {**pool, "name": "web", "observation": {"up": 9, "down": 1, "unknown": 0}, "standing_out": 1,
                 "backends": STATUS["pools"][0]["backends"]},
                {**pool, "name": "mail", "observation": {"up": 10, "down": 0, "unknown": 0}, "standing_out": 0, "backends": []}]})
        output = self.weir("status").stdout
        self.assertIn("2 pools with 10000 backends; 1 in 1 pools are unusual", output)
        self.assertRegex(output, r"(?m)^web +ams +10 +9 +1 +0 +9 +in_force$")
        self.assertIn("web/b1", output)
        self.assertNotIn("mail", output)
        for options, path in (((), "?limit=40"), (("--all",), ""), (("--site", "a b"), "?site=a%20b&limit=40"),
                              (("--pool", "web"), "?pool=web"), (("--json",), "")):
            self.weir("status", *options)
            self.assertEqual(self.api.requests[-1][1], "/v1/status" + path)

    def test_wait_sees_it_come_or_times_out(self) -> None:
        self.api.answers["/v1/status"] = (200, STATUS)
        for arguments in (("well",), ("site", "ams", "drained"), ("backend", "web/b1", "down"), ("backend", "web/b1", "out")):
            self.assertEqual(self.weir("wait", *arguments).returncode, 0, arguments)
        start = time.monotonic()
        self.assertEqual(self.weir("wait", "backend", "web/b1", "up", "--timeout", "500ms").returncode, 5)
        self.assertLess(time.monotonic() - start, 5)
        later = json.loads(json.dumps(STATUS))
        later["pools"][0]["backends"][0]["observation"]["state"] = "up"
        self.api.answers["/v1/status"] = (200, [STATUS, STATUS, later])
        self.assertEqual(self.weir("wait", "backend", "web/b1", "up").returncode, 0)

    def test_a_backend_is_drained_when_no_flow_is_left_at_it(self) -> None:
        status = json.loads(json.dumps(STATUS))
        backend = status["pools"][0]["backends"][0]
        for intent, effect, code in (("drain", "draining", 5), ("serve", "out", 5), ("drain", "out", 0)):
            backend["intent"]["state"], backend["effect"]["state"] = intent, effect
            self.api.answers["/v1/status"] = (200, status)
            self.assertEqual(self.weir("wait", "backend", "web/b1", "drained", "--timeout", "200ms").returncode, code, (intent, effect))

    def test_why_shows_the_three_fields_and_the_events(self) -> None:
        self.api.answers["/v1/status"] = (200, STATUS)
        self.api.answers["/v1/events"] = (200, {"items": [
            {"id": 1, "time": "T1", "kind": "health", "subject": "pools/web/backends/b1", "message": "went down"},
            {"id": 2, "time": "T2", "kind": "health", "subject": "pools/web/backends/b12", "message": "another"}], "last": 2})
        done = self.weir("why", "backend", "web/b1")
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("intent       state=serve", "observed     state=down reason=refused", "effect       state=out", "went down"):
            self.assertIn(text, done.stdout)
        self.assertNotIn("another", done.stdout)
        self.assertIn("override     drain drained", self.weir("why", "site", "ams").stdout)
        self.assertEqual(self.weir("why", "site", "moon").returncode, 1)

    def test_why_knows_a_backend_whose_event_has_no_room_for_its_names(self) -> None:
        pool, names = "p" * 63, ["b" * 62 + i for i in "12"]
        backends = [{**STATUS["pools"][0]["backends"][0], "name": name} for name in names]
        self.api.answers["/v1/status"] = (200, {**STATUS, "pools": [{**STATUS["pools"][0], "name": pool, "backends": backends}]})
        whole = [f"pools/{pool}/backends/{n}" for n in names]
        self.api.answers["/v1/events"] = (200, {"last": 2, "items": [
            {"id": i, "time": "T", "kind": "health", "subject": whole[i][:95], "message": f"change {i}, was up; {whole[i]}"} for i in (0, 1)]})
        for i in (0, 1):
            self.assertEqual(re.findall("change .", self.weir("why", "backend", f"{pool}/{names[i]}").stdout), [f"change {i}"])

    def test_why_shows_the_reasons_of_the_state(self) -> None:
        reasons = [{"code": "backend-down", "subject": "web/b1", "state": "degraded", "text": "backend web/b1 is down", "since": "T1"},
                   {"code": "pool-all-down", "subject": "mail", "state": "down", "text": "all backends of pool mail are down", "since": "T2"}]
        self.api.answers["/v1/status"] = (200, {**STATUS, "state": "down", "reasons": reasons})
        self.api.answers["/v1/events"] = (200, {"items": [], "last": 2})
        output = self.weir("why").stdout
        self.assertRegex(output, "(?m)^ams-1 is down$")
        self.assertRegex(output, "(?m)^degraded +backend-down since T1: backend web/b1 is down$")
        self.assertRegex(output, "(?m)^down +pool-all-down since T2: all backends of pool mail are down$")
        output = self.weir("why", "backend", "web/b1").stdout
        self.assertIn("backend-down since T1", output)
        self.assertNotIn("pool-all-down", output)
        self.assertEqual([r["code"] for r in json.loads(self.weir("why", "--json").stdout)["reasons"]], ["backend-down", "pool-all-down"])
        self.assertEqual(self.weir("why", "backend").returncode, 1)

    def test_errors_are_located_in_the_file_that_was_given(self) -> None:
        path = os.path.join(self.dir, "typo.conf")
        with open(path, "w") as f:
            f.write("schema = 1;\n")
        error = {"file": "weir.conf", "line": 3, "field": "pools", "message": "is not known"}
        for command in ("plan", "apply"):
            self.api.answers[f"/v1/config/{command}"] = (422, {"code": "mistakes", "title": "Mistakes", "mistakes": [error]})
            done = self.weir(command, path, *(("--reason", "x", "--base", "1") if command == "apply" else ()))
            self.assertIn(f"{path}:3: pools: is not known", done.stderr)
            self.assertNotIn("weir.conf", done.stderr)

    def test_why_of_a_service_goes_through_its_sites(self) -> None:
        up = {"state": "up", "reason": "ok"}
        at = {"site": "ams", "pool": "web-ams", "intent": {"state": "serve"}, "observation": {"ipv4": up, "ipv6": up},
              "effect": {"state": "serving"}}
        self.api.answers["/v1/status"] = (200, {**STATUS, "services": [{"name": "web", "at": [at]}]})
        self.api.answers["/v1/events"] = (200, {"items": [
            {"id": 1, "time": "T1", "kind": "health", "subject": "services/web/at/ams/ipv4", "message": "up"},
            {"id": 2, "time": "T2", "kind": "health", "subject": "pools/not-web", "message": "up"}]})
        done = self.weir("why", "service", "web")
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("at ams, by pool web-ams", "observed v4  state=up", "observed v6  state=up", "state=serving",
                     "T1 health services/web/at/ams/ipv4: up"):
            self.assertIn(text, done.stdout)
        self.assertNotIn("not-web", done.stdout)
        self.assertEqual(self.weir("wait", "service", "web", "up").returncode, 0)
        self.assertEqual(self.weir("wait", "service", "web", "down", "--timeout", "300ms").returncode, 5)

    def test_waiting_for_what_is_not_there_ends_at_once(self) -> None:
        self.api.answers["/v1/status"] = (200, STATUS)
        done = self.weir("wait", "site", "nowhere", "drained")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no site nowhere", done.stderr)

    def test_events_come_as_lines(self) -> None:
        self.api.answers["/v1/events"] = (200, {"items": [{"id": 4, "time": "T", "kind": "store", "subject": "s",
                                                           "message": "m"}], "last": 4, "oldest": 1})
        self.assertIn("T store", self.weir("events").stdout)
        self.assertEqual(json.loads(self.weir("events", "--json").stdout)["id"], 4)
        self.assertEqual(self.api.requests[-1][1], "/v1/events?limit=20")
        self.weir("events", "--limit", "7")
        self.assertEqual(self.api.requests[-1][1], "/v1/events?limit=7")
        self.api.answers["/v1/events"] = (410, {"code": "events-lost", "title": "Gone"})
        self.assertEqual(self.weir("events", "--since", "1").returncode, 4)


class Cli(unittest.TestCase):
    def setUp(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="weir-cli.")
        with open(os.path.join(self.dir, "hash.key"), "w") as f:
            f.write("0" * 32)

    def tearDown(self) -> None:
        shutil.rmtree(self.dir)

    def weir(self, *arguments: str, env: typing.Any = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir,
                               "--bpf-dir", self.dir, *arguments], capture_output=True, text=True, timeout=60,
                              env=env, check=False)

    def write(self, text: str, name: str = "weir.conf") -> str:
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_wrong_arguments_are_told_and_end_with_1(self) -> None:
        for arguments, expected in (
                ((), ""),
                (("frobnicate",), 'there is no command "frobnicate"'),
                (("config", "chekc"), 'did you mean "config check"?'),
                (("config",), "weir config needs one of these words next: "),
                (("token", "frobnicate"), "weir token needs one of these words next: new"),
                (("config", "check", "a", "b"), '"b" is one argument too many'),
                (("config", "show", "--efective"), 'did you mean "--effective"?'),
                (("config", "show", "--effective=1"), "takes no value"),
                (("config", "show", "--effective", "x"), "takes no file"),
                (("run", "now"), "one argument too many"),
                (("help", "drian"), 'did you mean "drain"?'),
                (("--node",), "a value is missing"),
        ):
            done = self.weir(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr)

    def test_without_management_every_request_ends_with_3_and_says_what_to_do(self) -> None:
        self.write(CONFIG)
        for arguments in (DRAIN, ("plan",), ("apply", "--reason", "x"), ("versions",), ("diff", "1", "2"), ("confirm",),
                          ("rollback", "1", "--reason", "x"), ("events",), ("overrides",), ("zone", "reload"),
                          ("why", "site", "s"), ("status",), ("health",), ("trace", "1.1.1.1:1", "2.2.2.2:2/tcp"),
                          ("dns", "explain", "a.b"), ("wait", "well", "--timeout", "300ms")):
            done = self.weir(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 3)
                self.assertTrue(done.stderr.startswith("weir: "))
                self.assertEqual(done.stdout, "")

    def test_without_management_status_leaves_out_what_is_over(self) -> None:
        override = ('{ id = "%s"; kind = "drain"; target = "site"; name = "s"; from = "2020-01-01T00:00:00Z"; over = "0s"; '
                    'until = "%s"; author = "jw"; reason = "%s"; generation = "1"; '
                    'created = "2020-01-01T00:00:00Z"; }')
        self.write('effective = { version = "1"; digest = ""; document = "1"; written = "never"; }; overrides = ( %s, %s );' % (
            override % ("a", "2020-01-02T00:00:00Z", "over-now"), override % ("b", "never", "still-on")) +
            CONFIG.replace("hash.key", os.path.join(self.dir, "hash.key")), "effective.conf")
        done = self.weir("status", "--node", "n1")
        self.assertEqual(done.returncode, 10, done.stderr)
        self.assertIn("still-on", done.stdout)
        self.assertNotIn("over-now", done.stdout)
        self.assertNotIn("left out", done.stderr)
        for option in ("--pool", "--site"):
            self.assertIn("--site and --pool are left out, all is shown\n", self.weir("status", option, "nope", "--node", "n1").stderr)

    def test_offline_without_a_configuration_is_told(self) -> None:
        done = self.weir(*DRAIN, "--offline")
        self.assertEqual(done.returncode, 1)
        self.assertIn("there is no configuration yet", done.stderr)

    def test_bad_questions_are_usage(self) -> None:
        for arguments in (("dns", "explain", "a.b", "A", "--client", "x"), ("dns", "explain", "a.b", "--resolver", "x"),
                          ("dns", "explain", "a.b", "--at", "noon"), ("trace", "1.1.1.1", "2.2.2.2:2/tcp"),
                          ("trace", "1.1.1.1:1", "2.2.2.2:2/tcp", "--length", "39"),
                          ("trace", "1.1.1.1:1", "2.2.2.2:2/tcp", "--length", "1500x"),
                          ("agent", "attach", "lo"), ("agent", "attach", "lo", "--from", "10.0.0.1/8"),
                          ("agent", "attach", "lo", "--from", "10.0.0.0/8", "--mode", "fast"),
                          ("dns", "explain", "a.b", "FOO"), ("dns", "explain", "a..b")):
            done = self.weir(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stdout, "")

    def test_output_that_is_lost_is_no_success(self) -> None:
        self.write(CONFIG)
        for arguments in (("config", "show"), ("config", "show", "--json"), ("config", "reference"), ("help",), ("help", "drain"), ("help", "--json"),
                          ("drain", "--help"), ("--version",), ("token", "new", "ci", "viewer")):
            for way in (">/dev/full", ">&-"):
                done = subprocess.run(["/bin/sh", "-c", f'exec "$0" "$@" {way}', WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir",
                                       self.dir, *arguments], capture_output=True, text=True, timeout=60, check=False)
                with self.subTest(arguments, way=way):
                    self.assertEqual(done.returncode, 3, done.stderr)
                    self.assertIn("weir: the output is incomplete: ", done.stderr)
                    if arguments[0] == "token":
                        self.assertIn(f"the token was not printed, but is valid: take the line of ci out of {self.dir}/tokens, ", done.stderr)
                        os.unlink(os.path.join(self.dir, "tokens"))

    def test_who_reads_no_more_is_told_nothing(self) -> None:
        for ends in (signal.SIG_DFL, signal.SIG_IGN):
            for arguments, status, error in ((("help", "--document"), 0 if ends == signal.SIG_IGN else -signal.SIGPIPE, ""),
                                             (("token", "new", "ci", "viewer", "--conf-dir", self.dir), 3, "but is valid")):
                reader, writer = os.pipe()
                os.close(reader)
                done = subprocess.run([WEIR, *arguments], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False, text=True,
                                      restore_signals=False, preexec_fn=functools.partial(signal.signal, signal.SIGPIPE, ends))
                os.close(writer)
                with self.subTest(arguments, ends=ends):
                    self.assertEqual((done.returncode, error in done.stderr, bool(done.stderr)), (status, True, bool(error)), done.stderr)
            os.unlink(os.path.join(self.dir, "tokens"))

    def test_help_names_every_command_and_each_has_its_own(self) -> None:
        whole = self.weir("help")
        self.assertEqual(whole.returncode, 0)
        commands = [line.strip().split("  ")[0] for line in whole.stdout.splitlines()[2:]
                    if line.startswith("  ") and not line.startswith("  -") and not line.startswith("  The ")]
        self.assertGreater(len(commands), 3)
        for command in ("run", "config check"):
            one = self.weir(*command.split(), "--help")
            self.assertEqual(one.returncode, 0)
            self.assertTrue(one.stdout.startswith(f"weir {command}"))
            self.assertEqual(one.stdout, self.weir("help", *command.split()).stdout)

    def test_who_asks_for_help_gets_it_and_who_names_no_command_is_wrong(self) -> None:
        whole = self.weir("help").stdout
        for why, arguments, status, output in (
                ("no command", (), 1, whole), ("nor one in JSON", ("--json",), 1, whole), ("asked", ("--help",), 0, whole),
                ("in short", ("-h",), 0, whole), ("asked in JSON", ("--help", "--json"), 0, whole),
                ("of a command", ("drain", "-h"), 0, self.weir("help", "drain").stdout),
                ("of a command with its arguments", ("help", "drain", "site"), 0, self.weir("help", "drain").stdout),
                ("of one with wrong arguments", ("drain", "--until", "--help"), 0, self.weir("help", "drain").stdout),
                ("behind the end of options", ("config", "check", "--", "--help"), 1, "")):
            done = self.weir(*arguments)
            with self.subTest(why):
                self.assertEqual((done.returncode, done.stdout), (status, output))
                self.assertEqual(done.stderr == "", output != "")

    def test_config_check_lists_all_errors_and_ends_with_1(self) -> None:
        path = self.write(CONFIG.replace('site = "s"', 'site = "t"').replace("schema = 1", "schema = 7"))
        done = self.weir("config", "check", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{path}:2: schema: found 7", done.stderr)
        self.assertIn(f'{path}:4: nodes[0].site: there is no "t" in sites (did you mean "s"?)', done.stderr)
        self.assertEqual(done.stdout, "")
        for conf in (self.dir, os.path.join(self.dir, "missing")):  # a host that is no node has no such directory
            found = json.loads(self.weir("--conf-dir", conf, "config", "check", path, "--json").stdout)
            self.assertEqual((found["ok"], [m["line"] for m in found["mistakes"]]), (False, [2, 4]), conf)

    def test_config_check_reads_the_zones_as_the_dns_server_does(self) -> None:
        soa = "@ 300 IN SOA ns host 1 2 3 4 5\n@ 300 IN NS ns\nns 300 IN A 192.0.2.1\n"
        names = 'names = ( { name = "www.shop.example"; service = "web"; } ); '
        self.write(CONFIG + """
            pools = ( { name = "p"; site = "s"; backends = ( { name = "b"; address = "10.1.0.1"; } ); } );
            vips = ( { name = "v"; site = "s"; addresses = [ "203.0.113.1" ]; } );
            services = ( { name = "web"; protocol = "tcp"; port = 80; at = ( { site = "s"; vip = "v"; pool = "p"; } ); } );
            dns = { zones = ( { name = "shop.example"; file = "z"; } ); %s };""" % names)
        for zone, line, expected in ((soa, 0, None), (soa + "www 300 IN A 192.0.2.2\n", 4, "www"),
                                 (soa + "bad 300 IN A 192.0.2.999\n", 4, ""), (soa + "www 300 IN NS x\n", 0, "www"),
                                 ("@ 300 IN NS ns\n", 0, "SOA")):
            path = self.write(zone, "z")
            done = self.weir("config", "check")
            with self.subTest(zone):
                self.assertEqual(done.returncode, 0 if expected is None else 1, done.stderr)
                if expected is not None:
                    self.assertIn(f"{path}:{line}: dns.zones: " if line else "dns.zones: ", done.stderr)
                    self.assertIn(expected, done.stderr)

    def test_config_check_knows_the_nodes(self) -> None:
        self.write(CONFIG)
        done = self.weir("config", "check", "--node", "nope")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nodes: there is no node nope; the nodes are: ", done.stderr)

    def test_config_check_says_that_this_host_is_no_node(self) -> None:
        self.write(CONFIG)
        here = f"nodes: this host is called {socket.gethostname()}, but no node has that name: `weir run` needs --node NAME here"
        self.assertIn(f"warning: {here}\n", self.weir("config", "check").stderr)
        self.assertIn(here, json.loads(self.weir("config", "check", "--json").stdout)["warnings"])
        for words in ((os.path.join(self.dir, "weir.conf"),), ("--node", "n1")):  # a file for other hosts; a host that is given its name
            with self.subTest(words):
                self.assertNotIn("this host", self.weir("config", "check", *words).stderr)

    def test_config_check_of_what_is_not_there(self) -> None:
        for path in ("none", ".", "/dev/null"):
            done = self.weir("config", "check", path)
            with self.subTest(path):
                self.assertEqual((done.returncode, path in done.stderr), (1, True), done.stderr)

    def test_a_good_configuration_is_summed_up(self) -> None:
        self.write(CONFIG)
        done = self.weir("config", "check")
        self.assertIn("no errors; 1 sites, 1 nodes", done.stdout)
        self.assertEqual(json.loads(self.weir("--json", "config", "check").stdout)["n_mistakes"], 0)

    def test_what_config_show_prints_is_a_configuration(self) -> None:
        self.write(CONFIG)
        shown = self.weir("config", "show")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("exceptions = 65536", shown.stdout)
        again = self.write(shown.stdout, "again.conf")
        self.assertEqual(self.weir("config", "show", again).stdout, shown.stdout)
        os.mkdir(os.path.join(self.dir, "copy"))  # without the key: this node's is taken, as by apply
        copy = self.weir("config", "check", self.write(shown.stdout, "copy/weir.conf"))
        self.assertEqual(copy.returncode, 0, copy.stderr)

    def test_the_help_in_the_documentation_is_the_table(self) -> None:
        with open(os.path.join(ROOT, "docs", "command-line.md")) as f:
            self.assertEqual(f.read(), self.weir("help", "--document").stdout,
                             "stale: run `weir help --document > docs/command-line.md`")

    def test_the_example_in_the_documentation_has_no_errors(self) -> None:
        with open(os.path.join(ROOT, "docs", "weir.conf.example")) as f:
            self.write(f.read())
        self.write("@ 300 IN SOA ns host 1 2 3 4 5\n@ 300 IN NS ns\nns 300 IN A 192.0.2.53\n", "shop.example.zone")
        done = self.weir("config", "check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 sites, 2 nodes, 2 pools with 3 backends", done.stdout)
        with open(os.path.join(ROOT, "docs", "weir.conf.example")) as f:
            self.write(f.read().replace('vip_check = "web-vip"', 'vip_check = "none"'))
        self.assertIn("warning: service web: vip_check is \"none\"", self.weir("config", "check").stderr)

    def test_the_configuration_in_the_readme_has_no_errors(self) -> None:
        with open(os.path.join(ROOT, "README.md")) as f:
            text = f.read()
        blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S)
        found = [b for b in blocks if b.startswith("schema = 1;")]
        self.assertEqual(len(found), int("weir config check" in text), "what is told to be checked stands there, once")
        self.write(found[0] if found else CONFIG)
        zones = re.findall(r' file = "([^"]+)"', found[0] if found else "")
        for zone in zones:
            self.write("@ 300 IN SOA ns host 1 2 3 4 5\n@ 300 IN NS ns\nns 300 IN A 192.0.2.53\n", zone)
        done = self.weir("config", "check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(zones)} zones", done.stdout)

    def test_the_reference_in_the_documentation_is_the_schema(self) -> None:
        with open(os.path.join(ROOT, "docs", "configuration.md")) as f:
            self.assertEqual(f.read(), self.weir("config", "reference").stdout,
                             "stale: run `weir config reference > docs/configuration.md`")
        rows = json.loads(self.weir("config", "reference", "--json").stdout)
        self.assertIn("pools[].backends[].address", [row["path"] for row in rows])


if __name__ == "__main__":
    counted.main()
