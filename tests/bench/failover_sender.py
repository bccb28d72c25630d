# SPDX-License-Identifier: BSD-2-Clause
"""SYNs of ever new flows to one IPv4 address and port, at a steady rate: failover_sender.py VIP PORT RATE."""
from __future__ import annotations

import random
import socket
import struct
import sys
import time
import typing


def checksum(data: bytes) -> typing.Any:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def syn(source: str, target: str, sport: int, port: int) -> bytes:
    """An IPv4 packet; the kernel fills in the header's checksum and identification."""
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    tcp = struct.pack("!HHIIBBHHH", sport, port, random.getrandbits(32), 0, 0x50, 2, 65535, 0, 0)
    total = checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends + tcp


def main(target: str, port: int, rate: int) -> None:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    packets = [syn(f"100.64.{i // 250}.{i % 250 + 1}", target, 10000 + i * 7 % 50000, port) for i in range(20000)]
    at, start = 0, time.monotonic()
    while True:
        due = int((time.monotonic() - start) * rate)
        for _ in range(min(due - at, 50)):
            s.sendto(packets[at % len(packets)], (target, 0))
            at += 1
        at = max(at, due - 50)  # what a stall cost is not made up for
        time.sleep(0.0005)  # the pace of the sender


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
