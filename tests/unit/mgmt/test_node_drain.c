/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drain of this node as it is watched: rates, when the packets have left, what the routers made
 * of graceful shutdown, and the node's state in a word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/suite.h"
#include "whole_json.h"

#include "mgmt/observe/node_drain.h"
#include "weir/announce.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct node_drain_routes
        normal = { .known = true, .n = 4, .n_normal = 4, .n_neighbours = 1 },
        in_shutdown = { .known = true, .n = 4, .n_shutdown = 4, .n_neighbours = 1 },
        gone = { .known = true, .n = 4, .n_commanded = 4, .n_neighbours = 1 };

struct scene {
	struct node_drain d;
	uint64_t now_ms, packets;
};

/* Half a second at a rate. */
static void pass_half_second(struct scene *s, enum model_node_drain asked,
                             const struct node_drain_routes *routes, uint64_t per_s)
{
	s->now_ms += 500;
	s->packets += per_s / 2;
	node_drain_note(&s->d, asked, routes, &s->packets, s->now_ms);
}

static void pass_seconds(struct scene *s, unsigned seconds, enum model_node_drain asked,
                         const struct node_drain_routes *routes, uint64_t per_s)
{
	for (unsigned i = 0; i < 2 * seconds; i++)
		pass_half_second(s, asked, routes, per_s);
}

static void packets_have_left_below_one_in_a_hundred_of_the_rate_before(void **state)
{
	static const struct {
		uint64_t before, after;
		bool empty;
	} cases[] = {
		{ 10000, 120, false }, { 10000, 98, true }, { 10000, 0, true },
		{ 100, 8, true },      { 100, 20, false },  { 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s = { .now_ms = 100000 };

		pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, cases[i].before);
		assert_false(s.d.empty);
		pass_seconds(&s, 5, MODEL_NODE_DRAINED, &in_shutdown, cases[i].after);
		assert_true(s.d.before_known);
		assert_int_equal(s.d.before_per_s, cases[i].before);
		assert_true(s.d.rate_known);
		assert_int_equal(s.d.empty, cases[i].empty);
	}
}

/* Before the routes are in graceful shutdown, few packets are chance. */
static void nothing_has_left_while_an_address_is_announced(void **state)
{
	struct scene s = { .now_ms = 100000 };

	(void)state;
	pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, 10000);
	pass_seconds(&s, 5, MODEL_NODE_DRAINED, &normal, 0);
	assert_false(s.d.empty);
	assert_int_equal(s.d.shutdown_ms, 0);
	pass_seconds(&s, 1, MODEL_NODE_DRAINED, &in_shutdown, 0);
	assert_false(s.d.empty); /* not long enough to tell */
	pass_seconds(&s, 3, MODEL_NODE_DRAINED, &in_shutdown, 0);
	assert_true(s.d.empty);
	pass_seconds(&s, 1, MODEL_NODE_SERVES, &in_shutdown, 0);
	assert_false(s.d.empty);
}

static void what_is_not_known_is_never_empty(void **state)
{
	struct scene s = { .now_ms = 100000 };
	const struct node_drain_routes unknown = { .known = false };

	(void)state;
	pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, 10000);
	for (int i = 0; i < 20; i++) {
		s.now_ms += 500;
		node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, NULL, s.now_ms);
		assert_false(s.d.empty);
		assert_false(s.d.rate_known);
	}
	pass_seconds(&s, 5, MODEL_NODE_DRAINED, &unknown, 0);
	assert_string_equal(node_drain_state(&s.d), "unknown");
	s.packets = 1; /* weir-dataplane has started again: its counters, too */
	pass_half_second(&s, MODEL_NODE_DRAINED, &in_shutdown, 0);
	pass_half_second(&s, MODEL_NODE_DRAINED, &in_shutdown, 0);
	assert_false(s.d.empty);
}

