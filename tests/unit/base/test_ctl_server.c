/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of a control socket: whether the process behind it is the one that its name says, and how a request and
 * its answer get through. A socket listens; what the kernel says of its process and of each call is the test's.
 */
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
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <poll.h>
#include <pwd.h>

#include "base/ctl.h"
#include "base/owner.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What send() or recv() says, call by call: bytes that go through, or -errno. Behind the last step all goes through. */
struct script {
	int steps[5];
	size_t n_steps;
};

static struct {
	struct script sends, recvs;
	size_t n_sends, n_recvs; /* steps taken */
	size_t n_sent, n_given;
	char sent[64];
	const char *gives;
	short waits_for;
	unsigned n_waits;
	int wait_says; /* of poll(): 1, 0, or -errno */
} wire;

static uid_t server_uid; /* whose process listens */
static int peer_error;   /* of asking for it */
static char directory[] = "/tmp/weir-ctl-server-XXXXXX";
static char here[PATH_MAX];

static int take_step(const struct script *s, size_t *at, size_t most)
{
	int step = *at < s->n_steps ? s->steps[(*at)++] : INT_MAX;

	errno = step < 0 ? -step : 0;
	return step > 0 && (size_t)step > most ? (int)most : step;
}

static ssize_t own_send(int fd, const void *bytes, size_t n, int flags)
{
	int step = take_step(&wire.sends, &wire.n_sends, n);

	(void)fd;
	assert_true(flags & MSG_NOSIGNAL);
	if (step < 0)
		return -1;
	assert_true(wire.n_sent + (size_t)step < sizeof(wire.sent));
	memcpy(wire.sent + wire.n_sent, bytes, (size_t)step);
	wire.n_sent += (size_t)step;
	return step;
}

static ssize_t own_recv(int fd, void *bytes, size_t n, int flags)
{
	int step = take_step(&wire.recvs, &wire.n_recvs, n);
	size_t left = strlen(wire.gives + wire.n_given);

	(void)fd;
	(void)flags;
	if (step < 0)
		return -1;
	step = (size_t)step < left ? step : (int)left;
	memcpy(bytes, wire.gives + wire.n_given, (size_t)step);
	wire.n_given += (size_t)step;
	return step;
}

static int own_poll(struct pollfd *p, nfds_t n, int ms)
{
	assert_int_equal(n, 1);
	assert_in_range(ms, 1, 60000);
	wire.waits_for = p->events;
	wire.n_waits++;
	errno = wire.wait_says < 0 ? -wire.wait_says : 0;
	return wire.wait_says < 0 ? -1 : wire.wait_says;
}

static int own_getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	struct ucred peer = { .pid = 1, .uid = server_uid };

	(void)fd;
	assert_true(level == SOL_SOCKET && name == SO_PEERCRED && *n == sizeof(peer));
	memcpy(value, &peer, sizeof(peer));
	errno = peer_error;
	return peer_error ? -1 : 0;
}

/* The users of this machine. */
static const struct {
	const char *process;
	uid_t uid;
} users[] = { { "mgmt", 50001 }, { "dataplane", 50002 }, { "health", 50003 }, { "dns", 50004 } };

static int own_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
                          struct passwd **found)
{
	(void)buffer;
	(void)size;
	*found = NULL;
	for (size_t i = 0; i < COUNT(users); i++)
		if (!strcmp(name + strlen("weir-"), users[i].process)) {
			*entry = (struct passwd){ .pw_uid = users[i].uid };
			*found = entry;
		}
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) && getcwd(here, sizeof(here)) && chdir(directory) == 0 &&
	                       mkdir("weir.d", 0700) == 0
	               ? 0
	               : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir("weir.d") || chdir(here) || rmdir(directory);
}

/* Ask at @p path, where @p wire says what happens. @return what ctl_request() says */
static int ask_server(const char *path, char **answer)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server, 1), 0);
	int err = ctl_request(path, "abcdef", 60000, answer);

	close(server);
	return err;
}

/* Ask a process that is the expected one. */
static int ask_own(char **answer)
{
	server_uid = geteuid();
	int err = ask_server("mgmt.ctl", answer);

	unlink("mgmt.ctl");
	return err;
}

