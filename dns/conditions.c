/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weir-dns knows to be wrong, as conditions (weir/condition.h): computed again from the
 * server's state each time, so a condition ends by itself when its cause has gone. Each text says
 * what is wrong, what follows from it, and what to do. Main thread only.
 */
#include "weir/condition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/listed.h"
#include "dns/zone/image.h"
#include "dns/server.h"
#include "weir/model.h"
#include "weir/stats.h"

/* The supervisor needs some seconds to open the sockets of more threads. */
#define FEW_THREADS_MS 15000
/* A query of our own is answered within a tick; a busy machine needs some. */
#define UNANSWERED_MS 10000u

/* A missing document is no error: a new node waits for its first one. */
static void state_document_errors(const struct server *s, struct stats *to)
{
	const struct server_load *l = &s->load;
	bool refused = l->last_result < 0 && l->last_result != -ENOENT;
	const char *first = !l->running && l->n_errors && l->errors[0] ? l->errors[0] : "";

	if (refused)
		conditions_add(to, "document-refused", s->now ? CONDITION_DEGRADED : CONDITION_DOWN,
		               "", "the newest document is refused, %s: %s",
		               s->now ? "the one before is served" : "nothing is answered",
		               *first ? first : strerror(-l->last_result));
	if (s->now && s->now->stale && model_may_pass(s->now->stale_error))
		conditions_add(to, "zones-refused", CONDITION_DEGRADED, "",
		               "the zone files cannot be compiled now (%s), an earlier image is "
		               "served; tried again",
		               strerror(-s->now->stale_error));
	else if (s->now && s->now->stale)
		conditions_add(to, "zones-refused", CONDITION_DEGRADED, "",
		               "the zone files are refused, an earlier image is served%s%s",
		               *first ? ": " : "", first);
}

/* Zones with a condition of their own; the others are counted, as the page is small. */
#define ZONES_NAMED 8u

/* The first error that the last load found in the zone's file; "": none. */
static const char *first_error_of(const struct server_load *l, const char *zone)
{
	for (unsigned i = 0; !l->running && i < SERVER_ERRORS_MAX && i < l->n_errors; i++)
		if (l->zones[i] && l->errors[i] && !strcmp(l->zones[i], zone))
			return l->errors[i];
	return "";
}

/* Why the zone's file was not read, if that may pass: -errno. 0: the file is wrong. */
static int passing_error_of(const struct generation *g, const char *zone)
{
	for (unsigned i = 0; g->stale_error && i < g->share->n_errors; i++)
		if (model_may_pass(g->share->errors[i].error) &&
		    !strcmp(g->share->errors[i].zone, zone))
			return g->share->errors[i].error;
	return 0;
}

/* Whether the list of errors is full: one of the zone's may be missing there. */
static bool may_lack_error(const struct generation *g, const char *zone)
{
	for (unsigned i = 0; i < g->share->n_errors; i++)
		if (!strcmp(g->share->errors[i].zone, zone))
			return false;
	return g->share->n_errors == GENERATION_ERRORS_MAX;
}

/*
 * A broken zone lowers the level to `down` only if all zones are broken: then DNS as a whole does
 * not work.
 */
static void state_zone(const struct server *s, const struct image_zone *zone, struct stats *to)
{
	bool broken = zone->state & IMAGE_ZONE_BROKEN;
	enum condition_level level =
	        s->now->n_broken == s->now->image->n_zones ? CONDITION_DOWN : CONDITION_DEGRADED;
	uint8_t wire[NAME_WIRE_MAX];
	char text[NAME_TEXT_MAX];

	image_name_wire(s->now->image, zone->name_off, wire);
	name_text(wire, text);

	const char *reason = first_error_of(&s->load, text);
	int passing = passing_error_of(s->now, text);

	if (passing)
		conditions_add(to, "zones-refused", broken ? level : CONDITION_DEGRADED, text,
		               "the zone's file cannot be read now (%s), so %s; tried again",
		               strerror(-passing),
		               broken ? "the zone answers SERVFAIL"
		                      : "its last good image is served");
	else
		conditions_add(
		        to, "zones-refused", broken ? level : CONDITION_DEGRADED, text,
		        "%s: %s%s%s",
		        broken ? "the zone's file cannot be used, so the zone answers SERVFAIL"
		               : "the zone's file cannot be used, so its last good image is served",
		        s->now->stale_error && may_lack_error(s->now, text)
		                ? "the log of weir-dns says why"
		                : "correct the file, then weir zone reload",
		        *reason ? ": " : "", reason);
}

