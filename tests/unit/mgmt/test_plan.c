/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture_model.h"

#include "mgmt/files/linediff.h"
#include "mgmt/rules/plan.h"
#include "mgmt/rules/rings.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fixture place;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

/* The fixture's model with @p from replaced by @p to. */
static struct model *model_with(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);

	return fixture_model(&place, &files, "ams-1");
}

/* An answer is made of it when another version is in force already. */
static void a_plan_outlives_its_models(void **state)
{
	struct model *a = model_with(NULL, NULL),
	             *b = model_with("\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 60");
	struct change_plan plan;

	(void)state;
	assert_int_equal(plan_compare(a, b, &plan), 0);
	model_free(a);
	model_free(b);
	assert_int_equal(plan.n_pools, 1);
	assert_string_equal(plan.pools[0].pool, "web-ams");
	assert_string_equal(plan.changes[0].path, "pools/web-ams/backends/b2/weight");
	assert_string_equal(plan.changes[0].from, "100");
	assert_string_equal(plan.changes[0].to, "60");
	assert_true(plan.advice.n_nodes > 0);
	plan_fini(&plan);
}

static void each_change_is_listed_once_and_risks_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *why, *from, *to;
		enum plan_kind kind;
		const char *path;
		size_t n_changes;
		bool risky;
	} cases[] = {
		{ "a comment", "# two sites", "# 2 sites", 0, NULL, 0, false },
		{ "a smaller weight", "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 60",
		  PLAN_CHANGED, "pools/web-ams/backends/b2/weight", 1, false },
		{ "half a pool's weight", "\"10.1.1.12\"; weight = 100",
		  "\"10.1.1.12\"; weight = 0", PLAN_CHANGED, "pools/web-ams/backends/b2/weight", 1,
		  true },
		{ "a backend removed", "{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },",
		  "", PLAN_REMOVED, "pools/web-ams/backends/b1", 1, true },
		{ "a backend added", "{ name = \"b1\"; address = \"10.1.1.11\"",
		  "{ name = \"b0\"; address = \"10.1.1.10\"; }, { name = \"b1\"; address = \"10.1.1.11\"",
		  PLAN_ADDED, "pools/web-ams/backends/b0", 1, false },
		{ "another address of a VIP", "203.0.113.10", "203.0.113.11", PLAN_CHANGED,
		  "vips/shop-ams/addresses", 1, true },
		{ "another port", "port = 80", "port = 81", PLAN_CHANGED, "services/web/port", 1,
		  true },
		{ "a service leaves a site",
		  "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; },", "", PLAN_REMOVED,
		  "services/web/at/ams", 2, true },
		{ "another TTL", "max = \"60s\"", "max = \"50s\"", PLAN_CHANGED,
		  "dns/names/www.shop.example/ttl/max_s", 1, false },
	};
	struct model *base = model_with(NULL, NULL);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model *m = model_with(cases[i].from, cases[i].to);
		struct change_plan plan;

		print_message("  %s\n", cases[i].why);
		assert_int_equal(plan_compare(base, m, &plan), 0);
		assert_int_equal(plan.n_changes, cases[i].n_changes);
		if (cases[i].path) {
			assert_string_equal(plan.changes[0].path, cases[i].path);
			assert_int_equal(plan.changes[0].kind, cases[i].kind);
		}
		assert_int_equal(plan.n_risks > 0, cases[i].risky);
		plan_fini(&plan);
		model_free(m);
	}
	model_free(base);
}

