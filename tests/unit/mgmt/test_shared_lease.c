/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's lease: from when it counts, when it is renewed, and what an answer of the store means. */
#include "lone_node.h"
#include "made_operation.h"
#include "tests/unit/suite.h"
#include "told_curl.h"
#include "told_turns.h"

#include "mgmt/etcd/gateway.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/sync/shared_lease.h"

#define RENEW_MS 3000u /* the documented value, not the code's own */

#define HEADER "\"header\":{\"cluster_id\":\"77\",\"member_id\":\"1\",\"revision\":\"9\"}"
#define GRANTED(id)                                                                                \
	{                                                                                          \
		"/v3/lease/grant", "{" HEADER ",\"ID\":\"" id "\",\"TTL\":\"10\"}", 0              \
	}
#define RENEWED(ttl)                                                                               \
	{                                                                                          \
		"/v3/lease/keepalive", "{\"result\":{" HEADER ",\"ID\":\"100\"" ttl "}}", 0        \
	}
#define SILENT                                                                                     \
	{                                                                                          \
		NULL, NULL, 0                                                                      \
	}

/* What the store answers. */
static const struct told_row good[] = { GRANTED("100"), RENEWED(",\"TTL\":\"10\""), SILENT };
static const struct told_row silent[] = { SILENT };
static const struct told_row lost[] = { GRANTED("101"), RENEWED(""), SILENT };

static struct shared_lease *lease;
static atomic_bool is_over;
static char reason[ETCD_REASON_MAX];
static unsigned n_granted, n_renewed;

static int setup(void **state)
{
	struct etcd_settings settings = { .endpoints = { "https://10.8.0.1:2379" },
		                          .n_endpoints = 1 };

	(void)state;
	told_ms = 1000000;
	told_wall_ms = NOW_MS;
	told_takes_ms = 0;
	told_rows = good;
	n_asked = n_granted = n_renewed = 0;
	lone_node_open("");
	this_node.operations = calloc(1, sizeof(*this_node.operations));
	assert_non_null(this_node.operations);
	assert_int_equal(
	        copy_revision(intent_store(this_node.intent), &this_node.operations->followed), 0);
	is_over = false;
	turns_begin();
	assert_int_equal(
	        shared_lease_start(&this_node, &settings, "/weir/shop/", &is_over, &lease, reason),
	        0);
	await_turn();
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	this_node.stopping = true;
	is_over = true;
	core_unlock(&this_node);
	sem_post(&turn_begins);
	shared_lease_stop(lease);
	this_node.intent->failing = false;
	for (size_t i = 0; i < this_node.operations->n; i++)
		operations_free_item(this_node.operations->items[i]);
	free(this_node.operations);
	return lone_node_close(state);
}

/* Count what the store was asked. */
static void count_asked(void)
{
	for (size_t i = 0; i < n_asked; i++) {
		n_granted += strstr(asked[i].url, "/grant") != NULL;
		n_renewed += strstr(asked[i].url, "/keepalive") != NULL;
		if (strstr(asked[i].url, "/keepalive"))
			assert_non_null(strstr(asked[i].body, "100"));
	}
	n_asked = 0;
}

/* The lease by which a record is to be written. */
static int64_t need_lease(void)
{
	int64_t id = shared_lease_need(lease, reason);

	count_asked();
	return id;
}

static void look_after(uint64_t ms)
{
	told_ms += ms;
	core_changed(&this_node); /* so the thread looks at once */
	core_unlock(&this_node);
	play_turn();
	core_lock(&this_node);
	count_asked();
}

/* An operation of this node that is not over. */
static void own_one(void)
{
	static struct operation op;

	make_operation(&op, "o1", "ams-1", NOW_MS);
	op.state = OPERATION_MOVING;
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
}

/* The store counts from when it got the request, this node from before it sent that: so never longer. */
static void it_counts_from_before_the_request(void **state)
{
	(void)state;
	told_takes_ms = 4000;
	assert_false(shared_lease_is_fresh(lease));
	assert_int_equal(need_lease(), 100);
	told_ms += 5999;
	assert_true(shared_lease_is_fresh(lease));
	assert_int_equal(need_lease(), 100);
	assert_int_equal(n_granted, 1);
	told_ms += 1;
	assert_false(shared_lease_is_fresh(lease));
	told_rows = lost;
	assert_int_equal(need_lease(), 101);
	assert_int_equal(n_granted, 2);
}

