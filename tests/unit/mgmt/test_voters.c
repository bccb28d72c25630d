/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a person is told that too few sites were ever heard, with the pages that peers' views lie
 * in.
 */
#include "fixture.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/page.h"
#include "mgmt/api/voters.h"
#include "weir/peer_page.h"

static const struct model *fake_model;

static const struct model *fake_intent_model(const struct intent *in)
{
	(void)in;
	return fake_model;
}

static int64_t fake_believed_ms(void)
{
	return NOW_MS;
}

/* The private parts too. */
#define intent_model      fake_intent_model
#define clock_believed_ms fake_believed_ms
#include "mgmt/api/voters.c"
#undef intent_model
#undef clock_believed_ms

static struct fixture place;
static struct core core;
static bool heard_first; /* of a site's two nodes; else the second */

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	core = (struct core){ 0 };
	snprintf(core.dirs.run, sizeof(core.dirs.run), "%s", place.state);
	snprintf(core.dirs.node, sizeof(core.dirs.node), "s0-1");
	struct intent_options options = { .conf_dir = place.conf,
		                          .state_dir = place.state,
		                          .node = "ams-1" };

	return intent_open(&options, NOW_MS, &core.intent);
}

static int teardown(void **state)
{
	(void)state;
	intent_close(core.intent);
	fixture_remove(&place);
	return 0;
}

/* The view of @p node; one that never told anything has no entries. */
static void make_view(const char *node, uint32_t n_entries)
{
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(peer_page_path(core.dirs.run, node, path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
	                             sizeof(struct peer_page), &page),
	                 0);
	((struct peer_page *)page_payload(page))->health.n_entries = n_entries;
	page_close(page);
}

/*
 * @p n sites of two nodes each, of which the second ones of the first @p n_heard were heard; this
 *         node is
 * in the first. @return the sentence, from malloc(), or NULL
 */
static char *ask_voters(unsigned n, unsigned n_heard)
{
	static char names[2 * 64][16], sites[64][16];
	struct advice_node nodes[2 * 64];
	const struct advice advice = { .nodes = nodes, .n_nodes = (size_t)2 * n };
	json_t *warnings = json_array();

	for (unsigned i = 0; i < n; i++) {
		snprintf(sites[i], sizeof(sites[i]), "s%u", i);
		for (unsigned k = 0; k < 2; k++) {
			char *name = names[2 * i + k];

			snprintf(name, sizeof(names[0]), "s%u-%u", i, k + 1);
			nodes[2 * i + k] = (struct advice_node){ .site = sites[i], .node = name };
		}
		make_view(names[2 * i], heard_first && i < n_heard ? 1 : 0);
		make_view(names[2 * i + 1], !heard_first && i < n_heard ? 1 : 0);
	}
	voters_add_warning(&core, &advice, warnings);
	assert_in_range(json_array_size(warnings), 0, 1);
	const char *text = json_string_value(json_array_get(warnings, 0));
	char *copy = text ? strdup(text) : NULL;

	json_decref(warnings);
	return copy;
}

