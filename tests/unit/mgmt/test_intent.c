/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>

#include "mgmt/store/command.h"
#include "mgmt/files/gather.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/shared_intent.h"
#include "tests/unit/suite.h"

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

static struct intent *open_as(const struct fixture *f, const char *node, int64_t now_ms)
{
	struct intent_options options = { .conf_dir = f->conf,
		                          .state_dir = f->state,
		                          .node = node };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static int apply_version(struct intent *in, const struct files *files, const char *reason,
                         int64_t now_ms, struct version *out)
{
	struct intent_change change = {
		.files = files, .author = "jw", .reason = reason, .confirm_within_ms = -1
	};
	struct intent_changed changed = { 0 };
	int err = intent_change(in, &change, now_ms, &changed);

	if (out)
		*out = changed.version;
	intent_changed_fini(&changed);
	return err;
}

static int roll_back(struct intent *in, uint64_t number, int64_t now_ms)
{
	struct intent_change change = { .rollback_to = number, .author = "jw", .reason = "back" };
	struct intent_changed changed = { 0 };
	int err = intent_change(in, &change, now_ms, &changed);

	intent_changed_fini(&changed);
	return err;
}

static enum command_outcome drain_site(struct intent *in, const char *site, int64_t now_ms)
{
	struct command c = { .what = COMMAND_DRAIN,
		             .name = site,
		             .over_ms = 300000,
		             .from_ms = -1,
		             .until_ms = MODEL_TIME_NEVER,
		             .now = true,
		             .author = "jw",
		             .reason = "x" };
	static struct command_result result;
	struct guard_observed seen = { 0 };

	return command_run(in, &c, &seen, now_ms, &result);
}

static bool is_drained(const struct intent *in, const char *site, int64_t now_ms)
{
	const struct overrides *set = intent_overrides(in);
	const struct model *m = intent_model(in);
	size_t seen = 0;

	for (size_t i = 0; i < m->n_overrides; i++)
		seen += !m->overrides[i].ended && !strcmp(m->overrides[i].name, site);
	for (size_t i = 0; i < set->n_items; i++)
		if (!strcmp(set->items[i].name, site) && !override_is_done(&set->items[i], now_ms))
			return seen > 0;
	return false;
}

static void the_first_start_makes_version_1(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	const struct version *head = intent_head(in);

	assert_non_null(head);
	assert_int_equal(head->number, 1);
	assert_string_equal(head->author, "first start");
	assert_string_equal(head->parent, "");
	assert_int_equal(intent_head_files(in)->n_items, 2);
	assert_int_equal(intent_document(in), 1);
	intent_close(in);
	in = open_as(*state, "ams-1", NOW_MS + 1000);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_document(in), 2);
	intent_close(in);
}

static void a_second_process_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct intent_options options = { .conf_dir = f->conf,
		                          .state_dir = f->state,
		                          .node = "ams-1" };
	struct intent *in = open_as(f, "ams-1", NOW_MS), *second = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &second), -EBUSY);
	assert_null(second);
	intent_close(in);
}

static void mistakes_leave_everything_as_it_was(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = fixture_files("weight = 100; },\n                 {",
	                                   "weigth = 100; },\n                 {");
	struct intent_change change = { .files = &files, .author = "jw", .reason = "" };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(in, &change, NOW_MS + 10, &changed), -EINVAL);
	assert_true(changed.errors.n_total > 0);
	assert_string_equal(changed.errors.items[0].file, "weir.conf");
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_document(in), 1);
	intent_changed_fini(&changed);
	files_fini(&files);
	intent_close(in);
}

static void an_identical_apply_makes_no_version(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = fixture_files(NULL, NULL);

	assert_int_equal(apply_version(in, &files, "same", NOW_MS + 10, NULL), 0);
	assert_int_equal(intent_head(in)->number, 1);
	files_fini(&files);
	intent_close(in);
}

static void rolling_back_gives_the_very_bytes_and_leaves_drains(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = fixture_files("# two sites", "# other words");
	struct version v1 = *intent_head(in);

	assert_int_equal(drain_site(in, "ams", NOW_MS + 5), COMMAND_OK);
	assert_int_equal(apply_version(in, &files, "words", NOW_MS + 10, NULL), 0);
	assert_int_equal(intent_head(in)->number, 2);
	assert_true(is_drained(in, "ams", NOW_MS + 20));
	assert_int_equal(roll_back(in, 1, NOW_MS + 30), 0);
	assert_int_equal(intent_head(in)->number, 3);
	assert_string_equal(intent_head(in)->digest, v1.digest);
	assert_int_equal(roll_back(in, 9, NOW_MS + 30), -ENOENT);
	assert_true(is_drained(in, "ams", NOW_MS + 40));
	intent_close(in);
	in = open_as(*state, "ams-1", NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 3);
	assert_true(is_drained(in, "ams", NOW_MS + 60));
	files_fini(&files);
	intent_close(in);
}

#define SLACK_MS 2000 /* of the boot clock, which runs on while a test does */

/* Run the deadline as if @p after_ms more had passed on the boot's clock, with the wall clock at @p now_ms. */
static void run_deadline(struct intent *in, int64_t after_ms, int64_t now_ms)
{
	struct pending_clock clock;

	pending_clock_read(&clock);
	clock.now_ms += after_ms;
	intent_run_deadline(in, &clock, now_ms);
}

/* The message of the last event but @p back. */
static const char *last_event(struct intent *in, uint64_t back)
{
	const struct journal *j = intent_journal(in);

	return journal_find(j, journal_last(j) - back)->message;
}

static struct files half_of_the_pool(void)
{
	return fixture_files("{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },", "");
}

static void a_risky_change_undoes_itself_unless_confirmed(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();
	const int64_t within_ms = 300000;
	struct version v;

	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, &v), 0);
	assert_true(v.confirm_by_ms == NOW_MS + 10 + within_ms);
	run_deadline(in, 0, NOW_MS + 10);
	intent_close(in); /* the timer survives */
	in = open_as(*state, "ams-1", NOW_MS + 20);
	run_deadline(in, within_ms - SLACK_MS, v.confirm_by_ms - SLACK_MS);
	assert_int_equal(intent_head(in)->number, 2);
	assert_in_range(intent_head(in)->confirm_by_ms, v.confirm_by_ms - SLACK_MS,
	                v.confirm_by_ms + SLACK_MS);
	run_deadline(in, within_ms, v.confirm_by_ms);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	assert_string_equal(last_event(in, 1),
	                    "version 2 ended by weir (weir): it was not confirmed in time");
	assert_int_equal(intent_model(in)->pools[0].n_backends, 2);
	assert_int_equal(apply_version(in, &files, "half", v.confirm_by_ms + 10, &v), 0);
	assert_int_equal(v.number, 3);
	assert_int_equal(intent_confirm(in, 1, "jw", "", v.time_ms), -EALREADY);
	assert_int_equal(intent_confirm(in, 3, "jw", "", v.time_ms), 0);
	run_deadline(in, 3 * within_ms, v.confirm_by_ms + 1);
	assert_int_equal(intent_head(in)->number, 3);
	files_fini(&files);
	intent_close(in);
	/* what has ended does not come back with a restart, and its number is nobody else's */
	in = open_as(*state, "ams-1", v.confirm_by_ms + 20);
	assert_int_equal(intent_head(in)->number, 3);
	intent_close(in);
}

static void a_step_of_the_wall_clock_neither_triggers_nor_delays_a_deadline(void **state)
{
	(void)state;
	static const int64_t steps_ms[] = { 3600000, -3600000, (int64_t)12 * 365 * 86400000 };
	struct files files = half_of_the_pool();

	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(steps_ms[0]); i++) {
		struct fixture f;
		struct version v;

		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, &v), 0);
		run_deadline(in, 1000, NOW_MS + steps_ms[i]);
		intent_tick(in, NOW_MS + steps_ms[i]);
		assert_int_equal(intent_head(in)->number, 2);
		/* what is shown follows the wall clock as it is now */
		int64_t shown_ms = intent_head(in)->confirm_by_ms;
		int64_t by_ms = NOW_MS + steps_ms[i] + 300000 - 1000;
		if (shown_ms > by_ms || shown_ms < by_ms - SLACK_MS)
			fail_msg("%lld", (long long)(shown_ms - by_ms));
		run_deadline(in, 300000, NOW_MS + steps_ms[i]);
		assert_int_equal(intent_head(in)->number, 1);
		intent_close(in);
		fixture_remove(&f);
	}
	files_fini(&files);
}

