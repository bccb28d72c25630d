/* SPDX-License-Identifier: BSD-2-Clause */
/* What overrides say about a table with a backup (dataplane/tables/plan_backup.c): a row is a list of them, and a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/tables/plan.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

#define OVERRIDES 3u
#define T         INT64_C(1000000) /* ms since 1970 */
#define SITE      MODEL_TARGET_SITE
#define NODE      MODEL_TARGET_NODE
#define DRAIN     MODEL_OVERRIDE_DRAIN
#define DISABLE   MODEL_OVERRIDE_DISABLE
#define NEVER     MODEL_TIME_NEVER
#define LONGEST_S 90 /* the longest TTL of `web`; `api` has none */

static const struct model_site sites[] = { { .name = "ams" },
	                                   { .name = "fra" },
	                                   { .name = "waw" } };
/* lb1 is this one. */
static const struct model_node nodes[] = { { .name = "lb1", .site = &sites[0] },
	                                   { .name = "lb2", .site = &sites[0] },
	                                   { .name = "lb3", .site = &sites[0] },
	                                   { .name = "fra1", .site = &sites[1] } };
static const struct model_service web = { .name = "web" }, api = { .name = "api" };
static const struct model_dns_name dns_names[] = {
	{ .name = "w1", .service = &web, .ttl_max_s = 30 },
	{ .name = "w2", .service = &web, .ttl_max_s = LONGEST_S },
	{ .name = "w3", .service = &web, .ttl_max_s = 40 },
	{ .name = "other", .service = NULL, .ttl_max_s = 7000 },
};

struct row {
	const char *why;
	struct model_override overrides[OVERRIDES];
	int64_t at_ms;     /* after T */
	size_t n_services; /* that lead to the table: 1: `web` alone */
	const char *said;
};

#define OVERRIDE(to, what, who, from, until, ...)                                                  \
	{                                                                                          \
		.target = to, .kind = what, .name = who, .from_ms = from,                          \
		.until_ms = until __VA_OPT__(, ) __VA_ARGS__                                       \
	}

