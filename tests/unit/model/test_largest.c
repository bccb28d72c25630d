/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The largest documents: what a configuration may have, with the most sets, members and overrides
 * that weir-mgmt keeps, is written and read; nothing larger is written.
 */
#include "fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "model/load.h"
#include "model/scan.h"
#include "tests/unit/suite.h"

#define SITES       64
#define SERVICES    1000 /* at all sites */
#define POOLS       1000
#define BACKENDS    32 /* of a pool */
#define NAMES       10000
#define SETS        (MODEL_SETS_MAX + 1)
#define MEMBERS     (MODEL_MEMBERS_MAX / POOLS / SETS)
#define MEMBERS_TOP 4000 /* of the first set: so that all members are used, but for some */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* of ours: the machine may be busy */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void write_sites(FILE *f)
{
	fputs("schema = 1; cluster = { name = \"big\"; hash_key_file = \"hash.key\"; hash_key_id = "
	      "\"k\"; };\nsites = (",
	      f);
	for (int i = 0; i < SITES; i++)
		fprintf(f, "%s{ name = \"s%d\"; }", i ? "," : "", i);
	fputs(");\nnodes = (", f);
	for (int i = 0; i < SITES; i++)
		fprintf(f,
		        "%s{ name = \"n%d\"; site = \"s%d\"; ports = ( { interface = \"e\"; } ); "
		        "tunnel_source = [ \"172.16.%d.0/24\" ]; }\n",
		        i ? "," : "", i, i, i);
	fputs(");\nvips = (", f);
	for (int i = 0; i < SITES; i++)
		fprintf(f, "%s{ name = \"v%d\"; site = \"s%d\"; addresses = [ \"192.0.2.%d\" ]; }",
		        i ? "," : "", i, i, i);
	fputs(");\n", f);
}

static void write_pools(FILE *f)
{
	fputs("pools = (\n", f);
	for (int p = 0; p < POOLS; p++) {
		fprintf(f, "%s{ name = \"p%d\"; site = \"s%d\"; backends = (", p ? "," : "", p,
		        p % SITES);
		for (int b = 0; b < BACKENDS; b++)
			fprintf(f, "%s{ name = \"b%d\"; address = \"10.%d.%d.%d\"; }\n",
			        b ? "," : "", b, p / 250, p % 250, b);
		fputs("); }\n", f);
	}
	fputs(");\n", f);
}

static void write_services(FILE *f)
{
	fputs("services = (\n", f);
	for (int s = 0; s < SERVICES; s++) {
		fprintf(f, "%s{ name = \"x%d\"; protocol = \"tcp\"; port = %d; at = (",
		        s ? "," : "", s, s + 1);
		for (int i = 0; i < SITES; i++)
			fprintf(f, "%s{ site = \"s%d\"; vip = \"v%d\"; pool = \"p%d\"; }\n",
			        i ? "," : "", i, i, i);
		fputs("); }\n", f);
	}
	fputs(");\ndns = { zones = (", f);
	for (int i = 0; i < NAMES; i++)
		fprintf(f, "%s{ name = \"z%d.example\"; file = \"shop.example.zone\"; }\n",
		        i ? "," : "", i);
	fputs("); names = (", f);
	for (int i = 0; i < NAMES; i++)
		fprintf(f, "%s{ name = \"www.z%d.example\"; service = \"x%d\"; }\n", i ? "," : "",
		        i, i % SERVICES);
	fputs("); };\n", f);
}

typedef int read_document(const char *path, const char *node, struct model **m,
                          struct model_errors *errors);

static struct model *read_it(read_document *reader, const char *name)
{
	struct model_errors errors;
	struct model *m = NULL;
	double start = now_s();
	int err = reader(fixture_path(name), "n0", &m, &errors);

