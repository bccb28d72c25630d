# SPDX-License-Identifier: BSD-2-Clause
"""DNS messages for tests: queries by hand, answers taken apart completely (RFC 1035, 6891, 7871)."""
from __future__ import annotations

import ipaddress
import struct
import typing

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "RP": 17,
         "AFSDB": 18, "KEY": 25, "AAAA": 28, "LOC": 29, "SRV": 33, "NAPTR": 35, "CERT": 37, "DNAME": 39, "OPT": 41,
         "DS": 43, "SSHFP": 44, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52,
         "CDS": 59, "CDNSKEY": 60, "SVCB": 64, "HTTPS": 65, "IXFR": 251, "AXFR": 252, "ANY": 255, "URI": 256,
         "CAA": 257}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH",
          16: "BADVERS"}
QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10
# Types whose data holds names: bytes before them, how many (RFC 1035's may be compressed).
NAMED = {2: (0, 1), 5: (0, 1), 12: (0, 1), 15: (2, 1), 6: (0, 2)}

Record = tuple[str, int, int, tuple[bytes | str, ...]]  # owner, type, TTL, data


def number(kind: int | str) -> int:
    """The number of a type given as text ("A", "TYPE65") or as itself."""
    if isinstance(kind, int):
        return kind
    return TYPES[kind] if kind in TYPES else int(kind.removeprefix("TYPE"))


def name_wire(name: str | list[bytes]) -> bytes:
    """A name's wire form; a label is text or, in a list, bytes."""
    labels = name if isinstance(name, list) else [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def subnet_option(prefix: str, scope: int = 0) -> tuple[int, bytes]:
    """A client-subnet option from "192.0.2.0/24"."""
    net = ipaddress.ip_network(prefix)
    data = net.network_address.packed[:(net.prefixlen + 7) // 8]
    return 8, struct.pack("!HBB", 1 if net.version == 4 else 2, net.prefixlen, scope) + data


def opt_record(size: int = 1232, version: int = 0, flags: int = 0,
               options: typing.Iterable[tuple[int, bytes]] = ()) -> bytes:
    """An OPT record with options as (code, bytes)."""
    data = b"".join(struct.pack("!HH", code, len(value)) + value for code, value in options)
    return b"\0" + struct.pack("!HHBBHH", 41, size, 0, version, flags, len(data)) + data


def query(name: str | list[bytes], kind: str | int, ident: int = 0x1234, flags: int = RD, opcode: int = 0, klass: int = 1,
          edns: dict[str, typing.Any] | None = None) -> bytes:
    """A query with one question; edns: the arguments of opt_record()."""
    head = struct.pack("!HHHHHH", ident, flags | opcode << 11, 1, 0, 0, edns is not None)
    return head + name_wire(name) + struct.pack("!HH", number(kind), klass) + (
        b"" if edns is None else opt_record(**edns))


class Malformed(Exception):
    """What the message is not."""


class Answer:
    """A message taken apart; raises Malformed unless every byte has its place."""

    def __init__(self, wire: bytes) -> None:
        self.wire, self.at = wire, 12
        if len(wire) < 12:
            raise Malformed("short")
        self.ident, self.flags, *counts = struct.unpack("!6H", wire[:12])
        self.opcode, self.rcode = self.flags >> 11 & 15, self.flags & 15
        self.edns: dict[str, int] | None = None
        self.options: dict[int, bytes] = {}
        self.questions = [(self.name(), *self.unpack("!HH")) for _ in range(counts[0])]
        self.answer = self.section(counts[1])
        self.authority = self.section(counts[2])
        self.additional = self.section(counts[3])
        if self.at != len(wire):
            raise Malformed(f"{len(wire) - self.at} bytes left over")

    def unpack(self, form: str) -> tuple[typing.Any, ...]:
        size = struct.calcsize(form)
        if self.at + size > len(self.wire):
            raise Malformed("cut")
        self.at += size
        return struct.unpack(form, self.wire[self.at - size:self.at])

    def name(self) -> str:
        labels: list[bytes] = []
        back: int | None = None
        at, limit, total = self.at, self.at, 1
        while True:
            if at >= len(self.wire):
                raise Malformed("name cut")
            length = self.wire[at]
            if length >= 0xc0:
                target = struct.unpack("!H", self.wire[at:at + 2])[0] & 0x3fff
                if target >= limit:
                    raise Malformed("pointer forwards")
                back = at + 2 if back is None else back
                at = limit = target
                continue
            at += 1
            if length == 0:
                break
            labels.append(self.wire[at:at + length])
            total += length + 1
            if length > 63 or total > 255 or at + length > len(self.wire):
                raise Malformed("label")
            at += length
        self.at = at if back is None else back
        return b".".join(labels).decode("latin-1")

    def section(self, n: int) -> list[Record]:
        records = []
        for _ in range(n):
            owner = self.name()
            kind, klass, ttl, length = self.unpack("!HHIH")
            end = self.at + length
            if kind == 41:
                self.take_opt(klass, ttl, end)
            else:
                records.append((owner.lower(), kind, ttl, self.data(kind, end)))
            if self.at != end:
                raise Malformed("data length")
        return records

    def take_opt(self, size: int, ttl: int, end: int) -> None:
        if self.edns is not None:
            raise Malformed("two OPTs")
        self.edns = {"size": size, "version": ttl >> 16 & 255, "flags": ttl & 0xffff}
        self.rcode |= ttl >> 24 << 4
        while self.at < end:
            code, length = self.unpack("!HH")
            self.options[code] = self.wire[self.at:self.at + length]
            self.at += length

    def data(self, kind: int, end: int) -> tuple[bytes | str, ...]:
        before, names = NAMED.get(kind, (0, 0))
        parts: list[bytes | str] = [self.wire[self.at:self.at + before]] if before else []
        self.at += before
        parts += [self.name().lower() for _ in range(names)]
        parts.append(self.wire[self.at:end])
        self.at = end
        return tuple(parts)

    def __str__(self) -> str:
        flags = "".join(f" {text}" for bit, text in ((AA, "aa"), (TC, "tc"), (RD, "rd"), (RA, "ra"), (Z, "z"),
                                                     (AD, "ad"), (CD, "cd")) if self.flags & bit)
        return (f"{RCODES.get(self.rcode, self.rcode)}{flags} answer={self.answer} authority={self.authority} "
                f"additional={self.additional} edns={self.edns} options={self.options}")
