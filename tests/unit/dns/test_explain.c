/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that `weir dns explain` says, word by word: a zone with each kind of answer, sites in each
 * state, views, drains and troubles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dns/explain_scene.h"
#include "tests/unit/suite.h"

static const struct {
	const char *name, *type, *said;
} questions[] = {
	{ "www.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: www.shop.test exists\n"
	  "dynamic: www.shop.test is placed by service web, policy weighted\n"
	  "key: 192.0.2.0/24, from the resolver's address\n"
	  "site: ams: 2 addresses, weight 100, up\n"
	  "site: fra: 1 address, weight 50, up\n"
	  "class: serving: up or unknown, and not drained\n"
	  "candidates: ams, fra\n"
	  "chosen: ams\n"
	  "ttl: 60 s: no change is expected: the maximum (limits 5 to 60 s)\n"
	  "NOERROR aa\n"
	  "answer www.shop.test. 60 IN A 203.0.113.10\n"
	  "answer www.shop.test. 60 IN A 203.0.113.11\n" },
	{ "first.shop.test", "AAAA",
	  "zone: shop.test, serial 7\n"
	  "node: first.shop.test exists\n"
	  "dynamic: first.shop.test is placed by service mail, policy failover, fails "
	  "closed\n"
	  "key: 192.0.2.0/24, from the resolver's address\n"
	  "site: ams: 1 address, weight 100, up\n"
	  "site: fra: 1 address, weight 50, up\n"
	  "class: serving: up or unknown, and not drained\n"
	  "candidates: ams, fra\n"
	  "chosen: ams\n"
	  "ttl: 30 s: no change is expected: the maximum (limits 6 to 30 s)\n"
	  "NOERROR aa\n"
	  "answer first.shop.test. 30 IN AAAA 2001:db8:1::10\n" },
	{ "x.w.shop.test", "TXT",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is w.shop.test\n"
	  "wildcard: *.w.shop.test answers for it\n"
	  "data: *.w.shop.test has records of this type\n"
	  "NOERROR aa\n"
	  "answer x.w.shop.test. 60 IN TXT \"x\"\n" },
	{ "alias.shop.test", "a",
	  "zone: shop.test, serial 7\n"
	  "node: alias.shop.test exists\n"
	  "alias: alias.shop.test is an alias (CNAME): its target is next\n"
	  "zone: shop.test, serial 7\n"
	  "node: www.shop.test exists\n"
	  "dynamic: www.shop.test is placed by service web, policy weighted\n"
	  "key: 192.0.2.0/24, from the resolver's address\n"
	  "site: ams: 2 addresses, weight 100, up\n"
	  "site: fra: 1 address, weight 50, up\n"
	  "class: serving: up or unknown, and not drained\n"
	  "candidates: ams, fra\n"
	  "chosen: ams\n"
	  "ttl: 60 s: no change is expected: the maximum (limits 5 to 60 s)\n"
	  "NOERROR aa\n"
	  "answer alias.shop.test. 60 IN CNAME www.shop.test.\n"
	  "answer www.shop.test. 60 IN A 203.0.113.10\n"
	  "answer www.shop.test. 60 IN A 203.0.113.11\n" },
	{ "out.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: out.shop.test exists\n"
	  "alias: out.shop.test is an alias (CNAME): its target is next\n"
	  "leaves: the alias leads out of the zone, in a circle, or too far\n"
	  "NOERROR aa\n"
	  "answer out.shop.test. 60 IN CNAME a.other.\n" },
	{ "d.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: d.shop.test exists\n"
	  "referral: d.shop.test is delegated: its servers, with glue\n"
	  "NOERROR\n"
	  "authority d.shop.test. 60 IN NS ns.d.shop.test.\n"
	  "additional ns.d.shop.test. 60 IN A 192.0.2.6\n" },
	{ "sub.shop.test", "DS",
	  "zone: sub.shop.test, serial 8\n"
	  "node: sub.shop.test exists\n"
	  "parent: DS of sub.shop.test is looked up in the parent zone\n"
	  "data: sub.shop.test has records of this type\n"
	  "NOERROR aa\n"
	  "answer sub.shop.test. 60 IN DS 1 8 2 0a\n" },
	{ "x.dn.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is dn.shop.test\n"
	  "dname: dn.shop.test has a DNAME, which renames all names below it\n"
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is alias.shop.test\n"
	  "nxdomain: below alias.shop.test there is neither this name nor a wildcard\n"
	  "NXDOMAIN aa\n"
	  "answer dn.shop.test. 60 IN DNAME alias.shop.test.\n"
	  "answer x.dn.shop.test. 60 IN CNAME x.alias.shop.test.\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "a.bad.shop.test", "A",
	  "zone: bad.shop.test, serial 0 (its file is bad, and there is no earlier image)\n"
	  "node: the name does not exist; the closest existing name is bad.shop.test\n"
	  "broken: bad.shop.test: the zone answers SERVFAIL\n"
	  "SERVFAIL\n" },
	{ "ns.shop.test", "AAAA",
	  "zone: shop.test, serial 7\n"
	  "node: ns.shop.test exists\n"
	  "nodata: ns.shop.test has no records of this type\n"
	  "NOERROR aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "none.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is shop.test\n"
	  "nxdomain: below shop.test there is neither this name nor a wildcard\n"
	  "NXDOMAIN aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "other", "A",
	  "outside: the name lies in none of the zones\n"
	  "REFUSED\n" },
	{ "big.shop.test", "TXT",
	  "zone: shop.test, serial 7\n"
	  "node: big.shop.test exists\n"
	  "data: big.shop.test has records of this type\n"
	  "truncated: the next part does not fit\n"
	  "NOERROR aa tc\n" },
	{ "x.sub.shop.test", "DS",
	  "zone: sub.shop.test, serial 8\n"
	  "node: the name does not exist; the closest existing name is sub.shop.test\n"
	  "nxdomain: below sub.shop.test there is neither this name nor a wildcard\n"
	  "NXDOMAIN aa\n"
	  "authority sub.shop.test. 1 IN SOA ns.sub.shop.test. root.sub.shop.test. 8 1 1 1 1\n" },
	{ "d.shop.test", "DS",
	  "zone: shop.test, serial 7\n"
	  "node: d.shop.test exists\n"
	  "nodata: d.shop.test has no records of this type\n"
	  "NOERROR aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "ns.d.shop.test", "DS",
	  "zone: shop.test, serial 7\n"
	  "node: ns.d.shop.test exists\n"
	  "referral: d.shop.test is delegated: its servers, with glue\n"
	  "NOERROR\n"
	  "authority d.shop.test. 60 IN NS ns.d.shop.test.\n"
	  "additional ns.d.shop.test. 60 IN A 192.0.2.6\n" },
	{ "w.shop.test", "ANY",
	  "zone: shop.test, serial 7\n"
	  "node: w.shop.test exists\n"
	  "nodata: w.shop.test has no records of this type\n"
	  "NOERROR aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "www.shop.test", "ANY",
	  "zone: shop.test, serial 7\n"
	  "node: www.shop.test exists\n"
	  "dynamic: www.shop.test is placed by service web, policy weighted\n"
	  "key: 192.0.2.0/24, from the resolver's address\n"
	  "site: ams: 2 addresses, weight 100, up\n"
	  "site: fra: 1 address, weight 50, up\n"
	  "class: serving: up or unknown, and not drained\n"
	  "candidates: ams, fra\n"
	  "chosen: ams\n"
	  "ttl: 60 s: no change is expected: the maximum (limits 5 to 60 s)\n"
	  "NOERROR aa\n"
	  "answer www.shop.test. 60 IN A 203.0.113.10\n"
	  "answer www.shop.test. 60 IN A 203.0.113.11\n" },
	{ "ns.shop.test", "ANY",
	  "zone: shop.test, serial 7\n"
	  "node: ns.shop.test exists\n"
	  "data: ns.shop.test has records of this type\n"
	  "NOERROR aa\n"
	  "answer ns.shop.test. 60 IN A 192.0.2.1\n" },
	{ "ns.shop.test", "IXFR", "REFUSED\n" },
	{ "ns.shop.test", "AXFR", "REFUSED\n" },
	{ "www.shop.test", "TXT",
	  "zone: shop.test, serial 7\n"
	  "node: www.shop.test exists\n"
	  "nodata: www.shop.test has no records of this type\n"
	  "NOERROR aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "l1.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: l1.shop.test exists\n"
	  "alias: l1.shop.test is an alias (CNAME): its target is next\n"
	  "zone: shop.test, serial 7\n"
	  "node: l2.shop.test exists\n"
	  "alias: l2.shop.test is an alias (CNAME): its target is next\n"
	  "leaves: the alias leads out of the zone, in a circle, or too far\n"
	  "NOERROR aa\n"
	  "answer l1.shop.test. 60 IN CNAME l2.shop.test.\n"
	  "answer l2.shop.test. 60 IN CNAME l1.shop.test.\n" },
	{ "l2.shop.test", "CNAME",
	  "zone: shop.test, serial 7\n"
	  "node: l2.shop.test exists\n"
	  "data: l2.shop.test has records of this type\n"
	  "NOERROR aa\n"
	  "answer l2.shop.test. 60 IN CNAME l1.shop.test.\n" },
	{ "x.far.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is far.shop.test\n"
	  "dname: far.shop.test has a DNAME, which renames all names below it\n"
	  "leaves: the alias leads out of the zone, in a circle, or too far\n"
	  "NOERROR aa\n"
	  "answer far.shop.test. 60 IN DNAME x.other.\n"
	  "answer x.far.shop.test. 60 IN CNAME x.x.other.\n" },
	{ "x.far.shop.test", "CNAME",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is far.shop.test\n"
	  "dname: far.shop.test has a DNAME, which renames all names below it\n"
	  "NOERROR aa\n"
	  "answer far.shop.test. 60 IN DNAME x.other.\n"
	  "answer x.far.shop.test. 60 IN CNAME x.x.other.\n" },
	{ "far.shop.test", "DNAME",
	  "zone: shop.test, serial 7\n"
	  "node: far.shop.test exists\n"
	  "data: far.shop.test has records of this type\n"
	  "NOERROR aa\n"
	  "answer far.shop.test. 60 IN DNAME x.other.\n" },
	{ L63 ".deep.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is deep.shop.test\n"
	  "dname: deep.shop.test has a DNAME, which renames all names below it\n"
	  "too-long: deep.shop.test: the new name is over 255 bytes\n"
	  "YXDOMAIN aa\n"
	  "answer deep.shop.test. 60 IN DNAME " L63 "." L63 "." L63 ".\n" },
	{ "x.w.shop.test", "A",
	  "zone: shop.test, serial 7\n"
	  "node: the name does not exist; the closest existing name is w.shop.test\n"
	  "wildcard: *.w.shop.test answers for it\n"
	  "nodata: *.w.shop.test has no records of this type\n"
	  "NOERROR aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "bad.shop.test", "SOA",
	  "zone: bad.shop.test, serial 0 (its file is bad, and there is no earlier image)\n"
	  "node: bad.shop.test exists\n"
	  "broken: bad.shop.test: the zone answers SERVFAIL\n"
	  "SERVFAIL\n" },
	{ "shop.test", "DS",
	  "zone: shop.test, serial 7\n"
	  "node: shop.test exists\n"
	  "nodata: shop.test has no records of this type\n"
	  "NOERROR aa\n"
	  "authority shop.test. 30 IN SOA ns.shop.test. root.shop.test. 7 1 1 1 30\n" },
	{ "ns.sub.shop.test", "A",
	  "zone: sub.shop.test, serial 8\n"
	  "node: ns.sub.shop.test exists\n"
	  "data: ns.sub.shop.test has records of this type\n"
	  "NOERROR aa\n"
	  "answer ns.sub.shop.test. 60 IN A 192.0.2.9\n" },
};

