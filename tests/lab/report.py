# SPDX-License-Identifier: BSD-2-Clause
"""Counts what a lab claims: one line a claim, and `N passed, N failed` at the end."""
from __future__ import annotations

import sys
import time
import traceback
import typing

from net import PATIENCE_S, comes_true

T = typing.TypeVar("T")


class Report:
    def __init__(self) -> None:
        self.passed, self.failed = 0, 0

    def check(self, true: object, claim: str, seen: object = "") -> bool:
        """Note a claim that must be true; `seen` is shown beside it."""
        self.passed, self.failed = self.passed + bool(true), self.failed + (not true)
        sys.stdout.write(f"  {'ok  ' if true else 'FAIL'}  {claim}{f'  [{seen}]' if seen != '' else ''}\n")
        sys.stdout.flush()
        return bool(true)

    def equal(self, seen: object, expected: object, claim: str) -> bool:
        """Note a claim that two values are equal; both are shown if not, shortened."""
        if seen == expected:
            return self.check(True, claim, seen if isinstance(seen, int) else "")
        return self.check(False, claim, f"{str(seen)[:300]}, expected {str(expected)[:300]}")

    def between(self, seen: float, least: float, most: float, claim: str) -> bool:
        return self.check(least <= seen <= most, f"{claim}: {least:.6g} to {most:.6g}", f"{seen:.6g}")

    def wait(self, condition: typing.Callable[..., T], timeout_s: float, claim: str, every_s: float = 0.05) -> T | None:
        """Note a claim that becomes true. Returns the condition's value, or None; the lab goes on.

        The limit is PATIENCE_S at least: how long it took is shown, and is a claim only where between() makes it one.
        """
        began, limit_s = time.monotonic(), max(timeout_s, PATIENCE_S)
        value = comes_true(condition, limit_s, every_s)
        if not value:
            self.check(False, claim, f"not within {limit_s} s")
            return None
        self.check(True, claim, f"{time.monotonic() - began:.1f} s")
        return value

    def step(self, part: typing.Callable[..., object], *args: typing.Any) -> None:
        """Run a part of a lab; what goes wrong in it is a failure, and the parts behind it are run all the same."""
        try:
            part(*args)
        except Exception:  # shown, counted
            traceback.print_exc(file=sys.stdout)
            self.check(False, f"{part.__name__} could not go on")

    @staticmethod
    def main(run: typing.Callable[[Report], object]) -> int:
        """Run a lab; an exception is a failure. Returns the exit status."""
        report = Report()
        try:
            run(report)
        except Exception:  # shown, counted
            traceback.print_exc()
            report.failed += 1
        if not report.passed + report.failed:
            report.check(False, "something is claimed")
        print(f"{report.passed} passed, {report.failed} failed", flush=True)
        return 1 if report.failed else 0
