/* SPDX-License-Identifier: BSD-2-Clause */
/* Records: each kind of field is written and read back; empty fields are left out; wrong ones are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "record/fields.h"
#include "tests/unit/suite.h"

enum colour { RED, GREEN, COLOURS };

struct counted {
	bool known;
	uint64_t value;
};

struct desk_leg {
	char name[8];
	uint32_t n;
};

struct desk {
	char name[8];
	bool round;
	uint32_t u32;
	uint64_t u64, hex;
	int64_t i64;
	struct counted known;
	enum colour colour;
	struct prefix prefix;
	struct desk_leg best, legs[3];
	uint32_t n_legs;
	char names[2][4];
	uint32_t n_names;
	bool set[COLOURS];
	int64_t by_colour[COLOURS];
};

static const char *colour_word(int value)
{
	return value == RED ? "red" : "green";
}

static const struct record_kind leg =
        RECORD_OF(struct desk_leg, "leg", NULL, RECORD_TEXT(struct desk_leg, name),
                  RECORD_VALUE(struct desk_leg, n, FIELD_U32));
static const struct field one_leg = { .kind = FIELD_RECORD, .of = &leg };
static const struct field one_name = { .kind = FIELD_TEXT, .size = 4 };
static bool is_even(const void *record)
{
	return ((const struct desk *)record)->u32 % 2 == 0;
}

static const struct record_kind desk = RECORD_OF(
        struct desk, "desk", is_even, RECORD_TEXT(struct desk, name),
        RECORD_VALUE(struct desk, round, FIELD_BOOL), RECORD_VALUE(struct desk, u32, FIELD_U32),
        RECORD_VALUE(struct desk, u64, FIELD_U64), RECORD_VALUE(struct desk, hex, FIELD_HEX),
        RECORD_VALUE(struct desk, i64, FIELD_I64), RECORD_KNOWN(struct desk, known),
        RECORD_WORD(struct desk, colour, colour_word, COLOURS),
        RECORD_VALUE(struct desk, prefix, FIELD_PREFIX), RECORD_RECORD(struct desk, best, &leg),
        RECORD_LIST(struct desk, legs, n_legs, &one_leg),
        RECORD_LIST(struct desk, names, n_names, &one_name),
        RECORD_SET(struct desk, set, colour_word),
        RECORD_BY_WORD(struct desk, by_colour, colour_word));

/* The text of @p t. */
static char *text_of(const struct desk *t)
{
	json_t *json = record_to_json(&desk, t);
	char *text = json_dumps(json, JSON_SORT_KEYS);

	json_decref(json);
	assert_non_null(text);
	return text;
}

static int read_text_into(const char *text, struct desk *out, char *error)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	int err = record_from_json(&desk, json, out, error);

	json_decref(json);
	return err;
}

static const char whole[] =
        "{\"best\": {\"n\": 5, \"name\": \"b\"}, \"by_colour\": {\"green\": -7}, \"colour\": \"green\", "
        "\"hex\": \"f000000000000001\", \"i64\": -9223372036854775808, \"known\": 0, "
        "\"legs\": [{\"n\": 1, \"name\": \"one\"}, {}, {\"name\": \"three\"}], \"name\": \"seven..\", "
        "\"names\": [\"\", \"abc\"], \"prefix\": \"2001:db8::/32\", \"round\": true, \"set\": [\"green\"], "
        "\"u32\": 4294967294, \"u64\": 9223372036854775807}";

static void a_record_comes_back_as_it_was(void **state)
{
	struct desk t = { .u32 = 1 }, again;
	char *text;

	(void)state;
	assert_int_equal(read_text_into(whole, &t, NULL), 0);
	assert_string_equal(t.name, "seven..");
	assert_true(t.round && t.known.known && t.set[GREEN] && !t.set[RED]);
	assert_int_equal(t.hex, 0xf000000000000001);
	assert_int_equal(t.i64, INT64_MIN);
	assert_int_equal(t.n_legs, 3);
	assert_string_equal(t.legs[2].name, "three");
	assert_int_equal(t.by_colour[RED], INT64_MAX);
	assert_int_equal(t.by_colour[GREEN], -7);
	text = text_of(&t);
	assert_string_equal(text, whole);
	assert_int_equal(read_text_into(text, &again, NULL), 0);
	assert_memory_equal(&t, &again, sizeof(t));
	free(text);
}

