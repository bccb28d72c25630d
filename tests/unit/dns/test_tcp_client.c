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
#include "tests/unit/answers.h"
#include "tests/unit/dns/answers_scene.h"
#include "tests/unit/suite.h"

#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))
#define CLIENT_QUERIES 8u
#define LARGE          (12u << 10)
#define ANSWER_BYTES   60u /* of a usual answer, with the length before it */

/* What the client has sent and has not been read, what it is sent, and what it is to be sent. */
static struct {
	uint8_t said[70000], heard[70000], wanted[140000];
	size_t n_said, at_said, n_heard, n_wanted, asked;
	size_t room;                /* so much more is taken */
	int read_error, send_error; /* of the next call */
	unsigned n_reads, n_sends;
} peer;

static uint64_t counted;
static unsigned n_answered; /* in the shares before */
static struct proc_dirs dirs = { .node = "a" };
static struct server server = { .dirs = &dirs };
static struct dns_worker worker;
static struct tcp_buffers buffers;
static struct tcp_client client;
static struct tcp_work share;

static ssize_t own_recv(int fd, void *bytes, size_t n, int flags)
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

static ssize_t own_send(int fd, const void *bytes, size_t n, int flags)
{
	size_t taken = n < peer.room ? n : peer.room;

	assert_int_equal(fd, 42);
	assert_int_equal(flags, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* who has an answer finds it counted */
	assert_int_equal(counted, n_answered + share.n_queries);
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

static int set_up(void **state)
{
	(void)state;
	memset(&peer, 0, sizeof(peer));
	memset(&worker, 0, sizeof(worker));
	worker.server = &server;
	worker.serving = &answers_from;
	worker.queries = server.counters.drops[COUNTERS_DROP_MALFORMED] = &counted;
	peer.room = SIZE_MAX;
	counted = n_answered = 0;
	share = (struct tcp_work){ 0 };
	client = (struct tcp_client){ .fd = 42, .readable = true };
	return 0;
}

static int begin_scene(void **state)
{
	answers_size(ANSWER_BYTES - 2);
	return set_up(state);
}

static int end_scene(void **state)
{
	(void)state;
	answers_free();
	return 0;
}

static enum tcp_client_end serve_share(void)
{
	n_answered += share.n_queries;
	share = (struct tcp_work){ 0 };
	peer.asked = peer.n_reads = peer.n_sends = 0;
	return tcp_client_serve(&worker, &client, &buffers, &share);
}

/* Say a message of @p length bytes: with ANSWERS_QUERY a query, with 12 and more one that has an answer, too. */
static void say_message(size_t length)
{
	struct dns_worker other = { .server = &server, .serving = &answers_from };
	uint8_t *at = peer.said + peer.n_said, *wanted = peer.wanted + peer.n_wanted;
	uint8_t query[ANSWERS_QUERY];
	size_t n = answers_query((uint16_t)peer.n_said, query);

	wire_store16(at, (uint16_t)length);
	memset(at + 2, 'q', length);
	memcpy(at + 2, query, n < length ? n : length);
	peer.n_said += 2 + length;
	n = server_answer(&other, at + 2, length, &client.address, true, wanted + 2, ANSWER_MAX);
	wire_store16(wanted, (uint16_t)n);
	peer.n_wanted += n ? 2 + n : 0;
}

/* What is in the buffer: a message of @p length bytes, of which @p n are there with its length. */
static void have_read(size_t n, uint16_t length)
{
	memset(buffers.in, 0, sizeof(buffers.in));
	wire_store16(buffers.in, length);
	client.n_in = (uint32_t)n;
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
		have_read(cases[i].n_in, cases[i].length);
		peer.read_error = EAGAIN;
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(peer.asked, cases[i].asked);
		assert_int_equal(client.n_in, cases[i].n_in);
		assert_false(share.progress);
	}
	peer.n_said = 1; /* the last byte of the largest query */
	client.readable = true;
	assert_int_equal(serve_share(), TCP_CLIENT_MORE);
	assert_int_equal(counted, 1);
	assert_int_equal(client.n_in, 0);
	assert_int_equal(peer.n_heard, 2 + 12); /* FORMERR */
}

/* Nothing is read while a whole query waits, or without an event. */
static void nothing_is_read_that_is_not_needed(void **state)
{
	(void)state;
	say_message(15);
	client.readable = false;
	assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
	assert_int_equal(peer.n_reads, 0);
	client.readable = true;
	have_read(14, 12);
	assert_int_equal(serve_share(), TCP_CLIENT_MORE);
	assert_int_equal(peer.n_reads, 0);
	assert_int_equal(counted, 1);
	assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
	assert_int_equal(counted, 2);
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
			client.n_out = made ? 0 : ANSWER_BYTES;
			if (made)
				say_message(ANSWERS_QUERY);
			peer.send_error = cases[i].error;
			assert_int_equal(serve_share(), cases[i].end);
			assert_int_equal(client.waits, cases[i].waits);
			assert_int_equal(peer.n_heard, sent ? ANSWER_BYTES : 0);
			assert_int_equal(client.n_out, sent ? 0 : ANSWER_BYTES);
			assert_int_equal(peer.n_sends, 1 + sent);
			assert_int_equal(share.progress, sent);
			assert_int_equal(share.n_bytes, peer.n_heard);
		}
}

