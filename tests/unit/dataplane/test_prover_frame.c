/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probe packets through the real XDP program on a real port: bpf/xdp_prove.c runs them, and
 * dataplane/prover_frame.c chooses their flows and judges what comes out. Programs that are planted
 * pass, drop or mangle everything. Needs root.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/bpf/xdp_stage.h"

#include "dataplane/prover_internal.h"
#include "tests/unit/suite.h"

#define POOL_ID 77u
#define SLOTS   32u

static const uint8_t mac[6] = { 2, 0xaa, 0, 0, 0, 1 };
static struct driver *d;
static struct fwd_tables t;
static uint32_t port;

static union fwd_addr make_address(uint32_t last, bool is4)
{
	union fwd_addr a = { .words_be = { fwd_be32(0x20010db8), 0, 0, fwd_be32(last) } };

	if (is4)
		fwd_addr_from4(&a, fwd_be32(0x0a010000 | last));
	return a;
}

static struct fwd_service make_service(bool is4, uint8_t protocol)
{
	return (struct fwd_service){ .vip = make_address(0xfff0, is4),
		                     .port_be = fwd_be16(80),
		                     .protocol = protocol,
		                     .flags = FWD_SERVICE_USED,
		                     .count = 3 };
}

static void put_services(void)
{
	static const uint8_t protocols[] = { 0, FWD_PROTO_TCP, FWD_PROTO_UDP };

	for (size_t i = 0; i < 2 * sizeof(protocols); i++) {
		struct fwd_service s = make_service(i % 2, protocols[i / 2]);

		if (!protocols[i / 2])
			s.port_be = 0;
		s.pool = protocols[i / 2] ? 0 : FWD_POOL_NONE;
		s.range = protocols[i / 2] ? fwd_pool_range(&t.pools[0]) : FWD_RANGE_NONE;
		assert_true(fwd_service_put(t.services, t.root->n_services, t.root->service_seed[0],
		                            t.root->vip_filter[0], &s) >= 0);
	}
}

static struct fwd_prefix make_prefix(bool is4)
{
	struct fwd_prefix p = { .addr = make_address(0xee00, is4) };

	memset(&p.mask, 0xff, sizeof(p.mask));
	p.mask.bytes[15] = 0;
	return p;
}

static void put_backend(uint32_t i, bool outer4, enum fwd_encap_mode encap)
{
	t.backends[i] = (struct fwd_backend){ .address = make_address(i, outer4),
		                              .inner_mtu = 1400,
		                              .mac_to = { 2, 0xbb, 0, 0, 0, (uint8_t)i },
		                              .mac_from = { 2, 0xaa, 0, 0, 0, 1 },
		                              .encap = (uint8_t)encap,
		                              .flags = FWD_BACKEND_USED,
		                              .gue_port_be = fwd_be16(6080),
		                              .pool_id = POOL_ID };
}

static void own_slots(uint16_t hot)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		t.slots[i / FWD_SLOTS_PER_BLOCK].slot[i % FWD_SLOTS_PER_BLOCK] = hot;
}

/* A pool of two backends, a VIP in both families, TCP and UDP services, and a port that is attached. */
static int setup(void **state)
{
	uint64_t word = 0;

	(void)remove_pins(state);
	d = open_tables(false);
	t = tables_of(d);
	port = if_nametoindex("v0");
	memcpy(&word, mac, sizeof(mac));
	t.root->macs[0] = fwd_mac_word(word, port);
	t.root->hash_key[0] = 1;
	t.root->source4 = make_prefix(true);
	t.root->source6 = make_prefix(false);
	t.pools[0] =
	        (struct fwd_pool){ .slot_range = 5, .idle_s = 60, .remember_s = 30, .id = POOL_ID };
	put_services();
	put_backend(1, true, FWD_ENCAP_IPIP);
	put_backend(2, true, FWD_ENCAP_IPIP);
	own_slots(1);
	attach_port(d, "v0");
	return 0;
}

