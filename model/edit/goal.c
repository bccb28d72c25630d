/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The goal: what the document is to be. It begins as the text's tree, and only what an edit looks into is copied, so
 * that it costs what is touched. The elements of a list are found by their keys in a hash table; keys that collide
 * on purpose make it a list, no worse.
 *
 * A value that is given here has been checked (given.c), so its types are those of its rows.
 */
#include "model/edit/internal.h"

#include <string.h>

#include "base/hash.h"
#include "model/quantity.h"

static const struct schema_row *row_of(enum schema_id id)
{
	return &schema()->rows[id];
}

static bool is_known(enum schema_id id)
{
	return id < SCHEMA_COUNT;
}

bool goal_is_unordered(enum schema_id id)
{
	const struct schema_row *row = row_of(id);

	if (row->kind == KIND_GROUPS) {
		enum schema_kind key = row_of(row->first_child)->kind;

		return key == KIND_NAME || key == KIND_DOMAIN;
	}
	return row->kind == KIND_REFERENCES || row->kind == KIND_PREFIXES;
}

static struct goal *new_goal(struct edit_work *w, struct goal *parent, enum schema_id row,
                             enum tree_kind kind)
{
	struct goal *d = ARENA_ARRAY(w->arena, struct goal, 1);

	if (!d)
		return NULL;
	*d = (struct goal){ .row = row, .kind = kind, .parent = parent };
	if (parent && parent->last)
		parent->last->next = d;
	else if (parent)
		parent->children = d;
	if (parent)
		parent->last = d;
	return d;
}

static void mark_touched(struct goal *d)
{
	for (; d && !d->touched; d = d->parent)
		d->touched = true;
}

/* A new child, with nothing in it. */
static struct goal *add_goal(struct edit_work *w, struct goal *parent, enum schema_id row,
                             enum tree_kind kind)
{
	struct goal *d = new_goal(w, parent, row, kind);

	if (!d)
		return NULL;
	d->opened = true;
	if (parent->kind == TREE_GROUP)
		d->name = row_of(row)->name;
	mark_touched(d);
	return d;
}

/* The key of an element, or an entry itself. @return NULL: it has none */
static const char *key_of(const struct goal *d, char out[EDIT_KEY_MAX])
{
	enum schema_id key = row_of(d->row)->first_child;
	const char *text = NULL;

	if (d->kind == TREE_TEXT)
		return edit_entry_key(d->row, d->text, out);
	if (d->kind != TREE_GROUP || !is_known(key))
		return NULL;
	if (d->opened) {
		for (const struct goal *c = d->children; c && !text; c = c->next)
			if (c->row == key && !c->removed && c->kind == TREE_TEXT)
				text = c->text;
	} else {
		for (const struct tree *c = d->origin->children; c && !text; c = c->next)
			if (c->kind == TREE_TEXT && !strcmp(c->name, row_of(key)->name))
				text = c->text;
	}
	return text ? edit_entry_key(key, text, out) : NULL;
}

static struct goal **bucket_of(const struct goal *list, const char *key)
{
	return &list->buckets[hash_text(key) & (list->n_buckets - 1)];
}

static void chain_child(const struct goal *list, struct goal *child)
{
	char text[EDIT_KEY_MAX];
	const char *key = key_of(child, text);

	if (!key || !list->buckets)
		return;
	child->chain = *bucket_of(list, key);
	*bucket_of(list, key) = child;
}

/* Have a list's children found by their keys, with room for as many again. */
static void index_children(struct edit_work *w, struct goal *list)
{
	size_t room = 16, n = 0;

	for (struct goal *d = list->children; d; d = d->next)
		n++;
	while (room < 2 * n)
		room *= 2;
	list->n_buckets = room;
	list->n_indexed = n;
	list->buckets = ARENA_ARRAY(w->arena, struct goal *, room);
	for (struct goal *d = list->children; d; d = d->next)
		chain_child(list, d);
}

/* The same for a new child, which is there already. */
static void index_child(struct edit_work *w, struct goal *list, struct goal *child)
{
	if (list->n_indexed++ >= list->n_buckets)
		index_children(w, list);
	else
		chain_child(list, child);
}

