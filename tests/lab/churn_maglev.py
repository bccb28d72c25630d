# SPDX-License-Identifier: BSD-2-Clause
"""What other systems use, on the same events: Maglev with a table of connections on each balancer.

A balancer sends a connection that it knows where it knows, another one by Maglev's table of the members of that
moment (Eisenbud et al., 2016, section 3.4). A connection breaks when a segment of it goes elsewhere than its SYN did.
"""
from __future__ import annotations

import hashlib
import typing

SIZE = 4099  # a prime, over a hundred a backend


def number(*words: str) -> int:
    return int.from_bytes(hashlib.blake2b("/".join(map(str, words)).encode(), digest_size=8).digest(), "little")


def table(members: typing.Any) -> list[None]:
    """Maglev's table for {name: weight}; a weight is as many turns."""
    order = [(n, number(n, "offset") % SIZE, number(n, "skip") % (SIZE - 1) + 1) for n, w in sorted(members.items())
             for _ in range(max(1, round(w / 50)))]
    order = [n for n in order if members[n[0]] > 0]
    entries, at, filled = [None] * SIZE, [0] * len(order), 0
    while filled < SIZE and order:
        for i, (name, offset, skip) in enumerate(order):
            while entries[(offset + at[i] * skip) % SIZE] is not None:
                at[i] += 1
            entries[(offset + at[i] * skip) % SIZE] = name
            at[i] += 1
            filled += 1
            if filled == SIZE:
                break
    return entries


def broken(connections: list[typing.Any], members: list[typing.Any], crashes: list[typing.Any],
           paths: dict[typing.Any, list[typing.Any]]) -> int:
    """
    How many connections break. connections: [(start_ms, end_ms, hash, key)]; members: [(from_ms, {name: weight})] in
    order; crashes: [(ms, balancer)] when a table is lost; paths: {key: [(from_ms, balancer)]}.
    """
    tables, count = [(t, table(m), {n for n, w in m.items()}) for t, m in members], 0
    for start, end, flow, key in connections:
        way = [(t, b) for t, b in paths.get(key, []) if t < end]
        if not way:
            continue
        own, known, at = None, set(), way[0][1]
        steps = [(t, "path", b) for t, b in way if t > start] + [(t, "lost", b) for t, b in crashes if start < t < end] + \
            [(t, "members", None) for t, _, _ in tables if start < t < end]
        for t, what, b in [(start, "path", at)] + sorted(steps, key=lambda s: s[0]):
            _, entries, alive = [x for x in tables if x[0] <= t][-1] if tables[0][0] <= t else tables[0]
            if what == "lost":
                known.discard(b)
            at = b if what == "path" else at
            now = own if at in known and own else entries[flow % SIZE]
            if own is None:
                own = now
            if own not in alive:
                break  # its backend died: not counted
            if now != own:
                count += 1
                break
            known.add(at)
    return count
