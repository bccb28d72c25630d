/* SPDX-License-Identifier: BSD-2-Clause */
/* A believed time that moves: what retries, purges and overrides make of it. */
#include "fixture.h"
#include "set_digest.h"

#include <sqlite3.h>

#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "tests/unit/suite.h"

#define HOUR ((int64_t)3600 * 1000)
#define YEAR (365 * 24 * HOUR)

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static struct intent *open_at(const struct fixture *f, int64_t now_ms, int64_t purge_ms)
{
	const struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .purge_ms = purge_ms
	};
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static enum command_outcome command_over(struct intent *in, enum command_do what, int64_t over_ms,
                                         int64_t until_ms, int64_t now_ms)
{
	const struct command c = { .what = what,
		                   .name = "ams",
		                   .over_ms = over_ms,
		                   .from_ms = -1,
		                   .until_ms = until_ms,
		                   .now = over_ms < 0,
		                   .author = "ada",
		                   .reason = "a test" };
	const struct guard_observed seen = { 0 };
	struct command_result *r = calloc(1, sizeof(*r));
	enum command_outcome outcome = command_run(in, &c, &seen, now_ms, r);

	free(r);
	return outcome;
}

static enum command_outcome give_command(struct intent *in, enum command_do what, int64_t until_ms,
                                         int64_t now_ms)
{
	return command_over(in, what, -1, until_ms, now_ms);
}

/* The state of the one override that there is. */
static const char *state_of(const struct intent *in, int64_t now_ms)
{
	const struct overrides *set = intent_overrides(in);

	assert_int_equal(set->n_items, 1);
	return overrides_state(set, &set->items[0], now_ms);
}

static void a_store_that_works_again_is_used_whatever_the_clock_does(void **state)
{
	static const int64_t moves[] = { -2 * HOUR, -12 * YEAR, 2 * HOUR, 0 };
	const struct fixture *f = *state;
	char path[512];

	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct intent *in = open_at(f, NOW_MS, 0);
		int64_t now_ms = NOW_MS + 100;
		sqlite3 *db = NULL;

		intent_tick(in, now_ms);
		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
		give_command(in, COMMAND_DRAIN, MODEL_TIME_NEVER, now_ms);
		assert_string_equal(intent_store_state(in), "failing");
		assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		now_ms += moves[i];
		for (int k = 0; k < 12; k++) /* three seconds */
			intent_tick(in, now_ms += 250);
		assert_string_equal(intent_store_state(in), "ok");
		intent_close(in);
	}
}

static void what_ended_is_purged_by_elapsed_time_alone(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_at(f, NOW_MS, NOW_MS);
	struct overrides_digest kept = { .edition = 0 };
	char none[DIGEST_TEXT_MAX];
	const struct overrides empty = { 0 };

	assert_int_equal(give_command(in, COMMAND_DRAIN, MODEL_TIME_NEVER, NOW_MS), COMMAND_OK);
	assert_int_equal(give_command(in, COMMAND_UNDRAIN, -1, NOW_MS + 1000), COMMAND_OK);
	intent_purge_by(in, NOW_MS + 2000);
	intent_tick(in, NOW_MS + 12 * YEAR); /* somebody accepted that */
	assert_string_equal(state_of(in, NOW_MS + 12 * YEAR), "done");
	/* for peers it is over: nodes purge at different times, and agree all the same */
	assert_string_equal(overrides_digest_at(intent_overrides(in), NOW_MS + 12 * YEAR, &kept),
	                    set_digest(&empty, none));
	assert_string_not_equal(overrides_digest_at(intent_overrides(in), NOW_MS + 2000, &kept),
	                        none);
	intent_close(in);
	in = open_at(f, NOW_MS + 12 * YEAR, NOW_MS + 3000);
	assert_string_equal(state_of(in, NOW_MS + 12 * YEAR), "done");
	intent_purge_by(in, NOW_MS + 2000 + OVERRIDE_KEPT_MS);
	intent_tick(in, NOW_MS + 12 * YEAR + 1000);
	assert_int_equal(intent_overrides(in)->n_items, 0);
	intent_close(in);
}

static void a_drain_that_began_goes_on_when_the_time_moves_back(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_at(f, NOW_MS, 0);
	int64_t before = NOW_MS + 60000, after = NOW_MS - 2 * HOUR;

	assert_int_equal(give_command(in, COMMAND_DRAIN, MODEL_TIME_NEVER, NOW_MS), COMMAND_OK);
	assert_string_equal(state_of(in, before), "drained");
	assert_string_equal(state_of(in, after), "scheduled"); /* so it was */
	intent_clock_moved(in, before, after);
	assert_string_equal(state_of(in, after + 1), "drained");
	assert_string_equal(state_of(in, after + HOUR), "drained");
	assert_string_equal(intent_overrides(in)->items[0].principal, "weir");
	intent_close(in);
}

