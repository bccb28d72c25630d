/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether weir-dns answers, by a stats page that is played: silence is not death. */
#include "scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "announce/process.h"
#include "base/clock.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

static char dir[] = "/tmp/weir-dns-life.XXXXXX";
static struct announcer a;

/* A process that shows one sign of life, and waits to be ended. */
static pid_t start_server(void)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();

	if (child == 0) {
		struct stats *s;

		if (stats_create(dir, "dns", 8, &s))
			_exit(2);
		stats_alive(s, clock_mono_ms());
		if (write(ready[1], "x", 1) != 1)
			_exit(2);
		pause();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return child;
}

static void end_server(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What cannot be seen, for want of a descriptor, has not ended. */
static void expect_unknown_without_descriptors(uint64_t now_ms)
{
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(dns_life_read(&a, now_ms), ANNOUNCE_UNKNOWN);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void only_a_server_that_is_gone_for_long_is_a_no(void **state)
{
	(void)state;
	uint64_t now_ms;
	pid_t pid;

	assert_int_equal(dns_life_read(&a, clock_mono_ms()), ANNOUNCE_UNKNOWN); /* it never ran */
	for (int life = 0; life < 2; life++) {
		pid = start_server();
		now_ms = clock_mono_ms();
		assert_int_equal(dns_life_read(&a, now_ms), ANNOUNCE_YES);
		assert_int_equal(dns_life_read(&a, now_ms - 60000),
		                 ANNOUNCE_YES); /* it wrote just now */
		assert_int_equal(dns_life_read(&a, now_ms + 60000),
		                 ANNOUNCE_UNKNOWN); /* silent, and there */
		expect_unknown_without_descriptors(now_ms + 60000);
		kill(pid, SIGKILL);
		assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
		for (int is_reaped = 0; is_reaped < 2; is_reaped++) { /* weir run may be stopped */
			assert_int_equal(dns_life_read(&a, now_ms + 4000), ANNOUNCE_UNKNOWN);
			assert_int_equal(dns_life_read(&a, now_ms + 6000), ANNOUNCE_NO);
			waitpid(pid, NULL, 0);
		}
	}
	pid = start_server();
	assert_int_equal(dns_life_read(&a, clock_mono_ms()), ANNOUNCE_YES);
	end_server(pid);
}

/* A machine that was paused: weir run had no time to start another one, either. */
static void after_a_pause_a_successor_is_waited_for(void **state)
{
	(void)state;
	uint64_t now_ms;
	pid_t pid = start_server();

	a.dns_life = (struct dns_life){ .pid = 0 };
	now_ms = clock_mono_ms();
	assert_int_equal(dns_life_read(&a, now_ms), ANNOUNCE_YES);
	end_server(pid);
	for (uint64_t ms = 60000; ms < 65000; ms += 100)
		assert_int_equal(dns_life_read(&a, now_ms + ms), ANNOUNCE_UNKNOWN);
	assert_int_equal(dns_life_read(&a, now_ms + 65000), ANNOUNCE_NO);
}

/* A process that ends soon after each start looks alive for moments. */
static void a_server_that_ends_again_and_again_is_a_no(void **state)
{
	(void)state;
	uint64_t now_ms = clock_mono_ms();
	pid_t pid = 0;

	a.dns_life = (struct dns_life){ .pid = 0 };
	for (int i = 0; i < 4; i++) {
		pid = start_server();
		now_ms = clock_mono_ms() + 1;
		assert_int_equal(dns_life_read(&a, now_ms), i < 3 ? ANNOUNCE_YES : ANNOUNCE_NO);
		if (i < 3)
			end_server(pid);
	}
	assert_int_equal(dns_life_read(&a, now_ms + 9000), ANNOUNCE_NO);
	/* then it lives on; it shows no sign of life here */
	assert_int_equal(dns_life_read(&a, now_ms + 10000), ANNOUNCE_UNKNOWN);
	assert_int_equal(dns_life_read(&a, now_ms), ANNOUNCE_YES);
	end_server(pid);
	pid = start_server(); /* it has lived for long, so that is no loop */
	a.dns_life.since_ms = 1;
	assert_int_equal(dns_life_read(&a, clock_mono_ms()), ANNOUNCE_YES);
	assert_int_equal(a.dns_life.n_ends, 0);
	end_server(pid);
}

/* Held and lost, twice; a process that has just started may still wait for its sockets. */
static void an_address_is_held_or_not_by_the_word_of_the_present_process(void **state)
{
	(void)state;
	struct addr address, other;
	uint64_t now_ms = clock_mono_ms(), *holds;
	struct stats *s;

	assert_int_equal(addr_parse("192.0.2.53", &address), 0);
	assert_int_equal(addr_parse("2001:db8::53", &other), 0);
	assert_int_equal(stats_create(dir, "dns", 8, &s), 0);
	a.dns_life = (struct dns_life){ .pid = 0 };
	stats_alive(s, now_ms);
	assert_int_equal(dns_life_read(&a, now_ms), ANNOUNCE_YES);
	assert_int_equal(dns_life_holds(&a, &address, now_ms), ANNOUNCE_UNKNOWN);
	holds = stats_get_counter(s, STATS_GAUGE, STATS_LISTENING, "address=\"192.0.2.53\"", "");
	for (int life = 0; life < 2; life++) {
		stats_set(holds, 1);
		assert_int_equal(dns_life_holds(&a, &address, now_ms), ANNOUNCE_YES);
		stats_set(holds, 0);
		assert_int_equal(dns_life_holds(&a, &address, now_ms + 4999), ANNOUNCE_UNKNOWN);
		assert_int_equal(dns_life_holds(&a, &address, now_ms + 5000), ANNOUNCE_NO);
		assert_int_equal(dns_life_holds(&a, &other, now_ms + 5000), ANNOUNCE_UNKNOWN);
	}
	stats_close(s);
	assert_int_equal(stats_create(dir, "dns", 8, &s),
	                 0); /* the next process has said nothing */
	assert_int_equal(dns_life_holds(&a, &address, now_ms + 5000), ANNOUNCE_UNKNOWN);
	stats_close(s);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(a.run_dir, sizeof(a.run_dir), "%s", dir);
	return 0;
}

static int remove_directory(void **state)
{
	char command[96];

	(void)state;
	stats_reader_close(a.dns);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

SUITE(dns_life)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_server_that_is_gone_for_long_is_a_no),
		cmocka_unit_test(after_a_pause_a_successor_is_waited_for),
		cmocka_unit_test(a_server_that_ends_again_and_again_is_a_no),
		cmocka_unit_test(an_address_is_held_or_not_by_the_word_of_the_present_process),
	};

	return cmocka_run_group_tests_name("announce dns life", tests, make_directory,
	                                   remove_directory);
}
