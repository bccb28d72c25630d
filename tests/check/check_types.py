# SPDX-License-Identifier: BSD-2-Clause
"""Python as mypy accepts it, with types on every function; what is left out of its sight says why.

tests/mypy.ini is the configuration. `# type: ignore[code]  # reason` takes one line out, nothing takes out a file.
"""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import tree

CONFIG = os.path.join(tree.ROOT, "tests", "mypy.ini")
CACHE = os.path.join(tree.ROOT, ".cache", "mypy")
SCRIPTS = ("tests/run",)  # Python without the ending
# Written in pieces, so that this file is not an offence of its own.
IGNORED = re.compile("# type" + r": ignore(?!\[[a-z-]+(?:, [a-z-]+)*\]  # \w)")
WHOLE_FILE = re.compile(r"(?m)^\s*# my" + r"py:")


def offences(root: str, files: list[str]) -> list[str]:
    modules = [f for f in files if f.endswith(".py") or f in SCRIPTS]
    found = []
    for path in modules:
        text = tree.read(root, path)
        if WHOLE_FILE.search(text):
            found.append(f"{path}: changes mypy's options for itself")
        found += [f"{path}:{n}: ignores an error without its code and a reason"
                  for n, line in enumerate(text.splitlines(), 1) if IGNORED.search(line)]
    if modules:
        done = subprocess.run(["mypy", "--config-file", CONFIG, "--cache-dir", CACHE, "--soft-error-limit=-1", "--no-error-summary",
                               "--no-color-output", *modules], cwd=root, capture_output=True, text=True, check=False)
        found += [line for line in done.stdout.splitlines() if ": error: " in line]
        if done.returncode and not found:
            found.append(f"mypy: {done.stdout[-500:]}{done.stderr[-500:]}")
    return found


PLANTS: tree.Plants = {
    "each kind": ({"untyped.py": "def double(a):\n    return 2 * a\n",
                   "half.py": "def double(a: int, b) -> int:\n    return a * b\n",
                   "wrong.py": "def double(a: int) -> int:\n    return 2 * a\n\n\ndouble('a')\n",
                   "blind.py": "a: int = 'a'  # type" + ": ignore[assignment]\n",
                   "blind_file.py": "# my" + "py: ignore-errors\n",
                   "tests/run": "def double(a):\n    return 2 * a\n"}, 6),
    "what is right": ({"a.py": "import b_module\n\nb_module.double(2)\n",
                       "b_module.py": "def double(a: int) -> int:\n    return 2 * a\n",
                       "c.py": "c: int = 'a'  # type" + ": ignore[assignment]  # as an example\n"}, 0),
}

if __name__ == "__main__":
    if not shutil.which("mypy"):
        print("no mypy here: install mypy")
        sys.exit(77)
    tree.main(offences, PLANTS)
