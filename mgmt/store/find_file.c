/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of a file are that a request names by its digest: among the blobs, which uploads
 * fill, else in the store, as a file of an earlier version.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/blobs.h"
#include "mgmt/store/intent_internal.h"

bool intent_has_file(struct intent *in, const char *digest, uint64_t *have)
{
	bool whole = false;

	*have = 0;
	if (blobs_have(in->state_dir, digest, have, &whole))
		return false;
	return whole || (in->store && !in->failing && store_has_blob(in->store, digest));
}

/* Find a file outside the store, among the blobs. */
static int find_blob(struct intent *in, const char *name, const char *digest, uint64_t n,
                     struct files *out)
{
	struct files one = { 0 };
	struct files_text text;
	char path[PATH_MAX];
	uint64_t have;
	bool whole;
	int err = blobs_have(in->state_dir, digest, &have, &whole);

	if (err || !whole)
		return err ? err : -ENOENT;
	if (have != n)
		return -EBADMSG;
	err = blobs_path(in->state_dir, digest, path);
	if (err || n > FILES_SMALL_MAX)
		return err ? err : files_add_path(out, name, path, digest, n);
	err = files_add_path(&one, name, path, digest, n);
	if (!err)
		err = files_read(&one.items[0], &text);
	if (!err) {
		err = files_add(out, name, text.bytes, text.n);
		files_read_end(&text);
	}
	files_fini(&one);
	return err;
}

int intent_find_file(struct intent *in, const char *name, const char *digest, uint64_t n_bytes,
                     struct files *out)
{
	char *bytes;
	size_t n;
	int err = find_blob(in, name, digest, n_bytes, out);

	if (err == -ENOENT && in->store && !in->failing &&
	    !store_blob(in->store, digest, &bytes, &n)) {
		err = files_add(out, name, bytes, n);
		free(bytes);
	}
	const struct files_item *item = err ? NULL : files_find(out, name);
	return item && strcmp(item->digest, digest) != 0 ? -EBADMSG : err;
}
