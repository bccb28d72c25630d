/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Settings of another shape than they have: a number for a list, a group that is none, one that
 * is missing or unknown.
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

struct shape {
	const char *from, *to, *field, *message;
};

static const struct shape configurations[] = {
	{ "mode = \"gue\"", "mode = 5", "pools[0].mode", "found 5, expected one of ipip|gue|l2" },
	{ "mode = \"gue\"", "mode = ( )", "pools[0].mode",
	  "found a list ( ... ), expected one of ipip|gue|l2" },
	{ "\"10.1.1.11\"", "7", "pools[0].backends[0].address",
	  "found 7, expected an IPv4 or IPv6 address" },
	{ "[ \"192.0.2.53\" ]", "[ 7 ]", "nodes[0].dns_listen[0]",
	  "found 7, expected an IPv4 or IPv6 address" },
	{ "[ \"192.0.2.53\" ]", "\"192.0.2.53\"", "nodes[0].dns_listen",
	  "found \"192.0.2.53\", expected a list of IPv4 and IPv6 addresses [ \"...\", ... ]" },
	{ "[ \"192.0.2.53\" ]", "{ }", "nodes[0].dns_listen",
	  "found a group { ... }, expected a list of IPv4 and IPv6 addresses [ \"...\", ... ]" },
	{ "[ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]", "[ true, false ]",
	  "nodes[0].tunnel_source[1]",
	  "found false, expected a prefix such as \"192.0.2.0/24\" with no host bits set" },
	{ "[ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]", "\"10.1.255.0/24\"",
	  "nodes[0].tunnel_source",
	  "found \"10.1.255.0/24\", expected a list of prefixes [ \"192.0.2.0/24\", ... ]" },
	{ "{ interface = \"eth1\"; }", "{ interface = \"eth1\"; macs = [ 2 ]; }",
	  "nodes[0].ports[0].macs[0]",
	  "found 2, expected the MAC address of one host such as \"02:00:00:00:00:01\"" },
	{ "{ interface = \"eth1\"; }", "{ interface = \"eth1\"; macs = \"x\"; }",
	  "nodes[0].ports[0].macs",
	  "found \"x\", expected a list of MAC addresses [ \"02:00:00:00:00:01\", ... ]" },
	{ "\"shop-fra\"; site = \"fra\"", "\"shop-fra\"; sites = \"fra\"", "vips[1].sites",
	  "found \"fra\", expected a list of names [ \"...\", ... ]" },
	{ "\"shop-fra\"; site = \"fra\"", "\"shop-fra\"; sites = { }", "vips[1].sites",
	  "found a group { ... }, expected a list of names [ \"...\", ... ]" },
	{ "\"shop-fra\"; site = \"fra\"", "\"shop-fra\"; sites = [ 2 ]", "vips[1].sites[0]",
	  "found 2, expected a name of a-z, 0-9, '.', '_' and '-', at most 63 long, starting with a letter or digit" },
	{ "\"shop-fra\"; site = \"fra\"", "\"shop-fra\"; sites = ( \"fra\", { } )",
	  "vips[1].sites[1]",
	  "found a group { ... }, expected a name of a-z, 0-9, '.', '_' and '-', at most 63 long, starting with a letter or digit" },
	{ "labels = { region = \"eu\"; }", "labels = \"eu\"", "sites[1].labels",
	  "found \"eu\", expected a group { ... }" },
	{ "labels = { region = \"eu\"; }", "labels = ( )", "sites[1].labels",
	  "found a list ( ... ), expected a group { ... }" },
	{ "names = ( { name = \"www.shop.example\"; service = \"web\"; ttl = { min = \"5s\"; max = \"1m\"; "
	  "}; } )",
	  "names = { }", "dns.names",
	  "found a group { ... }, expected a list of groups ( { ... }, ... )" },
	{ "names = ( {", "names = ( 5, {", "dns.names[0]", "found 5, expected a group { ... }" },
	{ "names = ( {", "names = ( \"x\", {", "dns.names[0]",
	  "found \"x\", expected a group { ... }" },
	{ "type = \"http\"; ", "", "checks[0].type", "is missing, expected tcp|http|external" },
	{ "service = \"web\"; ttl", "ttl", "dns.names[0].service", "is missing, expected a name" },
	{ "{ name = \"Shop.Example.\"; file = \"shop.example.zone\"; }",
	  "{ name = \"Shop.Example.\"; }", "dns.zones[0].file",
	  "is missing, expected the path of a file" },
	{ "schema = 1;", "schema = 1; protocl = 1;", "protocl", "there is no such setting" },
	{ "schema = 1;", "schema = 1; overides = ();", "overides", "there is no such setting" },
	{ "schema = 1;", "schema = 1; limit = { };", "limit",
	  "there is no such setting (did you mean \"limits\"?)" },
	{ "labels = {", "lables = {", "sites[1].lables",
	  "there is no such setting (did you mean \"labels\"?)" },
	{ "weight = 50", "weights = 50", "pools[0].backends[1].weights",
	  "there is no such setting (did you mean \"weight\"?)" },
	{ "weight = 50", "interval = 50", "pools[0].backends[1].interval",
	  "there is no such setting" },
};

