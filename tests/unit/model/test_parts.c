/* SPDX-License-Identifier: BSD-2-Clause */
/* The model's small parts: quantities, near names, the schema's rows, levels of overrides. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/mistakes.h"
#include "model/quantity.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void bad_quantities_are_refused(void **state)
{
	(void)state;
	static const struct {
		enum schema_kind kind;
		const char *text;
		int err;
	} cases[] = {
		{ KIND_DURATION, "", -EINVAL },
		{ KIND_DURATION, "5", -EINVAL },
		{ KIND_DURATION, "5 s", -EINVAL },
		{ KIND_DURATION, "-5s", -EINVAL },
		{ KIND_DURATION, "5S", -EINVAL },
		{ KIND_DURATION, "5s ", -EINVAL },
		{ KIND_DURATION, ".5s", -EINVAL },
		{ KIND_DURATION, "5.s", -EINVAL },
		{ KIND_DURATION, "0.5ms", -ERANGE },
		{ KIND_DURATION, "1.0001s", -ERANGE },
		{ KIND_BITS, "40G", -EINVAL },
		{ KIND_BITS, "40gbit", -EINVAL },
		{ KIND_BITS, "99999999999999999999bit", -ERANGE },
		{ KIND_BITS, "18446744073710Mbit", -ERANGE },
		{ KIND_RATE, "50k", -EINVAL },
		{ KIND_PERCENT, "50", -EINVAL },
		{ KIND_INTEGER, "5s", -EINVAL },
		{ KIND_NUMBER, "18446744073709551616", -ERANGE },
		{ KIND_RATE, "1.00000000000000000000k/s", -ERANGE },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t n = 7;

		print_message("  %s\n", cases[i].text);
		assert_int_equal(quantity_parse(cases[i].kind, cases[i].text, &n), cases[i].err);
		assert_int_equal(n, 7);
	}
}

static void quantities_are_read_and_written(void **state)
{
	(void)state;
	static const struct {
		enum schema_kind kind;
		const char *text;
		uint64_t n;
		const char *canonical;
	} cases[] = {
		{ KIND_DURATION, "500ms", 500, "500ms" },
		{ KIND_DURATION, "1500ms", 1500, "1500ms" },
		{ KIND_DURATION, "1.5s", 1500, "1500ms" },
		{ KIND_DURATION, "60s", 60000, "1m" },
		{ KIND_DURATION, "24h", 86400000, "1d" },
		{ KIND_DURATION, "0s", 0, "0ms" },
		{ KIND_BITS, "40Gbit", 40000000000, "40Gbit" },
		{ KIND_BITS, "2.5Gbit", 2500000000, "2500Mbit" },
		{ KIND_RATE, "50k/s", 50000, "50k/s" },
		{ KIND_PERCENT, "50%", 50, "50%" },
		{ KIND_NUMBER, "18446744073709551615", UINT64_MAX, "18446744073709551615" },
	};
	char text[QUANTITY_TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t n = 0;

		assert_int_equal(quantity_parse(cases[i].kind, cases[i].text, &n), 0);
		assert_true(n == cases[i].n);
		assert_string_equal(quantity_text(cases[i].kind, n, text), cases[i].canonical);
	}
}

static void distances_count_what_a_hand_gets_wrong(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "weight", "weight", 0 },
		{ "weight", "wieght", 1 },
		{ "weight", "weigt", 1 },
		{ "weight", "weightt", 1 },
		{ "weight", "weighd", 1 },
		{ "ab", "ba", 1 },
		{ "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(near_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(near_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

static void each_row_of_the_schema_is_sound(void **state)
{
	(void)state;
	const struct schema *s = schema();

	for (enum schema_id i = 0; i < SCHEMA_COUNT; i++) {
		const struct model_field *field = &model_schema[i];
		const struct schema_row *row = &s->rows[i];

		print_message("  %s\n", field->path);
		assert_int_not_equal(row->kind, KIND_COUNT);
		assert_true(field->help[0] && field->help[strlen(field->help) - 1] == '.');
		assert_true(!field->limits[0] || row->limited);
		assert_true(row->parent == SCHEMA_TOP || row->parent < i);
		assert_true(row->parent == SCHEMA_TOP || strchr(field->path, '.'));
		assert_true(!(field->required && field->default_text[0]));
		assert_int_equal(schema_find(row->parent, row->name), i);
		if (row->limited && field->default_text[0] && row->kind == KIND_DURATION) {
			uint64_t n;

			assert_int_equal(quantity_parse(row->kind, field->default_text, &n), 0);
			assert_in_range(n, row->least, row->most);
		}
	}
}

static void an_override_rises_stays_and_returns(void **state)
{
	(void)state;
	const struct model_override drain = { .from_ms = 1000, .over_ms = 100, .until_ms = 5000 };
	const struct model_override replaced = {
		.from_ms = 1000, .over_ms = 100, .until_ms = 5000, .from_ppm = 500000
	};
	const struct model_override cut = { .from_ms = 1000, .over_ms = 100, .until_ms = 1050 };
	const struct model_override never = { .from_ms = 1000, .until_ms = MODEL_WALL_NEVER };
	const struct model_override disable = {
		.kind = MODEL_OVERRIDE_DISABLE, .from_ms = 1000, .over_ms = 100, .until_ms = 5000
	};
	const struct model_override ended = { .from_ms = 1000, .until_ms = 5000, .ended = true };
	const struct {
		const char *why;
		const struct model_override *o;
		int64_t at_ms;
		uint32_t ppm;
		int64_t next_ms;
	} cases[] = {
		{ "before", &drain, 999, 0, 1000 },
		{ "at its start", &drain, 1000, 0, 1100 },
		{ "half way", &drain, 1050, 500000, 1100 },
		{ "all", &drain, 1100, 1000000, 5000 },
		{ "until", &drain, 5000, 1000000, 5100 },
		{ "half way back", &drain, 5050, 500000, 5100 },
		{ "back", &drain, 5100, 0, MODEL_WALL_NEVER },
		{ "replaced, before", &replaced, 0, 500000, 1000 },
		{ "replaced, half way", &replaced, 1050, 750000, 1100 },
		{ "cut short, at its turn", &cut, 1050, 500000, 1150 },
		{ "cut short, half way back", &cut, 1100, 250000, 1150 },
		{ "never", &never, INT64_MAX - 1, 1000000, MODEL_WALL_NEVER },
		{ "disable has no ramp", &disable, 1000, 1000000, 5000 },
		{ "disable ends at once", &disable, 5000, 0, MODEL_WALL_NEVER },
		{ "ended", &ended, 2000, 0, MODEL_WALL_NEVER },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		assert_int_equal(model_override_ppm(cases[i].o, cases[i].at_ms), cases[i].ppm);
		assert_true(model_override_next_ms(cases[i].o, cases[i].at_ms) == cases[i].next_ms);
	}
}

static void a_backend_s_identity_is_its_address_and_port(void **state)
{
	(void)state;
	struct addr a, b;

	assert_int_equal(addr_parse("10.0.0.1", &a), 0);
	assert_int_equal(addr_parse("10.0.0.2", &b), 0);
	/* Fixed: another release must give the same. */
	assert_true(model_backend_id(&a, 80) == 0xc63c1a2c6bc7d92fu);
	assert_true(model_backend_id(&a, 80) != model_backend_id(&a, 81));
	assert_true(model_backend_id(&a, 80) != model_backend_id(&b, 80));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_quantities_are_refused),
		cmocka_unit_test(quantities_are_read_and_written),
		cmocka_unit_test(distances_count_what_a_hand_gets_wrong),
		cmocka_unit_test(each_row_of_the_schema_is_sound),
		cmocka_unit_test(an_override_rises_stays_and_returns),
		cmocka_unit_test(a_backend_s_identity_is_its_address_and_port),
	};

	return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
