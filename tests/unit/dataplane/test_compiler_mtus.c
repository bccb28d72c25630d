/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path MTUs that packets have noted (dataplane/tables/compiler_mtus.c) come into force, within their
 * bounds. The facts about next hops are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/dataplane/hops_scene.h"
#include "tests/unit/dataplane/stage.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define STEP_MS   1000
#define LIFE_MS   600000
#define INNER_MIN 1280

#define OVERHEAD4 20u /* IPIP */
#define OVERHEAD6 40u

/* --- next hops: all are known but one --- */

static const char unknown[] = "10.1.0.13";

static const char *const known[] = { "10.1.0.5", "10.1.0.6", "10.1.0.9", "2001:db8:b::9" };

/* All links have this MTU from now on. 0: nobody watches the next hops */
static void set_link_mtu(uint16_t mtu)
{
	static uint32_t n_forgotten[sizeof(known) / sizeof(known[0])];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!mtu) {
			n_forgotten[i] = hops_forget(known[i]);
			continue;
		}
		if (!hops_dest(known[i]))
			hops_know(known[i], mtu);
		struct dest *d = hops_dest(known[i]);

		for (; n_forgotten[i] > 1; n_forgotten[i]--)
			assert_int_equal(hops_watch(scene.hops, &d->addr), 0);
		hops_link(d)->is.mtu = mtu;
		hops_report(d, 0);
	}
}

/* --- a node with backends "a" and "b" of one pool, and what is told --- */

static void start_stage(struct stage *s, const char *a, const char *b)
{
	stage_init(s);
	hops_begin();
	set_link_mtu(1500);
	s->node.hops = scene.hops;
	hops_become(hops_know(unknown, 1500), HOP_NO_NEIGHBOUR, HOP_BAD_NOT, true, 0);
	addr_of(a, &s->first.backends[0].address);
	addr_of(b, &s->first.backends[1].address);
	s->second.backends[0].address = s->first.backends[0].address;
	s->second.backends[1].address = s->first.backends[1].address;
	apply_world(s, &s->first);
}

static void end_stage(struct stage *s)
{
	stage_fini(s);
	hops_end();
}

static struct fwd_backend *entry_of(const struct stage *s, const char *name)
{
	const struct compiler_pool *p = &s->node.pools[0];

	for (size_t i = 0; i < p->plan->n_backends; i++)
		if (!strcmp(p->plan->backends[i].name, name))
			return &s->node.t.backends[p->backends[i].index];
	fail_msg("no backend %s", name);
	return NULL;
}

/* As the packet path does, and then as the process does, some time later. */
static void report_mtu(struct stage *s, const char *name, uint16_t mtu, uint64_t later_ms)
{
	entry_of(s, name)->learned_mtu = mtu;
	s->node.t.cpus[1].reason[FWD_REASON_TUNNEL_TOO_BIG]++;
	s->time.now_ms += later_ms;
	compiler_update_mtus(&s->node, s->time.now_ms);
}

static void what_is_told_lowers_what_the_tunnel_carries(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "2001:db8:b::9");
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1500 - OVERHEAD6);
	report_mtu(&s, "a", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "a")->learned_mtu, 0);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1500 - OVERHEAD6);
	report_mtu(&s, "b", 1350, 100);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1350 - OVERHEAD6);
	assert_int_equal(s.node.n_low, 2);
	assert_int_equal(s.node.counters.paths_lowered, 2);
	end_stage(&s);
}

static void all_backends_of_an_address_follow(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.5");
	report_mtu(&s, "b", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 2);
	assert_int_equal(s.node.counters.paths_lowered, 1);
	end_stage(&s);
}

static void forgers_take_little_and_slowly(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 9000, 100);
	report_mtu(&s, "a", 1500, 100);
	assert_int_equal(s.node.counters.paths_lowered, 0);
	for (uint16_t mtu = 1499; mtu > 1399; mtu--)
		report_mtu(&s, "a", mtu, 30);
	assert_int_equal(s.node.counters.paths_lowered, 3); /* in three seconds */
	report_mtu(&s, "a", 576, STEP_MS);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, INNER_MIN);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 1);
	end_stage(&s);
}

