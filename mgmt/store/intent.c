/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At the start the store and the effective document are read and merged: each may hold what the
 * other lost. From then on memory is what counts. While the store fails, changes of overrides stay
 * in memory and in the document; as soon as it works again, all that memory has is written to it.
 * The tick does whatever is due, so that this module needs no timers.
 */
#include "mgmt/store/intent.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/proc.h"
#include "mgmt/files/gather.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/files/sweep.h"

#define LOOK_MS   1000  /* between two looks at files that others may change */
#define RETRY_MS  1000  /* between attempts to write to a store that fails */
#define REOPEN_MS 10000 /* between attempts to open one: each checks the whole file */

static void store_failed(struct intent *in, const char *reason, int64_t now_ms)
{
	if (!in->failing) {
		char value[LOG_VALUE_MAX];

		log_error("store-failing",
		          "reason=%s effect=\"overrides are accepted, new versions are refused\"",
		          log_value(reason, value));
		journal_add(
		        in->journal, now_ms, "store", "store",
		        "the store fails (%s): overrides are accepted, new versions are refused",
		        reason);
	}
	in->failing = true;
	in->retry_ms = now_ms + RETRY_MS;
	snprintf(in->store_reason, sizeof(in->store_reason), "%s", reason);
}

/* Put the corrupt files aside and start a new store. */
static int make_anew(struct intent *in, const char *reason, int64_t now_ms)
{
	char value[LOG_VALUE_MAX], again[EVENT_TEXT_MAX];

	log_error("store-corrupt", "reason=%s effect=\"moved aside, a new store is created\"",
	          log_value(reason, value));
	journal_add(in->journal, now_ms, "store", "store",
	            "the store was corrupt (%s): it was moved aside, and a new store was created",
	            reason);
	store_close(in->store); /* it may keep @p reason */
	in->store = NULL;
	int err = store_put_aside(in->state_dir, now_ms);
	if (!err)
		err = store_open(in->state_dir, &in->store, again);
	if (!err)
		journal_renew(in->journal);
	in->lacks_records = !in->shares;
	in->rebuilt = true;
	in->is_damaged = false;
	in->n_renewals++;
	return err;
}

/* Write all versions and overrides in memory to the store. */
static int store_all(struct intent *in)
{
	int err = 0;

	for (size_t i = 0; !err && i < in->n_recent; i++)
		if (in->recent[i].files.n_items > 0)
			err = store_put_version(in->store, &in->recent[i].version,
			                        &in->recent[i].files);
	if (!err)
		err = store_put_overrides(in->store, &in->overrides);
	return err;
}

int intent_stored(struct intent *in, int err, int64_t now_ms)
{
	char reason[EVENT_TEXT_MAX];

	if (!err)
		return 0;
	snprintf(reason, sizeof(reason), "%s",
	         in->store && *store_reason(in->store) ? store_reason(in->store) : strerror(-err));
	if (err == -EBADMSG && !make_anew(in, reason, now_ms) && !store_all(in))
		return err;
	store_failed(in, reason, now_ms);
	return err;
}

/* Whether what a store has follows on the version in force @p head, or is that; NULL: there is none. */
static bool is_later(const struct version *stored, const struct version *head)
{
	return !head || stored->number > head->number ||
	       (stored->number == head->number && !strcmp(stored->digest, head->digest));
}

/* This node has gone on without its copy, which is older; what it has of operations is still theirs. */
static int forget_records(struct intent *in)
{
	int err = in->offline ? 0 : copy_forget_versions(in->store);

	if (!err)
		history_clear(in->history);
	return err;
}

/* The versions of a store that is there now, unless they are others than the one in force: that becomes the first then (alone.c). */
static int load_stored_versions(struct intent *in, int64_t now_ms)
{
	const struct version *head = intent_head(in);
	struct version stored;
	int err = shared_load(in), n = err ? err : store_versions(in->store, 0, &stored, 1);
	bool goes_on = n > 0 && is_later(&stored, head);

	if (n < 0)
		return n;
	if (n > 0)
		recall_number(in, stored.number);
	if (goes_on || authority_of(in) == AUTHORITY_STORE) {
		err = intent_load_recent(in, head ? head->number + 1 : 0, now_ms);
		if (!err)
			join_end(in);
	} else if (authority_of(in) == AUTHORITY_ALONE) {
		err = forget_records(in);
	}
	/* errors in it are logged, and files may come yet, or be as they are laid out: the version in force stays */
	if (err && err != -EINVAL && err != -ENOENT && err != -EIO)
		return err;
	recall_versions(in, now_ms);
	recent_show_waiting(in, now_ms);
	return 0;
}

