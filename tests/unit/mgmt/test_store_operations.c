/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of operations in the store: kept, replaced, bounded, and never lost while they run.
 */
#include "fixture.h"

#include "mgmt/store/operations.h"
#include "mgmt/store/store.h"

struct taken {
	size_t n;
	char last_id[MODEL_ID_MAX], last_text[64];
	bool has_running;
};

static void take_record(void *arg, const char *id, const char *text)
{
	struct taken *t = arg;

	t->n++;
	t->has_running |= !strcmp(id, "running");
	snprintf(t->last_id, sizeof(t->last_id), "%s", id);
	snprintf(t->last_text, sizeof(t->last_text), "%s", text);
}

static struct store *open_store(const struct fixture *f)
{
	char reason[EVENT_TEXT_MAX];
	struct store *s = NULL;

	assert_int_equal(store_open(f->state, &s, reason), 0);
	return s;
}

static int put_one(struct store *s, const char *id, const char *text, bool over, int64_t changed_ms)
{
	const struct store_operation one = { .id = id, .text = text, .over = over };

	return store_put_operations(s, &one, 1, changed_ms);
}

static void a_record_is_replaced_and_outlives_the_process(void **state)
{
	struct fixture f;
	struct taken t = { 0 };

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(put_one(s, "o1", "first", false, 10), 0);
	assert_int_equal(put_one(s, "o1", "second", false, 20), 0);
	store_close(s);
	s = open_store(&f);
	assert_int_equal(store_operations(s, take_record, &t), 1);
	assert_string_equal(t.last_text, "second");
	store_close(s);
	fixture_remove(&f);
}

static void the_oldest_that_are_over_go_and_one_that_runs_stays(void **state)
{
	struct fixture f;
	struct taken t = { 0 };
	char id[MODEL_ID_MAX];

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(put_one(s, "running", "r", false, 1), 0);
	for (unsigned i = 0; i < STORE_OPERATIONS_MAX + 4; i++) {
		snprintf(id, sizeof(id), "o%u", i);
		assert_int_equal(put_one(s, id, "x", true, 100 + (int64_t)i), 0);
	}
	assert_int_equal(store_operations(s, take_record, &t), STORE_OPERATIONS_MAX);
	assert_true(t.has_running);
	assert_string_equal(t.last_id, id);
	store_close(s);
	fixture_remove(&f);
}

static void those_that_run_stay_even_beyond_the_bound(void **state)
{
	struct fixture f;
	struct taken t = { 0 };
	char id[MODEL_ID_MAX];

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_int_equal(put_one(s, "over", "x", true, 900), 0);
	assert_int_equal(put_one(s, "running", "r", false, 1), 0);
	for (unsigned i = 0; i < STORE_OPERATIONS_MAX + 2; i++) {
		snprintf(id, sizeof(id), "o%u", i);
		assert_int_equal(put_one(s, id, "x", false, 100 + (int64_t)i), 0);
	}
	assert_int_equal(store_operations(s, take_record, &t), STORE_OPERATIONS_MAX + 3);
	assert_true(t.has_running); /* the oldest of them all */
	store_close(s);
	fixture_remove(&f);
}

static void a_text_beyond_the_bound_is_refused_and_changes_nothing(void **state)
{
	struct fixture f;
	struct taken t = { 0 };
	char *text = malloc(STORE_OPERATION_TEXT_MAX + 2);

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_non_null(text);
	memset(text, 'x', STORE_OPERATION_TEXT_MAX + 1);
	text[STORE_OPERATION_TEXT_MAX + 1] = '\0';
	assert_int_equal(put_one(s, "o1", "kept", true, 1), 0);
	assert_int_equal(put_one(s, "o1", text, true, 2), -EINVAL);
	assert_int_equal(store_operations(s, take_record, &t), 1);
	assert_string_equal(t.last_text, "kept");
	text[STORE_OPERATION_TEXT_MAX] = '\0';
	assert_int_equal(put_one(s, "o2", text, true, 3), 0);
	free(text);
	store_close(s);
	fixture_remove(&f);
}

static void of_several_records_all_are_kept_or_none(void **state)
{
	struct store_operation list[3] = { { "o1", "1", true },
		                           { "o2", "2", false },
		                           { "o3", "3", true } };
	char *text = malloc(STORE_OPERATION_TEXT_MAX + 2);
	struct taken t = { 0 }, again = { 0 };
	struct fixture f;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	assert_non_null(text);
	memset(text, 'x', STORE_OPERATION_TEXT_MAX + 1);
	text[STORE_OPERATION_TEXT_MAX + 1] = '\0';
	list[2].text = text;
	assert_int_equal(store_put_operations(s, list, 3, 1), -EINVAL);
	assert_int_equal(store_operations(s, take_record, &t), 0);
	list[2].text = "3";
	assert_int_equal(store_put_operations(s, list, 3, 1), 0);
	assert_int_equal(store_put_operations(s, list, 0, 1), 0);
	assert_int_equal(store_operations(s, take_record, &again), 3);
	assert_string_equal(again.last_id, "o3");
	free(text);
	store_close(s);
	fixture_remove(&f);
}

static void the_request_that_made_it_is_remembered_with_it(void **state)
{
	struct store_request request = { .key = "k", .digest = "d", .now_ms = 5 };
	char digest[DIGEST_TEXT_MAX], *body = NULL;
	struct fixture f;
	unsigned status = 1;

	(void)state;
	fixture_make(&f);
	struct store *s = open_store(&f);
	store_for(s, &request);
	assert_int_equal(put_one(s, "o1", "x", false, 5), 0);
	store_for(s, NULL);
	assert_int_equal(store_reply(s, "k", digest, &status, &body, 6), 0);
	assert_int_equal(status, 0);
	assert_string_equal(body, "{\"operation\":\"o1\"}");
	free(body);
	store_close(s);
	fixture_remove(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_replaced_and_outlives_the_process),
		cmocka_unit_test(the_oldest_that_are_over_go_and_one_that_runs_stays),
		cmocka_unit_test(those_that_run_stay_even_beyond_the_bound),
		cmocka_unit_test(a_text_beyond_the_bound_is_refused_and_changes_nothing),
		cmocka_unit_test(of_several_records_all_are_kept_or_none),
		cmocka_unit_test(the_request_that_made_it_is_remembered_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
