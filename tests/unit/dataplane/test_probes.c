/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes through tunnels: which entries of the table follow a next hop that moves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "dataplane/probes_internal.h"
#include "weir/model.h"
#include "weir/stats.h"

static unsigned n_changed;
static uint32_t changed_marks;

static int fake_change(struct probes *p, const struct probe_tunnel *t)
{
	(void)p;
	n_changed++;
	changed_marks |= 1u << t->mark;
	return 0;
}

/* A page of words, by metric and label. */
static struct {
	char name[160];
	uint64_t value;
} words[16];
static size_t n_words;

static uint64_t *fake_word(struct stats *s, enum stats_kind kind, const char *name,
                           const char *labels, const char *help)
{
	char full[160];

	(void)s, (void)kind, (void)help;
	snprintf(full, sizeof(full), "%s{%s}", name, labels);
	for (size_t i = 0; i < n_words; i++)
		if (!strcmp(words[i].name, full))
			return &words[i].value;
	assert_true(n_words < 16);
	strcpy(words[n_words].name, full);
	words[n_words].value = 99;
	return &words[n_words++].value;
}

static int counts_say;

static int fake_counts(const struct probes *p, struct probe_counts *out)
{
	(void)p;
	*out = (struct probe_counts){
		.sent = 11, .unknown = 12, .no_source = 13, .too_big = 14, .no_route = 15
	};
	return counts_say;
}

static size_t n_marks = 3;
static bool has_room; /* for the marks, in the kernel's map */

static int fake_marks(const struct model *m, struct probe_mark **out, size_t *n)
{
	static const struct model_backend backend;
	static const struct model_pool pool;

	(void)m;
	*n = n_marks;
	*out = calloc(*n + 1, sizeof(**out));
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = (struct probe_mark){ .mark = 1, .pool = &pool, .backend = &backend };
	return 0;
}

static int fake_set(struct probes *p, const struct probe_tunnel *tunnels, size_t n)
{
	(void)p, (void)tunnels;
	assert_int_equal(n, n_marks);
	return n_marks && !has_room ? -ENOMEM : 0;
}

static int sources_say;

static int fake_sources(struct probes *p, const struct prefix *source4,
                        const struct prefix *source6)
{
	(void)p, (void)source4, (void)source6;
	return sources_say;
}

static bool fake_hop(const struct hops *h, const struct addr *address, struct hop *out)
{
	(void)h, (void)address, (void)out;
	return false;
}

static unsigned n_named;

static void fake_ports(struct probes_filler *f, const struct model *m)
{
	n_named++;
	f->n_ports = m->self->n_ports;
}

