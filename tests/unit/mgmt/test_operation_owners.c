/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns an operation: what the copy's records say, which leases are believed, and when another node may become the owner.
 */
#include "asked.h"
#include "operations_scene.h"
#include "made_operation.h"

#include "mgmt/controller/operation_order.h"
#include "mgmt/sync/operations_list.h"
#include "mgmt/sync/shared_lease.h"
#include "mgmt/store/copy.h"

static uint64_t mono_now_ms;
static char owned[4][MODEL_ID_MAX];
static size_t n_owned;
static bool is_fresh;

static uint64_t fake_mono(void)
{
	return mono_now_ms;
}

static void note_order(struct core *core, const char *id, const struct operation_order *order,
                       struct operation_outcome *out)
{
	(void)core;
	assert_int_equal(order->what, OPERATION_ORDER_OWN);
	assert_true(order->if_unowned);
	assert_true(n_owned < 4);
	snprintf(owned[n_owned++], MODEL_ID_MAX, "%s", id);
	*out = (struct operation_outcome){ .status = 200 };
}

static bool fake_fresh(const struct shared_lease *l)
{
	(void)l;
	return is_fresh;
}

static struct shared_lease *fake_lease(const struct core *core)
{
	return (struct shared_lease *)core->shared;
}

static int write_err;
static enum shared_result write_result;

static int64_t fake_need(struct shared_lease *l, char reason[ETCD_REASON_MAX])
{
	(void)l;
	(void)reason;
	return 42;
}

static int fake_decide(struct core *core, const struct shared_change *c, enum shared_result *result,
                       int64_t *at, char reason[ETCD_REASON_MAX])
{
	(void)core;
	assert_int_equal(c->err, 0);
	snprintf(reason, ETCD_REASON_MAX, "no answer");
	*result = write_result;
	*at = 7;
	return write_err;
}

/* The private parts too. */
#define clock_mono_ms            fake_mono
#define operation_order_run_here note_order
#define shared_lease_is_fresh    fake_fresh
#define shared_run_lease         fake_lease
#define shared_run_decide        fake_decide
#define shared_lease_need        fake_need
#include "mgmt/controller/operation_decide.c"
#include "mgmt/controller/operation_takeover.c"

static struct operation op;
static int64_t revision;

static int setup(void **state)
{
	static int a_store;

	asked_shares = true;
	(void)asked_setup(state);
	open_operations();
	this_node.shared = (struct shared_run *)&a_store; /* what it is does not matter */
	mono_now_ms = 1000000;
	n_owned = 0;
	revision = 0;
	is_fresh = true;
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	this_node.shared = NULL;
	return asked_teardown(state);
}

static const struct operation *put_operation(const char *id, const char *owner,
                                             enum operation_state at)
{
	make_operation(&op, id, owner, NOW_MS + revision);
	op.state = at;
	core_lock(&this_node);
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	core_unlock(&this_node);
	return &operations_find(&this_node, id)->op;
}

/* The copy gets a record of the owner; @p text NULL: it is gone. */
static void write_owner(const char *id, const char *text)
{
	struct shared_record r = { .text = (char *)(uintptr_t)text };

	snprintf(r.name, sizeof(r.name), "owner/%s", id);
	core_lock(&this_node);
	assert_int_equal(copy_follow(intent_store(this_node.intent), ++revision, &r, 1), 0);
	core_unlock(&this_node);
}

static void look_for_abandoned(uint64_t after_ms)
{
	mono_now_ms += after_ms;
	operation_own_abandoned(&this_node);
}

static void what_has_no_owner_for_a_while_is_taken_over(void **state)
{
	(void)state;
	put_operation("o1", "fra-1", OPERATION_MOVING);
	write_owner("o1", "{\"node\":\"fra-1\"}");
	look_for_abandoned(0);
	look_for_abandoned(60000);
	assert_int_equal(n_owned, 0); /* it has one */
	write_owner("o1", NULL);
	look_for_abandoned(0);
	look_for_abandoned(UNOWNED_MS - 1);
	assert_int_equal(n_owned, 0); /* that may be about to come back */
	look_for_abandoned(1);
	assert_int_equal(n_owned, 1);
	assert_string_equal(owned[0], "o1");
	look_for_abandoned(AGAIN_MS - 1);
	assert_int_equal(n_owned, 1);
	look_for_abandoned(1); /* it was refused, or did not come yet */
	assert_int_equal(n_owned, 2);
	write_owner("o1", "{\"node\":\"lon-1\"}");
	look_for_abandoned(60000);
	assert_int_equal(n_owned, 2);
	write_owner("o1", NULL); /* the time counts anew */
	look_for_abandoned(0);
	assert_int_equal(n_owned, 2);
}

static void what_nobody_needs_to_own_is_left_alone(void **state)
{
	(void)state;
	put_operation("o1", "fra-1", OPERATION_DONE);
	put_operation("o2", "ams-1", OPERATION_MOVING); /* this node's: it asks for it itself */
	look_for_abandoned(0);
	look_for_abandoned(60000);
	assert_int_equal(n_owned, 0);
	put_operation("o3", "fra-1", OPERATION_MOVING);
	this_node.shared = NULL; /* this node is alone */
	look_for_abandoned(0);
	look_for_abandoned(60000);
	assert_int_equal(n_owned, 0);
}