/* As after a reboot: the deadline that is kept is another boot's. */
static void be_of_another_boot(const struct fixture *f)
{
	char reason[EVENT_TEXT_MAX];
	struct pending kept;
	struct store *s;

	assert_int_equal(store_open(f->state, &s, reason), 0);
	assert_int_equal(store_pending(s, &kept), 0);
	snprintf(kept.boot, sizeof(kept.boot), "one");
	kept.due_ms = kept.noted_ms = 5; /* long ago, or far ahead, on this boot's clock */
	assert_int_equal(store_put_pending(s, &kept), 0);
	store_close(s);
}

static void a_deadline_runs_on_after_a_reboot_with_what_was_left(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();
	struct version v;

	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, &v), 0);
	run_deadline(in, 100000, NOW_MS + 100010);
	intent_close(in);
	be_of_another_boot(*state);
	in = open_as(*state, "ams-1", NOW_MS + 900000); /* the machine was off for long */
	run_deadline(in, 0, NOW_MS + 900000);
	assert_int_equal(intent_head(in)->number, 2);
	assert_in_range(intent_head(in)->confirm_left_ms, 200000 - SLACK_MS, 200000);
	run_deadline(in, 200000 - SLACK_MS, NOW_MS + 900000);
	assert_int_equal(intent_head(in)->number, 2);
	run_deadline(in, 200000, NOW_MS + 900000);
	assert_int_equal(intent_head(in)->number, 1);
	files_fini(&files);
	intent_close(in);
}

static int apply_after(struct intent *in, const struct files *files, enum intent_pending pending,
                       int64_t within_ms, int64_t now_ms, struct version *out)
{
	struct intent_change change = { .files = files,
		                        .author = "jw",
		                        .reason = "after",
		                        .pending = pending,
		                        .confirm_within_ms = within_ms };
	struct intent_changed changed = { 0 };
	int err = intent_change(in, &change, now_ms, &changed);

	if (out)
		*out = changed.version;
	intent_changed_fini(&changed);
	return err;
}

static void a_change_after_an_unconfirmed_one_is_refused(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(apply_version(in, &words, "harmless", NOW_MS + 20, NULL), -EBUSY);
	assert_int_equal(intent_head(in)->number, 2);
	assert_true(intent_head(in)->confirm_by_ms != 0);
	assert_int_equal(apply_version(in, &half, "the same", NOW_MS + 30, NULL), 0);
	assert_int_equal(intent_head(in)->number, 2);
	files_fini(&half);
	files_fini(&words);
	intent_close(in);
}

static void going_back_to_the_confirmed_version_needs_nothing(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), original = fixture_files(NULL, NULL);
	struct version v;

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(roll_back(in, 1, NOW_MS + 20), 0);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	assert_string_equal(last_event(in, 1), "version 2 ended by jw (weir): back");
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 30, NULL), 0);
	assert_int_equal(intent_head(in)->number, 3);
	assert_int_equal(apply_version(in, &original, "by its file", NOW_MS + 40, &v), 0);
	assert_int_equal(v.number, 1);
	assert_int_equal(intent_head(in)->number, 1);
	files_fini(&half);
	files_fini(&original);
	intent_close(in);
}

static void confirm_pending_keeps_the_earlier_version(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	struct files more = fixture_files(
	        "{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },", "# no b1");
	struct version v;

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(apply_after(in, &more, INTENT_PENDING_CONFIRM, 60000, NOW_MS + 20, &v), 0);
	assert_true(v.confirm_by_ms == NOW_MS + 20 + 60000);
	run_deadline(in, 0, NOW_MS + 20);
	run_deadline(in, 60000, NOW_MS + 60020);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	assert_int_equal(intent_model(in)->pools[0].n_backends, 1);
	files_fini(&half);
	files_fini(&more);
	intent_close(in);
}

static void join_pending_goes_back_to_the_last_confirmed_version(void **state)
{
	static const int64_t within_ms[] = { -1, 30000, 90000 };
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");

	(void)state;
	/* one deadline for both, the later one's: also where the earlier one had more time, or less */
	for (size_t i = 0; i < sizeof(within_ms) / sizeof(within_ms[0]); i++) {
		struct fixture f;
		struct version v;

		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		struct version original = *intent_head(in);
		assert_int_equal(
		        apply_after(in, &half, INTENT_PENDING_REFUSE, 60000, NOW_MS + 10, NULL), 0);
		assert_int_equal(apply_after(in, &words, INTENT_PENDING_JOIN, within_ms[i],
		                             NOW_MS + 20010, &v),
		                 0);
		int64_t own_ms = within_ms[i] > 0 ? within_ms[i] : 60000;
		intent_close(in);
		in = open_as(&f, "ams-1", NOW_MS + 20020);
		run_deadline(in, own_ms - SLACK_MS, NOW_MS + 30000);
		assert_int_equal(intent_head(in)->number, 3);
		run_deadline(in, own_ms, NOW_MS + 30000);
		assert_int_equal(intent_head(in)->number, 1);
		assert_string_equal(intent_head(in)->digest, original.digest);
		assert_int_equal(intent_head(in)->confirm_by_ms, 0);
		run_deadline(in, own_ms, NOW_MS + 30000);
		assert_int_equal(apply_version(in, &words, "again", NOW_MS + 30010, &v), 0);
		assert_int_equal(v.number, 4);
		intent_close(in);
		fixture_remove(&f);
	}
	files_fini(&half);
	files_fini(&words);
}

/* The time that a change names is its own; else what the one before has left, if that is longer. */
static void a_change_that_joins_has_the_longer_time_or_its_own(void **state)
{
	static const struct {
		const char *why;
		int64_t within_ms, left_ms;
	} cases[] = {
		{ "none of its own", -1, 40000 },
		{ "a shorter one", 30000, 30000 },
		{ "a longer one", 90000, 90000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
		struct fixture f;
		struct version v;

		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		assert_int_equal(
		        apply_after(in, &half, INTENT_PENDING_REFUSE, 60000, NOW_MS + 10, NULL), 0);
		run_deadline(in, 20000, NOW_MS + 20010);
		assert_int_equal(apply_after(in, &words, INTENT_PENDING_JOIN, cases[i].within_ms,
		                             NOW_MS + 20010, &v),
		                 0);
		if (v.confirm_left_ms > cases[i].left_ms ||
		    v.confirm_left_ms < cases[i].left_ms - SLACK_MS ||
		    v.confirm_by_ms > NOW_MS + 20010 + cases[i].left_ms ||
		    v.confirm_by_ms < NOW_MS + 20010 + cases[i].left_ms - SLACK_MS)
			fail_msg("%s: %d ms", cases[i].why, (int)v.confirm_left_ms);
		intent_close(in);
		files_fini(&half);
		files_fini(&words);
		fixture_remove(&f);
	}
}

static void the_head_is_confirmed_once_and_nothing_else(void **state)
{
	static const struct {
		uint64_t number;
		int err, risky;
	} cases[] = { { 0, -ENOENT, -ENOENT },
		      { 1, -EALREADY, -EALREADY },
		      { 2, -ENOENT, 0 },
		      { 3, -ENOENT, -ENOENT } };
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(intent_may_confirm(in, cases[i].number), cases[i].err);
	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(intent_may_confirm(in, cases[i].number), cases[i].risky);
	intent_for(in, "token:ci", NULL);
	assert_int_equal(intent_confirm(in, 3, "ann", "", NOW_MS + 20), -ENOENT);
	assert_int_equal(intent_confirm(in, 2, "ann", "", NOW_MS + 20), 0);
	const struct journal *j = intent_journal(in);

	assert_string_equal(journal_find(j, journal_last(j))->message,
	                    "version 2 confirmed by ann (token:ci)");
	assert_string_equal(journal_find(j, journal_last(j))->subject, "versions");
	assert_int_equal(intent_confirm(in, 2, "ann", "", NOW_MS + 30), -EALREADY);
	assert_int_equal(intent_decide_unconfirmed(in, CHAIN_ENDED, "why", NOW_MS + 30), -EALREADY);
	assert_int_equal(intent_head(in)->number, 2);
	files_fini(&files);
	intent_close(in);
}

static void confirming_the_later_version_confirms_what_it_joined(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
	struct version v;

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(apply_after(in, &words, INTENT_PENDING_JOIN, -1, NOW_MS + 20, NULL), 0);
	assert_int_equal(intent_confirm(in, 2, "jw", "", NOW_MS + 30), -EALREADY);
	assert_int_equal(intent_confirm(in, 3, "jw", "", NOW_MS + 30), 0);
	for (uint64_t number = 2; number <= 3; number++) {
		assert_int_equal(intent_version(in, number, &v, NULL), 0);
		assert_int_equal(v.confirm_by_ms, 0);
	}
	run_deadline(in, 2 * 300000, NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 3);
	files_fini(&half);
	files_fini(&words);
	intent_close(in);
}

/* Run @p text in the store of @p f, which nobody has open. */
static void run_sql(const struct fixture *f, const char *text);

/* However many versions follow and end: the one that an open one goes back to is there, with its files. */
static void what_a_version_goes_back_to_is_not_forgotten(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();
	struct version v;

	for (uint64_t n = 2; n <= 12; n++) {
		assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, NULL), 0);
		run_deadline(in, 300000, NOW_MS + 20);
		assert_int_equal(intent_head(in)->number, 1);
	}
	intent_close(in);
	run_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200001)"
	           " INSERT INTO version_files SELECT 12, 'z'||i, 'd' FROM n");
	in = open_as(f, "ams-1", NOW_MS + 30);
	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 40, &v), 0);
	assert_int_equal(v.number, 13);
	assert_int_equal(intent_version(in, 2, &v, NULL),
	                 -ENOENT); /* it has ended, and was forgotten */
	run_deadline(in, 300000, NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 60);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	files_fini(&files);
}

