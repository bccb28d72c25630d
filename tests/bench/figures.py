#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Print docs/figures.md: what was measured, by promise.

    python3 tests/bench/figures.py            print the page from docs/figures.json alone
    python3 tests/bench/figures.py --update   take the results below build/ into docs/figures.json, write docs/figures.md

docs/figures.json has two parts. "sections" are the promises with the figures that a person noted, each with its command.
"runs" are the last results by file: {"bench/ring": {"when": DATE, "rows": [...]}}; --update puts those of
build/bench/*.json and build/lab/*.json there. So the page can be printed without running anything.

A row with "run" takes its figures from that result: in "measured", {PATH} is a lab's figure with this path, {ROW/COLUMN} a
bench's; {PATH:UNIT} the same with its unit, {max COLUMN} and {all COLUMN} the largest and "all true" of a column of cases. A figure
that no run has is "not measured". "limits" has the least and the most that is wanted, by path (null: no such limit; a text: the
figure with that path): a figure beyond them is "missed".
"""
from __future__ import annotations

import argparse
import datetime
import glob
import json
import os
import re
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORE, PAGE = "docs/figures.json", "docs/figures.md"
ROW_KEYS = ("name", "unit", "min", "median", "max", "lost_max", "share", "reference", "reference_median", "limit", "limit_median", "bytes", "target", "met")
DEEPEST = 3  # levels of a lab's result that are figures; below are lists of cases
MOST = 60    # figures of one lab
HEAD = """# Figures

<!-- Printed by `python3 tests/bench/figures.py` from docs/figures.json; a test compares. -->

For readers who want the evidence behind the promises in the [README](../README.md).

- Measured on two shared cores (Debian 12, Linux 6.18), with other work on the machine unless a row says otherwise.
- Each section names the command that measures it again. Results are in `build/bench/NAME.json` and `build/lab/NAME.json`.
- `python3 tests/bench/figures.py --update` takes new results into this page.
- *Wanted* is the target. An empty cell means that there is none.
"""

FIGURE = re.compile(r"\{(max |all )?([^}:]+)(?::([^}]+))?\}")
UNKNOWN = "*not measured*"

Row = dict[str, typing.Any]


def number(value: object) -> str:
    """A figure as people read it; other values as they are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line).rstrip() + " |\n" for line in lines)


def flat(result: object, path: str = "", depth: int = 0) -> list[Row]:
    """The figures of a lab's result by their path: numbers and booleans, not lists of cases."""
    if isinstance(result, (bool, int, float)):
        return [{"name": path, "value": result}]
    if not isinstance(result, dict) or depth == DEEPEST:
        return []
    return [row for name, value in result.items() for row in flat(value, f"{path}.{name}" if path else name, depth + 1)]


def case(row: Row) -> Row:
    """A case of a lab's list: named by its texts, then its figures."""
    return {"name": ": ".join(value for value in row.values() if isinstance(value, str)),
            **{key: value for key, value in row.items() if not isinstance(value, str)}}


def rows_of(result: typing.Any) -> list[Row]:
    """What is kept of a result: a bench's rows, or a lab's figures."""
    if isinstance(result, list):
        if not all(isinstance(row, dict) and "name" in row for row in result):
            return [case(row) for row in result if isinstance(row, dict)]
        return [{key: row[key] for key in ROW_KEYS if key in row} for row in result]
    return flat(result)[:MOST]


def run_text(name: str, run: typing.Any) -> str:
    """The table of one stored result; columns that nobody fills are left out."""
    heads = [key for key in dict.fromkeys(key for row in run["rows"] for key in row)
             if any(row.get(key) is not None for row in run["rows"])]
    rows = [[number(row.get(key)) for key in heads] for row in run["rows"]]
    return f"\nLast stored result of `build/{name}.json` ({run['when']}):\n\n" + table([h.replace("_", " ") for h in heads], rows)


def runs_text(section: typing.Any, runs: dict[str, typing.Any], shown: dict[str, str]) -> str:
    """The stored results of a section, each once on the page. SHOWN: the section that has each, by name."""
    text = ""
    for name in (name for name in section["reads"] if name in runs):
        if name in shown:
            text += f"\nThe last stored result of `build/{name}.json` is [above](#{shown[name]}).\n"
        else:
            text += run_text(name, runs[name])
            shown[name] = section["id"]
    return text


def find_figure(rows: list[Row], how: str, path: str) -> object:
    """A figure of a result, or None."""
    if not how:
        name, _, column = path.partition("/")
        return next((row.get(column or "value") for row in rows if row["name"] == name), None)
    values = [row[path] for row in rows if row.get(path) is not None]
    return None if not values else max(values) if how == "max " else all(values)


def is_missed(rows: list[Row], value: object, limits: typing.Any) -> bool:
    """Whether a figure is beyond its limits."""
    least, most = (find_figure(rows, "", limit) if isinstance(limit, str) else limit for limit in limits)
    figure = typing.cast(float, value)
    return (least is not None and figure < least) or (most is not None and figure > most)


def row_text(row: Row, runs: dict[str, typing.Any]) -> str:
    """The cell "measured": as a person wrote it, or with the figures of a run in it."""
    if "run" not in row:
        return str(row["measured"])
    rows, limits, found = runs.get(row["run"], {"rows": []})["rows"], row.get("limits", {}), []

    def fill(match: re.Match[str]) -> str:
        how, path, unit = match[1] or "", match[2], match[3]
        value = find_figure(rows, how, path)
        if value is None:
            return UNKNOWN
        found.append(value)
        missed = is_missed(rows, value, limits.get(how + path, (None, None)))
        return number(value) + (f" {unit}" if unit else "") + (" (**missed**)" if missed else "")

    text = FIGURE.sub(fill, row["measured"])
    return text if found else UNKNOWN


def section_text(section: typing.Any, runs: dict[str, typing.Any], shown: dict[str, str]) -> str:
    text = f"\n## {section['title']}\n\n<a id=\"{section['id']}\"></a>Measured by " + ", ".join(f"`{c}`" for c in section["by"]) + ".\n\n"
    text += table(["what", "measured", "wanted"], [[row["what"], row_text(row, runs), row["wanted"]] for row in section["rows"]])
    if section["notes"]:
        text += "\n" + "".join(f"- {note}\n" for note in section["notes"])
    return text + runs_text(section, runs, shown)


def page(store: typing.Any) -> str:
    """docs/figures.md."""
    shown: dict[str, str] = {}
    text = HEAD + "".join(section_text(section, store["runs"], shown) for section in store["sections"])
    return re.sub(r" +\n", "\n", text)


def take_results(store: typing.Any, build: str) -> None:
    """Put the results that lie below BUILD into the store. A file that is no JSON is an error."""
    for path in sorted(glob.glob(os.path.join(build, "bench", "*.json")) + glob.glob(os.path.join(build, "lab", "*.json"))):
        name = os.path.relpath(path, build)[:-len(".json")]
        if not any(name in section["reads"] for section in store["sections"]):
            continue
        with open(path) as f:
            rows = rows_of(json.load(f))
        when = datetime.datetime.fromtimestamp(os.path.getmtime(path), datetime.timezone.utc)
        store["runs"][name] = {"when": when.strftime("%Y-%m-%d"), "rows": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="take the results below build/ and write the page")
    args = parser.parse_args()
    with open(os.path.join(ROOT, STORE)) as f:
        store = json.load(f)
    if not args.update:
        print(page(store), end="")
        return
    take_results(store, os.path.join(ROOT, "build"))
    with open(os.path.join(ROOT, STORE), "w") as f:
        json.dump(store, f, indent=1, ensure_ascii=False)
        f.write("\n")
    with open(os.path.join(ROOT, PAGE), "w") as f:
        f.write(page(store))


if __name__ == "__main__":
    main()
