/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steering in three steps: find the first class of sites that is not empty (a truth table below),
 * choose one site of it by rendezvous hashing with gates, and derive the TTL from whatever may
 * change next.
 *
 * A class is a set of at most 64 sites: one bit each in 64 bits. Scores are doubles from the same
 * inputs on all nodes. Two nodes could disagree only if two scores were equal up to the rounding of
 * log().
 */
#include "weir/steering.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "weir/steer_keys.h"

const char *steering_class_text(enum steering_class c)
{
	static const char *const texts[] = { "serving", "drained", "unproven", "panic", "none" };

	return texts[c];
}

const char *steering_ttl_text(enum steering_ttl t)
{
	static const char *const texts[] = {
		"no change is expected: the maximum",
		"until the next scheduled change, within the limits",
		"a drain is in progress: the minimum",
		"a target is in doubt: the minimum",
		"no site is up: the minimum",
	};

	return texts[t];
}

struct steering_key steering_key_of(const struct addr *address)
{
	struct steering_key key = { .bytes = { 6 }, .bits = 56 };

	if (addr_is4(address)) {
		key.bytes[0] = 4;
		key.bits = 24;
		memcpy(key.bytes + 1, addr_bytes4(address), 3);
	} else {
		memcpy(key.bytes + 1, address->bytes, 7);
	}
	return key;
}

static uint64_t hash_key_bytes(const struct steering *p, const struct steering_key *key)
{
	return hash_bytes(&p->key, key->bytes, sizeof(key->bytes));
}

/*
 * Where (key, site) lies between 0 and MODEL_PPM_ALL: a drain turns away the keys below its
 * fraction. The constant (any will do) keeps gates independent of site_score(): otherwise a drain
 * would first move the clients that prefer the site most, or least.
 */
static uint32_t gate_ppm(uint64_t hash, const struct steering_site *site)
{
	uint64_t h = hash_mix(hash + hash_mix(site->id ^ 0x6a09e667f3bcc909u));

	return (uint32_t)((h >> 32) * MODEL_PPM_ALL >> 32);
}

uint32_t steering_gate_ppm(const struct steering *p, const struct steering_site *site,
                           const struct steering_key *key)
{
	return gate_ppm(hash_key_bytes(p, key), site);
}

/*
 * The score of (key, site): an exponential variate of rate @p weight, so the smallest of several is
 * each site's in proportion to its weight. The 0.5 keeps log() from an argument of 0.
 */
static double site_score(uint64_t hash, const struct steering_site *site, uint32_t weight)
{
	uint64_t h = hash_mix(hash ^ site->id);

	return -log(((double)(h >> 11) + 0.5) * 0x1p-53) / weight;
}

/* The inputs of one choice. */
struct chooser {
	const struct steering_service *service;
	const struct steering_site_state *states;
	enum model_policy policy;
	bool ip4;
	uint64_t hash;
};

static bool is_site_down(const struct chooser *c, uint32_t site, bool ip4)
{
	const struct steering_site_state *s = &c->states[site];

	return !s->forced_up && health_state(s->words[ip4]) == HEALTH_DOWN;
}

static bool is_unproven(const struct chooser *c, uint32_t site, bool ip4)
{
	return c->states[site].unproven[ip4] && !c->states[site].forced_up;
}

static bool has_family(const struct chooser *c, uint32_t site, bool ip4)
{
	return c->service->sites[site].n_addresses[ip4] && !c->states[site].disabled;
}

/*
 * Who belongs to a class:
 *                          serving   drained   unproven   panic
 *   disabled, no address      -         -         -         -
 *   down                      -         -         -         x
 *   unproven                  -         -         x         x
 *   up/unknown, drained       -         x         x         x
 *   up/unknown, not all       x         x         x         x
 */
static bool is_member(const struct chooser *c, enum steering_class class, uint32_t k, bool ip4)
{
	bool up = class == STEERING_PANIC || !is_site_down(c, k, ip4);
	bool proven = class >= STEERING_UNPROVEN || !is_unproven(c, k, ip4);
	bool open = class != STEERING_SERVING || c->states[k].drained_ppm < MODEL_PPM_ALL;

	return has_family(c, k, ip4) && up && proven && open;
}

