/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"2026-11-20",
		"2026-11-20T08:07:00",
		"2026-11-20 08:07:00Z",
		"2026-11-20T08:07Z",
		"2026-13-20T08:07:00Z",
		"2026-00-20T08:07:00Z",
		"2026-02-29T08:07:00Z",
		"2026-11-31T08:07:00Z",
		"2026-11-20T24:07:00Z",
		"2026-11-20T08:60:00Z",
		"2026-11-20T08:07:61Z",
		"2026-11-20T08:07:00.Z",
		"2026-11-20T08:07:00Zx",
		"2026-11-20T08:07:00+1:00",
		"2026-11-20T08:07:00+24:00",
		"2026-11-20T08:07:00+01:60",
		"-026-11-20T08:07:00Z",
		"9999-12-31T23:59:60Z", /* the year 10000 has no text */
		"9999-12-31T23:59:59-00:01",
	};
	int64_t ms = 7;

	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  \"%s\"\n", cases[i]);
		assert_int_equal(clock_parse(cases[i], &ms), -EINVAL);
		assert_int_equal(ms, 7);
	}
}

static void times_are_read_with_their_offset(void **state)
{
	(void)state;
	static const struct {
		const char *text, *utc;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z" },
		{ "2026-11-20t08:07:00.5z", "2026-11-20T08:07:00.500Z" },
		{ "2026-11-20T08:07:00.1239999Z", "2026-11-20T08:07:00.123Z" },
		{ "2026-11-20T00:30:00+01:00", "2026-11-19T23:30:00.000Z" },
		{ "2026-12-31T20:00:00-05:30", "2027-01-01T01:30:00.000Z" },
		{ "2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000Z" },
		{ "1969-12-31T23:59:59.250Z", "1969-12-31T23:59:59.250Z" },
		{ "2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z" },
		{ "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z" },
	};
	char text[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms;

		assert_int_equal(clock_parse(cases[i].text, &ms), 0);
		assert_string_equal(clock_text(ms, text), cases[i].utc);
	}
}

/* At each place of a time there may be what belongs there, and nothing else. */
static void each_character_of_a_time_counts(void **state)
{
	static const char good[] = "2026-11-20T08:07:06.543+05:30";
	static const char others[] = "/:;@AZaz`{ -+.";
	int64_t ms = 7;

	(void)state;
	for (size_t i = 0; good[i]; i++)
		for (const char *other = others; *other; other++) {
			char text[sizeof(good)];

			memcpy(text, good, sizeof(good));
			text[i] = *other;
			if (*other == good[i] || (i == 23 && *other == '-'))
				continue;
			if (clock_parse(text, &ms) != -EINVAL)
				print_message("  \"%s\"\n", text);
			assert_int_equal(clock_parse(text, &ms), -EINVAL);
		}
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		char text[sizeof(good)] = "";

		memcpy(text, good, n);
		assert_int_equal(clock_parse(text, &ms), -EINVAL);
	}
	/* one is missing, or is there twice; a second has any number of decimals */
	for (size_t i = 0; good[i]; i++)
		for (size_t twice = 0; twice < 2 && (i < 20 || i > 22); twice++) {
			char text[2 * sizeof(good)];

			snprintf(text, sizeof(text), "%.*s%s", (int)(i + twice), good,
			         good + i + 1 - twice);
			if (clock_parse(text, &ms) != -EINVAL)
				print_message("  \"%s\"\n", text);
			assert_int_equal(clock_parse(text, &ms), -EINVAL);
		}
	assert_int_equal(ms, 7);
	assert_int_equal(clock_parse(good, &ms), 0);
	assert_true(ms == 1795142226543);
}

