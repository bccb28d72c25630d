/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts of operations from what nodes said: what is missing, malformed or old is unknown, never 0,
 * and a node that is silent makes the sum of its site unknown.
 */
#include "operation_world.h"
#include "tests/unit/suite.h"

static void nothing_said_is_nothing_known(void **state)
{
	struct world *w = make_world();
	const struct operation_site *s = gather_ams(w);

	(void)state;
	assert_false(s->flows.known);
	assert_false(s->bits.known);
	assert_false(s->backup_flows.known);
	assert_false(s->established.known);
	assert_false(s->repeats.known);
	assert_false(s->drops.known);
	assert_false(s->named.known);
	assert_false(w->observed.facts.window_flows.known);
	assert_int_equal(s->up, OPERATION_UNKNOWN);
	assert_int_equal(s->pools, OPERATION_UNKNOWN);
	assert_int_equal(s->failing, OPERATION_UNKNOWN);
	assert_int_equal(w->observed.nodes[0].dns, OPERATION_UNKNOWN);
	assert_false(w->observed.nodes[0].levels[0].known);
	assert_false(s->capacity_flows.known);
	assert_true(w->observed.sites[1].capacity_flows.known);
	free_world(w);
}

static void a_site_is_the_sum_of_its_nodes_or_unknown(void **state)
{
	struct world *w = make_world();

	(void)state;
	give_report(w, 0, FLOWS(30000, 20000, 10000));
	const struct operation_site *s = gather_ams(w);
	assert_false(s->flows.known || s->arrivals.known);
	assert_int_equal(s->arrivals_heard, 30); /* there may be more */
	give_report(w, 1, FLOWS(12000, 12000, 0));
	s = gather_ams(w);
	assert_true(s->flows.known);
	assert_int_equal(s->arrivals_heard, 42);
	assert_int_equal(s->flows.value, 32);
	assert_int_equal(s->arrivals.value, 42);
	assert_int_equal(s->backup_flows.value, 10);
	assert_int_equal(s->bits.value, 2000);
	assert_true(s->drops.known);
	assert_int_equal(s->drops.value, 0);
	free_world(w);
}

