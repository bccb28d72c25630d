/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one weir-dataplane to the next: what a successor prepares, when it gives up, and how long it
 * waits. Documents, drivers, pages and time are the test's.
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
#include "base/log.h"
#include "dataplane/choose.h"
#include "dataplane/drivers.h"
#include "dataplane/export/publish.h"
#include "dataplane/process.h"
#include "dataplane/succession.h"
#include "tests/unit/dataplane/noted.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/stats.h"

static struct {
	char log[2048];
	char dir[64], path[128];
	int ready[2]; /* the pipe */
	uint64_t now_ms;
	int compile_says, prepare_says;
	const char *refusal, *lacks;
	bool no_driver, has_prepare, is_replaced_meanwhile;
	uint64_t pages_free_ms; /* when the process before lets go of them */
	int pages_say;
	uint64_t before;   /* its id, by its page; 0: there is no page */
	uint64_t ended_ms; /* when it has ended */
	bool is_others;    /* the process before is of another user */
	unsigned n_freed;
} scene;

static struct model_node self = { .name = "ams-1" };
static struct model model = { .nodes = &self, .n_nodes = 1, .self = &self };
static struct process process;

static uint64_t fake_now(void)
{
	return scene.now_ms;
}

static int fake_usleep(unsigned us)
{
	assert_int_equal(us, 1000); /* what a pause costs, time without forwarding */
	scene.now_ms++;
	return 0;
}

__attribute__((format(printf, 3, 4))) static void fake_log(int priority, const char *event,
                                                           const char *pairs, ...)
{
	char text[512];
	va_list list;

	(void)priority;
	va_start(list, pairs);
	vsnprintf(text, sizeof(text), pairs, list);
	va_end(list);
	note("%s %s; ", event, text);
}

/* As weir-mgmt does; the file before keeps its inode. */
static void replace_document(void)
{
	char other[160];
	FILE *f;

	snprintf(other, sizeof(other), "%s.old", scene.path);
	assert_int_equal(rename(scene.path, other), 0);
	f = fopen(scene.path, "w");
	assert_non_null(f);
	fclose(f);
}

static void fake_make(const struct compiled_source *from, struct compiled *out)
{
	if (scene.is_replaced_meanwhile)
		replace_document();
	assert_string_equal(from->path, scene.path);
	assert_string_equal(from->node, "ams-1");
	assert_int_equal(from->believed.least_ms, 77); /* as it is after the tick */
	assert_null(from->before);
	assert_null(from->driver);
	assert_null(from->on_model); /* routes stay while packets are forwarded */
	*out = (struct compiled){ .err = scene.compile_says };
	if (!scene.compile_says)
		out->model = &model;
	if (scene.refusal)
		snprintf(out->refusal, sizeof(out->refusal), "%s", scene.refusal);
	note("compile; ");
}

static void fake_free(struct compiled *d)
{
	scene.n_freed += d->model != NULL;
	*d = (struct compiled){ 0 };
}

static int prepare_dpdk(const struct model_node *node, struct driver_reason *reason)
{
	assert_ptr_equal(node, &self);
	assert_string_equal(reason->text, "");
	note("prepare; ");
	if (scene.lacks)
		snprintf(reason->text, sizeof(reason->text), "%s", scene.lacks);
	return scene.prepare_says;
}

static const struct driver_ops with = { .name = "dpdk", .prepare = prepare_dpdk };
static const struct driver_ops without = { .name = "xdp" };
const struct driver_ops *const drivers_dpdk = &with;

static const struct driver_ops *fake_choose(const struct model_node *node, const char *sysfs,
                                            struct driver_reason *reason)
{
	assert_ptr_equal(node, &self);
	assert_string_equal(sysfs, NIC_SYSFS);
	snprintf(reason->text, sizeof(reason->text), "as the test says");
	if (scene.no_driver)
		return NULL;
	return scene.has_prepare ? &with : &without;
}

static int fake_publisher(const char *run_dir, struct publisher **out)
{
	assert_string_equal(run_dir, "/r");
	if (scene.now_ms < scene.pages_free_ms)
		return -EBUSY;
	*out = (struct publisher *)&scene;
	return scene.pages_say;
}

static int fake_reader(const char *run_dir, const char *name, struct stats_reader **out)
{
	assert_string_equal(run_dir, "/r");
	assert_string_equal(name, "dataplane");
	*out = (struct stats_reader *)&scene;
	return scene.before ? 0 : -ENOENT;
}

static int fake_kill(pid_t pid, int signal)
{
	assert_int_equal(pid, scene.before);
	assert_int_equal(signal, 0);
	errno = scene.now_ms >= scene.ended_ms ? ESRCH : scene.is_others ? EPERM : 0;
	return errno ? -1 : 0;
}

