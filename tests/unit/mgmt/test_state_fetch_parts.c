/* SPDX-License-Identifier: BSD-2-Clause */
/* Which peers are asked for their slots, and whose answer is handed to the dataplane. */
#include "asked.h"

#include <errno.h>

#include "mgmt/peers/peers.h"

static struct peers_report fake_view[2];

static size_t fake_peers_view(const struct core *c, const struct peers_report **out)
{
	(void)c;
	*out = fake_view;
	return 2;
}

/* What the dataplane answers to the question whose word is @c asked. */
static const char *fake_answer;
static char asked_path[PATH_MAX], asked_line[64];

static int fake_ask(const char *path, const char *line, int timeout_ms, char **answer)
{
	assert_int_equal(timeout_ms, 1000);
	snprintf(asked_path, sizeof(asked_path), "%s", path);
	snprintf(asked_line, sizeof(asked_line), "%s", line);
	*answer = fake_answer ? strdup(fake_answer) : NULL;
	return fake_answer ? 0 : -ETIMEDOUT;
}

/* One round. */
static void fake_rounds(struct core *core, void (*round)(struct core *core), uint64_t every_ms)
{
	assert_int_equal(every_ms, 500);
	core_lock(core);
	round(core);
	core_unlock(core);
}

/* The private parts too. */
#define peers_report(core, out) fake_peers_view(core, out)
#define ctl_request             fake_ask
#define core_run_rounds         fake_rounds
#include "mgmt/peers/state_fetch.c"
#undef peers_report
#undef ctl_request
#undef core_run_rounds

static void peers_of_this_site_with_an_api_are_asked(void **state)
{
	static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
	static char long_api[300];
	struct model_node nodes[] = {
		{ .name = "ams-1", .api = "https://a1", .site = &sites[0] },
		{ .name = "ams-2", .api = "https://a2", .site = &sites[0] },
		{ .name = "fra-1", .api = "https://f1", .site = &sites[1] },
		{ .name = "ams-3", .api = "", .site = &sites[0] },
		{ .name = "ams-4", .api = long_api, .site = &sites[0] },
		{ .name = "ams-5", .api = "https://a5", .site = &sites[0] },
	};
	struct model m = { .cluster = "shop", .nodes = nodes, .n_nodes = 6, .self = &nodes[0] };
	static struct state_fetch l;

	(void)state;
	memset(long_api, 'x', sizeof(long_api) - 1);
	snprintf(fake_view[0].node, sizeof(fake_view[0].node), "ams-2");
	snprintf(fake_view[1].node, sizeof(fake_view[1].node), "ams-5");
	for (int s = PEERS_UNASKED; s <= PEERS_UNREACHABLE; s++) {
		fake_view[0].state = (enum peers_state)s;
		fake_view[1].state = PEERS_AGREED;
		list_site_peers(&this_node, &l, &m);
		assert_int_equal(l.query.n, 2);
		assert_string_equal(l.query.cluster, "shop");
		assert_string_equal(l.query.nodes[0].name, "ams-2");
		assert_string_equal(l.query.nodes[0].api, "https://a2");
		assert_string_equal(l.query.nodes[1].name, "ams-5");
		assert_int_equal(l.agrees[0], s == PEERS_AGREED);
		assert_true(l.agrees[1]);
		peer_query_end(&l.query);
	}
	assert_false(peer_agrees(&this_node, "unheard-of"));
}

#define NOTHING(node)                                                                              \
	"{\"node\":\"" node "\",\"cluster\":\"shop\",\"learning\":true,\"connections\":\"\"}"
#define KNOWS(node)                                                                                \
	"{\"node\":\"" node                                                                        \
	"\",\"cluster\":\"shop\",\"learning\":false,\"connections\":\"of " node "\"}"

