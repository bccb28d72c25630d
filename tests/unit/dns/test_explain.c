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
	assert_int_equal(edge.n_freed, COUNT(questions));
	assert_int_equal(edge.n_ramps_closed, COUNT(questions));
	assert_int_equal(edge.n_sites_closed, COUNT(questions));
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
	struct steering_site_state *ams = &seen->sites[0], *fra = &seen->sites[1];

	(void)state;
	ams->words[1] = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1);
	ams->words[0] = health_make(HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_OK, 1);
	assert_true(says_line(&a, "site: ams: 2 addresses, weight 100, down because refused\n"));
	assert_true(says_line(
	        &a, "families: moved away from ams, where one address family is down: both "
	            "come from one site\n"));
	assert_true(says_line(&aaaa, "site: ams: 1 address, weight 100, up in doubt\n"));
	assert_true(says_line(&aaaa,
	                      "families: moved away from ams, where one address family is down: "
	                      "both come from one site\n"));
	assert_true(says_line(&aaaa, "chosen: fra\n"));
	ams->words[1] = 0;
	ams->unproven[1] = true;
	assert_true(says_line(&a, "site: ams: 2 addresses, weight 100, unknown, added by a later "
	                          "version and never seen up\n"));
	assert_false(says_line(&aaaa, "never seen up"));
	fra->forced_up = true;
	ams->disabled = true;
	assert_true(says_line(&a, "never seen up, disabled\n"));
	assert_true(says_line(&a, "site: fra: 1 address, weight 50, up, forced up\n"));
	assert_true(says_line(&a, "candidates: fra\n"));
	fra->disabled = true;
	assert_true(says_line(&a, "class: none: none: the answer is empty\nttl: "));
	assert_true(
	        says_line(&a, "nodata: www.shop.test has no records of this type\nNOERROR aa\n"));
	assert_false(says_line(&a, "candidates: "));
	assert_false(says_line(&a, "chosen: "));
}

static void a_gate_is_told_with_what_it_does_to_this_key(void **state)
{
	struct explain_request r = make_request("www.shop.test", "A");
	const struct addr client = r.client;
	struct steering_key key = steering_key_of(&client);
	uint32_t gate = steering_gate_ppm(&place, &at[0], &key);
	char line[256];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		seen->sites[0].drained_ppm = gate + i; /* at the gate it is let in */
		seen->sites[0].shifting = true;
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
	struct explain_request r = make_request("www.shop.test", "A");

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		seen->sites[i].drained_ppm = MODEL_PPM_ALL;
	assert_true(says_line(&r, "class: drained: up or unknown; all of them are drained\n"));
	for (unsigned i = 0; i < 2; i++) {
		seen->sites[i].drained_ppm = 0;
		seen->sites[i].unproven[0] = seen->sites[i].unproven[1] = true;
		seen->sites[i].words[0] = seen->sites[i].words[1] = 0;
	}
	assert_true(says_line(
	        &r, "no other site is up: sites that were never seen up are used, too\n"));
	for (unsigned i = 0; i < 2; i++)
		seen->sites[i].words[0] = seen->sites[i].words[1] =
		        health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1);
	assert_true(says_line(&r, "class: panic: no site is up: all but disabled, by base weight "
	                          "(panic)\n"));
}

/* Of www at ams by IPv4: target 1. */
static bool has_step(const struct explanation *e, const char *what, const char *text)
{
	for (size_t i = 0; i < e->n_steps; i++)
		if (!strcmp(e->steps[i].what, what) && !strcmp(e->steps[i].text, text))
			return true;
	return false;
}

static void each_view_is_told_where_views_are_counted(void **state)
{
	struct explain_request r = make_request("www.shop.test", "A");

	(void)state;
	assert_false(says_line(&r, "peer-health: "));
	views.votes = true;
	view[0].fresh = view[1].fresh = true;
	words[0][1] = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);
	words[1][1] = health_make(HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_TIMEOUT, 1);
	edge.majority =
	        (struct majority){ .n_up = 1, .n_down = 1, .n_lost = 1, .word = words[0][1] };
	assert_true(says_line(&r, "peer-health: ams-1 at ams sees it up (ok)\n"
	                          "peer-health: fra-1 at fra sees it down (timeout), inconclusive\n"
	                          "majority: 1 of 3 voting sites say down, 1 is lost: up\n"));
	assert_int_equal(edge.asked, 3); /* fra's, the last */
	view[1].fresh = false;
	edge.majority = (struct majority){ .n_down = 1, .n_lost = 0, .word = words[1][1] };
	assert_true(says_line(&r, "fra-1 at fra sees it down (timeout), inconclusive, not fresh\n"
	                          "majority: 1 of 1 voting site says down, 0 are lost: down\n"));
	view[1].fresh = true;
	words[1][1] = health_make(HEALTH_DOWN, HEALTH_MARK_RESTORED, HEALTH_REASON_TIMEOUT, 1);
	words[0][1] = health_make(HEALTH_DOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 1);
	edge.majority.held = true;
	edge.majority.n_lost = 2;
	assert_true(says_line(
	        &r, "ams-1 at ams sees it down (timeout), its check never succeeded there\n"));
	assert_true(says_line(&r, "fra-1 at fra sees it down (timeout), from before a restart\n"));
	assert_true(says_line(&r, "majority: 1 of 3 voting sites say down, 2 are lost (so the last "
	                          "state stays): down\n"));
	r.type = "AAAA";
	(void)explain_text(&r, 0);
	assert_int_equal(edge.asked, 2);
	at[1].n_addresses[1] = 0; /* what it does not have is not looked at */
	r.type = "A";
	(void)explain_text(&r, 0);
	assert_int_equal(edge.asked, 1);
	at[1].n_addresses[1] = 1;
}