/* Seconds since 1970 from date(1), and milliseconds; 0: no such time. */
static void each_part_of_a_time_has_its_limits(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "2026-01-31T00:00:00Z", 1769817600000 },
		{ "2026-01-32T00:00:00Z", 0 },
		{ "2026-01-01T00:00:00Z", 1767225600000 },
		{ "2026-01-00T00:00:00Z", 0 },
		{ "2026-02-28T00:00:00Z", 1772236800000 },
		{ "2026-03-31T00:00:00Z", 1774915200000 },
		{ "2026-04-31T00:00:00Z", 0 },
		{ "2026-06-31T00:00:00Z", 0 },
		{ "2026-09-31T00:00:00Z", 0 },
		{ "2026-12-31T00:00:00Z", 1798675200000 },
		{ "2026-12-32T00:00:00Z", 0 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2100-02-29T00:00:00Z", 0 },
		{ "2028-02-29T00:00:00Z", 1835395200000 },
		{ "2028-02-30T00:00:00Z", 0 },
		{ "2026-01-01T23:59:59Z", 1767311999000 },
		{ "2026-01-01T23:59:60Z", 1767312000000 },
		{ "2026-01-01T00:00:00.1Z", 1767225600100 },
		{ "2026-01-01T00:00:00.02Z", 1767225600020 },
		{ "2026-01-01T00:00:00.003Z", 1767225600003 },
		{ "2026-01-01T00:00:00.9999Z", 1767225600999 },
		{ "2026-01-01T00:00:00+23:59", 1767139260000 },
		{ "2026-01-01T00:00:00-23:59", 1767311940000 },
		{ "2026-01-01T00:00:00-24:00", 0 },
		{ "2026-01-01T00:00:00+00:60", 0 },
		{ "2026-01-01T00:00:00+00:01", 1767225540000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
		{ "9999-12-31T23:59:59.999+00:01", 253402300739999 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = 0;

		print_message("  %s\n", cases[i].text);
		assert_int_equal(clock_parse(cases[i].text, &ms), cases[i].ms ? 0 : -EINVAL);
		assert_true(ms == cases[i].ms);
	}
}

static void times_before_1970_are_written_rounded_down(void **state)
{
	char text[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_text(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_text(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_text(-1000, text), "1969-12-31T23:59:59.000Z");
	assert_string_equal(clock_text(-1001, text), "1969-12-31T23:59:58.999Z");
	assert_string_equal(clock_text(999, text), "1970-01-01T00:00:00.999Z");
	assert_string_equal(clock_text(-62135596800000, text), "0001-01-01T00:00:00.000Z");
}

static void no_number_overflows_the_text(void **state)
{
	(void)state;
	char text[CLOCK_TEXT_MAX];

	assert_true(strlen(clock_text(INT64_MAX, text)) < CLOCK_TEXT_MAX);
	assert_true(strlen(clock_text(INT64_MIN, text)) < CLOCK_TEXT_MAX);
}

static void clocks_go_forward(void **state)
{
	(void)state;
	uint64_t ns = clock_mono_ns(), ms = clock_mono_ms();

	assert_true(clock_mono_ns() >= ns);
	assert_true(ms >= ns / 1000000);
	ms = clock_mono_ms();
	assert_true(ms <= clock_mono_ns() / 1000000);
	(void)clock_is_synchronised();
}

static int64_t read_ms(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* However long it takes to ask: what is said lies between the kernel's clock before and after. */
static void clocks_are_the_kernel_s(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		int64_t wall_clock = read_ms(CLOCK_REALTIME), boot = read_ms(CLOCK_BOOTTIME);
		int64_t our_wall = clock_realtime_ms(), our_boot = (int64_t)clock_mono_ms();

		assert_true(our_boot >= boot && our_boot <= read_ms(CLOCK_BOOTTIME));
		assert_true(our_wall >= wall_clock && our_wall <= read_ms(CLOCK_REALTIME));
		if (i % 10 == 0)
			usleep(150); /* another part of a millisecond */
	}
}

static void the_believed_time_is_the_kernel_s_until_another_is(void **state)
{
	int64_t before = clock_realtime_ms(), believed = clock_believed_ms(), mono;
	uint64_t long_ago = clock_mono_ms() - 700;

	(void)state;
	assert_true(believed >= before && believed <= clock_realtime_ms());
	assert_true(clock_believed_at(long_ago) + 700 >= before - 1);
	assert_true(clock_believed_at(long_ago) + 700 <= clock_realtime_ms() + 1);
	clock_believe(-5000000000);
	assert_int_equal(clock_believed_at(7), 7 - 5000000000);
	mono = (int64_t)clock_mono_ms();
	believed = clock_believed_ms();
	assert_true(believed + 5000000000 >= mono);
	assert_true(believed + 5000000000 <= (int64_t)clock_mono_ms());
}

static void a_boot_is_known_by_the_first_half_of_its_id(void **state)
{
	unsigned a, b, c, d;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%8x-%4x-%4x-%4x", &a, &b, &c, &d), 4);
	fclose(f);
	assert_true(clock_boot() == ((uint64_t)a << 32 | b << 16 | c));
}

/* As under a unit with ProtectClock=yes. */
static void forbid_adjtimex(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_adjtimex, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_adjtime, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(2);
}

static void a_clock_that_cannot_be_asked_is_not_synchronised(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		forbid_adjtimex();
		_exit(clock_is_synchronised() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

SUITE(clock)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(times_are_read_with_their_offset),
		cmocka_unit_test(each_character_of_a_time_counts),
		cmocka_unit_test(each_part_of_a_time_has_its_limits),
		cmocka_unit_test(times_before_1970_are_written_rounded_down),
		cmocka_unit_test(clocks_are_the_kernel_s),
		cmocka_unit_test(the_believed_time_is_the_kernel_s_until_another_is),
		cmocka_unit_test(a_boot_is_known_by_the_first_half_of_its_id),
		cmocka_unit_test(no_number_overflows_the_text),
		cmocka_unit_test(clocks_go_forward),
		cmocka_unit_test(a_clock_that_cannot_be_asked_is_not_synchronised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
