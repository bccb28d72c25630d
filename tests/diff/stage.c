/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/log.h"
#include "diff/document.h"
#include "diff/dpdk.h"
#include "weir/health.h"
#include "weir/model.h"

#define WALL_MS   1700000000000
#define BEGIN_MS  5000000u
#define STEP_MS   250u
#define ROUTES_MS 1000u

/** The kernel's answers about next hops; see hops_get() below. */
struct stage_hops {
	bool is_kernels; /**< it is asked by a process, and must say the same */
	uint32_t ifindex;
	struct hop hop[STAGE_POOLS][STAGE_BACKENDS];
};

struct stage {
	struct diff *diff;
	struct compiler node;
	struct stage_hops hops;
	struct compiler_time time;
	struct health_page *health;
	struct document_intent intent;
	struct document documents[2];
	unsigned int next; /**< the document that is not in force */
	uint64_t n_documents;
	bool is_down;        /**< the process is dead */
	uint64_t back_at_ms; /**< when it comes back */
	uint64_t tick_at_ms; /**< when it wants to be called */
	unsigned long done[STAGE_CHANGES], refused;
};

static void exit_with_error(const char *what)
{
	fprintf(stderr, "weir-diff: %s\n", what);
	exit(2);
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

void hops_heard(struct hops *h, const struct addr *address, enum hop_heard heard)
{
	(void)h, (void)address, (void)heard;
}

void hops_doubt(struct hops *h, const struct addr *address)
{
	(void)h, (void)address;
}

bool hops_get(const struct hops *h, const struct addr *address, struct hop *out)
{
	const struct stage_hops *hops = (const struct stage_hops *)h;

	*out = hops->hop[address->bytes[14]][address->bytes[15] - 1];
	return true;
}

/* The kernel's way: only the neighbour's MAC can change. */
static void set_kernels_hop(struct stage *s, uint32_t pool, uint32_t i)
{
	struct hop *hop = &s->hops.hop[pool][i];

	*hop = (struct hop){
		.state = HOP_KNOWN,
		.ifindex = s->hops.ifindex,
		.route_ifindex = s->hops.ifindex,
		.mtu = 1500,
		.on_link = true,
		.mac_to = { 2, 0xbb, 0, 0, 0, (uint8_t)random_below(&s->diff->random, 256) },
		.mac_from = { 2, 0xaa, 0, 0, 0, 1 },
	};
	dpdk_neighbour(&document_backends[pool][i].address, hop->mac_to);
}

static void set_hop(struct stage *s, uint32_t pool, uint32_t i)
{
	struct random *r = &s->diff->random;

	if (s->hops.is_kernels) {
		set_kernels_hop(s, pool, i);
		return;
	}
	s->hops.hop[pool][i] = (struct hop){
		.state = random_below(r, 8) ? HOP_KNOWN : HOP_NO_ROUTE,
		.ifindex = random_below(r, 4) ? DIFF_LOOPBACK : DIFF_OTHER_PORT,
		.on_link = true,
		.vlan = random_below(r, 4) ? 0 : 100,
		.mtu = random_below(r, 4) ? 1600 : 1500,
		.mac_to = { 2, 0xbb, 0, 0, 0, (uint8_t)random_below(r, 256) },
		.mac_from = { 2, 0xaa, 0, 0, 0, 1 },
	};
}

/* --- a driver that is the native side, whose tables it has --- */

static void stage_tables(const struct driver *driver, struct fwd_tables *out)
{
	const struct diff *diff = (const struct diff *)driver;

	*out = diff->native.t;
}

static void stage_sizes(const struct driver *driver, struct driver_sizes *out)
{
	const struct diff *diff = (const struct diff *)driver;

	*out = diff->native.sizes;
}

static void stage_grace(struct driver *driver)
{
	(void)driver;
}

static const struct driver_ops ops = {
	.name = "stage", .tables = stage_tables, .sizes = stage_sizes, .grace = stage_grace
};

/* --- documents --- */

/* Half of the documents come as the thread that reads them hands them over: with rings. */
static void take_document(struct stage *s)
{
	struct document *doc = &s->documents[s->next];
	struct plan *plan = NULL;
	char why[PLAN_REASON_MAX] = "";
	int err;

	s->n_documents++;
	document_make(&s->intent, s->n_documents, s->diff->dpdk, doc);
	err = plan_make(&doc->model, s->time.wall_clock_ms, &plan, why);
	if (!err && random_below(&s->diff->random, 2))
		plan_fill(plan, s->node.model, s->time.wall_clock_ms);
	if (!err)
		err = compiler_apply_plan(&s->node, &doc->model, plan, &s->time, why);
	s->tick_at_ms = s->time.now_ms;
	if (!err) {
		s->next = !s->next;
		if (s->diff->dpdk)
			dpdk_document(s->diff->dpdk, &doc->model);
		return;
	}
	plan_free(plan);
	s->refused++;
	if (err != -EAGAIN) /* what was removed still rests: the next document has it again */
		exit_with_error(why);
}

/* --- changes --- */

static uint32_t count_taking(const struct stage *s, uint32_t pool)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
		n += s->intent.candidates[pool][i].is_member &&
		     s->intent.candidates[pool][i].weight && !s->intent.candidates[pool][i].is_dead;
	return n;
}

