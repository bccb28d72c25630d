/* SPDX-License-Identifier: BSD-2-Clause */
/* Backup pools in the facts of an operation: what several nodes say, and what one does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/clock.h"
#include "base/page.h"
#include "mgmt/observe/backup_status.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/operations/facts.h"
#include "tests/unit/suite.h"
#include "tables_page.h"
#include "weir/health.h"
#include "whole_json.h"

#define READY   "\"class\":\"own\",\"backup_slots\":0,\"ready\":true,\"detail\":\"\""
#define REFUSED "\"class\":\"own\",\"backup_slots\":0,\"ready\":false,\"detail\":\"a reason\""
#define UNKNOWN "\"class\":\"own\",\"backup_slots\":0,\"ready\":null,\"detail\":\"no proof\""
#define SERVING "\"class\":\"backup\",\"backup_slots\":7,\"ready\":true,\"detail\":\"\""

static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra", .index = 1 } };
static const struct model_pool pools[2] = { { .name = "web-ams", .site = &sites[0] },
	                                    { .name = "web-fra", .site = &sites[1], .index = 1 } };
static const struct model_vip vip = { .name = "shop" };
static const struct model_at at[2] = {
	{ .site = &sites[0], .vip = &vip, .pool = &pools[0], .backup = &pools[1] },
	{ .site = &sites[1], .vip = &vip, .pool = &pools[1] },
};
static const struct model_service services[2] = {
	{ .name = "web", .at = at, .n_at = 2 },
	{ .name = "mail", .at = &at[1], .n_at = 1 },
};
static const struct model_node nodes[3] = { { .name = "ams-1", .site = &sites[0] },
	                                    { .name = "ams-2", .site = &sites[0] },
	                                    { .name = "fra-1", .site = &sites[1] } };
static const struct model m = { .self = &nodes[0],
	                        .sites = sites,
	                        .n_sites = 2,
	                        .nodes = nodes,
	                        .n_nodes = 3,
	                        .pools = pools,
	                        .n_pools = 2,
	                        .services = services,
	                        .n_services = 2 };
static struct operation_snapshot snapshot;
static struct operation op;

/* What a node of ams says of "web"; NULL: it is silent. */
static void let_say(size_t node, const char *row)
{
	json_decref(snapshot.reports[node].measure);
	snapshot.reports[node].measure = NULL;
	if (row)
		snapshot.reports[node].measure =
		        json_pack("{s:o}", "backups", json_loads(row, 0, NULL));
}

static int setup(void **state)
{
	(void)state;
	memset(&snapshot, 0, sizeof(snapshot));
	memset(&op, 0, sizeof(op));
	snapshot.m = &m;
	snapshot.n_reports = 3;
	for (size_t i = 0; i < 3; i++)
		snapshot.reports[i].node = &nodes[i];
	op.n_targets = 1;
	strcpy(op.targets[0].site, "ams");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		let_say(i, NULL);
	return 0;
}

static struct operation_site gather_site(const char *site)
{
	static struct operation_observed observed;

	operation_gather(&snapshot, &op, 0, &observed);
	return *facts_site(&observed.facts, site);
}

#define WEB(rest) "[{\"service\":\"web\"," rest "}]"

