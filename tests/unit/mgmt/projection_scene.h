/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A crowd of clients in front of three sites, and brute force: their resolvers are asked one by one
 * which site they get, by the code that weir-dns answers with.
 */
#ifndef WEIR_TESTS_PROJECTION_SCENE_H
#define WEIR_TESTS_PROJECTION_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/hash.h"
#include "mgmt/operations/projection.h"
#include "weir/steering.h"

#define KEYS  3000u
#define AMS   0u
#define FRA   1u
#define LON   2u
#define WEB   0u /* in all three sites */
#define API   1u /* in ams and fra */
#define BATCH 2u /* in ams and lon, without a name */

static const uint64_t place_key[2] = { 0x1234, 0x5678 };

static struct addr address;
static struct model_vip vip = { .name = "v", .addresses = &address, .n_addresses = 1 };
static struct model_site sites[3];
static struct model_pool backup_pool;
static struct model_at at_web[3], at_api[2], at_batch[2];
static struct model_service services[3];
static struct model_dns_name names[2];
static struct model m;

static struct projector *projector;
static struct projection *out;
static struct steer_keys *seen;
static struct projection_site_now now[3];
static struct projection_flows flows[7];
static struct projection_gate target, gates[2];
static uint32_t steps[8];
static struct projection_input in;

static void make_model(void)
{
	static const char *const site_names[] = { "ams", "fra", "lon" };

	assert_int_equal(addr_parse("203.0.113.1", &address), 0);
	for (uint32_t i = 0; i < 3; i++)
		sites[i] = (struct model_site){ .name = site_names[i], .weight = 100, .index = i };
	backup_pool = (struct model_pool){ .name = "web-fra", .site = &sites[FRA] };
	for (uint32_t i = 0; i < 3; i++)
		at_web[i] = (struct model_at){ .site = &sites[i], .vip = &vip, .weight = 100 };
	for (uint32_t i = 0; i < 2; i++) {
		at_api[i] = at_web[i];
		at_batch[i] = at_web[2 * i];
	}
	at_web[LON].weight = 50;
	services[WEB] = (struct model_service){ .name = "web", .at = at_web, .n_at = 3 };
	services[API] =
	        (struct model_service){ .name = "api", .at = at_api, .n_at = 2, .index = API };
	services[BATCH] = (struct model_service){
		.name = "batch", .at = at_batch, .n_at = 2, .index = BATCH
	};
	names[0] = (struct model_dns_name){
		.name = "www.test", .service = &services[WEB], .ttl_min_s = 5, .ttl_max_s = 60
	};
	names[1] = (struct model_dns_name){
		.name = "api.test", .service = &services[API], .ttl_min_s = 5, .ttl_max_s = 30
	};
	m = (struct model){ .sites = sites,
		            .n_sites = 3,
		            .services = services,
		            .n_services = 3,
		            .dns_names = names,
		            .n_dns_names = 2,
		            .hash_key = { 9, 9 } }; /* the projection must not use this one */
}

/* A crowd: the first keys have most of the queries. */
static struct steer_keys *make_crowd(uint32_t n)
{
	struct steer_keys *k = steer_keys_new(n, 2, 0);

	assert_non_null(k);
	k->covered_s = 600;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t h = hash_mix(i + 77);

		k->keys[i].key[0] = i % 5 ? 4 : 6;
		memcpy(k->keys[i].key + 1, &h, i % 5 ? 3 : 7);
		k->keys[i].name = steer_keys_name_id(names[i % 3 == 0].name);
		k->keys[i].queries = 1 + 20000 / (i + 1);
	}
	for (uint32_t i = 0; i < 2; i++)
		k->names[i].name = steer_keys_name_id(names[i].name);
	for (uint32_t i = 0; i < n; i++)
		k->names[i % 3 == 0].queries += k->keys[i].queries;
	steer_keys_settle(k);
	return k;
}

