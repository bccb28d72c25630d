/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection is a machine of few states (internal.h); a step either goes on, waits for the
 * socket, or ends it. Who asks is found out from the head alone: a body is read only for a request
 * that may be answered, and within a budget. What has waited for its body or for a thread is judged
 * once more before it is carried out.
 */
#include "mgmt/http/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "weir/stats.h"

#define STEPS_MAX    64u /* of one connection in a turn */
#define STEPS_MANY   8u  /* of a stranger's, of which there may be hundreds with large bodies */
#define READ_MAX     ((size_t)16 << 10) /* bytes in a step */
#define CHUNKED_ROOM ((size_t)64 << 10) /* of a body in chunks, at first */
#define WIDE_RCVBUF  (4 << 20)          /* bytes; net.core.rmem_max bounds it */
#define PAUSE_MS     50u                /* of one that has to wait for a token */

/*
 * Failed logins of one source. A token has 256 random bits, so this protects the log, and tokens
 * that people made up.
 */
static const struct http_rate failures = { 10, 1 };

static uint64_t now_of(const struct http_conn *c)
{
	return loop_now_ms(c->server->loop);
}

/* The handshake */

static enum http_step step_handshake(struct http_conn *c)
{
	enum http_tls_want want = HTTP_TLS_READ;

	if (!c->shook && !http_server_handshake_ok(c->server, c)) {
		c->wants = 0;
		c->resumes = true;
		return HTTP_WAIT;
	}
	c->shook = true;
	int err = http_tls_accept(c->tls, &want);
	c->wants = want == HTTP_TLS_READ ? EPOLLIN : EPOLLOUT;
	if (err == -EAGAIN)
		return HTTP_WAIT;
	if (err)
		return HTTP_END;
	http_enter(c, HTTP_HEAD, HTTP_HEAD_MS);
	return HTTP_GO_ON;
}

/* The head */

static void note_failed_login(struct http_conn *c, const struct http_denial *denied)
{
	char source[ADDR_TEXT_MAX];

	stats_add(c->server->options.counters->logins_failed, 1);
	http_tokens_spend(&c->source->failures, failures, now_of(c));
	log_warn("login-failed", "source=%s reason=\"%s\"", addr_text(&c->source->key, source),
	         denied ? denied->text : "Authorization is not a valid token");
}

/*
 * Authenticate the client, @p again where it had passed before. @return whether the request may go
 * on; else @p step is that of the refusal
 */
static bool authenticate_client(struct http_conn *c, bool again, enum http_step *step)
{
	struct http_server *s = c->server;
	bool tries = c->head.has_login && !s->options.local;

	/* Peers are spared: a client that shares an address with a peer must not lock it out. */
	if (tries && !again && !c->known &&
	    !http_tokens_left(&c->source->failures, failures, now_of(c))) {
		stats_add(s->options.counters->logins_failed, 1);
		*step = http_refuse(c, 429, "too-many-requests",
		                    "too many failed logins from this address; ask again later");
		return false;
	}
	c->request->role = HTTP_NO_ROLE;
	c->request->unjudged = c->request->is_scoped = false;
	c->request->denied = NULL;
	c->request->principal[0] = c->request->identity[0] = c->request->person[0] = '\0';
	if (c->tls)
		http_tls_read_client(c->tls, http_server_tls(s), &c->request->client);
	s->options.authenticator(s->options.core, c->fd, c->head.has_login ? c->head.login : NULL,
	                         c->request);
	if (c->request->role == HTTP_PEER && !again) /* later its body is a stranger's */
		http_server_know(s, c);
	const struct http_denial *denied = c->request->denied;
	if ((!tries && !denied) || c->request->role != HTTP_NO_ROLE || c->request->unjudged)
		return true;

	note_failed_login(c, denied);
	if (!denied || denied->status == 401)
		snprintf(c->reply.challenge, sizeof(c->reply.challenge), "%s realm=\"weir\"",
		         strcmp(c->request->path, "/") ? "Bearer" : "Basic");
	*step = denied ? http_refuse(c, denied->status, denied->code, denied->text)
	               : http_refuse(c, 401, "unauthorized", "the token is not valid");
	return false;
}

