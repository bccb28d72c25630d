/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node tells of the VIPs that it should announce: those that are not, by the real page of weir-announce. */
#include "this_node.h"
#include "whole_json.h"

#include "base/hash.h"
#include "mgmt/controller/operation_measure.h"
#include "tests/unit/suite.h"
#include "weir/announce.h"

static struct announced_page *page;

/* A node in whose file ams-1 has @p announce. */
static void open_with(const char *announce)
{
	char text[256];

	node_make();
	snprintf(text, sizeof(text), "%sdriver = \"auto\"", announce);
	node_configure("driver = \"auto\"", text);
	node_open(NOW_MS);
	assert_int_equal(announced_create(this_node.dirs.run, &page), 0);
}

static void close_all(void)
{
	announced_close(page);
	(void)node_teardown(NULL);
}

static void tell_address(struct announced_address address, uint64_t age_ms)
{
	static const struct announced_neighbour router = { .name = "r", .established = 1 };
	static const struct announced_node node = { .daemon_state = "answers" };

	address.vip = hash_text("shop-ams");
	assert_int_equal(addr_parse("203.0.113.10", &address.address), 0);
	announced_publish(page, &node, &address, 1, &router, 1, clock_mono_ms() - age_ms);
}

#define DAEMON "announce = { daemon = \"bird\"; vips = [ \"shop-ams\" ]; }; "
#define EXPORTED                                                                                   \
	{                                                                                          \
		.table = ANNOUNCE_NORMAL, .in_kernel = 1 << ANNOUNCE_NORMAL, .exported = 1,        \
		.is_read = 1, .is_export_read = 1                                                  \
	}
#define MEASURED(more)                                                                             \
	"{'node':'ams-1','cluster':'shop','announce':'unknown','flows':null,'drills':[]" more "}"

static void who_announces_says_what_is_not(void **state)
{
	static const struct {
		const char *why, *announce, *expected;
		struct announced_address address;
		uint64_t age_ms;
	} rows[] = {
		{ "a neighbour gets it", DAEMON, MEASURED(",'unannounced':{}"), EXPORTED, 0 },
		{ "none gets it",
		  DAEMON,
		  MEASURED(",'unannounced':{'shop-ams':'no'}"),
		  { .table = ANNOUNCE_NORMAL,
		    .in_kernel = 1 << ANNOUNCE_NORMAL,
		    .is_read = 1,
		    .is_export_read = 1 },
		  0 },
		{ "who gets it is not known",
		  DAEMON,
		  MEASURED(",'unannounced':{'shop-ams':'unknown'}"),
		  { .table = ANNOUNCE_NORMAL, .in_kernel = 1 << ANNOUNCE_NORMAL },
		  0 },
		{ "it is withdrawn",
		  DAEMON,
		  MEASURED(",'unannounced':{'shop-ams':'no'}"),
		  { .table = ANNOUNCE_NONE, .is_read = 1, .is_export_read = 1 },
		  0 },
		{ "weir-announce is silent", DAEMON, MEASURED(""), EXPORTED, 60000 },
		{ "a node without a routing daemon announces by other means", "", MEASURED(""),
		  EXPORTED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_with(rows[i].announce);
		tell_address(rows[i].address, rows[i].age_ms);
		expect_whole(rows[i].why, operation_measure_json(&this_node, NULL),
		             rows[i].expected);
		close_all();
	}
}

#define SAID ",'announcements':{'203.0.113.10':{'intended':'normal','exported':'yes'}}"

/* There may be thousands of addresses. */
static void what_is_announced_is_said_to_whoever_asks_for_its_site(void **state)
{
	static const struct {
		const char *announced_at, *announce, *expected;
	} rows[] = {
		{ NULL, DAEMON, MEASURED(",'unannounced':{}") },
		{ "ams", DAEMON, MEASURED(",'unannounced':{}" SAID) },
		{ "", DAEMON, MEASURED(",'unannounced':{}" SAID) },
		{ "fra", DAEMON, MEASURED(",'unannounced':{}") },
		{ "ams", "", MEASURED("") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_with(rows[i].announce);
		tell_address((struct announced_address)EXPORTED, 0);
		expect_whole(rows[i].announced_at ? rows[i].announced_at : "nobody asks",
		             operation_measure_json(&this_node, rows[i].announced_at),
		             rows[i].expected);
		close_all();
	}
}

SUITE(operation_unannounced)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_announces_says_what_is_not),
		cmocka_unit_test(what_is_announced_is_said_to_whoever_asks_for_its_site),
	};

	return cmocka_run_group_tests_name("operation unannounced", tests, NULL, NULL);
}
