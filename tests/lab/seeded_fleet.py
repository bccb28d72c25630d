#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break what nodes do with the store that they share, one thing at a time; schedules of faults must notice each.

seeded_fleet.py BUILD SOURCE [--schedules N] [--seconds N] [NAME ...]: weir-mgmt is built with each breakage, and lab_fleet_faults.py runs
with it, at most so many schedules (4) of so many seconds (60), until one notices. It takes half an hour, so no suite runs it.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import typing

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "diff"), str(HERE.parent / "unit" / "mgmt")]
import counted  # noqa: E402
import seeding  # noqa: E402

PROGRAM = "mgmt/api/weir-mgmt"
RUN = "mgmt/api/shared_write.c"
FOLLOWER = "mgmt/api/shared_follower.c"
ETCD = "mgmt/store/shared_etcd.c"
HISTORY = "mgmt/store/history.c"
ATTEMPTS = "mgmt/etcd/attempts.c"
ORIGIN = "mgmt/store/origin.c"
FEW = ("mgmt/store/intent.c", "history_new(STORE_VERSIONS_MAX)", "history_new(12)")  # versions, so that some are removed in a schedule

# name, file, text, what it becomes
BREAKAGES = [
    ("an unknown outcome is told as done", ETCD, "(void)note_failure(e, err);\n\t\t*out = (struct shared_answer){ .result = SHARED_UNKNOWN };",
     "*out = (struct shared_answer){ .result = SHARED_DONE, .revision = c->above + 1 };"),
    ("a refused change is told as done", RUN, "bool is_done = !err && a.result == SHARED_DONE;", "bool is_done = !err && a.result != SHARED_UNKNOWN;"),
    ("an unknown outcome is told as failed", RUN, "\tif (err)\n\t\trefuse_unavailable(reason, reply);", "\tif (err || result == SHARED_UNKNOWN)\n\t\trefuse_unavailable(reason, reply);"),
    ("a refusal after an unclear try is told as it is", ETCD, "err = settle_unsure(e, c, &r, out);", "err = copy_refusal(e, c, &r, out);"),
    ("who finds another's change takes it for its own", ETCD, "if (!strcmp(id, c->id))", "if (*id)"),
    ("what was not carried out is told as done", ETCD, "\tif (found == TRACE_NO)\n\t\treturn copy_refusal(e, c, r, out);\n", ""),
    ("a try without an answer is no unclear one", ATTEMPTS, "\ta->is_unclear = true;\n\treturn go_on(a, now_ms);\n}\n\nenum etcd_next etcd_attempts_verified(",
     "\treturn go_on(a, now_ms);\n}\n\nenum etcd_next etcd_attempts_verified("),
    ("the last compare is left out", ETCD, "txn = { compares, c->n_seen, success,", "txn = { compares, c->n_seen - (c->n_seen > 1), success,"),
    ("a deadline ends without a mark", RUN, "now_ms >= end_ms && !end_version(", "now_ms >= end_ms && 0 && !end_version("),
    ("a mark of the last who writes", HISTORY, "\tshared_change_see(c, shared_numbered(MARK, number, name), 0);\n", "\t(void)shared_numbered(MARK, number, name), (void)c;\n"),
    ("a list keeps what the store removed", HISTORY, "\tfor (size_t at = h->n; at-- > 0;) {\n\t\tstruct history_entry *e = &h->entries[at];\n\n\t\th->links",
     "\tfor (size_t at = 0; at-- > 0;) {\n\t\tstruct history_entry *e = &h->entries[at];\n\n\t\th->links"),
    ("a store that went back is followed", FOLLOWER, "\tlog_error(\"store-went-back\"", "\treturn;\n\tlog_error(\"store-went-back\""),
    ("another change of a revision that was seen passes", ORIGIN, "if (r->revision > copy->revision ||", "if (1 ||"),
    ("a change is done in a store that went back", ETCD, "a->revision > c->above", "1"),
    ("what could not be kept is passed over", FOLLOWER, "\tif (!err || err == -ESTALE)\n\t\treturn true;\n", "\tif (1)\n\t\treturn true;\n"),
    ("nothing is listed after a compaction", FOLLOWER, "\tr->must_list |= end == ETCD_WATCH_LIST || end == ETCD_WATCH_FOREIGN;\n", ""),
    ("a version's files are given to nobody", RUN, "\tif (changed->staged)\n\t\t*files_at", "\tif (0)\n\t\t*files_at"),
]
WITH_FEW = ("a list keeps what the store removed",)