/* Zones that are not served as their files say: the first ones by name, the others as a number. */
static void state_zones(const struct server *s, struct stats *to)
{
	const struct generation *g = s->now;
	bool any = g && g->n_earlier + g->n_broken > 0;
	uint32_t n = 0;

	for (uint32_t i = 0; any && i < g->image->n_zones; i++)
		if (image_zone(g->image, i)->state && n++ < ZONES_NAMED)
			state_zone(s, image_zone(g->image, i), to);
	if (n > ZONES_NAMED)
		conditions_add(
		        to, "zones-refused", CONDITION_DEGRADED, "",
		        "%u more zones are not served as their files say: the log of weir-dns names them",
		        n - ZONES_NAMED);
}

/* The sockets of @p address, by UDP and TCP. NULL: it is not served */
static const struct server_listen *find_served(const struct server *s, const struct addr *address)
{
	for (unsigned i = 0; i < s->n_listens; i++)
		if (addr_equal(&s->listens[i].address, address))
			return s->listens[i].n[0] && s->listens[i].n[1] ? &s->listens[i] : NULL;
	return NULL;
}

/* How an address of the node does. */
enum listen_state {
	LISTEN_ANSWERS,
	LISTEN_BEGINS,
	LISTEN_UNANSWERED,
	LISTEN_UNBOUND,
	LISTEN_ELSEWHERE
};

static enum listen_state read_listen(const struct server *s, const struct addr *address,
                                     uint64_t now_ms)
{
	const struct server_listen *served = find_served(s, address);

	if (!served)
		return LISTEN_UNBOUND;
	if (!addr_is_here(address)) /* the supervisor binds ahead of time */
		return LISTEN_ELSEWHERE;
	if (served->own.answered)
		return LISTEN_ANSWERS;
	return served->own.began_ms && now_ms - served->own.began_ms >= UNANSWERED_MS
	               ? LISTEN_UNANSWERED
	               : LISTEN_BEGINS;
}

/*
 * For weir-announce. An address that has sockets and did not answer yet is not known: nothing that it
 * announces ends, and nothing new begins.
 */
static void publish_listen(const struct addr *address, enum listen_state state, struct stats *to)
{
	char labels[STATS_ADDRESS_MAX];

	stats_address_labels(address, labels);
	if (state == LISTEN_BEGINS || state == LISTEN_UNANSWERED)
		stats_drop(to, STATS_LISTENING, labels);
	else
		stats_set(stats_get_counter(to, STATS_GAUGE, STATS_LISTENING, labels,
		                            "Whether the address is served by UDP and TCP, and a "
		                            "query on it was answered."),
		          state == LISTEN_ANSWERS);
}

static void state_listen(const struct server *s, const struct addr *address,
                         enum listen_state state, enum condition_level level, struct stats *to)
{
	char text[ADDR_TEXT_MAX];

	(void)addr_text(address, text);
	if (state == LISTEN_UNBOUND)
		conditions_add(to, "listen-failed", level, text,
		               "cannot listen on port %u here by UDP and TCP: check that the "
		               "node has the address (ip address) and that no other "
		               "server uses it (ss -lnutp)",
		               s->port);
	else if (state == LISTEN_ELSEWHERE)
		conditions_add(to, "listen-failed", level, text,
		               "this host does not have the address: add it to an interface "
		               "(ip address add), or remove it from dns_listen");
	else if (state == LISTEN_UNANSWERED)
		conditions_add(to, "listen-failed", level, text,
		               "weir-dns has the sockets, but no query that it sent to the address "
		               "itself was answered: a filter of this host may drop them "
		               "(nft list ruleset)");
}

