/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP attempts over libcurl's multi interface, driven by the loop's descriptors and timers. No
 * name is ever resolved and no proxy is used.
 *
 * Transfers are spread over several multi handles (lanes): at the end of a transfer libcurl walks
 * all connections of its multi handle, and thousands may be open when targets are silent. Easy
 * handles are kept with the common options set, where libcurl allows it: see can_reuse(). The cache
 * of addresses is off, because libcurl searches all of it at each transfer.
 */
#include "healthcheck/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/loop.h"

#define SPARE_MAX 1024      /* easy handles kept; an idle one costs some kilobytes */
#define CURL_GOOD 0x080101u /* 8.1.1: from here on an easy handle can be used again */
#define LANES     64        /* multi handles; each has 1/64 of the connections to walk */
#define READ_MAX  4096      /* bytes a read; by default each easy handle has a buffer of 16 KiB */

#define PADDING_NAME "X-Weir-Padding: "
#define PADDING_LINE 250u /* bytes of a line: servers limit lines, and their number */

struct lane {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer timer;
};

struct http {
	struct lane lanes[LANES];
	unsigned next_lane;
	CURL *spare[SPARE_MAX];
	size_t n_spare;
	bool reuses;
};

/* Whether the first byte of an answer came. */
static bool has_answer(const struct attempt *a)
{
	curl_off_t after_us = 0;

	curl_easy_getinfo(a->handle, CURLINFO_STARTTRANSFER_TIME_T, &after_us);
	return after_us > 0;
}

static enum health_reason reason_of_status(const struct attempt *a, long status)
{
	if (!a->has_status || !a->has_header)
		return HEALTH_REASON_BAD_ANSWER;
	return status == a->spec->expect ? HEALTH_REASON_OK : HEALTH_REASON_BAD_STATUS;
}

/* What a transfer's end says of the target. What this process lacked never counts against it. */
static enum health_reason reason_of(struct attempt *a, CURLcode code, unsigned *detail)
{
	long status = 0, error = 0;