/* The private parts too. */
#define probes_name_ports      fake_ports
#define probe_marks(m, out, n) fake_marks(m, out, n)
#define probe_set_tunnels      fake_set
#define probe_set_sources      fake_sources
#define hops_get               fake_hop
#define probe_change_tunnel    fake_change
#define stats_get_counter      fake_word
#define probe_counts(p, out)   fake_counts(p, out)
#include "dataplane/probes.c"

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static const struct {
	const char *backends[6];
	const char *moves;
	uint32_t marks; /* of those that do */
} move_cases[] = {
	{ { "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" },
	  "10.0.0.1",
	  1u << 1 | 1u << 2 | 1u << 3 },
	{ { "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.4" },
	  "10.0.0.2",
	  1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 },
	{ { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.4", "10.0.0.4" },
	  "10.0.0.4",
	  1u << 4 | 1u << 5 | 1u << 6 },
	{ { "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1" },
	  "10.0.0.1",
	  0x7e },
	{ { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6" },
	  "10.0.0.7",
	  0 },
};

/* Marks are 1 on. Pools may share a backend: it has an entry for each, and all move. */
static void all_entries_of_a_backend_move(void **state)
{
	const struct hop hop = { .state = HOP_KNOWN, .route_ifindex = 9, .ifindex = 8 };

	(void)state;
	for (size_t i = 0; i < sizeof(move_cases) / sizeof(move_cases[0]); i++) {
		struct probe_tunnel tunnels[6] = { 0 };
		struct probes_filler f = { .tunnels = tunnels, .n_tunnels = 6 };
		struct addr moves = addr_at(move_cases[i].moves);

		for (uint32_t k = 0; k < 6; k++) {
			tunnels[k].mark = k + 1;
			tunnels[k].backend = addr_at(move_cases[i].backends[k]);
			tunnels[k].ifindex = 5;
		}
		n_changed = 0;
		changed_marks = 0;
		assert_false(probes_hop(&f, &moves, &hop)); /* it is no VIP */
		if (changed_marks != move_cases[i].marks)
			fail_msg("case %zu: %x", i, changed_marks);
		for (uint32_t k = 0; k < 6; k++)
			assert_int_equal(tunnels[k].ifindex,
			                 move_cases[i].marks & 1u << (k + 1) ? 9 : 5);
		unsigned n = n_changed;

		assert_false(probes_hop(&f, &moves, &hop)); /* they are there already */
		assert_int_equal(n_changed, n);
	}
}

static void the_way_follows_what_is_known_of_the_hop(void **state)
{
	static const struct {
		enum hop_state state;
		uint32_t ifindex;
	} cases[] = { { HOP_KNOWN, 9 },
		      { HOP_NO_ROUTE, PROBE_NO_WAY },
		      { HOP_NO_NEIGHBOUR, 5 },
		      { HOP_NO_PORT, 5 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct hop hop = { .state = cases[i].state, .route_ifindex = 9 };

		assert_int_equal(interface_of(&hop, 5), cases[i].ifindex);
	}
}

/* The entries before stay, as many as they are, and what is wanted is known. */
static void a_table_without_room_keeps_what_was_there(void **state)
{
	struct probe_tunnel *before = calloc(1, sizeof(*before));
	struct probes_filler f = {
		.probes = (void *)&f, .tunnels = before, .n_tunnels = 1, .applied = 5
	};
	const struct hop hop = { .state = HOP_KNOWN, .route_ifindex = 9 };
	struct model_node self = { 0 };
	const struct model m = { .self = &self, .meta = { .document = 6 } };

	(void)state;
	before->backend = addr_at("10.0.0.9");
	n_changed = 0;
	probes_apply_model(&f, &m);
	assert_int_equal(f.n_tunnels, 1);
	assert_int_equal(f.n_marks, 3);
	assert_int_equal(f.applied, 5);
	assert_false(probes_hop(&f, &before->backend, &hop));
	assert_int_equal(n_changed, 1);
	free(before);
}

/* A failure may pass: the document is followed as soon as there is room, and once. */
static void a_table_without_room_is_filled_when_there_is_some(void **state)
{
	struct probes_filler f = { .probes = (void *)&f, .applied = 5 };
	struct model_node self = { .n_ports = 1 };
	const struct model m = { .self = &self, .meta = { .document = 6 } };

	(void)state;
	probes_retry(NULL, &m);
	probes_retry(&f, &m); /* nothing has failed */
	assert_int_equal(f.n_marks, 0);
	n_named = 0;
	probes_apply_model(&f, &m);
	probes_retry(&f, &m);
	assert_int_equal(f.applied, 5);
	assert_int_equal(n_named, 0);
	has_room = true;
	sources_say = -EIO; /* probes would leave from the former sources */
	probes_retry(&f, &m);
	assert_int_equal(f.applied, 5);
	assert_int_equal(f.n_tunnels, 0);
	sources_say = 0;
	probes_retry(&f, &m);
	assert_int_equal(f.applied, 6);
	assert_int_equal(f.n_tunnels, 3);
	assert_int_equal(n_named, 1);
	probes_retry(&f, &m);
	assert_int_equal(n_named, 1);
	has_room = false;
	free(f.tunnels);
	free(f.vips);
}

/* Ports that were named are let go; without any, a document without probes names none. */
static void ports_are_let_go_when_no_probe_needs_them(void **state)
{
	struct probes_filler f = { .probes = (void *)&f, .n_ports = 2 };
	struct model_node self = { 0 };
	const struct model m = { .self = &self, .meta = { .document = 6 } };

	(void)state;
	n_marks = 0;
	n_named = 0;
	probes_apply_model(&f, &m);
	assert_int_equal(f.n_ports, 0);
	assert_int_equal(f.applied, 6);
	self.n_ports = 1;
	probes_apply_model(&f, &m);
	assert_int_equal(f.n_ports, 0);
	assert_int_equal(n_named, 1);
	n_marks = 3;
	free(f.tunnels);
	free(f.vips);
}

static void a_vip_s_way_is_to_be_looked_at(void **state)
{
	struct addr vip = addr_at("203.0.113.10"), other = addr_at("203.0.113.11");
	const struct hop hop = { .state = HOP_KNOWN, .route_ifindex = 9 };
	struct addr vips[] = { addr_at("203.0.113.9"), vip };
	struct probes_filler f = { .vips = vips, .n_vips = 2 };

	(void)state;
	assert_true(probes_hop(&f, &vip, &hop));
	assert_false(probes_hop(&f, &other, &hop));
	f.n_vips = 1;
	assert_false(probes_hop(&f, &vip, &hop));
	assert_false(probes_hop(NULL, &vip, &hop));
}

/* Each end has its own word; what is not known yet stays as it was counted. */
static void ends_are_counted_by_their_own_words(void **state)
{
	static const struct {
		const char *name;
		uint64_t value;
	} wanted[] = { { "end=\"sent\"", 11 },
		       { "end=\"unknown-mark\"", 12 },
		       { "end=\"no-source\"", 13 },
		       { "end=\"too-big\"", 14 },
		       { "end=\"no-route\"", 15 } };
	struct probes_filler f = { 0 };

	(void)state;
	make_probe_counters(&f, NULL);
	assert_int_equal(*f.document, 0); /* of an earlier process: not read back yet */
	assert_true(*f.since == PROBE_SINCE_NEVER);
	probes_count(NULL);
	probes_count(&f); /* it could not be loaded */
	assert_int_equal(*f.sent, 99);
	f.probes = (void *)&f;
	counts_say = -EIO;
	probes_count(&f);
	assert_int_equal(*f.sent, 99);
	counts_say = 0;
	probes_count(&f);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool found = false;

		for (size_t k = 0; k < n_words; k++)
			found |= strstr(words[k].name, wanted[i].name) &&
			         words[k].value == wanted[i].value;
		if (!found)
			fail_msg("%s", wanted[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_entries_of_a_backend_move),
		cmocka_unit_test(the_way_follows_what_is_known_of_the_hop),
		cmocka_unit_test(a_table_without_room_keeps_what_was_there),
		cmocka_unit_test(a_table_without_room_is_filled_when_there_is_some),
		cmocka_unit_test(ports_are_let_go_when_no_probe_needs_them),
		cmocka_unit_test(a_vip_s_way_is_to_be_looked_at),
		cmocka_unit_test(ends_are_counted_by_their_own_words),
	};

	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