static void each_step_of_an_answer_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(questions); i++) {
		struct explain_request r = make_request(questions[i].name, questions[i].type);

		assert_string_equal(explain_text(&r, 0), questions[i].said);
	}
}

static void ignore_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	(void)m;
}

static bool says_line(const struct explain_request *r, const char *line)
{
	return strstr(explain_text(r, 0), line) != NULL;
}

static void a_key_comes_from_the_subnet_or_the_resolver(void **state)
{
	struct explain_request r = make_request("www.shop.test", "A");

	(void)state;
	assert_int_equal(addr_parse("2001:db8:1:2:3::7", &r.client), 0);
	assert_true(says_line(&r, "key: 2001:db8:1::/56, from the resolver's address\n"));
	r.has_subnet = true;
	r.subnet.bits = 20;
	assert_int_equal(addr_parse("198.51.96.0", &r.subnet.addr), 0);
	assert_true(says_line(&r, "key: 198.51.96.0/24, from the client subnet of the query\n"));
	r.subnet.bits = 48;
	assert_int_equal(addr_parse("2001:db8:77::", &r.subnet.addr), 0);
	assert_true(says_line(&r, "key: 2001:db8:77::/56, from the client subnet of the query\n"));
	r.subnet.bits = 128; /* the longest fits into the query */
	assert_int_equal(addr_parse("2001:db8:77:1::1", &r.subnet.addr), 0);
	assert_true(says_line(&r, "key: 2001:db8:77::/56, from the client subnet of the query\n"));
}

