#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changes of single objects at the command line: set, add, remove and edit, and another person at the same time.

Management is a stub with a few objects, which edits them as docs/api.md says (Edits), and between two requests does what
another person would.

Usage: test_cli_edit.py WEIR SOURCE_ROOT
"""
from __future__ import annotations

import copy
import hashlib
import http.server
import json
import os
import pathlib
import socketserver
import subprocess
import sys
import tempfile
import threading
import typing
import unittest
import urllib.parse

import counted

ROOT, WEIR = sys.argv.pop(), sys.argv.pop()
Object = dict[str, typing.Any]
B1, WEB, NODE = "pools/web/backends/b1", "pools/web", "nodes/n1"


def etag(value: typing.Any) -> str:
    return '"' + hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16] + '"'


def merged(old: typing.Any, patch: typing.Any) -> typing.Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    new = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = merged(new.get(name), value)
    return new


class Management(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str) -> None:
        self.objects: dict[str, Object] = {}
        self.requests: list[tuple[str, str, dict[str, str], typing.Any, dict[str, str]]] = []
        self.meanwhile: list[typing.Callable[[dict[str, Object]], object]] = []  # before each write one of them
        management = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                n = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(n)) if n else None
                path, _, query = self.path.partition("?")
                status, found, tag = management.handle(self.command, path.removeprefix("/v1/"), dict(urllib.parse.parse_qsl(query)), body,
                                                       {k.lower(): v for k, v in self.headers.items()})
                data = json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                if tag:
                    self.send_header("ETag", tag)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

            def address_string(self) -> str:
                return "unix"

        super().__init__(path, Handler)
        threading.Thread(target=self.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()

    def get_request(self) -> tuple[typing.Any, tuple[str, int]]:
        request, _ = super().get_request()
        return request, ("unix", 0)

    def handle(self, method: str, path: str, query: dict[str, str], body: typing.Any, headers: dict[str, str]) -> tuple[int, Object, str]:
        if method != "GET":
            self.requests.append((method, path, query, body, headers))
            if self.meanwhile:
                self.meanwhile.pop(0)(self.objects)
        now = self.objects.get(path)
        if now is None and (method != "PUT" or "if-match" in headers):
            return 404, {"code": "not-found", "title": "Not found", "detail": f"the configuration in force has no {path}"}, ""
        if method == "GET":
            return 200, typing.cast(Object, now), etag(now)
        if headers.get("if-none-match") == "*" and now is not None or headers.get("if-match", etag(now)) != etag(now):
            return 412, {"code": "stale", "title": "Stale", "detail": f"{path} is another one now", "object": now, "head": etag(now)}, ""
        new = None if method == "DELETE" else merged(now, body) if method == "PATCH" else body
        if "dry_run" not in query:
            self.objects.pop(path, None)
            self.objects |= {path: new} if new is not None else {}
        answer = {"changed": new != now, "complete": True, "version": {"number": 2, "effective": "T2"}, "object": new, "dry_run": "dry_run" in query}
        return 201, answer, etag(new)


class WithManagement(unittest.TestCase):
    def setUp(self) -> None:
        self.home = tempfile.TemporaryDirectory(prefix="weir-edit-")
        self.dir = pathlib.Path(self.home.name)
        self.api = Management(str(self.dir / "api.sock"))
        self.api.objects = {
            B1: {"name": "b1", "address": "10.0.0.1", "port": 0, "weight": 100},
            WEB: {"name": "web", "site": "ams", "check": "tcp", "mode": "gue", "agent": False, "max_backends": 10},
            "vips/v": {"name": "v", "site": "ams", "addresses": ["192.0.2.1"]},
            "sites/ams": {"name": "ams", "labels": {"region": "eu"}},
            NODE: {"name": "n1", "site": "ams", "ports": [{"interface": "eth1", "device": "d1", "macs": []}, {"interface": "eth2", "device": "d2"}]}}
        self.before = copy.deepcopy(self.api.objects)

    def tearDown(self) -> None:
        self.api.shutdown()
        self.api.server_close()
        self.home.cleanup()

    def weir(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        folder = str(self.dir)
        return subprocess.run([WEIR, "--conf-dir", folder, "--state-dir", folder, "--run-dir", folder, *arguments], capture_output=True,
                              text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, env=dict(os.environ) | {"TMPDIR": folder} | env)

    def change(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        self.api.requests.clear()
        return self.weir(*arguments, "--reason", "CHG 7", **env)

    def refused(self, status: int, text: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        done = self.change(*arguments, **env)
        self.assertEqual((done.returncode, done.stdout), (status, ""), (arguments, done.stderr))
        self.assertIn(text, done.stderr, arguments)
        return done


class Paths(WithManagement):
    def test_what_is_no_path_of_an_object_is_not_asked_for(self) -> None:
        for path in ("", "/", "nothing", "pools/", "pools//x", "../pools/web", "pools/%zz", "pools/%", "pools/web%", "v1/pools/web", "x" * 5000):
            for words in (("set", path, "1"), ("add", path), ("remove", path), ("edit", path)):
                done = self.change(*words, EDITOR="false")
                self.assertEqual((done.returncode, self.api.requests), (1, []), (words, done.stderr))
        for path in ("pools/..", "pools/web/backends/..", "pools/web%2Fbackends", "pools/w\u00eb", "pools/web/backends/%2e%2e", "pools/*"):
            self.refused(1, "the configuration in force has no pools/", "remove", path)
            self.assertEqual(self.api.requests, [])
        self.assertEqual(self.api.objects, self.before)

    def test_a_command_says_what_it_expects(self) -> None:
        for text, *words in (
                ("is a list", "set", "pools", "1"), ("is a list", "add", "pools/web/backends", "name=x"), ("is a list", "remove", "pools"),
                ("is a list", "edit", "pools"), ("is an object", "set", WEB, "1"), ("is a setting", "add", WEB + "/check", "a=b"),
                ("is a setting", "edit", WEB + "/check"), ("the value of check", "set", WEB + "/check"), ("takes one value", "set", WEB + "/check", "a", "b"),
                ("not both", "set", WEB + "/check", "a", "--value", "1"), ("no JSON", "set", WEB + "/check", "--value", "{"),
                ("no JSON", "set", WEB + "/check", "--value", '{"a": 1, "a": 2}'), ("expected NAME=VALUE", "add", "pools/x", "site"),
                ("expected NAME=VALUE", "add", "pools/x", "=1"), ("expected an object", "add", "pools/x", "--value", "[]"),
                ("has no check/x that is set", "remove", WEB + "/check/x"), ("has no port2", "remove", B1 + "/port2")):
            self.refused(1, text, *words)
            self.assertEqual(self.api.requests, [], words)
        for command in ("set", "add", "remove", "edit"):
            self.assertIn(f"{command} needs --reason TEXT", self.weir(command, WEB + "/check", *(["x"] if command == "set" else [])).stderr)


class Settings(WithManagement):
    def body(self) -> typing.Any:
        return self.api.requests[-1][3]

    def test_a_value_is_what_the_description_says(self) -> None:
        for path, words, sent in (
                (B1 + "/weight", ["50"], {"weight": 50}), (B1 + "/weight", ["-1"], None), (B1 + "/weight", ["5x"], {"weight": "5x"}),
                (B1 + "/weight", [""], {"weight": ""}), (WEB + "/check", ["50"], {"check": "50"}), (WEB + "/agent", ["true"], {"agent": True}),
                (WEB + "/agent", ["yes"], {"agent": "yes"}), ("vips/v/addresses", ["192.0.2.7"], {"addresses": ["192.0.2.7"]}),
                ("vips/v/addresses", ["192.0.2.7", "2001:db8::1"], {"addresses": ["192.0.2.7", "2001:db8::1"]}),
                ("sites/ams/labels/region", ["us"], {"labels": {"region": "us"}}), (WEB + "/nothing", ["1"], {"nothing": "1"}),
                ("vips/v/addresses", ["--value", "[]"], {"addresses": []}), (B1 + "/weight", ["--value", "null"], {"weight": None})):
            done = self.change("set", path, *(["--", *words] if sent is None else words)) if sent is not None else self.weir(
                "set", "--reason", "CHG 7", path, "--", *words)
            self.assertEqual(done.returncode, 0, (path, done.stderr))
            self.assertEqual(self.body(), sent if sent is not None else {"weight": -1}, path)
            self.api.objects = copy.deepcopy(self.before)

    def test_a_change_says_why_and_names_what_it_saw(self) -> None:
        done = self.change("set", B1 + "/weight", "50", "--author", "a&b", "--confirm-within", "5m", "--join-pending", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("version 2, in force at T2", done.stdout)
        method, path, query, _, headers = self.api.requests[0]
        self.assertEqual((method, path, headers["if-match"], headers["content-type"]),
                         ("PATCH", B1, etag(self.before[B1]), "application/merge-patch+json"))
        self.assertEqual(query, {"reason": "CHG 7", "author": "a&b", "confirm_within": "5m", "pending": "join", "wait": "all"})
        done = self.change("set", B1 + "/weight", "60", "--dry-run")
        self.assertIn("dry run, nothing was changed", done.stdout)
        self.assertEqual((self.api.requests[0][2]["dry_run"], self.api.objects[B1]["weight"]), ("true", 50))

    def test_of_a_list_of_groups_one_is_changed_or_removed(self) -> None:
        other = {"interface": "eth2", "device": "d2"}
        self.assertEqual(self.change("set", NODE + "/ports/eth1/device", "d9").returncode, 0)
        self.assertEqual(self.body(), {"ports": [{"interface": "eth1", "device": "d9", "macs": []}, other]})
        self.assertEqual(self.change("remove", NODE + "/ports/eth1/device").returncode, 0)
        self.assertEqual(self.body(), {"ports": [{"interface": "eth1", "macs": []}, other]})
        self.assertEqual(self.change("remove", NODE + "/ports/eth1").returncode, 0)
        self.assertEqual(self.body(), {"ports": [other]})

    def test_a_setting_is_removed_by_null_and_an_object_as_it_was_seen(self) -> None:
        self.assertEqual(self.change("remove", B1 + "/weight").returncode, 0)
        self.assertEqual((self.api.requests[0][0], self.body()), ("PATCH", {"weight": None}))
        self.assertEqual(self.change("remove", B1).returncode, 0)
        self.assertEqual((self.api.requests[0][0], self.body(), B1 in self.api.objects), ("DELETE", None, False))
        self.api.meanwhile = [lambda o: o[WEB].update(check="http")]
        self.refused(4, "Stale", "remove", WEB)
        self.assertIn(WEB, self.api.objects)

    def test_an_object_is_added_and_none_is_replaced(self) -> None:
        done = self.change("add", "pools/new", "site=ams", "max_backends=5", "agent=true", "mode=gue")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.body(), {"site": "ams", "max_backends": 5, "agent": True, "mode": "gue"})
        self.assertEqual(self.api.requests[0][4]["if-none-match"], "*")
        self.assertNotIn("if-match", self.api.requests[0][4])
        self.assertEqual(self.change("add", "vips/w", "addresses=192.0.2.3", "addresses=192.0.2.4", "site=ams").returncode, 0)
        self.assertEqual(self.body(), {"addresses": ["192.0.2.3", "192.0.2.4"], "site": "ams"})
        self.assertEqual(self.change("add", "sites/fra", "labels/region=eu").returncode, 0)
        self.assertEqual(self.body(), {"labels": {"region": "eu"}})
        self.assertEqual(self.change("add", "sites/par", "labels/region=eu", "--value", '{"name": "par"}').returncode, 0)
        self.assertEqual(self.body(), {"name": "par", "labels": {"region": "eu"}})
        self.refused(4, f"{B1} is there already", "add", B1, "address=10.0.0.9")
        self.assertEqual(self.api.objects[B1], self.before[B1])


class Meanwhile(WithManagement):
    def test_another_setting_that_another_person_changed_stays(self) -> None:
        self.api.meanwhile = [lambda o: o[B1].update(port=80), lambda o: o[B1].update(port=81)]
        done = self.change("set", B1 + "/weight", "50")
        self.assertEqual((done.returncode, len(self.api.requests)), (0, 3), done.stderr)
        self.assertEqual((self.api.objects[B1]["weight"], self.api.objects[B1]["port"]), (50, 81))

    def test_the_same_setting_is_a_conflict_with_both_values(self) -> None:
        self.api.meanwhile = [lambda o: o[B1].update(weight=70)]
        self.refused(4, f"somebody else changed {B1}/weight meanwhile: it was 100, and is 70", "set", B1 + "/weight", "50")
        self.assertEqual(self.api.objects[B1]["weight"], 70)
        self.api.meanwhile = [lambda o: o[B1].pop("weight")]
        self.refused(4, "it was 70, and is not set", "set", B1 + "/weight", "50")
        self.api.meanwhile = [lambda o: o.pop(B1)]
        self.refused(1, "has no " + B1, "set", B1 + "/weight", "50")

    def test_a_list_that_both_changed_is_a_conflict(self) -> None:
        self.api.meanwhile = [lambda o: o[NODE]["ports"].pop()]
        done = self.change("set", NODE + "/ports/eth1/device", "d9")
        self.assertEqual((done.returncode, len(self.api.requests)), (0, 2), done.stderr)
        self.assertEqual(self.api.objects[NODE]["ports"], [{"interface": "eth1", "device": "d9", "macs": []}])  # eth2 does not come again

    def test_it_ends_although_it_changes_all_the_time(self) -> None:
        def move(objects: dict[str, Object]) -> None:
            objects[B1]["port"] += 1

        self.api.meanwhile = [move] * 30
        self.refused(4, "Stale", "set", B1 + "/weight", "50")
        self.assertEqual(len(self.api.requests), 6)


class Editor(WithManagement):
    """The editor is a line for the shell, which gets the file as its last word."""

    def left(self) -> list[str]:
        return [f.read_text() for f in self.dir.glob("weir-edit-*")]

    def test_an_editor_that_changes_nothing_or_fails_changes_nothing(self) -> None:
        for editor, status, text in (
                ("true", 0, ""), ("false", 1, "status 1"), ("/nowhere/editor", 1, "status 127"), ("sh -c 'kill -INT $$'", 1, "130"),
                ("kill -KILL $$;", 1, "signal 9"), ("truncate -s0", 1, "the text is empty"), ("sh -c 'echo >$0'", 1, "the text is empty"),
                ("rm", 1, "No such file"), ("sh -c 'rm $0; mkdir $0'", 1, "cannot be read"), ("sh -c 'rm $0; mkfifo $0'", 1, "cannot be read")):
            done = self.change("edit", B1, EDITOR=editor)
            self.assertEqual((done.returncode, self.api.requests), (status, []), (editor, done.stderr))
            self.assertIn(text, done.stderr)
            self.assertEqual("nothing changes\n" in done.stdout, status == 0)
            for f in self.dir.glob("weir-edit-*"):
                self.assertTrue(f.is_dir(), editor)  # which nobody but the editor made
                f.rmdir()
        self.refused(1, "a file to edit cannot be made", "edit", B1, EDITOR="true", TMPDIR="/nowhere")

    def test_a_text_that_is_no_object_is_kept(self) -> None:
        for text, said in (("{", "no JSON: line 2"), ("[1]", "expected an object"), ('{"weight": 1, "weight": 2}', "no JSON"), ("{}x", "no JSON")):
            self.refused(1, said, "edit", B1, EDITOR="sh -c 'echo \"$TEXT\" >$0'", TEXT=text)
            self.assertEqual((self.api.requests, self.left()), ([], [text + "\n"]))
            for f in self.dir.glob("weir-edit-*"):
                f.unlink()

    def test_what_a_person_wrote_is_put(self) -> None:
        for editor in ("sed -i s/100/50/", "sh -c 'sed s/50/60/ $0 >$0.new; mv $0.new $0'"):  # in its place, and as another file
            done = self.change("edit", B1, VISUAL=editor, EDITOR="false")
            self.assertEqual((done.returncode, self.left()), (0, []), done.stderr)
        self.assertEqual(self.api.objects[B1], self.before[B1] | {"weight": 60})
        self.assertEqual(self.api.requests[0][0], "PUT")
        self.assertEqual(self.change("edit", B1, EDITOR="sh -c 'test $(stat -c %a $0) = 600'").returncode, 0)

    def test_what_others_changed_meanwhile_stays_or_is_named(self) -> None:
        self.api.meanwhile = [lambda o: o[B1].update(port=80)]
        self.assertEqual(self.change("edit", B1, EDITOR="sed -i s/100/50/").returncode, 0)
        self.assertEqual((self.api.objects[B1]["weight"], self.api.objects[B1]["port"]), (50, 80))
        self.api.meanwhile = [lambda o: o[B1].update(weight=70)]
        done = self.refused(4, f"somebody else changed {B1}/weight meanwhile: it was 50, and is 70", "edit", B1, EDITOR="sed -i s/50/60/")
        self.assertIn("what you wrote is in ", done.stderr)
        self.assertEqual((self.api.objects[B1]["weight"], json.loads(self.left()[0])["weight"]), (70, 60))
        self.api.meanwhile = [lambda o: o[B1].update(weight=60)]  # both the same
        self.assertEqual(self.change("edit", B1, EDITOR="sed -i s/70/60/").returncode, 0)


if __name__ == "__main__":
    counted.main()
