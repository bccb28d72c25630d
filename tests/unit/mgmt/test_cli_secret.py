#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line of somebody who may not read the cluster's hash key.

Usage: test_cli_secret.py WEIR SOURCE_ROOT
"""
from __future__ import annotations

import os
import shutil
import subprocess
import typing
import unittest
import unittest.suite

import counted
import test_cli


@unittest.skipIf(os.geteuid() != 0, "as root: it becomes another user")
class Secret(test_cli.Cli):
    """One node's directories, whose hash key is root's alone. Inherits no tests: see load_tests()."""

    def setUp(self) -> None:
        super().setUp()
        key = os.path.join(self.dir, "hash.key")
        os.chmod(key, 0o600)
        self.write(test_cli.CONFIG)
        self.write('effective = { version = "1"; digest = ""; document = "1"; written = "never"; };' +
                   test_cli.CONFIG.replace("hash.key", key), "effective.conf")
        os.chmod(self.dir, 0o755)
        self.program = shutil.copy(test_cli.WEIR, self.dir)  # where it was built others may have no way

    def weir_as_stranger(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.program, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir,
                               "--bpf-dir", self.dir, "--node", "n1", *arguments], capture_output=True, text=True,
                              timeout=60, user=65534, group=65534, extra_groups=[], check=False)

    def test_who_needs_the_key_is_denied_with_7_and_the_others_do_not_open_it(self) -> None:
        denied = ((*test_cli.DRAIN, "--offline"), ("run",))
        for arguments, code in (*((a, 7) for a in denied), (("trace", "1.1.1.1:1", "2.2.2.2:2/tcp"), 3), (("status",), 10), (("health",), 0)):
            done = self.weir_as_stranger(*arguments)
            with self.subTest(arguments):
                self.assertEqual((done.returncode, "as root" in done.stderr), (code, code == 7), done.stderr)
                self.assertEqual(bool(done.stdout), code in (0, 10))  # health: a heading

    def test_a_configuration_is_checked_and_shown_but_for_the_key(self) -> None:
        for arguments, warns in ((("config", "check"), True), (("config", "show"), False), (("config", "show", "--effective"), False)):
            done = self.weir_as_stranger(*arguments)
            with self.subTest(arguments):
                self.assertEqual((done.returncode, bool(done.stdout)), (0, True), done.stderr)
                self.assertEqual("hash.key was not checked: this user may not read it" in done.stderr, warns, done.stderr)
        self.write(test_cli.CONFIG.replace('name = "s"; }', 'name = "S"; }'))
        self.assertEqual(self.weir_as_stranger("config", "check").returncode, 1)
        os.chmod(os.path.join(self.dir, "weir.conf"), 0o600)
        self.assertEqual(self.weir_as_stranger("config", "check").returncode, 7)
        os.chmod(os.path.join(self.dir, "weir.conf"), 0o644)
        self.write(test_cli.CONFIG + '@include "more.conf"\n')
        self.write("", "more.conf")
        self.assertEqual(self.weir_as_stranger("config", "check").returncode, 0)
        os.chmod(os.path.join(self.dir, "more.conf"), 0o600)
        self.assertEqual(self.weir_as_stranger("config", "check").returncode, 7)
        self.write(test_cli.CONFIG + 'dns = { zones = ( { name = "a.test"; file = "a.test.zone"; } ); };\n')
        zone = self.write("$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n", "a.test.zone")
        self.assertEqual(self.weir_as_stranger("config", "check").returncode, 0)
        os.chmod(zone, 0o600)
        self.assertEqual(self.weir_as_stranger("config", "check").returncode, 7)

    def test_without_any_key_no_site_is_named(self) -> None:
        done = self.weir_as_stranger("dns", "explain", "a.b")
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn("placement.key does not exist; weir-mgmt writes it", done.stderr)


def load_tests(loader: typing.Any, _tests: typing.Any, _pattern: typing.Any) -> unittest.suite.TestSuite:
    return unittest.TestSuite(Secret(name) for name in loader.getTestCaseNames(Secret) if name in vars(Secret))


if __name__ == "__main__":
    counted.main()
