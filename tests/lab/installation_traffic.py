# SPDX-License-Identifier: BSD-2-Clause
"""Servers and clients of lab installation.

`server NAME`: answers each HTTP request on port 80 with its name; connections are kept.
`client NAME SERVERS VIP SOURCE ...`: from each source, one after the other, asks the name servers (comma between them) for NAME as a
resolver does, the next one where one is silent, and makes a request at the address; and keeps one connection to VIP that asks again and
again. Until a line comes on standard input; then it prints what happened, as JSON.
"""
from __future__ import annotations

import http.client
import http.server
import json
import random
import select
import socket
import struct
import sys
import threading
import time
import typing

PACE_S, WAIT_S, SILENT_S = 0.1, 4, 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.name)))
        self.end_headers()
        self.wfile.write(self.name)

    def log_message(self, *words: typing.Any) -> None:
        """None."""


def server(name: str) -> None:
    Handler.name = name.encode()
    http.server.ThreadingHTTPServer(("0.0.0.0", 80), Handler).serve_forever()


def address_of(answer: bytes, question: bytes) -> str:
    """The last A record's address, of an answer without other records behind it."""
    if answer[:2] != question[:2] or answer[3] & 15 or answer[6:8] == b"\0\0":
        raise OSError(f"no address: {answer[:12].hex()}")
    return socket.inet_ntoa(answer[len(question) + 12:len(question) + 16])


def resolve(name: str, servers: list[str], source: str) -> str:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = struct.pack("!6H", random.getrandbits(16), 0, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
    for to in random.sample(servers, len(servers)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(SILENT_S)
            s.bind((source, 0))
            s.connect((to, 53))
            try:
                s.send(question)
                return address_of(s.recv(512), question)
            except (TimeoutError, ConnectionError):
                continue
    raise OSError("no name server answers")


class Client:
    def __init__(self, name: str, servers: list[str], vip: str, sources: list[str]) -> None:
        self.name, self.servers, self.vip, self.sources = name, servers, vip, sources
        self.ended = threading.Event()
        self.served: dict[str, int] = {}
        self.failed: list[str] = []

    def note(self, what: str, ask: typing.Callable[[], str]) -> None:
        try:
            by = ask()
            self.served[by] = self.served.get(by, 0) + 1
        except OSError as e:
            self.failed.append(f"{time.strftime('%H:%M:%S')} {what}: {type(e).__name__} {e}")
        except http.client.HTTPException as e:
            self.failed.append(f"{time.strftime('%H:%M:%S')} {what}: {type(e).__name__} {e}")

    @staticmethod
    def get(connection: http.client.HTTPConnection) -> str:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()

    def ask_once(self, source: str) -> str:
        connection = http.client.HTTPConnection(resolve(self.name, self.servers, source), timeout=WAIT_S, source_address=(source, 0))
        try:
            return self.get(connection)
        finally:
            connection.close()

    def ask_anew(self, source: str) -> None:
        while not self.ended.wait(PACE_S):
            self.note(f"new from {source}", lambda: self.ask_once(source))

    def ask_on(self) -> None:
        """One connection for all the time: it must go on while nodes come and go. http.client would make another in silence."""
        connection = http.client.HTTPConnection(self.vip, timeout=WAIT_S)
        self.note("kept", lambda: self.get(connection))
        connection.auto_open = False
        while not any(" kept: " in f for f in self.failed) and not self.ended.wait(PACE_S):
            self.note("kept", lambda: self.get(connection))

    def run(self) -> None:
        threads = [threading.Thread(target=self.ask_anew, args=(s,)) for s in self.sources] + [threading.Thread(target=self.ask_on)]
        for thread in threads:
            thread.start()
        select.select([sys.stdin], [], [])
        self.ended.set()
        for thread in threads:
            thread.join()
        print(json.dumps({"served": self.served, "n_failed": len(self.failed), "failed": self.failed[:20]}))


if __name__ == "__main__":
    if sys.argv[1] == "server":
        server(sys.argv[2])
    else:
        Client(sys.argv[2], sys.argv[3].split(","), sys.argv[4], sys.argv[5:]).run()
