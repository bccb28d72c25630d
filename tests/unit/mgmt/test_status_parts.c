/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status of pools and backends: what is asked, seen and in force, apart; and what stands out.
 */
#include "fixture.h"
#include "tables_page.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/status/status.h"
#include "tests/unit/suite.h"

#define POOLS_MAX 4
#define ROWS_MAX  (3 * POOLS_MAX)

/* What is in force of each pool. */
static struct effect_backend rows_in_force[3]; /* by their id */
static int n_in_force;                         /* -1: the pool is not in the tables */
static struct effect_pool pool_in_force;

static struct status seen;
static struct health_page health;
static struct override items[4];
static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static const struct model_node self = { .name = "ams-1", .site = &sites[0] };
static const struct model_check check = { .name = "tcp" };
static struct model_backend backends[3];
static struct model_pool pools[2];
static struct model one_pool;
static struct fixture dirs;

static int by_hash(const void *a, const void *b)
{
	const struct effect_pool *x = a, *y = b;

	return (x->pool > y->pool) - (x->pool < y->pool);
}

/* Write the page of the tables, as the dataplane does, and open it. */
static void write_effect(void)
{
	uint32_t n_rows = n_in_force < 0 ? 0 : (uint32_t)n_in_force;
	struct tables t = { .alive_ms = clock_mono_ms(),
		            .n_pools = n_in_force < 0 ? 0 : (uint32_t)one_pool.n_pools };
	struct effect_pool in_force[POOLS_MAX];
	struct effect_backend rows[ROWS_MAX];

	for (uint32_t i = 0; i < t.n_pools; i++) {
		in_force[i] = pool_in_force;
		in_force[i].pool = hash_text(one_pool.pools[i].name);
		in_force[i].n_backends = n_rows;
		memcpy(rows + i * n_rows, rows_in_force, n_rows * sizeof(rows[0]));
	}
	qsort(in_force, t.n_pools, sizeof(in_force[0]), by_hash);
	t.pools = in_force;
	t.backends = rows;
	tables_page_write(dirs.root, &t);
	effect_close(seen.look.pages.effect);
	assert_int_equal(effect_open(dirs.root, &seen.look.pages.effect), 0);
}

/* Three backends that are up and serve, with twenty slots each of sixty. */
static int setup(void **state)
{
	static const char *const names[] = { "b1", "b2", "b3" };
	uint64_t targets[3];

	(void)state;
	fixture_make(&dirs);
	memset(&seen, 0, sizeof(seen));
	memset(&health, 0, sizeof(health));
	memset(items, 0, sizeof(items));
	for (size_t i = 0; i < 3; i++) {
		backends[i] =
		        (struct model_backend){ .name = names[i], .id = i + 1, .weight = 100 };
		targets[i] = health_target_backend("web", i + 1);
		rows_in_force[i] = (struct effect_backend){ .id = i + 1,
			                                    .alive = 1,
			                                    .next_hop = 1,
			                                    .slots = 20,
			                                    .inner_mtu = 1480,
			                                    .reason = EFFECT_REASON_UP };
	}
	assert_int_equal(health_set_targets(&health, targets, 3, 1), 0);
	for (size_t i = 0; i < 3; i++)
		health_write(&health, health_find_index(&health, targets[i]),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
	n_in_force = 3;
	pool_in_force = (struct effect_pool){ .n_slots = 60, .n_backends = 3 };
	pools[0] = (struct model_pool){ .name = "web",
		                        .site = &sites[0],
		                        .check = &check,
		                        .backends = backends,
		                        .n_backends = 3 };
	one_pool = (struct model){
		.pools = pools, .n_pools = 1, .sites = sites, .n_sites = 2, .self = &self
	};
	seen.look.m = &one_pool;
	seen.look.now_ms = NOW_MS;
	seen.look.overrides.items = items;
	seen.look.pages.health = &health;
	seen.look.pages.health_fresh = true;
	seen.look.pages.effect_fresh = true;
	return 0;
}

static json_t *told;

static const char *first_pool(void)
{
	return json_string_value(json_object_get(json_array_get(told, 0), "name"));
}

/* Index the look as it is now. */
static void index_again(void)
{
	status_fini(&seen);
	assert_int_equal(status_index(&seen), 0);
}

static const json_t *backend_at(size_t i)
{
	seen.n_backends = seen.n_odd = seen.n_shown = 0;
	write_effect();
	index_again();
	json_decref(told);
	told = status_pools(&seen);
	return json_array_get(json_object_get(json_array_get(told, 0), "backends"), i);
}

static int teardown(void **state)
{
	(void)state;
	json_decref(told);
	told = NULL;
	status_fini(&seen);
	effect_close(seen.look.pages.effect);
	fixture_remove(&dirs);
	return 0;
}

static const char *text_in(const json_t *o, const char *part, const char *name)
{
	const char *text = json_string_value(json_object_get(json_object_get(o, part), name));

	return text ? text : "";
}

static json_int_t number_in(const json_t *o, const char *part, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(o, part), name));
}

