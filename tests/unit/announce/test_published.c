/* SPDX-License-Identifier: BSD-2-Clause */
/* Which reasons of an address are conditions, of which level, and after which time. */
#include "scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "announce/process.h"
#include "tests/unit/suite.h"
#include "weir/announce.h"
#include "weir/condition.h"
#include "weir/model.h"
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
	row.decision.reason = ANNOUNCE_REASON_FAILED; /* for a moment, as with a new document */
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
		                                         ANNOUNCE_REASON_FAILED,
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

/* --- whole texts --- */

static void name_address(struct announce_row *row, uint8_t last)
{
	row->intended.address = addr_from4((const uint8_t[4]){ 192, 0, 2, last });
}

/* All conditions that @p a has: "CODE LEVEL SUBJECT: TEXT", a line each. */
static void expect_conditions(struct announcer *a, uint64_t now_ms, const char *expected)
{
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64], text[4096] = "";
	struct conditions found;

	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a->stats), 0);
	conditions_begin(a->stats, 1);
	published_conditions(a, now_ms);
	conditions_end(a->stats);
	assert_int_equal(conditions_read(run_dir, "announce", &found), 0);
	stats_close(a->stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
	for (uint32_t i = 0; i < found.n; i++) {
		const struct condition *c = &found.items[i];
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "%s %s %s: %s\n", c->code,
		         c->level == CONDITION_DEGRADED ? "degraded" : "?", c->subject, c->text);
	}
	assert_string_equal(text, expected);
}

static void each_difference_says_where_to_look(void **state)
{
	struct announce_row rows[] = {
		{ .decision = { .table = ANNOUNCE_NONE }, .exported = 1 },
		{ .decision = { .table = ANNOUNCE_SHUTDOWN }, .exported = 1 },
		{ .decision = { .table = ANNOUNCE_SHUTDOWN } },
		{ .decision = { .table = ANNOUNCE_NORMAL }, .exported = 1 },
		{ .decision = { .table = ANNOUNCE_NORMAL } }, /* none */
		{ .decision = { .table = ANNOUNCE_NORMAL } }, /* one that is too young */
	};
	struct announcer a = { .rows = rows, .n_rows = COUNT(rows) };
	char web[] = "web";

	(void)state;
	for (uint8_t i = 0; i < COUNT(rows); i++) {
		name_address(&rows[i], i);
		rows[i].decision.reason = ANNOUNCE_REASON_ANNOUNCED;
		rows[i].differs_ms = i == 4 ? 0 : SINCE_MS + (i == 5);
	}
	rows[0].intended.vip = web;
	expect_conditions(
	        &a, SINCE_MS + DIFFERS_MS,
	        "announcement-differs degraded web 192.0.2.0: withdrawn here, but the routing daemon "
	        "still exports it. Look for another route to this address in the daemon's "
	        "configuration\n"
	        "announcement-differs degraded dns 192.0.2.1: in graceful shutdown here, but the "
	        "neighbours still get the normal route. Check that the routing daemon reads the "
	        "kernel table of gshut_table\n"
	        "announcement-differs degraded dns 192.0.2.2: announced here, but no neighbour gets it. "
	        "Look at the routing daemon, its sessions and filters\n"
	        "announcement-differs degraded dns 192.0.2.3: announced here, but no neighbour gets it. "
	        "Look at the routing daemon, its sessions and filters\n");
}

static void differences_beyond_the_most_are_left_out(void **state)
{
	static struct announce_row rows[LISTED_MAX + 2];
	struct announcer a = { .rows = rows, .n_rows = COUNT(rows) };
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64];
	struct conditions found;

	(void)state;
	for (uint8_t i = 0; i < COUNT(rows); i++) {
		name_address(&rows[i], i);
		rows[i].decision.reason = ANNOUNCE_REASON_ANNOUNCED;
		rows[i].differs_ms = SINCE_MS;
	}
	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	conditions_begin(a.stats, 1);
	published_conditions(&a, SINCE_MS + DIFFERS_MS);
	conditions_end(a.stats);
	assert_int_equal(conditions_read(run_dir, "announce", &found), 0);
	assert_int_equal(found.n, LISTED_MAX);
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
}

