/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Facts of sites, in parts: how many answers name one, whose drain puts it out, who else announces
 * its VIPs, and which nodes a sum is of.
 */
#include "operation_world.h"

#include <limits.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/page.h"
#include "mgmt/files/files.h"
#include "mgmt/peers/keys_gather.h"
#include "tests/unit/suite.h"
#include "told_time.h"
#include "weir/steer_keys.h"

/* How many answers of ams-1 and of fra-1 have named ams. */
static struct {
	const char *node;
	uint64_t answers;
} answering[] = { { "ams-1", 0 }, { "fra-1", 0 } };
static char run_dir[64];

/* Both are asked, each as its own gatherer asks itself. */
static void read_answers(struct world *w, struct keys_gather *keys)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		struct core *core = calloc(1, sizeof(*core));
		struct page *page;

		assert_non_null(core);
		snprintf(core->dirs.run, sizeof(core->dirs.run), "%s", run_dir);
		snprintf(core->dirs.node, sizeof(core->dirs.node), "%s", answering[i].node);
		assert_int_equal(proc_path(run_dir, STEER_KEYS_PAGE_FILE, path), 0);
		assert_int_equal(page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT,
		                             sizeof(struct steer_keys_page), &page),
		                 0);
		struct steer_keys_page *p = page_payload(page);
		uint32_t odd = page_rows_begin(&p->seq);

		p->n_answers = 1;
		p->answers[0] = (struct steer_keys_answers){ hash_text("web"), hash_text("ams"),
			                                     answering[i].answers };
		page_rows_end(&p->seq, odd);
		page_alive(page, told_ms);
		keys_gather_refresh(keys, core, NULL, &w->m);
		page_close(page);
		free(core);
	}
}

/* A thousand seconds, in which ams is named so often; UINT64_MAX: who answers has begun to count again. */
static void pass_time(struct world *w, uint64_t ams, uint64_t fra)
{
	struct keys_gather *keys = keys_gather_new();
	const uint64_t more[] = { ams, fra };

	assert_non_null(keys);
	for (size_t i = 0; i < 2; i++)
		answering[i].answers = 1000000;
	read_answers(w, keys);
	told_ms += 1000000;
	for (size_t i = 0; i < 2; i++)
		answering[i].answers = more[i] == UINT64_MAX ? 0 : 1000000 + more[i];
	read_answers(w, keys);
	keys_gather_free((struct keys_gather *)(uintptr_t)w->snapshot.keys);
	w->snapshot.keys = keys;
}

static void one_answer_in_ten_seconds_is_not_none(void **state)
{
	static const struct {
		uint64_t ams, fra;
		bool known;
		uint64_t per_s;
	} cases[] = {
		{ 0, 0, true, 0 },    { 100, 0, true, 1 },         { 400, 600, true, 1 },
		{ 1000, 1, true, 2 }, { 0, UINT64_MAX, false, 0 }, { UINT64_MAX, 0, false, 0 },
	};
	static const struct addr listen;
	struct world *w = make_world();

	(void)state;
	strcpy(run_dir, "/tmp/weir-sites-XXXXXX");
	assert_non_null(mkdtemp(run_dir));
	told_ms = 1000000;
	for (size_t i = 0; i < 3; i += 2) { /* ams-2 answers no DNS */
		w->nodes[i].dns_listen = &listen;
		w->nodes[i].n_dns_listen = 1;
	}
	assert_false(gather_ams(w)->named.known); /* without keys */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pass_time(w, cases[i].ams, cases[i].fra);
		const struct operation_site *s = gather_ams(w);
		assert_int_equal(s->named.known, cases[i].known);
		assert_int_equal(s->named.value, cases[i].per_s);
	}
	pass_time(w, UINT64_MAX, 5000);
	w->op.took_part[w->op.n_took_part++] = hash_text("fra-1");
	w->snapshot.reports[0].reached = true;
	assert_false(gather_ams(w)->named.known);
	w->snapshot.reports[0].reached = false; /* it was off when the way began */
	assert_int_equal(gather_ams(w)->named.value, 5);
	w->op.took_part[w->op.n_took_part++] = hash_text("ams-1");
	assert_false(gather_ams(w)->named.known);
	snprintf(w->op.without[w->op.n_without++], MODEL_NAME_MAX, "ams-1");
	assert_int_equal(gather_ams(w)->named.value, 5); /* nobody waits for it */
	snprintf(w->op.without[w->op.n_without++], MODEL_NAME_MAX, "fra-1");
	assert_false(gather_ams(w)->named.known);
	keys_gather_free((struct keys_gather *)(uintptr_t)w->snapshot.keys);
	free_world(w);
	assert_int_equal(files_remove_dir(run_dir), 0);
}