static void a_backend_is_told_as_it_is_in_force(void **state)
{
	static const struct {
		struct effect_backend row;
		bool fresh;
		const char *word;
		json_int_t share;
		bool odd;
	} rows[] = {
		{ { .alive = 1, .next_hop = 1, .slots = 20 }, true, "serving", 333333, false },
		{ { .alive = 1, .next_hop = 1, .slots = 20, .path_mtu = 1400 },
		  true,
		  "serving",
		  333333,
		  true },
		{ { .alive = 1, .next_hop = 1, .base_slots = 5 }, true, "draining", 0, true },
		{ { .alive = 1, .next_hop = 1, .exceptions = 5 }, true, "draining", 0, true },
		{ { .alive = 1, .next_hop = 1 }, true, "out", 0, true },
		{ { .alive = 1, .slots = 20 }, true, "out", 0, true },
		{ { .next_hop = 1, .slots = 20 }, true, "out", 0, true },
		{ { .next_hop = 1, .slots = 20 }, false, "unknown", 333333, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rows_in_force[1] = rows[i].row;
		rows_in_force[1].id = 2;
		seen.look.pages.effect_fresh = rows[i].fresh;
		const json_t *b = backend_at(1);

		if (strcmp(text_in(b, "effect", "state"), rows[i].word) != 0 ||
		    number_in(b, "effect", "share_ppm") != rows[i].share ||
		    seen.n_odd != rows[i].odd)
			fail_msg("row %zu: %s, %d, odd %zu", i, text_in(b, "effect", "state"),
			         (int)number_in(b, "effect", "share_ppm"), seen.n_odd);
		assert_int_equal(json_integer_value(
		                         json_object_get(json_array_get(told, 0), "standing_out")),
		                 rows[i].odd);
	}
}

/* Compare @p told, borrowed, with @p json. */
static void is_told(const json_t *is, const char *json)
{
	json_error_t why;
	json_t *expected = json_loads(json, 0, &why);

	if (!expected)
		fail_msg("column %d: %s", why.column, why.text);
	if (!json_equal(is, expected)) {
		char *text = json_dumps(is, JSON_INDENT(1));

		fail_msg("%s\nand not %s", text, json);
	}
	json_decref(expected);
}

static void a_backend_and_its_pool_have_all_their_fields(void **state)
{
	const uint8_t address[4] = { 10, 1, 1, 12 };

	(void)state;
	backends[1].address = addr_from4(address);
	backends[1].port = 8080;
	backends[1].weight = 70;
	rows_in_force[1] = (struct effect_backend){ .id = 2,
		                                    .alive = 1,
		                                    .next_hop = 1,
		                                    .slots = 15,
		                                    .base_slots = 5,
		                                    .exceptions = 7,
		                                    .packets = 11,
		                                    .bytes = 13,
		                                    .inner_mtu = 1480,
		                                    .path_mtu = 1400,
		                                    .reason = EFFECT_REASON_UP };
	rows_in_force[2].slots = 0;
	rows_in_force[2].base_slots = 1; /* it drains */
	pool_in_force = (struct effect_pool){
		.n_slots = 60, .empty = 1, .unsettled = 2, .exceptions = 3, .held = 4, .full = 5
	};
	pools[0].n_member_sets = 9;
	const json_t *b = backend_at(1);
	is_told(json_object_get(b, "effect"),
	        "{\"state\": \"serving\", \"why\": \"up\", \"slots\": 15, \"share_ppm\": 250000,"
	        " \"base_slots\": 5, \"exceptions\": 7, \"next_hop\": true, \"packets\": 11,"
	        " \"bytes\": 13, \"inner_mtu\": 1480, \"path_mtu\": 1400}");
	assert_string_equal(json_string_value(json_object_get(b, "name")), "b2");
	assert_string_equal(json_string_value(json_object_get(b, "address")), "10.1.1.12");
	assert_string_equal(json_string_value(json_object_get(b, "id")), "0000000000000002");
	assert_int_equal(json_integer_value(json_object_get(b, "port")), 8080);
	assert_int_equal(number_in(b, "intent", "weight"), 70);
	assert_string_equal(text_in(b, "observation", "state"), "up");
	const json_t *pool = json_array_get(told, 0);
	assert_string_equal(json_string_value(json_object_get(pool, "name")), "web");
	assert_string_equal(json_string_value(json_object_get(pool, "site")), "ams");
	is_told(json_object_get(pool, "intent"),
	        "{\"backends\": 3, \"sets\": 9, \"overridden\": 0}");
	is_told(json_object_get(pool, "observation"), "{\"up\": 3, \"down\": 0, \"unknown\": 0}");
	is_told(json_object_get(pool, "effect"),
	        "{\"state\": \"in_force\", \"serving\": 2, \"draining\": 1, \"slots\": 60,"
	        " \"empty_slots\": 1, \"unsettled\": 2, \"exceptions\": 3, \"held_backends\": 4,"
	        " \"full_slots\": 5}");
	assert_int_equal(json_integer_value(json_object_get(pool, "standing_out")), 2);
	n_in_force = 0; /* a pool without backends is in the tables all the same */
	(void)backend_at(0);
	is_told(json_object_get(json_array_get(told, 0), "effect"),
	        "{\"state\": \"in_force\", \"serving\": 0, \"draining\": 0, \"slots\": 60,"
	        " \"empty_slots\": 1, \"unsettled\": 2, \"exceptions\": 3, \"held_backends\": 4,"
	        " \"full_slots\": 5}");
}

/*
 * A backend that is dead does not blame the way to it; one whose checks are old does not stand
 * out for them.
 */
static void the_last_step_that_decided_is_the_reason(void **state)
{
	(void)state;
	rows_in_force[1].alive = rows_in_force[1].next_hop = 0;
	rows_in_force[1].hop = EFFECT_HOP_NO_ROUTE;
	rows_in_force[1].reason = EFFECT_REASON_DISABLED;
	assert_string_equal(text_in(backend_at(1), "effect", "why"), "disabled");
	rows_in_force[1].alive = 1;
	assert_string_equal(text_in(backend_at(1), "effect", "why"), "no next hop: no route");
	rows_in_force[1].next_hop = 1;
	seen.look.pages.health_fresh = false;
	(void)backend_at(1);
	assert_int_equal(number_in(json_array_get(told, 0), "observation", "unknown"), 3);
	assert_int_equal(seen.n_odd, 0);
}

static void a_filter_leaves_one_pool_or_site(void **state)
{
	(void)state;
	pools[1] = pools[0];
	pools[1].name = "api";
	pools[1].site = &sites[1];
	one_pool.n_pools = 2;
	(void)backend_at(0);
	assert_int_equal(json_array_size(told), 2);
	assert_int_equal(seen.n_backends, 6);
	seen.filter.pool = "api";
	(void)backend_at(0);
	assert_int_equal(json_array_size(told), 1);
	assert_string_equal(first_pool(), "api");
	assert_int_equal(seen.n_backends, 3);
	seen.filter.pool = NULL;
	seen.filter.site = "ams";
	(void)backend_at(0);
	assert_int_equal(json_array_size(told), 1);
	assert_string_equal(first_pool(), "web");
}

static void what_is_not_in_the_tables_is_out_or_not_known(void **state)
{
	(void)state;
	rows_in_force[2].id = 77;
	assert_string_equal(text_in(backend_at(2), "effect", "state"), "out");
	assert_int_equal(seen.n_odd, 1);
	n_in_force = -1; /* the whole pool */
	assert_string_equal(text_in(backend_at(0), "effect", "state"), "out");
	assert_string_equal(text_in(backend_at(0), "effect", "why"), "not in the tables");
	assert_string_equal(text_in(json_array_get(told, 0), "effect", "state"), "out");
	seen.look.pages.effect_fresh = false;
	assert_string_equal(text_in(backend_at(0), "effect", "state"), "unknown");
	assert_int_equal(seen.n_odd, 0); /* the silent process is told once, as such */
	pools[0].site = &sites[1];
	seen.look.pages.effect_fresh = true;
	assert_string_equal(text_in(backend_at(0), "effect", "state"), "elsewhere");
	assert_int_equal(seen.n_odd, 0);
}

static void what_stands_out_is_counted(void **state)
{
	int place = health_find_index(&health, health_target_backend("web", 3));

	(void)state;
	(void)backend_at(0);
	const json_t *pool = json_array_get(told, 0);
	assert_int_equal(number_in(pool, "observation", "up"), 3);
	assert_int_equal(number_in(pool, "effect", "serving"), 3);
	assert_int_equal(seen.n_odd, 0);
	health_write(&health, place, health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 2));
	(void)backend_at(0);
	pool = json_array_get(told, 0);
	assert_int_equal(number_in(pool, "observation", "up"), 2);
	assert_int_equal(number_in(pool, "observation", "down"), 1);
	assert_int_equal(number_in(pool, "observation", "unknown"), 0);
	assert_int_equal(seen.n_odd, 1);
	health_write(&health, place, 0);
	(void)backend_at(0);
	pool = json_array_get(told, 0);
	assert_int_equal(number_in(pool, "observation", "unknown"), 1);
	assert_int_equal(seen.n_odd, 1);
	pools[0].check = NULL; /* nobody looks at it: that is meant so */
	(void)backend_at(0);
	assert_int_equal(seen.n_odd, 0);
}

