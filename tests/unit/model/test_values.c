/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of settings one by one: each kind's forms, and each kind of limit just reached and just
 * missed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct model_errors errors;

static void show_value(const char *text)
{
	print_message("  %s\n", text);
	for (size_t i = 0; i < errors.n_items && i < 10; i++)
		print_message("    %s: %s\n", errors.items[i].field, errors.items[i].message);
}

/*
 * The small configuration with @from changed to @to. @return what its reading gives; mistakes
 * stay
 */
static int read_edit(const char *from, const char *to, struct model **m)
{
	char *text = fixture_edit(fixture_config, from, to);
	int err = model_read_text(text, strlen(text), "weir.conf", fixture_path("."), NULL, m,
	                          &errors);

	free(text);
	return err;
}

/* A place for a setting: %s becomes the value, in quotes where @quoted. */
struct place {
	const char *from, *to, *field;
	bool quoted;
};

#define AT_NODE "{ name = \"ams-1\";"

static const struct place
        check_name = { "checks = ( { name = \"web\"; ",
	               "checks = ( { name = \"web\"; type = \"tcp\"; }, { name = %s; ",
	               "checks[1].name", true },
        interface = { "{ interface = \"eth1\"; }", "{ interface = %s; }",
	              "nodes[0].ports[0].interface", true },
        zone = { "dns = {\n  zones = (",
	         "dns = {\n  zones = ( { name = %s; file = \"shop.example.zone\"; },",
	         "dns.zones[0].name", true },
        file = { "\"shop.example.zone\"", "%s", "dns.zones[0].file", true },
        api = { AT_NODE, AT_NODE " api = %s;", "nodes[0].api", true },
        path = { "path = \"/healthz\"", "path = %s", "checks[0].path", true },
        host = { "via = \"tunnel\";", "via = \"tunnel\"; host = %s;", "checks[0].host", true },
        rise = { "via = \"tunnel\";", "via = \"tunnel\"; rise = %s;", "checks[0].rise", false },
        interval = { "via = \"tunnel\";", "via = \"tunnel\"; interval = %s;", "checks[0].interval",
	             true },
        min_healthy = { "mode = \"gue\";", "mode = \"gue\"; min_healthy = %s;",
	                "pools[0].min_healthy", true },
        max_remove = { "mode = \"gue\";", "mode = \"gue\"; max_remove = %s;", "pools[0].max_remove",
	               true },
        agent = { "check = \"web\"; mode = \"gue\";",
	          "check = \"web\"; mode = \"gue\"; agent = %s;", "pools[0].agent", false },
        mode = { "mode = \"gue\";", "mode = %s;", "pools[0].mode", true },
        macs = { "{ interface = \"eth1\"; }", "{ interface = \"eth1\"; macs = [ %s ]; }",
	         "nodes[0].ports[0].macs[0]", true },
        tunnel = { "\"10.1.255.0/24\"", "%s", "nodes[0].tunnel_source[0]", true },
        control = { AT_NODE, AT_NODE " controls = [ \"192.0.2.9\", %s ];", "nodes[0].controls[1]",
	            true },
        backend = { "\"10.1.1.11\"", "%s", "pools[0].backends[0].address", true },
        flows = { "new_flows = \"50k/s\"", "new_flows = %s", "sites[1].capacity.new_flows", true },
        bits = { "\"40Gbit\"", "%s", "sites[1].capacity.bits", true },
        ttl = { "\"1m\"", "%s", "dns.names[0].ttl.max", true };

#define A10  "aaaaaaaaaa"
#define A60  A10 A10 A10 A10 A10 A10
#define A63  A60 "aaa"
#define A250 A60 A60 A60 A60 A10

