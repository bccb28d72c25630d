# SPDX-License-Identifier: BSD-2-Clause
"""Layouts of C structs, as ctypes, from the headers that declare them: nothing is repeated by hand.

Members are integers of <stdint.h>, char, other structs of the same header, and arrays of these; an array's size is a number
or a #define of the header. ctypes aligns them as the compiler does. Anything else (a union, a bit field) raises KeyError.
"""
from __future__ import annotations

import ctypes
import functools
import os
import re
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMENT = re.compile(r"/\*.*?\*/", re.S)
DEFINE = re.compile(r"^#define\s+(\w+)\s+(\d+)u?\s*$", re.M)
MEMBER = re.compile(r"\s*(?:struct\s+)?(\w+)\s+([^;]+);")
DECLARATOR = re.compile(r"^\s*(\w+)\s*((?:\[\s*\w+\s*\]\s*)*)$")
SCALARS: dict[str, type[typing.Any]] = {"char": ctypes.c_char, **{
    f"{sign}int{bits}_t": getattr(ctypes, f"c_{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)}}


@functools.cache
def read(header: str, name: str) -> type[typing.Any]:
    """`struct NAME` of a header, given by its path in the project."""
    with open(os.path.join(ROOT, header)) as f:
        text = COMMENT.sub(" ", f.read())
    sizes = dict(DEFINE.findall(text))
    body = re.search(rf"^struct {name} \{{(.*?)^\}}", text, re.M | re.S)
    if not body:
        raise KeyError(f"{header} has no struct {name}")
    fields = []
    for kind, declarators in MEMBER.findall(body[1]):
        for declarator in declarators.split(","):
            found = DECLARATOR.match(declarator)
            if not found:
                raise KeyError(f"struct {name}: {declarator}")
            member = SCALARS[kind] if kind in SCALARS else read(header, kind)
            for size in reversed(re.findall(r"\w+", found[2])):
                member = member * int(sizes.get(size, size))
            fields.append((found[1], member))
    return type(name, (ctypes.Structure,), {"_fields_": fields})


PageHeader = read("base/page.h", "page_header")
StatsEntry = read("include/weir/stats.h", "stats_entry")
PAGE_HEADER_BYTES = ctypes.sizeof(PageHeader)


def stats_of(path: str) -> dict[tuple[str, str], int]:
    """The counters of a stats page: {(name, labels): value}."""
    with open(path, "rb") as f:
        data = f.read()
    found = {}
    for at in range(PAGE_HEADER_BYTES, len(data) - ctypes.sizeof(StatsEntry) + 1, ctypes.sizeof(StatsEntry)):
        entry = StatsEntry.from_buffer_copy(data, at)
        if entry.used:
            found[entry.name.decode(), entry.labels.decode()] = entry.value
    return found
