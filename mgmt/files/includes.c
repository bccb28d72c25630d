/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A directive stands at the start of a line, so the text is searched for '$', which is rare, and
 * not line by line. Included files are walked in the set of files by recursion; files that are not
 * in the set yet are read from a directory if there is one.
 */
#include "mgmt/files/includes.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DIRECTIVE "$INCLUDE"

/*
 * The file that the directive at @p line names, as a name of a version. @return whether it can be
 * one
 */
static bool read_include_name(const char *zone, const char *line, size_t n,
                              char out[FILES_NAME_MAX + 1])
{
	const char *slash = strrchr(zone, '/'), *end = line + n;
	bool quoted;

	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	quoted = line < end && *line == '"';
	line += quoted;

	const char *from = line;

	while (line < end && !strchr(quoted ? "\"" : " \t\r;\"", *line))
		line++;

	int got = snprintf(out, FILES_NAME_MAX + 1, "%.*s%.*s", slash ? (int)(slash - zone + 1) : 0,
	                   zone, (int)(line - from), from);

	return got > 0 && got <= (int)FILES_NAME_MAX && model_file_name_ok(out);
}

/*
 * Find the $INCLUDEs in the text of one file, which belongs to the zone whose file is called @p
 * zone. A name that no version can keep is left out: reading the zone reports the error.
 */
static int walk_directives(const char *zone, const char *text, size_t n, includes_found *found,
                           void *arg)
{
	const char *end = text + n, *at = text;
	size_t n_word = sizeof(DIRECTIVE) - 1;
	char name[FILES_NAME_MAX + 1];
	int err = 0;

	/* a '$' is rare, a line is not */
	while (!err && (at = memchr(at, '$', (size_t)(end - at)))) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		size_t n_line = (size_t)((line_end ? line_end : end) - at);

		if ((at == text || at[-1] == '\n') && n_line > n_word &&
		    !strncasecmp(at, DIRECTIVE, n_word) && strchr(" \t\"", at[n_word]) &&
		    read_include_name(zone, at + n_word, n_line - n_word, name))
			err = found(arg, name);
		at++;
	}
	return err;
}

/* A walk through a zone's files. */
struct include_walk {
	const char *zone;
	const char *dir; /* from which missing files are read; NULL: none is */
	struct files *files;
	includes_found *found;
	void *arg;
	unsigned depth, n; /* depth: 1 in the zone's own file */
};

static int walk_file(struct include_walk *w, const char *name);

static int walk_include(void *arg, const char *name)
{
	struct include_walk *w = arg;
	int err = 0;

	if (w->depth > INCLUDES_DEPTH_MAX || w->n++ == INCLUDES_MAX)
		return 0; /* reading the zone reports it */
	if (w->dir && !files_find(w->files, name))
		err = files_add_from(w->files, w->dir, name);
	if (err == -E2BIG || err == -ENOMEM)
		return err;
	if (err || !files_find(w->files, name))
		return 0;
	if (w->found)
		err = w->found(w->arg, name);
	return err ? err : walk_file(w, name);
}

static int walk_file(struct include_walk *w, const char *name)
{
	struct files_text text;
	int err = files_read(files_find(w->files, name), &text);

	if (err)
		return err;
	w->depth++;
	err = walk_directives(w->zone, text.bytes, text.n, walk_include, w);
	w->depth--;
	files_read_end(&text);
	return err;
}

int includes_of(const struct files *files, const char *zone, includes_found *found, void *arg)
{
	struct include_walk w = {
		.zone = zone, .files = (struct files *)(uintptr_t)files, .found = found, .arg = arg
	};

	return files_find(files, zone) ? walk_file(&w, zone) : 0;
}

int includes_gather(struct files *files, const char *dir, const char *zone)
{
	struct include_walk w = { .zone = zone, .dir = dir, .files = files };
	int err = files_find(files, zone) ? 0 : files_add_from(files, dir, zone);

	return err ? err : walk_file(&w, zone);
}
