/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a person is told that too few sites were ever heard, with the pages that peers' views lie
 * in.
 */
#include "api_world.h"

#include "base/page.h"
#include "mgmt/api/change/voters.h"
#include "tests/unit/suite.h"
#include "weir/peer_page.h"

static bool heard_first; /* of a site's two nodes; else the second */
static size_t view_bytes = sizeof(struct peer_page);

static int setup(void **state)
{
	world_setup(state);
	snprintf(this_node.dirs.node, sizeof(this_node.dirs.node), "s0-1");
	return 0;
}

/* The view of @p node; one that never told anything has no entries. */
static void make_view(const char *node, uint32_t n_entries)
{
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(peer_page_path(this_node.dirs.run, node, path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, view_bytes, &page), 0);
	if (view_bytes == sizeof(struct peer_page))
		((struct peer_page *)page_payload(page))->health.n_entries = n_entries;
	else
		memset(page_payload(page), 1, view_bytes);
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
		snprintf(sites[i], sizeof(sites[i]), i == 3 ? "fra" : "s%u", i);
		for (unsigned k = 0; k < 2; k++) {
			char *name = names[2 * i + k];

			snprintf(name, sizeof(names[0]), "s%u-%u", i, k + 1);
			nodes[2 * i + k] = (struct advice_node){ .site = sites[i], .node = name };
		}
		make_view(names[2 * i], heard_first && i < n_heard ? 1 : 0);
		make_view(names[2 * i + 1], !heard_first && i < n_heard ? 1 : 0);
	}
	voters_add_warning(&this_node, &advice, warnings);
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
	assert_non_null(strstr(text, "2 of 5 sites were never heard by this node (fra, s4):"));
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
	snprintf(this_node.dirs.node, sizeof(this_node.dirs.node), "lon-1");
	char *text = ask_voters(3, 0);

	snprintf(this_node.dirs.node, sizeof(this_node.dirs.node), "s0-1");
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
	assert_non_null(strstr(text, "2 of 5 sites were never heard by this node (fra, s4):"));
	free(text);
}

static void of_two_sites_each_trusts_its_own_view(void **state)
{
	(void)state;
	assert_null(ask_voters(2, 1));
	assert_null(ask_voters(1, 1));
}

/* Whether "fra" has a vote @p at_ms after a command for it: of five sites, two of which are silent, it is blamed then. */
static bool has_vote(uint64_t at_ms)
{
	told_ms = BEGIN_MS + at_ms;
	char *text = ask_voters(5, 3);

	assert_non_null(text);
	bool has = strstr(text, "2 of 5 sites were never heard by this node (fra, s4):");
	/* one that is out, and silent: of the four that vote three were heard, which is enough only while all live */
	assert_true(has || strstr(text, "1 of 4 sites were never heard by this node (s4):"));
	free(text);
	text = ask_voters(4, 3);
	assert_int_equal(!text, !has); /* all that vote were heard */
	free(text);
	return has;
}

/* Whom a person has taken out whole at this instant has no vote. */
static void a_site_that_is_out_has_no_vote(void **state)
{
	static const struct {
		const char *command;
		uint64_t out_ms, back_ms; /* 0: never */
	} rows[] = {
		{ "\"do\": \"drain\", \"target\": {\"site\": \"fra\"}, \"from\": \"+10s\", \"over\": \"10s\","
		  " \"until\": \"+30s\"",
		  20000, 30001 }, /* then it comes back by and by */
		{ "\"do\": \"disable\", \"target\": {\"site\": \"fra\"}, \"until\": \"+30s\"", 1,
		  30000 },
		{ "\"do\": \"disable\", \"target\": {\"site\": \"ams\"}, \"until\": \"+30s\"", 0,
		  0 },
		{ "\"do\": \"drain\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"fra\"},"
		  " \"over\": \"0s\", \"until\": \"+30s\"",
		  0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[300];

		snprintf(body, sizeof(body), "{%s, \"reason\": \"x\", \"override_guards\": [%s]}",
		         rows[i].command, "\"last-site\", \"last-backend\"");
		/* a backend has the name of the site */
		assert_int_equal(ask_with_json("POST /v1/config/apply?wait_ms=0",
		                               json_pack("{s:s, s:o, s:s}", "reason", "x", "files",
		                                         files_with("\"b1\"; address = \"10.2.",
		                                                    "\"fra\"; address = \"10.2."),
		                                         "confirm_within", "none")),
		                 201);
		assert_int_equal(ask_route("POST /v1/overrides?wait_ms=0", body), 201);
		for (uint64_t at_ms = 0; at_ms < 40000; at_ms += 5000)
			for (int more = -1; more < 2; more++) {
				uint64_t t = at_ms + 5000 + (uint64_t)more;
				bool out = rows[i].out_ms && t >= rows[i].out_ms &&
				           t < rows[i].back_ms;

				if (has_vote(t) == out)
					fail_msg("row %zu, after %d ms", i, (int)t);
			}
		world_teardown(state);
		setup(state);
	}
}

/* A page of another size than a view's is no view. */
static void a_page_that_is_too_small_was_not_heard(void **state)
{
	(void)state;
	view_bytes = 64;
	char *text = ask_voters(5, 5);

	view_bytes = sizeof(struct peer_page);
	assert_non_null(text);
	assert_non_null(strstr(text, "4 of 5 sites were never heard"));
	free(text);
}

SUITE(voters)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(a_dead_site_must_leave_more_than_half),
		T(the_sentence_counts_and_names_the_silent),
		T(who_has_heard_nobody_is_told),
		T(any_node_of_a_site_speaks_for_it),
		T(of_two_sites_each_trusts_its_own_view),
		T(a_site_that_is_out_has_no_vote),
		T(a_page_that_is_too_small_was_not_heard),
	};

	world_begin();
	return cmocka_run_group_tests_name("voters", tests, NULL, NULL);
}
