/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/setup/store_backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "base/reason.h"
#include "base/replace.h"
#include "mgmt/files/digest.h"
#include "mgmt/files/files.h"
#include "mgmt/store/history.h"
#include "mgmt/store/refill.h"
#include "mgmt/store/store_claim.h"
#include "weir/json.h"

#define KIND "backup of Weir's store, 1"
#define MODE 0600

void store_backup_fini(struct store_backup *b)
{
	shared_records_fini(&b->list);
	*b = (struct store_backup){ 0 };
}

/* The digest of all that counts. @return 0 or -ENOMEM */
static int digest_backup(const struct store_backup *b, char out[DIGEST_TEXT_MAX])
{
	char *bytes = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&bytes, &n);

	if (!f)
		return -ENOMEM;
	fprintf(f, "%s %lld %lld", b->id, (long long)b->list.revision, (long long)b->time_ms);
	for (size_t i = 0; i < b->list.n; i++)
		fprintf(f, "%c%s%c%s", 0, b->list.records[i].name, 0, b->list.records[i].text);
	int err = fclose(f) ? -ENOMEM : 0;

	if (!err)
		digest_bytes(bytes, n, out);
	free(bytes);
	return err;
}

/* All records but the store's own, and those that go with a lease. */
static void move_records(struct shared_records *l, struct store_backup *b)
{
	b->list = (struct shared_records){ .revision = l->revision, .records = l->records };
	for (size_t i = 0; i < l->n; i++)
		if (refill_accepts(l->records[i].name))
			b->list.records[b->list.n++] = l->records[i];
		else
			free(l->records[i].text);
	*l = (struct shared_records){ 0 };
}

static int list_records(struct shared_etcd *e, struct shared_records *out,
                        char reason[ETCD_REASON_MAX])
{
	int err = shared_etcd_list(e, out);

	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(e));
	return err;
}

static bool has_versions(const struct shared_records *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (shared_number("version", l->records[i].name))
			return true;
	return false;
}

/* A backup of what a store has left must not take the place of one of all that it had. @return 0 or -EXDEV, with a reason */
static int check_loss(const struct shared_records *l, const struct store_claim *claim,
                      const char *path, char reason[ETCD_REASON_MAX])
{
	char unread[ETCD_REASON_MAX];
	struct store_backup earlier;

	if (claim->unfinished)
		return reason_write(
		        reason, ETCD_REASON_MAX, -EXDEV,
		        "the store was begun again, and is unfinished: weir store rebuild");
	if (shared_records_find(l, "head"))
		return 0;
	if (!*claim->id || has_versions(l))
		return reason_write(reason, ETCD_REASON_MAX, -EXDEV,
		                    "the store has lost its newest version, or all it had: weir "
		                    "store status");
	if (store_backup_read(path, &earlier, unread))
		return 0;
	bool has_more = shared_records_find(&earlier.list, "head");

	store_backup_fini(&earlier);
	return has_more ? reason_write(
	                          reason, ETCD_REASON_MAX, -EXDEV,
	                          "the store has no versions, and the backup %.120s has: it stays",
	                          path)
	                : 0;
}

/* @param path  of a backup that is to be replaced */
static int list_store(const struct etcd_settings *settings, const char *prefix, const char *id,
                      const char *path, struct store_backup *b, char reason[ETCD_REASON_MAX])
{
	struct shared_records l = { 0 };
	struct shared_etcd *e;
	struct store_claim claim;
	int err = shared_etcd_open(settings, prefix, NULL, &e, reason);

	if (err)
		return err;
	err = list_records(e, &l, reason);
	if (!err &&
	    (store_claim_read(&l, &claim, NULL) || (*claim.id && strcmp(claim.id, id) != 0)))
		err = reason_write(reason, ETCD_REASON_MAX, -EXDEV,
		                   "the members have another store than store.conf names");
	else if (!err)
		err = check_loss(&l, &claim, path, reason);
	if (!err)
		move_records(&l, b);
	shared_records_fini(&l);
	shared_etcd_close(e);
	return err;
}

/* Etcd takes any bytes; JSON has texts. @return NULL with a reason: a record is none */
static json_t *records_to_json(const struct store_backup *b, char reason[ETCD_REASON_MAX])
{
	json_t *list = json_array();

	for (size_t i = 0; i < b->list.n; i++) {
		const struct shared_record *r = &b->list.records[i];

		if (!json_array_append_new(list,
		                           JSON_TEXTS({ "name", r->name }, { "text", r->text })))
			continue;
		snprintf(reason, ETCD_REASON_MAX, "record %.70s: its text cannot be one", r->name);
		json_decref(list);
		return NULL;
	}
	return list;
}

