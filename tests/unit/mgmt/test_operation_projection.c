/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what nodes say to the load of sites at each point of a plan: what is measured, what others have
 * drained or disabled, and what stays unknown.
 */
#include "tests/unit/mgmt/projection_scene.h"

#include "mgmt/controller/operation_snapshot.h"
#include "tests/unit/suite.h"

#define CHECK_MS 1 /* between checks of the VIPs by another node, in both families */

static struct operation_snapshot *view;
static struct operation *op;
static struct operation_observed *facts;
static struct override overrides[OVERRIDES_LIVE_MAX];

static struct model_pool pools[3];
static struct model_node nodes[4];
static struct model_check check;
static const char *unmeasured; /* a site of which web is not known; NULL: none */

/* All flows of a site come to the last of its nodes, beside @p checks_milli of each service. */
static void report_flows(struct operation_report *report, bool is_last, uint64_t checks_milli)
{
	const struct model_site *site = report->node->site;
	json_t *rows = json_array(), *checks = json_object();

	for (size_t i = 0; i < 3; i++) {
		uint64_t per_s = i == BATCH ? 7 : 0;

		json_object_set_new(checks, services[i].name,
		                    json_pack("{s:i, s:i, s:i}", "ams", 2, "fra", 2, "lon", 2));
		if (i == WEB && unmeasured && !strcmp(unmeasured, site->name))
			continue;
		for (size_t k = 0; k < in.n_flows; k++)
			if (flows[k].service == i && flows[k].site == site->index)
				per_s = flows[k].now_per_s;
		json_array_append_new(
		        rows, json_pack("{s:s, s:I}", "service", services[i].name, "new_milli",
		                        (json_int_t)(is_last ? per_s * 1000 + checks_milli : 0)));
	}
	json_decref(report->measure);
	report->measure = json_pack("{s:o, s:{s:i, s:o, s:[{s:s, s:i, s:i}]}}", "checks", checks,
	                            "flows", "window_ms", 10000, "services", rows, "pools", "pool",
	                            site->name, "own_milli", 1, "backup_milli", 0);
	assert_non_null(report->measure);
}

/* What the nodes say of the flows of load_sites(). */
static void report_load(bool with_checks)
{
	/* up to a tenth early: a twentieth on average */
	const uint64_t of_one = 2 * 1000000 * 20 / 19 / CHECK_MS;

	for (size_t i = 0; i < 4; i++) {
		bool is_last = i == 3 || nodes[i].site != nodes[i + 1].site;
		uint64_t n_others = nodes[i].site == &sites[FRA] ? 2 : 3;

		report_flows(&view->reports[i], is_last, with_checks ? n_others * of_one : 0);
	}
}

static void measure_load(const uint32_t levels[3])
{
	load_sites(levels);
	report_load(false);
}

/* Sites ams and lon have a node each, fra has two. */
static void make_nodes(void)
{
	static const char *const node_names[] = { "ams-1", "fra-1", "fra-2", "lon-1" };
	static const uint32_t site_of[] = { AMS, FRA, FRA, LON };

	view->n_reports = 4;
	for (size_t i = 0; i < 4; i++) {
		nodes[i] = (struct model_node){ .name = node_names[i], .site = &sites[site_of[i]] };
		view->reports[i].node = &nodes[i];
	}
	for (size_t i = 0; i < 3; i++) {
		pools[i] = (struct model_pool){ .name = sites[i].name, .site = &sites[i] };
		at_web[i].pool = &pools[i];
	}
	for (size_t i = 0; i < 2; i++) {
		at_api[i].pool = &pools[i];
		at_batch[i].pool = &pools[2 * i];
	}
}

static int begin_test(void **state)
{
	const uint32_t none[3] = { 0 };
	int err = setup(state);

	unmeasured = NULL;
	memset(overrides, 0, sizeof(overrides));
	view = calloc(1, sizeof(*view));
	op = calloc(1, sizeof(*op));
	facts = calloc(1, sizeof(*facts));
	if (err || !view || !op || !facts || projector_add(projector, seen))
		return -1;
	view->m = &m;
	make_nodes();
	measure_load(none);
	view->projector = projector;
	view->overrides = (struct overrides){ .items = overrides, .n_items = 0 };
	view->now_ms = 1000000;
	op->n_targets = 1;
	strcpy(op->targets[0].site, "ams");
	strcpy(op->targets[0].override_id, "own");
	op->n_plan = 5;
	memcpy(op->plan_ppm, steps, 5 * sizeof(*steps));
	facts->facts.n_sites = 3;
	for (size_t i = 0; i < 3; i++) {
		facts->sites[i].up = OPERATION_YES;
		facts->sites[i].bits = (struct operation_value){ true, now[i].bits.value };
	}
	return 0;
}