/* Judge by the head whether the request may go on; @p again and the result as above. */
static bool judge_request(struct http_conn *c, bool again, enum http_step *step)
{
	struct http_options *o = &c->server->options;

	c->judged_ms = now_of(c);
	if (!authenticate_client(c, again, step))
		return false;
	if (o->gate(o->core, c->request, &c->reply))
		return true;
	c->unread |= c->request->role == HTTP_NO_ROLE;
	*step = http_send_reply(c);
	return false;
}

static enum http_step refuse_large(struct http_conn *c)
{
	return http_refuse(c, 413, "too-large", "the body is larger than 33554432 bytes (32 MiB)");
}

static enum http_step refuse_crowded(struct http_conn *c)
{
	return http_refuse(c, 503, "busy",
	                   "too many request bodies at once; ask again in a second");
}

/* Reserve @p room bytes for a body, within the budget. @return whether there was room */
static bool reserve_body_room(struct http_conn *c, size_t room)
{
	if (!http_budget_reserve(&c->server->bodies, !c->known, room - c->body_reserved))
		return false;
	c->body_reserved = room;
	char *body = realloc(c->body, room + 1);
	if (!body)
		return false;
	c->body = body;
	c->body_room = room;
	return true;
}

/*
 * A body that will be read may use the whole line: undo the small receive buffer of serve.c.
 */
static void widen_receive_buffer(const struct http_conn *c)
{
	int any = 0, wide = WIDE_RCVBUF;

	if (setsockopt(c->fd, SOL_SOCKET, SO_BUF_LOCK, &any, sizeof(any))) /* before Linux 5.14 */
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &wide, sizeof(wide));
}

/* The time of a body of which @p n bytes are known. */
static uint64_t time_body_ms(size_t n)
{
	return HTTP_BODY_MS + n / HTTP_SLOWEST * 1000;
}

/* Make room for the body. @return HTTP_GO_ON, or what http_refuse() says */
static enum http_step begin_body(struct http_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->head.n_body > HTTP_BODY_MAX)
		return refuse_large(c);
	if (!reserve_body_room(c, c->head.chunked ? CHUNKED_ROOM : (size_t)c->head.n_body))
		return refuse_crowded(c);
	if (!c->server->options.local && !c->known && c->request->role != HTTP_NO_ROLE)
		widen_receive_buffer(c);
	if (c->head.expects && c->n_in == 0 &&
	    http_write_bytes(c, go_on, sizeof(go_on) - 1) != (ssize_t)sizeof(go_on) - 1)
		return HTTP_END;
	http_enter(c, HTTP_BODY, time_body_ms((size_t)c->head.n_body));
	return HTTP_GO_ON;
}

/* The request has been read: it waits for a thread. */
static enum http_step queue_request(struct http_conn *c)
{
	c->request->body = c->body ? c->body : "";
	c->request->n_body = c->n_body;
	if (c->body)
		c->body[c->n_body] = '\0';
	http_enter(c, HTTP_QUEUED, HTTP_QUEUE_MS);
	return HTTP_GO_ON;
}

/* A head of @p n bytes has arrived: decide all that can be decided without the body. */
static enum http_step accept_head(struct http_conn *c, size_t n)
{
	struct http_server *s = c->server;
	struct http_fault fault = { 0 };

	c->request = calloc(1, sizeof(*c->request));
	if (!c->request)
		return http_refuse(c, 503, "busy", "out of memory");
	c->head = (struct http_head){ 0 };
	c->chunks = (struct http_chunks){ 0 };
	bool ok = http_parse_head(c->in, n, &c->head, c->request, &fault);
	c->n_in -= n;
	c->n_scanned = 0;
	memmove(c->in, c->in + n, c->n_in);
	if (!ok)
		return http_refuse(c, fault.status, fault.code, fault.detail);
	c->request->gone = &c->gone;
	c->request->doing = &c->doing;
	atomic_store(&c->doing, NULL);
	c->request->local = s->options.local;
	c->unread = c->head.n_body > 0 || c->head.chunked;
	enum http_step step;
	if (!judge_request(c, false, &step))
		return step;
	if (c->unread && !http_method_has_body(c->request->method))
		return http_refuse(c, 400, "bad-request",
		                   "a GET or DELETE request must not have a body");
	return c->unread ? begin_body(c) : queue_request(c);
}