void goal_open(struct edit_work *w, struct goal *d)
{
	if (d->opened)
		return;
	d->opened = true;
	for (const struct tree *c = d->origin->children; c; c = c->next) {
		enum schema_id row = d->row;

		if (d->kind == TREE_GROUP)
			row = schema_find(d->row, c->name);
		struct goal *child = new_goal(w, d, row, c->kind);
		if (!child)
			return;
		child->origin = c;
		child->name = c->name;
		child->text = c->text;
		child->integer = c->integer;
	}
	if (d->kind == TREE_LIST && is_known(d->row))
		index_children(w, d);
}

/* The child of @p list with @p key that is not of put @p put. Two objects of one name are refused. */
static struct goal *find_keyed(struct edit_work *w, struct goal *list, const char *key,
                               uint32_t put)
{
	bool is_group = row_of(list->row)->kind == KIND_GROUPS;
	struct goal *found = NULL;
	char text[EDIT_KEY_MAX];

	goal_open(w, list);
	if (!list->buckets)
		index_children(w, list);
	if (!list->buckets)
		return NULL;
	for (struct goal *d = *bucket_of(list, key); d; d = d->chain) {
		const char *own = d->removed || d->put == put ? NULL : key_of(d, text);

		if (!own || strcmp(own, key) != 0)
			continue;
		if (found && found->origin && is_group)
			edit_refuse_token(w, found->origin->first_token,
			                  "there are two of this name");
		found = d;
	}
	return found;
}

struct goal *goal_child(struct edit_work *w, struct goal *group, enum schema_id id)
{
	struct goal *d;

	if (group->kind != TREE_GROUP)
		return NULL;
	goal_open(w, group);
	d = group->children;
	while (d && (d->row != id || d->removed))
		d = d->next;
	return d;
}

static enum tree_kind kind_of_row(enum schema_id id)
{
	switch (row_of(id)->kind) {
	case KIND_GROUP:
		return TREE_GROUP;
	case KIND_GROUPS:
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		return TREE_LIST;
	case KIND_INTEGER:
		return TREE_INTEGER;
	case KIND_BOOLEAN:
		return TREE_BOOLEAN;
	default:
		return TREE_TEXT;
	}
}

/* The list of row @p id below @p around; @p make: also where the text has none. */
static struct goal *find_list(struct edit_work *w, struct goal *around, enum schema_id id,
                              bool make)
{
	enum schema_id parent = row_of(id)->parent;

	if (parent != around->row)
		around = find_list(w, around, parent, make);
	if (!around)
		return NULL;
	struct goal *d = goal_child(w, around, id);
	if (!d && make)
		d = add_goal(w, around, id, kind_of_row(id));
	if (d && d->kind != kind_of_row(id)) {
		edit_refuse_token(w, d->origin->first_token, "this is no list of objects");
		return NULL;
	}
	return d;
}

static struct goal *list_of(struct edit_work *w, const struct object_path *path,
                            enum object_kind kind, bool make)
{
	const struct object_row *row = object_row(kind);
	struct goal *around =
	        row->parent == OBJECT_NONE ? w->top : goal_object(w, path, row->parent);

	return around ? find_list(w, around, (enum schema_id)row->list, make) : NULL;
}

struct goal *goal_object(struct edit_work *w, const struct object_path *path, enum object_kind kind)
{
	const struct object_row *row = object_row(kind);
	struct goal *list = list_of(w, path, kind, false);
	enum schema_id key = row_of((enum schema_id)row->list)->first_child;
	char text[EDIT_KEY_MAX];

	return list ? find_keyed(w, list, edit_entry_key(key, path->names[row->depth - 1], text),
	                         UINT32_MAX)
	            : NULL;
}

static void remove_goal(struct goal *d)
{
	d->removed = true;
	mark_touched(d);
}

static void set_scalar(struct goal *d, const json_t *given)
{
	d->changed = true;
	d->text = json_string_value(given);
	d->integer = json_is_boolean(given) ? json_is_true(given) : json_integer_value(given);
	mark_touched(d);
}

/* Put the children of @p list in the order of @p order, which are all that stay. */
static void order_children(struct goal *list, struct goal **order, size_t n)
{
	struct goal **end = &list->children, *gone = NULL, **end_gone = &gone, *next;

	for (struct goal *d = list->children; d; d = next) {
		next = d->next;
		if (d->removed) {
			*end_gone = d;
			end_gone = &d->next;
		}
	}
	*end_gone = NULL;
	list->last = NULL;
	for (size_t i = 0; i < n; i++) {
		*end = list->last = order[i];
		end = &order[i]->next;
	}
	*end = gone;
	for (struct goal *d = gone; d; d = d->next)
		list->last = d;
}

