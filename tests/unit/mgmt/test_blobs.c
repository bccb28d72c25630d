/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/owner.h"
#include "mgmt/files/blobs.h"
#include "mgmt/files/sweep.h"
#include "tests/unit/suite.h"

#define SIZE 200000u

static char dir[] = "/tmp/weir-blobs.XXXXXX";
static char bytes[SIZE], digest[DIGEST_TEXT_MAX];

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	digest_bytes(bytes, SIZE, digest);
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return files_remove_dir(dir);
}

static uint64_t bytes_held(const char *which, bool *whole)
{
	uint64_t n = 0;

	assert_int_equal(blobs_have(dir, which, &n, whole), 0);
	return n;
}

static int add_part(uint64_t offset, size_t n)
{
	return blobs_add(dir, digest, SIZE, offset, bytes + offset, n);
}

static void a_file_in_parts_goes_on_where_it_ended(void **state)
{
	bool whole;

	(void)state;
	assert_int_equal(bytes_held(digest, &whole), 0);
	assert_false(whole);
	assert_int_equal(add_part(0, 1000), 0);
	assert_int_equal(bytes_held(digest, &whole), 1000);
	assert_int_equal(add_part(5000, 1000), 0); /* a hole would be there: nothing is taken */
	assert_int_equal(bytes_held(digest, &whole), 1000);
	assert_int_equal(add_part(SIZE - 10, 10),
	                 0); /* the last part neither: the file is not whole */
	assert_int_equal(bytes_held(digest, &whole), 1000);
	assert_int_equal(add_part(0, 1000), 0); /* the same again */
	assert_int_equal(bytes_held(digest, &whole), 1000);
	assert_int_equal(add_part(1000, SIZE - 1000), 0);
	assert_int_equal(bytes_held(digest, &whole), SIZE);
	assert_true(whole);
	assert_int_equal(add_part(0, 10), 0); /* it is there */
}

/* It ended between the last byte and the name: a part of no bytes is enough. */
static void a_file_that_only_lacks_its_name_gets_it(void **state)
{
	char name[DIGEST_TEXT_MAX], path[PATH_MAX], part[PATH_MAX + 8];
	bool whole;

	(void)state;
	digest_bytes("named", 5, name);
	assert_int_equal(blobs_add(dir, name, 5, 0, "name", 4), 0);
	assert_int_equal(blobs_path(dir, name, path), 0);
	snprintf(part, sizeof(part), "%s.part", path);
	FILE *f = fopen(part, "a");
	assert_non_null(f);
	fputs("d", f);
	fclose(f);
	assert_int_equal(bytes_held(name, &whole), 5);
	assert_false(whole);
	assert_int_equal(blobs_add(dir, name, 5, 5, "", 0), 0);
	assert_int_equal(bytes_held(name, &whole), 5);
	assert_true(whole);
}

/* What comes again of a file that is there is no new upload. */
#define BRINGERS 4
#define BROUGHT  300u

/* Bring each file in two parts, as the thread that follows and a peer that stages do at the same time. */
static void *bring_all(void *arg)
{
	char of[DIGEST_TEXT_MAX];
	long n_bad = 0;

	for (unsigned i = 0; i < BROUGHT; i++) {
		digest_bytes(bytes + i, SIZE / 10, of);
		n_bad += blobs_add(dir, of, SIZE / 10, 0, bytes + i, 1000) != 0;
		n_bad += blobs_add(dir, of, SIZE / 10, 1000, bytes + i + 1000, SIZE / 10 - 1000) !=
		         0;
	}
	*(long *)arg = n_bad;
	return NULL;
}

static void files_that_several_bring_at_once_are_whole_and_leave_no_part(void **state)
{
	pthread_t threads[BRINGERS];
	long n_bad[BRINGERS];
	char of[DIGEST_TEXT_MAX], path[PATH_MAX], part[PATH_MAX + 8];
	bool whole;

	(void)state;
	for (int i = 0; i < BRINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, bring_all, &n_bad[i]), 0);
	for (int i = 0; i < BRINGERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(n_bad[i], 0);
	}
	for (unsigned i = 0; i < BROUGHT; i++) {
		digest_bytes(bytes + i, SIZE / 10, of);
		assert_int_equal(bytes_held(of, &whole), SIZE / 10);
		assert_true(whole);
		assert_int_equal(blobs_path(dir, of, path), 0);
		snprintf(part, sizeof(part), "%s.part", path);
		assert_int_not_equal(access(part, F_OK), 0);
		assert_int_equal(unlink(path), 0);
	}
}

