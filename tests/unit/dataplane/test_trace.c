/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace and the effect on tables as the process makes them, which they must not change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "dataplane/export/effect_internal.h"
#include "tests/unit/suite.h"
#include "weir/trace.h"

#include "tests/unit/dataplane/stage.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void a_malformed_question_is_refused(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "203.0.113.10:80/tcp" },
		{ "192.0.2.1", "203.0.113.10:80/tcp" },
		{ "192.0.2.1:", "203.0.113.10:80/tcp" },
		{ "192.0.2.1:65536", "203.0.113.10:80/tcp" },
		{ "192.0.2.1:-1", "203.0.113.10:80/tcp" },
		{ "192.0.2.1:1 ", "203.0.113.10:80/tcp" },
		{ "192.0.2.1:1", "203.0.113.10:80" },
		{ "192.0.2.1:1", "203.0.113.10:80/sctp" },
		{ "192.0.2.1:1", "203.0.113.10:80/udp:syn" },
		{ "192.0.2.1:1", "203.0.113.10/tcp" },
		{ "192.0.2.1:1", "/tcp" },
		{ "192.0.2.1:1", "[2001:db8:1::10]:80/tcp" }, /* two families */
		{ "2001:db8::1:1", "[2001:db8:1::10]:80/tcp" },
		{ "[2001:db8::1]", "[2001:db8:1::10]:80/tcp" },
		{ "[2001:db8::1:1", "[2001:db8:1::10]:80/tcp" },
		{ "host:1", "203.0.113.10:80/tcp" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace_query q = { .source_port = 7 };

		print_message("  \"%s\" \"%s\"\n", cases[i][0], cases[i][1]);
		assert_int_equal(trace_parse(cases[i][0], cases[i][1], &q), -EINVAL);
		assert_int_equal(q.source_port, 7);
	}
}

static void questions_are_read(void **state)
{
	(void)state;
	struct trace_query q;

	assert_int_equal(trace_parse("192.0.2.1:1234", "203.0.113.10:80/tcp:syn", &q), 0);
	assert_true(addr_is4(&q.source));
	assert_int_equal(q.source_port, 1234);
	assert_int_equal(q.vip_port, 80);
	assert_int_equal(q.protocol, 6);
	assert_true(q.syn);
	assert_int_equal(trace_parse("[2001:db8::1]:1", "[2001:db8:1::10]:53/udp", &q), 0);
	assert_int_equal(q.protocol, 17);
	assert_false(q.syn);
}

static struct trace_result trace_flow(const struct stage *s, const char *source, const char *vip)
{
	struct trace_query q;
	struct trace_result r;

	assert_int_equal(trace_parse(source, vip, &q), 0);
	assert_int_equal(trace_run(&s->node.t, &q, trace_now_s(), &r), 0);
	return r;
}

