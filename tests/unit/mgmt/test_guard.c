/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include "mgmt/store/gather.h"
#include "mgmt/store/guard.h"
#include "weir/health.h"

static struct fixture place;
static struct model *m;
static struct health_page *page;

static int setup(void **state)
{
	struct files files;
	struct model_mistakes mistakes = { 0 };

	(void)state;
	fixture_make(&place);
	files = fixture_files("new_flows = \"1k/s\"", "bits = \"1Mbit\"");
	const char *second = "new_flows = \"1k/s\"";
	char *at = strstr(files.items[1].bytes, second);
	assert_non_null(at);
	memcpy(at, "bits = \"1Mbit\"    ", strlen(second));
	assert_int_equal(gather_model(&files, place.state, place.conf, "ams-1", &m, &mistakes), 0);
	model_mistakes_free(&mistakes);
	files_fini(&files);
	page = calloc(1, sizeof(*page));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(page);
	model_free(m);
	fixture_remove(&place);
	return 0;
}

static struct override of_site(const char *site, enum model_override_kind kind)
{
	struct override o = { .kind = kind,
		              .target = MODEL_TARGET_SITE,
		              .generation = 1,
		              .from_ms = NOW_MS - 1000,
		              .until_ms = MODEL_WALL_NEVER };

	snprintf(o.id, sizeof(o.id), "n-%s", site);
	snprintf(o.name, sizeof(o.name), "%s", site);
	return o;
}

static struct override of_backend(const char *pool, const char *name)
{
	struct override o = of_site(name, MODEL_OVERRIDE_DRAIN);

	o.target = MODEL_TARGET_BACKEND;
	snprintf(o.pool, sizeof(o.pool), "%s", pool);
	return o;
}

/* Whether @p guard lets the target go. */
static bool allows(const char *guard, const struct overrides *set, const struct override *target,
                   const struct guard_seen *seen, struct guard_receiver *receivers, size_t *n)
{
	struct guard_result r = { .receivers = receivers, .max_receivers = 8 };

	guard_check(m, set, target, seen, NOW_MS, &r);
	*n = r.n_receivers;
	for (size_t i = 0; i < r.n_verdicts; i++)
		if (!strcmp(r.verdicts[i].guard, guard)) {
			print_message("  %s\n", r.verdicts[i].detail);
			return r.verdicts[i].ok;
		}
	fail_msg("no verdict of %s", guard);
	return false;
}

static void the_last_site_that_takes_traffic_stays(void **state)
{
	(void)state;
	struct override fra = of_site("fra", MODEL_OVERRIDE_DRAIN),
	                ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 }, set = { &fra, 1 };
	struct guard_receiver receivers[8];
	struct guard_seen nothing = { 0 };
	size_t n;

	assert_true(allows("last-site", &none, &ams, &nothing, receivers, &n));
	assert_int_equal(n, 1);
	assert_string_equal(receivers[0].name, "fra");
	assert_int_equal(receivers[0].before_ppm, 500000);
	assert_int_equal(receivers[0].after_ppm, 1000000);
	assert_false(allows("last-site", &set, &ams, &nothing, receivers, &n));
	fra.from_ms = NOW_MS + 50000; /* scheduled counts as well */
	assert_false(allows("last-site", &set, &ams, &nothing, receivers, &n));
	fra.from_ms = NOW_MS - 50000;
	fra.until_ms = NOW_MS - 1; /* returning does not */
	fra.over_ms = 100000;
	assert_true(allows("last-site", &set, &ams, &nothing, receivers, &n));
}

static void a_site_seen_down_is_no_receiver_and_one_not_seen_is(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_seen seen = { .health = page };
	const uint64_t target = health_target_service("web", "fra", true);
	size_t n;

	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	assert_true(allows("last-site", &none, &ams, &seen, receivers, &n));
	health_write(page, health_find(page, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	assert_false(allows("last-site", &none, &ams, &seen, receivers, &n));
	health_write(page, health_find(page, target),
	             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
	assert_true(allows("last-site", &none, &ams, &seen, receivers, &n));
}

static void receivers_must_have_room_where_their_load_is_known(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_load loads[] = { { "ams", 400000 }, { "fra", 400000 } };
	struct guard_seen seen = { .loads = loads, .n_loads = 2 },
	                  half = { .loads = loads, .n_loads = 1 };
	size_t n;

	assert_true(allows("room", &none, &ams, &seen, receivers, &n));
	assert_int_equal(receivers[0].after_bits, 800000);
	loads[0].bits = 500000; /* 900,000 of 1,000,000 */
	assert_false(allows("room", &none, &ams, &seen, receivers, &n));
	assert_true(allows("room", &none, &ams, &half, receivers, &n));
	assert_false(receivers[0].known);
}

static void a_pool_keeps_a_backend_that_takes_flows(void **state)
{
	(void)state;
	struct override b1 = of_backend("web-ams", "b1"), b2 = of_backend("web-ams", "b2");
	struct override last = of_backend("web-fra", "b1");
	struct overrides none = { 0 }, set = { &b1, 1 };
	struct guard_receiver receivers[8];
	struct guard_seen seen = { .health = page };
	const uint64_t target = health_target_backend("web-ams", m->pools[0].backends[1].id);
	size_t n;

	assert_true(allows("last-backend", &none, &b1, &seen, receivers, &n));
	assert_int_equal(n, 1);
	assert_string_equal(receivers[0].name, "b2");
	assert_false(allows("last-backend", &set, &b2, &seen, receivers, &n));
	assert_true(allows("last-backend", &set, &b1, &seen, receivers, &n)); /* once more */
	assert_false(allows("last-backend", &none, &last, &seen, receivers, &n));
	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	health_write(page, health_find(page, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1));
	assert_false(allows("last-backend", &none, &b1, &seen, receivers, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_site_that_takes_traffic_stays),
		cmocka_unit_test(a_site_seen_down_is_no_receiver_and_one_not_seen_is),
		cmocka_unit_test(receivers_must_have_room_where_their_load_is_known),
		cmocka_unit_test(a_pool_keeps_a_backend_that_takes_flows),
	};

	return cmocka_run_group_tests_name("guard", tests, setup, teardown);
}