static void the_share_that_moves_is_of_the_rings(void **state)
{
	(void)state;
	struct model *base = model_with(NULL, NULL);
	struct model *m = model_with("\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 50");
	struct change_plan plan;
	uint32_t by_rings;

	assert_int_equal(plan_compare(base, m, &plan), 0);
	assert_int_equal(plan.n_pools, 1);
	assert_string_equal(plan.pools[0].pool, "web-ams");
	assert_in_range(plan.pools[0].moved_ppm, 166666, 166667); /* 1/2 to 2/3 */
	plan_add_rings(&plan, base, m);
	assert_int_equal(rings_moved_ppm(model_pool(base, "web-ams"), model_pool(m, "web-ams"),
	                                 base->hash_key, &by_rings),
	                 0);
	assert_int_equal(plan.pools[0].moved_ppm, by_rings); /* and what caps move */
	assert_int_not_equal(by_rings, 166667);
	plan_fini(&plan);
	model_free(m);
	m = model_with("{ name = \"b1\"; address = \"10.1.1.11\"; weight = 100; },", "");
	assert_int_equal(plan_compare(m, base, &plan), 0);
	assert_in_range(plan.pools[0].moved_ppm, 480000, 520000); /* from one backend to two */
	plan_fini(&plan);
	model_free(m);
	m = model_with("pools = (\n",
	               "pools = (\n  { name = \"web-old\"; site = \"ams\"; check = \"web\"; "
	               "mode = \"ipip\"; max_backends = 10; backends = ( { name = \"o\"; "
	               "address = \"10.1.1.99\"; } ); },");
	assert_int_equal(plan_compare(m, base, &plan), 0);
	assert_int_equal(plan.n_pools, 1);
	assert_string_equal(plan.pools[0].pool, "web-old");
	assert_int_equal(plan.pools[0].moved_ppm, 1000000); /* it goes */
	plan_fini(&plan);
	model_free(m);
	m = model_with("pools = (\n",
	               "pools = (\n  { name = \"web-reg\"; site = \"ams\"; check = \"web\"; "
	               "mode = \"ipip\"; max_backends = 10; backends = ( { name = \"o\"; "
	               "address = \"10.1.1.99\"; weight = 0; } ); "
	               "registration = { prefixes = [ \"10.9.0.0/16\" ]; }; },");
	assert_int_equal(plan_compare(m, m, &plan), 0);
	assert_int_equal(plan.n_pools, 0); /* programs fill it */
	plan_fini(&plan);
	model_free(m);
	model_free(base);
}

static void from_nothing_all_is_added_and_nothing_is_risky(void **state)
{
	(void)state;
	struct model *m = model_with(NULL, NULL);
	struct change_plan plan;

	assert_int_equal(plan_compare(NULL, m, &plan), 0);
	assert_true(plan.n_changes > 10);
	assert_int_equal(plan.n_risks, 0);
	for (size_t i = 0; i < plan.n_changes; i++)
		assert_int_equal(plan.changes[i].kind, PLAN_ADDED);
	plan_fini(&plan);
	model_free(m);
}

/* Within what 10,000 clients leave to chance. */
static void assert_share(uint32_t ppm, uint32_t expected_ppm)
{
	assert_in_range(ppm, expected_ppm < 20000 ? 0 : expected_ppm - 20000, expected_ppm + 20000);
}

static void the_share_of_answers_that_change_is_asked_of_the_code_that_answers(void **state)
{
	static const struct {
		const char *why, *from, *to;
		size_t n_names;
		uint32_t moved_ppm, ams_ppm; /* after */
	} cases[] = {
		{ "a backend's weight", "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 60",
		  0, 0, 0 },
		{ "the TTL alone", "max = \"60s\"", "max = \"50s\"", 0, 0, 0 },
		{ "a site's weight", "{ name = \"fra\"; weight = 100;",
		  "{ name = \"fra\"; weight = 300;", 1, 250000, 250000 },
		{ "an address of one site", "\"203.0.113.10\"", "\"203.0.113.11\"", 1, 500000,
		  500000 },
		{ "failover", "policy = \"weighted\"", "policy = \"failover\"", 1, 500000,
		  1000000 },
		{ "a site leaves",
		  ",\n         { site = \"fra\"; vip = \"shop-fra\"; pool = \"web-fra\"; }", "", 1,
		  500000, 1000000 },
		{ "the name goes",
		  "{ name = \"www.shop.example\"; service = \"web\"; policy = "
		  "\"weighted\"; ttl = { min = \"5s\"; max = \"60s\"; }; }",
		  "", 1, 1000000, 0 },
	};
	struct model *base = model_with(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model *m = model_with(cases[i].from, cases[i].to);
		struct change_plan plan;

		print_message("  %s\n", cases[i].why);
		assert_int_equal(plan_compare(base, m, &plan), 0);
		assert_int_equal(plan_add_effects(&plan, base, m), 0);
		model_free(m); /* the plan has its own hold on both models */
		assert_int_equal(plan.n_names_all, cases[i].n_names);
		assert_int_equal(plan.n_names, cases[i].n_names);
		if (plan.n_names) {
			const struct plan_name *n = &plan.names[0];

			assert_string_equal(n->name, "www.shop.example");
			assert_int_equal(n->n_prefixes, 10000);
			assert_share(n->moved_ppm, cases[i].moved_ppm);
			assert_int_equal(n->n_sites, 2);
			for (size_t k = 0; k < 2; k++) {
				bool is_ams = !strcmp(n->sites[k].site, "ams");
				bool is_gone = cases[i].moved_ppm == 1000000;

				assert_share(n->sites[k].before_ppm, 500000);
				assert_share(n->sites[k].after_ppm,
				             is_gone  ? 0
				             : is_ams ? cases[i].ams_ppm
				                      : 1000000 - cases[i].ams_ppm);
			}
		}
		plan_fini(&plan);
	}
	model_free(base);
}

