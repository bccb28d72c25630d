/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The versions that a node knows: what it takes, what it makes of it, and what its changes rest on. How it goes
 * with several nodes is the simulator's (tests/sim/versions_sim.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/store/history.h"

#define D1 "1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "2222222222222222222222222222222222222222222222222222222222222222"

static const struct pending_clock at_10s = { .boot = "one", .now_ms = 10000 };

static int receive_text(struct version_history *h, const char *name, const char *text,
                        int64_t revision, const struct pending_clock *clock)
{
	struct shared_record r = { .text = text ? strdup(text) : NULL, .revision = revision };

	snprintf(r.name, sizeof(r.name), "%s", name);
	int err = history_receive(h, &r, clock);

	free(r.text);
	return err;
}

static void receive_version(struct version_history *h, uint64_t number, uint64_t from,
                            int64_t within_ms, const struct pending_clock *clock)
{
	char name[64], text[512];

	snprintf(name, sizeof(name), "version/%" PRIu64, number);
	snprintf(text, sizeof(text),
	         "{\"number\":%" PRIu64 ",\"digest\":\"" D1 "\",\"base\":%" PRIu64
	         ",\"confirm_within_ms\":%" PRId64 "}",
	         number, from, within_ms);
	assert_int_equal(receive_text(h, name, text, (int64_t)number, clock), 0);
	snprintf(text, sizeof(text), "{\"number\":%" PRIu64 "}", number);
	assert_int_equal(receive_text(h, "head", text, 100 + (int64_t)number, clock), 0);
}

static uint64_t in_force(const struct version_history *h, int64_t now_ms)
{
	const struct version *v = history_in_force(h, now_ms);

	return v ? v->number : 0;
}

/* Version 1, and version 2 with its deadline. */
static void take_two(struct version_history *h)
{
	receive_version(h, 1, 0, 0, &at_10s);
	receive_version(h, 2, 1, 5000, &at_10s);
}

/* What a change rests on and writes, as "see NAME@REVISION ... put NAME=TEXT ... remove NAME" */
static void assert_change(const struct shared_change *c, const char *expected)
{
	char text[4096] = "";

	for (size_t i = 0; i < c->n_seen; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "see %s@%" PRId64 "\n",
		         c->seen[i].name, c->seen[i].revision);
	for (size_t i = 0; i < c->n_puts; i++)
		if (c->puts[i].text)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "put %s=%s\n",
			         c->puts[i].name, c->puts[i].text);
		else
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "remove %s\n",
			         c->puts[i].name);
	assert_string_equal(text, expected);
}

static void records_come_in_any_order(void **state)
{
	struct version_history *h = history_new();
	enum chain_mark mark;
	int64_t left_ms = 1;

	(void)state;
	assert_null(history_head(h));
	assert_null(history_in_force(h, 0));
	assert_int_equal(receive_text(h, "mark/2", "{\"mark\":\"ended\"}", 9, NULL), 0);
	assert_int_equal(receive_text(h, "head", "{\"number\":2}", 8, NULL), 0);
	assert_null(history_head(h)); /* its version has not come */
	assert_null(history_in_force(h, 0));
	assert_int_equal(receive_text(h, "version/2",
	                              "{\"number\":2,\"digest\":\"" D2
	                              "\",\"base\":1,\"confirm_within_ms\":5000}",
	                              8, NULL),
	                 0);
	assert_int_equal(in_force(h, 0), 2); /* nothing before it is known */
	assert_int_equal(
	        receive_text(h, "version/1", "{\"number\":1,\"digest\":\"" D1 "\"}", 3, NULL), 0);
	assert_int_equal(in_force(h, 0), 1);
	assert_string_equal(history_in_force(h, 0)->digest, D1);
	assert_int_equal(history_head(h)->number, 2);
	assert_string_equal(history_version(h, 2, &mark)->digest, D2);
	assert_int_equal(mark, CHAIN_ENDED);
	assert_non_null(history_version(h, 1, &mark));
	assert_int_equal(mark, CHAIN_UNMARKED);
	assert_null(history_version(h, 3, NULL));
	assert_null(history_version(h, 0, NULL));
	assert_false(history_is_open(h, 0, &left_ms));
	assert_int_equal(left_ms, 1);
	/* and go */
	assert_int_equal(receive_text(h, "mark/2", NULL, 0, NULL), 0);
	assert_int_equal(in_force(h, 0), 2);
	assert_true(history_is_open(h, 0, &left_ms));
	assert_int_equal(left_ms, CHAIN_NEVER); /* it was there before: it has no deadline */
	assert_int_equal(receive_text(h, "version/2", NULL, 0, NULL), 0);
	assert_null(history_in_force(h, 0));
	assert_int_equal(receive_text(h, "head", NULL, 0, NULL), 0);
	assert_null(history_head(h));
	history_free(h);
}

