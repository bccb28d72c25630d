/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a checker begins a round with, and what a round that it could make only in part says. On
 * real sockets.
 */
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "checker_run.h"
#include "healthcheck/command.h"
#include "healthcheck/keep.h"

#define SKIPPED 77

static const char tcp[] = "type = \"tcp\"; interval = \"40ms\"; fast_interval = \"20ms\"; "
                          "timeout = \"40ms\"; rise = 2; fall = 2;";
static const char via_tunnel[] = "type = \"tcp\"; via = \"tunnel\"; interval = \"40ms\"; "
                                 "fast_interval = \"20ms\"; timeout = \"40ms\"; fall = 2;";

/* Leave @p n more descriptors to this process. @return the limit before */
static struct rlimit leave_descriptors(unsigned n)
{
	struct rlimit before, now;
	int next = dup(0);

	assert_true(next >= 0 && !close(next));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = (struct rlimit){ (rlim_t)next + n, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

static void a_round_that_lacked_descriptors_for_one_vip_says_nothing(void **state)
{
	(void)state;
	static const char list[] = "{\"do\":\"list\",\"pool\":\"web\"}";
	int fd4 = listen_at("203.0.113.10", 512), fd6;
	uint64_t document = UINT64_MAX;

	assert_int_equal(system("ip addr add 2001:db8::10/128 dev lo nodad"), 0);
	start_checker(via_tunnel, "");
	run.checker.gate.document = &document;
	struct rlimit before = leave_descriptors(1);
	await_reason(id_of("b1"), HEALTH_REASON_LOCAL);
	run_for(300);
	assert_int_equal(health_state(read_health_word(id_of("b1"))), HEALTH_UNKNOWN);
	assert_true(health_inconclusive(read_health_word(id_of("b1"))));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	char *answer = command_answer(&run.checker, list, strlen(list));
	assert_non_null(strstr(answer, "2001:db8::10"));
	free(answer);
	await_state(id_of("b1"), HEALTH_DOWN); /* nobody listens there */
	fd6 = listen6_at("2001:db8::10");
	await_state(id_of("b1"), HEALTH_UP);
	remove_checker();
	close(fd4);
	close(fd6);
	assert_int_equal(system("ip addr del 2001:db8::10/128 dev lo"), 0);
}

/* The file is written now and then, the page at once. */
static void what_the_page_says_is_newer_than_the_file(void **state)
{
	(void)state;
	start_checker(tcp, "");
	await_state(id_of("b1"), HEALTH_DOWN);
	struct saved_word saved = { .target = id_of("b1"),
		                    .word = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1) };
	stop_checker();
	start_with(tcp, "", &saved, 1);
	assert_int_equal(health_state(read_health_word(id_of("b1"))), HEALTH_DOWN);
	remove_checker();
	start_with(tcp, "", &saved, 1); /* a page that is new says nothing */
	assert_int_equal(health_state(read_health_word(id_of("b1"))), HEALTH_UP);
	assert_true(health_restored(read_health_word(id_of("b1"))));
	remove_checker();
}

static void a_shorter_interval_holds_at_once(void **state)
{
	static const char slow[] = "type = \"tcp\"; interval = \"50s\"; fast_interval = \"50s\"; "
	                           "timeout = \"40ms\"; rise = 1; fall = 1;";
	(void)state;
	int fd = listen_at("127.0.0.11", 512);

	start_checker(slow, "");
	for (int i = 0; i < 500 && health_state(read_health_word(id_of("b1"))) != HEALTH_UP; i++) {
		checker_probe_now(&run.checker,
		                  find_target("b1")); /* again: one that is late has no vote */
		run_for(20);
	}
	assert_int_equal(health_state(read_health_word(id_of("b1"))), HEALTH_UP);
	close(fd);
	assert_int_equal(checker_apply_model(&run.checker, fixture_model(tcp, PORT, ""), NULL, 0),
	                 0);
	await_state(id_of("b1"), HEALTH_DOWN);
	remove_checker();
}

static bool set_loopback(bool up)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = up ? IFF_UP : 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo);

	close(fd);
	return ok;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_that_lacked_descriptors_for_one_vip_says_nothing),
		cmocka_unit_test(what_the_page_says_is_newer_than_the_file),
		cmocka_unit_test(a_shorter_interval_holds_at_once),
	};

	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) ||
	    !set_loopback(true) || system("ip addr add 203.0.113.10/32 dev lo"))
		return SKIPPED;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