static int end_test(void **state)
{
	free(facts->projection);
	free(facts);
	free(op);
	for (size_t i = 0; i < view->n_reports; i++)
		json_decref(view->reports[i].measure);
	free(view);
	return teardown(state);
}

static struct override *add_override(const char *id, const char *site, const char *service)
{
	struct override *o = &overrides[view->overrides.n_items++];

	*o = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
		                .target = MODEL_TARGET_SITE,
		                .generation = 1,
		                .from_ms = view->now_ms - 1000,
		                .until_ms = MODEL_TIME_NEVER,
		                .to_ppm = 1000000 };
	snprintf(o->id, sizeof(o->id), "%s", id);
	snprintf(o->name, sizeof(o->name), "%s", site);
	snprintf(o->service, sizeof(o->service), "%s", service);
	return o;
}

static void project_plan(void)
{
	free(facts->projection);
	facts->projection = NULL;
	operation_project(view, op, NULL, facts);
	assert_non_null(facts->projection);
}

static uint64_t flows_after(uint32_t site, size_t point)
{
	assert_true(facts->sites[site].at[point].flows.known);
	return facts->sites[site].at[point].flows.value;
}

static void each_point_of_the_plan_has_its_load(void **state)
{
	(void)state;
	project_plan();
	for (size_t point = 0; point <= 5; point++) {
		const uint32_t levels[3] = { point ? steps[point - 1] : 0, 0, 0 };

		for (uint32_t i = 0; i < 3; i++)
			assert_near(flows_after(i, point),
			            count_queries(WEB, i, levels) +
			                    (i == LON ? 0 : count_queries(API, i, levels)) +
			                    (i == FRA ? 0 : 7),
			            3);
		assert_int_equal(facts->sites[FRA].at[point].receives,
		                 point ? OPERATION_YES : OPERATION_NO);
		assert_int_equal(facts->sites[AMS].at[point].receives, OPERATION_NO);
		assert_true(facts->sites[AMS].at[point].share_ppm.known);
	}
	assert_int_equal(facts->sites[AMS].at[5].share_ppm.value, 0);
	assert_true(facts->facts.window_answers.known);
	assert_int_equal(facts->facts.window_answers.value, facts->projection->queries);
}

/* They come from other sites whatever DNS says: shares and loads are those of clients alone. */
static void checks_by_other_sites_do_not_move(void **state)
{
	uint32_t share[6];
	uint64_t load;

	(void)state;
	project_plan();
	for (size_t point = 0; point <= 5; point++)
		share[point] = facts->sites[AMS].at[point].share_ppm.value;
	load = flows_after(FRA, 5);
	check = (struct model_check){ .interval_ms = CHECK_MS };
	for (size_t i = 0; i < 3; i++)
		services[i].vip_check = &check;
	report_load(true);
	project_plan();
	for (size_t point = 0; point <= 5; point++)
		assert_near(facts->sites[AMS].at[point].share_ppm.value, share[point], 10);
	assert_near(flows_after(FRA, 5), load, 3);
	for (size_t i = 0; i < in.n_flows; i++)
		flows[i].now_per_s = 1;
	report_load(false); /* fewer than checks, which have not all come yet */
	project_plan();
	assert_int_equal(flows_after(AMS, 0), 0); /* and not less than nothing */
}

/* Its clients are not none. */
static void a_name_server_that_is_not_heard_leaves_all_unknown(void **state)
{
	static const struct addr dns;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		nodes[i].dns_listen = &dns;
		nodes[i].n_dns_listen = 1;
	}
	view->reports[0].keys = true;
	operation_project(view, op, NULL, facts);
	assert_null(facts->projection);
	assert_string_equal(facts->facts.unheard, "fra-1");
	assert_false(facts->facts.window_answers.known);
	assert_false(facts->sites[FRA].at[1].flows.known ||
	             facts->sites[FRA].at[1].share_ppm.known);
	assert_int_equal(facts->sites[FRA].at[1].receives, OPERATION_UNKNOWN);
	strcpy(op->without[op->n_without++], "fra-1"); /* a person has named it absent */
	project_plan();
	assert_null(facts->facts.unheard);
	assert_true(facts->sites[FRA].at[1].flows.known);
	op->n_without = 0;
	view->reports[1].keys = true;
	project_plan();
	assert_null(facts->facts.unheard);
}

