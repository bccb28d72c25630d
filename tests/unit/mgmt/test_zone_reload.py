#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""weir zone reload shows its change and refuses old files as weir apply does.

Usage: test_zone_reload.py WEIR WEIR_MGMT
"""
from __future__ import annotations

import os
import subprocess
import sys
import typing
import unittest

import counted
from api_node import ZONE, Node, config, free_port

MGMT = os.path.abspath(sys.argv.pop())
WEIR = os.path.abspath(sys.argv.pop())
THREE = ZONE + "x A 192.0.2.1\ny A 192.0.2.2\nz A 192.0.2.3\n"
FILE = "shop.example.zone"


class ZoneReload(unittest.TestCase):
    def setUp(self) -> None:
        self.node = Node(MGMT).start()

    def tearDown(self) -> None:
        self.node.close()

    def reload(self, *arguments: str, user: str = "ada") -> typing.Any:
        n = self.node
        return subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name, "zone", "reload",
                               *arguments], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "SUDO_USER": user})

    def head(self) -> typing.Any:
        return self.node.ask("GET", "/v1/versions?limit=1").json["items"][0]

    def start_with_three(self) -> None:
        answer = self.node.apply(self.node.files() | {FILE: THREE}, author="ada", confirm_within="none")
        self.assertEqual((answer.status, self.head()["number"]), (201, 2), answer.json)

    def test_a_risky_reload_says_until_when_to_confirm_it(self) -> None:
        self.start_with_three()
        self.node.write(FILE, ZONE + "x A 192.0.2.1\n")
        done = self.reload("--reason", "y and z are gone")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(" ! ", done.stdout)
        self.assertIn("\nROLLED BACK at ", done.stdout)
        self.assertIn("weir confirm 3\n", done.stdout)
        self.assertEqual((self.head()["author"], self.head()["state"]), ("ada", "unconfirmed"))
        self.node.write(FILE, ZONE + "v A 192.0.2.9\n")
        refused = self.reload()
        self.assertEqual(refused.returncode, 4)
        self.assertIn("--confirm-pending or --join-pending", refused.stderr)
        joined = self.reload("--join-pending")
        self.assertEqual(joined.returncode, 0, joined.stderr)
        self.assertIn("weir confirm 4\n", joined.stdout)

    def test_a_reload_of_nothing_new_is_not_refused_for_the_version_in_force(self) -> None:
        os.unlink(os.path.join(self.node.conf, "tls.crt"))
        text = config(ams_api=f"https://127.0.0.1:{free_port()}")
        applied = self.node.apply({"weir.conf": text, FILE: ZONE}, author="ada", confirm_within="none")
        self.assertEqual([n["state"] for n in applied.json["nodes"]], ["refused"], applied.json)
        done = self.reload()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "no zone file changed; weir-dns reloads them anyway\n", ""))

    def test_what_others_changed_since_is_not_taken_back_unseen(self) -> None:
        self.start_with_three()
        files = self.node.files() | {FILE: THREE + "w A 192.0.2.4\n"}
        self.assertEqual(self.node.apply(files, author="anna").status, 201)
        self.node.write(FILE, THREE)
        refused = self.reload()
        self.assertEqual(refused.returncode, 4, refused.stdout + refused.stderr)
        self.assertIn("by anna", refused.stderr)
        self.assertIn("--replace", refused.stderr)
        self.assertEqual(self.head()["number"], 3)
        self.assertEqual(self.reload("--dry-run").returncode, 4)
        answer = self.node.ask("POST", "/v1/zones/reload", {"reason": "x"})
        self.assertEqual((answer.status, answer.code), (412, "old-file"))
        answer = self.node.ask("POST", "/v1/zones/reload?dry_run=true", {"reason": "x", "base": "3"})
        self.assertEqual(answer.status, 200)  # it was made from the version in force: a person's own will
        replaced = self.reload("--replace")
        self.assertEqual((replaced.returncode, self.head()["number"]), (0, 4), replaced.stderr)


if __name__ == "__main__":
    counted.main()