static void routers_that_leave_have_honoured_graceful_shutdown(void **state)
{
	static const struct {
		const char *why;
		uint64_t before, after;
		uint32_t n_neighbours, n_unconfirmed;
		enum node_drain_honoured honoured;
	} cases[] = {
		{ "the packets left", 10000, 0, 2, 0, NODE_DRAIN_HONOURED },
		{ "the only neighbour sends on", 10000, 5000, 1, 0, NODE_DRAIN_NOT_HONOURED },
		{ "one of several sends on", 10000, 5000, 2, 0, NODE_DRAIN_UNKNOWN },
		{ "it has no other node to send to", 10000, 5000, 1, 4, NODE_DRAIN_UNKNOWN },
		{ "hardly a packet before", 9, 0, 1, 0, NODE_DRAIN_UNKNOWN },
		{ "likewise, and some after", 9, 9, 1, 0, NODE_DRAIN_UNKNOWN },
		{ "as many as count for none", 10, 0, 1, 0, NODE_DRAIN_UNKNOWN },
		{ "a few more", 12, 0, 1, 0, NODE_DRAIN_HONOURED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct scene s = { .now_ms = 100000 };
		struct node_drain_routes routes = in_shutdown;

		routes.n_neighbours = cases[i].n_neighbours;
		pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, cases[i].before);
		pass_seconds(&s, 11, MODEL_NODE_DRAINED, &routes, cases[i].after);
		assert_int_not_equal(s.d.honoured, NODE_DRAIN_NOT_HONOURED);
		pass_seconds(&s, 3, MODEL_NODE_DRAINED, &routes,
		             cases[i].after); /* 15 s: withdrawn */
		routes.n_unconfirmed = cases[i].n_unconfirmed;
		pass_seconds(&s, 1, MODEL_NODE_DRAINED, &routes, cases[i].after);
		print_message("  %s\n", cases[i].why);
		assert_int_equal(s.d.honoured, cases[i].honoured);
		routes.n_shutdown = 1;
		routes.n_commanded = 3;
		pass_seconds(&s, 3, MODEL_NODE_DRAINED, &routes, 0);
		pass_seconds(&s, 3, MODEL_NODE_DRAINED, &gone, 0);
		assert_int_equal(s.d.honoured, cases[i].honoured); /* it stays after the end */
	}
}

/* Nobody knows whether packets still come. */
static void without_a_rate_no_router_is_judged(void **state)
{
	struct scene s = { .now_ms = 100000 };

	(void)state;
	pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, 10000);
	for (int i = 0; i < 40; i++) {
		s.now_ms += 500;
		node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, NULL, s.now_ms);
	}
	assert_int_equal(s.d.honoured, NODE_DRAIN_UNKNOWN);
}

static const char *shown_of(const json_t *shown, size_t i, const char *key)
{
	return json_string_value(
	        json_object_get(json_array_get(json_object_get(shown, "neighbours"), i), key));
}

/* What a neighbour gets ends with the withdrawal, and the report stays. */
static void the_report_names_each_neighbour(void **state)
{
	struct scene s = { .now_ms = 100000 };
	struct node_drain_routes routes = in_shutdown, partly;
	json_t *shown;

	(void)state;
	routes.n_neighbours = 2;
	routes.neighbours[0] = (struct node_drain_neighbour){ "router1_4", true };
	routes.neighbours[1] = (struct node_drain_neighbour){ "router2_4", false };
	partly = routes;
	partly.n_shutdown = partly.n_commanded = 2;
	partly.neighbours[0].has_shutdown = false;
	pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, 10000);
	pass_seconds(&s, 1, MODEL_NODE_DRAINED, &routes, 0);
	shown = node_drain_to_json(&s.d);
	assert_string_equal(shown_of(shown, 0, "graceful_shutdown_honoured"), "not seen");
	json_decref(shown);
	pass_seconds(&s, 4, MODEL_NODE_DRAINED, &routes, 0);
	pass_seconds(&s, 1, MODEL_NODE_DRAINED, &partly, 0);
	pass_seconds(&s, 1, MODEL_NODE_DRAINED, &gone, 0);
	shown = node_drain_to_json(&s.d);
	assert_int_equal(json_array_size(json_object_get(shown, "neighbours")), 2);
	assert_string_equal(shown_of(shown, 0, "name"), "router1_4");
	assert_string_equal(shown_of(shown, 0, "graceful_shutdown_honoured"), "yes");
	assert_string_equal(shown_of(shown, 1, "name"), "router2_4");
	assert_string_equal(shown_of(shown, 1, "graceful_shutdown_honoured"), "not seen");
	json_decref(shown);
	pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, 10000);
	pass_seconds(&s, 1, MODEL_NODE_DRAINED, &normal, 10000);
	assert_int_equal(s.d.n_neighbours, 0); /* of this drain nothing is known yet */
}