/* fra-1 says in how many families it checks the VIP of ams five times a second, at a port of the service or not. */
static void checks_by_other_sites_are_no_clients(void **state)
{
	static const struct {
		uint16_t port;
		const char *said;
		uint64_t flows, backup, established;
	} rows[] = {
		{ 0, "{\"checks\":{\"web\":{\"ams\":2}}}", 9, 10, 139 },
		{ 80, "{\"checks\":{\"web\":{\"ams\":2}}}", 9, 10, 139 },
		{ 80, "{\"checks\":{\"web\":{\"ams\":1}}}", 14, 10, 150 },
		{ 81, "{\"checks\":{\"web\":{\"ams\":2}}}", 20, 10, 160 },
		{ 0, "{\"checks\":{\"web\":{\"fra\":2}}}", 20, 10, 160 },
		{ 0, "{\"checks\":{}}", 20, 10, 160 }, /* they do not get through */
		{ 0, "{}", 20, 10, 160 },              /* or nobody says so */
		{ 0, "{\"checks\":{\"web\":{\"ams\":3}}}", 20, 10, 160 },
		{ 0, "{\"checks\":{\"web\":{\"ams\":\"2\"}}}", 20, 10, 160 },
		{ 0, "{\"checks\":{\"web\":2}}", 20, 10, 160 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();
		struct model_check check = { .interval_ms = 200, .port = rows[i].port };

		w->service.vip_check = &check;
		w->service.port = 80;
		give_report(w, 0, FLOWS(30000, 20000, 10000));
		give_report(w, 1, FLOWS(0, 0, 0));
		give_report(w, 2, rows[i].said);
		const struct operation_site *s = gather_ams(w);
		assert_int_equal(s->flows.value, rows[i].flows);
		assert_int_equal(s->backup_flows.value, rows[i].backup);
		assert_int_equal(s->arrivals.value, rows[i].flows + rows[i].backup);
		assert_int_equal(s->established.value, rows[i].established);
		give_report(w, 0, FLOWS(4000, 4000, 0)); /* fewer than checks: nothing is below 0 */
		assert_int_equal(gather_ams(w)->flows.value, rows[i].flows == 20 ? 4 : 0);
		/* what is left of them comes to the backup pool, whose packets are not counted */
		give_report(w, 0, FLOWS(24000, 4000, 20000));
		assert_int_equal(gather_ams(w)->established.value, rows[i].flows == 20 ? 176 : 168);
		free_world(w);
	}
}

#define RATES(fresh, own, backup, packets)                                                         \
	"{\"bits_per_s\":1000,\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\","  \
	"\"new_milli\":" #fresh ",\"silent_ppm\":0,\"repeated_ppm\":0}],\"pools\":[{\"pool\":"     \
	"\"web-ams\",\"own_milli\":" #own ",\"backup_milli\":" #backup                             \
	",\"own_packets_milli\":" #packets "}],\"drops\":{}}}"

/* One check a second comes from fra, or none. What clients send beside it keeps the site from being empty. */
static void clients_do_not_hide_behind_checks(void **state)
{
	static const struct {
		const char *why;
		bool is_checked;
		enum model_check_type type;
		const char *measure;
		uint64_t established, flows;
	} rows[] = {
		{ "a connect is a SYN and two more", true, MODEL_CHECK_TCP,
		  RATES(1000, 1000, 0, 5900), 3, 0 },
		{ "a request has five more", true, MODEL_CHECK_HTTP, RATES(1000, 1000, 0, 6200), 0,
		  0 },
		{ "checks alone", true, MODEL_CHECK_TCP, RATES(1000, 1000, 0, 3000), 0, 0 },
		{ "two more than usual in this window", true, MODEL_CHECK_TCP,
		  RATES(1200, 1200, 0, 3600), 0, 0 },
		{ "a client more each two seconds", true, MODEL_CHECK_TCP,
		  RATES(1500, 1500, 0, 4500), 1, 1 },
		{ "the backup serves the checks", true, MODEL_CHECK_TCP, RATES(1000, 0, 1000, 1500),
		  2, 0 },
		{ "nine flows and their packets in ten seconds", false, MODEL_CHECK_TCP,
		  RATES(900, 900, 0, 1800), 1, 1 },
		{ "one packet in ten seconds", false, MODEL_CHECK_TCP, RATES(0, 0, 0, 100), 1, 0 },
		{ "nothing", false, MODEL_CHECK_TCP, RATES(0, 0, 0, 0), 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();
		struct model_check check = { .interval_ms = 1000, .type = rows[i].type };
		struct operation_site service = { .name = "ams" };

		w->service.vip_check = &check;
		give_report(w, 0, rows[i].measure);
		give_report(w, 1, RATES(0, 0, 0, 0));
		give_report(w, 2, rows[i].is_checked ? "{\"checks\":{\"web\":{\"ams\":1}}}" : "{}");
		const struct operation_site *site = gather_ams(w);
		operation_service_at(&w->snapshot, &w->op, &w->service, "ams", &service);
		if (site->established.value != rows[i].established ||
		    service.established.value != rows[i].established ||
		    service.flows.value != rows[i].flows)
			fail_msg("%s: %llu and %llu packets, %llu flows", rows[i].why,
			         (unsigned long long)site->established.value,
			         (unsigned long long)service.established.value,
			         (unsigned long long)service.flows.value);
		assert_true(site->established.known && service.flows.known);
		free_world(w);
	}
}

static void a_node_that_is_named_absent_is_not_waited_for(void **state)
{
	struct world *w = make_world();

	(void)state;
	give_report(w, 0, FLOWS(30000, 30000, 0));
	snprintf(w->op.without[w->op.n_without++], MODEL_NAME_MAX, "ams-2");
	const struct operation_site *s = gather_ams(w);
	assert_true(s->flows.known);
	assert_int_equal(s->flows.value, 30);
	assert_true(s->incomplete);              /* what it gets is not in the sum */
	give_report(w, 1, FLOWS(5000, 5000, 0)); /* it speaks after all */
	assert_false(gather_ams(w)->incomplete);
	assert_int_equal(gather_ams(w)->flows.value, 35);
	free_world(w);
}

/* Nodes with a routing daemon; ams-2 is dead. */
static void a_node_that_is_named_absent_need_not_announce(void **state)
{
	struct world *w = make_world();

	(void)state;
	w->nodes[0].announce.daemon = w->nodes[1].announce.daemon = MODEL_DAEMON_BIRD;
	give_report(w, 0, "{\"unannounced\":{}}");
	assert_int_equal(gather_ams(w)->announced, OPERATION_UNKNOWN);
	snprintf(w->op.without[w->op.n_without++], MODEL_NAME_MAX, "ams-2");
	assert_int_equal(gather_ams(w)->announced, OPERATION_YES);
	snprintf(w->op.without[w->op.n_without++], MODEL_NAME_MAX, "ams-1");
	assert_int_equal(gather_ams(w)->announced, OPERATION_UNKNOWN); /* nobody is left to say */
	free_world(w);
}

static void as_many_up_as_down_is_unknown(void **state)
{
	struct world *w = make_world();

	(void)state;
	w->nodes[1].site = &w->sites[1];
	give_report(w, 1, "{\"sites\":[{\"site\":\"ams\",\"up\":true,\"checked\":true}]}");
	give_report(w, 2,
	            "{\"sites\":[{\"site\":\"ams\",\"up\":false,\"checked\":true,"
	            "\"failing\":true}]}");
	const struct operation_site *s = gather_ams(w);
	assert_int_equal(s->up, OPERATION_UNKNOWN);
	assert_true(s->checked);
	assert_int_equal(s->failing, OPERATION_YES);
	free_world(w);
}

static void one_late_flow_in_a_minute_is_not_none(void **state)
{
	struct world *w = make_world();

	(void)state;
	give_report(w, 0, "{\"flows\":{\"sources\":[{\"prefix\":\"192.0.2.0/24\",\"flows\":1}]}}");
	gather_ams(w);
	assert_int_equal(w->observed.facts.n_late, 1);
	assert_int_equal(w->observed.late[0].flows.value, 1);
	free_world(w);
}

/* Those of services that stay come as before. */
static void late_clients_are_of_the_services_that_move(void **state)
{
	struct world *w = make_world();

	(void)state;
	give_report(
	        w, 0,
	        "{\"flows\":{\"sources\":[{\"service\":\"mail\",\"prefix\":\"192.0.2.0/24\","
	        "\"flows\":60},{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":120}]}}");
	gather_ams(w);
	assert_int_equal(w->observed.late[0].flows.value, 3);
	snprintf(w->op.service, sizeof(w->op.service), "web");
	gather_ams(w);
	assert_int_equal(w->observed.facts.n_late, 1);
	assert_int_equal(w->observed.late[0].flows.value, 2);
	free_world(w);
}

