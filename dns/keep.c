/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping where the ramps are: the file is written by a thread of its own, one at a time, because a disk that
 * hangs must not keep an answer waiting.
 */
#include "dns/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void *write_it(void *arg)
{
	struct server_keep *k = arg;

	k->result = ramp_write(k->state_dir, k->records, k->n);
	__atomic_store_n(&k->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void finish(struct server_keep *k)
{
	pthread_join(k->thread, NULL);
	k->running = false;
	free(k->records);
	k->records = NULL;
	if (k->result < 0 && !k->failed)
		log_error("dns-ramps-not-kept", "error=\"%s\"", strerror(-k->result));
	k->failed = k->result < 0;
}

void keep_tick(struct server *s)
{
	struct server_keep *k = &s->keep;
	struct ramps *r = &s->ramps;

	if (k->running && __atomic_load_n(&k->done, __ATOMIC_ACQUIRE))
		finish(k);
	if (k->running || !r->changed)
		return;
	k->records = malloc((r->n + 1) * sizeof(*k->records));
	if (!k->records)
		return;
	memcpy(k->records, r->items, r->n * sizeof(*k->records));
	k->n = r->n;
	k->state_dir = s->dirs->state;
	k->done = false;
	k->running = pthread_create(&k->thread, NULL, write_it, k) == 0;
	r->changed = !k->running;
	if (!k->running) {
		free(k->records);
		k->records = NULL;
	}
}

void keep_stop(struct server *s)
{
	if (s->keep.running)
		finish(&s->keep);
	if (s->ramps.changed)
		(void)ramp_write(s->dirs->state, s->ramps.items, s->ramps.n);
}
