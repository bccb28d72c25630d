/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the next generation, without one: what is asked of the loader, and what becomes of its
 * result.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/loop_job.h"
#include "dns/zone/image.h"
#include "dns/server.h"
#include "weir/model.h"
#include "weir/stats.h"

/* The loader: what it is to find, what it was asked, and a gate that lets it go on. */
static struct {
	int result;
	unsigned n_errors, n_calls, n_freed;
	size_t n_earlier, n_broken;
	bool stale, is_former;
	int stale_error;
	enum zones_level level; /* of the mistakes */
	struct generation_how how;
	pthread_mutex_t gate;
} loader = { .gate = PTHREAD_MUTEX_INITIALIZER };

static char order[256]; /* of what was called, a letter each */
static unsigned n_ready;
static int take_result;
static bool job_runs;

static void note_call(char what)
{
	size_t n = strlen(order);

	assert_true(n + 1 < sizeof(order));
	order[n] = what;
	order[n + 1] = '\0';
}

static int fake_generation_load(const struct proc_dirs *dirs, const struct generation_how *how,
                                struct generation **out)
{
	struct generation *g = calloc(1, sizeof(*g));

	(void)dirs;
	pthread_mutex_lock(&loader.gate);
	loader.n_calls++;
	loader.how = *how;
	for (unsigned i = 0; i < loader.n_errors; i++) {
		char text[32];
		struct zones_message m = { .zone = i % 2 ? "z.test" : "",
			                   .file = "f",
			                   .line = i,
			                   .level = loader.level,
			                   .text = text };

		snprintf(text, sizeof(text), "number %u", i);
		how->report(how->report_arg, &m);
	}
	pthread_mutex_unlock(&loader.gate);
	if (loader.result) {
		free(g);
		return loader.result;
	}
	g->model = calloc(1, sizeof(*g->model));
	g->image = calloc(1, sizeof(*g->image));
	g->steering = calloc(1, sizeof(*g->steering));
	g->n_earlier = loader.n_earlier;
	g->n_broken = loader.n_broken;
	g->stale = loader.stale;
	g->stale_error = loader.stale_error;
	g->is_former = loader.is_former && !how->earlier;
	*out = g;
	return 0;
}

static void fake_generation_free(struct generation *g)
{
	if (!g)
		return;
	loader.n_freed++;
	free((void *)(uintptr_t)g->image);
	free(g->model);
	free(g->steering);
	free(g);
}

static char logged[4096]; /* events, each with its priority and its first pair */

__attribute__((format(printf, 3, 4))) static void fake_log(int priority, const char *event,
                                                           const char *pairs, ...)
{
	size_t n = strlen(logged);
	va_list list;

	n += (size_t)snprintf(logged + n, sizeof(logged) - n, "<%d>%s ", priority, event);
	va_start(list, pairs);
	n += (size_t)vsnprintf(logged + n, sizeof(logged) - n, pairs, list);
	va_end(list);
	assert_true(n + 2 < sizeof(logged));
	strcpy(logged + n, "\n");
}

static void fake_clock(struct server *s, const struct model *m)
{
	assert_non_null(m);
	assert_true(!s->now || s->now->model != m);
	note_call('k');
}

static void fake_observe(struct server *s, struct generation *g)
{
	assert_ptr_not_equal(s->now, g); /* before it is answered from */
	assert_true(job_runs);
	note_call('o');
}

static int fake_take(struct server *s, struct generation *made)
{
	note_call('t');
	if (take_result)
		return take_result;
	fake_generation_free(s->now);
	s->now = made;
	return 0;
}

static void fake_listen(struct server *s)
{
	assert_non_null(s->now);
	note_call('l');
}

static void fake_conditions(struct server *s)
{
	assert_false(s->load.running);
	assert_true(job_runs);
	note_call('c');
}

static void fake_ready(void)
{
	n_ready++;
}

