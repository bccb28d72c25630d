/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a node tries to become the owner of another's operation, and whom the copy's records name. Here each try is refused, as
 * the other node does not answer; that one succeeds, and what is written then, is seen in tests/cluster/scenes_operations.c.
 */
#include "node_operations.h"
#include "made_operation.h"
#include "tests/unit/suite.h"
#include "told_curl.h"

#include "mgmt/controller/operation_decide.h"
#include "mgmt/core/shared_state.h"

/* The documented values, not the code's own. */
#define UNOWNED_MS 1500
#define AGAIN_MS   1000

static struct shared_run shared; /* there is a store; nothing is asked of it */
static struct operation op;
static int64_t revision;

static int setup(void **state)
{
	(void)state;
	told_ms = 1000000;
	told_wall_ms = NOW_MS;
	n_asked = 0;
	node_make();
	node_configure("driver = \"xdp\";",
	               "driver = \"xdp\"; api = \"https://198.51.100.1:8443\";");
	fixture_write(node_place.conf, "peer.token", "0123456789012345678901234567890123456789\n");
	node_open(NOW_MS);
	open_operations();
	this_node.shared = &shared;
	revision = 0;
	return 0;
}

static int teardown(void **state)
{
	this_node.shared = NULL;
	close_operations();
	return node_teardown(state);
}

static const struct operations_item *put_operation(const char *id, const char *owner,
                                                   enum operation_state at)
{
	make_operation(&op, id, owner, NOW_MS + revision);
	op.state = at;
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	return operations_find(&this_node, id);
}

/* The copy gets a record of the owner; @p text NULL: it is gone. */
static void write_owner(const char *id, const char *text)
{
	struct shared_record r = { .text = (char *)(uintptr_t)text };

	snprintf(r.name, sizeof(r.name), "owner/%s", id);
	assert_int_equal(copy_follow(intent_store(this_node.intent), ++revision, &r, 1), 0);
}

/* How often this node asks all others, as each try does, @p after_ms. */
static unsigned tries_after(uint64_t after_ms)
{
	unsigned n = 0;

	told_ms += after_ms;
	n_asked = 0;
	operation_own_abandoned(&this_node);
	for (size_t i = 0; i < n_asked; i++)
		n += strstr(asked[i].url, "/v1/peer/exchange operations") != NULL;
	return n;
}

static void what_has_no_owner_for_a_while_is_taken_over(void **state)
{
	(void)state;
	put_operation("o1", "fra-1", OPERATION_MOVING);
	write_owner("o1", "{\"node\":\"fra-1\"}");
	assert_int_equal(tries_after(0), 0);
	assert_int_equal(tries_after(60000), 0); /* it has one */
	write_owner("o1", NULL);
	assert_int_equal(tries_after(0), 0);
	assert_int_equal(tries_after(UNOWNED_MS - 1), 0); /* that may be about to come back */
	assert_int_equal(tries_after(1), 1);
	assert_int_equal(tries_after(AGAIN_MS - 1), 0);
	assert_int_equal(tries_after(1), 1); /* it was refused, or did not come yet */
	write_owner("o1", "{\"node\":\"lon-1\"}");
	assert_int_equal(tries_after(60000), 0);
	write_owner("o1", NULL); /* the time counts anew */
	assert_int_equal(tries_after(0), 0);
}

static void what_nobody_needs_to_own_is_left_alone(void **state)
{
	(void)state;
	put_operation("o1", "fra-1", OPERATION_DONE);
	put_operation("o2", "ams-1", OPERATION_MOVING); /* this node's: it asks for it itself */
	assert_int_equal(tries_after(0) + tries_after(60000), 0);
	put_operation("o3", "fra-1", OPERATION_MOVING);
	this_node.shared = NULL; /* this node is alone */
	assert_int_equal(tries_after(0) + tries_after(60000), 0);
}

static void of_several_each_is_taken_over(void **state)
{
	const struct operations_item *items[] = {
		put_operation("o1", "fra-1", OPERATION_MOVING),
		put_operation("o2", "fra-1", OPERATION_HELD),
	};

	(void)state;
	assert_int_equal(tries_after(0), 0);
	assert_int_equal(tries_after(UNOWNED_MS), 1);
	assert_int_equal(tries_after(1), 1);
	assert_int_equal(tries_after(1), 0);
	assert_true(items[0]->own_again_ms && items[1]->own_again_ms);
	assert_int_not_equal(items[0]->own_again_ms, items[1]->own_again_ms);
}

/* A record that is none names nobody. */
static void an_owner_is_who_the_record_names(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} rows[] = {
		{ "{\"node\":\"ams-1\"}", true },
		{ "{\"node\":\"fra-1\"}", true },
		{ "{\"node\":\"\"}", false },
		{ "{}", false },
		{ "[]", false },
		{ NULL, false },
	};
	const struct operation *o = &put_operation("o1", "ams-1", OPERATION_MOVING)->op;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_owner("o1", rows[i].text);
		assert_int_equal(operation_has_owner(&this_node, o), rows[i].has);
	}
}

SUITE(operation_owners)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_has_no_owner_for_a_while_is_taken_over),
		TEST(what_nobody_needs_to_own_is_left_alone),
		TEST(of_several_each_is_taken_over),
		TEST(an_owner_is_who_the_record_names),
	};

	told_peers_begin();
	return cmocka_run_group_tests_name("operation owners", tests, NULL, NULL);
}
