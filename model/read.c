/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading documents: scan, bind, build, check. Each stage goes on after errors as far as it can,
 * and a model is returned only if none of them found any.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/proc.h"
#include "model/build.h"
#include "model/scan.h"

/*
 * Bytes that reading may take: a document must not take all memory. Anybody who may ask for a check sends a
 * configuration; the largest good ones take 220 MiB. Only weir-mgmt writes effective documents, of configurations that
 * passed. Tree and bound values (scratch) are larger than the model.
 */
#define CONFIG_ARENA_LIMIT      ((size_t)256 << 20)
#define CONFIG_SCRATCH_LIMIT    ((size_t)320 << 20)
#define EFFECTIVE_ARENA_LIMIT   ((size_t)1 << 30)
#define EFFECTIVE_SCRATCH_LIMIT ((size_t)2 << 30)

/* What reading one document needs. */
struct reading {
	const char *path; /* of the document; NULL: text */
	const char *text;
	size_t n_text;
	const char *name;         /* of a text, in error messages */
	const char *dir;          /* absolute; NULL: an effective document */
	const char *key_dir;      /* absolute; where the cluster's key is; NULL as dir */
	const char *key_expected; /* NULL: any */
	const char *node;         /* NULL: any */
	bool keyless;             /* leave the cluster's key alone */
	bool remains;             /* of a document that is refused: model_read_remains() */
};

/* The node is not in the document: report which ones are. */
static void add_unknown_node(const struct model *m, const struct reading *r, const char *file,
                             struct model_errors *errors)
{
	char names[512] = "", suggestion[SUGGEST_TEXT_MAX];
	struct suggest_best suggest = { .given = r->node };
	size_t used = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		suggest_try(&suggest, m->nodes[i].name);
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
			                         i ? ", " : "", m->nodes[i].name);
	}
	errors_add(errors, (struct where){ file, 0 }, "nodes",
	           "there is no node \"%s\"; the nodes are: %s%s", r->node, names,
	           suggest_text(&suggest, suggestion));
}

/* Whether a setting below the list @p name has an error, as far as errors are kept. */
static bool has_error_in(const struct model_errors *errors, const char *name)
{
	bool found = errors->n_total > errors->n_items;

	for (size_t i = 0; i < errors->n_items; i++)
		found |= strncmp(errors->items[i].field, name, strlen(name)) == 0;
	return found;
}

/* Errors of all stages are collected before the reading fails, so that one run shows them all. */
static int build_from_items(const struct reading *r, const struct bind *bind,
                            const struct item *top, struct model *m)
{
	struct model_build b = { .bind = bind,
		                 .top = top,
		                 .dir = r->dir,
		                 .key_dir = r->key_dir,
		                 .key_expected = r->key_expected,
		                 .keyless = r->keyless,
		                 .model = m,
		                 .arena = m->arena };
	int err = r->remains ? build_remains(&b) : build_model(&b);

	if (err)
		return err;
	if (r->remains) {
		if (has_error_in(bind->errors, "overrides"))
			m->n_overrides = 0;
		return 0;
	}
	check_model(&b);
	if (r->node) {
		m->self = model_node(m, r->node);
		if (!m->self && m->n_nodes)
			add_unknown_node(m, r, r->path ? r->path : r->name, bind->errors);
	}
	return arena_failed(m->arena) || arena_failed(bind->arena) ? -ENOMEM : 0;
}

/* Read into @p m with @p scratch for all that the model does not keep. */
static int read_into(const struct reading *r, struct arena *scratch, struct model *m,
                     struct model_errors *errors)
{
	struct document_scan scan = { .arena = scratch,
		                      .errors = errors,
		                      .dir = r->dir,
		                      .max = r->dir ? scan_config_limits : scan_effective_limits };
	int err =
	        r->path ? scan_file(&scan, r->path) : scan_text(&scan, r->text, r->n_text, r->name);

	if (!err) {
		const struct bind bind = { .errors = errors,
			                   .arena = scratch,
			                   .effective = !r->dir };
		const struct item *item = scan.top ? bind_document(&bind, scan.top) : NULL;

		if (item)
			err = build_from_items(r, &bind, item, m);
		else
			err = errors->n_total ? -EINVAL : -ENOMEM;
	}
	return err;
}

