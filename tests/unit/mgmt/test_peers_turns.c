/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peers' thread from turn to turn: when it asks, when it is poked, without a token, and how
 * long a joining node waits.
 */
#include "asked.h"

#include "mgmt/api/peers.h"
#include "mgmt/store/join.h"

/* The documented values, not the code's own. */
#define EVERY      2000
#define JOIN_EVERY 250
#define JOIN       4000 /* and a last round of a second: five at most */
#define TURNS_MAX  64

static uint64_t fake_ms, poke_at_ms;
static bool fake_joins, poke_tells;
static unsigned n_alone, n_resumed, n_waits, n_turns, turns_wanted;
static uint64_t alone_ms, begins_ms[TURNS_MAX];
static const char *fake_token;

static struct model_site fra = { .name = "fra" };
static struct model_node nodes[] = {
	{ .name = "ams-1", .site = &fra, .api = "https://ams:1" },
	{ .name = "fra-1", .site = &fra, .api = "https://fra:1" },
	{ .name = "fra-2", .site = &fra, .api = "https://fra:2" },
};
static const struct model two_peers = {
	.nodes = nodes, .n_nodes = 3, .self = &nodes[0], .cluster = "shop"
};

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

/* Under the lock. It wakes half-way once, for nothing; the last turn's wait ends the process. */
static bool fake_wait(struct core *core, uint64_t until_ms)
{
	assert_true(asked_is_locked());
	n_waits++;
	if (poke_at_ms && poke_at_ms < until_ms) {
		fake_ms = poke_at_ms;
		poke_at_ms = 0;
		peers_poke(core, poke_tells);
	} else {
		fake_ms = n_waits % 2 ? fake_ms + (until_ms - fake_ms) / 2 : until_ms;
	}
	core->stopping = n_turns >= turns_wanted;
	return !core->stopping;
}

static void fake_peer_token(const char *conf_dir, char out[HTTP_TEXT_MAX])
{
	assert_false(asked_is_locked());
	assert_string_equal(conf_dir, this_node.dirs.conf);
	assert_true(n_turns < TURNS_MAX);
	begins_ms[n_turns++] = fake_ms;
	snprintf(out, HTTP_TEXT_MAX, "%s", fake_token);
}

static void fake_resume(struct core *core)
{
	assert_false(asked_is_locked());
	assert_ptr_equal(core, &this_node);
	n_resumed++;
	if (fake_joins)
		n_asked = 0; /* more than the table of requests holds */
}

static bool fake_join_waits(const struct intent *in)
{
	(void)in;
	return fake_joins && !n_alone;
}

static void fake_start_alone(struct intent *in, int64_t now_ms)
{
	(void)in;
	(void)now_ms;
	n_alone++;
	alone_ms = fake_ms;
}

static const struct model *fake_join_model(const struct intent *in)
{
	(void)in;
	return &two_peers;
}

/* The private parts too. */
#define clock_mono_ms    fake_mono_ms
#define core_wait        fake_wait
#define auth_peer_token  fake_peer_token
#define propose_resume   fake_resume
#define join_waits       fake_join_waits
#define join_start_alone fake_start_alone
#define join_model       fake_join_model
#include "mgmt/api/peers.c"
#include "mgmt/api/peers_round.c"
#undef clock_mono_ms

static struct peers own;

static int setup(void **state)
{
	memset(&own, 0, sizeof(own));
	(void)asked_setup(state);
	this_node.peers = &own;
	fake_ms = 1000000;
	poke_at_ms = 0;
	fake_joins = poke_tells = false;
	n_alone = n_resumed = n_waits = n_turns = 0;
	fake_token = "the-peers-token!";
	return 0;
}

static void run_turns(unsigned n)
{
	turns_wanted = n;
	this_node.stopping = false;
	n_turns = n_asked = 0;
	assert_null(run_peers(&this_node));
	assert_false(asked_is_locked());
	assert_int_equal(n_turns, n);
}

