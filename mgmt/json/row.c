/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A template is read once from left to right. What may be left out or has a width is written into memory first.
 */
#include "mgmt/json/row.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "mgmt/json/units.h"
#include "weir/json.h"

#define FIELD_MAX 128 /* bytes between two braces */
#define NAMES_MAX 32  /* of a list in a line */
#define LIST_END  "{/}"
#define LIST_OF   " of "

struct row_input {
	const json_t *from, *outer;
	va_list *args; /* NULL: none */
};

/* A stream into memory. Where memory is short, that is noted: what is printed then lacks parts. @return NULL: it is short */
static FILE *open_text(char **text, size_t *n)
{
	FILE *out = open_memstream(text, n);

	if (!out)
		memory_note_failure();
	return out;
}

/* @param text  as to open_text(); NULL behind this where the last of it found no memory */
static void close_text(FILE *out, char *const *text)
{
	bool is_whole = !ferror(out);

	if (fclose(out) || !is_whole || !*text)
		memory_note_failure();
}

/* Control characters of UTF-8's second block (U+0080 to U+009F) move some terminals, too. */
static void put_without(FILE *out, const char *text, const char *kept)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool is_second = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		bool is_unprintable = is_second || *p < 0x20 || *p == 0x7f;

		putc(is_unprintable && !strchr(kept, *p) ? '?' : *p, out);
		p += is_second;
	}
}

void row_put(FILE *out, const char *text)
{
	put_without(out, text, "");
}

void row_put_lines(FILE *out, const char *text)
{
	put_without(out, text, "\n\t");
}

static bool put_names(FILE *out, const json_t *list)
{
	const json_t *name;
	size_t i;

	json_array_foreach(list, i, name)
	{
		fputs(i ? ", " : "", out);
		if (i == NAMES_MAX) {
			fputs("...", out);
			break;
		}
		row_put(out, json_string_value(name) ? json_string_value(name) : "?");
	}
	return json_array_size(list) > 0;
}

static bool put_members(FILE *out, const json_t *object)
{
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		fputs(n++ ? ", " : "", out);
		row_put(out, name);
		putc(' ', out);
		row_put(out, json_string_value(value) ? json_string_value(value) : "unknown");
	}
	return n > 0;
}

/* A number as text. @return whether there is one, or @p otherwise says that it is 0 then */
static bool put_kind(FILE *out, const char *kind, const json_t *value, const char *otherwise)
{
	static const struct {
		const char *name;
		/* NULL: by what follows */
		const char *(*make)(double number, char text[UNITS_MAX]);
		int decimals;
		double unit;
		const char *suffix;
	} rows[] = {
		{ "bits", units_bits, 0, 0, NULL },
		{ "rate", units_rate, 0, 0, NULL },
		{ "share", units_share, 0, 0, NULL },
		{ "time", units_time, 0, 0, NULL },
		{ "traffic", units_traffic, 0, 0, NULL },
		{ "offset", units_offset, 0, 0, NULL },
		{ "n", NULL, 0, 1, "" },
		{ "number", units_number, 0, 0, NULL },
		{ "ppm", NULL, 1, 1e4, " %" },
		{ "s", NULL, 1, 1e3, " s" },
		{ "whole_s", NULL, 0, 1e3, " s" },
	};
	size_t i = 0, n = sizeof(rows) / sizeof(rows[0]);
	bool is_known = strcmp(kind, "traffic") ? json_is_number(value) : json_is_integer(value);
	bool is_there = is_known || (otherwise && !strcmp(otherwise, "0"));
	char text[UNITS_MAX];

	while (i < n && strcmp(rows[i].name, kind) != 0)
		i++;
	assert(i < n);
	if (rows[i].make)
		fputs(rows[i].make(is_there ? json_number_value(value) : (double)NAN, text), out);
	else if (is_there)
		fprintf(out, "%.*f%s", rows[i].decimals, json_number_value(value) / rows[i].unit,
		        rows[i].suffix);
	return is_there;
}

/* Whether a value says yes, in the widest sense. */
static bool is_true(const json_t *value)
{
	return json_is_true(value) || json_is_object(value) || json_array_size(value) > 0 ||
	       json_string_length(value) > 0 ||
	       (json_is_number(value) && json_number_value(value) != 0);
}

/* What a template may compare with; NULL: nothing. */
static const char *describe_value(const json_t *value)
{
	switch (value ? json_typeof(value) : JSON_TRUE) {
	case JSON_STRING:
		return json_string_value(value);
	case JSON_FALSE:
		return "false";
	case JSON_NULL:
		return "null";
	case JSON_ARRAY:
		return json_array_size(value) ? NULL : "[]";
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(value) == 0 ? "0" : NULL;
	default:
		return NULL;
	}
}