/* The fixture with @p n more names, with this policy. */
static struct model *model_with_names(size_t n, const char *policy)
{
	static char text[64000];
	struct files files = { 0 };
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	const char *at = strstr(fixture_config, "  names = ( ");
	size_t used;

	assert_non_null(at);
	at += strlen("  names = ( ");
	used = (size_t)snprintf(text, sizeof(text), "%.*s", (int)(at - fixture_config),
	                        fixture_config);
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(
		        text + used, sizeof(text) - used,
		        "{ name = \"n%03zu.shop.example\"; service = \"web\"; policy = "
		        "\"%s\"; ttl = { min = \"5s\"; max = \"60s\"; }; },\n",
		        i, policy);
	used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", at);
	assert_true(used < sizeof(text));
	assert_int_equal(files_add(&files, FILES_MAIN, text, used), 0);
	assert_int_equal(files_add(&files, "shop.example.zone", fixture_zone, strlen(fixture_zone)),
	                 0);
	assert_int_equal(gather_model(&files, place.state, place.conf, "ams-1", &m, &errors), 0);
	model_errors_free(&errors);
	files_fini(&files);
	return m;
}

static void of_many_names_the_first_are_measured_and_all_are_counted(void **state)
{
	struct model *a = model_with_names(100, "weighted"), *b = model_with_names(100, "failover");
	struct change_plan plan;

	(void)state;
	assert_int_equal(plan_compare(a, b, &plan), 0);
	assert_int_equal(plan_add_effects(&plan, a, b), 0);
	assert_int_equal(plan.n_names_all, 100);
	assert_int_equal(plan.n_names, PLAN_NAMES_SHOWN);
	assert_string_equal(plan.names[63].name, "n063.shop.example");
	for (size_t i = 0; i < plan.n_names; i++) {
		assert_in_range(plan.names[i].n_prefixes, 1000, 10000);
		assert_share(plan.names[i].moved_ppm, 500000);
	}
	plan_fini(&plan);
	model_free(a);
	model_free(b);
}

static void what_nodes_stop_announcing_is_listed(void **state)
{
	static const char node[] = "dns_listen = [ \"192.0.2.53\" ]; }";
	static const struct {
		const char *why, *to;
		size_t n;
	} cases[] = {
		{ "the same, listed",
		  "dns_listen = [ \"192.0.2.53\" ]; announce = { daemon = \"bird\"; vips = [ \"shop-ams\" ]; dns = [ \"192.0.2.53\" ]; }; }",
		  0 },
		{ "no longer the name server",
		  "dns_listen = [ \"192.0.2.53\" ]; announce = { daemon = \"bird\"; }; }", 1 },
		{ "nothing", node, 2 },
	};
	struct model *base =
	        model_with(node, "dns_listen = [ \"192.0.2.53\" ]; announce = { daemon = \"bird\"; "
	                         "dns = [ \"192.0.2.53\" ]; }; }");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model *m = model_with(node, cases[i].to);
		struct change_plan plan;

		print_message("  %s\n", cases[i].why);
		assert_int_equal(plan_compare(base, m, &plan), 0);
		assert_int_equal(plan_add_effects(&plan, base, m), 0);
		assert_int_equal(plan.n_withdrawn, cases[i].n);
		assert_int_equal(plan.n_withdrawn_all, cases[i].n);
		if (plan.n_withdrawn) {
			assert_string_equal(plan.withdrawn[0].node, "ams-1");
			assert_string_equal(plan.withdrawn[0].address, "192.0.2.53");
		}
		if (plan.n_withdrawn == 2)
			assert_string_equal(plan.withdrawn[1].address, "203.0.113.10");
		plan_fini(&plan);
		model_free(m);
	}
	model_free(base);
}

static bool plan_warns(const struct change_plan *plan, const char *text)
{
	for (size_t i = 0; i < plan->advice.n_warnings; i++)
		if (strstr(plan->advice.warnings[i], text))
			return true;
	return false;
}

