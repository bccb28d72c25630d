/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of the API behind its front: keys of requests, the believed time over restarts, heads
 * that part, lists cut.
 */
#include "fixture.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/believed.h"
#include "base/clock.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/api/idempotent.h"
#include "mgmt/status/status.h"
#include "mgmt/peers/timekeep.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define KEYS_MAX 256u

static struct fixture place;
static struct core core;

static void open_core(void)
{
	struct intent_options options = { .conf_dir = place.conf,
		                          .state_dir = place.state,
		                          .node = "ams-1" };

	memset(&core, 0, sizeof(core));
	pthread_condattr_t monotonic; /* as the process has it: core_wait() counts by it */

	pthread_mutex_init(&core.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&core.changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	snprintf(core.dirs.run, sizeof(core.dirs.run), "%s", place.root);
	snprintf(core.dirs.state, sizeof(core.dirs.state), "%s", place.state);
	snprintf(core.dirs.node, sizeof(core.dirs.node), "ams-1");
	assert_int_equal(timekeep_open(&core), 0);
	assert_int_equal(intent_open(&options, clock_believed_ms(), &core.intent), 0);
}

static void close_core(void)
{
	intent_close(core.intent);
	timekeep_close(&core);
}

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	open_core();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_core();
	fixture_remove(&place);
	return 0;
}

/* --- signs of work --- */

/* Who waits for a change hears nothing when this is wrong, and takes it for broken off. */
static void a_lock_that_is_taken_again_and_again_is_no_hang(void **state)
{
	const uint64_t long_ago_ms = clock_mono_ms() - 60000;

	(void)state;
	core.use.moving_ms = core.use.looked_ms = long_ago_ms;
	core_lock(&core);
	assert_true(core_is_moving(&core)); /* nobody knows since when */
	core.use.moving_ms = long_ago_ms;
	assert_false(core_is_moving(&core)); /* the same holder, for a minute */
	core_unlock(&core);
	core_lock(&core);
	assert_true(core_is_moving(&core)); /* held at each look, but by another each time */
	core_unlock(&core);
	core.use.moving_ms = long_ago_ms;
	assert_true(core_is_moving(&core)); /* free */
}

/* --- keys of requests --- */

static struct store_request once[64]; /* of the latest requests */
static size_t n_made;

static struct http_request make_request(const char *identity, const char *key, const char *body)
{
	struct http_request r = {
		.method = "POST", .path = "/v1/overrides", .body = body, .n_body = strlen(body)
	};

	r.request = &once[n_made++ % (sizeof(once) / sizeof(once[0]))];
	snprintf(r.identity, sizeof(r.identity), "%s", identity);
	snprintf(r.key, sizeof(r.key), "%s", key);
	return r;
}

/*
 * Carry a request out that makes @p answer with @p status, unless its key has an answer. @return
 * the answer's status; @p again: it was one from before
 */
static unsigned carry_out(struct http_request *r, unsigned status, int answer, bool *again,
                          json_int_t *got)
{
	struct http_reply reply = { 0 };
	unsigned result;

	*again = idempotent_begin(&core, r, &reply);
	if (!*again) {
		reply.status = status;
		reply.json = json_pack("{s:i}", "n", answer);
		idempotent_end(&core, r, &reply);
	}
	result = reply.status;
	*got = json_integer_value(json_object_get(reply.json, "n"));
	http_reply_fini(&reply);
	return result;
}

static void a_key_has_one_answer_for_one_principal(void **state)
{
	struct http_request first = make_request("user:root", "k", "{\"a\":1}"),
	                    other = make_request("token:ada", "k", "{\"a\":1}");
	json_int_t got;
	bool again;

	(void)state;
	assert_int_equal(carry_out(&first, 201, 7, &again, &got), 201);
	assert_false(again);
	assert_int_equal(carry_out(&first, 201, 8, &again, &got), 201);
	assert_true(again);
	assert_int_equal(got, 7);
	assert_int_equal(carry_out(&other, 200, 9, &again, &got),
	                 200); /* the same key of somebody else */
	assert_false(again);
	assert_int_equal(got, 9);
	assert_int_equal(core.under_way.n, 0);
}

