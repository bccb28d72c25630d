/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Objects: the named things of a configuration, as the API has them (docs/api.md, Objects). A path names one or a
 * list of them; its JSON is its settings by the rows of the schema (model/schema.h), and so is its JSON Schema. A new
 * setting is a row there and nothing here.
 *
 * Implemented in model/object.c (kinds, paths, look-up), object_json.c (JSON, ETag) and object_schema.c. Pure
 * functions: any thread may call them; a model and what is in it are borrowed.
 */
#ifndef WEIR_OBJECT_H
#define WEIR_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "weir/model.h"

/*
 * X(kind, row, path, parent, word): the row of its list in the schema, SCHEMA_row; the path of its list below /v1, with
 * {} for the name of the object around it; the kind of that object, or NONE; what people call one. The first setting of
 * its group is its key: the name, or the site of a service's `at`. A kind stands after its parent.
 */
#define OBJECT_KINDS(X)                                                                            \
	X(SITE, SITES, "sites", NONE, "site")                                                      \
	X(NODE, NODES, "nodes", NONE, "node")                                                      \
	X(CHECK, CHECKS, "checks", NONE, "check")                                                  \
	X(POOL, POOLS, "pools", NONE, "pool")                                                      \
	X(BACKEND, POOLS_BACKENDS, "pools/{}/backends", POOL, "backend")                           \
	X(VIP, VIPS, "vips", NONE, "VIP")                                                          \
	X(SERVICE, SERVICES, "services", NONE, "service")                                          \
	X(AT, SERVICES_AT, "services/{}/at", SERVICE, "site of a service")                         \
	X(ZONE, DNS_ZONES, "dns/zones", NONE, "zone")                                              \
	X(DNS_NAME, DNS_NAMES, "dns/names", NONE, "DNS name")                                      \
	X(GATE, GATES, "gates", NONE, "gate")

#define OBJECT_KIND(kind, ...) OBJECT_##kind,
enum object_kind { OBJECT_KINDS(OBJECT_KIND) OBJECT_NONE };
#undef OBJECT_KIND

#define OBJECT_DEPTH_MAX 2u   /**< names in a path */
#define OBJECT_NAME_MAX  256u /**< bytes of a name, with the NUL: a domain has 253 */
#define OBJECT_PATH_MAX                                                                            \
	1600u /**< bytes of a path as text, with the NUL: each byte of its names may be escaped */
#define OBJECT_ETAG_MAX 19u /**< bytes of an ETag with its quotes and the NUL */

/** What is the same for all objects of a kind. */
struct object_row {
	enum object_kind parent; /**< OBJECT_NONE: it is at the top */
	unsigned list;           /**< enum schema_id of its list; model/schema.h says more of it */
	unsigned depth;          /**< names in the path of one: 1, or 2 with a parent */
	const char *path;        /**< of its list, "pools/{}/backends" */
	const char *key;         /**< the setting that is its name: "name", "site" */
	const char *word;        /**< "backend" */
};
/** The row of @p kind, which is not OBJECT_NONE. */
const struct object_row *object_row(enum object_kind kind);

/**
 * One object, with as many names as its kind is deep, or a list of a kind, with one name less. Names are as the model has
 * them: domains in lower case, without the final dot.
 */
struct object_path {
	enum object_kind kind;
	unsigned n_names; /**< the object around it comes first */
	char names[OBJECT_DEPTH_MAX][OBJECT_NAME_MAX];
};

/** Whether @p path is that of a list. */
bool object_is_list(const struct object_path *path);
/**
 * Read a path as the API has it, without "/v1/": "pools/web/backends/b1", "pools". Names are percent-decoded once
 * (RFC 3986, 2.1), so "%2F" in a name is a slash of that name, and no such object exists.
 * @param behind  where the path goes on behind the object, "check" of "pools/web/check", or "" (borrowed of @p text);
 *              NULL: it may not go on
 * @return 0; -ENOENT: it is no path of an object or list; -EINVAL: a name is empty, too long or badly escaped
 */
MUST_CHECK int object_path_read(const char *text, const char **behind, struct object_path *out);
/** The path as object_path_read() reads it; what is not of [A-Za-z0-9._~-] in a name is escaped. @return @p out */
const char *object_path_text(const struct object_path *path, char out[OBJECT_PATH_MAX]);
/** Make @p path that of the object @p name of @p kind in @p parent (NULL: at the top). @return -EINVAL: it is empty or too long */
MUST_CHECK int object_path_below(const struct object_path *parent, enum object_kind kind,
                                 const char *name, struct object_path *out);
/** Whether a configuration that gives @p given as the key of a @p kind means the object @p name of a path. */
bool object_is_named(enum object_kind kind, const char *given, const char *name);

/** The object at @p path in the model, a struct of weir/model.h; NULL: there is none. */
const void *object_find(const struct model *m, const struct object_path *path);
/**
 * What has the list of @p path, or that @p path is in: the object around it, or @p m itself at the top. NULL: the object
 * does not exist.
 */
const void *object_find_around(const struct model *m, const struct object_path *path);
/** How many objects the list at @p path has; 0 as well when the object around it does not exist. */
size_t object_count(const struct model *m, const struct object_path *path);
/** The path of object @p i of the list at @p path, of as many as object_count() says. Lists are in the model's order. */
void object_path_at(const struct model *m, const struct object_path *path, size_t i,
                    struct object_path *out);

/**
 * An object as GET shows it, given: its settings in the order of the schema's rows, defaults resolved; what is empty and
 * optional (mark O) is left out, and what only effective documents have. A pool has its backends, a service its `at`.
 * @return NULL: there is no such object, or memory is short
 */
json_t *object_json(const struct model *m, const struct object_path *path);
/** The same of object @p i of the list at @p path, of as many as object_count() says. @return NULL: memory is short */
json_t *object_json_at(const struct model *m, const struct object_path *path, size_t i);
/**
 * The strong ETag of an object or list as GET shows it: 16 hexadecimal digits of SHA-256 over its canonical JSON (members
 * sorted, no blanks), in quotes. @return 0 or -ENOMEM; @p out is "" then
 */
MUST_CHECK int object_etag(const json_t *json, char out[OBJECT_ETAG_MAX]);
/**
 * JSON Schema (2020-12) of an object of @p kind, given: for what GET gives and for what PUT takes. The key may be missing,
 * as the path has it; within lists of the object it may not.
 * @return NULL: memory is short
 */
json_t *object_schema(enum object_kind kind);

#endif
