#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Lines and branches of each file as unit and corpus suites reach them; called by ./run coverage.

usage: coverage.py BUILD [PATH ...]    PATH: a folder or file whose unreached lines are listed

The build folder has -Db_coverage=true. Suites run from there; gcov reads what they leave (a process that is killed
leaves nothing). Generated code, tests and what runs in the kernel are not counted. The last line holds the sum
outside dataplane/dpdk/.
"""
from __future__ import annotations

import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUITES = ("unit", "waits", "fuzz")
COUNTED = ("announce/", "base/", "bpf/", "dataplane/", "dns/", "healthcheck/", "host/", "include/", "mgmt/", "model/", "pages/")
APART = "dataplane/dpdk/"  # only the DPDK suites drive it

# By path: how often each line, and each branch of a line, was reached.
Files = dict[str, tuple[dict[int, int], dict[tuple[int, int], int]]]


def run_suites(build: pathlib.Path) -> None:
    """Run what `./run test unit fuzz` runs of this build; failing suites are named, and counted all the same."""
    for old in build.rglob("*.gcda"):
        old.unlink()
    arguments = [word for suite in SUITES for word in ("--suite", suite)]
    done = subprocess.run(["meson", "test", "-C", str(build), "--no-rebuild", "-t", "4", "-q", "--num-processes", "2", *arguments],
                          capture_output=True, text=True)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-1000:], sep="\n")


def read_notes(notes: pathlib.Path) -> list[tuple[str, dict[str, typing.Any]]]:
    """What gcov says of one object: a list of {file, lines}."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", str(notes)],
                          cwd=notes.parent, capture_output=True, text=True)
    found = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            document = json.loads(line)
            found += [(document["current_working_directory"], f) for f in document["files"]]
    return found


def source_of(build: pathlib.Path, folder: str, name: str) -> str | None:
    """The path of a source file below the root, or None for what is not counted."""
    for base in (build, pathlib.Path(folder)):
        path = pathlib.Path(os.path.normpath(base / name))
        if path.is_relative_to(ROOT) and path.exists():
            below = str(path.relative_to(ROOT))
            return below if below.startswith(COUNTED) else None
    return None


def add_file(files: Files, path: str, lines: list[dict[str, typing.Any]]) -> None:
    for line in lines:
        number = line["line_number"]
        files[path][0][number] = files[path][0].get(number, 0) + line["count"]
        for i, branch in enumerate(line["branches"]):
            key = number, i
            files[path][1][key] = files[path][1].get(key, 0) + branch["count"]


def gather(build: pathlib.Path) -> Files:
    """{path: ({line: count}, {(line, branch): count})} over all objects."""
    files: Files = collections.defaultdict(lambda: ({}, {}))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for found in pool.map(read_notes, sorted(build.rglob("*.gcno"))):
            for folder, file in found:
                path = source_of(build, folder, file["file"])
                if path:
                    add_file(files, path, file["lines"])
    return files


def reached(counts: typing.Mapping[typing.Any, int]) -> tuple[int, int]:
    return sum(1 for n in counts.values() if n), len(counts)


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f} %" if whole else "      -"


def row(name: str, lines: tuple[int, int], branches: tuple[int, int]) -> str:
    return f"{name:38} lines {lines[0]:6}/{lines[1]:6} {percent(*lines)}   branches {branches[0]:6}/{branches[1]:6} {percent(*branches)}"


def unreached(counts: dict[int, int]) -> str:
    """Ranges of lines that nothing reaches, as text."""
    spans: list[list[int]] = []
    last = None
    for line in sorted(counts):
        if counts[line]:
            last = None
        elif last is None:
            spans.append([line, line])
            last = line
        else:
            spans[-1][1] = last = line
    return " ".join(f"{a}-{b}" if a != b else str(a) for a, b in spans)


def add_pairs(pairs: typing.Iterable[tuple[int, int]]) -> tuple[int, int]:
    pairs = list(pairs)
    return sum(a for a, _ in pairs), sum(b for _, b in pairs)


def report(files: Files, paths: list[str]) -> None:
    folders = collections.defaultdict(list)
    for path in sorted(files):
        lines, branches = reached(files[path][0]), reached(files[path][1])
        folders["dpdk" if path.startswith(APART) else str(pathlib.Path(path).parent)].append((lines, branches))
        print(row(path, lines, branches))
        if path.startswith(tuple(paths)) and paths:
            print("    unreached:", unreached(files[path][0]))
    print()
    outside = []
    for folder, pairs in sorted(folders.items()):
        print(row(folder, add_pairs(p[0] for p in pairs), add_pairs(p[1] for p in pairs)))
        outside += [] if folder == "dpdk" else pairs
    print(row("outside " + APART, add_pairs(p[0] for p in outside), add_pairs(p[1] for p in outside)))


def main() -> None:
    arguments = [a for a in sys.argv[1:] if a != "--again"]
    build = pathlib.Path(arguments[0]).resolve()
    if "--again" not in sys.argv:  # with it, what the last run left is read once more
        run_suites(build)
    report(gather(build), arguments[1:])


if __name__ == "__main__":
    main()