def commands(build: pathlib.Path) -> tuple[dict[pathlib.Path, list[str]], list[str]]:
    """What compiles each source, and what links the program."""
    said = subprocess.run(["ninja", "-C", build, "-t", "commands", PROGRAM], check=True, capture_output=True, text=True)
    lines = [shlex.split(line) for line in said.stdout.splitlines() if " -o " in line]
    return {(build / line[-1]).resolve(): line for line in lines if "-c" in line}, lines[-1]


def make(build: pathlib.Path, source: pathlib.Path, work: pathlib.Path, edits: list[tuple[str, str, str]]) -> None:
    """The program with the edits, below @work; each one in another file. What is edited comes before the archive that has it as it is."""
    compiles, link = commands(build)
    objects = []
    for i, (name, old, new) in enumerate(edits):
        path = (source / name).resolve()
        (work / f"{i}.c").write_text(seeding.with_bug(path, old, new))
        command = [word for word in compiles[path] if word != "-Werror"]
        objects.append(str(work / f"{i}.o"))
        for option in ("-o", "-MF"):
            command[command.index(option) + 1] = objects[-1] if option == "-o" else objects[-1] + ".d"
        subprocess.run([*command[:-1], "-w", str(work / f"{i}.c")], cwd=build, check=True)
    program = work / PROGRAM
    program.parent.mkdir(parents=True)
    at = link.index("-o")
    subprocess.run([*link[:at], "-o", str(program), link[at + 2], *objects, *link[at + 3:]], cwd=build, check=True)


def run_schedule(work: pathlib.Path, seconds: int) -> tuple[bool, str]:
    """@return whether it noticed, and what there is to say"""
    done = subprocess.run([sys.executable, str(HERE / "lab_fleet_faults.py"), "--seconds", str(seconds)], capture_output=True, text=True,
                          env={**os.environ, "WEIR_BUILD": str(work)}, check=False)
    figures: dict[str, typing.Any] = {}
    if found := re.search(r'^\{"schedules.*', done.stdout, re.M):
        figures = json.loads(found[0])
    wrong = {kind: n for kind in ("lost", "refused_in_force", "forks", "diverged", "stuck") if (n := figures.get(kind))}
    return bool(wrong), json.dumps(wrong) if figures else f"ended without a judgement: {done.stdout[-300:]} {done.stderr[-300:]}"


def try_breakage(build: pathlib.Path, source: pathlib.Path, breakage: tuple[str, str, str, str], n_schedules: int, seconds: int) -> bool:
    said: list[str] = []
    noticed = False
    with tempfile.TemporaryDirectory(prefix="weir-seeded-") as directory:
        work = pathlib.Path(directory)
        make(build, source, work, [breakage[1:], *([FEW] if breakage[0] in WITH_FEW else [])])
        while not noticed and len(said) < n_schedules:
            noticed, what = run_schedule(work, seconds)
            said.append(what)
    print(f"{'noticed ' if noticed else 'SURVIVED'} by schedule {len(said)}: {breakage[0]}: {'; '.join(said)}", flush=True)
    return noticed


def main() -> int:
    n_schedules, seconds = counted.read_number("--schedules", 4), counted.read_number("--seconds", 60)
    build, source, names = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    results = [try_breakage(build, source, b, n_schedules, seconds) for b in BREAKAGES if not names or b[0] in names]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
