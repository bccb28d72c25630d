/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A head is read when it is whole, line by line. http_parse_end() has refused NUL, bare CR and bare
 * LF by then, so a line ends where its CRLF is for every reader. Each header that this server goes
 * by may come once.
 */
#include "mgmt/http/parse.h"

#include <string.h>
#include <strings.h>

#define CHUNK_LINE_MAX   256u  /* a chunk's size with its extensions */
#define TRAILER_MAX      4096u /* all trailer lines */
#define CHUNK_DIGITS_MAX 8u    /* of its size: below 4 GiB */

/* A text within the head, not terminated. */
struct http_span {
	const char *at;
	size_t n;
};

static bool set_fault(struct http_fault *fault, unsigned status, const char *code,
                      const char *detail)
{
	if (!fault->status)
		*fault = (struct http_fault){ status, code, detail };
	return false;
}

static bool set_bad_request(struct http_fault *fault, const char *detail)
{
	return set_fault(fault, 400, "bad-request", detail);
}

/* Check one byte of a head with its neighbours, as far as they have arrived. */
static bool byte_ok(const char *bytes, size_t n, size_t i, struct http_fault *fault)
{
	if (bytes[i] == '\0')
		return set_bad_request(fault, "the head of the request contains a NUL");
	if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
		return set_bad_request(fault, "a line of the head does not end in CR LF");
	if (bytes[i] == '\r' && i + 1 < n && bytes[i + 1] != '\n')
		return set_bad_request(fault, "a line of the head contains a CR");
	return true;
}

ssize_t http_parse_end(const char *bytes, size_t n, size_t n_searched, struct http_fault *fault)
{
	size_t from = n_searched > 3 ? n_searched - 3 : 0;
	const char *line = NULL;

	for (size_t i = from; i < n && i < HTTP_HEAD_MAX; i++) {
		if (!byte_ok(bytes, n, i, fault))
			return -1;
		if (i >= 3 && bytes[i] == '\n' && bytes[i - 2] == '\n')
			return (ssize_t)i + 1;
	}
	line = memchr(bytes, '\n', n < HTTP_LINE_MAX ? n : HTTP_LINE_MAX);
	if (!line && n >= HTTP_LINE_MAX)
		set_fault(fault, 414, "too-long", "the request line is longer than 8 KiB");
	else if (n >= HTTP_HEAD_MAX)
		set_fault(fault, 431, "too-long", "the headers are longer than 16 KiB");
	return fault->status ? -1 : 0;
}

/* A character of a token (RFC 9110, 5.6.2). */
static bool is_token_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct http_span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_token_char((unsigned char)s.at[i]))
			return false;
	return s.n > 0;
}

static bool span_is(struct http_span s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp(s.at, word, s.n);
}

static bool span_copy(struct http_span s, char *out, size_t size)
{
	if (s.n >= size)
		return false;
	memcpy(out, s.n ? s.at : "", s.n);
	out[s.n] = '\0';
	return true;
}

/* The line at @p *at, without its CRLF; @p *at moves behind it. */
static struct http_span next_line(const char **at, const char *end)
{
	const char *lf = memchr(*at, '\n', (size_t)(end - *at));
	struct http_span line = { *at, lf && lf > *at ? (size_t)(lf - *at) - 1 : 0 };

