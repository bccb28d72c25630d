/* SPDX-License-Identifier: BSD-2-Clause */
/* Real sockets on the loopback. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/reuseport.h"
#include "tests/unit/suite.h"

#define GROUP   3
#define PACKETS 120

struct group {
	int type, fds[GROUP];
	struct sockaddr_in at;
};

/* A socket at g->at; port 0 is filled in. @return it or -errno */
static int open_socket(struct group *g, bool first)
{
	socklen_t length = sizeof(g->at);
	int fd = socket(AF_INET, g->type, 0), on = 1, err;

	assert_true(fd >= 0);
	if (g->type == SOCK_STREAM)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(reuseport_before_bind(fd, first), 0);
	err = bind(fd, (struct sockaddr *)&g->at, sizeof(g->at)) < 0 ? -errno : 0;
	if (err == 0 && g->type == SOCK_STREAM && listen(fd, 256) < 0)
		err = -errno;
	if (err < 0) {
		close(fd);
		return err;
	}
	assert_int_equal(reuseport_after_bind(fd), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&g->at, &length), 0);
	return fd;
}

static void open_group(struct group *g, int type)
{
	*g = (struct group){ .type = type, .at = { .sin_family = AF_INET } };
	g->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < GROUP; i++) {
		g->fds[i] = open_socket(g, i == 0);
		assert_true(g->fds[i] >= 0);
	}
}

static void close_group(struct group *g)
{
	for (int i = 0; i < GROUP; i++)
		if (g->fds[i] >= 0)
			close(g->fds[i]);
}

/* A packet or connection from each of many ports; how many came up at each socket of the group. */
static void count_arrivals(const struct group *g, unsigned seen[GROUP])
{
	int clients[PACKETS];

	memset(seen, 0, GROUP * sizeof(*seen));
	for (int i = 0; i < PACKETS; i++) {
		clients[i] = socket(AF_INET, g->type, 0);
		assert_int_equal(
		        connect(clients[i], (const struct sockaddr *)&g->at, sizeof(g->at)), 0);
		if (g->type == SOCK_DGRAM)
			assert_int_equal(send(clients[i], "x", 1, 0), 1);
	}
	for (unsigned total = 0; total < PACKETS;) {
		struct pollfd polls[GROUP];
		char byte;

		for (int k = 0; k < GROUP; k++)
			polls[k] = (struct pollfd){ .fd = g->fds[k], .events = POLLIN };
		assert_true(poll(polls, GROUP, 10000) > 0);
		for (int k = 0; k < GROUP; k++) {
			int got;

			if (!(polls[k].revents & POLLIN))
				continue;
			got = g->type == SOCK_DGRAM ? (int)recv(g->fds[k], &byte, 1, 0)
			                            : accept(g->fds[k], NULL, NULL);
			assert_true(got >= 0);
			if (g->type == SOCK_STREAM)
				close(got);
			seen[k]++;
			total++;
		}
	}
	for (int i = 0; i < PACKETS; i++)
		close(clients[i]);
}

static const int types[] = { SOCK_DGRAM, SOCK_STREAM };

static void another_server_is_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct group g;

		open_group(&g, types[i]);
		assert_int_equal(open_socket(&g, true), -EADDRINUSE);
		close_group(&g);
	}
}

static void all_sockets_get_their_share(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct group g;
		unsigned seen[GROUP];

		open_group(&g, types[i]);
		count_arrivals(&g, seen);
		assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
		close_group(&g);
	}
}

static void steering_leaves_out_the_last_ones(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct group g;
		unsigned seen[GROUP];

		open_group(&g, types[i]);
		assert_int_equal(reuseport_steer(g.fds[2], 2), 0);
		count_arrivals(&g, seen);
		assert_true(seen[0] > 0 && seen[1] > 0);
		assert_int_equal(seen[2], 0);
		assert_int_equal(reuseport_steer(g.fds[0], 1), 0);
		count_arrivals(&g, seen);
		assert_int_equal(seen[0], PACKETS);
		assert_int_equal(reuseport_steer(g.fds[0], 3), 0);
		count_arrivals(&g, seen);
		assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
		close_group(&g);
	}
}

static void closing_the_last_keeps_the_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct group g;
		unsigned seen[GROUP];

		open_group(&g, types[i]);
		assert_int_equal(reuseport_steer(g.fds[0], 1), 0);
		close(g.fds[2]);
		close(g.fds[1]);
		g.fds[1] = g.fds[2] = -1;
		count_arrivals(&g, seen);
		assert_int_equal(seen[0], PACKETS);
		g.fds[1] = open_socket(&g, false);
		assert_true(g.fds[1] >= 0);
		count_arrivals(&g, seen);
		assert_int_equal(seen[1], 0); /* still steered around */
		assert_int_equal(reuseport_steer(g.fds[1], 2), 0);
		count_arrivals(&g, seen);
		assert_true(seen[0] > 0 && seen[1] > 0);
		close_group(&g);
	}
}

static void a_socket_that_is_alone_needs_no_steering(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct group g = { .type = types[i], .at = { .sin_family = AF_INET } };
		int fd = open_socket(&g, true);

		assert_true(fd >= 0);
		assert_int_equal(reuseport_steer(fd, 1), 0);
		assert_int_equal(reuseport_steer(fd, 2), 0);
		close(fd);
	}
}

SUITE(reuseport)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_server_is_refused),
		cmocka_unit_test(all_sockets_get_their_share),
		cmocka_unit_test(steering_leaves_out_the_last_ones),
		cmocka_unit_test(closing_the_last_keeps_the_order),
		cmocka_unit_test(a_socket_that_is_alone_needs_no_steering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
