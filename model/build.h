/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From bound items to the model (build.c; what its rows say: build_settings.c), and what must hold
 * between its parts (check.c).
 *
 * Both go on after errors, so that all are reported at once: a pointer may be NULL where its
 * reference was wrong. Called by the thread that reads a document; no state of their own.
 */
#ifndef WEIR_MODEL_BUILD_H
#define WEIR_MODEL_BUILD_H

#include "base/checked.h"
#include "model/bind.h"

/** The items that became a model array's elements, in the same order. */
struct sources {
	const struct item **items;
	size_t n;
	void *elements; /**< of the model, for what their settings alone do not say */
};

struct model_build {
	const struct bind *bind;
	const struct item *top;
	const char *dir;     /**< absolute; relative paths are below it; NULL: only absolute ones */
	const char *key_dir; /**< the same for the cluster's key */
	const char *key_expected; /**< fingerprint that the key must have; NULL or "": any */
	bool keyless;             /**< the key file is not read */
	struct model *model;
	struct arena *arena; /**< the model's */
	struct sources sites, nodes, checks, pools, vips, services, zones, names, gates;
	/** each pool's backends by their identity, in the order of the pools; an entry is NULL when out of memory */
	const struct model_backend ***by_id;
};

/** Fill @p b->model from @p b->top. Errors go to the binding's collection. @return 0 or -ENOMEM */
MUST_CHECK int build_model(struct model_build *b);
/** The same for the document's origin and overrides alone. */
MUST_CHECK int build_remains(struct model_build *b);
/** Check what must hold between the parts (check.c). */
void check_model(const struct model_build *b);

/**
 * Set the settings of @p group and its subgroups in @p of (model/setting.h), except lists of groups
 * or of references.
 * @param item  NULL: the group is not there, and texts are ""
 */
void build_settings(const struct model_build *b, const struct item *item, enum schema_id group,
                    void *of);
/**
 * Make the array of a list of groups in @p of, each element with its settings. It is sorted by name
 * if that is the first setting of each; each name is there once then, and duplicates are reported.
 * @return n is 0 when out of memory
 */
struct sources build_list(const struct model_build *b, const struct item *item, enum schema_id id,
                          void *of);
/** The text of a row, copied into the model; never NULL. */
const char *build_text(const struct model_build *b, const struct item *item, enum schema_id id);
/** Find what a row refers to in the model's list; reported if there is none. @return NULL then */
const void *build_resolve(const struct model_build *b, const struct item *item, enum schema_id id);
/**
 * Find what the entries of a list of references refer to, as build_resolve() does for one; names
 * that are given twice are reported. @return one flag for each element of the list that they refer
 * to: whether it is named; NULL when out of memory
 */
const bool *build_resolve_list(const struct model_build *b, const struct item *item,
                               enum schema_id id);

/** How a service's VIPs are checked; its protocol and sites are known. */
void build_vip_check(const struct model_build *b, const struct item *item,
                     struct model_service *service);

/**
 * Find by name in an array, sorted by it, of structures that begin with their name. @return NULL
 * when there is none
 */
const void *build_find(const void *array, size_t n, size_t size, const char *name);

#endif
