/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The servers, on libmicrohttpd: bodies are collected up to a bound, then handed on whole.
 */
#include "mgmt/api/http.h"
#include "mgmt/api/pulse.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDLE_S       75u
#define MEMORY_BYTES ((size_t)64 << 10)

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_options options;
};

/* A request while its body comes in. */
struct inbox {
	char *body;
	size_t n, max;
	bool overlong, no_memory;
};

const char *http_query(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_query; i++)
		if (!strcmp(r->query[i].name, name))
			return r->query[i].value;
	return NULL;
}

/* "if-match-required" as a title: "If match required". */
static void title_of(const char *code, char title[64])
{
	snprintf(title, 64, "%s", code);
	for (char *c = title; *c; c++)
		if (*c == '-')
			*c = ' ';
	if (title[0] >= 'a' && title[0] <= 'z')
		title[0] = (char)(title[0] - 'a' + 'A');
}

void http_problem(struct http_reply *reply, unsigned status, const char *code, const char *format,
                  ...)
{
	char detail[1024], type[96], title[64];
	va_list list;

	va_start(list, format);
	vsnprintf(detail, sizeof(detail), format, list);
	va_end(list);
	snprintf(type, sizeof(type), "urn:weir:problem:%s", code);
	title_of(code, title);
	json_decref(reply->json);
	json_t *text = json_string(detail);
	reply->json = json_pack("{s:s, s:s, s:i, s:s, s:o}", "type", type, "title", title, "status",
	                        (int)status, "code", code, "detail",
	                        text ? text : json_string("(not UTF-8)"));
	reply->status = status;
	reply->etag[0] = '\0';
}

char *http_reply_text(const struct http_reply *reply)
{
	if (reply->text)
		return strdup(reply->text);
	return reply->json ? json_dumps(reply->json, JSON_INDENT(1)) : strdup("");
}

void http_reply_fini(struct http_reply *reply)
{
	json_decref(reply->json);
	free(reply->text);
	*reply = (struct http_reply){ 0 };
}

static const char *type_of(const struct http_reply *reply)
{
	if (reply->text)
		return reply->type;
	return reply->status >= 400 ? "application/problem+json" : "application/json";
}

static void header(struct MHD_Response *r, const char *name, const char *value)
{
	if (*value)
		MHD_add_response_header(r, name, value);
}

static enum MHD_Result send_reply(struct MHD_Connection *c, const struct http_reply *reply)
{
	char *text = reply->status == 304 ? strdup("") : http_reply_text(reply);

	if (!text)
		return MHD_NO;
	struct MHD_Response *r =
	        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(text);
		return MHD_NO;
	}
	header(r, "Content-Type", *text ? type_of(reply) : "");
	header(r, "ETag", reply->etag);
	header(r, "WWW-Authenticate", reply->challenge);
	header(r, "Allow", reply->allow);
	header(r, "Idempotent-Replay", reply->replayed ? "true" : "");
	header(r, "Cache-Control", "no-store");
	header(r, "X-Content-Type-Options", "nosniff");
	header(r, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
	enum MHD_Result rc = MHD_queue_response(c, reply->status, r);
	MHD_destroy_response(r);
	return rc;
}

static void collect(struct inbox *in, const char *data, size_t n)
{
	if (in->n + n > HTTP_BODY_MAX)
		in->overlong =
		        true; /* the rest is read and dropped, so that the client hears why */
	if (in->overlong || in->no_memory)
		return;
	if (in->n + n + 1 > in->max) {
		size_t max = 2 * (in->n + n) + 4096;
		char *body = realloc(in->body, max);

		if (!body) {
			in->no_memory = true;
			return;
		}
		in->body = body;
		in->max = max;
	}
	memcpy(in->body + in->n, data, n);
	in->n += n;
	in->body[in->n] = '\0';
}

static bool copy(char *out, size_t size, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n >= size)
		return false;
	memcpy(out, text ? text : "", n + 1);
	return true;
}

/* Where the reading of query parameters puts them. */
struct query_walk {
	struct http_request *request;
	bool bad;
};

static enum MHD_Result take_query(void *arg, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
	struct query_walk *w = arg;
	struct http_request *r = w->request;

	(void)kind;
	if (r->n_query == HTTP_QUERY_MAX || http_query(r, name) ||
	    !copy(r->query[r->n_query].name, sizeof(r->query[0].name), name) ||
	    !copy(r->query[r->n_query].value, sizeof(r->query[0].value), value))
		w->bad = true;
	else
		r->n_query++;
	return MHD_YES;
}

