/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what a client sends to the API's server, in pieces: however they are cut, the same requests are found, and
 * each is one that a strict reader takes for one request. The first byte says how long the pieces are.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/http/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define REQUESTS_MAX 32u

/* What was found in a stream: its requests one after the other, and why it ended. */
struct outcome {
	size_t n_requests;
	uint64_t digest; /* over the requests and their bodies */
	unsigned status; /* of the fault; 0: more is to come */
};

static void mix_outcome(struct outcome *o, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < n; i++)
		o->digest = (o->digest ^ at[i]) * 1099511628211u;
}

static void check_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	assert(n < size);
	for (size_t i = 0; i < n; i++)
		assert((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

/* A request that was taken is one that can be handed on. */
static void check_request(const struct http_head *head, const struct http_request *r)
{
	assert(*r->method && r->path[0] == '/');
	check_text(r->path, sizeof(r->path));
	assert(r->n_query <= HTTP_QUERY_MAX);
	for (size_t i = 0; i < r->n_query; i++) {
		check_text(r->query[i].name, sizeof(r->query[i].name));
		check_text(r->query[i].value, sizeof(r->query[i].value));
		assert(http_query(r, r->query[i].name) == r->query[i].value);
	}
	assert(strnlen(r->method, sizeof(r->method)) < sizeof(r->method));
	assert(strnlen(head->login, sizeof(head->login)) < sizeof(head->login));
	assert(!head->chunked || head->n_body == 0);
	assert(head->has_login || !*head->login);
}

/* The beginning of a stream, of which @p n bytes have come: a heap copy, so that reading beyond is seen. */
struct stream {
	char *bytes;
	size_t n, seen;
	struct http_head head;
	struct http_request request;
	struct http_chunks chunks;
	bool in_body;
	uint64_t left; /* of a body with a length */
};

static void drop_bytes(struct stream *s, size_t used)
{
	s->n -= used;
	memmove(s->bytes, s->bytes + used, s->n);
	s->seen = 0;
}

/* @return whether something was done */
static bool read_body(struct stream *s, struct outcome *o)
{
	const char *data = NULL;
	size_t used = 0, n = 0;

	if (!s->head.chunked) {
		used = s->n < s->left ? s->n : (size_t)s->left;
		mix_outcome(o, s->bytes, used);
		s->left -= used;
		s->in_body = s->left > 0;
		drop_bytes(s, used);
		return used > 0 || !s->in_body;
	}
	switch (http_chunks_read(&s->chunks, s->bytes, s->n, &used, &data, &n)) {
	case HTTP_CHUNKS_DATA:
		assert(n > 0 && data >= s->bytes && data + n <= s->bytes + s->n);
		mix_outcome(o, data, n);
		break;
	case HTTP_CHUNKS_END:
		s->in_body = false;
		break;
	case HTTP_CHUNKS_BAD:
		o->status = 400;
		return false;
	case HTTP_CHUNKS_MORE:
		assert(used == s->n);
		break;
	}
	assert(used <= s->n);
	drop_bytes(s, used);
	return used > 0;
}

static bool read_head(struct stream *s, struct outcome *o)
{
	struct http_fault fault = { 0 };
	ssize_t n = s->n > s->seen ? http_parse_end(s->bytes, s->n, s->seen, &fault) : 0;

	s->seen = s->n;
	if (n > 0) {
		memset(&s->head, 0, sizeof(s->head));
		memset(&s->request, 0, sizeof(s->request));
		memset(&s->chunks, 0, sizeof(s->chunks));
		if (http_parse_head(s->bytes, (size_t)n, &s->head, &s->request, &fault)) {
			check_request(&s->head, &s->request);
			mix_outcome(o, &s->request, sizeof(s->request));
			mix_outcome(o, &s->head, sizeof(s->head));
			o->n_requests++;
			s->left = s->head.n_body;
			s->in_body = s->head.chunked || s->left > 0;
			drop_bytes(s, (size_t)n);
			return true;
		}
		assert(fault.status >= 400 && fault.code && fault.detail);
	}
	assert(n >= 0 || fault.status >= 400);
	assert(n == 0 || fault.status);
	o->status = fault.status;
	return false;
}

static struct outcome read_stream(const uint8_t *bytes, size_t n, size_t piece)
{
	struct outcome o = { .digest = 14695981039346656037u };
	struct stream s = { 0 };

	for (size_t at = 0; at < n && !o.status && o.n_requests < REQUESTS_MAX;) {
		size_t more = piece < n - at ? piece : n - at;
		char *bigger = malloc(s.n + more);

		if (!bigger)
			abort();
		memcpy(bigger, s.bytes ? s.bytes : "", s.n);
		memcpy(bigger + s.n, bytes + at, more);
		free(s.bytes);
		s.bytes = bigger;
		s.n += more;
		at += more;
		while (!o.status && o.n_requests < REQUESTS_MAX &&
		       (s.in_body ? read_body(&s, &o) : read_head(&s, &o)))
			;
	}
	free(s.bytes);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;
	struct outcome whole = read_stream(bytes + 1, n - 1, n);
	struct outcome cut = read_stream(bytes + 1, n - 1, 1 + bytes[0] % 64);

	/* What ends a stream early may be seen before the request in front of it is whole: it is the same fault. */
	assert(whole.n_requests == cut.n_requests);
	assert(whole.digest == cut.digest || whole.status);
	assert((whole.status != 0) == (cut.status != 0));
	return 0;
}
