/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The peers' thread from turn to turn: when it asks, when it is poked, and without a token.
 */
#include "asked.h"

#include "mgmt/api/peers.h"
#include "mgmt/store/join.h"

/* The documented values, not the code's own. */
#define EVERY     2000
#define TURNS_MAX 64

static uint64_t fake_ms, poke_at_ms;
static bool poke_tells;
static unsigned n_waits, n_turns, turns_wanted;
static uint64_t begins_ms[TURNS_MAX];
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

static const struct model *fake_join_model(const struct intent *in)
{
	(void)in;
	return &two_peers;
}

/* The private parts too. */
#define clock_mono_ms   fake_mono_ms
#define core_wait       fake_wait
#define auth_peer_token fake_peer_token
#define join_model      fake_join_model
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
	poke_tells = false;
	n_waits = n_turns = 0;
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
	assert_int_equal(n_asked, 8);
	for (size_t i = 0; i < n_asked; i++)
		assert_string_equal(requested[i].url, i % 2 ? "https://fra:2/v1/peer/head"
		                                            : "https://fra:1/v1/peer/head");
	assert_true(peers_has_token(&this_node));
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(peers_are_asked_every_two_seconds),
		T(a_poke_begins_a_round),
		T(without_a_token_nobody_is_asked),
	};

	return cmocka_run_group_tests_name("turns of the peers' thread", tests, NULL, NULL);
}
