/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The API's JSON for what the store knows (docs/api.md). Values are given.
 *
 * Implemented in to_json.c. Any thread; an intent that is passed needs the core's lock.
 */
#ifndef WEIR_MGMT_CORE_TO_JSON_H
#define WEIR_MGMT_CORE_TO_JSON_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/http/http.h"
#include "mgmt/json/command.h"
#include "mgmt/store/intent.h"
#include "record/fields.h"

/** The ETag of a version. */
void version_etag(const struct version *v, char out[HTTP_TEXT_MAX]);
/** The same as JSON has it, without its quotes. @return a text in @p out */
const char *version_etag_text(const struct version *v, char out[HTTP_TEXT_MAX]);
/** Whether both are one version; @p b may be NULL. A node without the store's has one of its own under the same number. */
bool version_is_same(const struct version *a, const struct version *b);
/** A version's place. Ended: it was not confirmed, or was taken back; waiting: for its files or its end; planned: a dry run. */
enum version_state {
	VERSION_IN_FORCE,
	VERSION_UNCONFIRMED,
	VERSION_SUPERSEDED,
	VERSION_ENDED,
	VERSION_WAITING,
	VERSION_PLANNED,
};
/** A version; its state depends on @p head, which may be NULL. */
json_t *version_to_json(const struct version *v, const struct version *head);
/** The same, of a state that is known. */
json_t *version_state_json(const struct version *v, const struct version *head,
                           enum version_state state);
/** What both make. */
extern const struct record_kind version_shown;
/** Files as a list of names, digests and sizes; or as an object with their contents. */
json_t *files_to_json(const struct files *files);
json_t *contents_to_json(const struct files *files);
/** What a node is handed a version with (the query `stage`): its record and its files. Given. */
json_t *version_offer(const struct version *v, const struct files *files);
/** Where files come from that are named by their digests. */
struct file_source {
	/** Add the file; 0, -ENOENT, -EBADMSG or as files_add(). */
	int (*find)(void *arg, const char *name, const char *digest, uint64_t n_bytes,
	            struct files *out);
	void *arg;
};
/**
 * Read what contents_to_json() writes; @p source (NULL: none) has the files that are named by their
 * digests.
 * @return 0, -EINVAL with @p err_text, -E2BIG, -ENOMEM, or of the source -ENOENT, -EBADMSG; @p out is
 *         given
 */
int files_from_json(const json_t *object, const struct file_source *source, struct files *out,
                    char err_text[HTTP_TEXT_MAX]) MUST_CHECK;
json_t *plan_to_json(const struct change_plan *plan);
/** What plan_to_json() makes, and one of its changes: of struct plan_change. */
extern const struct record_kind plan_shown, plan_change_shown, share_shown;
/** Of struct event, as it is shown. */
extern const struct record_kind event_record;

/** Read a fingerprint; none is "". @return false when it is malformed */
bool fingerprint_from_json(const json_t *value, char out[MODEL_FINGERPRINT_MAX]) MUST_CHECK;

#endif
