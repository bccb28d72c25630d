/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns: which prefixes of clients get which site, by the product's own function; levels as the document has them now. What
 * other nodes see of sites comes from the pages that weir-mgmt writes of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "record/fields.h"
#include "tests/cluster/siblings_internal.h"
#include "weir/json.h"
#include "weir/peer_page.h"
#include "weir/placement.h"
#include "weir/steer_keys.h"

#define ARENA_BYTES  ((size_t)16 << 20)
#define KEY_QUERIES  30u /* of a prefix, in the window */
#define ANSWERS_FLOW 10u /* one answer is good for so many flows */

void siblings_open_dns(struct siblings *s)
{
	char path[PATH_MAX];

	if (proc_path(s->dirs.run, STEER_KEYS_PAGE_FILE, path) ||
	    page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT,
	                sizeof(struct steer_keys_page), &s->keys))
		abort();
}

static void forget_steering(struct siblings *s)
{
	arena_free(s->arena);
	free(s->state);
	free(s->shared);
	s->arena = NULL;
	s->state = s->shared = NULL;
	s->steering = NULL;
}

void siblings_close_dns(struct siblings *s)
{
	page_close(s->keys);
	forget_steering(s);
}

/* The key by which clients are placed is the one that weir-mgmt wrote for it. */
static void read_placement(struct siblings *s)
{
	struct placement placement;
	char path[PATH_MAX];

	if (proc_path(s->dirs.state, PLACEMENT_FILE, path) || placement_read(path, &placement))
		abort();
	s->steering->key = (struct hash_key){ placement.key[0], placement.key[1] };
}

static size_t state_bytes(const struct siblings *s)
{
	return sizeof(*s->state) + s->steering->n_states * sizeof(s->state->sites[0]);
}

void siblings_load_dns(struct siblings *s)
{
	forget_steering(s);
	s->arena = arena_new(ARENA_BYTES);
	s->steering = s->arena ? steering_new(s->m, s->arena) : NULL;
	if (!s->steering)
		abort();
	read_placement(s);
	s->state = calloc(1, state_bytes(s));
	s->shared = calloc(1, state_bytes(s));
	if (!s->state || !s->shared || s->m->n_sites > SIBLINGS_SITES_MAX ||
	    s->m->n_nodes > SIBLINGS_NODES_MAX)
		abort();
	s->state->n_sites = s->steering->n_states; /* another one than that of shares */
	s->n_loads++;
}

/* --- the state --- */

static bool concerns_site(const struct model_override *o, const char *service, const char *site)
{
	return o->target == MODEL_TARGET_SITE && !o->ended && !strcmp(o->name, site) &&
	       (!o->service || !*o->service || !strcmp(o->service, service));
}

static void apply_override(const struct model_override *o, int64_t now_ms,
                           struct steering_site_state *to)
{
	uint32_t ppm = model_override_ppm(o, now_ms);
	bool is_active = o->from_ms <= now_ms && now_ms < o->until_ms;
	int64_t next_ms = model_override_next_ms(o, now_ms);

	to->next_ms = next_ms < to->next_ms ? next_ms : to->next_ms;
	to->disabled |= o->kind == MODEL_OVERRIDE_DISABLE && is_active;
	to->forced_up |= o->kind == MODEL_OVERRIDE_FORCE_UP && is_active;
	if (o->kind == MODEL_OVERRIDE_DRAIN && ppm > to->drained_ppm)
		to->drained_ppm = ppm;
	to->shifting |= o->kind == MODEL_OVERRIDE_DRAIN && ppm && ppm < MODEL_PPM_ALL;
}

/* What a node's weir-health says of a service at a site, by the page that weir-mgmt keeps; 0: nothing that counts. */
static health_word read_heard(const struct siblings *s, struct page *page, const char *site)
{
	const struct peer_page *p = page_payload(page);

	if (clock_mono_ms() >= peer_page_good_until_ms(p) || !siblings_service(s))
		return 0;
	return health_read(
	        &p->health,
	        health_find_index(&p->health,
	                          health_target_service(siblings_service(s)->name, site, true)));
}

