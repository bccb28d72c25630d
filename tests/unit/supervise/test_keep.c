/* SPDX-License-Identifier: BSD-2-Clause */
/* The supervisor's files, put back when somebody removes them (supervise/keep.c). */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "supervise/internal.h"
#include "tests/unit/suite.h"

static struct proc_dirs dirs;
static struct run run;
static char lock[PATH_MAX];

static int set_up(void **state)
{
	(void)state;
	place_make();
	snprintf(dirs.run, sizeof(dirs.run), "%s", place);
	run = (struct run){ .dirs = &dirs };
	for (int i = 0; i < CHILD_COUNT; i++)
		run.children[i].name = i == CHILD_HEALTH ? "health" : "other";
	run.children[CHILD_HEALTH].pid = getpid();
	log_level(LOG_EMERG);
	assert_int_equal(proc_path(dirs.run, RUN_LOCK_FILE, lock), 0);
	return lock_acquire(lock, &run.lock_fd);
}

/* Whether the note has what this supervisor knows. */
static bool is_noted(void)
{
	return run_state_find(place, "health") == getpid();
}

static int tear_down(void **state)
{
	(void)state;
	close(run.lock_fd);
	place_remove();
	return 0;
}

static bool is_there(const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	assert_int_equal(proc_path(place, name, path), 0);
	return lstat(path, &st) == 0;
}

static void files_that_are_there_are_left_alone(void **state)
{
	int fd = run.lock_fd;

	(void)state;
	run_keep_files(&run);
	assert_int_equal(run.lock_fd, fd);
	assert_false(is_there(RUN_STATE_FILE)); /* nobody was noted yet */
	run.noted = true;
	place_write(RUN_STATE_FILE, "");
	run_keep_files(&run);
	assert_false(is_noted());
}

static void a_removed_note_is_written_again(void **state)
{
	(void)state;
	run.noted = true;
	run_keep_files(&run);
	assert_true(is_noted());
}

static void a_note_that_failed_is_tried_again(void **state)
{
	(void)state;
	run.noted = run.note_failed = true;
	place_write(RUN_STATE_FILE, "health 7 7\n"); /* of another time */
	run_keep_files(&run);
	assert_true(is_noted());
	assert_false(run.note_failed);
	place_write(RUN_STATE_FILE, "");
	run_keep_files(&run);
	assert_false(is_noted());
}

static void a_removed_lock_is_taken_again(void **state)
{
	int old = run.lock_fd, other;
	struct stat held, named;

	(void)state;
	assert_int_equal(unlink(lock), 0);
	run_keep_files(&run);
	assert_int_equal(fstat(run.lock_fd, &held), 0);
	assert_int_equal(stat(lock, &named), 0);
	assert_int_equal(held.st_ino, named.st_ino);
	assert_int_equal(lock_acquire(lock, &other), -EBUSY);
	/* the old one is not kept open: its number is free or another file's */
	assert_true(run.lock_fd == old || fcntl(old, F_GETFD) < 0);
}

static void a_removed_directory_is_made_again_with_its_files(void **state)
{
	struct stat st;
	int other;

	(void)state;
	run.noted = true;
	snprintf(dirs.run, sizeof(dirs.run), "%s/gone", place);
	assert_int_equal(proc_path(dirs.run, RUN_LOCK_FILE, lock), 0);
	run_keep_files(&run);
	assert_int_equal(stat(dirs.run, &st), 0);
	assert_int_equal(st.st_mode & 0022, getgrnam("weir") && !geteuid() ? 0020 : 0);
	assert_int_equal(lock_acquire(lock, &other), -EBUSY);
	assert_int_equal(run_state_find(dirs.run, "health"), getpid());
}

/* What another one has put there in the meantime is not ours to take. */
static void a_lock_of_another_is_left(void **state)
{
	int other, fd = run.lock_fd;

	(void)state;
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(lock_acquire(lock, &other), 0);
	run_keep_files(&run);
	assert_int_equal(run.lock_fd, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(other);
}

static void what_cannot_be_made_again_leaves_what_is_held(void **state)
{
	int fd = run.lock_fd;

	(void)state;
	snprintf(dirs.run, sizeof(dirs.run), "%s/gone/too", place);
	run_keep_files(&run);
	assert_int_equal(run.lock_fd, fd);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

SUITE(keep)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_that_are_there_are_left_alone, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_removed_note_is_written_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_note_that_failed_is_tried_again, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_removed_lock_is_taken_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_removed_directory_is_made_again_with_its_files,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lock_of_another_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_made_again_leaves_what_is_held,
		                                set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
