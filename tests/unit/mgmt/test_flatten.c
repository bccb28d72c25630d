/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration in which every setting has a value of its own, as a list of paths and values: a
 * setting that is missing there would change without being shown in a plan, and one that is listed
 * wrongly would be shown wrongly.
 */
#include "fixture_model.h"

#include <errno.h>

#include "base/arena.h"
#include "tests/unit/suite.h"
#include "weir/flatten.h"
#include "mgmt/rules/plan.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char config[] =
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k7\"; max_sites_out = 2; };\n"
        "limits = { services = 4000; backends = 16000; slots = 1000000; exceptions = 65000; };\n"
        "sites = ( { name = \"fra\"; weight = 30; },\n"
        "          { name = \"ams\"; weight = 70; labels = { region = \"eu\"; }; capacity = { new_flows = \"2k/s\"; bits = \"3Gbit\"; }; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; driver = \"dpdk\";\n"
        "            ports = ( { interface = \"eth1\"; device = \"0000:01:00.0\"; macs = [ \"00:00:5e:00:01:0a\", \"02:00:5e:ff:01:0b\" ]; },\n"
        "                      { interface = \"eth2\"; } );\n"
        "            dpdk = { cores = \"1,3\"; hugepages = \"no\"; memory = 512; };\n"
        "            tunnel_source = [ \"10.1.255.0/24\", \"2001:db8:1::/64\" ]; mtu = 1600;\n"
        "            dns_listen = [ \"192.0.2.53\", \"2001:db8::53\" ]; controls = [ \"10.1.0.1\", \"10.1.0.2\" ];\n"
        "            api = \"https://10.1.0.9:8443\"; clock = \"trusted\";\n"
        "            announce = { daemon = \"bird\"; table = 7; gshut_table = 8; vips = [ \"shop-ams\", \"any\" ]; dns = [ \"2001:db8::53\", \"192.0.2.53\" ]; socket = \"/run/b\"; }; },\n"
        "          { name = \"fra-1\"; site = \"fra\"; ports = ( { interface = \"eth3\"; } ); tunnel_source = [ \"10.2.255.0/24\", \"2001:db8:2:1::/64\" ]; } );\n"
        "checks = ( { name = \"web\"; type = \"http\"; port = 8080; path = \"/alive\"; host = \"shop.example\"; expect = 204; via = \"tunnel\";\n"
        "             interval = \"4s\"; fast_interval = \"300ms\"; timeout = \"700ms\"; rise = 5; fall = 6; damp_turns = 7;\n"
        "             damp_half_life = \"8s\"; damp_max = \"9m\"; },\n"
        "           { name = \"plain\"; type = \"tcp\"; } );\n"
        "pools = ( { name = \"web-ams\"; site = \"ams\"; check = \"web\"; mode = \"gue\"; agent = true; max_backends = 20; min_healthy = \"40%\";\n"
        "            max_remove = \"30%\"; settle_time = \"10m\"; idle_time = \"4m\";\n"
        "            backends = ( { name = \"b1\"; address = \"10.1.1.11\"; port = 80; weight = 10; }, { name = \"b2\"; address = \"10.1.1.12\"; weight = 11; } ); },\n"
        "          { name = \"web-fra\"; site = \"fra\"; backends = ( { name = \"b1\"; address = \"2001:db8:2::b\"; } ); } );\n"
        "vips = ( { name = \"shop-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8::10\" ]; announce_when = \"all\"; },\n"
        "         { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; },\n"
        "         { name = \"any\"; sites = [ \"fra\", \"ams\" ]; addresses = [ \"192.0.2.7\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; hash = \"source\"; vip_check = \"plain\"; on_all_down = \"fail_closed\";\n"
        "               at = ( { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; weight = 5; },\n"
        "                      { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; backup = \"web-fra\";\n"
        "                        backup_max = { new_flows = \"4k/s\"; bits = \"5Mbit\"; }; backup_mtu = 1590; } ); },\n"
        "             { name = \"voice\"; protocol = \"udp\"; port = 53; udp_idle = \"12s\"; udp_policy = \"reset\";\n"
        "               at = ( { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; } ); },\n"
        "             { name = \"xmpp\"; protocol = \"tcp\"; port = 5222;\n"
        "               at = ( { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; } ); } );\n"
        "dns = { threads = 3; zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; } );\n"
        "  names = ( { name = \"www.shop.example\"; service = \"web\"; policy = \"failover\"; ttl = { min = \"6s\"; max = \"70s\"; }; },\n"
        "            { name = \"voice.shop.example\"; service = \"voice\"; } ); };\n";