/* The level is `down` only if no address of the node works: resolvers use the others meanwhile. */
static void state_listens(const struct server *s, struct stats *to, uint64_t now_ms)
{
	const struct model_node *self = s->now ? s->now->model->self : NULL;
	enum condition_level level = CONDITION_DOWN;
	enum listen_state states[SERVER_SOCKETS_MAX];
	size_t n = self ? self->n_dns_listen : 0;

	n = n < SERVER_SOCKETS_MAX ? n : SERVER_SOCKETS_MAX;
	for (size_t i = 0; i < n; i++) {
		states[i] = read_listen(s, &self->dns_listen[i], now_ms);
		publish_listen(&self->dns_listen[i], states[i], to);
		if (states[i] == LISTEN_ANSWERS || states[i] == LISTEN_BEGINS)
			level = CONDITION_DEGRADED;
	}
	for (size_t i = 0; i < n; i++)
		state_listen(s, &self->dns_listen[i], states[i], level, to);
}

/*
 * Fewer threads run than the document asks for: each thread needs its own sockets, which may be
 * missing.
 */
static void state_threads(struct server *s, struct stats *to, uint64_t now_ms)
{
	unsigned want = s->now ? s->now->model->dns_threads : 0;

	if (s->n_threads >= want || s->n_listens == 0)
		s->few_ms = now_ms;
	else if (now_ms - s->few_ms >= FEW_THREADS_MS)
		conditions_add(to, "threads-few", CONDITION_DEGRADED, "",
		               "%u of dns.threads = %u threads answer: the others have no sockets. "
		               "Restart weir-dns, or run it under weir run",
		               s->n_threads, want);
}

static void state_steering_key(const struct model *m, struct stats *to)
{
	if (m->key_state == MODEL_KEY_KEPT)
		conditions_add(to, "hash-key-mismatch", CONDITION_DEGRADED, "weir-dns",
		               "the key in use stays, the file is not used: %.200s", m->key_fault);
	if (m->key_state == MODEL_KEY_NONE)
		conditions_add(to, "hash-key-mismatch", CONDITION_DEGRADED, "weir-dns",
		               "clients may get another site here than from other nodes: %.190s",
		               m->key_fault);
}

/* The names of sites, "fra, par", as many as there is room for. */
static const char *list_site_names(const struct model *m, uint64_t sites, char *text, size_t room)
{
	struct listed_names list = { .text = text, .room = room };

	text[0] = '\0';
	for (size_t i = 0; i < m->n_sites; i++)
		if (sites >> (m->sites[i].index & 63) & 1)
			listed_add(&list, m->sites[i].name);
	return listed_end(&list);
}

/*
 * With three voting sites or more, only a majority of them takes a site out of the answers: are
 * enough sites heard?
 */
static void state_sites(const struct server *s, struct stats *to)
{
	const struct peer_health *v = s->now ? s->now->peer_health : NULL;
	struct peer_health_sites sites;
	char text[96];

	if (!v || !v->votes)
		return;
	sites = peer_health_sites(v);
	list_site_names(s->now->model, sites.lost, text, sizeof(text));
	if (2 * sites.n_heard <= sites.n)
		conditions_add(to, "sites-majority-lost", CONDITION_DEGRADED, "",
		               "%u of %u sites are not heard (%s): checks take no site out of the "
		               "answers and bring none back. Restore the path, or decide: weir "
		               "disable site NAME --until +4h --reason TEXT [--offline]",
		               sites.n - sites.n_heard, sites.n, text);
	else if (2 * (sites.n_heard - 1) <= sites.n)
		conditions_add(
		        to, "site-removal-impossible", CONDITION_DEGRADED, "",
		        "%s is not heard: if one more site dies, checks cannot take that one "
		        "out of the answers. If it stays away: weir drain site NAME "
		        "--scheduled --until never --reason TEXT; then the others decide",
		        text);
}