/*
 * 64 sites that 256 nodes see, and 300 drains that are held: what is chosen stands behind them, and what is left out is
 * counted where it would stand.
 */
static void the_largest_service_is_explained_to_its_end(void **state)
{
	enum { SITES = 64, NODES = 256, RAMPS = 300 };
	static struct steering_site many[SITES];
	static struct node_health nodes[NODES];
	static health_word seen_words[2 * SITES];
	static char texts[NODES][8];
	const struct explain_request r = make_request("www.shop.test", "A");
	struct steering_state *all = calloc(1, sizeof(*all) + SITES * sizeof(all->sites[0]));
	struct explanation *e = NULL;
	unsigned n_health = 0, n_sites = 0;

	(void)state;
	assert_non_null(all);
	all->n_sites = SITES;
	for (unsigned i = 0; i < NODES; i++) {
		snprintf(texts[i], sizeof(texts[i]), "s%u", i);
		nodes[i] = (struct node_health){ .node = texts[i],
			                         .site = &sites[0],
			                         .words = seen_words };
	}
	for (unsigned k = 0; k < SITES; k++) {
		many[k] = (struct steering_site){
			.name = texts[k], .id = k + 1, .weight = 1, .n_addresses = { 0, 1 }
		};
		all->sites[k].next_ms = MODEL_TIME_NEVER;
		(void)addr_parse("203.0.113.10", &many[k].addresses[1][0]);
	}
	for (unsigned i = 0; i < RAMPS; i++)
		edge.ramps[i] = (struct ramp_record){ .id = "d", .how = RAMP_HELD_CLOCK };
	services[0] = (struct steering_service){ .name = "web", .n_sites = SITES, .sites = many };
	place.n_services = place.n_names = 1;
	place.n_states = SITES;
	edge.g.state = all;
	edge.n_ramps = RAMPS;
	views = (struct peer_health){
		.n = NODES, .items = nodes, .n_targets = 2 * SITES, .votes = true
	};
	assert_int_equal(explain_dns(&dirs, &r, &e), 0);
	for (size_t i = 0; i < e->n_steps; i++) {
		n_health += !strcmp(e->steps[i].what, "peer-health");
		n_sites += !strcmp(e->steps[i].what, "site");
	}
	assert_int_equal(n_sites, SITES);
	assert_int_equal(n_health, SITES * (48 + 1));
	assert_string_equal(e->steps[e->n_steps - 1].what, "ttl");
	assert_true(has_step(e, "peer-health", "208 more nodes are left out"));
	assert_true(has_step(e, "ramp", "44 more drains are held or behind their schedule"));
	explain_free(e);
	free(all);
}

static void a_zone_that_is_not_as_its_file_is_named(void **state)
{
	struct explain_request r = make_request("ns.shop.test", "A");
	struct image_zone *row = (struct image_zone *)(uintptr_t)image_zone(image, 0);

	(void)state;
	row->state = IMAGE_ZONE_EARLIER;
	assert_true(says_line(&r,
	                      "zone: shop.test, serial 7 (its file is bad now; this is an earlier "
	                      "image)\n"));
	row->state = 0;
}

