/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads and chunks at their bounds; what is broken in other ways is in test_http.py, through the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/http/parse.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define HEAD_MAX         ((size_t)16 << 10)
#define REQUEST_LINE_MAX ((size_t)8 << 10)
#define HEADERS_MAX      64u
#define LOGIN_MAX        512u
#define QUERY_MAX        16u
#define TEXT_MAX         256
#define PATH_MAX_BYTES   512
#define CHUNK_DIGITS_MAX 8
#define CHUNK_LINE_MAX   256
#define TRAILER_MAX      4096

static struct http_head head;
static struct http_request request;
static struct http_fault fault;

static bool parse_bytes(const char *text, size_t n)
{
	head = (struct http_head){ 0 };
	request = (struct http_request){ 0 };
	fault = (struct http_fault){ 0 };
	ssize_t end = http_parse_end(text, n, 0, &fault);

	return end > 0 && http_parse_head(text, (size_t)end, &head, &request, &fault);
}

static bool parse_text(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void a_head_is_whole_with_its_last_byte_however_it_is_cut(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	size_t n = sizeof(text) - 1;

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		fault = (struct http_fault){ 0 };
		assert_int_equal(http_parse_end(text, cut, 0, &fault), 0);
		assert_int_equal(http_parse_end(text, n, cut, &fault), n);
		assert_int_equal(fault.status, 0);
	}
}

static void what_follows_a_head_is_not_looked_at(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n\r\n\0\n\rGET";

	(void)state;
	fault = (struct http_fault){ 0 };
	assert_int_equal(http_parse_end(text, sizeof(text) - 1, 0, &fault), 18);
}

/* A head of exactly @p n_line bytes of request line and @p n bytes in all. */
static char *make_head(size_t n_line, size_t n)
{
	char *text = malloc(n + 1);

	assert_non_null(text);
	memset(text, 'x', n);
	memcpy(text, "GET /", 5);
	memcpy(text + n_line - 11, " HTTP/1.1\r\n", 11);
	memcpy(text + n_line, "Host: a\r\nX: ", 12);
	memcpy(text + n - 4, "\r\n\r\n", 4);
	text[n] = '\0';
	return text;
}

