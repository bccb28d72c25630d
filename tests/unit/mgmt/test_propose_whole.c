/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A proposal from its beginning to its end, with the test's own clock: how long is waited, and
 * what the client hears.
 */
#include "asked.h"

#include "mgmt/api/propose.h"

static uint64_t fake_ms;
static unsigned n_waits, n_pokes;
static void (*at_wait)(void); /* what happens while it waits */

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static bool fake_wait(struct core *core, uint64_t until_ms)
{
	(void)core;
	n_waits++;
	if (until_ms > fake_ms)
		fake_ms = until_ms;
	if (at_wait)
		at_wait();
	return n_waits % 2 == 0; /* sometimes for another reason */
}

static void fake_poke(struct core *core, bool notify_others)
{
	(void)core;
	assert_false(notify_others);
	n_pokes++;
}

static const struct model *fake_model;

static const struct model *fake_intent_model(const struct intent *in)
{
	return fake_model ? fake_model : intent_model(in);
}

/* The private parts too. */
#define clock_mono_ms fake_mono_ms
#define core_wait     fake_wait
#define peers_poke    fake_poke
#define intent_model  fake_intent_model
#include "mgmt/api/propose.c"
#undef clock_mono_ms

#define STATE(word)    "{\"state\":\"" word "\"}"
#define RESERVED_BY(n) "{\"state\":\"reserved\",\"holder\":\"" n "\"}"

static struct model_node nodes[] = { { .name = "ams-1", .api = "https://ams-1" },
	                             { .name = "fra-1", .api = "https://fra-1" },
	                             { .name = "lon-1", .api = "https://lon-1" } };
static struct model three = { .cluster = "shop", .nodes = nodes, .n_nodes = 3 };
static struct proposal p;
static struct http_reply answer;

static int setup(void **state)
{
	(void)asked_setup(state);
	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	fake_ms = 1000000;
	n_waits = n_pokes = 0;
	at_wait = NULL;
	fake_model = &three;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

/* The version that would be made now. */
static struct version next_version(void)
{
	struct version v = *intent_head(this_node.intent);

	snprintf(v.parent, sizeof(v.parent), "%s", v.digest);
	v.number++;
	v.digest[0] = v.digest[0] == 'a' ? 'b' : 'a';
	return v;
}

static bool reserve_at(const struct asked_row *rows)
{
	struct version v = next_version();

	asked_rows = rows;
	n_asked = 0;
	core_lock(&this_node);
	bool ok = propose_reserve(&this_node, &v, &p, &answer);
	core_unlock(&this_node);
	return ok;
}

static const char *problem_detail(void)
{
	const char *text = json_string_value(json_object_get(answer.json, "detail"));

	return text ? text : "";
}

static void who_has_no_peers_asks_nobody(void **state)
{
	char path[PATH_MAX];

	(void)state;
	three.n_nodes = 1;
	assert_true(reserve_at(NULL));
	assert_int_equal(p.n_nodes, 1);
	three.n_nodes = 3;
	snprintf(path, sizeof(path), "%s/peer.token", asked_place.conf);
	assert_int_equal(unlink(path), 0); /* nobody could be asked */
	assert_true(reserve_at(NULL));
	assert_int_equal(p.n_nodes, 0);
	assert_int_equal(n_asked, 0);
	assert_true(p.has_parent);
	assert_int_equal(p.parent.number, 1);
	assert_int_equal(p.version.number, 2);
}

static void a_reservation_names_version_and_parent(void **state)
{
	static const struct asked_row rows[] = { { "/v1/peer/reserve", STATE("granted"), 0 },
		                                 { NULL, NULL, 0 } };

	(void)state;
	assert_true(reserve_at(rows));
	assert_int_equal(n_asked, 2);
	json_t *body = json_loads(requested[0].body, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(body, "node")), "ams-1");
	assert_string_equal(json_string_value(json_object_get(body, "cluster")), "shop");
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(body, "parent"), "number")), 1);
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(body, "version"), "number")), 2);
	assert_true(json_is_false(json_object_get(body, "release")));
	json_decref(body);
	assert_string_equal(reserve_holder(&this_node.reserved, fake_ms), "ams-1");
	core_lock(&this_node);
	propose_release(&this_node, &p); /* given back here and at both */
	core_unlock(&this_node);
	assert_int_equal(n_asked, 4);
	assert_null(reserve_holder(&this_node.reserved, fake_ms));
	body = json_loads(requested[3].body, 0, NULL);
	assert_true(json_is_true(json_object_get(body, "release")));
	json_decref(body);
}