/* Each byte once and in order, whatever interrupts; a signal is no failure. */
static void a_request_is_sent_whole_or_says_why(void **state)
{
	static const struct {
		struct script sends;
		int wait_says, err;
		unsigned n_waits;
		const char *sent;
	} cases[] = {
		{ { { 6 }, 1 }, 1, 0, 0, "abcdef\n" },
		{ { { 1, 2, 3 }, 3 }, 1, 0, 0, "abcdef\n" },
		{ { { 2, -EINTR, 4 }, 3 }, 1, 0, 1, "abcdef\n" },
		{ { { 5, -EAGAIN, -EAGAIN, 1 }, 4 }, 1, 0, 2, "abcdef\n" },
		{ { { 6, -EAGAIN, 1 }, 3 }, 1, 0, 1, "abcdef\n" },
		{ { { 5, -EAGAIN, 1 }, 3 }, -EINTR, 0, 1, "abcdef\n" },
		{ { { 5, -EAGAIN }, 2 }, 0, -ETIMEDOUT, 1, "abcde" },
		{ { { 5, -EAGAIN }, 2 }, -ENOMEM, -ENOMEM, 1, "abcde" },
		{ { { 3, -EPIPE }, 2 }, 1, -EPIPE, 0, "abc" },
		{ { { 6, -EPIPE }, 2 }, 1, -EPIPE, 0, "abcdef" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *answer = NULL;

		memset(&wire, 0, sizeof(wire));
		wire.sends = cases[i].sends;
		wire.wait_says = cases[i].wait_says;
		wire.gives = "answer\n";
		assert_int_equal(ask_own(&answer), cases[i].err);
		assert_int_equal(wire.n_sends, cases[i].sends.n_steps);
		assert_int_equal(wire.n_waits, cases[i].n_waits);
		assert_int_equal(wire.waits_for, cases[i].n_waits ? POLLOUT : 0);
		assert_string_equal(wire.sent, cases[i].sent);
		assert_int_equal(answer != NULL, !cases[i].err);
		free(answer);
	}
}

static void an_answer_is_read_to_its_end_or_says_why(void **state)
{
	static const struct {
		struct script recvs;
		int wait_says, err;
		unsigned n_waits;
	} cases[] = {
		{ { { 7 }, 1 }, 1, 0, 0 },
		{ { { 1, 5, 1 }, 3 }, 1, 0, 0 },
		{ { { 6, -EINTR, 1 }, 3 }, 1, 0, 1 },
		{ { { -EAGAIN, 6, -EAGAIN, 1 }, 4 }, 1, 0, 2 },
		{ { { -EAGAIN, 7 }, 2 }, -EINTR, 0, 1 },
		{ { { 6, 0 }, 2 }, 1, -ECONNRESET, 0 },
		{ { { 0 }, 1 }, 1, -ECONNRESET, 0 },
		{ { { 6, -EAGAIN }, 2 }, 0, -ETIMEDOUT, 1 },
		{ { { 6, -EIO }, 2 }, 1, -EIO, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *answer = NULL;

		memset(&wire, 0, sizeof(wire));
		wire.recvs = cases[i].recvs;
		wire.wait_says = cases[i].wait_says;
		wire.gives = "answer\n";
		assert_int_equal(ask_own(&answer), cases[i].err);
		assert_int_equal(wire.n_recvs, cases[i].recvs.n_steps);
		assert_int_equal(wire.n_waits, cases[i].n_waits);
		assert_int_equal(wire.waits_for, cases[i].n_waits ? POLLIN : 0);
		if (cases[i].err)
			assert_null(answer);
		else
			assert_string_equal(answer, "answer");
		free(answer);
	}
}

/* As much as a server sends, and not one byte more, however far the buffer has grown. */
static void an_answer_over_the_limit_is_refused(void **state)
{
	const size_t limit = 4u << 20, room = 4 * limit;

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		char *sent = malloc(room + 1), *answer = NULL;

		assert_non_null(sent);
		memset(sent, 'a', room);
		sent[room] = '\0';
		sent[limit + more] = '\n';
		memset(&wire, 0, sizeof(wire));
		wire.gives = sent;
		assert_int_equal(ask_own(&answer), more ? -EMSGSIZE : 0);
		assert_int_equal(answer ? strlen(answer) : 0, more ? 0 : limit);
		free(answer);
		free(sent);
	}
}

static void a_server_is_the_process_that_its_socket_is_named_after(void **state)
{
	static const struct {
		bool is_absolute;
		const char *path, *process;
	} cases[] = {
		{ true, "dataplane.ctl", "dataplane" }, { true, "weir.d/dns.ctl", "dns" },
		{ false, "health.ctl", "health" },      { false, "./mgmt", "mgmt" },
		{ true, "dns.ctl.old", "dns" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t k = COUNT(users); k-- > 0;) {
			bool is = !strcmp(users[k].process, cases[i].process);
			struct owner_trouble troubles[OWNER_TROUBLES_MAX];
			char path[128], *answer = NULL;

			snprintf(path, sizeof(path), "%s%s%s",
			         cases[i].is_absolute ? directory : "",
			         cases[i].is_absolute ? "/" : "", cases[i].path);
			memset(&wire, 0, sizeof(wire));
			wire.gives = "answer\n";
			server_uid = users[k].uid;
			assert_int_equal(ask_server(path, &answer), is ? 0 : -EPERM);
			assert_string_equal(wire.sent, is ? "abcdef\n" : ""); /* not even asked */
			assert_int_equal(answer != NULL, is);
			free(answer);
			assert_int_equal(owner_troubles(troubles), !is);
			if (!is) {
				assert_string_equal(troubles[0].path, path);
				assert_string_equal(troubles[0].expected, cases[i].process);
				assert_int_equal(troubles[0].found, users[k].uid);
			}
			owner_note(path, "", 0, true); /* it is a case of its own */
			unlink(path);
		}
}

/* A process that the kernel does not tell is none that is believed. */
static void who_cannot_be_known_is_not_asked(void **state)
{
	char *answer = NULL;

	(void)state;
	memset(&wire, 0, sizeof(wire));
	peer_error = ENOPROTOOPT;
	assert_int_equal(ask_own(&answer), -ENOPROTOOPT);
	peer_error = 0;
	assert_null(answer);
	assert_int_equal(wire.n_sent, 0);
}

SUITE(ctl_server)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_sent_whole_or_says_why),
		cmocka_unit_test(an_answer_is_read_to_its_end_or_says_why),
		cmocka_unit_test(an_answer_over_the_limit_is_refused),
		cmocka_unit_test(a_server_is_the_process_that_its_socket_is_named_after),
		cmocka_unit_test(who_cannot_be_known_is_not_asked),
	};

	answer_getpwnam_r = own_getpwnam_r;
	answer_getsockopt = own_getsockopt;
	answer_poll = own_poll;
	answer_recv = own_recv;
	answer_send = own_send;
	return cmocka_run_group_tests_name("ctl server", tests, set_up, tear_down);
}
