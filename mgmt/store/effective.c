/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effective document: composed from the intent into an arena, then written by rename. Readers
 * in this process share the composed model by a count of users. Disk space for two more documents
 * is held in a file (STATE/reserve), which is removed when the disk is full, so that a full disk
 * does not stop a drain.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/owner.h"
#include "base/proc.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/store/intent_internal.h"

#define RESERVE_FILE  "reserve"
#define RESERVE_LEAST ((off_t)256 << 10)  /* bytes: a first document may be small and grow */
#define ARENA_MAX     ((size_t)512 << 20) /* bytes: bounds a composed document */

/* Until when the version in force waits, and what it goes back to: by its record, else as it was said. */
static void fill_waiting(const struct intent *in, const struct version *head, int64_t now_ms,
                         struct model_meta *out)
{
	const struct model_meta *said = recall_said(in);
	const struct version *known = history_version(in->history, head->number, NULL), *back;

	if (said && !recall_is_of(said, head))
		said = NULL;
	if (known && strcmp(known->digest, head->digest) != 0)
		known = NULL;
	if (!known && said) {
		out->confirm_by_ms = said->confirm_by_ms;
		out->back_version = said->back_version;
		out->back_digest = said->back_digest;
		out->back_hash_key = said->back_hash_key;
	}
	back = known ? history_final(in->history) : NULL;
	if (!back || back->number >= head->number) /* it stays */
		return;
	out->confirm_by_ms = head->confirm_by_ms           ? head->confirm_by_ms
	                     : said && said->confirm_by_ms ? said->confirm_by_ms
	                                                   : now_ms; /* its time is over */
	out->back_version = back->number;
	out->back_digest = back->digest;
	out->back_hash_key = back->hash_key;
}

/* With what it says of versions a node goes on where its store is lost (recall.c). */
static void fill_meta(struct intent *in, int64_t now_ms, struct model_meta *out)
{
	const struct version *head = &in->recent[in->n_recent - 1].version;

	recall_number(in, head->number);
	if (history_head(in->history))
		recall_number(in, history_head(in->history)->number);
	*out = (struct model_meta){ .version = head->number,
		                    .digest = head->digest,
		                    .hash_key = head->hash_key,
		                    .document = in->document + 1,
		                    .written_ms = now_ms,
		                    .newest = in->newest };
	fill_waiting(in, head, now_ms, out);
}

static void fill_input(struct intent *in, int64_t now_ms, struct compose_input *input,
                       struct compose_version versions[RECENT_MAX])
{
	for (size_t i = 0; i < in->n_recent; i++) {
		const struct recent *r = &in->recent[i];

		versions[i] = (struct compose_version){ r->model, r->version.time_ms,
			                                r->version.effective_ms };
		if (r->since_ms) /* it came into force again: all nodes knew by then */
			versions[i] =
			        (struct compose_version){ r->model, r->since_ms - COMPOSE_AHEAD_MS,
				                          r->since_ms };
	}
	*input = (struct compose_input){ .versions = versions,
		                         .n_versions = in->n_recent,
		                         .seed = in->seed,
		                         .before = in->shared ? &in->shared->model : in->before,
		                         .overrides = &in->overrides,
		                         .members = &in->members,
		                         .now_ms = now_ms };
	fill_meta(in, now_ms, &input->meta);
}

/* Hold room for two more documents like the one at @p path. */
static void hold_reserve(const struct intent *in, const char *path)
{
	char reserve[PATH_MAX];
	struct stat document, held = { 0 };

	if (proc_path(in->state_dir, RESERVE_FILE, reserve) || stat(path, &document))
		return;
	off_t least_size = RESERVE_LEAST + 2 * document.st_size;
	/* a link that another process made could lead to a file of this user, which would grow */
	int fd = owner_open(reserve, "mgmt");
	bool is_held = fd >= 0 && fstat(fd, &held) == 0 && held.st_size >= least_size;
	if (fd >= 0)
		close(fd);
	if (is_held || fd == -EPERM)
		return;
	fd = open(reserve, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, least_size))
		unlink(reserve); /* no room now; tried again with the next document */
	close(fd);
}

static void release_reserve(const struct intent *in)
{
	char reserve[PATH_MAX];

	if (!proc_path(in->state_dir, RESERVE_FILE, reserve))
		unlink(reserve);
}

static int write_document(const struct intent *in, const struct model *m, const char *path)
{
	int err = model_write_effective(m, path);

	if (err != -ENOSPC && err != -EDQUOT)
		return err;
	log_error("disk-full", "doing=\"writing the effective document from the reserve\" dir=%s",
	          in->state_dir);
	release_reserve(in);
	return model_write_effective(m, path);
}

