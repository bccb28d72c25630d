/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-dns keeps of ramps and sites: written once, and again until a disk that was full takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "dns/server.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static bool no_thread;

static int own_pthread_create(pthread_t *t, const pthread_attr_t *attributes, void *(*f)(void *),
                              void *arg)
{
	return no_thread ? EAGAIN : __real_pthread_create(t, attributes, f, arg);
}

static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER; /* held: it hangs */

static int own_rename(const char *from, const char *to)
{
	pthread_mutex_lock(&disk);
	pthread_mutex_unlock(&disk);
	return __real_rename(from, to);
}

static struct proc_dirs dirs;
static struct server server;

static int set_up(void **state)
{
	static char dir[32];

	(void)state;
	strcpy(dir, "/tmp/weir-keep.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(dirs.state, sizeof(dirs.state), "%s", dir);
	server = (struct server){ .dirs = &dirs };
	signal(SIGXFSZ, SIG_IGN);
	if (loop_open(&server.loop) || ramps_open(&server.ramps, dir) ||
	    decided_open(&server.decided, dir))
		return -1;
	server.ramps.items[0] =
	        (struct ramp_record){ .id = "a-1", .generation = 3, .at_ms = 1780000000000 };
	server.ramps.n = 1;
	decided_begin(&server.decided);
	decided_add(&server.decided, 7);
	decided_add(&server.decided, UINT64_MAX - 70); /* not as many as ramps */
	decided_end(&server.decided, true);
	return 0;
}

static int tear_down(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	ramps_close(&server.ramps);
	decided_close(&server.decided);
	loop_close(server.loop);
	snprintf(command, sizeof(command), "rm -r %s", dirs.state);
	return system(command);
}

/* No file may have more than @p bytes: as a full disk, for us alone. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool is_there(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(proc_path(dirs.state, name, path), 0);
	return stat(path, &st) == 0;
}

/* How many files are in the directory. */
static unsigned count_files(void)
{
	char command[PATH_MAX + 32], text[16] = "";
	FILE *f;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", dirs.state);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	pclose(f);
	return (unsigned)atoi(text);
}

static void on_time(void *arg)
{
	loop_stop(arg);
}

/* Let time pass for the loop. */
static void pass_time(unsigned ms)
{
	struct loop_timer t = { .cb = on_time, .arg = server.loop };

	assert_int_equal(loop_timer_set(server.loop, &t, clock_mono_ms() + ms), 0);
	assert_int_equal(loop_run(server.loop), 0);
}

/* Until what was begun is written, or was not. */
static void finish_one(void)
{
	uint64_t until_ms = clock_mono_ms() + 20000;

	while (server.keep.running && !__atomic_load_n(&server.keep.done, __ATOMIC_ACQUIRE)) {
		assert_true(clock_mono_ms() < until_ms);
		usleep(1000);
	}
}

static void what_has_changed_is_written_once(void **state)
{
	struct ramp_record records[RAMP_RECORDS_MAX];
	struct decided again;

	(void)state;
	server.ramps.changed = true;
	keep_tick(&server);
	assert_true(server.keep.running);
	assert_false(server.ramps.changed || server.decided.changed);
	finish_one();
	keep_tick(&server);
	assert_false(server.keep.running || server.keep.failed);
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_string_equal(records[0].id, "a-1");
	assert_int_equal(records[0].generation, 3);
	assert_int_equal(decided_open(&again, dirs.state), 0);
	assert_true(again.known && again.n == 2);
	assert_true(decided_is_down(&again, 7) && decided_is_down(&again, UINT64_MAX - 70));
	decided_close(&again);
	server.ramps.items[0].generation = 4;
	server.ramps.changed = true; /* of the two, this one alone */
	keep_tick(&server);
	assert_null(server.keep.down);
	keep_stop(&server); /* waits */
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 4);
	server.ramps.items[0].generation = 5;
	server.ramps.changed = true;
	keep_stop(&server); /* what was not begun is written as well */
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 5);
	assert_int_equal(count_files(), 2);
}