static void what_is_no_record_of_ours_is_refused_and_changes_nothing(void **state)
{
	static const struct {
		const char *name, *text;
		int err;
	} rows[] = {
		{ "head", "{\"number\":0}", -EBADMSG },
		{ "head", "{}", -EBADMSG },
		{ "head", "x", -EBADMSG },
		{ "head", "{\"number\":\"1\"}", -EBADMSG },
		{ "mark/1", "{}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"none\"}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"perhaps\"}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"ended\",\"time_ms\":-1}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"ended\",\"time_ms\":253402300800000}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"ended\",\"author\":\"\\u001b[2J\"}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"ended\",\"reason\":\"\\u001b[2J\"}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"ended\",\"node\":\"\\u001b[2J\"}", -EBADMSG },
		{ "mark/1", "{\"mark\":\"ended\",\"principal\":\"\\u001b[2J\"}", -EBADMSG },
		{ "version/1", "{\"number\":2,\"digest\":\"" D1 "\"}", -EBADMSG },
		{ "version/1", "{\"number\":1,\"digest\":\"x\"}", -EBADMSG },
		{ "version/1", "{\"number\":1,\"digest\":\"" D1 "\",\"base\":1}", -EBADMSG },
		{ "version/1", "{\"number\":1,\"digest\":\"" D1 "\",\"confirm_within_ms\":-1}",
		  -EBADMSG },
		{ "version/1",
		  "{\"number\":1,\"digest\":\"" D1 "\",\"confirm_within_ms\":86400001}", -EBADMSG },
		{ "override/x", "anything", 0 },
		{ "heads", "anything", 0 },
		{ "", "anything", 0 },
	};
	struct version_history *h = history_new();
	enum chain_mark mark;

	(void)state;
	receive_version(h, 1, 0, 0, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s %s\n", rows[i].name, rows[i].text);
		assert_int_equal(receive_text(h, rows[i].name, rows[i].text, 7, &at_10s),
		                 rows[i].err);
		assert_int_equal(in_force(h, 0), 1);
		assert_string_equal(history_version(h, 1, &mark)->digest, D1);
		assert_int_equal(mark, CHAIN_UNMARKED);
	}
	history_free(h);
}

static void a_list_is_all_there_is(void **state)
{
	struct version_history *h = history_new();
	struct version v = { .digest = D2 };
	struct shared_change c;

	(void)state;
	take_two(h);
	history_clear(h);
	assert_null(history_head(h));
	assert_null(history_in_force(h, 0));
	assert_null(history_version(h, 1, NULL));
	assert_null(history_version(h, 2, NULL)); /* of which a deadline is left */
	shared_change_begin(&c, "c");
	assert_int_equal(history_apply(h, 0, HISTORY_REFUSE, NULL, &v, &c), 0);
	assert_int_equal(c.seen[0].revision, 0); /* there is no head any more */
	assert_int_equal(v.number, 1);
	shared_change_fini(&c);
	history_free(h);
}

static void too_many_are_refused(void **state)
{
	struct version_history *h = history_new();
	char name[64];
	unsigned n = 0;

	(void)state;
	do
		snprintf(name, sizeof(name), "mark/%u", ++n);
	while (!receive_text(h, name, "{\"mark\":\"ended\"}", 1, NULL));
	assert_in_range(n, STORE_VERSIONS_MAX + 64, 2 * STORE_VERSIONS_MAX);
	assert_int_equal(receive_text(h, name, "{\"mark\":\"ended\"}", 1, NULL), -EBADMSG);
	assert_int_equal(receive_text(h, "mark/1", NULL, 0, NULL), 0); /* gives its place back */
	assert_int_equal(receive_text(h, name, "{\"mark\":\"ended\"}", 1, NULL), 0);
	history_clear(h);
	assert_int_equal(receive_text(h, "mark/5000", "{\"mark\":\"ended\"}", 1, NULL), 0);
	history_free(h);
}