static void fake_job_begin(struct stats *s, const char *job, unsigned limit_s)
{
	(void)s;
	assert_string_equal(job, "document");
	assert_true(limit_s >= 10);
	assert_false(job_runs);
	job_runs = true;
}

static struct loop *loop;

static void fake_job_end(struct stats *s, const char *job)
{
	(void)s;
	assert_string_equal(job, "document");
	job_runs = false;
	loop_stop(loop);
}

static uint64_t at_ms = 1000;

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return at_ms += 5;
}

static int no_thread; /* why none can be made; 0: one can */

static int fake_start(struct loop_job *j)
{
	return no_thread ? -no_thread : loop_job_start(j);
}

/* The private parts too. */
#define loop_job_start    fake_start
#define generation_load   fake_generation_load
#define generation_free   fake_generation_free
#define server_read_clock fake_clock
#define server_observe    fake_observe
#define serving_install   fake_take
#define listen_update     fake_listen
#define server_conditions fake_conditions
#define proc_ready        fake_ready
#define stats_job_begin   fake_job_begin
#define stats_job_end     fake_job_end
#define loop_now_ms       fake_now
#define log_at            fake_log
#include "dns/load.c"

static struct server s;
static struct proc_dirs dirs;
static uint64_t n_good, n_bad, took_ms;

static int set_up(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	loader.result = 0;
	loader.n_errors = loader.n_calls = loader.n_freed = 0;
	loader.n_earlier = loader.n_broken = 0;
	loader.stale = loader.is_former = false;
	loader.stale_error = 0;
	loader.level = ZONES_ERROR;
	no_thread = 0;
	order[0] = logged[0] = '\0';
	n_ready = 0;
	n_good = n_bad = took_ms = 0;
	take_result = 0;
	s.dirs = &dirs;
	s.counters = (struct counters){
		.stats = (void *)&s, .loads = &n_good, .load_failures = &n_bad, .load_ms = &took_ms
	};
	if (loop_open(&loop))
		return -1;
	s.loop = loop;
	return server_load_open(&s);
}

static int tear_down(void **state)
{
	(void)state;
	server_load_stop(&s);
	fake_generation_free(s.now);
	loop_close(loop);
	return 0;
}

/* Wait for the thread, and take what it made. */
static void await_load(void)
{
	assert_int_equal(loop_run(loop), 0);
	assert_false(job_runs);
}

static void run_one_load(void)
{
	order[0] = '\0';
	(void)server_load_start(&s, false);
	await_load();
}

static void what_is_loaded_is_looked_at_taken_and_listened_for(void **state)
{
	(void)state;
	run_one_load();
	assert_string_equal(order, "kotlc");
	assert_non_null(s.now);
	assert_int_equal(n_ready, 1);
	assert_int_equal(s.load.finished, 1);
	assert_true(n_good == 1 && n_bad == 0 && took_ms > 0);
	assert_string_equal(server_load_error(&s), "");
	run_one_load(); /* each document may listen elsewhere */
	assert_string_equal(order, "kotlc");
	assert_int_equal(n_ready, 1); /* the supervisor hears it once */
	assert_int_equal(loader.n_freed, 1);
}

static void the_loader_gets_what_is_in_force(void **state)
{
	const struct model *model;
	const struct image *image;

	(void)state;
	run_one_load();
	assert_true(loader.how.trust_cache && loader.how.keep);
	assert_null(loader.how.before);
	assert_null(loader.how.earlier);
	assert_null(loader.how.now);
	model = s.now->model;
	image = s.now->image;
	loader.result = -EINVAL; /* so that they stay */
	run_one_load();
	assert_ptr_equal(loader.how.before, model);
	assert_ptr_equal(loader.how.earlier, image);
	assert_ptr_equal(loader.how.now, s.now);
}

/* It is served at once, and compiled after that. */
static void an_image_of_another_program_is_followed_by_a_load(void **state)
{
	(void)state;
	loader.is_former = true;
	run_one_load();
	assert_int_equal(n_ready, 1);
	assert_true(s.now->is_former && s.load.running);
	await_load();
	assert_false(s.now->is_former || s.load.running);
	assert_int_equal(loader.n_calls, 2);
	assert_true(loader.how.trust_cache);
}