/* Add, drain, remove, bring back, or weigh otherwise; at once or from an instant ahead on. */
static bool change_members(struct stage *s, uint32_t pool, struct candidate *c)
{
	struct random *r = &s->diff->random;
	int64_t from_ms = s->time.wall_clock_ms + (random_below(r, 2) ? 0 : random_below(r, 4000));

	intent_forget(&s->intent, pool, s->time.wall_clock_ms);
	if (s->intent.n_sets[pool] == DOCUMENT_SETS_MAX ||
	    s->intent.sets[pool][s->intent.n_sets[pool] - 1].from_ms > s->time.wall_clock_ms)
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
	intent_announce(&s->intent, pool, from_ms,
	                random_below(r, 2) ? DOCUMENT_SETTLE_MS : 5000 + random_below(r, 30000));
	take_document(s);
	return true;
}

static void publish_health(struct stage *s, uint32_t pool, uint32_t i)
{
	const uint64_t target =
	        health_target_backend(document_pools[pool], document_backends[pool][i].id);
	bool dead = s->intent.candidates[pool][i].is_dead;

	health_write(s->health, health_find_index(s->health, target),
	             health_make(dead ? HEALTH_DOWN : HEALTH_UP, 0,
	                         dead ? HEALTH_REASON_REFUSED : HEALTH_REASON_OK, 1));
}

static void take_verdicts(struct stage *s)
{
	compiler_read_verdicts(&s->node, &s->time);
	s->tick_at_ms = s->time.now_ms;
}

static void start_node(struct stage *s, bool kept)
{
	if (compiler_init(&s->node, &ops, (struct driver *)s->diff, kept))
		exit_with_error("no node");
	s->node.hops = (struct hops *)&s->hops;
	compiler_set_health(&s->node, s->health);
}

/* The process ends; packets flow on, and for a while nobody looks after the tables. */
static void stop_process(struct stage *s)
{
	compiler_fini(&s->node);
	s->is_down = true;
	s->back_at_ms = s->time.now_ms +
	                random_below(&s->diff->random, 2) * random_below(&s->diff->random, 60000);
}

static void start_again(struct stage *s)
{
	start_node(s, true);
	s->is_down = false;
	take_document(s);
	take_verdicts(s);
}

static void pass_time(struct stage *s, uint64_t ms)
{
	s->time.now_ms += ms;
	s->time.ticks_ms += ms;
	s->time.wall_clock_ms += (int64_t)ms;
}

/* As process.c does it. */
static void tick_stage(struct stage *s)
{
	if (!s->is_down && s->time.now_ms >= s->tick_at_ms)
		s->tick_at_ms = compiler_tick(&s->node, &s->time);
}

/* In steps: what waits for a time is called at about that. */
static void let_pass(struct stage *s, uint32_t ms)
{
	for (uint32_t passed = 0; passed < ms; passed += STEP_MS) {
		pass_time(s, STEP_MS);
		if (s->is_down && s->time.now_ms >= s->back_at_ms)
			start_again(s);
		tick_stage(s);
		if (!s->is_down)
			compiler_update_mtus(&s->node, s->time.now_ms);
		if (s->diff->dpdk)
			dpdk_set_time(s->diff->dpdk, &s->time);
	}
}

/* Then its port is up, and after a while it has asked for all routes. */
static void start_dpdk(struct stage *s, struct dpdk *dpdk)
{
	dpdk_set_time(dpdk, &s->time);
	dpdk_start(dpdk);
	tick_stage(s);
	let_pass(s, ROUTES_MS);
}

/* No packets meanwhile: with the process its driver has gone. */
static void restart_dpdk(struct stage *s, struct dpdk *dpdk)
{
	dpdk_kill(dpdk);
	stop_process(s);
	pass_time(s, s->back_at_ms - s->time.now_ms);
	start_again(s);
	start_dpdk(s, dpdk);
}