static void a_plan_tells_who_looks_at_vips(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to;
		uint64_t milli_per_s;
		const char *warning;
	} cases[] = {
		{ NULL, NULL, 1000, NULL },
		{ "protocol = \"tcp\"; port = 80;",
		  "protocol = \"tcp\"; port = 80; vip_check = \"none\";", 0,
		  "vip_check is \"none\"" },
		{ "protocol = \"tcp\"; port = 80;", "protocol = \"udp\"; port = 80;", 0,
		  "UDP has no default check" },
	};
	struct model *base = model_with(NULL, NULL);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model *m = model_with(cases[i].from, cases[i].to);
		struct change_plan plan;

		assert_int_equal(plan_compare(base, m, &plan), 0);
		assert_int_equal(plan.advice.n_probes, m->n_vips);
		assert_string_equal(plan.advice.probes[0].vip, "shop-ams");
		assert_int_equal(plan.advice.probes[0].milli_per_s, cases[i].milli_per_s);
		assert_int_equal(plan.advice.probes[0].milli_per_s_before, 1000);
		assert_int_equal(plan_warns(&plan, ""), cases[i].warning != NULL);
		assert_int_equal(plan_warns(&plan, cases[i].warning ? cases[i].warning : "-"),
		                 cases[i].warning != NULL);
		plan_fini(&plan);
		model_free(m);
	}
	model_free(base);
}

static struct files one_file(const char *text)
{
	struct files files = { 0 };

	if (text)
		assert_int_equal(files_add(&files, "f", text, strlen(text)), 0);
	return files;
}

