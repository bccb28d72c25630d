/* SPDX-License-Identifier: BSD-2-Clause */
/* The tokens file: which lines count, and how one is added. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "mgmt/files/files.h"
#include "mgmt/store/tokens.h"
#include "tests/unit/suite.h"

#define D62  "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542"
#define GOOD D62 "d8"

/* What a line is. */
enum line_is { TOKENS_ENTRY, TOKENS_NOTHING, TOKENS_BAD };

struct read_line {
	enum line_is is;
	struct tokens_entry *out;
	const char **why;
};

static void note_line(void *arg, size_t line, const struct tokens_entry *entry, const char *why)
{
	struct read_line *r = arg;

	assert_int_equal(line, 1);
	r->is = entry ? TOKENS_ENTRY : TOKENS_BAD;
	if (entry)
		*r->out = *entry;
	*r->why = why;
}

static enum line_is tokens_read(const char *line, size_t n, struct tokens_entry *out,
                                const char **why)
{
	struct read_line r = { TOKENS_NOTHING, out, why };
	size_t n_bad = tokens_scan(line, n, note_line, &r);

	assert_int_equal(n_bad, r.is == TOKENS_BAD);
	return r.is;
}

static void only_whole_lines_count(void **state)
{
	static const struct {
		const char *line;
		enum line_is is;
		const char *part; /* of what is said */
	} rows[] = {
		{ "ci operator " GOOD, TOKENS_ENTRY, NULL },
		{ "\tci \t operator " GOOD " \r", TOKENS_ENTRY, NULL },
		{ "anonymous viewer *", TOKENS_ENTRY, NULL },
		{ "", TOKENS_NOTHING, NULL },
		{ " \t\r", TOKENS_NOTHING, NULL },
		{ "# ci operator", TOKENS_NOTHING, NULL },
		{ "  #", TOKENS_NOTHING, NULL },
		{ "ci", TOKENS_BAD, "three words" },
		{ "ci operator", TOKENS_BAD, "three words" },
		{ "ci operator " GOOD " x", TOKENS_BAD, "alone" },
		{ "ci root " GOOD, TOKENS_BAD, "must be a role" },
		{ "ci Operator " GOOD, TOKENS_BAD, "must be a role" },
		{ "ci operator " D62 "d", TOKENS_BAD, "64 hexadecimal" },
		{ "ci operator " GOOD "0", TOKENS_BAD, "64 hexadecimal" },
		{ "ci operator " D62 "D8", TOKENS_BAD, "64 hexadecimal" },
		{ "ci operator " D62 "g8", TOKENS_BAD, "64 hexadecimal" },
		{ "ci operator *", TOKENS_BAD, "only the name anonymous" },
		{ "anonymous viewer " GOOD, TOKENS_BAD, "must be *" },
		{ "ci operator " GOOD " until=2027-01-31", TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " until=2027-01-31T12:00:00+02:00", TOKENS_ENTRY, NULL },
		{ "anonymous viewer * from=192.0.2.0/24\tuntil=2027-01-31 ", TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " person=ada scope=pools:a from=192.0.2.1 until=2027-01-31",
		  TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " scope=", TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " scope=pools:web-*,dns/names:www.shop.example,sites:*",
		  TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " from=192.0.2.0/24,2001:db8::/32,::1,0.0.0.0/0",
		  TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " # mine", TOKENS_BAD, "alone" },
		{ "ci operator " GOOD " Scope=pools:a", TOKENS_BAD, "alone" },
		{ "ci operator " GOOD " until 2027-01-31", TOKENS_BAD, "alone" },
		{ "ci operator until=2027-01-31 " GOOD, TOKENS_BAD, "64 hexadecimal" },
		{ "ci operator " GOOD " person=ada person=ada", TOKENS_BAD, "twice" },
		{ "ci operator " GOOD " scope= from=::1 scope=", TOKENS_BAD, "twice" },
		{ "ci operator " GOOD " until=", TOKENS_BAD, "until=" },
		{ "ci operator " GOOD " until=2027-02-30", TOKENS_BAD, "until=" },
		{ "ci operator " GOOD " until=2027-01-31T12:00:00", TOKENS_BAD, "until=" },
		{ "ci operator " GOOD " until=never", TOKENS_BAD, "until=" },
		{ "ci operator " GOOD " person=", TOKENS_BAD, "person=" },
		{ "ci operator " GOOD " person=a(b)", TOKENS_BAD, "person=" },
		{ "ci operator " GOOD " scope=,pools:a", TOKENS_BAD, "empty item" },
		{ "ci operator " GOOD " scope=pools:a,", TOKENS_BAD, "empty item" },
		{ "ci operator " GOOD " scope=pools:a,,pools:b", TOKENS_BAD, "empty item" },
		{ "ci operator " GOOD " scope=pools", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " scope=pools:", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " scope=pool:a", TOKENS_BAD, "KIND:NAME" },
		{ "ci operator " GOOD " scope=*", TOKENS_BAD, "KIND:NAME" },
		{ "ci operator " GOOD " scope=pools/backends:a", TOKENS_BAD, "KIND:NAME" },
		{ "ci operator " GOOD " scope=pools:a*b", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " scope=pools:a**", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " scope=pools:a/backends/b", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " scope=label:region=north", TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " scope=label:region=", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " scope=label:colour=red", TOKENS_BAD, "name" },
		{ "ci operator " GOOD " from=", TOKENS_BAD, "from=" },
		{ "ci operator " GOOD " from=192.0.2.1/24", TOKENS_BAD, "from=" },
		{ "ci operator " GOOD " from=192.0.2.0/33", TOKENS_BAD, "from=" },
		{ "ci operator " GOOD " from=192.0.2.1,", TOKENS_BAD, "from=" },
		{ "ci operator " GOOD " from=::ffff:192.0.2.1", TOKENS_BAD, "from=" },
		{ "ci operator " GOOD " from=localhost", TOKENS_BAD, "from=" },
		{ "ci operator " GOOD " from=::1,::2,::3,::4,::5,::6,::7,::8,::9,::a,::b,::c,::d,"
		  "::e,::f,::10",
		  TOKENS_ENTRY, NULL },
		{ "ci operator " GOOD " from=::1,::2,::3,::4,::5,::6,::7,::8,::9,::a,::b,::c,::d,"
		  "::e,::f,::10,::11",
		  TOKENS_BAD, "16 prefixes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tokens_entry e = { .name = "?" };
		const char *why = NULL;

		print_message("%s\n", rows[i].line);
		assert_int_equal(tokens_read(rows[i].line, strlen(rows[i].line), &e, &why),
		                 rows[i].is);
		if (rows[i].part)
			assert_non_null(strstr(why, rows[i].part));
		if (rows[i].is != TOKENS_ENTRY)
			assert_string_equal(e.name, "?");
	}
}

static void long_names_and_lines_do_not_count(void **state)
{
	char line[1200], name[80];
	struct tokens_entry e;
	const char *why;

	(void)state;
	for (size_t n = 62; n <= 65; n++) {
		memset(name, 'a', n);
		name[n] = '\0';
		snprintf(line, sizeof(line), "%s operator " GOOD, name);
		assert_int_equal(tokens_read(line, strlen(line), &e, &why),
		                 n < 64 ? TOKENS_ENTRY : TOKENS_BAD);
	}
	memset(line, ' ', sizeof(line));
	memcpy(line, "ci operator " GOOD, strlen("ci operator " GOOD));
	assert_int_equal(tokens_read(line, 1023, &e, &why), TOKENS_ENTRY);
	assert_int_equal(tokens_read(line, 1024, &e, &why), TOKENS_BAD);
	line[100] = '\0';
	assert_int_equal(tokens_read(line, 200, &e, &why), TOKENS_BAD);
	for (size_t n = 58; n <= 62; n++) { /* with "ci": kept as one text of 71 bytes at most */
		memset(name, 'a', n);
		name[n] = '\0';
		snprintf(line, sizeof(line), "ci operator " GOOD " person=%s", name);
		assert_int_equal(tokens_read(line, strlen(line), &e, &why),
		                 n <= 60 ? TOKENS_ENTRY : TOKENS_BAD);
	}
}

static struct tokens_entry read_good(const char *line)
{
	struct tokens_entry e = { .name = "?" };
	const char *why;

	assert_int_equal(tokens_read(line, strlen(line), &e, &why), TOKENS_ENTRY);
	return e;
}

static void a_day_ends_with_its_last_moment(void **state)
{
	const int64_t next_ms = 1801440000000; /* 2027-02-01T00:00:00Z */
	struct tokens_entry e = read_good("ci operator " GOOD " until=2027-01-31");

	(void)state;
	assert_false(tokens_has_ended(&e, next_ms - 2));
	assert_true(tokens_has_ended(&e, next_ms));
	e = read_good("ci operator " GOOD " until=2027-02-01T01:00:00+01:00");
	assert_false(tokens_has_ended(&e, next_ms - 1));
	assert_true(tokens_has_ended(&e, next_ms));
	e = read_good("ci operator " GOOD);
	assert_false(tokens_has_ended(&e, CLOCK_END_MS));
	assert_false(e.is_scoped);
	e = read_good("ci operator " GOOD " scope=");
	assert_true(e.is_scoped);
	assert_string_equal(e.scope, "");
}

static void prefixes_are_of_both_families(void **state)
{
	static const struct {
		const char *from, *address; /* NULL: not known */
		bool inside;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true }, { "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", NULL, false },         { "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },     { "2001:db8::/32", "2001:db8:1::1", true },
		{ "2001:db8::/32", "192.0.2.7", false }, { "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "192.0.2.7", false },          { "::1,192.0.2.7", "192.0.2.7", true },
	};
	char line[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a;

		snprintf(line, sizeof(line), "ci operator " GOOD " from=%s", rows[i].from);
		struct tokens_entry e = read_good(line);
		if (rows[i].address)
			assert_int_equal(addr_parse(rows[i].address, &a), 0);
		print_message("%s %s\n", rows[i].from, rows[i].address ? rows[i].address : "-");
		assert_int_equal(tokens_is_from(&e, rows[i].address ? &a : NULL), rows[i].inside);
	}
	struct tokens_entry e = read_good("ci operator " GOOD);
	assert_true(tokens_is_from(&e, NULL));
}

static void add_line(void *arg, size_t line, const struct tokens_entry *entry, const char *why)
{
	char *seen = arg;
	size_t n = strlen(seen);

	if (entry)
		return;
	assert_non_null(why);
	snprintf(seen + n, 64 - n, "%zu ", line);
}

static void a_scan_names_the_lines_that_are_bad(void **state)
{
	static const char text[] =
	        "ci operator " GOOD "\n\nbad\n# x\nanonymous viewer *\nci nothing " GOOD;
	char seen[64] = "";

	(void)state;
	assert_int_equal(tokens_scan(text, sizeof(text) - 1, add_line, seen), 2);
	assert_string_equal(seen, "3 6 ");
	assert_int_equal(tokens_scan("", 0, add_line, seen), 0);
}

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-tokens-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/tokens", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return files_remove_dir(dir);
}

static void put_tokens(const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static int make_token(const char *in, const char *name, const char *role,
                      char token[DIGEST_TEXT_MAX])
{
	const char *err_text;

	return tokens_new(in, &(struct tokens_request){ name, role, NULL, "" }, token, &err_text);
}

/* Whether the text has the line of @p token. */
static bool has_token(const char *text, const char *name, const char *role, const char *token)
{
	char digest[DIGEST_TEXT_MAX], line[TOKENS_LINE_MAX];

	snprintf(line, sizeof(line), "%s %s %s\n", name, role,
	         digest_bytes(token, strlen(token), digest));
	return strstr(text, line) != NULL;
}

static void a_token_is_added_behind_the_others(void **state)
{
	char token[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX], *text;
	struct stat st;
	size_t n;

	(void)state;
	put_tokens("# ours\nold viewer " GOOD, 0600); /* the last line lacks its end */
	assert_int_equal(make_token(dir, "ci", "operator", token), 0);
	assert_int_equal(make_token(dir, "prom", "metrics", again), 0);
	assert_int_equal(strlen(token), 64);
	assert_int_equal(strspn(token, "0123456789abcdef"), 64);
	assert_string_not_equal(token, again);
	assert_int_equal(files_slurp(path, &text, &n), 0);
	assert_ptr_equal(strstr(text, "# ours\nold viewer " GOOD "\nci operator "), text);
	assert_true(has_token(text, "ci", "operator", token));
	assert_true(has_token(text, "prom", "metrics", again));
	assert_null(strstr(text, token));
	assert_int_equal(tokens_scan(text, n, NULL, NULL), 0);
	free(text);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* weir-mgmt reads it by its group, perhaps: whose it is and who may read it stays. */
static void the_file_keeps_its_owner_and_mode(void **state)
{
	char token[DIGEST_TEXT_MAX];
	struct stat st;

	(void)state;
	umask(077);
	put_tokens("old viewer " GOOD "\n", 0640);
	if (geteuid() == 0)
		assert_int_equal(chown(path, 54321, 54322), 0);
	assert_int_equal(make_token(dir, "ci", "operator", token), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	if (geteuid() == 0)
		assert_true(st.st_uid == 54321 && st.st_gid == 54322);
	put_tokens("old viewer " GOOD "\n", 0646); /* nobody else gets at it from now on */
	assert_int_equal(make_token(dir, "ci", "operator", token), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_name_has_63_characters_at_most(void **state)
{
	char token[DIGEST_TEXT_MAX], again[DIGEST_TEXT_MAX], name[65], *text;
	size_t n;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[64] = '\0';
	assert_int_equal(make_token(dir, name, "operator", token), -EINVAL);
	name[63] = '\0';
	assert_int_equal(make_token(dir, name, "operator", token), 0);
	assert_int_equal(make_token(dir, name, "operator", again), -EEXIST);
	assert_int_equal(make_token(dir, name + 1, "operator", again),
	                 0); /* another one, if alike */
	assert_int_equal(files_slurp(path, &text, &n), 0);
	assert_true(has_token(text, name, "operator", token));
	assert_int_equal(tokens_scan(text, n, NULL, NULL), 0);
	free(text);
}

static void a_new_file_is_for_its_owner_alone(void **state)
{
	char token[DIGEST_TEXT_MAX];
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(make_token(dir, "ci", "operator", token), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
}

static void what_cannot_be_added_changes_nothing(void **state)
{
	static const struct {
		const char *name, *role;
		int err;
	} rows[] = {
		{ "", "viewer", -EINVAL },      { "a b", "viewer", -EINVAL },
		{ "a\n", "viewer", -EINVAL },   { "#a", "viewer", -EINVAL },
		{ "ci", "", -ENOKEY },          { "ci", "root", -ENOKEY },
		{ "old", "operator", -EEXIST }, { "anonymous", "viewer", -EINVAL },
	};
	char token[DIGEST_TEXT_MAX] = "same", *text;
	size_t n;

	(void)state;
	put_tokens("old viewer " GOOD "\n", 0600);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(make_token(dir, rows[i].name, rows[i].role, token), rows[i].err);
	assert_string_equal(token, "same");
	assert_int_equal(files_slurp(path, &text, &n), 0);
	assert_string_equal(text, "old viewer " GOOD "\n");
	free(text);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(make_token(dir, "ci", "viewer", token), -EMEDIUMTYPE);
	assert_int_equal(make_token("/nowhere", "ci", "viewer", token), -ENOENT);
}

/* Each of several processes adds some, at the same time; none is lost. */
static void tokens_added_at_once_are_all_there(void **state)
{
	enum { PROCESSES = 4, EACH = 8 };
	char token[DIGEST_TEXT_MAX], name[32], *text;
	size_t n, lines = 0;

	(void)state;
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			for (int i = 0; i < EACH; i++) {
				snprintf(name, sizeof(name), "p%d-%d", p, i);
				int err;
				while ((err = make_token(dir, name, "viewer", token)) == -EBUSY)
					;
				if (err)
					_exit(1);
			}
			_exit(0);
		}
	for (int p = 0; p < PROCESSES; p++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(files_slurp(path, &text, &n), 0);
	for (const char *s = text; (s = strchr(s, '\n')); s++)
		lines++;
	assert_int_equal(lines, PROCESSES * EACH);
	assert_int_equal(tokens_scan(text, n, NULL, NULL), 0);
	free(text);
}

static void count_line(void *arg, size_t line, const struct tokens_entry *entry,
                       const char *err_text)
{
	size_t *bad = arg;

	if (!entry)
		*bad = strstr(err_text, "has its name") ? line : 0;
}

static void a_second_line_of_a_name_is_not_taken(void **state)
{
	static const char text[] =
	        "ci viewer " GOOD "\n# ci\ncj viewer " GOOD "\nci admin " GOOD "\n";
	size_t bad = 0;

	(void)state;
	assert_int_equal(tokens_scan(text, strlen(text), count_line, &bad), 1);
	assert_int_equal(bad, 4);
}

static void words_of_a_new_token_are_read_before_they_are_written(void **state)
{
	struct tokens_request made = { "ci", "operator", NULL,
		                       "until=2127-01-31 scope=pools:web-*" };
	char token[DIGEST_TEXT_MAX], digest[DIGEST_TEXT_MAX], line[TOKENS_LINE_MAX], *text;
	const char *why = NULL;
	size_t n;

	(void)state;
	assert_int_equal(tokens_new(dir, &made, token, &why), 0);
	snprintf(line, sizeof(line), "ci operator %s until=2127-01-31 scope=pools:web-*\n",
	         digest_bytes(token, strlen(token), digest));
	made = (struct tokens_request){ "other", "operator", NULL,
		                        "scope=pools:web-* scope=pools:a" };
	assert_int_equal(tokens_new(dir, &made, token, &why), -EBADMSG);
	assert_non_null(strstr(why, "twice"));
	made.words = "until=2020-01-01";
	assert_int_equal(tokens_new(dir, &made, token, &why), -EBADMSG);
	assert_non_null(strstr(why, "has passed"));
	made.words = "person=a\nroot admin " GOOD;
	assert_int_equal(tokens_new(dir, &made, token, &why), -EBADMSG);
	assert_int_equal(files_slurp(path, &text, &n), 0);
	assert_string_equal(text, line);
	free(text);
}

static void a_token_is_removed_and_all_else_stays(void **state)
{
	static const char text[] =
	        "# ci\nci viewer " GOOD "\n\nbad ci\nci2 viewer " GOOD "\nci admin " GOOD " scope=";
	char *left;
	size_t n;

	(void)state;
	assert_int_equal(tokens_remove(dir, "ci"), -ENOENT);
	put_tokens(text, 0600);
	assert_int_equal(tokens_remove(dir, "c"), -ENOENT);
	assert_int_equal(tokens_remove(dir, "bad"), -ENOENT);
	assert_int_equal(tokens_remove(dir, "ci"), 0);
	assert_int_equal(files_slurp(path, &left, &n), 0);
	assert_string_equal(left, "# ci\n\nbad ci\nci2 viewer " GOOD "\n");
	free(left);
	assert_int_equal(tokens_remove(dir, "ci2"), 0);
	assert_int_equal(tokens_remove(dir, "ci2"), -ENOENT);
}

SUITE(tokens)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_line_of_a_name_is_not_taken),
		cmocka_unit_test(only_whole_lines_count),
		cmocka_unit_test(long_names_and_lines_do_not_count),
		cmocka_unit_test(a_scan_names_the_lines_that_are_bad),
		cmocka_unit_test(a_day_ends_with_its_last_moment),
		cmocka_unit_test(prefixes_are_of_both_families),
		cmocka_unit_test_setup_teardown(
		        words_of_a_new_token_are_read_before_they_are_written, make_dir,
		        remove_dir),
		cmocka_unit_test_setup_teardown(a_token_is_removed_and_all_else_stays, make_dir,
		                                remove_dir),
		cmocka_unit_test_setup_teardown(a_token_is_added_behind_the_others, make_dir,
		                                remove_dir),
		cmocka_unit_test_setup_teardown(the_file_keeps_its_owner_and_mode, make_dir,
		                                remove_dir),
		cmocka_unit_test_setup_teardown(a_name_has_63_characters_at_most, make_dir,
		                                remove_dir),
		cmocka_unit_test_setup_teardown(a_new_file_is_for_its_owner_alone, make_dir,
		                                remove_dir),
		cmocka_unit_test_setup_teardown(what_cannot_be_added_changes_nothing, make_dir,
		                                remove_dir),
		cmocka_unit_test_setup_teardown(tokens_added_at_once_are_all_there, make_dir,
		                                remove_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
