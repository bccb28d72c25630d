/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State sync (dataplane/state_sync.c): which peer's state a node accepts that started on empty
 * tables, and for how long it waits for one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/state_sync.h"
#include "tests/unit/logged.h"
#include "tests/unit/suite.h"
#include "weir/conn_state.h"
#include "weir/model.h"

/* Of a peer that has no slots to tell of, and of none: where one is refused, the other was not looked at. */
#define GOOD     ""
#define NONSENSE "nonsense"

static char dir[64];
static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static struct model_node nodes[2];
static struct model model = { .nodes = nodes, .n_nodes = 2, .self = &nodes[0] };
static struct plan_pool plan_pool = { .n_backends = 2 };
static struct compiler_backend backends[2];
static struct compiler_pool pool = { .plan = &plan_pool, .backends = backends };
static struct plan plan;
static struct compiler node;
static struct state_sync learn;

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/weir-learn-XXXXXX");
	assert_non_null(mkdtemp(dir));
	node = (struct compiler){
		.plan = &plan, .model = &model, .pools = &pool, .n_pools = 1, .learning = true
	};
	nodes[0] = (struct model_node){ .name = "ams-1", .api = "https://a1", .site = &sites[0] };
	nodes[1] = (struct model_node){ .name = "ams-2", .api = "https://a2", .site = &sites[0] };
	learn = (struct state_sync){ 0 };
	backends[0].reason = backends[1].reason = EFFECT_REASON_UP;
	logged[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", dir, CONN_STATE_FILE);
	unlink(path);
	return rmdir(dir);
}

static void look_for_peer(uint64_t now_ms)
{
	const struct compiler_time time = { .now_ms = now_ms };

	state_sync_tick(&learn, &node, dir, &time);
}

/* Learning ended with what @p from had to say; NULL: it goes on, and nothing was looked at. */
static void expect_taken(const char *from)
{
	char said[96] = "";

	if (from)
		snprintf(said, sizeof(said), "<5>connection-state-applied from=%s\n", from);
	assert_string_equal(logged, said);
	assert_int_equal(node.learning, !from);
	if (from)
		assert_false(node.wants_peer_state);
}

static void what_was_told_before_the_start_is_not_taken(void **state)
{
	(void)state;
	assert_int_equal(conn_state_write(dir, "ams-2", 900, NONSENSE), 0);
	look_for_peer(1000);
	assert_true(node.wants_peer_state);
	expect_taken(NULL);
	assert_int_equal(conn_state_write(dir, "ams-2", 1500, GOOD), 0);
	look_for_peer(2000);
	expect_taken("ams-2");
}

/* With all verdicts the slots are those of the peers: nothing that was told before is taken. */
static void who_waits_for_verdicts_wants_nothing_yet(void **state)
{
	(void)state;
	backends[1].reason = EFFECT_REASON_WAITING;
	look_for_peer(1000);
	assert_false(node.wants_peer_state);
	assert_int_equal(conn_state_write(dir, "ams-2", 1500, GOOD), 0);
	look_for_peer(2000);
	expect_taken(NULL);
	backends[1].reason = EFFECT_REASON_DOWN;
	look_for_peer(3000);
	assert_true(node.wants_peer_state);
	expect_taken(NULL);
	assert_int_equal(conn_state_write(dir, "ams-2", 3500, GOOD), 0);
	look_for_peer(4000);
	expect_taken("ams-2");
}

/* The own backends serve; without a backup all that a pool has are its own. */
static void a_backup_s_backends_are_not_waited_for(void **state)
{
	static struct compiler_backup backup;
	static struct plan_backend plan_backends[2] = { { .class = PLAN_OWN },
		                                        { .class = PLAN_BACKUP } };

	(void)state;
	plan_pool.backends = plan_backends;
	backends[1].reason = EFFECT_REASON_WAITING;
	look_for_peer(1000);
	assert_false(node.wants_peer_state);
	pool.backup = &backup;
	look_for_peer(2000);
	assert_true(node.wants_peer_state);
	node.wants_peer_state = false;
	learn = (struct state_sync){ 0 };
	backends[0].reason = EFFECT_REASON_WAITING;
	look_for_peer(3000);
	assert_false(node.wants_peer_state);
	pool.backup = NULL;
	plan_pool.backends = NULL;
}

static void what_is_refused_is_looked_at_once(void **state)
{
	(void)state;
	look_for_peer(1000);
	assert_int_equal(conn_state_write(dir, "ams-2", 1500, NONSENSE), 0);
	look_for_peer(2000);
	assert_string_equal(logged, "<3>slots-refused from=ams-2 error=\"Protocol error\"\n");
	assert_true(node.learning && node.wants_peer_state);
	logged[0] = '\0';
	look_for_peer(3000);
	expect_taken(NULL);
	assert_int_equal(conn_state_write(dir, CONN_STATE_NO_PEER, 3500, NONSENSE), 0);
	look_for_peer(4000); /* there is nothing to take */
	expect_taken(CONN_STATE_NO_PEER);
}

static void nobody_is_waited_for_longer_than_agreed(void **state)
{
	(void)state;
	look_for_peer(1000);
	look_for_peer(1000 + STATE_SYNC_MAX_MS - 1);
	assert_true(node.learning);
	look_for_peer(1000 + STATE_SYNC_MAX_MS);
	assert_false(node.learning || node.wants_peer_state);
	node.learning = true; /* once more: it counts from the new start */
	look_for_peer(90000);
	look_for_peer(90000 + STATE_SYNC_MAX_MS - 1);
	assert_true(node.learning);
	node.plan = NULL;
	look_for_peer(90000 + STATE_SYNC_MAX_MS);
	assert_true(node.learning); /* without a document nothing is learned */
}

/* Nobody else has placed connections here, or could say so: the verdicts alone are waited for. */
static void a_node_alone_at_its_site_waits_for_verdicts_only(void **state)
{
	static const struct {
		const char *why, *api;
		const struct model_site *site;
		bool waits;
	} rows[] = {
		{ "a peer of the site", "https://a2", &sites[0], true },
		{ "the other node is at another site", "https://a2", &sites[1], false },
		{ "the other node has no API", "", &sites[0], false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		nodes[1].api = rows[i].api;
		nodes[1].site = rows[i].site;
		node.learning = true;
		learn = (struct state_sync){ 0 };
		backends[0].reason = EFFECT_REASON_WAITING;
		look_for_peer(1000);
		assert_true(node.learning);
		assert_false(node.wants_peer_state);
		backends[0].reason = EFFECT_REASON_UP;
		look_for_peer(2000);
		if (node.learning != rows[i].waits || node.wants_peer_state != rows[i].waits)
			fail_msg("%s", rows[i].why);
	}
}

SUITE(state_sync)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_told_before_the_start_is_not_taken),
		T(who_waits_for_verdicts_wants_nothing_yet),
		T(a_backup_s_backends_are_not_waited_for),
		T(what_is_refused_is_looked_at_once),
		T(nobody_is_waited_for_longer_than_agreed),
		T(a_node_alone_at_its_site_waits_for_verdicts_only),
	};

	logged_begin();
	return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