static void the_longest_line_and_head_are_taken_and_no_longer_ones(void **state)
{
	static const struct {
		size_t n_line, n;
		unsigned status; /* 400: the path is too long, which is looked at last */
	} cases[] = {
		{ REQUEST_LINE_MAX, HEAD_MAX - 1, 400 },
		{ REQUEST_LINE_MAX, HEAD_MAX, 400 },
		{ REQUEST_LINE_MAX + 1, HEAD_MAX, 414 },
		{ REQUEST_LINE_MAX, HEAD_MAX + 1, 431 },
		{ 100, HEAD_MAX + 1, 431 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = make_head(cases[i].n_line, cases[i].n);

		assert_false(parse_bytes(text, cases[i].n));
		assert_int_equal(fault.status, cases[i].status);
		free(text);
	}
	char *text = make_head(16, HEAD_MAX); /* "GET /" and the version */
	assert_true(parse_bytes(text, HEAD_MAX));
	free(text);
}

static void as_many_headers_as_allowed_and_one_more(void **state)
{
	char text[2048];

	(void)state;
	for (size_t n = HEADERS_MAX; n <= HEADERS_MAX + 1; n++) {
		size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

		for (size_t i = 1; i < n; i++)
			at += (size_t)sprintf(text + at, "X: y\r\n");
		strcpy(text + at, "\r\n");
		assert_int_equal(parse_text(text), n == HEADERS_MAX);
		assert_int_equal(fault.status, n == HEADERS_MAX ? 0 : 431);
	}
}

static void paths_and_parameters_at_their_longest(void **state)
{
	char text[1024];

	(void)state;
	for (int n = PATH_MAX_BYTES - 1; n <= (int)PATH_MAX_BYTES; n++) {
		sprintf(text, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", n - 1, 0);
		assert_int_equal(parse_text(text), n < (int)PATH_MAX_BYTES);
	}
	for (int n = TEXT_MAX - 1; n <= (int)TEXT_MAX; n++) {
		sprintf(text, "GET /?a=%0*d HTTP/1.1\r\nHost: a\r\n\r\n", n, 0);
		assert_int_equal(parse_text(text), n < (int)TEXT_MAX);
		sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nIf-Match: %0*d\r\n\r\n", n, 0);
		assert_int_equal(parse_text(text), n < (int)TEXT_MAX);
	}
	assert_true(
	        parse_text("GET /?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p HTTP/1.1\r\nHost: a\r\n\r\n"));
	assert_int_equal(request.n_query, QUERY_MAX);
	assert_false(
	        parse_text("GET /?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q HTTP/1.1\r\nHost: a\r\n\r\n"));
}

static void what_a_request_says_is_understood(void **state)
{
	(void)state;
	assert_true(
	        parse_text("POST /a/b%20c?x=1%262&y=a%2Fb&z HTTP/1.1\r\nhost: a:1\r\n"
	                   "AUTHORIZATION:\t Bearer t \r\ncontent-length: 007\r\n"
	                   "Content-Type: Application/JSON;charset=utf-8\r\nIf-Match: \"v1\"\r\n"
	                   "If-None-Match: *\r\nIdempotency-Key: k\r\nExpect: 100-Continue\r\n"
	                   "Connection: x, Close\r\nWeir-Progress: 1\r\n\r\n"));
	assert_string_equal(request.method, "POST");
	assert_string_equal(request.path, "/a/b c");
	assert_int_equal(request.n_query, 3);
	assert_string_equal(http_query(&request, "x"), "1&2");
	assert_string_equal(http_query(&request, "y"), "a/b");
	assert_string_equal(http_query(&request, "z"), "");
	assert_string_equal(head.login, "Bearer t");
	assert_true(head.has_login && head.expects && head.close && head.progress);
	assert_false(head.chunked || head.is_head);
	assert_int_equal(head.n_body, 7);
	assert_true(request.body_is_json);
	assert_string_equal(request.if_match, "\"v1\"");
	assert_string_equal(request.if_none_match, "*");
	assert_string_equal(request.key, "k");
}

/* Each bound of the ranges of a token's characters, and each that is in none. */
static void a_header_may_have_each_character_of_a_token(void **state)
{
	(void)state;
	assert_true(parse_text("GET / HTTP/1.1\r\nHost: a\r\n09azAZ!#$%&'*+-.^_`|~: x\r\n\r\n"));
}

/* Nor is it one for who decodes a part of the path once more, however often it was escaped. */
static void an_escaped_slash_is_no_slash(void **state)
{
	static const struct {
		const char *target, *path, *part; /* NULL: it names nothing */
	} rows[] = {
		{ "/v1%2fnode", "/v1%2Fnode", NULL },
		{ "/%2F", "/%2F", NULL },
		{ "/v1/node%2F", "/v1/node%2F", NULL },
		{ "/..%2f..%2Fx", "/..%2F..%2Fx", NULL },
		{ "/a%252Fb", "/a%252Fb", "a%2Fb" },
		{ "/a%25252Fb", "/a%25252Fb", "a%252Fb" },
		{ "/%25", "/%25", "%" },
		{ "/%2525", "/%2525", "%25" },
		{ "/%252", "/%252", "%2" },
		{ "/*.a%2ab.%2e", "/*.a*b..", "*.a*b.." },
		{ "/", "/", NULL },
	};
	char text[200], part[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].target);
		assert_true(parse_text(text));
		assert_string_equal(request.path, rows[i].path);
		const char *at = strrchr(request.path, '/') + 1;

		strcpy(part, "none");
		if (http_path_part(at, strlen(at), part) != (rows[i].part != NULL) ||
		    (rows[i].part && strcmp(part, rows[i].part) != 0))
			fail_msg("%s: %s", rows[i].target, part);
	}
	assert_true(parse_text("GET /v1/node%2E?a=/%2F%25 HTTP/1.1\r\nHost: a\r\n\r\n"));
	assert_string_equal(http_query(&request, "a"), "//%");
}