static const struct {
	const char *path, *value;
} items[] = {
	{ "checks/plain", "" },
	{ "checks/plain/damp_half_life_ms", "60000" },
	{ "checks/plain/damp_max_ms", "300000" },
	{ "checks/plain/damp_turns", "5" },
	{ "checks/plain/expect", "200" },
	{ "checks/plain/fall", "3" },
	{ "checks/plain/fast_interval_ms", "200" },
	{ "checks/plain/host", "" },
	{ "checks/plain/interval_ms", "1000" },
	{ "checks/plain/path", "/" },
	{ "checks/plain/port", "0" },
	{ "checks/plain/rise", "2" },
	{ "checks/plain/timeout_ms", "500" },
	{ "checks/plain/type", "tcp" },
	{ "checks/plain/via", "direct" },
	{ "checks/web", "" },
	{ "checks/web/damp_half_life_ms", "8000" },
	{ "checks/web/damp_max_ms", "540000" },
	{ "checks/web/damp_turns", "7" },
	{ "checks/web/expect", "204" },
	{ "checks/web/fall", "6" },
	{ "checks/web/fast_interval_ms", "300" },
	{ "checks/web/host", "shop.example" },
	{ "checks/web/interval_ms", "4000" },
	{ "checks/web/path", "/alive" },
	{ "checks/web/port", "8080" },
	{ "checks/web/rise", "5" },
	{ "checks/web/timeout_ms", "700" },
	{ "checks/web/type", "http" },
	{ "checks/web/via", "tunnel" },
	{ "cluster/hash_key_id", "k7" },
	{ "cluster/max_sites_out", "2" },
	{ "cluster/name", "shop" },
	{ "dns/names/voice.shop.example", "" },
	{ "dns/names/voice.shop.example/policy", "weighted" },
	{ "dns/names/voice.shop.example/service", "voice" },
	{ "dns/names/voice.shop.example/ttl/max_s", "60" },
	{ "dns/names/voice.shop.example/ttl/min_s", "5" },
	{ "dns/names/www.shop.example", "" },
	{ "dns/names/www.shop.example/policy", "failover" },
	{ "dns/names/www.shop.example/service", "web" },
	{ "dns/names/www.shop.example/ttl/max_s", "70" },
	{ "dns/names/www.shop.example/ttl/min_s", "6" },
	{ "dns/threads", "3" },
	{ "dns/zones/shop.example", "" },
	{ "dns/zones/shop.example/contents", "f5c0d877df1fb41e" },
	{ "limits/backends", "16000" },
	{ "limits/exceptions", "65000" },
	{ "limits/services", "4000" },
	{ "limits/slots", "1000000" },
	{ "nodes/ams-1", "" },
	{ "nodes/ams-1/announce/daemon", "bird" },
	{ "nodes/ams-1/announce/dns", "2001:db8::53 192.0.2.53" },
	{ "nodes/ams-1/announce/gshut_table", "8" },
	{ "nodes/ams-1/announce/socket", "/run/b" },
	{ "nodes/ams-1/announce/table", "7" },
	{ "nodes/ams-1/announce/vips", "listed" },
	{ "nodes/ams-1/announce/vips/any", "any" },
	{ "nodes/ams-1/announce/vips/shop-ams", "shop-ams" },
	{ "nodes/ams-1/api", "https://10.1.0.9:8443" },
	{ "nodes/ams-1/clock", "trusted" },
	{ "nodes/ams-1/controls", "10.1.0.1 10.1.0.2" },
	{ "nodes/ams-1/dns_listen", "192.0.2.53 2001:db8::53" },
	{ "nodes/ams-1/dpdk/cores", "1,3" },
	{ "nodes/ams-1/dpdk/hugepages", "no" },
	{ "nodes/ams-1/dpdk/memory", "512" },
	{ "nodes/ams-1/driver", "dpdk" },
	{ "nodes/ams-1/mtu", "1600" },
	{ "nodes/ams-1/ports/eth1", "0000:01:00.0" },
	{ "nodes/ams-1/ports/eth1/macs", "00:00:5e:00:01:0a 02:00:5e:ff:01:0b" },
	{ "nodes/ams-1/ports/eth2", "eth2" },
	{ "nodes/ams-1/samples", "kept" },
	{ "nodes/ams-1/site", "ams" },
	{ "nodes/ams-1/tunnel_source4", "10.1.255.0/24" },
	{ "nodes/ams-1/tunnel_source6", "2001:db8:1::/64" },
	{ "nodes/fra-1", "" },
	{ "nodes/fra-1/announce/daemon", "none" },
	{ "nodes/fra-1/announce/dns", "" },
	{ "nodes/fra-1/announce/gshut_table", "178" },
	{ "nodes/fra-1/announce/socket", "" },
	{ "nodes/fra-1/announce/table", "177" },
	{ "nodes/fra-1/announce/vips", "all of the site" },
	{ "nodes/fra-1/api", "" },
	{ "nodes/fra-1/clock", "synchronised" },
	{ "nodes/fra-1/controls", "" },
	{ "nodes/fra-1/dns_listen", "" },
	{ "nodes/fra-1/dpdk/cores", "" },
	{ "nodes/fra-1/dpdk/hugepages", "auto" },
	{ "nodes/fra-1/dpdk/memory", "256" },
	{ "nodes/fra-1/driver", "auto" },
	{ "nodes/fra-1/mtu", "1500" },
	{ "nodes/fra-1/ports/eth3", "eth3" },
	{ "nodes/fra-1/samples", "kept" },
	{ "nodes/fra-1/site", "fra" },
	{ "nodes/fra-1/tunnel_source4", "10.2.255.0/24" },
	{ "nodes/fra-1/tunnel_source6", "2001:db8:2:1::/64" },
	{ "pools/web-ams", "" },
	{ "pools/web-ams/agent", "true" },
	{ "pools/web-ams/backends/b1", "" },
	{ "pools/web-ams/backends/b1/address", "10.1.1.11" },
	{ "pools/web-ams/backends/b1/port", "80" },
	{ "pools/web-ams/backends/b1/weight", "10" },
	{ "pools/web-ams/backends/b2", "" },
	{ "pools/web-ams/backends/b2/address", "10.1.1.12" },
	{ "pools/web-ams/backends/b2/port", "0" },
	{ "pools/web-ams/backends/b2/weight", "11" },
	{ "pools/web-ams/check", "web" },
	{ "pools/web-ams/idle_time_ms", "240000" },
	{ "pools/web-ams/max_backends", "20" },
	{ "pools/web-ams/max_remove", "30%" },
	{ "pools/web-ams/min_healthy", "40%" },
	{ "pools/web-ams/mode", "gue" },
	{ "pools/web-ams/settle_time_ms", "600000" },
	{ "pools/web-ams/site", "ams" },
	{ "pools/web-fra", "" },
	{ "pools/web-fra/agent", "false" },
	{ "pools/web-fra/backends/b1", "" },
	{ "pools/web-fra/backends/b1/address", "2001:db8:2::b" },
	{ "pools/web-fra/backends/b1/port", "0" },
	{ "pools/web-fra/backends/b1/weight", "100" },
	{ "pools/web-fra/check", "none" },
	{ "pools/web-fra/idle_time_ms", "300000" },
	{ "pools/web-fra/max_backends", "100" },
	{ "pools/web-fra/max_remove", "50%" },
	{ "pools/web-fra/min_healthy", "50%" },
	{ "pools/web-fra/mode", "ipip" },
	{ "pools/web-fra/settle_time_ms", "900000" },
	{ "pools/web-fra/site", "fra" },
	{ "services/voice", "" },
	{ "services/voice/at/fra", "" },
	{ "services/voice/at/fra/order", "0" },
	{ "services/voice/at/fra/pool", "web-fra" },
	{ "services/voice/at/fra/vip", "shop-fra" },
	{ "services/voice/at/fra/weight", "30" },
	{ "services/voice/hash", "flow" },
	{ "services/voice/on_all_down", "last_good" },
	{ "services/voice/port", "53" },
	{ "services/voice/protocol", "udp" },
	{ "services/voice/udp_idle_ms", "12000" },
	{ "services/voice/udp_policy", "reset" },
	{ "services/voice/vip_check", "not given" },
	{ "services/web", "" },
	{ "services/web/at/ams", "" },
	{ "services/web/at/ams/backup", "web-fra" },
	{ "services/web/at/ams/backup_max/bits", "5000000" },
	{ "services/web/at/ams/backup_max/new_flows", "4000" },
	{ "services/web/at/ams/backup_mtu", "1590" },
	{ "services/web/at/ams/order", "1" },
	{ "services/web/at/ams/pool", "web-ams" },
	{ "services/web/at/ams/vip", "shop-ams" },
	{ "services/web/at/ams/weight", "70" },
	{ "services/web/at/fra", "" },
	{ "services/web/at/fra/order", "0" },
	{ "services/web/at/fra/pool", "web-fra" },
	{ "services/web/at/fra/vip", "shop-fra" },
	{ "services/web/at/fra/weight", "5" },
	{ "services/web/hash", "source" },
	{ "services/web/on_all_down", "fail_closed" },
	{ "services/web/port", "80" },
	{ "services/web/protocol", "tcp" },
	{ "services/web/udp_idle_ms", "30000" },
	{ "services/web/udp_policy", "keep" },
	{ "services/web/vip_check", "plain" },
	{ "services/xmpp", "" },
	{ "services/xmpp/at/fra", "" },
	{ "services/xmpp/at/fra/order", "0" },
	{ "services/xmpp/at/fra/pool", "web-fra" },
	{ "services/xmpp/at/fra/vip", "shop-fra" },
	{ "services/xmpp/at/fra/weight", "30" },
	{ "services/xmpp/hash", "flow" },
	{ "services/xmpp/on_all_down", "last_good" },
	{ "services/xmpp/port", "5222" },
	{ "services/xmpp/protocol", "tcp" },
	{ "services/xmpp/udp_idle_ms", "30000" },
	{ "services/xmpp/udp_policy", "keep" },
	{ "services/xmpp/vip_check", "not given" },
	{ "sites/ams", "" },
	{ "sites/ams/capacity/bits", "3000000000" },
	{ "sites/ams/capacity/new_flows", "2000" },
	{ "sites/ams/region", "eu" },
	{ "sites/ams/weight", "70" },
	{ "sites/fra", "" },
	{ "sites/fra/capacity/bits", "0" },
	{ "sites/fra/capacity/new_flows", "0" },
	{ "sites/fra/region", "" },
	{ "sites/fra/weight", "30" },
	{ "vips/any", "" },
	{ "vips/any/addresses", "192.0.2.7" },
	{ "vips/any/announce_when", "any" },
	{ "vips/any/sites/ams", "ams" },
	{ "vips/any/sites/fra", "fra" },
	{ "vips/shop-ams", "" },
	{ "vips/shop-ams/addresses", "203.0.113.10 2001:db8::10" },
	{ "vips/shop-ams/announce_when", "all" },
	{ "vips/shop-ams/site", "ams" },
	{ "vips/shop-fra", "" },
	{ "vips/shop-fra/addresses", "198.51.100.10" },
	{ "vips/shop-fra/announce_when", "any" },
	{ "vips/shop-fra/site", "fra" },
};

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

