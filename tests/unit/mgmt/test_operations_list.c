/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of operations: which stay in the list when there are too many, whatever order they come in, and what a node
 * has of them that decides alone: of changes of one record the first, and after a start all of it.
 */
#include "node_operations.h"
#include "made_operation.h"

#include "mgmt/controller/operation_decide.h"
#include "mgmt/operations/record_json.h"
#include "tests/unit/suite.h"

static int setup(void **state)
{
	(void)node_setup(state);
	open_operations();
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	core_unlock(&this_node);
	return node_teardown(state);
}

/* Number @p n, of a site of its own, begun @p n minutes after the first. */
static struct operation *make_record(unsigned n, enum operation_state at)
{
	static struct operation op;
	char id[MODEL_ID_MAX];

	snprintf(id, sizeof(id), "o%u", n);
	make_operation(&op, id, "fra-1", NOW_MS + (int64_t)n * 60000);
	snprintf(op.targets[0].site, sizeof(op.targets[0].site), "s%u", n);
	op.state = at;
	return &op;
}

static int put_one(unsigned n, enum operation_state at)
{
	return operations_put(&this_node, make_record(n, at), n);
}

static bool is_there(unsigned n)
{
	char id[MODEL_ID_MAX];

	snprintf(id, sizeof(id), "o%u", n);
	return operations_find(&this_node, id) != NULL;
}

static void of_those_that_are_over_the_newest_stay_in_whatever_order_they_come(void **state)
{
	(void)state;
	for (unsigned i = 0; i < OPERATIONS_MAX; i++)
		assert_int_equal(put_one(100 + i, OPERATION_DONE), 0);
	assert_int_equal(put_one(99, OPERATION_DONE), -ENOSPC); /* older than all */
	assert_false(is_there(99));
	assert_true(is_there(100));
	assert_int_equal(put_one(300, OPERATION_ABORTED), 0);
	assert_true(is_there(300));
	assert_false(is_there(100));
	assert_int_equal(put_one(100, OPERATION_DONE), -ENOSPC);
	assert_int_equal(this_node.operations->n, OPERATIONS_MAX);
	for (size_t i = 1; i < OPERATIONS_MAX; i++)
		assert_true(operations_at(&this_node, i - 1)->op.created_ms >
		            operations_at(&this_node, i)->op.created_ms);
}

static void one_that_runs_stays_however_old_it_is(void **state)
{
	(void)state;
	assert_int_equal(put_one(0, OPERATION_HELD), 0);
	for (unsigned i = 0; i < 2 * OPERATIONS_MAX; i++)
		assert_int_equal(put_one(100 + i, OPERATION_DONE), 0);
	assert_true(is_there(0));
	assert_int_equal(put_one(1, OPERATION_MOVING), 0); /* older than all that are over */
	assert_true(is_there(1));
	for (unsigned i = 2; i < OPERATIONS_MAX; i++) {
		assert_true(operations_have_room(&this_node));
		assert_int_equal(put_one(i, OPERATION_MOVING), 0);
	}
	assert_false(operations_have_room(&this_node));
	assert_int_equal(put_one(500, OPERATION_MOVING), -ENOSPC);
	assert_int_equal(put_one(501, OPERATION_DONE), -ENOSPC);
	for (unsigned i = 0; i < OPERATIONS_MAX; i++)
		assert_true(is_there(i));
}

/* What an owner judged is not shown once another node is the owner, and judges. */
static void what_was_judged_goes_with_the_owner(void **state)
{
	struct operation *op = make_record(1, OPERATION_MOVING);

	(void)state;
	snprintf(op->owner, sizeof(op->owner), "%s", this_node.dirs.node);
	assert_int_equal(operations_put(&this_node, op, 1), 0);
	struct operations_item *item = operations_find(&this_node, "o1");

	item->judged = true;
	item->outlook = json_object();
	assert_int_equal(operations_put(&this_node, op, 2), 0);
	assert_true(item->judged && item->outlook);
	snprintf(op->owner, sizeof(op->owner), "par-1");
	assert_int_equal(operations_put(&this_node, op, 3), 0);
	assert_true(!item->judged && !item->outlook);
}

/* --- decided here --- */

static enum operation_decided decide_change(const struct operation *was, const struct operation *op)
{
	char reason[ETCD_REASON_MAX];

	return operation_decide(&this_node, was, op, false, reason);
}

static void begin_one(unsigned n, enum operation_state at)
{
	assert_int_equal(decide_change(NULL, make_record(n, at)), OPERATION_DECIDED);
}

/* It may have begun elsewhere while the lock was given up. */
static void a_site_that_an_operation_has_gets_no_second(void **state)
{
	static struct operation rival;

	(void)state;
	begin_one(1, OPERATION_MOVING);
	rival = *make_record(2, OPERATION_MOVING);
	snprintf(rival.targets[0].site, sizeof(rival.targets[0].site), "s1");
	assert_int_equal(decide_change(NULL, &rival), OPERATION_OVERTAKEN);
	assert_false(is_there(2));
}