static bool is_equal(const json_t *value, const char *expected)
{
	const char *text = describe_value(value);

	return text && !strcmp(text, expected);
}

/* How many there are: of a list, or by a number; negative: it is neither. */
static double count_of(const json_t *value)
{
	return json_is_array(value)    ? (double)json_array_size(value)
	       : json_is_number(value) ? json_number_value(value)
	                               : -1;
}

/* Write a value by @p kind, as put_kind() those that are no number. */
static bool put_by_kind(FILE *out, const char *kind, const json_t *value, const char *otherwise)
{
	double n = count_of(value);

	if (!strcmp(kind, "names"))
		return put_names(out, value);
	if (!strcmp(kind, "members"))
		return put_members(out, value);
	if (strcmp(kind, "count") != 0 && strcmp(kind, "plural") != 0)
		return put_kind(out, kind, value, otherwise);
	if (*kind == 'c' && n >= 0)
		fprintf(out, "%.0f", n);
	else if (*kind == 'p' && n >= 0 && (n < 1 || n > 1))
		putc('s', out);
	return n >= 0;
}

/* The value at @p path, which is used up, or of two of them; given. NULL where it is not known. */
static json_t *find_value(const struct row_input *r, char *path)
{
	const json_t *from = *path == '^' ? r->outer : r->from;
	char *name = path + (*path == '^'), *of = strpbrk(name, "/-");
	bool is_part = of && *of == '/';

	if (of)
		*of++ = '\0';
	json_t *value = json_at(from, name), *other = of ? json_at(from, of) : NULL;
	double a = json_number_value(value), b = json_number_value(other);

	if (!of)
		return json_incref(value);
	if (!json_is_number(value) || !json_is_number(other) || (is_part && b <= 0))
		return NULL;
	return json_real(is_part ? a / b * 1e6 : a > b ? a - b : 0);
}

/* Write what @p spec, which is used up, says of a value. @return whether it is there */
static bool put_value(const struct row_input *r, FILE *out, char *spec)
{
	char test = *spec == '?' || *spec == '!' ? *spec++ : '\0';
	char *otherwise = spec, *kind = strsep(&otherwise, "|");
	char *expected = strsep(&kind, ":"), *path = strsep(&expected, "=");
	json_t *value = find_value(r, path);
	bool is_there = json_is_string(value), is_text = json_string_length(value) > 0;

	if (test)
		is_there = (expected ? is_equal(value, expected) : is_true(value)) == (test == '?');
	else if (kind)
		is_there = put_by_kind(out, kind, value, otherwise);
	else if (is_there)
		row_put(out, json_string_value(value));
	json_decref(value);
	if (test)
		return is_there;
	if (!is_there && otherwise)
		fputs(otherwise, out);
	return otherwise || (is_there && (kind || is_text));
}

/* Write a field, in its column. @p at goes behind it. @return whether it is there */
static bool put_field(const struct row_input *r, FILE *out, const char **at)
{
	char spec[FIELD_MAX], *begin, *text = NULL;
	size_t n = strcspn(*at, "}"), n_text;

	assert((*at)[n] && n < sizeof(spec));
	memcpy(spec, *at, n);
	spec[n] = '\0';
	*at += n + 1;
	int width = (int)strtol(spec, &begin, 10);
	FILE *cell = width ? open_text(&text, &n_text) : NULL;
	bool is_there = put_value(r, cell ? cell : out, begin + (*begin == ' '));

	if (cell) {
		close_text(cell, &text);
		fprintf(out, "%*s", width, text ? text : "");
		free(text);
	}
	return is_there;
}

static void put_argument(const struct row_input *r, FILE *out, const char **at)
{
	char c = *(*at)++;

	assert(r->args || c == '%');
	if (c == 's')
		row_put_lines(out, va_arg(*r->args, const char *));
	else if (c == 'z' && *(*at)++ == 'u')
		fprintf(out, "%zu", va_arg(*r->args, size_t));
	else if (c == '.' && !strncmp(*at, "0f", 2) && (*at += 2))
		fprintf(out, "%.0f", va_arg(*r->args, double));
	else
		putc('%', out);
}

static bool put_part(const struct row_input *r, FILE *out, const char **at, const char *ends);

/* Write the part up to {/} by @p r into memory. @return given; NULL when out of memory */
static char *make_item(const struct row_input *r, const char **at)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_text(&text, &n);

	if (out) {
		put_part(r, out, at, "");
		close_text(out, &text);
	}
	return text;
}

/* How many are not shown: of @p n that are there beyond @p most, or of @p all that an answer has cut, whose rest nobody has here. */
static void put_left_out(FILE *out, size_t n, size_t most, double all)
{
	size_t n_shown = n < most ? n : most;

	if (all > (double)n)
		fprintf(out, "    ... and %.0f more\n", all - (double)n_shown);
	else if (n > n_shown)
		fprintf(out, "    ... and %zu more (--json shows all)\n", n - n_shown);
}