static void conditions_name_tags(void **state)
{
	static const struct {
		const char *field, *etag;
		bool strongly, weakly;
	} rows[] = {
		{ "*", "\"a\"", true, true },
		{ "*", "", false, false },
		{ "", "\"a\"", false, false },
		{ "\"a\"", "\"a\"", true, true },
		{ "\"a\"", "", false, false },
		{ "\"ab\"", "\"a\"", false, false },
		{ "\"a", "\"a\"", false, false },
		{ "a", "\"a\"", false, false },
		{ "\"b\", \"a\"", "\"a\"", true, true },
		{ "\"b\"\t,\"a\" ,\"c\"", "\"a\"", true, true },
		{ ",,\"b\",,\"c\",", "\"a\"", false, false },
		{ "\"b,\"a\"", "\"a\"", false, false }, /* a comma may be in one */
		{ "W/\"a\"", "\"a\"", false, true },
		{ "W/\"b\", W/\"a\"", "\"a\"", false, true },
		{ "w/\"a\"", "\"a\"", false, false },
		{ "*, \"a\"", "\"a\"", true, true },
		{ "W/", "\"a\"", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (http_names_etag(rows[i].field, rows[i].etag, false) != rows[i].strongly ||
		    http_names_etag(rows[i].field, rows[i].etag, true) != rows[i].weakly)
			fail_msg("%s: %s", rows[i].field, rows[i].etag);
}

/* What stays escaped takes three bytes, of a path and of its part. */
static void a_part_of_a_path_at_its_longest(void **state)
{
	char text[2048], part[TEXT_MAX], long_part[PATH_MAX_BYTES];

	(void)state;
	for (size_t n = 169; n <= 171; n++) {
		size_t at = (size_t)sprintf(text, "GET /");

		for (size_t i = 0; i < n; i++)
			at += (size_t)sprintf(text + at, "%%25");
		sprintf(text + at, " HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_int_equal(parse_text(text), 1 + 3 * n < PATH_MAX_BYTES);
	}
	memset(long_part, 'x', sizeof(long_part));
	assert_true(http_path_part(long_part, TEXT_MAX - 1, part));
	assert_int_equal(strlen(part), TEXT_MAX - 1);
	assert_false(http_path_part(long_part, TEXT_MAX, part));
	memcpy(long_part + TEXT_MAX - 2, "%25", 3);
	assert_true(http_path_part(long_part, TEXT_MAX + 1, part));
	assert_int_equal(part[TEXT_MAX - 2], '%');
}

static void what_a_request_does_not_say_is_not_assumed(void **state)
{
	(void)state;
	assert_true(parse_text("HEAD / HTTP/1.1\r\nHost:\r\n\r\n"));
	assert_string_equal(request.method, "GET");
	assert_true(head.is_head);
	assert_false(head.has_login || head.expects || head.close || head.progress ||
	             head.chunked || request.body_is_json);
	assert_int_equal(head.n_body, 0);
	assert_true(parse_text("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"));
	assert_true(head.close && !head.expects);
}

static void a_login_that_is_too_long_is_not_none(void **state)
{
	char text[1024];

	(void)state;
	for (int n = LOGIN_MAX - 1; n <= (int)LOGIN_MAX; n++) {
		sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: %0*d\r\n\r\n", n, 0);
		assert_true(parse_text(text));
		assert_true(head.has_login);
		assert_int_equal(strlen(head.login), n < (int)LOGIN_MAX ? n : 0);
	}
}

static void lengths_at_the_bound_and_beyond_all_bounds(void **state)
{
	static const struct {
		const char *text;
		uint64_t least, most;
	} cases[] = {
		{ "33554432", HTTP_BODY_MAX, HTTP_BODY_MAX },
		{ "33554433", HTTP_BODY_MAX + 1, HTTP_BODY_MAX + 1 },
		{ "18446744073709551616", HTTP_BODY_MAX + 1, UINT64_MAX },
		{ "99999999999999999999999999999999999999999", HTTP_BODY_MAX + 1, UINT64_MAX },
		{ "00000000000000000000000000000000000000001", 1, 1 },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sprintf(text, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
		        cases[i].text);
		assert_true(parse_text(text));
		assert_in_range(head.n_body, cases[i].least, cases[i].most);
	}
}

/* Read @p text in pieces of @p piece bytes. @return the last result; @p body gets the data, @p used what was read */
static enum http_chunks_result read_all(const char *text, size_t piece, char *body, size_t *used)
{
	enum http_chunks_result got = HTTP_CHUNKS_MORE;
	struct http_chunks c = { 0 };
	size_t n = strlen(text), at = 0;

	*body = '\0';
	while (at < n && (got == HTTP_CHUNKS_MORE || got == HTTP_CHUNKS_DATA)) {
		const char *data = NULL;
		size_t n_used, n_data = 0, more = n - at < piece ? n - at : piece;

		got = http_chunks_read(&c, text + at, more, &n_used, &data, &n_data);
		if (got == HTTP_CHUNKS_DATA)
			strncat(body, data, n_data);
		at += n_used;
	}
	*used = at;
	return got;
}

static void chunks_are_put_together_however_they_are_cut(void **state)
{
	static const char text[] = "3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n00\r\nT: 1\r\n\r\nGET";
	char body[64];
	size_t used;

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		assert_int_equal(read_all(text, piece, body, &used), HTTP_CHUNKS_END);
		assert_string_equal(body, "abc0123456789");
		assert_int_equal(used, sizeof(text) - 1 - 3);
	}
}

static void chunks_that_are_no_chunks_are_refused(void **state)
{
	static const char *const texts[] = {
		"\r\n",          ";\r\n",       "g\r\n",       "1\n",
		"1\rx",          "1\r\nab\r\n", "1\r\na\n",    "1\r\na\rx",
		"-1\r\n",        "0x1\r\n",     "1 \r\na\r\n", "123456789\r\n",
		"1;\n\r\na\r\n", "0\r\n\n",     "0\r\na\rb",   "0\r\na\n",
	};
	char body[64], longest[300];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t piece = 1; piece < 4; piece++)
			if (read_all(texts[i], piece, body, &used) != HTTP_CHUNKS_BAD)
				fail_msg("%s", texts[i]);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "1;", 2);
	assert_int_equal(read_all(longest, 300, body, &used), HTTP_CHUNKS_BAD);
}

