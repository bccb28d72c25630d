/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One libcurl multi handle runs all requests of a call in the thread that calls: no thread per
 * peer is needed. The handle outlives the call because libcurl keeps open connections in it. The
 * write callback refuses bytes beyond the limit, so an answer that is too large is cut off while
 * it arrives.
 *
 * For an event loop libcurl says which sockets it wants watched and when it wants to be called; the work of a turn is then
 * that of the sockets with something to do, not of all requests under way.
 */
#include "mgmt/http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/proc.h"
#include "weir/json.h"

#define CONNECTIONS_MAX 1024L /* that are kept: several to each of 256 nodes */

/* A request under way, with its answer while it arrives. */
struct transfer {
	struct transfer *next, **at;
	struct client_request *request;
	CURL *handle;
	struct curl_slist *headers;
	char *text;
	size_t n, max;
};

static size_t append_answer(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *in = arg;
	size_t more = size * n;

	if (in->n + more > in->max)
		return 0;
	char *text = realloc(in->text, in->n + more + 1);
	if (!text)
		return 0;
	memcpy(text + in->n, data, more);
	in->text = text;
	in->n += more;
	text[in->n] = '\0';
	return more;
}

/*
 * Find the file that verifies peers; "" if there is none. It is looked for at each request, because
 * it may be added at any time.
 */
static void find_ca(const struct peer_client *c, char path[PATH_MAX])
{
	if (!proc_path(c->conf, "tls.ca", path) && !access(path, R_OK))
		return;
	if (proc_path(c->conf, "tls.crt", path) || access(path, R_OK))
		path[0] = '\0';
}

/* Else one read goes on as long as a peer sends KeyUpdates and no data, past every time limit. */
static CURLcode bound_reads(CURL *handle, void *context, void *arg)
{
	(void)handle;
	(void)arg;
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	return CURLE_OK;
}

/*
 * Peers are reached directly: a proxy of the environment would see the token. Signals are off
 * because several threads use libcurl.
 */
static void prepare_transfer(const struct peer_client *c, struct transfer *t)
{
	const struct client_request *r = t->request;
	CURL *handle = t->handle;
	char ca[PATH_MAX];

	find_ca(c, ca);
	curl_easy_setopt(handle, CURLOPT_URL, r->url);
	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
	                 (long)(r->connect_ms ? r->connect_ms : CLIENT_CONNECT_MS));
	curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, append_answer);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(handle, CURLOPT_PRIVATE, t);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, t->headers);
	/* both, always: libcurl's own file and folder have the authorities of the whole world */
	curl_easy_setopt(handle, CURLOPT_CAINFO, ca[0] ? ca : NULL);
	curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, bound_reads);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(handle, CURLOPT_CA_CACHE_TIMEOUT,
	                 0L); /* otherwise a changed file is read after a day */
#endif
	if (r->post) {
		const char *body = r->body ? r->body : "{}";

		curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
	}
}

static void finish_request(const struct transfer *t, CURLcode err)
{
	struct client_request *r = t->request;
	long status = 0;

	if (err) {
		snprintf(r->failure, sizeof(r->failure), "%s", curl_easy_strerror(err));
		return;
	}
	curl_easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &status);
	r->status = status;
	if (status != 200)
		snprintf(r->failure, sizeof(r->failure), "HTTP status %ld", status);
	else {
		r->answer = json_read(t->text ? t->text : "", t->n, JSON_REJECT_DUPLICATES, NULL);
		if (!r->answer)
			snprintf(r->failure, sizeof(r->failure), "the answer is not JSON");
	}
}

static struct curl_slist *make_request_headers(const struct peer_client *c)
{
	char authorization[HTTP_TEXT_MAX + 32];
	struct curl_slist *headers, *more;

	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", c->token);
	headers = curl_slist_append(NULL, authorization);
	more = headers ? curl_slist_append(headers, "Content-Type: application/json") : NULL;
	headers = more ? more : headers;
	/* Without "Expect:", libcurl waits for "100 Continue" before it sends a long body. */
	more = headers ? curl_slist_append(headers, "Expect:") : NULL;
	return more ? more : headers;
}

