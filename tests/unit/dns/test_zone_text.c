/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a zone file: errors of the disk's, pieces of any size, and the bytes that all files of a zone may have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int next_error;   /* of the next read() */
static size_t piece = 1; /* so much is read at once */

static ssize_t fake_read(int fd, void *bytes, size_t n)
{
	errno = next_error;
	next_error = 0;
	return errno ? -1 : read(fd, bytes, n < piece ? n : piece);
}

/* The private parts too. */
#define read fake_read
#include "dns/zone/text.c"
#undef read

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
		assert_int_equal(zone_text_next(t, &line, &why), i ? 1 : -EINVAL);
		assert_string_equal(why, i ? "" : strerror(EIO));
		zone_text_close(t);
	}
}

static void a_zone_has_so_many_bytes_and_no_more(void **state)
{
	(void)state;
	piece = SIZE_MAX;
	for (unsigned less = 0; less < 2; less++) {
		struct zone_text_line line;
		struct zone_text *t;
		const char *why = "";

		assert_int_equal(zone_text_open(path, &t, &why), 0);
		assert_int_equal(t->bytes_left, ZONE_FILE_BYTES_MAX);
		t->bytes_left = strlen(TEXT) - less;
		assert_int_equal(zone_text_next(t, &line, &why), less ? -EINVAL : 1);
		assert_string_equal(why, less ? "zone file too large" : "");
		assert_int_equal(t->bytes_left, less ? strlen(TEXT) - 1 : 0);
		zone_text_close(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_the_same_in_pieces_of_any_size),
		cmocka_unit_test(an_error_of_the_disk_is_named_and_an_interruption_is_none),
		cmocka_unit_test(a_zone_has_so_many_bytes_and_no_more),
	};

	return cmocka_run_group_tests_name("dns zone text", tests, set_up, tear_down);
}
