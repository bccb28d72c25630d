/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of refusals and holds: they name all that was asked for, and nothing that would be
 * refused again. That the command-line program takes them is shown by test_operation_faults.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/controller/operation_command.h"
#include "mgmt/operations/engine.h"
#include "tests/unit/suite.h"

static struct operation op;
static struct operation_verdict verdicts[OPERATION_GUARD_COUNT];
static struct operation_facts facts;

/* A drain of ams, that nothing refuses. */
static int start_drain(void **state)
{
	(void)state;
	memset(&op, 0, sizeof(op));
	memset(&facts, 0, sizeof(facts));
	op.n_targets = 1;
	op.until_ms = MODEL_TIME_NEVER;
	op.goal_ppm = MODEL_PPM_ALL;
	strcpy(op.id, "k3");
	strcpy(op.reason, "INC-7");
	strcpy(op.targets[0].site, "ams");
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		verdicts[g] = (struct operation_verdict){ .guard = (enum rule_id)g, .ok = true };
	return 0;
}

static void refuse_by_guard(enum rule_id guard)
{
	verdicts[guard].ok = false;
	verdicts[guard].overridden = op.overridden[guard];
}

/* "" for no command; it stays until the next call. */
static const char *text_of(json_t *refusal)
{
	static json_t *last;

	json_decref(last);
	last = refusal;
	assert_int_equal(json_array_size(json_object_get(last, "guards")), OPERATION_GUARD_COUNT);
	const char *text = json_string_value(json_object_get(last, "override"));
	return text ? text : "";
}

static const char *begin_text(void)
{
	return text_of(operation_begin_refusal(&op, verdicts, &facts));
}

static void all_that_was_given_is_there(void **state)
{
	(void)state;
	refuse_by_guard(OPERATION_GUARD_ROOM);
	assert_string_equal(begin_text(), "weir drain site ams --override room --reason 'INC-7'");
	strcpy(op.targets[op.n_targets++].site, "fra");
	strcpy(op.service, "web");
	strcpy(op.reason, "it's $x");
	op.until_ms = 1790000000000;
	op.over_ms = 300000;
	op.overridden[OPERATION_GUARD_FRESH] = true;
	strcpy(op.without[op.n_without++], "lon-1");
	assert_string_equal(begin_text(),
	                    "weir drain site ams fra --service web --over 300s --until "
	                    "2026-09-21T14:13:20.000Z --override room,fresh --without lon-1 "
	                    "--reason 'it'\\''s $x'");
	op.over_ms = 1500;
	op.withdraw = true;
	assert_non_null(strstr(begin_text(), " --over 1500ms "));
	assert_non_null(strstr(begin_text(), " --withdraw "));
}

static void a_shift_has_its_level_and_its_end(void **state)
{
	static const struct {
		uint32_t ppm;
		const char *text;
	} rows[] = { { 300000, "30%" },   { 333333, "33.3333%" }, { 5000, "0.5%" },
		     { 1000000, "100%" }, { 100100, "10.01%" },   { 100001, "10.0001%" },
		     { 1, "0.0001%" } };
	char expected[160];

	(void)state;
	op.kind = OPERATION_SHIFT;
	strcpy(op.service, "web");
	op.now = true;
	refuse_by_guard(OPERATION_GUARD_FRESH);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		op.goal_ppm = rows[i].ppm;
		snprintf(expected, sizeof(expected),
		         "weir shift site ams %s --service web --now --until never --override "
		         "fresh --reason 'INC-7'",
		         rows[i].text);
		assert_string_equal(begin_text(), expected);
	}
}

