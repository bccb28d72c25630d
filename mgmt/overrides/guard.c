/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each guard adds one verdict with a sentence. What is not known (no health page, no load figures)
 * does not refuse: a drain must be possible while half the cluster cannot be seen. The load of
 * receivers is a forecast: the traffic that leaves is shared among them as DNS shares clients
 * (steering_share()), each name of the site's services counted alike.
 *
 * Overrides are indexed by target once: thousands of them lie beside thousands of names and backends.
 */
#include "mgmt/overrides/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/listed.h"
#include "base/sorted.h"
#include "mgmt/overrides/override_index.h"
#include "weir/health.h"
#include "weir/steering.h"

#define NAMES_TEXT_MAX 151u /* bytes of a list of names in a sentence */

/* A step to a part of a site, or of one service, leaves it to the others: no target is gone. */
bool guard_removes_target(const struct override *o, int64_t now_ms)
{
	if (o->is_step && (o->to_ppm < MODEL_PPM_ALL || *o->service))
		return false;
	return !override_is_done(o, now_ms) && override_time(o, now_ms) < o->until_ms &&
	       (o->kind == MODEL_OVERRIDE_DRAIN || o->kind == MODEL_OVERRIDE_DISABLE);
}

/* Whether an override takes the target out of service now or soon. */
static bool is_target_out(const struct override_index *index, enum model_target_kind kind,
                          const char *pool, const char *name, int64_t now_ms)
{
	const struct override *const *list;
	size_t n = override_index_find(index, kind, pool, name, &list);

	for (size_t i = 0; i < n; i++)
		if (guard_removes_target(list[i], now_ms))
			return true;
	return false;
}

/* Add a verdict with its sentence. The caller sets `unknown`, if it is, on the one returned. */
__attribute__((format(printf, 4, 5))) static struct guard_verdict *
add_verdict(struct guard_result *r, enum rule_id guard, bool ok, const char *format, ...)
{
	struct guard_verdict *v = &r->verdicts[r->n_verdicts++];
	va_list list;

	v->guard = rule_rows[guard].name;
	v->ok = ok;
	v->unknown = false;
	v->wait_s = 0;
	va_start(list, format);
	vsnprintf(v->detail, sizeof(v->detail), format, list);
	va_end(list);
	return v;
}

static enum health_state seen_state(const struct guard_observed *seen, uint64_t target)
{
	return seen->health ? health_state(health_read(seen->health,
	                                               health_find_index(seen->health, target)))
	                    : HEALTH_UNKNOWN;
}

static bool seen_down(const struct guard_observed *seen, uint64_t target)
{
	return seen_state(seen, target) == HEALTH_DOWN;
}

/* Down in every address family that it has. */
static bool service_seen_down(const struct guard_observed *seen, const struct model_service *s,
                              const struct model_at *at)
{
	bool any = false;

	for (size_t i = 0; i < at->vip->n_addresses; i++) {
		bool ip4 = addr_is4(&at->vip->addresses[i]);

		if (!seen_down(seen, health_target_service(s->name, at->site->name, ip4)))
			return false;
		any = true;
	}
	return any;
}

static void add_receiver(struct guard_result *r, const char *name, uint32_t before_ppm,
                         uint32_t after_ppm)
{
	if (r->n_receivers < r->max_receivers)
		r->receivers[r->n_receivers++] = (struct guard_receiver){ .name = name,
			                                                  .before_ppm = before_ppm,
			                                                  .after_ppm = after_ppm };
}

/* What overrides in force leave of a site, or of one service there. */
struct site_gate {
	uint32_t drained_ppm; /* the largest of all drains */
	bool disabled;
	bool out; /* it takes no new clients, now or soon */
};

/* The drain or disable of one service at a site. */
struct service_gate {
	const struct model_service *service;
	uint32_t site; /* index */
	struct site_gate gate;
};

/* The drain of a site in progress. */
struct site_check {
	const struct model *m;
	const struct overrides *overrides;
	const struct model_site *site;
	const struct guard_observed *seen;
	int64_t now_ms;
	struct guard_result *r;
	struct site_gate gates[GUARD_SITES_MAX]; /* of all services, by the sites' indices */
	struct service_gate *of_services;        /* [n_of_services], from malloc() */
	size_t n_of_services;
	size_t (*n_names)[2]; /* of each service, by policy; from malloc() */
	/* the shares of the sites at names of services of this one, added up; by the sites' indices */
	size_t n_all_names;
	double before[GUARD_SITES_MAX], after[GUARD_SITES_MAX];
};

static void join_gates(struct site_gate *to, const struct site_gate *gate)
{
	if (to->drained_ppm < gate->drained_ppm)
		to->drained_ppm = gate->drained_ppm;
	to->disabled = to->disabled || gate->disabled;
	to->out = to->out || gate->out;
}

