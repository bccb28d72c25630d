/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP client's share of a turn, byte by byte: what is read and when, what is sent, and what the
 * kernel's errors mean.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "dns/tcp_internal.h"
#include "dns/zone/wire.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* What the client has sent and has not been read, and what it is sent. */
static struct {
	uint8_t said[70000], heard[70000];
	size_t n_said, at_said, n_heard, asked;
	size_t room;                /* so much more is taken */
	int read_error, send_error; /* of the next call */
	unsigned n_reads, n_sends;
} peer;

static uint64_t counted;
static unsigned n_answered;
static size_t more;     /* bytes of an answer beyond its query's */
static unsigned bad_at; /* the number of a query that is none; 0: all are */
static struct dns_worker worker;
static struct tcp_buffers buffers;
static struct tcp_client client;
static struct tcp_work share;

static ssize_t fake_recv(int fd, void *bytes, size_t n, int flags)
{
	size_t left = peer.n_said - peer.at_said, got = n < left ? n : left;

	assert_int_equal(fd, 42);
	assert_int_equal(flags, MSG_DONTWAIT);
	peer.asked = n;
	peer.n_reads++;
	if (peer.read_error) {
		errno = peer.read_error;
		peer.read_error = 0;
		return -1;
	}
	memcpy(bytes, peer.said + peer.at_said, got);
	peer.at_said += got;
	return (ssize_t)got;
}

static ssize_t fake_send(int fd, const void *bytes, size_t n, int flags)
{
	size_t taken = n < peer.room ? n : peer.room;

	assert_int_equal(fd, 42);
	assert_int_equal(flags, MSG_NOSIGNAL | MSG_DONTWAIT);
	assert_int_equal(counted, n_answered); /* who has an answer finds it counted */
	peer.n_sends++;
	if (peer.send_error || !taken) {
		errno = peer.send_error ? peer.send_error : EAGAIN;
		peer.send_error = 0;
		return -1;
	}
	memcpy(peer.heard + peer.n_heard, bytes, taken);
	peer.n_heard += taken;
	peer.room -= taken;
	return (ssize_t)taken;
}

static size_t fake_answer(struct dns_worker *w, const uint8_t *query, size_t length,
                          const struct addr *address, bool tcp, uint8_t *out, size_t out_size)
{
	assert_ptr_equal(w, &worker);
	assert_ptr_equal(address, &client.address);
	assert_true(tcp);
	assert_int_equal(out_size, ANSWER_MAX);
	assert_true(out + out_size <= buffers.out + sizeof(buffers.out));
	if (++n_answered == bad_at || length == 0) {
		tally_add(&w->tally, &counted, 1);
		return 0;
	}
	tally_add(&w->tally, &counted, 1);
	memcpy(out, query, length);
	memset(out + length, 'm', more);
	return length + more;
}

#define recv          fake_recv
#define send          fake_send
#define server_answer fake_answer
#include "dns/tcp_client.c"
#undef recv
#undef send

static int set_up(void **state)
{
	(void)state;
	memset(&peer, 0, sizeof(peer));
	memset(&worker, 0, sizeof(worker));
	peer.room = SIZE_MAX;
	counted = n_answered = bad_at = 0;
	more = 0;
	client = (struct tcp_client){ .fd = 42, .readable = true };
	return 0;
}

static enum tcp_client_end serve_share(void)
{
	share = (struct tcp_work){ 0 };
	peer.asked = peer.n_reads = peer.n_sends = 0;
	return tcp_client_serve(&worker, &client, &buffers, &share);
}

/* Say a message of @p length bytes 'q'. */
static void say_message(size_t length)
{
	wire_store16(peer.said + peer.n_said, (uint16_t)length);
	memset(peer.said + peer.n_said + 2, 'q', length);
	peer.n_said += 2 + length;
}

