/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets are counted by backend, so what was given to a port is the sum over the backends behind it.
 * That is read only while a port is in trouble: the first loss makes the first reading.
 */
#include "dataplane/leaving.h"

#include <string.h>

#include "base/log.h"
#include "dataplane/export/traffic.h"

#define EARLY_MS   50u /* the caller's timer is not exact */
#define LOST_LEAST 10u

static struct leaving_port *find_leaving_port(struct leaving *l, uint32_t ifindex)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->ports[i].shown.ifindex == ifindex)
			return &l->ports[i];
	return NULL;
}

enum leaving_state leaving_of(const struct leaving *l, uint32_t ifindex)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->ports[i].shown.ifindex == ifindex)
			return l->ports[i].state;
	return LEAVING_ALL;
}

void leaving_note_probes(struct leaving *l, uint32_t ifindex, uint64_t frames)
{
	struct leaving_port *p = find_leaving_port(l, ifindex);

	if (p)
		p->probes += frames;
}

/* What an earlier process knew goes on: its VIPs are withdrawn, and silence proves nothing. */
static struct leaving_port begin_port(const struct driver_port *found, uint64_t now_ms)
{
	if (!found->left_nothing)
		return (struct leaving_port){ .state = LEAVING_ALL };
	return (struct leaving_port){ .state = LEAVING_NONE,
		                      .lost_ms = now_ms,
		                      .hold_ms = LEAVING_HOLD_MS };
}

/* What is known of a port goes with the port, or with the knowledge. */
static void read_leaving_ports(struct leaving *l, const struct compiler *n, uint64_t now_ms)
{
	struct driver_port found[DRIVER_PORTS_MAX];
	size_t n_found = n->ops->ports(n->driver, found);
	struct leaving before = *l;

	l->n = 0;
	for (size_t i = 0; i < n_found; i++) {
		struct leaving_port *known = find_leaving_port(&before, found[i].ifindex);

		if (!found[i].not_sent_known)
			continue;
		l->ports[l->n] = known ? *known : begin_port(&found[i], now_ms);
		if (known && found[i].not_sent < known->shown.not_sent) /* it has begun again */
			l->ports[l->n].n_readings = 0;
		else if (known && found[i].not_sent > known->shown.not_sent)
			l->ports[l->n].lost_ms = now_ms;
		l->ports[l->n++].shown = found[i];
	}
}

/* Whether there is anything to look at: a loss a moment ago, or one that is not over. */
static bool is_in_trouble(const struct leaving *l, uint64_t now_ms)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->ports[i].state != LEAVING_ALL ||
		    (l->ports[i].lost_ms && now_ms - l->ports[i].lost_ms < LEAVING_CLEAN_MS))
			return true;
	return false;
}

static void add_reading(struct leaving_port *p, uint64_t given, uint64_t now_ms)
{
	given = given > p->probes ? given - p->probes : 0;
	if (p->n_readings && given < p->readings[p->n_readings - 1].given)
		p->n_readings = 0; /* a backend has left this port, or counters have begun again */
	if (p->n_readings == LEAVING_READINGS)
		memmove(p->readings, p->readings + 1, --p->n_readings * sizeof(p->readings[0]));
	p->readings[p->n_readings++] = (struct leaving_reading){ .at_ms = now_ms,
		                                                 .given = given,
		                                                 .lost = p->shown.not_sent };
}

static void read_given(struct leaving *l, const struct compiler *n, uint64_t now_ms)
{
	uint64_t given[DRIVER_PORTS_MAX] = { 0 };

	for (uint32_t b = 1; b < n->t.n_backends; b++)
		for (size_t i = 0; n->t.backends[b].ifindex && i < l->n; i++)
			if (l->ports[i].shown.ifindex == n->t.backends[b].ifindex)
				given[i] += traffic_of_backend(&n->t, b).packets;
	for (size_t i = 0; i < l->n; i++)
		add_reading(&l->ports[i], given[i], now_ms);
}

/* Fill in the last window. @return false: it is not whole yet */
static bool read_window(struct leaving_port *p)
{
	const struct leaving_reading *from = &p->readings[0], *to = from + p->n_readings - 1;

	if (p->n_readings < 2 || to->at_ms - from->at_ms + EARLY_MS < LEAVING_WINDOW_MS)
		return false;
	p->lost = to->lost - from->lost;
	p->given = to->given - from->given > p->lost ? to->given - from->given : p->lost;
	return true;
}

