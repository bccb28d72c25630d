/* SPDX-License-Identifier: BSD-2-Clause */
/* Which peers are asked for their slots, and whose answer is handed to the dataplane. */
#include "lone_node.h"
#include "tests/unit/suite.h"
#include "told_curl.h"
#include "ctl_server.h"

#include <stdatomic.h>

#include "mgmt/peers/peers_internal.h"
#include "mgmt/peers/state_fetch.h"
#include "weir/conn_state.h"

/* Two more nodes of this site, one without an API, and one of another site. */
#define NODE(name, site, number, api)                                                              \
	"{ name = \"" name "\"; site = \"" site "\"; ports = ( { interface = \"eth1\"; } ); "      \
	"tunnel_source = [ \"10.1." number ".0/24\" ];" api " }, "
#define AT(number) " api = \"https://10.9.0." number ":8443\";"
static const char more_nodes[] =
        NODE("ams-2", "ams", "2", AT("2")) NODE("ams-3", "ams", "3", AT("3"))
                NODE("ams-4", "ams", "4", "") NODE("fra-2", "fra", "5", AT("5"));
#define OF_2 ".2:8443/v1/peer/connections"
#define OF_3 ".3:8443/v1/peer/connections"

static struct peers peers;
/* What the dataplane says of itself, and of its connections; NULL: nothing. */
static const char *status_said, *connections_said;
static atomic_uint n_lines;

static struct ctl_server own_process;

static const char *answer_as_dataplane(const char *line)
{
	assert_false(lone_node_is_locked());
	n_lines++;
	if (!strcmp(line, "{\"do\":\"status\"}"))
		return status_said;
	assert_string_equal(line, "{\"do\":\"connections\"}");
	return connections_said;
}

static int open_node(const char *nodes)
{
	told_ms = 1000000;
	told_wall_ms = NOW_MS;
	lone_node_open(nodes);
	fixture_write(place.conf, "peer.token", "0123456789abcdef\n");
	peers = (struct peers){ .n_reports = 2 };
	for (size_t i = 0; i < 2; i++) {
		snprintf(peers.reports[i].node, MODEL_NAME_MAX, "ams-%zu", i + 2);
		peers.reports[i].state = PEERS_AGREED;
	}
	this_node.peers = &peers;
	told_rows = NULL;
	n_asked = 0;
	ctl_server_start(&own_process, place.root, "dataplane");
	own_process.answer_to = answer_as_dataplane;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return open_node(more_nodes);
}

/* A node that has its site for itself. */
static int setup_alone(void **state)
{
	(void)state;
	return open_node("");
}

static int teardown(void **state)
{
	ctl_server_stop(&own_process);
	return lone_node_close(state);
}

/* What is in RUN/connections.state after one round of the thread: who told it, or "" for nothing. */
static const char *play_round(void)
{
	static char node[64];
	struct conn_state told;

	told_ms++;
	n_asked = 0;
	n_lines = 0;
	this_node.stopping = false;
	assert_int_equal(state_fetch_start(&this_node), 0);
	while (!n_lines)
		usleep(100);
	core_lock(&this_node);
	this_node.stopping = true; /* the round that has begun is the last one */
	core_changed(&this_node);
	core_unlock(&this_node);
	state_fetch_stop(&this_node);
	node[0] = '\0';
	if (!conn_state_read(this_node.dirs.run, told_ms - 1, &told)) {
		snprintf(node, sizeof(node), "%s", told.node);
		if (strcmp(node, CONN_STATE_NO_PEER) != 0)
			assert_int_equal(strncmp(told.text, "of ", 3), 0);
		free(told.text);
	}
	return node;
}

#define NOTHING(node)                                                                              \
	"{\"node\":\"" node "\",\"cluster\":\"shop\",\"learning\":true,\"connections\":\"\"}"
#define KNOWS(node)                                                                                \
	"{\"node\":\"" node                                                                        \
	"\",\"cluster\":\"shop\",\"learning\":false,\"connections\":\"of " node "\"}"
#define WANTS "{\"wants_connections\":true,\"document\":1}"

