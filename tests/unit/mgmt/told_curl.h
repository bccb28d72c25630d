/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libcurl is given, and what it says, are the test's, and so is the time (told_time.h): peers that answer from a table, at
 * once and in the order in which they are asked, and management (cli_management.h). A suite includes this once.
 */
#ifndef WEIR_TESTS_MGMT_TOLD_CURL_H
#define WEIR_TESTS_MGMT_TOLD_CURL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "tests/unit/mgmt/mgmt_answers.h"
#include "told_time.h"

/*
 * What is answered to a request whose address ends in @c path: JSON with status 200, or only a status. Behind the address of
 * the exchange there is what is asked, as in "/v1/peer/exchange store".
 */
struct told_row {
	const char *path, *json;
	long status;
};

static const struct told_row
        *told_rows;            /* ends with a path of NULL; who is not in it does not answer */
static uint64_t told_takes_ms; /* so long all answers take */
/* Asked before the table, where the test sets it. @return JSON, given; NULL: the table answers */
static char *(*told_answer)(const char *url, const char *body, long *status);

#define TOLD_MAX 64

/* The requests, of which the last ones are here; a test begins again with n_asked. */
static struct told_request {
	CURL *easy;
	char url[512], method[16], headers[1024];
	char *body; /* NULL: none */
	long timeout_ms, status, os_error;
	CURLMsg said;
	bool is_added, is_said;
} asked[TOLD_MAX + 1];
static size_t n_asked;

/* What libcurl's user set for all requests by a handle. */
static struct told_handle {
	CURL *easy;
	char socket[256];
	curl_write_callback write, header;
	curl_read_callback read;
	curl_xferinfo_callback progress;
	void *out, *header_out, *in, *progress_of, *private;
} told_handles[TOLD_MAX];
static size_t n_told_handles;

static inline struct told_handle *find_handle(CURL *easy)
{
	for (size_t i = 0; i < n_told_handles && i < TOLD_MAX; i++)
		if (told_handles[i].easy == easy)
			return &told_handles[i];
	struct told_handle *h = &told_handles[n_told_handles++ % TOLD_MAX];

	*h = (struct told_handle){ .easy = easy };
	return h;
}

/* The last request by this handle; where there is none, one that nobody sees. */
static inline struct told_request *told_request(const CURL *easy)
{
	for (size_t i = n_asked; i && n_asked - i < TOLD_MAX; i--)
		if (asked[(i - 1) % TOLD_MAX].easy == easy)
			return &asked[(i - 1) % TOLD_MAX];
	return &asked[TOLD_MAX];
}

static inline void told_begin_request(CURL *easy, const char *url)
{
	struct told_request *r = &asked[n_asked++ % TOLD_MAX];

	free(r->body);
	*r = (struct told_request){ .easy = easy };
	snprintf(r->url, sizeof(r->url), "%s", url);
}

static inline void told_note_headers(struct told_request *r, const struct curl_slist *list)
{
	size_t n = 0;

	for (; list && n < sizeof(r->headers); list = list->next)
		n += (size_t)snprintf(r->headers + n, sizeof(r->headers) - n, "%s\n", list->data);
}

static inline void told_note_body(struct told_request *r, const char *body)
{
	const char *query = strstr(body, "\"query\":\"");
	size_t n = strlen(r->url);

	free(r->body);
	r->body = strdup(body);
	if (query)
		snprintf(r->url + n, sizeof(r->url) - n, " %.*s", (int)strcspn(query + 9, "\""),
		         query + 9);
}

