# SPDX-License-Identifier: BSD-2-Clause
"""What UPDATE messages (RFC 4271, RFC 4760) a capture of a router's port holds: who sent which prefixes, announced or withdrawn.

The capture is tcpdump's (pcap, Ethernet). Each direction of a connection is put together by its sequence numbers; a capture
that begins within a session finds the next message by its marker.
"""
from __future__ import annotations

import dataclasses
import ipaddress
import struct
import typing

MARKER = b"\xff" * 16
UPDATE, MP_REACH, MP_UNREACH, COMMUNITIES = 2, 14, 15, 8
GRACEFUL_SHUTDOWN = struct.pack(">HH", 65535, 0)


@dataclasses.dataclass
class Update:
    at: float
    sender: str
    announced: list[str]
    withdrawn: list[str]
    shutdown: bool  # carries GRACEFUL_SHUTDOWN


def prefixes(data: bytes, bytes_max: int) -> list[str]:
    found = []
    while data:
        bits, n = data[0], (data[0] + 7) // 8
        address = ipaddress.ip_address(data[1:1 + n].ljust(bytes_max, b"\0"))
        found.append(f"{address}/{bits}")
        data = data[1 + n:]
    return found


def attributes(data: bytes) -> typing.Iterator[tuple[int, bytes]]:
    while len(data) >= 3:
        long = data[0] & 0x10
        n = struct.unpack(">H", data[2:4])[0] if long else data[2]
        begin = 4 if long else 3
        yield data[1], data[begin:begin + n]
        data = data[begin + n:]


def update(at: float, sender: str, body: bytes) -> Update:
    n_withdrawn = struct.unpack(">H", body[:2])[0]
    n_attributes = struct.unpack(">H", body[2 + n_withdrawn:4 + n_withdrawn])[0]
    begin = 4 + n_withdrawn
    found = Update(at, sender, prefixes(body[begin + n_attributes:], 4), prefixes(body[2:2 + n_withdrawn], 4), False)
    for kind, value in attributes(body[begin:begin + n_attributes]):
        if kind == COMMUNITIES:
            found.shutdown = any(value[i:i + 4] == GRACEFUL_SHUTDOWN for i in range(0, len(value), 4))
        elif kind == MP_REACH:
            found.announced += prefixes(value[5 + value[3]:], 16)
        elif kind == MP_UNREACH:
            found.withdrawn += prefixes(value[3:], 16)
    return found


class Stream:
    """One direction of a connection."""

    def __init__(self, sender: str) -> None:
        self.sender, self.next, self.held = sender, None, b""  # type: str, int | None, bytes
        self.later: dict[int, bytes] = {}

    def feed(self, at: float, seq: int, data: bytes) -> typing.Iterator[Update]:
        if self.next is None:
            self.next = seq
        self.later[seq] = data
        while self.next in self.later:
            piece = self.later.pop(self.next)
            self.held += piece
            self.next = (self.next + len(piece)) & 0xffffffff
        yield from self.messages(at)

    def messages(self, at: float) -> typing.Iterator[Update]:
        while (begin := self.held.find(MARKER)) >= 0 and len(self.held) >= begin + 19:
            n, kind = struct.unpack(">HB", self.held[begin + 16:begin + 19])
            if len(self.held) < begin + n:
                return
            if kind == UPDATE:
                yield update(at, self.sender, self.held[begin + 19:begin + n])
            self.held = self.held[begin + n:]


def segments(path: str) -> typing.Iterator[tuple[float, str, tuple[object, ...], int, bytes]]:
    """(time, sender, connection's direction, sequence number, data) of each TCP segment with data."""
    with open(path, "rb") as f:
        everything = f.read()
    at = 24
    while at + 16 <= len(everything):
        seconds, micros, n, _ = struct.unpack("<IIII", everything[at:at + 16])
        frame = everything[at + 16:at + 16 + n]
        at += 16 + n
        kind = struct.unpack(">H", frame[12:14])[0]
        if kind == 0x0800:
            ip_end, sender = 14 + (frame[14] & 15) * 4, str(ipaddress.ip_address(frame[26:30]))
            end = 14 + struct.unpack(">H", frame[16:18])[0]
        elif kind == 0x86dd:
            ip_end, sender = 54, str(ipaddress.ip_address(frame[22:38]))
            end = 54 + struct.unpack(">H", frame[18:20])[0]
        else:
            continue
        tcp = frame[ip_end:end]
        data = tcp[(tcp[12] >> 4) * 4:]
        if data:
            yield seconds + micros / 1e6, sender, (sender, tcp[:4]), struct.unpack(">I", tcp[4:8])[0], data


def updates(path: str) -> list[Update]:
    streams: dict[tuple[object, ...], Stream] = {}
    found: list[Update] = []
    for at, sender, direction, seq, data in segments(path):
        found += streams.setdefault(direction, Stream(sender)).feed(at, seq, data)
    return found
