/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TCP client's share of a turn, in three steps: write what it has not read yet, answer the
 * whole queries in its buffer, and read more only if there is none. Answers are gathered and
 * written together. While an answer waits, nothing is answered and nothing is read: a client that
 * does not read costs its buffers, and no time.
 */
#include "dns/tcp_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "dns/zone/wire.h"

#define CLIENT_QUERIES 8 /* answered in a share: then the next client has its turn */
/* Bytes; buffers that held more are given back to the system at the end. */
#define LARGE (12u << 10)

/* Write what waits. @return false when the connection is gone */
static bool write_answers(struct tcp_client *c, struct tcp_buffers *b, struct tcp_work *work)
{
	while (c->out_at < c->n_out && !c->waits) {
		ssize_t n = send(c->fd, b->out + c->out_at, c->n_out - c->out_at,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
			return false;
		if (n < 0)
			c->waits = true;
		else
			c->out_at += (uint32_t)n, work->n_bytes += (size_t)n;
	}
	if (c->out_at == c->n_out)
		c->n_out = c->out_at = 0;
	return true;
}

/* Bytes of the message at @p from, with the length before it; 0: the length has not arrived yet. */
static size_t message_at(const struct tcp_client *c, const struct tcp_buffers *b, size_t from)
{
	return c->n_in - from < 2 ? 0 : 2u + wire_load16(b->in + from);
}

static bool has_query(const struct tcp_client *c, const struct tcp_buffers *b, size_t from)
{
	size_t length = message_at(c, b, from);

	return length && c->n_in - from >= length;
}

/*
 * Answer whole queries from the front of the buffer. @return false after a message that gets no
 * answer
 */
static bool answer_whole_queries(struct dns_worker *w, struct tcp_client *c, struct tcp_buffers *b,
                                 struct tcp_work *work)
{
	size_t from = 0;
	bool good = true;

	while (good && c->n_out < TCP_OUT_SOFT && work->n_queries < CLIENT_QUERIES &&
	       has_query(c, b, from)) {
		size_t length = message_at(c, b, from) - 2;
		uint8_t *out = b->out + c->n_out;
		size_t n = server_answer(w, b->in + from + 2, length, &c->address, true, out + 2,
		                         ANSWER_MAX);

		good = n > 0;
		wire_store16(out, (uint16_t)n);
		c->n_out += n ? 2 + (uint32_t)n : 0;
		from += 2 + length;
		work->n_queries++;
	}
	c->large |= c->n_out > LARGE;
	if (from)
		memmove(b->in, b->in + from, c->n_in - from);
	c->n_in -= (uint32_t)from;
	return good;
}

/*
 * Read once, at most to the end of the query that has begun. @return false at the end of the
 * stream
 */
static bool read_from_client(struct tcp_client *c, struct tcp_buffers *b)
{
	size_t want = message_at(c, b, 0), got;
	ssize_t n;

	if (want < TCP_READ)
		want = TCP_READ;
	got = want - c->n_in;
	n = recv(c->fd, b->in + c->n_in, got, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	/* Less than there was room for: the next byte, or the end, will be an event. */
	c->readable = n < 0 ? errno == EINTR : (size_t)n == got || c->ended;
	c->n_in += n < 0 ? 0 : (uint32_t)n;
	c->large |= c->n_in > LARGE;
	return true;
}

enum tcp_client_end tcp_client_serve(struct dns_worker *w, struct tcp_client *c,
                                     struct tcp_buffers *b, struct tcp_work *work)
{
	bool had_out = c->n_out > 0, good = true, open = true;

	if (!write_answers(c, b, work))
		return TCP_CLIENT_DONE;
	if (c->n_out)
		return TCP_CLIENT_WAITS;
	if (!has_query(c, b, 0) && c->readable)
		open = read_from_client(c, b);
	if (open)
		good = answer_whole_queries(w, c, b, work);
	tally_flush(&w->tally); /* a client that has its answer finds it counted */
	if (!open || !write_answers(c, b, work))
		return TCP_CLIENT_DONE;
	work->progress = c->n_out == 0 && (had_out || work->n_queries > 0);
	if (!good)
		return TCP_CLIENT_BAD;
	if (c->n_out)
		return TCP_CLIENT_WAITS;
	return has_query(c, b, 0) || c->readable ? TCP_CLIENT_MORE : TCP_CLIENT_WAITS;
}
