/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * It has a thread of its own, as a renewal may wait for the store, and must not wait for what else waits for it.
 * The time of a lease is counted from before the request that began it. A renewal that fails says nothing, so the lease
 * is kept and tried again, until etcd says that it is lost.
 */
#include "mgmt/sync/shared_lease.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mgmt/sync/operations.h"
#include "mgmt/core/shared_members.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/core/shared_state.h"

#define RENEW_MS 3000u /* so that two renewals may be lost */
#define LOOK_MS  500u
#define IDLE_MS  60000u /* while there is none */
#define NEED_MS  5000u  /* it is renewed for so long after it was needed last */

struct shared_lease {
	struct core *core;
	struct thread thread;
	pthread_mutex_t requesting; /* never locked under the core's lock */
	struct shared_etcd *client; /* of who has `requesting` */

	/* under the core's lock */
	int64_t id;            /* 0: there is none */
	uint64_t renewed_ms;   /* boot clock: before the last request that began it */
	uint64_t requested_ms; /* before the last request */
	uint64_t needed_ms;    /* when it was needed last */
};

bool shared_lease_is_fresh(const struct shared_lease *l)
{
	return l->id && clock_mono_ms() - l->renewed_ms < SHARED_LEASE_S * 1000u;
}

/* Ask for a lease. Not under the lock. */
static int request_lease(struct shared_lease *l, int64_t *id, char reason[ETCD_REASON_MAX])
{
	pthread_mutex_lock(&l->requesting);
	int err = shared_etcd_grant(l->client, SHARED_LEASE_S, id);

	snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(l->client));
	pthread_mutex_unlock(&l->requesting);
	return err;
}

int64_t shared_lease_need(struct shared_lease *l, char reason[ETCD_REASON_MAX])
{
	uint64_t now_ms = clock_mono_ms();
	int64_t id = 0;

	l->needed_ms = now_ms;
	if (shared_lease_is_fresh(l))
		return l->id;
	core_unlock(l->core);
	int err = request_lease(l, &id, reason);

	core_lock(l->core);
	shared_state_note_full(l->core, err, reason);
	/* who asked at the same time may have written by its lease: this one ends by itself */
	if (shared_lease_is_fresh(l))
		return l->id;
	if (err)
		return 0;
	l->id = id;
	l->renewed_ms = l->requested_ms = now_ms;
	core_changed(l->core); /* from now on it is looked after */
	return id;
}

/*
 * Whether this node goes on with an operation. One whose disk keeps nothing cannot follow what the store decides: then the
 * lease ends, and another node goes on.
 */
static bool owns_any(struct core *core)
{
	const struct operations_item *item;

	if (!intent_store(core->intent))
		return false;
	for (size_t i = 0; (item = operations_at(core, i)); i++)
		if (operations_is_own(core, &item->op) && !operation_is_over(&item->op))
			return true;
	return false;
}

/* Renew the lease. Under the lock, which is given up meanwhile. */
static void renew_lease(struct shared_lease *l)
{
	uint64_t now_ms = clock_mono_ms();
	int64_t id = l->id;

	l->requested_ms = now_ms;
	core_unlock(l->core);
	pthread_mutex_lock(&l->requesting);
	int err = shared_etcd_renew(l->client, id);

	pthread_mutex_unlock(&l->requesting);
	core_lock(l->core);
	if (l->id != id)
		return; /* it was replaced meanwhile */
	if (!err)
		l->renewed_ms = now_ms;
	if (err != -ENOENT)
		return;
	log_warn("store-lease-lost",
	         "effect=\"operations of this node wait until it owns them again\"");
	l->id = 0;
}

static void look_at_lease(struct core *core, struct shared_lease *l)
{
	uint64_t now_ms = clock_mono_ms();

	if (owns_any(core))
		l->needed_ms = now_ms;
	if (!l->id || now_ms - l->requested_ms < RENEW_MS)
		return;
	if (now_ms - l->needed_ms < NEED_MS)
		renew_lease(l);
	else if (!shared_lease_is_fresh(l))
		l->id = 0; /* nothing is owned by it */
}

static uint64_t look_once(void *arg)
{
	struct shared_lease *l = arg;

	look_at_lease(l->core, l);
	return clock_mono_ms() + (l->id ? LOOK_MS : IDLE_MS);
}

static void *run_lease(void *arg)
{
	struct shared_lease *l = arg;

	core_run_rounds(l->core, look_once, l, 0);
	return NULL;
}

int shared_lease_start(struct core *core, const struct etcd_settings *settings, const char *prefix,
                       const atomic_bool *stop, struct shared_lease **out,
                       char reason[ETCD_REASON_MAX])
{
	struct shared_lease *l = MEMORY_NEW(struct shared_lease);

	l->core = core;
	pthread_mutex_init(&l->requesting, NULL);
	int err = shared_etcd_open(settings, prefix, stop, &l->client, reason);

	if (!err)
		err = thread_start(&l->thread, run_lease, l);
	if (err) {
		shared_lease_stop(l);
		return err;
	}
	*out = l;
	return 0;
}

void shared_lease_add_to(struct shared_lease *l, struct shared_members *m)
{
	shared_members_add(m, l->client, &l->requesting);
}

void shared_lease_stop(struct shared_lease *l)
{
	if (!l)
		return;
	thread_join(&l->thread);
	shared_etcd_close(l->client);
	pthread_mutex_destroy(&l->requesting);
	free(l);
}
