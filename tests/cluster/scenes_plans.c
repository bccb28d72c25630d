/* SPDX-License-Identifier: BSD-2-Clause */
/* What plans say of changes, one setting at a time, to the letter (transcript.h): what is risky, what moves, what is refused. */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "tests/cluster/transcript.h"

static const char plans_document[] =
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "limits = { exceptions = 65536; };\n"
        "sites = (\n"
        "  { name = \"ams\"; labels = { region = \"eu\"; }; weight = 100; capacity = { new_flows = \"50k/s\"; bits = \"40Gbit\"; }; },\n"
        "  { name = \"fra\"; labels = { region = \"eu\"; }; weight = 100; capacity = { new_flows = \"50k/s\"; bits = \"40Gbit\"; }; },\n"
        "  { name = \"lon\"; weight = 100; }\n"
        ");\n"
        "nodes = (\n"
        "  { name = \"ams-1\"; site = \"ams\"; driver = \"auto\"; ports = ( { interface = \"eth1\"; }, { interface = \"eth2\"; } ); mtu = 1500;\n"
        "    tunnel_source = [ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]; dns_listen = [ \"192.0.2.53\", \"2001:db8:1::53\" ];\n"
        "    controls = [ \"10.1.0.254\" ]; announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\" ]; }; }\n"
        ");\n"
        "checks = (\n"
        "  { name = \"web\"; type = \"http\"; port = 80; path = \"/healthz\"; expect = 200; via = \"tunnel\";\n"
        "    interval = \"1s\"; fast_interval = \"200ms\"; timeout = \"500ms\"; rise = 2; fall = 3; },\n"
        "  { name = \"web-vip\"; type = \"http\"; port = 80; path = \"/healthz\"; expect = 200;\n"
        "    interval = \"200ms\"; fast_interval = \"100ms\"; timeout = \"300ms\"; rise = 3; fall = 3; }\n"
        ");\n"
        "pools = (\n"
        "  { name = \"web-ams\"; site = \"ams\"; check = \"web\"; mode = \"gue\"; max_backends = 100; min_healthy = \"50%\"; max_remove = \"50%\";\n"
        "    settle_time = \"15m\"; idle_time = \"5m\";\n"
        "    backends = ( { name = \"ams-b1\"; address = \"10.1.1.11\"; weight = 100; },\n"
        "                 { name = \"ams-b2\"; address = \"fd00:1:1::12\"; weight = 50; } ); },\n"
        "  { name = \"web-fra\"; site = \"fra\"; check = \"web\"; mode = \"gue\"; max_backends = 100;\n"
        "    backends = ( { name = \"fra-b1\"; address = \"10.2.1.11\"; weight = 100; } ); },\n"
        "  { name = \"web-lon\"; site = \"lon\"; mode = \"ipip\"; max_backends = 9; backends = ( { name = \"l1\"; address = \"10.3.1.11\"; } ); }\n"
        ");\n"
        "vips = (\n"
        "  { name = \"shop-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8:1::10\" ]; },\n"
        "  { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; },\n"
        "  { name = \"shop-lon\"; site = \"lon\"; addresses = [ \"198.51.100.20\" ]; }\n"
        ");\n"
        "services = (\n"
        "  { name = \"web\"; protocol = \"tcp\"; port = 80; hash = \"flow\"; vip_check = \"web-vip\"; on_all_down = \"last_good\";\n"
        "    at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; }, { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; backup = \"web-ams\"; backup_max = { new_flows = \"1k/s\"; bits = \"1Gbit\"; }; },\n"
        "           { site = \"lon\"; vip = \"shop-lon\"; pool = \"web-lon\"; } ); },\n"
        "  { name = \"game\"; protocol = \"udp\"; port = 7000; udp_idle = \"30s\"; udp_policy = \"keep\";\n"
        "    at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; } ); }\n"
        ");\n"
        "dns = {\n"
        "  zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; } );\n"
        "  names = ( { name = \"www.shop.example\"; service = \"web\"; policy = \"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; } );\n"
        "};\n";
