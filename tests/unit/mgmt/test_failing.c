/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store that is open and fails, as on a full disk: what refuses, what goes on from memory, and
 * what nothing is written by.
 */
#include "fixture.h"
#include "many_overrides.h"

#include <errno.h>

#include "mgmt/store/bootstrap.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/suite.h"

static struct fixture place;
static struct intent *in;

static struct intent *open_node(const struct fixture *f)
{
	struct intent_options options = { .conf_dir = f->conf,
		                          .state_dir = f->state,
		                          .node = "ams-1" };
	struct intent *opened = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &opened), 0);
	return opened;
}

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	in = open_node(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	intent_close(in);
	fixture_remove(&place);
	return 0;
}

static int apply_words(const char *words, struct intent_change change, int64_t now_ms)
{
	struct files files = fixture_files("# two sites", words);
	struct intent_changed changed = { 0 };

	change.files = &files;
	change.author = "jw";
	change.reason = "";
	int err = intent_change(in, &change, now_ms, &changed);
	intent_changed_fini(&changed);
	files_fini(&files);
	return err;
}

static const struct intent_change waits = { .confirm_within_ms = 60000 };

/* Two versions, the second of which is not confirmed; then the store fails. */
static struct version begin_failing(void)
{
	assert_int_equal(apply_words("# 2", waits, NOW_MS + 10), 0);
	struct version head = *intent_head(in);

	in->failing = true;
	in->retry_ms = INT64_MAX;
	return head;
}

static void nothing_is_read_from_it_as_if_it_were_whole(void **state)
{
	struct version v = begin_failing();
	struct files files = { 0 };
	uint64_t have;

	(void)state;
	assert_null(intent_store(in));
	assert_non_null(intent_store_to_read(in));
	assert_int_equal(intent_version(in, 1, &v, NULL), -EROFS);
	assert_int_equal(intent_version(in, 1, &v, &files), -EROFS);
	assert_int_equal(intent_last_confirmed(in, &v), 0);
	assert_int_equal(v.number, 1);
	const char *zone = files_find(intent_head_files(in), "shop.example.zone")->digest;
	assert_false(intent_has_file(in, zone, &have));
	assert_int_equal(intent_find_file(in, "z", zone, strlen(fixture_zone), &files), -ENOENT);
	in->failing = false;
	assert_true(intent_has_file(in, zone, &have));
}

static void no_version_is_made_or_confirmed(void **state)
{
	struct version head = begin_failing(), v;
	struct intent_change back = {
		.rollback_to = 1, .confirm_within_ms = 0, .author = "jw", .reason = ""
	};
	struct intent_changed changed;

	(void)state;
	assert_int_equal(apply_words("# 3",
	                             (struct intent_change){ .pending = INTENT_PENDING_CONFIRM },
	                             NOW_MS + 20),
	                 -EROFS);
	assert_int_equal(intent_change(in, &back, NOW_MS + 20, &changed), -EROFS);
	intent_changed_fini(&changed);
	assert_int_equal(intent_confirm(in, 2, "jw", "", NOW_MS + 20), -EROFS);
	assert_int_equal(intent_decide_unconfirmed(in, CHAIN_ENDED, "x", NOW_MS + 20), -EROFS);
	assert_memory_equal(intent_head(in)->digest, head.digest, DIGEST_TEXT_MAX);
	assert_true(intent_head(in)->confirm_by_ms > 0);
	in->failing = false;
	assert_int_equal(intent_version(in, 2, &v, NULL), 0);
	assert_true(v.confirm_within_ms > 0);
	assert_int_equal(intent_version(in, 3, &v, NULL), -ENOENT);
}

/* The one before it is in force again, from memory or from what is laid out; the store hears of the end once it works. */
static void a_version_that_nobody_confirms_ends_in_time(void **state)
{
	struct pending_clock clock;

	(void)state;
	begin_failing();
	pending_clock_read(&clock);
	intent_run_deadline(in, &clock, NOW_MS + 20);
	clock.now_ms += 59000;
	intent_run_deadline(in, &clock, NOW_MS + 59000);
	assert_int_equal(intent_head(in)->number, 2);
	clock.now_ms += 5000;
	intent_run_deadline(in, &clock, NOW_MS + 64000);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	assert_int_equal(intent_model(in)->meta.version, 1);
	assert_int_equal(apply_words("# 3", waits, NOW_MS + 64010), -EROFS);
	in->failing = false;
	intent_run_deadline(in, &clock, NOW_MS + 65000);
	assert_int_equal(apply_words("# 3", waits, NOW_MS + 65010), 0);
	assert_int_equal(intent_head(in)->number, 3);
	intent_close(in);
	in = open_node(&place);
	assert_int_equal(intent_head(in)->number, 3);
}