/* The model of the configuration with @p from replaced by @p to. */
static struct model *model_with(const char *from, const char *to)
{
	static char text[128 << 10];
	const char *at = from ? strstr(config, from) : config;
	struct files files = { 0 };

	assert_non_null(at);
	int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - config), config, from ? to : "",
	                 at + (from ? strlen(from) : 0));
	assert_int_equal(files_add(&files, FILES_MAIN, text, (size_t)n), 0);
	assert_int_equal(files_add(&files, "shop.example.zone", fixture_zone, strlen(fixture_zone)),
	                 0);
	return fixture_model(&place, &files, "ams-1");
}

static void each_setting_is_listed_with_its_value(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct model *m = model_with(NULL, NULL);
	struct flat flat = { 0 };

	(void)state;
	assert_int_equal(flatten_model(m, arena, &flat), 0);
	for (size_t i = 0; i < flat.n && i < COUNT(items); i++)
		if (strcmp(flat.items[i].path, items[i].path) != 0 ||
		    strcmp(flat.items[i].value, items[i].value) != 0)
			fail_msg("%s = \"%s\" instead of %s = \"%s\"", flat.items[i].path,
			         flat.items[i].value, items[i].path, items[i].value);
	assert_int_equal(flat.n, COUNT(items));
	model_free(m);
	arena_free(arena);
}

