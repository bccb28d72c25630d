# SPDX-License-Identifier: BSD-2-Clause
"""Keeps the demo up until a key is pressed, with the nodes' status pages on loopback and `weir` for the user's shell.

The nodes' APIs listen inside namespaces and on UNIX sockets; a small relay carries bytes from 127.0.0.1. A node's files are below
build/lab, so `weir` needs options there: each node has a line that defines a shell function with them.
"""
from __future__ import annotations

import os
import select
import shlex
import socket
import subprocess
import sys
import termios
import threading
import tty
import typing

from net import comes_true, executable, say
from watch import now_ms, stopped_ms

DEGRADED = 10  # exit status of `weir status`
RECENT_MS = 15000  # after a stop of the machine a node may be degraded for so long
RATES_S = 15  # weir-dataplane measures for 5 s before it says a rate

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


def shell_line(node: Node) -> str:
    """A line for a shell of root: from then on `weir` runs on this node."""
    command = ["env", "WEIR_USERS=none", *node.host.enter, executable("weir"), *node.options]
    return f'weir() {{ {shlex.join(command)} "$@"; }}'


def commands_of(demo: Demo) -> list[str]:
    """The commands of docs/tour.md, section 4, with addresses of this run."""
    return ["weir config check", "weir plan", "weir status", "weir why",
            f'weir drain site {demo.plan.sites[0].name} --reason "a try" --dry-run',
            f"weir trace 100.64.1.7:40000 {demo.plan.sites[0].vip4}:80/tcp",
            f"weir dns explain {demo.plan.name} A --client 100.64.1.0/24"]


def run_line(node: Node, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", f"{shell_line(node)}\n{command}"], env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                          capture_output=True, text=True, timeout=60, check=False)


def wait_and_repeat(node: Node, command: str, seen: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """`weir status` once more, when the node is well again: where the machine stood still, it is degraded for a moment."""
    now = now_ms()
    if stopped_ms(now - RECENT_MS, now) <= 0:
        return seen
    say(f"not counted: {node.name} was degraded, for the machine stood still: {' | '.join(seen.stdout.splitlines())[:300]}")
    node.wait_until_well()
    return run_line(node, command)


def wait_for_rates(node: Node, command: str) -> None:
    """A weir-dataplane that started a moment ago knows no rates yet, and a drain is refused where they are not known."""
    comes_true(lambda: run_line(node, command).returncode == 0, RATES_S)


def check_commands(demo: Demo) -> None:
    """The lines that stay() prints work as they are, in a shell that knows nothing of this process."""
    for node in demo.world.nodes:
        node.wait_until_well()
        for command in commands_of(demo):
            if "--dry-run" in command:
                wait_for_rates(node, command)
            done = run_line(node, command)
            if command == "weir status" and done.returncode == DEGRADED:
                done = wait_and_repeat(node, command, done)
            demo.report.check(done.returncode == 0 and done.stdout, f"{node.name}: {command}",
                              "" if done.returncode == 0 else done.stderr or f"{done.returncode}: {done.stdout[:300]}")
            if command == "weir status":
                demo.report.check(node.name in done.stdout, f"{node.name}: its own status", done.stdout[:200])


def stay(demo: Demo) -> None:
    crowd = demo.start_crowd("stay")
    print("everything is running. Status pages:")
    for node in demo.world.nodes:
        print(f"  {node.name}  {serve(node)}")
    print("To run weir on a node, paste one of these lines into another root shell:")
    for node in demo.world.nodes:
        print(f"  # {node.name}\n  {shell_line(node)}")
    print("Then, for example:")
    for command in commands_of(demo):
        print(f"  {command}")
    print("Press a key to end.", flush=True)
    saved = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        select.select([sys.stdin], [], [])
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)
    crowd.process.stop(5)
