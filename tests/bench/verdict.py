# SPDX-License-Identifier: BSD-2-Clause
"""Whether a figure is what was wanted: the "met" of a row."""
from __future__ import annotations

import math


def is_met(figure: float | None, most: float | None) -> bool | None:
    """Whether FIGURE, of which less is better, is at most MOST. None: nothing is wanted, or nothing was measured, as work
    takes more than no time, and memory more than no bytes. What never came to its end is infinite: not met."""
    if most is None or figure is None or math.isnan(figure) or figure <= 0:
        return None
    return bool(figure <= most)


def said(met: bool | None) -> str:
    """For a person."""
    return "not measured" if met is None else "met" if met else "NOT met"
