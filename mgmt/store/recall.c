/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the effective document says of versions, for a node that is alone and whose store has lost their records: whether the
 * version in force waits to be confirmed, until when, and what it goes back to. Files are those that are laid out for the
 * processes.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/gather.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/join.h"
#include "mgmt/store/records.h"

void recall_number(struct intent *in, uint64_t number)
{
	in->newest = number > in->newest ? number : in->newest;
}

int recall_files(const struct intent *in, const char *digest, struct files *out)
{
	char dir[PATH_MAX], found[DIGEST_TEXT_MAX];
	int err = gather_dir(in->state_dir, digest, dir);

	if (!err)
		err = gather_files(dir, FILES_MAIN, out);
	if (!err && strcmp(files_digest(out, found), digest) != 0) {
		files_fini(out);
		err = -ENOENT;
	}
	return err;
}

int recall_keep(struct intent *in, const struct version *v)
{
	struct version here;
	struct files files;

	if (!store_version(in->store, v->number, &here) && !strcmp(here.digest, v->digest))
		return 0;
	int err = recall_files(in, v->digest, &files);

	if (err)
		return err;
	err = store_put_version(in->store, v, &files);
	files_fini(&files);
	return err;
}

/* What a document tells of the version that is in force again should the one of the document end. */
static bool find_back(const struct intent *in, const struct model_meta *meta, struct version *out)
{
	struct version v = { .number = meta->back_version, .time_ms = meta->written_ms };
	struct files files;

	if (!meta->back_version || meta->back_version >= meta->version)
		return false;
	if (in->store && !store_version(in->store, v.number, out) &&
	    !strcmp(out->digest, meta->back_digest))
		return true;
	snprintf(v.digest, sizeof(v.digest), "%s", meta->back_digest);
	snprintf(v.hash_key, sizeof(v.hash_key), "%s", meta->back_hash_key);
	snprintf(v.author, sizeof(v.author), "weir");
	snprintf(v.principal, sizeof(v.principal), "weir");
	snprintf(v.reason, sizeof(v.reason), "recovered from the effective document");
	snprintf(v.node, sizeof(v.node), "%s", in->node);
	if (recall_files(in, v.digest, &files))
		return false;
	files_fini(&files);
	*out = v;
	return true;
}

/* Give the history a record of version @p v, as if it had been read. */
static int recall_record(struct intent *in, const char *name, const struct record_kind *kind,
                         const void *record, const struct pending_clock *clock)
{
	struct shared_record r = { .text = record_to_text(kind, record), .revision = 1 };
	int err = -ENOMEM;

	snprintf(r.name, sizeof(r.name), "%s", name);
	if (r.text)
		err = history_receive(in->history, &r, clock);
	free(r.text);
	return err;
}

static int recall_version(struct intent *in, const struct version *v,
                          const struct pending_clock *clock)
{
	char name[SHARED_NAME_MAX];

	return recall_record(in, shared_numbered("version", v->number, name), &version_record, v,
	                     clock);
}

/* What was left of the deadline when the document was written, without the time since then. */
static int64_t left_ms(const struct model_meta *meta, int64_t now_ms)
{
	int64_t passed_ms = now_ms > meta->written_ms ? now_ms - meta->written_ms : 0;

	return meta->confirm_by_ms - meta->written_ms - passed_ms;
}

void recall_versions(struct intent *in, const struct model_meta *meta, int64_t now_ms)
{
	if (in->shares || in->n_recent == 0 || join_has_peers(in->recent[in->n_recent - 1].model))
		return;
	struct version head = in->recent[in->n_recent - 1].version, back;
	struct history_head newest = { head.number };
	struct pending_clock clock;
	struct pending deadline;
	bool is_of_head =
	        meta && meta->version == head.number && !strcmp(meta->digest, head.digest);
	bool waits = is_of_head ? meta->confirm_by_ms != 0 : head.confirm_within_ms != 0;
	bool has_back = is_of_head && waits && find_back(in, meta, &back);

	if (waits && !has_back)
		journal_add(in->journal, now_ms, "version", "versions",
		            "version %" PRIu64
		            " stays, though it was not confirmed: what it goes back "
		            "to is not known any more",
		            head.number);
	pending_clock_read(&clock);
	head.confirm_within_ms = !has_back                ? 0
	                         : head.confirm_within_ms ? head.confirm_within_ms
	                                                  : meta->confirm_by_ms - meta->written_ms;
	history_clear(in->history);
	int err = has_back ? recall_version(in, &back, &clock) : 0;
	if (!err)
		err = recall_version(in, &head, &clock);
	if (!err)
		err = recall_record(in, "head", &history_head_record, &newest, &clock);
	if (err) {
		history_clear(in->history);
		return;
	}
	in->must_begin = true;
	if (!has_back)
		return;
	pending_start(&deadline, head.number, "", left_ms(meta, now_ms), &clock);
	history_resume(in->history, &deadline, 1, &clock);
}