static void a_length_is_one_that_a_packet_can_have(void **state)
{
	(void)state;
	static const struct {
		const char *source, *vip;
		uint16_t least;
	} cases[] = {
		{ "192.0.2.1:1", "203.0.113.10:80/tcp", 40 },
		{ "192.0.2.1:1", "203.0.113.10:53/udp", 28 },
		{ "[2001:db8::1]:1", "[2001:db8:1::10]:80/tcp", 60 },
		{ "[2001:db8::1]:1", "[2001:db8:1::10]:53/udp", 48 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace_query q;

		assert_int_equal(trace_parse(cases[i].source, cases[i].vip, &q), 0);
		assert_int_equal(q.length, cases[i].least);
		assert_int_equal(trace_set_length(&q, cases[i].least - 1), -EINVAL);
		assert_int_equal(trace_set_length(&q, -1), -EINVAL);
		assert_int_equal(trace_set_length(&q, 65536), -EINVAL);
		assert_int_equal(q.length, cases[i].least);
		assert_int_equal(trace_set_length(&q, 65535), 0);
		assert_int_equal(q.length, 65535);
	}
}

/* A stage whose backends can be reached. */
static void set_forwarding(struct stage *s)
{
	struct addr address;

	stage_init(s);
	assert_int_equal(prefix_parse("10.1.255.0/24", &s->first.node.tunnel_source4), 0);
	addr_of("10.1.1.11", &address);
	apply_world(s, &s->first);
	for (size_t i = 0; i < s->node.pools[0].plan->n_backends; i++) {
		struct fwd_backend *b = &s->node.t.backends[s->node.pools[0].backends[i].index];

		b->flags &= (uint8_t)~FWD_BACKEND_NO_NEXT_HOP;
		memcpy(b->address.bytes, address.bytes, sizeof(address.bytes));
		b->inner_mtu = 1500;
		b->ifindex = 3;
	}
}

static void each_outcome_is_told_with_its_reason(void **state)
{
	(void)state;
	static const struct {
		const char *source, *vip, *action, *reason, *step;
	} cases[] = {
		{ "192.0.2.1:1", "203.0.113.10:80/tcp", "forward", "forwarded", "rewrite" },
		{ "192.0.2.1:1", "203.0.113.10:80/tcp:syn", "forward", "forwarded", "rewrite" },
		{ "192.0.2.1:1", "203.0.113.10:53/udp", "forward", "forwarded", "rewrite" },
		{ "192.0.2.1:1", "203.0.113.10:81/tcp", "drop", "no_service", "service" },
		{ "192.0.2.1:1", "203.0.113.10:80/udp", "drop", "no_service", "service" },
		{ "192.0.2.1:1", "203.0.113.11:80/tcp", "pass", "not_ours", "service" },
		{ "203.0.113.10:1", "203.0.113.10:80/tcp", "drop", "loop", "service" },
		{ "10.1.255.9:1", "203.0.113.10:80/tcp", "drop", "loop", "service" },
	};
	struct stage s;

	set_forwarding(&s);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace_result r = trace_flow(&s, cases[i].source, cases[i].vip);
		bool has_step = false;

		print_message("  %s %s\n", cases[i].source, cases[i].vip);
		assert_string_equal(r.action, cases[i].action);
		assert_string_equal(r.reason, cases[i].reason);
		for (size_t k = 0; k < r.n_steps; k++)
			has_step |= !strcmp(r.steps[k].step, cases[i].step);
		assert_true(has_step);
		assert_string_equal(r.steps[r.n_steps - 1].step, "verdict");
	}
	stage_fini(&s);
}

static void a_packet_that_is_too_big_is_told_so(void **state)
{
	(void)state;
	static const struct {
		const char *source, *vip;
		uint16_t length;
		const char *action, *reason;
	} cases[] = {
		{ "192.0.2.1:1", "203.0.113.10:80/tcp", 1500, "forward", "forwarded" },
		{ "192.0.2.1:1", "203.0.113.10:80/tcp", 1501, "answer", "too_big_told" },
		{ "192.0.2.1:1", "203.0.113.10:53/udp", 65535, "answer", "too_big_told" },
		{ "[2001:db8::1]:1", "[2001:db8:1::10]:53/udp", 1500, "forward", "forwarded" },
		{ "[2001:db8::1]:1", "[2001:db8:1::10]:53/udp", 9000, "answer", "too_big_told" },
		{ "0.0.0.1:1", "203.0.113.10:80/tcp", 1501, "drop", "too_big" },
	};
	struct stage s;

	set_forwarding(&s);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace_query q;
		struct trace_result r;

		print_message("  %s %s %u\n", cases[i].source, cases[i].vip, cases[i].length);
		assert_int_equal(trace_parse(cases[i].source, cases[i].vip, &q), 0);
		assert_int_equal(trace_set_length(&q, cases[i].length), 0);
		assert_int_equal(trace_run(&s.node.t, &q, trace_now_s(), &r), 0);
		assert_string_equal(r.action, cases[i].action);
		assert_string_equal(r.reason, cases[i].reason);
	}
	stage_fini(&s);
}

static void a_trace_names_the_backend_that_the_slot_names(void **state)
{
	(void)state;
	struct stage s;
	struct trace_result r;
	const struct fwd_slots *block;
	uint32_t slot, index;

	set_forwarding(&s);
	r = trace_flow(&s, "192.0.2.1:1", "203.0.113.10:80/tcp");
	assert_in_range(r.slot, 0, 4095);
	slot = s.node.pools[0].first_slot + r.slot;
	block = &s.node.t.slots[slot / FWD_SLOTS_PER_BLOCK];
	index = block->slot[slot % FWD_SLOTS_PER_BLOCK] & FWD_SLOT_BACKEND;
	assert_int_equal(s.node.t.backends[index].id, r.backend_id);
	s.node.t.backends[index].flags |= FWD_BACKEND_DEAD;
	r = trace_flow(&s, "192.0.2.1:1", "203.0.113.10:80/tcp");
	assert_string_equal(r.reason, "backend_dead");
	s.node.t.backends[index].flags = FWD_BACKEND_USED | FWD_BACKEND_NO_NEXT_HOP;
	r = trace_flow(&s, "192.0.2.1:1", "203.0.113.10:80/tcp");
	assert_string_equal(r.reason, "no_next_hop");
	stage_fini(&s);
}

