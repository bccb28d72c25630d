#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Commands that go on: what is shown is seen before the next answer comes, nothing is kept of the answers that were shown, and
management may be away meanwhile.

Usage: test_cli_follows.py WEIR SOURCE_ROOT
"""
from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import typing
import unittest

import counted
import test_cli
from test_cli import WEIR

PATIENCE_S = 20
N_NUMBERS = 200000  # of an answer, of 40 bytes each in memory: far more than a command needs
Answers = list[tuple[int, typing.Any]]
Row = dict[str, typing.Any]
DRILL: dict[str, typing.Any] = {"id": "d1", "site": "ams", "service": "", "clients": "198.51.100.0/24", "state": "running", "until": "U"}
OVER: dict[str, typing.Any] = {**DRILL, "state": "over", "verdict": "proved", "flows": {"begun": 2, "followed": 2}}
OPERATION: dict[str, typing.Any] = {"id": "k3", "kind": "drain", "sites": ["ams"], "level_ppm": 0}
LEFT = (403, {"code": "forbidden", "title": "No more"})
EVENTS: list[Row] = [{"items": [{"id": n, "time": f"T{n}", "kind": "version", "subject": "s", "message": f"message {n}"}]} for n in (1, 2)]
BACKUP = ("drill", "backup", "ams", "--clients", "198.51.100.0/24")
PROVED = "PROVED: 2 new flows went to the backup, 2 of them went on, 0 stayed silent; 0 SYNs came again, 0 stayed with own backends\n"


class Management(test_cli.Api):
    """Answers of a path one after the other, the last again and again; status 0: the connection ends without one. Before the
    answer @held a reader may look at what was shown."""

    def __init__(self, path: str, given: dict[str, Answers], held: int = 0) -> None:
        self.given, self.n, self.held = {p: list(a) for p, a in given.items()}, 0, held
        self.is_asked, self.may_answer = threading.Event(), threading.Event()
        super().__init__(path)
        self.answers = self  # type: ignore[assignment]  # it answers like one

    def get(self, path: str, otherwise: typing.Any) -> typing.Any:
        self.n += 1
        if self.n == self.held:
            self.is_asked.set()
            self.may_answer.wait(2 * PATIENCE_S)
        answers = self.given[path]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        if not status:
            raise ConnectionAbortedError
        return status, json.dumps(body).encode()

    def handle_error(self, *_: object) -> None:
        """It was meant."""


class Follows(unittest.TestCase):
    def setUp(self) -> None:
        self.dir = tempfile.mkdtemp(prefix="weir-follows.")

    def tearDown(self) -> None:
        shutil.rmtree(self.dir)

    def begin(self, command: tuple[str, ...], given: dict[str, Answers], held: int = 0, errors: int = subprocess.PIPE
              ) -> tuple[Management, subprocess.Popen[str]]:
        place = tempfile.mkdtemp(dir=self.dir)
        api = Management(os.path.join(place, "api.sock"), given, held)
        # what is freed goes back to the system at once
        environment = {**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=0", "MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
        process = subprocess.Popen([WEIR, "--conf-dir", place, "--state-dir", place, "--run-dir", place, *command],
                                   stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        return api, process

    # (command, answers, requests before the one that waits, what is shown by then, what is shown behind it, exit status)
    SHOWN: tuple[tuple[tuple[str, ...], dict[str, Answers], int, str, str, int], ...] = (
        (("events", "--follow"), {"/v1/events": [(200, EVENTS[0]), (200, EVENTS[1]), LEFT]}, 1,
         "T1 version  s                                message 1\n", "T2 version  s                                message 2\n", 7),
        (("events", "--follow", "--json"), {"/v1/events": [(200, EVENTS[0]), (200, EVENTS[1]), LEFT]}, 2,
         "".join(json.dumps(e["items"][0], separators=(",", ":")) + "\n" for e in EVENTS),
         '{"code":"forbidden","title":"No more"}\n', 7),
        (("status", "--watch", "--json"), {"/v1/status": [(200, {"state": "well"}), LEFT]}, 1, '{"state":"well"}\n',
         "", 7),
        ((*BACKUP, "--wait"), {"/v1/drills": [(201, DRILL)], "/v1/drills/d1": [(200, OVER)]}, 1,
         "d1: new TCP flows of 198.51.100.0/24 to its services go to the backups of site ams until U\n  no probe sees this: \n"
         "  look: weir drills; end it sooner: \n",
         f"d1  drill of the backups of site ams, clients 198.51.100.0/24: over, until U by ?: \n  {PROVED}  \n", 0),
        (("operation", "k3", "--watch"), {"/v1/operations/k3": [(200, {**OPERATION, "state": "moving", "seq": 1}), (200, {**OPERATION, "state": "done", "seq": 2})]}, 1,
         "moving clients, 0 % drained (N s)\n", "done: all clients are back (N s)\ndrain of site ams: done: all clients are back (k3)\n"
         "  begun     not known by ?\n  returns   not known\n  owner     not known\n", 0),
        (("operation", "k3", "--watch", "--json"),
         {"/v1/operations/k3": [(200, {**OPERATION, "state": "moving", "seq": 1}), (200, {**OPERATION, "state": "done", "seq": 2})]}, 1,
         json.dumps({**OPERATION, "state": "moving", "seq": 1}, separators=(",", ":")) + "\n",
         json.dumps({**OPERATION, "state": "done", "seq": 2}, separators=(",", ":")) + "\n", 0),
    )

    def follow(self, row: typing.Any) -> tuple[str, str, int | None]:
        """(what was seen before the request that waits, what came behind it, exit status)"""
        api, process = self.begin(row[0], row[1], row[2] + 1)
        assert process.stdout
        self.assertTrue(api.is_asked.wait(PATIENCE_S), row[0])
        fd = process.stdout.fileno()
        seen = os.read(fd, 1 << 16).decode() if select.select([fd], [], [], 0)[0] else ""
        api.may_answer.set()
        rest, _ = process.communicate(timeout=PATIENCE_S)
        api.shutdown()
        api.server_close()
        seen, rest = (re.sub(r"\(\d+ s\)", "(N s)", text) for text in (seen, rest))
        return seen, rest, process.returncode

    def test_what_was_shown_is_seen_before_more_is_asked(self) -> None:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for row, found in zip(self.SHOWN, pool.map(self.follow, self.SHOWN)):
                with self.subTest(" ".join(row[0])):
                    self.assertEqual(found, row[3:])

    def test_of_answers_that_were_shown_nothing_is_kept(self) -> None:
        large: dict[str, typing.Any] = {"padding": [1] * N_NUMBERS}
        drill = {"/v1/drills": [(201, DRILL)]}
        operation = {**OPERATION, "state": "moving", **large}
        # (command, answers of more than one path, the path that is asked again, an answer, the last one)
        rows: tuple[tuple[tuple[str, ...], dict[str, Answers], str, typing.Any, tuple[int, typing.Any]], ...] = (
            (("events", "--follow"), {}, "/v1/events", {"items": [], **large}, LEFT),
            (("status", "--watch"), {}, "/v1/status", {"state": "well", **large}, LEFT),
            ((*BACKUP, "--wait"), drill, "/v1/drills/d1", {**DRILL, **large}, (200, OVER)),
            (("operation", "k3", "--watch"), {}, "/v1/operations/k3", operation, (200, {**OPERATION, "state": "done", "seq": 9})),
        )

        def resident_kib(n: int, row: typing.Any) -> int:
            """The memory of the command while it waits for the last answer, @n ones behind."""
            command, given, path, answer, last = row
            api, process = self.begin(command, {**given, path: [(200, {**answer, "seq": k}) for k in range(n)] + [last]}, len(given) + n + 1)
            self.assertTrue(api.is_asked.wait(PATIENCE_S), command)
            found = re.search(r"VmRSS:\s*(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text())
            api.may_answer.set()
            process.communicate(timeout=PATIENCE_S)
            api.shutdown()
            api.server_close()
            self.assertEqual(process.returncode, 7 if last == LEFT else 0, command)
            assert found
            return int(found[1])

        with concurrent.futures.ThreadPoolExecutor(2 * len(rows)) as pool:
            # an operation's follower has two records at once: the first ones are no measure
            sizes = [[pool.submit(resident_kib, n, row) for n in ((3, 4) if row[0][0] == "operation" else (1, 2))] for row in rows]
            for row, (fewer, more) in zip(rows, sizes):
                with self.subTest(" ".join(row[0])):
                    self.assertLess(more.result() - fewer.result(), 4000)

    def test_a_full_batch_of_events_is_not_the_last(self) -> None:
        def batch(first: int, n: int) -> Row:
            return {"items": [{**EVENTS[0]["items"][0], "id": first + k} for k in range(n)]}

        for answers, asked in (([batch(8, 999)], ["since=7"]), ([batch(8, 1000), batch(1008, 1)], ["since=7", "since=1007&wait_ms=0"]),
                               ([batch(8, 1000), batch(0, 0)], ["since=7", "since=1007&wait_ms=0"]), ([batch(0, 0)], ["since=7"])):
            api, process = self.begin(("events", "--since", "7"), {"/v1/events": [(200, a) for a in answers]})
            out, errors = process.communicate(timeout=PATIENCE_S)
            api.shutdown()
            api.server_close()
            self.assertEqual((out.count("\n"), errors, process.returncode), (sum(len(a["items"]) for a in answers), "", 0))
            self.assertEqual([request[1] for request in api.requests], [f"/v1/events?limit=1000&{a}" for a in asked])

    def test_a_drill_is_followed_while_management_is_away(self) -> None:
        away: Answers = [(0, None), (503, {"code": "busy", "title": "Busy"})]
        none = "no clients came: 0 new flows went to the backup, 0 of them went on, 0 stayed silent; 0 SYNs came again, 0 stayed with own backends\n"
        rows: tuple[tuple[Answers, str, int], ...] = (
            ([*away, (200, OVER)], PROVED, 0),
            ([away[0], (200, {**OVER, "verdict": "no_clients", "flows": {}})], none, 10))

        def follow(row: typing.Any) -> typing.Any:
            api, process = self.begin((*BACKUP, "--wait"), {"/v1/drills": [(201, DRILL)], "/v1/drills/d1": row[0]})
            out, errors = process.communicate(timeout=PATIENCE_S)
            api.shutdown()
            api.server_close()
            return out.split("end it sooner: \n")[1], errors, process.returncode

        with concurrent.futures.ThreadPoolExecutor() as pool:
            for (_, line, status), found in zip(rows, pool.map(follow, rows)):
                shown = f"d1  drill of the backups of site ams, clients 198.51.100.0/24: over, until U by ?: \n  {line}  \n"
                self.assertEqual(found, (shown, f"weir: {line}", status))

    def test_who_may_use_management_no_longer_is_told_at_once(self) -> None:
        """Its socket is given to another user, or closed to this one, between two answers."""
        begun = {"/v1/drills": [(201, DRILL)], "/v1/drills/d1": [(200, DRILL)]}
        moving: Answers = [(200, {**OPERATION, "state": "moving", "seq": 1})]
        rows: tuple[tuple[tuple[str, ...], dict[str, Answers]], ...] = (
            ((*BACKUP, "--wait"), begun),
            (("operation", "k3", "--watch"), {"/v1/operations/k3": moving}),
            (("events", "--follow"), {"/v1/events": [(200, {"items": []})]}),
            (("status", "--watch"), {"/v1/status": [(200, {"state": "well"})]}))

        def follow(row: typing.Any) -> tuple[str, int | None]:
            api, process = self.begin(row[0], row[1], 2)
            self.assertTrue(api.is_asked.wait(PATIENCE_S), row[0])
            path = str(api.server_address)
            if os.geteuid():
                os.chmod(path, 0)
            else:
                os.chown(path, 54321, 54321)
            api.may_answer.set()
            try:
                _, errors = process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                _, errors = process.communicate()
            api.shutdown()
            api.server_close()
            return errors.replace(path, "SOCKET").splitlines()[-1], process.returncode

        said = ("weir: this user may not use SOCKET; members of group weir may" if os.geteuid() else
                "weir: SOCKET is not trusted, because it belongs neither to root nor to weir-mgmt: find out who made it (ls -l), remove it, "
                "restart weir-mgmt")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for row, found in zip(rows, pool.map(follow, rows)):
                with self.subTest(" ".join(row[0])):
                    self.assertEqual(found, (said, 7))

    def test_a_long_search_shows_how_far_it_is_and_ends_at_a_signal_with_what_is_known(self) -> None:
        row = {"path": "sites/ams/name", "kind": "changed", "from": "x", "to": "y", "certain": True, "version": 90, "author": "ada",
               "principal": "user:ada", "reason": "r", "node": "n", "time": "T"}
        page: Row = {"path": "sites/ams", "version": 99, "items": [row], "open": ["sites/ams"], "before": 35, "unread": [], "more": 0, "next": "99-35-35-0"}
        older: Row = {**page, "items": [], "before": 7, "next": "99-7-7-0"}
        ours, its = pty.openpty()
        api, process = self.begin(("blame", "sites/ams"), {"/v1/blame": [(200, page), (200, older)]}, 3, its)
        os.close(its)
        self.assertTrue(api.is_asked.wait(PATIENCE_S))
        shown = ""
        while "before 7" not in shown and select.select([ours], [], [], PATIENCE_S)[0]:  # a terminal gives it in parts
            shown += os.read(ours, 1 << 16).decode()
        for text in ("versions before 35; 1 not found yet (Ctrl-C ends it)", "versions before 7; 1 not found yet"):
            self.assertIn(text, shown)
        process.send_signal(signal.SIGINT)
        api.may_answer.set()
        said, _ = process.communicate(timeout=PATIENCE_S)
        api.shutdown()
        api.server_close()
        os.close(ours)
        self.assertEqual((said, process.returncode),
                         ("version 90  T  ada (user:ada) on n: r\n   ~ sites/ams/name  x -> y\n"
                          "unchanged back to version 7, and not looked for before that:\n     sites/ams\n", -signal.SIGINT))


if __name__ == "__main__":
    counted.main()
