/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "dataplane/tables/guard.h"
#include "dataplane/tables/plan.h"
#include "tests/unit/suite.h"
#include "weir/model.h"

#include "tests/unit/dataplane/world.h"

static void a_document_over_its_limits_is_refused_with_the_limit_to_raise(void **state)
{
	(void)state;
	static const struct {
		const char *limit;
		struct model_limits limits;
	} cases[] = {
		{ "limits.slots", { 16, 64, 4064, 1024 } },
		{ "limits.backends", { 16, 0, 8192, 1024 } },
		{ "limits.services", { 1, 64, 8192, 1024 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w;
		struct plan *p = NULL;
		char why[PLAN_REASON_MAX] = "";

		make_world(&w);
		w.model.limits = cases[i].limits;
		print_message("  %s\n", cases[i].limit);
		assert_int_equal(plan_make(&w.model, NOW, &p, why), -EDQUOT);
		assert_non_null(strstr(why, cases[i].limit));
		assert_null(p);
	}
}

/* The reader of documents refuses them by name; this is for one that did not. */
static void two_services_at_one_port_are_refused(void **state)
{
	(void)state;
	struct world w;
	struct plan *p = NULL;
	char why[PLAN_REASON_MAX] = "";

	make_world(&w);
	w.services[0].protocol = MODEL_TCP;
	w.services[0].port = 80;
	assert_int_equal(plan_make(&w.model, NOW, &p, why), -EDQUOT);
}

static struct plan *make_plan(const struct world *w)
{
	struct plan *p = NULL;
	char why[PLAN_REASON_MAX] = "";

	assert_int_equal(plan_make(&w->model, NOW, &p, why), 0);
	return p;
}

static void only_this_site_is_planned(void **state)
{
	(void)state;
	struct world w;
	struct plan *p;

	make_world(&w);
	p = make_plan(&w);
	assert_int_equal(p->n_pools, 1);
	assert_string_equal(p->pools[0].model->name, "web-ams");
	assert_int_equal(p->n_services, 2);
	assert_int_equal(p->n_entries, 6); /* two services and the VIP itself, at two addresses */
	assert_int_equal(p->n_slots, 4096);
	plan_free(p);
}

/* "web" is at both sites under one address: at the other site it leads to that site's pool. */
static void a_vip_of_two_sites_leads_to_the_own_site_s_pool(void **state)
{
	(void)state;
	struct world w;
	struct plan *p;

	make_world(&w);
	w.node.site = &w.sites[1];
	p = make_plan(&w);
	assert_int_equal(p->n_pools, 1);
	assert_string_equal(p->pools[0].model->name, "web-fra");
	assert_int_equal(p->n_services, 1);
	assert_string_equal(p->services[0]->name, "web");
	assert_int_equal(p->n_entries, 4);
	for (size_t i = 0; i < p->n_entries; i++)
		assert_int_equal(p->entries[i].pool,
		                 p->entries[i].service == PLAN_NONE ? PLAN_NONE : 0);
	plan_free(p);
}

static void entries_say_what_packets_need(void **state)
{
	(void)state;
	struct world w;
	struct plan *p;
	int vips = 0, tcp = 0, udp = 0;

	make_world(&w);
	p = make_plan(&w);
	for (size_t i = 0; i < p->n_entries; i++) {
		const struct fwd_service *e = &p->entries[i].entry;

		vips += !e->protocol && !e->port_be && p->entries[i].pool == PLAN_NONE;
		tcp += e->protocol == 6 && e->port_be == fwd_be16(80) &&
		       (e->flags & FWD_SERVICE_HASH_SOURCE) && p->entries[i].pool == 0;
		udp += e->protocol == 17 && e->udp_idle_s == 30 &&
		       !(e->flags & FWD_SERVICE_HASH_SOURCE);
	}
	assert_int_equal(vips, 2);
	assert_int_equal(tcp, 2);
	assert_int_equal(udp, 2);
	assert_int_equal(p->pools[0].udp_idle_ms, 30000);
	plan_free(p);
}

static void backends_are_those_of_all_sets_and_of_the_configuration(void **state)
{
	(void)state;
	struct world w;
	struct plan *p;

	make_world(&w);
	p = make_plan(&w);
	assert_int_equal(p->pools[0].n_backends, 3);
	assert_int_equal(p->pools[0].backends[0].id, 5);
	assert_int_equal(p->pools[0].backends[1].id, 7);
	assert_int_equal(p->pools[0].backends[2].id, 9);
	assert_string_equal(p->pools[0].backends[0].name, "a");
	assert_string_equal(p->pools[0].backends[1].name, "");
	assert_int_equal(p->pools[0].backends[0].weight, 20);
	assert_int_equal(p->pools[0].backends[1].weight, 0);
	assert_true(plan_update(p, NOW + 2000));
	assert_int_equal(p->pools[0].backends[0].weight, 0);
	assert_false(plan_update(p, NOW + 2001));
	plan_free(p);
}

static void overrides_are_in_force_in_their_time(void **state)
{
	(void)state;
	struct world w;
	struct plan *p;

	make_world(&w);
	w.overrides[0] = (struct model_override){ .id = "1",
		                                  .kind = MODEL_OVERRIDE_FORCE_UP,
		                                  .target = MODEL_TARGET_BACKEND,
		                                  .pool = "web-ams",
		                                  .name = "b",
		                                  .from_ms = 0,
		                                  .until_ms = MODEL_TIME_NEVER };
	w.overrides[1] = (struct model_override){ .id = "2",
		                                  .kind = MODEL_OVERRIDE_DISABLE,
		                                  .target = MODEL_TARGET_BACKEND,
		                                  .pool = "web-ams",
		                                  .name = "b",
		                                  .from_ms = NOW + 10,
		                                  .until_ms = NOW + 20 };
	w.model.n_overrides = 2;
	p = make_plan(&w);
	assert_int_equal(p->pools[0].backends[2].intent, GUARD_FORCED_UP);
	assert_int_equal(p->pools[0].backends[0].intent, GUARD_NOTHING);
	plan_update(p, NOW + 10); /* a word against it counts more */
	assert_int_equal(p->pools[0].backends[2].intent, GUARD_DISABLED);
	plan_update(p, NOW + 20);
	assert_int_equal(p->pools[0].backends[2].intent, GUARD_FORCED_UP);
	w.overrides[0].ended = true;
	plan_update(p, NOW + 21);
	assert_int_equal(p->pools[0].backends[2].intent, GUARD_NOTHING);
	plan_free(p);
}

static void a_pool_fails_closed_only_if_all_its_services_say_so(void **state)
{
	(void)state;
	for (int mask = 0; mask < 4; mask++) {
		struct world w;
		struct plan *p;

		make_world(&w);
		for (int i = 0; i < 2; i++)
			w.services[i].on_all_down = mask >> i & 1 ? MODEL_ALL_DOWN_FAIL_CLOSED
			                                          : MODEL_ALL_DOWN_LAST_GOOD;
		p = make_plan(&w);
		assert_int_equal(p->pools[0].fail_closed, mask == 3);
		plan_free(p);
	}
}

SUITE(plan)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_over_its_limits_is_refused_with_the_limit_to_raise),
		cmocka_unit_test(two_services_at_one_port_are_refused),
		cmocka_unit_test(only_this_site_is_planned),
		cmocka_unit_test(a_vip_of_two_sites_leads_to_the_own_site_s_pool),
		cmocka_unit_test(entries_say_what_packets_need),
		cmocka_unit_test(backends_are_those_of_all_sets_and_of_the_configuration),
		cmocka_unit_test(overrides_are_in_force_in_their_time),
		cmocka_unit_test(a_pool_fails_closed_only_if_all_its_services_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