static void a_full_disk_is_tried_again_and_leaves_what_was_kept(void **state)
{
	struct ramp_record records[RAMP_RECORDS_MAX];
	struct decided again;

	(void)state;
	server.ramps.changed = true;
	keep_tick(&server);
	keep_stop(&server);
	server.ramps.items[0].generation = 9;
	server.ramps.changed = true;
	decided_begin(&server.decided);
	decided_add(&server.decided, 8);
	decided_end(&server.decided, true);
	limit_files(4);
	keep_tick(&server);
	finish_one();
	keep_tick(&server);
	assert_true(server.keep.failed && !server.keep.running); /* but not at once */
	limit_files(RLIM_INFINITY);
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 3); /* the one before, whole */
	assert_int_equal(count_files(), 2);         /* and no draft beside it */
	for (uint64_t until_ms = clock_mono_ms() + 20000;
	     server.keep.failed && clock_mono_ms() < until_ms; pass_time(50))
		keep_tick(&server); /* nothing has changed since */
	assert_false(server.keep.failed);
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 9);
	assert_int_equal(decided_open(&again, dirs.state), 0);
	assert_true(again.known && decided_is_down(&again, 8));
	decided_close(&again);
	keep_stop(&server);
}

static void one_file_that_cannot_be_written_fails_the_round(void **state)
{
	char path[PATH_MAX];
	struct decided again;

	(void)state;
	assert_int_equal(proc_path(dirs.state, RAMP_FILE, path), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* no rename over a directory */
	server.ramps.changed = true;
	keep_tick(&server);
	finish_one();
	keep_tick(&server);
	assert_true(server.keep.failed);
	/* that one alone is to be written again */
	assert_true(server.ramps.changed);
	assert_false(server.decided.changed);
	keep_stop(&server);
	assert_int_equal(decided_open(&again, dirs.state), 0);
	assert_true(again.known && decided_is_down(&again, 7)); /* the other one is there */
	decided_close(&again);
	assert_true(is_there(DECIDED_FILE));
}

/* The other one of the two files; what is written of it is as long as it is. */
static void the_sites_fail_and_are_tried_again_by_themselves(void **state)
{
	char path[PATH_MAX];
	struct decided again;

	(void)state;
	decided_begin(&server.decided);
	for (uint64_t i = 1; i <= 5; i++)
		decided_add(&server.decided, i);
	decided_end(&server.decided, true);
	assert_int_equal(proc_path(dirs.state, DECIDED_FILE, path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	server.ramps.changed = true;
	keep_tick(&server);
	finish_one();
	keep_tick(&server);
	assert_true(server.keep.failed);
	assert_false(server.ramps.changed);
	assert_true(server.decided.changed);
	assert_true(is_there(RAMP_FILE));
	assert_int_equal(rmdir(path), 0);
	keep_stop(&server);
	assert_int_equal(decided_open(&again, dirs.state), 0);
	assert_int_equal(again.n, 5);
	decided_close(&again);
}

/* A write that fails while the process ends is made once more. */
static void what_fails_at_the_end_is_written_once_more(void **state)
{
	struct ramp_record records[RAMP_RECORDS_MAX];

	(void)state;
	server.ramps.changed = true;
	limit_files(4);
	keep_tick(&server);
	finish_one();
	limit_files(RLIM_INFINITY);
	keep_stop(&server);
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 3);
}

static void half_a_file_is_never_put_in_place(void **state)
{
	static struct ramp_record records[RAMP_RECORDS_MAX];
	uint64_t targets[64];
	struct decided again;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		targets[i] = i + 1;
		records[i] = (struct ramp_record){ .generation = 1 + i, .at_ms = 1780000000000 };
		snprintf(records[i].id, sizeof(records[i].id), "n-%zu", i);
	}
	assert_int_equal(decided_write(dirs.state, targets, 64), 0);
	assert_int_equal(ramp_write(dirs.state, records, 64), 0);
	limit_files(200); /* the head fits, the end does not */
	assert_int_not_equal(decided_write(dirs.state, targets, 63), 0);
	assert_int_not_equal(ramp_write(dirs.state, records, 63), 0);
	limit_files(RLIM_INFINITY);
	assert_int_equal(decided_open(&again, dirs.state), 0);
	assert_int_equal(again.n, 64);
	decided_close(&again);
	assert_int_equal(ramp_read(dirs.state, records), 64);
	assert_int_equal(count_files(), 2);
}

/* Nothing is taken for written, and nothing is left that the next try would write for it. */
static void without_a_thread_it_is_tried_again(void **state)
{
	struct ramp_record records[RAMP_RECORDS_MAX];

	(void)state;
	server.ramps.changed = true;
	no_thread = true;
	keep_tick(&server);
	no_thread = false;
	assert_false(server.keep.running);
	assert_true(server.ramps.changed && server.decided.changed);
	assert_true(!server.keep.records && !server.keep.down);
	keep_tick(&server);
	assert_true(server.keep.running);
	assert_false(server.ramps.changed || server.decided.changed);
	keep_stop(&server);
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(count_files(), 2);
}

/* Copies are made at the beginning: what changes while they are written is written next. */
static void what_changes_meanwhile_is_written_next(void **state)
{
	struct ramp_record records[RAMP_RECORDS_MAX];
	struct decided again;

	(void)state;
	server.ramps.changed = true;
	keep_tick(&server);
	server.ramps.items[0].generation = 8;
	server.ramps.items[1] = (struct ramp_record){ .id = "b-2", .generation = 1, .at_ms = 5 };
	server.ramps.n = 2;
	server.ramps.changed = true;
	decided_begin(&server.decided);
	decided_end(&server.decided, true); /* none is down */
	finish_one();
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 3);
	keep_tick(&server); /* takes the result and begins the next one */
	assert_true(server.keep.running);
	finish_one();
	keep_tick(&server);
	assert_false(server.keep.running);
	assert_int_equal(ramp_read(dirs.state, records), 2);
	assert_int_equal(records[0].generation, 8);
	assert_string_equal(records[1].id, "b-2");
	assert_int_equal(decided_open(&again, dirs.state), 0);
	assert_true(again.known && again.n == 0);
	decided_close(&again);
	keep_tick(&server);
	assert_false(server.keep.running); /* nothing has changed */
}

