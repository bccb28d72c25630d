/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a zone file: errors of the disk's, pieces of any size, and the bytes that all files of a zone may have. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/zone/text.h"
#include "dns/zone/zone.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static int next_error;   /* of the next read() */
static size_t piece = 1; /* so much is read at once */

static size_t endless; /* so many bytes of a comment come instead of the file's; 0: none */

static ssize_t own_read(int fd, void *bytes, size_t n)
{
	errno = next_error;
	next_error = 0;
	if (errno)
		return -1;
	if (!endless)
		return __real_read(fd, bytes, n < piece ? n : piece);
	n = n < endless - 1 ? n : endless - 1; /* 1: its end */
	endless -= n;
	memset(bytes, 'x', n);
	*(char *)bytes = ';';
	return (ssize_t)n;
}

#define TEXT "a 60 IN A 192.0.2.1 ; one\nb TXT \"x ; y\" (\n 1 )\n\tc\n"

static char path[32];

static int set_up(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/weir-text.XXXXXX");
	fd = mkstemp(path);
	return fd < 0 || write(fd, TEXT, strlen(TEXT)) != (ssize_t)strlen(TEXT) || close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static void lines_are_the_same_in_pieces_of_any_size(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		bool indented;
	} lines[] = { { "a 60 IN A 192.0.2.1 ", 1, false },
		      { "b TXT \"x ; y\"    1  ", 2, false },
		      { " c", 4, true } };

	(void)state;
	for (piece = 1; piece <= strlen(TEXT) + 1; piece++) {
		struct zone_text_line line;
		struct zone_text *t;
		const char *why = "";

		assert_int_equal(zone_text_open(path, &t, &why), 0);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(zone_text_next(t, &line, &why), 1);
			assert_string_equal(line.text, lines[i].text);
			assert_int_equal(line.line, lines[i].line);
			assert_int_equal(line.indented, lines[i].indented);
			assert_string_equal(line.file, path);
		}
		assert_int_equal(zone_text_next(t, &line, &why), 0);
		zone_text_close(t);
	}
}

static void an_error_of_the_disk_is_named_and_an_interruption_is_none(void **state)
{
	static const int errors[] = { EIO, EINTR };

	(void)state;
	piece = SIZE_MAX;
	for (unsigned i = 0; i < 2; i++) {
		struct zone_text_line line;
		struct zone_text *t;
		const char *why = "";

		assert_int_equal(zone_text_open(path, &t, &why), 0);
		next_error = errors[i];
		assert_int_equal(zone_text_next(t, &line, &why), i ? 1 : -EIO);
		assert_string_equal(why, i ? "" : strerror(EIO));
		zone_text_close(t);
	}
}

static void a_zone_has_so_many_bytes_and_no_more(void **state)
{
	struct zone_text_line line;

	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct zone_text *t;
		const char *why = "";

		endless = ZONE_FILE_BYTES_MAX + more + 1;
		assert_int_equal(zone_text_open(path, &t, &why), 0);
		assert_int_equal(zone_text_next(t, &line, &why), more ? -EINVAL : 0);
		assert_string_equal(why, more ? "zone file too large" : "");
		zone_text_close(t);
	}
	endless = 0;
}

static char dir[] = "/tmp/weir-texts.XXXXXX";

static void write_file(const char *name, const char *bytes, size_t n)
{
	char at[64];
	FILE *f;

	snprintf(at, sizeof(at), "%s/%s", dir, name);
	f = fopen(at, "w");
	assert_true(f && fwrite(bytes, 1, n, f) == n && !fclose(f));
}

