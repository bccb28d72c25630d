/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a checker begins a round with, and what a round that it could make only in part says. On
 * real sockets.
 */
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "checker_run.h"
#include "healthcheck/checker.h"
#include "healthcheck/keep.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define SKIPPED 77

static const char tcp[] = "type = \"tcp\"; interval = \"40ms\"; fast_interval = \"20ms\"; "
                          "timeout = \"40ms\"; rise = 2; fall = 2;";
static const char via_tunnel[] = "type = \"tcp\"; via = \"tunnel\"; interval = \"40ms\"; "
                                 "fast_interval = \"20ms\"; timeout = \"40ms\"; fall = 2;";

static const char http[] = "type = \"http\"; interval = \"60ms\"; fast_interval = \"20ms\"; "
                           "timeout = \"120ms\"; rise = 2; fall = 2; expect = 200;";

static bool watches_are_used_up;
static unsigned n_refused;

/* The C library's, with a limit on watches that other processes may have reached. */
static int own_epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
	if (watches_are_used_up && op == EPOLL_CTL_ADD) {
		n_refused++;
		errno = ENOSPC;
		return -1;
	}
	return __real_epoll_ctl(ep, op, fd, event);
}

static void no_watch_is_no_silence_and_leaves_nothing_behind(const char *check)
{
	static const char *const names[] = { "b1", "b2", "b3" };
	static const char good[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	pid_t servers[] = { serve_answer("127.0.0.11", good), serve_answer("127.0.0.12", good),
		            serve_answer("127.0.0.13", good) };

	start_checker(check, "\"127.0.0.77\""); /* a control outside answers all the time */
	for (int i = 0; i < 3; i++)
		await_state(id_of(names[i]), HEALTH_UP);
	n_refused = 0;
	watches_are_used_up = true;
	await_reason(id_of("b1"), HEALTH_REASON_LOCAL);
	run_for(600);
	assert_true(n_refused > 10);
	watches_are_used_up = false;
	run_for(300);
	for (int i = 0; i < 3; i++)
		await_reason(id_of(names[i]), HEALTH_REASON_OK);
	run_for(1500);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(health_state(read_health_word(id_of(names[i]))), HEALTH_UP);
		assert_int_equal(find_target(names[i])->counts.failed, 0);
	}
	remove_checker();
	for (int i = 0; i < 3; i++)
		kill_server(servers[i]);
}

static void a_socket_that_could_not_be_watched_says_nothing(void **state)
{
	(void)state;
	no_watch_is_no_silence_and_leaves_nothing_behind(tcp);
	no_watch_is_no_silence_and_leaves_nothing_behind(http);
}

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
	await_state(id_of("b1"), HEALTH_UP);
	assert_int_equal(find_target("b1")->lacks, 2); /* nobody listens there */
	fd6 = listen6_at("2001:db8::10");
	for (int i = 0; i < 500 && find_target("b1")->worked != 3; i++)
		run_for(20);
	assert_int_equal(find_target("b1")->worked, 3);
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

SUITE(rounds)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_that_lacked_descriptors_for_one_vip_says_nothing),
		cmocka_unit_test(a_socket_that_could_not_be_watched_says_nothing),
		cmocka_unit_test(what_the_page_says_is_newer_than_the_file),
		cmocka_unit_test(a_shorter_interval_holds_at_once),
	};

	answer_epoll_ctl = own_epoll_ctl;
	if ((unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET)) ||
	    !set_loopback(true) || system("ip addr add 203.0.113.10/32 dev lo"))
		return SKIPPED;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
