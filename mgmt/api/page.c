/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status page for people: the status as HTML, made here, without scripts; it loads itself
 * again. Shapes stand beside colours, and tables have heads, so that it can be read by anyone and
 * in a terminal.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"

#define BACKENDS_MAX 200u /* that are shown */
#define SERVICES_MAX 100u /* that are shown: a browser loads the page every two seconds */

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
	for (; text && *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
}

static const char *nested_text(const json_t *object, const char *part, const char *name)
{
	return json_text_of(json_object_get(object, part), name);
}

static void put_state_cell(FILE *out, const char *state)
{
	size_t i = 0, n = sizeof(looks) / sizeof(looks[0]);

	while (i < n && strcmp(looks[i].state, state))
		i++;
	fprintf(out, "<td class=%s>%s ", i < n ? looks[i].class_ : "odd",
	        i < n ? looks[i].shape : "▲");
	put_html(out, state);
	fputs("</td>", out);
}

static void put_cell(FILE *out, const char *text)
{
	fputs("<td>", out);
	put_html(out, text);
	fputs("</td>", out);
}

/* A number, or a dash where it is not known; @p unit 1e4 shows ppm as percent. */
static void put_number_cell(FILE *out, const json_t *value, double unit, const char *suffix)
{
	if (json_is_integer(value))
		fprintf(out, "<td>%.*f%s</td>", unit > 1 ? 1 : 0,
		        (double)json_integer_value(value) / unit, suffix);
	else
		fputs("<td class=dim>-</td>", out);
}

/* "2.1 Mbit/s" */
static void put_rate_cell(FILE *out, const json_t *value)
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	double bits = (double)json_integer_value(value);
	size_t i = 0;

	for (; bits >= 1000 && i < 4; i++)
		bits /= 1000;
	if (json_is_integer(value))
		fprintf(out, "<td>%.3g %s</td>", bits, units[i]);
	else
		fputs("<td class=dim>-</td>", out);
}

static void begin_table(FILE *out, const char *title, const char *heads)
{
	fprintf(out, "<h2>%s</h2><table><thead><tr>", title);
	while (*heads) {
		size_t n = strcspn(heads, "|");

		fprintf(out, "<th scope=col>%.*s</th>", (int)n, heads);
		heads += n + (heads[n] == '|');
	}
	fputs("</tr></thead><tbody>", out);
}

/*
 * Intent, observation and effect stand side by side: where they differ, a reader sees at which
 * step.
 */
