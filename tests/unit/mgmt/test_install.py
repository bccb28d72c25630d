#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What `meson install` leaves: the tree is whole, and Weir works from it.

Usage: test_install.py MESON BUILD_DIR SOURCE_ROOT
"""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing
import unittest

import counted

ROOT = sys.argv.pop()
BUILD = sys.argv.pop()
MESON = sys.argv.pop()
PROCESSES = ("weir-dataplane", "weir-health", "weir-dns", "weir-mgmt")
NOBODY = 65534
SBIN = "usr/local/sbin"
WAIT_S = 60
CONFIG = """
schema = 1; cluster = { name = "c"; hash_key_file = "hash.key"; hash_key_id = "k"; };
sites = ( { name = "s"; } );
nodes = ( { name = "n1"; site = "s"; ports = ( { interface = "lo"; } ); tunnel_source = [ "10.0.0.0/24" ]; } );
"""


def as_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def programs_below(path: str) -> set[str]:
    """The programs of running processes whose file lies below `path`."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if exe.startswith(path + "/"):
            found.add(os.path.basename(exe))
    return found


class Install(unittest.TestCase):
    top: typing.Any
    tree: typing.Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.top = tempfile.mkdtemp(prefix="weir-install-")
        os.chmod(cls.top, 0o755)
        cls.tree = os.path.join(cls.top, "tree")
        subprocess.run([MESON, "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", cls.tree], check=True,
                       stdout=subprocess.DEVNULL, timeout=300)

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.top)

    def at(self, *path: str) -> str:
        return os.path.join(self.tree, "usr/local", *path)

    def read(self, *path: str) -> str:
        with open(self.at(*path)) as f:
            return f.read()

    def weir(self, *arguments: str, program: str = "weir") -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.at("sbin", program), *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False)

    def test_everything_is_in_its_place(self) -> None:
        for path in (*(f"sbin/{p}" for p in ("weir", "weir-agent", "weir-register", "weir-sync", *PROCESSES)), "lib/systemd/system/weir.service",
                     "lib/systemd/system/weir-agent@.service", "lib/systemd/system/weir-register@.service", "lib/sysusers.d/weir.conf", "lib/tmpfiles.d/weir.conf",
                     "lib/sysctl.d/50-weir.conf", "share/doc/weir/README.md", "share/doc/weir/examples/weir.conf",
                     "share/doc/weir-agent/examples/eth0.conf", "share/doc/weir-members/examples/web.conf"):
            self.assertTrue(os.path.isfile(self.at(path)), path)
        documents = {f for f in os.listdir(os.path.join(ROOT, "docs")) if f.endswith(".md")}
        self.assertEqual(set(os.listdir(self.at("share/doc/weir/docs"))), documents, "all documents")

    def test_links_of_the_documents_lead_somewhere(self) -> None:
        for folder, _, names in os.walk(self.at("share/doc/weir")):
            for name in (n for n in names if n.endswith(".md")):
                text = self.read(folder, name)
                for target in re.findall(r"\]\(([^)#:]+\.md)(?:#[^)]*)?\)", text):
                    self.assertTrue(os.path.exists(os.path.join(folder, target)), f"{name}: {target}")

    def test_the_unit_starts_the_installed_program(self) -> None:
        unit = self.read("lib/systemd/system/weir.service")
        self.assertEqual(re.findall(r"^ExecStart=(\S+)", unit, re.M), ["/usr/local/sbin/weir"])

    def test_each_program_tells_its_release(self) -> None:
        for program in ("weir", "weir-agent", "weir-register", "weir-sync"):
            self.assertRegex(self.weir("--version", program=program).stdout, rf"^{program} \d+\.\d+\.\d+\n$")

    def test_each_program_has_a_manual_page(self) -> None:
        for page in (*(f"man8/{p}.8" for p in ("weir", "weir-agent", "weir-register", "weir-sync", *PROCESSES)), "man5/weir.conf.5"):
            text = self.read("share/man", page)
            self.assertTrue(text.startswith(".TH "), page)
            self.assertNotIn("None", text)
            for number, line in enumerate(text.splitlines(), 1):
                self.assertRegex(line, r"^(\.(TH|SH|SS|TP|IP|PP|B|BR|I|br|nf|fi)\b|\\&|[^.'])|^$", f"{page}:{number}")

    def test_the_manual_page_has_every_subcommand_and_option(self) -> None:
        page = self.read("share/man/man8/weir.8").replace("\\-", "-")
        for command in json.loads(self.weir("--json", "help").stdout)["commands"]:
            heading = " ".join(filter(None, (".SS weir", command["words"], command["arguments"])))
            section = page.partition(f"{heading}\n")[2].partition(".SS ")[0]
            self.assertTrue(section, command["words"])
            for option in command["options"]:
                self.assertIn(f".B {option['name']}", section, command["words"])

    def test_the_manual_page_has_every_setting(self) -> None:
        page = self.read("share/man/man5/weir.conf.5").replace("\\-", "-")
        rows = [r for r in json.loads(self.weir("config", "reference", "--json").stdout) if not r["effective"]]
        self.assertGreater(len(rows), 90)
        for row in rows:
            self.assertIn(f".B {row['path']}\n", page)

    def complete(self, *words: str, program: str = "weir") -> list[typing.Any]:
        script = f"source {self.at('share/bash-completion/completions', program)}; COMP_WORDS=(\"$@\"); " \
            f"COMP_CWORD=$(($# - 1)); _{program.replace('-', '_')}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-euc", script, "bash", program, *words], capture_output=True, text=True, check=False,
                              timeout=WAIT_S)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return sorted(done.stdout.split())

    def test_completion_knows_the_table(self) -> None:
        for words, offered in (
            (("dra",), ["drain"]),
            (("config", ""), ["check", "reference", "show"]),
            (("--conf-dir", "/etc/weir", "config", "sh"), ["show"]),
            (("drain", ""), ["backend", "node", "site"]),
            (("drain", "site", "ams", "--u"), ["--until"]),
            (("drain", "--reason", "INC 7", "s"), ["site"]),
            (("clock", ""), ["accept"]),
            (("clock", "accept", "--re"), ["--reason"]),
            (("help", "dns", ""), ["explain"]),
            (("agent", "attach", "lo", "--mode", "n"), ["native"]),
            (("apply", "--reason", ""), []),
            (("nonsense", ""), []),
        ):
            self.assertEqual(self.complete(*words), offered, words)
        self.assertEqual(self.complete("attach", "l", program="weir-agent"), ["lo"])
        self.assertIn("--owners", self.complete("attach", "lo", "--", program="weir-agent"))

    def test_the_example_has_no_errors(self) -> None:
        conf = os.path.join(self.top, "example")
        shutil.copytree(self.at("share/doc/weir/examples"), conf)
        with open(os.path.join(conf, "hash.key"), "w") as f:
            f.write("0123456789abcdef0123456789abcdef\n")
        done = self.weir("--conf-dir", conf, "--node", "ams-1", "config", "check")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)

    def test_weir_run_finds_the_processes(self) -> None:
        dirs = {}
        for name in ("conf", "state", "run", "bpf"):
            dirs[name] = os.path.join(self.top, name)
            os.mkdir(dirs[name])
            if os.geteuid() == 0:
                os.chown(dirs[name], NOBODY, NOBODY)
        for name, text in (("weir.conf", CONFIG), ("hash.key", "0123456789abcdef0123456789abcdef\n")):
            with open(os.path.join(dirs["conf"], name), "w") as f:
                f.write(text)
        options = [word for name, path in dirs.items() for word in (f"--{name}-dir", path)]
        log = open(os.path.join(self.top, "run.log"), "w")
        run = subprocess.Popen([self.at("bin/weir"), *options, "--node", "n1", "run"], preexec_fn=as_nobody,
                               stdout=log, stderr=subprocess.STDOUT, cwd="/")
        seen: set[typing.Any] = set()
        until = time.monotonic() + WAIT_S
        while not seen >= {"weir", *PROCESSES} and time.monotonic() < until and run.poll() is None:
            seen |= programs_below(os.path.realpath(self.tree))
            time.sleep(0.005)  # programs that live for a moment only are seen too
        run.send_signal(signal.SIGTERM)
        status = run.wait(WAIT_S)
        log.close()
        with open(log.name) as f:
            self.assertEqual((seen, status), ({"weir", *PROCESSES}, 0), f.read()[-3000:])


if __name__ == "__main__":
    counted.main()