/* What is to be in force and cannot be loaded from the store goes on from the effective document, or is told. */
static void what_cannot_be_loaded_is_not_replaced_by_an_older_version(void **state)
{
	const struct fixture *f = *state;
	struct files words = fixture_files("# two", "# 2"), half = half_of_the_pool();
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	char dir[PATH_MAX];
	const char *why;
	struct version v;

	assert_int_equal(apply_version(in, &words, "words", NOW_MS + 10, NULL), 0);
	assert_int_equal(gather_dir(f->state, intent_head(in)->digest, dir), 0);
	intent_close(in);
	run_sql(f, "DELETE FROM versions WHERE number=2; DELETE FROM version_files WHERE number=2");
	for (int again = 0; again < 2; again++) {
		in = open_as(f, "ams-1", NOW_MS + 20);
		assert_int_equal(intent_head(in)->number, 2);
		assert_string_equal(intent_head(in)->author, "jw"); /* as its record says */
		run_deadline(in, 0, NOW_MS + 30);
		assert_int_equal(intent_head(in)->number, 2);
		assert_int_equal(intent_refused_version(in, &why), 0);
		assert_int_equal(intent_version(in, 2, &v, NULL), 0);
		intent_close(in);
	}
	in = open_as(f, "ams-1", NOW_MS + 40);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 50, NULL), 0);
	assert_int_equal(intent_head(in)->number, 3);
	intent_close(in);
	run_sql(f, "DELETE FROM versions WHERE number=2; DELETE FROM version_files WHERE number=2");
	files_remove_dir(dir);
	in = open_as(f, "ams-1", NOW_MS + 60);
	run_deadline(in, 300000, NOW_MS + 70); /* it cannot go back, and says so */
	assert_int_equal(intent_refused_version(in, &why), 2);
	assert_string_equal(why, "its files are not here");
	assert_string_equal(last_event(in, 0),
	                    "version 2 cannot be in force at this node: its files are not here");
	assert_int_equal(intent_head(in)->number, 3);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0); /* nobody can confirm it any more */
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 80, NULL), -ESTALE);
	struct intent_change change = {
		.files = &half, .author = "jw", .reason = "on", .replace = true
	};
	struct intent_changed changed = { 0 };
	assert_int_equal(intent_change(in, &change, NOW_MS + 85, &changed), -ENOKEY);
	intent_changed_fini(&changed);
	change.may_replace_unknown = true;
	assert_int_equal(intent_change(in, &change, NOW_MS + 90, &changed), 0);
	assert_string_equal(changed.version.without_gates, "*"); /* what was passed is not known */
	intent_changed_fini(&changed);
	assert_int_equal(intent_head(in)->number, 4);
	run_deadline(in, 0, NOW_MS + 100);
	assert_int_equal(intent_refused_version(in, &why), 0);
	intent_close(in);
	files_fini(&words);
	files_fini(&half);
}

/* What the document of @p f is, as bytes; given. */
static char *read_document(const struct fixture *f)
{
	char path[PATH_MAX], *text;
	size_t n;

	snprintf(path, sizeof(path), "%s/effective.conf", f->state);
	assert_int_equal(files_slurp(path, &text, &n), 0);
	return text;
}

/* Version 2, which is in force, is refused at the next start: for node fra-1, which is not in it. What is there stays. */
static void what_is_refused_stays_and_nothing_takes_its_place(void **state)
{
	static const struct {
		const char *why, *sql;
		int64_t later_ms;
		bool shares, waits;
	} rows[] = {
		{ "version 1 is at hand", "", 0, false, false },
		{ "only version 2 counts any more", "", 3 * 3600000, false, false },
		{ "it waits to be confirmed", "", 0, false, true },
		{ "no record says which is in force", "DELETE FROM shared", 0, false, false },
		{ "a store that nodes share says it", "", 0, true, false },
		{ "the files of version 2 are lost", "DELETE FROM version_files WHERE number=2", 0,
		  false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct files alone = fixture_files(
		        ",\n          { name = \"fra-1\"; site = \"fra\"; driver = "
		        "\"xdp\"; ports = ( { interface = \"eth1\"; } );\n"
		        "            tunnel_source = [ \"10.2.255.0/24\" ]; dns_listen "
		        "= [ \"198.51.100.53\" ]; }",
		        "");
		const int64_t now_ms = NOW_MS + 1000 + rows[i].later_ms;
		struct fixture f;
		struct version v;
		uint64_t version;

		print_message("%s\n", rows[i].why);
		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		assert_int_equal(apply_version(in, &alone, "alone", NOW_MS + 10, &v), 0);
		if (!rows[i].waits)
			assert_int_equal(intent_confirm(in, 2, "jw", "", NOW_MS + 15), 0);
		assert_int_equal(drain_site(in, "fra", NOW_MS + 20), COMMAND_OK);
		uint64_t document = intent_document(in);
		intent_close(in);
		if (*rows[i].sql)
			run_sql(&f, rows[i].sql);
		fixture_write(f.conf, "weir.conf", fixture_config);
		char *before = read_document(&f);
		struct intent_options options = { .conf_dir = f.conf,
			                          .state_dir = f.state,
			                          .node = "fra-1",
			                          .shares = rows[i].shares };
		for (int again = 0; again < 2; again++) {
			assert_int_equal(intent_open(&options, now_ms, &in), 0);
			run_deadline(in, 0, now_ms + 10);
			intent_tick(in, now_ms + 5000);
			join_start_alone(in, now_ms + 6000);
			assert_null(intent_head(in));
			assert_non_null(strstr(intent_document_refusal(in, &version), "fra-1"));
			assert_int_equal(version, 2);
			assert_int_equal(intent_document(in), document);
			assert_int_equal(intent_overrides(in)->n_items, 1);
			assert_int_not_equal(drain_site(in, "ams", now_ms + 20), COMMAND_OK);
			char *after = read_document(&f);
			assert_string_equal(after, before);
			free(after);
			if (again && !rows[i].shares) {
				assert_int_equal(roll_back(in, 1, now_ms + 30), 0);
				assert_int_equal(intent_head(in)->number, rows[i].waits ? 1 : 3);
				assert_true(intent_document(in) > document);
				assert_string_equal(intent_document_refusal(in, &version), "");
				assert_true(is_drained(in, "fra", now_ms + 30));
			}
			intent_close(in);
		}
		free(before);
		fixture_remove(&f);
		files_fini(&alone);
	}
}

/* A request whose answer was lost is known to have been carried out, whatever it changed. */
static void who_repeats_a_confirmation_or_a_rollback_learns_what_came_of_it(void **state)
{
	static const struct store_request confirm = { .key = "k1",
		                                      .digest = "d1",
		                                      .now_ms = NOW_MS },
	                                  back = { .key = "k2", .digest = "d2", .now_ms = NOW_MS };
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files words = fixture_files("# two", "# 2"), half = half_of_the_pool();
	char digest[DIGEST_TEXT_MAX], *body = NULL;
	unsigned status = 9;

	assert_int_equal(apply_after(in, &words, INTENT_PENDING_REFUSE, 60000, NOW_MS + 10, NULL),
	                 0);
	intent_for(in, "user:ann", &confirm);
	assert_int_equal(intent_confirm(in, 2, "ann", "", NOW_MS + 20), 0);
	intent_for(in, "user:ann", NULL);
	assert_int_equal(store_reply(intent_store(in), "k1", digest, &status, &body, NOW_MS), 0);
	assert_int_equal(status, 0);
	assert_string_equal(body, "{\"version\":2}");
	free(body);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 30, NULL), 0);
	intent_for(in, "user:ann", &back);
	assert_int_equal(roll_back(in, 2, NOW_MS + 40), 0);
	intent_for(in, "user:ann", NULL);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(store_reply(intent_store(in), "k2", digest, &status, &body, NOW_MS), 0);
	assert_string_equal(body, "{\"version\":2}");
	free(body);
	intent_close(in);
	files_fini(&words);
	files_fini(&half);
}

