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
#include <string.h>

#include "mgmt/files/gather.h"
#include "mgmt/store/intent_internal.h"

#define NUMBER_END (SHARED_NUMBER_END / 2) /* a damaged one would leave no number for the next */

const struct model_meta *recall_said(const struct intent *in)
{
	const struct model *m = in->shared   ? &in->shared->model
	                        : in->before ? in->before
	                                     : in->seed;

	return m ? &m->meta : NULL;
}

bool recall_is_refused(const struct intent *in)
{
	return *in->refusal && in->n_recent == 0;
}

bool recall_may_begin(const struct intent *in, const struct version *v, int err)
{
	const struct model_meta *said = recall_said(in);

	if (!said && !*in->refusal)
		return !err || err == -ENOENT; /* its files may come yet */
	return said && recall_is_of(said, v);
}

bool recall_is_of(const struct model_meta *meta, const struct version *v)
{
	return meta->version == v->number && !strcmp(meta->digest, v->digest);
}

void recall_number(struct intent *in, uint64_t number)
{
	if (number > in->newest && number < NUMBER_END)
		in->newest = number;
}

void recall_described(const struct intent *in, uint64_t number, const char *digest,
                      const char *hash_key, int64_t time_ms, struct version *out)
{
	*out = (struct version){ .number = number && number < NUMBER_END ? number : 1,
		                 .time_ms = time_ms,
		                 .effective_ms = time_ms };
	snprintf(out->digest, sizeof(out->digest), "%s", digest);
	snprintf(out->hash_key, sizeof(out->hash_key), "%s", hash_key);
	snprintf(out->author, sizeof(out->author), "weir");
	snprintf(out->principal, sizeof(out->principal), "weir");
	snprintf(out->reason, sizeof(out->reason), "recovered from the effective document");
	snprintf(out->node, sizeof(out->node), "%s", in->node);
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

bool recall_is_newer(const struct intent *in, const struct model_meta *meta)
{
	struct files files;

	if (authority_of(in) != AUTHORITY_ALONE || meta->version >= NUMBER_END ||
	    meta->version <= history_head(in->history)->number ||
	    recall_files(in, meta->digest, &files))
		return false;
	files_fini(&files);
	return true;
}

/* Whether the store has @p v with its files. */
static bool is_whole(struct store *s, const struct version *v)
{
	struct version here;
	struct files files;

	if (store_version(s, v->number, &here) || strcmp(here.digest, v->digest) != 0 ||
	    store_files(s, v->number, &files))
		return false;
	char digest[DIGEST_TEXT_MAX];
	bool is_same = !strcmp(files_digest(&files, digest), v->digest);

	files_fini(&files);
	return is_same;
}

int recall_keep(struct intent *in, const struct version *v)
{
	struct files files;
	int err = is_whole(in->store, v) ? -EALREADY : recall_files(in, v->digest, &files);

	if (err)
		return err == -EALREADY ? 0 : err;
	err = store_replace_version(in->store, v, &files);
	files_fini(&files);
	return err;
}

/* What a document tells of the version that is in force again should the one of the document end. */
static bool find_back(const struct intent *in, const struct model_meta *meta, struct version *out)
{
	struct files files;

	if (!meta->back_version || meta->back_version >= meta->version)
		return false;
	if (in->store && !store_version(in->store, meta->back_version, out) &&
	    !strcmp(out->digest, meta->back_digest))
		return true;
	if (recall_files(in, meta->back_digest, &files))
		return false;
	files_fini(&files);
	recall_described(in, meta->back_version, meta->back_digest, meta->back_hash_key,
	                 meta->written_ms, out);
	out->effective_ms = 0; /* before the version in force, whenever that was */
	return true;
}

/*
 * Whether the version in force @p head waits. Without a document of it: by the deadline that is stored with it, which a
 * confirmation removes.
 */
static bool is_waiting(const struct intent *in, const struct version *head,
                       const struct model_meta *meta)
{
	struct pending kept;

	if (meta)
		return meta->confirm_by_ms != 0;
	return in->store && !store_pending(in->store, &kept) && kept.number == head->number;
}

/* Know @p head, which waits to be confirmed, and what it goes back to. @return 0 or -errno: that is not known */
static int recall_waiting(struct intent *in, struct version *head, const struct model_meta *meta,
                          const struct pending_clock *clock)
{
	int64_t within_ms = meta->confirm_by_ms - meta->written_ms;
	struct version back;

	if (!find_back(in, meta, &back))
		return -ENOENT;
	back.confirm_within_ms = 0; /* that was before it stayed */
	if (head->confirm_within_ms <= 0 || head->confirm_within_ms > PENDING_LEFT_MAX_MS)
		head->confirm_within_ms = within_ms < 1                     ? 1
		                          : within_ms > PENDING_LEFT_MAX_MS ? PENDING_LEFT_MAX_MS
		                                                            : within_ms;
	int err = history_recall(in->history, &back, clock);

	return err ? err : history_recall(in->history, head, clock);
}

/* The deadline goes on from where it was when the document was written, without the time since then. */
static void recall_deadline(struct intent *in, const struct version *head,
                            const struct model_meta *meta, const struct pending_clock *clock,
                            int64_t now_ms)
{
	struct pending deadline;
	int64_t from_ms = now_ms > meta->written_ms ? now_ms : meta->written_ms;
	int64_t left_ms = meta->confirm_by_ms - from_ms;

	pending_start(&deadline, head->number, "",
	              left_ms < PENDING_LEFT_MAX_MS ? left_ms : PENDING_LEFT_MAX_MS, clock);
	history_resume(in->history, &deadline, 1, clock);
}

void recall_versions(struct intent *in, int64_t now_ms)
{
	if (authority_has_records(in) || !authority_is_here(in))
		return;
	struct version head = *intent_head(in);
	const struct model_meta *meta = recall_said(in);
	struct pending_clock clock;

	if (meta && !recall_is_of(meta, &head))
		meta = NULL;
	bool waits = is_waiting(in, &head, meta);

	head.confirm_by_ms = head.confirm_left_ms = 0;
	pending_clock_read(&clock);
	history_clear(in->history);
	bool goes_back = waits && meta && !recall_waiting(in, &head, meta, &clock);

	if (!goes_back) {
		history_clear(in->history);
		head.confirm_within_ms = 0;
		if (history_recall(in->history, &head, &clock))
			return;
	}
	in->lacks_records = true;
	if (goes_back)
		recall_deadline(in, &head, meta, &clock, now_ms);
	else if (waits)
		journal_add(in->journal, now_ms, "version", "versions",
		            "version %" PRIu64
		            " stays, though it was not confirmed: what it goes back "
		            "to is not known any more",
		            head.number);
}
