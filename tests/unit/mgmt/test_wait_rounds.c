/* SPDX-License-Identifier: BSD-2-Clause */
/* Which answers of peers count for a change: those given since, of the nodes that it leaves. */
#include "wait_world.h"

static void answer_in_rounds(void)
{
	if (fake_ms >= begun_ms + 500)
		views[0].round = 7;
	if (fake_ms >= begun_ms + 1000)
		views[0].round = 8;
}

/* The answer of a round that was under way when the change was made says nothing of it. */
static void peers_count_when_they_have_answered_since(void **state)
{
	(void)state;
	n_peer_reports = 1;
	views[0] = (struct peers_report){ .node = "fra-1", .state = PEERS_AGREED, .round = 6 };
	meanwhile = answer_in_rounds;
	assert_in_range(wait_for(false, "all", NULL), 1000, 1020);
	assert_in_range(n_pokes, 8, 11); /* they are asked again and again */
	assert_true(is_complete());
	assert_string_equal(text_at(1, "node"), "fra-1");
	assert_string_equal(text_at(1, "state"), "agreed");
	meanwhile = NULL; /* silent since */
	assert_int_equal(wait_for(false, "all", NULL), ALL_MS);
	assert_false(is_complete());
	assert_string_equal(text_at(1, "state"), "behind");
	assert_int_equal(wait_for(false, NULL, NULL), 0); /* nobody waits for peers */
	assert_true(is_complete());
	views[0].state = PEERS_UNREACHABLE;
	assert_int_equal(wait_for(false, "all", "300"), 300);
	assert_string_equal(text_at(1, "state"), "unreachable");
}

/* fra-1 is retired by the change: lon-1 moves to its place in the list. */
static void retire_first(void)
{
	n_peer_reports = 1;
	views[0] = (struct peers_report){ .node = "lon-1", .state = PEERS_AGREED, .round = 12 };
}

/* bru-1 is new: it stands before fra-1, and has not answered twice yet. */
static void add_first(void)
{
	views[0] = (struct peers_report){ .node = "bru-1", .state = PEERS_AGREED, .round = 1 };
	views[1] = (struct peers_report){ .node = "fra-1", .state = PEERS_AGREED, .round = 502 };
	n_peer_reports = 2;
}

static void add_first_and_go_on(void)
{
	add_first();
	views[0].round = 2;
}

static void a_change_may_add_nodes_and_take_them_out(void **state)
{
	static const struct peers_report before[] = {
		{ .node = "fra-1", .state = PEERS_AGREED, .round = 500 },
		{ .node = "lon-1", .state = PEERS_AGREED, .round = 10 },
	};

	(void)state;
	memcpy(views, before, sizeof(before));
	n_peer_reports = 2;
	meanwhile = retire_first;
	assert_in_range(wait_for(false, "all", NULL), 1, 40);
	assert_true(is_complete());
	assert_string_equal(text_at(1, "node"), "lon-1");
	assert_string_equal(text_at(1, "state"), "agreed");
	memcpy(views, before, sizeof(before));
	n_peer_reports = 1;
	meanwhile = add_first;
	assert_int_equal(wait_for(false, "all", "300"), 300);
	assert_false(is_complete());
	assert_string_equal(text_at(1, "node"), "bru-1");
	assert_string_equal(text_at(1, "state"), "behind");
	assert_string_equal(text_at(2, "node"), "fra-1");
	assert_string_equal(text_at(2, "state"), "agreed");
	memcpy(views, before, sizeof(before));
	n_peer_reports = 1;
	meanwhile = add_first_and_go_on;
	assert_in_range(wait_for(false, "all", NULL), 1, 40);
	assert_true(is_complete());
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(peers_count_when_they_have_answered_since),
		T(a_change_may_add_nodes_and_take_them_out),
	};

	return cmocka_run_group_tests_name("wait rounds", tests, NULL, NULL);
}
