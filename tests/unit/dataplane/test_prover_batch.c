/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the prover makes of answers and of time: a node on tables in memory, with a driver that
 * answers at once, by the next turn, late or never. Includes the sources.
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

#include "base/loop.h"
#include "dataplane/nexthop/links.h"

static uint64_t clock_ms;
static struct rtnl_link v0;

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return clock_ms;
}

static int fake_set(struct loop *l, struct loop_timer *timer, uint64_t at_ms)
{
	(void)l;
	timer->at_ms = at_ms;
	return 0;
}

static const struct rtnl_link *fake_link(const struct links *l, const char *name)
{
	(void)l;
	return v0.ifindex && !strcmp(name, "v0") ? &v0 : NULL;
}

#define loop_now_ms            fake_now
#define loop_timer_set         fake_set
#define loop_timer_cancel(...) ((void)0)
#define links_named            fake_link
#include "dataplane/prover_frame.c"
#include "dataplane/prover_rows.c"
#include "dataplane/prover_ports.c"
#include "dataplane/prover_batch.c"
#include "dataplane/prover.c"

#include "tests/unit/dataplane/stage.h"

static struct process process;
static struct stage s;
static struct prover *prover;
static struct model_port model_ports[1] = { { .interface = "v0", .device = "" } };
static struct driver_port driven;

/* How the driver answers. */
static struct {
	enum { AT_ONCE, NEXT_TURN, NEVER } when;
	int err; /* before anything is run */
	bool refuses, mangles;
	uint64_t number; /* of the batch that a worker has */
	unsigned n_batches, n_probes;
	uint32_t most;
} way;

/* As a worker does it. */
static void run_probe_here(struct driver_probe *p, uint32_t ifindex)
{
	_Alignas(8) uint8_t room[DRIVER_PROBE_ROOM + DRIVER_PROBE_LEN];
	uint8_t *at = room + DRIVER_PROBE_ROOM;
	struct fwd_packet packet = { at, at + p->length, room };
	struct fwd_verdict v = { 0 };

	memcpy(at, p->frame, p->length);
	s.driver.now.ingress = ifindex;
	fwd_forward(&s.driver.now, s.driver.now.root, &packet, &v);
	p->result = DRIVER_PROBE_KEPT;
	p->reason = way.when == AT_ONCE ? FWD_REASON_COUNT : (uint8_t)v.reason;
	if (way.refuses || fwd_reason_kind(v.reason) != FWD_KIND_TX)
		return;
	p->result = DRIVER_PROBE_SENT;
	p->length = (uint16_t)(packet.end - packet.data);
	memcpy(p->frame, packet.data, p->length);
	if (way.mangles)
		p->frame[p->length - 1] ^= 1;
}

static int answer_batch(struct driver *d, struct driver_probes *batch)
{
	(void)d;
	assert_in_range(batch->n, 1, DRIVER_PROBES_MAX);
	if (way.err)
		return way.err;
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

static size_t list_driven(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = driven;
	return driven.ifindex ? 1 : 0;
}

static struct driver_ops ops;

/* The node's tables are such that all is forwarded: next hops, sources, the port's own address. */
static void complete_tables(void)
{
	struct fwd_tables *t = &s.driver.now;
	uint64_t mac = 0;

	memcpy(&mac, v0.mac, sizeof(v0.mac));
	t->root->macs[0] = fwd_mac_word(mac, v0.ifindex);
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

static void apply_number(struct world *w, uint64_t number)
{
	w->model.meta.document = number;
	w->node.ports = model_ports;
	w->node.n_ports = 1;
	w->node.announce.daemon = MODEL_DAEMON_BIRD;
	apply_world(&s, w);
	s.node.ops = process.ops;
	complete_tables();
}

static int setup(void **state)
{
	(void)state;
	clock_ms = 100000;
	memset(&process, 0, sizeof(process));
	memset(&way, 0, sizeof(way));
	v0 = (struct rtnl_link){
		.ifindex = 5, .up = true, .ethernet = true, .mac = { 2, 0, 0, 0, 0, 5 }
	};
	driven = (struct driver_port){ .name = "v0", .ifindex = 5, .up = true, .program = 33 };
	ops = memory;
	ops.name = "xdp";
	ops.ports = list_driven;
	ops.prove = answer_batch;
	stage_init(&s);
	use_both_pools(&s.first);
	use_both_pools(&s.second);
	process.ops = &ops;
	process.driver = &s.driver;
	strcpy(process.dirs.run, "/tmp/weir-prover-XXXXXX");
	if (!mkdtemp(process.dirs.run))
		return -1;
	apply_number(&s.first, 1);
	return prover_open(&process, &prover);
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	prover_close(prover);
	s.node.ops = &memory;
	stage_fini(&s);
	snprintf(command, sizeof(command), "rm -r %.80s", process.dirs.run);
	return system(command);
}

static void make_turns(unsigned n)
{
	for (; n; n--) {
		clock_ms += PROVER_TURN_MS;
		on_prover_turn(prover);
		assert_int_equal(prover->turn.at_ms, clock_ms + PROVER_TURN_MS);
	}
}

static const struct addr *shop_address(int i)
{
	return &s.first.addresses[i];
}

static struct proof_vip read_shown(int i)
{
	struct proof_vip vip;
	struct proof *proof;

	assert_int_equal(proof_open(process.dirs.run, &proof), 0);
	assert_int_equal(proof_vip(proof, "shop", shop_address(i), clock_ms, &vip), 0);
	proof_close(proof);
	return vip;
}

static struct proof_node shown_node(void)
{
	struct proof_node node;
	struct proof *proof;

	assert_int_equal(proof_open(process.dirs.run, &proof), 0);
	assert_int_equal(proof_node(proof, clock_ms, &node), 0);
	proof_close(proof);
	return node;
}

static void expect_states(enum proof_state state, uint8_t reason)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_shown(i).state, state);
		assert_int_equal(read_shown(i).reason, reason);
	}
}