static void what_is_empty_is_left_out_and_read_so(void **state)
{
	struct desk t = { .by_colour = { INT64_MAX, INT64_MAX } }, again;
	char *text = text_of(&t);

	(void)state;
	assert_string_equal(
	        text, "{\"colour\": \"red\"}"); /* the first word says as much as the others */
	assert_int_equal(read_text_into("{\"later\": [1]}", &again, NULL), 0);
	assert_memory_equal(&t, &again, sizeof(t));
	free(text);
}

/* A text of the caller is cut to what is plain JSON; the store never has half a record. */
static void a_text_that_is_no_utf8_is_not_lost_silently(void **state)
{
	struct desk t = { .name = "\xff", .by_colour = { INT64_MAX, INT64_MAX } };
	char *text = text_of(&t);

	(void)state;
	assert_string_equal(text, "{\"colour\": \"red\", \"name\": \"?\"}");
	free(text);
	t = (struct desk){ .name = "a\xff\nb", .by_colour = { INT64_MAX, INT64_MAX } };
	text = text_of(&t);
	assert_string_equal(text, "{\"colour\": \"red\", \"name\": \"a?\\nb\"}");
	free(text);
	t = (struct desk){ .name = "\x7f\x80",
		           .by_colour = { INT64_MAX, INT64_MAX } }; /* ASCII ends there */
	text = text_of(&t);
	assert_string_equal(text, "{\"colour\": \"red\", \"name\": \"\x7f?\"}");
	free(text);
}

static void what_is_wrong_is_refused_and_named(void **state)
{
	static const char *const rows[][2] = {
		{ "[]", "desk is no object" },
		{ "{\"name\": \"12345678\"}", "desk.name is no text of at most 7 bytes" },
		{ "{\"name\": \"a\\u0000b\"}", "desk.name is no text" },
		{ "{\"name\": 1}", "desk.name is no text" },
		{ "{\"round\": 1}", "desk.round is neither true nor false" },
		{ "{\"u32\": 4294967296}", "desk.u32 is no number from 0 to 4294967295" },
		{ "{\"u32\": -1}", "desk.u32 is no number" },
		{ "{\"u32\": 1.5}", "desk.u32 is no number" },
		{ "{\"u64\": -1}", "desk.u64 is no number from 0 to 9223372036854775807" },
		{ "{\"i64\": \"1\"}", "desk.i64 is no number" },
		{ "{\"known\": -1}", "desk.known is no number" },
		{ "{\"hex\": \"F000000000000001\"}", "desk.hex is no number of 16" },
		{ "{\"hex\": \"1\"}", "desk.hex is no number of 16" },
		{ "{\"colour\": \"blue\"}", "desk.colour is none of its words" },
		{ "{\"colour\": null}", "desk.colour is none of its words" },
		{ "{\"prefix\": \"10.0.0.1/8\"}", "desk.prefix is no prefix" },
		{ "{\"best\": []}", "desk.best is no object" },
		{ "{\"best\": {\"n\": -1}}", "desk.best.n is no number" },
		{ "{\"legs\": {}}", "desk.legs is no list of at most 3" },
		{ "{\"legs\": [{}, {}, {}, {}]}", "desk.legs is no list of at most 3" },
		{ "{\"legs\": [{}, {\"name\": []}]}", "desk.legs[1].name is no text" },
		{ "{\"names\": [\"abcd\"]}", "desk.names[0] is no text of at most 3 bytes" },
		{ "{\"set\": {}}", "desk.set is no list" },
		{ "{\"set\": [\"red\", 1]}", "desk.set[1] is no text" },
		{ "{\"by_colour\": {\"red\": \"1\"}}", "desk.by_colour.red is no number" },
		{ "{\"by_colour\": 1}", "desk.by_colour is no object" },
		{ "{\"u32\": 3}", "desk contradicts itself" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct desk t = { .u32 = 77 };
		char error[RECORD_ERROR_MAX] = "";

		if (read_text_into(rows[i][0], &t, error) != -EINVAL ||
		    strncmp(error, rows[i][1], strlen(rows[i][1])) != 0 || t.u32 != 77)
			fail_msg("%s says: %s", rows[i][0], error);
	}
}

struct shelf {
	char name[8];
	uint32_t n;
	bool full;
	char names[2][4];
	uint32_t n_names;
};

static const struct record_kind shelf = RECORD_OF(
        struct shelf, "shelf", NULL, RECORD_ALWAYS(struct shelf, "label", name, FIELD_TEXT),
        RECORD_ALWAYS(struct shelf, "number", n, FIELD_U32),
        RECORD_ALWAYS(struct shelf, "full", full, FIELD_BOOL),
        RECORD_ALWAYS_LIST(struct shelf, "books", names, n_names, &one_name));

/* In the order of the rows; and who leaves one out is refused. */
static void what_is_always_there_is_written_though_empty_and_must_be_read(void **state)
{
	static const char *const names[] = { "label", "number", "full", "books" };
	struct shelf t = { .n = 0 }, again = { .n = 7 };
	json_t *json = record_to_json(&shelf, &t);
	char *text = json_dumps(json, 0), error[RECORD_ERROR_MAX], expected[64];

	(void)state;
	assert_string_equal(text,
	                    "{\"label\": \"\", \"number\": 0, \"full\": false, \"books\": []}");
	assert_int_equal(record_from_json(&shelf, json, &again, error), 0);
	assert_memory_equal(&t, &again, sizeof(t));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *less = json_copy(json);

		assert_int_equal(json_object_del(less, names[i]), 0);
		assert_int_equal(record_from_json(&shelf, less, &again, error), -EINVAL);
		snprintf(expected, sizeof(expected), "shelf.%s is missing", names[i]);
		assert_string_equal(error, expected);
		json_decref(less);
	}
	json_decref(json);
	free(text);
}

