/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rounds of weir-announce with a fake kernel, a fake proof and a fake routing daemon: what is added
 * to and deleted from which table, and what the control socket does.
 */
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "announce/process.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/own_routes.h"

/* --- fakes --- */

static struct {
	struct addr routes[253][8]; /* by table */
	size_t n[253];
	int list_error, change_error;
	unsigned changes;
	bool proved;
	struct proof_node node;
	struct proof_vip vip;
	struct daemon_facts daemon;
	struct daemon_route route;
	unsigned hurries;
} fake;

int own_routes_open(struct own_routes **out)
{
	*out = NULL;
	return 0;
}

void own_routes_close(struct own_routes *r)
{
	(void)r;
}

int own_routes_list(struct own_routes *r, uint32_t table, struct addr *out, size_t n_max, size_t *n)
{
	(void)r;
	if (fake.list_error)
		return fake.list_error;
	for (size_t i = 0; i < fake.n[table] && i < n_max; i++)
		out[i] = fake.routes[table][i];
	*n = fake.n[table];
	return 0;
}

static size_t find_route(uint32_t table, const struct addr *a)
{
	size_t i = 0;

	while (i < fake.n[table] && !addr_equal(&fake.routes[table][i], a))
		i++;
	return i;
}

int own_routes_add(struct own_routes *r, uint32_t table, const struct addr *a)
{
	(void)r;
	if (fake.change_error)
		return fake.change_error;
	fake.changes++;
	if (find_route(table, a) == fake.n[table])
		fake.routes[table][fake.n[table]++] = *a;
	return 0;
}

int own_routes_delete(struct own_routes *r, uint32_t table, const struct addr *a)
{
	size_t i = find_route(table, a);

	(void)r;
	if (fake.change_error)
		return fake.change_error;
	fake.changes++;
	if (i < fake.n[table])
		fake.routes[table][i] = fake.routes[table][--fake.n[table]];
	return 0;
}

int proof_open(const char *run_dir, struct proof **out)
{
	(void)run_dir;
	*out = fake.proved ? (struct proof *)&fake : NULL;
	return fake.proved ? 0 : -ENOENT;
}

void proof_close(struct proof *p)
{
	(void)p;
}

int proof_node(const struct proof *p, uint64_t now_ms, struct proof_node *out)
{
	(void)p, (void)now_ms;
	*out = fake.node;
	return fake.proved ? 0 : -ESTALE;
}

int proof_vip(const struct proof *p, const char *vip, const struct addr *address, uint64_t now_ms,
              struct proof_vip *out)
{
	(void)p, (void)vip, (void)address, (void)now_ms;
	*out = fake.vip;
	return 0;
}

int daemon_open(struct loop *loop, enum daemon_kind kind, const char *path, daemon_news *news,
                void *arg, struct daemon **out)
{
	(void)loop, (void)kind, (void)path, (void)news, (void)arg, (void)out;
	return 0;
}

void daemon_close(struct daemon *d)
{
	(void)d;
}

int daemon_watch(struct daemon *d, const struct addr *vips, size_t n)
{
	(void)d, (void)vips, (void)n;
	return 0;
}

void daemon_hurry(struct daemon *d, const struct addr *vip)
{
	(void)d, (void)vip;
	fake.hurries++;
}

const struct daemon_facts *daemon_facts(const struct daemon *d)
{
	(void)d;
	return &fake.daemon;
}

const struct daemon_route *daemon_route(const struct daemon *d, const struct addr *vip)
{
	(void)d, (void)vip;
	return &fake.route;
}

const char *daemon_state_name(enum daemon_state state)
{
	(void)state;
	return "answers";
}

/* --- the scene --- */

#define NORMAL_TABLE   177u
#define SHUTDOWN_TABLE 178u

static struct announcer a;
static struct announce_row row;
static uint64_t counter, now_ms;

static bool is_in(uint32_t table)
{
	return find_route(table, &row.intended.address) < fake.n[table];
}

static void put_route(uint32_t table, const struct addr *address)
{
	assert_int_equal(own_routes_add(NULL, table, address), 0);
}