/* Every two seconds, however often it is woken for something else. */
static void peers_are_asked_every_two_seconds(void **state)
{
	(void)state;
	assert_true(peers_has_token(&this_node)); /* not known yet */
	run_turns(4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(begins_ms[i], 1000000 + i * EVERY);
	assert_int_equal(n_resumed, 4);
	assert_int_equal(n_asked, 8);
	for (size_t i = 0; i < n_asked; i++)
		assert_string_equal(requested[i].url, i % 2 ? "https://fra:2/v1/peer/head"
		                                            : "https://fra:1/v1/peer/head");
	assert_true(peers_has_token(&this_node));
	assert_int_equal(n_alone, 0);
	assert_int_equal(own.n_reports, 2);
	assert_int_equal(own.reports[1].state, PEERS_UNREACHABLE);
}

/*
 * A poke begins the next round now; one that is to be told is told once, before the peers are
 * asked.
 */
static void a_poke_begins_a_round(void **state)
{
	(void)state;
	for (int tells = 0; tells < 2; tells++) {
		poke_tells = tells;
		poke_at_ms = fake_ms + 700;
		uint64_t from_ms = fake_ms;

		run_turns(3);
		assert_int_equal(begins_ms[1], from_ms + 700);
		assert_int_equal(begins_ms[2], from_ms + 700 + EVERY);
		assert_int_equal(n_asked, tells ? 8 : 6);
		for (size_t i = 0; i < n_asked; i++) {
			bool is_poke = strstr(requested[i].url, "/v1/peer/poke") != NULL;

			assert_int_equal(is_poke, tells && (i == 2 || i == 3));
		}
		assert_false(own.poked || own.notify_others);
	}
}

static void without_a_token_nobody_is_asked(void **state)
{
	const struct peers_report *views;

	(void)state;
	fake_token = "";
	run_turns(2);
	assert_int_equal(n_asked, 0);
	assert_int_equal(n_resumed, 2);
	assert_false(peers_has_token(&this_node));
	assert_int_equal(peers_report(&this_node, &views), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(views[i].node, nodes[i + 1].name);
		assert_string_equal(views[i].site, "fra");
		assert_int_equal(views[i].state, PEERS_UNREACHABLE);
		assert_true(views[i].unasked);
		assert_string_equal(views[i].unreachable_reason,
		                    "there is no usable peer.token on this node");
	}
	fake_token = "the-peers-token!"; /* the file may come later */
	run_turns(1);
	assert_int_equal(n_asked, 2);
	assert_true(peers_has_token(&this_node));
	assert_false(own.reports[0].unasked);
}

/*
 * A node that joins asks four times a second, for four seconds: then it starts without its peers.
 */
static void a_joining_node_asks_for_four_seconds(void **state)
{
	(void)state;
	fake_joins = true;
	run_turns(7);
	assert_int_equal(begins_ms[6], 1000000 + 6 * JOIN_EVERY);
	assert_int_equal(n_alone, 0);
	fake_ms = 1000000;
	n_waits = 0;
	run_turns(JOIN / JOIN_EVERY + 3);
	assert_int_equal(n_alone, 1);
	assert_int_equal(alone_ms, 1000000 + JOIN);
	assert_int_equal(begins_ms[JOIN / JOIN_EVERY + 1], 1000000 + JOIN + JOIN_EVERY);
	assert_int_equal(begins_ms[JOIN / JOIN_EVERY + 2], 1000000 + JOIN + JOIN_EVERY + EVERY);
}

/* At once where no peer has anything, or none can be asked; not while one has not answered. */
static void a_joining_node_waits_for_peers_that_may_have_more(void **state)
{
	static const struct {
		enum peers_state states[2];
		bool unasked[2], ends;
	} rows[] = {
		{ { PEERS_BEHIND, PEERS_BEHIND }, { false, false }, true },
		{ { PEERS_BEHIND, PEERS_UNREACHABLE }, { false, false }, false },
		{ { PEERS_UNREACHABLE, PEERS_BEHIND }, { false, false }, false },
		{ { PEERS_UNREACHABLE, PEERS_UNREACHABLE }, { true, true }, true },
		{ { PEERS_UNREACHABLE, PEERS_UNREACHABLE }, { true, false }, false },
		{ { PEERS_BEHIND, PEERS_UNREACHABLE }, { false, true }, true },
		{ { PEERS_AHEAD, PEERS_BEHIND }, { false, false }, false },
		{ { PEERS_AGREED, PEERS_BEHIND }, { false, false }, false },
	};

	(void)state;
	fake_joins = true;
	own.n_reports = 2;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t k = 0; k < 2; k++)
			own.reports[k] = (struct peers_report){ .state = rows[i].states[k],
				                                .unasked = rows[i].unasked[k] };
		n_alone = 0;
		end_joining(&this_node, fake_ms + 1);
		if (n_alone != rows[i].ends)
			fail_msg("row %zu", i);
		n_alone = 0;
		end_joining(&this_node, fake_ms);
		assert_int_equal(n_alone, 1);
	}
	fake_joins = false;
	n_alone = 0;
	end_joining(&this_node, fake_ms);
	assert_int_equal(n_alone, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(peers_are_asked_every_two_seconds),
		T(a_poke_begins_a_round),
		T(without_a_token_nobody_is_asked),
		T(a_joining_node_asks_for_four_seconds),
		T(a_joining_node_waits_for_peers_that_may_have_more),
	};

	return cmocka_run_group_tests_name("turns of the peers' thread", tests, NULL, NULL);
}