static void set_leaving_state(struct leaving *l, struct leaving_port *p, const struct compiler *n,
                              enum leaving_state state)
{
	static const char *const words[] = { "all", "some", "none" };

	if (p->state == state)
		return;
	p->state = state;
	p->tried_from_ms = 0;
	l->changes++;
	if (n->ops->keep_left_nothing)
		n->ops->keep_left_nothing(n->driver, p->shown.ifindex, state == LEAVING_NONE);
	log_note("frames-leave", "port=%s state=%s lost=%llu of=%llu", p->shown.name, words[state],
	         (unsigned long long)p->lost, (unsigned long long)p->given);
}

static void hold_longer(struct leaving_port *p, uint64_t now_ms)
{
	bool relapsed = p->returned_ms && now_ms - p->returned_ms < LEAVING_HOLD_MAX;

	p->hold_ms = relapsed ? 2 * p->hold_ms : LEAVING_HOLD_MS;
	if (p->hold_ms > LEAVING_HOLD_MAX)
		p->hold_ms = LEAVING_HOLD_MAX;
}

/* Whether frames of our own have left by the port for long enough. Sends the next one. */
static bool is_proved_by_tries(struct leaving_port *p, const struct driver_port *before,
                               const struct compiler *n, uint64_t now_ms)
{
	bool left = p->shown.tries_left > before->tries_left &&
	            p->shown.tries_lost == before->tries_lost;

	if (!n->ops->try_port || n->ops->try_port(n->driver, p->shown.ifindex))
		return false;
	if (!left)
		p->tried_from_ms = now_ms;
	return left && now_ms - p->tried_from_ms >= LEAVING_CLEAN_MS;
}

/* A port by which nothing left. */
static void judge_none(struct leaving *l, struct leaving_port *p, const struct driver_port *before,
                       const struct compiler *n, uint64_t now_ms)
{
	bool is_whole = read_window(p);

	if (is_whole && p->given >= LOST_LEAST && (p->given - p->lost) * 100 > p->given) {
		p->bad_ms = now_ms;
		set_leaving_state(l, p, n, p->lost ? LEAVING_SOME : LEAVING_ALL);
	} else if (is_proved_by_tries(p, before, n, now_ms)) {
		set_leaving_state(l, p, n, LEAVING_ALL);
	} else if (now_ms - p->lost_ms >= p->hold_ms) {
		p->returned_ms = now_ms;
		set_leaving_state(l, p, n, LEAVING_ALL);
	}
}

static void judge_some(struct leaving *l, struct leaving_port *p, const struct compiler *n,
                       uint64_t now_ms)
{
	bool is_bad = read_window(p) && p->lost >= LOST_LEAST && p->lost * 100 > p->given;

	if (is_bad) {
		bool is_none = (p->given - p->lost) * 100 <= p->given;

		p->bad_ms = now_ms;
		if (is_none)
			hold_longer(p, now_ms);
		set_leaving_state(l, p, n, is_none ? LEAVING_NONE : LEAVING_SOME);
	} else if (p->state == LEAVING_SOME && now_ms - p->bad_ms >= LEAVING_CLEAN_MS) {
		set_leaving_state(l, p, n, LEAVING_ALL);
	}
}

bool leaving_tick(struct leaving *l, const struct compiler *n, uint64_t now_ms)
{
	uint64_t changes = l->changes;
	struct leaving before;

	if (!n->plan || (l->ticked_ms && now_ms - l->ticked_ms + EARLY_MS < LEAVING_TICK_MS))
		return false;
	before = *l;
	read_leaving_ports(l, n, now_ms);
	l->ticked_ms = now_ms;
	if (!is_in_trouble(l, now_ms)) {
		for (size_t i = 0; i < l->n; i++)
			l->ports[i].n_readings = 0;
		return l->changes != changes;
	}
	read_given(l, n, now_ms);
	for (size_t i = 0; i < l->n; i++) {
		struct leaving_port *p = &l->ports[i];
		const struct leaving_port *was = find_leaving_port(&before, p->shown.ifindex);

		if (p->state == LEAVING_NONE)
			judge_none(l, p, was ? &was->shown : &p->shown, n, now_ms);
		else
			judge_some(l, p, n, now_ms);
	}
	return l->changes != changes;
}