	curl_easy_getinfo(a->handle, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(a->handle, CURLINFO_OS_ERRNO, &error);
	*detail = (unsigned)status;
	switch (code) {
	case CURLE_OK:
	case CURLE_WRITE_ERROR: /* our own limit on the body */
		return reason_of_status(a, status);
	case CURLE_COULDNT_CONNECT:
		*detail = (unsigned)(a->local_errno ? a->local_errno : error);
		return a->local_errno ? HEALTH_REASON_LOCAL
		                      : attempt_reason_of_errno(a->spec, (int)error);
	case CURLE_OPERATION_TIMEDOUT:
		return HEALTH_REASON_TIMEOUT;
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		*detail = 0; /* the errno may be an earlier transfer's */
		return HEALTH_REASON_RESET;
	case CURLE_URL_MALFORMAT:
		*detail = EINVAL;
		return HEALTH_REASON_LOCAL;
	case CURLE_OUT_OF_MEMORY: /* libcurl 7.88 says so of a line over 100 KiB, too */
		if (has_answer(a))
			return HEALTH_REASON_BAD_ANSWER;
		*detail = ENOMEM;
		return HEALTH_REASON_LOCAL;
	case CURLE_FAILED_INIT:
		*detail = ENOMEM;
		return HEALTH_REASON_LOCAL;
	default:
		return HEALTH_REASON_BAD_ANSWER;
	}
}

/*
 * Before 8.1.1 a handle that is used again keeps a pointer to the last header of its earlier
 * transfer, which is freed. If the first header of the next answer begins with a blank, curl writes
 * there (mended by "clear lingering pointer in init"). Debian 12 has 7.88.
 */
static bool can_reuse(void)
{
	return curl_version_info(CURLVERSION_NOW)->version_num >= CURL_GOOD;
}

void http_abort(struct http *h, struct attempt *a)
{
	if (a->lane)
		curl_multi_remove_handle(a->lane->multi, a->handle);
	a->lane = NULL;
	curl_easy_setopt(a->handle, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(a->headers);
	a->headers = NULL;
	if (h->reuses && h->n_spare < SPARE_MAX)
		h->spare[h->n_spare++] = a->handle;
	else
		curl_easy_cleanup(a->handle);
	a->handle = NULL;
}

/* Report ended transfers. The handle is released first, so the owner may use the attempt again. */
static void report_ended(struct lane *l)
{
	CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(l->multi, &n_left))) {
		struct attempt *a = NULL;
		unsigned detail = 0;

		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&a);
		enum health_reason reason = reason_of(a, code, &detail);
		http_abort(a->prober->http, a);
		attempt_ended(a);
		a->cb(a->arg, a, reason, detail);
	}
}

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct lane *l = arg;
	int n_running, what = 0;

	if (events & (EPOLLIN | EPOLLHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(l->multi, fd, what, &n_running);
	report_ended(l);
}

static void on_lane_timer(void *arg)
{
	struct lane *l = arg;
	int n_running;

	curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
	report_ended(l);
}

/*
 * curl asks for another watch on a descriptor. After a refusal (-1) libcurl 7.88 keeps its entry of
 * the descriptor and never asks for that watch again, for later transfers neither. So a watch that
 * cannot be had is noted in the attempt, whose silence then says nothing.
 */
static int watch_socket(CURL *handle, curl_socket_t fd, int what, void *arg, void *known)
{
	struct lane *l = arg;
	struct attempt *a = NULL;
	uint32_t events = 0;
	int err;

	(void)known;
	if (what == CURL_POLL_REMOVE) {
		loop_fd_remove(l->loop, fd);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	err = loop_fd_set(l->loop, fd, events);
	if (err == -ENOENT)
		err = loop_fd_add(l->loop, fd, events, on_socket, l);
	curl_easy_getinfo(handle, CURLINFO_PRIVATE, (char **)&a);
	if (a)
		a->local_errno = -err;
	return 0;
}

static int set_lane_timer(CURLM *multi, long after_ms, void *arg)
{
	struct lane *l = arg;

	(void)multi;
	if (after_ms < 0)
		loop_timer_cancel(l->loop, &l->timer);
	else if (loop_timer_set(l->loop, &l->timer, clock_mono_ms() + (uint64_t)after_ms))
		return -1;
	return 0;
}

static int open_lane(struct lane *l, struct loop *loop)
{
	*l = (struct lane){ .loop = loop, .timer = { .cb = on_lane_timer, .arg = l } };
	l->multi = curl_multi_init();
	if (!l->multi)
		return -ENOMEM;
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, set_lane_timer);
	curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
	curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return 0;
}

int http_open(struct loop *loop, struct http **out)
{
	struct http *h = calloc(1, sizeof(*h));
	int err = 0;

	if (!h || curl_global_init(CURL_GLOBAL_DEFAULT)) {
		free(h);
		return -ENOMEM;
	}
	h->reuses = can_reuse();
	for (int i = 0; i < LANES && !err; i++)
		err = open_lane(&h->lanes[i], loop);
	if (err) {
		http_close(h);
		return err;
	}
	*out = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	while (h->n_spare)
		curl_easy_cleanup(h->spare[--h->n_spare]);
	for (int i = 0; i < LANES && h->lanes[i].multi; i++) {
		curl_multi_cleanup(h->lanes[i].multi);
		loop_timer_cancel(h->lanes[i].loop, &h->lanes[i].timer);
	}
	free(h);
	curl_global_cleanup();
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct attempt *a = arg;
	int fd = attempt_socket(a->spec);

	(void)purpose;
	(void)address;
	a->fd = fd >= 0 ? fd : -1;
	if (fd >= 0)
		return fd;
	a->local_errno = -fd;
	return CURL_SOCKET_BAD;
}

static size_t count_body(char *data, size_t size, size_t n, void *arg)
{
	struct attempt *a = arg;

	(void)data;
	a->body_bytes += (unsigned)(size * n);
	return a->body_bytes > ATTEMPT_BODY_MAX ? 0 : size * n;
}

static bool is_ascii_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9112, section 4: "HTTP/1.1 200 OK"; the reason may be missing, with its blank. */
static bool is_status_line(const char *line, size_t n)
{
	return n >= 13 && memcmp(line, "HTTP/", 5) == 0 && is_ascii_digit(line[5]) &&
	       line[6] == '.' && is_ascii_digit(line[7]) && line[8] == ' ' &&
	       is_ascii_digit(line[9]) && is_ascii_digit(line[10]) && is_ascii_digit(line[11]) &&
	       strchr(" \r\n", line[12]) != NULL;
}

/*
 * libcurl (7.88) takes "HTTP/" in upper or lower case with anything behind it for a status line. An
 * answer may have several (100 Continue, then 200): the last one decides. Nor does libcurl mind a
 * connection that ends before the blank line behind the header; it gives lines of a trailer, too.
 */
static size_t check_header_line(char *line, size_t size, size_t n, void *arg)
{
	struct attempt *a = arg;

	if (size * n >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		a->has_status = is_status_line(line, size * n);
		a->has_header = false;
	}
	a->has_header |= size * n > 0 && (line[0] == '\r' || line[0] == '\n');
	return size * n;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer = list ? curl_slist_append(list, line) : NULL;

	if (!longer)
		curl_slist_free_all(list);
	return longer;
}

/*
 * Padding for more than one packet of full size, and less than two: without the first there is no
 * request.
 */
static struct curl_slist *add_padding(struct curl_slist *list, unsigned full_size)
{
	char line[PADDING_LINE + 1];

	memset(line, 'x', PADDING_LINE);
	memcpy(line, PADDING_NAME, strlen(PADDING_NAME));
	line[PADDING_LINE] = '\0';
	for (unsigned n = 0; n < full_size && list; n += PADDING_LINE)
		list = add_header(list, line);
	return list;
}

/* Host, and nothing kept open. */
static struct curl_slist *make_headers(const struct attempt_spec *spec)
{
	struct curl_slist *list = curl_slist_append(NULL, "Connection: close");
	char host[300];

	snprintf(host, sizeof(host), "Host: %s", spec->host);
	if (spec->host[0])
		list = add_header(list, host);
	return spec->full_size ? add_padding(list, spec->full_size) : list;
}

#define SET_OPTION(option, value)                                                                  \
	if (!code)                                                                                 \
	code = curl_easy_setopt(handle, option, value)

/* A new easy handle with what all attempts have in common. NULL: out of memory */
static CURL *make_handle(void)
{
	CURL *handle = curl_easy_init();
	CURLcode code = handle ? CURLE_OK : CURLE_OUT_OF_MEMORY;

	SET_OPTION(CURLOPT_PATH_AS_IS, 1L);
	SET_OPTION(CURLOPT_NOSIGNAL, 1L);
	SET_OPTION(CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	SET_OPTION(CURLOPT_PROXY, "");
	SET_OPTION(CURLOPT_PROTOCOLS_STR, "http");
	SET_OPTION(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET_OPTION(CURLOPT_HTTP09_ALLOWED, 0L);
	SET_OPTION(CURLOPT_USERAGENT, "weir-health");
	SET_OPTION(CURLOPT_FRESH_CONNECT, 1L);
	SET_OPTION(CURLOPT_FORBID_REUSE, 1L);
	SET_OPTION(CURLOPT_BUFFERSIZE, (long)READ_MAX);
	SET_OPTION(CURLOPT_TCP_NODELAY, 0L); /* one write is all that is sent */
	SET_OPTION(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET_OPTION(CURLOPT_WRITEFUNCTION, count_body);
	SET_OPTION(CURLOPT_HEADERFUNCTION, check_header_line);
	if (code) {
		curl_easy_cleanup(handle);
		return NULL;
	}
	return handle;
}

static CURLcode set_target_options(CURL *handle, struct attempt *a)
{
	char url[ADDR_TEXT_MAX + 1100], text[ADDR_TEXT_MAX];
	CURLcode code = CURLE_OK;

	addr_text(&a->spec->address, text);
	snprintf(url, sizeof(url),
	         addr_is4(&a->spec->address) ? "http://%s:%u%s" : "http://[%s]:%u%s", text,
	         a->spec->port, a->spec->path);
	SET_OPTION(CURLOPT_URL, url);
	SET_OPTION(CURLOPT_PRIVATE, a);
	SET_OPTION(CURLOPT_HTTPHEADER, (struct curl_slist *)a->headers);
	SET_OPTION(CURLOPT_OPENSOCKETDATA, a);
	SET_OPTION(CURLOPT_WRITEDATA, a);
	SET_OPTION(CURLOPT_HEADERDATA, a);
	return code;
}
#undef SET_OPTION

enum health_reason http_start(struct http *h, struct attempt *a)
{
	struct lane *lane = &h->lanes[h->next_lane++ % LANES];
	CURL *handle = h->n_spare ? h->spare[--h->n_spare] : make_handle();

	if (!handle)
		return HEALTH_REASON_LOCAL;
	a->handle = handle;
	a->has_status = a->has_header = false;
	a->headers = make_headers(a->spec);
	if (!a->headers || set_target_options(handle, a) ||
	    curl_multi_add_handle(lane->multi, handle)) {
		http_abort(h, a);
		return HEALTH_REASON_LOCAL;
	}
	a->lane = lane;
	return HEALTH_REASON_NONE;
}