static void what_is_configured_is_tried_again_after_a_while(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	s.time.now_ms += LIFE_MS - 1;
	compiler_update_mtus(&s.node, s.time.now_ms);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	compiler_update_mtus(&s.node, s.time.now_ms + 1);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 0);
	assert_int_equal(s.node.counters.paths_restored, 1);
	report_mtu(&s, "a", 1400, 2);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	end_stage(&s);
}

static void links_and_documents_change_meanwhile(void **state)
{
	(void)state;
	struct stage s;
	struct addr a;
	struct hop hop;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	set_link_mtu(1350);
	addr_of("10.1.0.5", &a);
	assert_true(hops_get(s.node.hops, &a, &hop));
	compiler_on_hop(&s.node, &a, &hop);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1350 - OVERHEAD4);
	set_link_mtu(1500);
	s.second.model.limits = (struct model_limits){ 128, 512, 65536, 8192 };
	apply_world(&s, &s.second); /* in larger tables */
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1400 - OVERHEAD4);
	assert_int_equal(s.node.n_low, 1);
	end_stage(&s);
}

static void a_backend_without_a_known_way_is_left_alone(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, unknown, "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->learned_mtu, 0);
	assert_int_equal(s.node.n_low, 0);
	end_stage(&s);
}

static void layer_2_has_no_routers_on_its_way(void **state)
{
	(void)state;
	struct stage s;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	s.second.pools[0].mode = MODEL_MODE_L2;
	apply_world(&s, &s.second);
	report_mtu(&s, "a", 1400, 100);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500);
	end_stage(&s);
}

static void another_process_learns_again_and_takes_what_was_noted(void **state)
{
	(void)state;
	struct stage s;
	struct hops *hops;

	start_stage(&s, "10.1.0.5", "10.1.0.9");
	report_mtu(&s, "a", 1400, 100);
	entry_of(&s, "b")->learned_mtu = 1450; /* while no process runs */
	hops = s.node.hops;
	compiler_fini(&s.node);
	start_node(&s, true);
	s.node.hops = hops;
	apply_world(&s, &s.second);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	compiler_update_mtus(&s.node, s.time.now_ms);
	assert_int_equal(entry_of(&s, "a")->inner_mtu, 1500 - OVERHEAD4);
	assert_int_equal(entry_of(&s, "b")->inner_mtu, 1450 - OVERHEAD4);
	end_stage(&s);
}

/* --- an index that another backend has later --- */

/* "a" leaves the document; then time passes until its index is free. */
static void drop_a(struct stage *s)
{
	uint32_t index = (uint32_t)(entry_of(s, "a") - s->node.t.backends);

	s->second.pools[0].backends = &s->second.backends[1];
	s->second.pools[0].n_backends = 1;
	s->second.sets[0] = (struct model_set){ 0, INT64_MAX, &s->second.now[1], 1 };
	s->second.pools[0].n_member_sets = 1;
	apply_world(s, &s->second);
	for (int i = 0; i < 2000; i++) {
		if (indexes_state(s->node.backend_indexes, index) == INDEX_FREE)
			return;
		s->time.now_ms += 250;
		s->time.ticks_ms += 250;
		s->time.wall_clock_ms += 250;
		compiler_tick(&s->node, &s->time);
	}
	fail_msg("index %u is not free", index);
}

/* A document with "c", which no document had before, instead of "a". */
static void add_c(struct stage *s, struct world *w)
{
	make_world(w);
	w->backends[0].name = "c";
	w->backends[0].id = w->now[0].id = w->next[0].id = 6;
	addr_of("10.1.0.6", &w->backends[0].address);
	w->backends[1].address = s->first.backends[1].address;
	w->sets[0] = w->sets[1]; /* without those that were before */
	w->sets[1] = w->sets[2];
	w->pools[0].n_member_sets = 2;
	apply_world(s, w);
}

