# SPDX-License-Identifier: BSD-2-Clause
"""Traffic of inside_package.py. `server`: answers on TCP port 80 and echoes UDP on port 5000. `client VIP DNS`: sends a numbered
datagram to VIP:5000 every 20 ms and a question to DNS:53 every 100 ms, which it says first, until a line comes on standard input, waits for what is late, and
prints what was sent and what was never answered, as JSON. `once VIP`: one datagram; exit 0 if it is answered within a second."""
from __future__ import annotations

import json
import select
import socket
import struct
import sys
import threading
import time
import typing

PACKET_S, QUESTION_S, LATE_S = 0.02, 0.1, 20
NAME = b"\3www\4shop\7example\0"


def serve_tcp() -> None:
    listener = socket.create_server(("0.0.0.0", 80))
    while True:
        peer, _ = listener.accept()
        peer.close()


def server() -> None:
    threading.Thread(target=serve_tcp, daemon=True).start()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    s.bind(("203.0.113.10", 5000))
    while True:
        data, peer = s.recvfrom(2048)
        s.sendto(data, peer)


class Asker:
    """Numbered messages to one address, at an interval; `open` holds what is not answered yet."""

    def __init__(self, address: tuple[typing.Any, int], every_s: float, message: typing.Callable[..., bytes],
                 number_of: typing.Callable[..., typing.Any]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setblocking(False)
        self.address, self.every_s, self.message, self.number_of = address, every_s, message, number_of
        self.open: set[typing.Any] = set()
        self.sent, self.next = 0, time.monotonic()

    def send(self, now: float) -> None:
        if now < self.next:
            return
        self.next = now + self.every_s
        self.open.add(self.sent)
        try:
            self.socket.sendto(self.message(self.sent), self.address)
        except OSError:
            pass  # it is not answered, then
        self.sent += 1

    def receive(self) -> None:
        while True:
            try:
                self.open.discard(self.number_of(self.socket.recv(2048)))
            except BlockingIOError:
                return
            except OSError:
                return  # an ICMP error for one sent before

    def result(self) -> dict[str, typing.Any]:
        return {"sent": self.sent, "lost": len(self.open), "first": min(self.open, default=None)}


def client(vip: str, dns: typing.Any) -> None:
    packets = Asker((vip, 5000), PACKET_S, lambda n: struct.pack("!I", n), lambda d: struct.unpack("!I", d[:4])[0])
    questions = Asker((dns, 53), QUESTION_S, lambda n: struct.pack("!6H", n & 0xFFFF, 0, 1, 0, 0, 0) + NAME + b"\0\1\0\1",
                      lambda d: struct.unpack("!H", d[:2])[0] if d[3] & 15 == 0 and d[6:8] != b"\0\0" else None)
    askers, until = (packets, questions), None
    print("ready", flush=True)
    while until is None or (time.monotonic() < until and any(a.open for a in askers)):
        ready, _, _ = select.select([*(a.socket for a in askers), *([sys.stdin] if until is None else [])], [], [], 0.005)
        if sys.stdin in ready:
            until = time.monotonic() + LATE_S
        for a in askers:
            a.receive()
            if until is None:
                a.send(time.monotonic())
    print(json.dumps({"packets": packets.result(), "questions": questions.result()}))


def once(vip: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(b"\xff\xff\xff\xff", (vip, 5000))
        s.recv(2048)


if __name__ == "__main__":
    PARTS: dict[str, typing.Callable[..., object]] = {"server": server, "client": client, "once": once}
    PARTS[sys.argv[1]](*sys.argv[2:])
