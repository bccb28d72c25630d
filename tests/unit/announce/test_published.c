/* SPDX-License-Identifier: BSD-2-Clause */
/* Which reasons of an address are conditions, of which level, and after which time. */
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "announce/process.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define SINCE_MS 1000000u

/* The documented values, not the code's own: a change of those is seen. */
#define DIFFERS_MS 5000u
#define LISTED_MAX 16u

struct expected {
	enum announce_reason reason;
	uint64_t for_ms;
	const char *code; /* NULL: no condition */
	enum condition_level level;
	const char *why;
};

static const struct expected cases[] = {
	{ ANNOUNCE_REASON_ANNOUNCED, 3600000, NULL, CONDITION_NOTE, "all is well" },
	{ ANNOUNCE_REASON_KEPT_UNPROVED, 59000, NULL, CONDITION_NOTE, "a document is new" },
	{ ANNOUNCE_REASON_KEPT_UNPROVED, 60000, "announced-unproved", CONDITION_NOTE, "it lasts" },
	{ ANNOUNCE_REASON_KEPT_UNCONFIRMED, 0, "announced-against-evidence", CONDITION_DEGRADED,
	  "nobody else announces it" },
	{ ANNOUNCE_REASON_DRAINING, 3600000, NULL, CONDITION_NOTE, "a drain goes its way" },
	{ ANNOUNCE_REASON_DRAIN_UNCONFIRMED, 4000, NULL, CONDITION_NOTE, "answers take a moment" },
	{ ANNOUNCE_REASON_DRAIN_UNCONFIRMED, 5000, "drain-unconfirmed", CONDITION_DEGRADED,
	  "the drain does not end: the node may not be taken away" },
	{ ANNOUNCE_REASON_DRAINED, 3600000, NULL, CONDITION_NOTE, "a person wants it so" },
	{ ANNOUNCE_REASON_PORT_DOWN, 0, "not-announced", CONDITION_DEGRADED, "no link" },
	{ ANNOUNCE_REASON_PROGRAM_GONE, 0, "not-announced", CONDITION_DEGRADED, "no XDP" },
	{ ANNOUNCE_REASON_SOCKETS_MISSING, 0, "not-announced", CONDITION_DEGRADED, "no DNS" },
	{ ANNOUNCE_REASON_NOTHING_LEAVES, 0, "not-announced", CONDITION_DEGRADED, "no frame" },
	{ ANNOUNCE_REASON_PORT_UNCOVERED, 0, "not-announced", CONDITION_DEGRADED, "a port" },
	{ ANNOUNCE_REASON_POOLS_DOWN, 0, "not-announced", CONDITION_DEGRADED, "no backend" },
	{ ANNOUNCE_REASON_PROBE_REFUSED, 0, "not-announced", CONDITION_DEGRADED, "a failure" },
	{ ANNOUNCE_REASON_HELD, 0, "not-announced", CONDITION_DEGRADED, "a failure is over" },
	{ ANNOUNCE_REASON_HELD, 600000, "not-announced", CONDITION_DEGRADED, "for long" },
	{ ANNOUNCE_REASON_WAITING, 29000, NULL, CONDITION_NOTE, "it has only just started" },
	{ ANNOUNCE_REASON_STOPPED, 29000, NULL, CONDITION_NOTE, "a restart takes a moment" },
	{ ANNOUNCE_REASON_STOPPED, 30000, "not-announced", CONDITION_DEGRADED, "it does not end" },
	{ ANNOUNCE_REASON_WAITING, 30000, "not-announced", CONDITION_DEGRADED, "it lasts" },
	{ ANNOUNCE_REASON_RETURNING, 29000, NULL, CONDITION_NOTE, "the drain has just ended" },
	{ ANNOUNCE_REASON_RETURNING, 30000, "not-announced", CONDITION_DEGRADED,
	  "the node does not come back" },
};

static void check_case(struct announcer *a, const char *run_dir, const struct expected *e)
{
	struct conditions found;

	a->rows[0].decision.reason = e->reason;
	conditions_begin(a->stats, 1);
	published_conditions(a, SINCE_MS + e->for_ms);
	conditions_end(a->stats);
	assert_int_equal(conditions_read(run_dir, "announce", &found), 0);
	if (found.n != (e->code != NULL))
		fail_msg("%s: %u conditions", e->why, found.n);
	if (!e->code)
		return;
	assert_string_equal(found.items[0].code, e->code);
	assert_int_equal(found.items[0].level, e->level);
	assert_string_equal(found.items[0].subject, "web 192.0.2.1");
	assert_string_equal(found.items[0].text, announce_reason_text(e->reason));
}

