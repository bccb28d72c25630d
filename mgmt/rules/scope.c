/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Differences are those of the plan, whose paths are an object's and what is below it; names in them are never escaped and
 * need it never. Two of the hash key are in no setting: the key's file, and what is in it.
 */
#include "mgmt/rules/scope.h"

#include <string.h>
#include <strings.h>

#include "mgmt/rules/plan.h"

#define LABEL "label"

/* One item; texts are not ended. */
struct scope_item {
	const char *kind, *name;
	size_t n_kind, n_name;
};

/* Read the item at *@p at, and go on to the next one. @return false: there is none */
static bool next_item(const char **at, struct scope_item *out)
{
	if (!**at)
		return false;
	size_t n = strcspn(*at, ","), n_kind = strcspn(*at, ":,");
	bool has_name = (*at)[n_kind] == ':';

	out->kind = *at;
	out->n_kind = n_kind;
	out->name = *at + n_kind + has_name;
	out->n_name = n - n_kind - has_name;
	*at += n + ((*at)[n] == ',' && (*at)[n + 1]);
	return true;
}

static bool is_text(const char *at, size_t n, const char *text)
{
	return strlen(text) == n && !memcmp(at, text, n);
}

/* The outermost kind. */
static enum object_kind outer_kind(enum object_kind kind)
{
	while (object_row(kind)->parent != OBJECT_NONE)
		kind = object_row(kind)->parent;
	return kind;
}

static bool is_kind(const struct scope_item *item)
{
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++)
		if (outer_kind(kind) == kind &&
		    is_text(item->kind, item->n_kind, object_row(kind)->path))
			return true;
	return false;
}

static bool is_item_name(const char *name, size_t n)
{
	static const char chars[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t good = strspn(name, chars);

	return n > 0 && n < OBJECT_NAME_MAX && (good >= n || (good == n - 1 && name[good] == '*'));
}

/* region=NAME: the one label that there is, as in the body of an operation */
static bool is_label(const struct scope_item *item)
{
	static const char key[] = "region=";
	size_t n = strlen(key);

	return item->n_name > n && !strncmp(item->name, key, n) &&
	       is_item_name(item->name + n, item->n_name - n) &&
	       item->name[item->n_name - 1] != '*';
}

const char *scope_fault(const char *text)
{
	struct scope_item item;
	size_t n = strlen(text);

	if (n >= SCOPE_MAX)
		return "its scope is longer than 511 bytes";
	if (n > 0 && (text[0] == ',' || text[n - 1] == ',' || strstr(text, ",,")))
		return "its scope has an empty item";
	while (next_item(&text, &item)) {
		bool is_labelled = is_text(item.kind, item.n_kind, LABEL);

		if (!is_labelled && !is_kind(&item))
			return "its scope has an item that is not KIND:NAME with sites, nodes, checks, "
			       "pools, vips, services, dns/zones or dns/names, or label:region=NAME";
		if (is_labelled ? !is_label(&item) : !is_item_name(item.name, item.n_name))
			return "its scope has an item whose name is not of letters, digits and . _ -, "
			       "perhaps with * at its end";
	}
	return NULL;
}

/* The outermost object of @p path. */
static struct object_path outer_path(const struct object_path *path)
{
	struct object_path outer = *path;

	outer.kind = outer_kind(path->kind);
	outer.n_names = 1;
	return outer;
}

static bool has_label(const struct scope_item *item, const struct model *m,
                      const struct object_path *outer)
{
	const struct model_site *site =
	        m && outer->kind == OBJECT_SITE ? object_find(m, outer) : NULL;
	const char *value = memchr(item->name, '=', item->n_name);

	return site && value &&
	       is_text(value + 1, item->n_name - (size_t)(value + 1 - item->name), site->region);
}

static bool has_item(const struct scope_item *item, const struct model *m,
                     const struct object_path *outer)
{
	bool is_prefix = item->n_name && item->name[item->n_name - 1] == '*';
	size_t n = item->n_name - is_prefix;

	if (is_text(item->kind, item->n_kind, LABEL))
		return has_label(item, m, outer);
	return is_text(item->kind, item->n_kind, object_row(outer->kind)->path) &&
	       !strncasecmp(outer->names[0], item->name, n) &&
	       (is_prefix || strlen(outer->names[0]) == n);
}

static bool has_object(const char *scope, const struct model *m, const struct object_path *outer)
{
	struct scope_item item;
	bool found = false;

	while (!found && next_item(&scope, &item))
		found = has_item(&item, m, outer);
	return found;
}

bool scope_has(const char *scope, const struct model *from, const struct model *to,
               const struct object_path *path)
{
	const struct object_path outer = outer_path(path);
	bool was = from && object_find(from, &outer), is = to && object_find(to, &outer);

	if (!was && !is)
		return has_object(scope, NULL, &outer);
	return (!was || has_object(scope, from, &outer)) && (!is || has_object(scope, to, &outer));
}

/* The path of the object that the path of a difference is in; false: it is in none. */
static bool object_of(const char *text, struct object_path *out)
{
	const char *behind;

	return !strchr(text, '%') && !object_path_read(text, &behind, out) && !object_is_list(out);
}

static bool is_key_same(const struct model *from, const struct model *to)
{
	return from && !strcmp(from->hash_key_file, to->hash_key_file) &&
	       !memcmp(from->hash_key, to->hash_key, sizeof(from->hash_key));
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
