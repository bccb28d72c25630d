#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break what nodes do with the store that they share, one thing at a time; schedules of faults, or the suite that is named, must notice each.

seeded_fleet.py BUILD SOURCE [--schedules N] [--seconds N] [NAME ...]: weir-mgmt is built with each breakage, and lab_fleet_faults.py runs
with it, at most so many schedules (4) of so many seconds (60), until one notices. Where a breakage names a suite, that runs instead; each
suite runs once without one before. NAME may be a part of a name, or a suite. It takes an hour, so no suite runs it.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "diff"), str(HERE.parent / "unit" / "mgmt")]
import counted  # noqa: E402
import seeding  # noqa: E402

PROGRAM = "mgmt/api/weir-mgmt"
SUITE_S = 400
RUN = "mgmt/sync/shared_run.c"
WRITE = "mgmt/sync/shared_write.c"
FOLLOWER = "mgmt/sync/shared_follower.c"
ETCD = "mgmt/store/shared_etcd.c"
HISTORY = "mgmt/store/history.c"
ATTEMPTS = "mgmt/etcd/attempts.c"
ORIGIN = "mgmt/store/origin.c"
FEW = ("mgmt/store/intent.c", "history_new(STORE_VERSIONS_MAX)", "history_new(12)")  # versions, so that some are removed in a schedule

# name, file, text, what it becomes
BREAKAGES = [
    ("an unknown outcome is told as done", ETCD, "(void)note_failure(e, err);\n\t\t*out = (struct shared_answer){ .result = SHARED_UNKNOWN };",
     "*out = (struct shared_answer){ .result = SHARED_DONE, .revision = c->above + 1 };"),
    ("a refused change is told as done", WRITE, "bool is_done = !err && a.result == SHARED_DONE;", "bool is_done = !err && a.result != SHARED_UNKNOWN;"),
    ("an unknown outcome is told as failed", WRITE, "\telse if (err)\n\t\trefuse_unavailable(reason, reply);", "\telse if (err || result == SHARED_UNKNOWN)\n\t\trefuse_unavailable(reason, reply);"),
    ("a refusal after an unclear try is told as it is", ETCD, "err = settle_unsure(e, c, &r, out);", "err = copy_refusal(e, c, &r, out);"),
    ("who finds another's change takes it for its own", ETCD, "if (!strcmp(id, c->id))", "if (*id)"),
    ("what was not carried out is told as done", ETCD, "\tif (found == TRACE_NO)\n\t\treturn copy_refusal(e, c, r, out);\n", ""),
    ("a try without an answer is no unclear one", ATTEMPTS, "\ta->is_unclear = true;\n\treturn go_on(a, now_ms);\n}\n\nenum etcd_next etcd_attempts_verified(",
     "\treturn go_on(a, now_ms);\n}\n\nenum etcd_next etcd_attempts_verified("),
    ("the last compare is left out", ETCD, "txn = { compares, c->n_seen, success,", "txn = { compares, c->n_seen - (c->n_seen > 1), success,"),
    ("a deadline ends without a mark", RUN, "number && now_ms >= h->decide_ms", "number && 0 && now_ms >= h->decide_ms"),
    ("a mark of the last who writes", HISTORY, "\tshared_change_see(c, shared_numbered(MARK, number, name), 0);\n", "\t(void)shared_numbered(MARK, number, name), (void)c;\n"),
    ("a list keeps what the store removed", HISTORY, "\tfor (size_t at = h->n; at-- > 0;) {\n\t\tstruct history_entry *e = &h->entries[at];\n\n\t\th->links",
     "\tfor (size_t at = 0; at-- > 0;) {\n\t\tstruct history_entry *e = &h->entries[at];\n\n\t\th->links"),
    ("a store that went back is followed", FOLLOWER, "\tlog_error(\"store-went-back\"", "\treturn;\n\tlog_error(\"store-went-back\""),
    ("another change of a revision that was seen passes", ORIGIN, "if (r->revision > copy->revision ||", "if (1 ||"),
    ("a change is done in a store that went back", ETCD, "a->revision > c->above", "1"),
    ("what could not be kept is passed over", FOLLOWER, "\tif (!err || err == -ESTALE)\n\t\treturn true;\n", "\tif (1)\n\t\treturn true;\n"),
    ("nothing is listed after a compaction", FOLLOWER, "\tr->must_list |= end == ETCD_WATCH_LIST || end == ETCD_WATCH_FOREIGN;\n", ""),
    ("a version's files are given to nobody", WRITE, "\tif (changed->staged)\n\t\t*files_at", "\tif (0)\n\t\t*files_at"),
]
WITH_FEW = ("a list keeps what the store removed",)

