/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rounds of weir-announce: routes in the kernel of a network namespace of the scene's own, a page of proof that the
 * scene writes, and what a routing daemon has said. For the tests of what is added to and deleted from which table, and
 * of the control socket.
 */
#ifndef TESTS_UNIT_ANNOUNCE_ROUND_SCENE_H
#define TESTS_UNIT_ANNOUNCE_ROUND_SCENE_H

#include "scene.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "announce/daemon_internal.h"
#include "announce/process.h"
#include "base/page.h"
#include "own_kernel.h"
#include "tests/fuzz/fuzz_dir.h"
#include "weir/announce.h"
#include "weir/model.h"
#include "weir/own_routes.h"
#include "weir/proof.h"

#define SKIPPED        77
#define NORMAL_TABLE   177u
#define SHUTDOWN_TABLE 178u
#define PROVED_MAX     1000u /* rows of the page of proof */

/* What the page of proof is to say from the next round on. */
static struct {
	bool is_there, is_silent; /* is_silent: no sign of life after node.alive_ms */
	struct proof_node node;
	struct proof_vip vip; /* of each address of the scene */
} proved;

static struct announcer a;
static struct announce_row row;
static struct model model;
static struct daemon *routing;    /* nobody listens at its socket: what it knows is written here */
static struct own_routes *kernel; /* with which the scene looks */
static struct page *proof_page;
static uint64_t counter, now_ms;
static char run_dir[FUZZ_DIR_MAX];