/*
 * A store that could not be opened at the start is there now. It knows what the effective document
 * does not: who made the versions and why, until when the head waits to be confirmed, and a head
 * that was never written out.
 */
static int load_stored(struct intent *in, int64_t now_ms)
{
	int err = load_stored_versions(in, now_ms);

	if (!err)
		err = store_overrides(in->store, &in->overrides,
		                      in->purge_ms ? in->purge_ms : now_ms);
	in->next_ms = now_ms;
	return err;
}

static int reopen_store(struct intent *in, char reason[EVENT_TEXT_MAX], int64_t now_ms)
{
	int err = store_open(in->state_dir, &in->store, reason);

	return err ? err : load_stored(in, now_ms);
}

/* A store that works again gets all that memory has, as nobody noted what it missed. */
static void retry_store(struct intent *in, int64_t now_ms)
{
	char reason[EVENT_TEXT_MAX] = "";
	int err = 0;

	if (!in->store)
		err = reopen_store(in, reason, now_ms);
	if (!err)
		err = store_all(in);
	if (err == -EBADMSG) {
		err = make_anew(in, in->store ? store_reason(in->store) : reason, now_ms);
		if (!err)
			err = store_all(in);
	}
	if (err) {
		store_failed(in,
		             *reason     ? reason
		             : in->store ? store_reason(in->store)
		                         : strerror(-err),
		             now_ms);
		in->retry_ms = now_ms + (in->store ? RETRY_MS : REOPEN_MS);
		return;
	}
	in->failing = false;
	in->store_reason[0] = '\0';
	if (in->n_recent == 0 && !in->offline && !join_waits(in))
		join_begin(in, now_ms); /* which could not be kept at the first start */
	log_note("store-works", "overrides=%zu", in->overrides.n_items);
	journal_add(in->journal, now_ms, "store", "store", "the store works again");
}

/* Open the store, and make a new one if it is corrupt; without one the intent lives in memory. */
static int open_or_renew_store(struct intent *in, int64_t now_ms)
{
	char reason[EVENT_TEXT_MAX];
	int err = store_open(in->state_dir, &in->store, reason);

	if (err == -EBUSY)
		return err;
	if (!err)
		err = journal_load(in->journal, in->store);
	if (!err)
		err = store_overrides(in->store, &in->overrides,
		                      in->purge_ms ? in->purge_ms : now_ms);
	if (err == -EBADMSG)
		err = make_anew(in, in->store ? store_reason(in->store) : reason, now_ms);
	if (err)
		store_failed(in, in->store ? store_reason(in->store) : reason, now_ms);
	return 0;
}

/* The document is there, and this program cannot read it, as after an upgrade. @return what can be used of it, or NULL */
static struct model *refuse_effective(struct intent *in, const char *path,
                                      const struct model_errors *errors)
{
	struct model *m = NULL;

	gather_log_errors(PROC_EFFECTIVE_FILE, errors);
	gather_first_error(errors, in->refusal, sizeof(in->refusal));
	return model_read_remains(path, &m) ? NULL : m;
}

/*
 * The effective document of an earlier run: its number, its overrides, and if need be its
 * configuration. Of one that is refused no configuration.
 */
static struct model *read_effective(struct intent *in)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	char path[PATH_MAX];

	if (proc_path(in->state_dir, PROC_EFFECTIVE_FILE, path))
		return NULL;
	int err = model_read_effective(path, in->node, &m, &errors);
	if (err && err != -ENOENT)
		m = refuse_effective(in, path, &errors);
	model_errors_free(&errors);
	return m;
}

/* Overrides accepted offline, or while the store failed, are in the document alone. */
static void merge_effective(struct intent *in, const struct model *m, int64_t now_ms)
{
	size_t n_accepted = 0;

	for (size_t i = 0; i < m->n_overrides; i++) {
		struct override o;

		if (override_from(&m->overrides[i], &o))
			continue;
		n_accepted += overrides_merge(&in->overrides, &o, now_ms) == 1;
	}
	if (m->meta.document > in->document)
		in->document = m->meta.document;
	if (n_accepted == 0 || !in->store)
		return;
	log_note("overrides-from-document", "accepted=%zu", n_accepted);
	intent_stored(in, store_put_overrides(in->store, &in->overrides), now_ms);
}

static void put_version(struct intent *in, const struct recent *r, int64_t now_ms)
{
	if (in->store && !in->failing && r->files.n_items > 0)
		intent_stored(in, store_put_version(in->store, &r->version, &r->files), now_ms);
}

/* The version that the document @p m was made from: its record, or what the document says of it. */
static struct version recorded_version(const struct intent *in, const struct model *m)
{
	const struct version *known = history_version(in->history, m->meta.version, NULL);
	struct version v;