static void hear_nodes(struct siblings *s)
{
	memset(s->heard, 0, sizeof(s->heard));
	for (size_t i = 0; i < s->m->n_nodes; i++) {
		const struct model_node *node = &s->m->nodes[i];
		struct page *page;

		if (node != s->m->self && peer_page_open(s->dirs.run, node->name, &page))
			continue;
		for (size_t k = 0; k < s->m->n_sites; k++)
			s->heard[i][k] = node == s->m->self
			                         ? siblings_site_word(s, &s->m->sites[k])
			                         : read_heard(s, page, s->m->sites[k].name);
		if (node != s->m->self)
			page_close(page);
	}
}

/* Down is what most say who look from outside, and say anything. */
static health_word decided_word(const struct siblings *s, const struct model_site *site)
{
	size_t n_up = 0, n_down = 0;

	for (size_t i = 0; i < s->m->n_nodes; i++) {
		health_word word = s->heard[i][site->index];

		if (s->m->nodes[i].site == site)
			continue;
		n_up += health_state(word) == HEALTH_UP;
		n_down += health_state(word) == HEALTH_DOWN;
	}
	if (n_up + n_down == 0)
		return siblings_site_word(s, site);
	return health_make(n_down > n_up ? HEALTH_DOWN : HEALTH_UP, 0, HEALTH_REASON_OK, 0);
}

static void fill_state(struct siblings *s, const struct steering_service *service, uint32_t k)
{
	struct steering_site_state *to = &s->state->sites[service->first_state + k];
	const char *site = service->sites[k].name;
	health_word word = decided_word(s, model_site(s->m, site));

	memset(to, 0, sizeof(*to)); /* with what is between fields: states are compared */
	to->words[0] = to->words[1] = word;
	to->next_ms = MODEL_TIME_NEVER;
	for (size_t i = 0; i < s->m->n_overrides; i++)
		if (concerns_site(&s->m->overrides[i], service->name, site))
			apply_override(&s->m->overrides[i], clock_realtime_ms(), to);
}

uint64_t siblings_share_ppm(const struct siblings *s, const struct model_site *site)
{
	if (!s->steering || !s->steering->n_names)
		return 1000000 / s->m->n_sites;
	return s->shares[site->index];
}

/* Let each prefix choose, if anything is another than when they chose last. */
static void share_clients(struct siblings *s)
{
	const struct steering_service *service = s->steering->names[0].service;

	if (!memcmp(s->state, s->shared, state_bytes(s)))
		return;
	memcpy(s->shared, s->state, state_bytes(s));
	memset(s->shares, 0, sizeof(s->shares));
	for (size_t i = 0; i < SIBLINGS_KEYS; i++) {
		const struct steering_key key = { .bytes = { 4, 198, 51, (uint8_t)i }, .bits = 24 };
		struct steering_choice choice =
		        steering_choose(s->steering, s->state, 0, true, &key, clock_realtime_ms());

		if (choice.site >= 0)
			s->shares[model_site(s->m, service->sites[choice.site].name)->index] +=
			        1000000 / SIBLINGS_KEYS;
	}
}

/* --- levels --- */

static struct ramp_record *find_ramp(struct siblings *s, const struct model_override *o)
{
	for (size_t i = 0; i < s->n_ramps; i++)
		if (!strcmp(s->ramps[i].id, o->id))
			return &s->ramps[i];
	if (s->n_ramps == SIBLINGS_RAMPS_MAX)
		abort();
	s->ramps[s->n_ramps] = (struct ramp_record){ .epoch = 0 };
	memcpy(s->ramps[s->n_ramps].id, o->id, strlen(o->id) + 1);
	return &s->ramps[s->n_ramps++];
}

