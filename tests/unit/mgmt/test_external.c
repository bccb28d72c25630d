/* SPDX-License-Identifier: BSD-2-Clause */
/* Verdicts that programs give: which one holds, for how long it is remembered, and what nodes tell each other of them. */
#include "fixture.h"

#include "base/clock.h"
#include "mgmt/overrides/hlc.h"
#include "mgmt/peers/externals.h"
#include "tests/unit/suite.h"
#include "weir/json.h"

#define WALL_MS ((int64_t)1790000000000)
#define T0      ((uint64_t)5000000) /* monotonic */

static struct external make_verdict(const char *backend, enum health_state state, uint32_t ttl_s)
{
	struct external e = { .pool = "web", .state = state, .ttl_s = ttl_s, .node = "ams-1" };

	snprintf(e.backend, sizeof(e.backend), "%s", backend);
	snprintf(e.principal, sizeof(e.principal), "token:probe");
	return e;
}

/* As another node tells it. */
static struct external make_heard(const char *backend, enum health_state state, uint32_t ttl_s,
                                  int64_t said_ms, uint64_t age_ms)
{
	struct external e = make_verdict(backend, state, ttl_s);

	e.stamp = hlc_next(0, said_ms);
	e.age_ms = age_ms;
	e.kept_ms = ttl_s * 1000u + EXTERNAL_SHOWN_MS - age_ms;
	return e;
}

static void say_here(struct external_list *all, const struct external *e, uint64_t now_ms)
{
	assert_int_equal(externals_say(all, e, now_ms, WALL_MS + (int64_t)(now_ms - T0)), 0);
}

static enum health_state state_at(const struct external_list *all, const char *backend,
                                  uint64_t now_ms)
{
	return external_state(externals_find(all, "web", backend), now_ms);
}

static void a_verdict_stands_for_its_ttl(void **state)
{
	struct external_list all = { .epoch = 1 };
	struct external e = make_verdict("b1", HEALTH_DOWN, 5);

	(void)state;
	assert_int_equal(state_at(&all, "b1", T0), HEALTH_UNKNOWN);
	say_here(&all, &e, T0);
	assert_int_equal(state_at(&all, "b1", T0), HEALTH_DOWN);
	assert_int_equal(state_at(&all, "b1", T0 + 4999), HEALTH_DOWN);
	assert_int_equal(state_at(&all, "b1", T0 + 5000), HEALTH_UNKNOWN);
	assert_int_equal(state_at(&all, "b2", T0), HEALTH_UNKNOWN);
	say_here(&all, &e, T0 + 6000); /* renewed */
	assert_int_equal(state_at(&all, "b1", T0 + 10999), HEALTH_DOWN);
	externals_fini(&all);
}

static void it_is_remembered_until_nothing_that_it_replaced_could_stand(void **state)
{
	struct external_list all = { .epoch = 1 };
	struct external up = make_verdict("b1", HEALTH_UP, 86400),
	                down = make_verdict("b1", HEALTH_DOWN, 5),
	                back = make_verdict("b1", HEALTH_UNKNOWN, 0);

	(void)state;
	say_here(&all, &up, T0);
	say_here(&all, &down, T0 + 1000);
	say_here(&all, &back, T0 + 2000);
	externals_forget(&all, T0 + 86400000u + EXTERNAL_SHOWN_MS - 1);
	assert_non_null(externals_find(&all, "web", "b1"));
	externals_forget(&all, T0 + 86400000u + EXTERNAL_SHOWN_MS);
	assert_null(externals_find(&all, "web", "b1"));
	assert_int_equal(all.n, 0);
	say_here(&all, &down, T0);
	externals_forget(&all, T0 + 5000 + EXTERNAL_SHOWN_MS - 1);
	assert_int_equal(all.n, 1);
	externals_forget(&all, T0 + 5000 + EXTERNAL_SHOWN_MS);
	assert_int_equal(all.n, 0);
	externals_fini(&all);
}

static void the_newest_holds_in_whichever_order_they_come(void **state)
{
	static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		                              { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	const struct external list[] = { make_heard("b1", HEALTH_UP, 600, WALL_MS - 3000, 3000),
		                         make_heard("b1", HEALTH_DOWN, 600, WALL_MS - 2000, 2000),
		                         make_heard("b1", HEALTH_UNKNOWN, 0, WALL_MS - 1000,
		                                    1000) };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct external_list all = { .epoch = 1 };

		for (size_t k = 0; k < 3; k++)
			(void)externals_hear(&all, &list[orders[i][k]], T0, T0, WALL_MS);
		assert_int_equal(all.n, 1);
		assert_int_equal(all.items[0]->stamp, list[2].stamp);
		assert_int_equal(state_at(&all, "b1", T0), HEALTH_UNKNOWN);
		/* remembered as long as the longest of them */
		assert_int_equal(all.items[0]->kept_until_ms,
		                 T0 + 600000 + EXTERNAL_SHOWN_MS - 1000 - 1000);
		externals_fini(&all);
	}
}