static const char *header_of(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

/* Fill @p r from the connection. @return whether it is such that it can be answered */
static bool read_request(struct MHD_Connection *c, const char *url, const char *method,
                         const struct inbox *in, struct http_request *r)
{
	struct query_walk walk = { r, false };
	const char *type = header_of(c, "Content-Type");

	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, take_query, &walk);
	r->body = in->body ? in->body : "";
	r->n_body = in->n;
	r->body_is_json = type && !strncasecmp(type, "application/json", 16);
	/* The library sends no body to HEAD. */
	return copy(r->method, sizeof(r->method), strcmp(method, "HEAD") ? method : "GET") &&
	       copy(r->path, sizeof(r->path), url) &&
	       copy(r->if_match, sizeof(r->if_match), header_of(c, "If-Match")) &&
	       copy(r->if_none_match, sizeof(r->if_none_match), header_of(c, "If-None-Match")) &&
	       copy(r->key, sizeof(r->key), header_of(c, "Idempotency-Key")) && !walk.bad;
}

static void answer(struct http_server *s, struct MHD_Connection *c, const char *url,
                   const char *method, const struct inbox *in, struct http_reply *reply)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_request *request = calloc(1, sizeof(*request));

	if (!request || in->no_memory)
		http_problem(reply, 503, "busy", "out of memory");
	else if (in->overlong)
		http_problem(reply, 413, "too-large", "a body has at most %zu bytes",
		             HTTP_BODY_MAX);
	else if (!read_request(c, url, method, in, request))
		http_problem(
		        reply, 400, "bad-request",
		        "a path, query parameter or header is too long, given twice or unknown");
	else {
		s->options.authenticator(s->options.core, info ? info->connect_fd : -1,
		                         header_of(c, "Authorization"), request);
		bool pulses = info && !s->options.cert && s->options.core->pulse &&
		              header_of(c, "Weir-Progress");

		if (pulses)
			pulse_begin(s->options.core, info->connect_fd);
		s->options.handler(s->options.core, request, reply);
		if (pulses)
			pulse_end(s->options.core, info->connect_fd);
	}
	free(request);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *n, void **state)
{
	struct inbox *in = *state;
	struct http_reply reply = { 0 };

	(void)version;
	if (!in) {
		*state = calloc(1, sizeof(*in));
		return *state ? MHD_YES : MHD_NO;
	}
	if (*n) {
		collect(in, data, *n);
		*n = 0;
		return MHD_YES;
	}
	answer(arg, c, url, method, in, &reply);
	enum MHD_Result rc = send_reply(c, &reply);
	http_reply_fini(&reply);
	return rc;
}

static void on_end(void *arg, struct MHD_Connection *c, void **state,
                   enum MHD_RequestTerminationCode why)
{
	struct inbox *in = *state;

	(void)arg;
	(void)c;
	(void)why;
	if (in)
		free(in->body);
	free(in);
	*state = NULL;
}

/* As the library does it, but %00 stays: what stands behind a NUL would be lost. */
static size_t unescape(void *arg, struct MHD_Connection *c, char *text)
{
	char *to = text;
	unsigned byte;

	(void)arg;
	(void)c;
	for (const char *at = text; *at; at++) {
		if (*at == '%' && isxdigit((unsigned char)at[1]) &&
		    isxdigit((unsigned char)at[2]) && sscanf(at + 1, "%2x", &byte) == 1 && byte) {
			*to++ = (char)byte;
			at += 2;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
	return (size_t)(to - text);
}

int http_serve(const struct http_options *options, struct http_server **out)
{
	struct http_server *s = calloc(1, sizeof(*s));
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
	                 MHD_USE_POLL | (options->cert ? MHD_USE_TLS : 0);

	if (!s) {
		close(options->listen_fd);
		return -ENOMEM;
	}
	s->options = *options;
	struct MHD_OptionItem tls[] = {
		{ options->cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0,
		  (void *)(uintptr_t)options->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key },
		{ MHD_OPTION_END, 0, NULL },
	};
	s->daemon = MHD_start_daemon(
	        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, options->listen_fd,
	        MHD_OPTION_CONNECTION_LIMIT, HTTP_CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	        IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_BYTES,
	        MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_end,
	        s, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (!s->daemon) {
		close(options->listen_fd);
		free(s);
		return options->cert ? -EINVAL : -EIO;
	}
	*out = s;
	return 0;
}

void http_stop(struct http_server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->daemon);
	free(s);
}
