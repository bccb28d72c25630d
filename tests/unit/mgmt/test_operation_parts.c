/* SPDX-License-Identifier: BSD-2-Clause */
/* A record of an operation in parts: nothing is lost, each part fits, and what is no part is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made_operation.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/operations/record_parts.h"
#include "tests/unit/suite.h"

#define NOW_MS 1700000000000

static struct operation op;

static int setup(void **state)
{
	(void)state;
	make_operation(&op, "o1", "ams-1", NOW_MS);
	return 0;
}

/* A text as long as it may be, with @p i in it. */
static void fill_text(char *out, size_t size, size_t i, char with)
{
	memset(out, with, size - 1);
	out[size - 1] = '\0';
	out[0] = (char)('a' + i % 26);
	out[1] = (char)('a' + i / 26);
}

#define FILL(text, i, with) fill_text(text, sizeof(text), i, with)

static struct operation_load make_load(size_t i)
{
	struct operation_load l = { .flows = { true, UINT64_MAX / 4 } };

	l.bits = l.capacity_flows = l.capacity_bits = l.expected_flows = l.flows;
	FILL(l.site, i, 'n');
	return l;
}

static void fill_observed(struct operation *o)
{
	o->n_before = o->n_after = o->n_signs = OPERATION_SITES_MAX;
	for (size_t i = 0; i < OPERATION_SITES_MAX; i++) {
		o->before[i] = o->after[i] = make_load(i);
		FILL(o->signs[i].site, i, 'n');
		o->signs[i].repeats = o->signs[i].drops = o->before[i].flows;
	}
	o->n_late = o->n_was_late = OPERATION_LATE_MAX;
	for (size_t i = 0; i < OPERATION_LATE_MAX; i++) {
		FILL(o->late[i].prefix, i, 'p');
		o->late[i].flows = o->before[0].flows;
		o->was_late[i] = o->late[i];
	}
	o->n_failures = OPERATION_FAILURES_MAX;
	for (size_t i = 0; i < OPERATION_FAILURES_MAX; i++) {
		struct operation_failure *f = &o->failures[i];

		snprintf(f->code, sizeof(f->code), "node-lost");
		FILL(f->detail, i, '"'); /* each takes two bytes */
		f->at_ms = f->until_ms = NOW_MS;
	}
}

static void fill_steps(struct operation *o)
{
	o->n_steps = OPERATION_HISTORY_MAX;
	o->steps_lost = 99000;
	for (size_t i = 0; i < OPERATION_HISTORY_MAX; i++) {
		struct operation_step *s = &o->steps[i];

		*s = (struct operation_step){ .to_ppm = MODEL_PPM_ALL - (uint32_t)i,
			                      .state = OPERATION_RETURNING,
			                      .begun_ms = NOW_MS + (int64_t)i,
			                      .n_loads = OPERATION_LOADS_MAX };
		s->ttl_s = s->share_ppm = s->expected_ppm = (struct operation_value){ true, 7 };
		FILL(s->not_judged, i, '"');
		for (size_t k = 0; k < OPERATION_LOADS_MAX; k++)
			s->loads[k] = make_load(k);
		for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
			s->margins[g] = INT64_MIN / 8;
	}
}

static void fill_state(struct operation *o)
{
	o->n_without = OPERATION_WITHOUT_MAX;
	for (size_t i = 0; i < OPERATION_WITHOUT_MAX; i++)
		FILL(o->without[i], i, 'n');
	o->n_took_part = OPERATION_NODES_MAX;
	for (size_t i = 0; i < OPERATION_NODES_MAX; i++)
		o->took_part[i] = UINT64_MAX - i;
	o->n_targets = OPERATION_TARGETS_MAX;
	for (size_t i = 0; i < OPERATION_TARGETS_MAX; i++) {
		FILL(o->targets[i].site, i, 's');
		FILL(o->targets[i].override_id, i, 'i');
	}
	FILL(o->reason, 0, '"');
	FILL(o->principal, 0, '"');
	FILL(o->waits, 0, '"');
	FILL(o->hold.detail, 0, '"');
	snprintf(o->hold.code, sizeof(o->hold.code), "room");
	o->state = OPERATION_HELD;
	o->hold.from = OPERATION_MOVING;
}

static char *text_of(const struct operation_part *p)
{
	char *text = json_dumps(p->json, JSON_COMPACT);

	assert_non_null(text);
	return text;
}

