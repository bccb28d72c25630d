/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of the steps, the refusals, and the proof: the new text is read by the same scanner as any document, and compared
 * with the goal value by value. What no edit touched is compared with what was read before, so a patch that hit a
 * neighbour, a comment that swallowed a line, or an include that came to lie elsewhere is found, and nothing is handed out.
 */
#include "model/edit/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes: the largest configuration takes some 300 MB with its tokens, and again as much when it is proved. */
#define EDIT_ARENA_LIMIT  ((size_t)640 << 20)
#define EDIT_RESULT_LIMIT ((size_t)128 << 20)

void edit_result_free(struct edit_result *result)
{
	arena_free(result->arena);
	*result = (struct edit_result){ 0 };
}

/* The text in force has an error of its own. */
static int refuse_text(struct edit_work *w, const struct model_errors *errors)
{
	const struct model_error *first = errors->items;

	int err = edit_refuse(w, EDIT_NOT_EDITABLE, "%s:%u: the text cannot be read: %s",
	                      first->file, first->line, first->message);
	edit_add_position(w, first->file, first->line);
	return err;
}

static bool same_value(const struct tree *a, enum tree_kind kind, const char *text, int64_t integer)
{
	if (a->kind != kind)
		return false;
	if (kind == TREE_TEXT)
		return !strcmp(a->text, text);
	return kind == TREE_GROUP || kind == TREE_LIST || a->integer == integer;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Whether two nodes of texts are the same, with all below them. */
static bool same_tree(const struct tree *a, const struct tree *b)
{
	if (!same_name(a->name, b->name) || a->n_children != b->n_children ||
	    !same_value(a, b->kind, b->text, b->integer))
		return false;
	for (a = a->children, b = b->children; a && b; a = a->next, b = b->next)
		if (!same_tree(a, b))
			return false;
	return true;
}

static bool is_as_meant(const struct tree *t, const struct goal *d);

/* New settings may be anywhere in a group. */
static bool has_as_meant(const struct tree *group, const struct goal *d)
{
	const struct tree *t = group->children;

	while (t && !same_name(t->name, d->name))
		t = t->next;
	return t && is_as_meant(t, d);
}

static bool is_as_meant(const struct tree *t, const struct goal *d)
{
	const struct tree *child = t->children;
	uint32_t n = 0;

	if (!d->opened && !d->changed && d->origin)
		return same_tree(t, d->origin);
	if (!same_name(t->name, d->name) || !same_value(t, d->kind, d->text, d->integer))
		return false;
	for (const struct goal *c = d->children; c; c = c->next) {
		if (c->removed)
			continue;
		n++;
		if (d->kind == TREE_GROUP ? !has_as_meant(t, c) : !child || !is_as_meant(child, c))
			return false;
		child = child ? child->next : NULL;
	}
	return n == t->n_children;
}

/* Gives the new text of a file that was changed, else what it was. */
static int read_result(void *arg, const char *name, const char **bytes, size_t *n)
{
	const struct edit_work *w = arg;

	for (size_t i = 0; i < w->out->n_files; i++)
		if (!strcmp(w->out->files[i].name, name)) {
			*bytes = w->out->files[i].bytes;
			*n = w->out->files[i].n;
			return 0;
		}
	return w->read(w->arg, name, bytes, n);
}

static int scan_with(struct edit_work *w, struct document_scan *s, scan_include *include, void *arg,
                     struct model_errors *errors)
{
	const char *bytes = NULL;
	size_t n = 0;
	int err = include(arg, w->root, &bytes, &n);

	s->arena = w->arena;
	s->errors = errors;
	s->include = include;
	s->include_arg = arg;
	s->max = scan_config_limits;
	return err ? err : scan_text(s, bytes, n, w->root);
}

static int prove_result(struct edit_work *w)
{
	struct document_scan s = { .top = NULL };
	struct model_errors errors;
	int err = errors_init(&errors);

	if (!err)
		err = scan_with(w, &s, read_result, w, &errors);
	if (!err && (errors.n_total || !s.top))
		err = edit_refuse(w, EDIT_NOT_EDITABLE,
		                  "the new text would not be read as it is meant (%s); edit the "
		                  "whole text",
		                  errors.n_total ? errors.items[0].message : "it is empty");
	else if (!err && !is_as_meant(s.top, w->top))
		err = edit_refuse(
		        w, EDIT_NOT_EDITABLE,
		        "the new text would not say what the edits ask for; edit the whole "
		        "text");
	model_errors_free(&errors);
	return err;
}

static int write_edits(struct edit_work *w, const struct edit *edits, size_t n)
{
	int err = 0;

	goal_settle(w, w->top);
	err = edit_check_references(w, edits, n);
	if (!err)
		differ_goal(w, w->top);
	if (!err && edit_is_refused(w))
		err = -EINVAL;
	if (!err)
		err = patch_files(w);
	return err ? err : prove_result(w);
}

static int run_edits(struct edit_work *w, const struct edit *edits, size_t n)
{
	int err = scan_with(w, &w->scan, w->read, w->arg, &w->errors);

	if (!err && (w->errors.n_total || !w->scan.top))
		return refuse_text(w, &w->errors);
	if (!err)
		err = goal_begin(w);
	for (size_t i = 0; !err && i < n; i++) {
		w->present = i;
		err = goal_make(w, &edits[i]);
	}
	return err ? err : write_edits(w, edits, n);
}

/* What does not fit into the arenas is refused, and not a lack of memory. */
static int judge_memory(struct edit_work *w, int err)
{
	if (!arena_failed(w->arena) && !arena_failed(w->out->arena))
		return err;
	if (arena_is_full(w->arena) || arena_is_full(w->out->arena)) {
		w->out->refusal = (struct edit_refusal){
			.code = EDIT_NOT_EDITABLE,
			.text = "the edits and the text are too large together; edit the whole text"
		};
		return -EINVAL;
	}
	return -ENOMEM;
}

int edit_configuration(edit_read *read, void *arg, const char *root, const struct edit *edits,
                       size_t n, struct edit_result *out)
{
	struct edit_work w = { .read = read, .arg = arg, .root = root, .out = out };

	*out = (struct edit_result){ .arena = arena_new(EDIT_RESULT_LIMIT) };
	w.arena = arena_new(EDIT_ARENA_LIMIT);
	w.scan.record = &w.record;
	int err = !out->arena || !w.arena || errors_init(&w.errors) ? -ENOMEM : 0;
	if (!err && n > EDIT_MAX)
		err = edit_refuse(&w, EDIT_NOT_EDITABLE, "more than %u edits in one change",
		                  EDIT_MAX);
	if (!err)
		err = run_edits(&w, edits, n);
	if (out->arena && w.arena)
		err = judge_memory(&w, err);
	if (err) {
		out->files = NULL;
		out->n_files = 0;
	}
	scan_record_free(&w.record);
	model_errors_free(&w.errors);
	arena_free(w.arena);
	return err;
}