	if (known && recall_is_of(&m->meta, known))
		return *known;
	recall_described(in, m->meta.version, m->meta.digest, m->meta.hash_key, m->meta.written_ms,
	                 &v);
	return v;
}

/* Without records: whether the document @p m is of another version than what was loaded. */
static bool is_of_other(const struct intent *in, const struct model *m)
{
	return authority_of(in) == AUTHORITY_DOCUMENT && m->meta.version &&
	       !recall_is_of(&m->meta, intent_head(in));
}

/*
 * Make version and head from the effective document, with the files laid out for it if these are
 * whole.
 */
static void recover_version(struct intent *in, struct model *m, int64_t now_ms)
{
	struct recent *r = &in->recent[0];
	struct model_errors errors = { 0 };

	*r = (struct recent){ .model = m, .version = recorded_version(in, m) };
	in->n_recent = 1;
	in->seed = m;
	if (!recall_files(in, m->meta.digest, &r->files) &&
	    !gather_keyed(&r->files, in->state_dir, in->conf_dir, m->meta.hash_key, in->node,
	                  &r->model, &errors))
		put_version(in, r, now_ms);
	model_errors_free(&errors);
	log_error("version-recovered", "number=%" PRIu64 " from=%s bytes=%s", r->version.number,
	          PROC_EFFECTIVE_FILE, r->files.n_items ? "whole" : "lost");
	journal_add(in->journal, now_ms, "version", "versions",
	            "version %" PRIu64 " recovered from the effective document%s",
	            r->version.number, r->files.n_items ? "" : "; its files are lost");
}

/* Where the copy has no versions, the document says what is to end; and what number is free. */
static void recall_effective(struct intent *in, int64_t now_ms)
{
	const struct model_meta *said = recall_said(in);
	struct version kept;

	if (said)
		recall_number(in, said->newest);
	if (in->store && store_versions(in->store, 0, &kept, 1) == 1)
		recall_number(in, kept.number);
	recall_versions(in, now_ms);
	recent_show_waiting(in, now_ms);
}

/* A backup of the store was put back: this node goes on with the version that it had. */
static void leave_older_copy(struct intent *in, const struct model_meta *said, int64_t now_ms)
{
	uint64_t number = history_head(in->history)->number;

	if (intent_stored(in, forget_records(in), now_ms))
		return;
	log_error("store-older", "number=%" PRIu64 " in_force=%" PRIu64, number, said->version);
	journal_add(in->journal, now_ms, "version", "versions",
	            "the store of this node is older than its document: it has version %" PRIu64
	            ", and version %" PRIu64 " was in force; this node goes on with that",
	            number, said->version);
}

static void load_state(struct intent *in, int64_t now_ms)
{
	struct model *effective = in->before = read_effective(in);

	authority_set_here(in, effective);
	if (effective && recall_is_newer(in, &effective->meta))
		leave_older_copy(in, &effective->meta, now_ms);
	/* without records of who decides: what the document has was in force, and a newer one may have ended */
	uint64_t below = effective && effective->meta.version ? effective->meta.version + 1 : 0;
	int err = in->store ? intent_load_recent(in, below, now_ms) : -ENOENT;

	if (effective)
		merge_effective(in, effective, now_ms);
	if (err == -EBADMSG)
		intent_stored(in, err, now_ms);
	if (effective && is_of_other(in, effective))
		recent_drop(in);
	if (in->n_recent == 0 && effective && !*in->refusal) {
		in->before = NULL; /* the document is kept as the seed */
		recover_version(in, effective, now_ms);
		recall_effective(in, now_ms);
		return;
	}
	recall_effective(in, now_ms);
	if (in->offline)
		return;
	if (in->n_recent == 0)
		join_begin(in, now_ms);
	else if (authority_of(in) == AUTHORITY_FILE && !authority_is_here(in))
		join_use_own_file(in, now_ms);
}

int intent_open(const struct intent_options *options, int64_t now_ms, struct intent **out)
{
	struct intent *in = MEMORY_NEW(struct intent);

	snprintf(in->conf_dir, sizeof(in->conf_dir), "%s", options->conf_dir);
	snprintf(in->state_dir, sizeof(in->state_dir), "%s", options->state_dir);
	snprintf(in->node, sizeof(in->node), "%s", options->node);
	in->offline = options->offline;
	in->shares = options->shares;
	in->purge_ms = options->purge_ms;
	in->journal = journal_new(in->node, STORE_EVENTS_MAX);
	in->history = history_new(STORE_VERSIONS_MAX);
	int err = open_or_renew_store(in, now_ms);
	if (!err && in->store)
		intent_stored(in, shared_load(in), now_ms);
	if (err) {
		intent_close(in);
		return err;
	}
	in->document = written_newest_document(options->run_dir);
	load_state(in, now_ms);
	member_records_recall(in);
	intent_follow_ramps(in, now_ms);
	if (!in->shared)
		in->is_changed = true;
	effective_follow(in, now_ms);
	if (in->n_recent > 0 && !in->dirty)
		recent_prune(in);
	*out = in;
	return 0;
}