	for (size_t i = 0; i < errors.n_items && i < 8; i++)
		print_message("  %u: %s: %s\n", errors.items[i].line, errors.items[i].field,
		              errors.items[i].message);
	model_errors_free(&errors);
	assert_int_equal(err, 0);
	print_message("  %s read in %.0f ms\n", name, (now_s() - start) * 1e3);
	return m;
}

/* A configuration of 64,000 places of services, 32,000 backends, 10,000 names and zones. */
static struct model *read_large(void)
{
	FILE *f = fopen(fixture_path("large.conf"), "w");

	assert_non_null(f);
	write_sites(f);
	write_pools(f);
	write_services(f);
	assert_int_equal(fclose(f), 0);
	return read_it(model_read_config, "large.conf");
}

static void a_large_configuration_has_a_document_that_is_read(void **state)
{
	(void)state;
	struct model *m = read_large();

	assert_int_equal(model_write_effective(m, fixture_path("effective.conf")), 0);
	struct model *back = read_it(model_read_effective, "effective.conf");
	assert_int_equal(back->n_services, SERVICES);
	assert_int_equal(back->services[SERVICES - 1].n_at, SITES);
	assert_int_equal(back->n_pools, POOLS);
	model_free(m);
	model_free(back);
}

static struct model_member make_member(uint32_t i)
{
	/* as long as a text of an address can be */
	uint8_t bytes[16] = { 0xfd, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44,
		              0x44, 0x55, 0x55, 0x66, 0x66, 0x77, 0x77 };

	bytes[14] = (uint8_t)(0x10 + i / 239);
	bytes[15] = (uint8_t)(0x10 + i % 239);
	struct model_member m = { .address = addr_from6(bytes), .port = 65535, .weight = 65535 };
	m.id = model_backend_id(&m.address, m.port);
	return m;
}

static void fill_sets(struct model *m, struct model_pool *pools, struct arena *arena)
{
	struct model_member *members = ARENA_ARRAY(arena, struct model_member, MEMBERS_TOP);

	assert_non_null(members);
	for (uint32_t i = 0; i < MEMBERS_TOP; i++)
		members[i] = make_member(i);
	for (size_t p = 0; p < POOLS; p++) {
		struct model_set *sets = ARENA_ARRAY(arena, struct model_set, SETS);

		assert_non_null(sets);
		for (size_t i = 0; i < SETS; i++)
			sets[i] = (struct model_set){ (int64_t)i, (int64_t)i + 1, members,
				                      p + i ? MEMBERS : MEMBERS_TOP };
		pools[p] = m->pools[p];
		pools[p].member_sets = sets;
		pools[p].n_member_sets = SETS;
	}
	m->pools = pools;
}

/* @p n bytes, each of which is written as four. */
static char *make_escapes(struct arena *arena, size_t n)
{
	char *text = arena_alloc(arena, n + 1, 1);

	assert_non_null(text);
	memset(text, 1, n);
	text[n] = '\0';
	return text;
}

static void fill_overrides(struct model *m, struct arena *arena)
{
	static char ids[MODEL_OVERRIDES_MAX][MODEL_ID_MAX];
	struct model_override *list =
	        ARENA_ARRAY(arena, struct model_override, MODEL_OVERRIDES_MAX);

	assert_non_null(list);
	for (size_t i = 0; i < MODEL_OVERRIDES_MAX; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%031zu", i);
		list[i] = (struct model_override){ .id = ids[i],
			                           .target = MODEL_TARGET_SITE,
			                           .pool = "",
			                           .name = "s0",
			                           .generation = UINT64_MAX,
			                           .until_ms = MODEL_TIME_NEVER,
			                           .author = make_escapes(arena, 255),
			                           .reason = make_escapes(arena, 1024),
			                           .node = make_escapes(arena, 255),
			                           .is_step = true,
			                           .to_ppm = 1,
			                           .epoch = UINT32_MAX,
			                           .step = UINT32_MAX,
			                           .service = "x1",
			                           .operation = ids[i],
			                           .late_from_ms = 1,
			                           .own_vips = MODEL_VIPS_WITHDRAWN,
			                           .shared_vips = MODEL_VIPS_WITHDRAWN };
	}
	m->overrides = list;
	m->n_overrides = MODEL_OVERRIDES_MAX;
}

