/* SPDX-License-Identifier: BSD-2-Clause */
#include "versions_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule.h"

#define LATE_MS 3000u /* a write whose answer was lost may be carried out so much later */

uint32_t world_below(struct world *w, uint32_t n)
{
	return schedule_below(&w->rng, n);
}

bool world_chance(struct world *w, uint32_t per_mille)
{
	return world_below(w, 1000) < per_mille;
}

void world_fault(struct world *w, const char *format, ...)
{
	va_list arguments;

	if (*w->fault_text)
		return;
	va_start(arguments, format);
	(void)vsnprintf(w->fault_text, sizeof(w->fault_text), format, arguments);
	va_end(arguments);
}

void world_id(struct world *w, char out[SHARED_ID_MAX])
{
	(void)snprintf(out, SHARED_ID_MAX, "c%" PRIu64, ++w->ids);
}

void world_clock(const struct world *w, const struct world_node *n, struct pending_clock *out)
{
	*out = (struct pending_clock){ .now_ms = w->now_ms - n->boot_ms };
	memcpy(out->boot, n->boot, sizeof(out->boot));
}

bool world_is_reached(const struct world *w, const struct world_node *n)
{
	return n->history && n->cut_until_ms <= w->now_ms;
}

const struct shared_record *world_record(const struct world *w, const char *name)
{
	for (size_t i = w->n_events; i-- > 0;)
		if (!strcmp(w->event[i].name, name))
			return w->event[i].text ? &w->event[i] : NULL;
	return NULL;
}

const struct shared_record *world_ever(const struct world *w, const char *name)
{
	for (size_t i = w->n_events; i-- > 0;)
		if (w->event[i].text && !strcmp(w->event[i].name, name))
			return &w->event[i];
	return NULL;
}

size_t world_event_of(const struct world *w, uint64_t number)
{
	size_t i = 0;

	while (i < w->n_events && shared_number("version", w->event[i].name) != number)
		i++;
	return i;
}

/* Decide a change, as the store does. */
static bool decide_change(struct world *w, const struct shared_change *c)
{
	for (size_t i = 0; i < c->n_seen; i++) {
		const struct shared_record *r = world_record(w, c->seen[i].name);

		if ((r ? r->revision : 0) != c->seen[i].revision)
			return false;
	}
	w->revision++;
	w->changed_ms = w->now_ms;
	for (size_t i = 0; i < c->n_puts && w->n_events < WORLD_EVENTS; i++) {
		struct shared_record *r = &w->event[w->n_events++];

		*r = c->puts[i];
		r->text = r->text ? strdup(r->text) : NULL;
		r->revision = w->revision;
	}
	if (w->n_events == WORLD_EVENTS)
		world_fault(w, "the schedule is too long for its store");
	return true;
}

/* @return whether it will be carried out later; then @p c belongs to the world */
static bool delay_change(struct world *w, struct shared_change *c)
{
	for (size_t i = 0; i < WORLD_LATE; i++) {
		if (w->late[i].at_ms)
			continue;
		w->late[i] = (struct world_late){ *c, w->now_ms + 1 + world_below(w, LATE_MS) };
		return true;
	}
	return false;
}

enum world_answer world_write(struct world *w, struct world_node *n, struct shared_change *c)
{
	bool loses = !w->healed && world_chance(w, 80), done = false;

	w->writes++;
	if (c->err)
		world_fault(w, "a change cannot be written: %d", c->err);
	if (!world_is_reached(w, n)) {
		shared_change_fini(c);
		return WORLD_NOT_REACHED;
	}
	if (loses && world_chance(w, 500) && delay_change(w, c)) {
		w->unknown++;
		return WORLD_UNKNOWN;
	}
	if (!loses || world_chance(w, 700))
		done = decide_change(w, c);
	shared_change_fini(c);
	w->unknown += loses;
	w->refused += !loses && !done;
	return loses ? WORLD_UNKNOWN : done ? WORLD_DONE : WORLD_REFUSED;
}

static void run_late(struct world *w)
{
	for (size_t i = 0; i < WORLD_LATE; i++) {
		struct world_late *l = &w->late[i];

		if (!l->at_ms || l->at_ms > w->now_ms)
			continue;
		(void)decide_change(w, &l->change);
		shared_change_fini(&l->change);
		l->at_ms = 0;
	}
}

static void take_event(struct world *w, struct world_node *n, size_t i,
                       const struct pending_clock *clock)
{
	int err = history_receive(n->history, &w->event[i], clock);

	if (err)
		world_fault(w, "a node refuses %s: %d", w->event[i].name, err);
}

/* Whether event @p i is the newest of its record among the first @p n. */
static bool is_newest(const struct world *w, size_t i, size_t n)
{
	for (size_t later = i + 1; later < n; later++)
		if (!strcmp(w->event[later].name, w->event[i].name))
			return false;
	return true;
}

/* All records as they were after @p n events. */
static void take_list(struct world *w, struct world_node *n, size_t n_events,
                      const struct pending_clock *clock)
{
	for (size_t i = 0; i < n_events; i++)
		if (w->event[i].text && is_newest(w, i, n_events))
			take_event(w, n, i, clock);
}

void world_names(uint32_t i, char node[8], char site[8])
{
	(void)snprintf(node, 8, "n%u", i);
	(void)snprintf(site, 8, "s%u", i % 2);
}