/* fra-1 checks the VIP of ams each half second, from 192.0.2.9: 120 flows a minute. */
static void checks_of_other_sites_are_no_late_clients(void **state)
{
	static const struct {
		const char *row, *address;
		int rest; /* flows a second that are told; -1: no row */
	} rows[] = {
		{ "{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":120}", "192.0.2.9",
		  -1 },
		{ "{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":180}", "192.0.2.9",
		  -1 },
		{ "{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":60}", "192.0.2.9",
		  -1 },
		{ "{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":720}", "192.0.2.9",
		  10 },
		{ "{\"service\":\"web\",\"prefix\":\"198.51.100.0/24\",\"flows\":120}", "192.0.2.9",
		  2 },
		{ "{\"service\":\"ftp\",\"prefix\":\"192.0.2.0/24\",\"flows\":120}", "192.0.2.9",
		  2 },
		{ "{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":120}", "192.0.2", 2 },
		{ "{\"service\":\"web\",\"prefix\":\"192.0.2.0/24\",\"flows\":120}", "2001:db8::9",
		  2 },
	};
	struct model_check check = { .interval_ms = 500 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();
		char text[256];

		w->service.vip_check = &check;
		snprintf(text, sizeof(text), "{\"flows\":{\"sources\":[%s]}}", rows[i].row);
		give_report(w, 0, text);
		snprintf(text, sizeof(text),
		         "{\"checks\":{\"web\":{\"ams\":1}},"
		         "\"check_sources\":{\"ams\":{\"ipv4\":\"%s\"}}}",
		         rows[i].address);
		give_report(w, 2, text);
		gather_ams(w);
		print_message("  %s\n", rows[i].row);
		assert_int_equal(w->observed.facts.n_late, rows[i].rest >= 0);
		if (rows[i].rest >= 0)
			assert_int_equal(w->observed.late[0].flows.value, rows[i].rest);
		free_world(w);
	}
}

static void numbers_of_no_sense_are_not_known(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"flows\":null}",
		"{\"flows\":{\"window_ms\":10000,\"services\":[]}}",
		"{\"flows\":{\"window_ms\":-1,\"services\":[]}}",
		"{\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\"}]}}",
		"{\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\",\"new_milli\":-5}]}}",
		"{\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\",\"new_milli\":\"9\"}]}}",
		("{\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\","
		 "\"new_milli\":9223372036854775807}]}}"),
		("{\"flows\":{\"window_ms\":10000,\"services\":[{\"service\":\"web\","
		 "\"new_milli\":1000000000000}]}}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct world *w = make_world();

		give_report(w, 0, bad[i]);
		give_report(w, 1, FLOWS(1000, 1000, 0));
		if (gather_ams(w)->flows.known)
			fail_msg("known by %s", bad[i]);
		free_world(w);
	}
}

