# SPDX-License-Identifier: BSD-2-Clause
"""Tests wait for conditions. A sleep is there for time that is itself the test, and a comment says what time it is.

Python: each call of time.sleep() has a comment on its line, or a line of comment right before. C: so has each sleep that is
not the pace of a loop, that is, whose statement or block has no `while`, `for` or `do` as its head.
"""
from __future__ import annotations

import io
import re
import tokenize
import typing

import source
import tree

MARK = re.compile(r"[(){};]|\b(?:u|nano)?sleep\s*\(")
LOOP = re.compile(r"\b(?:while|for|do)\b")
NOTHING = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}


def python_sleeps(text: str) -> tuple[set[int], set[int], set[int]]:
    """Lines that call time.sleep(), lines with a comment, lines with code."""
    words = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in NOTHING]
    comments = {t.start[0] for t in words if t.type == tokenize.COMMENT}
    sleeps = {b.start[0] for a, b in zip(words, words[2:]) if (a.string, b.string) == ("time", "sleep")}
    code = {line for t in words if t.type != tokenize.COMMENT for line in range(t.start[0], t.end[0] + 1)}
    return sleeps, comments, code


def c_sleeps(text: str) -> typing.Iterator[int]:
    """Lines of sleeps that are not the pace of a loop."""
    code = source.code_of(text)
    heads: list[str] = []  # of the blocks around
    begin = parentheses = 0
    for mark in MARK.finditer(code):
        here = mark.group()
        if here.endswith("(") and here != "(" and not LOOP.search(code[begin:mark.start()] + "".join(heads[-1:])):
            yield code.count("\n", 0, mark.start()) + 1
        if here == "{":
            heads.append(code[begin:mark.start()])
        elif here == "}":
            heads = heads[:-1]
        parentheses += here.endswith("(") - (here == ")")
        if here in "{}" or (here == ";" and parentheses == 0):
            begin = mark.end()


def bare_sleeps(path: str, text: str) -> list[int]:
    if path.endswith(".py"):
        sleeps, comments, code = python_sleeps(text)
    else:
        sleeps, comments = set(c_sleeps(text)), {line for line, _ in source.comments_of(text)}
        code = {n for n, line in enumerate(source.code_of(text).splitlines(), 1) if line.strip()}
    return sorted(n for n in sleeps if n not in comments and (n - 1 not in comments or n - 1 in code))


def offences(root: str, files: list[str]) -> list[str]:
    return [f"{path}:{n}: a sleep: wait for a condition instead, or say in a comment why time itself is tested"
            for path in files if path.startswith("tests/") and path.endswith((".py", ".c", ".h"))
            for n in bare_sleeps(path, tree.read(root, path))]


PLANTS: tree.Plants = {
    "a bare sleep": ({"tests/a.py": "import time\ntime.sleep(1)\n"}, 1),
    "a bare sleep behind a comment on other code": ({"tests/a.py": "x = 1  # why\ntime.sleep(1)\n"}, 1),
    "a text is no comment": ({"tests/a.py": "f(time.sleep(1), '# why')\n"}, 1),
    "a bare sleep in C": ({"tests/a.c": "int f(void)\n{\n\tif (a)\n\t\tusleep(3);\n\treturn 0; /* why */\n}\n"}, 1),
    "behind a loop, not in it": ({"tests/a.c": "void f(void)\n{\n\twhile (g())\n\t\th();\n\tsleep(3);\n}\n"}, 1),
    "in a block below a loop": ({"tests/a.c": "void f(void)\n{\n\tfor (;;) {\n\t\tif (a) {\n\t\t\tsleep(3);\n\t\t}\n\t}\n}\n"}, 1),
    "with its reason": ({"tests/a.py": "time.sleep(1)  # the deadline\n# The deadline.\ntime.sleep(2)\n"}, 0),
    "in C, with its reason": ({"tests/a.c": "void f(void)\n{\n\tsleep(1); /* the deadline */\n\t/* again */\n\tusleep(2);\n}\n"}, 0),
    "the pace of a loop": ({"tests/a.c": "void f(void)\n{\n\twhile (!g(1))\n\t\tusleep(9);\n\tdo {\n\t\tusleep(9);\n\t} while (g(2));\n"
                                         "\tfor (int i = 0; i < 9 && g(i); i++, usleep(9))\n\t\t;\n}\n"}, 0),
    "texts are no calls": ({"tests/a.py": "SCRIPT = 'import time; time.sleep(1)'\n"}, 0),
    "the product has its own rules": ({"mgmt/a.c": "void f(void)\n{\n\tsleep(1);\n}\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