/* Whether a hold may keep what drains of a site took that are done. */
static bool have_hold(const struct override *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i]->kind == MODEL_OVERRIDE_HOLD)
			return true;
	return false;
}

/* A drain that a hold keeps complete beyond its end leaves nothing, either. */
static struct site_gate read_gate(const struct site_check *w, const struct override *o)
{
	uint32_t level = overrides_level(w->overrides, o, w->now_ms);
	bool drains = o->kind == MODEL_OVERRIDE_DRAIN;
	bool all_of_service = o->is_step && o->to_ppm == MODEL_PPM_ALL && *o->service &&
	                      !override_is_done(o, w->now_ms) &&
	                      override_time(o, w->now_ms) < o->until_ms;

	return (struct site_gate){
		.drained_ppm = drains ? level : 0,
		.disabled = o->kind == MODEL_OVERRIDE_DISABLE && level,
		.out = guard_removes_target(o, w->now_ms) || all_of_service ||
		       (drains && level == MODEL_PPM_ALL),
	};
}

/* List what is in force at a site, of all services and of one each. */
static void list_gates(struct site_check *w, const struct override_index *index,
                       const struct model_site *site)
{
	const struct override *const *list;
	size_t n = override_index_find(index, MODEL_TARGET_SITE, "", site->name, &list);
	bool held = n && have_hold(list, n);

	for (size_t i = 0; i < n; i++) {
		const struct override *o = list[i];
		const struct model_service *s =
		        *o->service ? model_service(w->m, o->service) : NULL;

		if ((o->kind != MODEL_OVERRIDE_DRAIN && o->kind != MODEL_OVERRIDE_DISABLE) ||
		    (!held && override_is_done(o, w->now_ms)))
			continue;
		struct site_gate gate = read_gate(w, o);
		if (!*o->service)
			join_gates(&w->gates[site->index], &gate);
		else if (s)
			w->of_services[w->n_of_services++] =
			        (struct service_gate){ s, site->index, gate };
	}
}

/* What is in force for @p s at all sites. */
static void find_gates(const struct site_check *w, const struct model_service *s,
                       struct site_gate *gates)
{
	memcpy(gates, w->gates, sizeof(w->gates));
	for (size_t i = 0; i < w->n_of_services; i++)
		if (w->of_services[i].service == s)
			join_gates(&gates[w->of_services[i].site], &w->of_services[i].gate);
}

/* A site of a service, as its drain and the health page leave it. */
struct seen_at {
	const struct model_at *at;
	const struct site_gate *gate;
};

/* The sites of @p s that are not seen down, in their order; @p gates has what is in force there. */
static size_t list_up(const struct site_check *w, const struct model_service *s,
                      struct site_gate *gates, struct seen_at *up)
{
	size_t n = 0;

	find_gates(w, s, gates);
	for (size_t k = 0; k < s->n_at && n < STEERING_SITES_MAX; k++)
		if (s->at[k].site->index < GUARD_SITES_MAX &&
		    !service_seen_down(w->seen, s, &s->at[k]))
			up[n++] = (struct seen_at){ &s->at[k], &gates[s->at[k].site->index] };
	return n;
}

/* How many services have a VIP at @p site that lives at others, too: the answers keep it. */
static size_t count_unmoved(const struct model *m, const char *site)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k];

			n += !strcmp(at->site->name, site) && at->vip->n_sites > 1;
		}
	return n;
}

/* Name a service that no other site serves, if there is one. */
static void check_last_site(const struct site_check *w, const struct model_service *alone)
{
	const char *site = w->site->name;
	size_t n = alone ? 0 : count_unmoved(w->m, site);

	if (alone)
		add_verdict(w->r, GUARD_LAST_SITE, false,
		            "service %s has no other site that takes traffic", alone->name);
	else if (n)
		add_verdict(
		        w->r, GUARD_LAST_SITE, true,
		        "each service at %s has another site. DNS cannot move %zu of these services, "
		        "because their VIP lives at several sites: drain the site's nodes",
		        site, n);
	else
		add_verdict(w->r, GUARD_LAST_SITE, true, "each service at %s has another site",
		            site);
}

/* What is measured at a site. */
static const struct guard_rate *rate_of(const struct guard_rate *rates, size_t n, const char *site)
{
	static const struct guard_rate nothing = { .is_part = true };

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rates[i].site, site))
			return &rates[i];
	return &nothing;
}

/* A site's load once it has a part of what leaves another. */
static struct guard_rate load_after(const struct guard_rate *own, const struct guard_rate *leaving,
                                    uint32_t part_ppm)
{
	return (struct guard_rate){
		.per_s = own->per_s +
		         (uint64_t)((unsigned __int128)leaving->per_s * part_ppm / MODEL_PPM_ALL),
		.is_part = own->is_part || leaving->is_part,
	};
}

