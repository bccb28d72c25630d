/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A value as JSON becomes a tree as a text would give it, and is bound by the schema: so the errors of a value are
 * found, and said, as those of a document are. What JSON alone has (null, fractions, a member that is given twice
 * in a list by its key) is found on the way. Of PATCH only what is given is looked at.
 */
#include "model/edit/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "model/bind.h"

#define GIVEN_DEPTH_MAX SCAN_DEPTH_MAX

static const char *domain_key(const char *text, char out[EDIT_KEY_MAX])
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)tolower((unsigned char)text[i]);
	if (n > 1 && out[n - 1] == '.')
		n--;
	out[n] = '\0';
	return out;
}

const char *edit_entry_key(enum schema_id id, const char *text, char out[EDIT_KEY_MAX])
{
	struct addr address;
	struct prefix prefix;

	_Static_assert(EDIT_KEY_MAX >= ADDR_LONG_TEXT_MAX, "an address has room");
	if (strlen(text) >= EDIT_KEY_MAX)
		return text;
	switch (schema()->rows[id].kind) {
	case KIND_ADDRESS:
	case KIND_ADDRESSES:
		return addr_parse(text, &address) ? text : addr_text(&address, out);
	case KIND_PREFIXES:
		return prefix_parse(text, &prefix) ? text : prefix_text(&prefix, out);
	case KIND_DOMAIN:
	case KIND_MACS:
		return domain_key(text, out);
	default:
		return text;
	}
}

struct given {
	struct edit_work *w;
	const struct edit *e;
	struct bind bind;
	struct model_errors errors;
	unsigned depth;
	unsigned n_lists; /* around */
};

static void add_given_error(struct given *g, const struct tree *node, const char *name,
                            const char *message)
{
	char path[TREE_PATH_MAX];

	errors_add(&g->errors, (struct where){ "", node->order }, tree_path(node, name, path), "%s",
	           message);
}

static struct tree *given_to_tree(struct given *g, const json_t *given, const struct tree *parent,
                                  const char *name, enum schema_id id);

/* Append what @p given becomes; null becomes nothing, where it deletes. */
static void append_given(struct given *g, struct tree *parent, struct tree ***end,
                         const json_t *given, const char *name, enum schema_id id)
{
	struct tree *node = given_to_tree(g, given, parent, name, id);

	if (!node)
		return;
	**end = node;
	*end = &node->next;
	parent->n_children++;
}

static bool null_deletes(const struct given *g, enum schema_id id)
{
	return g->e->how == EDIT_PATCH && !g->n_lists && id != SCHEMA_COUNT &&
	       !model_schema[id].required;
}

static void members_to_tree(struct given *g, const json_t *object, struct tree *group,
                            enum schema_id id)
{
	struct tree **end = &group->children;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		enum schema_id row = id == SCHEMA_COUNT ? SCHEMA_COUNT : schema_find(id, name);

		if (!json_is_null(value) || row == SCHEMA_COUNT)
			append_given(g, group, &end, value, name, row);
		else if (!null_deletes(g, row))
			add_given_error(g, group, name,
			                model_schema[row].required
			                        ? "is null, but it is required"
			                        : "is null, which deletes only in a PATCH, and not "
			                          "within a list");
	}
}

struct keyed {
	const char *key;
	const struct tree *element;
};

static int compare_keyed(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order
	             : (x->element->position > y->element->position) -
	                       (x->element->position < y->element->position);
}

static const char *key_of_element(const struct tree *element, enum schema_id id,
                                  char out[EDIT_KEY_MAX])
{
	enum schema_id key = schema()->rows[id].first_child;

	for (const struct tree *child = element->children; child; child = child->next)
		if (child->name && !strcmp(child->name, schema()->rows[key].name) &&
		    child->kind == TREE_TEXT)
			return edit_entry_key(key, child->text, out);
	return NULL;
}

/* No two elements have the same key. */
static void check_keys(struct given *g, const struct tree *list, enum schema_id id)
{
	struct keyed *all = ARENA_ARRAY(g->w->arena, struct keyed, list->n_children + 1);
	char text[EDIT_KEY_MAX];
	size_t n = 0;

	for (const struct tree *child = list->children; all && child; child = child->next) {
		const char *key = key_of_element(child, id, text);

		if (key && (key = arena_strdup(g->w->arena, key)))
			all[n++] = (struct keyed){ key, child };
	}
	if (n)
		qsort(all, n, sizeof(*all), compare_keyed);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(all[i - 1].key, all[i].key))
			add_given_error(g, all[i].element, NULL,
			                "has the name of another one in this list");
}

static void elements_to_tree(struct given *g, const json_t *array, struct tree *list,
                             enum schema_id id)
{
	struct tree **end = &list->children;

	g->n_lists++;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *element = json_array_get(array, i);

		append_given(g, list, &end, element, NULL, id);
	}
	g->n_lists--;
	if (id != SCHEMA_COUNT && schema()->rows[id].kind == KIND_GROUPS)
		check_keys(g, list, id);
}