	*at = lf ? lf + 1 : end;
	return line;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut the blanks off at both ends. */
static struct http_span trim_span(struct http_span s)
{
	while (s.n && is_blank(s.at[0])) {
		s.at++;
		s.n--;
	}
	while (s.n && is_blank(s.at[s.n - 1]))
		s.n--;
	return s;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum unescaped { UNESCAPED_OK, UNESCAPED_BAD, UNESCAPED_LONG };

/*
 * Percent-decode; control characters are refused also where they are escaped. In a path "%2F" and
 * "%25" stay as they are, in this form: a slash of a name is no separator for any reader of the path.
 * In a query '+' is a space.
 */
static enum unescaped unescape_span(struct http_span s, bool is_path, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = (unsigned char)s.at[i];
		const char *kept = NULL;

		if (c == '%') {
			int high = i + 2 < s.n ? hex_value(s.at[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_value(s.at[i + 2]) : -1;

			if (high < 0 || low < 0)
				return UNESCAPED_BAD;
			c = 16 * high + low;
			i += 2;
			if (is_path)
				kept = c == '/' ? "%2F" : c == '%' ? "%25" : NULL;
		} else if (!is_path && c == '+') {
			c = ' ';
		}
		if (c < ' ' || c == 0x7f)
			return UNESCAPED_BAD;
		if (n + (kept ? 3 : 1) >= size)
			return UNESCAPED_LONG;
		if (kept)
			memcpy(out + n, kept, 3);
		else
			out[n] = (char)c;
		n += kept ? 3 : 1;
	}
	out[n] = '\0';
	return UNESCAPED_OK;
}

static bool unescape_into(struct http_span s, bool is_path, char *out, size_t size,
                          struct http_fault *fault)
{
	enum unescaped got = unescape_span(s, is_path, out, size);

	if (got == UNESCAPED_BAD)
		return set_bad_request(fault,
		                       "the path or query has a bad percent-encoding or a control "
		                       "character");
	if (got == UNESCAPED_LONG)
		return set_bad_request(fault, "the path or a query parameter is too long");
	return true;
}

/* NAME=VALUE&NAME=VALUE: each name once. */
static bool read_query(struct http_span s, struct http_request *r, struct http_fault *fault)
{
	while (s.n > 0) {
		const char *amp = memchr(s.at, '&', s.n);
		struct http_span pair = { s.at, amp ? (size_t)(amp - s.at) : s.n };
		const char *eq = memchr(pair.at, '=', pair.n);
		struct http_span name = { pair.at, eq ? (size_t)(eq - pair.at) : pair.n };
		struct http_span value = { eq ? eq + 1 : pair.at, eq ? pair.n - name.n - 1 : 0 };
		struct http_pair *to = &r->query[r->n_query];

		s.at += amp ? pair.n + 1 : pair.n;
		s.n -= amp ? pair.n + 1 : pair.n;
		if (r->n_query == HTTP_QUERY_MAX)
			return set_bad_request(fault,
			                       "the request has more than 16 query parameters");
		if (!unescape_into(name, false, to->name, sizeof(to->name), fault) ||
		    !unescape_into(value, false, to->value, sizeof(to->value), fault))
			return false;
		if (http_query(r, to->name))
			return set_bad_request(fault, "a query parameter is given twice");
		r->n_query++;
	}
	return true;
}

/* "/path?query", or the absolute form that clients of proxies send (RFC 9112, 3.2). */
static bool read_request_target(struct http_span s, struct http_request *r,
                                struct http_fault *fault)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.at[i] <= ' ' || (unsigned char)s.at[i] >= 0x7f ||
		    s.at[i] == '#')
			return set_bad_request(
			        fault, "the request target contains a character that is not "
			               "allowed");
	for (int tls = 0; tls < 2; tls++) {
		const char *scheme = tls ? "https://" : "http://";
		size_t n = strlen(scheme);

		if (s.n <= n || strncasecmp(s.at, scheme, n))
			continue;
		const char *slash = memchr(s.at + n, '/', s.n - n);
		if (!slash)
			return set_bad_request(fault, "the request target has no path");
		s.n -= (size_t)(slash - s.at);
		s.at = slash;
	}
	if (s.n == 0 || s.at[0] != '/')
		return set_bad_request(fault, "the request target does not begin with /");
	const char *mark = memchr(s.at, '?', s.n);
	struct http_span path = { s.at, mark ? (size_t)(mark - s.at) : s.n };
	struct http_span query = { mark ? mark + 1 : s.at, mark ? s.n - path.n - 1 : 0 };
	return unescape_into(path, true, r->path, sizeof(r->path), fault) &&
	       read_query(query, r, fault);
}

/* METHOD SP TARGET SP HTTP/1.x */
static bool read_request_line(struct http_span line, struct http_head *head, bool *old,
                              struct http_request *r, struct http_fault *fault)
{
	const char *a = memchr(line.at, ' ', line.n);
	size_t n_left = a ? line.n - (size_t)(a + 1 - line.at) : 0;
	const char *b = a ? memchr(a + 1, ' ', n_left) : NULL;