/* The scratch arena holds tree and bound values; it is freed here, and only the model stays. */
static int read_model_document(const struct reading *r, struct model **out,
                               struct model_errors *errors)
{
	int err = errors_init(errors);
	struct arena *scratch =
	        err ? NULL : arena_new(r->dir ? CONFIG_SCRATCH_LIMIT : EFFECTIVE_SCRATCH_LIMIT);
	struct arena *arena =
	        scratch ? arena_new(r->dir ? CONFIG_ARENA_LIMIT : EFFECTIVE_ARENA_LIMIT) : NULL;
	struct model *m = arena ? ARENA_ARRAY(arena, struct model, 1) : NULL;

	if (m) {
		m->arena = arena;
		err = read_into(r, scratch, m, errors);
	}
	/* Errors that were found without memory, or room, may be none at all. */
	bool too_large = m && (arena_is_full(scratch) || arena_is_full(arena));
	if (!m || arena_failed(scratch) || arena_failed(arena) || arena_failed(errors->arena))
		err = too_large ? -EINVAL : -ENOMEM;
	if (!err && errors->n_total > 0 && !r->remains)
		err = -EINVAL;
	arena_free(scratch);
	if (err) {
		if (err == -ENOMEM)
			errors_set_no_memory(errors);
		if (too_large)
			errors_set_too_large(errors);
		errors_sort(errors);
		arena_free(arena);
		return err;
	}
	*out = m;
	return 0;
}

/* The absolute directory of @p path. @return 0 or -errno */
static int directory_of(const char *path, char dir[PATH_MAX])
{
	char copy[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int n = slash ? snprintf(copy, sizeof(copy), "%.*s", (int)(slash - path + 1), path)
	              : snprintf(copy, sizeof(copy), ".");

	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	return realpath(copy, dir) ? 0 : -errno;
}

/*
 * Read the operator's file of @p r, with its key below @p key_dir; NULL: below its own directory.
 */
static int read_operator_file(struct reading *r, const char *key_dir, struct model **out,
                              struct model_errors *errors)
{
	char dir[PATH_MAX], real_key_dir[PATH_MAX];
	int err = directory_of(r->path, dir);

	r->dir = r->key_dir = dir;
	if (!err && key_dir) {
		r->key_dir = real_key_dir;
		err = realpath(key_dir, real_key_dir) ? 0 : -errno;
	}
	if (err) {
		if (errors_init(errors) == 0)
			errors_add(errors, (struct where){ r->path, 0 }, "",
			           "its directory cannot be opened: %s", strerror(-err));
		return err;
	}
	return read_model_document(r, out, errors);
}

int model_read_config(const char *path, const char *node, struct model **out,
                      struct model_errors *errors)
{
	return model_read_laid_out(path, NULL, NULL, node, out, errors);
}

int model_read_laid_out(const char *path, const char *key_dir, const char *key_expected,
                        const char *node, struct model **out, struct model_errors *errors)
{
	struct reading r = { .path = path, .key_expected = key_expected, .node = node };

	return read_operator_file(&r, key_dir, out, errors);
}

int model_read_config_without_key(const char *path, const char *node, struct model **out,
                                  struct model_errors *errors)
{
	struct reading r = { .path = path, .node = node, .keyless = true };

	return read_operator_file(&r, NULL, out, errors);
}

int model_read_text(const char *text, size_t n, const char *name, const char *dir, const char *node,
                    struct model **out, struct model_errors *errors)
{
	char real_dir[PATH_MAX];
	struct reading r = { .text = text,
		             .n_text = n,
		             .name = name,
		             .dir = real_dir,
		             .key_dir = real_dir,
		             .node = node };

	if (!realpath(dir, real_dir)) {
		int err = -errno;

		if (errors_init(errors) == 0)
			errors_add(errors, (struct where){ dir, 0 }, "", "%s", strerror(-err));
		return err;
	}
	return read_model_document(&r, out, errors);
}

int model_read_effective(const char *path, const char *node, struct model **out,
                         struct model_errors *errors)
{
	char good[PATH_MAX];
	struct reading r = { .path = proc_document(path, good), .node = node };

	return read_model_document(&r, out, errors);
}

int model_read_remains(const char *path, struct model **out)
{
	struct model_errors errors = { 0 };
	struct reading r = { .path = path, .remains = true };
	int err = read_model_document(&r, out, &errors);

	model_errors_free(&errors);
	return err;
}

int model_read_without_key(const char *path, const char *node, struct model **out,
                           struct model_errors *errors)
{
	char good[PATH_MAX];
	struct reading r = { .path = proc_document(path, good), .node = node, .keyless = true };

	return read_model_document(&r, out, errors);
}
