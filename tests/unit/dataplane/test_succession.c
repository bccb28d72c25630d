/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one weir-dataplane to the next: what a successor prepares, when it gives up, and how long it
 * waits. Documents and pages are real; the driver, time and the process before are the test's.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/page.h"
#include "dataplane/drivers.h"
#include "dataplane/export/publish.h"
#include "dataplane/process.h"
#include "dataplane/succession.h"
#include "tests/unit/answers.h"
#include "tests/unit/logged.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/stats.h"

#include "tests/unit/dataplane/document.h"
#include "tests/unit/dataplane/drivers.h"
#include "tests/unit/simulated_time.h"

static struct {
	char dir[64], path[128];
	int ready[2]; /* the pipe */
	int prepare_says;
	const char *lacks;
	unsigned n_prepared;
	bool is_replaced_meanwhile, is_unreadable;
	unsigned slowness;      /* how long a pause really takes, ms; 0: 1 */
	uint64_t pages_free_ms; /* when the process before lets go of them */
	int pages_lock;         /* its lock; -1: none */
	uint64_t ended_ms;      /* when it has ended */
	bool is_others;         /* the process before is of another user */
} scene;

static struct scene_document document;
static struct process process;

static int own_usleep(useconds_t us)
{
	assert_int_equal(us, 1000); /* what a pause costs, time without forwarding */
	simulated.now_ms += scene.slowness ? scene.slowness : 1;
	if (scene.pages_lock >= 0 && simulated.now_ms >= scene.pages_free_ms) {
		close(scene.pages_lock);
		scene.pages_lock = -1;
	}
	return 0;
}

/* As weir-mgmt does; the file before keeps its inode. */
static void replace_document(void)
{
	char other[160];

	snprintf(other, sizeof(other), "%s.old", scene.path);
	assert_int_equal(rename(scene.path, other), 0);
	document_write(scene.dir, &document, 2);
}

static ssize_t own_read(int fd, void *bytes, size_t n)
{
	if (scene.is_replaced_meanwhile) {
		scene.is_replaced_meanwhile = false;
		replace_document();
	}
	errno = EIO;
	return scene.is_unreadable ? -1 : __real_read(fd, bytes, n);
}

static int prepare_dpdk(const struct model_node *node, struct driver_reason *reason)
{
	assert_string_equal(node->name, "ams-1");
	assert_string_equal(reason->text, "");
	scene.n_prepared++;
	if (scene.lacks)
		snprintf(reason->text, sizeof(reason->text), "%s", scene.lacks);
	return scene.prepare_says;
}

static const struct driver_ops with = { .name = "dpdk", .prepare = prepare_dpdk };

/* Of the process before, which is this one by its page. */
static int own_kill(pid_t pid, int signal)
{
	assert_int_equal(pid, getpid());
	assert_int_equal(signal, 0);
	errno = simulated.now_ms >= scene.ended_ms ? ESRCH : scene.is_others ? EPERM : 0;
	return errno ? -1 : 0;
}

/* The page of a process before. @param pid  0: there was none */
static void make_page_before(uint64_t pid)
{
	char path[128];
	struct stats *s;
	FILE *f;

	if (!pid)
		return;
	assert_int_equal(stats_create(process.dirs.run, "dataplane", 8, &s), 0);
	stats_close(s);
	snprintf(path, sizeof(path), "%.80s/stats.dataplane.page", process.dirs.run);
	f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fseek(f, offsetof(struct page_header, writer_pid), SEEK_SET), 0);
	assert_int_equal(fwrite(&pid, sizeof(pid), 1, f), 1);
	fclose(f);
}

