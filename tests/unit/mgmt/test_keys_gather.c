/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of all nodes, gathered: who is asked and how often, what counts, and how many answers a second name a site. */
#include "fixture.h"

#include <errno.h>

/* The private parts, with the clock, the own page and the peers in the test's hands. */
#include "base/clock.h"
#include "mgmt/http/client.h"
#include "mgmt/peers/keys_gather.h"
#include "mgmt/peers/peer_keys.h"

static uint64_t test_ms;
static struct steer_keys *own_keys; /* a copy is read; NULL: there is no page */
static uint64_t peer_answers;       /* 0: the peer is silent */
static size_t n_asked;
static char asked_url[CLIENT_URL_MAX];

static struct steer_keys *make_copy(uint64_t answers, uint64_t read_ms)
{
	struct steer_keys *k = steer_keys_new(1, 1, 1);

	k->covered_s = 60;
	k->read_ms = read_ms;
	k->keys[0] = (struct steer_key){ .key = { 4, 1 }, .name = 1, .queries = 5 };
	k->names[0] = (struct steer_keys_name){ .name = 1, .queries = 5 };
	k->answers[0] = (struct steer_keys_answers){ .service = hash_text("web"),
		                                     .site = hash_text("ams"),
		                                     .answers = answers };
	return k;
}

static int fake_read(const char *run_dir, uint64_t now_ms, struct steer_keys **out)
{
	(void)run_dir;
	(void)now_ms;
	if (!own_keys)
		return -ENOENT;
	*out = make_copy(own_keys->answers[0].answers, own_keys->read_ms);
	return 0;
}

/* The edge: fra-1 is asked. */
void client_open(struct peer_client *c, const char *conf_dir)
{
	(void)conf_dir;
	memset(c, 0, sizeof(*c));
}

void client_close(struct peer_client *c)
{
	(void)c;
}

void client_send(struct peer_client *c, struct client_request *requests, size_t n)
{
	(void)c;
	for (size_t i = 0; i < n; i++) {
		struct steer_keys *k = make_copy(peer_answers, test_ms);

		n_asked++;
		snprintf(asked_url, sizeof(asked_url), "%s", requests[i].url);
		assert_true(requests[i].timeout_ms > 0 && requests[i].timeout_ms < 1000);
		if (peer_answers)
			requests[i].answer = peer_keys_make("fra-1", "shop", k, test_ms);
		steer_keys_free(k);
		requests[i].done(&requests[i]);
	}
}

#define clock_mono_ms() (test_ms)
#define steer_keys_read fake_read
#include "mgmt/peers/keys_gather.c"

static const struct addr dns;
static struct model_node nodes[] = {
	{ .name = "ams-1", .api = "https://a1", .dns_listen = &dns, .n_dns_listen = 1 },
	{ .name = "fra-1", .api = "https://f1", .dns_listen = &dns, .n_dns_listen = 1 },
	{ .name = "fra-2", .api = "https://f2" }, /* serves no DNS */
};
static struct model m = { .cluster = "shop", .nodes = nodes, .n_nodes = 3, .self = &nodes[0] };
static struct core core;
static struct peer_client client;
static struct fixture place;
static struct keys_gather *g;

static int setup(void **state)
{
	(void)state;
	test_ms = 100000;
	n_asked = 0;
	peer_answers = 1000;
	own_keys = make_copy(500, test_ms);
	m.n_nodes = 3;
	snprintf(core.dirs.node, sizeof(core.dirs.node), "ams-1");
	fixture_make(&place);
	fixture_write(place.conf, "peer.token", "0123456789abcdef\n");
	snprintf(core.dirs.conf, sizeof(core.dirs.conf), "%s", place.conf);
	g = keys_gather_new();
	return g ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	keys_gather_free(g);
	steer_keys_free(own_keys);
	fixture_remove(&place);
	return 0;
}

static void wait_ms(uint64_t ms)
{
	test_ms += ms;
	if (own_keys)
		own_keys->read_ms = test_ms;
	keys_gather_refresh(g, &core, &client, &m);
}

/* How many nodes serve DNS, as the gatherer sees it, and of how many nothing counts. */
static size_t count_nodes(size_t *missing)
{
	*missing = 0;
	for (size_t i = 0; i < g->n; i++)
		*missing += !does_count(g, &g->reports[i]);
	return g->n;
}

static void nodes_that_serve_dns_are_asked_when_they_are_due(void **state)
{
	size_t missing;

	(void)state;
	wait_ms(0);
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked_url, "https://f1/v1/peer/keys");
	assert_int_equal(count_nodes(&missing), 2);
	assert_int_equal(missing, 0);
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
	size_t missing;

	(void)state;
	keys_gather_refresh(g, &core, NULL, &m);
	fixture_write(place.conf, "peer.token", "\n");
	keys_gather_refresh(g, &core, &client, &m);
	assert_int_equal(n_asked, 0);
	assert_int_equal(count_nodes(&missing), 2);
	assert_int_equal(missing, 1);
}

static void what_a_silent_node_said_counts_for_a_minute(void **state)
{
	size_t missing;

	(void)state;
	wait_ms(0);
	peer_answers = 0;
	steer_keys_free(own_keys);
	own_keys = NULL;
	wait_ms(KEYS_GATHER_GOOD_MS);
	(void)count_nodes(&missing);
	assert_int_equal(missing, 0);
	assert_true(keys_gather_is_heard(g, "fra-1"));
	wait_ms(1);
	(void)count_nodes(&missing);
	assert_int_equal(missing, 2);
	assert_false(keys_gather_is_heard(g, "fra-1") || keys_gather_is_heard(g, "ams-1"));
	assert_false(keys_gather_is_heard(g, "none"));
}

static void a_node_that_leaves_the_document_is_forgotten(void **state)
{
	size_t missing;

	(void)state;
	wait_ms(0);
	m.n_nodes = 1;
	wait_ms(1000);
	assert_int_equal(count_nodes(&missing), 1);
	assert_int_equal(missing, 0);
	m.n_nodes = 3;
	peer_answers = 0;
	wait_ms(1000);
	(void)count_nodes(&missing);
	assert_int_equal(missing, 1);
}

static void rates_are_of_two_looks_and_never_of_one(void **state)
{
	uint64_t milli = 77;

	(void)state;
	wait_ms(0);
	assert_false(keys_gather_rate(g, "ams-1", "web", "ams", &milli));
	for (int i = 1; i <= 20; i++) { /* looks in quick succession, as while a step begins */
		own_keys->answers[0].answers += 25;
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
	own_keys->answers[0].answers = 3; /* its counters begin again */
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
	snprintf(core.dirs.state, sizeof(core.dirs.state), "/nonexistent");
	wait_ms(0);
	assert_int_equal(keys_gather_projector(g, &core, &m, &p), -ENOENT);
	assert_null(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
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

	return cmocka_run_group_tests(tests, NULL, NULL);
}
