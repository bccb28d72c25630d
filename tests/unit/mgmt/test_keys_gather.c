/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of all nodes, gathered: who is asked and how often, what counts, and how many answers a second name a site. */
#include "lone_node.h"
#include "tests/unit/suite.h"
#include "told_curl.h"

#include "base/page.h"
#include "mgmt/peers/keys_gather.h"
#include "mgmt/peers/peer_keys.h"

static uint64_t peer_answers; /* 0: the peer is silent */
static struct page *page;     /* of the own weir-dns */
static bool is_own_silent;

static const struct addr dns;
static struct model_node nodes[] = {
	{ .name = "ams-1", .api = "https://a1", .dns_listen = &dns, .n_dns_listen = 1 },
	{ .name = "fra-1", .api = "https://f1", .dns_listen = &dns, .n_dns_listen = 1 },
	{ .name = "fra-2", .api = "https://f2" }, /* serves no DNS */
};
static struct model m = { .cluster = "shop", .nodes = nodes, .n_nodes = 3, .self = &nodes[0] };
static struct peer_client client;
static struct keys_gather *g;

static const struct steer_key a_key = { .key = { 4, 1 }, .name = 1, .queries = 5 };
static const struct steer_keys_name a_name = { .name = 1, .queries = 5 };

static struct steer_keys_answers count_answers(uint64_t answers)
{
	return (struct steer_keys_answers){ .service = hash_text("web"),
		                            .site = hash_text("ams"),
		                            .answers = answers };
}

static struct steer_keys_page *own_page(void)
{
	return page_payload(page);
}

static int setup(void **state)
{
	char path[PATH_MAX];

	(void)state;
	told_ms = 100000;
	told_wall_ms = NOW_MS;
	n_asked = 0;
	peer_answers = 1000;
	is_own_silent = false;
	m.n_nodes = 3;
	lone_node_open("");
	fixture_write(place.conf, "peer.token", "0123456789abcdef\n");
	client_open(&client, place.conf);
	assert_int_equal(proc_path(place.root, STEER_KEYS_PAGE_FILE, path), 0);
	assert_int_equal(page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT,
	                             sizeof(struct steer_keys_page), &page),
	                 0);
	own_page()->covered_s = 60;
	own_page()->keys[0] = a_key;
	own_page()->names[0] = a_name;
	own_page()->answers[0] = count_answers(500);
	own_page()->n_keys = own_page()->n_names = own_page()->n_answers = 1;
	g = keys_gather_new();
	return g ? 0 : -1;
}

static int teardown(void **state)
{
	keys_gather_free(g);
	client_close(&client);
	page_close(page);
	return lone_node_close(state);
}

/* What fra-1 says; NULL: nothing. */
static char *say_of_peer(void)
{
	struct steer_keys *k = steer_keys_new(1, 1, 1);

	k->covered_s = 60;
	k->read_ms = told_ms;
	k->keys[0] = a_key;
	k->names[0] = a_name;
	k->answers[0] = count_answers(peer_answers);
	json_t *said = peer_keys_make(k, told_ms);

	json_object_set_new(said, "node", json_string("fra-1"));
	json_object_set_new(said, "cluster", json_string("shop"));
	char *text = json_dumps(said, 0);

	json_decref(said);
	steer_keys_free(k);
	return text;
}

/* Look again; @p with is the client, or NULL. */
static void refresh_with(struct peer_client *with)
{
	char *text = say_of_peer();
	const struct told_row rows[] = { { peer_answers ? "https://f1/v1/peer/exchange keys" : "-",
		                           text, 0 },
		                         { NULL, NULL, 0 } };
	size_t before = n_asked;

	if (!is_own_silent)
		page_alive(page, told_ms);
	told_rows = rows;
	keys_gather_refresh(g, &this_node, with, &m);
	for (size_t i = before; i < n_asked; i++) {
		assert_string_equal(asked[i].url, "https://f1/v1/peer/exchange keys");
		assert_in_range(asked[i].timeout_ms, 1, 999);
	}
	free(text);
}

static void wait_ms(uint64_t ms)
{
	told_ms += ms;
	refresh_with(&client);
}

/* Of which nodes something counts, of the two that serve DNS. */
static void expect_heard(bool own, bool peer)
{
	assert_int_equal(keys_gather_is_heard(g, "ams-1"), own);
	assert_int_equal(keys_gather_is_heard(g, "fra-1"), peer);
	assert_false(keys_gather_is_heard(g, "fra-2"));
}