static void a_renewal_counts_from_before_the_request_too(void **state)
{
	(void)state;
	own_one();
	(void)need_lease();
	told_takes_ms = 4000;
	look_after(RENEW_MS);
	assert_int_equal(n_renewed, 1);
	told_ms += 5999;
	assert_true(shared_lease_is_fresh(lease));
	told_ms += 1;
	assert_false(shared_lease_is_fresh(lease));
}

static void without_the_store_there_is_none(void **state)
{
	(void)state;
	told_rows = silent;
	assert_int_equal(need_lease(), 0);
	assert_string_not_equal(reason, "");
	assert_false(shared_lease_is_fresh(lease));
}

static void it_is_renewed_while_something_is_owned(void **state)
{
	(void)state;
	own_one();
	(void)need_lease();
	for (unsigned i = 0; i < 20; i++) {
		look_after(RENEW_MS - 1);
		assert_int_equal(n_renewed, i);
		look_after(1);
		assert_int_equal(n_renewed, i + 1);
		assert_true(shared_lease_is_fresh(lease));
	}
	operations_find(&this_node, "o1")->op.state = OPERATION_DONE;
	for (int i = 0; i < 20; i++)
		look_after(RENEW_MS);
	assert_int_equal(n_renewed, 21); /* for a moment more, then it ends by itself */
	assert_false(shared_lease_is_fresh(lease));
}

static void what_another_node_owns_needs_no_lease_here(void **state)
{
	(void)state;
	own_one();
	snprintf(operations_find(&this_node, "o1")->op.owner, MODEL_NAME_MAX, "fra-1");
	(void)need_lease(); /* for another thing, which is over */
	for (int i = 0; i < 10; i++)
		look_after(RENEW_MS);
	assert_true(n_renewed <= 2);
	assert_false(shared_lease_is_fresh(lease));
	assert_int_equal(n_granted, 1);
}

/* It cannot follow what is decided: another node is to go on. */
static void a_node_whose_disk_keeps_nothing_lets_it_end(void **state)
{
	(void)state;
	own_one();
	(void)need_lease();
	look_after(RENEW_MS);
	assert_int_equal(n_renewed, 1);
	this_node.intent->failing = true;
	for (int i = 0; i < 10; i++)
		look_after(RENEW_MS);
	assert_true(n_renewed <= 2);
	assert_false(shared_lease_is_fresh(lease));
}

/* No answer says nothing; that there is no such lease does. */
static void only_the_store_says_that_it_is_lost(void **state)
{
	(void)state;
	own_one();
	(void)need_lease();
	const uint64_t begun_ms = told_ms;
	told_rows = silent;
	while (shared_lease_is_fresh(lease)) {
		assert_true(told_ms < begun_ms + 10000);
		look_after(500);
	}
	assert_true(told_ms >= begun_ms + 10000);
	assert_true(n_renewed >= 2);
	told_rows = good;
	look_after(RENEW_MS);
	assert_true(shared_lease_is_fresh(lease)); /* it was there all the while */
	assert_int_equal(n_granted, 1);
	told_rows = lost;
	look_after(RENEW_MS);
	assert_false(shared_lease_is_fresh(lease));
	assert_int_equal(need_lease(), 101);
}

SUITE(shared_lease)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_counts_from_before_the_request),
		TEST(a_renewal_counts_from_before_the_request_too),
		TEST(without_the_store_there_is_none),
		TEST(it_is_renewed_while_something_is_owned),
		TEST(what_another_node_owns_needs_no_lease_here),
		TEST(a_node_whose_disk_keeps_nothing_lets_it_end),
		TEST(only_the_store_says_that_it_is_lost),
	};

	told_peers_begin();
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	return cmocka_run_group_tests_name("shared lease", tests, NULL, NULL);
}