static void the_largest_document_is_written_and_read(void **state)
{
	(void)state;
	static struct model_pool pools[POOLS];
	struct model *base = read_large(), m = *base;
	struct arena *arena = arena_new((size_t)256 << 20);

	assert_non_null(arena);
	fill_sets(&m, pools, arena);
	fill_overrides(&m, arena);
	double start = now_s();
	assert_int_equal(model_write_effective(&m, fixture_path("largest.conf")), 0);
	print_message("  written in %.0f ms\n", (now_s() - start) * 1e3);
	model_free(base);
	arena_free(arena);
	struct model *back = read_it(model_read_effective, "largest.conf");
	assert_int_equal(back->n_overrides, MODEL_OVERRIDES_MAX);
	for (size_t i = 0; i < POOLS; i++)
		assert_int_equal(back->pools[i].n_member_sets, SETS);
	model_free(back);
}

static void what_no_process_would_read_is_not_written(void **state)
{
	(void)state;
	struct arena *arena = arena_new((size_t)256 << 20);

	assert_non_null(arena);
	fixture_write_text("weir.conf", fixture_config);
	struct model_override one = { .id = "o",
		                      .target = MODEL_TARGET_SITE,
		                      .pool = "",
		                      .name = "ams",
		                      .author = "",
		                      .reason = make_escapes(arena, SCAN_EFFECTIVE_MAX / 4),
		                      .node = "" };
	struct model *m = NULL, large;
	struct model_errors errors;
	assert_int_equal(model_read_config(fixture_path("weir.conf"), NULL, &m, &errors), 0);
	model_errors_free(&errors);
	large = *m;
	large.overrides = &one;
	large.n_overrides = 1;
	fixture_write_text("kept.conf", "kept");
	assert_int_equal(model_write_effective(&large, fixture_path("kept.conf")), -EFBIG);
	char *bytes = NULL;
	size_t n = 0;
	assert_int_equal(load_file(fixture_path("kept.conf"), 100, &bytes, &n), 0);
	assert_int_equal(n, 4);
	free(bytes);
	model_free(m);
	arena_free(arena);
}

/* To the byte, and to the value. */
static void a_written_document_is_counted_as_it_is_scanned(void **state)
{
	(void)state;
	struct model_errors errors;
	struct model_override one = { .id = "o",
		                      .target = MODEL_TARGET_SITE,
		                      .pool = "",
		                      .name = "ams",
		                      .author = "\"\\\" = (1, 2); # \\",
		                      .reason = "\x01\n{",
		                      .node = "" };
	struct model *m = NULL, with;
	struct arena *arena = arena_new((size_t)16 << 20);
	struct document_scan scan;
	char *text = NULL;
	size_t n = 0;

	fixture_write_text("weir.conf", fixture_config);
	assert_int_equal(model_read_config(fixture_path("weir.conf"), NULL, &m, &errors), 0);
	model_errors_free(&errors);
	with = *m;
	with.overrides = &one;
	with.n_overrides = 1;
	assert_int_equal(model_write_effective(&with, fixture_path("one.conf")), 0);
	assert_int_equal(load_file(fixture_path("one.conf"), SCAN_EFFECTIVE_MAX, &text, &n), 0);
	assert_int_equal(errors_init(&errors), 0);
	scan = (struct document_scan){
		.arena = arena, .errors = &errors, .dir = NULL, .max = scan_effective_limits
	};
	assert_int_equal(scan_text(&scan, text, n, "one.conf"), 0);
	assert_non_null(scan.top);
	for (size_t bytes = n - 1; bytes <= n; bytes++)
		for (size_t more = 0; more <= 1; more++) {
			struct scan_limits max = { bytes, scan.n_settings - 1 + more };

			assert_int_equal(scan_fits(text, n, &max), bytes == n && more);
		}
	free(text);
	model_errors_free(&errors);
	arena_free(arena);
	model_free(m);
}

