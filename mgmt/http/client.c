/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One libcurl multi handle runs all requests of a call in the thread that calls: no thread per
 * peer is needed. The handle outlives the call because libcurl keeps open connections in it. The
 * write callback refuses bytes beyond the limit, so an answer that is too large is cut off while
 * it arrives.
 */
#include "mgmt/http/client_internal.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "weir/json.h"

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

void transfer_begin(struct peer_client *c, struct client_request *r)
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

void transfers_collect(struct peer_client *c)
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
		transfer_begin(c, &requests[i]);
	while (running && !curl_multi_perform(c->multi, &running)) {
		transfers_collect(c);
		if (running && curl_multi_poll(c->multi, NULL, 0, 1000, NULL))
			break;
	}
	transfers_collect(c);
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
