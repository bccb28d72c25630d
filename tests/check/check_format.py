# SPDX-License-Identifier: BSD-2-Clause
"""C as clang-format writes it with the project's .clang-format; text without trailing space or tabs gone astray."""
from __future__ import annotations

import os
import re
import subprocess

import tree

STYLE = "file:" + os.path.join(tree.ROOT, ".clang-format")
# A declarator that clang-format tore from its type because a comment behind it was too long: the comment goes before it.
TORN = re.compile(r"^(\t+)(?:(?:static|const|struct|enum|union|unsigned|volatile) )*(?!else\b|do\b|return\b)\w+(?: \**\w+| \*+)?\n\1\s+"
                  r"(?:\[[^\]\n]+\]|\**\w+(?:\[[^\]\n]+\])*);", re.M)
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
    for path in sources:
        text = tree.read(root, path)
        found += [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: a declaration in two lines: move the comment before it"
                  for m in TORN.finditer(text)]
    for path in files:
        if path.endswith((".py", ".sh", ".md", "meson.build")) or path in ("run", "tests/run"):
            found += [f"{path}:{n}: space at the end of the line"
                      for n, line in enumerate(tree.read(root, path).splitlines(), 1) if line != line.rstrip()]
    return found


PLANTS: tree.Plants = {
    "spaces for a tab": ({"a.c": "int f(void)\n{\n    return 0;\n}\n"}, 1),
    "a brace in the wrong place": ({"a.h": "struct a\n{\n\tint b;\n};\n"}, 1),
    "a declarator apart from its type": ({"a.h": "struct a {\n\tchar state\n\t        [PATH_MAX]; /* --state-dir, /var/lib/weir: effective "
                                           "document, store, saved verdicts, or */\n};\n"}, 1),
    "space at a line's end": ({"a.py": "x = 1 \n"}, 1),
    "as it should be": ({"a.c": "int f(void)\n{\n\treturn 0;\n}\n", "a.py": "x = 1\n"}, 0),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
