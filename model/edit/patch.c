/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Patches are collected in any order, sorted by where they are, and applied in one pass. Deletions that only blanks
 * separate are one. What a deletion leaves is tidied there, where all of them are known: a line on which
 * nothing but blanks is left goes; within a line the blanks behind go, or those before where nothing follows.
 */
#include "model/edit/internal.h"

#include <stdlib.h>
#include <string.h>

void patch_add(struct edit_work *w, uint32_t source, uint32_t begin, uint32_t end, const char *text,
               size_t n)
{
	struct edit_patches *p = &w->patches;

	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct edit_patch *items = ARENA_ARRAY(w->arena, struct edit_patch, room);

		if (!items)
			return;
		if (p->n)
			memcpy(items, p->items, p->n * sizeof(*items));
		p->items = items;
		p->room = room;
	}
	p->items[p->n] = (struct edit_patch){ source, begin, end, (uint32_t)p->n, text, n };
	p->n++;
}

void patch_insert(struct edit_work *w, uint32_t source, uint32_t at, const struct edit_text *t)
{
	patch_add(w, source, at, at, t->bytes, t->n);
}

static int compare_patches(const void *a, const void *b)
{
	const struct edit_patch *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	bool x_inserts = x->begin == x->end, y_inserts = y->begin == y->end;
	if (x_inserts != y_inserts)
		return x_inserts ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool is_deletion(const struct edit_patch *p)
{
	return p->n == 0 && p->end > p->begin;
}

/* Deletions with only blanks between them become one. @return how many patches are left */
static size_t merge_deletions(const struct scan_source *s, struct edit_patch *p, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		struct edit_patch *last = used ? &p[used - 1] : NULL;

		if (last && is_deletion(last) && is_deletion(&p[i]) && p[i].begin >= last->end &&
		    bytes_are_blank(s, last->end, p[i].begin, false))
			last->end = p[i].end;
		else
			p[used++] = p[i];
	}
	return used;
}

/* Take blanks along with deletion @p i of @p n, as long as no other patch is among them. */
static void tidy_deletion(const struct scan_source *s, struct edit_patch *p, size_t n, size_t i)
{
	uint32_t least = i > 0 ? p[i - 1].end : 0,
	         most = i + 1 < n ? p[i + 1].begin : (uint32_t)s->n;
	uint32_t begin = p[i].begin, end = p[i].end;
	bool inserted = i > 0 && p[i - 1].end == begin && p[i - 1].n > 0;

	while (begin > least && bytes_are_blank(s, begin - 1, begin, false))
		begin--;
	while (end < most && bytes_are_blank(s, end, end + 1, false))
		end++;
	bool at_begin = !inserted && (begin == 0 || s->bytes[begin - 1] == '\n');
	bool at_end = end == s->n || s->bytes[end] == '\n';
	if (at_begin && at_end) {
		p[i].begin = begin;
		p[i].end = end < s->n && end < most ? end + 1 : end;
	} else if (!inserted && (at_end || (end == p[i].end && strchr(";,", s->bytes[end])))) {
		p[i].begin = begin;
	} else if (!inserted &&
	           (begin < p[i].begin || begin == 0 || strchr("{([\n", s->bytes[begin - 1]))) {
		p[i].end = end;
	}
}

const char *patch_apply(struct edit_work *w, struct edit_patches *patches, uint32_t source,
                        uint32_t begin, uint32_t end, struct arena *arena, size_t *n)
{
	const struct scan_source *s = edit_source(w, source);
	struct edit_patch *p = patches->items;
	struct edit_text t = { .arena = arena };
	uint32_t at = begin;

	if (patches->n)
		qsort(p, patches->n, sizeof(*p), compare_patches);
	size_t n_patches = merge_deletions(s, p, patches->n);
	for (size_t i = 0; i < n_patches; i++)
		if (is_deletion(&p[i]))
			tidy_deletion(s, p, n_patches, i);
	for (size_t i = 0; i < n_patches; i++) {
		if (p[i].begin < at || p[i].end > end || p[i].source != source) {
			edit_refuse(w, EDIT_NOT_EDITABLE, "two edits of %s meet in one place",
			            s->name);
			return NULL;
		}
		text_put_n(&t, s->bytes + at, p[i].begin - at);
		text_put_n(&t, p[i].text, p[i].n);
		at = p[i].end;
	}
	text_put_n(&t, s->bytes + at, end - at);
	*n = t.n;
	return t.bytes ? t.bytes : "";
}

