# SPDX-License-Identifier: BSD-2-Clause
"""Who calls whom: the external functions of .c files, and the files that name them in code that runs."""
from __future__ import annotations

import collections
import re
import typing

import source
import tree


# A struct or a member may have a function's name.
OTHER_NAME = re.compile(r"\b(?:struct|union|enum)\s+\w+|(?:\.|->)\s*[A-Za-z_]\w*")


def code_that_runs(text: str) -> str:
    """A file's macros, bodies of functions and tables: what is left without the prototypes."""
    code = OTHER_NAME.sub(" ", source.code_of(text))
    macros = [m.group() for m in source.DIRECTIVE.finditer(code) if re.match(r"\s*#\s*define", m.group())]
    kept, depth, begin = [], 0, 0
    plain = source.DIRECTIVE.sub("", code)
    for mark in re.finditer(r"[{};]", plain):
        depth += (mark.group() == "{") - (mark.group() == "}")
        if depth == 0:
            statement = plain[begin:mark.end()]
            if mark.group() == "}" or "=" in statement:
                kept.append(statement)
            begin = mark.end()
    return "\n".join(macros + kept)


class Calls:
    """The external functions of .c files (or those given: name and home), and which files name each, how often in all."""

    def __init__(self, root: str, files: typing.Iterable[str], home: dict[str, str] | None = None) -> None:
        texts = {f: tree.read(root, f) for f in files if f.endswith((".c", ".h")) and not f.endswith(".bpf.c")}
        self.home = home if home is not None else {
            d.name: path for path, text in texts.items() if path.endswith(".c")
            for d in source.definitions(text) if d.kind == "function" and not d.static and d.name != "main"}
        self.users: dict[str, set[str]] = {}
        self.counts: collections.Counter[str] = collections.Counter()
        for path, text in texts.items():
            names = [name for name in source.NAME.findall(code_that_runs(text)) if name in self.home]
            self.counts.update(names)
            for name in names:
                self.users.setdefault(name, set()).add(path)

    def beyond(self, name: str) -> set[str]:
        """The other files that name a function."""
        return self.users.get(name, set()) - {self.home[name]}
