/* SPDX-License-Identifier: BSD-2-Clause */
/* The key for clients: how it is made, and its file (weir/placement.h). */
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

#include "fixture.h"
#include "tests/unit/suite.h"
#include "weir/placement.h"

static const uint64_t hash_key[2] = { 0x0011223344556677u, 0x8899aabbccddeeffu };

#define PRINT "d5cc6d133208bd44" /* sha256("weir hash key\0" KEY), 8 bytes */
#define DERIVED                                                                                    \
	"d245eade36b8053cd10ee5c89495e459" /* sha256("weir placement key\0" KEY), 16 bytes */
#define KEY "00112233445566778899aabbccddeeff"

static char *text_of(const char *name)
{
	static char text[256];
	FILE *f = fopen(fixture_path(name), "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* Fixed for ever: all nodes place a client at the same site. */
static void a_key_is_derived_from_the_hash_key(void **state)
{
	struct placement made, back;
	struct stat st;

	(void)state;
	placement_make(hash_key, &made);
	assert_string_equal(made.derived_from, PRINT);
	assert_int_equal(placement_write(fixture_path("placement"), &made), 0);
	assert_string_equal(text_of("placement"), "weir-placement 1 " PRINT " " DERIVED "\n");
	assert_int_equal(stat(fixture_path("placement"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(placement_read(fixture_path("placement"), &back), 0);
	assert_string_equal(back.derived_from, PRINT);
	assert_true(back.key[0] == made.key[0] && back.key[1] == made.key[1]);
}

static void a_damaged_file_is_no_key(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"weir-placement 1 " PRINT " " KEY, /* cut */
		"weir-placement 1 " PRINT " \n",
		"weir-placement 1 " PRINT "\n",
		"weir-placement 1\n",
		"weir-placements 1 " PRINT " " KEY "\n",
		"weir-connections 1 " PRINT " " KEY "\n",
		"weir-placement 2 " PRINT " " KEY "\n",
		"weir-placement 11 " PRINT " " KEY "\n",
		"weir-placement 1 derived " PRINT " " KEY "\n",
		"weir-placement 1  " PRINT " " KEY "\n",
		"weir-placement 1 d5cc6d133208bd4 " KEY "\n",
		"weir-placement 1 d5cc6d133208bd44a " KEY "\n",
		"weir-placement 1 d5cc6d133208bd4g " KEY "\n",
		"weir-placement 1 D5CC6D133208BD44 " KEY "\n",
		"weir-placement 1 " PRINT " " KEY "0\n",
		"weir-placement 1 " PRINT " 0112233445566778899aabbccddeeff\n",
		"weir-placement 1 " PRINT " g0112233445566778899aabbccddeeff\n",
		"weir-placement 1 " PRINT " " KEY "\n\n",
		"weir-placement 1 " PRINT " " KEY "\nx",
		"weir-placement 1 " PRINT " " KEY " x\n",
	};
	struct placement p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fixture_write_text("placement", texts[i]);
		int err = placement_read(fixture_path("placement"), &p);

		if (err != -EBADMSG)
			print_message("  \"%s\"\n", texts[i]);
		assert_int_equal(err, -EBADMSG);
	}
	fixture_write("placement", "weir-placement 1 " PRINT " " KEY "\n\0", 68);
	assert_int_equal(placement_read(fixture_path("placement"), &p), -EBADMSG);
	assert_int_equal(placement_read(fixture_path("none"), &p), -ENOENT);
}

/* The file that is there stays, and no draft does. */
static void what_cannot_be_written_leaves_nothing(void **state)
{
	struct placement p;

	(void)state;
	placement_make(hash_key, &p);
	assert_int_equal(mkdir(fixture_path("taken"), 0700), 0);
	assert_int_equal(placement_write(fixture_path("taken"), &p), -EISDIR);
	assert_int_equal(access(fixture_path("taken.new"), F_OK), -1);
	assert_int_equal(placement_write(fixture_path("none/placement"), &p), -ENOENT);
}

SUITE(placement)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_derived_from_the_hash_key),
		cmocka_unit_test(a_damaged_file_is_no_key),
		cmocka_unit_test(what_cannot_be_written_leaves_nothing),
	};

	return cmocka_run_group_tests_name("placement", tests, fixture_setup, fixture_teardown);
}
