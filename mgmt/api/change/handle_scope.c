/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of configuration is judged under the lock, by the models of what it is made of and of what is in force: what was
 * found before may be another by then. All others name what they touch.
 */
#include "mgmt/api/change/handle_scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_config.h"
#include "mgmt/controller/operation_body.h"
#include "mgmt/files/named.h"
#include "mgmt/rules/plan.h"
#include "mgmt/rules/scope.h"
#include "mgmt/store/command.h"
#include "mgmt/sync/operations.h"
#include "mgmt/sync/shared_files.h"
#include "weir/json.h"

void handle_scope_refuse(json_t *outside, struct http_reply *reply)
{
	if (!outside) {
		http_problem(reply, 503, "busy", "out of memory: nothing was changed; try again");
		reply->retry_s = 1;
		return;
	}
	const char *first = json_string_value(json_array_get(outside, 0));

	http_problem(reply, 403, "out-of-scope",
	             "nothing was changed: the token may not change %.300s%s", first ? first : "it",
	             json_array_size(outside) > 1 ? " and more" : "");
	json_object_set_new(reply->json, "outside", outside);
}

/* A list of one path (taken), given. @return NULL: memory is short */
static json_t *list_one(json_t *path)
{
	json_t *list = json_array();

	if (!json_array_append_new(list, path))
		return list;
	json_decref(list);
	return NULL;
}

bool handle_scope_has_all(const struct http_request *r, const char *what, struct http_reply *reply)
{
	if (r->is_scoped)
		handle_scope_refuse(list_one(json_string(what)), reply);
	return !r->is_scoped;
}

/* The model in force, as long as it is shared. @return NULL: there is none, or memory is short */
static struct intent_shared *share_model(struct core *core, const struct model **m)
{
	core_lock(core);
	struct intent_shared *shared = intent_share(core->intent);
	core_unlock(core);
	*m = shared ? intent_shared_model(shared) : NULL;
	return shared;
}

/* Those of the paths that are outside, each once, given. @return NULL: memory is short */
static json_t *list_paths(const char *scope, const struct model *from, const struct model *to,
                          const struct object_path *paths, size_t n)
{
	json_t *outside = json_array();
	char text[OBJECT_PATH_MAX];

	for (size_t i = 0; i < n && json_array_size(outside) < SCOPE_PATHS; i++)
		if (!scope_has(scope, from, to, &paths[i]) &&
		    !json_lists(outside, object_path_text(&paths[i], text)) &&
		    json_array_append_new(outside, json_string(text))) {
			json_decref(outside);
			return NULL;
		}
	return outside;
}

bool handle_scope_has(struct core *core, const struct http_request *r,
                      const struct object_path *paths, size_t n, struct http_reply *reply)
{
	const struct model *m;

	if (!r->is_scoped)
		return true;
	struct intent_shared *shared = share_model(core, &m);
	json_t *outside = list_paths(r->scope, NULL, m, paths, n);

	intent_unshare(shared);
	if (outside && json_array_size(outside) == 0) {
		json_decref(outside);
		return true;
	}
	handle_scope_refuse(outside, reply);
	return false;
}

/* A name that is none is in no scope: whoever it was for says what is wrong with it. */
static bool make_path(enum object_kind kind, const char *name, struct object_path *out)
{
	return name && !object_path_below(NULL, kind, name, out);
}

/* The object that a command is at, or the override that it names. @return false: it is nothing that there is */
static bool target_path(struct core *core, const struct command *c, struct object_path *out)
{
	struct object_path pool;

	if (!c->id && c->pool && *c->pool)
		return make_path(OBJECT_POOL, c->pool, &pool) &&
		       !object_path_below(&pool, OBJECT_BACKEND, c->name, out);
	if (!c->id)
		return make_path(c->is_node ? OBJECT_NODE : OBJECT_SITE, c->name, out);
	core_lock(core);
	const struct override *o = overrides_find(intent_overrides(core->intent), c->id);
	bool ok = o && make_path(o->target == MODEL_TARGET_BACKEND ? OBJECT_POOL
	                         : o->target == MODEL_TARGET_NODE  ? OBJECT_NODE
	                                                           : OBJECT_SITE,
	                         o->target == MODEL_TARGET_BACKEND ? o->pool : o->name, out);

	core_unlock(core);
	return ok;
}

