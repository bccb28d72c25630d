/* SPDX-License-Identifier: BSD-2-Clause */
/* The file in which a node finds what a peer sent (weir/conn_state.h). */
#include <errno.h>
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

#include "tests/unit/suite.h"
#include "weir/conn_state.h"

static char dir[] = "/tmp/weir-connections.XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/" CONN_STATE_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir); /* nothing else is left behind */
}

static void write_bytes(const char *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void what_was_written_is_read_once_it_is_new(void **state)
{
	(void)state;
	struct conn_state told;

	assert_int_equal(conn_state_read(dir, 0, &told), -ENOENT);
	assert_int_equal(conn_state_write(dir, "ams-2", 500, "pool a 64\nslot 1 1\n"), 0);
	assert_int_equal(conn_state_read(dir, 500, &told), -ENOENT);
	assert_int_equal(conn_state_read(dir, 499, &told), 0);
	assert_int_equal(told.at_ms, 500);
	assert_string_equal(told.node, "ams-2");
	assert_string_equal(told.text, "pool a 64\nslot 1 1\n");
	free(told.text);
	assert_int_equal(conn_state_write(dir, CONN_STATE_NO_PEER, 501, ""), 0);
	assert_int_equal(conn_state_read(dir, 500, &told), 0);
	assert_string_equal(told.node, CONN_STATE_NO_PEER);
	assert_string_equal(told.text, "");
	free(told.text);
}

static void another_file_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"\n",
		"weir-connections 2 500 ams-2\n",
		"weir-connections 1 500\n",
		"weir-connections 1 500 \n",
		"weir-connections 1 -5 ams-2\n",
		"weir-connections 1 500 ams-2",
		"weir-connections 1 500 ams-2 x\n",
		"weir-connections 1 500 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	};
	struct conn_state told;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_bytes(cases[i], strlen(cases[i]));
		if (conn_state_read(dir, 0, &told) != -EPROTO)
			fail_msg("%s", cases[i]);
	}
	write_bytes("weir-connections 1 500 a\nab\0c\n", 30);
	assert_int_equal(conn_state_read(dir, 0, &told), -EPROTO);
}

static void what_is_too_long_is_refused(void **state)
{
	(void)state;
	char *text = malloc(CONN_STATE_TEXT_MAX + 2);
	struct conn_state told;

	assert_non_null(text);
	memset(text, 'x', CONN_STATE_TEXT_MAX + 1);
	text[CONN_STATE_TEXT_MAX + 1] = '\0';
	assert_int_equal(conn_state_write(dir, "a", 1, text), 0);
	assert_int_equal(conn_state_read(dir, 0, &told), -EPROTO);
	text[CONN_STATE_TEXT_MAX] = '\0';
	assert_int_equal(conn_state_write(dir, "a", 1, text), 0);
	assert_int_equal(conn_state_read(dir, 0, &told), 0);
	free(told.text);
	free(text);
}

static void a_node_s_name_has_its_room(void **state)
{
	(void)state;
	char line[128], name[sizeof(((struct conn_state *)0)->node) + 1];
	struct conn_state told;

	for (size_t n = sizeof(name) - 2; n < sizeof(name); n++) {
		memset(name, 'n', n);
		name[n] = '\0';
		snprintf(line, sizeof(line), "weir-connections 1 500 %s\nx", name);
		write_bytes(line, strlen(line));
		if (n == sizeof(name) - 1) {
			assert_int_equal(conn_state_read(dir, 0, &told), -EPROTO);
			continue;
		}
		assert_int_equal(conn_state_read(dir, 0, &told), 0);
		assert_string_equal(told.node, name);
		assert_string_equal(told.text, "x");
		free(told.text);
	}
}

/* What cannot take its place leaves nothing, and says why. */
static void a_file_that_cannot_be_put_leaves_no_draft(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(conn_state_write(dir, "a", 1, "x"), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(conn_state_write("/nonexistent", "a", 1, "x"), -ENOENT);
}

SUITE(conn_state)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read_once_it_is_new),
		cmocka_unit_test(another_file_is_refused),
		cmocka_unit_test(what_is_too_long_is_refused),
		cmocka_unit_test(a_node_s_name_has_its_room),
		cmocka_unit_test(a_file_that_cannot_be_put_leaves_no_draft),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
