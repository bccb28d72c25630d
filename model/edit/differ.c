/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a goal differs from the text: a value is replaced token by token, so that comments among them stay; a setting goes
 * from its name to its separator; a new one goes behind the last one that stays, in the file in which the group begins.
 */
#include "model/edit/internal.h"

#include <stdlib.h>
#include <string.h>

static bool is_separator(const struct scan_mark *mark)
{
	return mark->kind == ',' || mark->kind == ';';
}

static void remove_tokens(struct edit_work *w, uint32_t first, uint32_t last, size_t separator)
{
	const struct scan_mark *begin = edit_mark(w, first), *end = edit_mark(w, last);
	const struct scan_mark *mark = separator == SIZE_MAX ? NULL : edit_mark(w, separator);

	if (begin->source != end->source) {
		edit_refuse_token(w, first, "this begins in one file and ends in another");
		return;
	}
	patch_add(w, begin->source, begin->begin, end->end, NULL, 0);
	if (mark && mark->source == end->source && mark->begin >= end->end &&
	    bytes_are_blank(edit_source(w, end->source), end->end, mark->begin, true))
		w->patches.items[w->patches.n - 1].end = mark->end;
	else if (mark)
		patch_add(w, mark->source, mark->begin, mark->end, NULL, 0);
}

static void remove_setting(struct edit_work *w, const struct tree *node)
{
	size_t behind = (size_t)node->last_token + 1;

	remove_tokens(w, node->first_token, node->last_token,
	              is_separator(edit_mark(w, behind)) ? behind : SIZE_MAX);
}

/* A single value of a setting or list: the first of its tokens becomes the new one, the others go. */
static void replace_scalar(struct edit_work *w, const struct goal *d)
{
	uint32_t first = d->origin->first_token + (d->origin->name ? 2 : 0);
	struct edit_text t = { .arena = w->arena };

	text_put_scalar(&t, d);
	for (uint32_t i = first; i <= d->origin->last_token; i++) {
		const struct scan_mark *mark = edit_mark(w, i);

		patch_add(w, mark->source, mark->begin, mark->end, i == first ? t.bytes : NULL,
		          i == first ? t.n : 0);
	}
}

/* Where the settings of a group are that stay, and the form of the one behind which new ones go. */
struct group_end {
	uint32_t source;         /* in which the group begins */
	const struct goal *last; /* that stays, or NULL */
	const struct goal *gone; /* the first that does not, or NULL */
};

static bool is_within(const struct edit_work *w, const struct tree *node, uint32_t source)
{
	const struct scan_mark *last = edit_mark(w, node->last_token);

	if (is_separator(last + 1))
		last++;
	return edit_mark(w, node->first_token)->source == source && last->source == source &&
	       edit_mark(w, node->last_token)->source == source;
}

static struct group_end find_group_end(const struct edit_work *w, const struct goal *group)
{
	struct group_end end = { 0 };

	if (group->parent)
		end.source =
		        edit_mark(w, group->origin->first_token + (group->origin->name ? 2 : 0))
		                ->source;
	for (const struct goal *d = group->children; d; d = d->next) {
		if (!d->origin || !is_within(w, d->origin, end.source))
			continue;
		if (!d->removed)
			end.last = d;
		else if (!end.gone)
			end.gone = d;
	}
	return end;
}

/* All new settings, with @p lead before each but the first, which has @p first. */
static void put_new_settings(struct edit_text *t, const struct goal *group,
                             const struct edit_form *form, const char *first, const char *lead)
{
	const struct goal *last = NULL;

	for (const struct goal *d = group->children; d; d = d->next)
		if (!d->origin && !d->removed)
			last = d;
	for (const struct goal *d = group->children; d; d = d->next) {
		if (d->origin || d->removed)
			continue;
		text_put(t, first);
		first = lead;
		text_put_setting(t, d, form);
		if (form->separator && (d != last || form->last_separated))
			text_put_n(t, &form->separator, 1);
	}
}