static const char plans_zone[] = "$TTL 300\n"
                                 "@ IN SOA ns1 hostmaster 2026112001 3600 600 604800 60\n"
                                 "@ IN NS ns1\n"
                                 "@ IN NS ns2\n"
                                 "ns1 IN A 192.0.2.53\n"
                                 "ns2 IN A 198.51.100.53\n"
                                 "@ IN MX 10 mail\n"
                                 "mail IN A 192.0.2.25\n"
                                 "old IN CNAME mail\n"
                                 "text IN TXT \"one\"\n";

/* The first @p from of the document, or of the zone's file, becomes @p to. */
struct plan_edit {
	bool is_zone;
	const char *from, *to;
};
static const struct plan_edit plan_edits[] = {
	{ false, "k1", "k1" },
	{ false, "weight = 50", "weight = 55" },
	{ false, "weight = 50", "weight = 500" },
	{ false, "weight = 50", "weight = 0" },
	{ false, "10.1.1.11", "10.1.1.99" },
	{ false, "ams-b1", "ams-b9" },
	{ false, "mode = \"gue\"", "mode = \"ipip\"" },
	{ false, "max_backends = 100", "max_backends = 200" },
	{ false, "check = \"web\"; mode", "mode" },
	{ false, "path = \"/healthz\"", "path = \"/ready\"" },
	{ false, "interval = \"1s\"", "interval = \"10s\"" },
	{ false, "interval = \"1s\"", "interval = \"200ms\"" },
	{ false, "timeout = \"500ms\"", "timeout = \"100ms\"" },
	{ false, "rise = 2", "rise = 20" },
	{ false, "fall = 3", "fall = 1" },
	{ false, "min_healthy = \"50%\"", "min_healthy = \"10%\"" },
	{ false, "min_healthy = \"50%\"", "min_healthy = \"100%\"" },
	{ false, "max_remove = \"50%\"", "max_remove = \"5%\"" },
	{ false, "on_all_down = \"last_good\"", "on_all_down = \"fail_closed\"" },
	{ false, " backup = \"web-ams\"; backup_max = { new_flows = \"1k/s\"; bits = \"1Gbit\"; };",
	  "" },
	{ false, "exceptions = 65536", "exceptions = 1024" },
	{ false, "idle_time = \"5m\"", "idle_time = \"10s\"" },
	{ false, "settle_time = \"15m\"", "settle_time = \"1m\"" },
	{ false, "udp_policy = \"keep\"", "udp_policy = \"migrate\"" },
	{ false, ", \"2001:db8:1::10\"", "" },
	{ false, "203.0.113.10", "203.0.113.11" },
	{ false, "daemon = \"bird\"", "daemon = \"frr\"" },
	{ false, "announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\" ]; };", "" },
	{ false, ", { interface = \"eth2\"; }", "" },
	{ false, "driver = \"auto\"", "driver = \"dpdk\"" },
	{ false, "10.1.255.0/24", "10.7.255.0/24" },
	{ false, "mtu = 1500", "mtu = 9000" },
	{ false, ", \"2001:db8:1::53\"", "" },
	{ false, "controls = [ \"10.1.0.254\" ];", "" },
	{ false, "site = \"ams\"; driver", "site = \"fra\"; driver" },
	{ false, "name = \"shop\"", "name = \"shop2\"" },
	{ false, "new_flows = \"50k/s\"", "new_flows = \"500k/s\"" },
	{ false, "bits = \"40Gbit\"", "bits = \"100Mbit\"" },
	{ false, "weight = 100; capacity", "weight = 300; capacity" },
	{ false, ",\n           { site = \"lon\"; vip = \"shop-lon\"; pool = \"web-lon\"; }", "" },
	{ false, "vip_check = \"web-vip\";", "" },
	{ false, "max = \"60s\"", "max = \"600s\"" },
	{ false, "min = \"5s\"", "min = \"1s\"" },
	{ false, "policy = \"weighted\"", "policy = \"failover\"" },
	{ false, "www.shop.example", "web.shop.example" },
	{ false, "port = 80; hash", "port = 81; hash" },
	{ false, "hash = \"flow\"", "hash = \"source\"" },
	{ false, "protocol = \"udp\"", "protocol = \"tcp\"" },
	{ false, "site = \"lon\"; mode", "site = \"par\"; mode" },
	{ false, "10.3.1.11", "10.3.1.300" },
	{ false, "weight = 50;", "weight = 50; colour = \"red\";" },
	{ false, "schema = 1", "schema = 2" },
	{ true, "2026112001", "2026112002" },
	{ true, "2026112001", "2026111901" },
	{ true, "192.0.2.25", "192.0.2.26" },
	{ true, "@ IN MX 10 mail\n", "" },
	{ true, "ns2 IN A 198.51.100.53\n", "" },
	{ true, "@ IN NS ns2\n", "" },
	{ true, "$TTL 300", "$TTL 86400" },
	{ true, "text IN TXT \"one\"\n", "mail IN CNAME ns1\n" },
};

