/* SPDX-License-Identifier: BSD-2-Clause */
/* Two equal models in memory, of which the second differs in a few fields; and the sentences of the risks that follow. */
#ifndef WEIR_TESTS_MGMT_RISK_WORLD_H
#define WEIR_TESTS_MGMT_RISK_WORLD_H

#include "fixture.h"

#include "base/arena.h"
#include "mgmt/rules/risk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KEEP     UINT64_MAX /* a value that stays as the base has it */

struct world {
	struct model m;
	struct model_site sites[3];
	struct model_node nodes[2];
	struct model_port ports[3];
	struct model_mac macs[2];
	struct addr listen[4], controls[2], addresses[6];
	struct model_check checks[2];
	struct model_backend backends[6];
	struct model_pool pools[2];
	const struct model_site *lives_at[3]; /* the VIPs' sites */
	struct model_vip vips[3];
	const struct model_vip *announced[1]; /* by the first node, once it has a daemon */
	struct model_at at[4];                /* the first is quic's */
	struct model_service services[2];
	struct model_zone zones[2];
	struct model_dns_name names[2];
};

/* A field of the world, as it is before and after: a number, a text, or the address of another part of the same world. */
struct set {
	size_t off, size;
	uint64_t from, to;
	const char *text_from, *text_to;
	size_t part; /* its offset in the world and 1; 0: none */
};
#define FIELD(f) .off = offsetof(struct world, f), .size = sizeof(((struct world *)0)->f)
#define NUMBER(f, a, b)                                                                            \
	{                                                                                          \
		FIELD(f), .from = (a), .to = (b)                                                   \
	}
#define TEXT(f, a, b)                                                                              \
	{                                                                                          \
		FIELD(f), .text_from = (a), .text_to = (b)                                         \
	}
#define POINTS(f, other)                                                                           \
	{                                                                                          \
		FIELD(f), .part = offsetof(struct world, other) + 1                                \
	}

struct figure {
	const char *expected;
	struct set sets[6];
};

static inline void make_sites(struct world *w)
{
	static const char *const names[] = { "ams", "fra", "par" };
	static const uint32_t weights[] = { 50, 30, 20 };

	for (size_t i = 0; i < 3; i++) {
		w->sites[i] = (struct model_site){ .name = names[i],
			                           .region = "",
			                           .capacity_bits = 1000 };
		w->lives_at[i] = &w->sites[i];
		w->vips[i] = (struct model_vip){ .name = names[i],
			                         .sites = &w->lives_at[i],
			                         .n_sites = 1,
			                         .addresses = &w->addresses[i ? 2 + i : 0],
			                         .n_addresses = i ? 1 : 2 };
		w->at[1 + i] = (struct model_at){ .site = &w->sites[i],
			                          .vip = &w->vips[i],
			                          .pool = &w->pools[i > 0],
			                          .weight = weights[i] };
	}
	w->at[0] = w->at[1];
	for (size_t i = 0; i < COUNT(w->addresses); i++)
		w->addresses[i].bytes[15] = (uint8_t)(10 + i);
}

static inline void make_nodes(struct world *w)
{
	for (size_t i = 0; i < COUNT(w->listen); i++)
		w->listen[i].bytes[15] = (uint8_t)(50 + i);
	for (size_t i = 0; i < 2; i++) {
		w->macs[i].bytes[5] = (uint8_t)(1 + i);
		w->controls[i].bytes[0] = (uint8_t)(1 + i);
	}
	w->ports[0] = (struct model_port){ "eth1", "", w->macs, 2 };
	w->ports[1] = (struct model_port){ "eth2", "", NULL, 0 };
	w->ports[2] = (struct model_port){ "eth1", "", NULL, 0 };
	w->nodes[0] =
	        (struct model_node){ .name = "n1",
		                     .site = &w->sites[0],
		                     .ports = w->ports,
		                     .n_ports = 2,
		                     .dpdk = { .cores = { 3, 5 }, .n_cores = 2, .memory_mb = 512 },
		                     .tunnel_source4 = { .bits = 24 },
		                     .tunnel_source6 = { .bits = 64 },
		                     .mtu = 1500,
		                     .dns_listen = w->listen,
		                     .n_dns_listen = 4,
		                     .api = "https://a",
		                     .controls = w->controls,
		                     .n_controls = 2,
		                     .announce = { .table = 177,
		                                   .gshut_table = 178,
		                                   .vips = w->announced,
		                                   .n_vips = 1,
		                                   .dns = w->listen,
		                                   .n_dns = 2 } };
	w->announced[0] = &w->vips[0];
	w->nodes[1] = (struct model_node){ .name = "n2",
		                           .site = &w->sites[1],
		                           .ports = &w->ports[2],
		                           .n_ports = 1,
		                           .mtu = 1500,
		                           .api = "" };
}

