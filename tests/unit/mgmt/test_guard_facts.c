/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes say that they announce, as the guard of a node's drain sees it: only what is said for
 * certain, of each address of a VIP, counts.
 */
#include "tests/unit/suite.h"
#include "this_node.h"

#include "measured_page.h"
#include "mgmt/controller/guard_facts.h"
#include "mgmt/peers/announce_words.h"
#include "mgmt/sync/operations_list.h"
#include "weir/announce.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct addr addresses[3], dns[1];
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
static const struct model_node node = {
	.name = "ams-2",
	.site = &ams,
	.announce = { .daemon = MODEL_DAEMON_BIRD, .dns = dns, .n_dns = 1 }
};
static const struct model m = { .cluster = "shop", .vips = vips, .n_vips = 2 };

static int setup(void **state)
{
	(void)state;
	return addr_parse("192.0.2.53", &dns[0]) || addr_parse("203.0.113.10", &addresses[0]) ||
	       addr_parse("2001:db8::10", &addresses[1]) ||
	       addr_parse("203.0.113.25", &addresses[2]);
}

#define SAYS(age, list)                                                                            \
	"{\"node\": \"ams-2\", \"cluster\": \"shop\", \"waited_ms\": 0, \"nodes\": {\"ams-2\": ["  \
	"null, null, null, " age ", {\"announced\": [\"00000000000000aa\", " list "]}]}}"
#define WEB4  "\"203.0.113.10\": \"announced\""
#define WEB6  "\"2001:db8::10\": \"announced\""
#define MAIL4 "\"203.0.113.25\": \"announced\""
#define NS    "\"192.0.2.53\": \"announced\""

static void expect_rising(const struct guard_said *said)
{
	for (size_t i = 1; i < said->n; i++)
		assert_true(said->words[i - 1].key < said->words[i].key);
}

static size_t count_said(const struct guard_said *s, enum guard_announced said)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->words[i].said == said;
	return n;
}

