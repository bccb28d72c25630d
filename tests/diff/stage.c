/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/log.h"
#include "weir/health.h"
#include "weir/model.h"

#define SETS_MAX   6u /**< that a document keeps of a pool here, the next one counted */
#define SERVICES   6u
#define SETTLE_MS  60000u
#define IDLE_MS    30000u
#define WALL_MS    1700000000000
#define BEGIN_MS   5000000u
#define POOL_SLOTS 64u

/** A backend, as a person and its check say. */
struct candidate {
	uint32_t weight;
	bool is_member, is_dead, is_disabled;
};

/** A set of members, by value: documents come and go. */
struct set {
	int64_t from_ms, until_ms;
	struct model_member members[STAGE_BACKENDS];
	size_t n;
};

/** A document; the node has one in force while the next is made. */
struct document {
	struct model model;
	struct model_pool pools[STAGE_POOLS];
	struct model_set sets[STAGE_POOLS][SETS_MAX];
	struct set copies[STAGE_POOLS][SETS_MAX];
	struct model_override overrides[STAGE_POOLS * STAGE_BACKENDS];
	struct model_at at[SERVICES];
	struct model_service services[SERVICES];
};

/** The kernel's answers about next hops; see hops_get() below. */
struct hops {
	struct hop hop[STAGE_POOLS][STAGE_BACKENDS];
};

struct driver {
	struct diff *diff;
};

struct stage {
	struct diff *diff;
	struct node node;
	struct driver driver;
	struct hops hops;
	struct node_time time;
	struct health_page *health;
	struct candidate candidates[STAGE_POOLS][STAGE_BACKENDS];
	struct set sets[STAGE_POOLS][SETS_MAX]; /**< oldest first */
	size_t n_sets[STAGE_POOLS];
	struct document documents[2];
	unsigned int next;   /**< the document that is not in force */
	bool is_down;        /**< the process is dead */
	uint64_t back_at_ms; /**< when it comes back */
	unsigned long done[STAGE_CHANGES], refused;
};

static void die(const char *what)
{
	fprintf(stderr, "weir-diff: %s\n", what);
	exit(2);
}

/* --- what stands still --- */

static const char *const pool_names[STAGE_POOLS] = { "agents", "plain" };
static const char *const names[STAGE_BACKENDS] = { "a", "b", "c", "d", "e", "f" };
static struct model_site site = { .name = "s" };
static struct model_check check = { .name = "c" };
static struct model_node self = { .name = "n", .site = &site, .mtu = 1600 };
static struct addr addresses[5];
static struct model_vip vip = { "v", &site, addresses, 5 };
static struct model_backend backends[STAGE_POOLS][STAGE_BACKENDS];

#define UDP(NAME, PORT, POLICY)                                                                    \
	{                                                                                          \
		.name = NAME, .protocol = MODEL_UDP, .port = PORT, .udp_idle_ms = 10000,           \
		.udp_policy = POLICY                                                               \
	}
#define TCP(NAME, PORT, HASH)                                                                      \
	{                                                                                          \
		.name = NAME, .protocol = MODEL_TCP, .port = PORT, .hash = HASH                    \
	}

/* The ports that generate.c sends to. The last two are of the pool with agents. */
static const struct model_service services[SERVICES] = {
	TCP("https", 443, MODEL_HASH_FLOW),      TCP("source", 82, MODEL_HASH_SOURCE),
	UDP("udp-keep", 4433, MODEL_UDP_KEEP),   UDP("udp-migrate", 53, MODEL_UDP_MIGRATE),
	TCP("with-agents", 85, MODEL_HASH_FLOW), UDP("with-agents-udp", 83, MODEL_UDP_KEEP),
};

static void parse(const char *text, struct addr *out)
{
	if (addr_parse(text, out))
		die(text);
}

static void make_backend(uint32_t pool, uint32_t i)
{
	struct model_backend *b = &backends[pool][i];
	char text[64];

	/* Pool and number are the last two bytes. Tunnels of both families where there is no agent. */
	snprintf(text, sizeof(text), pool && i >= 3 ? "2001:db8:b::%x%02x" : "10.1.%u.%u", pool,
	         i + 1);
	*b = (struct model_backend){ .name = names[i] };
	parse(text, &b->address);
	b->id = model_backend_id(&b->address, 0);
}