static void what_the_kernel_refuses_is_said_whole(void **state)
{
	struct announce_row rows[3] = { 0 };
	struct announcer a = { .rows = rows, .n_rows = COUNT(rows) };

	(void)state;
	for (uint8_t i = 0; i < COUNT(rows); i++) {
		name_address(&rows[i], i);
		rows[i].decision.reason = ANNOUNCE_REASON_ANNOUNCED;
	}
	a.kernel[ANNOUNCE_NORMAL].number = 177;
	a.kernel[ANNOUNCE_SHUTDOWN].number = 178;
	expect_conditions(&a, SINCE_MS, "");
	rows[1].refused[ANNOUNCE_SHUTDOWN].retry.err = -ENOBUFS;
	expect_conditions(
	        &a, SINCE_MS,
	        "routes-failed degraded : the kernel refuses to add or delete 1 of Weir's "
	        "routes, such as that of 192.0.2.1: No buffer space available. Look at "
	        "ip -4 route show table 178\n");
	struct addr ip4 = rows[1].intended.address;
	assert_int_equal(addr_parse("2001:db8::1", &rows[1].intended.address), 0);
	expect_conditions(
	        &a, SINCE_MS,
	        "routes-failed degraded : the kernel refuses to add or delete 1 of Weir's "
	        "routes, such as that of 2001:db8::1: No buffer space available. Look at "
	        "ip -6 route show table 178\n");
	rows[1].intended.address = ip4;
	rows[1].refused[ANNOUNCE_NORMAL].retry.err = -EPERM;
	rows[2].refused[ANNOUNCE_NORMAL].retry.err = -ENOBUFS;
	a.list_error = -EIO;
	a.sweep.err = -EBUSY;
	a.forget.err = -EINVAL;
	expect_conditions(
	        &a, SINCE_MS,
	        "routes-failed degraded : the kernel refuses to add or delete 2 of Weir's "
	        "routes, such as that of 192.0.2.1: Operation not permitted. Look at "
	        "ip -4 route show table 177\n"
	        "routes-failed degraded list: the kernel does not give the list of Weir's "
	        "routes: Input/output error\n"
	        "routes-failed degraded former: routes of addresses or tables that are not "
	        "configured any more cannot be deleted: Device or resource busy. Delete "
	        "them: ip -4 route flush table NUMBER proto 177; ip -6 route flush table "
	        "NUMBER proto 177\n");
	a.n_rows = 0;
	a.list_error = a.sweep.err = 0;
	expect_conditions(
	        &a, SINCE_MS,
	        "routes-failed degraded former: routes of addresses or tables that are not "
	        "configured any more cannot be deleted: Invalid argument. Delete "
	        "them: ip -4 route flush table NUMBER proto 177; ip -6 route flush table "
	        "NUMBER proto 177\n");
}

static void what_cannot_be_watched_is_said_whole(void **state)
{
	struct announcer a = { .daemon_error = -EACCES, .daemon_kind = DAEMON_BIRD };
	struct model model = { 0 };

	(void)state;
	expect_conditions(
	        &a, SINCE_MS,
	        "routing-daemon degraded bird: the routing daemon cannot be asked, so what it "
	        "announces is unknown: Permission denied\n");
	a.daemon_kind = DAEMON_FRR;
	a.dataplane_error = -EMFILE;
	a.left_failed = true;
	expect_conditions(
	        &a, SINCE_MS,
	        "routing-daemon degraded frr: the routing daemon cannot be asked, so what it "
	        "announces is unknown: Permission denied\n"
	        "dataplane-unwatched degraded : weir-announce may notice late that "
	        "weir-dataplane has ended: Too many open files. Restart weir-announce "
	        "(kill PID); its routes stay\n"
	        "not-announced degraded : all VIPs are withdrawn: this node forwarded nothing, "
	        "and there is no document. Look at weir-mgmt in weir status and in the "
	        "log\n");
	a.daemon_error = a.dataplane_error = 0;
	a.model = &model; /* with a document each address says so itself */
	expect_conditions(&a, SINCE_MS, "");
}

/* Degraded ones first, and of each level its own rest. */
static void the_rest_of_each_level_is_counted_by_itself(void **state)
{
	static struct announce_row rows[2 * LISTED_MAX + 5];
	struct announcer a = { .rows = rows, .n_rows = COUNT(rows) };
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64];
	struct conditions found;

	(void)state;
	for (uint8_t i = 0; i < COUNT(rows); i++) {
		name_address(&rows[i], i);
		rows[i].since_ms = SINCE_MS;
		rows[i].decision.fact = ANNOUNCE_FACT_COUNT;
		rows[i].decision.reason = i < LISTED_MAX + 2 ? ANNOUNCE_REASON_KEPT_UNPROVED
		                                             : ANNOUNCE_REASON_PORT_DOWN;
	}
	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	conditions_begin(a.stats, 1);
	published_conditions(&a, SINCE_MS + 60000);
	conditions_end(a.stats);
	assert_int_equal(conditions_read(run_dir, "announce", &found), 0);
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(found.n, 2 * LISTED_MAX + 2);
	assert_string_equal(found.items[LISTED_MAX].code, "announcements-unlisted");
	assert_int_equal(found.items[LISTED_MAX].level, CONDITION_DEGRADED);
	assert_string_equal(found.items[LISTED_MAX].text,
	                    "3 more addresses are not announced, or are announced against the "
	                    "evidence. Start with the listed ones");
	assert_string_equal(found.items[2 * LISTED_MAX + 1].code, "announcements-unproved");
	assert_int_equal(found.items[2 * LISTED_MAX + 1].level, CONDITION_NOTE);
	assert_string_equal(found.items[2 * LISTED_MAX + 1].text,
	                    "2 more addresses are announced, although not all is proved. Start "
	                    "with the listed ones");
}

/* --- the page --- */

