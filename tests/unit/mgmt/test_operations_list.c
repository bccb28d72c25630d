/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records that a node keeps: which stay when there are too many, whatever order they come in,
 * and how many transactions of the store a batch of them takes.
 */
#include "asked.h"

#include "mgmt/api/operations_internal.h"
#include "mgmt/store/operations.h"

static unsigned n_transactions;
static int store_fails;

static int count_put(struct store *s, const struct store_operation *list, size_t n, int64_t now_ms)
{
	n_transactions++;
	return store_fails ? store_fails : store_put_operations(s, list, n, now_ms);
}

#define store_put_operations count_put
#include "mgmt/api/operations.c"
#undef store_put_operations

static int setup(void **state)
{
	(void)asked_setup(state);
	this_node.operations = calloc(1, sizeof(*this_node.operations));
	assert_non_null(this_node.operations);
	n_transactions = 0;
	store_fails = 0;
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < this_node.operations->n; i++)
		operations_free_item(this_node.operations->items[i]);
	free(this_node.operations);
	this_node.operations = NULL;
	core_unlock(&this_node);
	return asked_teardown(state);
}

/* Number @p n, begun @p n minutes after the first. */
static struct operation *make_record(unsigned n, enum operation_state at)
{
	static const char *const sites[] = { "ams" }, *const ids[] = { "v1" };
	static struct operation op;
	char id[MODEL_ID_MAX], error[OPERATION_DETAIL_MAX];
	const struct operation_request r = { .id = id,
		                             .node = "fra-1",
		                             .sites = sites,
		                             .override_ids = ids,
		                             .n_sites = 1,
		                             .service = "",
		                             .author = "jw",
		                             .principal = "",
		                             .reason = "a test",
		                             .until_ms = MODEL_TIME_NEVER };

	snprintf(id, sizeof(id), "o%u", n);
	assert_int_equal(operation_init(&op, &r, NOW_MS + (int64_t)n * 60000, error), 0);
	op.state = at;
	return &op;
}

static int receive_one(unsigned n, enum operation_state at)
{
	return operations_receive(&this_node, make_record(n, at));
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
		assert_int_equal(receive_one(100 + i, OPERATION_DONE), 1);
	assert_int_equal(receive_one(99, OPERATION_DONE),
	                 0); /* older than all: not taken, and no fault */
	assert_false(is_there(99));
	assert_true(is_there(100));
	assert_int_equal(receive_one(300, OPERATION_ABORTED), 1);
	assert_true(is_there(300));
	assert_false(is_there(100));
	assert_int_equal(receive_one(100, OPERATION_DONE),
	                 0); /* a peer that has it sends it again */
	assert_int_equal(this_node.operations->n, OPERATIONS_MAX);
	for (size_t i = 1; i < OPERATIONS_MAX; i++)
		assert_true(operations_at(&this_node, i - 1)->op.created_ms >
		            operations_at(&this_node, i)->op.created_ms);
}

static void one_that_runs_stays_however_old_it_is(void **state)
{
	(void)state;
	assert_int_equal(receive_one(0, OPERATION_HELD), 1);
	for (unsigned i = 0; i < 2 * OPERATIONS_MAX; i++)
		assert_int_equal(receive_one(100 + i, OPERATION_DONE), 1);
	assert_true(is_there(0));
	assert_int_equal(receive_one(1, OPERATION_MOVING), 1); /* older than all that are over */
	assert_true(is_there(1));
	for (unsigned i = 2; i < OPERATIONS_MAX; i++)
		assert_int_equal(receive_one(i, OPERATION_MOVING), 1);
	assert_int_equal(receive_one(500, OPERATION_MOVING), -ENOSPC);
	assert_int_equal(receive_one(501, OPERATION_DONE), 0);
	for (unsigned i = 0; i < OPERATIONS_MAX; i++)
		assert_true(is_there(i));
}

static void a_batch_is_stored_in_one_transaction(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(receive_one(i, OPERATION_DONE), 1);
	assert_int_equal(n_transactions, 0);
	operations_store_unstored(&this_node);
	operations_store_unstored(&this_node); /* nothing is left */
	assert_int_equal(n_transactions, 1);
}

static void what_the_store_does_not_take_is_tried_again(void **state)
{
	(void)state;
	store_fails = -ENOSPC;
	assert_int_equal(receive_one(1, OPERATION_DONE), 1);
	assert_int_equal(receive_one(2, OPERATION_DONE), 1);
	operations_store_unstored(&this_node);
	assert_true(operations_at(&this_node, 0)->unstored &&
	            operations_at(&this_node, 1)->unstored);
	store_fails = 0;
	operations_store_unstored(&this_node);
	assert_false(operations_at(&this_node, 0)->unstored ||
	             operations_at(&this_node, 1)->unstored);
	assert_int_equal(n_transactions, 2);
}

static void what_the_store_does_not_take_does_not_begin(void **state)
{
	(void)state;
	assert_int_equal(receive_one(2, OPERATION_DONE), 1);
	store_fails = -ENOSPC;
	assert_int_equal(operations_accept(&this_node, make_record(1, OPERATION_STARTING)), -EIO);
	assert_false(is_there(1));
	assert_true(is_there(2));
	store_fails = 0;
	assert_int_equal(operations_accept(&this_node, make_record(1, OPERATION_STARTING)), 1);
	assert_true(is_there(1));
}

/* The store has more than the list: what is left out is not a record that could not be read. */
static void the_newest_of_the_store_are_loaded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * OPERATIONS_MAX; i++) /* in another order than by age */
		assert_true(operations_accept(&this_node,
		                              make_record(1 + i * 37 % 128, OPERATION_DONE)) >= 0);
	while (this_node.operations->n)
		drop_item(this_node.operations, 0);
	operations_load(&this_node);
	assert_true(this_node.operations->loaded);
	assert_int_equal(this_node.operations->n, OPERATIONS_MAX);
	assert_true(is_there(128) && is_there(65));
	assert_false(is_there(64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        of_those_that_are_over_the_newest_stay_in_whatever_order_they_come, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(one_that_runs_stays_however_old_it_is, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_batch_is_stored_in_one_transaction, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_the_store_does_not_take_is_tried_again, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_the_store_does_not_take_does_not_begin, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_newest_of_the_store_are_loaded, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