DECIDE = "mgmt/controller/operation_decide.c"
TAKEOVER = "mgmt/controller/operation_takeover.c"
OPERATIONS = "mgmt/sync/operations.c"
LEASE = "mgmt/sync/shared_lease.c"
RECOVER = "mgmt/sync/shared_recover.c"
REFILL = "mgmt/store/refill.c"
LOST = "mgmt/store/lost.c"
PENDING = "mgmt/store/pending.c"
SHARED_INTENT = "mgmt/store/shared_intent.c"
UNIT, SCRIPT, LAB = "unit", "script", "lab"  # kinds of suites
UNIT_PROGRAM = "tests/unit/mgmt/unit-mgmt"
GIVEN = {"operation_faults": (PROGRAM, "dns/weir-dns", "mgmt/cli/weir", "tests/unit/mgmt/libstepped-clock.so")}  # to scripts of tests/unit/mgmt

# as above, and the suite that notices: one of UNIT_PROGRAM, a script of tests/unit/mgmt, or a lab, with what it is to do
NAMED = [
    ("two write one state", DECIDE, "\tshared_change_see(c, operation_state_name(op->id, name), revision);\n", "\t(void)operation_state_name(op->id, name);\n", UNIT, "operations_list"),
    ("a late answer takes the place of what followed", DECIDE, "item && item->revision > revision ? 0 : operations_put(", "operations_put(", SCRIPT, "operation_faults Late"),
    ("who is not the owner any more goes on", "mgmt/operations/record.c", "a->epoch == b->epoch && a->seq == b->seq &&", "a->epoch == b->epoch &&", UNIT, "operations_list"),
    ("records that are over stay for ever", DECIDE, "over.n >= KEPT_MAX + i;", "over.n >= 10 * KEPT_MAX + i;", UNIT, "operations_list"),
    ("what was observed goes without its record", DECIDE, "\t\tshared_change_remove_all(c, operation_observed_name(over.oldest[i], name));\n", "", UNIT, "operations_list"),
    ("what was observed is not written", DECIDE, "if (is_kept(store, parts[i].name, parts[i].json))", "if (1)", UNIT, "operations_list"),
    ("an owner without a lease", DECIDE, "shared_change_put_leased(c, name_owner(op, name), &owner_record, &own, lease);", "shared_change_put(c, name_owner(op, name), &owner_record, &own);", LAB, "drain --only owner"),
    ("nobody takes over", TAKEOVER, "now_ms - item->unowned_ms >= UNOWNED_MS && ", "now_ms - item->unowned_ms >= 100 * UNOWNED_MS && ", LAB, "drain --only owner"),
    ("a takeover without a wait", TAKEOVER, "now_ms - item->unowned_ms >= UNOWNED_MS && ", "", UNIT, "operation_owners"),
    ("an owner whose lease is over goes on", DECIDE, "return shared_lease_is_fresh(lease) && ", "return ", UNIT, "operation_owners"),
    ("a record of nobody keeps all others out", DECIDE, "*owner.node ? 0 : revision", "0", UNIT, "operation_owners"),
    ("a person's command is written over by a step", OPERATIONS, " ||\n\t    is_overruled(core, op))", ")", UNIT, "operations_parts"),
    ("what a person ended comes back", OPERATIONS, "if (o ? override_compare(o, &list[i]) < 0 : !operation_is_over(op))", "if (!o || override_compare(o, &list[i]) < 0)", UNIT, "operations_parts"),
    ("a lease counts from the answer", LEASE, "\tl->renewed_ms = l->requested_ms = now_ms;\n", "\tl->renewed_ms = l->requested_ms = clock_mono_ms();\n", UNIT, "shared_lease"),
    ("a renewal counts from its answer", LEASE, "\tif (!err)\n\t\tl->renewed_ms = now_ms;\n", "\tif (!err)\n\t\tl->renewed_ms = clock_mono_ms();\n", UNIT, "shared_lease"),
    ("a renewal without an answer counts", LEASE, "\tif (!err)\n\t\tl->renewed_ms = now_ms;\n", "\tl->renewed_ms = now_ms;\n", UNIT, "shared_lease"),
    ("a renewal of the former lease counts", LEASE, "\tif (l->id != id)\n\t\treturn; /* it was replaced meanwhile */\n", "", UNIT, "shared_lease"),
    ("a lease that is lost is kept", LEASE, "\tif (err != -ENOENT)\n\t\treturn;\n", "\treturn;\n", UNIT, "shared_lease"),
    ("a second lease takes the place of the first", LEASE, "\tif (shared_lease_is_fresh(l))\n\t\treturn l->id;\n\tif (err)", "\tif (err)", UNIT, "shared_lease"),
    ("an operation that is unclear is told as refused", DECIDE, "result == SHARED_UNKNOWN ? OPERATION_UNCLEAR", "result == SHARED_UNKNOWN ? OPERATION_UNDECIDED", UNIT, "operation_owners"),
    ("a lower epoch is followed", ORIGIN, "if (now->epoch < had->epoch) {", "if (0) {", UNIT, "origin"),
    ("of two equal epochs any is followed", ORIGIN, "if (now->epoch > had->epoch || !strcmp(now->nonce, had->nonce))", "if (now->epoch >= had->epoch)", UNIT, "origin"),
    ("a store that was begun again takes the place of a copy", ORIGIN, "now->epoch > had->epoch && how != STORE_CLAIM_BEGUN", "now->epoch > had->epoch", UNIT, "origin"),
    ("a list may lack the newest version", ORIGIN, "if (head.number < here->newest->number) {", "if (0) {", UNIT, "origin"),
    ("a newest version of the same number is the same", ORIGIN, "(!strcmp(same.digest, here->newest->digest) && same.time_ms == here->newest->time_ms)", "same.number == here->newest->number", UNIT, "origin"),
    ("decisions that are lost are not listed", LOST, "\tif (!mark || record_from_text", "\tif (1 || record_from_text", UNIT, "origin"),
    ("what has left a full store is lost", LOST, "all[n].number >= oldest", "1", UNIT, "origin"),
    ("an epoch is raised by nothing", RECOVER, "\treturn highest + 1;\n", "\treturn highest;\n", LAB, "fleet_recovery Recovery.test_e_of_two_that_accept_at_once_one_wins"),
    ("two raise the epoch at once", RECOVER, "\tshared_change_see(&c, STORE_CLAIM_RECORD, r->claim_revision);\n", "\tshared_change_see(&c, \"none\", 0);\n", LAB, "fleet_recovery Recovery.test_e_of_two_that_accept_at_once_one_wins"),
    ("what was shown may be another", RECOVER, "if (!*shown || !strcmp(shown, \"*\") || !strcmp(shown, reply->etag))", "if (1)", LAB, "fleet_recovery Recovery.test_d_a_backup_is_accepted"),
    ("a store with records is rebuilt", RECOVER, "else if (n_others && (newest || !*c->id) && !is_left)", "else if (0)", LAB, "fleet_recovery Recovery.test_d_a_backup_is_accepted"),
    ("what is not ours is accepted", RECOVER, "\t\tif (history_check(&l->records[i]))\n\t\t\treturn", "\t\tif (0)\n\t\t\treturn", LAB, "fleet_recovery Recovery.test_l_what_is_not_ours_is_not_accepted"),
    ("a rebuild ends that of another node", RECOVER, "\tif (is_left && strcmp(c->node", "\tif (0 && strcmp(c->node", LAB, "fleet_recovery Recovery.test_j_a_rebuild_that_ended_in_the_middle"),
    ("a rebuild is whole from its first record on", REFILL, "err = write_claim(b, true, &b->claim_revision, reason);", "err = write_claim(b, false, &b->claim_revision, reason);", LAB, "fleet_recovery Recovery.test_n_a_rebuild_that_is_killed"),
    ("a rebuild leaves what was there", REFILL, "\t\tadd_op(b, name, NULL);\n", "\t\tcontinue;\n", LAB, "fleet_recovery Recovery.test_j_a_rebuild_that_ended_in_the_middle"),
    ("a list ends what counts down", HISTORY, "if (!e->version.number) /* the last list did not have it either */", "if (1)", LAB, "fleet_recovery Recovery.test_f_an_open_version_keeps_its_deadline"),
    ("a deadline is of a number", HISTORY, "(v->number && !pending_is_of(&e->pending, v->number, e->change))", "0", UNIT, "history"),
    ("a deadline begins anew over a reboot", PENDING, "\tp->due_ms = clock->now_ms + p->left_ms;\n}", "\tp->due_ms = clock->now_ms + PENDING_LEFT_MAX_MS;\n}", UNIT, "pending"),
    ("what is not in force is confirmed", HISTORY, "(!standing || standing->number != number)", "!standing", UNIT, "history"),
    ("an end does not rest on the head", HISTORY, "\tif (mark->mark == CHAIN_ENDED)\n\t\tshared_change_see(c, HEAD, h->head_revision);\n", "", UNIT, "history"),
    ("a change does not rest on the epoch", SHARED_INTENT, "\t\tshared_change_see(c, STORE_CLAIM_RECORD, claim.revision);\n", "\t\t;\n", UNIT, "shared_intent"),
    ("a version refused here ends another of its number", SHARED_INTENT, "\t\tin->to_decide = 0; /* a number may be another version's now */\n", "", UNIT, "shared_intent"),
]


