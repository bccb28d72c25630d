/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Reading the fields of an answer, for the readers of mgmt/etcd/ only.
 *
 * A reader goes on after the first field that is wrong, and checks once, at its end: the first error
 * is kept with the field's name, and every value read after it is nothing. A field that is absent or
 * null has its default, as proto3 has it: 0, false, empty, no list. Foreign fields are not looked at.
 *
 * Implemented in mgmt/etcd/fields.c. Any thread, each on a struct etcd_fields of its own.
 */
#ifndef WEIR_MGMT_ETCD_FIELDS_INTERNAL_H
#define WEIR_MGMT_ETCD_FIELDS_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/checked.h"
#include "mgmt/etcd/etcd.h"

struct etcd_fields {
	json_t *root;
	struct arena *arena; /**< for bytes and lists; NULL: none are read */
	char *reason;        /**< the caller's */
	const char *list;    /**< the list that is being read, and the entry: "kvs" and 3 */
	size_t entry;
	int err; /**< sticky: 0, -EBADMSG or -ENOMEM */
};

/** Begin: @p bytes are to be one object of JSON, without doubled names. To be ended by etcd_fields_end(). */
void etcd_fields_begin(struct etcd_fields *f, const char *bytes, size_t n, struct arena *arena,
                       char reason[ETCD_REASON_MAX]);
/** @return 0, or what was wrong */
MUST_CHECK int etcd_fields_end(struct etcd_fields *f);
/** The same; if nothing was, @p out becomes @p value, of @p n bytes. */
MUST_CHECK int etcd_fields_give(struct etcd_fields *f, void *out, const void *value, size_t n);
/** Note that @p name is wrong, unless an error is noted already: "kvs[3].key: @p what". */
void etcd_fields_refuse(struct etcd_fields *f, const char *name, const char *what);

/** @p object is the one that has the field; NULL has none. */
const json_t *etcd_fields_object(struct etcd_fields *f, const json_t *object, const char *name);
/** The entries of a list, each of which must be an object; at most @p max. @return how many */
size_t etcd_fields_list(struct etcd_fields *f, const json_t *object, const char *name, size_t max,
                        const json_t **list);
/** Entry @p i of a list; errors that follow name it. */
const json_t *etcd_fields_entry(struct etcd_fields *f, const json_t *list, const char *name,
                                size_t i);
/** An int64: a decimal text or a number; @p least is the smallest that is possible. */
int64_t etcd_fields_int64(struct etcd_fields *f, const json_t *object, const char *name,
                          int64_t least);
uint64_t etcd_fields_uint64(struct etcd_fields *f, const json_t *object, const char *name);
bool etcd_fields_bool(struct etcd_fields *f, const json_t *object, const char *name);
/** A plain text to @p out, whole: one that is longer, or has control characters, is an error. */
void etcd_fields_text(struct etcd_fields *f, const json_t *object, const char *name, char *out,
                      size_t size);
/** The header, which must be there and name a cluster. */
struct etcd_header etcd_fields_header(struct etcd_fields *f, const json_t *object);
/** The same where it may be absent: all 0 then. */
struct etcd_header etcd_fields_some_header(struct etcd_fields *f, const json_t *object);
/** A list's memory in the arena; NULL: there is no entry, or no memory (noted). */
void *etcd_fields_alloc(struct etcd_fields *f, size_t n, size_t size);

/** A key with its value, of an answer or an event. Its revisions are checked by the caller. */
struct etcd_kv etcd_fields_kv(struct etcd_fields *f, const json_t *kv);

#endif