/* Where the version to go back to is lost with its files, the one that waits stays, and an event says so. */
static void what_cannot_go_back_stays_and_that_is_told(void **state)
{
	const int64_t later_ms = NOW_MS + (int64_t)3 * 3600 * 1000;
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	char dir[PATH_MAX];

	assert_int_equal(gather_dir(f->state, intent_head(in)->digest, dir), 0);
	assert_int_equal(
	        apply_after(in, &half, INTENT_PENDING_REFUSE, 12 * 3600 * 1000, NOW_MS + 10, NULL),
	        0);
	run_deadline(in, 0, NOW_MS + 20);
	intent_close(in);
	run_sql(f, "UPDATE shared SET text='{}' WHERE name='version/1';"
	           "DELETE FROM versions WHERE number=1");
	files_remove_dir(dir);
	in = open_as(f, "ams-1", later_ms);
	run_deadline(in, 0, later_ms + 10);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	assert_string_equal(last_event(in, 0),
	                    "version 2 stays, though it was not confirmed: what it goes back to is "
	                    "not known any more");
	intent_close(in);
	files_fini(&half);
}

/* A record that is no record of ours: the versions' records are made again, what waits goes on waiting, operations stay. */
static void a_damaged_record_confirms_nothing(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	struct shared_record r;

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	run_deadline(in, 0, NOW_MS + 20); /* the deadline is kept */
	intent_close(in);
	run_sql(f, "UPDATE shared SET text='{}' WHERE name='version/1';"
	           "INSERT INTO shared VALUES('operation/o1', '{}', 2)");
	in = open_as(f, "ams-1", NOW_MS + 30);
	assert_int_equal(intent_head(in)->number, 2);
	run_deadline(in, 0, NOW_MS + 40);
	assert_true(intent_head(in)->confirm_by_ms > NOW_MS + 40);
	assert_int_equal(copy_read(intent_store(in), "operation/o1", &r), 0);
	free(r.text);
	run_deadline(in, 300000, NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	files_fini(&half);
}

static void overwrite_file(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	for (int i = 0; i < 16384; i += 16)
		assert_int_equal(pwrite(fd, "not a database..", 16, i), 16);
	close(fd);
}

/* A store that is made again while a version waits to be confirmed: it waits on, as long as it did. */
static void a_corrupt_store_confirms_nothing(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
	char dir[PATH_MAX];

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(apply_after(in, &words, INTENT_PENDING_JOIN, -1, NOW_MS + 20, NULL), 0);
	intent_close(in); /* from then on the records alone say what waits */
	in = open_as(f, "ams-1", NOW_MS + 25);
	snprintf(dir, sizeof(dir), "%s/store", f->state);
	overwrite_file(dir, "store.db");
	intent_stored(in, -EBADMSG, NOW_MS + 30);
	assert_string_equal(intent_store_state(in), "rebuilt");
	run_deadline(in, 0, NOW_MS + 40);
	assert_int_equal(intent_head(in)->number, 3);
	assert_true(intent_head(in)->confirm_by_ms > NOW_MS + 40);
	run_deadline(in, 300000 - SLACK_MS, NOW_MS + 300000);
	assert_int_equal(intent_head(in)->number, 3);
	run_deadline(in, 300000, NOW_MS + 300050);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	files_fini(&half);
	files_fini(&words);
}

/* The store is corrupt at the start: the effective document says what waits, until when, and what it goes back to. */
static void what_waits_ends_though_its_store_is_lost_at_the_start(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
	struct version v;

	assert_int_equal(apply_version(in, &words, "words", NOW_MS + 10, NULL), 0);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 20, NULL), 0);
	run_deadline(in, 300000, NOW_MS + 30);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 40, NULL), 0);
	intent_close(in);
	overwrite_file(f->state, "store/store.db");
	in = open_as(f, "ams-1", NOW_MS + 100040); /* a third of its time has passed */
	assert_string_equal(intent_store_state(in), "rebuilt");
	assert_int_equal(intent_head(in)->number, 4);
	assert_in_range(intent_head(in)->confirm_by_ms, NOW_MS + 300040 - SLACK_MS,
	                NOW_MS + 300040 + SLACK_MS);
	run_deadline(in, 0, NOW_MS + 100050);
	assert_int_equal(intent_may_confirm(in, 4), 0);
	run_deadline(in, 200000 - SLACK_MS, NOW_MS + 300000);
	assert_int_equal(intent_head(in)->number, 4);
	run_deadline(in, 200000 + SLACK_MS, NOW_MS + 300050);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 300060, &v), 0);
	assert_int_equal(v.number, 5);
	intent_close(in);
	files_fini(&half);
	files_fini(&words);
}

/* What was confirmed stays so, and a number that was given is not given again, also if the store is lost at the start. */
static void what_was_decided_stays_so_though_its_store_is_lost_at_the_start(void **state)
{
	static const bool confirms[] = { true, false };
	const struct fixture *f = *state;
	struct files half = half_of_the_pool();
	uint64_t in_force = 1, next = 3;
	struct version v;

	for (size_t i = 0; i < sizeof(confirms) / sizeof(confirms[0]); i++) {
		struct files words = fixture_files("# two", confirms[i] ? "# 2" : "# 3");
		struct intent *in = open_as(f, "ams-1", NOW_MS);

		assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
		run_deadline(in, confirms[i] ? 0 : 300000, NOW_MS + 20);
		if (confirms[i]) {
			in_force = intent_head(in)->number;
			assert_int_equal(intent_confirm(in, in_force, "jw", "", NOW_MS + 30), 0);
		}
		intent_close(in);
		overwrite_file(f->state, "store/store.db");
		in = open_as(f, "ams-1", NOW_MS + 40);
		assert_string_equal(intent_store_state(in), "rebuilt");
		assert_int_equal(intent_head(in)->number, in_force);
		run_deadline(in, 300000, NOW_MS + 400000);
		assert_int_equal(intent_head(in)->number, in_force);
		assert_int_equal(
		        apply_after(in, &words, INTENT_PENDING_REFUSE, 0, NOW_MS + 400010, &v), 0);
		assert_int_equal(v.number, next);
		in_force = next;
		next += 2;
		intent_close(in);
		files_fini(&words);
	}
	files_fini(&half);
}

