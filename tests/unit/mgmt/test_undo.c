/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unconfirmed versions: what a peer says of them, and where their rollback leads (test_intent.c
 * has their deadlines).
 */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/intent.h"

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

static void run_deadline(struct intent *in, const char *boot, int64_t boot_ms, int64_t now_ms)
{
	struct pending_clock clock = { .now_ms = boot_ms };

	snprintf(clock.boot, sizeof(clock.boot), "%s", boot);
	intent_run_deadline(in, &clock, now_ms);
}

static struct files half_of_the_pool(void)
{
	return fixture_files("{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },", "");
}

static void a_rollback_before_its_deadline_is_of_its_own_time(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();

	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(intent_roll_back_unconfirmed(in, "refused", NOW_MS + 5000), 0);
	assert_int_equal(intent_head(in)->number, 3);
	assert_true(intent_head(in)->time_ms ==
	            NOW_MS + 5000); /* not of the deadline, which lies ahead */
	assert_int_equal(intent_roll_back_unconfirmed(in, "refused", NOW_MS + 6000), -EALREADY);
	files_fini(&files);
	intent_close(in);
}

static void a_confirmation_is_of_one_version_and_not_of_its_number(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();
	struct version list[1];

	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, &list[0]), 0);
	intent_import_confirmed(in, list, 1, "fra-1",
	                        NOW_MS + 20); /* it is unconfirmed there, too */
	assert_true(intent_head(in)->confirm_by_ms != 0);
	list[0].confirm_by_ms = 0;
	list[0].digest[0] ^= 1;
	intent_import_confirmed(in, list, 1, "fra-1", NOW_MS + 30);
	assert_true(intent_head(in)->confirm_by_ms != 0);
	list[0].digest[0] ^= 1;
	intent_import_confirmed(in, list, 1, "fra-1", NOW_MS + 40);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	files_fini(&files);
	intent_close(in);
}

/*
 * What a peer has given: version 3, whose parent is version 1, and which overrides our version 2.
 */
static void take_third(struct intent *in, struct files *half, int64_t left_ms, int64_t now_ms)
{
	struct intent_offer offer = { .version = { .number = 3, .confirm_left_ms = left_ms } };
	struct version *v = &offer.version, first;

	assert_int_equal(intent_version(in, 1, &first, NULL), 0);
	files_digest(half, v->digest);
	memcpy(v->parent, first.digest, sizeof(v->parent));
	memcpy(v->supersedes[v->n_supersedes++], intent_head(in)->digest, sizeof(v->digest));
	memcpy(v->author, "ada", 4);
	memcpy(v->node, "fra-1", 6);
	v->time_ms = v->effective_ms = now_ms;
	v->confirm_by_ms = now_ms + 60000;
	offer.files = *half;
	assert_int_equal(intent_accept(in, &offer, 1, now_ms), 0);
}

static void a_rollback_goes_to_the_parent_and_not_to_the_number_before(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files half = half_of_the_pool(), words = fixture_files("# two", "# 2");
	struct version to, original = *intent_head(in);

	assert_int_equal(apply_version(in, &words, "words", NOW_MS + 10, NULL), 0);
	take_third(in, &half, 60000, NOW_MS + 20);
	assert_int_equal(intent_last_confirmed(in, &to), 0);
	assert_int_equal(to.number, 1);
	run_deadline(in, "one", 1000, NOW_MS + 20);
	run_deadline(in, "one", 61000, NOW_MS + 60020);
	assert_string_equal(intent_head(in)->digest, original.digest);
	files_fini(&half);
	files_fini(&words);
	intent_close(in);
}

static void a_peer_cannot_set_a_deadline_beyond_the_longest(void **state)
{
	static const int64_t last_report_ms[] = { INT64_MAX, INTENT_CONFIRM_MAX_MS + 1, -5, 40000 };
	static const int64_t left_ms[] = { INTENT_CONFIRM_MAX_MS, INTENT_CONFIRM_MAX_MS, 60000,
		                           40000 };
	struct files half = half_of_the_pool();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct fixture f;

		fixture_make(&f);
		struct intent *in = open_as(&f, "ams-1", NOW_MS);

		take_third(in, &half, last_report_ms[i], NOW_MS + 20);
		run_deadline(in, "one", 1000, NOW_MS + 20);
		assert_true(intent_head(in)->confirm_left_ms == left_ms[i]);
		intent_close(in);
		fixture_remove(&f);
	}
	files_fini(&half);
}

static void overriding_a_peer_s_head_is_a_change_like_any_other(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files half = half_of_the_pool();
	struct intent_foreign foreign = { .number = 2 };
	const char *force[1] = { foreign.digest };
	struct intent_change change = {
		.files = &half, .author = "jw", .reason = "ours", .force = force, .n_force = 1
	};
	struct intent_changed changed = { 0 };

	memset(foreign.digest, 'e', sizeof(foreign.digest) - 1);
	assert_int_equal(apply_version(in, &half, "half", NOW_MS + 10, NULL), 0);
	intent_note_diverged(in, &foreign, 1);
	assert_int_equal(intent_change(in, &change, NOW_MS + 20, &changed), -EBUSY);
	intent_changed_fini(&changed);
	assert_int_equal(intent_head(in)->number, 2);
	files_fini(&half);
	intent_close(in);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_rollback_before_its_deadline_is_of_its_own_time),
		T(a_confirmation_is_of_one_version_and_not_of_its_number),
		T(a_rollback_goes_to_the_parent_and_not_to_the_number_before),
		T(a_peer_cannot_set_a_deadline_beyond_the_longest),
		T(overriding_a_peer_s_head_is_a_change_like_any_other),
	};

	return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