/* Each byte in the place of one that is not data: what may stand there, and nothing else. */
static void each_byte_between_chunks_has_its_place(void **state)
{
	static const char size[] = "0123456789abcdefABCDEF;\r";
	static const struct {
		const char *why, *before;
	} rows[] = {
		{ "behind a digit", "1" },   { "in an extension", "1;" },
		{ "in a trailer", "0\r\n" }, { "behind a CR", "1\r" },
		{ "behind data", "1\r\na" }, { "behind its CR", "1\r\na\r" },
	};

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		const bool may_stand[] = { byte && strchr(size, byte),
			                   byte >= ' ' || byte == '\t' || byte == '\r',
			                   byte && byte != '\n',
			                   byte == '\n',
			                   byte == '\r',
			                   byte == '\n' };

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct http_chunks c = { 0 };
			const char one = (char)byte, *data = NULL, *at = rows[i].before;
			size_t used, n_data, left = strlen(at);

			while (left) {
				assert_int_not_equal(
				        http_chunks_read(&c, at, left, &used, &data, &n_data),
				        HTTP_CHUNKS_BAD);
				at += used;
				left -= used;
			}
			if (http_chunks_read(&c, &one, 1, &used, &data, &n_data) !=
			    (may_stand[i] ? HTTP_CHUNKS_MORE : HTTP_CHUNKS_BAD))
				fail_msg("%s: %d", rows[i].why, byte);
		}
	}
}

