/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of weir-dns: sockets passed to it, a TCP client's share of a turn, its word of a site. */
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
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/proc.h"
#include "dns/server.h"
#include "dns/tcp_internal.h"
#include "dns/zone/wire.h"

static int place_of_socket = -ENOENT; /* where "dns-udp-0" is to lie */
static unsigned n_answered;
static bool is_good = true;

static int place_of_second = -ENOENT; /* and "dns-udp-1", thread 1's "dns-udp-1-1" */
static int place_of_thread = -ENOENT;

static int place_of_channel = -ENOENT;

static int fake_listen_fd(const char *name)
{
	assert_true(strlen(name) < 32);
	return strcmp(name, "weir-more") == 0     ? place_of_channel
	       : strcmp(name, "dns-udp-0") == 0   ? place_of_socket
	       : strcmp(name, "dns-udp-1") == 0   ? place_of_second
	       : strcmp(name, "dns-udp-1-1") == 0 ? place_of_thread
	                                          : -ENOENT;
}

static size_t answer_more; /* bytes of an answer behind the query's */

/* Answers with the query itself. */
static size_t fake_answer(struct dns_worker *w, const uint8_t *query, size_t length,
                          const struct addr *client, bool tcp, uint8_t *out, size_t out_size)
{
	(void)w;
	(void)client;
	assert_true(tcp && length <= out_size);
	memcpy(out, query, length);
	memset(out + length, '.', answer_more);
	n_answered++;
	return is_good ? length + answer_more : 0;
}

static int next_error; /* of the next recv() or send() */

static bool fails_now(void)
{
	errno = next_error;
	next_error = 0;
	return errno;
}

static ssize_t fake_recv(int fd, void *bytes, size_t n, int flags)
{
	return fails_now() ? -1 : recv(fd, bytes, n, flags);
}

static ssize_t fake_send(int fd, const void *bytes, size_t n, int flags)
{
	return fails_now() ? -1 : send(fd, bytes, n, flags);
}

static ssize_t fake_recvmsg(int fd, struct msghdr *m, int flags)
{
	return fails_now() ? -1 : recvmsg(fd, m, flags);
}

/* The private parts too. */
#define recvmsg        fake_recvmsg
#define proc_listen_fd fake_listen_fd
#define server_answer  fake_answer
#include "dns/handed.c"
#undef recvmsg
#define recv fake_recv
#define send fake_send
#include "dns/tcp_client.c"
#undef recv
#undef send

/* --- sockets that are passed --- */

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
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
	place_of_socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int n_fds = count_fds();

	for (int i = 0; i < 5; i++)
		pass_socket(ends[0], "dns-udp-0", socket_fd);
	pass_socket(ends[0], "nobody's", socket_fd);
	pass_socket(ends[0], "without one", -1);
	assert_int_equal(handed_receive(ends[1], &n), -EAGAIN);
	assert_int_equal(n, 7);
	assert_int_equal(count_fds(), n_fds);
	assert_true(handed_is_bound(place_of_socket, &loopback, SOCK_DGRAM));
	assert_false(handed_is_bound(place_of_socket, &loopback, SOCK_STREAM));
	assert_int_equal(handed_find(&loopback, SOCK_DGRAM, 0), place_of_socket);
	assert_int_equal(handed_find(&loopback, SOCK_DGRAM, 1), -ENOENT);
	handed_forget(&loopback, SOCK_DGRAM, 0);
	assert_int_equal(count_fds(), n_fds); /* its place stays taken */
	assert_int_equal(handed_find(&loopback, SOCK_DGRAM, 0), -ENOENT);
	close(ends[0]); /* the supervisor has gone */
	assert_int_equal(handed_receive(ends[1], &n), 0);
	assert_int_equal(n, 0);
	close(ends[1]);
	close(socket_fd);
	close(place_of_socket);
	place_of_socket = -ENOENT;
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

static int bound_socket(struct addr *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET };

	memcpy(&at.sin_addr, addr_bytes4(out), 4);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void the_socket_of_an_address_is_found_whatever_lies_before_it(void **state)
{
	struct addr first, second;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1", &first), 0);
	assert_int_equal(addr_parse("127.0.0.2", &second), 0);
	place_of_socket = bound_socket(&first);
	place_of_second = bound_socket(&second);
	place_of_thread = bound_socket(&second);
	assert_int_equal(handed_find(&second, SOCK_DGRAM, 0), place_of_second);
	assert_int_equal(handed_find(&second, SOCK_DGRAM, 1), place_of_thread);
	assert_int_equal(handed_find(&first, SOCK_DGRAM, 0), place_of_socket);
	assert_int_equal(handed_find(&first, SOCK_DGRAM, 1), -ENOENT);
	assert_int_equal(handed_find(&first, SOCK_STREAM, 0), -ENOENT);
	handed_forget(&first, SOCK_DGRAM, 0);
	assert_int_equal(handed_find(&second, SOCK_DGRAM, 0), place_of_second);
	close(place_of_socket);
	close(place_of_second);
	close(place_of_thread);
	place_of_socket = place_of_second = place_of_thread = -ENOENT;
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
	int n_fds = count_fds();
	for (size_t cut = 30; cut < 34; cut++)
		pass_socket(ends[0], name + 99 - cut, ends[0]);
	pass_socket(ends[0], name, ends[0]);
	assert_int_equal(handed_receive(ends[1], &n), -EAGAIN);
	assert_int_equal(n, 5);
	assert_int_equal(count_fds(), n_fds);
	close(ends[0]);
	close(ends[1]);
}