static int teardown(void **state)
{
	ops->close(d);
	return remove_pins(state);
}

/* What the program does with a probe packet for a service. */
struct result {
	struct prover_flow flow;
	struct driver_probe from;
	struct driver_probes batch;
	int err;
};

static struct result run_probe_of(bool is4, uint8_t protocol)
{
	const struct fwd_service s = make_service(is4, protocol);
	struct result r = { .batch = { .number = 1, .ifindex = port, .n = 1 } };

	assert_int_equal(prover_flow_choose(&t, &s, 0, 0, &r.flow), PROVER_CHOICE_FLOW);
	prover_frame_make(&r.flow, mac, &r.from);
	r.batch.probes[0] = r.from;
	r.err = ops->prove(d, &r.batch);
	return r;
}

static bool is_forwarded(const struct result *r)
{
	return !r->err && r->batch.probes[0].result == DRIVER_PROBE_SENT &&
	       prover_frame_is_forwarded(&t, &r->flow, &r->from, &r->batch.probes[0]);
}

static void assert_no_count(const struct fwd_count *counts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct fwd_count sum = { 0 };

		for (uint32_t c = 0; c < t.n_cpus; c++) {
			sum.packets += counts[c * n + i].packets;
			sum.bytes += counts[c * n + i].bytes;
		}
		assert_int_equal(sum.packets, 0);
		assert_int_equal(sum.bytes, 0);
	}
}

/* Of all CPUs together, as they are shown. */
static void assert_nothing_is_counted(void)
{
	struct fwd_cpu sum = { 0 };

	for (uint32_t c = 0; c < t.n_cpus; c++) {
		sum.received += t.cpus[c].received;
		sum.received_bytes += t.cpus[c].received_bytes;
		for (int i = 0; i < FWD_REASON_COUNT; i++)
			sum.reason[i] += t.cpus[c].reason[i];
		for (int i = 0; i < OWNER_EVENT_COUNT; i++)
			sum.event[i] += t.cpus[c].event[i];
	}
	assert_memory_equal(&sum, &(struct fwd_cpu){ 0 }, sizeof(sum));
	assert_no_count(t.service_counts, t.root->n_service_counts);
	assert_no_count(t.service_news, t.root->n_service_counts);
	assert_no_count(t.backend_counts, t.root->n_backends);
	assert_no_count(t.backend_news, t.root->n_backends);
}

static void each_kind_of_tunnel_is_recognised(void **state)
{
	static const enum fwd_encap_mode modes[] = { FWD_ENCAP_IPIP, FWD_ENCAP_GUE, FWD_ENCAP_L2 };

	(void)state;
	for (size_t mode = 0; mode < 3; mode++) {
		for (unsigned kind = 0; kind < 16; kind++) {
			struct result r;

			put_backend(1, kind & 1, modes[mode]);
			if (kind & 2)
				t.backends[1].vlan = 100;
			r = run_probe_of(kind & 4, kind & 8 ? FWD_PROTO_UDP : FWD_PROTO_TCP);
			if (!is_forwarded(&r))
				fail_msg(
				        "mode %zu, kind %u: %d, result %u, %u bytes, by the tables %u",
				        mode, kind, r.err, r.batch.probes[0].result,
				        r.batch.probes[0].length, r.batch.probes[0].reason);
		}
	}
}

static void a_list_of_owners_is_part_of_the_tunnel(void **state)
{
	struct result r;

	(void)state;
	put_backend(1, true, FWD_ENCAP_GUE);
	put_backend(2, true, FWD_ENCAP_GUE);
	t.backends[1].list_room = t.backends[2].list_room = 16;
	t.pools[0].flags = FWD_POOL_AGENTS;
	memset(t.services, 0, t.n_services * sizeof(*t.services));
	put_services();
	own_slots(1 | FWD_SLOT_UNSETTLED);
	for (uint32_t i = 0; i < SLOTS; i++)
		t.colds[i].list.earlier = 2;
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_false(r.flow.is_quoted);
	assert_true(is_forwarded(&r));
	assert_nothing_is_counted();
}