static void a_deadline_begins_once_and_ends_with_the_mark(void **state)
{
	const struct pending_clock at_12s = { .boot = "one", .now_ms = 12000 };
	struct version_history *h = history_new();
	int64_t left_ms;

	(void)state;
	receive_version(h, 1, 0, 0, &at_10s);
	for (uint64_t life = 0; life < 2; life++) {
		uint64_t n = 2 + life;
		char name[64];

		receive_version(h, n, 1, 5000, &at_10s);
		receive_version(h, n, 1, 5000, &at_12s); /* the same again: it runs on */
		assert_true(history_is_open(h, 10000, &left_ms));
		assert_int_equal(left_ms, 5000);
		assert_true(history_is_open(h, 16000, &left_ms));
		assert_int_equal(left_ms, 0);
		assert_int_equal(history_next_ms(h, 10000), 15000);
		assert_int_equal(history_overdue(h, 14999), 0);
		assert_int_equal(history_overdue(h, 15000), n);
		assert_int_equal(in_force(h, 17999), n);
		assert_int_equal(in_force(h, 18000), 1);
		snprintf(name, sizeof(name), "mark/%" PRIu64, n);
		assert_int_equal(receive_text(h, name, "{\"mark\":\"ended\"}", 50, &at_12s), 0);
		assert_int_equal(in_force(h, 0), 1);
		assert_int_equal(history_overdue(h, 99999), 0);
		assert_int_equal(history_next_ms(h, 0), CHAIN_NEVER);
		/* without its mark, as of a store that went back, no deadline begins again */
		assert_int_equal(receive_text(h, name, NULL, 0, &at_12s), 0);
		assert_true(history_is_open(h, 99999, &left_ms));
		assert_int_equal(left_ms, CHAIN_NEVER);
		assert_int_equal(receive_text(h, name, "{\"mark\":\"ended\"}", 51, &at_12s), 0);
	}
	history_free(h);
}

static void deadlines_outlive_a_restart(void **state)
{
	struct pending kept[HISTORY_PENDING_MAX];
	const struct pending_clock at_13s = { .boot = "one", .now_ms = 13000 };
	static const struct {
		const char *why;
		struct pending_clock clock;
		int64_t left_ms;
	} rows[] = {
		{ "the same boot", { "one", 14000 }, 1000 },
		{ "another boot", { "two", 100 }, 2000 },
	};
	struct version_history *h = history_new();
	int64_t left_ms;

	(void)state;
	receive_version(h, 1, 0, 0, &at_10s);
	receive_version(h, 2, 1, 5000, &at_10s);
	assert_int_equal(history_pending(h, &at_13s, kept), 1);
	assert_int_equal(kept[0].number, 2);
	assert_string_equal(kept[0].digest, D1);
	assert_int_equal(kept[0].left_ms, 2000);
	assert_int_equal(kept[0].noted_ms, 13000);
	history_free(h);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		h = history_new();
		history_resume(h, kept, 1, &rows[i].clock);
		assert_null(history_in_force(h, 0));
		receive_version(h, 1, 0, 0, NULL);
		receive_version(h, 2, 1, 5000, NULL);
		assert_true(history_is_open(h, rows[i].clock.now_ms, &left_ms));
		assert_int_equal(left_ms, rows[i].left_ms);
		history_clear(h); /* a list: the deadline stays for the version that it is of */
		receive_version(h, 1, 0, 0, NULL);
		receive_version(h, 2, 1, 5000, NULL);
		assert_true(history_is_open(h, rows[i].clock.now_ms, &left_ms));
		assert_int_equal(left_ms, rows[i].left_ms);
		history_free(h);
	}
	/* one that had passed has ended here, and does not come back for a moment */
	kept[0].left_ms = 0;
	h = history_new();
	history_resume(h, kept, 1, &rows[1].clock);
	receive_version(h, 1, 0, 0, NULL);
	receive_version(h, 2, 1, 5000, NULL);
	assert_int_equal(in_force(h, 100), 1);
	assert_int_equal(history_overdue(h, 100), 2);
	history_free(h);
	/* one of another version with that number is none */
	kept[0].left_ms = 2000;
	memset(kept[0].digest, 'e', 64);
	h = history_new();
	history_resume(h, kept, 1, &rows[1].clock);
	receive_version(h, 1, 0, 0, NULL);
	receive_version(h, 2, 1, 5000, NULL);
	assert_true(history_is_open(h, 100, &left_ms));
	assert_int_equal(left_ms, CHAIN_NEVER);
	assert_int_equal(history_pending(h, &rows[1].clock, kept), 0);
	/* and a row without a number says nothing */
	history_resume(h, &(struct pending){ 0 }, 1, &rows[1].clock);
	assert_int_equal(in_force(h, 100), 2);
	history_free(h);
}

