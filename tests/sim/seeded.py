#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break the owners' rules one at a time; the simulator must notice each.

seeded.py SOURCE [-j N] [NAME ...]: each breakage is made in a copy of the sources, which is compiled with
the simulator and run. A breakage that survives means that the simulator is too weak; one whose text is
no longer found, that this list is stale.
"""
from __future__ import annotations

import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import typing

LONGEST_S = 600  # of a processor: without a bug the longest takes 160; one that goes round for ever has noticed something

RULES = "include/weir/fwd/owner.h"
WORD = "include/weir/fwd/owner_word.h"
SLOT = "dataplane/owners/slot.c"
OWNERS = "dataplane/owners/owners.c"
MEMORY = "dataplane/owners/memory.c"
LIST = "dataplane/owners/list.c"
HANDOVER = "dataplane/owners/handover.c"
SECOND = "include/weir/fwd/second.h"

# name, world that must notice (with options), file, text, what it becomes
BREAKAGES = [
    ("only the last owner is the base", "often", SLOT,
     "if (load_u32(&claim->settle_at) != 0 && claim->base != base)\n\t\treturn;", ";"),
    ("a SYN is believed", "often", RULES,
     "owner_remember(rule, f, cold, bucket, way, current, OWNER_EMBRYONIC);",
     "owner_remember(rule, f, cold, bucket, way, current, OWNER_OPEN);"),
    ("an embryonic entry fits any segment", "often", WORD,
     "ahead == 0 : ahead <= 2);", "ahead == 0 : ahead <= 65535);"),
    ("embryonic entries are evicted at once", "flood", RULES,
     "owner_word_left(word, now_s) <= OWNER_EVICTABLE_UNITS", "1"),
    ("living entries are evicted", "flood", RULES,
     "if (!owner_word_lives(word, now_s))\n\t\t\treturn i;", "if (i == 7 || !owner_word_lives(word, now_s))\n\t\t\treturn i;"),
    ("a new flow without room goes to the current owner", "flood", RULES,
     "return owner_to_base(rule, claim, OWNER_EVENT_FULL);",
     "return owner_picked(current, OWNER_EVENT_FULL);"),
    ("a SYN's repetition is not spilled", "flood", RULES,
     "(uint16_t)(rule->now_s - spilled) < OWNER_SPILL_S", "0"),
    ("flows of the base are not remembered", "seldom", RULES,
     "(int32_t)(settle_at - rule->now_s) > (int32_t)remember_s", "1"),
    ("want of room does not move the settling", "flood", RULES,
     "\t\tOWNER_STORE(uint32_t, &claim->settle_at, rule->now_s + remember_s + 1);", "\t\t;"),
    ("use of the base is not noted", "seldom", RULES,
     "\towner_see(claim, rule->now_s);\n\treturn owner_picked(OWNER_LOAD(uint16_t, &claim->base), event);",
     "\t(void)rule;\n\treturn owner_picked(OWNER_LOAD(uint16_t, &claim->base), event);"),
    ("use of an entry is not noted", "seldom", RULES,
     "\tOWNER_STORE(uint64_t, at, new);",
     "\tif (owner_word_state(old) == OWNER_EMBRYONIC)\n\t\tOWNER_STORE(uint64_t, at, new);"),
    ("FIN ends an entry at once", "often", RULES,
     "uint32_t state = owner_next_state(f->segment), syn_way;\n\n\tif (s->known < OWNER_WAYS)\n",
     "uint32_t state = owner_next_state(f->segment), syn_way;\n\n\tif (s->known < OWNER_WAYS && state == OWNER_FINISHED) {\n"
     "\t\tuint16_t to = owner_word_backend(bucket->word[s->known & 7]);\n\n\t\tbucket->word[s->known & 7] = 0;\n"
     "\t\treturn owner_picked(to, OWNER_EVENT_FOLLOWED);\n\t}\n\tif (s->known < OWNER_WAYS)\n"),
    ("a new flow never takes a finished one's ports", "often", RULES,
     "if (syn_way < OWNER_WAYS) {", "if (syn_way < OWNER_WAYS && s->finished == OWNER_WAYS) {"),
    ("a quoted flow is not looked up", "often", RULES,
     "uint32_t i = s->known < OWNER_WAYS ? s->known : s->finished;", "uint32_t i = OWNER_WAYS;"),
    ("slots are not scheduled before they move", "often", OWNERS,
     "(int32_t)age_ms < (int32_t)OWNERS_SCHEDULE_MS", "0 && age_ms"),
    ("a scheduled slot does not remember", "often", RULES,
     "bool settled = OWNER_LOAD(uint32_t, &claim->settle_at) == 0;",
     "bool settled = OWNER_LOAD(uint32_t, &claim->settle_at) == 0 || current == claim->base;"),
    ("a slot settles by silence though it is used", "seldom", SLOT,
     "uint32_t idle_at = load_u32(&tcp->seen_at) +", "uint32_t idle_at = load_u32(&tcp->seen_at) * 0 +"),
    ("a slot leaves the slow path though exceptions live", "seldom", SLOT,
     "is_past_s(load_u32(&cold->kept_at) + keep_s(o), now_s)", "1"),
    ("a slot never settles", "seldom", SLOT,
     "(is_past_s(load_u32(&tcp->settle_at), now_s) || is_past_s(idle_at, now_s))", "0"),
    ("UDP flows are not remembered after a change", "udp", SLOT,
     "if (o->times.udp_idle_ms > 0)", "if (0)"),
    ("UDP flows are remembered for half of the idle time", "udp", SLOT,
     "return up_to_seconds(o->times.udp_idle_ms) + 2;", "return up_to_seconds(o->times.udp_idle_ms) / 2;"),
    ("an error about a flow that moves at once goes to the base", "udp", RULES,
     "owner_class(f) == OWNER_CLASS_UDP;", "f->segment == FWD_SEGMENT_UDP;"),
    ("a lease is not ended when its backend is back", "udp --long --seed 1", OWNERS,
     "lease[o->now.members[m].backend] = 0;", ";"),
    ("flows stay when a drain is over", "udp", MEMORY, "(int32_t)(now_s - end_s) >= 0", "0"),
    ("flows stay on what was removed before the process started", "udp --seed 4", MEMORY, "if (*lease == 0)", "if (0)"),
    ("an entry's time wraps too early", "seldom", WORD,
     "owner_word_left(word, now_s) <= OWNER_END_MASK / 2", "owner_word_left(word, now_s) <= 2"),
    ("a half-open connection takes any segment", "agents", SECOND,
     "return socket == SECOND_SOCKET_HELD ||", "return socket >= SECOND_SOCKET_OTHERS ||"),
    ("a listener takes any segment", "agents", SECOND,
     "return socket == SECOND_SOCKET_HELD ||", "return socket != SECOND_SOCKET_NONE ||"),
    ("a list keeps two earlier owners", "agents", LIST,
     "new->n == SECOND_OWNERS_MAX)", "new->n == 2)"),
    ("who had the slot by a death is not named afterwards", "agents", LIST,
     "\tif (current != 0 && current != new->to && !owners_has(&o->dead, current))\n", "\tif (0)\n"),
    ("a slot leaves though not all can be named", "agents", LIST,
     "if (new.n_claims > SECOND_OWNERS_MAX)", "if (0)"),
    ("a node that starts learns nothing from its peers", "views", HANDOVER,
     "s = 0; o->lines &&", "s = 0; 0 &&"),
    ("the owner of a slot after a death is not sent to peers", "views", HANDOVER,
     "differs |= is_temporary &&", "differs |= 0 &&"),
    ("an owner other than the computed one is not sent to peers", "views", HANDOVER,
     "differs = out->owner != 0 && out->owner != o->lines[s].owner;", "differs = false;"),
    ("the learned owner of a slot is not applied", "views", HANDOVER,
     "slot->owner == 0 || owners_has(&o->dead, slot->owner) ? current", "true ? current"),
    ("the owner that a starting node computed has a claim", "views", HANDOVER,
     "over = owners_list_end(0, clock);", "over = owners_list_end(clock->wall_clock_ms + o->times.settle_ms, clock);"),
    ("learned claims have ended", "views", HANDOVER,
     "owners_list_end(slot->until_ms[i], clock)", "over"),
    ("the base of a moved slot is the new owner", "seldom", SLOT,
     "store_u16(&claim->base, base);", "store_u16(&claim->base, base % 3 + 1);"),
]


class Simulator(typing.NamedTuple):
    """What is compiled of the sources: folders to copy, the program's files, and the option before a breakage's world."""
    folders: tuple[str, ...]
    files: tuple[str, ...]
    option: str
    libraries: tuple[str, ...] = ()


OWNERS_SIM = Simulator(
    ("base", "include", "dataplane", "model", "tests/sim"),
    ("tests/sim/sim_main.c", "tests/sim/sim_world.c", "tests/sim/sim_flows.c",
     *(f"dataplane/owners/{f}.c" for f in ("owners", "backup", "handover", "line", "list", "memory", "past", "scrub", "targets", "slot")), "model/ring.c"),
    "--scenario")


class Built:
    """A simulator that is compiled file by file: a breakage compiles again only what it changes, and links."""

    def __init__(self, source: str, simulator: Simulator, folder: str, pool: concurrent.futures.Executor) -> None:
        self.source, self.simulator = source, simulator
        self.objects = os.path.join(folder, "objects")
        self.whole = os.path.join(folder, "whole")
        os.mkdir(self.objects)
        self.copy(self.whole)
        wrong = [error for error in pool.map(lambda f: self.compile(self.whole, f, self.object(self.objects, f)), simulator.files) if error]
        if wrong:
            raise SystemExit(f"it does not compile without any breakage: {wrong[0]}")
        self.used = {f: self.read_used(f) for f in simulator.files}

    @staticmethod
    def object(folder: str, file: str) -> str:
        return os.path.join(folder, file.replace("/", "-") + ".o")

    def copy(self, work: str) -> None:
        for part in self.simulator.folders:
            shutil.copytree(os.path.join(self.source, part), os.path.join(work, part))

    def compile(self, work: str, file: str, out: str) -> str:
        """@return what is wrong, or nothing"""
        compiled = subprocess.run(["gcc", "-O1", "-std=gnu11", "-D_GNU_SOURCE", "-w", "-MMD", "-I.", "-Iinclude", "-c", file, "-o", out],
                                  cwd=work, capture_output=True, text=True, check=False)
        return compiled.stderr[:300] or "gcc has failed" if compiled.returncode else ""

    def read_used(self, file: str) -> set[str]:
        """The files that are compiled into its object."""
        with open(self.object(self.objects, file).removesuffix("o") + "d", encoding="utf-8") as f:
            return {os.path.normpath(word) for word in f.read().partition(":")[2].replace("\\\n", " ").split()}

    def link(self, work: str, path: str, binary: str) -> str:
        """The program whose file @path is another one in @work. @return what is wrong, or nothing"""
        objects = []
        for file in self.simulator.files:
            is_changed = path in self.used[file]
            objects.append(self.object(work if is_changed else self.objects, file))
            if is_changed and (error := self.compile(work, file, objects[-1])):
                return error
        linked = subprocess.run(["gcc", "-o", binary, *objects, *(f"-l{name}" for name in self.simulator.libraries)], capture_output=True, text=True,
                                check=False)
        return linked.stderr[:300] or "gcc has failed" if linked.returncode else ""


def break_file(work: str, path: str, text: str, becomes: str) -> str:
    """@return what is wrong, or nothing"""
    target = os.path.join(work, path)
    with open(target, encoding="utf-8") as f:
        code = f.read()
    if code.count(text) != 1:
        return f"stale: found {code.count(text)} times"
    with open(target, "w", encoding="utf-8") as f:
        f.write(code.replace(text, becomes))
    return ""


def run_one(built: Built, breakage: typing.Any) -> tuple[bool, str]:
    """Whether the simulator noticed, and what there is to say. A breakage without a file breaks nothing."""
    _, world, path, text, becomes = breakage
    with tempfile.TemporaryDirectory(prefix="weir-seeded-") as work:
        binary = os.path.join(work, "sim")
        if path:
            built.copy(work)
            if wrong := break_file(work, path, text, becomes):
                return False, wrong
            if not any(path in used for used in built.used.values()):
                return False, f"stale: {path} is no part of it"
        if wrong := built.link(work, path, binary):
            return False, "does not compile: " + wrong
        ran = subprocess.run(["prlimit", f"--cpu={LONGEST_S}:{2 * LONGEST_S}", binary, built.simulator.option, *world.split()], capture_output=True, text=True, check=False)
        if ran.returncode == -signal.SIGXCPU:
            return True, "it does not end"
        faults = [line.strip() for line in ran.stdout.splitlines() if "FAULT" in line]
        return ran.returncode == 1, "; ".join(faults) or "nothing noticed"


def stale(source: str, breakage: tuple[str, str, str, str, str]) -> bool:
    """Whether its text no longer stands in the sources."""
    with open(os.path.join(source, breakage[2]), encoding="utf-8") as f:
        return f.read().count(breakage[3]) != 1


def choose(source: str, breakages: list[typing.Any], names: list[str]) -> list[typing.Any]:
    """Those of the names, else all; with WEIR_SEEDED_EVERY=n every n-th of them, and those that are stale."""
    chosen = [b for b in breakages if not names or b[0] in names]
    sample = chosen[::int(os.environ.get("WEIR_SEEDED_EVERY", "1"))]
    return [b for b in chosen if b in sample or stale(source, b)]


def try_breakages(simulator: Simulator, breakages: list[typing.Any]) -> int:
    """Try those that the command line chooses, after none in each of their worlds, which must pass; returns the exit status."""
    args = sys.argv[1:]
    source, workers = args.pop(0), 1
    if args[:1] == ["-j"]:
        workers = int(args[1])
        args = args[2:]
    chosen = choose(source, breakages, args)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(workers) as pool, tempfile.TemporaryDirectory(prefix="weir-seeded-") as folder:
        built = Built(source, simulator, folder, pool)
        worlds = list(dict.fromkeys(b[1] for b in chosen))
        for world, (noticed, report) in zip(worlds, pool.map(lambda w: run_one(built, ("nothing", w, "", "", "")), worlds)):
            if noticed or report != "nothing noticed":
                raise SystemExit(f"{world} fails without any breakage: {report}")
        results = pool.map(lambda b: run_one(built, b), chosen)
        for breakage, (noticed, report) in zip(chosen, results):
            passed += noticed
            failed += not noticed
            print(f"{'noticed ' if noticed else 'SURVIVED'}  {breakage[0]} ({breakage[1]}): {report}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(try_breakages(OWNERS_SIM, BREAKAGES))
