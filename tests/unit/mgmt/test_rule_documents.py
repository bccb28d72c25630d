# SPDX-License-Identifier: BSD-2-Clause
"""The tables of rules in documents are what the program prints: test_rule_documents.py RULE-TABLE ROOT [--write]

A document says where a table of which scopes stands: <!-- build/mgmt/rules/rule-table SCOPE... -->
"""
import pathlib
import re
import subprocess
import sys

PLACE = re.compile(r"(?<=<!-- build/mgmt/rules/rule-table )([a-z ]+)( -->\n)(?:\|.*\n)*")


def main() -> int:
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    shown: set[str] = set()
    stale: list[str] = []

    def fill(place: re.Match[str]) -> str:
        scopes = place[1].split()
        shown.update(scopes)
        return place[1] + place[2] + subprocess.run([program, *scopes], check=True, capture_output=True, text=True).stdout

    for path in sorted(root.glob("docs/*.md")):
        text = path.read_text()
        current = PLACE.sub(fill, text)
        if text != current:
            stale.append(path.name)
            if "--write" in sys.argv:
                path.write_text(current)
    hidden = set(subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()) - shown
    print(f"stale: {', '.join(stale)} ({sys.argv[0]} {program} {root} --write); in no document: {', '.join(hidden)}")
    return bool(stale or hidden)


if __name__ == "__main__":
    sys.exit(main())