static void each_reason_is_the_condition_that_operators_need(void **state)
{
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64], web[] = "web";
	struct announce_row row = { .intended = { .vip = web }, .since_ms = SINCE_MS };
	struct announcer a = { .rows = &row, .n_rows = 1 };

	(void)state;
	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(addr_parse("192.0.2.1", &row.intended.address), 0);
	row.decision.fact = row.state.failed_fact = ANNOUNCE_FACT_COUNT;
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	for (size_t i = 0; i < COUNT(cases); i++)
		check_case(&a, run_dir, &cases[i]);
	row.decision.fact = ANNOUNCE_FACT_PORT; /* which these texts name already */
	for (size_t i = 0; i < COUNT(cases); i++)
		if (cases[i].reason >= ANNOUNCE_REASON_PORT_DOWN &&
		    cases[i].reason <= ANNOUNCE_REASON_PROBE_REFUSED)
			check_case(&a, run_dir, &cases[i]);
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
}

/* Run published_conditions() over @p rows. @return what it says */
static struct conditions publish_rows(struct announce_row *rows, size_t n, uint64_t now_ms)
{
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64];
	struct announcer a = { .rows = rows, .n_rows = n };
	struct conditions found;

	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	conditions_begin(a.stats, 1);
	published_conditions(&a, now_ms);
	conditions_end(a.stats);
	assert_int_equal(conditions_read(run_dir, "announce", &found), 0);
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
	return found;
}

/* All that is shown between a withdrawal by evidence and the return; the longest text is whole. */
static void an_address_that_a_failure_withdrew_is_a_condition_until_it_is_back(void **state)
{
	struct announce_row row = { .decision = { .reason = ANNOUNCE_REASON_HELD,
		                                  .fact = ANNOUNCE_FACT_COUNT },
		                    .state = { .hold_ms = ANNOUNCE_HOLD_MS },
		                    .since_ms = SINCE_MS };
	struct conditions found;
	char text[1024];

	(void)state;
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++) {
		row.state.failed_fact = (enum announce_fact)i;
		found = publish_rows(&row, 1, SINCE_MS);
		assert_int_equal(found.n, 1);
		snprintf(text, sizeof(text), "%s. The failure: %s",
		         announce_reason_text(ANNOUNCE_REASON_HELD),
		         announce_fact_text((enum announce_fact)i));
		assert_string_equal(found.items[0].text, text);
	}
	row.decision.reason = ANNOUNCE_REASON_WAITING; /* for a moment, as with a new document */
	row.decision.fact = ANNOUNCE_FACT_DOCUMENT;
	found = publish_rows(&row, 1, SINCE_MS);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.items[0].code, "not-announced");
	assert_int_equal(found.items[0].level, CONDITION_DEGRADED);
	row.decision.reason = ANNOUNCE_REASON_ANNOUNCED;
	assert_int_equal(publish_rows(&row, 1, SINCE_MS).n, 0);
}

static void expect_whole_text(enum announce_reason reason, enum announce_fact fact)
{
	struct announce_row row = { .decision = { .reason = reason, .fact = fact },
		                    .since_ms = SINCE_MS };
	struct conditions found = publish_rows(&row, 1, SINCE_MS + 60000);
	char text[1024];

	snprintf(text, sizeof(text), "%s (%s): %s", announce_reason_text(reason),
	         announce_fact_text(fact), announce_fact_action(fact));
	assert_int_equal(found.n, 1);
	assert_string_equal(found.items[0].text, text);
}

/* Each reason and fact that announce_decide() can give together: what to do comes last, and must be whole. */
static void what_is_to_be_done_is_never_cut_off(void **state)
{
	static const enum announce_fact shared[] = { ANNOUNCE_FACT_COVERED, ANNOUNCE_FACT_POOLS,
		                                     ANNOUNCE_FACT_PROBE };
	static const enum announce_reason against[] = { ANNOUNCE_REASON_KEPT_UNCONFIRMED,
		                                        ANNOUNCE_REASON_KEPT_PROMISED,
		                                        ANNOUNCE_REASON_KEPT_STARTED };
	static const enum announce_reason unproved[] = { ANNOUNCE_REASON_KEPT_UNPROVED,
		                                         ANNOUNCE_REASON_WAITING,
		                                         ANNOUNCE_REASON_RETURNING };

	(void)state;
	for (size_t i = 0; i < COUNT(against); i++)
		for (size_t k = 0; k < COUNT(shared); k++)
			expect_whole_text(against[i], shared[k]);
	for (size_t i = 0; i < COUNT(unproved); i++)
		for (int fact = 0; fact < ANNOUNCE_FACT_COUNT; fact++)
			expect_whole_text(unproved[i], (enum announce_fact)fact);
}

