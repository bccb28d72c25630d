/* SPDX-License-Identifier: BSD-2-Clause */
/* Places: as text, as persons name them, and what may differ at which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "fixture.h"
#include "model/schema.h"
#include "tests/unit/suite.h"
#include "weir/flatten.h"
#include "weir/canary.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG     "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddd"

static struct model *load_config(const char *text)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;

	fixture_write_text("weir.conf", text);
	assert_int_equal(model_read_config(fixture_path("weir.conf"), NULL, &m, &errors), 0);
	model_errors_free(&errors);
	return m;
}

/* The fixture, and a site whose name a node has. */
static struct model *load_ambiguous(void)
{
	char *text =
	        fixture_edit(fixture_config, "sites = (\n", "sites = ( { name = \"fra-1\"; },\n");
	struct model *m = load_config(text);

	free(text);
	return m;
}

static void a_place_is_a_kind_and_a_name(void **state)
{
	static const struct {
		const char *text;
		bool is;
		enum model_extent size;
	} rows[] = {
		{ "", true, EXTENT_EVERYWHERE },          { "node/ams-1", true, EXTENT_NODE },
		{ "site/ams", true, EXTENT_SITE },        { "ams", false, EXTENT_NODE },
		{ "node/", false, EXTENT_NODE },          { "site/", false, EXTENT_SITE },
		{ "node/A", false, EXTENT_NODE },         { "node/a/b", false, EXTENT_NODE },
		{ "node", false, EXTENT_NODE },           { "/ams", false, EXTENT_NODE },
		{ "pool/web", false, EXTENT_NODE },       { "site/" LONG, true, EXTENT_SITE },
		{ "site/" LONG "x", false, EXTENT_SITE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("  %s\n", rows[i].text);
		assert_int_equal(canary_is(rows[i].text), rows[i].is);
		if (rows[i].is)
			assert_int_equal(canary_extent(rows[i].text), rows[i].size);
	}
	assert_string_equal(extent_text(EXTENT_EVERYWHERE), "everywhere");
	assert_string_equal(extent_text(EXTENT_SITE), "a site");
	assert_string_equal(extent_text(EXTENT_NODE), "a node");
}

static void it_covers_its_node_or_the_nodes_of_its_site(void **state)
{
	(void)state;
	assert_true(canary_covers("", "ams-1", "ams"));
	assert_true(canary_covers("", "", ""));
	assert_true(canary_covers("node/ams-1", "ams-1", "ams"));
	assert_false(canary_covers("node/ams-1", "ams-2", "ams"));
	assert_false(canary_covers("node/ams", "ams-1", "ams"));
	assert_true(canary_covers("site/ams", "ams-2", "ams"));
	assert_false(canary_covers("site/ams", "fra-1", "fra"));
	assert_false(canary_covers("site/ams-1", "ams-1", "ams"));
	assert_false(canary_covers("site/ams", "", "")); /* who does not know where it is */
	assert_false(canary_covers("node/ams-1", "", ""));
}

static void persons_name_it_with_its_kind_or_without(void **state)
{
	static const struct {
		const char *text, *canary; /* NULL: refused */
	} rows[] = {
		{ "ams-1", "node/ams-1" },
		{ "node/ams-1", "node/ams-1" },
		{ "ams", "site/ams" },
		{ "site/ams", "site/ams" },
		{ "node/ams", NULL },
		{ "site/ams-1", NULL },
		{ "lon", NULL },
		{ "", NULL },
		{ "site/", NULL },
		{ "fra-1", NULL },
		{ "node/fra-1", "node/fra-1" },
		{ "site/fra-1", "site/fra-1" },
	};
	struct model *m = load_ambiguous();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char canary[CANARY_MAX] = "";
		const char *fault = canary_find(m, rows[i].text, canary);

		print_message("  %s\n", rows[i].text);
		assert_int_equal(fault == NULL, rows[i].canary != NULL);
		if (rows[i].canary)
			assert_string_equal(canary, rows[i].canary);
		if (!strcmp(rows[i].text, "fra-1"))
			assert_non_null(strstr(fault, "say node/NAME or site/NAME"));
	}
	model_free(m);
}

