/* SPDX-License-Identifier: BSD-2-Clause */
/* Warnings of backends that this node's routes do not lead to, with the routes of a real kernel. */
#include "fixture.h"

#include <jansson.h>

#include "mgmt/api/change/route_warnings.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct core core;

/* What is warned of @p n backends, this node being ams-1 of ams. */
static json_t *warn_of(const struct advice_backend *backends, size_t n)
{
	const struct advice_node nodes[] = { { "fra", "fra-1" }, { "ams", "ams-1" } };
	const struct advice advice = {
		.nodes = nodes, .n_nodes = 2, .backends = backends, .n_backends = n
	};
	json_t *warnings = json_array();

	snprintf(core.dirs.node, sizeof(core.dirs.node), "ams-1");
	route_warnings_add(&core, &advice, warnings);
	return warnings;
}

static struct advice_backend make_backend(const char *site, const char *address, bool l2)
{
	struct advice_backend w = { .site = site, .pool = "web", .backend = "b", .l2 = l2 };

	assert_int_equal(addr_parse(address, &w.address), 0);
	return w;
}

static void each_way_is_judged_by_its_mode(void **state)
{
	static const struct {
		const char *site, *address;
		bool l2;
		const char *text; /* NULL: no warning */
	} cases[] = {
		{ "ams", "10.1.0.5", true, NULL },
		{ "ams", "10.1.0.5", false, NULL },
		{ "ams", "10.2.0.9", false, NULL },
		{ "ams", "10.2.0.9", true,
		  "mode l2 reaches only backends on a link of the node, and 10.2.0.9 is behind" },
		{ "ams", "10.3.0.9", false, "the route of this node to 10.3.0.9 says unreachable" },
		{ "ams", "10.4.0.9", false, "says unreachable, blackhole or prohibit" },
		{ "ams", "10.5.0.9", true, "says unreachable, blackhole or prohibit" },
		{ "ams", "172.16.0.1", false, NULL }, /* none at all: it may come */
		{ "fra", "10.3.0.9", false,
		  NULL }, /* another site's are not this node's to reach */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct advice_backend w =
		        make_backend(cases[i].site, cases[i].address, cases[i].l2);
		json_t *warnings = warn_of(&w, 1);
		const char *text = json_string_value(json_array_get(warnings, 0));

		if (!text != !cases[i].text || (text && !strstr(text, cases[i].text)))
			fail_msg("%s: %s", cases[i].address, text ? text : "no warning");
		json_decref(warnings);
	}
}

static void of_many_some_are_named_and_the_rest_counted(void **state)
{
	struct advice_backend backends[11];
	json_t *warnings;

	(void)state;
	for (size_t i = 0; i < COUNT(backends); i++)
		backends[i] = make_backend("ams", "10.3.0.9", false);
	warnings = warn_of(backends, 8);
	assert_int_equal(json_array_size(warnings), 8);
	json_decref(warnings);
	warnings = warn_of(backends, COUNT(backends));
	assert_int_equal(json_array_size(warnings), 9);
	assert_string_equal(json_string_value(json_array_get(warnings, 8)),
	                    "3 more backends have the same problem");
	json_decref(warnings);
}

SUITE(route_warnings)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_is_judged_by_its_mode),
		cmocka_unit_test(of_many_some_are_named_and_the_rest_counted),
	};

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	space_run("ip addr add 10.1.0.2/24 dev v0 && ip route add 10.2.0.0/16 via 10.1.0.1 && "
	          "ip route add unreachable 10.3.0.0/16 && ip route add blackhole 10.4.0.0/16 && "
	          "ip route add prohibit 10.5.0.0/16");
	return cmocka_run_group_tests_name("backends", tests, NULL, NULL);
}