	if (!b)
		return set_bad_request(fault, "the request line is not METHOD TARGET VERSION");
	struct http_span method = { line.at, (size_t)(a - line.at) };
	struct http_span target = { a + 1, (size_t)(b - a - 1) };
	struct http_span version = { b + 1, line.n - (size_t)(b + 1 - line.at) };
	if (!is_token(method) || version.n != 8 || memcmp(version.at, "HTTP/", 5) ||
	    version.at[5] < '0' || version.at[5] > '9' || version.at[6] != '.' ||
	    version.at[7] < '0' || version.at[7] > '9')
		return set_bad_request(fault, "the request line is not METHOD TARGET VERSION");
	if (version.at[5] != '1' || version.at[7] > '1')
		return set_fault(fault, 505, "http-version", "this server speaks HTTP/1.1");
	*old = version.at[7] == '0';
	head->is_head = method.n == 4 && !memcmp(method.at, "HEAD", 4);
	if (head->is_head)
		method = (struct http_span){ "GET", 3 };
	if (!span_copy(method, r->method, sizeof(r->method)))
		return set_fault(fault, 501, "not-implemented", "the method is unknown");
	return read_request_target(target, r, fault);
}

/* The headers that this server goes by, each at most once. */
enum header {
	HEADER_HOST,
	HEADER_LENGTH,
	HEADER_CODING,
	HEADER_CONNECTION,
	HEADER_EXPECT,
	HEADER_LOGIN,
	HEADER_TYPE,
	HEADER_IF_MATCH,
	HEADER_IF_NONE_MATCH,
	HEADER_KEY,
	HEADER_PROGRESS,
	HEADER_COUNT
};

static const char *const header_names[HEADER_COUNT] = {
	[HEADER_HOST] = "Host",
	[HEADER_LENGTH] = "Content-Length",
	[HEADER_CODING] = "Transfer-Encoding",
	[HEADER_CONNECTION] = "Connection",
	[HEADER_EXPECT] = "Expect",
	[HEADER_LOGIN] = "Authorization",
	[HEADER_TYPE] = "Content-Type",
	[HEADER_IF_MATCH] = "If-Match",
	[HEADER_IF_NONE_MATCH] = "If-None-Match",
	[HEADER_KEY] = "Idempotency-Key",
	[HEADER_PROGRESS] = "Weir-Progress",
};

/*
 * Only headers that this server goes by are kept. One that comes twice is refused: another reader
 * on the way may have used the other value.
 */
static bool read_header(struct http_span line, struct http_span found[HEADER_COUNT],
                        struct http_fault *fault)
{
	const char *colon = memchr(line.at, ':', line.n);
	struct http_span name = { line.at, colon ? (size_t)(colon - line.at) : 0 };

	if (!is_token(name)) /* also a folded line, and a space before the colon */
		return set_bad_request(fault, "a header is not NAME: VALUE");
	struct http_span value = trim_span((struct http_span){ colon + 1, line.n - name.n - 1 });
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.at[i] < ' ' && value.at[i] != '\t') ||
		    value.at[i] == 0x7f)
			return set_bad_request(fault, "a header contains a control character");
	for (int h = 0; h < HEADER_COUNT; h++) {
		if (!span_is(name, header_names[h]))
			continue;
		/* lists may come in parts; all others mean one thing */
		if (found[h].at && h != HEADER_CONNECTION)
			return set_bad_request(fault, "a header is given twice");
		if (!found[h].at || span_is(value, "close"))
			found[h] = value;
	}
	return true;
}

