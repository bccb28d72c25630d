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
#include "tests/unit/suite.h"

#define D1 "1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "2222222222222222222222222222222222222222222222222222222222222222"

static const struct pending_clock at_10s = { .boot = "one", .now_ms = 10000 };

static int receive_text(struct version_history *h, const char *name, const char *text,
                        int64_t revision, const struct pending_clock *clock)
{
	struct shared_record r = { .text = text ? strdup(text) : NULL, .revision = revision };

	/* NULL: it was there before this node came */
	history_join(h, clock ? 0 : INT64_MAX);

	snprintf(r.name, sizeof(r.name), "%s", name);
	int err = history_receive(h, &r, clock ? clock : &at_10s);

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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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
		assert_int_equal(history_overdue(h, 14999), 0);
		assert_int_equal(history_overdue(h, 15000), n);
		assert_int_equal(in_force(h, 17999), n);
		assert_int_equal(in_force(h, 18000), 1);
		snprintf(name, sizeof(name), "mark/%" PRIu64, n);
		assert_int_equal(receive_text(h, name, "{\"mark\":\"ended\"}", 50, &at_12s), 0);
		assert_int_equal(in_force(h, 0), 1);
		assert_int_equal(history_overdue(h, 99999), 0);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
	int64_t left_ms;

	(void)state;
	receive_version(h, 1, 0, 0, &at_10s);
	receive_version(h, 2, 1, 5000, &at_10s);
	assert_int_equal(history_pending(h, &at_13s, kept), 1);
	assert_int_equal(kept[0].number, 2);
	assert_string_equal(kept[0].digest, ""); /* the change that made it, which has no id here */
	assert_int_equal(kept[0].left_ms, 2000);
	assert_int_equal(kept[0].noted_ms, 13000);
	history_free(h);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		h = history_new(STORE_VERSIONS_MAX);
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
	h = history_new(STORE_VERSIONS_MAX);
	history_resume(h, kept, 1, &rows[1].clock);
	receive_version(h, 1, 0, 0, NULL);
	receive_version(h, 2, 1, 5000, NULL);
	assert_int_equal(in_force(h, 100), 1);
	assert_int_equal(history_overdue(h, 100), 2);
	history_free(h);
	/* one of another version with that number is none */
	kept[0].left_ms = 2000;
	memset(kept[0].digest, 'e', 64);
	h = history_new(STORE_VERSIONS_MAX);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);

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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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

		v.confirm_within_ms = open == HISTORY_JOIN ? 7000 : 0;
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
		                  "put version/4={\"base\":3,\"change\":\"c3\",\"confirm_within_ms\":7000,\"digest\":\"" D2
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
		struct version_history *h = history_new(STORE_VERSIONS_MAX);
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
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
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

/* Decide a change here, and take what it wrote, as the store of a node that is alone does. */
static void carry_out(struct version_history *h, struct shared_change *c,
                      const struct pending_clock *clock)
{
	static int64_t revision = 1000;

	revision++;
	for (size_t i = 0; i < c->n_puts; i++) {
		c->puts[i].revision = revision;
		assert_int_equal(history_receive(h, &c->puts[i], clock), 0);
	}
	shared_change_fini(c);
}

static int apply_version(struct version_history *h, int64_t within_ms, enum history_open open,
                         const struct pending_clock *clock)
{
	const struct history_mark mark = { .mark = CHAIN_CONFIRMED };
	struct version v = { .digest = D1, .confirm_within_ms = within_ms };
	struct shared_change c;

	shared_change_begin(&c, "c");
	int err = history_apply(h, clock->now_ms, open, &mark, &v, &c);

	if (err)
		shared_change_fini(&c);
	else
		carry_out(h, &c, clock);
	return err;
}

static void decide_version(struct version_history *h, uint64_t number, enum chain_mark decision,
                           const struct pending_clock *clock)
{
	const struct history_mark mark = { .mark = decision };
	struct shared_change c;

	shared_change_begin(&c, "c");
	assert_int_equal(history_decide(h, clock->now_ms, number, &mark, &c), 0);
	carry_out(h, &c, clock);
}

