/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The API's JSON for what the store knows (docs/api.md). Values are given.
 *
 * Implemented in tell.c, and in tell_peer.c what peers exchange. Any thread; an intent that is
 * passed needs the core's lock.
 */
#ifndef WEIR_MGMT_API_TELL_H
#define WEIR_MGMT_API_TELL_H

#include <jansson.h>

#include "mgmt/api/http.h"
#include "mgmt/store/intent.h"
#include "mgmt/tell/command.h"

/** The ETag of a version. */
void tell_version_etag(const struct version *v, char out[HTTP_TEXT_MAX]);
/** A version; its state depends on @p head, which may be NULL. */
json_t *tell_version(const struct version *v, const struct version *head);
/** Files as a list of names, digests and sizes; or as an object with their contents. */
json_t *tell_files(const struct files *files);
json_t *tell_contents(const struct files *files);
/** Where files come from that are named by their digests. */
struct tell_source {
	/** Add the file; 0, -ENOENT, -EBADMSG or as files_add(). */
	int (*find)(void *arg, const char *name, const char *digest, uint64_t n_bytes,
	            struct files *out);
	void *arg;
};
/** As tell_read_contents(), where files may be named by digests. @return also -ENOENT, -EBADMSG */
int tell_read_files(const json_t *object, const struct tell_source *source, struct files *out,
                    char why[HTTP_TEXT_MAX]);
/** Read what tell_contents() writes. @return 0, -EINVAL with @p why, -E2BIG or -ENOMEM; @p out is given */
int tell_read_contents(const json_t *object, struct files *out, char why[HTTP_TEXT_MAX]);
json_t *tell_plan(const struct plan *plan);
json_t *tell_mistakes(const struct model_mistakes *mistakes);
json_t *tell_event(const struct event *e);

/** The whole of an override or version, as peers exchange it; and back. @return 0 or -EINVAL */
json_t *tell_peer_override(const struct override *o);
int tell_read_override(const json_t *object, struct override *out);
json_t *tell_peer_version(const struct version *v);
int tell_read_version(const json_t *object, struct version *out);
/** Read a fingerprint; none is "". @return false when it is malformed */
bool tell_read_fingerprint(const json_t *value, char out[MODEL_FINGERPRINT_MAX]);

#endif