static void add_override(size_t i, enum model_override_kind kind, const char *name, int64_t from_ms)
{
	items[i] = (struct override){ .id = "o-1",
		                      .kind = kind,
		                      .target = MODEL_TARGET_BACKEND,
		                      .pool = "web",
		                      .generation = 1,
		                      .from_ms = from_ms,
		                      .until_ms = MODEL_TIME_NEVER };
	snprintf(items[i].name, sizeof(items[i].name), "%s", name);
	if (seen.look.overrides.n_items <= i)
		seen.look.overrides.n_items = i + 1;
}

/* The strongest of what people want counts; what is only scheduled does not yet. */
static void what_people_ask_for_is_told(void **state)
{
	static const struct {
		enum model_override_kind first, second;
		int64_t later_ms;
		const char *word;
	} rows[] = {
		{ MODEL_OVERRIDE_DRAIN, MODEL_OVERRIDE_DISABLE, 0, "disable" },
		{ MODEL_OVERRIDE_DISABLE, MODEL_OVERRIDE_DRAIN, 0, "disable" },
		{ MODEL_OVERRIDE_DRAIN, MODEL_OVERRIDE_FORCE_UP, 0, "drain" },
		{ MODEL_OVERRIDE_FORCE_UP, MODEL_OVERRIDE_DRAIN, 0, "drain" },
		{ MODEL_OVERRIDE_FORCE_UP, MODEL_OVERRIDE_FORCE_UP, 0, "force_up" },
		{ MODEL_OVERRIDE_DRAIN, MODEL_OVERRIDE_DISABLE, 1, "drain" },
	};

	(void)state;
	assert_string_equal(text_in(backend_at(1), "intent", "state"), "serve");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		add_override(0, rows[i].first, "b2", NOW_MS);
		add_override(1, rows[i].second, "b2", NOW_MS + rows[i].later_ms);
		const json_t *b = backend_at(1);
		const json_t *ids = json_object_get(json_object_get(b, "intent"), "overrides");

		if (strcmp(text_in(b, "intent", "state"), rows[i].word) != 0)
			fail_msg("row %zu: %s", i, text_in(b, "intent", "state"));
		assert_int_equal(json_array_size(ids), 2);
		assert_int_equal(number_in(b, "intent", "weight"), 100);
		assert_string_equal(
		        text_in(json_array_get(json_object_get(json_array_get(told, 0), "backends"),
		                               0),
		                "intent", "state"),
		        "serve");
		assert_int_equal(seen.n_odd, 1);
		assert_int_equal(number_in(json_array_get(told, 0), "intent", "overridden"), 1);
	}
}

