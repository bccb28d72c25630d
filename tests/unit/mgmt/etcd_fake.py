# SPDX-License-Identifier: BSD-2-Clause
"""A member of etcd that says what the test wants, at the moment the test wants, and the pieces of its answers."""
from __future__ import annotations

import base64
import contextlib
import email.utils
import json
import os
import socket
import sys
import threading
import time
import typing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
from etcd_cluster import Answer, b64  # noqa: E402

HEADER: Answer = {"cluster_id": "7", "member_id": "1", "revision": "9", "raft_term": "2"}
CLOSE, HANG = object(), object()  # end the connection without an answer; say nothing
Replies = dict[str, list[typing.Any]]
Reply = typing.Any  # an Answer with status 200, (status, Answer or text), a list of lines of a stream, CLOSE, HANG, or what makes one of a body


class Fake:
    """A member whose answers are replies[path], the next each time and the last again and again."""

    address = "127.0.0.1"
    port = 0  # any

    def __init__(self, **replies: list[Reply]) -> None:
        self.ahead_s: float | None = None  # of its clock; None: it says no time
        self.bytes_s: float | None = None  # of its link; None: it is quick
        self.replies: dict[str, list[Reply]] = {"status": [{"header": HEADER, "version": "3.4.23"}], **replies}
        self.requests: list[tuple[str, Answer]] = []
        self.end = threading.Event()
        self.lock = threading.Lock()
        self.socket = socket.create_server((self.address, self.port))
        self.url = "http://%s:%d" % self.socket.getsockname()
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            if self.end.is_set():
                connection.close()
                return
            self.threads.append(threading.Thread(target=self.serve, args=(connection,)))
            self.threads[-1].start()

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as f, contextlib.suppress(OSError):
            while head := f.readline():
                length, line = 0, head
                while line.strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                    line = f.readline()
                path = head.split()[1].decode().rsplit("/", 1)[1]
                with self.lock:
                    body = json.loads(f.read(length))
                    self.requests.append((path, body))
                    replies = self.replies[path]
                    reply = replies.pop(0) if len(replies) > 1 else replies[0]
                if callable(reply):
                    reply = reply(body)
                if not self.answer(connection, reply):
                    return

    def answer(self, connection: socket.socket, reply: Reply) -> bool:
        """@return whether the connection goes on"""
        if reply is CLOSE:
            return False
        if reply is HANG:
            self.end.wait()
            return False
        if isinstance(reply, list):
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for line in reply:
                text = (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"
                connection.sendall(b"%x\r\n%s\r\n" % (len(text), text))
            self.end.wait()
            return False
        status, body = reply if isinstance(reply, tuple) else (200, reply)
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        date = b"" if self.ahead_s is None else b"Date: %s\r\n" % email.utils.formatdate(time.time() + self.ahead_s, usegmt=True).encode()
        whole = b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, date, len(text), text)
        if self.bytes_s is None:
            connection.sendall(whole)
            return True
        for i in range(0, len(whole), 65536):
            connection.sendall(whole[i:i + 65536])
            time.sleep(len(whole[i:i + 65536]) / self.bytes_s)  # the link's rate
        return True

    def bodies(self, path: str) -> list[Answer]:
        with self.lock:
            return [body for p, body in self.requests if p == path]

    def close(self) -> None:
        self.end.set()
        with contextlib.suppress(OSError):
            socket.create_connection(self.socket.getsockname()).close()
        for thread in self.threads:
            thread.join()
        self.socket.close()


def kv(key: str, mod: int, value: str = "v") -> Answer:
    return {"key": b64(key), "create_revision": "1", "mod_revision": str(mod), "version": "2", "value": b64(value)}


CREATED: Answer = {"result": {"header": HEADER, "created": True}}


def events(*kvs: Answer) -> Answer:
    return {"result": {"header": HEADER, "events": [{"kv": k} for k in kvs]}}


class Keys:
    """A store that reads are answered from, as etcd answers them: a range of keys, or one; the newest first where that is
    asked for."""

    def __init__(self) -> None:
        self.kvs: dict[str, Answer] = {}
        self.revision = 9

    def set(self, key: str, mod: int, value: str, version: int = 1) -> None:
        self.kvs[key] = {**kv(key, mod, value), "version": str(version)}

    def range(self, body: Answer) -> Answer:
        first = base64.b64decode(body["key"]).decode()
        end = base64.b64decode(body["range_end"]).decode() if "range_end" in body else first + "\0"
        kvs = [self.kvs[key] for key in sorted(self.kvs) if first <= key < end]
        if body.get("sort_target") == "MOD":
            kvs.sort(key=lambda kv: int(kv["mod_revision"]), reverse=body["sort_order"] == "DESCEND")
        limit = int(body.get("limit", 0)) or len(kvs)
        found = [{k: v for k, v in kv.items() if k != "value" or not body.get("keys_only")} for kv in kvs[:limit]]
        return {"header": {**HEADER, "revision": str(self.revision)}, "kvs": [] if body.get("count_only") else found, "count": str(len(kvs)), "more": len(kvs) > limit}

    def failure(self, body: Answer) -> Answer:
        """What a transaction says whose compares do not hold."""
        found = [self.range(op["request_range"]) for op in body["failure"]]
        return {"header": {**HEADER, "revision": str(self.revision)}, "responses": [{"response_range": {k: v for k, v in f.items() if k != "header"}} for f in found]}
