/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/setup/node_files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/proc.h"
#include "base/reason.h"
#include "base/replace.h"
#include "mgmt/files/strict_file.h"

#define NOTE_MAX ((size_t)4096)

static const char *const names[] = { NODE_FILES_CA, NODE_FILES_CERTIFICATE, NODE_FILES_KEY,
	                             NODE_FILES_PASSWORD };
#define N_NAMES (sizeof(names) / sizeof(names[0]))

static const struct record_kind note_record = RECORD_OF(
        struct unfinished, "unfinished", NULL,
        RECORD_VALUE(struct unfinished, has_etcd, FIELD_BOOL),
        RECORD_VALUE(struct unfinished, was_active, FIELD_BOOL),
        RECORD_VALUE(struct unfinished, has_join, FIELD_BOOL), RECORD_TEXT(struct unfinished, id),
        RECORD_VALUE(struct unfinished, keeps, FIELD_BOOL));

static int fail_path(const char *path, int err, char reason[ETCD_UNIT_REASON_MAX])
{
	return reason_write(reason, ETCD_UNIT_REASON_MAX, err, "%.400s: %s", path, strerror(-err));
}

static bool exists_name(const char *conf_dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return !proc_path(conf_dir, name, path) && !lstat(path, &st);
}

bool node_files_unfinished(const char *conf_dir, struct unfinished *out)
{
	char path[PATH_MAX], reason[STRICT_REASON_MAX];

	return !proc_path(conf_dir, NODE_FILES_UNFINISHED, path) &&
	       !strict_file_read(path, NODE_FILES_UNFINISHED, NOTE_MAX, &note_record, out, reason);
}

const char *node_files_in_the_way(const char *conf_dir, bool has_join)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (exists_name(conf_dir, names[i]))
			return names[i];
	return has_join && exists_name(conf_dir, JOIN_FILE) ? JOIN_FILE : NULL;
}

int node_files_begin(const char *conf_dir, const struct unfinished *u,
                     char reason[ETCD_UNIT_REASON_MAX])
{
	char path[PATH_MAX];
	int err = proc_path(conf_dir, NODE_FILES_UNFINISHED, path);

	if (!err)
		err = strict_file_write(path, 0600, &note_record, u);
	return err ? fail_path(NODE_FILES_UNFINISHED, err, reason) : 0;
}

/* Where Weir's users do not exist, a file stays root's. */
static int give_file(int fd, const char *user, mode_t mode)
{
	const struct passwd *owner = getpwnam(user);
	const struct group *weir = getgrnam("weir");

	if (owner && weir && fchown(fd, owner->pw_uid, weir->gr_gid))
		return -errno;
	return fchmod(fd, mode) ? -errno : 0;
}

static int write_file(const char *conf_dir, const char *name, const char *user, mode_t mode,
                      const char *text, char reason[ETCD_UNIT_REASON_MAX])
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	int err = *text ? proc_path(conf_dir, name, path) : 0;

	if (err || !*text)
		return err ? fail_path(name, err, reason) : 0;
	int fd = replace_begin(path, 0600, temporary);

	if (fd < 0)
		return fail_path(path, fd, reason);
	err = give_file(fd, user, mode);
	if (!err)
		err = replace_write(fd, text, strlen(text));
	err = replace_end(fd, err, temporary, path, REPLACE_SYNC_NAME);
	return err ? fail_path(path, err, reason) : 0;
}

int node_files_write(const char *conf_dir, const char *ca, const struct certificate_pair *c,
                     const char *password, char reason[ETCD_UNIT_REASON_MAX])
{
	int err = write_file(conf_dir, NODE_FILES_CA, "root", 0640, ca, reason);

	if (!err)
		err = write_file(conf_dir, NODE_FILES_CERTIFICATE, "root", 0640, c->pem, reason);
	if (!err)
		err = write_file(conf_dir, NODE_FILES_KEY, "weir-mgmt", 0400, c->key, reason);
	return err ? err
	           : write_file(conf_dir, NODE_FILES_PASSWORD, "weir-mgmt", 0400, password, reason);
}

void node_files_settings(const struct join_file *j, bool has_certificate, struct store_conf *out)
{
	*out = (struct store_conf){ .n_endpoints = j->n_endpoints };
	memcpy(out->id, j->id, sizeof(out->id));
	memcpy(out->endpoints, j->endpoints, sizeof(out->endpoints));
	memcpy(out->prefix, j->prefix, sizeof(out->prefix));
	memcpy(out->user, j->user, sizeof(out->user));
	if (*j->password)
		strcpy(out->password_file, NODE_FILES_PASSWORD);
	if (*j->ca)
		strcpy(out->ca, NODE_FILES_CA);
	if (has_certificate) {
		strcpy(out->certificate, NODE_FILES_CERTIFICATE);
		strcpy(out->key, NODE_FILES_KEY);
	}
}

static int remove_name(const char *conf_dir, const char *name)
{
	char path[PATH_MAX];
	int err = proc_path(conf_dir, name, path);

	return err ? err : unlink(path) && errno != ENOENT ? -errno : 0;
}

int node_files_write_conf(const char *conf_dir, const struct store_conf *c,
                          char reason[ETCD_UNIT_REASON_MAX])
{
	char path[PATH_MAX], text[ETCD_REASON_MAX];
	int err = store_conf_write(conf_dir, c, text);

	if (err)
		return reason_write(reason, ETCD_UNIT_REASON_MAX, err, "%s", text);
	err = proc_path(conf_dir, STORE_CONF_FILE, path);
	int fd = err ? err : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	err = fd < 0 ? (err ? err : -errno) : give_file(fd, "root", 0640);
	if (fd >= 0)
		close(fd);
	return err ? fail_path(path, err, reason) : 0;
}

int node_files_end(const char *conf_dir, const struct store_conf *c,
                   char reason[ETCD_UNIT_REASON_MAX])
{
	int err = node_files_write_conf(conf_dir, c, reason);

	if (err)
		(void)remove_name(conf_dir, STORE_CONF_FILE);
	else
		(void)remove_name(conf_dir, NODE_FILES_UNFINISHED); /* else the next one does it */
	return err;
}

bool node_files_drop_note(const char *conf_dir)
{
	struct store_conf *c = MEMORY_NEW(struct store_conf);
	char reason[ETCD_REASON_MAX];
	bool is_left = exists_name(conf_dir, NODE_FILES_UNFINISHED) &&
	               !store_conf_read(conf_dir, c, reason);

	free(c);
	return is_left && !remove_name(conf_dir, NODE_FILES_UNFINISHED);
}

int node_files_undo(const char *conf_dir, char reason[ETCD_UNIT_REASON_MAX])
{
	struct unfinished u;
	int err = 0;

	if (!node_files_unfinished(conf_dir, &u) || u.keeps)
		return 0;
	if (u.has_etcd)
		err = etcd_unit_check_unused(u.id, reason);
	if (err)
		return err;
	err = remove_name(conf_dir, STORE_CONF_FILE); /* first: with it, all would seem whole */
	if (err)
		return fail_path(STORE_CONF_FILE, err, reason);
	if (u.has_etcd)
		err = etcd_unit_undo(u.was_active, reason);
	if (err)
		return err;
	for (size_t i = 0; !err && i < N_NAMES; i++)
		err = remove_name(conf_dir, names[i]);
	if (!err && u.has_join)
		err = remove_name(conf_dir, JOIN_FILE);
	if (!err)
		err = remove_name(conf_dir, NODE_FILES_UNFINISHED);
	return err ? fail_path(conf_dir, err, reason) : 0;
}
