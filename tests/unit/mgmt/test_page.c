/* SPDX-License-Identifier: BSD-2-Clause */
/* The status page: each cell of each table, what is unknown, what is hostile, and what is too much. */
#include "api_world.h"

#include "mgmt/api/handle.h"
#include "tests/unit/suite.h"

/* What a tag leaves in the text. */
static const char *tag_text(const char *tag)
{
	static const struct {
		const char *tag, *text;
	} rows[] = {
		{ "<h2>", "\n## " },
		{ "<tr>", "\n" },
		{ "<li>", "\n- " },
		{ "<li class=dim>", "\n-- " },
		{ "</td>", "|" },
		{ "</th>", "|" },
		{ "<td class=good>", "good:" },
		{ "<td class=bad>", "bad:" },
		{ "<td class=odd>", "odd:" },
		{ "<td class=dim>", "dim:" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strncmp(tag, rows[i].tag, strlen(rows[i].tag)))
			return rows[i].text;
	return "";
}

/* The page as a terminal's browser would have it, with the classes of cells. */
static void strip_tags(const char *html, char *out, size_t size)
{
	size_t n = 0;

	for (const char *at = html; *at && n + 16 < size; at++)
		if (*at == '<') {
			n += (size_t)snprintf(out + n, size - n, "%s", tag_text(at));
			at = strchr(at, '>');
			assert_non_null(at);
		} else {
			out[n++] = *at;
		}
	out[n] = '\0';
}

#define TAGS_MAX 16

/* Where a tag belongs; NULL: in several. */
static const char *parent_of(const char *tag)
{
	static const char *const rows[][2] = {
		{ "title", "html" },  { "style", "html" },  { "main", "html" },
		{ "h1", "main" },     { "h2", "main" },     { "table", "main" },
		{ "thead", "table" }, { "tbody", "table" }, { "th", "tr" },
		{ "td", "tr" },       { "ul", "main" },     { "li", "ul" },
		{ "time", "td" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i][0], tag))
			return rows[i][1];
	return NULL;
}

/* The page is markup that is whole, and each row of a table has as many cells as the table has heads. */
static void check_markup(const char *html)
{
	char open[TAGS_MAX][16];
	size_t n = 0, n_heads = 0, n_cells = 0;

	for (const char *at = html; (at = strchr(at, '<')); at++) {
		bool closes = at[1] == '/';
		const char *name = at + 1 + closes, *parent;
		char tag[16];

		snprintf(tag, sizeof(tag), "%.*s", (int)strcspn(name, " >"), name);
		if (!strcmp(tag, "!doctype") || !strcmp(tag, "meta"))
			continue;
		if (closes && (n == 0 || strcmp(open[--n], tag)))
			fail_msg("</%s> closes <%s>: %.80s", tag, n ? open[n] : "", at);
		if (!closes) {
			parent = parent_of(tag);
			if (n == TAGS_MAX || (parent && (n == 0 || strcmp(open[n - 1], parent))))
				fail_msg("<%s> within <%s>: %.80s", tag, n ? open[n - 1] : "", at);
			memcpy(open[n++], tag, sizeof(tag));
		}
		if (!closes && !strcmp(tag, "table"))
			n_heads = 0;
		if (!closes && !strcmp(tag, "tr"))
			n_cells = 0;
		n_heads += closes && !strcmp(tag, "th");
		n_cells += closes && !strcmp(tag, "td");
		if (closes && !strcmp(tag, "tr") && n_heads && n_cells && n_cells != n_heads)
			fail_msg("%zu cells below %zu heads: %.80s", n_cells, n_heads, at);
	}
	assert_int_equal(n, 0);
	assert_null(strchr(strstr(html, "</html>") + 8, '<'));
}

static char page[65536];

/* Read a page; what comes before <main> is left out. */
static void read_page(const char *html)
{
	check_markup(html);
	const char *begins = strstr(html, "<main>");
	assert_non_null(begins);
	strip_tags(begins, page, sizeof(page));
}

/* Make the page of @p status. */
static void page_of(const char *status)
{
	json_error_t why;
	json_t *json = json_loads(status, 0, &why);

	if (!json)
		fail_msg("line %d, column %d: %s", why.line, why.column, why.text);
	char *html = page_make(json);

	assert_non_null(html);
	read_page(html);
	free(html);
	json_decref(json);
}

static void expect_text(const char *part)
{
	if (!strstr(page, part))
		fail_msg("no \"%s\" in:\n%s", part, page);
}

static void says_not(const char *part)
{
	if (strstr(page, part))
		fail_msg("\"%s\" in:\n%s", part, page);
}

