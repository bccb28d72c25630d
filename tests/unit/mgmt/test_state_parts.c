/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The node's state over time: since when a reason is there, and what comes or goes as an event
 * and in the metrics.
 */
#include "lone_node.h"
#include "told_time.h"

#include <fcntl.h>
#include <time.h>

#include "mgmt/status/look.h"
#include "mgmt/status/since.h"
#include "mgmt/status/state.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

/* The documented values, not the code's own: a change of those is seen. */
#define A_TURN 16

static struct judge_verdict next;

static const int64_t zero_ms = 1700000000000; /* of the wall clock, when the boot clock was 0 */

static struct look one_look;
/* of the processes whose pages a look finds: weir-dns, and the weir run that states restarts */
static int64_t *const dns_pid = &one_look.processes[OBSERVE_DNS].pid;
static int64_t *const run_pid = &one_look.supervisor.pid;
static struct conditions *const run_conditions = &one_look.supervisor_conditions;

static int setup(void **state)
{
	(void)lone_node_setup(state);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 256, &this_node.stats), 0);
	state_open(&this_node);
	told_wall_ms = zero_ms;
	memset(&next, 0, sizeof(next));
	told_ms = 1000000;
	memset(&one_look, 0, sizeof(one_look));
	one_look.supervisor =
	        (struct gather_process){ .running = true, .has_conditions = true, .pid = 50 };
	return 0;
}

static int teardown(void **state)
{
	state_close(&this_node);
	stats_close(this_node.stats);
	return lone_node_close(state);
}

static void add_reason(enum rule_id rule, const char *subject, uint64_t since_ms)
{
	struct judge_reason *r = &next.reasons[next.n_reasons++];

	*r = (struct judge_reason){ .rule = rule,
		                    .state = rule_rows[rule].level == RULE_DOWN ? JUDGE_DOWN
		                                                                : JUDGE_DEGRADED,
		                    .since_ms = since_ms };
	snprintf(r->code, sizeof(r->code), "%s", rule_rows[rule].name);
	snprintf(r->subject, sizeof(r->subject), "%s", subject);
	snprintf(r->text, sizeof(r->text), "trouble of %s", subject);
	if (r->state > next.state)
		next.state = r->state;
}

static void note_condition(const char *code, const char *subject, const char *text,
                           uint64_t since_ms)
{
	struct judge_reason *r = &next.notes[next.n_notes++];

	*r = (struct judge_reason){ .since_ms = since_ms };
	snprintf(r->code, sizeof(r->code), "%s", code);
	snprintf(r->subject, sizeof(r->subject), "%s", subject);
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static void state_restart(const char *subject, const char *text, uint64_t since_ms)
{
	struct condition *c = &run_conditions->items[run_conditions->n++];

	*c = (struct condition){ .since_ms = since_ms };
	snprintf(c->code, sizeof(c->code), "process-restarted");
	snprintf(c->subject, sizeof(c->subject), "%s", subject);
	snprintf(c->text, sizeof(c->text), "%s", text);
}

/* The events since the last call that are of @p kind and begin with @p text. */
static unsigned count_events(const char *kind, const char *text)
{
	static uint64_t seen;
	struct journal *j = intent_journal(this_node.intent);
	unsigned n = 0;

	for (uint64_t id = kind ? seen + 1 : UINT64_MAX; kind && id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		n += e && !strcmp(e->kind, kind) && !strncmp(e->message, text, strlen(text));
	}
	if (!kind)
		seen = journal_last(j);
	return n;
}

static void look_again(void)
{
	struct judge_verdict now = next;

	count_events(NULL, NULL);
	core_lock(&this_node);
	state_follow(&this_node, &one_look, clock_mono_ms(), &now);
	core_unlock(&this_node);
}

/* The value of a gauge of ours; -1: there is none. */
static int64_t read_gauge(const char *name, const char *labels)
{
	struct stats_reader *r;
	int64_t value = -1;

	assert_int_equal(stats_reader_open(this_node.dirs.run, "mgmt", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, name) && !strcmp(e->labels, labels))
			value = (int64_t)e->value;
	}
	stats_reader_close(r);
	return value;
}