/* Its own CPU has counted it: with what is taken back, nothing is left. */
static void a_probe_is_not_counted_and_leaves_nothing(void **state)
{
	uint64_t received = 0;

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct result r = run_probe_of(i % 2, i % 3 ? FWD_PROTO_TCP : FWD_PROTO_UDP);

		assert_true(is_forwarded(&r));
	}
	for (uint32_t c = 0; c + 1 < t.n_cpus; c++)
		received += t.cpus[c].received;
	assert_int_equal(received, 10);
	assert_nothing_is_counted();
	for (uint32_t i = 0; i < t.n_exceptions; i++)
		for (int k = 0; k < 8; k++)
			assert_int_equal(t.exceptions[i].word[k], 0);
}

/* Near the end of the settling time every other packet is remembered. */
static void where_all_slots_are_unsettled_nothing_is_remembered(void **state)
{
	struct owner_cold cold = { 0 };

	(void)state;
	cold.claim[OWNER_CLASS_TCP].base = cold.claim[OWNER_CLASS_UDP].base = 2;
	own_slots(1 | FWD_SLOT_UNSETTLED);
	assert_int_equal(ops->tick(d), 0);
	for (unsigned kind = 0; kind < 4; kind++) {
		struct timespec now;
		struct result r;

		clock_gettime(CLOCK_MONOTONIC, &now);
		for (int c = 0; c < OWNER_CLASSES; c++)
			cold.claim[c].settle_at = (uint32_t)now.tv_sec + 5;
		for (uint32_t i = 0; i < SLOTS; i++)
			t.colds[i] = cold;
		r = run_probe_of(kind & 1, kind & 2 ? FWD_PROTO_UDP : FWD_PROTO_TCP);
		assert_true(r.flow.is_quoted);
		assert_true(is_forwarded(&r)); /* by the base, which is not the slot's owner */
		for (uint32_t i = 0; i < SLOTS; i++)
			assert_memory_equal(&t.colds[i], &cold, sizeof(cold));
		for (uint32_t i = 0; i < t.n_exceptions; i++)
			for (int k = 0; k < 8; k++)
				assert_int_equal(t.exceptions[i].word[k], 0);
	}
	assert_nothing_is_counted();
}

static void one_settled_slot_in_ten_is_found(void **state)
{
	unsigned quoted = 0;

	(void)state;
	own_slots(1 | FWD_SLOT_UNSETTLED);
	for (uint32_t i = 0; i < SLOTS; i += 10)
		t.slots[0].slot[i] = 1;
	for (uint32_t start = 0; start < 100; start++) {
		const struct fwd_service s = make_service(true, FWD_PROTO_TCP);
		struct prover_flow f;

		assert_int_equal(prover_flow_choose(&t, &s, 0, start, &f), PROVER_CHOICE_FLOW);
		quoted += f.is_quoted;
	}
	assert_true(quoted <= 2);
}

/* New flows are forwarded, but only a SYN could show it. */
static void where_the_base_is_gone_nothing_is_proved(void **state)
{
	const struct fwd_service s = make_service(true, FWD_PROTO_TCP);
	struct prover_flow f;

	(void)state;
	own_slots(1 | FWD_SLOT_UNSETTLED);
	for (uint32_t i = 0; i < SLOTS; i++)
		t.colds[i].claim[OWNER_CLASS_TCP].base = 2;
	assert_int_equal(prover_flow_choose(&t, &s, 0, 0, &f), PROVER_CHOICE_FLOW);
	t.backends[2].flags |= FWD_BACKEND_DEAD;
	assert_int_equal(prover_flow_choose(&t, &s, 0, 0, &f), PROVER_CHOICE_UNSAFE);
	t.backends[1].flags |= FWD_BACKEND_DEAD; /* nor are new flows */
	assert_int_equal(prover_flow_choose(&t, &s, 0, 0, &f), PROVER_CHOICE_FLOW);
	assert_true(f.is_quoted);
}