static void each_table_has_its_cells_in_order(void **state)
{
	(void)state;
	page_of("{\"node\": \"ams-1\", \"state\": \"degraded\", \"time\": \"T0\","
	        " \"version\": {\"number\": 7, \"author\": \"ada\", \"reason\": \"more\"},"
	        " \"why\": [\"first\", \"second\"], \"notes\": [{\"text\": \"n1\"}, {\"text\": \"n2\"}],"
	        " \"sites\": [{\"name\": \"ams\", \"intent\": {\"state\": \"serve\", \"level_ppm\": 123456},"
	        "  \"observation\": {\"state\": \"up\", \"bits_per_s\": 2100000},"
	        "  \"effect\": {\"state\": \"draining\", \"level_ppm\": 234567, \"weight_share_ppm\": 345678}},"
	        "  {\"name\": \"fra\"}],"
	        " \"processes\": [{\"process\": \"dns\", \"state\": \"running\", \"document\": 12, \"age_ms\": 1500},"
	        "  {\"process\": \"health\", \"state\": \"silent\", \"document\": 11}],"
	        " \"peers\": [{\"node\": \"fra-1\", \"site\": \"fra\", \"state\": \"agreed\", \"version\": 6, \"age_ms\": 2500,"
	        "  \"detail\": \"d1\"}, {\"node\": \"lon-1\", \"state\": \"unreachable\"}]}");
	expect_text(
	        "Weir on ams-1\nodd:▲ degraded|version 7 by ada: more|as of T0|\n- first\n- second\n-- n1\n-- n2\n## Sites");
	expect_text("\nSite|Intent|Drain intended|Observed|Traffic|Effect in DNS|Drained|Share|"
	            "\nams|good:● serve|12.3 %|good:● up|2.1 Mbit/s|odd:▲ draining|23.5 %|34.6 %|"
	            "\nfra|odd:▲ |dim:-|odd:▲ |dim:-|odd:▲ |dim:-|dim:-|\n## ");
	expect_text("\n## Processes\nName|State|Document in force|Last sign of life|"
	            "\nweir-dns|good:● running|12|1.5 s ago|\nweir-health|bad:✖ silent|11|dim:-|");
	expect_text(
	        "\n## Peers\nNode|Site|State|Version|Last answer|Detail|"
	        "\nfra-1|fra|good:● agreed|6|2.5 s ago|d1|\nlon-1||dim:? unreachable|dim:-|dim:-||\n");
}

static void each_backend_has_its_cells_in_order(void **state)
{
	(void)state;
	page_of("{\"backends\": {\"all\": 3, \"shown\": 3}, \"pools\": ["
	        "{\"name\": \"web-ams\", \"backends\": ["
	        " {\"name\": \"b1\", \"address\": \"10.1.1.11\", \"intent\": {\"state\": \"disable\"},"
	        "  \"observation\": {\"state\": \"down\", \"reason\": \"refused\"},"
	        "  \"effect\": {\"state\": \"out\", \"why\": \"health\", \"share_ppm\": 200000, \"packets\": 4711}},"
	        " {\"name\": \"b2\", \"effect\": {\"state\": \"in_force\"}}]},"
	        "{\"name\": \"web-fra\", \"backends\": [{\"name\": \"b1\", \"address\": \"2001:db8::1\"}]}]}");
	expect_text(
	        "\n## Backends\nBackend|Address|Intent|Observed|Effect|Share|Packets|Last result|"
	        "\nweb-ams/b1|10.1.1.11|bad:✖ disable|bad:✖ down|bad:✖ out|20.0 %|4711|refused; health|"
	        "\nweb-ams/b2||odd:▲ |odd:▲ |good:● in_force|dim:-|dim:-||"
	        "\nweb-fra/b1|2001:db8::1|odd:▲ |odd:▲ |odd:▲ |dim:-|dim:-||\n");
	page_of("{\"backends\": {\"all\": 201, \"shown\": 200}}");
	expect_text("\n## Backends: 200 of 201 (those with an override or a problem)\n");
}

