/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP attempts over one libcurl multi handle, driven by the loop's descriptors and one timer.
 * Easy handles are kept and used again. No name is ever resolved and no proxy asked.
 */
#include "healthcheck/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/loop.h"

#define SPARE_MAX 1024

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;
	CURL *spare[SPARE_MAX];
	size_t n_spare;
};

static enum health_reason reason_of_status(const struct attempt *a, long status)
{
	return status == a->spec->expect ? HEALTH_REASON_OK : HEALTH_REASON_BAD_STATUS;
}

static enum health_reason reason_of(struct attempt *a, CURLcode code, unsigned *detail)
{
	long status = 0, error = 0;

	curl_easy_getinfo(a->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(a->easy, CURLINFO_OS_ERRNO, &error);
	*detail = (unsigned)status;
	switch (code) {
	case CURLE_OK:
	case CURLE_WRITE_ERROR: /* our own limit on the body */
		return reason_of_status(a, status);
	case CURLE_COULDNT_CONNECT:
		*detail = (unsigned)(a->local_errno ? a->local_errno : error);
		return a->local_errno ? HEALTH_REASON_LOCAL : attempt_reason_of_errno((int)error);
	case CURLE_OPERATION_TIMEDOUT:
		return HEALTH_REASON_TIMEOUT;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		*detail = (unsigned)error;
		return HEALTH_REASON_RESET;
	case CURLE_URL_MALFORMAT:
		*detail = EINVAL;
		return HEALTH_REASON_LOCAL;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		*detail = ENOMEM;
		return HEALTH_REASON_LOCAL;
	default:
		return HEALTH_REASON_BAD_ANSWER;
	}
}

static void release(struct http *h, struct attempt *a)
{
	curl_multi_remove_handle(h->multi, a->easy);
	curl_slist_free_all(a->headers);
	a->headers = NULL;
	if (h->n_spare < SPARE_MAX) {
		curl_easy_reset(a->easy);
		h->spare[h->n_spare++] = a->easy;
	} else {
		curl_easy_cleanup(a->easy);
	}
	a->easy = NULL;
}

void http_abort(struct http *h, struct attempt *a)
{
	release(h, a);
}

/* Tell the owners of all transfers that have ended. */
static void reap(struct http *h)
{
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(h->multi, &n_left))) {
		struct attempt *a = NULL;
		unsigned detail = 0;

		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&a);
		enum health_reason why = reason_of(a, code, &detail);
		attempt_abort(a);
		a->cb(a->arg, a, why, detail);
	}
}

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct http *h = arg;
	int n_running, what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(h->multi, fd, what, &n_running);
	reap(h);
}

static void on_timer(void *arg)
{
	struct http *h = arg;
	int n_running;

	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
	reap(h);
}

/* curl asks for another watch on a descriptor; @p known is not NULL once it is watched. */
static int watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http *h = arg;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_fd_remove(h->loop, fd);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	if (known)
		return loop_fd_set(h->loop, fd, events) ? -1 : 0;
	curl_multi_assign(h->multi, fd, h);
	return loop_fd_add(h->loop, fd, events, on_socket, h) ? -1 : 0;
}

static int set_timer(CURLM *multi, long after_ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	if (after_ms < 0)
		loop_timer_cancel(h->loop, &h->timer);
	else if (loop_timer_set(h->loop, &h->timer, clock_mono_ms() + (uint64_t)after_ms))
		return -1;
	return 0;
}

int http_open(struct loop *loop, struct http **out)
{
	struct http *h = calloc(1, sizeof(*h));

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(h);
		return -ENOMEM;
	}
	h->loop = loop;
	h->timer = (struct loop_timer){ .cb = on_timer, .arg = h };
	h->multi = curl_multi_init();
	if (!h->multi) {
		free(h);
		return -ENOMEM;
	}
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	*out = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	while (h->n_spare)
		curl_easy_cleanup(h->spare[--h->n_spare]);
	curl_multi_cleanup(h->multi);
	loop_timer_cancel(h->loop, &h->timer);
	free(h);
	curl_global_cleanup();
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct attempt *a = arg;
	int fd = attempt_socket(a->spec);

	(void)purpose;
	(void)address;
	if (fd >= 0)
		return fd;
	a->local_errno = -fd;
	return CURL_SOCKET_BAD;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct attempt *a = arg;

	(void)data;
	a->body_bytes += (unsigned)(size * n);
	return a->body_bytes > ATTEMPT_BODY_MAX ? 0 : size * n;
}

/* Host, and nothing kept open. */
static struct curl_slist *make_headers(const struct attempt_spec *spec)
{
	struct curl_slist *list = curl_slist_append(NULL, "Connection: close"), *longer;
	char host[300];

	if (!list || !spec->host[0])
		return list;
	snprintf(host, sizeof(host), "Host: %s", spec->host);
	longer = curl_slist_append(list, host);
	if (!longer)
		curl_slist_free_all(list);
	return longer;
}

static CURLcode set_options(CURL *easy, struct attempt *a)
{
	char url[ADDR_TEXT_MAX + 1100], text[ADDR_TEXT_MAX];
	CURLcode code = CURLE_OK;

	addr_text(&a->spec->address, text);
	snprintf(url, sizeof(url),
	         addr_is4(&a->spec->address) ? "http://%s:%u%s" : "http://[%s]:%u%s", text,
	         a->spec->port, a->spec->path);
#define SET(option, value)                                                                         \
	if (!code)                                                                                 \
	code = curl_easy_setopt(easy, option, value)
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_PRIVATE, a);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_PROTOCOLS_STR, "http");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_USERAGENT, "weir-health");
	SET(CURLOPT_HTTPHEADER, (struct curl_slist *)a->headers);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, a);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, a);
#undef SET
	return code;
}

enum health_reason http_start(struct http *h, struct attempt *a)
{
	CURL *easy = h->n_spare ? h->spare[--h->n_spare] : curl_easy_init();

	a->easy = easy;
	a->headers = easy ? make_headers(a->spec) : NULL;
	if (!a->headers || set_options(easy, a) || curl_multi_add_handle(h->multi, easy)) {
		if (easy)
			release(h, a);
		return HEALTH_REASON_LOCAL;
	}
	return HEALTH_REASON_NONE;
}