/* Two nodes said it in the same millisecond: what they say decides, not who is heard first. */
static void equal_stamps_are_decided_by_what_is_said(void **state)
{
	struct external a = make_heard("b1", HEALTH_UP, 600, WALL_MS, 0), b = a, c = a;

	(void)state;
	b.state = HEALTH_DOWN;
	snprintf(c.node, sizeof(c.node), "ams-2");
	for (unsigned i = 0; i < 2; i++) {
		struct external_list all = { .epoch = 1 };

		(void)externals_hear(&all, i ? &a : &b, T0, T0, WALL_MS);
		(void)externals_hear(&all, i ? &b : &a, T0, T0, WALL_MS);
		assert_int_equal(state_at(&all, "b1", T0), HEALTH_DOWN);
		externals_fini(&all);
		(void)externals_hear(&all, i ? &a : &c, T0, T0, WALL_MS);
		(void)externals_hear(&all, i ? &c : &a, T0, T0, WALL_MS);
		assert_string_equal(all.items[0]->node, "ams-2");
		externals_fini(&all);
	}
	for (unsigned i = 0; i < 6; i++) {
		struct external_list all = { .epoch = 1 };

		c = a;
		if (i / 2 == 0)
			c.ttl_s++;
		if (i / 2 == 1)
			c.reason[0] = 'x';
		if (i / 2 == 2)
			c.principal[0] = 'z';
		(void)externals_hear(&all, i % 2 ? &a : &c, T0, T0, WALL_MS);
		(void)externals_hear(&all, i % 2 ? &c : &a, T0, T0, WALL_MS);
		assert_int_equal(all.items[0]->ttl_s, c.ttl_s);
		assert_string_equal(all.items[0]->reason, c.reason);
		assert_string_equal(all.items[0]->principal, c.principal);
		assert_int_equal(externals_hear(&all, &c, T0, T0, WALL_MS), EXTERNAL_NOT_NEWER);
		externals_fini(&all);
	}
}

static void what_is_said_knowing_another_is_the_later(void **state)
{
	struct external_list all = { .epoch = 1 };
	struct external ahead = make_heard("b1", HEALTH_DOWN, 600, WALL_MS + 60000, 0),
	                up = make_verdict("b1", HEALTH_UP, 600);

	(void)state;
	assert_int_equal(externals_hear(&all, &ahead, T0, T0, WALL_MS), EXTERNAL_ACCEPTED);
	say_here(&all, &up, T0); /* this node's clock is a minute behind */
	assert_int_equal(state_at(&all, "b1", T0), HEALTH_UP);
	assert_int_equal(externals_hear(&all, &ahead, T0, T0, WALL_MS), EXTERNAL_NOT_NEWER);
	assert_int_equal(state_at(&all, "b1", T0), HEALTH_UP);
	externals_fini(&all);
}

static void an_instant_in_the_future_is_not_taken(void **state)
{
	struct external_list all = { .epoch = 1 };
	struct external e = make_heard("b1", HEALTH_DOWN, 600, WALL_MS + HLC_AHEAD_MS + 1, 0);

	(void)state;
	assert_int_equal(externals_hear(&all, &e, T0, T0, WALL_MS), EXTERNAL_IS_AHEAD);
	assert_int_equal(all.n, 0);
	assert_int_equal(all.n_ahead, 1);
	assert_int_equal(all.newest, 0); /* nor do later ones of this node follow it */
	e = make_heard("b1", HEALTH_DOWN, 600, WALL_MS + HLC_AHEAD_MS, 0);
	assert_int_equal(externals_hear(&all, &e, T0, T0, WALL_MS), EXTERNAL_ACCEPTED);
	externals_fini(&all);
}