def commands(build: pathlib.Path, program: str) -> tuple[dict[pathlib.Path, list[str]], list[str]]:
    """What compiles each source, and what links the program."""
    said = subprocess.run(["ninja", "-C", build, "-t", "commands", program], check=True, capture_output=True, text=True)
    lines = [shlex.split(line) for line in said.stdout.splitlines() if " -o " in line]
    return {(build / line[-1]).resolve(): line for line in lines if "-c" in line}, lines[-1]


def compile_edited(build: pathlib.Path, command: list[str], source: pathlib.Path, work: pathlib.Path, name: str) -> str:
    """@return the object, of @source; what it includes is looked for below @work first"""
    made = str(work / name)
    command = [word for word in command if word != "-Werror"]
    for option in ("-o", "-MF"):
        command[command.index(option) + 1] = made if option == "-o" else made + ".d"
    at = next(i for i, word in enumerate(command) if word.startswith("-I"))
    subprocess.run([*command[:at], f"-I{work}", *command[at:-1], "-w", str(source)], cwd=build, check=True)
    return made


def make(build: pathlib.Path, source: pathlib.Path, work: pathlib.Path, edits: typing.Sequence[tuple[str, str, str]], program: str = PROGRAM) -> None:
    """The program with the edits, below @work; each one in another file. What is edited comes before the archive that has it as it is."""
    compiles, link = commands(build, program)
    at = link.index("-o")
    objects = []
    for name, old, new in edits:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(seeding.with_bug(source / name, old, new))
    for i, (name, _, _) in enumerate(edits):
        objects.append(compile_edited(build, compiles[(source / name).resolve()], work / name, work, f"{i}.o"))
    (work / program).parent.mkdir(parents=True, exist_ok=True)
    (work / program).unlink(missing_ok=True)
    subprocess.run([*link[:at], "-o", str(work / program), *objects, *link[at + 2:]], cwd=build, check=True)


