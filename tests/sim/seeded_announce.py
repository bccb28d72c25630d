#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break the decision whether to announce, one rule at a time; the simulator announce_sim must notice each.

seeded_announce.py SOURCE [-j N] [NAME ...]: as seeded.py does it, with its list of breakages.
"""
from __future__ import annotations

import sys

import seeded

DECIDE = "announce/decide.c"
PROMISE = "announce/promise.c"
MOVES = "announce/moves.c"
HEADER = "announce/decide.h"
SIMULATOR = seeded.Simulator(("base", "include", "announce", "tests/sim"),
                             ("tests/sim/announce_sim.c", "tests/sim/announce_world.c", "tests/sim/schedule.c",
                              "announce/decide.c", "announce/promise.c", "announce/moves.c"), "--runs")
RUNS = "300 --brief"

# name, runs, file, text, what it becomes
BREAKAGES = [
    ("a shared cause needs no confirmation", RUNS, DECIDE, "if (is_confirmed(s, now_ms)) {", "if (1) {"),
    ("a confirmation never gets old", RUNS, DECIDE, "now_ms - s->confirmed_ms <= ANNOUNCE_CONFIRMED_MS;", "1;"),
    ("a promise is not kept", RUNS, DECIDE, "if (now_ms < s->promised_until_ms) {", "if (0) {"),
    ("a confirmation promises nothing", RUNS, PROMISE, "s->promised_until_ms = now_ms + ANNOUNCE_PROMISE_MS;", ";"),
    ("a promise is too short", RUNS, HEADER, "#define ANNOUNCE_PROMISE_MS   10000u", "#define ANNOUNCE_PROMISE_MS 1000u"),
    ("a start does not count as a promise", RUNS, DECIDE, ".promised_until_ms = now_ms + ANNOUNCE_PROMISE_MS,",
     ".promised_until_ms = 0,"),
    ("a refusal promises to stay", RUNS, PROMISE, "if (answer == ANNOUNCE_ANSWER_CONFIRMED) {", "if (1) {"),
    ("in a tie both stay", RUNS, PROMISE, "announce_elapsed_ms(now_ms, s->query_since_ms) < ANNOUNCE_TIE_MS)", "1)"),
    ("in a tie the highest name stays", RUNS, PROMISE, "if (order < 0 || (s->lower", "if (order > 0 || (0 && s->lower"),
    ("a node of a tie confirms before others had time to", RUNS, PROMISE, "announce_elapsed_ms(now_ms, s->query_since_ms) < ANNOUNCE_TIE_MS)", "0)"),
    ("in a tie each node confirms for all", RUNS, PROMISE, "return judge_tie(s, order, now_ms);", "return ANNOUNCE_ANSWER_CONFIRMED;"),
    ("a node that has left confirms", RUNS, PROMISE, "if (s->table != ANNOUNCE_NORMAL || f->exported != ANNOUNCE_YES)",
     "if (f->exported == ANNOUNCE_UNKNOWN)"),
    ("a node that does not forward confirms", RUNS, PROMISE, "!is_yes(f, ANNOUNCE_FACT_PROBE) ||",
     "f->truth[ANNOUNCE_FACT_PROBE] == ANNOUNCE_UNKNOWN ||"),
    ("a node with a port without the program confirms", RUNS, PROMISE, "!is_yes(f, ANNOUNCE_FACT_COVERED) ||", ""),
    ("old facts confirm", RUNS, PROMISE, "if (announce_elapsed_ms(now_ms, f->read_ms) > ANNOUNCE_FACTS_MS)", "if (0)"),
    ("a confirmation without a question counts", RUNS, PROMISE, "!was_queried(s, q->sent_ms) ||", ""),
    ("a drained node confirms", RUNS, PROMISE, "if (!f->configured || f->command != ANNOUNCE_COMMAND_NONE)\n"
     "\t\treturn ANNOUNCE_ANSWER_COMMANDED;\n\tif (s->table != ANNOUNCE_NORMAL || f->exported != ANNOUNCE_YES)",
     "if (s->table == ANNOUNCE_NONE)"),
    ("unknown withdraws", RUNS, DECIDE, "if (is_no(f, ANNOUNCE_FACT_POOLS))", "if (f->truth[ANNOUNCE_FACT_POOLS] != ANNOUNCE_YES)"),
    ("an unknown port withdraws", RUNS, DECIDE, "if (is_no(f, ANNOUNCE_FACT_PORT))", "if (f->truth[ANNOUNCE_FACT_PORT] != ANNOUNCE_YES)"),
    ("unknown announces", RUNS, DECIDE, "if (f->truth[fact] == ANNOUNCE_UNKNOWN && unknown == ANNOUNCE_FACT_COUNT)", "if (0)"),
    ("pools are not a cause", RUNS, DECIDE, "if (is_no(f, ANNOUNCE_FACT_POOLS))", "if (0)"),
    ("a refused probe is the node's own cause", RUNS, DECIDE, "return is_no(f, ANNOUNCE_FACT_PROGRAM) ?",
     "if (is_no(f, ANNOUNCE_FACT_PROBE))\n\t\treturn ANNOUNCE_FACT_PROBE;\n\treturn is_no(f, ANNOUNCE_FACT_PROGRAM) ?"),
    ("a lost program waits for a confirmation", RUNS, DECIDE, "return is_no(f, ANNOUNCE_FACT_PROGRAM) ?", "return 0 ?"),
    ("there is no hold-down", RUNS, DECIDE, "s->hold_ms = ANNOUNCE_HOLD_MS;", "s->hold_ms = 1;"),
    ("the hold-down does not double", RUNS, DECIDE, "s->hold_ms *= 2;", ";"),
    ("the hold-down grows without end", RUNS, DECIDE, "s->hold_ms = ANNOUNCE_HOLD_MAX_MS;", "s->hold_ms *= 2;"),
    ("the hold-down counts from the failure", RUNS, DECIDE,
     "if (!s->good_since_ms)\n\t\treturn hold_ms;", "if (now_ms - s->failed_ms >= s->hold_ms)\n\t\treturn 0;"),
    ("a relapse does not start the hold-down again", RUNS, DECIDE, "ANNOUNCE_FACT_COUNT)\n\t\ts->good_since_ms = 0;",
     "ANNOUNCE_FACT_COUNT)\n\t\t;"),
    ("a new document starts the hold-down again", RUNS, DECIDE, "if (announce_own_cause(f) != ANNOUNCE_FACT_COUNT ||",
     "if ((missed != ANNOUNCE_FACT_COUNT && is_no(f, missed)) || announce_own_cause(f) != ANNOUNCE_FACT_COUNT ||"),
    ("a node that would be the only one is held down", RUNS, DECIDE, "if (f->others == ANNOUNCE_NO)\n\t\treturn 0;", ";"),
    ("a node that hears nothing of others is held down for long", RUNS, DECIDE,
     "if (f->others == ANNOUNCE_UNKNOWN && hold_ms > ANNOUNCE_HOLD_MS)", "if (0)"),
    ("no hold-down while others are not known", RUNS, DECIDE, "if (f->others == ANNOUNCE_NO)\n\t\treturn 0;",
     "if (f->others != ANNOUNCE_YES)\n\t\treturn 0;"),
    ("a port without the program is not a cause", RUNS, DECIDE, "if (is_no(f, ANNOUNCE_FACT_COVERED))", "if (0)"),
    ("a port without the program withdraws the last", RUNS, DECIDE, "return is_no(f, ANNOUNCE_FACT_PROGRAM) ?",
     "if (is_no(f, ANNOUNCE_FACT_COVERED))\n\t\treturn ANNOUNCE_FACT_COVERED;\n\treturn is_no(f, ANNOUNCE_FACT_PROGRAM) ?"),
    ("a port without the program is never accepted", RUNS, DECIDE, "(fact == ANNOUNCE_FACT_PEERS || fact == ANNOUNCE_FACT_COVERED);",
     "fact == ANNOUNCE_FACT_PEERS;"),
    ("a node returns never", RUNS, DECIDE, "if (held.held_ms)", "if (s->hold_ms)"),
    ("a drain withdraws at once", RUNS, DECIDE, "(f->emptied == ANNOUNCE_YES ||", "(1 ||"),
    ("a drain never withdraws", RUNS, DECIDE, "s->table == ANNOUNCE_SHUTDOWN &&\n\t       (f->emptied", "0 &&\n\t       (f->emptied"),
    ("a drain is no graceful shutdown", RUNS, DECIDE, "return decide_table(s, ANNOUNCE_SHUTDOWN, ANNOUNCE_REASON_DRAINING, missed);",
     "return decide_table(s, ANNOUNCE_NORMAL, ANNOUNCE_REASON_DRAINING, missed);"),
    ("a drained node announces again", RUNS, DECIDE,
     "if (f->command == ANNOUNCE_COMMAND_DRAIN)\n\t\treturn decide_table(s, ANNOUNCE_NONE,", "if (0)\n\t\treturn decide_table(s, ANNOUNCE_NONE,"),
    ("the question is sent once", RUNS, DECIDE, "if (s->queried_ms[0] && announce_elapsed_ms(now_ms, s->queried_ms[0]) < ANNOUNCE_QUERY_MS)", "if (s->queried_ms[0])"),
    ("no question is sent", RUNS, DECIDE, "d.query = note_question(s, now_ms);", "d.query = false;"),
    ("an undrained node stays in graceful shutdown", RUNS, DECIDE, "if (s->table == ANNOUNCE_SHUTDOWN && !proved)",
     "if (s->table == ANNOUNCE_SHUTDOWN)"),
    ("the old route is deleted at once", RUNS, MOVES, "routes->imported[target] == ANNOUNCE_YES", "1"),
    ("the old route is deleted before the new one is added", RUNS, MOVES, "(target == ANNOUNCE_NONE ||", "(1 ||"),
    ("the old route is never deleted", RUNS, MOVES, "(target == ANNOUNCE_NONE ||", "(target == ANNOUNCE_NONE || 0 &&"),
    ("a restart takes the routes for gone", RUNS, MOVES, "if (routes->in_kernel[ANNOUNCE_NORMAL])\n\t\treturn ANNOUNCE_NORMAL;",
     "if (1)\n\t\treturn ANNOUNCE_NONE;"),
]

if __name__ == "__main__":
    sys.exit(seeded.try_breakages(SIMULATOR, BREAKAGES))
