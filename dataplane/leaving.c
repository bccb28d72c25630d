/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets are counted by backend, so what was given to a port is the sum over the backends behind it.
 * That is read only while a port is in trouble. A burst may be lost before the first reading: the one
 * before it is made up. Until then, no more was given to a port than the node has sent by all ports
 * since, which is read in each turn.
 */
#include "dataplane/leaving.h"

#include <string.h>

#include "base/log.h"
#include "dataplane/export/traffic.h"
#include "weir/fwd/reason.h"

#define EARLY_MS   50u /* the caller's timer is not exact */
#define LOST_LEAST 10u

static const struct leaving_port *find_leaving_port(const struct leaving *l, uint32_t ifindex)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->ports[i].shown.ifindex == ifindex)
			return &l->ports[i];
	return NULL;
}

enum leaving_state leaving_of(const struct leaving *l, uint32_t ifindex)
{
	const struct leaving_port *p = find_leaving_port(l, ifindex);

	return p ? p->state : LEAVING_ALL;
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

/* Also of our own frames: a port that is tried in vain is not silent, while anything is to leave by it. */
static bool has_lost_more(const struct driver_port *found, const struct leaving_port *before)
{
	return found->not_sent > before->shown.not_sent ||
	       (before->is_used && found->tries_lost > before->shown.tries_lost);
}

/* What is known of a port goes with the port, or with the knowledge. */
static void read_leaving_ports(struct leaving *l, const struct compiler *n, uint64_t now_ms)
{
	struct driver_port found[DRIVER_PORTS_MAX];
	size_t n_found = n->ops->ports(n->driver, found);
	struct leaving before = *l;

	l->n = 0;
	for (size_t i = 0; i < n_found; i++) {
		const struct leaving_port *known = find_leaving_port(&before, found[i].ifindex);

		if (!found[i].not_sent_known)
			continue;
		l->ports[l->n] = known ? *known : begin_port(&found[i], now_ms);
		if (known && found[i].not_sent < known->shown.not_sent) /* it has begun again */
			l->ports[l->n].n_readings = 0;
		else if (known && has_lost_more(&found[i], known))
			l->ports[l->n].lost_ms = now_ms;
		l->ports[l->n++].shown = found[i];
	}
}

/* Frames that were to be sent, whatever became of them. */
static uint64_t count_to_send(const struct fwd_tables *t)
{
	uint64_t sum = 0;

	for (uint32_t c = 0; c < t->n_cpus; c++)
		for (uint32_t i = 0; i < FWD_REASON_COUNT; i++)
			if (fwd_reason_kind((enum fwd_reason)i) == FWD_KIND_TX ||
			    i == FWD_REASON_NOT_SENT)
				sum += OWNER_LOAD(uint64_t, &t->cpus[c].reason[i]);
	return sum;
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
	if (p->n_readings && given < p->readings[p->n_readings - 1].given)
		p->n_readings = 0; /* a backend has left this port, or counters have begun again */
	if (p->n_readings == LEAVING_READINGS)
		memmove(p->readings, p->readings + 1, --p->n_readings * sizeof(p->readings[0]));
	p->readings[p->n_readings++] = (struct leaving_reading){ .at_ms = now_ms,
		                                                 .given = given,
		                                                 .lost = p->shown.not_sent };
}

/* The reading before the first one: of the turn before, when nothing was lost yet. */
static void make_up_reading(struct leaving_port *p, const struct leaving *before, uint64_t given,
                            uint64_t sent_since, uint64_t now_ms)
{
	const struct leaving_port *was = find_leaving_port(before, p->shown.ifindex);

	if (p->n_readings || !was || was->shown.not_sent >= p->shown.not_sent ||
	    now_ms - before->ticked_ms > 2 * LEAVING_TICK_MS)
		return;
	p->readings[p->n_readings++] =
	        (struct leaving_reading){ .at_ms = before->ticked_ms,
		                          .given = given > sent_since ? given - sent_since : 0,
		                          .lost = was->shown.not_sent };
}

static void read_given(struct leaving *l, const struct leaving *before, const struct compiler *n,
                       uint64_t now_ms)
{
	uint64_t given[DRIVER_PORTS_MAX] = { 0 };

	for (size_t i = 0; i < l->n; i++)
		l->ports[i].is_used = false;
	for (uint32_t b = 1; b < n->t.n_backends; b++)
		for (size_t i = 0; n->t.backends[b].ifindex && i < l->n; i++)
			if (l->ports[i].shown.ifindex == n->t.backends[b].ifindex) {
				given[i] += traffic_of_backend(&n->t, b).packets;
				l->ports[i].is_used = true;
			}
	for (size_t i = 0; i < l->n; i++) {
		make_up_reading(&l->ports[i], before, given[i], l->to_send - before->to_send,
		                now_ms);
		add_reading(&l->ports[i], given[i], now_ms);
	}
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

static const struct leaving_reading *last_reading(const struct leaving_port *p)
{
	return &p->readings[p->n_readings - 1];
}

/*
 * Frames of our own had left, the port came back, and no packet left since: here they prove little
 * (packets are longer, or go by another ring). So they are to leave for longer the next time.
 */
static void prove_longer(struct leaving_port *p)
{
	const struct leaving_reading *from = &p->proved, *to = last_reading(p);
	uint64_t given = to->given - from->given, lost = to->lost - from->lost;
	bool is_known = from->at_ms && to->given >= from->given && to->lost >= from->lost;
	bool was_false = is_known && (lost >= given || (given - lost) * 100 <= given);

	p->prove_ms = was_false ? 2 * p->prove_ms : LEAVING_CLEAN_MS;
	if (p->prove_ms > LEAVING_HOLD_MAX)
		p->prove_ms = LEAVING_HOLD_MAX;
}

/* Whether frames of our own have left by the port for long enough. Sends the next one. */
static bool is_proved_by_tries(struct leaving_port *p, const struct driver_port *before,
                               const struct compiler *n, uint64_t now_ms)
{
	bool left = p->shown.tries_left > before->tries_left &&
	            p->shown.tries_lost == before->tries_lost;

	if (!n->ops->try_port || n->ops->try_port(n->driver, p->shown.ifindex))
		return false;
	if (!left || !p->tried_from_ms) /* the first count may be of a frame from before the loss */
		p->tried_from_ms = now_ms;
	return left && now_ms - p->tried_from_ms >= (p->prove_ms ? p->prove_ms : LEAVING_CLEAN_MS);
}

/*
 * The frames that surely left in the last window. A frame is counted as given before it is counted as lost, and the
 * two are not read at one moment: what was given up to the reading before the last is settled by now.
 */
static uint64_t left_at_least(const struct leaving_port *p)
{
	const struct leaving_reading *from = &p->readings[0], *to = last_reading(p);
	uint64_t given = to[-1].given - from->given, lost = to->lost - from->lost;

	return given > lost ? given - lost : 0;
}

/* A port by which nothing left. */
static void judge_none(struct leaving *l, struct leaving_port *p, const struct driver_port *before,
                       const struct compiler *n, uint64_t now_ms)
{
	bool is_whole = read_window(p);

	if (is_whole && p->given >= LOST_LEAST && left_at_least(p) * 100 > p->given) {
		p->bad_ms = now_ms;
		p->proved = (struct leaving_reading){ 0 };
		set_leaving_state(l, p, n, p->lost ? LEAVING_SOME : LEAVING_ALL);
	} else if (is_proved_by_tries(p, before, n, now_ms)) {
		p->proved = *last_reading(p);
		set_leaving_state(l, p, n, LEAVING_ALL);
	} else if (now_ms - p->lost_ms >= p->hold_ms) {
		p->returned_ms = now_ms;
		p->proved = (struct leaving_reading){ 0 };
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
		if (is_none) {
			hold_longer(p, now_ms);
			prove_longer(p);
		}
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
	l->to_send = count_to_send(&n->t);
	if (!is_in_trouble(l, now_ms)) {
		for (size_t i = 0; i < l->n; i++)
			l->ports[i].n_readings = 0;
		return l->changes != changes;
	}
	read_given(l, &before, n, now_ms);
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