static void a_word_says_where_the_node_is(void **state)
{
	static const struct {
		enum model_node_drain asked;
		struct node_drain_routes routes;
		const char *word;
	} cases[] = {
		{ MODEL_NODE_SERVES, { .known = false }, "unknown" },
		{ MODEL_NODE_DRAINED, { .known = false }, "unknown" },
		{ MODEL_NODE_SERVES, { .known = true, .n = 2, .n_normal = 2 }, "serving" },
		{ MODEL_NODE_SERVES, { .known = true, .n = 2, .n_normal = 1 }, "serving" },
		{ MODEL_NODE_SERVES, { .known = true, .n = 2 }, "out" },
		{ MODEL_NODE_SERVES,
		  { .known = true, .n = 2, .n_normal = 1, .n_shutdown = 1 },
		  "returning" },
		{ MODEL_NODE_SERVES,
		  { .known = true, .n = 2, .n_normal = 1, .n_commanded = 1 },
		  "returning" },
		{ MODEL_NODE_DRAINED, { .known = true, .n = 2, .n_normal = 2 }, "draining" },
		{ MODEL_NODE_DRAINED,
		  { .known = true, .n = 2, .n_shutdown = 1, .n_commanded = 1 },
		  "draining" },
		{ MODEL_NODE_DRAINED, { .known = true, .n = 2, .n_commanded = 2 }, "drained" },
		{ MODEL_NODE_DRAINED,
		  { .known = true, .n = 2, .n_commanded = 2, .n_left = 1 },
		  "draining" },
		{ MODEL_NODE_DRAINED,
		  { .known = true, .n = 2, .n_commanded = 2, .n_unread = 1 },
		  "unknown" },
		{ MODEL_NODE_DRAINED,
		  { .known = true, .n = 2, .n_commanded = 2, .n_left = 1, .n_unread = 1 },
		  "draining" },
		{ MODEL_NODE_SERVES, { .known = true, .n = 2, .n_unread = 1 }, "out" },
		{ MODEL_NODE_WITHDRAWN, { .known = true, .n = 2 }, "drained" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct node_drain d = { .target = MODEL_NODE_SERVES };

		node_drain_note(&d, cases[i].asked, &cases[i].routes, NULL, 1000);
		assert_string_equal(node_drain_state(&d), cases[i].word);
		json_t *shown = node_drain_to_json(&d);

		assert_string_equal(json_string_value(json_object_get(shown, "state")),
		                    cases[i].word);
		json_decref(shown);
	}
}

/* "drained" is what a person waits for before the node is taken away. */
static void a_node_is_drained_only_when_its_routes_are_gone(void **state)
{
	static const struct {
		const char *why, *word;
		struct announced_address address;
	} cases[] = {
		{ "withdrawn", "drained", { .is_export_read = 1 } },
		{ "who gets it is not known", "unknown", { .exported = 1 } },
		{ "nor is what the daemon has", "unknown", { .imported = 0 } },
		{ "the daemon still has it", "unknown", { .is_read = 1, .imported = 1 } },
		{ "the daemon has it no longer", "drained", { .is_read = 1, .imported = 0 } },
		{ "the kernel refuses to delete the route",
		  "draining",
		  { .in_kernel = 1 << ANNOUNCE_NORMAL, .is_export_read = 1 } },
		{ "a neighbour still gets it", "draining", { .is_export_read = 1, .exported = 2 } },
	};
	struct announced_address unread = { .reason = ANNOUNCE_REASON_UNREAD };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct announced_address address = cases[i].address;
		struct node_drain_routes routes = { .known = true, .n = 1 };
		struct node_drain d = { .target = MODEL_NODE_SERVES };

		address.reason = ANNOUNCE_REASON_DRAINED;
		node_drain_count(&routes, &address);
		node_drain_note(&d, MODEL_NODE_DRAINED, &routes, NULL, 1000);
		print_message("  %s\n", cases[i].why);
		assert_string_equal(node_drain_state(&d), cases[i].word);
		node_drain_count(&routes, &unread);
		node_drain_note(&d, MODEL_NODE_DRAINED, &routes, NULL, 1000);
		assert_string_equal(node_drain_state(&d), "unknown");
	}
}