bool handle_scope_has_target(struct core *core, const struct http_request *r,
                             const struct command *c, struct http_reply *reply)
{
	struct object_path path;

	if (!r->is_scoped)
		return true;
	if (target_path(core, c, &path))
		return handle_scope_has(core, r, &path, 1, reply);
	return handle_scope_has_all(r, "overrides", reply);
}

bool handle_scope_has_pool(struct core *core, const struct http_request *r, const char *pool,
                           struct http_reply *reply)
{
	struct object_path path;

	if (!r->is_scoped)
		return true;
	if (make_path(OBJECT_POOL, pool, &path))
		return handle_scope_has(core, r, &path, 1, reply);
	return handle_scope_has_all(r, "members", reply);
}

/* Add the sites of a label. */
static size_t list_region(struct core *core, const char *region,
                          struct object_path paths[OPERATION_SITES_MAX])
{
	const struct model *m;
	struct intent_shared *shared = share_model(core, &m);
	size_t n = 0;

	for (size_t i = 0; m && i < m->n_sites && n < OPERATION_SITES_MAX; i++)
		n += !strcmp(m->sites[i].region, region) &&
		     make_path(OBJECT_SITE, m->sites[i].name, &paths[n]);
	intent_unshare(shared);
	return n;
}

/* Judge @p n sites; without one all is outside: nothing says what they are. Frees @p paths. */
static bool has_sites(struct core *core, const struct http_request *r, struct object_path *paths,
                      size_t n, struct http_reply *reply)
{
	bool ok = n ? handle_scope_has(core, r, paths, n, reply)
	            : handle_scope_has_all(r, "operations", reply);

	free(paths);
	return ok;
}

bool handle_scope_has_sites(struct core *core, const struct http_request *r,
                            const struct operation_body *body, struct http_reply *reply)
{
	struct object_path *paths;
	size_t n = 0;

	if (!r->is_scoped)
		return true;
	paths = calloc(OPERATION_SITES_MAX, sizeof(*paths));
	if (paths && body->region)
		n = list_region(core, body->region, paths);
	for (size_t i = 0; paths && i < body->n_sites; i++)
		n += make_path(OBJECT_SITE, body->sites[i], &paths[n]);
	return has_sites(core, r, paths, n, reply);
}

bool handle_scope_has_operation(struct core *core, const struct http_request *r, const char *id,
                                struct http_reply *reply)
{
	struct object_path *paths;
	size_t n = 0;

	if (!r->is_scoped)
		return true;
	paths = calloc(OPERATION_TARGETS_MAX, sizeof(*paths));
	core_lock(core);
	const struct operations_item *item = paths ? operations_find(core, id) : NULL;
	for (size_t i = 0; item && i < item->op.n_targets; i++)
		n += make_path(OBJECT_SITE, item->op.targets[i].site, &paths[n]);
	core_unlock(core);
	return has_sites(core, r, paths, n, reply);
}

/* Where files that are outside are listed. */
struct file_search {
	const char *scope;
	json_t *outside;
};

static int note_file(void *arg, const char *name, bool is_named)
{
	struct file_search *s = arg;

	if ((is_named && *s->scope) || json_array_size(s->outside) == SCOPE_PATHS)
		return 0;
	return json_array_append_new(s->outside, json_sprintf("files/%s", name)) ? -ENOMEM : 0;
}

/*
 * The same change, of whose objects @p outside are outside (taken): those of its files that no object shows. A file that nobody
 * names is in no object; in an empty scope is no file. @return given; NULL: memory is short, or a file is not read
 */
