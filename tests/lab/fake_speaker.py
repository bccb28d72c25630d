# SPDX-License-Identifier: BSD-2-Clause
"""Routing daemons that are none: their control socket answers too late, too much, cut off, or for another version."""
from __future__ import annotations

import os
import socket
import threading
import time
import typing

BIRD = "0001 BIRD 2.0.12 ready.\n"
END = "\0\0\0\0"  # of an answer of FRR


class FakeSpeaker:
    """Listens at a path; `serve` speaks with each client, in a thread of its own, until it closes or the test does."""

    def __init__(self, path: str, serve: typing.Callable[[socket.socket], None]) -> None:
        self.path, self.serve, self.closed = path, serve, False
        self.clients: list[socket.socket] = []
        if os.path.lexists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while not self.closed:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self.speak, args=(client,), daemon=True).start()

    def speak(self, client: socket.socket) -> None:
        try:
            self.serve(client)
        except OSError:
            pass  # the other side has gone
        finally:
            client.close()

    def close(self) -> None:
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for client in self.clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone before
        os.unlink(self.path)


def wait_for_end(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def say_nothing(client: socket.socket) -> None:
    wait_for_end(client)


def say_garbage(client: socket.socket) -> None:
    client.sendall(b"\xff\0\xfe\n" * 1000)
    wait_for_end(client)


def another_version(kind: str) -> typing.Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        if kind == "bird":
            client.sendall(b"0001 BIRD 3.0.1 ready.\n")
        else:
            client.recv(4096)
            client.sendall(f"FRRouting 11.0 (lb1) on Linux(6.1.0).\n{END}".encode())
        wait_for_end(client)
    return serve


def begin(kind: str, client: socket.socket) -> None:
    """All until the question for the sessions, which is read."""
    if kind == "bird":
        client.sendall(BIRD.encode())
        client.recv(4096)
        client.sendall(b"0016 Access restricted\n")
    else:
        client.recv(4096)
        client.sendall(f"FRRouting 8.4.4 (lb1) on Linux(6.1.0).\n{END}".encode())
    client.recv(4096)


def cut_off(kind: str) -> typing.Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        begin(kind, client)
        client.sendall(b'2002-Name Proto\n1002-router1_4 B' if kind == "bird" else b'{"ipv4Unicast":{"peers":{"192.0')
    return serve


def without_end(kind: str) -> typing.Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        begin(kind, client)
        line = b"1002-name Static master4 up 07:23\n" if kind == "bird" else b'{"ipv4Unicast":{"peers":{"192.0.2.1":{"state":'
        while True:
            client.sendall(line * 1000)
    return serve


def byte_by_byte(kind: str) -> typing.Callable[[socket.socket], None]:
    def serve(client: socket.socket) -> None:
        begin(kind, client)
        for byte in (b"2002-Name Proto Table State Since Info\n" if kind == "bird" else b'{"ipv4Unicast":{"peers":{}}}' + END.encode()):
            client.sendall(bytes([byte]))
            time.sleep(0.2)  # the pace of a daemon that has nearly no time
        wait_for_end(client)
    return serve


def fakes(kind: str) -> dict[str, tuple[typing.Callable[[socket.socket], None], str]]:
    """{fault: (what is said, the state that must be shown)}"""
    return {"unknown-version": (another_version(kind), "strange"), "silent": (say_nothing, "silent"),
            "garbage": (say_garbage, "strange"), "cut-off": (cut_off(kind), "absent"),
            "without-end": (without_end(kind), "strange"), "byte-by-byte": (byte_by_byte(kind), "silent")}
