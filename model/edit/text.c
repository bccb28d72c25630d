/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * New text looks as the text beside it does: its form is measured at a setting or element that is there, down to the
 * blanks around the equals sign. What cannot be measured, because a comment or an include is in between, has the plain form.
 */
#include "model/edit/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void text_put_n(struct edit_text *t, const char *text, size_t n)
{
	if (t->n + n + 1 > t->room) {
		size_t room = 2 * (t->n + n) + 64;
		char *bytes = arena_alloc(t->arena, room, 1);

		if (!bytes)
			return;
		if (t->n)
			memcpy(bytes, t->bytes, t->n);
		t->bytes = bytes;
		t->room = room;
	}
	if (n)
		memcpy(t->bytes + t->n, text, n);
	t->n += n;
}

void text_put(struct edit_text *t, const char *text)
{
	text_put_n(t, text, strlen(text));
}

/* No kind of setting that is edited takes control characters. */
static void put_quoted(struct edit_text *t, const char *text)
{
	text_put(t, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			text_put(t, "\\");
		text_put_n(t, text, 1);
	}
	text_put(t, "\"");
}

void text_put_scalar(struct edit_text *t, const struct goal *d)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRId64, d->integer);
	if (d->kind == TREE_TEXT)
		put_quoted(t, d->text);
	else if (d->kind == TREE_INTEGER)
		text_put(t, number);
	else
		text_put(t, d->integer ? "true" : "false");
}

static const char *join_texts(struct arena *arena, const char *a, const char *b)
{
	const char *text = arena_printf(arena, "%s%s", a, b);

	return text ? text : "";
}

static size_t count_children(const struct goal *d)
{
	size_t n = 0;

	for (const struct goal *c = d->children; c; c = c->next)
		n += !c->removed;
	return n;
}

static void put_separator(struct edit_text *t, const struct edit_form *form, bool is_last)
{
	if (form->separator && (!is_last || form->last_separated))
		text_put_n(t, &form->separator, 1);
}

bool text_has_lists(const struct goal *d)
{
	for (const struct goal *c = d->children; c; c = c->next)
		if (c->kind == TREE_LIST && schema()->rows[c->row].kind == KIND_GROUPS)
			return true;
	return false;
}

/* On one line, whatever is in it. */
static struct edit_form one_line(const struct edit_form *form)
{
	struct edit_form flat = *form;

	flat.lines = false;
	return flat;
}

static void put_group(struct edit_text *t, const struct goal *d, const struct edit_form *form)
{
	size_t n = count_children(d), i = 0;

	text_put(t, "{");
	for (const struct goal *c = d->children; c; c = c->next) {
		if (c->removed)
			continue;
		if (form->lines && !(i == 0 && form->first_beside)) {
			text_put(t, form->newline);
			text_put(t, form->indent);
		} else {
			text_put(t, i ? " " : form->inside);
		}
		text_put_setting(t, c, form);
		put_separator(t, form, ++i == n);
	}
	if (form->lines && !form->close_beside && n) {
		text_put(t, form->newline);
		text_put(t, form->close_indent);
	} else {
		text_put(t, form->inside);
	}
	text_put(t, "}");
}

/* Elements a line each, where the list is on a line of its own. */
static void put_elements(struct edit_text *t, const struct goal *d, const struct edit_form *form)
{
	struct edit_form element = one_line(form);
	const char *indent = join_texts(t->arena, form->indent, form->step);
	size_t n = count_children(d), i = 0;
	bool lines = form->lines && n > 0;

	text_put(t, "(");
	for (const struct goal *c = d->children; c; c = c->next) {
		if (c->removed)
			continue;
		text_put(t, lines ? form->newline : i ? " " : form->inside);
		text_put(t, lines ? indent : "");
		text_put_value(t, c, &element);
		text_put(t, ++i < n ? "," : "");
	}
	text_put(t, lines ? form->newline : n ? form->inside : " ");
	text_put(t, lines ? form->indent : "");
	text_put(t, ")");
}

static void put_entries(struct edit_text *t, const struct goal *d)
{
	const char *before = "[ ";

	for (const struct goal *c = d->children; c; c = c->next) {
		if (c->removed)
			continue;
		text_put(t, before);
		text_put_scalar(t, c);
		before = ", ";
	}
	text_put(t, *before == '[' ? "[ ]" : " ]");
}

void text_put_value(struct edit_text *t, const struct goal *d, const struct edit_form *form)
{
	bool is_element = d->parent && d->parent->kind == TREE_LIST;
	struct edit_form flat = one_line(form), inner = *form;

	if (d->kind == TREE_GROUP && is_element)
		put_group(t, d, form);
	else if (d->kind == TREE_GROUP && text_has_lists(d)) {
		inner.indent = join_texts(t->arena, form->indent, form->step);
		inner.close_indent = form->indent;
		inner.first_beside = inner.close_beside = false;
		put_group(t, d, &inner);
	} else if (d->kind == TREE_GROUP)
		put_group(t, d, &flat);
	else if (d->kind != TREE_LIST)
		text_put_scalar(t, d);
	else if (schema()->rows[d->row].kind == KIND_GROUPS)
		put_elements(t, d, form);
	else
		put_entries(t, d);
}

