/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Read a text as configuration; it must be refused. Mistakes are given. */
static struct model_errors read_refused(const char *text, size_t n)
{
	struct model *m = (struct model *)0x1;
	struct model_errors errors;

	fixture_write("weir.conf", text, n);
	assert_int_equal(model_read_config(fixture_path("weir.conf"), NULL, &m, &errors), -EINVAL);
	assert_ptr_equal(m, (struct model *)0x1); /* untouched on failure */
	assert_true(errors.n_total > 0);
	return errors;
}

static void show_errors(const struct model_errors *errors)
{
	for (size_t i = 0; i < errors->n_items; i++)
		print_message("    %s:%u: %s: %s\n", errors->items[i].file, errors->items[i].line,
		              errors->items[i].field, errors->items[i].message);
}

/* Exactly one mistake, on @line (0: any), at @field, with @message in its text. */
static void expect_one(const struct model_errors *errors, unsigned line, const char *field,
                       const char *message)
{
	if (errors->n_items != 1 || strcmp(errors->items[0].field, field) != 0 ||
	    !strstr(errors->items[0].message, message) || (line && errors->items[0].line != line))
		show_errors(errors);
	assert_int_equal(errors->n_total, 1);
	assert_string_equal(errors->items[0].field, field);
	assert_non_null(strstr(errors->items[0].message, message));
	if (line)
		assert_int_equal(errors->items[0].line, line);
}

