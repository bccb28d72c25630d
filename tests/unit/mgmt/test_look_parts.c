/* SPDX-License-Identifier: BSD-2-Clause */
/* What is shown of sites, services, nodes, processes and targets, as they were seen: a real node with real pages. */
#include "lone_node.h"

#include "base/page.h"
#include "mgmt/api/handle.h"
#include "mgmt/observe/observe_internal.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/status/state.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "weir/health.h"
#include "weir/stats.h"

static unsigned fail_at; /* so many calls of calloc() on, one fails; 0: none */

static void *own_calloc(size_t n, size_t size)
{
	return fail_at && --fail_at == 0 ? NULL : __real_calloc(n, size);
}

static struct peers heard;
static struct page *health_page;
static struct stats *stats[2]; /* of weir-dataplane and weir-health */
static struct http_reply answer;

static const char *const families[] = { "ipv6", "ipv4" };

/* Two sites, one of which has a region, three nodes, and a service at fra alone. */
static const char whole[] =
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = ( { name = \"ams\"; labels = { region = \"eu\"; }; weight = 30; }, { name = \"fra\"; weight = 50; } );\n"
        "nodes = ( { name = \"ams-1\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]; },\n"
        "          { name = \"fra-1\"; site = \"fra\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ \"10.2.255.0/24\" ]; },\n"
        "          { name = \"fra-2\"; site = \"fra\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ \"10.3.255.0/24\" ]; } );\n"
        "checks = ( { name = \"web\"; type = \"tcp\"; interval = \"1s\"; fast_interval = \"200ms\"; timeout = \"500ms\"; rise = 2; fall = 3; } );\n"
        "pools = (\n"
        "  { name = \"web-ams\"; site = \"ams\"; check = \"web\"; mode = \"ipip\"; max_backends = 10;\n"
        "    backends = ( { name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },\n"
        "                 { name = \"b2\"; address = \"2001:db8::12\"; weight = 100; } ); },\n"
        "  { name = \"web-fra\"; site = \"fra\"; check = \"web\"; mode = \"ipip\"; max_backends = 10;\n"
        "    backends = ( { name = \"b2\"; address = \"10.2.1.11\"; weight = 100; } ); } );\n"
        "vips = ( { name = \"shop-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\", \"2001:db8::10\" ]; },\n"
        "         { name = \"shop-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; hash = \"flow\";\n"
        "  at = ( { site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; weight = 30; },\n"
        "         { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; weight = 70; } ); },\n"
        "  { name = \"xquic\"; protocol = \"udp\"; port = 443; hash = \"flow\";\n"
        "  at = ( { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; } ); } );\n";

static uint64_t target_of(size_t pool, size_t backend)
{
	const struct model_pool *p = &intent_model(this_node.intent)->pools[pool];

	return health_target_backend(p->name, p->backends[backend].id);
}

/* The page of weir-health, without verdicts. */
static void open_health(void)
{
	const uint64_t targets[] = { target_of(0, 0),
		                     target_of(0, 1),
		                     target_of(1, 0),
		                     health_target_service("web", "ams", false),
		                     health_target_service("web", "ams", true),
		                     health_target_service("web", "fra", true) };
	char path[PATH_MAX];

	assert_int_equal(proc_path(this_node.dirs.run, PROC_HEALTH_PAGE, path), 0);
	assert_int_equal(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                             sizeof(struct health_page), &health_page),
	                 0);
	assert_int_equal(health_set_targets(page_payload(health_page), targets, 6, 20), 0);
	page_alive(health_page, clock_mono_ms() + 600000);
}

static void observe_health(uint64_t target, enum health_state word)
{
	struct health_page *p = page_payload(health_page);

	health_write(p, health_find_index(p, target), health_make(word, 0, HEALTH_REASON_OK, 1));
}

/* Open the node with @p configuration in place of the fixture's. */
static void open_node(const char *configuration)
{
	lone_node_forget(configuration);
	lone_node_start(false);
	assert_non_null(intent_head(this_node.intent));
}

static int setup(void **state)
{
	(void)lone_node_setup(state);
	open_node(whole);
	memset(&heard, 0, sizeof(heard));
	memset(&answer, 0, sizeof(answer));
	this_node.peers = &heard;
	observe_begin(&this_node);
	open_health();
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	page_close(health_page);
	observe_end(&this_node);
	for (int i = 0; i < 2; i++) {
		stats_close(stats[i]);
		stats[i] = NULL;
	}
	return lone_node_close(state);
}

/* Ask with the body (given), a part of the path and a pair of the query. */
static unsigned ask_handler(http_handler *handler, json_t *body, const char *part,
                            const char *query)
{
	struct http_request r = { .method = "GET", .json = body };
	const char *eq = strchr(query, '=');

	if (eq) {
		r.n_query = 1;
		snprintf(r.query[0].name, sizeof(r.query[0].name), "%.*s", (int)(eq - query),
		         query);
		snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", eq + 1);
	}
	snprintf(r.parts[0], sizeof(r.parts[0]), "%s", part);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handler(&this_node, &r, &answer);
	json_decref(body);
	return answer.status;
}

static size_t count_rows(const char *list)
{
	return json_array_size(json_object_get(answer.json, list));
}

static const json_t *item_at(const char *list, size_t i)
{
	return json_array_get(json_object_get(answer.json, list), i);
}

/* What @p object has at @p path ("effect/state"). */
static const json_t *find_value(const json_t *object, const char *path)
{
	char text[64], *rest = text, *name;

	snprintf(text, sizeof(text), "%s", path);
	while ((name = strsep(&rest, "/")))
		object = json_object_get(object, name);
	return object;
}

static const char *text_in(const json_t *object, const char *path)
{
	const char *text = json_string_value(find_value(object, path));

	return text ? text : "";
}

static json_int_t number_in(const json_t *object, const char *path)
{
	return json_integer_value(find_value(object, path));
}

static void each_target_is_shown_as_it_was_seen(void **state)
{
	static const struct {
		const char *name, *name_of, *other, *other_of, *word;
	} rows[] = {
		{ "pool", "web-ams", "backend", "b1", "up" },
		{ "pool", "web-ams", "backend", "b2", "down" },
		{ "pool", "web-fra", "backend", "b2", "unknown" },
		{ "service", "web", "site", "ams", "down" },
		{ "service", "web", "site", "ams", "up" },
		{ "service", "web", "site", "fra", "unknown" },
		{ "service", "web", "site", "fra", "up" },
		{ "service", "xquic", "site", "fra", "unknown" },
		{ "service", "xquic", "site", "fra", "unknown" },
	};
	char id[20];

	(void)state;
	observe_health(target_of(0, 0), HEALTH_UP);
	observe_health(target_of(0, 1), HEALTH_DOWN);
	observe_health(health_target_service("web", "ams", false), HEALTH_DOWN);
	observe_health(health_target_service("web", "ams", true), HEALTH_UP);
	observe_health(health_target_service("web", "fra", true), HEALTH_UP);
	assert_int_equal(ask_handler(handle_health, NULL, "", ""), 200);
	assert_int_equal(count_rows("items"), sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const json_t *item = item_at("items", i);

		assert_string_equal(text_in(item, rows[i].name), rows[i].name_of);
		assert_string_equal(text_in(item, rows[i].other), rows[i].other_of);
		if (strcmp(text_in(item, "observation/state"), rows[i].word) != 0)
			fail_msg("row %zu: %s", i, text_in(item, "observation/state"));
		if (i >= 3)
			assert_string_equal(text_in(item, "family"), families[(i - 3) % 2]);
	}
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)target_of(0, 1));
	assert_string_equal(text_in(item_at("items", 1), "target"), id);
	assert_string_equal(text_in(item_at("items", 1), "address"), "2001:db8::12");
	snprintf(id, sizeof(id), "%016llx",
	         (unsigned long long)health_target_service("web", "fra", true));
	assert_string_equal(text_in(item_at("items", 6), "target"), id);
}