/* Whether the receiver has room for its part of the bits that leave @p site. */
static enum guard_fit fit_bits(const struct model *m, const char *site,
                               const struct guard_observed *seen, struct guard_receiver *x)
{
	const struct guard_rate *leaving = rate_of(seen->loads, seen->n_loads, site),
	                        *own = rate_of(seen->loads, seen->n_loads, x->name);
	struct guard_rate after = load_after(own, leaving, x->after_ppm);
	uint64_t percent;

	x->capacity_bits = model_site(m, x->name)->capacity_bits;
	x->known = !after.is_part;
	x->before_bits = own->per_s;
	x->after_bits = after.per_s;
	return guard_fit(x->capacity_bits, x->known, x->after_bits, &percent);
}

/* The same of new flows. */
static enum guard_fit fit_flows(const struct model *m, const char *site,
                                const struct guard_observed *seen, const struct guard_receiver *x,
                                struct guard_rate *after)
{
	const struct guard_rate *leaving = rate_of(seen->flows, seen->n_flows, site),
	                        *own = rate_of(seen->flows, seen->n_flows, x->name);
	uint64_t percent;

	*after = load_after(own, leaving, x->after_ppm);
	return guard_fit(model_site(m, x->name)->capacity_flows, !after->is_part, after->per_s,
	                 &percent);
}

/* Forecast the receivers' load, given that the traffic of @p site follows the weights. */
static void check_receivers(const struct model *m, const char *site,
                            const struct guard_observed *seen, struct guard_result *r)
{
	size_t n_unknown = 0, n_stated = 0;

	for (size_t i = 0; i < r->n_receivers; i++) {
		struct guard_receiver *x = &r->receivers[i];
		struct guard_rate flows;
		enum guard_fit of_bits = fit_bits(m, site, seen, x),
		               of_flows = fit_flows(m, site, seen, x, &flows);

		n_stated += of_bits != GUARD_FIT_NOT_STATED || of_flows != GUARD_FIT_NOT_STATED;
		n_unknown += of_bits == GUARD_FIT_UNKNOWN || of_flows == GUARD_FIT_UNKNOWN;
		if (of_bits == GUARD_FIT_NO)
			add_verdict(r, GUARD_ROOM, false,
			            "site %s would have %s%" PRIu64
			            " bits/s, more than %u %% of its capacity of %" PRIu64,
			            x->name, x->known ? "" : "at least ", x->after_bits,
			            GUARD_ROOM_PERCENT, x->capacity_bits);
		else if (of_flows == GUARD_FIT_NO)
			add_verdict(r, GUARD_ROOM, false,
			            "site %s would have %s%" PRIu64
			            " new flows/s, more than %u %% of its capacity of %" PRIu64,
			            x->name, flows.is_part ? "at least " : "", flows.per_s,
			            GUARD_ROOM_PERCENT, model_site(m, x->name)->capacity_flows);
		else
			continue;
		return;
	}
	if (!n_stated && r->n_receivers)
		add_verdict(r, GUARD_ROOM, true, "not checked: no receiving site states a capacity")
		        ->unknown = true;
	else if (n_unknown)
		add_verdict(r, GUARD_ROOM, true, "load of %zu of %zu receiving sites is unknown",
		            n_unknown, r->n_receivers)
		        ->unknown = true;
	else
		add_verdict(r, GUARD_ROOM, true,
		            "all receiving sites stay below %u %% of their capacity",
		            GUARD_ROOM_PERCENT);
}

/* Add how DNS spreads @p names names over the sites @p up, or over those that stay. */
static void add_spread(const struct site_check *w, const struct seen_at *up, size_t n_up,
                       enum model_policy policy, size_t names, bool all, double *sums)
{
	struct steering_part parts[STEERING_SITES_MAX];
	uint32_t sites[STEERING_SITES_MAX];
	size_t n = 0;

	for (size_t k = 0; k < n_up; k++) {
		if ((!all && up[k].at->site == w->site) || up[k].gate->disabled)
			continue;
		parts[n] = (struct steering_part){ up[k].at->weight,
			                           MODEL_PPM_ALL - up[k].gate->drained_ppm, 0 };
		sites[n++] = up[k].at->site->index;
	}
	steering_share(policy, parts, n);
	for (size_t k = 0; k < n; k++)
		sums[sites[k]] += parts[k].share * (double)names;
}

/* Add the spread of the names of one service of the site. @return whether it can be served elsewhere */
static bool add_service(struct site_check *w, const struct model_service *s, const size_t *n_names)
{
	struct site_gate gates[GUARD_SITES_MAX];
	struct seen_at up[STEERING_SITES_MAX];
	size_t n_up = list_up(w, s, gates, up);
	bool elsewhere = false;

	for (enum model_policy policy = 0; policy <= MODEL_POLICY_FAILOVER; policy++) {
		if (!n_names[policy])
			continue;
		add_spread(w, up, n_up, policy, n_names[policy], true, w->before);
		add_spread(w, up, n_up, policy, n_names[policy], false, w->after);
		w->n_all_names += n_names[policy];
	}
	for (size_t k = 0; k < n_up; k++)
		elsewhere = elsewhere || (up[k].at->site != w->site && !up[k].gate->out);
	return elsewhere;
}

