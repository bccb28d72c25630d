/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The compiler of tables (dataplane/tables/compiler.c) on a driver whose tables are ordinary memory:
 * what documents and verdicts make of them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "dataplane/tables/compiler_internal.h"
#include "tests/unit/suite.h"
#include "weir/fwd/destinations.h"

#include "tests/unit/dataplane/stage.h"

/* Let the check of backend @p id say @p state. */
static void store_verdict(struct stage *s, uint64_t id, enum health_state state)
{
	int at = health_find_index(s->health, health_target_backend("web-ams", id));

	assert_true(at >= 0);
	health_write(s->health, at, health_make(state, 0, HEALTH_REASON_OK, 1));
	compiler_read_verdicts(&s->node, &s->time);
}

static const struct compiler_backend *backend_of(const struct stage *s, uint64_t id)
{
	for (size_t i = 0; i < s->node.pools[0].plan->n_backends; i++)
		if (s->node.pools[0].backends[i].plan->id == id)
			return &s->node.pools[0].backends[i];
	fail_msg("no backend %llu", (unsigned long long)id);
	return NULL;
}

static uint32_t slots_of(const struct stage *s, uint32_t index)
{
	const struct compiler_pool *p = &s->node.pools[0];
	uint32_t n = 0;

	for (uint32_t i = p->first_slot; i < p->first_slot + p->n_slots; i++)
		n += (s->node.t.slots[i / 32].slot[i % 32] & FWD_SLOT_BACKEND) == index;
	return n;
}

static const struct fwd_service *find_service(const struct stage *s, const char *vip, uint16_t port,
                                              uint8_t protocol)
{
	union fwd_addr a;
	struct addr addr;

	addr_of(vip, &addr);
	memcpy(a.bytes, addr.bytes, sizeof(a.bytes));
	return fwd_service_find(&s->node.t, s->node.t.root, &a, fwd_be16(port), protocol);
}

static bool is_dead(const struct stage *s, uint64_t id)
{
	return s->node.t.backends[backend_of(s, id)->index].flags & FWD_BACKEND_DEAD;
}

/* With a bounded number of turns, till nothing is due within a second any more. */
static void pass_time(struct stage *s, uint64_t ms)
{
	for (uint64_t gone = 0; gone < ms; gone += 250) {
		s->time.now_ms += 250;
		s->time.ticks_ms += 250;
		s->time.wall_clock_ms += 250;
		compiler_tick(&s->node, &s->time);
	}
}

/* --- refusals first --- */

static void a_refused_document_changes_nothing(void **state)
{
	(void)state;
	struct stage s;
	char why[PLAN_REASON_MAX] = "";
	struct fwd_service *services;
	size_t bytes;

	stage_init(&s);
	apply_world(&s, &s.first);
	bytes = s.node.t.n_services * sizeof(*services);
	services = malloc(bytes);
	assert_non_null(services);
	memcpy(services, s.node.t.services, bytes);
	s.second.model.limits.slots = 32;
	assert_int_equal(plan_and_apply(&s, &s.second, why), -EDQUOT);
	assert_non_null(strstr(why, "limits.slots"));
	assert_ptr_equal(s.node.model, &s.first.model);
	assert_memory_equal(services, s.node.t.services, bytes);
	free(services);
	stage_fini(&s);
}

/*
 * In seconds of 16 bits; how long a slot learns is as long as connections may be idle, but no
 * longer than it settles.
 */