/* A kernel of routes that nobody else uses. Once, before all scenes. */
static inline bool enter_namespace(void)
{
	own_kernel_begin();
	if (!unshare(CLONE_NEWNET) || !unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return true;
	printf("needs a network namespace: skipped\n");
	return false;
}

/* --- the kernel --- */

static inline size_t list_table(uint32_t table, struct addr *out, size_t n_max)
{
	size_t n = 0;

	own_kernel.is_looked_at = true;
	assert_int_equal(own_routes_list(kernel, table, out, n_max, &n), 0);
	own_kernel.is_looked_at = false;
	return n;
}

static inline bool has_route(uint32_t table, const struct addr *address)
{
	struct addr found[16];
	size_t n = list_table(table, found, COUNT(found)), i = 0;

	while (i < n && i < COUNT(found) && !addr_equal(&found[i], address))
		i++;
	return i < n && i < COUNT(found);
}

static inline bool is_in(uint32_t table)
{
	return has_route(table, &row.intended.address);
}

static inline void put_route(uint32_t table, const struct addr *address)
{
	own_kernel.is_looked_at = true;
	assert_int_equal(own_routes_add(kernel, table, address), 0);
	own_kernel.is_looked_at = false;
}

/* As somebody else does. */
static inline void take_route(uint32_t table, const struct addr *address)
{
	own_kernel.is_looked_at = true;
	assert_int_equal(own_routes_delete(kernel, table, address), 0);
	own_kernel.is_looked_at = false;
}

static inline void empty_table(uint32_t table)
{
	own_kernel.is_looked_at = true;
	assert_int_equal(own_routes_delete_all(kernel, table), 0);
	own_kernel.is_looked_at = false;
}

/* --- the page of proof --- */

static inline struct page_header *proof_header(void)
{
	return (struct page_header *)page_payload(proof_page) - 1;
}

static inline void proof_path(char path[128])
{
	snprintf(path, 128, "%s/" PROOF_PAGE_FILE, run_dir);
}

/* A page of @p max_vips rows takes the place of the one before. */
static inline void open_proof(uint32_t max_vips)
{
	char path[128];

	page_close(proof_page);
	proof_path(path);
	assert_int_equal(page_create(path, PROOF_PAGE_KIND, PROOF_PAGE_LAYOUT,
	                             proof_page_bytes(max_vips), &proof_page),
	                 0);
	((struct proof_page *)page_payload(proof_page))->max_vips = max_vips;
}

static inline void remove_proof(void)
{
	char path[128];

	if (!proof_page)
		return;
	proof_path(path);
	proof_header()->replaced = 1;
	page_remove(proof_page, path);
	proof_page = NULL;
}

static inline void write_proof(void)
{
	struct proof_page *p;
	uint32_t odd;

	if (!proved.is_there) {
		remove_proof();
		return;
	}
	if (!proof_page)
		open_proof(PROVED_MAX);
	p = page_payload(proof_page);
	if (!proved.is_silent)
		proved.node.alive_ms = now_ms;
	odd = page_rows_begin(&p->seq);
	p->node = proved.node;
	p->node.n_vips = (uint32_t)a.n_rows;
	for (size_t i = 0; i < a.n_rows; i++) {
		struct proof_vip *vip = &proof_page_vips(p)[i];

		*vip = proved.vip;
		vip->vip = a.rows[i].intended.vip_hash;
		vip->address = a.rows[i].intended.address;
	}
	page_rows_end(&p->seq, odd);
	proof_header()->writer_pid = proved.node.writer_pid;
	page_alive(proof_page, proved.node.alive_ms);
}

/* --- the routing daemon --- */

static inline void ignore_news(void *arg)
{
	(void)arg;
}

static inline struct daemon_route *shown_route(void)
{
	return &routing->rows[0].shown;
}

/* The daemon shows what the kernel has, and exports it. */
static inline void follow_kernel(void)
{
	const bool imported[] = { is_in(NORMAL_TABLE), is_in(SHUTDOWN_TABLE) };

	proved.vip.proved_ms = now_ms;
	if (routing->n_rows)
		*shown_route() = (struct daemon_route){ .at_ms = now_ms,
			                                .imported = { imported[0], imported[1] },
			                                .exported = imported[0] || imported[1],
			                                .exported_at_ms = now_ms };
}

/* --- the scene --- */

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

	(void)state;
	own_kernel = (struct own_kernel){ .has_program = true };
	row = (struct announce_row){
		.intended = { .vip = "web", .of = &vip, .vip_hash = 5, .is_shared = true },
		.is_found = true,
	};
	assert_int_equal(addr_parse("192.0.2.1", &row.intended.address), 0);
	announce_init(&row.state, ANNOUNCE_NONE, INCARNATION, START_MS);
	model = (struct model){
		.meta.document = 7, .self = &nodes[2], .nodes = nodes, .n_nodes = COUNT(nodes)
	};
	proved.is_there = true;
	proved.is_silent = false;
	proved.node = (struct proof_node){
		.document = 7,
		.state_arrived = PROOF_YES,
		.n_ports = 1,
		.driver = "xdp",
		.ports = { { .ifindex = 1, .up = PROOF_YES, .attached = PROOF_YES } }
	};
	proved.vip = (struct proof_vip){
		.n_services = 1, .n_serving = 1, .n_reachable = 1, .state = PROOF_STATE_FORWARDED
	};
	now_ms = START_MS;
	a = (struct announcer){ .model = &model,
		                .rows = &row,
		                .n_rows = 1,
		                .kernel = { [ANNOUNCE_NORMAL].number = NORMAL_TABLE,
		                            [ANNOUNCE_SHUTDOWN].number = SHUTDOWN_TABLE },
		                .dataplane_fd = -1,
		                .incarnation = INCARNATION,
		                .node = "mid" };
	for (int i = 0; i < 3; i++)
		a.counters.tables[i] = &counter;
	for (int i = 0; i < ANNOUNCE_ANSWER_COUNT; i++)
		a.counters.answers[i] = &counter;
	a.counters.changes = a.counters.questions = a.counters.confirmations = &counter;
	a.counters.route_errors = &counter;
	fuzz_dir(run_dir, "/tmp", "round"); /* the scene is a fuzz target's, too */
	snprintf(a.run_dir, sizeof(a.run_dir), "%s", run_dir);
	if (unshare(CLONE_NEWNET) || own_routes_open(&kernel) || own_routes_open(&a.own) ||
	    announced_create(run_dir, &a.page) || loop_open(&a.loop) ||
	    daemon_open(a.loop, DAEMON_BIRD, run_dir, ignore_news, NULL, &a.daemon) ||
	    daemon_watch(a.daemon, &row.intended.address, 1))
		return -1;
	routing = a.daemon;
	loop_timer_cancel(a.loop, &routing->wake);
	routing->facts = (struct daemon_facts){ .state = DAEMON_ANSWERS,
		                                .n_neighbours = 1,
		                                .neighbours = { { .established = true } } };
	return 0;
}

static inline int end_scene(void **state)
{
	char path[128];

	(void)state;
	for (int t = 0; t < 3; t++)
		free(a.kernel[t].addresses);
	free(a.left);
	round_close(&a);
	own_routes_close(a.own);
	own_routes_close(kernel);
	announced_close(a.page);
	loop_close(a.loop);
	remove_proof();
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE, run_dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE ".lock", run_dir);
	unlink(path);
	return rmdir(run_dir);
}

/* A round of now. */
static inline void run_round(void)
{
	write_proof();
	round_publish(&a, now_ms);
}

static inline void run_rounds(unsigned n)
{
	while (n--) {
		now_ms += 100;
		follow_kernel();
		run_round();
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
	char *text;

	write_proof();
	text = command_reply(&a, line, strlen(line), true, now_ms);
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
