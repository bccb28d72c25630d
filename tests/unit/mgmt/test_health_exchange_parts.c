/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a round of asking for views does: who is asked when, whose page goes, and what this node
 * tells of itself.
 */
#include "asked.h"

#include "base/page.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/health_exchange.h"

/* The documented values, not the code's own: a change of those is seen. */
#define RETRY_MS  2000
#define MOTION_MS 10000
#define GOOD_MS   5000

static uint64_t fake_ms, fake_document;
static const struct model *fake_model;
static struct health_page *fake_health;

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static const struct model *fake_intent_model(const struct intent *in)
{
	(void)in;
	return fake_model;
}

static uint64_t fake_intent_document(const struct intent *in)
{
	(void)in;
	return fake_document;
}

static const struct model *fake_shared_model(const struct intent_shared *s)
{
	(void)s;
	return fake_model;
}

static void fake_open(const struct core *core, struct observe_pages *out)
{
	(void)core;
	*out = (struct observe_pages){ .health = fake_health, .health_age_ms = 700 };
}

static size_t asked_in_round[16];
static unsigned n_rounds, rounds_max;

static void fake_rounds(struct core *core, void (*round)(struct core *core), uint64_t every_ms)
{
	assert_int_equal(every_ms, 250);
	core_lock(core);
	for (n_rounds = 0; n_rounds < rounds_max; n_rounds++) {
		uint64_t until_ms = fake_ms + every_ms;

		round(core);
		asked_in_round[n_rounds] = n_asked;
		n_asked = 0;
		fake_ms = until_ms;
	}
	core_unlock(core);
}

/* The private parts too. */
#define core_run_rounds     fake_rounds
#define clock_mono_ms       fake_mono_ms
#define intent_model        fake_intent_model
#define intent_document     fake_intent_document
#define intent_shared_model fake_shared_model
#define observe_open_health fake_open
#include "mgmt/api/health_exchange.c"

static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static const struct model_at at[2] = { { .site = &sites[0] }, { .site = &sites[1] } };
static const struct model_service services[1] = { { .name = "web", .at = at, .n_at = 2 } };
static struct model_node nodes[5];
static struct model m;
static struct health_page health;
static struct health_exchange own;

static int setup(void **state)
{
	static const char *const names[] = { "ams-1", "ams-2", "fra-1", "fra-2", "fra-3" };
	static const char *const apis[] = { "https://a1", "https://a2", "https://f1", "https://f2",
		                            "https://f3" };

	(void)asked_setup(state);
	for (size_t i = 0; i < 5; i++)
		nodes[i] = (struct model_node){ .name = names[i],
			                        .api = apis[i],
			                        .site = &sites[i > 1] };
	m = (struct model){ .cluster = "shop",
		            .nodes = nodes,
		            .n_nodes = 5,
		            .self = &nodes[0],
		            .services = services,
		            .n_services = 1 };
	memset(&own, 0, sizeof(own));
	memset(&health, 0, sizeof(health));
	this_node.health_exchange = &own;
	fake_model = &m;
	fake_health = NULL;
	fake_document = 1;
	fake_ms = 1000000;
	return 0;
}

static int teardown(void **state)
{
	while (own.n > 0)
		drop_peer(&this_node, 0);
	free(own.input.targets);
	return asked_teardown(state);
}

static uint64_t target_at(size_t i)
{
	return health_target_service("web", sites[i / 2].name, i % 2);
}

static void observe_health(size_t i, enum health_state word)
{
	uint64_t all[4];

	for (size_t k = 0; k < 4; k++)
		all[k] = target_at(k);
	if (!fake_health)
		assert_int_equal(health_set_targets(&health, all, 4, 1), 0);
	fake_health = &health;
	health_write(&health, health_find_index(&health, target_at(i)),
	             health_make(word, 0, HEALTH_REASON_OK, 1));
}

static bool is_peer(const char *node)
{
	for (size_t i = 0; i < own.n; i++)
		if (!strcmp(own.peers[i].node, node))
			return true;
	return false;
}

static bool has_page(const char *node)
{
	char path[PATH_MAX];

	assert_int_equal(peer_page_path(this_node.dirs.run, node, path), 0);
	return access(path, F_OK) == 0;
}

/* Bare, so that a test sees what one round asks. */
static size_t ask_at(uint64_t now_ms)
{
	fake_ms = now_ms;
	n_asked = 0;
	query_peers(&own);
	return n_asked;
}

