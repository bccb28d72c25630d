/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills in the tables (dataplane/tables/compiler_drill.c): their rows, and what slots say meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tests/unit/dataplane/backed.h"
#include "tests/unit/suite.h"

static struct model_override drill_of(const char *id, const char *clients, int64_t until_ms)
{
	struct model_override o = { .id = id,
		                    .kind = MODEL_OVERRIDE_DRILL,
		                    .target = MODEL_TARGET_SITE,
		                    .name = "ams",
		                    .from_ms = NOW,
		                    .until_ms = until_ms };

	assert_int_equal(prefix_parse(clients, &o.clients), 0);
	return o;
}

/* The row of the drill @p id; NULL: it is in no row. */
static struct fwd_drill *row_of(const char *id)
{
	for (uint32_t i = 0; i < s.node.t.n_drills; i++)
		if (s.node.t.drills[i].id == hash_text(id))
			return &s.node.t.drills[i];
	return NULL;
}

/* The bits of the services in force. */
static uint8_t drill_bits(void)
{
	const struct fwd_root *root = s.node.t.root;
	uint8_t bits = 0;

	for (uint32_t i = 0; i < root->n_services; i++)
		bits |= s.node.t.services[(root->active & 1) * root->n_services + i].drills;
	return bits;
}

static uint32_t slots_aside(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < find_own()->n_slots; i++)
		n += hot_word(i) & FWD_SLOT_UNSETTLED &&
		     s.node.t.colds[find_own()->first_slot + i].claim[OWNER_CLASS_UDP].drill != 0;
	return n;
}

static void a_drill_prepares_then_sends_then_is_over(void **state)
{
	(void)state;
	second.w.overrides[0] = drill_of("d1", "198.51.100.0/24", NOW + 60000);
	apply_overrides(1);
	assert_int_equal(drill_bits(), 1u << (row_of("d1") - s.node.t.drills));
	assert_int_equal(slots_aside(), find_own()->n_slots);
	assert_int_equal(slots_of(PLAN_OWN), find_own()->n_slots);
	pass_ms(OWNERS_SCHEDULE_MS - 100);
	assert_int_equal(row_of("d1")->state, FWD_DRILL_PREPARES);
	pass_ms(200);
	assert_int_equal(row_of("d1")->state, FWD_DRILL_SENDS);
	pass_ms(60000);
	assert_int_equal(row_of("d1")->state, FWD_DRILL_OVER);
	assert_int_equal(slots_aside(), 0);
}

static void a_drill_sends_nothing_to_a_backup_that_is_not_proven(void **state)
{
	(void)state;
	set_verdicts(HEALTH_UP, HEALTH_UNKNOWN);
	second.w.overrides[0] = drill_of("d1", "2001:db8::/32", NOW + 60000);
	apply_overrides(1);
	pass_ms(5000);
	assert_int_equal(row_of("d1")->state, FWD_DRILL_SENDS);
	assert_int_equal(slots_aside(), 0);
	set_verdicts(HEALTH_UP, HEALTH_UP);
	assert_int_equal(slots_aside(), find_own()->n_slots);
	set_verdicts(HEALTH_UP, HEALTH_DOWN);
	assert_int_equal(slots_aside(), 0);
}

static void a_drill_of_another_service_or_site_concerns_nothing(void **state)
{
	(void)state;
	second.w.overrides[0] = drill_of("d1", "198.51.100.0/24", NOW + 60000);
	second.w.overrides[0].service = "other";
	second.w.overrides[1] = drill_of("d2", "198.51.100.0/24", NOW + 60000);
	second.w.overrides[1].name = "fra";
	apply_overrides(2);
	pass_ms(3000);
	assert_int_equal(drill_bits(), 0);
	assert_null(row_of("d2"));
	assert_int_equal(slots_aside(), 0);
	assert_false(hot_word(0) & FWD_SLOT_UNSETTLED);
}

