/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change waits for, for how long, and what its answer says of each node: weir-health is a page, peers are what they
 * reported last. That a version which a peer refuses ends is a scene of the cluster (shared-refused).
 */
#include "api_world.h"

#include <sys/eventfd.h>

#include "base/page.h"
#include "mgmt/api/handle.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/health.h"
#include "weir/stats.h"

/* The documented values, not the code's own: a change of those is seen. */
#define LOCAL_MS   3000
#define VERSION_MS 17000
#define ALL_MS     21000

static struct peers peers;
static atomic_bool client_gone;
static char digests[4][DIGEST_TEXT_MAX]; /* of versions 2 and 3, which is in force */
static struct stats *health;
static struct page *health_page;
static bool health_lives;
static uint64_t begun_ms, takes_at_ms; /* when weir-health takes the document; 0: never */

static struct health_page *health_of_page(void)
{
	return page_payload(health_page);
}

static void pass_time(void)
{
	if (takes_at_ms && told_ms >= takes_at_ms) {
		health_of_page()->document = intent_document(this_node.intent);
		conditions_begin(health, health_of_page()->document);
		conditions_end(health);
	}
	if (health_lives)
		stats_alive(health, told_ms);
	page_alive(health_page, told_ms);
}

static int setup(void **state)
{
	char path[PATH_MAX];

	world_setup(state);
	for (unsigned i = 2; i <= 3; i++) {
		assert_int_equal(apply_line(i == 2 ? "# a" : "# b", "none"), 201);
		strcpy(digests[i], intent_head(this_node.intent)->digest);
	}
	told_ms += 60000; /* what was judged then is long ago */
	memset(&peers, 0, sizeof(peers));
	this_node.peers = &peers;
	client_gone = false;
	takes_at_ms = 0;
	health_lives = true;
	assert_int_equal(stats_create(place.root, "health", 64, &health), 0);
	assert_int_equal(proc_path(place.root, PROC_HEALTH_PAGE, path), 0);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &health_page),
	                 0);
	assert_int_equal(
	        health_set_targets(health_of_page(), NULL, 0, intent_document(this_node.intent)),
	        0);
	page_publish(health_page);
	meanwhile = pass_time;
	pass_time();
	return 0;
}

static int teardown(void **state)
{
	stats_close(health);
	page_close(health_page);
	this_node.peers = NULL;
	return world_teardown(state);
}

/* Wait for a change of version @p number, else of overrides. @return how long it took */
static uint64_t wait_for(unsigned number, const char *digest, const char *query)
{
	struct http_request r = { .method = "POST", .gone = &client_gone };
	char text[100];

	snprintf(text, sizeof(text), "%s", query);
	if (*text)
		world_read_query(text, &r);
	http_reply_fini(&answer);
	answer = (struct http_reply){ .status = 201 };
	answer.json = number ? json_pack("{s:{s:i, s:s}}", "version", "number", (int)number,
	                                 "digest", digest)
	                     : json_object();
	begun_ms = told_ms;
	handle_wait(&this_node, &r, &answer);
	return told_ms - begun_ms;
}

static bool is_complete(void)
{
	bool complete = is_true_at("complete");

	assert_int_equal(answer.status, complete ? 201 : 202);
	return complete;
}

static void what_is_in_force_is_not_waited_for(void **state)
{
	uint64_t n = 0;

	(void)state;
	this_node.exchange_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(wait_for(0, NULL, ""), 0);
	assert_true(is_complete());
	assert_int_equal(count_at("nodes"), 1);
	assert_string_equal(text_at("nodes.0.node"), "ams-1");
	assert_string_equal(text_at("nodes.0.state"), "in_force");
	assert_int_equal(number_at("document"), intent_document(this_node.intent));
	assert_int_equal(read(this_node.exchange_fd, &n, sizeof(n)),
	                 sizeof(n)); /* the peers hear of it at once all the same */
	close(this_node.exchange_fd);
	this_node.exchange_fd = 0;
}

