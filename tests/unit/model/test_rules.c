/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold between settings: each rule just kept, and just broken. */
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

#define AMS     "{ name = \"ams-1\"; "
#define FRA     "{ name = \"fra-1\"; "
#define CHECK   "via = \"tunnel\";"
#define LIMITS  "schema = 1;"
#define BACKEND "{ name = \"b1\"; address = \"10.2.1.11\"; }"
#define VIP     "[ \"198.51.100.10\" ]"
#define FRA_VIP "\"shop-fra\"; site = \"fra\";"
#define SERVICE "services = ("
#define AT_FRA  "at = ( { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; } ); },"
#define AT_AMS  "at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } ); },"

struct rule {
	const char *why;
	struct {
		const char *from, *to;
	} edits[3];
	const char *field, *message; /* NULL: it is kept */
};

static const struct rule rules[] = {
	{ "a death is seen in time",
	  { { CHECK, "interval = \"290s\"; timeout = \"10s\"; fall = 1;" } },
	  NULL,
	  NULL },
	{ "a death is seen too late",
	  { { CHECK, "interval = \"290s\"; timeout = \"10001ms\"; fall = 1;" } },
	  "checks[0].fall",
	  "a dead target is detected after up to 300s, expected at most 300s" },
	{ "each failed result takes its time",
	  { { CHECK, "interval = \"2s\"; fast_interval = \"2s\"; timeout = \"3s\"; fall = 99;" } },
	  NULL,
	  NULL }, /* 3 + 98 * 3 + 3 */
	{ "and one more",
	  { { CHECK, "interval = \"2s\"; fast_interval = \"2s\"; timeout = \"3s\"; fall = 100;" } },
	  "checks[0].fall",
	  "a dead target is detected after up to 303s" },
	{ "without damping its times do not matter",
	  { { CHECK, "damp_turns = 0; damp_half_life = \"2m\"; damp_max = \"1m\";" } },
	  NULL,
	  NULL },
	{ "a TCP check has no path that could be wrong",
	  { { "type = \"http\"; path = \"/healthz\"", "type = \"tcp\"; path = \"x y\"" } },
	  NULL,
	  NULL },
	{ "IPv6 in GUE over IPv6", { { AMS, AMS "mtu = 1332; " } }, NULL, NULL },
	{ "IPv6 in GUE over IPv4",
	  { { AMS, AMS "mtu = 1312; " }, { "fd00:1:1::12", "10.1.1.12" } },
	  NULL,
	  NULL },
	{ "IPv6 in GUE over IPv4, a byte too little",
	  { { AMS, AMS "mtu = 1311; " }, { "fd00:1:1::12", "10.1.1.12" } },
	  "nodes[0].mtu",
	  "1311 is too small for pool \"web-ams\": a packet of 1280 bytes to VIP \"shop-ams\" needs 1312" },
	{ "IPv6 in IP over IPv6",
	  { { AMS, AMS "mtu = 1320; " }, { "mode = \"gue\";", "" } },
	  NULL,
	  NULL },
	{ "IPv6 in IP over IPv6, a byte too little",
	  { { AMS, AMS "mtu = 1319; " }, { "mode = \"gue\";", "" } },
	  "nodes[0].mtu",
	  "needs 1320 with its tunnel" },
	{ "IPv6 to a MAC address",
	  { { AMS, AMS "mtu = 1280; " }, { "mode = \"gue\";", "mode = \"l2\";" }, { CHECK, "" } },
	  NULL,
	  NULL },
	{ "and three owners of IPv4",
	  { { AMS, AMS "mtu = 1328; " },
	    { "mode = \"gue\";", "mode = \"gue\"; agent = true;" },
	    { "fd00:1:1::12", "10.1.1.12" } },
	  NULL,
	  NULL },
	{ "and three owners of IPv4, a byte too little",
	  { { AMS, AMS "mtu = 1327; " },
	    { "mode = \"gue\";", "mode = \"gue\"; agent = true;" },
	    { "fd00:1:1::12", "10.1.1.12" } },
	  "nodes[0].mtu",
	  "needs 1328 with its tunnel" },
	{ "and three owners of IPv6",
	  { { AMS, AMS "mtu = 1384; " },
	    { "mode = \"gue\";", "mode = \"gue\"; agent = true;" },
	    { "10.1.1.11", "fd00:1:1::11" } },
	  NULL,
	  NULL },
	{ "and three owners of IPv6, a byte too little",
	  { { AMS, AMS "mtu = 1383; " },
	    { "mode = \"gue\";", "mode = \"gue\"; agent = true;" },
	    { "10.1.1.11", "fd00:1:1::11" } },
	  "nodes[0].mtu",
	  "needs 1384 with its tunnel" },
	{ "IPv4 alone fits everywhere", { { FRA, FRA "mtu = 1280; " } }, NULL, NULL },
	{ "another site's node is not asked",
	  { { FRA, FRA "mtu = 1280; " }, { AMS, AMS "mtu = 1332; " } },
	  NULL,
	  NULL },
	{ "no tunnel source is needed without tunnels",
	  { { "[ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]", "[ \"10.1.255.0/24\" ]" },
	    { "mode = \"gue\";", "mode = \"l2\";" },
	    { CHECK, "" } },
	  NULL,
	  NULL },
	{ "no tunnel source is needed for a family without backends",
	  { { "[ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]", "[ \"10.1.255.0/24\" ]" },
	    { "fd00:1:1::12", "10.1.1.12" } },
	  NULL,
	  NULL },
	{ "one is for IPv4",
	  { { "[ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]", "[ \"fd00:1:ff::/64\" ]" } },
	  "pools[0].backends",
	  "node \"ams-1\" has no IPv4 tunnel_source to reach \"b1\"" },
	{ "agents of one family",
	  { { "mode = \"gue\";", "mode = \"gue\"; agent = true;" },
	    { "10.1.1.11", "fd00:1:1::11" } },
	  NULL,
	  NULL },
	{ "agents without GUE are told the mode",
	  { { "mode = \"gue\";", "mode = \"l2\"; agent = true;" },
	    { CHECK, "" },
	    { "10.1.1.11", "fd00:1:1::11" } },
	  "pools[0].agent",
	  "is true, but the mode is l2; expected gue" },
	{ "one backend of weight is enough",
	  { { BACKEND, BACKEND ", { name = \"b0\"; address = \"10.2.1.12\"; weight = 0; }" } },
	  NULL,
	  NULL },
	{ "two of no weight are not",
	  { { BACKEND, "{ name = \"b1\"; address = \"10.2.1.11\"; weight = 0; }, { name = \"b0\"; "
	               "address = \"10.2.1.12\"; weight = 0; }" } },
	  "pools[1].backends",
	  "all have weight 0" },
	{ "one address with two ports is two backends",
	  { { BACKEND, BACKEND ", { name = \"b0\"; address = \"10.2.1.11\"; port = 80; }" } },
	  NULL,
	  NULL },
	{ "an address twice in a VIP",
	  { { VIP, "[ \"198.51.100.10\", \"198.51.100.11\", \"198.51.100.10\" ]" } },
	  "vips[1].addresses",
	  "198.51.100.10 is also an address of VIP \"shop-fra\"" },
	{ "the first of two VIPs with an address is told",
	  { { VIP, "[ \"203.0.113.10\", \"203.0.113.11\" ]" } },
	  "vips[1].addresses",
	  "203.0.113.10 is also an address of VIP \"shop-ams\"" },
	{ "a VIP that is link-local",
	  { { VIP, "[ \"198.51.100.10\", \"169.254.0.1\" ]" } },
	  "vips[1].addresses",
	  "169.254.0.1 is link-local: no router passes packets to it on" },
	{ "a VIP that is link-local, of IPv6",
	  { { VIP, "[ \"198.51.100.10\", \"febf::1\" ]" } },
	  "vips[1].addresses",
	  "febf::1 is link-local: no router passes packets to it on" },
	{ "VIPs beside these", { { VIP, "[ \"169.253.255.255\", \"fec0::1\" ]" } }, NULL, NULL },
	{ "a VIP before a tunnel source", { { VIP, "[ \"10.1.254.255\" ]" } }, NULL, NULL },
	{ "a VIP at its start",
	  { { VIP, "[ \"10.1.255.0\" ]" } },
	  "vips[1].addresses",
	  "10.1.255.0 lies in tunnel_source of node \"ams-1\"" },
	{ "a VIP at its end",
	  { { VIP, "[ \"192.0.2.1\", \"10.1.255.255\" ]" } },
	  "vips[1].addresses",
	  "10.1.255.255 lies in tunnel_source of node \"ams-1\"" },
	{ "a VIP behind it", { { VIP, "[ \"10.2.0.0\" ]" } }, NULL, NULL },
	{ "a VIP in one of IPv6",
	  { { VIP, "[ \"198.51.100.10\", \"fd00:2:ff::ffff\" ]" } },
	  "vips[1].addresses",
	  "fd00:2:ff::ffff lies in tunnel_source of node \"fra-1\"" },
	{ "a VIP behind one of IPv6",
	  { { VIP, "[ \"198.51.100.10\", \"fd00:2:ff:1::\" ]" } },
	  NULL,
	  NULL },
	{ "a DNS address twice",
	  { { "[ \"192.0.2.53\" ]", "[ \"192.0.2.53\", \"192.0.2.54\", \"192.0.2.53\" ]" } },
	  "nodes[0].dns_listen",
	  "192.0.2.53 is given twice" },
	{ "a backend with the last of many VIP addresses",
	  { { VIP, "[ \"198.51.100.10\", \"198.51.100.11\", \"198.51.100.12\" ]" },
	    { BACKEND, "{ name = \"b1\"; address = \"198.51.100.12\"; }" } },
	  "pools[1].backends[0].address",
	  "198.51.100.12 is an address of VIP \"shop-fra\"" },
	{ "a backend with an IPv6 VIP address",
	  { { "fd00:1:1::12", "2001:db8:1::10" } },
	  "pools[0].backends[1].address",
	  "2001:db8:1::10 is an address of VIP \"shop-ams\"" },
	{ "a backend beside VIP addresses",
	  { { VIP, "[ \"198.51.100.10\", \"198.51.100.12\" ]" },
	    { BACKEND, "{ name = \"b1\"; address = \"198.51.100.11\"; }" } },
	  NULL,
	  NULL },
	{ "the other protocol on a port",
	  { { SERVICE, SERVICE "{ name = \"u\"; protocol = \"udp\"; port = 80; " AT_FRA } },
	  NULL,
	  NULL },
	{ "another port",
	  { { SERVICE, SERVICE "{ name = \"u\"; protocol = \"tcp\"; port = 81; " AT_FRA } },
	  NULL,
	  NULL },
	{ "the same port at the other site's VIP",
	  { { SERVICE, SERVICE "{ name = \"u\"; protocol = \"tcp\"; port = 80; " AT_AMS } },
	  "services[1].port",
	  "203.0.113.10 port 80 is also that of service \"u\"" },
	{ "the same port, and another one between",
	  { { SERVICE, SERVICE "{ name = \"u\"; protocol = \"tcp\"; port = 80; " AT_AMS
	                       " { name = \"v\"; protocol = \"tcp\"; port = 443; " AT_AMS } },
	  "services[2].port",
	  "203.0.113.10 port 80 is also that of service \"u\"" },
	{ "the same port, and the other protocol between",
	  { { SERVICE, SERVICE "{ name = \"u\"; protocol = \"tcp\"; port = 80; " AT_AMS
	                       " { name = \"v\"; protocol = \"udp\"; port = 80; " AT_AMS } },
	  "services[2].port",
	  "203.0.113.10 port 80 is also that of service \"u\"" },
	{ "three ports",
	  { { SERVICE, SERVICE "{ name = \"u\"; protocol = \"tcp\"; port = 81; " AT_AMS
	                       " { name = \"v\"; protocol = \"tcp\"; port = 79; " AT_AMS } },
	  NULL,
	  NULL },
	{ "a backend's own port",
	  { { BACKEND, "{ name = \"b1\"; address = \"10.2.1.11\"; port = 80; }" } },
	  NULL,
	  NULL },
	{ "a backend's port and a second service",
	  { { BACKEND, "{ name = \"b1\"; address = \"10.2.1.11\"; port = 80; }" },
	    { SERVICE, SERVICE "{ name = \"u\"; protocol = \"tcp\"; port = 81; " AT_FRA } },
	  "pools[1].backends[0].port",
	  "is 80, but service \"u\" has port 81 and mode ipip cannot translate ports; leave the port out" },
	{ "a name that is its zone", { { "www.shop.example", "shop.example" } }, NULL, NULL },
	{ "a name deep in its zone", { { "www.shop.example", "a.b.shop.example" } }, NULL, NULL },
	{ "a name above its zone",
	  { { "www.shop.example", "example" } },
	  "dns.names[0].name",
	  "\"example\" lies in none of dns.zones" },
	{ "a name of another zone that is as long",
	  { { "www.shop.example", "www.shop.exbmple" } },
	  "dns.names[0].name",
	  "\"www.shop.exbmple\" lies in none of dns.zones" },
	{ "one TTL", { { "\"1m\"", "\"5s\"" } }, NULL, NULL },
	{ "slots as many as are needed",
	  { { LIMITS, "schema = 1; limits = { slots = 16384; };" } },
	  NULL,
	  NULL },
	{ "slots one less",
	  { { LIMITS, "schema = 1; limits = { slots = 16383; };" } },
	  "limits.slots",
	  "is 16383, but site \"ams\" has 16384 slots" },
	{ "slots of two pools of a site",
	  { { LIMITS, "schema = 1; limits = { slots = 32767; };" },
	    { "pools = (",
	      "pools = ( { name = \"x\"; site = \"fra\"; backends = ( { name = \"b\"; address = "
	      "\"10.2.9.9\"; } ); }," } },
	  "limits.slots",
	  "is 32767, but site \"fra\" has 32768 slots" },
	{ "a device twice, with other arguments",
	  { { "{ interface = \"eth1\"; }",
	      "{ interface = \"a\"; device = \"net_null1\"; }, { interface = \"b\"; device = \"net_null0\"; }, "
	      "{ interface = \"c\"; device = \"net_null1,copy=0\"; }" } },
	  "nodes[0].ports",
	  "device \"net_null1,copy=0\" is given twice" },
	{ "two ports without devices",
	  { { "{ interface = \"eth1\"; }", "{ interface = \"a\"; }, { interface = \"b\"; }" } },
	  NULL,
	  NULL },
	{ "a VIP of two sites with the service at both, and no check",
	  { { FRA_VIP, "\"shop-fra\"; sites = [ \"ams\", \"fra\" ];" },
	    { "vip = \"shop-ams\"", "vip = \"shop-fra\"" },
	    { "vip_check = \"web\";", "" } },
	  NULL,
	  NULL },
	{ "a VIP of two sites, and a word that says no check",
	  { { FRA_VIP, "\"shop-fra\"; sites = [ \"ams\", \"fra\" ];" },
	    { "vip = \"shop-ams\"", "vip = \"shop-fra\"" },
	    { "vip_check = \"web\";", "vip_check = \"none\";" } },
	  NULL,
	  NULL },
	{ "a list of one site is that site",
	  { { FRA_VIP, "\"shop-fra\"; sites = [ \"fra\" ];" } },
	  NULL,
	  NULL },
	{ "a VIP of two sites with the service at both, and a check",
	  { { FRA_VIP, "\"shop-fra\"; sites = [ \"ams\", \"fra\" ];" },
	    { "vip = \"shop-ams\"", "vip = \"shop-fra\"" } },
	  "services[0].vip_check",
	  "VIP \"shop-fra\" lives at several sites, and a probe reaches any of them; leave vip_check out" },
	{ "a VIP of two sites with another VIP's service at the second",
	  { { FRA_VIP, "\"shop-fra\"; sites = [ \"ams\", \"fra\" ];" },
	    { "vip_check = \"web\";", "" } },
	  "services[0].at",
	  "has no entry for VIP \"shop-fra\" at site \"ams\"" },
	{ "a third site, where a VIP of two does not live",
	  { { "sites = (", "sites = ( { name = \"par\"; }," },
	    { FRA_VIP, "\"shop-fra\"; sites = [ \"ams\", \"fra\" ];" },
	    { "at = (", "at = ( { site = \"par\"; vip = \"shop-fra\"; pool = \"web-fra\"; }," } },
	  "services[0].at[0].vip",
	  "VIP \"shop-fra\" is at site \"ams\" and others, expected one at \"par\"" },
	{ "another site of the service twice",
	  { { "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; }",
	      "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; }, { site = \"fra\"; vip = "
	      "\"shop-fra\"; pool = \"web-fra\"; }" } },
	  "services[0].at[2].site",
	  "site \"fra\" is given twice" },
};