static void changes_of_the_state_become_events(void **state)
{
	(void)state;
	look_again();
	assert_int_equal(count_events("status", "well, was unknown"), 1);
	assert_int_equal(read_gauge("weir_status", ""), 0);
	look_again();
	assert_int_equal(count_events("status", ""), 0);
	add_reason(JUDGE_RULE_PORTS_MISSING, "weir-dataplane", 0);
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	look_again();
	assert_int_equal(
	        count_events("status",
	                     "degraded, was well: trouble of weir-dataplane (and 1 more reasons)"),
	        1);
	assert_int_equal(count_events("condition", ""), 2);
	assert_int_equal(read_gauge("weir_status", ""), 1);
	look_again(); /* the same again is no news */
	assert_int_equal(count_events("status", "") + count_events("condition", ""), 0);
	next.n_reasons = 1;
	look_again();
	assert_int_equal(count_events("status", ""), 0);
	assert_int_equal(count_events("condition", rule_rows[JUDGE_RULE_SITE_DOWN].name), 1);
	next.n_reasons = 0;
	add_reason(JUDGE_RULE_FORWARDING_STOPPED, "weir-dataplane", 0);
	look_again();
	assert_int_equal(count_events("status", "down, was degraded: trouble of weir-dataplane"),
	                 1);
	assert_int_equal(count_events("condition", ""), 2); /* one is over, one is so */
	assert_int_equal(read_gauge("weir_status", ""), 2);
	memset(&next, 0, sizeof(next));
	look_again();
	assert_int_equal(count_events("status", "well, was down"), 1);
	assert_int_equal(count_events("condition", ""), 1);
}

/* A reason that has no room on the list any more is not over. */
static void reasons_that_are_left_out_have_neither_begun_nor_ended(void **state)
{
	(void)state;
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	add_reason(JUDGE_RULE_SITE_DOWN, "lon", 0);
	look_again();
	assert_int_equal(count_events("condition", ""), 2);
	next.n_reasons = 1;
	next.n_left_out = 1;
	add_reason(JUDGE_RULE_PORTS_MISSING, "weir-dataplane", 0); /* no other of this kind */
	look_again();
	assert_int_equal(count_events("condition", ""), 1);
	assert_int_equal(count_events("condition", rule_rows[JUDGE_RULE_PORTS_MISSING].name), 1);
	memset(&next, 0, sizeof(next));
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	add_reason(JUDGE_RULE_SITE_DOWN, "lon", 0);
	look_again();
	assert_int_equal(count_events("condition", ""),
	                 1); /* ports are back; lon was down before */
	memset(&next, 0, sizeof(next));
	look_again();
	assert_int_equal(count_events("condition", ""), 2);
}

/* Backends, peers and processes have events of their own. */
static void what_is_told_elsewhere_is_told_once(void **state)
{
	static const enum rule_id rules[] = { JUDGE_RULE_PROCESS_SILENT, JUDGE_RULE_BACKEND_DOWN,
		                              JUDGE_RULE_PEER_UNREACHABLE, JUDGE_RULE_PEER_DIFFERS,
		                              JUDGE_RULE_VERSION_UNCONFIRMED };

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		add_reason(rules[i], "x", 0);
	look_again();
	assert_int_equal(count_events("condition", ""), 0);
	next.n_reasons = 0;
	look_again();
	assert_int_equal(count_events("condition", ""), 0);
}

static void many_events_of_a_turn_are_counted(void **state)
{
	char subject[16];

	(void)state;
	for (unsigned n = A_TURN; n <= A_TURN + 2; n++) {
		memset(&next, 0, sizeof(next));
		look_again();
		for (unsigned i = 0; i < n; i++) {
			snprintf(subject, sizeof(subject), "s%u", i);
			add_reason(JUDGE_RULE_SITE_DOWN, subject, 0);
		}
		look_again();
		assert_int_equal(count_events("condition", rule_rows[JUDGE_RULE_SITE_DOWN].name),
		                 A_TURN);
		assert_int_equal(count_events("condition", "1 more conditions began"),
		                 n == A_TURN + 1);
		assert_int_equal(count_events("condition", "2 more conditions began"),
		                 n == A_TURN + 2);
	}
}

static int64_t since_of(const char *subject)
{
	struct judge_verdict v = next;

	state_since(&this_node, &v);
	for (size_t i = 0; i < v.n_reasons; i++)
		if (!strcmp(v.reasons[i].subject, subject))
			return v.reasons[i].since_at_ms;
	return v.n_notes ? v.notes[0].since_at_ms : 0;
}

