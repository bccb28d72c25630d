/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the builders share. Their lookups rely on two properties of the model's arrays: they are
 * sorted by name, and each structure begins with its name, so that one bsearch(3) serves all of
 * them.
 */
#include "model/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const void *build_find(const void *array, size_t n, size_t size, const char *name)
{
	return n ? bsearch(&name, array, n, size, compare_names) : NULL;
}

uint64_t build_n(const struct item *item, enum schema_id id)
{
	return bind_value(item, id)->n;
}

uint32_t build_n32(const struct item *item, enum schema_id id)
{
	return (uint32_t)build_n(item, id);
}

uint16_t build_n16(const struct item *item, enum schema_id id)
{
	return (uint16_t)build_n(item, id);
}

const char *build_text(const struct model_build *b, const struct item *item, enum schema_id id)
{
	const struct value *v = bind_value(item, id);
	const char *copy = v->text && v->text[0] ? arena_strdup(b->arena, v->text) : NULL;

	return copy ? copy : "";
}

/* For sorting: an item with its name first, as in the model's structures. */
struct named_item {
	const char *name;
	const struct item *item;
};

static int by_name_then_order(const void *a, const void *b)
{
	const struct named_item *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order)
		return order;
	return (x->item->node->order > y->item->node->order) -
	       (x->item->node->order < y->item->node->order);
}

/* The items of @p list sorted by the text of @p name_id, each name once; report duplicates. */
struct sources build_sort(const struct model_build *b, const struct value *list,
                          enum schema_id name_id)
{
	struct arena *scratch = b->bind->arena;
	struct named_item *named = ARENA_ARRAY(scratch, struct named_item, list->count + 1);
	struct sources out = { ARENA_ARRAY(scratch, const struct item *, list->count + 1), 0 };
	size_t n = 0;

	if (!named || !out.items)
		return (struct sources){ NULL, 0 };
	for (uint32_t i = 0; i < list->count; i++)
		if (bind_value(&list->items[i], name_id)->ok)
			named[n++] =
			        (struct named_item){ bind_value(&list->items[i], name_id)->text,
				                     &list->items[i] };
	qsort(named, n, sizeof(*named), by_name_then_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(named[i].name, named[i - 1].name) != 0) {
			out.items[out.n++] = named[i].item;
			continue;
		}
		struct where first = out.items[out.n - 1]->node->at;
		bind_error(b->bind, named[i].item, name_id, "\"%s\" is given twice; first at %s:%u",
		           named[i].name, first.file, first.line);
	}
	return out;
}

/* What is wrong with a reference of row @p id to @p name, which is not in the array. */
static const char *describe_missing(const struct model_build *b, enum schema_id id,
                                    const char *name, const void *array, size_t n, size_t size)
{
	const char *list = strstr(model_schema[id].type, " to ") + strlen(" to "), *text;
	struct suggest_best suggest = { .given = name };
	char suggestion[SUGGEST_TEXT_MAX];

	for (size_t i = 0; i < n; i++)
		suggest_try(&suggest,
		            *(const char *const *)(const void *)((const char *)array + i * size));
	text = arena_printf(b->bind->arena, "there is no \"%s\" in %.*s%s", name,
	                    (int)strcspn(list, "["), list, suggest_text(&suggest, suggestion));
	return text ? text : "";
}

/* Find the thing that @p item's row @p id refers to, and report if there is none. */
const void *build_resolve(const struct model_build *b, const struct item *item, enum schema_id id,
                          const void *array, size_t n, size_t size)
{
	const struct value *v = bind_value(item, id);

	if (!v->ok || !v->node)
		return NULL;
	const void *found = build_find(array, n, size, v->text);
	if (!found)
		bind_error(b->bind, item, id, "%s",
		           describe_missing(b, id, v->text, array, n, size));
	return found;
}

const bool *build_resolve_list(const struct model_build *b, const struct item *item,
                               enum schema_id id, const void *array, size_t n, size_t size)
{
	const struct value *v = bind_value(item, id);
	bool *named = ARENA_ARRAY(b->bind->arena, bool, n + 1);

	for (uint32_t i = 0; named && v->ok && v->node && i < v->count; i++) {
		const char *found = build_find(array, n, size, v->names[i]);
		size_t index = found ? (size_t)(found - (const char *)array) / size : n;

		if (!found)
			bind_entry_error(b->bind, item, id, i, "%s",
			                 describe_missing(b, id, v->names[i], array, n, size));
		else if (named[index])
			bind_entry_error(b->bind, item, id, i, "\"%s\" is given twice",
			                 v->names[i]);
		named[index] = true;
	}
	return named;
}

const struct model_site *build_site(const struct model_build *b, const struct item *item,
                                    enum schema_id id)
{
	return build_resolve(b, item, id, b->model->sites, b->model->n_sites,
	                     sizeof(struct model_site));
}

const struct addr *build_addresses(const struct model_build *b, const struct item *item,
                                   enum schema_id id, size_t *n)
{
	const struct value *v = bind_value(item, id);
	struct addr *out = ARENA_ARRAY(b->arena, struct addr, v->count + 1);

	*n = 0;
	if (!out || !v->ok)
		return out;
	for (uint32_t i = 0; i < v->count; i++)
		out[(*n)++] = v->entries[i].addr;
	return out;
}

const struct model_check *build_check(const struct model_build *b, const struct item *item,
                                      enum schema_id id)
{
	return build_resolve(b, item, id, b->model->checks, b->model->n_checks,
	                     sizeof(struct model_check));
}
