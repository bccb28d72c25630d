/* SPDX-License-Identifier: BSD-2-Clause */
/* What is shown of sites, services, nodes, processes and targets, as they were seen. */
#include "asked.h"

#include <errno.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/status/state.h"
#include "mgmt/status/status.h"
#include "mgmt/core/to_json.h"

static struct edge {
	bool fails; /* there is no memory for a look */
	unsigned n_ended;
	size_t n_reasons, n_left_out, n_notes;
} edge;
static struct look one_look;
static struct peers_report views[2];

static int fake_take(struct core *core, struct look *l)
{
	*l = one_look;
	l->core = core;
	json_incref(l->dns);
	return edge.fails ? -ENOMEM : 0;
}

static void fake_fini(struct look *l)
{
	json_decref(l->dns);
	edge.n_ended++;
}

static int fake_facts(const struct look *l, struct judge_verdict *out)
{
	(void)l;
	*out = (struct judge_verdict){ .state = JUDGE_DEGRADED,
		                       .n_reasons = edge.n_reasons,
		                       .n_left_out = edge.n_left_out,
		                       .n_notes = edge.n_notes };
	snprintf(out->reasons[0].text, sizeof(out->reasons[0].text), "first");
	snprintf(out->reasons[1].text, sizeof(out->reasons[1].text), "second");
	snprintf(out->notes[0].text, sizeof(out->notes[0].text), "a note");
	return 0;
}

static void fake_since(const struct core *core, struct judge_verdict *v)
{
	assert_int_not_equal(pthread_mutex_trylock((pthread_mutex_t *)(uintptr_t)&core->lock), 0);
	v->reasons[0].since_at_ms = 1;
}

static json_t *fake_pools(struct status *s)
{
	s->n_backends = 7;
	s->n_odd = 3;
	s->n_shown = 5;
	return json_pack("[{s:s}]", "name", "pools are told apart");
}

static size_t fake_view(const struct core *core, const struct peers_report **out)
{
	(void)core;
	*out = views;
	return 2;
}

/* The private parts too. */
#define look_init               fake_take
#define look_fini               fake_fini
#define facts_judge             fake_facts
#define state_since             fake_since
#define status_pools            fake_pools
#define peers_report(core, out) fake_view(core, out)
#define clock_mono_ms()         UINT64_C(1000000)
#define WEIR_RELEASE            "4.5.6"
#include "mgmt/api/handle_observed.c"
#include "mgmt/api/handle_status.c"
#undef peers_report

static struct addr addresses[3];
static const struct model_site sites[2] = { { .name = "ams", .region = "eu", .weight = 30 },
	                                    { .name = "fra", .weight = 50 } };
static const struct model_node nodes[3] = { { .name = "ams-1", .site = &sites[0] },
	                                    { .name = "fra-1", .site = &sites[1] },
	                                    { .name = "fra-2", .site = &sites[1] } };
static struct model_backend backends[2] = { { .name = "b1", .id = 1 }, { .name = "b2", .id = 2 } };
static const struct model_pool pools[2] = {
	{ .name = "web-ams", .site = &sites[0], .backends = backends, .n_backends = 2 },
	{ .name = "web-fra", .site = &sites[1], .backends = &backends[1], .n_backends = 1 },
};
static const struct model_vip vips[2] = {
	{ .name = "shop-ams", .addresses = &addresses[0], .n_addresses = 2 },
	{ .name = "shop-fra", .addresses = &addresses[2], .n_addresses = 1 },
};
static const struct model_at at[2] = {
	{ .site = &sites[0], .vip = &vips[0], .pool = &pools[0], .weight = 30 },
	{ .site = &sites[1], .vip = &vips[1], .pool = &pools[1], .weight = 70 },
};
static const struct model_service services[2] = {
	{ .name = "web", .protocol = MODEL_TCP, .port = 80, .at = at, .n_at = 2 },
	{ .name = "quic", .protocol = MODEL_UDP, .port = 443, .at = &at[1], .n_at = 1 },
};
static const struct model whole = { .cluster = "shop",
	                            .sites = sites,
	                            .n_sites = 2,
	                            .nodes = nodes,
	                            .n_nodes = 3,
	                            .self = &nodes[0],
	                            .pools = pools,
	                            .n_pools = 2,
	                            .services = services,
	                            .n_services = 2 };
static struct health_page health;
static struct http_reply answer;

static const char *const families[] = { "ipv6", "ipv4" };

