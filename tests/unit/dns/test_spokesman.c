/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose reason and time a site's word has, of several nodes that see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/steering/majority.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A view whose time is @p since_s, by which it is known again. */
static struct majority_node make_node(uint32_t site, const char *how, uint32_t since_s)
{
	bool down = how[1] == 'd';

	return (struct majority_node){
		.site = site,
		.own = how[0] == '*',
		.fresh = how[0] != '-',
		.word = health_make(down ? HEALTH_DOWN : HEALTH_UP, 0,
		                    down ? HEALTH_REASON_TIMEOUT : HEALTH_REASON_OK, since_s),
	};
}

static void the_word_is_that_of_the_best_view_that_agrees(void **state)
{
	static const struct {
		const char *why, *views[3]; /* '*' the own one, '+' fresh, '-' not */
		uint32_t by;                /* the view, from 1 on */
	} cases[] = {
		{ "the own one, where it votes", { "+d", "*d", "+d" }, 2 },
		{ "the own one, which comes first", { "*d", "+d", "+d" }, 1 },
		{ "the first vote, where the own one differs", { "+d", "+d", "*u" }, 1 },
		{ "a vote before one that is lost", { "-d", "+d", "+d" }, 2 },
		{ "one that is lost says less than a later vote", { "-u", "+d", "*u" }, 3 },
		{ "of lost ones the first", { "-u", "-u", "+d" }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct majority_node views[3];

		for (uint32_t k = 0; k < 3; k++)
			views[k] = make_node(k, cases[i].views[k], 100 + k + 1);
		struct majority m = majority_of(views, 3, MAJORITY_WAS_UP);

		if (health_since_s(m.word) != 100 + cases[i].by)
			fail_msg("%s: %d", cases[i].why, (int)health_since_s(m.word) - 100);
		assert_int_equal(health_reason(m.word), health_reason(views[cases[i].by - 1].word));
	}
}

SUITE(spokesman)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_is_that_of_the_best_view_that_agrees),
	};

	return cmocka_run_group_tests_name("spokesman", tests, NULL, NULL);
}
