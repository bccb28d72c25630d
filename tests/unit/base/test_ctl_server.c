/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the process behind a control socket is the one that its name says. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static char asked_process[32], noted_path[128];
static bool is_ours, noted;

static bool fake_owner_is(uid_t uid, const char *process)
{
	assert_int_equal(uid, geteuid());
	snprintf(asked_process, sizeof(asked_process), "%s", process);
	return is_ours;
}

static void fake_owner_note(const char *path, const char *process, uid_t found, bool is_believed)
{
	assert_string_equal(process, asked_process);
	assert_int_equal(found, geteuid());
	snprintf(noted_path, sizeof(noted_path), "%s", path);
	noted = is_believed;
}

/* What the socket says, call by call: bytes that go through, or -errno; 0 for recv() is its end. */
static struct {
	const int *steps;
	size_t n_steps, at, n_sent, n_given;
	char sent[64];
	const char *gives;
	short waits_for;
	unsigned n_waits;
	int wait_says; /* of poll(): 1, 0, or -errno */
} wire;

static int next_step(void)
{
	assert_true(wire.at < wire.n_steps);
	return wire.steps[wire.at++];
}

static ssize_t fake_send(int fd, const void *bytes, size_t n, int flags)
{
	int step = wire.steps ? next_step() : 0;

	if (!wire.steps)
		return send(fd, bytes, n, flags);
	assert_true(flags & MSG_NOSIGNAL);
	errno = -step;
	if (step < 0)
		return -1;
	assert_true((size_t)step <= n);
	memcpy(wire.sent + wire.n_sent, bytes, (size_t)step);
	wire.n_sent += (size_t)step;
	return step;
}

static ssize_t fake_recv(int fd, void *bytes, size_t n, int flags)
{
	int step = wire.steps ? next_step() : 0;

	if (!wire.steps)
		return recv(fd, bytes, n, flags);
	errno = -step;
	if (step < 0)
		return -1;
	step = (size_t)step < n ? step : (int)n;
	memcpy(bytes, wire.gives + wire.n_given, (size_t)step);
	wire.n_given += (size_t)step;
	return step;
}

#include <poll.h>
static int fake_poll(struct pollfd *p, nfds_t n, int ms)
{
	if (!wire.steps)
		return poll(p, n, ms);
	wire.waits_for = p->events;
	wire.n_waits++;
	errno = wire.wait_says < 0 ? -wire.wait_says : 0;
	return wire.wait_says < 0 ? -1 : wire.wait_says;
}

/* The private parts too. */
#define owner_is   fake_owner_is
#define owner_note fake_owner_note
#define send       fake_send
#define recv       fake_recv
#define poll       fake_poll
#include "base/ctl_request.c"
#undef owner_is
#undef owner_note
#undef send
#undef recv
#undef poll

#define STEPS(...)                                                                                 \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* Each byte once and in order, whatever interrupts; a signal is no failure. */
static void a_request_is_sent_whole_or_says_why(void **state)
{
	static const struct {
		int steps[5];
		size_t n_steps;
		int wait_says, err;
		unsigned n_waits;
		const char *sent;
	} cases[] = {
		{ STEPS(6), 1, 1, 0, 0, "abcdef" },
		{ STEPS(1, 2, 3), 3, 1, 0, 0, "abcdef" },
		{ STEPS(2, -EINTR, 4), 3, 1, 0, 1, "abcdef" },
		{ STEPS(5, -EAGAIN, -EAGAIN, 1), 4, 1, 0, 2, "abcdef" },
		{ STEPS(5, -EAGAIN, 1), 3, -EINTR, 0, 1, "abcdef" },
		{ STEPS(5, -EAGAIN), 2, 0, -ETIMEDOUT, 1, "abcde" },
		{ STEPS(5, -EAGAIN), 2, -ENOMEM, -ENOMEM, 1, "abcde" },
		{ STEPS(3, -EPIPE), 2, 1, -EPIPE, 0, "abc" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&wire, 0, sizeof(wire));
		wire.steps = cases[i].steps;
		wire.n_steps = cases[i].n_steps;
		wire.wait_says = cases[i].wait_says;
		assert_int_equal(send_fully(7, "abcdef", 6, UINT64_MAX / 2), cases[i].err);
		assert_int_equal(wire.at, cases[i].n_steps);
		assert_int_equal(wire.n_waits, cases[i].n_waits);
		assert_int_equal(wire.waits_for, cases[i].n_waits ? POLLOUT : 0);
		assert_string_equal(wire.sent, cases[i].sent);
	}
	wire.steps = NULL;
}