#define stats_reader_open     fake_reader
#define stats_reader_pid(r)   ((void)(r), scene.before)
#define stats_reader_close(r) ((void)(r), note("reader closed; "))
#define kill                  fake_kill
#define loop_stop(l)          ((void)(l), note("stop; "))
#define clock_mono_ms         fake_now
#define usleep                fake_usleep
#define log_at                fake_log
#define compiled_make         fake_make
#define compiled_free         fake_free
#define choose_driver         fake_choose
#define publisher_open        fake_publisher
#define believed_tick(b, dir) ((b)->least_ms = 77, note("believed; "))
#define model_errors_summarise(e, out, size)                                                       \
	((void)(e), (void)snprintf(out, size, "line 3 is wrong"))
#include "dataplane/succession.c"

static void write_document(void)
{
	FILE *f = fopen(scene.path, "w");

	assert_non_null(f);
	fclose(f);
}

static int setup(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	scene.now_ms = 70000;
	strcpy(scene.dir, "/tmp/weir-succession-XXXXXX");
	if (!mkdtemp(scene.dir) || pipe(scene.ready))
		return -1;
	snprintf(scene.path, sizeof(scene.path), "%s/" PROC_EFFECTIVE_FILE, scene.dir);
	write_document();
	memset(&process, 0, sizeof(process));
	strcpy(process.dirs.run, "/r");
	strcpy(process.dirs.state, scene.dir);
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
	close(scene.ready[0]);
	snprintf(command, sizeof(command), "rm -r %s", scene.dir);
	return system(command);
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
	assert_string_equal(scene.log, "");
	assert_null(process.prepared);
}

static void it_says_that_it_is_ready_when_all_is_prepared(void **state)
{
	(void)state;
	scene.has_prepare = true;
	assert_int_equal(succession_prepare(&process), 0);
	assert_string_equal(scene.log,
	                    "believed; compile; prepare; successor-ready ms=0 not_prepared=\"\"; ");
	assert_true(said_ready());
}

static void a_driver_without_workers_needs_nothing(void **state)
{
	(void)state;
	assert_int_equal(succession_prepare(&process), 0);
	assert_true(said_ready());
}

static void what_is_not_prepared_is_told_and_is_no_failure(void **state)
{
	(void)state;
	scene.has_prepare = true;
	scene.lacks = "no room for two";
	scene.prepare_says = DRIVER_ALONE;
	assert_int_equal(succession_prepare(&process), 0);
	assert_non_null(
	        strstr(scene.log, "successor-ready ms=0 not_prepared=\"no room for two\"; "));
	assert_true(said_ready());
}

static void without_a_document_nothing_is_lost_either(void **state)
{
	(void)state;
	assert_int_equal(unlink(scene.path), 0);
	assert_int_equal(succession_prepare(&process), 0);
	assert_null(process.prepared);
	assert_true(said_ready());
}

/* Nobody ends the process before then. */
static void what_cannot_start_gives_up_and_says_why(void **state)
{
	static const struct {
		int compile_says, prepare_says, err;
		const char *refusal, *lacks;
		bool no_driver;
		const char *why;
	} cases[] = {
		{ .compile_says = -EINVAL, .err = -EINVAL, .why = "line 3 is wrong" },
		{ .compile_says = -EDQUOT,
		  .refusal = "too many",
		  .err = -EDQUOT,
		  .why = "too many" },
		{ .compile_says = -EKEYREJECTED,
		  .refusal = "no key",
		  .err = -EKEYREJECTED,
		  .why = "no key" },
		{ .compile_says = -EIO, .err = -EIO, .why = "Input/output error" },
		{ .no_driver = true, .err = -ENOTSUP, .why = "as the test says" },
		{ .prepare_says = -ENOMEM,
		  .lacks = "no hugepages",
		  .err = -ENOMEM,
		  .why = "no hugepages" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[256];

		if (i) {
			teardown(state);
			setup(state);
		}
		scene.has_prepare = true;
		scene.compile_says = cases[i].compile_says;
		scene.prepare_says = cases[i].prepare_says;
		scene.refusal = cases[i].refusal;
		scene.lacks = cases[i].lacks;
		scene.no_driver = cases[i].no_driver;
		assert_int_equal(succession_prepare(&process), cases[i].err);
		snprintf(
		        expected, sizeof(expected),
		        "successor-gave-up reason=\"%s\" effect=\"the process before it forwards on\"; ",
		        cases[i].why);
		assert_non_null(strstr(scene.log, expected));
		assert_false(said_ready());
	}
}

/* A supervisor that has died cannot end the process before. */
static void with_nobody_to_tell_it_gives_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	close(scene.ready[0]);
	assert_int_equal(succession_prepare(&process), -EPIPE);
	assert_non_null(strstr(scene.log, "successor-gave-up reason=\"Broken pipe\""));
	scene.ready[0] = open("/dev/null", O_RDONLY);
}

