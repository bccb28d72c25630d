#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The store that two sites' nodes share is gone, while clients come: nobody notices.

Usage: lab_store_gone.py [--seconds N]

--seconds: for so long (20). Half way through, weir-mgmt of a node is killed and starts without the store. Writes build/lab/store_gone.json:
requests and queries while it was gone, those that failed, connections and flows that ended.
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time

from changes_world import ChangesWorld
from net import BUILD, Lab, say, wait_until
from report import Report

KINDS = ("request", "query", "held", "flow")


def codes(world: ChangesWorld) -> list[set[str]]:
    """Of all nodes; nothing of one that does not answer."""
    found = []
    for node in world.world.nodes:
        try:
            found.append({r["code"] for r in node.api("GET", "/v1/status")[1]["reasons"]})
        except (OSError, ValueError, KeyError, TypeError):
            found.append(set())
    return found


def be_gone(world: ChangesWorld, report: Report, seconds: int) -> None:
    store = world.world.store
    assert store
    began = time.monotonic()
    world.crowd.forget()
    store.stop()
    wait_until(lambda: all("store-cut-off" in c for c in codes(world)), 40, "all nodes say that it is gone", 0.2)
    time.sleep(max(0.0, seconds / 2 - (time.monotonic() - began)))  # how long it is gone is what is tested
    before = world.ams.pids("mgmt")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: world.ams.pids("mgmt") not in ([], before) and "store-cut-off" in codes(world)[0], 40, "who starts without it says so, too", 0.2)
    time.sleep(max(0.0, seconds - (time.monotonic() - began)))  # as above
    gone_s = time.monotonic() - began
    failed = {kind: world.crowd.failed(kind, began) for kind in KINDS}
    figures = {"gone_s": round(gone_s, 1), **{f"{kind}_good": len(world.crowd.good(kind, began)) for kind in ("request", "query")},
               **{f"{kind}_failed": len(list_) for kind, list_ in failed.items()}}
    os.makedirs(os.path.join(BUILD, "lab"), exist_ok=True)
    with open(os.path.join(BUILD, "lab", "store_gone.json"), "w", encoding="utf-8") as f:
        json.dump(figures, f)
    say(str(figures))
    report.equal({kind: list_[:3] for kind, list_ in failed.items() if list_}, {}, f"{gone_s:.0f} s without the store: nothing is lost")
    report.check(figures["request_good"] > 5 * seconds and figures["query_good"] > 5 * seconds, "clients came all the while", str(figures))
    store.start()
    wait_until(lambda: not any("store-cut-off" in c for c in codes(world)), 40, "it is there again", 0.2)
    status, answer = world.apply({**world.base, "weir.conf": world.base["weir.conf"] + "# after it\n"})
    report.check(status in (200, 201, 202), "and a change is made", str(answer)[:200])


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with Lab("store-gone") as lab:
        world = ChangesWorld(lab)
        try:
            wait_until(world.usual, 30, "all is as usual", 0.2)
            be_gone(world, report, options.seconds)
        finally:
            world.crowd.stop()
            for node in world.world.nodes:
                node.kill_all()


if __name__ == "__main__":
    sys.exit(Report.main(run))