static void a_key_is_of_one_request_alone(void **state)
{
	struct http_request r = make_request("user:root", "k", "{}"), more;
	json_int_t got;
	bool again;

	(void)state;
	assert_int_equal(carry_out(&r, 200, 1, &again, &got), 200);
	for (unsigned i = 0; i < 4; i++) {
		more = make_request("user:root", "k", i == 0 ? "{ }" : "{}");
		if (i == 1)
			snprintf(more.path, sizeof(more.path), "/v1/config/apply");
		if (i == 2)
			snprintf(more.if_match, sizeof(more.if_match), "v1");
		if (i == 3) {
			more.n_query = 1;
			snprintf(more.query[0].name, sizeof(more.query[0].name), "dry_run");
			snprintf(more.query[0].value, sizeof(more.query[0].value), "true");
		}
		assert_int_equal(carry_out(&more, 200, 2, &again, &got), 422);
		assert_true(again);
	}
	more = make_request("user:root", "k2", "{}");
	assert_int_equal(carry_out(&more, 200, 3, &again, &got), 200);
	assert_false(again);
}

static void a_failure_of_ours_is_not_kept(void **state)
{
	struct http_request r = make_request("user:root", "k", "{}");
	json_int_t got;
	bool again;

	(void)state;
	assert_int_equal(carry_out(&r, 503, 1, &again, &got), 503);
	assert_int_equal(carry_out(&r, 409, 2, &again, &got),
	                 409); /* tried again, and refused for good */
	assert_false(again);
	assert_int_equal(carry_out(&r, 200, 3, &again, &got), 409);
	assert_true(again);
}

static void answers_outlive_the_process(void **state)
{
	struct http_request r = make_request("user:root", "k", "{}");
	json_int_t got;
	bool again;

	(void)state;
	assert_int_equal(carry_out(&r, 200, 5, &again, &got), 200);
	close_core();
	open_core();
	assert_int_equal(carry_out(&r, 200, 6, &again, &got), 200);
	assert_true(again);
	assert_int_equal(got, 5);
}

static void so_many_keys_may_be_under_way_and_no_more(void **state)
{
	struct http_reply reply = { 0 };
	struct http_request r;

	(void)state;
	for (unsigned i = 0; i < KEYS_MAX; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%u", i);
		r = make_request("user:root", key, "{}");
		assert_false(idempotent_begin(&core, &r, &reply));
	}
	assert_int_equal(core.under_way.n, KEYS_MAX);
	r = make_request("user:root", "more", "{}");
	assert_true(idempotent_begin(&core, &r, &reply));
	assert_int_equal(reply.status, 503);
	http_reply_fini(&reply);
	reply = (struct http_reply){ .status = 200, .json = json_object() };
	core.under_way.n--; /* one has ended */
	assert_false(idempotent_begin(&core, &r, &(struct http_reply){ 0 }));
	idempotent_end(&core, &r, &reply);
	assert_int_equal(core.under_way.n, KEYS_MAX - 1);
	http_reply_fini(&reply);
	core.under_way.n = 0;
}

struct second_request {
	struct http_request r;
	struct http_reply reply;
	bool answered;
};

static void *ask_again(void *arg)
{
	struct second_request *second = arg;

	second->answered = idempotent_begin(&core, &second->r, &second->reply);
	return NULL;
}