/* "serving" is what a person waits for before the next node is taken out. */
static void a_node_is_back_when_all_its_addresses_are_proved(void **state)
{
	static const struct announced_address announced = { .table = ANNOUNCE_NORMAL },
	                                      waits = { .reason = ANNOUNCE_REASON_WAITING },
	                                      failed = { .reason = ANNOUNCE_REASON_POOLS_DOWN };
	const struct node_drain_routes none = { .known = true, .n = 2 };
	struct node_drain_routes part = none, all = none, rest_failed = none;
	struct node_drain d = { .target = MODEL_NODE_SERVES };

	(void)state;
	node_drain_count(&part, &announced);
	node_drain_count(&part, &waits);
	node_drain_count(&rest_failed, &announced);
	node_drain_count(&rest_failed, &failed);
	node_drain_count(&all, &announced);
	node_drain_count(&all, &announced);
	node_drain_note(&d, MODEL_NODE_SERVES, &part, NULL, 1000);
	assert_string_equal(node_drain_state(&d), "serving"); /* there was no drain */
	node_drain_note(&d, MODEL_NODE_DRAINED, &gone, NULL, 2000);
	node_drain_note(&d, MODEL_NODE_SERVES, &gone, NULL, 3000);
	assert_string_equal(node_drain_state(&d), "returning");
	node_drain_note(&d, MODEL_NODE_SERVES, &part, NULL, 3100);
	assert_string_equal(node_drain_state(&d), "returning");
	node_drain_note(&d, MODEL_NODE_SERVES, &all, NULL, 3200);
	assert_string_equal(node_drain_state(&d), "serving");
	node_drain_note(&d, MODEL_NODE_SERVES, &part, NULL, 3300);
	assert_string_equal(node_drain_state(&d), "serving");
	node_drain_note(&d, MODEL_NODE_DRAINED, &gone, NULL, 4000);
	node_drain_note(&d, MODEL_NODE_SERVES, &rest_failed, NULL, 5000);
	assert_string_equal(node_drain_state(&d), "serving");
}

/* --- limits --- */

static void note_packets(struct node_drain *d, enum model_node_drain asked, uint64_t packets,
                         uint64_t now_ms)
{
	node_drain_note(d, asked, asked == MODEL_NODE_SERVES ? &normal : &in_shutdown, &packets,
	                now_ms);
}