static void a_pools_times_are_what_packets_read(void **state)
{
	static const struct {
		uint32_t settle_ms, idle_ms;
		uint16_t settle_s, idle_s, remember_s;
		bool agent;
	} rows[] = {
		{ 60000, 30000, 60, 30, 38, false },
		{ 20000, 30000, 20, 30, 20, true },
		{ 1999, 900, 1, 0, 1, false },
		{ 65534000, 65535000, 65534, 65535, 65534, true },
		{ 80000000, 70000000, 65535, 65535, 65535, false },
	};
	struct stage s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fwd_pool *pool;

		stage_init(&s);
		use_both_pools(&s.first);
		s.first.pools[1].settle_ms = rows[i].settle_ms;
		s.first.pools[1].idle_ms = rows[i].idle_ms;
		s.first.pools[1].agent = rows[i].agent;
		apply_world(&s, &s.first);
		pool = &s.node.t.pools[s.node.pools[1].index];
		assert_int_equal(pool->settle_s, rows[i].settle_s);
		assert_int_equal(pool->idle_s, rows[i].idle_s);
		assert_int_equal(pool->remember_s, rows[i].remember_s);
		assert_int_equal(pool->flags, rows[i].agent ? FWD_POOL_AGENTS : 0);
		assert_int_equal(pool->id, hash_text("web-fra"));
		assert_int_equal(pool->slot_range, (uint64_t)s.node.pools[1].first_slot << 8 | 12);
		pool = &s.node.t.pools[s.node.pools[0].index]; /* the other one has its own */
		assert_int_equal(pool->settle_s, 60);
		assert_int_equal(pool->idle_s, 30);
		assert_int_equal(pool->flags, 0);
		stage_fini(&s);
	}
}

static void services_lead_to_their_pool_and_counter(void **state)
{
	(void)state;
	struct stage s;
	const struct fwd_service *web4, *web6, *dns;

	stage_init(&s);
	assert_null(find_service(&s, "203.0.113.10", 80, 6));
	apply_world(&s, &s.first);
	web4 = find_service(&s, "203.0.113.10", 80, 6);
	web6 = find_service(&s, "2001:db8:1::10", 80, 6);
	dns = find_service(&s, "203.0.113.10", 53, 17);
	assert_non_null(web4);
	assert_non_null(web6);
	assert_non_null(dns);
	assert_null(find_service(&s, "203.0.113.10", 81, 6));
	assert_non_null(find_service(&s, "203.0.113.10", 0, 0)); /* the VIP itself */
	assert_int_equal(web4->count, web6->count);
	assert_int_not_equal(web4->count, dns->count);
	assert_int_equal(web4->pool, s.node.pools[0].index);
	assert_int_equal(s.node.t.pools[web4->pool].slot_range & 31, 12);
	assert_int_equal(web4->range, s.node.pools[0].first_slot | 12);
	assert_int_equal(s.node.t.pools[web4->pool].id, hash_text("web-ams"));
	stage_fini(&s);
}

static void slots_belong_to_the_members_of_the_set_in_force(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	apply_world(&s, &s.first);
	assert_in_range(slots_of(&s, backend_of(&s, 5)->index), 4096 * 35 / 100, 4096 * 45 / 100);
	assert_in_range(slots_of(&s, backend_of(&s, 9)->index), 4096 * 55 / 100, 4096 * 65 / 100);
	assert_int_equal(slots_of(&s, backend_of(&s, 7)->index), 0); /* of an earlier set */
	assert_int_equal(slots_of(&s, 0), 0);
	stage_fini(&s);
}

/* --- verdicts --- */

static void a_dead_backend_loses_its_slots_at_once(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	s.first.pools[0].check = &(struct model_check){ .name = "web" };
	s.first.pools[0].max_remove_percent = 100;
	s.first.pools[0].n_member_sets = 2; /* the next would drain it */
	apply_world(&s, &s.first);
	store_verdict(&s, 5, HEALTH_UP);
	store_verdict(&s, 9, HEALTH_UP);
	store_verdict(&s, 5, HEALTH_DOWN);
	assert_true(is_dead(&s, 5));
	assert_int_equal(slots_of(&s, backend_of(&s, 5)->index), 0);
	assert_int_equal(slots_of(&s, backend_of(&s, 9)->index), 4096);
	assert_int_equal(s.node.counters.deaths, 1);
	store_verdict(&s, 5, HEALTH_UP);
	assert_false(is_dead(&s, 5));
	pass_time(&s, 5000); /* its return is a change like any other: slots are warned first */
	assert_in_range(slots_of(&s, backend_of(&s, 5)->index), 1400, 1900);
	stage_fini(&s);
}