/* What a node has on its disk is there at once, deadlines included. */
static void start_node(struct world *w, struct world_node *n)
{
	struct pending_clock clock;
	char name[8], site[8];

	n->history = history_new(w->keep);
	world_names((uint32_t)(n - w->node), name, site);
	history_set_here(n->history, name, site);
	n->starts++;
	if (n->reboots || !*n->boot) {
		n->boot_ms = w->now_ms - 1000;
		n->boots++;
		(void)snprintf(n->boot, sizeof(n->boot), "boot-%u-%u", (unsigned)(n - w->node),
		               n->boots);
	}
	world_clock(w, n, &clock);
	history_join(n->history, n->joined_revision);
	history_resume(n->history, n->pending, n->n_pending, &clock);
	take_list(w, n, n->followed, &clock);
}

/* Follow what has changed, or list it; an empty disk's first list says what was there before. */
static void follow_store(struct world *w, struct world_node *n)
{
	struct pending_clock clock;

	world_clock(w, n, &clock);
	if (n->lists) {
		if (!n->followed) {
			n->joined = w->n_events;
			n->joined_revision = w->revision;
			history_join(n->history, w->revision);
		}
		history_clear(n->history);
		take_list(w, n, w->n_events, &clock);
		n->followed = w->n_events;
		n->lists = false;
	}
	for (; n->followed < w->n_events; n->followed++)
		take_event(w, n, n->followed, &clock);
}

static void end_overdue(struct world *w, struct world_node *n, const struct pending_clock *clock)
{
	uint64_t number = history_overdue(n->history, clock->now_ms);
	const struct history_mark mark = { .mark = CHAIN_ENDED,
		                           .author = "weir",
		                           .reason = "not confirmed in time",
		                           .time_ms = w->now_ms };
	struct shared_change c;
	char id[SHARED_ID_MAX];

	if (!number)
		return;
	world_id(w, id);
	shared_change_begin(&c, id);
	if (history_decide(n->history, clock->now_ms, number, &mark, &c))
		world_fault(w, "version %" PRIu64 " is overdue and cannot be ended", number);
	(void)world_write(w, n, &c);
}

static void stop_node(struct world *w, struct world_node *n)
{
	history_free(n->history);
	n->history = NULL;
	n->restarts = true;
	n->reboots = world_chance(w, 500);
	n->lists = n->lists || world_chance(w, 300);
	n->reached_since_ms = -1;
	n->back_ms = w->now_ms + 1000 + world_below(w, 30000);
}

static void run_node(struct world *w, struct world_node *n)
{
	struct pending_clock clock;
	size_t followed = n->followed;

	world_clock(w, n, &clock);
	if (world_is_reached(w, n) && (w->healed || world_chance(w, 800)))
		follow_store(w, n);
	/* it dies when it has kept the records, and not yet the deadlines */
	if (n->followed != followed && !w->healed && world_chance(w, 30)) {
		stop_node(w, n);
		return;
	}
	if ((w->now_ms / WORLD_TICK_MS) % (WORLD_STEP_MS / WORLD_TICK_MS) == 0)
		end_overdue(w, n, &clock);
	n->n_pending = history_pending(n->history, &clock, n->pending);
	if (!world_is_reached(w, n) || n->followed < w->n_events)
		n->reached_since_ms = -1;
	else if (n->reached_since_ms < 0)
		n->reached_since_ms = w->now_ms;
}

static void harm_node(struct world *w, struct world_node *n)
{
	switch (world_below(w, 4)) {
	case 0:
	case 1:
		n->cut_until_ms = w->now_ms + 1000 + world_below(w, 90000);
		n->lists = n->lists || world_chance(w, 300);
		break;
	case 2:
		stop_node(w, n);
		break;
	default: /* wiped: it comes with an empty disk */
		stop_node(w, n);
		n->followed = n->n_pending = 0;
		n->lists = true;
		n->joined = WORLD_EVENTS;
		n->wipes++;
		break;
	}
}

static void bring_back(struct world *w, struct world_node *n)
{
	n->restarts = false;
	start_node(w, n);
}

void world_run(struct world *w)
{
	w->now_ms += WORLD_TICK_MS;
	run_late(w);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		struct world_node *n = &w->node[i];

		if (n->restarts && n->back_ms <= w->now_ms)
			bring_back(w, n);
		if (!n->history)
			continue;
		if (!w->healed && world_chance(w, 2))
			harm_node(w, n);
		if (n->history)
			run_node(w, n);
	}
}

void world_heal(struct world *w)
{
	w->healed = true;
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		w->node[i].cut_until_ms = 0;
		w->node[i].back_ms = w->now_ms;
	}
}

void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->rng = seed * 0x9e3779b97f4a7c15u + 88172645463325252u;
	(void)world_below(w, 1);
	w->now_ms = 1000000;
	w->n_nodes = 3 + world_below(w, WORLD_NODES - 2);
	w->keep = 4 + world_below(w, 20);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		w->node[i].reached_since_ms = -1;
		start_node(w, &w->node[i]);
	}
}

void world_fini(struct world *w)
{
	for (uint32_t i = 0; i < w->n_nodes; i++)
		history_free(w->node[i].history);
	for (size_t i = 0; i < w->n_events; i++)
		free(w->event[i].text);
	for (size_t i = 0; i < WORLD_LATE; i++)
		if (w->late[i].at_ms)
			shared_change_fini(&w->late[i].change);
}
