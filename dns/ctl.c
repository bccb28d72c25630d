/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's requests (base/ctl.h), answered from the main thread's state in one piece of
 * JSON. weir-mgmt and `weir` read them: field names are an interface. Lists that could outgrow an
 * answer have a limit.
 */
#include "dns/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/memory.h"
#include "dns/zone/image.h"
#include "record/answers.h"
#include "weir/json.h"
#include "weir/model.h"

static const char *state_text(uint32_t state)
{
	return state & IMAGE_ZONE_BROKEN    ? "broken"
	       : state & IMAGE_ZONE_EARLIER ? "earlier"
	                                    : "served";
}

static json_t *zones_to_json(const struct image *image)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < image->n_zones; i++) {
		const struct image_zone *zone = image_zone(image, i);
		char name[NAME_TEXT_MAX];
		struct dns_zone row = { .name = name,
			                .serial = zone->serial,
			                .n_records = zone->n_records,
			                .state = state_text(zone->state) };
		uint8_t wire[NAME_WIRE_MAX];

		image_name_wire(image, zone->name_off, wire);
		name_text(wire, name);
		json_array_append_new(list, record_shown(&dns_zone_kind, &row));
	}
	return list;
}

static const char *family_text(const struct steering_site *site, const health_word words[2],
                               bool ip4)
{
	return site->n_addresses[ip4] ? health_state_text(health_state(words[ip4])) : "none";
}

/* In which family something is so, where it is so in one alone; else NULL. */
static const char *one_family(bool ip6, bool ip4)
{
	return ip6 == ip4 ? NULL : ip4 ? "ipv4" : "ipv6";
}

/* More would make the answer too long; `weir dns explain` shows them for one name. */
#define PEER_HEALTH_JSON_MAX 8192

/*
 * What each node sees of a service at a site; only if sites vote, since otherwise no other node's
 * observation counts.
 */
static json_t *peer_health_to_json(const struct peer_health *v, const struct steering_site *site,
                                   size_t state)
{
	bool shown = v->votes && v->n_targets * v->n <= PEER_HEALTH_JSON_MAX;
	json_t *list = json_array();

	for (size_t i = 0; shown && i < v->n; i++) {
		const struct node_health *health = &v->items[i];
		const health_word *words = health->words + 2 * state;
		bool inconclusive[] = { health_inconclusive(words[0]),
			                health_inconclusive(words[1]) };
		bool unproven[] = { health_unproven(words[0]), health_unproven(words[1]) };

		json_array_append_new(
		        list, SHOWN(dns_peer, .node = health->node, .site = health->site->name,
		                    .fresh = health->fresh, .ipv4 = family_text(site, words, true),
		                    .ipv6 = family_text(site, words, false),
		                    .inconclusive = inconclusive[0] || inconclusive[1],
		                    .inconclusive_in = one_family(inconclusive[0], inconclusive[1]),
		                    .unproven = unproven[0] || unproven[1],
		                    .unproven_in = one_family(unproven[0], unproven[1])));
	}
	return list;
}

static json_t *site_to_json(const struct generation *g, const struct steering_site *site, size_t at)
{
	const struct steering_site_state *state = &g->state->sites[at];

	return SHOWN(dns_site, .site = site->name, .weight = site->weight,
	             .ipv4 = family_text(site, state->words, true),
	             .ipv6 = family_text(site, state->words, false),
	             .in_doubt =
	                     health_in_doubt(state->words[0]) || health_in_doubt(state->words[1]),
	             .unproven = state->unproven[0] || state->unproven[1],
	             .unproven_in = one_family(state->unproven[0], state->unproven[1]),
	             .drained_ppm = state->drained_ppm, .disabled = state->disabled,
	             .forced_up = state->forced_up, .shifting = state->shifting,
	             .peers = peer_health_to_json(g->peer_health, site, at));
}

/*
 * Sites of services share so much of an answer (base/ctl.h: 4 MiB), by the longest row of a site but
 * for its name; names, zones and views need the rest.
 */
#define SITES_JSON_BYTES (1536u * 1024)
#define SITE_JSON_BYTES  208u

/* What is to be seen of a service at a site. Whatever its state is, it has one besides up. */
enum trait {
	TRAIT_DOWN, /* in a family: operations do not bring clients to such a site */
	TRAIT_UP,   /* likewise: the site is not out */
	TRAIT_NORMAL,
	TRAIT_UNSURE,
	TRAIT_MOVED, /* by people, or operations */
	N_TRAITS
};

/* Which services are stated with their sites. */
struct stated_services {
	bool *sites; /* of each service: its sites are stated */
	bool *named; /* likewise: it has names, of which none has its row yet */
	size_t n_bytes, n_left_out;
	/* Sites at which a stated service has a trait; a document has no more sites. */
	uint64_t seen[N_TRAITS][STEERING_SITES_MAX];
	size_t n_seen[N_TRAITS];
};

