/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rate before the drain is that of the samples which were taken before it was requested. The
 * present rate is measured only from when no address is announced as usual: before that, nothing
 * has told the routers to leave.
 */
#include "mgmt/observe/node_drain.h"

#include <string.h>

#include "mgmt/rules/rule.h"
#include "record/fields.h"
#include "weir/announce.h"
#include "weir/json.h"

/* Packets a second from sample @p first to the newest. @return whether there are such */
static bool rate_since(const struct node_drain *d, size_t first, uint64_t *out)
{
	const size_t last = d->n_samples - 1;
	uint64_t passed_ms;

	if (!d->n_samples || first >= last)
		return false;
	passed_ms = d->samples[last].at_ms - d->samples[first].at_ms;
	*out = (d->samples[last].packets - d->samples[first].packets) * 1000 / passed_ms;
	return true;
}

/* A counter that fell is a new one: what was measured before says nothing any more. */
static void add_sample(struct node_drain *d, uint64_t packets, uint64_t now_ms)
{
	size_t n = d->n_samples;

	if (n && now_ms < d->samples[n - 1].at_ms + NODE_DRAIN_SAMPLE_MS)
		return;
	if (n && packets < d->samples[n - 1].packets)
		n = 0;
	if (n == NODE_DRAIN_SAMPLES) {
		n--;
		memmove(d->samples, d->samples + 1, n * sizeof(d->samples[0]));
	}
	d->samples[n].at_ms = now_ms;
	d->samples[n].packets = packets;
	d->n_samples = n + 1;
}

/* The newest sample that is old enough for the present rate, and not from before the shutdown. */
static size_t find_window(const struct node_drain *d, uint64_t now_ms)
{
	size_t i = d->n_samples;

	while (i-- > 0 && d->samples[i].at_ms >= d->shutdown_ms)
		if (d->samples[i].at_ms + NODE_DRAIN_WINDOW_MS <= now_ms)
			return i;
	return SIZE_MAX;
}

static uint64_t most_of_empty(const struct node_drain *d)
{
	uint64_t share = d->before_known ? d->before_per_s * NODE_DRAIN_PPM / MODEL_PPM_ALL : 0;

	return share > NODE_DRAIN_LEAST ? share : NODE_DRAIN_LEAST;
}

/*
 * Few packets before say nothing about routers; nor do packets that leave because addresses are
 * withdrawn, or stay because no other node announces the address.
 */
static void judge_routers(struct node_drain *d, uint64_t now_ms)
{
	bool has_rate = d->rate_known && d->before_known && d->before_per_s > most_of_empty(d);
	bool late = now_ms >= d->shutdown_ms + NODE_DRAIN_LATE_MS;

	if (!d->routes.n_shutdown || d->routes.n_commanded)
		return;
	if (has_rate && d->empty)
		d->honoured = NODE_DRAIN_HONOURED;
	else if (d->routes.n_unconfirmed)
		d->honoured = NODE_DRAIN_UNKNOWN;
	else if (has_rate && late && d->routes.n_neighbours == 1)
		d->honoured = NODE_DRAIN_NOT_HONOURED;
}

static void measure_rate(struct node_drain *d, uint64_t now_ms)
{
	d->rate_known = d->shutdown_ms && rate_since(d, find_window(d, now_ms), &d->per_s);
	d->empty = d->rate_known && d->per_s < most_of_empty(d);
	if (d->shutdown_ms && d->target == MODEL_NODE_DRAINED)
		judge_routers(d, now_ms);
}

static bool had_shutdown(const struct node_drain *d, const char *name)
{
	for (uint32_t i = 0; i < d->n_neighbours; i++)
		if (!strcmp(d->neighbours[i].name, name))
			return d->neighbours[i].has_shutdown;
	return false;
}

/* Who gets an address in graceful shutdown. It stays so when addresses are withdrawn, one after the other. */
static void note_neighbours(struct node_drain *d)
{
	struct node_drain_routes *r = &d->routes;

	if (!r->known || !r->n_shutdown)
		return;
	for (uint32_t i = 0; i < r->n_neighbours; i++)
		r->neighbours[i].has_shutdown |= had_shutdown(d, r->neighbours[i].name);
	d->n_neighbours = r->n_neighbours;
	memcpy(d->neighbours, r->neighbours, sizeof(d->neighbours));
}

static void begin_drain(struct node_drain *d)
{
	d->n_neighbours = 0;
	d->before_known = rate_since(d, 0, &d->before_per_s);
	d->honoured = NODE_DRAIN_UNKNOWN;
	d->shutdown_ms = 0;
}

/* After a drain, until all addresses are proved, or something speaks against them. */
static void note_return(struct node_drain *d, enum model_node_drain target,
                        const struct node_drain_routes *r)
{
	bool is_back = r->known && !r->n_shutdown && !r->n_commanded && !r->n_waiting;

	if (target != MODEL_NODE_SERVES)
		d->returns = false;
	else if (d->target != MODEL_NODE_SERVES)
		d->returns = true;
	if (is_back)
		d->returns = false;
}

void node_drain_note(struct node_drain *d, enum model_node_drain target,
                     const struct node_drain_routes *routes, const uint64_t *packets,
                     uint64_t now_ms)
{
	bool begins = target != MODEL_NODE_SERVES && d->target == MODEL_NODE_SERVES;

	if (begins)
		begin_drain(d);
	note_return(d, target, routes);
	d->target = target;
	d->routes = *routes;
	if (target == MODEL_NODE_DRAINED)
		note_neighbours(d);
	if (target == MODEL_NODE_SERVES || (routes->known && routes->n_normal))
		d->shutdown_ms = 0;
	else if (!d->shutdown_ms && routes->known)
		d->shutdown_ms = now_ms;
	if (packets)
		add_sample(d, *packets, now_ms);
	else
		d->n_samples = 0;
	measure_rate(d, now_ms);
}