/* When a site dies, the others that were heard must still be more than half of all. */
static void a_dead_site_must_leave_more_than_half(void **state)
{
	(void)state;
	static const struct {
		unsigned n, enough; /* so many heard are enough, one fewer is not */
	} cases[] = { { 3, 3 }, { 4, 4 }, { 5, 4 }, { 6, 5 }, { 7, 5 }, { 8, 6 }, { 9, 6 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned n_heard = 1; n_heard <= cases[i].n; n_heard++) {
			char *text = ask_voters(cases[i].n, n_heard);

			if ((text == NULL) != (n_heard >= cases[i].enough))
				fail_msg("%u of %u heard: %s", n_heard, cases[i].n,
				         text ? text : "no sentence");
			free(text);
		}
}

static void the_sentence_counts_and_names_the_silent(void **state)
{
	(void)state;
	char *text = ask_voters(5, 3);

	assert_non_null(text);
	assert_non_null(strstr(text, "2 of 5 sites were never heard by this node (s3, s4):"));
	free(text);
	text = ask_voters(64, 1);
	assert_non_null(text);
	assert_non_null(strstr(text, "63 of 64 sites were never heard by this node (s1, s2,"));
	assert_non_null(strstr(text, ", s34, s35 and 28 more): the others"));
	free(text);
}

/* This node's site is taken out, or new: of those that vote it has heard none. */
static void who_has_heard_nobody_is_told(void **state)
{
	(void)state;
	snprintf(core.dirs.node, sizeof(core.dirs.node), "lon-1");
	char *text = ask_voters(3, 0);

	snprintf(core.dirs.node, sizeof(core.dirs.node), "s0-1");
	assert_non_null(text);
	assert_non_null(strstr(text, "3 of 3 sites were never heard"));
	free(text);
}

/* Of a site one node is enough, whichever it is. */
static void any_node_of_a_site_speaks_for_it(void **state)
{
	(void)state;
	heard_first = true;
	assert_null(ask_voters(5, 5));
	char *text = ask_voters(5, 3);

	heard_first = false;
	assert_non_null(text);
	assert_non_null(strstr(text, "2 of 5 sites were never heard by this node (s3, s4):"));
	free(text);
}

static void of_two_sites_each_trusts_its_own_view(void **state)
{
	(void)state;
	assert_null(ask_voters(2, 1));
	assert_null(ask_voters(1, 1));
}

#define SITE(k, from, over, until)                                                                 \
	{                                                                                          \
		.kind = MODEL_OVERRIDE_##k, .target = MODEL_TARGET_SITE, .name = "s3",             \
		.from_ms = NOW_MS + (from), .over_ms = (over), .until_ms = NOW_MS + (until)        \
	}

/* Whom a person has taken out whole at this instant has no vote. */
static void a_site_that_is_out_has_no_vote(void **state)
{
	static const struct {
		const char *why;
		struct model_override o;
		bool is_out;
	} rows[] = {
		{ "drained", SITE(DRAIN, -2000, 1000, 5000), true },
		{ "drained just now", SITE(DRAIN, -1000, 1000, 5000), true },
		{ "not yet whole", SITE(DRAIN, -999, 1000, 5000), false },
		{ "returning", SITE(DRAIN, -9000, 1000, -1), false },
		{ "disabled", SITE(DISABLE, -1, 0, 1), true },
		{ "disabled just now", SITE(DISABLE, 0, 0, 1), true },
		{ "not yet disabled", SITE(DISABLE, 1, 0, 5000), false },
		{ "disabled until now", SITE(DISABLE, -1000, 0, 0), false },
		{ "forced up", SITE(FORCE_UP, -1000, 0, 5000), false },
		{ "held", SITE(HOLD, -1000, 0, 5000), false },
	};
	struct model_override list[2] = { SITE(DISABLE, -1, 0, 1), SITE(DISABLE, -1, 0, 1) };
	const struct model m = { .overrides = list, .n_overrides = 2 };

	(void)state;
	list[0].ended = true; /* the one before it does not count */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		list[1] = rows[i].o;
		if (is_withdrawn(&m, "s3", NOW_MS) != rows[i].is_out)
			fail_msg("%s", rows[i].why);
		assert_false(is_withdrawn(&m, "s4", NOW_MS));
		list[1].ended = true;
		assert_false(is_withdrawn(&m, "s3", NOW_MS));
		list[1].ended = false;
		list[1].target = MODEL_TARGET_BACKEND; /* a backend with that name */
		assert_false(is_withdrawn(&m, "s3", NOW_MS));
	}
	assert_false(is_withdrawn(NULL, "s3", NOW_MS));
}

/*
 * s3 is out, and silent: of the four that vote three were heard, which is enough only while all
 * live.
 */
static void who_is_out_is_neither_counted_nor_blamed(void **state)
{
	struct model_override o = SITE(DISABLE, -1, 0, 1);
	const struct model m = { .overrides = &o, .n_overrides = 1 };

	(void)state;
	fake_model = &m;
	char *text = ask_voters(5, 3);
	assert_non_null(text);
	assert_non_null(strstr(text, "1 of 4 sites were never heard by this node (s4):"));
	free(text);
	assert_null(ask_voters(4, 3)); /* all three that vote were heard */
	fake_model = NULL;
}

/* A page of another size than a view's is no view. */
static void a_page_that_is_too_small_was_not_heard(void **state)
{
	char path[PATH_MAX];
	struct page *page;

	(void)state;
	assert_true(was_heard(&core, "s0-1")); /* this node */
	assert_false(was_heard(&core, "unheard-of"));
	assert_int_equal(peer_page_path(core.dirs.run, "small", path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, 64, &page), 0);
	memset(page_payload(page), 1, 64);
	page_close(page);
	assert_false(was_heard(&core, "small"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_site_must_leave_more_than_half),
		cmocka_unit_test(the_sentence_counts_and_names_the_silent),
		cmocka_unit_test(who_has_heard_nobody_is_told),
		cmocka_unit_test(any_node_of_a_site_speaks_for_it),
		cmocka_unit_test(of_two_sites_each_trusts_its_own_view),
		cmocka_unit_test(a_site_that_is_out_has_no_vote),
		cmocka_unit_test(who_is_out_is_neither_counted_nor_blamed),
		cmocka_unit_test(a_page_that_is_too_small_was_not_heard),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