static void a_wish_for_the_files_is_kept_until_it_is_met_and_no_longer(void **state)
{
	(void)state;
	pthread_mutex_lock(&loader.gate);
	assert_int_equal(server_load_start(&s, false), 1);
	assert_int_equal(server_load_start(&s, true), 2);  /* after the one that runs */
	assert_int_equal(server_load_start(&s, false), 2); /* which does as well for this one */
	pthread_mutex_unlock(&loader.gate);
	await_load();
	assert_true(s.load.running);
	await_load();
	assert_false(s.load.running);
	assert_int_equal(loader.n_calls, 2);
	assert_false(loader.how.trust_cache); /* the files were read */
	assert_null(loader.how.now);
	run_one_load();
	assert_true(loader.how.trust_cache);
	assert_int_equal(s.load.finished, 3);
}

static void a_refused_document_leaves_what_is_served(void **state)
{
	const struct generation *before;

	(void)state;
	run_one_load();
	before = s.now;
	loader.result = -EINVAL;
	loader.n_errors = 2;
	run_one_load();
	assert_string_equal(order, "c"); /* and it is told at once */
	assert_ptr_equal(s.now, before);
	assert_string_equal(server_load_error(&s), strerror(EINVAL));
	assert_true(n_good == 1 && n_bad == 1);
	assert_string_equal(s.load.errors[0], "f: number 0");
	assert_string_equal(s.load.errors[1], "f:1: number 1");
	assert_null(s.load.zones[0]);
	assert_string_equal(s.load.zones[1], "z.test");
	loader.result = 0;
	loader.n_errors = 0;
	run_one_load();
	assert_int_equal(s.load.n_errors, 0); /* those of the document before are gone */
	assert_null(s.load.errors[0]);
	assert_string_equal(server_load_error(&s), "");
}

/* What may pass is tried again, and what another document must mend is not. Each twice. */
static void a_load_that_failed_for_want_is_tried_again(void **state)
{
	static const struct {
		int thread, load, take, result;
		bool again;
	} cases[] = {
		{ EAGAIN, 0, 0, -EAGAIN, true },   { 0, -EMFILE, 0, -EMFILE, true },
		{ 0, 0, -ENOMEM, -ENOMEM, true },  { 0, -EINVAL, 0, -EINVAL, false },
		{ 0, -ENOENT, 0, -ENOENT, false },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t k = i / 2;
		uint64_t started = s.load.started + 1, failed_ms;

		no_thread = cases[k].thread;
		loader.result = cases[k].load;
		take_result = cases[k].take;
		assert_int_equal(server_load_start(&s, i % 2), started);
		if (!no_thread)
			await_load();
		assert_int_equal(s.load.finished, started);
		assert_int_equal(s.load.last_result, cases[k].result);
		no_thread = loader.result = take_result = 0;
		failed_ms = fake_now(NULL);
		assert_int_equal(s.load.retry_ms, cases[k].again ? failed_ms - 5 + 2000 : 0);
		server_load_tick(&s, failed_ms - 5 + 1999);
		assert_int_equal(s.load.started, started);
		server_load_tick(&s, failed_ms - 5 + 2000);
		assert_int_equal(s.load.started, started + cases[k].again);
		if (!cases[k].again)
			continue;
		server_load_tick(&s, failed_ms + 9000); /* one at a time */
		await_load();
		assert_int_equal(loader.how.trust_cache, i % 2 == 0);
		assert_int_equal(s.load.finished, started + 1);
		assert_int_equal(s.load.last_result, 0);
		server_load_tick(&s, failed_ms + 9000);
		assert_int_equal(s.load.started, started + 1);
	}
}