static const struct {
	const struct place *place;
	const char *value;
	const char *message; /* NULL: taken */
} values[] = {
	{ &check_name, "a", NULL },
	{ &check_name, "0", NULL },
	{ &check_name, "z9._-", NULL },
	{ &check_name, A63, NULL },
	{ &check_name, A63 "a", "expected a name of a-z" },
	{ &check_name, "", "expected a name of a-z" },
	{ &check_name, ".a", "expected a name of a-z" },
	{ &check_name, "_a", "expected a name of a-z" },
	{ &check_name, "-a", "expected a name of a-z" },
	{ &check_name, "a b", "found \"a b\", expected a name of a-z" },
	{ &check_name, "a/b", "expected a name of a-z" },
	{ &interface, "x", NULL },
	{ &interface, "a.b-c_d@e", NULL },
	{ &interface, "...", NULL },
	{ &interface, "exactly15-bytes", NULL },
	{ &interface, "more-than-15-byt", "has 16 bytes, expected 1..15" },
	{ &interface, "", "expected the name of a network interface" },
	{ &interface, ".", "expected the name of a network interface" },
	{ &interface, "..", "expected the name of a network interface" },
	{ &interface, "a/b", "expected the name of a network interface" },
	{ &interface, "a:1", "expected the name of a network interface" },
	{ &interface, "a b", "expected the name of a network interface" },
	{ &interface, "\\xe9", "expected the name of a network interface" },
	{ &zone, "A-b_c.9", NULL },
	{ &zone, "a", NULL },
	{ &zone, "a.", NULL },
	{ &zone, A63 ".example", NULL },
	{ &zone, A63 "a.example", "expected a domain name" },
	{ &zone,
	  A60 "." A60 "." A60 "." A60 "."
	      "aaaaaaaaa",
	  NULL },
	{ &zone, A60 "." A60 "." A60 "." A60 "." A10, "expected a domain name" },
	{ &zone, "", "expected a domain name" },
	{ &zone, ".", "expected a domain name" },
	{ &zone, ".a", "expected a domain name" },
	{ &zone, "a..", "expected a domain name" },
	{ &zone, "a b", "expected a domain name" },
	{ &zone, "a*", "expected a domain name" },
	{ &api, "", NULL },
	{ &api, "https://x:1", NULL },
	{ &api, "https://[fd00::1]:65535", NULL },
	{ &api, "https://10.0.1.2", "expected a URL such as \"https://192.0.2.1:8443\"" },
	{ &api, "https://10.0.1.2:", "expected a URL" },
	{ &api, "https://10.0.1.2:0", "expected a URL" },
	{ &api, "https://10.0.1.2:65536", "expected a URL" },
	{ &api, "https://10.0.1.2:8443/", "expected a URL" },
	{ &api, "https://:8443", "expected a URL" },
	{ &api, "https://fd00::1", "expected a URL" },
	{ &api, "https://[fd00::1]", "expected a URL" },
	{ &api, "https://", "expected a URL such as \"https://192.0.2.1:8443\"" },
	{ &api, "http://x", "expected a URL" },
	{ &api, "x", "expected a URL" },
	{ &api, "ftp://abcdef", "expected a URL" },
	{ &api, "https:/abcdef", "expected a URL" },
	{ &file, "shop.example.zone", NULL },
	{ &file, "", "found \"\", expected the path of a file" },
	{ &file, "a\\x01", "expected the path of a file" },
	{ &api, "https://a b", "expected a URL" },
	{ &api, "https://a\\x7f", "expected a URL" },
	{ &path, "/", NULL },
	{ &path, "/~", NULL },
	{ &path, "/!", NULL },
	{ &path, "", "has 0 bytes, expected 1..1024" },
	{ &path, "/a b", "found a character that no request target can hold, expected it as %XX" },
	{ &path, "/\\x80", "found a character that no request target can hold" },
	{ &path, "/\\x7f", "expected a text without control characters" },
	{ &path, "/\\x1f", "expected a text without control characters" },
	{ &host, A250 "aaaaa", NULL },
	{ &host, A250 "aaaaaa", "has 256 bytes, expected 0..255" },
	{ &host, "", NULL },
	{ &host, "~", NULL },
	{ &host, "a\\x80", "found a character that no host name can hold" },
	{ &rise, "1", NULL },
	{ &rise, "100", NULL },
	{ &rise, "0", "found 0, expected 1..100" },
	{ &rise, "101", "found 101, expected 1..100" },
	{ &rise, "true", "found true, expected a whole number" },
	{ &rise, "false", "found false, expected a whole number" },
	{ &rise, "( )", "found a list ( ... ), expected a whole number" },
	{ &rise, "{ }", "found a group { ... }, expected a whole number" },
	{ &rise, "\"2\"", "found \"2\", expected a whole number" },
	{ &interval, "10ms", NULL },
	{ &interval, "9ms", "found \"9ms\", expected 10ms..10m" },
	{ &interval, "601s", "found \"601s\", expected 10ms..10m" },
	{ &interval, "1", "found \"1\", expected a duration such as" },
	{ &min_healthy, "0%", NULL },
	{ &min_healthy, "100%", NULL },
	{ &min_healthy, "101%", "found \"101%\", expected 0%..100%" },
	{ &min_healthy, "50", "found \"50\", expected a percentage such as" },
	{ &max_remove, "1%", NULL },
	{ &max_remove, "0%", "found \"0%\", expected 1%..100%" },
	{ &agent, "false", NULL },
	{ &agent, "True", "have addresses of different families" },
	{ &agent, "1", "found 1, expected true or false" },
	{ &agent, "\"true\"", "found \"true\", expected true or false" },
	{ &mode, "ipip", NULL },
	{ &mode, "gue", NULL },
	{ &mode, "ipi", "found \"ipi\", expected one of ipip|gue|l2 (did you mean \"ipip\"?)" },
	{ &mode, "ipipx", "found \"ipipx\", expected one of" },
	{ &mode, "gue|l2", "found \"gue|l2\", expected one of" },
	{ &mode, "", "found \"\", expected one of ipip|gue|l2" },
	{ &mode, "L2", "found \"L2\", expected one of ipip|gue|l2 (did you mean \"l2\"?)" },
	{ &macs, "02:00:00:00:00:01", NULL },
	{ &macs, "FE:ff:0a:B0:c9:9f", NULL },
	{ &macs, "00:00:00:00:00:01", NULL },
	{ &macs, "00:00:00:00:00:00", "expected the MAC address of one host" },
	{ &macs, "01:00:00:00:00:00", "expected the MAC address of one host" },
	{ &macs, "ff:ff:ff:ff:ff:ff", "expected the MAC address of one host" },
	{ &macs, "02:00:00:00:00:1", "expected the MAC address of one host" },
	{ &macs, "02:00:00:00:00:011", "expected the MAC address of one host" },
	{ &macs, "02-00-00-00-00-01", "expected the MAC address of one host" },
	{ &macs, "02:00:00:00:00:0g", "expected the MAC address of one host" },
	{ &macs, "2:2:2:2:2:2222222", "expected the MAC address of one host" },
	{ &macs, "2:2:2:2:2:2:aaaaa", "expected the MAC address of one host" },
	{ &macs, "02:00:00:00:00:0\\x00", "unknown escape" },
	{ &tunnel, "10.1.255.1/32", NULL },
	{ &tunnel, "0.0.0.0/0", "expected one prefix for each address family, longer than /0" },
	{ &tunnel, "10.1.255.0", "expected a prefix such as" },
	{ &tunnel, "10.1.255.0/33", "expected a prefix such as" },
	{ &control, "2001:db8::1", NULL },
	{ &control, "gateway", "found \"gateway\", expected an IPv4 or IPv6 address" },
	{ &control, "::", "found \"::\", expected the address of one host" },
	{ &control, "ff02::1", "expected the address of one host" },
	{ &control, "fe80::1", NULL },
	{ &backend, "10.1.1.255", NULL },
	{ &backend, "0.0.0.0", "expected the address of one host" },
	{ &backend, "224.0.0.0", "expected the address of one host" },
	{ &backend, "239.255.255.255", "expected the address of one host" },
	{ &backend, "223.255.255.255", NULL },
	{ &backend, "240.0.0.1", NULL },
	{ &backend, "255.255.255.255", "expected the address of one host" },
	{ &backend, "10.1.1", "found \"10.1.1\", expected an IPv4 or IPv6 address" },
	{ &flows, "1/s", NULL },
	{ &flows, "1G/s", NULL },
	{ &flows, "0/s", "found \"0/s\", expected 1/s..1G/s" },
	{ &flows, "1000000001/s", "expected 1/s..1G/s" },
	{ &bits, "1kbit", NULL },
	{ &bits, "1000Tbit", NULL },
	{ &bits, "999bit", "found \"999bit\", expected 1kbit..1000Tbit" },
	{ &bits, "1001Tbit", "expected 1kbit..1000Tbit" },
	{ &ttl, "5s", NULL },
	{ &ttl, "5000ms", NULL },
	{ &ttl, "5001ms", "found \"5001ms\", expected whole seconds" },
	{ &ttl, "4s", "min of 5s is longer than max of 4s" },
	{ &ttl, "1d", NULL },
	{ &ttl, "86401s", "found \"86401s\", expected 1s..1d" },
};