static bool has_word(struct http_span list, const char *word)
{
	while (list.n > 0) {
		const char *comma = memchr(list.at, ',', list.n);
		struct http_span item = { list.at, comma ? (size_t)(comma - list.at) : list.n };
		size_t step = item.n + (comma != NULL);

		if (span_is(trim_span(item), word))
			return true;
		list.at += step;
		list.n -= step;
	}
	return false;
}

/* Where the body ends: one length, or chunks, never both (RFC 9112, 6.3). */
static bool read_framing(const struct http_span found[HEADER_COUNT], bool old,
                         struct http_head *head, struct http_fault *fault)
{
	const struct http_span *length = &found[HEADER_LENGTH], *coding = &found[HEADER_CODING];

	if (coding->at && (length->at || old))
		return set_bad_request(
		        fault,
		        "Transfer-Encoding is not allowed with Content-Length or in HTTP/1.0");
	if (coding->at && !span_is(*coding, "chunked"))
		return set_fault(fault, 501, "not-implemented",
		                 "the only supported transfer coding is chunked");
	head->chunked = coding->at != NULL;
	if (!length->at)
		return true;
	for (size_t i = 0; i < length->n; i++) {
		if (length->at[i] < '0' || length->at[i] > '9')
			return set_bad_request(fault, "Content-Length is not a number");
		/* beyond any bound it is too large, whatever it is */
		if (head->n_body <= HTTP_BODY_MAX)
			head->n_body = 10 * head->n_body + (uint64_t)(length->at[i] - '0');
	}
	if (length->n == 0)
		return set_bad_request(fault, "Content-Length is not a number");
	return true;
}

static bool host_ok(struct http_span host, bool old, struct http_fault *fault)
{
	if (!host.at && !old)
		return set_bad_request(fault, "the Host header is missing");
	for (size_t i = 0; i < host.n; i++)
		if (!is_token_char((unsigned char)host.at[i]) && !strchr("[]:", host.at[i]))
			return set_bad_request(fault, "the Host header is not a host");
	return true;
}

/* Whether a Content-Type is @p name, with or without parameters. */
static bool is_type(struct http_span type, const char *name)
{
	size_t n = strlen(name);

	return type.n >= n && !strncasecmp(type.at, name, n) &&
	       (type.n == n || strchr("; \t", type.at[n]));
}

/*
 * Turn the headers into fields. An Authorization that is too long becomes "", which no token
 * equals, and not "none".
 */
static bool apply_headers(const struct http_span found[HEADER_COUNT], bool old,
                          struct http_head *head, struct http_request *r, struct http_fault *fault)
{
	const struct http_span *expect = &found[HEADER_EXPECT], *login = &found[HEADER_LOGIN];

	if (!host_ok(found[HEADER_HOST], old, fault) || !read_framing(found, old, head, fault))
		return false;
	if (expect->at && !span_is(*expect, "100-continue"))
		return set_fault(fault, 417, "bad-request",
		                 "the only supported expectation is 100-continue");
	if (!span_copy(found[HEADER_IF_MATCH], r->if_match, sizeof(r->if_match)) ||
	    !span_copy(found[HEADER_IF_NONE_MATCH], r->if_none_match, sizeof(r->if_none_match)) ||
	    !span_copy(found[HEADER_KEY], r->key, sizeof(r->key)))
		return set_fault(fault, 431, "too-long", "a header is longer than 255 bytes");
	head->expects = expect->at && !old;
	head->close = old || has_word(found[HEADER_CONNECTION], "close");
	head->progress = found[HEADER_PROGRESS].n > 0;
	head->has_login = login->at != NULL;
	if (!span_copy(*login, head->login, sizeof(head->login)))
		head->login[0] = '\0';
	r->body_is_json = is_type(found[HEADER_TYPE], "application/json");
	r->body_is_patch = is_type(found[HEADER_TYPE], "application/merge-patch+json");
	return true;
}