static void absent_nodes_are_named_for_a_majority_alone(void **state)
{
	struct operation_node nodes[3] = { { .name = "ams-1", .reached = true },
		                           { .name = "fra-1" },
		                           { .name = "lon-1" } };
	static struct operation none, with;

	(void)state;
	facts = (struct operation_facts){ .nodes = nodes, .n_nodes = 3 };
	strcpy(op.without[op.n_without++], "lon-1");
	refuse_by_guard(OPERATION_GUARD_ROOM);
	assert_non_null(strstr(begin_text(), "--override room --without lon-1 --reason"));
	refuse_by_guard(OPERATION_GUARD_MAJORITY);
	assert_non_null(strstr(begin_text(), "--override room --without lon-1,fra-1 --reason"));
	verdicts[OPERATION_GUARD_ROOM].ok = true;
	assert_string_equal(
	        text_of(operation_order_refusal(&none, &op, "take", "a b", verdicts, &facts)),
	        "weir operation k3 take --without lon-1,fra-1 --reason 'a b'");
	assert_string_equal(
	        text_of(operation_order_refusal(&op, &op, "take", "a b", verdicts, &facts)),
	        "weir operation k3 take --without fra-1 --reason 'a b'");
	with = op; /* what the record has already is not named again */
	op.overridden[OPERATION_GUARD_FRESH] = true;
	with.overridden[OPERATION_GUARD_FRESH] = with.overridden[OPERATION_GUARD_SHARE] = true;
	assert_string_equal(
	        text_of(operation_order_refusal(&op, &with, "resume", "a b", verdicts, &facts)),
	        "weir operation k3 resume --override share --without fra-1 --reason 'a b'");
}

static void what_no_name_goes_past_has_no_command(void **state)
{
	static const enum rule_id none[] = { OPERATION_GUARD_CLOCK, OPERATION_GUARD_OTHER,
		                             OPERATION_GUARD_MAJORITY };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		start_drain(state);
		refuse_by_guard(OPERATION_GUARD_ROOM);
		refuse_by_guard(none[i]); /* of a majority: no node that could be named absent */
		assert_string_equal(begin_text(), "");
	}
}

static void the_longest_line_is_whole(void **state)
{
	char name[MODEL_NAME_MAX];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	op.n_targets = OPERATION_TARGETS_MAX;
	op.n_without = OPERATION_WITHOUT_MAX;
	for (uint32_t i = 0; i < op.n_targets; i++)
		strcpy(op.targets[i].site, name);
	for (uint32_t i = 0; i < op.n_without; i++)
		strcpy(op.without[i], name);
	strcpy(op.service, name);
	memset(op.reason, '\'', sizeof(op.reason) - 1);
	op.over_ms = OPERATION_OVER_MAX_MS - 1;
	op.until_ms = 1790000000000;
	op.withdraw = true;
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		if (rule_may_override(g))
			refuse_by_guard((enum rule_id)g);
	const char *text = begin_text();
	assert_string_equal(text + strlen(text) - 5, "'\\'''");
	assert_true(strlen(text) < OPERATION_COMMAND_MAX - 1);
	assert_non_null(strstr(operation_undo_text(&op, (char[OPERATION_COMMAND_MAX]){ 0 }),
	                       " --service nnn"));
}

static void each_way_can_be_undone(void **state)
{
	char text[OPERATION_COMMAND_MAX];

	(void)state;
	op.state = OPERATION_MOVING;
	assert_string_equal(operation_undo_text(&op, text), "weir undrain site ams --reason TEXT");
	op.state = OPERATION_RETURNING;
	assert_string_equal(operation_undo_text(&op, text),
	                    "weir operation k3 abort --reason TEXT");
	op.state = OPERATION_HELD; /* no site is there to undrain */
	op.hold.from = OPERATION_DRAINED;
	strcpy(op.hold.code, "site-gone");
	assert_string_equal(operation_undo_text(&op, text),
	                    "weir operation k3 abort --reason TEXT");
	op.state = OPERATION_FAILED;
	assert_string_equal(operation_undo_text(&op, text),
	                    "weir undrain site ams --scheduled --reason TEXT");
	op.n_targets = 2;
	strcpy(op.targets[1].site, "fra");
	assert_null(operation_undo_text(&op, text));
}