static void its_age_counts_and_the_wall_clock_does_not(void **state)
{
	struct external_list all = { .epoch = 1 };
	struct external e = make_heard("b1", HEALTH_DOWN, 60, WALL_MS - 3600000, 20000);

	(void)state;
	assert_int_equal(externals_hear(&all, &e, T0, T0 + 500, WALL_MS), EXTERNAL_ACCEPTED);
	assert_int_equal(state_at(&all, "b1", T0 + 39999), HEALTH_DOWN);
	assert_int_equal(state_at(&all, "b1", T0 + 40000), HEALTH_UNKNOWN);
	e.age_ms = 19000; /* by another way, which took less time */
	assert_int_equal(externals_hear(&all, &e, T0, T0, WALL_MS), EXTERNAL_NOT_NEWER);
	assert_int_equal(state_at(&all, "b1", T0 + 40999), HEALTH_DOWN);
	e.age_ms = 50000;
	assert_int_equal(externals_hear(&all, &e, T0, T0, WALL_MS), EXTERNAL_NOT_NEWER);
	assert_int_equal(state_at(&all, "b1", T0 + 40999), HEALTH_DOWN);
	/* said before this node was booted */
	e = make_heard("b2", HEALTH_UP, 86400, WALL_MS, 1000);
	assert_int_equal(externals_hear(&all, &e, 400, 400, WALL_MS), EXTERNAL_ACCEPTED);
	assert_int_equal(state_at(&all, "b2", 86399399), HEALTH_UP);
	assert_int_equal(state_at(&all, "b2", 86399400), HEALTH_UNKNOWN);
	externals_fini(&all);
}

/* One that stands nowhere any more, of which nothing is known here, needs no room; but it ends a former one that is known. */
static void what_is_over_is_taken_only_against_a_former_one(void **state)
{
	struct external_list all = { .epoch = 1 };
	struct external up = make_heard("b1", HEALTH_UP, 86400, WALL_MS - 9000, 9000),
	                over = make_heard("b1", HEALTH_DOWN, 5, WALL_MS - 6000, 6000);

	(void)state;
	over.kept_ms = 0;
	assert_int_equal(externals_hear(&all, &over, T0, T0, WALL_MS), EXTERNAL_IS_OVER);
	assert_int_equal(all.n, 0);
	assert_int_equal(externals_hear(&all, &up, T0, T0, WALL_MS), EXTERNAL_ACCEPTED);
	assert_int_equal(externals_hear(&all, &over, T0, T0, WALL_MS), EXTERNAL_ACCEPTED);
	assert_int_equal(state_at(&all, "b1", T0), HEALTH_UNKNOWN);
	externals_forget(&all, T0);
	assert_int_equal(all.n, 1);
	externals_fini(&all);
}

static void a_full_set_takes_no_more_and_forgets_nothing(void **state)
{
	struct external_list all = { .epoch = 1 };
	char name[16];

	(void)state;
	for (unsigned i = 0; i < EXTERNALS_KNOWN_MAX; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		struct external e = make_heard(name, HEALTH_UP, 600, WALL_MS, 0);

		assert_int_equal(externals_hear(&all, &e, T0, T0, WALL_MS), EXTERNAL_ACCEPTED);
	}
	struct external e = make_heard("more", HEALTH_UP, 600, WALL_MS, 0);

	assert_int_equal(externals_hear(&all, &e, T0, T0, WALL_MS), EXTERNAL_NO_ROOM);
	assert_int_equal(all.n_no_room, 1);
	assert_int_equal(externals_say(&all, &e, T0, WALL_MS), -ENOSPC);
	assert_int_equal(all.n, EXTERNALS_KNOWN_MAX);
	struct external known = make_verdict("b7", HEALTH_DOWN, 600);

	say_here(&all, &known, T0);
	assert_int_equal(state_at(&all, "b7", T0), HEALTH_DOWN);
	assert_int_equal(state_at(&all, "b19999", T0), HEALTH_UP);
	externals_fini(&all);
}

/* --- between nodes --- */

static json_t *ask_behind(const struct external_list *of, struct externals_position at,
                          uint64_t now_ms)
{
	json_t *question = externals_question(&at),
	       *answer = externals_answer(of, question, now_ms);

	json_decref(question);
	assert_non_null(answer);
	return answer;
}