static const struct record_kind shown_desk =
        RECORD_OF(struct desk, "desk", NULL, RECORD_TEXT(struct desk, name, .shown = "called"),
                  RECORD_VALUE(struct desk, u32, FIELD_U32),
                  RECORD_VALUE(struct desk, i64, FIELD_TIME, .shown = "since"),
                  RECORD_VALUE(struct desk, round, FIELD_BOOL, .shown = "round"),
                  RECORD_KNOWN(struct desk, known, .shown = "counted"),
                  RECORD_WORD(struct desk, colour, colour_word, COLOURS, .shown = "colour"),
                  RECORD_LIST(struct desk, names, n_names, &one_name, .shown = "names"),
                  RECORD_BY_WORD(struct desk, by_colour, colour_word, .shown = "by"),
                  { .shown = "legs",
                    .kind = FIELD_LIST,
                    .offset = offsetof(struct desk, legs),
                    .size = sizeof(struct desk_leg),
                    .most = 3,
                    .count = offsetof(struct desk, n_legs),
                    .element = &one_name });

static void expect_text(json_t *json, const char *expected)
{
	char *text = json_dumps(json, 0);

	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

#define NOTHING_SHOWN                                                                                    \
	"{\"called\": \"\", \"since\": null, \"round\": false, \"counted\": null, \"colour\": \"red\", " \
	"\"names\": [], \"by\": {}, \"legs\": []}"

static void people_are_shown_what_is_empty_too_under_its_own_names(void **state)
{
	struct desk t[2] = { { .by_colour = { INT64_MAX, INT64_MAX } } }, again;

	(void)state;
	expect_text(record_shown(&shown_desk, &t[0]), NOTHING_SHOWN);
	t[1] = t[0];
	t[0].i64 = 253402300800000; /* after the last instant that has a text */
	expect_text(record_list_shown(&shown_desk, t, 2), "[" NOTHING_SHOWN ", " NOTHING_SHOWN "]");
	expect_text(record_list_shown(&shown_desk, t, 0), "[]");
	t[1] = (struct desk){ .name = "oak",
		              .u32 = 4,
		              .i64 = 1790000000000,
		              .round = true,
		              .known = { .known = true },
		              .colour = GREEN,
		              .names = { "a" },
		              .n_names = 1,
		              .by_colour = { INT64_MAX, 0 },
		              .legs = { { .name = "left" } },
		              .n_legs = 1 };
	expect_text(
	        record_shown(&shown_desk, &t[1]),
	        "{\"called\": \"oak\", \"since\": \"2026-09-21T14:13:20.000Z\", \"round\": true, "
	        "\"counted\": 0, \"colour\": \"green\", \"names\": [\"a\"], \"by\": {\"green\": 0}, "
	        "\"legs\": [\"left\"]}");
	/* a record has its own names, and nothing that is only shown */
	json_t *json = record_to_json(&shown_desk, &t[1]);
	assert_int_equal(record_from_json(&shown_desk, json, &again, NULL), 0);
	assert_int_equal(again.i64, 1790000000000);
	expect_text(
	        json,
	        "{\"name\": \"oak\", \"u32\": 4, \"i64\": 1790000000000, \"round\": true, "
	        "\"known\": 0, \"colour\": \"green\", \"names\": [\"a\"], \"by_colour\": {\"green\": 0}}");
	t[1].i64 = INT64_MIN; /* a time has all numbers */
	json = record_to_json(&shown_desk, &t[1]);
	assert_int_equal(record_from_json(&shown_desk, json, &again, NULL), 0);
	assert_int_equal(again.i64, INT64_MIN);
	json_decref(json);
}

static size_t allocations_left;

static void *allocate_some(size_t n)
{
	return allocations_left && allocations_left-- ? malloc(n) : NULL;
}

/* A record that lacks a field for want of memory would be another record. */
static void without_memory_there_is_no_record(void **state)
{
	struct desk t;
	json_t *json = NULL;
	size_t n = 0;

	(void)state;
	assert_int_equal(read_text_into(whole, &t, NULL), 0);
	json_set_alloc_funcs(allocate_some, free);
	while (!json) {
		allocations_left = n++;
		json = record_to_json(&desk, &t);
	}
	allocations_left = SIZE_MAX;
	char *text = json_dumps(json, JSON_SORT_KEYS);
	json_decref(json);
	json_set_alloc_funcs(malloc, free);
	assert_string_equal(text, whole);
	assert_true(n > 40);
	free(text);
}

/* A later release may have more words in a set: they mean nothing here. */
static void an_unknown_word_of_a_set_is_left_out(void **state)
{
	struct desk t;

	(void)state;
	assert_int_equal(read_text_into("{\"set\": [\"blue\", \"red\"]}", &t, NULL), 0);
	assert_true(t.set[RED] && !t.set[GREEN]);
}

/* --- structs that are only shown --- */

struct crate {
	const char *label, *owner;
	uint8_t u8;
	uint16_t u16;
	int below;
	double weight;
	int64_t made_ms;
	struct counted guests;
	const struct desk_leg *best;
	const struct desk_leg *legs;
	size_t n_legs;
	char *words[2]; /* a list in the struct, of strings elsewhere */
	size_t n_words;
	enum colour colour;
	bool has_sender;
	struct addr sender;
	struct prefix range;
	json_t *notes, *extra;
	const struct desk_leg *more;
};

static const char *size_of_crate(const void *record)
{
	const struct crate *c = record;

	return c->u16 > 9 ? "large" : c->u16 ? "small" : NULL;
}

static const struct record_kind shown_leg =
        RECORD_OF(struct desk_leg, "leg", NULL, SHOW(struct desk_leg, name),
                  SHOW(struct desk_leg, n, .spare = true));
static const struct record_kind crate_part =
        RECORD_OF(struct crate, "part", NULL, SHOW(struct crate, u8));

/* Of none there is no sum. */
static json_t *sum_legs(const void *record)
{
	const struct crate *c = record;
	json_int_t sum = 0;

	for (size_t i = 0; i < c->n_legs; i++)
		sum += c->legs[i].n;
	return c->n_legs ? json_integer(sum) : NULL;
}

static const struct record_kind paint =
        RECORD_OF(struct crate, "paint", NULL,
                  SHOW_WORD(struct crate, "colour", colour, colour_word, COLOURS));
static const struct record_kind crate = RECORD_OF(
        struct crate, "crate", NULL, SHOW(struct crate, label),
        SHOW(struct crate, owner, .or_null = true), SHOW_AS(struct crate, "small", u8),
        SHOW(struct crate, u16), SHOW(struct crate, below), SHOW(struct crate, weight),
        SHOW_TIME(struct crate, "made", made_ms), SHOW_VALUE(struct crate, "guests", guests),
        SHOW(struct crate, best, .of = &shown_leg, .behind = true),
        SHOW_RECORDS(struct crate, "legs", legs, n_legs, &shown_leg),
        SHOW_LIST(struct crate, "words", words, n_words, &record_string, .spare = true),
        SHOW_GROUP("paint", &paint), SHOW_TEXT_OF("size", size_of_crate, .spare = true),
        SHOW(struct crate, sender, ONLY_IF(struct crate, has_sender)), SHOW(struct crate, range),
        SHOW_LATER("taken", FIELD_BOOL),
        SHOW(struct crate, notes, .or_null = true, .element = &record_string),
        SHOW(struct crate, extra, .spare = true),
        SHOW_ROWS(struct crate, more, &shown_leg, .behind = true), SHOW_GROUP("of_it", &crate_part),
        SHOW_COMPUTED("sum", sum_legs), SHOW_COMPUTED("spare_sum", sum_legs, .spare = true));

static void expect_shown(const struct crate *s, const char *text)
{
	json_t *json = record_shown(&crate, s);
	char *got = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_string_equal(got, text);
	free(got);
	json_decref(json);
}

static void what_is_shown_may_lie_elsewhere(void **state)
{
	static const struct desk_leg legs[] = { { "left", 1 }, { "right", 0 } };
	char word[] = "w";
	struct prefix range;
	struct addr sender;

	assert_int_equal(addr_parse("192.0.2.1", &sender), 0);
	assert_int_equal(prefix_parse("2001:db8::/32", &range), 0);

	(void)state;
	expect_shown(
	        &(struct crate){ .label = "tools",
	                         .owner = "ann",
	                         .u8 = 255,
	                         .u16 = 65535,
	                         .below = -7,
	                         .weight = 1.5,
	                         .made_ms = 1000,
	                         .guests = { true, 0 },
	                         .best = legs,
	                         .legs = legs,
	                         .n_legs = 2,
	                         .words = { word },
	                         .n_words = 1,
	                         .colour = GREEN,
	                         .has_sender = true,
	                         .sender = sender,
	                         .range = range,
	                         .notes = json_integer(3),
	                         .extra = json_true(),
	                         .more = &(struct desk_leg){ "right", 7 } },
	        "{\"label\":\"tools\",\"owner\":\"ann\",\"small\":255,\"u16\":65535,\"below\":-7,"
	        "\"weight\":1.5,\"made\":\"1970-01-01T00:00:01.000Z\",\"guests\":0,"
	        "\"best\":{\"name\":\"left\",\"n\":1},"
	        "\"legs\":[{\"name\":\"left\",\"n\":1},{\"name\":\"right\"}],"
	        "\"words\":[\"w\"],\"paint\":{\"colour\":\"green\"},\"size\":\"large\",\"sender\":\"192.0.2.1\",\"range\":\"2001:db8::/32\",\"notes\":3,\"extra\":true,"
	        "\"name\":\"right\",\"n\":7,\"of_it\":{\"u8\":255},\"sum\":1,\"spare_sum\":1}");
}

static void what_is_not_there_is_null_or_left_out(void **state)
{
	(void)state;
	expect_shown(
	        &(struct crate){ .label = "", .weight = NAN, .guests = { false, 9 } },
	        "{\"label\":\"\",\"owner\":null,\"small\":0,\"u16\":0,\"below\":0,\"weight\":null,"
	        "\"made\":null,\"guests\":null,\"best\":null,\"legs\":[],\"paint\":{\"colour\":\"red\"},\"notes\":null,"
	        "\"of_it\":{\"u8\":0},\"sum\":null}");
}

/* A list of larger structs, of which one member is shown. */
static const struct field name_of_leg = { .kind = FIELD_TEXT,
	                                  .size = sizeof(((struct desk_leg *)0)->name),
	                                  .offset = offsetof(struct desk_leg, name) };
#define SHIP_ROWS(X, t)                                                                            \
	X(t, const char *, name)                                                                   \
	X(t, uint32_t, guests, .spare = true)                                                      \
	X(t, struct shown_time, since)                                                             \
	X(t, struct shown_number, rooms)                                                           \
	X(t, struct shown_number, boats, .spare = true)
RECORD_SHOWN(ship, "ship", SHIP_ROWS);
static const struct record_kind pier_leg =
        RECORD_OF(struct desk_leg, "leg", NULL, SHOW_AS(struct desk_leg, "leg", name));

struct fleet {
	struct ship ships[2];
	uint32_t n_ships;
	const struct desk_leg *legs;
	size_t n_legs;
};

static const struct record_kind fleet =
        RECORD_OF(struct fleet, "fleet", NULL,
                  SHOW_RECORDS(struct fleet, "ships", ships, n_ships, &ship_kind),
                  SHOW_LIST(struct fleet, "legs", legs, n_legs, &name_of_leg));

static void a_struct_and_its_rows_are_one_list(void **state)
{
	static const struct desk_leg legs[] = { { "left", 1 }, { "right", 0 } };
	const struct fleet f = { .ships = { { .name = "a", .rooms = { false, 3 } },
		                            { .name = "b",
		                              .guests = 2,
		                              .since = { 1000 },
		                              .rooms = { true, 0 },
		                              .boats = { true, 0 } } },
		                 .n_ships = 2,
		                 .legs = legs,
		                 .n_legs = 2 };

	(void)state;
	expect_text(
	        record_shown(&fleet, &f),
	        "{\"ships\": [{\"name\": \"a\", \"since\": null, \"rooms\": null}, "
	        "{\"name\": \"b\", \"guests\": 2, \"since\": \"1970-01-01T00:00:01.000Z\", \"rooms\": 0, "
	        "\"boats\": 0}], \"legs\": [\"left\", \"right\"]}");
	expect_text(
	        record_schema(&ship_kind),
	        "{\"title\": \"ship\", \"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}, "
	        "\"guests\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 4294967295}, "
	        "\"since\": {\"type\": [\"string\", \"null\"], \"format\": \"date-time\"}, "
	        "\"rooms\": {\"type\": [\"integer\", \"null\"], \"minimum\": 0}, "
	        "\"boats\": {\"type\": \"integer\", \"minimum\": 0}}, "
	        "\"required\": [\"name\", \"since\", \"rooms\"]}");
}

#define PORT_ROWS(X, t)                                                                            \
	X(t, char[8], n_name, .shown = "name")                                                     \
	X(t, int64_t, since_ms, .shown = "since", .kind = FIELD_TIME)                              \
	X(t, uint64_t, mask, .kind = FIELD_HEX)                                                    \
	X(t, uint32_t, depth, KNOWN_IF(t, is_sounded))                                             \
	X(t, bool, is_sounded, HIDDEN)                                                             \
	X(t, const struct desk_leg *, pier, AS_ROWS(pier_leg), .behind = true)                     \
	X(t, const struct ship *, ships, AS_LIST(t, ships, n_ships, ship_kind))                    \
	X(t, size_t, n_ships, HIDDEN)
RECORD_SHOWN(port, "port", PORT_ROWS);
#define NAMES_ROWS(X, t) X(t, bool, is_sounded) X(t, uint64_t, mask)
static const struct record_kind names = RECORD_PART(port, "part", NAMES_ROWS);

/* What a row sets itself counts, whatever its member says. */
static void a_row_of_a_list_may_be_something_else(void **state)
{
	static const struct ship ships[] = { { .name = "a", .rooms = { true, 3 } } };
	static const struct desk_leg pier = { "left", 1 };

	(void)state;
	expect_text(SHOWN(port, .n_name = "kiel", .since_ms = 1000, .mask = 10, .depth = 7,
	                  .is_sounded = true, .pier = &pier, .ships = ships, .n_ships = 1),
	            "{\"name\": \"kiel\", \"since\": \"1970-01-01T00:00:01.000Z\", "
	            "\"mask\": \"000000000000000a\", \"depth\": 7, \"leg\": \"left\", \"ships\": "
	            "[{\"name\": \"a\", \"since\": null, \"rooms\": 3}]}");
	expect_text(SHOWN(port, .depth = 7),
	            "{\"name\": \"\", \"since\": null, \"mask\": \"0000000000000000\", "
	            "\"depth\": null, \"ships\": []}");
	expect_text(record_shown(&names, &(struct port){ .is_sounded = true, .mask = 2 }),
	            "{\"is_sounded\": true, \"mask\": 2}");
}

/* --- the schema of what is shown --- */

static void a_schema_says_what_is_shown(void **state)
{
	/* in single quotes, to be read */
	char expected[] =
	        "{'title':'crate','type':'object','properties':{'label':{'type':'string'},"
	        "'owner':{'type':['string','null']},'small':{'type':'integer','minimum':0,'maximum':255},'u16':{'type':'integer','minimum':0,'maximum':65535},"
	        "'below':{'type':'integer'},'weight':{'type':['number','null']},"
	        "'made':{'type':['string','null'],'format':'date-time'},'guests':{'type':['integer','null'],'minimum':0},"
	        "'best':{'title':'leg','type':['object','null'],'properties':{"
	        "'name':{'type':'string','maxLength':7},'n':{'type':'integer','minimum':0,'maximum':4294967295}},"
	        "'required':['name']},'legs':{'type':'array','items':{'title':'leg','type':'object',"
	        "'properties':{'name':{'type':'string','maxLength':7},'n':{'type':'integer','minimum':0,'maximum':4294967295}},'required':['name']}},"
	        "'words':{'type':'array','items':{'type':'string'},'maxItems':2},'paint':{'title':'paint',"
	        "'type':'object','properties':{'colour':{'type':'string','enum':['red','green']}},"
	        "'required':['colour']},'size':{'type':'string'},'sender':{'type':'string'},"
	        "'range':{'type':'string'},'taken':{'type':'boolean'},"
	        "'notes':{'type':['array','null'],'items':{'type':'string'}},'extra':{},"
	        "'name':{'type':'string','maxLength':7},'n':{'type':'integer','minimum':0,'maximum':4294967295},"
	        "'of_it':{'title':'part','type':'object','properties':{'u8':{'type':'integer','minimum':0,'maximum':255}},'required':['u8']},"
	        "'sum':{},'spare_sum':{}},"
	        "'required':['label','owner','small','u16','below','weight','made','guests','best','legs',"
	        "'paint','notes','of_it','sum']}";
	json_t *schema = record_schema(&crate);
	char *text = json_dumps(schema, JSON_COMPACT);

	(void)state;
	for (char *at = expected; *at; at++)
		*at = *at == '\'' ? '"' : *at;
	assert_string_equal(text, expected);
	free(text);
	json_decref(schema);
}

/* A body's texts have limits and no control characters; its record may be one of some forms. */
#define ORDER_ROWS(X, t)                                                                           \
	X(t, const char *, what, .one_of = "sail|stay", .example = "sail")                         \
	X(t, const char *, reason, .most = 20, .always = true, .example = "a b|c")                 \
	X(t, const char *, harbour, .most = 9, .spare = true, .forms = "|harbour|lat lon")         \
	X(t, const char *, lat, .most = 5, .pattern = "^[0-9]+$", .spare = true)                   \
	X(t, const char *, lon, .most = 5, .pattern = "^[0-9]+$", .spare = true)                   \
	X(t, json_t *, crew, .element = &record_string, .most = 3, .example = "[\"ada\"]")
RECORD_SHOWN(order, "order", ORDER_ROWS);

static void a_schema_of_a_body_has_its_limits_and_an_example(void **state)
{
	const struct {
		const char *at, *expected;
	} rows[] = {
		{ "properties.what", "{\"type\": \"string\", \"enum\": [\"sail\", \"stay\"]}" },
		{ "properties.reason.maxLength", "20" },
		{ "properties.reason.examples", "[\"a b\", \"c\"]" },
		{ "properties.harbour",
		  "{\"type\": \"string\", \"maxLength\": 9, \"pattern\": \"^[^\\\\x00-\\\\x1f\\\\x7f]*$\"}" },
		{ "properties.lat.pattern", "\"^[0-9]+$\"" },
		{ "properties.crew.maxItems", "3" },
		{ "oneOf",
		  "[{\"required\": [], \"properties\": {\"harbour\": false, \"lat\": false, \"lon\": false}}, "
		  "{\"required\": [\"harbour\"], \"properties\": {\"lat\": false, \"lon\": false}}, "
		  "{\"required\": [\"lat\", \"lon\"], \"properties\": {\"harbour\": false}}]" },
	};
	json_t *schema = record_schema(&order_kind);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *expected = json_loads(rows[i].expected, JSON_DECODE_ANY, NULL),
		       *at = schema;
		char way[100], *rest = way, *name;

		snprintf(way, sizeof(way), "%s", rows[i].at);
		while ((name = strsep(&rest, ".")))
			at = json_object_get(at, name);
		if (!json_equal(at, expected))
			fail_msg("%s: %s", rows[i].at, json_dumps(at, JSON_ENCODE_ANY));
		json_decref(expected);
	}
	json_decref(schema);
	expect_text(record_example(&order_kind),
	            "{\"what\": \"sail\", \"reason\": \"a b\", \"crew\": [\"ada\"]}");
}