static void a_hold_says_how_it_goes_on(void **state)
{
	static const struct {
		const char *code, *text;
		bool reads_levels;
	} rows[] = {
		{ "room", "weir operation k3 resume --override room --reason TEXT", false },
		{ "person", "weir operation k3 resume --reason TEXT", false },
		{ "majority", "weir operation k3 resume --without fra-1,lon-1 --reason TEXT",
		  false },
		{ "node-lost", "weir operation k3 resume --without fra-1,lon-1 --reason TEXT",
		  false },
		{ "taken", "weir operation k3 resume --without dub-1 --reason TEXT", true },
		{ "not-in-force", "weir operation k3 resume --without dub-1 --reason TEXT", true },
		{ "not-in-force", "weir operation k3 resume --reason TEXT", false },
		{ "majority", "weir operation k3 resume --without fra-1,lon-1,dub-1 --reason TEXT",
		  true },
		{ "owner-removed", "weir operation k3 take --reason TEXT", false },
		{ "site-gone", "weir operation k3 abort --reason TEXT", false },
		{ "service-gone", "weir operation k3 abort --reason TEXT", false },
	};
	struct operations_item *item = calloc(1, sizeof(*item));
	char text[OPERATION_COMMAND_MAX];

	(void)state;
	assert_non_null(item);
	item->op = op;
	item->n_nodes = 6;
	strcpy(item->nodes[0].node, "ams-1");
	item->nodes[0].reached = item->nodes[0].level_known = true;
	strcpy(item->nodes[1].node, "fra-1");
	strcpy(item->nodes[2].node, "rom-1");
	item->nodes[2].absent = true;
	strcpy(item->nodes[3].node, "lon-1");
	strcpy(item->nodes[4].node, "dub-1");
	item->nodes[4].reached = true;
	strcpy(item->nodes[5].node, "oslo-1");
	item->nodes[5].reached = item->nodes[5].level_known = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(item->op.hold.code, rows[i].code);
		item->op.reads_levels = rows[i].reads_levels;
		assert_string_equal(operation_resume_text(item, text), rows[i].text);
	}
	strcpy(item->op.hold.code, "unconfirmed");
	item->op.reads_levels = false;
	item->judged = true;
	assert_string_equal(operation_resume_text(item, text),
	                    "weir operation k3 resume --override unconfirmed --reason TEXT");
	item->verdicts[OPERATION_GUARD_UNCONFIRMED].ok = true; /* somebody has confirmed */
	assert_string_equal(operation_resume_text(item, text),
	                    "weir operation k3 resume --reason TEXT");
	free(item);
}

#define ABORT   "weir operation k3 abort --reason TEXT"
#define UNDRAIN "weir undrain site ams --reason TEXT"

/* The engine aborts what is on a way alone: what is printed must be accepted. */
static void a_hold_says_how_it_goes_back(void **state)
{
	static const struct {
		enum operation_state from;
		const char *code;
		const char *line; /* NULL: it goes back already */
	} rows[] = {
		{ OPERATION_STARTING, "person", ABORT },
		{ OPERATION_MOVING, "room", ABORT },
		{ OPERATION_RETURNING, "pools", ABORT },
		{ OPERATION_LATE, "person", UNDRAIN },
		{ OPERATION_DRAINED, "last-site", UNDRAIN },
		{ OPERATION_RESTING, "person", UNDRAIN },
		{ OPERATION_DRAINED, "site-gone", ABORT },
		{ OPERATION_ABORTING, "levels", ABORT },
		{ OPERATION_ABORTING, "site-gone", ABORT },
		{ OPERATION_ABORTING, "room", NULL },
	};
	static const struct operation_person person = { .author = "amy", .reason = "" };
	char text[OPERATION_COMMAND_MAX], error[OPERATION_DETAIL_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)start_drain(state);
		facts.self = "ams-1";
		if (!strcmp(rows[i].code, "site-gone"))
			facts.document = OPERATION_DOCUMENT_SITE_GONE;
		op.state = OPERATION_HELD;
		op.hold.from = rows[i].from;
		strcpy(op.hold.code, rows[i].code);
		const char *is = operation_back_text(&op, text);

		assert_int_equal(is != NULL, rows[i].line != NULL);
		if (is)
			assert_string_equal(is, rows[i].line);
		assert_int_equal(!operation_abort(&op, &facts, &person, 1, error),
		                 is && !strcmp(is, ABORT));
	}
}

#undef ABORT
#undef UNDRAIN

SUITE(operation_command)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_that_was_given_is_there, start_drain),
		cmocka_unit_test_setup(a_shift_has_its_level_and_its_end, start_drain),
		cmocka_unit_test_setup(absent_nodes_are_named_for_a_majority_alone, start_drain),
		cmocka_unit_test_setup(what_no_name_goes_past_has_no_command, start_drain),
		cmocka_unit_test_setup(the_longest_line_is_whole, start_drain),
		cmocka_unit_test_setup(each_way_can_be_undone, start_drain),
		cmocka_unit_test_setup(a_hold_says_how_it_goes_on, start_drain),
		cmocka_unit_test_setup(a_hold_says_how_it_goes_back, start_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
