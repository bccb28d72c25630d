/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each error of the kernel once, where the connection to the routing daemon passes it on (announce/daemon.c): before the
 * first answer, and again after a life. What went wrong is said, nothing stays open, and the next try succeeds.
 */
#include "tests/unit/announce/fake_daemon.h"

#include <fcntl.h>

#include "tests/fail/calls.h"

#define GREETING "0001 BIRD 2.0.12 ready.\n"

/* Call, which one, how; what the daemon is then. A greeting and the end of a client are calls of the test's own. */
static const struct failure {
	const char *call;
	unsigned nth;
	int err;
	enum daemon_state state;
	const char *problem; /* what comes before the error's own text */
} failures[] = {
	{ "socket", 1, EMFILE, DAEMON_ABSENT, "/tmp/weir-fake-daemon." },
	{ "connect", 1, EACCES, DAEMON_ABSENT, "/tmp/weir-fake-daemon." },
	{ "connect", 1, EAGAIN, DAEMON_SILENT, "/tmp/weir-fake-daemon." },
	{ "epoll_ctl", 1, ENOSPC, DAEMON_ABSENT, "/tmp/weir-fake-daemon." },
	{ "send", 2, EPIPE, DAEMON_ABSENT, "cannot ask: " },
	{ "recv", 1, ECONNRESET, DAEMON_ABSENT, "the daemon closed the connection: " },
};
static const struct failure *now;

static void answer_question(struct fake *f, const char *question)
{
	if (!strcmp(question, "restrict"))
		fake_say(f, "0016 Access restricted\n");
	else if (!strcmp(question, "show protocols"))
		fake_say(f,
		         "2002-Name       Proto      Table      State  Since         Info\n"
		         " router1_4  BGP        ---        start  07:23:32.896  Active\n0000 \n");
	else
		fake_say(f,
		         "1007-Table weir4:\n 10.100.0.1/32  blackhole [k 07:23] * (10)\n0000 \n");
}

static bool has_failed(struct fake *f)
{
	const struct daemon_facts *d = daemon_facts(f->daemon);

	return d->state == now->state && !strncmp(d->problem, now->problem, strlen(now->problem)) &&
	       strstr(d->problem, strerror(now->err));
}

static const struct daemon_route *find_route(struct fake *f)
{
	struct addr vip = fake_addr("10.100.0.1");

	return daemon_route(f->daemon, &vip);
}

static bool is_imported(struct fake *f)
{
	return fake_answers(f) && find_route(f)->at_ms && find_route(f)->imported[DAEMON_NORMAL];
}

static int count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* @param n_idle  descriptors without a connection */
static void fail_once(struct fake *f, int n_idle)
{
	calls_fail(now->call, now->nth, now->err, false);
	if (!fake_run(f, 5000, has_failed))
		fail_msg("%s %d: %s", now->call, now->err, daemon_facts(f->daemon)->problem);
	if (calls_end() != 1)
		fail_msg("%s %u did not fail", now->call, now->nth);
	assert_int_equal(find_route(f)->at_ms, 0); /* unknown, never no */
	fake_run(f, 50, NULL);                     /* the fake hears of the end */
	fake_hang_up(f);
	assert_int_equal(count_descriptors(), n_idle);
}

static void each_error_of_the_connection_is_said_and_made_good(void **state)
{
	struct addr vip = fake_addr("10.100.0.1");

	(void)state;
	for (now = failures; now < failures + sizeof(failures) / sizeof(failures[0]); now++) {
		struct fake *f = fake_open(DAEMON_BIRD, answer_question, GREETING);
		int n_idle;

		assert_int_equal(daemon_watch(f->daemon, &vip, 1), 0);
		fake_listen(f);
		n_idle = count_descriptors();
		for (int life = 0; life < 2; life++) {
			fail_once(f, n_idle);
			assert_true(fake_run(f, 5000, is_imported));
			assert_string_equal(daemon_facts(f->daemon)->problem, "");
			assert_int_equal(count_descriptors(), n_idle + 2);
			fake_hang_up(f);
			assert_true(fake_run(f, 5000, fake_is_absent));
		}
		fake_close(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_of_the_connection_is_said_and_made_good),
	};

	return cmocka_run_group_tests_name("announce daemon failing", tests, NULL, NULL);
}