static void put_site_rows(FILE *out, const json_t *status)
{
	size_t i;
	json_t *s;

	begin_table(
	        out, "Sites",
	        "Site|Intent|Drain intended|Observed|Traffic|Effect in DNS|Drain in effect|Share");
	json_array_foreach(json_object_get(status, "sites"), i, s)
	{
		const json_t *intent = json_object_get(s, "intent"),
		             *effect = json_object_get(s, "effect");

		fputs("<tr>", out);
		put_cell(out, json_text_of(s, "name"));
		put_state_cell(out, json_text_of(intent, "state"));
		put_number_cell(out, json_object_get(intent, "level_ppm"), 1e4, " %");
		put_state_cell(out, nested_text(s, "observation", "state"));
		put_rate_cell(out,
		              json_object_get(json_object_get(s, "observation"), "bits_per_s"));
		put_state_cell(out, json_text_of(effect, "state"));
		put_number_cell(out, json_object_get(effect, "level_ppm"), 1e4, " %");
		put_number_cell(out, json_object_get(effect, "weight_share_ppm"), 1e4, " %");
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
}

/* A row for each backend that the status shows; the table's title says how many there are. */
static void put_backend_rows(FILE *out, const json_t *pool)
{
	size_t i;
	json_t *b;

	json_array_foreach(json_object_get(pool, "backends"), i, b)
	{
		const json_t *effect = json_object_get(b, "effect");

		fputs("<tr>", out);
		put_cell(out, json_text_of(pool, "name"));
		put_cell(out, json_text_of(b, "name"));
		put_cell(out, json_text_of(b, "address"));
		put_state_cell(out, nested_text(b, "intent", "state"));
		put_state_cell(out, nested_text(b, "observation", "state"));
		put_cell(out, nested_text(b, "observation", "reason"));
		put_state_cell(out, json_text_of(effect, "state"));
		put_cell(out, json_text_of(effect, "why"));
		put_number_cell(out, json_object_get(effect, "share_ppm"), 1e4, " %");
		put_number_cell(out, json_object_get(effect, "packets"), 1, "");
		fputs("</tr>", out);
	}
}

static void put_pool_rows(FILE *out, const json_t *status)
{
	size_t i;
	json_t *p;

	const json_t *n = json_object_get(status, "backends");
	char title[128] = "Backends";
	json_int_t all = json_integer_value(json_object_get(n, "all")),
	           shown = json_integer_value(json_object_get(n, "shown"));

	if (shown < all)
		snprintf(title, sizeof(title),
		         "Backends: %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
		         " (those with an override or a problem)",
		         shown, all);
	begin_table(out, title,
	            "Pool|Backend|Address|Intent|Observed|Last result|Effect|Reason|Share|Packets");
	json_array_foreach(json_object_get(status, "pools"), i, p) put_backend_rows(out, p);
	fputs("</tbody></table>", out);
}

/*
 * A row for each site of a service. A family without an address gets a dash, so that it does not
 * look like a check.
 */
static void put_service_sites(FILE *out, const json_t *service)
{
	size_t i, k;
	json_t *at, *address;

	json_array_foreach(json_object_get(service, "at"), i, at)
	{
		const json_t *observed = json_object_get(at, "observation");

		fputs("<tr>", out);
		put_cell(out, json_text_of(service, "name"));
		fprintf(out, "<td>%" JSON_INTEGER_FORMAT "/%s</td>",
		        json_integer_value(json_object_get(service, "port")),
		        json_text_of(service, "protocol"));
		put_cell(out, json_text_of(at, "site"));
		fputs("<td>", out);
		json_array_foreach(json_object_get(at, "addresses"), k, address)
		{
			fputs(k ? ", " : "", out);
			put_html(out, json_string_value(address));
		}
		fputs("</td>", out);
		put_cell(out, json_text_of(at, "pool"));
		for (int ip4 = 1; ip4 >= 0; ip4--)
			if (json_object_get(observed, ip4 ? "ipv4" : "ipv6"))
				put_state_cell(
				        out, nested_text(observed, ip4 ? "ipv4" : "ipv6", "state"));
			else
				fputs("<td class=dim>-</td>", out);
		fputs("</tr>", out);
	}
}

/*
 * "Services", or "Services: the first 100 of 250". @p counts  {"all"} of a list that was cut; NULL: @p list
 * is whole. @p max  rows of the table
 */
static void format_title(char title[64], const char *words, const json_t *list, size_t max,
                         const json_t *counts)
{
	const json_t *all = json_object_get(counts, "all");
	size_t n = json_is_integer(all) ? (size_t)json_integer_value(all) : json_array_size(list);
	size_t n_shown = json_array_size(list) < max ? json_array_size(list) : max;

	snprintf(title, 64, "%s", words);
	if (n > n_shown)
		snprintf(title, 64, "%s: the first %zu of %zu", words, n_shown, n);
}

/* How much there is of a list that the limit cut; NULL: it is whole. */
static const json_t *counts_of(const json_t *status, const char *name)
{
	return json_object_get(json_object_get(status, "lists"), name);
}

static void put_service_rows(FILE *out, const json_t *status)
{
	const json_t *list = json_object_get(status, "services");
	char title[64];
	size_t i;
	json_t *s;

	format_title(title, "Services", list, SERVICES_MAX, counts_of(status, "services"));
	begin_table(out, title, "Service|Port|Site|VIP|Pool|Observed, IPv4|Observed, IPv6");
	json_array_foreach(list, i, s) if (i < SERVICES_MAX) put_service_sites(out, s);
	fputs("</tbody></table>", out);
}

/* Without overrides the table is left out: that is the usual state. */
static void put_override_rows(FILE *out, const json_t *status)
{
	const json_t *list = json_object_get(status, "overrides");
	char title[64];
	size_t i;
	json_t *o;

	if (json_array_size(list) == 0)
		return;
	format_title(title, "Overrides", list, SIZE_MAX, counts_of(status, "overrides"));
	begin_table(out, title, "Kind|Target|State|Level|From|Until|Author|Reason");
	json_array_foreach(list, i, o)
	{
		const json_t *target = json_object_get(o, "target");
		const char *until = json_text_of(o, "until");

		fputs("<tr>", out);
		put_cell(out, json_text_of(o, "do"));
		fputs("<td>", out);
		put_html(out, json_text_of(target, "site"));
		put_html(out, json_text_of(target, "node"));
		put_html(out, json_text_of(target, "pool"));
		fputs(*json_text_of(target, "pool") ? "/" : "", out);
		put_html(out, json_text_of(target, "backend"));
		fputs("</td>", out);
		put_state_cell(out, json_text_of(o, "state"));
		put_number_cell(out, json_object_get(o, "level_ppm"), 1e4, " %");
		put_cell(out, json_text_of(o, "from"));
		put_cell(out, *until ? until : "never");
		put_cell(out, json_text_of(o, "author"));
		put_cell(out, json_text_of(o, "reason"));
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
}

static void put_process_rows(FILE *out, const json_t *status)
{
	size_t i;
	json_t *p;

	begin_table(out, "Processes", "Name|State|Document in force|Last sign of life");
	json_array_foreach(json_object_get(status, "processes"), i, p)
	{
		fputs("<tr><td>weir-", out);
		put_html(out, json_text_of(p, "process"));
		fputs("</td>", out);
		put_state_cell(out, json_text_of(p, "state"));
		put_number_cell(out, json_object_get(p, "document"), 1, "");
		put_number_cell(out, json_object_get(p, "age_ms"), 1e3, " s ago");
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
}

/* "router1_4, router1_6", or a dash: to no neighbour, or that is not known. */
static void put_names_cell(FILE *out, const json_t *names)
{
	size_t i;
	json_t *name;

	fputs(json_array_size(names) ? "<td>" : "<td class=dim>-", out);
	json_array_foreach(names, i, name)
	{
		fputs(i ? ", " : "", out);
		put_html(out, json_string_value(name));
	}
	fputs("</td>", out);
}

static void put_session_rows(FILE *out, const json_t *routing)
{
	size_t i;
	json_t *n;

	begin_table(out, "Routing daemon and its sessions", "Daemon or neighbour|State");
	fputs("<tr>", out);
	put_cell(out, json_text_of(routing, "name"));
	put_state_cell(out, json_text_of(routing, "state"));
	fputs("</tr>", out);
	json_array_foreach(json_object_get(routing, "neighbours"), i, n)
	{
		fputs("<tr>", out);
		put_cell(out, json_text_of(n, "name"));
		put_state_cell(out, json_text_of(n, "session"));
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
}

/* Nodes without a routing daemon have no announcements, and no table. */
static void put_announcement_rows(FILE *out, const json_t *status)
{
	const json_t *announced = json_object_get(status, "announcements"),
	             *routing = json_object_get(announced, "daemon"),
	             *list = json_object_get(announced, "items");
	char title[64];
	size_t i;
	json_t *a;

	if (!announced)
		return;
	format_title(title, "Announcements", list, SIZE_MAX, json_object_get(announced, "counts"));
	begin_table(out, title,
	            "VIP|Address|Intended|Proved|Exported|Exported to|Since|Hold-down left|Reason");
	json_array_foreach(list, i, a)
	{
		fputs("<tr>", out);
		put_cell(out, *json_text_of(a, "vip") ? json_text_of(a, "vip") : "DNS");
		put_cell(out, json_text_of(a, "address"));
		put_state_cell(out, json_text_of(a, "intended"));
		put_state_cell(out, json_text_of(a, "proved"));
		put_state_cell(out, json_text_of(a, "exported"));
		put_names_cell(out, json_object_get(a, "exported_to"));
		put_cell(out, json_text_of(a, "since"));
		put_number_cell(out, json_object_get(a, "held_ms"), 1e3, " s");
		put_cell(out, json_text_of(a, "reason"));
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
	put_session_rows(out, routing);
}

/* Without peers the table is left out. */
static void put_peer_rows(FILE *out, const json_t *status)
{
	size_t i;
	json_t *p;

	if (json_array_size(json_object_get(status, "peers")) == 0)
		return;
	begin_table(out, "Peers", "Node|Site|State|Version|Last answer|Detail");
	json_array_foreach(json_object_get(status, "peers"), i, p)
	{
		fputs("<tr>", out);
		put_cell(out, json_text_of(p, "node"));
		put_cell(out, json_text_of(p, "site"));
		put_state_cell(out, json_text_of(p, "state"));
		put_number_cell(out, json_object_get(p, "version"), 1, "");
		put_number_cell(out, json_object_get(p, "age_ms"), 1e3, " s ago");
		put_cell(out, json_text_of(p, "detail"));
		fputs("</tr>", out);
	}
	fputs("</tbody></table>", out);
}

/* The state and its reasons come first: whoever opens the page in trouble needs these. */
static void put_banner(FILE *out, const json_t *status)
{
	const json_t *version = json_object_get(status, "version");
	size_t i;
	json_t *item;

	fprintf(out, "<h1>Weir on ");
	put_html(out, json_text_of(status, "node"));
	fputs("</h1><table><tbody><tr>", out);
	put_state_cell(out, json_text_of(status, "state"));
	fprintf(out, "<td>version %" JSON_INTEGER_FORMAT " by ",
	        json_integer_value(json_object_get(version, "number")));
	put_html(out, json_text_of(version, "author"));
	fputs(": ", out);
	put_html(out, json_text_of(version, "reason"));
	fputs("</td><td>as of <time>", out);
	put_html(out, json_text_of(status, "time"));
	fputs("</time></td></tr></tbody></table><ul role=status>", out);
	json_array_foreach(json_object_get(status, "why"), i, item)
	{
		fputs("<li>", out);
		put_html(out, json_string_value(item));
		fputs("</li>", out);
	}
	json_array_foreach(json_object_get(status, "notes"), i, item)
	{
		fputs("<li class=dim>", out);
		put_html(out, json_text_of(item, "text"));
		fputs("</li>", out);
	}
	fputs("</ul>", out);
}

void handle_page(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const struct handle_filter filter = { .limit = BACKENDS_MAX };
	size_t n = 0;

	(void)r;
	json_t *status = handle_status_json(core, &filter);
	FILE *out = open_memstream(&reply->text, &n);
	if (out) {
		fprintf(out, head, json_text_of(status, "state"), json_text_of(status, "node"));
		put_banner(out, status);
		put_site_rows(out, status);
		put_override_rows(out, status);
		put_service_rows(out, status);
		put_pool_rows(out, status);
		put_process_rows(out, status);
		put_announcement_rows(out, status);
		put_peer_rows(out, status);
		fputs("</main></html>\n", out);
		fclose(out);
	}
	json_decref(status);
	reply->type = "text/html; charset=utf-8";
	reply->status = 200;
	if (!reply->text)
		http_problem(reply, 503, "busy", "out of memory");
}