/* Also the first one after a start, however soon it comes. */
static void samples_are_a_second_apart(void **state)
{
	static const struct {
		uint64_t first_ms, second_ms;
		size_t n;
	} rows[] = { { 0, 999, 1 }, { 0, 1000, 2 }, { 500, 1499, 1 }, { 500, 1500, 2 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct node_drain d = { .target = MODEL_NODE_SERVES };

		note_packets(&d, MODEL_NODE_SERVES, 7000, rows[i].first_ms);
		note_packets(&d, MODEL_NODE_SERVES, 7500, rows[i].second_ms);
		assert_int_equal(d.n_samples, rows[i].n);
		assert_int_equal(d.samples[0].at_ms, rows[i].first_ms);
		note_packets(&d, MODEL_NODE_DRAINED, 9999, rows[i].second_ms + 1);
		assert_int_equal(d.before_known, rows[i].n == 2);
		if (d.before_known)
			assert_int_equal(d.before_per_s, 500);
	}
}

/* Older ones go, one by one; a counter that fell begins again. */
static void the_rate_before_is_of_the_last_minute(void **state)
{
	struct node_drain d = { .target = MODEL_NODE_SERVES };
	uint64_t packets = 0, now_ms = 5000;

	(void)state;
	for (unsigned i = 0; i < NODE_DRAIN_SAMPLES; i++, now_ms += 1000)
		note_packets(&d, MODEL_NODE_SERVES, packets += 900000, now_ms);
	for (unsigned i = 0; i + 1 < NODE_DRAIN_SAMPLES; i++, now_ms += 1000)
		note_packets(&d, MODEL_NODE_SERVES, packets += 300, now_ms);
	assert_int_equal(d.n_samples, NODE_DRAIN_SAMPLES);
	note_packets(&d, MODEL_NODE_DRAINED, packets, now_ms);
	assert_true(d.before_known);
	assert_int_equal(d.before_per_s, 300);

	note_packets(&d, MODEL_NODE_SERVES, 5, now_ms += 1000); /* it has started again */
	assert_int_equal(d.n_samples, 1);
	note_packets(&d, MODEL_NODE_SERVES, 5, now_ms += 1000); /* no packet is no start */
	assert_int_equal(d.n_samples, 2);
	note_packets(&d, MODEL_NODE_SERVES, 4005, now_ms += 2000);
	note_packets(&d, MODEL_NODE_DRAINED, 4005, now_ms += 1);
	assert_int_equal(d.before_per_s, 1333);
}

static void the_present_rate_is_of_two_seconds_in_graceful_shutdown(void **state)
{
	struct scene s = { .now_ms = 100000 };

	(void)state;
	pass_seconds(&s, 5, MODEL_NODE_SERVES, &normal, 10000);
	node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, &s.packets, s.now_ms + 1000);
	assert_int_equal(s.d.shutdown_ms, s.now_ms + 1000);
	s.packets += 200;
	node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, &s.packets, s.now_ms + 2000);
	node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, &s.packets, s.now_ms + 2999);
	assert_false(s.d.rate_known);
	node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, &s.packets, s.now_ms + 3000);
	assert_true(s.d.rate_known);
	assert_int_equal(s.d.per_s, 100);
	assert_false(s.d.empty); /* one in a hundred is not less */
	s.packets += 100;
	node_drain_note(&s.d, MODEL_NODE_DRAINED, &in_shutdown, &s.packets, s.now_ms + 4000);
	assert_int_equal(s.d.per_s, 50);
	assert_true(s.d.empty);
}

static void routers_have_twelve_seconds_to_leave(void **state)
{
	struct scene s = { .now_ms = 100000 };

	(void)state;
	pass_seconds(&s, 5, MODEL_NODE_SERVES, &normal, 10000);
	pass_half_second(&s, MODEL_NODE_DRAINED, &in_shutdown, 10000);
	uint64_t late_ms = s.now_ms + NODE_DRAIN_LATE_MS;
	pass_seconds(&s, 11, MODEL_NODE_DRAINED, &in_shutdown, 10000);
	note_packets(&s.d, MODEL_NODE_DRAINED, s.packets + 9990, late_ms - 1);
	assert_int_equal(s.d.honoured, NODE_DRAIN_UNKNOWN);
	note_packets(&s.d, MODEL_NODE_DRAINED, s.packets + 10000, late_ms);
	assert_int_equal(s.d.honoured, NODE_DRAIN_NOT_HONOURED);
}

/* Nobody asked its neighbours to prefer others. */
static void a_node_that_is_withdrawn_asks_no_neighbour(void **state)
{
	struct node_drain d = { .target = MODEL_NODE_SERVES };
	struct node_drain_routes routes = in_shutdown;

	(void)state;
	routes.neighbours[0] = (struct node_drain_neighbour){ "r1", true };
	node_drain_note(&d, MODEL_NODE_WITHDRAWN, &routes, NULL, 1000);
	assert_int_equal(d.n_neighbours, 0);
	node_drain_note(&d, MODEL_NODE_DRAINED, &routes, NULL, 2000);
	assert_int_equal(d.n_neighbours, 1);
}

/* --- the whole --- */