/* By a thread of its own and in real time: who waits is woken, and does not find the end by its limit. Twice. */
static void who_waits_for_a_key_is_woken_by_its_end(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		const struct http_reply reply = { .status = 201,
			                          .json = json_pack("{s:i}", "n", round) };
		struct second_request second = { .r = make_request("user:root", "k", "{}") };
		uint64_t n_given = __atomic_load_n(&core.use.n_given, __ATOMIC_RELAXED);
		struct store_request of_first;
		struct http_request first;
		struct timespec limit;
		pthread_t thread;

		second.r.key[0] = (char)('k' + round);
		first = second.r;
		first.request = &of_first;
		assert_false(idempotent_begin(&core, &first, &(struct http_reply){ 0 }));
		assert_int_equal(pthread_create(&thread, NULL, ask_again, &second), 0);
		while (__atomic_load_n(&core.use.n_given, __ATOMIC_RELAXED) == n_given)
			usleep(1000);
		idempotent_end(&core, &first, &reply);
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_sec += 30; /* it would wait for 75 s */
		assert_int_equal(pthread_timedjoin_np(thread, NULL, &limit), 0);
		assert_true(second.answered);
		assert_int_equal(second.reply.status, 201);
		assert_int_equal(json_integer_value(json_object_get(second.reply.json, "n")),
		                 round);
		http_reply_fini(&second.reply);
		json_decref(reply.json);
	}
	assert_int_equal(core.under_way.n, 0);
}

/* --- the believed time --- */

static void write_record(const char *text)
{
	fixture_write(place.state, TIMEKEEP_FILE, text);
}

/* Open with STATE/clock as @p text, and no page of a process before. */
static void open_with_record(const char *text)
{
	char path[PATH_MAX];

	close_core();
	snprintf(path, sizeof(path), "%s/%s", place.root, BELIEVED_PAGE);
	unlink(path);
	write_record(text);
	open_core();
}

static void the_time_by_which_things_are_forgotten_never_runs_ahead(void **state)
{
	int64_t now_ms = clock_realtime_ms();
	uint64_t mono_ms = clock_mono_ms();
	char text[160];

	(void)state;
	/* written ten seconds ago, with a purge time an hour before */
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %llu %lld 1 %lld end\n",
	         (unsigned long long)clock_boot(), (unsigned long long)(mono_ms - 10000),
	         (long long)(now_ms - 10000), (long long)(now_ms - 3600000));
	open_with_record(text);
	assert_in_range(timekeep_purge_ms(&core) - (now_ms - 3600000), 9000, 60000);
	/* a damaged one that is ahead of the time */
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %llu %lld 1 %lld end\n",
	         (unsigned long long)clock_boot(), (unsigned long long)mono_ms, (long long)now_ms,
	         (long long)(now_ms + 86400000));
	open_with_record(text);
	assert_true(timekeep_purge_ms(&core) <= clock_believed_ms());
	/* of another boot: time did not pass here as far as is known */
	snprintf(text, sizeof(text), "weir-clock 1\n1234 1000 %lld 1 %lld end\n",
	         (long long)(now_ms - 5000), (long long)(now_ms - 7200000));
	open_with_record(text);
	assert_int_equal(timekeep_purge_ms(&core), now_ms - 7200000);
}

static void a_record_that_is_cut_or_out_of_range_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"weir-clock 2\n1 1 1 1 1 end\n",
		"weir-clock 1\n1234 1000 1000 1 1000 en",
		"weir-clock 1\n1234 1000 0 1 1000 end\n",
		"weir-clock 1\n1234 1000 1000 1 0 end\n",
		"weir-clock 1\n1234 1000 1000 1 999999999999999999 end\n"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		open_with_record(bad[i]);
		int64_t off_ms = timekeep_purge_ms(&core) - clock_realtime_ms();

		if (off_ms < -60000 || off_ms > 1000)
			fail_msg("%s: %lld", bad[i], (long long)off_ms);
	}
}

