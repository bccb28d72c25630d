/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/api/shared_members.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "mgmt/store/strict_file.h"

#define FILE_NAME PROC_STORE_DIR "/members"
#define FILE_MAX  ((size_t)8192)
#define LIST_MS   60000u /* between two lists */

static const struct field one_url = { .kind = FIELD_TEXT, .size = ETCD_URL_MAX };
static const struct field members_fields[] = { RECORD_LIST(struct etcd_endpoints, urls, n,
	                                                   &one_url) };
static const struct record_kind members_record =
        RECORD_OF(struct etcd_endpoints, "members", members_fields, NULL);

/* Endpoints of the file that TLS does not prove are left out. */
static void add_kept(struct shared_members *m, struct etcd_settings *settings)
{
	char path[PATH_MAX], reason[STRICT_REASON_MAX];

	if (proc_path(m->state_dir, FILE_NAME, path) ||
	    strict_file_read(path, FILE_NAME, FILE_MAX, &members_record, &m->known, reason))
		return;
	for (uint32_t i = 0; i < m->known.n && settings->n_endpoints < ETCD_ENDPOINTS_MAX; i++) {
		bool is_there = strncmp(m->known.urls[i], "https://", 8) != 0;

		for (size_t k = 0; !is_there && k < settings->n_endpoints; k++)
			is_there = !strcmp(settings->endpoints[k], m->known.urls[i]);
		if (!is_there)
			snprintf(settings->endpoints[settings->n_endpoints++], ETCD_URL_MAX, "%s",
			         m->known.urls[i]);
	}
}

void shared_members_begin(struct shared_members *m, const char *state_dir,
                          struct etcd_settings *settings)
{
	*m = (struct shared_members){ .state_dir = state_dir };
	m->is_off = strncmp(settings->endpoints[0], "https://", 8) != 0;
	if (!m->is_off)
		add_kept(m, settings);
}

/* It is only a help for the next start: a full disk is reported elsewhere. */
static void keep_members(const struct shared_members *m)
{
	char path[PATH_MAX];
	int err = proc_path(m->state_dir, FILE_NAME, path);

	if (!err)
		err = strict_file_write(path, 0600, &members_record, &m->known);
	if (err)
		log_warn("store-members-not-kept", "error=\"%s\"", strerror(-err));
}

void shared_members_heard(struct shared_members *m, struct shared_etcd *reads,
                          struct shared_etcd *writes, pthread_mutex_t *writing)
{
	uint64_t now_ms = clock_mono_ms();
	struct etcd_endpoints now;

	if (m->is_off)
		return;
	if (!m->listed_ms || now_ms - m->listed_ms >= LIST_MS) {
		m->listed_ms = now_ms;
		if (!shared_etcd_endpoints(reads, &now) &&
		    memcmp(&now, &m->known, sizeof(now)) != 0) {
			m->known = now;
			m->is_unshared = true;
			shared_etcd_use(reads, &now);
			keep_members(m);
		}
	}
	if (m->is_unshared && !pthread_mutex_trylock(writing)) {
		shared_etcd_use(writes, &m->known);
		m->is_unshared = false;
		pthread_mutex_unlock(writing);
	}
}