/* A count that is wrong reads nothing behind the array. */
static void a_list_in_a_struct_has_no_more_than_its_room(void **state)
{
	const struct fleet f = { .ships = { { .name = "a" }, { .name = "b" } }, .n_ships = 7 };
	json_t *json = record_shown(&fleet, &f);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "ships")), 2);
	json_decref(json);
}

static const struct record_kind odd =
        RECORD_OF(struct desk, "odd", NULL,
                  RECORD_WORD(struct desk, colour, colour_word, COLOURS, .shown = "colour",
                              .known = offsetof(struct desk, round) + 1),
                  RECORD_VALUE(struct desk, hex, FIELD_HEX, .shown = "hex"),
                  RECORD_VALUE(struct desk, prefix, FIELD_PREFIX, .shown = "prefix"),
                  RECORD_BY_WORD(struct desk, by_colour, colour_word, .shown = "by"),
                  /* it is not shown */
                  RECORD_VALUE(struct desk, u32, FIELD_U32));

static void a_schema_has_the_words_that_are_known(void **state)
{
	(void)state;
	expect_text(
	        record_schema(&odd),
	        "{\"title\": \"odd\", \"type\": \"object\", \"properties\": {"
	        "\"colour\": {\"type\": [\"string\", \"null\"], \"enum\": [\"red\", \"green\", null]}, "
	        "\"hex\": {\"type\": \"string\", \"pattern\": \"^[0-9a-f]{16}$\"}, "
	        "\"prefix\": {\"type\": \"string\"}, "
	        "\"by\": {\"type\": \"object\", \"properties\": {\"red\": {\"type\": \"integer\"}, "
	        "\"green\": {\"type\": \"integer\"}}}}, \"required\": [\"colour\", \"hex\", \"by\"]}");
}

SUITE(fields)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_as_it_was),
		cmocka_unit_test(what_is_empty_is_left_out_and_read_so),
		cmocka_unit_test(a_text_that_is_no_utf8_is_not_lost_silently),
		cmocka_unit_test(what_is_wrong_is_refused_and_named),
		cmocka_unit_test(what_is_always_there_is_written_though_empty_and_must_be_read),
		cmocka_unit_test(people_are_shown_what_is_empty_too_under_its_own_names),
		cmocka_unit_test(without_memory_there_is_no_record),
		cmocka_unit_test(an_unknown_word_of_a_set_is_left_out),
		cmocka_unit_test(what_is_shown_may_lie_elsewhere),
		cmocka_unit_test(what_is_not_there_is_null_or_left_out),
		cmocka_unit_test(a_struct_and_its_rows_are_one_list),
		cmocka_unit_test(a_row_of_a_list_may_be_something_else),
		cmocka_unit_test(a_list_in_a_struct_has_no_more_than_its_room),
		cmocka_unit_test(a_schema_says_what_is_shown),
		cmocka_unit_test(a_schema_of_a_body_has_its_limits_and_an_example),
		cmocka_unit_test(a_schema_has_the_words_that_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
