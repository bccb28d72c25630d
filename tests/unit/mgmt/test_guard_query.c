/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes say that they announce, as the guard of a node's drain sees it: only what is said for
 * certain, of each address of a VIP, counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* The private parts. */
#include "mgmt/api/guard_query.c"
#undef LATE_MS
#include "mgmt/api/guard_facts.c"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct addr addresses[3];
static const struct model_site ams = { .name = "ams" };
static const struct model_site *const sites[] = { &ams };
static const struct model_vip vips[2] = {
	{ .name = "web", .sites = sites, .n_sites = 1, .addresses = addresses, .n_addresses = 2 },
	{ .name = "mail",
	  .sites = sites,
	  .n_sites = 1,
	  .addresses = &addresses[2],
	  .n_addresses = 1 },
};
static const struct model_node node = { .name = "ams-2",
	                                .site = &ams,
	                                .announce = { .daemon = MODEL_DAEMON_BIRD } };
static const struct model m = { .cluster = "shop", .vips = vips, .n_vips = 2 };

static int setup(void **state)
{
	(void)state;
	return addr_parse("203.0.113.10", &addresses[0]) ||
	       addr_parse("2001:db8::10", &addresses[1]) ||
	       addr_parse("203.0.113.25", &addresses[2]);
}

#define SAYS(age, list)                                                                            \
	"{\"node\": \"ams-2\", \"cluster\": \"shop\", \"answers\": [], \"age_ms\": " age           \
	", \"addresses\": " list "}"
#define WEB4  "\"203.0.113.10\": \"announced\""
#define WEB6  "\"2001:db8::10\": \"announced\""
#define MAIL4 "\"203.0.113.25\": \"announced\""

static void a_vip_is_announced_with_all_its_addresses(void **state)
{
	static const struct {
		const char *answer;
		bool known, web, mail;
	} cases[] = {
		{ SAYS("5", "{" WEB4 "," WEB6 "," MAIL4 "}"), true, true, true },
		{ SAYS("5", "{" WEB4 "," MAIL4 "}"), true, false, true },
		{ SAYS("5", "{}"), true, false, false },
		{ SAYS("2000", "{}"), true, false, false },
		{ SAYS("2001", "{" WEB4 "," WEB6 "}"), false, false, false },
		{ SAYS("-1", "{}"), false, false, false },
		{ SAYS("null", "{}"), false, false, false },
		{ SAYS("5", "[]"), false, false, false },
		{ SAYS("5", "{" WEB4 ", \"2001:db8::10\": \"unsure\"}"), false, false, false },
		{ SAYS("5", "{" WEB4 ", \"2001:db8::10\": 1}"), false, false, false },
		{ "{\"node\": \"ams-3\", \"cluster\": \"shop\", \"age_ms\": 5, \"addresses\": {}}",
		  false, false, false },
		{ "{\"node\": \"ams-2\", \"cluster\": \"x\", \"age_ms\": 5, \"addresses\": {}}",
		  false, false, false },
		{ "[]", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *answer = json_loads(cases[i].answer, 0, NULL);
		uint64_t web = hash_text("web"), mail = hash_text("mail");
		struct guard_said said = { .n_vips = 0 };

		print_message("  %s\n", cases[i].answer);
		assert_non_null(answer);
		assert_int_equal(read_said(&m, &node, answer, &said), cases[i].known);
		assert_int_equal(said.n_vips, cases[i].web + cases[i].mail);
		for (size_t k = 0; k < said.n_vips; k++)
			assert_true((said.vips[k] == web && cases[i].web) ||
			            (said.vips[k] == mail && cases[i].mail));
		guard_query_free(&said, 1);
		json_decref(answer);
	}
}

/* The same of this node, from its announce page. */
static void of_this_node_the_page_says_it(void **state)
{
	const uint8_t shown = 1u << ANNOUNCE_NORMAL;
	struct announced_address rows[] = {
		{ .vip = 9, .table = ANNOUNCE_NORMAL, .imported = shown },
		{ .vip = 5, .table = ANNOUNCE_NORMAL, .imported = shown },
		{ .vip = 0, .table = ANNOUNCE_NORMAL, .imported = shown }, /* DNS */
		{ .vip = 9, .table = ANNOUNCE_NORMAL, .imported = shown },
		{ .vip = 5, .table = ANNOUNCE_SHUTDOWN, .imported = shown },
		{ .vip = 7, .table = ANNOUNCE_NORMAL, .imported = 0 },
		{ .vip = 3, .table = ANNOUNCE_NORMAL, .imported = shown },
	};
	uint64_t list[COUNT(rows)];

	(void)state;
	assert_int_equal(list_vips(rows, COUNT(rows), list), 2);
	assert_int_equal(list[0], 3);
	assert_int_equal(list[1], 9);
	assert_int_equal(list_vips(rows, 0, list), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vip_is_announced_with_all_its_addresses),
		cmocka_unit_test(of_this_node_the_page_says_it),
	};

	return cmocka_run_group_tests_name("guard query", tests, setup, NULL);
}
