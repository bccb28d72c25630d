/* SPDX-License-Identifier: BSD-2-Clause */
/* When a person is told that too few sites were ever heard, with the pages that peers' views lie in. */
#include "fixture.h"

#include <jansson.h>

#include "base/page.h"
#include "mgmt/api/voters.h"
#include "weir/view.h"

static struct fixture place;
static struct core core;

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

	assert_int_equal(view_path(core.dirs.run, node, path), 0);
	assert_int_equal(page_create(path, VIEW_PAGE_KIND, VIEW_PAGE_LAYOUT,
	                             sizeof(struct view_page), &page),
	                 0);
	((struct view_page *)page_payload(page))->health.n_entries = n_entries;
	page_close(page);
}

/*
 * @p n sites of two nodes each, of which the second ones of the first @p n_heard were heard; this node is
 * in the first. @return the sentence, from malloc(), or NULL
 */
static char *ask(unsigned n, unsigned n_heard)
{
	static char names[2 * 9][16], sites[9][16];
	struct advice_node nodes[2 * 9];
	const struct advice advice = { .nodes = nodes, .n_nodes = (size_t)2 * n };
	json_t *warnings = json_array();

	for (unsigned i = 0; i < n; i++) {
		snprintf(sites[i], sizeof(sites[i]), "s%u", i);
		for (unsigned k = 0; k < 2; k++) {
			char *name = names[2 * i + k];

			snprintf(name, sizeof(names[0]), "s%u-%u", i, k + 1);
			nodes[2 * i + k] = (struct advice_node){ .site = sites[i], .node = name };
		}
		make_view(names[2 * i], 0);
		make_view(names[2 * i + 1], i < n_heard ? 1 : 0);
	}
	voters_warn(&core, &advice, warnings);
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
			char *text = ask(cases[i].n, n_heard);

			if ((text == NULL) != (n_heard >= cases[i].enough))
				fail_msg("%u of %u heard: %s", n_heard, cases[i].n,
				         text ? text : "no sentence");
			free(text);
		}
}

static void the_sentence_counts_and_names_the_silent(void **state)
{
	(void)state;
	char *text = ask(5, 3);

	assert_non_null(text);
	assert_non_null(strstr(text, "2 of 5 sites were never heard by this node (s3, s4):"));
	free(text);
}

/* This node's site is taken out, or new: of those that vote it has heard none. */
static void who_has_heard_nobody_is_told(void **state)
{
	(void)state;
	snprintf(core.dirs.node, sizeof(core.dirs.node), "lon-1");
	char *text = ask(3, 0);

	snprintf(core.dirs.node, sizeof(core.dirs.node), "s0-1");
	assert_non_null(text);
	assert_non_null(strstr(text, "3 of 3 sites were never heard"));
	free(text);
}

static void of_two_sites_each_trusts_its_own_view(void **state)
{
	(void)state;
	assert_null(ask(2, 1));
	assert_null(ask(1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_site_must_leave_more_than_half),
		cmocka_unit_test(the_sentence_counts_and_names_the_silent),
		cmocka_unit_test(who_has_heard_nobody_is_told),
		cmocka_unit_test(of_two_sites_each_trusts_its_own_view),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