static void make_surroundings(void)
{
	static const char *const vips[5] = { "192.0.2.80", "192.0.2.81", "198.51.100.9",
		                             "2001:db8:80::80", "2001:db8:80::81" };

	for (size_t i = 0; i < 5; i++)
		parse(vips[i], &addresses[i]);
	prefix_parse("10.255.1.0/24", &self.tunnel_source4);
	prefix_parse("2001:db8:ff:1::/64", &self.tunnel_source6);
	for (uint32_t p = 0; p < STAGE_POOLS; p++)
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
			make_backend(p, i);
}

/* --- next hops: what hops.c would ask the kernel --- */

int hops_watch(struct hops *h, const struct addr *address)
{
	(void)h;
	(void)address;
	return 0;
}

void hops_unwatch(struct hops *h, const struct addr *address)
{
	(void)h;
	(void)address;
}

bool hops_get(const struct hops *h, const struct addr *address, struct hop *out)
{
	*out = h->hop[address->bytes[14]][address->bytes[15] - 1];
	return true;
}

static void set_hop(struct stage *s, uint32_t pool, uint32_t i)
{
	struct random *r = &s->diff->random;

	s->hops.hop[pool][i] = (struct hop){
		.state = random_below(r, 8) ? HOP_KNOWN : HOP_NO_ROUTE,
		.ifindex = random_below(r, 4) ? DIFF_LOOPBACK : DIFF_OTHER_PORT,
		.vlan = random_below(r, 4) ? 0 : 100,
		.mtu = random_below(r, 4) ? 1600 : 1500,
		.mac_to = { 2, 0xbb, 0, 0, 0, (uint8_t)random_below(r, 256) },
		.mac_from = { 2, 0xaa, 0, 0, 0, 1 },
	};
}

/* --- a driver whose tables are the native side's --- */

static void stage_tables(const struct driver *driver, struct fwd_tables *out)
{
	*out = driver->diff->native.t;
}

static void stage_sizes(const struct driver *driver, struct driver_sizes *out)
{
	*out = driver->diff->native.sizes;
}

static void stage_grace(struct driver *driver)
{
	(void)driver;
}

static const struct driver_ops ops = {
	.name = "stage", .tables = stage_tables, .sizes = stage_sizes, .grace = stage_grace
};

/* --- documents --- */

static void put_sets(struct stage *s, struct document *doc, uint32_t pool)
{
	for (size_t i = 0; i < s->n_sets[pool]; i++) {
		struct set *copy = &doc->copies[pool][i];

		*copy = s->sets[pool][i];
		doc->sets[pool][i] =
		        (struct model_set){ copy->from_ms, copy->until_ms, copy->members, copy->n };
	}
}

static void put_overrides(struct stage *s, struct document *doc, uint32_t pool)
{
	for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
		if (s->candidates[pool][i].is_disabled)
			doc->overrides[doc->model.n_overrides++] =
			        (struct model_override){ .id = names[i],
				                         .kind = MODEL_OVERRIDE_DISABLE,
				                         .target = MODEL_TARGET_BACKEND,
				                         .pool = pool_names[pool],
				                         .name = names[i],
				                         .until_ms = MODEL_WALL_NEVER };
}

static void put_services(struct document *doc)
{
	for (size_t i = 0; i < SERVICES; i++) {
		doc->at[i] = (struct model_at){ &site, &vip, &doc->pools[i < 4], 1 };
		doc->services[i] = services[i];
		doc->services[i].at = &doc->at[i];
		doc->services[i].n_at = 1;
	}
	doc->model.services = doc->services;
	doc->model.n_services = SERVICES;
}

static void make_document(struct stage *s, struct document *doc)
{
	*doc = (struct document){ .model = {
		                          .cluster = "diff",
		                          .hash_key = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u },
		                          .limits = { 32, 16, 2 * POOL_SLOTS, STAGE_EXCEPTIONS },
		                          .sites = &site,
		                          .n_sites = 1,
		                          .nodes = &self,
		                          .n_nodes = 1,
		                          .pools = doc->pools,
		                          .n_pools = STAGE_POOLS,
		                          .vips = &vip,
		                          .n_vips = 1,
		                          .overrides = doc->overrides,
		                          .self = &self } };
	for (uint32_t p = 0; p < STAGE_POOLS; p++) {
		doc->pools[p] = (struct model_pool){ .name = pool_names[p],
			                             .site = &site,
			                             .check = &check,
			                             .mode = p ? MODEL_MODE_IPIP : MODEL_MODE_GUE,
			                             .agent = p == 0,
			                             .n_slots = POOL_SLOTS,
			                             .max_remove_percent = 100,
			                             .settle_ms = SETTLE_MS,
			                             .idle_ms = IDLE_MS,
			                             .index = p,
			                             .backends = backends[p],
			                             .n_backends = STAGE_BACKENDS,
			                             .sets = doc->sets[p],
			                             .n_sets = s->n_sets[p] };
		put_sets(s, doc, p);
		put_overrides(s, doc, p);
	}
	put_services(doc);
}