/* A receiver's capacity is for all that it has. */
static void a_service_alone_leaves_the_others_load_in_the_sum(void **state)
{
	const uint32_t none[3] = { 0 }, all[3] = { 1000000, 0, 0 };

	(void)state;
	strcpy(op->service, "api");
	project_plan();
	assert_near(flows_after(FRA, 5),
	            count_queries(WEB, FRA, none) + count_queries(API, FRA, all), 3);
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_NO);
}

static void drains_of_others_count_and_its_own_does_not(void **state)
{
	const uint32_t lon_out[3] = { 1000000, 0, 1000000 };

	(void)state;
	add_override("own", "ams", "");
	add_override("other", "lon", "");
	measure_load((const uint32_t[3]){ 0, 0, 1000000 });
	project_plan();
	assert_true(flows_after(AMS, 0) > 7); /* at its begin it still has all */
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_NO);
	assert_near(flows_after(FRA, 5),
	            count_queries(WEB, FRA, lon_out) + count_queries(API, FRA, lon_out), 3);
	overrides[1].ended = true;
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_YES);
}

static void a_drain_of_a_service_that_is_gone_drains_nothing(void **state)
{
	(void)state;
	add_override("other", "lon", "gone");
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_YES);
}

static void sites_that_are_disabled_or_down_get_nobody(void **state)
{
	(void)state;
	add_override("x", "lon", "")->kind = MODEL_OVERRIDE_DISABLE;
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_NO);
	overrides[0].from_ms = view->now_ms; /* as of this moment */
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_NO);
	overrides[0].from_ms++;
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_YES);
	overrides[0].from_ms--;
	overrides[0].ended = true;
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_YES);
	facts->sites[LON].up = OPERATION_NO;
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_NO);
	facts->sites[LON].up = OPERATION_UNKNOWN; /* which is not down */
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_YES);
}

/* Each of them, however many there are: clients are not placed where they are not sent. */
static void as_many_drains_as_there_may_be_count(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < OVERRIDES_LIVE_MAX; i++)
		add_override("other", "lon", "gone");
	add_override("last", "lon", "");
	project_plan();
	assert_int_equal(facts->sites[LON].at[5].receives, OPERATION_NO);
}

/* Clients that have arrived since the begin are not counted twice, if it is known what was there. */
static void flows_of_the_begin_count_where_they_are_known(void **state)
{
	struct operation_begin_flows *begin = operation_list_flows(view, op);
	uint64_t without;

	(void)state;
	assert_non_null(begin);
	project_plan();
	without = flows_after(FRA, 3);
	for (size_t i = 0; i < begin->n; i++) /* half of ams has left already */
		begin->rows[i].per_s *= begin->rows[i].site == hash_text("ams") ? 2 : 1;
	for (int known = 0; known < 2; known++) {
		begin->known = known;
		free(facts->projection);
		operation_project(view, op, begin, facts);
		assert_non_null(facts->projection);
		assert_int_equal(flows_after(FRA, 3) == without, !known);
	}
	free(begin);
}

