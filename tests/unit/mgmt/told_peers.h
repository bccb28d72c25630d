/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peers that answer from a table, at once and in the order in which they are asked: what libcurl is given, and what it says, are
 * the test's. It is linked with clock_gettime (told_time.h) and these calls of libcurl wrapped. A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_TOLD_PEERS_H
#define WEIR_TESTS_MGMT_TOLD_PEERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curl/curl.h>

#include "told_time.h"

/* What is answered to a request whose address ends in @c path: JSON with status 200, or only a status. */
struct told_row {
	const char *path, *json;
	long status;
};

static const struct told_row
        *told_rows;            /* ends with a path of NULL; who is not in it does not answer */
static uint64_t told_takes_ms; /* so long all answers take */

/* The requests; a test begins again with n_asked. */
static struct {
	CURL *easy;
	char url[512], body[4096];
	long timeout_ms, status;
	curl_write_callback write;
	void *out, *private;
	CURLMsg said;
	bool is_added, is_said;
} asked[16];
static size_t n_asked;

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption what, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO what, ...);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_perform(CURLM *multi, int *running);
CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *n_left);

/* The last request by this handle. */
static inline size_t told_index(const CURL *easy)
{
	size_t i = n_asked;

	while (i-- && asked[i].easy != easy)
		;
	assert_true(i < n_asked);
	return i;
}

static inline void note_pointer(CURL *easy, CURLoption what, void *value)
{
	if (what == CURLOPT_URL) { /* the first that a request sets */
		assert_true(n_asked < sizeof(asked) / sizeof(asked[0]));
		memset(&asked[n_asked], 0, sizeof(asked[0]));
		asked[n_asked].easy = easy;
		snprintf(asked[n_asked++].url, sizeof(asked[0].url), "%s", (const char *)value);
	}
	size_t i = told_index(easy);

	if (what == CURLOPT_POSTFIELDS)
		snprintf(asked[i].body, sizeof(asked[0].body), "%s", (const char *)value);
	if (what == CURLOPT_WRITEFUNCTION)
		memcpy(&asked[i].write, &value, sizeof(value));
	if (what == CURLOPT_WRITEDATA)
		asked[i].out = value;
	if (what == CURLOPT_PRIVATE)
		asked[i].private = value;
}

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption what, ...)
{
	va_list list;

	va_start(list, what);
	if (what == CURLOPT_TIMEOUT_MS)
		asked[told_index(easy)].timeout_ms = va_arg(list, long);
	else if (what >= CURLOPTTYPE_OBJECTPOINT && what < CURLOPTTYPE_OFF_T)
		note_pointer(easy, what, va_arg(list, void *));
	va_end(list);
	return CURLE_OK;
}

CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO what, ...)
{
	size_t i = told_index(easy);
	va_list list;

	va_start(list, what);
	if (what == CURLINFO_PRIVATE)
		*va_arg(list, void **) = asked[i].private;
	else
		*va_arg(list, long *) = asked[i].status;
	va_end(list);
	return CURLE_OK;
}

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	asked[told_index(easy)].is_added = true;
	return CURLM_OK;
}

CURLMcode __wrap_curl_multi_remove_handle(CURLM *multi, CURL *easy)
{
	(void)multi;
	asked[told_index(easy)].is_added = false;
	return CURLM_OK;
}

CURLMcode __wrap_curl_multi_perform(CURLM *multi, int *running)
{
	(void)multi;
	told_ms += told_takes_ms;
	*running = 0;
	return CURLM_OK;
}

static inline void answer_one(size_t i)
{
	size_t n = strlen(asked[i].url);

	asked[i].is_said = true;
	asked[i].said = (CURLMsg){ .msg = CURLMSG_DONE, .easy_handle = asked[i].easy };
	asked[i].said.data.result = CURLE_COULDNT_CONNECT;
	for (const struct told_row *row = told_rows; row && row->path; row++) {
		size_t n_path = strlen(row->path);

		if (n < n_path || strcmp(asked[i].url + n - n_path, row->path) != 0)
			continue;
		asked[i].said.data.result = CURLE_OK;
		asked[i].status = row->json ? 200 : row->status;
		if (row->json)
			asked[i].write((char *)(uintptr_t)row->json, 1, strlen(row->json),
			               asked[i].out);
		return;
	}
}

CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *n_left)
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

#endif