static void a_vip_is_announced_with_all_its_addresses(void **state)
{
	enum { NO = GUARD_NOT_ANNOUNCED, MAYBE = GUARD_ANNOUNCED_UNKNOWN, YES = GUARD_ANNOUNCED };
	static const struct {
		const char *answer;
		bool known;
		int web, mail, dns;
	} cases[] = {
		{ SAYS("5", "{" WEB4 "," WEB6 "," MAIL4 "," NS "}"), true, YES, YES, YES },
		{ SAYS("5", "{" WEB4 "," MAIL4 "}"), true, NO, YES, NO },
		{ SAYS("5", "{}"), true, NO, NO, NO },
		{ SAYS("2000", "{}"), true, NO, NO, NO },
		{ SAYS("2001", "{" WEB4 "," WEB6 "}"), false, 0, 0, 0 },
		{ SAYS("-1", "{}"), false, 0, 0, 0 },
		{ SAYS("null", "{}"), false, 0, 0, 0 },
		{ SAYS("5", "[]"), false, 0, 0, 0 },
		/* what it is not sure of says nothing of the others */
		{ SAYS("5", "{" WEB4 ", \"2001:db8::10\": \"unsure\"," MAIL4 "}"), true, MAYBE, YES,
		  NO },
		{ SAYS("5", "{\"2001:db8::10\": \"unsure\"}"), true, NO, NO, NO },
		{ SAYS("5", "{" WEB4 ", \"2001:db8::10\": 1, \"192.0.2.53\": \"unsure\"}"), true,
		  MAYBE, NO, MAYBE },
		{ "{\"node\": \"ams-3\", \"cluster\": \"shop\", \"waited_ms\": 0, \"nodes\": {}}",
		  false, 0, 0, 0 },
		{ "{\"node\": \"ams-2\", \"cluster\": \"x\", \"waited_ms\": 0, \"nodes\": {}}",
		  false, 0, 0, 0 },
		{ "{\"node\": \"ams-2\", \"cluster\": \"shop\", \"waited_ms\": 0, \"nodes\": {}}",
		  false, 0, 0, 0 },
		/* it speaks for itself alone */
		{ "{\"node\": \"ams-2\", \"cluster\": \"shop\", \"waited_ms\": 0, \"nodes\": {\"ams-3\": ["
		  "null, null, null, 5, {\"announced\": [\"00000000000000aa\", {" WEB4 "," WEB6
		  "}]}]}}",
		  false, 0, 0, 0 },
		{ "{\"node\": \"ams-2\", \"cluster\": \"shop\", \"waited_ms\": 0, \"nodes\": {\"ams-2\": ["
		  "null, null, 5, {\"health\": [\"00000000000000aa\", {" WEB4 "," WEB6 "}]}]}}",
		  false, 0, 0, 0 },
		{ "{\"node\": \"ams-2\", \"cluster\": \"shop\", \"waited_ms\": 0, \"nodes\": {\"ams-2\": "
		  "[null, null, null, 5]}}",
		  false, 0, 0, 0 },
		{ "[]", false, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *answer = json_loads(cases[i].answer, 0, NULL);
		struct guard_said said = { .n = 0 };

		print_message("  %s\n", cases[i].answer);
		assert_non_null(answer);
		assert_int_equal(announce_words_read(answer, &m, &node, &said), cases[i].known);
		assert_int_equal(guard_said_of(&said, hash_text("web")), cases[i].web);
		assert_int_equal(guard_said_of(&said, hash_text("mail")), cases[i].mail);
		assert_int_equal(guard_said_of(&said, guard_dns_key(&dns[0])), cases[i].dns);
		expect_rising(&said);
		guard_said_fini(&said);
		json_decref(answer);
	}
}

/* The same of this node, from its announce page. */
static void of_this_node_the_page_says_it(void **state)
{
	const struct announced_address good = { .table = ANNOUNCE_NORMAL,
		                                .in_kernel = 1u << ANNOUNCE_NORMAL,
		                                .exported = 1,
		                                .is_export_read = 1 };
	static const uint64_t keys[] = { 9, 5, 0, 9, 5, 7, 3, 0, 4 };
	const struct announced_node whole = { .document = 1 };
	struct announced_address rows[COUNT(keys)];
	struct announced_page *page;
	struct guard_said said;

	(void)node_setup(state);
	for (size_t i = 0; i < COUNT(rows); i++) {
		rows[i] = good;
		rows[i].vip = keys[i];
	}
	rows[2].address = dns[0];
	rows[4].table = ANNOUNCE_SHUTDOWN;
	rows[5].exported = 0;
	rows[7].address = addresses[0];
	rows[7].exported = rows[7].is_export_read = 0;
	rows[8].in_kernel = 0;
	assert_int_equal(guard_facts_own(&this_node, &said), 0);
	assert_null(said.words); /* no weir-announce was here */
	assert_int_equal(announced_create(node_place.root, &page), 0);
	announced_publish(page, &whole, rows, COUNT(rows), NULL, 0, clock_mono_ms());
	assert_int_equal(guard_facts_own(&this_node, &said), 0);
	assert_int_equal(count_said(&said, GUARD_ANNOUNCED), 3);
	assert_int_equal(count_said(&said, GUARD_ANNOUNCED_UNKNOWN), 1);
	assert_int_equal(guard_said_of(&said, 3), GUARD_ANNOUNCED);
	assert_int_equal(guard_said_of(&said, 9), GUARD_ANNOUNCED);
	assert_int_equal(guard_said_of(&said, guard_dns_key(&dns[0])), GUARD_ANNOUNCED);
	assert_int_equal(guard_said_of(&said, guard_dns_key(&addresses[0])),
	                 GUARD_ANNOUNCED_UNKNOWN);
	expect_rising(&said);
	guard_said_fini(&said);
	announced_publish(page, &whole, NULL, 0, NULL, 0, clock_mono_ms());
	assert_int_equal(guard_facts_own(&this_node, &said), 0);
	assert_true(said.words && !said.n);
	guard_said_fini(&said);
	announced_publish(page, &whole, rows, COUNT(rows), NULL, 0, clock_mono_ms() - 5000);
	assert_int_equal(guard_facts_own(&this_node, &said), 0);
	assert_null(said.words); /* what is old */
	announced_close(page);
	(void)node_teardown(state);
}

/* All nodes would be asked, while a person waits. */
static void flows_are_asked_for_where_a_site_states_what_it_can_take(void **state)
{
	static const char capacity[] = " capacity = { new_flows = \"1k/s\"; };";
	static const char *const stated_by[] = { "", "\"ams\"; weight = 100;",
		                                 "\"fra\"; weight = 100;" };

	(void)state;
	for (size_t i = 0; i < COUNT(stated_by); i++) {
		struct guard_facts facts = { .n_flows = 0 };
		struct page *page;

		node_make();
		node_configure(capacity, "");
		if (i) { /* one is enough, whichever it is */
			char with[128];

			snprintf(with, sizeof(with), "%s%s", stated_by[i], capacity);
			node_configure(stated_by[i], with);
		}
		node_open(NOW_MS);
		this_node.operations = calloc(1, sizeof(*this_node.operations));
		(void)measured_page_web(node_place.root, 10000, &page);
		page_close(page);
		guard_facts_query_flows(&this_node, &facts);
		assert_int_equal(facts.n_flows, i ? 2 : 0);
		for (size_t k = 0; i && k < 2; k++) {
			assert_string_equal(facts.flows[k].site, k ? "fra" : "ams");
			assert_int_equal(facts.flows[k].per_s, k ? 0 : 10000);
			assert_int_equal(facts.flows[k].is_part, k);
		}
		free(this_node.operations);
		(void)node_teardown(state);
	}
}

/* A page that nobody writes any more says less. */
static void a_health_page_says_whether_it_is_fresh(void **state)
{
	static struct guard_facts facts;
	struct observe_pages pages = { 0 };

	(void)node_setup(state);
	for (int is_fresh = 0; is_fresh < 2; is_fresh++) {
		pages.health_fresh = is_fresh;
		assert_int_equal(guard_facts_gather(&this_node, &pages, NULL, &facts), 0);
		assert_int_equal(facts.observed.health_stale, !is_fresh);
	}
	(void)node_teardown(state);
}

SUITE(guard_facts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vip_is_announced_with_all_its_addresses),
		cmocka_unit_test(of_this_node_the_page_says_it),
		cmocka_unit_test(a_health_page_says_whether_it_is_fresh),
		cmocka_unit_test(flows_are_asked_for_where_a_site_states_what_it_can_take),
	};

	return cmocka_run_group_tests_name("guard facts", tests, setup, NULL);
}
