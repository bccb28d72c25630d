#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Whole texts of several people: what apply, pull and push overwrite, whom they ask, and what they leave alone. Management is real.

Usage: test_cli_push.py WEIR WEIR_MGMT
"""
from __future__ import annotations

import os
import pathlib
import pty
import subprocess
import sys
import tempfile
import typing
import unittest

import counted
from api_node import Node

MGMT, WEIR = (os.path.abspath(sys.argv.pop()) for _ in range(2))
B2 = 'name = "b2"; address = "10.1.1.12"; weight = %d'


class WithPeople(unittest.TestCase):
    """A node, and a directory of a person."""

    def setUp(self) -> None:
        self.node = Node(MGMT).start()
        self.home = tempfile.TemporaryDirectory(prefix="weir-push-")
        self.dir = pathlib.Path(self.home.name, "conf")

    def tearDown(self) -> None:
        self.node.close()
        self.home.cleanup()

    def line(self, *arguments: str) -> list[str]:
        return [WEIR, "--conf-dir", self.node.conf, "--state-dir", self.node.state, "--run-dir", self.node.run,
                "--node", self.node.name, *arguments]

    def weir(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.line(*arguments), capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, env=dict(os.environ) | (env or {}))

    def at_terminal(self, answer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """With a person at standard input who says @p answer."""
        mine, theirs = pty.openpty()
        try:
            os.write(mine, answer.encode())
            return subprocess.run(self.line(*arguments), capture_output=True, text=True, timeout=60, check=False, stdin=theirs)
        finally:
            os.close(mine)
            os.close(theirs)

    def head(self) -> str:
        return typing.cast(str, self.node.ask("GET", "/v1/versions").json["etag"].strip('"'))

    def weigh(self, weight: int, author: str) -> None:
        """Another person's change, beside ours."""
        files = self.node.ask("GET", "/v1/config").json["files"]
        files["weir.conf"] = files["weir.conf"].replace(B2 % self.weight(), B2 % weight)
        self.assertEqual(self.node.apply(files, author=author, reason="CHG-7").status, 201)

    def weight(self) -> int:
        text = self.node.ask("GET", "/v1/config").json["files"]["weir.conf"]
        return int(text.split(B2.split("%", maxsplit=1)[0])[1].split(";")[0])


TAKES_BACK = "pools/web-ams/backends/b2/weight is 60, the file has 100: version 2 by ada on ams-1 at "


class Apply(WithPeople):
    def test_a_person_who_has_read_whose_changes_go_may_undo_them(self) -> None:
        path = os.path.join(self.node.conf, "weir.conf")
        self.weigh(60, "ada")
        for base in ("1", "v1-0123456789abcdef"):  # of a version; of one that is not here
            refused = self.weir("apply", path, "--base", base, "--reason", "mine")
            self.assertEqual((refused.returncode, self.weight()), (4, 60), refused.stderr)
            self.assertIn(TAKES_BACK, refused.stderr)
            self.assertIn(": CHG-7\n", refused.stderr)
            self.assertIn("--replace", refused.stderr)
            self.assertNotIn("[y/N]", refused.stderr)
            for answer in ("n\n", "\n", "\x04"):
                done = self.at_terminal(answer, "apply", path, "--base", base, "--reason", "mine")
                self.assertEqual((done.returncode, self.weight()), (4, 60), done.stderr)
                self.assertIn(TAKES_BACK, done.stderr)
                self.assertIn("undo this all the same? [y/N] ", done.stderr)
            for options in (("--json",), ("--dry-run",)):  # nobody reads it; nothing would be made
                done = self.at_terminal("y\n", "apply", path, "--base", base, "--reason", "mine", *options)
                self.assertEqual((done.returncode, self.weight()), (4, 60), done.stderr)
                self.assertNotIn("[y/N]", done.stderr)
        done = self.at_terminal("y\n", "apply", path, "--base", base, "--reason", "mine")
        self.assertEqual((done.returncode, self.weight()), (0, 100), done.stderr)
        self.assertIn("version 3, in force at", done.stdout)


if __name__ == "__main__":
    counted.main()
