# SPDX-License-Identifier: BSD-2-Clause
"""C as clang-format writes it with the project's .clang-format; text without trailing space or tabs gone astray."""
from __future__ import annotations

import os
import re
import subprocess

import tree

STYLE = "file:" + os.path.join(tree.ROOT, ".clang-format")
WARNING = re.compile(r"^(.+?):(\d+):\d+: error: code should be clang-formatted", re.M)


def offences(root: str, files: list[str]) -> list[str]:
    found = []
    sources = [f for f in files if f.endswith((".c", ".h"))]
    if sources:
        done = subprocess.run(["clang-format", f"--style={STYLE}", "--dry-run", "-Werror", *sources], cwd=root,
                              capture_output=True, text=True)
        first: dict[str, str] = {}
        for path, line in WARNING.findall(done.stderr):
            first.setdefault(path, line)
        found += [f"{path}:{line}: is not as clang-format writes it" for path, line in first.items()]
        if done.returncode and not found:
            found.append(f"clang-format: {done.stderr[:500]}")
    for path in files:
        if path.endswith((".py", ".sh", ".md", "meson.build")) or path in ("run", "tests/run"):
            found += [f"{path}:{n}: space at the end of the line"
                      for n, line in enumerate(tree.read(root, path).splitlines(), 1) if line != line.rstrip()]
    return found


PLANTS: tree.Plants = {
    "spaces for a tab": ({"a.c": "int f(void)\n{\n    return 0;\n}\n"}, 1),
    "a brace in the wrong place": ({"a.h": "struct a\n{\n\tint b;\n};\n"}, 1),
    "space at a line's end": ({"a.py": "x = 1 \n"}, 1),
    "as it should be": ({"a.c": "int f(void)\n{\n\treturn 0;\n}\n", "a.py": "x = 1\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
