# SPDX-License-Identifier: BSD-2-Clause
"""Layouts of C structs, as ctypes, and constants, as the build has them: nothing is repeated by hand.

The build's lab-layouts (layouts.c) prints them from the headers. What a test needs beyond its rows is a row more there.
"""
from __future__ import annotations

import ctypes
import functools
import json
import os
import typing

from net import call, executable

SCALARS: dict[str, type[typing.Any]] = {
    "char": ctypes.c_char, "u8": ctypes.c_uint8, "u16": ctypes.c_uint16, "u32": ctypes.c_uint32, "u64": ctypes.c_uint64}


@functools.cache
def layouts() -> typing.Any:
    return json.loads(call([executable("lab-layouts")]))


def constant(name: str) -> int:
    return layouts()["constants"][name]


@functools.cache
def read(name: str) -> type[typing.Any]:
    """A type by its name in C, as `struct page_header`. It has the members that layouts.c names; the rest is padding."""
    rows = [row[1:] for row in layouts()["members"] if row[0] == name]
    fields: list[tuple[str, typing.Any]] = []
    end = 0
    for _, member, kind, off, size in rows:
        if off > end:
            fields.append((f"_{end}", ctypes.c_uint8 * (off - end)))
        one = SCALARS[kind] if kind in SCALARS else read(kind)
        fields.append((member, one if ctypes.sizeof(one) == size else one * (size // ctypes.sizeof(one))))
        end = off + size
    whole = rows[0][0]
    if whole > end:
        fields.append((f"_{end}", ctypes.c_uint8 * (whole - end)))
    return type(name.split()[-1], (ctypes.Structure,), {"_pack_": 1, "_fields_": fields})


def size_of(name: str) -> int:
    return ctypes.sizeof(read(name))


def page_header(path: str) -> typing.Any:
    """The header of a page; its payload follows."""
    header = read("struct page_header")
    with open(path, "rb") as f:
        return header.from_buffer_copy(f.read(ctypes.sizeof(header)))


def payload(path: str, name: str) -> typing.Any:
    """What follows the header of a page."""
    with open(path, "rb") as f:
        return read(name).from_buffer_copy(f.read(), size_of("struct page_header"))


def stats_of(path: str) -> dict[tuple[str, str], int]:
    """The counters of a stats page: {(name, labels): value}."""
    entry_type, size = read("struct stats_entry"), size_of("struct stats_entry")
    begin = size_of("struct page_header") + size_of("struct stats_head")
    with open(path, "rb") as f:
        data = f.read(begin)
        n = read("struct stats_head").from_buffer_copy(data, size_of("struct page_header")).n
        data = f.read(n * size)
    found = {}
    for at in range(0, len(data) - size + 1, size):
        entry = entry_type.from_buffer_copy(data, at)
        if entry.used:
            found[entry.name.decode(), entry.labels.decode()] = entry.value
    return found


def stats_payload(rows: typing.Sequence[tuple[str, str, int]]) -> bytes:
    """What a stats page holds that has these counters and gauges: (name, labels, value)."""
    entries = [read("struct stats_entry")(
        name=name.encode(), labels=labels.encode(), help=b"for the test", used=1, value=value,
        kind=constant("STATS_COUNTER" if name.endswith("_total") else "STATS_GAUGE")) for name, labels, value in rows]
    return bytes(read("struct stats_head")(n=len(rows))) + b"".join(bytes(e) for e in entries)


def tables_of(path: str) -> dict[str, tuple[int, int]]:
    """Where a mapped file has its forwarding tables: {name: (offset, bytes)}. LabError while it is being made."""
    info = os.stat(path)
    return tables_in(path, info.st_ino, info.st_size)


@functools.cache
def tables_in(path: str, inode: int, size: int) -> dict[str, tuple[int, int]]:
    """As tables_of(), asked once for each file."""
    del inode, size
    return json.loads(call([executable("lab-layouts"), path]))