static void a_process_is_waited_for(void **state)
{
	(void)state;
	health_of_page()->document--;
	assert_int_equal(wait_for(0, NULL, ""), VERSION_MS);
	assert_false(is_complete());
	assert_string_equal(text_at("nodes.0.state"), "written");
	assert_int_equal(count_at("nodes.0.processes"), 1);
	assert_string_equal(text_at("nodes.0.processes.0"), "health");
	health_of_page()->document++;
	health_lives = false; /* what is silent takes nothing */
	told_ms += 60000;
	assert_int_equal(wait_for(0, NULL, ""), LOCAL_MS);
	assert_false(is_complete());
	assert_string_equal(text_at("nodes.0.processes.0"), "health");
	health_lives = true;
	pass_time();
	strcpy(this_node.intent->unwritten_reason, "No space left on device");
	assert_int_equal(wait_for(0, NULL, ""), LOCAL_MS);
	assert_false(is_complete());
	assert_string_equal(text_at("nodes.0.state"), "not_written");
	assert_string_equal(text_at("nodes.0.detail"), "No space left on device");
}

static void a_client_says_for_how_long_it_waits(void **state)
{
	(void)state;
	health_of_page()->document--;
	assert_int_equal(wait_for(0, NULL, "wait_ms=0"), 0);
	assert_false(is_complete());
	assert_int_equal(wait_for(0, NULL, "wait_ms=500"), 500);
	assert_int_equal(wait_for(0, NULL, "wait_ms=60000"), 60000);
	assert_int_equal(wait_for(0, NULL, "wait=all"), ALL_MS);
	client_gone = true;
	assert_int_equal(wait_for(0, NULL, "wait=all"), 0);
	client_gone = false;
	this_node.stopping = true;
	assert_int_equal(wait_for(0, NULL, "wait=all"), 0);
	this_node.stopping = false;
}

static void a_wait_ends_when_all_have_it(void **state)
{
	(void)state;
	health_of_page()->document--;
	takes_at_ms = told_ms + 400;
	assert_in_range(wait_for(0, NULL, ""), 400, 420);
	assert_true(is_complete());
	assert_string_equal(text_at("nodes.0.state"), "in_force");
}

/* Peers that agree, and say of version 3 what @p judgement is. */
static void put_reports(size_t n, enum inforce_state judgement)
{
	for (size_t i = 0; i < n; i++) {
		struct peers_report *v = &peers.reports[i];

		*v = (struct peers_report){ .number = 3,
			                    .answered_ms = told_ms,
			                    .inforce = { .number = 3, .state = judgement } };
		snprintf(v->node, sizeof(v->node), "%s", i ? "lon-1" : "fra-1");
		strcpy(v->digest, digests[3]);
		strcpy(v->inforce.digest, digests[3]);
		core_lock(&this_node);
		strcpy(v->overrides, core_overrides_digest(&this_node));
		core_unlock(&this_node);
	}
	peers.n_reports = n;
}

static void list_the_others(void)
{
	pass_time();
	if (told_ms >= begun_ms + 400 && peers.n_reports == 0) {
		pthread_mutex_unlock(&this_node.lock); /* which put_reports() takes */
		put_reports(1, INFORCE_DONE);
		pthread_mutex_lock(&this_node.lock);
	}
}

/* Right after a start, or a change that adds it, the exchange does not list a node yet: that is not agreement. */
static void a_node_that_is_not_listed_yet_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(wait_for(0, NULL, ""), 0); /* nobody asked for it */
	assert_true(is_complete());
	assert_int_equal(wait_for(3, digests[3], "wait=all"), ALL_MS);
	assert_false(is_complete());
	assert_int_equal(count_at("nodes"), 2);
	assert_string_equal(text_at("nodes.1.node"), "fra-1");
	assert_string_equal(text_at("nodes.1.state"), peers_state_text(PEERS_UNASKED));
	meanwhile = list_the_others;
	assert_in_range(wait_for(0, NULL, "wait=all"), 400, 420);
	assert_true(is_complete());
	assert_int_equal(count_at("nodes"), 2);
}

/* This node's judgement of version 2, on which the one in force was built. */
static struct inforce *judge_second(enum inforce_state judgement)
{
	struct inforce *f = &this_node.judged.versions[1];