static void what_holds_drains_is_told(void **state)
{
	struct explain_request r = make_request("ns.shop.test", "A");

	(void)state;
	edge.n_ramps = 4;
	for (unsigned i = 0; i < 4; i++)
		snprintf(edge.ramps[i].id, sizeof(edge.ramps[i].id), "d%u", i);
	edge.ramps[0].how = RAMP_FREE;
	edge.ramps[1].how = RAMP_HELD_SITE;
	edge.ramps[2].how = RAMP_HELD_CLOCK;
	edge.ramps[3].how = RAMP_LATE;
	assert_true(says_line(&r, "ramp: drain d1: expired, held: the site is not up as seen from "
	                          "outside\nramp: drain d2: held by the clock\n"
	                          "ramp: drain d3: behind its schedule\nzone: "));
	assert_false(says_line(&r, "clock: "));
	assert_false(says_line(&r, "d0"));
	assert_false(edge.clock_held);
	edge.synchronised = false;
	assert_true(says_line(&r, "clock: not synchronised: it holds the ramps of drains "
	                          "(nodes[].clock)\n"));
	assert_true(edge.clock_held);
	edge.booted = true;
	edge.synchronised = true;
	model.meta.written_ms = 55;
	assert_true(says_line(&r, "clock: does not follow from the time before the boot: it holds "
	                          "the ramps of drains\n"));
	assert_true(edge.clock_held);
	assert_int_equal(edge.not_before_ms, 55);
	edge.booted = edge.synchronised = false;
	self.clock = MODEL_CLOCK_TRUSTED;
	assert_false(says_line(&r, "clock: "));
	model.self = NULL;
	assert_false(says_line(&r, "clock: "));
}

static void what_was_kept_and_cannot_be_read_is_told(void **state)
{
	struct explain_request r = make_request("ns.shop.test", "A");
	struct explanation *e = NULL;

	(void)state;
	assert_false(says_line(&r, "cannot be read"));
	edge.ramps_result = -EPROTO;
	assert_true(
	        says_line(&r, "ramp: the saved state of drains cannot be read (Protocol error)\n"));
	edge.ramps_result = 0;
	edge.sites_result = -EACCES;
	assert_true(says_line(
	        &r, "site: the saved state of sites cannot be read (Permission denied)\n"));
	edge.ramps_result = -ENOMEM;
	edge.n_observed = 0;
	assert_int_equal(explain_dns(&dirs, &r, &e), -ENOMEM);
	assert_null(e);
	assert_int_equal(edge.n_observed, 0);
}

static void the_page_of_health_is_looked_at_if_there_is_one(void **state)
{
	struct explain_request r = make_request("ns.shop.test", "A");

	(void)state;
	edge.header.alive_ms = 5000;
	assert_false(says_line(&r, "health: "));
	assert_ptr_equal(edge.seen.own, &edge.has_page);
	assert_ptr_equal(edge.seen.own_page, &edge.has_page);
	assert_int_equal(edge.seen.own_good_until_ms, 5000 + 5000);
	assert_int_equal(edge.seen.now_ms, 7777);
	assert_string_equal(edge.seen.run_dir, "/run");
	assert_int_equal(edge.wall_clock_ms, T);
	edge.has_page = false;
	assert_true(
	        says_line(&r, "health: no health page: the health seen by this node is unknown\n"));
	assert_null(edge.seen.own);
}

static void what_cannot_be_explained_is_refused(void **state)
{
	static const struct zones_message line = { "z", "f", 7, ZONES_ERROR, "what", 0 },
	                                  file = { "", "g", 0, ZONES_ERROR, "whole", 0 },
	                                  warning = { "z", "f", 8, ZONES_WARNING, "odd", 0 };
	struct explain_request r = make_request("a..b", "A");
	struct explanation *e = NULL;

	(void)state;
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a domain name\n");
	r = make_request("a.b", "NOTYPE");
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a record type\n");
	r = make_request("a.b", "TYPE65537");
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a record type\n");
	r = make_request("a..b", "NOTYPE");
	assert_string_equal(explain_text(&r, -EINVAL), "\n! not a record type\n");
	r = make_request("ns.shop.test", "A");
	edge.load_result = -ENOENT;
	assert_int_equal(explain_dns(&dirs, &r, &e), -ENOENT);
	assert_null(e);
	edge.load_result = -EINVAL;
	edge.message = &line;
	edge.n_messages = 1;
	assert_string_equal(explain_text(&r, -EINVAL), "\n! f:7: what\n");
	edge.message = &file;
	assert_string_equal(explain_text(&r, -EINVAL), "\n! g: whole\n");
	edge.message = &warning;
	assert_string_equal(explain_text(&r, -EINVAL), "\n");
	edge.message = &line;
	edge.n_messages = ERROR_TEXTS_MAX + 1;
	assert_int_equal(explain_dns(&dirs, &r, &e), -EINVAL);
	assert_int_equal(e->n_errors, ERROR_TEXTS_MAX);
	explain_free(e);
	assert_int_equal(edge.n_freed, 0);
	edge.load_result = 0;
	edge.n_messages = 1;
	model.key_state = MODEL_KEY_NONE; /* which site a client gets is not known */
	model.key_fault = "no key";
	assert_string_equal(explain_text(&r, -EINVAL), "\n! f:7: what\n! no key\n");
	assert_int_equal(edge.n_freed, 1);
	model.key_state = MODEL_KEY_KEPT;
	assert_true(says_line(&r, "answer ns.shop.test. 60 IN A 192.0.2.1\n! f:7: what\n"));
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
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

	return cmocka_run_group_tests_name("dns explain", tests, make_image, drop_image);
}