static void each_address_is_counted_for_what_it_is(void **state)
{
	enum { GONE = ANNOUNCE_NONE };
	static const struct {
		const char *why;
		struct announced_address a;
		struct node_drain_routes r;
	} rows[] = {
		{ "as usual",
		  { .table = ANNOUNCE_NORMAL, .in_kernel = 1, .exported = 1, .is_export_read = 1 },
		  { .known = true, .n_normal = 1 } },
		{ "in graceful shutdown",
		  { .table = ANNOUNCE_SHUTDOWN, .reason = ANNOUNCE_REASON_DRAINED },
		  { .known = true, .n_shutdown = 1 } },
		{ "which no other node confirms",
		  { .table = ANNOUNCE_SHUTDOWN, .reason = ANNOUNCE_REASON_DRAIN_UNCONFIRMED },
		  { .known = true, .n_shutdown = 1, .n_unconfirmed = 1 } },
		{ "drained",
		  { .table = GONE, .reason = ANNOUNCE_REASON_DRAINED, .is_export_read = 1 },
		  { .known = true, .n_commanded = 1 } },
		{ "withdrawn",
		  { .table = GONE, .reason = ANNOUNCE_REASON_WITHDRAWN, .is_export_read = 1 },
		  { .known = true, .n_commanded = 1 } },
		{ "it waits",
		  { .table = GONE, .reason = ANNOUNCE_REASON_WAITING, .is_export_read = 1 },
		  { .known = true, .n_waiting = 1 } },
		{ "its pools are down",
		  { .table = GONE, .reason = ANNOUNCE_REASON_POOLS_DOWN, .is_export_read = 1 },
		  { .known = true } },
		{ "the kernel has it",
		  { .table = GONE,
		    .reason = ANNOUNCE_REASON_POOLS_DOWN,
		    .in_kernel = 1,
		    .is_export_read = 1 },
		  { .known = true, .n_left = 1 } },
		{ "the kernel has it, and nobody says who else",
		  { .table = GONE, .reason = ANNOUNCE_REASON_POOLS_DOWN, .in_kernel = 1 },
		  { .known = true, .n_left = 1 } },
		{ "a neighbour has it",
		  { .table = GONE,
		    .reason = ANNOUNCE_REASON_WAITING,
		    .exported = 4,
		    .is_export_read = 1 },
		  { .known = true, .n_waiting = 1, .n_left = 1 } },
		{ "nobody says who has it",
		  { .table = GONE, .reason = ANNOUNCE_REASON_DRAINED, .exported = 4 },
		  { .known = true, .n_commanded = 1, .n_unread = 1 } },
		{ "the daemon has it not",
		  { .table = GONE, .reason = ANNOUNCE_REASON_DRAINED, .is_read = 1 },
		  { .known = true, .n_commanded = 1 } },
		{ "the daemon has it",
		  { .table = GONE, .reason = ANNOUNCE_REASON_DRAINED, .is_read = 1, .imported = 1 },
		  { .known = true, .n_commanded = 1, .n_unread = 1 } },
		{ "it is not known where it is",
		  { .table = ANNOUNCE_NORMAL, .reason = ANNOUNCE_REASON_UNREAD },
		  { .known = false, .n_normal = 1 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct node_drain_routes r = { .known = true };

		node_drain_count(&r, &rows[i].a);
		print_message("  %s\n", rows[i].why);
		assert_memory_equal(&r, &rows[i].r, sizeof(r));
	}
}

static void all_of_a_drain_is_shown(void **state)
{
	struct scene s = { .now_ms = 100000 };
	struct node_drain_routes routes = { .known = true,
		                            .n = 9,
		                            .n_normal = 0,
		                            .n_shutdown = 3,
		                            .n_unconfirmed = 2,
		                            .n_commanded = 4,
		                            .n_waiting = 8,
		                            .n_left = 6,
		                            .n_unread = 5,
		                            .n_neighbours = 2,
		                            .neighbours = { { "r1", true }, { "r2", false } } };
	struct node_drain_routes serving = routes;

	(void)state;
	serving.n_normal = 7;
	serving.n_shutdown = serving.n_commanded = 0;
	expect_whole("nothing is known", node_drain_to_json(&s.d), "{'state':'unknown'}");
	pass_seconds(&s, 5, MODEL_NODE_SERVES, &serving, 10000);
	expect_whole("it serves", node_drain_to_json(&s.d),
	             "{'state':'serving','addresses':{'all':9,'normal':7,'shutdown':0,"
	             "'unconfirmed':2,'commanded':0,'unread':5}}");
	node_drain_note(&s.d, MODEL_NODE_DRAINED, &routes, NULL, s.now_ms + 1000);
	expect_whole("its packets are not known", node_drain_to_json(&s.d),
	             "{'state':'draining','addresses':{'all':9,'normal':0,'shutdown':3,"
	             "'unconfirmed':2,'commanded':4,'unread':5},'packets_per_s_before':10000,"
	             "'packets_per_s':null,'graceful_shutdown_honoured':'not seen','neighbours':["
	             "{'name':'r1','graceful_shutdown_honoured':'not seen'},"
	             "{'name':'r2','graceful_shutdown_honoured':'not seen'}]}");
	s.now_ms += 1000;
	routes.n_commanded = 0;
	pass_seconds(&s, 4, MODEL_NODE_DRAINED, &routes, 40);
	expect_whole("packets have left", node_drain_to_json(&s.d),
	             "{'state':'draining','addresses':{'all':9,'normal':0,'shutdown':3,"
	             "'unconfirmed':2,'commanded':0,'unread':5},'packets_per_s_before':10000,"
	             "'packets_per_s':40,'graceful_shutdown_honoured':'yes','neighbours':["
	             "{'name':'r1','graceful_shutdown_honoured':'yes'},"
	             "{'name':'r2','graceful_shutdown_honoured':'not seen'}]}");
}

/* Who got such a route in the last drain has not got one in this drain. */
static void what_a_neighbour_had_in_the_last_drain_is_over(void **state)
{
	struct scene s = { .now_ms = 100000 };
	struct node_drain_routes routes = in_shutdown;

	(void)state;
	routes.n_neighbours = 2;
	routes.neighbours[0] = (struct node_drain_neighbour){ "r1", true };
	routes.neighbours[1] = (struct node_drain_neighbour){ "r2", true };
	pass_seconds(&s, 5, MODEL_NODE_SERVES, &normal, 10000);
	pass_seconds(&s, 4, MODEL_NODE_DRAINED, &routes, 0);
	pass_seconds(&s, 90, MODEL_NODE_SERVES, &normal, 10000);
	routes.neighbours[0].has_shutdown = false;
	pass_seconds(&s, 4, MODEL_NODE_DRAINED, &routes, 40);
	expect_whole("the first neighbour is down", node_drain_to_json(&s.d),
	             "{'state':'draining','addresses':{'all':4,'normal':0,'shutdown':4,"
	             "'unconfirmed':0,'commanded':0,'unread':0},'packets_per_s_before':10000,"
	             "'packets_per_s':40,'graceful_shutdown_honoured':'yes','neighbours':["
	             "{'name':'r1','graceful_shutdown_honoured':'not seen'},"
	             "{'name':'r2','graceful_shutdown_honoured':'yes'}]}");
}

SUITE(node_drain)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_have_left_below_one_in_a_hundred_of_the_rate_before),
		cmocka_unit_test(nothing_has_left_while_an_address_is_announced),
		cmocka_unit_test(what_is_not_known_is_never_empty),
		cmocka_unit_test(routers_that_leave_have_honoured_graceful_shutdown),
		cmocka_unit_test(without_a_rate_no_router_is_judged),
		cmocka_unit_test(the_report_names_each_neighbour),
		cmocka_unit_test(a_word_says_where_the_node_is),
		cmocka_unit_test(a_node_is_drained_only_when_its_routes_are_gone),
		cmocka_unit_test(samples_are_a_second_apart),
		cmocka_unit_test(the_rate_before_is_of_the_last_minute),
		cmocka_unit_test(the_present_rate_is_of_two_seconds_in_graceful_shutdown),
		cmocka_unit_test(routers_have_twelve_seconds_to_leave),
		cmocka_unit_test(a_node_that_is_withdrawn_asks_no_neighbour),
		cmocka_unit_test(each_address_is_counted_for_what_it_is),
		cmocka_unit_test(all_of_a_drain_is_shown),
		cmocka_unit_test(what_a_neighbour_had_in_the_last_drain_is_over),
		cmocka_unit_test(a_node_is_back_when_all_its_addresses_are_proved),
	};

	return cmocka_run_group_tests_name("node drain", tests, NULL, NULL);
}
