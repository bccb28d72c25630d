#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run a suite and say what it leaves behind; tests/run starts each suite through it.

usage: keep.py SAID COMMAND ...

The keeper has the suite's exit status. It is the parent of all that the suite abandons, so nothing is missed and nothing of
another's is counted. As root it gives the suite a /tmp and a /dev/shm of its own: what is left there is the suite's. Left are
also mounts (of a BPF file system: with its pins), and network namespaces that are named by a process of the suite that is
gone. It writes to SAID, as JSON: cpu_s, all its processes' time, and left, a text for each thing. Processes are ended by
their pid, namespaces and mounts are taken away.
"""
from __future__ import annotations

import ctypes
import glob
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

GRACE_S = 5  # for what was told to end, on a busy machine
WATCH_S = 1
SUBREAPER, NEWNS = 36, 0x20000
BIND, DEEP, PRIVATE, DETACH = 1 << 12, 1 << 14, 1 << 18, 2
NAMESPACES = "/run/netns"
OWN = ("/tmp", "/dev/shm")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
libc = ctypes.CDLL(None, use_errno=True)


def children(pid: int) -> list[int]:
    """Children of a process, those of all its threads."""
    found: list[int] = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as f:
                found += map(int, f.read().split())
        except OSError:
            pass  # ended meanwhile
    return found


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    todo = [pid]
    while todo:
        new = [p for p in children(todo.pop()) if p not in found]
        found.update(new)
        todo += new
    return found


def words_of(pid: int | str) -> str:
    """A process's command, "" for one that has ended and only waits for its parent."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            [(name, state)] = re.findall(r"^\d+ \((.*)\) (\S)", f.read(), re.S)
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
            words = f.read().replace("\0", " ").strip()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else (words or f"[{name}]")[:200]


def mounts() -> list[str]:
    """Where something is mounted here, without the namespaces, which others make as well."""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as f:
        mount_points = [line.split()[1].encode().decode("unicode_escape") for line in f]
    return [p for p in mount_points if not p.startswith(NAMESPACES)]


def mount(source: str, mount_point: str, kind: bytes | None, flags: int, words: bytes | None = None) -> None:
    if libc.mount(source.encode(), mount_point.encode(), kind, flags, words):
        raise OSError(ctypes.get_errno(), f"mount on {mount_point}")


def own_folders(folder: str) -> bool:
    """A /tmp (in @folder, if the project itself lies in /tmp) and a /dev/shm for the suite alone. @return whether that is allowed here"""
    if os.geteuid() or libc.unshare(NEWNS):
        return False
    for mount_point in mounts():  # what is mounted from here on, in or out, is not seen on the other side; but namespaces are
        libc.mount(None, mount_point.encode(), None, PRIVATE, None)
    if ROOT.startswith("/tmp/"):
        os.mkdir(folder)
        os.chmod(folder, 0o1777)
        os.makedirs(folder + ROOT.removeprefix("/tmp"))
        mount(ROOT, folder + ROOT.removeprefix("/tmp"), None, BIND | DEEP)
        mount(folder, "/tmp", None, BIND | DEEP)
    else:
        mount("weir", "/tmp", b"tmpfs", 0, b"mode=1777")  # what suites write there need not reach a disk
    mount("weir", "/dev/shm", b"tmpfs", 0, b"mode=1777")
    return True


class Keeper:
    def __init__(self, folder: str) -> None:
        libc.prctl(SUBREAPER, 1, 0, 0, 0)
        self.own = own_folders(folder)
        self.mounts = mounts()
        self.seen: set[int] = set()
        self.left: list[str] = []
        self.ended = threading.Event()

    def watch(self) -> None:
        """Remember the suite's processes: namespaces are named by them."""
        while not self.ended.wait(WATCH_S):
            self.seen |= descendants(os.getpid())

    def run(self, command: list[str]) -> int:
        watcher = threading.Thread(target=self.watch, daemon=True)
        # A signal that comes while it starts waits until there is somebody to hand it to.
        signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        process = subprocess.Popen(command, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals))
        self.seen.add(process.pid)
        for number in signals - {signal.SIGQUIT}:
            signal.signal(number, lambda number, _: process.send_signal(number))
        signal.signal(signal.SIGQUIT, lambda *_: process.kill())  # it did not end; all that it leaves is ended below
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        watcher.start()
        status = None
        while status is None:  # also of what was abandoned: it is not to stay a zombie
            pid, how = os.wait()
            if pid == process.pid:
                status = process.returncode = os.waitstatus_to_exitcode(how)
        self.ended.set()
        watcher.join()
        return 128 - status if status < 0 else status

    def reap(self) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def living(self) -> dict[int, str]:
        self.reap()
        return {pid: words for pid in descendants(os.getpid()) if (words := words_of(pid))}

    def wait_for_end(self, limit_s: float) -> dict[int, str]:
        until = time.monotonic() + limit_s
        while (living := self.living()) and time.monotonic() < until:
            time.sleep(0.05)  # the pace of the wait for the condition above
        return living

    def end_processes(self) -> None:
        for pid, words in sorted(self.wait_for_end(GRACE_S).items()):
            self.left.append(f"process {pid}: {words}")
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.living():
                os.kill(pid, number)
            if not self.wait_for_end(2):
                break
        self.reap()

    def take_away(self) -> None:
        for mount_point in reversed([m for m in mounts() if m not in self.mounts]) if self.own else ():
            pins = [os.path.join(f, n) for f, _, names in os.walk(mount_point) for n in names if not n.endswith(".debug")]
            self.left.append(f"mount {mount_point}" + (f", with {' '.join(sorted(pins)[:5])}" if pins else ""))
            libc.umount2(mount_point.encode(), DETACH)
        for name in os.listdir(NAMESPACES) if os.path.isdir(NAMESPACES) else ():
            pid = re.search(r"\d+", name)
            if pid and int(pid[0]) in self.seen and not words_of(pid[0]):
                self.left.append(f"network namespace {name}")
                subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        for directory in OWN if self.own else ():
            self.left += [f"file {directory}/{name}" for name in sorted(os.listdir(directory)) if name.startswith("weir")]


def main() -> int:
    said, *command = sys.argv[1:]
    keeper = Keeper(said + ".tmp")
    try:
        status = keeper.run(command)
    except OSError as error:
        print(f"{command[0]} does not start: {error}", file=sys.stderr)
        status = 127
    keeper.end_processes()
    keeper.take_away()
    times = os.times()
    with open(said, "w", encoding="utf-8") as f:
        json.dump({"cpu_s": times.children_user + times.children_system, "left": keeper.left}, f)
    return status


if __name__ == "__main__":
    sys.exit(main())
