/* SPDX-License-Identifier: BSD-2-Clause */
/* All that the metrics say of operations, of several in several states. */
#include "node_operations.h"
#include "made_operation.h"

#include "mgmt/api/handle.h"
#include "tests/unit/suite.h"

#define STATES                                                                                     \
	"# HELP weir_operation_state 1: the state of an operation that is not over.\n"             \
	"# TYPE weir_operation_state gauge\n"
#define LEVELS                                                                                     \
	"# HELP weir_operation_level_ratio The part of the site's clients that an operation "      \
	"means to send elsewhere.\n# TYPE weir_operation_level_ratio gauge\n"

static int setup(void **state)
{
	(void)node_setup(state);
	open_operations();
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	return node_teardown(state);
}

struct shown_operation {
	enum operation_state state;
	uint32_t level_ppm;
};

static void put_operations(const struct shown_operation *list, size_t n)
{
	static struct operation op;
	char id[MODEL_ID_MAX];

	core_lock(&this_node);
	for (size_t i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "o%zu", i + 1);
		make_operation(&op, id, "ams-1", NOW_MS + (int64_t)i);
		snprintf(op.targets[0].site, sizeof(op.targets[0].site), "site-%zu", i + 1);
		op.state = list[i].state;
		op.level_ppm = list[i].level_ppm;
		assert_int_equal(operations_put(&this_node, &op, (int64_t)i + 1), 0);
	}
	core_unlock(&this_node);
}

static void only_what_is_not_over_has_a_state_and_a_level(void **state)
{
	static const struct {
		const char *why;
		struct shown_operation list[4];
		size_t n;
		const char *text; /* the newest first */
	} rows[] = {
		{ "none", { { OPERATION_MOVING, 0 } }, 0, "" },
		{ "all are over",
		  { { OPERATION_DONE, 0 }, { OPERATION_ABORTED, 250000 }, { OPERATION_FAILED, 7 } },
		  3,
		  "" },
		{ "one of them goes on",
		  { { OPERATION_DONE, 0 },
		    { OPERATION_MOVING, 250000 },
		    { OPERATION_ABORTED, 500000 } },
		  3,
		  STATES
		  "weir_operation_state{operation=\"o2\",site=\"site-2\",state=\"moving\"} 1\n" LEVELS
		  "weir_operation_level_ratio{operation=\"o2\",site=\"site-2\"} 0.250000\n" },
		{ "the newest is over",
		  { { OPERATION_STARTING, 0 }, { OPERATION_DONE, 1 } },
		  2,
		  STATES
		  "weir_operation_state{operation=\"o1\",site=\"site-1\",state=\"starting\"} 1\n" LEVELS
		  "weir_operation_level_ratio{operation=\"o1\",site=\"site-1\"} 0.000000\n" },
		{ "several go on",
		  { { OPERATION_HELD, 1 },
		    { OPERATION_DRAINED, 1000000 },
		    { OPERATION_RESTING, 333333 } },
		  3,
		  STATES
		  "weir_operation_state{operation=\"o3\",site=\"site-3\",state=\"resting\"} 1\n"
		  "weir_operation_state{operation=\"o2\",site=\"site-2\",state=\"drained\"} 1\n"
		  "weir_operation_state{operation=\"o1\",site=\"site-1\",state=\"held\"} 1\n" LEVELS
		  "weir_operation_level_ratio{operation=\"o3\",site=\"site-3\"} 0.333333\n"
		  "weir_operation_level_ratio{operation=\"o2\",site=\"site-2\"} 1.000000\n"
		  "weir_operation_level_ratio{operation=\"o1\",site=\"site-1\"} 0.000001\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request request = { .method = "GET" };
		struct http_reply reply = { .status = 0 };

		assert_int_equal(teardown(state) + setup(state), 0);
		put_operations(rows[i].list, rows[i].n);
		handle_metrics(&this_node, &request, &reply);
		assert_int_equal(pthread_mutex_trylock(&this_node.lock), 0); /* nobody has it now */
		core_unlock(&this_node);
		assert_non_null(reply.text);
		const char *text =
		        strstr(reply.text, "# HELP weir_operation_"); /* they are the last */

		if (strcmp(text ? text : "", rows[i].text) != 0)
			fail_msg("%s: %s", rows[i].why, text);
		free(reply.text);
	}
}

SUITE(metrics_operations)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_is_not_over_has_a_state_and_a_level,
		                                setup, teardown),
	};

	return cmocka_run_group_tests_name("metrics operations", tests, NULL, NULL);
}
