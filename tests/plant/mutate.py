#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which small changes of the sources does no suite see? Not part of ./run test: hours for the whole.

usage: mutate.py [-w DIR] [-a] [-n COUNT] [-s SECONDS] [-t SECONDS] [-r SEED] PATH ...
       mutate.py [-w DIR] [-a] [-s SECONDS] [-t SECONDS] [-r SEED] [-j JOBS] [--draw COUNT] [--rows FILE] [--list LIST]...
                 [--programs-only] [--sanitized] [--kinds KIND,...] [--names NAME,...] [--beyond DIR] [--result FILE]
                 [PATH ...]

Finds all mutants (mutants.py) of the C sources PATH (files or folders) and builds them at once, asleep, into a copy of the
tree at DIR (default /var/tmp/weir-mutate; kept). Then it runs each unit and corpus suite that takes at most -s seconds (4) and
notes which mutants it asks, and wakes one mutant after the other (-n: COUNT of each file, by chance) for the suites that
ask it, those of the file's own folder first, until one fails, two mutants at a time (-j); -t seconds (20) of suites for each at most. What no suite asks or
fails for is printed by file and line, with `unasked` or `lived`. -a takes the build and the suites' runs of the last time; PATH is then what is asked about,
of what was built. Needs python3-clang-14.

--draw builds COUNT mutants only, drawn from all of PATH by the seed, and writes them to FILE as rows that plant.py can replay.
--list takes the bugs of a LIST of plant.py in the same build, each as a copy of its function that is called instead; texts
of packaging/ are planted one by one for check packaging; those of headers are "wrong" and left to plant.py. Both are asked
in an order by chance, so that the first ones are a sample of all. --programs-only leaves out suites that are scripts, which
take long. --kinds names the kinds of suites instead of unit,waits,fuzz: with lab, what the short ones do not see can be asked of
labs; --names leaves out all suites but these. --beyond leaves out the suites that were asked in the copy at DIR. --sanitized builds with the sanitizers of ./run test. --result gets {planted, died, ...} after each one. What says "time" was ended, and counts as neither.
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
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

from mutants import Finder, as_copy, change, parse, write_asleep
from plant import OWN, ROOT, copy_tree, read_list  # it also makes built_tests known
from built_tests import BuiltTest, list_tests

sys.path.insert(0, str(ROOT / "tests/fuzz"))
import fuzz  # noqa: E402

MUTANTS_MAX = 400000  # mutant.h is compiled with it
AWAKE = ctypes.c_int
ASKED_AT = ctypes.sizeof(AWAKE)
SUITES = ("unit", "waits", "fuzz")  # and what of kind lab is a script of tests/unit
# The top of a source with mutants; its lines keep their numbers.
HEAD = f"""#define MUTANTS_MAX {MUTANTS_MAX}
#include "tests/plant/mutant.h"
""" + "".join(f'#pragma GCC diagnostic ignored "-W{w}"\n' for w in (
    "unused-variable", "unused-parameter", "unused-but-set-variable", "unused-but-set-parameter", "unused-function", "unused-value", "parentheses",
    "empty-body", "missing-prototypes", "missing-declarations", "bool-compare", "int-in-bool-context", "tautological-compare", "duplicated-cond",
    "duplicated-branches", "logical-op", "maybe-uninitialized", "uninitialized", "sign-compare", "sign-conversion", "conversion", "type-limits",
    "misleading-indentation", "dangling-else", "shadow", "implicit-fallthrough", "format-truncation", "nonnull", "null-dereference",
    "stringop-overflow", "array-bounds", "logical-not-parentheses", "bool-operation", "cast-qual", "format-overflow", "stringop-truncation",
    "declaration-after-statement", "redundant-decls", "div-by-zero", "shift-count-overflow", "overflow", "return-type", "stringop-overread",
    "restrict", "use-after-free", "dangling-pointer", "free-nonheap-object", "array-parameter", "unused-label", "unused-result")) + "#line 1\n"
JOBS = 2


def find_mutants(path: pathlib.Path, args: list[str]) -> tuple[bytes, list[typing.Any]]:
    found = Finder(path, args)
    return found.text, found.mutants