/* All is proved, the daemon answers, and one address is configured that other nodes announce too. */
static int start_scene(void **state)
{
	static struct model_node self = { .name = "mid",
		                          .announce = { .daemon = MODEL_DAEMON_BIRD,
		                                        .table = NORMAL_TABLE,
		                                        .gshut_table = SHUTDOWN_TABLE } };
	static struct model model;
	uint64_t *const words[] = { &counter };

	(void)state;
	memset(&fake, 0, sizeof(fake));
	memset(&row, 0, sizeof(row));
	model = (struct model){ .meta.document = 7, .self = &self, .nodes = &self, .n_nodes = 1 };
	fake.proved = true;
	fake.node = (struct proof_node){ .document = 7,
		                         .state_arrived = PROOF_YES,
		                         .n_ports = 1,
		                         .driver = "xdp",
		                         .ports = { { .up = PROOF_YES, .attached = PROOF_YES } } };
	fake.vip = (struct proof_vip){
		.n_services = 1, .n_serving = 1, .n_reachable = 1, .state = PROOF_STATE_FORWARDED
	};
	fake.daemon = (struct daemon_facts){ .state = DAEMON_ANSWERS,
		                             .n_neighbours = 1,
		                             .neighbours = { { .established = true } } };
	now_ms = START_MS;
	a = (struct announcer){ .model = &model,
		                .rows = &row,
		                .n_rows = 1,
		                .daemon = (struct daemon *)&fake,
		                .dataplane_fd = -1,
		                .incarnation = INCARNATION,
		                .node = "mid" };
	for (int i = 0; i < 3; i++)
		a.counters.tables[i] = words[0];
	for (int i = 0; i < ANNOUNCE_ANSWER_COUNT; i++)
		a.counters.answers[i] = words[0];
	a.counters.changes = a.counters.questions = a.counters.confirmations = words[0];
	a.counters.route_errors = words[0];
	row.intended = (struct intended){ .vip = "web", .vip_hash = 5, .is_shared = true };
	assert_int_equal(addr_parse("192.0.2.1", &row.intended.address), 0);
	announce_init(&row.state, ANNOUNCE_NONE, INCARNATION, START_MS);
	return 0;
}

static int end_scene(void **state)
{
	(void)state;
	for (int t = 0; t < 3; t++)
		free(a.kernel[t].addresses);
	return 0;
}

/* The daemon shows what the kernel has, and exports it. */
static void follow_kernel(void)
{
	fake.route =
	        (struct daemon_route){ .at_ms = now_ms,
		                       .imported = { is_in(NORMAL_TABLE), is_in(SHUTDOWN_TABLE) } };
	fake.route.exported = fake.route.imported[0] || fake.route.imported[1];
}

static void run_rounds(unsigned n)
{
	while (n--) {
		now_ms += 100;
		follow_kernel();
		round_run(&a, now_ms);
	}
}

/* The announced address, after the time in which a start counts as a promise. */
static void announce_and_wait(void)
{
	run_rounds(150);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_ANNOUNCED);
}

static char *send_request(const char *line)
{
	char *text = command_reply(&a, line, strlen(line), now_ms);

	assert_non_null(text);
	return text;
}

static void expect_reply(const char *line, const char *expected)
{
	char *text = send_request(line);

	if (!strstr(text, expected))
		fail_msg("%s: %s", line, text);
	free(text);
}

/* --- tests --- */

static void nothing_is_announced_without_a_proof(void **state)
{
	(void)state;
	fake.proved = false;
	run_rounds(20);
	assert_int_equal(fake.changes, 0);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_WAITING);
	fake.proved = true;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_true(fake.hurries > 0);
}

static void a_proof_that_is_lost_withdraws_nothing(void **state)
{
	(void)state;
	announce_and_wait();
	fake.proved = false;
	run_rounds(100);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNPROVED);
	assert_int_equal(fake.changes, 1);
}

static void a_dead_driver_withdraws_at_once(void **state)
{
	(void)state;
	announce_and_wait();
	a.dataplane_dead = true;
	fake.proved = false;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PROGRAM_GONE);
}

static void a_route_that_somebody_deleted_is_added_again(void **state)
{
	(void)state;
	announce_and_wait();
	fake.n[NORMAL_TABLE] = 0;
	run_rounds(11);
	assert_true(is_in(NORMAL_TABLE));
}

static void routes_of_other_addresses_go(void **state)
{
	(void)state;
	struct addr other;

	assert_int_equal(addr_parse("2001:db8::9", &other), 0);
	put_route(NORMAL_TABLE, &other);
	put_route(SHUTDOWN_TABLE, &other);
	run_rounds(1);
	assert_int_equal(find_route(NORMAL_TABLE, &other), fake.n[NORMAL_TABLE]);
	assert_int_equal(fake.n[SHUTDOWN_TABLE], 0);
	assert_true(is_in(NORMAL_TABLE));
}

static void without_a_list_of_the_kernel_nothing_is_touched(void **state)
{
	(void)state;
	fake.list_error = -ENOBUFS;
	run_rounds(20);
	assert_int_equal(fake.changes, 0);
	assert_int_equal(a.route_error, -ENOBUFS);
	fake.list_error = 0;
	run_rounds(11);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(a.route_error, 0);
}