/* The document is in force with the image from before: without a repetition its zones would never be. */
static void zones_that_were_not_compiled_for_want_are_compiled_later(void **state)
{
	static const struct {
		int error;
		bool again;
		const char *text;
	} cases[] = { { -ENOMEM, true, "not compiled" },
		      { -EMFILE, true, "not compiled" },
		      { -EINVAL, false, "refused" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t started;

		loader.stale = true;
		loader.stale_error = cases[i].error;
		run_one_load();
		started = s.load.started;
		assert_int_equal(s.load.last_result, 0);
		assert_non_null(strstr(server_load_error(&s), cases[i].text));
		assert_int_equal(s.load.retry_ms != 0, cases[i].again);
		loader.stale = false;
		loader.stale_error = 0;
		server_load_tick(&s, fake_now(NULL) + 2000);
		assert_int_equal(s.load.started, started + cases[i].again);
		if (cases[i].again)
			await_load();
		else
			run_one_load();
		assert_int_equal(s.load.retry_ms, 0);
		assert_string_equal(server_load_error(&s), "");
	}
}

/* Many zones may take seconds, each time. */
static void a_load_that_takes_long_is_repeated_rarely(void **state)
{
	(void)state;
	loader.stale_error = -EACCES;
	(void)server_load_start(&s, false);
	at_ms += 1000;
	await_load();
	assert_in_range(s.load.retry_ms - at_ms, 8500, 9500);
	loader.stale_error = 0;
	server_load_tick(&s, at_ms + 10000);
	await_load();
}

/* One zone's file alone. The repetitions are not logged until something has come of one. */
static void a_file_that_was_not_read_for_want_is_read_later_and_told_once(void **state)
{
	(void)state;
	loader.n_earlier = 2;
	loader.stale_error = -EACCES;
	loader.n_errors = 1;
	for (unsigned i = 0; i < 4; i++) {
		logged[0] = '\0';
		if (i == 3)
			loader.n_earlier = 1;
		if (i)
			server_load_tick(&s, fake_now(NULL) + 2000);
		else
			run_one_load();
		if (i)
			await_load();
		assert_int_equal(s.load.finished, i + 1);
		assert_true(s.load.retry_ms != 0);
		assert_non_null(strstr(server_load_error(&s), "a permission: tried again"));
		assert_int_equal(strstr(logged, "dns-load-error") != NULL, i == 0 || i == 3);
		assert_int_equal(strstr(logged, "<5>dns-generation") != NULL, i == 0 || i == 3);
	}
	loader.n_earlier = 0;
	loader.stale_error = 0;
	loader.n_errors = 0;
	server_load_tick(&s, fake_now(NULL) + 2000);
	await_load();
	assert_int_equal(s.load.retry_ms, 0);
	assert_string_equal(server_load_error(&s), "");
	assert_non_null(strstr(logged, "<5>dns-generation"));
}

static void no_document_yet_is_no_failure(void **state)
{
	(void)state;
	loader.result = -ENOENT;
	run_one_load();
	assert_null(s.now);
	assert_true(n_good == 0 && n_bad == 0);
	assert_int_equal(s.load.last_result, -ENOENT);
	assert_int_equal(n_ready, 0);
}

static void zones_that_lack_are_a_failure_that_is_named(void **state)
{
	(void)state;
	loader.n_earlier = 1;
	run_one_load();
	assert_true(n_good == 0 && n_bad == 1);
	assert_non_null(strstr(server_load_error(&s), "earlier image"));
	loader.n_earlier = 0;
	loader.n_broken = 1;
	run_one_load();
	assert_true(n_good == 0 && n_bad == 2);
	assert_non_null(strstr(server_load_error(&s), "SERVFAIL"));
}

static void without_memory_the_one_before_stays_and_nothing_is_lost(void **state)
{
	const struct generation *before;

	(void)state;
	run_one_load();
	before = s.now;
	take_result = -ENOMEM;
	run_one_load();
	assert_ptr_equal(s.now, before);
	assert_string_equal(order, "kotc");
	assert_string_equal(server_load_error(&s), strerror(ENOMEM));
	assert_int_equal(loader.n_freed, 0);
	take_result = 0;
	run_one_load();
	assert_int_equal(loader.n_freed, 2); /* the one that was not taken, and the one before */
}

static void more_mistakes_than_are_kept_are_counted(void **state)
{
	(void)state;
	loader.result = -EINVAL;
	for (unsigned more = 0; more < 2; more++) {
		loader.n_errors = SERVER_ERRORS_MAX + more;
		run_one_load();
		assert_int_equal(s.load.n_errors, SERVER_ERRORS_MAX + more);
		assert_non_null(s.load.errors[SERVER_ERRORS_MAX - 1]);
		assert_null(s.load.zones[0]); /* nothing is written behind them */
	}
}

static void a_load_is_waited_for_at_the_end(void **state)
{
	(void)state;
	(void)server_load_start(&s, false);
	server_load_stop(&s);
	assert_false(s.load.running);
	assert_int_equal(loader.n_calls, 1);
	assert_int_equal(loader.n_freed, 1); /* what it made, and nobody took */
	s.load.loaded = NULL;
}

/* What was served before is served on, and the next request tries again. */
static void without_a_thread_a_load_is_done_and_has_failed(void **state)
{
	const struct generation *before;

	(void)state;
	run_one_load();
	before = s.now;
	no_thread = EAGAIN;
	assert_int_equal(server_load_start(&s, true), 2);
	assert_false(s.load.running);
	assert_int_equal(s.load.finished, 2); /* who waits for it waits no longer */
	assert_string_equal(server_load_error(&s), strerror(EAGAIN));
	assert_ptr_equal(s.now, before);
	assert_int_equal(loader.n_calls, 1);
	no_thread = 0;
	run_one_load();
	assert_string_equal(server_load_error(&s), "");
	assert_int_equal(s.load.finished, 3);
}

static void a_warning_is_no_mistake(void **state)
{
	(void)state;
	loader.level = ZONES_WARNING;
	loader.n_errors = 3;
	run_one_load();
	assert_int_equal(s.load.n_errors, 0);
	assert_null(s.load.errors[0]);
}

/* Which of several troubles a person reads first. */
static void the_worst_is_said_of_a_load(void **state)
{
	static const struct {
		bool stale;
		size_t n_earlier, n_broken;
		const char *part;
	} cases[] = {
		{ true, 0, 0, "an earlier image" },
		{ false, 1, 0, "an earlier image" },
		{ false, 1, 1, "an earlier image" },
		{ false, 0, 1, "SERVFAIL" },
		{ false, 0, 0, "" },
	};

	(void)state;
	assert_string_equal(server_load_error(&s), ""); /* there was none */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		loader.stale = cases[i].stale;
		loader.n_earlier = cases[i].n_earlier;
		loader.n_broken = cases[i].n_broken;
		run_one_load();
		assert_non_null(strstr(server_load_error(&s), cases[i].part));
		assert_int_equal(!*server_load_error(&s), !*cases[i].part);
		loader.result = -EACCES;
		run_one_load();
		assert_string_equal(server_load_error(&s), strerror(EACCES));
		loader.result = 0;
	}
	assert_int_equal(n_bad, 4 + 5);
	assert_int_equal(n_good, 1);
}