static void a_file_that_is_there_gets_no_part(void **state)
{
	char path[PATH_MAX], part[PATH_MAX + 8];

	(void)state;
	assert_int_equal(blobs_path(dir, digest, path), 0);
	snprintf(part, sizeof(part), "%s.part", path);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(add_part(0, 10), 0);
	assert_int_equal(access(part, F_OK), -1);
}

static void other_bytes_than_the_digest_says_are_not_kept(void **state)
{
	char other[DIGEST_TEXT_MAX];
	bool whole;

	(void)state;
	digest_bytes("x", 1, other);
	assert_int_equal(blobs_add(dir, other, 5, 0, "abcde", 5), -EBADMSG);
	assert_int_equal(bytes_held(other, &whole), 0);
	assert_false(whole);
	assert_int_equal(blobs_add(dir, other, 1, 0, "x", 1), 0);
	bytes_held(other, &whole);
	assert_true(whole);
}

static void what_is_no_digest_or_lies_behind_the_end_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "../../etc/passwd", "ABC",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg"
	};
	bool whole;
	uint64_t n;
	char other[DIGEST_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(blobs_have(dir, bad[i], &n, &whole), -EINVAL);
		assert_int_equal(blobs_add(dir, bad[i], 1, 0, "x", 1), -EINVAL);
	}
	digest_bytes("yy", 2, other);
	assert_int_equal(blobs_add(dir, other, 1, 0, "yy", 2), -EINVAL);
	assert_int_equal(blobs_add(dir, other, 2, 3, "", 0), -EINVAL);
	assert_int_equal(blobs_add(dir, other, FILES_BYTES_MAX + 1, 0, "y", 1), -EINVAL);
}

static bool is_named(void *arg, const char *which)
{
	(void)arg;
	return !strcmp(which, digest);
}