static json_t *add_files(json_t *outside, const char *scope, const struct files *from,
                         const struct files *to)
{
	struct file_search s = { scope, outside };

	if (!outside || json_array_size(outside) > 0 ||
	    !named_list_changed(from, to, note_file, &s))
		return outside;
	json_decref(outside);
	return NULL;
}

/* Between the request and the lock another version may have come to wait. */
static bool joins_another(const struct change_request *c, const struct intent_difference *d)
{
	return c->change.pending == INTENT_PENDING_JOIN && d->unconfirmed &&
	       d->unconfirmed != c->joined;
}

/* As intent_change has it. */
static bool may_change(void *arg, const struct intent_difference *d)
{
	struct change_request *c = arg;

	json_decref(c->outside);
	if (joins_another(c, d) || d->ends_elsewhere)
		c->outside = list_one(json_sprintf("versions/%" PRIu64, d->unconfirmed));
	else if (c->paths)
		c->outside = list_paths(c->scope, d->from, d->to, c->paths, c->n_paths);
	else
		c->outside = add_files(scope_list_outside(c->scope, d->from, d->to, d->plan),
		                       c->scope, d->files_from, d->files_to);
	return c->outside && json_array_size(c->outside) == 0;
}

/* A new deadline for what waits to be confirmed, which may be before its own: that is to end it, or to keep it. */
static bool may_join(struct core *core, const struct http_request *r, struct change_request *c,
                     struct http_reply *reply)
{
	struct version waiting;

	core_lock(core);
	c->joined = intent_waiting(core->intent, &waiting) ? waiting.number : 0;
	core_unlock(core);
	return !c->joined || handle_scope_has_version(core, r, c->joined, reply);
}

bool handle_scope_begin(struct core *core, const struct http_request *r, struct change_request *c,
                        struct http_reply *reply)
{
	if (!r->is_scoped)
		return true;
	c->scope = r->scope;
	c->change.may = may_change;
	c->change.may_arg = c;
	/* that is another change, with a difference of its own */
	if (c->change.pending == INTENT_PENDING_CONFIRM)
		return handle_scope_has_all(r, "pending: confirm", reply);
	return c->change.pending != INTENT_PENDING_JOIN || may_join(core, r, c, reply);
}

/* The files of the version that comes back if @p number is not confirmed, and its own. */
static int read_versions(struct core *core, uint64_t number, struct files *before,
                         struct files *after)
{
	struct version back, v;

	core_lock(core);
	int err = intent_last_confirmed(core->intent, &back) ? -ENOENT : 0;
	core_unlock(core);
	if (err)
		return err;
	shared_files_require(core, back.number);
	shared_files_require(core, number);
	core_lock(core);
	err = intent_version(core->intent, back.number, &v, before);
	if (!err)
		err = intent_version(core->intent, number, &v, after);
	core_unlock(core);
	return err;
}

/* A version is judged as its change was. */
static json_t *list_outside(void *arg, const struct model *from, const struct model *to,
                            const struct change_plan *plan)
{
	return scope_list_outside(arg, from, to, plan);
}

bool handle_scope_has_version(struct core *core, const struct http_request *r, uint64_t number,
                              struct http_reply *reply)
{
	struct files before = { 0 }, after = { 0 };
	char scope[SCOPE_MAX];

	if (!r->is_scoped)
		return true;
	memcpy(scope, r->scope, sizeof(scope));
	json_t *outside = read_versions(core, number, &before, &after)
	                          ? NULL
	                          : handle_compare(core, &before, &after, list_outside, scope);
	if (json_is_array(outside))
		outside = add_files(outside, scope, &before, &after);
	files_fini(&before);
	files_fini(&after);
	if (json_is_array(outside) && json_array_size(outside) == 0) {
		json_decref(outside);
		return true;
	}
	if (!json_is_array(outside)) { /* nothing says how a version differs that cannot be read */
		json_decref(outside);
		outside = list_one(json_sprintf("versions/%" PRIu64, number));
	}
	handle_scope_refuse(outside, reply);
	return false;
}
