/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir dns explain`: load what weir-dns would load, compute the state that it would have, run
 * answer() with a trace, and put the trace into words. Nothing is decided here, so the explanation
 * cannot differ from the answer.
 */
#include "weir/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldns/ldns.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/answer/answer.h"
#include "dns/steering/decided.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "dns/steering/ramps.h"
#include "dns/zone/wire.h"
#include "weir/peer_page.h"

/*
 * Steps: of 64 sites with what nodes see of each, of drains that are held, and some for the lookup, so what is chosen
 * has room.
 */
#define STEPS_MAX       4096
#define PEERS_MAX       3072u /* nodes that see a site, over all sites */
#define RAMPS_MAX       256u
#define RECORDS_MAX     4096 /* of an answer of 64 KiB at 16 bytes */
#define ERROR_TEXTS_MAX 100  /* errors of the zone files: more help nobody */

struct explainer {
	const struct explain_request *request;
	struct explanation *e;
	struct generation *g;
	struct decided decided;
	struct answer_trace trace;
	bool no_memory;
};

__attribute__((format(printf, 3, 4))) static void add_step(struct explainer *x, const char *what,
                                                           const char *format, ...)
{
	va_list args;
	char *text;

	if (x->e->n_steps == STEPS_MAX)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		x->no_memory = true;
	}
	va_end(args);
	if (text)
		x->e->steps[x->e->n_steps++] = (struct explain_step){ what, text };
}

static void keep_error_text(void *arg, const struct zones_message *m)
{
	struct explanation *e = arg;
	char line[16] = "", *text;

	if (e->n_errors == ERROR_TEXTS_MAX || m->level == ZONES_WARNING)
		return;
	if (m->line)
		snprintf(line, sizeof(line), ":%u", m->line);
	if (asprintf(&text, "%s%s%s%s", m->file, line, *m->file ? ": " : "", m->text) >= 0)
		e->errors[e->n_errors++] = text;
}

static const char *image_name_text(const struct explainer *x, uint32_t name_off,
                                   char text[NAME_TEXT_MAX])
{
	uint8_t wire[NAME_WIRE_MAX];

	image_name_wire(x->g->image, name_off, wire);
	return name_text(wire, text);
}

/* What the first @p most nodes see of the target, and what the sites make of it. */
static void add_health_steps(struct explainer *x, size_t target, size_t most)
{
	const struct peer_health *v = x->g->peer_health;
	struct majority m = peer_health_of_target(v, target);

	if (!v->votes)
		return;
	for (size_t i = 0; i < v->n && i < most; i++) {
		const struct node_health *health = &v->items[i];
		health_word word = health->words[target];

		add_step(x, "peer-health", "%s at %s sees it %s (%s)%s%s", health->node,
		         health->site->name, health_state_text(health_state(word)),
		         health_reason_text(health_reason(word)),
		         health_inconclusive(word) ? ", inconclusive" : "",
		         !health->fresh          ? ", not fresh"
		         : health_restored(word) ? ", from before a restart"
		         : health_unproven(word) ? ", its check never succeeded there"
		                                 : "");
	}
	if (v->n > most)
		add_step(x, "peer-health", "%zu more nodes are left out", v->n - most);
	add_step(x, "majority", "%u of %u voting site%s down, %u %s lost%s: %s", m.n_down,
	         m.n_up + m.n_down + m.n_lost,
	         m.n_up + m.n_down + m.n_lost == 1 ? " says" : "s say", m.n_lost,
	         m.n_lost == 1 ? "is" : "are", m.held ? " (so the last state stays)" : "",
	         health_state_text(health_state(m.word)));
}

/* One site as the choice saw it: checks, overrides, and the key at its gate. */
static void add_site_step(struct explainer *x, const struct answer_step *step, uint32_t k)
{
	const struct steering_service *service = x->g->steering->names[step->dynamic].service;
	const struct steering_site *site = &service->sites[k];
	const struct steering_site_state *s = &x->g->state->sites[service->first_state + k];
	bool ip4 = strcasecmp(x->request->type, "AAAA") != 0;
	health_word word = s->words[ip4];
	uint32_t gate_ppm = steering_gate_ppm(x->g->steering, site, &step->key);
	char gate[96] = "";

	if (s->drained_ppm)
		snprintf(gate, sizeof(gate), ", drained %.2f %%, this key's gate is at %.2f %%: %s",
		         s->drained_ppm / 1e4, gate_ppm / 1e4,
		         gate_ppm < s->drained_ppm ? "turned away" : "let in");
	add_step(x, "site", "%s: %u address%s, weight %u, %s%s%s%s%s%s%s%s", site->name,
	         site->n_addresses[ip4], site->n_addresses[ip4] == 1 ? "" : "es", site->weight,
	         health_state_text(health_state(word)), health_in_doubt(word) ? " in doubt" : "",
	         health_state(word) == HEALTH_DOWN ? " because " : "",
	         health_state(word) == HEALTH_DOWN ? health_reason_text(health_reason(word)) : "",
	         s->unproven[ip4] ? ", added by a later version and never seen up" : "",
	         s->forced_up ? ", forced up" : "", s->disabled ? ", disabled" : "", gate);
	if (site->n_addresses[ip4])
		add_health_steps(x, 2 * (size_t)(service->first_state + k) + ip4,
		                 PEERS_MAX / service->n_sites);
}

static const char *sites_text(const struct steering_service *service, uint64_t sites, char *text,
                              size_t room)
{
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t k = 0; k < service->n_sites && at < room; k++)
		if (sites >> k & 1)
			at += (size_t)snprintf(text + at, room - at, "%s%s", at ? ", " : "",
			                       service->sites[k].name);
	return text;
}

static void add_key_step(struct explainer *x, const struct answer_step *step)
{
	uint8_t bytes[16] = { 0 };
	struct addr first;
	char text[ADDR_TEXT_MAX];

	memcpy(bytes, step->key.bytes + 1, step->key.bits / 8);
	first = step->key.bytes[0] == 4 ? addr_from4(bytes) : addr_from6(bytes);
	add_step(x, "key", "%s/%u, from %s", addr_text(&first, text), step->key.bits,
	         step->key_is_subnet ? "the client subnet of the query" : "the resolver's address");
}

/*
 * In the order of the choice itself: the key, each site, the class, what turned the key away, the
 * site, the TTL.
 */
static void add_steering_steps(struct explainer *x, const struct answer_step *step)
{
	static const char *const classes[] = {
		"up or unknown, and not drained",
		"up or unknown; all of them are drained",
		"no other site is up: sites that were never seen up are used, too",
		"no site is up: all but disabled, by base weight (panic)",
		"none: the answer is empty",
	};
	const struct steering_name *name = &x->g->steering->names[step->dynamic];
	const struct steering_service *service = name->service;
	const struct steering_choice *choice = &step->choice;
	char names[STEERING_SITES_MAX * (MODEL_NAME_MAX + 2)];

	add_step(x, "dynamic", "%s is placed by service %s, policy %s%s", name->name, service->name,
	         name->policy == MODEL_POLICY_FAILOVER ? "failover" : "weighted",
	         service->fail_closed ? ", fails closed" : "");
	add_key_step(x, step);
	for (uint32_t k = 0; k < service->n_sites; k++)
		add_site_step(x, step, k);
	add_step(x, "class", "%s: %s", steering_class_text(choice->class), classes[choice->class]);
	if (choice->class != STEERING_NONE)
		add_step(x, "candidates", "%s",
		         sites_text(service, choice->candidates, names, sizeof(names)));
	if (choice->gated)
		add_step(x, "gates", "turned away from %s",
		         sites_text(service, choice->gated, names, sizeof(names)));
	if (choice->halved)
		add_step(
		        x, "families",
		        "moved away from %s, where one address family is down: both come from one site",
		        sites_text(service, choice->halved, names, sizeof(names)));
	if (choice->site >= 0)
		add_step(x, "chosen", "%s", service->sites[choice->site].name);
	add_step(x, "ttl", "%u s: %s (limits %u to %u s)", choice->ttl_s,
	         steering_ttl_text(choice->ttl_from), name->ttl_min_s, name->ttl_max_s);
}

static void add_zone_step(struct explainer *x, const struct image_node *node)
{
	const struct image_zone *zone = image_zone(x->g->image, node->zone);
	char text[NAME_TEXT_MAX];

	add_step(x, "zone", "%s, serial %u%s", image_name_text(x, zone->name_off, text),
	         zone->serial,
	         zone->state & IMAGE_ZONE_EARLIER
	                 ? " (its file is bad now; this is an earlier image)"
	         : zone->state & IMAGE_ZONE_BROKEN
	                 ? " (its file is bad, and there is no earlier image)"
	                 : "");
}

/* Each step's key, and the text before and after the name of its node. */
static const struct {
	const char *what, *before, *after;
} lookup_texts[] = {
	[ANSWER_STEP_NODE] = { "node", "", " exists" },
	[ANSWER_STEP_ENCLOSER] = { "node", "the name does not exist; the closest existing name is ",
	                           "" },
	[ANSWER_STEP_WILDCARD] = { "wildcard", "", " answers for it" },
	[ANSWER_STEP_PARENT] = { "parent", "DS of ", " is looked up in the parent zone" },
	[ANSWER_STEP_REFERRAL] = { "referral", "", " is delegated: its servers, with glue" },
	[ANSWER_STEP_DATA] = { "data", "", " has records of this type" },
	[ANSWER_STEP_ALIAS] = { "alias", "", " is an alias (CNAME): its target is next" },
	[ANSWER_STEP_DNAME] = { "dname", "", " has a DNAME, which renames all names below it" },
	[ANSWER_STEP_TOO_LONG] = { "too-long", "", ": the new name is over 255 bytes" },
	[ANSWER_STEP_BROKEN] = { "broken", "", ": the zone answers SERVFAIL" },
	[ANSWER_STEP_STEERED] = { "placed", "", "" },
	[ANSWER_STEP_NODATA] = { "nodata", "", " has no records of this type" },
	[ANSWER_STEP_NXDOMAIN] = { "nxdomain", "below ",
	                           " there is neither this name nor a wildcard" },
	[ANSWER_STEP_OUTSIDE] = { "outside", "the name lies in none of the zones", "" },
	[ANSWER_STEP_LEAVES] = { "leaves",
	                         "the alias leads out of the zone, in a circle, or too far", "" },
	[ANSWER_STEP_TRUNCATED] = { "truncated", "the next part does not fit", "" },
};

/* The zone is named where the lookup enters it: at the name or its closest encloser. */
static void add_lookup_step(struct explainer *x, const struct answer_step *step)
{
	const struct image_node *node = image_node(x->g->image, step->node_off);
	char text[NAME_TEXT_MAX] = "";

	if (step->node_off)
		image_name_text(x, node->name_off, text);
	if (step->kind == ANSWER_STEP_NODE || step->kind == ANSWER_STEP_ENCLOSER)
		add_zone_step(x, node);
	if (step->kind == ANSWER_STEP_STEERED)
		add_steering_steps(x, step);
	else
		add_step(x, lookup_texts[step->kind].what, "%s%s%s",
		         lookup_texts[step->kind].before, text, lookup_texts[step->kind].after);
}

/* A record that ldns cannot print is left out: the others are still worth showing. */
static void list_records(struct explainer *x, const char *section, const ldns_rr_list *list)
{
	for (size_t i = 0; list && i < ldns_rr_list_rr_count(list); i++) {
		char *text, *line;

		if (x->e->n_records == RECORDS_MAX)
			return;
		text = ldns_rr2str(ldns_rr_list_rr(list, i));
		if (!text)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (asprintf(&line, "%s %s", section, text) >= 0)
			x->e->records[x->e->n_records++] = line;
		free(text);
	}
}

/* Read our own answer with ldns: an independent reader would notice a malformed one. */
static void list_answer_records(struct explainer *x, const uint8_t *bytes, size_t length)
{
	static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
		                              "NOTIMP",  "REFUSED", "YXDOMAIN" };
	ldns_pkt *packet = NULL;

	x->e->rcode = "DROP";
	if (length == 0 || ldns_wire2pkt(&packet, bytes, length) != LDNS_STATUS_OK)
		return;
	x->e->rcode = rcodes[ldns_pkt_get_rcode(packet) <= 6 ? ldns_pkt_get_rcode(packet) : 2];
	x->e->authoritative = ldns_pkt_aa(packet);
	x->e->truncated = ldns_pkt_tc(packet);
	list_records(x, "answer", ldns_pkt_answer(packet));
	list_records(x, "authority", ldns_pkt_authority(packet));
	list_records(x, "additional", ldns_pkt_additional(packet));
	ldns_pkt_free(packet);
}

static void put_subnet(struct wire_writer *w, const struct prefix *subnet)
{
	bool ip4 = addr_is4(&subnet->addr);
	uint16_t n = (uint16_t)((subnet->bits + 7) / 8);

	wire_put16(w, EDNS_OPT_SUBNET);
	wire_put16(w, (uint16_t)(4 + n));
	wire_put16(w, ip4 ? 1 : 2);
	wire_put8(w, subnet->bits);
	wire_put8(w, 0);
	wire_put(w, ip4 ? addr_bytes4(&subnet->addr) : subnet->addr.bytes, n);
}

/* The query that such a client would send. */
static size_t make_wire_query(const struct explain_request *r, const struct name *name,
                              uint16_t type, uint8_t *out, size_t room)
{
	struct wire_writer w = { .start = out, .limit = room };
	uint16_t option = r->has_subnet ? (uint16_t)(8 + (r->subnet.bits + 7) / 8) : 0;

	wire_put16(&w, 0);
	wire_put16(&w, DNS_RD);
	wire_put16(&w, 1);
	wire_put32(&w, 0);
	wire_put16(&w, 1);
	wire_put(&w, name->lower, name->length);
	wire_put16(&w, type);
	wire_put16(&w, DNS_IN);
	wire_put8(&w, 0);
	wire_put16(&w, DNS_OPT);
	wire_put16(&w, EDNS_UDP_MAX);
	wire_put32(&w, 0);
	wire_put16(&w, option);
	if (r->has_subnet)
		put_subnet(&w, &r->subnet);
	return w.at;
}

/*
 * What weir-dns takes from the node's clock: as weir-mgmt has published it, which is not the kernel's word of now. The
 * time of this process stays as it is: it may be weir-mgmt itself.
 */
static enum wall_clock_hold read_hold(const struct model *m, const struct proc_dirs *dirs)
{
	const struct wall_clock_now now = { .mono_ms = clock_mono_ms(),
		                            .clock_ms = clock_realtime_ms(),
		                            .synchronised = clock_is_synchronised() };
	bool trusted = !m->self || m->self->clock == MODEL_CLOCK_TRUSTED;
	struct believed b = { 0 };
	enum wall_clock_hold hold;

	(void)believed_step(&b, dirs->run, &now);
	believed_not_before(&b, m->meta.written_ms);
	hold = wall_clock_hold(&b.wall_clock, trusted);
	believed_close(&b);
	return hold;
}

/*
 * What holds drains, in words. Ramps are stepped once, and no time passes before the first step: so those that the
 * clock holds are behind their schedule.
 */
static void add_ramp_steps(struct explainer *x, const struct ramps *ramps,
                           enum wall_clock_hold hold)
{
	size_t n = 0;

	if (wall_clock_holds_ramps(hold))
		add_step(x, "clock", "%s: it holds the ramps of drains%s",
		         hold == WALL_CLOCK_BOOTED ? "does not follow from the time before the boot"
		                                   : "not synchronised",
		         hold == WALL_CLOCK_BOOTED ? "" : " (nodes[].clock)");
	for (size_t i = 0; i < ramps->n; i++)
		if (ramps->items[i].how != RAMP_FREE && n++ < RAMPS_MAX)
			add_step(x, "ramp", "drain %s: %s", ramps->items[i].id,
			         ramps->items[i].how == RAMP_HELD_SITE
			                 ? "expired, held: the site is not up as seen from outside"
			                 : "behind its schedule");
	if (n > RAMPS_MAX)
		add_step(x, "ramp", "%zu more drains are held or behind their schedule",
		         n - RAMPS_MAX);
}

/*
 * Drains and sites as weir-dns has kept them. A drain that follows its schedule is shown at the
 * requested time.
 */
static void observe_kept(struct explainer *x, const struct proc_dirs *dirs,
                         const struct peer_health_input *seen)
{
	enum wall_clock_hold hold;
	struct generation_time time = { .wall_clock_ms = x->request->wall_clock_ms };
	struct ramps ramps;
	int err = ramps_open(&ramps, dirs->state);
	int err_sites = decided_open(&x->decided, dirs->state);

	if (err < 0 && err != -ENOMEM)
		add_step(x, "ramp", "the saved state of drains cannot be read (%s)",
		         strerror(-err));
	if (err_sites < 0)
		add_step(x, "site", "the saved state of sites cannot be read (%s)",
		         strerror(-err_sites));
	if (err != -ENOMEM) {
		ramps_only_held(&ramps);
		hold = read_hold(x->g->model, dirs);
		time.clock_held = wall_clock_holds_ramps(hold);
		generation_observe(x->g, seen, &ramps, &x->decided, &time);
		x->g->peer_health->decided = &x->decided;
		add_ramp_steps(x, &ramps, hold);
	}
	x->no_memory |= err == -ENOMEM;
	ramps_close(&ramps);
}

/*
 * Without a health page the explanation goes on: all targets are unknown then, and a step says
 * why.
 */
static void observe_now(struct explainer *x, const struct proc_dirs *dirs)
{
	struct peer_health_input seen = { .run_dir = dirs->run, .now_ms = clock_mono_ms() };
	struct page *page = NULL;

	if (health_page_open(dirs->run, &page) == 0) {
		seen.own = page_payload(page);
		seen.own_page = page;
		seen.own_good_until_ms = page_header(page)->alive_ms + PEER_PAGE_GOOD_MS;
	} else {
		add_step(x, "health", "no health page: the health seen by this node is unknown");
	}
	observe_kept(x, dirs, &seen);
	page_close(page);
}

/* The query goes through its wire form, as a client's would: so parsing is explained, too. */
static int run_query(struct explainer *x, const struct name *name, uint16_t type)
{
	uint8_t query[512], *out = malloc(ANSWER_MAX);
	const struct answer_env env = {
		.image = x->g->image,
		.steering = x->g->steering,
		.state = x->g->state,
		.wall_clock_ms = x->request->wall_clock_ms,
	};
	struct answer_query q = { .bytes = query,
		                  .client = x->request->client,
		                  .tcp = x->request->tcp };
	struct answer_info info;
	size_t n;

	if (!out)
		return -ENOMEM;
	q.length = make_wire_query(x->request, name, type, query, sizeof(query));
	n = answer(&env, &q, out, ANSWER_MAX, &info, &x->trace);
	for (unsigned i = 0; i < x->trace.n; i++)
		add_lookup_step(x, &x->trace.steps[i]);
	list_answer_records(x, out, n);
	free(out);
	return x->no_memory ? -ENOMEM : 0;
}

static struct explanation *make_explanation(void)
{
	struct explanation *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->rcode = "";
	e->steps = calloc(STEPS_MAX, sizeof(*e->steps));
	e->records = calloc(RECORDS_MAX, sizeof(*e->records));
	e->errors = calloc(ERROR_TEXTS_MAX, sizeof(*e->errors));
	if (e->steps && e->records && e->errors)
		return e;
	explain_free(e);
	return NULL;
}

/*
 * Without the key nobody knows which site a client gets: no explanation is better than a wrong
 * one.
 */
static int refuse_without_key(struct explainer *x)
{
	const struct model *m = x->g->model;

	keep_error_text(
	        x->e, &(struct zones_message){
	                      .zone = "", .file = "", .level = ZONES_ERROR, .text = m->key_fault });
	generation_free(x->g);
	return -EINVAL;
}

/* The request is checked first: loading a document may take seconds. */
static int explain_name(struct explainer *x, const struct proc_dirs *dirs)
{
	const struct generation_how how = {
		.trust_cache = true,
		.report = keep_error_text,
		.report_arg = x->e,
	};
	ldns_rr_type type = ldns_get_rr_type_by_name(x->request->type);
	bool is_type = type && type <= UINT16_MAX;
	struct name name;
	int err;

	if (name_parse(x->request->name, &name) < 0 || !is_type) {
		keep_error_text(x->e,
		                &(struct zones_message){ .zone = "",
		                                         .file = "",
		                                         .level = ZONES_ERROR,
		                                         .text = is_type ? "not a domain name"
		                                                         : "not a record type" });
		return -EINVAL;
	}
	err = generation_load(dirs, &how, &x->g);
	if (err < 0)
		return err;
	if (x->g->model->key_state == MODEL_KEY_NONE)
		return refuse_without_key(x);
	observe_now(x, dirs);
	err = run_query(x, &name, (uint16_t)type);
	generation_free(x->g);
	decided_close(&x->decided);
	return err;
}

int explain_dns(const struct proc_dirs *dirs, const struct explain_request *request,
                struct explanation **out)
{
	struct explainer *x = calloc(1, sizeof(*x));
	int err = -ENOMEM;

	if (x)
		x->e = make_explanation();
	if (x && x->e) {
		x->request = request;
		err = explain_name(x, dirs);
		if (err == 0 || err == -EINVAL) {
			*out = x->e;
			x->e = NULL;
		}
		explain_free(x->e);
	}
	free(x);
	return err;
}

void explain_free(struct explanation *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n_steps; i++)
		free(e->steps[i].text);
	for (size_t i = 0; i < e->n_records; i++)
		free(e->records[i]);
	for (size_t i = 0; i < e->n_errors; i++)
		free(e->errors[i]);
	free(e->steps);
	free(e->records);
	free(e->errors);
	free(e);
}