/* As after a start: the list has nothing, and the copy is read. */
static void read_again(void)
{
	forget_operations();
	this_node.operations->followed = 0;
	operations_follow(&this_node);
}

static void of_two_changes_of_one_record_the_first_is_made(void **state)
{
	static struct operation was, first, second;

	(void)state;
	begin_one(1, OPERATION_MOVING);
	was = operations_find(&this_node, "o1")->op;
	first = second = was;
	first.level_ppm = 100000;
	first.seq = was.seq + 1;
	second.level_ppm = 900000;
	second.seq = was.seq + 1;
	assert_int_equal(decide_change(&was, &first), OPERATION_DECIDED);
	assert_int_equal(decide_change(&was, &second), OPERATION_OVERTAKEN);
	assert_int_equal(decide_change(NULL, &second), OPERATION_OVERTAKEN); /* it is there */
	assert_int_equal(operations_find(&this_node, "o1")->op.level_ppm, 100000);
	read_again();
	assert_int_equal(operations_find(&this_node, "o1")->op.level_ppm, 100000);
}

/* Another node may have written of which the list has not heard. */
static void a_change_is_compared_with_what_is_there(void **state)
{
	static struct operation was, op;

	(void)state;
	begin_one(1, OPERATION_MOVING);
	operations_follow(&this_node);
	was = op = operations_find(&this_node, "o1")->op;
	op.seq++;
	operations_find(&this_node, "o1")->revision--;
	assert_int_equal(decide_change(&was, &op), OPERATION_OVERTAKEN);
	read_again();
	assert_int_equal(operations_find(&this_node, "o1")->op.seq, was.seq);
	assert_int_equal(decide_change(&was, &op), OPERATION_DECIDED);
}

static void a_record_is_read_as_it_was_written(void **state)
{
	static struct operation was, with_steps;
	json_t *before, *after;

	(void)state;
	begin_one(1, OPERATION_MOVING);
	was = with_steps = operations_find(&this_node, "o1")->op;
	with_steps.seq++;
	with_steps.n_steps = 3;
	with_steps.steps_lost = 2;
	for (uint32_t i = 0; i < 3; i++)
		with_steps.steps[i] = (struct operation_step){ .begun_ms = NOW_MS + i,
			                                       .state = OPERATION_MOVING,
			                                       .to_ppm = 1000 * i };
	assert_int_equal(decide_change(&was, &with_steps), OPERATION_DECIDED);
	before = operation_to_json(&operations_find(&this_node, "o1")->op);
	read_again();
	after = operation_to_json(&operations_find(&this_node, "o1")->op);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

/* What is bad in the copy is no operation, and harms no other. */
static void a_record_that_is_none_is_left_out(void **state)
{
	static const char *const bad[] = { "{}", "[]", "no JSON", "{\"id\":\"o1\"}" };

	(void)state;
	begin_one(1, OPERATION_MOVING);
	begin_one(2, OPERATION_MOVING);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct shared_record r = { .name = "operation/o1",
			                   .text = (char *)(uintptr_t)bad[i] };

		assert_int_equal(
		        copy_follow(intent_store(this_node.intent), 1000 + (int64_t)i, &r, 1), 0);
		read_again();
		assert_false(is_there(1));
		assert_true(is_there(2));
	}
}

/* Who has an earlier one does not go on from it. */
static void a_record_that_cannot_be_read_is_not_decided(void **state)
{
	struct shared_record r = { .name = "operation/o1", .text = (char *)(uintptr_t) "[]" };
	static struct operation was, op;

	(void)state;
	begin_one(1, OPERATION_MOVING);
	assert_int_equal(copy_follow(intent_store(this_node.intent), 1000, &r, 1), 0);
	operations_follow(&this_node);
	assert_true(is_there(1));
	assert_true(operations_find(&this_node, "o1")->unread);
	was = op = operations_find(&this_node, "o1")->op;
	op.seq++;
	assert_int_equal(decide_change(&was, &op), OPERATION_UNDECIDED);
	assert_int_equal(operations_find(&this_node, "o1")->op.seq, was.seq);
}

/* The store of a node that is alone is made again, and has no records: operations that run go on, and all are written there. */
static void what_a_store_lost_is_written_again(void **state)
{
	static struct operation was, op;

	(void)state;
	begin_one(1, OPERATION_MOVING);
	begin_one(2, OPERATION_DONE);
	operations_follow(&this_node);
	assert_int_equal(copy_begin(intent_store(this_node.intent), ""), 0);
	operations_follow(&this_node);
	assert_true(is_there(1) && is_there(2));
	was = op = operations_find(&this_node, "o1")->op;
	op.seq++;
	assert_int_equal(decide_change(&was, &op), OPERATION_DECIDED);
	operations_follow(&this_node); /* another change than its own */
	assert_true(is_there(2));
	operation_keep_all(&this_node);
	read_again();
	assert_true(is_there(2));
	assert_int_equal(operations_find(&this_node, "o1")->op.seq, was.seq + 1);
}

