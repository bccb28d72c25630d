/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key's file is read again at each tick, and only a fingerprint is kept: the key's bytes are
 * wiped at once. A mismatch is logged when its sentence changes, not at each tick.
 */
#include "mgmt/store/key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mgmt/store/intent_internal.h"

const struct intent_key *key_status(const struct intent *in)
{
	return &in->key;
}

bool key_is_new(const struct intent *in)
{
	const struct recent *head = in->n_recent > 1 ? &in->recent[in->n_recent - 1] : NULL;

	return head && strcmp(head->version.hash_key, head[-1].version.hash_key) != 0;
}

/*
 * The last part of the key file's path: directories differ between a configuration as given and as
 * laid out.
 */
static const char *file_name(const struct model *m)
{
	const char *slash = strrchr(m->hash_key_file, '/');

	return slash ? slash + 1 : m->hash_key_file;
}

void key_of_version(const struct intent *in, const struct model *m, char out[MODEL_FINGERPRINT_MAX])
{
	const struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;

	if (head && !strcmp(head->model->hash_key_id, m->hash_key_id) &&
	    !strcmp(file_name(head->model), file_name(m)))
		memcpy(out, head->version.hash_key, MODEL_FINGERPRINT_MAX);
	else
		model_key_fingerprint(m->hash_key, out);
}

static void explain_mismatch(const struct version *head, const struct model *m,
                             struct intent_key *key)
{
	if (!*key->found)
		snprintf(key->reason, sizeof(key->reason),
		         "%.80s cannot be read as a key; version %" PRIu64
		         " needs the one with fingerprint %s (%.20s): copy it from a peer; "
		         "systemd-tmpfiles --create sets its owner",
		         m->hash_key_file, head->number, head->hash_key, m->hash_key_id);
	else
		snprintf(key->reason, sizeof(key->reason),
		         "%.80s has fingerprint %s, version %" PRIu64
		         " was made with %s (%.20s): copy "
		         "that from a peer, or apply a new hash_key_id for a new key",
		         m->hash_key_file, key->found, head->number, head->hash_key,
		         m->hash_key_id);
}

static struct intent_key read_key_status(const struct version *head, const struct model *m)
{
	struct intent_key key = { .looked = true, .number = head->number };
	uint64_t words[2];

	if (!model_key_read(m->hash_key_file, NULL, words))
		model_key_fingerprint(words, key.found);
	explicit_bzero(words, sizeof(words));
	/* of a head without a fingerprint it is not known */
	key.wrong = *head->hash_key && strcmp(key.found, head->hash_key) != 0;
	if (key.wrong)
		explain_mismatch(head, m, &key);
	return key;
}

bool key_follow(struct intent *in, int64_t now_ms)
{
	const struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;
	struct intent_key was = in->key;
	char value[LOG_VALUE_MAX];

	if (!head || in->offline)
		return false;
	in->key = read_key_status(&head->version, head->model);
	if (in->key.wrong && strcmp(in->key.reason, was.reason) != 0) {
		log_error("hash-key-mismatch", "reason=%s", log_value(in->key.reason, value));
		journal_add(in->journal, now_ms, "process", "hash_key", "%s", in->key.reason);
	} else if (!in->key.wrong && was.wrong) {
		log_note("hash-key-matches", "fingerprint=%s", in->key.found);
		journal_add(in->journal, now_ms, "process", "hash_key",
		            "the hash key's file matches the version again");
	}
	return was.looked && was.wrong && !in->key.wrong;
}
