/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/shared_members.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/store/kept_members.h"

#define LIST_MS   60000u /* between two lists, */
#define LOOK_MS   30000u /* and between two looks at a member that works, */
#define AGAIN_MS  10000u /* and at one that does not */
#define SILENT_MS 30000u /* longer than a restart takes */

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

bool shared_members_is_silent(const struct shared_member *s)
{
	return s->silent_ms && s->tried_ms - s->silent_ms >= SILENT_MS;
}

/* What is known of members stays with them. */
static void list_members(struct shared_members *m, const struct etcd_endpoints *now)
{
	struct shared_members_list list = { .n = now->n, .n_voters = now->n_voters };

	for (size_t i = 0; i < list.n; i++) {
		struct shared_member *s = &list.members[i];

		for (size_t k = 0; k < m->list.n; k++)
			if (!strcmp(m->list.members[k].url, now->urls[i]))
				*s = m->list.members[k];
		snprintf(s->url, sizeof(s->url), "%s", now->urls[i]);
		snprintf(s->name, sizeof(s->name), "%s", now->names[i]);
	}
	m->list = list;
}

/* A name may take longer to be found than a request may take, and the watch waits meanwhile. */
static bool has_name(const char *url)
{
	const char *host = strstr(url, "://");

	return !host || (host[3] != '[' && host[3 + strspn(host + 3, "0123456789.")] != ':');
}

/* Look at the first member whose turn it is. */
static void look_at_member(struct shared_members *m, struct shared_etcd *reads)
{
	uint64_t now_ms = clock_mono_ms();
	struct shared_member *s = m->list.members, *end = s + m->list.n;

	while (s < end && s->tried_ms && now_ms - s->tried_ms < (s->silent_ms ? AGAIN_MS : LOOK_MS))
		s++;
	if (s == end)
		return;
	s->tried_ms = now_ms;
	int err = has_name(s->url) ? -ENOENT : shared_etcd_look_at(reads, s->url, s->reason);

	if (!err) {
		s->has_answered = true;
		s->silent_ms = 0;
	} else if (err == -EHOSTUNREACH && s->has_answered && !s->silent_ms) {
		s->silent_ms = now_ms;
		s->silent_since_ms = clock_believed_ms();
	}
}

/* Other threads have the other clients: each learns of the members when it is free (shared_members_heard()). */
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
	if (m->listed_ms && now_ms - m->listed_ms < LIST_MS) {
		look_at_member(m, reads);
	} else {
		m->listed_ms = now_ms;
		if (!shared_etcd_endpoints(reads, &now)) {
			list_members(m, &now);
			if (memcmp(&now, &m->known, sizeof(now)) != 0) {
				shared_etcd_use(reads, &now);
				note_members(m, &now);
			}
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
