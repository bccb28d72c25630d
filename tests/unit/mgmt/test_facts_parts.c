/* SPDX-License-Identifier: BSD-2-Clause */
/* Which facts the judgement gets of what was seen: nothing old, nobody's word for another's. */
#include "fixture.h"
#include "tables_page.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/json/observed.h"
#include "mgmt/status/facts.h"
#include "tests/unit/suite.h"

static struct judge_facts facts; /* of what is observed */
static struct observe_memory memory;
static struct judge_verdict verdict; /* of all facts */

static struct look seen;
static struct health_page health;
static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static const struct model_at at[1] = { { .site = &sites[1] } };
static const struct model_service services[1] = { { .name = "web", .at = at, .n_at = 1 } };
static const struct model_node nodes[3] = { { .name = "ams-1", .site = &sites[0] },
	                                    { .name = "fra-1", .site = &sites[1] },
	                                    { .name = "fra-2", .site = &sites[1] } };
static const struct model two_sites = { .cluster = "shop",
	                                .sites = sites,
	                                .n_sites = 2,
	                                .nodes = nodes,
	                                .n_nodes = 3,
	                                .self = &nodes[0],
	                                .services = services,
	                                .n_services = 1 };

static int setup(void **state)
{
	(void)state;
	observe_forget(&memory);
	memset(&memory, 0, sizeof(memory));
	memset(&seen, 0, sizeof(seen));
	memset(&health, 0, sizeof(health));
	seen.m = &two_sites;
	seen.pages.health = &health;
	seen.pages.health_fresh = true;
	return 0;
}

static void gather_facts(void)
{
	const struct observe_node node = { .m = seen.m,
		                           .overrides = &seen.overrides,
		                           .now_ms = seen.now_ms,
		                           .pages = &seen.pages,
		                           .processes = seen.processes,
		                           .conditions = seen.conditions,
		                           .supervisor = &seen.supervisor,
		                           .supervisor_conditions = &seen.supervisor_conditions };

	observe_forget(&memory);
	memset(&memory, 0, sizeof(memory));
	memset(&facts, 0, sizeof(facts));
	assert_int_equal(observe_facts(&node, &memory, &facts), 0);
}

/* The first reason of @p rule and @p subject (NULL: of any) in the judgement; NULL: there is none. */
static const struct judge_reason *find_reason(enum rule_id rule, const char *subject)
{
	assert_int_equal(facts_judge(&seen, &verdict), 0);
	for (size_t i = 0; i < verdict.n_reasons; i++)
		if (verdict.reasons[i].rule == rule &&
		    (!subject || !strcmp(verdict.reasons[i].subject, subject)))
			return &verdict.reasons[i];
	return NULL;
}

static void each_process_is_told_as_it_was_seen(void **state)
{
	(void)state;
	for (int p = 0; p < OBSERVE_COUNT; p++) {
		setup(NULL);
		seen.processes[p] = (struct gather_process){ .present = true,
			                                     .running = true,
			                                     .refused = true,
			                                     .age_ms = 17,
			                                     .document = 9,
			                                     .has_conditions = true };
		seen.processes[OBSERVE_ANNOUNCE].announces = true;
		gather_facts();
		assert_int_equal(facts.n_processes, OBSERVE_COUNT);
		for (int k = 0; k < OBSERVE_COUNT; k++) {
			const struct judge_process *f = &facts.processes[k];

			assert_string_equal(f->name, observe_name((enum observe_process)k));
			assert_int_equal(f->present, k == p);
			assert_int_equal(f->running, k == p);
			assert_int_equal(f->refused, k == p);
			assert_int_equal(f->age_ms, k == p ? 17 : 0);
			assert_int_equal(f->document, k == p ? 9 : 0);
			assert_ptr_equal(f->conditions, k == p ? &seen.conditions[p] : NULL);
			assert_false(f->conditions_unread);
		}
	}
	seen.processes[1].conditions_unread = true;
	gather_facts();
	assert_true(facts.processes[1].conditions_unread);
}