static uint64_t class_members(const struct chooser *c, enum steering_class class)
{
	uint64_t members = 0;

	for (uint32_t k = 0; k < c->service->n_sites; k++)
		members |= (uint64_t)is_member(c, class, k, c->ip4) << k;
	return members;
}

/* The first class that has members in its family, and these. */
static enum steering_class first_class(const struct chooser *c, uint64_t *members)
{
	enum steering_class last = c->service->fail_closed ? STEERING_UNPROVEN : STEERING_PANIC;

	for (enum steering_class class = STEERING_SERVING; class <= last; class ++) {
		*members = class_members(c, class);
		if (*members)
			return class;
	}
	*members = 0;
	return STEERING_NONE;
}

enum steering_class steering_class_of(const struct steering_service *s,
                                      const struct steering_site_state *states, bool ip4,
                                      uint64_t *members)
{
	const struct chooser c = { .service = s, .states = states, .ip4 = ip4 };

	return first_class(&c, members);
}

/*
 * Serving sites with addresses of both families: @p whole ones serve both, @p half ones have one
 * of them down.
 */
static void split_families(const struct chooser *c, uint64_t *whole, uint64_t *half)
{
	*whole = *half = 0;
	for (uint32_t k = 0; k < c->service->n_sites; k++) {
		bool in[2] = { is_member(c, STEERING_SERVING, k, false),
			       is_member(c, STEERING_SERVING, k, true) };
		bool both = has_family(c, k, false) && has_family(c, k, true);
		bool down = is_site_down(c, k, false) || is_site_down(c, k, true);

		*whole |= (uint64_t)(in[0] && in[1]) << k;
		*half |= (uint64_t)(both && down && in[0] != in[1]) << k;
	}
}

/*
 * The best site of @p members (not empty): the first one for failover, else the one with the
 * smallest score. If all weights are 0, all sites are equal.
 */
static uint32_t best_site(const struct chooser *c, uint64_t members)
{
	bool weights = false;
	uint32_t found = (uint32_t)__builtin_ctzll(members);
	double top = INFINITY;

	if (c->policy == MODEL_POLICY_FAILOVER || (members & (members - 1)) == 0)
		return found;
	for (uint32_t k = 0; k < c->service->n_sites; k++)
		weights = weights || (members >> k & 1 && c->service->sites[k].weight);
	for (uint32_t k = 0; k < c->service->n_sites; k++) {
		const struct steering_site *site = &c->service->sites[k];
		uint32_t weight = weights ? site->weight : 1;

		if (!(members >> k & 1) || weight == 0)
			continue;
		double s = site_score(c->hash, site, weight);

		if (s < top) {
			top = s;
			found = k;
		}
	}
	return found;
}

/*
 * Choose in @p members with gates: a site whose gate turns the key away is left out, and the choice
 * is made again. If all turn it away, the first choice is kept.
 */
static uint32_t choose_gated(const struct chooser *c, uint64_t members, uint64_t *gated)
{
	uint32_t first = best_site(c, members);

	for (uint32_t k = first;; k = best_site(c, members)) {
		uint32_t drained_ppm = c->states[k].drained_ppm;

		if (drained_ppm == 0 || gate_ppm(c->hash, &c->service->sites[k]) >= drained_ppm)
			return k;
		*gated |= (uint64_t)1 << k;
		members &= ~((uint64_t)1 << k);
		if (members == 0)
			return first;
	}
}

/*
 * Choose among serving sites. A half site takes part as if it were whole, so that only its own
 * clients move. These get a whole site, which is the same one for both families. If no site is
 * whole, each family chooses in its own @p members.
 */
static uint32_t choose_serving(const struct chooser *c, uint64_t members,
                               struct steering_choice *choice)
{
	uint64_t whole, half;
	uint32_t k;