static void what_no_version_names_goes_when_it_is_old(void **state)
{
	char other[DIGEST_TEXT_MAX], half[DIGEST_TEXT_MAX], path[PATH_MAX];
	char part[PATH_MAX + 8];
	FILE *f;
	struct stat st;
	bool whole;

	(void)state;
	digest_bytes("x", 1, other);
	digest_bytes("zz", 2, half);
	assert_int_equal(blobs_add(dir, half, 2, 0, "z", 1), 0);
	assert_int_equal(blobs_path(dir, digest, path), 0);
	assert_int_equal(stat(path, &st), 0);
	/* a part that nobody went on with, of one that came whole another way: it goes too */
	snprintf(part, sizeof(part), "%s.part", path);
	f = fopen(part, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	blobs_collect(dir, st.st_mtime, is_named, NULL);
	assert_int_equal(access(part, F_OK), 0);
	assert_int_equal(bytes_held(half, &whole), 1);
	blobs_collect(dir, st.st_mtime + 2 * BLOBS_KEEP_S, is_named, NULL);
	assert_int_equal(access(part, F_OK), -1);
	assert_int_equal(bytes_held(half, &whole), 0);
	bytes_held(other, &whole);
	assert_false(whole);
	assert_int_equal(bytes_held(digest, &whole), SIZE);
	assert_true(whole);
}

/* To the second: one that is kept for so long is kept, and goes with the next. */
static void what_is_old_is_exactly_so_old(void **state)
{
	char other[DIGEST_TEXT_MAX], path[PATH_MAX];
	struct stat st;

	(void)state;
	digest_bytes("old", 3, other);
	assert_int_equal(blobs_add(dir, other, 3, 0, "old", 3), 0);
	assert_int_equal(blobs_path(dir, other, path), 0);
	assert_int_equal(stat(path, &st), 0);
	blobs_collect(dir, st.st_mtime + BLOBS_KEEP_S - 1, is_named, NULL);
	assert_int_equal(access(path, F_OK), 0);
	blobs_collect(dir, st.st_mtime + BLOBS_KEEP_S, is_named, NULL);
	assert_int_equal(access(path, F_OK), -1);
}

/* All files count, the parts of uploads too; at the limit there is no room for more. */
static void the_room_for_files_ends_at_its_limit(void **state)
{
	static const uint64_t most = (uint64_t)16 << 30; /* as documented */
	char path[PATH_MAX], other[PATH_MAX];
	uint64_t used = 0, n;
	bool whole;

	(void)state;
	assert_int_equal(blobs_have(dir, digest, &n, &whole), 0);
	used += n;
	snprintf(path, sizeof(path), "%s/blobs/one", dir);
	snprintf(other, sizeof(other), "%s/blobs/two.part", dir);
	for (int more = -1; more <= 1; more++) { /* files with holes: they take no room */
		FILE *one = fopen(path, "w"), *two = fopen(other, "w");

		assert_true(one && two);
		assert_int_equal(ftruncate(fileno(one), 1000), 0);
		assert_int_equal(ftruncate(fileno(two), (off_t)(most - used - 1000) + more), 0);
		fclose(one);
		fclose(two);
		assert_int_equal(blobs_full(dir), more >= 0);
	}
	assert_int_equal(unlink(other), 0);
	assert_false(blobs_full(dir));
	assert_int_equal(unlink(path), 0);
	assert_false(blobs_full("/nowhere"));
}

static void large_files_are_laid_out_as_one_file(void **state)
{
	struct files files = { 0 };
	char path[PATH_MAX], to[PATH_MAX], laid[PATH_MAX + 32];
	struct stat a, b;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/large", dir);
	f = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, SIZE, f), SIZE);
	fclose(f);
	assert_int_equal(files_add_from(&files, dir, "large"), 0);
	assert_null(files.items[0].bytes);
	assert_string_equal(files.items[0].digest, digest);
	assert_int_equal(blobs_import(dir, &files), 0);
	unlink(path);
	snprintf(to, sizeof(to), "%s/out", dir);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(files_lay_out(&files, to, NULL), 0);
		snprintf(laid, sizeof(laid), "%s/large", to);
		assert_int_equal(stat(laid, &a), 0);
		assert_int_equal(stat(files.items[0].path, &b), 0);
		assert_true(a.st_ino == b.st_ino && a.st_nlink == 2);
	}
	/* one that is damaged makes no version */
	f = fopen(files.items[0].path, "r+");
	assert_int_equal(fputc(bytes[0] + 1, f) != EOF, 1);
	fclose(f);
	assert_int_equal(files_remove_dir(to), 0);
	assert_int_equal(files_lay_out(&files, to, NULL), -EIO);
	files_fini(&files);
}

static struct stat stat_of(const char *in, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", in, name);
	assert_int_equal(stat(path, &st), 0);
	return st;
}

/* Ten thousand zones of which one changes: one new file. */
static void small_files_that_are_there_already_are_linked(void **state)
{
	struct files first = { 0 }, next = { 0 };
	char one[PATH_MAX], two[PATH_MAX], uploads[PATH_MAX], *text;
	const struct files_like like = { .earlier = one, .by_digest = uploads };
	size_t n;

	(void)state;
	snprintf(one, sizeof(one), "%s/one", dir);
	snprintf(two, sizeof(two), "%s/two", dir);
	assert_true(blobs_dir(dir, uploads));
	assert_int_equal(files_add(&first, "same", "bytes", 5), 0);
	assert_int_equal(files_add(&first, "sub/changes", "before", 6), 0);
	assert_int_equal(files_lay_out(&first, one, &like), 0);
	assert_int_equal(files_add(&next, "same", "bytes", 5), 0);
	assert_int_equal(files_add(&next, "sub/changes", "after!", 6), 0);
	assert_int_equal(files_add(&next, "uploaded", "new", 3), 0);
	assert_int_equal(blobs_add(dir, files_find(&next, "uploaded")->digest, 3, 0, "new", 3), 0);
	assert_int_equal(files_lay_out(&next, two, &like), 0);
	assert_int_equal(stat_of(one, "same").st_ino, stat_of(two, "same").st_ino);
	assert_int_not_equal(stat_of(one, "sub/changes").st_ino,
	                     stat_of(two, "sub/changes").st_ino);
	assert_int_equal(stat_of(two, "uploaded").st_nlink, 2);
	/* a damaged one is not gone on with, and what is mended is not the earlier version's */
	snprintf(one, sizeof(one), "%s/one/same", dir);
	assert_int_equal(truncate(one, 2), 0);
	snprintf(one, sizeof(one), "%s/one", dir);
	assert_int_equal(files_lay_out(&next, two, &like), 0);
	snprintf(two, sizeof(two), "%s/two/same", dir);
	assert_int_equal(files_slurp(two, &text, &n), 0);
	assert_string_equal(text, "bytes");
	free(text);
	files_fini(&first);
	files_fini(&next);
}