static void write_line(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static int make_dir(void **state)
{
	(void)state;
	piece = SIZE_MAX;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	strcpy(dir, "/tmp/weir-texts.XXXXXX");
	return system(command);
}

static int count_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The digest of a zone's file, and of those that it includes, each ended by a NUL. */
static uint64_t digest_of(const char *name, const char *included, size_t n)
{
	char at[64];
	uint64_t digest = 1;
	int n_open = count_open();

	snprintf(at, sizeof(at), "%s/%s", dir, name);
	assert_int_equal(zone_text_digest(at, included, n, &digest), 0);
	assert_int_equal(count_open(), n_open);
	return digest;
}

/* Bytes, names of what is included, and the order: all count, but not the name of the zone's file. */
static void a_digest_is_that_of_all_files_in_their_order(void **state)
{
	static const char ab[] = "a\0b", ba[] = "b\0a", ac[] = "a\0c";
	uint64_t digest, all[8];
	char at[64];
	unsigned n = 0;

	(void)state;
	write_line("zone", "x\n");
	write_line("same", "x\n");
	write_line("other", "y\n");
	write_line("a", "1\n");
	write_line("b", "2\n");
	write_line("c", "2\n");
	write_file("nul", "\0", 1);
	all[n++] = digest_of("zone", "", 0);
	assert_int_equal(digest_of("same", "", 0), all[0]);
	all[n++] = digest_of("other", "", 0);
	all[n++] = digest_of("zone", ab, 2);
	all[n++] = digest_of("zone", ab, sizeof(ab));
	all[n++] = digest_of("zone", ba, sizeof(ba));
	all[n++] = digest_of("zone", ac, sizeof(ac)); /* the same bytes in a file of another name */
	all[n++] = digest_of("nul", "", 0);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			assert_true(all[i] != all[k]);
	digest = 5;
	snprintf(at, sizeof(at), "%s/zone", dir);
	assert_int_equal(zone_text_digest(at, "a\0none", 7, &digest), -ENOENT);
	next_error = EIO;
	assert_int_equal(zone_text_digest(at, ab, sizeof(ab), &digest), -EIO);
	snprintf(at, sizeof(at), "%s/none", dir);
	assert_int_equal(zone_text_digest(at, "", 0, &digest), -ENOENT);
	assert_int_equal(digest, 5);
}

/* A zone that includes two files, one of which includes a third; and again behind the end. */
static void what_was_read_is_told_with_the_same_digest(void **state)
{
	static const char *const files[] = { "a", "b", "c" };
	static const char included[] = "a\0b\0c";
	struct zone_text_read read;
	struct zone_text_line line;
	struct zone_text *t;
	const char *why = "";
	char at[64], order[64] = "";
	int n_open = count_open();

	(void)state;
	write_line("zone", "z1\nz2\nz3");
	write_line("a", "a1\na2\n");
	write_line("b", "b1\n\n");
	write_line("c", "c1");
	snprintf(at, sizeof(at), "%s/zone", dir);
	assert_int_equal(zone_text_open(at, &t, &why), 0);
	while (zone_text_next(t, &line, &why) == 1) {
		unsigned k = line.text[0] == 'z' && line.text[1] == '1'   ? 0
		             : line.text[0] == 'a' && line.text[1] == '1' ? 1
		             : line.text[0] == 'z' && line.text[1] == '2' ? 2
		                                                          : 3;

		sprintf(order + strlen(order), "%s:%u@%u ", line.text, line.line, line.depth);
		if (k < 3)
			assert_int_equal(zone_text_include(t, files[k], &why), 0);
	}
	assert_string_equal(order, "z1:1@0 a1:1@1 b1:1@2 a2:2@1 z2:2@0 c1:1@1 z3:3@0 ");
	for (int i = 0; i < 2; i++) {
		read = zone_text_read(t);
		assert_int_equal(read.n_included, sizeof(included));
		assert_memory_equal(read.included, included, sizeof(included));
		assert_int_equal(read.digest, digest_of("zone", included, sizeof(included)));
		assert_int_equal(zone_text_next(t, &line, &why), 0);
	}
	assert_string_equal(why, "");
	zone_text_close(t);
	assert_int_equal(count_open(), n_open);
}

/* Whatever is wrong with a file, it is closed. */
static void what_cannot_be_included_leaves_nothing_open(void **state)
{
	static const struct {
		const char *name, *why;
		int err;
	} cases[] = {
		{ "none", "no such file", -ENOENT },
		{ "zone/x", "Not a directory", -ENOTDIR },
		{ "..", "leads out of the zone file's directory", -EXDEV },
		{ ".", "is not a regular file", -EINVAL },
		{ ".hidden",
		  "use A-Z a-z 0-9 . _ - and / in its name, and no part that begins with a dot: a "
		  "version of the configuration cannot keep other names",
		  -EINVAL },
	};
	struct zone_text_line line;
	struct zone_text *t;
	const char *why = "";
	int n_open = count_open();
	char at[64];

	(void)state;
	write_line("zone", "z1\nz2\n");
	write_line(".hidden", "h\n");
	snprintf(at, sizeof(at), "%s/zone", dir);
	assert_int_equal(zone_text_open(at, &t, &why), 0);
	assert_int_equal(zone_text_next(t, &line, &why), 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(zone_text_include(t, cases[i].name, &why), cases[i].err);
		assert_string_equal(why, cases[i].why);
		assert_int_equal(count_open(), n_open + 2);
	}
	assert_int_equal(zone_text_next(t, &line, &why), 1);
	assert_string_equal(line.text, "z2");
	assert_int_equal(zone_text_include(t, "zone", &why), 0);
	zone_text_close(t); /* with two files open */
	assert_int_equal(count_open(), n_open);
	assert_int_equal(zone_text_open(dir, &t, &why), -EINVAL);
	assert_string_equal(why, "is not a regular file");
	assert_int_equal(count_open(), n_open);
	zone_text_close(NULL);
}

/* Each line as it is read, or what is wrong with it; twice the same at once and byte by byte. */
static void lines_are_read_state_by_state(void **state)
{
	static const struct {
		const char *file, *lines;
	} cases[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ " \n\t\n\r\n \t\r\n", "" },
		{ "\"\"\n", "1\"\"|" },
		{ "\"\"", "1\"\"|" },
		{ "\\ \n", "1\\ |" },
		{ "a\r\nb\tc\r\n", "1a |2b c |" },
		{ "a \"b\tc\rd\" e\n", "1a \"b\tc\rd\" e|" },
		{ "a;b\"(\\\n;c\n d ;\n", "1a|3 d |" },
		{ "a \\; b\\\" c\\( d\n", "1a \\; b\\\" c\\( d|" },
		{ "a \";()\" b\n", "1a \";()\" b|" },
		{ "a ( b\nc ( d )\n ) e\nf\n", "1a   b c   d      e|4f|" },
		{ "()\na\n", "1  |2a|" },
		{ "a (", "!file ends inside a record" },
		{ "a \"", "!file ends inside a record" },
		{ "a \\", "!file ends inside a record" },
		{ "a ( (\n)\n", "!file ends inside a record" },
		{ "a )\n", "!a ')' without '('" },
		{ "a ( ) )\n", "!a ')' without '('" },
		{ "a \"\n", "!line ends inside a quoted text" },
		{ "a \\\n", "!line ends behind a backslash" },
		{ "a ; \"\n", "1a |" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		char at[64], said[256] = "";
		struct zone_text_line line;
		struct zone_text *t;
		const char *why = "";
		int got;

		piece = i % 2 ? 1 : SIZE_MAX;
		write_line("zone", cases[i / 2].file);
		snprintf(at, sizeof(at), "%s/zone", dir);
		assert_int_equal(zone_text_open(at, &t, &why), 0);
		while ((got = zone_text_next(t, &line, &why)) == 1) {
			sprintf(said + strlen(said), "%u%s|", line.line, line.text);
			assert_int_equal(line.indented, line.text[0] == ' ');
		}
		if (got)
			sprintf(said, "!%s", why);
		assert_string_equal(said, cases[i / 2].lines);
		zone_text_close(t);
	}
	piece = SIZE_MAX;
}

/* As much as there is room for, in one run, and around something else. */
static void a_line_is_as_long_as_there_is_room_for(void **state)
{
	static char bytes[ZONE_RECORD_TEXT_MAX + 8];

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		size_t n = ZONE_RECORD_TEXT_MAX + i % 3 - 1;
		struct zone_text_line line;
		struct zone_text *t;
		const char *why = "";
		char at[64];

		memset(bytes, 'x', sizeof(bytes));
		if (i / 3)
			bytes[i / 3 == 1 ? 0 : i / 3 == 2 ? n - 1 : n / 2] = '"';
		if (i / 3 == 1)
			bytes[1] = '"';
		if (i / 3 == 2)
			bytes[n - 2] = '"';
		if (i / 3 == 3)
			bytes[n / 2 + 1] = '"';
		bytes[n] = '\n';
		write_file("zone", bytes, n + 1);
		snprintf(at, sizeof(at), "%s/zone", dir);
		assert_int_equal(zone_text_open(at, &t, &why), 0);
		assert_int_equal(zone_text_next(t, &line, &why), i % 3 == 2 ? -EINVAL : 1);
		assert_string_equal(why, i % 3 == 2 ? "record too long" : "");
		if (i % 3 < 2)
			assert_true(strlen(line.text) == n && !memcmp(line.text, bytes, n));
		zone_text_close(t);
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

SUITE(zone_text)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_the_same_in_pieces_of_any_size),
		cmocka_unit_test(an_error_of_the_disk_is_named_and_an_interruption_is_none),
		cmocka_unit_test(a_zone_has_so_many_bytes_and_no_more),
		WITH(a_digest_is_that_of_all_files_in_their_order),
		WITH(what_was_read_is_told_with_the_same_digest),
		WITH(what_cannot_be_included_leaves_nothing_open),
		WITH(lines_are_read_state_by_state),
		WITH(a_line_is_as_long_as_there_is_room_for),
	};

	answer_read = own_read;
	return cmocka_run_group_tests_name("dns zone text", tests, set_up, tear_down);
}