/* After a damaged record, too: what had ended is not what is gone back to, and is not in place of what is in force. */
static void what_had_ended_is_not_gone_back_to(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");

	assert_int_equal(apply_after(in, &words, INTENT_PENDING_REFUSE, 60000, NOW_MS + 10, NULL),
	                 0);
	run_deadline(in, 60000, NOW_MS + 20);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 30, NULL), 0);
	intent_close(in);
	run_sql(f, "UPDATE shared SET text='{}' WHERE name='version/1';"
	           "DELETE FROM versions WHERE number=3");
	in = open_as(f, "ams-1", NOW_MS + 40);
	assert_int_equal(intent_head(in)->number, 3);
	run_deadline(in, 0, NOW_MS + 50);
	run_deadline(in, 300000, NOW_MS + 60);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	files_fini(&half);
	files_fini(&words);
}

/*
 * Version 2 waits, and something is damaged: whatever it is, version 1 comes back when the time is over, also if that was so at the
 * start, and the next version can follow.
 */
static void what_waits_ends_whatever_is_damaged(void **state)
{
	static const char *const damages[] = {
		"UPDATE blobs SET bytes=x'00' WHERE digest IN"
		" (SELECT digest FROM version_files WHERE number=2)",
		"UPDATE blobs SET bytes=x'00' WHERE digest IN"
		" (SELECT digest FROM version_files WHERE number=1)",
		"DELETE FROM version_files WHERE number=1",
		"DELETE FROM version_files WHERE number=2",
		"DELETE FROM versions WHERE number=1",
		"DELETE FROM versions WHERE number=2",
		"UPDATE shared SET text='{}' WHERE name='version/1'",
		"DELETE FROM shared WHERE name='version/1'",
		"DELETE FROM shared WHERE name='version/2'",
		"INSERT INTO shared VALUES(hex(zeroblob(200)), '{}', 1)",
		NULL, /* the store itself */
	};

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof(damages) / sizeof(damages[0])); i++) {
		const char *sql = damages[i / 2];
		int64_t opened_ms = NOW_MS + (i % 2 ? 400000 : 60000);
		struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
		struct fixture f;
		struct version v;

		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
		run_deadline(in, 0, NOW_MS + 20);
		intent_close(in);
		if (sql)
			run_sql(&f, sql);
		else
			overwrite_file(f.state, "store/store.db");
		in = open_as(&f, "ams-1", opened_ms);
		print_message("  %s%s\n", sql ? sql : "all", i % 2 ? ", late" : "");
		if (i % 2 == 0) {
			assert_int_equal(intent_head(in)->number, 2);
			assert_true(intent_head(in)->confirm_by_ms > opened_ms);
		}
		run_deadline(in, 0, opened_ms + 10);
		run_deadline(in, 300000, opened_ms + 20);
		assert_int_equal(intent_head(in)->number, 1);
		assert_int_equal(apply_version(in, &words, "words", opened_ms + 30, &v), 0);
		assert_int_equal(v.number, 3);
		intent_close(in);
		fixture_remove(&f);
		files_fini(&half);
		files_fini(&words);
	}
}

/* Version 2 has ended, and the document did not come to say so; then what it goes back to is damaged in the store. */
static void what_has_ended_is_gone_back_from_whatever_is_damaged(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	char from[PATH_MAX], to[PATH_MAX];

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	snprintf(from, sizeof(from), "%s/effective.conf", f->state);
	snprintf(to, sizeof(to), "%s/before.conf", f->state);
	assert_int_equal(link(from, to), 0); /* the next one takes its place under its name */
	run_deadline(in, 300000, NOW_MS + 20);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	assert_int_equal(rename(to, from), 0);
	run_sql(f, "UPDATE blobs SET bytes=x'00' WHERE digest IN"
	           " (SELECT digest FROM version_files WHERE number=1)");
	in = open_as(f, "ams-1", NOW_MS + 30);
	run_deadline(in, 0, NOW_MS + 40);
	run_deadline(in, 300000, NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	files_fini(&half);
}

/* A store is to decide, has nothing yet, and is taken away again: what waited before still does. */
static void what_waits_ends_though_a_store_was_there_meanwhile(void **state)
{
	const struct fixture *f = *state;
	struct intent_options shares = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .shares = true
	};
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	char was[COPY_STORE_MAX];

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	intent_close(in);
	assert_int_equal(intent_open(&shares, NOW_MS + 20, &in), 0);
	assert_int_equal(shared_intent_bind(in, "a-store", was), 0);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 30);
	run_deadline(in, 0, NOW_MS + 40);
	assert_true(intent_head(in)->confirm_by_ms > NOW_MS + 40);
	run_deadline(in, 300000, NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	files_fini(&half);
}

/* Without the document it is not known whether a version was confirmed: nothing is said of that. */
static void what_is_not_known_of_a_version_is_not_said(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	char path[PATH_MAX];

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(intent_confirm(in, 2, "jw", "", NOW_MS + 20), 0);
	intent_close(in);
	run_sql(f, "UPDATE shared SET text='{}' WHERE name='version/1'");
	snprintf(path, sizeof(path), "%s/effective.conf", f->state);
	assert_int_equal(unlink(path), 0);
	in = open_as(f, "ams-1", NOW_MS + 30);
	run_deadline(in, 0, NOW_MS + 40);
	assert_int_equal(intent_head(in)->number, 2);
	for (uint64_t i = 0; i < journal_last(intent_journal(in)); i++)
		assert_null(strstr(last_event(in, i), "was not confirmed"));
	intent_close(in);
	files_fini(&half);
}

/* Put @p value as the number @p name into the document. */
static void damage_document(const struct fixture *f, const char *name, const char *value)
{
	char path[PATH_MAX], text[65536], *at;

	snprintf(path, sizeof(path), "%s/effective.conf", f->state);
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	size_t n = fread(text, 1, sizeof(text) - 64, file);
	text[n] = '\0';
	at = strstr(text, name);
	assert_non_null(at);
	at += strlen(name);
	char *rest = strdup(strchr(at, '"'));
	rewind(file);
	fprintf(file, "%.*s%s%s", (int)(at - text), text, value, rest);
	fclose(file);
	free(rest);
}

/* A document with numbers that no version can have: others follow all the same, and nothing takes long. */
static void absurd_numbers_of_a_document_do_no_harm(void **state)
{
	static const char *const values[] = { "9007199254740991", "9223372036854775808",
		                              "18446744073709551615" };
	struct version v;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
		struct fixture f;

		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
		intent_close(in);
		damage_document(&f, "newest = \"", values[i]);
		in = open_as(&f, "ams-1", NOW_MS + 20);
		run_deadline(in, 300000, NOW_MS + 30);
		assert_int_equal(intent_head(in)->number, 1);
		assert_int_equal(apply_version(in, &words, "words", NOW_MS + 40, &v), 0);
		assert_int_equal(v.number, 3);
		intent_close(in);
		damage_document(&f, "effective = { version = \"", values[i]);
		overwrite_file(f.state, "store/store.db");
		in = open_as(&f, "ams-1", NOW_MS + 50);
		run_deadline(in, 300000, NOW_MS + 60);
		intent_close(in);
		fixture_remove(&f);
		files_fini(&half);
		files_fini(&words);
	}
}

/* A row that is none of ours is forgotten once, and what is decided after that is kept. */
static void an_impossible_row_is_forgotten_once(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	struct shared_record r = { 0 };

	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	intent_close(in);
	run_sql(f, "INSERT INTO shared VALUES('operation/o1', '{}', -1)");
	for (int i = 0; i < 2; i++) {
		in = open_as(f, "ams-1", NOW_MS + 20 + i);
		run_deadline(in, 0, NOW_MS + 30 + i);
		assert_int_equal(intent_head(in)->number, 2);
		assert_int_equal(intent_head(in)->confirm_by_ms != 0, i == 0);
		assert_int_equal(copy_read(intent_store(in), "mark/2", &r), i ? 0 : -ENOENT);
		free(r.text);
		r.text = NULL;
		if (i == 0)
			assert_int_equal(intent_confirm(in, 2, "jw", "", NOW_MS + 40), 0);
		intent_close(in);
	}
	files_fini(&half);
}