static void integer_to_tree(struct given *g, const json_t *number, struct tree *node)
{
	json_int_t n = json_integer_value(number);

	node->kind = TREE_INTEGER;
	node->integer = n;
	if (n > INT32_MAX || n < INT32_MIN)
		add_given_error(g, node, NULL,
		                "does not fit 32 bits; large quantities are texts with a unit, "
		                "such as \"40Gbit\"");
}

static void text_to_tree(struct given *g, const json_t *text, struct tree *node)
{
	node->kind = TREE_TEXT;
	node->text = json_string_value(text);
	if (json_string_length(text) > SCAN_TEXT_MAX)
		add_given_error(g, node, NULL, "is a text longer than 4096 bytes");
	else if (strlen(node->text) != json_string_length(text))
		add_given_error(g, node, NULL, "is a text with the character U+0000");
}

/* @return NULL: it is nothing, as reported, or without memory */
static struct tree *given_to_tree(struct given *g, const json_t *given, const struct tree *parent,
                                  const char *name, enum schema_id id)
{
	struct tree *node = ARENA_ARRAY(g->w->arena, struct tree, 1);

	if (!node)
		return NULL;
	*node = (struct tree){ .name = name,
		               .parent = parent,
		               .position = parent ? parent->n_children : 0,
		               .at = { "", 0 } };
	if (g->depth == GIVEN_DEPTH_MAX) {
		add_given_error(g, node, NULL, "is nested more than 16 deep");
		return NULL;
	}
	g->depth++;
	if (json_is_object(given)) {
		node->kind = TREE_GROUP;
		members_to_tree(g, given, node, id);
	} else if (json_is_array(given)) {
		node->kind = TREE_LIST;
		elements_to_tree(g, given, node, id);
	} else if (json_is_boolean(given)) {
		node->kind = TREE_BOOLEAN;
		node->integer = json_is_true(given);
	} else if (json_is_integer(given)) {
		integer_to_tree(g, given, node);
	} else if (json_is_string(given)) {
		text_to_tree(g, given, node);
	} else {
		add_given_error(g, node, NULL,
		                json_is_null(given) ? "is null, which has no meaning in a list"
		                                    : "is no whole number");
		node = NULL;
	}
	g->depth--;
	return node;
}

/* The key that the path has must be the value's; where the value has none it is put there. */
static void check_key(struct given *g, struct tree *top, enum schema_id group)
{
	const struct object_path *path = &g->e->path;
	const char *name = path->names[path->n_names - 1];
	const char *key = schema()->rows[schema()->rows[group].first_child].name;
	struct tree *child = top->children;

	while (child && strcmp(child->name, key) != 0)
		child = child->next;
	if (child && child->kind == TREE_TEXT && !object_is_named(path->kind, child->text, name))
		add_given_error(g, child, NULL,
		                "is not the name that the path has; objects are not renamed");
	if (child || json_object_get(g->e->value, key))
		return;
	child = ARENA_ARRAY(g->w->arena, struct tree, 1);
	if (!child)
		return;
	*child = (struct tree){ .kind = TREE_TEXT,
		                .name = key,
		                .parent = top,
		                .next = top->children,
		                .at = { "", 0 },
		                .text = name };
	top->children = child;
	top->n_children++;
}

/* What was found becomes the refusal. */
static int refuse_errors(struct given *g)
{
	struct arena *arena = g->w->out->arena;
	struct edit_refusal *refusal = &g->w->out->refusal;
	size_t n = g->errors.n_items;
	struct edit_error *errors = ARENA_ARRAY(arena, struct edit_error, n + 1);
	char path[OBJECT_PATH_MAX];

	if (!errors)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct model_error *error = &g->errors.items[i];

		errors[i] = (struct edit_error){ arena_strdup(arena, error->field),
			                         arena_strdup(arena, error->message) };
	}
	int err =
	        edit_refuse(g->w, EDIT_INVALID, "%s: %s%s%s%s", object_path_text(&g->e->path, path),
	                    g->errors.items[0].field, *g->errors.items[0].field ? " " : "",
	                    g->errors.items[0].message, g->errors.n_total > 1 ? "; and more" : "");
	refusal->errors = errors;
	refusal->n_errors = n;
	return err;
}

int edit_check_given(struct edit_work *w, const struct edit *e, enum schema_id group)
{
	struct given g = { .w = w, .e = e };
	struct item item;

	if (errors_init(&g.errors))
		return -ENOMEM;
	g.bind = (struct bind){ .errors = &g.errors,
		                .arena = w->arena,
		                .partial = e->how == EDIT_PATCH };
	struct tree *top = given_to_tree(&g, e->value, NULL, NULL, group);
	if (top && top->kind != TREE_GROUP) {
		add_given_error(&g, top, NULL, "the value is no object");
	} else if (top) {
		check_key(&g, top, group);
		bind_object(&g.bind, top, group, &item);
	}
	bool failed = arena_failed(w->arena) || arena_failed(g.errors.arena);
	int err = failed ? -ENOMEM : g.errors.n_total ? refuse_errors(&g) : 0;
	model_errors_free(&g.errors);
	return err;
}