/* Given. */
static char *edit_text(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out;

	if (!at || asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) < 0)
		abort();
	return out;
}

/* The body of a request, given. @param e  NULL: nothing is changed; @param more  of the body: ", \"reason\": ..." */
static char *edited_body(const struct plan_edit *e, const char *more)
{
	char *document = edit_text(plans_document, e && !e->is_zone ? e->from : "schema",
	                           e && !e->is_zone ? e->to : "schema");
	char *zone = edit_text(plans_zone, e && e->is_zone ? e->from : "TTL",
	                       e && e->is_zone ? e->to : "TTL");
	json_t *json = json_pack("{s:{s:s, s:s}}", "files", "weir.conf", document,
	                         "shop.example.zone", zone);
	char *plain = json_dumps(json, 0), *body;

	plain[strlen(plain) - 1] = '\0';
	if (asprintf(&body, "%s%s}", plain, more) < 0)
		abort();
	free(plain);
	json_decref(json);
	free(document);
	free(zone);
	return body;
}

static void ask_edited(struct node *n, const struct plan_edit *e, const char *path,
                       const char *more)
{
	char *body = edited_body(e, more);

	if (e)
		transcript_say("%s becomes %s", e->from, e->to);
	struct node_answer a = transcript_ask(n, &scene_ada, "POST", path, body);

	node_answer_fini(&a);
	free(body);
}

void scenes_shown_plans(struct scene *s)
{
	transcript_begin();
	scene_begin(s, 1, false);
	struct node *n = s->node[0];

	node_run_ms(2000);
	ask_edited(n, NULL, "/v1/config/apply",
	           ", \"reason\": \"first\", \"confirm_within\": \"none\"");
	node_run_ms(3000);
	for (size_t i = 0; i < sizeof(plan_edits) / sizeof(plan_edits[0]); i++)
		ask_edited(n, &plan_edits[i], "/v1/config/plan", "");
	transcript_say("applied, and taken back");
	ask_edited(n, &plan_edits[2], "/v1/config/apply",
	           ", \"reason\": \"heavier\", \"confirm_within\": \"none\"");
	ask_edited(n, &plan_edits[1], "/v1/config/apply",
	           ", \"reason\": \"of an old file\", \"base\": \"2\"");
	ask_edited(n, &plan_edits[1], "/v1/config/apply",
	           ", \"reason\": \"of no base\", \"base\": \"unknown\"");
	transcript_show(
	        n,
	        "/v1/versions/2/diff/3 /v1/status?limit=9 /v1/dns/explain?name=www.shop.example&client=192.0.2.1");
	transcript_show_file(n, "effective.conf");
	transcript_end(s);
	scene_end(s);
}