/* Once the way has begun nobody is asked again. */
static void who_is_unseen_is_as_the_begin_has_it(void **state)
{
	static const struct {
		const char *why;
		bool begins, fixed, known; /* is a begin there, and what it has */
		struct operation_value unseen;
	} rows[] = {
		{ "there was no begin", false, true, true, { false, 0 } },
		{ "the begin has not asked", true, false, true, { false, 0 } },
		{ "it was known", true, true, true, { true, 420000 } },
		{ "it was not", true, true, false, { false, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct operation_begin_flows begin = { .known = rows[i].begins,
			                                     .unseen_fixed = rows[i].fixed,
			                                     .unseen_ppm = { rows[i].known,
			                                                     420000 } };

		print_message("  %s\n", rows[i].why);
		free(facts->projection);
		operation_project(view, op, &begin, facts);
		assert_non_null(facts->projection);
		assert_int_equal(facts->facts.unseen_ppm.known, rows[i].unseen.known);
		assert_int_equal(facts->facts.unseen_ppm.value, rows[i].unseen.value);
	}
}

static void what_is_not_measured_is_not_known_after_a_step(void **state)
{
	(void)state;
	unmeasured = "ams";
	report_load(false);
	project_plan();
	assert_false(facts->sites[FRA].at[1].flows.known);
	assert_false(facts->sites[LON].at[1].flows.known);
	assert_int_equal(facts->sites[FRA].at[1].flows.value, 0);
	unmeasured = "lon";
	report_load(false);
	project_plan();
	assert_true(facts->sites[FRA].at[1].flows.known);
	assert_false(facts->sites[LON].at[1].flows.known);
	facts->sites[FRA].bits.known = false;
	project_plan();
	assert_false(facts->sites[FRA].at[1].bits.known);
	assert_true(facts->sites[AMS].at[1].bits.known);
}

/* A thousand services at three sites: the load of each site is known, and with it what begin had. */
static void a_thousand_services_are_projected(void **state)
{
	static struct model_service many[1000];
	struct operation_begin_flows *begin;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		many[i] = (struct model_service){
			.name = "batch", .at = at_web, .n_at = 3, .index = i
		};
	memcpy(many, services, sizeof(services));
	m.services = many;
	names[0].service = &many[WEB];
	names[1].service = &many[API];
	m.n_services = 1000;
	m.meta.version = 4;
	projector_free(projector);
	assert_int_equal(projector_new(&m, place_key, &projector), 0);
	view->projector = projector;
	begin = operation_list_flows(view, op);
	assert_true(begin && begin->known);
	assert_int_equal(begin->n, 3 * 997 + 7);
	for (size_t i = 0; i < begin->n; i++)
		begin->rows[i].per_s = 2;
	operation_project(view, op, begin, facts);
	free(begin);
	assert_non_null(facts->projection);
	for (uint32_t i = 0; i < 3; i++)
		(void)flows_after(i, 0);
}

/* All pairs of service and site are measured, so the load of each site is known. */
static void more_pairs_than_four_thousand_are_projected(void **state)
{
	static struct model_service many[2049];

	(void)state;
	for (uint32_t i = 0; i < 2049; i++)
		many[i] = (struct model_service){
			.name = "batch", .at = at_web, .n_at = 2, .index = i
		};
	memcpy(many, services, sizeof(services));
	m.services = many;
	names[0].service = &many[WEB];
	names[1].service = &many[API];
	m.n_services = 2049;
	m.meta.version = 4;
	projector_free(projector);
	assert_int_equal(projector_new(&m, place_key, &projector), 0);
	view->projector = projector;
	project_plan();
	for (uint32_t i = 0; i < 3; i++)
		(void)flows_after(i, 0);
}

/*
 * Half way: some of the clients of ams have left. The share after the next step is the same, whether the
 * owner knows what was before the way began (also after a new version of the configuration) or has
 * started again and knows what is now.
 */
static void a_way_is_projected_alike_from_its_begin_and_from_its_midst(void **state)
{
	struct operation_begin_flows *first = operation_list_flows(view, op), *midst;
	uint32_t share;

	(void)state;
	assert_true(first && first->known && first->level_ppm == 0 && first->n > 2);
	operation_project(view, op, first, facts);
	share = facts->sites[AMS].at[3].share_ppm.value;

	measure_load((const uint32_t[3]){ steps[1], 0, 0 }); /* as the second step leaves it */
	op->level_ppm = steps[1];
	m.meta.version++;
	free(facts->projection);
	operation_project(view, op, first, facts);
	assert_near(facts->sites[AMS].at[3].share_ppm.value, share, 2000);
	midst = operation_list_flows(view, op);
	assert_non_null(midst);
	free(facts->projection);
	operation_project(view, op, midst, facts);
	assert_near(facts->sites[AMS].at[3].share_ppm.value, share, 2000);
	assert_true(facts->sites[AMS].at[0].share_ppm.value > share);
	free(first);
	free(midst);
}

static void without_a_projector_nothing_is_known(void **state)
{
	(void)state;
	view->projector = NULL;
	operation_project(view, op, NULL, facts);
	assert_null(facts->projection);
	assert_int_equal(facts->sites[FRA].at[1].receives, OPERATION_UNKNOWN);
	assert_false(facts->sites[FRA].at[1].flows.known);
	assert_false(facts->facts.window_answers.known);
}

SUITE(operation_projection)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)
	const struct CMUnitTest tests[] = {
		TEST(each_point_of_the_plan_has_its_load),
		TEST(checks_by_other_sites_do_not_move),
		TEST(a_name_server_that_is_not_heard_leaves_all_unknown),
		TEST(a_service_alone_leaves_the_others_load_in_the_sum),
		TEST(drains_of_others_count_and_its_own_does_not),
		TEST(a_drain_of_a_service_that_is_gone_drains_nothing),
		TEST(sites_that_are_disabled_or_down_get_nobody),
		TEST(as_many_drains_as_there_may_be_count),
		TEST(flows_of_the_begin_count_where_they_are_known),
		TEST(who_is_unseen_is_as_the_begin_has_it),
		TEST(what_is_not_measured_is_not_known_after_a_step),
		TEST(a_thousand_services_are_projected),
		TEST(more_pairs_than_four_thousand_are_projected),
		TEST(a_way_is_projected_alike_from_its_begin_and_from_its_midst),
		TEST(without_a_projector_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
