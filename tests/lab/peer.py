# SPDX-License-Identifier: BSD-2-Clause
"""Two ends that send much and check each byte: peer.py serve ADDRESS...; peer.py tcp|udp ADDRESS COUNT BYTES.

TCP, port 80: eight bytes of length, so many bytes; they come back. UDP, port 53: a datagram comes back, whatever
its size; one that is lost is sent once more. The asking end prints a line of JSON:
{"whole": N, "failed": [...], "again": N}.
"""
from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import typing

TIMEOUT_S = 15


class Lost(Exception):
    """A datagram came back, whole, when it was sent once more: the first answers of a backend that must learn of a smaller link
    are lost."""


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def read_exactly(s: socket.socket, n: int) -> bytes:
    parts = []
    while n:
        part = s.recv(min(n, 1 << 16))
        if not part:
            raise ConnectionError("ended early")
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def serve_one(s: socket.socket) -> None:
    with s:
        try:
            (n,) = struct.unpack("!Q", read_exactly(s, 8))
            s.sendall(read_exactly(s, n))
        except OSError:
            pass


def serve_tcp(address: str) -> None:
    s = socket.create_server((address, 80), family=family(address), backlog=256)
    while True:
        connection, _ = s.accept()
        connection.settimeout(TIMEOUT_S)
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def serve_udp(address: str) -> None:
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    s.bind((address, 53))
    while True:
        data, client = s.recvfrom(1 << 16)
        s.sendto(data, client)


def ask_tcp(address: str, data: bytes) -> bool:
    with socket.create_connection((address, 80), TIMEOUT_S) as s:
        s.sendall(struct.pack("!Q", len(data)) + data)
        return read_exactly(s, len(data)) == data


def ask_udp(address: str, data: bytes) -> bool:
    with socket.socket(family(address), socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.connect((address, 53))
        s.send(data)
        try:
            return s.recv(1 << 16) == data
        except TimeoutError:
            s.send(data)
            if s.recv(1 << 16) == data:
                raise Lost from None
    return False


def ask(how: str, address: str, count: int, size: int) -> dict[str, typing.Any]:
    """Ask so often, from this thread's network namespace: {"whole": N, "failed": [...], "again": N}."""
    failed: list[str] = []
    whole = again = 0
    for _ in range(count):
        try:
            whole += {"tcp": ask_tcp, "udp": ask_udp}[how](address, os.urandom(size))
        except Lost:
            whole, again = whole + 1, again + 1
        except OSError as e:
            failed.append(str(e))
    return {"whole": whole, "failed": failed, "again": again}


def main(do: str, *rest: str) -> None:
    if do == "serve":
        for address in rest:
            for how in (serve_tcp, serve_udp):
                threading.Thread(target=how, args=(address,), daemon=True).start()
        threading.Event().wait()
    print(json.dumps(ask(do, rest[0], int(rest[1]), int(rest[2]))))


if __name__ == "__main__":
    main(*sys.argv[1:])