static void a_difference_that_lasts_is_a_condition(void **state)
{
	struct announce_row row = { .decision.reason = ANNOUNCE_REASON_ANNOUNCED,
		                    .differs_ms = SINCE_MS };
	struct conditions found = publish_rows(&row, 1, SINCE_MS + DIFFERS_MS - 1);

	(void)state;
	assert_int_equal(found.n, 0);
	found = publish_rows(&row, 1, SINCE_MS + DIFFERS_MS);
	assert_int_equal(found.n, 1);
	assert_string_equal(found.items[0].code, "announcement-differs");
}

static void of_many_addresses_the_rest_is_counted(void **state)
{
	static const struct {
		enum announce_reason reason;
		const char *code;
	} levels[] = { { ANNOUNCE_REASON_PORT_DOWN, "announcements-unlisted" },
		       { ANNOUNCE_REASON_KEPT_UNPROVED, "announcements-unproved" } };
	static struct announce_row rows[LISTED_MAX + 1];

	(void)state;
	for (uint8_t k = 0; k < COUNT(rows); k++)
		rows[k].intended.address = addr_from4((const uint8_t[4]){ 192, 0, 2, k });
	for (size_t i = 0; i < COUNT(levels); i++)
		for (size_t n = LISTED_MAX; n <= LISTED_MAX + 1; n++) {
			struct conditions found;
			bool counted = false;

			for (size_t k = 0; k < n; k++)
				rows[k].decision.reason = levels[i].reason;
			found = publish_rows(rows, n, SINCE_MS);
			for (size_t k = 0; k < found.n; k++)
				counted |= !strcmp(found.items[k].code, levels[i].code);
			assert_int_equal(found.n, n);
			assert_int_equal(counted, n > LISTED_MAX);
		}
}

/* What is known of the dataplane: of its process, and of an earlier one where there is no document. */
static void what_is_wrong_with_the_dataplane_is_a_condition(void **state)
{
	static const struct {
		int dataplane_error;
		bool left_failed;
		const char *code;
	} facts[] = { { 0, false, NULL },
		      { -EMFILE, false, "dataplane-unwatched" },
		      { 0, true, "not-announced" } };
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64];
	struct announcer a = { 0 };
	struct conditions found;

	(void)state;
	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	for (size_t i = 0; i < COUNT(facts); i++) {
		a.dataplane_error = facts[i].dataplane_error;
		a.left_failed = facts[i].left_failed;
		conditions_begin(a.stats, 1);
		published_conditions(&a, SINCE_MS);
		conditions_end(a.stats);
		assert_int_equal(conditions_read(run_dir, "announce", &found), 0);
		assert_int_equal(found.n, facts[i].code != NULL);
		if (facts[i].code)
			assert_string_equal(found.items[0].code, facts[i].code);
	}
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
}

/* What the counters say of @p rows: "weir_announce_addresses", by the labels. */
static uint64_t read_addresses(const char *run_dir, const char *labels)
{
	struct stats_reader *r;
	uint64_t found = UINT64_MAX;

	assert_int_equal(stats_reader_open(run_dir, "announce", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (!strcmp(e->name, "weir_announce_addresses") && !strcmp(e->labels, labels))
			found = e->value;
	}
	stats_reader_close(r);
	return found;
}

static void addresses_are_counted_by_each_table(void **state)
{
	static const struct {
		const char *labels;
		enum announce_table table;
		size_t n;
	} tables[] = { { "table=\"none\"", ANNOUNCE_NONE, 1 },
		       { "table=\"normal\"", ANNOUNCE_NORMAL, 3 },
		       { "table=\"shutdown\"", ANNOUNCE_SHUTDOWN, 2 } };
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64];
	struct announce_row rows[6] = { 0 };
	struct announcer a = { .rows = rows };

	(void)state;
	for (size_t i = 0; i < COUNT(tables); i++)
		for (size_t k = 0; k < tables[i].n; k++)
			rows[a.n_rows++].decision.table = tables[i].table;
	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	assert_int_equal(announced_create(run_dir, &a.page), 0);
	published_find_counters(&a);
	published_show(&a, SINCE_MS);
	for (size_t i = 0; i < COUNT(tables); i++)
		assert_int_equal(read_addresses(run_dir, tables[i].labels), tables[i].n);
	announced_close(a.page);
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_is_the_condition_that_operators_need),
		cmocka_unit_test(
		        an_address_that_a_failure_withdrew_is_a_condition_until_it_is_back),
		cmocka_unit_test(what_is_to_be_done_is_never_cut_off),
		cmocka_unit_test(a_difference_that_lasts_is_a_condition),
		cmocka_unit_test(of_many_addresses_the_rest_is_counted),
		cmocka_unit_test(what_is_wrong_with_the_dataplane_is_a_condition),
		cmocka_unit_test(addresses_are_counted_by_each_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
