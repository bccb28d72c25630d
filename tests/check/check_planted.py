# SPDX-License-Identifier: BSD-2-Clause
"""Every planted bug has its place in the source exactly once: those that ./run test tries, and those of tests/plant, which run by hand.

A bug is a text of a source and what replaces it. A rename that forgets a list would leave bugs that no suite tries.
"""
from __future__ import annotations

import ast
import os
import pathlib
import sys
import typing

import tree

sys.path.insert(0, os.path.join(tree.ROOT, "tests", "plant"))
import plant  # noqa: E402


class Table(typing.NamedTuple):
    """A table of bugs in a Python file: its name, where in a row the file and the text are, and the folder of the files."""
    name: str
    file: int
    text: int
    folder: str = ""


TABLES = {
    "tests/diff/seeded_agent.py": Table("BUGS", 0, 1, "include/weir/fwd/"),
    "tests/diff/seeded_bugs.py": Table("BUGS", 0, 1, "include/weir/fwd/"),
    "tests/diff/seeded_process.py": Table("BUGS", 0, 1, "dataplane/"),
    "tests/fuzz/seeded_fuzz.py": Table("BUGS", 1, 2),
    "tests/fuzz/seeded_real.py": Table("BUGS", 1, 2),
    "tests/lab/seeded_fleet.py": Table("BREAKAGES", 1, 2),
    "tests/sim/seeded.py": Table("BREAKAGES", 2, 3),
    "tests/sim/seeded_announce.py": Table("BREAKAGES", 2, 3),
    "tests/sim/seeded_operations.py": Table("BREAKAGES", 2, 3),
    "tests/sim/seeded_versions.py": Table("BREAKAGES", 2, 3),
}
LIST, SEEDED = "tests/plant/", "tests/*/seeded*.py"

Bug = tuple[str, str, str]  # file, text, what replaces the text


def values_of(text: str, name: str) -> list[typing.Any]:
    """The value of @name in a Python file: a table of texts, some of which are constants that the file defines before."""
    known: dict[str, typing.Any] = {}
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        target = statement.targets[0].id
        if isinstance(statement.value, ast.Constant):
            known[target] = statement.value.value
        elif target == name and isinstance(statement.value, ast.List):
            return [[known[e.id] if isinstance(e, ast.Name) else ast.literal_eval(e) for e in row.elts]
                    for row in statement.value.elts if isinstance(row, ast.Tuple)]
    return []


def bugs_of(root: str, path: str) -> list[Bug]:
    if path.endswith(".txt"):
        return [(file, old, new) for file, old, new in plant.read_list(os.path.join(root, path))]
    table = TABLES[path]
    return [(table.folder + row[table.file], row[table.text], row[table.text + 1]) for row in values_of(tree.read(root, path), table.name)]


def offence_of(root: str, bug: Bug) -> str:
    file, old, new = bug
    if not os.path.isfile(os.path.join(root, file)):
        return f"{file} does not exist"
    n = tree.read(root, file).count(old)
    return f"{file}: found {n} times, not once: {old}" if n != 1 else f"{file}: changes nothing: {old}" if old == new else ""


def offences(root: str, files: list[str]) -> list[str]:
    found: list[str] = []
    for path in files:
        is_list = path.startswith(LIST) and path.endswith(".txt")
        if not is_list and not pathlib.PurePath(path).match(SEEDED):
            continue
        bugs = bugs_of(root, path) if is_list or path in TABLES else []
        if not bugs:
            found.append(f"{path}: no bugs found: add it to TABLES in check_planted.py")
        found += [f"{path}: {said}" for said in (offence_of(root, bug) for bug in bugs) if said]
    return found


A = "\tif (a > 1)\n\t\treturn b;\n"
ENTRY = "# Bugs.\n@ dns/a.c\n- \tif (a > 1)\n+ \tif (a > 2)\n"
ROW = 'BUGS = [\n    ("a.h", "if (a > 1)",\n     "if (a > 2)"),\n]\n'
REAL = 'BUGS = [("target", "dns/a.c", "if (a > 1)", "if (a > 2)")]\n'
NAMED = 'A = "dns/a.c"\nBREAKAGES = [("what", "world", A, "if (a > 1)\\n", ";\\n")]\n'
PLANTS: tree.Plants = {
    "a list's bug without a place": ({"dns/a.c": A.replace("a >", "b >"), "tests/plant/a.txt": ENTRY}, 1),
    "with two places": ({"dns/a.c": A + A, "tests/plant/a.txt": ENTRY}, 1),
    "one of two": ({"dns/a.c": A, "tests/plant/a.txt": ENTRY + ENTRY.replace("- \tif", "- \twhile")}, 1),
    "without a file": ({"tests/plant/a.txt": ENTRY}, 1),
    "that changes nothing": ({"dns/a.c": A, "tests/plant/a.txt": ENTRY.replace("2", "1")}, 1),
    "of two lines, in the wrong order": (
        {"dns/a.c": A, "tests/plant/a.txt": "@ dns/a.c\n- \t\treturn b;\n  \tif (a > 1)\n+ \t;\n"}, 1),
    "a list without bugs": ({"tests/plant/a.txt": "# None.\n"}, 1),
    "a row's file in its folder": ({"include/weir/fwd/a.h": A + A, "tests/diff/seeded_bugs.py": ROW}, 1),
    "a process's": ({"dataplane/a.h": "", "tests/diff/seeded_process.py": ROW}, 1),
    "a target's": ({"dns/a.c": A + A, "tests/fuzz/seeded_real.py": REAL}, 1),
    "of a file with a name": ({"dns/a.c": A.replace("1", "3"), "tests/sim/seeded.py": NAMED}, 1),
    "a table that nobody reads": ({"dns/a.c": A, "tests/fuzz/seeded_more.py": REAL}, 1),
    "a table that is not where it was": ({"dns/a.c": A, "tests/fuzz/seeded_real.py": REAL.replace("BUGS", "FAULTS")}, 1),
    "all in their places": (
        {"dns/a.c": A, "include/weir/fwd/a.h": A, "dataplane/a.h": A, "tests/plant/a.txt": ENTRY, "tests/diff/seeded_bugs.py": ROW,
         "tests/diff/seeded_agent.py": ROW, "tests/diff/seeded_process.py": ROW, "tests/fuzz/seeded_fuzz.py": REAL,
         "tests/fuzz/seeded_real.py": REAL, "tests/sim/seeded.py": NAMED}, 0),
    "other files": ({"tests/plant/plant.py": "BUGS = []\n", "tests/diff/seeding.py": "BUGS = []\n", "tests/plant/a.md": "a\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
