/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The files of a configuration's version: weir.conf, what it includes, zone files;
 * the bytes as they were given, each under its path relative to weir.conf.
 *
 * Secrets are never among them. A set of files is a value of one owner; no thread rules.
 *
 * Implemented in mgmt/files/files.c.
 */
#ifndef WEIR_MGMT_FILES_FILES_H
#define WEIR_MGMT_FILES_FILES_H

#include <limits.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "mgmt/files/digest.h"
#include "weir/model.h"

#define FILES_MAX       32768u            /**< of a version: bounds what a peer can send */
#define FILES_BYTES_MAX ((size_t)4 << 30) /**< of all files of a version */
#define FILES_SMALL_MAX                                                                            \
	((size_t)64 << 10) /**< of a file that is held in memory when it is read from the disk */
#define FILES_SLURP_MAX ((size_t)16 << 20)  /**< bytes of a file that is read at once */
#define FILES_NAME_MAX  MODEL_FILE_NAME_MAX /**< bytes without the NUL */
/** Of a version whose contents go whole in a request or an answer; of a larger one large files go by their digests. */
#define FILES_WHOLE_MAX       256u
#define FILES_WHOLE_BYTES_MAX ((size_t)16 << 20)
/** The name of the configuration among its files. */
#define FILES_MAIN "weir.conf"

struct files_item {
	char *name;
	char *bytes; /**< with a NUL behind, which does not count; NULL: they are at @p path */
	char *path;  /**< of a large file; NULL: the bytes are here */
	size_t n_bytes;
	char digest[DIGEST_TEXT_MAX];
};

/** Sorted by name; zeroed is the empty set. */
struct files {
	struct files_item *items;
	size_t n_items, room, n_bytes;
};

/**
 * Add a copy of @p bytes as @p name.
 * @return 0, -EINVAL (the name), -EEXIST, -E2BIG (over FILES_MAX or FILES_BYTES_MAX) or -ENOMEM; unchanged on failure
 */
int files_add(struct files *f, const char *name, const void *bytes, size_t n_bytes);
/** Whether the contents of all files go in one request or answer. */
static inline bool files_go_whole(const struct files *f)
{
	return f->n_items <= FILES_WHOLE_MAX && f->n_bytes <= FILES_WHOLE_BYTES_MAX;
}
/** Add as @p name the file at @p path, which stays there and is @p n_bytes long with @p digest. @return as files_add() */
MUST_CHECK int files_add_path(struct files *f, const char *name, const char *path,
                              const char *digest, size_t n_bytes);
/** The digest and size of a regular file. @return 0 or -errno */
MUST_CHECK int files_digest_of(const char *path, char out[DIGEST_TEXT_MAX], size_t *n_bytes);
/** Add the file DIR/NAME; a large one is not copied, but named. @return as files_add(), or -errno of reading it */
MUST_CHECK int files_add_from(struct files *f, const char *dir, const char *name);
/** Put @p item of another set in the place of the file called @p name, if there is one. @return as files_add() */
MUST_CHECK int files_put(struct files *f, const char *name, const struct files_item *item);

/** The bytes of a file, for a while. */
struct files_text {
	const char *bytes;
	size_t n;
	char *own; /**< freed by files_read_end(); NULL: bytes are borrowed */
};
/** Get at the bytes of @p item, which must stay; files_read_end() ends that. @return 0 or -errno */
MUST_CHECK int files_read(const struct files_item *item, struct files_text *out);
void files_read_end(struct files_text *text);
/** Encode bytes of a file as base64 (RFC 4648), as the API has them. @return from malloc(), given; NULL when out of memory */
char *files_base64_text(const void *bytes, size_t n);
/** A file's bytes as the API has them, given: a text, or {"base64": TEXT} where JSON has no such text. @return NULL when out of memory */
json_t *files_bytes_json(const void *bytes, size_t n);
/** Decode base64. @param out  given, from malloc(), without a NUL @return 0, -EINVAL (it is none) or -ENOMEM */
MUST_CHECK int files_base64_decode(const char *text, char **out, size_t *n_out);
/** The same into @p out. @return bytes written, or -1; @p out gets no NUL */
MUST_CHECK ssize_t files_base64_bytes(const char *text, void *out, size_t size);

/** Make @p to a copy of @p from. @return 0 or -ENOMEM */
MUST_CHECK int files_copy(struct files *to, const struct files *from);
/** @return the file called @p name, or NULL */
const struct files_item *files_find(const struct files *f, const char *name);
/** The digest over names and contents: the version's. @return @p out */
const char *files_digest(const struct files *f, char out[DIGEST_TEXT_MAX]);
/** Where files may lie already that are to be laid out: they are linked if they have the bytes. NULL: nowhere. */
struct files_like {
	const char *earlier;   /**< a directory that was laid out before: by name */
	const char *by_digest; /**< a directory of files that are called by their digests */
};
/**
 * Lay the files out below @p dir, which is made; a file that is there with these bytes is left alone.
 * Each file comes into being whole. @p like may be NULL. @return 0 or -errno
 */
MUST_CHECK int files_lay_out(const struct files *f, const char *dir, const struct files_like *like);
/** Free the contents and make it empty. */
void files_fini(struct files *f);

/** Read the whole of @p path, at most FILES_SLURP_MAX; @p bytes is given, with a NUL behind. @return 0, -E2BIG or -errno */
MUST_CHECK int files_slurp(const char *path, char **bytes, size_t *n_bytes);
/** The same of at most @p max bytes. */
MUST_CHECK int files_slurp_within(const char *path, size_t max, char **bytes, size_t *n_bytes);
/** Remove directory @p dir with what is in it, also while others remove some of it. @return 0 or -errno of the last failure */
int files_remove_dir(const char *dir);

#endif