/* How far site ams is drained by what people ask for. */
static json_int_t asked_level(void)
{
	index_again();
	json_t *asked = status_intent(&seen, MODEL_TARGET_SITE, "", "ams", "", 100);
	json_int_t level = json_integer_value(json_object_get(asked, "level_ppm"));

	json_decref(asked);
	return level;
}

/* Of several drains the one that has gone furthest is in force, whichever was made last. */
static void the_highest_level_of_drains_is_told(void **state)
{
	(void)state;
	for (size_t half = 0; half < 2; half++) {
		for (size_t i = 0; i < 2; i++) {
			add_override(i, MODEL_OVERRIDE_DRAIN, "ams", NOW_MS - 50000);
			items[i].target = MODEL_TARGET_SITE;
			items[i].pool[0] = '\0';
			items[i].over_ms = i == half ? 100000 : 0;
		}
		assert_int_equal(asked_level(), 1000000);
	}
	seen.look.overrides.n_items = 1;
	items[0].over_ms = 100000;
	assert_int_equal(asked_level(), 500000);
	items[0].kind = MODEL_OVERRIDE_FORCE_UP; /* that drains nothing */
	assert_int_equal(asked_level(), 0);
}

static void who_serves_after_a_drain_of_all_says_so(void **state)
{
	static const char all[] = "all backends of the pool are drained";

	(void)state;
	add_override(0, MODEL_OVERRIDE_DRAIN, "b1", NOW_MS);
	add_override(1, MODEL_OVERRIDE_DISABLE, "b2", NOW_MS);
	add_override(2, MODEL_OVERRIDE_DRAIN, "b3", NOW_MS + 1);
	assert_string_not_equal(text_in(backend_at(0), "effect", "why"), all);
	items[2].from_ms = NOW_MS;
	rows_in_force[1].alive = 0;
	rows_in_force[1].reason = EFFECT_REASON_DISABLED;
	assert_string_equal(text_in(backend_at(0), "effect", "why"), all);
	assert_string_equal(text_in(backend_at(1), "effect", "why"),
	                    effect_reason_text(EFFECT_REASON_DISABLED));
	rows_in_force[2].next_hop = 0; /* the way to it is the last step */
	rows_in_force[2].hop = EFFECT_HOP_NO_ROUTE;
	assert_string_equal(text_in(backend_at(2), "effect", "why"),
	                    effect_backend_text(&rows_in_force[2]));
	items[1].kind = MODEL_OVERRIDE_FORCE_UP;
	assert_string_not_equal(text_in(backend_at(0), "effect", "why"), all);
}