static void a_drill_keeps_its_row_and_counters_over_documents_and_restarts(void **state)
{
	uint32_t row;

	(void)state;
	second.w.overrides[0] = drill_of("d1", "198.51.100.0/24", NOW + 60000);
	apply_overrides(1);
	pass_ms(3000);
	row = (uint32_t)(row_of("d1") - s.node.t.drills);
	s.node.t.drill_counts[row].begun = 7;
	make_backed(&first);
	first.w.model.overrides = first.w.overrides;
	first.w.overrides[0] = drill_of("d0", "203.0.113.0/24", NOW + 60000);
	first.w.overrides[1] = drill_of("d1", "198.51.100.0/24", NOW + 60000);
	first.w.model.n_overrides = 2;
	apply_world(&s, &first.w);
	assert_ptr_equal(row_of("d1"), &s.node.t.drills[row]);
	assert_int_equal(row_of("d1")->state, FWD_DRILL_SENDS);
	assert_int_equal(row_of("d0")->state, FWD_DRILL_PREPARES);
	compiler_fini(&s.node);
	start_node(&s, true);
	make_backed(&second);
	second.w.overrides[0] = drill_of("d1", "198.51.100.0/24", NOW + 60000);
	apply_overrides(1);
	assert_ptr_equal(row_of("d1"), &s.node.t.drills[row]);
	assert_int_equal(row_of("d1")->state, FWD_DRILL_SENDS);
	assert_int_equal(s.node.t.drill_counts[row].begun, 7);
	assert_int_equal(row_of("d0")->state, FWD_DRILL_OVER); /* it ended meanwhile */
}

static void a_drill_stays_below_the_limit_of_the_backup(void **state)
{
	uint32_t at = 0;

	(void)state;
	second.w.overrides[0] = drill_of("d1", "198.51.100.0/24", NOW + 60000);
	apply_overrides(1);
	for (size_t k = 0; k < find_own()->plan->n_backends; k++)
		if (find_own()->plan->backends[k].class == PLAN_BACKUP)
			at = find_own()->backends[k].index;
	pass_ms(2000);
	s.node.t.backend_news[at].packets += 4000; /* of 1000 a second */
	pass_ms(1000);
	assert_in_range(slots_aside(), 1, find_own()->n_slots / 2);
}

/* Each row: whose, its state, the first byte of its clients, and its counters on two CPUs. */
static const char *say_rows(void)
{
	static const char states[] = {
		[FWD_DRILL_OVER] = 'o', [FWD_DRILL_PREPARES] = 'p', [FWD_DRILL_SENDS] = 's'
	};
	static char text[256];
	size_t n = 0;

	for (uint32_t i = 0; i < FWD_DRILLS_MAX; i++) {
		const struct fwd_drill *row = &s.node.t.drills[i];
		char id[3] = "d0";

		while (row->id && id[1] <= '9' && hash_text(id) != row->id)
			id[1]++;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %c %u %u/%u", i ? ", " : "",
		                      row->id ? id : "-", states[row->state],
		                      row->clients.addr.bytes[12],
		                      (unsigned)s.node.t.drill_counts[i].begun,
		                      (unsigned)s.node.t.drill_counts[FWD_DRILLS_MAX + i].begun);
	}
	return text;
}

/* The drills d1 .. whose digits @p ids says, until @p until_ms. */
static void apply_drills(const char *ids, int64_t until_ms)
{
	static struct model_override drills[2][FWD_DRILLS_MAX];
	static char names[2][FWD_DRILLS_MAX][3];
	static unsigned turn;
	struct backed *b = turn++ % 2 ? &first : &second;
	size_t n = strlen(ids);

	make_backed(b);
	for (size_t i = 0; i < n; i++) {
		char clients[16];

		snprintf(names[turn % 2][i], 3, "d%c", ids[i]);
		snprintf(clients, sizeof(clients), "%c.0.0.0/8", ids[i]);
		drills[turn % 2][i] = drill_of(names[turn % 2][i], clients, until_ms);
	}
	b->w.model.overrides = drills[turn % 2];
	b->w.model.n_overrides = n;
	apply_world(&s, &b->w);
	compiler_read_verdicts(&s.node, &s.time);
}