/* Whether a service is down at a site in all families that it has there, as checks see it. */
static bool is_down_at(const struct steering_site *site, const struct steering_site_state *state)
{
	bool any = false;

	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		if (site->n_addresses[ip4] && health_state(state->words[ip4]) != HEALTH_DOWN)
			return false;
		any |= site->n_addresses[ip4] > 0;
	}
	return any && !state->forced_up && !state->disabled;
}

/*
 * Whether some site of the service is not down. Without one, all sites are answered, and none
 * counts as taken out.
 */
static bool has_other(const struct steering_service *service,
                      const struct steering_site_state *states)
{
	for (uint32_t k = 0; k < service->n_sites; k++)
		if (!states[k].disabled && !is_down_at(&service->sites[k], &states[k]))
			return true;
	return false;
}

/*
 * Whether other sites see a service of the own site down, and answer without it, while this node
 * may see nothing wrong.
 */
static bool is_down_outside(const struct generation *g, const struct steering_site *site,
                            size_t state)
{
	bool any = false;

	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		struct majority m = peer_health_from_outside(g->peer_health, 2 * state + ip4,
		                                             g->model->self->site);

		if (site->n_addresses[ip4] && m.n_down <= m.n_up)
			return false;
		any |= site->n_addresses[ip4] > 0;
	}
	return any && !g->state->sites[state].forced_up && !g->state->sites[state].disabled;
}

/* How many services a site has, and how many of them checks have taken out of the answers. */
static unsigned count_outs(const struct generation *g, const struct model_site *site, unsigned *n)
{
	bool own = g->model->self && g->model->self->site == site;
	unsigned n_out = 0;

	*n = 0;
	for (size_t i = 0; i < g->steering->n_services; i++) {
		const struct steering_service *service = &g->steering->services[i];
		const struct steering_site_state *states = g->state->sites + service->first_state;

		if (service->one_vip) /* no answer lacks the site's address */
			continue;
		for (uint32_t k = 0; k < service->n_sites; k++) {
			const struct steering_site *at = &service->sites[k];

			if (strcmp(at->name, site->name) != 0)
				continue;
			++*n;
			n_out += (is_down_at(at, &states[k]) && has_other(service, states)) ||
			         (own && service->n_sites > 1 &&
			          is_down_outside(g, at, service->first_state + k));
		}
	}
	return n_out;
}

/*
 * The advice depends on the side: the site's own nodes look at their VIPs from outside, the others
 * ask that site's nodes.
 */
static void state_outs(const struct server *s, struct stats *to)
{
	const struct model *m = s->now ? s->now->model : NULL;

	for (size_t i = 0; m && i < m->n_sites; i++) {
		bool own = m->self && m->self->site == &m->sites[i];
		unsigned n, n_out = count_outs(s->now, &m->sites[i], &n);

		if (n_out)
			conditions_add(
			        to, "site-out", CONDITION_DEGRADED, m->sites[i].name,
			        "checks%s have taken site %s out of the answers for %u of its %u "
			        "services: clients get other sites. See %s, and weir dns explain NAME",
			        own ? " of other sites or its own" : "", m->sites[i].name, n_out, n,
			        own ? "weir health, the routes to its VIPs from outside"
			            : "weir why on that site's nodes, the routes to its VIPs");
	}
}

/* Names with a condition of their own, of each level; the others are counted. */
#define NAMES_NAMED 8u

/* What people have withdrawn from the routers, as this node's document has it. */
struct withdrawn {
	bool any;
	uint64_t sites; /* the VIPs that one of these alone has; bits by model_site.index */
	uint64_t nodes[PEER_HEALTH_NODES_MAX /
	               64]; /* all of the node; bits by place in model.nodes */
};

