/* SPDX-License-Identifier: BSD-2-Clause */
/* What speaks against a backend's way takes it out after its time; what is no evidence does not. Next hops are this file's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/node_inside.h"
#include "tests/unit/dataplane/stage.h"

/* --- next hops: all are known but that of "a", which a test sets --- */

static const char address_a[] = "10.1.0.5", address_b[] = "10.1.0.9";
static struct hop hop_a;
static enum hop_heard heard_a;
static unsigned n_doubts;

int hops_watch(struct hops *h, const struct addr *address)
{
	(void)h, (void)address;
	return 0;
}

void hops_unwatch(struct hops *h, const struct addr *address)
{
	(void)h, (void)address;
}

static bool is_a(const struct addr *address)
{
	struct addr a;

	addr_of(address_a, &a);
	return addr_equal(&a, address);
}

bool hops_get(const struct hops *h, const struct addr *address, struct hop *out)
{
	(void)h;
	*out = (struct hop){ .state = HOP_KNOWN, .ifindex = 1, .mtu = 1500, .on_link = true };
	if (is_a(address))
		*out = hop_a;
	return true;
}

void hops_heard(struct hops *h, const struct addr *address, enum hop_heard heard)
{
	(void)h;
	if (is_a(address))
		heard_a = heard;
}

void hops_doubt(struct hops *h, const struct addr *address)
{
	(void)h;
	n_doubts += is_a(address);
}

/* --- a node with backends "a" and "b" of one pool --- */

static void start(struct stage *s, const struct model_check *check)
{
	static char nobody;

	stage_init(s);
	hop_a = (struct hop){ .state = HOP_KNOWN, .ifindex = 1, .mtu = 1500, .on_link = true };
	heard_a = HOP_HEARD_NOTHING;
	n_doubts = 0;
	s->node.hops = (struct hops *)(void *)&nobody;
	addr_of(address_a, &s->first.backends[0].address);
	addr_of(address_b, &s->first.backends[1].address);
	for (int i = 0; i < 2; i++) {
		s->first.pools[i].check = check;
		s->first.pools[i].max_remove_percent = 100;
	}
	take(s, &s->first);
}

static const struct node_backend *backend_a(const struct stage *s)
{
	return node_find_backend(&s->node.pools[0], 5);
}

/* The next hop of "a" is so from now on. */
static void hop_is(struct stage *s, enum hop_state state, enum hop_bad bad, bool on_link)
{
	struct addr a;

	addr_of(address_a, &a);
	hop_a.state = state;
	hop_a.bad = bad;
	hop_a.on_link = on_link;
	hop_a.since_ms = s->time.now_ms;
	node_hop(&s->node, &a, &hop_a);
	node_tick(&s->node, &s->time);
}

/* Its check says so from now on. */
static void check_says(struct stage *s, enum health_state state, unsigned marks,
                       enum health_reason reason)
{
	int place = health_find(s->health, health_target_backend("web-ams", 5));

	health_write(s->health, place, health_make(state, marks, reason, 0));
	place = health_find(s->health, health_target_backend("web-ams", 9));
	health_write(s->health, place, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 0));
	node_verdicts(&s->node, &s->time);
}

/* As the process does: node_tick() when it wants to be called. */
static void pass_time(struct stage *s, uint64_t ms)
{
	uint64_t end_ms = s->time.now_ms + ms;

	while (s->time.now_ms < end_ms) {
		uint64_t due_ms = node_tick(&s->node, &s->time), step_ms;

		due_ms = due_ms < end_ms ? due_ms : end_ms;
		step_ms = due_ms - s->time.now_ms;
		s->time.now_ms += step_ms;
		s->time.ticks_ms += step_ms;
		s->time.wall_ms += (int64_t)step_ms;
	}
	node_tick(&s->node, &s->time);
}

