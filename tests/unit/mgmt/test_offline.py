#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A command taken with weir-mgmt dead says what the API would have said.

Usage: test_offline.py WEIR WEIR_MGMT
"""
import json
import os
import subprocess
import sys
import unittest

from api_node import Node

MGMT = sys.argv.pop()
WEIR = sys.argv.pop()
FROM, UNTIL = "2035-11-20T12:00:00.000Z", "2036-11-20T12:00:00.000Z"


def lasting(answer):
    """An answer without what differs between two runs of one command: who made it when, and what only weir-mgmt sees."""
    override = {k: v for k, v in answer["override"].items() if k not in ("id", "created")}
    notes = [n for n in answer["notes"] if "offline" not in n]
    return {**{k: v for k, v in answer.items() if k not in ("document", "complete")}, "override": override,
            "notes": notes, "nodes": [{**n, "state": "", "processes": []} for n in answer.get("nodes", [])]}


class Offline(unittest.TestCase):
    def setUp(self):
        self.node = Node(MGMT).start()

    def tearDown(self):
        self.node.close()

    def weir(self, *arguments):
        n = self.node
        done = subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               "--json", *arguments], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return json.loads(done.stdout)

    def test_online_and_offline_give_the_same_json(self):
        common = ("--until", UNTIL, "--author", "jäger", "--reason", "INC-7 ü")
        commands = (
            ("drain", "site", "ams", "--from", FROM, "--over", "5m", *common),
            ("drain", "backend", "web-ams/b1", "--over", "90s", *common),
            ("disable", "backend", "web-ams/b2", *common),
            ("force-up", "backend", "web-fra/b1", *common),
            ("disable", "site", "fra", "--override", "room", *common))
        drain = commands[0]
        online = [self.weir(*c, "--dry-run") for c in commands]
        self.node.stop()
        offline = [self.weir(*c, "--dry-run", "--offline") for c in commands]
        taken_offline = self.weir(*drain, "--offline")
        self.weir("undrain", "site", "ams", "--now", "--offline")
        self.node.start()
        for command, one, other in zip(commands + (drain,), online + [self.weir(*drain)], offline + [taken_offline]):
            with self.subTest(command):
                self.assertEqual(self.same(one), self.same(other))

    def same(self, answer):
        """Of a command that begins at once, the instants are its own too."""
        answer = lasting(answer)
        override = answer["override"]
        if override["from"] != FROM:
            for name in ("from", "full"):
                self.assertRegex(override.pop(name), r"^20\d\d-")
        override.pop("etag"), override.pop("generation")
        return answer

    def test_what_was_taken_offline_is_told_alike_when_management_is_back(self):
        self.node.stop()
        told = self.weir("drain", "backend", "web-ams/b1", "--until", UNTIL, "--reason", "x", "--offline")["override"]
        self.node.start()
        self.assertEqual(self.node.ask("GET", f"/v1/overrides/{told['id']}").json, told)
        self.assertTrue(os.path.exists(os.path.join(self.node.state, "store.db")))

    def test_a_guard_that_is_none_is_told_offline_too(self):
        self.node.stop()
        n = self.node
        done = subprocess.run([WEIR, "--conf-dir", n.conf, "--state-dir", n.state, "--run-dir", n.run, "--node", n.name,
                               "drain", "site", "ams", "--until", "+1h", "--reason", "x", "--override", "rom", "--offline"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("last-site, last-backend, room", done.stderr)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(bool(failed))