static bool has_trait(const struct steering_site *site, const struct steering_site_state *s,
                      enum trait trait)
{
	bool unsure = false, up = false, down = false;
	bool moved = s->drained_ppm || s->disabled || s->forced_up || s->shifting;

	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		bool proven = site->n_addresses[ip4] && !s->unproven[ip4];

		unsure = unsure || s->unproven[ip4] || health_in_doubt(s->words[ip4]);
		up = up || (proven && health_state(s->words[ip4]) == HEALTH_UP);
		down = down || (proven && health_state(s->words[ip4]) == HEALTH_DOWN);
	}
	switch (trait) {
	case TRAIT_DOWN:
		return down;
	case TRAIT_UP:
		return up;
	case TRAIT_NORMAL:
		return !down && !unsure && !moved;
	case TRAIT_UNSURE:
		return unsure;
	default:
		return moved;
	}
}

static bool has_seen(const struct stated_services *t, enum trait trait, uint64_t site)
{
	for (size_t i = 0; i < t->n_seen[trait]; i++)
		if (t->seen[trait][i] == site)
			return true;
	return t->n_seen[trait] == STEERING_SITES_MAX;
}

/* A way to choose services: those with a trait at a site, or at one for which no other says so. */
struct stated_reason {
	enum trait trait;
	bool first;
};

static bool is_chosen(const struct generation *g, const struct stated_services *t,
                      const struct steering_service *s, const struct stated_reason *reason)
{
	for (uint32_t k = 0; k < s->n_sites; k++)
		if (has_trait(&s->sites[k], &g->state->sites[s->first_state + k], reason->trait) &&
		    !(reason->first && has_seen(t, reason->trait, s->sites[k].id)))
			return true;
	return false;
}

static void note_traits(const struct generation *g, struct stated_services *t,
                        const struct steering_service *s)
{
	for (uint32_t k = 0; k < s->n_sites; k++)
		for (enum trait trait = 0; trait < N_TRAITS; trait++)
			if (has_trait(&s->sites[k], &g->state->sites[s->first_state + k], trait) &&
			    !has_seen(t, trait, s->sites[k].id))
				t->seen[trait][t->n_seen[trait]++] = s->sites[k].id;
}

static size_t count_sites_bytes(const struct steering_service *s)
{
	size_t n = 0;

	for (uint32_t k = 0; k < s->n_sites; k++)
		n += SITE_JSON_BYTES + strlen(s->sites[k].name);
	return n;
}

/*
 * Services beyond the room are left out before anything is built, the last ones by this order. So operations see each
 * site at which some service is down: at most 64 services say so of 64 sites, in 1.1 MiB with the longest names.
 */
static void choose_services(const struct generation *g, struct stated_services *t)
{
	static const struct stated_reason reasons[] = {
		{ TRAIT_DOWN, true },    { TRAIT_UP, true },     { TRAIT_NORMAL, true },
		{ TRAIT_UNSURE, true },  { TRAIT_MOVED, true },  { TRAIT_DOWN, false },
		{ TRAIT_UNSURE, false }, { TRAIT_MOVED, false }, { TRAIT_NORMAL, false },
	};
	const struct steering *p = g->steering;

	for (size_t i = 0; i < p->n_names; i++)
		t->named[p->names[i].service - p->services] = true;
	for (size_t i = 0; i < p->n_services; i++)
		t->n_left_out += t->named[i];
	for (size_t r = 0; r < sizeof(reasons) / sizeof(reasons[0]); r++)
		for (size_t i = 0; i < p->n_services; i++) {
			size_t n = count_sites_bytes(&p->services[i]);

			if (!t->named[i] || t->sites[i] || t->n_bytes + n > SITES_JSON_BYTES ||
			    !is_chosen(g, t, &p->services[i], &reasons[r]))
				continue;
			t->sites[i] = true;
			t->n_bytes += n;
			t->n_left_out--;
			note_traits(g, t, &p->services[i]);
		}
}

/* Names beyond the first one of each service: a document may have ten thousand. */
#define NAMES_JSON_MAX 1000u

static json_t *service_sites_to_json(const struct generation *g,
                                     const struct steering_service *service)
{
	json_t *sites = json_array();

	for (uint32_t k = 0; k < service->n_sites; k++)
		json_array_append_new(
		        sites, site_to_json(g, &service->sites[k], service->first_state + k));
	return sites;
}

/*
 * Dynamic names with the state of their sites: what steering would see now. All names of a service have the same
 * sites, so these are stated with its first name only. Operations judge by them: choose_services() says which are there.
 */
static json_t *names_to_json(const struct generation *g, struct stated_services *t)
{
	const struct steering *p = g->steering;
	json_t *list = json_array();
	size_t n_others = 0;

	for (size_t i = 0; i < p->n_names; i++) {
		const struct steering_name *name = &p->names[i];
		size_t service = (size_t)(name->service - p->services);
		bool whole = t->named[service] && t->sites[service];
		struct dns_name row = {
			.name = name->name,
			.service = name->service->name,
			.policy = name->policy == MODEL_POLICY_FAILOVER ? "failover" : "weighted",
			.fail_closed = whole && name->service->fail_closed,
		};

		if (!t->named[service] && n_others++ >= NAMES_JSON_MAX)
			continue;
		row.sites = whole ? service_sites_to_json(g, name->service) : NULL;
		json_array_append_new(list, record_shown(&dns_name_kind, &row));
		t->named[service] = false;
	}
	return list;
}