/* The numbers that are known, as "1 4-6". */
static const char *list_known(const struct version_history *h, char text[256])
{
	size_t n = 0;

	text[0] = '\0';
	for (uint64_t i = 1; i < 40 && n < 200; i++) {
		bool is = history_version(h, i, NULL), was = history_version(h, i - 1, NULL),
		     will = history_version(h, i + 1, NULL);

		if (is && (!was || !will))
			n += (size_t)snprintf(text + n, 256 - n, "%s%" PRIu64 "%s",
			                      n && !was ? " " : "", i, was || !will ? "" : "-");
	}
	return text;
}

static void what_can_never_be_in_force_again_goes_first(void **state)
{
	static const struct {
		const char *why;
		/* a: apply; e: and it ends; c: and it is confirmed; o: and it stays open; n: as a, where one is open */
		const char *acts;
		uint64_t in_force;
		const char *known;
	} rows[] = {
		{ "as many as are kept", "aaaa", 4, "1-4" },
		{ "the oldest goes", "aaaaa", 5, "2-5" },
		{ "and the next", "aaaaaaa", 7, "4-7" },
		{ "what has ended goes, not what is in force", "aeeee", 1, "1 3-5" },
		{ "nor what may be in force again", "aaeeoo", 6, "2 4-6" },
		{ "confirmed is final", "aacee", 3, "2-5" },
		{ "with its confirmation", "aaoon", 5, "2-5" },
		{ "what is open goes where something final is above it", "aaooca", 6, "3-6" },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version_history *h = history_new(4);
		uint64_t number = 0;

		print_message("  %s\n", rows[i].why);
		for (const char *act = rows[i].acts; *act; act++) {
			bool is_final = *act == 'a' || *act == 'n';

			assert_int_equal(apply_version(h, is_final ? 0 : 5000,
			                               *act == 'n' || *act == 'a' ? HISTORY_CONFIRM
			                                                          : HISTORY_JOIN,
			                               &at_10s),
			                 0);
			number++;
			if (*act == 'e' || *act == 'c')
				decide_version(h, number,
				               *act == 'e' ? CHAIN_ENDED : CHAIN_CONFIRMED,
				               &at_10s);
		}
		assert_int_equal(in_force(h, 10000), rows[i].in_force);
		assert_string_equal(list_known(h, text), rows[i].known);
		history_free(h);
	}
}

/* What an ended version hides is in force without end, however many end. */
static void a_version_stays_however_many_end_above_it(void **state)
{
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
	struct pending_clock later = at_10s;

	(void)state;
	assert_int_equal(apply_version(h, 0, HISTORY_REFUSE, &at_10s), 0);
	assert_int_equal(apply_version(h, 0, HISTORY_REFUSE, &at_10s), 0);
	for (uint64_t n = 3; n <= STORE_VERSIONS_MAX + 300; n++) {
		assert_int_equal(apply_version(h, 5000, HISTORY_REFUSE, &at_10s), 0);
		decide_version(h, n, CHAIN_ENDED, &at_10s);
	}
	assert_int_equal(in_force(h, 10000), 2);
	assert_int_equal(apply_version(h, 5000, HISTORY_REFUSE, &at_10s), 0);
	assert_int_equal(apply_version(h, 5000, HISTORY_JOIN, &at_10s), 0);
	later.now_ms += 60000;
	assert_int_equal(in_force(h, later.now_ms), 2); /* both have ended here */
	history_free(h);
}