static int setup(void **state)
{
	(void)state;
	make_model();
	seen = make_crowd(KEYS);
	out = calloc(1, sizeof(*out));
	memset(gates, 0, sizeof(gates));
	target = (struct projection_gate){ .site = AMS, .service = PROJECTION_ALL };
	for (uint32_t i = 0; i < 3; i++)
		now[i] = (struct projection_site_now){ .flows.known = true, .bits.known = true };
	in = (struct projection_input){
		.sites = now, .targets = &target, .n_targets = 1, .steps_ppm = steps, .n_steps = 5
	};
	memcpy(steps, (const uint32_t[]){ 100000, 250000, 500000, 750000, 1000000 },
	       5 * sizeof(*steps));
	return projector_new(&m, place_key, &projector);
}

static int teardown(void **state)
{
	(void)state;
	projector_free(projector);
	steer_keys_free(seen);
	free(out);
	return 0;
}

/* --- brute force --- */

/* The queries of the crowd for @p service that get @p site while the sites have these levels. */
static uint64_t count_queries(uint32_t service, uint32_t site, const uint32_t levels[3])
{
	struct arena *a = arena_new(1 << 20);
	struct steering *p = steering_new(&m, a);
	struct steering_state *s = calloc(1, sizeof(*s) + 8 * sizeof(s->sites[0]));
	const struct steering_service *of = &p->services[service];
	uint64_t sum = 0;

	p->key = (struct hash_key){ place_key[0], place_key[1] };
	s->n_sites = p->n_states;
	for (uint32_t k = 0; k < of->n_sites; k++)
		s->sites[of->first_state + k].drained_ppm =
		        levels[services[service].at[k].site->index];
	for (size_t i = 0; i < seen->n_keys; i++) {
		struct steering_key key = { .bits = seen->keys[i].key[0] == 4 ? 24 : 56 };
		struct steering_choice c;

		if (seen->keys[i].name != steer_keys_name_id(names[service].name))
			continue;
		memcpy(key.bytes, seen->keys[i].key, 8);
		c = steering_choose(p, s, service, true, &key, 0);
		if (c.site >= 0 && services[service].at[c.site].site->index == site)
			sum += seen->keys[i].queries;
	}
	free(s);
	arena_free(a);
	return sum;
}

/* Each query is one flow a second here, and 1,000 bits. */
static inline void load_sites(const uint32_t levels[3])
{
	size_t n = 0;

	for (uint32_t service = 0; service < 2; service++)
		for (size_t k = 0; k < services[service].n_at; k++) {
			uint32_t site = services[service].at[k].site->index;
			uint64_t load = count_queries(service, site, levels);

			flows[n++] = (struct projection_flows){ service, site, load, load };
		}
	for (uint32_t i = 0; i < 3; i++)
		now[i].flows.value = now[i].bits.value = 0;
	for (size_t i = 0; i < n; i++) {
		now[flows[i].site].flows.value += flows[i].now_per_s;
		now[flows[i].site].bits.value += 1000 * flows[i].now_per_s;
	}
	in.flows = flows;
	in.n_flows = n;
}

static inline void make_projection(void)
{
	assert_int_equal(projector_add(projector, seen), 0);
	assert_int_equal(projection_make(projector, &in, out), 0);
}

static void assert_near(uint64_t is, uint64_t expected, uint64_t slack)
{
	if (is + slack < expected || expected + slack < is)
		fail_msg("%llu, expected %llu", (unsigned long long)is,
		         (unsigned long long)expected);
}

/* All sites of one step, against brute force at these levels. */
static inline void assert_step(const struct projection_step *step, const uint32_t levels[3],
                               bool only_web)
{
	uint64_t web[3], api[3], whole = 0;
	const uint32_t none[3] = { 0 };

	for (uint32_t i = 0; i < 3; i++) {
		web[i] = count_queries(WEB, i, levels);
		api[i] = i == LON ? 0 : count_queries(API, i, only_web ? none : levels);
		whole += web[i] + (only_web ? 0 : api[i]);
	}
	for (uint32_t i = 0; i < 3; i++) {
		uint64_t share = web[i] + (only_web ? 0 : api[i]);

		assert_true(step->sites[i].flows.known && step->sites[i].bits.known);
		assert_near(step->sites[i].flows.value, web[i] + api[i], 2);
		assert_near(step->sites[i].bits.value, 1000 * (web[i] + api[i]), 2000);
		assert_near(step->sites[i].share_ppm.value, share * 1000000 / whole, 40);
	}
}

#endif