/* What one setting's change gives: one change, with the words of the document on both sides. */
struct setting {
	const char *from, *to; /* in the configuration */
	const char *path;      /* of the change */
	const char *was, *is;  /* values; "": the object itself */
	enum plan_kind kind;
};

static void check_change(const struct model *before, const struct setting *s)
{
	struct model *m = model_with(s->from, s->to);
	struct change_plan plan, back;

	assert_int_equal(plan_compare(before, m, &plan), 0);
	assert_int_equal(plan_compare(m, before, &back), 0);
	const struct plan_change *c = plan.changes, *b = back.changes;
	if (plan.n_changes != 1 || c->kind != s->kind || strcmp(c->path, s->path) != 0 ||
	    strcmp(c->from, s->was) != 0 || strcmp(c->to, s->is) != 0)
		fail_msg("%s: %zu changes, of %s from \"%s\" to \"%s\"", s->to, plan.n_changes,
		         plan.n_changes ? c->path : "nothing", plan.n_changes ? c->from : "",
		         plan.n_changes ? c->to : "");
	assert_int_equal(back.n_changes, 1);
	assert_string_equal(b->path, s->path);
	assert_string_equal(b->from, s->is);
	assert_string_equal(b->to, s->was);
	plan_fini(&plan);
	plan_fini(&back);
	model_free(m);
}

