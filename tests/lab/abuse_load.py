# SPDX-License-Identifier: BSD-2-Clause
"""Clients of the API, hostile and good: abuse_load.py WAY ADDRESS PORT FILE SECONDS [MORE]. Run by abuse_api.py.

silent N      N connections that say nothing, opened again when they are closed; with SOURCES addresses 10.9.64.0 and on
slow_tls N    the same, and a byte of a TLS hello each second
slow_head N   TLS, and a header each second without end
polls N       TLS, and a poll for events
bodies N      TLS, and a body of 31 MiB without a login
good N        N connections in all, evenly over the time, from SOURCES addresses: each asks three times and closes
good_bodies N N bodies of 31 MiB in all, evenly over the time, by an operator; asks again when told to
peer, socket  a request each 40 ms, every fifth on a connection of its own; FILE gets the times of each in ms
Others write to FILE {"opened", "answered", "failed"} at the end.
"""
from __future__ import annotations

import http.client
import itertools
import json
import os
import select
import socket
import ssl
import sys
import threading
import time
import typing

BODY = 31 << 20
HELLO = bytes.fromhex("16030101000100")  # of a record of 256 bytes, which never comes whole
COUNTS = {"opened": 0, "answered": 0, "failed": 0}
GOOD_THREADS = 12
LOGIN = {"Authorization": "Bearer " + "olga" * 8, "Content-Type": "application/json"}
WAY, ADDRESS, PORT, FILE, SECONDS, *MORE = sys.argv[1:]
UNTIL = time.monotonic() + float(SECONDS)
N = int(MORE[0]) if MORE else 0
SOURCES = int(MORE[1]) if len(MORE) > 1 else 0
AGAIN_S = 1
EVERY_S = 0.04


def insecure() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def source_of(i: int) -> tuple[str, int]:
    return ("", 0) if not SOURCES else (f"10.9.{64 + i % SOURCES // 250}.{i % SOURCES % 250 + 1}", 0)


class Raw:
    """Connections without TLS of their own, all in one loop."""
    def __init__(self, sends: bool) -> None:
        self.open: dict[typing.Any, typing.Any] = {}
        self.next: dict[typing.Any, typing.Any] = {}
        self.sends, self.poll = sends, select.epoll()

    def connect(self, i: int) -> None:
        s = socket.socket()
        s.setblocking(False)
        if SOURCES:
            s.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            s.bind(source_of(i))
        s.connect_ex((ADDRESS, int(PORT)))
        COUNTS["opened"] += 1
        self.open[s.fileno()] = (s, i)
        self.poll.register(s.fileno(), select.EPOLLIN | select.EPOLLRDHUP)

    def close(self, fd: int) -> None:
        s, i = self.open.pop(fd)
        self.poll.unregister(fd)
        s.close()
        self.next[i] = time.monotonic() + AGAIN_S

    def run(self) -> None:
        drip = 0.0
        for i in range(N):
            self.connect(i)
        while time.monotonic() < UNTIL:
            for fd, _ in self.poll.poll(0.05, 4096):
                self.close(fd)
            now = time.monotonic()
            for i in [i for i, at in self.next.items() if at <= now]:
                del self.next[i]
                self.connect(i)
            if self.sends and now > drip + 1:
                drip = now
                for s, _ in list(self.open.values()):
                    try:
                        s.send(HELLO[:1] if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 else b"")
                    except OSError:
                        pass


def tls(context: typing.Any, timeout: int = 10) -> typing.Any:
    s = socket.create_connection((ADDRESS, int(PORT)), timeout)
    COUNTS["opened"] += 1
    try:
        return context.wrap_socket(s)
    except BaseException:
        s.close()
        raise


def slow_head(s: typing.Any) -> None:
    s.sendall(b"GET /v1/status HTTP/1.1\r\nHost: weir\r\n")
    while time.monotonic() < UNTIL:
        time.sleep(1)  # slowness is the attack
        s.sendall(b"X-Slow: 1\r\n")


def poll(s: typing.Any) -> None:
    s.sendall(b"GET /v1/events?since=999999999&wait_ms=30000 HTTP/1.1\r\nHost: weir\r\n\r\n")
    COUNTS["answered"] += bool(s.recv(1000))


