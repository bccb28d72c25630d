/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sites are down, as it is kept over a restart. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/decided.h"

static int set_up(void **state)
{
	static char dir[] = "/tmp/weir-decided.XXXXXX";

	*state = mkdtemp(dir);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (const char *)*state);
	return system(command);
}

static void what_is_decided_is_kept_whole_or_not_at_all(void **state)
{
	const char *dir = *state;
	struct decided d, again;
	char path[PATH_MAX];

	assert_int_equal(decided_open(&d, dir), 0);
	assert_false(d.known);
	for (uint64_t i = 1; i <= 200; i++)
		decided_add(&d, i * 7919 % 1000 << 40);
	decided_end(&d, false);
	assert_false(d.known); /* too little was seen to say so */
	assert_false(d.changed);
	assert_true(decided_is_down(&d, 7919 % 1000ull << 40));
	decided_begin(&d);
	decided_add(&d, UINT64_MAX);
	decided_add(&d, 1);
	decided_end(&d, true);
	assert_true(d.known && d.changed);
	assert_int_equal(decided_write(dir, d.items, d.n), 0);
	assert_int_equal(decided_open(&again, dir), 0);
	assert_true(again.known && !again.changed);
	assert_int_equal(again.n, 2);
	assert_true(decided_is_down(&again, 1) && decided_is_down(&again, UINT64_MAX));
	assert_false(decided_is_down(&again, 2));
	decided_begin(&again);
	decided_add(&again, UINT64_MAX);
	decided_add(&again, 1);
	decided_end(&again, true);
	assert_false(again.changed); /* in another order */
	decided_begin(&again);
	decided_add(&again, UINT64_MAX);
	decided_add(&again, 2);
	decided_end(&again, true);
	assert_true(again.changed); /* as many, but others */
	decided_begin(&again);
	decided_add(&again, 3);
	again.failed = true; /* no room for all */
	decided_end(&again, true);
	assert_true(again.n == 2 && decided_is_down(&again, 2));
	decided_close(&again);
	snprintf(path, sizeof(path), "%s/%s", dir, DECIDED_FILE);
	assert_int_equal(decided_open(&again, dir), 0);
	decided_close(&again);
	for (int i = 0; i < 2; i++) { /* a line is missing; something follows */
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		fprintf(f, "weir-sites 1\n%s0000000000000001\nend 2\n%s",
		        i ? "0000000000000002\n" : "", i ? "more\n" : "");
		assert_int_equal(fclose(f), 0);
		assert_int_equal(decided_open(&again, dir), -EPROTO);
		assert_false(again.known || again.n);
		decided_close(&again);
	}
	assert_int_equal(decided_write(dir, d.items, d.n), 0);
	assert_int_equal(truncate(path, 40), 0); /* torn: not believed, and none of it */
	assert_int_equal(decided_open(&again, dir), -EPROTO);
	assert_false(again.known || again.n);
	decided_close(&again);
	decided_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_decided_is_kept_whole_or_not_at_all, set_up,
		                                tear_down),
	};

	return cmocka_run_group_tests_name("decided", tests, NULL, NULL);
}
