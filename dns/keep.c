/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ramps and sites that are down survive a restart in two files. A thread of its own writes them,
 * one write at a time, from a copy: a disk that hangs must not stop the main thread. The `changed`
 * marks are cleared when a write starts and set again when it fails, so the next attempt writes the
 * newest state.
 */
#include "dns/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define AGAIN_MS 1000 /* from a failed write to the next attempt */

static void *write_copies(void *arg)
{
	struct server_keep *k = arg;

	k->result[0] = k->records ? ramp_write(k->state_dir, k->records, k->n) : 0;
	k->result[1] = k->down ? decided_write(k->state_dir, k->down, k->n_down) : 0;
	__atomic_store_n(&k->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void forget_copies(struct server_keep *k)
{
	free(k->records);
	free(k->down);
	k->records = NULL;
	k->down = NULL;
}

/*
 * A failed write is tried again even if nothing changes any more. Only the first failure of a row
 * is logged.
 */
static void finish_write(struct server *s)
{
	struct server_keep *k = &s->keep;
	int err;

	pthread_join(k->thread, NULL);
	k->running = false;
	forget_copies(k);
	err = k->result[0] ? k->result[0] : k->result[1];
	s->ramps.changed |= k->result[0] < 0;
	s->decided.changed |= k->result[1] < 0;
	if (err < 0 && !k->failed)
		log_error("dns-ramps-not-kept", "error=\"%s\" effect=\"tried again\"",
		          strerror(-err));
	k->failed = err < 0;
	k->again_ms = err < 0 ? loop_now_ms(s->loop) + AGAIN_MS : 0;
}

/*
 * Copy what has changed; without memory the next tick tries again. @return whether there is
 * anything to write
 */
static bool copy_changes(struct server_keep *k, const struct ramps *r, const struct decided *d)
{
	if (r->changed)
		k->records = malloc((r->n + 1) * sizeof(*k->records));
	if (d->changed)
		k->down = malloc((d->n + 1) * sizeof(*k->down));
	if (k->records && r->n)
		memcpy(k->records, r->items, r->n * sizeof(*k->records));
	if (k->down && d->n)
		memcpy(k->down, d->items, d->n * sizeof(*k->down));
	k->n = r->n;
	k->n_down = d->n;
	return k->records || k->down;
}

void keep_tick(struct server *s)
{
	struct server_keep *k = &s->keep;

	if (k->running && __atomic_load_n(&k->done, __ATOMIC_ACQUIRE))
		finish_write(s);
	if (k->running || loop_now_ms(s->loop) < k->again_ms ||
	    !copy_changes(k, &s->ramps, &s->decided))
		return;
	k->state_dir = s->dirs->state;
	k->done = false;
	k->running = pthread_create(&k->thread, NULL, write_copies, k) == 0;
	if (!k->running) {
		forget_copies(k);
		return;
	}
	s->ramps.changed &= !k->records;
	s->decided.changed &= !k->down;
}

void keep_stop(struct server *s)
{
	if (s->keep.running)
		finish_write(s);
	if (s->ramps.changed)
		(void)ramp_write(s->dirs->state, s->ramps.items, s->ramps.n);
	if (s->decided.changed)
		(void)decided_write(s->dirs->state, s->decided.items, s->decided.n);
}