/* @param out  the bytes of the file, for the caller to free. @return 0, -EBADMSG or -ENOMEM with a reason */
static int make_text(const struct store_backup *b, char **out, char reason[ETCD_REASON_MAX])
{
	json_t *records = records_to_json(b, reason), *json;
	char digest[DIGEST_TEXT_MAX] = "";

	if (!records)
		return -EBADMSG;
	json = JSON_TEXTS({ "kind", KIND }, { "id", b->id });
	json = json_with(json, "revision", json_integer(b->list.revision));
	json = json_with(json, "time_ms", json_integer(b->time_ms));
	json = json_with(json, "sha256", digest_backup(b, digest) ? NULL : json_string(digest));
	json = json_with(json, "records", records);
	*out = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	json_decref(json);
	return *out ? 0 : reason_write(reason, ETCD_REASON_MAX, -ENOMEM, "out of memory");
}

/* A record as a node would take it. @return NULL, or what is wrong */
static const char *read_record(const json_t *item, struct shared_record *out)
{
	const char *name = json_get_text(item, "name");
	const json_t *text = json_object_get(item, "text");
	const char *value = json_string_value(text);

	if (!name || !*name || strlen(name) >= SHARED_NAME_MAX || !plain_is(name) ||
	    !refill_accepts(name))
		return "its name cannot be one";
	snprintf(out->name, sizeof(out->name), "%s", name);
	if (!value || !*value || json_string_length(text) != strlen(value) ||
	    strlen(value) > SHARED_TEXT_MAX)
		return "its text cannot be one";
	out->text = strdup(value);
	return !out->text                       ? "out of memory"
	       : history_check(out) == -EBADMSG ? "it is no sound version, mark or head"
	                                        : NULL;
}

/* The records, by rising names. A fault names the record where it can. */
static int read_records(const json_t *list, struct store_backup *b, char reason[ETCD_REASON_MAX])
{
	const json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > SHARED_RECORDS_MAX)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "records is no list, or too long");
	b->list.records = calloc(json_array_size(list) + 1, sizeof(*b->list.records));
	if (!b->list.records)
		return reason_write(reason, ETCD_REASON_MAX, -ENOMEM, "out of memory");
	json_array_foreach(list, i, item)
	{
		struct shared_record *r = &b->list.records[b->list.n++];
		const char *fault = read_record(item, r);

		if (fault && *r->name)
			snprintf(reason, ETCD_REASON_MAX, "record %.70s: %s", r->name, fault);
		else if (fault)
			snprintf(reason, ETCD_REASON_MAX, "record %zu: %s", i + 1, fault);
		if (fault)
			return -EINVAL;
		if (i && strcmp(r[-1].name, r->name) >= 0)
			return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
			                    "records are not by rising names");
	}
	return 0;
}

static int read_json(const json_t *json, struct store_backup *b, char reason[ETCD_REASON_MAX])
{
	const char *kind = json_get_text(json, "kind");
	const char *id = json_get_text(json, "id");
	const char *digest = json_get_text(json, "sha256");
	char computed[DIGEST_TEXT_MAX];

	if (!kind || strcmp(kind, KIND) != 0 || !id || !store_conf_is_id(id) || !digest)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "it is no backup of this release");
	snprintf(b->id, sizeof(b->id), "%s", id);
	b->list.revision = json_integer_value(json_object_get(json, "revision"));
	b->time_ms = json_integer_value(json_object_get(json, "time_ms"));
	int err = read_records(json_object_get(json, "records"), b, reason);

	if (err)
		return err;
	if (digest_backup(b, computed))
		return reason_write(reason, ETCD_REASON_MAX, -ENOMEM, "out of memory");
	return strcmp(computed, digest) != 0
	               ? reason_write(reason, ETCD_REASON_MAX, -EINVAL,
	                              "it was changed after it was made (sha256)")
	               : 0;
}

/* Read a backup's bytes. @return 0, or as store_backup_read() */
static int read_text(const char *text, size_t n, struct store_backup *out,
                     char reason[ETCD_REASON_MAX])
{
	struct store_backup b = { 0 };
	json_t *json = json_read(text, n, JSON_REJECT_DUPLICATES, NULL);
	int err = json ? read_json(json, &b, reason)
	               : reason_write(reason, ETCD_REASON_MAX, -EINVAL, "it is no JSON");

	json_decref(json);
	if (err)
		store_backup_fini(&b);
	else
		*out = b;
	return err;
}