/* Count the names of the site's services. @return how many there are */
static size_t count_names(struct site_check *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->m->n_dns_names; i++) {
		const struct model_dns_name *name = &w->m->dns_names[i];

		w->n_names[name->service - w->m->services][name->policy]++;
	}
	for (size_t i = 0; i < w->m->n_services; i++)
		if (model_service_at(&w->m->services[i], w->site->name))
			n += w->n_names[i][0] + w->n_names[i][1];
	return n;
}

/*
 * Add up the spread of all names. A site whose services have no names counts as if each had one:
 * somebody else's DNS sends clients there. @return the first service that no other site serves
 */
static const struct model_service *add_services(struct site_check *w)
{
	static const size_t one_weighted[2] = { 1, 0 };
	const struct model_service *alone = NULL;
	size_t named = count_names(w);

	for (size_t i = 0; i < w->m->n_services; i++) {
		const struct model_service *s = &w->m->services[i];

		if (model_service_at(s, w->site->name) &&
		    !add_service(w, s, named ? w->n_names[i] : one_weighted) && !alone)
			alone = s;
	}
	return alone;
}

static void list_receivers(const struct site_check *w)
{
	for (size_t i = 0; i < w->m->n_sites && i < GUARD_SITES_MAX; i++)
		if (w->after[i] > 0)
			add_receiver(w->r, w->m->sites[i].name,
			             (uint32_t)lround(w->before[i] / (double)w->n_all_names *
			                              MODEL_PPM_ALL),
			             (uint32_t)lround(w->after[i] / (double)w->n_all_names *
			                              MODEL_PPM_ALL));
}

static int check_site(const struct model *m, const struct overrides *overrides,
                      const struct override_index *index, const char *site,
                      const struct guard_observed *seen, int64_t now_ms, struct guard_result *r)
{
	struct site_check w = { .m = m,
		                .overrides = overrides,
		                .site = model_site(m, site),
		                .seen = seen,
		                .now_ms = now_ms,
		                .r = r };

	if (!w.site)
		return 0;
	w.of_services = calloc(overrides->n_items + 1, sizeof(*w.of_services));
	w.n_names = calloc(m->n_services + 1, sizeof(*w.n_names));
	bool ok = w.of_services && w.n_names;
	if (ok) {
		for (size_t i = 0; i < m->n_sites && i < GUARD_SITES_MAX; i++)
			list_gates(&w, index, &m->sites[i]);
		const struct model_service *alone = add_services(&w);
		list_receivers(&w);
		check_last_site(&w, alone);
		if (w.n_all_names && !r->n_receivers)
			add_verdict(r, GUARD_ROOM, true,
			            "no other site would receive its clients, so none has room")
			        ->unknown = true;
		else
			check_receivers(m, site, seen, r);
	}
	free(w.of_services);
	free(w.n_names);
	return ok ? 0 : -ENOMEM;
}

/* The weight by which @p b gets new flows: none while it is seen down. */
static uint32_t serving_weight(const struct model_pool *pool, const struct model_backend *b,
                               const struct guard_observed *seen)
{
	return seen_down(seen, health_target_backend(pool->name, b->id)) ? 0 : b->weight;
}

/* Whether @p b is known to be up: without a check it counts as up, and those of other sites are not seen here. */
static bool is_known_up(const struct model_pool *pool, const struct model_backend *b,
                        const struct guard_observed *seen)
{
	return !pool->check ||
	       (!seen->health_stale &&
	        seen_state(seen, health_target_backend(pool->name, b->id)) == HEALTH_UP);
}

/* Two passes: a receiver's share needs the sums over all backends. */
static void check_backend(const struct model_pool *pool, const struct override_index *index,
                          const char *name, const struct guard_observed *seen, int64_t now_ms,
                          struct guard_result *r)
{
	uint64_t before = 0, after = 0;
	size_t left = 0;
	bool known = false;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < pool->n_backends; i++) {
			const struct model_backend *b = &pool->backends[i];
			bool leaves = !strcmp(b->name, name);
			uint32_t weight = serving_weight(pool, b, seen);

			if (!weight || (!leaves && is_target_out(index, MODEL_TARGET_BACKEND,
			                                         pool->name, b->name, now_ms)))
				continue;
			if (pass == 0) {
				before += weight;
				after += leaves ? 0 : weight;
			} else if (!leaves) {
				add_receiver(r, b->name,
				             (uint32_t)((uint64_t)weight * MODEL_PPM_ALL / before),
				             (uint32_t)((uint64_t)weight * MODEL_PPM_ALL / after));
				left++;
				known = known || is_known_up(pool, b, seen);
			}
		}
	if (left == 0)
		add_verdict(r, GUARD_LAST_BACKEND, false,
		            "pool %s has no other backend for new flows that is not down",
		            pool->name);
	else
		add_verdict(r, GUARD_LAST_BACKEND, true, "pool %s keeps %zu backends%s", pool->name,
		            left, known ? "" : ": whether one is up is unknown here")
		        ->unknown = !known;
}