static void what_is_open_may_all_be_in_force_again(void **state)
{
	struct version_history *h = history_new(4);

	(void)state;
	assert_int_equal(apply_version(h, 0, HISTORY_REFUSE, &at_10s), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(apply_version(h, 5000, HISTORY_JOIN, &at_10s), 0);
	assert_int_equal(apply_version(h, 5000, HISTORY_JOIN, &at_10s), -ENOSPC);
	decide_version(h, 4, CHAIN_ENDED, &at_10s); /* makes room: those that it joined end, too */
	assert_int_equal(in_force(h, 10000), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(apply_version(h, 5000, HISTORY_JOIN, &at_10s), 0);
	assert_int_equal(apply_version(h, 5000, HISTORY_JOIN, &at_10s), -ENOSPC);
	assert_int_equal(apply_version(h, 0, HISTORY_CONFIRM, &at_10s), 0);
	assert_int_equal(in_force(h, 10000), 8);
	history_free(h);
}

/* A mark alone is of no version that could be in force. */
static void marks_of_versions_that_are_not_there_make_room(void **state)
{
	struct version_history *h = history_new(2);

	(void)state;
	assert_int_equal(apply_version(h, 0, HISTORY_REFUSE, &at_10s), 0);
	for (int n = 5; n <= 6; n++) {
		char name[16];

		snprintf(name, sizeof(name), "mark/%d", n);
		assert_int_equal(receive_text(h, name, "{\"mark\":\"confirmed\"}", 10 + n, &at_10s),
		                 0);
	}
	assert_int_equal(apply_version(h, 0, HISTORY_REFUSE, &at_10s), 0);
	assert_int_equal(in_force(h, 10000), 2);
	history_free(h);
}

static void deadlines_of_versions_that_are_gone_go(void **state)
{
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
	struct pending_clock now = at_10s;
	struct pending kept[HISTORY_PENDING_MAX];

	(void)state;
	assert_int_equal(apply_version(h, 0, HISTORY_REFUSE, &now), 0);
	for (uint64_t n = 2; n < 3 * STORE_VERSIONS_MAX; n += 2) {
		now.now_ms += 60000;
		assert_int_equal(apply_version(h, 5000, HISTORY_REFUSE, &now), 0);
		assert_int_equal(apply_version(h, 5000, HISTORY_JOIN, &now), 0);
		decide_version(h, n + 1, CHAIN_CONFIRMED,
		               &now); /* nobody decides the one below it */
	}
	history_free(h);
	/* and of those that two lists did not have */
	h = history_new(STORE_VERSIONS_MAX);
	take_two(h);
	for (int i = 0; i < 2; i++) {
		history_clear(h);
		receive_version(h, 1, 0, 0, &at_10s);
		assert_int_equal(history_pending(h, &at_10s, kept), i ? 0 : 1);
	}
	history_free(h);
}

/* A deadline begins for what was made since the node came, whenever the node hears of it. */
static void a_deadline_begins_by_when_the_version_was_made(void **state)
{
	static const struct {
		const char *why;
		int64_t joined;
		bool begins;
	} rows[] = {
		{ "it came before", 1, true },
		{ "with that version", 2, false },
		{ "later", 9, false },
		{ "it was always there", 0, true },
	};
	const char *const text =
	        "{\"number\":2,\"digest\":\"" D1 "\",\"base\":1,\"confirm_within_ms\":5000}";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version_history *h = history_new(STORE_VERSIONS_MAX);
		struct shared_record r = { .name = "version/2", .revision = 2 };
		int64_t left_ms;

		print_message("  %s\n", rows[i].why);
		r.text = strdup(text);
		receive_version(h, 1, 0, 0, &at_10s);
		assert_int_equal(receive_text(h, "head", "{\"number\":2}", 2, &at_10s), 0);
		history_join(h, rows[i].joined);
		assert_int_equal(history_receive(h, &r, &at_10s), 0);
		assert_true(history_is_open(h, 10000, &left_ms));
		assert_int_equal(left_ms, rows[i].begins ? 5000 : CHAIN_NEVER);
		history_free(h);
		free(r.text);
	}
}

/* A restored store may give the number, and the same files, to another version. */
static void a_deadline_is_of_the_change_that_made_the_version(void **state)
{
	static const char *const ids[] = { "one", "two" };
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
	const struct pending_clock later = { .boot = "one", .now_ms = 99000 };
	struct pending kept[HISTORY_PENDING_MAX];
	char text[256];
	int64_t left_ms;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct pending_clock *clock = i ? &later : &at_10s;

		history_clear(h);
		receive_version(h, 1, 0, 0, clock);
		snprintf(text, sizeof(text),
		         "{\"number\":2,\"digest\":\"" D1
		         "\",\"base\":1,\"change\":\"%s\",\"confirm_within_ms\":5000}",
		         ids[i]);
		assert_int_equal(receive_text(h, "head", "{\"number\":2}", 2, clock), 0);
		assert_int_equal(receive_text(h, "version/2", text, 2, clock), 0);
		assert_true(history_is_open(h, clock->now_ms, &left_ms));
		assert_int_equal(left_ms, 5000);
		assert_int_equal(history_pending(h, clock, kept), 1);
		assert_string_equal(kept[0].digest, ids[i]);
	}
	history_free(h);
}

