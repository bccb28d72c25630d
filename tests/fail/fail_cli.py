#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Each allocation of `weir config` fails once: the command either does what it does with memory, or says
that it is out of memory and exits with an error. It never crashes and never finds a false mistake.

Usage: fail_cli.py PRELOAD WEIR SOURCE_ROOT; FAIL_LIBS as failalloc.c says
"""
from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import typing

import fail

PAGE = 4096
LIMITS_BELOW, LIMITS_STEP = 3 << 20, 36 << 10
# What the loader says when there is too little to begin with.
LOADER = ("error while loading shared libraries", "cannot allocate TLS data structures for initial thread")

ZONE = """$TTL 300
@ SOA ns1 root 7 3600 900 604800 60
@ NS ns1
ns1 A 192.0.2.1
@ MX 10 ns1
t TXT "a" "b"
_x._tcp SRV 1 2 3 ns1
c CNAME ns1
"""
BAD = """
schema = 1; cluster = { name = "shop"; hash_key_file = "hash.key"; hash_key_id = "k1"; };
@include "part.conf"
sites = ( { name = "ams"; weight = 4000000000; } ); sites = ();
nodes = ( { name = "n"; site = "asm"; ports = ( { interface = "e"; } ); tunnel_source = [ "10.0.0.0/8" ]; } );
dns = { zones = ( { name = "x.example"; file = "missing.zone"; } ); };
"""


def prepare(root: str, folder: str) -> None:
    shutil.copy(os.path.join(root, "docs/weir.conf.example"), os.path.join(folder, "weir.conf"))
    files = {"hash.key": "00112233445566778899aabbccddeeff\n", "shop.example.zone": ZONE, "bad.conf": BAD,
             "part.conf": 'checks = ( { name = "c"; type = "tcp" "x"; } );\n'}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)


def complaint(run: fail.Run, whole: fail.Run) -> str | None:
    """What is wrong with a run, given the one with memory; None if nothing is."""
    if run.code < 0:
        return run.end()
    if run.code == whole.code and run.output == whole.output:
        return None
    if run.code != 0 and "out of memory" in run.output.lower():
        return None
    return f"{run.end()}, says: {run.output[:200]!r}"


def check(preload: str, weir: str, command: list[typing.Any]) -> bool:
    runs = fail.all_runs(preload, [weir, *command])
    whole, bad = runs[-1], 0
    for run in runs[:-1]:
        wrong = complaint(run, whole)
        if not wrong:
            continue
        bad += 1
        if bad <= 10:
            print(f"  {run.n}. allocation: {wrong}\n    in {run.where(weir)}")
    print(f"{' '.join(command)}: {len(runs) - 1} allocations failed one by one, {bad} ended badly")
    return len(runs) > 20 and bad == 0


def run_within(command: list[typing.Any], limit: int) -> fail.Run:
    def set_limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=set_limit, check=False)
    return fail.Run(limit, done.returncode, True, "", done.stdout + done.stderr)


def check_limits(weir: str, folder: str) -> bool:
    """Less and less memory in all, as a limit of the process."""
    with open(os.path.join(folder, "shop.example.zone"), "a") as f:
        f.writelines(f'r{i} TXT "{i:0>60}"\nm{i} MX 10 r{i}\n' for i in range(12000))
    command = [weir, "config", "check", os.path.join(folder, "weir.conf")]
    whole = run_within(command, resource.RLIM_INFINITY)
    low, high = 1 << 20, 1 << 30
    while high - low > PAGE:  # the least with which it can be done
        middle = (low + high) // 2 // PAGE * PAGE
        low, high = (low, middle) if run_within(command, middle).code == 0 else (middle, high)
    bad = refused = 0
    for limit in range(high, high - LIMITS_BELOW, -LIMITS_STEP):
        run = run_within(command, limit)
        wrong = complaint(run, whole)
        refused += run.code != 0
        if wrong and not any(text in run.output for text in LOADER):
            bad += 1
            print(f"  {limit >> 10} KiB of memory: {wrong}")
    print(f"config check with less and less memory: {refused} runs refused, {bad} ended badly")
    return refused > 10 and bad == 0


def main() -> int:
    preload, weir, root = sys.argv[1:]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="weir-fail.") as folder:
        prepare(root, folder)
        good, bad = os.path.join(folder, "weir.conf"), os.path.join(folder, "bad.conf")
        options: tuple[list[str], list[str]] = ([], ["--json"])
        commands = [[*json, "config", verb, path] for verb in ("check", "show") for path in (good, bad)
                    for json in options]
        for command in commands:
            if check(preload, weir, command):
                passed += 1
            else:
                failed += 1
        if check_limits(weir, folder):
            passed += 1
        else:
            failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
