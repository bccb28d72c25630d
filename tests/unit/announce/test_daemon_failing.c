/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each error of the kernel once, where the connection to the routing daemon passes it on (announce/daemon.c): before the
 * first answer, and again after a life. What went wrong is said, nothing stays open, and the next try succeeds.
 */
#include "tests/unit/simulated_time.h"
#include "tests/unit/announce/fake_daemon.h"

#include <fcntl.h>

#include "tests/unit/calls.h"
#include "tests/unit/suite.h"

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

static const char *said; /* at the question about sessions, instead of its answer; NULL: nothing */

static void say_something(struct fake *f, const char *question)
{
	if (strcmp(question, "show protocols") != 0)
		answer_question(f, question);
	else if (said && !strcmp(said, "-"))
		fake_hang_up(f);
	else if (said)
		fake_say(f, said);
}

/* Each of two times, with the whole text, and not again at each try. */
static void what_is_wrong_is_said_whole(void **state)
{
	static const struct {
		const char *said;
		enum daemon_state state;
		const char *problem;
	} rows[] = {
		{ NULL, DAEMON_SILENT, "no whole answer in time" },
		{ "0000", DAEMON_SILENT, "no whole answer in time" },
		{ "-", DAEMON_ABSENT, "the daemon closed the connection" },
		{ "what\n", DAEMON_STRANGE, "an answer has no known form" },
		{ "2002-Name\n0000 \n0000 \n", DAEMON_STRANGE, "an answer has no known form" },
		{ "2002-Name\n0000 \n0", DAEMON_STRANGE, "an answer has no known form" },
		{ "8003 No\n", DAEMON_STRANGE, "no list of protocols: BIRD says 8003 No" },
	};
	struct addr vip = fake_addr("10.100.0.1");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *f = fake_open(DAEMON_BIRD, answer_question, GREETING);
		const struct daemon_facts *d = daemon_facts(f->daemon);

		assert_int_equal(daemon_watch(f->daemon, &vip, 1), 0);
		fake_listen(f);
		said = rows[i].said;
		for (int life = 0; life < 2; life++) {
			unsigned news;

			f->answer = answer_question;
			assert_true(fake_run(f, 5000, is_imported));
			f->answer = say_something;
			fake_run(f, 3100, NULL);
			assert_int_equal(d->state, rows[i].state);
			assert_string_equal(d->problem, rows[i].problem);
			assert_int_equal(d->n_neighbours, 0);
			assert_int_equal(find_route(f)->at_ms, 0);
			news = f->news;
			fake_run(f, 6000, NULL);
			assert_int_equal(f->news, news);
			assert_string_equal(d->problem, rows[i].problem);
		}
		fake_close(f);
	}
}

/* Between two questions, when nothing was asked. */
static void an_answer_to_no_question_is_strange(void **state)
{
	struct addr vip = fake_addr("10.100.0.1");
	struct fake *f = fake_open(DAEMON_BIRD, answer_question, GREETING);

	(void)state;
	assert_int_equal(daemon_watch(f->daemon, &vip, 1), 0);
	fake_listen(f);
	assert_true(fake_run(f, 5000, is_imported));
	fake_run(f, 1200, NULL);
	fake_say(f, "0000 \n");
	fake_run(f, 100, NULL);
	assert_true(fake_is_strange(f));
	assert_string_equal(daemon_facts(f->daemon)->problem,
	                    "the daemon has sent an answer to no question");
	assert_true(fake_run(f, 5000, is_imported));
	assert_int_equal(f->clients, 2);
	fake_close(f);
}

/* Without prefixes it answers when its sessions are known, and not before. */
static void sessions_alone_are_an_answer(void **state)
{
	struct fake *f = fake_open(DAEMON_BIRD, say_something, GREETING);

	(void)state;
	said = NULL;
	fake_listen(f);
	fake_run(f, 1500, NULL);
	assert_true(fake_is_absent(f));
	assert_string_equal(daemon_facts(f->daemon)->problem, "not asked yet");
	fake_run(f, 1000, NULL);
	assert_true(fake_is_silent(f));
	f->answer = answer_question;
	assert_true(fake_run(f, 5000, fake_answers));
	assert_int_equal(daemon_facts(f->daemon)->n_neighbours, 1);
	fake_run(f, 5000, NULL);
	assert_true(fake_answers(f));
	fake_close(f);
}