static void checks_cannot_empty_a_pool_but_a_person_can(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	s.first.pools[0].check = &(struct model_check){ .name = "web" };
	s.first.pools[0].max_remove_percent = 100;
	apply_world(&s, &s.first);
	store_verdict(&s, 5, HEALTH_UP);
	store_verdict(&s, 7, HEALTH_DOWN);
	store_verdict(&s, 9, HEALTH_UP);
	store_verdict(&s, 5, HEALTH_DOWN);
	store_verdict(&s, 9, HEALTH_DOWN);
	assert_false(is_dead(&s, 9));
	assert_int_equal(backend_of(&s, 9)->reason, EFFECT_REASON_HELD_LAST);
	assert_int_equal(slots_of(&s, backend_of(&s, 9)->index), 4096);
	s.first.overrides[0] = (struct model_override){ .id = "1",
		                                        .kind = MODEL_OVERRIDE_DISABLE,
		                                        .target = MODEL_TARGET_BACKEND,
		                                        .pool = "web-ams",
		                                        .name = "b",
		                                        .until_ms = MODEL_TIME_NEVER };
	s.first.model.n_overrides = 1;
	pass_time(&s, 500);
	assert_true(is_dead(&s, 9));
	assert_int_equal(slots_of(&s, backend_of(&s, 9)->index), 0);
	stage_fini(&s);
}

static void a_disabled_backend_that_no_set_names_loses_all_at_once(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	apply_world(&s, &s.first);
	s.second.sets[0] = (struct model_set){ 0, INT64_MAX, &s.second.now[1], 1 };
	s.second.pools[0].n_member_sets = 1;
	s.second.overrides[0] = (struct model_override){ .id = "1",
		                                         .kind = MODEL_OVERRIDE_DISABLE,
		                                         .target = MODEL_TARGET_BACKEND,
		                                         .pool = "web-ams",
		                                         .name = "a",
		                                         .until_ms = MODEL_TIME_NEVER };
	s.second.model.n_overrides = 1;
	apply_world(&s, &s.second);
	assert_true(is_dead(&s, 5));
	assert_int_equal(slots_of(&s, backend_of(&s, 5)->index), 0);
	assert_int_equal(slots_of(&s, backend_of(&s, 9)->index), 4096);
	stage_fini(&s);
}

static void a_layout_that_changes_leaves_all_as_it_was(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	s.first.pools[0].check = s.second.pools[0].check = &(struct model_check){ .name = "web" };
	s.first.pools[0].max_remove_percent = s.second.pools[0].max_remove_percent = 100;
	apply_world(&s, &s.first);
	store_verdict(&s, 7, HEALTH_DOWN);
	store_verdict(&s, 5, HEALTH_UP);
	store_verdict(&s, 9, HEALTH_UP);
	s.health->generation |= 1;
	store_verdict(&s, 5, HEALTH_DOWN); /* of whom is that word now? */
	assert_false(is_dead(&s, 5));
	assert_true(compiler_tick(&s.node, &s.time) <=
	            s.time.now_ms + 10); /* nobody tells of its end */
	apply_world(&s, &s.second);
	assert_false(is_dead(&s, 5));
	assert_true(is_dead(&s, 7));
	s.health->generation++;
	store_verdict(&s, 7, HEALTH_UP);
	assert_true(is_dead(&s, 5));
	assert_false(is_dead(&s, 7));
	stage_fini(&s);
}

/* --- indexes, ranges, restarts, sizes --- */

static void drop_backend_5(struct world *w)
{
	w->sets[0] = (struct model_set){ 0, INT64_MAX, &w->now[1], 1 };
	w->pools[0].n_member_sets = 1;
	w->pools[0].backends = &w->backends[1];
	w->pools[0].n_backends = 1;
}