static void diffs_are_unified_and_minimal(void **state)
{
	(void)state;
	static const struct {
		const char *why, *from, *to, *diff;
	} cases[] = {
		{ "equal", "a\nb\n", "a\nb\n", "" },
		{ "one line", "a\nb\nc\n", "a\nB\nc\n",
		  "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n" },
		{ "a new file", NULL, "a\n", "--- /dev/null\n+++ b/f\n@@ -0,0 +1,1 @@\n+a\n" },
		{ "a file gone", "a\n", NULL, "--- a/f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n" },
		{ "inserted at the start", "b\nc\n", "a\nb\nc\n",
		  "--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n+a\n b\n c\n" },
		{ "two hunks", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
		  "one\n2\n3\n4\n5\n6\n7\n8\n9\nten\n",
		  "--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n"
		  "@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-10\n+ten\n" },
		{ "nothing in common", "a\nb\n", "c\n",
		  "--- a/f\n+++ b/f\n@@ -1,2 +1,1 @@\n-a\n-b\n+c\n" },
		{ "moved", "a\nb\nc\n", "b\nc\na\n",
		  "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n-a\n b\n c\n+a\n" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct files from = one_file(cases[i].from), to = one_file(cases[i].to);
		char *diff = linediff_files(&from, &to);

		print_message("  %s\n", cases[i].why);
		assert_string_equal(diff, cases[i].diff);
		free(diff);
		files_fini(&from);
		files_fini(&to);
	}
}

/* Their bytes are not in memory. */
static void of_large_files_sizes_and_digests_are_shown(void **state)
{
	static const char digest[2][DIGEST_TEXT_MAX] = {
		"0123456789abcdef00000000000000000000000000000000000000000000000",
		"fedcba987654321000000000000000000000000000000000000000000000000"
	};
	static const struct {
		bool was, is;
		const char *diff;
	} rows[] = {
		{ true, true,
		  "--- a/f\n+++ b/f\n70 bytes, then 71 bytes: 0123456789abcdef, then fedcba9876543210\n" },
		{ false, true,
		  "--- /dev/null\n+++ b/f\n0 bytes, then 71 bytes: -, then fedcba9876543210\n" },
		{ true, false,
		  "--- a/f\n+++ /dev/null\n70 bytes, then 0 bytes: 0123456789abcdef, then -\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct files from = { 0 }, to = { 0 };

		if (rows[i].was)
			assert_int_equal(files_add_path(&from, "f", "/one", digest[0], 70), 0);
		if (rows[i].is)
			assert_int_equal(files_add_path(&to, "f", "/two", digest[1], 71), 0);
		char *diff = linediff_files(&from, &to);

		assert_string_equal(diff, rows[i].diff);
		free(diff);
		files_fini(&from);
		files_fini(&to);
	}
}

/* Apply a unified diff of one file: what is left must be the other. */
static void apply_diff(const char *from, const char *diff, char *out)
{
	const char *at = strstr(diff, "\n@@");
	size_t line = 1;

	for (at = at ? at + 1 : diff + strlen(diff); *at;) {
		size_t start = strtoul(at + 4, NULL, 10);
		bool none = strstr(at, ",0 ") && strstr(at, ",0 ") < strchr(at, '+');

		for (; line < start + none; line++) {
			size_t n = strcspn(from, "\n") + 1;

			memcpy(out, from, n);
			out += n;
			from += n;
		}
		for (at += strcspn(at, "\n") + 1; *at && *at != '@'; at += strcspn(at, "\n") + 1) {
			size_t n = strcspn(at, "\n");

			if (*at != '+') {
				assert_memory_equal(from, at + 1, n);
				from += n;
				line++;
			}
			if (*at != '-') {
				memcpy(out, at + 1, n);
				out += n;
			}
		}
	}
	strcpy(out, from);
}

static void applying_a_diff_gives_the_other_file(void **state)
{
	(void)state;
	unsigned random = 1;

	for (int round = 0; round < 300; round++) {
		char a[512] = "", b[512] = "", made[2048];

		for (int i = 0; i < 40; i++) {
			random = random * 1664525 + 1013904223;
			char line[3] = { (char)('a' + (random >> 28) % 5), '\n', 0 };

			if (random >> 20 & 7)
				strcat(a, line);
			if (random >> 16 & 3)
				strcat(b, line);
		}
		struct files from = one_file(a), to = one_file(b);
		char *diff = linediff_files(&from, &to);
		apply_diff(a, diff, made);
		assert_string_equal(made, b);
		free(diff);
		files_fini(&from);
		files_fini(&to);
	}
}

/*
 * What a person reads at an apply that is refused: the subject, what happens, the harm, the rule
 * and its limit.
 */
static void a_risk_is_a_sentence_with_its_figure_and_limit(void **state)
{
	static const struct {
		const char *from, *to, *text;
	} rows[] = {
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 0",
		  "pool web-ams: members with 50 % of the weight lose their slots (2 members, were 2): the load of these members moves to fewer, or to untried, backends (rule members-leave: 50 %, risky from 50 %)" },
		{ "max = \"60s\"", "max = \"5m\"",
		  "name www.shop.example: ttl.max is 300 s, was 60 s: clients keep a dead site's address for longer (rule ttl-longer: 5 times, risky from 5 times)" },
		{ "min = \"5s\"; max = \"60s\"", "min = \"5s\"; max = \"5s\"",
		  "name www.shop.example: ttl.max is 5 s, was 60 s: resolvers send many times more queries (rule ttl-shorter: 12 times, risky from 10 times)" },
		{ "port = 80; hash = \"flow\"", "port = 80; hash = \"source\"",
		  "service web: hash is source, was flow: connections go to backends that do not know them, and break (rule flows-rehashed: 100 %, risky above 0)" },
		{ "max_backends = 10;", "max_backends = 1000;",
		  "pool web-ams: max_backends 1000, was 10, makes 131072 slots of 4096: connections go to backends that do not know them, and break (rule flows-rehashed: 96.9 %, risky above 0)" },
	};
	struct model *base = model_with(NULL, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model *m = model_with(rows[i].from, rows[i].to);
		struct change_plan plan;

		assert_int_equal(plan_compare(base, m, &plan), 0);
		assert_true(plan.n_risks > 0);
		assert_string_equal(plan.risks[0].text, rows[i].text);
		plan_fini(&plan);
		model_free(m);
	}
	model_free(base);
}

SUITE(plan)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_outlives_its_models),
		cmocka_unit_test(each_change_is_listed_once_and_risks_are_named),
		cmocka_unit_test(the_share_that_moves_is_of_the_rings),
		cmocka_unit_test(from_nothing_all_is_added_and_nothing_is_risky),
		cmocka_unit_test(
		        the_share_of_answers_that_change_is_asked_of_the_code_that_answers),
		cmocka_unit_test(of_many_names_the_first_are_measured_and_all_are_counted),
		cmocka_unit_test(what_nodes_stop_announcing_is_listed),
		cmocka_unit_test(a_plan_tells_who_looks_at_vips),
		cmocka_unit_test(a_risk_is_a_sentence_with_its_figure_and_limit),
		cmocka_unit_test(diffs_are_unified_and_minimal),
		cmocka_unit_test(of_large_files_sizes_and_digests_are_shown),
		cmocka_unit_test(applying_a_diff_gives_the_other_file),
	};

	return cmocka_run_group_tests_name("plan", tests, setup, teardown);
}