	core_lock(&this_node);
	assert_int_equal(this_node.judged.versions[0].number, 3);
	*f = (struct inforce){ .number = 2,
		               .state = judgement,
		               .process = "dataplane",
		               .code = "port-missing",
		               .reason = "there is no eth1" };
	strcpy(f->digest, digests[2]);
	core_unlock(&this_node);
	return f;
}

/* A process may have the document, and what it names not be there. */
static void a_version_is_in_force_as_it_is_judged(void **state)
{
	static const struct {
		enum inforce_state judgement;
		bool rolled_back, complete;
		const char *word, *code;
	} rows[] = {
		{ INFORCE_DONE, false, true, "in_force", "" },
		{ INFORCE_REFUSED, true, false, "refused", "port-missing" },
		{ INFORCE_REFUSED, false, false, "refused", "port-missing" },
		{ INFORCE_LATE, false, false, "late", "" },
	};

	(void)state;
	assert_int_equal(wait_for(3, digests[3], ""), 0);
	assert_true(is_complete());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge_second(rows[i].judgement)->rolled_back = rows[i].rolled_back;
		assert_int_equal(wait_for(2, digests[2], ""), 0);
		if (is_complete() != rows[i].complete ||
		    strcmp(text_at("nodes.0.state"), rows[i].word) != 0)
			fail_msg("row %zu: %s", i, text_at("nodes.0.state"));
		assert_string_equal(text_at("nodes.0.code"), rows[i].code);
		assert_int_equal(is_true_at("nodes.0.rolled_back"), rows[i].rolled_back);
	}
	judge_second(INFORCE_DONE); /* judged once; one has been started again since */
	health_of_page()->document--;
	assert_int_equal(wait_for(2, digests[2], ""), VERSION_MS);
	assert_false(is_complete());
	assert_string_equal(text_at("nodes.0.state"), "written");
}

