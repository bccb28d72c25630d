/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a version is in force: what a process shows, and what follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/sync/inforce_judge.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define STAYS_MS  2000
#define WITHIN_MS 15000

#define TAKEN_MS 100000u
#define DOCUMENT 7u

static struct inforce judgement;
static struct gather_process seen;
static struct conditions stated;

/* A process that runs, has the document and has said so, with nothing to complain of. */
static int begin_process(void **state)
{
	(void)state;
	judgement = (struct inforce){
		.number = 2, .state = INFORCE_PENDING, .accepted_ms = TAKEN_MS, .document = DOCUMENT
	};
	seen = (struct gather_process){
		.present = true, .running = true, .document = DOCUMENT, .has_conditions = true
	};
	stated = (struct conditions){ .document = DOCUMENT, .at_ms = TAKEN_MS + 10 };
	return 0;
}

static void state_condition(const char *code, uint64_t since_ms)
{
	struct condition *c = &stated.items[stated.n++];

	*c = (struct condition){ .level = CONDITION_DEGRADED, .since_ms = since_ms };
	snprintf(c->code, sizeof(c->code), "%s", code);
	snprintf(c->subject, sizeof(c->subject), "eth1");
	snprintf(c->text, sizeof(c->text), "there is no interface eth1");
}

static enum inforce_state judge_at(uint64_t now_ms)
{
	enum inforce_state s =
	        inforce_judge_process(&judgement, "dataplane", &seen, &stated, now_ms);

	if (s != INFORCE_DONE)
		assert_int_equal(judgement.state, s);
	return s;
}

static void a_process_that_has_it_and_complains_of_nothing_is_done(void **state)
{
	(void)state;
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_DONE);
	state_condition("port-no-carrier", TAKEN_MS + 1); /* a trouble, and no refusal */
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_DONE);
}

static void a_process_that_never_was_there_lacks_nothing(void **state)
{
	(void)state;
	seen = (struct gather_process){ .document = 0 };
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_DONE);
}

static void who_has_not_got_it_is_waited_for(void **state)
{
	(void)state;
	seen.document = stated.document = DOCUMENT - 1;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_PENDING);
	assert_string_equal(judgement.process, "dataplane");
	assert_string_equal(judgement.reason, "has not taken the new document yet");
	seen.document = DOCUMENT;
	stated.at_ms = TAKEN_MS - 1; /* what it says is of before */
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_PENDING);
	stated.document = DOCUMENT;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_PENDING);
	stated.at_ms = TAKEN_MS;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_DONE);
}

/* It has the document, and what it stated a moment before is about the one that it had. */
static void what_it_stated_of_the_document_before_says_nothing(void **state)
{
	(void)state;
	stated.document = DOCUMENT - 1;
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_PENDING);
	assert_string_equal(judgement.reason,
	                    "has not reported yet whether all interfaces and addresses exist");
	stated.document = DOCUMENT;
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_DONE);
}

/* What the tables show before the members change is the version before; twice, of two versions. */
static void the_shares_of_before_are_not_those_of_the_version(void **state)
{
	(void)state;
	for (uint64_t taken_ms = TAKEN_MS; taken_ms < TAKEN_MS + 20000; taken_ms += 10000) {
		judgement.accepted_ms = taken_ms;
		judgement.members_ms = taken_ms + 2000;
		stated.at_ms = taken_ms + 1999;
		assert_int_equal(judge_at(taken_ms + 3000), INFORCE_PENDING);
		assert_string_equal(judgement.reason,
		                    "has not reported yet that the backends have their new shares");
		assert_int_equal(
		        inforce_judge_process(&judgement, "dns", &seen, &stated, taken_ms + 3000),
		        INFORCE_DONE); /* it has no members */
		stated.at_ms = taken_ms + 2000;
		assert_int_equal(judge_at(taken_ms + 3000), INFORCE_DONE);
	}
}

static void a_process_of_a_release_without_conditions_is_judged_by_its_document(void **state)
{
	(void)state;
	seen.has_conditions = false;
	memset(&stated, 0xee, sizeof(stated)); /* nothing was read */
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_DONE);
	seen.document = DOCUMENT - 1;
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_PENDING);
}

static void a_refusal_from_before_the_version_is_not_its_doing(void **state)
{
	(void)state;
	state_condition("port-missing", TAKEN_MS - 1);
	assert_int_equal(judge_at(TAKEN_MS + 20), INFORCE_DONE);
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_DONE);
}

static void a_refusal_counts_when_it_has_stayed(void **state)
{
	(void)state;
	static const char *const codes[] = { "port-missing", "port-not-attached",
		                             "port-not-changed", "listen-failed", "zones-refused" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		begin_process(NULL);
		state_condition(codes[i], TAKEN_MS + 500);
		assert_int_equal(judge_at(TAKEN_MS + 500), INFORCE_PENDING);
		assert_int_equal(judge_at(TAKEN_MS + 499 + STAYS_MS), INFORCE_PENDING);
		assert_string_equal(judgement.code, "");
		assert_int_equal(judge_at(TAKEN_MS + 500 + STAYS_MS), INFORCE_REFUSED);
		assert_string_equal(judgement.process, "dataplane");
		assert_string_equal(judgement.code, codes[i]);
		assert_string_equal(judgement.subject, "eth1");
		assert_string_equal(judgement.reason, "there is no interface eth1");
	}
}

