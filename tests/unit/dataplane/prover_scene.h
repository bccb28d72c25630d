/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The prover on tables in memory, in simulated time, with a driver that answers at once, by the next turn, late or
 * never.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_PROVER_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_PROVER_SCENE_H

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

#include <net/if.h>

#include "base/hash.h"
#include "base/loop.h"
#include "base/page.h"
#include "dataplane/drivers.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "dataplane/prover_internal.h"
#include "tests/unit/answers.h"
#include "weir/path.h"

#include "tests/unit/dataplane/link_message.h"
#include "tests/unit/dataplane/stage.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/logged.h"

/* The kernel may know more interfaces than the table of links has room for. */
static uint32_t kernel_index;

static unsigned own_if_nametoindex(const char *name)
{
	return strcmp(name, "v0") ? 0 : kernel_index;
}

static struct process process;
static struct stage s;
static struct prover *prover;
static struct link_message v0; /* ifindex 0: it is not in the table of links */
static struct model_port model_ports[1] = { { .interface = "v0", .device = "" } };
static struct driver_port driven;

/* How the driver answers. */
static struct {
	enum { AT_ONCE, NEXT_TURN, NEVER } when;
	int err; /* before anything is run */
	bool refuses, mangles;
	uint64_t number; /* of the batch that a worker has */
	unsigned n_batches, n_probes, n_failed;
	uint64_t asked; /* the services, as bits by their counters */
	uint32_t most;
	uint32_t only; /* the port by which err is given; 0: each */
	bool may_forward;
} way;

/* As a worker does it. */
static inline void run_probe_here(struct driver_probe *p, uint32_t ifindex)
{
	_Alignas(8) uint8_t room[DRIVER_PROBE_ROOM + DRIVER_PROBE_LEN];
	uint8_t *at = room + DRIVER_PROBE_ROOM;
	struct fwd_packet packet = { at, at + p->length, room };
	struct fwd_verdict v = { 0 };

	memcpy(at, p->frame, p->length);
	s.driver.now.ingress = ifindex;
	path_forward(&s.driver.now, &packet, &v);
	way.asked |= v.service ? 1ull << v.service->count : 0;
	p->result = DRIVER_PROBE_KEPT;
	p->reason = (uint8_t)v.reason;
	if (way.refuses || fwd_reason_kind(v.reason) != FWD_KIND_TX)
		return;
	p->result = DRIVER_PROBE_SENT;
	p->length = (uint16_t)(packet.end - packet.data);
	memcpy(p->frame, packet.data, p->length);
	if (way.mangles)
		p->frame[p->length - 1] ^= 1;
}

static inline int answer_batch(struct driver *d, struct driver_probes *batch)
{
	(void)d;
	assert_in_range(batch->n, 1, DRIVER_PROBES_MAX);
	if (way.err && (!way.only || way.only == batch->ifindex)) {
		way.n_failed++;
		return way.err;
	}
	if (way.when != AT_ONCE && way.number != batch->number) {
		way.number = batch->number;
		return -EAGAIN;
	}
	if (way.when == NEVER)
		return -EAGAIN;
	way.n_batches++;
	way.n_probes += batch->n;
	way.most = batch->n > way.most ? batch->n : way.most;
	for (uint32_t i = 0; i < batch->n; i++)
		run_probe_here(&batch->probes[i], batch->ifindex);
	return 0;
}

static inline size_t list_driven(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = driven;
	return driven.ifindex ? 1 : 0;
}

static inline bool answer_may_forward(const struct driver *d, const char *interface)
{
	(void)d;
	assert_string_equal(interface, "v0");
	return way.may_forward;
}

static struct driver_ops ops;

/* The node's tables are such that all is forwarded: next hops, sources, the port's own address. */
static inline void complete_tables(void)
{
	struct fwd_tables *t = &s.driver.now;
	uint64_t mac = 0;

	memcpy(&mac, (const uint8_t[6]){ 2, 0, 0, 0, 0, 5 }, 6);
	t->root->macs[0] = fwd_mac_word(mac, 5);
	t->root->source4.addr.words_be[2] = FWD_ADDR4_MARK_BE;
	t->root->source4.addr.words_be[3] = fwd_be32(0x0a01ff00);
	memset(&t->root->source4.mask, 0xff, sizeof(t->root->source4.mask));
	for (uint32_t i = 1; i < t->n_backends; i++) {
		if (!(t->backends[i].flags & FWD_BACKEND_USED))
			continue;
		t->backends[i].flags &= (uint8_t)~FWD_BACKEND_NO_NEXT_HOP;
		t->backends[i].inner_mtu = 1400;
		fwd_addr_from4(&t->backends[i].address, fwd_be32(0x0a010000 | i));
	}
	process.node = s.node;
}