/* Most nodes do not start weir-announce; where it runs, or is configured, it counts. */
static void weir_announce_counts_where_it_belongs(void **state)
{
	static const struct {
		bool announces, running, counts;
	} rows[] = { { false, false, false },
		     { true, false, true },
		     { false, true, true },
		     { true, true, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool counts = false;

		seen.processes[OBSERVE_ANNOUNCE] =
		        (struct gather_process){ .announces = rows[i].announces,
			                         .running = rows[i].running };
		gather_facts();
		for (size_t k = 0; k < facts.n_processes; k++)
			counts |= !strcmp(facts.processes[k].name, "announce");
		assert_int_equal(counts, rows[i].counts);
		assert_int_equal(facts.n_processes, OBSERVE_COUNT - !counts);
		assert_string_equal(facts.processes[facts.n_processes - 1].name, "mgmt");
	}
}

static void observe_health(bool ip4, enum health_state word)
{
	uint64_t all[2] = { health_target_service("web", "fra", false),
		            health_target_service("web", "fra", true) };

	assert_int_equal(health_set_targets(&health, all, 2, 1), 0);
	health_write(&health, health_find_index(&health, all[ip4]),
	             health_make(word, 0, HEALTH_REASON_OK, 1));
}

/* A page with pool "web" in force. */
static void open_effect(const char *dir)
{
	const struct effect_pool pool = { .pool = hash_text("web"), .n_slots = 4 };

	tables_page_write_pool(dir, clock_mono_ms(), &pool, NULL);
	assert_int_equal(effect_open(dir, &seen.pages.effect), 0);
}

static void what_is_old_is_not_known(void **state)
{
	static const struct model_pool pool = { .name = "web", .site = &sites[0] };
	struct model m = two_sites;
	struct fixture place;

	(void)state;
	fixture_make(&place);
	m.pools = &pool;
	m.n_pools = 1;
	seen.m = &m;
	observe_health(false, HEALTH_DOWN);
	observe_health(true, HEALTH_DOWN);
	open_effect(place.root);
	for (unsigned i = 0; i < 4; i++) {
		seen.pages.health_fresh = i & 1;
		seen.pages.effect_fresh = i & 2;
		gather_facts();
		assert_int_equal(facts.sites[1].down, i & 1);
		assert_int_equal(facts.pools[0].in_force, (i & 2) != 0);
		assert_int_equal(facts.effect_fresh, (i & 2) != 0);
	}
	effect_close(seen.pages.effect);
	fixture_remove(&place);
}

/* Workers forward only where the process lives and a living weir run has seen them count. */
static void workers_are_believed_of_who_lives(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		seen.processes[OBSERVE_DATAPLANE].exists = i & 1;
		seen.supervisor.running = i & 2;
		seen.supervisor.workers_forward = i & 4;
		gather_facts();
		assert_int_equal(facts.workers_forward, i == 7);
	}
	seen.processes[OBSERVE_DATAPLANE] = (struct gather_process){
		.dpdk = true, .learning = true, .has_ports = true, .n_ports = 3
	};
	gather_facts();
	assert_true(facts.dpdk && facts.waits_for_connections && facts.ports_known);
	assert_int_equal(facts.n_ports, 3);
}

/* The kernel runs no XDP program on the port. A DPDK process whose page cannot be read may forward all the same. */
static void a_process_without_a_page_forwards_nothing_where_no_port_has_its_program(void **state)
{
	static const struct {
		enum model_driver driver;
		const char *first, *second; /* devices of the ports */
		bool present, running, no_program;
	} rows[] = {
		{ MODEL_DRIVER_AUTO, "", "", false, false, true },
		{ MODEL_DRIVER_AUTO, "0000:01:00.0", "0000:01:00.1", false, false, false },
		{ MODEL_DRIVER_AUTO, "0000:01:00.0", "0000:01:00.1", true, false, true },
		{ MODEL_DRIVER_AUTO, "0000:01:00.0", "", false, false, true }, /* then it is XDP */
		{ MODEL_DRIVER_XDP, "0000:01:00.0", "0000:01:00.1", false, false, true },
		{ MODEL_DRIVER_XDP, "", "", true, false, true },
		{ MODEL_DRIVER_XDP, "", "", true, true, false },
		{ MODEL_DRIVER_DPDK, "", "", false, false, false },
		{ MODEL_DRIVER_DPDK, "", "", true, false, true },
	};
	struct model_port ports[2] = { { .interface = "lo" }, { .interface = "lo" } };
	struct model_node self = {
		.name = "ams-1", .site = &two_sites.sites[0], .ports = ports, .n_ports = 2
	};
	struct model m = two_sites;

	(void)state;
	m.self = &self;
	seen.m = &m;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		self.driver = rows[i].driver;
		ports[0].device = rows[i].first;
		ports[1].device = rows[i].second;
		seen.processes[OBSERVE_DATAPLANE].present = rows[i].present;
		seen.processes[OBSERVE_DATAPLANE].running = rows[i].running;
		gather_facts();
		assert_int_equal(facts.no_program, rows[i].no_program);
	}
}