static void remove_others(struct goal *list, uint32_t put)
{
	for (struct goal *d = list->children; d; d = d->next)
		if (!d->removed && d->put != put)
			remove_goal(d);
}

static void put_members(struct edit_work *w, struct goal *group, const json_t *given,
                        const json_t *current, enum edit_how how);

/* What JSON has for an element's key. */
static const char *key_of_json(enum schema_id list, const json_t *element, char out[EDIT_KEY_MAX])
{
	enum schema_id key = row_of(list)->first_child;
	const char *text = json_string_value(json_object_get(element, row_of(key)->name));

	return text ? edit_entry_key(key, text, out) : NULL;
}

/* Element of @p current with the key of @p element; the same index is looked at first. */
static const json_t *current_element(enum schema_id list, const json_t *current,
                                     const json_t *element, size_t i)
{
	const char *key = row_of(row_of(list)->first_child)->name;
	const json_t *same = json_array_get(current, i);

	return json_equal(json_object_get(same, key), json_object_get(element, key)) ? same : NULL;
}

/* One element or entry of a list that is put: the one with its key, or a new one. */
static struct goal *put_element(struct edit_work *w, struct goal *list, uint32_t put,
                                const json_t *given, const json_t *current)
{
	bool is_group = json_is_object(given);
	char text[EDIT_KEY_MAX];
	const char *key = is_group ? key_of_json(list->row, given, text)
	                           : edit_entry_key(list->row, json_string_value(given), text);
	struct goal *d = key ? find_keyed(w, list, key, put) : NULL;

	if (!d) {
		d = add_goal(w, list, list->row, is_group ? TREE_GROUP : TREE_TEXT);
		if (d && !is_group)
			d->text = json_string_value(given);
		if (d && is_group)
			put_members(w, d, given, NULL, EDIT_PUT);
		if (d)
			index_child(w, list, d);
	} else if (is_group) {
		put_members(w, d, given, current, EDIT_PUT);
	}
	return d;
}

/* A new entry takes the place of one that goes, so that what is around it stays. */
static void replace_entries(struct goal *list, struct goal **order, size_t n)
{
	struct goal *gone = list->children;

	for (size_t i = 0; i < n; i++) {
		if (order[i]->origin)
			continue;
		while (gone && (!gone->removed || !gone->origin))
			gone = gone->next;
		if (!gone)
			return;
		gone->removed = false;
		gone->changed = true;
		gone->text = order[i]->text;
		remove_goal(order[i]);
		order[i] = gone;
		list->buckets = NULL; /* it is found by another key now */
	}
}

static void put_list(struct edit_work *w, struct goal *list, const json_t *given,
                     const json_t *current)
{
	size_t n = json_array_size(given);
	struct goal **order = ARENA_ARRAY(w->arena, struct goal *, n + 1);
	uint32_t put = ++w->n_puts; /* lists within have others */

	goal_open(w, list);
	for (size_t i = 0; order && i < n; i++) {
		const json_t *element = json_array_get(given, i);

		order[i] = put_element(w, list, put, element,
		                       current_element(list->row, current, element, i));
		if (!order[i])
			return;
		order[i]->put = put;
	}
	if (!order)
		return;
	remove_others(list, put);
	if (row_of(list->row)->kind != KIND_GROUPS)
		replace_entries(list, order, n);
	if (!goal_is_unordered(list->row))
		order_children(list, order, n);
	mark_touched(list);
}

/* Whether the default of row @p id is another one in another place, so that only its place tells it. */
static bool depends_on_others(enum schema_id id)
{
	return id == SCHEMA_CHECKS_FAST_INTERVAL || id == SCHEMA_CHECKS_TIMEOUT ||
	       id == SCHEMA_SERVICES_AT_WEIGHT;
}

/* Whether a single value is as GET shows it, and no edit was there before. */
static bool is_in_force(const struct goal *d, enum schema_id id, const json_t *given,
                        const json_t *current)
{
	if (!current || row_of(id)->kind == KIND_GROUP || row_of(id)->kind == KIND_GROUPS ||
	    depends_on_others(id) || (d && d->touched))
		return false;
	return json_equal(given, current);
}

