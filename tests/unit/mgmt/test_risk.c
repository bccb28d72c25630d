/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of risks: for each rule a change that breaks it, and beside it the nearest change that
 * does not. lab changes shows on a running node that the harm is real, and that harmless changes do
 * none.
 */
#include "fixture_model.h"

#include "base/arena.h"
#include "mgmt/rules/risk.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fixture place;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static const char base_config[] =
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "limits = { exceptions = 65536; };\n"
        "sites = ( { name = \"ams\"; weight = 100; capacity = { bits = \"10Gbit\"; }; },\n"
        "          { name = \"fra\"; weight = 20; }, { name = \"par\"; weight = 100; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"xdp\"; clock = \"synchronised\";\n"
        "    ports = ( { interface = \"eth1\"; }, { interface = \"eth2\";\n"
        "      macs = [ \"02:00:5e:00:01:0a\", \"02:00:5e:00:01:0b\" ]; } ); mtu = 1500;\n"
        "    tunnel_source = [ \"10.1.255.0/24\" ]; dns_listen = [ \"192.0.2.53\", \"192.0.2.54\" ];\n"
        "    controls = [ \"10.1.1.1\" ]; api = \"https://10.1.1.2:8443\"; },\n"
        "  { name = \"fra-1\"; site = \"fra\"; ports = ( { interface = \"eth1\"; } );\n"
        "    tunnel_source = [ \"10.2.255.0/24\", \"2001:db8:2::/64\" ]; dns_listen = [ \"192.0.2.60\" ];\n"
        "    announce = { daemon = \"bird\"; dns = [ \"192.0.2.60\" ]; }; } );\n"
        "checks = ( { name = \"web\"; type = \"http\"; path = \"/healthz\"; expect = 200; interval = \"1s\";\n"
        "    fast_interval = \"200ms\"; timeout = \"500ms\"; rise = 2; fall = 3; damp_turns = 5; },\n"
        "  { name = \"vip\"; type = \"tcp\"; interval = \"2s\"; timeout = \"400ms\"; fall = 4; } );\n"
        "pools = ( { name = \"web-ams\"; site = \"ams\"; check = \"web\"; mode = \"gue\"; max_backends = 16;\n"
        "    min_healthy = \"50%\"; max_remove = \"50%\"; settle_time = \"60s\"; idle_time = \"50s\";\n"
        "    backends = ( { name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },\n"
        "      { name = \"b2\"; address = \"10.1.1.12\"; weight = 100; },\n"
        "      { name = \"b3\"; address = \"10.1.1.13\"; weight = 100; } ); },\n"
        "  { name = \"spare\"; site = \"ams\"; mode = \"gue\"; max_backends = 16;\n"
        "    backends = ( { name = \"s1\"; address = \"10.1.2.11\"; } );\n"
        "    registration = { prefixes = [ \"10.9.0.0/16\" ]; }; },\n"
        "  { name = \"web-fra\"; site = \"fra\"; check = \"web\"; backends = ( { name = \"b1\"; address = \"10.2.1.11\"; } ); } );\n"
        "vips = ( { name = \"shop-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8:1::10\" ]; },\n"
        "  { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; },\n"
        "  { name = \"any\"; sites = [ \"ams\", \"fra\" ]; addresses = [ \"192.0.2.7\" ]; },\n"
        "  { name = \"new\"; site = \"ams\"; addresses = [ \"192.0.2.8\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; hash = \"flow\"; vip_check = \"vip\";\n"
        "    on_all_down = \"last_good\";\n"
        "    at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; },\n"
        "           { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; backup = \"web-ams\";\n"
        "             backup_max = { new_flows = \"500/s\"; bits = \"2Gbit\"; }; } ); },\n"
        "  { name = \"quic\"; protocol = \"udp\"; port = 443; udp_policy = \"keep\"; udp_idle = \"20s\";\n"
        "    at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } ); } );\n"
        "dns = { zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; },\n"
        "    { name = \"blog.example\"; file = \"blog.example.zone\"; } );\n"
        "  names = ( { name = \"www.shop.example\"; service = \"web\"; policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; },\n"
        "    { name = \"q.shop.example\"; service = \"quic\"; } ); };\n";
