/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-mgmt states of itself: each trouble when it is so, and not otherwise. */
#include "asked.h"

#include "mgmt/peers/peers.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/join.h"
#include "mgmt/store/key.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define KEY1 "1111111111111111"
#define KEY2 "2222222222222222"

static const char *refused;
static bool waits, provisional;
static struct version our_head;
static struct intent_key our_key;
static struct peers_report views[2];
static enum wall_clock_hold our_hold;
static int64_t our_ahead_ms; /* of the boot clock */
static int64_t off_ms;

static const char *fake_refused(const struct intent *in)
{
	(void)in;
	return refused;
}

static bool fake_waits(const struct intent *in)
{
	(void)in;
	return waits;
}

static bool fake_provisional(const struct version *v)
{
	(void)v;
	return provisional;
}

static const struct version *fake_head(const struct intent *in)
{
	(void)in;
	return our_head.number ? &our_head : NULL;
}

static const struct intent_key *fake_key(const struct intent *in)
{
	(void)in;
	return &our_key;
}

static size_t fake_peers_view(const struct core *core, const struct peers_report **out)
{
	(void)core;
	*out = views;
	return 2;
}

static void fake_shared(const struct core *core)
{
	(void)core;
}

static enum wall_clock_hold fake_hold(const struct core *core)
{
	(void)core;
	return our_hold;
}

static int64_t fake_off(const struct core *core)
{
	(void)core;
	return off_ms;
}

static int64_t fake_shown(const struct core *core)
{
	(void)core;
	return (int64_t)clock_mono_ms() + our_ahead_ms;
}

/* The private parts too. */
#define join_refused            fake_refused
#define join_waits              fake_waits
#define join_is_provisional     fake_provisional
#define intent_head             fake_head
#define key_status              fake_key
#define shared_run_state        fake_shared
#define peers_report(core, out) fake_peers_view(core, out)
#define timekeep_hold           fake_hold
#define timekeep_off_by_ms      fake_off
#define timekeep_shown_ms       fake_shown
#include "mgmt/status/own_conditions.c"
#undef peers_report

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
	(void)asked_setup(state);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &this_node.stats), 0);
	refused = "";
	waits = provisional = false;
	our_head = (struct version){ .number = 2 };
	memset(our_head.digest, 'a', DIGEST_TEXT_MAX - 1);
	our_key = (struct intent_key){ .found = KEY1 };
	our_hold = WALL_CLOCK_RUNS;
	off_ms = 0;
	memset(views, 0, sizeof(views));
	for (size_t i = 0; i < 2; i++) {
		views[i].state = PEERS_AGREED;
		memcpy(views[i].digest, our_head.digest, DIGEST_TEXT_MAX);
		snprintf(views[i].node, sizeof(views[i].node), "fra-%zu", i + 1);
		snprintf(views[i].hash_key, sizeof(views[i].hash_key), KEY1);
	}
	this_node.peers = (struct peers *)(uintptr_t)views;
	return 0;
}

static int teardown(void **state)
{
	stats_close(this_node.stats);
	return asked_teardown(state);
}

static void a_node_without_troubles_states_none(void **state)
{
	(void)state;
	state_conditions();
	assert_int_equal(stated.n, 0);
}

static void the_first_start_is_told(void **state)
{
	(void)state;
	our_head.number = 0;
	waits = true;
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_int_equal(find_condition("joining", "")->level, CONDITION_DEGRADED);
	waits = false;
	refused = "weir.conf:3: what is this";
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_int_equal(find_condition("file-refused", "weir.conf")->level, CONDITION_DEGRADED);
	assert_non_null(
	        strstr(find_condition("file-refused", "weir.conf")->text, "weir.conf:3: what"));
	refused = "";
	provisional = true;
	state_conditions(); /* there is no version yet */
	assert_int_equal(stated.n, 0);
	our_head.number = 1;
	state_conditions(); /* what it has is its own, and nobody else's */
	assert_int_equal(stated.n, 0);
	this_node.shared = (struct shared_run *)&stated;
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_int_equal(find_condition("provisional", "")->level, CONDITION_NOTE);
	waits = true; /* what it waits for is the trouble */
	state_conditions();
	assert_non_null(find_condition("joining", ""));
	assert_null(find_condition("provisional", ""));
}