static void a_service_has_a_row_for_each_site(void **state)
{
	(void)state;
	page_of("{\"services\": [{\"name\": \"web\", \"port\": 443, \"protocol\": \"tcp\", \"at\": ["
	        "{\"site\": \"ams\", \"addresses\": [\"203.0.113.10\", \"2001:db8::10\"], \"pool\": \"web-ams\","
	        " \"observation\": {\"ipv4\": {\"state\": \"up\"}, \"ipv6\": {\"state\": \"down\"}}},"
	        "{\"site\": \"lon\", \"addresses\": [\"192.0.2.10\"], \"pool\": \"web-lon\","
	        " \"observation\": {\"ipv4\": {\"state\": \"up\", \"inconclusive\": true}}},"
	        "{\"site\": \"fra\", \"addresses\": [\"198.51.100.10\"], \"pool\": \"web-fra\","
	        " \"observation\": {\"ipv6\": {\"state\": \"elsewhere\"}}}]}]}");
	expect_text("\n## Services\nService|Port|Site|VIP|Pool|Observed, IPv4|Observed, IPv6|"
	            "\nweb|443/tcp|ams|203.0.113.10, 2001:db8::10|web-ams|good:● up|bad:✖ down|"
	            "\nweb|443/tcp|lon|192.0.2.10|web-lon|odd:▲ up, inconclusive|dim:-|"
	            "\nweb|443/tcp|fra|198.51.100.10|web-fra|dim:-|dim:· elsewhere|\n");
}

/* @p n services s1 to sN, of which the status says @p all ("" for nothing). */
static void page_of_services(unsigned n, const char *all)
{
	static char status[16384];
	size_t at = (size_t)snprintf(status, sizeof(status), "{%s \"services\": [", all);

	for (unsigned i = 1; i <= n; i++)
		at += (size_t)snprintf(status + at, sizeof(status) - at,
		                       "%s{\"name\": \"s%u\", \"at\": [{}]}", i > 1 ? "," : "", i);
	snprintf(status + at, sizeof(status) - at, "]}");
	page_of(status);
}

static void only_the_first_two_hundred_services_are_shown(void **state)
{
	(void)state;
	page_of_services(200, "");
	expect_text("\n## Services\n");
	expect_text("\ns200|");
	page_of_services(201, "");
	expect_text("\n## Services: the first 200 of 201\n");
	expect_text("\ns200|");
	says_not("\ns201|");
	page_of_services(200, "\"lists\": {\"services\": {\"all\": 250}},");
	expect_text("\n## Services: the first 200 of 250\n");
	page_of_services(3, "\"lists\": {\"services\": {\"all\": 250}},");
	expect_text("\n## Services: the first 3 of 250\n");
}

static void overrides_and_peers_have_tables_only_if_there_are_any(void **state)
{
	(void)state;
	page_of("{}");
	says_not("## Overrides");
	says_not("## Peers");
	page_of("{\"overrides\": [{\"do\": \"drain\", \"target\": {\"site\": \"ams\"}, \"state\": \"active\","
	        " \"level_ppm\": 500000, \"from\": \"T1\", \"until\": \"T2\", \"author\": \"ada\", \"reason\": \"r1\"},"
	        "{\"do\": \"weight\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b1\"}, \"state\": \"ok\","
	        " \"from\": \"T3\", \"author\": \"bob\", \"reason\": \"r2\"}]}");
	expect_text("\n## Overrides\nKind|Target|State|Level|From|Until|Author|Reason|"
	            "\ndrain|site ams|odd:▲ active|50.0 %|T1|T2|ada|r1|"
	            "\nweight|backend web-fra/b1|good:● ok|dim:-|T3|never|bob|r2|\n");
}

static void announcements_have_tables_only_where_there_is_a_daemon(void **state)
{
	(void)state;
	page_of("{}");
	says_not("## Announcements");
	says_not("## Routing daemon");
	page_of("{\"announcements\": {\"daemon\": {\"name\": \"bird\", \"state\": \"answers\","
	        "  \"neighbours\": [{\"name\": \"<r1>\", \"session\": \"established\"},"
	        "   {\"name\": \"r2\", \"session\": \"down\"}]},"
	        " \"items\": [{\"vip\": \"web\", \"address\": \"203.0.113.1\", \"intended\": \"normal\","
	        "   \"proved\": \"yes\", \"exported\": \"yes\", \"exported_to\": [\"<r1>\", \"r2\"],"
	        "   \"since\": \"T1\", \"held_ms\": 0, \"reason\": \"announced\"},"
	        "  {\"vip\": null, \"address\": \"192.0.2.53\", \"intended\": \"none\","
	        "   \"proved\": \"no\", \"exported\": \"unknown\", \"exported_to\": null,"
	        "   \"since\": null, \"held_ms\": 24000, \"reason\": \"held-down\"}]}}");
	expect_text(
	        "\n## Announcements\nVIP|Address|Intended|Proved|Exported|Exported to|Reason|"
	        "\nweb|203.0.113.1|good:● normal|good:● yes|good:● yes|&lt;r1>, r2|announced, since T1|"
	        "\nDNS|192.0.2.53|odd:▲ none|bad:✖ no|dim:? unknown|dim:-|held-down, 24 s of the hold-down left|\n");
	expect_text("\n## Routing daemon and its sessions\nDaemon or neighbour|State|"
	            "\nbird|good:● answers|\n&lt;r1>|good:● established|\nr2|bad:✖ down|\n");
}