/* Before the first version nothing is checked. */
static void without_a_configuration_little_is_shown(void **state)
{
	(void)state;
	lone_node_forget(NULL);
	lone_node_open_store(true);
	assert_int_equal(ask_handler(handle_health, NULL, "", ""), 200);
	assert_int_equal(count_rows("items"), 0);
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_true(json_is_null(find_value(answer.json, "version")));
	assert_true(json_is_null(find_value(answer.json, "confirm_by")));
	assert_null(find_value(answer.json, "sites"));
	assert_string_equal(text_in(answer.json, "state"), "degraded");
}

/* An answer that cannot be made is none: a part of one would say that all is well. */
static void without_memory_nothing_is_said(void **state)
{
	http_handler *const handlers[] = { handle_health, handle_processes, handle_status };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		unsigned n_busy = 0;

		assert_int_equal(ask_handler(handlers[i], NULL, "", ""), 200);
		size_t n = json_object_size(answer.json), n_items = count_rows("items");

		for (unsigned at = 1; at < 100; at++) {
			fail_at = at;
			unsigned status = ask_handler(handlers[i], NULL, "", "");

			fail_at = 0;
			n_busy += status == 503;
			if (status == 503) {
				assert_string_equal(text_in(answer.json, "code"), "busy");
				continue;
			}
			assert_int_equal(json_object_size(answer.json), n);
			assert_int_equal(count_rows("items"), n_items);
		}
		assert_true(n_busy > 0);
	}
}

