/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unconfirmed versions: what a peer says of them, and where their rollback leads (test_intent.c
 * has their deadlines).
 */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/intent.h"
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

static struct files half_of_the_pool(void)
{
	return fixture_files("{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },", "");
}

static void what_is_refused_ends_before_its_deadline(void **state)
{
	struct intent *in = open_as(*state, "ams-1", NOW_MS);
	struct files files = half_of_the_pool();

	assert_int_equal(apply_version(in, &files, "half", NOW_MS + 10, NULL), 0);
	assert_int_equal(intent_decide_unconfirmed(in, CHAIN_ENDED, "refused", NOW_MS + 5000), 0);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_decide_unconfirmed(in, CHAIN_ENDED, "refused", NOW_MS + 6000),
	                 -EALREADY);
	files_fini(&files);
	intent_close(in);
}

SUITE(undo)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_refused_ends_before_its_deadline),
	};

	return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
