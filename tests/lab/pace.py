# SPDX-License-Identifier: BSD-2-Clause
"""Whether the machine gave threads their time: what BFD's 300 ms need, whoever waits.

A thread on each processor is woken every 10 ms. When one is woken late, the machine stood still, or that processor was not free. A
worker of DPDK cannot move to another one.
"""
from __future__ import annotations

import os
import threading
import time

LATE_S = 0.1  # a third of what BFD waits, and the scheduler is as late for each of the daemons on the way


class Pace:
    """When threads on each processor were not woken in time, until the program ends."""

    def __init__(self) -> None:
        self.late: list[tuple[float, float]] = []  # (when, by how many s)
        for cpu in os.sched_getaffinity(0):
            threading.Thread(target=self.run, args=(cpu,), daemon=True).start()

    def run(self, cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})  # of this thread alone
        last = time.monotonic()
        while True:
            time.sleep(0.01)  # the pace itself
            now = time.monotonic()
            if now - last > LATE_S:
                self.late.append((now, now - last))
            last = now

    def since(self, began: float) -> list[float]:
        """By how many seconds threads woke late since then (time.monotonic())."""
        return [s for at, s in self.late if at >= began]

    def worst_s(self, began: float) -> float:
        return max(self.since(began), default=0)
