/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests and replies as values; the servers are in serve.c. A problem replaces what a reply
 * held before, so that a handler may fail at any point.
 */
#include "mgmt/http/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "weir/json.h"

bool http_names_etag(const char *field, const char *etag, bool weakly)
{
	size_t n = strlen(etag);

	if (!n || !strcmp(field, "*"))
		return n;
	while (*field) {
		field += strspn(field, " \t,");
		bool is_weak = !strncmp(field, "W/", 2);
		const char *tag = field + (is_weak ? 2 : 0),
		           *end = *tag == '"' ? strchr(tag + 1, '"') : NULL;
		size_t n_tag = end ? (size_t)(end + 1 - tag) : strcspn(tag, ",");

		if (n_tag == n && !strncmp(tag, etag, n) && (weakly || !is_weak))
			return true;
		field = tag + n_tag;
	}
	return false;
}

const char *http_query(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->n_query; i++)
		if (!strcmp(r->query[i].name, name))
			return r->query[i].value;
	return NULL;
}

bool http_method_has_body(const char *method)
{
	return !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
}

bool http_path_part(const char *at, size_t n, char out[HTTP_TEXT_MAX])
{
	size_t n_out = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_escape = at[i] == '%';

		if ((is_escape && strncmp(at + i, "%25", 3) != 0) || n_out + 1 >= HTTP_TEXT_MAX)
			return false;
		out[n_out++] = at[i];
		i += is_escape ? 2 : 0;
	}
	out[n_out] = '\0';
	return n_out > 0;
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
	plain_cut(detail, sizeof(detail));
	snprintf(type, sizeof(type), "urn:weir:problem:%s", code);
	title_of(code, title);
	json_decref(reply->json);
	free(reply->text);
	reply->text = NULL;
	reply->json = json_pack("{s:s, s:s, s:i, s:s, s:o}", "type", type, "title", title, "status",
	                        (int)status, "code", code, "detail", json_text(detail));
	reply->status = status;
	reply->etag[0] = '\0';
	reply->replayed = false;
	reply->retry_s = 0;
}

char *http_reply_text(const struct http_reply *reply)
{
	if (reply->text)
		return strdup(reply->text);
	return reply->json ? json_dumps(reply->json, reply->dense ? 0 : JSON_INDENT(1))
	                   : strdup("");
}

void http_reply_fini(struct http_reply *reply)
{
	json_decref(reply->json);
	free(reply->text);
	*reply = (struct http_reply){ 0 };
}

void http_doing(const struct http_request *r, const char *what)
{
	if (r && r->doing)
		atomic_store_explicit(r->doing, what, memory_order_release);
}

bool http_gone(const struct http_request *r)
{
	return r->gone && atomic_load_explicit(r->gone, memory_order_relaxed);
}