static const char *lead_of(struct edit_work *w, const struct edit_form *form)
{
	const char *lead =
	        form->lines ? arena_printf(w->arena, "%s%s", form->newline, form->indent) : " ";

	return lead ? lead : "";
}

/* Behind the last setting that stays. */
static void add_behind(struct edit_work *w, const struct goal *group, const struct goal *last)
{
	const struct scan_mark *end = edit_mark(w, last->origin->last_token);
	const struct scan_source *s = edit_source(w, end->source);
	struct edit_text t = { .arena = w->arena };
	bool separated = is_separator(end + 1);
	struct edit_form form;

	form_of_setting(w, last->origin, &form);
	form.last_separated = separated;
	if (form.separator && !separated) {
		struct edit_text separator = { .arena = w->arena };

		text_put_n(&separator, &form.separator, 1);
		patch_insert(w, end->source, end->end, &separator);
	}
	uint32_t at = (end + separated)->end;
	put_new_settings(&t, group, &form, lead_of(w, &form), lead_of(w, &form));
	patch_insert(w, end->source, form.lines ? line_end(s, at) : at, &t);
}

/* In the place of the first one that goes. */
static void add_instead(struct edit_work *w, const struct goal *group, const struct goal *gone)
{
	const struct scan_mark *begin = edit_mark(w, gone->origin->first_token);
	struct edit_text t = { .arena = w->arena };
	struct edit_form form;

	form_of_setting(w, gone->origin, &form);
	form.last_separated = true;
	put_new_settings(&t, group, &form, "", lead_of(w, &form));
	patch_insert(w, begin->source, begin->begin, &t);
}

/* In a group without settings, or whose settings are in other files. */
static void add_within(struct edit_work *w, const struct goal *group, uint32_t source)
{
	const struct scan_mark *open =
	        edit_mark(w, group->origin->first_token + (group->origin->name ? 2 : 0));
	const struct scan_source *s = edit_source(w, source);
	struct edit_text t = { .arena = w->arena };
	struct edit_form form;

	form_of_source(w, source, &form);
	form.lines = false;
	put_new_settings(&t, group, &form, " ", " ");
	if (open->end < s->n && s->bytes[open->end] == '}')
		text_put(&t, " ");
	patch_insert(w, source, open->end, &t);
}

/* At the end of a document that has no settings of its own. */
static void add_at_end(struct edit_work *w, const struct goal *top)
{
	const struct scan_source *s = edit_source(w, 0);
	struct edit_text t = { .arena = w->arena };
	struct edit_form form;

	form_of_source(w, 0, &form);
	put_new_settings(&t, top, &form, s->n && s->bytes[s->n - 1] != '\n' ? form.newline : "",
	                 form.newline);
	text_put(&t, form.newline);
	patch_insert(w, 0, (uint32_t)s->n, &t);
}

static void add_settings(struct edit_work *w, const struct goal *group)
{
	struct group_end end = find_group_end(w, group);

	if (end.last)
		add_behind(w, group, end.last);
	else if (end.gone)
		add_instead(w, group, end.gone);
	else if (group->parent)
		add_within(w, group, end.source);
	else
		add_at_end(w, group);
}

static void differ_list(struct edit_work *w, struct goal *d);

static void differ_group(struct edit_work *w, struct goal *group)
{
	bool adds = false;

	for (struct goal *d = group->children; d; d = d->next) {
		if (!d->origin)
			adds |= !d->removed;
		else if (d->removed)
			remove_setting(w, d->origin);
		else
			differ_goal(w, d);
	}
	if (adds)
		add_settings(w, group);
}

void differ_goal(struct edit_work *w, struct goal *d)
{
	if (d->changed)
		replace_scalar(w, d);
	else if (d->touched && d->opened && d->kind == TREE_GROUP)
		differ_group(w, d);
	else if (d->touched && d->opened && d->kind == TREE_LIST)
		differ_list(w, d);
}

/*
 * Lists.
 * Elements of a list and the commas between them. An element that goes takes the comma behind it; where
 * nothing stays behind it, the one before it. New elements stand behind the one that they follow in the goal, with what
 * the last two elements have between them. Where the order is another one, elements that stay change places, each
 * with its bytes, and what is between them stays.
 */