static void a_process_is_running_silent_or_absent(void **state)
{
	static const char *const names[] = { "dataplane", "health", "dns", "mgmt" };
	static const char *const states[] = { "running", "silent", "absent", "absent" };

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(stats_create(this_node.dirs.run, names[i], 16, &stats[i]), 0);
	stats_set(stats_get_counter(stats[0], STATS_GAUGE, "weir_dataplane_document", "", ""), 20);
	stats_set(
	        stats_get_counter(stats[0], STATS_GAUGE, "weir_dataplane_document_refused", "", ""),
	        1);
	stats_alive(stats[0], clock_mono_ms() + 600000);
	stats_alive(stats[1], clock_mono_ms() - 60000);
	assert_int_equal(ask_handler(handle_processes, NULL, "", ""), 200);
	assert_int_equal(count_rows("items"), 4); /* no weir-announce: nothing is announced */
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(text_in(item_at("items", i), "process"), names[i]);
		assert_string_equal(text_in(item_at("items", i), "state"), states[i]);
	}
	assert_string_equal(text_in(item_at("items", 0), "driver"), "xdp");
	assert_true(json_is_true(find_value(item_at("items", 0), "refused")));
	assert_true(json_is_false(find_value(item_at("items", 1), "refused")));
	assert_in_range(number_in(item_at("items", 1), "age_ms"), 60000, 120000);
	assert_true(json_is_null(find_value(item_at("items", 1), "document"))); /* not known now */
	assert_true(json_is_null(find_value(item_at("items", 2), "age_ms")));
	assert_true(json_is_null(find_value(item_at("items", 2), "document")));
	stats_alive(stats[1], clock_mono_ms() + 600000);
	stats_set(stats_get_counter(stats[0], STATS_GAUGE, "weir_dataplane_dpdk", "", ""), 1);
	assert_int_equal(ask_handler(handle_processes, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("items", 0), "driver"), "dpdk");
	assert_int_equal(number_in(item_at("items", 1), "document"), 20);
}