/*
 * The end is looked for before more is read: the head of a further request may have come with the
 * last one.
 */
static enum http_step step_head(struct http_conn *c)
{
	struct http_fault fault = { 0 };

	if (c->n_in > c->n_scanned) {
		ssize_t n = http_parse_end(c->in, c->n_in, c->n_scanned, &fault);

		c->n_scanned = c->n_in;
		if (n < 0)
			c->head = (struct http_head){ 0 };
		if (n)
			return n < 0 ? http_refuse(c, fault.status, fault.code, fault.detail)
			             : accept_head(c, (size_t)n);
	}
	if (!c->in)
		c->in = malloc(HTTP_HEAD_MAX);
	if (!c->in)
		return HTTP_END;
	ssize_t got = http_read_bytes(c, c->in + c->n_in, HTTP_HEAD_MAX - c->n_in);
	if (got == -EAGAIN)
		return HTTP_WAIT;
	if (got <= 0)
		return HTTP_END;
	if (c->n_in == 0) {
		http_enter(c, HTTP_HEAD, HTTP_HEAD_MS);
		c->head = (struct http_head){ 0 };
	}
	c->n_in += (size_t)got;
	return HTTP_GO_ON;
}

/* The body */

static bool append_body(struct http_conn *c, const char *data, size_t n)
{
	size_t need = c->n_body + n, room = c->body_room;

	while (room < need)
		room *= 2;
	if (need > HTTP_BODY_MAX || (room > c->body_room && !reserve_body_room(c, room)))
		return false;
	memcpy(c->body + c->n_body, data, n);
	c->n_body += n;
	c->deadline_ms = c->since_ms + time_body_ms(c->n_body);
	return true;
}

/*
 * Decode what is in the input. @return HTTP_GO_ON at the end of the body or with a problem,
 * HTTP_WAIT: more is needed
 */
static enum http_step decode_chunks(struct http_conn *c)
{
	enum http_chunks_result got = HTTP_CHUNKS_DATA;
	size_t at = 0;

	while (got == HTTP_CHUNKS_DATA) {
		const char *data = NULL;
		size_t used = 0, n = 0;

		got = http_chunks_read(&c->chunks, c->in + at, c->n_in - at, &used, &data, &n);
		at += used;
		if (got != HTTP_CHUNKS_DATA || append_body(c, data, n))
			continue;
		return c->n_body + n > HTTP_BODY_MAX ? refuse_large(c) : refuse_crowded(c);
	}
	c->n_in -= at;
	memmove(c->in, c->in + at, c->n_in);
	if (got == HTTP_CHUNKS_BAD)
		return http_refuse(c, 400, "bad-request", "the chunked body is malformed");
	if (got == HTTP_CHUNKS_MORE)
		return HTTP_WAIT;
	c->unread = false;
	return queue_request(c);
}

static enum http_step step_chunks(struct http_conn *c)
{
	enum http_step step = decode_chunks(c);

	if (step != HTTP_WAIT)
		return step;
	ssize_t got = http_read_bytes(c, c->in, HTTP_HEAD_MAX);
	if (got == -EAGAIN)
		return HTTP_WAIT;
	if (got <= 0)
		return HTTP_END;
	c->n_in = (size_t)got;
	return HTTP_GO_ON;
}

/*
 * The bytes that came with the head are used first; after that, reads go straight into the body's
 * own memory.
 */
static enum http_step step_body(struct http_conn *c)
{
	size_t left = (size_t)c->head.n_body - c->n_body;
	ssize_t got;

	if (c->head.chunked)
		return step_chunks(c);
	if (c->n_in > 0) { /* what came with the head */
		got = (ssize_t)(c->n_in < left ? c->n_in : left);
		memcpy(c->body + c->n_body, c->in, (size_t)got);
		c->n_in -= (size_t)got;
		memmove(c->in, c->in + got, c->n_in);
	} else {
		got = http_read_bytes(c, c->body + c->n_body, left < READ_MAX ? left : READ_MAX);
	}
	if (got == -EAGAIN)
		return HTTP_WAIT;
	if (got <= 0)
		return HTTP_END;
	c->n_body += (size_t)got;
	if (c->n_body < c->head.n_body)
		return HTTP_GO_ON;
	c->unread = false;
	return queue_request(c);
}

