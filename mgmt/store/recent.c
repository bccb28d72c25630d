/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recent versions: with files and models in memory, and laid out on the disk for the processes.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "mgmt/files/gather.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/files/sweep.h"

static void free_recent(const struct intent *in, struct recent *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		files_fini(&list[i].files);
		if (list[i].model != in->seed)
			model_free(list[i].model);
	}
}

void recent_drop(struct intent *in)
{
	free_recent(in, in->recent, in->n_recent);
	in->n_recent = 0;
}

int intent_load_one(struct intent *in, const struct version *v, struct recent *out)
{
	struct model_errors errors = { 0 };
	struct recent r = { .version = *v };
	int err = in->store ? store_files(in->store, v->number, &r.files) : -ENOENT;

	if (err && (!in->store || in->failing))
		err = recall_files(in, v->digest, &r.files);
	if (!err)
		err = gather_keyed(&r.files, in->state_dir, in->conf_dir, v->hash_key, in->node,
		                   &r.model, &errors);
	if (err == -EINVAL)
		gather_log_errors(v->digest, &errors);
	model_errors_free(&errors);
	if (err) {
		files_fini(&r.files);
		return err;
	}
	*out = r;
	return 0;
}

void recent_show_deadline(const struct intent *in, struct version *v,
                          const struct pending_clock *clock, int64_t now_ms)
{
	const struct version *standing = history_standing(in->history, clock->now_ms);
	bool is_open = history_is_open(in->history, clock->now_ms, &v->confirm_left_ms) &&
	               standing->number == v->number;
	int64_t by_ms = 0;

	if (!is_open)
		v->confirm_left_ms = 0;
	else if (v->confirm_left_ms == CHAIN_NEVER) /* of who was there before this node */
		by_ms = v->time_ms + v->confirm_within_ms;
	else
		by_ms = now_ms + v->confirm_left_ms;
	if (v->confirm_left_ms == CHAIN_NEVER)
		v->confirm_left_ms = 0;
	/* as long as no clock steps it is shown as one instant */
	if (llabs(by_ms - v->confirm_by_ms) > 1000)
		v->confirm_by_ms = by_ms;
}

void recent_show_waiting(struct intent *in, int64_t now_ms)
{
	const struct version *v = authority_chosen(in);
	struct pending_clock clock;

	pending_clock_read(&clock);
	if (v && shared_is_loaded(in, v))
		recent_show_deadline(in, &in->recent[in->n_recent - 1].version, &clock, now_ms);
}

/*
 * A node that went back alone has no record of that: what its document has goes on, where the deadlines here choose it as well.
 * @return how many periods there are
 */
static size_t add_own_decision(const struct intent *in, int64_t now_ms,
                               struct history_period periods[RECENT_MAX], size_t n)
{
	const struct version *chosen = authority_chosen(in);
	const struct model_meta *said = recall_said(in);

	if (!n || !chosen || !said || !recall_is_of(said, chosen) ||
	    periods[n - 1].number == chosen->number)
		return n;
	if (n == RECENT_MAX)
		memmove(periods, periods + 1, --n * sizeof(*periods));
	periods[n] = (struct history_period){ chosen->number, now_ms };
	return n + 1;
}

/* Load what shared intent had and has in force, as far as its files are here. */
static int load_shared(struct intent *in, int64_t now_ms)
{
	struct history_period periods[RECENT_MAX];
	struct recent loaded[RECENT_MAX];
	size_t n = shared_periods(in, now_ms, periods), kept = 0;

	n = add_own_decision(in, now_ms, periods, n);
	bool at_start = in->n_recent == 0;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		const struct version *v = history_version(in->history, periods[i].number, NULL);

		err = shared_find_version(in, v);
		if (!err)
			err = intent_load_one(in, v, &loaded[kept]);
		if (err == -EBADMSG)
			break;
		if (!err)
			loaded[kept++].since_ms = periods[i].since_ms;
	}
	/* what is in force stays until the newest one's files are here */
	if (!kept || err == -EBADMSG ||
	    (err && !(at_start && recall_may_begin(in, &loaded[kept - 1].version, err)))) {
		free_recent(in, loaded, kept);
		return err ? err : -ENOENT;
	}
	recent_drop(in);
	memcpy(in->recent, loaded, kept * sizeof(*loaded));
	in->n_recent = kept;
	if (at_start)
		recent_show_waiting(in, now_ms);
	return 0;
}

