#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs of a process's own part, which shares no code with the XDP program: what carries frames, and what brings
documents, verdicts, next hops, time and the tables of the process before to the node. dpdk_diff.py must see each.

usage: seeded_process.py BUILD SOURCE_ROOT
"""
from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import typing

import seeding

FRAMES, SEEDS = "12000", ("1", "11")
DIFFERENT = "exit status 1"  # of weir-diff; anything else is no catch
PROGRAM = "dataplane/weir-dataplane"

BUGS = [
    ("dpdk/worker.c", "m->data_off = (uint16_t)(packet->data - (uint8_t *)m->buf_addr);", ";"),
    ("dpdk/worker.c", "m->data_len = (uint16_t)(packet->end - packet->data);", ";"),
    ("dpdk/worker.c", "w->tables.now_s = w->now_s;", ";"),
    ("dpdk/worker.c", "w->now_s = (uint32_t)t.tv_sec;", "w->now_s = (uint32_t)t.tv_sec + 1;"),
    ("dpdk/worker.c", "cpu->reason[from]--;", ";"),
    ("dpdk/worker.c", "recount_frame(w, (enum fwd_reason)r->reasons[i], FWD_REASON_NOT_SENT);", ";"),
    ("dpdk/worker.c", "(struct fwd_packet){ data, data + m->data_len, m->buf_addr };", "(struct fwd_packet){ data, data + m->data_len, data };"),
    ("dpdk/worker.c", "reason = kernel_path_give(w, in, r->in[i], verdict, round_now_ns(r));", "reason = i ? kernel_path_give(w, in, r->in[i], verdict, round_now_ns(r)) : FWD_REASON_COUNT;"),
    ("dpdk/kernel_path.c", "write(port->tap, frame, m->data_len)", "write(port->tap, frame + 4, m->data_len) - 0"),
    ("dpdk/lcores.c", "c->workers[i].tables.cpu = i;", "c->workers[i].tables.cpu = i + 1;"),
    ("dpdk/tables_dir.c", "if (*kept) {", "if (0) {"),
    ("process.c", "compiler_update_mtus(&p->node, loop_now_ms(p->loop));", ";"),
    ("process.c", "loop_timer_set(p->loop, &p->tick_timer, compiler_tick(&p->node, &time));", "loop_timer_set(p->loop, &p->tick_timer, time.now_ms + 1000);"),
    ("process.c", "compiler_on_hop(&p->node, address, hop);", ";"),
    ("process.c", "compiler_follow_verdicts(&p->node, &time);", ";"),
]


def commands(build: pathlib.Path) -> tuple[dict[str, typing.Any], typing.Any]:
    """What compiles and links the program: {source file: command}, and the last one."""
    said = subprocess.run(["ninja", "-C", build, "-t", "commands", PROGRAM], check=True, capture_output=True, text=True)
    lines = [line for line in said.stdout.splitlines() if " -o " in line]
    return {shlex.split(line)[-1]: line for line in lines if " -c " in line}, lines[-1]


def make(build: pathlib.Path, source: pathlib.Path, work: pathlib.Path, bug: typing.Any) -> typing.Any:
    """The program with the bug, below @work."""
    compiles, link = commands(build)
    if not bug:
        return build / PROGRAM
    name, old, new = bug
    path = source / "dataplane" / name
    (work / "bug.c").write_text(seeding.with_bug(path, old, new))
    command = next(shlex.split(line) for file, line in compiles.items() if (build / file).resolve() == path.resolve())
    here = command[command.index("-o") + 1]
    command[command.index("-o") + 1] = command[command.index("-MF") + 1] = str(work / "bug.o")
    command[-1] = str(work / "bug.c")
    command[command.index("-MF") + 1] = str(work / "bug.d")
    subprocess.run([*command, "-w", "-Og"], check=True, cwd=build)  # -O2 takes half a minute for the worker
    link = shlex.split(link)
    link[link.index("-o") + 1] = str(work / "weir-dataplane")
    if here in link:
        link[link.index(here)] = str(work / "bug.o")
    else:  # before the library that has it: what is found is not looked for
        link.insert(link.index("-o"), str(work / "bug.o"))
    subprocess.run(link, check=True, cwd=build)
    return work / "weir-dataplane"


def sees(build: pathlib.Path, source: pathlib.Path, program: typing.Any, seed: int | str, bug: typing.Any) -> bool:
    """Whether the sequences of a seed show a difference."""
    done = subprocess.run([sys.executable, source / "tests/diff/dpdk_diff.py", FRAMES, str(seed), program],
                          env=dict(os.environ, WEIR_BUILD=str(build)), capture_output=True, text=True)
    if bug and done.returncode and DIFFERENT not in done.stdout:
        raise SystemExit(f"no catch of {bug}: {done.stdout}{done.stderr}")
    if not bug and done.returncode:
        raise SystemExit(f"there is a difference without any bug: {done.stdout}{done.stderr}")
    if not bug and "too long to send: 0" in done.stdout:
        raise SystemExit(f"seed {seed} has no frame that is too long to send, so bugs in counting these are not seen")
    return done.returncode != 0


def survives(build: pathlib.Path, source: pathlib.Path, bug: typing.Any) -> bool:
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as work:
        program = make(build, source, pathlib.Path(work), bug)
        return not any(sees(build, source, program, seed, bug) for seed in SEEDS)


def main() -> int:
    build, source = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    for name, old, new in BUGS:
        seeding.with_bug(source / "dataplane" / name, old, new)
    survives(build, source, None)
    return seeding.try_sample(BUGS, lambda bug: survives(build, source, bug))


if __name__ == "__main__":
    sys.exit(main())