static struct model_errors errors;

/* Read the small configuration with @p r's edits. */
static int read_edited(const struct rule *r, struct model **m)
{
	char *text = strdup(fixture_config);

	for (size_t i = 0; i < 3 && r->edits[i].from; i++) {
		char *next = fixture_edit(text, r->edits[i].from, r->edits[i].to);

		free(text);
		text = next;
	}
	int err = model_read_text(text, strlen(text), "weir.conf", fixture_path("."), NULL, m,
	                          &errors);

	free(text);
	return err;
}

static bool is_told(const struct rule *r)
{
	for (size_t i = 0; i < errors.n_items; i++)
		if (!strcmp(errors.items[i].field, r->field) &&
		    strstr(errors.items[i].message, r->message))
			return true;
	return false;
}

static void expect_rule(const struct rule *r)
{
	struct model *m = NULL;
	int err = read_edited(r, &m);
	bool right = r->field ? err == -EINVAL && is_told(r) : err == 0;

	print_message("  %s\n", r->why);
	for (size_t k = 0; k < errors.n_items && !right; k++)
		print_message("    %s: %s\n", errors.items[k].field, errors.items[k].message);
	assert_true(right);
	model_errors_free(&errors);
	model_free(m);
}

static void each_rule_is_kept_or_broken_by_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rules); i++)
		expect_rule(&rules[i]);
}