/* weir-dataplane has not run here yet, as no port has its program. */
static void what_has_just_started_waits_for_the_others(void **state)
{
	struct model_port port = { .interface = "lo", .device = "" };
	struct model_node self = { .name = "ams-1",
		                   .site = &two_sites.sites[0],
		                   .driver = MODEL_DRIVER_XDP,
		                   .ports = &port,
		                   .n_ports = 1 };
	struct model m = two_sites;

	(void)state;
	m.self = &self;
	seen.m = &m;
	for (int i = 0; i < 2; i++) {
		seen.running_ms = i ? JUDGE_START_MS : JUDGE_START_MS - 1;
		assert_int_equal(find_reason(JUDGE_RULE_FORWARDING_STOPPED, NULL) != NULL, i);
	}
}

static void a_node_that_joins_lacks_no_configuration(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		seen.has_head = i & 1;
		seen.joins = i & 2;
		assert_int_equal(find_reason(JUDGE_RULE_NO_CONFIGURATION, NULL) != NULL, i == 0);
	}
	seen.head.number = 12;
	seen.has_head = true;
	assert_null(find_reason(JUDGE_RULE_VERSION_UNCONFIRMED, NULL));
	seen.waiting = (struct version){ .number = 12, .confirm_by_ms = 5 };
	assert_non_null(strstr(find_reason(JUDGE_RULE_VERSION_UNCONFIRMED, NULL)->text,
	                       "version 12 is not confirmed"));
	seen.waiting = (struct version){ .number = 13, .confirm_by_ms = 5, .canary = "site/ams" };
	assert_non_null(strstr(find_reason(JUDGE_RULE_VERSION_UNCONFIRMED, NULL)->text,
	                       "version 13 is tried at site/ams and not confirmed"));
	seen.waiting.number = 0;
	seen.has_head = false;
	assert_null(find_reason(JUDGE_RULE_VERSION_UNCONFIRMED, NULL));
	assert_non_null(find_reason(JUDGE_RULE_PEER_TOKEN_MISSING, NULL));
	seen.m = NULL; /* nothing is known of peers and sites then */
	assert_null(find_reason(JUDGE_RULE_PEER_TOKEN_MISSING, NULL));
	gather_facts();
	assert_false(facts.answers);
	assert_int_equal(facts.n_sites, 0);
	snprintf(seen.store_reason, sizeof(seen.store_reason), "it is full");
	assert_non_null(strstr(find_reason(JUDGE_RULE_STORE_FAILING, NULL)->text, "it is full"));
	snprintf(seen.unwritten_reason, sizeof(seen.unwritten_reason), "no room");
	assert_non_null(strstr(find_reason(JUDGE_RULE_DOCUMENT_UNWRITTEN, NULL)->text, "no room"));
}

/* A site of which nothing is seen is not down. */
static void a_site_is_down_when_all_its_targets_are(void **state)
{
	(void)state;
	gather_facts();
	assert_false(facts.sites[0].down || facts.sites[1].down);
	assert_string_equal(facts.sites[1].name, "fra");
	observe_health(false, HEALTH_DOWN);
	gather_facts();
	assert_false(facts.sites[1].down);
	observe_health(true, HEALTH_DOWN);
	gather_facts();
	assert_true(facts.sites[1].down);
	assert_false(facts.sites[0].down);
	seen.pages.health_fresh = false;
	gather_facts();
	assert_false(facts.sites[1].down);
	seen.pages.health_fresh = true;
	observe_health(true, HEALTH_UP);
	gather_facts();
	assert_false(facts.sites[1].down);
}

/* Its check fails because an operation has withdrawn its VIPs: nobody has to be called. */
static void a_site_whose_vips_an_operation_withdrew_is_not_down(void **state)
{
	struct override step = { .id = "o1",
		                 .kind = MODEL_OVERRIDE_DRAIN,
		                 .target = MODEL_TARGET_SITE,
		                 .name = "fra",
		                 .operation = "op-7",
		                 .is_step = true,
		                 .until_ms = MODEL_TIME_NEVER };

	(void)state;
	observe_health(true, HEALTH_DOWN);
	observe_health(false, HEALTH_DOWN);
	seen.overrides = (struct overrides){ .items = &step, .n_items = 1 };
	gather_facts();
	assert_true(facts.sites[1].down); /* drained, and announced as before */
	step.own_vips = MODEL_VIPS_WITHDRAWN;
	gather_facts();
	assert_false(facts.sites[1].down);
	step.ended = true;
	gather_facts();
	assert_true(facts.sites[1].down);
	seen.overrides = (struct overrides){ 0 };
}

