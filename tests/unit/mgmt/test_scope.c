/* SPDX-License-Identifier: BSD-2-Clause */
/* Which objects a difference touches, and which of them a scope has. */
#include "fixture_model.h"

#include "mgmt/rules/plan.h"
#include "mgmt/rules/scope.h"
#include "tests/unit/suite.h"

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

/* The objects that a difference touches: none is in the empty scope. */
static void list_touched(const struct model *from, const struct model *to,
                         const struct change_plan *plan, char seen[512])
{
	json_t *touched = scope_list_outside("", from, to, plan), *path;
	size_t i, n = 0;

	seen[0] = '\0';
	json_array_foreach(touched, i, path) n +=
	        (size_t)snprintf(seen + n, 512 - n, "%s%s", i ? " " : "", json_string_value(path));
	json_decref(touched);
}

/* From the fixture to the fixture with a text replaced: what is touched, and what of it is outside of a scope. */
static void each_difference_touches_its_objects(void **state)
{
	static const struct {
		const char *from, *to, *touched, *scope;
		const char *outside; /* the first one; NULL: none */
	} rows[] = {
		{ "rise = 2", "rise = 3", "checks/web", "checks:*", NULL },
		{ "rise = 2", "rise = 3", "checks/web", "pools:*,services:*", "checks/web" },
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 101",
		  "pools/web-ams/backends/b2", "pools:web-ams", NULL },
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 101",
		  "pools/web-ams/backends/b2", "pools:web-am", "pools/web-ams/backends/b2" },
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 101",
		  "pools/web-ams/backends/b2", "pools:web-ams-*", "pools/web-ams/backends/b2" },
		{ "\"10.1.1.12\"; weight = 100", "\"10.1.1.12\"; weight = 101",
		  "pools/web-ams/backends/b2", "", "pools/web-ams/backends/b2" },
		{ "schema = 1;", "schema = 1; limits = { services = 2048; };", "limits/services",
		  "pools:*,sites:*,nodes:*,checks:*,vips:*,services:*,dns/names:*,dns/zones:*",
		  "limits/services" },
		{ "schema = 1;", "schema = 1; # a word", "", "", NULL },
		{ "rise = 2; fall = 3", "rise = 3; fall = 4", "checks/web", "checks:web", NULL },
		/* the same key in another file; one that came by the change is not yet its own */
		{ "hash.key", "other.key", "cluster/hash_key_file", "pools:*",
		  "cluster/hash_key_file" },
		{ "{ name = \"ams\"; weight",
		  "{ name = \"ams\"; labels = { region = \"north\"; }; weight", "sites/ams",
		  "label:region=north", "sites/ams" },
		{ "{ name = \"ams\"; weight",
		  "{ name = \"ams\"; labels = { region = \"north\"; }; weight", "sites/ams",
		  "sites:ams", NULL },
	};

	(void)state;
	fixture_write(place.conf, "other.key", "00112233445566778899aabbccddeeff\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct model *a = model_with(NULL, NULL), *b = model_with(rows[i].from, rows[i].to);
		struct change_plan plan;
		char seen[512] = "";

		print_message("%s\n", rows[i].to);
		assert_int_equal(plan_compare(a, b, &plan), 0);
		list_touched(a, b, &plan, seen);
		assert_string_equal(seen, rows[i].touched);
		json_t *outside = scope_list_outside(rows[i].scope, a, b, &plan);
		assert_int_equal(json_array_size(outside), rows[i].outside ? 1 : 0);
		if (rows[i].outside)
			assert_string_equal(json_string_value(json_array_get(outside, 0)),
			                    rows[i].outside);
		json_decref(outside);
		plan_fini(&plan);
		model_free(a);
		model_free(b);
	}
}

/* Where there was nothing, all is new, and so is the hash key, which is in no object. */
static void a_first_version_is_in_no_scope(void **state)
{
	static const char all[] =
	        "pools:*,sites:*,nodes:*,checks:*,vips:*,services:*,dns/names:*,dns/zones:*";
	struct model *m = model_with(NULL, NULL);
	struct change_plan plan;

	(void)state;
	assert_int_equal(plan_compare(NULL, m, &plan), 0);
	json_t *outside = scope_list_outside(all, NULL, m, &plan);
	assert_true(json_array_size(outside) > 1);
	assert_string_equal(json_string_value(json_array_get(outside, 0)), "cluster/hash_key_file");
	json_decref(outside);
	outside = scope_list_outside("", NULL, m, &plan);
	assert_true(json_array_size(outside) > 10);
	json_decref(outside);
	plan_fini(&plan);
	model_free(m);
}

static void a_scope_names_kinds_and_names(void **state)
{
	static const struct {
		const char *scope, *path;
		bool has;
	} rows[] = {
		{ "pools:web-ams", "pools/web-ams", true },
		{ "pools:web-ams", "pools/web-ams/backends/b1", true },
		{ "pools:web-ams", "pools/web-ams2", false },
		{ "pools:web-ams", "pools/web", false },
		{ "pools:web-*", "pools/web-", true },
		{ "pools:web-*", "pools/web", false },
		{ "pools:*", "pools/x", true },
		{ "pools:*", "vips/x", false },
		{ "services:web", "services/web/at/ams", true },
		{ "sites:ams", "services/web/at/ams", false },
		{ "dns/names:WWW.shop.example", "dns/names/www.shop.example", true },
		{ "dns/names:*", "dns/zones/shop.example", false },
		{ "checks:a,pools:b,vips:c", "pools/b", true },
		{ "checks:a,pools:b,vips:c", "vips/b", false },
		{ "label:region=north", "sites/ams", false }, /* it has none */
		{ "", "pools/web-ams", false },
	};
	struct model *m = model_with(NULL, NULL);
	struct object_path path;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s %s\n", rows[i].scope, rows[i].path);
		assert_null(scope_fault(rows[i].scope));
		assert_int_equal(object_path_read(rows[i].path, NULL, &path), 0);
		assert_int_equal(scope_has(rows[i].scope, m, m, &path), rows[i].has);
		assert_int_equal(scope_has(rows[i].scope, NULL, NULL, &path), rows[i].has);
	}
	model_free(m);
}

SUITE(scope)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_difference_touches_its_objects),
		T(a_first_version_is_in_no_scope),
		T(a_scope_names_kinds_and_names),
	};

	return cmocka_run_group_tests_name("scope", tests, NULL, NULL);
}
