/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many changes of many members: what is composed of them is written, and processes read it.
 */
#include "fixture.h"

#include "base/arena.h"
#include "mgmt/overrides/compose.h"
#include "tests/unit/suite.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define CHANGE_MS     3000
#define SITES         8
#define OVERRIDES_ALL 2048

static void write_config(const struct fixture *x, int pools, int backends, const char *kind)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/weir.conf", x->conf);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("schema = 1; cluster = { name = \"big\"; hash_key_file = \"hash.key\"; hash_key_id = "
	      "\"k\"; }; limits = { slots = 16777216; backends = 32767; };\n"
	      "nodes = ( { name = \"n\"; site = \"s0\"; ports = ( { interface = \"e\"; } ); "
	      "tunnel_source = [ \"172.16.0.0/24\" ]; } );\nsites = (",
	      f);
	for (int i = 0; i < SITES; i++)
		fprintf(f, "%s{ name = \"s%d\"; }", i ? "," : "", i);
	fputs(" );\npools = (\n", f);
	for (int p = 0; p < pools; p++) {
		fprintf(f,
		        "%s{ name = \"p%d\"; site = \"s%d\"; max_backends = %d; %s backends = (\n",
		        p ? "," : "", p, p % SITES, backends, kind);
		for (int b = 0; b < backends; b++)
			fprintf(f,
			        "%s{ name = \"b%d\"; address = \"10.%d.%d.%d\"; port = 8080; }\n",
			        b ? "," : "", b, p, b / 250, b % 250);
		fputs("); }\n", f);
	}
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
}

static struct model *read_here(const struct fixture *x, const char *name,
                               int (*reader)(const char *path, const char *node, struct model **out,
                                             struct model_errors *errors))
{
	char path[PATH_MAX];
	struct model_errors errors;
	struct model *m = NULL;

	snprintf(path, sizeof(path), "%s/%s", x->conf, name);
	int err = reader(path, "n", &m, &errors);
	for (size_t i = 0; i < errors.n_items && i < 8; i++)
		print_message("  %u: %s: %s\n", errors.items[i].line, errors.items[i].field,
		              errors.items[i].message);
	model_errors_free(&errors);
	assert_int_equal(err, 0);
	return m;
}

/* Each pool loses a backend at each change, the pools one after the other. */
static size_t drain_backends(struct override *list, int pools, int changes)
{
	size_t n = 0;

	for (int c = 0; c < changes; c++)
		for (int p = 0; p < pools; p++) {
			struct override *o = &list[n++];

			assert_true(n <= OVERRIDES_ALL);
			*o = (struct override){ .kind = MODEL_OVERRIDE_DRAIN,
				                .target = MODEL_TARGET_BACKEND,
				                .generation = 1,
				                .from_ms = NOW_MS + (int64_t)c * CHANGE_MS + p,
				                .until_ms = MODEL_TIME_NEVER };
			snprintf(o->id, sizeof(o->id), "n-%d-%d", p, c);
			snprintf(o->pool, sizeof(o->pool), "p%d", p);
			snprintf(o->name, sizeof(o->name), "b%d", c);
		}
	return n;
}

static size_t count_all(const struct model *m)
{
	size_t n = 0;

	for (size_t p = 0; p < m->n_pools; p++)
		for (size_t i = 0; i < m->pools[p].n_member_sets; i++)
			n += m->pools[p].member_sets[i].n_members;
	return n;
}

/* The last set of each pool has all @changes; what went is older than all that others have too many of. */
static void expect_newest(const struct model *m, size_t changes, size_t least)
{
	int64_t oldest_ms = MODEL_TIME_NEVER, gone_ms = 0;

	for (size_t p = 0; p < m->n_pools; p++) {
		const struct model_pool *pool = &m->pools[p];
		const struct model_set *last = &pool->member_sets[pool->n_member_sets - 1];
		size_t drained = 0;

		for (size_t i = 0; i < last->n_members; i++)
			drained += last->members[i].weight == 0;
		assert_int_equal(drained, changes);
		assert_true(pool->n_member_sets >= least);
		if (pool->n_member_sets > least && pool->member_sets[0].from_ms < oldest_ms)
			oldest_ms = pool->member_sets[0].from_ms;
		if (pool->member_sets[0].from_ms > gone_ms)
			gone_ms = pool->member_sets[0].from_ms;
	}
	assert_true(gone_ms - oldest_ms <= CHANGE_MS);
}

static void what_is_composed_of_many_changes_is_read(void **state)
{
	static const char agents[] = "mode = \"gue\"; agent = true; settle_time = \"1d\";";
	static const struct {
		const char *why, *kind;
		int pools, backends, changes;
		size_t least; /* sets of each pool */
		bool all;     /* of the members that there is room for */
	} rows[] = {
		{ "ordinary pools with ports", "", 4, 4000, 5, 4, false },
		{ "as many backends as a site may have", "", 4, 8000, 8, 4, false },
		{ "agents' pools, which keep more sets", agents, 10, 1000, 46, 4, false },
		{ "more than there is room for", agents, 20, 1000, 63, 4, true },
		{ "as many agents as a site may have", agents, 32, 1000, 63, 4, true },
		{ "ordinary pools beyond it", "", 34, 4000, 5, 3, true },
	};
	static struct override list[OVERRIDES_ALL];
	struct fixture x;
	char path[PATH_MAX];

	(void)state;
	fixture_make(&x);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena = arena_new((size_t)512 << 20);
		struct model out;

		print_message("  %s\n", rows[i].why);
		write_config(&x, rows[i].pools, rows[i].backends, rows[i].kind);
		struct model *m = read_here(&x, "weir.conf", model_read_config);
		struct compose_version v = { m, NOW_MS - 1000, NOW_MS - 1000 };
		struct overrides set = { .items = list };
		set.n_items = drain_backends(list, rows[i].pools, rows[i].changes);
		struct compose_input in = { .versions = &v,
			                    .n_versions = 1,
			                    .overrides = &set,
			                    .meta = { .digest = "", .hash_key = "" },
			                    .now_ms = NOW_MS + rows[i].changes * CHANGE_MS };
		assert_int_equal(compose_document(&in, arena, &out), 0);
		size_t members = count_all(&out);
		assert_true(members <= MODEL_MEMBERS_MAX);
		assert_int_equal(members > MODEL_MEMBERS_MAX - (size_t)rows[i].backends,
		                 rows[i].all);
		expect_newest(&out, (size_t)rows[i].changes, rows[i].least);
		snprintf(path, sizeof(path), "%s/effective.conf", x.conf);
		assert_int_equal(model_write_effective(&out, path), 0);
		struct model *back = read_here(&x, "effective.conf", model_read_effective);
		assert_int_equal(count_all(back), members);
		model_free(back);
		model_free(m);
		arena_free(arena);
	}
	fixture_remove(&x);
}

SUITE(compose_large)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_composed_of_many_changes_is_read),
	};

	return cmocka_run_group_tests_name("compose large", tests, NULL, NULL);
}
