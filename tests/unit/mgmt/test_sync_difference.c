/* SPDX-License-Identifier: BSD-2-Clause */
/* What makes members equal to a list, and what a list may not ask for (mgmt/cli/members/difference.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/cli/members/difference.h"
#include "tests/unit/suite.h"

static struct list_errors errors;
static struct difference_pool pool;

static void add_member(struct list_members *list, const char *id, unsigned last, unsigned weight,
                       const char *labels)
{
	struct member_entry *m;
	char text[ADDR_TEXT_MAX];

	list->items = realloc(list->items, (list->n + 1) * sizeof(*list->items));
	assert_non_null(list->items);
	m = &list->items[list->n++];
	*m = (struct member_entry){ .weight = weight, .ttl_s = 30 };
	snprintf(m->id, sizeof(m->id), "%s", id);
	snprintf(m->labels, sizeof(m->labels), "%s", labels);
	snprintf(text, sizeof(text), "10.1.0.%u", last);
	assert_int_equal(addr_parse(text, &m->address), 0);
}

/*
 * Members in words: "a1 b2:50 c3/other !d4 e5@": name, end of the address, weight; of others; leaving; with a label. Of one letter each.
 */
static void read_members(const char *words, struct list_members *list, bool *leaves)
{
	char copy[256], *save = NULL;

	*list = (struct list_members){ .n = 0 };
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *at = strtok_r(copy, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
		bool is_leaving = *at == '!';
		unsigned last = 0, weight = 100;
		char id[2] = { at[is_leaving], '\0' };
		const char *colon = strchr(at, ':'), *slash = strchr(at, '/');

		sscanf(at + is_leaving + 1, "%u", &last);
		if (colon)
			sscanf(colon + 1, "%u", &weight);
		if (leaves)
			leaves[list->n] = is_leaving;
		add_member(list, id, last, weight,
		           slash             ? "source=other"
		           : strchr(at, '@') ? "rack=7,source=k8s"
		                             : "source=k8s");
	}
}

/* The steps as words: "+a -b *c =d .e" */
static const char *compare_words(const char *wanted_words, const char *present_text,
                                 struct difference *d)
{
	static char out[sizeof(errors.text) + 1];
	static const char signs[] = "+-*=.";
	struct list_members target;
	struct difference_present present;
	bool leaves[32] = { false };
	size_t used = 0;

	read_members(wanted_words, &target, NULL);
	read_members(present_text, &present.members, leaves);
	present.leaves = leaves;
	out[0] = '\0';
	if (difference_make(&target, &present, "k8s", &pool, d, &errors)) {
		for (size_t i = 0; i < d->n; i++)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%c%s",
			                         i ? " " : "", signs[d->steps[i].kind],
			                         d->steps[i].member->id);
		difference_fini(d);
		snprintf(out + used, sizeof(out) - used, "%s", "");
	} else {
		assert_true(errors.n > 0);
		snprintf(out, sizeof(out), "!%s", errors.text);
	}
	list_fini(&target);
	list_fini(&present.members);
	return out;
}

static void the_steps_are_those_that_are_needed(void **state)
{
	static const struct {
		const char *why, *target, *present, *steps;
	} rows[] = {
		{ "the first list", "a1 b2", "", "+a +b" },
		{ "nothing new", "a1 b2", "a1 b2", "=a =b" },
		{ "one more", "a1 b2", "a1", "+b =a" },
		{ "one less", "a1", "a1 b2", "-b =a" },
		{ "another weight", "a1:50", "a1", "+a" },
		{ "another label", "a1@", "a1", "+a" },
		{ "a label less", "a1", "a1@", "+a" },
		{ "puts come before leaves", "c3", "a1 b2", "+c -a -b" },
		{ "one that leaves comes back", "a1", "!a1", "+a" },
		{ "one that leaves is left alone", "b2", "!a1 b2", "=b" },
		{ "others' are not touched", "a1", "a1 b2/other !c3/other", "=a" },
		{ "an address goes to another name", "b1", "a1", "-a *b" },
		{ "an address of one that leaves", "b1", "!a1", "*b" },
		{ "an address of another's that leaves", "b1", "!a1/other", "*b" },
		{ "two exchange their addresses", "a2 b1", "a1 b2", "-a -b .a .b" },
		{ "another address is waited for", "a2", "a1", "-a .a" },
		{ "and is still waited for", "a2", "!a1", ".a" },
		{ "another's name that leaves is waited for", "a1", "!a1/other", ".a" },
		{ "a chain", "a2 b3 c9", "a1 b2", "+c -a -b .a .b" },
	};
	struct difference d;

	(void)state;
	pool = (struct difference_pool){ .n = 0 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *steps = compare_words(rows[i].target, rows[i].present, &d);

		if (strcmp(steps, rows[i].steps))
			fail_msg("%s: %s", rows[i].why, steps);
	}
}