static void a_reason_is_there_since_it_was_seen_first(void **state)
{
	(void)state;
	const int64_t begin = zero_ms + (int64_t)told_ms;

	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	add_reason(JUDGE_RULE_STATED_DEGRADED, "eth1", 4711); /* a process knows it better */
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(since_of("fra"), begin);
		assert_int_equal(since_of("eth1"), zero_ms + 4711);
		look_again();
		told_ms += 5000;
		told_wall_ms += 3; /* a clock that is disciplined moves no time that was said */
	}
	told_wall_ms = zero_ms;
	add_reason(JUDGE_RULE_SITE_DOWN, "lon", 0);
	assert_int_equal(since_of("lon"), zero_ms + (int64_t)told_ms); /* of another subject */
	next.n_reasons = 0;
	look_again();
	told_ms += 5000;
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0); /* it was over in between */
	assert_int_equal(since_of("fra"), zero_ms + (int64_t)told_ms);
}

static void start_again(void)
{
	state_close(&this_node);
	this_node.started_ms = told_ms;
	state_open(&this_node);
}

/* A weir-mgmt that was killed, twice: what is still there when it looks again never ended. */
static void a_restart_moves_no_beginning(void **state)
{
	(void)state;
	const int64_t begin = zero_ms + (int64_t)told_ms;

	for (int turn = 0; turn < 2; turn++) {
		next.n_reasons = 0;
		add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
		look_again();
		told_ms += 20000;
		start_again();
		next.n_reasons = 0;
		look_again(); /* it does not know yet */
		told_ms += 1000;
		add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
		assert_int_equal(since_of("fra"), begin);
		look_again();
		told_ms += SINCE_KEPT_MS;
		look_again();
		assert_int_equal(since_of("fra"), begin);
	}
	next.n_reasons = 0;
	look_again();
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	assert_int_equal(since_of("fra"), zero_ms + (int64_t)told_ms);
}

/* Texts without an end, and times to come, behind a sound header. */
static void spoil_page(void)
{
	char path[PATH_MAX + 16], bytes[2000];
	int fd;

	snprintf(path, sizeof(path), "%s/since.page", this_node.dirs.run);
	memset(bytes, 0x41, sizeof(bytes));
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, 2000, 64), 2000);
	close(fd);
}

/* Of another boot, or nonsense, nothing is believed. */
static void a_page_that_cannot_be_true_is_forgotten(void **state)
{
	(void)state;
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	look_again();
	told_ms = 5000; /* the machine was started again */
	start_again();
	assert_int_equal(since_of("fra"), zero_ms + (int64_t)told_ms);
	spoil_page();
	start_again();
	told_ms += 1000;
	assert_int_equal(since_of("fra"), zero_ms + (int64_t)told_ms);
}

/* What weir-dns stated before it was killed began when it stated it first; so do notes. */
static void a_restarted_process_states_nothing_new(void **state)
{
	(void)state;
	const int64_t begin = zero_ms + (int64_t)told_ms;

	for (int turn = 0; turn < 2; turn++) {
		next = (struct judge_verdict){ 0 };
		add_reason(JUDGE_RULE_STATED_DEGRADED, "zone", told_ms);
		look_again();
		assert_int_equal(since_of("zone"), begin);
		told_ms += 20000;
		look_again();
		next = (struct judge_verdict){ 0 };
		add_reason(JUDGE_RULE_PROCESS_SILENT, "weir-dns", 0);
		look_again();
		told_ms += 1000;
		next = (struct judge_verdict){ 0 };
		run_conditions->n = 0;
		state_restart("weir-dns", turn ? "restarted once more" : "restarted", told_ms);
		look_again(); /* it has no zones yet */
		told_ms += 5000;
		add_reason(JUDGE_RULE_STATED_DEGRADED, "zone", told_ms);
		assert_int_equal(since_of("zone"), begin);
		look_again();
	}
	next = (struct judge_verdict){ 0 };
	note_condition("agents-unseen", "web", "a note", told_ms - 700);
	assert_int_equal(since_of(""), zero_ms + (int64_t)told_ms - 700);
	told_wall_ms = zero_ms + 3;
	assert_int_equal(since_of(""), zero_ms + (int64_t)told_ms - 700);
	told_wall_ms = zero_ms;
}