static void find_withdrawn(const struct model *m, struct withdrawn *out)
{
	*out = (struct withdrawn){ .any = false };
	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];
		const struct model_site *site =
		        o->is_step && !o->ended && o->own_vips == MODEL_VIPS_WITHDRAWN &&
		                        !(o->service && *o->service)
		                ? model_site(m, o->name)
		                : NULL;

		if (site)
			out->sites |= UINT64_C(1) << (site->index & 63);
		out->any |= site ||
		            (o->target == MODEL_TARGET_NODE && o->kind == MODEL_OVERRIDE_DISABLE);
	}
	for (size_t i = 0; out->any && i < m->n_nodes && i < PEER_HEALTH_NODES_MAX; i++)
		if (model_node_drain(m, &m->nodes[i]) == MODEL_NODE_WITHDRAWN)
			out->nodes[i / 64] |= UINT64_C(1) << i % 64;
}

/* Whether people have withdrawn the VIP of a service at a site from all nodes that announce it there. */
static bool is_withdrawn_at(const struct model *m, const struct withdrawn *w,
                            const struct model_at *at)
{
	bool any = false;

	if (at->vip->n_sites == 1 && w->sites >> (at->site->index & 63) & 1)
		return true;
	for (size_t i = 0; i < m->n_nodes && i < PEER_HEALTH_NODES_MAX; i++) {
		if (m->nodes[i].site != at->site || !model_node_announces(&m->nodes[i], at->vip))
			continue;
		if (!(w->nodes[i / 64] >> i % 64 & 1))
			return false;
		any = true;
	}
	return any;
}

/* How a name is answered, the worst last. */
enum name_state { NAME_ANSWERED, NAME_HALF, NAME_DRAINED, NAME_WITHDRAWN, NAME_EMPTY };

/*
 * By family, what answers for a service; a family that it has nowhere does not count. Answers that lead to no node are
 * as bad as none.
 */
static enum name_state judge_service(const struct generation *g, const struct withdrawn *w,
                                     const struct steering_service *s)
{
	const struct model_service *service = &g->model->services[s - g->steering->services];
	bool drained = true, empty[2] = { true, true }, has[2] = { false, false };
	uint64_t in, all = 0;

	for (uint32_t k = 0; k < s->n_sites; k++)
		for (unsigned ip4 = 0; ip4 < 2; ip4++)
			has[ip4] |= s->sites[k].n_addresses[ip4] > 0;
	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		enum steering_class class =
		        steering_class_of(s, g->state->sites + s->first_state, ip4, &in);

		empty[ip4] = class == STEERING_NONE;
		drained &= empty[ip4] || class == STEERING_DRAINED;
		all |= in;
	}
	if (empty[0] && empty[1])
		return NAME_EMPTY;
	for (uint64_t left = w->any ? all : 0; left; left &= left - 1) {
		if (!is_withdrawn_at(g->model, w, &service->at[__builtin_ctzll(left)]))
			break;
		if (!(left & (left - 1)))
			return NAME_WITHDRAWN;
	}
	if (drained)
		return NAME_DRAINED;
	return (has[0] && empty[0]) || (has[1] && empty[1]) ? NAME_HALF : NAME_ANSWERED;
}

/* How many sites of a service a person has disabled. */
static unsigned count_disabled(const struct generation *g, const struct steering_service *s)
{
	unsigned n = 0;

	for (uint32_t k = 0; k < s->n_sites; k++)
		n += g->state->sites[s->first_state + k].disabled;
	return n;
}

static void state_empty(const struct generation *g, const struct steering_name *n, struct stats *to)
{
	const struct steering_service *s = n->service;
	unsigned n_disabled = count_disabled(g, s);

	if (n_disabled)
		conditions_add(to, "name-unanswered", CONDITION_DOWN, n->name,
		               "no address is answered: %u of %u sites of service %s are disabled, "
		               "and no other may serve it. Bring one back: weir enable site NAME; "
		               "weir dns explain shows each",
		               n_disabled, s->n_sites, s->name);
	else
		conditions_add(to, "name-unanswered", CONDITION_DOWN, n->name,
		               "no address is answered: no site of service %s is up, and it fails "
		               "closed (on_all_down). Look at weir health and weir dns explain",
		               s->name);
}

