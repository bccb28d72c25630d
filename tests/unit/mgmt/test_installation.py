#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""docs/installation.md as it is written: its commands that need no host of their own, its configuration and BIRD's. Lab installation
gives all of its commands.

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
sys.path.append(os.path.join(ROOT, "tests", "lab"))
import installation_page as page  # noqa: E402

NODES = ("ams-1", "ams-2", "fra-1")
TEXT = page.read_page()
BLOCKS = page.blocks(TEXT)
BIRD = os.path.join(ROOT, "packaging", "bird")


def block(part: str) -> str:
    """The one block of this file, or with this text."""
    found, = [b.text for b in BLOCKS if b.where == part] or [b.text for b in BLOCKS if part in b.text]
    return found


class Installation(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="weir-installation.")
        self.addCleanup(folder.cleanup)
        self.dir = folder.name

    def run_block(self) -> str:
        done = subprocess.run(["bash", "-euc", block("openssl rand -hex 16 > hash.key")], cwd=self.dir, capture_output=True, text=True,
                              timeout=60, check=False)
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
            for name in ("weir.conf", "shop.example.zone"):
                with open(os.path.join(conf, name), "w") as f:
                    f.write(block(name))
            done = subprocess.run([WEIR, "--conf-dir", conf, "--node", node, "config", "check"], capture_output=True, text=True,
                                  timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            self.assertIn("2 sites, 3 nodes", done.stdout)

    def test_all_is_replaced_on_another_host(self) -> None:
        """In what each node or backend is given, nothing of ams-1 is left on fra-1. The blocks of commands are whole."""
        fra = page.columns(TEXT, "site")["fra"] | page.columns(TEXT, "node")["fra-1"]
        self.assertEqual(page.columns(TEXT, "node").keys(), set(NODES))
        n = 0
        for b in BLOCKS:
            n += len(page.commands(b.text)) if b.kind == "sh" else 0
            if b.where.startswith("each "):
                self.assertIsNone(re.search(r"\bams\b|10\.1\.|192\.0\.2\.|203\.0\.113", page.replaced(b.text, fra)), b.text)
        self.assertGreater(n, 40)

    def test_the_certificates_are_for_the_addresses_of_the_configuration(self) -> None:
        self.run_block()
        for node in NODES:
            address, = re.findall(rf'name = "{node}".*?api = "https://([0-9.]+):', block("weir.conf"), re.S)
            shown = subprocess.run(["openssl", "x509", "-in", os.path.join(self.dir, node, "tls.crt"), "-noout", "-ext", "subjectAltName"],
                                   capture_output=True, text=True, check=True).stdout
            self.assertIn(f"IP Address:{address}", shown)

    def check_bird(self, name: str, text: str) -> None:
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)
        done = subprocess.run(["bird", "-p", "-c", os.path.join(self.dir, name)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), text)

    @unittest.skipUnless(shutil.which("bird"), "no bird here")
    def test_bird_takes_its_configuration(self) -> None:
        with open(os.path.join(self.dir, "weir-site.conf"), "w") as f:
            f.write(re.search(r"^cat > /etc/bird/weir-site.conf <<END\n(.*\n)END$", TEXT, re.M)[1])
        with open(os.path.join(BIRD, "bird.conf")) as f:
            self.check_bird("bird.conf", f.read())
        with open(os.path.join(BIRD, "router.conf")) as f:
            router = f.read()
        for line in re.findall(r"^sed -i '(.*)' /etc/bird/bird.conf$", TEXT, re.M):
            changed = subprocess.run(["sed", line], input=router, capture_output=True, text=True, check=True).stdout
            self.assertNotEqual(changed, router)
            self.check_bird("router.conf", changed)
        with open(os.path.join(ROOT, "docs", "handbook.md")) as f:
            by_hand, = re.findall(r"^```bird\n(.*?)^```", f.read(), re.M | re.S)
        self.check_bird("by-hand.conf", by_hand)

    def test_each_command_of_weir_exists_with_its_options(self) -> None:
        found = re.findall(r"^(?:    )?(weir [a-z].*?)(?: +#.*| >.*)?$", TEXT, re.M)
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
