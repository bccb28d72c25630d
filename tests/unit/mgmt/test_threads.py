#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""pthread_create() that fails: a process says why it does not start, or goes on without; none crashes.

Usage: test_threads.py NOTHREAD_LIBRARY PROGRAM...
"""
from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import typing
import unittest

import counted
from api_node import PRELOAD_FIRST, Node

NOTHREAD, *PROGRAMS = sys.argv[1:]
del sys.argv[1:]
MGMT = next(p for p in PROGRAMS if p.endswith("weir-mgmt"))
N_MAX = 12
# So many threads a process cannot start without; and so many it makes in any case, some of them later.
AT_START = {"weir-mgmt": 8, "weir-dns": 0, "weir-health": 0}
IN_ANY_CASE = {"weir-mgmt": 9, "weir-dns": 2, "weir-health": 4}
AFTER_S = 1.5  # it must outlive a failure, and what it does next
NONE_S = 3.0  # when no such thread need be made
MADE_S = 60.0


class Threads(unittest.TestCase):
    def await_failure(self, p: subprocess.Popen[str], node: Node, mark: str, limit_s: float) -> bool:
        """Until the process ends, or a while after a thread was refused to it. @return whether one was"""
        end = time.monotonic() + limit_s
        seen = False
        while p.poll() is None and time.monotonic() < end:
            if os.path.exists(mark) and not seen:
                seen = True
                end = time.monotonic() + AFTER_S
            if typing.cast(list[str], p.args)[0] == MGMT and not seen:  # the first request makes a thread
                with contextlib.suppress(OSError, http.client.HTTPException):
                    node.ask("GET", "/healthz")
            time.sleep(0.02)  # the pace of the look
        return os.path.exists(mark)

    def run_without(self, program: str, n: int) -> tuple[typing.Any, str, bool]:
        """@return the exit status, or None of one that ran until SIGTERM ended it well, its log, whether a thread was refused"""
        node = Node(MGMT)
        try:
            if program != MGMT:
                node.start()  # makes the document
                node.stop()
            command = [program, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir", node.run,
                       "--bpf-dir", node.dir.name, "--node", node.name]
            mark = os.path.join(node.dir.name, "refused")
            env = {**os.environ, "LD_PRELOAD": NOTHREAD, "NOTHREAD": str(n), "NOTHREAD_MARK": mark, **PRELOAD_FIRST}
            p = subprocess.Popen(command, env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            refused = self.await_failure(p, node, mark, MADE_S if n <= IN_ANY_CASE[os.path.basename(program)] else NONE_S)
            runs = p.poll() is None
            if runs:
                p.send_signal(signal.SIGTERM)
            try:
                log, _ = p.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                p.kill()
                log, _ = p.communicate()
                return "did not end", log, refused
            return (None if runs and p.returncode == 0 else p.returncode), log, refused
        finally:
            node.dir.cleanup()

    def test_each_thread_that_cannot_be_made(self) -> None:
        for program in PROGRAMS:
            name = os.path.basename(program)
            for n in range(1, N_MAX + 1):
                with self.subTest(program=name, n=n):
                    code, log, refused = self.run_without(program, n)
                    self.assertEqual(code, 1 if n <= AT_START[name] else None, log)
                    if code == 1:
                        self.assertIn("start-failed", log)
                    if n <= IN_ANY_CASE[name]:
                        self.assertTrue(refused, log)


if __name__ == "__main__":
    counted.main()