static void rates_have_a_unit_that_fits(void **state)
{
	static const struct {
		const char *bits, *text;
	} rows[] = {
		{ "0", "0 bit/s" },
		{ "999", "999 bit/s" },
		{ "1000", "1 kbit/s" },
		{ "999000", "999 kbit/s" },
		{ "999499", "999 kbit/s" },
		{ "999500", "1 Mbit/s" }, /* rounded, it is a thousand */
		{ "999999999", "1 Gbit/s" },
		{ "1000000", "1 Mbit/s" },
		{ "1000000000", "1 Gbit/s" },
		{ "12300000000000", "12.3 Tbit/s" },
		{ "1200000000000000", "1.2e+03 Tbit/s" }, /* the largest unit */
		{ "null", "dim:-" },
		{ "2.5", "dim:-" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char status[256], text[64];

		snprintf(
		        status, sizeof(status),
		        "{\"sites\": [{\"name\": \"ams\", \"observation\": {\"bits_per_s\": %s}}]}",
		        rows[i].bits);
		snprintf(text, sizeof(text), "odd:▲ |%s|odd:▲ |", rows[i].text);
		page_of(status);
		expect_text(text);
	}
}

/* Shape and colour of each state that a page may have. */
static void each_state_has_its_look(void **state)
{
	static const struct {
		const char *look, *states[16];
	} rows[] = {
		{ "good:●",
		  { "well", "up", "running", "serving", "agreed", "in_force", "ok", "serve",
		    "normal", "yes", "established", "answers" } },
		{ "bad:✖",
		  { "down", "out", "silent", "differs", "failing", "disabled", "disable", "no" } },
		{ "dim:·", { "elsewhere" } },
		{ "dim:?", { "unknown", "absent", "unreachable" } },
		{ "odd:▲", { "degraded", "draining", "other", "shutdown", "none" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t k = 0; rows[i].states[k]; k++) {
			char status[64], text[64];

			snprintf(status, sizeof(status), "{\"state\": \"%s\"}", rows[i].states[k]);
			snprintf(text, sizeof(text), "%s %s|", rows[i].look, rows[i].states[k]);
			page_of(status);
			expect_text(text);
		}
}

static void nothing_that_people_write_is_markup(void **state)
{
	(void)state;
	page_of("{\"version\": {\"author\": \"<b>&\", \"reason\": \"\\\"'\"}, \"why\": [\"<i>\"]}");
	expect_text(" by &lt;b>&amp;: &quot;&#39;|");
	expect_text("- &lt;i>\n");
}

/* Of a real node, asked as a browser asks. */
static void a_node_has_a_page(void **state)
{
	(void)state;
	asker.role = HTTP_VIEWER;
	assert_int_equal(ask_route("GET /", NULL), 200);
	assert_string_equal(answer.type, "text/html; charset=utf-8");
	assert_non_null(strstr(answer.text, "<title>degraded: ams-1 - Weir</title>"));
	assert_non_null(strstr(answer.text, "http-equiv=refresh content=2>"));
	assert_non_null(strstr(answer.text, "</main></html>\n"));
	read_page(answer.text);
	expect_text("Weir on ams-1\nodd:▲ degraded|version 1 by first start: ");
	expect_text("\nweb-ams/b1|10.1.1.11|");
	expect_text("\nweb-fra/b1|10.2.1.11|");
}

SUITE(page)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_table_has_its_cells_in_order),
		cmocka_unit_test(each_backend_has_its_cells_in_order),
		cmocka_unit_test(a_service_has_a_row_for_each_site),
		cmocka_unit_test(only_the_first_two_hundred_services_are_shown),
		cmocka_unit_test(overrides_and_peers_have_tables_only_if_there_are_any),
		cmocka_unit_test(announcements_have_tables_only_where_there_is_a_daemon),
		cmocka_unit_test(rates_have_a_unit_that_fits),
		cmocka_unit_test(each_state_has_its_look),
		cmocka_unit_test(nothing_that_people_write_is_markup),
		cmocka_unit_test_setup_teardown(a_node_has_a_page, world_setup, world_teardown),
	};

	world_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