/* The handler */

static void run_handler(struct http_job *job)
{
	struct http_conn *c = (struct http_conn *)job;
	struct http_options *o = &c->server->options;

	o->handler(o->core, c->request, &c->reply);
	c->text = http_reply_text(&c->reply);
}

/* Whether the other end has closed, or will send nothing more. */
static bool has_hung_up(const struct http_conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static enum http_step step_queued(struct http_conn *c)
{
	struct http_server *s = c->server;
	bool apart = s->options.local ? c->known : c->request->role == HTTP_PEER;
	struct http_pool *pool = s->pools[apart];
	enum http_step step;

	c->wants = EPOLLRDHUP;
	if (has_hung_up(c))
		return HTTP_END; /* nobody would hear the answer: nothing is done */
	if ((!apart && c->source->n_runs >= s->limits->runs) || !http_pool_is_free(pool))
		return HTTP_WAIT;
	/* the token may have been revoked while the body came, or a thread was waited for */
	if (now_of(c) != c->judged_ms && !judge_request(c, true, &step))
		return step;
	http_enter(c, HTTP_RUNNING, HTTP_PULSE_MS);
	c->source->n_runs++;
	c->job.run = run_handler;
	if (http_pool_give(pool, &c->job)) {
		c->source->n_runs--;
		return http_refuse(c, 503, "busy", "no thread can be started");
	}
	return HTTP_WAIT;
}

/*
 * Keep the request until its bell has rung or the time is over; where too many are kept already,
 * the handler runs again at once.
 */
static void hold_answer(struct http_conn *c)
{
	struct http_server *s = c->server;
	uint64_t now_ms = now_of(c);

	c->hold = c->reply.hold;
	http_reply_fini(&c->reply);
	free(c->text);
	c->text = NULL;
	/* not the loop's time: its turn may have begun before the request came */
	c->request->held_ms = clock_mono_ms();
	bool holds = s->n_held < HTTP_HELD_MAX && c->hold.until_ms > now_ms &&
	             atomic_load(&s->options.bells->rung[c->hold.bell]) == c->hold.rung;
	http_enter(c, holds ? HTTP_HELD : HTTP_QUEUED,
	           holds ? c->hold.until_ms - now_ms : HTTP_QUEUE_MS);
	http_conn_advance(c);
}

void http_conn_release(struct http_conn *c)
{
	if (atomic_load(&c->server->options.bells->rung[c->hold.bell]) != c->hold.rung)
		http_enter(c, HTTP_QUEUED, HTTP_QUEUE_MS);
}

void http_conn_answered(struct http_conn *c)
{
	bool is_held = c->reply.hold.until_ms != 0;

	c->source->n_runs--;
	if (is_held && !c->server->stop_by_ms) {
		hold_answer(c);
		return;
	}
	free(c->request);
	c->request = NULL;
	if (!is_held && http_send_reply(c) == HTTP_GO_ON)
		http_conn_advance(c);
	else
		http_conn_close(c); /* at a stop, too, as what is held already */
}

void http_conn_close(struct http_conn *c)
{
	struct http_server *s = c->server;

	loop_timer_cancel(s->loop, &c->timer);
	if (c->watched)
		loop_fd_remove(s->loop, c->fd);
	s->n_queued -= c->state == HTTP_QUEUED;
	s->n_held -= c->state == HTTP_HELD;
	http_give_body(c);
	http_give_out(c);
	http_reply_fini(&c->reply);
	http_tls_close(c->tls);
	close(c->fd);
	http_server_forget(s, c);
	free(c->request);
	free(c->text);
	free(c->in);
	free(c);
}

/* The machine */

static enum http_step run_step(struct http_conn *c)
{
	switch (c->state) {
	case HTTP_HANDSHAKE:
		return step_handshake(c);
	case HTTP_HEAD:
		return step_head(c);
	case HTTP_BODY:
		return step_body(c);
	case HTTP_QUEUED:
		return step_queued(c);
	case HTTP_WRITE:
		return http_step_write(c);
	case HTTP_LINGER:
		return http_step_linger(c);
	case HTTP_HELD:
		c->wants = EPOLLRDHUP;
		return has_hung_up(c) ? HTTP_END : HTTP_WAIT;
	case HTTP_RUNNING:
		break;
	}
	return HTTP_WAIT;
}

/*
 * Watch what the connection waits for. One that waits for nothing is taken out of the loop: epoll
 * would report its hang-up again and again.
 */
static void watch_conn(struct http_conn *c);

static void on_conn_socket(void *arg, int fd, uint32_t events)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)events;
	if (c->state == HTTP_RUNNING) {
		c->gone = true;
		c->wants = 0;
		watch_conn(c);
		return;
	}
	http_conn_advance(c);
}

