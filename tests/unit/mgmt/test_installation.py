#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/installation.md as it is written: its commands that need no host of their own, its configuration and BIRD's.

Usage: test_installation.py WEIR SOURCE_ROOT
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing
import unittest

import counted

ROOT = sys.argv.pop()
WEIR = sys.argv.pop()
NODES = ("ams-1", "ams-2", "fra-1")
with open(os.path.join(ROOT, "docs", "installation.md")) as page:
    TEXT = page.read()


def block(kind: str) -> typing.Any:
    """The one block of a kind."""
    found, = re.findall(rf"^```{kind}\n(.*?)^```", TEXT, re.M | re.S)
    return found


class Installation(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="weir-installation.")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def run_block(self) -> str:
        done = subprocess.run(["bash", "-euc", block("sh")], cwd=self.dir, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_commands_make_secrets_for_each_node(self) -> None:
        self.assertEqual(self.run_block().count(": OK"), len(NODES))
        for node in NODES:
            self.assertEqual(sorted(os.listdir(os.path.join(self.dir, node))), ["hash.key", "peer.token", "tls.ca", "tls.crt", "tls.key"])
            self.assertEqual(os.stat(os.path.join(self.dir, node, "tls.key")).st_mode & 0o77, 0)

    def test_the_configuration_has_no_errors_on_any_node(self) -> None:
        self.run_block()
        for node in NODES:
            conf = os.path.join(self.dir, node)
            for name, kind in (("weir.conf", "weir"), ("shop.example.zone", "zone")):
                with open(os.path.join(conf, name), "w") as f:
                    f.write(block(kind))
            done = subprocess.run([WEIR, "--conf-dir", conf, "--node", node, "config", "check"], capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertIn("2 sites, 3 nodes", done.stdout)

    def test_the_certificates_are_for_the_addresses_of_the_configuration(self) -> None:
        self.run_block()
        for node in NODES:
            address, = re.findall(rf'name = "{node}".*?api = "https://([0-9.]+):', block("weir"), re.S)
            shown = subprocess.run(["openssl", "x509", "-in", os.path.join(self.dir, node, "tls.crt"), "-noout", "-ext", "subjectAltName"],
                                   capture_output=True, text=True, check=True).stdout
            self.assertIn(f"IP Address:{address}", shown)

    @unittest.skipUnless(shutil.which("bird"), "no bird here")
    def test_bird_takes_its_configuration(self) -> None:
        path = os.path.join(self.dir, "bird.conf")
        with open(path, "w") as f:
            f.write(block("bird"))
        done = subprocess.run(["bird", "-p", "-c", path], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_command_of_weir_exists_with_its_options(self) -> None:
        found = re.findall(r"^    (weir [a-z].*?)(?: +#.*| >.*)?$", TEXT, re.M)
        found += re.findall(r"`(weir (?:drain|undrain|token|config|plan|apply) [^`…]*)`", TEXT)
        self.assertGreater(len(found), 12)
        for line in found:
            words = [w for w in line.split()[1:] if re.fullmatch(r"[a-z-]+", w)]
            helped = next((h for h in (self.help(" ".join(words[:n])) for n in (2, 1)) if h), None)
            self.assertIsNotNone(helped, line)
            for option in re.findall(r"--[a-z-]+", line):
                self.assertIn(option, helped + " --json", line)

    @staticmethod
    def help(words: str) -> str | None:
        done = subprocess.run([WEIR, "help", *words.split()], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    counted.main()