int store_backup_read(const char *path, struct store_backup *out, char reason[ETCD_REASON_MAX])
{
	char fault[ETCD_REASON_MAX], *text = NULL;
	size_t n = 0;
	int err = files_slurp_within(path, STORE_BACKUP_MAX, &text, &n);

	if (err)
		reason_write(fault, sizeof(fault), err, "%s", strerror(-err));
	else
		err = read_text(text, n, out, fault);
	free(text);
	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%.110s: %.140s", path, fault);
	return err;
}

/*
 * What could not be restored must not replace an earlier backup that could: the bytes are read before they are written,
 * and what is on the disk after it.
 */
static int write_backup(const struct store_backup *b, const char *path, struct store_backup *out,
                        char reason[ETCD_REASON_MAX])
{
	struct store_backup whole = { 0 };
	char *text = NULL;
	int err = make_text(b, &text, reason);
	size_t n = err ? 0 : strlen(text);

	if (!err)
		err = read_text(text, n, &whole, reason);
	store_backup_fini(&whole);
	err = err == -EINVAL ? -EBADMSG : err;
	if (!err) {
		err = n > STORE_BACKUP_MAX ? -EFBIG
		                           : replace_file(path, MODE, text, n, REPLACE_SYNC_NAME);
		if (err)
			snprintf(reason, ETCD_REASON_MAX, "%.180s: %s", path, strerror(-err));
	}
	free(text);
	return err ? err : store_backup_read(path, out, reason);
}

int store_backup_make(const struct etcd_settings *settings, const char *prefix, const char *id,
                      const char *path, struct store_backup *out, char reason[ETCD_REASON_MAX])
{
	struct store_backup b = { .time_ms = clock_realtime_ms() };

	snprintf(b.id, sizeof(b.id), "%s", id);
	int err = list_store(settings, prefix, id, path, &b, reason);

	if (!err)
		err = write_backup(&b, path, out, reason);
	store_backup_fini(&b);
	return err;
}

/* --- restore: into a store that has no versions yet (mgmt/store/refill.h) --- */

/* Whether all that the store has is the backup's. @param claim_revision  out: of its own record; may be NULL */
static int check_there(const struct shared_records *there, const struct store_backup *b,
                       int64_t *claim_revision, char reason[ETCD_REASON_MAX])
{
	struct store_claim claim;

	if (!store_claim_read(there, &claim, claim_revision) && claim.unfinished)
		return reason_write(
		        reason, ETCD_REASON_MAX, -EEXIST,
		        "the store was begun again for a node's copy: weir store rebuild");
	for (size_t i = 0; i < there->n; i++) {
		const struct shared_record *r = &there->records[i];
		const struct shared_record *own = shared_records_find(&b->list, r->name);

		if (!strcmp(r->name, STORE_CLAIM_RECORD) || (own && !strcmp(own->text, r->text)))
			continue;
		return reason_write(
		        reason, ETCD_REASON_MAX, -EEXIST,
		        "the store has the record %.100s, and the backup has %s: a backup goes into "
		        "a store that has no versions yet",
		        r->name, own ? "another one" : "none");
	}
	return 0;
}

/* All of the backup is there, and nothing else. */
static int compare_all(struct shared_etcd *e, const struct store_backup *b,
                       char reason[ETCD_REASON_MAX])
{
	struct shared_records l = { 0 };
	int err = list_records(e, &l, reason);

	if (!err)
		err = check_there(&l, b, NULL, reason);
	for (size_t i = 0; !err && i < b->list.n; i++)
		if (!shared_records_find(&l, b->list.records[i].name))
			err = reason_write(reason, ETCD_REASON_MAX, -EIO,
			                   "the record %.100s is not there",
			                   b->list.records[i].name);
	shared_records_fini(&l);
	return err;
}

int store_backup_restore(const struct etcd_settings *settings, const char *prefix,
                         const struct store_backup *b, char reason[ETCD_REASON_MAX])
{
	struct shared_records there = { 0 };
	struct refill f = {
		.settings = settings, .prefix = prefix, .records = &b->list, .there = &there
	};
	struct shared_etcd *e;
	int err = shared_etcd_open(settings, prefix, NULL, &e, reason);

	if (err)
		return err;
	err = list_records(e, &there, reason);
	if (!err)
		err = check_there(&there, b, &f.claim_revision, reason);
	if (!err)
		err = refill_missing(&f, reason);
	if (!err)
		err = compare_all(e, b, reason);
	shared_records_fini(&there);
	shared_etcd_close(e);
	return err;
}