/*
 * A version that has ended does not come back when a store is to decide, which has nothing yet, nor when that is taken away
 * again: then what is in force goes on, and numbers, too.
 */
static void what_has_ended_stays_so_whoever_decides(void **state)
{
	const struct fixture *f = *state;
	struct intent_options shares = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .shares = true
	};
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	char was[COPY_STORE_MAX];
	struct version v;
	int64_t revision;

	assert_int_equal(apply_version(in, &words, "words", NOW_MS + 10, NULL), 0);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 20, NULL), 0);
	run_deadline(in, 300000, NOW_MS + 30);
	assert_int_equal(intent_head(in)->number, 2);
	intent_close(in);
	for (int bound = 0; bound < 2; bound++) {
		assert_int_equal(intent_open(&shares, NOW_MS + 40, &in), 0);
		assert_int_equal(intent_head(in)->number, 2);
		assert_int_equal(shared_intent_bind(in, "a-store", was), 0);
		assert_int_equal(shared_intent_revision(in, &revision), 0);
		assert_int_equal(revision,
		                 0); /* what this node had decided is none of the store's */
		intent_close(in);
	}
	in = open_as(f, "ams-1", NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 60, &v), 0);
	assert_int_equal(v.number,
	                 4); /* nobody else's number, though it has no record here any more */
	assert_true(v.confirm_by_ms > 0);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 70);
	assert_int_equal(intent_head(in)->number, 4);
	run_deadline(in, 300000, NOW_MS + 80);
	assert_int_equal(intent_head(in)->number, 2);
	intent_close(in);
	files_fini(&half);
	files_fini(&words);
}

static void a_corrupt_store_loses_no_drain_and_no_configuration(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files files = fixture_files("# two sites", "# other words");
	char digest[DIGEST_TEXT_MAX];

	assert_int_equal(apply_version(in, &files, "words", NOW_MS + 10, NULL), 0);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 20), COMMAND_OK);
	intent_close(in);
	overwrite_file(f->state, "store/store.db");
	in = open_as(f, "ams-1", NOW_MS + 30);
	assert_string_equal(intent_store_state(in), "rebuilt");
	assert_true(is_drained(in, "ams", NOW_MS + 40));
	assert_int_equal(intent_head(in)->number, 2);
	assert_string_equal(files_digest(intent_head_files(in), digest), intent_head(in)->digest);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 50);
	assert_string_equal(intent_store_state(in), "ok");
	assert_true(is_drained(in, "ams", NOW_MS + 60));
	files_fini(&files);
	intent_close(in);
}

static void run_sql(const struct fixture *f, const char *text)
{
	char path[PATH_MAX];
	sqlite3 *db = NULL;

	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* Damage that the database itself cannot see, as each row is whole, is found where rows are read. */
static void damaged_rows_of_a_store_are_found_when_they_are_read(void **state)
{
	static const struct {
		const char *why, *sql, *store;
	} rows[] = {
		{ "nothing is damaged", "SELECT 1", "ok" },
		{ "the head's record", "UPDATE versions SET text='{}' WHERE number=2", "rebuilt" },
		{ "a file of the head", "UPDATE blobs SET bytes=x'00'", "rebuilt" },
		{ "an override", "UPDATE overrides SET text='{}'", "rebuilt" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct files files = fixture_files("# two sites", "# other words");
		char digest[DIGEST_TEXT_MAX];

		print_message("  %s\n", rows[i].why);
		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);
		assert_int_equal(apply_version(in, &files, "words", NOW_MS + 10, NULL), 0);
		assert_int_equal(drain_site(in, "ams", NOW_MS + 20), COMMAND_OK);
		intent_close(in);
		run_sql(&f, rows[i].sql);
		for (int again = 0; again < 2; again++) {
			in = open_as(&f, "ams-1", NOW_MS + 30);
			assert_string_equal(intent_store_state(in), again ? "ok" : rows[i].store);
			assert_string_equal(intent_store_reason(in), "");
			assert_true(is_drained(in, "ams", NOW_MS + 40));
			assert_int_equal(intent_head(in)->number, 2);
			assert_string_equal(files_digest(intent_head_files(in), digest),
			                    intent_head(in)->digest);
			intent_close(in);
		}
		files_fini(&files);
		fixture_remove(&f);
	}
}

/* The member sets of a pool in words: "from until: weights; ...". */
static const char *write_sets(const struct intent *in, const char *pool, char *out, size_t size)
{
	const struct model_pool *p = model_pool(intent_model(in), pool);
	size_t n = 0;

	assert_non_null(p);
	out[0] = '\0';
	for (size_t i = 0; i < p->n_member_sets && n < size; i++) {
		const struct model_set *set = &p->member_sets[i];

		n += (size_t)snprintf(out + n, size - n,
		                      "%lld %lld:", (long long)(set->from_ms - NOW_MS),
		                      (long long)(set->until_ms - NOW_MS));
		for (size_t k = 0; k < set->n_members && n < size; k++)
			n += (size_t)snprintf(out + n, size - n, " %u", set->members[k].weight);
		n += n < size ? (size_t)snprintf(out + n, size - n, "; ") : 0;
	}
	assert_true(n < size);
	return out;
}

/* Connections of earlier members still have a claim: their sets are in the document alone by then. */
static void a_start_keeps_the_sets_of_versions_that_are_not_at_hand(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct files files = fixture_files("10.1.1.11\"; weight = 100", "10.1.1.11\"; weight = 60");
	char was[1024], is[1024], words[PATH_MAX], digest[DIGEST_TEXT_MAX];

	assert_int_equal(apply_version(in, &files, "weight", NOW_MS + 10, NULL), 0);
	files_fini(&files);
	for (int i = 0; i < 9; i++) { /* more than are at hand after a start */
		snprintf(words, sizeof(words), "10.1.1.11\"; weight = %*d", i + 2, 61 + i / 8);
		files = fixture_files("10.1.1.11\"; weight = 100", words);
		assert_int_equal(apply_version(in, &files, "", NOW_MS + 10000 * (i + 1), NULL), 0);
		files_fini(&files);
	}
	intent_tick(in, NOW_MS + 100000);
	assert_int_equal(model_pool(intent_model(in), "web-ams")->n_member_sets, 4);
	write_sets(in, "web-ams", was, sizeof(was));
	intent_close(in);
	in = open_as(*state, "ams-1", NOW_MS + 100000);
	assert_int_equal(intent_head(in)->number, 11);
	assert_string_equal(write_sets(in, "web-ams", is, sizeof(is)), was);
	intent_tick(in, NOW_MS + 101000);
	assert_string_equal(write_sets(in, "web-ams", is, sizeof(is)), was);
	intent_close(in);
	snprintf(words, sizeof(words), "%s/store", f->state); /* and without the store */
	assert_int_equal(files_remove_dir(words), 0);
	in = open_as(f, "ams-1", NOW_MS + 102000);
	assert_string_equal(write_sets(in, "web-ams", is, sizeof(is)), was);
	const struct version *head = intent_head(in);

	assert_int_equal(head->number, 11);
	assert_string_equal(head->author, "weir");
	assert_string_equal(head->principal, "weir");
	assert_string_equal(head->node, "ams-1");
	assert_string_equal(head->reason, "recovered from the effective document");
	assert_string_equal(head->digest, files_digest(intent_head_files(in), digest));
	assert_int_equal(head->confirm_by_ms, 0);
	intent_close(in);
}

static void a_store_that_corrupts_while_running_stops_no_drain(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	overwrite_file(f->state, "store/store.db");
	assert_int_equal(drain_site(in, "ams", NOW_MS + 20), COMMAND_OK);
	assert_true(is_drained(in, "ams", NOW_MS + 40));
	for (int i = 1; i < 5; i++)
		intent_tick(in, NOW_MS + 2000 * i);
	assert_string_not_equal(intent_store_state(in), "failing");
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 30000);
	assert_true(is_drained(in, "ams", NOW_MS + 30000));
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
}

