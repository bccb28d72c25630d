/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BIRD's control protocol ("Remote control" in its user's guide; nest/cli.c of 2.0): lines of text. A reply's line
 * begins with a code of four digits and '-' if more lines follow, or ' ' if it is the last one. A line that begins
 * with a space continues the code before it; one with '+' belongs to no reply. 0xxx are well, 1xxx and 2xxx tables,
 * 8xxx errors at run time, 9xxx errors of syntax. A long answer that a reconfiguration interrupts ends with 8004.
 *
 * The names of tables are those of packaging/bird/bird.conf. BIRD 2 is known; BIRD 1 and 3 have other answers.
 */
#include "announce/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define CODE_DIGITS   4
#define NOT_FOUND     8001
#define BROKEN_OFF    8004
#define ACCESS_DENIED 16
#define ERRORS        8000
#define LINE_MAX_READ 512
#define KNOWN_VERSION "BIRD 2."

static const enum daemon_query_kind first[] = { DAEMON_QUERY_GREETING, DAEMON_QUERY_RESTRICT };

/* A line of a reply without its code. */
struct bird_line {
	int code; /* -1: continues the one before */
	const char *text;
	size_t n;
};

/* @param p  a line with its end, which is no digit: nothing is read beyond it */
static bool is_code(const char *p)
{
	for (int i = 0; i < CODE_DIGITS; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return p[CODE_DIGITS] == ' ' || p[CODE_DIGITS] == '-';
}

static int read_code(const char *p)
{
	return (p[0] - '0') * 1000 + (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
}

/* Where the line that holds byte @p at begins. */
static size_t line_start(const char *bytes, size_t at)
{
	while (at > 0 && bytes[at - 1] != '\n')
		at--;
	return at;
}

static ssize_t find_end(const char *bytes, size_t n, size_t from)
{
	size_t at = line_start(bytes, from);
	const char *newline;

	while ((newline = memchr(bytes + at, '\n', n - at))) {
		const char *p = bytes + at;
		size_t length = (size_t)(newline - p);

		if (is_code(p)) {
			if (p[CODE_DIGITS] == ' ')
				return newline + 1 - bytes;
		} else if (*p != ' ' && *p != '+') {
			return -EPROTO;
		}
		at += length + 1;
	}
	return 0;
}

/* Take the next line of a whole answer. @return false: there is none */
static bool next_line(const char **at, const char *end, struct bird_line *out)
{
	const char *newline;

	do {
		const char *p = *at;

		newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
		if (!newline)
			return false;
		*at = newline + 1;
		size_t length = (size_t)(newline - p), skip = 1;

		out->code = -1;
		if (is_code(p)) {
			out->code = read_code(p);
			skip = CODE_DIGITS + 1;
		} else if (*p == '+') {
			continue;
		}
		out->text = p + skip;
		out->n = length >= skip ? length - skip : 0;
		return true;
	} while (true);
}

static bool is_plain_name(const char *name)
{
	return *name > '9' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
	               strlen(name);
}

/* A name that BIRD takes in quotes, and that cannot end them. */
static bool is_name(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:") ==
	       strlen(name);
}

/* The name of a neighbour as an argument. */
static const char *quote_name(const struct daemon_neighbour *n, char out[DAEMON_NAME_MAX + 2])
{
	const char *quote = is_plain_name(n->name) ? "" : "'";

	snprintf(out, DAEMON_NAME_MAX + 2, "%s%s%s", quote, n->name, quote);
	return out;
}

static size_t write_question(const struct daemon_facts *f, const struct daemon_query *q,
                             char out[DAEMON_QUESTION_MAX])
{
	const size_t max = DAEMON_QUESTION_MAX;
	char net[ADDR_LONG_TEXT_MAX], name[DAEMON_NAME_MAX + 2];
	int n = 0, family = addr_is4(&q->net.addr) ? 4 : 6;

	switch (q->kind) {
	case DAEMON_QUERY_GREETING:
	case DAEMON_QUERY_VERSION: /* it is in the greeting */
		break;
	case DAEMON_QUERY_RESTRICT:
		n = snprintf(out, max, "restrict\n");
		break;
	case DAEMON_QUERY_SESSIONS:
		n = snprintf(out, max, "show protocols\n");
		break;
	case DAEMON_QUERY_CHANNELS:
		n = snprintf(out, max, "show protocols all %s\n",
		             quote_name(&f->neighbours[q->neighbour], name));
		break;
	case DAEMON_QUERY_ROUTES:
		n = snprintf(out, max, "show route %s%stable weir%d table weir_gshut%d\n",
		             q->net.bits ? prefix_text(&q->net, net) : "", q->net.bits ? " " : "",
		             family, family);
		break;
	case DAEMON_QUERY_EXPORTS: /* hosts alone: a neighbour may get a full table */
		n = snprintf(out, max,
		             "show route exported %s where (net.type = NET_IP4 && net.len = 32) || "
		             "(net.type = NET_IP6 && net.len = 128)\n",
		             quote_name(&f->neighbours[q->neighbour], name));
		break;
	}
	return (size_t)n;
}

/* What BIRD said, for a person: its last line. */
static int refuse_answer(struct daemon_facts *f, const char *what, const struct bird_line *line)
{
	snprintf(f->problem, sizeof(f->problem), "%s: BIRD says %04d %.*s", what,
	         line->code < 0 ? 0 : line->code, (int)(line->n > 60 ? 60 : line->n), line->text);
	return -EPROTO;
}

/* "BIRD 2.0.12 ready." */
static int read_greeting(struct daemon_facts *f, const struct bird_line *line)
{
	char text[DAEMON_NAME_MAX], *space;

	snprintf(text, sizeof(text), "%.*s", (int)line->n, line->text);
	if (line->code != 1 || strncmp(text, "BIRD ", 5) != 0)
		return refuse_answer(f, "no greeting of BIRD", line);
	space = strchr(text + 5, ' ');
	if (space)
		*space = 0;
	snprintf(f->version, sizeof(f->version), "%s", text);
	if (strncmp(text, KNOWN_VERSION, strlen(KNOWN_VERSION)) != 0) {
		snprintf(
		        f->problem, sizeof(f->problem),
		        "%.30s is a version that this release of Weir does not know; it knows BIRD 2",
		        text);
		return -EPROTO;
	}
	return 0;
}

/* Which protocols of a list are meant. */
enum listed {
	LISTED_ALL,
	LISTED_UP,
	LISTED_DOWN,
};

/* "router1_4  BGP        ---        up     07:23:33.788  Established   " */
static void read_protocol(struct daemon_facts *f, const struct daemon_facts *before,
                          const struct bird_line *line, enum listed which)
{
	char text[LINE_MAX_READ], *save = NULL, *name, *protocol, *table, *state;
	struct daemon_neighbour *to;

	snprintf(text, sizeof(text), "%.*s", (int)line->n, line->text);
	bool established = strstr(text, " Established") != NULL;

	name = strtok_r(text, " ", &save);
	protocol = name ? strtok_r(NULL, " ", &save) : NULL;
	table = protocol ? strtok_r(NULL, " ", &save) : NULL;
	state = table ? strtok_r(NULL, " ", &save) : NULL;
	if (!state || strcmp(protocol, "BGP") != 0)
		return;
	established &= strcmp(state, "up") == 0;
	if (which != LISTED_ALL && established != (which == LISTED_UP))
		return;
	if (f->n_neighbours == DAEMON_NEIGHBOURS_MAX || !is_name(name) ||
	    strlen(name) >= DAEMON_NAME_MAX) {
		f->n_omitted++;
		return;
	}
	to = &f->neighbours[f->n_neighbours];
	*to = (struct daemon_neighbour){ .established = established };
	snprintf(to->name, sizeof(to->name), "%s", name);
	for (uint32_t i = 0; i < before->n_neighbours; i++)
		if (!strcmp(before->neighbours[i].name, name) &&
		    before->neighbours[i].established == established)
			*to = before->neighbours[i];
	f->n_neighbours++;
}

static int read_list(struct daemon_facts *f, const struct daemon_facts *before, const char *at,
                     const char *end, enum listed which)
{
	struct bird_line line = { .code = -1, .text = "" };
	bool table = false;

	while (next_line(&at, end, &line)) {
		if (line.code == 2002) {
			table = true;
		} else if (line.code == 1002 || line.code == -1) {
			read_protocol(f, before, &line, which);
		} else if (line.code != 0) {
			return refuse_answer(f, "no list of protocols", &line);
		}
	}
	return table ? 0 : refuse_answer(f, "no list of protocols", &line);
}

/* In BIRD's order; if there is not room for all, those that are up first. */
static int read_sessions(struct daemon_facts *f, const char *at, const char *end)
{
	const struct daemon_facts before = *f;
	int err;

	f->n_neighbours = f->n_omitted = 0;
	err = read_list(f, &before, at, end, LISTED_ALL);
	if (!f->n_omitted)
		return err;
	f->n_neighbours = f->n_omitted = 0; /* whether it is a list is the same each time */
	(void)read_list(f, &before, at, end, LISTED_UP);
	return read_list(f, &before, at, end, LISTED_DOWN);
}

static bool has_start(const struct bird_line *line, const char *start)
{
	return line->n >= strlen(start) && !memcmp(line->text, start, strlen(start));
}

/* The last word of a line. */
static const char *last_word(const struct bird_line *line, size_t *n)
{
	size_t end = line->n, start;

	while (end > 0 && line->text[end - 1] == ' ')
		end--;
	for (start = end; start > 0 && line->text[start - 1] != ' '; start--)
		;
	*n = end - start;
	return line->text + start;
}

static uint64_t add_stamp(uint64_t stamp, const char *text, size_t n)
{
	return hash_bytes(&(struct hash_key){ stamp, 0 }, text, n);
}

/*
 * The channels of one neighbour: which families are up, and the counts of accepted exports:
 *
 *     "router1_4  BGP        ---        up     07:23:33.788  Established   "
 *     "  Channel ipv4"
 *     "    State:          UP"
 *     "      Export updates:             76          0          0        ---         76"
 */
static int read_channels(struct daemon_facts *f, const struct daemon_query *q, const char *at,
                         const char *end)
{
	struct daemon_neighbour *to = &f->neighbours[q->neighbour];
	bool four = false, six = false, up4 = false, up6 = false;
	struct bird_line line;
	uint64_t stamp = 1;
	const char *word;
	size_t n;

	to->stamp = 0;
	while (next_line(&at, end, &line)) {
		if (line.code >= ERRORS)
			return -EAGAIN; /* it is gone by now */
		if (line.code == 1002)  /* with the time of its state */
			stamp = add_stamp(stamp, line.text, line.n);
		while (line.n > 0 && *line.text == ' ') {
			line.text++;
			line.n--;
		}
		if (has_start(&line, "Channel ")) {
			four = has_start(&line, "Channel ipv4");
			six = has_start(&line, "Channel ipv6");
		}
		word = last_word(&line, &n);
		if (has_start(&line, "State:") && n == 2 && !memcmp(word, "UP", 2)) {
			up4 |= four;
			up6 |= six;
		}
		if (has_start(&line, "Export updates:") || has_start(&line, "Export withdraws:"))
			stamp = add_stamp(stamp, word, n);
	}
	to->lacks4 = !up4;
	to->lacks6 = !up6;
	to->stamp = stamp ? stamp : 1;
	return 0;
}

/* Whether @p line heads the routes of a table; which one, or DAEMON_TABLES for another. */
static bool is_heading(const struct bird_line *line, enum daemon_table *out)
{
	static const char *const names[] = { "Table weir4:", "Table weir6:", "Table weir_gshut4:",
		                             "Table weir_gshut6:" };

	if (line->n < 6 || memcmp(line->text, "Table ", 6) != 0)
		return false;
	*out = DAEMON_TABLES;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (line->n == strlen(names[i]) && !memcmp(line->text, names[i], line->n))
			*out = i < 2 ? DAEMON_NORMAL : DAEMON_GSHUT;
	return true;
}

/* A route has a source in brackets; an empty line is none. */
static bool is_route(const struct bird_line *line)
{
	return memchr(line->text, '[', line->n) != NULL;
}

/*
 * The host that a route is to. The second route to a network has a blank there.
 * @param host  of the route before; kept for a blank. @return whether @p host is one
 */
static bool read_host(const struct bird_line *line, struct addr *host, bool *is_host)
{
	char text[ADDR_LONG_TEXT_MAX];
	const char *space = memchr(line->text, ' ', line->n);
	size_t n = space ? (size_t)(space - line->text) : line->n;
	struct prefix p;

	if (n == 0)
		return *is_host;
	*is_host = false;
	if (n >= sizeof(text))
		return false;
	memcpy(text, line->text, n);
	text[n] = 0;
	if (prefix_parse(text, &p))
		return false;
	*is_host = p.bits == (addr_is4(&p.addr) ? 32 : 128);
	*host = p.addr;
	return *is_host;
}

/* A list of routes by tables. What it is in, and for EXPORTS to whom it goes, is noted. */
static int read_routes(struct daemon_facts *f, const struct daemon_query *q, daemon_find *find,
                       void *arg, const char *at, const char *end)
{
	enum daemon_table table = DAEMON_TABLES;
	struct addr host = { 0 };
	struct bird_line line;
	bool is_host = false;

	while (next_line(&at, end, &line)) {
		struct daemon_route *r;

		if (line.code == BROKEN_OFF)
			return -EAGAIN;
		if (line.code >= ERRORS && line.code != NOT_FOUND)
			return q->kind == DAEMON_QUERY_EXPORTS
			               ? -EAGAIN
			               : refuse_answer(f, "no table weir4 or the like", &line);
		if (line.code > 0 && line.code != 1007 && line.code != NOT_FOUND)
			return refuse_answer(f, "no list of routes", &line);
		if (is_heading(&line, &table) || !is_route(&line) ||
		    !read_host(&line, &host, &is_host))
			continue;
		r = find(arg, &host);
		if (r && q->kind == DAEMON_QUERY_EXPORTS)
			r->exported |= 1u << q->neighbour;
		else if (r && table != DAEMON_TABLES)
			r->imported[table] = true;
	}
	return 0;
}

static int read_answer(struct daemon_facts *f, const struct daemon_query *q, daemon_find *find,
                       void *arg, const char *answer, size_t n)
{
	const char *at = answer, *end = answer + n;
	struct bird_line line = { .code = -1, .text = "" };

	switch (q->kind) {
	case DAEMON_QUERY_GREETING:
		(void)next_line(&at, end, &line);
		return read_greeting(f, &line);
	case DAEMON_QUERY_RESTRICT:
		(void)next_line(&at, end, &line);
		return line.code == ACCESS_DENIED ? 0 : refuse_answer(f, "not restricted", &line);
	case DAEMON_QUERY_SESSIONS:
		return read_sessions(f, at, end);
	case DAEMON_QUERY_CHANNELS:
		return read_channels(f, q, at, end);
	case DAEMON_QUERY_ROUTES:
	case DAEMON_QUERY_EXPORTS:
		return read_routes(f, q, find, arg, at, end);
	case DAEMON_QUERY_VERSION:
		break;
	}
	return -EPROTO;
}

const struct daemon_ops daemon_bird = {
	.name = "bird",
	.path = "/run/bird/bird.ctl",
	.first = first,
	.n_first = sizeof(first) / sizeof(first[0]),
	.queries_exports = true,
	.lists_tables = true,
	.write = write_question,
	.whole = find_end,
	.read = read_answer,
};
