# SPDX-License-Identifier: BSD-2-Clause
"""The node tells the truth: in each situation of truth_*.py its state is right within 2 s after the evidence.

    lab_truth.py [--quick] [--driver xdp|dpdk] [WORD ...]    only situations whose names contain a word

Writes build/lab/truth.json: {"situations", "wrong", "results"}.
"""
from __future__ import annotations

import argparse
import glob
import importlib
import json
import os
import sys
import typing

from net import BUILD, Lab, say
from report import Report
from truth import Bed, run_all

HERE = os.path.dirname(os.path.abspath(__file__))
SLACK_S = 3  # the short form runs beside other suites, which take processor time
sys.path.insert(0, os.path.join(HERE, "..", "unit", "mgmt"))
from metrics_lint import lint  # noqa: E402  the same rules as the unit tests'


def all_situations() -> list[typing.Any]:
    """Of all modules truth_NAME.py, in the order of their names."""
    found: list[typing.Any] = []
    for path in sorted(glob.glob(os.path.join(HERE, "truth_*.py"))):
        module = importlib.import_module(os.path.basename(path)[:-3])
        found += getattr(module, "SITUATIONS", [])
    return found


def chosen(arguments: argparse.Namespace, driver: typing.Any) -> list[typing.Any]:
    return [s for s in all_situations() if driver in s.drivers and (s.quick or not arguments.quick)
            and (not arguments.words or any(w in s.name for w in arguments.words))]


def write(results: list[typing.Any], wrong: list[typing.Any]) -> None:
    directory = os.path.join(BUILD, "lab")
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "truth.json"), "w") as f:
        json.dump({"situations": len(results), "wrong": len(wrong), "wrong_names": wrong, "results": results}, f, indent=1)
    say(f"{len(results)} situations, {len(wrong)} wrong")


def run(report: Report) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--driver", choices=("xdp", "dpdk"))
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    results, wrong = [], []
    for driver in [arguments.driver] if arguments.driver else ["xdp"] if arguments.quick else ["xdp", "dpdk"]:
        situations = chosen(arguments, driver)
        if not situations:
            continue
        with Lab(f"truth-{driver}"[:9]) as lab:
            bed = Bed(report, lab, driver, SLACK_S if arguments.quick else 0)
            try:
                bed.start()
                run_all(bed, situations)
                report.equal(lint(bed.metrics()), [], f"{driver}: the metrics of all processes follow the conventions")
            finally:
                results += bed.results
                wrong += bed.wrong
    write(results, wrong)
    report.check(results, "situations were looked at", len(results))


if __name__ == "__main__":
    sys.exit(Report.main(run))