static void free_transfer(const struct peer_client *c, struct transfer *t)
{
	*t->at = t->next;
	if (t->next)
		t->next->at = t->at;
	curl_multi_remove_handle(c->multi, t->handle);
	curl_easy_cleanup(t->handle);
	curl_slist_free_all(t->headers);
	free(t->text);
	free(t);
}

/* Begin @p r; a request that cannot begin has ended with a failure. */
static void begin_transfer(struct peer_client *c, struct client_request *r)
{
	struct transfer *t = calloc(1, sizeof(*t));

	r->answer = NULL;
	r->status = 0;
	r->failure[0] = '\0';
	if (!t || !(t->handle = curl_easy_init())) {
		snprintf(r->failure, sizeof(r->failure), "out of memory");
		free(t);
		if (r->done)
			r->done(r);
		return;
	}
	t->request = r;
	t->max = r->answer_max ? r->answer_max : CLIENT_ANSWER_MAX;
	t->headers = make_request_headers(c);
	t->at = &c->transfers;
	t->next = c->transfers;
	if (t->next)
		t->next->at = &t->next;
	c->transfers = t;
	prepare_transfer(c, t);
	curl_multi_add_handle(c->multi, t->handle);
}

/* End the requests that have their outcome: each gets it, and its done() is called. */
static void collect_transfers(struct peer_client *c)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(c->multi, &left))) {
		struct transfer *t = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		struct client_request *r = t->request;
		finish_request(t, message->data.result);
		free_transfer(c, t);
		if (r->done)
			r->done(r);
	}
}

void client_send(struct peer_client *c, struct client_request *requests, size_t n)
{
	int running = 1;

	if (!c->multi)
		c->multi = curl_multi_init();
	if (!c->multi)
		return;
	for (size_t i = 0; i < n; i++)
		begin_transfer(c, &requests[i]);
	while (running && !curl_multi_perform(c->multi, &running)) {
		collect_transfers(c);
		if (running && curl_multi_poll(c->multi, NULL, 0, 1000, NULL))
			break;
	}
	collect_transfers(c);
	while (c->transfers) /* the library gave up */
		free_transfer(c, c->transfers);
}

void client_open(struct peer_client *c, const char *conf_dir)
{
	*c = (struct peer_client){ 0 };
	snprintf(c->conf, sizeof(c->conf), "%s", conf_dir);
}

void client_close(struct peer_client *c)
{
	while (c->transfers)
		free_transfer(c, c->transfers);
	if (c->multi)
		curl_multi_cleanup(c->multi);
	c->multi = NULL;
}

/* --- from an event loop --- */

static void continue_requests(struct client_loop *l, curl_socket_t fd, int events)
{
	int running;

	(void)curl_multi_socket_action(l->client->multi, fd, events, &running);
	collect_transfers(l->client);
}

static void on_client_socket(void *arg, int fd, uint32_t events)
{
	continue_requests(arg, fd,
	                  (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
	                          (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	                          (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
}

static void on_client_timer(void *arg)
{
	continue_requests(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *handle, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct client_loop *l = arg;
	uint32_t events =
	        (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)handle;
	if (what == CURL_POLL_REMOVE)
		loop_fd_remove(l->loop, fd);
	else if (watched)
		(void)loop_fd_set(l->loop, fd, events);
	else if (loop_fd_add(l->loop, fd, events, on_client_socket, l))
		return -1;
	curl_multi_assign(l->client->multi, fd, what == CURL_POLL_REMOVE ? NULL : l);
	return 0;
}

static int set_client_timer(CURLM *multi, long wait_ms, void *arg)
{
	struct client_loop *l = arg;

	(void)multi;
	if (wait_ms < 0)
		loop_timer_cancel(l->loop, &l->timer);
	else if (loop_timer_set(l->loop, &l->timer, loop_now_ms(l->loop) + (uint64_t)wait_ms))
		return -1;
	return 0;
}

int client_loop_open(struct client_loop *l, struct peer_client *client, const char *conf_dir,
                     struct loop *loop)
{
	client_open(client, conf_dir);
	*l = (struct client_loop){ .client = client, .loop = loop };
	l->timer = (struct loop_timer){ .cb = on_client_timer, .arg = l };
	client->multi = curl_multi_init();
	if (!client->multi)
		return -ENOMEM;
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_client_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, l);
	return 0;
}

void client_loop_begin(struct client_loop *l, struct client_request *r)
{
	begin_transfer(l->client, r);
}
