# SPDX-License-Identifier: BSD-2-Clause
"""Somebody who runs code of his own in a living process: each of its threads calls what no list of system calls has."""
from __future__ import annotations

import errno
import os
import platform
import typing

from net import call, executable

if typing.TYPE_CHECKING:
    from report import Report
    from world import Node

EXECVE = {"x86_64": 59, "aarch64": 221}[platform.machine()]


def threads(pid: int) -> list[typing.Any]:
    return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))


def seccomp_of(pid: int) -> set[str]:
    """What the kernel says of each thread: {"2"}: all have a filter."""
    modes = set()
    for tid in threads(pid):
        try:
            with open(f"/proc/{pid}/task/{tid}/status") as f:
                modes |= {line.split()[1] for line in f if line.startswith("Seccomp:")}
        except FileNotFoundError:
            pass  # it ended meanwhile
    return modes


def start_program(tid: typing.Any) -> int:
    """Let a thread call execve. @return its result: -EPERM from a filter, -EFAULT without one, as it names no program"""
    return int(call([executable("lab-intruder"), str(tid), str(EXECVE), "0", "0", "0"]))


def check_threads(node: Node, report: Report, process: typing.Any) -> None:
    """Each thread is refused, and the process goes on."""
    pid, = node.pids(process)
    node.host.lab.expected_refusals.add("execve")
    report.equal(seccomp_of(pid), {"2"}, f"{node.name}: all threads of weir-{process} have a filter of system calls")
    tried = {}
    for tid in threads(pid):
        try:
            with open(f"/proc/{pid}/task/{tid}/comm") as f:
                name = f.read().strip()
            tried[f"{name} {tid}"] = start_program(tid)
        except FileNotFoundError:
            pass
    wrong = {name: result for name, result in tried.items() if result != -errno.EPERM}
    report.check(tried and not wrong, f"each thread of weir-{process} is refused a program ({len(tried)})", wrong)
    report.equal(node.pids(process), [pid], f"weir-{process} goes on")


def check_process(node: Node, report: Report, process: typing.Any) -> None:
    """As check_threads, and the status says what was tried, and where."""
    check_threads(node, report, process)
    report.wait(lambda: f"weir-{process} " in status_of(node), 10, f"the status names the call and weir-{process}")


def status_of(node: Node) -> str:
    """The status' reasons that name execve, as one text."""
    return " ".join(r["text"] for r in node.api("GET", "/v1/status")[1].get("reasons", [])
                    if r["code"] == "system-call-refused" and r["subject"] == "execve")