int guard_check_backends(const struct model_pool *pool, const struct overrides *overrides,
                         const bool *leaves, size_t n_more, const struct guard_observed *seen,
                         int64_t now_ms, struct guard_result *result)
{
	struct override_index index;
	size_t left = n_more;
	int err = override_index_init(&index, overrides);

	result->n_verdicts = 0;
	result->n_receivers = 0;
	if (err < 0)
		return err;
	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];

		left += !leaves[i] && serving_weight(pool, b, seen) &&
		        !is_target_out(&index, MODEL_TARGET_BACKEND, pool->name, b->name, now_ms);
	}
	override_index_fini(&index);
	if (left)
		add_verdict(result, GUARD_LAST_BACKEND, true, "pool %s keeps %zu backends",
		            pool->name, left);
	else
		add_verdict(result, GUARD_LAST_BACKEND, false,
		            "pool %s would have no backend for new flows that is not down",
		            pool->name);
	return 0;
}

/*
 * The drain of a node: routers send its packets to the other nodes that announce the same VIPs.
 *
 * Three guards. `last-announcer`: each VIP, and each address of DNS that the node announces, must have
 * another node that announces it. No other node could take over what is this node's alone by the
 * document: then another server of the zones must answer, which resolvers ask instead of an address
 * of DNS; and the site of a VIP must be drained for so long that no answer leads there. `room`: the
 * other nodes must be able to carry the load, which routers share equally among them (ECMP).
 * `unsettled`: the other nodes do not know which connections this node keeps at an earlier owner of a
 * slot, unless the backends have agents, which pass such packets on.
 *
 * The document says who may announce a VIP; what a node said of itself moments ago says who does.
 * A node of which nothing is known counts as one that may: then the verdict is unknown.
 */

struct node_check {
	const struct model *m;
	const struct overrides *overrides;
	const struct override_index *index;
	const struct model_node *node;
	const struct guard_observed *seen;
	int64_t now_ms;
	struct guard_result *r;
};

static const struct guard_node *find_seen(const struct guard_observed *seen, const char *name)
{
	for (size_t i = 0; i < seen->n_nodes; i++)
		if (!strcmp(seen->nodes[i].name, name))
			return &seen->nodes[i];
	return NULL;
}

/* Whether routers could send to @p other what they send to the node: it is another one, and stays. */
static bool may_receive(const struct node_check *w, const struct model_node *other)
{
	return other != w->node &&
	       !is_target_out(w->index, MODEL_TARGET_NODE, "", other->name, w->now_ms);
}

uint64_t guard_dns_key(const struct addr *address)
{
	static const struct hash_key key = { 0 };

	return hash_bytes(&key, address->bytes, sizeof(address->bytes));
}

int guard_said_init(struct guard_said *out, size_t n)
{
	*out = (struct guard_said){ .words = calloc(n + 1, sizeof(*out->words)) };
	return out->words ? 0 : -ENOMEM;
}

void guard_said_fini(struct guard_said *s)
{
	free(s->words);
	*s = (struct guard_said){ .n = 0 };
}

void guard_said_add(struct guard_said *s, uint64_t key, enum guard_announced said)
{
	s->words[s->n++] = (struct guard_word){ key, said };
}

void guard_said_sort(struct guard_said *s)
{
	qsort(s->words, s->n, sizeof(*s->words), sorted_by_u64);
}

enum guard_announced guard_said_of(const struct guard_said *s, uint64_t key)
{
	const struct guard_word *found =
	        s->n ? bsearch(&key, s->words, s->n, sizeof(*s->words), sorted_by_u64) : NULL;

	return found ? found->said : GUARD_NOT_ANNOUNCED;
}

/* What @p other itself says of a VIP or an address of DNS. */
static enum guard_announced read_announced(const struct node_check *w,
                                           const struct model_node *other, uint64_t key)
{
	const struct guard_node *n = find_seen(w->seen, other->name);

	return n && n->said ? guard_said_of(n->said, key) : GUARD_ANNOUNCED_UNKNOWN;
}

/* What a node announces: a VIP, or without one an address of DNS. */
struct announced_thing {
	const struct model_vip *vip;
	const struct addr *dns;
};

static bool lists_dns(const struct model_node *node, const struct addr *address)
{
	const struct model_announce *a = &node->announce;

	for (size_t i = 0; a->daemon != MODEL_DAEMON_NONE && i < a->n_dns; i++)
		if (addr_equal(&a->dns[i], address))
			return true;
	return false;
}

