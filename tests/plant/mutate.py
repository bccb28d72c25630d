#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which small changes of the sources does no suite see? Not part of ./run test: hours for the whole.

usage: mutate.py [-w DIR] [-a] [-n COUNT] [-s SECONDS] [-t SECONDS] [-r SEED] PATH ...

Finds all mutants (mutants.py) of the C sources PATH (files or folders) and builds them at once, asleep, into a copy of the
tree at DIR (default /tmp/weir-mutate; kept). Then it runs each unit and corpus suite that takes at most -s seconds (4) and
notes which mutants it asks, and wakes one mutant after the other (-n: COUNT of each file, by chance) for the suites that
ask it, until one fails; -t seconds (20) of suites for each at most. What no suite asks or fails for is printed by file and
line, with `unasked` or `lived`. -a takes the build and the suites' runs of the last time; PATH is then what is asked about,
of what was built. Needs python3-clang-14.
"""
from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import pathlib
import pickle
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import typing
from concurrent.futures import ThreadPoolExecutor

from mutants import Finder, write_asleep
from plant import ROOT, copy_tree  # it also makes built_tests known
from built_tests import BuiltTest, list_tests

MUTANTS_MAX = 400000  # mutant.h is compiled with it
AWAKE = ctypes.c_int
ASKED_AT = ctypes.sizeof(AWAKE)
SUITES = ("unit", "waits", "fuzz")
JOBS = 2


class Tree:
    """A copy of the tree with mutants in some files."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.build = folder, folder / "build"
        self.files: dict[typing.Any, typing.Any] = {}  # name: [first number, source, mutants]

    def prepare(self) -> None:
        folder = self.folder
        copy_tree(folder)
        if not (self.build / "build.ninja").exists():
            subprocess.run(["meson", "setup", self.build, folder, "-Dwerror=false", "-Doptimization=1",
                            f"-Dc_args=-w -DMUTANTS_MAX={MUTANTS_MAX} -include {folder / 'tests/plant/mutant.h'}"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run(["ninja", "-C", self.build], check=True, stdout=subprocess.DEVNULL)  # for generated headers
        commands = json.loads((self.build / "compile_commands.json").read_text())
        self.commands = {str((self.build / c["file"]).resolve()): shlex.split(c["command"]) for c in commands}

    def arguments(self, path: str) -> list[typing.Any]:
        """What of a source's command concerns its reading."""
        words = self.commands[str(path)]
        kept = [w for w in words if w.startswith(("-I", "-D", "-std", "-isystem", "-march"))]
        kept += [w for i, word in enumerate(words) if word == "-include" and not words[i + 1].endswith("/mutant.h")
                 for w in (word, words[i + 1])]
        return [f"-I{(self.build / w[2:]).resolve()}" if w.startswith("-I") else w for w in kept]

    def plant(self, names: typing.Any) -> None:
        first = 1
        for name in names:
            path = self.folder / name
            if str(path) not in self.commands:
                continue
            found = Finder(path, self.arguments(path))
            self.files[name] = [first, found.text, found.mutants]
            first += len(found.mutants)
            self.write(name)
        if first > MUTANTS_MAX:
            sys.exit(f"{first} mutants; {MUTANTS_MAX} at most")

    def write(self, name: str) -> None:
        first, text, mutants = self.files[name]
        (self.folder / name).write_bytes(write_asleep(text, mutants, first))

    def make(self) -> None:
        """Build; what does not compile is left out by its line."""
        for _ in range(12):
            done = subprocess.run(["ninja", "-C", self.build, "-k", "0"], capture_output=True, text=True)
            if done.returncode == 0:
                return
            wrong = {(str((self.build / f).resolve().relative_to(self.folder)), int(line))
                     for f, line in re.findall(r"^(\S+?):(\d+):\d+: error", done.stdout, re.M)}
            names = {f for f, _ in wrong if f in self.files}
            if not names:
                break
            for name in names:
                first, text, mutants = self.files[name]
                self.files[name][2] = [None if m and (name, m.line) in wrong else m for m in mutants]
                self.write(name)
        sys.exit(f"{self.folder} does not build:\n" + "\n".join(l for l in done.stdout.splitlines() if "error" in l or "FAILED" in l)[:3000])

    def all_mutants(self) -> dict[str, typing.Any]:
        return {first + i: (name, m) for name, (first, _, mutants) in self.files.items() for i, m in enumerate(mutants) if m}


class Control:
    """The page by which the suites' programs know which mutant is awake, and say which they ask."""

    def __init__(self, path: str) -> None:
        self.path = path
        with open(path, "wb") as f:
            f.truncate(ASKED_AT + MUTANTS_MAX)
        os.chmod(path, 0o666)
        with open(path, "r+b") as f:
            self.page = mmap.mmap(f.fileno(), 0)

    def wake(self, number: int) -> None:
        self.page[:ASKED_AT] = bytes(AWAKE(number))

    def forget(self) -> None:
        self.page[ASKED_AT:] = bytes(MUTANTS_MAX)

    def asked(self) -> set[typing.Any]:
        return {i for i, byte in enumerate(self.page[ASKED_AT:]) if byte}


def list_suites(tree: Tree) -> dict[str, BuiltTest]:
    return {t.name: t for t in list_tests(tree.build) if set(SUITES) & set(t.tags)}


def run_suite(suite: BuiltTest, control: Control, limit_s: float) -> tuple[bool, float]:
    """Whether it passes, and the seconds that it took."""
    began = time.monotonic()
    shutil.rmtree(f"{control.path}.said.tmp", ignore_errors=True)  # of a keeper that was killed
    environment = {**os.environ, **suite.env, "WEIR_MUTANTS": str(control.path), "WEIR_USERS": "none"}
    command = [sys.executable, str(ROOT / "tests/keep.py"), f"{control.path}.said", *suite.command]
    with subprocess.Popen(command, cwd=suite.folder, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            status = -1
    return status == 0, time.monotonic() - began


def survey(suites: typing.Any, control: Control, longest_s: typing.Any) -> dict[typing.Any,
           tuple[float, typing.Any]]:
    """{suite: (seconds, mutants that it asks)} of those that pass with all asleep, and are short."""
    found = {}
    for name, suite in suites.items():
        control.forget()
        passes, took = run_suite(suite, control, longest_s)
        if passes:
            found[name] = (took, control.asked())
        else:
            print(f"# {name}: left out, after {took:.1f} s", flush=True)
    return found


class Hunt:
    def __init__(self, tree: Tree, suites: typing.Any, surveyed: typing.Any, most_s: typing.Any) -> None:
        self.suites, self.most_s = suites, most_s
        self.surveyed = dict(sorted(surveyed.items(), key=lambda item: item[1][0]))
        self.controls = [Control(str(tree.folder / f"awake-{os.getpid()}-{i}")) for i in range(JOBS)]

    def ask(self, number: int) -> str:
        """What becomes of one mutant: unasked, caught or lived."""
        asking = [(name, took) for name, (took, asked) in self.surveyed.items() if number in asked]
        if not asking:
            return "unasked"
        control, spent = self.controls.pop(), 0
        control.wake(number)
        try:
            for name, took in asking:
                if spent + took > self.most_s:
                    break
                passes, took = run_suite(self.suites[name], control, 4 * took + 3)
                if not passes:
                    return "caught"
                spent += took
        finally:
            self.controls.append(control)
        return "lived"


def choose(mutants: dict[typing.Any, typing.Any], count: typing.Any, seed: int) -> list[typing.Any]:
    """Numbers: @count of each file, by chance, or all."""
    by_file: dict[typing.Any, typing.Any] = {}
    dice = random.Random(seed)
    for number, (name, _) in mutants.items():
        by_file.setdefault(name, []).append(number)
    return [n for numbers in by_file.values() for n in sorted(dice.sample(numbers, min(count or len(numbers), len(numbers))))]


def c_files(paths: typing.Any) -> list[typing.Any]:
    found = [p for path in paths for p in (sorted((ROOT / path).rglob("*.c")) if (ROOT / path).is_dir() else [ROOT / path])]
    return [str(p.relative_to(ROOT)) for p in found]


def report(name: str, results: typing.Any) -> None:
    words = [word for word, _ in results]
    caught = words.count("caught")
    print(f"{name}: {caught} of {len(words)} caught ({100 * caught / len(words):.0f} %)")
    for word, m in results:
        if word != "caught":
            print(f"  {word:7} {name}:{m.line}: {' '.join(m.what.split())[:150]}")
    sys.stdout.flush()


def prepare(options: argparse.Namespace) -> tuple[Tree, typing.Any, typing.Any]:
    """The tree and the survey of its suites."""
    tree, kept = Tree(options.w), options.w / "mutants.pickle"
    if options.again:
        tree.files, surveyed = pickle.loads(kept.read_bytes())
        return tree, list_suites(tree), surveyed
    tree.prepare()
    tree.plant(c_files(options.paths))
    tree.make()
    print(f"# {len(tree.all_mutants())} mutants in {len(tree.files)} files", flush=True)
    suites = list_suites(tree)
    surveyed = survey(suites, Control(str(options.w / "awake")), options.s)
    kept.write_bytes(pickle.dumps((tree.files, surveyed)))
    return tree, suites, surveyed


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-w", default="/tmp/weir-mutate", type=pathlib.Path)
    parser.add_argument("-a", action="store_true", dest="again")
    parser.add_argument("-n", default=0, type=int)
    parser.add_argument("-s", default=4, type=float)
    parser.add_argument("-t", default=20, type=float)
    parser.add_argument("-r", default=1, type=int)
    parser.add_argument("paths", nargs="+")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    tree, suites, surveyed = prepare(options)
    hunt, wanted = Hunt(tree, suites, surveyed, options.t), set(c_files(options.paths))
    mutants = {n: of for n, of in tree.all_mutants().items() if of[0] in wanted}
    numbers = choose(mutants, options.n, options.r)
    by_file: dict[typing.Any, typing.Any] = {}
    with ThreadPoolExecutor(JOBS) as pool:
        for number, word in zip(numbers, pool.map(hunt.ask, numbers)):
            name, mutant = mutants[number]
            if by_file and name not in by_file:
                report(*list(by_file.items())[-1])
            by_file.setdefault(name, []).append((word, mutant))
    if by_file:
        report(*list(by_file.items())[-1])
    words = [word for results in by_file.values() for word, _ in results]
    print(f"{words.count('caught')} of {len(words)} caught ({100 * words.count('caught') / max(len(words), 1):.0f} %)")


if __name__ == "__main__":
    main()