/* The same at a node whose store cannot even be opened. */
static void a_version_ends_in_time_without_any_store(void **state)
{
	struct pending_clock clock;
	char path[PATH_MAX], aside[PATH_MAX];

	(void)state;
	assert_int_equal(apply_words("# 2", waits, NOW_MS + 10), 0);
	intent_close(in);
	snprintf(path, sizeof(path), "%s/store", place.state);
	snprintf(aside, sizeof(aside), "%s/aside", place.state);
	assert_int_equal(rename(path, aside), 0);
	fixture_write(place.state, "store", "no directory");
	in = open_node(&place);
	assert_string_equal(intent_store_state(in), "failing");
	assert_int_equal(intent_head(in)->number, 2);
	pending_clock_read(&clock);
	clock.now_ms += 65000;
	intent_run_deadline(in, &clock, NOW_MS + 66000);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_model(in)->meta.version, 1);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(aside, path), 0);
	intent_tick(in, NOW_MS + 80000);
	clock.now_ms += 14000;
	intent_run_deadline(in, &clock, NOW_MS + 80010);
	assert_string_equal(intent_store_state(in), "ok");
	assert_int_equal(intent_head(in)->number, 1);
}

/*
 * Overrides that are taken meanwhile are stored as soon as that works; what it says is said once.
 */
static void overrides_wait_in_memory_and_are_stored_later(void **state)
{
	struct override o = { .id = "n-1",
		              .name = "ams",
		              .generation = 1,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "jw",
		              .reason = "CHG-9",
		              .principal = "user:root" };
	struct overrides stored = { 0 };
	const struct journal *j = intent_journal(in);

	(void)state;
	assert_int_equal(intent_stored(in, -ENOSPC, NOW_MS), -ENOSPC);
	assert_string_equal(intent_store_state(in), "failing");
	assert_string_equal(intent_store_reason(in), "No space left on device");
	assert_string_equal(
	        journal_find(j, journal_last(j))->message,
	        "the store fails (No space left on device): overrides are accepted, new "
	        "versions are refused");
	uint64_t said = journal_last(j);
	assert_int_equal(intent_stored(in, -ENOSPC, NOW_MS), -ENOSPC);
	assert_int_equal(journal_last(j), said);
	assert_int_equal(intent_merge(in, &o, 1, NOW_MS + 10), 1);
	assert_string_equal(journal_find(j, journal_last(j))->message,
	                    "drain of site ams is drained, by jw (user:root): CHG-9");
	assert_int_equal(store_overrides(in->store, &stored, NOW_MS), 0);
	assert_int_equal(stored.n_items, 0);
	intent_tick(in, NOW_MS + 999);
	assert_string_equal(intent_store_state(in), "failing"); /* a second after the failure */
	intent_tick(in, NOW_MS + 1000);
	assert_string_equal(intent_store_state(in), "ok");
	assert_string_equal(intent_store_reason(in), "");
	assert_int_equal(store_overrides(in->store, &stored, NOW_MS), 0);
	assert_int_equal(stored.n_items, 1);
	overrides_fini(&stored);
	assert_string_equal(journal_find(j, journal_last(j))->message, "the store works again");
}

/* Words that an override does not have leave no marks behind in its event. */
static void an_event_of_an_override_names_what_there_is(void **state)
{
	struct override o = { .id = "n-1",
		              .kind = MODEL_OVERRIDE_DISABLE,
		              .target = MODEL_TARGET_BACKEND,
		              .pool = "web",
		              .name = "b1",
		              .generation = 1,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "jw" };
	const struct journal *j = intent_journal(in);

	(void)state;
	assert_int_equal(intent_merge(in, &o, 1, NOW_MS), 1);
	assert_string_equal(journal_find(j, journal_last(j))->message,
	                    "disable of backend web/b1 is disabled, by jw");
	assert_string_equal(journal_find(j, journal_last(j))->subject, "n-1");
	assert_string_equal(journal_find(j, journal_last(j))->kind, "override");
	assert_string_equal(journal_find(j, journal_last(j))->node, "ams-1");
}