/*
 * Write the part up to {/} for each of a list, or once of an object, @p at goes behind it. What comes to nothing does not
 * count.
 */
static void put_list(const struct row_input *r, FILE *out, const char **at)
{
	char path[FIELD_MAX], *name;
	size_t n = strcspn(*at, "}"), n_there = 0;

	assert((*at)[n] && n < sizeof(path));
	memcpy(path, *at, n);
	path[n] = '\0';
	size_t most = strtoul(path, &name, 10);
	char *between = strchr(name, '|'), *of;

	if (between)
		*between++ = '\0';
	of = strstr(name, LIST_OF);

	if (of) {
		*of = '\0';
		of += strlen(LIST_OF);
	}
	json_t *list = find_value(r, name + (*name == ' '));
	bool is_list = json_is_array(list);
	size_t n_items = is_list ? json_array_size(list) : json_is_object(list);
	const char *begin = *at + n + 1;

	/* once more of nothing, to find the end */
	for (size_t i = 0; i <= n_items; i++) {
		const struct row_input item = {
			.from = i == n_items ? NULL
			        : is_list    ? json_array_get(list, i)
			                     : list,
			.outer = r->from,
		};

		*at = begin;
		char *text = make_item(&item, at);
		if (i < n_items && text && *text && (n_there++ < most || !most))
			fprintf(out, "%s%s", n_there > 1 && between ? between : "", text);
		free(text);
	}
	json_decref(list);
	assert(!strncmp(*at, LIST_END, strlen(LIST_END)));
	*at += strlen(LIST_END);
	if (between)
		fputs(most && n_there > most ? " ..." : "", out);
	else
		put_left_out(out, n_there, most ? most : n_there,
		             json_number_value(of && is_list ? json_at(r->from, of) : NULL));
}

/* Write the first part between brackets of which all is there. Without memory all are written. */
static void put_block(const struct row_input *r, FILE *out, const char **at)
{
	bool is_done = false;

	do {
		char *text = NULL;
		size_t n = 0;
		FILE *part = open_text(&text, &n);
		bool is_whole = put_part(r, part ? part : out, at, "|]");

		if (part)
			close_text(part, &text);
		if (is_whole && !is_done && text)
			fwrite(text, 1, n, out);
		is_done |= is_whole;
		free(text);
	} while (*(*at)++ == '|');
}

/* Write a template up to one of @p ends or a list's, to which @p at goes. @return whether each field in it is there */
static bool put_part(const struct row_input *r, FILE *out, const char **at, const char *ends)
{
	bool is_whole = true;

	/* its own end is one of them, too */
	while (!strchr(ends, **at) && strncmp(*at, LIST_END, strlen(LIST_END)) != 0) {
		char c = *(*at)++;

		if (c == '{' && **at == '*' && (*at)++)
			put_list(r, out, at);
		else if (c == '{')
			is_whole &= put_field(r, out, at);
		else if (c == '[')
			put_block(r, out, at);
		else if (c == '%')
			put_argument(r, out, at);
		else
			putc(c, out);
	}
	return is_whole;
}

void row_print(const json_t *from, const char *line, ...)
{
	va_list args;
	const struct row_input r = { .from = from, .args = &args };

	va_start(args, line);
	put_part(&r, stdout, &line, "");
	assert(!*line);
	va_end(args);
}

void row_show(FILE *out, const json_t *from, const char *text)
{
	put_part(&(struct row_input){ .from = from }, out, &text, "");
	assert(!*text);
}

/* @return given; NULL when out of memory */
static char *make_text(const struct row_input *r, const char *line)
{
	char *text = make_item(r, &line);

	assert(!text || !*line);
	return text;
}

const char *row_format(char *text, size_t size, const json_t *from, const char *line, ...)
{
	va_list args;
	const struct row_input r = { .from = from, .args = &args };

	va_start(args, line);
	char *whole = make_text(&r, line);
	va_end(args);
	snprintf(text, size, "%s", whole ? whole : "");
	plain_cut(text, size);
	free(whole);
	return text;
}

size_t rows_write(FILE *out, const json_t *list, size_t most, const char *line)
{
	struct row_input r = { 0 };
	size_t i, n = 0;

	json_array_foreach(list, i, r.from)
	{
		char *text = make_text(&r, line);

		if (text && *text && n++ < most)
			fputs(text, out);
		free(text);
	}
	return n;
}

void rows_print(const json_t *list, const char *line)
{
	rows_write(stdout, list, SIZE_MAX, line);
}

char *row_cell(const json_t *from, const json_t *outer, const char *cell)
{
	return make_text(&(struct row_input){ .from = from, .outer = outer }, cell);
}