/* A step's level moves as its schedule says. */
static void follow_step(struct siblings *s, const struct model_override *o)
{
	struct ramp_record *r = find_ramp(s, o);
	int64_t now_ms = clock_realtime_ms();
	bool was_there = r->generation == o->generation && r->epoch == o->epoch &&
	                 r->step == o->step && r->arrived;
	uint32_t ttl_s = model_site_ttl_s(s->m, o->name);

	r->generation = o->generation;
	r->epoch = o->epoch;
	r->step = o->step;
	r->at_ms = now_ms;
	r->how = RAMP_FREE;
	r->level_known = true;
	r->falls = o->to_ppm < o->from_ppm;
	r->level_ppm = model_override_ppm(o, now_ms);
	r->arrived = r->level_ppm == o->to_ppm;
	r->longest_ttl_s = ttl_s;
	if (!was_there)
		r->answers_until_ms = clock_mono_ms() + ttl_s * 1000u;
}

static void follow_steps(struct siblings *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->m->n_overrides; i++)
		if (s->m->overrides[i].is_step && !s->m->overrides[i].ended)
			follow_step(s, &s->m->overrides[i]);
	for (size_t i = 0; i < s->n_ramps; i++)
		for (size_t k = 0; k < s->m->n_overrides; k++)
			if (!strcmp(s->ramps[i].id, s->m->overrides[k].id) &&
			    !s->m->overrides[k].ended) {
				s->ramps[n++] = s->ramps[i];
				break;
			}
	s->n_ramps = n;
}

/* --- the keys page --- */

static void write_answers(struct siblings *s, struct steer_keys_page *p)
{
	const struct steering_service *service = s->steering->names[0].service;

	for (uint32_t i = 0; i < service->n_sites; i++) {
		const struct model_site *site = model_site(s->m, service->sites[i].name);

		s->answers[i] += (uint64_t)s->clients->flows_per_s * siblings_share_ppm(s, site) /
		                 ANSWERS_FLOW / s->m->n_nodes * SIBLINGS_LOOK_MS / 1000;
		p->answers[i] = (struct steer_keys_answers){
			.service = hash_text(service->name),
			.site = service->sites[i].id,
			.answers = s->answers[i] / 1000000,
		};
	}
	p->n_answers = service->n_sites;
}

static void write_keys(struct siblings *s)
{
	struct steer_keys_page *p = page_payload(s->keys);
	uint64_t up_s = (clock_mono_ms() - s->started_ms) / 1000;
	const struct steering_name *name = &s->steering->names[0];
	uint32_t seq = page_rows_begin(&p->seq);

	p->covered_s = (uint32_t)(up_s < STEER_KEYS_WINDOW_S ? up_s : STEER_KEYS_WINDOW_S);
	p->started_ms = s->started_ms;
	for (uint32_t i = 0; i < SIBLINGS_KEYS; i++)
		p->keys[i] = (struct steer_key){ .key = { 4, 198, 51, (uint8_t)i },
			                         .name = name->id,
			                         .queries = KEY_QUERIES };
	p->n_keys = s->clients->flows_per_s ? SIBLINGS_KEYS : 0;
	p->names[0] = (struct steer_keys_name){ .name = name->id,
		                                .queries = SIBLINGS_KEYS * KEY_QUERIES,
		                                .longest_ttl_s = name->ttl_max_s,
		                                .cached_until_ms =
		                                        clock_mono_ms() + name->ttl_max_s * 1000u };
	p->n_names = s->clients->flows_per_s ? 1 : 0;
	write_answers(s, p);
	page_rows_end(&p->seq, seq);
	page_alive(s->keys, clock_mono_ms());
}

static void write_counters(struct siblings *s)
{
	char labels[STATS_ADDRESS_MAX];
	uint64_t queries = 0;

	for (size_t i = 0; i < SIBLINGS_SITES_MAX; i++)
		queries += s->answers[i] / 1000000;
	siblings_set(s, SIBLING_DNS, STATS_COUNTER, "weir_dns_queries_total", "transport=\"udp\"",
	             queries);
	siblings_set(s, SIBLING_DNS, STATS_GAUGE, "weir_dns_load_milliseconds", "", 12);
	for (size_t i = 0; s->m->self && i < s->m->self->n_dns_listen; i++) {
		stats_address_labels(&s->m->self->dns_listen[i], labels);
		siblings_set(s, SIBLING_DNS, STATS_GAUGE, STATS_LISTENING, labels, 1);
	}
}

