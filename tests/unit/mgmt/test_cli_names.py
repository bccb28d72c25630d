#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What people need not type or know: names by completion in a real bash, a backend without its pool, the command past a refusal.
Management is real; for hostile answers it is canned.

Usage: test_cli_names.py WEIR WEIR_MGMT COMPLETION
"""
from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import typing
import unittest

COMPLETION, MGMT, WEIR = (os.path.abspath(sys.argv.pop()) for _ in range(3))
sys.argv += [WEIR, os.path.dirname(__file__)]
import test_cli  # noqa: E402  it takes the rest of the arguments
from api_node import Node, config, freeze, wait_for  # noqa: E402

import counted  # noqa: E402

SOON = ("--until", "+4h", "--reason", "INC 7")
# Sourced as bash does it, and called as readline would: the last word is the one that is completed.
COMPLETE = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir "$1"; printf "%s\\n" "${COMPREPLY[@]}"'


def two_pools() -> str:
    """As the node's own, but a backend of one name in one pool only, and one of another kind; and a gate."""
    text = config().replace(' ];  }', ' ]; clock = "trusted"; }')
    text += 'gates = ( { name = "past"; from = "2020-01-01T00:00:00Z"; until = "2020-02-01T00:00:00Z"; } );\n'
    return text.replace('{ name = "b2"; address = "10.1.1.12"', '{ name = "ams-b2"; address = "10.1.1.12"')


