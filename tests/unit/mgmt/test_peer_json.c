/* SPDX-License-Identifier: BSD-2-Clause */
/* What is believed of a peer's version: what it can be, and what can be shown and kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "mgmt/api/inforce.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/intent.h"

/* The documented values, not the code's own: a change of those is seen. */
#define CONFIRM_MAX_MS 86400000

static json_t *peers_version(void)
{
	struct version v = { .number = 2,
		             .author = "ann",
		             .reason = "why",
		             .node = "fra-1",
		             .time_ms = 1000,
		             .effective_ms = 2000,
		             .confirm_by_ms = 3000 };

	memset(v.digest, 'a', DIGEST_TEXT_MAX - 1);
	return version_to_peer_json(&v);
}

static void numbers_and_times_have_an_end(void **state)
{
	static const struct {
		const char *name;
		json_int_t value;
		int err;
	} rows[] = {
		{ "number", ((json_int_t)1 << 53) - 1, 0 },
		{ "number", (json_int_t)1 << 53, -1 },
		{ "number", 0, -1 },
		{ "time_ms", CLOCK_END_MS - 1, 0 },
		{ "time_ms", CLOCK_END_MS, -1 },
		{ "effective_ms", INT64_MAX, -1 },
		{ "effective_ms", -1, -1 },
		{ "confirm_by_ms", CLOCK_END_MS, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *object = peers_version();
		struct version v;

		json_object_set_new(object, rows[i].name, json_integer(rows[i].value));
		print_message("  %s %lld\n", rows[i].name, (long long)rows[i].value);
		assert_int_equal(version_from_peer_json(object, &v) ? -1 : 0, rows[i].err);
		json_decref(object);
	}
}

static void numbers_of_an_override_do_not_wrap(void **state)
{
	static const struct {
		const char *name;
		json_int_t value;
		int err;
	} rows[] = {
		{ "kind", MODEL_OVERRIDE_HOLD, 0 },
		{ "kind", MODEL_OVERRIDE_HOLD + 1, -EINVAL },
		{ "kind", -1, -EINVAL },
		{ "kind", (json_int_t)1 << 32, -EINVAL },
		{ "target", MODEL_TARGET_BACKEND, 0 },
		{ "target", MODEL_TARGET_NODE + 1, -EINVAL },
		{ "target", ((json_int_t)1 << 32) + MODEL_TARGET_BACKEND, -EINVAL },
		{ "from_ppm", 1000000, 0 },
		{ "from_ppm", 1000001, -EINVAL },
		{ "from_ppm", (json_int_t)1 << 32, -EINVAL },
		{ "generation", (json_int_t)1 << 53, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct override o = { .id = "o1",
			              .kind = MODEL_OVERRIDE_DRAIN,
			              .target = MODEL_TARGET_BACKEND,
			              .pool = "web",
			              .name = "b1",
			              .generation = 1,
			              .created_ms = 1000,
			              .from_ms = 1000,
			              .until_ms = 9000,
			              .author = "ann",
			              .reason = "why",
			              .node = "fra-1" };
		json_t *object = override_to_peer_json(&o);

		json_object_set_new(object, rows[i].name, json_integer(rows[i].value));
		print_message("  %s %lld\n", rows[i].name, (long long)rows[i].value);
		assert_int_equal(override_from_peer_json(object, &o), rows[i].err);
		json_decref(object);
	}
}

/* Of static storage: what lies between members is zero, too, and tests compare all bytes. */
static struct override peers_step(void)
{
	static const struct override step = { .id = "d1-1",
		                              .kind = MODEL_OVERRIDE_DRAIN,
		                              .name = "ams",
		                              .generation = (uint64_t)3 << 20 | 5,
		                              .created_ms = 1000,
		                              .from_ms = 2000,
		                              .until_ms = MODEL_TIME_NEVER,
		                              .from_ppm = 100000,
		                              .is_step = true,
		                              .to_ppm = 250000,
		                              .late_from_ms = 3000,
		                              .service = "web",
		                              .operation = "d1",
		                              .author = "ann",
		                              .reason = "why",
		                              .node = "fra-1" };

	return step;
}

static void a_step_comes_back_from_a_peer_as_it_was(void **state)
{
	struct override o = peers_step(), got;
	json_t *object = override_to_peer_json(&o);

	(void)state;
	memset(&got, 0x55, sizeof(got));
	assert_int_equal(override_from_peer_json(object, &got), 0);
	assert_memory_equal(&got, &o, sizeof(o));
	json_object_del(object, "step"); /* as a node of the former release has it */
	assert_int_equal(override_from_peer_json(object, &got), 0);
	assert_false(got.is_step);
	json_decref(object);
	o.is_step = false;
	object = override_to_peer_json(&o);
	assert_null(json_object_get(object, "step"));
	json_decref(object);
}

static struct override peers_drill(void)
{
	static const struct override drill = { .id = "d1-1",
		                               .kind = MODEL_OVERRIDE_DRILL,
		                               .name = "ams",
		                               .generation = 1,
		                               .created_ms = 1000,
		                               .from_ms = 1000,
		                               .until_ms = 601000,
		                               .service = "web",
		                               .author = "ann",
		                               .node = "fra-1" };
	struct override o = drill;

	assert_int_equal(prefix_parse("2001:db8:c::/48", &o.clients), 0);
	return o;
}

static void a_drill_comes_back_from_a_peer_as_it_was(void **state)
{
	struct override o = peers_drill(), got;
	json_t *object = override_to_peer_json(&o);

	(void)state;
	memset(&got, 0x55, sizeof(got));
	assert_int_equal(override_from_peer_json(object, &got), 0);
	assert_memory_equal(&got, &o, sizeof(o));
	json_decref(object);
}

static void a_malformed_drill_of_a_peer_is_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"7",
		"null",
		"{\"clients\":\"192.0.2.0/24\"}",
		"{\"service\":\"web\"}",
		"{\"clients\":\"192.0.2.1/24\",\"service\":\"\"}",
		"{\"clients\":\"0.0.0.0/0\",\"service\":\"\"}",
		"{\"clients\":\"192.0.2.0\",\"service\":\"\"}",
		"{\"clients\":\"192.0.2.0/24\",\"service\":\"A B\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct override o = peers_drill(), got;
		json_t *object = override_to_peer_json(&o);

		json_object_set_new(object, "drill", json_loads(bad[i], JSON_DECODE_ANY, NULL));
		assert_int_equal(override_from_peer_json(object, &got), -EINVAL);
		json_object_set_new(object, "kind", json_integer(0)); /* a drain with clients */
		assert_int_equal(override_from_peer_json(object, &got), -EINVAL);
		json_decref(object);
	}
}