static void the_newest_deadlines_are_kept(void **state)
{
	struct pending kept[HISTORY_PENDING_MAX];
	struct version_history *h = history_new();

	(void)state;
	receive_version(h, 1, 0, 0, &at_10s);
	for (uint64_t n = 2; n < 2 + HISTORY_PENDING_MAX + 3; n++)
		receive_version(h, n, n - 1, 5000, &at_10s);
	assert_int_equal(history_pending(h, &at_10s, kept), HISTORY_PENDING_MAX);
	assert_int_equal(kept[0].number, HISTORY_PENDING_MAX + 4);
	assert_int_equal(kept[HISTORY_PENDING_MAX - 1].number, 5);
	history_free(h);
}

static void a_new_version_rests_on_what_is_in_force(void **state)
{
	const struct history_mark mark = { .mark = CHAIN_CONFIRMED, .author = "ann", .time_ms = 5 };
	struct version_history *h = history_new();
	struct shared_change c;
	struct version v = { .confirm_within_ms = 5000, .digest = D2 };

	(void)state;
	shared_change_begin(&c, "c1");
	assert_int_equal(history_apply(h, 0, HISTORY_REFUSE, NULL, &v, &c), 0);
	assert_int_equal(v.number, 1);
	assert_int_equal(v.confirm_within_ms, 0); /* there is nothing to go back to */
	assert_change(&c, "see head@0\nsee version/1@0\n"
	                  "put version/1={\"change\":\"c1\",\"digest\":\"" D2 "\",\"number\":1}\n"
	                  "put head={\"change\":\"c1\",\"number\":1}\n");
	shared_change_fini(&c);

	receive_version(h, 1, 0, 0, &at_10s);
	receive_version(h, 2, 1, 5000, &at_10s);
	assert_int_equal(receive_text(h, "mark/2", "{\"mark\":\"ended\"}", 50, &at_10s), 0);
	v.confirm_within_ms = 6000;
	shared_change_begin(&c, "c2");
	assert_int_equal(history_apply(h, 10000, HISTORY_REFUSE, NULL, &v, &c), 0);
	assert_change(
	        &c,
	        "see head@102\nsee version/3@0\n"
	        "put version/3={\"base\":1,\"change\":\"c2\",\"confirm_within_ms\":6000,\"digest\":\"" D2
	        "\",\"number\":3}\n"
	        "put head={\"change\":\"c2\",\"number\":3}\n");
	shared_change_fini(&c);

	receive_version(h, 3, 1, 6000, &at_10s);
	for (int open = HISTORY_REFUSE; open <= HISTORY_JOIN; open++) {
		int err = open == HISTORY_REFUSE ? -EBUSY : 0;

		v.confirm_within_ms = 0;
		shared_change_begin(&c, "c3");
		assert_int_equal(history_apply(h, 15999, (enum history_open)open, &mark, &v, &c),
		                 err);
		assert_change(
		        &c,
		        err ? ""
		        : open == HISTORY_CONFIRM
		                ? "see head@103\nsee version/4@0\nsee mark/3@0\n"
		                  "put version/4={\"base\":3,\"change\":\"c3\",\"digest\":\"" D2
		                  "\",\"number\":4}\n"
		                  "put head={\"change\":\"c3\",\"number\":4}\n"
		                  "put mark/3={\"author\":\"ann\",\"change\":\"c3\",\"mark\":\"confirmed\",\"time_ms\":5}\n"
		                : "see head@103\nsee version/4@0\nsee mark/3@0\n"
		                  "put version/4={\"base\":3,\"change\":\"c3\",\"digest\":\"" D2
		                  "\",\"number\":4}\n"
		                  "put head={\"change\":\"c3\",\"number\":4}\n");
		shared_change_fini(&c);
		/* overdue: its end is decided first, also where it has ended here already */
		shared_change_begin(&c, "c4");
		assert_int_equal(history_apply(h, 16000, (enum history_open)open, &mark, &v, &c),
		                 -EAGAIN);
		assert_int_equal(history_apply(h, 19000, (enum history_open)open, &mark, &v, &c),
		                 -EAGAIN);
		assert_change(&c, "");
	}
	assert_int_equal(receive_text(h, "version/3", NULL, 0, NULL), 0);
	assert_int_equal(history_apply(h, 0, HISTORY_JOIN, NULL, &v, &c), -EBADMSG);
	history_free(h);
}