/* Of two the old one is passed over, and not the look at the other. */
static void a_refusal_is_seen_behind_an_old_one(void **state)
{
	(void)state;
	state_condition("port-missing", TAKEN_MS - 60000);
	state_condition("port-not-attached", TAKEN_MS);
	assert_int_equal(judge_at(TAKEN_MS + STAYS_MS - 1), INFORCE_PENDING);
	assert_int_equal(judge_at(TAKEN_MS + STAYS_MS), INFORCE_REFUSED);
	assert_string_equal(judgement.code, "port-not-attached");
}

/* It may have been so before: the document before this one was refused as well. */
static void a_refused_document_counts_while_it_has_not_got_this_one(void **state)
{
	(void)state;
	state_condition("document-refused", TAKEN_MS - 60000);
	stated.at_ms = TAKEN_MS + 60000;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_DONE); /* it has this one */
	seen.document = stated.document = DOCUMENT - 1;
	stated.at_ms = TAKEN_MS + STAYS_MS - 1;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_PENDING); /* it may be reading it */
	stated.at_ms = TAKEN_MS + STAYS_MS;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_REFUSED);
	assert_string_equal(judgement.code, "document-refused");
}

static void the_page_of_a_dead_process_proves_nothing(void **state)
{
	(void)state;
	seen.running = false;
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_PENDING); /* it had the document */
	assert_string_equal(judgement.reason, "no sign of life");
	state_condition("port-missing", TAKEN_MS + 1);
	assert_int_equal(judge_at(TAKEN_MS + 60000), INFORCE_PENDING); /* nor is it a refusal */
	assert_string_equal(judgement.code, "");
}

/* weir-mgmt was stopped, or has been started again since: it has not waited for anybody meanwhile. */
static void who_did_not_look_calls_nobody_late(void **state)
{
	(void)state;
	seen.document = stated.document = DOCUMENT - 1;
	assert_int_equal(judge_at(TAKEN_MS + 50000), INFORCE_PENDING);
	inforce_conclude(&judgement, true, TAKEN_MS + 50000);
	assert_int_equal(judgement.state, INFORCE_PENDING);
	inforce_conclude(&judgement, true, TAKEN_MS + 90000);
	assert_int_equal(judgement.state, INFORCE_PENDING);
	for (uint64_t ms = 0; ms < WITHIN_MS; ms += 500)
		inforce_conclude(&judgement, true, TAKEN_MS + 90000 + ms);
	assert_int_equal(judgement.state, INFORCE_LATE);
}

static void who_is_waited_for_too_long_is_late_and_may_still_come(void **state)
{
	(void)state;
	seen.document = stated.document = DOCUMENT - 1;
	assert_int_equal(judge_at(TAKEN_MS + WITHIN_MS), INFORCE_PENDING);
	for (uint64_t ms = 0; ms < WITHIN_MS; ms += 100)
		inforce_conclude(&judgement, true, TAKEN_MS + ms);
	inforce_conclude(&judgement, true, TAKEN_MS + WITHIN_MS - 1);
	assert_int_equal(judgement.state, INFORCE_PENDING);
	inforce_conclude(&judgement, true, TAKEN_MS + WITHIN_MS);
	assert_int_equal(judgement.state, INFORCE_LATE);
	assert_string_equal(judgement.process, "dataplane"); /* for whom one waits */
	assert_string_equal(judgement.reason, "has not taken the new document yet");
	inforce_conclude(&judgement, false, TAKEN_MS + 60000);
	assert_int_equal(judgement.state, INFORCE_DONE);
	assert_string_equal(judgement.process, "");
	assert_string_equal(judgement.reason, "");
}

SUITE(inforce)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_process_that_has_it_and_complains_of_nothing_is_done,
		                       begin_process),
		cmocka_unit_test_setup(a_process_that_never_was_there_lacks_nothing, begin_process),
		cmocka_unit_test_setup(who_has_not_got_it_is_waited_for, begin_process),
		cmocka_unit_test_setup(what_it_stated_of_the_document_before_says_nothing,
		                       begin_process),
		cmocka_unit_test_setup(the_shares_of_before_are_not_those_of_the_version,
		                       begin_process),
		cmocka_unit_test_setup(
		        a_process_of_a_release_without_conditions_is_judged_by_its_document,
		        begin_process),
		cmocka_unit_test_setup(a_refusal_from_before_the_version_is_not_its_doing,
		                       begin_process),
		cmocka_unit_test_setup(a_refusal_counts_when_it_has_stayed, begin_process),
		cmocka_unit_test_setup(a_refusal_is_seen_behind_an_old_one, begin_process),
		cmocka_unit_test_setup(a_refused_document_counts_while_it_has_not_got_this_one,
		                       begin_process),
		cmocka_unit_test_setup(the_page_of_a_dead_process_proves_nothing, begin_process),
		cmocka_unit_test_setup(who_did_not_look_calls_nobody_late, begin_process),
		cmocka_unit_test_setup(who_is_waited_for_too_long_is_late_and_may_still_come,
		                       begin_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