/* Whatever the bound, one byte more is refused: of a size's digits, of its line, of all lines behind the last chunk. */
static void chunks_have_bounds_that_hold_for_each_of_them(void **state)
{
	static const struct {
		const char *why, *before;
		int n; /* bytes in the place of one more */
		const char *after;
		enum http_chunks_result got;
	} rows[] = {
		{ "eight", "", CHUNK_DIGITS_MAX, "\r\n\r\n", HTTP_CHUNKS_END },
		{ "nine", "", CHUNK_DIGITS_MAX + 1, "\r\n\r\n", HTTP_CHUNKS_BAD },
		{ "eight behind another chunk", "00000001\r\na\r\n", CHUNK_DIGITS_MAX, "\r\n\r\n",
		  HTTP_CHUNKS_END },
		{ "nine behind another chunk", "00000001\r\na\r\n", CHUNK_DIGITS_MAX + 1,
		  "\r\n\r\n", HTTP_CHUNKS_BAD },
		{ "the longest line, with its CR", "0;", CHUNK_LINE_MAX - 3, "\r\n\r\n",
		  HTTP_CHUNKS_END },
		{ "a longer one", "0;", CHUNK_LINE_MAX - 2, "\r\n\r\n", HTTP_CHUNKS_BAD },
		{ "the longest behind another chunk", "1;00000\r\na\r\n0;", CHUNK_LINE_MAX - 3,
		  "\r\n\r\n", HTTP_CHUNKS_END },
		{ "the longest trailer, with each CR", "0\r\n", TRAILER_MAX - 2, "\r\n\r\n",
		  HTTP_CHUNKS_END },
		{ "a longer one", "0\r\n", TRAILER_MAX - 1, "\r\n\r\n", HTTP_CHUNKS_BAD },
		{ "the longest in two lines", "0\r\n00\r\n", TRAILER_MAX - 5, "\r\n\r\n",
		  HTTP_CHUNKS_END },
		{ "longer in two lines", "0\r\n00\r\n", TRAILER_MAX - 4, "\r\n\r\n",
		  HTTP_CHUNKS_BAD },
		{ "as much after a long size", "0;000000\r\n", TRAILER_MAX - 2, "\r\n\r\n",
		  HTTP_CHUNKS_END },
	};
	static char text[TRAILER_MAX + 64];
	char body[64];
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t piece = 1; piece <= sizeof(text); piece += sizeof(text) - 1) {
			snprintf(text, sizeof(text), "%s%0*d%s", rows[i].before, rows[i].n, 0,
			         rows[i].after);
			if (read_all(text, piece, body, &used) != rows[i].got)
				fail_msg("%s, in pieces of %zu", rows[i].why, piece);
			if (rows[i].got == HTTP_CHUNKS_END)
				assert_int_equal(used, strlen(text));
		}
}