/* Whether the one mistake that there is, is @message at @field or at the group that holds it. */
static bool is_told(const char *field, const char *message)
{
	for (size_t i = 0; i < errors.n_items; i++) {
		const char *at = errors.items[i].field;

		if ((!*at || strncmp(field, at, strlen(at)) == 0) &&
		    strstr(errors.items[i].message, message))
			return true;
	}
	return false;
}

static void each_kind_of_value_has_its_form_and_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		const struct place *p = values[i].place;
		char value[400], to[800];
		struct model *m = NULL;

		snprintf(value, sizeof(value), p->quoted ? "\"%s\"" : "%s", values[i].value);
		const char *at = strstr(p->to, "%s");
		snprintf(to, sizeof(to), "%.*s%s%s", (int)(at - p->to), p->to, value, at + 2);
		int err = read_edit(p->from, to, &m);
		bool right = values[i].message
		                     ? err == -EINVAL && is_told(p->field, values[i].message)
		                     : err == 0;

		if (!right)
			show_value(to);
		assert_true(right);
		model_errors_free(&errors);
		model_free(m);
	}
}

/* @n entries between @before and @after; '#' in @entry becomes a number of its own. */
static char *make_list(const char *before, const char *entry, unsigned n, const char *after)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fputs(before, f);
	for (unsigned i = 0; i < n; i++) {
		size_t mark = strcspn(entry, "#");

		fprintf(f, "%s%.*s%u%s", i ? ", " : "", (int)mark, entry, 10 + i, entry + mark + 1);
	}
	fputs(after, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static const struct {
	const char *from, *before, *entry, *after, *field;
	unsigned least, most;
} lists[] = {
	{ "\"203.0.113.10\", \"2001:db8:1::10\"", "", "\"203.0.113.#\"", "", "vips[0].addresses", 1,
	  16 },
	{ "[ \"192.0.2.53\" ]", "[", "\"192.0.2.#\"", "]", "nodes[0].dns_listen", 0, 16 },
	{ AT_NODE, AT_NODE " controls = [", "\"192.0.2.#\"", "];", "nodes[0].controls", 0, 8 },
	{ "{ interface = \"eth1\"; }", "", "{ interface = \"e#\"; }", "", "nodes[0].ports", 1, 16 },
	{ "{ interface = \"eth1\"; }", "{ interface = \"eth1\"; macs = [", "\"02:00:00:00:10:#\"",
	  "]; }", "nodes[0].ports[0].macs", 0, 32 },
};

static void expect_list(size_t row, unsigned n)
{
	char *to = make_list(lists[row].before, lists[row].entry, n, lists[row].after), told[64];
	struct model *m = NULL;
	int err = read_edit(lists[row].from, to, &m);
	bool good = n >= lists[row].least && n <= lists[row].most;

	snprintf(told, sizeof(told), "has %u entries, expected %u..%u", n, lists[row].least,
	         lists[row].most);
	if (err != (good ? 0 : -EINVAL) || (!good && !is_told(lists[row].field, told)))
		show_value(to);
	assert_int_equal(err, good ? 0 : -EINVAL);
	assert_true(good || is_told(lists[row].field, told));
	model_errors_free(&errors);
	model_free(m);
	free(to);
}

static void each_list_takes_as_many_as_its_limit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		for (unsigned n = 0; n <= 2; n++)
			expect_list(i, n);
		expect_list(i, lists[i].most);
		expect_list(i, lists[i].most + 1);
	}
}

SUITE(values)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_value_has_its_form_and_limits),
		cmocka_unit_test(each_list_takes_as_many_as_its_limit),
	};

	return cmocka_run_group_tests_name("values", tests, fixture_setup, fixture_teardown);
}