/* A disk that hangs keeps nothing waiting: what is being written is left alone. */
static void a_disk_that_hangs_holds_up_nobody(void **state)
{
	struct ramp_record records[RAMP_RECORDS_MAX];

	(void)state;
	server.ramps.changed = true; /* one that is written, before the disk hangs */
	keep_tick(&server);
	finish_one();
	keep_tick(&server);
	alarm(20); /* or the test would wait for itself */
	pthread_mutex_lock(&disk);
	server.ramps.changed = true;
	keep_tick(&server);
	server.ramps.items[0].generation = 6;
	server.ramps.changed = true;
	for (unsigned i = 0; i < 3; i++) {
		keep_tick(&server);
		assert_true(server.keep.running && server.ramps.changed);
	}
	pthread_mutex_unlock(&disk);
	finish_one();
	keep_tick(&server);
	keep_stop(&server);
	assert_int_equal(ramp_read(dirs.state, records), 1);
	assert_int_equal(records[0].generation, 6);
	alarm(0);
}

SUITE(keep)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_has_changed_is_written_once, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_is_tried_again_and_leaves_what_was_kept,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_file_that_cannot_be_written_fails_the_round,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_sites_fail_and_are_tried_again_by_themselves,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fails_at_the_end_is_written_once_more, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(half_a_file_is_never_put_in_place, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(without_a_thread_it_is_tried_again, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(what_changes_meanwhile_is_written_next, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_disk_that_hangs_holds_up_nobody, set_up,
		                                tear_down),
	};

	answer_pthread_create = own_pthread_create;
	answer_rename = own_rename;
	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