static void each_mark_of_a_site_is_told_in_its_family(void **state)
{
	struct explain_request a = make_request("www.shop.test", "A"),
	                       aaaa = make_request("www.shop.test", "aaaa");

	(void)state;
	see_web("ams", true, health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1));
	see_web("ams", false, health_make(HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_OK, 1));
	assert_true(says_line(&a, "site: ams: 2 addresses, weight 100, down because refused\n"));
	assert_true(says_line(
	        &a, "families: moved away from ams, where one address family is down: both "
	            "come from one site\n"));
	assert_true(says_line(&aaaa, "site: ams: 1 address, weight 100, up in doubt\n"));
	assert_true(says_line(&aaaa,
	                      "families: moved away from ams, where one address family is down: "
	                      "both come from one site\n"));
	assert_true(says_line(&aaaa, "chosen: fra\n"));
	see_web("fra", true, health_make(HEALTH_UNKNOWN, HEALTH_MARK_NEW, HEALTH_REASON_OK, 1));
	assert_true(says_line(&a, "site: fra: 1 address, weight 50, unknown, added by a later "
	                          "version and never seen up\n"));
	assert_false(says_line(&aaaa, "never seen up"));
	(void)add_override(MODEL_OVERRIDE_DISABLE, "ams");
	(void)add_override(MODEL_OVERRIDE_FORCE_UP, "fra");
	write_document();
	assert_true(says_line(&a, "down because refused, disabled\n"));
	assert_true(says_line(&a, "never seen up, forced up\n"));
	assert_true(says_line(&a, "candidates: fra\n"));
	overrides[1].kind = MODEL_OVERRIDE_DISABLE;
	write_document();
	assert_true(says_line(&a, "class: none: none: the answer is empty\nttl: "));
	assert_true(
	        says_line(&a, "nodata: www.shop.test has no records of this type\nNOERROR aa\n"));
	assert_false(says_line(&a, "candidates: "));
	assert_false(says_line(&a, "chosen: "));
}

