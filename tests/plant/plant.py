#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Plant small bugs one by one and see which of them unit and corpus suites catch. Not part of ./run test: an hour.

usage: plant.py [-w DIR] [-k] [-1] [-q] [-m MODULE] [-o FROM:TO] [-s SECONDS] LIST ...

A list has a bug an entry: a line `@ FILE`, the text that stands there once behind `- `, and what takes its place behind
`+ ` (more lines begin with two spaces). Each is planted in a copy of the tree at DIR (default /tmp/weir-plant; kept, so
that the next run builds little). A bug that does not compile is reported, and counts for nothing. Only suites run
whose program, or a script whose programs, the bug changed, and of the long ones those that are about the file (LONG):
those of the file's own folder first, the short ones before the long ones, all the others only if these see nothing.
First all suites run without a bug: one that fails then sees nothing, and is left out (-q: take it that none fails).
-k leaves the copy as it is: an older state of the tests; -1 runs no other suites than the folder's own, which is quick;
-s leaves out suites that take longer than SECONDS.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from built_tests import list_tests  # noqa: E402

SUITES = ("unit", "waits", "fuzz")  # and what of kind lab is a script of tests/unit
# What the long suites are about: beginnings of paths. For other files they are not run.
LONG = {
    "fail api": ("base/memory",), "fail cli": ("base/memory",), "fail load": ("base/memory",),
    "mgmt api": ("mgmt/status", "mgmt/controller", "mgmt/sync", "mgmt/peers", "mgmt/observe", "mgmt/core", "mgmt/api", "mgmt/store", "mgmt/files", "mgmt/overrides", "mgmt/rules", "mgmt/json", "mgmt/judge"),
    "mgmt client": ("mgmt/http", "mgmt/api/handle_observed", "mgmt/cli/api", "mgmt/cli/upload"),
    "mgmt clock": ("mgmt/peers/timekeep", "mgmt/store/pending", "base/wall", "base/clock", "base/believed", "dns/ramps"),
    "mgmt http": ("mgmt/http",),
    "mgmt install": (), "mgmt installation": ("mgmt/cli", "mgmt/status", "mgmt/controller", "mgmt/sync", "mgmt/peers", "mgmt/observe", "mgmt/core", "mgmt/api"),
    "mgmt logins": ("mgmt/core/auth", "mgmt/core/logins", "mgmt/core/certificate", "mgmt/http", "mgmt/api/listen",
                    "mgmt/store/tokens", "mgmt/cli/cmd_token"),
    "mgmt many zones": ("mgmt/files", "dns/zone"),
    "mgmt moved": ("mgmt/store", "base/owner", "base/lock"),
    "mgmt peers": ("mgmt/peers/peer", "mgmt/sync/shared_files", "mgmt/http/client", "mgmt/core/to_json", "mgmt/store/records",
                   "mgmt/api/handle_peer", "mgmt/api/handle_files", "mgmt/peers/state_fetch",
                   "mgmt/store/join", "mgmt/files/blobs"),
    "mgmt record": ("mgmt/store/store", "mgmt/store/journal", "mgmt/cli/api"),
    "mgmt roles": ("mgmt/core/auth", "mgmt/api/route", "mgmt/api/idempotent", "mgmt/api/handle"),
    "mgmt run": ("supervise", "mgmt/cli/cmd_run", "base/proc", "base/lock"),
    "mgmt run successor": ("supervise", "mgmt/cli/cmd_restart"),
    "mgmt threads": ("base/thread", "dns/workers", "dns/keep", "healthcheck/process", "mgmt/status", "mgmt/controller", "mgmt/sync", "mgmt/peers", "mgmt/observe", "mgmt/core", "mgmt/api"),
    "mgmt unconfirmed": ("mgmt/sync/shared_run", "mgmt/api/unconfirmed", "mgmt/store/alone",
                         "mgmt/store/pending"),
    "owners_sim": ("dataplane/owners", "include/weir/fwd/owner"),
    "process": ("dataplane", "bpf", "base/ctl", "base/page", "pages/carry"),
    "process_ports": ("dataplane", "bpf"),
}
SHORT_S = 4  # suites that take no longer run together
OWN = {"include": ("fwd", "dataplane"), "host": ("host", "dataplane"), "pages": ("pages", "model")}  # where a folder's tests lie, if not by its name