static void an_index_rests_before_another_has_it(void **state)
{
	(void)state;
	struct stage s;
	uint32_t index;

	stage_init(&s);
	apply_world(&s, &s.first);
	index = backend_of(&s, 5)->index;
	drop_backend_5(&s.second);
	apply_world(&s, &s.second);
	assert_int_equal(indexes_state(s.node.backend_indexes, index), INDEX_QUARANTINED);
	assert_int_equal(s.node.t.backends[index].flags & FWD_BACKEND_DEAD, 0); /* has flows */
	pass_time(&s, COMPILER_QUARANTINE_MS * 2);
	assert_int_equal(slots_of(&s, index), 0);
	assert_int_equal(indexes_state(s.node.backend_indexes, index), INDEX_QUARANTINED);
	pass_time(&s, 200000);
	assert_int_equal(indexes_state(s.node.backend_indexes, index), INDEX_FREE);
	assert_int_equal(s.node.t.backends[index].flags, 0);
	stage_fini(&s);
}

static void a_process_that_starts_anew_goes_on_where_the_last_one_ended(void **state)
{
	(void)state;
	struct stage s;
	struct fwd_slots *slots;
	struct model_service web;
	uint32_t indexes[3], count;

	stage_init(&s);
	s.first.pools[0].check = &(struct model_check){ .name = "web" };
	s.first.pools[0].max_remove_percent = 100;
	apply_world(&s, &s.first);
	store_verdict(&s, 9, HEALTH_UP);
	store_verdict(&s, 5, HEALTH_DOWN);
	for (int i = 0; i < 3; i++)
		indexes[i] = backend_of(&s, (uint64_t)(5 + 2 * i))->index;
	count = find_service(&s, "203.0.113.10", 80, 6)->count;
	slots = malloc(s.node.t.n_slots * sizeof(*slots));
	assert_non_null(slots);
	memcpy(slots, s.node.t.slots, s.node.t.n_slots * sizeof(*slots));
	compiler_fini(&s.node);

	s.second.pools[0].check = s.first.pools[0].check;
	web = s.second.services[1]; /* another order must not matter */
	s.second.services[1] = s.second.services[0];
	s.second.services[0] = web;
	start_node(&s, true);
	compiler_set_health(&s.node, NULL); /* and health is dead too */
	apply_world(&s, &s.second);
	assert_true(is_dead(&s, 5));
	for (int i = 0; i < 3; i++)
		assert_int_equal(backend_of(&s, (uint64_t)(5 + 2 * i))->index, indexes[i]);
	assert_int_equal(find_service(&s, "203.0.113.10", 80, 6)->count, count);
	assert_memory_equal(slots, s.node.t.slots, s.node.t.n_slots * sizeof(*slots));
	free(slots);
	stage_fini(&s);
}

static void flows_leave_what_was_removed_before_the_process_started(void **state)
{
	(void)state;
	struct stage s;
	uint64_t *words;
	uint16_t index;
	uint32_t now_s;

	stage_init(&s);
	apply_world(&s, &s.first);
	index = (uint16_t)backend_of(&s, 5)->index;
	words = s.node.t.exceptions[3].word;
	compiler_fini(&s.node);
	drop_backend_5(&s.second);
	s.second.pools[0].settle_ms = 20000;
	start_node(&s, true);
	apply_world(&s, &s.second);
	now_s = (uint32_t)(s.time.ticks_ms / 1000);
	words[0] = owner_word(index, OWNER_UDP_LEASE, owner_end(now_s, 600), 1);
	words[1] = owner_word(index, OWNER_UDP, owner_end(now_s, 600), 2);
	pass_time(&s, 19000);
	assert_int_not_equal(words[0], 0);
	pass_time(&s, 1000 + OWNERS_PASS_MS);
	assert_int_equal(words[0], 0);
	assert_int_not_equal(words[1], 0);
	stage_fini(&s);
}