/* With fewer places than backends those that stand out are told. */
static void a_limit_leaves_what_stands_out(void **state)
{
	(void)state;
	rows_in_force[2].slots = 0;
	seen.filter.limit = 3;
	(void)backend_at(0);
	assert_int_equal(seen.n_shown, 3);
	seen.filter.limit = 2;
	assert_string_equal(json_string_value(json_object_get(backend_at(0), "name")), "b3");
	assert_int_equal(seen.n_shown, 1);
	rows_in_force[0].slots = rows_in_force[1].slots = 0;
	(void)backend_at(0);
	assert_int_equal(seen.n_shown, 2);
	assert_int_equal(seen.n_odd, 3);
	assert_int_equal(seen.n_backends, 3);
}

static void set_health(uint64_t id, enum health_state verdict)
{
	health_write(&health, health_find_index(&health, health_target_backend("web", id)),
	             health_make(verdict, 0, HEALTH_REASON_OK, 1));
}

/* The names of the backends that are shown, of all pools. */
static const char *names_shown(uint64_t limit)
{
	static char text[64];
	const json_t *pool, *b;
	size_t i, k;

	seen.filter.limit = limit;
	(void)backend_at(0);
	text[0] = '\0';
	json_array_foreach(told, i, pool)
	{
		json_array_foreach(json_object_get(pool, "backends"), k, b)
		{
			size_t n = strlen(text);

			snprintf(text + n, sizeof(text) - n, "%s ",
			         json_string_value(json_object_get(b, "name")));
		}
	}
	return text;
}