def find_copies(path: pathlib.Path, args: list[str], bugs: list[tuple[str, str, str]]) -> list[typing.Any]:
    """A mutant or None for each of @bugs, which are of one file."""
    found = [c for c in parse(path, args).cursor.get_children() if c.kind.name == "FUNCTION_DECL" and c.is_definition()]
    here = [c for c in found if c.location.file and c.location.file.name == str(path)]
    return [as_copy(path.read_bytes(), here, old.encode(), new.encode()) for _, old, new in bugs]


class Tree:
    """A copy of the tree with mutants in some files."""

    def __init__(self, folder: pathlib.Path, kinds: tuple[str, ...] = SUITES, programs_only: bool = False, sanitized: bool = False) -> None:
        self.folder, self.build, self.programs_only = folder, folder / "build", programs_only
        self.kinds, self.options = set(kinds), ["-Dwerror=false", *(fuzz.OPTIONS if sanitized else [])]
        self.tools = {**os.environ, **(fuzz.TOOLS if sanitized else {})}
        self.files: dict[typing.Any, typing.Any] = {}  # name: [first number, source, mutants]

    def prepare(self) -> None:
        folder = self.folder
        copy_tree(folder)
        if not (self.build / "build.ninja").exists():
            subprocess.run(["meson", "setup", self.build, folder, *self.options], check=True, stdout=subprocess.DEVNULL, env=self.tools)
        targets = subprocess.run(["ninja", "-C", self.build, "-t", "targets", "all"], check=True, capture_output=True, text=True).stdout
        headers = re.findall(r"^(\S+\.h): CUSTOM_COMMAND", targets, re.M)
        subprocess.run(["ninja", "-C", self.build, *headers], check=True, stdout=subprocess.DEVNULL)
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
        names = [name for name in names if str(self.folder / name) in self.commands]
        paths = [self.folder / name for name in names]
        with ProcessPoolExecutor(2 * JOBS) as pool:
            for name, (text, mutants) in zip(names, pool.map(find_mutants, paths, [self.arguments(str(p)) for p in paths])):
                self.files[name] = [first, text, mutants]
                first += len(mutants)
        if first > MUTANTS_MAX:
            sys.exit(f"{first} mutants; {MUTANTS_MAX} at most")

    def draw(self, names: list[str], count: int, seed: int) -> None:
        """As plant(), with @count mutants: a file by chance, by its length, and one of its mutants by chance."""
        dice = random.Random(seed)
        names = [name for name in names if str(self.folder / name) in self.commands]
        weights = [(self.folder / name).stat().st_size for name in names]
        drawn = dice.choices(names, weights, k=count)
        self.plant(sorted(set(drawn)))
        for name, of in list(self.files.items()):
            most = min(drawn.count(name), len(of[2]))
            of[2] = sorted(dice.sample(of[2], most), key=lambda m: m.start)
            if not most:
                del self.files[name]
        self.number()

    def number(self) -> None:
        first = 1
        for of in self.files.values():
            of[0] = first
            first += len(of[2])

    def plant_list(self, bugs: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
        """Add bugs of a list. @return those that cannot be planted asleep"""
        by_file: dict[str, list[tuple[str, str, str]]] = {}
        for bug in bugs:
            by_file.setdefault(bug[0], []).append(bug)
        names = [name for name in by_file if str(self.folder / name) in self.commands]
        others = [bug for name in by_file if name not in names for bug in by_file[name]]
        paths = [self.folder / name for name in names]
        with ProcessPoolExecutor(2 * JOBS) as pool:
            found = list(pool.map(find_copies, paths, [self.arguments(str(p)) for p in paths], [by_file[name] for name in names]))
        for name, mutants in zip(names, found):
            of = self.files.setdefault(name, [0, (self.folder / name).read_bytes(), []])[2]
            of += [mutant for mutant in mutants if mutant]
            others += [bug for bug, mutant in zip(by_file[name], mutants) if not mutant]
        self.number()
        return others

    def write_all(self) -> None:
        for name in self.files:
            self.write(name)

    def write(self, name: str) -> None:
        first, text, mutants = self.files[name]
        (self.folder / name).write_bytes(HEAD.encode() + write_asleep(text, mutants, first))

    def make(self) -> None:
        """Build; what does not compile is left out by its line."""
        known = subprocess.run(["ninja", "-C", self.build, "-t", "targets", "all"], check=True, capture_output=True, text=True).stdout
        made = {line.rsplit(": ", 1)[0] for line in known.splitlines()}
        words = {w.removeprefix(f"{self.build}/") for suite in list_suites(self).values() for w in suite.command}
        targets = sorted(words & made) if self.programs_only else ["all"]
        for _ in range(12):
            done = subprocess.run(["ninja", "-C", self.build, "-k", "0", *targets], capture_output=True, text=True)
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

    def all_mutants(self) -> dict[int, typing.Any]:
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
    suites = {t.name: t for t in list_tests(tree.build) if tree.kinds & set(t.tags) or any("/tests/unit/" in w for w in t.command)}
    return {name: t for name, t in suites.items() if not (tree.programs_only and any(w.endswith(".py") for w in t.command))}


def run_suite(suite: BuiltTest, control: Control, limit_s: float) -> tuple[bool | None, float]:
    """Whether it passes (None: it was ended), and the seconds that it took."""
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
            return None, time.monotonic() - began
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
    def __init__(self, tree: Tree, suites: typing.Any, surveyed: typing.Any, most_s: typing.Any, jobs: int) -> None:
        self.suites, self.most_s, self.mutants = suites, most_s, tree.all_mutants()
        self.surveyed = dict(sorted(surveyed.items(), key=lambda item: item[1][0]))
        self.by: dict[int, str] = {}  # which suite caught a mutant
        self.controls = [Control(str(tree.folder / f"awake-{os.getpid()}-{i}")) for i in range(jobs)]

    def is_own(self, suite: str, number: int) -> bool:
        """Whether a suite lies in the folder that has the tests of the mutant's file."""
        top = self.mutants[number][0].split("/")[0]
        return any(f"tests/unit/{folder}/" in word for word in self.suites[suite].command for folder in OWN.get(top, (top,)))

    def ask(self, number: int) -> str:
        """What becomes of one mutant: unasked, caught or lived."""
        asking = [(name, took) for name, (took, asked) in self.surveyed.items() if number in asked]
        asking.sort(key=lambda one: not self.is_own(one[0], number))  # the short ones first among them
        if not asking:
            return "unasked"
        control, spent = self.controls.pop(), 0
        control.wake(number)
        try:
            for name, took in asking:
                if spent + took > self.most_s:
                    break
                passes, took = run_suite(self.suites[name], control, 10 * took + 30)
                self.by[number] = name
                if not passes:
                    return "caught" if passes is False else "time"
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
    tree, kept = Tree(options.w, tuple(options.kinds.split(",")), options.programs_only, options.sanitized), options.w / "mutants.pickle"
    if options.again:
        tree.files, surveyed = pickle.loads(kept.read_bytes())
        return tree, list_suites(tree), surveyed
    tree.prepare()
    if options.draw:
        tree.draw(c_files(options.paths), options.draw, options.r)
        write_rows(tree, options)
    elif options.paths:
        tree.plant(c_files(options.paths))
    others = tree.plant_list([bug for path in options.lists for bug in read_list(path)])
    (options.w / "others.json").write_text(json.dumps(others))
    tree.write_all()
    kept.write_bytes(pickle.dumps((tree.files, {})))
    tree.make()
    print(f"# {len(tree.all_mutants())} mutants in {len(tree.files)} files", flush=True)
    suites = list_suites(tree)
    if options.names:
        suites = {name: suites[name] for name in options.names.split(",")}
    if options.beyond:
        asked = pickle.loads((options.beyond / "mutants.pickle").read_bytes())[1]
        suites = {name: suite for name, suite in suites.items() if name not in asked}
    surveyed = survey(suites, Control(str(options.w / "awake")), options.s)
    kept.write_bytes(pickle.dumps((tree.files, surveyed)))
    return tree, suites, surveyed


def write_rows(tree: Tree, options: argparse.Namespace) -> None:
    """The drawn mutants as a list of plant.py."""
    rows = [f"# {options.draw} mutants that mutate.py --draw drew of all folders by seed {options.r}.\n"]
    for name, (_, text, mutants) in tree.files.items():
        for m in mutants:
            old, new = (part.replace("\n", "\n  ") for part in change(text, m))
            rows.append(f"@ {name}\n- {old}\n+ {new}\n")
    if options.rows:
        pathlib.Path(options.rows).write_text("".join(rows))


def ask_packaging(tree: Tree, bug: tuple[str, str, str]) -> str:
    """What check packaging says of a text that is no C."""
    path = tree.folder / bug[0]
    text = (ROOT / bug[0]).read_text()
    if path.suffix in (".c", ".h"):
        return "wrong"
    path.write_text(text.replace(bug[1], bug[2]))
    try:
        done = subprocess.run([sys.executable, tree.folder / "tests/check/check_packaging.py"], capture_output=True, cwd=tree.folder)
        return "caught" if done.returncode else "lived"
    finally:
        path.write_text(text)


def ask_all(tree: Tree, hunt: Hunt, options: argparse.Namespace) -> None:
    """Ask all that was planted, in an order by chance."""
    mutants: dict[typing.Any, typing.Any] = {**tree.all_mutants()}
    others = json.loads((options.w / "others.json").read_text())
    order: list[typing.Any] = [*mutants, *(tuple(bug) for bug in others)]
    random.Random(options.r).shuffle(order)
    rows = []

    def ask(item: typing.Any) -> str:
        return hunt.ask(item) if isinstance(item, int) else ask_packaging(tree, item)

    with ThreadPoolExecutor(options.j) as pool:
        for item, word in zip(order, pool.map(ask, order)):
            name, of = mutants[item] if isinstance(item, int) else (item[0], None)
            is_drawn = of is not None and "__bug@N@" not in of.before
            what = f"{of.line}: {' '.join(of.what.split())[:150]}" if of else item[1][:150]
            rows.append({"kind": "drawn" if is_drawn else "list", "word": word, "where": name, "what": what, "by": hunt.by.get(item, "")})
            print(f"{word:7} {name}:{what} [{rows[-1]['by']}]", flush=True)
            died = sum(row["word"] == "caught" for row in rows)
            planted = sum(row["word"] in ("caught", "lived", "unasked") for row in rows)
            if options.result:
                pathlib.Path(options.result).parent.mkdir(parents=True, exist_ok=True)
                pathlib.Path(options.result).write_text(json.dumps({"planted": planted, "died": died, "seed": options.r, "rows": rows}, indent=1))
    print(f"{died} of {planted} caught")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-w", default="/var/tmp/weir-mutate", type=pathlib.Path)
    parser.add_argument("-a", action="store_true", dest="again")
    parser.add_argument("-n", default=0, type=int)
    parser.add_argument("-s", default=4, type=float)
    parser.add_argument("-t", default=20, type=float)
    parser.add_argument("-r", default=1, type=int)
    parser.add_argument("-j", default=JOBS, type=int)
    parser.add_argument("--draw", default=0, type=int)
    parser.add_argument("--rows", default="")
    parser.add_argument("--programs-only", action="store_true")
    parser.add_argument("--sanitized", action="store_true")
    parser.add_argument("--kinds", default=",".join(SUITES))
    parser.add_argument("--names", default="")
    parser.add_argument("--beyond", type=pathlib.Path)
    parser.add_argument("--result", default="")
    parser.add_argument("--list", action="append", default=[], dest="lists")
    parser.add_argument("paths", nargs="*")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    tree, suites, surveyed = prepare(options)
    hunt, wanted = Hunt(tree, suites, surveyed, options.t, options.j), set(c_files(options.paths))
    if options.draw or options.lists:
        ask_all(tree, hunt, options)
        return
    mutants = {n: of for n, of in tree.all_mutants().items() if of[0] in wanted}
    numbers = choose(mutants, options.n, options.r)
    by_file: dict[typing.Any, typing.Any] = {}
    with ThreadPoolExecutor(options.j) as pool:
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
