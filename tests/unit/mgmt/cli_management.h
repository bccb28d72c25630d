/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Management and time in the test's hands, for tests of commands: what libcurl transfers, and how long one sleeps. A suite
 * includes this once, begins with management_begin(), and defines management_says().
 */
#ifndef WEIR_TESTS_MGMT_CLI_MANAGEMENT_H
#define WEIR_TESTS_MGMT_CLI_MANAGEMENT_H

#include "cli_said.h"
#include "told_curl.h"

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

/* What is asked, or was last. */
static inline struct told_request *asked_now(void)
{
	return &asked[(n_asked - 1) % TOLD_MAX];
}

/* The same, its path. */
static inline const char *path_asked(void)
{
	static const char host[] = "http://weir";

	assert_memory_equal(asked_now()->url, host, strlen(host));
	return asked_now()->url + strlen(host);
}

/* A line of the answer's head. */
static inline size_t say_header(const char *line)
{
	const struct told_handle *h = find_handle(asked_now()->easy);
	char copy[1024];

	snprintf(copy, sizeof(copy), "%s", line);
	return h->header(copy, 1, strlen(copy), h->header_out);
}

static inline size_t say_body(const char *bytes, size_t n)
{
	const struct told_handle *h = find_handle(asked_now()->easy);
	char *copy = malloc(n + 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	size_t taken = h->write(copy, 1, n, h->out);

	free(copy);
	return taken;
}

static CURLcode own_curl_easy_perform(CURL *easy)
{
	last_said = management_says();
	told_request(easy)->status = last_said.status;
	told_request(easy)->os_error = last_said.os_error;
	told_ms += last_said.took_ms;
	size_t n = last_said.body ? strlen(last_said.body) : 0;

	if (n) { /* in two pieces */
		assert_int_equal(say_body(last_said.body, 1), 1);
		assert_int_equal(say_body(last_said.body + 1, n - 1), n - 1);
	}
	return last_said.code;
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
	return script[(n_asked < n_script ? n_asked : n_script) - 1];
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