#define PAIR   10000 /* backends of each of two pools */
#define PAIRED 2000  /* services that have both */
#define WRONG  30000 /* places of services that name a pool which is not there */
#define LIMIT_S                                                                                    \
	20.0 /* with room for sanitizers: what grows faster than the document takes minutes */

static void write_pair(FILE *f, const char *name, int site)
{
	fprintf(f, "{ name = \"%s\"; site = \"s%d\"; max_backends = %d; backends = (", name, site,
	        PAIR);
	for (int b = 0; b < PAIR; b++)
		fprintf(f, "%s{ name = \"b%d\"; address = \"10.%d.%d.%d\"; }\n", b ? "," : "", b,
		        site, b / 250, b % 250);
	fputs("); }\n", f);
}

static void many_services_of_two_large_pools_cost_what_they_are_long(void **state)
{
	(void)state;
	FILE *f = fopen(fixture_path("pair.conf"), "w");
	double start;

	assert_non_null(f);
	write_sites(f);
	fputs("limits = { slots = 16777216; backends = 32767; services = 65536; };\npools = (", f);
	write_pair(f, "own", 0);
	fputc(',', f);
	write_pair(f, "other", 1);
	fputs(");\nservices = (", f);
	for (int s = 0; s < PAIRED; s++)
		fprintf(f,
		        "%s{ name = \"x%d\"; protocol = \"tcp\"; port = %d; at = ( { site = \"s0\"; "
		        "vip = \"v0\"; pool = \"own\"; backup = \"other\"; backup_max = { new_flows = "
		        "\"1/s\"; bits = \"1kbit\"; }; } ); }\n",
		        s ? "," : "", s, s + 1);
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
	start = now_s();
	model_free(read_it(model_read_config, "pair.conf"));
	assert_true(now_s() - start < LIMIT_S);
}

/* Only errors that are kept, and so shown, get a near name: to search one takes long. */
static void many_mistakes_cost_what_they_are_long(void **state)
{
	(void)state;
	FILE *f = fopen(fixture_path("wrong.conf"), "w");
	struct model_errors errors;
	struct model *m;
	double start;

	assert_non_null(f);
	write_sites(f);
	fputs("pools = (", f);
	for (int p = 0; p < POOLS; p++)
		fprintf(f,
		        "%s{ name = \"web-frontend-of-the-shop-in-%d\"; site = \"s0\"; backends = ( { "
		        "name = \"b\"; address = \"10.0.%d.%d\"; } ); }\n",
		        p ? "," : "", p, p / 250, p % 250);
	fputs(");\nservices = (", f);
	for (int s = 0; s < WRONG / SITES; s++) {
		fprintf(f, "%s{ name = \"x%d\"; protocol = \"tcp\"; port = %d; at = (",
		        s ? "," : "", s, s + 1);
		for (int i = 0; i < SITES; i++)
			fprintf(f,
			        "%s{ site = \"s%d\"; vip = \"v%d\"; pool = "
			        "\"web.frontend.of.the.shop.in.%d\"; }\n",
			        i ? "," : "", i, i, i);
		fputs("); }\n", f);
	}
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
	start = now_s();
	assert_int_equal(model_read_config(fixture_path("wrong.conf"), NULL, &m, &errors), -EINVAL);
	print_message("  %zu mistakes told in %.0f ms\n", errors.n_total, (now_s() - start) * 1e3);
	assert_in_range(errors.n_total, WRONG / SITES * SITES, WRONG);
	assert_true(now_s() - start < LIMIT_S);
	model_errors_free(&errors);
}