static void both_families_are_proved_and_counted(void **state)
{
	struct proof_service web, dns;
	struct proof *proof;

	(void)state;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	assert_int_equal(read_shown(0).n_services, 2);
	assert_int_equal(read_shown(0).n_serving, 2);
	make_turns(10); /* the counters come once a second */
	assert_int_equal(proof_open(process.dirs.run, &proof), 0);
	assert_int_equal(proof_service(proof, "web", &web), 0);
	assert_int_equal(proof_service(proof, "dns", &dns), 0);
	proof_close(proof);
	assert_in_range(web.sent, 1, 8); /* services take turns */
	assert_in_range(dns.sent, 1, 8);
	assert_int_equal(web.sent, web.forwarded);
	assert_int_equal(prover->node.sent, way.n_probes);
	assert_in_range(way.n_probes, 6, 10); /* each address once a second */
}

static void one_refusal_is_looked_at_again_and_two_count(void **state)
{
	uint64_t since_ms;

	(void)state;
	make_turns(20);
	since_ms = read_shown(0).since_ms;
	way.refuses = true;
	while (way.n_probes % 2 == 0 ||
	       prover->rows.rows[0].refusals + prover->rows.rows[1].refusals == 0) {
		make_turns(1);
		if (prover->rows.rows[0].refusals || prover->rows.rows[1].refusals)
			break;
	}
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.refuses = false;
	make_turns(20);
	assert_int_equal(read_shown(0).since_ms, since_ms);
	assert_int_equal(prover->rows.rows[0].refusals, 0);
	way.refuses = true;
	make_turns(13);
	expect_states(PROOF_STATE_REFUSED, PROOF_REASON_PROGRAM);
	assert_true(read_shown(0).since_ms > since_ms);
	way.refuses = false;
	make_turns(13);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
}

static void what_comes_out_wrong_is_refused(void **state)
{
	(void)state;
	way.mangles = true;
	make_turns(20);
	expect_states(PROOF_STATE_REFUSED, PROOF_REASON_OUTPUT);
}

static void the_reason_is_the_workers_or_the_tables(void **state)
{
	(void)state;
	for (uint32_t i = 1; i < s.driver.now.n_backends; i++)
		s.driver.now.backends[i].flags |= FWD_BACKEND_NO_NEXT_HOP;
	make_turns(20);
	expect_states(PROOF_STATE_REFUSED, FWD_REASON_NO_NEXT_HOP);
	assert_int_equal(read_shown(0).n_serving, 2);
	assert_int_equal(read_shown(0).n_reachable, 0);
	assert_int_equal(shown_node().hops_known, 0);
	assert_true(shown_node().hops_needed > 0);
	complete_tables();
	way.when = NEXT_TURN;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	for (uint32_t i = 1; i < s.driver.now.n_backends; i++)
		s.driver.now.backends[i].flags |= FWD_BACKEND_DEAD;
	make_turns(20);
	expect_states(PROOF_STATE_REFUSED, FWD_REASON_BACKEND_DEAD);
}

/* A whole process that is stopped has no turns, so what it was waiting for says nothing. */
static void a_stopped_process_loses_nothing(void **state)
{
	(void)state;
	way.when = NEXT_TURN;
	make_turns(20);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.when = NEVER;
	while (!prover->batch.n)
		make_turns(1);
	clock_ms += 150;
	on_prover_turn(prover);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	clock_ms += 10000;
	on_prover_turn(prover);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	way.when = NEXT_TURN;
	make_turns(5);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
}

static void a_worker_that_stands_still_is_unknown_then_refused_then_proved_again(void **state)
{
	uint64_t sent;

	(void)state;
	way.when = NEXT_TURN;
	make_turns(20);
	way.when = NEVER;
	while (!prover->batch.n)
		make_turns(1);
	sent = prover->node.sent;
	make_turns(PROVER_LATE_MS / PROVER_TURN_MS - 1);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	make_turns(2);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	make_turns(PROVER_STALLED_MS / PROVER_TURN_MS);
	expect_states(PROOF_STATE_REFUSED, PROOF_REASON_STALLED);
	assert_int_equal(prover->node.sent, sent); /* the one batch, counted once */
	way.when = NEXT_TURN;
	make_turns(1);
	assert_int_not_equal(read_shown(0).state, PROOF_STATE_REFUSED);
	assert_int_not_equal(read_shown(1).state, PROOF_STATE_REFUSED);
	make_turns(3);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
}

