# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs: each a one-line change of the shared code (file in include/weir/fwd/, what stands there once, what is put in its
place), made in a copy of the headers from which the native side of a differential test is built. The XDP program stays
as it is. Every bug must be caught by a difference: one that survives says that the frames are too weak."""
from __future__ import annotations

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import tempfile
import typing

FLAGS = ["-O0", "-std=gnu11", "-D_GNU_SOURCE", "-fno-strict-aliasing", "-w"]


def sample(bugs: list[typing.Any]) -> list[typing.Any]:
    """All of them; with WEIR_SEEDED_EVERY=n every n-th, as `./run test` has it. `./run test long` tries all."""
    return bugs[::int(os.environ.get("WEIR_SEEDED_EVERY", "1"))]


def with_bug(path: pathlib.Path, old: str, new: str) -> str:
    """The file's text with the bug. Its place must be there once, or the list is stale."""
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{path.name}: found {text.count(old)} times, not once: {old}")
    return text.replace(old, new)


def plant(bug: None, source: pathlib.Path, work: pathlib.Path) -> list[typing.Any]:
    """Copy the headers to `work` and put the bug there, if there is one; returns what makes a compiler find them first."""
    shutil.copytree(source / "include", work / "include")
    if bug:
        name, old, new = bug
        path = work / "include/weir/fwd" / name
        path.write_text(with_bug(path, old, new))
    return ["-I", work / "include", "-I", source]


def survives(bug: None, source: pathlib.Path, build: typing.Callable[..., typing.Any]) -> bool:
    """Whether the test sees no difference; a crash of it is no catch. build(flags, work) makes its commands, which are
    run one after the other until one sees a difference."""
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as directory:
        work = pathlib.Path(directory)
        for command in build([*FLAGS, *plant(bug, source, work)], work):
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode not in (0, 1):
                raise SystemExit(f"{command[0]} ended with {done.returncode} for {bug}: {done.stderr[-300:]}")
            if done.returncode == 1:
                return False
    return True


def run(bugs: list[tuple[str, str, str]], source: pathlib.Path, build: typing.Callable[..., typing.Any]) -> int:
    """Try a sample of the bugs, after none; returns the exit status. All of them must have their place."""
    for name, old, new in bugs:
        with_bug(source / "include/weir/fwd" / name, old, new)
    if not survives(None, source, build):
        raise SystemExit("there is a difference without any bug")
    return try_sample(bugs, lambda bug: survives(bug, source, build))


def try_sample(bugs: list[typing.Any], is_missed: typing.Callable[..., typing.Any]) -> int:
    """Ask is_missed(bug) of each of a sample, two at a time, and tell; returns the exit status."""
    bugs = sample(bugs)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(is_missed, bugs))
    for bug, survived in zip(bugs, results):
        if survived:
            print(f"survived: {bug[0]}: {bug[1]} -> {bug[2]}")
    print(f"{results.count(False)} passed, {results.count(True)} failed")
    return 1 if any(results) else 0