static void count_flows(void)
{
	for (uint32_t i = 0; i < FWD_DRILLS_MAX; i++) {
		s.node.t.drill_counts[i].begun = i + 1;
		s.node.t.drill_counts[FWD_DRILLS_MAX + i].begun = i + 5;
	}
}

/* First the free ones, then those that no drill of the document has, from the first on. */
static void each_drill_has_its_row(void **state)
{
	static const struct {
		const char *drills, *said;
	} rows[] = {
		{ "", "- o 0 1/5, - o 0 2/6, - o 0 3/7, - o 0 4/8" },
		{ "1", "d1 p 1 0/0, - o 0 2/6, - o 0 3/7, - o 0 4/8" },
		{ "", "d1 o 1 1/5, - o 0 2/6, - o 0 3/7, - o 0 4/8" },
		{ "2", "d1 o 1 1/5, d2 p 2 0/0, - o 0 3/7, - o 0 4/8" },
		{ "21", "d1 p 1 1/5, d2 s 2 2/6, - o 0 3/7, - o 0 4/8" },
		{ "12", "d1 s 1 1/5, d2 s 2 2/6, - o 0 3/7, - o 0 4/8" },
		{ "4321", "d1 s 1 1/5, d2 s 2 2/6, d4 p 4 0/0, d3 p 3 0/0" },
		{ "34", "d1 o 1 1/5, d2 o 2 2/6, d4 s 4 3/7, d3 s 3 4/8" },
		{ "345", "d5 p 5 0/0, d2 o 2 2/6, d4 s 4 3/7, d3 s 3 4/8" },
		{ "6345", "d5 s 5 1/5, d6 p 6 0/0, d4 s 4 3/7, d3 s 3 4/8" },
		{ "7", "d7 p 7 0/0, d6 o 6 2/6, d4 o 4 3/7, d3 o 3 4/8" },
		{ "4123", "d1 p 1 0/0, d2 p 2 0/0, d4 p 4 3/7, d3 p 3 4/8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		count_flows();
		apply_drills(rows[i].drills, NOW + 600000);
		if (strcmp(say_rows(), rows[i].said) != 0)
			fail_msg("%s: %s", rows[i].drills, say_rows());
		pass_ms(2000);
	}
}

/* Also when the wall clock goes back, and it runs once more. */
static void each_begin_has_its_time(void **state)
{
	(void)state;
	count_flows();
	apply_drills("12", NOW + 5000);
	for (int life = 0; life < 2; life++) {
		const uint64_t sends_ms = s.time.now_ms + OWNERS_SCHEDULE_MS;

		pass_ms(0);
		assert_string_equal(say_rows(),
		                    life ? "d1 p 1 1/5, d2 p 2 2/6, - o 0 3/7, - o 0 4/8"
		                         : "d1 p 1 0/0, d2 p 2 0/0, - o 0 3/7, - o 0 4/8");
		assert_true(compiler_run_drills(&s.node, &s.time) == sends_ms);
		pass_ms(OWNERS_SCHEDULE_MS - 1);
		assert_true(compiler_run_drills(&s.node, &s.time) == sends_ms);
		assert_int_equal(row_of("d2")->state, FWD_DRILL_PREPARES);
		pass_ms(1);
		assert_int_equal(row_of("d2")->state, FWD_DRILL_SENDS);
		assert_true(compiler_run_drills(&s.node, &s.time) == UINT64_MAX);
		count_flows();
		pass_ms(4000);
		assert_string_equal(say_rows(), "d1 o 1 1/5, d2 o 2 2/6, - o 0 3/7, - o 0 4/8");
		assert_true(compiler_run_drills(&s.node, &s.time) == UINT64_MAX);
		s.time.wall_clock_ms = NOW;
	}
}

/* The drills (those that run: !), the bits of each service's entries, and the tables that are drilled. */
static const char *say_plan(const struct plan *plan)
{
	static char text[256];
	size_t n = 0;

	for (size_t i = 0; i < plan->n_drills; i++) {
		assert_true(plan->drills[i].id == hash_text(plan->drills[i].override->id));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s ",
		                      plan->drills[i].override->id,
		                      plan->drills[i].runs ? "!" : "");
	}
	for (size_t i = 0; i < plan->n_entries; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s=%x", i ? " " : "| ",
		                      plan->entries[i].service == PLAN_NONE
		                              ? "vip"
		                              : plan->services[plan->entries[i].service]->name,
		                      plan->entries[i].entry.drills);
	for (size_t i = 0; i < plan->n_pools; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i ? " " : " | ",
		                      plan->pools[i].backup ? "backed" : "plain",
		                      plan->pools[i].is_drilled ? "!" : "");
	return text;
}