static void a_flow_of_a_backend_that_serves_is_preferred(void **state)
{
	struct result r;

	(void)state;
	for (uint32_t i = 0; i < SLOTS - 8; i++)
		t.slots[0].slot[i] = i % 2 ? 2 : 0;
	t.backends[2].flags |= FWD_BACKEND_DEAD;
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_int_equal(r.flow.backend, 1);
	assert_true(is_forwarded(&r));
}

static void a_refusal_has_the_reason_of_the_tables(void **state)
{
	static const struct {
		uint16_t hot;
		uint8_t flags;
		bool has_source;
		enum fwd_reason reason;
	} cases[] = {
		{ 0, FWD_BACKEND_USED, true, FWD_REASON_NO_BACKEND },
		{ 1, FWD_BACKEND_USED | FWD_BACKEND_DEAD, true, FWD_REASON_BACKEND_DEAD },
		{ 1, FWD_BACKEND_USED | FWD_BACKEND_NO_NEXT_HOP, true, FWD_REASON_NO_NEXT_HOP },
		{ 1, FWD_BACKEND_USED, false, FWD_REASON_NO_SOURCE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r;

		own_slots(cases[i].hot);
		t.backends[1].flags = cases[i].flags;
		t.root->source4 =
		        cases[i].has_source ? make_prefix(true) : (struct fwd_prefix){ 0 };
		r = run_probe_of(true, FWD_PROTO_TCP);
		assert_int_equal(r.err, 0);
		assert_int_equal(r.batch.probes[0].result, DRIVER_PROBE_KEPT);
		assert_int_equal(r.batch.probes[0].reason, cases[i].reason);
		assert_nothing_is_counted();
	}
}

/* A program that returns @p action for each frame. */
static int load_planted(int action)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = action },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "planted", "GPL", code, 2, &opts);

	assert_true(fd >= 0);
	return fd;
}

/* As in a bad version: the process's own program passes, drops or sends back all that comes. */
static void a_bad_program_is_refused(void **state)
{
	static const int actions[] = { XDP_PASS, XDP_DROP, XDP_TX, XDP_ABORTED };

	(void)state;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		struct result r;

		close(((struct xdp_driver *)d)->now.prog_fd);
		((struct xdp_driver *)d)->now.prog_fd = load_planted(actions[i]);
		attach_port(d, "v0");
		r = run_probe_of(true, FWD_PROTO_TCP);
		assert_int_equal(r.err, 0);
		assert_false(is_forwarded(&r));
		assert_int_equal(r.batch.probes[0].result,
		                 actions[i] == XDP_TX ? DRIVER_PROBE_SENT : DRIVER_PROBE_KEPT);
		assert_int_equal(r.batch.probes[0].reason,
		                 FWD_REASON_FORWARDED); /* so the program is at fault */
		assert_nothing_is_counted();
	}
}

static void a_port_without_the_program_is_no_link(void **state)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	struct result r;

	(void)state;
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_true(is_forwarded(&r));
	assert_int_equal(ops->ports(d, ports), 1);
	assert_int_equal(ports[0].program, space_xdp_of("v0"));
	space_swap_program(PIN_DIR "/link-v0"); /* it would pass all */
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_int_equal(r.err, -ENOLINK);
	assert_int_equal(r.batch.probes[0].result, DRIVER_PROBE_NOT_RUN);
	assert_nothing_is_counted();
	assert_int_equal(ops->ports(d, ports), 1);
	assert_int_equal(ports[0].program, space_xdp_of("v0"));
	attach_port(d, "v0");
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_true(is_forwarded(&r));
	space_detach_link(PIN_DIR "/link-v0");
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_int_equal(r.err, -ENOLINK);
	attach_port(d, "v0");
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_true(is_forwarded(&r));
	port = 4711; /* no port of ours */
	r = run_probe_of(true, FWD_PROTO_TCP);
	assert_int_equal(r.err, -ENOLINK);
}