/* A store whose newest version is @p number, of @p words; 0: none has been made. */
static void make_other_store(const struct fixture *f, uint64_t number, const char *words)
{
	if (!number)
		return;
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	for (uint64_t i = 2; i <= number; i++) {
		char text[32];
		struct files files;

		snprintf(text, sizeof(text), "%s %d", words, (int)(number - i));
		files = fixture_files("# two sites", text);
		assert_int_equal(apply_version(in, &files, "theirs", NOW_MS + 10, NULL), 0);
		files_fini(&files);
	}
	intent_close(in);
}

/*
 * The effective document has version 2 with "# ours 0". Of a store that is there only later, what is newer counts, and what
 * it knows of this very version; the version in force is no other one.
 */
static void a_store_that_comes_later_is_read_where_it_has_this_version_or_a_newer_one(void **state)
{
	static const struct {
		const char *why;
		uint64_t number;
		const char *words;
		uint64_t in_force;
		const char *first_line, *author, *reason;
	} rows[] = {
		{ "it has none", 0, "", 2, "# ours 0", "weir",
		  "recovered from the effective document" },
		{ "an older one", 1, "", 2, "# ours 0", "weir",
		  "recovered from the effective document" },
		{ "this one", 2, "# ours", 2, "# ours 0", "jw", "theirs" },
		{ "another one of this number", 2, "# theirs", 2, "# ours 0", "weir",
		  "recovered from the effective document" },
		{ "a newer one", 3, "# theirs", 3, "# theirs 0", "jw", "theirs" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture here, there;
		char path[PATH_MAX], other[PATH_MAX];

		fixture_make(&here);
		fixture_make(&there);
		make_other_store(&here, 2, "# ours");
		make_other_store(&there, rows[i].number, rows[i].words);
		snprintf(path, sizeof(path), "%s/store", here.state);
		snprintf(other, sizeof(other), "%s/store", there.state);
		assert_int_equal(files_remove_dir(path), 0);
		fixture_write(here.state, "store", "no directory");
		struct intent *in = open_as(&here, "ams-1", NOW_MS + 20);

		print_message("  %s\n", rows[i].why);
		assert_string_equal(intent_store_state(in), "failing");
		assert_int_equal(intent_head(in)->number, 2);
		assert_string_equal(intent_head(in)->author, "weir");
		assert_int_equal(unlink(path), 0);
		if (rows[i].number)
			assert_int_equal(rename(other, path), 0);
		intent_tick(in, NOW_MS + 2000);
		for (int again = 0; again < 2; again++) {
			const struct files_item *file =
			        files_find(intent_head_files(in), FILES_MAIN);

			assert_string_equal(intent_store_state(in), "ok");
			assert_int_equal(intent_head(in)->number, rows[i].in_force);
			assert_memory_equal(file->bytes, rows[i].first_line,
			                    strlen(rows[i].first_line));
			assert_string_equal(intent_head(in)->author, rows[i].author);
			assert_string_equal(intent_head(in)->reason, rows[i].reason);
			intent_close(in); /* the store has it after a restart */
			in = open_as(&here, "ams-1", NOW_MS + 3000);
		}
		intent_close(in);
		fixture_remove(&there);
		fixture_remove(&here);
	}
}

/* Hide the store of @p f while a node starts from its document; then it is there again. */
static struct intent *open_without_store(const struct fixture *f)
{
	char path[PATH_MAX], aside[PATH_MAX];

	snprintf(path, sizeof(path), "%s/store", f->state);
	snprintf(aside, sizeof(aside), "%s/aside", f->state);
	assert_int_equal(rename(path, aside), 0);
	fixture_write(f->state, "store", "no directory");
	struct intent *in = open_as(f, "ams-1", NOW_MS + 20);

	assert_string_equal(intent_store_state(in), "failing");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(aside, path), 0);
	return in;
}

/* A store that is there only later, and has lost files of its newest version: no older one comes into force for that. */
static void a_store_that_comes_later_without_files_puts_no_older_version_in_force(void **state)
{
	static const char *const damages[] = {
		"DELETE FROM version_files WHERE number=3",
		"DELETE FROM blobs WHERE digest IN (SELECT digest FROM version_files WHERE number=3)",
		"DELETE FROM versions WHERE number=3",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct fixture f;

		print_message("  %s\n", damages[i]);
		fixture_make(&f);
		make_other_store(&f, 3, "# ours");
		run_sql(&f, damages[i]);
		struct intent *in = open_without_store(&f);

		for (int again = 0; again < 2; again++) {
			assert_int_equal(intent_head(in)->number, 3);
			intent_tick(in, NOW_MS + 2000);
			assert_string_not_equal(intent_store_state(in), "failing");
			assert_int_equal(intent_head(in)->number, 3);
			assert_memory_equal(files_find(intent_head_files(in), FILES_MAIN)->bytes,
			                    "# ours 0", 8);
			run_deadline(in, 0, NOW_MS + 2010);
			assert_int_equal(intent_head(in)->number, 3);
			intent_close(in);
			in = open_as(&f, "ams-1", NOW_MS + 3000);
		}
		intent_close(in);
		fixture_remove(&f);
	}
}

/* A backup of the store that was put back while nothing ran: each version is in it before it is in the document. */
static void a_store_that_is_older_than_the_document_is_left(void **state)
{
	const struct fixture *f = *state;
	struct files next = fixture_files("# two sites", "# next");
	struct fixture there;
	char path[PATH_MAX], other[PATH_MAX];
	struct version v;

	fixture_make(&there);
	make_other_store(f, 3, "# ours");
	make_other_store(&there, 2, "# theirs");
	snprintf(path, sizeof(path), "%s/store", f->state);
	snprintf(other, sizeof(other), "%s/store", there.state);
	assert_int_equal(files_remove_dir(path), 0);
	assert_int_equal(rename(other, path), 0);
	struct intent *in = open_as(f, "ams-1", NOW_MS + 20);

	assert_string_equal(last_event(in, 1),
	                    "the store of this node is older than its document: it has version 2, "
	                    "and version 3 was in force; this node goes on with that");
	for (int again = 0; again < 2; again++) {
		const struct files_item *file = files_find(intent_head_files(in), FILES_MAIN);

		assert_int_equal(intent_head(in)->number, 3);
		assert_memory_equal(file->bytes, "# ours 0", 8);
		assert_int_equal(intent_head(in)->confirm_by_ms, 0);
		run_deadline(in, 0, NOW_MS + 30);
		intent_close(in);
		in = open_as(f, "ams-1", NOW_MS + 3000);
	}
	assert_int_equal(apply_version(in, &next, "next", NOW_MS + 3010, &v), 0);
	assert_int_equal(v.number, 4);
	intent_close(in);
	files_fini(&next);
	fixture_remove(&there);
}

/* Without files of that version the store has the newest that can be in force. */
static void an_older_store_is_used_where_the_files_of_the_document_are_lost(void **state)
{
	const struct fixture *f = *state;
	struct fixture there;
	char path[PATH_MAX], other[PATH_MAX];

	fixture_make(&there);
	make_other_store(f, 2, "# ours");
	make_other_store(&there, 1, "");
	snprintf(path, sizeof(path), "%s/store", f->state);
	snprintf(other, sizeof(other), "%s/store", there.state);
	assert_int_equal(files_remove_dir(path), 0);
	assert_int_equal(rename(other, path), 0);
	snprintf(path, sizeof(path), "%s/config", f->state);
	assert_int_equal(files_remove_dir(path), 0);
	struct intent *in = open_as(f, "ams-1", NOW_MS + 20);

	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
	fixture_remove(&there);
}

/* A first start whose store cannot be opened: the own file comes into force once it can. */
static void a_first_version_is_made_once_there_is_a_store(void **state)
{
	const struct fixture *f = *state;
	char path[PATH_MAX];

	fixture_write(f->state, "store", "no directory");
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	assert_null(intent_head(in));
	snprintf(path, sizeof(path), "%s/store", f->state);
	assert_int_equal(unlink(path), 0);
	intent_tick(in, NOW_MS + 2000);
	assert_string_equal(intent_store_state(in), "ok");
	assert_non_null(intent_head(in));
	assert_int_equal(intent_head(in)->number, 1);
	intent_close(in);
}