	split_families(c, &whole, &half);
	if (!half || !whole)
		return choose_gated(c, members, &choice->gated);
	k = choose_gated(c, members | half, &choice->gated);
	if (!(half >> k & 1))
		return k;
	choice->halved = (uint64_t)1 << k;
	return choose_gated(c, whole, &choice->gated);
}

/* The logarithms of time at which share_gated() adds up: 0.4 leaves an error below 1e-8. */
#define SHARE_FROM (-20.0)
#define SHARE_STEP 0.4

/* Many keys at once, over the sites of one class. */
struct sharing {
	bool gated; /* by drains: in the serving class alone */
	struct steering_part *parts;
	double rates[STEERING_SITES_MAX]; /* of the scores of a group's sites; their sum is 1 */
};

static double open_part(const struct sharing *s, uint32_t k)
{
	return s->gated ? s->parts[k].open_ppm / (double)MODEL_PPM_ALL : 1;
}

/* Those of @p members among which best_site() chooses; their rates are set. */
static uint64_t next_group(struct sharing *s, enum model_policy policy, uint64_t members)
{
	uint64_t weighty = 0, group;
	double sum = 0;

	for (uint64_t left = members; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);

		weighty |= (uint64_t)(s->parts[k].weight > 0) << k;
		sum += s->parts[k].weight;
	}
	group = policy == MODEL_POLICY_FAILOVER ? members & -members : weighty ? weighty : members;
	for (uint64_t left = group; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);

		s->rates[k] = group & weighty && policy != MODEL_POLICY_FAILOVER
		                      ? s->parts[k].weight / sum
		                      : 1.0 / __builtin_popcountll(group);
	}
	return group;
}

/* Add to @p parts, for each site of @p group, how likely it is at log time @p v to be the first open one. */
static void add_moment(const struct sharing *s, uint64_t group, double v, double *parts)
{
	double later[STEERING_SITES_MAX], closed_or_later[STEERING_SITES_MAX];
	double t = exp(v), all = t;

	for (uint64_t left = group; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);
		double open = open_part(s, k);

		later[k] = open * exp(-s->rates[k] * t);
		closed_or_later[k] = 1 - open + later[k];
		all *= closed_or_later[k];
	}
	for (uint64_t left = group; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);

		if (later[k] > 0)
			parts[k] += s->rates[k] * later[k] * all / closed_or_later[k];
	}
}

/*
 * As choose_gated(), of the part @p keys of all, in one group. @return what all its gates turn away
 *
 * Scores are exponential variates (site_score()), gates are independent of them. So site k gets
 * the integral over time t of (it is open, and its score is t) times, for each other site, (it is
 * closed, or its score is later). That is the exact share; to follow the order in which gates turn
 * keys away takes exponentially long. Over log t the trapezoidal rule converges at once.
 */
static double share_gated(const struct sharing *s, uint64_t group, double keys)
{
	double parts[STEERING_SITES_MAX] = { 0 }, sum = 0, closed = 1, least = 1;

	for (uint64_t left = group; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);

		closed *= 1 - open_part(s, k);
		least = fmin(least, s->rates[k]);
	}
	int n_steps = (int)((4 - SHARE_FROM - log(least)) / SHARE_STEP);
	for (int i = 0; i <= n_steps; i++)
		add_moment(s, group, SHARE_FROM + i * SHARE_STEP, parts);
	for (uint64_t left = group; left; left &= left - 1)
		sum += parts[__builtin_ctzll(left)];
	for (uint64_t left = group; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);

		s->parts[k].share += keys * (1 - closed) * parts[k] / sum;
	}
	return keys * closed;
}

/* The part @p keys of all by the rates alone. */
static void share_openly(const struct sharing *s, uint64_t group, double keys)
{
	for (uint64_t left = group; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);

		s->parts[k].share += keys * s->rates[k];
	}
}