static uint32_t slots_of_a(const struct stage *s)
{
	const struct node_pool *p = &s->node.pools[0];
	uint32_t n = 0;

	for (uint32_t i = p->first_slot; i < p->first_slot + p->n_slots; i++) {
		uint16_t hot =
		        s->node.t.slots[i / FWD_SLOTS_PER_BLOCK].slot[i % FWD_SLOTS_PER_BLOCK];

		n += (hot & FWD_SLOT_BACKEND) == backend_a(s)->index;
	}
	return n;
}

static const struct {
	const char *why;
	enum hop_state state;
	enum hop_bad bad;
	bool on_link;
	enum model_mode mode;
	enum effect_why out; /* EFFECT_WHY_UNKNOWN: it stays in force */
} cases[] = {
	{ "a route that refuses", HOP_NO_ROUTE, HOP_BAD_ROUTE, false, MODEL_MODE_IPIP,
	  EFFECT_WHY_ROUTE },
	{ "a neighbour that answers no question", HOP_KNOWN, HOP_BAD_NEIGHBOUR, true,
	  MODEL_MODE_IPIP, EFFECT_WHY_NEIGHBOUR },
	{ "one that never answered", HOP_NO_NEIGHBOUR, HOP_BAD_NEIGHBOUR, true, MODEL_MODE_GUE,
	  EFFECT_WHY_NEIGHBOUR },
	{ "l2 behind a gateway", HOP_KNOWN, HOP_BAD_NOT, false, MODEL_MODE_L2, EFFECT_WHY_GATEWAY },
	{ "l2 behind a gateway that is not resolved", HOP_NO_NEIGHBOUR, HOP_BAD_NOT, false,
	  MODEL_MODE_L2, EFFECT_WHY_GATEWAY },
	{ "a tunnel by way of a gateway", HOP_KNOWN, HOP_BAD_NOT, false, MODEL_MODE_IPIP,
	  EFFECT_WHY_UNKNOWN },
	{ "no route", HOP_NO_ROUTE, HOP_BAD_NOT, false, MODEL_MODE_IPIP, EFFECT_WHY_UNKNOWN },
	{ "l2 without a route", HOP_NO_ROUTE, HOP_BAD_NOT, false, MODEL_MODE_L2,
	  EFFECT_WHY_UNKNOWN },
	{ "a port without carrier", HOP_NO_PORT, HOP_BAD_NOT, true, MODEL_MODE_IPIP,
	  EFFECT_WHY_UNKNOWN },
	{ "l2 by a port without carrier", HOP_NO_PORT, HOP_BAD_NOT, false, MODEL_MODE_L2,
	  EFFECT_WHY_UNKNOWN },
	{ "not resolved yet", HOP_NO_NEIGHBOUR, HOP_BAD_NOT, true, MODEL_MODE_IPIP,
	  EFFECT_WHY_UNKNOWN },
};

static void only_what_is_evidence_takes_a_backend_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool out = cases[i].out != EFFECT_WHY_UNKNOWN;
		struct stage s;

		start(&s, NULL);
		s.first.pools[0].mode = cases[i].mode;
		s.second.pools[0].mode = cases[i].mode;
		memcpy(&s.second.backends, &s.first.backends, sizeof(s.first.backends));
		s.second.backends[0].pool = s.second.backends[1].pool = &s.second.pools[0];
		take(&s, &s.second);
		hop_is(&s, cases[i].state, cases[i].bad, cases[i].on_link);
		pass_time(&s, 999);
		if (!backend_a(&s)->alive)
			fail_msg("%s: out at once", cases[i].why);
		pass_time(&s, 300);
		if (backend_a(&s)->alive == out || !slots_of_a(&s) != out)
			fail_msg("%s: in force %d, slots %u", cases[i].why, backend_a(&s)->alive,
			         slots_of_a(&s));
		if (out)
			assert_int_equal(backend_a(&s)->why, cases[i].out);
		hop_is(&s, HOP_KNOWN, HOP_BAD_NOT, true);
		assert_true(backend_a(&s)->alive);
		stage_fini(&s);
	}
}