static void a_trace_changes_no_table(void **state)
{
	(void)state;
	struct layout_table tables[FWD_TABLE_COUNT];
	void *before[FWD_TABLE_COUNT];
	const struct fwd_tables *t;
	struct stage s;

	set_forwarding(&s);
	t = &s.node.t;
	for (uint32_t i = 0; i < t->n_colds;
	     i++) { /* unsettled, so that each SYN would be remembered */
		t->slots[i / 32].slot[i % 32] |= FWD_SLOT_UNSETTLED;
		t->colds[i].claim[0].base = 1;
		t->colds[i].claim[0].settle_at = UINT32_MAX;
	}
	layout_list(t, tables);
	for (int i = 0; i < FWD_TABLE_COUNT; i++) {
		before[i] = malloc(layout_bytes(&tables[i]));
		assert_non_null(before[i]);
		memcpy(before[i], tables[i].memory, layout_bytes(&tables[i]));
	}
	assert_string_equal(trace_flow(&s, "192.0.2.1:1", "203.0.113.10:80/tcp:syn").action,
	                    "forward");
	assert_false(trace_flow(&s, "192.0.2.1:1", "203.0.113.10:80/tcp:syn").settled);
	for (int i = 0; i < FWD_TABLE_COUNT; i++) {
		print_message("  %s\n", tables[i].name);
		assert_memory_equal(before[i], tables[i].memory, layout_bytes(&tables[i]));
		free(before[i]);
	}
	stage_fini(&s);
}

static uint32_t backend_index(const struct stage *s, uint64_t id)
{
	return indexes_find(s->node.backend_indexes,
	                    compiler_backend_key(hash_text("web-ams"), id));
}

static struct effect_page *scan_tables(const struct stage *s, uint32_t pools, uint32_t backends,
                                       int expected)
{
	struct effect_page *e = calloc(1, effect_page_bytes(pools, backends));

	assert_non_null(e);
	e->max_pools = pools;
	e->max_backends = backends;
	assert_int_equal(effect_scan(&s->node.t, 1000, e), expected);
	return e;
}

static void the_effect_is_counted_in_the_tables(void **state)
{
	(void)state;
	struct stage s;
	struct effect_page *e;
	const struct effect_backend *rows;
	const struct effect_pool *pool;
	uint32_t sum = 0;

	set_forwarding(&s);
	s.node.t.backend_counts[backend_index(&s, 9)] = (struct fwd_count){ 3, 300 };
	s.node.t.backend_counts[s.node.sizes.backends + backend_index(&s, 9)] =
	        (struct fwd_count){ 4, 400 };
	s.node.t.exceptions[5].word[2] =
	        owner_word((uint16_t)backend_index(&s, 9), OWNER_OPEN, owner_end(1000, 30), 1);
	s.node.t.exceptions[6].word[0] =
	        owner_word((uint16_t)backend_index(&s, 9), OWNER_OPEN, owner_end(900, 30), 1);
	e = scan_tables(&s, 4, 8, 0);
	assert_int_equal(e->total.n_pools, 1);
	assert_int_equal(e->total.n_backends, 3);
	assert_int_equal(e->total.n_services, 4);
	assert_int_equal(e->total.exceptions, 1); /* one has ended */
	pool = effect_page_pools(e);
	rows = effect_page_backends(e);
	assert_int_equal(pool->pool, hash_text("web-ams"));
	assert_int_equal(pool->n_slots, 4096);
	assert_int_equal(pool->n_backends, 3);
	for (uint32_t i = 0; i < 3; i++)
		sum += rows[i].slots;
	assert_int_equal(sum + pool->empty, 4096);
	assert_int_equal(rows[2].id, 9);
	assert_int_equal(rows[2].packets, 7);
	assert_int_equal(rows[2].bytes, 700);
	assert_int_equal(rows[2].exceptions, 1);
	free(e);
	free(scan_tables(&s, 0, 8, -ENOSPC));
	stage_fini(&s);
}

SUITE(trace)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_malformed_question_is_refused),
		cmocka_unit_test(questions_are_read),
		cmocka_unit_test(a_length_is_one_that_a_packet_can_have),
		cmocka_unit_test(a_packet_that_is_too_big_is_told_so),
		cmocka_unit_test(each_outcome_is_told_with_its_reason),
		cmocka_unit_test(a_trace_names_the_backend_that_the_slot_names),
		cmocka_unit_test(a_trace_changes_no_table),
		cmocka_unit_test(the_effect_is_counted_in_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