#define RAMPS_JSON_MAX 256 /* as above: far more drains than sites */

static json_t *ramps_to_json(const struct ramps *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n && i < RAMPS_JSON_MAX; i++)
		json_array_append_new(list, SHOWN(dns_ramp, .override = r->items[i].id,
		                                  .generation = r->items[i].generation,
		                                  .state = ramp_how_text(r->items[i].how),
		                                  .at_ms = r->items[i].at_ms));
	return list;
}

/* The sites that decide together whether a site is dead, or that each decide for themselves. */
static json_t *deciding_to_json(const struct generation *g)
{
	const struct peer_health *v = g->peer_health;
	struct deciding_shown d = { v->votes, json_array(), json_array() };

	for (size_t i = 0; i < g->model->n_sites; i++)
		if (peer_health_has_nodes(v, &g->model->sites[i]))
			json_array_append_new(peer_health_decides(v, &g->model->sites[i]) ? d.sites
			                                                                  : d.out,
			                      json_string(g->model->sites[i].name));
	return record_shown(&deciding_shown_kind, &d);
}

/* The steps in force: asked each second while an operation runs, so nothing else is there. */
static json_t *levels_to_json(const struct server *s)
{
	struct ramp_levels levels = { .ok = true };

	if (!s->now)
		return json_refusal("nothing is served yet");
	for (size_t i = 0; i < s->ramps.n && levels.n < RAMP_LEVELS_MAX; i++)
		if (s->ramps.items[i].level_known)
			levels.items[levels.n++] = s->ramps.items[i];
	return record_to_json(&ramp_levels_record, &levels);
}

/* Errors are left out while a load runs: its thread writes them. */
static json_t *load_to_json(const struct server *s)
{
	const struct server_load *l = &s->load;
	struct dns_load load = { l->started, l->finished, l->running, server_load_error(s),
		                 json_array() };

	for (unsigned i = 0; !l->running && i < SERVER_ERRORS_MAX && i < l->n_errors; i++)
		if (l->errors[i])
			json_array_append_new(load.errors, json_string(l->errors[i]));
	return record_shown(&dns_load_kind, &load);
}

static void state_names(const struct generation *g, struct dns_shown *out)
{
	size_t n = g->steering->n_services;
	struct stated_services t = { .sites = calloc(2 * n + 1, sizeof(*t.sites)) };

	if (!t.sites) {
		memory_note_failure(); /* then there is no answer, rather than one without names */
		return;
	}
	t.named = t.sites + n;
	choose_services(g, &t);
	out->names = names_to_json(g, &t);
	out->n_names = g->steering->n_names;
	out->services_left_out = t.n_left_out;
	free(t.sites);
}

static json_t *status_to_json(const struct server *s)
{
	const struct generation *g = s->now;
	struct dns_shown status = {
		.ok = true,
		.serving = g != NULL,
		.clock_held = wall_clock_holds_ramps(s->clock),
		.clock = wall_clock_hold_text(s->clock),
		.load = load_to_json(s),
	};

	if (g) {
		status.document = g->model->meta.document;
		status.version = g->model->meta.version;
		status.threads = s->n_threads;
		status.stale_image = generation_lacks(g);
		status.image_bytes = g->image->size_bytes;
		status.zones = zones_to_json(g->image);
		state_names(g, &status);
		status.ramps = ramps_to_json(&s->ramps);
		status.deciding = deciding_to_json(g);
	}
	return record_shown(&dns_shown_kind, &status);
}

/* Each request has an answer, also one that cannot be read: a caller must never wait in vain. */
static json_t *handle_request(struct server *s, const char *line, size_t length)
{
	json_error_t error;
	json_t *request = json_read(line, length, 0, &error), *answer;
	const char *what = json_get_text(request, "do");

	if (!request)
		answer = json_refusal(error.text);
	else if (!what)
		answer = json_refusal(
		        "expected {\"do\": \"status\", \"levels\" or \"zone-reload\"}");
	else if (strcmp(what, "status") == 0)
		answer = status_to_json(s);
	else if (strcmp(what, "levels") == 0)
		answer = levels_to_json(s);
	else if (strcmp(what, "zone-reload") == 0)
		answer = json_granted("load", json_integer((json_int_t)server_load_start(s, true)));
	else
		answer = json_refusal(
		        "unknown request: expected \"status\", \"levels\" or \"zone-reload\"");
	json_decref(request);
	return answer;
}

char *dns_ctl_handle(void *arg, const char *line, size_t length)
{
	return json_line(handle_request(arg, line, length));
}