static int setup(void **state)
{
	(void)asked_setup(state);
	memset(&edge, 0, sizeof(edge));
	memset(&one_look, 0, sizeof(one_look));
	memset(&health, 0, sizeof(health));
	memset(&answer, 0, sizeof(answer));
	assert_int_equal(addr_parse("203.0.113.10", &addresses[0]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &addresses[1]), 0);
	assert_int_equal(addr_parse("198.51.100.10", &addresses[2]), 0);
	backends[0].address = addresses[0];
	backends[1].address = addresses[1];
	one_look.m = &whole;
	one_look.now_ms = NOW_MS;
	one_look.store_state = "ok";
	one_look.pages.health = &health;
	one_look.pages.health_fresh = true;
	for (int p = 0; p < OBSERVE_COUNT; p++)
		one_look.processes[p] = (struct gather_process){ .present = true,
			                                         .running = p != OBSERVE_ANNOUNCE,
			                                         .age_ms = 10u + p,
			                                         .document = 20u + p };
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	json_decref(one_look.dns);
	return asked_teardown(state);
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

static void observe_health(uint64_t target, enum health_state word)
{
	static uint64_t all[8];
	static size_t n;

	if (health.n_entries == 0)
		n = 0;
	all[n++] = target;
	health_word kept[8];
	for (size_t i = 0; i + 1 < n; i++)
		kept[i] = health_read(&health, health_find_index(&health, all[i]));
	assert_int_equal(health_set_targets(&health, all, n, 1), 0);
	for (size_t i = 0; i + 1 < n; i++)
		health_write(&health, health_find_index(&health, all[i]), kept[i]);
	health_write(&health, health_find_index(&health, target),
	             health_make(word, 0, HEALTH_REASON_OK, 1));
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
		{ "service", "quic", "site", "fra", "unknown" },
		{ "service", "quic", "site", "fra", "unknown" },
	};
	char id[20];

	(void)state;
	observe_health(health_target_backend("web-ams", 1), HEALTH_UP);
	observe_health(health_target_backend("web-ams", 2), HEALTH_DOWN);
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
	snprintf(id, sizeof(id), "%016llx",
	         (unsigned long long)health_target_backend("web-ams", 2));
	assert_string_equal(text_in(item_at("items", 1), "target"), id);
	assert_string_equal(text_in(item_at("items", 1), "address"), "2001:db8::10");
	snprintf(id, sizeof(id), "%016llx",
	         (unsigned long long)health_target_service("web", "fra", true));
	assert_string_equal(text_in(item_at("items", 6), "target"), id);
	one_look.m = NULL; /* no configuration: nothing is checked */
	assert_int_equal(ask_handler(handle_health, NULL, "", ""), 200);
	assert_int_equal(count_rows("items"), 0);
	assert_int_equal(edge.n_ended, 2);
}

/* An answer that cannot be made is none: an empty one would say that all is well. */
static void without_memory_nothing_is_said(void **state)
{
	http_handler *const handlers[] = { handle_health, handle_processes, handle_status };

	(void)state;
	edge.fails = true;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ask_handler(handlers[i], NULL, "", ""), 503);
		assert_string_equal(text_in(answer.json, "code"), "busy");
		assert_int_equal(edge.n_ended, i + 1);
	}
}

static void a_process_is_running_silent_or_absent(void **state)
{
	(void)state;
	one_look.processes[OBSERVE_DATAPLANE].has_ports = true;
	one_look.processes[OBSERVE_DATAPLANE].refused = true;
	one_look.processes[OBSERVE_HEALTH].running = false;
	one_look.processes[OBSERVE_HEALTH].has_ports = true;
	one_look.processes[OBSERVE_DNS] = (struct gather_process){ .document = 0 };
	assert_int_equal(ask_handler(handle_processes, NULL, "", ""), 200);
	assert_int_equal(count_rows("items"), 4);
	static const char *const names[] = { "dataplane", "health", "dns", "mgmt" };
	static const char *const states[] = { "running", "silent", "absent", "running" };
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(text_in(item_at("items", i), "process"), names[i]);
		assert_string_equal(text_in(item_at("items", i), "state"), states[i]);
	}
	assert_string_equal(text_in(item_at("items", 0), "driver"), "xdp");
	assert_int_equal(number_in(item_at("items", 0), "document"), 20);
	assert_true(json_is_true(find_value(item_at("items", 0), "refused")));
	assert_true(json_is_false(find_value(item_at("items", 1), "refused")));
	assert_int_equal(number_in(item_at("items", 1), "age_ms"), 11);
	assert_true(json_is_null(find_value(item_at("items", 1), "document"))); /* not known now */
	assert_true(json_is_null(find_value(item_at("items", 2), "age_ms")));
	assert_true(json_is_null(find_value(item_at("items", 2), "document")));
	one_look.processes[OBSERVE_DATAPLANE].dpdk = true;
	one_look.processes[OBSERVE_ANNOUNCE].announces = true;
	assert_int_equal(ask_handler(handle_processes, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("items", 0), "driver"), "dpdk");
	assert_int_equal(count_rows("items"), 5);
	assert_string_equal(text_in(item_at("items", 3), "process"), "announce");
}