/* One that is down is not hidden by those that somebody drained, wherever it is in the list. */
static void the_worst_backends_have_room_first(void **state)
{
	(void)state;
	add_override(0, MODEL_OVERRIDE_DRAIN, "b1", NOW_MS);
	rows_in_force[1].path_mtu = 1400;
	rows_in_force[1].slots = rows_in_force[2].slots = 0;
	rows_in_force[1].base_slots = 5; /* it drains, and nobody asked for that */
	rows_in_force[2].alive = 0;
	set_health(3, HEALTH_DOWN);
	assert_string_equal(names_shown(1), "b3 ");
	assert_int_equal(seen.n_shown, 1);
	assert_int_equal(seen.n_odd, 3);
	assert_int_equal(json_array_size(told), 1);
	assert_string_equal(names_shown(2), "b2 b3 ");
	assert_string_equal(names_shown(3), "b1 b2 b3 ");
	assert_string_equal(names_shown(100000), "b1 b2 b3 ");
	assert_string_equal(names_shown(0), "b1 b2 b3 ");
	rows_in_force[2].alive = 1; /* out, as somebody asked for, is not wrong */
	set_health(3, HEALTH_UP);
	add_override(1, MODEL_OVERRIDE_DISABLE, "b3", NOW_MS);
	assert_string_equal(names_shown(1), "b2 ");
}

