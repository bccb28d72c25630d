/* SPDX-License-Identifier: BSD-2-Clause */
#include "weir/scope.h"

#include <string.h>
#include <strings.h>

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

/* A name, or how names begin, with '*' behind it. */
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
			       "pools, vips, services, dns/zones, dns/names or gates, or label:region=NAME";
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

bool scope_meets(const char *scope, const struct model *from, const struct model *to,
                 const struct object_path *path)
{
	const struct object_path outer = outer_path(path);

	return has_object(scope, from, &outer) || has_object(scope, to, &outer);
}