static void a_node_fetches_what_it_lacks_and_no_more(void **state)
{
	struct external_list a = { .epoch = 11 }, b = { .epoch = 22 };
	struct externals_position at = { 0, 0 };
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 2500; i++) {
		snprintf(name, sizeof(name), "b%u", i);
		struct external e = make_verdict(name, HEALTH_UP, 600);

		say_here(&a, &e, T0 + i);
	}
	for (unsigned i = 0; i < 3; i++) {
		json_t *answer = ask_behind(&a, at, T0 + 3000);

		assert_int_equal(json_array_size(json_object_get(answer, "items")),
		                 i < 2 ? 1000 : 500);
		assert_int_equal(
		        externals_accept(&b, answer, T0 + 3000, T0 + 3010, WALL_MS + 3000, &at), 0);
		json_decref(answer);
	}
	assert_int_equal(at.epoch, 11);
	assert_int_equal(at.seq, 2500);
	assert_int_equal(b.n, 2500);
	for (size_t i = 0; i < b.n; i++) {
		const struct external *e = externals_find(&a, "web", b.items[i]->backend);

		assert_int_equal(b.items[i]->stamp, e->stamp);
		assert_int_equal(b.items[i]->said_ms, e->said_ms);
		assert_int_equal(b.items[i]->kept_until_ms, e->kept_until_ms);
		assert_string_equal(b.items[i]->principal, "token:probe");
	}
	struct external e = make_verdict("b3", HEALTH_DOWN, 600);

	say_here(&a, &e, T0 + 4000);
	json_t *answer = ask_behind(&a, at, T0 + 4000);
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 1);
	assert_int_equal(externals_accept(&b, answer, T0 + 4000, T0 + 4000, WALL_MS + 4000, &at),
	                 0);
	json_decref(answer);
	assert_int_equal(state_at(&b, "b3", T0 + 4000), HEALTH_DOWN);
	assert_int_equal(b.own_seq, 0); /* nothing was said to it */
	/* another process begins to count at 0: all is asked for again */
	a.epoch = 12;
	answer = ask_behind(&a, at, T0 + 4000);
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 1000);
	json_decref(answer);
	externals_fini(&a);
	externals_fini(&b);
}

static void set_item(json_t *answer, const char *name, json_t *value)
{
	json_object_set_new(json_array_get(json_object_get(answer, "items"), 0), name, value);
}

static void a_hostile_answer_is_refused_whole(void **state)
{
	struct external_list a = { .epoch = 11 };
	struct external e = make_verdict("b1", HEALTH_UP, 600),
	                other = make_verdict("b2", HEALTH_UP, 600);
	char *longest = malloc(300);

	(void)state;
	memset(longest, 'n', 299);
	longest[299] = '\0';
	say_here(&a, &e, T0);
	say_here(&a, &other, T0);
	const struct {
		const char *why, *name;
		json_t *value;
	} cases[] = {
		{ "no name", "backend", json_string("") },
		{ "a name of a path", "pool", json_string("../x") },
		{ "a name too long", "backend", json_string(longest) },
		{ "a name that is none", "pool", json_string("We b") },
		{ "a number for a name", "backend", json_integer(7) },
		{ "no such verdict", "state", json_string("draining") },
		{ "no verdict", "state", json_null() },
		{ "a ttl of 0", "ttl_s", json_integer(0) },
		{ "a ttl of 4 s", "ttl_s", json_integer(4) },
		{ "a ttl of a year", "ttl_s", json_integer(31536000) },
		{ "a negative ttl", "ttl_s", json_integer(-30) },
		{ "a text for a ttl", "ttl_s", json_string("30") },
		{ "no stamp", "stamp", json_integer(0) },
		{ "a stamp beyond all", "stamp", json_integer((json_int_t)1 << 53) },
		{ "an age of years", "age_ms", json_integer((json_int_t)1 << 50) },
		{ "a negative age", "age_ms", json_integer(-1) },
		{ "remembered for ever", "kept_ms", json_integer((json_int_t)1 << 50) },
		{ "a reason too long", "reason", json_string(longest) },
		{ "a reason with a newline", "reason", json_string("a\nb") },
		{ "a reason with an escape", "reason", json_string("\x1b[31m") },
		{ "a reason that turns round", "reason", json_string("\xe2\x80\xae") },
		{ "a principal with a newline", "principal", json_string("a\nb") },
		{ "no node", "node", json_string("") },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct external_list b = { .epoch = 22 };
		struct externals_position at = { 7, 7 };
		json_t *answer = ask_behind(&a, at, T0);

		set_item(answer, cases[i].name, cases[i].value);
		if (externals_accept(&b, answer, T0, T0, WALL_MS, &at) != -EINVAL || b.n ||
		    at.seq != 7)
			fail_msg("%s", cases[i].why);
		json_decref(answer);
		externals_fini(&b);
	}
	free(longest);
	externals_fini(&a);
}