/* --- a TCP client's share --- */

static struct dns_worker worker;
static struct tcp_buffers buffers;
static int peer;

/* A client whose peer is @c peer. */
static struct tcp_client make_client(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	peer = ends[0];
	n_answered = 0;
	return (struct tcp_client){ .fd = ends[1], .readable = true };
}

static void close_client(const struct tcp_client *c)
{
	close(c->fd);
	close(peer);
}

/* Send @p n queries of two bytes each. */
static void send_queries(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(send(peer, "\0\2ab", 4, MSG_NOSIGNAL), 4);
}

static enum tcp_client_end serve_share(struct tcp_client *c, struct tcp_work *work)
{
	*work = (struct tcp_work){ 0 };
	return tcp_client_serve(&worker, c, &buffers, work);
}

/* A stream's end announced with the last bytes is read next turn: no event tells of it again. */
static void an_end_that_was_announced_is_read(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;

	(void)state;
	send_queries(1);
	shutdown(peer, SHUT_WR);
	c.ended = true;
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_MORE);
	assert_int_equal(n_answered, 1);
	assert_true(work.progress);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_DONE);
	close_client(&c);
}

static void who_has_said_all_waits_for_an_event(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;
	char bytes[64];

	(void)state;
	send_queries(2);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_false(c.readable);
	assert_int_equal(work.n_queries, 2);
	assert_int_equal(work.n_bytes, 8);
	assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), 8);
	assert_memory_equal(bytes, "\0\2ab\0\2ab", 8);
	close_client(&c);
}

static void a_share_of_a_turn_has_an_end(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;

	(void)state;
	send_queries(CLIENT_QUERIES + 1);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_MORE);
	assert_int_equal(work.n_queries, CLIENT_QUERIES);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_int_equal(work.n_queries, 1);
	close_client(&c);
}

static void half_a_query_is_kept_and_nonsense_ends_it(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;

	(void)state;
	assert_int_equal(send(peer, "\0\2a", 3, MSG_NOSIGNAL), 3);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_int_equal(n_answered, 0);
	assert_false(work.progress);
	assert_int_equal(send(peer, "b", 1, MSG_NOSIGNAL), 1);
	c.readable = true;
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_int_equal(n_answered, 1);
	is_good = false;
	send_queries(1);
	c.readable = true;
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_BAD);
	is_good = true;
	close_client(&c);
}

static void what_interrupts_a_client_costs_it_nothing(void **state)
{
	static const int passing[] = { EINTR, EAGAIN };
	struct tcp_client c = make_client();
	struct tcp_work work;
	char bytes[8];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		send_queries(1);
		c.readable = true;
		next_error = passing[i];
		assert_int_equal(serve_share(&c, &work), i ? TCP_CLIENT_WAITS : TCP_CLIENT_MORE);
		assert_int_equal(n_answered, i);
		c.readable = true; /* after EAGAIN an event says so */
		assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
		assert_int_equal(n_answered, i + 1);
		assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), 4);
	}
	c.out_at = 0;
	for (unsigned i = 0; i < 3; i++) {
		static const int errors[] = { EINTR, ENOBUFS, EPIPE };

		memcpy(buffers.out, "\0\2ab", 4);
		c.n_out = 4;
		c.readable = c.waits = false;
		next_error = errors[i];
		assert_int_equal(serve_share(&c, &work),
		                 i == 2 ? TCP_CLIENT_DONE : TCP_CLIENT_WAITS);
		assert_int_equal(c.waits, i == 1); /* for an event: nothing is lost */
		assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), i == 0 ? 4 : -1);
	}
	close_client(&c);
}

/* Say all to a server in pieces of @p piece bytes, and hear its answers. */
static void send_pieces(const uint8_t *said, size_t n, size_t piece)
{
	struct tcp_client c = make_client();
	struct tcp_work work;
	uint8_t heard[4096];
	size_t n_heard = 0;
	ssize_t got;

	for (size_t at = 0; at < n || n_heard < n;) {
		size_t part = n - at < piece ? n - at : piece;

		if (part)
			assert_int_equal(send(peer, said + at, part, MSG_NOSIGNAL), part);
		at += part;
		c.readable = true;
		while (serve_share(&c, &work) == TCP_CLIENT_MORE)
			assert_true(work.n_queries <= CLIENT_QUERIES);
		got = recv(peer, heard + n_heard, sizeof(heard) - n_heard, MSG_DONTWAIT);
		n_heard += got > 0 ? (size_t)got : 0;
		assert_true(at < n || n_heard == n);
	}
	assert_memory_equal(heard, said, n);
	assert_int_equal(c.n_in, 0);
	assert_int_equal(c.n_out, 0);
	close_client(&c);
}

