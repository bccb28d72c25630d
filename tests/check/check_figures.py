# SPDX-License-Identifier: BSD-2-Clause
"""docs/figures.md is what tests/bench/figures.py prints from docs/figures.json. README's table of promises has at most
25 words in a cell, and each of its links leads to a section of that page."""
import json
import os
import re
import sys

import tree

sys.path.insert(0, os.path.join(tree.ROOT, "tests", "bench"))
import figures  # noqa: E402

README, MOST_WORDS = "README.md", 25
ROW = re.compile(r"^\| .* \|$", re.M)
LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")


def promises(readme: str) -> list[str]:
    """The rows of the table below the heading that begins with "What it promises"."""
    match = re.search(r"^## What it promises.*?(?=^## |\Z)", readme, re.M | re.S)
    return ROW.findall(match[0])[1:] if match else []


def offences(root: str, files: list[str]) -> list[str]:
    if figures.STORE not in files or figures.PAGE not in files or README not in files:
        return [f"{figures.STORE}, {figures.PAGE} or {README} is missing"]
    store = json.loads(tree.read(root, figures.STORE))
    found = []
    if figures.page(store) != tree.read(root, figures.PAGE):
        found.append(f"{figures.PAGE}: is not what tests/bench/figures.py prints")
    known = {section["id"] for section in store["sections"]}
    rows = promises(tree.read(root, README))
    for row in rows:
        cells = row.strip("| ").split(" | ")
        found += [f"{README}: {len(words)} words in a cell, at most {MOST_WORDS}: {cell[:60]}"
                  for cell in cells if len(words := LINK.sub(r"\1", cell).split()) > MOST_WORDS]
        found += [f"{README}: no section {target} in {figures.PAGE}" for _, target in LINK.findall(row)
                  if target.startswith("docs/figures.md#") and target.split("#")[1] not in known]
    return found if rows else [*found, f"{README}: no table of promises"]


STORED = {"runs": {"bench/a": {"when": "2026-01-01", "rows": [{"name": "a", "min": 1.5, "target": 1}]},
                   "lab/a": {"when": "2026-01-01", "rows": [{"name": "a.b", "value": 7}]}},
          "sections": [{"id": "a", "title": "A", "by": ["./run bench a"], "reads": ["bench/a"], "notes": ["x"],
                        "rows": [{"what": "a", "measured": "1 ms", "wanted": ""},
                                  {"what": "b", "measured": "{a.b:s}", "wanted": "5 s", "run": "lab/a", "limits": {"a.b": [None, 5]}},
                                  {"what": "b", "measured": "{a/min:ns}, {a/max}", "wanted": "1 ns", "run": "bench/a",
                                   "limits": {"a/min": [None, "a/target"]}},
                                  {"what": "c", "measured": "{a.b}", "wanted": "", "run": "lab/b"}]}]}
PROMISES = "## What it promises\n\n| promise | measured |\n|---|---|\n"
GOOD = {figures.STORE: json.dumps(STORED), figures.PAGE: figures.page(STORED),
        README: PROMISES + "| a | [1 ms](docs/figures.md#a) |\n"}
PLANTS: tree.Plants = {
    "as it should be": (GOOD, 0),
    "a page that was edited by hand": ({**GOOD, figures.PAGE: figures.page(STORED).replace("1 ms", "2 ms")}, 1),
    "a figure that misses its limit, and one of no run": ({**GOOD, figures.PAGE: figures.page(STORED).replace(
        "| 7 s (**missed**) | 5 s |", "| 7 s | 5 s |").replace("| c | *not measured* |", "| c | 0 |")}, 1),
    "a bench's figure that misses its target": ({**GOOD, figures.PAGE: figures.page(STORED).replace(
        "| 1.5 ns (**missed**), *not measured* | 1 ns |", "| 1.5 ns | 1 ns |")}, 1),
    "25 words": ({**GOOD, README: GOOD[README] + "| b | " + "word " * 25 + "|\n"}, 0),
    "26 words": ({**GOOD, README: GOOD[README] + "| b | " + "word " * 26 + "|\n"}, 1),
    "a link to no section": ({**GOOD, README: GOOD[README] + "| b | [x](docs/figures.md#b) |\n"}, 1),
    "no table": ({**GOOD, README: "nothing\n"}, 1),
    "no page": ({README: GOOD[README]}, 1),
}

if __name__ == "__main__":
    tree.main(offences, PLANTS)
