# SPDX-License-Identifier: BSD-2-Clause
"""The project's text: a licence line in each source, no left-over markers, no paths of somebody's machine,
nothing about how it came to be."""
from __future__ import annotations

import re

import tree

# Written in pieces, so that this file is not an offence of its own.
WORDS = {
    "a path of somebody's machine": re.compile("/" + r"(?:work|home|Users)/[a-z]"),
    "a left-over marker": re.compile(r"\b(?:TO" + "DO|FIX" + r"ME|X" + r"XX)\b"),
    "an issue's number": re.compile(r"\b(?i:issue|ticket)s? #?\d+\b"),
    "how it came to be": re.compile(r"(?i)\b(?:cla" + "ude|anthro" + "pic|chat" + r"gpt|copi" + r"lot)\b"),
}
LICENSED = (".c", ".h", ".py", ".sh", "meson.build")
LICENCE = re.compile(r"SPDX-License-Identifier: (?:BSD-2-Clause|Dual BSD/GPL|\(?GPL-2.0-only OR BSD-2-Clause\)?)")
BINARY = (".png", ".bin", ".ico", ".gz", ".o")


def offences(root: str, files: list[str]) -> list[str]:
    found = []
    for path in files:
        if path.endswith(BINARY) or "/corpus/" in path:
            continue
        text = tree.read(root, path)
        if path.endswith(LICENSED) and not LICENCE.search("\n".join(text.splitlines()[:4])):
            found.append(f"{path}: no SPDX line at its beginning")
        for number, line in enumerate(text.splitlines(), 1):
            found += [f"{path}:{number}: {what}: {line.strip()[:80]}"
                      for what, pattern in WORDS.items() if pattern.search(line)]
    return found


def one(text: str) -> tuple[tree.Tree, int]:
    return {"a.md": text + "\n"}, 1


PLANTS: tree.Plants = {
    "a machine's path": one("see /" + "work/notes"),
    "a marker": one("TO" + "DO: later"),
    "an issue's number": one("as in is" + "sue 12"),
    "no licence": ({"a.c": "int a;\n"}, 1),
    "clean": ({"a.c": "/* SPDX-License-Identifier: BSD-2-Clause */\nint a;\n", "a.md": "mktemp XXXXXX\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