static void all_other_nodes_with_an_api_are_peers(void **state)
{
	static char long_api[300];

	(void)state;
	memset(long_api, 'x', sizeof(long_api) - 1);
	nodes[2].api = "";
	nodes[3].api = long_api;
	follow_document(&this_node);
	assert_int_equal(own.n, 2);
	assert_true(is_peer("ams-2") && is_peer("fra-3"));
	assert_true(has_page("ams-2") && has_page("fra-3"));
	assert_false(has_page("ams-1") || has_page("fra-1") || has_page("fra-2"));
	assert_int_equal(own.input.n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(own.input.targets[i] == target_at(i));
	assert_string_equal(own.input.cluster, "shop");
}

/*
 * Nodes that the next document does not have: their last words are not to be taken for present
 * ones.
 */
static void who_goes_takes_the_page_along(void **state)
{
	struct page *reader, *kept;
	char path[PATH_MAX];

	(void)state;
	follow_document(&this_node);
	assert_int_equal(own.n, 4);
	kept = own.peers[1].page;
	own.peers[1].next_ms = 77;
	assert_string_equal(own.peers[1].node, "fra-1");
	peer_page_set_good_until_ms(page_payload(own.peers[2].page), fake_ms + 5000);
	assert_int_equal(peer_page_path(this_node.dirs.run, "fra-2", path), 0);
	assert_int_equal(page_open(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, NULL, &reader), 0);
	nodes[1].api = ""; /* the first, and the two last */
	nodes[2].api = "https://moved";
	m.n_nodes = 3;
	m.cluster = "mail";
	follow_document(&this_node);
	assert_int_equal(own.n, 4); /* the document is the same */
	fake_document = 2;
	follow_document(&this_node);
	assert_int_equal(own.n, 1);
	assert_string_equal(own.input.cluster, "mail");
	assert_string_equal(own.peers[0].node, "fra-1");
	assert_string_equal(own.peers[0].api, "https://moved");
	assert_ptr_equal(own.peers[0].page, kept);
	assert_int_equal(own.peers[0].next_ms, 77);
	assert_true(has_page("fra-1"));
	assert_false(has_page("ams-2") || has_page("fra-2") || has_page("fra-3"));
	assert_int_equal(peer_page_good_until_ms(page_payload(reader)), 0);
	page_close(reader);
	fake_model = NULL;
	fake_document = 3;
	follow_document(&this_node); /* without a document everything stays */
	assert_int_equal(own.n, 1);
}

#define ANSWER(node) "{\"node\":\"" node "\",\"cluster\":\"shop\",\"age_ms\":300,\"words\":{}}"

static void who_does_not_answer_is_left_alone_for_a_while(void **state)
{
	static const struct asked_row rows[] = { { "a2/v1/peer/views", ANSWER("ams-2"), 200 },
		                                 { "f1/v1/peer/views", NULL, 503 },
		                                 { "f2/v1/peer/views", ANSWER("fra-1"), 200 },
		                                 { NULL, NULL, 0 } };
	const struct peer_page *view;

	(void)state;
	asked_rows = rows;
	m.n_nodes = 4;
	follow_document(&this_node);
	view = page_payload(own.peers[0].page);
	assert_int_equal(ask_at(1000000), 3);
	assert_string_equal(requested[0].url, "https://a2/v1/peer/views");
	assert_int_equal(peer_page_good_until_ms(view), 1000000 + GOOD_MS - 300);
	assert_int_equal(peer_page_good_until_ms(page_payload(own.peers[1].page)), 0);
	assert_int_equal(peer_page_good_until_ms(page_payload(own.peers[2].page)), 0);
	assert_int_equal(ask_at(1000000 + RETRY_MS - 1), 1);
	assert_string_equal(requested[0].url, "https://a2/v1/peer/views");
	assert_int_equal(peer_page_good_until_ms(view), 1000000 + RETRY_MS - 1 + GOOD_MS - 300);
	assert_int_equal(ask_at(1000000 + RETRY_MS), 3);
	asked_rows = NULL; /* silent now: what it said last stays good as long as it was */
	assert_int_equal(ask_at(1000000 + RETRY_MS + 250), 1);
	assert_int_equal(peer_page_good_until_ms(view), 1000000 + RETRY_MS + GOOD_MS - 300);
	assert_int_equal(ask_at(1000000 + RETRY_MS + 500), 0);
}

/* What a round that failed began is not shown; what succeeded is. */
static void each_answer_is_published_once(void **state)
{
	static const struct asked_row rows[] = { { "a2/v1/peer/views", ANSWER("ams-2"), 200 },
		                                 { NULL, NULL, 0 } };

	(void)state;
	m.n_nodes = 3;
	follow_document(&this_node);
	asked_rows = rows;
	uint64_t good = page_epoch(own.peers[0].page), bad = page_epoch(own.peers[1].page);
	assert_int_equal(ask_at(1000000), 2);
	assert_int_equal(page_epoch(own.peers[0].page), good + 1);
	assert_int_equal(page_epoch(own.peers[1].page), bad);
}

static void what_moves_is_asked_for_fast(void **state)
{
	uint64_t now_ms = fake_ms;

	(void)state;
	follow_document(&this_node);
	assert_false(in_motion(&this_node, now_ms)); /* nothing is seen at all */
	for (size_t i = 0; i < 4; i++) {
		observe_health(i, HEALTH_UP);
		assert_true(in_motion(&this_node, now_ms));
		assert_true(in_motion(&this_node, now_ms + MOTION_MS - 1));
		assert_false(in_motion(&this_node, now_ms + MOTION_MS));
		now_ms += MOTION_MS;
	}
	for (size_t i = 0; i < 4; i++) {
		int place = health_find_index(&health, target_at(i));

		health_write(&health, place, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 99));
		assert_false(in_motion(&this_node, now_ms)); /* the same state, seen later */
		health_write(&health, place,
		             health_make(HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_OK, 1));
		assert_true(in_motion(&this_node, now_ms));
		health_write(&health, place, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
		assert_true(in_motion(&this_node, now_ms + MOTION_MS - 1));
		assert_false(in_motion(&this_node, now_ms + MOTION_MS));
		now_ms += MOTION_MS;
	}
}

/* As many are up as before, and yet others. */
static void what_moves_from_one_service_to_another_moves(void **state)
{
	uint64_t now_ms = fake_ms;

	(void)state;
	follow_document(&this_node);
	for (size_t i = 0; i < 4; i++)
		observe_health(i, i ? HEALTH_UP : HEALTH_DOWN);
	assert_true(in_motion(&this_node, now_ms));
	now_ms += MOTION_MS;
	assert_false(in_motion(&this_node, now_ms));
	observe_health(0, HEALTH_UP);
	observe_health(1, HEALTH_DOWN);
	assert_true(in_motion(&this_node, now_ms));
}

static void this_node_tells_what_it_sees_of_the_services(void **state)
{
	char key[PEER_PAGE_HEX_MAX];
	json_t *told;

	(void)state;
	told = health_exchange_to_json(&this_node);
	assert_true(json_is_null(json_object_get(told, "age_ms")));
	assert_int_equal(json_object_size(json_object_get(told, "words")), 0);
	json_decref(told);
	for (size_t i = 0; i < 4; i++)
		observe_health(i, i == 2 ? HEALTH_DOWN : HEALTH_UP);
	told = health_exchange_to_json(&this_node);
	const json_t *words = json_object_get(told, "words");
	assert_string_equal(json_string_value(json_object_get(told, "node")), "ams-1");
	assert_string_equal(json_string_value(json_object_get(told, "cluster")), "shop");
	assert_int_equal(json_integer_value(json_object_get(told, "age_ms")), 700);
	assert_int_equal(json_object_size(words), 4);
	for (size_t i = 0; i < 4; i++) {
		health_word word;

		peer_page_hex(target_at(i), key);
		assert_true(
		        peer_page_read_word(json_string_value(json_object_get(words, key)), &word));
		assert_int_equal(health_state(word), i == 2 ? HEALTH_DOWN : HEALTH_UP);
	}
	json_decref(told);
	fake_model = NULL;
	told = health_exchange_to_json(&this_node);
	assert_string_equal(json_string_value(json_object_get(told, "cluster")), "");
	json_decref(told);
}

/* Rounds of the thread, a quarter of a second each: how many of @p n asked the only peer. */
static unsigned run_rounds(unsigned n)
{
	unsigned asking = 0;

	rounds_max = n;
	n_asked = 0;
	run_health_exchange(&this_node);
	for (unsigned i = 0; i < n; i++)
		asking += asked_in_round[i] > 0;
	return asking;
}

/* Once a second, and in each round while something moves; never without the peers' token. */
static void rounds_ask_as_often_as_they_should(void **state)
{
	static const struct asked_row rows[] = { { "a2/v1/peer/views", ANSWER("ams-2"), 200 },
		                                 { NULL, NULL, 0 } };
	static const bool asks[] = { true, false, false, false, true, false, false, false, true };

	(void)state;
	m.n_nodes = 2;
	asked_rows = rows;
	assert_int_equal(run_rounds(9), 0); /* no token */
	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	assert_int_equal(run_rounds(9), 3);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(asked_in_round[i] > 0, asks[i]);
	observe_health(0, HEALTH_UP);
	assert_int_equal(run_rounds(9), 9);
	assert_string_equal(own.client.token, "0123456789abcdef");
	fake_ms += MOTION_MS;
	own.queried_ms = fake_ms;
	assert_int_equal(run_rounds(9), 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_other_nodes_with_an_api_are_peers),
		T(who_goes_takes_the_page_along),
		T(who_does_not_answer_is_left_alone_for_a_while),
		T(each_answer_is_published_once),
		T(what_moves_is_asked_for_fast),
		T(what_moves_from_one_service_to_another_moves),
		T(this_node_tells_what_it_sees_of_the_services),
		T(rounds_ask_as_often_as_they_should),
	};

	return cmocka_run_group_tests_name("views parts", tests, NULL, NULL);
}