static bool does_announce(const struct model_node *node, const struct announced_thing *it)
{
	return it->vip ? model_node_announces(node, it->vip) : lists_dns(node, it->dns);
}

/* How it is announced elsewhere: the best that is said of any other node. */
static enum guard_announced find_announced(const struct node_check *w,
                                           const struct announced_thing *it)
{
	enum guard_announced best = GUARD_NOT_ANNOUNCED;
	uint64_t key = it->vip ? hash_text(it->vip->name) : guard_dns_key(it->dns);

	for (size_t i = 0; i < w->m->n_nodes; i++) {
		const struct model_node *other = &w->m->nodes[i];
		enum guard_announced one;

		if (!may_receive(w, other) || !does_announce(other, it))
			continue;
		one = read_announced(w, other, key);
		if (one > best)
			best = one;
	}
	return best;
}

/* Whether the document makes another node announce it. */
static bool is_listed_elsewhere(const struct node_check *w, const struct announced_thing *it)
{
	for (size_t i = 0; i < w->m->n_nodes; i++)
		if (&w->m->nodes[i] != w->node && does_announce(&w->m->nodes[i], it))
			return true;
	return false;
}

/*
 * For how long earlier answers may lead to the site: 0 or less once none does. MODEL_TIME_NEVER: it is not drained. A ramp that
 * is late has its own time.
 */
static int64_t count_site_wait_ms(const struct node_check *w, const char *site)
{
	int64_t wait_ms = MODEL_TIME_NEVER;

	for (size_t i = 0; i < w->overrides->n_items; i++) {
		const struct override *o = &w->overrides->items[i];
		struct model_override as_model;
		int64_t one_ms;

		if (o->target != MODEL_TARGET_SITE || *o->service || strcmp(o->name, site) != 0 ||
		    (o->kind != MODEL_OVERRIDE_DRAIN && o->kind != MODEL_OVERRIDE_DISABLE) ||
		    override_is_done(o, w->now_ms) ||
		    overrides_level(w->overrides, o, w->now_ms) != MODEL_PPM_ALL)
			continue;
		override_to_model(o, &as_model);
		one_ms = model_override_answers_ms(w->m, &as_model) - override_time(o, w->now_ms);
		wait_ms = one_ms < wait_ms ? one_ms : wait_ms;
	}
	return wait_ms;
}

/* The same of a VIP: all its sites. What an operation has withdrawn after it saw no packets come, nobody waits for. */
static int64_t count_vip_wait_ms(const struct node_check *w, const struct model_vip *vip)
{
	int64_t wait_ms = 0;

	if (vip->n_sites == 1 && overrides_withdrawn_by(w->overrides, vip->sites[0]->name))
		return 0;
	for (size_t i = 0; i < vip->n_sites; i++) {
		int64_t one_ms = count_site_wait_ms(w, vip->sites[i]->name);

		wait_ms = one_ms > wait_ms ? one_ms : wait_ms;
	}
	return wait_ms;
}

/* What is said of the addresses at which @p other serves: routers may know them without it. */
static enum guard_announced find_server(const struct node_check *w, const struct model_node *other)
{
	const struct model_announce *a = &other->announce;
	enum guard_announced best = GUARD_NOT_ANNOUNCED;

	if (a->daemon == MODEL_DAEMON_NONE || !a->n_dns)
		return other->n_dns_listen ? GUARD_ANNOUNCED_UNKNOWN : GUARD_NOT_ANNOUNCED;
	for (size_t i = 0; i < a->n_dns; i++) {
		enum guard_announced one = read_announced(w, other, guard_dns_key(&a->dns[i]));

		best = one > best ? one : best;
	}
	return best;
}

/* Whether another server of the zones answers: resolvers turn to it. */
static enum guard_announced find_other_server(const struct node_check *w)
{
	enum guard_announced best = GUARD_NOT_ANNOUNCED;

	for (size_t i = 0; i < w->m->n_nodes; i++) {
		const struct model_node *other = &w->m->nodes[i];
		enum guard_announced one =
		        may_receive(w, other) ? find_server(w, other) : GUARD_NOT_ANNOUNCED;

		best = one > best ? one : best;
	}
	return best;
}

/* What is said of where its packets, or questions, go without the node. */
static enum guard_announced find_receiver(const struct node_check *w,
                                          const struct announced_thing *it)
{
	if (is_listed_elsewhere(w, it))
		return find_announced(w, it);
	if (it->dns)
		return find_other_server(w);
	return count_vip_wait_ms(w, it->vip) ? GUARD_NOT_ANNOUNCED : GUARD_ANNOUNCED;
}

