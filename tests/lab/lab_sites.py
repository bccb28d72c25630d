# SPDX-License-Identifier: BSD-2-Clause
"""Sites: a dead one leaves the answers by default, and losing information removes none.

All patterns of views for two to five sites; then README's own example, with VIPs that the sites cannot reach among
themselves, with one that a later version adds, and with a site that is killed. Writes build/lab/sites.json:
{patterns, wrong_removals, default_check_ms}. --quick plays fewer patterns of five sites.
"""
from __future__ import annotations

import collections
import json
import os
import sys
import threading
import time
import typing

import sites_patterns as patterns
from net import BUILD, Lab, say
from report import Report
from sites_example import Example

WITHIN_MS = 5000


def play_patterns(lab: Lab, report: Report, quick: bool) -> collections.Counter[str]:
    counts = collections.Counter(patterns=0, wrong_removals=0)
    lists: dict[int, collections.defaultdict[str, typing.Any]] = {}
    failures: list[str] = []

    def play(n: typing.Any) -> None:
        found: collections.defaultdict[str, typing.Any] = collections.defaultdict(int, {"examples": []})
        lists[n] = found
        try:
            server = patterns.Server(lab, n)
            for fresh in patterns.masks(n, quick):
                for was_up in (True, False):
                    server.play(fresh, was_up, found)
            server.close()
        except Exception as e:  # told below, by its number of sites
            failures.append(f"{n} sites: {e}")

    threads = [threading.Thread(target=play, args=(n,)) for n in (2, 3, 4, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    report.equal(failures, [], "all patterns were tried")
    for n, found in sorted(lists.items()):
        say(f"{n} sites: {found['patterns']} patterns")
        for text in found["examples"][:5]:
            say(text)
        for key in ("patterns", "wrong_removals", "wrong_returns", "missed_removals", "missed_returns"):
            counts[key] += found[key]
    report.check(counts["patterns"] >= 100, "at least 100 patterns of views", counts["patterns"])
    for key, claim in (("wrong_removals", "losing information removes no site"),
                       ("wrong_returns", "nor does it bring a dead one back"),
                       ("missed_removals", "what most of the sites see down is removed"),
                       ("missed_returns", "and comes back when it cannot be down any more")):
        report.equal(counts[key], 0, claim)
    return counts


def run(report: Report) -> None:
    quick = "--quick" in sys.argv[1:]
    result = {}
    with Lab("sites") as lab:
        counts = play_patterns(lab, report, quick)
        result = {"patterns": counts["patterns"], "wrong_removals": counts["wrong_removals"]}
        example = Example(lab)
        result["default_check_ms"] = example.run(report)
    report.check(result["default_check_ms"] is not None and result["default_check_ms"] <= WITHIN_MS,
                 f"a killed site of README's example is out of all answers within {WITHIN_MS} ms", result["default_check_ms"])
    path = os.path.join(BUILD, "lab", "sites.json")
    with open(path, "w") as f:
        json.dump(result, f)
    say(f"{path}: {json.dumps(result)}")


if __name__ == "__main__":
    sys.exit(Report.main(run))
