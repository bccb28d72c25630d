/* SPDX-License-Identifier: BSD-2-Clause */
/* Weir's users, as the machine has them: each process has its own, and is believed as no other. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/owner.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The machine has no user for weir-health, and one that is none of ours. */
static const struct {
	const char *name;
	uid_t uid;
} users[] = { { "weir-mgmt", 4001 },
	      { "weir-dataplane", 4002 },
	      { "weir-dns", 4004 },
	      { "weir-web", 4005 } };

static unsigned n_asked;
/* What mkdir() finds done behind its back: the directory is moved, and this put in its place. */
static const char *put_instead;

static int own_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
                          struct passwd **found)
{
	(void)buffer;
	(void)size;
	n_asked++;
	*found = NULL;
	for (size_t i = 0; i < COUNT(users); i++)
		if (!strcmp(users[i].name, name)) {
			*entry = (struct passwd){ .pw_uid = users[i].uid };
			*found = entry;
		}
	return 0;
}

static struct group *own_getgrnam(const char *name)
{
	static struct group weir = { .gr_gid = 4001 };

	return strcmp(name, "weir") ? NULL : &weir;
}

static int own_mkdir(const char *path, mode_t mode)
{
	char away[128];

	if (mkdirat(AT_FDCWD, path, mode))
		return -1;
	if (put_instead) {
		snprintf(away, sizeof(away), "%.120s.away", path);
		assert_int_equal(rename(path, away), 0);
		assert_int_equal(symlink(put_instead, path), 0);
	}
	return 0;
}

static bool refuses_owner;

static int own_fchown(int fd, uid_t uid, gid_t gid)
{
	if (refuses_owner) {
		errno = EPERM;
		return -1;
	}
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

static void each_process_has_its_own_user(void **state)
{
	static const struct {
		const char *process;
		uid_t uid; /* 0: none */
	} cases[] = { { "mgmt", 4001 }, { "dataplane", 4002 }, { "health", 0 },
		      { "dns", 4004 },  { "web", 0 },          { "", 0 },
		      { "mgm", 0 },     { "weir-dns", 0 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uid_t uid = 7;

		print_message("  %s\n", cases[i].process);
		assert_int_equal(owner_of(cases[i].process, &uid), cases[i].uid != 0);
		assert_int_equal(uid, cases[i].uid ? cases[i].uid : 7);
	}
	assert_int_equal(n_asked, 5); /* once a process: a filter may forbid it later */
}

static void a_user_is_believed_as_its_own_process_alone(void **state)
{
	static const struct {
		uid_t uid;
		const char *process;
		bool is;
	} cases[] = {
		{ 4001, "mgmt", true },
		{ 4001, "dns", false },
		{ 4001, "health", false },
		{ 4002, "dataplane", true },
		{ 4002, "mgmt", false },
		{ 4004, "dns", true },
		{ 4004, "mgmt", false },
		{ 4005, "web", false },
		{ 4005, "mgmt", false },
		{ 4001, NULL, false },
		{ 0, "mgmt", true },
		{ 0, NULL, true },
		{ 0, "health", true },
		{ (uid_t)-1, "mgmt", false },
		{ (uid_t)-1, "health", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %u as %s\n", (unsigned)cases[i].uid,
		              cases[i].process ? cases[i].process : "nobody");
		assert_int_equal(owner_is(cases[i].uid, cases[i].process), cases[i].is);
	}
	assert_true(owner_is(geteuid(), NULL));
	assert_true(owner_is(geteuid(), "dns"));
}

/* A file that became another user's is a new trouble; what does not fit the list takes the last place. */
static void troubles_are_listed_one_a_path(void **state)
{
	struct owner_trouble list[OWNER_TROUBLES_MAX];
	char path[32];

	(void)state;
	owner_note("a", "mgmt", 4004, false);
	owner_note("b", NULL, 4005, false);
	owner_note("a", "dns", 4002, false);
	assert_int_equal(owner_troubles(list), 2);
	assert_string_equal(list[0].path, "a");
	assert_string_equal(list[0].expected, "dns");
	assert_int_equal(list[0].found, 4002);
	assert_string_equal(list[1].path, "b");
	assert_string_equal(list[1].expected, "");
	assert_int_equal(list[1].found, 4005);
	owner_note("none", "mgmt", 4001, true); /* it is not listed: nothing changes */
	assert_int_equal(owner_troubles(list), 2);
	owner_note("a", "mgmt", 4001, true);
	assert_int_equal(owner_troubles(list), 1);
	assert_string_equal(list[0].path, "b");
	for (unsigned i = 0; i < OWNER_TROUBLES_MAX + 2; i++) {
		snprintf(path, sizeof(path), "file-%u", i);
		owner_note(path, "mgmt", i, false);
	}
	assert_int_equal(owner_troubles(list), OWNER_TROUBLES_MAX);
	assert_string_equal(list[0].path, "b");
	assert_string_equal(list[OWNER_TROUBLES_MAX - 1].path, path);
	assert_int_equal(list[OWNER_TROUBLES_MAX - 1].found, OWNER_TROUBLES_MAX + 1);
}

/* Others may write where it is made, and put a link in its place before it is given away. */
static void what_another_put_in_a_directorys_place_is_not_given_away(void **state)
{
	char dir[] = "/tmp/weir-owner-XXXXXX", ours[64], victim[64], away[64];
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(ours, sizeof(ours), "%s/ours", dir);
	snprintf(away, sizeof(away), "%s/ours.away", dir);
	snprintf(victim, sizeof(victim), "%s/victim", dir);
	owner_give_directory(ours, 0750, "dataplane");
	assert_int_equal(stat(ours, &st), 0);
	assert_int_equal(st.st_uid, 4002);
	assert_int_equal(st.st_gid, 4001);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(rmdir(ours), 0);

	assert_int_equal(mkdir(victim, 0700), 0);
	put_instead = victim;
	owner_give_directory(ours, 0750, "dataplane");
	put_instead = NULL;
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(unlink(ours) | rmdir(away) | rmdir(victim) | rmdir(dir), 0);
}

/* Its process could not write in it, and would find it there at each later start. */
static void a_directory_that_cannot_be_given_away_is_not_left_behind(void **state)
{
	char dir[] = "/tmp/weir-owner-XXXXXX", ours[64];
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(ours, sizeof(ours), "%s/ours", dir);
	refuses_owner = true;
	owner_give_directory(ours, 0750, "dataplane");
	refuses_owner = false;
	assert_int_equal(stat(ours, &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(rmdir(dir), 0);
}

SUITE(owner_users)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_has_its_own_user),
		cmocka_unit_test(a_user_is_believed_as_its_own_process_alone),
		cmocka_unit_test(troubles_are_listed_one_a_path),
		cmocka_unit_test(what_another_put_in_a_directorys_place_is_not_given_away),
		cmocka_unit_test(a_directory_that_cannot_be_given_away_is_not_left_behind),
	};

	answer_fchown = own_fchown;
	answer_getgrnam = own_getgrnam;
	answer_getpwnam_r = own_getpwnam_r;
	answer_mkdir = own_mkdir;
	return cmocka_run_group_tests_name("owner users", tests, NULL, NULL);
}
