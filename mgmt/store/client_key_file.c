/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key for clients is handed to weir-dns in a file, as weir-dns may not read the hash key from
 * which it is derived. The file is compared at each tick and written when it differs; the key's
 * bytes are wiped from the stack.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "mgmt/store/intent_internal.h"
#include "weir/placement.h"

/*
 * Make the key by which the head's clients are placed. @return whether the hash key's file is
 * there, and is the head's
 */
static bool make_client_key(const struct recent *head, struct placement *out)
{
	uint64_t words[2];

	if (model_key_read(head->model->hash_key_file, NULL, words))
		return false;
	placement_make(words, out);
	explicit_bzero(words, sizeof(words));
	return !strcmp(head->version.hash_key, out->derived_from);
}

static bool is_same_placement(const char *path, const struct placement *computed)
{
	struct placement found;
	bool same = !placement_read(path, &found) &&
	            !strcmp(found.derived_from, computed->derived_from) &&
	            !memcmp(found.key, computed->key, sizeof(found.key));

	explicit_bzero(&found, sizeof(found));
	return same;
}

/* Each change between success and failure is logged once. */
static void note_placement_outcome(struct intent *in, const char *path, int err, int64_t now_ms)
{
	if (err && err != in->placement_rc) {
		log_error("placement-not-written", "path=%s error=\"%s\"", path, strerror(-err));
		journal_add(
		        in->journal, now_ms, "store", "placement",
		        "%.100s cannot be written: %s; weir-dns goes on with the key that it has",
		        path, strerror(-err));
	} else if (!err && in->placement_rc) {
		journal_add(in->journal, now_ms, "store", "placement", "%.100s is written again",
		            path);
	}
	in->placement_rc = err;
}

void placement_follow(struct intent *in, int64_t now_ms)
{
	const struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;
	struct placement computed;
	char path[PATH_MAX];

	if (!head || in->offline || proc_path(in->state_dir, PLACEMENT_FILE, path))
		return;
	/* while the hash key's file is not the head's, weir-dns keeps the key that it has */
	if (make_client_key(head, &computed) && !is_same_placement(path, &computed)) {
		int err = placement_write(path, &computed);

		note_placement_outcome(in, path, err, now_ms);
		if (!err)
			log_info("placement-written", "made_of=%s", computed.derived_from);
	}
	explicit_bzero(&computed, sizeof(computed));
}
