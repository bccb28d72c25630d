# SPDX-License-Identifier: BSD-2-Clause
"""docs/installation.md as a reader takes it: its blocks in their order, and what to replace in them on which host.

A fence says what a block is: ```sh WHERE is for the hosts WHERE, ```weir NAME and ```zone NAME are files. The tables `of a node` and
`of a site` say what to replace: a value of the first column by that of the host's own.
"""
from __future__ import annotations

import os
import re
import subprocess
import typing

PATH = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "installation.md")
FENCE = re.compile(r"^```(\w+) (.+)\n((?:.*\n)*?)```$", re.M)
VALUE = re.compile(r"[a-z0-9./-]+")


class Block(typing.NamedTuple):
    kind: str   # sh, weir, zone
    where: str  # on which hosts, or the file's name
    text: str


def read_page() -> str:
    with open(PATH) as f:
        return f.read()


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page)]


def cells(line: str) -> list[str]:
    return [cell.strip(" `") for cell in line.strip().strip("|").split("|")]


def columns(page: str, of: str) -> dict[str, dict[str, str]]:
    """What to replace on a host of each column of a table: {column: {value of the first: its own}}."""
    lines = re.search(rf"^\| of a {of} \|.*\n(?:\|.*\n)*", page, re.M)[0].splitlines()
    names = cells(lines[0])[1:]
    rows = [names, *(cells(line)[1:] for line in lines[2:])]
    return {name: {row[0]: row[i] for row in rows if VALUE.fullmatch(row[0])} for i, name in enumerate(names)}


def replaced(text: str, values: dict[str, str]) -> str:
    """@text for a host. A value is whole: `10.1.2.1` is not a part of `10.1.2.11`, nor `ams` of `ams-1`."""
    if not values:
        return text
    longest_first = sorted(values, key=len, reverse=True)
    pattern = "|".join(rf"(?<![\w.-]){re.escape(v)}(?![\w-]|\.\w)" for v in longest_first)
    return re.sub(pattern, lambda m: values[m[0]], text)


def commands(text: str) -> list[str]:
    """The commands of a block; a loop or a here-document is one."""
    found, held = [], ""
    for line in text.splitlines(keepends=True):
        held += line
        parsed = subprocess.run(["bash", "-n"], input=held, capture_output=True, text=True, check=False)
        if parsed.returncode == 0 and not parsed.stderr:  # a here-document without its end is a warning
            found.append(held)
            held = ""
    if held.strip():
        raise ValueError(f"no end: {held}")
    return found