static void the_supervisor_hears_of_what_is_served_only(void **state)
{
	(void)state;
	take_result = -ENOMEM;
	run_one_load();
	assert_int_equal(n_ready, 0);
	loader.result = -EINVAL;
	take_result = 0;
	run_one_load();
	assert_int_equal(n_ready, 0);
	loader.result = 0;
	run_one_load();
	assert_int_equal(n_ready, 1);
}

/* From its beginning to when it is taken: the clock goes on by five at each look. */
static void the_time_of_a_load_is_counted(void **state)
{
	(void)state;
	run_one_load();
	assert_int_equal(took_ms, 5);
	loader.result = -EINVAL;
	took_ms = 0;
	run_one_load();
	assert_int_equal(took_ms, 5);
	s.counters.stats = NULL; /* there is no page */
	loader.result = 0;
	run_one_load();
	assert_true(n_good == 1 && n_bad == 1);
}

/* All that was logged of a load that has an error of @p result and @p n_errors of its zones. */
static void assert_logged(int result, unsigned n_errors, const char *text)
{
	loader.result = result;
	loader.n_errors = n_errors;
	logged[0] = '\0';
	run_one_load();
	assert_string_equal(logged, text);
}

/* A person reads each error once, and its repetition not again; another error in between is read. */
static void what_repeats_itself_is_logged_once(void **state)
{
	(void)state;
	assert_logged(-ENOENT, 0, "<5>dns-waits for=\"effective.conf\"\n");
	assert_logged(-ENOENT, 0, "<5>dns-waits for=\"effective.conf\"\n");
	assert_logged(
	        -EINVAL, 2,
	        "<3>dns-load-error message=\"f: number 0\"\n"
	        "<3>dns-load-error message=\"f:1: number 1\"\n"
	        "<3>dns-load-refused error=\"Invalid argument\" n_errors=2 serving=nothing\n");
	assert_logged(
	        -EINVAL, 0,
	        "<3>dns-load-refused error=\"Invalid argument\" n_errors=0 serving=nothing\n");
	assert_logged(
	        -EMFILE, 1,
	        "<3>dns-load-error message=\"f: number 0\"\n"
	        "<3>dns-load-refused error=\"Too many open files\" n_errors=1 serving=nothing\n");
	assert_logged(-EMFILE, 1, "");
	assert_logged(
	        -EIO, 0,
	        "<3>dns-load-refused error=\"Input/output error\" n_errors=0 serving=nothing\n");
	assert_logged(0, 1,
	              "<3>dns-load-error message=\"f: number 0\"\n"
	              "<5>dns-generation document=0 zones=0 records=0 names=0 image_bytes=0 "
	              "took_ms=10 stale=0 zones_earlier=0 zones_broken=0\n");
	assert_logged(
	        -EIO, 0,
	        "<3>dns-load-refused error=\"Input/output error\" n_errors=0 serving=earlier\n");
	no_thread = EAGAIN;
	logged[0] = '\0';
	for (int i = 0; i < 2; i++) { /* the first time alone */
		(void)server_load_start(&s, false);
		assert_string_equal(
		        logged, "<3>dns-load-failed error=\"Resource temporarily unavailable\"\n");
	}
	no_thread = 0;
	take_result = -ENOMEM;
	assert_logged(0, 0, "<3>dns-load-refused error=\"no memory\" serving=earlier\n");
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(what_is_loaded_is_looked_at_taken_and_listened_for),
		WITH(the_loader_gets_what_is_in_force),
		WITH(an_image_of_another_program_is_followed_by_a_load),
		WITH(a_wish_for_the_files_is_kept_until_it_is_met_and_no_longer),
		WITH(a_refused_document_leaves_what_is_served),
		WITH(a_load_that_failed_for_want_is_tried_again),
		WITH(zones_that_were_not_compiled_for_want_are_compiled_later),
		WITH(a_file_that_was_not_read_for_want_is_read_later_and_told_once),
		WITH(a_load_that_takes_long_is_repeated_rarely),
		WITH(no_document_yet_is_no_failure),
		WITH(zones_that_lack_are_a_failure_that_is_named),
		WITH(without_memory_the_one_before_stays_and_nothing_is_lost),
		WITH(more_mistakes_than_are_kept_are_counted),
		WITH(a_load_is_waited_for_at_the_end),
		WITH(without_a_thread_a_load_is_done_and_has_failed),
		WITH(a_warning_is_no_mistake),
		WITH(the_worst_is_said_of_a_load),
		WITH(the_supervisor_hears_of_what_is_served_only),
		WITH(the_time_of_a_load_is_counted),
		WITH(what_repeats_itself_is_logged_once),
	};

	return cmocka_run_group_tests_name("dns load", tests, NULL, NULL);
}