void intent_close(struct intent *in)
{
	if (!in)
		return;
	if (in->store)
		journal_flush(in->journal, in->store);
	(void)!member_records_flush(in); /* else the store has it */
	member_records_drop(in);
	members_fini(&in->members);
	recent_drop(in);
	model_free(in->seed);
	model_free(in->before);
	join_end(in);
	intent_unshare(in->shared);
	overrides_fini(&in->overrides);
	journal_free(in->journal);
	store_close(in->store);
	history_free(in->history);
	free(in->ramps);
	free(in);
}

/* Look at files that others may change. @return whether the document is to be written for them */
static bool look_at_files(struct intent *in, int64_t now_ms)
{
	bool has_key = key_follow(in, now_ms), is_damaged = written_is_damaged(in, now_ms);

	in->look_ms = now_ms - now_ms % LOOK_MS + LOOK_MS;
	placement_follow(in, now_ms);
	return has_key || is_damaged;
}

int64_t intent_tick(struct intent *in, int64_t now_ms)
{
	if (now_ms <
	    in->ticked_ms) /* the time went back: do what is due now instead of waiting longer */
		in->retry_ms = in->next_ms = in->look_ms = now_ms;
	in->ticked_ms = now_ms;
	bool looks = now_ms >= in->look_ms;
	if (in->failing && now_ms >= in->retry_ms)
		retry_store(in, now_ms);
	else if (in->is_damaged && !in->failing)
		intent_stored(in, -EBADMSG, now_ms);
	if (!in->failing)
		intent_stored(in, journal_flush(in->journal, in->store), now_ms);
	if (!in->failing)
		intent_stored(in, member_records_flush(in), now_ms);
	intent_follow_ramps(in, now_ms);
	if (overrides_prune(&in->overrides, in->purge_ms ? in->purge_ms : now_ms) && !in->failing)
		intent_stored(in, store_put_overrides(in->store, &in->overrides), now_ms);
	if ((looks && look_at_files(in, now_ms)) || in->dirty || now_ms >= in->next_ms)
		in->is_changed = true;
	effective_follow(in, now_ms);
	int64_t next_ms = now_ms + LOOK_MS;
	return in->next_ms < next_ms ? in->next_ms : next_ms;
}

const struct files *intent_head_files(const struct intent *in)
{
	const struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;

	return head && head->files.n_items ? &head->files : NULL;
}

const struct model *intent_model(const struct intent *in)
{
	return intent_shared_model(in->shared);
}

const struct overrides *intent_overrides(const struct intent *in)
{
	return &in->overrides;
}

const struct member_list *intent_members(const struct intent *in)
{
	return &in->members;
}

const char *intent_node(const struct intent *in)
{
	return in->node;
}

struct journal *intent_journal(struct intent *in)
{
	return in->journal;
}

struct store *intent_store(struct intent *in)
{
	return in->failing ? NULL : in->store;
}

struct store *intent_store_to_read(struct intent *in)
{
	return in->store;
}

const char *intent_store_reason(const struct intent *in)
{
	return in->store_reason;
}

unsigned intent_store_renewals(const struct intent *in)
{
	return in->n_renewals;
}

const char *intent_store_state(const struct intent *in)
{
	return in->failing ? "failing" : in->rebuilt ? "rebuilt" : "ok";
}

uint64_t intent_document(const struct intent *in)
{
	return in->document;
}

const char *intent_document_refusal(const struct intent *in, uint64_t *version)
{
	const struct model_meta *said = recall_said(in);

	if (version)
		*version = said ? said->version : 0;
	return recall_is_refused(in) ? in->refusal : "";
}

const char *intent_nothing_text(const struct intent *in)
{
	return recall_is_refused(in)
	               ? "the effective document is refused at this node, which takes no command "
	                 "until a configuration is in force: weir status says what to do"
	               : "there is no configuration yet";
}

const char *intent_unwritten_reason(const struct intent *in)
{
	return in->unwritten_reason;
}

void intent_for(struct intent *in, const char *principal, const struct store_request *request)
{
	snprintf(in->principal, sizeof(in->principal), "%s", principal ? principal : "");
	if (in->store)
		store_for(in->store, request);
}

const char *intent_principal(const struct intent *in)
{
	return in->principal[0] ? in->principal : "weir";
}