/* A version with the time from which it counts. */
static void receive_dated(struct version_history *h, uint64_t number, int64_t effective_ms,
                          int64_t within_ms)
{
	char name[64], text[512];

	snprintf(name, sizeof(name), "version/%" PRIu64, number);
	snprintf(text, sizeof(text),
	         "{\"number\":%" PRIu64 ",\"digest\":\"" D1 "\",\"effective_ms\":%" PRId64
	         ",\"confirm_within_ms\":%" PRId64 "}",
	         number, effective_ms, within_ms);
	assert_int_equal(receive_text(h, name, text, (int64_t)number, &at_10s), 0);
}

static const struct {
	const char *why;
	struct {
		int64_t effective_ms, within_ms, ended_ms;
	} versions[4];
	uint64_t head, final;
	size_t max;
	const char *expected; /* number@since */
} periods_rows[] = {
	{ "nothing", { { 0 } }, 0, 0, 8, "" },
	{ "one", { { 100, 0, 0 } }, 1, 1, 8, " 1@100" },
	{ "each in turn",
	  { { 100, 0, 0 }, { 200, 0, 0 }, { 300, 0, 0 } },
	  3,
	  3,
	  8,
	  " 1@100 2@200 3@300" },
	{ "the last of them",
	  { { 100, 0, 0 }, { 200, 0, 0 }, { 300, 0, 0 } },
	  3,
	  3,
	  2,
	  " 2@200 3@300" },
	{ "it ends, ahead", { { 100, 0, 0 }, { 200, 50, 250 } }, 2, 1, 8, " 1@100 2@200 1@260" },
	{ "below one that stays an end changes nothing",
	  { { 100, 0, 0 }, { 200, 50, 350 }, { 300, 0, 0 } },
	  3,
	  3,
	  8,
	  " 1@100 2@200 3@300" },
	{ "nor does it in the only period that is wanted",
	  { { 100, 0, 0 }, { 200, 50, 350 }, { 300, 0, 0 } },
	  3,
	  3,
	  1,
	  " 3@300" },
	{ "two end one after the other",
	  { { 100, 0, 0 }, { 200, 50, 400 }, { 300, 50, 350 } },
	  3,
	  1,
	  8,
	  " 1@100 2@200 3@300 2@360 1@410" },
	{ "what is open stays by records",
	  { { 100, 0, 0 }, { 200, 50, 0 } },
	  2,
	  1,
	  8,
	  " 1@100 2@200" },
	{ "a clock that went back: the newest counts at once",
	  { { 300, 0, 0 }, { 200, 0, 0 } },
	  2,
	  2,
	  8,
	  " 2@200" },
	{ "above the head nothing counts", { { 100, 0, 0 }, { 200, 0, 0 } }, 1, 1, 8, " 1@100" },
	{ "a mark of one that needs none ends nothing",
	  { { 100, 0, 0 }, { 200, 0, 250 } },
	  2,
	  2,
	  8,
	  " 1@100 2@200" },
};

static void what_was_in_force_follows_from_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(periods_rows) / sizeof(periods_rows[0]); i++) {
		struct version_history *h = history_new(STORE_VERSIONS_MAX);
		struct history_period periods[8];
		char text[256] = "", name[64];

		print_message("  %s\n", periods_rows[i].why);
		assert_null(history_final(h));
		for (uint64_t n = 1; n <= 4 && periods_rows[i].versions[n - 1].effective_ms; n++) {
			receive_dated(h, n, periods_rows[i].versions[n - 1].effective_ms,
			              periods_rows[i].versions[n - 1].within_ms);
			if (!periods_rows[i].versions[n - 1].ended_ms)
				continue;
			snprintf(name, sizeof(name), "mark/%" PRIu64, n);
			snprintf(text, sizeof(text), "{\"mark\":\"ended\",\"time_ms\":%" PRId64 "}",
			         periods_rows[i].versions[n - 1].ended_ms);
			assert_int_equal(receive_text(h, name, text, 50, &at_10s), 0);
		}
		snprintf(text, sizeof(text), "{\"number\":%" PRIu64 "}", periods_rows[i].head);
		assert_int_equal(
		        receive_text(h, "head", periods_rows[i].head ? text : NULL, 60, &at_10s),
		        0);
		size_t n = history_periods(h, 10, periods, periods_rows[i].max);
		text[0] = '\0';
		for (size_t k = 0; k < n; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			         " %" PRIu64 "@%" PRId64, periods[k].number, periods[k].since_ms);
		assert_string_equal(text, periods_rows[i].expected);
		const struct version *final = history_final(h);

		assert_int_equal(final ? final->number : 0, periods_rows[i].final);
		history_free(h);
	}
}