static void all_nodes_must_say_that_a_backup_is_ready(void **state)
{
	static const struct {
		const char *one, *two;
		enum operation_truth ok, left;
	} cases[] = {
		{ WEB(READY), WEB(READY), OPERATION_YES, OPERATION_YES },
		{ WEB(READY), WEB(REFUSED), OPERATION_NO, OPERATION_YES },
		{ WEB(READY), WEB(UNKNOWN), OPERATION_UNKNOWN, OPERATION_YES },
		{ WEB(READY), NULL, OPERATION_UNKNOWN, OPERATION_UNKNOWN },
		{ WEB(REFUSED), NULL, OPERATION_NO, OPERATION_UNKNOWN },
		{ NULL, NULL, OPERATION_UNKNOWN, OPERATION_UNKNOWN },
		{ "[]", "[]", OPERATION_UNKNOWN, OPERATION_UNKNOWN },
		{ WEB("\"ready\":null"), WEB(READY), OPERATION_UNKNOWN, OPERATION_UNKNOWN },
		{ WEB(READY), WEB(SERVING), OPERATION_YES, OPERATION_NO },
		{ WEB(SERVING), NULL, OPERATION_UNKNOWN, OPERATION_NO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("  %s and %s\n", cases[i].one ? cases[i].one : "silence",
		              cases[i].two ? cases[i].two : "silence");
		let_say(0, cases[i].one);
		let_say(1, cases[i].two);
		struct operation_site s = gather_site("ams");
		assert_true(s.has_backup);
		assert_int_equal(s.backup_ok, cases[i].ok);
		assert_int_equal(s.backup_left, cases[i].left);
	}
}

static void a_node_that_is_named_absent_is_not_asked(void **state)
{
	(void)state;
	let_say(0, WEB(READY));
	strcpy(op.without[0], "ams-2");
	op.n_without = 1;
	assert_int_equal(gather_site("ams").backup_ok, OPERATION_YES);
}

static void only_moved_services_with_a_backup_count(void **state)
{
	(void)state;
	assert_false(gather_site("fra").has_backup);
	strcpy(op.service, "mail");
	assert_false(gather_site("ams").has_backup);
	strcpy(op.service, "web");
	assert_true(gather_site("ams").has_backup);
}

static void people_read_which_backup_would_not_serve_and_why(void **state)
{
	json_t *list, *row;

	(void)state;
	let_say(0, WEB(READY));
	let_say(1, WEB(REFUSED));
	list = operation_backups_json(&snapshot, &op);
	assert_int_equal(json_array_size(list), 1);
	row = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(row, "backup")), "web-fra");
	assert_true(json_is_false(json_object_get(row, "ok")));
	assert_string_equal(json_string_value(json_object_get(row, "detail")), "a reason");
	json_decref(list);
	let_say(1, NULL);
	list = operation_backups_json(&snapshot, &op);
	row = json_array_get(list, 0);
	assert_true(json_is_null(json_object_get(row, "ok")));
	assert_non_null(strstr(json_string_value(json_object_get(row, "detail")), "not all nodes"));
	json_decref(list);
}

static void without_the_effect_nothing_is_said_of_readiness(void **state)
{
	json_t *list = backup_status_json(&(struct backup_evidence){ .m = &m }),
	       *row = json_array_get(list, 0);

	(void)state;
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(row, "service")), "web");
	assert_true(json_is_null(json_object_get(row, "ready")));
	assert_null(json_object_get(row, "backup_slots"));
	json_decref(list);
}