int intent_load_recent(struct intent *in, uint64_t below, int64_t now_ms)
{
	struct version versions[RECENT_MAX];
	struct recent loaded[RECENT_MAX];
	int n, err;
	size_t kept = 0;

	if (authority_has_records(in))
		return load_shared(in, now_ms);
	n = store_versions(in->store, below, versions, RECENT_MAX);
	if (n <= 0)
		return n ? n : -ENOENT;
	if (recall_is_refused(in) && !recall_may_begin(in, &versions[0], 0))
		return -ENOENT;
	/* newest first: until one is old enough that nothing before it matters */
	for (int i = 0; i < n; i++) {
		err = intent_load_one(in, &versions[i], &loaded[RECENT_MAX - 1 - kept]);
		if (err && i == 0)
			return err;
		if (err)
			break;
		kept++;
		if (versions[i].effective_ms < now_ms - RECENT_MS)
			break;
	}
	recent_drop(in);
	memcpy(in->recent, loaded + RECENT_MAX - kept, kept * sizeof(*loaded));
	in->n_recent = kept;
	return 0;
}

/* Whether the laid out files of @p digest are in use, or may come to be. */
static bool is_needed(const struct intent *in, const char *digest)
{
	for (size_t i = 0; i < in->n_recent; i++)
		if (!strcmp(in->recent[i].version.digest, digest))
			return true;
	const struct model_meta *said =
	        in->shared || recall_is_refused(in) ? recall_said(in) : NULL;

	return said && (!strcmp(said->back_digest, digest) ||
	                (!in->shared && !strcmp(said->digest, digest)));
}

void recent_remove_laid_out(const struct intent *in, const char *digest)
{
	char dir[PATH_MAX];

	if (!is_needed(in, digest) && strcmp(in->candidate_digest, digest) != 0 &&
	    !gather_dir(in->state_dir, digest, dir))
		sweep_dir(dir);
}

void intent_push_recent(struct intent *in, struct recent *r)
{
	struct recent old = { 0 };

	authority_set_here(in, r->model);
	if (in->n_recent == RECENT_MAX) {
		old = in->recent[0];
		snprintf(in->dropped, sizeof(in->dropped), "%s", old.version.digest);
		in->n_recent--;
		memmove(in->recent, in->recent + 1, in->n_recent * sizeof(*in->recent));
	}
	in->recent[in->n_recent++] = *r;
	in->is_changed = true;
	files_fini(&old.files);
	if (old.model != in->seed)
		model_free(old.model);
}

void intent_say_version(struct intent *in, const struct version *v, int64_t now_ms)
{
	char value[LOG_VALUE_MAX];

	log_note("version", "number=%" PRIu64 " digest=%.16s author=%s reason=%s", v->number,
	         v->digest, v->author, log_value(v->reason, value));
	journal_add(in->journal, now_ms, "version", "versions",
	            "version %" PRIu64 " by %s%s%s%s%s%s%s", v->number, v->author,
	            *v->principal ? " (" : "", v->principal, *v->principal ? ")" : "",
	            *v->reason ? ": " : "", v->reason,
	            v->confirm_by_ms ? " (to be confirmed)"
	            : join_is_provisional(v)
	                    ? " (provisional: the first version of a shared store replaces it)"
	                    : "");
}

/* Remove the laid out files of versions that are not recent any more. */
void recent_prune(const struct intent *in)
{
	char parent[PATH_MAX], path[PATH_MAX];
	const struct dirent *entry;
	DIR *dir = proc_path(in->state_dir, PROC_CONFIG_DIR, parent) ? NULL : opendir(parent);

	while (dir && (entry = readdir(dir))) {
		if (!is_needed(in, entry->d_name) &&
		    (strlen(entry->d_name) == DIGEST_TEXT_MAX - 1 ||
		     sweep_is_left(entry->d_name)) &&
		    !proc_path(parent, entry->d_name, path))
			files_remove_dir(path);
	}
	if (dir)
		closedir(dir);
}