/* An answer goes out in pieces, each byte once; until it has gone nothing else is done. */
static void an_answer_may_go_out_in_pieces(void **state)
{
	static const size_t rooms[] = { 1, 3, 0, 7, 200 };

	(void)state;
	say_message(ANSWERS_QUERY);
	say_message(13); /* which is answered with it */
	peer.room = 0;
	assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
	assert_int_equal(share.n_queries, 2);
	assert_int_equal(share.n_bytes, 0);
	say_message(14);
	client.readable = true;
	for (size_t i = 0; i < COUNT(rooms); i++) {
		size_t before = peer.n_heard;

		assert_true(client.waits);
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(peer.n_sends, 0); /* there was no event */
		client.waits = false;
		peer.room = rooms[i];
		assert_int_equal(counted, 2);
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(share.progress, i == 4);
		assert_int_equal(share.n_bytes, peer.n_heard - before);
		assert_int_equal(client.out_at, i == 4 ? 0 : peer.n_heard);
	}
	assert_int_equal(client.n_out, 0);
	assert_int_equal(counted, 3);
	assert_int_equal(peer.n_heard, peer.n_wanted);
	assert_memory_equal(peer.heard, peer.wanted, peer.n_wanted);
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
		{ "nothing", 0, 0, 200, false },
		{ "half a query", 0, 27, 200, false },
		{ "a query", 0, 28, 200, true },
		{ "a query whose answer is not taken", 0, 28, 0, false },
		{ "or half of it", 0, 28, ANSWER_BYTES - 1, false },
		{ "an answer that waited", 9, 0, 9, true },
		{ "but for a byte", 9, 0, 8, false },
		{ "it, and the next one", 9, 28, 9 + ANSWER_BYTES, true },
		{ "it, and not the next one", 9, 28, 8 + ANSWER_BYTES, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		(void)set_up(state);
		say_message(ANSWERS_QUERY);
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
			say_message(12 + i);
		assert_int_equal(serve_share(),
		                 n > CLIENT_QUERIES ? TCP_CLIENT_MORE : TCP_CLIENT_WAITS);
		assert_int_equal(share.n_queries, n > CLIENT_QUERIES ? CLIENT_QUERIES : n);
		assert_int_equal(client.n_in, n > CLIENT_QUERIES ? 2 + 12 + CLIENT_QUERIES : 0);
		assert_memory_equal(peer.heard, peer.wanted, peer.n_heard);
		assert_int_equal(peer.n_sends, 1); /* written together */
	}
}