static void a_route_that_is_refused_is_tried_again(void **state)
{
	(void)state;
	fake.change_error = -EPERM;
	run_rounds(5);
	assert_int_equal(a.route_error, -EPERM);
	fake.change_error = 0;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
}

static void a_move_waits_for_the_daemon(void **state)
{
	(void)state;
	put_route(SHUTDOWN_TABLE, &row.intended.address);
	announce_init(&row.state, ANNOUNCE_SHUTDOWN, INCARNATION, START_MS);
	now_ms += 100;
	follow_kernel();
	round_run(&a, now_ms);
	assert_true(is_in(NORMAL_TABLE));
	for (int i = 0; i < 20; i++) { /* the daemon does not show the new route */
		now_ms += 100;
		fake.route.at_ms = now_ms;
		round_run(&a, now_ms);
		assert_true(is_in(NORMAL_TABLE) && is_in(SHUTDOWN_TABLE));
	}
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
}

static void what_the_daemon_shows_differently_is_noted(void **state)
{
	(void)state;
	announce_and_wait();
	assert_int_equal(row.differs_ms, 0);
	assert_int_equal(row.exported, 1);
	fake.daemon.state = DAEMON_ABSENT;
	run_rounds(1);
	assert_int_equal(row.differs_ms, now_ms);
	run_rounds(5);
	assert_int_equal(row.differs_ms, now_ms - 500);
	fake.daemon.state = DAEMON_ANSWERS;
	run_rounds(1);
	assert_int_equal(row.differs_ms, 0);
}

static void a_confirmation_from_the_socket_withdraws(void **state)
{
	(void)state;
	char line[256];

	announce_and_wait();
	fake.vip.n_serving = 0;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.query_ms, now_ms);
	snprintf(line, sizeof(line),
	         "{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"zoe\","
	         "\"incarnation\":\"%016x\",\"sent_ms\":%llu}",
	         INCARNATION, (unsigned long long)row.query_ms);
	now_ms += 50;
	expect_reply(line, "\"counts\":true");
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_POOLS_DOWN);
	assert_int_equal(row.query_ms, 0);
}

static void a_question_from_the_socket_is_answered(void **state)
{
	(void)state;
	static const char question[] =
	        "{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
	        "\"incarnation\":\"0000000000000001\",\"sent_ms\":5}";

	fake.proved = false;
	run_rounds(1);
	expect_reply(question, "\"answer\":\"not-announced\"");
	fake.proved = true;
	announce_and_wait();
	expect_reply(question, "\"answer\":\"confirmed\"");
	assert_int_equal(row.state.promised_until_ms, now_ms + ANNOUNCE_PROMISE_MS);
}

static void bad_requests_are_refused(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"do\":1}",
		"{\"do\":\"withdraw\"}",
		"{\"do\":\"question\"}",
		"{\"do\":\"question\",\"address\":\"192.0.2.9\",\"from\":\"zoe\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":"
		"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"1\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"000000000000000G\",\"sent_ms\":5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":-5}",
		"{\"do\":\"question\",\"address\":\"192.0.2.1\",\"from\":\"zoe\","
		"\"incarnation\":\"0000000000000001\",\"sent_ms\":\"5\"}",
		"{\"do\":\"confirmed\",\"address\":\"192.0.2.1\",\"by\":\"mid\","
		"\"incarnation\":\"000000000000004d\",\"sent_ms\":5}",
	};

	announce_and_wait();
	for (size_t i = 0; i < COUNT(lines); i++)
		expect_reply(lines[i], "\"ok\":false");
	assert_true(is_in(NORMAL_TABLE));
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, start_scene, end_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(nothing_is_announced_without_a_proof),
		SCENE_TEST(a_proof_that_is_lost_withdraws_nothing),
		SCENE_TEST(a_dead_driver_withdraws_at_once),
		SCENE_TEST(a_route_that_somebody_deleted_is_added_again),
		SCENE_TEST(routes_of_other_addresses_go),
		SCENE_TEST(without_a_list_of_the_kernel_nothing_is_touched),
		SCENE_TEST(a_route_that_is_refused_is_tried_again),
		SCENE_TEST(a_move_waits_for_the_daemon),
		SCENE_TEST(what_the_daemon_shows_differently_is_noted),
		SCENE_TEST(a_confirmation_from_the_socket_withdraws),
		SCENE_TEST(a_question_from_the_socket_is_answered),
		SCENE_TEST(bad_requests_are_refused),
	};

	return cmocka_run_group_tests_name("announce round", tests, NULL, NULL);
}
