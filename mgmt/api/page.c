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

/* How a cell looks. */
enum page_look {
	LOOK_TEXT = 0,
	LOOK_STATE = 1, /* with a shape and a colour */
	LOOK_KNOWN = 2, /* a dash where nothing is known */
};

/* A column of a table; the last one is followed by one without a heading. */
struct page_column {
	const char *heading, *cell; /* as mgmt/json/row.h */
	int look;
};

/* A table of the page, by paths into the status, of which "" is all. */
struct page_table {
	const char *title, *list;
	const char *inner; /* in each of the list, whose rows are shown; NULL: the list's own are */
	size_t most;       /* of the list */
	const char *needs; /* without it the table is left out */
	const char *counts; /* has {all} of a list that was cut; "": it is whole */
	const char *chosen; /* which of them are shown, {shown}; NULL: the first */
	const char *first;  /* has a row of its own before the others; NULL: nothing */
	const struct page_column *columns;
};

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
	if (look & LOOK_KNOWN && !*text)
		fputs("<td class=dim>-", out);
	else if (look & LOOK_STATE)
		fprintf(out, "<td class=%s>%s ", i < n ? looks[i].class_ : "odd",
		        i < n ? looks[i].shape : "▲");
	else
		fputs("<td>", out);
	put_html(out, text);
	fputs("</td>", out);
}

/* @param outer  what @p from is in; NULL: nothing that is shown */
static void put_row(FILE *out, const struct page_column *columns, const json_t *from,
                    const json_t *outer)
{
	fputs("<tr>", out);
	for (const struct page_column *c = columns; c->heading; c++) {
		char *text = row_cell(from, outer, c->cell);

		put_cell(out, c->look, text ? text : "");
		free(text);
	}
	fputs("</tr>", out);
}

/*
 * Intent, observation and effect stand side by side: where they differ, a reader sees at which
 * step.
 */
static const struct page_column sites_columns[] = {
	{ "Site", "{name}", LOOK_TEXT },
	{ "Intent", "{intent.state}", LOOK_STATE },
	{ "Drain intended", "{intent.level_ppm:ppm}", LOOK_KNOWN },
	{ "Observed", "{observation.state}", LOOK_STATE },
	{ "Traffic", "[{observation.bits_per_s:traffic}]", LOOK_KNOWN },
	{ "Effect in DNS", "{effect.state}", LOOK_STATE },
	{ "Drain in effect", "{effect.level_ppm:ppm}", LOOK_KNOWN },
	{ "Share", "{effect.weight_share_ppm:ppm}", LOOK_KNOWN },
	{ 0 },
};

static const struct page_column overrides_columns[] = {
	{ "Kind", "{do}", LOOK_TEXT },
	{ "Target", "{target.site}{target.node}[{target.pool}/]{target.backend}", LOOK_TEXT },
	{ "State", "{state}", LOOK_STATE },
	{ "Level", "{level_ppm:ppm}", LOOK_KNOWN },
	{ "From", "{from}", LOOK_TEXT },
	{ "Until", "{until|never}", LOOK_TEXT },
	{ "Author", "{author}", LOOK_TEXT },
	{ "Reason", "{reason}", LOOK_TEXT },
	{ 0 },
};

/* A family without an address gets a dash, so that it does not look like a check. */
static const struct page_column services_columns[] = {
	{ "Service", "{^name}", LOOK_TEXT },
	{ "Port", "{^port:n|0}/{^protocol}", LOOK_TEXT },
	{ "Site", "{site}", LOOK_TEXT },
	{ "VIP", "{addresses:names}", LOOK_TEXT },
	{ "Pool", "{pool}", LOOK_TEXT },
	{ "Observed, IPv4",
	  "{observation.ipv4.state}[{?observation.ipv4.inconclusive}, inconclusive]",
	  LOOK_STATE | LOOK_KNOWN },
	{ "Observed, IPv6",
	  "{observation.ipv6.state}[{?observation.ipv6.inconclusive}, inconclusive]",
	  LOOK_STATE | LOOK_KNOWN },
	{ 0 },
};

static const struct page_column backends_columns[] = {
	{ "Pool", "{^name}", LOOK_TEXT },
	{ "Backend", "{name}", LOOK_TEXT },
	{ "Address", "{address}", LOOK_TEXT },
	{ "Intent", "{intent.state}", LOOK_STATE },
	{ "Observed", "{observation.state}[{?observation.inconclusive}, inconclusive]",
	  LOOK_STATE },
	{ "Last result", "{observation.reason}", LOOK_TEXT },
	{ "Effect", "{effect.state}", LOOK_STATE },
	{ "Reason", "{effect.why}", LOOK_TEXT },
	{ "Share", "{effect.share_ppm:ppm}", LOOK_KNOWN },
	{ "Packets", "{effect.packets:n}", LOOK_KNOWN },
	{ 0 },
};

