/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One libcurl multi handle runs all requests of a call in the thread that calls: no thread per
 * peer is needed. The handle outlives the call because libcurl keeps open connections in it. The
 * write callback refuses bytes beyond the limit, so an answer that is too large is cut off while
 * it arrives.
 */
#include "mgmt/api/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "weir/json.h"

/* An answer while it arrives. */
struct incoming {
	char *text;
	size_t n, max;
};

static size_t append_answer(char *data, size_t size, size_t n, void *arg)
{
	struct incoming *in = arg;
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
static CURL *prepare_transfer(const struct peer_client *c, const struct client_request *r,
                              struct incoming *in, struct curl_slist *headers)
{
	CURL *handle = curl_easy_init();
	char ca[PATH_MAX];

	if (!handle)
		return NULL;
	find_ca(c, ca);
	curl_easy_setopt(handle, CURLOPT_URL, r->url);
	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, 1000L);
	curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, append_answer);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, in);
	curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
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
	return handle;
}

static void finish_request(struct client_request *r, CURL *handle, CURLcode err,
                           struct incoming *in)
{
	long status = 0;

	if (err) {
		snprintf(r->failure, sizeof(r->failure), "%s", curl_easy_strerror(err));
		return;
	}
	curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	r->status = status;
	if (status != 200)
		snprintf(r->failure, sizeof(r->failure), "HTTP status %ld", status);
	else {
		r->answer =
		        json_read(in->text ? in->text : "", in->n, JSON_REJECT_DUPLICATES, NULL);
		if (!r->answer)
			snprintf(r->failure, sizeof(r->failure), "the answer is not JSON");
	}
}

/* Requests in progress. */
struct transfers {
	CURLM *multi;
	struct client_request *requests;
	struct incoming *in;
	CURL **handles;
	size_t n;
};

/* Pass each outcome to its request. */
static void collect_outcomes(const struct transfers *a)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(a->multi, &left)))
		for (size_t i = 0; i < a->n; i++) {
			if (a->handles[i] != message->easy_handle)
				continue;
			finish_request(&a->requests[i], a->handles[i], message->data.result,
			               &a->in[i]);
			if (a->requests[i].done)
				a->requests[i].done(&a->requests[i]);
		}
}

static void run_transfers(const struct transfers *a)
{
	int running = 1;

	while (running && !curl_multi_perform(a->multi, &running)) {
		collect_outcomes(a);
		if (running && curl_multi_poll(a->multi, NULL, 0, 1000, NULL))
			break;
	}
	collect_outcomes(a);
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

static void begin_requests(const struct peer_client *c, struct transfers *a,
                           struct curl_slist *headers)
{
	for (size_t i = 0; i < a->n; i++) {
		struct client_request *r = &a->requests[i];

		r->answer = NULL;
		r->status = 0;
		r->failure[0] = '\0';
		a->in[i].max = r->answer_max ? r->answer_max : CLIENT_ANSWER_MAX;
		a->handles[i] = prepare_transfer(c, r, &a->in[i], headers);
		if (a->handles[i])
			curl_multi_add_handle(a->multi, a->handles[i]);
	}
}

static void end_requests(const struct transfers *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->handles[i]) {
			curl_multi_remove_handle(a->multi, a->handles[i]);
			curl_easy_cleanup(a->handles[i]);
		}
		free(a->in[i].text);
	}
}

void client_send(struct peer_client *c, struct client_request *requests, size_t n)
{
	struct transfers a = { .requests = requests,
		               .in = calloc(n + 1, sizeof(*a.in)),
		               .handles = calloc(n + 1, sizeof(CURL *)),
		               .n = n };
	struct curl_slist *headers = make_request_headers(c);

	if (!c->multi)
		c->multi = curl_multi_init();
	a.multi = c->multi;
	if (a.in && a.handles && a.multi) {
		begin_requests(c, &a, headers);
		run_transfers(&a);
		end_requests(&a);
	}
	curl_slist_free_all(headers);
	free(a.handles);
	free(a.in);
}

void client_open(struct peer_client *c, const char *conf_dir)
{
	*c = (struct peer_client){ 0 };
	snprintf(c->conf, sizeof(c->conf), "%s", conf_dir);
}

void client_close(struct peer_client *c)
{
	if (c->multi)
		curl_multi_cleanup(c->multi);
	c->multi = NULL;
}
