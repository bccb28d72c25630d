/* SPDX-License-Identifier: BSD-2-Clause */
/* What is shown of announcements: what is not known is unknown, and nothing of the page is trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "mgmt/json/announcement.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/proof.h"

#define NOW_MS  1000000u
#define WALL_MS 1700000000000

static char dir[] = "/tmp/weir-announcement.XXXXXX";
static struct addr addresses[3];
static const struct model_vip vips[] = {
	{ .name = "shop", .addresses = &addresses[0], .n_addresses = 2 },
	{ .name = "mail", .addresses = &addresses[2], .n_addresses = 1 },
};
static const struct model_vip *const announced_vips[] = { &vips[0], &vips[1] };
static struct addr dns_address;
static struct model_node node;
static const struct model m = { .nodes = &node, .n_nodes = 1, .self = &node };

static struct announced_page *page;
static struct announced_node said;
static struct announced_address rows[4];
static struct announced_neighbour neighbours[2];
static struct announcements a;
static json_t *shown;

static struct announced_address good_row(const char *vip, const struct addr *address)
{
	struct announced_address row = { .vip = vip ? hash_text(vip) : 0,
		                         .address = *address,
		                         .since_ms = NOW_MS - 5000,
		                         .table = ANNOUNCE_NORMAL,
		                         .exported = 3,
		                         .is_read = 1,
		                         .is_export_read = 1,
		                         .fact = ANNOUNCE_FACT_COUNT };

	memset(row.truth, PROOF_YES, sizeof(row.truth));
	return row;
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(addr_parse("203.0.113.1", &addresses[0]), 0);
	assert_int_equal(addr_parse("2001:db8::1", &addresses[1]), 0);
	assert_int_equal(addr_parse("203.0.113.9", &addresses[2]), 0);
	assert_int_equal(addr_parse("192.0.2.53", &dns_address), 0);
	node = (struct model_node){ .name = "ams-1",
		                    .announce = { .daemon = MODEL_DAEMON_BIRD,
		                                  .table = 177,
		                                  .gshut_table = 178,
		                                  .vips = announced_vips,
		                                  .n_vips = 2,
		                                  .dns = &dns_address,
		                                  .n_dns = 1 } };
	said = (struct announced_node){
		.document = 7, .daemon = "bird", .daemon_state = "answers", .version = "BIRD 2.0.12"
	};
	for (int i = 0; i < 2; i++) {
		neighbours[i].established = 1;
		snprintf(neighbours[i].name, sizeof(neighbours[i].name), "router%d", i + 1);
	}
	/* not in the order of the addresses: nothing is trusted */
	rows[0] = good_row("mail", &addresses[2]);
	rows[1] = good_row("shop", &addresses[1]);
	rows[2] = good_row(NULL, &dns_address);
	rows[3] = good_row("shop", &addresses[0]);
	snprintf(dir, sizeof(dir), "/tmp/weir-announcement.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(announced_create(dir, &page), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	json_decref(shown);
	shown = NULL;
	announcements_fini(&a);
	announced_close(page);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* Publish at @p alive_ms, and read at NOW_MS. */
static void publish_page(uint64_t alive_ms)
{
	const struct announcement_filter filter = { .wall_clock_ms = WALL_MS };

	json_decref(shown);
	announcements_fini(&a);
	announced_publish(page, &said, rows, 4, neighbours, 2, alive_ms);
	assert_int_equal(announcements_read(dir, &m, NOW_MS, &a), 0);
	shown = announcements_to_json(&a, &filter);
	assert_non_null(shown);
}

static const json_t *item_at(size_t i)
{
	return json_array_get(json_object_get(shown, "items"), i);
}

static void expect_text(size_t i, const char *name, const char *expected)
{
	const char *text = json_string_value(json_object_get(item_at(i), name));

	if (!text || strcmp(text, expected) != 0)
		fail_msg("item %zu: %s is %s, not %s", i, name, text ? text : "(none)", expected);
}

/* What is known of nothing. */
static void expect_unknown(size_t i)
{
	expect_text(i, "intended", "unknown");
	expect_text(i, "proved", "unknown");
	expect_text(i, "exported", "unknown");
	expect_text(i, "reason", "unknown");
	assert_true(json_is_null(json_object_get(item_at(i), "exported_to")));
	assert_true(json_is_null(json_object_get(item_at(i), "since")));
}

static size_t count_in(size_t i, const char *name)
{
	return json_array_size(json_object_get(item_at(i), name));
}

static json_int_t count_of(const char *name)
{
	return json_integer_value(json_object_get(json_object_get(shown, "counts"), name));
}

static void a_node_without_a_daemon_announces_nothing(void **state)
{
	const struct model no_self = { .n_nodes = 0 };

	(void)state;
	assert_true(announcements_apply(&m));
	node.announce.daemon = MODEL_DAEMON_NONE;
	assert_false(announcements_apply(&m));
	assert_false(announcements_apply(&no_self));
	assert_false(announcements_apply(NULL));
}

static void each_configured_address_is_shown(void **state)
{
	static const char *const texts[] = { "203.0.113.1", "2001:db8::1", "203.0.113.9",
		                             "192.0.2.53" };

	(void)state;
	publish_page(NOW_MS - 500);
	assert_int_equal(json_array_size(json_object_get(shown, "items")), 4);
	for (size_t i = 0; i < 4; i++) {
		expect_text(i, "address", texts[i]);
		expect_text(i, "intended", "normal");
		expect_text(i, "proved", "yes");
		expect_text(i, "exported", "yes");
		expect_text(i, "reason", "announced");
		expect_text(i, "since", "2023-11-14T22:13:15.000Z");
		assert_int_equal(count_in(i, "exported_to"), 2);
		assert_int_equal(count_in(i, "needs"), 0);
	}
	expect_text(0, "vip", "shop");
	assert_true(json_is_null(json_object_get(item_at(3), "vip")));
	assert_int_equal(count_of("all"), 4);
	assert_int_equal(count_of("normal"), 4);
	assert_int_equal(count_of("standing_out"), 0);
}

static void times_of_a_row_are_each_shown_as_they_are(void **state)
{
	(void)state;
	rows[3].differs_ms = NOW_MS - 2000;
	rows[3].held_ms = 700;
	publish_page(NOW_MS);
	expect_text(0, "since", "2023-11-14T22:13:15.000Z");
	expect_text(0, "differs_since", "2023-11-14T22:13:18.000Z");
	assert_int_equal(json_integer_value(json_object_get(item_at(0), "held_ms")), 700);
	assert_true(json_is_null(json_object_get(item_at(1), "differs_since")));
}

static void without_a_page_that_counts_all_is_unknown(void **state)
{
	(void)state;
	publish_page(NOW_MS - 3001); /* too old */
	for (size_t i = 0; i < 4; i++)
		expect_unknown(i);
	assert_int_equal(count_of("unknown"), 4);
	assert_int_equal(count_of("standing_out"), 4);
	assert_true(json_is_null(json_object_get(shown, "document")));
	publish_page(NOW_MS - 3000);
	expect_text(0, "intended", "normal");
	announced_close(page);
	page = NULL;
	char path[128];
	snprintf(path, sizeof(path), "%s/" ANNOUNCED_PAGE_FILE, dir);
	assert_int_equal(unlink(path), 0);
	announcements_fini(&a);
	assert_int_equal(announcements_read(dir, &m, NOW_MS, &a), 0);
	assert_false(a.is_known);
	for (size_t i = 0; i < a.n; i++)
		assert_null(a.items[i].shown);
}

static void only_established_neighbours_get_an_address(void **state)
{
	(void)state;
	neighbours[0].established = 0;
	publish_page(NOW_MS);
	assert_int_equal(count_in(0, "exported_to"), 1);
	assert_string_equal(
	        json_string_value(json_array_get(json_object_get(item_at(0), "exported_to"), 0)),
	        "router2");
	expect_text(0, "exported", "yes");
	neighbours[1].established = 0;
	publish_page(NOW_MS);
	expect_text(0, "exported", "no");
	assert_int_equal(count_of("standing_out"), 4);
}

static void what_the_daemon_did_not_say_is_unknown(void **state)
{
	(void)state;
	rows[3].is_read = 0;
	publish_page(NOW_MS);
	expect_text(0, "exported", "unknown");
	expect_text(1, "exported", "yes");
	assert_int_equal(count_of("standing_out"), 1);
	rows[3].is_read = 1;
	rows[3].exported = rows[3].is_export_read = 0;
	publish_page(NOW_MS);
	expect_text(0, "exported", "unknown");
	rows[3].is_export_read = 1;
	publish_page(NOW_MS);
	expect_text(0, "exported", "no");
	snprintf(said.daemon_state, sizeof(said.daemon_state), "silent");
	publish_page(NOW_MS);
	expect_text(1, "exported", "unknown");
	expect_text(1, "intended", "normal");
	const json_t *routing = json_object_get(shown, "daemon");
	const json_t *first = json_array_get(json_object_get(routing, "neighbours"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "session")), "unknown");
}