/* Of the first that knows and agrees; "-" only where all say that they know nothing. */
static void one_answer_is_handed_over(void **state)
{
	static const struct {
		const char *first, *second;
		bool agrees[2];
		const char *from;
	} cases[] = {
		{ KNOWS("ams-2"), KNOWS("ams-3"), { true, true }, "ams-2" },
		{ KNOWS("ams-2"), KNOWS("ams-3"), { false, true }, "ams-3" },
		{ KNOWS("ams-2"), KNOWS("ams-3"), { false, false }, "" },
		{ NOTHING("ams-2"), KNOWS("ams-3"), { true, true }, "ams-3" },
		{ NOTHING("ams-2"), KNOWS("ams-3"), { true, false }, "" },
		{ NOTHING("ams-2"), NOTHING("ams-3"), { true, false }, CONN_STATE_NO_PEER },
		{ NOTHING("ams-2"), NULL, { true, true }, "" },
		{ NULL, NULL, { true, true }, "" },
		{ KNOWS("ams-3"), NOTHING("ams-2"), { true, true }, "" }, /* each other's */
	};

	(void)state;
	status_said = WANTS;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct told_row rows[] = {
			{ cases[i].first ? OF_2 : "-", cases[i].first, 0 },
			{ cases[i].second ? OF_3 : "-", cases[i].second, 0 },
			{ ".5:8443/v1/peer/connections", KNOWS("fra-2"), 0 },
			{ NULL, NULL, 0 }
		};

		told_rows = rows;
		for (size_t k = 0; k < 2; k++)
			peers.reports[k].state = cases[i].agrees[k] ? PEERS_AGREED : PEERS_BEHIND;
		if (strcmp(play_round(), cases[i].from) != 0)
			fail_msg("case %zu", i);
		assert_int_equal(n_asked, 2); /* of this site, and with an API */
	}
}

static void only_who_agrees_is_believed(void **state)
{
	static const struct told_row rows[] = { { OF_2, KNOWS("ams-2"), 0 },
		                                { OF_3, NOTHING("ams-3"), 0 },
		                                { NULL, NULL, 0 } };

	(void)state;
	status_said = WANTS;
	told_rows = rows;
	for (int s = PEERS_UNASKED; s <= PEERS_UNREACHABLE; s++) {
		peers.reports[0].state = (enum peers_state)s;
		assert_string_equal(play_round(), s == PEERS_AGREED ? "ams-2" : "");
	}
	peers.reports[0].state = PEERS_AGREED;
	snprintf(peers.reports[0].node, MODEL_NAME_MAX, "ams-9"); /* nothing was heard of it */
	assert_string_equal(play_round(), "");
}

static void the_dataplane_wants_only_with_the_document_of_now(void **state)
{
	static const struct {
		const char *said;
		bool wants;
	} rows[] = {
		{ WANTS, true },
		{ "{\"wants_connections\":true,\"document\":0}", false },
		{ "{\"wants_connections\":true,\"document\":2}", false },
		{ "{\"wants_connections\":false,\"document\":1}", false },
		{ "{\"wants_connections\":1,\"document\":1}", false },
		{ "{\"document\":1}", false },
		{ "{\"wants_connections\":true}", false },
		{ "nonsense", false },
		{ NULL, false },
	};
	static const struct told_row knows[] = { { OF_2, KNOWS("ams-2"), 0 }, { NULL, NULL, 0 } };

	(void)state;
	assert_int_equal(intent_document(this_node.intent), 1);
	told_rows = knows;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		status_said = rows[i].said;
		if (strcmp(play_round(), rows[i].wants ? "ams-2" : "") != 0)
			fail_msg("row %zu", i);
		assert_int_equal(n_asked, rows[i].wants ? 2 : 0);
	}
}

/* Nobody knows more than it does. */
static void a_node_without_peers_tells_at_once_that_there_is_nothing(void **state)
{
	(void)state;
	status_said = WANTS;
	assert_string_equal(play_round(), CONN_STATE_NO_PEER);
	assert_int_equal(n_asked, 0);
}

static void a_peer_is_told_what_the_dataplane_knows_and_who_says_so(void **state)
{
	(void)state;
	connections_said = "{\"learning\":false,\"connections\":\"g\",\"node\":\"other\"}";
	json_t *told = state_fetch_to_json(&this_node);
	json_t *wanted = json_pack("{s:b, s:s, s:s, s:s}", "learning", 0, "connections", "g",
	                           "node", "ams-1", "cluster", "shop");
	assert_true(json_equal(told, wanted));
	json_decref(wanted);
	json_decref(told);
	connections_said = NULL;
	assert_null(state_fetch_to_json(&this_node));
}

SUITE(state_fetch_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_answer_is_handed_over),
		T(only_who_agrees_is_believed),
		T(the_dataplane_wants_only_with_the_document_of_now),
		cmocka_unit_test_setup_teardown(
		        a_node_without_peers_tells_at_once_that_there_is_nothing, setup_alone,
		        teardown),
		T(a_peer_is_told_what_the_dataplane_knows_and_who_says_so),
	};

	told_peers_begin();
	return cmocka_run_group_tests_name("state fetch parts", tests, NULL, NULL);
}