static void a_drain_of_another_service_does_not_put_a_site_out(void **state)
{
	static const struct {
		const char *drained, *moved; /* "": all services */
		bool is_step;
		enum operation_truth out;
	} cases[] = {
		{ "", "", true, OPERATION_YES },       { "", "web", true, OPERATION_YES },
		{ "web", "web", true, OPERATION_YES }, { "ftp", "web", true, OPERATION_NO },
		{ "ftp", "", true, OPERATION_NO },
	};
	struct override drain = { .id = "v9",
		                  .kind = MODEL_OVERRIDE_DRAIN,
		                  .target = MODEL_TARGET_SITE,
		                  .name = "fra",
		                  .generation = 2,
		                  .from_ms = 1780000000000,
		                  .to_ppm = MODEL_PPM_ALL,
		                  .until_ms = MODEL_TIME_NEVER };
	struct world *w = make_world();

	(void)state;
	w->snapshot.overrides = (struct overrides){ .items = &drain, .n_items = 1 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(drain.service, sizeof(drain.service), "%s", cases[i].drained);
		snprintf(w->op.service, sizeof(w->op.service), "%s", cases[i].moved);
		drain.is_step = cases[i].is_step;
		gather_ams(w);
		if (w->observed.sites[1].out != cases[i].out)
			fail_msg("%s drained, %s moves", cases[i].drained, cases[i].moved);
	}
	drain.service[0] = w->op.service[0] = '\0';
	drain.from_ppm = drain.to_ppm = MODEL_PPM_ALL - 1; /* some clients still come */
	gather_ams(w);
	assert_int_equal(w->observed.sites[1].out, OPERATION_NO);
	free_world(w);
}