static void of_several_each_is_taken_over(void **state)
{
	(void)state;
	put_operation("o1", "fra-1", OPERATION_MOVING);
	put_operation("o2", "fra-1", OPERATION_HELD);
	look_for_abandoned(0);
	look_for_abandoned(UNOWNED_MS);
	look_for_abandoned(1);
	assert_int_equal(n_owned, 2);
	assert_string_not_equal(owned[0], owned[1]);
}

/* A record that is none names nobody. */
static void an_owner_is_who_the_record_names(void **state)
{
	static const struct {
		const char *text;
		bool has, here;
	} rows[] = {
		{ "{\"node\":\"ams-1\"}", true, true },
		{ "{\"node\":\"fra-1\"}", true, false },
		{ "{\"node\":\"\"}", false, false },
		{ "{}", false, false },
		{ "[]", false, false },
		{ NULL, false, false },
	};
	const struct operation *o = put_operation("o1", "ams-1", OPERATION_MOVING);

	(void)state;
	core_lock(&this_node);
	for (int fresh = 0; fresh < 2; fresh++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			core_unlock(&this_node);
			write_owner("o1", rows[i].text);
			core_lock(&this_node);
			is_fresh = fresh;
			assert_int_equal(operation_has_owner(&this_node, o), rows[i].has);
			assert_int_equal(operation_is_owned_here(&this_node, o),
			                 rows[i].here && fresh);
		}
	}
	core_unlock(&this_node);
}

/* Else a record that is none would keep everybody from taking over. */
static void a_record_of_nobody_may_be_replaced(void **state)
{
	static const char *const texts[] = { "{}", "[]", "{\"node\":\"\"}", "{\"node\":\"fra-1\"}",
		                             NULL };
	const struct operation *o = put_operation("o1", "fra-1", OPERATION_MOVING);

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct shared_change c;

		write_owner("o1", texts[i]);
		shared_change_begin(&c, "i");
		core_lock(&this_node);
		see_unowned(&this_node, o, &c);
		core_unlock(&this_node);
		assert_int_equal(c.seen[0].revision, i < 3 ? revision : 0);
		shared_change_fini(&c);
	}
}

static void a_change_carries_the_owner_or_its_end(void **state)
{
	const struct operation *o = put_operation("o1", "ams-1", OPERATION_MOVING);
	struct shared_change c;

	(void)state;
	shared_change_begin(&c, "i");
	see_unowned(&this_node, o, &c);
	put_owner(&this_node, o, 42, &c);
	assert_int_equal(c.err, 0);
	assert_string_equal(c.seen[0].name, "owner/o1");
	assert_int_equal(c.seen[0].revision, 0);
	assert_string_equal(c.puts[0].text, "{\"change\":\"i\",\"node\":\"ams-1\"}");
	assert_int_equal(c.puts[0].lease, 42);
	shared_change_fini(&c);
	shared_change_begin(&c, "i");
	put_owner(&this_node, o, 0, &c);
	assert_null(c.puts[0].text);
	assert_false(c.puts[0].is_prefix);
	shared_change_fini(&c);
}

/* What may yet be carried out is not told as what was not. */
static void what_the_store_does_not_say_is_not_known(void **state)
{
	static const struct {
		int err;
		enum shared_result result;
		enum operation_decided decided;
	} rows[] = {
		{ 0, SHARED_DONE, OPERATION_DECIDED },
		{ 0, SHARED_REFUSED, OPERATION_OVERTAKEN },
		{ 0, SHARED_UNKNOWN, OPERATION_UNCLEAR },
		{ -EHOSTUNREACH, SHARED_UNKNOWN, OPERATION_UNDECIDED },
	};

	(void)state;
	core_lock(&this_node);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct operation_outcome out = { 0 };
		char id[MODEL_ID_MAX], reason[ETCD_REASON_MAX];

		snprintf(id, sizeof(id), "o%zu", i);
		make_operation(&op, id, "ams-1", NOW_MS);
		snprintf(op.targets[0].site, sizeof(op.targets[0].site), "s%zu", i);
		write_err = rows[i].err;
		write_result = rows[i].result;
		enum operation_decided decided =
		        operation_decide(&this_node, NULL, &op, false, reason);

		assert_int_equal(decided, rows[i].decided);
		assert_int_equal(operations_find(&this_node, id) != NULL,
		                 decided == OPERATION_DECIDED);
		if (decided != OPERATION_UNCLEAR && decided != OPERATION_UNDECIDED)
			continue;
		operation_refuse_undecided(&this_node, id, decided, reason, &out);
		assert_int_equal(out.status, 503);
		assert_string_equal(out.code, decided == OPERATION_UNCLEAR ? "outcome-unknown"
		                                                           : "store-unavailable");
		assert_non_null(strstr(out.text, "no answer"));
	}
	core_unlock(&this_node);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_has_no_owner_for_a_while_is_taken_over),
		TEST(what_nobody_needs_to_own_is_left_alone),
		TEST(of_several_each_is_taken_over),
		TEST(an_owner_is_who_the_record_names),
		TEST(a_record_of_nobody_may_be_replaced),
		TEST(a_change_carries_the_owner_or_its_end),
		TEST(what_the_store_does_not_say_is_not_known),
	};

	return cmocka_run_group_tests_name("operation owners", tests, NULL, NULL);
}
