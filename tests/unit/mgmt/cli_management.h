/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Management and time in the test's hands, for tests of commands: what libcurl transfers, and how long one sleeps. A suite
 * includes this once, begins with management_begin(), and defines management_says().
 */
#ifndef WEIR_TESTS_MGMT_CLI_MANAGEMENT_H
#define WEIR_TESTS_MGMT_CLI_MANAGEMENT_H

#include "cli_said.h"
#include "told_time.h"
#include "tests/unit/mgmt/mgmt_answers.h"

#include <time.h>

#include <curl/curl.h>

static unsigned n_steps; /* waits */

static int own_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	told_ms += (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_nsec / 1000000;
	n_steps++;
	return 0;
}

static int own_usleep(useconds_t us)
{
	told_ms += us / 1000;
	n_steps++;
	return 0;
}

static unsigned own_sleep(unsigned s)
{
	told_ms += (uint64_t)s * 1000;
	n_steps++;
	return 0;
}

/* What is asked now, as libcurl is told it. */
static struct {
	char method[16], path[512], socket[256], headers[1024];
	char *fields; /* NULL: no body */
	long timeout_ms;
	curl_write_callback on_body, on_header;
	curl_xferinfo_callback on_progress;
	void *body_arg, *header_arg, *progress_arg;
} asked;
static size_t n_asked; /* transfers */

/* What comes of a transfer. */
struct said {
	CURLcode code;
	long status;      /* of HTTP */
	const char *body; /* a part of it where the transfer fails */
	unsigned took_ms;
	long os_error;
};
static struct said last_said;

/* The test's: how the transfer ends that is in asked. */
static struct said management_says(void);

static inline void note_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}

static inline void note_headers(const struct curl_slist *list)
{
	asked.headers[0] = '\0';
	for (; list; list = list->next) {
		size_t n = strlen(asked.headers);

		snprintf(asked.headers + n, sizeof(asked.headers) - n, "%s\n", list->data);
	}
}

static CURLcode own_curl_easy_setopt(CURL *curl, CURLoption option, void *value)
{
	static const char host[] = "http://weir";

	(void)curl;
	if (option == CURLOPT_URL) {
		const char *url = value;

		assert_memory_equal(url, host, strlen(host));
		note_text(asked.path, sizeof(asked.path), url + strlen(host));
	} else if (option == CURLOPT_CUSTOMREQUEST)
		note_text(asked.method, sizeof(asked.method), value);
	else if (option == CURLOPT_UNIX_SOCKET_PATH)
		note_text(asked.socket, sizeof(asked.socket), value);
	else if (option == CURLOPT_TIMEOUT_MS)
		asked.timeout_ms = (long)(intptr_t)value;
	else if (option == CURLOPT_WRITEFUNCTION)
		asked.on_body = (curl_write_callback)value;
	else if (option == CURLOPT_HEADERFUNCTION)
		asked.on_header = (curl_write_callback)value;
	else if (option == CURLOPT_XFERINFOFUNCTION)
		asked.on_progress = (curl_xferinfo_callback)value;
	else if (option == CURLOPT_WRITEDATA)
		asked.body_arg = value;
	else if (option == CURLOPT_HEADERDATA)
		asked.header_arg = value;
	else if (option == CURLOPT_XFERINFODATA)
		asked.progress_arg = value;
	else if (option == CURLOPT_HTTPHEADER)
		note_headers(value);
	else if (option == CURLOPT_POSTFIELDS) {
		free(asked.fields);
		asked.fields = strdup(value);
	}
	return CURLE_OK;
}

/* A line of the answer's head. */
static inline size_t say_header(const char *line)
{
	char copy[1024];

	note_text(copy, sizeof(copy), line);
	return asked.on_header(copy, 1, strlen(copy), asked.header_arg);
}

static inline size_t say_body(const char *bytes, size_t n)
{
	char *copy = malloc(n + 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	size_t taken = asked.on_body(copy, 1, n, asked.body_arg);

	free(copy);
	return taken;
}

static CURLcode own_curl_easy_perform(CURL *curl)
{
	(void)curl;
	last_said = management_says();
	n_asked++;
	free(asked.fields);
	asked.fields = NULL;
	told_ms += last_said.took_ms;
	size_t n = last_said.body ? strlen(last_said.body) : 0;

	if (n) { /* in two pieces */
		assert_int_equal(say_body(last_said.body, 1), 1);
		assert_int_equal(say_body(last_said.body + 1, n - 1), n - 1);
	}
	return last_said.code;
}

static CURLcode own_curl_easy_getinfo(CURL *curl, CURLINFO info, void *out)
{
	(void)curl;
	*(long *)out = info == CURLINFO_RESPONSE_CODE ? last_said.status : last_said.os_error;
	return CURLE_OK;
}

/* Answers in turn, the last one for ever. */
static const struct said *script;
static size_t n_script;

static inline void begin_script(const struct said *rows, size_t n)
{
	script = rows;
	n_script = n;
	n_asked = 0;
	n_steps = 0;
	told_ms = 1000;
}

static inline struct said say_next(void)
{
	return script[n_asked < n_script ? n_asked : n_script - 1];
}

/* In the suite. */
static inline void management_begin(void)
{
	told_time_begin(TOLD_ALL);
	answer_curl_easy_getinfo = own_curl_easy_getinfo;
	answer_curl_easy_perform = own_curl_easy_perform;
	answer_curl_easy_setopt = own_curl_easy_setopt;
	answer_nanosleep = own_nanosleep;
	answer_sleep = own_sleep;
	answer_usleep = own_usleep;
}

#endif