static void tables_grow_and_keep_what_they_hold(void **state)
{
	(void)state;
	struct stage s;
	uint32_t index, owned;

	stage_init(&s);
	apply_world(&s, &s.first);
	index = backend_of(&s, 9)->index;
	owned = slots_of(&s, index);
	s.second.model.limits = (struct model_limits){ 128, 512, 65536, 8192 };
	apply_world(&s, &s.second);
	assert_int_equal(s.node.sizes.slots, 65536);
	assert_int_equal(s.node.counters.resizes, 1);
	assert_int_equal(backend_of(&s, 9)->index, index);
	assert_int_equal(slots_of(&s, index), owned);
	assert_non_null(find_service(&s, "203.0.113.10", 80, 6));
	stage_fini(&s);
}

static int refuse_commit(struct driver *driver, struct driver_reason *why)
{
	struct memory_driver *d = (struct memory_driver *)driver;

	memory_free(&d->next);
	return driver_set_reason(why, -EBUSY, "a port holds them");
}

/* The driver cannot put the larger ones in force: those that packets read are written on. */
static void tables_that_cannot_grow_are_used_as_before(void **state)
{
	(void)state;
	struct driver_ops refusing = memory;
	char why[PLAN_REASON_MAX] = "";
	struct stage s;

	refusing.resize_commit = refuse_commit;
	stage_init(&s);
	s.first.pools[0].check = s.second.pools[0].check = &(struct model_check){ .name = "web" };
	s.first.pools[0].max_remove_percent = s.second.pools[0].max_remove_percent = 100;
	apply_world(&s, &s.first);
	s.node.ops = &refusing;
	s.second.model.limits = (struct model_limits){ 128, 512, 65536, 8192 };
	assert_int_equal(plan_and_apply(&s, &s.second, why), -EBUSY);
	assert_string_equal(why, "a port holds them");
	assert_ptr_equal(s.node.t.root, s.driver.now.root);
	assert_ptr_equal(s.node.t.backends, s.driver.now.backends);
	assert_int_equal(s.node.sizes.slots, 8192);
	store_verdict(&s, 7, HEALTH_UP);
	store_verdict(&s, 5, HEALTH_DOWN);
	assert_true(is_dead(&s, 5));
	s.node.ops = &memory;
	apply_world(&s, &s.second);
	assert_int_equal(s.node.sizes.slots, 65536);
	stage_fini(&s);
}

static uint32_t destination_of(const struct stage *s, const char *address)
{
	union fwd_addr a;
	struct addr addr;

	addr_of(address, &addr);
	memcpy(a.bytes, addr.bytes, sizeof(a.bytes));
	return fwd_destination_find(&s->node.t, s->node.t.root, &a, FWD_ENCAP_GUE);
}

static void backends_are_found_by_their_outer_address(void **state)
{
	(void)state;
	struct stage s;

	stage_init(&s);
	s.first.pools[0].mode = s.second.pools[0].mode = MODEL_MODE_GUE;
	addr_of("10.1.0.5", &s.first.backends[0].address);
	addr_of("2001:db8:b::9", &s.first.backends[1].address);
	addr_of("10.1.0.5", &s.second.backends[0].address);
	addr_of("10.1.0.9", &s.second.backends[1].address);
	assert_int_equal(destination_of(&s, "10.1.0.5"), 0);
	apply_world(&s, &s.first);
	assert_int_equal(destination_of(&s, "10.1.0.5"), backend_of(&s, 5)->index);
	assert_int_equal(destination_of(&s, "2001:db8:b::9"), backend_of(&s, 9)->index);
	s.second.model.limits = (struct model_limits){ 128, 512, 65536, 8192 };
	apply_world(&s, &s.second);
	assert_int_equal(destination_of(&s, "10.1.0.5"), backend_of(&s, 5)->index);
	assert_int_equal(destination_of(&s, "10.1.0.9"), backend_of(&s, 9)->index);
	assert_int_equal(destination_of(&s, "2001:db8:b::9"), 0);
	compiler_update_mtus(&s.node,
	                     s.time.now_ms); /* without next hops there is nobody to tell */
	stage_fini(&s);
}

