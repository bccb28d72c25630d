# SPDX-License-Identifier: BSD-2-Clause
"""Under attack: while hostile clients do their worst, those that Weir is for are answered in time.

Each part is a file of its own, abuse_NAME.py, with run(report, quick): it makes its own namespaces, claims what must hold,
and returns its figures. Writes build/lab/abuse.json: the figures of the API at the top, those of other parts below
their names.

Usage: lab_abuse.py [--quick] [PART ...]   with --quick: shorter; then, and with parts, the file is abuse-part.json
"""
from __future__ import annotations

import importlib
import json
import os
import sys

from net import BUILD, say
from report import Report

# File: the name below which its figures stand; "" for the top.
PARTS = {
    "abuse_api": "",
    "abuse_dns": "dns",
    "abuse_memory": "memory",
}


def run(report: Report) -> None:
    quick, only = "--quick" in sys.argv, [a for a in sys.argv[1:] if not a.startswith("--")]
    figures = {}
    for file, name in PARTS.items():
        if only and file not in only:
            continue
        say(f"part {file}")
        seen = importlib.import_module(file).run(report, quick)
        figures.update({name: seen} if name else seen)
    directory = os.path.join(BUILD, "lab")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "abuse-part.json" if quick or only else "abuse.json")
    with open(path + ".new", "w") as f:
        json.dump(figures, f, indent=1)
        f.write("\n")
    os.rename(path + ".new", path)


if __name__ == "__main__":
    sys.exit(Report.main(run))