static void a_number_of_which_something_is_known_is_not_free(void **state)
{
	static const char *const names[] = { "version/2", "mark/2" };
	static const char *const texts[] = { "{\"number\":2,\"digest\":\"" D2 "\"}",
		                             "{\"mark\":\"ended\"}" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct version_history *h = history_new();
		struct version v = { .digest = D2 };
		struct shared_change c;

		receive_version(h, 1, 0, 0, NULL);
		assert_int_equal(receive_text(h, names[i], texts[i], 9, NULL), 0);
		shared_change_begin(&c, "c");
		assert_int_equal(history_apply(h, 0, HISTORY_REFUSE, NULL, &v, &c), -EBADMSG);
		assert_change(&c, "");
		assert_int_equal(receive_text(h, names[i], NULL, 0, NULL), 0);
		assert_int_equal(history_apply(h, 0, HISTORY_REFUSE, NULL, &v, &c), 0);
		shared_change_fini(&c);
		history_free(h);
	}
}

static void a_deadline_that_is_left_keeps_no_number(void **state)
{
	const struct pending left = {
		.number = 2, .boot = "one", .left_ms = 5000, .due_ms = 15000
	};
	struct version_history *h = history_new();
	struct version v = { .digest = D2 };
	struct shared_change c;

	(void)state;
	history_resume(h, &left, 1,
	               &at_10s); /* of a version that a restored backup does not have */
	receive_version(h, 1, 0, 0, NULL);
	shared_change_begin(&c, "c");
	assert_int_equal(history_apply(h, 99999, HISTORY_REFUSE, NULL, &v, &c), 0);
	assert_int_equal(v.number, 2);
	shared_change_fini(&c);
	history_free(h);
}

