#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The command line without any process of Weir: help, arguments, exit statuses, config.

Usage: test_cli.py WEIR SOURCE_ROOT
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = sys.argv.pop()
WEIR = sys.argv.pop()

CONFIG = """
schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/24" ]; } );
"""


class Cli(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="weir-cli.")
        with open(os.path.join(self.dir, "hash.key"), "w") as f:
            f.write("0" * 32)

    def tearDown(self):
        shutil.rmtree(self.dir)

    def weir(self, *arguments, env=None):
        return subprocess.run([WEIR, "--conf-dir", self.dir, "--state-dir", self.dir, "--run-dir", self.dir,
                               "--bpf-dir", self.dir, *arguments], capture_output=True, text=True, timeout=20,
                              env=env, check=False)

    def write(self, text, name="weir.conf"):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_wrong_arguments_are_told_and_end_with_1(self):
        for arguments, told in (
                ((), ""),
                (("frobnicate",), 'there is no command "frobnicate"'),
                (("config", "chekc"), 'did you mean "config check"?'),
                (("config",), "there is no command"),
                (("config", "check", "a", "b"), '"b" is one argument too many'),
                (("config", "show", "--efective"), 'did you mean "--effective"?'),
                (("config", "show", "--effective=1"), "takes no value"),
                (("config", "show", "--effective", "x"), "takes no file"),
                (("run", "now"), "one argument too many"),
                (("--node",), "a value is missing"),
        ):
            done = self.weir(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 1)
                self.assertIn(told, done.stderr)

    def test_help_names_every_command_and_each_has_its_own(self):
        whole = self.weir("help")
        self.assertEqual(whole.returncode, 0)
        commands = [line.strip().split("  ")[0] for line in whole.stdout.splitlines()[2:]
                    if line.startswith("  ") and not line.startswith("  -") and not line.startswith("  The ")]
        self.assertGreater(len(commands), 3)
        for command in ("run", "config check"):
            one = self.weir(*command.split(), "--help")
            self.assertEqual(one.returncode, 0)
            self.assertTrue(one.stdout.startswith(f"weir {command}"))
            self.assertEqual(one.stdout, self.weir("help", *command.split()).stdout)

    def test_config_check_tells_all_mistakes_and_ends_with_1(self):
        path = self.write(CONFIG.replace('site = "s"', 'site = "t"').replace("schema = 1", "schema = 7"))
        done = self.weir("config", "check", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{path}:2: schema: found 7", done.stderr)
        self.assertIn(f'{path}:4: nodes[0].site: there is no "t" in sites (did you mean "s"?)', done.stderr)
        self.assertEqual(done.stdout, "")
        found = json.loads(self.weir("config", "check", path, "--json").stdout)
        self.assertFalse(found["ok"])
        self.assertEqual([m["line"] for m in found["mistakes"]], [2, 4])

    def test_config_check_of_what_is_not_there(self):
        for path in ("none", ".", "/dev/null"):
            done = self.weir("config", "check", path)
            with self.subTest(path):
                self.assertEqual(done.returncode, 1)
                self.assertIn(path, done.stderr)

    def test_a_good_configuration_is_summed_up(self):
        self.write(CONFIG)
        done = self.weir("config", "check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no mistakes; 1 sites, 1 nodes", done.stdout)
        self.assertEqual(json.loads(self.weir("--json", "config", "check").stdout)["n_mistakes"], 0)

    def test_what_config_show_prints_is_a_configuration(self):
        self.write(CONFIG)
        shown = self.weir("config", "show")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("exceptions = 65536", shown.stdout)
        again = self.write(shown.stdout, "again.conf")
        self.assertEqual(self.weir("config", "show", again).stdout, shown.stdout)

    def test_the_reference_in_the_documentation_is_the_schema(self):
        with open(os.path.join(ROOT, "docs", "configuration.md")) as f:
            self.assertEqual(f.read(), self.weir("config", "reference").stdout,
                             "stale: run `weir config reference > docs/configuration.md`")
        rows = json.loads(self.weir("config", "reference", "--json").stdout)
        self.assertIn("pools[].backends[].address", [row["path"] for row in rows])


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(bool(failed))