/* Each byte that a bad rewrite could get wrong. */
static void a_frame_with_any_wrong_byte_is_no_proof(void **state)
{
	static const enum fwd_encap_mode modes[] = { FWD_ENCAP_IPIP, FWD_ENCAP_L2 };

	(void)state;
	for (size_t mode = 0; mode < 2; mode++) {
		struct result r;
		uint16_t length;

		put_backend(1, true, modes[mode]);
		r = run_probe_of(true, FWD_PROTO_TCP);
		assert_true(is_forwarded(&r));
		length = r.batch.probes[0].length;
		for (uint16_t i = 0; i < length; i++) {
			if (i >= 6 && i < 12) /* the sender's address is the port's own matter */
				continue;
			r.batch.probes[0].frame[i] ^= 0x10;
			if (is_forwarded(&r))
				fail_msg("mode %zu: byte %u of %u may be anything", mode, i,
				         length);
			r.batch.probes[0].frame[i] ^= 0x10;
		}
		for (r.batch.probes[0].length = 0; r.batch.probes[0].length < length;
		     r.batch.probes[0].length++)
			assert_false(is_forwarded(&r));
		assert_true(is_forwarded(&r));
		r.batch.probes[0].length++;
		assert_false(is_forwarded(&r));
		r.batch.probes[0].length = DRIVER_PROBE_LEN + 1;
		assert_false(is_forwarded(&r));
	}
}

static void a_backend_of_another_pool_is_no_proof(void **state)
{
	struct result r = run_probe_of(true, FWD_PROTO_TCP);

	(void)state;
	assert_true(is_forwarded(&r));
	r.flow.backend = 2; /* another one of the pool was expected */
	assert_true(is_forwarded(&r));
	t.backends[1].pool_id = POOL_ID + 1;
	assert_false(is_forwarded(&r));
	t.backends[1].pool_id = POOL_ID;
	t.backends[1].flags = 0;
	assert_false(is_forwarded(&r));
}

static void no_source_is_an_own_address(void **state)
{
	const struct fwd_service s = make_service(true, FWD_PROTO_TCP);
	struct prover_flow f;

	(void)state;
	fwd_addr_from4(&t.root->source4.addr, fwd_be32(0xc6120000));
	for (int i = 12; i < 16; i++)
		t.root->source4.mask.bytes[i] = i == 12 ? 0xff : i == 13 ? 0xfe : 0;
	assert_int_equal(prover_flow_choose(&t, &s, 0, 0, &f), PROVER_CHOICE_NONE);
	t.root->source4.mask.bytes[14] = 0xff;
	assert_int_equal(prover_flow_choose(&t, &s, 0, 0, &f), PROVER_CHOICE_FLOW);
	assert_false(fwd_prefix_has(&t.root->source4, &f.tuple.src));
	assert_int_equal(prover_flow_choose(&t, &s, t.n_pools, 0, &f), PROVER_CHOICE_NONE);
}

static int enter_scene(void **state)
{
	(void)state;
	return space_enter(true);
}

SUITE(prover_frame)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_kind_of_tunnel_is_recognised),
		T(a_list_of_owners_is_part_of_the_tunnel),
		T(a_probe_is_not_counted_and_leaves_nothing),
		T(where_all_slots_are_unsettled_nothing_is_remembered),
		T(one_settled_slot_in_ten_is_found),
		T(where_the_base_is_gone_nothing_is_proved),
		T(a_flow_of_a_backend_that_serves_is_preferred),
		T(a_refusal_has_the_reason_of_the_tables),
		T(a_bad_program_is_refused),
		T(a_port_without_the_program_is_no_link),
		T(a_frame_with_any_wrong_byte_is_no_proof),
		T(a_backend_of_another_pool_is_no_proof),
		T(no_source_is_an_own_address),
	};

	return cmocka_run_group_tests_name("prover frame", tests, enter_scene, NULL);
}