/* Half of the documents come as the thread that reads them hands them over: with rings. */
static void take_document(struct stage *s)
{
	struct document *doc = &s->documents[s->next];
	struct plan *plan = NULL;
	char why[PLAN_WHY_MAX] = "";
	int err;

	make_document(s, doc);
	err = plan_make(&doc->model, s->time.wall_ms, &plan, why);
	if (!err && random_below(&s->diff->random, 2))
		plan_fill(plan, s->node.model, s->time.wall_ms);
	if (!err)
		err = node_take(&s->node, &doc->model, plan, &s->time, why);
	if (!err) {
		s->next = !s->next;
		return;
	}
	plan_free(plan);
	s->refused++;
	if (err != -EAGAIN) /* what was removed still rests: the next document has it again */
		die(why);
}

/* --- changes --- */

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct model_member *)a)->id, y = ((const struct model_member *)b)->id;

	return x < y ? -1 : x > y;
}

/* Announce the members as they are wanted now. */
static void announce(struct stage *s, uint32_t pool, int64_t from_ms, int64_t claim_ms)
{
	struct set *set = &s->sets[pool][s->n_sets[pool]++];

	if (s->n_sets[pool] > 1)
		set[-1].until_ms = from_ms + claim_ms;
	*set = (struct set){ .from_ms = from_ms, .until_ms = MODEL_WALL_NEVER };
	for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
		if (s->candidates[pool][i].is_member)
			set->members[set->n++] = (struct model_member){
				.id = backends[pool][i].id,
				.address = backends[pool][i].address,
				.weight = s->candidates[pool][i].weight,
			};
	qsort(set->members, set->n, sizeof(set->members[0]), by_id);
}

/* Sets whose claims have ended leave the document. */
static void forget_sets(struct stage *s, uint32_t pool)
{
	struct set *sets = s->sets[pool];
	size_t n = 0;

	for (size_t i = 0; i < s->n_sets[pool]; i++)
		if (i + 1 == s->n_sets[pool] || sets[i].until_ms > s->time.wall_ms)
			sets[n++] = sets[i];
	s->n_sets[pool] = n;
}

static uint32_t count_taking(const struct stage *s, uint32_t pool)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
		n += s->candidates[pool][i].is_member && s->candidates[pool][i].weight &&
		     !s->candidates[pool][i].is_dead;
	return n;
}

/* Add, drain, remove, bring back, or weigh otherwise; at once or from an instant ahead on. */
static bool change_members(struct stage *s, uint32_t pool, struct candidate *c)
{
	struct random *r = &s->diff->random;
	int64_t from_ms = s->time.wall_ms + (random_below(r, 2) ? 0 : random_below(r, 4000));

	forget_sets(s, pool);
	if (s->n_sets[pool] == SETS_MAX ||
	    s->sets[pool][s->n_sets[pool] - 1].from_ms > s->time.wall_ms)
		return false; /* one at a time */
	if (!c->is_member || !c->weight || random_below(r, 3) == 0) {
		c->is_member = true;
		c->weight = 50u << random_below(r, 3);
	} else {
		if (count_taking(s, pool) <= 2)
			return false;
		c->is_member = random_below(r, 2);
		c->weight = 0;
	}
	announce(s, pool, from_ms, random_below(r, 2) ? SETTLE_MS : 5000 + random_below(r, 30000));
	take_document(s);
	return true;
}

static void say(struct stage *s, uint32_t pool, uint32_t i)
{
	const uint64_t target = health_target_backend(pool_names[pool], backends[pool][i].id);
	bool dead = s->candidates[pool][i].is_dead;

	health_write(s->health, health_find(s->health, target),
	             health_make(dead ? HEALTH_DOWN : HEALTH_UP, 0,
	                         dead ? HEALTH_REASON_REFUSED : HEALTH_REASON_OK, 1));
}

static void start_node(struct stage *s, bool kept)
{
	if (node_init(&s->node, &ops, &s->driver, kept))
		die("no node");
	s->node.hops = &s->hops;
	node_health(&s->node, s->health);
}