class WithNode(unittest.TestCase):
    node: Node

    @classmethod
    def setUpClass(cls) -> None:
        cls.node = Node(MGMT, text=two_pools()).start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.node.close()

    def dirs(self) -> list[str]:
        return ["--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run]

    def weir(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([WEIR, *self.dirs(), "--node", self.node.name, *arguments], capture_output=True, text=True, timeout=60, check=False)

    def complete(self, *words: str) -> list[str]:
        done = subprocess.run(["bash", "-euc", COMPLETE, "bash", COMPLETION, WEIR, *self.dirs(), *words], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout.split()

    def assert_offered(self, words: tuple[str, ...], offered: list[str]) -> None:
        """Names come within a second or not at all: a busy machine has several tries."""
        found: list[str] = []
        for _ in range(20):
            found = self.complete(*words)
            if found == offered:
                return
        self.assertEqual(found, offered, words)


class Completion(WithNode):
    ROWS: tuple[tuple[tuple[str, ...], list[str]], ...] = (
        (("drain", "site", ""), ["ams", "fra"]),
        (("drain", "site", "f"), ["fra"]),
        (("drain", "site", "ams", ""), ["ams", "fra"]),
        (("shift", "site", "ams", ""), []),
        (("drain", "--reason", "INC 7", "node", ""), ["ams-1", "fra-1"]),
        (("why", "pool", "web-"), ["web-ams", "web-fra"]),
        (("why", "vip", ""), ["shop-ams", "shop-fra"]),
        (("wait", "service", ""), ["web"]),
        (("disable", "backend", "web-a"), ["web-ams/ams-b2", "web-ams/b1"]),
        (("disable", "backend", "ams-b2"), ["web-ams/ams-b2"]),
        (("disable", "backend", "b1"), ["web-ams/b1", "web-fra/b1"]),
        (("disable", "backend", "nosuch"), []),
        (("disable", "backend", ""), ["web-ams/ams-b2", "web-ams/b1", "web-fra/b1"]),
        (("drill", "backup", "a"), ["ams"]),
        (("dns", "explain", "w"), ["www.shop.example"]),
        (("status", "--pool", "web-f"), ["web-fra"]),
        (("drain", "site", "ams", "--service", ""), ["web"]),
        (("undrain", "site", "ams", "--without", "ams-1,f"), ["ams-1,fra-1"]),
        (("drain", "site", "ams", "--reason", ""), []),
        (("hold", "pool", ""), []),
        (("operation", "x", "h"), ["hold"]),
        (("get", "p"), ["pools"]),
        (("get", "d"), ["dns/zones", "dns/names"]),
        (("get", "pools/web-"), ["pools/web-ams", "pools/web-fra"]),
        (("get", "pools/web-ams/ma"), ["pools/web-ams/max_backends", "pools/web-ams/max_remove"]),
        (("get", "pools/web-ams/backends/"), ["pools/web-ams/backends/ams-b2", "pools/web-ams/backends/b1"]),
        (("get", "services/web/at/a"), ["services/web/at/ams"]),
        (("get", "pools/nosuch/"), []),
    )

    def test_names_are_offered(self) -> None:
        for words, offered in self.ROWS:
            self.assert_offered(words, offered)
        self.assert_offered(("rollback", ""), ["1"])
        self.assert_offered(("diff", ""), ["1", "ams-1", "fra-1"])

    def test_with_management_stopped_or_dead_too_and_in_time(self) -> None:
        node = Node(MGMT, text=two_pools()).start()
        self.addCleanup(node.close)
        was, self.node = self.node, node
        try:
            assert node.process
            freeze(node.process)
            began = time.monotonic()
            self.assertEqual(self.complete("rollback", ""), [])
            # 0.6 s of waiting, and never more than 1; the rest is what a busy machine takes to start programs
            self.assertLess(time.monotonic() - began, 10)
            self.assert_offered(("drain", "site", ""), ["ams", "fra"])
            node.process.send_signal(signal.SIGCONT)
            node.stop()
            self.assert_offered(("disable", "backend", "ams-b2"), ["web-ams/ams-b2"])
            self.assertEqual(self.complete("operation", ""), [])
        finally:
            if node.process:
                node.process.send_signal(signal.SIGCONT)
            self.node = was

    def test_an_interface_is_a_word(self) -> None:
        self.assertIn("lo", self.complete("agent", "attach", "l"))


class Hostile(test_cli.WithApi):
    """A management that names what no shell should meet."""

    def test_what_is_no_word_is_not_offered(self) -> None:
        evil = ["$(touch PWNED)", "`touch PWNED`", "a b", "a;touch PWNED", "-rf", "a\nb", "a'b", 'a"b', "a\\b", "a*", "~root", "\x1b[2J", "", None, 7.0, {"a": 1}]
        self.api.answers["/v1/operations"] = (200, {"items": [{"id": e} for e in evil] + [{"id": "ams-1-k3"}, {}]})
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(["bash", "-euc", COMPLETE, "bash", COMPLETION, WEIR, "--run-dir", self.dir, "operation", ""],
                                  capture_output=True, text=True, timeout=60, check=False, cwd=empty)
            self.assertEqual((done.returncode, done.stdout.split(), done.stderr, os.listdir(empty)), (0, ["7", "ams-1-k3"], "", []))


class Get(WithNode):
    """Objects of a real weir-mgmt, over its socket."""

    def test_what_is_listed_is_shown(self) -> None:
        self.assertEqual(self.weir("get", "pools").stdout, "web-ams\nweb-fra\n")
        self.assertEqual(self.weir("get", "pools/web-ams/backends").stdout, "ams-b2\nb1\n")
        self.assertEqual(self.weir("get", "pools/web-ams/backends/b1/address").stdout, "10.1.1.11\n")
        self.assertRegex(self.weir("get", "pools/web-ams").stdout, r"(?m)^name +web-ams\nsite +ams\n")
        for path in json.loads(self.weir("--json", "get").stdout)["items"]:
            if "NAME" in path["path"]:
                continue
            names = self.weir("get", path["path"]).stdout.split()
            self.assertTrue(names, path)
            for name in names:
                shown = self.weir("--json", "get", f"{path['path']}/{name}")
                self.assertEqual((shown.returncode, json.loads(shown.stdout)["name"]), (0, name), shown.stderr)

    def test_what_there_is_not_is_said(self) -> None:
        for path in ("pools/none", "pools/web-ams/none", "none", "pools/none/backends", "pools/a%"):
            done = self.weir("get", path)
            self.assertEqual((done.returncode, done.stdout), (1, ""), path)
            self.assertTrue(done.stderr.startswith("weir: "), path)


class ShortNames(WithNode):
    def test_the_only_backend_of_a_name_needs_no_pool(self) -> None:
        self.assertRegex(self.weir("why", "backend", "ams-b2").stdout, r"^backend +web-ams/ams-b2\nintent ")
        self.assertRegex(self.weir("why", "backend", "web-ams/ams-b2").stdout, r"^intent ")
        for verb, ends in (("drain", "undrain"), ("disable", "enable"), ("force-up", "enable")):
            made = self.weir(verb, "backend", "ams-b2", *SOON)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertIn("backend web-ams/ams-b2: ", made.stdout)
            self.assertIn(f"undo: weir {ends} backend web-ams/ams-b2\n", made.stdout)
            self.assertEqual(self.weir(ends, "backend", "ams-b2", "--now").returncode, 0)
        self.assertEqual(self.weir("wait", "backend", "ams-b2", "serve", "--timeout", "20s").returncode, 0)

    def test_of_several_all_are_named(self) -> None:
        for command in ("why", "drain", "disable", "enable", "undrain", "force-up", "wait"):
            more: tuple[str, ...] = ("up",) if command == "wait" else () if command in ("why", "enable", "undrain") else SOON
            done = self.weir(command, "backend", "b1", *more)
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (1, "", "weir: b1 is the name of 2 backends: web-ams/b1, web-fra/b1\n"), command)
            self.assertEqual(self.weir(command, "backend", "nosuch", *more).stderr, "weir: there is no backend nosuch; weir status lists them\n")


class Undo(WithNode):
    """Of each command that prints how to undo it: never of a dry run or a refusal, and no instant that has passed."""

    # (command, what it does before the dry run, guard that refuses it or "")
    ROWS: tuple[tuple[tuple[str, ...], str], ...] = (
        (("drain", "backend", "web-ams/b1", *SOON), ""),
        (("drain", "backend", "web-fra/b1", *SOON), "last-backend"),
        (("disable", "backend", "web-ams/b1", *SOON), ""),
        (("disable", "backend", "web-fra/b1", *SOON), "last-backend"),
        (("force-up", "backend", "web-ams/b1", *SOON), ""),
        (("drain", "site", "ams", "--scheduled", *SOON), ""),
        (("disable", "site", "ams", *SOON), ""),
        (("drain", "site", "ams", "--reason", "INC 7"), "any"),
        (("shift", "site", "ams", "30%", *SOON), "any"),
    )

    def setUp(self) -> None:
        for o in self.node.ask("GET", "/v1/overrides").json["items"]:
            self.weir("undrain" if o["do"] == "drain" else "enable", *next(iter([k, v] for k, v in o["target"].items() if k == "site"), (
                "backend", f"{o['target'].get('pool')}/{o['target'].get('backend')}")), "--now")

    def test_a_dry_run_undoes_nothing_and_a_refused_one_shows_the_way_past(self) -> None:
        for command, guard in self.ROWS:
            with self.subTest(" ".join(command)):
                done = self.weir(*command, "--dry-run")
                self.assertNotIn("undo:", done.stdout + done.stderr)
                found = re.search(r"to do it anyway \(kept in the record\): weir (.*)\n", done.stdout + done.stderr)
                self.assertEqual((done.returncode, bool(found)), (2, True) if guard else (0, False), done.stdout + done.stderr)
                if not found:
                    continue
                line = shlex.split(found[1])
                # the same command, and nothing but names of guards and of nodes more
                kept = [w for i, w in enumerate(line) if w not in ("--override", "--without") and line[i - 1] not in ("--override", "--without")]
                self.assertEqual(sorted(kept), sorted((*command, *self.dirs(), "--node", self.node.name)))
                again = self.weir(*line, "--dry-run")
                self.assertEqual(again.returncode, 0, again.stdout + again.stderr)
                self.assertNotIn("to do it anyway", again.stdout + again.stderr)

    def test_the_way_past_is_accepted(self) -> None:
        command = ("drain", "backend", "web-fra/b1", *SOON)
        refused = self.weir(*command)
        found = re.search(r"to do it anyway \(kept in the record\): weir (.*)\n", refused.stderr)
        self.assertEqual((refused.returncode, found and found[1]),
                         (2, "drain backend web-fra/b1 --reason 'INC 7' --until +4h "
                          f"{shlex.join((*self.dirs(), '--node', self.node.name))} --override last-backend"), refused.stderr)
        assert found
        self.assertEqual(self.weir(*shlex.split(found[1])).returncode, 0)

    def test_an_undo_is_of_what_is_still_to_come(self) -> None:
        for until, line in (("2036-11-20T12:00:00.000Z", "undo: weir {} --until 2036-11-20T12:00:00.000Z"), ("+90s", None)):
            for verb, ends, name in (("drain", "undrain", "web-ams/b1"), ("disable", "enable", "web-ams/ams-b2"), ("force-up", "enable", "web-fra/b1")):
                target = ("backend", name)
                past = [] if verb == "force-up" else ["--override", "last-backend"]
                self.assertEqual(self.weir(verb, *target, "--until", until, "--reason", "x", *past).returncode, 0)
                out = self.weir(ends, *target).stdout
                expected = f"{line.format(' '.join((verb, *target)))}" if line else None
                self.assertEqual("undo:" in out, bool(line), out)
                self.assertIn(expected or "", out)

    def test_an_undo_names_no_start_that_passes_before_it_is_used(self) -> None:
        for start, named in (("+10m", True), ("+60s", False)):
            self.assertEqual(self.weir("drain", "site", "ams", "--scheduled", "--from", start, "--until", "+4h", "--reason", "x").returncode, 0)
            out = self.weir("undrain", "site", "ams", "--scheduled").stdout
            self.assertRegex(out, rf"undo: weir drain site ams {'--from 20[0-9TZ:.-]+ ' if named else ''}--until 20[0-9TZ:.-]+ --scheduled --reason TEXT")

    def test_a_dry_run_of_files_undoes_nothing(self) -> None:
        path = os.path.join(self.node.conf, "weir.conf")
        with open(path, "a") as f:
            f.write("# a word\n")
        done = self.weir("apply", "--reason", "x", "--dry-run")
        self.assertEqual((done.returncode, "undo:" in done.stdout), (0, False), done.stdout + done.stderr)
        self.assertIn("dry run", done.stdout)


class Held(WithNode):
    """A drain whose time is over, while weir-dns sees that the site is not up."""

    def hold(self) -> list[typing.Any]:
        """Say so of the drain as it was commanded last. @return what is left of it"""
        left: list[typing.Any] = self.node.ask("GET", "/v1/overrides").json["items"]
        path = os.path.join(self.node.state, "dns.ramps")
        with open(path + ".new", "w") as f:
            f.write("weir-ramps 1\n" + "".join(f"{o['id']} {o['generation']} {int(self.until_s * 1000) - 1} held-site\n" for o in left) + "end\n")
        os.rename(path + ".new", path)
        return left

    def test_the_command_that_ends_it_anyway_does(self) -> None:
        self.until_s = time.time() + 2
        self.assertEqual(self.weir("drain", "site", "ams", "--scheduled", "--now", "--over", "1s", "--until", "+2s", "--reason", "x").returncode, 0)

        def advice() -> str:
            self.hold()
            return "".join(r["text"] for r in self.node.ask("GET", "/v1/status").json["reasons"] if r["code"] == "drain-held")
        text = wait_for("the advice", advice)
        found = re.fullmatch(r"the drain of site ams has expired and is held: .*; weir (undrain .*) ends it anyway", text)
        assert found, text
        done = self.weir(*shlex.split(found[1]))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.hold(), [])
        wait_for("it is no reason any more", lambda: not advice())


class Words(WithNode):
    """No text for people has a raw structure in it: each command that asks management, on a node with something to say."""
    COMMANDS: tuple[tuple[str, ...], ...] = (
        ("status",), ("status", "--all"), ("status", "--site", "ams"), ("status", "--pool", "web-ams"), ("why",), ("why", "site", "ams"),
        ("why", "site", "fra"), ("why", "pool", "web-ams"), ("why", "backend", "ams-b2"), ("why", "service", "web"), ("why", "node", "ams-1"),
        ("why", "node", "fra-1"), ("why", "vip", "shop-ams"), ("versions",), ("plan",), ("diff",), ("diff", "1", "2"), ("operations",),
        ("overrides",), ("overrides", "--ended"), ("drills",), ("drills", "--ended"), ("health",), ("events", "--limit", "100"), ("clock",),
        ("drain", "site", "fra", "--reason", "x", "--dry-run"), ("shift", "site", "fra", "30%", *SOON, "--dry-run"),
        ("drain", "node", "ams-1", "--until", "+4h", "--reason", "x", "--dry-run"), ("undrain", "site", "fra"), ("hold", "site", "fra"),
        ("drill", "backup", "ams", "--clients", "198.51.100.0/24"), ("dns", "explain", "www.shop.example"), ("rollback", "1", "--reason", "x", "--dry-run"),
        ("trace", "198.51.100.1:1234", "203.0.113.10:80/tcp"), ("confirm",), ("zone", "reload"), ("nic",), ("wait", "well", "--timeout", "1s"))

    def test_no_command_shows_people_a_raw_structure(self) -> None:
        changed = self.node.files("weight = 100", "weight = 200")
        self.assertEqual(self.node.apply(changed).status, 201)
        self.node.write("weir.conf", two_pools().replace("weight = 100", "weight = 300", 1))
        for command in (("drain", "site", "ams", "--scheduled", "--over", "5m", *SOON), ("disable", "backend", "ams-b2", *SOON),
                        ("force-up", "backend", "web-fra/b1", *SOON)):
            self.assertEqual(self.weir(*command).returncode, 0)
        for offline in (False, True):
            if offline:
                self.node.stop()
            for command in self.COMMANDS:
                done = self.weir(*command)
                self.assertNotRegex(done.stdout + done.stderr, r'[{\[]\s*[{"]|"\s*:|_ppm|\bnull\b', f"{command} {'offline' if offline else ''}")
                self.assertGreater(len(done.stdout + done.stderr), 5, command)


def load_tests(loader: unittest.TestLoader, tests: typing.Any, pattern: typing.Any) -> unittest.TestSuite:
    """Not those that test_cli brings."""
    return unittest.TestSuite(c(name) for c in (Completion, Hostile, Get, ShortNames, Undo, Held, Words) for name in vars(c) if name.startswith("test_"))


if __name__ == "__main__":
    counted.main()