static void a_gate_is_told_with_what_it_does_to_this_key(void **state)
{
	const struct generation_how how = { .trust_cache = true, .report = ignore_report };
	struct explain_request r = make_request("www.shop.test", "A");
	struct steering_key key = steering_key_of(&r.client);
	struct generation *g = NULL;
	uint32_t gate;
	char line[256];

	(void)state;
	assert_int_equal(generation_load(&dirs, &how, &g), 0);
	gate = steering_gate_ppm(g->steering, &g->steering->services[0].sites[0], &key);
	generation_free(g);
	add_override(MODEL_OVERRIDE_DRAIN, "ams")->over_ms = 1000000;
	for (unsigned i = 0; i < 2; i++) {
		overrides[0].from_ms = T - gate - i; /* at the gate it is let in */
		write_document();
		snprintf(line, sizeof(line),
		         "site: ams: 2 addresses, weight 100, up, drained %.2f %%, this key's gate "
		         "is at %.2f %%: %s\n",
		         (gate + i) / 1e4, gate / 1e4, i ? "turned away" : "let in");
		assert_true(says_line(&r, line));
		assert_int_equal(says_line(&r, "gates: turned away from ams\n"), i);
		assert_true(says_line(&r, i ? "chosen: fra\n" : "chosen: ams\n"));
	}
}

static void classes_are_told_in_words(void **state)
{
	const health_word unseen =
	        health_make(HEALTH_UNKNOWN, HEALTH_MARK_NEW, HEALTH_REASON_OK, 1);
	struct explain_request r = make_request("www.shop.test", "A");

	(void)state;
	(void)add_override(MODEL_OVERRIDE_DRAIN, "ams");
	(void)add_override(MODEL_OVERRIDE_DRAIN, "fra");
	write_document();
	assert_true(says_line(&r, "class: drained: up or unknown; all of them are drained\n"));
	n_overrides = 0;
	write_document();
	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		see_web("ams", ip4, DOWN);
		see_web("fra", ip4, unseen);
	}
	assert_true(says_line(
	        &r, "no other site is up: sites that were never seen up are used, too\n"));
	for (unsigned ip4 = 0; ip4 < 2; ip4++)
		see_web("fra", ip4, DOWN);
	assert_true(says_line(&r, "class: panic: no site is up: all but disabled, by base weight "
	                          "(panic)\n"));
}