/* As a copy gives them: what was seen in the order of names. */
static int by_name(const void *a, const void *b)
{
	const struct operation_part *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int put_together(struct operation_part *parts, size_t n, struct operation *out)
{
	char *text = text_of(&parts[0]);
	json_t *whole = operation_parts_begin(text);

	free(text);
	assert_non_null(whole);
	qsort(parts + 1, n - 1, sizeof(*parts), by_name);
	for (size_t i = 1; i < n; i++) {
		text = text_of(&parts[i]);
		assert_int_equal(operation_parts_add(whole, text), 0);
		free(text);
	}
	return operation_parts_end(whole, out);
}

static void nothing_is_lost_by_parts(void **state)
{
	static struct operation_part parts[OPERATION_PARTS_MAX];
	static struct operation back;

	(void)state;
	for (int full = 0; full < 2; full++) {
		if (full) {
			fill_state(&op);
			fill_observed(&op);
			fill_steps(&op);
		}
		size_t n = operation_parts_make(&op, parts);

		assert_int_equal(n, full ? OPERATION_PARTS_MAX : 6);
		assert_string_equal(parts[0].name, "operation/o1");
		assert_int_equal(put_together(parts, n, &back), 0);
		operation_parts_free(parts, n);
		json_t *was = operation_to_json(&op), *is = operation_to_json(&back);

		assert_true(json_equal(was, is));
		json_decref(was);
		json_decref(is);
	}
}

static void each_part_of_the_largest_record_fits(void **state)
{
	static struct operation_part parts[OPERATION_PARTS_MAX];
	size_t longest = 0, n;

	(void)state;
	fill_state(&op);
	fill_observed(&op);
	fill_steps(&op);
	assert_true((n = operation_parts_make(&op, parts)) > 0);
	for (size_t i = 0; i < n; i++) {
		char *text = text_of(&parts[i]);
		size_t length = strlen(text) + strlen(",\"change\":\"\"") + SHARED_ID_MAX;

		if (length > SHARED_TEXT_MAX)
			fail_msg("%s has %zu bytes", parts[i].name, length);
		longest = length > longest ? length : longest;
		assert_true(strlen(parts[i].name) < SHARED_NAME_MAX);
		free(text);
	}
	print_message("the longest part has %zu bytes\n", longest);
	operation_parts_free(parts, n);
}

/* So that a change that has no room for all writes those that the next one would not have. */
static void the_newest_step_comes_first(void **state)
{
	static struct operation_part parts[OPERATION_PARTS_MAX];
	char lost[SHARED_NAME_MAX];
	size_t n;

	(void)state;
	assert_null(operation_lost_name(&op, lost));
	op.n_steps = 3;
	op.steps_lost = 10;
	for (size_t i = 0; i < 3; i++)
		op.steps[i].state = OPERATION_MOVING;
	assert_int_equal((n = operation_parts_make(&op, parts)), 9);
	assert_string_equal(parts[6].name, "observed/o1/step/00012");
	assert_string_equal(parts[8].name, "observed/o1/step/00010");
	assert_string_equal(operation_lost_name(&op, lost), "observed/o1/step/00009");
	operation_parts_free(parts, n);
}

static void what_is_no_part_is_refused(void **state)
{
	static const char *const states[] = { "", "[]", "7", "{", "{\"a\":1,\"a\":2}" },
	                         *const seen[] = { "", "[]", "\"x\"", "{\"before\":" };
	static struct operation back;
	json_t *whole;

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		assert_null(operation_parts_begin(states[i]));
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		whole = operation_parts_begin("{}");
		assert_int_equal(operation_parts_add(whole, seen[i]), -EBADMSG);
		json_decref(whole);
	}
	assert_int_equal(operation_parts_end(NULL, &back), -EINVAL);
	assert_int_equal(operation_parts_end(operation_parts_begin("{}"), &back), -EINVAL);
}

/* It cannot change the state: only what was seen is taken of it. */
static void what_was_seen_has_no_say_in_the_state(void **state)
{
	static struct operation_part parts[OPERATION_PARTS_MAX];
	static struct operation back;

	(void)state;
	size_t n = operation_parts_make(&op, parts);
	char *text = text_of(&parts[0]);
	json_t *whole = operation_parts_begin(text);

	assert_int_equal(
	        operation_parts_add(whole, "{\"owner\":\"fra-1\",\"epoch\":9,\"before\":[]}"), 0);
	assert_int_equal(operation_parts_end(whole, &back), 0);
	assert_string_equal(back.owner, "ams-1");
	assert_int_equal(back.epoch, op.epoch);
	free(text);
	operation_parts_free(parts, n);
}

SUITE(operation_parts)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_lost_by_parts),
		TEST(each_part_of_the_largest_record_fits),
		TEST(the_newest_step_comes_first),
		TEST(what_is_no_part_is_refused),
		TEST(what_was_seen_has_no_say_in_the_state),
	};

	return cmocka_run_group_tests_name("operation parts", tests, NULL, NULL);
}