static void a_wrong_key_file_is_told(void **state)
{
	(void)state;
	our_key.wrong = true;
	snprintf(our_key.reason, sizeof(our_key.reason), "another key than version 2 has");
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_string_equal(find_condition("hash-key-mismatch", "hash.key")->text, our_key.reason);
}

/*
 * Two nodes that made the same version with different keys: both files are as their versions say.
 */
static void versions_with_different_keys_are_told(void **state)
{
	(void)state;
	snprintf(our_head.hash_key, sizeof(our_head.hash_key), KEY1);
	for (size_t i = 0; i < 2; i++)
		snprintf(views[i].version_key, MODEL_FINGERPRINT_MAX, i ? KEY1 : KEY2);
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_non_null(strstr(find_condition("hash-key-mismatch", "fra-1")->text, KEY2));
	views[0].digest[5] = 'b'; /* another version of this number may have another key */
	state_conditions();
	assert_int_equal(stated.n, 0);
	views[0].digest[5] = 'a';
	views[0].state = PEERS_UNREACHABLE;
	state_conditions();
	assert_int_equal(stated.n, 0);
	views[0].state = PEERS_UNASKED;
	state_conditions();
	assert_int_equal(stated.n, 0);
	our_head.number = 0; /* nothing is placed here yet */
	views[0].state = PEERS_AGREED;
	state_conditions();
	assert_int_equal(stated.n, 0);
}

static void a_clock_that_is_not_followed_is_told(void **state)
{
	(void)state;
	off_ms = -7200999;
	for (our_hold = WALL_CLOCK_RUNS; our_hold < WALL_CLOCK_HOLD_COUNT; our_hold++) {
		state_conditions();
		const struct condition *stepped = find_condition("clock-stepped", "");
		const struct condition *lone = find_condition("clock-unsynchronised", "");

		assert_int_equal(stepped != NULL,
		                 our_hold == WALL_CLOCK_STEPPED || our_hold == WALL_CLOCK_BOOTED);
		assert_int_equal(lone != NULL, our_hold == WALL_CLOCK_UNSYNCHRONISED);
		if (stepped) {
			assert_int_equal(stepped->level, CONDITION_DEGRADED);
			assert_non_null(strstr(stepped->text, "-7200 s off"));
			assert_int_equal(strstr(stepped->text, "since the boot") != NULL,
			                 our_hold == WALL_CLOCK_BOOTED);
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
		uint64_t now_ms = clock_mono_ms();

		print_message("  %s\n", rows[i].why);
		our_ahead_ms = rows[i].own_ms;
		for (size_t k = 0; k < 2; k++) {
			views[k].clock_known = k || !rows[i].is_unknown;
			views[k].clock_offset_ms = rows[i].peer_ms[k];
			views[k].clock_slack_ms = rows[i].slack_ms;
			views[k].answered_ms = k ? now_ms : now_ms - rows[i].silent_ms;
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
	snprintf(this_node.api, sizeof(this_node.api), "https://192.0.2.1:8443");
	state_conditions();
	assert_int_equal(stated.n, 0);
	snprintf(this_node.api_fault, sizeof(this_node.api_fault), "no such address");
	state_conditions();
	assert_int_equal(stated.n, 1);
	assert_non_null(find_condition("listen-failed", "https://192.0.2.1:8443"));
	assert_non_null(strstr(find_condition("listen-failed", "https://192.0.2.1:8443")->text,
	                       "no such address"));
	this_node.api_fault[0] = '\0'; /* over: gone in the next round */
	state_conditions();
	assert_int_equal(stated.n, 0);
}

int main(void)
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

	return cmocka_run_group_tests_name("own conditions", tests, NULL, NULL);
}
