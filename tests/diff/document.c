/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/document.h"

#include <stdio.h>
#include <stdlib.h>

#include "diff/dpdk.h"

#define IDLE_MS 30000u
#define POOL_SLOTS                                                                                 \
	64u /* few, so that changes meet flows; a pool that is read from a file has more: */
#define DPDK_SLOTS      4096u
#define DPDK_EXCEPTIONS 1024u

static void exit_with_error(const char *what)
{
	fprintf(stderr, "weir-diff: %s\n", what);
	exit(2);
}

const char *const document_pools[STAGE_POOLS] = { "agents", "gue", "layer2", "plain" };
const enum model_mode document_modes[STAGE_POOLS] = { MODEL_MODE_GUE, MODEL_MODE_GUE, MODEL_MODE_L2,
	                                              MODEL_MODE_IPIP };
static const char *const names[STAGE_BACKENDS] = { "a", "b", "c", "d", "e", "f" };
static struct model_site site = { .name = "s", .region = "", .weight = 100 };
static struct model_check check = { .name = "c",
	                            .type = MODEL_CHECK_TCP,
	                            .path = "/",
	                            .host = "",
	                            .expect = 200,
	                            .interval_ms = 1000,
	                            .fast_interval_ms = 500,
	                            .timeout_ms = 500,
	                            .rise = 1,
	                            .fall = 1,
	                            .damp_half_life_ms = 10000,
	                            .damp_max_ms = 60000 };
static const struct model_port port = { .interface = DPDK_INTERFACE,
	                                .device = "net_tap0,iface=" DPDK_NIC ",mac=" DPDK_MAC };
static struct model_node self = { .name = "n",
	                          .site = &site,
	                          .driver = MODEL_DRIVER_DPDK,
	                          .ports = &port,
	                          .n_ports = 1,
	                          .dpdk = { .hugepages = MODEL_HUGEPAGES_NO,
	                                    .memory_mb = MODEL_MEMORY_MB },
	                          .mtu = 1500,
	                          .api = "",
	                          .announce = { .table = MODEL_ANNOUNCE_TABLE,
	                                        .gshut_table = MODEL_ANNOUNCE_GSHUT_TABLE,
	                                        .socket = "" } };
static struct addr addresses[5];
static const struct model_site *const lives_at[] = { &site };
static struct model_vip vip = {
	.name = "v", .sites = lives_at, .n_sites = 1, .addresses = addresses, .n_addresses = 5
};
struct model_backend document_backends[STAGE_POOLS][STAGE_BACKENDS];

#define UDP(NAME, PORT, POLICY)                                                                    \
	{                                                                                          \
		.name = NAME, .protocol = MODEL_UDP, .port = PORT, .udp_idle_ms = 10000,           \
		.udp_policy = POLICY                                                               \
	}
#define TCP(NAME, PORT, HASH)                                                                      \
	{                                                                                          \
		.name = NAME, .protocol = MODEL_TCP, .port = PORT, .hash = HASH,                   \
		.udp_idle_ms = 30000                                                               \
	}

/* The ports that generate.c sends to, by name, and the pool of each. */
static const struct model_service services[DOCUMENT_SERVICES] = {
	TCP("agents", 85, MODEL_HASH_FLOW),    UDP("agents-udp", 83, MODEL_UDP_KEEP),
	TCP("gue", 84, MODEL_HASH_FLOW),       TCP("https", 443, MODEL_HASH_FLOW),
	TCP("layer2", 81, MODEL_HASH_FLOW),    TCP("source", 82, MODEL_HASH_SOURCE),
	UDP("udp-keep", 4433, MODEL_UDP_KEEP), UDP("udp-migrate", 53, MODEL_UDP_MIGRATE),
	UDP("udp-reset", 86, MODEL_UDP_RESET),
};
static const uint8_t pool_of[DOCUMENT_SERVICES] = { 0, 0, 1, 3, 2, 3, 3, 3, 3 };

static void parse_address(const char *text, struct addr *out)
{
	if (addr_parse(text, out))
		exit_with_error(text);
}

static void make_backend(uint32_t pool, uint32_t i)
{
	struct model_backend *b = &document_backends[pool][i];
	char text[64];

	/*
	 * Pool and number are the last two bytes. Tunnels of both families where there is no
	 * agent.
	 */
	snprintf(text, sizeof(text), pool && i >= 3 ? "2001:db8:b::%x%02x" : "10.1.%u.%u", pool,
	         i + 1);
	*b = (struct model_backend){ .name = names[i], .weight = 100 };
	parse_address(text, &b->address);
	b->id = model_backend_id(&b->address, 0);
}

void document_surroundings(void)
{
	static const char *const vips[5] = { "192.0.2.80", "192.0.2.81", "198.51.100.9",
		                             "2001:db8:80::80", "2001:db8:80::81" };

	for (size_t i = 0; i < 5; i++)
		parse_address(vips[i], &addresses[i]);
	prefix_parse("10.255.1.0/24", &self.tunnel_source4);
	prefix_parse("2001:db8:ff:1::/64", &self.tunnel_source6);
	for (uint32_t p = 0; p < STAGE_POOLS; p++)
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
			make_backend(p, i);
}

