# SPDX-License-Identifier: BSD-2-Clause
"""docs/risks.md lists exactly the rules of mgmt/rules/risk_internal.h, with their limits.

Written by: python3 tests/check/check_risks.py --write
"""
from __future__ import annotations

import os
import re
import sys
import typing

import tree

HEADER, DOCUMENT, RULE = "mgmt/rules/risk_internal.h", "docs/risks.md", "|---|---|---|\n"
ROW = re.compile(r'X\((\w+),\s*"([a-z-]+)",\s*(SHARE|TIMES),\s*(RISK_ANY|[\d.]+),\s*"([^"]+)"\)')


def limit_text(unit: typing.Any, limit: typing.Any) -> str:
    if limit == "RISK_ANY":
        return "any"
    return f"{float(limit):.3g} times" if unit == "TIMES" else f"{float(limit) * 100:.3g} %"


def table(header: str) -> str:
    """The table's rows, as the header's rules make them."""
    text = re.sub(r"\s*\\\n\s*", " ", header).replace('" "', "")  # also texts of two parts
    return "".join(f"| `{name}` | {limit_text(unit, limit)} | {harm} |\n"
                   for _, name, unit, limit, harm in ROW.findall(text))


def split(document: str) -> tuple[str, typing.Any, str]:
    """What stands before the table's rows, the rows, and what follows."""
    head, rest = document.split(RULE)
    rows = re.findall(r"\A(?:\|.*\n)*", rest)[0]
    return head + RULE, rows, rest[len(rows):]


def offences(root: str, files: list[str]) -> list[str]:
    if HEADER not in files or DOCUMENT not in files:
        return [f"{HEADER} or {DOCUMENT} is missing"]
    if split(tree.read(root, DOCUMENT))[1] == table(tree.read(root, HEADER)):
        return []
    return [f"{DOCUMENT}: its table is not that of {HEADER}: python3 tests/check/check_risks.py --write"]


def write() -> None:
    path = os.path.join(tree.ROOT, DOCUMENT)
    head, _, rest = split(tree.read(tree.ROOT, DOCUMENT))
    with open(path, "w") as f:
        f.write(head + table(tree.read(tree.ROOT, HEADER)) + rest)


RULES = 'X(A, "a-b", SHARE, RISK_ANY, \\\n "harm")\nX(C, "c", TIMES, 3, "more")\n'
SPLIT = 'X(A, "a-b", SHARE, RISK_ANY, \\\n "ha" \\\n "rm") \\\n X(C, "c", TIMES, 3, "more")\n'
ROWS = "| `a-b` | any | harm |\n| `c` | 3 times | more |\n"
PLANTS: tree.Plants = {
    "equal": ({HEADER: RULES, DOCUMENT: "x\n" + RULE + ROWS + "\nend\n"}, 0),
    "a text of two parts": ({HEADER: SPLIT, DOCUMENT: "x\n" + RULE + ROWS}, 0),
    "another limit": ({HEADER: RULES, DOCUMENT: "x\n" + RULE + ROWS.replace("3", "4")}, 1),
    "a rule that is missing": ({HEADER: RULES, DOCUMENT: "x\n" + RULE + ROWS.split("\n")[0] + "\n"}, 1),
    "no document": ({HEADER: RULES}, 1),
}

if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        tree.main(offences, PLANTS)
