# SPDX-License-Identifier: BSD-2-Clause
"""build/lab/fleet.json: what the labs of nodes that share a store have measured, each its own figures."""
from __future__ import annotations

import contextlib
import json
import os
import typing

PATH = os.path.join(os.environ.get("WEIR_BUILD", "build"), "lab", "fleet.json")


def add(figures: dict[str, typing.Any]) -> None:
    """Write @figures; those of another lab stay."""
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    there: dict[str, typing.Any] = {}
    with contextlib.suppress(OSError, ValueError), open(PATH, encoding="utf-8") as f:
        there = json.load(f)
    with open(PATH + ".new", "w", encoding="utf-8") as f:
        json.dump({**there, **figures}, f)
    os.replace(PATH + ".new", PATH)
