/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node asks others for (mgmt/sync/shared_run.c): which answer ends a version, and when what failed is tried again. */
#include "asked.h"

#include <errno.h>

#include "mgmt/store/shared_intent.h"
#include "mgmt/sync/shared_files.h"
#include "mgmt/sync/shared_run_internal.h"

#define TURN_MS  250u
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t mono_now_ms, begin_ms;
static uint64_t to_end; /* the version that is to end; 0: none */
static int decide_err, write_err, fetch_err;
static enum shared_result written;
static unsigned n_turns; /* until the node stops */
static char asked[256];  /* each question, with its ms since the beginning */

static uint64_t fake_mono(void)
{
	return mono_now_ms;
}

static void note_asked(const char *what)
{
	size_t n = strlen(asked);

	snprintf(asked + n, sizeof(asked) - n, "%s@%u ", what, (unsigned)(mono_now_ms - begin_ms));
}

static uint64_t fake_to_end(const struct intent *in, const struct pending_clock *clock,
                            const char **reason)
{
	(void)in, (void)clock;
	*reason = "it was not confirmed in time";
	return to_end;
}

static int fake_decide(struct intent *in, uint64_t number, enum chain_mark mark, const char *author,
                       const char *reason, int64_t now_ms, struct shared_change *c)
{
	(void)in, (void)now_ms;
	assert_int_equal(number, to_end);
	assert_int_equal(mark, CHAIN_ENDED);
	assert_string_equal(author, "weir");
	assert_string_equal(reason, "it was not confirmed in time");
	shared_change_begin(c, "0123456789abcdef");
	note_asked("end");
	return decide_err;
}

static int fake_write(struct shared_run *r, const struct shared_change *c,
                      struct shared_answer *out, char reason[ETCD_REASON_MAX])
{
	(void)r, (void)c, (void)reason;
	*out = (struct shared_answer){ .result = written };
	return write_err;
}

static int fake_fetch(struct core *core, struct peer_client *client, const struct version *v)
{
	(void)core, (void)client;
	assert_int_equal(v->number, 7);
	assert_false(asked_is_locked());
	note_asked("fetch");
	return fetch_err;
}

static bool fake_wait(struct core *core, uint64_t until_ms)
{
	assert_true(asked_is_locked());
	assert_int_equal(until_ms, mono_now_ms + TURN_MS);
	mono_now_ms = until_ms;
	core->stopping = --n_turns == 0;
	return true;
}

/* The private parts too. */
#define clock_mono_ms           fake_mono
#define shared_intent_to_end    fake_to_end
#define shared_intent_decide    fake_decide
#define shared_run_write_change fake_write
#define shared_files_fetch      fake_fetch
#define core_wait               fake_wait
#include "mgmt/sync/shared_run.c"

static struct shared_run run;

static int setup(void **state)
{
	(void)asked_setup(state);
	run = (struct shared_run){ .core = &this_node };
	mono_now_ms = begin_ms = 1000000;
	to_end = 0;
	decide_err = write_err = fetch_err = 0;
	written = SHARED_DONE;
	return 0;
}

/* That the store refuses it means that another node has decided it. */
static void a_version_is_ended_unless_that_is_not_known(void **state)
{
	static const struct {
		int decide_err, write_err;
		enum shared_result written;
		bool is_ended;
	} rows[] = {
		{ 0, 0, SHARED_DONE, true },       { 0, 0, SHARED_REFUSED, true },
		{ 0, 0, SHARED_UNKNOWN, false },   { 0, -EHOSTUNREACH, SHARED_DONE, false },
		{ -EROFS, 0, SHARED_DONE, false },
	};

	(void)state;
	to_end = 3;
	for (size_t i = 0; i < COUNT(rows); i++) {
		decide_err = rows[i].decide_err;
		write_err = rows[i].write_err;
		written = rows[i].written;
		if (end_version(&run, 3, "it was not confirmed in time") != rows[i].is_ended)
			fail_msg("row %zu", i);
	}
}

/* Each for itself: what fails of one does not keep the other waiting. */
static void what_failed_is_tried_again_after_a_second(void **state)
{
	static const struct {
		uint64_t to_end, missing;
		int write_err, fetch_err;
		const char *asked;
	} rows[] = {
		{ 0, 0, 0, 0, "" },
		{ 3, 0, 0, 0, "end@0 end@250 end@500 end@750 end@1000 " },
		{ 3, 0, -EHOSTUNREACH, 0, "end@0 end@1000 " },
		{ 0, 7, 0, 0, "fetch@0 fetch@250 fetch@500 fetch@750 fetch@1000 " },
		{ 0, 7, 0, -EAGAIN, "fetch@0 fetch@1000 " },
		{ 3, 7, -EHOSTUNREACH, 0,
		  "end@0 fetch@0 fetch@250 fetch@500 fetch@750 end@1000 fetch@1000 " },
		{ 3, 7, 0, -EAGAIN, "end@0 fetch@0 end@250 end@500 end@750 end@1000 fetch@1000 " },
		{ 3, 7, -EHOSTUNREACH, -EAGAIN, "end@0 fetch@0 end@1000 fetch@1000 " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin_ms = mono_now_ms;
		asked[0] = '\0';
		to_end = rows[i].to_end;
		run.missing.number = rows[i].missing;
		write_err = rows[i].write_err;
		fetch_err = rows[i].fetch_err;
		n_turns = 5;
		this_node.stopping = false;
		(void)run_helper(&run);
		assert_string_equal(asked, rows[i].asked);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_version_is_ended_unless_that_is_not_known),
		TEST(what_failed_is_tried_again_after_a_second),
	};

	return cmocka_run_group_tests_name("shared run", tests, NULL, NULL);
}