static void each_peer_is_listed_with_its_head(void **state)
{
	(void)state;
	heard.n_reports = 2;
	heard.reports[0] = (struct peers_report){ .node = "fra-1",
		                                  .site = "fra",
		                                  .state = PEERS_AHEAD,
		                                  .number = 7,
		                                  .digest = "d7",
		                                  .hash_key = "k7",
		                                  .answered_ms = clock_mono_ms() - 1000 };
	heard.reports[1] = (struct peers_report){ .node = "fra-2",
		                                  .state = PEERS_UNREACHABLE,
		                                  .unreachable_reason = "no" };
	assert_int_equal(ask_handler(handle_peers, NULL, "", ""), 200);
	assert_int_equal(count_rows("items"), 2);
	const json_t *first = item_at("items", 0), *second = item_at("items", 1);
	assert_string_equal(text_in(first, "node"), "fra-1");
	assert_string_equal(text_in(first, "site"), "fra");
	assert_string_equal(text_in(first, "state"), "ahead");
	assert_string_equal(text_in(first, "digest"), "d7");
	assert_string_equal(text_in(first, "hash_key"), "k7");
	assert_int_equal(number_in(first, "version"), 7);
	assert_in_range(number_in(first, "age_ms"), 1000, 60000);
	assert_null(find_value(first, "detail"));
	assert_string_equal(text_in(second, "state"), "unreachable");
	assert_string_equal(text_in(second, "detail"), "no");
	assert_true(json_is_null(find_value(second, "age_ms"))); /* it never answered */
}

#define FRA "{\"site\":\"fra\",\"weight\":70,\"drained_ppm\":0,\"disabled\":false,\"shifting\":true"

/* weir-dns tells of one name of service web. */
static void hear_dns(void)
{
	json_decref(this_node.observe->dns);
	this_node.observe->dns_ms = clock_mono_ms() + 600000; /* for long */
	this_node.observe->dns = json_loads(
	        "{\"names\":[{\"service\":\"mail\",\"sites\":[" FRA
	        ",\"ipv4\":\"down\",\"ipv6\":\"down\"}]},"
	        "{\"service\":\"web\",\"sites\":[{\"site\":\"ams\",\"weight\":30,\"drained_ppm\":0,"
	        "\"disabled\":false,\"shifting\":false,\"ipv4\":\"up\",\"ipv6\":\"none\","
	        "\"views\":{\"ams-1\":\"up\"}}," FRA ",\"ipv4\":\"up\",\"ipv6\":\"up\"}]}]}",
	        0, NULL);
	assert_non_null(this_node.observe->dns);
}

static void services_are_shown_where_they_are(void **state)
{
	(void)state;
	hear_dns();
	observe_health(health_target_service("web", "ams", true), HEALTH_UP);
	observe_health(health_target_service("web", "ams", false), HEALTH_DOWN);
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_int_equal(count_rows("services"), 2);
	const json_t *web = item_at("services", 0), *quic = item_at("services", 1);
	assert_string_equal(text_in(web, "protocol"), "tcp");
	assert_int_equal(number_in(web, "port"), 80);
	assert_string_equal(text_in(quic, "protocol"), "udp");
	assert_int_equal(number_in(quic, "port"), 443);
	assert_int_equal(json_array_size(find_value(web, "at")), 2);
	assert_int_equal(json_array_size(find_value(quic, "at")), 1);
	const json_t *ams = json_array_get(find_value(web, "at"), 0);
	const json_t *fra = json_array_get(find_value(web, "at"), 1);
	assert_string_equal(text_in(ams, "site"), "ams");
	assert_string_equal(text_in(ams, "vip"), "shop-ams");
	assert_string_equal(text_in(ams, "pool"), "web-ams");
	assert_int_equal(number_in(ams, "intent/weight"), 30);
	assert_string_equal(json_string_value(json_array_get(find_value(ams, "addresses"), 0)),
	                    "203.0.113.10");
	assert_string_equal(json_string_value(json_array_get(find_value(ams, "addresses"), 1)),
	                    "2001:db8::10");
	assert_string_equal(text_in(ams, "observation/ipv4/state"), "up");
	assert_string_equal(text_in(ams, "observation/ipv6/state"), "down");
	assert_string_equal(text_in(ams, "effect/ipv4"), "up");
	assert_null(find_value(ams, "effect/ipv6")); /* the DNS has no address of it to answer */
	assert_string_equal(text_in(ams, "effect/views/ams-1"), "up");
	assert_null(find_value(fra, "observation/ipv6"));       /* its VIP has none */
	assert_string_equal(text_in(fra, "effect/ipv4"), "up"); /* of web's name, not of mail's */
	assert_string_equal(text_in(fra, "effect/ipv6"), "up");
	assert_null(
	        find_value(json_array_get(find_value(quic, "at"), 0), "effect/ipv4")); /* no name */
}