static CURLcode own_curl_easy_setopt(CURL *easy, CURLoption what, void *value)
{
	struct told_handle *h = find_handle(easy);
	struct told_request *r = told_request(easy);

	if (what == CURLOPT_URL)
		told_begin_request(easy, value);
	else if (what == CURLOPT_TIMEOUT_MS)
		r->timeout_ms = (long)(intptr_t)value;
	else if (what == CURLOPT_CUSTOMREQUEST)
		snprintf(r->method, sizeof(r->method), "%s", (const char *)value);
	else if (what == CURLOPT_HTTPHEADER)
		told_note_headers(r, value);
	else if (what == CURLOPT_POSTFIELDS)
		told_note_body(r, value);
	else if (what == CURLOPT_UNIX_SOCKET_PATH)
		snprintf(h->socket, sizeof(h->socket), "%s", (const char *)value);
	else if (what == CURLOPT_WRITEFUNCTION)
		h->write = (curl_write_callback)value;
	else if (what == CURLOPT_HEADERFUNCTION)
		h->header = (curl_write_callback)value;
	else if (what == CURLOPT_READFUNCTION)
		h->read = (curl_read_callback)value;
	else if (what == CURLOPT_XFERINFOFUNCTION)
		h->progress = (curl_xferinfo_callback)value;
	else if (what == CURLOPT_WRITEDATA)
		h->out = value;
	else if (what == CURLOPT_HEADERDATA)
		h->header_out = value;
	else if (what == CURLOPT_READDATA)
		h->in = value;
	else if (what == CURLOPT_XFERINFODATA)
		h->progress_of = value;
	else if (what == CURLOPT_PRIVATE)
		h->private = value;
	return CURLE_OK;
}

static CURLcode own_curl_easy_getinfo(CURL *easy, CURLINFO what, void *out)
{
	if (what == CURLINFO_PRIVATE)
		*(void **)out = find_handle(easy)->private;
	else
		*(long *)out = what == CURLINFO_OS_ERRNO ? told_request(easy)->os_error
		                                         : told_request(easy)->status;
	return CURLE_OK;
}

static CURLMcode own_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	told_request(easy)->is_added = true;
	return CURLM_OK;
}

static CURLMcode own_curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	told_request(easy)->is_added = false;
	return CURLM_OK;
}

static CURLMcode own_curl_multi_perform(CURLM *multi, int *running)
{
	(void)multi;
	told_ms += told_takes_ms;
	*running = 0;
	return CURLM_OK;
}

/* Nothing comes later: time passes. */
static CURLMcode own_curl_multi_poll(CURLM *multi, struct curl_waitfd *more, unsigned n_more,
                                     int wait_ms, int *n)
{
	(void)multi;
	(void)more;
	(void)n_more;
	(void)n;
	told_ms += (uint64_t)wait_ms;
	return CURLM_OK;
}

static inline void answer_one(struct told_request *r)
{
	const struct told_handle *h = find_handle(r->easy);
	size_t n = strlen(r->url);

	if (h->read && !r->body) {
		r->body = calloc(1, 32768);
		(void)h->read(r->body, 1, 32767, h->in);
	}
	r->is_said = true;
	r->said = (CURLMsg){ .msg = CURLMSG_DONE, .easy_handle = r->easy };
	r->said.data.result = CURLE_COULDNT_CONNECT;
	char *text = told_answer ? told_answer(r->url, r->body ? r->body : "", &r->status) : NULL;

	if (text) {
		r->said.data.result = CURLE_OK;
		h->write(text, 1, strlen(text), h->out);
		free(text);
		return;
	}
	for (const struct told_row *row = told_rows; row && row->path; row++) {
		size_t n_path = strlen(row->path);

		if (n < n_path || strcmp(r->url + n - n_path, row->path) != 0)
			continue;
		r->said.data.result = CURLE_OK;
		r->status = row->json ? 200 : row->status;
		if (row->json)
			h->write((char *)(uintptr_t)row->json, 1, strlen(row->json), h->out);
		return;
	}
}

static CURLMsg *own_curl_multi_info_read(CURLM *multi, int *n_left)
{
	(void)multi;
	*n_left = 0;
	assert_true(n_asked <= TOLD_MAX);
	for (size_t i = 0; i < n_asked; i++)
		if (asked[i].is_added && !asked[i].is_said) {
			answer_one(&asked[i]);
			return &asked[i].said;
		}
	return NULL;
}

/* In the suite, before a thread is started. */
static inline void told_peers_begin(void)
{
	told_time_begin(TOLD_APART);
	answer_curl_easy_getinfo = own_curl_easy_getinfo;
	answer_curl_easy_setopt = own_curl_easy_setopt;
	answer_curl_multi_add_handle = own_curl_multi_add_handle;
	answer_curl_multi_info_read = own_curl_multi_info_read;
	answer_curl_multi_perform = own_curl_multi_perform;
	answer_curl_multi_poll = own_curl_multi_poll;
	answer_curl_multi_remove_handle = own_curl_multi_remove_handle;
}

#endif
