/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is asked, with what, and whose answer counts. */
#include "lone_node.h"
#include "tests/unit/suite.h"
#include "told_curl.h"

#include "mgmt/peers/peer_query.h"

static struct peer_query q;
static size_t done[4], n_done;

static int setup(void **state)
{
	(void)lone_node_setup(state);
	told_rows = NULL;
	n_asked = 0;
	fixture_write(place.conf, "peer.token", "0123456789abcdef\n");
	q = (struct peer_query){ .core = &this_node, .path = "/v1/x?y=1", .cluster = "shop" };
	n_done = 0;
	return 0;
}

static int teardown(void **state)
{
	peer_query_end(&q);
	return lone_node_close(state);
}

static bool add_node(const char *name, const char *api, const char *body)
{
	const struct model_node node = { .name = name, .api = api };

	return peer_query_add(&q, &node, body ? strdup(body) : NULL, NULL);
}

static void this_node_and_those_without_an_address_are_not_asked(void **state)
{
	char api[257];

	(void)state;
	memset(api, 'x', sizeof(api) - 1);
	api[256] = '\0';
	assert_false(add_node("ams-1", "https://a1", "{}"));
	assert_false(add_node("fra-1", "", "{}"));
	assert_false(add_node("fra-1", api, "{}"));
	api[255] = '\0'; /* the longest */
	assert_true(add_node("fra-1", api, NULL));
	assert_int_equal(q.n, 1);
	assert_string_equal(q.nodes[0].api, api);
}

static void the_list_has_its_bound(void **state)
{
	(void)state;
	for (size_t i = 0; i < 256; i++)
		assert_true(add_node("fra-1", "https://f1", NULL));
	assert_false(add_node("fra-1", "https://f1", "{}"));
	assert_int_equal(q.n, 256);
}

/* A node has a body of its own, or that of all; without one it is a GET. */
static void each_node_gets_its_body(void **state)
{
	(void)state;
	assert_true(add_node("fra-1", "https://f1", "{\"own\":1}"));
	assert_true(add_node("fra-2", "https://f2", NULL));
	q.query = "store";
	q.more = json_pack("{s:i}", "all", 1);
	assert_true(peer_query_send(&q));
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[0].url, "https://f1/v1/x?y=1");
	assert_string_equal(asked[0].body, "{\"own\":1}");
	assert_string_equal(
	        asked[1].body,
	        "{\"all\":1,\"node\":\"ams-1\",\"cluster\":\"shop\",\"query\":\"store\"}");
	assert_true(q.requests[0].post && q.requests[1].post);
	peer_query_end(&q);
	assert_true(add_node("fra-1", "https://f1", NULL));
	q.query = NULL;
	assert_true(peer_query_send(&q));
	assert_false(q.requests[0].post);
}

static void note_done(struct peer_query *query, size_t i)
{
	assert_ptr_equal(query, &q);
	done[n_done++] = i;
	assert_int_equal(q.requests[i].answer != NULL, i == 0);
}

static void an_answer_of_another_node_or_cluster_is_none(void **state)
{
	static const char *const why = "the answer is from another node or cluster";
	static const struct told_row rows[] = {
		{ "f1/v1/x?y=1", "{\"node\":\"fra-1\",\"cluster\":\"shop\"}", 0 },
		{ "f2/v1/x?y=1", "{\"node\":\"fra-1\",\"cluster\":\"shop\"}", 0 },
		{ "f3/v1/x?y=1", "{\"node\":\"fra-3\",\"cluster\":\"mail\"}", 0 },
		{ "f4/v1/x?y=1", "[]", 0 },
		{ NULL, NULL, 0 }
	};

	(void)state;
	told_rows = rows;
	assert_true(add_node("fra-1", "https://f1", NULL) && add_node("fra-2", "https://f2", NULL));
	assert_true(add_node("fra-3", "https://f3", NULL) && add_node("fra-4", "https://f4", NULL));
	q.done = note_done;
	assert_true(peer_query_send(&q));
	assert_int_equal(n_done, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(done[i], i);
		assert_int_equal(q.requests[i].answer != NULL, i == 0);
		if (i > 0)
			assert_string_equal(q.requests[i].failure, why);
	}
	peer_query_end(&q);
	q.cluster[0] = '\0'; /* whoever answers */
	q.done = NULL;
	assert_true(add_node("fra-2", "https://f2", NULL));
	assert_true(peer_query_send(&q));
	assert_non_null(q.requests[0].answer);
}

static void without_a_token_all_fail(void **state)
{
	(void)state;
	fixture_write(place.conf, "peer.token", "short\n");
	assert_true(add_node("fra-1", "https://f1", NULL));
	q.done = note_done;
	assert_false(peer_query_send(&q));
	assert_int_equal(n_asked + n_done, 0);
	assert_string_equal(q.requests[0].failure, "there is no usable peer.token on this node");
}

SUITE(peer_query)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(this_node_and_those_without_an_address_are_not_asked),
		T(the_list_has_its_bound),
		T(each_node_gets_its_body),
		T(an_answer_of_another_node_or_cluster_is_none),
		T(without_a_token_all_fail),
	};

	told_peers_begin();
	return cmocka_run_group_tests_name("peer query", tests, NULL, NULL);
}
