#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break the rules of shared versions, one at a time; the simulator versions_sim must notice each.

seeded_versions.py SOURCE [-j N] [NAME ...]: as seeded.py does it, with its list of breakages.
"""
from __future__ import annotations

import sys

import seeded

CHAIN = "mgmt/store/chain.c"
HISTORY = "mgmt/store/history.c"
SHARED = "mgmt/store/shared.c"
SIMULATOR = seeded.Simulator(
    ("base", "include", "mgmt/files", "mgmt/overrides", "mgmt/rules", "mgmt/store", "model", "record", "tests/sim"),
    (*(f"base/{f}.c" for f in ("addr", "clock", "log", "log_limit", "memory", "plain", "random", "sha256", "sorted")),
     "mgmt/files/digest.c", *(f"mgmt/overrides/{f}.c" for f in ("hlc", "override", "override_index")),
     *(f"mgmt/store/{f}.c" for f in ("chain", "history", "pending", "records", "shared")),
     "model/at_site.c", "model/json.c", "model/name.c", "model/override_level.c", "model/canary.c", "record/fields.c", "tests/sim/schedule.c", "tests/sim/versions_sim.c", "tests/sim/versions_world.c"), "--runs", ("jansson", "crypto"))
RUNS = "300 --brief"

# name, runs, file, text, what it becomes
BREAKAGES = [
    ("a version that needs no confirmation ends", RUNS, CHAIN, "return v->is_to_confirm && v->mark == CHAIN_UNMARKED;", "return v->mark == CHAIN_UNMARKED;"),
    ("a mark does not end a version", RUNS, CHAIN, "(v->mark == CHAIN_ENDED ||", "(0 ||"),
    ("a confirmation ends a version", RUNS, CHAIN, "(v->mark == CHAIN_ENDED ||", "(v->mark != CHAIN_UNMARKED ||"),
    ("a node that is cut off keeps a version", RUNS, CHAIN, "(chain_is_open(v) && give_up_ms(v) <= now_ms)", "0"),
    ("nobody waits for the mark", RUNS, CHAIN, "? v->due_ms + CHAIN_ANSWER_MS\n", "? v->due_ms\n"),
    ("a version that is not in force any more gets no mark", RUNS, CHAIN, "for (const struct chain_version *v = find_head(c); v; v = step_back(c, v, now_ms, &joined))\n\t\tif (",
     "for (const struct chain_version *v = find_head(c); v; v = step_back(c, v, now_ms, &joined))\n\t\tif (!has_ended(v, now_ms) && "),
    ("a version goes back to the first", RUNS, CHAIN, "*joined ? find_below(c, v->number) : NULL", "*joined ? find_below(c, 2) : NULL"),
    ("what was joined stays when the newer one ends", RUNS, CHAIN, " || (*joined && chain_is_open(v));", ";"),
    ("who joins begins a deadline", RUNS, HISTORY, " || e->revision <= h->joined_revision)", ")"),
    ("a deadline is lost over a restart", RUNS, HISTORY, "if (!list[i].number || ensure_entry", "if (1 || ensure_entry"),
    ("a version that had ended comes back for a moment", RUNS, HISTORY, "if (list[i].left_ms <=", "if (list[i].left_ms <"),
    ("a version does not rest on the head", RUNS, HISTORY, "\tshared_change_see(c, HEAD, h->head_revision);\n\tshared_change_see(c, shared_numbered(VERSION, v->number, name), 0);\n", "\t(void)shared_numbered(VERSION, v->number, name);\n"),
    ("a version does not rest on the mark of the one in force", RUNS, HISTORY, "\tif (is_open)\n\t\tsee_unmarked(c, from->number);\n", ""),
    ("a mark is written over", RUNS, HISTORY, "\tsee_unmarked(c, number);\n\tput_mark(c, number, mark);", "\tput_mark(c, number, mark);"),
    ("a version is made from the head", RUNS, HISTORY, "v->base = from ? from->number : 0;", "v->base = h->head;"),
    ("a version is made while one is overdue", "6000 --brief", HISTORY, "\tif (history_overdue(h, now_ms))\n\t\treturn -EAGAIN;\n", ""),
    ("the head stays", RUNS, HISTORY, "\tshared_change_put(c, HEAD, &history_head_record, &head);\n", ""),
    ("a version that is open is confirmed by any that follows", RUNS, HISTORY, "if (is_open && open == HISTORY_CONFIRM)", "if (is_open)"),
    ("no version needs confirmation", RUNS, HISTORY, "h->links[at].is_to_confirm = v->confirm_within_ms > 0;", ";"),
    ("what is listed begins no deadline", RUNS, HISTORY, "\tif (is_new)\n\t\tstart_deadline(h, at, clock);\n", "\tif (is_new && !h->joined_revision)\n\t\tstart_deadline(h, at, clock);\n"),
    ("the oldest goes, whatever may come back", RUNS, HISTORY, "has_records(h, at) || link->number == final ||", "has_records(h, at) ||"),
    ("what is open goes", "6000 --brief", HISTORY, "(link->number > final && link->is_known && link->mark != CHAIN_ENDED)", "0"),
    ("what has ended stays", RUNS, HISTORY, "(link->number > final && link->is_known && link->mark != CHAIN_ENDED)", "link->number > final"),
    ("a version goes without its mark", RUNS, HISTORY, "\t\tshared_change_remove(c, shared_numbered(MARK, link->number, name));\n", ""),
    ("a new version keeps what it joined", RUNS, HISTORY, " ||\n\t                (open == HISTORY_JOIN && !v->confirm_within_ms)))", "))"),
    ("what is tried at a place is in force everywhere", RUNS, HISTORY, "!v || canary_covers(v->canary, node, site) ||", "1 ||"),
    ("what is tried is nowhere in force", RUNS, HISTORY, "!v || canary_covers(v->canary, node, site) ||", "!v || !*v->canary ||"),
    ("what was tried stays at its place", RUNS, HISTORY, " ||\n\t                       !chain_is_open(&h->links[find_index(h, v->number)])", ""),
    ("a version is made on what is tried", RUNS, HISTORY, "*from->canary || *v->canary ||", "*v->canary ||"),
    ("what is tried is made on what is open", RUNS, HISTORY, "*from->canary || *v->canary ||", "*from->canary ||"),
    ("a change has no id", RUNS, SHARED, 'json_object_set_new(json, "change", json_string(c->id))', 'json_object_set_new(json, "change", json_string("c"))'),
    ("what is compared has no revision", RUNS, SHARED, "\t\tr->revision = revision;", "\t\tr->revision = 0;"),
    ("version 12 is version 1", RUNS, SHARED, "number = number * 10 + (uint64_t)(digits[i] - '0');", "number = number ? number : (uint64_t)(digits[i] - '0');"),
]

if __name__ == "__main__":
    sys.exit(seeded.try_breakages(SIMULATOR, BREAKAGES))