static void forget_requests(void)
{
	n_asked = 0;
}

/* Four seconds for another node that has the reservation, in steps of 150 to 300 ms. */
static void a_wait_for_another_has_an_end(void **state)
{
	static const struct asked_row rows[] = { { "fra-1/v1/peer/reserve", RESERVED_BY("lon-1"),
		                                   0 },
		                                 { "lon-1/v1/peer/reserve", STATE("granted"), 0 },
		                                 { NULL, NULL, 0 } };
	uint64_t began_ms = fake_ms;

	(void)state;
	at_wait = forget_requests;
	assert_false(reserve_at(rows));
	assert_in_range(fake_ms - began_ms, 4000, 4300);
	assert_in_range(n_waits, 4000 / 300, 4000 / 150 + 1);
	assert_int_equal(answer.status, 412);
	assert_ptr_equal(
	        strstr(problem_detail(), "lon-1 is making another change (reserved at fra-1); "),
	        problem_detail());
	assert_null(reserve_holder(&this_node.reserved, fake_ms)); /* nothing is held */
}

static void let_fra_go(void)
{
	static const struct asked_row rows[] = { { "/v1/peer/reserve", STATE("granted"), 0 },
		                                 { NULL, NULL, 0 } };

	n_asked = 0;
	asked_rows = rows;
}

static void who_waited_gets_it_when_it_is_free(void **state)
{
	static const struct asked_row rows[] = {
		{ "fra-1/v1/peer/reserve", RESERVED_BY("lon-1"), 0 }, { NULL, NULL, 0 }
	};

	(void)state;
	at_wait = let_fra_go;
	assert_true(reserve_at(rows));
	assert_int_equal(n_waits, 1);
	assert_string_equal(reserve_holder(&this_node.reserved, fake_ms), "ams-1");
	assert_int_equal(answer.status, 0);
}

/* Another change was first: its version is waited for, so that the answer can name it. */
static void who_comes_second_hears_of_the_first(void **state)
{
	static const struct asked_row rows[] = { { "fra-1/v1/peer/reserve", STATE("granted"), 0 },
		                                 { "lon-1/v1/peer/reserve", STATE("stale"), 0 },
		                                 { NULL, NULL, 0 } };
	uint64_t began_ms = fake_ms;

	(void)state;
	assert_false(reserve_at(rows));
	assert_int_equal(answer.status, 412);
	assert_string_equal(json_string_value(json_object_get(answer.json, "code")), "stale");
	assert_int_equal(
	        strncmp(problem_detail(),
	                "another change came first (seen at lon-1); the head of this node is "
	                "\"v1-",
	                71),
	        0);
	assert_int_equal(n_pokes, 1);
	assert_in_range(fake_ms - began_ms, 1, 1500);
	assert_true(n_waits > 0);
}

/* The answers were given too long ago: this process was stopped meanwhile. */
static void what_was_granted_long_ago_is_worth_nothing(void **state)
{
	(void)state;
	p = (struct proposal){ .begun_ms = fake_ms };
	assert_true(is_fresh(&p));
	fake_ms += 60000;
	assert_false(is_fresh(&p));
}

static void a_reservation_is_for_the_head_that_was(void **state)
{
	(void)state;
	p = (struct proposal){ .has_parent = true, .parent = *intent_head(this_node.intent) };
	assert_true(is_parent(&this_node, &p));
	p.parent.number++;
	assert_false(is_parent(&this_node, &p));
	p.parent.number--;
	p.parent.digest[5] ^= 1;
	assert_false(is_parent(&this_node, &p));
	p.has_parent = false;
	assert_false(is_parent(&this_node, &p));
}

