# SPDX-License-Identifier: BSD-2-Clause
"""When a router's kernel had which next hops for which prefixes: its rtnetlink messages, by the clock of time.monotonic_ns()."""
from __future__ import annotations

import socket
import struct
import threading
import time
import typing

from net import Host, entered

NEWROUTE, DELROUTE, MAIN = 24, 25, 254
DST, GATEWAY, MULTIPATH, TABLE = 1, 5, 9, 15
GROUPS = 0x40 | 0x400  # RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE


def attributes(data: bytes) -> typing.Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        n, kind = struct.unpack("HH", data[:4])
        if n < 4:
            return
        yield kind & 0x3fff, data[4:n]
        data = data[(n + 3) & ~3:]


def gateways(data: bytes) -> set[bytes]:
    """Those of an RTA_MULTIPATH."""
    found = set()
    while len(data) >= 8:
        n = struct.unpack("H", data[:2])[0]
        if n < 8:
            break
        found |= {value for kind, value in attributes(data[8:n]) if kind == GATEWAY}
        data = data[(n + 3) & ~3:]
    return found


class FibWatch:
    """Follows the host routes of a router's main table in a thread."""

    def __init__(self, router: Host) -> None:
        with entered(router.ns):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((0, GROUPS))
        self.hops: dict[bytes, set[bytes]] = {}
        self.events: list[tuple[int, bytes, set[bytes]]] = []
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self) -> None:
        while data := self.socket.recv(1 << 16):
            now = time.monotonic_ns()
            while len(data) >= 16:
                n, kind = struct.unpack("IH", data[:6])
                if kind in (NEWROUTE, DELROUTE):
                    self.take(now, kind, data[16:n])
                data = data[(n + 3) & ~3:]

    def take(self, now: int, kind: int, message: bytes) -> None:
        family, bits, table = message[0], message[1], message[4]
        found = dict(attributes(message[12:]))
        if DST not in found or table != MAIN or bits != (32 if family == socket.AF_INET else 128):
            return
        hops = gateways(found.get(MULTIPATH, b"")) | ({found[GATEWAY]} if GATEWAY in found else set())
        hops = set() if kind == DELROUTE else hops
        self.hops[found[DST]] = hops
        self.events.append((now, found[DST], hops))

    def since(self, began_ns: int, hop: set[bytes], wanted: set[bytes], there: bool) -> float | None:
        """Milliseconds from @began_ns until the last of the prefixes first had (or had not) a next hop of @hop."""
        left, last = set(wanted), None
        for at, prefix, hops in self.events:
            if at >= began_ns and prefix in left and bool(hops & hop) == there:
                left.discard(prefix)
                last = at
        return None if left or last is None else (last - began_ns) / 1e6

    def all_are(self, hop: set[bytes], wanted: set[bytes], there: bool) -> bool:
        return all(bool(self.hops.get(prefix, set()) & hop) == there for prefix in wanted)