/* Two services on a VIP of sixteen addresses, and seventeen backends. */
static void tables_have_room_for_just_what_is_needed(void **state)
{
	static const char service[] =
	        SERVICE "{ name = \"u\"; protocol = \"udp\"; port = 80; " AT_FRA;
	static const struct {
		const char *limits, *field, *message;
	} cases[] = {
		{ "services = 32;", NULL, NULL },
		{ "services = 31;", "limits.services",
		  "is 31, but site \"fra\" has 32 service addresses" },
		{ "backends = 17;", NULL, NULL },
		{ "backends = 16;", "limits.backends", "is 16, but site \"fra\" has 17 backends" },
	};
	char addresses[400] = "[ \"10.9.0.0\"", backends[2000] = BACKEND;

	(void)state;
	for (int i = 1; i < 17; i++) {
		size_t n = strlen(addresses), n_backends = strlen(backends);

		if (i < 16)
			snprintf(addresses + n, sizeof(addresses) - n, ", \"10.9.0.%d\"", i);
		snprintf(backends + n_backends, sizeof(backends) - n_backends,
		         ", { name = \"x%d\"; address = \"10.8.0.%d\"; }", i, i);
	}
	strcat(addresses, " ]");
	for (size_t i = 0; i < COUNT(cases); i++) {
		char limits[64];

		snprintf(limits, sizeof(limits), "schema = 1; limits = { %s };", cases[i].limits);
		const struct rule r = { cases[i].limits,
			                { { LIMITS, limits },
			                  { VIP, addresses },
			                  { i < 2 ? SERVICE : BACKEND,
			                    i < 2 ? service : backends } },
			                cases[i].field,
			                cases[i].message };
		expect_rule(&r);
	}
}

SUITE(rules)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_is_kept_or_broken_by_one),
		cmocka_unit_test(tables_have_room_for_just_what_is_needed),
	};

	return cmocka_run_group_tests_name("rules", tests, fixture_setup, fixture_teardown);
}
