/* SPDX-License-Identifier: BSD-2-Clause */
/* What is believed of a peer's or a store's record: what it can be, and what can be shown and kept. */
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
#include "mgmt/core/inforce.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/records.h"
#include "tests/unit/suite.h"

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
		             .confirm_within_ms = 3000 };

	memset(v.digest, 'a', DIGEST_TEXT_MAX - 1);
	return record_to_json(&version_record, &v);
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
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *object = peers_version();
		struct version v;

		json_object_set_new(object, rows[i].name, json_integer(rows[i].value));
		print_message("  %s %lld\n", rows[i].name, (long long)rows[i].value);
		assert_int_equal(record_from_json(&version_record, object, &v, NULL) ? -1 : 0,
		                 rows[i].err);
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
		{ "kind", MODEL_OVERRIDE_HOLD, -EINVAL }, /* a word */
		{ "target", MODEL_TARGET_BACKEND, -EINVAL },
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
		json_t *object = record_to_json(&override_record, &o);

		json_object_set_new(object, rows[i].name, json_integer(rows[i].value));
		print_message("  %s %lld\n", rows[i].name, (long long)rows[i].value);
		assert_int_equal(record_from_json(&override_record, object, &o, NULL), rows[i].err);
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
		                              .prior = 7,
		                              .epoch = 64,
		                              .step = 2,
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
	json_t *object = record_to_json(&override_record, &o);

	(void)state;
	memset(&got, 0x55, sizeof(got));
	assert_int_equal(record_from_json(&override_record, object, &got, NULL), 0);
	assert_memory_equal(&got, &o, sizeof(o));
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
	json_t *object = record_to_json(&override_record, &o);

	(void)state;
	memset(&got, 0x55, sizeof(got));
	assert_int_equal(record_from_json(&override_record, object, &got, NULL), 0);
	assert_memory_equal(&got, &o, sizeof(o));
	json_decref(object);
}

/* Fields of a record that are put in the place of its own: nothing is taken. */
static void check_refused(const struct override *o, const char *const *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct override got = { .generation = 77 };
		json_t *object = record_to_json(&override_record, o);
		json_t *wrong = json_loads(bad[i], JSON_ALLOW_NUL, NULL);

		assert_int_equal(json_object_update(object, wrong), 0);
		if (record_from_json(&override_record, object, &got, NULL) != -EINVAL ||
		    got.generation != 77)
			fail_msg("taken: %s", bad[i]);
		json_decref(wrong);
		json_decref(object);
	}
}

static void a_malformed_drill_of_a_peer_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"clients\":7}",
		"{\"clients\":null}",
		"{\"clients\":\"192.0.2.1/24\"}",
		"{\"clients\":\"0.0.0.0/0\"}",
		"{\"clients\":\"192.0.2.0\"}",
		"{\"service\":\"A B\"}",
		"{\"kind\":\"drain\"}", /* with clients */
		"{\"is_step\":true}",
	};
	struct override o = peers_drill();

	(void)state;
	check_refused(&o, bad, sizeof(bad) / sizeof(bad[0]));
}

static void a_drill_without_an_end_or_with_a_ramp_is_refused(void **state)
{
	struct override o = peers_drill();

	(void)state;
	assert_true(override_ok(&o));
	o.until_ms = MODEL_TIME_NEVER;
	assert_false(override_ok(&o));
	o = peers_drill();
	o.over_ms = 1;
	assert_false(override_ok(&o));
	o = peers_drill();
	o.target = MODEL_TARGET_NODE;
	assert_false(override_ok(&o));
}

/* A field of another type or out of its limits. */
static void a_malformed_step_of_a_peer_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"is_step\":false}",
		"{\"is_step\":1}",
		"{\"kind\":\"move\"}",
		"{\"target\":\"\"}",
		"{\"to_ppm\":1000001}",
		"{\"to_ppm\":-1}",
		"{\"to_ppm\":4294967296}",
		"{\"to_ppm\":\"1\"}",
		"{\"to_ppm\":1.5}",
		"{\"own_vips\":\"gone\"}",
		"{\"own_vips\":1}",
		"{\"shared_vips\":\"gone\"}",
		"{\"late_from_ms\":-1}",
		"{\"service\":\"A\"}",
		"{\"operation\":\"\\u001b\"}",
		"{\"operation\":\"w\\u0000\"}",
		"{\"operation\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
		"{\"principal\":\"a\\u001b\"}",
		"{\"author\":\"a\\nb\"}",
		"{\"generation\":0}",
	};
	struct override o = peers_step();

	(void)state;
	check_refused(&o, bad, sizeof(bad) / sizeof(bad[0]));
}

static void no_deadline_is_longer_than_a_day(void **state)
{
	json_t *object = peers_version();
	struct version v;

	(void)state;
	json_object_set_new(object, "confirm_within_ms", json_integer(CONFIRM_MAX_MS));
	assert_int_equal(record_from_json(&version_record, object, &v, NULL), 0);
	assert_int_equal(v.confirm_within_ms, CONFIRM_MAX_MS);
	json_object_set_new(object, "confirm_within_ms", json_integer(CONFIRM_MAX_MS + 1));
	assert_int_equal(record_from_json(&version_record, object, &v, NULL), -EINVAL);
	json_decref(object);
}

static void texts_of_a_peer_do_nothing_to_a_terminal(void **state)
{
	static const char *const fields[] = { "author", "reason", "node", "principal" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		json_t *object = peers_version();
		struct version v;

		json_object_set_new(object, fields[i], json_string("a\x1b[2Jnn"));
		assert_int_equal(record_from_json(&version_record, object, &v, NULL), -EINVAL);
		json_decref(object);
	}
}

static void digests_are_digests(void **state)
{
	static const char *const bad[] = {
		"{\"digest\":\"abc\"}",
		"{\"parent\":\"abc\"}",
		"{\"hash_key\":\"abc\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *object = peers_version(), *wrong = json_loads(bad[i], 0, NULL);
		struct version v;

		assert_int_equal(record_from_json(&version_record, object, &v, NULL), 0);
		json_object_update(object, wrong);
		if (record_from_json(&version_record, object, &v, NULL) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
		json_decref(wrong);
		json_decref(object);
	}
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

SUITE(records)
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
		cmocka_unit_test(digests_are_digests),
		cmocka_unit_test(a_refusal_of_a_peer_can_be_told_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
