/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of shared intent: what one holds, what it refuses to hold, and names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "mgmt/store/shared.h"
#include "tests/unit/suite.h"
#include "weir/json.h"

struct large {
	char text[SHARED_TEXT_MAX + 64];
};

static const struct record_kind large_record =
        RECORD_OF(struct large, "large", NULL, RECORD_TEXT(struct large, text));

static void a_change_holds_what_it_rests_on_and_writes(void **state)
{
	static const struct large r = { "x" };
	struct shared_change c;

	(void)state;
	shared_change_begin(&c, "id1");
	shared_change_see(&c, "head", 7);
	shared_change_see(&c, "mark/3", 0);
	shared_change_put(&c, "head", &large_record, &r);
	shared_change_remove(&c, "old");
	assert_int_equal(c.err, 0);
	assert_string_equal(c.id, "id1");
	assert_int_equal(c.n_seen, 2);
	assert_string_equal(c.seen[0].name, "head");
	assert_int_equal(c.seen[0].revision, 7);
	assert_string_equal(c.seen[1].name, "mark/3");
	assert_int_equal(c.seen[1].revision, 0);
	assert_int_equal(c.n_puts, 2);
	assert_string_equal(c.puts[0].name, "head");
	assert_string_equal(c.puts[0].text, "{\"change\":\"id1\",\"text\":\"x\"}");
	assert_string_equal(c.puts[1].name, "old");
	assert_null(c.puts[1].text);
	shared_change_fini(&c);
	assert_int_equal(c.n_puts, 0);
}

static void what_cannot_be_written_is_refused_once_and_for_all(void **state)
{
	static const struct large small = { "x" };
	char name[SHARED_NAME_MAX + 1];

	(void)state;
	for (int what = 0; what < 9; what++) {
		struct shared_change c;

		print_message("  %d\n", what);
		shared_change_begin(&c, "id");
		memset(name, 'n', sizeof(name));
		name[SHARED_NAME_MAX] = '\0';
		switch (what) {
		case 0:
			shared_change_see(&c, name, 1);
			break;
		case 1:
			shared_change_remove(&c, "");
			break;
		case 2:
			shared_change_see(&c, "twice", 1);
			shared_change_see(&c, "twice", 1); /* the same twice is once */
			assert_true(!c.err && c.n_seen == 1);
			shared_change_see(&c, "twice", 2);
			break;
		case 7:
			shared_change_see_all(&c, "no-slash", 1);
			c.n_seen = 0;
			break;
		case 8:
			shared_change_see_all(&c, "twice/", 1);
			shared_change_see_all(&c, "twice/", 1);
			break;
		case 3:
			shared_change_put(&c, "twice", &large_record, &small);
			shared_change_remove(&c, "twice");
			break;
		case 4:
			for (int i = 0; i <= (int)SHARED_CHANGE_MAX; i++) {
				assert_int_equal(c.err, 0);
				snprintf(name, sizeof(name), "n%d", i);
				shared_change_see(&c, name, 1);
			}
			break;
		case 5: {
			static struct large r;

			memset(r.text, 'x', sizeof(r.text) - 1);
			shared_change_put(&c, "large", &large_record, &r);
			break;
		}
		default:
			for (int i = 0; i <= (int)SHARED_CHANGE_MAX; i++) {
				assert_int_equal(c.err, 0);
				snprintf(name, sizeof(name), "n%d", i);
				shared_change_put(&c, name, &large_record, &small);
			}
			break;
		}
		assert_int_equal(c.err, -EINVAL);
		size_t n = c.n_seen + c.n_puts;

		shared_change_see(&c, "more", 1);
		shared_change_put(&c, "more", &large_record, &small);
		assert_int_equal(c.n_seen + c.n_puts, n);
		assert_int_equal(c.err, -EINVAL);
		shared_change_fini(&c);
	}
}

static bool is_sound(const void *record)
{
	return strcmp(((const struct large *)record)->text, "wrong") != 0;
}

static const struct record_kind judged =
        RECORD_OF(struct large, "judged", is_sound, RECORD_TEXT(struct large, text));

/* A record that all nodes would refuse, for ever, once it was acknowledged. */
static void what_nobody_would_read_is_not_written(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = { { "right", 0 }, { "wrong", -EINVAL } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct large r;
		struct shared_change c;

		snprintf(r.text, sizeof(r.text), "%s", rows[i].text);
		shared_change_begin(&c, "i");
		shared_change_put(&c, "a", &judged, &r);
		assert_int_equal(c.err, rows[i].err);
		assert_true(c.n_puts == 0 || !c.err == !!c.puts[0].text);
		shared_change_fini(&c);
	}
}

static void the_longest_name_and_text_are_taken(void **state)
{
	static struct large r;
	struct shared_change c;
	char name[SHARED_NAME_MAX];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[SHARED_NAME_MAX - 1] = '\0';
	shared_change_begin(&c, "i");
	/* {"change":"i","text":"..."} */
	memset(r.text, 'x', SHARED_TEXT_MAX - strlen("{\"change\":\"i\",\"text\":\"\"}"));
	shared_change_put(&c, name, &large_record, &r);
	assert_int_equal(c.err, 0);
	assert_int_equal(strlen(c.puts[0].text), SHARED_TEXT_MAX);
	shared_change_fini(&c);
}

