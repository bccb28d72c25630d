# SPDX-License-Identifier: BSD-2-Clause
"""How a suite of unittest ends: with a line that tests/run reads. What was skipped has not passed."""
from __future__ import annotations

import signal
import sys
import unittest


def interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def read_number(option: str, usual: int) -> int:
    """The number behind @option, taken out of the command line."""
    if option not in sys.argv:
        return usual
    at = sys.argv.index(option)
    number = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]
    return number


def read_rounds(usual: int) -> int:
    """The number behind --rounds; and SIGTERM ends a lab as an interruption does, so that it cleans up."""
    signal.signal(signal.SIGTERM, interrupt)
    return read_number("--rounds", usual)


def main() -> None:
    result = unittest.main(exit=False, verbosity=2).result
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    passed = max(0, result.testsRun - failed - skipped)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(bool(failed) or not result.testsRun)