static void state_name(const struct generation *g, const struct steering_name *n,
                       enum name_state is, struct stats *to)
{
	if (is == NAME_EMPTY)
		state_empty(g, n, to);
	else if (is == NAME_WITHDRAWN)
		conditions_add(
		        to, "name-withdrawn", CONDITION_DOWN, n->name,
		        "its answers lead nowhere: people's commands have withdrawn the VIPs "
		        "of service %s from all nodes of the sites that answer. Bring a site "
		        "or node back: weir undrain or weir enable (weir overrides)",
		        n->service->name);
	else if (is == NAME_DRAINED)
		conditions_add(
		        to, "name-drained", CONDITION_DEGRADED, n->name,
		        "all sites of service %s that may answer are drained: they keep "
		        "serving, against the intent, since no other is left. Bring one back: "
		        "weir undrain site NAME",
		        n->service->name);
	else
		conditions_add(to, "name-half-answered", CONDITION_DEGRADED, n->name,
		               "of one address family nothing is answered: no site of service %s "
		               "that has such addresses may serve. See weir dns explain, for A and "
		               "AAAA",
		               n->service->name);
}

/* Names of one level: what is degraded must not take the room of what is down. */
struct bad_names {
	unsigned n;
	struct {
		const struct steering_name *name;
		enum name_state is;
	} first[NAMES_NAMED];
};

static void note_name(struct bad_names *of, const struct steering_name *name, enum name_state is)
{
	if (of->n < NAMES_NAMED) {
		of->first[of->n].name = name;
		of->first[of->n].is = is;
	}
	of->n++;
}

static void state_names_of(const struct generation *g, const struct bad_names *of,
                           enum condition_level level, struct stats *to)
{
	for (unsigned i = 0; i < of->n && i < NAMES_NAMED; i++)
		state_name(g, of->first[i].name, of->first[i].is, to);
	if (of->n > NAMES_NAMED)
		conditions_add(
		        to, level == CONDITION_DOWN ? "names-unanswered" : "names-drained", level,
		        "", "%u more names are %s: weir overrides shows why", of->n - NAMES_NAMED,
		        level == CONDITION_DOWN ? "not answered, or their answers lead nowhere"
		                                : "answered by drained sites, or in part");
}

/* Names that no site may answer, or whose answers lead to sites that people have taken out. */
static void state_names(const struct server *s, struct stats *to)
{
	struct bad_names down = { 0 }, degraded = { 0 };
	struct withdrawn withdrawn;

	if (!s->now)
		return;
	find_withdrawn(s->now->model, &withdrawn);
	for (size_t i = 0; i < s->now->steering->n_names; i++) {
		const struct steering_name *name = &s->now->steering->names[i];
		enum name_state is = judge_service(s->now, &withdrawn, name->service);

		if (is != NAME_ANSWERED)
			note_name(is >= NAME_WITHDRAWN ? &down : &degraded, name, is);
	}
	state_names_of(s->now, &down, CONDITION_DOWN, to);
	state_names_of(s->now, &degraded, CONDITION_DEGRADED, to);
}

void server_conditions(struct server *s)
{
	struct stats *to = s->counters.stats;

	s->conditions_ms = loop_now_ms(s->loop);
	if (!to)
		return;
	conditions_begin(to, s->now ? s->now->model->meta.document : 0);
	state_document_errors(s, to);
	state_zones(s, to);
	if (s->now)
		state_steering_key(s->now->model, to);
	state_listens(s, to, s->conditions_ms);
	state_threads(s, to, s->conditions_ms);
	state_sites(s, to);
	state_outs(s, to);
	state_names(s, to);
	if (s->clock == WALL_CLOCK_UNSYNCHRONISED)
		conditions_add(
		        to, "clock-unsynchronised", CONDITION_DEGRADED, "",
		        "no time server has confirmed this node's clock since the boot, so "
		        "ramps of drains are held: start a time service (NTP), or set nodes[].clock");
	if (s->clock == WALL_CLOCK_STEPPED)
		conditions_add(
		        to, "clock-stepped", CONDITION_DEGRADED, "",
		        "the wall clock has jumped and is not followed: schedules continue by "
		        "elapsed time. Correct the clock, or accept it: weir clock accept "
		        "--reason TEXT");
	conditions_end(to);
}
