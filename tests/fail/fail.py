# SPDX-License-Identifier: BSD-2-Clause
"""Runs of a program in which one allocation fails, made by failalloc.so (see there)."""
from __future__ import annotations

import os
import subprocess
import tempfile
import typing

SIGALRM = 14


class Run:
    """One run: its number, exit status (negative: a signal), whether an allocation failed, the failed call, the output."""

    def __init__(self, n: int, code: int, failed: bool, trace: str, output: str) -> None:
        self.n, self.code, self.failed, self.trace, self.output = n, code, failed, trace, output

    def end(self) -> str:
        if self.code == -SIGALRM:
            return "no end"
        return f"signal {-self.code}" if self.code < 0 else f"exit {self.code}"

    def where(self, program: typing.Any) -> str:
        """The failed call as functions, innermost first; libc's own are left out."""
        names = []
        for line in self.trace.split():
            path, offset = line.rsplit("+", 1)
            path = program if path == "/proc/self/exe" else path
            if path.endswith(("libc.so.6", "failalloc.so")):
                continue
            out = subprocess.run(["addr2line", "-f", "-i", "-s", "-e", path, offset], capture_output=True, text=True,
                                 check=False).stdout.split()
            names += [f"{function}({place})" for function, place in zip(out[::2], out[1::2])]
        return " < ".join(names[:9])


def read_records(path: str) -> typing.Iterator[Run]:
    data = open(path, "rb").read()
    while data:
        head, data = data.split(b"\n", 1)
        n, code, failed, n_trace, n_output = map(int, head.split())
        yield Run(n, code, failed == 1, data[:n_trace].decode(), data[n_trace:n_trace + n_output].decode(errors="replace"))
        data = data[n_trace + n_output:]


def all_runs(preload: str, command: list[typing.Any], first: int = 1, step: int = 1, env: typing.Any = None,
             runs: typing.Any = None, timeout: int = 600) -> list[typing.Any]:
    """Run @command once for each failing allocation; the last run has none."""
    with tempfile.NamedTemporaryFile(prefix="weir-fail.") as out:
        settings = dict(os.environ, **(env or {}), LD_PRELOAD=preload, FAIL_OUT=out.name, FAIL_FIRST=str(first),
                        FAIL_STEP=str(step))
        if runs:
            settings["FAIL_RUNS"] = str(runs)
        subprocess.run(command, env=settings, stdin=subprocess.DEVNULL, check=True, timeout=timeout)
        return list(read_records(out.name))