/* What the node announces, by whether others do so too. */
struct elsewhere {
	struct listed_names alone, unknown;
	char alone_text[NAMES_TEXT_MAX], unknown_text[NAMES_TEXT_MAX];
	const char *site; /* of a VIP that no other node could announce: to drain first; or NULL */
	size_t n,
	        n_waiting; /* of those alone: their sites are drained, and answers still lead there */
	int64_t wait_ms;   /* until none does */
};

/* A VIP that no other node could announce, and that clients may still come to. */
static void note_only_here(const struct node_check *w, const struct model_vip *vip,
                           struct elsewhere *out)
{
	int64_t wait_ms = count_vip_wait_ms(w, vip);

	if (wait_ms == MODEL_TIME_NEVER) {
		out->site = w->node->site->name;
		return;
	}
	out->n_waiting++;
	out->wait_ms = wait_ms > out->wait_ms ? wait_ms : out->wait_ms;
}

static void sort_announced(const struct node_check *w, const struct announced_thing *it,
                           struct elsewhere *out)
{
	enum guard_announced found = find_receiver(w, it);
	char text[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 4];

	if (!it->vip)
		snprintf(name, sizeof(name), "DNS %s", addr_text(it->dns, text));
	out->n++;
	if (found == GUARD_NOT_ANNOUNCED && it->vip && !is_listed_elsewhere(w, it))
		note_only_here(w, it->vip, out);
	if (found != GUARD_ANNOUNCED)
		listed_add(found == GUARD_NOT_ANNOUNCED ? &out->alone : &out->unknown,
		           it->vip ? it->vip->name : name);
}

static void look_elsewhere(const struct node_check *w, struct elsewhere *out)
{
	const struct model_announce *a = &w->node->announce;

	*out = (struct elsewhere){
		.alone = { .text = out->alone_text, .room = sizeof(out->alone_text) },
		.unknown = { .text = out->unknown_text, .room = sizeof(out->unknown_text) },
	};
	for (size_t i = 0; i < w->m->n_vips; i++) {
		const struct announced_thing it = { .vip = &w->m->vips[i] };

		if (does_announce(w->node, &it))
			sort_announced(w, &it, out);
	}
	for (size_t i = 0; a->daemon != MODEL_DAEMON_NONE && i < a->n_dns; i++)
		sort_announced(w, &(struct announced_thing){ .dns = &a->dns[i] }, out);
}

static void refuse_for_now(const struct node_check *w, struct elsewhere *e)
{
	int64_t wait_s = (e->wait_ms + 999) / 1000;

	add_verdict(w->r, GUARD_LAST_ANNOUNCER, false,
	            "for %" PRId64 " s more, answers given before the site was drained may "
	            "lead to %s, which no other node announces",
	            wait_s, listed_end(&e->alone))
	        ->wait_s = wait_s;
}

static void check_last_announcer(const struct node_check *w)
{
	struct elsewhere e;

	look_elsewhere(w, &e);
	if (e.alone.n && e.n_waiting == e.alone.n)
		refuse_for_now(w, &e);
	else if (e.alone.n)
		add_verdict(w->r, GUARD_LAST_ANNOUNCER, false,
		            "no other node announces %s: a drain does not withdraw them, "
		            "and --withdraw cuts their clients off%s%s%s",
		            listed_end(&e.alone), e.site ? "; drain site " : "",
		            e.site ? e.site : "", e.site ? " first" : "");
	else if (e.unknown.n)
		add_verdict(w->r, GUARD_LAST_ANNOUNCER, true,
		            "whether another node announces %s is unknown", listed_end(&e.unknown))
		        ->unknown = true;
	else
		add_verdict(w->r, GUARD_LAST_ANNOUNCER, true,
		            "without this node, clients of its %zu VIPs and addresses of DNS reach "
		            "another node, or their site is drained and left",
		            e.n);
}

/* Whether @p other announces, or may announce, a VIP of the node. */
static bool shares_vip(const struct node_check *w, const struct model_node *other)
{
	for (size_t i = 0; i < w->m->n_vips; i++) {
		const struct model_vip *vip = &w->m->vips[i];

		if (model_node_announces(w->node, vip) && model_node_announces(other, vip) &&
		    read_announced(w, other, hash_text(vip->name)) != GUARD_NOT_ANNOUNCED)
			return true;
	}
	return false;
}

static void add_node_receiver(const struct node_check *w, const struct model_node *other)
{
	const struct guard_node *n = find_seen(w->seen, other->name);

	if (w->r->n_receivers == w->r->max_receivers)
		return;
	w->r->receivers[w->r->n_receivers++] = (struct guard_receiver){
		.name = other->name,
		.capacity_bits = n ? n->capacity_bits : 0,
		.before_bits = n ? n->bits : 0,
		.known = n && n->load_known,
	};
}