static const struct {
	const char *why, *b; /* where "b" is */
	uint16_t told_a, told_b;
	uint32_t low_with, low_without; /* paths, with "a" and without */
} freed_cases[] = {
	{ "nothing was told", "10.1.0.9", 0, 0, 0, 0 },
	{ "its way was lowered", "10.1.0.9", 1400, 0, 1, 0 },
	{ "another's way was lowered", "10.1.0.9", 0, 1400, 1, 1 },
	{ "both ways were", "10.1.0.9", 1400, 1350, 2, 1 },
	{ "both have one way", "10.1.0.5", 1400, 0, 2, 1 },
};

static void a_new_backend_at_a_freed_index_inherits_no_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(freed_cases) / sizeof(freed_cases[0]); i++) {
		static struct world third;
		const struct fwd_backend *freed;
		uint16_t inner_b;
		struct stage s;

		print_message("  %s\n", freed_cases[i].why);
		start_stage(&s, "10.1.0.5", freed_cases[i].b);
		freed = entry_of(&s, "a");
		if (freed_cases[i].told_a)
			report_mtu(&s, "a", freed_cases[i].told_a, 100);
		if (freed_cases[i].told_b)
			report_mtu(&s, "b", freed_cases[i].told_b, 100);
		assert_int_equal(s.node.n_low, freed_cases[i].low_with);
		inner_b = entry_of(&s, "b")->inner_mtu;
		drop_a(&s);
		assert_int_equal(s.node.n_low, freed_cases[i].low_without);
		add_c(&s, &third);
		assert_ptr_equal(entry_of(&s, "c"), freed);
		assert_int_equal(entry_of(&s, "c")->inner_mtu, 1500 - OVERHEAD4);
		assert_int_equal(entry_of(&s, "b")->inner_mtu, inner_b);
		compiler_update_mtus(&s.node, s.time.now_ms);
		assert_int_equal(s.node.n_low, freed_cases[i].low_without);
		report_mtu(&s, "c", 1450, 0); /* this counts as the first word about its way */
		assert_int_equal(entry_of(&s, "c")->inner_mtu, 1450 - OVERHEAD4);
		assert_int_equal(s.node.n_low, freed_cases[i].low_without + 1);
		compiler_update_mtus(&s.node, s.time.now_ms + LIFE_MS);
		assert_int_equal(s.node.n_low, 0);
		assert_int_equal(s.node.counters.paths_restored, freed_cases[i].low_without + 1);
		end_stage(&s);
	}
}

/* What tunnels to both carry, how many paths are low, and the counters. */
static const char *say_paths(const struct stage *s)
{
	static char text[96];

	snprintf(text, sizeof(text), "%u %u low=%u lowered=%u restored=%u",
	         entry_of(s, "a")->inner_mtu, entry_of(s, "b")->inner_mtu, s->node.n_low,
	         (unsigned)s->node.counters.paths_lowered,
	         (unsigned)s->node.counters.paths_restored);
	return text;
}

/* The lines about path MTUs that standard error got, without priorities. */
static void read_lines(FILE *paper, char *out, size_t size)
{
	char line[512];
	size_t n = 0;

	rewind(paper);
	out[0] = '\0';
	while (fgets(line, sizeof(line), paper))
		if (strstr(line, "path-mtu"))
			n += (size_t)snprintf(out + n, size - n, "%s", line);
}

