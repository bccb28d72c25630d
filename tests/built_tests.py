# SPDX-License-Identifier: BSD-2-Clause
"""The tests that a build directory has, as meson tells them; for tests/run and the tools of tests/plant.

usage: built_tests.py BUILD     what the short run wants built there, a target a line: all that meson builds by default. `all` of
                                ninja has the programs of every test besides."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import typing


class BuiltTest(typing.NamedTuple):
    """One test(); its tags are what meson calls suites: `unit`, `lab`, `plain`, `pair`."""
    name: str
    command: list[str]
    tags: list[str]
    timeout_s: float
    env: dict[str, str]
    folder: str
    alone: bool


def list_tests(build: str | os.PathLike[str]) -> list[BuiltTest]:
    text = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True).stdout
    return [BuiltTest(t["name"], t["cmd"], [tag.rpartition(":")[2] for tag in t["suite"]], t["timeout"], t["env"],
                      t["workdir"] or os.path.abspath(build), not t["is_parallel"]) for t in json.loads(text)]


def list_wanted(build: str) -> list[str]:
    text = subprocess.run(["meson", "introspect", "--targets", build], check=True, capture_output=True, text=True).stdout
    return [os.path.relpath(f, build) for t in json.loads(text) if t["build_by_default"] for f in t["filename"]]


if __name__ == "__main__":
    print("\n".join(list_wanted(sys.argv[1])))
