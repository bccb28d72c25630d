/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer is compared with all that it should be, written with ' for each ". */
#ifndef WEIR_TESTS_MGMT_WHOLE_JSON_H
#define WEIR_TESTS_MGMT_WHOLE_JSON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

/* Text with " for each ', the caller's. */
static inline char *whole_quotes(const char *text, char from, char to)
{
	char *made = strdup(text);

	assert_non_null(made);
	for (char *at = made; *at; at++)
		*at = *at == from ? to : *at;
	return made;
}

/* Fail unless @p is is all that @p expected says. Takes @p is. */
static inline void expect_whole(const char *why, json_t *is, const char *expected)
{
	char *text = whole_quotes(expected, '\'', '"');
	json_error_t error;
	json_t *whole = json_loads(text, JSON_DECODE_ANY, &error);

	if (!whole)
		fail_msg("%s: %s at %d: %s", why, error.text, error.position, expected);
	if (!is || !json_equal(is, whole)) {
		char *shown = is ? json_dumps(is, JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
		char *wanted = json_dumps(whole, JSON_SORT_KEYS | JSON_ENCODE_ANY);

		/* longer than cmocka's lines */
		fprintf(stderr, "%s: it is\n%s\nnot\n%s\n", why, shown ? shown : "nothing", wanted);
		fail();
	}
	json_decref(whole);
	json_decref(is);
	free(text);
}

#endif