#define LINE_BAD    "the request line is not METHOD TARGET VERSION"
#define ENCODED_BAD "the path or query has a bad percent-encoding or a control character"
#define TARGET_BAD  "the request target contains a character that is not allowed"
#define HEADER_BAD  "a header is not NAME: VALUE"
#define BOTH_BAD    "Transfer-Encoding is not allowed with Content-Length or in HTTP/1.0"
#define GET_A(rest) "GET /a HTTP/1.1\r\nHost: a\r\n" rest "\r\n"
#define TARGET(t)   "GET " t " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Each refusal with its words, and beside each what is still taken. */
static const struct {
	const char *head;
	unsigned status; /* 0: it is taken */
	const char *code, *detail;
} heads[] = {
	{ GET_A(""), 0, NULL, NULL },
	{ "GET /a HTTP/1.0\r\n\r\n", 0, NULL, NULL },
	{ "GET /a HTTP/1.1\r\n\r\n", 400, "bad-request", "the Host header is missing" },
	{ "GET /a HTTP/1.2\r\nHost: a\r\n\r\n", 505, "http-version",
	  "this server speaks HTTP/1.1" },
	{ "GET /a HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http-version",
	  "this server speaks HTTP/1.1" },
	{ "GET /a HTTP/0.9\r\nHost: a\r\n\r\n", 505, "http-version",
	  "this server speaks HTTP/1.1" },
	{ "GET /a HTTP/1.10\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET /a HTTP/1,1\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET /a HTTP/x.1\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET /a HTTP/1.x\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET /a http/1.1\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET /a\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ " /a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "GET  /a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "G(T /a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "bad-request", LINE_BAD },
	{ "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n", 0, NULL, NULL },
	{ "PROPFIND /a HTTP/1.1\r\nHost: a\r\n\r\n", 501, "not-implemented",
	  "the method is unknown" },
	{ TARGET("a"), 400, "bad-request", "the request target does not begin with /" },
	{ TARGET("*"), 400, "bad-request", "the request target does not begin with /" },
	{ TARGET("http://a/b"), 0, NULL, NULL },
	{ TARGET("HTTPS://a/b"), 0, NULL, NULL },
	{ TARGET("http://a"), 400, "bad-request", "the request target has no path" },
	{ TARGET("https://a"), 400, "bad-request", "the request target has no path" },
	{ TARGET("http://"), 400, "bad-request", "the request target does not begin with /" },
	{ TARGET("/a%2Fb"), 0, NULL, NULL },
	{ TARGET("/a%2"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a%2g"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a%g2"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a%00"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a%1f"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a%7F"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a%20%7e%c3%bC"), 0, NULL, NULL },
	{ TARGET("/a?b=%0a"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a?%0a=b"), 400, "bad-request", ENCODED_BAD },
	{ TARGET("/a?b&b"), 400, "bad-request", "a query parameter is given twice" },
	{ TARGET("/a?b=1&c=2&%62=3"), 400, "bad-request", "a query parameter is given twice" },
	{ TARGET("/a?01234567890123456789012345678901=b"), 400, "bad-request",
	  "the path or a query parameter is too long" },
	{ TARGET("/a?0123456789012345678901234567890=b"), 0, NULL, NULL },
	{ TARGET("/a?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p"), 0, NULL, NULL },
	{ TARGET("/a?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q"), 400, "bad-request",
	  "the request has more than 16 query parameters" },
	{ GET_A("X\r\n"), 400, "bad-request", HEADER_BAD },
	{ GET_A(": x\r\n"), 400, "bad-request", HEADER_BAD },
	{ GET_A("X : x\r\n"), 400, "bad-request", HEADER_BAD },
	{ GET_A(" folded\r\n"), 400, "bad-request", HEADER_BAD },
	{ GET_A("X:\r\nX:\r\n"), 0, NULL, NULL },
	{ GET_A("Host: a\r\n"), 400, "bad-request", "a header is given twice" },
	{ GET_A("If-Match: a\r\nif-match: a\r\n"), 400, "bad-request", "a header is given twice" },
	{ GET_A("Authorization:\r\nAuthorization:\r\n"), 400, "bad-request",
	  "a header is given twice" },
	{ GET_A("Connection: x\r\nConnection: y\r\n"), 0, NULL, NULL },
	{ "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, NULL, NULL },
	{ "GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad-request",
	  "the Host header is not a host" },
	{ "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad-request",
	  "the Host header is not a host" },
	{ GET_A("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n"), 400, "bad-request",
	  BOTH_BAD },
	{ "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad-request", BOTH_BAD },
	{ "POST /a HTTP/1.0\r\nContent-Length: 7\r\n\r\n", 0, NULL, NULL },
	{ GET_A("Transfer-Encoding: Chunked\r\n"), 0, NULL, NULL },
	{ GET_A("Transfer-Encoding:\r\n"), 501, "not-implemented",
	  "the only supported transfer coding is chunked" },
	{ GET_A("Transfer-Encoding: gzip, chunked\r\n"), 501, "not-implemented",
	  "the only supported transfer coding is chunked" },
	{ GET_A("Content-Length:\r\n"), 400, "bad-request", "Content-Length is not a number" },
	{ GET_A("Content-Length: 0\r\n"), 0, NULL, NULL },
	{ GET_A("Content-Length: 9\r\n"), 0, NULL, NULL },
	{ GET_A("Content-Length: -1\r\n"), 400, "bad-request", "Content-Length is not a number" },
	{ GET_A("Content-Length: 1 2\r\n"), 400, "bad-request", "Content-Length is not a number" },
	{ GET_A("Content-Length: 1:\r\n"), 400, "bad-request", "Content-Length is not a number" },
	{ GET_A("Expect: 100-continue\r\n"), 0, NULL, NULL },
	{ GET_A("Expect: 200-ok\r\n"), 417, "bad-request",
	  "the only supported expectation is 100-continue" },
	{ GET_A("Expect:\r\n"), 417, "bad-request",
	  "the only supported expectation is 100-continue" },
};

static void each_head_is_taken_or_refused_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		bool is_taken = parse_text(heads[i].head);

		if (is_taken != !heads[i].status || fault.status != heads[i].status)
			fail_msg("%s: %u %s", heads[i].head, fault.status,
			         fault.detail ? fault.detail : "");
		if (is_taken)
			continue;
		assert_string_equal(fault.code, heads[i].code);
		assert_string_equal(fault.detail, heads[i].detail);
	}
}

/* Each byte in a header's value and in a target: those that may stand there, and nothing else. */
static void each_byte_of_a_head_has_its_place(void **state)
{
	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char text[64], target[64];
		int n = snprintf(text, sizeof(text),
		                 "GET /a HTTP/1.1\r\nHost: a\r\nX: a.b\r\n\r\n");
		int n_target =
		        snprintf(target, sizeof(target), "GET /. HTTP/1.1\r\nHost: a\r\n\r\n");

		*strrchr(text, '.') = (char)byte;
		strchr(target, '/')[1] = (char)byte;
		if (parse_bytes(text, (size_t)n) != ((byte >= ' ' || byte == '\t') && byte != 0x7f))
			fail_msg("byte %d in a value", byte);
		/* a blank ends the target, and then there is another word too many */
		if (parse_bytes(target, (size_t)n_target) !=
		    (byte > ' ' && byte < 0x7f && byte != '#' && byte != '%'))
			fail_msg("byte %d in a target", byte);
		if (byte == '#' || byte >= 0x7f)
			assert_string_equal(fault.detail, TARGET_BAD);
	}
}

/* What has several ways to be said is understood in each of them. */
static void fields_of_a_head_are_read_in_each_of_their_ways(void **state)
{
	static const struct {
		const char *head;
		const char *method, *path;
		bool is_head, is_json, is_patch, closes, expects, progress, chunked, has_login;
		uint64_t n_body;
	} rows[] = {
		{ GET_A(""), "GET", "/a", .n_body = 0 },
		{ "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a", .is_head = true },
		{ "PUT /a HTTP/1.1\r\nHost: a\r\n\r\n", "PUT", "/a", .n_body = 0 },
		{ "DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n", "DELETE", "/a", .n_body = 0 },
		{ "HEADS /a HTTP/1.1\r\nHost: a\r\n\r\n", "HEADS", "/a", .n_body = 0 },
		{ "head /a HTTP/1.1\r\nHost: a\r\n\r\n", "head", "/a", .n_body = 0 },
		{ TARGET("https://a:1/b/c?d"), "GET", "/b/c", .n_body = 0 },
		{ TARGET("/a+b%2b%3Fc?d"), "GET", "/a+b+?c", .n_body = 0 },
		{ GET_A("Content-Type: application/json\r\n"), "GET", "/a", .is_json = true },
		{ GET_A("Content-Type: APPLICATION/json; x\r\n"), "GET", "/a", .is_json = true },
		{ GET_A("Content-Type: application/json\t; x\r\n"), "GET", "/a", .is_json = true },
		{ GET_A("Content-Type: application/merge-patch+json\r\n"), "GET", "/a",
		  .is_patch = true },
		{ GET_A("Content-Type: Application/Merge-Patch+JSON;a=b\r\n"), "GET", "/a",
		  .is_patch = true },
		{ GET_A("Content-Type: application/merge-patch+jsonx\r\n"), "GET", "/a",
		  .n_body = 0 },
		{ GET_A("Content-Type: application/json-patch+json\r\n"), "GET", "/a",
		  .n_body = 0 },
		{ GET_A("Content-Type: application/jsonp\r\n"), "GET", "/a", .n_body = 0 },
		{ GET_A("Content-Type: application/jso\r\n"), "GET", "/a", .n_body = 0 },
		{ GET_A("Content-Type:\r\n"), "GET", "/a", .n_body = 0 },
		{ GET_A("Connection: close\r\n"), "GET", "/a", .closes = true },
		{ GET_A("Connection: x , CLOSE, y\r\n"), "GET", "/a", .closes = true },
		{ GET_A("Connection: closed\r\n"), "GET", "/a", .n_body = 0 },
		{ GET_A("Connection: x\r\nConnection: close\r\n"), "GET", "/a", .closes = true },
		{ GET_A("Connection: close\r\nConnection: x\r\n"), "GET", "/a", .closes = true },
		{ "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/a",
		  .closes = true },
		{ GET_A("Expect: 100-CONTINUE\r\n"), "GET", "/a", .expects = true },
		{ GET_A("Weir-Progress: no\r\n"), "GET", "/a", .progress = true },
		{ GET_A("Weir-Progress:\r\n"), "GET", "/a", .n_body = 0 },
		{ GET_A("Transfer-Encoding: chunked\r\n"), "GET", "/a", .chunked = true },
		{ GET_A("Authorization:\r\n"), "GET", "/a", .has_login = true },
		{ GET_A("Content-Length: 33554432\r\n"), "GET", "/a", .n_body = 33554432 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!parse_text(rows[i].head) || strcmp(request.method, rows[i].method) != 0 ||
		    strcmp(request.path, rows[i].path) != 0 || head.is_head != rows[i].is_head ||
		    request.body_is_json != rows[i].is_json ||
		    request.body_is_patch != rows[i].is_patch || head.close != rows[i].closes ||
		    head.expects != rows[i].expects || head.progress != rows[i].progress ||
		    head.chunked != rows[i].chunked || head.has_login != rows[i].has_login ||
		    head.n_body != rows[i].n_body)
			fail_msg("%s: %s %s", rows[i].head, request.method, request.path);
	}
}

SUITE(http_parse)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_whole_with_its_last_byte_however_it_is_cut),
		cmocka_unit_test(what_follows_a_head_is_not_looked_at),
		cmocka_unit_test(the_longest_line_and_head_are_taken_and_no_longer_ones),
		cmocka_unit_test(as_many_headers_as_allowed_and_one_more),
		cmocka_unit_test(paths_and_parameters_at_their_longest),
		cmocka_unit_test(what_a_request_says_is_understood),
		cmocka_unit_test(a_header_may_have_each_character_of_a_token),
		cmocka_unit_test(an_escaped_slash_is_no_slash),
		cmocka_unit_test(conditions_name_tags),
		cmocka_unit_test(a_part_of_a_path_at_its_longest),
		cmocka_unit_test(what_a_request_does_not_say_is_not_assumed),
		cmocka_unit_test(a_login_that_is_too_long_is_not_none),
		cmocka_unit_test(lengths_at_the_bound_and_beyond_all_bounds),
		cmocka_unit_test(chunks_are_put_together_however_they_are_cut),
		cmocka_unit_test(chunks_that_are_no_chunks_are_refused),
		cmocka_unit_test(each_head_is_taken_or_refused_in_words),
		cmocka_unit_test(each_byte_of_a_head_has_its_place),
		cmocka_unit_test(fields_of_a_head_are_read_in_each_of_their_ways),
		cmocka_unit_test(each_byte_between_chunks_has_its_place),
		cmocka_unit_test(chunks_have_bounds_that_hold_for_each_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