/* Of the first that knows and agrees; "-" only where all say that they know nothing. */
static void one_answer_is_handed_over(void **state)
{
	static const struct {
		const char *first, *second;
		bool agrees[2];
		const char *from; /* NULL: nothing is */
	} cases[] = {
		{ KNOWS("ams-2"), KNOWS("ams-3"), { true, true }, "ams-2" },
		{ KNOWS("ams-2"), KNOWS("ams-3"), { false, true }, "ams-3" },
		{ KNOWS("ams-2"), KNOWS("ams-3"), { false, false }, NULL },
		{ NOTHING("ams-2"), KNOWS("ams-3"), { true, true }, "ams-3" },
		{ NOTHING("ams-2"), KNOWS("ams-3"), { true, false }, NULL },
		{ NOTHING("ams-2"), NOTHING("ams-3"), { true, false }, CONN_STATE_NO_PEER },
		{ NOTHING("ams-2"), NULL, { true, true }, NULL },
		{ NULL, NULL, { true, true }, NULL },
		{ KNOWS("ams-3"), NOTHING("ams-2"), { true, true }, NULL }, /* each other's */
	};
	static const struct model_site ams = { .name = "ams" };
	struct model_node nodes[] = { { .name = "ams-1", .site = &ams },
		                      { .name = "ams-2", .api = "https://a2", .site = &ams },
		                      { .name = "ams-3", .api = "https://a3", .site = &ams } };
	struct model m = { .cluster = "shop", .nodes = nodes, .n_nodes = 3, .self = &nodes[0] };
	static struct state_fetch l;

	(void)state;
	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct asked_row rows[] = { { "a2/v1/peer/connections", cases[i].first, 0 },
			                          { "a3/v1/peer/connections", cases[i].second, 0 },
			                          { NULL, NULL, 0 } };
		struct conn_state told;
		uint64_t now_ms = clock_mono_ms();

		list_site_peers(&this_node, &l, &m);
		memcpy(l.agrees, cases[i].agrees, sizeof(cases[i].agrees));
		asked_rows = rows;
		n_asked = 0;
		while (clock_mono_ms() == now_ms)
			;
		query_site_peers(&this_node, &l);
		assert_int_equal(n_asked, 2);
		bool is_told = !conn_state_read(this_node.dirs.run, now_ms, &told);

		if (is_told != (cases[i].from != NULL) ||
		    (is_told && strcmp(told.node, cases[i].from) != 0))
			fail_msg("case %zu", i);
		if (is_told)
			free(told.text);
	}
}

static void the_dataplane_wants_only_with_the_document_of_now(void **state)
{
	static const struct {
		const char *answer;
		bool wants;
	} rows[] = {
		{ "{\"wants_connections\":true,\"document\":7}", true },
		{ "{\"wants_connections\":true,\"document\":6}", false },
		{ "{\"wants_connections\":true,\"document\":8}", false },
		{ "{\"wants_connections\":false,\"document\":7}", false },
		{ "{\"wants_connections\":1,\"document\":7}", false },
		{ "{\"document\":7}", false },
		{ "{\"wants_connections\":true}", false },
		{ "nonsense", false },
		{ NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake_answer = rows[i].answer;
		if (wants_state(&this_node, 7) != rows[i].wants)
			fail_msg("row %zu", i);
		assert_string_equal(asked_line, "{\"do\":\"status\"}");
	}
	assert_string_equal(strrchr(asked_path, '/'), "/dataplane.ctl");
}

static void a_peer_is_told_what_the_dataplane_knows_and_who_says_so(void **state)
{
	(void)state;
	fake_answer = "{\"learning\":false,\"connections\":\"g\",\"node\":\"other\"}";
	json_t *told = state_fetch_to_json(&this_node);
	assert_string_equal(asked_line, "{\"do\":\"connections\"}");
	json_t *wanted = json_pack("{s:b, s:s, s:s, s:s}", "learning", 0, "connections", "g",
	                           "node", "ams-1", "cluster", "shop");
	assert_true(json_equal(told, wanted));
	json_decref(wanted);
	json_decref(told);
	fake_answer = NULL;
	assert_null(state_fetch_to_json(&this_node));
}

/* What is in RUN/connections.state after one round of the thread: who told it, or "" for nothing. */
static const char *round_with(const char *answer)
{
	static char node[64];
	struct conn_state told;
	uint64_t now_ms = clock_mono_ms();
	struct state_fetch l = { .query = { .n = 0 } };

	while (clock_mono_ms() == now_ms)
		;
	fake_answer = answer;
	this_node.state_fetch = &l;
	run_state_fetch(&this_node);
	this_node.state_fetch = NULL;
	node[0] = '\0';
	if (!conn_state_read(this_node.dirs.run, now_ms, &told)) {
		snprintf(node, sizeof(node), "%s", told.node);
		free(told.text);
	}
	return node;
}

/* This node's site has no other: nobody knows more. Only who wants it is told. */
static void a_round_tells_a_dataplane_that_wants(void **state)
{
	char wanting[64];

	(void)state;
	snprintf(wanting, sizeof(wanting), "{\"wants_connections\":true,\"document\":%llu}",
	         (unsigned long long)intent_document(this_node.intent));
	assert_string_equal(round_with("{\"wants_connections\":false}"), "");
	assert_string_equal(round_with(NULL), "");
	assert_string_equal(round_with(wanting), CONN_STATE_NO_PEER);
	assert_int_equal(n_asked, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, asked_setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(peers_of_this_site_with_an_api_are_asked),
		T(one_answer_is_handed_over),
		T(the_dataplane_wants_only_with_the_document_of_now),
		T(a_peer_is_told_what_the_dataplane_knows_and_who_says_so),
		T(a_round_tells_a_dataplane_that_wants),
	};

	return cmocka_run_group_tests_name("learn parts", tests, NULL, NULL);
}
