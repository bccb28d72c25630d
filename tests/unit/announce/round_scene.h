/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rounds of weir-announce with a fake kernel, a fake proof and a fake routing daemon, for the tests
 * of what is added to and deleted from which table, and of the control socket.
 */
#ifndef TESTS_UNIT_ANNOUNCE_ROUND_SCENE_H
#define TESTS_UNIT_ANNOUNCE_ROUND_SCENE_H

#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "announce/process.h"
#include "tests/fuzz/fuzz_dir.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/own_routes.h"
#include "weir/port_program.h"

/* --- fakes --- */

static struct {
	struct addr routes[253][8]; /* by table */
	size_t n[253];
	int list_error, change_error, add_error; /* change: adding and deleting */
	size_t n_listed; /* if not 0: so many routes has each table: a list has room for those above and more */
	unsigned changes, tries, deletes;
	bool proved, is_silent; /* no sign of life of the prover */
	int program;            /* what port_program_runs_at() says */
	struct proof_node node;
	struct proof_vip vip;
	int copy_error; /* of the next copies of the proof: */
	unsigned n_copy_errors, opens, closes;
	struct daemon_facts daemon;
	struct daemon_route route;
	bool no_route; /* the daemon has not been asked about any */
	unsigned hurries, waits;
} fake;

/* What the kernel says of a port. */
int port_program_runs_at(uint32_t ifindex)
{
	return ifindex ? fake.program : -EINVAL;
}

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
	for (size_t i = fake.n[table]; i < fake.n_listed && i < n_max; i++)
		out[i] = (struct addr){ 0 };
	*n = fake.n_listed ? fake.n_listed : fake.n[table];
	return 0;
}

static inline size_t find_route(uint32_t table, const struct addr *a)
{
	size_t i = 0;

	while (i < fake.n[table] && !addr_equal(&fake.routes[table][i], a))
		i++;
	return i;
}

int own_routes_add(struct own_routes *r, uint32_t table, const struct addr *a)
{
	(void)r;
	fake.tries++;
	if (fake.change_error || fake.add_error)
		return fake.change_error ? fake.change_error : fake.add_error;
	fake.changes++;
	if (find_route(table, a) == fake.n[table])
		fake.routes[table][fake.n[table]++] = *a;
	return 0;
}

int own_routes_delete(struct own_routes *r, uint32_t table, const struct addr *a)
{
	size_t i = find_route(table, a);

	(void)r;
	fake.deletes++;
	if (fake.change_error)
		return fake.change_error;
	fake.changes++;
	if (i < fake.n[table])
		fake.routes[table][i] = fake.routes[table][--fake.n[table]];
	return 0;
}

int own_routes_delete_all(struct own_routes *r, uint32_t table)
{
	(void)r;
	if (fake.change_error)
		return fake.change_error;
	fake.changes++;
	fake.n[table] = 0;
	return 0;
}

int proof_open(const char *run_dir, struct proof **out)
{
	(void)run_dir;
	fake.opens += fake.proved;
	*out = fake.proved ? (struct proof *)&fake : NULL;
	return fake.proved ? 0 : -ENOENT;
}

void proof_close(struct proof *p)
{
	fake.closes += p != NULL;
}

int proof_copy(struct proof *p)
{
	assert_non_null(p);
	if (fake.n_copy_errors) {
		fake.n_copy_errors--;
		return fake.copy_error;
	}
	return fake.proved ? 0 : -ESTALE;
}

int proof_node(const struct proof *p, uint64_t now_ms, struct proof_node *out)
{
	(void)p, (void)now_ms;
	*out = fake.node;
	return fake.proved ? 0 : -ENOENT;
}