static void a_directory_that_is_swept_is_gone_at_once_and_empty_soon(void **state)
{
	char one[PATH_MAX], name[256];
	const struct dirent *entry;
	bool left = true;

	(void)state;
	snprintf(one, sizeof(one), "%s/one", dir);
	sweep_dir(one);
	assert_int_equal(access(one, F_OK), -1);
	for (int i = 0; left && i < 2000; i++, usleep(10000)) {
		DIR *d = opendir(dir);

		left = false;
		while (d && (entry = readdir(d))) {
			snprintf(name, sizeof(name), "%s", entry->d_name);
			left |= sweep_is_left(name);
		}
		closedir(d);
	}
	assert_false(left);
	sweep_dir(one); /* nothing there */
}

static void a_file_that_changes_while_it_is_taken_is_not_taken(void **state)
{
	struct files files = { 0 };
	char path[PATH_MAX];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/moving", dir);
	f = fopen(path, "w");
	bytes[7]++;
	assert_int_equal(fwrite(bytes, 1, SIZE, f), SIZE);
	assert_int_equal(files_add_from(&files, dir, "moving"), 0);
	rewind(f);
	fputs("other", f);
	fclose(f);
	assert_int_equal(blobs_import(dir, &files), -ESTALE);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(blobs_import(dir, &files), -ESTALE);
	files_fini(&files);
}

/* Files behind one that changed make no difference, and are not stored. */
static void the_first_file_that_changed_ends_the_taking(void **state)
{
	struct files files = { 0 };
	char path[PATH_MAX];
	bool is_whole = true;

	(void)state;
	for (int i = 0; i < 2; i++) {
		char name[] = { i ? 'b' : 'a', '\0' };

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		FILE *f = fopen(path, "w");
		bytes[9]++;
		assert_int_equal(fwrite(bytes, 1, SIZE, f), SIZE);
		fclose(f);
		assert_int_equal(files_add_from(&files, dir, name), 0);
	}
	assert_string_equal(files.items[1].name, "b");
	snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(blobs_import(dir, &files), -ESTALE);
	bytes[9] -= 2;
	bytes_held(files.items[1].digest, &is_whole);
	assert_false(is_whole);
	files_fini(&files);
}

/* A read that ends early leaves errno as it was: EINTR of an earlier call must not make it try again without end. */
static void reading_a_file_that_became_shorter_ends(void **state)
{
	struct files files = { 0 };
	struct files_text text;
	char path[PATH_MAX];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/shorter", dir);
	f = fopen(path, "w");
	assert_int_equal(fwrite(bytes, 1, SIZE, f), SIZE);
	fclose(f);
	assert_int_equal(files_add_from(&files, dir, "shorter"), 0);
	assert_int_equal(truncate(path, 10), 0);
	alarm(20);
	errno = EINTR;
	assert_int_equal(files_read(&files.items[0], &text), -ESTALE);
	alarm(0);
	files_fini(&files);
}

/* A link to a file that another user can change is a hole in every version that has it. */
static void another_users_file_is_not_linked(void **state)
{
	struct files files = { 0 };
	char before[PATH_MAX], after[PATH_MAX], path[PATH_MAX];
	const struct files_like like = { .earlier = before };

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(before, sizeof(before), "%s/before", dir);
	snprintf(after, sizeof(after), "%s/after", dir);
	assert_int_equal(files_add(&files, "given", "bytes", 5), 0);
	assert_int_equal(files_add(&files, "led", "elsewhere", 9), 0);
	assert_int_equal(files_lay_out(&files, before, NULL), 0);
	snprintf(path, sizeof(path), "%.*s/given", PATH_MAX - 8, before);
	assert_int_equal(chown(path, 54321, 54321), 0);
	snprintf(path, sizeof(path), "%.*s/led", PATH_MAX - 8, before);
	snprintf(after, sizeof(after), "%s/aside", dir);
	assert_int_equal(rename(path, after), 0);
	assert_int_equal(symlink(after, path), 0);
	snprintf(after, sizeof(after), "%s/after", dir);
	assert_int_equal(files_lay_out(&files, after, &like), 0);
	for (size_t i = 0; i < files.n_items; i++) {
		struct stat st;

		snprintf(path, sizeof(path), "%.*s/%s", PATH_MAX - 32, after, files.items[i].name);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1);
	}
	files_fini(&files);
}