static void services_are_switched_by_one_word(void **state)
{
	(void)state;
	struct stage s;
	uint32_t active;

	stage_init(&s);
	apply_world(&s, &s.first);
	active = s.node.t.root->active;
	s.second.services[1].port = 8080;
	apply_world(&s, &s.second);
	assert_int_equal(s.node.t.root->active, active ^ 1);
	assert_int_equal(s.driver.graces, 2);
	assert_null(find_service(&s, "203.0.113.10", 80, 6));
	assert_non_null(find_service(&s, "203.0.113.10", 8080, 6));
	s.node.t.root->active = active; /* the old half is whole as well */
	assert_non_null(find_service(&s, "203.0.113.10", 80, 6));
	stage_fini(&s);
}

static void serve_another_address(struct stage *s)
{
	addr_of("198.51.100.77", &s->second.addresses[0]);
	s->second.services[1].port = 8080;
}

/* Each half holds the last document alone. */
static void a_half_has_the_services_of_its_document_alone(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	serve_another_address(&s);
	for (int round = 0; round < 6; round++) { /* both documents come into both halves */
		struct stage fresh;
		bool first = round % 2 == 0;

		stage_init(&fresh);
		serve_another_address(&fresh);
		apply_world(&fresh, first ? &fresh.first : &fresh.second);
		apply_world(&s, first ? &s.first : &s.second);
		const struct fwd_root *is = s.node.t.root, *wanted = fresh.node.t.root;
		uint32_t n = is->n_services;
		assert_int_equal(n, wanted->n_services);
		assert_int_equal(is->service_seed[is->active],
		                 wanted->service_seed[wanted->active]);
		assert_memory_equal(&s.node.t.services[is->active * n],
		                    &fresh.node.t.services[wanted->active * n],
		                    n * sizeof(*s.node.t.services));
		assert_memory_equal(is->vip_filter[is->active], wanted->vip_filter[wanted->active],
		                    sizeof(is->vip_filter[0]));
		assert_int_equal(find_service(&s, "203.0.113.10", 80, 6) != NULL, first);
		assert_int_equal(find_service(&s, "198.51.100.77", 8080, 6) != NULL, !first);
		stage_fini(&fresh);
		if (!first)
			assert_true(
			        compiler_write_services(&s.node)); /* into the other half, too */
	}
	stage_fini(&s);
}

/* --- what packets must know of the node --- */

/* The bytes of @p a that are not 0, as "<which>:<hexadecimal> ". */
static const char *say_bytes(const union fwd_addr *a, char text[64])
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(a->bytes); i++)
		if (a->bytes[i])
			n += (size_t)snprintf(text + n, 64 - n, "%zu:%x ", i, a->bytes[i]);
	return text;
}

