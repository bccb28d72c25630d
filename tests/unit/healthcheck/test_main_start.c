/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-health as a process, in simulated time: how it starts, what it does at its ticks, when it
 * looks again, and what it keeps. Each runs in a child of the test, which the test can act beside.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/page.h"
#include "fixture.h"
#include "healthcheck/process.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/health.h"
#include "weir/probe.h"
#include "weir/stats.h"

#define NOTES 64
#define RARELY                                                                                     \
	"type = \"tcp\"; interval = \"60s\"; fast_interval = \"60s\"; timeout = \"200ms\"; rise = 1; fall = 1;"
#define DIRECT                                                                                     \
	"type = \"tcp\"; interval = \"1s\"; fast_interval = \"1s\"; timeout = \"200ms\"; rise = 1; fall = 1;"
#define TUNNEL RARELY " via = \"tunnel\";"

/* Shared with the child. */
static struct edge {
	void (*act)(uint64_t ms);           /* at each turn of its loop, by ms since the start */
	bool no_user;                       /* that it could become */
	int loop_error;                     /* of its first wait; 0: none */
	unsigned n_bad_reads, n_bad_writes; /* to come: of the document, of the file below */
	const char *bad_file;
	unsigned slow_write_ms;
	/* what was seen */
	unsigned n_turns;
	bool was_ready, had_files, had_limit, ignored_pipe, counted;
	uint64_t first_alive_ms;
	unsigned n_alive, n_reads, n_writes, n_saved[2]; /* verdicts, VIPs: well */
	uint64_t alive_ms[NOTES], read_ms[NOTES], write_ms[NOTES];
	unsigned step;
} * edge;

static char dirs[2][128]; /* run, state */
static int ready_socket;

static const char *in_dir(int which, const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dirs[which], name);
	return path;
}

enum { RUN, STATE };

static bool has_end(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static uint64_t ms_now(void)
{
	return simulated.now_ms - START_MS;
}

static struct passwd *own_getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

static uid_t own_geteuid(void)
{
	return 0;
}

static int own_open64(const char *path, int flags, mode_t mode)
{
	if (!has_end(path, "/effective.conf"))
		return __real_open64(path, flags, mode);
	if (edge->n_reads < NOTES)
		edge->read_ms[edge->n_reads++] = ms_now();
	if (edge->n_bad_reads && edge->n_bad_reads--) {
		errno = EMFILE;
		return -1;
	}
	return __real_open64(path, flags, mode);
}

static int own_rename(const char *from, const char *to)
{
	if (edge->bad_file && has_end(to, edge->bad_file)) {
		if (edge->n_writes < NOTES)
			edge->write_ms[edge->n_writes++] = ms_now();
		__real_usleep(edge->slow_write_ms * 1000); /* a slow disk */
		if (edge->n_bad_writes && edge->n_bad_writes--) {
			errno = ENOSPC;
			return -1;
		}
	}
	edge->n_saved[0] += has_end(to, "health.verdicts");
	edge->n_saved[1] += has_end(to, "health.vips");
	return __real_rename(from, to);
}

static bool has_file(int which, const char *name)
{
	return !access(in_dir(which, name), F_OK);
}

static uint64_t read_gauge(const char *name)
{
	struct stats_reader *r;
	uint64_t value = UINT64_MAX;

	if (stats_reader_open(dirs[RUN], "health", &r))
		return value;
	for (size_t i = 0; i < stats_reader_n(r); i++)
		if (!strcmp(stats_reader_entry(r, i)->name, name))
			value = stats_reader_entry(r, i)->value;
	stats_reader_close(r);
	return value;
}

static const struct page *health_page(void)
{
	static struct page *page;

	if (!page && page_open(in_dir(RUN, "health.page"), HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                       "health", &page))
		return NULL;
	return page;
}

static void look_at_start(void)
{
	struct sigaction pipe = { 0 };
	struct rlimit l = { 0 };
	char text[32] = "";

	edge->was_ready = recv(ready_socket, text, sizeof(text) - 1, MSG_DONTWAIT) > 0 &&
	                  !strncmp(text, "READY=1", 7);
	edge->had_files = has_file(RUN, "health.page") && has_file(RUN, "stats.health.page") &&
	                  has_file(RUN, "health.ctl");
	getrlimit(RLIMIT_NOFILE, &l);
	edge->had_limit = l.rlim_cur == l.rlim_max;
	sigaction(SIGPIPE, NULL, &pipe);
	edge->ignored_pipe = pipe.sa_handler == SIG_IGN;
	edge->first_alive_ms = page_header(health_page())->alive_ms;
}

/* In the child, where its loop waits. What other threads do takes real time. */
static void on_turn(void)
{
	uint64_t alive_ms;

	__real_usleep(1000); /* of real time: the threads that write files go on meanwhile */
	if (!edge->n_turns++)
		look_at_start();
	edge->counted |= read_gauge(STATS_TURNS) + 1 > 1;
	alive_ms = page_header(health_page())->alive_ms - START_MS;
	if (edge->n_alive < NOTES &&
	    (!edge->n_alive || edge->alive_ms[edge->n_alive - 1] != alive_ms))
		edge->alive_ms[edge->n_alive++] = alive_ms;
	if (edge->act)
		edge->act(ms_now());
}

static uint64_t expect_nothing(void)
{
	return UINT64_MAX;
}

static void run_child(const char *more)
{
	char name[] = "weir-health", run[] = "--run-dir", state[] = "--state-dir",
	     node[] = "--node", own[] = "ams-1", last[32] = "";
	char *argv[] = { name, run, dirs[RUN], state, dirs[STATE], node, own, last, NULL };
	struct rlimit few;
	int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);

	snprintf(last, sizeof(last), "%s", more ? more : "");
	argv[7] = more ? last : NULL;
	dup2(nothing, 1);
	getrlimit(RLIMIT_NOFILE, &few);
	few.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &few);
	if (edge->no_user)
		unsetenv("WEIR_USERS");
	simulated.error = edge->loop_error;
	simulated.next = expect_nothing;
	simulated.come = on_turn;
	_exit(health_main(more ? 8 : 7, argv));
}