/* The process before holds its pages for @p ms more. */
static void hold_pages(unsigned ms)
{
	char path[128];

	scene.pages_free_ms = simulated.now_ms + ms;
	if (scene.pages_lock >= 0 || !ms)
		return;
	snprintf(path, sizeof(path), "%.80s/stats.dataplane.page.lock", process.dirs.run);
	assert_int_equal(lock_acquire(path, &scene.pages_lock), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	logged[0] = '\0';
	simulated.now_ms = START_MS;
	scene.pages_lock = -1;
	strcpy(scene.dir, "/tmp/weir-succession-XXXXXX");
	if (!mkdtemp(scene.dir) || pipe(scene.ready))
		return -1;
	document_place(scene.dir);
	snprintf(scene.path, sizeof(scene.path), "%s/state/" PROC_EFFECTIVE_FILE, scene.dir);
	document = scene_plain;
	document.driver = "dpdk";
	document_write(scene.dir, &document, 1);
	memset(&process, 0, sizeof(process));
	snprintf(process.dirs.run, sizeof(process.dirs.run), "%s/run", scene.dir);
	snprintf(process.dirs.state, sizeof(process.dirs.state), "%s/state", scene.dir);
	strcpy(process.dirs.node, "ams-1");
	process.ready_fd = scene.ready[1];
	fcntl(scene.ready[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	succession_close(&process);
	publisher_close(process.publisher);
	believed_close(&process.believed);
	close(scene.ready[0]);
	if (scene.pages_lock >= 0)
		close(scene.pages_lock);
	snprintf(command, sizeof(command), "rm -r %s", scene.dir);
	return system(command);
}

static void expect_logged(const char *text)
{
	if (!strstr(logged, text))
		fail_msg("logged: %s", logged);
}

/* Whether the one who ends the process before has been told to. */
static bool said_ready(void)
{
	char byte;
	bool said = read(scene.ready[0], &byte, 1) == 1;

	if (said) /* once, and the pipe is closed */
		assert_int_equal(read(scene.ready[0], &byte, 1), 0);
	return said;
}

static void a_process_that_is_no_successor_prepares_nothing(void **state)
{
	(void)state;
	process.ready_fd = 0;
	assert_int_equal(succession_prepare(&process), 0);
	assert_string_equal(logged, "");
	assert_null(process.prepared);
	assert_int_equal(scene.n_prepared, 0);
	close(scene.ready[1]);
}

static void it_says_that_it_is_ready_when_all_is_prepared(void **state)
{
	(void)state;
	assert_int_equal(succession_prepare(&process), 0);
	assert_string_equal(logged, "<5>successor-ready ms=0 not_prepared=\"\"\n");
	assert_int_equal(scene.n_prepared, 1);
	assert_true(said_ready());
}

static void a_driver_without_workers_needs_nothing(void **state)
{
	(void)state;
	document.driver = "xdp";
	document_write(scene.dir, &document, 1);
	assert_int_equal(succession_prepare(&process), 0);
	assert_int_equal(scene.n_prepared, 0);
	assert_true(said_ready());
}

/* A warning of the preparation is logged with the first port. */
static void what_is_not_prepared_is_told_and_is_no_failure(void **state)
{
	(void)state;
	scene.lacks = "no room for two";
	scene.prepare_says = DRIVER_ALONE;
	assert_int_equal(succession_prepare(&process), 0);
	expect_logged("<5>successor-ready ms=0 not_prepared=\"no room for two\"\n");
	assert_true(said_ready());
	teardown(state);
	setup(state);
	scene.lacks = "ordinary memory";
	assert_int_equal(succession_prepare(&process), 0);
	expect_logged("<5>successor-ready ms=0 not_prepared=\"\"\n");
}

static void without_a_document_nothing_is_lost_either(void **state)
{
	(void)state;
	assert_int_equal(unlink(scene.path), 0);
	assert_int_equal(succession_prepare(&process), 0);
	assert_null(process.prepared);
	assert_true(said_ready());
}

static void name_key_that_is_not_there(void)
{
	scene_write(
	        scene.path,
	        "schema = 1;\n"
	        "effective = { version = \"1\"; digest = \"\"; document = \"7\"; written = \"never\"; "
	        "hash_key = \"0011223344556677\"; };\n"
	        "cluster = { name = \"t\"; hash_key_file = \"/nonexistent/hash.key\"; "
	        "hash_key_id = \"k1\"; };\n"
	        "sites = ( { name = \"ams\"; } );\n"
	        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"xdp\"; "
	        "tunnel_source = [ \"10.1.255.0/24\" ]; ports = ( { interface = \"v0\"; } ); } );\n");
}

static void spoil_document(void)
{
	scene_write(scene.path, "sites = 3;\n");
}

static void make_unreadable(void)
{
	scene.is_unreadable = true;
}

static void lack_hugepages(void)
{
	scene.prepare_says = -ENOMEM;
	scene.lacks = "no hugepages";
}

/* Nobody ends the process before then. */
static void what_cannot_start_gives_up_and_says_why(void **state)
{
	static const struct {
		void (*lack)(void);
		int err;
		const char *why;
	} cases[] = {
		{ spoil_document, -EINVAL, "effective.conf:1: schema: is missing" },
		{ name_key_that_is_not_there, -EKEYREJECTED,
		  "no hash key to compile tables with: " },
		{ make_unreadable, -EIO, "Input/output error\"" },
		{ lack_hugepages, -ENOMEM, "no hugepages\"" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		cases[i].lack();
		assert_int_equal(succession_prepare(&process), cases[i].err);
		scene.is_unreadable = false;
		expect_logged("successor-gave-up reason=\"");
		expect_logged(cases[i].why);
		expect_logged(" effect=\"the process before it forwards on\"\n");
		close(scene.ready[1]);
		assert_false(said_ready());
	}
}

/* The page RUN/clock: documents are compiled for the time that the node believes. */
static void it_prepares_for_the_time_that_the_node_believes(void **state)
{
	const struct wall_clock w = { .at_ms = 4000000000000, .mono_ms = START_MS };
	struct page *page;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%.80s/" BELIEVED_PAGE, process.dirs.run);
	assert_int_equal(page_create(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT,
	                             sizeof(struct believed_page), &page),
	                 0);
	believed_publish(page_payload(page), &w, clock_boot());
	assert_int_equal(succession_prepare(&process), 0);
	assert_int_equal(clock_believed_ms(), 4000000000000);
	page_close(page);
}

/* A supervisor that has died cannot end the process before. */
static void with_nobody_to_tell_it_gives_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	close(scene.ready[0]);
	assert_int_equal(succession_prepare(&process), -EPIPE);
	expect_logged("successor-gave-up reason=\"Broken pipe\"");
	scene.ready[0] = open("/dev/null", O_RDONLY);
}

static void pages_of_a_process_that_is_ending_are_waited_for(void **state)
{
	static const struct {
		bool is_successor;
		unsigned free_after_ms, slowness, waited_ms;
		int err;
	} cases[] = { { true, 0, 0, 0, 0 },
		      { true, 7, 1, 7, 0 },
		      { true, 19001, 1000, 20000, 0 },
		      { true, 20001, 1000, 0, -EBUSY },
		      { false, 4001, 1000, 5000, 0 },
		      { false, 5001, 1000, 0, -EBUSY } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t from_ms = simulated.now_ms;
		char says[128] = "";

		logged[0] = '\0';
		process.ready_fd = cases[i].is_successor ? scene.ready[1] : 0;
		scene.slowness = cases[i].slowness;
		hold_pages(cases[i].free_after_ms);
		assert_int_equal(succession_open_pages(&process), cases[i].err);
		if (cases[i].err)
			snprintf(says, sizeof(says), "<3>dataplane-runs-already run_dir=%.80s\n",
			         process.dirs.run);
		else if (cases[i].is_successor)
			snprintf(says, sizeof(says), "<5>successor-begins waited_ms=%u\n",
			         cases[i].waited_ms);
		assert_string_equal(logged, says);
		if (!cases[i].err)
			assert_int_equal(simulated.now_ms - from_ms, cases[i].waited_ms);
		publisher_close(process.publisher);
		process.publisher = NULL;
	}
	logged[0] = '\0';
	strcat(process.dirs.run, "/gone");
	assert_int_equal(succession_open_pages(&process), -ENOENT); /* the caller logs it */
	assert_string_equal(logged, "");
	(void)state;
}

/* Its memory is freed after its pages: a driver that needs it would find too little. */
static void a_driver_that_needs_its_memory_waits_for_the_end_of_the_process_before(void **state)
{
	const uint64_t me = (uint64_t)getpid();
	const struct {
		int prepare_says;
		uint64_t before;
		unsigned ended_after_ms, waited_ms;
		bool is_others;
	} cases[] = {
		{ DRIVER_ALONE, me, 0, 3, false },
		{ DRIVER_ALONE, me, 15, 15, false },
		{ DRIVER_ALONE, me, 15, 15, true },
		{ DRIVER_ALONE, me, 99999, 2003,
		  false }, /* one that does not end is no reason to stay away */
		{ DRIVER_ALONE, 0, 15, 3, false },
		{ DRIVER_ALONE, UINT64_MAX, 15, 3, false }, /* what a page says is not believed */
		{ 0, me, 15, 3, false },                    /* all is prepared: no time is lost */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char begins[64];

		if (i) {
			teardown(state);
			setup(state);
		}
		scene.prepare_says = cases[i].prepare_says;
		scene.is_others = cases[i].is_others;
		make_page_before(cases[i].before);
		hold_pages(3);
		scene.ended_ms = simulated.now_ms + cases[i].ended_after_ms;
		assert_int_equal(succession_prepare(&process), 0);
		assert_int_equal(succession_open_pages(&process), 0);
		snprintf(begins, sizeof(begins), "<5>successor-begins waited_ms=%u\n",
		         cases[i].waited_ms);
		expect_logged(begins);
	}
}

static struct loop_timer try_timer;

/* Its document is tried again each second, and its driver cannot be opened any more. */
static void try_again(void *p)
{
	succession_make_way(p);
	loop_timer_set(process.loop, &try_timer, loop_now_ms(process.loop) + 1000);
}

/* @return how long it went on, ms */
static uint64_t try_until(unsigned ms)
{
	uint64_t from_ms = simulated.now_ms;

	try_timer = (struct loop_timer){ .cb = try_again, .arg = &process };
	assert_int_equal(loop_open(&process.loop), 0);
	loop_timer_set(process.loop, &try_timer, from_ms);
	simulate_to(process.loop, from_ms + ms);
	loop_close(process.loop);
	return simulated.now_ms - from_ms;
}

static void a_process_that_cannot_open_its_driver_any_more_makes_way_after_a_time(void **state)
{
	(void)state;
	strcpy(process.refusal, "no memory");
	process.driver = (struct driver *)&scene; /* one that forwards goes on */
	assert_int_equal(try_until(60000), 60000);
	assert_string_equal(logged, "");
	process.driver = NULL;
	assert_int_equal(try_until(60000), 5000);
	assert_string_equal(logged,
	                    "<3>dataplane-makes-way reason=\"no memory\" effect=\"the next process "
	                    "tries again\"\n");
	close(scene.ready[1]);
}

static void a_document_that_has_not_changed_is_taken_once(void **state)
{
	struct compiled d = { .err = 99 };

	(void)state;
	assert_false(succession_accept(&process, scene.path, &d));
	assert_int_equal(succession_prepare(&process), 0);
	assert_true(succession_accept(&process, scene.path, &d));
	assert_int_equal(d.err, 0);
	assert_int_equal(d.model->meta.document, 1); /* it is the caller's */
	assert_non_null(d.plan);
	assert_null(process.prepared);
	compiled_free(&d);
	assert_false(succession_accept(&process, scene.path, &d));
}

/* What may be said of a document by its file: one of these alone tells another one. */
enum difference { ANOTHER_INODE, ANOTHER_LENGTH, WRITTEN_LATER, REPLACED_WHILE_COMPILED };

static void make_other_document(enum difference how)
{
	struct timespec times[2];
	struct stat st;

	assert_int_equal(stat(scene.path, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (how == ANOTHER_INODE)
		replace_document();
	if (how == ANOTHER_LENGTH)
		assert_int_equal(truncate(scene.path, st.st_size - 1), 0);
	if (how == WRITTEN_LATER)
		times[1].tv_nsec = times[1].tv_nsec ? times[1].tv_nsec - 1 : 1;
	if (how != REPLACED_WHILE_COMPILED)
		assert_int_equal(utimensat(AT_FDCWD, scene.path, times, 0), 0);
}

static void another_document_is_read_again(void **state)
{
	for (int how = ANOTHER_INODE; how <= REPLACED_WHILE_COMPILED; how++) {
		struct compiled d = { .err = 99 };

		if (how) {
			teardown(state);
			setup(state);
		}
		scene.is_replaced_meanwhile = how == REPLACED_WHILE_COMPILED;
		assert_int_equal(succession_prepare(&process), 0);
		make_other_document((enum difference)how);
		assert_false(succession_accept(&process, scene.path, &d));
		assert_int_equal(d.err, 99);
		assert_null(process.prepared);
	}
}

static void a_document_that_is_gone_is_read_again(void **state)
{
	struct compiled d = { .err = 99 };

	(void)state;
	assert_int_equal(succession_prepare(&process), 0);
	assert_int_equal(unlink(scene.path), 0);
	assert_false(succession_accept(&process, scene.path, &d));
	assert_null(process.prepared);
}

SUITE(succession)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_process_that_is_no_successor_prepares_nothing),
		T(it_says_that_it_is_ready_when_all_is_prepared),
		T(a_driver_without_workers_needs_nothing),
		T(what_is_not_prepared_is_told_and_is_no_failure),
		T(without_a_document_nothing_is_lost_either),
		T(what_cannot_start_gives_up_and_says_why),
		T(with_nobody_to_tell_it_gives_up),
		T(pages_of_a_process_that_is_ending_are_waited_for),
		T(a_driver_that_needs_its_memory_waits_for_the_end_of_the_process_before),
		T(it_prepares_for_the_time_that_the_node_believes),
		T(a_process_that_cannot_open_its_driver_any_more_makes_way_after_a_time),
		T(a_document_that_has_not_changed_is_taken_once),
		T(another_document_is_read_again),
		T(a_document_that_is_gone_is_read_again),
	};

	simulated_time();
	answer_kill = own_kill;
	answer_read = own_read;
	answer_usleep = own_usleep;
	logged_begin();
	suite_dpdk = with;
	return cmocka_run_group_tests_name("succession", tests, NULL, NULL);
}
