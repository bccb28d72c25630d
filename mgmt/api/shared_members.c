/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/shared_members.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/store/kept_members.h"

#define LIST_MS 60000u /* between two lists */

void shared_members_begin(struct shared_members *m, const char *state_dir,
                          struct etcd_settings *settings)
{
	*m = (struct shared_members){ .state_dir = state_dir };
	m->is_off = strncmp(settings->endpoints[0], "https://", 8) != 0;
	if (!m->is_off)
		kept_members_add(state_dir, settings, &m->known);
}

/* It is only a help for the next start: a full disk is reported elsewhere. */
static void keep_members(const struct shared_members *m)
{
	int err = kept_members_write(m->state_dir, &m->known);

	if (err)
		log_warn("store-members-not-kept", "error=\"%s\"", strerror(-err));
}

void shared_members_add(struct shared_members *m, struct shared_etcd *client,
                        pthread_mutex_t *in_use)
{
	if (m->n_clients < SHARED_MEMBERS_CLIENTS)
		m->clients[m->n_clients++] =
		        (struct shared_members_client){ .etcd = client, .in_use = in_use };
}

static void note_members(struct shared_members *m, const struct etcd_endpoints *now)
{
	m->known = *now;
	for (size_t i = 0; i < m->n_clients; i++)
		m->clients[i].is_behind = true;
	keep_members(m);
}

void shared_members_heard(struct shared_members *m, struct shared_etcd *reads)
{
	uint64_t now_ms = clock_mono_ms();
	struct etcd_endpoints now;

	if (m->is_off)
		return;
	if (!m->listed_ms || now_ms - m->listed_ms >= LIST_MS) {
		m->listed_ms = now_ms;
		if (!shared_etcd_endpoints(reads, &now) &&
		    memcmp(&now, &m->known, sizeof(now)) != 0) {
			shared_etcd_use(reads, &now);
			note_members(m, &now);
		}
	}
	for (size_t i = 0; i < m->n_clients; i++) {
		struct shared_members_client *c = &m->clients[i];

		if (!c->is_behind || pthread_mutex_trylock(c->in_use))
			continue;
		shared_etcd_use(c->etcd, &m->known);
		c->is_behind = false;
		pthread_mutex_unlock(c->in_use);
	}
}
