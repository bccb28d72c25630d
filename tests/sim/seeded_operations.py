#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Break the engine of operations, one rule at a time; the simulator operations_sim must notice each.

seeded_operations.py SOURCE [-j N] [NAME ...]: as seeded.py does it, with its list of breakages.
"""
from __future__ import annotations

import sys

import seeded

DIR = "mgmt/operations/"
LEVEL = "mgmt/operations/level.c"
STEP = "mgmt/operations/step.c"
COMMAND = "mgmt/operations/command.c"
STAY = "mgmt/operations/resting.c"
BACK = "mgmt/operations/recovery.c"
APART = "mgmt/operations/partition.c"
OWN = "mgmt/operations/takeover.c"
STEPS = "dns/steering/steps.c"
ENGINE = "mgmt/operations/engine.c"
BEHIND = "mgmt/operations/stale_record.c"
PLAN = "mgmt/operations/plan.c"
WELL = "mgmt/operations/regression.c"
FACTS = "mgmt/operations/facts.c"
GUARDS = "mgmt/operations/guards.c"
RECORD = "mgmt/operations/record.c"
TICK = "mgmt/operations/transition.c"
INTERNAL = "mgmt/operations/engine_internal.h"
HEADER = "mgmt/operations/engine.h"
OPERATION = "mgmt/operations/operation.h"
PARTS = ("absent", "command", "command_parts", "engine", "facts", "guards", "history", "level",
         "partition", "plan", "record", "recovery", "regression", "resting", "stale_record", "step", "takeover", "transition")
SIMULATOR = seeded.Simulator(
    ("base", "dns/steering", "include", "mgmt/files", "mgmt/operations", "mgmt/overrides", "mgmt/rules", "model", "tests/sim"),
    ("base/hash.c", "base/plain.c", "dns/steering/steps.c", "mgmt/rules/rule.c", "model/at_site.c", "model/override_level.c", "tests/sim/schedule.c", *(f"tests/sim/operations_{f}.c" for f in ("judge", "persons", "scene", "scenes", "scenes_behind", "scenes_over", "scenes_owners", "scenes_steps", "scenes_ways", "sim", "store", "view", "world")),
     *(f"{DIR}{f}.c" for f in PARTS)), "--runs")
RUNS = "600 --brief"

# name, runs, file, text, what it becomes
BREAKAGES = [
    ("a drain by the clock goes on under its operation", RUNS, COMMAND, "if (!r->has_override)", "if (1)"),
    ("an epoch is compared with >=", RUNS, BEHIND, "if (level->epoch > op->epoch ||", "if (level->epoch >= op->epoch ||"),
    ("nodes that a ramp had brought further are not followed", RUNS, LEVEL, "return op->level_ppm <= op->met_ppm ? op->met_ppm : 0;", "return 0;"),
    ("a record that is behind waits for ever", RUNS, BEHIND, "if (op->behind_ms >= TICK_BEHIND_MS)", "if (0)"),
    ("a record that is behind shows an old wait", RUNS, ENGINE, "\tpublish_wait(&t, waits);", "\tif (writes)\n\t\tpublish_wait(&t, waits);"),
    ("steps that the owner has forgotten do not count", RUNS, BEHIND, "(level->step > op->writes && !op->reads_levels)", "0"),
    ("a resume keeps the epoch of a record that is behind", RUNS, COMMAND, "\tif (!err)\n\t\terr = own_catch_up(&t, person, error);\n\tif (err) {", "\tif (err) {"),
    ("an abort keeps the epoch of a record that is behind", RUNS, COMMAND,
     "\tif (!err)\n\t\terr = own_catch_up(&t, person, error);\n\tif (err)\n\t\treturn err;\n\tadd_to_way(&t, person);\n\tbegin_abort", "\tif (err)\n\t\treturn err;\n\tadd_to_way(&t, person);\n\tbegin_abort"),
    ("what has ended while it was held returns at once", RUNS, COMMAND, "\t\tset_pace(op, person);\n\t\tback_begin(&t);\n\t} else {", "\t\tback_begin(&t);\n\t} else {"),
    ("a return that is lost has the pace of the drain", RUNS, BEHIND, "op->now = false;", ";"),
    ("a return that is lost is a drain", RUNS, BEHIND, "op->hold.from = OPERATION_RETURNING;", ";"),
    ("a person goes on from a lost record without a majority", RUNS, OWN, "err = refuse_owner(op, t->facts, error);", "err = 0;"),
    ("a removed node takes it", RUNS, OWN, "if (remover)", "if (0)"),
    ("a node with an old configuration keeps others from taking", RUNS, FACTS, "return 2 * n > facts->n_nodes - 1 ? found : NULL;", "return found;"),
    ("steps of the other of two takers pass its hold", RUNS, OWN, " || behind_count_steps(t))", ")"),
    ("a write forgets what is announced", RUNS, LEVEL, "\t\t.shared = op->write.shared,\n", ""),
    ("announcements never change without a step", RUNS, ENGINE, "\tif (!is_new)\n\t\tlevel_write(t,", "\tif (!is_new)\n\t\treturn;\n\tif (0)\n\t\tlevel_write(t,"),
    ("missing repeats are 0", RUNS, WELL, "if (!was.known || !now.known)", "if (!was.known)"),
    ("a site without flows is told as one that is not reached", RUNS, STAY, "if (!is_any_reached(t, name))", "if (1)"),
    ("a person's hold leaves a new owner to go on", RUNS, COMMAND, "tick_hold_instead(&t, OPERATION_HOLD_PERSON", "tick_hold(&t, OPERATION_HOLD_PERSON"),
    ("missing flows are a quiet site", RUNS, STAY, "if (!site || !site->flows.known)\n\t\treturn OPERATION_UNKNOWN;",
     "if (!site)\n\t\treturn OPERATION_UNKNOWN;"),
    ("a missing load has room", RUNS, GUARDS, "guard_fit(capacity.value, load.known, load.value", "guard_fit(capacity.value, true, load.value"),
    ("room is not asked for the end of the plan", RUNS, GUARDS, "q->moment == OPERATION_BEGIN ? q->op->n_plan : point", "point"),
    ("a missing backup load is 0", RUNS, OPERATION, "operation_value_of(a.known && b.known, a.value", "operation_value_of(a.known, a.value"),
    ("missing max_sites_out is 0 sites too many", RUNS, GUARDS, "if (!q->facts->max_sites_out.known)", "if (0)"),
    ("a missing TTL is 0", RUNS, GUARDS, "if (!q->facts->ttl_s.known)", "if (0)"),
    ("no name that is known is unnamed", RUNS, ENGINE, "!site->named.known || site->named.value", "site->named.value"),
    ("what is unknown passes", RUNS, GUARDS, "if (!missing)\n\t\t\tmissing = &verdicts[i];", ";"),
    ("what is unknown never holds", RUNS, INTERNAL, "#define TICK_UNKNOWN_MS 1500", "#define TICK_UNKNOWN_MS 150000"),
    ("backup active at 25 %", RUNS, STEP, "op->level_ppm != MODEL_PPM_ALL || op->late_from_ms)",
     "op->level_ppm < 250000 || op->late_from_ms)"),
    ("backup active at once", RUNS, STEP, "last->in_force_ms + (int64_t)step_ttl_s(op) * 1000;", "last->in_force_ms;"),
    ("the backup stays at a return", RUNS, BACK, "\top->late_from_ms = 0;\n\tlevel_write(t, op->level_ppm, op->level_ppm,",
     "\tlevel_write(t, op->level_ppm, op->level_ppm,"),
    ("a hold is lost at a takeover", RUNS, OWN, "return op->state == OPERATION_HELD && rule_is(OPERATION_HOLD_NEW_OWNER, op->hold.code);",
     "return op->state == OPERATION_HELD;"),
    ("a takeover waits for a node without end", RUNS, OWN, "if (op->unknown_ms >= TICK_FORCE_MS && own_goes_on(op))", "if (0)"),
    ("a takeover is resumed with a level missing", RUNS, OWN, "if (missing && rule_is(OPERATION_HOLD_NOT_IN_FORCE, op->hold.code))", "if (0)"),
    ("a takeover does not hold first", RUNS, OWN, "\tif (op->write.epoch)\n\t\tlevel_stop(t, op->level_ppm);", ""),
    ("a takeover goes on from its old record", RUNS, OWN, "op->level_ppm = level_of_epoch(&t);", ";"),
    ("a takeover without a majority", RUNS, OWN, "if (!majority->ok)", "if (0)"),
    ("a takeover keeps its epoch", RUNS, OWN, "operation_owner_epoch(facts_epoch(op, t->facts));", "facts_epoch(op, t->facts);"),
    ("epochs of turns meet those of owners", "4000 --brief", RECORD, "(epoch / OPERATION_EPOCHS + 1) * OPERATION_EPOCHS;", "epoch + 1;"),
    ("a drained site is a receiver", RUNS, FACTS, "site->serves && site->out != OPERATION_YES &&", "site->serves &&"),
    ("a drained site is a voter", RUNS, GUARDS, "n += site->out != OPERATION_YES &&", "n += 1 &&"),
    ("a backup's site is no receiver", RUNS, FACTS, "return facts_gains(op, site) ||\n", "return facts_gains(op, site) || 0 &&\n"),
    ("a backup's site is one that is left", RUNS, GUARDS, "if (!facts_gains(q->op, site))\n\t\t\tcontinue;\n\t\tif (site->out", "if (!facts_receives(q->op, site))\n\t\t\tcontinue;\n\t\tif (site->out"),
    ("a site that is down is a receiver", RUNS, FACTS, "facts_is_up(site) != OPERATION_NO;", "1;"),
    ("an unknown site is left", RUNS, GUARDS, "if (site->out == OPERATION_NO && facts_is_up(site) == OPERATION_YES)", "if (1)"),
    ("held sites do not count", RUNS, GUARDS, "site->held || ", ""),
    ("sites that are down do not count", RUNS, GUARDS, " || up == OPERATION_NO)", ")"),
    ("half of the nodes are a majority", RUNS, GUARDS, "reached * 2 > counted", "reached * 2 >= counted"),
    ("a removed owner says that others are lost", RUNS, STEP, "\tif (lost->refuses)", "\tif (0)"),
    ("a refusal names the wrong guard", RUNS, "mgmt/operations/command_parts.c", "return OPERATION_REFUSED + (int)guard;", "return OPERATION_REFUSED;"),
    ("a lost node does not hold", RUNS, STEP, "\tif (lost) {", "\tif (0) {"),
    ("an older operation does not matter", RUNS, GUARDS, "other->moves && facts_is_older(other, q->op)", "0"),
    ("both of two operations are held", RUNS, GUARDS, "other->moves && facts_is_older(other, q->op)", "other->moves"),
    ("drains that meet leave no site", RUNS, STAY, "if (!is_another_out(t) && !facts.left_together)", "if (1)"),
    ("a step does not wait for all name servers", RUNS, LEVEL, "if (at.level->known)\n\t\t\treturn OPERATION_NO;", "if (at.level->known)\n\t\t\tcontinue;"),
    ("a node may lack the last step", RUNS, STEP, "!have_all_last(t) ||", "0 ||"),
    ("a hold saves the wait for the TTL", RUNS, STEP, "!has_last_settled(t)", "0"),
    ("a step does not wait for the TTL", RUNS, STEP, "if (op->waited_ms < *ttl_ms) {", "if (0) {"),
    ("a step is announced too late", RUNS, HEADER, "#define OPERATION_AHEAD_MS   2000", "#define OPERATION_AHEAD_MS   500"),
    ("a hold goes to the step's level", RUNS, LEVEL, "level_stop(t, furthest);", "level_stop(t, op->write.to_ppm);"),
    ("a hold goes back to the last level", RUNS, LEVEL, "level_stop(t, furthest);", "level_stop(t, op->plan_from_ppm);"),
    ("the hold does not stop the step", RUNS, TICK, "level_freeze(t);", ";"),
    ("a resume begins at the first step", RUNS, PLAN, "op->plan_from_ppm = op->level_ppm;\n\top->step = 0;",
     "op->level_ppm = op->way == OPERATION_OUT ? op->began_ppm : op->level_ppm;\n\top->plan_from_ppm = op->level_ppm;\n\top->step = 0;"),
    ("gates are left out", RUNS, PLAN, "{ 100000, 250000, 500000, 750000 }", "{ 100000, 750000 }"),
    ("no first 1 % of a return", RUNS, PLAN, "if (!one_step && from_ppm == MODEL_PPM_ALL && to_ppm < PLAN_CANARY_PPM)", "if (0)"),
    ("the first 1 % is not for two minutes", RUNS, STEP, "canary && op->waited_ms < PLAN_CANARY_MS", "0"),
    ("a return does not look from outside", RUNS, BACK, "\t\treturn facts_is_up(site);", "\t\treturn OPERATION_YES;"),
    ("a step back to a site that is down", RUNS, STEP, "if (t->op->way != OPERATION_BACK)\n\t\treturn true;", "return true;"),
    ("an abort asks the receivers that suffer", RUNS, FACTS, "if (op->way == OPERATION_BACK)\n\t\treturn target;", ""),
    ("room is that of the load now", RUNS, FACTS, "return point <= op->n_plan ? point : op->n_plan;", "return 0 * point;"),
    ("room does not count the backup", RUNS, GUARDS, "return q->op->now || point == q->op->n_plan;", "return false;"),
    ("suffering receivers hold later", RUNS, STEP, "if (!step_query_guards(t, OPERATION_DURING))", "if (0)"),
    ("a site that suffered is the measure", RUNS, WELL, "site->repeats.value > CHANCE_PER_S + site->flows.value * NEVER_PERCENT / 100", "0"),
    ("drained at 10 %", RUNS, STAY, "(before + 99) / 100", "(before + 9) / 10"),
    ("one TTL without a name is enough", RUNS, STAY, "op->unnamed_ms >= 2 * (int64_t)step_ttl_s(op)", "op->unnamed_ms >= (int64_t)step_ttl_s(op)"),
    ("a flow that is measured does not matter", RUNS, STAY, "op->unnamed_ms = 0; /* clients come", "; /* clients come"),
    ("drained is for ever", RUNS, STAY, "if (op->waited_ms >= BACK_MS)", "if (0)"),
    ("a moment ends a drain", RUNS, STAY, "\t\top->waited_ms = 0;\n\tif (op->waited_ms >= BACK_MS)", "\t\t;\n\tif (op->waited_ms >= BACK_MS)"),
    ("established flows are late at once", RUNS, STAY, "empty ? OPERATION_DRAINED : OPERATION_LATE", "come ? OPERATION_LATE : OPERATION_DRAINED"),
    ("VIPs come back with late clients", RUNS, ENGINE, "((late || returns) && op->drained_ms)", "(returns && op->drained_ms)"),
    ("not confirmed is for ever", RUNS, STAY, "\t\ttick_enter(t, OPERATION_LATE);", "\t\t;"),
    ("a node that is not heard is quiet", RUNS, STAY, "return site->incomplete ? OPERATION_UNKNOWN : OPERATION_YES;", "return OPERATION_YES;"),
    ("a node that is not heard is silent", RUNS, STAY, "if (!site || site->incomplete || !site->established.known", "if (!site || !site->established.known"),
    ("a node of the drained site takes it", RUNS, OWN, "\tif (better)", "\tif (0)"),
    ("a held return does not expire", RUNS, ENGINE, "if (goes_back && op->state != OPERATION_HELD)", "if (goes_back)"),
    ("until ends a hold", RUNS, ENGINE, "if (op->state == OPERATION_HELD) {\n\t\top->state = OPERATION_EXPIRED_HELD;", "if (0) {\n\t\top->state = OPERATION_EXPIRED_HELD;"),
    ("a clock that is not believed ends it", RUNS, ENGINE, "if (op->until_ms == MODEL_TIME_NEVER || t->facts->clock != OPERATION_YES)",
     "if (op->until_ms == MODEL_TIME_NEVER)"),
    ("a pause counts as time", RUNS, INTERNAL, "#define TICK_GAP_MS 2000", "#define TICK_GAP_MS 7200000"),
    ("the owner is in the drained site", RUNS, ENGINE, "\tif (!best || !operation_may_own(op->epoch))\n\t\treturn false;", "\treturn false;"),
    ("a person's command is written over", RUNS, ENGINE, "if (person_ends(t))", "if (0)"),
    ("the share is not judged", RUNS, STEP, "<= step->most_ppm.value + TICK_SHARE_PPM", "<= MODEL_PPM_ALL"),
    ("a share below the projection is fine", RUNS, STEP, "step->share_ppm.value + TICK_SHARE_PPM >= step->least_ppm.value &&", "1 &&"),
    ("a missing share passes", RUNS, STEP, "return missing ? OPERATION_UNKNOWN : OPERATION_YES;", "return OPERATION_YES;"),
    ("a missing share waits for ever", RUNS, STEP, "if (op->unjudged_ms >= TICK_UNKNOWN_MS)", "if (0)"),
    ("no band for resolvers of many", RUNS, STEP, "band->most_ppm.known ? band->most_ppm : step->expected_ppm", "step->expected_ppm"),
    ("a few flows are judged", RUNS, INTERNAL, "#define TICK_FLOWS_MIN   200u", "#define TICK_FLOWS_MIN   20u"),
    ("an end that comes during an abort is forgotten", RUNS, BACK, "op->expired = false;", ";"),
    ("an aborted return keeps its time", RUNS, COMMAND, "if (!op->expired)\n\t\treturn;", "return;"),
    ("a turn takes an epoch that no record has", RUNS, RECORD, "op->epoch < OPERATION_EPOCH_MAX - 1;", "op->epoch < OPERATION_EPOCH_MAX;"),
    ("an owner takes an epoch that no record has", RUNS, RECORD, "epoch < OPERATION_EPOCH_MAX - OPERATION_EPOCHS;", "epoch < OPERATION_EPOCH_MAX;"),
    ("a step takes back who is higher than where it begins", RUNS, STEPS, "at_ms < o->from_ms || (falls && was->level_ppm > o->from_ppm)", "at_ms < o->from_ms"),
    ("an abort begins at the record's level", RUNS, BACK, "if (way == OPERATION_BACK && apart_highest(t) > op->level_ppm)", "if (0)"),
    ("who is ahead holds a way that was turned out for it", RUNS, BACK, "way == OPERATION_OUT && apart_holds(op) ? apart_highest(t) : 0", "0"),
    ("a way back that waits for its end keeps others from moving", RUNS, RECORD, "if (op->way == OPERATION_BACK && !op->level_ppm && !op->step_runs)", "if (0)"),
    ("levels of another owner hold nothing", RUNS, APART, "\tif (!n)\n\t\treturn;\n\t(void)snprintf", "\tif (n || 1)\n\t\treturn;\n\t(void)snprintf"),
    ("a resume back goes on from the record's level", RUNS, COMMAND, "\t\tback_turn(t, OPERATION_BACK);\n\telse", "\t\t;\n\telse"),
    ("a forced majority ends the override", RUNS, BACK, "reached * 2 > n)", "1)"),
    ("a hold of a step back makes the rest of it", RUNS, LEVEL, "level_stop(t, find_nearest(t));", "level_stop(t, op->write.to_ppm);"),
    ("what was named absent never takes part again", RUNS, BACK, "\tabsent_return(t);\n", ""),
    ("guards are overridden for ever", RUNS, "mgmt/operations/absent.c", "memset(t->op->overridden, 0, sizeof(t->op->overridden));", ";"),
    ("who takes it is absent", RUNS, OWN, "absent_drop(op, facts->self);", ";"),
    ("a hold has no direction", RUNS, LEVEL, "return level_ppm - (level_ppm > 0);", "return level_ppm;"),
    ("a new hash key goes on", RUNS, ENGINE, "op->key_fingerprint != t->facts->key_fingerprint)", "0)"),
]

if __name__ == "__main__":
    sys.exit(seeded.try_breakages(SIMULATOR, BREAKAGES))
