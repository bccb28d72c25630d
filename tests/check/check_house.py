# SPDX-License-Identifier: BSD-2-Clause
"""What keeps files free to move: a unit test reaches the product by its headers alone, and no folder hides its subjects.

A test includes no `.c`, makes no `static` visible, and puts no function of its own in the place of one of ours: neither by a
second definition nor by the linker (--wrap). What libc, the kernel and libraries answer may be in its hands.
"""
from __future__ import annotations

import collections
import os
import re
import typing

import source
import tree

SUBJECTS_MAX = 40  # files .c of a folder of the product
INCLUDE_C = re.compile(r'^\s*#\s*include\s+"[^"]+\.c"', re.M)
STATIC_AWAY = re.compile(r"^\s*#\s*define\s+static\b", re.M)
WRAPPED = re.compile(r"\b__wrap_(\w+)\s*\(")
# Libc's, which DPDK's program has in another form.
LIBC = {"nanosleep"}


def is_c(path: str) -> bool:
    return path.endswith((".c", ".h"))


def functions_of(text: str) -> typing.Iterator[str]:
    for thing in source.definitions(text):
        if thing.kind == "function" and not thing.static:
            yield thing.name


def crowded(files: list[str]) -> list[str]:
    folders = collections.Counter(os.path.dirname(f) for f in files if f.endswith(".c") and not f.startswith("tests/"))
    return [f"{folder}: {n} subjects, at most {SUBJECTS_MAX}: give some of them a room" for folder, n in folders.items() if n > SUBJECTS_MAX]


def offences(root: str, files: list[str]) -> list[str]:
    found = crowded(files)
    ours = {name for f in files if f.endswith(".c") and not f.startswith("tests/") for name in functions_of(tree.read(root, f))} - {"main", *LIBC}
    for path in files:
        if not path.startswith("tests/unit/") or not is_c(path):
            continue
        text = tree.read(root, path)
        found += [f"{path}: includes a .c" for _ in INCLUDE_C.findall(text)]
        found += [f"{path}: defines static away" for _ in STATIC_AWAY.findall(text)]
        found += [f"{path}: wraps {name}(), which is ours" for name in sorted(set(WRAPPED.findall(source.code_of(text)))) if name in ours]
        found += [f"{path}: defines {name}(), which is ours" for name in functions_of(text) if name in ours]
    return found


OURS = "int loop_run(void)\n{\n\treturn 0;\n}\n"
PLANTS: tree.Plants = {
    "a .c is included": ({"tests/unit/base/a.c": '#include "base/loop.c"\n'}, 1),
    "in a header of tests": ({"tests/unit/base/a.h": '#include "base/loop.c" /* the private parts too */\n'}, 1),
    "static is defined away": ({"tests/unit/base/a.c": "#define static\n"}, 1),
    "our function is wrapped": ({"base/loop.c": OURS, "tests/unit/base/a.c": "int __wrap_loop_run(void);\n"}, 1),
    "libc's is": ({"base/loop.c": OURS, "tests/unit/base/a.c": "int __wrap_read(void);\n"}, 0),
    "our function is defined again": ({"base/loop.c": OURS, "tests/unit/base/a.c": OURS}, 1),
    "one of the same name is the file's own": ({"base/loop.c": OURS, "tests/unit/base/a.c": "static " + OURS}, 0),
    "a folder is full": ({f"dns/a{i}.c": "" for i in range(SUBJECTS_MAX)}, 0),
    "a folder is too full": ({f"dns/a{i}.c": "" for i in range(SUBJECTS_MAX + 1)}, 1),
    "tests may be many": ({f"tests/unit/dns/a{i}.c": "" for i in range(SUBJECTS_MAX + 1)}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
