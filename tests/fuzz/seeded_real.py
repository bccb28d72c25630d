#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs that need a sanitizer or libFuzzer's search: each target, linked with the file compiled so, must find its bug within
the inputs of a fixed run (fuzz.py --fixed), as ./run test has them.

usage: seeded_real.py [TARGET ...]      WEIR_SEEDED_EVERY=N: every N-th bug; all must have their place in the source
"""
from __future__ import annotations

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import typing

import fuzz
import seeded_fuzz

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "diff"))
import seeding  # noqa: E402

BUILD = pathlib.Path(fuzz.BUILD)
# What a finding looks like; libFuzzer's exit status is not 0 as well when it cannot read its corpus.
FOUND = re.compile(r"ERROR: AddressSanitizer|runtime error:|ERROR: libFuzzer: (deadly signal|timeout|out-of-memory)|"
                   r"ERROR: LeakSanitizer")

# Target, file, what is there once, what is put in its place.
BUGS = [
    ("config", "model/scan.c", "	while (t->at < t->end && *t->at != '\\n')\n		t->at++;", "	while (*t->at != '\\n')\n		t->at++;"),
    ("dns_query", "dns/answer/query.c", "from > end || length > end - from", "from > end"),
    ("kept", "pages/ramp.c", " || strlen(words[0]) >= sizeof(r.id)", ""),
    ("rtnl", "dataplane/nexthop/rtnl.c", "	return attr && mnl_attr_get_payload_len(attr) == n ?", "	return attr && mnl_attr_get_payload_len(attr) <= n ?"),
    ("control", "dataplane/ctl.c", "	for (size_t i = 0; what && i <", "	for (size_t i = 0; i <"),
    ("dns_line", "dns/ctl.c", "	else if (!what)", "	else if (0)"),
    ("rtnl", "dataplane/nexthop/rtnl.c", "payload_len(name) <= sizeof(out->name))", "payload_len(name) <= 2 * sizeof(out->name))"),
    ("page", "dataplane/export/effect.c", "	return page_size(e->page) >= ", "	return page_size(e->page) || "),
    ("kept", "healthcheck/keep.c", "    at_ms < 0)", "    0)"),
    ("page", "pages/condition.c", "	c->n = c->n < CONDITIONS_MAX ? c->n : CONDITIONS_MAX;\n", ""),
    ("dns_image", "dns/zone/image.c", "i->size_bytes != length || ", ""),
]


def survives(bug: typing.Any) -> bool:
    """Whether the target, built with the bug, finds nothing."""
    target = f"tests/fuzz/fuzz_{bug[0]}"
    link = subprocess.run(["ninja", "-t", "commands", "-s", target], cwd=BUILD, check=True, capture_output=True, text=True).stdout
    command = shlex.split(link)
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as folder:
        compiled = seeded_fuzz.plant(bug, BUILD, pathlib.Path(folder))
        out, program = command.index("-o") + 1, os.path.join(folder, "target")
        command[out] = program
        own = [i for i, word in enumerate(command) if word.endswith(".._" + bug[1].replace("/", "_") + ".o")]
        if own:  # the file is one of the target's own
            command[own[0]] = str(compiled)
        else:  # before the library that has the right one
            command.insert(out + 1, str(compiled))
        subprocess.run(command, cwd=BUILD, check=True)
        kept = os.path.join(folder, "corpus")
        os.mkdir(kept)
        run = fuzz.command_of(bug[0], fuzz.fixed_limits(bug[0]), kept, program)
        run = [f"-artifact_prefix={folder}/" if word.startswith("-artifact_prefix") else word for word in run]
        done = subprocess.run(run, cwd=fuzz.ROOT, capture_output=True, text=True, errors="replace", check=False,
                              env=dict(os.environ, TMPDIR=folder))  # where a crash leaves its files
    return not found(bug, done)


def found(bug: typing.Any, done: subprocess.CompletedProcess[str]) -> bool:
    """Whether a sanitizer or libFuzzer reports a bug. A target that passes must have run all its inputs; that it could not
    start, or was killed, is neither."""
    if done.returncode == 0 and fuzz.executed(done.stderr) >= fuzz.runs_of(bug[0]):
        return False
    if done.returncode > 0 and FOUND.search(done.stderr):
        return True
    raise SystemExit(f"fuzz_{bug[0]} ended with {done.returncode} for {bug}: {done.stderr[-300:]}")


def main() -> int:
    bugs = [bug for bug in BUGS if not sys.argv[1:] or bug[0] in sys.argv[1:]]
    for _, source, old, new in BUGS:
        seeding.with_bug(seeded_fuzz.ROOT / source, old, new)
    fuzz.build(sorted({bug[0] for bug in bugs}))
    return seeding.try_sample(bugs, survives)


if __name__ == "__main__":
    sys.exit(main())