/* The event and the status name one time, also where the process that states it knew it before. */
static void a_beginning_has_the_time_that_the_status_shows(void **state)
{
	(void)state;
	const struct journal *j = intent_journal(this_node.intent);

	add_reason(JUDGE_RULE_STATED_DEGRADED, "eth1", told_ms - 700);
	look_again();
	assert_int_equal(since_of("eth1"), zero_ms + (int64_t)told_ms - 700);
	assert_int_equal(journal_find(j, journal_last(j))->time_ms, since_of("eth1"));
}

/* Killed twice: nothing begins again, and what ended meanwhile is an event, once. */
static void a_restart_logs_no_beginning_again(void **state)
{
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		next = (struct judge_verdict){ 0 };
		add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
		add_reason(JUDGE_RULE_SITE_DOWN, "lon", 0);
		look_again();
		assert_int_equal(count_events("condition", "site-down began"), turn ? 1 : 2);
		told_ms += 20000;
		start_again();
		next = (struct judge_verdict){ 0 };
		look_again(); /* it does not know yet */
		assert_int_equal(count_events("condition", ""), 0);
		told_ms += 1000;
		add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
		look_again();
		assert_int_equal(count_events("condition", ""), 0);
		told_ms += SINCE_KEPT_MS;
		look_again();
		assert_int_equal(count_events("condition", "site-down ended; not seen again"), 1);
		assert_int_equal(count_events("condition", ""), 1);
	}
}

/* What weir-dns stated has not ended because it is away: it comes again, or is not seen again. */
static void a_process_that_is_away_ends_nothing(void **state)
{
	(void)state;
	for (int turn = 0; turn < 2; turn++) {
		next = (struct judge_verdict){ 0 };
		add_reason(JUDGE_RULE_STATED_DEGRADED, "zone", told_ms);
		add_reason(JUDGE_RULE_STATED_DEGRADED, "listen", told_ms);
		look_again();
		assert_int_equal(count_events("condition", "stated-degraded began"), turn ? 1 : 2);
		next = (struct judge_verdict){ 0 };
		add_reason(JUDGE_RULE_PROCESS_SILENT, "weir-dns", 0);
		look_again();
		add_reason(JUDGE_RULE_STATED_DEGRADED, "zone", told_ms);
		look_again();
		assert_int_equal(count_events("condition", ""), 0);
		told_ms += SINCE_KEPT_MS;
		look_again();
		assert_int_equal(count_events("condition", "stated-degraded ended; not seen again"),
		                 1);
		assert_int_equal(count_events("condition", ""), 1);
	}
}

/* Killed and back between two looks: the page of another process shows it, each time. */
static void a_quick_restart_moves_no_beginning(void **state)
{
	(void)state;
	const int64_t begin = zero_ms + (int64_t)told_ms;

	*dns_pid = 100;
	add_reason(JUDGE_RULE_STATED_DEGRADED, "zone", told_ms);
	look_again();
	for (int turn = 1; turn <= 2; turn++) {
		told_ms += 20000;
		look_again();
		(*dns_pid)++;
		next = (struct judge_verdict){ 0 };
		look_again(); /* it has not read its zones yet */
		told_ms += 500;
		add_reason(JUDGE_RULE_STATED_DEGRADED, "zone", told_ms);
		look_again();
		assert_int_equal(since_of("zone"), begin);
		assert_int_equal(count_events("condition", ""), 0);
	}
}

/* To a weir-mgmt that was restarted a peer that was unreachable is one that it never heard: since then. */
static void a_peer_that_is_not_heard_is_so_since_it_was_unreachable(void **state)
{
	(void)state;
	const int64_t begin = zero_ms + (int64_t)told_ms;

	add_reason(JUDGE_RULE_PEER_UNREACHABLE, "fra-1", 0);
	look_again();
	for (int turn = 0; turn < 2; turn++) {
		told_ms += 20000;
		start_again();
		next = (struct judge_verdict){ 0 };
		add_reason(JUDGE_RULE_PEER_NEVER_HEARD, "fra-1", 0);
		look_again();
		assert_int_equal(since_of("fra-1"), begin);
	}
}