static void nodes_that_could_not_be_asked_are_named(void **state)
{
	json_t *told = json_object();

	(void)state;
	p = (struct proposal){ .n_nodes = 4 };
	snprintf(p.nodes[0].name, sizeof(p.nodes[0].name), "ams-1");
	p.nodes[0].answer = PROPOSE_GRANTED;
	snprintf(p.nodes[1].name, sizeof(p.nodes[1].name), "fra-1");
	p.nodes[1].answer = PROPOSE_ABSENT;
	snprintf(p.nodes[1].reason, sizeof(p.nodes[1].reason), "timed out");
	snprintf(p.nodes[2].name, sizeof(p.nodes[2].name), "lon-1");
	p.nodes[2].answer = PROPOSE_ABSENT;
	snprintf(p.nodes[3].name, sizeof(p.nodes[3].name), "par-1");
	p.nodes[3].answer = PROPOSE_REFUSED;
	snprintf(p.nodes[3].reason, sizeof(p.nodes[3].reason), "disk full");
	propose_add_unreserved(&p, told);
	json_t *wanted = json_pack("{s:[{s:s, s:s}, {s:s, s:s}], s:[{s:s, s:s}]}", "unreserved",
	                           "node", "fra-1", "why", "timed out", "node", "lon-1", "why", "",
	                           "not_taken", "node", "par-1", "why", "disk full");
	assert_true(json_equal(told, wanted));
	json_decref(wanted);
	json_decref(told);
}

/*
 * The version that was made is handed over with its files; a client hears only of one that stays.
 */
static void a_version_is_handed_over_with_its_files(void **state)
{
	static const struct asked_row granted[] = { { "/v1/peer/reserve", STATE("granted"), 0 },
		                                    { "/v1/peer/versions", STATE("taken"), 0 },
		                                    { NULL, NULL, 0 } };

	(void)state;
	assert_true(reserve_at(granted));
	asked_apply("# changed", 0, NOW_MS + 10);
	n_asked = 0;
	core_lock(&this_node);
	assert_true(propose_push(&this_node, &p, &answer));
	core_unlock(&this_node);
	assert_int_equal(answer.status, 0);
	assert_int_equal(n_asked, 2);
	json_t *body = json_loads(requested[0].body, 0, NULL);
	const json_t *version = json_object_get(body, "version");
	assert_int_equal(json_integer_value(json_object_get(version, "number")), 2);
	assert_string_equal(json_string_value(json_object_get(version, "digest")),
	                    intent_head(this_node.intent)->digest);
	assert_string_equal(json_string_value(json_object_get(body, "node")), "ams-1");
	assert_string_equal(json_string_value(json_object_get(body, "cluster")), "shop");
	assert_int_equal(json_object_size(json_object_get(body, "files")), 2);
	json_decref(body);
	assert_false(this_node.proposing);
	assert_null(reserve_holder(&this_node.reserved, fake_ms)); /* it has its successor */
}

static void a_version_that_lost_is_told_to_its_client(void **state)
{
	static const struct asked_row rows[] = { { "/v1/peer/reserve", STATE("granted"), 0 },
		                                 { "fra-1/v1/peer/versions", STATE("stale"), 0 },
		                                 { NULL, NULL, 0 } };

	(void)state;
	assert_true(reserve_at(rows));
	asked_apply("# changed", 0, NOW_MS + 10);
	n_asked = 0;
	core_lock(&this_node);
	assert_false(propose_push(&this_node, &p, &answer));
	core_unlock(&this_node);
	assert_int_equal(n_asked, 1); /* who refused decides: nobody else is handed it */
	assert_int_equal(answer.status, 412);
	assert_int_equal(
	        strncmp(problem_detail(),
	                "a change at another node came first, so this change was withdrawn; the "
	                "head of this node is \"v1-",
	                96),
	        0);
	assert_int_equal(intent_head(this_node.intent)->number, 1);
	assert_int_equal(n_pokes, 1);
	assert_false(this_node.proposing);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(who_has_no_peers_asks_nobody),
		T(a_reservation_names_version_and_parent),
		T(a_wait_for_another_has_an_end),
		T(who_waited_gets_it_when_it_is_free),
		T(who_comes_second_hears_of_the_first),
		T(what_was_granted_long_ago_is_worth_nothing),
		T(a_reservation_is_for_the_head_that_was),
		T(nodes_that_could_not_be_asked_are_named),
		T(a_version_is_handed_over_with_its_files),
		T(a_version_that_lost_is_told_to_its_client),
	};

	return cmocka_run_group_tests_name("propose whole", tests, NULL, NULL);
}