/* One list. */
struct list_edit {
	struct edit_work *w;
	struct goal *list;
	const struct tree **nodes; /* of the text */
	struct goal **kept;        /* in the goal's order */
	const struct tree **slots; /* what stays, in the text's order: kept[i] comes to slots[i] */
	size_t n, n_kept;
	const char *before, *behind; /* the comma, between elements */
	struct edit_form form;       /* of new elements */
};

static int by_position(const void *a, const void *b)
{
	uint32_t x = (*(const struct tree *const *)a)->position,
	         y = (*(const struct tree *const *)b)->position;

	return (x > y) - (x < y);
}

static const struct scan_mark *begin_of(const struct list_edit *e, const struct tree *node)
{
	return edit_mark(e->w, node->first_token);
}

static const struct scan_mark *end_of(const struct list_edit *e, const struct tree *node)
{
	return edit_mark(e->w, node->last_token);
}

static bool gather_elements(struct list_edit *e)
{
	struct arena *arena = e->w->arena;
	const struct goal *list = e->list;
	size_t n = list->origin->n_children;

	e->nodes = ARENA_ARRAY(arena, const struct tree *, n + 1);
	e->slots = ARENA_ARRAY(arena, const struct tree *, n + 1);
	e->kept = ARENA_ARRAY(arena, struct goal *, n + 1);
	if (!e->nodes || !e->slots || !e->kept)
		return false;
	for (const struct tree *c = list->origin->children; c; c = c->next)
		e->nodes[e->n++] = c;
	for (struct goal *d = list->children; d; d = d->next)
		if (d->origin && !d->removed) {
			e->kept[e->n_kept] = d;
			e->slots[e->n_kept++] = d->origin;
		}
	if (e->n_kept)
		qsort(e->slots, e->n_kept, sizeof(*e->slots), by_position);
	return true;
}

static const char *copy_bytes(const struct list_edit *e, const struct scan_source *s,
                              uint32_t begin, uint32_t end)
{
	const char *copy = arena_printf(e->w->arena, "%.*s", (int)(end - begin), s->bytes + begin);

	return copy ? copy : "";
}

/* What is before and behind the comma between two elements, where it can be seen. */
static bool measure_comma(struct list_edit *e, const struct tree *a, const struct tree *b)
{
	const struct scan_mark *end = end_of(e, a), *comma = end + 1, *begin = begin_of(e, b);
	const struct scan_source *s = edit_source(e->w, end->source);

	if (end->source != begin->source || comma->source != end->source ||
	    !bytes_are_blank(s, end->end, comma->begin, true) ||
	    !bytes_are_blank(s, comma->end, begin->begin, true))
		return false;
	e->before = copy_bytes(e, s, end->end, comma->begin);
	e->behind = copy_bytes(e, s, comma->end, begin->begin);
	return true;
}

/* Between elements as between the last two; else on a line of its own, if the last is. */
static void measure_list(struct list_edit *e)
{
	const struct tree *last = e->n ? e->nodes[e->n - 1] : NULL;

	e->before = "";
	e->behind = " ";
	if (!last)
		return;
	if (last->kind == TREE_GROUP)
		form_of_element(e->w, last, &e->form);
	else
		form_of_source(e->w, begin_of(e, last)->source, &e->form);
	if (e->n > 1 && measure_comma(e, e->nodes[e->n - 2], last))
		return;
	const struct scan_source *s = edit_source(e->w, begin_of(e, last)->source);
	struct edit_form plain;

	form_of_source(e->w, begin_of(e, last)->source, &plain);
	if (begins_line(s, begin_of(e, last)->begin)) {
		const char *indent = line_indent(e->w, s, begin_of(e, last)->begin);
		const char *behind = arena_printf(e->w->arena, "%s%s", plain.newline, indent);

		e->behind = behind ? behind : " ";
	}
}

static size_t comma_behind(const struct list_edit *e, size_t i)
{
	return (size_t)e->nodes[i]->last_token + 1;
}