static void an_answer_is_read_to_its_end_or_says_why(void **state)
{
	static const struct {
		int steps[5];
		size_t n_steps;
		int wait_says, err;
		unsigned n_waits;
	} cases[] = {
		{ STEPS(7), 1, 1, 0, 0 },
		{ STEPS(1, 5, 1), 3, 1, 0, 0 },
		{ STEPS(6, -EINTR, 1), 3, 1, 0, 1 },
		{ STEPS(-EAGAIN, 6, -EAGAIN, 1), 4, 1, 0, 2 },
		{ STEPS(-EAGAIN, 7), 2, -EINTR, 0, 1 },
		{ STEPS(6, 0), 2, 1, -ECONNRESET, 0 },
		{ STEPS(0), 1, 1, -ECONNRESET, 0 },
		{ STEPS(6, -EAGAIN), 2, 0, -ETIMEDOUT, 1 },
		{ STEPS(6, -EIO), 2, 1, -EIO, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *line = NULL;

		memset(&wire, 0, sizeof(wire));
		wire.steps = cases[i].steps;
		wire.n_steps = cases[i].n_steps;
		wire.wait_says = cases[i].wait_says;
		wire.gives = "answer\n";
		assert_int_equal(read_answer_line(7, &line, UINT64_MAX / 2), cases[i].err);
		assert_int_equal(wire.at, cases[i].n_steps);
		assert_int_equal(wire.n_waits, cases[i].n_waits);
		assert_int_equal(wire.waits_for, cases[i].n_waits ? POLLIN : 0);
		if (cases[i].err)
			assert_null(line);
		else
			assert_string_equal(line, "answer");
		free(line);
	}
	wire.steps = NULL;
}

/* As much as a server sends, and not one byte more, however far the buffer has grown. */
static void an_answer_over_the_limit_is_refused(void **state)
{
	static const int all[] = { INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX,
		                   INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX, INT_MAX };
	const size_t limit = 4u << 20, room = 4 * limit;

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		char *answer = malloc(room), *line = NULL;

		assert_non_null(answer);
		memset(answer, 'a', room);
		answer[limit + more] = '\n';
		memset(&wire, 0, sizeof(wire));
		wire.steps = all;
		wire.n_steps = sizeof(all) / sizeof(all[0]);
		wire.gives = answer;
		assert_int_equal(read_answer_line(7, &line, UINT64_MAX / 2), more ? -EMSGSIZE : 0);
		assert_int_equal(line ? strlen(line) : 0, more ? 0 : limit);
		free(line);
		free(answer);
	}
	wire.steps = NULL;
}

/* Whoever listens there without being that process is not even asked. */
static void a_stranger_s_answer_is_not_asked_for(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;
	char *answer = NULL, byte;

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/weir-ctl-server-%d.ctl", (int)getpid());
	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server, 4), 0);
	is_ours = false;
	assert_int_equal(ctl_request(at.sun_path, "secret", 5000, &answer), -EPERM);
	assert_null(answer);
	client = accept(server, NULL, NULL);
	assert_true(client >= 0);
	assert_int_equal(recv(client, &byte, 1, 0), 0); /* nothing was said to it */
	close(client);
	close(server);
	unlink(at.sun_path);
}

static void a_server_is_the_process_that_its_socket_is_named_after(void **state)
{
	static const char *const cases[][2] = {
		{ "/run/weir/dataplane.ctl", "dataplane" },
		{ "/run/weir.d/dns.ctl", "dns" },
		{ "health.ctl", "health" },
		{ "./mgmt", "mgmt" },
		{ "/run/weir/dns.ctl.old", "dns" },
	};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int is = 0; is <= 1; is++) {
			is_ours = is;
			assert_int_equal(check_server(ends[0], cases[i][0]), is ? 0 : -EPERM);
			assert_string_equal(asked_process, cases[i][1]);
			assert_string_equal(noted_path, cases[i][0]);
			assert_int_equal(noted, is);
		}
	assert_int_equal(check_server(-1, "x"), -EBADF);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_sent_whole_or_says_why),
		cmocka_unit_test(an_answer_is_read_to_its_end_or_says_why),
		cmocka_unit_test(an_answer_over_the_limit_is_refused),
		cmocka_unit_test(a_stranger_s_answer_is_not_asked_for),
		cmocka_unit_test(a_server_is_the_process_that_its_socket_is_named_after),
	};

	return cmocka_run_group_tests_name("ctl server", tests, NULL, NULL);
}
