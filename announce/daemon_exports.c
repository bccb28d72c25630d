/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What BIRD exports. It answers for one neighbour at a time, and for all that the neighbour gets it
 * goes through its whole table, in small pieces between which it serves others: 60 ms of a core with
 * 200,000 routes. So the neighbours' counters of exports are read each second (CHANNELS), and the
 * table is gone through (EXPORTS, one pass over all neighbours) only when one has changed, when the
 * daemon has imported or lost a prefix, and every PASS_MS. What was read before is proved to be so
 * still by counters that have not changed.
 */
#include "announce/daemon_internal.h"

#include <errno.h>

#include "base/clock.h"
#include "base/hash.h"

#define PASS_MS 30000u /* a pass is made at least this often */

/* The counters of all neighbours that are up, as one stamp; 0 if one is unknown. */
static uint64_t sum_stamps(const struct daemon_facts *f)
{
	uint64_t sum = 1;

	for (uint32_t i = 0; i < f->n_neighbours; i++) {
		const struct daemon_neighbour *n = &f->neighbours[i];

		if (n->established && !n->stamp)
			return 0;
		sum = hash_mix(sum + (n->established ? n->stamp : 1));
	}
	return sum;
}

static bool choose_channel(struct daemon *d, struct daemon_sent *out)
{
	while (d->channel < d->facts.n_neighbours && !d->facts.neighbours[d->channel].established)
		d->channel++;
	if (d->channel >= d->facts.n_neighbours) {
		if (d->channel != UINT32_MAX) { /* the last one was answered, or none is up */
			d->channel = UINT32_MAX;
			d->facts.stamp = sum_stamps(&d->facts);
			daemon_rows_verify(d);
		}
		return false;
	}
	*out = (struct daemon_sent){
		.question = { .kind = DAEMON_QUERY_CHANNELS, .neighbour = d->channel },
	};
	return true;
}

static bool is_pass_needed(const struct daemon *d, uint64_t now_ms)
{
	const struct daemon_pass *p = &d->pass;

	/* first what is imported, or the exports would be void at once */
	return d->n_rows && d->n_round_steps &&
	       (d->wants_pass || !d->facts.stamp || p->stamp != d->facts.stamp ||
	        now_ms - p->began_ms >= PASS_MS);
}

static void begin_pass(struct daemon *d, uint64_t now_ms)
{
	d->pass = (struct daemon_pass){ .is_running = true,
		                        .began_ms = now_ms,
		                        .began_ns = clock_mono_ns(),
		                        .stamp = d->facts.stamp };
	d->wants_pass = false;
	for (size_t i = 0; i < d->n_rows; i++)
		d->rows[i].walked = (struct daemon_route){ 0 };
}

/* All neighbours have been asked for. @return whether a row's exports are other ones now */
static bool end_pass(struct daemon *d)
{
	struct daemon_pass *p = &d->pass;
	uint64_t pause_ms = (clock_mono_ns() - p->began_ns) * DAEMON_SHARE / 1000000;
	bool news = false;

	pause_ms = pause_ms < DAEMON_SESSIONS_MS ? DAEMON_SESSIONS_MS : pause_ms;
	p->due_ms = clock_mono_ms() + (pause_ms < DAEMON_ROUND_MS ? pause_ms : DAEMON_ROUND_MS);
	p->is_running = false;
	d->wants_pass |= p->is_void;
	for (size_t i = 0; !p->is_void && i < d->n_rows; i++) {
		struct daemon_row *row = &d->rows[i];
		struct daemon_route *shown = &row->shown;

		if (row->changed_ns >= p->began_ns) {
			d->wants_pass = true;
			continue;
		}
		news |= shown->exported != row->walked.exported || !shown->exported_at_ms;
		shown->exported = row->walked.exported;
		shown->exported_at_ms = shown->exported || !d->facts.n_omitted ? p->began_ms : 0;
		row->stamp = p->stamp;
	}
	return news;
}

/* The next neighbour of the pass. @return false: there is none */
static bool choose_neighbour(struct daemon *d, struct daemon_sent *out)
{
	for (; d->pass.next < d->facts.n_neighbours; d->pass.next++) {
		const struct daemon_neighbour *to = &d->facts.neighbours[d->pass.next];

		if (!to->established || (to->lacks4 && to->lacks6))
			continue;
		*out = (struct daemon_sent){
			.question = { .kind = DAEMON_QUERY_EXPORTS, .neighbour = d->pass.next++ },
		};
		return true;
	}
	return false;
}

bool daemon_exports_choose(struct daemon *d, uint64_t now_ms, uint64_t *at_ms,
                           struct daemon_sent *out)
{
	if (!d->ops->queries_exports)
		return false;
	if (choose_channel(d, out))
		return true;
	if (!d->pass.is_running) {
		if (!is_pass_needed(d, now_ms))
			return false;
		if (now_ms < d->pass.due_ms) {
			*at_ms = d->pass.due_ms < *at_ms ? d->pass.due_ms : *at_ms;
			return false;
		}
		begin_pass(d, now_ms);
	}
	if (choose_neighbour(d, out))
		return true;
	if (end_pass(d)) /* nobody is up: exported to none */
		daemon_notify(d);
	return false;
}

static struct daemon_route *find_walked(void *arg, const struct addr *vip)
{
	struct daemon_row *row = daemon_rows_find(arg, vip);

	return row ? &row->walked : NULL;
}

int daemon_exports_receive(struct daemon *d, const struct daemon_sent *s, size_t n, bool *news)
{
	int err = d->ops->read(&d->facts, &s->question, find_walked, d, d->answer, n);

	if (err == -EPROTO)
		return err;
	if (s->question.kind == DAEMON_QUERY_CHANNELS) {
		if (d->channel == s->question.neighbour)
			d->channel++;
		return 0;
	}
	d->pass.is_void |= err != 0;
	if (d->pass.is_running && d->pass.next >= d->facts.n_neighbours)
		*news |= end_pass(d);
	return 0;
}