/* Version 1, and version 2 that is tried at site ams. @param mark  what was decided of it at 250 ms; NULL: nothing */
static struct version_history *take_tried(const char *node, const char *site, const char *mark)
{
	struct version_history *h = history_new(STORE_VERSIONS_MAX);
	char text[256];

	history_set_here(h, node, site);
	receive_dated(h, 1, 100, 0);
	assert_int_equal(receive_text(h, "version/2",
	                              "{\"number\":2,\"digest\":\"" D2
	                              "\",\"base\":1,\"effective_ms\":200,"
	                              "\"confirm_within_ms\":5000,\"canary\":\"site/ams\"}",
	                              2, &at_10s),
	                 0);
	assert_int_equal(receive_text(h, "head", "{\"number\":2}", 3, &at_10s), 0);
	snprintf(text, sizeof(text), "{\"mark\":\"%s\",\"time_ms\":250}", mark ? mark : "");
	if (mark)
		assert_int_equal(receive_text(h, "mark/2", text, 4, &at_10s), 0);
	return h;
}

static void what_is_tried_at_a_place_is_in_force_there_alone(void **state)
{
	static const struct {
		const char *node, *site, *mark;
		uint64_t in_force, standing;
		const char *periods;
	} rows[] = {
		{ "ams-1", "ams", NULL, 2, 2, " 1@100 2@200" },
		{ "fra-1", "fra", NULL, 1, 2, " 1@100" },
		{ "fra-1", "", NULL, 1, 2, " 1@100" }, /* it does not know where it is */
		{ "ams-1", "ams", "confirmed", 2, 2, " 1@100 2@200" },
		{ "fra-1", "fra", "confirmed", 2, 2, " 1@100 2@260" },
		{ "ams-1", "ams", "ended", 1, 1, " 1@100 2@200 1@260" },
		{ "fra-1", "fra", "ended", 1, 1, " 1@100" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version_history *h = take_tried(rows[i].node, rows[i].site, rows[i].mark);
		struct history_period periods[8];
		char text[128] = "";

		print_message("  %s %s\n", rows[i].node, rows[i].mark ? rows[i].mark : "");
		assert_int_equal(in_force(h, 10000), rows[i].in_force);
		assert_int_equal(history_standing(h, 10000)->number, rows[i].standing);
		assert_int_equal(history_in_force_at(h, "ams-9", "ams", 10000)->number,
		                 rows[i].standing);
		size_t n = history_periods(h, 10, periods, 8);

		for (size_t k = 0; k < n; k++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			         " %" PRIu64 "@%" PRId64, periods[k].number, periods[k].since_ms);
		assert_string_equal(text, rows[i].periods);
		history_free(h);
	}
}

static void nothing_is_made_on_what_is_tried_and_any_node_decides_of_it(void **state)
{
	struct version_history *h = take_tried("fra-1", "fra", NULL);
	const struct history_mark mark = { .mark = CHAIN_CONFIRMED, .author = "ann" };
	struct shared_change c;
	int64_t left_ms;

	(void)state;
	assert_true(history_is_open(h, 10000, &left_ms));
	assert_int_equal(left_ms, 5000);
	for (enum history_open open = HISTORY_REFUSE; open <= HISTORY_JOIN; open++) {
		struct version v = { .digest = D1, .confirm_within_ms = 9000 };

		shared_change_begin(&c, "c");
		assert_int_equal(history_apply(h, 10000, open, &mark, &v, &c), -EBUSY);
		shared_change_fini(&c);
	}
	shared_change_begin(&c, "c");
	assert_int_equal(history_decide(h, 10000, 2, &mark, &c), 0);
	shared_change_fini(&c);
	assert_int_equal(history_overdue(h, 15000), 2); /* it ends it, too */
	history_free(h);
	/* nor is it made on what is open */
	h = history_new(STORE_VERSIONS_MAX);
	take_two(h);
	for (enum history_open open = HISTORY_REFUSE; open <= HISTORY_JOIN; open++) {
		struct version v = { .digest = D1,
			             .confirm_within_ms = 9000,
			             .canary = "site/ams" };

		shared_change_begin(&c, "c");
		assert_int_equal(history_apply(h, 10000, open, &mark, &v, &c), -EBUSY);
		shared_change_fini(&c);
	}
	history_free(h);
}

static void what_was_in_force_for_good_is_a_way_back(void **state)
{
	struct version_history *h = history_new(STORE_VERSIONS_MAX);

	(void)state;
	receive_version(h, 1, 0, 0, &at_10s);
	for (uint64_t n = 2; n <= 5; n++)
		receive_version(h, n, n - 1, 5000, &at_10s);
	assert_true(history_is_final(h, 1, D1));
	assert_false(history_is_final(h, 1, D2)); /* other files by the same number */
	assert_false(history_is_final(h, 2, D1)); /* open */
	assert_int_equal(receive_text(h, "mark/3", "{\"mark\":\"ended\"}", 50, &at_10s), 0);
	assert_int_equal(receive_text(h, "mark/4", "{\"mark\":\"confirmed\"}", 51, &at_10s), 0);
	assert_true(history_is_final(h, 2, D1)); /* version 4 joined it */
	assert_false(history_is_final(h, 3, D1));
	assert_true(history_is_final(h, 4, D1));
	assert_false(history_is_final(h, 5, D1));
	/* a record without the head that would make it a version */
	assert_int_equal(receive_text(h, "version/6",
	                              "{\"number\":6,\"digest\":\"" D1 "\",\"base\":5}", 52,
	                              &at_10s),
	                 0);
	assert_false(history_is_final(h, 6, D1));
	assert_false(history_is_final(h, 7, D1));
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
		  "see version/4@4\nsee mark/4@0\nput mark/4={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"confirmed\"}\n" },
		{ "end the one in force", 4, CHAIN_ENDED, 10000, 0,
		  "see head@104\nsee version/4@4\nsee mark/4@0\n"
		  "see version/3@3\nsee mark/3@0\n"
		  "put mark/4={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n"
		  "put mark/3={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n" },
		{ "end one that has ended here", 4, CHAIN_ENDED, 18000, 0,
		  "see head@104\nsee version/4@4\nsee mark/4@0\n"
		  "see version/3@3\nsee mark/3@0\n"
		  "put mark/4={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n"
		  "put mark/3={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n" },
		{ "end one that was joined", 3, CHAIN_ENDED, 10000, 0,
		  "see head@104\nsee version/3@3\nsee mark/3@0\n"
		  "put mark/3={\"author\":\"ann\",\"change\":\"c\",\"mark\":\"ended\"}\n" },
	};
	struct version_history *h = history_new(STORE_VERSIONS_MAX);

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

SUITE(history)
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
		cmocka_unit_test(what_can_never_be_in_force_again_goes_first),
		cmocka_unit_test(a_version_stays_however_many_end_above_it),
		cmocka_unit_test(what_is_open_may_all_be_in_force_again),
		cmocka_unit_test(marks_of_versions_that_are_not_there_make_room),
		cmocka_unit_test(deadlines_of_versions_that_are_gone_go),
		cmocka_unit_test(a_deadline_begins_by_when_the_version_was_made),
		cmocka_unit_test(a_deadline_is_of_the_change_that_made_the_version),
		cmocka_unit_test(what_was_in_force_follows_from_records),
		cmocka_unit_test(what_is_tried_at_a_place_is_in_force_there_alone),
		cmocka_unit_test(nothing_is_made_on_what_is_tried_and_any_node_decides_of_it),
		cmocka_unit_test(what_was_in_force_for_good_is_a_way_back),
		cmocka_unit_test(a_version_is_confirmed_or_ended_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