/* Rows by name, as nodes tell them; a service whose pool is not told is not one without a backup. */
static void a_service_without_its_pool_is_not_known(void **state)
{
	static const char with[] =
	        "{\"flows\":{\"window_ms\":10000,\"services\":{\"web\":{\"new_milli\":9000}},"
	        "\"pools\":{\"web-ams\":{\"own_milli\":6000,\"backup_milli\":3000,"
	        "\"own_packets_milli\":8000}},\"drops\":{}}}";
	static const char *const without[] = {
		"{\"flows\":{\"window_ms\":10000,\"services\":{\"web\":{\"new_milli\":9000}},"
		"\"pools\":{},\"drops\":{}}}",
		"{\"flows\":{\"window_ms\":10000,\"services\":{\"web\":{\"new_milli\":9000}},"
		"\"pools\":{\"web-ams\":{\"own_milli\":6000}},\"drops\":{}}}",
		"{\"flows\":{\"window_ms\":10000,\"services\":{\"mail\":{\"new_milli\":9000}},"
		"\"pools\":{\"web-ams\":{\"own_milli\":6000,\"backup_milli\":0}},\"drops\":{}}}",
	};

	(void)state;
	for (size_t i = 0; i <= sizeof(without) / sizeof(without[0]); i++) {
		struct world *w = make_world();
		bool known = i == sizeof(without) / sizeof(without[0]);

		give_report(w, 0, with);
		give_report(w, 1, known ? with : without[i]);
		const struct operation_site *s = gather_ams(w);
		assert_int_equal(s->flows.known, known);
		assert_int_equal(s->backup_flows.known, known);
		assert_int_equal(s->established.known, known);
		if (known) {
			assert_int_equal(s->flows.value, 12);
			assert_int_equal(s->backup_flows.value, 6);
			assert_int_equal(s->established.value, 4);
		}
		free_world(w);
	}
}

/* Products of rates have more than 64 bits. */
static void high_rates_do_not_overflow(void **state)
{
	struct world *w = make_world();

	(void)state;
	give_report(w, 0, FLOWS(900000000000, 600000000000, 300000000000));
	give_report(w, 1, FLOWS(0, 0, 0));
	const struct operation_site *s = gather_ams(w);
	assert_true(s->flows.known);
	assert_in_range(s->flows.value, 599000000, 601000000);
	assert_in_range(s->backup_flows.value, 299000000, 301000000);
	free_world(w);
}

#define ROW(id, site, change)                                                                      \
	"{'override':'" id "','site':'" site "','in_force':{" change "},'level_ppm':250000}"