/* The process ends; packets flow on, and for a while nobody looks after the tables. */
static void stop(struct stage *s)
{
	node_fini(&s->node);
	s->is_down = true;
	s->back_at_ms = s->time.now_ms +
	                random_below(&s->diff->random, 2) * random_below(&s->diff->random, 60000);
}

static void start_again(struct stage *s)
{
	start_node(s, true);
	s->is_down = false;
	take_document(s);
}

static bool change(struct stage *s, enum stage_change what)
{
	struct random *r = &s->diff->random;
	uint32_t pool = random_below(r, STAGE_POOLS), i = random_below(r, STAGE_BACKENDS);
	struct candidate *c = &s->candidates[pool][i];

	switch (what) {
	case STAGE_MEMBERS:
		return change_members(s, pool, c);
	case STAGE_DEATH:
		c->is_dead = !c->is_dead && random_below(r, 3) == 0;
		say(s, pool, i);
		node_verdicts(&s->node, &s->time);
		return true;
	case STAGE_DISABLED:
		c->is_disabled = !c->is_disabled && random_below(r, 3) == 0;
		take_document(s);
		return true;
	case STAGE_HOP:
		set_hop(s, pool, i);
		node_hop(&s->node, &backends[pool][i].address, NULL);
		return true;
	default:
		stop(s);
		return true;
	}
}

void stage_change(struct stage *s, enum stage_change what)
{
	diff_flush(s->diff);
	if (!s->is_down && change(s, what))
		s->done[what]++;
	diff_share(s->diff);
}

static uint32_t packets_clock(const struct stage *s)
{
	return (uint32_t)(s->time.ticks_ms / 1000);
}

void stage_pass_time(struct stage *s, uint32_t ms)
{
	diff_flush(s->diff);
	for (uint32_t step; ms; ms -= step) {
		step = ms < 250 ? ms : 250;
		s->time.now_ms += step;
		s->time.ticks_ms += step;
		s->time.wall_ms += step;
		if (s->is_down && s->time.now_ms >= s->back_at_ms)
			start_again(s);
		if (!s->is_down)
			node_tick(&s->node, &s->time);
	}
	diff_set_time(s->diff, packets_clock(s));
	diff_share(s->diff);
}

/* --- beginning and end --- */

/* Tables of the sizes that the document asks for. */
static void open_tables(struct stage *s)
{
	struct plan *plan;
	char why[PLAN_WHY_MAX] = "";

	make_document(s, &s->documents[0]);
	if (plan_make(&s->documents[0].model, s->time.wall_ms, &plan, why))
		die(why);
	diff_open(s->diff, &plan->sizes);
	plan_free(plan);
}

static void check_all(struct stage *s)
{
	uint64_t targets[STAGE_POOLS * STAGE_BACKENDS];
	size_t n = 0;

	for (uint32_t p = 0; p < STAGE_POOLS; p++)
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
			targets[n++] = health_target_backend(pool_names[p], backends[p][i].id);
	if (health_set_targets(s->health, targets, n, 1))
		die("no targets");
	for (uint32_t p = 0; p < STAGE_POOLS; p++)
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
			say(s, p, i);
}

struct stage *stage_open(struct diff *d)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (s)
		s->health = calloc(1, sizeof(*s->health));
	if (!s || !s->health)
		die("out of memory");
	s->diff = s->driver.diff = d;
	s->time = (struct node_time){ BEGIN_MS, BEGIN_MS, WALL_MS };
	log_level(LOG_ERR); /* deaths are what this is about */
	make_surroundings();
	for (uint32_t p = 0; p < STAGE_POOLS; p++) {
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++) {
			s->candidates[p][i] =
			        (struct candidate){ .weight = 100, .is_member = i < 4 };
			set_hop(s, p, i);
		}
		announce(s, p, s->time.wall_ms - SETTLE_MS, 0);
	}
	open_tables(s);
	check_all(s);
	start_node(s, false);
	take_document(s);
	diff_set_time(d, packets_clock(s));
	diff_share(d);
	return s;
}

void stage_close(struct stage *s)
{
	struct diff *d = s->diff;

	printf("changes: %lu of members, %lu verdicts, %lu by a person, %lu next hops, %lu restarts, "
	       "%lu refused; %.0f s\n",
	       s->done[STAGE_MEMBERS], s->done[STAGE_DEATH], s->done[STAGE_DISABLED],
	       s->done[STAGE_HOP], s->done[STAGE_RESTART], s->refused,
	       (double)(s->time.now_ms - BEGIN_MS) / 1000);
	diff_close(d);
	if (!s->is_down)
		node_fini(&s->node);
	free(s->health);
	free(s);
}
