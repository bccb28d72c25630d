/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fellow's answer about its slots is worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "mgmt/peers/state_fetch.h"
#include "tests/unit/suite.h"
#include "weir/conn_state.h"

/* @param some  whether there is a text */
static enum state_fetch_word read_text(const char *json, bool *some)
{
	json_t *answer = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
	const char *connections = NULL;
	enum state_fetch_word word = state_fetch_read(answer, &connections);

	*some = connections != NULL;
	json_decref(answer);
	return word;
}

static void answers_are_told_apart(void **state)
{
	(void)state;
	static const struct {
		const char *json;
		enum state_fetch_word word;
	} cases[] = {
#define FROM "{\"node\":\"ams-2\",\"cluster\":\"shop\","
		{ FROM "\"learning\":false,\"connections\":\"pool a 64\\n\"}", STATE_FETCH_KNOWS },
		{ FROM "\"learning\":true,\"connections\":\"pool a 64\\n\"}", STATE_FETCH_NOTHING },
		{ FROM "\"learning\":0,\"connections\":\"\"}", STATE_FETCH_MALFORMED },
		{ FROM "\"connections\":\"\"}", STATE_FETCH_MALFORMED },
		{ FROM "\"learning\":false}", STATE_FETCH_MALFORMED },
		{ FROM "\"learning\":false,\"connections\":null}", STATE_FETCH_MALFORMED },
		{ FROM "\"learning\":false,\"connections\":[]}", STATE_FETCH_MALFORMED },
		{ FROM "\"ok\":false,\"error\":\"no document\"}", STATE_FETCH_MALFORMED },
		{ "[]", STATE_FETCH_MALFORMED },
		{ "\"x\"", STATE_FETCH_MALFORMED },
		{ NULL, STATE_FETCH_MALFORMED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool some;

		if (read_text(cases[i].json, &some) != cases[i].word ||
		    some != (cases[i].word == STATE_FETCH_KNOWS))
			fail_msg("%s", cases[i].json ? cases[i].json : "nothing");
	}
}

static void what_is_too_long_is_no_answer(void **state)
{
	(void)state;
	char *connections = malloc(CONN_STATE_TEXT_MAX + 2);
	const char *text;

	assert_non_null(connections);
	memset(connections, 'x', CONN_STATE_TEXT_MAX + 1);
	connections[CONN_STATE_TEXT_MAX + 1] = '\0';
	json_t *answer = json_pack("{s:s, s:s, s:b, s:s}", "node", "ams-2", "cluster", "shop",
	                           "learning", 0, "connections", connections);
	assert_int_equal(state_fetch_read(answer, &text), STATE_FETCH_MALFORMED);
	connections[CONN_STATE_TEXT_MAX] = '\0'; /* the longest that is one */
	json_object_set_new(answer, "connections", json_string(connections));
	assert_int_equal(state_fetch_read(answer, &text), STATE_FETCH_KNOWS);
	assert_int_equal(strlen(text), CONN_STATE_TEXT_MAX);
	json_decref(answer);
	free(connections);
}

SUITE(state_fetch)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_told_apart),
		cmocka_unit_test(what_is_too_long_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