int proof_vip(const struct proof *p, uint64_t vip, const struct addr *address, uint64_t now_ms,
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

void daemon_wait(struct daemon *d, const struct addr *vip)
{
	(void)d, (void)vip;
	fake.waits++;
}

const struct daemon_facts *daemon_facts(const struct daemon *d)
{
	(void)d;
	return &fake.daemon;
}

const struct daemon_route *daemon_route(const struct daemon *d, const struct addr *vip)
{
	(void)d, (void)vip;
	return fake.no_route ? NULL : &fake.route;
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
static struct model model;
static uint64_t counter, now_ms;
static char run_dir[FUZZ_DIR_MAX];

static inline bool is_in(uint32_t table)
{
	return find_route(table, &row.intended.address) < fake.n[table];
}

static inline void put_route(uint32_t table, const struct addr *address)
{
	assert_int_equal(own_routes_add(NULL, table, address), 0);
}

/* All is proved, the daemon answers, and one address is configured that other nodes announce too. */
static inline int start_scene(void **state)
{
	static const struct model_site ams = { .name = "ams" }, fra = { .name = "fra" };
	static const struct model_site *const sites[] = { &ams };
	static const struct model_vip vip = { .name = "web", .sites = sites, .n_sites = 1 };
	static const struct model_node nodes[] = {
		/* by name */
		{ .name = "ann", .site = &ams, .announce.daemon = MODEL_DAEMON_BIRD },
		{ .name = "far", .site = &fra, .announce.daemon = MODEL_DAEMON_BIRD },
		{ .name = "mid",
		  .site = &ams,
		  .announce = { .daemon = MODEL_DAEMON_BIRD,
		                .table = NORMAL_TABLE,
		                .gshut_table = SHUTDOWN_TABLE } },
		{ .name = "off", .site = &ams },
		{ .name = "zoe", .site = &ams, .announce.daemon = MODEL_DAEMON_FRR },
	};
	uint64_t *const words[] = { &counter };

	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.program = 1;
	memset(&row, 0, sizeof(row));
	model = (struct model){
		.meta.document = 7, .self = &nodes[2], .nodes = nodes, .n_nodes = COUNT(nodes)
	};
	fake.proved = true;
	fake.node = (struct proof_node){
		.document = 7,
		.state_arrived = PROOF_YES,
		.n_ports = 1,
		.driver = "xdp",
		.ports = { { .ifindex = 7, .up = PROOF_YES, .attached = PROOF_YES } }
	};
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
	row.intended =
	        (struct intended){ .vip = "web", .of = &vip, .vip_hash = 5, .is_shared = true };
	assert_int_equal(addr_parse("192.0.2.1", &row.intended.address), 0);
	announce_init(&row.state, ANNOUNCE_NONE, INCARNATION, START_MS);
	row.is_found = true;
	a.kernel[ANNOUNCE_NORMAL].number = NORMAL_TABLE;
	a.kernel[ANNOUNCE_SHUTDOWN].number = SHUTDOWN_TABLE;
	fuzz_dir(run_dir, "/tmp", "round"); /* the scene is a fuzz target's, too */
	snprintf(a.run_dir, sizeof(a.run_dir), "%s", run_dir);
	return announced_create(run_dir, &a.page) || loop_open(&a.loop);
}

static inline int end_scene(void **state)
{
	char path[128];

	(void)state;
	for (int t = 0; t < 3; t++)
		free(a.kernel[t].addresses);
	free(a.left);
	watch_close(&a);
	announced_close(a.page);
	loop_close(a.loop);
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE, run_dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE ".lock", run_dir);
	unlink(path);
	return rmdir(run_dir);
}

/* The daemon shows what the kernel has, and exports it. */
static inline void follow_kernel(void)
{
	fake.route =
	        (struct daemon_route){ .at_ms = now_ms,
		                       .imported = { is_in(NORMAL_TABLE), is_in(SHUTDOWN_TABLE) } };
	fake.route.exported = fake.route.imported[0] || fake.route.imported[1];
	fake.vip.proved_ms = now_ms;
	fake.route.exported_at_ms = now_ms;
}

static inline void run_rounds(unsigned n)
{
	while (n--) {
		now_ms += 100;
		if (!fake.is_silent)
			fake.node.alive_ms = now_ms;
		follow_kernel();
		round_publish(&a, now_ms);
	}
}

/* The announced address, after the time in which a start counts as a promise. */
static inline void announce_and_wait(void)
{
	run_rounds(150);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_ANNOUNCED);
}

static inline char *send_request(const char *line)
{
	char *text = command_reply(&a, line, strlen(line), true, now_ms);

	assert_non_null(text);
	return text;
}

static inline void expect_reply(const char *line, const char *expected)
{
	char *text = send_request(line);

	if (!strstr(text, expected))
		fail_msg("%s: %s", line, text);
	free(text);
}

#define SCENE_TEST(test) cmocka_unit_test_setup_teardown(test, start_scene, end_scene)

#endif