/* Three sites with a node each: this one, fra-1 whose view is there, and lon-1 that is not heard. */
static void each_view_is_told_where_views_are_counted(void **state)
{
	struct explain_request a = make_request("www.shop.test", "A"),
	                       aaaa = make_request("www.shop.test", "AAAA");
	struct peer_page *seen;

	(void)state;
	assert_false(says_line(&a, "peer-health: "));
	seen = make_view();
	see_word(&seen->health, "ams", true, DOWN);
	page_publish(view);
	assert_true(says_line(
	        &a,
	        "peer-health: ams-1 at ams sees it up (ok)\n"
	        "peer-health: fra-1 at fra sees it down (timeout)\n"
	        "peer-health: lon-1 at lon sees it unknown (none), not fresh\n"
	        "majority: 1 of 3 voting sites say down, 1 is lost (so the last state stays): "));
	assert_true(says_line(&aaaa, "peer-health: fra-1 at fra sees it up (ok)\n"));
	assert_true(says_line(&aaaa, "majority: 0 of 3 voting sites say down, 1 is lost: up\n"));
	see_web("ams", true, DOWN);
	assert_true(says_line(&a, "majority: 2 of 3 voting sites say down, 1 is lost: down\n"));
	see_word(&seen->health, "ams", true,
	         health_make(HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_TIMEOUT, 1));
	see_web("ams", true, UP);
	page_publish(view);
	assert_true(says_line(&a, "fra-1 at fra sees it down (timeout), inconclusive\n"));
	assert_true(says_line(&a, "majority: 0 of 3 voting sites say down, 2 are lost"));
	see_word(&seen->health, "ams", true,
	         health_make(HEALTH_DOWN, HEALTH_MARK_RESTORED, HEALTH_REASON_TIMEOUT, 1));
	see_web("ams", true,
	        health_make(HEALTH_DOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 1));
	page_publish(view);
	assert_true(says_line(
	        &a, "ams-1 at ams sees it down (timeout), its check never succeeded there\n"));
	assert_true(says_line(&a, "fra-1 at fra sees it down (timeout), from before a restart\n"));
	(void)add_override(MODEL_OVERRIDE_DISABLE,
	                   "lon"); /* two are left: each decides for itself */
	write_document();
	assert_false(says_line(&a, "peer-health: "));
}

static bool has_step(const struct explanation *e, const char *what, const char *text)
{
	for (size_t i = 0; i < e->n_steps; i++)
		if (!strcmp(e->steps[i].what, what) && !strcmp(e->steps[i].text, text))
			return true;
	return false;
}

/* 64 sites with four nodes each. */
static void write_large(void)
{
	enum { SITES = 64, NODES = 256 };
	char *text = malloc(1 << 20), *at = text;

	at += sprintf(
	        at,
	        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
	        "checks = ( { name = \"c\"; type = \"tcp\"; port = 80; } );\nsites = (");
	for (unsigned i = 0; i < SITES; i++)
		at += sprintf(at, "%s { name = \"s%u\"; }", i ? "," : "", i);
	at += sprintf(at, " );\nnodes = (");
	for (unsigned i = 0; i < NODES; i++)
		at += sprintf(
		        at,
		        "%s { name = \"ams-%u\"; site = \"s%u\"; driver = \"xdp\"; ports = ( { interface = \"e\"; } ); "
		        "tunnel_source = [ \"10.%u.%u.0/24\" ]; clock = \"trusted\"; }\n",
		        i ? "," : "", i + 1, i / 4, 1 + i / 128, i % 128);
	at += sprintf(at, " );\npools = (");
	for (unsigned i = 0; i < SITES; i++)
		at += sprintf(
		        at,
		        "%s { name = \"p%u\"; site = \"s%u\"; check = \"c\"; mode = \"ipip\"; max_backends = 9; "
		        "backends = ( { name = \"b\"; address = \"10.9.%u.11\"; } ); }\n",
		        i ? "," : "", i, i, i);
	at += sprintf(at, " );\nvips = (");
	for (unsigned i = 0; i < SITES; i++)
		at += sprintf(
		        at,
		        "%s { name = \"v%u\"; site = \"s%u\"; addresses = [ \"203.0.113.%u\" ]; }",
		        i ? "," : "", i, i, 10 + i);
	at += sprintf(at,
	              " );\nservices = ( { name = \"web\"; protocol = \"tcp\"; port = 80; at = (");
	for (unsigned i = 0; i < SITES; i++)
		at += sprintf(at, "%s { site = \"s%u\"; vip = \"v%u\"; pool = \"p%u\"; }",
		              i ? "," : "", i, i, i);
	sprintf(at,
	        " ); } );\ndns = { zones = ( { name = \"shop.test\"; file = \"zone\"; } ); names = ( { name = \"www.shop.test\"; "
	        "service = \"web\"; policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; } ); };\n");
	write_model(text);
	free(text);
}