static const struct page_column processes_columns[] = {
	{ "Name", "weir-{process}", LOOK_TEXT },
	{ "State", "{state}", LOOK_STATE },
	{ "Document in force", "{document:n}", LOOK_KNOWN },
	{ "Last sign of life", "[{age_ms:s} ago]", LOOK_KNOWN },
	{ 0 },
};

static const struct page_column announcements_columns[] = {
	{ "VIP", "{vip|DNS}", LOOK_TEXT },
	{ "Address", "{address}", LOOK_TEXT },
	{ "Intended", "{intended}", LOOK_STATE },
	{ "Proved", "{proved}", LOOK_STATE },
	{ "Exported", "{exported}", LOOK_STATE },
	{ "Exported to", "{exported_to:names}", LOOK_KNOWN },
	{ "Since", "{since}", LOOK_TEXT },
	{ "Hold-down left", "{held_ms:s}", LOOK_KNOWN },
	{ "Reason", "{reason}", LOOK_TEXT },
	{ 0 },
};

static const struct page_column sessions_columns[] = {
	{ "Daemon or neighbour", "{name}", LOOK_TEXT },
	{ "State", "[{state}|{session}]", LOOK_STATE },
	{ 0 },
};

static const struct page_column peers_columns[] = {
	{ "Node", "{node}", LOOK_TEXT },
	{ "Site", "{site}", LOOK_TEXT },
	{ "State", "{state}", LOOK_STATE },
	{ "Version", "{version:n}", LOOK_KNOWN },
	{ "Last answer", "[{age_ms:s} ago]", LOOK_KNOWN },
	{ "Detail", "{detail}", LOOK_TEXT },
	{ 0 },
};

/* Overrides and peers are left out where there are none, announcements on nodes without a routing daemon. */
static const struct page_table tables[] = {
	{ "Sites", "sites", NULL, SIZE_MAX, "", "", NULL, NULL, sites_columns },
	{ "Overrides", "overrides", NULL, SIZE_MAX, "overrides", "lists.overrides", NULL, NULL,
	  overrides_columns },
	{ "Services", "services", "at", PAGE_ROWS_MAX, "", "lists.services", NULL, NULL,
	  services_columns },
	{ "Backends", "pools", "backends", SIZE_MAX, "", "backends",
	  "those with an override or a problem", NULL, backends_columns },
	{ "Processes", "processes", NULL, SIZE_MAX, "", "", NULL, NULL, processes_columns },
	{ "Announcements", "announcements.items", NULL, SIZE_MAX, "announcements",
	  "announcements.counts", NULL, NULL, announcements_columns },
	{ "Routing daemon and its sessions", "announcements.daemon.neighbours", NULL, SIZE_MAX,
	  "announcements", "", NULL, "announcements.daemon", sessions_columns },
	{ "Peers", "peers", NULL, SIZE_MAX, "peers", "", NULL, NULL, peers_columns },
};

/* "Services", "Services: the first 100 of 250", "Backends: 40 of 250 (those with ...)". */
static void put_title(FILE *out, const struct page_table *t, const json_t *counts, size_t n)
{
	const json_t *all = json_at(counts, "all");
	const json_t *shown = t->chosen ? json_at(counts, "shown") : NULL;
	size_t n_all = json_is_integer(all) ? (size_t)json_integer_value(all) : n;
	size_t n_shown = n < t->most ? n : t->most;

	if (json_is_integer(shown))
		n_shown = (size_t)json_integer_value(shown);
	fprintf(out, "<h2>%s", t->title);
	if (t->chosen && n_shown < n_all)
		fprintf(out, ": %zu of %zu (%s)", n_shown, n_all, t->chosen);
	else if (n_shown < n_all)
		fprintf(out, ": the first %zu of %zu", n_shown, n_all);
	fputs("</h2><table><thead><tr>", out);
}

static void put_table(FILE *out, const struct page_table *t, const json_t *status)
{
	const json_t *list = json_at(status, t->list), *needed = json_at(status, t->needs), *one,
	             *row;
	size_t i, k;

	if (!json_is_object(needed) && !json_array_size(needed))
		return;
	put_title(out, t, json_at(status, t->counts), json_array_size(list));
	for (const struct page_column *c = t->columns; c->heading; c++)
		fprintf(out, "<th scope=col>%s</th>", c->heading);
	fputs("</tr></thead><tbody>", out);
	if (t->first)
		put_row(out, t->columns, json_at(status, t->first), NULL);
	json_array_foreach(list, i, one)
	{
		if (!t->inner)
			put_row(out, t->columns, one, NULL);
		else if (i < t->most)
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
	put_cell(out, LOOK_STATE, json_text_of(status, "state"));
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
		put_table(out, &tables[i], status);
	fputs("</main></html>\n", out);
	fclose(out);
	return text;
}
