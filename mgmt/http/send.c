/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a connection, and the way of an answer: laid out as one block, sent, and then the
 * next request or the end.
 */
#include "mgmt/http/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

#define PULSE_MAX      160u /* an interim answer with what is done */
#define LINGER_STEPS   32u  /* ends of lingering, spread over two seconds: see linger_ms() */
#define LINGER_STEP_MS 64u

/* The bytes of the connection, with TLS or without */

ssize_t http_read_bytes(struct http_conn *c, void *out, size_t n)
{
	enum http_tls_want want = HTTP_TLS_READ;
	ssize_t got;

	if (c->tls) {
		got = http_tls_read(c->tls, out, n, &want);
	} else {
		got = recv(c->fd, out, n, 0);
		if (got < 0)
			got = errno == EINTR ? -EAGAIN : -errno;
	}
	c->wants = want == HTTP_TLS_READ ? EPOLLIN : EPOLLOUT;
	return got;
}

ssize_t http_write_bytes(struct http_conn *c, const void *bytes, size_t n)
{
	enum http_tls_want want = HTTP_TLS_WRITE;
	ssize_t put;

	if (c->tls) {
		put = http_tls_write(c->tls, bytes, n, &want);
	} else {
		put = send(c->fd, bytes, n, MSG_NOSIGNAL);
		if (put < 0)
			put = errno == EINTR ? -EAGAIN : -errno;
	}
	c->wants = want == HTTP_TLS_READ ? EPOLLIN : EPOLLOUT;
	return put;
}

/* Answers */