/* However a stream is cut, each query has its answer, in order. */
static void a_stream_may_be_cut_anywhere(void **state)
{
	uint8_t said[1500];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		size_t length = 1 + i * i % 41;

		said[n++] = 0;
		said[n++] = (uint8_t)length;
		for (size_t k = 0; k < length; k++)
			said[n++] = (uint8_t)(i * 7 + k);
	}
	said[n++] = 1; /* one over 255 bytes */
	said[n++] = 4;
	memset(said + n, 'l', 260);
	n += 260;
	for (size_t piece = 1; piece <= 70; piece++)
		send_pieces(said, n, piece);
	send_pieces(said, n, n);
}

/* What waits to be sent is bounded: no more is answered until it has gone. */
static void answers_that_fill_the_buffer_are_sent_before_more_are_made(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;

	(void)state;
	answer_more = TCP_OUT_SOFT / 2 - 2; /* with length and query half of it, and two bytes */
	send_queries(6);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_MORE);
	assert_int_equal(work.n_queries, 2);
	assert_true(c.large);
	answer_more = TCP_OUT_SOFT / 2 - 5; /* one byte less than half: a third one is begun */
	n_answered = 0;
	(void)serve_share(&c, &work);
	assert_int_equal(n_answered, 3);
	answer_more = 0;
	close_client(&c);
}

/* An answer that its client does not take is kept, and nothing is read meanwhile. */
static void who_does_not_read_is_not_answered_more(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;
	int small = 4096, turns = 0;
	char bytes[65536];
	size_t heard = 0;
	ssize_t got;

	(void)state;
	assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	answer_more = 60000;
	send_queries(1);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_true(c.waits && c.n_out > 0);
	assert_false(work.progress);
	send_queries(1);
	c.readable = true;
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_int_equal(n_answered, 1);
	while (heard < 60004 && turns++ < 1000) {
		while ((got = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
			heard += (size_t)got;
		if (heard < 60004) {
			c.waits = false; /* as an event says */
			c.readable = false;
			(void)serve_share(&c, &work);
		}
	}
	assert_int_equal(heard, 60004);
	assert_int_equal(n_answered, 1);
	assert_true(work.progress);
	answer_more = 0;
	c.readable = true;
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_int_equal(n_answered, 2);
	close_client(&c);
}

/* Good queries before nonsense have their answers. */
static void nonsense_does_not_cost_what_came_before(void **state)
{
	struct tcp_client c = make_client();
	struct tcp_work work;
	char bytes[64];

	(void)state;
	send_queries(1);
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_WAITS);
	assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), 4);
	is_good = false;
	send_queries(3);
	c.readable = true;
	n_answered = 0;
	assert_int_equal(serve_share(&c, &work), TCP_CLIENT_BAD);
	assert_int_equal(n_answered, 1); /* the rest is not even looked at */
	assert_int_equal(recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
	is_good = true;
	close_client(&c);
}

static void a_supervisor_is_known_by_its_channel(void **state)
{
	(void)state;
	place_of_channel = -ENOENT;
	assert_int_equal(handed_channel(), -ENOENT); /* alone */
	for (int fd = 0; fd < 4; fd += 3) {
		place_of_channel = fd;
		assert_int_equal(handed_channel(), fd);
	}
	place_of_channel = -ENOENT;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_come_into_their_places_and_leave_nothing_behind),
		cmocka_unit_test(the_socket_of_an_address_is_found_whatever_lies_before_it),
		cmocka_unit_test(a_name_of_any_length_is_one),
		cmocka_unit_test(an_error_of_the_channel_is_taken_for_what_it_is),
		cmocka_unit_test(an_end_that_was_announced_is_read),
		cmocka_unit_test(who_has_said_all_waits_for_an_event),
		cmocka_unit_test(a_share_of_a_turn_has_an_end),
		cmocka_unit_test(half_a_query_is_kept_and_nonsense_ends_it),
		cmocka_unit_test(what_interrupts_a_client_costs_it_nothing),
		cmocka_unit_test(a_stream_may_be_cut_anywhere),
		cmocka_unit_test(answers_that_fill_the_buffer_are_sent_before_more_are_made),
		cmocka_unit_test(who_does_not_read_is_not_answered_more),
		cmocka_unit_test(nonsense_does_not_cost_what_came_before),
		cmocka_unit_test(a_supervisor_is_known_by_its_channel),
	};

	return cmocka_run_group_tests_name("dns parts", tests, NULL, NULL);
}
