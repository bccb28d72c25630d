/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1.1 only: the gateway shares its port with gRPC, which is HTTP/2, and over 1.1 one request on
 * a connection ends before the next begins. No proxy of the environment is used, which would see
 * tokens.
 */
#include "mgmt/etcd/transfer.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define URL_MAX        (512u)
#define TOKEN_LINE_MAX 4200u /* ETCD_TOKEN_MAX with the header's name */
#define CONNECT_MS     1000L /* so that a second member has its turn within a request's time */

static size_t send_body(char *out, size_t size, size_t n, void *arg)
{
	struct etcd_transfer *t = arg;
	size_t room = size * n, part = t->request->n - t->n_sent;

	if (part > room)
		part = room;
	memcpy(out, t->request->body + t->n_sent, part);
	t->n_sent += part;
	return part;
}

/* libcurl asks for the body again: it wants to repeat the request by itself. */
static int refuse_repetition(void *arg, curl_off_t offset, int origin)
{
	(void)arg;
	(void)offset;
	(void)origin;
	return CURL_SEEKFUNC_FAIL;
}

static bool collect_bytes(struct etcd_transfer *t, const char *bytes, size_t n)
{
	if (n > ETCD_ANSWER_MAX - t->n) {
		t->is_too_large = true;
		return false;
	}
	char *more = realloc(t->bytes, t->n + n + 1);

	if (!more)
		return false;
	memcpy(more + t->n, bytes, n);
	t->bytes = more;
	t->n += n;
	more[t->n] = '\0';
	return true;
}

static size_t receive_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct etcd_transfer *t = arg;
	long status = 0;
	bool is_fine;

	curl_easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &status);
	if (t->sink && status == 200)
		is_fine = t->sink(t->arg, bytes, size * n);
	else
		is_fine = collect_bytes(t, bytes, size * n);
	return is_fine ? size * n : 0;
}

/* Else one read goes on as long as a member sends KeyUpdates and no data, past every time limit. */
static CURLcode bound_tls_reads(CURL *handle, void *context, void *arg)
{
	(void)handle;
	(void)arg;
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	return CURLE_OK;
}

/* Debian's libcurl has a directory of all public CAs as well, beside the file that is named. */
static void use_tls(CURL *handle, const struct etcd_tls *tls)
{
	if (tls->ca[0]) {
		curl_easy_setopt(handle, CURLOPT_CAINFO, tls->ca);
		curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
	}
	if (tls->certificate[0])
		curl_easy_setopt(handle, CURLOPT_SSLCERT, tls->certificate);
	if (tls->key[0])
		curl_easy_setopt(handle, CURLOPT_SSLKEY, tls->key);
	curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, bound_tls_reads);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(handle, CURLOPT_CA_CACHE_TIMEOUT,
	                 0L); /* else a new file waits for a day */
#endif
}

int etcd_transfer_open(struct etcd_transfer *t, const struct etcd_tls *tls)
{
	*t = (struct etcd_transfer){ .handle = curl_easy_init() };
	if (!t->handle)
		return -ENOMEM;
	CURL *handle = t->handle;

	curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(handle, CURLOPT_POST, 1L);
	curl_easy_setopt(handle, CURLOPT_READFUNCTION, send_body);
	curl_easy_setopt(handle, CURLOPT_READDATA, t);
	curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, refuse_repetition);
	curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive_bytes);
	curl_easy_setopt(handle, CURLOPT_WRITEDATA, t);
	/* said by its header: it need not come first */
	curl_easy_setopt(handle, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)ETCD_ANSWER_MAX);
	curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, t->failure);
	curl_easy_setopt(handle, CURLOPT_PRIVATE, t);
	use_tls(handle, tls);
	return 0;
}

void etcd_transfer_close(struct etcd_transfer *t)
{
	etcd_transfer_end(t);
	if (t->handle)
		curl_easy_cleanup(t->handle);
	free(t->bytes);
	*t = (struct etcd_transfer){ 0 };
}

static bool add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *more = curl_slist_append(*headers, line);

	if (more)
		*headers = more;
	return more != NULL;
}

/* Without "Expect:", libcurl waits for "100 Continue" before it sends a long body. */
static bool make_headers(struct curl_slist **headers, const char *token)
{
	char line[TOKEN_LINE_MAX];
	bool is_whole = add_header(headers, "Content-Type: application/json") &&
	                add_header(headers, "Expect:");

	if (!*token)
		return is_whole;
	int n = snprintf(line, sizeof(line), "Authorization: %s", token);

	is_whole = is_whole && n < (int)sizeof(line) && add_header(headers, line);
	explicit_bzero(line, sizeof(line));
	return is_whole;
}

int etcd_transfer_begin(struct etcd_transfer *t, CURLM *multi, const char *endpoint,
                        const struct etcd_request *request, const char *token, unsigned timeout_ms)
{
	char url[URL_MAX];

	etcd_transfer_end(t);
	free(t->bytes);
	t->bytes = NULL;
	t->n = t->n_sent = 0;
	t->request = request;
	t->err = CURLE_OK;
	t->status = 0;
	t->is_too_large = false;
	t->failure[0] = '\0';
	if (!make_headers(&t->headers, token))
		return -ENOMEM;
	snprintf(url, sizeof(url), "%s%s", endpoint, request->path);
	curl_easy_setopt(t->handle, CURLOPT_URL, url);
	curl_easy_setopt(t->handle, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(t->handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->n);
	curl_easy_setopt(t->handle, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (curl_multi_add_handle(multi, t->handle))
		return -EIO;
	t->multi = multi;
	t->is_running = true;
	return 0;
}

static int64_t read_date(CURL *handle)
{
	struct curl_header *date;
	bool is_there = curl_easy_header(handle, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK;
	time_t at = is_there ? curl_getdate(date->value, NULL) : 0;

	return at > 0 ? (int64_t)at : 0;
}

/* Pass each end to its transfer. @return whether there was one */
static bool note_ends(CURLM *multi)
{
	const CURLMsg *message;
	bool is_any = false;
	int left;

	while ((message = curl_multi_info_read(multi, &left))) {
		struct etcd_transfer *t = NULL;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		t->is_running = false;
		t->err = message->data.result;
		curl_easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &t->status);
		t->date_s = read_date(t->handle);
		if (t->is_too_large || t->err == CURLE_FILESIZE_EXCEEDED)
			snprintf(t->failure, sizeof(t->failure), "the answer is too large");
		else if (t->err && !t->failure[0])
			snprintf(t->failure, sizeof(t->failure), "%s", curl_easy_strerror(t->err));
		is_any = true;
	}
	return is_any;
}

void etcd_transfer_run(CURLM *multi, unsigned wait_ms)
{
	int running;

	curl_multi_perform(multi, &running);
	if (note_ends(multi))
		return;
	curl_multi_poll(multi, NULL, 0, (int)wait_ms, NULL);
	curl_multi_perform(multi, &running);
	(void)note_ends(multi);
}

void etcd_transfer_end(struct etcd_transfer *t)
{
	if (t->multi)
		curl_multi_remove_handle(t->multi, t->handle);
	t->multi = NULL;
	t->is_running = false;
	curl_slist_free_all(t->headers);
	t->headers = NULL;
}

bool etcd_transfer_is_sent(const struct etcd_transfer *t)
{
	return t->request && t->n_sent == t->request->n;
}