static void the_row_of_another_vip_says_nothing(void **state)
{
	(void)state;
	rows[3].vip = hash_text("other");
	publish_page(NOW_MS);
	expect_unknown(0);
	expect_text(1, "intended", "normal");
}

static void what_is_not_proved_is_needed(void **state)
{
	(void)state;
	rows[3].truth[ANNOUNCE_FACT_POOLS] = PROOF_UNKNOWN;
	rows[3].reason = ANNOUNCE_REASON_KEPT_UNPROVED;
	publish_page(NOW_MS);
	expect_text(0, "proved", "unknown");
	assert_int_equal(count_in(0, "needs"), 1);
	rows[3].reason = ANNOUNCE_REASON_ANNOUNCED; /* the fact is not needed */
	publish_page(NOW_MS);
	expect_text(0, "proved", "yes");
	assert_int_equal(count_in(0, "needs"), 0);
	rows[3].truth[ANNOUNCE_FACT_PROBE] = PROOF_NO;
	rows[3].reason = ANNOUNCE_REASON_PROBE_REFUSED;
	rows[3].table = ANNOUNCE_NONE;
	rows[3].held_ms = 24000;
	publish_page(NOW_MS);
	expect_text(0, "proved", "no");
	expect_text(0, "intended", "none");
	expect_text(0, "reason", "probe-refused");
	assert_int_equal(json_integer_value(json_object_get(item_at(0), "held_ms")), 24000);
	assert_int_equal(count_in(0, "needs"), 2);
	const json_t *need = json_array_get(json_object_get(item_at(0), "needs"), 1);
	assert_string_equal(json_string_value(json_object_get(need, "fact")), "probe-packet");
	assert_string_equal(json_string_value(json_object_get(need, "state")), "no");
	assert_int_equal(count_of("none"), 1);
}