/* Routers share the node's load equally among the receivers. */
static void forecast_loads(const struct node_check *w)
{
	const struct guard_node *own = find_seen(w->seen, w->node->name);
	uint32_t n = (uint32_t)w->r->n_receivers;

	for (uint32_t i = 0; i < n; i++) {
		struct guard_receiver *x = &w->r->receivers[i];

		x->before_ppm = MODEL_PPM_ALL / (n + 1);
		x->after_ppm = MODEL_PPM_ALL / n;
		x->known = x->known && own && own->load_known;
		x->after_bits = x->known ? x->before_bits + own->bits / n : 0;
	}
}

static void check_room(const struct node_check *w)
{
	size_t unknown = 0;

	for (size_t i = 0; i < w->r->n_receivers; i++) {
		const struct guard_receiver *x = &w->r->receivers[i];
		uint64_t percent;
		enum guard_fit fit = guard_fit(x->capacity_bits, x->known, x->after_bits, &percent);

		unknown += fit == GUARD_FIT_NOT_STATED || fit == GUARD_FIT_UNKNOWN;
		if (fit != GUARD_FIT_NO)
			continue;
		add_verdict(w->r, GUARD_ROOM, false,
		            "node %s would have %" PRIu64
		            " bits/s, more than %u %% of its capacity of %" PRIu64,
		            x->name, x->after_bits, GUARD_ROOM_PERCENT, x->capacity_bits);
		return;
	}
	if (!w->r->n_receivers)
		add_verdict(w->r, GUARD_ROOM, true,
		            "no other node would receive its packets, so none has room")
		        ->unknown = true;
	else if (unknown)
		add_verdict(w->r, GUARD_ROOM, true,
		            "load or capacity of %zu of %zu receiving nodes is unknown", unknown,
		            w->r->n_receivers)
		        ->unknown = true;
	else
		add_verdict(w->r, GUARD_ROOM, true,
		            "all receiving nodes stay below %u %% of their capacity",
		            GUARD_ROOM_PERCENT);
}

/*
 * Pools without agents: connections that are not where the slot's owner alone would send them would
 * break. While a slot is unsettled, any of its connections may be such a one. Afterwards those that
 * are remembered still are: no other node knows of them.
 */
static void check_unsettled(const struct node_check *w)
{
	const struct guard_unsettled *first = NULL;
	uint64_t remembered = 0;
	size_t n = 0;

	for (size_t i = 0; i < w->seen->n_pools; i++) {
		const struct guard_unsettled *p = &w->seen->pools[i];

		if (!p->unsettled && !p->remembered)
			continue;
		if (!n++)
			first = p;
		remembered += p->remembered;
	}
	if (!w->seen->pools_known)
		add_verdict(w->r, GUARD_UNSETTLED, true,
		            "unsettled slots of pools without agents are unknown here: ask on "
		            "the node itself")
		        ->unknown = true;
	else if (first)
		add_verdict(w->r, GUARD_UNSETTLED, false,
		            "%s (%" PRIu32 " of %" PRIu32 " slots unsettled), first of %zu pools "
		            "without agents: up to %" PRIu64
		            " connections at risk. Wait until they end, or use --now",
		            first->name, first->unsettled, first->n_slots, n, remembered);
	else
		add_verdict(w->r, GUARD_UNSETTLED, true,
		            "no pool without agents has unsettled slots or remembered "
		            "connections: none is at risk");
}

/* The verdicts and receivers for a node, which is in @p m. */
static void check_node(const struct model *m, const struct overrides *overrides,
                       const struct override_index *index, const char *name,
                       const struct guard_observed *seen, int64_t now_ms, struct guard_result *r)
{
	const struct node_check w = { m, overrides, index, model_node(m, name), seen, now_ms, r };

	if (!w.node)
		return;
	for (size_t i = 0; i < m->n_nodes; i++)
		if (may_receive(&w, &m->nodes[i]) && shares_vip(&w, &m->nodes[i]))
			add_node_receiver(&w, &m->nodes[i]);
	forecast_loads(&w);
	check_last_announcer(&w);
	check_room(&w);
	check_unsettled(&w);
}

int guard_check(const struct model *m, const struct overrides *overrides,
                const struct override *target, const struct guard_observed *seen, int64_t now_ms,
                struct guard_result *result)
{
	const struct model_pool *pool =
	        target->target == MODEL_TARGET_BACKEND ? model_pool(m, target->pool) : NULL;
	struct override_index index;
	int err = override_index_init(&index, overrides);

	result->n_verdicts = 0;
	result->n_receivers = 0;
	if (err < 0)
		return err;
	if (target->target == MODEL_TARGET_SITE)
		err = check_site(m, overrides, &index, target->name, seen, now_ms, result);
	else if (target->target == MODEL_TARGET_NODE)
		check_node(m, overrides, &index, target->name, seen, now_ms, result);
	else if (pool)
		check_backend(pool, &index, target->name, seen, now_ms, result);
	override_index_fini(&index);
	return err;
}