#define EFFECTIVE                                                                                   \
	"effective = { version = \"1\"; digest = \"\"; document = \"1\"; written = \"never\"; };\n" \
	"overrides = ( { id = \"a\"; kind = \"drain\"; target = \"backend\"; pool = \"web-ams\"; "  \
	"name = \"b1\"; generation = \"1\"; created = \"never\"; from = \"never\"; until = \"never\"; } );\n"

static const struct shape effectives[] = {
	{ "written = \"never\"", "written = 5", "effective.written",
	  "found 5, expected a time such as \"2026-01-31T12:00:00.000Z\", or \"never\"" },
	{ "written = \"never\"", "written = \"soon\"", "effective.written",
	  "found \"soon\", expected a time such as \"2026-01-31T12:00:00.000Z\", or \"never\"" },
	{ "written = \"never\"; ", "", "effective.written",
	  "is missing, expected a time such as \"2026-01-31T12:00:00.000Z\", or \"never\"" },
	{ "digest = \"\"; ", "", "effective.digest",
	  "is missing, expected a text without control characters" },
	{ "version = \"1\"", "version = 1", "effective.version",
	  "found 1, expected a number in quotes" },
	{ "version = \"1\"", "version = \"-1\"", "effective.version",
	  "found \"-1\", expected a number in quotes" },
	{ "kind = \"drain\"", "kind = \"drian\"", "overrides[0].kind",
	  "found \"drian\", expected one of drain|disable|force_up|hold|drill (did you mean \"drain\"?)" },
	{ "pool = \"web-ams\"; ", "", "overrides[0].pool",
	  "is missing, expected the backend's pool" },
	{ "overrides = (", "overides = (", "overides",
	  "there is no such setting (did you mean \"overrides\"?)" },
	{ "id = \"a\"", "id = \"\"", "overrides[0].id", "has 0 bytes, expected 1..31" },
	{ "id = \"a\"", "id = \"iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\"", "overrides[0].id",
	  "has 32 bytes, expected 1..31" },
	{ "until = \"never\"; }", "until = \"never\"; ended = 1; }", "overrides[0].ended",
	  "found 1, expected true or false" },
	{ "until = \"never\"; }", "until = \"never\"; from_ppm = 1000001; }",
	  "overrides[0].from_ppm", "found 1000001, expected 0..1000000" },
	{ "until = \"never\"; }", "until = \"never\"; to_ppm = 5; }", "overrides[0].to_ppm",
	  "is for drains of sites only" },
	{ "kind = \"drain\"; target = \"backend\"",
	  "kind = \"hold\"; target = \"site\"; to_ppm = 5", "overrides[0].to_ppm",
	  "is for drains of sites only" },
	{ "target = \"backend\"", "target = \"site\"; to_ppm = 1000001", "overrides[0].to_ppm",
	  "found 1000001, expected 0..1000000" },
	{ "target = \"backend\"", "target = \"site\"; to_ppm = 5; late_from = 7",
	  "overrides[0].late_from",
	  "found 7, expected a time such as \"2026-01-31T12:00:00.000Z\", or \"never\"" },
	{ "until = \"never\"; }", "until = \"never\"; service = \"web\"; }", "overrides[0].to_ppm",
	  "is missing, expected where the step goes to" },
	{ "until = \"never\"; }", "until = \"never\"; epoch = \"64\"; }", "overrides[0].to_ppm",
	  "is missing, expected where the step goes to" },
	{ "until = \"never\"; }", "until = \"never\"; step = \"1\"; }", "overrides[0].to_ppm",
	  "is missing, expected where the step goes to" },
	{ "until = \"never\"; }", "until = \"never\"; operation = \"d1\"; }", "overrides[0].to_ppm",
	  "is missing, expected where the step goes to" },
	{ "until = \"never\"; }", "until = \"never\"; clients = \"192.0.2.0/24\"; }",
	  "overrides[0].clients", "is for drills of sites, which need it" },
	{ "kind = \"drain\"; target = \"backend\"", "kind = \"drill\"; target = \"site\"",
	  "overrides[0].clients", "is for drills of sites, which need it" },
	{ "kind = \"drain\"; target = \"backend\"",
	  "kind = \"drill\"; target = \"site\"; clients = \"192.0.2.1/24\"", "overrides[0].clients",
	  "is no prefix, expected such as 198.51.100.0/24" },
};