def body(s: typing.Any) -> None:
    s.sendall(b"POST /v1/config/apply HTTP/1.1\r\nHost: weir\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % BODY)
    part = b" " * 65536
    for _ in range(BODY // len(part)):
        s.sendall(part)
    COUNTS["answered"] += bool(s.recv(1000))


def one_client(do: typing.Any, context: typing.Any) -> None:
    while time.monotonic() < UNTIL:
        try:
            with tls(context) as s:
                s.settimeout(max(1, UNTIL - time.monotonic()))
                do(s)
        except (OSError, ValueError):
            pass
        time.sleep(AGAIN_S)  # the attack's pace


def many(do: typing.Callable[..., typing.Any]) -> None:
    context = insecure()
    threading.stack_size(256 << 10)
    threads = [threading.Thread(target=one_client, args=(do, context), daemon=True) for _ in range(N)]
    for t in threads:
        t.start()
    while time.monotonic() < UNTIL:
        time.sleep(0.1)  # the attack lasts until a fixed time


def good_client(context: typing.Any, i: typing.Any) -> None:
    """One client that does all as it should: three questions on a connection, which it closes."""
    c = http.client.HTTPSConnection(ADDRESS, int(PORT), timeout=30, context=context, source_address=source_of(i))
    COUNTS["opened"] += 1
    try:
        for _ in range(3):
            c.request("GET", "/v1/node", headers=LOGIN)
            r = c.getresponse()
            r.read()
            COUNTS["answered" if r.status == 200 else "failed"] += 1
    finally:
        c.close()


def good_body(context: typing.Any, i: typing.Any) -> None:
    """One body, and again after Retry-After: what is in force does not allow many at once."""
    body = b'{"files": {"x": "' + b"x" * (BODY - 100) + b'"}}'
    while time.monotonic() < UNTIL:
        c = http.client.HTTPSConnection(ADDRESS, int(PORT), timeout=30, context=context, source_address=source_of(i))
        COUNTS["opened"] += 1
        try:
            # waits for a word before the body, as curl does: who is refused has not sent it
            c.putrequest("POST", "/v1/config/check")
            for name, value in {**LOGIN, "Content-Length": str(len(body)), "Expect": "100-continue"}.items():
                c.putheader(name, value)
            c.endheaders()
            if b" 100 " in c.sock.recv(4096):
                c.send(body)
                r = c.getresponse()
                r.read()
                COUNTS["answered" if r.status == 422 else "failed"] += 1  # no document in it
                return
        finally:
            c.close()
        time.sleep(1)  # the client's pace


def evenly(do: typing.Callable[..., typing.Any]) -> None:
    """N times @do, at even distances, by a few threads."""
    context, numbers, from_s = insecure(), itertools.count(), time.monotonic()
    seconds = UNTIL - from_s - 3

    def work() -> None:
        for i in numbers:
            if i >= N:
                return
            time.sleep(max(0, from_s + i * seconds / N - time.monotonic()))  # work is spread evenly over the time
            try:
                do(context, i)
            except (OSError, http.client.HTTPException):
                COUNTS["failed"] += 1
    threads = [threading.Thread(target=work, daemon=True) for _ in range(GOOD_THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(max(0, UNTIL - time.monotonic()))


class Socket(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(ADDRESS)


def probe() -> dict[str, typing.Any]:
    """Time requests, each from its due time on: one that is late because the one before was counts as late, too."""
    took: list[typing.Any] = []
    context, kept, failed = insecure(), None, 0
    way: tuple[str, str, str | None, dict[str, str]] = ("GET", "/v1/node", None, {})
    if WAY != "socket":
        question = json.dumps({"node": "fra-1", "cluster": "shop", "query": "overrides"})
        way = ("POST", "/v1/peer/exchange", question, {"Authorization": "Bearer " + "p" * 40, "Content-Type": "application/json"})

    def fresh() -> http.client.HTTPConnection:
        return Socket("weir", timeout=30) if WAY == "socket" else http.client.HTTPSConnection(ADDRESS, int(PORT), timeout=30, context=context)
    due = time.monotonic()
    while time.monotonic() < UNTIL:
        own = len(took) % 5 == 0
        c = fresh() if own or not kept else kept
        due = max(due + EVERY_S, time.monotonic() - 5)
        time.sleep(max(0, due - time.monotonic()))  # requests begin at fixed times
        try:
            c.request(*way)
            r = c.getresponse()
            r.read()
            failed += r.status != 200
        except (OSError, http.client.HTTPException):
            failed += 1
            c.close()
        took.append((time.monotonic() - due) * 1000)
        if own:
            c.close()
        else:
            kept = c
    return {"took_ms": took, "failed": failed}


def main() -> None:
    result = COUNTS
    if WAY in ("silent", "slow_tls"):
        Raw(WAY == "slow_tls").run()
    elif WAY in ("slow_head", "polls", "bodies"):
        many({"slow_head": slow_head, "polls": poll, "bodies": body}[WAY])
    elif WAY in ("good", "good_bodies"):
        evenly({"good": good_client, "good_bodies": good_body}[WAY])
    else:
        result = probe()
    with open(FILE + ".new", "w") as f:
        json.dump(result, f)
    os.rename(FILE + ".new", FILE)
    os._exit(0)  # threads that wait are not waited for


main()