/* A node that its document does not have is at no site. */
static void a_node_without_a_row_knows_no_backup(void **state)
{
	struct model none = m;

	(void)state;
	none.self = NULL;
	json_t *list = backup_status_json(&(struct backup_evidence){ .m = &none });

	assert_true(json_is_array(list));
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

/* With @p n backends at @p rows, of this table. */
static struct effect_pool more; /* what else the table's row of the page has */

static struct effect *write_page(char dir[64], uint64_t table, bool has_backup,
                                 const struct effect_backend *rows, size_t n)
{
	struct effect_pool pool = more;
	struct effect *effect;
	char path[96];

	strcpy(dir, "/tmp/operation-backups-XXXXXX");
	assert_non_null(mkdtemp(dir));
	pool.pool = table;
	pool.n_slots = 64;
	pool.has_backup = has_backup;
	pool.n_backends = (uint32_t)n;
	if (n)
		pool.backup_obstacle = EFFECT_BACKUP_POOL_DOWN;
	tables_page_write_pool(dir, clock_mono_ms(), &pool, rows);
	assert_int_equal(effect_open(dir, &effect), 0);
	snprintf(path, sizeof(path), "rm -r %s", dir); /* with the page's lock */
	assert_int_equal(system(path), 0);
	return effect;
}

/*
 * The tables take a backup without a check as up; that is no proof that it would serve. One that is not
 * in the tables is not proven either.
 */
static void a_backup_that_nothing_probes_is_not_known_to_be_ready(void **state)
{
	static const struct model_check check = { .interval_ms = 1000 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		bool unproven = i == 4; /* by the tables */
		bool checked = unproven || i % 2, there = i / 2;
		struct model_pool backup = { .name = "web-fra",
			                     .site = &sites[1],
			                     .index = 1,
			                     .check = checked ? &check : NULL };
		struct model_at here = at[0];
		struct model_service service = { .name = "web", .at = &here, .n_at = 1 };
		struct model own = m;
		struct model_table tables[4];
		char dir[64];

		here.backup = &backup;
		own.services = &service;
		own.n_services = 1;
		assert_int_equal(model_tables(&own, &sites[0], tables), 1);
		more.backup_obstacle = unproven ? EFFECT_BACKUP_UNPROVEN : EFFECT_BACKUP_USABLE;
		struct effect *effect = write_page(dir, tables[0].id, there, NULL, 0);
		const struct backup_evidence evidence = { .m = &own, .effect = effect };
		const struct backup_tables all = { tables, 1 };
		more.backup_obstacle = EFFECT_BACKUP_USABLE;
		json_t *list = backup_status_json(&evidence), *row = json_array_get(list, 0);
		const json_t *ready = json_object_get(row, "ready");
		const char *detail = json_string_value(json_object_get(row, "detail"));
		assert_true(checked && there && !unproven ? json_is_true(ready)
		                                          : json_is_null(ready));
		assert_int_equal(backup_status_is_odd(&evidence, &all, &here),
		                 !json_is_true(ready));
		if (there && !unproven)
			assert_string_equal(
			        detail,
			        checked ? ""
			                : "its pool has no check: whether it is up is not known");
		json_decref(list);
		effect_close(effect);
	}
}

#define N_BACKENDS 2u

/* A site with a backup of two backends, its tables and what its probes found. */
static struct {
	struct model_backend backends[N_BACKENDS];
	struct model_pool backup;
	struct model_at at;
	struct model_service service;
	struct model_node node;
	struct model m;
	struct model_table tables[4];
	struct effect_backend rows[N_BACKENDS];
	struct health_page health;
} scene;

static void prepare_scene(void)
{
	static const struct model_check check = { .interval_ms = 1000 };
	uint64_t targets[N_BACKENDS];

	memset(&scene, 0, sizeof(scene));
	scene.backup = (struct model_pool){ .name = "web-fra",
		                            .site = &sites[1],
		                            .index = 1,
		                            .check = &check,
		                            .backends = scene.backends,
		                            .n_backends = N_BACKENDS };
	scene.at = at[0];
	scene.at.backup = &scene.backup;
	scene.service = (struct model_service){ .name = "web", .at = &scene.at, .n_at = 1 };
	scene.node = (struct model_node){ .name = "ams-1", .site = &sites[0], .mtu = 1500 };
	assert_int_equal(prefix_parse("10.1.255.0/24", &scene.node.tunnel_source4), 0);
	scene.m = m;
	scene.m.self = &scene.node;
	scene.m.nodes = &scene.node;
	scene.m.n_nodes = 1;
	scene.m.services = &scene.service;
	scene.m.n_services = 1;
	assert_int_equal(model_tables(&scene.m, &sites[0], scene.tables), 1);
	for (uint64_t i = 0; i < N_BACKENDS; i++) {
		scene.backends[i] = (struct model_backend){ .id = i + 1, .pool = &scene.backup };
		assert_int_equal(addr_parse("10.2.1.11", &scene.backends[i].address), 0);
		scene.rows[i] = (struct effect_backend){ .pool = scene.tables[0].id,
			                                 .id = i + 1,
			                                 .next_hop = 1,
			                                 .inner_mtu = 1480,
			                                 .is_backup = 1 };
		targets[i] = health_target_backend("web-fra", i + 1);
	}
	assert_int_equal(health_set_targets(&scene.health, targets, N_BACKENDS, 1), 0);
}

static void see_probe(uint64_t id, enum health_state state, enum health_reason reason)
{
	int at_index = health_find_index(&scene.health, health_target_backend("web-fra", id));

	health_write(&scene.health, at_index, health_make(state, 0, reason, 9));
}

/* What the row of the scene says, with or without the pages. The text stays until the next call. */
static const char *read_detail(bool has_effect, bool has_health)
{
	static json_t *rows;
	char dir[64];
	struct effect *effect = write_page(dir, scene.tables[0].id, true, scene.rows, N_BACKENDS);

	json_decref(rows);
	rows = backup_status_json(&(struct backup_evidence){ &scene.m, has_effect ? effect : NULL,
	                                                     has_health ? &scene.health : NULL });
	effect_close(effect);
	return json_string_value(json_object_get(json_array_get(rows, 0), "detail"));
}

/* Each number and word of the tables, in the list and with the service, and how the rows count together. */
static void a_row_has_all_that_the_tables_say(void **state)
{
	static const struct {
		const char *why;
		struct effect_pool more;
		bool has_backup;
		const char *said; /* behind the name of the backup */
		struct backup_sum sum;
		bool is_odd;
	} rows[] = {
		{ "its own backends serve",
		  { .class = EFFECT_CLASS_OWN, .backup_slots = 0, .refused_slots = 0 },
		  true,
		  "'class': 'own', 'backup_slots': 0, 'refused_slots': 0, 'ready': true, 'detail': ''",
		  { .n = 1, .n_ready = 1, .n_left = 1 },
		  false },
		{ "a part is at the backup, and a part is refused",
		  { .class = EFFECT_CLASS_BACKUP, .backup_slots = 40, .refused_slots = 23 },
		  true,
		  "'class': 'backup', 'backup_slots': 40, 'refused_slots': 23, 'ready': true, 'detail': ''",
		  { .n = 1, .n_ready = 1, .n_serving = 1 },
		  false },
		{ "flows stay at the backup",
		  { .class = EFFECT_CLASS_OWN, .backup_slots = 1, .refused_slots = 2 },
		  true,
		  "'class': 'own', 'backup_slots': 1, 'refused_slots': 2, 'ready': true, 'detail': ''",
		  { .n = 1, .n_ready = 1, .n_serving = 1 },
		  false },
		{ "the tables know no backup",
		  { .class = EFFECT_CLASS_OWN },
		  false,
		  "'class': null, 'ready': null, 'detail': 'weir-health does not say what its probes "
		  "find (weir processes)'",
		  { .n = 1 },
		  true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct backup_sum sum = { 0 };
		char dir[64], expected[512];

		prepare_scene();
		more = rows[i].more;
		struct effect *effect =
		        write_page(dir, scene.tables[0].id, rows[i].has_backup, NULL, 0);
		const struct backup_evidence evidence = { &scene.m, effect, NULL };
		const struct backup_tables all = { scene.tables, 1 };
		json_t *list = backup_status_json(&evidence);

		backup_status_add_row(json_array_get(list, 0), &sum);
		assert_memory_equal(&sum, &rows[i].sum, sizeof(sum));
		assert_int_equal(backup_status_is_odd(&evidence, &all, &scene.at), rows[i].is_odd);
		snprintf(expected, sizeof(expected), "{'backup': 'web-fra', %s}", rows[i].said);
		expect_whole(rows[i].why,
		             backup_status_of(&evidence, &all, &scene.service, &scene.at),
		             expected);
		snprintf(
		        expected, sizeof(expected),
		        "[{'service': 'web', 'site': 'ams', 'pool': 'web-ams', 'backup': 'web-fra', %s}]",
		        rows[i].said);
		expect_whole(rows[i].why, list, expected);
		effect_close(effect);
	}
	more = (struct effect_pool){ 0 };
}

static void each_cause_has_a_sentence_of_its_own(void **state)
{
	static const struct {
		enum health_reason reason;
		const char *text;
	} cases[] = {
		{ HEALTH_REASON_FULL_SIZE,
		  "they answer small packets, and none of 1480 bytes: the way has a smaller MTU" },
		{ HEALTH_REASON_UNREACHABLE,
		  "they say \"unreachable\": VIP shop is missing on their loopback" },
		{ HEALTH_REASON_REFUSED, "nothing listens at the addresses of VIP shop there" },
		{ HEALTH_REASON_BAD_STATUS, "answers badly at VIP shop (bad-status)" },
		{ HEALTH_REASON_NONE, "no probe has had a result so far" },
		{ HEALTH_REASON_TIMEOUT,
		  "no answer through the tunnel; likely, in this order: VIP shop is missing on "
		  "their loopback; their agents do not accept IP in IP from 10.1.255.0/24; they "
		  "take another encapsulation than IP in IP; a filter drops it on the way, or "
		  "replies with this VIP as source at site fra" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		prepare_scene();
		for (uint64_t id = 1; id <= N_BACKENDS; id++)
			see_probe(id, HEALTH_DOWN, cases[i].reason);
		const char *detail = read_detail(true, true);
		if (!strstr(detail, cases[i].text) || !strstr(detail, "2 of 2 backends: "))
			fail_msg("%s: not in \"%s\"", cases[i].text, detail);
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
			assert_int_equal(strstr(detail, cases[k].text) != NULL, k == i);
	}
}

static void what_the_tables_know_comes_before_what_probes_found(void **state)
{
	const char *detail;

	(void)state;
	prepare_scene();
	see_probe(1, HEALTH_DOWN, HEALTH_REASON_TIMEOUT);
	see_probe(2, HEALTH_UP, HEALTH_REASON_OK);
	scene.rows[0].next_hop = 0;
	scene.rows[0].reason = EFFECT_REASON_ROUTE;
	detail = read_detail(true, true);
	assert_non_null(strstr(detail, "1 of 2 backends: no way to them from this node"));
	assert_null(strstr(detail, "loopback"));
	scene.rows[0].next_hop = 1;
	scene.rows[0].reason = 0;
	scene.rows[0].inner_mtu = 1400;
	detail = read_detail(true, true);
	assert_non_null(strstr(detail, "only packets of 1400 bytes fit in the tunnel, and 1480"));
	see_probe(2, HEALTH_DOWN, HEALTH_REASON_TIMEOUT);
	for (int least = 0; least < 2; least++) { /* of both, in any order */
		scene.rows[least].inner_mtu = 1300;
		scene.rows[1 - least].inner_mtu = 1400;
		assert_non_null(strstr(read_detail(true, true), "only packets of 1300 bytes fit"));
	}
	see_probe(2, HEALTH_UP, HEALTH_REASON_OK);
	scene.rows[0].inner_mtu = scene.rows[1].inner_mtu = 1480;
	scene.at.backup_mtu = 1400;
	see_probe(1, HEALTH_DOWN, HEALTH_REASON_FULL_SIZE);
	assert_non_null(strstr(read_detail(true, true), "none of 1380 bytes"));
}

static void a_page_that_is_missing_is_named(void **state)
{
	(void)state;
	prepare_scene();
	see_probe(1, HEALTH_DOWN, HEALTH_REASON_TIMEOUT);
	assert_non_null(strstr(read_detail(false, true), "weir-dataplane does not say"));
	assert_non_null(strstr(read_detail(true, false), "weir-health does not say"));
	assert_null(strstr(read_detail(true, false), "loopback"));
	scene.backup.check = NULL;
	assert_string_equal(read_detail(true, true), "less than min_healthy of the backup is up");
}

static void a_table_that_is_missing_is_named(void **state)
{
	(void)state;
	prepare_scene();
	scene.tables[0].id++;
	assert_string_equal(read_detail(true, true), "the backup is not in the tables so far");
}

/* Two services with one table: one that is drained alone has no late clients of its own there. */
static void a_service_that_shares_its_slots_keeps_its_late_clients(void **state)
{
	const struct model_service both[2] = { services[0],
		                               { .name = "mail", .at = at, .n_at = 2 } };
	struct model with_both = m;
	json_t *list;

	(void)state;
	with_both.services = both;
	snapshot.m = &with_both;
	let_say(0, "[{\"service\":\"web\"," READY "}]");
	let_say(1, "[{\"service\":\"web\"," READY "}]");
	struct operation_site s = gather_site("ams");
	assert_true(s.has_backup && !s.slots_with); /* both move */
	snprintf(op.service, sizeof(op.service), "web");
	s = gather_site("ams");
	assert_true(s.has_backup);
	assert_string_equal(s.slots_with, "mail");
	op.n_targets = 1;
	snprintf(op.targets[0].site, sizeof(op.targets[0].site), "ams");
	list = operation_backups_json(&snapshot, &op);
	assert_true(json_is_false(json_object_get(json_array_get(list, 0), "ok")));
	assert_non_null(
	        strstr(json_string_value(json_object_get(json_array_get(list, 0), "detail")),
	               "own backends"));
	json_decref(list);
	op.service[0] = '\0';
	snapshot.m = &m;
}

SUITE(operation_backups)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(all_nodes_must_say_that_a_backup_is_ready),
		TEST(a_node_that_is_named_absent_is_not_asked),
		TEST(only_moved_services_with_a_backup_count),
		TEST(people_read_which_backup_would_not_serve_and_why),
		TEST(a_backup_that_nothing_probes_is_not_known_to_be_ready),
		TEST(without_the_effect_nothing_is_said_of_readiness),
		TEST(a_node_without_a_row_knows_no_backup),
		TEST(a_row_has_all_that_the_tables_say),
		cmocka_unit_test(each_cause_has_a_sentence_of_its_own),
		TEST(what_the_tables_know_comes_before_what_probes_found),
		TEST(a_page_that_is_missing_is_named),
		TEST(a_table_that_is_missing_is_named),
		TEST(a_service_that_shares_its_slots_keeps_its_late_clients),
	};

	return cmocka_run_group_tests_name("operation backups", tests, NULL, NULL);
}