/* Of several that do not fit, those before the first are kept, and that is what is said. */
static size_t count_store_events(void)
{
	size_t found = 0;

	for (uint64_t id = journal_oldest(in->journal); id <= journal_last(in->journal); id++) {
		const struct event *e = journal_find(in->journal, id);

		found += e && !strcmp(e->kind, "store");
	}
	return found;
}

/* A disk that was full may be damaged. The failure of the store is logged once, and so is its recovery. */
static void the_reason_is_that_of_the_last_failure(void **state)
{
	static const int errors[] = { ENOSPC, EIO, EROFS };

	(void)state;
	assert_string_equal(intent_store_state(in), "ok");
	assert_string_equal(intent_store_reason(in), "");
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_int_equal(intent_stored(in, -errors[i], NOW_MS + (int64_t)i), -errors[i]);
		assert_string_equal(intent_store_state(in), "failing");
		assert_string_equal(intent_store_reason(in), strerror(errors[i]));
		assert_null(intent_store(in));
		assert_int_equal(count_store_events(), 1);
	}
	assert_int_equal(intent_stored(in, 0, NOW_MS + 3), 0);
	assert_string_equal(intent_store_state(in), "failing"); /* until all is stored */
	for (int k = 1; k <= 12; k++)
		intent_tick(in, NOW_MS + 250 * k);
	assert_string_equal(intent_store_state(in), "ok");
	assert_string_equal(intent_store_reason(in), "");
	assert_non_null(intent_store(in));
	assert_int_equal(count_store_events(), 2);
}

static void more_overrides_than_fit_are_refused(void **state)
{
	const struct override like = { .name = "ams",
		                       .generation = 1,
		                       .until_ms = MODEL_TIME_NEVER };
	struct override *list = many_overrides(OVERRIDES_MAX + 2, &like);
	struct overrides stored = { 0 };

	(void)state;
	assert_int_equal(intent_merge(in, list, OVERRIDES_MAX + 2, NOW_MS), -ENOSPC);
	assert_int_equal(intent_overrides(in)->n_items, OVERRIDES_MAX);
	assert_int_equal(store_overrides(in->store, &stored, NOW_MS), 0);
	assert_int_equal(stored.n_items, OVERRIDES_MAX);
	overrides_fini(&stored);
	free(list);
}

/* Of what comes to a full list one may take the other's place: what is gone again is neither stored nor told. */
static void what_falls_out_of_a_full_list_at_once_does_no_harm(void **state)
{
	const struct override like = {
		.name = "ams", .generation = 1, .until_ms = NOW_MS - 1000, .ended = true
	};
	struct override *list = many_overrides(OVERRIDES_MAX, &like);
	struct overrides stored = { 0 };

	(void)state;
	assert_int_equal(intent_merge(in, list, OVERRIDES_MAX, NOW_MS), OVERRIDES_MAX);
	for (int i = 0; i < 2; i++) {
		list[i].until_ms = NOW_MS - 3000 + 1000 * i;
		snprintf(list[i].id, sizeof(list[i].id), "x-%d", i);
	}
	assert_int_equal(intent_merge(in, list, 2, NOW_MS), 2);
	assert_int_equal(intent_overrides(in)->n_items, OVERRIDES_MAX);
	assert_null(overrides_find(intent_overrides(in), "x-0"));
	assert_int_equal(store_overrides(in->store, &stored, NOW_MS), 0);
	assert_non_null(overrides_find(&stored, "x-1"));
	assert_null(overrides_find(&stored, "x-0"));
	overrides_fini(&stored);
	free(list);
}

SUITE(failing)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_read_from_it_as_if_it_were_whole, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(no_version_is_made_or_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_version_that_nobody_confirms_ends_in_time, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_version_ends_in_time_without_any_store, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(overrides_wait_in_memory_and_are_stored_later,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(an_event_of_an_override_names_what_there_is, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_reason_is_that_of_the_last_failure, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_falls_out_of_a_full_list_at_once_does_no_harm,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(more_overrides_than_fit_are_refused, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("failing", tests, NULL, NULL);
}