static size_t n_at(size_t service)
{
	return json_array_size(find_value(item_at("services", service), "at"));
}

static void a_filter_leaves_what_it_names(void **state)
{
	(void)state;
	assert_int_equal(ask_handler(handle_status, NULL, "", "site=ams"), 200);
	assert_int_equal(count_rows("sites"), 1);
	assert_string_equal(text_in(item_at("sites", 0), "name"), "ams");
	assert_int_equal(count_rows("services"), 1); /* quic is at fra alone */
	assert_int_equal(n_at(0), 1);
	assert_int_equal(ask_handler(handle_status, NULL, "", "site=fra"), 200);
	assert_int_equal(count_rows("services"), 2);
	assert_int_equal(n_at(0), 1);
	assert_int_equal(ask_handler(handle_status, NULL, "", "pool=web-ams"), 200);
	assert_int_equal(count_rows("sites"), 2);
	assert_int_equal(count_rows("services"), 1);
	assert_int_equal(n_at(0), 1);
	assert_int_equal(ask_handler(handle_status, NULL, "", "pool=mail"), 404);
	assert_non_null(strstr(text_in(answer.json, "detail"), "pool mail"));
	assert_int_equal(ask_handler(handle_status, NULL, "", "site=lon"), 404);
	assert_non_null(strstr(text_in(answer.json, "detail"), "site lon"));
	assert_int_equal(ask_handler(handle_status, NULL, "", "limit=0"), 400);
	assert_int_equal(ask_handler(handle_status, NULL, "", "limit=100001"), 400);
	assert_int_equal(ask_handler(handle_status, NULL, "", "limit=1"), 200);
	assert_int_equal(count_rows("services"), 1);
	assert_int_equal(number_in(answer.json, "lists/services/all"), 2);
	assert_true(answer.dense);
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_false(answer.dense); /* a person may read it */
}

static void a_site_is_shown_with_its_load_and_its_targets(void **state)
{
	(void)state;
	hear_dns();
	heard.n_reports = 2;
	for (size_t i = 0; i < 2; i++)
		heard.reports[i] = (struct peers_report){ .load_known = true,
			                                  .bits = i ? 123 : 5,
			                                  .answered_ms = clock_mono_ms() };
	strcpy(heard.reports[0].site, "lon");
	strcpy(heard.reports[1].site, "fra");
	observe_health(health_target_service("web", "ams", true), HEALTH_DOWN);
	observe_health(health_target_service("web", "ams", false), HEALTH_DOWN);
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	const json_t *ams = item_at("sites", 0), *fra = item_at("sites", 1);
	assert_string_equal(text_in(ams, "name"), "ams");
	assert_string_equal(text_in(ams, "region"), "eu");
	assert_string_equal(text_in(fra, "region"), "");
	assert_int_equal(number_in(ams, "intent/weight"), 30);
	assert_int_equal(number_in(fra, "intent/weight"), 50);
	assert_true(json_is_null(find_value(ams, "observation/bits_per_s")));
	assert_int_equal(number_in(fra, "observation/bits_per_s"), 123);
	assert_string_equal(text_in(ams, "observation/state"), "down");
	assert_int_equal(number_in(ams, "observation/down"), number_in(ams, "observation/targets"));
	assert_string_equal(text_in(fra, "observation/state"), "unknown");
	assert_string_equal(text_in(ams, "effect/state"), "serving");
	assert_true(json_is_true(find_value(fra, "effect/shifting")));
	observe_health(health_target_service("web", "ams", false), HEALTH_UP);
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("sites", 0), "observation/state"), "up");
	assert_int_equal(number_in(item_at("sites", 0), "observation/up"), 1);
	assert_int_equal(number_in(item_at("sites", 0), "observation/down"), 1);
	page_alive(health_page, clock_mono_ms() - 60000); /* what is old is not known */
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("sites", 0), "observation/state"), "unknown");
}