static void forget_end(void *arg, const char *code, const char *subject)
{
	(void)arg;
	(void)code;
	(void)subject;
}

static void more_reasons_than_have_room_are_told_all_the_same(void **state)
{
	struct since *since = since_open(place.state, told_ms);
	char subject[16];

	(void)state;
	for (int i = 0; i < (int)SINCE_ROWS + 2; i++) {
		snprintf(subject, sizeof(subject), "s%d", i);
		assert_int_equal(since_when(since, "site-down", subject, 100 + i, told_ms),
		                 100 + i);
	}
	assert_int_equal(since_when(since, "site-down", "s0", 7, told_ms), 100);
	since_begin(since);
	since_round(since, false, told_ms, forget_end, NULL);
	assert_int_equal(since_when(since, "site-down", "s0", 7, told_ms), 7);
	since_close(since);
}

static void an_end_reads_as_an_end(void **state)
{
	(void)state;
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	look_again();
	assert_int_equal(count_events("condition", "site-down began: trouble of fra"), 1);
	next.n_reasons = 0;
	look_again();
	assert_int_equal(count_events("condition", "site-down ended; until now: trouble of fra"),
	                 1);
}

static void reasons_are_counted_by_code(void **state)
{
	char site[64], port[64];

	(void)state;
	snprintf(site, sizeof(site), "code=\"%s\"", rule_rows[JUDGE_RULE_SITE_DOWN].name);
	snprintf(port, sizeof(port), "code=\"%s\"", rule_rows[JUDGE_RULE_PORTS_MISSING].name);
	stats_set(stats_get_counter(this_node.stats, STATS_GAUGE, "weir_status_reasons", port, "x"),
	          9);
	stats_set(stats_get_counter(this_node.stats, STATS_GAUGE, "weir_status_reasons",
	                            "code=\"listen-failed\"", "x"),
	          1); /* of a process, not of a rule */
	look_again(); /* what a process before this one left on the page */
	assert_int_equal(read_gauge("weir_status_reasons", port), -1);
	assert_int_equal(read_gauge("weir_status_reasons", "code=\"listen-failed\""), -1);
	add_reason(JUDGE_RULE_SITE_DOWN, "fra", 0);
	add_reason(JUDGE_RULE_PORTS_MISSING, "weir-dataplane", 0);
	add_reason(JUDGE_RULE_SITE_DOWN, "lon", 0);
	look_again();
	assert_int_equal(read_gauge("weir_status_reasons", site), 2);
	assert_int_equal(read_gauge("weir_status_reasons", port), 1);
	next.n_reasons = 1;
	look_again();
	assert_int_equal(read_gauge("weir_status_reasons", site), 1);
	assert_int_equal(read_gauge("weir_status_reasons", port), -1);
}

/* Each weir run counts from its own start, so that the first one of each reads the same. */
static void a_restart_that_reads_as_one_before_is_an_event(void **state)
{
	(void)state;
	look_again();
	for (int turn = 0; turn < 3; turn++) {
		state_restart("weir-dns", "restarted (1 times so far)", told_ms);
		look_again();
		assert_int_equal(count_events("process", "weir-dns: restarted"), 1);
		look_again();
		assert_int_equal(count_events("process", ""), 0);
		told_ms += 700000;
		run_conditions->n = 0;
		if (turn == 0)
			look_again(); /* another weir run is seen before it states one, or after */
		else
			(*run_pid)++;
	}
}

/* Each restart is an event once, also where weir-mgmt was restarted with the others, however long ago the first one was. */
static void restarts_become_events(void **state)
{
	struct journal *j = intent_journal(this_node.intent);

	(void)state;
	state_restart("weir-dns", "restarted 1 time", told_ms - 400000);
	note_condition("clock-unsynchronised", "", "restarted no clock", told_ms);
	look_again(); /* whether or not there is room for notes */
	assert_int_equal(count_events("process", "weir-dns: restarted 1 time"), 1);
	assert_int_equal(count_events("process", ""), 1);
	assert_string_equal(journal_find(j, journal_last(j) - 1)->subject, "dns");
	look_again();
	assert_int_equal(count_events("process", ""), 0);
	start_again();
	look_again();
	assert_int_equal(count_events("process", ""), 0);
	run_conditions->n = 0;
	state_restart("weir-dns", "restarted 2 times", told_ms - 400000);
	start_again();
	look_again();
	assert_int_equal(count_events("process", "weir-dns: restarted 2 times"), 1);
	look_again();
	assert_int_equal(count_events("process", ""), 0);
	told_ms += 600000; /* another weir run counts from one again */
	run_conditions->n = 0;
	state_restart("weir-dns", "restarted 1 time", told_ms);
	start_again();
	look_again();
	assert_int_equal(count_events("process", "weir-dns: restarted 1 time"), 1);
}