static const char *describe_write_error(int err)
{
	return err == -EFBIG ? "it would be larger than what processes read: make the "
	                       "configuration smaller, or end overrides"
	                     : strerror(-err);
}

/* Note success or failure; each change between them is logged once. */
static void note_write_outcome(struct intent *in, int err, int64_t now_ms)
{
	if (err) {
		const char *reason = describe_write_error(err);

		if (!in->dirty)
			journal_add(in->journal, now_ms, "store", "effective",
			            "the effective document cannot be written: %s", reason);
		if (!in->dirty)
			log_error("effective-not-written", "error=\"%s\"", reason);
		snprintf(in->unwritten_reason, sizeof(in->unwritten_reason), "%s", reason);
		in->dirty = true;
		return;
	}
	if (in->dirty)
		journal_add(in->journal, now_ms, "store", "effective",
		            "the effective document is written again");
	in->dirty = false;
	in->unwritten_reason[0] = '\0';
	in->document++;
	log_info("effective-written", "document=%" PRIu64 " version=%" PRIu64 " overrides=%zu",
	         in->document, in->shared->model.meta.version, in->shared->model.n_overrides);
}

/* Compose what @p input says. @return one user's; NULL when out of memory */
static struct intent_shared *compose_shared(const struct compose_input *input)
{
	struct intent_shared *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->users = 1;
	s->arenas[0] = arena_new(ARENA_MAX);
	if (!s->arenas[0] || compose_document(input, s->arenas[0], &s->model)) {
		intent_unshare(s);
		return NULL;
	}
	s->configured = *input->versions[input->n_versions - 1].model;
	s->configured.meta = s->model.meta;
	s->arenas[1] = arena_share(input->versions[input->n_versions - 1].model->arena);
	if (input->seed)
		s->arenas[2] = arena_share(input->seed->arena);
	return s;
}

struct intent_shared *intent_share(struct intent *in)
{
	if (in->shared)
		__atomic_fetch_add(&in->shared->users, 1, __ATOMIC_RELAXED);
	return in->shared;
}

const struct model *intent_shared_model(const struct intent_shared *s)
{
	return s ? &s->model : NULL;
}

const struct model *intent_shared_configured(const struct intent_shared *s)
{
	return s ? &s->configured : NULL;
}

void intent_unshare(struct intent_shared *s)
{
	if (!s || __atomic_fetch_sub(&s->users, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (size_t i = 0; i < sizeof(s->arenas) / sizeof(s->arenas[0]); i++)
		arena_free(s->arenas[i]);
	free(s);
}

bool effective_says(struct intent *in, int64_t now_ms)
{
	struct model_meta meta;

	if (!in->shared)
		return false;
	const struct model_meta *said = &in->shared->model.meta;
	fill_meta(in, now_ms, &meta);
	return said->confirm_by_ms == meta.confirm_by_ms && said->newest == meta.newest &&
	       said->back_version == meta.back_version;
}

static void write_effective(struct intent *in, int64_t now_ms)
{
	struct compose_version versions[RECENT_MAX];
	struct compose_input input;
	char path[PATH_MAX];

	if (in->n_recent == 0)
		return;
	fill_input(in, now_ms, &input, versions);
	in->next_ms = compose_next_ms(&input);
	in->look_ms = now_ms; /* it may name other files */
	struct intent_shared *composed = compose_shared(&input);
	int err = composed ? proc_path(in->state_dir, PROC_EFFECTIVE_FILE, path) : -ENOMEM;
	if (composed) {
		intent_unshare(in->shared);
		in->shared = composed;
	}
	placement_follow(in, now_ms); /* first, because processes need it for the document */
	if (!err)
		err = write_document(in, &in->shared->model, path);
	note_write_outcome(in, err, now_ms);
	if (err)
		return;
	written_note(in);
	hold_reserve(in, path);
}

void effective_follow(struct intent *in, int64_t now_ms)
{
	char back[DIGEST_TEXT_MAX] = "", dropped[DIGEST_TEXT_MAX];

	if (!in->is_changed)
		return;
	in->is_changed = false;
	if (in->shared)
		snprintf(back, sizeof(back), "%s", in->shared->model.meta.back_digest);
	memcpy(dropped, in->dropped, sizeof(dropped));
	in->dropped[0] = '\0';
	write_effective(in, now_ms);
	if (*back) /* what the version in force would have gone back to */
		recent_remove_laid_out(in, back);
	if (*dropped)
		recent_remove_laid_out(in, dropped);
}
