/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tokens and bytes of the text that is edited: blanks, lines, comments, as the scanner has them.
 */
#include <string.h>

#include "model/edit/internal.h"

const struct scan_mark *edit_mark(const struct edit_work *w, size_t i)
{
	return &w->record.marks[i];
}

const struct scan_source *edit_source(const struct edit_work *w, uint32_t source)
{
	return &w->record.sources[source];
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

bool bytes_are_blank(const struct scan_source *s, uint32_t begin, uint32_t end, bool lines)
{
	for (; begin < end; begin++)
		if (!is_blank(s->bytes[begin]) && !(lines && s->bytes[begin] == '\n'))
			return false;
	return true;
}

static uint32_t line_begin(const struct scan_source *s, uint32_t at)
{
	while (at > 0 && s->bytes[at - 1] != '\n')
		at--;
	return at;
}

bool begins_line(const struct scan_source *s, uint32_t at)
{
	return bytes_are_blank(s, line_begin(s, at), at, false);
}

const char *line_indent(const struct edit_work *w, const struct scan_source *s, uint32_t at)
{
	uint32_t begin = line_begin(s, at), end = begin;

	while (end < s->n && (s->bytes[end] == ' ' || s->bytes[end] == '\t'))
		end++;
	char *indent = arena_alloc(w->arena, end - begin + 1, 1);
	if (indent)
		memcpy(indent, s->bytes + begin, end - begin);
	return indent ? indent : "";
}

static bool has_at(const struct scan_source *s, uint32_t at, const char *two)
{
	return at + 2 <= s->n && !memcmp(s->bytes + at, two, 2);
}

/* Behind a comment at @p at, or @p at itself: there is none. A line's comment ends before the end of the line. */
static uint32_t skip_comment(const struct scan_source *s, uint32_t at)
{
	if (s->bytes[at] == '#' || has_at(s, at, "//"))
		while (at < s->n && s->bytes[at] != '\n')
			at++;
	else if (has_at(s, at, "/*"))
		for (at += 2; at < s->n && !has_at(s, at - 2, "*/");)
			at++;
	return at;
}

uint32_t line_end(const struct scan_source *s, uint32_t from)
{
	uint32_t at = from, next;

	while (at < s->n && s->bytes[at] != '\n') {
		next = is_blank(s->bytes[at]) ? at + 1 : skip_comment(s, at);
		if (next == at)
			return from;
		at = next;
	}
	return at > from && s->bytes[at - 1] == '\r' ? at - 1 : at;
}
