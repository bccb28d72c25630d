/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weir-mgmt states of itself: each trouble when it is so, and not otherwise. The kernel's clocks
 * and its boot are the test's.
 */
#include "lone_node.h"
#include "told_time.h"

#include <sys/timex.h>
#include <time.h>

#include "mgmt/core/shared_state.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/status/own_conditions.h"
#include "mgmt/store/key.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define KEY1 "1111111111111111"
#define KEY2 "2222222222222222"

static bool is_disciplined; /* by a time server */
static bool is_next_boot;

static int own_adjtimex(struct timex *t)
{
	(void)t;
	return is_disciplined ? TIME_OK : TIME_ERROR;
}

static FILE *own_fopen64(const char *path, const char *mode)
{
	char other[] = "0123456789abcdef\n";

	return is_next_boot && strstr(path, "boot_id") ? fmemopen(other, strlen(other), mode)
	                                               : __real_fopen64(path, mode);
}

static struct peers heard;
static struct peers_report *const views = heard.reports;

static struct conditions stated;

static void state_conditions(void)
{
	own_conditions_state(&this_node);
	assert_int_equal(conditions_read(this_node.dirs.run, "mgmt", &stated), 0);
}

static const struct condition *find_condition(const char *code, const char *subject)
{
	for (uint32_t i = 0; i < stated.n; i++)
		if (!strcmp(stated.items[i].code, code) &&
		    !strcmp(stated.items[i].subject, subject))
			return &stated.items[i];
	return NULL;
}

/* A node with version 2, whose peers have it too. */
static int setup(void **state)
{
	struct files files = fixture_files("weight = 100", "weight = 90");
	struct intent_change change = {
		.files = &files, .author = "jw", .reason = "x", .pending = INTENT_PENDING_IGNORE
	};
	struct intent_changed changed = { 0 };

	told_ms = 100000000;
	told_wall_ms = NOW_MS;
	is_disciplined = true;
	is_next_boot = false;
	(void)lone_node_setup(state);
	assert_int_equal(intent_change(this_node.intent, &change, NOW_MS, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &this_node.stats), 0);
	assert_int_equal(timekeep_open(&this_node), 0);
	timekeep_tick(&this_node);
	const struct version *head = intent_head(this_node.intent);

	assert_int_equal(head->number, 2);
	memset(&heard, 0, sizeof(heard));
	heard.n_reports = 2;
	for (size_t i = 0; i < 2; i++) {
		views[i].state = PEERS_AGREED;
		memcpy(views[i].digest, head->digest, DIGEST_TEXT_MAX);
		snprintf(views[i].node, sizeof(views[i].node), "fra-%zu", i + 1);
		snprintf(views[i].version_key, MODEL_FINGERPRINT_MAX, "%s", head->hash_key);
	}
	this_node.peers = &heard;
	return 0;
}

static int teardown(void **state)
{
	timekeep_close(&this_node);
	stats_close(this_node.stats);
	return lone_node_close(state);
}

static void a_node_without_troubles_states_none(void **state)
{
	(void)state;
	state_conditions();
	assert_int_equal(stated.n, 0);
}

/* Open the store of a node anew, without its former one. */
static void start_first(const char *from, const char *to, bool shares)
{
	lone_node_forget(fixture_text(from, to));
	if (shares)
		lone_node_open_store(true);
	else
		lone_node_start(false);
}

static void the_first_start_is_told(void **state)
{
	static struct shared_run shared;

	(void)state;
	start_first("schema = 1", "schema = 1", true);
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_int_equal(find_condition("joining", "")->level, CONDITION_DEGRADED);
	start_first("schema = 1", "what = 1", false);
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_int_equal(find_condition("file-refused", "weir.conf")->level, CONDITION_DEGRADED);
	assert_non_null(
	        strstr(find_condition("file-refused", "weir.conf")->text, ": nothing is in force"));
	start_first("schema = 1", "schema = 1", false);
	state_conditions(); /* what it has is its own, and nobody else's */
	assert_int_equal(stated.n, 0);
	this_node.shared = &shared;
	state_conditions();
	assert_int_equal(find_condition("provisional", "")->level, CONDITION_NOTE);
	start_first("schema = 1", "schema = 1", true); /* what it waits for is the trouble */
	state_conditions();
	assert_non_null(find_condition("joining", ""));
	assert_null(find_condition("provisional", ""));
	this_node.shared = NULL;
}

static void a_wrong_key_file_is_told(void **state)
{
	(void)state;
	fixture_write(place.conf, "hash.key", "ffeeddccbbaa99887766554433221100\n");
	intent_tick(this_node.intent, NOW_MS + 2000);
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_string_equal(find_condition("hash-key-mismatch", "hash.key")->text,
	                    key_status(this_node.intent)->reason);
	assert_true(strlen(key_status(this_node.intent)->reason) > 0);
}

/*
 * Two nodes that made the same version with different keys: both files are as their versions say.
 */
static void versions_with_different_keys_are_told(void **state)
{
	(void)state;
	snprintf(views[0].version_key, MODEL_FINGERPRINT_MAX, KEY2);
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_non_null(strstr(find_condition("hash-key-mismatch", "fra-1")->text, KEY2));
	views[0].digest[5] ^= 1; /* another version of this number may have another key */
	state_conditions();
	assert_int_equal(stated.n, 0);
	views[0].digest[5] ^= 1;
	views[0].state = PEERS_UNREACHABLE;
	state_conditions();
	assert_int_equal(stated.n, 0);
	views[0].state = PEERS_UNASKED;
	state_conditions();
	assert_int_equal(stated.n, 0);
	views[0].state = PEERS_AGREED;
	start_first("schema = 1", "what = 1", false); /* nothing is placed here yet */
	state_conditions();
	assert_null(find_condition("hash-key-mismatch", "fra-1"));
}