bool http_parse_head(const char *bytes, size_t n, struct http_head *head,
                     struct http_request *request, struct http_fault *fault)
{
	struct http_span found[HEADER_COUNT] = { 0 };
	const char *at = bytes, *end = bytes + n;
	bool old = false;
	size_t n_headers = 0;
	struct http_span line = next_line(&at, end);

	if (line.n + 2 > HTTP_LINE_MAX)
		return set_fault(fault, 414, "too-long", "the request line is longer than 8 KiB");
	if (!read_request_line(line, head, &old, request, fault))
		return false;
	for (line = next_line(&at, end); line.n > 0; line = next_line(&at, end)) {
		if (++n_headers > HTTP_HEADERS_MAX)
			return set_fault(fault, 431, "too-long",
			                 "the request has more than 64 headers");
		if (!read_header(line, found, fault))
			return false;
	}
	return apply_headers(found, old, head, request, fault);
}

/* Chunks: SIZE[;EXTENSION] CRLF DATA CRLF ... 0 CRLF TRAILERS CRLF */
enum chunk_state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	TRAILER_LF,
	DONE,
	BAD
};

static int step_size(struct http_chunks *c, char byte)
{
	int digit = hex_value(byte);

	if (++c->n_line > CHUNK_LINE_MAX)
		return BAD;
	if (c->state == SIZE && digit >= 0) {
		c->left = c->left * 16 + (uint64_t)digit;
		return ++c->digits > CHUNK_DIGITS_MAX ? BAD : SIZE;
	}
	if (c->digits == 0)
		return BAD;
	if (byte == '\r')
		return SIZE_LF;
	if (c->state == SIZE)
		return byte == ';' ? EXTENSION : BAD;
	return (unsigned char)byte >= ' ' || byte == '\t' ? EXTENSION : BAD;
}

/* One byte that is not data. */
static int step_chunk_byte(struct http_chunks *c, char byte)
{
	switch (c->state) {
	case SIZE:
	case EXTENSION:
		return step_size(c, byte);
	case SIZE_LF:
		c->n_line = c->digits = 0;
		return byte != '\n' ? BAD : c->left ? DATA : TRAILER;
	case DATA_CR:
		return byte == '\r' ? DATA_LF : BAD;
	case DATA_LF:
		return byte == '\n' ? SIZE : BAD;
	case TRAILER:
		if (++c->n_trailer > TRAILER_MAX || byte == '\n' || byte == '\0')
			return BAD;
		if (byte == '\r')
			return TRAILER_LF;
		c->n_line++;
		return TRAILER;
	case TRAILER_LF:
		if (byte != '\n')
			return BAD;
		if (c->n_line == 0)
			return DONE;
		c->n_line = 0;
		return TRAILER;
	default:
		return BAD;
	}
}

enum http_chunks_result http_chunks_read(struct http_chunks *c, const char *bytes, size_t n,
                                         size_t *used, const char **data, size_t *n_data)
{
	*used = 0;
	while (*used < n && c->state != DONE && c->state != BAD) {
		if (c->state == DATA) {
			size_t left = n - *used;

			*n_data = left < c->left ? left : (size_t)c->left;
			*data = bytes + *used;
			*used += *n_data;
			c->left -= *n_data;
			if (c->left == 0)
				c->state = DATA_CR;
			return HTTP_CHUNKS_DATA;
		}
		c->state = step_chunk_byte(c, bytes[(*used)++]);
	}
	return c->state == DONE  ? HTTP_CHUNKS_END
	       : c->state == BAD ? HTTP_CHUNKS_BAD
	                         : HTTP_CHUNKS_MORE;
}