/* web is at ams, which is drained, and at fra. */
static void a_service_is_left_where_another_site_is_open_to_it(void **state)
{
	static const struct {
		const char *why;
		size_t n_at;
		bool fra_known, fra_up, ams_down;
		const char *moved, *drained; /* services; drained: at fra, NULL: nothing */
		const char *alone, *together, *unknown;
	} rows[] = {
		{ "fra is up", 2, true, true, false, "", NULL, NULL, NULL, NULL },
		{ "fra is down", 2, true, false, false, "", NULL, "web", NULL, NULL },
		{ "whether fra is up is not known", 2, false, false, false, "", NULL, NULL, NULL,
		  "web" },
		{ "it is at ams alone", 1, true, true, false, "", NULL, "web", NULL, NULL },
		{ "and ams is down anyway", 1, true, true, true, "", NULL, NULL, NULL, NULL },
		{ "it is not moved", 1, true, true, false, "mail", NULL, NULL, NULL, NULL },
		{ "fra is drained", 2, true, true, false, "", "", "web", "web", NULL },
		{ "fra is drained of web", 2, true, true, false, "", "web", "web", "web", NULL },
		{ "fra is drained of mail", 2, true, true, false, "", "mail", NULL, NULL, NULL },
		{ "fra is down, and drained of mail", 2, true, false, false, "", "mail", "web",
		  NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();
		struct override drain = { .id = "v9",
			                  .kind = MODEL_OVERRIDE_DRAIN,
			                  .target = MODEL_TARGET_SITE,
			                  .name = "fra",
			                  .is_step = true,
			                  .generation = 2,
			                  .from_ms = 1780000000000,
			                  .to_ppm = MODEL_PPM_ALL,
			                  .until_ms = MODEL_TIME_NEVER };
		const char *alone, *together, *unknown;

		w->service.n_at = rows[i].n_at;
		snprintf(w->op.service, sizeof(w->op.service), "%s", rows[i].moved);
		snprintf(drain.service, sizeof(drain.service), "%s",
		         rows[i].drained ? rows[i].drained : "");
		if (rows[i].drained)
			w->snapshot.overrides = (struct overrides){ .items = &drain, .n_items = 1 };
		if (rows[i].fra_known)
			give_report(
			        w, 0,
			        rows[i].fra_up
			                ? "{\"sites\":[{\"site\":\"fra\",\"up\":true,\"checked\":true}]}"
			                : "{\"sites\":[{\"site\":\"fra\",\"up\":false,\"checked\":true}]}");
		if (rows[i].ams_down)
			give_report(
			        w, 2,
			        "{\"sites\":[{\"site\":\"ams\",\"up\":false,\"checked\":true}]}");
		gather_ams(w);
		alone = w->observed.facts.left_alone;
		together = w->observed.facts.left_together;
		unknown = w->observed.facts.left_unknown;
		if (strcmp(alone ? alone : "", rows[i].alone ? rows[i].alone : "") != 0 ||
		    strcmp(together ? together : "", rows[i].together ? rows[i].together : "") !=
		            0 ||
		    strcmp(unknown ? unknown : "", rows[i].unknown ? rows[i].unknown : "") != 0)
			fail_msg("%s: %s, %s, %s", rows[i].why, alone, together, unknown);
		free_world(w);
	}
}

static void only_a_shared_vip_needs_another_site(void **state)
{
	struct world *w = make_world();

	(void)state;
	w->nodes[2].announce.daemon = MODEL_DAEMON_BIRD;
	give_report(w, 2, "{\"unannounced\":{\"v-ams\":\"no\"}}");
	assert_int_equal(gather_ams(w)->elsewhere, OPERATION_YES); /* each has its own VIP */
	w->vips[0].sites = w->vip_sites;
	w->vips[0].n_sites = 2;
	assert_int_equal(gather_ams(w)->elsewhere, OPERATION_NO);
	give_report(w, 2, "{\"unannounced\":{\"v-fra\":\"no\"}}");
	assert_int_equal(gather_ams(w)->elsewhere, OPERATION_YES);
	w->nodes[2].announce.daemon = MODEL_DAEMON_NONE; /* by other means: no proof */
	assert_int_equal(gather_ams(w)->elsewhere, OPERATION_NO);
	free_world(w);
}

static void a_site_with_a_backup_pool_backs_the_targets(void **state)
{
	struct world *w = make_world();

	(void)state;
	w->service.n_at = 1; /* fra serves nothing */
	gather_ams(w);
	assert_false(w->observed.sites[1].serves || w->observed.sites[1].backs);
	w->at[0].backup = &w->pools[1];
	gather_ams(w);
	assert_true(w->observed.sites[1].backs && !w->observed.sites[1].serves);
	assert_false(w->observed.sites[0].backs);
	snprintf(w->op.service, sizeof(w->op.service), "other");
	gather_ams(w);
	assert_false(w->observed.sites[1].backs);
	free_world(w);
}

/* A node that announces something proves nothing of the VIP that is looked for. */
static void each_vip_is_announced_for_itself(void **state)
{
	static const struct {
		const char *said;
		enum operation_truth here, elsewhere;
	} rows[] = {
		{ "{}", OPERATION_UNKNOWN, OPERATION_UNKNOWN },
		{ "{\"unannounced\":{}}", OPERATION_YES, OPERATION_YES },
		{ "{\"unannounced\":{\"v-ams\":\"no\"}}", OPERATION_NO, OPERATION_NO },
		{ "{\"unannounced\":{\"v-ams\":\"unknown\"}}", OPERATION_UNKNOWN,
		  OPERATION_UNKNOWN },
		{ "{\"unannounced\":{\"v-two\":\"no\"}}", OPERATION_NO, OPERATION_NO },
		{ "{\"unannounced\":{\"v-none\":\"no\"}}", OPERATION_YES, OPERATION_YES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = make_world();
		struct model_vip vips[3] = { w->vips[0], w->vips[0], w->vips[1] };
		struct model_at both[3] = { w->at[0], w->at[0], w->at[1] };

		vips[1].name = "v-two";
		for (size_t k = 0; k < 2; k++) {
			vips[k].sites = w->vip_sites;
			vips[k].n_sites = 2;
			both[k].vip = &vips[k];
		}
		w->service.at = both;
		w->service.n_at = 3;
		w->m.vips = vips;
		w->m.n_vips = 3;
		for (size_t k = 0; k < 3; k++) {
			w->nodes[k].announce.daemon = MODEL_DAEMON_BIRD;
			give_report(w, k, k == 1 ? "{\"unannounced\":{}}" : rows[i].said);
		}
		assert_int_equal(gather_ams(w)->announced, rows[i].here);
		assert_int_equal(gather_ams(w)->elsewhere, rows[i].elsewhere);
		free_world(w);
	}
}

static void a_site_is_held_by_another_operation_and_not_by_its_own(void **state)
{
	struct world *w = make_world();

	(void)state;
	snprintf(w->snapshot.held[0].site, MODEL_NAME_MAX, "ams");
	snprintf(w->snapshot.held[0].id, MODEL_ID_MAX, "o1");
	w->snapshot.n_held = 1;
	assert_false(gather_ams(w)->held);
	snprintf(w->snapshot.held[0].id, MODEL_ID_MAX, "o2");
	assert_true(gather_ams(w)->held);
	assert_false(w->observed.sites[1].held);
	free_world(w);
}

static void where_nobody_checks_nothing_fails_and_nothing_is_well(void **state)
{
	struct world *w = make_world();

	(void)state;
	give_report(w, 0, "{\"sites\":[{\"site\":\"ams\",\"up\":true,\"checked\":false}]}");
	const struct operation_site *s = gather_ams(w);
	assert_int_equal(s->up, OPERATION_YES); /* by its own nodes */
	assert_false(s->checked);
	assert_int_equal(s->failing, OPERATION_UNKNOWN);
	give_report(w, 2, "{\"sites\":[{\"site\":\"ams\",\"up\":true,\"checked\":true}]}");
	s = gather_ams(w);
	assert_true(s->checked);
	assert_int_equal(s->failing, OPERATION_NO);
	free_world(w);
}

static void the_state_of_the_node_is_told_as_it_is(void **state)
{
	struct world *w = make_world();

	(void)state;
	for (int i = 0; i < 4; i++) {
		w->snapshot.clock_fine = i & 1;
		w->snapshot.unconfirmed = i & 2;
		gather_ams(w);
		assert_int_equal(w->observed.facts.clock, i & 1 ? OPERATION_YES : OPERATION_NO);
		assert_int_equal(w->observed.facts.unconfirmed,
		                 i & 2 ? OPERATION_YES : OPERATION_NO);
	}
	free_world(w);
}

SUITE(operation_sites)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_answer_in_ten_seconds_is_not_none),
		cmocka_unit_test(a_drain_of_another_service_does_not_put_a_site_out),
		cmocka_unit_test(a_service_is_left_where_another_site_is_open_to_it),
		cmocka_unit_test(only_a_shared_vip_needs_another_site),
		cmocka_unit_test(each_vip_is_announced_for_itself),
		cmocka_unit_test(a_site_with_a_backup_pool_backs_the_targets),
		cmocka_unit_test(a_site_is_held_by_another_operation_and_not_by_its_own),
		cmocka_unit_test(where_nobody_checks_nothing_fails_and_nothing_is_well),
		cmocka_unit_test(the_state_of_the_node_is_told_as_it_is),
	};

	told_time_begin(TOLD_APART);
	return cmocka_run_group_tests_name("operation sites", tests, NULL, NULL);
}
