/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BIRD's control protocol ("Remote control" in its user's guide; nest/cli.c of 2.0): lines of text. A reply's line
 * begins with a code of four digits and '-' if more lines follow, or ' ' if it is the last one. A line that begins
 * with a space continues the code before it; one with '+' belongs to no reply. 0xxx are well, 1xxx and 2xxx tables,
 * 8xxx errors at run time, 9xxx errors of syntax.
 *
 * The names of tables are those of packaging/bird/bird.conf.
 */
#include "announce/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_DIGITS   4
#define NOT_FOUND     8001
#define ACCESS_DENIED 16
#define ERRORS        8000
#define LINE_MAX_READ 512

static const enum daemon_query_kind first[] = { DAEMON_QUERY_GREETING, DAEMON_QUERY_RESTRICT };

/* A line of a reply without its code. */
struct bird_line {
	int code; /* -1: continues the one before */
	const char *text;
	size_t n;
};

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

		if (length > CODE_DIGITS && is_code(p)) {
			if (p[CODE_DIGITS] == ' ')
				return newline + 1 - bytes;
		} else if (length == 0 || (*p != ' ' && *p != '+')) {
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
		if (length > CODE_DIGITS && is_code(p)) {
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
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
	       strlen(name);
}

/* A name that BIRD takes in quotes, and that cannot end them. */
static bool is_name(const char *name)
{
	return *name &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:") ==
	               strlen(name);
}

static size_t write_question(const struct daemon_facts *f, const struct daemon_query *q,
                             char out[DAEMON_QUESTION_MAX])
{
	char vip[ADDR_TEXT_MAX];
	bool four = addr_is4(&q->vip);
	const char *name, *quote;
	int n = 0;

	switch (q->kind) {
	case DAEMON_QUERY_GREETING:
	case DAEMON_QUERY_VERSION: /* it is in the greeting */
		break;
	case DAEMON_QUERY_RESTRICT:
		n = snprintf(out, DAEMON_QUESTION_MAX, "restrict\n");
		break;
	case DAEMON_QUERY_SESSIONS:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show protocols\n");
		break;
	case DAEMON_QUERY_ROUTE:
		n = snprintf(out, DAEMON_QUESTION_MAX,
		             "show route %s/%d table weir%d table weir_gshut%d\n",
		             addr_text(&q->vip, vip), four ? 32 : 128, four ? 4 : 6, four ? 4 : 6);
		break;
	case DAEMON_QUERY_EXPORT:
		name = f->neighbours[q->neighbour].name;
		quote = is_plain_name(name) ? "" : "'";
		n = snprintf(out, DAEMON_QUESTION_MAX, "show route %s/%d exported %s%s%s\n",
		             addr_text(&q->vip, vip), four ? 32 : 128, quote, name, quote);
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
	return 0;
}

/* "router1_4  BGP        ---        up     07:23:33.788  Established   " */
static void read_protocol(struct daemon_facts *f, const struct daemon_facts *before,
                          const struct bird_line *line)
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
	if (f->n_neighbours == DAEMON_NEIGHBOURS_MAX || !is_name(name) ||
	    strlen(name) >= DAEMON_NAME_MAX) {
		f->n_omitted++;
		return;
	}
	to = &f->neighbours[f->n_neighbours];
	*to = (struct daemon_neighbour){ .established = established && !strcmp(state, "up") };
	snprintf(to->name, sizeof(to->name), "%s", name);
	for (uint32_t i = 0; i < before->n_neighbours; i++) {
		const struct daemon_neighbour *b = &before->neighbours[i];

		if (strcmp(b->name, name) != 0 || b->established != to->established)
			continue;
		to->lacks4 = b->lacks4;
		to->lacks6 = b->lacks6;
	}
	f->n_neighbours++;
}

static int read_sessions(struct daemon_facts *f, const char *at, const char *end)
{
	const struct daemon_facts before = *f;
	struct bird_line line;
	bool table = false;

	f->n_neighbours = f->n_omitted = 0;
	while (next_line(&at, end, &line)) {
		if (line.code == 2002) {
			table = true;
		} else if (line.code == 1002 || line.code == -1) {
			read_protocol(f, &before, &line);
		} else if (line.code != 0) {
			return refuse_answer(f, "no list of protocols", &line);
		}
	}
	return table ? 0 : refuse_answer(f, "no list of protocols", &line);
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

static int read_route(struct daemon_facts *f, struct daemon_route *r, const char *at,
                      const char *end)
{
	enum daemon_table table = DAEMON_TABLES;
	bool imported[DAEMON_TABLES] = { false };
	struct bird_line line;

	while (next_line(&at, end, &line)) {
		if (line.code >= ERRORS && line.code != NOT_FOUND)
			return refuse_answer(f, "no table weir4 or the like", &line);
		if (line.code > 0 && line.code != 1007 && line.code != NOT_FOUND)
			return refuse_answer(f, "no list of routes", &line);
		if (!is_heading(&line, &table) && is_route(&line) && table != DAEMON_TABLES)
			imported[table] = true;
	}
	memcpy(r->imported, imported, sizeof(imported));
	return 0;
}

/* An error here: the session does not carry the family ("No valid tables"), or it is gone by now. */
static int read_export(struct daemon_facts *f, struct daemon_route *r, const struct daemon_query *q,
                       const char *at, const char *end)
{
	struct daemon_neighbour *to = &f->neighbours[q->neighbour];
	uint32_t bit = 1u << q->neighbour;
	bool exported = false;
	struct bird_line line;

	while (next_line(&at, end, &line)) {
		if (line.code > NOT_FOUND && line.n == strlen("No valid tables"))
			*(addr_is4(&q->vip) ? &to->lacks4 : &to->lacks6) = true;
		if (line.code > 0 && line.code != 1007 && line.code < ERRORS)
			return refuse_answer(f, "no list of routes", &line);
		exported |= line.code < ERRORS && is_route(&line);
	}
	r->exported = exported ? r->exported | bit : r->exported & ~bit;
	return 0;
}

static int read_answer(struct daemon_facts *f, struct daemon_route *r, const struct daemon_query *q,
                       const char *answer, size_t n)
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
	case DAEMON_QUERY_ROUTE:
		return read_route(f, r, at, end);
	case DAEMON_QUERY_EXPORT:
		return read_export(f, r, q, at, end);
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
	.write = write_question,
	.whole = find_end,
	.read = read_answer,
};
