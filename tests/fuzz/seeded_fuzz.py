#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Seeded bugs for the fuzz targets: each is a change of one line in the source; the target, linked with the file compiled so,
must see it with its corpus and some thousand mutations. One that survives says that the target is blind there.

usage: seeded_fuzz.py BUILD_DIRECTORY      the targets must be built; with sanitizers more can be seen
"""
from __future__ import annotations

import functools
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
N_MUTATIONS = "20000"

# Target, file, what is there once, what is put in its place.
BUGS = [
    ("announce_line", "announce/promise.c", "q->incarnation != s->incarnation || ", ""),
    ("announce_line", "announce/promise.c", "!was_queried(s, q->sent_ms) ||", ""),
    ("announce_line", "announce/command.c", "!is_other(a, out->row, out->node)", "!out->node"),
    ("daemon", "announce/bird.c", "size_t at = line_start(bytes, from);", "size_t at = from;"),
    ("daemon", "announce/bird.c", "1u << q->neighbour", "8u << q->neighbour"),
    ("daemon", "announce/frr.c", "from - STATUS_BYTES : 0", "from : 0"),
    ("edit", "model/edit/given.c", "refusal->n_errors = n;", "refusal->n_errors = 0;"),
    ("edit", "model/edit/patch.c", "w->out->refusal.n_positions = 2;", "w->out->refusal.n_positions = 1;"),
    ("etcd", "mgmt/etcd/answer.c", "if (!etcd_range_has(range, kv->key))", "if (0)"),
    ("etcd", "mgmt/etcd/answer.c", "		from = events[i].kv.mod_revision;\n", ""),
    ("etcd", "mgmt/etcd/fields.c", "if (n < 0 || (size_t)n > max) {", "if (n < 0) {"),
    ("etcd", "mgmt/etcd/stream.c", "s->next = revision + 1;", "s->next = revision;"),
    ("auth", "mgmt/core/auth.c", "(!*s->digest && !s->is_found", "(!s->is_found"),
    ("auth", "mgmt/core/auth.c", "	if (authorization && !*token)\n		return;", "	if (0)\n		return;"),
    ("kept", "pages/ramp.c", " || level_ppm > LEVEL_MAX", ""),
    ("page", "pages/condition.c", "	c->n = c->n < CONDITIONS_MAX ? c->n : CONDITIONS_MAX;\n", ""),
    ("page", "dataplane/export/effect.c", "	return page_size(e->page) >= ", "	return page_size(e->page) || "),
    ("peer", "record/fields.c", "		return !*at;", "		return true;"),
    ("peer", "record/fields.c", "json_integer((json_int_t)number_at(f, at))", "json_integer((json_int_t)(uint32_t)number_at(f, at))"),
    ("peer", "mgmt/peers/announce_words.c", "	if (!word)\n		return GUARD_NOT_ANNOUNCED;\n", ""),
    ("peer", "mgmt/peers/announce_words.c", "json_is_object(words) && ", ""),
    ("peer", "mgmt/peers/announce_words.c", "json_is_string(word) && ", ""),
    ("history", "mgmt/store/history.c", " || !is_free(h, head.number)", ""),
    ("history", "mgmt/store/history.c", "\tif (v.number != number)\n", "\tif (0)\n"),
    ("peer", "mgmt/controller/operation_gather.c", "MODEL_PPM_ALL, &ppm", "UINT32_MAX, &ppm"),
    ("peer", "model/json.c", " || n < 0 || (uint64_t)n > most", ""),
    ("peer", "mgmt/operations/record.c", "op->step <= op->n_plan &&", "1 &&"),
    ("probe", "healthcheck/attempt_http.c", "	if (!a->has_status || !a->has_header)", "	if (0)"),
    ("times", "base/clock.c", "\"%04d\"", "\"%d\""),
    ("ways", "include/weir/fwd/burst.h", "b->any6 = true;", "b->any6 = false;"),
    ("ways", "include/weir/fwd/burst.h", "FWD_LIKELY(!(hot & FWD_SLOT_UNSETTLED) && hot && v->backend)", "FWD_LIKELY(hot && v->backend)"),
    ("ways", "include/weir/fwd/fast_path.h", ": !b->address.longs_be[0])", ": 0)"),
    ("ways", "include/weir/fwd/forward.h", "(uint64_t)v->event << 32 | v->backend_index", "0"),
    ("ways", "include/weir/fwd/parse.h", "room > p->frame_len - FWD_ETH_LEN - ip_len || p->ttl <= 1", "p->ttl <= 1"),
]
# What is compiled for a bug in a header.
COMPILED = {"include/weir/fwd": "tests/fwd/native.c"}


@functools.cache
def all_commands(build: pathlib.Path) -> dict[str, str]:
    """How each source is compiled, by its path."""
    return {os.path.normpath(build / entry["file"]): entry["command"] for entry in json.loads((build / "compile_commands.json").read_text())}


def command_of(build: pathlib.Path, source: str) -> list[str]:
    if command := all_commands(build).get(str(ROOT / source)):
        return shlex.split(command)
    raise SystemExit(f"{source} is not compiled in {build}")


def plant(bug: tuple[str, str, str, str], build: pathlib.Path, work: pathlib.Path) -> pathlib.Path:
    """Compile the file with the bug. @return the object"""
    _, source, old, new = bug
    text = (ROOT / source).read_text()
    if old not in text:
        raise SystemExit(f"{source}: not found: {old}")
    changed, compiled = work / source, work / "bug.o"
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(old, new))
    user = COMPILED.get(os.path.dirname(source))
    command = command_of(build, user or source)
    command[command.index("-o") + 1] = str(compiled)
    if user:
        command += ["-iquote", str(work / "include")]  # which comes before all -I
    else:
        command[command.index("-c") + 1] = str(changed)
    subprocess.run([*command, "-Wno-error", "-w"], cwd=build, check=True)
    return compiled


def sees(bug: tuple[str, str, str, str], build: pathlib.Path) -> bool:
    """Whether an assertion of the target fails with the bug, or it crashes. Any other end is no catch: a corpus that is missing."""
    target = f"tests/fuzz/fuzz_{bug[0]}"
    link = subprocess.run(["ninja", "-t", "commands", "-s", target], cwd=build, check=True, capture_output=True, text=True).stdout
    command = shlex.split(link)
    with tempfile.TemporaryDirectory(prefix="weir-bug-") as folder:
        compiled, program = plant(bug, build, pathlib.Path(folder)), os.path.join(folder, "target")
        command[command.index("-o") + 1] = program
        command.insert(command.index("-o") + 2, str(compiled))  # before the library that has the right one
        subprocess.run(command, cwd=build, check=True)
        done = subprocess.run([program, "-n", N_MUTATIONS, str(ROOT / "tests/fuzz/corpus" / bug[0])], capture_output=True,
                              check=False, env=dict(os.environ, TMPDIR=folder))  # where a crash leaves its files
    if done.returncode > 0:
        raise SystemExit(f"{target} ended with {done.returncode} for {bug}: {done.stderr[-300:]!r}")
    return done.returncode < 0


def main() -> int:
    build = pathlib.Path(sys.argv[1]).resolve()
    missed = [bug for bug in BUGS if not sees(bug, build)]
    for target, source, old, new in missed:
        print(f"survived: {target}: {source}: {old.strip()} -> {new.strip()}")
    print(f"{len(BUGS) - len(missed)} passed, {len(missed)} failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
