# SPDX-License-Identifier: BSD-2-Clause
"""How a suite of unittest ends: with a line that tests/run reads. What was skipped has not passed."""
from __future__ import annotations

import sys
import unittest


def main() -> None:
    result = unittest.main(exit=False, verbosity=2).result
    failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
    passed = max(0, result.testsRun - failed - skipped)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    sys.exit(bool(failed))