static bool is_told(const struct shape *s, const struct model_errors *errors)
{
	for (size_t i = 0; i < errors->n_items; i++)
		if (!strcmp(errors->items[i].field, s->field) &&
		    !strcmp(errors->items[i].message, s->message))
			return true;
	return false;
}

static void expect_shape(const struct shape *s, int err, const struct model_errors *errors)
{
	/* tunnels that are not known have nothing to reach backends by: that is told, too */
	size_t n_most = strstr(s->field, "tunnel_source") ? 3 : 1;
	bool right = err == -EINVAL && errors->n_total <= n_most && is_told(s, errors);

	if (!right)
		print_message("  %s -> %s\n", s->from, s->to);
	for (size_t i = 0; i < errors->n_items && !right; i++)
		print_message("  %s: %s\n", errors->items[i].field, errors->items[i].message);
	assert_true(right);
}

static void another_shape_is_one_mistake_with_what_was_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(configurations); i++) {
		struct model_errors errors;
		struct model *m = NULL;
		char *text =
		        fixture_edit(fixture_config, configurations[i].from, configurations[i].to);
		int err = model_read_text(text, strlen(text), "weir.conf", fixture_path("."), NULL,
		                          &m, &errors);

		expect_shape(&configurations[i], err, &errors);
		model_errors_free(&errors);
		free(text);
	}
}

static void an_effective_document_is_read_as_strictly(void **state)
{
	char *key = fixture_edit(fixture_config, "hash.key", fixture_path("hash.key"));
	char *config = fixture_edit(key, "shop.example.zone", "/zone");
	char *whole = malloc(strlen(config) + sizeof(EFFECTIVE));

	(void)state;
	sprintf(whole, "%s%s", EFFECTIVE, config);
	for (size_t i = 0; i <= COUNT(effectives); i++) {
		struct model_errors errors;
		struct model *m = NULL;
		char *text = i < COUNT(effectives)
		                     ? fixture_edit(whole, effectives[i].from, effectives[i].to)
		                     : strdup(whole);

		fixture_write_text("effective.conf", text);
		int err = model_read_effective(fixture_path("effective.conf"), NULL, &m, &errors);
		if (i < COUNT(effectives))
			expect_shape(&effectives[i], err, &errors);
		else
			assert_int_equal(err, 0); /* without an edit all is well */
		model_errors_free(&errors);
		model_free(m);
		free(text);
	}
	free(whole);
	free(config);
	free(key);
}

SUITE(shapes)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_shape_is_one_mistake_with_what_was_found),
		cmocka_unit_test(an_effective_document_is_read_as_strictly),
	};

	return cmocka_run_group_tests_name("shapes", tests, fixture_setup, fixture_teardown);
}