static const struct row rows[] = {
	{ "nothing", { { .id = "" } }, 0, 2, "3 nodes" },
	/* late clients: after the ramp and the names' longest TTL, or a minute */
	{ "just before the TTL has passed",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .over_ms = 10000) },
	  99999,
	  1,
	  "3 nodes" },
	{ "the TTL has passed",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .over_ms = 10000) },
	  100000,
	  1,
	  "late, 3 nodes" },
	{ "of both services",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER) },
	  90000,
	  2,
	  "late, 3 nodes" },
	{ "a minute where there is no name",
	  { OVERRIDE(SITE, DRAIN, "ams", T - 90000, NEVER, .service = "web"),
	    OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .service = "api") },
	  60000,
	  2,
	  "late, 3 nodes" },
	{ "and not before",
	  { OVERRIDE(SITE, DRAIN, "ams", T - 90000, NEVER, .service = "web"),
	    OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .service = "api") },
	  59999,
	  2,
	  "3 nodes" },
	{ "one of two services",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .service = "web") },
	  500000,
	  2,
	  "3 nodes" },
	{ "the one that there is",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .service = "web") },
	  500000,
	  1,
	  "late, 3 nodes" },
	{ "another service",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .service = "api") },
	  500000,
	  1,
	  "3 nodes" },
	{ "all services",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .service = "") },
	  500000,
	  2,
	  "late, 3 nodes" },
	{ "another site", { OVERRIDE(SITE, DRAIN, "waw", T, NEVER) }, 500000, 2, "3 nodes" },
	{ "a node of this name", { OVERRIDE(NODE, DRAIN, "ams", T, NEVER) }, 500000, 2, "3 nodes" },
	{ "a backend of this name",
	  { OVERRIDE(MODEL_TARGET_BACKEND, DRAIN, "ams", T, NEVER) },
	  500000,
	  2,
	  "3 nodes" },
	{ "ended",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .ended = true) },
	  500000,
	  2,
	  "3 nodes" },
	{ "disabled", { OVERRIDE(SITE, DISABLE, "ams", T, NEVER) }, 500000, 2, "3 nodes" },
	{ "on its way back",
	  { OVERRIDE(SITE, DRAIN, "ams", T, T + 400000, .over_ms = 1000) },
	  400001,
	  2,
	  "3 nodes" },
	{ "the end of time",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .over_ms = NEVER) },
	  NEVER - T,
	  2,
	  "3 nodes" },
	/* or when an operation says so */
	{ "a step that is late now",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .is_step = true, .to_ppm = MODEL_PPM_ALL,
	             .late_from_ms = T + 50) },
	  50,
	  2,
	  "late, 3 nodes" },
	{ "a step that is late soon",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .is_step = true, .to_ppm = MODEL_PPM_ALL,
	             .late_from_ms = T + 50) },
	  49,
	  2,
	  "3 nodes" },
	{ "a step that is never late",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .is_step = true, .to_ppm = MODEL_PPM_ALL) },
	  500000,
	  2,
	  "3 nodes" },
	{ "a step of a part",
	  { OVERRIDE(SITE, DRAIN, "ams", T, NEVER, .is_step = true, .to_ppm = MODEL_PPM_ALL - 1,
	             .late_from_ms = T) },
	  500000,
	  2,
	  "3 nodes" },
	{ "the second of two",
	  { OVERRIDE(SITE, DRAIN, "ams", T + 450000, NEVER),
	    OVERRIDE(SITE, DRAIN, "ams", T, NEVER) },
	  500000,
	  2,
	  "late, 3 nodes" },
	/* the backup's site */
	{ "drained",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .over_ms = 1000) },
	  1000,
	  2,
	  "drained, 3 nodes" },
	{ "almost drained",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .over_ms = 1000) },
	  999,
	  2,
	  "3 nodes" },
	{ "disabled", { OVERRIDE(SITE, DISABLE, "fra", T, NEVER) }, 0, 2, "drained, 3 nodes" },
	{ "not to be disabled yet",
	  { OVERRIDE(SITE, DISABLE, "fra", T + 1, NEVER) },
	  0,
	  2,
	  "3 nodes" },
	{ "forced up",
	  { OVERRIDE(SITE, MODEL_OVERRIDE_FORCE_UP, "fra", T, NEVER) },
	  0,
	  2,
	  "3 nodes" },
	{ "held", { OVERRIDE(SITE, MODEL_OVERRIDE_HOLD, "fra", T, NEVER) }, 0, 2, "3 nodes" },
	{ "ended", { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .ended = true) }, 0, 2, "3 nodes" },
	{ "of one service",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .service = "api") },
	  0,
	  2,
	  "drained, 3 nodes" },
	{ "of the other one",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .service = "web") },
	  0,
	  2,
	  "drained, 3 nodes" },
	{ "of none that leads here",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .service = "api") },
	  0,
	  1,
	  "3 nodes" },
	{ "of none, and then of one",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .service = "api"),
	    OVERRIDE(SITE, DRAIN, "fra", T, NEVER, .service = "web") },
	  0,
	  1,
	  "drained, 3 nodes" },
	{ "both sites",
	  { OVERRIDE(SITE, DRAIN, "fra", T, NEVER), OVERRIDE(SITE, DRAIN, "ams", T, NEVER) },
	  90000,
	  2,
	  "late, drained, 3 nodes" },
	/* the nodes that share it */
	{ "without one", { OVERRIDE(NODE, DRAIN, "lb2", T, T + 9) }, 0, 2, "2 nodes" },
	{ "until the end", { OVERRIDE(NODE, DRAIN, "lb2", T, T + 9) }, 8, 2, "2 nodes" },
	{ "not at the end", { OVERRIDE(NODE, DRAIN, "lb2", T, T + 9) }, 9, 2, "3 nodes" },
	{ "not before", { OVERRIDE(NODE, DRAIN, "lb2", T + 1, T + 9) }, 0, 2, "3 nodes" },
	{ "this one counts", { OVERRIDE(NODE, DRAIN, "lb1", T, NEVER) }, 0, 2, "3 nodes" },
	{ "this one alone",
	  { OVERRIDE(NODE, DRAIN, "lb1", T, NEVER), OVERRIDE(NODE, DRAIN, "lb2", T, NEVER),
	    OVERRIDE(NODE, DRAIN, "lb3", T, NEVER) },
	  0,
	  2,
	  "1 nodes" },
	{ "one of another site", { OVERRIDE(NODE, DRAIN, "fra1", T, NEVER) }, 0, 2, "3 nodes" },
	{ "a site of its name", { OVERRIDE(SITE, DRAIN, "lb2", T, NEVER) }, 0, 2, "3 nodes" },
	{ "disabled", { OVERRIDE(NODE, DISABLE, "lb2", T, NEVER) }, 0, 2, "3 nodes" },
	{ "ended", { OVERRIDE(NODE, DRAIN, "lb2", T, NEVER, .ended = true) }, 0, 2, "3 nodes" },
};