static void each_peer_tells_how_it_judges_this_version(void **state)
{
	static const struct {
		enum inforce_state judgement;
		uint64_t number;
		unsigned digest; /* of which version; 0: of another */
		bool complete, waits;
		const char *word;
	} rows[] = {
		{ INFORCE_DONE, 3, 3, true, false, "agreed" },
		{ INFORCE_UNKNOWN, 0, 0, false, true, "pending" }, /* it has judged none */
		{ INFORCE_DONE, 2, 2, false, true, "pending" },    /* of another version */
		{ INFORCE_REFUSED, 2, 3, false, true, "pending" },
		{ INFORCE_PENDING, 4, 0, true, false, "agreed" }, /* of one made after it */
		{ INFORCE_REFUSED, 3, 0, false, true, "pending" },
		{ INFORCE_REFUSED, 3, 3, false, false, "refused" },
		{ INFORCE_LATE, 3, 3, false, false, "late" },
		{ INFORCE_PENDING, 3, 3, false, true, "pending" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t which = 0; which < 2; which++) {
			put_reports(2, INFORCE_DONE);
			struct inforce *f = &peers.reports[which].inforce;
			f->state = rows[i].judgement;
			f->number = rows[i].number;
			strcpy(f->digest, rows[i].digest ? digests[rows[i].digest] : "other");
			uint64_t took_ms = wait_for(3, digests[3], "wait=all");
			const char *word = text_at(which ? "nodes.2.state" : "nodes.1.state");
			if (is_complete() != rows[i].complete ||
			    (took_ms == ALL_MS) != rows[i].waits || strcmp(word, rows[i].word) != 0)
				fail_msg("row %zu, peer %zu: %s, %d ms", i, which, word,
				         (int)took_ms);
			assert_string_equal(text_at(which ? "nodes.1.state" : "nodes.2.state"),
			                    "agreed");
		}
}

/* A peer tells of the next version after a rollback: its word of this one is kept. */
static void a_refusal_is_told_after_the_rollback(void **state)
{
	static const struct {
		const char *by;
		uint64_t number;
		unsigned digest;
		bool told;
	} rows[] = { { "fra-1", 3, 3, true },
		     { "lon-1", 3, 3, false },
		     { "fra-1", 2, 3, false },
		     { "fra-1", 3, 2, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint64_t told = 3; told <= 4; told++) {
			put_reports(1, INFORCE_LATE);
			peers.reports[0].inforce.number = told;
			snprintf(this_node.judged.refused_by, sizeof(this_node.judged.refused_by),
			         "%s", rows[i].by);
			this_node.judged.refusal = (struct inforce){ .number = rows[i].number,
				                                     .state = INFORCE_REFUSED,
				                                     .process = "dns",
				                                     .code = "listen-refused",
				                                     .rolled_back = true };
			strcpy(this_node.judged.refusal.digest, digests[rows[i].digest]);
			(void)wait_for(3, digests[3], "wait=all");
			bool is_late =
			        !rows[i].told && told == 3; /* its own word of this version */
			if (strcmp(text_at("nodes.1.state"), rows[i].told ? "refused"
			                                     : is_late    ? "late"
			                                                  : "agreed"))
				fail_msg("row %zu: %s", i, text_at("nodes.1.state"));
			assert_int_equal(is_complete(), !rows[i].told && !is_late);
			assert_string_equal(text_at("nodes.1.process"), rows[i].told ? "dns" : "");
			assert_string_equal(text_at("nodes.1.code"),
			                    rows[i].told ? "listen-refused" : "");
			assert_int_equal(is_true_at("nodes.1.rolled_back"), rows[i].told);
		}
}

/* A peer alone takes the version back while its maker waits; or another change wins. */
static void what_took_the_place_of_a_version_is_told(void **state)
{
	static const struct {
		const char *why;
		unsigned number, digest; /* 0: another */
		bool fails, superseded, rolled_back;
	} rows[] = {
		{ "the head", 3, 3, false, false, false },
		{ "taken back", 4, 0, false, true, true },
		{ "another won", 3, 0, false, true, false },
		{ "built on it", 2, 2, false, false, false },
		{ "another won and went on", 2, 0, false, true, false },
		{ "not known", 2, 0, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].number == 2)
			judge_second(INFORCE_DONE);
		this_node.intent->failing = rows[i].fails;
		(void)wait_for(rows[i].number, rows[i].digest ? digests[rows[i].digest] : "other",
		               "wait_ms=0");
		if (is_complete() == rows[i].superseded ||
		    strcmp(text_at("nodes.0.state"),
		           rows[i].superseded ? "superseded" : "in_force"))
			fail_msg("%s: %s", rows[i].why, text_at("nodes.0.state"));
		assert_int_equal(is_true_at("nodes.0.rolled_back"), rows[i].rolled_back);
		if (rows[i].superseded)
			assert_string_equal(text_at("nodes.0.detail"),
			                    "version 3 by ada on ams-1 is in force: x");
		assert_int_equal(wait_for(0, NULL, ""), 0); /* overrides are of no version */
		assert_true(is_complete());
		this_node.intent->failing = false;
	}
}

/* Who applies right after another is judged; the other's version is not any more, and is in force with it. */
static void a_version_that_another_was_built_on_is_judged_with_that_one(void **state)
{
	(void)state;
	judge_second(INFORCE_PENDING);
	assert_int_equal(wait_for(2, digests[2], ""), 0); /* that one is in force */
	assert_true(is_complete());
	health_of_page()->document--;
	this_node.judged.versions[0].state = INFORCE_PENDING;
	this_node.judged.versions[0].accepted_ms = told_ms;
	takes_at_ms = told_ms + 400;
	assert_in_range(wait_for(2, digests[2], ""), 400, 420);
	assert_true(is_complete());
	assert_string_equal(text_at("nodes.0.state"), "in_force");
	this_node.judged.versions[0].rolled_back = true; /* the other's mistake is not this one's */
	assert_in_range(wait_for(2, digests[2], "wait_ms=100"), 100, 120);
	assert_string_not_equal(text_at("nodes.0.state"), "refused");
	assert_false(is_complete());
	judge_second(INFORCE_REFUSED); /* what was judged stays so */
	assert_int_equal(wait_for(2, digests[2], ""), 0);
	assert_string_equal(text_at("nodes.0.state"), "refused");
}

static unsigned check_with(const char *name, const char *value, const char *if_match)
{
	struct http_request r = { .n_query = *name ? 1 : 0 };
	bool ok;

	snprintf(r.query[0].name, sizeof(r.query[0].name), "%s", name);
	snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", value);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	if (if_match) {
		snprintf(r.if_match, sizeof(r.if_match), "%s", if_match);
		ok = handle_if_match(&r, "\"v3-d3\"", true, &answer);
	} else {
		ok = handle_wait_ok(&r, &answer);
	}
	assert_int_equal(ok, answer.status == 0);
	return answer.status;
}

