/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the items of a document to its settings in the model. References rely on two
 * properties of the model's arrays: they are sorted by name, and each structure begins with its
 * name, so that one bsearch(3) serves all of them.
 */
#include "model/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/setting.h"

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const void *build_find(const void *array, size_t n, size_t size, const char *name)
{
	return n ? bsearch(&name, array, n, size, compare_names) : NULL;
}

/* The element of the model's list @p list that has this name, or NULL. */
static const void *find_element(const struct model *m, enum schema_id list, const char *name)
{
	return build_find(setting_element(list, m, 0), setting_count(list, m),
	                  schema()->rows[list].member.size, name);
}

static const char *copy_text(const struct model_build *b, const struct value *v)
{
	const char *copy = v->text && v->text[0] ? arena_strdup(b->arena, v->text) : NULL;

	return copy ? copy : "";
}

const char *build_text(const struct model_build *b, const struct item *item, enum schema_id id)
{
	return copy_text(b, bind_value(item, id));
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
static struct sources sort_items(const struct model_build *b, const struct value *list,
                                 enum schema_id name_id)
{
	struct arena *scratch = b->bind->arena;
	struct named_item *named = ARENA_ARRAY(scratch, struct named_item, list->count + 1);
	struct sources out = { .items =
		                       ARENA_ARRAY(scratch, const struct item *, list->count + 1) };
	size_t n = 0;

	if (!named || !out.items)
		return (struct sources){ 0 };
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

/* What is wrong with a reference of row @p id to @p name, which is not in its list. */
static const char *describe_missing(const struct model_build *b, enum schema_id id,
                                    const char *name)
{
	enum schema_id list = schema()->rows[id].target;
	struct suggest_best suggest = { .given = name };
	char suggestion[SUGGEST_TEXT_MAX];

	/* a near name for each of many thousand errors would take minutes */
	for (size_t i = 0;
	     b->bind->errors->n_items < ERRORS_KEPT && i < setting_count(list, b->model); i++)
		suggest_try(&suggest, *(const char *const *)setting_element(list, b->model, i));
	const char *text =
	        arena_printf(b->bind->arena, "there is no \"%s\" in %s%s", name,
	                     model_schema[list].path, suggest_text(&suggest, suggestion));
	return text ? text : "";
}

const void *build_resolve(const struct model_build *b, const struct item *item, enum schema_id id)
{
	const struct value *v = bind_value(item, id);

	if (!v->ok || !v->node)
		return NULL;
	const void *found = find_element(b->model, schema()->rows[id].target, v->text);
	if (!found)
		bind_error(b->bind, item, id, "%s", describe_missing(b, id, v->text));
	return found;
}

const bool *build_resolve_list(const struct model_build *b, const struct item *item,
                               enum schema_id id)
{
	const struct value *v = bind_value(item, id);
	enum schema_id list = schema()->rows[id].target;
	size_t n = setting_count(list, b->model);
	bool *named = ARENA_ARRAY(b->bind->arena, bool, n + 1);

	for (uint32_t i = 0; named && v->ok && v->node && i < v->count; i++) {
		const char *found = find_element(b->model, list, v->entries[i].name);
		size_t index = n;

		if (found)
			index = (size_t)(found - (const char *)setting_element(list, b->model, 0)) /
			        schema()->rows[list].member.size;
		if (!found)
			bind_entry_error(b->bind, item, id, i, "%s",
			                 describe_missing(b, id, v->entries[i].name));
		else if (named[index])
			bind_entry_error(b->bind, item, id, i, "\"%s\" is given twice",
			                 v->entries[i].name);
		named[index] = true;
	}
	return named;
}

/* Prefixes, or addresses and MAC addresses, which are the first bytes of one. */
static void build_entries(const struct model_build *b, const struct value *v, enum schema_id id,
                          void *of)
{
	size_t size = schema()->rows[id].member.size, n = v->ok ? v->count : 0;
	char *out = arena_alloc(b->arena, v->count + 1, size);

	for (size_t i = 0; out && i < n; i++)
		memcpy(out + i * size, &v->entries[i].prefix, size);
	setting_set_list(id, of, out, out ? n : 0);
}

/* A group that is not there has no values: its numbers stay 0. */
static void build_setting(const struct model_build *b, const struct item *item, enum schema_id id,
                          void *of)
{
	static const struct value none;
	const struct value *v = item ? bind_value(item, id) : &none;
	const struct schema_row *row = &schema()->rows[id];

	switch (row->kind) {
	case KIND_GROUP:
		build_settings(b, v->items, id, of);
		break;
	case KIND_ADDRESS:
		memcpy((char *)of + row->member.offset, &v->prefix.addr, row->member.size);
		break;
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
		build_entries(b, v, id, of);
		break;
	case KIND_REFERENCE:
		setting_set_pointer(id, of, item ? build_resolve(b, item, id) : NULL);
		break;
	case KIND_DURATION: /* bound in milliseconds, but DNS has seconds */
		setting_set_number(id, of, v->n / (strcmp(model_schema[id].unit, "s") ? 1 : 1000));
		break;
	default:
		if (setting_is_number(id))
			setting_set_number(id, of, v->n);
		else
			setting_set_pointer(id, of, copy_text(b, v));
	}
}

void build_settings(const struct model_build *b, const struct item *item, enum schema_id group,
                    void *of)
{
	const struct schema_row *rows = schema()->rows;

	for (enum schema_id id = rows[group].first_child; id != SCHEMA_COUNT; id = rows[id].next)
		if (rows[id].kind == KIND_GROUP ||
		    (rows[id].member.size && rows[id].kind != KIND_GROUPS &&
		     rows[id].kind != KIND_REFERENCES))
			build_setting(b, item, id, of);
}

/* The items of @p list as they stand in the document. */
static struct sources list_items(const struct model_build *b, const struct value *list)
{
	struct sources out = { .items = ARENA_ARRAY(b->bind->arena, const struct item *,
		                                    list->count + 1) };

	for (; out.items && out.n < list->count; out.n++)
		out.items[out.n] = &list->items[out.n];
	return out;
}

static bool is_name(enum schema_kind kind)
{
	return kind == KIND_NAME || kind == KIND_DOMAIN || kind == KIND_TEXT;
}

struct sources build_list(const struct model_build *b, const struct item *item, enum schema_id id,
                          void *of)
{
	const struct value *list = bind_value(item, id);
	const struct schema_row *rows = schema()->rows;
	enum schema_id first = rows[id].first_child;
	struct sources from =
	        is_name(rows[first].kind) ? sort_items(b, list, first) : list_items(b, list);

	from.elements = arena_alloc(b->arena, from.n + 1, rows[id].member.size);
	if (!from.elements)
		return (struct sources){ 0 };
	for (size_t i = 0; i < from.n; i++)
		build_settings(b, from.items[i], id,
		               (char *)from.elements + i * rows[id].member.size);
	setting_set_list(id, of, from.elements, from.n);
	return from;
}
