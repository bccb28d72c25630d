/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's lease: from when it counts, when it is renewed, and what an answer of the store means. */
#include "asked.h"
#include "operations_scene.h"
#include "made_operation.h"

#include <errno.h>

#include "mgmt/sync/operations_list.h"
#include "mgmt/store/shared_etcd.h"

static uint64_t mono_now_ms;
static int grant_err, renew_err;
static unsigned n_granted, n_renewed;
static uint64_t takes_ms; /* that a request lasts */
static bool has_disk;
static struct shared_lease *replaced; /* gets another lease while a request is under way */

static uint64_t fake_mono(void)
{
	return mono_now_ms;
}

static void replace_lease(void);

static int fake_grant(struct shared_etcd *e, int64_t ttl_s, int64_t *id)
{
	(void)e;
	assert_int_equal(ttl_s, 10);
	mono_now_ms += takes_ms;
	*id = 100 + (int64_t)n_granted++;
	if (replaced)
		replace_lease();
	return grant_err;
}

static int fake_renew(struct shared_etcd *e, int64_t id)
{
	(void)e;
	assert_true(id >= 100);
	n_renewed++;
	mono_now_ms += takes_ms;
	if (replaced)
		replace_lease();
	return renew_err;
}

static const char *fake_reason(const struct shared_etcd *e)
{
	(void)e;
	return "no majority";
}

static struct store *fake_store(struct intent *in)
{
	return has_disk ? (struct store *)in : NULL;
}

/* The private parts too. */
#define clock_mono_ms      fake_mono
#define shared_etcd_grant  fake_grant
#define shared_etcd_renew  fake_renew
#define shared_etcd_reason fake_reason
#define intent_store       fake_store
#include "mgmt/sync/shared_lease.c"
#undef intent_store

static void replace_lease(void)
{
	replaced->id = 900;
	replaced->renewed_ms = mono_now_ms - 1000;
}

static struct shared_lease lease;
static char reason[ETCD_REASON_MAX];

static int setup(void **state)
{
	(void)asked_setup(state);
	open_operations();
	lease = (struct shared_lease){ .core = &this_node };
	pthread_mutex_init(&lease.requesting, NULL);
	mono_now_ms = 1000000;
	grant_err = renew_err = 0;
	n_granted = n_renewed = 0;
	takes_ms = 0;
	has_disk = true;
	replaced = NULL;
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	core_unlock(&this_node);
	pthread_mutex_destroy(&lease.requesting);
	return asked_teardown(state);
}

static void look_after(uint64_t ms)
{
	mono_now_ms += ms;
	look_at_lease(&this_node, &lease);
}

/* An operation of this node that is not over. */
static void own_one(enum operation_state at)
{
	static struct operation op;
	make_operation(&op, "o1", "ams-1", NOW_MS);
	op.state = at;
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
}

/* The store counts from when it got the request, this node from before it sent that: so never longer. */
static void it_counts_from_before_the_request(void **state)
{
	(void)state;
	takes_ms = 4000;
	assert_false(shared_lease_is_fresh(&lease));
	assert_int_equal(shared_lease_need(&lease, reason), 100);
	mono_now_ms += 5999;
	assert_true(shared_lease_is_fresh(&lease));
	assert_int_equal(shared_lease_need(&lease, reason), 100);
	mono_now_ms += 1;
	assert_false(shared_lease_is_fresh(&lease));
	assert_int_equal(shared_lease_need(&lease, reason), 101);
	assert_int_equal(n_granted, 2);
}

static void a_renewal_counts_from_before_the_request_too(void **state)
{
	(void)state;
	own_one(OPERATION_MOVING);
	(void)shared_lease_need(&lease, reason);
	takes_ms = 4000;
	look_after(RENEW_MS);
	assert_int_equal(n_renewed, 1);
	mono_now_ms += 5999;
	assert_true(shared_lease_is_fresh(&lease));
	mono_now_ms += 1;
	assert_false(shared_lease_is_fresh(&lease));
}

/* Whatever the answer is, it is that of the former lease. */
static void a_renewal_of_the_former_lease_says_nothing(void **state)
{
	static const int answers[] = { 0, -ENOENT, -EHOSTUNREACH };

	(void)state;
	own_one(OPERATION_MOVING);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		lease.id = 0;
		replaced = NULL;
		(void)shared_lease_need(&lease, reason);
		renew_err = answers[i];
		replaced = &lease;
		look_after(RENEW_MS);
		assert_int_equal(n_renewed, i + 1);
		assert_int_equal(lease.id, 900);
		assert_int_equal(lease.renewed_ms, mono_now_ms - 1000);
	}
}

