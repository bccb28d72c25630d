/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The files of a configuration's version: weir.conf, what it includes, zone files;
 * the bytes as they were given, each under its path relative to weir.conf.
 *
 * Secrets are never among them. A set of files is a value of one owner; no thread rules.
 */
#ifndef WEIR_MGMT_STORE_FILES_H
#define WEIR_MGMT_STORE_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "mgmt/store/digest.h"

#define FILES_MAX       256u
#define FILES_BYTES_MAX ((size_t)16 << 20)
#define FILES_NAME_MAX  200u
/** The name of the configuration among its files. */
#define FILES_MAIN "weir.conf"

struct files_item {
	char *name;
	char *bytes; /**< with a NUL behind, which does not count */
	size_t n_bytes;
	char digest[DIGEST_TEXT_MAX];
};

/** Sorted by name; zeroed is the empty set. */
struct files {
	struct files_item *items;
	size_t n_items, n_bytes;
};

/** Whether @p name may be a file of a version: relative, below its directory, of [A-Za-z0-9._-] and '/'. */
bool files_name_ok(const char *name);
/**
 * Add a copy of @p bytes as @p name.
 * @return 0, -EINVAL (the name), -EEXIST, -E2BIG (over FILES_MAX or FILES_BYTES_MAX) or -ENOMEM; unchanged on failure
 */
int files_add(struct files *f, const char *name, const void *bytes, size_t n_bytes);
/** Add the file DIR/NAME. @return as files_add(), or -errno of reading it */
int files_add_from(struct files *f, const char *dir, const char *name);
/** Make @p to a copy of @p from. @return 0 or -ENOMEM */
int files_copy(struct files *to, const struct files *from);
/** @return the file called @p name, or NULL */
const struct files_item *files_find(const struct files *f, const char *name);
/** The digest over names and contents: the version's. @return @p out */
const char *files_digest(const struct files *f, char out[DIGEST_TEXT_MAX]);
/**
 * Lay the files out below @p dir, which is made; a file that is there with these bytes is left alone.
 * Each file comes into being whole. @return 0 or -errno
 */
int files_lay_out(const struct files *f, const char *dir);
/** Free the contents and make it empty. */
void files_fini(struct files *f);

/** Read the whole of @p path, at most FILES_BYTES_MAX; @p bytes is given, with a NUL behind. @return 0, -E2BIG or -errno */
int files_slurp(const char *path, char **bytes, size_t *n_bytes);
/** Remove directory @p dir with what is in it. @return 0 or -errno of the last failure */
int files_remove_dir(const char *dir);

#endif
