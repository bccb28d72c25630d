/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a model makes targets of: two pools, services, VIPs and sites, each with figures of its
 * own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "healthcheck/target.h"
#include "healthcheck/vips.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/probe.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { AMS, FRA, PAR };
static const struct model_site sites[] = { { .name = "ams", .index = 0 },
	                                   { .name = "fra", .index = 1 },
	                                   { .name = "par", .index = 2 } };
static const struct model_node nodes[] = { { .name = "fra-1", .site = &sites[FRA] },
	                                   { .name = "ams-1", .site = &sites[AMS] } };
static const struct model_check tcp = { .name = "t",
	                                .type = MODEL_CHECK_TCP,
	                                .interval_ms = 1001,
	                                .fast_interval_ms = 502,
	                                .timeout_ms = 303,
	                                .rise = 4,
	                                .fall = 5,
	                                .damp_turns = 6,
	                                .damp_half_life_ms = 7007,
	                                .damp_max_ms = 8008 };
static const struct model_check http = { .name = "h",
	                                 .type = MODEL_CHECK_HTTP,
	                                 .port = 81,
	                                 .path = "/well",
	                                 .host = "shop.test",
	                                 .expect = 204,
	                                 .interval_ms = 9 };
static const struct model_check through = { .name = "x", .via = MODEL_VIA_TUNNEL };

/* A model that a case changes. */
static struct {
	struct model model;
	struct model_pool pools[4];
	struct model_backend backends[4];
	struct model_vip vips[4];
	struct addr addresses[4][3];
	struct model_service services[3];
	struct model_at at[3][3];
} scene;

static struct addr parse_address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct model_at at_of(int site, int vip, int pool)
{
	return (struct model_at){ .site = &sites[site],
		                  .vip = &scene.vips[vip],
		                  .pool = &scene.pools[pool] };
}

/* Pools "one" and "two" of ams, "far" of fra and "none" of ams without a check; a backend each. */
static void set_pools(void)
{
	static const char *const names[] = { "one", "two", "far", "none" };
	static const char *const of[] = { "10.0.0.1", "2001:db8:1::2", "10.2.0.3", "10.0.0.4" };

	for (uint32_t i = 0; i < 4; i++) {
		scene.backends[i] = (struct model_backend){ .name = names[i],
			                                    .id = 11 + i,
			                                    .address = parse_address(of[i]),
			                                    .pool = &scene.pools[i] };
		scene.pools[i] = (struct model_pool){ .name = names[i],
			                              .site = &sites[i == 2 ? FRA : AMS],
			                              .check = i == 3 ? NULL : &tcp,
			                              .index = i,
			                              .backends = &scene.backends[i],
			                              .n_backends = 1 };
	}
}

static int setup(void **state)
{
	static const char *const of[4][3] = { { "203.0.113.1", "2001:db8::1", "203.0.113.11" },
		                              { "2001:db8::2", "203.0.113.2", "2001:db8::22" },
		                              { "203.0.113.3", "203.0.113.33", NULL },
		                              { "2001:db8::4", NULL, NULL } };
	static const uint32_t n[] = { 3, 3, 2, 1 };

	(void)state;
	memset(&scene, 0, sizeof(scene));
	set_pools();
	for (int i = 0; i < 4; i++) {
		for (uint32_t k = 0; k < n[i]; k++)
			scene.addresses[i][k] = parse_address(of[i][k]);
		scene.vips[i] =
		        (struct model_vip){ .addresses = scene.addresses[i], .n_addresses = n[i] };
	}
	for (int i = 0; i < 3; i++)
		scene.services[i] = (struct model_service){ .name = i == 0   ? "web"
			                                            : i == 1 ? "mail"
			                                                     : "chat",
			                                    .port = (uint16_t)(1000 + i),
			                                    .at = scene.at[i] };
	scene.model = (struct model){ .meta.document = 77,
		                      .sites = sites,
		                      .n_sites = 3,
		                      .nodes = nodes,
		                      .n_nodes = 2,
		                      .self = &nodes[1],
		                      .pools = scene.pools,
		                      .n_pools = 4,
		                      .services = scene.services,
		                      .n_services = 3 };
	return 0;
}