static struct model_override overrides[OVERRIDES];
static const struct model_service *services[] = { &web, &api };
static size_t before[2];
static const struct model_pool backup = { .name = "backup", .site = &sites[1] };
static struct model model;
static struct plan plan;
static struct plan_pool pool;

/* @return whether it changed */
static bool update_row(const struct row *r)
{
	size_t n = 0;

	for (; n < OVERRIDES && r->overrides[n].name; n++)
		overrides[n] = r->overrides[n];
	model = (struct model){
		.self = &nodes[0],
		.nodes = nodes,
		.n_nodes = 4,
		.dns_names = dns_names,
		.n_dns_names = 4,
		.overrides = overrides,
		.n_overrides = n,
	};
	before[0] = PLAN_NONE;
	before[1] = 0;
	plan = (struct plan){
		.model = &model, .services = services, .before = before, .n_services = 2
	};
	pool.backup = &backup;
	pool.last_service = r->n_services - 1;
	return plan_update_backup(&plan, &pool, T + r->at_ms);
}

/* From nothing; then again, and from each that is another. */
static void overrides_say_what_goes_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		pool = (struct plan_pool){ .n_nodes = 0 };
		assert_true(update_row(r));
		for (unsigned other = 0; other < 4; other++) {
			char said[32];

			pool.late ^= other == 1;
			pool.backup_drained ^= other == 2;
			pool.n_nodes += other == 3;
			assert_int_equal(update_row(r), other > 0);
			snprintf(said, sizeof(said), "%s%s%u nodes", pool.late ? "late, " : "",
			         pool.backup_drained ? "drained, " : "", pool.n_nodes);
			if (strcmp(said, r->said) != 0)
				fail_msg("%s: %s", r->why, said);
		}
	}
}

/* A table to which no service leads has no late clients. */
static void without_services_nobody_is_late(void **state)
{
	(void)state;
	(void)update_row(&rows[2]);
	assert_true(pool.late);
	pool.last_service = PLAN_NONE;
	assert_true(plan_update_backup(&plan, &pool, T + 500000));
	assert_false(pool.late);
	assert_false(pool.backup_drained);
}

static void agents_are_of_pools_without_a_backup(void **state)
{
	static const struct model_pool with = { .agent = true }, without = { .agent = false };

	(void)state;
	assert_true(plan_has_agents(&(struct plan_pool){ .model = &with }));
	assert_false(plan_has_agents(&(struct plan_pool){ .model = &without }));
	assert_false(plan_has_agents(&(struct plan_pool){ .model = &with, .backup = &backup }));
	assert_false(plan_has_agents(&(struct plan_pool){ .model = &without, .backup = &backup }));
}

SUITE(plan_backup)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overrides_say_what_goes_there),
		cmocka_unit_test(without_services_nobody_is_late),
		cmocka_unit_test(agents_are_of_pools_without_a_backup),
	};

	return cmocka_run_group_tests_name("plan backup", tests, NULL, NULL);
}