def read_list(path: str) -> list[typing.Any]:
    """[(file, old, new)]"""
    bugs: list[typing.Any] = []
    part: list[str] = []
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if line.startswith("@ "):
            bugs.append([line[2:].strip(), [], []])
        elif line.startswith(("- ", "+ ")) or line in ("-", "+"):
            part = bugs[-1][1 if line[0] == "-" else 2]
            part.append(line[2:])
        elif line.startswith("  "):
            part.append(line[2:])
        elif line.strip() and not line.startswith("#"):
            sys.exit(f"{path}:{number}: what is this: {line}")
    return [(file, "\n".join(old), "\n".join(new)) for file, old, new in bugs]


def copy_tree(folder: pathlib.Path) -> None:
    """Bring the project's files to @folder; those that are equal stay, so that little is built."""
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source, to = ROOT / name, folder / name
        if source.is_file() and not (to.exists() and to.read_bytes() == source.read_bytes()):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to)
            to.touch()


class Tree:
    """The copy in which bugs are planted."""

    def __init__(self, folder: pathlib.Path, is_kept: typing.Any, own_only: typing.Any, longest_s: typing.Any) -> None:
        self.folder, self.build, self.own_only, self.longest_s = folder, folder / "build", own_only, longest_s
        folder.mkdir(parents=True, exist_ok=True)
        if not is_kept:
            copy_tree(folder)
        if not (self.build / "build.ninja").exists():
            subprocess.run(["meson", "setup", self.build, folder, "-Dwerror=false"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", self.build, "build.ninja"], check=True, stdout=subprocess.DEVNULL)
        self.took_file = self.build / "plant-took.json"
        self.took = json.loads(self.took_file.read_text()) if self.took_file.exists() else {}
        self.tests = self.list_tests()
        error = self.make([name for name, _ in self.tests])
        if error:
            sys.exit(f"{folder} does not build: {error}")
        self.hashes = self.hash_programs()

    def leave_out_failing(self) -> None:
        """A suite that fails without a bug catches none."""
        failing = set(self.run([n for n, _ in self.tests if self.took.get(n, 0) <= self.longest_s]))
        self.tests = [(n, command) for n, command in self.tests if n not in failing]
        for name in sorted(failing):
            print(f"left out, as it fails without a bug: {name}", flush=True)

    def hash_programs(self) -> dict[str, typing.Any]:
        """What each program is: a suite whose programs are as before cannot see a bug."""
        programs = {p for _, command in self.tests for p in self.programs(command)}
        return {p: hashlib.sha256((self.build / p).read_bytes()).digest() for p in programs if (self.build / p).is_file()}

    def touched(self, name: str, names: list[typing.Any]) -> list[typing.Any]:
        """Those of @names that run a program which the bug in @name changed, the short ones first."""
        now, commands = self.hash_programs(), dict(self.tests)
        names = [n for n in names if any(now.get(p) != self.hashes.get(p) for p in self.programs(commands[n]))]
        names = [n for n in names if n not in LONG or any(name.startswith(part) for part in LONG[n])]
        return sorted((n for n in names if self.took.get(n, 0) <= self.longest_s), key=lambda n: self.took.get(n, 0))

    def make(self, names: typing.Sequence[typing.Any] = ()) -> str:
        targets = sorted({t for n, command in self.tests if n in names for t in self.programs(command)})
        done = subprocess.run(["ninja", "-C", self.build, *targets], capture_output=True, text=True)
        return "" if done.returncode == 0 else "\n".join(l for l in done.stdout.splitlines() if "error" in l)[:600] or "no build"

    def programs(self, command: typing.Any) -> list[typing.Any]:
        """What of a test's command is built."""
        inside = f"{self.build}/"
        words = [word.removeprefix(inside) for word in command.split()]
        found = [w for w in words if not w.startswith(("/", "../")) and "/" in w and "/../" not in w and not w.endswith(".py")]
        return found + (["dns/weir-dns"] if command.endswith("dns/test_tcp.py") else [])

    def list_tests(self) -> list[typing.Any]:
        return [(t.name, " ".join(t.command)) for t in list_tests(self.build)
                if set(SUITES) & set(t.tags) or any("/tests/unit/" in word for word in t.command)]

    def run(self, names: list[typing.Any]) -> list[typing.Any]:
        """Names of the tests that fail."""
        if not names:
            return []
        done = subprocess.run(["meson", "test", "-C", self.build, "--no-rebuild", "-t", "2", "--num-processes", "3", *names],
                              capture_output=True, text=True)
        rows = re.findall(r"^ *\d+/\d+ (?:weir:\S+ / )?(.+?) +(OK|FAIL|ERROR|TIMEOUT) +([\d.]+)s", done.stdout, re.M)
        failed = [name for name, word, _ in rows if word != "OK"]
        for name, word, took in rows:
            if word == "OK":
                self.took[name] = float(took)
        self.took_file.write_text(json.dumps(self.took))
        if done.returncode and not failed:
            raise SystemExit(done.stdout[-500:] + done.stderr[-500:])
        return failed

    def plant(self, bug: typing.Any) -> tuple[str, str]:
        """(word, what) of one bug."""
        name, old, new = bug
        path = self.folder / name
        text = path.read_text()
        if text.count(old) != 1:
            return "wrong", f"found {text.count(old)} times"
        path.write_text(text.replace(old, new))
        try:
            return self.try_tests(name)
        finally:
            path.write_text(text)

    def try_tests(self, name: str) -> tuple[str, str]:
        """The folder's own suites, then all the others."""
        top = name.split("/")[0]
        own = [n for n, command in self.tests if any(f"tests/unit/{t}/" in command for t in OWN.get(top, (top,)))]
        for names in own, [n for n, _ in self.tests if n not in own and not self.own_only]:
            error = names and self.make(names)
            if error:
                return "wrong", error
            names = self.touched(name, names)
            short = [n for n in names if self.took.get(n, 0) < SHORT_S]
            long = [n for n in names if n not in short]
            for some in short, *(long[i:i + 3] for i in range(0, len(long), 3)):
                failed = self.run(some)
                if failed:
                    return "caught", ", ".join(failed[:3])
        return "LIVED", ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-w", default="/tmp/weir-plant", type=pathlib.Path)
    parser.add_argument("-k", action="store_true")
    parser.add_argument("-1", action="store_true", dest="own_only")
    parser.add_argument("-q", action="store_true", dest="is_quick")
    parser.add_argument("-m", default="")
    parser.add_argument("-o", default=":")
    parser.add_argument("-s", default=1e9, type=float)
    parser.add_argument("lists", nargs="+")
    options = parser.parse_args()
    bugs = [bug for path in options.lists for bug in read_list(path) if bug[0].startswith(options.m)]
    bugs = bugs[slice(*(int(n) if n else None for n in options.o.split(":")))]
    tree, words = Tree(options.w, options.k, options.own_only, options.s), []
    if not options.is_quick:
        tree.leave_out_failing()
    for i, bug in enumerate(bugs):
        began = time.monotonic()
        word, what = tree.plant(bug)
        words.append(word)
        print(f"{i:3} {word:6} {bug[0]:30} {bug[1].splitlines()[0].strip()[:70]:70} {what} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{words.count('caught')} caught, {words.count('LIVED')} lived, {words.count('wrong')} wrong")


if __name__ == "__main__":
    main()