/*
 * Those of this site that last beyond the document, four at most. They concern TCP services of a table
 * with a backup.
 */
static void a_plan_has_the_drills_of_its_site(void **state)
{
	static const struct {
		int64_t at_ms;
		bool changed;
		const char *said;
	} rows[] = {
		{ -1, false,
		  "d0 d1 d2 d3 | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed" },
		{ 0, true,
		  "d0! d1 d2 d3! | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed!" },
		{ 499, false,
		  "d0! d1 d2 d3! | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed!" },
		{ 500, true,
		  "d0! d1! d2 d3! | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed!" },
		{ 999, false,
		  "d0! d1! d2 d3! | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed!" },
		{ 1000, true,
		  "d0 d1! d2 d3 | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed!" },
		{ 1999, false,
		  "d0 d1! d2 d3 | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed!" },
		{ 2000, true,
		  "d0 d1 d2 d3 | vip=0 dns=0 vip=0 dns=0 web=7 web=7 other=d other=d alone=0 alone=0 | plain backed" },
	};
	struct model_override list[9];
	struct model_service services[4];
	char why[PLAN_REASON_MAX];
	struct plan *plan;

	(void)state;
	for (size_t i = 0; i < 9; i++)
		list[i] = drill_of("no", "198.51.100.0/24", NOW + 1000);
	list[0].id = "d0"; /* of all services */
	list[1].kind = MODEL_OVERRIDE_DRAIN;
	list[2].id = "d1";
	list[2].service = "web";
	list[2].from_ms = NOW + 500;
	list[2].until_ms = NOW + 2000;
	list[3].ended = true;
	list[4].name = "fra";
	list[5].until_ms = NOW - 1000; /* over when the document was written */
	list[6].id = "d2";
	list[6].until_ms = NOW - 999;
	list[6].service = "";
	list[7].id = "d3";
	list[7].service = "other";
	list[8].id = "d4"; /* no room */
	memcpy(services, second.w.services, sizeof(second.w.services));
	for (size_t i = 2; i < 4; i++)
		services[i] = (struct model_service){ .name = i == 2 ? "other" : "alone",
			                              .protocol = MODEL_TCP,
			                              .port = (uint16_t)(90 + i),
			                              .at = second.w.web_at,
			                              .n_at = 1 };
	services[2].at = second.w.at;
	second.w.web_at[0] = second.w.at[0];
	second.w.web_at[0].backup = NULL;
	second.w.model.services = services;
	second.w.model.n_services = 4;
	second.w.model.overrides = list;
	second.w.model.n_overrides = 9;
	second.w.model.meta.written_ms = NOW - 1000;
	assert_int_equal(plan_make(&second.w.model, NOW - 2000, &plan, why), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const bool changed = plan_update_drills(plan, NOW + rows[i].at_ms);

		if (changed != rows[i].changed || strcmp(say_plan(plan), rows[i].said) != 0)
			fail_msg("row %zu: %d %s", i, changed, say_plan(plan));
	}
	plan_free(plan);
}

SUITE(compiler_drill)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_drill_prepares_then_sends_then_is_over),
		TEST(a_drill_sends_nothing_to_a_backup_that_is_not_proven),
		TEST(a_drill_of_another_service_or_site_concerns_nothing),
		TEST(a_drill_keeps_its_row_and_counters_over_documents_and_restarts),
		TEST(a_drill_stays_below_the_limit_of_the_backup),
		TEST(each_drill_has_its_row),
		TEST(each_begin_has_its_time),
		TEST(a_plan_has_the_drills_of_its_site),
	};

	return cmocka_run_group_tests_name("compiler drill", tests, NULL, NULL);
}