static void put_member(struct edit_work *w, struct goal *group, enum schema_id id,
                       const json_t *given, const json_t *current, enum edit_how how)
{
	struct goal *d = goal_child(w, group, id), *gone = group->children;

	while (gone && (gone->row != id || !gone->removed))
		gone = gone->next;
	if (json_is_null(given)) {
		if (d)
			remove_goal(d);
		return;
	}
	if (!gone && is_in_force(d, id, given, current))
		return;
	if (d && d->kind != kind_of_row(id)) {
		edit_refuse_token(w, d->origin->first_token, "this has another type");
		return;
	}
	if (!d)
		d = add_goal(w, group, id, kind_of_row(id));
	if (!d)
		return;
	if (d->kind == TREE_GROUP)
		put_members(w, d, given, current, how);
	else if (d->kind == TREE_LIST)
		put_list(w, d, given, current);
	else
		set_scalar(d, given);
}

/* In the order of the schema's rows, so that new settings are. */
static void put_members(struct edit_work *w, struct goal *group, const json_t *given,
                        const json_t *current, enum edit_how how)
{
	enum schema_id id = row_of(group->row)->first_child;
	bool is_object = group->parent && group->parent->kind == TREE_LIST;

	goal_open(w, group);
	for (bool is_key = is_object; is_known(id); id = row_of(id)->next, is_key = false) {
		const char *name = row_of(id)->name;
		const json_t *value = json_object_get(given, name);
		struct goal *d = value ? NULL : goal_child(w, group, id);

		if (value && is_key && goal_child(w, group, id))
			continue; /* it is the same */
		if (value)
			put_member(w, group, id, value, json_object_get(current, name), how);
		else if (d && how == EDIT_PUT && !is_key)
			remove_goal(d);
	}
}

static int make_object(struct edit_work *w, const struct edit *e)
{
	struct goal *list = list_of(w, &e->path, e->path.kind, true);
	char path[OBJECT_PATH_MAX];

	if (edit_is_refused(w))
		return -EINVAL;
	if (!list)
		return arena_failed(w->arena)
		               ? -ENOMEM
		               : edit_refuse(w, EDIT_NOT_FOUND, "there is nothing around %s",
		                             object_path_text(&e->path, path));
	goal_open(w, list);
	struct goal *d = add_goal(w, list, list->row, TREE_GROUP);
	enum schema_id key = row_of(list->row)->first_child;
	const char *key_name = row_of(key)->name;

	if (d && !json_object_get(e->value, key_name)) {
		struct goal *name = add_goal(w, d, key, TREE_TEXT);

		if (name)
			name->text = e->path.names[e->path.n_names - 1];
	}
	if (d) {
		put_members(w, d, e->value, NULL, EDIT_PUT);
		index_child(w, list, d);
	}
	return 0;
}

int goal_make(struct edit_work *w, const struct edit *e)
{
	struct goal *d = goal_object(w, &e->path, e->path.kind);
	char path[OBJECT_PATH_MAX];
	int err = 0;

	if (edit_is_refused(w))
		return -EINVAL;
	if (d && e->how == EDIT_PUT && e->create == EDIT_IF_NOT_THERE)
		return edit_refuse(w, EDIT_EXISTS, "%s is there already",
		                   object_path_text(&e->path, path));
	if (!d && (e->how != EDIT_PUT || e->create == EDIT_IF_THERE))
		return edit_refuse(w, EDIT_NOT_FOUND, "there is no %s",
		                   object_path_text(&e->path, path));
	if (e->how != EDIT_DELETE)
		err = edit_check_given(w, e, (enum schema_id)object_row(e->path.kind)->list);
	if (err)
		return err;
	if (!d)
		err = make_object(w, e);
	else if (e->how == EDIT_DELETE)
		remove_goal(d);
	else
		put_members(w, d, e->value, e->current, e->how);
	if (edit_is_refused(w))
		return -EINVAL;
	return err ? err : arena_failed(w->arena) ? -ENOMEM : 0;
}

int goal_begin(struct edit_work *w)
{
	w->top = ARENA_ARRAY(w->arena, struct goal, 1);
	if (!w->top)
		return -ENOMEM;
	*w->top = (struct goal){ .row = SCHEMA_TOP, .origin = w->scan.top, .kind = TREE_GROUP };
	return 0;
}
