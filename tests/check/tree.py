# SPDX-License-Identifier: BSD-2-Clause
"""What the checks share: the project's files, and how a check is run and proves that it can fail.

A check is a function offences(root, files) -> list of texts. Before it looks at the project it is given
small trees with one planted offence each, of which it must report exactly that many.
"""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = (".git", "__pycache__", ".cache")

Tree = dict[str, str]  # path: text
Check = typing.Callable[[str, list[str]], list[str]]
Plants = dict[str, tuple[Tree, int]]  # why: a tree, and the number of its offences


def project_files(root: str = ROOT) -> list[str]:
    """All files of the project, relative to its root; what git ignores is left out where there is git."""
    if os.path.exists(os.path.join(root, ".git")):
        text = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True,
                              capture_output=True, text=True).stdout
        return sorted(f for f in text.splitlines() if os.path.isfile(os.path.join(root, f)))
    found: list[str] = []
    for folder, below, files in os.walk(root):
        below[:] = [d for d in below if d not in SKIPPED and not d.startswith("build")]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(found)


def read(root: str, path: str) -> str:
    with open(os.path.join(root, path), errors="replace") as f:
        return f.read()


def planted(offences: Check, tree: Tree) -> list[str]:
    """What the check says about a tree {path: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in tree.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w") as f:
                f.write(text)
        return offences(root, sorted(tree))


def main(offences: Check, plants: Plants) -> None:
    """Run a check: plants is {why: (tree, number of offences)}. Exits with its status."""
    passed = failed = 0
    for case, (tree, expected) in plants.items():
        found = planted(offences, tree)
        good = len(found) == expected
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"self-test: {case}: {len(found)} offences found, {expected} planted: {found}")
    found = offences(ROOT, project_files())
    for offence in found:
        print(offence)
    passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