/* An address in which each field has a value of its own, and what the page must say of it. */
static struct announce_row make_full_row(struct announced_address *expected)
{
	struct announce_row row = {
		.intended = { .vip_hash = 11 },
		.state = { .promised_until_ms = 12,
		           .failed_ms = 13,
		           .hold_ms = 14,
		           .good_since_ms = 15 },
		.decision = { .table = ANNOUNCE_SHUTDOWN,
		              .reason = ANNOUNCE_REASON_DRAINING,
		              .fact = ANNOUNCE_FACT_PROBE,
		              .held_ms = 16 },
		.routes = { .in_kernel = { false, true, false },
		            .imported = { ANNOUNCE_UNKNOWN, ANNOUNCE_NO, ANNOUNCE_YES },
		            .exported = ANNOUNCE_YES },
		.since_ms = 17,
		.differs_ms = 18,
		.query_ms = 19,
		.read_ms = 20,
		.exported = 21,
	};

	name_address(&row, 9);
	*expected = (struct announced_address){ .vip = 11,
		                                .address = row.intended.address,
		                                .promised_until_ms = 12,
		                                .failed_ms = 13,
		                                .hold_ms = 14,
		                                .good_ms = 15,
		                                .table = ANNOUNCE_SHUTDOWN,
		                                .reason = ANNOUNCE_REASON_DRAINING,
		                                .fact = ANNOUNCE_FACT_PROBE,
		                                .held_ms = 16,
		                                .in_kernel = 1 << ANNOUNCE_NORMAL,
		                                .imported = 1 << ANNOUNCE_SHUTDOWN,
		                                .is_read = 1,
		                                .is_export_read = 1,
		                                .since_ms = 17,
		                                .differs_ms = 18,
		                                .query_ms = 19,
		                                .read_ms = 20,
		                                .exported = 21 };
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++) {
		row.facts.truth[i] = (enum announce_truth)(i % 3);
		expected->truth[i] = (uint8_t)(i % 3);
	}
	return row;
}

static void the_page_says_all_of_an_address(void **state)
{
	char run_dir[] = "/tmp/weir-published-XXXXXX", command[64];
	struct announced_address expected[2], shown[2];
	struct announce_row rows[2];
	struct announced_node node;
	struct model model = { .meta.document = 31 };
	struct announcer a = { .rows = rows, .n_rows = 2, .incarnation = 32, .model = &model };

	(void)state;
	rows[0] = make_full_row(&expected[0]);
	rows[1] = make_full_row(&expected[1]);
	name_address(&rows[1], 10);
	expected[1].address = rows[1].intended.address;
	rows[1].routes = (struct announce_routes){ .in_kernel = { false, false, true },
		                                   .imported = { ANNOUNCE_YES, ANNOUNCE_YES,
		                                                 ANNOUNCE_UNKNOWN } };
	expected[1].in_kernel = 1 << ANNOUNCE_SHUTDOWN;
	expected[1].imported = 1 << ANNOUNCE_NORMAL;
	expected[1].is_read = expected[1].is_export_read = 0;
	a.kernel[ANNOUNCE_NORMAL].number = 177;
	a.kernel[ANNOUNCE_SHUTDOWN].number = 178;
	assert_non_null(mkdtemp(run_dir));
	assert_int_equal(stats_create(run_dir, "announce", 64, &a.stats), 0);
	assert_int_equal(announced_create(run_dir, &a.page), 0);
	published_find_counters(&a);
	published_show(&a, SINCE_MS);
	assert_int_equal(a.published_ms, SINCE_MS);
	assert_int_equal(announced_read(a.page, &node, shown, 2, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_memory_equal(&shown[i], &expected[i], sizeof(shown[i]));
	assert_int_equal(node.n_addresses, 2);
	assert_int_equal(node.document, 31);
	assert_int_equal(node.incarnation, 32);
	assert_int_equal(node.table, 177);
	assert_int_equal(node.shutdown_table, 178);
	assert_string_equal(node.daemon, "none");
	assert_string_equal(node.daemon_state, "");
	for (int frr = 0; frr < 2; frr++) {
		a.daemon_error = -EIO;
		a.daemon_kind = frr ? DAEMON_FRR : DAEMON_BIRD;
		a.model = NULL;
		published_show(&a, SINCE_MS);
		assert_int_equal(announced_read(a.page, &node, shown, 2, NULL), 0);
		assert_string_equal(node.daemon, frr ? "frr" : "bird");
		assert_int_equal(node.document, 0);
	}
	announced_close(a.page);
	stats_close(a.stats);
	snprintf(command, sizeof(command), "rm -r %s", run_dir);
	assert_int_equal(system(command), 0);
}

SUITE(published)
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
		cmocka_unit_test(each_difference_says_where_to_look),
		cmocka_unit_test(differences_beyond_the_most_are_left_out),
		cmocka_unit_test(what_the_kernel_refuses_is_said_whole),
		cmocka_unit_test(what_cannot_be_watched_is_said_whole),
		cmocka_unit_test(the_rest_of_each_level_is_counted_by_itself),
		cmocka_unit_test(the_page_says_all_of_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