static void a_clock_that_is_not_followed_is_told(void **state)
{
	(void)state;
	for (enum wall_clock_hold hold = WALL_CLOCK_RUNS; hold < WALL_CLOCK_HOLD_COUNT; hold++) {
		teardown(NULL);
		setup(NULL);
		if (hold == WALL_CLOCK_BOOTED || hold == WALL_CLOCK_UNSYNCHRONISED) {
			timekeep_close(&this_node);
			is_next_boot = true;
			is_disciplined = false;
			if (hold == WALL_CLOCK_BOOTED)
				told_wall_ms -= 7200999;
			assert_int_equal(timekeep_open(&this_node), 0);
		} else if (hold == WALL_CLOCK_STEPPED) {
			told_wall_ms -= 7200999;
		}
		timekeep_tick(&this_node);
		assert_int_equal(timekeep_hold(&this_node), hold);
		state_conditions();
		const struct condition *stepped = find_condition("clock-stepped", "");
		const struct condition *lone = find_condition("clock-unsynchronised", "");

		assert_int_equal(stepped != NULL,
		                 hold == WALL_CLOCK_STEPPED || hold == WALL_CLOCK_BOOTED);
		assert_int_equal(lone != NULL, hold == WALL_CLOCK_UNSYNCHRONISED);
		if (stepped) {
			assert_int_equal(stepped->level, CONDITION_DEGRADED);
			assert_non_null(strstr(stepped->text, "-7200 s off"));
			assert_int_equal(strstr(stepped->text, "since the boot") != NULL,
			                 hold == WALL_CLOCK_BOOTED);
		}
		if (lone)
			assert_int_equal(lone->level, CONDITION_NOTE);
	}
}

/* More than half a second, beyond what measuring may be wrong. */
static void clocks_that_differ_are_told(void **state)
{
	static const struct {
		const char *why;
		int64_t own_ms, peer_ms[2], slack_ms;
		uint64_t silent_ms;         /* the first peer */
		bool is_unknown;            /* its clock */
		const char *subject, *text; /* NULL: none */
	} rows[] = {
		{ "equal", 5000, { 5000, 5000 }, 0, 0, false, NULL, NULL },
		{ "half a second, and no more", 5000, { 5480, 4520 }, 0, 0, false, NULL, NULL },
		{ "within the slack", 5000, { 5900, 4100 }, 450, 0, false, NULL, NULL },
		{ "beyond it",
		  5000,
		  { 6000, 5000 },
		  450,
		  0,
		  false,
		  "fra-1",
		  "this node's clock is 1.0 s behind that of node fra-1" },
		{ "one of two",
		  5000,
		  { 3000, 5000 },
		  0,
		  0,
		  false,
		  "fra-1",
		  "this node's clock is 2.0 s ahead of that of node fra-1" },
		{ "both: it is this node",
		  600000,
		  { 4000, 5000 },
		  0,
		  0,
		  false,
		  "",
		  "ahead of that of fra-1, and differs from 2 of 2 nodes" },
		{ "one that is not heard", 5000, { 9000, 5000 }, 0, 60000, false, NULL, NULL },
		{ "one that does not say it", 5000, { 9000, 5000 }, 0, 0, true, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("  %s\n", rows[i].why);
		for (size_t k = 0; k < 2; k++) {
			views[k].clock_known = k || !rows[i].is_unknown;
			views[k].clock_offset_ms =
			        told_wall_ms + rows[i].peer_ms[k] - rows[i].own_ms;
			views[k].clock_slack_ms = rows[i].slack_ms;
			views[k].answered_ms = k ? told_ms : told_ms - rows[i].silent_ms;
		}
		state_conditions();
		assert_int_equal(stated.n, rows[i].text != NULL);
		if (!rows[i].text)
			continue;
		const struct condition *c = find_condition("clock-skew", rows[i].subject);

		assert_non_null(c);
		assert_int_equal(c->level, CONDITION_DEGRADED);
		assert_non_null(strstr(c->text, rows[i].text));
	}
}

static void an_api_that_does_not_listen_is_told(void **state)
{
	(void)state;
	snprintf(this_node.api.address, sizeof(this_node.api.address), "https://192.0.2.1:8443");
	state_conditions();
	assert_int_equal(stated.n, 0);
	snprintf(this_node.api.fault, sizeof(this_node.api.fault), "no such address");
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_non_null(find_condition("listen-failed", "https://192.0.2.1:8443"));
	assert_non_null(strstr(find_condition("listen-failed", "https://192.0.2.1:8443")->text,
	                       "no such address"));
	this_node.api.fault[0] = '\0'; /* over: gone in the next round */
	state_conditions();
	assert_int_equal(stated.n, 0);
}

SUITE(own_conditions)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_node_without_troubles_states_none),
		T(the_first_start_is_told),
		T(a_wrong_key_file_is_told),
		T(versions_with_different_keys_are_told),
		T(a_clock_that_is_not_followed_is_told),
		T(clocks_that_differ_are_told),
		T(an_api_that_does_not_listen_is_told),
	};

	answer_adjtimex = own_adjtimex;
	told_time_begin(TOLD_ALL);
	answer_fopen64 = own_fopen64;
	return cmocka_run_group_tests_name("own conditions", tests, NULL, NULL);
}