/*
 * 64 sites that 256 nodes see, and 300 drains that are behind: what is chosen stands behind them, and what is left out is
 * counted where it would stand.
 */
static void the_largest_service_is_explained_to_its_end(void **state)
{
	static struct ramp_record late[COUNT(overrides)];
	const struct explain_request r = make_request("www.shop.test", "A");
	struct explanation *e = NULL;
	unsigned n_health = 0, n_sites = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(overrides); i++) {
		add_override(MODEL_OVERRIDE_DRAIN, "s5")->over_ms = 2000000;
		late[i] = (struct ramp_record){ .generation = 1,
			                        .at_ms = T - 900000,
			                        .how = RAMP_LATE };
		snprintf(late[i].id, sizeof(late[i].id), "%s", overrides[i].id);
	}
	write_large();
	assert_int_equal(ramp_write(dir, late, COUNT(late)), 0);
	assert_int_equal(explain_dns(&dirs, &r, &e), 0);
	for (size_t i = 0; i < e->n_steps; i++) {
		n_health += !strcmp(e->steps[i].what, "peer-health");
		n_sites += !strcmp(e->steps[i].what, "site");
	}
	assert_int_equal(n_sites, 64);
	assert_int_equal(n_health, 64 * (48 + 1));
	assert_string_equal(e->steps[e->n_steps - 1].what, "ttl");
	assert_true(has_step(e, "peer-health", "208 more nodes are left out"));
	assert_true(has_step(e, "ramp", "44 more drains are held or behind their schedule"));
	explain_free(e);
}

static void a_zone_that_is_not_as_its_file_is_named(void **state)
{
	const struct generation_how how = { .keep = true, .report = ignore_report };
	struct explain_request r = make_request("ns.shop.test", "A");
	struct generation *g = NULL;

	(void)state;
	assert_int_equal(generation_load(&dirs, &how, &g), 0);
	generation_free(g);
	write_text("zone", "@ SOA nothing\n");
	assert_true(says_line(&r,
	                      "zone: shop.test, serial 7 (its file is bad now; this is an earlier "
	                      "image)\n"));
}

static void what_holds_drains_is_told(void **state)
{
	struct ramp_record kept[] = {
		{ .id = "d1", .generation = 1, .at_ms = T - 2000, .how = RAMP_HELD_SITE },
		{ .id = "d2", .generation = 1, .at_ms = T - 900000, .how = RAMP_LATE },
	};
	struct explain_request r = make_request("ns.shop.test", "A");
	struct health_page *h = &make_view()->health;

	(void)state;
	(void)add_override(MODEL_OVERRIDE_DRAIN, "ams");
	add_override(MODEL_OVERRIDE_DRAIN, "fra")->until_ms = T - 1000; /* it has ended */
	add_override(MODEL_OVERRIDE_DRAIN, "lon")->over_ms = 2000000;
	write_document();
	lay_out(h, DOWN); /* nobody sees anything up */
	lay_out(page_payload(health), DOWN);
	page_publish(view);
	assert_int_equal(ramp_write(dir, kept, COUNT(kept)), 0);
	assert_true(says_line(&r, "ramp: drain d1: expired, held: the site is not up as seen from "
	                          "outside\n"));
	assert_true(says_line(&r, "ramp: drain d2: behind its schedule\n"));
	assert_false(says_line(&r, "clock: "));
	assert_false(says_line(&r, "d0"));
	unsynchronised = true;
	assert_true(says_line(&r, "clock: not synchronised: it holds the ramps of drains "
	                          "(nodes[].clock)\n"));
	clock_setting = "trusted";
	write_document();
	assert_false(says_line(&r, "clock: "));
	unsynchronised = false;
	written_ms = clock_realtime_ms() + 86400000; /* a clock from before that is not believed */
	write_document();
	assert_true(says_line(&r, "clock: does not follow from the time before the boot: it holds "
	                          "the ramps of drains\n"));
}