/* Neither its timers nor what the daemon still says reaches anybody then. */
static void a_closed_daemon_is_quiet(void **state)
{
	struct addr vip = fake_addr("10.100.0.1");

	(void)state;
	daemon_close(NULL);
	for (uint64_t ms = 0; ms < 1200; ms += 7) {
		struct fake *f = fake_open(DAEMON_BIRD, answer_question, GREETING);
		int n_idle = count_descriptors();
		unsigned news, asked;

		assert_int_equal(daemon_watch(f->daemon, &vip, 1), 0);
		if (ms % 2)
			fake_listen(f);
		n_idle += ms % 2;
		fake_run(f, ms, NULL);
		daemon_close(f->daemon);
		f->daemon = NULL;
		news = f->news;
		asked = f->questions;
		fake_say(f, "0000 \n");
		fake_run(f, 3000, NULL);
		assert_int_equal(f->news, news);
		assert_in_range(f->questions, asked, asked + 1); /* one was sent */
		fake_hang_up(f);
		assert_int_equal(count_descriptors(), n_idle);
		fake_close(f);
	}
}

static void ignore_news(void *arg)
{
	(void)arg;
}

static void a_path_is_the_usual_one_or_has_room(void **state)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = "/tmp/";
	static const char *const usual[] = { "/run/bird/bird.ctl: No such file or directory",
		                             "/run/frr/bgpd.vty: No such file or directory" };
	struct fake *f = fake_open(DAEMON_BIRD, answer_question, GREETING);
	struct daemon *d = NULL;

	(void)state;
	memset(path + 5, 'x', sizeof(path) - 6);
	assert_int_equal(daemon_open(f->loop, DAEMON_BIRD, path, ignore_news, NULL, &d),
	                 -ENAMETOOLONG);
	assert_null(d);
	path[sizeof(path) - 2] = 0;
	assert_int_equal(daemon_open(f->loop, DAEMON_BIRD, path, ignore_news, NULL, &d), 0);
	fake_run(f, 100, NULL);
	assert_memory_equal(daemon_facts(d)->problem, path, sizeof(path) - 2);
	daemon_close(d);
	for (int kind = 0; kind < 2; kind++) {
		calls_fail("connect", 1, ENOENT, true);
		assert_int_equal(daemon_open(f->loop, kind ? DAEMON_FRR : DAEMON_BIRD, NULL,
		                             ignore_news, NULL, &d),
		                 0);
		assert_string_equal(daemon_facts(d)->problem, "not asked yet");
		assert_int_equal(daemon_facts(d)->since_ms, clock_mono_ms());
		fake_run(f, 100, NULL);
		assert_true(calls_end() > 0);
		assert_string_equal(daemon_facts(d)->problem, usual[kind]);
		daemon_close(d);
	}
	fake_close(f);
}

static void each_state_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(daemon_state_name(DAEMON_ABSENT), "absent");
	assert_string_equal(daemon_state_name(DAEMON_SILENT), "silent");
	assert_string_equal(daemon_state_name(DAEMON_STRANGE), "strange");
	assert_string_equal(daemon_state_name(DAEMON_ANSWERS), "answers");
}

SUITE(daemon_failing)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_error_of_the_connection_is_said_and_made_good),
		cmocka_unit_test(what_is_wrong_is_said_whole),
		cmocka_unit_test(an_answer_to_no_question_is_strange),
		cmocka_unit_test(sessions_alone_are_an_answer),
		cmocka_unit_test(a_closed_daemon_is_quiet),
		cmocka_unit_test(a_path_is_the_usual_one_or_has_room),
		cmocka_unit_test(each_state_has_its_name),
	};

	simulated_time();
	return cmocka_run_group_tests_name("announce daemon failing", tests, NULL, NULL);
}