static void put_sets(const struct document_intent *want, struct document *doc, uint32_t pool)
{
	for (size_t i = 0; i < want->n_sets[pool]; i++) {
		struct set *copy = &doc->copies[pool][i];

		*copy = want->sets[pool][i];
		doc->sets[pool][i] =
		        (struct model_set){ copy->from_ms, copy->until_ms, copy->members, copy->n };
	}
}

static void put_overrides(const struct document_intent *want, struct document *doc, uint32_t pool)
{
	static const char *const ids[STAGE_POOLS][STAGE_BACKENDS] = {
		{ "a0", "a1", "a2", "a3", "a4", "a5" },
		{ "b0", "b1", "b2", "b3", "b4", "b5" },
		{ "c0", "c1", "c2", "c3", "c4", "c5" },
		{ "d0", "d1", "d2", "d3", "d4", "d5" },
	};

	for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
		if (want->candidates[pool][i].is_disabled)
			doc->overrides[doc->model.n_overrides++] =
			        (struct model_override){ .id = ids[pool][i],
				                         .kind = MODEL_OVERRIDE_DISABLE,
				                         .target = MODEL_TARGET_BACKEND,
				                         .pool = document_pools[pool],
				                         .name = names[i],
				                         .until_ms = MODEL_TIME_NEVER,
				                         .author = "diff",
				                         .reason = "",
				                         .node = "n" };
}

static void put_services(struct document *doc)
{
	for (size_t i = 0; i < DOCUMENT_SERVICES; i++) {
		doc->at[i] = (struct model_at){
			.site = &site, .vip = &vip, .pool = &doc->pools[pool_of[i]], .weight = 1
		};
		doc->services[i] = services[i];
		doc->services[i].at = &doc->at[i];
		doc->services[i].n_at = 1;
	}
	doc->model.services = doc->services;
	doc->model.n_services = DOCUMENT_SERVICES;
}

void document_make(const struct document_intent *want, uint64_t number, const struct dpdk *dpdk,
                   struct document *doc)
{
	const uint32_t slots = dpdk ? DPDK_SLOTS : POOL_SLOTS;

	*doc = (struct document){ .model = {
		                          .meta = { .document = number, .digest = "" },
		                          .cluster = "diff",
		                          .hash_key_id = "k1",
		                          .hash_key_file = dpdk ? dpdk_key_file(dpdk) : "",
		                          .hash_key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u },
		                          .max_sites_out = 1,
		                          .limits = { 64, STAGE_POOLS * 7, STAGE_POOLS * slots,
		                                      dpdk ? DPDK_EXCEPTIONS : STAGE_EXCEPTIONS },
		                          .sites = &site,
		                          .n_sites = 1,
		                          .nodes = &self,
		                          .n_nodes = 1,
		                          .checks = &check,
		                          .n_checks = 1,
		                          .pools = doc->pools,
		                          .n_pools = STAGE_POOLS,
		                          .vips = &vip,
		                          .n_vips = 1,
		                          .overrides = doc->overrides,
		                          .self = &self } };
	for (uint32_t p = 0; p < STAGE_POOLS; p++) {
		doc->pools[p] = (struct model_pool){ .name = document_pools[p],
			                             .site = &site,
			                             .check = &check,
			                             .mode = document_modes[p],
			                             .agent = p == 0,
			                             .max_backends = STAGE_BACKENDS,
			                             .n_slots = slots,
			                             .max_remove_percent = 100,
			                             .settle_ms = DOCUMENT_SETTLE_MS,
			                             .idle_ms = IDLE_MS,
			                             .index = p,
			                             .backends = document_backends[p],
			                             .n_backends = STAGE_BACKENDS,
			                             .member_sets = doc->sets[p],
			                             .n_member_sets = want->n_sets[p] };
		put_sets(want, doc, p);
		put_overrides(want, doc, p);
	}
	put_services(doc);
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct model_member *)a)->id, y = ((const struct model_member *)b)->id;

	return x < y ? -1 : x > y;
}

void intent_announce(struct document_intent *want, uint32_t pool, int64_t from_ms, int64_t claim_ms)
{
	struct set *set = &want->sets[pool][want->n_sets[pool]++];

	if (want->n_sets[pool] > 1)
		set[-1].until_ms = from_ms + claim_ms;
	*set = (struct set){ .from_ms = from_ms, .until_ms = MODEL_TIME_NEVER };
	for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
		if (want->candidates[pool][i].is_member)
			set->members[set->n++] = (struct model_member){
				.id = document_backends[pool][i].id,
				.address = document_backends[pool][i].address,
				.weight = want->candidates[pool][i].weight,
			};
	qsort(set->members, set->n, sizeof(set->members[0]), by_id);
}

void intent_forget(struct document_intent *want, uint32_t pool, int64_t wall_clock_ms)
{
	struct set *sets = want->sets[pool];
	size_t n = 0;

	for (size_t i = 0; i < want->n_sets[pool]; i++)
		if (i + 1 == want->n_sets[pool] || sets[i].until_ms > wall_clock_ms)
			sets[n++] = sets[i];
	want->n_sets[pool] = n;
}