static void pages_of_a_process_that_is_ending_are_waited_for(void **state)
{
	static const struct {
		bool is_successor;
		unsigned free_after_ms;
		int err;
	} cases[] = { { true, 0, 0 },          { true, 7, 0 },     { true, 19999, 0 },
		      { true, 20001, -EBUSY }, { false, 4999, 0 }, { false, 5001, -EBUSY } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t from_ms = scene.now_ms;
		char begins[64];

		scene.log[0] = '\0';
		process.ready_fd = cases[i].is_successor ? scene.ready[1] : 0;
		scene.pages_free_ms = from_ms + cases[i].free_after_ms;
		assert_int_equal(succession_open_pages(&process), cases[i].err);
		snprintf(begins, sizeof(begins), "successor-begins waited_ms=%u; ",
		         cases[i].free_after_ms);
		assert_string_equal(scene.log, cases[i].err ? "dataplane-runs-already run_dir=/r; "
		                               : cases[i].is_successor ? begins
		                                                       : "");
		if (!cases[i].err)
			assert_int_equal(scene.now_ms - from_ms, cases[i].free_after_ms);
	}
	scene.pages_say = -ENOSPC;
	assert_int_equal(succession_open_pages(&process), -ENOSPC);
	(void)state;
}

/* Its memory is freed after its pages: a driver that needs it would find too little. */
static void a_driver_that_needs_its_memory_waits_for_the_end_of_the_process_before(void **state)
{
	static const struct {
		int prepare_says;
		uint64_t before;
		unsigned ended_after_ms, waited_ms;
		bool is_others;
	} cases[] = {
		{ DRIVER_ALONE, 4711, 0, 3, false },
		{ DRIVER_ALONE, 4711, 15, 15, false },
		{ DRIVER_ALONE, 4711, 15, 15, true },
		{ DRIVER_ALONE, 4711, 99999, 2003,
		  false }, /* one that does not end is no reason to stay away */
		{ DRIVER_ALONE, 0, 15, 3, false },
		{ DRIVER_ALONE, UINT64_MAX, 15, 3, false }, /* what a page says is not believed */
		{ 0, 4711, 15, 3, false },                  /* all is prepared: no time is lost */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char begins[64];

		if (i) {
			teardown(state);
			setup(state);
		}
		scene.has_prepare = true;
		scene.prepare_says = cases[i].prepare_says;
		scene.before = cases[i].before;
		scene.is_others = cases[i].is_others;
		scene.pages_free_ms = scene.now_ms + 3;
		scene.ended_ms = scene.now_ms + cases[i].ended_after_ms;
		assert_int_equal(succession_prepare(&process), 0);
		assert_int_equal(succession_open_pages(&process), 0);
		snprintf(begins, sizeof(begins), "successor-begins waited_ms=%u; ",
		         cases[i].waited_ms);
		assert_non_null(strstr(scene.log, begins));
	}
}

static void a_process_that_cannot_open_its_driver_any_more_makes_way_after_a_time(void **state)
{
	(void)state;
	strcpy(process.refusal, "no memory");
	for (int i = 0; i < 5; i++, scene.now_ms += 1000)
		succession_make_way(&process);
	assert_string_equal(scene.log, "");
	process.driver = (struct driver *)&scene; /* one that forwards goes on */
	succession_make_way(&process);
	assert_string_equal(scene.log, "");
	process.driver = NULL;
	succession_make_way(&process);
	assert_string_equal(scene.log,
	                    "dataplane-makes-way reason=\"no memory\" effect=\"the next process "
	                    "tries again\"; stop; ");
}

/* A warning of what was prepared is told with the first port. */
static void what_is_prepared_with_a_warning_is_prepared(void **state)
{
	(void)state;
	scene.has_prepare = true;
	scene.lacks = "ordinary memory";
	assert_int_equal(succession_prepare(&process), 0);
	assert_non_null(strstr(scene.log, "successor-ready ms=0 not_prepared=\"\"; "));
}

static void a_document_that_has_not_changed_is_taken_once(void **state)
{
	struct compiled d = { .err = 99 };

	(void)state;
	assert_false(succession_accept(&process, scene.path, &d));
	assert_int_equal(succession_prepare(&process), 0);
	assert_true(succession_accept(&process, scene.path, &d));
	assert_int_equal(d.err, 0);
	assert_ptr_equal(d.model, &model);
	assert_int_equal(scene.n_freed, 0); /* it is the caller's */
	assert_null(process.prepared);
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
		assert_int_equal(truncate(scene.path, 3), 0);
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
		assert_int_equal(scene.n_freed, 1);
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
	assert_int_equal(scene.n_freed, 1);
}

int main(void)
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
		T(what_is_prepared_with_a_warning_is_prepared),
		T(a_process_that_cannot_open_its_driver_any_more_makes_way_after_a_time),
		T(a_document_that_has_not_changed_is_taken_once),
		T(another_document_is_read_again),
		T(a_document_that_is_gone_is_read_again),
	};

	return cmocka_run_group_tests_name("succession", tests, NULL, NULL);
}