/* Each CPU's counter is news; without news nothing is looked for. */
static void each_step_of_two_paths(void **state)
{
	static const struct {
		uint16_t link, a, b; /* noted MTUs; 0: none */
		int cpu;             /* that counts; -1: none */
		uint64_t ms;
		const char *said;
	} rows[] = {
		{ 1500, 0, 0, -1, 100, "1480 1460 low=0 lowered=0 restored=0" },
		{ 1500, 1400, 0, -1, 100, "1480 1460 low=0 lowered=0 restored=0" },
		{ 1500, 0, 0, 0, 100, "1380 1460 low=1 lowered=1 restored=0" },
		{ 1500, 0, 1300, 1, 100, "1380 1280 low=2 lowered=2 restored=0" },
		{ 1500, 1350, 1290, 0, 100, "1380 1280 low=2 lowered=2 restored=0" },
		{ 1500, 1350, 1290, 0, 1000, "1330 1280 low=2 lowered=4 restored=0" },
		{ 0, 1330, 0, 0, 2000, "1330 1280 low=2 lowered=4 restored=0" },
		{ 1500, 0, 0, 0, 100, "1330 1280 low=2 lowered=4 restored=0" },
		{ 1500, 0, 0, -1, 597899, "1330 1280 low=2 lowered=4 restored=0" },
		{ 1500, 0, 0, -1, 1, "1480 1460 low=0 lowered=4 restored=2" },
		{ 1500, 0, 0, -1, 3000, "1480 1460 low=0 lowered=4 restored=2" },
		{ 1500, 1390, 1380, 1, 100, "1370 1340 low=2 lowered=6 restored=2" },
		{ 1500, 0, 0, -1, 600000, "1480 1460 low=0 lowered=6 restored=4" },
	};
	static const char lines[] =
	        "<5>path-mtu-lowered pool=web-ams backend=a address=10.1.0.5 path_mtu=1400 inner_mtu=1380 more=0\n"
	        "<5>path-mtu-lowered pool=web-ams backend=b address=2001:db8:b::9 path_mtu=1300 inner_mtu=1280 more=0\n"
	        "<5>path-mtu-lowered pool=web-ams backend=a address=10.1.0.5 path_mtu=1350 inner_mtu=1330 more=1\n"
	        "<5>path-mtu-restored pool=web-ams backend=a address=10.1.0.5 path_mtu=0 inner_mtu=1480 more=1\n"
	        "<5>path-mtu-lowered pool=web-ams backend=a address=10.1.0.5 path_mtu=1390 inner_mtu=1370 more=1\n"
	        "<5>path-mtu-restored pool=web-ams backend=a address=10.1.0.5 path_mtu=0 inner_mtu=1480 more=1\n";
	FILE *paper = tmpfile();
	int before = dup(STDERR_FILENO);
	char logged[4096];
	struct stage s;

	(void)state;
	assert_non_null(paper);
	start_stage(&s, "10.1.0.5", "2001:db8:b::9");
	assert_true(dup2(fileno(paper), STDERR_FILENO) >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_link_mtu(rows[i].link);
		entry_of(&s, "a")->learned_mtu =
		        rows[i].a ? rows[i].a : entry_of(&s, "a")->learned_mtu;
		entry_of(&s, "b")->learned_mtu =
		        rows[i].b ? rows[i].b : entry_of(&s, "b")->learned_mtu;
		if (rows[i].cpu >= 0)
			s.node.t.cpus[rows[i].cpu].reason[FWD_REASON_TUNNEL_TOO_BIG]++;
		s.time.now_ms += rows[i].ms;
		compiler_update_mtus(&s.node, s.time.now_ms);
		if (strcmp(say_paths(&s), rows[i].said) != 0)
			fail_msg("row %zu: %s", i, say_paths(&s));
	}
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	read_lines(paper, logged, sizeof(logged));
	fclose(paper);
	assert_string_equal(logged, lines);
	s.node.hops = NULL; /* nobody asks for them */
	entry_of(&s, "a")->learned_mtu = 1300;
	s.node.t.cpus[0].reason[FWD_REASON_TUNNEL_TOO_BIG]++;
	compiler_update_mtus(&s.node, s.time.now_ms);
	assert_int_equal(entry_of(&s, "a")->learned_mtu, 1300);
	end_stage(&s);
}

SUITE(compiler_mtus)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_lowers_what_the_tunnel_carries),
		cmocka_unit_test(all_backends_of_an_address_follow),
		cmocka_unit_test(forgers_take_little_and_slowly),
		cmocka_unit_test(what_is_configured_is_tried_again_after_a_while),
		cmocka_unit_test(links_and_documents_change_meanwhile),
		cmocka_unit_test(a_backend_without_a_known_way_is_left_alone),
		cmocka_unit_test(layer_2_has_no_routers_on_its_way),
		cmocka_unit_test(another_process_learns_again_and_takes_what_was_noted),
		cmocka_unit_test(a_new_backend_at_a_freed_index_inherits_no_path),
		cmocka_unit_test(each_step_of_two_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