static struct targets *make_targets(void)
{
	struct targets *t = NULL;

	assert_int_equal(targets_new(&scene.model, &t), 0);
	return t;
}

static const struct target *find_backend(const struct targets *t, int pool)
{
	return targets_find(t, health_target_backend(scene.pools[pool].name, 11 + (uint64_t)pool));
}

static const struct target *find_vip(const struct targets *t, int service, int site, bool ip4)
{
	return targets_find(
	        t, health_target_service(scene.services[service].name, sites[site].name, ip4));
}

static void assert_address(const struct addr *found, const char *want)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_text(found, text), want);
}

/*
 * The check's own, else the backend's, else that of the first service that has the pool at any
 * site.
 */
static void a_backend_is_probed_at_the_first_port_that_is_given(void **state)
{
	static const struct {
		uint16_t check, backend;
		int first, second; /* pools that service 0 has, in two places; -1: none */
		int other;         /* and service 1 */
		uint16_t want;
	} cases[] = {
		{ 81, 82, 0, -1, -1, 81 }, { 0, 82, 0, -1, -1, 82 }, { 81, 0, 0, -1, -1, 81 },
		{ 0, 0, 0, -1, -1, 1000 }, { 0, 0, 2, 0, -1, 1000 }, { 0, 0, 2, 2, 0, 1001 },
		{ 0, 0, -1, -1, 0, 1001 }, { 0, 0, 0, -1, 0, 1000 }, { 0, 0, 2, 1, 1, 0 },
		{ 0, 0, -1, -1, -1, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_check check = tcp;

		setup(state);
		check.port = cases[i].check;
		scene.pools[0].check = &check;
		scene.backends[0].port = cases[i].backend;
		if (cases[i].first >= 0)
			scene.at[0][scene.services[0].n_at++] = at_of(AMS, 0, cases[i].first);
		if (cases[i].second >= 0)
			scene.at[0][scene.services[0].n_at++] = at_of(AMS, 0, cases[i].second);
		if (cases[i].other >= 0)
			scene.at[1][scene.services[1].n_at++] = at_of(AMS, 0, cases[i].other);
		struct targets *t = make_targets();

		assert_int_equal(find_backend(t, 0)->paths[0].spec.port, cases[i].want);
		targets_free(t);
	}
}

static void a_target_has_all_that_its_check_says(void **state)
{
	(void)state;
	scene.pools[1].check = &http;
	scene.services[0].vip_check = &tcp;
	scene.at[0][0] = at_of(FRA, 2, 2);
	scene.services[0].n_at = 1;
	struct targets *t = make_targets();
	const struct target *one = find_backend(t, 0), *two = find_backend(t, 1),
	                    *far = find_vip(t, 0, FRA, true);

	assert_int_equal(one->pace.interval_ms, 1001);
	assert_int_equal(one->pace.fast_interval_ms, 502);
	assert_int_equal(one->pace.timeout_ms, 303);
	assert_int_equal(one->rule.rise, 4);
	assert_int_equal(one->rule.fall, 5);
	assert_int_equal(one->damp_rule.turns, 6);
	assert_int_equal(one->damp_rule.half_life_ms, 7007);
	assert_int_equal(one->damp_rule.max_ms, 8008);
	assert_false(one->paths[0].spec.is_http);
	assert_true(two->paths[0].spec.is_http);
	assert_string_equal(two->paths[0].spec.path, "/well");
	assert_string_equal(two->paths[0].spec.host, "shop.test");
	assert_int_equal(two->paths[0].spec.expect, 204);
	assert_address(&one->paths[0].spec.address, "10.0.0.1");
	assert_address(&two->paths[0].spec.address, "2001:db8:1::2");
	assert_int_equal(far->pace.interval_ms, 1001);
	assert_int_equal(far->damp_rule.turns, 0); /* a site's VIPs are not damped */
	assert_ptr_equal(far->service, &scene.services[0]);
	assert_null(far->pool);
	assert_null(one->service);
	assert_ptr_equal(one->backend, &scene.backends[0]);
	assert_ptr_equal(two->pool, &scene.pools[1]);
	for (size_t i = 0; i < t->n; i++) {
		assert_ptr_equal(t->items[i].paths[0].target, &t->items[i]);
		assert_int_equal(t->items[i].since_document, 77);
	}
	targets_free(t);
}

static void only_pools_of_this_site_with_a_check_are_probed(void **state)
{
	(void)state;
	struct targets *t = make_targets();

	assert_int_equal(t->n, 2);
	assert_non_null(find_backend(t, 0));
	assert_non_null(find_backend(t, 1));
	assert_null(find_backend(t, 2));
	assert_null(find_backend(t, 3));
	assert_ptr_equal(find_backend(t, 0)->site, &sites[AMS]);
	targets_free(t);
	scene.model.self = &nodes[0];
	t = make_targets();
	assert_int_equal(t->n, 1);
	assert_ptr_equal(find_backend(t, 2)->site, &sites[FRA]);
	targets_free(t);
}

/*
 * The first address of each family, whatever stands before it; where one is missing there is no
 * target.
 */
static void another_sites_vip_is_probed_once_a_family(void **state)
{
	static const struct {
		int vip;
		const char *four, *six;
	} cases[] = {
		{ 0, "203.0.113.1", "2001:db8::1" },
		{ 1, "203.0.113.2", "2001:db8::2" },
		{ 2, "203.0.113.3", NULL },
		{ 3, NULL, "2001:db8::4" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		setup(state);
		scene.services[1].vip_check = i % 2 ? &http : &tcp;
		scene.at[1][0] = at_of(FRA, cases[i].vip, 2);
		scene.services[1].n_at = 1;
		struct targets *t = make_targets();

		for (int ip4 = 0; ip4 <= 1; ip4++) {
			const struct target *x = find_vip(t, 1, FRA, ip4);
			const char *want = ip4 ? cases[i].four : cases[i].six;

			assert_int_equal(x != NULL, want != NULL);
			if (!want)
				continue;
			assert_address(&x->paths[0].spec.address, want);
			assert_int_equal(x->paths[0].spec.port, i % 2 ? 81 : 1001);
			assert_int_equal(x->paths[0].spec.mark, 0);
			assert_int_equal(x->n_paths, 1);
			assert_ptr_equal(x->site, &sites[FRA]);
		}
		assert_int_equal(t->n_derived, 0);
		targets_free(t);
	}
}

/* At its own site a service's word follows its pool there, whether others check it or not. */
static void the_own_sites_services_are_derived_from_their_pools(void **state)
{
	(void)state;
	scene.at[0][0] = at_of(FRA, 2, 2);
	scene.at[0][1] = at_of(AMS, 0, 1);
	scene.services[0].n_at = 2;
	scene.at[2][0] = at_of(AMS, 3, 0);
	scene.services[2].n_at = 1;
	scene.services[2].vip_check = &tcp;
	struct targets *t = make_targets();

	assert_int_equal(t->n, 2); /* web has no check, chat is not elsewhere */
	assert_int_equal(t->n_derived, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct derived *d = &t->derived[i];
		int service = i < 2 ? 0 : 2;

		assert_ptr_equal(d->service, &scene.services[service]);
		assert_ptr_equal(d->pool, &scene.pools[i < 2 ? 1 : 0]);
		assert_int_equal(d->ip4, i == 0);
		assert_true(d->id ==
		            health_target_service(scene.services[service].name, "ams", i == 0));
	}
	targets_free(t);
}

static void a_pool_through_tunnels_has_its_vips_and_without_one_no_target(void **state)
{
	struct probe_mark *marks;
	size_t n;

	(void)state;
	scene.pools[0].check = scene.pools[1].check = scene.pools[2].check = &through;
	scene.at[0][0] = at_of(AMS, 0, 1);
	scene.services[0].n_at = 1;
	scene.at[1][0] = at_of(AMS, 3, 1);
	scene.services[1].n_at = 1;
	struct targets *t = make_targets();

	assert_int_equal(t->n, 1);
	assert_int_equal(probe_marks(&scene.model, &marks, &n), 0);
	assert_int_equal(n, 1);
	const struct target *x = find_backend(t, 1);

	assert_int_equal(x->n_paths, 3);
	for (uint32_t k = 0; k < 3; k++) {
		static const char *const want[] = { "203.0.113.1", "2001:db8::1", "2001:db8::4" };

		assert_address(&x->paths[k].spec.address, want[k]);
		assert_int_equal(x->paths[k].spec.port, k < 2 ? 1000 : 1001);
		assert_int_equal(x->paths[k].spec.mark, marks[0].mark);
		assert_ptr_equal(x->paths[k].target, x);
	}
	free(marks);
	targets_free(t);
}

/* Each backend has its own mark, though two pools have one of the same name and address. */
static void like_backends_of_two_pools_have_their_own_marks(void **state)
{
	struct probe_mark *marks;
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		scene.pools[i].check = &through;
		scene.backends[i].name = "same";
		scene.at[0][i] = at_of(AMS, 0, i);
	}
	scene.services[0].n_at = 2;
	struct targets *t = make_targets();

	assert_int_equal(probe_marks(&scene.model, &marks, &n), 0);
	assert_int_equal(n, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(find_backend(t, i)->paths[0].spec.mark, marks[i].mark);
	assert_int_not_equal(marks[0].mark, marks[1].mark);
	free(marks);
	targets_free(t);
}

static void of_equal_backends_one_target_stays(void **state)
{
	const struct model_backend twice[] = { scene.backends[0],
		                               scene.backends[0],
		                               { .name = "else",
		                                 .id = 500,
		                                 .address = parse_address("10.0.0.9"),
		                                 .pool = &scene.pools[0] } };

	(void)state;
	scene.pools[0].backends = twice;
	scene.pools[0].n_backends = 3;
	struct targets *t = make_targets();

	assert_int_equal(t->n, 3);
	assert_non_null(find_backend(t, 0));
	assert_non_null(find_backend(t, 1));
	assert_non_null(targets_find(t, health_target_backend("one", 500)));
	for (size_t i = 1; i < t->n; i++)
		assert_true(t->items[i - 1].id < t->items[i].id);
	targets_free(t);
}

/* A default check's failures count once it has succeeded at just this address and port. */
static void who_has_a_vote_on_a_vip(void **state)
{
	static const struct {
		enum model_vip_check from;
		const char *seen; /* what is known up */
		uint16_t port;
		bool proven, unproven, is_new;
	} cases[] = {
		{ MODEL_VIP_CHECK_DEFAULT, "203.0.113.3", 1000, true, false, false },
		{ MODEL_VIP_CHECK_DEFAULT, "203.0.113.3", 1001, false, true, false },
		{ MODEL_VIP_CHECK_DEFAULT, "203.0.113.3", 0, false, true, false },
		{ MODEL_VIP_CHECK_DEFAULT, "203.0.113.33", 1000, false, true, true },
		{ MODEL_VIP_CHECK_GIVEN, "203.0.113.33", 1000, false, false, true },
		{ MODEL_VIP_CHECK_GIVEN, "203.0.113.3", 1000, true, false, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct vips seen = { 0 };
		const struct addr a = parse_address(cases[i].seen);

		setup(state);
		scene.services[0].vip_check = &tcp;
		scene.services[0].vip_check_from = cases[i].from;
		scene.at[0][0] = at_of(FRA, 2, 2);
		scene.services[0].n_at = 1;
		struct targets *t = make_targets();
		const struct target *x = find_vip(t, 0, FRA, true);

		vips_note(&seen, &a, cases[i].port);
		assert_int_equal(targets_mark_vips(t, &seen), cases[i].unproven || cases[i].is_new);
		assert_int_equal(x->proven, cases[i].proven);
		assert_int_equal(x->unproven, cases[i].unproven);
		assert_int_equal(x->is_new, cases[i].is_new);
		assert_false(targets_mark_vips(t, &seen)); /* nothing has changed since */
		assert_false(find_backend(t, 0)->unproven || find_backend(t, 0)->is_new);
		vips_fini(&seen);
		targets_free(t);
	}
}

static void the_page_has_a_place_for_all_and_the_documents_number(void **state)
{
	static struct health_page page;

	(void)state;
	scene.services[0].vip_check = &tcp;
	scene.at[0][0] = at_of(FRA, 2, 2);
	scene.at[0][1] = at_of(AMS, 0, 0);
	scene.services[0].n_at = 2;
	struct targets *t = make_targets();

	assert_int_equal(targets_lay_out(t, &page), 0);
	assert_int_equal(page.n_entries, 5);
	assert_int_equal(page.document, 77);
	for (size_t i = 0; i < t->n; i++)
		assert_true(health_find_index(&page, t->items[i].id) >= 0);
	for (size_t i = 0; i < t->n_derived; i++)
		assert_true(health_find_index(&page, t->derived[i].id) >= 0);
	targets_free(t);
}

static void a_reason_of_a_later_release_is_not_taken_over(void **state)
{
	(void)state;
	struct targets *t = make_targets();
	struct target *x = &t->items[0];

	target_restore(x, health_make(HEALTH_UP, 0, HEALTH_REASON_COUNT, 9));
	assert_true(x->restored);
	assert_int_equal(x->last, HEALTH_REASON_NONE);
	target_restore(x, health_make(HEALTH_UP, 0, HEALTH_REASON_COUNT - 1, 9));
	assert_int_equal(x->last, HEALTH_REASON_COUNT - 1);
	assert_false(x->spared);
	targets_free(t);
}

/* A verdict in doubt says so, but not that of a check without a vote. */
static void doubt_is_marked_where_there_is_a_vote(void **state)
{
	const struct verdict_rule rule = { 2, 3 };

	(void)state;
	struct targets *t = make_targets();
	struct target *x = &t->items[0];

	x->verdict = verdict_feed(verdict_of(HEALTH_UP), VERDICT_FAIL, &rule);
	assert_true(health_in_doubt(target_word(x)));
	x->unproven = true;
	assert_false(health_in_doubt(target_word(x)));
	x->unproven = false;
	x->verdict = verdict_of(HEALTH_UP);
	x->last = HEALTH_REASON_BAD_STATUS;
	x->since_s = 4321;
	x->restored = true;
	assert_false(health_in_doubt(target_word(x)));
	assert_true(health_restored(target_word(x)));
	assert_int_equal(health_reason(target_word(x)), HEALTH_REASON_BAD_STATUS);
	assert_int_equal(health_since_s(target_word(x)), 4321);
	targets_free(t);
}

SUITE(target_parts)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(a_backend_is_probed_at_the_first_port_that_is_given),
		T(a_target_has_all_that_its_check_says),
		T(only_pools_of_this_site_with_a_check_are_probed),
		T(another_sites_vip_is_probed_once_a_family),
		T(the_own_sites_services_are_derived_from_their_pools),
		T(a_pool_through_tunnels_has_its_vips_and_without_one_no_target),
		T(like_backends_of_two_pools_have_their_own_marks),
		T(of_equal_backends_one_target_stays),
		T(who_has_a_vote_on_a_vip),
		T(the_page_has_a_place_for_all_and_the_documents_number),
		T(a_reason_of_a_later_release_is_not_taken_over),
		T(doubt_is_marked_where_there_is_a_vote),
	};

	return cmocka_run_group_tests_name("health target parts", tests, NULL, NULL);
}