static void what_is_others_is_named(void **state)
{
	static const struct prefix prefixes[] = { { .bits = 128 } };
	struct difference d;

	(void)state;
	pool = (struct difference_pool){ .n = 0 };
	assert_non_null(strstr(compare_words("a1", "a1/other", &d),
	                       "a is a backend, or a member, of others"));
	assert_non_null(
	        strstr(compare_words("a1 b2", "c2/other", &d), "b: 10.1.0.2 is the address of c"));
	/* one has left it, and another has it */
	assert_non_null(strstr(compare_words("b2", "!a2 c2/other", &d), "of c"));
	assert_non_null(strstr(compare_words("b2", "c2/other !d2", &d), "of c"));
	pool = (struct difference_pool){ .prefixes = prefixes, .n = 1 };
	assert_non_null(strstr(compare_words("a1", "", &d), "a: 10.1.0.1 is in none"));
	pool = (struct difference_pool){ .max_backends = 3 };
	assert_string_equal(compare_words("a1 b2", "c3/other !d4/other", &d), "+a +b");
	assert_non_null(strstr(compare_words("a1 b2 e5", "c3/other", &d), "max_backends is 3"));
	assert_string_equal(compare_words("a1 b2 e5", "a1 b2 c3", &d), "+e -c =a =b");
	pool = (struct difference_pool){ .n = 0 };
	compare_words("a1 b2 c3", "a1/other b2/other c3/other", &d);
	assert_int_equal(errors.n, 3);
}

static void addresses_may_lie_in_any_of_the_prefixes(void **state)
{
	struct prefix prefixes[2];
	struct difference d;

	(void)state;
	assert_int_equal(prefix_parse("10.2.0.0/16", &prefixes[0]), 0);
	assert_int_equal(prefix_parse("10.1.0.0/30", &prefixes[1]), 0);
	pool = (struct difference_pool){ .prefixes = prefixes, .n = 2 };
	assert_string_equal(compare_words("a1 b3", "", &d), "+a +b");
	assert_non_null(strstr(compare_words("a1 b4", "", &d), "b: 10.1.0.4"));
	pool = (struct difference_pool){ .n = 0 };
}

static void more_than_half_is_too_much(void **state)
{
	static const struct {
		size_t had, leave;
		bool shrinks;
	} rows[] = { { 0, 0, false }, { 1, 0, false },    { 1, 1, true },
		     { 2, 1, false }, { 2, 2, true },     { 3, 1, false },
		     { 3, 2, true },  { 100, 50, false }, { 100, 51, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct difference d = { .n_had = rows[i].had };

		d.of_kind[DIFFERENCE_LEAVE] = rows[i].leave;
		assert_int_equal(difference_shrinks(&d), rows[i].shrinks);
	}
}

static void only_the_sources_own_that_stay_count_as_had(void **state)
{
	struct difference d;

	(void)state;
	pool = (struct difference_pool){ .n = 0 };
	compare_words("a1 b2 c3", "a1 b2 !e5 f6/other", &d);
	compare_words("a1", "a1 b2 c3 !e5 f6/other", &d);
	struct list_members target, there;
	bool leaves[8] = { false };
	struct difference_present present;

	read_members("a1", &target, NULL);
	read_members("a1 b2 c3 !e5 f6/other", &there, leaves);
	present = (struct difference_present){ .members = there, .leaves = leaves };
	assert_true(difference_make(&target, &present, "k8s", &pool, &d, &errors));
	assert_int_equal(d.n_had, 3);
	assert_int_equal(d.of_kind[DIFFERENCE_LEAVE], 2);
	assert_int_equal(d.of_kind[DIFFERENCE_RENEW], 1);
	assert_true(difference_shrinks(&d));
	difference_fini(&d);
	list_fini(&target);
	list_fini(&there);
}

/* After all steps, and once those that leave are gone, nothing is left to do: from any state to any list. */
static void a_second_round_has_nothing_to_do(void **state)
{
	unsigned seed = 1;
	struct difference d;

	(void)state;
	pool = (struct difference_pool){ .n = 0 };
	for (int round = 0; round < 2000; round++) {
		char words[2][64] = { "", "" };

		for (int k = 0; k < 2; k++) {
			unsigned taken = 0;

			for (char c = 'a'; c < 'g'; c++) {
				seed = seed * 1103515245u + 12345u;
				unsigned last = (seed >> 16) % 8;

				if ((seed >> 24) % 3 == 0 || (taken & 1u << last))
					continue;
				taken |= 1u << last;
				size_t used = strlen(words[k]);

				snprintf(words[k] + used, sizeof(words[k]) - used, "%s%c%u",
				         used ? " " : "", c, last + 1);
			}
		}
		if (!*words[0])
			continue;
		const char *steps = compare_words(words[0], words[1], &d);
		unsigned done = 0, blocked = 0;

		for (const char *at = steps; *at; at++) {
			done += *at == '+' || *at == '*' || *at == '=';
			blocked += *at == '.';
		}
		/* each of the list is put, as it is, or waits behind one that leaves */
		assert_int_equal(done + blocked, (strlen(words[0]) + 1) / 3);
		if (blocked)
			assert_non_null(strchr(steps, '-'));
		assert_null(strpbrk(compare_words(words[0], words[0], &d), "+-*.!"));
	}
}

SUITE(sync_difference)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_steps_are_those_that_are_needed),
		cmocka_unit_test(what_is_others_is_named),
		cmocka_unit_test(addresses_may_lie_in_any_of_the_prefixes),
		cmocka_unit_test(more_than_half_is_too_much),
		cmocka_unit_test(only_the_sources_own_that_stay_count_as_had),
		cmocka_unit_test(a_second_round_has_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
