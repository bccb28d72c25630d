/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A proposal step by step: who is asked, what answers mean, what becomes of a version that was
 * handed over.
 */
#include "asked.h"

/* The private parts too. */
#include "mgmt/api/propose.c"

#define STATE(word) "{\"state\":\"" word "\"}"

static void add_named(struct proposal *p, const char *name)
{
	char api[64];
	struct model_node node = { .name = name, .api = api };

	snprintf(api, sizeof(api), "https://%s", name);
	add_proposal_node(&this_node, p, &node);
}

static void nodes_are_asked_in_the_order_of_names(void **state)
{
	static struct proposal p;
	static char long_api[300];
	struct model_node none = { .name = "no-api", .api = "" },
	                  long_one = { .name = "long", .api = long_api };

	(void)state;
	memset(&p, 0, sizeof(p));
	memset(long_api, 'x', sizeof(long_api) - 1);
	add_named(&p, "fra-1");
	add_named(&p, "lon-1");
	add_named(&p, "ams-1");
	add_named(&p, "bru-1");
	add_proposal_node(&this_node, &p, &none);
	add_proposal_node(&this_node, &p, &long_one);
	assert_int_equal(p.n_nodes, 4);
	assert_string_equal(p.nodes[0].name, "ams-1");
	assert_string_equal(p.nodes[1].name, "bru-1");
	assert_string_equal(p.nodes[2].name, "fra-1");
	assert_string_equal(p.nodes[3].name, "lon-1");
	assert_true(p.nodes[0].self);
	assert_false(p.nodes[1].self || p.nodes[2].self || p.nodes[3].self);
	assert_string_equal(p.nodes[3].api, "https://lon-1");
}

static void each_answer_has_its_meaning(void **state)
{
	static const struct {
		const char *json;
		long status;
		enum propose_answer answer;
		const char *why;
	} rows[] = {
		{ STATE("granted"), 200, PROPOSE_GRANTED, "" },
		{ "{\"state\":\"reserved\",\"holder\":\"lon-1\"}", 200, PROPOSE_RESERVED, "lon-1" },
		{ STATE("stale"), 200, PROPOSE_STALE, "" },
		{ STATE("untold"), 200, PROPOSE_UNTOLD, "" },
		{ STATE("taken"), 200, PROPOSE_ACCEPTED, "" },
		{ STATE("behind"), 200, PROPOSE_BEHIND, "" },
		{ "{\"state\":\"refused\",\"why\":\"disk full\"}", 200, PROPOSE_REFUSED,
		  "disk full" },
		{ STATE("refused"), 200, PROPOSE_REFUSED, "" },
		{ STATE("else"), 200, PROPOSE_ABSENT, "the answer is not understood" },
		{ "{}", 200, PROPOSE_ABSENT, "the answer is not understood" },
		{ NULL, 404, PROPOSE_ABSENT, "the node runs the former release" },
		{ NULL, 405, PROPOSE_ABSENT, "broken" },
		{ NULL, 0, PROPOSE_ABSENT, "broken" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client_request r = { .status = rows[i].status, .failure = "broken" };
		struct propose_node n = { .answer = PROPOSE_UNASKED };

		r.answer = rows[i].json ? json_loads(rows[i].json, 0, NULL) : NULL;
		note_answer(&n, &r);
		assert_int_equal(n.answer, rows[i].answer);
		bool reserved = n.answer == PROPOSE_RESERVED;
		assert_string_equal(reserved ? n.holder : n.reason, rows[i].why);
		assert_string_equal(reserved ? n.reason : n.holder, "");
	}
}

/* A proposal for the head's successor with nodes of these names. */
static void make_proposal(struct proposal *p, const char *first, const char *second)
{
	memset(p, 0, sizeof(*p));
	p->version = p->parent = *intent_head(this_node.intent);
	p->version.number++;
	p->has_parent = true;
	p->begun_ms = clock_mono_ms();
	add_named(p, first);
	add_named(p, second);
}

/* Only the first node that answers decides whether the others are asked. */
static void the_first_answer_decides(void **state)
{
	static const struct {
		const char *json;
		bool granted;
		size_t n_asked;
	} cases[] = { { STATE("granted"), true, 1 }, { STATE("reserved"), false, 1 },
		      { STATE("stale"), false, 1 },  { STATE("untold"), false, 1 },
		      { STATE("behind"), false, 1 }, { STATE("unheard of"), true, 2 } };
	static struct proposal p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct asked_row rows[] = { { "fra-1/v1/peer/reserve", cases[i].json, 0 },
			                          { NULL, NULL, 0 } };

		make_proposal(&p, "fra-1", "lon-1");
		asked_rows = rows;
		n_asked = 0;
		assert_int_equal(reserve_first(&this_node, &p, "{}"), cases[i].granted);
		assert_int_equal(n_asked, cases[i].n_asked);
	}
	/* who was silent lately is left for later */
	make_proposal(&p, "fra-1", "lon-1");
	p.nodes[0].last_silent = p.nodes[1].last_silent = true;
	n_asked = 0;
	assert_true(reserve_first(&this_node, &p, "{}"));
	assert_int_equal(n_asked, 0);
}

static bool is_release(size_t i)
{
	json_t *body = json_loads(requested[i].body, 0, NULL);
	json_t *release = json_object_get(body, "release");
	bool yes = json_is_true(release);

	assert_true(json_is_boolean(release));
	json_decref(body);
	return yes;
}

