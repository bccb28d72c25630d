# SPDX-License-Identifier: BSD-2-Clause
"""The table of problem codes (mgmt/json/problem.c): each code that weir-mgmt refuses by is in it, with its status; and docs/api.md
prints it.

Written by: python3 tests/check/check_problems.py --write
"""
from __future__ import annotations

import os
import re
import sys
import typing

import tree

TABLE, DOCUMENT = "mgmt/json/problem.c", "docs/api.md"
TEXT = r'"((?:[^"\\]|\\.)*)"'
ROW = re.compile(rf'\{{ {TEXT}, {TEXT}, ([A-Z]+),\s*{TEXT},\s*(?:NULL|{TEXT}) \}}')
USED = re.compile(r'\b([45]\d\d),\s*"([a-z-]+)"')
PLACE = re.compile(r"<!-- problems -->\n(?:\|.*\n)*")


def rows_of(source: str) -> list[tuple[str, ...]]:
    return [tuple(x.replace('\\"', '"') for x in m) for m in ROW.findall(source)]


def printed(document: str, rows: list[tuple[str, ...]]) -> str:
    lines = ["| code | status | meaning | what to do |", "|---|---|---|---|"]
    lines += [f"| `{code}` | {statuses} | {means} | {cure} |" for code, statuses, _, means, cure in rows]
    return PLACE.sub(lambda _: "<!-- problems -->\n" + "\n".join(lines) + "\n", document)


def offences(root: str, files: list[str]) -> list[str]:
    if TABLE not in files:
        return [f"{TABLE} is missing"]
    rows = rows_of(tree.read(root, TABLE))
    known = {code: statuses.split(", ") for code, statuses, *_ in rows}
    found = [f"{path}: {status} {code} is not in {TABLE}" for path in files
             if path.startswith("mgmt/") and not path.startswith("mgmt/etcd/") and path.endswith(".c") and path != TABLE
             for status, code in USED.findall(tree.read(root, path)) if status not in known.get(code, [])]
    text = tree.read(root, DOCUMENT) if DOCUMENT in files else ""
    if "<!-- problems -->" not in text or printed(text, rows) != text:
        found.append(f"{DOCUMENT}: the table is not that of {TABLE}: python3 tests/check/check_problems.py --write")
    return found


def write() -> None:
    path = os.path.join(tree.ROOT, DOCUMENT)
    text = printed(tree.read(tree.ROOT, DOCUMENT), rows_of(tree.read(tree.ROOT, TABLE)))
    with open(path, "w") as f:
        f.write(text)


SHOWN = "x\n<!-- problems -->\n| code | status | meaning | what to do |\n|---|---|---|---|\n| `a-b` | 409, 412 | harm |  |\n| `c` | 503 | \"x\" | wait |\n\nend\n"
GOOD: dict[str, typing.Any] = {TABLE: '{ "a-b", "409, 412", ANY, "harm", NULL },\n{ "c", "503", BODY,\n "\\"x\\"",\n "wait" },\n', DOCUMENT: SHOWN,
                               "mgmt/a.c": 'http_problem(r, 412, "a-b", "x"); f(out, 503,\n "c");'}
PLANTS: tree.Plants = {
    "as it should be": (GOOD, 0),
    "another code": ({**GOOD, "mgmt/a.c": 'http_problem(r, 412, "a-c", "x");'}, 1),
    "another status": ({**GOOD, "mgmt/a.c": 'http_problem(r, 404, "a-b", "x");'}, 1),
    "another meaning in the document": ({**GOOD, DOCUMENT: SHOWN.replace("harm", "ham")}, 1),
    "no table in the document": ({**GOOD, DOCUMENT: "x\n"}, 1),
    "no table": ({DOCUMENT: SHOWN}, 1),
}

if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        tree.main(offences, PLANTS)
