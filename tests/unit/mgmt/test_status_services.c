/* SPDX-License-Identifier: BSD-2-Clause */
/* Services in a status with a limit: the worst first, and what is left out is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mgmt/status/status.h"
#include "tests/unit/suite.h"

static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static const struct model_node self = { .name = "ams-1", .site = &sites[0] };
static struct addr addresses[2];
static const struct model_pool pools[2] = { { .name = "web-ams", .site = &sites[0] },
	                                    { .name = "web-fra", .site = &sites[1] } };
static const struct model_vip vips[2] = {
	{ .name = "v-ams", .addresses = &addresses[0], .n_addresses = 1 },
	{ .name = "v-fra", .addresses = &addresses[1], .n_addresses = 1 },
};
static struct model_at at[2];
static struct model_service services[3];
static struct model m;
static struct health_page health;
static struct status *seen;
static json_t *told;

/* Service "both" is at two sites, "fra" at the other site alone, "ams" at the own one. */
static int setup(void **state)
{
	(void)state;
	seen = calloc(1, sizeof(*seen));
	assert_non_null(seen);
	memset(&health, 0, sizeof(health));
	assert_int_equal(addr_parse("203.0.113.10", &addresses[0]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &addresses[1]), 0);
	at[0] = (struct model_at){ .site = &sites[0], .vip = &vips[0], .pool = &pools[0] };
	at[1] = (struct model_at){ .site = &sites[1], .vip = &vips[1], .pool = &pools[1] };
	services[0] = (struct model_service){ .name = "both", .at = at, .n_at = 2 };
	services[1] = (struct model_service){ .name = "fra", .at = &at[1], .n_at = 1 };
	services[2] = (struct model_service){ .name = "ams", .at = &at[0], .n_at = 1 };
	m = (struct model){ .sites = sites,
		            .n_sites = 2,
		            .self = &self,
		            .pools = pools,
		            .n_pools = 2,
		            .services = services,
		            .n_services = 3 };
	seen->look.m = &m;
	seen->look.pages.health = &health;
	seen->look.pages.health_fresh = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(told);
	told = NULL;
	status_fini(seen);
	free(seen);
	return 0;
}

static const char *name_of(size_t i)
{
	const char *name = json_string_value(json_object_get(json_array_get(told, i), "name"));

	return name ? name : "";
}

static size_t n_at(size_t i)
{
	return json_array_size(json_object_get(json_array_get(told, i), "at"));
}

/* The names of the services that are shown with a limit. */
static const char *names_shown(uint64_t limit)
{
	static char text[64];

	status_fini(seen);
	assert_int_equal(status_index(seen), 0);
	seen->filter.limit = limit;
	seen->n_backups = seen->n_odd_backups = 0;
	json_decref(told);
	told = status_services(seen);
	assert_non_null(told);
	text[0] = '\0';
	for (size_t i = 0; i < json_array_size(told); i++) {
		size_t n = strlen(text);

		snprintf(text + n, sizeof(text) - n, "%s ", name_of(i));
	}
	return text;
}

static json_int_t count_of(const char *name)
{
	return json_integer_value(json_object_get(json_object_get(seen->lists, "services"), name));
}

static void rows_at_sites_have_the_same_limit(void **state)
{
	(void)state;
	assert_string_equal(names_shown(0), "both fra ams ");
	assert_string_equal(names_shown(100000), "both fra ams ");
	assert_string_equal(names_shown(4), "both fra ams ");
	assert_null(seen->lists);
	assert_string_equal(names_shown(3), "both fra ");
	assert_int_equal(count_of("all"), 3);
	assert_int_equal(count_of("standing_out"), 0);
	assert_int_equal(count_of("shown"), 2);
	assert_string_equal(names_shown(2), "both ");
	assert_int_equal(n_at(0), 2);
	assert_null(json_object_get(json_array_get(told, 0), "at_all"));
	assert_string_equal(names_shown(1), "both "); /* the first one is cut, and says so */
	assert_int_equal(n_at(0), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(told, 0), "at_all")), 2);
	seen->filter.site = "fra"; /* what the filter leaves has room */
	assert_string_equal(names_shown(2), "both fra ");
	assert_null(seen->lists);
}

static void what_is_down_comes_first(void **state)
{
	const uint64_t target = health_target_service("fra", "fra", false);

	(void)state;
	assert_int_equal(health_set_targets(&health, &target, 1, 1), 0);
	health_write(&health, health_find_index(&health, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	assert_string_equal(names_shown(1), "fra ");
	assert_int_equal(count_of("standing_out"), 1);
	assert_string_equal(names_shown(3), "fra both ");
	assert_string_equal(names_shown(4), "both fra ams "); /* all fit: in their own order */
	seen->look.pages.health_fresh = false; /* what is old is not known to be down */
	assert_string_equal(names_shown(2), "both ");
}

/* A backup of the own site that nobody can prove stands out; what is down comes before it. */
static void a_backup_that_may_not_serve_comes_next(void **state)
{
	const uint64_t target = health_target_service("fra", "fra", false);
	const struct model_at backed[2] = {
		{ .site = &sites[0], .vip = &vips[0], .pool = &pools[0], .backup = &pools[1] },
		{ .site = &sites[1], .vip = &vips[1], .pool = &pools[1], .backup = &pools[0] }
	};

	(void)state;
	services[0].at = &backed[1]; /* another site's backup is not this node's to know */
	services[0].n_at = 1;
	services[2].at = &backed[0];
	assert_string_equal(names_shown(2), "ams both ");
	assert_int_equal(count_of("standing_out"), 1);
	assert_int_equal(seen->n_backups, 1);
	assert_int_equal(seen->n_odd_backups, 1);
	assert_int_equal(health_set_targets(&health, &target, 1, 1), 0);
	health_write(&health, health_find_index(&health, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	assert_string_equal(names_shown(2), "fra ams ");
	seen->filter.site = "fra";
	assert_string_equal(names_shown(3), "both fra ");
	assert_int_equal(seen->n_backups, 0);
}

/* A service that is down at one site stays the worst, whatever is odd at its next site. */
static void what_is_down_at_one_site_is_down(void **state)
{
	const uint64_t target = health_target_service("both", "fra", false);
	const struct model_at order[2] = {
		at[1],
		{ .site = &sites[0], .vip = &vips[0], .pool = &pools[0], .backup = &pools[1] }
	};

	(void)state;
	services[0] = (struct model_service){ .name = "odd", .at = &order[1], .n_at = 1 };
	services[1] = (struct model_service){ .name = "both", .at = order, .n_at = 2 };
	assert_int_equal(health_set_targets(&health, &target, 1, 1), 0);
	health_write(&health, health_find_index(&health, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	assert_string_equal(names_shown(3), "both odd ");
	services[1].at = (const struct model_at[2]){ at[0], at[1] }; /* wherever the site is */
	assert_string_equal(names_shown(3), "both odd ");
}

SUITE(status_services)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(rows_at_sites_have_the_same_limit),
		T(what_is_down_comes_first),
		T(a_backup_that_may_not_serve_comes_next),
		T(what_is_down_at_one_site_is_down),
	};

	return cmocka_run_group_tests_name("status services", tests, NULL, NULL);
}