static bool change_once(struct stage *s, enum stage_change what)
{
	struct random *r = &s->diff->random;
	uint32_t pool = random_below(r, STAGE_POOLS), i = random_below(r, STAGE_BACKENDS);
	struct candidate *c = &s->intent.candidates[pool][i];

	switch (what) {
	case STAGE_MEMBERS:
		return change_members(s, pool, c);
	case STAGE_DEATH:
		c->is_dead = !c->is_dead && random_below(r, 3) == 0;
		publish_health(s, pool, i);
		take_verdicts(s);
		if (s->diff->dpdk)
			dpdk_verdicts(s->diff->dpdk);
		return true;
	case STAGE_DISABLED:
		c->is_disabled = !c->is_disabled && random_below(r, 3) == 0;
		take_document(s);
		return true;
	case STAGE_HOP:
		set_hop(s, pool, i);
		compiler_on_hop(&s->node, &document_backends[pool][i].address, NULL);
		return true;
	default:
		if (s->diff->dpdk)
			restart_dpdk(s, s->diff->dpdk);
		else
			stop_process(s);
		return true;
	}
}

static uint32_t packets_clock(const struct stage *s)
{
	return (uint32_t)(s->time.ticks_ms / 1000);
}

/* What comes right after anything else, and what other tables there are. */
static void settle_in(struct stage *s)
{
	tick_stage(s);
	diff_set_time(s->diff, packets_clock(s));
	diff_share(s->diff);
	diff_check_dpdk(s->diff);
}

void stage_change(struct stage *s, enum stage_change what)
{
	diff_flush(s->diff);
	if (!s->is_down && change_once(s, what))
		s->done[what]++;
	settle_in(s);
}

bool stage_backend(const struct stage *s, struct random *r, struct addr *out)
{
	uint32_t pool = random_below(r, STAGE_POOLS);

	(void)s;
	*out = document_backends[pool][random_below(r, STAGE_BACKENDS)].address;
	return document_modes[pool] == MODEL_MODE_GUE;
}

void stage_pass_time(struct stage *s, uint32_t ms)
{
	diff_flush(s->diff);
	let_pass(s, ms);
	settle_in(s);
}

/* --- beginning and end --- */

/* Tables of the sizes that the document asks for. */
static void open_tables(struct stage *s)
{
	struct plan *plan;
	char why[PLAN_REASON_MAX] = "";

	document_make(&s->intent, 0, s->diff->dpdk, &s->documents[0]);
	if (plan_make(&s->documents[0].model, s->time.wall_clock_ms, &plan, why))
		exit_with_error(why);
	diff_open(s->diff, &plan->sizes);
	plan_free(plan);
}

static void check_all(struct stage *s)
{
	uint64_t targets[STAGE_POOLS * STAGE_BACKENDS];
	size_t n = 0;

	for (uint32_t p = 0; p < STAGE_POOLS; p++)
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
			targets[n++] = health_target_backend(document_pools[p],
			                                     document_backends[p][i].id);
	if (health_set_targets(s->health, targets, n, 1))
		exit_with_error("no targets");
	for (uint32_t p = 0; p < STAGE_POOLS; p++)
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++)
			publish_health(s, p, i);
}

struct stage *stage_open(struct diff *d)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (s)
		s->health = d->dpdk ? dpdk_health(d->dpdk) : calloc(1, sizeof(*s->health));
	if (!s || !s->health)
		exit_with_error("out of memory");
	s->diff = d;
	s->hops.is_kernels = d->dpdk;
	s->hops.ifindex = d->dpdk ? dpdk_ifindex(d->dpdk) : 0;
	s->time = (struct compiler_time){ BEGIN_MS, BEGIN_MS, WALL_MS };
	log_level(LOG_ERR); /* deaths are what this is about */
	document_surroundings();
	for (uint32_t p = 0; p < STAGE_POOLS; p++) {
		for (uint32_t i = 0; i < STAGE_BACKENDS; i++) {
			s->intent.candidates[p][i] =
			        (struct candidate){ .weight = 100, .is_member = i < 4 };
			set_hop(s, p, i);
		}
		intent_announce(&s->intent, p, s->time.wall_clock_ms - DOCUMENT_SETTLE_MS, 0);
	}
	open_tables(s);
	check_all(s);
	start_node(s, false);
	take_document(s);
	take_verdicts(s);
	if (d->dpdk)
		start_dpdk(s, d->dpdk);
	settle_in(s);
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
		compiler_fini(&s->node);
	if (!d->dpdk)
		free(s->health);
	free(s);
}
