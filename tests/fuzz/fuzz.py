#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Real fuzzing: targets under libFuzzer, ASan and UBSan, in the build for sanitizers.

Usage: fuzz.py [--seconds N] [--seed N] [--jobs N] [TARGET ...]   each target for N seconds, by default with a random seed
       fuzz.py --fixed [--seeded] [TARGET ...]   seed 1 and a fixed number of inputs, some seconds' worth: each run the same

What is found stays in build-clang-asan, and the command that repeats it is printed. Inputs that reached something new are kept
in build-clang-asan/corpus for the next run, but not with --fixed, which would not be the same again. --seeded: then bugs are planted,
which such a run must find (seeded_real.py).
"""
from __future__ import annotations

import argparse
import concurrent.futures
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import typing

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# The build that ./run test makes for sanitizers (tests/run). Optimised a little: more would compile for longer than it saves.
BUILD = os.path.join(ROOT, "build-clang-asan")
OPTIONS = ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1", "-Ddebug=false"]
TOOLS = {"CC": "clang", "CC_LD": "lld"}  # 500 programs: lld takes half as long for each
SEED = 1
# Inputs of a fixed run: what takes about three seconds of an idle processor.
RUNS = {"announce_line": 3000, "api": 6000, "auth": 200000, "config": 3000, "control": 5000, "daemon": 60000,
        "decap": 300000, "dns_image": 50000, "dns_line": 5000, "dns_query": 60000, "dns_zone": 500, "handover": 3000,
        "health_line": 8000, "history": 1000, "http": 30000, "kept": 4000, "packet": 100000, "page": 3000, "peer": 5000, "probe": 3000,
        "rtnl": 150000, "times": 250000, "ways": 3000}
RUNS_OTHERS = 2000
LIMIT_S = 3000  # of a fixed run, on however busy a machine: it has what all others leave


def all_targets() -> list[typing.Any]:
    names = sorted(os.listdir(os.path.join(ROOT, "tests/fuzz")))
    return [n[5:-2] for n in names if n.startswith("fuzz_") and n.endswith(".c")]


def build(targets: list[typing.Any]) -> None:
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, *OPTIONS], cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, **TOOLS})
    done = subprocess.run(["ninja", "-C", BUILD, *[f"tests/fuzz/fuzz_{t}" for t in targets]], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-4000:])
        sys.exit("0 passed, 1 failed")


def program_of(target: typing.Any) -> str:
    return os.path.join(BUILD, "tests/fuzz/fuzz_" + target)


def command_of(target: typing.Any, limits: list[typing.Any], kept: str, program: str | None = None) -> list[typing.Any]:
    return [program or program_of(target), *limits, "-print_final_stats=1",
            f"-artifact_prefix={BUILD}/{target}-", kept, os.path.join(ROOT, "tests/fuzz/corpus", target)]


def runs_of(target: typing.Any) -> typing.Any:
    return RUNS.get(target, RUNS_OTHERS)


def fixed_limits(target: typing.Any) -> list[typing.Any]:
    # of one input too: who has a processor only while nobody else wants it may stand still for minutes
    return [f"-runs={runs_of(target)}", f"-seed={SEED}", f"-max_total_time={LIMIT_S}", f"-timeout={LIMIT_S}"]


def executed(said: str) -> int:
    """How many inputs libFuzzer says that it ran."""
    runs = re.search(r"number_of_executed_units: *(\d+)", said)
    return int(runs.group(1)) if runs else 0


def report(target: typing.Any, command: list[typing.Any], done: subprocess.CompletedProcess[str], seconds: float,
           at_least: int = 1) -> bool:
    n = executed(done.stderr)
    ok = done.returncode == 0 and n >= at_least
    seed = next(c for c in command if c.startswith("-seed="))
    lines = [f"{'ok' if ok else 'FAIL':5}{target:14}{n:10} inputs {seconds:7.1f} s  {seed[1:]}"]
    if done.returncode == 0 and not ok:
        lines.append(f"    not the {at_least} inputs that are fixed: it was stopped by the limit of {LIMIT_S} s, or never began")
    if not ok:
        lines += ["    " + line for line in done.stderr.splitlines()[-40:]] + ["    again: " + " ".join(command)]
    print("\n".join(lines), flush=True)
    return ok


def run(target: typing.Any, limits: list[typing.Any], fixed: typing.Any) -> bool:
    """@return whether nothing was found"""
    kept = os.path.join(BUILD, "corpus", target)
    os.makedirs(kept, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="weir-fuzz.") as empty:
        command = command_of(target, limits, empty if fixed else kept)
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
        return report(target, command, done, time.monotonic() - began, runs_of(target) if fixed else 1)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fixed", action="store_true")
    parser.add_argument("--seeded", action="store_true")
    parser.add_argument("targets", nargs="*")
    args = parser.parse_args()
    targets = args.targets or all_targets()
    build(targets)

    def run_one(target: typing.Any) -> bool:
        seed = args.seed or random.randrange(1, 1 << 31)
        limits = fixed_limits(target) if args.fixed else [f"-max_total_time={args.seconds}", f"-seed={seed}", "-timeout=60"]
        return run(target, limits, args.fixed)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        results = list(pool.map(run_one, targets))
    if args.seeded:
        results.append(subprocess.run([sys.executable, os.path.join(ROOT, "tests/fuzz/seeded_real.py")], check=False).returncode == 0)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