/* @p n entries of nothing in the list that begins with @p opening. @return the errors' number, the list's own error first */
static size_t count_empty_groups(const char *opening, size_t n, const char *expected)
{
	const char *at = strstr(fixture_config, opening);
	FILE *f = fopen(fixture_path("empty.conf"), "w");
	struct model_errors errors;
	struct model *m;
	bool found = false;

	assert_non_null(at);
	assert_non_null(f);
	fprintf(f, "%.*s", (int)(at - fixture_config + (ptrdiff_t)strlen(opening)), fixture_config);
	for (size_t i = 0; i < n; i++)
		fputs(" {},", f);
	fputs(at + strlen(opening), f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(model_read_config(fixture_path("empty.conf"), NULL, &m, &errors), -EINVAL);
	for (size_t i = 0; i < errors.n_items; i++)
		found |= strstr(errors.items[i].message, expected) != NULL;
	if (!found)
		fail_msg("%s: no error says \"%s\"", opening, expected);
	n = errors.n_total;
	model_errors_free(&errors);
	return n;
}

/* Three bytes a group would take 2 GiB, and ports are compared each with each. */
static void groups_beyond_the_limit_of_their_list_are_not_read(void **state)
{
	(void)state;
	static const struct {
		const char *opening, *expected;
		size_t most_errors; /* each group that is read lacks four settings at most */
	} lists[] = {
		{ "sites = (", "expected 1..64", 4 * 64 + 100 },
		{ "nodes = (", "expected 1..256", 4 * 256 + 100 },
		{ "ports = (", "expected 1..16", 16 * 16 + 100 },
		{ "pools = (", "expected 0..1000", 4 * 1000 + 100 },
		{ "backends = (", "expected 0..10000", 4 * 10000 + 100 },
		{ "vips = (", "expected 0..1000", 4 * 1000 + 100 },
		{ "services = (", "expected 0..4096", 5 * 4096 + 100 },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		double start = now_s();
		size_t n = count_empty_groups(lists[i].opening, 300000, lists[i].expected);

		print_message("  %s %zu errors in %.0f ms\n", lists[i].opening, n,
		              (now_s() - start) * 1e3);
		assert_in_range(n, 2, lists[i].most_errors);
		assert_true(now_s() - start < LIMIT_S);
	}
}

/* Each list is within its limit, the whole is not: the reason is no "out of memory", which would be tried again. */
static void a_configuration_that_takes_too_much_memory_is_refused_for_that(void **state)
{
	(void)state;
	FILE *f = fopen(fixture_path("large.conf"), "w");
	struct model_errors errors;
	struct model *m;

	assert_non_null(f);
	fputs("schema = 1; pools = (", f);
	for (int p = 0; p < 90; p++) {
		fprintf(f, "%s{ backends = ( {}", p ? "," : "");
		for (int b = 1; b < 10000; b++)
			fputs(",{}", f);
		fputs(" ); }\n", f);
	}
	fputs(");\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(model_read_config(fixture_path("large.conf"), NULL, &m, &errors), -EINVAL);
	assert_int_equal(errors.n_total, 1);
	assert_non_null(strstr(errors.items[0].message, "give it fewer entries"));
	model_errors_free(&errors);
}

SUITE(largest)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_services_of_two_large_pools_cost_what_they_are_long),
		cmocka_unit_test(many_mistakes_cost_what_they_are_long),
		cmocka_unit_test(groups_beyond_the_limit_of_their_list_are_not_read),
		cmocka_unit_test(a_configuration_that_takes_too_much_memory_is_refused_for_that),
		cmocka_unit_test(what_no_process_would_read_is_not_written),
		cmocka_unit_test(a_written_document_is_counted_as_it_is_scanned),
		cmocka_unit_test(a_large_configuration_has_a_document_that_is_read),
		cmocka_unit_test(the_largest_document_is_written_and_read),
	};

	return cmocka_run_group_tests_name("largest", tests, fixture_setup, fixture_teardown);
}