static void the_oldest_version_goes(void **state)
{
	struct version_history *h = history_new();
	struct shared_change c;
	struct version v = { .digest = D2 };
	static const struct {
		const char *why;
		uint64_t older,
		        newest; /* both are there; the newest has ended: the older is in force */
		const char *removes;
	} rows[] = {
		{ "1,000 may stay", 998, 999, "" },
		{ "of 1,001 the oldest goes", 999, 1000, "remove version/1\nremove mark/1\n" },
		{ "but not if it is in force", 1, 1000, "" },
		{ "or older", 2, 1002, "" },
		{ "the one before it", 3, 1001, "remove version/2\nremove mark/2\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[64], expected[512];

		print_message("  %s\n", rows[i].why);
		history_clear(h);
		receive_version(h, rows[i].older, 0, 0, NULL);
		receive_version(h, rows[i].newest, rows[i].older, 5000, NULL);
		snprintf(name, sizeof(name), "mark/%" PRIu64, rows[i].newest);
		assert_int_equal(receive_text(h, name, "{\"mark\":\"ended\"}", 50, NULL), 0);
		shared_change_begin(&c, "c");
		assert_int_equal(history_apply(h, 0, HISTORY_REFUSE, NULL, &v, &c), 0);
		snprintf(expected, sizeof(expected),
		         "see head@%" PRIu64 "\nsee version/%" PRIu64 "@0\n"
		         "put version/%" PRIu64 "={\"base\":%" PRIu64
		         ",\"change\":\"c\",\"digest\":\"" D2 "\",\"number\":%" PRIu64 "}\n"
		         "put head={\"change\":\"c\",\"number\":%" PRIu64 "}\n%s",
		         100 + rows[i].newest, rows[i].newest + 1, rows[i].newest + 1,
		         rows[i].older, rows[i].newest + 1, rows[i].newest + 1, rows[i].removes);
		assert_change(&c, expected);
		shared_change_fini(&c);
	}
	history_free(h);
}

static void a_version_is_confirmed_or_ended_once(void **state)
{
	static const struct {
		const char *why;
		uint64_t number;
		enum chain_mark mark;
		int64_t now_ms;
		int err;
		const char *change;
	} rows[] = {
		{ "no such version", 9, CHAIN_CONFIRMED, 10000, -ENOENT, "" },
		{ "number 0", 0, CHAIN_ENDED, 10000, -ENOENT, "" },
		{ "needs none", 1, CHAIN_CONFIRMED, 10000, -EALREADY, "" },
		{ "marked", 2, CHAIN_CONFIRMED, 10000, -EALREADY, "" },
		{ "marked, the other way", 2, CHAIN_ENDED, 10000, -EALREADY, "" },
		{ "open, not in force", 3, CHAIN_CONFIRMED, 10000, -EBUSY, "" },
		{ "open, not in force any more", 4, CHAIN_CONFIRMED, 18000, -EBUSY, "" },
		{ "in force", 4, CHAIN_CONFIRMED, 17999, 0,
		  "see mark/4@0\nput mark/4={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"confirmed\"}\n" },
		{ "end the one in force", 4, CHAIN_ENDED, 10000, 0,
		  "see head@104\nsee mark/4@0\n"
		  "put mark/4={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n" },
		{ "end one that has ended here", 4, CHAIN_ENDED, 18000, 0,
		  "see head@104\nsee mark/4@0\n"
		  "put mark/4={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n" },
		{ "end one that was joined", 3, CHAIN_ENDED, 10000, 0,
		  "see head@104\nsee mark/3@0\n"
		  "put mark/3={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n" },
	};
	struct version_history *h = history_new();

	(void)state;
	receive_version(h, 1, 0, 0, &at_10s);
	receive_version(h, 2, 1, 5000, &at_10s);
	assert_int_equal(receive_text(h, "mark/2", "{\"mark\":\"confirmed\"}", 50, &at_10s), 0);
	receive_version(h, 3, 2, 9000, &at_10s);
	receive_version(h, 4, 3, 5000, &at_10s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct history_mark mark = { .mark = rows[i].mark, .author = "ann" };
		struct shared_change c;

		print_message("  %s\n", rows[i].why);
		shared_change_begin(&c, "c");
		assert_int_equal(history_decide(h, rows[i].now_ms, rows[i].number, &mark, &c),
		                 rows[i].err);
		assert_change(&c, rows[i].change);
		shared_change_fini(&c);
	}
	history_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_in_any_order),
		cmocka_unit_test(what_is_no_record_of_ours_is_refused_and_changes_nothing),
		cmocka_unit_test(a_list_is_all_there_is),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(a_deadline_begins_once_and_ends_with_the_mark),
		cmocka_unit_test(deadlines_outlive_a_restart),
		cmocka_unit_test(the_newest_deadlines_are_kept),
		cmocka_unit_test(a_new_version_rests_on_what_is_in_force),
		cmocka_unit_test(a_number_of_which_something_is_known_is_not_free),
		cmocka_unit_test(a_deadline_that_is_left_keeps_no_number),
		cmocka_unit_test(the_oldest_version_goes),
		cmocka_unit_test(a_version_is_confirmed_or_ended_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