void text_put_setting(struct edit_text *t, const struct goal *d, const struct edit_form *form)
{
	text_put(t, d->name);
	text_put(t, form->assign);
	text_put_value(t, d, form);
}

/* The bytes between two tokens of one source, if there are only blanks and @p token. @return NULL: there are others */
static const char *blanks_around(const struct edit_work *w, const struct scan_mark *before,
                                 const struct scan_mark *token, const struct scan_mark *behind)
{
	if (before->source != behind->source || token->source != before->source)
		return NULL;
	const struct scan_source *s = edit_source(w, before->source);
	if (!bytes_are_blank(s, before->end, token->begin, false) ||
	    !bytes_are_blank(s, token->end, behind->begin, false))
		return NULL;
	return arena_printf(w->arena, "%.*s", (int)(behind->begin - before->end),
	                    s->bytes + before->end);
}

static bool is_separator(const struct scan_mark *mark)
{
	return mark->kind == ',' || mark->kind == ';';
}

/* The separators of a group: those that its settings have, or semicolons where it is too small to tell. */
static void form_of_separators(const struct edit_work *w, const struct tree *group,
                               struct edit_form *form)
{
	size_t n = 0;

	form->separator = '\0';
	form->last_separated = true;
	for (const struct tree *c = group->children; c; c = c->next, n++) {
		const struct scan_mark *behind = edit_mark(w, (size_t)c->last_token + 1);

		if (is_separator(behind))
			form->separator = behind->kind;
		form->last_separated = is_separator(behind);
	}
	if (n < 2 && !form->separator)
		form->separator = ';';
}

void form_of_source(const struct edit_work *w, uint32_t source, struct edit_form *form)
{
	const struct scan_source *s = edit_source(w, source);
	const char *end = memchr(s->bytes, '\n', s->n), *tab = memchr(s->bytes, '\t', s->n);
	bool has_tabs = tab && (tab == s->bytes || tab[-1] == '\n');

	*form = (struct edit_form){ .newline = end && end > s->bytes && end[-1] == '\r' ? "\r\n"
		                                                                        : "\n",
		                    .indent = "",
		                    .close_indent = "",
		                    .step = has_tabs ? "\t" : "  ",
		                    .assign = " = ",
		                    .inside = " ",
		                    .separator = ';',
		                    .last_separated = true,
		                    .lines = true };
}

void form_of_setting(const struct edit_work *w, const struct tree *node, struct edit_form *form)
{
	const struct scan_mark *name = edit_mark(w, node->first_token);
	const char *assign = blanks_around(w, name, name + 1, name + 2);

	form_of_source(w, name->source, form);
	if (assign)
		form->assign = assign;
	form_of_separators(w, node->parent, form);
	form->lines = begins_line(edit_source(w, name->source), name->begin);
	form->indent = line_indent(w, edit_source(w, name->source), name->begin);
	form->close_indent = form->indent;
}

/* What @p inner has more than @p outer; else the plain step. */
static const char *step_between(const char *outer, const char *inner, const char *plain)
{
	size_t n = strlen(outer);

	return !strncmp(outer, inner, n) && inner[n] ? inner + n : plain;
}

void form_of_element(const struct edit_work *w, const struct tree *sibling, struct edit_form *form)
{
	const struct scan_mark *open = edit_mark(w, sibling->first_token),
	                       *close = edit_mark(w, sibling->last_token);
	const struct scan_source *s = edit_source(w, open->source);
	const struct tree *first = sibling->children, *second = first ? first->next : NULL;
	struct edit_form plain;

	form_of_source(w, open->source, &plain);
	plain.lines = false;
	*form = plain;
	if (!first)
		return;
	form_of_setting(w, second ? second : first, form);
	const struct scan_mark *inner = edit_mark(w, (second ? second : first)->first_token);
	form->lines = inner->source == open->source && begins_line(s, inner->begin);
	form->first_beside = edit_mark(w, first->first_token)->source != open->source ||
	                     !begins_line(s, edit_mark(w, first->first_token)->begin);
	form->close_beside = close->source != open->source || !begins_line(s, close->begin);
	form->close_indent = form->close_beside ? "" : line_indent(w, s, close->begin);
	form->step = step_between(line_indent(w, s, open->begin), form->indent, plain.step);
	const struct scan_mark *name = edit_mark(w, first->first_token);
	if (name->source == open->source && bytes_are_blank(s, open->end, name->begin, false))
		form->inside = arena_printf(w->arena, "%.*s", (int)(name->begin - open->end),
		                            s->bytes + open->end);
	if (!form->inside)
		form->inside = " ";
}
