#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs of the engine of edits: the list tests/plant/edits.txt. The suite `model edit` or edits.py, with an engine that has
one of them, must see it.

usage: planted_edits.py BUILD_ROOT SOURCE_ROOT
"""
from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "plant"))
import plant  # noqa: E402
import seeding  # noqa: E402

FLAGS = ["-O0", "-std=gnu11", "-D_GNU_SOURCE", "-w", "-fPIC"]
LIBS = ["-lcmocka", "-ljansson", "-lm", "-lpthread"]
ARCHIVES = ["model/libmodel.a", "pages/libpages.a", "host/libhost.a", "base/libbase.a"]
Bug = tuple[str, str, str]


def link_tests(built: pathlib.Path, source: pathlib.Path, work: pathlib.Path, bug: Bug | None) -> list[list[str]]:
    """The tool and the suite with the bug's file in place of the library's."""
    own: list[str] = []
    if bug:
        path = work / pathlib.Path(bug[0]).name
        path.write_text(seeding.with_bug(source / bug[0], bug[1], bug[2]))
        own = [str(path)]
    common = [*own, "-I", str(source), "-I", str(source / "include")]
    archives = [str(built / a) for a in ARCHIVES]
    for name, sources in (("tool", ["tests/diff/edit_tool.c"]), ("suite", ["tests/unit/model/test_edit.c", "tests/unit/model/fixture.c", "tests/unit/suite.c"])):
        subprocess.run(["cc", *FLAGS, *common, *(str(source / s) for s in sources), "-o", str(work / name), "-Wl,-z,muldefs",
                        *archives, *archives, *LIBS], check=True, stderr=subprocess.DEVNULL)
    return [[str(work / "suite"), "edit"], [sys.executable, str(source / "tests/diff/edits.py"), "1", "--tool", str(work / "tool")]]


def is_missed(built: pathlib.Path, source: pathlib.Path, bug: Bug | None) -> bool:
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as directory:
        return not any(subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
                       for command in link_tests(built, source, pathlib.Path(directory), bug))


def main() -> int:
    built, source = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    bugs = plant.read_list(str(source / "tests/plant/edits.txt"))
    for path, old, new in bugs:
        seeding.with_bug(source / path, old, new)
    if not is_missed(built, source, None):
        raise SystemExit("there is a failure without any bug")
    return seeding.try_sample(bugs, lambda bug: is_missed(built, source, bug))


if __name__ == "__main__":
    sys.exit(main())
