# SPDX-License-Identifier: BSD-2-Clause
"""Keeps the demo up until a key is pressed, with the nodes' status pages on loopback.

The nodes' APIs listen inside namespaces and on UNIX sockets; a small relay carries bytes from 127.0.0.1.
"""
from __future__ import annotations

import os
import select
import socket
import sys
import termios
import threading
import tty
import typing

if typing.TYPE_CHECKING:
    from demo import Demo
    from world import Node


def carry(one: typing.Any, other: typing.Any) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for s in (one, other):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def relay(listener: typing.Any, path: str) -> None:
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(path)
        except OSError:
            client.close()
            continue
        threading.Thread(target=carry, args=(client, server), daemon=True).start()
        threading.Thread(target=carry, args=(server, client), daemon=True).start()


def serve(node: Node) -> str:
    """The address at which a node's API is reached from this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=relay, args=(listener, os.path.join(node.run_dir, "api.sock")), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def stay(demo: Demo) -> None:
    crowd = demo.start_crowd("stay")
    print("everything is running. Status pages:")
    for node in demo.world.nodes:
        print(f"  {node.name}  {serve(node)}")
    print("Press a key to end.", flush=True)
    saved = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        select.select([sys.stdin], [], [])
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
    crowd.process.stop(5)