/* The operation has the stamp 50; what was commanded later than it is a person's, by whichever override of the site. */
static void levels_are_of_the_change_in_force(void **state)
{
	static const struct {
		const char *why, *levels;
		struct operation_level level;
	} rows[] = {
		{ "its step",
		  "[" ROW("v1", "ams", "'generation':50,'epoch':3,'step':5") "]",
		  { .known = true, .epoch = 3, .step = 5, .level_ppm = 250000 } },
		{ "what was there before",
		  "[" ROW("v1", "ams", "'generation':49,'epoch':9,'step':5") "]",
		  { .known = true, .level_ppm = 250000 } },
		{ "what a person commanded",
		  "[" ROW("v1", "ams", "'generation':51,'epoch':0,'step':0") "]",
		  { .known = true, .person = true, .level_ppm = 250000 } },
		{ "by another override",
		  "[" ROW("v1", "ams", "'generation':50,'epoch':3,'step':5") "," ROW(
		          "v7", "ams", "'generation':51,'epoch':0,'step':0") "]",
		  { .known = true, .person = true, .epoch = 3, .step = 5, .level_ppm = 250000 } },
		{ "by that alone",
		  "[" ROW("v7", "ams", "'generation':51,'epoch':0,'step':0") "]",
		  { .known = true, .person = true } },
		{ "of another site",
		  "[" ROW("v7", "fra", "'generation':51,'epoch':0,'step':0") "]",
		  { .known = true } },
		{ "before it",
		  "[" ROW("v7", "ams", "'generation':50,'epoch':0,'step':0") "]",
		  { .known = true } },
		{ "by another operation",
		  "[" ROW("v7", "ams", "'generation':51,'epoch':1,'step':0") "]",
		  { .known = true } },
		{ "what weir-dns does not say",
		  "[{'override':'v1','site':'ams','level_ppm':7}]",
		  { 0 } },
		{ "without a level",
		  "[{'override':'v1','in_force':{'generation':50,'epoch':3,'step':5}}]",
		  { 0 } },
		{ "of no stamp",
		  "[" ROW("v1", "ams", "'generation':0,'epoch':3,'step':5") "]",
		  { 0 } },
		{ "an epoch that is none",
		  "[" ROW("v1", "ams", "'generation':50,'epoch':4294967296,'step':5") "]",
		  { 0 } },
		{ "a step that is none",
		  "[" ROW("v1", "ams", "'generation':50,'epoch':3,'step':-1") "]",
		  { 0 } },
		{ "a number",
		  "[{'override':'v1','site':'ams','in_force':51,'level_ppm':7}]",
		  { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();
		char *text = strdup(rows[i].levels);

		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		w->op.stamp = 50;
		w->snapshot.reports[0].reached = true;
		w->snapshot.reports[0].levels = parse_text(text);
		free(text);
		gather_ams(w);
		const struct operation_level *level = &w->observed.nodes[0].levels[0];
		if (level->known != rows[i].level.known || level->person != rows[i].level.person ||
		    level->epoch != rows[i].level.epoch || level->step != rows[i].level.step ||
		    level->level_ppm != rows[i].level.level_ppm)
			fail_msg("%s: known %d person %d epoch %u step %u level %u", rows[i].why,
			         level->known, level->person, level->epoch, level->step,
			         level->level_ppm);
		free_world(w);
	}
}

static void an_override_that_a_node_lacks_is_level_0(void **state)
{
	struct world *w = make_world();

	(void)state;
	w->snapshot.reports[0].reached = true;
	w->snapshot.reports[0].levels = parse_text("[]");
	gather_ams(w);
	assert_true(w->observed.nodes[0].levels[0].known);
	assert_int_equal(w->observed.nodes[0].levels[0].level_ppm, 0);
	assert_int_equal(w->observed.nodes[0].levels[0].epoch, 0);
	free_world(w);
}

static void the_document_names_what_is_gone(void **state)
{
	struct world *w = make_world();

	(void)state;
	gather_ams(w);
	assert_int_equal(w->observed.facts.document, OPERATION_DOCUMENT_FINE);
	snprintf(w->op.service, sizeof(w->op.service), "ftp");
	gather_ams(w);
	assert_int_equal(w->observed.facts.document, OPERATION_DOCUMENT_SERVICE_GONE);
	w->op.service[0] = '\0';
	w->m.n_dns_names = 0;
	gather_ams(w);
	assert_int_equal(w->observed.facts.document, OPERATION_DOCUMENT_NO_DNS);
	snprintf(w->op.targets[0].site, sizeof(w->op.targets[0].site), "rom");
	gather_ams(w);
	assert_int_equal(w->observed.facts.document, OPERATION_DOCUMENT_SITE_GONE);
	w->snapshot.m = NULL;
	operation_gather(&w->snapshot, &w->op, 1000, &w->observed);
	assert_int_equal(w->observed.facts.document, OPERATION_DOCUMENT_UNKNOWN);
	free_world(w);
}

static void a_site_that_another_drains_is_out_and_its_own_drain_is_not(void **state)
{
	struct override drain = { .id = "v1",
		                  .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .name = "ams",
		                  .generation = 1,
		                  .from_ms = 1780000000000,
		                  .until_ms = MODEL_TIME_NEVER };
	struct world *w = make_world();

	(void)state;
	w->snapshot.overrides = (struct overrides){ .items = &drain, .n_items = 1 };
	assert_int_equal(gather_ams(w)->out, OPERATION_NO);
	snprintf(drain.id, sizeof(drain.id), "v2");
	assert_int_equal(gather_ams(w)->out, OPERATION_YES);
	drain.ended = true;
	assert_int_equal(gather_ams(w)->out, OPERATION_NO);
	free_world(w);
}

/* The levels of a node: epoch 3, step 5 is the operation's last write. */
static void tell_level(struct world *w, size_t node, unsigned step, const char *ttl)
{
	char text[200];

	snprintf(text, sizeof(text),
	         "[{\"override\":\"v1\",\"in_force\":{\"generation\":50,\"epoch\":3,\"step\":%u},"
	         "\"level_ppm\":250000%s}]",
	         step, ttl);
	json_decref(w->snapshot.reports[node].levels);
	w->snapshot.reports[node].levels = parse_text(text);
	w->snapshot.reports[node].dns = w->snapshot.reports[node].reached = true;
}

/* Where each name server tells how long its earlier answers live, the longest of these counts. */
static void a_step_waits_for_the_answers_that_were_given(void **state)
{
	static const struct {
		const char *why, *first, *second;
		unsigned step;
		uint64_t ttl_s;
	} rows[] = {
		{ "all tell it", ",\"longest_ttl_s\":2", ",\"longest_ttl_s\":3", 5, 3 },
		{ "none that lives is left", ",\"longest_ttl_s\":0", ",\"longest_ttl_s\":0", 5, 0 },
		{ "one has not arrived: the document's", ",\"longest_ttl_s\":2", "", 5, 7 },
		{ "of the step before", ",\"longest_ttl_s\":2", ",\"longest_ttl_s\":3", 4, 7 },
		{ "no number", ",\"longest_ttl_s\":2", ",\"longest_ttl_s\":\"3\"", 5, 7 },
		{ "less than nothing", ",\"longest_ttl_s\":2", ",\"longest_ttl_s\":-1", 5, 7 },
		{ "without end", ",\"longest_ttl_s\":604800", ",\"longest_ttl_s\":3", 5, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();

		print_message("  %s\n", rows[i].why);
		w->op.stamp = 50;
		w->op.write = (struct operation_write){ .epoch = 3, .step = 5 };
		tell_level(w, 0, rows[i].step, rows[i].first);
		tell_level(w, 2, 5, rows[i].second);
		w->snapshot.reports[1].reached = false; /* named absent, say: it does not count */
		operation_gather(&w->snapshot, &w->op, 1000, &w->observed);
		assert_true(w->observed.facts.ttl_s.known);
		assert_int_equal(w->observed.facts.ttl_s.value, rows[i].ttl_s);
		free_world(w);
	}
}

/* The evidence of @p of, as the API shows it. */
static json_t *make_evidence(const struct operation *of)
{
	static struct operations_item item;

	item.op = *of;
	json_t *shown = operation_show_json(&item);
	json_t *evidence = json_incref(json_object_get(shown, "evidence"));

	json_decref(shown);
	return evidence;
}

static void only_packets_confirm_a_drain(void **state)
{
	struct world *w = make_world();

	(void)state;
	w->op.state = OPERATION_DONE; /* after drained_unconfirmed */
	for (int64_t drained = 0; drained < 2; drained++) {
		w->op.drained_ms = drained * 1790000000000;
		json_t *o = make_evidence(&w->op);
		const json_t *one = json_object_get(o, "confirmed_by_packets");
		assert_true(json_is_boolean(one) && json_is_true(one) == (drained != 0));
		json_decref(o);
	}
	free_world(w);
}

SUITE(operation_gather)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_waits_for_the_answers_that_were_given),
		cmocka_unit_test(only_packets_confirm_a_drain),
		cmocka_unit_test(nothing_said_is_nothing_known),
		cmocka_unit_test(a_site_is_the_sum_of_its_nodes_or_unknown),
		cmocka_unit_test(checks_by_other_sites_are_no_clients),
		cmocka_unit_test(clients_do_not_hide_behind_checks),
		cmocka_unit_test(a_node_that_is_named_absent_is_not_waited_for),
		cmocka_unit_test(a_node_that_is_named_absent_need_not_announce),
		cmocka_unit_test(as_many_up_as_down_is_unknown),
		cmocka_unit_test(one_late_flow_in_a_minute_is_not_none),
		cmocka_unit_test(late_clients_are_of_the_services_that_move),
		cmocka_unit_test(checks_of_other_sites_are_no_late_clients),
		cmocka_unit_test(numbers_of_no_sense_are_not_known),
		cmocka_unit_test(high_rates_do_not_overflow),
		cmocka_unit_test(a_service_without_its_pool_is_not_known),
		cmocka_unit_test(levels_are_of_the_change_in_force),
		cmocka_unit_test(an_override_that_a_node_lacks_is_level_0),
		cmocka_unit_test(the_document_names_what_is_gone),
		cmocka_unit_test(a_site_that_another_drains_is_out_and_its_own_drain_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
