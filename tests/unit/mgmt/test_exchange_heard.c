/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which peers there are, and which of them count as silent: what was not asked, or answers in any
 * way, does not.
 */
#include "asked.h"

#include "mgmt/peers/exchange.c" /* the private parts too */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The documented value, not the code's own: a change of it is seen. */
#define SILENT_MS  6000u
#define FAILING_MS 3000u

static struct exchange_peer peers[3];
static struct exchange exchange;

/* ams-2 is of the own site; fra-1 and fra-2 are of another one, and fra-2 is not asked. All are listed for long. */
static int setup(void **state)
{
	static const char *const names[] = { "ams-2", "fra-1", "fra-2" };

	(void)asked_setup(state);
	exchange = (struct exchange){ .core = &this_node, .n = 3 };
	for (size_t i = 0; i < 3; i++) {
		peers[i] = (struct exchange_peer){ .exchange = &exchange,
			                           .is_own_site = !i,
			                           .is_chosen = i < 2,
			                           .listed_ms = clock_mono_ms() - SILENT_MS - 5 };
		snprintf(peers[i].node, sizeof(peers[i].node), "%s", names[i]);
		snprintf(peers[i].site, sizeof(peers[i].site), "%.3s", names[i]);
		exchange.peers[i] = &peers[i];
	}
	this_node.exchange = &exchange;
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	core_unlock(&this_node);
	this_node.exchange = NULL;
	for (size_t i = 0; i < 3; i++)
		for (int k = 0; k < EXCHANGE_N_SECTIONS; k++)
			exchange_word_fini(&peers[i].words[k]);
	return asked_teardown(state);
}

static bool counts_as_silent(const char *node)
{
	return exchange_hear(&this_node, node).is_silent;
}

static void who_was_not_asked_is_not_silent(void **state)
{
	(void)state;
	assert_false(counts_as_silent("ams-2")); /* one of many that wait for their turn */
	assert_false(counts_as_silent("fra-2")); /* nobody of its site is heard */
	assert_false(counts_as_silent("lon-1")); /* no peer */
}

static void who_was_asked_for_long_is_silent(void **state)
{
	uint64_t now_ms = clock_mono_ms();

	(void)state;
	/* the first answer that fails after this node was stopped */
	peers[0].silent_ms = now_ms - FAILING_MS + 2000;
	assert_false(counts_as_silent("ams-2"));
	peers[0].silent_ms = now_ms - FAILING_MS;
	assert_true(counts_as_silent("ams-2"));
	peers[0].words[EXCHANGE_HEAD].true_ms = now_ms - SILENT_MS + 2000;
	assert_false(counts_as_silent("ams-2"));
	peers[0].words[EXCHANGE_HEAD].true_ms = now_ms - SILENT_MS;
	assert_true(counts_as_silent("ams-2"));
	peers[0].listed_ms = now_ms; /* of a new document */
	assert_false(counts_as_silent("ams-2"));
}

/* Also where it once refused: it was replaced by others since. */
static void who_is_not_asked_is_silent_if_its_site_says_nothing_of_it(void **state)
{
	(void)state;
	peers[2].is_refused = true;
	peers[1].words[EXCHANGE_HEAD].true_ms = peers[2].listed_ms + SILENT_MS - 1;
	assert_false(counts_as_silent("fra-2")); /* who would pass its words on hangs itself */
	peers[1].words[EXCHANGE_HEAD].true_ms = peers[2].listed_ms + SILENT_MS;
	assert_true(counts_as_silent("fra-2"));
	peers[2].words[EXCHANGE_HEAD].true_ms = peers[2].listed_ms + 1;
	assert_false(counts_as_silent("fra-2"));
	peers[2].words[EXCHANGE_HEAD].true_ms = 0;
	peers[1].is_failed = true; /* it says nothing any more itself */
	assert_false(counts_as_silent("fra-2"));
	peers[1].is_failed = false;
	snprintf(peers[1].site, sizeof(peers[1].site), "lon");
	assert_false(counts_as_silent("fra-2"));
}

static void what_was_said_is_given_with_its_age(void **state)
{
	(void)state;
	assert_null(exchange_hear(&this_node, "fra-1").announced);
	(void)exchange_word_set(&peers[1].words[EXCHANGE_ANNOUNCED], json_object(), 77);
	assert_int_equal(exchange_hear(&this_node, "fra-1").announced->true_ms, 77);
	assert_null(exchange_hear(&this_node, "fra-2").announced);
	this_node.exchange = NULL; /* it has not begun */
	assert_null(exchange_hear(&this_node, "fra-1").announced);
	this_node.exchange = &exchange;
}