static void values_that_mean_nothing_are_unknown(void **state)
{
	(void)state;
	rows[3].table = 9;
	rows[3].reason = 200;
	rows[3].since_ms = UINT64_MAX;
	memset(rows[3].truth, 77, sizeof(rows[3].truth));
	memset(neighbours[0].name, 0xff, sizeof(neighbours[0].name));
	publish_page(NOW_MS);
	expect_text(0, "intended", "unknown");
	expect_text(0, "reason", "unknown");
	expect_text(0, "proved", "unknown");
	assert_true(json_is_null(json_object_get(item_at(0), "since")));
	assert_int_equal(count_of("unknown"), 1);
}

static void before_the_kernel_is_read_nothing_is_intended(void **state)
{
	(void)state;
	rows[3].table = ANNOUNCE_NONE;
	rows[3].reason = ANNOUNCE_REASON_UNREAD;
	publish_page(NOW_MS);
	expect_text(0, "intended", "unknown");
	expect_text(0, "reason", "unread");
	assert_int_equal(count_of("unknown"), 1);
	assert_int_equal(count_of("none"), 0);
}

static void a_limit_shows_what_stands_out_first(void **state)
{
	struct announcement_filter filter = { .wall_clock_ms = WALL_MS, .limit = 2 };

	(void)state;
	rows[0].reason = ANNOUNCE_REASON_KEPT_UNPROVED; /* of mail, the third */
	publish_page(NOW_MS);
	json_decref(shown);
	shown = announcements_to_json(&a, &filter);
	assert_int_equal(json_array_size(json_object_get(shown, "items")), 2);
	expect_text(0, "address", "203.0.113.9");
	expect_text(1, "address", "203.0.113.1");
	assert_int_equal(count_of("all"), 4);
	filter = (struct announcement_filter){ .vip = "mail", .limit = 2 };
	json_decref(shown);
	shown = announcements_to_json(&a, &filter);
	assert_int_equal(json_array_size(json_object_get(shown, "items")), 1);
	assert_int_equal(count_of("all"), 1);
}

SUITE(announcement)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_node_without_a_daemon_announces_nothing),
		T(each_configured_address_is_shown),
		T(times_of_a_row_are_each_shown_as_they_are),
		T(without_a_page_that_counts_all_is_unknown),
		T(only_established_neighbours_get_an_address),
		T(what_the_daemon_did_not_say_is_unknown),
		T(the_row_of_another_vip_says_nothing),
		T(what_is_not_proved_is_needed),
		T(values_that_mean_nothing_are_unknown),
		T(before_the_kernel_is_read_nothing_is_intended),
		T(a_limit_shows_what_stands_out_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