/* With all of its steps: one that is over has no further change to take them. */
static void a_long_record_is_written_again_whole(void **state)
{
	struct operation *op = make_record(1, OPERATION_DONE);

	(void)state;
	op->n_steps = OPERATION_HISTORY_MAX;
	for (uint32_t i = 0; i < op->n_steps; i++)
		op->steps[i] = (struct operation_step){ .to_ppm = 1000 * (i + 1),
			                                .write_step = i + 1,
			                                .state = OPERATION_MOVING,
			                                .begun_ms = NOW_MS + i };
	assert_int_equal(decide_change(NULL, op), OPERATION_DECIDED);
	operations_follow(&this_node);
	assert_int_equal(copy_begin(intent_store(this_node.intent), ""), 0);
	operations_follow(&this_node);
	operation_keep_all(&this_node);
	read_again();
	const struct operation *read = &operations_find(&this_node, "o1")->op;

	assert_int_equal(read->n_steps, OPERATION_HISTORY_MAX);
	for (uint32_t i = 0; i < read->n_steps; i++)
		assert_int_equal(read->steps[i].to_ppm, 1000 * (i + 1));
}

/* All of them are, also the oldest: nothing begins that would take its room. */
static void a_full_list_is_written_again(void **state)
{
	const unsigned kept = OPERATIONS_MAX - 16;

	(void)state;
	for (unsigned i = 1; i <= kept; i++)
		begin_one(i, OPERATION_DONE);
	operations_follow(&this_node);
	assert_int_equal(copy_begin(intent_store(this_node.intent), ""), 0);
	operations_follow(&this_node);
	operation_keep_all(&this_node);
	read_again();
	for (unsigned i = 1; i <= kept; i++)
		assert_true(is_there(i));
}

/* So is an older one at the site of one that runs: it does not begin. */
static void an_older_one_of_the_same_site_is_written_again(void **state)
{
	static struct operation older;

	(void)state;
	older = *make_record(1, OPERATION_DONE);
	snprintf(older.targets[0].site, sizeof(older.targets[0].site), "s2");
	assert_int_equal(decide_change(NULL, &older), OPERATION_DECIDED);
	begin_one(2, OPERATION_MOVING);
	operations_follow(&this_node);
	assert_int_equal(copy_begin(intent_store(this_node.intent), ""), 0);
	operations_follow(&this_node);
	operation_keep_all(&this_node);
	read_again();
	assert_true(is_there(1) && is_there(2));
}

/* One that cannot be read there is not written over, and stops none of the others. */
static void what_cannot_be_read_stops_no_other(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 3; n++)
		begin_one(n, OPERATION_MOVING);
	operations_follow(&this_node);
	operations_find(&this_node, "o3")->unread = true; /* the first of the list */
	assert_int_equal(copy_begin(intent_store(this_node.intent), ""), 0);
	operations_follow(&this_node);
	operation_keep_all(&this_node);
	read_again();
	assert_true(is_there(1) && is_there(2));
}

/* Else the store of a cluster that drains each day would fill. */
static void of_those_that_are_over_the_oldest_leave_the_store(void **state)
{
	struct operation *first = make_record(1, OPERATION_DONE);
	struct shared_record r = { 0 };

	(void)state;
	first->n_steps = 1;
	first->steps[0] = (struct operation_step){ .begun_ms = NOW_MS, .state = OPERATION_MOVING };
	assert_int_equal(decide_change(NULL, first), OPERATION_DECIDED);
	assert_int_equal(copy_read(intent_store(this_node.intent), "observed/o1/step/00000", &r),
	                 0);
	free(r.text);
	for (unsigned i = 2; i <= 4 * OPERATIONS_MAX; i++)
		begin_one(i, OPERATION_DONE);
	assert_int_equal(copy_read(intent_store(this_node.intent), "operation/o1", &r), -ENOENT);
	assert_int_equal(copy_read(intent_store(this_node.intent), "observed/o1/step/00000", &r),
	                 -ENOENT);
	assert_int_equal(copy_read(intent_store(this_node.intent), "operation/o256", &r), 0);
	free(r.text);
}

SUITE(operations_list)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(of_those_that_are_over_the_newest_stay_in_whatever_order_they_come),
		TEST(one_that_runs_stays_however_old_it_is),
		TEST(what_was_judged_goes_with_the_owner),
		TEST(of_two_changes_of_one_record_the_first_is_made),
		TEST(a_change_is_compared_with_what_is_there),
		TEST(a_record_is_read_as_it_was_written),
		TEST(a_site_that_an_operation_has_gets_no_second),
		TEST(a_record_that_is_none_is_left_out),
		TEST(a_record_that_cannot_be_read_is_not_decided),
		TEST(what_a_store_lost_is_written_again),
		TEST(a_long_record_is_written_again_whole),
		TEST(a_full_list_is_written_again),
		TEST(what_cannot_be_read_stops_no_other),
		TEST(an_older_one_of_the_same_site_is_written_again),
		TEST(of_those_that_are_over_the_oldest_leave_the_store),
	};

	return cmocka_run_group_tests_name("operations list", tests, NULL, NULL);
}