static void each_node_is_shown_as_its_peer_says(void **state)
{
	(void)state;
	heard.reports[0] =
	        (struct peers_report){ .node = "fra-1", .state = PEERS_BEHIND, .number = 11 };
	heard.reports[1] =
	        (struct peers_report){ .node = "fra-2", .state = PEERS_UNREACHABLE, .number = 9 };
	heard.n_reports = 2;
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_int_equal(count_rows("nodes"), 3);
	assert_string_equal(text_in(item_at("nodes", 0), "name"), "ams-1");
	assert_string_equal(text_in(item_at("nodes", 0), "observation/state"), "up");
	assert_int_equal(number_in(item_at("nodes", 0), "effect/document"),
	                 intent_document(this_node.intent));
	assert_int_equal(number_in(item_at("nodes", 0), "intent/version"), 1);
	assert_string_equal(text_in(item_at("nodes", 1), "site"), "fra");
	assert_string_equal(text_in(item_at("nodes", 1), "observation/state"), "behind");
	assert_int_equal(number_in(item_at("nodes", 1), "effect/version"), 11);
	assert_int_equal(number_in(item_at("nodes", 1), "intent/version"), 1);
	assert_string_equal(text_in(item_at("nodes", 2), "observation/state"), "unreachable");
	assert_string_equal(text_in(item_at("nodes", 2), "effect/state"), "unknown");
	assert_int_equal(count_rows("peers"), 2);
	heard.n_reports = 0;
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("nodes", 1), "observation/state"), "unknown");
	assert_string_equal(text_in(item_at("nodes", 1), "effect/state"), "unknown");
}

/* A node that announces has a state: its own as it is watched, a peer's as it says. */
static void a_node_that_announces_says_where_its_drain_is(void **state)
{
	static const char tunnel[] = "tunnel_source = [ \"10.1.255.0/24\", \"fd00:1:ff::/64\" ]; }",
	                  other[] = "tunnel_source = [ \"10.2.255.0/24\" ]; }",
	                  daemon[] = " announce = { daemon = \"bird\"; }; }";
	const char *own = strstr(whole, tunnel), *peer = strstr(whole, other);
	char text[8192];

	(void)state;
	snprintf(text, sizeof(text), "%.*s%s%.*s%s%s", (int)(own - whole + (int)strlen(tunnel) - 2),
	         whole, daemon, (int)(peer - own - (int)strlen(tunnel) + (int)strlen(other) - 2),
	         own + strlen(tunnel), daemon, peer + strlen(other));
	open_node(text);
	heard.n_reports = 1;
	heard.reports[0] =
	        (struct peers_report){ .node = "fra-1", .state = PEERS_AGREED, .drain = "drained" };
	this_node.observe->drain.target = MODEL_NODE_DRAINED;
	this_node.observe->drain.routes =
	        (struct node_drain_routes){ .known = true, .n_shutdown = 2 };
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("nodes", 0), "effect/state"), "draining");
	assert_string_equal(text_in(item_at("nodes", 1), "effect/state"), "drained");
	assert_non_null(find_value(answer.json, "announcements")); /* of the own site as a whole */
	assert_int_equal(ask_handler(handle_status, NULL, "", "site=ams"), 200);
	assert_non_null(find_value(answer.json, "announcements"));
	assert_int_equal(ask_handler(handle_status, NULL, "", "site=fra"), 200);
	assert_null(find_value(answer.json, "announcements"));
	assert_int_equal(ask_handler(handle_status, NULL, "", "pool=web-ams"), 200);
	assert_null(find_value(answer.json, "announcements"));
}