/* The include by which @p source, or a file around it, came to be read. */
static const struct scan_source *find_includer(const struct edit_work *w,
                                               const struct scan_source *source)
{
	return source->included.file ? edit_source(w, source->parent) : NULL;
}

static int refuse_shared(struct edit_work *w, const struct scan_source *a,
                         const struct scan_source *b)
{
	const char *name = a->name;
	struct edit_position *at = ARENA_ARRAY(w->out->arena, struct edit_position, 2);

	while (a->included.line == b->included.line &&
	       !strcmp(a->included.file, b->included.file) && find_includer(w, a)->included.file &&
	       find_includer(w, b)->included.file) {
		a = find_includer(w, a);
		b = find_includer(w, b);
	}
	int err = edit_refuse(
	        w, EDIT_SHARED_INCLUDE,
	        "%s is included twice, on line %u of %s and on line %u of %s: a change "
	        "of it would change both; edit the whole text",
	        name, a->included.line, a->included.file, b->included.line, b->included.file);
	if (!at)
		return -ENOMEM;
	at[0] = (struct edit_position){ arena_strdup(w->out->arena, a->included.file),
		                        a->included.line };
	at[1] = (struct edit_position){ arena_strdup(w->out->arena, b->included.file),
		                        b->included.line };
	w->out->refusal.positions = at;
	w->out->refusal.n_positions = 2;
	return err;
}

/* What is read twice is not changed. @return 0 or refused */
static int check_shared(struct edit_work *w, uint32_t source)
{
	const struct scan_source *own = edit_source(w, source);

	for (uint32_t i = 1; i < w->record.n_sources; i++) {
		const struct scan_source *other = edit_source(w, i);

		if (i != source && !strcmp(own->name, other->name))
			return source < i ? refuse_shared(w, own, other)
			                  : refuse_shared(w, other, own);
	}
	return 0;
}

static bool is_same(const struct scan_source *s, const struct edit_file *file)
{
	return s->n == file->n && !memcmp(s->bytes, file->bytes, file->n);
}

int patch_files(struct edit_work *w)
{
	struct edit_patches *all = &w->patches;
	struct edit_file *files = ARENA_ARRAY(w->out->arena, struct edit_file, w->record.n_sources);

	if (!files || arena_failed(w->arena))
		return -ENOMEM;
	if (all->n)
		qsort(all->items, all->n, sizeof(*all->items), compare_patches);
	for (size_t i = 0, n; i < all->n; i += n) {
		uint32_t source = all->items[i].source;
		struct edit_file *file = &files[w->out->n_files];
		int err = source ? check_shared(w, source) : 0;

		for (n = 1; i + n < all->n && all->items[i + n].source == source;)
			n++;
		struct edit_patches own = { all->items + i, n, n };
		if (err)
			return err;
		file->bytes = patch_apply(w, &own, source, 0, (uint32_t)edit_source(w, source)->n,
		                          w->out->arena, &file->n);
		if (!file->bytes || arena_failed(w->out->arena))
			return edit_is_refused(w) ? -EINVAL : -ENOMEM;
		file->name = arena_strdup(w->out->arena, edit_source(w, source)->name);
		w->out->n_files += !is_same(edit_source(w, source), file);
	}
	w->out->files = files;
	return 0;
}
