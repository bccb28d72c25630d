/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/setup/join_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/proc.h"
#include "base/reason.h"
#include "mgmt/files/strict_file.h"

#define MODE 0600

static const struct field one_endpoint = { .kind = FIELD_TEXT, .size = ETCD_URL_MAX };

static const struct record_kind join_record = RECORD_OF(
        struct join_file, "join", NULL, RECORD_TEXT(struct join_file, warning),
        RECORD_TEXT(struct join_file, id),
        RECORD_LIST(struct join_file, endpoints, n_endpoints, &one_endpoint),
        RECORD_TEXT(struct join_file, prefix), RECORD_TEXT(struct join_file, user),
        RECORD_TEXT(struct join_file, password), RECORD_TEXT(struct join_file, ca),
        RECORD_TEXT(struct join_file, ca_key), RECORD_TEXT(struct join_file, certificate),
        RECORD_TEXT(struct join_file, key), RECORD_VALUE(struct join_file, is_own, FIELD_BOOL));

static int refuse_join(char reason[ETCD_REASON_MAX], const char *text)
{
	return reason_write(reason, ETCD_REASON_MAX, -EINVAL, JOIN_FILE ": %s", text);
}

/* Whether what is there of certificates can be used. */
static int check_certificates(const struct join_file *j, char reason[ETCD_REASON_MAX])
{
	struct certificate_pair c;
	const char *fault = NULL;

	if (*j->ca && !certificates_is_ca(j->ca))
		return refuse_join(reason, "ca cannot be read: PEM is expected");
	if (*j->ca_key && (!*j->ca || *j->certificate || !j->is_own))
		return refuse_join(reason, "ca_key goes with ca and is_own, without a certificate");
	if (*j->certificate || *j->key) {
		snprintf(c.pem, sizeof(c.pem), "%s", j->certificate);
		snprintf(c.key, sizeof(c.key), "%s", j->key);
		fault = certificates_find_fault(j->ca, &c, CERTIFICATES_CLIENT, NULL);
	} else if (*j->ca_key) {
		snprintf(c.pem, sizeof(c.pem), "%s", j->ca);
		snprintf(c.key, sizeof(c.key), "%s", j->ca_key);
		fault = certificates_find_fault("", &c, CERTIFICATES_CLIENT, NULL); /* a pair */
	}
	explicit_bzero(&c, sizeof(c));
	return fault ? refuse_join(reason, fault) : 0;
}

/* Members of a store of ours are reached by TLS alone. */
static int check_endpoints(const struct join_file *j, char reason[ETCD_REASON_MAX])
{
	struct etcd_settings s = { .n_endpoints = j->n_endpoints };
	char text[ETCD_REASON_MAX];
	struct etcd_gateway *g;

	memcpy(s.endpoints, j->endpoints, sizeof(s.endpoints));
	if (etcd_gateway_open(&s, NULL, &g, text))
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    JOIN_FILE ": endpoints: %.200s", text);
	etcd_gateway_close(g);
	for (uint32_t i = 0; j->is_own && i < j->n_endpoints; i++)
		if (strncmp(j->endpoints[i], "https://", 8) != 0)
			return refuse_join(reason, "endpoints must begin with https://");
	return 0;
}

static int check_join(const struct join_file *j, char reason[ETCD_REASON_MAX])
{
	if (!store_conf_is_id(j->id))
		return refuse_join(reason, "id must have 32 digits 0-9 and a-f");
	if (!shared_etcd_prefix_ok(j->prefix))
		return refuse_join(reason, "prefix must begin and end with a slash, as \"/weir/\"");
	if (!plain_is(j->user) || !plain_is(j->password))
		return refuse_join(reason, "user or password has control characters");
	if (!*j->user != !*j->password)
		return refuse_join(reason, "user and password need each other");
	int err = check_endpoints(j, reason);

	return err ? err : check_certificates(j, reason);
}

int join_file_read(const char *path, struct join_file *out, char reason[ETCD_REASON_MAX])
{
	struct join_file *j = MEMORY_NEW(struct join_file);
	int err = strict_file_read(path, JOIN_FILE, JOIN_FILE_MAX, &join_record, j, reason);

	if (!err)
		err = check_join(j, reason);
	if (!err)
		*out = *j;
	explicit_bzero(j, sizeof(*j));
	free(j);
	return err;
}

int join_file_write(const char *conf_dir, const struct join_file *j)
{
	char path[PATH_MAX];
	int err = proc_path(conf_dir, JOIN_FILE, path);

	return err ? err : strict_file_write(path, MODE, &join_record, j);
}

int join_file_renew(const char *path, const char *id, const struct etcd_members *l)
{
	char reason[ETCD_REASON_MAX];
	struct join_file *j = MEMORY_NEW(struct join_file);
	struct stat st;
	int err = 0;

	if (!lstat(path, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    !join_file_read(path, j, reason) && j->is_own && !strcmp(j->id, id)) {
		j->n_endpoints = store_members_urls(l, "", j->endpoints);
		err = j->n_endpoints ? strict_file_write(path, st.st_mode & 0777, &join_record, j)
		                     : 0;
	}
	explicit_bzero(j, sizeof(*j));
	free(j);
	return err;
}