static void a_drill_without_an_end_or_with_a_ramp_is_refused(void **state)
{
	struct override o = peers_drill();

	(void)state;
	assert_true(override_ok(&o));
	assert_false(override_is_plain(&o));
	o.until_ms = MODEL_TIME_NEVER;
	assert_false(override_ok(&o));
	o = peers_drill();
	o.over_ms = 1;
	assert_false(override_ok(&o));
	o = peers_drill();
	o.target = MODEL_TARGET_NODE;
	assert_false(override_ok(&o));
}

/* A field of a step that is missing, of another type or out of its limits: nothing is taken. */
static void a_malformed_step_of_a_peer_is_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"7",
		"[]",
		"null",
		"\"x\"",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\"}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"operation\":\"\"}",
		"{\"to_ppm\":1,\"service\":\"\",\"operation\":\"\"}",
		"{\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":1000001,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":-1,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":4294967296,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":\"1\",\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":1.5,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\",\"own_vips\":3}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\",\"own_vips\":-1}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\",\"shared_vips\":3}",
		"{\"to_ppm\":1,\"late_from_ms\":-1,\"service\":\"\",\"operation\":\"\"}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"A\",\"operation\":\"\"}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"\\u001b\"}",
		"{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\",\"operation\":\"w\\u0000\"}",
		("{\"to_ppm\":1,\"late_from_ms\":0,\"service\":\"\","
		 "\"operation\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct override o = peers_step(), got = { .generation = 77 };
		json_t *object = override_to_peer_json(&o);

		json_t *step = json_loads(bad[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		json_t *rest = json_pack("{s:i, s:i}", "own_vips", 0, "shared_vips", 0);

		if (json_is_object(step)) /* only what the row has is wrong */
			json_object_update_missing(step, rest);
		json_decref(rest);
		json_object_set_new(object, "step", step);
		if (override_from_peer_json(object, &got) != -EINVAL || got.generation != 77)
			fail_msg("taken: %s", bad[i]);
		json_decref(object);
	}
}

static void no_deadline_is_longer_than_a_day(void **state)
{
	json_t *object = peers_version();
	struct version v;

	(void)state;
	json_object_set_new(object, "confirm_left_ms", json_integer(INT64_MAX));
	assert_int_equal(version_from_peer_json(object, &v), 0);
	assert_int_equal(v.confirm_left_ms, CONFIRM_MAX_MS);
	json_decref(object);
}

static void texts_of_a_peer_do_nothing_to_a_terminal(void **state)
{
	json_t *object = peers_version();
	struct version v;

	(void)state;
	json_object_set_new(object, "author", json_string("a\x1b[2Jnn"));
	json_object_set_new(object, "reason", json_string("one\ntwo"));
	assert_int_equal(version_from_peer_json(object, &v), 0);
	assert_string_equal(v.author, "a?[2Jnn");
	assert_string_equal(v.reason, "one?two");
	json_decref(object);
}

/* A long reason of a peer is cut between characters, so that it can be told on as JSON. */
static void a_refusal_of_a_peer_can_be_told_on(void **state)
{
	char why[1024];
	json_t *object, *told;

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(why, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(why); i += 3)
			memcpy(why + i, "\xe2\x82\xac", 4);
		object = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "number", 2, "digest",
		                   "d", "state", "refused", "process", "dns\x07", "code", "c",
		                   "subject", "", "detail", why);
		struct inforce f = inforce_from_json(object);

		assert_string_equal(f.process, "dns?");
		told = inforce_to_json(&f);
		assert_non_null(told);
		json_decref(told);
		told = inforce_detail(&f);
		assert_true(json_string_length(told) > 20);
		json_decref(told);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_and_times_have_an_end),
		cmocka_unit_test(numbers_of_an_override_do_not_wrap),
		cmocka_unit_test(a_step_comes_back_from_a_peer_as_it_was),
		cmocka_unit_test(a_malformed_step_of_a_peer_is_refused),
		cmocka_unit_test(a_drill_comes_back_from_a_peer_as_it_was),
		cmocka_unit_test(a_malformed_drill_of_a_peer_is_refused),
		cmocka_unit_test(a_drill_without_an_end_or_with_a_ramp_is_refused),
		cmocka_unit_test(no_deadline_is_longer_than_a_day),
		cmocka_unit_test(texts_of_a_peer_do_nothing_to_a_terminal),
		cmocka_unit_test(a_refusal_of_a_peer_can_be_told_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