static inline void make_pools(struct world *w)
{
	for (size_t i = 0; i < 2; i++) {
		w->checks[i] = (struct model_check){ .name = i ? "vip" : "web",
			                             .type = MODEL_CHECK_HTTP,
			                             .port = 80,
			                             .path = "/h",
			                             .host = "x",
			                             .expect = 200,
			                             .interval_ms = 1000,
			                             .timeout_ms = 500,
			                             .rise = 2,
			                             .fall = 3,
			                             .damp_turns = 5,
			                             .damp_max_ms = 60000,
			                             .detect_worst_ms = 2000 };
		w->pools[i] = (struct model_pool){ .name = i ? "b" : "a",
			                           .check = i ? NULL : &w->checks[0],
			                           .max_backends = 10,
			                           .n_slots = 1024,
			                           .min_healthy_percent = 50,
			                           .max_remove_percent = 50,
			                           .settle_ms = 3000,
			                           .idle_ms = 1000,
			                           .backends = &w->backends[i ? 4 : 0],
			                           .n_backends = i ? 2 : 4 };
	}
	for (size_t i = 0; i < COUNT(w->backends); i++)
		w->backends[i] = (struct model_backend){ .id = 60 - 10 * i, .weight = 100 };
}

static inline void make_services(struct world *w)
{
	for (size_t i = 0; i < 2; i++) {
		w->services[i] = (struct model_service){ .name = i ? "web" : "quic",
			                                 .protocol = i ? MODEL_TCP : MODEL_UDP,
			                                 .port = i ? 80 : 443,
			                                 .vip_check = i ? &w->checks[1] : NULL,
			                                 .udp_idle_ms = 1000,
			                                 .at = &w->at[i],
			                                 .n_at = i ? 3 : 1 };
		w->names[i] = (struct model_dns_name){ .name = i ? "www" : "q",
			                               .service = &w->services[i],
			                               .ttl_min_s = 5,
			                               .ttl_max_s = 60 };
		w->zones[i] = (struct model_zone){ .name = i ? "two" : "one",
			                           .file = "/none",
			                           .digest = "d" };
	}
}

static inline void make_world(struct world *w)
{
	*w = (struct world){
		.m = { .cluster = "shop",
		       .hash_key_id = "k1",
		       .hash_key = { 1, 2 },
		       .limits = { 1000, 2000, 3000, 4000 },
		       .sites = w->sites,
		       .n_sites = 3,
		       .nodes = w->nodes,
		       .n_nodes = 2,
		       .pools = w->pools,
		       .n_pools = 2,
		       .services = w->services,
		       .n_services = 2,
		       .zones = w->zones,
		       .n_zones = 2,
		       .dns_names = w->names,
		       .n_dns_names = 2 },
	};
	make_sites(w);
	make_nodes(w);
	make_pools(w);
	make_services(w);
}

static inline void apply_set(struct world *w, const struct set *s, bool after)
{
	const char *text = after ? s->text_to : s->text_from;
	uint64_t value = after ? s->to : s->from;
	const void *part = (char *)w + s->part - 1;

	if (s->part && after)
		memcpy((char *)w + s->off, &part, sizeof(part));
	else if (s->text_to)
		memcpy((char *)w + s->off, &text, sizeof(text));
	else if (!s->part && s->size && value != KEEP)
		memcpy((char *)w + s->off, &value, s->size);
}

/* Each risk as "SUBJECT: WHAT (RULE FIGURE)", one a line. */
static inline void describe_risks(const struct model *from, const struct model *to, char *out,
                                  size_t size)
{
	struct arena *arena = arena_new((size_t)1 << 20);
	const struct risk *risks;
	size_t n_all, n = risk_find(from, to, arena, &risks, &n_all), used = 0;

	assert_int_equal(n, n_all);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct rule_row *rule = risks[i].rule;
		const char *harm = strstr(risks[i].text, rule->means);
		char figure[128], rest[128], *end;

		assert_non_null(harm);
		snprintf(rest, sizeof(rest), " (rule %s: ", rule->name);
		assert_memory_equal(harm + strlen(rule->means), rest, strlen(rest));
		snprintf(figure, sizeof(figure), "%s", harm + strlen(rule->means) + strlen(rest));
		end = strstr(figure, ", risky");
		assert_non_null(end);
		*end = '\0';
		used += (size_t)snprintf(out + used, size - used, "%.*s (%s %s)\n",
		                         (int)(harm - 2 - risks[i].text), risks[i].text, rule->name,
		                         figure);
		assert_true(used < size);
	}
	arena_free(arena);
}

static inline void check_figures(const struct figure *list, size_t n)
{
	static struct world from, to;
	char found[4096];

	for (size_t i = 0; i < n; i++) {
		make_world(&from);
		make_world(&to);
		for (size_t k = 0; k < COUNT(list[i].sets); k++) {
			apply_set(&from, &list[i].sets[k], false);
			apply_set(&to, &list[i].sets[k], true);
		}
		describe_risks(&from.m, &to.m, found, sizeof(found));
		if (strcmp(found, list[i].expected) != 0)
			fail_msg("%zu: found:\n%sexpected:\n%s", i, found, list[i].expected);
	}
}

#endif
