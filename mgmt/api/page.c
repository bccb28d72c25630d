/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status page for people: the status as HTML, made here, without scripts; it loads itself
 * again. Shapes stand beside colours, and tables have heads, so that it can be read by anyone and
 * in a terminal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/json/row.h"
#include "mgmt/json/listing.h"

static const char head[] =
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=2>"
        "<meta name=viewport content='width=device-width'><title>%s: %s - Weir</title><style>"
        ":root{color-scheme:light dark}body{font:14px/1.4 system-ui,sans-serif;margin:1rem auto;"
        "max-width:72rem;padding:0 1rem}h1{font-size:1.3rem}h2{font-size:1rem;margin:1.2rem 0 .3rem}"
        "table{border-collapse:collapse;width:100%%}th,td{text-align:left;padding:.15rem .6rem "
        ".15rem 0;border-bottom:1px solid #8884;vertical-align:top}th{font-weight:600}"
        ".good{color:#18794e}.bad{color:#cd2b31}.odd{color:#946800}.dim{color:#777}"
        "@media(prefers-color-scheme:dark){.good{color:#4cc38a}.bad{color:#ff6369}.odd{color:#f1a10d}}"
        "</style><main>";

/* The look of a state: a shape and a class. */
static const struct {
	const char *state, *class_, *shape;
} looks[] = {
	{ "well", "good", "●" },        { "up", "good", "●" },      { "running", "good", "●" },
	{ "serving", "good", "●" },     { "agreed", "good", "●" },  { "in_force", "good", "●" },
	{ "ok", "good", "●" },          { "serve", "good", "●" },   { "down", "bad", "✖" },
	{ "normal", "good", "●" },      { "yes", "good", "●" },     { "no", "bad", "✖" },
	{ "established", "good", "●" }, { "answers", "good", "●" }, { "out", "bad", "✖" },
	{ "silent", "bad", "✖" },       { "differs", "bad", "✖" },  { "failing", "bad", "✖" },
	{ "disabled", "bad", "✖" },     { "disable", "bad", "✖" },  { "elsewhere", "dim", "·" },
	{ "unknown", "dim", "?" },      { "absent", "dim", "?" },   { "unreachable", "dim", "?" },
};

/* Text made safe for HTML. */
static void put_html(FILE *out, const char *text)
{
	static const char special[] = "<&\"'";
	static const char *const words[] = { "&lt;", "&amp;", "&quot;", "&#39;" };

	for (; text && *text; text++) {
		const char *at = strchr(special, *text);

		if (at)
			fputs(words[at - special], out);
		else
			fputc(*text, out);
	}
}

static void put_cell(FILE *out, int look, const char *text)
{
	size_t i = 0, n = sizeof(looks) / sizeof(looks[0]);

	while (i < n && strcmp(looks[i].state, text))
		i++;
	if (look & LISTING_KNOWN && !*text)
		fputs("<td class=dim>-", out);
	else if (look & LISTING_STATE)
		fprintf(out, "<td class=%s>%s ", i < n ? looks[i].class_ : "odd",
		        i < n ? looks[i].shape : "▲");
	else
		fputs("<td>", out);
	put_html(out, text);
	fputs("</td>", out);
}

/* @param outer  what @p from is in; NULL: nothing that is shown */
static void put_row(FILE *out, const struct listing_column *columns, const json_t *from,
                    const json_t *outer)
{
	fputs("<tr>", out);
	for (const struct listing_column *c = columns; c->heading; c++) {
		char *text = row_cell(from, outer, c->cell);

		put_cell(out, c->look, text ? text : "");
		free(text);
	}
	fputs("</tr>", out);
}

static const struct listing_table *const tables[] = {
	&listing_sites,     &listing_overrides,     &listing_services, &listing_backends,
	&listing_processes, &listing_announcements, &listing_sessions, &listing_peers,
};

/* "Services", "Services: the first 100 of 250", "Backends: 40 of 250 (those with ...)". */
static void put_title(FILE *out, const struct listing_table *t, const json_t *counts, size_t n)
{
	size_t most = t->page_most ? t->page_most : SIZE_MAX;
	const json_t *all = json_at(counts, "all");
	const json_t *shown = t->chosen ? json_at(counts, "shown") : NULL;
	size_t n_all = json_is_integer(all) ? (size_t)json_integer_value(all) : n;
	size_t n_shown = n < most ? n : most;

	if (json_is_integer(shown))
		n_shown = (size_t)json_integer_value(shown);
	fprintf(out, "<h2>%s", t->title);
	if (t->chosen && n_shown < n_all)
		fprintf(out, ": %zu of %zu (%s)", n_shown, n_all, t->chosen);
	else if (n_shown < n_all)
		fprintf(out, ": the first %zu of %zu", n_shown, n_all);
	fputs("</h2><table><thead><tr>", out);
}

static void put_table(FILE *out, const struct listing_table *t, const json_t *status)
{
	const json_t *list = json_at(status, t->list),
	             *needed = t->needs ? json_at(status, t->needs) : status, *one, *row;
	size_t i, k;

	if (!json_is_object(needed) && !json_array_size(needed))
		return;
	put_title(out, t, t->counts ? json_at(status, t->counts) : NULL, json_array_size(list));
	for (const struct listing_column *c = t->columns; c->heading; c++)
		fprintf(out, "<th scope=col>%s</th>", c->heading);
	fputs("</tr></thead><tbody>", out);
	if (t->first)
		put_row(out, t->columns, json_at(status, t->first), NULL);
	json_array_foreach(list, i, one)
	{
		if (!t->inner)
			put_row(out, t->columns, one, NULL);
		else if (i < t->page_most || !t->page_most)
			json_array_foreach(json_at(one, t->inner), k, row)
			        put_row(out, t->columns, row, one);
	}
	fputs("</tbody></table>", out);
}

/* A line by its template (mgmt/json/row.h), between two tags. */
static void put_line(FILE *out, const char *before, const json_t *from, const char *line,
                     const char *after)
{
	char *text = row_cell(from, NULL, line);

	fputs(before, out);
	put_html(out, text);
	fputs(after, out);
	free(text);
}

/* The state and its reasons come first: whoever opens the page in trouble needs these. */
static void put_banner(FILE *out, const json_t *status)
{
	size_t i;
	json_t *item;

	put_line(out, "<h1>", status, "Weir on {node}", "</h1><table><tbody><tr>");
	put_cell(out, LISTING_STATE, json_text_of(status, "state"));
	put_line(out, "<td>", status,
	         "version {version.number:n|0} by {version.author}: {version.reason}",
	         "</td><td>as of <time>");
	put_line(out, "", status, "{time}", "</time></td></tr></tbody></table><ul role=status>");
	json_array_foreach(json_at(status, "why"), i, item)
	        put_line(out, "<li>", item, "{}", "</li>");
	json_array_foreach(json_at(status, "notes"), i, item)
	        put_line(out, "<li class=dim>", item, "{text}", "</li>");
	if (json_at(status, "notes_left_out"))
		put_line(out, "<li class=dim>", status, "and {notes_left_out:n} more notes",
		         "</li>");
	fputs("</ul>", out);
}

char *page_make(const json_t *status)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	if (!out)
		return NULL;
	fprintf(out, head, json_text_of(status, "state"), json_text_of(status, "node"));
	put_banner(out, status);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		put_table(out, tables[i], status);
	fputs("</main></html>\n", out);
	fclose(out);
	return text;
}
