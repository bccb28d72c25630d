/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peers that answer from a table, at once and in the order in which they are asked: what libcurl is given, and what it says, are
 * the test's, and so is the time (told_time.h). A suite includes this once, and begins with told_peers_begin().
 */
#ifndef WEIR_TESTS_MGMT_TOLD_PEERS_H
#define WEIR_TESTS_MGMT_TOLD_PEERS_H

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

/* The requests; a test begins again with n_asked. */
static struct {
	CURL *easy;
	char url[512], body[32768];
	long timeout_ms, status;
	CURLMsg said;
	bool is_added, is_said;
} asked[64];
static size_t n_asked;

/* What libcurl's user set for all requests by a handle. */
static struct told_handle {
	CURL *easy;
	curl_write_callback write;
	curl_read_callback read;
	void *out, *in, *private;
} told_handles[64];
static size_t n_told_handles;

static inline struct told_handle *find_handle(CURL *easy)
{
	const size_t max = sizeof(told_handles) / sizeof(told_handles[0]);

	for (size_t i = 0; i < n_told_handles && i < max; i++)
		if (told_handles[i].easy == easy)
			return &told_handles[i];
	struct told_handle *h = &told_handles[n_told_handles++ % max];

	*h = (struct told_handle){ .easy = easy };
	return h;
}

/* The last request by this handle; n_asked: there is none. */
static inline size_t told_index(const CURL *easy)
{
	for (size_t i = n_asked; i--;)
		if (asked[i].easy == easy)
			return i;
	return n_asked;
}

static inline void note_pointer(CURL *easy, CURLoption what, void *value)
{
	struct told_handle *h = find_handle(easy);

	if (what == CURLOPT_URL) {
		assert_true(n_asked < sizeof(asked) / sizeof(asked[0]));
		memset(&asked[n_asked], 0, sizeof(asked[0]));
		asked[n_asked].easy = easy;
		snprintf(asked[n_asked++].url, sizeof(asked[0].url), "%s", (const char *)value);
	}
	if (what == CURLOPT_POSTFIELDS) {
		size_t i = told_index(easy), n = strlen(asked[i].url);
		const char *ask = strstr(value, "\"ask\":\"");

		snprintf(asked[i].body, sizeof(asked[0].body), "%s", (const char *)value);
		if (ask)
			snprintf(asked[i].url + n, sizeof(asked[0].url) - n, " %.*s",
			         (int)strcspn(ask + 7, "\""), ask + 7);
	}
	if (what == CURLOPT_WRITEFUNCTION)
		memcpy(&h->write, &value, sizeof(value));
	if (what == CURLOPT_READFUNCTION)
		memcpy(&h->read, &value, sizeof(value));
	if (what == CURLOPT_WRITEDATA)
		h->out = value;
	if (what == CURLOPT_READDATA)
		h->in = value;
	if (what == CURLOPT_PRIVATE)
		h->private = value;
}

static CURLcode own_curl_easy_setopt(CURL *easy, CURLoption what, void *value)
{
	if (what == CURLOPT_TIMEOUT_MS)
		asked[told_index(easy)].timeout_ms = (long)(intptr_t)value;
	else if (what >= CURLOPTTYPE_OBJECTPOINT && what < CURLOPTTYPE_OFF_T)
		note_pointer(easy, what, value);
	return CURLE_OK;
}

static CURLcode own_curl_easy_getinfo(CURL *easy, CURLINFO what, void *out)
{
	if (what == CURLINFO_PRIVATE)
		*(void **)out = find_handle(easy)->private;
	else
		*(long *)out = asked[told_index(easy)].status;
	return CURLE_OK;
}

static CURLMcode own_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	asked[told_index(easy)].is_added = true;
	return CURLM_OK;
}

static CURLMcode own_curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	size_t i = told_index(easy);

	(void)multi;
	if (i < n_asked)
		asked[i].is_added = false;
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

static inline void answer_one(size_t i)
{
	const struct told_handle *h = find_handle(asked[i].easy);
	size_t n = strlen(asked[i].url);

	if (h->read)
		(void)h->read(asked[i].body, 1, sizeof(asked[0].body) - 1, h->in);
	asked[i].is_said = true;
	asked[i].said = (CURLMsg){ .msg = CURLMSG_DONE, .easy_handle = asked[i].easy };
	asked[i].said.data.result = CURLE_COULDNT_CONNECT;
	char *text =
	        told_answer ? told_answer(asked[i].url, asked[i].body, &asked[i].status) : NULL;

	if (text) {
		asked[i].said.data.result = CURLE_OK;
		h->write(text, 1, strlen(text), h->out);
		free(text);
		return;
	}
	for (const struct told_row *row = told_rows; row && row->path; row++) {
		size_t n_path = strlen(row->path);

		if (n < n_path || strcmp(asked[i].url + n - n_path, row->path) != 0)
			continue;
		asked[i].said.data.result = CURLE_OK;
		asked[i].status = row->json ? 200 : row->status;
		if (row->json)
			h->write((char *)(uintptr_t)row->json, 1, strlen(row->json), h->out);
		return;
	}
}

static CURLMsg *own_curl_multi_info_read(CURLM *multi, int *n_left)
{
	(void)multi;
	*n_left = 0;
	for (size_t i = 0; i < n_asked; i++)
		if (asked[i].is_added && !asked[i].is_said) {
			answer_one(i);
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