static void an_id_has_a_length(void **state)
{
	struct shared_change c;
	char id[SHARED_ID_MAX + 1];

	(void)state;
	memset(id, 'a', sizeof(id));
	id[SHARED_ID_MAX] = '\0';
	shared_change_begin(&c, id);
	assert_int_equal(c.err, -EINVAL);
	id[SHARED_ID_MAX - 1] = '\0';
	shared_change_begin(&c, id);
	assert_int_equal(c.err, 0);
	assert_string_equal(c.id, id);
	shared_change_begin(&c, "");
	assert_int_equal(c.err, -EINVAL);
}

static void the_id_is_read_from_a_record(void **state)
{
	static const struct {
		const char *text, *id;
	} rows[] = {
		{ "{\"change\":\"c1\",\"x\":1}", "c1" },
		{ "{\"x\":1}", "" },
		{ "{\"change\":1}", "" },
		{ "[\"change\"]", "" },
		{ "{\"change\":\"c1\"", "" },
		{ "", "" },
		{ "{\"change\":\"c1\",\"change\":\"c2\"}", "" },
		{ "{\"change\":\"1234567890123456789012345678901234567890123456789012345678901234\"}",
		  "1234567890123456789012345678901234567890123456789012345678901234" },
		{ "{\"change\":\"12345678901234567890123456789012345678901234567890123456789012345\"}",
		  "" },
	};
	char id[SHARED_ID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(shared_change_of(rows[i].text, id), 0);
		assert_string_equal(id, rows[i].id);
	}
}

/* A sanitizer's malloc() is to return NULL as well, not to end the test. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static size_t allocations_left;

/* As the programs' own, when there is no more memory: what fails is noted. */
static void *allocate_some(size_t n)
{
	volatile size_t too_many = SIZE_MAX / 4; /* a constant would be a warning */

	return memory_alloc(allocations_left && allocations_left-- ? n : too_many);
}

/* Taken for a record of another change, it would prove that ours was not written. */
static void without_memory_the_id_is_not_known(void **state)
{
	char id[SHARED_ID_MAX] = "kept";
	size_t n = 0;
	int err = -ENOMEM;

	(void)state;
	json_set_alloc_funcs(allocate_some, memory_free);
	while (err) {
		assert_int_equal(err, -ENOMEM);
		assert_string_equal(id, "kept");
		allocations_left = n++;
		err = shared_change_of("{\"author\":\"ann\",\"change\":\"c1\"}", id);
	}
	json_prepare();
	assert_string_equal(id, "c1");
	print_message("  %zu allocations\n", n - 1);
	assert_true(n > 3);
}

static void numbered_names_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *name;
		uint64_t number;
	} rows[] = {
		{ "mark/1", 1 },
		{ "mark/1234567890123456", 1234567890123456 },
		{ "mark/12345678901234567", 0 },
		{ "mark/0", 0 },
		{ "mark/01", 0 },
		{ "mark/", 0 },
		{ "mark", 0 },
		{ "mark/1x", 0 },
		{ "mark/-1", 0 },
		{ "mark/ 1", 0 },
		{ "marks/1", 0 },
		{ "mark.1", 0 },
		{ "nark/1", 0 },
		{ "mar/1", 0 },
		{ "version/1", 0 },
		{ "", 0 },
	};
	char name[SHARED_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(shared_number("mark", rows[i].name), rows[i].number);
		if (rows[i].number)
			assert_string_equal(shared_numbered("mark", rows[i].number, name),
			                    rows[i].name);
	}
}

static void a_change_may_write_by_a_lease_and_remove_a_whole_branch(void **state)
{
	static const struct large r = { "x" };
	struct shared_change c;
	json_t *json = json_pack("{s:i}", "n", 7);

	(void)state;
	shared_change_begin(&c, "i");
	shared_change_put_json(&c, "state", json);
	shared_change_put_leased(&c, "owner/1", &large_record, &r, 42);
	shared_change_remove_all(&c, "seen/1/");
	assert_int_equal(c.err, 0);
	assert_int_equal(c.n_puts, 3);
	assert_string_equal(c.puts[0].text, "{\"change\":\"i\",\"n\":7}");
	assert_int_equal(c.puts[0].lease, 0);
	assert_int_equal(c.puts[1].lease, 42);
	assert_true(c.puts[2].is_prefix && !c.puts[2].text);
	shared_change_remove_all(&c, "seen/1"); /* would be seen/10/, too */
	assert_int_equal(c.err, -EINVAL);
	shared_change_fini(&c);
	shared_change_begin(&c, "i");
	shared_change_remove_all(&c, ""); /* would be all */
	assert_int_equal(c.err, -EINVAL);
	shared_change_fini(&c);
	assert_int_equal(json_object_size(json), 1); /* it is the caller's */
	json_decref(json);
}

static void each_change_of_its_own_has_another_id(void **state)
{
	struct shared_change a, b;

	(void)state;
	shared_change_begin_new(&a);
	shared_change_begin_new(&b);
	assert_int_equal(a.err, 0);
	assert_true(*a.id && strcmp(a.id, b.id) != 0);
}

SUITE(shared)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_holds_what_it_rests_on_and_writes),
		cmocka_unit_test(what_cannot_be_written_is_refused_once_and_for_all),
		cmocka_unit_test(what_nobody_would_read_is_not_written),
		cmocka_unit_test(the_longest_name_and_text_are_taken),
		cmocka_unit_test(an_id_has_a_length),
		cmocka_unit_test(the_id_is_read_from_a_record),
		cmocka_unit_test(without_memory_the_id_is_not_known),
		cmocka_unit_test(a_change_may_write_by_a_lease_and_remove_a_whole_branch),
		cmocka_unit_test(each_change_of_its_own_has_another_id),
		cmocka_unit_test(numbered_names_are_read_as_they_are_written),
	};

	json_prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