static void watch_conn(struct http_conn *c)
{
	struct loop *l = c->server->loop;

	if (!c->wants && c->watched)
		loop_fd_remove(l, c->fd);
	else if (c->wants && c->watched)
		loop_fd_set(l, c->fd, c->wants);
	else if (c->wants && loop_fd_add(l, c->fd, c->wants, on_conn_socket, c))
		c->deadline_ms = now_of(c); /* it cannot be watched: it ends now */
	c->watched = c->wants != 0;
}

/* End a connection whose time is over; a request that has begun gets an answer first. */
static enum http_step expire_conn(struct http_conn *c)
{
	if (c->state == HTTP_QUEUED)
		return http_refuse(c, 503, "busy",
		                   "too many requests at once; ask again in a second");
	stats_add(c->server->options.counters->timed_out, c->state != HTTP_HEAD || c->n_in > 0);
	if (c->state == HTTP_BODY || (c->state == HTTP_HEAD && c->n_in > 0))
		return http_refuse(c, 408, "timeout", "the request was not received in time");
	return HTTP_END;
}

static void on_conn_timer(void *arg)
{
	struct http_conn *c = arg;

	if (c->state == HTTP_RUNNING) {
		http_send_pulse(c);
		c->deadline_ms = now_of(c) + HTTP_PULSE_MS;
		(void)loop_timer_set(c->server->loop, &c->timer, c->deadline_ms);
		return;
	}
	if (c->state == HTTP_HELD && now_of(c) >= c->deadline_ms)
		http_enter(c, HTTP_QUEUED, HTTP_QUEUE_MS);
	if (now_of(c) >= c->deadline_ms && expire_conn(c) == HTTP_END) {
		http_conn_close(c);
		return;
	}
	http_conn_advance(c);
}

void http_conn_advance(struct http_conn *c)
{
	unsigned most = c->known ? STEPS_MAX : STEPS_MANY;
	enum http_step step = HTTP_GO_ON;
	uint64_t at_ms;

	c->resumes = false;
	for (unsigned i = 0; i < most && step == HTTP_GO_ON; i++)
		step = run_step(c);
	if (step == HTTP_END) {
		http_conn_close(c);
		return;
	}
	if (step == HTTP_GO_ON) { /* the others' turn */
		c->resumes = true;
		c->wants = 0;
	}
	watch_conn(c);
	bool waits = c->state == HTTP_HANDSHAKE || c->state == HTTP_LINGER;
	at_ms = c->resumes ? now_of(c) + (waits ? PAUSE_MS : 0) : c->deadline_ms;
	if (loop_timer_set(c->server->loop, &c->timer,
	                   at_ms < c->deadline_ms ? at_ms : c->deadline_ms) &&
	    c->state != HTTP_RUNNING)
		http_conn_close(c); /* without a deadline it could stay without end */
}

void http_conn_begin(struct http_conn *c)
{
	c->timer = (struct loop_timer){ .cb = on_conn_timer, .arg = c };
	http_enter(c, c->tls ? HTTP_HANDSHAKE : HTTP_HEAD, HTTP_HANDSHAKE_MS);
	c->wants = EPOLLIN;
	watch_conn(c);
	if (loop_timer_set(c->server->loop, &c->timer, c->deadline_ms))
		http_conn_close(c);
}
