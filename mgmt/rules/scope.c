/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Differences are those of the plan, whose paths are an object's and what is below it; names in them are never escaped and
 * need it never. Two of the hash key are in no setting: the key's file, and what is in it.
 */
#include "mgmt/rules/scope.h"

#include <string.h>

#include "mgmt/rules/plan.h"
#include "weir/scope.h"

/* The path of the object that the path of a difference is in; false: it is in none. */
static bool object_of(const char *text, struct object_path *out)
{
	const char *behind;

	return !strchr(text, '%') && !object_path_read(text, &behind, out) && !object_is_list(out);
}

/* Another key moves every flow, whatever a scope has. A first version has a key that none had before. */
static bool is_key_same(const struct model *from, const struct model *to)
{
	return from && !strcmp(from->hash_key_file, to->hash_key_file) &&
	       model_has_same_key(from, to);
}

/* What is looked for. */
struct scope_search {
	const char *scope;
	const struct model *from, *to;
	json_t *outside;
	bool failed;
};

/* Note what a difference touches, if it is outside. @param path  of an object; NULL: it is in none */
static void note_outside(struct scope_search *s, const struct object_path *path, const char *text)
{
	if (json_array_size(s->outside) < SCOPE_PATHS &&
	    (!path || !scope_has(s->scope, s->from, s->to, path)))
		s->failed |= json_array_append_new(s->outside, json_string(text)) != 0;
}

static void list_touched(struct scope_search *s, const struct change_plan *plan)
{
	char last[OBJECT_DEPTH_MAX + 1][OBJECT_PATH_MAX] = { "" }, text[OBJECT_PATH_MAX];
	struct object_path path;

	if (!is_key_same(s->from, s->to))
		note_outside(s, NULL, "cluster/hash_key_file");
	for (size_t i = 0; i < plan->n_changes; i++) {
		const char *changed = plan->changes[i].path;

		if (!object_of(changed, &path)) {
			note_outside(s, NULL, changed);
			continue;
		}
		object_path_text(&path, text);
		if (!strcmp(last[path.n_names], text)) /* fields of objects follow one another */
			continue;
		memcpy(last[path.n_names], text, sizeof(text));
		note_outside(s, &path, text);
	}
}

json_t *scope_list_outside(const char *scope, const struct model *from, const struct model *to,
                           const struct change_plan *plan)
{
	struct scope_search s = { scope, from, to, json_array(), false };

	if (s.outside)
		list_touched(&s, plan);
	if (!s.failed)
		return s.outside;
	json_decref(s.outside);
	return NULL;
}

bool scope_catches(const char *scope, const struct model *from, const struct model *to,
                   const struct change_plan *plan)
{
	struct object_path path;
	bool found = !*scope || !is_key_same(from, to);

	for (size_t i = 0; i < plan->n_changes && !found; i++)
		found = !object_of(plan->changes[i].path, &path) ||
		        scope_meets(scope, from, to, &path);
	return found;
}