/* One group after the other gets what the gates of those before it turn away; what all do stays with its first choice. */
void steering_share(enum model_policy policy, struct steering_part *parts, size_t n)
{
	uint64_t members = 0, serving = 0, gates = 0;
	double keys = 1;

	for (size_t k = 0; k < n; k++) {
		parts[k].share = 0;
		members |= (uint64_t)1 << k;
		serving |= (uint64_t)(parts[k].open_ppm > 0) << k;
		gates |= (uint64_t)(parts[k].open_ppm < MODEL_PPM_ALL) << k;
	}
	struct sharing s = { .gated = serving != 0, .parts = parts };

	members = serving ? serving : members;
	gates &= serving;
	for (uint64_t left = members, group; left && keys > 0; left &= ~group) {
		group = next_group(&s, policy, left);
		if (!(group & gates)) {
			share_openly(&s, group, keys);
			return;
		}
		keys = share_gated(&s, group, keys);
	}
	if (members)
		share_openly(&s, next_group(&s, policy, members), keys);
}

/*
 * A half site's clients go where they would go if it were not there. Closed sites are counted as serving:
 * steering_share() gives them nothing before all are closed.
 */
uint64_t steering_spread(const struct steering_service *s, const struct steering_site_state *states,
                         enum model_policy policy, double *shares)
{
	struct chooser c = { .service = s, .states = states };
	enum steering_class class = STEERING_NONE;
	struct steering_part parts[STEERING_SITES_MAX];
	uint64_t in, whole, half;
	size_t n = 0;

	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		enum steering_class first;

		c.ip4 = ip4;
		first = first_class(&c, &in);
		class = first < class ? first : class;
	}
	in = 0;
	if (class == STEERING_SERVING)
		class = STEERING_DRAINED;
	for (unsigned ip4 = 0; ip4 < 2 && class != STEERING_NONE; ip4++) {
		c.ip4 = ip4;
		in |= class_members(&c, class);
	}
	split_families(&c, &whole, &half);
	in &= whole ? ~half : in;
	for (uint64_t left = in; left; left &= left - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(left);
		bool gated = class == STEERING_DRAINED;

		parts[n++] =
		        (struct steering_part){ .weight = s->sites[k].weight,
			                        .open_ppm = MODEL_PPM_ALL -
			                                    (gated ? states[k].drained_ppm : 0) };
	}
	steering_share(policy, parts, n);
	n = 0;
	for (uint32_t k = 0; k < s->n_sites; k++)
		shares[k] = in >> k & 1 ? parts[n++].share : 0;
	return in;
}

/*
 * Why the TTL is what it is. Doubt and drains ask for the minimum; else the next scheduled change
 * of any site limits it.
 */
static enum steering_ttl ttl_reason(const struct chooser *c, enum steering_class class,
                                    int64_t *next_ms)
{
	enum steering_ttl from = STEERING_TTL_STABLE;

	*next_ms = MODEL_TIME_NEVER;
	if (class != STEERING_SERVING && class != STEERING_DRAINED)
		return STEERING_TTL_PANIC;
	for (uint32_t k = 0; k < c->service->n_sites; k++) {
		const struct steering_site_state *s = &c->states[k];
		bool is_checked = has_family(c, k, c->ip4) && !s->forced_up;
		bool other = has_family(c, k, !c->ip4); /* its fall would move this family too */

		if (is_checked && (health_in_doubt(s->words[c->ip4]) ||
		                   (other && health_in_doubt(s->words[!c->ip4]))))
			return STEERING_TTL_DOUBT;
		if (s->shifting)
			from = STEERING_TTL_SHIFT;
		if (s->next_ms < *next_ms)
			*next_ms = s->next_ms;
	}
	if (from == STEERING_TTL_STABLE && *next_ms != MODEL_TIME_NEVER)
		from = STEERING_TTL_SCHEDULE;
	return from;
}

/* The TTL ends with the next known change, but always stays within the configured limits. */
static void choose_ttl(const struct chooser *c, const struct steering_name *n,
                       int64_t wall_clock_ms, struct steering_choice *choice)
{
	int64_t next_ms, left_s;

	choice->ttl_from = ttl_reason(c, choice->class, &next_ms);
	choice->ttl_s = choice->ttl_from == STEERING_TTL_STABLE ? n->ttl_max_s : n->ttl_min_s;
	if (choice->ttl_from != STEERING_TTL_SCHEDULE)
		return;
	left_s = next_ms > wall_clock_ms ? (next_ms - wall_clock_ms) / 1000 : 0;
	if (left_s > (int64_t)n->ttl_max_s)
		left_s = n->ttl_max_s;
	if (left_s > (int64_t)n->ttl_min_s)
		choice->ttl_s = (uint32_t)left_s;
}