/* Two operations that begin at once: the first may have its record by that lease already, which nobody would renew any more. */
static void of_two_that_ask_at_once_the_first_lease_is_that_of_both(void **state)
{
	(void)state;
	replaced = &lease;
	assert_int_equal(shared_lease_need(&lease, reason), 900);
	assert_int_equal(lease.id, 900);
	replaced = NULL;
	mono_now_ms += 8999;
	assert_int_equal(shared_lease_need(&lease, reason), 900);
	mono_now_ms += 1;
	assert_int_equal(shared_lease_need(&lease, reason), 101);
}

static void without_the_store_there_is_none(void **state)
{
	(void)state;
	grant_err = -EHOSTUNREACH;
	assert_int_equal(shared_lease_need(&lease, reason), 0);
	assert_string_equal(reason, "no majority");
	assert_false(shared_lease_is_fresh(&lease));
}

static void it_is_renewed_while_something_is_owned(void **state)
{
	(void)state;
	own_one(OPERATION_MOVING);
	(void)shared_lease_need(&lease, reason);
	for (int i = 0; i < 20; i++) {
		look_after(RENEW_MS - 1);
		assert_int_equal(n_renewed, i);
		look_after(1);
		assert_int_equal(n_renewed, i + 1);
		assert_true(shared_lease_is_fresh(&lease));
	}
	operations_find(&this_node, "o1")->op.state = OPERATION_DONE;
	for (int i = 0; i < 20; i++)
		look_after(RENEW_MS);
	assert_int_equal(n_renewed, 21); /* for a moment more, then it ends by itself */
	assert_int_equal(lease.id, 0);
}

static void what_another_node_owns_needs_no_lease_here(void **state)
{
	(void)state;
	own_one(OPERATION_MOVING);
	snprintf(operations_find(&this_node, "o1")->op.owner, MODEL_NAME_MAX, "fra-1");
	look_after(60000);
	assert_int_equal(n_granted + n_renewed, 0);
}

/* It cannot follow what is decided: another node is to go on. */
static void a_node_whose_disk_keeps_nothing_lets_it_end(void **state)
{
	(void)state;
	own_one(OPERATION_MOVING);
	(void)shared_lease_need(&lease, reason);
	look_after(RENEW_MS);
	assert_int_equal(n_renewed, 1);
	has_disk = false;
	for (int i = 0; i < 10; i++)
		look_after(RENEW_MS);
	assert_true(n_renewed <= 2);
	assert_false(shared_lease_is_fresh(&lease));
}

/* No answer says nothing; that there is no such lease does. */
static void only_the_store_says_that_it_is_lost(void **state)
{
	(void)state;
	own_one(OPERATION_MOVING);
	(void)shared_lease_need(&lease, reason);
	renew_err = -EHOSTUNREACH;
	for (int i = 0; i < 3; i++)
		look_after(RENEW_MS);
	assert_int_equal(n_renewed, 3);
	assert_int_equal(lease.id, 100);
	assert_true(shared_lease_is_fresh(&lease));
	look_after(1000);
	assert_false(shared_lease_is_fresh(&lease)); /* 10 s after it was begun */
	renew_err = 0;
	look_after(RENEW_MS);
	assert_true(shared_lease_is_fresh(&lease)); /* it was there all the while */
	renew_err = -ENOENT;
	look_after(RENEW_MS);
	assert_int_equal(lease.id, 0);
	assert_false(shared_lease_is_fresh(&lease));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_counts_from_before_the_request),
		TEST(a_renewal_counts_from_before_the_request_too),
		TEST(a_renewal_of_the_former_lease_says_nothing),
		TEST(of_two_that_ask_at_once_the_first_lease_is_that_of_both),
		TEST(without_the_store_there_is_none),
		TEST(it_is_renewed_while_something_is_owned),
		TEST(what_another_node_owns_needs_no_lease_here),
		TEST(a_node_whose_disk_keeps_nothing_lets_it_end),
		TEST(only_the_store_says_that_it_is_lost),
	};

	return cmocka_run_group_tests_name("shared lease", tests, NULL, NULL);
}
