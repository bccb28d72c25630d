# SPDX-License-Identifier: BSD-2-Clause
"""The figures of lab drain and what is wanted of them. A figure that was not measured is null, and misses its target."""
from __future__ import annotations

import json
import os
import typing

if typing.TYPE_CHECKING:
    from report import Report

# (key, least, most): null where there is no such limit. A boolean must be true. Without limits: reported.
WANTED: tuple[tuple[str, float | None, float | None], ...] = (
    ("site_drain_s", None, 75),
    ("site_drain_default_s", None, 240),
    ("requests", 30000, None),
    ("refused", None, 0),
    ("late_served", 1000, None),
    ("connect_p99_ms", None, None),
    ("return_s", None, None),
    ("return_refused", None, 0),
    ("scheduled_late_refused", None, None),
    ("squeeze.held_ms", None, 2000),
    ("squeeze.failed", None, 0),
    ("squeeze.failed_without_guard", 1000, None),
    ("squeeze_hidden.held_ms", None, 2000),
    ("squeeze_hidden.failed", None, None),
    ("owner_kill.owned_ms", None, 15000),
    ("owner_kill.level_changes_meanwhile", None, 0),
    ("owner_kill.steps_twice", None, 0),
    ("owner_kill.finished", 1, None),
    ("cut.level_spread_ppm", None, 10000),
    ("cut.changes_of_the_cut_node", None, 0),
    ("cut.held", 1, None),
    ("double.b_out_ms", None, 5000),
    ("majority.out_ms", None, 5000),
    ("majority.rounds", None, None),
    ("majority.unanswered", None, 0),
    ("majority.failed_elsewhere", None, 0),
    ("backup.ms_to_backup", None, 200),
    ("backup.failed_after", None, 0),
    ("mutual_loops", None, 0),
)

# What this lab cannot measure: (key, target, where). Before and after are builds without and with the counters, run in turns.
ELSEWHERE = (
    ("counting.xdp_ns", "<= 1", "./run bench forward: xdp.*.tcp.new and tcp.flows1, before and after"),
    ("counting.worker_ns", "<= 0.7", "./run bench worker: before and after"),
    ("counting.forward_ns", "<= 35", "./run bench forward: tcp.flows1"),
)

Value = typing.Union[int, float, bool, None]


def target_text(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return "reported"
    return f"<= {most:g}" if least is None else f">= {least:g}"


def is_met(value: Value, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)


class Figures:
    """The figures of a run; each is checked as it comes."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.values: dict[str, Value] = {}
        self.limits = {key: (least, most) for key, least, most in WANTED}

    def put(self, key: str, value: Value) -> None:
        """Note a figure, and that it is as wanted."""
        least, most = self.limits[key]
        self.values[key] = value
        self.report.check(is_met(value, least, most), f"{key}: {target_text(least, most)}", "not measured" if value is None else value)

    def rows(self) -> list[dict[str, typing.Any]]:
        return [{"key": key, "value": self.values.get(key), "target": target_text(least, most),
                 "met": is_met(self.values.get(key), least, most)} for key, least, most in WANTED]

    def show(self) -> None:
        for row in self.rows():
            print(f"  {row['key']:40} {'not measured' if row['value'] is None else row['value']!s:>14}  {row['target']:12}"
                  f" {'met' if row['met'] else 'missed'}", flush=True)

    def write(self, path: str, keep: bool) -> None:
        """Write all figures; with `keep` those of an earlier run stay where this one has none."""
        if keep and os.path.exists(path):
            with open(path) as f:
                self.values = {r["key"]: r["value"] for r in json.load(f)["figures"] if r["value"] is not None} | self.values
        result: dict[str, typing.Any] = {}
        for key, value in self.values.items():
            group, _, name = key.rpartition(".")
            (result.setdefault(group, {}) if group else result)[name] = value
        result["figures"] = self.rows()
        result["measured_elsewhere"] = [{"key": key, "target": target, "by": by} for key, target, by in ELSEWHERE]
        with open(path + ".new", "w") as f:
            json.dump(result, f, indent=2)
            f.write("\n")
        os.rename(path + ".new", path)