static void each_setting_has_a_smallest_place(void **state)
{
	static const struct {
		const char *path;
		enum model_extent least;
	} rows[] = {
		{ "checks/web/fast_interval_ms", EXTENT_NODE },
		{ "checks/web/rise", EXTENT_NODE },
		{ "checks/web", EXTENT_NODE },
		{ "limits/slots", EXTENT_NODE },
		{ "nodes/ams-1/driver", EXTENT_NODE },
		{ "nodes/ams-1/mtu", EXTENT_NODE },
		{ "nodes/ams-1/dpdk/memory", EXTENT_EVERYWHERE }, /* from the next start on */
		{ "nodes/ams-1/ports/eth1", EXTENT_NODE },
		{ "nodes/ams-1/ports/eth1/macs", EXTENT_NODE },
		{ "nodes/ams-1", EXTENT_EVERYWHERE },
		{ "nodes/ams-1/site", EXTENT_EVERYWHERE },
		{ "nodes/ams-1/tunnel_source4", EXTENT_EVERYWHERE },
		{ "nodes/ams-1/dns_listen", EXTENT_EVERYWHERE },
		{ "nodes/ams-1/announce/vips/shop", EXTENT_EVERYWHERE },
		{ "pools/web", EXTENT_SITE },
		{ "pools/web/mode", EXTENT_SITE },
		{ "pools/web/settle_time_ms", EXTENT_SITE },
		{ "pools/web/backends/b1", EXTENT_SITE },
		{ "pools/web/backends/b1/weight", EXTENT_SITE },
		{ "pools/web/max_backends", EXTENT_EVERYWHERE },
		{ "pools/web/agent", EXTENT_EVERYWHERE },
		{ "pools/web/registration/prefixes", EXTENT_EVERYWHERE },
		{ "services/web/udp_idle_ms", EXTENT_SITE },
		{ "services/web/at/ams/pool", EXTENT_SITE },
		{ "services/web/at/ams/weight", EXTENT_EVERYWHERE },
		{ "services/web/at/ams/order", EXTENT_EVERYWHERE },
		{ "services/web/hash", EXTENT_EVERYWHERE },
		{ "services/web/port", EXTENT_EVERYWHERE },
		{ "cluster/hash_key_id", EXTENT_EVERYWHERE },
		{ "sites/ams/weight", EXTENT_EVERYWHERE },
		{ "vips/shop/addresses", EXTENT_EVERYWHERE },
		{ "dns/names/www.shop.example/ttl/min_s", EXTENT_EVERYWHERE },
		{ "dns/zones/shop.example/contents", EXTENT_EVERYWHERE },
		{ "dns/threads", EXTENT_NODE },
		{ "gates/g/until", EXTENT_EVERYWHERE },
		{ "", EXTENT_EVERYWHERE },
		{ "what/is/this", EXTENT_EVERYWHERE },
		{ "pools/web/rise_ms", EXTENT_EVERYWHERE },
		{ "checks/web/rise_ms", EXTENT_EVERYWHERE }, /* it is no duration */
		{ "pools/" LONG "x/mode", EXTENT_SITE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("  %s\n", rows[i].path);
		assert_int_equal(extent_of_path(rows[i].path), rows[i].least);
	}
}

/* Else a setting would be everywhere's by a slip of the pen: each that is marked is found by its path. */
static void a_plan_finds_each_setting_that_is_marked(void **state)
{
	struct arena *arena = arena_new(1 << 22);
	struct model *m = load_config(fixture_config);
	struct flat flat = { 0 };
	size_t n[EXTENT_NODE + 1] = { 0 };

	(void)state;
	assert_int_equal(flatten_model(m, arena, &flat), 0);
	for (size_t i = 0; i < flat.n; i++)
		n[extent_of_path(flat.items[i].path)]++;
	print_message("  %zu everywhere, %zu at a site, %zu at a node\n", n[0], n[1], n[2]);
	assert_in_range(n[EXTENT_SITE], 20, 60);
	assert_in_range(n[EXTENT_NODE], 30, 90);
	arena_free(arena);
	model_free(m);
}

static void what_is_another_places_own_has_no_effect_there(void **state)
{
	static const struct {
		const char *canary, *path;
		bool has;
	} rows[] = {
		{ "", "nodes/fra-1/mtu", true },
		{ "node/ams-1", "nodes/ams-1/mtu", true },
		{ "node/ams-1", "nodes/fra-1/mtu", false },
		{ "node/ams-1", "nodes/ams-10/mtu", false },
		{ "site/ams", "nodes/ams-1/mtu", true },
		{ "site/ams", "nodes/fra-1/mtu", false },
		{ "site/ams", "pools/web-ams/mode", true },
		{ "site/ams", "pools/web-fra/mode", false },
		{ "site/ams", "pools/gone/mode", false },
		{ "site/fra", "pools/web-fra/backends/b1/weight", true },
		{ "site/fra", "services/web/at/fra/pool", true },
		{ "site/fra", "services/web/at/ams/pool", false },
		{ "site/fra", "services/web/udp_idle_ms", true },
		{ "site/fra", "checks/web/rise", true },
		{ "node/fra-1", "limits/slots", true },
		{ "site/fra", "limits", true },
	};
	struct model *m = load_config(fixture_config);
	char *other = fixture_edit(fixture_config, "{ name = \"web-fra\"; site = \"fra\";",
	                           "{ name = \"web-fra\"; site = \"fra\"; mode = \"gue\";");
	struct model *to = load_config(other);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("  %s %s\n", rows[i].canary, rows[i].path);
		assert_int_equal(canary_has_path(rows[i].canary, rows[i].path, m, to), rows[i].has);
	}
	/* a pool that is removed is still of its site */
	char *without = fixture_edit(fixture_config, "\"web-ams\"; site", "\"web-new\"; site");
	char *moved = fixture_edit(without, "pool = \"web-ams\"", "pool = \"web-new\"");
	struct model *gone = load_config(moved);

	assert_true(canary_has_path("site/ams", "pools/web-ams", m, gone));
	assert_false(canary_has_path("site/fra", "pools/web-ams", m, gone));
	model_free(gone);
	free(moved);
	free(without);
	free(other);
	model_free(to);
	model_free(m);
}

SUITE(canary)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_a_kind_and_a_name),
		cmocka_unit_test(it_covers_its_node_or_the_nodes_of_its_site),
		cmocka_unit_test(persons_name_it_with_its_kind_or_without),
		cmocka_unit_test(each_setting_has_a_smallest_place),
		cmocka_unit_test(a_plan_finds_each_setting_that_is_marked),
		cmocka_unit_test(what_is_another_places_own_has_no_effect_there),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