static const char base_zone[] = "$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n"
                                "@ NS ns1\nns1 A 192.0.2.53\na A 192.0.2.1\nb A 192.0.2.2\n"
                                "c A 192.0.2.3\nd A 192.0.2.4\ne A 192.0.2.5\n";
static const char blog_zone[] =
        "$ORIGIN blog.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n";

/* @p text with @p from replaced by @p to, which must be there. */
static void replace_text(const char *text, const char *from, const char *to, char *out, size_t size)
{
	const char *at = strstr(text, from);

	if (!at)
		fail_msg("not in the text: %s", from);
	snprintf(out, size, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static struct model *read_model(const char *config, const char *zone)
{
	struct files files = { 0 };

	assert_int_equal(files_add(&files, FILES_MAIN, config, strlen(config)), 0);
	assert_int_equal(files_add(&files, "shop.example.zone", zone, strlen(zone)), 0);
	assert_int_equal(files_add(&files, "blog.example.zone", blog_zone, strlen(blog_zone)), 0);
	return fixture_model(&place, &files, NULL);
}

/* Whether the change breaks @p rule; NULL: whether it breaks none. */
static void expect_rule(const struct model *from, const struct model *to, const char *rule)
{
	struct arena *arena = arena_new((size_t)1 << 24);
	const struct risk *risks;
	size_t n_all, n = risk_find(from, to, arena, &risks, &n_all);
	bool found = false;

	assert_false(arena_failed(arena));
	assert_true(n_all >= n);
	for (size_t i = 0; i < n; i++) {
		assert_non_null(strstr(risks[i].text, risks[i].rule->name));
		found |= rule && !strcmp(risks[i].rule->name, rule);
		if (!rule)
			print_message("    %s\n", risks[i].text);
	}
	if (rule && !found)
		fail_msg("rule %s does not see it", rule);
	if (!rule)
		assert_int_equal(n_all, 0);
	arena_free(arena);
}

static bool breaks_rule(const struct model *from, const struct model *to, const char *rule)
{
	struct arena *arena = arena_new((size_t)1 << 24);
	const struct risk *risks;
	size_t n_all, n = risk_find(from, to, arena, &risks, &n_all);
	bool found = false;

	assert_int_equal(n, n_all); /* all are here */
	for (size_t i = 0; i < n; i++)
		found |= !strcmp(risks[i].rule->name, rule);
	arena_free(arena);
	return found;
}

struct change {
	const char *rule; /* NULL: harmless */
	const char *from, *to;
};

static const struct change changes[] = {
	{ "flows-rehashed", "hash = \"flow\"", "hash = \"source\"" },
	{ "flows-rehashed", "hash_key_id = \"k1\"", "hash_key_id = \"k2\"" },
	{ "flows-rehashed", "mode = \"gue\"; max_backends = 16;\n    min",
	  "mode = \"gue\"; max_backends = 1000;\n    min" },
	{ NULL, "mode = \"gue\"; max_backends = 16;\n    min",
	  "mode = \"gue\"; max_backends = 15;\n    min" },
	{ "flows-rehashed", "mode = \"gue\";", "mode = \"gue\"; agent = true;" },
	{ "encapsulation-changed", "mode = \"gue\";", "mode = \"ipip\";" },
	{ "pool-exchanged", "pool = \"web-ams\"; },\n           {",
	  "pool = \"spare\"; },\n           {" },
	{ "members-leave",
	  "{ name = \"b2\"; address = \"10.1.1.12\"; weight = 100; },\n      { name = \"b3\"; address = \"10.1.1.13\"; weight = 100; }",
	  "{ name = \"b9\"; address = \"10.1.1.19\"; weight = 100; }" },
	{ NULL, ",\n      { name = \"b3\"; address = \"10.1.1.13\"; weight = 100; }", "" },
	{ NULL, "{ name = \"b3\"; address = \"10.1.1.13\"; weight = 100; }",
	  "{ name = \"b3\"; address = \"10.1.1.13\"; }, { name = \"b4\"; address = \"10.1.1.14\"; },"
	  "{ name = \"b5\"; address = \"10.1.1.15\"; }, { name = \"b6\"; address = \"10.1.1.16\"; }" },
	{ NULL, "\"b1\"; address = \"10.1.1.11\"", "\"first\"; address = \"10.1.1.11\"" },
	{ "registration-narrowed", "10.9.0.0/16", "10.9.0.0/17" },
	{ NULL, "10.9.0.0/16", "10.8.0.0/15" },
	{ "registration-narrowed",
	  "  { name = \"spare\"; site = \"ams\"; mode = \"gue\"; max_backends = 16;\n"
	  "    backends = ( { name = \"s1\"; address = \"10.1.2.11\"; } );\n"
	  "    registration = { prefixes = [ \"10.9.0.0/16\" ]; }; },\n",
	  "" },
	{ "load-gathers", "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 1000" },
	{ NULL, "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 150" },
	{ "unchecked-members", "{ name = \"s1\"; address = \"10.1.2.11\"; }",
	  "{ name = \"s1\"; address = \"10.1.2.11\"; }, { name = \"s2\"; address = \"10.1.2.12\"; }" },
	{ NULL,
	  "mode = \"gue\"; max_backends = 16;\n    backends = ( { name = \"s1\"; address = \"10.1.2.11\"; }",
	  "check = \"web\"; mode = \"gue\"; max_backends = 16;\n    backends = ( { name = \"s1\"; address = \"10.1.2.11\"; },"
	  " { name = \"s2\"; address = \"10.1.2.12\"; }" },
	{ "check-removed", "site = \"ams\"; check = \"web\";", "site = \"ams\";" },
	{ "check-target", "path = \"/healthz\"", "path = \"/health\"" },
	{ "check-target", "type = \"http\";", "type = \"http\"; port = 81;" },
	{ "check-target", "expect = 200", "expect = 204" },
	{ "check-target", "expect = 200", "expect = 200; via = \"tunnel\"" },
	{ "check-target", "expect = 200", "expect = 200; host = \"x\"" },
	{ "check-target", "type = \"http\"; path = \"/healthz\"; expect = 200;",
	  "type = \"tcp\";" },
	{ NULL, "name = \"web\"; type", "name = \"web\" ; type" },
	{ "check-slower", "interval = \"1s\";", "interval = \"1m\";" },
	{ "check-slower", "rise = 2; fall = 3", "rise = 2; fall = 100" },
	{ NULL, "rise = 2; fall = 3", "rise = 2; fall = 4" },
	{ "check-hasty", "rise = 2; fall = 3", "rise = 2; fall = 1" },
	{ "check-hasty", "timeout = \"500ms\"", "timeout = \"1ms\"" },
	/* one failure makes a death, though it is given almost the time of two before */
	{ "check-hasty", "timeout = \"500ms\"; rise = 2; fall = 3",
	  "timeout = \"900ms\"; rise = 2; fall = 1" },
	{ NULL, "timeout = \"500ms\"", "timeout = \"400ms\"" },
	{ "check-return", "rise = 2; fall = 3", "rise = 100; fall = 3" },
	{ "check-rate", "interval = \"1s\";\n    fast_interval = \"200ms\"; timeout = \"500ms\"",
	  "interval = \"50ms\"; fast_interval = \"50ms\"; timeout = \"100ms\"" },
	{ "damping", "damp_turns = 5", "damp_turns = 1" },
	{ "damping", "damp_turns = 5", "damp_turns = 0" },
	{ "damping", "damp_turns = 5", "damp_turns = 2" },
	{ NULL, "damp_turns = 5", "damp_turns = 3" },
	{ "damping", "damp_turns = 5", "damp_turns = 5; damp_max = \"1h\"" },
	{ NULL, "damp_turns = 5", "damp_turns = 5; damp_max = \"2m\"" },
	{ "guard-lowered", "min_healthy = \"50%\"", "min_healthy = \"0%\"" },
	{ "guard-lowered", "max_remove = \"50%\"", "max_remove = \"100%\"" },
	{ NULL, "max_remove = \"50%\"", "max_remove = \"60%\"" },
	{ "removal-blocked", "min_healthy = \"50%\"", "min_healthy = \"100%\"" },
	{ "removal-slowed", "max_remove = \"50%\"", "max_remove = \"1%\"" },
	{ "on-all-down", "on_all_down = \"last_good\"", "on_all_down = \"fail_closed\"" },
	{ "backup-changed",
	  " backup = \"web-ams\";\n"
	  "             backup_max = { new_flows = \"500/s\"; bits = \"2Gbit\"; };",
	  "" },
	{ "backup-changed", "new_flows = \"500/s\"", "new_flows = \"499/s\"" },
	{ "backup-changed", "bits = \"2Gbit\"", "bits = \"1Gbit\"" },
	{ NULL, "new_flows = \"500/s\"; bits = \"2Gbit\"",
	  "new_flows = \"900/s\"; bits = \"3Gbit\"" },
	{ "flow-memory", "idle_time = \"50s\"", "idle_time = \"1s\"" },
	{ "flow-memory", "settle_time = \"60s\"", "settle_time = \"1s\"" },
	{ "flow-memory", "udp_idle = \"20s\"", "udp_idle = \"1s\"" },
	{ NULL, "udp_idle = \"20s\"", "udp_idle = \"30s\"" },
	{ "udp-policy", "udp_policy = \"keep\"", "udp_policy = \"reset\"" },
	{ "udp-policy", "udp_policy = \"keep\"", "udp_policy = \"migrate\"" },
	{ "entries-gone", "protocol = \"tcp\"; port = 80", "protocol = \"tcp\"; port = 81" },
	{ "entries-gone", "\"203.0.113.10\", ", "" },
	{ "entries-gone", "\"203.0.113.10\"", "\"203.0.113.99\"" },
	{ "entries-gone", "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; },\n", "" },
	{ "site-emptied", "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; },\n", "" },
	{ "answers-unproven", "\"203.0.113.10\", ", "\"203.0.113.99\", \"203.0.113.10\", " },
	{ "ports-gone", "{ interface = \"eth1\"; }, {", "{ interface = \"eth9\"; }, {" },
	{ "ports-gone",
	  ", { interface = \"eth2\";\n      macs = [ \"02:00:5e:00:01:0a\", \"02:00:5e:00:01:0b\" ]; }",
	  "" },
	{ NULL, "{ interface = \"eth1\"; }, {",
	  "{ interface = \"eth0\"; }, { interface = \"eth1\"; }, {" },
	{ "port-device", "interface = \"eth2\"",
	  "interface = \"eth2\"; device = \"0000:01:00.0\"" },
	{ "port-device", "\"02:00:5e:00:01:0a\", ", "" },
	{ "port-device", "      macs = [ \"02:00:5e:00:01:0a\", \"02:00:5e:00:01:0b\" ];", "" },
	{ "port-device", "\"02:00:5e:00:01:0a\"", "\"02:00:5e:00:01:0c\"" },
	{ NULL, "\"02:00:5e:00:01:0a\", \"02:00:5e:00:01:0b\"",
	  "\"02:00:5e:00:01:0b\", \"02:00:5e:00:01:0c\", \"02:00:5e:00:01:0a\"" },
	{ "driver-changed", "driver = \"xdp\"", "driver = \"dpdk\"" },
	{ "next-start", "driver = \"xdp\";", "driver = \"xdp\"; dpdk = { memory = 512; };" },
	{ "tunnel-source", "10.1.255.0/24", "10.1.254.0/24" },
	{ "tunnel-source", "2001:db8:2::/64", "2001:db8:3::/64" },
	{ "mtu-changed", "mtu = 1500", "mtu = 1400" },
	{ "listeners-gone", "\"192.0.2.53\", \"192.0.2.54\"", "" },
	{ "listeners-gone", "\"192.0.2.53\", \"192.0.2.54\"", "\"192.0.2.53\"" },
	{ NULL, "\"192.0.2.54\"", "\"192.0.2.54\", \"192.0.2.55\"" },
	{ "node-gone",
	  ",\n  { name = \"fra-1\"; site = \"fra\"; ports = ( { interface = \"eth1\"; } );\n"
	  "    tunnel_source = [ \"10.2.255.0/24\", \"2001:db8:2::/64\" ]; dns_listen = [ \"192.0.2.60\" ];\n"
	  "    announce = { daemon = \"bird\"; dns = [ \"192.0.2.60\" ]; }; }",
	  "" },
	{ "node-moved", "\"fra-1\"; site = \"fra\"", "\"fra-1\"; site = \"par\"" },
	{ "api-moved", "api = \"https://10.1.1.2:8443\";", "" },
	{ "controls-changed", "controls = [ \"10.1.1.1\" ]", "controls = [ \"10.1.1.9\" ]" },
	{ "controls-changed", "controls = [ \"10.1.1.1\" ]",
	  "controls = [ \"10.1.1.1\", \"10.1.1.9\" ]" },
	{ "clock-guard", "clock = \"synchronised\"", "clock = \"trusted\"" },
	{ "capacity-guard", "capacity = { bits = \"10Gbit\"; };", "" },
	{ "capacity-guard", "bits = \"10Gbit\"", "bits = \"10Tbit\"" },
	{ NULL, "bits = \"10Gbit\"", "bits = \"12Gbit\"" },
	{ "vip-sites-changed", "sites = [ \"ams\", \"fra\" ]", "sites = [ \"fra\" ]" },
	{ "vip-sites-changed", "sites = [ \"ams\", \"fra\" ]",
	  "sites = [ \"par\", \"fra\", \"ams\" ]" },
	{ "vip-sites-changed", "\"new\"; site = \"ams\"", "\"new\"; sites = [ \"ams\", \"par\" ]" },
	{ NULL, "\"new\"; site = \"ams\"", "\"new\"; site = \"fra\"" }, /* it has no service */
	{ NULL, "{ name = \"any\"; sites = [ \"ams\", \"fra\" ]",
	  "{ name = \"other\"; sites = [ \"fra\", \"ams\" ]" },
	{ "announce-stopped", "daemon = \"bird\";", "" },
	{ "announce-stopped", "daemon = \"bird\";", "daemon = \"bird\"; vips = [ \"shop-fra\" ];" },
	{ "announce-stopped", " dns = [ \"192.0.2.60\" ];", "" },
	{ NULL, "daemon = \"bird\";", "daemon = \"bird\"; vips = [ \"any\", \"shop-fra\" ];" },
	{ NULL, "daemon = \"bird\";", "daemon = \"bird\"; socket = \"/run/other\";" },
	{ "announce-moved", "daemon = \"bird\";", "daemon = \"frr\";" },
	{ "announce-moved", "daemon = \"bird\";", "daemon = \"bird\"; table = 7;" },
	{ "announce-moved", "daemon = \"bird\";", "daemon = \"bird\"; gshut_table = 7;" },
	{ "announce-when", "{ name = \"any\";", "{ name = \"any\"; announce_when = \"all\";" },
	{ NULL, "{ name = \"new\";",
	  "{ name = \"new\"; announce_when = \"all\";" }, /* nobody does */
	{ "cluster-renamed", "cluster = { name = \"shop\"", "cluster = { name = \"store\"" },
	{ "sites-out", "hash_key_id = \"k1\"; }", "hash_key_id = \"k1\"; max_sites_out = 2; }" },
	{ "tables-smaller", "exceptions = 65536", "exceptions = 1024" },
	{ NULL, "exceptions = 65536", "exceptions = 131072" },
	{ "site-gone", ", { name = \"par\"; weight = 100; }", "" },
	{ "site-emptied", "\"fra\"; weight = 20", "\"fra\"; weight = 0" },
	{ "answers-move", "\"ams\"; weight = 100", "\"ams\"; weight = 20" },
	/* to the first of all by failover: the second site's part moves, and that is small here */
	{ NULL, "policy = \"weighted\"; ttl", "policy = \"failover\"; ttl" },
	{ NULL, "\"fra\"; weight = 20", "\"fra\"; weight = 30" },
	{ "check-removed", "vip_check = \"vip\";", "vip_check = \"none\";" },
	{ NULL, "vip_check = \"vip\";", "" }, /* the default takes its place */
	{ "ttl-longer", "max = \"60s\"", "max = \"1d\"" },
	{ "ttl-longer", "min = \"5s\"", "min = \"60s\"" },
	{ "ttl-shorter", "max = \"60s\"", "max = \"5s\"" },
	{ NULL, "max = \"60s\"", "max = \"90s\"" },
	{ "names-gone", ",\n    { name = \"q.shop.example\"; service = \"quic\"; }", "" },
	{ "zones-gone", ",\n    { name = \"blog.example\"; file = \"blog.example.zone\"; }", "" },
	{ NULL, "schema = 1;", "# a comment\nschema = 1;" },
	{ NULL, "name = \"par\"; weight = 100;",
	  "name = \"par\"; weight = 100; labels = { region = \"eu\"; };" },
};

static void each_rule_sees_its_change_and_leaves_the_harmless_beside_it(void **state)
{
	(void)state;
	struct model *base = read_model(base_config, base_zone);
	char text[8192];

	for (size_t i = 0; i < COUNT(changes); i++) {
		const char *rule = changes[i].rule;

		replace_text(base_config, changes[i].from, changes[i].to, text, sizeof(text));
		print_message("  %s: %.60s\n", rule ? rule : "harmless", changes[i].to);
		struct model *m = read_model(text, base_zone);
		expect_rule(base, m, rule);
		model_free(m);
	}
	model_free(base);
}

static void zones_are_compared_by_their_records(void **state)
{
	(void)state;
	static const struct change zones[] = {
		{ "records-gone", "a A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\nd A 192.0.2.4\n",
		  "" },
		{ "records-gone", "a A 192.0.2.1\nb A 192.0.2.2\n", "" },
		{ "records-change", "a A 192.0.2.1\nb A 192.0.2.2\nc A 192.0.2.3\nd A 192.0.2.4\n",
		  "a A 192.0.2.9\nb A 192.0.2.9\nc A 192.0.2.9\nd A 192.0.2.9\n" },
		{ "zone-servers", "@ NS ns1\n", "@ NS a\n" },
		{ "zone-servers", "@ NS ns1\n", "" },
		{ NULL, "e A 192.0.2.5\n", "e NS ns1\n" }, /* a delegation is not the zone's own */
		{ NULL, "e A 192.0.2.5\n", "e A 192.0.2.5\nf A 192.0.2.6\n" },
		{ NULL, "a A 192.0.2.1\n", "A.shop.example. 300 IN a 192.0.2.1 ; the same\n" },
		{ NULL, "host 1 60", "host 2 60" },
		{ NULL, "a A 192.0.2.1\n", "" },
	};
	struct model *base = read_model(base_config, base_zone);
	char text[2048];

	for (size_t i = 0; i < COUNT(zones); i++) {
		replace_text(base_zone, zones[i].from, zones[i].to, text, sizeof(text));
		print_message("  %s\n", zones[i].to);
		struct model *m = read_model(base_config, text);
		expect_rule(base, m, zones[i].rule);
		model_free(m);
	}
	model_free(base);
}

/* A set of several records changes when one of them does, whichever; their order is none of it. */
static void a_set_of_records_changes_with_each_of_them(void **state)
{
	(void)state;
	static const char zone[] =
	        "$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n"
	        "a A 192.0.2.1\na A 192.0.2.2\na A 192.0.2.3\nb A 192.0.2.1\nb A 192.0.2.2\nb A 192.0.2.3\n"
	        "c A 192.0.2.1\nc A 192.0.2.2\nc A 192.0.2.3\nd A 192.0.2.1\nd A 192.0.2.2\nd A 192.0.2.3\n";
	static const char *const names[] = { "a", "b", "c", "d" };
	struct model *base = read_model(base_config, zone), *m;
	char text[2048], next[2048], from[64], to[64];

	for (int record = 1; record <= 3; record++) {
		snprintf(text, sizeof(text), "%s", zone);
		for (size_t i = 0; i < COUNT(names); i++) {
			snprintf(from, sizeof(from), "\n%s A 192.0.2.%d\n", names[i], record);
			snprintf(to, sizeof(to), "\n%s A 192.0.2.9\n", names[i]);
			replace_text(text, from, to, next, sizeof(next));
			snprintf(text, sizeof(text), "%s", next);
		}
		m = read_model(base_config, text);
		expect_rule(base, m, "records-change");
		model_free(m);
	}
	snprintf(text, sizeof(text), "%s", zone);
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(from, sizeof(from), "\n%s A 192.0.2.1\n%s A 192.0.2.2\n", names[i],
		         names[i]);
		snprintf(to, sizeof(to), "\n%s A 192.0.2.2\n%s A 192.0.2.1\n", names[i], names[i]);
		replace_text(text, from, to, next, sizeof(next));
		snprintf(text, sizeof(text), "%s", next);
	}
	m = read_model(base_config, text);
	expect_rule(base, m, NULL);
	model_free(m);
	model_free(base);
}

/* Zones that no version has the files of have no digest: they are read, and not taken for equal. */
static void zones_without_a_digest_are_compared(void **state)
{
	(void)state;
	struct model *base = read_model(base_config, base_zone), *m;
	char text[2048];

	replace_text(base_zone, "a A 192.0.2.1\nb A 192.0.2.2\n", "", text, sizeof(text));
	m = read_model(base_config, text);
	for (size_t i = 0; i < m->n_zones; i++) {
		((struct model_zone *)(uintptr_t)base->zones)[i].digest = "";
		((struct model_zone *)(uintptr_t)m->zones)[i].digest = "";
	}
	expect_rule(base, m, "records-gone");
	model_free(m);
	model_free(base);
}

static void all_weights_at_zero_move_answers(void **state)
{
	(void)state;
	struct model *base = read_model(base_config, base_zone);
	char one[8192], two[8192];

	replace_text(base_config, "\"ams\"; weight = 100", "\"ams\"; weight = 0", one, sizeof(one));
	replace_text(one, "\"fra\"; weight = 20", "\"fra\"; weight = 0", two, sizeof(two));
	struct model *m = read_model(two, base_zone);
	expect_rule(base, m, "answers-move"); /* 17 % at fra become 50 % */
	model_free(m);
	model_free(base);
}

#define FRA_TOO                                                                                           \
	",\n           { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; backup = \"web-ams\";\n" \
	"             backup_max = { new_flows = \"500/s\"; bits = \"2Gbit\"; }; }"

/*
 * What shows only beside something else: the second replacement is judged, where the first was
 * made before.
 */
static const struct {
	const char *rule, *first_from, *first_to, *from, *to;
} pairs[] = {
	{ "entries-gone",
	  ",\n  { name = \"quic\"; protocol = \"udp\"; port = 443; udp_policy = \"keep\"; udp_idle = \"20s\";\n"
	  "    at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } ); }",
	  "", /* addresses that change sites: packets come in elsewhere */
	  "addresses = [ \"203.0.113.10\", \"2001:db8:1::10\" ]; },\n"
	  "  { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; }",
	  "addresses = [ \"198.51.100.10\" ]; },\n  { name = \"shop-fra\"; site = \"fra\";"
	  " addresses = [ \"203.0.113.10\", \"2001:db8:1::10\" ]; }" },
	{ "entries-gone", "hash = \"flow\"; vip_check = \"vip\";", "",
	  "protocol = \"tcp\"; port = 80", "protocol = \"udp\"; port = 80" },
	/* nobody probes the VIPs of one site's service: without their check nothing is lost */
	{ NULL, FRA_TOO, "", "vip_check = \"vip\";", "vip_check = \"none\";" },
	{ NULL, FRA_TOO, "", "timeout = \"400ms\"; fall = 4", "timeout = \"400ms\"; fall = 100" },
	{ "guard-lowered", "min_healthy = \"50%\"", "min_healthy = \"10%\"",
	  "min_healthy = \"10%\"", "min_healthy = \"0%\"" },
	{ NULL, "min_healthy = \"50%\"", "min_healthy = \"20%\"", "min_healthy = \"20%\"",
	  "min_healthy = \"10%\"" },
};

static void what_was_there_before_counts(void **state)
{
	(void)state;
	static const char q_name[] = ",\n    { name = \"q.shop.example\"; service = \"quic\"; }";
	char first[8192], before[8192], after[8192];

	replace_text(base_config, q_name, "", first, sizeof(first));
	for (size_t i = 0; i < COUNT(pairs); i++) {
		replace_text(first, pairs[i].first_from, pairs[i].first_to, before, sizeof(before));
		replace_text(before, pairs[i].from, pairs[i].to, after, sizeof(after));
		struct model *a = read_model(before, base_zone), *b = read_model(after, base_zone);

		print_message("  %s\n", pairs[i].to);
		expect_rule(a, b, pairs[i].rule);
		model_free(a);
		model_free(b);
	}
}

/*
 * The first and the last site break rules of their own; that nobody probes any more is none of
 * them.
 */
static void a_service_with_one_site_before_or_after_has_no_vip_check_to_lose(void **state)
{
	(void)state;
	char many[8192], one[8192];

	replace_text(base_config, "vip_check = \"vip\";", "vip_check = \"none\";", many,
	             sizeof(many));
	replace_text(base_config, FRA_TOO, "", one, sizeof(one));
	struct model *from = read_model(one, base_zone), *to = read_model(many, base_zone);

	assert_false(breaks_rule(from, to, "check-removed"));
	assert_true(breaks_rule(from, to, "answers-unproven")); /* it was compared */
	model_free(from);
	model_free(to);
	replace_text(many, FRA_TOO, "", one, sizeof(one));
	from = read_model(base_config, base_zone);
	to = read_model(one, base_zone);
	assert_false(breaks_rule(from, to, "check-removed"));
	assert_true(breaks_rule(from, to, "site-emptied"));
	model_free(from);
	model_free(to);
}

/* Where a name is still the same, and the file is not. */
static void another_key_under_the_same_name_hashes_all_flows_anew(void **state)
{
	(void)state;
	struct model *base = read_model(base_config, base_zone);

	fixture_write(place.conf, "hash.key", "00112233445566778899aabbccddeef0\n");
	struct model *m = read_model(base_config, base_zone);
	expect_rule(base, m, "flows-rehashed");
	model_free(m);
	fixture_write(place.conf, "hash.key", "00112233445566778899aabbccddeeff\n");
	model_free(base);
}

static void a_zone_that_cannot_be_compared_is_risky(void **state)
{
	(void)state;
	struct model *base = read_model(base_config, base_zone);
	struct model *m = read_model(
	        base_config,
	        "$ORIGIN shop.example.\n$TTL 60\n@ SOA ns1 host 9 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n");
	bool found = false;

	for (size_t i = 0; i < m->n_zones; i++)
		if (!strcmp(m->zones[i].name, "shop.example")) {
			assert_int_equal(unlink(m->zones[i].file), 0);
			found = true;
		}
	assert_true(found);
	expect_rule(base, m, "zone-unread");
	model_free(m);
	model_free(base);
}

static void every_rule_is_broken_by_a_change_of_these_tests(void **state)
{
	(void)state;
	static const char *const elsewhere[] = {
		"records-gone",        "records-change",  "zone-servers",
		"zone-unread",         "service-renamed", /* test_risk_figures.c */
		"override-lost",                          /* test_changes.c */
		"registered-left-out",                    /* test_members.py */
	};

	for (int i = 0; i < RULE_COUNT; i++) {
		bool found = rule_rows[i].scope != RULE_CHANGE;

		for (size_t k = 0; k < COUNT(changes); k++)
			found |= changes[k].rule && !strcmp(changes[k].rule, rule_rows[i].name);
		for (size_t k = 0; k < COUNT(elsewhere); k++)
			found |= !strcmp(elsewhere[k], rule_rows[i].name);
		if (!found)
			fail_msg("no change for rule %s", rule_rows[i].name);
	}
}

SUITE(risk)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_sees_its_change_and_leaves_the_harmless_beside_it),
		cmocka_unit_test(zones_are_compared_by_their_records),
		cmocka_unit_test(a_set_of_records_changes_with_each_of_them),
		cmocka_unit_test(zones_without_a_digest_are_compared),
		cmocka_unit_test(all_weights_at_zero_move_answers),
		cmocka_unit_test(what_was_there_before_counts),
		cmocka_unit_test(a_service_with_one_site_before_or_after_has_no_vip_check_to_lose),
		cmocka_unit_test(another_key_under_the_same_name_hashes_all_flows_anew),
		cmocka_unit_test(a_zone_that_cannot_be_compared_is_risky),
		cmocka_unit_test(every_rule_is_broken_by_a_change_of_these_tests),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