static const struct model_check tunnel = { .name = "web", .via = MODEL_VIA_TUNNEL };
static const struct model_check direct = { .name = "web", .via = MODEL_VIA_DIRECT };

static void a_good_verdict_through_the_tunnel_outranks_the_next_hop(void **state)
{
	(void)state;
	struct stage s;

	start(&s, &tunnel);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	hop_is(&s, HOP_KNOWN, HOP_BAD_NEIGHBOUR, true);
	pass_time(&s, 5000);
	assert_true(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_UP);
	check_says(&s, HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_TIMEOUT);
	assert_false(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_NEIGHBOUR);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_true(backend_a(&s)->alive);
	check_says(&s, HEALTH_UP, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_TIMEOUT);
	assert_false(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_NEIGHBOUR);
	check_says(&s, HEALTH_UP, HEALTH_MARK_RESTORED, HEALTH_REASON_OK);
	assert_false(backend_a(&s)->alive);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_true(backend_a(&s)->alive);
	stage_fini(&s);
}

static void a_direct_check_outranks_nothing(void **state)
{
	(void)state;
	struct stage s;

	start(&s, &direct);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	hop_is(&s, HOP_KNOWN, HOP_BAD_NEIGHBOUR, true);
	pass_time(&s, 1300);
	assert_false(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_NEIGHBOUR);
	stage_fini(&s);
}

static void guards_hold_what_next_hops_would_take(void **state)
{
	(void)state;
	struct stage s;

	start(&s, NULL);
	s.first.pools[0].min_healthy_percent = 100;
	hop_is(&s, HOP_NO_ROUTE, HOP_BAD_ROUTE, false);
	pass_time(&s, 1300);
	assert_true(backend_a(&s)->alive);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_HELD_MIN);
	stage_fini(&s);
}

static void what_is_out_by_its_way_is_unknown_again_after_it(void **state)
{
	(void)state;
	struct stage s;

	start(&s, &tunnel);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	hop_is(&s, HOP_NO_ROUTE, HOP_BAD_ROUTE, false);
	check_says(&s, HEALTH_UNKNOWN, 0, HEALTH_REASON_NONE);
	pass_time(&s, 1300);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_ROUTE);
	hop_is(&s, HOP_KNOWN, HOP_BAD_NOT, true);
	assert_int_equal(backend_a(&s)->why, EFFECT_WHY_WAITING); /* "b" serves */
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_true(backend_a(&s)->alive);
	stage_fini(&s);
}

static void next_hops_hear_of_silence_and_of_deaths(void **state)
{
	(void)state;
	struct stage s;

	start(&s, &tunnel);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	assert_int_equal(heard_a, HOP_HEARD_ANSWERS);
	check_says(&s, HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_TIMEOUT);
	assert_int_equal(heard_a, HOP_HEARD_SILENCE);
	assert_int_equal(n_doubts, 0);
	check_says(&s, HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT);
	check_says(&s, HEALTH_DOWN, 0, HEALTH_REASON_UNREACHABLE);
	assert_int_equal(n_doubts, 1);
	check_says(&s, HEALTH_UP, 0, HEALTH_REASON_OK);
	check_says(&s, HEALTH_DOWN, 0, HEALTH_REASON_REFUSED);
	assert_int_equal(n_doubts, 2);
	assert_int_equal(heard_a, HOP_HEARD_ANSWERS);
	stage_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_evidence_takes_a_backend_out),
		cmocka_unit_test(a_good_verdict_through_the_tunnel_outranks_the_next_hop),
		cmocka_unit_test(a_direct_check_outranks_nothing),
		cmocka_unit_test(guards_hold_what_next_hops_would_take),
		cmocka_unit_test(what_is_out_by_its_way_is_unknown_again_after_it),
		cmocka_unit_test(next_hops_hear_of_silence_and_of_deaths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
