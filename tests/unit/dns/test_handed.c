/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets that the supervisor passes: at the start, and later through a channel. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "dns/handed.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

/* What this process gets at its start; descriptors from 3 on. */
enum { UDP_0 = 3, UDP_1, UDP_1_1, CHANNEL, END };
#define NAMES "dns-udp-0:dns-udp-1:dns-udp-1-1:weir-more"

static int next_error; /* of the next recvmsg() */

static ssize_t own_recvmsg(int fd, struct msghdr *m, int flags)
{
	assert_int_equal(m->msg_iov->iov_len, 31); /* of 32: a name has its end */
	errno = next_error;
	next_error = 0;
	return errno ? -1 : __real_recvmsg(fd, m, flags);
}

/* /dev/null lies at each of the descriptors. */
static int begin_life(void **state)
{
	char number[16];
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (int fd = UDP_0; fd < END; fd++)
		if (fd != none && dup3(none, fd, O_CLOEXEC) < 0)
			return -1;
	if (none >= END)
		close(none);
	snprintf(number, sizeof(number), "%d", getpid());
	return setenv("LISTEN_PID", number, 1) || setenv("LISTEN_FDS", "4", 1) ||
	       setenv("LISTEN_FDNAMES", NAMES, 1);
}

static void pass_socket(int channel, const char *name, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)name, strlen(name) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(channel, &message, 0), strlen(name));
}

static void sockets_come_into_their_places_and_leave_nothing_behind(void **state)
{
	unsigned n;
	int ends[2], socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct addr loopback;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(bind(socket_fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&at, &loopback, NULL), 0);
	unsigned n_fds = count_descriptors();

	for (int i = 0; i < 5; i++)
		pass_socket(ends[0], "dns-udp-0", socket_fd);
	pass_socket(ends[0], "nobody's", socket_fd);
	pass_socket(ends[0], "without one", -1);
	assert_int_equal(handed_receive(ends[1], &n), -EAGAIN);
	assert_int_equal(n, 7);
	assert_int_equal(count_descriptors(), n_fds);
	assert_true(handed_is_bound(UDP_0, &loopback, SOCK_DGRAM));
	assert_false(handed_is_bound(UDP_0, &loopback, SOCK_STREAM));
	assert_int_equal(handed_find(&loopback, SOCK_DGRAM, 0), UDP_0);
	assert_int_equal(handed_find(&loopback, SOCK_DGRAM, 1), -ENOENT);
	handed_forget(&loopback, SOCK_DGRAM, 0);
	assert_int_equal(count_descriptors(), n_fds); /* its place stays taken */
	assert_int_equal(handed_find(&loopback, SOCK_DGRAM, 0), -ENOENT);
	close(ends[0]); /* the supervisor has gone */
	assert_int_equal(handed_receive(ends[1], &n), 0);
	assert_int_equal(n, 0);
	close(ends[1]);
	close(socket_fd);
}

/* What ends the reading of the channel, and what only interrupts it. */
static void an_error_of_the_channel_is_taken_for_what_it_is(void **state)
{
	static const struct {
		int error, result;
		unsigned n;
	} cases[] = { { 0, -EAGAIN, 1 },
		      { EINTR, -EAGAIN, 1 },
		      { EAGAIN, -EAGAIN, 0 },
		      { ECONNRESET, -ECONNRESET, 0 } };
	unsigned n;
	int ends[2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		pass_socket(ends[0], "dns-udp-0", ends[0]);
		next_error = cases[i].error;
		assert_int_equal(handed_receive(ends[1], &n), cases[i].result);
		assert_int_equal(n, cases[i].n);
		close(ends[0]);
		close(ends[1]);
	}
}

/* At @p place lies a UDP socket that is bound to the address. */
static void bind_socket(int place, const struct addr *address)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET };

	memcpy(&at.sin_addr, addr_bytes4(address), 4);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(dup3(fd, place, O_CLOEXEC), place);
	close(fd);
}

static void the_socket_of_an_address_is_found_whatever_lies_before_it(void **state)
{
	struct addr first, second;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1", &first), 0);
	assert_int_equal(addr_parse("127.0.0.2", &second), 0);
	bind_socket(UDP_0, &first);
	bind_socket(UDP_1, &second);
	bind_socket(UDP_1_1, &second);
	assert_int_equal(handed_find(&second, SOCK_DGRAM, 0), UDP_1);
	assert_int_equal(handed_find(&second, SOCK_DGRAM, 1), UDP_1_1);
	assert_int_equal(handed_find(&first, SOCK_DGRAM, 0), UDP_0);
	assert_int_equal(handed_find(&first, SOCK_DGRAM, 1), -ENOENT);
	assert_int_equal(handed_find(&first, SOCK_STREAM, 0), -ENOENT);
	handed_forget(&first, SOCK_DGRAM, 0);
	assert_int_equal(handed_find(&second, SOCK_DGRAM, 0), UDP_1);
}

static void a_name_of_any_length_is_one(void **state)
{
	unsigned n;
	char name[100];
	int ends[2];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[99] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	unsigned n_fds = count_descriptors();
	for (size_t cut = 30; cut < 34; cut++)
		pass_socket(ends[0], name + 99 - cut, ends[0]);
	pass_socket(ends[0], name, ends[0]);
	assert_int_equal(handed_receive(ends[1], &n), -EAGAIN);
	assert_int_equal(n, 5);
	assert_int_equal(count_descriptors(), n_fds);
	close(ends[0]);
	close(ends[1]);
}

static void a_supervisor_is_known_by_its_channel(void **state)
{
	(void)state;
	assert_int_equal(handed_channel(), CHANNEL);
	unsetenv("LISTEN_FDNAMES");
	assert_int_equal(handed_channel(), -ENOENT); /* alone */
}

#define WITH(name) cmocka_unit_test_setup(name, begin_life)

SUITE(handed)
{
	const struct CMUnitTest tests[] = {
		WITH(sockets_come_into_their_places_and_leave_nothing_behind),
		WITH(the_socket_of_an_address_is_found_whatever_lies_before_it),
		WITH(a_name_of_any_length_is_one),
		WITH(an_error_of_the_channel_is_taken_for_what_it_is),
		WITH(a_supervisor_is_known_by_its_channel),
	};

	answer_recvmsg = own_recvmsg;
	return cmocka_run_group_tests_name("dns handed", tests, NULL, NULL);
}
