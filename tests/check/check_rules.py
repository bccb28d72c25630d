# SPDX-License-Identifier: BSD-2-Clause
"""The table of rules (mgmt/rules/rule.h): each row has a predicate, a source of the product that names it, or states its name as a
condition (that each predicate names a row, the compiler says); and documents print the table. Where a document has <!-- rules: SCOPE... -->, the rows of these scopes follow.

Written by: python3 tests/check/check_rules.py --write
"""
from __future__ import annotations

import os
import re
import sys
import typing

import source
import tree

TABLE = "mgmt/rules/rule.h"
TEXT = r'"(?:[^"\\]|\\.)*"'
ROW = re.compile(rf'\bX\((\w+), "([a-z-]+)", (\w+), (\w+), ({TEXT})((?:, \.\w+ = (?:{TEXT}|[\d.]+))*)\)')
MORE = re.compile(rf"\.(\w+) = ({TEXT}|[\d.]+)")
PLACE = re.compile(r"<!-- rules: ([a-z ]+) -->\n(?:\|.*\n)*")
# Of each scope: heading and field of a column.
COLUMNS = {
    "operation": {"why": "name", "what it means": "means", "what to do": "cure"},
    "step": {"why": "name", "what it means": "means", "what to do": "cure"},
    "override": {"guard": "name", "refuses when": "means", "what to do": "cure"},
    "drain": {"state": "name", "the node": "level", "what it means": "means", "what to do": "cure"},
    "status": {"code": "name", "state": "level", "when": "means", "why this state": "harm", "what to do": "cure"},
    "version": {"code": "name", "what it means": "means", "what to do": "cure"},
    "change": {"rule": "name", "risky from": "level", "harm": "means"},
}
Row = dict[str, str]


def rows_of(header: str) -> list[Row]:
    text = re.sub(r"\s*\\\n\s*", " ", header).replace('" "', "")  # also texts of two parts
    found = [{"id": id, "name": f"`{name}`", "scope": scope.lower(), "level": level.lower(), "means": means[1:-1],
              **{field: value.strip('"') for field, value in MORE.findall(more)}} for id, name, scope, level, means, more in ROW.findall(text)]
    if len(found) != len(re.findall(r'\bX\(\w+, "', text)):
        raise SystemExit(f"{TABLE}: rows that are not like X(ID, \"name\", SCOPE, LEVEL, \"means\", .field = value)")
    return found


def cell(row: Row, field: str) -> str:
    if field != "level" or "limit" not in row:
        return row.get(field, "")
    return f"{float(row['limit']):.3g} times" if row["level"] == "times" else f"{float(row['limit']) * 100:.3g} %"


def table(rows: list[Row], scopes: list[str]) -> str:
    columns = COLUMNS[scopes[0]]
    lines = [list(columns), ["---"] * len(columns)]
    lines += [[cell(r, field) for field in columns.values()] for scope in scopes for r in rows if r["scope"] == scope]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def printed(document: str, rows: list[Row]) -> str:
    return PLACE.sub(lambda place: f"<!-- rules: {place[1]} -->\n{table(rows, place[1].split())}", document)


def offences(root: str, files: list[str]) -> list[str]:
    if TABLE not in files:
        return [f"{TABLE} is missing"]
    rows = rows_of(tree.read(root, TABLE))
    used: set[str] = set()
    said: set[str] = set()
    shown: set[str] = set()
    found: list[str] = []
    for path in files:
        if path.endswith((".c", ".h")) and path != TABLE and not path.startswith("tests/"):
            text = tree.read(root, path)
            used.update(re.findall(r"\w+", source.code_of(text)))
            said.update(re.findall(r'"([a-z-]+)"', text))
        if path.startswith("docs/") and path.endswith(".md"):
            text = tree.read(root, path)
            shown.update(scope for place in PLACE.finditer(text) for scope in place[1].split())
            if printed(text, rows) != text:
                found.append(f"{path}: a table is not that of {TABLE}: python3 tests/check/check_rules.py --write")
    found += [f"{TABLE}: no source asks for {r['name']} ({r['id']})" for r in rows
              if r["id"] not in used and not (r["level"] == "stated" and r["name"].strip("`") in said)]
    return found + [f"{TABLE}: no document shows {scope}" for scope in sorted({r["scope"] for r in rows} - shown)]


def write() -> None:
    rows = rows_of(tree.read(tree.ROOT, TABLE))
    for path in tree.project_files(tree.ROOT):
        if path.startswith("docs/") and path.endswith(".md"):
            text = printed(tree.read(tree.ROOT, path), rows)
            with open(os.path.join(tree.ROOT, path), "w") as f:
                f.write(text)


ROWS = '#define R(X) X(A_B, "a-b", CHANGE, ANY, \\\n "ha" \\\n "rm") \\\n X(C, "c", CHANGE, TIMES, "more", .limit = 3)\n'
SHOWN = "x\n<!-- rules: change -->\n| rule | risky from | harm |\n| --- | --- | --- |\n| `a-b` | any | harm |\n| `c` | 3 times | more |\n\nend\n"
GOOD: dict[str, typing.Any] = {TABLE: ROWS, "docs/a.md": SHOWN, "mgmt/a.c": "f(A_B);", "mgmt/b.c": "f(C);"}
PLANTS: tree.Plants = {
    "as it should be": (GOOD, 0),
    "a row is not asked": ({**GOOD, "mgmt/b.c": ""}, 1),
    "one is in a comment alone": ({**GOOD, "mgmt/b.c": "/* C */"}, 1),
    "one is in a test alone": ({**GOOD, "mgmt/b.c": "", "tests/b.c": "f(C);"}, 1),
    "a process states its name": ({**GOOD, TABLE: ROWS.replace("TIMES", "STATED").replace(", .limit = 3", ""), "docs/a.md": SHOWN.replace("3 times", "stated"),
                                   "mgmt/b.c": 'f("c");'}, 0),
    "none does": ({**GOOD, TABLE: ROWS.replace("TIMES", "STATED").replace(", .limit = 3", ""), "docs/a.md": SHOWN.replace("3 times", "stated"), "mgmt/b.c": ""}, 1),
    "another limit in the document": ({**GOOD, "docs/a.md": SHOWN.replace("3", "4")}, 1),
    "a row is missing in the document": ({**GOOD, "docs/a.md": SHOWN.replace("| `c` | 3 times | more |\n", "")}, 1),
    "no document": ({**GOOD, "docs/a.md": "x\n"}, 1),
    "no table": ({}, 1),
}

if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        tree.main(offences, PLANTS)
