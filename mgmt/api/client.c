/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer as it comes in. */
struct incoming {
	char *text;
	size_t n;
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct incoming *in = arg;
	size_t more = size * n;

	if (in->n + more > CLIENT_ANSWER_MAX)
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

static CURL *prepare(const struct client *c, const struct client_request *r, struct incoming *in,
                     struct curl_slist *headers)
{
	CURL *easy = curl_easy_init();

	if (!easy)
		return NULL;
	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 1000L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, in);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (c->ca[0])
		curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca);
	if (r->post) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 2L);
	}
	return easy;
}

static void finish(struct client_request *r, CURL *easy, CURLcode rc, struct incoming *in)
{
	long status = 0;

	if (rc) {
		snprintf(r->why, sizeof(r->why), "%s", curl_easy_strerror(rc));
		return;
	}
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		snprintf(r->why, sizeof(r->why), "HTTP status %ld", status);
	else {
		r->answer =
		        json_loadb(in->text ? in->text : "", in->n, JSON_REJECT_DUPLICATES, NULL);
		if (!r->answer)
			snprintf(r->why, sizeof(r->why), "the answer is not JSON");
	}
}

static void run(CURLM *multi)
{
	int running = 1;

	while (running && !curl_multi_perform(multi, &running))
		if (running && curl_multi_poll(multi, NULL, 0, 1000, NULL))
			break;
}

/* Hand the outcomes to their requests. */
static void collect(CURLM *multi, struct client_request *requests, struct incoming *in, CURL **easy,
                    size_t n)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)))
		for (size_t i = 0; i < n; i++)
			if (easy[i] == message->easy_handle)
				finish(&requests[i], easy[i], message->data.result, &in[i]);
}

void client_ask(const struct client *c, struct client_request *requests, size_t n)
{
	char authorization[HTTP_TEXT_MAX + 32];
	struct incoming *in = calloc(n + 1, sizeof(*in));
	CURL **easy = calloc(n + 1, sizeof(CURL *));
	CURLM *multi = curl_multi_init();

	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", c->token);
	struct curl_slist *headers = curl_slist_append(NULL, authorization);
	if (headers)
		curl_slist_append(headers, "Content-Type: application/json");
	for (size_t i = 0; in && easy && multi && i < n; i++) {
		requests[i].answer = NULL;
		requests[i].why[0] = '\0';
		easy[i] = prepare(c, &requests[i], &in[i], headers);
		if (easy[i])
			curl_multi_add_handle(multi, easy[i]);
	}
	if (in && easy && multi) {
		run(multi);
		collect(multi, requests, in, easy, n);
	}
	for (size_t i = 0; in && easy && i < n; i++) {
		if (easy[i]) {
			curl_multi_remove_handle(multi, easy[i]);
			curl_easy_cleanup(easy[i]);
		}
		free(in[i].text);
	}
	curl_slist_free_all(headers);
	curl_multi_cleanup(multi);
	free(easy);
	free(in);
}