static void a_question_wants_the_section_whole(void **state)
{
	(void)state;
	(void)exchange_word_set(&peers[1].words[EXCHANGE_HEAD], json_object(), 77);
	(void)exchange_word_set(&peers[1].words[EXCHANGE_ANNOUNCED], json_object(), 77);
	char *text = exchange_question_now(&this_node, "fra-1", EXCHANGE_ANNOUNCED);
	json_t *question = json_loads(text, 0, NULL);
	const char *have =
	        json_string_value(json_object_get(json_object_get(question, "have"), "fra-1"));

	assert_non_null(question);
	assert_true(json_is_false(json_object_get(question, "site")));
	assert_int_equal(json_integer_value(json_object_get(question, "wait_ms")), 0);
	assert_int_equal(json_object_size(json_object_get(question, "have")), 1);
	assert_memory_equal(have, peers[1].words[EXCHANGE_HEAD].stamp, 16);
	assert_int_equal(strspn(have + 16, "-"), 64); /* of load, health, announced, arrivals */
	json_decref(question);
	free(text);
	assert_null(exchange_question_now(&this_node, "lon-1", EXCHANGE_ANNOUNCED));
}

/* A peer that no document has any more; it is busy with a request, or with overrides. */
static struct exchange_peer *leave_peer(const char *node, bool has_request, bool is_fetching)
{
	struct exchange_peer *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->node, sizeof(p->node), "%s", node);
	p->body = has_request ? strdup("{}") : NULL;
	p->is_fetching = is_fetching;
	p->next_gone = exchange.gone;
	exchange.gone = p;
	return p;
}

static void peers_that_are_gone_are_freed_once_their_answers_have_come(void **state)
{
	static const struct {
		bool has_request, is_fetching;
	} all[] = { { true, false },  { false, false }, { false, true },
		    { false, false }, { false, false }, { true, true } };
	struct exchange_peer *busy[3];

	(void)state;
	for (size_t i = 0, n = 0; i < COUNT(all); i++) {
		struct exchange_peer *p = leave_peer("x", all[i].has_request, all[i].is_fetching);

		if (p->body || p->is_fetching)
			busy[n++] = p;
	}
	for (int twice = 0; twice < 2; twice++) {
		reap_gone(&exchange);
		assert_ptr_equal(exchange.gone, busy[2]);
		assert_ptr_equal(busy[2]->next_gone, busy[1]);
		assert_ptr_equal(busy[1]->next_gone, busy[0]);
		assert_null(busy[0]->next_gone);
	}
	busy[1]->is_fetching = busy[2]->is_fetching = false;
	reap_gone(&exchange); /* the last still has its request */
	assert_ptr_equal(exchange.gone, busy[2]);
	assert_ptr_equal(busy[2]->next_gone, busy[0]);
	for (int i = 0; i < 3; i += 2) {
		free(busy[i]->body);
		busy[i]->body = NULL;
	}
	reap_gone(&exchange);
	assert_null(exchange.gone);
}

static void the_list_is_another_when_anything_of_a_peer_is(void **state)
{
	static const struct model_site sites[] = { { .name = "ams" },
		                                   { .name = "fra" },
		                                   { .name = "lon" } };
	static const struct {
		const char *name, *api; /* of the last node but one */
		size_t site, own_site, n_nodes;
		bool is_current;
	} rows[] = {
		{ "fra-1", "https://a", 1, 0, 4, true },
		{ "fra-7", "https://a", 1, 0, 4, false },
		{ "fra-1", "https://b", 1, 0, 4, false },
		{ "fra-1", "https://a", 2, 0, 4, false }, /* from one other site to another */
		{ "fra-1", "https://a", 0, 0, 4, false },
		{ "fra-1", "https://a", 1, 1, 4, false }, /* this node itself has moved */
		{ "fra-1", "https://a", 1, 0, 3, false },
		{ "fra-1", "https://a", 1, 0, 5, false },
	};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		snprintf(peers[i].api, sizeof(peers[i].api), "https://a");
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct model_node nodes[] = {
			{ .name = "ams-1", .site = &sites[rows[i].own_site], .api = "https://a" },
			{ .name = "ams-2", .site = &sites[0], .api = "https://a" },
			{ .name = rows[i].name, .site = &sites[rows[i].site], .api = rows[i].api },
			{ .name = "fra-2", .site = &sites[1], .api = "https://a" },
			{ .name = "fra-3", .site = &sites[1], .api = "https://a" },
		};
		const struct model m = { .nodes = (struct model_node *)(uintptr_t)nodes,
			                 .n_nodes = rows[i].n_nodes,
			                 .self = &nodes[0] };

		if (is_current(&exchange, &m) != rows[i].is_current)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_was_not_asked_is_not_silent),
		TEST(who_was_asked_for_long_is_silent),
		TEST(who_is_not_asked_is_silent_if_its_site_says_nothing_of_it),
		TEST(what_was_said_is_given_with_its_age),
		TEST(a_question_wants_the_section_whole),
		TEST(peers_that_are_gone_are_freed_once_their_answers_have_come),
		TEST(the_list_is_another_when_anything_of_a_peer_is),
	};

	return cmocka_run_group_tests_name("exchange heard", tests, NULL, NULL);
}