/* What one granted is given back when another refuses. */
static void a_refusal_gives_back_what_was_granted(void **state)
{
	static const struct asked_row rows[] = { { "fra-1/v1/peer/reserve", STATE("granted"), 0 },
		                                 { "lon-1/v1/peer/reserve", STATE("stale"), 0 },
		                                 { NULL, NULL, 0 } };
	static struct proposal p;

	(void)state;
	make_proposal(&p, "fra-1", "lon-1");
	asked_rows = rows;
	assert_int_equal(reserve_once(&this_node, &p, "shop"), PROPOSE_STALE);
	assert_int_equal(n_asked, 3);
	assert_false(is_release(0));
	assert_false(is_release(1));
	assert_true(is_release(2));
	assert_non_null(strstr(requested[2].url, "fra-1")); /* lon-1 granted nothing */
}

static void all_that_answer_must_grant(void **state)
{
	static const struct asked_row rows[] = { { "fra-1/v1/peer/reserve", STATE("granted"), 0 },
		                                 { NULL, NULL, 0 } };
	static struct proposal p;

	(void)state;
	make_proposal(&p, "fra-1", "lon-1");
	asked_rows = rows;
	assert_int_equal(reserve_once(&this_node, &p, "shop"), PROPOSE_GRANTED);
	assert_int_equal(n_asked, 3); /* the silent one is asked twice */
	for (size_t i = 0; i < n_asked; i++)
		assert_false(is_release(i));
}

/* The table above decide_fate(). The head is this proposal's version. */
static void what_becomes_of_a_version_handed_over(void **state)
{
	static const struct {
		const char *first, *second; /* names; this node is ams-1 */
		enum propose_answer a, b;
		enum fate fate;
	} cases[] = {
		{ "fra-1", "lon-1", PROPOSE_ACCEPTED, PROPOSE_STALE, FATE_STAYS },
		{ "fra-1", "lon-1", PROPOSE_ACCEPTED, PROPOSE_UNTOLD, FATE_STAYS },
		{ "fra-1", "lon-1", PROPOSE_ABSENT, PROPOSE_ABSENT, FATE_STAYS },
		{ "fra-1", "lon-1", PROPOSE_ABSENT, PROPOSE_UNASKED, FATE_UNDECIDED },
		{ "fra-1", "lon-1", PROPOSE_UNTOLD, PROPOSE_ABSENT, FATE_UNDECIDED },
		{ "fra-1", "lon-1", PROPOSE_ABSENT, PROPOSE_STALE, FATE_LOST },
		{ "fra-1", "lon-1", PROPOSE_UNTOLD, PROPOSE_STALE, FATE_LOST },
		{ "aaa-1", "lon-1", PROPOSE_UNTOLD, PROPOSE_ABSENT, FATE_LOST },
	};
	static struct proposal p;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char words[32];

		snprintf(words, sizeof(words), "# change %zu", i);
		asked_apply(words, 0, NOW_MS + 10 + (int64_t)i);
		make_proposal(&p, cases[i].first, cases[i].second);
		p.version = *intent_head(this_node.intent);
		p.nodes[0].answer = cases[i].a;
		p.nodes[1].answer = cases[i].b;
		if (decide_fate(&this_node, &p) != cases[i].fate)
			fail_msg("case %zu", i);
		bool stays = intent_head(this_node.intent)->number == p.version.number;

		assert_int_equal(stays, cases[i].fate != FATE_LOST);
	}
	p.version.number += 100; /* the head is another one by now */
	assert_int_equal(decide_fate(&this_node, &p), FATE_LOST);
}

/* Once, and only what this node made. */
static void a_rollback_is_handed_back_once(void **state)
{
	(void)state;
	assert_false(is_to_hand_back(&this_node));
	asked_apply("# unconfirmed", 60000, NOW_MS + 10);
	assert_false(is_to_hand_back(&this_node));
	assert_int_equal(intent_roll_back_unconfirmed(this_node.intent, "late", NOW_MS + 60010), 0);
	assert_true(is_to_hand_back(&this_node));
	this_node.handed_back = intent_head(this_node.intent)->number;
	assert_false(is_to_hand_back(&this_node));
	this_node.handed_back = 0;
	snprintf(this_node.dirs.node, sizeof(this_node.dirs.node), "fra-1");
	assert_false(is_to_hand_back(&this_node));
}

/* While a version is handed over its head gives way to nobody's push; afterwards it may again. */
static void a_push_has_an_end(void **state)
{
	static struct proposal p;

	(void)state;
	memset(&p, 0, sizeof(p));
	p.version = *intent_head(this_node.intent);
	core_lock(&this_node);
	assert_int_equal(push_version(&this_node, &p), FATE_STAYS);
	assert_false(this_node.proposing);
	p.version.digest[3] ^= 1; /* it gave way while it was handed over */
	assert_int_equal(push_version(&this_node, &p), FATE_LOST);
	assert_false(this_node.proposing);
	core_unlock(&this_node);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, asked_setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(nodes_are_asked_in_the_order_of_names),
		T(each_answer_has_its_meaning),
		T(the_first_answer_decides),
		T(a_refusal_gives_back_what_was_granted),
		T(all_that_answer_must_grant),
		T(what_becomes_of_a_version_handed_over),
		T(a_rollback_is_handed_back_once),
		T(a_push_has_an_end),
	};

	return cmocka_run_group_tests_name("propose parts", tests, NULL, NULL);
}