static void each_peer_is_listed_with_its_head(void **state)
{
	(void)state;
	views[0] = (struct peers_report){ .node = "fra-1",
		                          .site = "fra",
		                          .state = PEERS_AHEAD,
		                          .number = 7,
		                          .digest = "d7",
		                          .hash_key = "k7",
		                          .answered_ms = 999000 };
	views[1] = (struct peers_report){ .node = "fra-2",
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
	assert_int_equal(number_in(first, "age_ms"), 1000);
	assert_null(find_value(first, "detail"));
	assert_string_equal(text_in(second, "state"), "unreachable");
	assert_string_equal(text_in(second, "detail"), "no");
	assert_true(json_is_null(find_value(second, "age_ms"))); /* it never answered */
}

#define FRA "{\"site\":\"fra\",\"weight\":70,\"drained_ppm\":0,\"disabled\":false,\"shifting\":true"

/* weir-dns tells of one name of service web. */
static void hear_dns(void)
{
	json_decref(one_look.dns);
	one_look.dns = json_loads(
	        "{\"names\":[{\"service\":\"mail\",\"sites\":[" FRA
	        ",\"ipv4\":\"down\",\"ipv6\":\"down\"}]},"
	        "{\"service\":\"web\",\"sites\":[{\"site\":\"ams\",\"weight\":30,\"drained_ppm\":0,"
	        "\"disabled\":false,\"shifting\":false,\"ipv4\":\"up\",\"ipv6\":\"none\","
	        "\"views\":{\"ams-1\":\"up\"}}," FRA ",\"ipv4\":\"up\",\"ipv6\":\"up\"}]}]}",
	        0, NULL);
	assert_non_null(one_look.dns);
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
	one_look.n_loads = 2;
	snprintf(one_look.loads[0].site, sizeof(one_look.loads[0].site), "lon");
	one_look.loads[0].per_s = 5;
	snprintf(one_look.loads[1].site, sizeof(one_look.loads[1].site), "fra");
	one_look.loads[1].per_s = 123;
	observe_health(health_target_service("web", "ams", true), HEALTH_DOWN);
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
	one_look.pages.health_fresh = false; /* what is old is not known */
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("sites", 0), "observation/state"), "unknown");
}

static void each_node_is_shown_as_its_peer_says(void **state)
{
	(void)state;
	one_look.has_head = true;
	one_look.head.number = 12;
	one_look.document = 40;
	one_look.peer_reports[0] =
	        (struct peers_report){ .node = "fra-1", .state = PEERS_BEHIND, .number = 11 };
	one_look.peer_reports[1] =
	        (struct peers_report){ .node = "fra-2", .state = PEERS_UNREACHABLE, .number = 9 };
	one_look.n_peer_reports = 2;
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_int_equal(count_rows("nodes"), 3);
	assert_string_equal(text_in(item_at("nodes", 0), "name"), "ams-1");
	assert_string_equal(text_in(item_at("nodes", 0), "observation/state"), "up");
	assert_int_equal(number_in(item_at("nodes", 0), "effect/document"), 40);
	assert_int_equal(number_in(item_at("nodes", 0), "intent/version"), 12);
	assert_string_equal(text_in(item_at("nodes", 1), "site"), "fra");
	assert_string_equal(text_in(item_at("nodes", 1), "observation/state"), "behind");
	assert_int_equal(number_in(item_at("nodes", 1), "effect/version"), 11);
	assert_int_equal(number_in(item_at("nodes", 1), "intent/version"), 12);
	assert_string_equal(text_in(item_at("nodes", 2), "observation/state"), "unreachable");
	assert_string_equal(text_in(item_at("nodes", 2), "effect/state"), "unknown");
	assert_int_equal(count_rows("peers"), 2);
	one_look.has_head = false;
	one_look.n_peer_reports = 0;
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_int_equal(number_in(item_at("nodes", 1), "intent/version"), 0);
	assert_string_equal(text_in(item_at("nodes", 1), "observation/state"), "unknown");
	assert_string_equal(text_in(item_at("nodes", 1), "effect/state"), "unknown");
}

