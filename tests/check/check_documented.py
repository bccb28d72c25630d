# SPDX-License-Identifier: BSD-2-Clause
"""Every prototype of a public header (include/weir, base) has a /** comment.

One comment may stand over a group: prototypes that follow each other without an empty line.
"""
from __future__ import annotations

import re
import typing

import tree

PROTOTYPE = re.compile(r"^(?:[\w*]+[\s*]+)+\**(\w+)\([^;{]*\)[^;{]*;$", re.S)
SKIP = ("typedef", "#", "static", "return", "_Static_assert", "//", "/*", "*")


def pieces(text: str) -> typing.Iterator[tuple[str, str]]:
    """The header's top-level pieces in order: ('comment', ...), ('empty', ''), ('code', statement)."""
    statement: list[str] = []
    depth, comment = 0, False
    for line in text.splitlines():
        bare = line.strip()
        if comment or (not statement and depth == 0 and bare.startswith("/*")):
            if not comment:
                kind = "doc" if bare.startswith("/**") else "comment"
                yield kind, ""
            comment = "*/" not in bare
            continue
        if not bare and not statement:
            yield "empty", ""
            continue
        if bare.startswith("#") and not statement:
            continue
        depth += line.count("{") - line.count("}")
        statement.append(line)
        if depth == 0 and bare.endswith((";", "}")):
            yield "code", "\n".join(statement)
            statement = []


def undocumented(text: str) -> typing.Iterator[typing.Any]:
    documented = False
    for kind, code in pieces(text):
        if kind == "doc":
            documented = True
        elif kind in ("empty", "comment"):
            documented = False
        else:
            match = PROTOTYPE.match(code.strip())
            if match and not code.strip().startswith(SKIP) and not documented:
                yield match.group(1)


def offences(root: str, files: list[str]) -> list[str]:
    found = []
    for path in files:
        if path.endswith(".h") and path.startswith(("include/weir/", "base/")):
            found += [f"{path}: {name}() has no /** comment" for name in undocumented(tree.read(root, path))]
    return found


PLANTS: tree.Plants = {
    "no comment": ({"base/a.h": "int a_b(int c);\n"}, 1),
    "a plain comment": ({"base/a.h": "/* It. */\nint a_b(int c);\n"}, 1),
    "an empty line between": ({"include/weir/a.h": "/** It. */\n\nint a_b(int c);\n"}, 1),
    "over two lines": ({"base/a.h": "const struct x *a_b(int c,\n                    int d);\n"}, 1),
    "documented, alone and in a group": ({"base/a.h": "/**\n * It.\n */\nint a_b(void);\n\n/** Two. */\nint c(void);\n"
                                                      "struct x *d(int a,\n            int b);\n"}, 0),
    "other places": ({"dns/a.h": "int a_b(int c);\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