static void a_ramp_goes_on_from_where_it_was_when_the_time_moves_back(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_at(f, NOW_MS, 0);
	const struct overrides *set = intent_overrides(in);
	int64_t before = NOW_MS + HOUR / 2, after = NOW_MS - 2 * HOUR;

	assert_int_equal(command_over(in, COMMAND_DRAIN, HOUR, MODEL_TIME_NEVER, NOW_MS),
	                 COMMAND_OK);
	uint32_t level = overrides_level(set, &set->items[0], before);
	assert_in_range(level, 400000, 600000);
	intent_clock_moved(in, before, after);
	assert_in_range(overrides_level(set, &set->items[0], after), level - 1000, level + 1000);
	assert_in_range(overrides_level(set, &set->items[0], after + 2 * HOUR), 999000, 1000000);
	intent_close(in);
}

static void what_is_over_stays_over_when_the_time_moves_back(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_at(f, NOW_MS, 0);
	int64_t before = NOW_MS + 2 * HOUR, after = NOW_MS + HOUR / 4;

	assert_int_equal(give_command(in, COMMAND_DRAIN, NOW_MS + HOUR, NOW_MS), COMMAND_OK);
	assert_string_equal(state_of(in, before), "done");
	assert_string_equal(state_of(in, after), "drained");
	intent_clock_moved(in, before, after);
	assert_string_equal(state_of(in, after + 1), "done");
	intent_close(in);
}

/* The document says when it was written, and what is in force since: by the right time from now on. */
static void a_corrected_time_is_written_with_the_next_turn(void **state)
{
	static const struct {
		const char *why;
		int64_t by_ms;
	} moves[] = {
		{ "ahead", 5000 }, { "far ahead", YEAR }, { "back", -5000 }, { "not at all", 0 }
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		struct intent *in = open_at(*state, NOW_MS, 0);
		int64_t was_ms = NOW_MS + 10000, now_ms = was_ms + moves[i].by_ms;
		uint64_t document;

		intent_tick(in, NOW_MS + 9000);
		document = intent_document(in);
		intent_tick(in, NOW_MS + 9900); /* nothing is due */
		assert_int_equal(intent_document(in), document);
		intent_clock_moved(in, was_ms, now_ms);
		intent_tick(in, now_ms);
		if (intent_document(in) != document + 1 ||
		    intent_model(in)->meta.written_ms != now_ms)
			fail_msg("%s: document %d after %d", moves[i].why, (int)intent_document(in),
			         (int)document);
		intent_close(in);
	}
}

static void a_move_ahead_changes_no_override(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_at(f, NOW_MS, 0);

	assert_int_equal(give_command(in, COMMAND_DRAIN, NOW_MS + HOUR, NOW_MS), COMMAND_OK);
	uint64_t generation = intent_overrides(in)->items[0].generation;
	intent_clock_moved(in, NOW_MS, NOW_MS + 2 * HOUR);
	assert_int_equal(intent_overrides(in)->items[0].generation, generation);
	intent_close(in);
}

/*
 * What one override becomes when the time goes back by an hour, to NOW_MS; @c to_from -1: it
 * stays as it is.
 */