/* A store that this node has left, and that can be opened only later: this node decides then, as after a start. */
static void a_store_that_was_left_stays_left(void **state)
{
	const struct fixture *f = *state;
	struct intent_options shares = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .shares = true
	};
	struct files words = fixture_files("# two", "# 2"), more = fixture_files("# three", "# 3");
	struct pending_clock clock;
	char was[COPY_STORE_MAX], path[PATH_MAX], aside[PATH_MAX];
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	struct version v;

	pending_clock_read(&clock);
	assert_int_equal(apply_version(in, &words, "words", NOW_MS + 10, NULL), 0);
	intent_close(in);
	assert_int_equal(intent_open(&shares, NOW_MS + 20, &in), 0);
	assert_int_equal(shared_intent_bind(in, "a-store", was), 0);
	assert_int_equal(shared_intent_receive(in, 7, NULL, 0, &clock), 0);
	intent_close(in);
	snprintf(path, sizeof(path), "%s/store", f->state);
	snprintf(aside, sizeof(aside), "%s/aside", f->state);
	assert_int_equal(rename(path, aside), 0);
	fixture_write(f->state, "store", "no directory");
	in = open_as(f, "ams-1", NOW_MS + 30);
	assert_string_equal(intent_store_state(in), "failing");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(aside, path), 0);
	intent_tick(in, NOW_MS + 2000);
	assert_string_equal(intent_store_state(in), "ok");
	assert_int_equal(intent_head(in)->number, 2);
	run_deadline(in, 0, NOW_MS + 2010);
	assert_int_equal(apply_version(in, &more, "more", NOW_MS + 2020, &v), 0);
	assert_int_equal(v.number, 3);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 3000);
	assert_int_equal(intent_head(in)->number, 3);
	intent_close(in);
	files_fini(&words);
	files_fini(&more);
}

/* A second after it failed, then each ten seconds: each time reads the whole file. */
static void a_store_that_is_not_there_is_looked_for_each_ten_seconds(void **state)
{
	static const struct {
		int64_t after_ms;
		const char *state;
	} ticks[] = {
		{ 999, "failing" },
		{ 1000, "failing" }, /* looked for: it is not there */
		{ 10999, "failing" },
		{ 11000, "ok" },
	};
	const struct fixture *f = *state;
	char path[PATH_MAX];

	make_other_store(f, 2, "# ours");
	snprintf(path, sizeof(path), "%s/store", f->state);
	assert_int_equal(files_remove_dir(path), 0);
	fixture_write(f->state, "store", "no directory");
	struct intent *in = open_as(f, "ams-1", NOW_MS);

	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		intent_tick(in, NOW_MS + ticks[i].after_ms);
		assert_string_equal(intent_store_state(in), ticks[i].state);
		assert_int_equal(*intent_store_reason(in) != '\0',
		                 strcmp(ticks[i].state, "ok") != 0);
		if (ticks[i].after_ms == 1000)
			assert_int_equal(unlink(path), 0);
	}
	intent_close(in);
}

/* Another process may lay a link where the reserve is to be; what it leads to may be ours. */
static void the_reserve_is_no_other_file(void **state)
{
	struct fixture *f = *state;
	struct intent *in = open_as(f, "ams-1", NOW_MS);
	char reserve[PATH_MAX], document[PATH_MAX];
	struct stat st;

	snprintf(reserve, sizeof(reserve), "%s/reserve", f->state);
	snprintf(document, sizeof(document), "%s/effective.conf", f->state);
	assert_int_equal(unlink(reserve), 0);
	assert_int_equal(symlink("effective.conf", reserve), 0);
	assert_int_equal(drain_site(in, "fra", NOW_MS), COMMAND_OK);
	assert_int_equal(stat(document, &st), 0);
	assert_in_range(st.st_size, 1000, 100000);
	assert_int_equal(unlink(reserve), 0);
	assert_int_equal(drain_site(in, "fra", NOW_MS + 1), COMMAND_OK);
	assert_int_equal(lstat(reserve, &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size >= 256 << 10);
	intent_close(in);
}

static void offline_takes_overrides_without_first_start(void **state)
{
	const struct fixture *f = *state;
	struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .node = "ams-1", .offline = true
	};
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &in), 0);
	assert_null(intent_head(in));
	assert_int_equal(drain_site(in, "ams", NOW_MS), COMMAND_UNKNOWN);
	intent_close(in);
	intent_close(open_as(f, "ams-1", NOW_MS));
	assert_int_equal(intent_open(&options, NOW_MS + 10, &in), 0);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 20), COMMAND_OK);
	intent_close(in);
	in = open_as(f, "ams-1", NOW_MS + 30);
	assert_true(is_drained(in, "ams", NOW_MS + 40));
	intent_close(in);
}

SUITE(intent)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(mistakes_leave_everything_as_it_was),
		T(a_second_process_is_refused),
		T(the_first_start_makes_version_1),
		T(an_identical_apply_makes_no_version),
		T(rolling_back_gives_the_very_bytes_and_leaves_drains),
		T(a_risky_change_undoes_itself_unless_confirmed),
		T(a_step_of_the_wall_clock_neither_triggers_nor_delays_a_deadline),
		T(a_deadline_runs_on_after_a_reboot_with_what_was_left),
		T(a_change_after_an_unconfirmed_one_is_refused),
		T(going_back_to_the_confirmed_version_needs_nothing),
		T(confirm_pending_keeps_the_earlier_version),
		T(join_pending_goes_back_to_the_last_confirmed_version),
		T(confirming_the_later_version_confirms_what_it_joined),
		T(what_a_version_goes_back_to_is_not_forgotten),
		cmocka_unit_test(what_is_refused_stays_and_nothing_takes_its_place),
		T(what_cannot_be_loaded_is_not_replaced_by_an_older_version),
		T(who_repeats_a_confirmation_or_a_rollback_learns_what_came_of_it),
		T(a_damaged_record_confirms_nothing),
		T(what_cannot_go_back_stays_and_that_is_told),
		T(a_corrupt_store_confirms_nothing),
		T(what_waits_ends_though_its_store_is_lost_at_the_start),
		T(what_was_decided_stays_so_though_its_store_is_lost_at_the_start),
		T(what_had_ended_is_not_gone_back_to),
		T(an_impossible_row_is_forgotten_once),
		cmocka_unit_test(what_waits_ends_whatever_is_damaged),
		T(what_has_ended_is_gone_back_from_whatever_is_damaged),
		T(what_waits_ends_though_a_store_was_there_meanwhile),
		T(what_is_not_known_of_a_version_is_not_said),
		cmocka_unit_test(absurd_numbers_of_a_document_do_no_harm),
		T(what_has_ended_stays_so_whoever_decides),
		T(a_corrupt_store_loses_no_drain_and_no_configuration),
		T(a_store_that_corrupts_while_running_stops_no_drain),
		cmocka_unit_test(
		        a_store_that_comes_later_is_read_where_it_has_this_version_or_a_newer_one),
		T(a_store_that_comes_later_without_files_puts_no_older_version_in_force),
		T(a_store_that_was_left_stays_left),
		T(a_store_that_is_older_than_the_document_is_left),
		T(an_older_store_is_used_where_the_files_of_the_document_are_lost),
		T(a_first_version_is_made_once_there_is_a_store),
		T(a_store_that_is_not_there_is_looked_for_each_ten_seconds),
		T(the_reserve_is_no_other_file),
		T(offline_takes_overrides_without_first_start),
		T(damaged_rows_of_a_store_are_found_when_they_are_read),
		T(a_start_keeps_the_sets_of_versions_that_are_not_at_hand),
		T(the_head_is_confirmed_once_and_nothing_else),
		cmocka_unit_test(a_change_that_joins_has_the_longer_time_or_its_own),
	};

	return cmocka_run_group_tests_name("intent", tests, NULL, NULL);
}