/* @return the exit code of a process that gets SIGTERM after @p ms */
static int run_process(unsigned ms, const char *more)
{
	pid_t child;
	int status;

	simulated.now_ms = START_MS;
	simulated.end_ms = START_MS + ms;
	child = fork();
	if (!child)
		run_child(more);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int setup(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	setenv("WEIR_USERS", "none", 1);
	setenv("WEIR_SANDBOX", "none", 1);
	edge = mmap(NULL, sizeof(*edge), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (edge == MAP_FAILED || fixture_setup(state))
		return -1;
	snprintf(dirs[RUN], sizeof(dirs[RUN]), "%s", fixture_path("run"));
	snprintf(dirs[STATE], sizeof(dirs[STATE]), "%s", fixture_path("state"));
	if (mkdir(dirs[RUN], 0755) || mkdir(dirs[STATE], 0755))
		return -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", fixture_path("ready"));
	ready_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	return bind(ready_socket, (struct sockaddr *)&at, sizeof(at));
}

static int teardown(void **state)
{
	char command[400];

	close(ready_socket);
	munmap(edge, sizeof(*edge));
	snprintf(command, sizeof(command), "rm -rf %s %s %s", dirs[RUN], dirs[STATE],
	         fixture_path("ready"));
	return system(command) || fixture_teardown(state);
}

/* A document as weir-mgmt writes it; b1 is at @p address, or where it always is. */
static void write_document(const char *check, uint64_t number, const char *address)
{
	struct model *m = fixture_model(check, 7080, "");
	struct model_errors errors;
	char command[300];

	if (address) {
		model_free(m);
		snprintf(command, sizeof(command), "sed -i s/127.0.0.11/%s/ %s", address,
		         fixture_path("weir.conf"));
		assert_int_equal(system(command), 0);
		assert_int_equal(model_read_config(fixture_path("weir.conf"), "ams-1", &m, &errors),
		                 0);
		model_errors_free(&errors);
	}
	m->meta.document = number;
	assert_int_equal(model_write_effective(m, in_dir(STATE, "effective.conf")), 0);
	model_free(m);
}

static void a_process_that_starts_has_its_files_and_says_that_it_is_ready(void **state)
{
	for (int fails = 0; fails < 2; fails++) {
		if (fails) {
			teardown(state);
			setup(state);
		}
		edge->loop_error = fails ? EIO : 0;
		assert_int_equal(run_process(1000, NULL), fails);
		assert_true(edge->was_ready && edge->had_files);
		assert_true(edge->had_limit); /* each attempt may have a descriptor */
		assert_true(edge->ignored_pipe);
		assert_true(fails || edge->counted);
		assert_int_equal(edge->first_alive_ms,
		                 START_MS);                /* a first tick, before the loop */
		assert_false(has_file(RUN, "health.ctl")); /* nobody answers there any more */
		assert_true(has_file(RUN, "health.page")); /* the verdicts stay */
		assert_false(has_file(STATE, "health.verdicts") || has_file(STATE, "health.vips"));
	}
}

static void what_it_cannot_start_without_ends_it(void **state)
{
	static const struct {
		const char *why, *argument;
		bool no_user, no_run;
		int err;
	} cases[] = {
		{ "an argument that is none", "nonsense", false, false, 1 },
		{ "an option that is none", "--nonsense", false, false, 1 },
		{ "help is no mistake", "--help", false, false, 0 },
		{ "rights that cannot be dropped", NULL, true, false, 1 },
		{ "no directory for its page", NULL, false, true, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		edge->no_user = cases[i].no_user;
		if (cases[i].no_run)
			assert_int_equal(rmdir(dirs[RUN]), 0);
		if (run_process(1000, cases[i].argument) != cases[i].err)
			fail_msg("%s", cases[i].why);
		assert_int_equal(edge->n_turns, 0);
		assert_false(has_file(RUN, "health.page"));
	}
}

/* What was saved and cannot be read is as if it had not been saved. */
static void spoilt_files_keep_nobody_from_starting(void **state)
{
	static const char *const names[] = { "health.verdicts", "health.vips", "effective.conf" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		FILE *f = fopen(in_dir(STATE, names[i]), "w");

		assert_non_null(f);
		fputs("nonsense\n", f);
		fclose(f);
	}
	assert_int_equal(run_process(1000, NULL), 0);
	assert_true(edge->was_ready);
}

/* It is tried again though nothing changes any more, and once it is well it is left. */
static void what_changed_is_saved_until_it_is(void **state)
{
	static const char *const files[] = { "health.verdicts", "health.vips" };

	for (int i = 0; i < 2; i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		write_document(DIRECT, 1, NULL);
		edge->bad_file = files[i];
		edge->n_bad_writes = 2;
		assert_int_equal(run_process(20000, NULL), 0);
		assert_true(edge->n_writes >= 3);
		assert_in_range(edge->write_ms[2], 200, 19000);
		/* verdicts turn within the first seconds, and then no more; one is at the end */
		assert_true(edge->n_saved[i] <= (i ? 2 : 6));
		assert_true(has_file(STATE, files[i]));
	}
}

/* What turns while a write is under way is in the next one. */
static void what_changes_meanwhile_is_saved_after_it(void **state)
{
	(void)state;
	write_document(DIRECT, 1, NULL);
	edge->bad_file = "health.verdicts";
	edge->slow_write_ms = 30;
	assert_int_equal(run_process(5000, NULL), 0);
	assert_true(edge->n_saved[0] >= 3); /* the document, the turns, the end */
}

/* An empty record would make each VIP a new one, which gets no traffic until it was seen up. */
static void what_nobody_knows_is_not_kept(void **state)
{
	(void)state;
	assert_int_equal(run_process(3000, NULL), 0);
	assert_int_equal(edge->n_saved[0] + edge->n_saved[1], 0);
}

static void assert_ticks(unsigned from_ms, unsigned until_ms, unsigned every_ms)
{
	unsigned n = 0;

	for (unsigned i = 1; i < edge->n_alive; i++)
		if (edge->alive_ms[i - 1] >= from_ms && edge->alive_ms[i] <= until_ms) {
			assert_int_equal(edge->alive_ms[i] - edge->alive_ms[i - 1], every_ms);
			n++;
		}
	assert_true(n >= 2);
}

/* At 1,000 ms the dataplane says that the tunnels of document 3 are there. */
static void give_tunnels(uint64_t ms)
{
	struct stats *s;

	if (ms < 1000 || edge->step)
		return;
	edge->step = 1;
	if (stats_create(dirs[RUN], "dataplane", 16, &s))
		return;
	stats_set(stats_get_counter(s, STATS_GAUGE, PROBE_GAUGE, "", "x"), 3);
	stats_close(s);
}

static void tunnels_that_are_waited_for_are_looked_for_soon(void **state)
{
	static const struct {
		const char *check; /* NULL: no document */
		uint64_t document;
		unsigned before_ms, after_ms;
	} cases[] = { { NULL, 0, 500, 500 },
		      { DIRECT, 3, 500, 500 },
		      { TUNNEL, 3, 100, 500 },
		      { TUNNEL, 4, 100, 100 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		edge->act = give_tunnels;
		if (cases[i].check)
			write_document(cases[i].check, cases[i].document, NULL);
		assert_int_equal(run_process(3000, NULL), 0);
		assert_ticks(0, 1000, cases[i].before_ms);
		assert_ticks(1200, 2999, cases[i].after_ms);
	}
}

static void targets_that_are_down_or_have_no_vote_are_counted(void **state)
{
	(void)state;
	fixture_vip("", "127.0.0.14"); /* no vip_check: it has no vote before it succeeds */
	write_document(DIRECT, 1, NULL);
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	assert_int_equal(run_process(5000, NULL), 0);
	assert_int_equal(read_gauge("weir_health_targets"), 4);
	assert_int_equal(read_gauge("weir_health_targets_down"), 3);
	assert_int_equal(read_gauge("weir_health_targets_unproven"), 1);
}

/* What may pass is tried again when it is due, and what another document must mend is not. */
static void a_document_that_is_refused_for_want_is_tried_again(void **state)
{
	static const struct {
		unsigned n_bad;
		bool is_there, is_spoilt, refused;
		unsigned n_reads;
	} cases[] = { { 2, true, false, false, 3 },
		      { 9, true, false, true, 4 },
		      { 0, true, true, true, 1 },
		      { 0, false, false, false, 0 } }; /* it is not even opened */

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct conditions all;
		bool refused = false;

		if (i) {
			teardown(state);
			setup(state);
		}
		if (cases[i].is_there)
			write_document(DIRECT, 12, NULL);
		if (cases[i].is_spoilt) {
			FILE *f = fopen(in_dir(STATE, "effective.conf"), "w");

			assert_non_null(f);
			fputs("nonsense\n", f);
			fclose(f);
		}
		edge->n_bad_reads = cases[i].n_bad;
		assert_int_equal(run_process(7900, NULL), 0);
		assert_int_equal(edge->n_reads, cases[i].n_reads);
		for (unsigned k = 1; k < edge->n_reads; k++)
			assert_int_equal(edge->read_ms[k] - edge->read_ms[k - 1], 2000);
		assert_int_equal(conditions_read(dirs[RUN], "health", &all), 0);
		for (uint32_t k = 0; k < all.n; k++) {
			if (strcmp(all.items[k].code, "document-refused") != 0)
				continue;
			refused = true;
			if (cases[i].n_bad)
				assert_non_null(strstr(all.items[k].text, strerror(EMFILE)));
		}
		assert_int_equal(refused, cases[i].refused);
		assert_int_equal(all.document, cases[i].is_there && !refused ? 12 : 0);
	}
}

/* As the page has it; -1: it is not there. */
static int state_of_b1(void)
{
	const struct health_page *page = page_payload((struct page *)(uintptr_t)health_page());
	struct addr b1;
	int index;

	addr_parse("127.0.0.11", &b1);
	index = health_find_index(page, health_target_backend("web", model_backend_id(&b1, 0)));
	return index < 0 ? -1 : (int)health_state(health_read(page, index));
}

/* Documents without b1 and with it again, when the one before is in force. */
static void take_b1_away(uint64_t ms)
{
	if (ms == 0 || edge->step >= 3)
		return;
	if (edge->step == 0 && state_of_b1() == HEALTH_UP) {
		write_document(RARELY, 2, "127.0.0.21");
		edge->step = 1;
	} else if (edge->step == 1 && state_of_b1() == -1) {
		write_document(RARELY, 3, NULL);
		edge->step = 2;
	} else if (edge->step == 2 && state_of_b1() != -1) {
		edge->step = state_of_b1() == HEALTH_UNKNOWN ? 3 : 4;
	}
}

/*
 * A backend that comes back later begins with nothing: what was saved before it went says nothing
 * of it. What was saved waits for the first document that is taken.
 */
static void what_was_saved_counts_for_the_first_document_alone(void **state)
{
	struct sockaddr_storage at;
	struct addr b1;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	addr_parse("127.0.0.11", &b1);
	assert_int_equal(bind(server, (struct sockaddr *)&at, addr_to_sockaddr(&b1, 7080, &at)), 0);
	assert_int_equal(listen(server, 8), 0);
	write_document(DIRECT, 1, NULL);
	assert_int_equal(run_process(5000, NULL), 0);
	close(server);
	write_document(RARELY, 1, NULL);
	assert_int_equal(unlink(in_dir(RUN, "health.page")), 0);
	edge->n_bad_reads = 1;
	edge->act = take_b1_away;
	assert_int_equal(run_process(5000, NULL), 0);
	assert_int_equal(edge->step, 3);
}

/* At 1,000 ms its page is cut off behind the header. */
static void damage_page(uint64_t ms)
{
	if (ms < 1000 || edge->step++)
		return;
	(void)!truncate(in_dir(RUN, "health.page"), 100);
}

static void a_damaged_page_ends_the_process_and_nothing_else(void **state)
{
	const off_t at = offsetof(struct page_header, alive_ms);
	uint64_t alive_ms = 0;
	int fd;

	(void)state;
	edge->act = damage_page;
	assert_int_equal(run_process(5000, NULL), 1);
	fd = open(in_dir(RUN, "health.page"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, &alive_ms, sizeof(alive_ms), at), sizeof(alive_ms));
	close(fd);
	assert_int_equal(alive_ms, START_MS + 1000); /* the next tick gives no sign of life */
}

static void *end_at_once(void *arg)
{
	return arg;
}

/* A thread's work takes none of the simulated time: it is done before the clock goes on. */
static int own_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *),
                              void *with)
{
	run(with);
	return __real_pthread_create(id, attributes, end_at_once, NULL);
}

SUITE(main_start)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_process_that_starts_has_its_files_and_says_that_it_is_ready),
		T(what_it_cannot_start_without_ends_it),
		T(spoilt_files_keep_nobody_from_starting),
		T(what_changed_is_saved_until_it_is),
		T(what_changes_meanwhile_is_saved_after_it),
		T(what_nobody_knows_is_not_kept),
		T(a_damaged_page_ends_the_process_and_nothing_else),
		T(tunnels_that_are_waited_for_are_looked_for_soon),
		T(targets_that_are_down_or_have_no_vote_are_counted),
		T(a_document_that_is_refused_for_want_is_tried_again),
		T(what_was_saved_counts_for_the_first_document_alone),
	};

	simulated_time();
	answer_geteuid = own_geteuid;
	answer_getpwnam = own_getpwnam;
	answer_open64 = own_open64;
	answer_pthread_create = own_pthread_create;
	answer_rename = own_rename;
	return cmocka_run_group_tests_name("health main start", tests, NULL, NULL);
}