static void other_values_have_their_own_words(void **state)
{
	static const struct setting settings[] = {
		{ "driver = \"dpdk\"", "driver = \"xdp\"", "nodes/ams-1/driver", "dpdk", "xdp",
		  PLAN_CHANGED },
		{ "cores = \"1,3\"", "cores = \"2-4,31\"", "nodes/ams-1/dpdk/cores", "1,3",
		  "2,3,4,31", PLAN_CHANGED },
		{ "hugepages = \"no\"", "hugepages = \"yes\"", "nodes/ams-1/dpdk/hugepages", "no",
		  "yes", PLAN_CHANGED },
		{ "clock = \"trusted\"", "clock = \"synchronised\"", "nodes/ams-1/clock", "trusted",
		  "synchronised", PLAN_CHANGED },
		{ "clock = \"trusted\"", "clock = \"trusted\"; samples = \"none\"",
		  "nodes/ams-1/samples", "kept", "none", PLAN_CHANGED },
		{ "device = \"0000:01:00.0\"", "device = \"net_tap0\"", "nodes/ams-1/ports/eth1",
		  "0000:01:00.0", "net_tap0", PLAN_CHANGED },
		{ "\"00:00:5e:00:01:0a\", ", "", "nodes/ams-1/ports/eth1/macs",
		  "00:00:5e:00:01:0a 02:00:5e:ff:01:0b", "02:00:5e:ff:01:0b", PLAN_CHANGED },
		{ "macs = [ \"00:00:5e:00:01:0a\", \"02:00:5e:ff:01:0b\" ]; ", "",
		  "nodes/ams-1/ports/eth1/macs", "00:00:5e:00:01:0a 02:00:5e:ff:01:0b", "",
		  PLAN_REMOVED },
		{ ", \"2001:db8:2:1::/64\" ]", ", \"2001:db8:2:2::/64\" ]",
		  "nodes/fra-1/tunnel_source6", "2001:db8:2:1::/64", "2001:db8:2:2::/64",
		  PLAN_CHANGED },
		{ ", { name = \"b2\"; address = \"10.1.1.12\"; weight = 11; }", "",
		  "pools/web-ams/backends/b2", "", "", PLAN_REMOVED },
		{ "agent = true; ", "", "pools/web-ams/agent", "true", "false", PLAN_CHANGED },
		{ "udp_policy = \"reset\"", "udp_policy = \"migrate\"", "services/voice/udp_policy",
		  "reset", "migrate", PLAN_CHANGED },
		{ "udp_policy = \"reset\"", "udp_policy = \"keep\"", "services/voice/udp_policy",
		  "reset", "keep", PLAN_CHANGED },
		{ "vip_check = \"plain\"", "vip_check = \"none\"", "services/web/vip_check",
		  "plain", "none", PLAN_CHANGED },
		{ "vip_check = \"plain\"; ", "", "services/web/vip_check", "plain", "not given",
		  PLAN_CHANGED },
		{ "daemon = \"bird\"", "daemon = \"frr\"", "nodes/ams-1/announce/daemon", "bird",
		  "frr", PLAN_CHANGED },
		{ "\"shop-ams\", \"any\" ]", "\"any\" ]", "nodes/ams-1/announce/vips/shop-ams",
		  "shop-ams", "", PLAN_REMOVED },
		{ "announce_when = \"all\"; ", "", "vips/shop-ams/announce_when", "all", "any",
		  PLAN_CHANGED },
		{ "threads = 3; ", "", "dns/threads", "3", "", PLAN_REMOVED },
	};
	struct model *before = model_with(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(settings); i++)
		check_change(before, &settings[i]);
	model_free(before);
}