/* So much is read as the query that has begun needs, and not less than TCP_READ. */
static void reading_goes_as_far_as_the_query_that_has_begun(void **state)
{
	static const struct {
		size_t n_in;
		uint16_t length; /* in front of it */
		size_t asked;
	} cases[] = {
		{ 0, 0, TCP_READ },
		{ 1, 0xffff, TCP_READ - 1 },
		{ 2, 100, TCP_READ - 2 },
		{ 100, 100, TCP_READ - 100 },
		{ 2, TCP_READ - 3, TCP_READ - 2 },
		{ 2, TCP_READ - 2, TCP_READ - 2 },
		{ 2, TCP_READ - 1, TCP_READ - 1 },
		{ TCP_READ, 65535, 65537 - TCP_READ },
		{ 65536, 65535, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		client.readable = true;
		client.n_in = (uint32_t)cases[i].n_in;
		wire_store16(buffers.in, cases[i].length);
		peer.read_error = EAGAIN;
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(peer.asked, cases[i].asked);
		assert_int_equal(client.n_in, cases[i].n_in);
		assert_false(share.progress);
	}
	peer.n_said = 1; /* the last byte of the largest query */
	client.readable = true;
	assert_int_equal(serve_share(), TCP_CLIENT_MORE);
	assert_int_equal(n_answered, 1);
	assert_int_equal(client.n_in, 0);
	assert_int_equal(peer.n_heard, 65537);
}

/* Nothing is read while a whole query waits, or without an event. */
static void nothing_is_read_that_is_not_needed(void **state)
{
	(void)state;
	say_message(5);
	client.readable = false;
	assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
	assert_int_equal(peer.n_reads, 0);
	client.readable = true;
	memcpy(buffers.in, "\0\1x", 3);
	client.n_in = 3;
	assert_int_equal(serve_share(), TCP_CLIENT_MORE);
	assert_int_equal(peer.n_reads, 0);
	assert_int_equal(n_answered, 1);
	assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
	assert_int_equal(n_answered, 2);
}

/* What reading comes to: the next event says more, or there is more at once, or nobody is there. */
static void reading_ends_as_the_kernel_says(void **state)
{
	static const struct {
		int error;
		size_t n;
		bool ended;
		enum tcp_client_end end;
		bool readable;
	} cases[] = {
		{ EAGAIN, 0, false, TCP_CLIENT_WAITS, false },
		{ EAGAIN, 0, true, TCP_CLIENT_WAITS, false },
		{ EINTR, 0, false, TCP_CLIENT_MORE, true },
		{ ECONNRESET, 0, false, TCP_CLIENT_DONE, true },
		{ ETIMEDOUT, 0, false, TCP_CLIENT_DONE, true },
		{ 0, 0, false, TCP_CLIENT_DONE, true },
		{ 0, 1, false, TCP_CLIENT_WAITS, false },
		{ 0, TCP_READ - 1, false, TCP_CLIENT_WAITS, false },
		{ 0, TCP_READ, false, TCP_CLIENT_MORE, true },
		{ 0, 1, true, TCP_CLIENT_MORE, true },
	};

	(void)state;
	memset(peer.said, 0xff, sizeof(peer.said)); /* no query is whole */
	for (size_t i = 0; i < COUNT(cases); i++) {
		client = (struct tcp_client){ .fd = 42, .readable = true, .ended = cases[i].ended };
		peer.at_said = 0;
		peer.n_said = cases[i].n;
		peer.read_error = cases[i].error;
		assert_int_equal(serve_share(), cases[i].end);
		assert_int_equal(peer.n_reads, 1);
		assert_int_equal(client.readable, cases[i].readable);
		assert_int_equal(client.n_in, cases[i].n);
		assert_false(share.progress);
	}
}

/* What an error of send() means, of an answer that waited and of one that was just made. */
static void sending_ends_as_the_kernel_says(void **state)
{
	static const struct {
		int error;
		enum tcp_client_end end;
		bool waits;
	} cases[] = {
		{ EAGAIN, TCP_CLIENT_WAITS, true },    { ENOBUFS, TCP_CLIENT_WAITS, true },
		{ ENOMEM, TCP_CLIENT_WAITS, true },    { EINTR, TCP_CLIENT_WAITS, false },
		{ EPIPE, TCP_CLIENT_DONE, false },     { ECONNRESET, TCP_CLIENT_DONE, false },
		{ ETIMEDOUT, TCP_CLIENT_DONE, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (unsigned made = 0; made < 2; made++) {
			bool sent = cases[i].error == EINTR;

			(void)set_up(state);
			client.readable = made;
			client.n_out = made ? 0 : 6;
			if (made)
				say_message(4);
			peer.send_error = cases[i].error;
			assert_int_equal(serve_share(), cases[i].end);
			assert_int_equal(client.waits, cases[i].waits);
			assert_int_equal(peer.n_heard, sent ? 6 : 0);
			assert_int_equal(client.n_out, sent ? 0 : 6);
			assert_int_equal(peer.n_sends, 1 + sent);
			assert_int_equal(share.progress, sent);
			assert_int_equal(share.n_bytes, peer.n_heard);
		}
}

/* An answer goes out in pieces, each byte once; until it has gone nothing else is done. */
static void an_answer_may_go_out_in_pieces(void **state)
{
	static const size_t rooms[] = { 1, 3, 0, 7, 100 };

	(void)state;
	say_message(20);
	peer.said[2] = 'f';
	peer.said[21] = 'l';
	say_message(3); /* which is answered with it */
	peer.room = 0;
	assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
	assert_int_equal(share.n_queries, 2);
	assert_int_equal(share.n_bytes, 0);
	say_message(4);
	client.readable = true;
	for (size_t i = 0; i < COUNT(rooms); i++) {
		size_t before = peer.n_heard;

		assert_true(client.waits);
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(peer.n_sends, 0); /* there was no event */
		client.waits = false;
		peer.room = rooms[i];
		assert_int_equal(n_answered, 2);
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(share.progress, i == 4);
		assert_int_equal(share.n_bytes, peer.n_heard - before);
		assert_int_equal(client.out_at, i == 4 ? 0 : peer.n_heard);
	}
	assert_int_equal(client.n_out, 0);
	assert_int_equal(n_answered, 3);
	assert_int_equal(peer.n_heard, peer.n_said);
	assert_memory_equal(peer.heard, peer.said, peer.n_said);
}

/* All answers that waited have gone: that is progress without a query, too. */
static void progress_is_a_query_answered_and_taken(void **state)
{
	static const struct {
		const char *why;
		uint32_t n_out;
		size_t n_said, room;
		bool progress;
	} cases[] = {
		{ "nothing", 0, 0, 100, false },
		{ "half a query", 0, 5, 100, false },
		{ "a query", 0, 6, 100, true },
		{ "a query whose answer is not taken", 0, 6, 0, false },
		{ "or half of it", 0, 6, 5, false },
		{ "an answer that waited", 9, 0, 9, true },
		{ "but for a byte", 9, 0, 8, false },
		{ "it, and the next one", 9, 6, 15, true },
		{ "it, and not the next one", 9, 6, 14, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		(void)set_up(state);
		say_message(4);
		peer.n_said = cases[i].n_said;
		if (!peer.n_said)
			peer.read_error = EAGAIN;
		peer.room = cases[i].room;
		client.n_out = cases[i].n_out;
		(void)serve_share();
		assert_int_equal(share.progress, cases[i].progress);
	}
}

static void a_share_has_so_many_queries(void **state)
{
	(void)state;
	for (unsigned n = CLIENT_QUERIES - 1; n <= CLIENT_QUERIES + 1; n++) {
		(void)set_up(state);
		for (unsigned i = 0; i < n; i++)
			say_message(1 + i);
		assert_int_equal(serve_share(),
		                 n > CLIENT_QUERIES ? TCP_CLIENT_MORE : TCP_CLIENT_WAITS);
		assert_int_equal(share.n_queries, n > CLIENT_QUERIES ? CLIENT_QUERIES : n);
		assert_int_equal(client.n_in, n > CLIENT_QUERIES ? 2 + n : 0);
		assert_memory_equal(peer.heard, peer.said, peer.n_heard);
		assert_int_equal(peer.n_sends, 1); /* written together */
	}
}

/* What is no query ends the connection; answers before it are sent, and nothing for it. */
static void what_is_no_query_ends_it(void **state)
{
	(void)state;
	for (bad_at = 1; bad_at <= 3; bad_at++) {
		unsigned at = bad_at;

		(void)set_up(state);
		bad_at = at;
		for (unsigned i = 0; i < 4; i++)
			say_message(10);
		assert_int_equal(serve_share(), TCP_CLIENT_BAD);
		assert_int_equal(n_answered, at);
		assert_int_equal(peer.n_heard, 12 * (at - 1));
		assert_int_equal(share.n_queries, at);
	}
	(void)set_up(state);
	say_message(0); /* a length of 0 */
	assert_int_equal(serve_share(), TCP_CLIENT_BAD);
	(void)set_up(state);
	say_message(10);
	say_message(10);
	bad_at = 2;
	peer.room = 0; /* nobody reads: it is bad all the same */
	assert_int_equal(serve_share(), TCP_CLIENT_BAD);
}

static void who_used_more_than_the_first_pages_is_large(void **state)
{
	static const struct {
		size_t query, more;
		bool large;
	} cases[] = {
		{ LARGE - 2, 0, false }, /* with its length */
		{ LARGE - 1, 0, true },
		{ 10, LARGE - 12, false },
		{ 10, LARGE - 11, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)set_up(state);
		say_message(cases[i].query);
		more = cases[i].more;
		while (serve_share() == TCP_CLIENT_MORE)
			;
		assert_int_equal(n_answered, 1);
		assert_int_equal(client.large, cases[i].large);
		say_message(1); /* once large, always */
		client.readable = true;
		more = 0;
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(client.large, cases[i].large);
	}
}

/* Answers are gathered up to so many bytes; what is over is made after they have gone. */
static void as_much_is_gathered_as_there_is_room_for(void **state)
{
	static const struct {
		size_t more;
		unsigned n;
	} cases[] = { { TCP_OUT_SOFT / 2 - 13, 3 }, { TCP_OUT_SOFT / 2 - 12, 2 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)set_up(state);
		for (unsigned k = 0; k < 4; k++)
			say_message(10); /* with its length 12 */
		more = cases[i].more;
		assert_int_equal(serve_share(), TCP_CLIENT_MORE);
		assert_int_equal(n_answered, cases[i].n);
		assert_int_equal(peer.n_sends, 1);
	}
}

#define WITH(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(reading_goes_as_far_as_the_query_that_has_begun),
		WITH(nothing_is_read_that_is_not_needed),
		WITH(reading_ends_as_the_kernel_says),
		WITH(sending_ends_as_the_kernel_says),
		WITH(an_answer_may_go_out_in_pieces),
		WITH(progress_is_a_query_answered_and_taken),
		WITH(a_share_has_so_many_queries),
		WITH(what_is_no_query_ends_it),
		WITH(who_used_more_than_the_first_pages_is_large),
		WITH(as_much_is_gathered_as_there_is_room_for),
	};

	return cmocka_run_group_tests_name("dns tcp client", tests, NULL, NULL);
}
