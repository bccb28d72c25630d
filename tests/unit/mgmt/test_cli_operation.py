#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Operations by the command line: what it waits for and how that ends, against canned answers, hostile ones among them.

Usage: test_cli_operation.py WEIR SOURCE_ROOT
"""
from __future__ import annotations

import json
import os
import pathlib
import pty
import re
import shlex
import subprocess
import threading
import time
import typing
import unittest
import unittest.suite

import counted
import test_cli
from test_cli import WEIR

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHIFT = ("shift", "site", "ams", "30%", "--until", "+4h", "--reason", "INC-7")
END = {"drained": 0, "drained_unconfirmed": 0, "empty": 0, "held": 10, "expired_held": 10, "resting": 0, "done": 0, "aborted": 0, "failed": 4}


def record(state: str, seq: int, **more: typing.Any) -> dict[str, typing.Any]:
    return {"id": "k3", "kind": "drain", "state": state, "sites": ["ams"], "seq": seq, "level_ppm": 100000 * min(seq, 10), **more}


class Operations(test_cli.WithApi):
    """Inherits the canned API, not its tests: see load_tests()."""

    def follow(self, first: typing.Any, *answers: typing.Any, command: tuple[str, ...] = ("operation", "k3", "resume", "--watch")
               ) -> subprocess.CompletedProcess[str]:
        for path in ("/v1/operations", "/v1/operations/k3/resume", "/v1/operations/k3/abort"):
            self.api.answers[path] = (200, {"operation": first})
        self.api.answers["/v1/operations/k3"] = (200, list(answers) or [first])
        return self.weir(*command)

    def test_each_state_ends_a_watch_or_does_not(self) -> None:
        for state, status in END.items():
            with self.subTest(state):
                done = self.follow(record("moving", 1), record(state, 2))
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertEqual(len(self.api.requests), 2)
                self.api.requests.clear()
        for state in ("starting", "moving", "late", "returning", "aborting", "some-later-state"):
            with self.subTest(state):
                self.assertEqual(self.follow(record(state, 1), record(state, 2), record("done", 3)).returncode, 0)
                self.assertEqual(len(self.api.requests), 3)
                self.api.requests.clear()

    def test_a_take_goes_on_by_itself_and_is_followed(self) -> None:
        taken = record("held", 2, hold={"code": "taken", "detail": "node lon-1 reads the levels"}, waits="the level of node ams-1 is not known")
        done = self.follow(taken, taken, record("moving", 3), record("drained", 4), command=("operation", "k3", "resume", "--watch"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("taken over: reads the levels of all nodes, then goes on, 20 % drained; the level of node ams-1 is not known", done.stdout)
        self.assertNotIn("until a person decides", done.stdout)
        late = self.follow({**taken, "state": "expired_held"}, command=("operation", "k3", "resume", "--watch"))
        self.assertEqual((late.returncode, "taken over" in late.stdout), (10, False), late.stderr)
        self.assertIn("HELD, AND ITS TIME IS OVER: it does not return by itself", late.stdout)

    def test_a_drain_without_packets_says_what_is_not_known(self) -> None:
        drained = record("drained_unconfirmed", 2, waits="new flows of site ams are not measured")
        done = self.follow(record("late", 1), drained, command=("drain", "site", "ams", "--reason", "INC-7", "--wait=empty"))
        self.assertEqual((done.returncode, "do not answer" in done.stdout + done.stderr), (6, False), done.stderr)
        self.assertIn("NOT CONFIRMED BY PACKETS: no answer names the site, its new flows are not known", done.stdout)
        self.assertIn("it is not known whether its flows are silent: new flows of site ams are not measured", done.stderr)

    def test_an_abort_is_followed_until_nothing_moves(self) -> None:
        done = self.follow(record("aborting", 1), record("aborting", 2), record("aborted", 3), command=("operation", "k3", "abort", "--watch"))
        self.assertEqual(done.returncode, 0, done.stderr)
        # of a further shift it goes back to where that began; of a return, out again
        for states in (("aborting", "resting"), ("moving", "drained"), ("moving", "late", "drained")):
            with self.subTest(states):
                rests = self.follow(record(states[0], 1), *(record(s, n + 2) for n, s in enumerate((*states, "done"))),
                                    command=("operation", "k3", "abort", "--watch"))
                self.assertEqual((rests.returncode, "done: all clients are back" in rests.stdout), (0, False), rests.stdout + rests.stderr)
        self.assertIn("aborting: going back at the same pace, 20 % drained", done.stdout)
        self.assertEqual(self.follow(record("aborting", 1), record("failed", 3), command=("operation", "k3", "abort", "--watch")).returncode, 4)
        self.assertEqual(self.follow(record("aborting", 1), record("held", 3), command=("operation", "k3", "abort", "--watch")).returncode, 10)

    def test_it_asks_for_what_is_newer_than_what_it_knows(self) -> None:
        self.follow(record("moving", 41), record("moving", 43), record("done", 44))
        self.assertEqual([r[1] for r in self.api.requests][1:], [f"/v1/operations/k3?wait_ms=2000&since={n}" for n in (41, 43)])
        self.api.requests.clear()
        self.follow({"id": "k3", "state": "moving", "seq": 1e300}, {"id": "k3", "state": "moving"}, record("done", 7))
        self.assertEqual([r[1] for r in self.api.requests][1:], 2 * ["/v1/operations/k3?wait_ms=2000&since=0"])

    def test_a_record_of_before_the_command_is_not_believed(self) -> None:
        was = record("held", 90, epoch=64)
        for command in (("operation", "k3", "resume", "--watch"), (*SHIFT, "--wait")):
            done = self.follow(record("moving", 2, epoch=65), was, was, record("resting", 4, epoch=65), command=command)
            self.assertEqual((done.returncode, "HELD" in done.stdout + done.stderr), (0, False), done.stderr)
        done = self.follow(record("moving", 5), record("held", 4), record("resting", 6))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_line_says_each_change_once(self) -> None:
        same = record("moving", 2, step=0, plan={"steps": [{}, {}]}, level_ppm=100000, waits="the longest TTL, 23 s more")
        done = self.follow(record("starting", 1), same, {**same, "seq": 3, "waits": "the longest TTL, 22 s more"}, {**same, "seq": 4, "step": 1},
                           record("resting", 5), command=(*SHIFT, "--wait"))
        self.assertEqual(done.returncode, 0)
        lines = [line for line in done.stderr.splitlines() if "step" in line]
        self.assertEqual(len(lines), 3, done.stderr)
        self.assertRegex(lines[1], r"^weir: moving clients, step 1 of 2, 10 % drained; the longest TTL, 23 s more \(\d s\)$")
        self.assertIn("step 2 of 2", lines[2])
        self.assertIn("goes on when this command ends", done.stderr.splitlines()[0])
        self.assertTrue(done.stdout.startswith("drain of site ams: at its level, 50 % drained (k3)\n"), done.stdout)

    def test_a_hold_ends_the_wait_and_says_what_a_person_can_do(self) -> None:
        hold = {"code": "room", "detail": "fra would have 96 %", "since": "S", "resume": "weir operation k3 resume --override room --reason TEXT"}
        done = self.follow(record("moving", 1), record("held", 2, hold=hold), command=(*SHIFT, "--wait"))
        self.assertEqual(done.returncode, 10)
        self.assertRegex(done.stderr, r"(?m)^weir: HELD, 20 % drained; fra would have 96 % \(\d s\)$")
        for text in ("HELD, 20 % drained", "why       room: fra would have 96 %, since S", "traffic stays as it is", "resume --override room", "k3 abort"):
            self.assertIn(text, done.stdout)

    def test_a_watch_as_json_is_one_line_for_each_record(self) -> None:
        done = self.follow(record("moving", 1), record("moving", 1), record("moving", 2), record("done", 3),
                           command=("operation", "k3", "resume", "--watch", "--json"))
        self.assertEqual([json.loads(line)["seq"] for line in done.stdout.splitlines()], [1, 2, 3])
        done = self.follow(record("moving", 1), record("resting", 3), command=(*SHIFT, "--wait", "--json"))
        self.assertEqual([json.loads(line)["seq"] for line in done.stdout.splitlines()], [3])

    def test_management_may_be_away_meanwhile(self) -> None:
        self.api.answers["/v1/operations"] = (200, {"operation": record("moving", 1)})
        self.api.answers["/v1/operations/k3"] = (503, {"code": "busy", "title": "Busy"})

        ended = threading.Event()

        def come_back() -> None:
            while len(self.api.requests) < 4 and not ended.is_set():
                time.sleep(0.02)  # for the requests: nothing else tells of them
            self.api.answers["/v1/operations/k3"] = (200, record("resting", 2))

        back = threading.Thread(target=come_back)
        back.start()
        done = self.weir(*SHIFT, "--wait")
        ended.set()
        back.join()
        self.assertEqual((done.returncode, "Busy" in done.stderr), (0, False), done.stderr)

    def test_what_is_gone_ends_the_wait(self) -> None:
        self.api.answers["/v1/operations"] = (200, {"operation": record("moving", 1)})
        for status, code, expected in ((404, "not-found", 1), (403, "forbidden", 7), (410, "gone", 4)):
            self.api.answers["/v1/operations/k3"] = (status, {"code": code, "title": "No"})
            self.assertEqual(self.weir(*SHIFT, "--wait").returncode, expected)

    def test_a_drain_is_there_when_it_is_drained_and_empty_when_it_is_empty(self) -> None:
        drain = ("drain", "site", "ams", "--reason", "INC-7")
        for wait, states, status in (
                ("--wait", ("moving", "late", "drained"), 0), ("--wait", ("moving", "drained_unconfirmed"), 0), ("--wait", ("late", "empty"), 0),
                ("--wait", ("moving", "aborting", "aborted"), 4), ("--wait", ("failed",), 4), ("--wait", ("returning", "done"), 4),
                ("--wait=empty", ("late", "drained", "empty"), 0), ("--wait=empty", ("drained", "held"), 10),
                ("--wait=empty", ("late", "drained_unconfirmed"), 6), ("--wait=empty", ("drained", "returning", "done"), 4)):
            with self.subTest(wait, states=states):
                self.api.requests.clear()
                done = self.follow(record("starting", 1), *(record(s, n + 2) for n, s in enumerate(states)), command=(*drain, wait))
                self.assertEqual((done.returncode, len(self.api.requests)), (status, len(states) + 1), done.stderr)
        for states, status in ((("drained", "returning", "done"), 0), (("resting", "held"), 10), (("aborted",), 0)):
            with self.subTest(states):
                done = self.follow(record("drained", 1), *(record(s, n + 2) for n, s in enumerate(states)),
                                   command=("undrain", "site", "ams", "--wait"))
                self.assertEqual(done.returncode, status, done.stderr)
        for state in ("drained", "drained_unconfirmed", "empty", "resting"):
            with self.subTest("somebody aborts the return", state=state):
                done = self.follow(record("drained", 1), record("returning", 2), record("moving", 3), record(state, 4),
                                   command=("undrain", "site", "ams", "--wait"))
                self.assertEqual((done.returncode, f"has ended otherwise: {state}" in done.stderr), (4, True), done.stderr)
        ended = record("aborted", 2, ended={"at": "T", "code": "command", "detail": "a person's command at site ams has ended it"})
        done = self.follow(record("returning", 1), ended, command=("undrain", "site", "ams", "--wait"))
        self.assertEqual((done.returncode, "has ended otherwise: aborted" in done.stderr), (4, True), done.stderr)

    def test_an_answer_without_an_id_is_not_followed(self) -> None:
        for first in ({"state": "moving"}, {"id": 7, "state": "moving"}, 7, [], None):
            done = self.follow(first, command=(*SHIFT, "--wait"))
            self.assertEqual(done.returncode, 5)
            self.assertIn("names no operation", done.stderr)

    def test_what_is_wrong_is_not_asked(self) -> None:
        for arguments, expected in (
                (("shift", "site", "ams"), "an argument is missing"), (("shift", "node", "ams-1", "30%", "--until", "+1h", "--reason", "x"), "site NAME LEVEL"),
                (("shift", "site", "ams", "30%", "--reason", "x"), "--until TIME is missing"), ((*SHIFT[:6], "--reason", " "), "--reason TEXT"),
                ((*SHIFT, "--wait=empty"), "--wait takes no value"), (("operation", "k3", "resume", "now"), "one argument too many"),
                (("operation",), "an argument is missing"), (("operation", ""), "the ID of an operation"), (("operation", "x" * 400), "the ID of an operation"),
                (("operations", "--limit", "0"), "1 to 64"), (("operations", "--limit", "9x"), "1 to 64"), (("operations", "--limit", " 5"), "1 to 64"),
                (("operations", "--limit", "+5"), "1 to 64"), (("operations", "--run-dir", "/" + "r" * 108), "too long for a socket"), (("operation", "k3", "rseume"), "expected hold")):
            done = self.weir(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr)
        self.assertEqual(self.api.requests, [])

    def test_of_very_long_lists_the_first_are_shown(self) -> None:
        many = 20000
        self.api.answers["/v1/operations/k3"] = (200, record(
            "held", 1, sites=[f"s{i}" for i in range(many)], steps=[{"level_ppm": i, "loads": [{}] * 9000 if i > many - 3 else []} for i in range(many)],
            nodes=[{"node": f"n{i}", "reached": i % 2 == 0} for i in range(many)], late=[{"prefix": f"p{i}"} for i in range(many)],
            warnings=["w" * 900 for _ in range(many)], hold={"code": "x" * 5000},
            preflight={"guards": [{"guard": f"g{i}", "ok": False} for i in range(many)]}))
        done = self.weir("operation", "k3")
        self.assertEqual(done.returncode, 0)
        self.assertLess(len(done.stdout.splitlines()), 160)
        self.assertLess(len(done.stdout), 30000)
        for text in ("... 19980 earlier steps", "... and 19980 more (--json", "... and 9980 more", "... and 8980 more", "10000 of 20000 nodes are reached"):
            self.assertIn(text, done.stdout)

    def test_twenty_of_each_list_are_shown_and_the_others_counted(self) -> None:
        for n in (20, 21):
            self.api.answers["/v1/operations/k3"] = (200, record(
                "moving", 1, steps=[{"from_ppm": 10000 * i, "level_ppm": 10000 * (i + 1), "begun": f"T{i}", "ended": "E", "loads": [
                    {"site": f"s{k}", "flows_per_s": 10, "expected_flows_per_s": 20, "bits_per_s": 1e6} for k in range(n)]} for i in range(n)],
                nodes=[{"node": f"n{i}", "reached": False, "level_ppm": 0} for i in range(n)] + [{"node": "m", "reached": True}],
                late=[{"prefix": f"p{i}", "flows_per_s": 5} for i in range(n)] + [{"prefix": "q", "flows_per_s": 0}],
                warnings=[f"w{i}" for i in range(n)], preflight={"guards": [{"guard": f"g{i}", "state": "refused", "detail": "d"} for i in range(n)]}))
            shown = range(20)
            more = [f"    ... and {n - 20} more (--json shows all)"] if n > 20 else []
            self.assertEqual(self.weir("operation", "k3").stdout.splitlines(), [
                "drain of site ams: moving clients, 10 % drained (k3)", "  begun     not known by ?", "  returns   not known", "  owner     not known",
                *([f"  ... {n - 20} earlier steps (--json shows all)"] if n > 20 else []),
                *(f"  step {i} % -> {i + 1} %: T{i} to E; share not judged" for i in range(n - 20, n)),
                *(f"    s{i:<15} new flows 10/s, expected 20/s; 1 Mbit/s" for i in shown), *more,
                *(f"  guard g{i}: REFUSES, d" for i in shown), *more,
                *(f"  node n{i}: NOT REACHED, last known level 0 %" for i in shown), *more, f"  nodes     1 of {n + 1} nodes are reached",
                *(f"  late clients: p{i}, 5.0/s new flows" for i in shown), *more, "  late clients: 1 prefixes with less than 1/s",
                *(f"  ! w{i}" for i in shown), *more])
            self.api.answers["/v1/operations"] = (200, {"dry_run": True, "operation": {
                "kind": "shift", "sites": ["ams"], "plan": {"steps": [{"level_ppm": 10000 * (i + 1)} for i in range(n)], "expected_s": 90,
                                                            "queries_per_s_at_min_ttl": 7},
                "preflight": {"receivers": [{"site": f"s{i}", "before_flows": 10, "after_flows": 20, "capacity_flows": 40, "before_bits": 1e6, "after_bits": 2e6,
                                             "known": i != 1} for i in range(n)],
                              "guards": [{"guard": f"g{i}", "state": "ok", "ok": True, "detail": "d"} for i in range(n)],
                              "backups": [{"service": "web", "site": "ams", "backup": f"p{i}", "ok": [True, False, None][i % 3], "detail": "why"} for i in range(n)]},
                "warnings": [f"w{i}" for i in range(n)]}, "notes": [f"n{i}" for i in range(n)]})
            self.assertEqual(self.weir(*SHIFT, "--dry-run").stdout.splitlines(), [
                "dry run, nothing was changed:", "shift of site ams", "  steps: " + ", ".join(f"{i + 1} %" for i in shown) + (" ..." if more else "") + " drained",
                "  time in all: about 90 s", "  queries at the shortest TTL: 7.0/s", "  receivers, when all is moved:",
                *(f"    s{i:<15} new flows 10/s -> 20/s of 40/s (50 %), bits 1 Mbit/s -> 2 Mbit/s" + ("; NOT KNOWN WELL ENOUGH" if i == 1 else "") for i in shown),
                *more, *(f"  backup of service web at site ams, pool p{i}: {('ok', 'WOULD NOT SERVE', 'NOT KNOWN')[i % 3]}, why" for i in shown), *more,
                *(f"  guard g{i}: ok, d" for i in shown), *more, *(f"  ! w{i}" for i in shown), *more, *(f"  note: n{i}" for i in shown), *more])

    def test_no_control_character_reaches_the_terminal(self) -> None:
        evil = "a\u001b]0;x\u0007\u009b2J\u0085\r\nb\u007f"
        body = record("held", 1, service=evil, author=evil, principal=evil, reason=evil, owner=evil, undo=evil, warnings=[evil], created=evil,
                      hold={"code": evil, "detail": evil, "since": evil, "resume": evil}, late=[{"prefix": evil}], nodes=[{"node": evil}],
                      steps=[{"begun": evil, "ended": evil, "not_judged": evil}], preflight={"guards": [{"guard": evil, "detail": evil}]}, kind=evil)
        self.api.answers["/v1/operations/k3"] = (200, body)
        self.api.answers["/v1/operations/k3/hold"] = (409, {"code": "guard", "title": evil, "detail": evil, "guards": body["preflight"]["guards"]})
        for command in (("operation", "k3"), ("operation", "k3", "--watch"), ("operation", "k3", "hold")):
            done = self.weir(*command)
            for text in (done.stdout, done.stderr):
                self.assertEqual([c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160], [])

    def test_json_is_the_answer_and_a_line_is_whole(self) -> None:
        long = "weir operation k3 resume --without " + ",".join(f"ams-{i}" for i in range(900)) + " --reason '\u001b\n\u00e9'"
        body = record("held", 1, undo=long, reason=long, hold={"code": "room", "detail": long, "resume": long, "back": long})
        self.api.answers.update({
            "/v1/operations": (200, {"operation": body}), "/v1/operations/k3": (200, body), "/v1/operations/k3/resume": (200, {"operation": body}),
            "/v1/operations/k3/hold": (409, {"code": "guard", "title": "No", "override": long, "guards": [{"guard": "room", "detail": long}]}),
            "/v1/operations/k3/abort": (409, {"code": "nothing-to-end", "detail": long}), "/v1/drills": (200, {"id": "d1", "undo": long}),
            "/v1/drills/d1": (200, {"id": "d1", "state": "ended", "detail": long}), "/v1/drills/d1/end": (200, {"id": "d1", "detail": long}),
            "/v1/status": (200, {"sites": [{"name": "ams"}]}), "/v1/events": (200, {"items": []}), "/v1/sites/ams/arrivals": (200, {"keeps": [long]})})
        drill = ("drill", "backup", "ams", "--clients", "198.51.100.0/24", "--for", "1m", "--reason", "x")
        for path, command in (("/v1/operations", SHIFT), ("/v1/operations", ("operations",)), ("/v1/operations", (*SHIFT, "--dry-run")),
                              ("/v1/operations/k3", ("operation", "k3")), ("/v1/operations/k3", ("operation", "k3", "--watch")),
                              ("/v1/operations/k3", (*SHIFT, "--wait")), ("/v1/operations/k3/resume", ("operation", "k3", "resume")),
                              ("/v1/operations/k3/hold", ("operation", "k3", "hold")), ("/v1/operations/k3/abort", ("operation", "k3", "abort")),
                              ("/v1/drills", drill), ("/v1/drills", ("drills",)), ("/v1/drills/d1", (*drill, "--wait")),
                              ("/v1/drills/d1/end", ("drill", "end", "d1", "--reason", "x")), ("/v1/sites/ams/arrivals", ("why", "site", "ams"))):
            done = self.weir(*command, "--json")
            found = json.loads(done.stdout)
            with self.subTest(command):
                self.assertEqual(found["arrivals"] if command[0] == "why" else found, self.api.answers[path][1])
                self.assertNotIn("\u001b", done.stderr)
                if command != ("operations",) and command != ("drills",):
                    self.assertIn(long.replace("\u001b\n", "??"), (lambda d: d.stdout + d.stderr)(self.weir(*command)))

    def run_line(self, line: str) -> subprocess.CompletedProcess[str]:
        script = line.replace("weir", f"{WEIR} --conf-dir {self.dir} --state-dir {self.dir} --run-dir {self.dir}", 1)
        return subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=30, text=True)

    def test_the_command_that_overrides_is_the_one_that_was_given(self) -> None:
        refusal = {"code": "guard", "title": "No", "guards": [{"guard": "room", "ok": False, "detail": "full"}], "override": "weir of management",
                   "override_guards": ["fresh", "room"], "without": ["lon-1", "lon-2"]}
        self.api.answers["/v1/operations"] = (409, refusal)
        for reason in ("it's", 'a "b" $c', "-x", "ä;rm", "two\nlines", "'" * 30):
            first = self.weir("shift", "site", "ams", "30%", "--until", "+4h", "--reason", reason, "--override=fresh", "--without", "lon-1")
            self.assertEqual(first.returncode, 2)
            sent = self.api.requests[-1][2]
            line = first.stderr.partition("(kept in the record): ")[2]
            self.run_line(line)
            self.assertEqual(self.api.requests[-1][2], {**sent, "override_guards": ["fresh", "room"], "without": ["lon-1", "lon-2"]}, line)
        done = self.weir("drain", "site", *("s" * 60 for _ in range(8)), "--reason", "r" * 9000)
        self.assertIn("(kept in the record): weir of management\n", done.stderr)
        self.api.answers["/v1/operations"] = (409, {**refusal, "override_guards": ["a;touch x", "$(y)"], "without": []})
        self.assertIn("--override 'a;touch x,$(y)'\n", self.weir("undrain", "site", "ams").stderr)

    def run_at_terminal(self, answer: bytes, *words: str) -> tuple[int, str]:
        """@return exit status, what it said"""
        done = self.at_terminal(answer, *words)
        return done.returncode, done.stdout + done.stderr

    def at_terminal(self, answer: bytes, *words: str) -> subprocess.CompletedProcess[str]:
        """The command with a terminal to answer at."""
        ours, its = pty.openpty()
        os.write(ours, answer)
        try:
            return subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir, *words], stdin=its,
                                  capture_output=True, check=False, timeout=30, text=True)
        finally:
            os.close(ours)
            os.close(its)

    def test_a_question_is_no_output_and_with_json_there_is_none(self) -> None:
        for verb in ("accept", "rebuild"):
            self.api.answers[f"/v1/store/{verb}"] = (200, {"id": "a1", "epoch": 7, "copies": []})
            command = ("store", verb, "--reason", "x")
            done = self.at_terminal(b"n\n", *command)
            self.assertEqual((done.returncode, "[y/N]" in done.stdout, done.stdout != ""), (2, False, True))
            self.assertRegex(done.stderr, r"\?( \[y/N\] )weir: nothing was changed\n\Z")
            self.api.requests.clear()
            done = self.at_terminal(b"y\n", *command, "--json")
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("nothing was changed: --json asks no question: look without --json, then give --yes", done.stderr)
            self.assertTrue(all("dry_run=true" in path for _, path, _, _ in self.api.requests))
            done = self.at_terminal(b"", *command, "--json", "--yes")
            self.assertEqual((done.returncode, json.loads(done.stdout)["epoch"], done.stderr), (0, 7, ""))

    def test_while_the_store_is_silent_a_person_is_offered_the_clock(self) -> None:
        self.api.answers["/v1/operations"] = (503, {"code": "store-unavailable", "title": "No", "detail": "no majority"})
        self.api.answers["/v1/overrides"] = (201, test_cli.DRAINED)
        for words, clocked in ((("drain", "site", "ams", "--reason", "INC 7", "--over", "10m"),
                                "weir drain site ams --over 10m --until never --reason 'INC 7' --scheduled"),
                               (("drain", "site", "ams", "--reason", "x", "--until", "+4h"), "weir drain site ams --until +4h --reason x --scheduled"),
                               (("undrain", "site", "ams", "--reason", "x"), "weir undrain site ams --reason x --scheduled")):
            with self.subTest(words):
                for answer in (b"n\n", b"\n", b"\x04"):
                    self.api.requests.clear()
                    status, said = self.run_at_terminal(answer, *words)
                    self.assertEqual((status, len(self.api.requests)), (3, 1), said)
                    shown = re.search(r"without measuring anything: (.*)\ndo that\?", said)
                    assert shown, said
                    where = f" --conf-dir {self.dir} --state-dir {self.dir} --run-dir {self.dir}"
                    self.assertEqual(sorted(shlex.split(shown[1])), sorted(shlex.split(clocked + where)))
                self.api.requests.clear()
                status, said = self.run_at_terminal(b"y\n", *words)
                self.assertEqual((status, [r[1] for r in self.api.requests]), (0, ["/v1/operations", "/v1/overrides?wait=local"]), said)
        self.api.requests.clear()
        self.assertEqual(self.weir("drain", "site", "ams", "--reason", "x").returncode, 3)  # no terminal: nobody is asked
        for words in (("drain", "site", "ams", "fra"), ("drain", "site", "--label", "region=eu"), ("drain", "site", "ams", "--service", "web"),
                      ("drain", "site", "ams", "--wait"), ("drain", "site", "ams", "--dry-run"), ("--json", "drain", "site", "ams")):
            status, said = self.run_at_terminal(b"y\n", *words, "--reason", "x")
            self.assertEqual((status, "do that?" in said), (3, False), said)
        self.assertNotIn("/v1/overrides?wait=local", [r[1] for r in self.api.requests])

    def test_where_no_name_helps_no_command_is_shown(self) -> None:
        self.api.answers["/v1/operations"] = (409, {"code": "guard", "title": "No", "guards": [{"guard": "clock", "ok": False, "detail": "old"}]})
        done = self.weir("drain", "site", "ams", "--reason", "x")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("to do it anyway", done.stderr)
        self.assertIn("weir clock says what is wrong", done.stderr)

    def test_a_dry_run_says_whether_it_would_begin_and_each_backup(self) -> None:
        preflight = {"would_begin": False, "override": "weir x", "override_guards": ["room"], "without": [], "backups": [
            {"service": "web", "site": "ams", "backup": "web-fra", "ok": False, "detail": "the pool is down"},
            {"service": "web6", "site": "ams", "backup": "web-lon", "ok": None, "detail": "no probe was answered"},
            {"service": "api", "site": "ams", "backup": "api-fra", "ok": True, "detail": ""}]}
        self.api.answers["/v1/operations"] = (200, {**record("starting", 1, preflight=preflight), "dry_run": True})
        done = self.weir("drain", "site", "ams", "--reason", "a try", "--dry-run")
        self.assertEqual(done.returncode, 2, done.stderr)
        for text in ("pool web-fra: WOULD NOT SERVE, the pool is down\n", "pool web-lon: NOT KNOWN, no probe was answered\n", "pool api-fra: ok\n",
                     "it would not begin; to do it anyway (kept in the record): weir drain site ams --reason 'a try'"
                     f" --conf-dir {self.dir} --state-dir {self.dir} --run-dir {self.dir} --override room\n"):
            self.assertIn(text, done.stdout)
        done = self.weir("drain", "site", "ams", "--reason", "a try", "--dry-run", "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["preflight"]), (2, preflight))
        self.api.answers["/v1/operations"] = (409, {"code": "guard", "title": "No", "guards": [], "backups": preflight["backups"]})
        refused = self.weir("drain", "site", "ams", "--reason", "x").stderr
        self.assertEqual((refused.count("backup of service"), "pool web-fra: WOULD NOT SERVE, the pool is down\n" in refused), (2, True), refused)
        self.api.answers["/v1/operations"] = (200, {**record("starting", 1, preflight=preflight), "dry_run": True})
        preflight.clear()
        preflight["would_begin"] = True
        self.assertEqual(self.weir("drain", "site", "ams", "--reason", "a try", "--dry-run").returncode, 0)


    def test_every_example_of_the_documents_is_accepted_as_written(self) -> None:
        examples: dict[str, str] = {}
        for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
            for line in path.read_text().splitlines():
                for text in [line[4:]] if line.startswith("    weir ") else re.findall(r"`(weir [^`]*)`", line):
                    command = re.sub(r"\s+#.*", "", text)
                    if re.match(r"weir ((drain|undrain|shift|hold|why) site|operations?|drill)\b", command) and not re.search(r"[\[|]|\.\.\.|--offline|:$", command):
                        examples[command] = f"{path.name}: {text}"
        self.assertGreater(len(examples), 25)
        for command, where in examples.items():
            words = shlex.split(command)[1:]
            if words[0] == "drain" and "--reason" not in words or words[1:] in (["site"], ["backup"]):
                continue  # it is named, not given
            with self.subTest(where):
                self.api.requests.clear()
                done = self.weir(*words)
                self.assertTrue(self.api.requests, f"{where}: {done.stderr}")


def load_tests(loader: typing.Any, tests: typing.Any, pattern: typing.Any) -> unittest.suite.TestSuite:
    """The own class alone: those of test_cli run there."""
    suite = unittest.TestSuite()
    suite.addTests(Operations(n) for n in vars(Operations) if n.startswith("test_"))
    return suite


if __name__ == "__main__":
    counted.main()