/* Another process may make the directory before us, or have made a file of it; root's and our own are believed. */
static void what_another_user_has_put_there_is_not_believed(void **state)
{
	char root[] = "/tmp/weir-blobs.XXXXXX", blobs[64], path[PATH_MAX], to[80], to_dir[PATH_MAX];
	struct owner_trouble troubles[OWNER_TROUBLES_MAX];
	bool whole = true;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(root));
	snprintf(blobs, sizeof(blobs), "%s/blobs", root);
	bytes[7] = (char)(7 * 2654435761u >> 13);
	assert_int_equal(blobs_add(root, digest, SIZE, 0, bytes, SIZE), 0);
	assert_int_equal(blobs_path(root, digest, path), 0);
	for (int i = 0; i < 2; i++) { /* the directory, then the file */
		const char *which = i ? path : blobs;

		assert_int_equal(chown(which, 54321, 54321), 0);
		assert_int_equal(blobs_dir(root, to_dir), i);
		assert_int_equal(blobs_have(root, digest, &(uint64_t){ 0 }, &whole), 0);
		assert_false(whole);
		assert_int_equal(owner_troubles(troubles), 1); /* and the status names it */
		assert_int_equal(troubles[0].found, 54321);
		assert_string_equal(troubles[0].path, which);
		if (!i)
			assert_int_equal(blobs_add(root, digest, SIZE, 0, bytes, 10), -EPERM);
		blobs_collect(root, INT64_MAX / 4, is_named, NULL);
		assert_int_equal(chown(which, 0, 0), 0);
		assert_int_equal(blobs_have(root, digest, &(uint64_t){ 0 }, &whole), 0);
		assert_true(whole);
		assert_int_equal(owner_troubles(troubles), 0);
	}
	/* nor is a link, whoever laid it */
	snprintf(to, sizeof(to), "%s/elsewhere", root);
	assert_int_equal(rename(path, to), 0);
	assert_int_equal(symlink(to, path), 0);
	assert_int_equal(blobs_have(root, digest, &(uint64_t){ 0 }, &whole), 0);
	assert_false(whole);
	assert_int_equal(unlink(path), 0);
	/* a part that another has begun, and could change when it is whole */
	snprintf(to, sizeof(to), "%s/elsewhere", root);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(blobs_add(root, digest, SIZE, 0, bytes, 10), 0);
	assert_true(snprintf(path + strlen(path), 8, ".part") > 0);
	assert_int_equal(chown(path, 54321, 54321), 0);
	assert_int_equal(blobs_add(root, digest, SIZE, 10, bytes + 10, SIZE - 10), -EPERM);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 10);
	assert_int_equal(files_remove_dir(root), 0);
}

SUITE(blobs)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_in_parts_goes_on_where_it_ended),
		cmocka_unit_test(a_file_that_only_lacks_its_name_gets_it),
		cmocka_unit_test(files_that_several_bring_at_once_are_whole_and_leave_no_part),
		cmocka_unit_test(a_file_that_is_there_gets_no_part),
		cmocka_unit_test(other_bytes_than_the_digest_says_are_not_kept),
		cmocka_unit_test(what_is_no_digest_or_lies_behind_the_end_is_refused),
		cmocka_unit_test(what_no_version_names_goes_when_it_is_old),
		cmocka_unit_test(what_is_old_is_exactly_so_old),
		cmocka_unit_test(the_room_for_files_ends_at_its_limit),
		cmocka_unit_test(large_files_are_laid_out_as_one_file),
		cmocka_unit_test(small_files_that_are_there_already_are_linked),
		cmocka_unit_test(a_directory_that_is_swept_is_gone_at_once_and_empty_soon),
		cmocka_unit_test(a_file_that_changes_while_it_is_taken_is_not_taken),
		cmocka_unit_test(the_first_file_that_changed_ends_the_taking),
		cmocka_unit_test(reading_a_file_that_became_shorter_ends),
		cmocka_unit_test(another_users_file_is_not_linked),
		cmocka_unit_test(what_another_user_has_put_there_is_not_believed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
