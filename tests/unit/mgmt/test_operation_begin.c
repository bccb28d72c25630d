/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How an operation begins: where it goes on from, and that of two that are started at once only one
 * is, although both were judged before.
 */
#include "asked.h"

#include "mgmt/api/operations_internal.h"

#include "mgmt/api/operation_begin.c" /* the private parts too */

static struct operation_body body;
static struct operation_outcome outcome;
static struct beginning *b;

static int setup(void **state)
{
	(void)asked_setup(state);
	this_node.operations = calloc(1, sizeof(*this_node.operations));
	b = calloc(1, sizeof(*b));
	assert_non_null(this_node.operations);
	assert_non_null(b);
	memset(&body, 0, sizeof(body));
	memset(&outcome, 0, sizeof(outcome));
	body.sites[0] = "ams";
	body.sites[1] = "fra";
	body.n_sites = 2;
	body.until_ms = body.over_ms = -1;
	body.reason = "a test";
	body.author = "jw";
	b->core = &this_node;
	b->body = &body;
	strcpy(b->id, "o1");
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < this_node.operations->n; i++)
		operations_free_item(this_node.operations->items[i]);
	free(this_node.operations);
	this_node.operations = NULL;
	json_decref(outcome.json);
	free(b);
	return asked_teardown(state);
}

/* A drain of a whole site that was stepped to a level. */
static void merge_drain(const char *id, const char *site, uint64_t generation, uint32_t to_ppm)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .generation = generation,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .from_ppm = to_ppm,
		              .to_ppm = to_ppm,
		              .is_step = true,
		              .author = "jw",
		              .reason = "a test",
		              .node = "fra-1" };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "%s", site);
	assert_true(override_ok(&o));
	core_lock(&this_node);
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
	core_unlock(&this_node);
}

static bool resolve_body(void)
{
	return resolve_request(b, clock_believed_ms(), &outcome);
}

static void without_a_drain_it_begins_at_the_start(void **state)
{
	(void)state;
	assert_true(resolve_body());
	assert_int_equal(b->level_ppm, 0);
	assert_true(b->stamp >= (uint64_t)NOW_MS << 11);
	assert_string_not_equal(b->override_ids[0], b->override_ids[1]);
}

/* Also than what a node made whose clock is ahead. */
static void it_is_later_than_what_it_goes_on_with(void **state)
{
	const uint64_t ahead = (uint64_t)(clock_believed_ms() + 60000) << 11;

	(void)state;
	for (int which = 0; which < 2; which++) {
		teardown(state);
		setup(state);
		merge_drain("v1", "ams", which ? ahead : 128, 250000);
		merge_drain("v2", "fra", which ? 128 : ahead, 250000);
		assert_true(resolve_body());
		assert_int_equal(b->stamp, ahead + 1);
		assert_int_equal(b->level_ppm, 250000);
		assert_string_equal(b->override_ids[0], "v1");
		assert_string_equal(b->override_ids[1], "v2");
		assert_true(
		        make_record(b, &(struct http_request){ .identity = "" }, NOW_MS, &outcome));
		assert_int_equal(b->op.stamp, ahead + 1);
		assert_int_equal(b->op.level_ppm, 250000);
	}
}

static void sites_at_different_levels_are_not_one_operation(void **state)
{
	(void)state;
	merge_drain("v1", "ams", 128, 250000);
	assert_false(resolve_body());
	assert_int_equal(outcome.status, 422);
	assert_non_null(strstr(outcome.text, "different levels"));
}

/* Also the first of those that are named absent. */
static void what_is_named_must_be_there(void **state)
{
	(void)state;
	body.without.items[body.without.n++] = "ams-9";
	assert_false(resolve_body());
	assert_int_equal(outcome.status, 404);
	assert_string_equal(outcome.text, "without: there is no node ams-9");
}

static void of_two_that_are_judged_at_once_one_begins(void **state)
{
	(void)state;
	assert_true(resolve_body());
	assert_true(make_record(b, &(struct http_request){ .identity = "" }, NOW_MS, &outcome));
	struct operation other = b->op;

	strcpy(other.id, "o2");
	other.n_targets = 1; /* of ams alone, begun while facts were gathered */
	core_lock(&this_node);
	assert_int_equal(operations_put(&this_node, &other, 1), 0);
	core_unlock(&this_node);
	commit_beginning(b, NULL, &outcome);
	assert_int_equal(outcome.status, 409);
	assert_string_equal(outcome.code, "operation");
	assert_non_null(strstr(outcome.text, "o2"));
	core_lock(&this_node);
	assert_null(operations_find(&this_node, "o1"));
	operations_find(&this_node, "o2")->op.state = OPERATION_DONE; /* it is over */
	core_unlock(&this_node);
	commit_beginning(b, NULL, &outcome);
	assert_int_equal(outcome.status, 201);
	core_lock(&this_node);
	assert_non_null(operations_find(&this_node, "o1"));
	core_unlock(&this_node);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_drain_it_begins_at_the_start),
		TEST(it_is_later_than_what_it_goes_on_with),
		TEST(what_is_named_must_be_there),
		TEST(sites_at_different_levels_are_not_one_operation),
		TEST(of_two_that_are_judged_at_once_one_begins),
	};

	return cmocka_run_group_tests_name("operation begin", tests, NULL, NULL);
}