static void a_document_waits_for_the_batch_under_way(void **state)
{
	(void)state;
	way.when = NEXT_TURN;
	make_turns(20);
	way.when = NEVER;
	while (!prover->batch.n)
		make_turns(1);
	apply_number(&s.second, 2);
	make_turns(3);
	assert_int_equal(shown_node().document, 1);
	way.when = NEXT_TURN;
	make_turns(4);
	assert_int_equal(shown_node().document, 2);
	expect_states(PROOF_STATE_FORWARDED, PROOF_REASON_NONE);
	assert_int_equal(prover->node.sent, way.n_probes + prover->batch.n);
}

static void a_document_or_a_verdict_comes_first(void **state)
{
	uint64_t proved_ms;

	(void)state;
	make_turns(20);
	proved_ms = prover->rows.rows[0].shown.proved_ms;
	while (prover->rows.rows[0].shown.proved_ms == proved_ms)
		make_turns(1);
	apply_number(&s.second, 2); /* the row has just been proved */
	make_turns(1);
	assert_int_equal(prover->rows.rows[0].shown.proved_ms, clock_ms);
	assert_int_equal(prover->rows.rows[1].shown.proved_ms, clock_ms);
	process.node.counters.deaths++;
	process.node.pools[0].backends[0].alive = !process.node.pools[0].backends[0].alive;
	make_turns(1);
	assert_int_equal(prover->rows.rows[0].shown.proved_ms, clock_ms);
}

static void a_port_without_the_code_proves_nothing_and_says_so(void **state)
{
	(void)state;
	make_turns(20);
	assert_int_equal(shown_node().ports[0].attached, PROOF_YES);
	assert_int_equal(shown_node().ports[0].up, PROOF_YES);
	assert_int_equal(shown_node().ports[0].program, 33);
	driven.lost = true;
	way.err = -ENOLINK; /* seen by the next probe, not by the next look at ports */
	make_turns(11);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	driven.lost = false;
	way.err = 0;
	v0.up = false;
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_YES);
	assert_int_equal(shown_node().ports[0].up, PROOF_NO);
	v0.ifindex = 0; /* gone */
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
	assert_int_equal(shown_node().ports[0].up, PROOF_NO);
	driven.ifindex = 0; /* the driver has none either */
	v0.ifindex = 5;
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_UNKNOWN);
	process.port_err[0] = -EBUSY;
	prover_links_changed(prover);
	assert_int_equal(shown_node().ports[0].attached, PROOF_NO);
}

static void a_kernel_that_cannot_leaves_all_unknown(void **state)
{
	(void)state;
	way.err = -EOPNOTSUPP;
	make_turns(20);
	expect_states(PROOF_STATE_UNKNOWN, PROOF_REASON_NONE);
	assert_int_equal(prover->node.sent, 0);
}

static void whether_peers_state_has_come_is_shown_at_once(void **state)
{
	(void)state;
	process.node.learning = true;
	make_turns(2);
	assert_int_equal(shown_node().state_arrived, PROOF_NO);
	process.node.learning = false;
	make_turns(1);
	assert_int_equal(shown_node().state_arrived, PROOF_YES);
}

/* As if the document had @p n addresses. */
static void multiply_rows(size_t n)
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
	prover->rows.n = n;
	way.most = 0;
}

static void expect_probes(uint32_t least, uint32_t most)
{
	for (size_t i = 0; i < prover->rows.n; i++)
		assert_in_range(prover->rows.rows[i].n_probes, least, most);
}

static void many_addresses_share_the_limit_evenly(void **state)
{
	unsigned before;

	(void)state;
	make_turns(20);
	multiply_rows(100); /* each once a second, a tenth of them a turn */
	before = way.n_probes;
	make_turns(50);
	assert_int_equal(way.most, 10);
	assert_in_range(way.n_probes - before, 450, 500);
	expect_probes(4, 5);
	multiply_rows(2000); /* 1,000 VIPs in both families: the limit, and each in its turn */
	before = way.n_probes;
	make_turns(100);
	assert_int_equal(way.most, DRIVER_PROBES_MAX);
	assert_int_equal(way.n_probes - before, 2000);
	expect_probes(1, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(both_families_are_proved_and_counted),
		T(one_refusal_is_looked_at_again_and_two_count),
		T(what_comes_out_wrong_is_refused),
		T(the_reason_is_the_workers_or_the_tables),
		T(a_stopped_process_loses_nothing),
		T(a_worker_that_stands_still_is_unknown_then_refused_then_proved_again),
		T(a_document_waits_for_the_batch_under_way),
		T(a_document_or_a_verdict_comes_first),
		T(a_port_without_the_code_proves_nothing_and_says_so),
		T(a_kernel_that_cannot_leaves_all_unknown),
		T(whether_peers_state_has_come_is_shown_at_once),
		T(many_addresses_share_the_limit_evenly),
	};

	return cmocka_run_group_tests_name("prover batch", tests, NULL, NULL);
}
