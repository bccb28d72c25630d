#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run a command under the system call filter of packaging/weir.service: unit_filter.py -- COMMAND ...

What systemd would do with SystemCallFilter=, where systemd is not the first process. Groups ("@system-service") are what
systemd-analyze says they are; the filter is made by libseccomp, as systemd makes it.
"""
from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import typing

UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "weir.service")
ALLOW, ERRNO_EPERM = 0x7FFF0000, 0x00050000 | 1


def members(name: str) -> set[typing.Any]:
    """The system calls of a group, or the call itself."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in text.splitlines()[1:]]
    return set().union(*(members(line) for line in lines if line and not line.startswith("#")))


def allowed() -> set[typing.Any]:
    """All system calls that the unit allows."""
    with open(UNIT, encoding="utf-8") as f:
        words = [w for line in f if line.startswith("SystemCallFilter=") for w in line.partition("=")[2].split()]
    return set().union(*(members(w) for w in ["@default", *words]))


def enter() -> None:
    """This process, and all that it starts, under the filter."""
    lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    lib.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(lib.seccomp_init(ctypes.c_uint32(ERRNO_EPERM)))
    for name in sorted(allowed()):
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and lib.seccomp_rule_add_array(context, ctypes.c_uint32(ALLOW), number, 0, None) != 0:
            raise OSError(f"no rule for {name}")
    if lib.seccomp_load(context) != 0:
        raise OSError("the filter is not taken")


if __name__ == "__main__":
    enter()
    os.execvp(sys.argv[2], sys.argv[2:])