static void each_kind_is_carried_over_in_its_own_way(void **state)
{
	static const struct {
		const char *why;
		enum model_override_kind kind;
		enum model_target_kind target;
		int64_t from_ms, over_ms, until_ms;
		bool ended;
		int64_t to_from_ms, to_until_ms;
		uint32_t to_ppm;
		bool to_ended, is_step;
	} rows[] = {
		{ "a site's drain that began", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, NOW_MS + 1,
		  0, MODEL_TIME_NEVER, false, NOW_MS, MODEL_TIME_NEVER, 1000000, false, false },
		{ "in its ramp", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, NOW_MS + HOUR / 2, HOUR,
		  MODEL_TIME_NEVER, false, NOW_MS, MODEL_TIME_NEVER, 500000, false, false },
		{ "just then", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, NOW_MS + HOUR, HOUR,
		  MODEL_TIME_NEVER, false, NOW_MS, MODEL_TIME_NEVER, 0, false, false },
		{ "that had not begun", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, NOW_MS + HOUR + 1,
		  HOUR, MODEL_TIME_NEVER, false, -1, 0, 0, false, false },
		{ "that has begun at the new time, too", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE,
		  NOW_MS, HOUR, MODEL_TIME_NEVER, false, -1, 0, 0, false, false },
		{ "a backend's drain", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_BACKEND, NOW_MS + 1, 0,
		  MODEL_TIME_NEVER, false, NOW_MS, MODEL_TIME_NEVER, 0, false, false },
		{ "a disabled site", MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, NOW_MS + 1, 0,
		  MODEL_TIME_NEVER, false, NOW_MS, MODEL_TIME_NEVER, 0, false, false },
		{ "one that was over", MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, NOW_MS - 5, 0,
		  NOW_MS + HOUR, false, NOW_MS - 5, NOW_MS, 0, true, false },
		{ "one that began and was over", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_BACKEND,
		  NOW_MS + 5, 0, NOW_MS + 9, false, NOW_MS, NOW_MS, 0, true, false },
		{ "one that is over at the new time, too", MODEL_OVERRIDE_DISABLE,
		  MODEL_TARGET_SITE, NOW_MS - 5, 0, NOW_MS, false, -1, 0, 0, false, false },
		{ "one that a person ended", MODEL_OVERRIDE_DISABLE, MODEL_TARGET_SITE, NOW_MS + 5,
		  0, MODEL_TIME_NEVER, true, -1, 0, 0, false, false },
		{ "a step of an operation", MODEL_OVERRIDE_DRAIN, MODEL_TARGET_SITE, NOW_MS + 1, 0,
		  MODEL_TIME_NEVER, false, -1, 0, 0, false, true },
	};
	struct intent *in = open_at(*state, NOW_MS - HOUR, 0);
	char id[16];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct override o = { .kind = rows[i].kind,
			              .target = rows[i].target,
			              .name = "x",
			              .generation = 7,
			              .from_ms = rows[i].from_ms,
			              .over_ms = rows[i].over_ms,
			              .until_ms = rows[i].until_ms,
			              .ended = rows[i].ended,
			              .is_step = rows[i].is_step,
			              .principal = "user:root" };

		snprintf(o.id, sizeof(o.id), "n-%02zu", i);
		snprintf(o.name, sizeof(o.name), "s%02zu", i);
		if (o.target == MODEL_TARGET_BACKEND)
			snprintf(o.pool, sizeof(o.pool), "p");
		assert_int_equal(intent_merge(in, &o, 1, NOW_MS - HOUR), 1);
	}
	intent_clock_moved(in, NOW_MS + HOUR, NOW_MS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(id, sizeof(id), "n-%02zu", i);
		const struct override *o = overrides_find(intent_overrides(in), id);
		bool same = rows[i].to_from_ms == -1;

		if (o->generation != (same ? 7u : 8u) ||
		    strcmp(o->principal, same ? "user:root" : "weir") != 0 ||
		    o->from_ms != (same ? rows[i].from_ms : rows[i].to_from_ms) ||
		    o->until_ms != (same ? rows[i].until_ms : rows[i].to_until_ms) ||
		    o->from_ppm != rows[i].to_ppm || o->prior != (same ? 0u : 7u) ||
		    o->ended != (rows[i].to_ended || rows[i].ended))
			fail_msg("%s: generation %d, from %lld, until %lld, %u ppm", rows[i].why,
			         (int)o->generation, (long long)(o->from_ms - NOW_MS),
			         (long long)(o->until_ms - NOW_MS), o->from_ppm);
	}
	intent_close(in);
}

/* Clocks that differ are allowed for, up to 5 s. */
static void a_skew_is_allowed_for_up_to_its_limit(void **state)
{
	static const struct {
		int64_t skew_ms, more_ms;
	} cases[] = { { 0, 0 },       { 1, 1 },       { 4999, 4999 },
		      { 5000, 5000 }, { 5001, 5000 }, { YEAR, 5000 } };
	struct intent *in = open_at(*state, NOW_MS, 0);
	int64_t least_ms = intent_ahead_ms(in);

	assert_int_equal(least_ms, 2000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		intent_expect_skew(in, cases[i].skew_ms);
		assert_int_equal(intent_ahead_ms(in), least_ms + cases[i].more_ms);
	}
	intent_close(in);
}

SUITE(moved)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        a_store_that_works_again_is_used_whatever_the_clock_does, setup, teardown),
		cmocka_unit_test_setup_teardown(what_ended_is_purged_by_elapsed_time_alone, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_drain_that_began_goes_on_when_the_time_moves_back,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        a_ramp_goes_on_from_where_it_was_when_the_time_moves_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_over_stays_over_when_the_time_moves_back,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_move_ahead_changes_no_override, setup, teardown),
		cmocka_unit_test_setup_teardown(a_corrected_time_is_written_with_the_next_turn,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(each_kind_is_carried_over_in_its_own_way, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_skew_is_allowed_for_up_to_its_limit, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("moved", tests, NULL, NULL);
}