static void an_answer_with_a_hundred_thousand_is_refused(void **state)
{
	struct external_list a = { .epoch = 11 }, b = { .epoch = 22 };
	struct external e = make_verdict("b1", HEALTH_UP, 600);
	struct externals_position at = { 0, 0 };
	char name[16];

	(void)state;
	say_here(&a, &e, T0);
	json_t *answer = ask_behind(&a, at, T0), *items = json_object_get(answer, "items");

	for (unsigned i = 0; i < 100000; i++) {
		json_t *one = json_deep_copy(json_array_get(items, 0));

		snprintf(name, sizeof(name), "x%u", i);
		json_object_set_new(one, "backend", json_string(name));
		json_array_append_new(items, one);
	}
	assert_int_equal(externals_accept(&b, answer, T0, T0, WALL_MS, &at), -EINVAL);
	assert_int_equal(b.n, 0);
	assert_null(b.items);
	json_decref(answer);
	static const char *const bodies[] = {
		"{}",
		"{\"epoch\": \"0123456789abcdef\"}",
		"{\"epoch\": \"0123456789abcdef\", \"seq\": -1}",
		"{\"epoch\": \"0123456789abcdef\", \"seq\": \"1\"}",
		"{\"epoch\": \"123\", \"seq\": 1}",
		"{\"epoch\": 1, \"seq\": 1, \"items\": []}",
		"{\"epoch\": \"0123456789abcdef\", \"seq\": 1, \"items\": {}}",
		"{\"epoch\": \"0123456789abcdef\", \"seq\": 1, \"items\": [1]}",
		"[]",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		json_t *body = json_loads(bodies[i], 0, NULL);

		assert_int_equal(externals_accept(&b, body, T0, T0, WALL_MS, &at), -EINVAL);
		assert_true(i == 6 || i == 7 || !externals_words_read(body, &at));
		assert_true(i == 6 || i == 7 || !externals_answer(&a, body, T0));
		json_decref(body);
	}
	externals_fini(&a);
}

static uint64_t seq_said(struct externals_out *out, const struct external_list *all,
                         uint64_t now_ms)
{
	json_t *words = externals_words(out, all, now_ms);
	struct externals_position at = { 0, UINT64_MAX };

	assert_true(externals_words_read(words, &at));
	assert_int_equal(at.epoch, all->epoch);
	json_decref(words);
	return at.seq;
}

/* What a program said here is in it at once; what others said, twice a second at most. */
static void the_section_says_how_far_a_node_is(void **state)
{
	struct external_list all = { .epoch = 0xabc };
	struct externals_out out = { .page = NULL };
	struct external e = make_verdict("b1", HEALTH_UP, 600),
	                heard = make_heard("b2", HEALTH_UP, 600, WALL_MS, 0);

	(void)state;
	assert_int_equal(seq_said(&out, &all, T0), 0);
	say_here(&all, &e, T0 + 10);
	assert_int_equal(seq_said(&out, &all, T0 + 10), 1);
	assert_int_equal(externals_hear(&all, &heard, T0 + 20, T0 + 20, WALL_MS),
	                 EXTERNAL_ACCEPTED);
	assert_int_equal(seq_said(&out, &all, T0 + 20), 1);
	assert_int_equal(seq_said(&out, &all, T0 + 509), 1);
	assert_int_equal(seq_said(&out, &all, T0 + 510), 2);
	assert_int_equal(seq_said(&out, &all, T0 + 99999), 2);
	externals_fini(&all);
}

SUITE(external)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verdict_stands_for_its_ttl),
		cmocka_unit_test(it_is_remembered_until_nothing_that_it_replaced_could_stand),
		cmocka_unit_test(the_newest_holds_in_whichever_order_they_come),
		cmocka_unit_test(equal_stamps_are_decided_by_what_is_said),
		cmocka_unit_test(what_is_said_knowing_another_is_the_later),
		cmocka_unit_test(an_instant_in_the_future_is_not_taken),
		cmocka_unit_test(its_age_counts_and_the_wall_clock_does_not),
		cmocka_unit_test(what_is_over_is_taken_only_against_a_former_one),
		cmocka_unit_test(a_full_set_takes_no_more_and_forgets_nothing),
		cmocka_unit_test(a_node_fetches_what_it_lacks_and_no_more),
		cmocka_unit_test(a_hostile_answer_is_refused_whole),
		cmocka_unit_test(an_answer_with_a_hundred_thousand_is_refused),
		cmocka_unit_test(the_section_says_how_far_a_node_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