static void the_intent_is_shown_with_what_is_asked_still(void **state)
{
	struct override items[3] = {
		{ .id = "o-1", .name = "ams", .generation = 3, .until_ms = MODEL_TIME_NEVER },
		{ .id = "o-2", .name = "fra", .generation = 4, .until_ms = NOW_MS, .ended = true },
		{ .id = "o-3", .name = "fra", .generation = 5, .until_ms = MODEL_TIME_NEVER },
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		items[i].target = MODEL_TARGET_SITE;
		items[i].created_ms = items[i].from_ms = NOW_MS;
		strcpy(items[i].author, "jw");
		strcpy(items[i].reason, "r");
		strcpy(items[i].node, "ams-1");
	}
	assert_int_equal(intent_merge(this_node.intent, items, 3, NOW_MS), 3);
	struct files files = { 0 };
	struct intent_change change = { .files = &files,
		                        .author = "jw",
		                        .reason = "x",
		                        .pending = INTENT_PENDING_IGNORE,
		                        .confirm_within_ms = 1000000 };
	struct intent_changed changed = { 0 };
	char text[8192];

	snprintf(text, sizeof(text), "# another\n%s", whole);
	assert_int_equal(files_add(&files, FILES_MAIN, text, strlen(text)), 0);
	assert_int_equal(intent_change(this_node.intent, &change, NOW_MS, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
	state_open(&this_node);
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	state_close(&this_node);
	char time[CLOCK_TEXT_MAX];
	const struct version *head = intent_head(this_node.intent);

	assert_string_equal(text_in(answer.json, "node"), "ams-1");
	assert_string_equal(text_in(answer.json, "cluster"), "shop");
	assert_string_equal(text_in(answer.json, "site"), "ams");
	assert_int_equal(number_in(answer.json, "version/number"), 2);
	assert_string_equal(text_in(answer.json, "version/state"), "unconfirmed");
	assert_string_equal(text_in(answer.json, "confirm_by"),
	                    clock_text(head->confirm_by_ms, time));
	assert_int_equal(strncmp(text_in(answer.json, "time"), "20", 2), 0);
	assert_int_equal(number_in(answer.json, "document"), intent_document(this_node.intent));
	assert_string_equal(text_in(answer.json, "store/state"), "ok");
	assert_string_equal(text_in(answer.json, "store/detail"), "");
	assert_int_equal(count_rows("overrides"), 2);
	assert_string_equal(text_in(item_at("overrides", 0), "id"), "o-1");
	assert_string_equal(text_in(item_at("overrides", 1), "id"), "o-3");
	assert_int_equal(number_in(answer.json, "backends/all"), 3);
	assert_int_equal(number_in(answer.json, "backends/shown"), 3);
	assert_string_equal(text_in(answer.json, "state"), "degraded");
	assert_true(count_rows("reasons") > 1);
	assert_int_equal(count_rows("why"), count_rows("reasons"));
	for (size_t i = 0; i < count_rows("reasons"); i++) {
		assert_string_equal(json_string_value(item_at("why", i)),
		                    text_in(item_at("reasons", i), "text"));
		assert_false(json_is_null(find_value(item_at("reasons", i), "since")));
	}
	assert_int_equal(count_rows("processes"), 4);
}

SUITE(look_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_target_is_shown_as_it_was_seen),
		T(without_a_configuration_little_is_shown),
		T(without_memory_nothing_is_said),
		T(a_process_is_running_silent_or_absent),
		T(each_peer_is_listed_with_its_head),
		T(services_are_shown_where_they_are),
		T(a_filter_leaves_what_it_names),
		T(a_site_is_shown_with_its_load_and_its_targets),
		T(each_node_is_shown_as_its_peer_says),
		T(a_node_that_announces_says_where_its_drain_is),
		T(the_intent_is_shown_with_what_is_asked_still),
	};

	answer_calloc = own_calloc;
	return cmocka_run_group_tests_name("look parts", tests, NULL, NULL);
}