static void a_step_before_this_start_is_not_believed_until_accepted(void **state)
{
	int64_t now_ms = clock_realtime_ms();
	char text[160];

	(void)state;
	/* this very boot: the clock was an hour behind what it is now */
	snprintf(text, sizeof(text), "weir-clock 1\n%llx %llu %lld 1 %lld end\n",
	         (unsigned long long)clock_boot(), (unsigned long long)clock_mono_ms(),
	         (long long)(now_ms - 3600000), (long long)(now_ms - 3600000));
	open_with_record(text);
	assert_int_equal(timekeep_hold(&core), WALL_CLOCK_STEPPED);
	assert_in_range(clock_realtime_ms() - clock_believed_ms(), 3600000 - 5000, 3600000 + 5000);
	assert_in_range(timekeep_off_by_ms(&core), 3600000 - 5000, 3600000 + 5000);
	int64_t moved_ms = timekeep_accept(&core, "jw", "it is right");

	assert_in_range(moved_ms, 3600000 - 5000, 3600000 + 5000);
	assert_in_range(clock_realtime_ms() - clock_believed_ms() + 5000, 0, 10000);
	assert_int_equal(timekeep_off_by_ms(&core), 0);
	assert_true(timekeep_purge_ms(&core) <=
	            clock_believed_ms() - 3590000); /* what was dead is not forgotten at once */
	close_core();
	open_core(); /* the acceptance is kept */
	assert_in_range(clock_realtime_ms() - clock_believed_ms() + 5000, 0, 10000);
}

/* --- lists that are cut --- */

/* Each answer is the beginning of any longer one, the worst first, and of equals in their order. */
static void the_worst_are_shown_first(void **state)
{
	static const uint8_t ranks[] = { STATUS_NORMAL, STATUS_ODD,       STATUS_DEAD,
		                         STATUS_NORMAL, STATUS_REQUESTED, STATUS_WRONG,
		                         STATUS_WRONG,  STATUS_ODD };
	static const size_t worst_first[] = { 2, 5, 6, 1, 7, 4, 0, 3 };
	size_t order[8];

	(void)state;
	for (uint64_t limit = 1; limit <= 8; limit++) {
		assert_int_equal(status_order(ranks, 8, limit, order), limit);
		assert_memory_equal(order, worst_first, limit * sizeof(*order));
	}
	assert_int_equal(status_order(ranks, 8, UINT64_MAX, order), 8);
	assert_memory_equal(order, worst_first, sizeof(order));
	assert_int_equal(status_order(ranks, 8, 0, order), 8); /* all: in their own order */
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(order[i], i);
	assert_int_equal(status_order(NULL, 0, 0, NULL), 0);
}

static void what_is_left_out_is_counted(void **state)
{
	static const uint8_t ranks[] = { STATUS_NORMAL, STATUS_ODD, STATUS_REQUESTED,
		                         STATUS_NORMAL };
	struct status *s = calloc(1, sizeof(*s));
	json_t *expected =
	        json_loads("{\"pools\": {\"all\": 4, \"standing_out\": 2, \"shown\": 3}}", 0, NULL);

	(void)state;
	assert_non_null(s);
	s->filter.limit = 3;
	assert_int_equal(status_limit(s, 3), 0); /* all have room */
	assert_int_equal(status_limit(s, 4), 3);
	status_note_cut(s, "services", ranks, 4, 4);
	assert_null(s->lists); /* nothing is left out */
	status_note_cut(s, "pools", ranks, 4, 3);
	assert_true(json_equal(s->lists, expected));
	json_decref(expected);
	status_fini(s);
	s->filter.limit = 0;
	assert_int_equal(status_limit(s, 100000), 0);
	free(s);
}

SUITE(api_core)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_lock_that_is_taken_again_and_again_is_no_hang,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_key_has_one_answer_for_one_principal, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(who_waits_for_a_key_is_woken_by_its_end, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_key_is_of_one_request_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_of_ours_is_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_outlive_the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(so_many_keys_may_be_under_way_and_no_more, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        the_time_by_which_things_are_forgotten_never_runs_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_that_is_cut_or_out_of_range_is_none, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        a_step_before_this_start_is_not_believed_until_accepted, setup, teardown),
		cmocka_unit_test(the_worst_are_shown_first),
		cmocka_unit_test(what_is_left_out_is_counted),
	};

	return cmocka_run_group_tests_name("api core", tests, NULL, NULL);
}
