# SPDX-License-Identifier: BSD-2-Clause
"""Functions of at most 60 lines (tests: 80). A file is one subject, and as long as its subject."""
from __future__ import annotations

import ast
import re
import typing

import tree

PRODUCT_MAX, TESTS_MAX = 60, 80  # a test may be a long, flat story


def c_functions(text: str) -> typing.Iterator[tuple[str, int, int]]:
    """(name, first line, lines) of each function; the style puts its braces into the first column."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line.startswith("}") and start:
            head = " ".join(lines[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\s*\(", head)
            yield names[-1] if names else "?", start, number - start + 1
            start = None


def python_functions(text: str) -> typing.Iterator[tuple[str, int, int]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, (node.end_lineno or 0) - node.lineno + 1


def offences(root: str, files: list[str]) -> list[str]:
    found = []
    for path in files:
        if not path.endswith((".c", ".h", ".py")) and path != "tests/run":
            continue
        text = tree.read(root, path)
        most = PRODUCT_MAX if path.endswith((".c", ".h")) and not path.startswith("tests/") else TESTS_MAX
        functions = c_functions if path.endswith((".c", ".h")) else python_functions
        found += [f"{path}:{line}: {name} has {count} lines, at most {most}"
                  for name, line, count in functions(text) if count > most]
    return found


def c_function(lines: int) -> str:
    return "int f(void)\n{\n" + "\tg();\n" * (lines - 2) + "}\n"


PLANTS: tree.Plants = {
    "a long C function": ({"a.c": c_function(61)}, 1),
    "one of just 60 lines": ({"a.c": c_function(60)}, 0),
    "a long function of a test": ({"tests/a.c": c_function(81)}, 1),
    "one of just 80 lines there": ({"tests/a.c": c_function(80)}, 0),
    "the second function of a file": ({"a.c": c_function(10) + c_function(100)}, 1),
    "a long file": ({"a.h": "\n" * 601}, 0),
    "a long Python function": ({"a.py": "def f():\n" + "    g()\n" * 80}, 1),
    "short ones": ({"a.py": "def f():\n    g()\n", "a.c": c_function(5)}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
