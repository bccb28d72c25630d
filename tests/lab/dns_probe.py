# SPDX-License-Identifier: BSD-2-Clause
"""Asks name servers for one name on behalf of many client prefixes (ECS, RFC 7871), and logs each answer.

    dns_probe.py --name NAME --server ADDRESS... --rate N --seconds N --log FILE

Every prefix is asked of every server in turn. A line of the log:
  SENT_MS ANSWERED_MS SERVER PREFIX RCODE ADDRESS TTL SCOPE        ('-' where there is none; lost: ANSWERED_MS is 0)
"""
from __future__ import annotations

import argparse
import ipaddress
import random
import select
import signal
import socket
import struct
import sys
import time
import typing

import plan as planning

WAIT_S = 1.0


def query(number: int, name: str, address: str, bits: int, want6: bool = False) -> bytes:
    """A query for A or AAAA with EDNS0 and the client's prefix."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    ip = ipaddress.ip_address(address)
    body = struct.pack("!HBB", 1 if ip.version == 4 else 2, bits, 0) + ip.packed[:(bits + 7) // 8]
    option = struct.pack("!HH", 8, len(body)) + body
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option)) + option
    return struct.pack("!HHHHHH", number, 0, 1, 0, 0, 1) + labels + \
        struct.pack("!HH", 28 if want6 else 1, 1) + opt


def skip_name(m: bytes, at: int) -> int:
    while m[at]:
        if m[at] >= 0xC0:
            return at + 2
        at += m[at] + 1
    return at + 1


def answer(m: bytes) -> tuple[typing.Any, typing.Any, str, int, int]:
    """(number, rcode, first address or '-', its TTL, ECS scope or -1) of a response."""
    number, flags, questions, answers, authority, additional = struct.unpack_from("!HHHHHH", m)
    at, found, ttl, scope = 12, "-", 0, -1
    for _ in range(questions):
        at = skip_name(m, at) + 4
    for _ in range(answers + authority + additional):
        at = skip_name(m, at)
        kind, _, seconds, length = struct.unpack_from("!HHIH", m, at)
        data, at = m[at + 10:at + 10 + length], at + 10 + length
        if found == "-" and kind in (1, 28):
            found, ttl = str(ipaddress.ip_address(data)), seconds
        if kind == 41 and len(data) >= 8 and data[:2] == b"\0\x08":
            scope = data[7]
    return number, flags & 15, found, ttl, scope


def prefixes() -> list[tuple[str, int]]:
    """Every client prefix, both families, in an order of its own."""
    found = [(str(n.network_address), n.prefixlen)
             for wide, bits in ((planning.CLIENTS4, 24), (planning.CLIENTS6, 56))
             for n in ipaddress.ip_network(wide).subnets(new_prefix=bits)]
    random.Random(1).shuffle(found)
    return found


class Prober:
    def __init__(self, name: str, servers: typing.Any, log: typing.IO[str]) -> None:
        self.name, self.servers, self.log = name, servers, log
        self.sockets: dict[typing.Any, typing.Any] = {}
        self.waiting: dict[typing.Any, typing.Any] = {}
        self.number = 0
        for server in servers:
            s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
            s.connect((server, 53))
            s.setblocking(False)
            self.sockets[s] = server

    def send(self, k: int, prefix: tuple[str, int]) -> None:
        s = list(self.sockets)[k % len(self.sockets)]
        self.number = (self.number + 1) % 65536
        self.waiting[self.number] = (time.time(), self.sockets[s], prefix)
        try:
            s.send(query(self.number, self.name, *prefix))
        except OSError:
            pass  # counts as lost

    def write(self, number: int, answered: float, rcode: str = "-", address: str = "-", ttl: int = 0,
              scope: typing.Any = -1) -> None:
        sent, server, (prefix, bits) = self.waiting.pop(number)
        print(int(sent * 1000), int(answered * 1000), server, f"{prefix}/{bits}", rcode, address, ttl, scope,
              file=self.log, flush=True)

    def receive(self, wait_s: float) -> None:
        for s in select.select(list(self.sockets), [], [], max(0, wait_s))[0]:
            try:
                number, *rest = answer(s.recv(4096))
            except (OSError, IndexError, struct.error):
                continue
            if number in self.waiting:
                self.write(number, time.time(), *rest)

    def give_up(self, older_than_s: float) -> None:
        for number in [n for n, w in self.waiting.items() if w[0] < time.time() - older_than_s]:
            self.write(number, 0)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--server", action="append", required=True)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--prefixes", type=int, default=2 * planning.PREFIXES)
    parser.add_argument("--log", required=True)
    options = parser.parse_args()
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    with open(options.log, "a") as log:
        prober = Prober(options.name, options.server, log)
        asked, n, begin = prefixes()[:options.prefixes], 0, time.monotonic()
        while not ending and (not options.seconds or time.monotonic() - begin < options.seconds):
            while n < (time.monotonic() - begin) * options.rate:
                prober.send(n, asked[n // len(options.server) % len(asked)])
                n += 1
            prober.receive(min(0.01, 1 / options.rate))
            prober.give_up(WAIT_S)
        end = time.monotonic() + WAIT_S
        while prober.waiting and time.monotonic() < end:
            prober.receive(0.05)
        prober.give_up(0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