static const struct model_vip *announced[1];

static inline void apply_number(struct world *w, uint64_t number)
{
	w->model.meta.document = number;
	w->node.ports = model_ports;
	w->node.n_ports = 1;
	announced[0] = &w->vip;
	w->node.announce.daemon = MODEL_DAEMON_BIRD;
	w->node.announce.vips = announced;
	w->node.announce.n_vips = 1;
	apply_world(&s, w);
	s.node.ops = process.ops;
	complete_tables();
}

/* The kernel tells of v0 as it is now. */
static inline void tell_link(void)
{
	char bytes[MESSAGE_BYTES];
	struct link_message m = v0;

	m.gone = !v0.ifindex;
	m.ifindex = 5;
	links_hear(process.links, bytes, write_message(bytes, &m));
}

static inline void ignore_links(void *arg)
{
	(void)arg;
}

static inline int setup(void **state)
{
	(void)state;
	simulated.now_ms = START_MS;
	memset(&process, 0, sizeof(process));
	memset(&way, 0, sizeof(way));
	kernel_index = 5;
	logged[0] = '\0';
	v0 = (struct link_message){ .ifindex = 5, .name = "v0" };
	driven = (struct driver_port){ .name = "v0", .ifindex = 5, .up = true, .program = 33 };
	ops = memory;
	ops.name = "xdp";
	ops.ports = list_driven;
	ops.prove = answer_batch;
	ops.may_forward = answer_may_forward;
	stage_init(&s);
	use_both_pools(&s.first);
	use_both_pools(&s.second);
	process.ops = &ops;
	process.driver = (struct driver *)&s.driver;
	strcpy(process.dirs.run, "/tmp/weir-prover-XXXXXX");
	process.links = links_new(ignore_links, NULL);
	if (!process.links || !mkdtemp(process.dirs.run) || loop_open(&process.loop))
		return -1;
	tell_link();
	apply_number(&s.first, 1);
	return prover_open(&process, &prover);
}

static inline int teardown(void **state)
{
	char command[96];

	(void)state;
	prover_close(prover);
	links_close(process.links);
	loop_close(process.loop);
	s.node.ops = &memory;
	stage_fini(&s);
	snprintf(command, sizeof(command), "rm -r %.80s", process.dirs.run);
	return system(command);
}

static inline void make_turns(unsigned n)
{
	simulate_to(process.loop, simulated.now_ms + n * PROVER_TURN_MS);
}

/* A process that was stopped meanwhile: @p late_ms pass, and then there is a turn. */
static inline void make_late_turn(uint64_t late_ms)
{
	simulated.now_ms += late_ms;
	simulate_to(process.loop, simulated.now_ms);
}

static inline const struct addr *shop_address(int i)
{
	return &s.first.addresses[i];
}

static inline struct proof_vip read_shown(int i)
{
	struct proof_vip vip;
	struct proof *proof;

	assert_int_equal(proof_open(process.dirs.run, &proof), 0);
	assert_int_equal(proof_copy(proof), 0);
	assert_int_equal(
	        proof_vip(proof, hash_text("shop"), shop_address(i), simulated.now_ms, &vip), 0);
	proof_close(proof);
	return vip;
}

static inline struct proof_node shown_node(void)
{
	struct proof_node node;
	struct proof *proof;

	assert_int_equal(proof_open(process.dirs.run, &proof), 0);
	assert_int_equal(proof_copy(proof), 0);
	assert_int_equal(proof_node(proof, simulated.now_ms, &node), 0);
	proof_close(proof);
	return node;
}

static inline void expect_states(enum proof_state state, uint8_t reason)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_shown(i).state, state);
		assert_int_equal(read_shown(i).reason, reason);
	}
}

/* As if the document had @p n addresses. */
static inline void multiply_rows(size_t n)
{
	struct prover_row *rows = calloc(n, sizeof(*rows));

	assert_non_null(rows);
	for (size_t i = 0; i < n; i++) {
		rows[i] = prover->rows.rows[i % 2];
		rows[i].n_probes = 0;
		rows[i].due_ms = 0;
		rows[i].is_urgent = false;
	}
	free(prover->rows.rows);
	prover->rows.rows = rows;
	prover->rows.n = prover->rows.n_announced = n;
	way.most = 0;
}

static inline void expect_probes(uint32_t least, uint32_t most)
{
	for (size_t i = 0; i < prover->rows.n; i++)
		assert_in_range(prover->rows.rows[i].n_probes, least, most);
}

#define PROVER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
