# SPDX-License-Identifier: BSD-2-Clause
"""Each row of the table of rules (mgmt/rules/rule.h) has a predicate: a source of the product names it. That each predicate
names a row, the compiler says."""
from __future__ import annotations

import re

import source
import tree

TABLE = "mgmt/rules/rule.h"
ROW = re.compile(r'X\((\w+),\s*"([a-z-]+)"')


def offences(root: str, files: list[str]) -> list[str]:
    if TABLE not in files:
        return [f"{TABLE} is missing"]
    rows = ROW.findall(re.sub(r"\s*\\\n\s*", " ", tree.read(root, TABLE)))
    used: set[str] = set()
    for path in files:
        if path.endswith((".c", ".h")) and path != TABLE and not path.startswith("tests/"):
            used.update(re.findall(r"\w+", source.code_of(tree.read(root, path))))
    return [f"{TABLE}: no source asks for {name} ({id})" for id, name in rows if id not in used]


ROWS = '#define R(X) X(A_B, "a-b", S, \\\n "means") \\\n X(C, "c", S, "means")\n'
PLANTS: tree.Plants = {
    "all are asked": ({TABLE: ROWS, "mgmt/a.c": "f(A_B);", "mgmt/b.c": "f(C);"}, 0),
    "one is not": ({TABLE: ROWS, "mgmt/a.c": "f(A_B);"}, 1),
    "one is in a comment alone": ({TABLE: ROWS, "mgmt/a.c": "f(A_B); /* C */"}, 1),
    "one is in a test alone": ({TABLE: ROWS, "mgmt/a.c": "f(A_B);", "tests/b.c": "f(C);"}, 1),
    "no table": ({}, 1),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