/* However a stream is cut, each query has its answer, in order. */
static void a_stream_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= 1500; piece += piece < 70 ? 1 : 1430) {
		size_t n;

		(void)set_up(state);
		for (unsigned i = 0; i < 30; i++)
			say_message(12 + i * i % 41);
		say_message(260); /* one over 255 bytes */
		n = peer.n_said;
		for (peer.n_said = 0; peer.n_said < n;) {
			peer.n_said = n - peer.n_said < piece ? n : peer.n_said + piece;
			client.readable = true;
			while (serve_share() == TCP_CLIENT_MORE)
				assert_true(share.n_queries <= CLIENT_QUERIES);
		}
		assert_int_equal(counted, 31);
		assert_int_equal(peer.n_heard, peer.n_wanted);
		assert_memory_equal(peer.heard, peer.wanted, peer.n_wanted);
		assert_true(client.n_in == 0 && client.n_out == 0);
	}
}

/* What is no query ends the connection; answers before it are sent, and nothing for it. */
static void what_is_no_query_ends_it(void **state)
{
	(void)state;
	for (unsigned bad = 1; bad <= 4; bad++) {
		(void)set_up(state);
		for (unsigned i = 1; i <= 4; i++)
			say_message(i == bad ? 11 : ANSWERS_QUERY);
		peer.n_wanted = (bad - 1) * ANSWER_BYTES; /* the rest is not even looked at */
		assert_int_equal(serve_share(), TCP_CLIENT_BAD);
		assert_int_equal(counted, bad);
		assert_int_equal(peer.n_heard, peer.n_wanted);
		assert_int_equal(share.n_queries, bad);
	}
	(void)set_up(state);
	say_message(0); /* a length of 0 */
	assert_int_equal(serve_share(), TCP_CLIENT_BAD);
	(void)set_up(state);
	say_message(ANSWERS_QUERY);
	say_message(10);
	peer.room = 0; /* nobody reads: it is bad all the same */
	assert_int_equal(serve_share(), TCP_CLIENT_BAD);
}

static void who_used_more_than_the_first_pages_is_large(void **state)
{
	static const struct {
		size_t query, answer;
		bool large;
	} cases[] = {
		{ LARGE - 2, ANSWER_BYTES, false }, /* with its length */
		{ LARGE - 1, ANSWER_BYTES, true },
		{ ANSWERS_QUERY, LARGE, false },
		{ ANSWERS_QUERY, LARGE + 1, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		(void)set_up(state);
		answers_size(cases[i].answer - 2);
		say_message(cases[i].query);
		while (serve_share() == TCP_CLIENT_MORE)
			;
		assert_int_equal(counted, 1);
		assert_int_equal(client.large, cases[i].large);
		say_message(12); /* once large, always */
		client.readable = true;
		assert_int_equal(serve_share(), TCP_CLIENT_WAITS);
		assert_int_equal(client.large, cases[i].large);
	}
	answers_size(ANSWER_BYTES - 2);
}

/* Answers are gathered up to so many bytes; what is over is made after they have gone. */
static void as_much_is_gathered_as_there_is_room_for(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		(void)set_up(state);
		answers_size(TCP_OUT_SOFT / 2 - 3 + more);
		for (unsigned k = 0; k < 4; k++)
			say_message(ANSWERS_QUERY);
		assert_int_equal(serve_share(), TCP_CLIENT_MORE);
		assert_int_equal(share.n_queries, more ? 2 : 3);
		assert_int_equal(peer.n_sends, 1);
		assert_memory_equal(peer.heard, peer.wanted, peer.n_heard);
	}
	answers_size(ANSWER_BYTES - 2);
}

#define WITH(name) cmocka_unit_test_setup(name, set_up)

SUITE(tcp_client)
{
	const struct CMUnitTest tests[] = {
		WITH(reading_goes_as_far_as_the_query_that_has_begun),
		WITH(nothing_is_read_that_is_not_needed),
		WITH(reading_ends_as_the_kernel_says),
		WITH(sending_ends_as_the_kernel_says),
		WITH(an_answer_may_go_out_in_pieces),
		WITH(progress_is_a_query_answered_and_taken),
		WITH(a_share_has_so_many_queries),
		WITH(a_stream_may_be_cut_anywhere),
		WITH(what_is_no_query_ends_it),
		WITH(who_used_more_than_the_first_pages_is_large),
		WITH(as_much_is_gathered_as_there_is_room_for),
	};

	answer_recv = own_recv;
	answer_send = own_send;
	return cmocka_run_group_tests_name("dns tcp client", tests, begin_scene, end_scene);
}