def link_rest(build: pathlib.Path, work: pathlib.Path) -> None:
    """All of the build that is not made here, but what labs write."""
    def link(path: str, to: str) -> None:
        if not os.path.exists(to):
            os.link(path, to)
    shutil.copytree(build, work, ignore=lambda folder, _: ["lab"] if folder == str(build) else [], copy_function=link, dirs_exist_ok=True)


def run_schedule(work: pathlib.Path, seconds: int) -> tuple[bool, str]:
    """@return whether it noticed, and what there is to say"""
    done = subprocess.run([sys.executable, str(HERE / "lab_fleet_faults.py"), "--seconds", str(seconds)], capture_output=True, text=True,
                          env={**os.environ, "WEIR_BUILD": str(work)}, check=False)
    figures: dict[str, typing.Any] = {}
    if found := re.search(r'^\{"schedules.*', done.stdout, re.M):
        figures = json.loads(found[0])
    wrong = {kind: n for kind in ("lost", "refused_in_force", "forks", "diverged", "stuck") if (n := figures.get(kind))}
    return bool(wrong), json.dumps(wrong) if figures else f"ended without a judgement: {done.stdout[-300:]} {done.stderr[-300:]}"


def run_suite(build: pathlib.Path, work: pathlib.Path, kind: str, suite: str) -> tuple[bool, str]:
    """@return whether it fails, and its end. One that does not end fails, too."""
    name, *options = shlex.split(suite)
    command = {UNIT: [str(work / UNIT_PROGRAM), name],
               SCRIPT: [sys.executable, str(HERE.parent / "unit" / "mgmt" / f"test_{name}.py"), *(str(work / given) for given in GIVEN.get(name, ())), *options],
               LAB: [sys.executable, str(HERE / f"lab_{name}.py"), *options]}[kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "WEIR_BUILD": str(work)},
                          cwd=build if kind == UNIT else None) as process:
        try:
            said = process.communicate(timeout=SUITE_S)[0]
        except subprocess.TimeoutExpired:
            process.terminate()  # a lab cleans up
            return True, f"not in {SUITE_S} s: {find_failure(process.communicate()[0])}"
    return process.returncode != 0, find_failure(said)


