/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * References to what was deleted, looked for in the goal, which is what the new text will say. Rows of the schema that lead to
 * no such reference are not looked into.
 */
#include <stdlib.h>
#include <string.h>

#include "model/edit/internal.h"

#define EDIT_REFERENTS_MAX 1000u

struct deleted {
	enum schema_id row;
	const char *name;
	size_t edit;
};

struct references {
	struct edit_work *w;
	struct deleted *gone; /* sorted */
	size_t n_gone, n_found;
	const char **found;
	size_t edit; /* of the first */
	bool leads[SCHEMA_COUNT +
	           1]; /* rows that are, or have below them, references to what is gone */
};

static int compare_deleted(const void *a, const void *b)
{
	const struct deleted *x = a, *y = b;

	return x->row != y->row ? (x->row < y->row ? -1 : 1) : strcmp(x->name, y->name);
}

static bool mark_leads(struct references *r, enum schema_id id)
{
	const struct schema_row *row = &schema()->rows[id];
	bool is_reference = row->kind == KIND_REFERENCE || row->kind == KIND_REFERENCES;

	for (size_t i = 0; is_reference && i < r->n_gone; i++)
		r->leads[id] |= r->gone[i].row == row->target;
	for (enum schema_id c = row->first_child; c != SCHEMA_COUNT; c = schema()->rows[c].next)
		r->leads[id] |= mark_leads(r, c);
	return r->leads[id];
}

/* A node of what the text is to be: a goal, or, where none was opened, a node of the text. */
struct goal_spot {
	const struct goal *goal;
	const struct tree *tree;
	enum schema_id row;
};

static struct goal_spot spot_of(const struct goal *d, enum schema_id row)
{
	while (d && d->removed)
		d = d->next;
	return (struct goal_spot){ d, NULL, d ? d->row : row };
}

static bool is_spot(const struct goal_spot *s)
{
	return s->goal || s->tree;
}

static enum tree_kind kind_of(const struct goal_spot *s)
{
	return s->goal ? s->goal->kind : s->tree->kind;
}

static const char *text_of(const struct goal_spot *s)
{
	const char *text = s->goal ? s->goal->text : s->tree->text;

	return kind_of(s) == TREE_TEXT && text ? text : "";
}

static struct goal_spot spot_of_tree(const struct tree *t, const struct goal_spot *parent)
{
	enum schema_id row = parent->row;

	if (t && t->name)
		row = schema_find(parent->row, t->name);
	return (struct goal_spot){ NULL, t, row };
}

static struct goal_spot first_below(const struct goal_spot *s)
{
	if (s->goal && s->goal->opened)
		return spot_of(s->goal->children, s->row);
	const struct tree *t = s->goal ? s->goal->origin : s->tree;
	return spot_of_tree(t ? t->children : NULL, s);
}

static struct goal_spot next_below(const struct goal_spot *s, const struct goal_spot *parent)
{
	return s->goal ? spot_of(s->goal->next, s->row) : spot_of_tree(s->tree->next, parent);
}

static void note_referent(struct references *r, const struct goal_spot *s,
                          const struct object_path *object)
{
	const struct schema_row *row = &schema()->rows[s->row];
	const struct deleted key = { .row = row->target, .name = text_of(s) };
	const struct deleted *gone =
	        bsearch(&key, r->gone, r->n_gone, sizeof(*r->gone), compare_deleted);
	char text[OBJECT_PATH_MAX];

	if (!gone || r->n_found == EDIT_REFERENTS_MAX || object->kind == OBJECT_NONE ||
	    (s->row == SCHEMA_SERVICES_VIP_CHECK && !strcmp(key.name, MODEL_NO_CHECK)))
		return;
	object_path_text(object, text);
	if (r->n_found && !strcmp(r->found[r->n_found - 1], text))
		return;
	if (!r->n_found)
		r->edit = gone->edit;
	r->found[r->n_found++] = arena_strdup(r->w->out->arena, text);
}

static enum object_kind kind_of_list(enum schema_id id)
{
	enum object_kind kind = 0;

	while (kind < OBJECT_NONE && object_row(kind)->list != id)
		kind++;
	return kind;
}

/* The path of the object at @p s, an element of a list, within @p around; else @p around. */
static struct object_path path_at(const struct goal_spot *s, const struct object_path *around)
{
	enum object_kind kind = kind_of_list(s->row);
	struct object_path path = *around;

	if (kind == OBJECT_NONE)
		return path;
	for (struct goal_spot c = first_below(s); is_spot(&c); c = next_below(&c, s))
		if (c.row == schema()->rows[s->row].first_child &&
		    object_path_below(around->kind == OBJECT_NONE ? NULL : around, kind,
		                      text_of(&c), &path))
			return *around;
	return path;
}

static void look_below(struct references *r, const struct goal_spot *s,
                       const struct object_path *around, unsigned depth)
{
	struct object_path object = *around;

	if (depth > SCAN_DEPTH_MAX)
		return;
	for (struct goal_spot c = first_below(s); is_spot(&c); c = next_below(&c, s)) {
		if (c.row == SCHEMA_COUNT || !r->leads[c.row])
			continue;
		enum schema_kind kind = schema()->rows[c.row].kind;
		if (kind_of(&c) == TREE_TEXT &&
		    (kind == KIND_REFERENCE || kind == KIND_REFERENCES)) {
			note_referent(r, &c, around);
			continue;
		}
		if (kind == KIND_GROUPS && kind_of(&c) == TREE_GROUP)
			object = path_at(&c, around);
		look_below(r, &c, &object, depth + 1);
	}
}

/* What edits deleted and none made again. @return false: nothing */
static bool list_deleted(struct edit_work *w, const struct edit *edits, size_t n,
                         struct references *r)
{
	r->gone = ARENA_ARRAY(w->arena, struct deleted, n + 1);
	r->found = ARENA_ARRAY(w->out->arena, const char *, EDIT_REFERENTS_MAX);
	for (size_t i = 0; r->gone && r->found && i < n; i++) {
		const struct object_path *path = &edits[i].path;

		if (edits[i].how == EDIT_DELETE && !goal_object(w, path, path->kind))
			r->gone[r->n_gone++] =
			        (struct deleted){ (enum schema_id)object_row(path->kind)->list,
				                  path->names[path->n_names - 1], i };
	}
	if (r->n_gone)
		qsort(r->gone, r->n_gone, sizeof(*r->gone), compare_deleted);
	return r->n_gone && mark_leads(r, SCHEMA_TOP);
}

int edit_check_references(struct edit_work *w, const struct edit *edits, size_t n)
{
	struct references r = { .w = w };
	const struct object_path none = { .kind = OBJECT_NONE };
	struct goal_spot top = { w->top, NULL, SCHEMA_TOP };
	char path[OBJECT_PATH_MAX];

	if (!list_deleted(w, edits, n, &r))
		return arena_failed(w->arena) || arena_failed(w->out->arena) ? -ENOMEM : 0;
	look_below(&r, &top, &none, 0);
	if (!r.n_found)
		return 0;
	w->present = r.edit;
	int err = edit_refuse(w, EDIT_REFERENCED, "%s is named by %s%s",
	                      object_path_text(&edits[r.edit].path, path), r.found[0],
	                      r.n_found > 1 ? " and others" : "");
	w->out->refusal.referents = r.found;
	w->out->refusal.n_referents = r.n_found;
	return err;
}
