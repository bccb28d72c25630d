# SPDX-License-Identifier: BSD-2-Clause
"""The rules of Prometheus' own linter (promtool check metrics) for a text of metrics, and that it can be parsed."""
from __future__ import annotations

import re
import typing

LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
# Units that are not the base unit, and their abbreviations, as words of a name.
UNITS = ("milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "weeks", "kelvin", "kelvins", "kilobytes",
         "megabytes", "gigabytes", "bits", "kilobits", "millimeters", "centimeters", "percent", "percents")
SHORT = ("s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d")


def family_of(name: str, types: dict[typing.Any, typing.Any]) -> str:
    for end in ("_bucket", "_sum", "_count"):
        if name.endswith(end) and types.get(name[:-len(end)]) == "histogram":
            return name[:-len(end)]
    return name


def lint_name(name: str, kind: typing.Any) -> typing.Iterator[str]:
    words = name.split("_")
    if re.search("[a-z][A-Z]", name) or ":" in name:
        yield "camel case or a colon"
    if kind == "counter" and not name.endswith("_total"):
        yield "a counter without _total"
    if kind != "counter" and name.endswith("_total"):
        yield "_total, and no counter"
    if kind != "histogram" and name.endswith(("_bucket", "_count", "_sum")):
        yield "a histogram's ending"
    if any(w in UNITS for w in words):
        yield "not a base unit"
    if any(w in SHORT for w in words[1:]):
        yield "an abbreviated unit"
    if any(t in words for t in ("counter", "gauge", "histogram", "summary")):
        yield "its type in its name"


def lint_histogram(name: str, rows: typing.Any) -> typing.Iterator[str]:
    """Of each set of labels: buckets grow, the last is +Inf and is the count."""
    series: dict[typing.Any, typing.Any] = {}
    for n, labels, value in rows:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        series.setdefault(key, {}).setdefault(n[len(name):], []).append((labels.get("le"), value))
    for parts in series.values():
        buckets = [(float(le.replace("+Inf", "inf")), v) for le, v in parts.get("_bucket", [])]
        counts = [v for _, v in buckets]
        if [b for b, _ in buckets] != sorted(b for b, _ in buckets) or not buckets or buckets[-1][0] != float("inf"):
            yield "buckets out of order, or without +Inf"
        elif counts != sorted(counts) or parts.get("_count", [(None, None)])[0][1] != counts[-1] or "_sum" not in parts:
            yield "buckets that do not add up"


def lint(text: str) -> list[str]:
    """What is wrong, as a list of texts."""
    found: list[typing.Any] = []
    types: dict[typing.Any, typing.Any] = {}
    helps: dict[typing.Any, typing.Any] = {}
    seen: set[typing.Any] = set()
    families: dict[typing.Any, typing.Any] = {}
    last = None
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            (types if what == "TYPE" else helps)[name] = rest
            continue
        match = LINE.match(line)
        if not match:
            found.append(f"cannot be parsed: {line}")
            continue
        name, labels = match[1], dict(LABEL.findall(match[2] or ""))
        family = family_of(name, types)
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            found.append(f"{line}: twice")
        if family != last and family in families:
            found.append(f"{family}: not in one group")
        seen.add(key)
        last = family
        families.setdefault(family, []).append((name, labels, float(match[3])))
        if "le" in labels and types.get(family) != "histogram":
            found.append(f"{name}: a label le, and no histogram")
    for family, rows in families.items():
        if not helps.get(family, "").strip():
            found.append(f"{family}: no help text")
        if types.get(family) not in TYPES:
            found.append(f"{family}: no type")
        found += [f"{family}: {offence}" for offence in lint_name(family, types.get(family))]
        if types.get(family) == "histogram":
            found += [f"{family}: {offence}" for offence in lint_histogram(family, rows)]
    return found


def values(text: str) -> dict[tuple[str, str], typing.Any]:
    """{(name, labels as they stand): value}"""
    return {(m[1], m[2] or ""): float(m[3]) for m in map(LINE.match, text.splitlines()) if m}