def find_failure(said: str) -> str:
    """The lines that say what failed."""
    lines = [line for line in said.splitlines() if re.search(r"FAIL|Error|error:|not within|not in ", line)]
    return " | ".join(line.strip()[:120] for line in lines[:3])


def try_named(build: pathlib.Path, source: pathlib.Path, breakage: tuple[str, str, str, str, str, str] | None, kind: str, suite: str) -> bool:
    """@breakage None: without any, the suite is to pass."""
    program = UNIT_PROGRAM if kind == UNIT else PROGRAM
    with tempfile.TemporaryDirectory(prefix="weir-seeded-") as directory:
        work = pathlib.Path(directory)
        make(build, source, work, [breakage[1:4]] if breakage else [], program)
        if kind != UNIT:
            link_rest(build, work)
        failed, said = run_suite(build, work, kind, suite)
    if not breakage and failed:
        raise SystemExit(f"{suite} fails without a breakage: {said}")
    if breakage:
        print(f"{'noticed ' if failed else 'SURVIVED'} by {kind} {suite}: {breakage[0]}: {said}", flush=True)
    return failed


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
    results = [try_breakage(build, source, b, n_schedules, seconds) for b in BREAKAGES if is_wanted(names, b[0], "schedules")]
    named = [b for b in NAMED if is_wanted(names, b[0], f"{b[4]} {b[5]}")]
    for kind, suite in dict.fromkeys((b[4], b[5]) for b in named):
        try_named(build, source, None, kind, suite)
        results += [try_named(build, source, b, kind, suite) for b in named if b[4:] == (kind, suite)]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def is_wanted(names: list[str], name: str, suite: str) -> bool:
    return not names or any(n in name or n == suite for n in names)


if __name__ == "__main__":
    sys.exit(main())