struct steering_choice steering_choose(const struct steering *p, const struct steering_state *state,
                                       uint32_t name, bool ip4, const struct steering_key *key,
                                       int64_t wall_clock_ms)
{
	const struct steering_name *n = &p->names[name];
	const struct chooser c = {
		.service = n->service,
		.states = state->sites + n->service->first_state,
		.policy = n->policy,
		.ip4 = ip4,
		.hash = hash_key_bytes(p, key),
	};
	struct steering_choice choice = { .site = -1 };
	uint64_t members;

	choice.class = first_class(&c, &members);
	choice.candidates = members;
	if (choice.class == STEERING_SERVING)
		choice.site = (int32_t)choose_serving(&c, members, &choice);
	else if (members)
		choice.site = (int32_t)best_site(&c, members);
	choose_ttl(&c, n, wall_clock_ms, &choice);
	return choice;
}

static void fill_site(const struct model_at *at, struct steering_site *out)
{
	*out = (struct steering_site){
		.name = at->site->name,
		.id = hash_text(at->site->name),
		.weight = at->weight,
	};
	for (size_t i = 0; at->vip && i < at->vip->n_addresses; i++) {
		const struct addr *a = &at->vip->addresses[i];
		bool ip4 = addr_is4(a);

		if (out->n_addresses[ip4] < STEERING_ADDRESSES_MAX)
			out->addresses[ip4][out->n_addresses[ip4]++] = *a;
	}
}

/* The states of all services form one array; each service notes where its own begin. */
static void fill_service(const struct model_service *s, struct arena *a, struct steering *p,
                         struct steering_service *out)
{
	uint32_t n = s->n_at < STEERING_SITES_MAX ? (uint32_t)s->n_at : STEERING_SITES_MAX;
	struct steering_site *sites = ARENA_ARRAY(a, struct steering_site, n ? n : 1);

	*out = (struct steering_service){
		.name = s->name,
		.fail_closed = s->on_all_down == MODEL_ALL_DOWN_FAIL_CLOSED,
		.one_vip = n > 1 && model_service_has_one_vip(s),
		.first_state = (uint32_t)p->n_states,
		.n_sites = n,
		.sites = sites,
	};
	p->n_states += n;
	for (uint32_t k = 0; sites && k < n; k++)
		fill_site(&s->at[k], &sites[k]);
}

struct steering *steering_new(const struct model *m, struct arena *a)
{
	struct steering *p = ARENA_ARRAY(a, struct steering, 1);
	struct steering_service *services =
	        ARENA_ARRAY(a, struct steering_service, m->n_services + 1);
	struct steering_name *names = ARENA_ARRAY(a, struct steering_name, m->n_dns_names + 1);
	const char **texts = ARENA_ARRAY(a, const char *, m->n_dns_names + 1);

	if (!p || !services || !names || !texts)
		return NULL;
	*p = (struct steering){ .key = { m->hash_key[0], m->hash_key[1] }, .names = names };
	p->services = services;
	p->texts = texts;
	p->n_services = m->n_services;
	p->n_names = m->n_dns_names;
	for (size_t i = 0; i < m->n_services; i++)
		fill_service(&m->services[i], a, p, &services[i]);
	for (size_t i = 0; i < m->n_dns_names; i++) {
		const struct model_dns_name *n = &m->dns_names[i];

		texts[i] = n->name;
		names[i] = (struct steering_name){
			.name = n->name,
			.id = steer_keys_name_id(n->name),
			.service = &services[n->service - m->services],
			.policy = n->policy,
			.ttl_min_s = n->ttl_min_s,
			.ttl_max_s = n->ttl_max_s,
		};
	}
	return arena_failed(a) ? NULL : p;
}
