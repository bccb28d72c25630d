#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""pthread_create() that fails: a process says why it does not start, or goes on without; none crashes.

Usage: test_threads.py NOTHREAD_LIBRARY PROGRAM...
"""
import os
import signal
import subprocess
import sys
import time
import unittest

from api_node import PRELOAD_FIRST, Node

NOTHREAD, *PROGRAMS = sys.argv[1:]
del sys.argv[1:]
MGMT = next(p for p in PROGRAMS if p.endswith("weir-mgmt"))
N_MAX = 8
RUNS_S = 1.5


class Threads(unittest.TestCase):
    def run_without(self, program, n):
        """@return the exit status, or None of one that ran until SIGTERM ended it well, and its log"""
        node = Node(MGMT)
        try:
            if program != MGMT:
                node.start()  # makes the document
                node.stop()
            command = [program, "--conf-dir", node.conf, "--state-dir", node.state, "--run-dir", node.run,
                       "--bpf-dir", node.dir.name, "--node", node.name]
            env = {**os.environ, "LD_PRELOAD": NOTHREAD, "NOTHREAD": str(n), **PRELOAD_FIRST}
            p = subprocess.Popen(command, env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            end = time.monotonic() + RUNS_S
            while p.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            runs = p.poll() is None
            if runs:
                p.send_signal(signal.SIGTERM)
            try:
                log, _ = p.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                p.kill()
                log, _ = p.communicate()
                return "did not end", log
            return (None if runs and p.returncode == 0 else p.returncode), log
        finally:
            node.dir.cleanup()

    def test_each_thread_that_cannot_be_made(self):
        for program in PROGRAMS:
            failed = 0
            for n in range(1, N_MAX + 1):
                with self.subTest(program=os.path.basename(program), n=n):
                    code, log = self.run_without(program, n)
                    self.assertIn(code, (None, 1), log)
                    failed += code == 1
                    if code == 1:
                        self.assertIn("start-failed", log)
            if program == MGMT:
                self.assertGreater(failed, 3, "its own threads are made at the start")


if __name__ == "__main__":
    unittest.main(verbosity=2)