/* A pool that forwards nothing is the worst; pools that are left out are counted with their backends. */
static void pools_are_cut_the_worst_first(void **state)
{
	static struct model_pool many[4];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "web", "p1", "p2", "p3" };

		many[i] = pools[0];
		many[i].name = names[i];
		many[i].site = &sites[i < 2 ? 1 : 0];
	}
	one_pool.pools = many;
	one_pool.n_pools = 4;
	many[2].check = many[3].check = NULL;
	rows_in_force[0].path_mtu = 1400; /* of all of them, and those of the own site show it */
	assert_string_equal(names_shown(2), "b1 b1 ");
	assert_int_equal(json_array_size(told), 2);
	assert_string_equal(first_pool(), "p2");
	assert_int_equal(seen.n_backends, 12);
	assert_int_equal(seen.n_shown, 2);
	const json_t *cut = json_object_get(seen.lists, "pools");
	assert_int_equal(json_integer_value(json_object_get(cut, "all")), 4);
	assert_int_equal(json_integer_value(json_object_get(cut, "standing_out")), 2);
	assert_int_equal(json_integer_value(json_object_get(cut, "shown")), 2);
	for (size_t i = 0; i < 3; i++)
		rows_in_force[i].slots = 0;
	many[2].n_backends = 0; /* a pool that is empty is no dead one */
	(void)names_shown(1);
	assert_string_equal(first_pool(), "p3");
	(void)names_shown(4);
	assert_int_equal(json_array_size(told), 4);
	assert_null(seen.lists);
	assert_string_equal(first_pool(), "web");
	seen.look.pages.effect_fresh = false; /* what is not known is not dead */
	(void)names_shown(3);
	cut = json_object_get(seen.lists, "pools");
	assert_int_equal(json_integer_value(json_object_get(cut, "standing_out")), 0);
}

/* All down, though a guard keeps them in force, is worse than one of three that is out. */
static void a_pool_whose_backends_are_all_down_comes_first(void **state)
{
	struct model_pool many[2] = { pools[0], pools[0] };

	(void)state;
	many[0].name = "p1"; /* nothing is seen of it */
	one_pool.pools = many;
	one_pool.n_pools = 2;
	rows_in_force[1].alive = 0; /* in both */
	set_health(1, HEALTH_DOWN);
	set_health(2, HEALTH_DOWN);
	(void)names_shown(1);
	assert_string_equal(first_pool(), "p1");
	set_health(3, HEALTH_DOWN);
	(void)names_shown(1);
	assert_string_equal(first_pool(), "web");
	many[1].site = &sites[1]; /* of another site this node forwards nothing */
	(void)names_shown(1);
	assert_string_equal(first_pool(), "p1");
}

/* Also where somebody wanted that of each of its backends, and none is down. */
static void a_pool_of_which_nobody_serves_comes_first(void **state)
{
	static const char *const names[] = { "b1", "b2", "b3", "b1" };
	struct model_pool many[2] = { pools[0], pools[0] };

	(void)state;
	many[0].name = "p1";
	many[0].site = &sites[1];
	one_pool.pools = many;
	one_pool.n_pools = 2;
	for (size_t i = 0; i < 4; i++)
		add_override(i, MODEL_OVERRIDE_DISABLE, names[i], NOW_MS);
	strcpy(items[3].pool, "p1");
	for (size_t i = 0; i < 3; i++)
		rows_in_force[i].alive = rows_in_force[i].slots = 0;
	(void)names_shown(1);
	assert_string_equal(first_pool(), "web");
	rows_in_force[2].alive = 1;
	rows_in_force[2].slots = 60;
	(void)names_shown(1);
	assert_string_equal(first_pool(), "p1");
}

SUITE(status_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_backend_is_told_as_it_is_in_force),
		T(a_backend_and_its_pool_have_all_their_fields),
		T(the_last_step_that_decided_is_the_reason),
		T(a_filter_leaves_one_pool_or_site),
		T(what_is_not_in_the_tables_is_out_or_not_known),
		T(what_stands_out_is_counted),
		T(what_people_ask_for_is_told),
		T(the_highest_level_of_drains_is_told),
		T(who_serves_after_a_drain_of_all_says_so),
		T(a_limit_leaves_what_stands_out),
		T(the_worst_backends_have_room_first),
		T(pools_are_cut_the_worst_first),
		T(a_pool_whose_backends_are_all_down_comes_first),
		T(a_pool_of_which_nobody_serves_comes_first),
	};

	return cmocka_run_group_tests_name("status parts", tests, NULL, NULL);
}