static bool is_commanded(const struct announced_address *a)
{
	return a->reason == ANNOUNCE_REASON_DRAINED || a->reason == ANNOUNCE_REASON_WITHDRAWN;
}

/* Whether routers still send to an address that is to be withdrawn. */
static bool is_left(const struct announced_address *a)
{
	return a->in_kernel || (a->is_export_read && a->exported);
}

/* Whether they may: what the daemon has not imported, it sends to nobody. */
static bool is_unread(const struct announced_address *a)
{
	return !is_left(a) && !a->is_export_read && (!a->is_read || a->imported);
}

void node_drain_count(struct node_drain_routes *r, const struct announced_address *a)
{
	bool is_out = a->table == ANNOUNCE_NONE;

	r->known &= a->reason != ANNOUNCE_REASON_UNREAD;
	r->n_normal += a->table == ANNOUNCE_NORMAL;
	r->n_shutdown += a->table == ANNOUNCE_SHUTDOWN;
	r->n_unconfirmed += a->reason == ANNOUNCE_REASON_DRAIN_UNCONFIRMED;
	r->n_commanded += is_out && is_commanded(a);
	r->n_waiting += is_out && (a->reason == ANNOUNCE_REASON_WAITING ||
	                           a->reason == ANNOUNCE_REASON_FAILED);
	r->n_left += is_out && is_left(a);
	r->n_unread += is_out && is_unread(a);
}

static enum rule_id find_state(const struct node_drain *d)
{
	const struct node_drain_routes *r = &d->routes;

	if (!r->known)
		return NODE_IS_UNKNOWN;
	if (d->target != MODEL_NODE_SERVES && (r->n_normal || r->n_shutdown || r->n_left))
		return NODE_IS_DRAINING;
	if (d->target != MODEL_NODE_SERVES)
		return r->n_unread ? NODE_IS_UNKNOWN : NODE_IS_DRAINED;
	if (r->n_shutdown || r->n_commanded || (d->returns && r->n_waiting))
		return NODE_IS_RETURNING;
	return r->n_normal || !r->n ? NODE_IS_SERVING : NODE_IS_OUT;
}

const char *node_drain_state(const struct node_drain *d)
{
	return rule_rows[find_state(d)].name;
}

static const char *honoured_text(int honoured)
{
	static const char *const texts[] = { "not seen", "yes", "no" };

	return texts[honoured];
}

#define SHOWN_NEIGHBOUR_ROWS(X, t)                                                                 \
	X(t, const char *, name)                                                                   \
	X(t, const char *, graceful_shutdown_honoured)
RECORD_SHOWN(shown_neighbour, "neighbour", SHOWN_NEIGHBOUR_ROWS);

/* Packets say nothing of a neighbour that did not get such a route: another one sent them. */
static json_t *neighbours_to_json(const void *drain)
{
	const struct node_drain *d = drain;
	struct shown_neighbour shown[ANNOUNCED_NEIGHBOURS_MAX];

	for (uint32_t i = 0; i < d->n_neighbours; i++) {
		const struct node_drain_neighbour *n = &d->neighbours[i];

		shown[i] = (struct shown_neighbour){
			n->name, honoured_text(n->has_shutdown ? d->honoured : NODE_DRAIN_UNKNOWN)
		};
	}
	return record_list_shown(&shown_neighbour_kind, shown, d->n_neighbours);
}

static const struct record_kind addresses_record = RECORD_OF(
        struct node_drain_routes, "addresses", NULL, SHOW_AS(struct node_drain_routes, "all", n),
        SHOW_AS(struct node_drain_routes, "normal", n_normal),
        SHOW_AS(struct node_drain_routes, "shutdown", n_shutdown),
        SHOW_AS(struct node_drain_routes, "unconfirmed", n_unconfirmed),
        SHOW_AS(struct node_drain_routes, "commanded", n_commanded),
        SHOW_AS(struct node_drain_routes, "unread", n_unread));
static const struct record_kind leaving_record =
        RECORD_OF(struct node_drain, "leaving", NULL,
                  SHOW_KNOWN(struct node_drain, "packets_per_s_before", before_per_s, before_known),
                  SHOW_KNOWN(struct node_drain, "packets_per_s", per_s, rate_known),
                  SHOW_WORD(struct node_drain, "graceful_shutdown_honoured", honoured,
                            honoured_text, NODE_DRAIN_NOT_HONOURED + 1),
                  SHOW_COMPUTED("neighbours", neighbours_to_json, .each = &shown_neighbour_kind));
#define SHOWN_DRAIN_ROWS(X, t)                                                                     \
	X(t, const char *, state)                                                                  \
	/* the next two: NULL: not known, or it is to serve */                                     \
	X(t, const struct node_drain_routes *, addresses, .of = &addresses_record, .behind = true, \
	  .spare = true)                                                                           \
	X(t, const struct node_drain *, leaving, AS_ROWS(leaving_record), .behind = true)
RECORD_SHOWN(shown_drain, "node drain", SHOWN_DRAIN_ROWS);

json_t *node_drain_to_json(const struct node_drain *d)
{
	bool leaves = d->routes.known && d->target != MODEL_NODE_SERVES;

	return SHOWN(shown_drain, .state = node_drain_state(d),
	             .addresses = d->routes.known ? &d->routes : NULL,
	             .leaving = leaves ? d : NULL);
}