/* Both of a port, one of which is listed below the other. */
static void a_field_below_another_is_a_change_of_its_own(void **state)
{
	struct model *before = model_with(NULL, NULL);
	struct model *m = model_with("device = \"0000:01:00.0\"; macs = [ \"00:00:5e:00:01:0a\", ",
	                             "device = \"net_tap0\"; macs = [ ");
	struct change_plan plan;

	(void)state;
	assert_int_equal(plan_compare(before, m, &plan), 0);
	assert_int_equal(plan.n_changes, 2);
	assert_string_equal(plan.changes[0].path, "nodes/ams-1/ports/eth1");
	assert_string_equal(plan.changes[1].path, "nodes/ams-1/ports/eth1/macs");
	plan_fini(&plan);
	model_free(m);
	model_free(before);
}

/* The longest path of a check differs in its last byte. */
static void the_longest_text_is_compared_to_its_end(void **state)
{
	char path[1025], to[1100];
	struct model *models[2];
	struct change_plan plan;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	for (int i = 0; i < 2; i++) {
		path[sizeof(path) - 2] = (char)('a' + i);
		snprintf(to, sizeof(to), "path = \"%s\"", path);
		models[i] = model_with("path = \"/alive\"", to);
	}
	assert_int_equal(plan_compare(models[0], models[1], &plan), 0);
	assert_int_equal(plan.n_changes, 1);
	assert_string_equal(plan.changes[0].to, path);
	plan_fini(&plan);
	model_free(models[0]);
	model_free(models[1]);
}

/* What is below an object follows it, before a name that only begins like it. */
static void the_order_keeps_objects_together(void **state)
{
	static const char *const sorted[] = { "",    "a",   "a/", "a/b", "a/b/c", "a/bc",
		                              "a-b", "a.b", "a0", "aa",  "a\xc3", "b" };

	(void)state;
	for (size_t i = 0; i < COUNT(sorted); i++)
		for (size_t k = 0; k < COUNT(sorted); k++) {
			int c = flat_compare(sorted[i], sorted[k]);

			if ((c > 0) - (c < 0) != (i > k) - (i < k))
				fail_msg("%s and %s: %d", sorted[i], sorted[k], c);
		}
}

/* More items than fit at first: none is lost. */
static void a_long_list_is_whole(void **state)
{
	enum { N = 900 };
	static char list[N * 64];
	size_t used = 0;

	(void)state;
	for (int i = 0; i < N; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
		                         "{ name = \"c%03d\"; type = \"tcp\"; }, ", i);
	struct arena *arena = arena_new(8 << 20);
	struct model *m = model_with("{ name = \"plain\"; type = \"tcp\"; }",
	                             strcat(list, "{ name = \"plain\"; type = \"tcp\"; }"));
	struct flat flat = { 0 };
	assert_int_equal(flatten_model(m, arena, &flat), 0);
	assert_int_equal(flat.n, COUNT(items) + (size_t)N * 15);
	for (size_t i = 1; i < flat.n; i++)
		assert_true(flat_compare(flat.items[i - 1].path, flat.items[i].path) < 0);
	arena_free(arena);

	arena = arena_new(64 << 10); /* too small: that is said, and no list is given as whole */
	assert_int_equal(flatten_model(m, arena, &(struct flat){ 0 }), -ENOMEM);
	arena_free(arena);
	model_free(m);
}

SUITE(flatten)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_setting_is_listed_with_its_value),
		cmocka_unit_test(other_values_have_their_own_words),
		cmocka_unit_test(a_field_below_another_is_a_change_of_its_own),
		cmocka_unit_test(the_longest_text_is_compared_to_its_end),
		cmocka_unit_test(the_order_keeps_objects_together),
		cmocka_unit_test(a_long_list_is_whole),
	};

	return cmocka_run_group_tests_name("flatten", tests, setup, teardown);
}
