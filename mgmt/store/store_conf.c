/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/store_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/proc.h"
#include "base/reason.h"
#include "mgmt/files/strict_file.h"

#define MODE 0640

static const struct field one_endpoint = { .kind = FIELD_TEXT, .size = ETCD_URL_MAX };

static const struct record_kind conf_record =
        RECORD_OF(struct store_conf, "store", NULL, RECORD_TEXT(struct store_conf, id),
                  RECORD_LIST(struct store_conf, endpoints, n_endpoints, &one_endpoint),
                  RECORD_TEXT(struct store_conf, prefix), RECORD_TEXT(struct store_conf, user),
                  RECORD_TEXT(struct store_conf, password_file), RECORD_TEXT(struct store_conf, ca),
                  RECORD_TEXT(struct store_conf, certificate), RECORD_TEXT(struct store_conf, key));

bool store_conf_is_id(const char *id)
{
	return plain_is_hex(id, STORE_ID_MAX - 1);
}

static int refuse_conf(char reason[ETCD_REASON_MAX], const char *text)
{
	return reason_write(reason, ETCD_REASON_MAX, -EINVAL, STORE_CONF_FILE ": %s", text);
}

/* What the table cannot say. */
static int check_conf(const struct store_conf *c, char reason[ETCD_REASON_MAX])
{
	if (!store_conf_is_id(c->id))
		return refuse_conf(reason, "id must have 32 digits 0-9 and a-f");
	if (!c->n_endpoints)
		return refuse_conf(reason, "endpoints must name at least one member of etcd");
	if (!shared_etcd_prefix_ok(c->prefix))
		return refuse_conf(reason, "prefix must begin and end with a slash, as \"/weir/\"");
	if (!plain_is(c->user) || !plain_is(c->password_file) || !plain_is(c->ca) ||
	    !plain_is(c->certificate) || !plain_is(c->key))
		return refuse_conf(reason, "a name has control characters");
	if (!*c->certificate != !*c->key)
		return refuse_conf(reason, "certificate and key need each other");
	if (!*c->user != !*c->password_file)
		return refuse_conf(reason, "user and password_file need each other");
	return 0;
}

static int fail_file(char reason[ETCD_REASON_MAX], int err)
{
	return reason_write(reason, ETCD_REASON_MAX, err, STORE_CONF_FILE ": %s", strerror(-err));
}

int store_conf_read(const char *conf_dir, struct store_conf *out, char reason[ETCD_REASON_MAX])
{
	char path[PATH_MAX];
	struct store_conf *c = MEMORY_NEW(struct store_conf);
	int err = proc_path(conf_dir, STORE_CONF_FILE, path);

	if (err)
		fail_file(reason, err);
	else
		err = strict_file_read(path, STORE_CONF_FILE, STORE_CONF_MAX, &conf_record, c,
		                       reason);
	if (!err && !*c->prefix)
		strcpy(c->prefix, STORE_CONF_PREFIX);
	if (!err)
		err = check_conf(c, reason);
	if (!err)
		*out = *c;
	free(c);
	return err;
}

bool store_conf_is_there(const char *conf_dir)
{
	char reason[ETCD_REASON_MAX];
	struct store_conf conf;

	return store_conf_read(conf_dir, &conf, reason) != -ENOENT;
}

int store_conf_write(const char *conf_dir, const struct store_conf *c, char reason[ETCD_REASON_MAX])
{
	char path[PATH_MAX];
	int err = check_conf(c, reason);

	if (err)
		return err;
	err = proc_path(conf_dir, STORE_CONF_FILE, path);
	if (!err)
		err = strict_file_write(path, MODE, &conf_record, c);
	return err ? fail_file(reason, err) : 0;
}

/* @p path from @p conf_dir on; "" stays "". */
static int make_path(const char *conf_dir, const char *path, char out[PATH_MAX])
{
	int n = !*path || *path == '/' ? snprintf(out, PATH_MAX, "%s", path)
	                               : snprintf(out, PATH_MAX, "%s/%s", conf_dir, path);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int store_conf_settings(const struct store_conf *c, const char *conf_dir, struct etcd_settings *out)
{
	int err;

	*out = (struct etcd_settings){ .n_endpoints = c->n_endpoints };
	memcpy(out->endpoints, c->endpoints, sizeof(out->endpoints));
	memcpy(out->user, c->user, sizeof(out->user));
	err = make_path(conf_dir, c->password_file, out->password_file);
	if (!err)
		err = make_path(conf_dir, c->ca, out->tls.ca);
	if (!err)
		err = make_path(conf_dir, c->certificate, out->tls.certificate);
	return err ? err : make_path(conf_dir, c->key, out->tls.key);
}