static void remove_elements(struct list_edit *e)
{
	size_t next = 0; /* slot that is not before the element */

	for (size_t i = 0; i < e->n; i++) {
		if (next < e->n_kept && e->slots[next] == e->nodes[i]) {
			next++;
			continue;
		}
		size_t comma = next < e->n_kept ? comma_behind(e, i)
		               : i > 0          ? comma_behind(e, i - 1)
		                                : SIZE_MAX;
		const struct tree *node = e->nodes[i];
		if (next < e->n_kept || comma == SIZE_MAX) {
			remove_tokens(e->w, node->first_token, node->last_token, comma);
		} else {
			const struct scan_mark *mark = edit_mark(e->w, comma);

			patch_add(e->w, mark->source, mark->begin, mark->end, NULL, 0);
			remove_tokens(e->w, node->first_token, node->last_token, SIZE_MAX);
		}
	}
}

/* The bytes of an element that is in another place, with what is to change in it. */
static void move_element(struct list_edit *e, struct goal *from, const struct tree *to)
{
	struct edit_work *w = e->w;
	const struct scan_mark *begin = begin_of(e, from->origin), *end = end_of(e, from->origin);
	const struct scan_mark *to_begin = begin_of(e, to), *to_end = end_of(e, to);
	struct edit_patches outer = w->patches;
	size_t n = 0;

	if (begin->source != end->source || to_begin->source != to_end->source) {
		edit_refuse_token(w, from->origin->first_token,
		                  "this begins in one file and ends in another");
		return;
	}
	w->patches = (struct edit_patches){ 0 };
	differ_goal(w, from);
	const char *bytes =
	        patch_apply(w, &w->patches, begin->source, begin->begin, end->end, w->arena, &n);
	w->patches = outer;
	if (bytes)
		patch_add(w, to_begin->source, to_begin->begin, to_end->end, bytes, n);
}

static void change_elements(struct list_edit *e)
{
	for (size_t i = 0; i < e->n_kept; i++) {
		if (e->kept[i]->origin == e->slots[i])
			differ_goal(e->w, e->kept[i]);
		else
			move_element(e, e->kept[i], e->slots[i]);
	}
}

static bool is_new(const struct goal *d)
{
	return d && !d->origin && !d->removed;
}

static void put_element(struct list_edit *e, struct edit_text *t, const struct goal *d)
{
	text_put_value(t, d, &e->form);
}

static bool has_newline(const char *text)
{
	return strchr(text, '\n') != NULL;
}

/* New elements from @p d on, behind the last one that stays. */
static void add_elements_behind(struct list_edit *e, const struct goal *d, const struct tree *last)
{
	const struct scan_mark *end = end_of(e, last);
	const struct scan_source *s = edit_source(e->w, end->source);
	struct edit_text comma = { .arena = e->w->arena }, t = { .arena = e->w->arena };
	bool is_last = last->position + 1 == e->n, leads = has_newline(e->before);
	const struct scan_mark *next = end + 1;
	uint32_t at = end->end;

	if (!is_last && next->source == end->source &&
	    bytes_are_blank(s, end->end, next->begin, false))
		at = next->end; /* that comma goes */
	text_put(&comma, e->before);
	text_put(&comma, ",");
	if (!leads)
		patch_insert(e->w, end->source, end->end, &comma);
	for (bool first = true; is_new(d); d = d->next, first = false) {
		if (leads || !first)
			text_put_n(&t, comma.bytes, comma.n);
		text_put(&t, e->behind);
		put_element(e, &t, d);
	}
	bool lines = leads || has_newline(e->behind);
	patch_insert(e->w, end->source, lines ? line_end(s, at) : end->end, &t);
}

/* New elements from @p d on, before one that stays. */
static void add_elements_before(struct list_edit *e, const struct goal *d, const struct tree *first)
{
	const struct scan_mark *begin = begin_of(e, first);
	struct edit_text t = { .arena = e->w->arena };

	for (; is_new(d); d = d->next) {
		put_element(e, &t, d);
		text_put(&t, e->before);
		text_put(&t, ",");
		text_put(&t, e->behind);
	}
	patch_insert(e->w, begin->source, begin->begin, &t);
}

