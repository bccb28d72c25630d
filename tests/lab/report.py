# SPDX-License-Identifier: BSD-2-Clause
"""Counts what a lab claims: one line a claim, and `N passed, N failed` at the end."""
import sys
import time
import traceback

from net import LabError, wait_until


class Report:
    def __init__(self):
        self.passed, self.failed = 0, 0

    def check(self, true, claim, seen=""):
        """Note a claim that must be true; `seen` is shown beside it."""
        self.passed, self.failed = self.passed + bool(true), self.failed + (not true)
        sys.stdout.write(f"  {'ok  ' if true else 'FAIL'}  {claim}{f'  [{seen}]' if seen != '' else ''}\n")
        sys.stdout.flush()
        return bool(true)

    def equal(self, seen, expected, claim):
        """Note a claim that two values are equal; both are shown if not, shortened."""
        if seen == expected:
            return self.check(True, claim, seen if isinstance(seen, int) else "")
        return self.check(False, claim, f"{str(seen)[:300]}, expected {str(expected)[:300]}")

    def between(self, seen, least, most, claim):
        return self.check(least <= seen <= most, f"{claim}: {least:.6g} to {most:.6g}", f"{seen:.6g}")

    def wait(self, condition, timeout_s, claim, every_s=0.05):
        """Note a claim that becomes true within a time. Returns the condition's value, or None; the lab goes on."""
        began = time.monotonic()
        try:
            value = wait_until(condition, timeout_s, claim, every_s)
        except LabError:
            self.check(False, claim, f"not within {timeout_s} s")
            return None
        self.check(True, claim, f"{time.monotonic() - began:.1f} s")
        return value

    def step(self, part, *args):
        """Run a part of a lab; what goes wrong in it is a failure, and the parts behind it are run all the same."""
        try:
            part(*args)
        except Exception:  # shown, counted
            traceback.print_exc(file=sys.stdout)
            self.check(False, f"{part.__name__} could not go on")

    @staticmethod
    def main(run):
        """Run a lab; an exception is a failure. Returns the exit status."""
        report = Report()
        try:
            run(report)
        except Exception:  # shown, counted
            traceback.print_exc()
            report.failed += 1
        print(f"{report.passed} passed, {report.failed} failed", flush=True)
        return 1 if report.failed else 0