void siblings_steer(struct siblings *s)
{
	if (!s->steering)
		return;
	if (s->n_rounds % 2 == 0)
		hear_nodes(s);
	for (size_t i = 0; i < s->steering->n_services; i++)
		for (uint32_t k = 0; k < s->steering->services[i].n_sites; k++)
			fill_state(s, &s->steering->services[i], k);
	if (s->steering->n_names)
		share_clients(s);
	if (!siblings_goes_on(s, SIBLING_DNS))
		return;
	follow_steps(s);
	if (s->steering->n_names)
		write_keys(s);
	write_counters(s);
}

/* --- the control socket --- */

static json_t *views_json(const struct siblings *s, const struct model_site *site)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->m->n_nodes; i++) {
		const struct model_node *node = &s->m->nodes[i];
		health_word word = s->heard[i][site->index];

		json_array_append_new(
		        list, json_pack("{s:s, s:s, s:b, s:s, s:s, s:b, s:b}", "node", node->name,
		                        "site", node->site->name, "fresh", word != 0, "ipv4",
		                        health_state_text(health_state(word)), "ipv6", "none",
		                        "inconclusive", health_inconclusive(word), "unproven",
		                        health_unproven(word)));
	}
	return list;
}

static json_t *site_json(const struct siblings *s, const struct steering_service *service,
                         uint32_t k)
{
	const struct steering_site_state *state = &s->state->sites[service->first_state + k];
	const struct steering_site *site = &service->sites[k];

	return json_pack("{s:s, s:I, s:s, s:s, s:b, s:b, s:I, s:b, s:b, s:b, s:o}", "site",
	                 site->name, "weight", (json_int_t)site->weight, "ipv4",
	                 health_state_text(health_state(state->words[1])), "ipv6",
	                 site->n_addresses[0] ? health_state_text(health_state(state->words[0]))
	                                      : "none",
	                 "in_doubt", health_in_doubt(state->words[1]), "unproven",
	                 state->unproven[1], "drained_ppm", (json_int_t)state->drained_ppm,
	                 "disabled", state->disabled, "forced_up", state->forced_up, "shifting",
	                 state->shifting, "views", views_json(s, model_site(s->m, site->name)));
}

static json_t *names_json(const struct siblings *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->steering->n_names; i++) {
		const struct steering_name *name = &s->steering->names[i];
		json_t *sites = json_array();

		for (uint32_t k = 0; k < name->service->n_sites; k++)
			json_array_append_new(sites, site_json(s, name->service, k));
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "name", name->name,
		                                      "service", name->service->name, "policy",
		                                      "weighted", "sites", sites));
	}
	return list;
}

static json_t *status_json(const struct siblings *s)
{
	return json_pack("{s:b, s:b, s:b, s:s, s:I, s:I, s:o, s:[], s:{s:b}}", "ok", 1, "serving",
	                 1, "clock_held", 0, "clock", "", "document", (json_int_t)s->document,
	                 "version", (json_int_t)s->m->meta.version, "names", names_json(s), "ramps",
	                 "deciding", "votes", 1);
}

static json_t *levels_json(const struct siblings *s)
{
	struct ramp_levels levels = { .ok = true };

	for (size_t i = 0; i < s->n_ramps; i++)
		levels.items[levels.n++] = s->ramps[i];
	return record_to_json(&ramp_levels_record, &levels);
}

char *siblings_dns_answer(void *siblings, const char *line, size_t length)
{
	const struct siblings *s = siblings;
	json_t *request = json_loadb(line, length, 0, NULL), *answer;

	if (!s->steering)
		answer = json_refusal("nothing is served yet");
	else if (json_has_text(request, "do", "status"))
		answer = status_json(s);
	else if (json_has_text(request, "do", "levels"))
		answer = levels_json(s);
	else if (json_has_text(request, "do", "zone-reload"))
		answer = json_pack("{s:b, s:I}", "ok", 1, "load", (json_int_t)s->n_loads + 1);
	else
		answer = json_refusal("unknown request");
	json_decref(request);
	return siblings_answer(answer);
}
