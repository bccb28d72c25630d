/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/kept_members.h"

#include <stdio.h>
#include <string.h>

#include "base/proc.h"
#include "mgmt/files/strict_file.h"

#define FILE_NAME PROC_STORE_DIR "/members"
#define FILE_MAX  ((size_t)8192)

static const struct field one_url = { .kind = FIELD_TEXT, .size = ETCD_URL_MAX };
static const struct record_kind members_record =
        RECORD_OF(struct etcd_endpoints, "members", NULL,
                  RECORD_LIST(struct etcd_endpoints, urls, n, &one_url));

/* Without TLS an address proves nothing about who answers there. */
static bool is_tls(const char *url)
{
	return !strncmp(url, "https://", 8);
}

void kept_members_add(const char *state_dir, struct etcd_settings *settings,
                      struct etcd_endpoints *known)
{
	char path[PATH_MAX], reason[STRICT_REASON_MAX];
	struct etcd_endpoints own;

	if (!known)
		known = &own;
	*known = (struct etcd_endpoints){ 0 };
	if (!is_tls(settings->endpoints[0]) || proc_path(state_dir, FILE_NAME, path) ||
	    strict_file_read(path, FILE_NAME, FILE_MAX, &members_record, known, reason))
		return;
	settings->n_own = settings->n_endpoints;
	for (uint32_t i = 0; i < known->n && settings->n_endpoints < ETCD_ENDPOINTS_MAX; i++) {
		bool is_there = !is_tls(known->urls[i]);

		for (size_t k = 0; !is_there && k < settings->n_endpoints; k++)
			is_there = !strcmp(settings->endpoints[k], known->urls[i]);
		if (!is_there)
			snprintf(settings->endpoints[settings->n_endpoints++], ETCD_URL_MAX, "%s",
			         known->urls[i]);
	}
}

int kept_members_write(const char *state_dir, const struct etcd_endpoints *known)
{
	char path[PATH_MAX];
	int err = proc_path(state_dir, FILE_NAME, path);

	return err ? err : strict_file_write(path, 0600, &members_record, known);
}