/* A process that cannot start, for an hour, and at last can. weir-mgmt may be one of those that die. */
static void a_crash_loop_fills_no_journal(void **state)
{
	const struct journal *j = intent_journal(this_node.intent);
	char text[64];

	for (int is_mgmt = 0; is_mgmt <= 1; is_mgmt++) {
		unsigned n_events = 0;

		for (unsigned n = 1; n <= 720; n++) {
			run_conditions->n = 0;
			snprintf(text, sizeof(text), "restarted (%u times so far)", n);
			state_restart(is_mgmt ? "weir-mgmt" : "weir-dns", text, told_ms);
			if (is_mgmt)
				start_again();
			look_again();
			n_events += count_events("process", "");
			told_ms += 5000;
		}
		assert_in_range(n_events, 60, 65);
		told_ms += 60000;
		look_again();
		uint64_t id = journal_last(j);
		while (strcmp(journal_find(j, id)->kind, "process") != 0)
			id--;
		assert_non_null(strstr(journal_find(j, id)->message, "720 times"));
	}
	(void)state;
}

static const char *last_status(void)
{
	const struct journal *j = intent_journal(this_node.intent);
	uint64_t id = journal_last(j);

	while (strcmp(journal_find(j, id)->kind, "status") != 0)
		id--;
	return journal_find(j, id)->message;
}

/* A process that runs for a moment, and dies, makes the node well for a moment. No event says well when it is not. */
static void a_state_that_comes_and_goes_fills_no_journal(void **state)
{
	unsigned n_events = 0;

	(void)state;
	for (unsigned n = 0; n < 720; n++) {
		memset(&next, 0, sizeof(next));
		if (n % 2)
			add_reason(JUDGE_RULE_PROCESS_SILENT, "weir-dns", 0);
		look_again();
		n_events += count_events("status", "");
		assert_int_equal(read_gauge("weir_status", ""), n % 2);
		if (n % 2)
			assert_non_null(strstr(last_status(), "degraded, was well: "));
		told_ms += 5000;
	}
	assert_in_range(n_events, 115, 140);
	memset(&next, 0, sizeof(next));
	told_ms += 60000;
	look_again();
	assert_string_equal(last_status(), "well, was degraded");
	add_reason(JUDGE_RULE_PROCESS_SILENT, "weir-dns", 0);
	look_again();
	assert_string_equal(last_status(), "degraded, was well: trouble of weir-dns");
}

SUITE(state_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(changes_of_the_state_become_events),
		T(reasons_that_are_left_out_have_neither_begun_nor_ended),
		T(what_is_told_elsewhere_is_told_once),
		T(many_events_of_a_turn_are_counted),
		T(a_reason_is_there_since_it_was_seen_first),
		T(a_restart_moves_no_beginning),
		T(a_page_that_cannot_be_true_is_forgotten),
		T(a_restarted_process_states_nothing_new),
		T(a_beginning_has_the_time_that_the_status_shows),
		T(a_restart_logs_no_beginning_again),
		T(a_process_that_is_away_ends_nothing),
		T(a_quick_restart_moves_no_beginning),
		T(a_peer_that_is_not_heard_is_so_since_it_was_unreachable),
		T(more_reasons_than_have_room_are_told_all_the_same),
		T(an_end_reads_as_an_end),
		T(reasons_are_counted_by_code),
		T(restarts_become_events),
		T(a_crash_loop_fills_no_journal),
		T(a_state_that_comes_and_goes_fills_no_journal),
		T(a_restart_that_reads_as_one_before_is_an_event),
	};

	told_time_begin(TOLD_ALL);
	return cmocka_run_group_tests_name("state parts", tests, NULL, NULL);
}