/* IPv4 is compared with the twelve bytes before it. No prefix is all zero. */
static void a_prefix_is_an_address_and_a_mask(void **state)
{
	static const struct {
		const char *prefix, *addr, *mask;
	} rows[] = {
		{ "10.1.255.0/24", "10:ff 11:ff 12:a 13:1 14:ff ",
		  "ffffffffffffffffffffffffffffff00" },
		{ "128.0.0.0/1", "10:ff 11:ff 12:80 ", "ffffffffffffffffffffffff80000000" },
		{ "0.0.0.0/0", "10:ff 11:ff ", "ffffffffffffffffffffffff00000000" },
		{ "2001:db8::/33", "0:20 1:1 2:d 3:b8 ", "ffffffff800000000000000000000000" },
		{ "::/9", "", "ff800000000000000000000000000000" },
		{ "::/0", "", "00000000000000000000000000000000" },
		{ "::1/128", "15:1 ", "ffffffffffffffffffffffffffffffff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char addr[64], mask[160];
		struct prefix from;
		struct fwd_prefix p;
		size_t n = 0;

		assert_int_equal(prefix_parse(rows[i].prefix, &from), 0);
		p = compiler_prefix(&from);
		for (size_t k = 0; k < 16; k++)
			n += (size_t)snprintf(mask + n, sizeof(mask) - n, "%02x", p.mask.bytes[k]);
		say_bytes(&p.addr, addr);
		if (strcmp(addr, rows[i].addr) != 0 || strcmp(mask, rows[i].mask) != 0)
			fail_msg("row %zu: \"%s\", \"%s\"", i, addr, mask);
	}
}

/* After each document; the number is the last. */
static void the_root_has_what_the_document_says(void **state)
{
	struct prefix source4, source6;
	struct fwd_prefix wanted4, wanted6;
	struct stage s;

	(void)state;
	stage_init(&s);
	assert_int_equal(prefix_parse("10.1.255.0/24", &source4), 0);
	assert_int_equal(prefix_parse("2001:db8:5::/64", &source6), 0);
	wanted4 = compiler_prefix(&source4);
	wanted6 = compiler_prefix(&source6);
	for (uint64_t i = 0; i < 2; i++) {
		struct world *w = i ? &s.second : &s.first;
		const struct fwd_root *root = s.node.t.root;

		w->model.hash_key[0] = 1000 + i;
		w->model.hash_key[1] = 2000 + i;
		w->model.meta.document = 40 + i;
		w->node.tunnel_source4 = source4;
		w->node.tunnel_source6 = source6;
		apply_world(&s, w);
		assert_int_equal(root->hash_key[0], 1000 + i);
		assert_int_equal(root->hash_key[1], 2000 + i);
		assert_int_equal(root->generation, 40 + i);
		assert_int_equal(root->answers_per_s, COMPILER_ANSWERS_PER_S);
		assert_memory_equal(&root->source4, &wanted4, sizeof(wanted4));
		assert_memory_equal(&root->source6, &wanted6, sizeof(wanted6));
		assert_int_equal(root->active, 1 - i);
	}
	stage_fini(&s);
}

/* Of two equal entries no table can be made: the half in force stays. */
static void equal_services_are_not_switched_to(void **state)
{
	struct stage s;
	uint32_t active;

	(void)state;
	stage_init(&s);
	apply_world(&s, &s.first);
	active = s.node.t.root->active;
	assert_true(compiler_write_services(&s.node));
	assert_int_equal(s.node.t.root->active, active ^ 1);
	assert_non_null(find_service(&s, "203.0.113.10", 80, 6));
	s.node.plan->entries[1].entry = s.node.plan->entries[0].entry;
	assert_false(compiler_write_services(&s.node));
	assert_int_equal(s.node.t.root->active, active ^ 1);
	assert_non_null(find_service(&s, "203.0.113.10", 53, 17)); /* as before */
	stage_fini(&s);
}

SUITE(compiler)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_document_changes_nothing),
		cmocka_unit_test(a_pools_times_are_what_packets_read),
		cmocka_unit_test(services_lead_to_their_pool_and_counter),
		cmocka_unit_test(slots_belong_to_the_members_of_the_set_in_force),
		cmocka_unit_test(a_dead_backend_loses_its_slots_at_once),
		cmocka_unit_test(checks_cannot_empty_a_pool_but_a_person_can),
		cmocka_unit_test(a_disabled_backend_that_no_set_names_loses_all_at_once),
		cmocka_unit_test(a_layout_that_changes_leaves_all_as_it_was),
		cmocka_unit_test(an_index_rests_before_another_has_it),
		cmocka_unit_test(a_process_that_starts_anew_goes_on_where_the_last_one_ended),
		cmocka_unit_test(flows_leave_what_was_removed_before_the_process_started),
		cmocka_unit_test(tables_grow_and_keep_what_they_hold),
		cmocka_unit_test(tables_that_cannot_grow_are_used_as_before),
		cmocka_unit_test(backends_are_found_by_their_outer_address),
		cmocka_unit_test(services_are_switched_by_one_word),
		cmocka_unit_test(a_half_has_the_services_of_its_document_alone),
		cmocka_unit_test(a_prefix_is_an_address_and_a_mask),
		cmocka_unit_test(the_root_has_what_the_document_says),
		cmocka_unit_test(equal_services_are_not_switched_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
