/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files are marked by their index in the set, in the walk that gathers them from a disk (mgmt/files/gather.c), but that a file
 * which is not in the set names nothing.
 */
#include "mgmt/files/named.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/files/includes.h"

#define DEPTH_MAX 10 /* levels of @include: the reader refuses more than 8 (model/scan.h) */

struct named_walk {
	const struct files *files;
	bool *marks;
	unsigned depth;
};

/* @return whether it is there, and was not marked before */
static bool mark_name(struct named_walk *w, const char *name)
{
	const struct files_item *item = files_find(w->files, name);
	bool was_marked = item && w->marks[item - w->files->items];

	if (item)
		w->marks[item - w->files->items] = true;
	return item && !was_marked;
}

static int mark_zone_include(void *arg, const char *name)
{
	(void)mark_name(arg, name);
	return 0;
}

static int mark_document(struct named_walk *w, const char *name);

static int mark_named(void *arg, const char *name, bool included)
{
	struct named_walk *w = arg;
	bool is_new = mark_name(w, name);

	if (!included)
		return includes_of(w->files, name, mark_zone_include, w);
	return is_new && w->depth < DEPTH_MAX ? mark_document(w, name) : 0;
}

static int mark_document(struct named_walk *w, const char *name)
{
	struct files_text text;
	int err = files_read(files_find(w->files, name), &text);

	if (err)
		return err;
	w->depth++;
	err = model_named_files(text.bytes, text.n, mark_named, w);
	w->depth--;
	files_read_end(&text);
	return err;
}

/* Which files of the set are named, by index. @param out  given */
static int mark_files(const struct files *files, bool **out)
{
	struct named_walk w = { .files = files, .marks = calloc(files->n_items + 1, sizeof(bool)) };
	int err = w.marks ? 0 : -ENOMEM;

	if (!err && mark_name(&w, FILES_MAIN))
		err = mark_document(&w, FILES_MAIN);
	if (err)
		free(w.marks);
	else
		*out = w.marks;
	return err;
}

static int list_changed(const struct files *from, const bool *named_from, const struct files *to,
                        const bool *named_to, named_changed *found, void *arg)
{
	int err = 0;

	for (size_t i = 0; !err && i < from->n_items; i++) {
		const struct files_item *a = &from->items[i], *b = files_find(to, a->name);

		if (!b || strcmp(a->digest, b->digest) != 0)
			err = found(arg, a->name, named_from[i] || (b && named_to[b - to->items]));
	}
	for (size_t i = 0; !err && i < to->n_items; i++)
		if (!files_find(from, to->items[i].name))
			err = found(arg, to->items[i].name, named_to[i]);
	return err;
}

int named_list_changed(const struct files *from, const struct files *to, named_changed *found,
                       void *arg)
{
	bool *named_from = NULL, *named_to = NULL;
	int err = mark_files(from, &named_from);

	if (!err)
		err = mark_files(to, &named_to);
	if (!err)
		err = list_changed(from, named_from, to, named_to, found, arg);
	free(named_from);
	free(named_to);
	return err;
}
