/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * HTTP/1.1 messages as bytes (RFC 9112): the head of a request, and a body in chunks.
 *
 * Pure: no input or output, no allocation. Strict: what two readers could understand differently is refused, not guessed
 * (a bare line feed, a folded line, a header twice, two lengths, a length beside a transfer coding, no Host).
 *
 * Implemented in mgmt/http/parse.c; called by a server's own thread.
 */
#ifndef WEIR_MGMT_HTTP_PARSE_H
#define WEIR_MGMT_HTTP_PARSE_H

#include "base/checked.h"
#include "mgmt/http/http.h"

#define HTTP_HEAD_MAX    ((size_t)16 << 10) /**< bytes of request line and headers: 431 beyond */
#define HTTP_LINE_MAX    ((size_t)8 << 10)  /**< bytes of the request line: 414 beyond */
#define HTTP_HEADERS_MAX 64u                /**< 431 beyond */
#define HTTP_LOGIN_MAX   512u               /**< bytes of Authorization */

/** What a head says of the connection and of the body that follows. */
struct http_head {
	bool is_head;               /**< HEAD: the answer has no body */
	bool close;                 /**< the connection ends after the answer */
	bool expects;               /**< Expect: 100-continue */
	bool chunked;               /**< the body comes in chunks */
	bool progress;              /**< Weir-Progress */
	bool has_login;             /**< it has Authorization */
	uint64_t n_body;            /**< Content-Length; 0 without */
	char login[HTTP_LOGIN_MAX]; /**< Authorization; "" also where that is too long */
};

/** What is wrong with a request; status 0: nothing. */
struct http_fault {
	unsigned status;
	const char *code, *detail;
};

/**
 * Find the end of a head in @p bytes, of which the first @p n_searched were looked at by an earlier call.
 * @return its length with the empty line, 0: it is not whole yet, or -1 with @p fault
 */
ssize_t http_parse_end(const char *bytes, size_t n, size_t n_searched, struct http_fault *fault);
/**
 * Read a whole head of @p n bytes.
 * @param head, request  zeroed; of the request: method, path, query, if_match, if_none_match, key, body_is_json,
 *                       body_is_patch
 * @return whether it is one that can be answered; else @p fault
 */
bool http_parse_head(const char *bytes, size_t n, struct http_head *head,
                     struct http_request *request, struct http_fault *fault) MUST_CHECK;

/** The reading of a body in chunks (RFC 9112, 7.1); zeroed at the start. */
struct http_chunks {
	int state;
	uint64_t left; /**< bytes of this chunk that are still to come */
	size_t n_line; /**< bytes of this line so far */
	unsigned digits;
	size_t n_trailer;
};

enum http_chunks_result { HTTP_CHUNKS_MORE, HTTP_CHUNKS_DATA, HTTP_CHUNKS_END, HTTP_CHUNKS_BAD };

/**
 * Read on. @p used gets how many bytes of @p bytes were read.
 * @return DATA: @p data (within @p bytes) and @p n_data are a part of the body, call again; MORE: all was read; END; BAD
 */
enum http_chunks_result http_chunks_read(struct http_chunks *c, const char *bytes, size_t n,
                                         size_t *used, const char **data, size_t *n_data);

#endif