/* A node that announces has a state: its own as it is watched, a peer's as it says. */
static void a_node_that_announces_says_where_its_drain_is(void **state)
{
	struct model_node announcing[3] = { nodes[0], nodes[1], nodes[2] };
	struct model m = whole;

	(void)state;
	announcing[0].announce.daemon = announcing[1].announce.daemon = MODEL_DAEMON_BIRD;
	m.nodes = m.self = announcing;
	one_look.m = &m;
	one_look.peer_reports[0] =
	        (struct peers_report){ .node = "fra-1", .state = PEERS_AGREED, .drain = "drained" };
	one_look.n_peer_reports = 1;
	one_look.drain.target = MODEL_NODE_DRAINED;
	one_look.drain.routes = (struct node_drain_routes){ .known = true, .n_shutdown = 2 };
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(item_at("nodes", 0), "effect/state"), "draining");
	assert_string_equal(text_in(item_at("nodes", 1), "effect/state"), "drained");
}

static void the_intent_is_shown_with_what_is_asked_still(void **state)
{
	struct override items[3] = {
		{ .id = "o-1", .name = "ams", .generation = 3, .until_ms = MODEL_TIME_NEVER },
		{ .id = "o-2", .name = "ams", .generation = 4, .until_ms = 5, .ended = true },
		{ .id = "o-3", .name = "fra", .generation = 5, .until_ms = MODEL_TIME_NEVER },
	};

	(void)state;
	one_look.overrides = (struct overrides){ .items = items, .n_items = 3 };
	one_look.store_state = "failing";
	snprintf(one_look.store_reason, sizeof(one_look.store_reason), "full");
	one_look.has_head = true;
	one_look.head.number = 12;
	one_look.head.confirm_by_ms = NOW_MS + 1000;
	one_look.document = 40;
	edge = (struct edge){ .n_reasons = 2, .n_left_out = 3, .n_notes = 1 };
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_string_equal(text_in(answer.json, "node"), "ams-1");
	assert_string_equal(text_in(answer.json, "cluster"), "shop");
	assert_string_equal(text_in(answer.json, "site"), "ams");
	assert_int_equal(number_in(answer.json, "version/number"), 12);
	assert_string_equal(text_in(answer.json, "version/state"), "unconfirmed");
	char time[CLOCK_TEXT_MAX];
	assert_string_equal(text_in(answer.json, "confirm_by"), clock_text(NOW_MS + 1000, time));
	assert_string_equal(text_in(answer.json, "time"), clock_text(NOW_MS, time));
	assert_int_equal(number_in(answer.json, "document"), 40);
	assert_string_equal(text_in(answer.json, "store/state"), "failing");
	assert_string_equal(text_in(answer.json, "store/detail"), "full");
	assert_int_equal(count_rows("overrides"), 2);
	assert_string_equal(text_in(item_at("overrides", 0), "id"), "o-1");
	assert_string_equal(text_in(item_at("overrides", 1), "id"), "o-3");
	assert_int_equal(number_in(answer.json, "backends/all"), 7);
	assert_int_equal(number_in(answer.json, "backends/standing_out"), 3);
	assert_int_equal(number_in(answer.json, "backends/shown"), 5);
	assert_string_equal(text_in(answer.json, "state"), "degraded");
	assert_int_equal(count_rows("why"), 3);
	assert_string_equal(json_string_value(item_at("why", 0)), "first");
	assert_string_equal(json_string_value(item_at("why", 1)), "second");
	assert_string_equal(json_string_value(item_at("why", 2)), "and 3 more reasons");
	assert_int_equal(count_rows("reasons"), 2);
	assert_false(json_is_null(find_value(item_at("reasons", 0), "since")));
	assert_true(json_is_null(find_value(item_at("reasons", 1), "since")));
	assert_int_equal(count_rows("notes"), 1);
	assert_int_equal(count_rows("processes"), 4);
	edge.n_left_out = 0;
	one_look.has_head = false;
	one_look.m = NULL; /* before the first version */
	assert_int_equal(ask_handler(handle_status, NULL, "", ""), 200);
	assert_int_equal(count_rows("why"), 2);
	assert_true(json_is_null(find_value(answer.json, "version")));
	assert_true(json_is_null(find_value(answer.json, "confirm_by")));
	assert_null(find_value(answer.json, "sites"));
	assert_string_equal(text_in(answer.json, "state"), "degraded");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_target_is_shown_as_it_was_seen),
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

	return cmocka_run_group_tests_name("look parts", tests, NULL, NULL);
}