static const struct {
	const char *why, *from, *to;
	unsigned line;
	const char *field, *message;
} edits[] = {
	{ "a gate that never is", "cluster = {",
	  "gates = ( { name = \"g\"; from = \"2026-12-20T00:00:00Z\"; until = \"2026-12-20T00:00:00Z\"; } ); cluster = {",
	  0, "gates[0].until", "is not after from" },
	{ "a gate about nothing that there is", "cluster = {",
	  "gates = ( { name = \"g\"; scope = \"pool:web\"; from = \"2026-12-20T00:00:00Z\"; until = \"never\"; } ); cluster = {",
	  0, "gates[0].scope", "KIND:NAME" },
	{ "a gate without an end", "cluster = {",
	  "gates = ( { name = \"g\"; from = \"2026-12-20T00:00:00Z\"; } ); cluster = {", 0,
	  "gates[0].until", "is missing" },
	{ "unknown field, with a near name", "weight = 50;", "wieght = 50;", 15,
	  "pools[0].backends[1].wieght", "did you mean \"weight\"?" },
	{ "unknown field, nothing near", "schema = 1;", "schema = 1; quux = 2;", 1, "quux",
	  "there is no such setting" },
	{ "field of effective documents only", "schema = 1;", "schema = 1; overrides = ();", 1,
	  "overrides", "there is no such setting" },
	{ "required field missing", "name = \"b2\"; ", "", 15, "pools[0].backends[1].name",
	  "is missing" },
	{ "required group missing", "schema = 1;\n", "\n", 1, "schema", "is missing" },
	{ "schema of the future", "schema = 1;", "schema = 2;", 1, "schema", "expected 1..1" },
	{ "a setting twice in a group", "weight = 50;", "weight = 50; weight = 51;", 15, "weight",
	  "is given twice" },
	{ "two sites of one name", "\"fra\"; weight = 100;", "\"ams\"; weight = 100;", 0,
	  "sites[1].name", "is given twice" },
	{ "wrong type: number for a text", "name = \"b2\"", "name = 7", 15,
	  "pools[0].backends[1].name", "found 7, expected a name" },
	{ "wrong type: text for a number", "weight = 50", "weight = \"50\"", 15,
	  "pools[0].backends[1].weight", "found \"50\", expected a whole number" },
	{ "wrong type: group for a list", "checks = ( {", "checks = {", 11, "",
	  "found ), expected ; or the name of a setting" },
	{ "a duration without a unit", "min = \"5s\"", "min = 5", 30, "dns.names[0].ttl.min",
	  "found 5, expected a duration" },
	{ "a duration with a wrong unit", "min = \"5s\"", "min = \"5 sec\"", 30,
	  "dns.names[0].ttl.min", "expected a duration" },
	{ "part of a second for a TTL", "min = \"5s\"", "min = \"5500ms\"", 30,
	  "dns.names[0].ttl.min", "whole seconds" },
	{ "beyond a limit", "weight = 50", "weight = 65536", 15, "pools[0].backends[1].weight",
	  "found 65536, expected 0..65535" },
	{ "negative", "weight = 50", "weight = -1", 15, "pools[0].backends[1].weight",
	  "found -1, expected a whole number" },
	{ "an enum's word misspelt", "\"gue\"", "\"geu\"", 13, "pools[0].mode",
	  "expected one of ipip|gue|l2 (did you mean \"gue\"?)" },
	{ "not an address", "10.1.1.11", "10.1.1.256", 14, "pools[0].backends[0].address",
	  "expected an IPv4 or IPv6 address" },
	{ "not a prefix", "10.1.255.0/24", "10.1.255.1/24", 8, "nodes[0].tunnel_source[0]",
	  "no host bits" },
	{ "capital letters in a name", "\"b2\"", "\"B2\"", 15, "pools[0].backends[1].name",
	  "expected a name of a-z" },
	{ "dangling site", "name = \"web-ams\"; site = \"ams\"",
	  "name = \"web-ams\"; site = \"asm\"", 13, "pools[0].site",
	  "there is no \"asm\" in sites (did you mean \"ams\"?)" },
	{ "dangling check", "vip_check = \"web\"", "vip_check = \"wob\"", 24,
	  "services[0].vip_check", "there is no \"wob\" in checks (did you mean \"web\"?)" },
	{ "a VIP of another site", "vip = \"shop-fra\"", "vip = \"shop-ams\"", 0,
	  "services[0].at[0].vip", "is at site \"ams\", expected one at \"fra\"" },
	{ "a VIP without a site", "\"shop-fra\"; site = \"fra\";", "\"shop-fra\";", 21,
	  "vips[1].site", "is missing, expected a name (or sites, a list of names)" },
	{ "a VIP with one site and with several", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; site = \"fra\"; sites = [ \"fra\" ];", 21, "vips[1].sites",
	  "is given as well as site, expected one of the two" },
	{ "a VIP of no site", "\"shop-fra\"; site = \"fra\";", "\"shop-fra\"; sites = [ ];", 21,
	  "vips[1].sites", "has 0 entries, expected 1..64" },
	{ "a VIP that is at a site twice", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; sites = [ \"fra\", \"fra\" ];", 21, "vips[1].sites[1]",
	  "\"fra\" is given twice" },
	{ "a VIP at a site that is not there", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; sites = [ \"fra\",\n \"asm\" ];", 22, "vips[1].sites[1]",
	  "there is no \"asm\" in sites (did you mean \"ams\"?)" },
	{ "a VIP at a site without a name", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; sites = [ \"fra\", \"\" ];", 21, "vips[1].sites[1]",
	  "found \"\", expected a name" },
	{ "a check of a VIP of several sites", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; sites = [ \"fra\", \"ams\" ];", 24, "services[0].vip_check",
	  "is given, but VIP \"shop-fra\" lives at several sites" },
	{ "a VIP's site that lacks the service", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; sites = [ \"fra\", \"ams\" ];", 25, "services[0].at",
	  "has no entry for VIP \"shop-fra\" at site \"ams\", where the VIP lives, too" },
	{ "a pool of another site", "pool = \"web-fra\"", "pool = \"web-ams\"", 25,
	  "services[0].at[0].pool", "is at site \"ams\", expected one at \"fra\"" },
	{ "a site twice in a service",
	  "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; }",
	  "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; },"
	  "{ site = \"ams\"; vip = \"third\"; pool = \"web-ams\"; }",
	  0, "services[0].at[2].site", "is given twice" },
	{ "a VIP address twice", "198.51.100.10", "203.0.113.10", 21, "vips[1].addresses",
	  "203.0.113.10 is also an address of VIP \"shop-ams\"" },
	{ "a VIP in a tunnel source", "198.51.100.10", "10.2.255.7", 21, "vips[1].addresses",
	  "lies in tunnel_source of node \"fra-1\"" },
	{ "a backend with a VIP's address", "10.2.1.11", "203.0.113.10", 17,
	  "pools[1].backends[0].address", "is an address of VIP \"shop-ams\"" },
	{ "overlapping tunnel sources", "10.2.255.0/24", "10.1.255.128/25", 9,
	  "nodes[1].tunnel_source", "10.1.255.128/25 overlaps 10.1.255.0/24 of node \"ams-1\"" },
	{ "overlapping tunnel sources of IPv6", "fd00:2:ff::/64", "fd00:1:ff::/80", 9,
	  "nodes[1].tunnel_source", "fd00:1:ff::/80 overlaps fd00:1:ff::/64 of node \"ams-1\"" },
	{ "two tunnel sources of one family", "\"fd00:2:ff::/64\"", "\"10.3.0.0/24\"", 9,
	  "nodes[1].tunnel_source", "one prefix for each address family" },
	{ "a family without tunnel source", ", \"fd00:1:ff::/64\"", "", 14, "pools[0].backends",
	  "node \"ams-1\" has no IPv6 tunnel_source to reach \"b2\"" },
	{ "a port that the mode cannot translate", "weight = 50", "port = 8080", 15,
	  "pools[0].backends[1].port",
	  "service \"web\" has port 80 and mode gue cannot translate" },
	{ "a tunnel's check of a pool without tunnels", "mode = \"gue\"", "mode = \"l2\"", 13,
	  "pools[0].mode", "is l2, which has no tunnel for check \"web\"" },
	{ "agents with backends of two families", "mode = \"gue\";",
	  "mode = \"gue\"; agent = true;", 13, "pools[0].agent",
	  "backends \"b1\" and \"b2\" have addresses of different families" },
	{ "agents without GUE", "check = \"web\";\n    backends",
	  "check = \"web\"; agent = true;\n    backends", 16, "pools[1].agent",
	  "the mode is ipip; expected gue" },
	{ "two backends of one identity", "fd00:1:1::12", "10.1.1.11", 15,
	  "pools[0].backends[1].address", "same address and port as backend \"b1\"" },
	{ "two services on one port of a VIP", "services = (",
	  "services = ( { name = \"other\"; protocol = \"tcp\"; port = 80; at = ( { site = \"fra\"; vip "
	  "= \"shop-fra\"; pool = \"web-fra\"; } ); },",
	  0, "services[1].port", "198.51.100.10 port 80 is also that of service \"other\"" },
	{ "a pool without backends", "backends = ( { name = \"b1\"; address = \"10.2.1.11\"; } )",
	  "backends = ( )", 17, "pools[1].backends",
	  "has 0 entries, expected one at least, or registration" },
	{ "a pool where all have weight 0", "address = \"10.2.1.11\";",
	  "address = \"10.2.1.11\"; weight = 0;", 17, "pools[1].backends", "all have weight 0" },
	{ "more backends than the pool may have", "mode = \"gue\";",
	  "mode = \"gue\"; max_backends = 1;", 13, "pools[0].max_backends",
	  "is 1, but the pool has 2 backends" },
	{ "fast interval slower than the interval", "via = \"tunnel\";",
	  "interval = \"1s\"; fast_interval = \"2s\";", 11, "checks[0].fast_interval",
	  "longer than the interval" },
	{ "a hold shorter than a half-life", "via = \"tunnel\";",
	  "damp_half_life = \"2m\"; damp_max = \"1m\";", 11, "checks[0].damp_max",
	  "shorter than damp_half_life" },
	{ "timeout too long for the interval", "via = \"tunnel\";",
	  "interval = \"1s\"; timeout = \"3s\";", 11, "checks[0].timeout",
	  "more than twice the interval" },
	{ "a path with a space", "path = \"/healthz\"", "path = \"/a b\"", 11, "checks[0].path",
	  "no request target can hold" },
	{ "a path that is none", "path = \"/healthz\"", "path = \"healthz\"", 11, "checks[0].path",
	  "begins with '/'" },
	{ "a host with a space", "via = \"tunnel\";", "host = \"a b\";", 11, "checks[0].host",
	  "no host name can hold" },
	{ "a port of an external check", "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; port = 0;", 11, "checks[0].port",
	  "a check of type external sends no probes: expected rise, fall and damp_* alone" },
	{ "a path of an external check", "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; path = \"/healthz\";", 11, "checks[0].path", "sends no probes" },
	{ "a host of an external check", "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; host = \"a\";", 11, "checks[0].host", "sends no probes" },
	{ "a status of an external check",
	  "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; expect = 204;", 11, "checks[0].expect", "sends no probes" },
	{ "an external check through the tunnel", "type = \"http\"; path = \"/healthz\";",
	  "type = \"external\";", 11, "checks[0].via", "sends no probes" },
	{ "an interval of an external check",
	  "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; interval = \"2s\";", 11, "checks[0].interval", "sends no probes" },
	{ "a fast interval of an external check",
	  "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; fast_interval = \"50ms\";", 11, "checks[0].fast_interval",
	  "sends no probes" },
	{ "a timeout of an external check",
	  "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\"; timeout = \"1s\";", 11, "checks[0].timeout", "sends no probes" },
	{ "an external check of VIPs", "type = \"http\"; path = \"/healthz\"; via = \"tunnel\";",
	  "type = \"external\";", 0, "services[0].vip_check",
	  "check \"web\" is of type external, which is for pools alone" },
	{ "a death seen too late", "via = \"tunnel\";", "interval = \"10m\"; fall = 1;", 11,
	  "checks[0].fall", "a dead target is detected after up to 600s" },
	{ "least TTL over the most", "max = \"1m\"", "max = \"1s\"", 30, "dns.names[0].ttl",
	  "min of 5s is longer than max of 1s" },
	{ "a name outside of all zones", "www.shop.example", "www.shop.test", 30,
	  "dns.names[0].name", "lies in none of dns.zones" },
	{ "a name that only ends like a zone", "www.shop.example", "workshop.example", 30,
	  "dns.names[0].name", "lies in none of dns.zones" },
	{ "not a domain name", "www.shop.example", "www..shop.example", 30, "dns.names[0].name",
	  "expected a domain name" },
	{ "a zone file that is not there", "file = \"shop.example.zone\"", "file = \"none.zone\"",
	  29, "dns.zones[0].file", "does not exist" },
	{ "a zone file outside", "file = \"shop.example.zone\"", "file = \"/etc/passwd\"", 29,
	  "dns.zones[0].file", "below the configuration's directory, by its name from there" },
	{ "a zone file whose name no version can keep", "file = \"shop.example.zone\"",
	  "file = \"./shop.example.zone\"", 29, "dns.zones[0].file",
	  "found \"./shop.example.zone\", expected a file below" },
	{ "a zone file above", "file = \"shop.example.zone\"", "file = \"../x\"", 29,
	  "dns.zones[0].file", "below the configuration's directory" },
	{ "a key that is not there", "\"hash.key\"", "\"no.key\"", 2, "cluster.hash_key_file",
	  "openssl rand -hex 16" },
	{ "a key that is no key", "\"hash.key\"", "\"shop.example.zone\"", 2,
	  "cluster.hash_key_file", "does not hold 32 hexadecimal digits" },
	{ "an MTU that cannot carry the tunnel", "site = \"ams\"; ports",
	  "mtu = 1331; site = \"ams\"; ports", 8, "nodes[0].mtu",
	  "a packet of 1280 bytes to VIP \"shop-ams\" needs 1332" },
	{ "an interface twice", "{ interface = \"eth1\"; }",
	  "{ interface = \"eth1\"; }, { interface = \"eth1\"; }", 8, "nodes[0].ports",
	  "interface \"eth1\" is given twice" },
	{ "a device that is none", "{ interface = \"eth1\"; }",
	  "{ interface = \"eth1\"; device = \"eth2\"; }", 8, "nodes[0].ports[0].device",
	  "expected a PCI address such as \"0000:01:00.0\" (weir nic lists them)" },
	{ "a PCI address without its domain", "{ interface = \"eth1\"; }",
	  "{ interface = \"eth1\"; device = \"01:00.0\"; }", 8, "nodes[0].ports[0].device",
	  "expected it with its domain: \"0000:01:00.0\"" },
	{ "a virtual device that does not exist", "{ interface = \"eth1\"; }",
	  "{ interface = \"eth1\"; device = \"net_mmif0,role=client\"; }", 8,
	  "nodes[0].ports[0].device", "(did you mean \"net_memif\"?)" },
	{ "a virtual device without its number", "{ interface = \"eth1\"; }",
	  "{ interface = \"eth1\"; device = \"net_tap,iface=t\"; }", 8, "nodes[0].ports[0].device",
	  "expected a number after the driver: \"net_tap0,iface=t\"" },
	{ "a TAP of the device's own name", "{ interface = \"eth1\"; }",
	  "{ interface = \"eth1\"; device = \"net_af_xdp0,start_queue=0,iface=eth1\"; }", 8,
	  "nodes[0].ports[0].device", "give the port another interface name" },
	{ "a device twice", "{ interface = \"eth1\"; }",
	  "{ interface = \"a\"; device = \"net_null0\"; }, { interface = \"b\"; device = "
	  "\"net_null0,copy=0\"; }",
	  8, "nodes[0].ports", "device \"net_null0,copy=0\" is given twice" },
	{ "CPUs out of order", "site = \"ams\"; ports",
	  "dpdk = { cores = \"3,2\"; }; site = \"ams\"; ports", 8, "nodes[0].dpdk.cores",
	  "expected CPUs in rising order such as \"2-5,8\"" },
	{ "CPUs that end in a comma", "site = \"ams\"; ports",
	  "dpdk = { cores = \"3,\"; }; site = \"ams\"; ports", 8, "nodes[0].dpdk.cores",
	  "expected CPUs in rising order" },
	{ "more CPUs than workers can be", "site = \"ams\"; ports",
	  "dpdk = { cores = \"0-32\"; }; site = \"ams\"; ports", 8, "nodes[0].dpdk.cores",
	  "at most 32" },
	{ "announcements that are no group", "site = \"ams\"; ports",
	  "announce = \"bird\"; site = \"ams\"; ports", 8, "nodes[0].announce",
	  "found \"bird\", expected a group { ... }" },
	{ "a word that says not when to announce", "\"shop-fra\"; site = \"fra\";",
	  "\"shop-fra\"; site = \"fra\"; announce_when = \"some\";", 21, "vips[1].announce_when",
	  "found \"some\", expected one of any|all" },
	{ "more slots than the limit", "schema = 1;", "schema = 1; limits = { slots = 4096; };", 0,
	  "limits.slots", "is 4096, but site \"ams\" has 16384 slots" },
	{ "more service addresses than the limit", "schema = 1;",
	  "schema = 1; limits = { services = 15; };", 1, "limits.services", "expected 16..65536" },
};

static void each_mistake_in_meaning_is_told_where_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(edits); i++) {
		char *text = fixture_edit(fixture_config, edits[i].from, edits[i].to);

		print_message("  %s\n", edits[i].why);
		struct model_errors errors = read_refused(text, strlen(text));
		bool seen = false;
		for (size_t j = 0; j < errors.n_items; j++)
			seen |= strcmp(errors.items[j].field, edits[i].field) == 0 &&
			        strstr(errors.items[j].message, edits[i].message) != NULL &&
			        (!edits[i].line || errors.items[j].line == edits[i].line);
		if (!seen)
			show_errors(&errors);
		assert_true(seen);
		assert_in_range(errors.n_total, 1, 6); /* what follows from it, no more */
		model_errors_free(&errors);
		free(text);
	}
}

/* What is just within a limit is none. */
static void a_limit_that_is_reached_exactly_is_kept(void **state)
{
	static const struct {
		const char *from, *to;
	} good[] = {
		{ "via = \"tunnel\";",
		  "via = \"tunnel\"; interval = \"1s\"; fast_interval = \"1s\";" },
		{ "via = \"tunnel\";", "via = \"tunnel\"; interval = \"1s\"; timeout = \"2s\";" },
		{ "via = \"tunnel\";",
		  "via = \"tunnel\"; damp_half_life = \"2m\"; damp_max = \"2m\";" },
		{ "10.2.255.0/24", "10.1.254.0/24" }, /* beside another node's */
		{ "mode = \"gue\";", "mode = \"gue\"; max_backends = 2;" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		char *text = fixture_edit(fixture_config, good[i].from, good[i].to);
		struct model_errors errors;
		struct model *m = NULL;

		fixture_write("weir.conf", text, strlen(text));
		int err = model_read_config(fixture_path("weir.conf"), NULL, &m, &errors);

		if (err)
			show_errors(&errors);
		assert_int_equal(err, 0);
		model_free(m);
		model_errors_free(&errors);
		free(text);
	}
}

static void all_mistakes_are_told_at_once(void **state)
{
	(void)state;
	char *one = fixture_edit(fixture_config, "weight = 50", "wieght = 50");
	char *two = fixture_edit(one, "site = \"ams\"; check", "site = \"asm\"; check");
	char *three = fixture_edit(two, "min = \"5s\"", "min = 5");
	char *four = fixture_edit(three, "198.51.100.10", "203.0.113.10");
	struct model_errors errors = read_refused(four, strlen(four));

	show_errors(&errors);
	assert_int_equal(errors.n_total, 4);
	for (size_t i = 1; i < errors.n_items; i++)
		assert_true(errors.items[i].line >= errors.items[i - 1].line);
	model_errors_free(&errors);
	free(one);
	free(two);
	free(three);
	free(four);
}

static const struct {
	const char *why, *text;
	unsigned line;
	const char *message;
} traps[] = {
	{ "a number beyond 32 bits", "schema = 1;\nx = 40000000000;", 2,
	  "found 40000000000, which does not fit 32 bits" },
	{ "one more than 32 bits hold", "schema = 2147483648;", 1, "does not fit 32 bits" },
	{ "a number of 20 digits", "schema = 99999999999999999999;", 1, "does not fit 32 bits" },
	{ "a number with L", "schema = 1L;", 1, "found 1L, expected a whole decimal number" },
	{ "a hexadecimal number", "schema = 0x1;", 1,
	  "found 0x1, expected a whole decimal number" },
	{ "a float", "schema = 1e400;", 1, "found 1e400" },
	{ "a float with a point", "schema = 1.0;", 1, "found 1.0" },
	{ "a sign alone", "schema = -;", 1, "found -, expected a whole decimal number" },
	{ "an include in the middle of a line", "schema = 1; @include \"a\"", 1,
	  "found '@', expected only: @include \"FILE\" on a line of its own" },
	{ "an include without quotes", "@include a", 1, "expected: @include \"FILE\"" },
	{ "an include with more on its line", "@include \"a\" schema = 1;", 1,
	  "expected nothing else on the line" },
	{ "an include that is not there", "\n@include \"none\"", 2, "does not exist" },
	{ "an include of an absolute path", "@include \"/etc/passwd\"", 1,
	  "a file below the configuration's directory" },
	{ "an include from above", "@include \"../x\"", 1, "a file below the configuration's" },
	{ "an include of a FIFO", "@include \"fifo\"", 1, "is not a regular file" },
	{ "an include of the directory itself", "@include \".\"", 1, "no part begins with '.'" },
	{ "an include by a link that leads out", "@include \"link\"", 1, "leads out" },
	{ "a file that includes itself", "@include \"self\"", 0, "nested more than 8 deep" },
	{ "an unfinished text", "schema = \"1;\nx = 2;", 1, "no end on this line" },
	{ "an unfinished comment", "schema = 1;\n/* \n\n", 2, "no end: expected */" },
	{ "an unknown escape", "schema = \"\\q\";", 1, "unknown escape" },
	{ "a NUL by escape", "schema = \"\\x00\";", 1, "unknown escape" },
	{ "a character without meaning", "schema = $;", 1, "found '$'" },
	{ "a byte that is no ASCII", "sch\xc3\xa9ma = 1;", 1, "found byte 0xc3" },
	{ "a name without =", "schema = 1;\nsites = (\n{ name \"x\"; }\n);", 3,
	  "syntax error: found \"x\", expected = after the name of a setting" },
	{ "a value that is missing", "schema = ;", 1, "found ;, expected a value" },
	{ "two separators", "schema = 1;;", 1, "found ;, expected the name of a setting" },
	{ "a comma before a bracket", "x = ( 1, );", 1, "found ), expected a value" },
	{ "no comma in a list", "x = ( 1 2 );", 1, "found 2, expected , or )" },
	{ "semicolon in a list", "x = ( 1; 2 );", 1, "found ;, expected , or )" },
	{ "a list in an array", "x = [ ( ) ];", 1, "found (, expected a number, text or boolean" },
	{ "an array of several kinds", "x = [ 1, \"a\" ];", 1, "values of one kind" },
	{ "a boolean for a name", "true = 1;", 1, "found true, expected the name of a setting" },
	{ "a missing bracket", "schema = 1;\ncluster = {", 2,
	  "the document ends, expected the name of a setting, or }" },
	{ "a bracket too many", "schema = 1; }", 1, "found }, expected the name of a setting" },
	{ "the wrong bracket", "schema = 1; x = ( }", 1, "found }, expected a value or )" },
	{ "nested too deep", "x = ((((((((((((((((( 1", 1, "nested no more than 16 deep" },
	{ "a name too long",
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1;", 1,
	  "longer than 63 bytes" },
};

static void what_libconfig_would_misread_is_refused(void **state)
{
	(void)state;
	mkfifo(fixture_path("fifo"), 0600);
	assert_int_equal(symlink("/etc/passwd", fixture_path("link")), 0);
	fixture_write_text("self", "\n@include \"self\"\n");
	for (size_t i = 0; i < COUNT(traps); i++) {
		bool seen = false;

		print_message("  %s\n", traps[i].why);
		struct model_errors errors = read_refused(traps[i].text, strlen(traps[i].text));
		for (size_t j = 0; j < errors.n_items; j++)
			seen |= strstr(errors.items[j].message, traps[i].message) != NULL &&
			        (!traps[i].line || errors.items[j].line == traps[i].line);
		if (!seen)
			show_errors(&errors);
		assert_true(seen);
		model_errors_free(&errors);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	(void)state;
	struct model_errors errors = read_refused("schema = 1;\n\0", 13);

	assert_string_equal(errors.items[0].message, "found byte 0x00 outside of a text");
	assert_int_equal(errors.items[0].line, 2);
	model_errors_free(&errors);
}

static void a_file_too_large_is_refused(void **state)
{
	(void)state;
	size_t n = (16u << 20) + 1;
	char *text = malloc(n);
	struct model *m = NULL;
	struct model_errors errors;

	assert_non_null(text);
	memset(text, ' ', n);
	fixture_write("weir.conf", text, n);
	assert_int_equal(model_read_config(fixture_path("weir.conf"), NULL, &m, &errors), -EFBIG);
	expect_one(&errors, 0, "", "is too large");
	model_errors_free(&errors);
	free(text);
}

static void a_path_that_is_no_file_is_refused_without_waiting(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int err;
	} cases[] = { { "fifo", -EPERM }, { ".", -EISDIR }, { "none", -ENOENT } };

	mkfifo(fixture_path("fifo"), 0600);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model *m = NULL;
		struct model_errors errors;

		print_message("  %s\n", cases[i].name);
		assert_int_equal(model_read_config(fixture_path(cases[i].name), NULL, &m, &errors),
		                 cases[i].err);
		assert_int_equal(errors.n_total, 1);
		model_errors_free(&errors);
	}
}

static void mistakes_in_an_include_name_its_file_and_line(void **state)
{
	(void)state;
	char *text =
	        fixture_edit(fixture_config, "checks = (", "@include \"more.conf\"\nchecks = (");

	fixture_write_text("more.conf", "# a comment\n\nfoo = 1;\n");
	char *both = fixture_edit(text, "weight = 50", "weight = -50");
	struct model_errors errors = read_refused(both, strlen(both));
	assert_int_equal(errors.n_total, 2);
	for (size_t i = 0; i < 2; i++) {
		bool inner = strcmp(errors.items[i].field, "foo") == 0;

		assert_int_equal(errors.items[i].line, inner ? 3 : 16);
		assert_string_equal(errors.items[i].file,
		                    inner ? "more.conf" : fixture_path("weir.conf"));
	}
	model_errors_free(&errors);
	free(text);
	free(both);
}

static void a_setting_that_stands_twice_is_one_mistake(void **state)
{
	(void)state;
	char *text = fixture_edit(fixture_config, "weight = 50;", "weight = 50;\nweight = 51;");
	struct model_errors errors = read_refused(text, strlen(text));

	expect_one(&errors, 16, "weight", "is given twice in this group; first on line 15");
	model_errors_free(&errors);
	free(text);
}

static void an_unknown_node_is_told_the_names(void **state)
{
	(void)state;
	struct model *m = NULL;
	struct model_errors errors;

	fixture_write_text("weir.conf", fixture_config);
	assert_int_equal(model_read_config(fixture_path("weir.conf"), "ams-2", &m, &errors),
	                 -EINVAL);
	expect_one(
	        &errors, 0, "nodes",
	        "there is no node \"ams-2\"; the nodes are: ams-1, fra-1 (did you mean \"ams-1\"?)");
	model_errors_free(&errors);
}

static void effective_documents_may_not_include(void **state)
{
	(void)state;
	struct model *m = NULL;
	struct model_errors errors;

	fixture_write_text("effective.conf", "@include \"hash.key\"\n");
	assert_int_equal(model_read_effective(fixture_path("effective.conf"), NULL, &m, &errors),
	                 -EINVAL);
	assert_non_null(strstr(errors.items[0].message, "only in the operator's own file"));
	model_errors_free(&errors);
}

static void more_than_a_thousand_mistakes_are_counted(void **state)
{
	(void)state;
	char *text = malloc(1 << 20);
	size_t n = 0;

	assert_non_null(text);
	n += (size_t)sprintf(text, "services = (");
	for (int i = 0; i < 2000; i++)
		n += (size_t)sprintf(text + n, "%s{ nmae = 1; }", i ? "," : "");
	n += (size_t)sprintf(text + n, ");");
	struct model_errors errors = read_refused(text, n);
	assert_int_equal(errors.n_items, 1000);
	assert_true(errors.n_total > 4000);
	char said[400], more[40];

	model_errors_summarise(&errors, said, sizeof(said));
	snprintf(more, sizeof(more), "(%zu more: see the log)", errors.n_total - 1);
	assert_non_null(strstr(said, more)); /* those that are not kept count, too */
	model_errors_free(&errors);
	free(text);
}

static void the_first_mistake_is_said_in_one_line(void **state)
{
	(void)state;
	static const char text[] = "schema = 1;\nchecks = ( { nmae = 1; } );\n";
	struct model_errors errors = read_refused(text, sizeof(text) - 1);
	char said[200], expected[200];

	model_errors_summarise(&errors, said, sizeof(said));
	snprintf(expected, sizeof(expected), "%s:%u: %s: %s (%zu more: see the log)",
	         errors.items[0].file, errors.items[0].line, errors.items[0].field,
	         errors.items[0].message, errors.n_total - 1);
	assert_string_equal(said, expected);
	model_errors_summarise(&errors, said, 10);
	assert_int_equal(strlen(said), 9);
	model_errors_free(&errors);
	const struct model_errors none = { 0 };
	model_errors_summarise(&none, said, sizeof(said));
	assert_string_equal(said, "");
}

/* What a rule would say about a value that is wrong by itself is not what the person wrote. */
static void no_rule_judges_a_value_that_is_wrong_by_itself(void **state)
{
	static const struct {
		const char *from, *to, *field;
	} wrong[] = {
		{ "via = \"tunnel\";", "interval = \"1\"; fast_interval = \"100ms\";",
		  "checks[0].interval" },
		{ "via = \"tunnel\";", "damp_max = 5;", "checks[0].damp_max" },
		{ "path = \"/healthz\"", "path = 7", "checks[0].path" },
		{ "mode = \"gue\";", "mode = \"gue\"; max_backends = \"9\";",
		  "pools[0].max_backends" },
		{ "site = \"fra\"; check", "site = \"fra\"; mode = \"geu\"; agent = true; check",
		  "pools[1].mode" },
		{ "check = \"web\";\n    backends = ( { name = \"b1\"; address = \"10.2.1.11\";",
		  "mode = \"gue\"; agent = true; backends = ( { name = \"b2\"; address = \"10.2.1.12\"; }, "
		  "{ name = \"b1\"; address = \"10.2.1.300\";",
		  "pools[1].backends[1].address" },
		{ "\"10.1.255.0/24\"", "\"10.1.255.1/24\"", "nodes[0].tunnel_source[0]" },
		{ "dns_listen = [ \"192.0.2.53\"",
		  "announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\" ]; }; dns_listen = [ \"192.0.2.\"",
		  "nodes[0].dns_listen[0]" },
		{ "max = \"1m\"", "max = 60", "dns.names[0].ttl.max" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		char *text = fixture_edit(fixture_config, wrong[i].from, wrong[i].to);
		struct model_errors errors = read_refused(text, strlen(text));

		expect_one(&errors, 0, wrong[i].field, "expected");
		model_errors_free(&errors);
		free(text);
	}
}

/* The copy of a node's entry in which not all was changed. */
static void two_nodes_do_not_listen_at_one_address(void **state)
{
	static const char api[] = "api = \"https://10.0.0.1:8443\";";
	char with[128];

	(void)state;
	snprintf(with, sizeof(with), "name = \"fra-1\"; %s", api);
	char *one = fixture_edit(fixture_config, "name = \"fra-1\";", with);
	snprintf(with, sizeof(with), "name = \"ams-1\"; %s", api);
	char *both = fixture_edit(one, "name = \"ams-1\";", with);
	struct model_errors errors = read_refused(both, strlen(both));

	expect_one(&errors, 9, "nodes[1].api", "is also the api of node \"ams-1\"");
	model_errors_free(&errors);
	free(one);
	free(both);
}

/* Two that are wrong are not the same address twice. */
static void wrong_addresses_are_not_compared(void **state)
{
	(void)state;
	char *text = fixture_edit(fixture_config, "\"198.51.100.10\"", "\"x\", \"y\"");
	struct model_errors errors = read_refused(text, strlen(text));

	assert_int_equal(errors.n_total, 2);
	assert_string_equal(errors.items[0].field, "vips[1].addresses[0]");
	assert_string_equal(errors.items[1].field, "vips[1].addresses[1]");
	model_errors_free(&errors);
	free(text);
}

SUITE(mistakes)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_in_meaning_is_told_where_it_is),
		cmocka_unit_test(a_limit_that_is_reached_exactly_is_kept),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(what_libconfig_would_misread_is_refused),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_file_too_large_is_refused),
		cmocka_unit_test(a_path_that_is_no_file_is_refused_without_waiting),
		cmocka_unit_test(mistakes_in_an_include_name_its_file_and_line),
		cmocka_unit_test(a_setting_that_stands_twice_is_one_mistake),
		cmocka_unit_test(an_unknown_node_is_told_the_names),
		cmocka_unit_test(effective_documents_may_not_include),
		cmocka_unit_test(the_first_mistake_is_said_in_one_line),
		cmocka_unit_test(more_than_a_thousand_mistakes_are_counted),
		cmocka_unit_test(two_nodes_do_not_listen_at_one_address),
		cmocka_unit_test(no_rule_judges_a_value_that_is_wrong_by_itself),
		cmocka_unit_test(wrong_addresses_are_not_compared),
	};

	return cmocka_run_group_tests_name("mistakes", tests, fixture_setup, fixture_teardown);
}