static const char *phrase_of(unsigned status)
{
#define PHRASE(status_, phrase_) { status_, phrase_ },
	static const struct {
		unsigned status;
		const char *phrase;
	} phrases[HTTP_N_STATUSES] = { HTTP_STATUSES(PHRASE) };
#undef PHRASE

	for (size_t i = 0; i < HTTP_N_STATUSES; i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Unknown";
}

static void add_header(FILE *out, const char *name, const char *value)
{
	if (*value)
		fprintf(out, "%s: %s\r\n", name, value);
}

/*
 * The head of an answer with @p n bytes; what is written before (an interim answer) stays in
 * front.
 */
static void print_reply_head(FILE *out, const struct http_conn *c, size_t n)
{
	const struct http_reply *r = &c->reply;
	time_t now = (time_t)(clock_realtime_ms() / 1000);
	struct tm tm;
	char date[40];

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	fprintf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\n", r->status, phrase_of(r->status), date);
	if (r->status != 304)
		fprintf(out, "Content-Length: %zu\r\n", n);
	add_header(out, "Content-Type",
	           n == 0             ? ""
	           : r->text          ? r->type
	           : r->status >= 400 ? "application/problem+json"
	                              : "application/json");
	add_header(out, "ETag", r->etag);
	if (r->version)
		fprintf(out, "Weir-Version: %" PRIu64 "\r\n", r->version);
	add_header(out, "WWW-Authenticate", r->challenge);
	add_header(out, "Allow", r->allow);
	add_header(out, "Accept-Patch", r->accept_patch ? r->accept_patch : "");
	add_header(out, "Idempotent-Replay", r->replayed ? "true" : "");
	if (r->retry_s)
		fprintf(out, "Retry-After: %u\r\n", r->retry_s);
	add_header(out, "Connection", c->head.close ? "close" : "");
	fputs("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
	      "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n",
	      out);
}

static bool reserve_out(struct http_conn *c, size_t n)
{
	if (!http_budget_reserve(&c->server->answers, !c->known, n))
		return false;
	c->out_reserved += n;
	return true;
}

/* Lay out the bytes to send: the rest of an interim answer, the head, and the text. */
static bool lay_out_reply(struct http_conn *c)
{
	size_t n_text = c->text ? strlen(c->text) : 0, n_head = 0, n_left = c->n_out - c->at_out;
	char *head = NULL, *whole = NULL;
	FILE *out = open_memstream(&head, &n_head);
	bool with_text = c->reply.status != 304;

	if (!out)
		return false;
	print_reply_head(out, c, with_text ? n_text : 0);
	if (fclose(out) == 0)
		whole = malloc(n_left + n_head + n_text + 1);
	if (whole) {
		with_text &= !c->head.is_head;
		memcpy(whole, c->out ? c->out + c->at_out : "", n_left);
		memcpy(whole + n_left, head, n_head);
		memcpy(whole + n_left + n_head, c->text ? c->text : "", with_text ? n_text : 0);
		free(c->out);
		c->out = whole;
		c->at_out = 0;
		c->n_out = n_left + n_head + (with_text ? n_text : 0);
	}
	free(head);
	return whole != NULL;
}

void http_give_body(struct http_conn *c)
{
	http_budget_give(&c->server->bodies, !c->known, c->body_reserved);
	free(c->body);
	c->body = NULL;
	c->n_body = c->body_room = c->body_reserved = 0;
}

enum http_step http_send_reply(struct http_conn *c)
{
	http_give_body(c);
	if (!c->text)
		c->text = http_reply_text(&c->reply);
	if (!c->text || !reserve_out(c, strlen(c->text))) {
		free(c->text);
		http_problem(&c->reply, 503, "busy",
		             "too many answers are being sent at once; ask again in a second");
		c->reply.retry_s = 1;
		c->text = http_reply_text(&c->reply);
	}
	if (c->unread || c->server->stop_by_ms)
		c->head.close = true;
	http_server_count(c->server, c->reply.status);
	bool is_laid = lay_out_reply(c);
	free(c->text);
	c->text = NULL;
	http_reply_fini(&c->reply);
	if (!is_laid)
		return HTTP_END;
	http_enter(c, HTTP_WRITE, HTTP_WRITE_MS + c->n_out / HTTP_SLOWEST * 1000);
	return HTTP_GO_ON;
}

enum http_step http_refuse(struct http_conn *c, unsigned status, const char *code,
                           const char *detail)
{
	http_problem(&c->reply, status, code, "%s", detail);
	c->reply.retry_s = status == 429 || status == 503;
	c->unread = true;
	return http_send_reply(c);
}

/*
 * Send an interim answer: the request is being worked on. An unsent rest of it goes out with the
 * answer.
 */
void http_send_pulse(struct http_conn *c)
{
	const char *doing = atomic_load_explicit(&c->doing, memory_order_acquire);
	char pulse[PULSE_MAX];

	if (!c->head.progress || !c->server->options.local || c->at_out < c->n_out || c->gone ||
	    !c->server->options.is_moving(c->server->options.core))
		return;
	size_t n = (size_t)snprintf(pulse, sizeof(pulse), "HTTP/1.1 102 Processing\r\n%s%s%s\r\n",
	                            doing ? "Weir-Doing: " : "", doing ? doing : "",
	                            doing ? "\r\n" : "");
	ssize_t put = http_write_bytes(c, pulse, n);
	if (put > 0 && (size_t)put < n) {
		free(c->out);
		c->out = strdup(pulse + put);
		c->at_out = 0;
		c->n_out = c->out ? strlen(c->out) : 0;
	}
}

/* Sending, and the end */

void http_give_out(struct http_conn *c)
{
	http_budget_give(&c->server->answers, !c->known, c->out_reserved);
	free(c->out);
	c->out = NULL;
	c->n_out = c->at_out = c->out_reserved = 0;
}

/*
 * Spread the closes over time: the kernel discards all unread bytes of a connection in the closing
 * thread's time.
 */
static uint64_t linger_ms(struct http_server *s)
{
	return HTTP_LINGER_MS - s->n_lingered++ % LINGER_STEPS * LINGER_STEP_MS;
}

enum http_step http_step_write(struct http_conn *c)
{
	while (c->at_out < c->n_out) {
		ssize_t put = http_write_bytes(c, c->out + c->at_out, c->n_out - c->at_out);

		if (put == -EAGAIN)
			return HTTP_WAIT;
		if (put <= 0)
			return HTTP_END;
		c->at_out += (size_t)put;
	}
	http_give_out(c);
	free(c->request);
	c->request = NULL;
	if (!c->head.close) {
		if (c->n_in == 0) {
			free(c->in);
			c->in = NULL;
		}
		http_enter(c, HTTP_HEAD, c->known ? HTTP_IDLE_KNOWN_MS : HTTP_IDLE_MS);
		return HTTP_GO_ON;
	}
	if (c->tls)
		http_tls_shutdown(c->tls);
	if (!c->unread || shutdown(c->fd, SHUT_WR))
		return HTTP_END;
	http_enter(c, HTTP_LINGER, linger_ms(c->server));
	return HTTP_GO_ON;
}

/*
 * A close with unread bytes would reset the connection, and the client could lose the answer (RFC
 * 9112, 9.6).
 */
enum http_step http_step_linger(struct http_conn *c)
{
	/* with MSG_TRUNC, TCP throws bytes away without writing them here (tcp(7)) */
	static char dropped[HTTP_DROP_MAX];

	if (!http_server_drop_ok(c->server, c)) {
		c->wants = 0;
		c->resumes = true;
		return HTTP_WAIT;
	}
	ssize_t got = recv(c->fd, dropped, sizeof(dropped), MSG_TRUNC);

	c->wants = EPOLLIN;
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return HTTP_WAIT;
	return HTTP_END;
}