static void what_a_request_asks_for_makes_sense_or_not(void **state)
{
	static const struct {
		const char *name, *value, *if_match;
		unsigned status;
	} rows[] = {
		{ "", "", NULL, 0 },
		{ "wait", "all", NULL, 0 },
		{ "wait", "local", NULL, 0 },
		{ "wait", "", NULL, 400 },
		{ "wait", "ALL", NULL, 400 },
		{ "wait_ms", "0", NULL, 0 },
		{ "wait_ms", "60000", NULL, 0 },
		{ "wait_ms", "60001", NULL, 400 },
		{ "wait_ms", "x", NULL, 400 },
		{ "wait_ms", "", NULL, 400 },
		{ "wait_ms", "000000000060000", NULL, 0 },
		{ "wait_ms", "0000000000060000", NULL, 400 },
		{ "", "", "", 428 },
		{ "", "", "*", 0 },
		{ "", "", "\"v3-d3\"", 0 },
		{ "", "", "\"v3-d4\"", 412 },
		{ "", "", "v3-d3", 412 },
	};
	struct http_request r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (check_with(rows[i].name, rows[i].value, rows[i].if_match) != rows[i].status)
			fail_msg("row %zu: %u", i, answer.status);
	assert_true(handle_if_match(&r, "\"v3-d3\"", false, &answer)); /* it may be left out */
	snprintf(r.if_match, sizeof(r.if_match), "\"v1-d1\"");
	assert_false(handle_if_match(&r, "", false, &answer));
	assert_non_null(strstr(json_string_value(json_object_get(answer.json, "detail")),
	                       "the current ETag is none"));
}

static void numbers_of_a_query_have_bounds(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = { { "5", true, 5 },    { "10", true, 10 },
		     { "010", true, 10 }, { "4", false, 0 },
		     { "11", false, 0 },  { "", false, 0 },
		     { "-5", false, 0 },  { "5x", false, 0 },
		     { " 5", false, 0 },  { "0000000000000005", false, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .n_query = 1, .query = { { .name = "limit" } } };
		uint64_t value;

		snprintf(r.query[0].value, 32, "%s", rows[i].text);
		http_reply_fini(&answer);
		memset(&answer, 0, sizeof(answer));
		if (handle_number(&r, "limit", 5, 10, 7, &value, &answer) != rows[i].ok)
			fail_msg("\"%s\"", rows[i].text);
		assert_int_equal(answer.status, rows[i].ok ? 0 : 400);
		if (rows[i].ok)
			assert_int_equal(value, rows[i].value);
		assert_true(handle_number(&r, "since", 5, 10, 7, &value, &answer));
		assert_int_equal(value, 7);
	}
}

SUITE(wait_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_in_force_is_not_waited_for),
		T(a_process_is_waited_for),
		T(a_client_says_for_how_long_it_waits),
		T(a_wait_ends_when_all_have_it),
		T(a_node_that_is_not_listed_yet_is_waited_for),
		T(a_version_is_in_force_as_it_is_judged),
		T(each_peer_tells_how_it_judges_this_version),
		T(a_refusal_is_told_after_the_rollback),
		T(a_version_that_another_was_built_on_is_judged_with_that_one),
		T(what_took_the_place_of_a_version_is_told),
		T(what_a_request_asks_for_makes_sense_or_not),
		T(numbers_of_a_query_have_bounds),
	};

	world_begin();
	return cmocka_run_group_tests_name("wait parts", tests, NULL, NULL);
}