static void each_other_node_is_a_peer(void **state)
{
	static const struct {
		bool refused, asked;
		enum peers_state state;
		enum rule_id rule; /* RULE_COUNT: it is well */
	} rows[] = {
		{ false, true, PEERS_AGREED, RULE_COUNT },
		{ false, true, PEERS_BEHIND, JUDGE_RULE_PEER_BEHIND },
		{ false, true, PEERS_AHEAD, RULE_COUNT },
		{ false, true, PEERS_DIFFERS, JUDGE_RULE_PEER_DIFFERS },
		{ false, true, PEERS_UNREACHABLE, JUDGE_RULE_PEER_UNREACHABLE },
		{ false, false, PEERS_UNREACHABLE, JUDGE_RULE_PEER_NEVER_HEARD },
		{ true, false, PEERS_UNREACHABLE, JUDGE_RULE_PEER_TOKEN_REFUSED },
		{ true, true, PEERS_UNREACHABLE, JUDGE_RULE_PEER_TOKEN_REFUSED },
	};

	(void)state;
	assert_non_null(find_reason(JUDGE_RULE_PEER_TOKEN_MISSING, NULL));
	seen.has_token = true;
	assert_null(find_reason(JUDGE_RULE_PEER_TOKEN_MISSING, NULL));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		seen.n_peer_reports = 1;
		seen.peer_reports[0] =
		        (struct peers_report){ .node = "fra-2",
			                       .state = rows[i].state,
			                       .refused = rows[i].refused,
			                       .unreachable_reason = "why",
			                       .behind_ms = clock_mono_ms() - 20000,
			                       .answered_ms = rows[i].asked ? 1 : 0 };
		for (int rule = JUDGE_RULE_PEER_TOKEN_REFUSED; rule <= JUDGE_RULE_PEER_DIFFERS;
		     rule++) {
			const struct judge_reason *r = find_reason((enum rule_id)rule, "fra-2");

			if ((r != NULL) != (rule == (int)rows[i].rule))
				fail_msg("row %zu: rule %d", i, rule);
			if (r)
				assert_non_null(strstr(r->text, ": why"));
		}
		assert_non_null(find_reason(JUDGE_RULE_PEER_NEVER_HEARD,
		                            "fra-1")); /* not in the list yet */
		assert_null(find_reason(JUDGE_RULE_PEER_NEVER_HEARD, "ams-1")); /* itself */
	}
	seen.peer_reports[0].refused = false; /* behind only since a moment */
	seen.peer_reports[0].state = PEERS_BEHIND;
	seen.peer_reports[0].behind_ms = clock_mono_ms();
	assert_null(find_reason(JUDGE_RULE_PEER_BEHIND, "fra-2"));
}

static void reasons_are_told_since_their_wall_time(void **state)
{
	struct judge_reason r = { .code = "site-down", .subject = "fra", .text = "t" };
	char text[CLOCK_TEXT_MAX];

	(void)state;
	json_t *told = judged_reasons_json(&r, 1, true);
	const json_t *one = json_array_get(told, 0);
	assert_true(json_is_null(json_object_get(one, "since")));
	assert_string_equal(json_string_value(json_object_get(one, "code")), "site-down");
	json_decref(told);
	r.since_at_ms = NOW_MS;
	told = judged_reasons_json(&r, 1, true);
	assert_string_equal(json_string_value(json_object_get(json_array_get(told, 0), "since")),
	                    clock_text(NOW_MS, text));
	json_decref(told);
}

SUITE(facts_parts)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(each_process_is_told_as_it_was_seen),
		T(weir_announce_counts_where_it_belongs),
		T(what_is_old_is_not_known),
		T(workers_are_believed_of_who_lives),
		T(a_process_without_a_page_forwards_nothing_where_no_port_has_its_program),
		T(what_has_just_started_waits_for_the_others),
		T(a_node_that_joins_lacks_no_configuration),
		T(a_site_is_down_when_all_its_targets_are),
		T(a_site_whose_vips_an_operation_withdrew_is_not_down),
		T(each_other_node_is_a_peer),
		T(reasons_are_told_since_their_wall_time),
	};

	return cmocka_run_group_tests_name("facts parts", tests, NULL, NULL);
}