/* New elements from @p d on, where none stays: in the place of the first. */
static void add_elements_instead(struct list_edit *e, const struct goal *d)
{
	const struct scan_mark *begin = begin_of(e, e->nodes[0]);
	struct edit_text t = { .arena = e->w->arena };

	for (bool first = true; is_new(d); d = d->next, first = false) {
		text_put(&t, first ? "" : e->before);
		text_put(&t, first ? "" : ",");
		text_put(&t, first ? "" : e->behind);
		put_element(e, &t, d);
	}
	patch_insert(e->w, begin->source, begin->begin, &t);
}

/* Between [ and ] there are no groups. */
static void round_brackets(struct list_edit *e)
{
	const struct scan_mark *close = edit_mark(e->w, e->list->origin->last_token),
	                       *open = close - 1;

	if (open->kind != '[')
		return;
	patch_add(e->w, open->source, open->begin, open->end, "(", 1);
	patch_add(e->w, close->source, close->begin, close->end, ")", 1);
}

/* New elements from @p d on, in a list that has none. */
static void add_elements_within(struct list_edit *e, const struct goal *d)
{
	const struct tree *list = e->list->origin;
	const struct scan_mark *close = edit_mark(e->w, list->last_token), *open = close - 1;
	const struct scan_source *s = edit_source(e->w, close->source);
	struct edit_text t = { .arena = e->w->arena };
	struct edit_form *form = &e->form;
	struct arena *arena = e->w->arena;

	form_of_source(e->w, close->source, form);
	if (d->kind == TREE_GROUP)
		round_brackets(e);
	const char *base = line_indent(e->w, s, close->begin);
	const char *own = arena_printf(arena, "%s%s", base, form->step);
	form->indent = arena_printf(arena, "%s%s%s", base, form->step, form->step);
	form->close_indent = own;
	bool lines = is_new(d) && d->kind == TREE_GROUP;
	form->lines = lines && text_has_lists(d);
	if (!form->indent || !own)
		return;
	bool alone =
	        open->source == close->source && bytes_are_blank(s, open->end, close->begin, false);
	bool on_line = lines && begins_line(s, close->begin);
	for (bool first = true; is_new(d); d = d->next, first = false) {
		text_put(&t, first ? "" : ",");
		text_put(&t, lines ? (first && on_line ? form->step : form->newline) : " ");
		text_put(&t, lines && !(first && on_line) ? own : "");
		put_element(e, &t, d);
	}
	text_put(&t, lines ? form->newline : " ");
	text_put(&t, lines ? base : "");
	if (alone)
		patch_add(e->w, close->source, open->end, close->begin, t.bytes, t.n);
	else
		patch_insert(e->w, close->source, close->begin, &t);
}

/* The new elements of the goal, by what they follow. */
static void add_elements(struct list_edit *e)
{
	const struct goal *previous = NULL;
	size_t slot = 0;

	for (struct goal *d = e->list->children; d; d = d->next) {
		if (d->removed)
			continue;
		if (d->origin) {
			slot++;
		} else if (!is_new(previous)) {
			if (!e->n)
				add_elements_within(e, d);
			else if (!e->n_kept)
				add_elements_instead(e, d);
			else if (slot == e->n_kept)
				add_elements_behind(e, d, e->slots[slot - 1]);
			else
				add_elements_before(e, d, e->slots[slot]);
		}
		previous = d;
	}
}

/* Removed goals between new ones would part them. */
static void drop_removed(struct goal *list)
{
	struct goal **at = &list->children;

	list->last = NULL;
	while (*at) {
		if ((*at)->removed) {
			*at = (*at)->next;
		} else {
			list->last = *at;
			at = &(*at)->next;
		}
	}
}

static void differ_list(struct edit_work *w, struct goal *d)
{
	struct list_edit e = { .w = w, .list = d };

	drop_removed(d);
	if (!gather_elements(&e))
		return;
	measure_list(&e);
	remove_elements(&e);
	change_elements(&e);
	add_elements(&e);
}