static void nodes_that_serve_dns_are_asked_when_they_are_due(void **state)
{
	(void)state;
	wait_ms(0);
	assert_int_equal(n_asked, 1);
	expect_heard(true, true);
	wait_ms(4999);
	assert_int_equal(n_asked, 1);
	wait_ms(1);
	assert_int_equal(n_asked, 2);
	peer_answers = 0; /* one that is away is asked less often */
	wait_ms(5000);
	assert_int_equal(n_asked, 3);
	wait_ms(5000); /* but a single answer may get lost */
	assert_int_equal(n_asked, 4);
	wait_ms(29999);
	assert_int_equal(n_asked, 4);
	peer_answers = 1;
	wait_ms(1);
	assert_int_equal(n_asked, 5);
	wait_ms(5000);
	assert_int_equal(n_asked, 6);
}

static void the_first_answer_may_get_lost(void **state)
{
	(void)state;
	peer_answers = 0;
	wait_ms(0);
	wait_ms(0); /* at once, and once */
	assert_int_equal(n_asked, 2);
	wait_ms(0);
	wait_ms(29999);
	assert_int_equal(n_asked, 2);
	wait_ms(1);
	assert_int_equal(n_asked, 3);
}

static void without_a_client_or_token_nobody_is_asked(void **state)
{
	(void)state;
	refresh_with(NULL);
	fixture_write(place.conf, "peer.token", "\n");
	refresh_with(&client);
	assert_int_equal(n_asked, 0);
	expect_heard(true, false);
}

static void what_a_silent_node_said_counts_for_a_minute(void **state)
{
	(void)state;
	wait_ms(0);
	peer_answers = 0;
	is_own_silent = true;
	wait_ms(60000);
	expect_heard(true, true);
	wait_ms(1);
	expect_heard(false, false);
	assert_false(keys_gather_is_heard(g, "none"));
}

static void a_node_that_leaves_the_document_is_forgotten(void **state)
{
	(void)state;
	wait_ms(0);
	m.n_nodes = 1;
	wait_ms(1000);
	expect_heard(true, false);
	m.n_nodes = 3;
	peer_answers = 0;
	wait_ms(1000);
	expect_heard(true, false);
}

static void rates_are_of_two_looks_and_never_of_one(void **state)
{
	uint64_t milli = 77;

	(void)state;
	wait_ms(0);
	assert_false(keys_gather_rate(g, "ams-1", "web", "ams", &milli));
	for (int i = 1; i <= 20; i++) { /* looks in quick succession, as while a step begins */
		own_page()->answers[0].answers += 25;
		wait_ms(250);
		assert_int_equal(keys_gather_rate(g, "ams-1", "web", "ams", &milli), i >= 4);
		assert_int_equal(milli, i >= 4 ? 100000 : 77);
		assert_int_equal(keys_gather_rate(g, "fra-1", "web", "ams", &milli), i >= 20);
	}
	assert_int_equal(milli, 0); /* the peer's answers have not grown */
	peer_answers += 5000;
	wait_ms(5000);
	assert_true(keys_gather_rate(g, "fra-1", "web", "ams", &milli));
	assert_int_equal(milli, 1000000);
	assert_false(keys_gather_rate(g, "fra-1", "web", "fra", &milli)); /* not counted */
	assert_false(keys_gather_rate(g, "fra-2", "web", "ams", &milli)); /* serves no DNS */
	own_page()->answers[0].answers = 3; /* its counters begin again */
	wait_ms(1000);
	assert_false(keys_gather_rate(g, "ams-1", "web", "ams", &milli));
	peer_answers = 0;
	wait_ms(9000);
	assert_true(keys_gather_rate(g, "fra-1", "web", "ams", &milli));
	wait_ms(1); /* it is silent: what it said is too old */
	assert_false(keys_gather_rate(g, "fra-1", "web", "ams", &milli));
}

static void without_the_key_for_clients_nothing_is_projected(void **state)
{
	struct projector *p = NULL;

	(void)state;
	snprintf(this_node.dirs.state, sizeof(this_node.dirs.state), "/nonexistent");
	wait_ms(0);
	assert_int_equal(keys_gather_projector(g, &this_node, &m, &p), -ENOENT);
	assert_null(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(keys_gather)
{
	const struct CMUnitTest tests[] = {
		TEST(nodes_that_serve_dns_are_asked_when_they_are_due),
		TEST(the_first_answer_may_get_lost),
		TEST(without_a_client_or_token_nobody_is_asked),
		TEST(what_a_silent_node_said_counts_for_a_minute),
		TEST(a_node_that_leaves_the_document_is_forgotten),
		TEST(rates_are_of_two_looks_and_never_of_one),
		TEST(without_the_key_for_clients_nothing_is_projected),
	};

	told_peers_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
