/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The descriptors that outlive the loading of the program (bpf/xdp_set.c): each of them may not be had. The function of
 * the system that gives them stands here before libc's. Each loading takes the verifier its time: there are few here.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/bpf/xdp_stage.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned n_copies, fails_at; /* fails_at: from 1; 0: none */

int fcntl(int fd, int command, ...)
{
	int (*real)(int, int, ...);
	va_list args;
	long value;

	va_start(args, command);
	value = va_arg(args, long);
	va_end(args);
	*(void **)&real = dlsym(RTLD_NEXT, "fcntl");
	if (command == F_DUPFD_CLOEXEC && ++n_copies == fails_at) {
		errno = EMFILE;
		return -1;
	}
	return real ? real(fd, command, value) : -1;
}

/* The error of the one that failed is passed on, and nothing is left open, mapped or pinned. */
static void a_descriptor_that_cannot_be_kept_ends_the_loading(void **state)
{
	static const struct {
		const char *what;
		unsigned nth;
	} rows[] = {
		{ "the program's", 1 },
		{ "that of the map of ports", 2 },
		{ "the first table's", 3 },
		{ "the last table's", 2 + FWD_TABLE_COUNT },
	};
	const struct driver_config config = { .pin_dir = PIN_DIR, .sizes = small };
	const unsigned before = count_descriptors();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct driver_reason why = { "" };
		struct driver *d = NULL;
		bool kept = false;
		int err;

		print_message("  %s\n", rows[i].what);
		n_copies = 0;
		fails_at = rows[i].nth;
		err = ops->open(&config, &d, &kept, &why);
		fails_at = 0;
		assert_int_equal(n_copies, rows[i].nth);
		assert_int_equal(err, -EMFILE);
		assert_string_equal(
		        why.text,
		        "the program and its tables cannot be kept open: Too many open files");
		assert_null(d);
		assert_int_equal(count_descriptors(), before);
		assert_int_equal(count_mapped(), 0);
		assert_int_equal(access(PIN_DIR "/current", F_OK), -1);
	}
}

SUITE(xdp_fds)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_descriptor_that_cannot_be_kept_ends_the_loading,
		                          remove_pins),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("xdp fds", tests, NULL, NULL);
}