static void what_was_kept_and_cannot_be_read_is_told(void **state)
{
	struct explain_request r = make_request("ns.shop.test", "A");
	struct explanation *e = NULL;

	(void)state;
	assert_false(says_line(&r, "cannot be read"));
	write_text(RAMP_FILE, "x");
	write_text(DECIDED_FILE, "x");
	assert_true(says_line(&r, "ramp: the saved state of drains cannot be read ("));
	assert_true(says_line(&r, "site: the saved state of sites cannot be read ("));
	no_room = true;
	assert_int_equal(explain_dns(&dirs, &r, &e), -ENOMEM);
	assert_null(e);
}

static void the_page_of_health_is_looked_at_if_there_is_one(void **state)
{
	struct explain_request r = make_request("www.shop.test", "A");
	char path[PATH_MAX];

	(void)state;
	assert_false(says_line(&r, "health: "));
	assert_true(says_line(&r, "site: fra: 1 address, weight 50, up\n"));
	path_of(PROC_HEALTH_PAGE, path);
	assert_int_equal(unlink(path), 0);
	assert_true(
	        says_line(&r, "health: no health page: the health seen by this node is unknown\n"));
	assert_true(says_line(&r, "site: fra: 1 address, weight 50, unknown\n"));
}

static void what_cannot_be_explained_is_refused(void **state)
{
	static char bad[8192] = "$TTL 60\n@ SOA ns root 7 1 1 1 30\n";
	struct explain_request r = make_request("a..b", "A");
	struct explanation *e = NULL;
	char path[PATH_MAX];

	(void)state;
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a domain name\n");
	r = make_request("a.b", "NOTYPE");
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a record type\n");
	r = make_request("a.b", "TYPE65537");
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a record type\n");
	r = make_request("a..b", "NOTYPE");
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a record type\n");
	r = make_request("ns.shop.test", "A");
	assert_int_equal(explain_dns(&dirs, &r, &e), 0);
	assert_true(e->n_errors > 0); /* of a zone that is bad, with its place */
	assert_non_null(strstr(e->errors[0], "/bad:1: "));
	explain_free(e);
	names_key = true; /* which site a client gets is not known without it */
	write_document();
	path_of("hash.key", path);
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(explain_text(&r, -EINVAL), "does not exist"));
	names_key = false;
	write_text("hash.key", "00112233445566778899aabbccddeeff\n");
	write_document();
	for (unsigned i = 0; i < ERROR_TEXTS_MAX + 9; i++)
		sprintf(bad + strlen(bad), "h%u A 1.2.3\n", i);
	write_text("zone", bad);
	assert_int_equal(explain_dns(&dirs, &r, &e), 0);
	assert_int_equal(e->n_errors, ERROR_TEXTS_MAX);
	explain_free(e);
	e = NULL;
	write_text(PROC_EFFECTIVE_FILE, "schema = 1;\n");
	assert_non_null(
	        strstr(explain_text(&r, -EINVAL), "\n! effective.conf:1: cluster: is missing"));
	path_of(PROC_EFFECTIVE_FILE, path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(explain_dns(&dirs, &r, &e), -ENOENT);
	assert_null(e);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(explain)
{
	const struct CMUnitTest tests[] = {
		WITH(each_step_of_an_answer_is_told),
		WITH(a_key_comes_from_the_subnet_or_the_resolver),
		WITH(each_mark_of_a_site_is_told_in_its_family),
		WITH(a_gate_is_told_with_what_it_does_to_this_key),
		WITH(classes_are_told_in_words),
		WITH(each_view_is_told_where_views_are_counted),
		WITH(the_largest_service_is_explained_to_its_end),
		WITH(a_zone_that_is_not_as_its_file_is_named),
		WITH(what_holds_drains_is_told),
		WITH(what_was_kept_and_cannot_be_read_is_told),
		WITH(the_page_of_health_is_looked_at_if_there_is_one),
		WITH(what_cannot_be_explained_is_refused),
	};

	answer_adjtimex = own_adjtimex;
	answer_calloc = own_calloc;
	return cmocka_run_group_tests_name("dns explain", tests, NULL, NULL);
}
