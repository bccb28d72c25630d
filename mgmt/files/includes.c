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
 * Where the word behind the directive begins, as weir-dns' reader has it (dns/zone/text.c): parentheses and tabs are blanks,
 * and behind a '(' so are line ends and comments.
 */
static const char *skip_blanks(const char *at, const char *end)
{
	bool is_open = false;

	for (; at < end; at++) {
		if (is_open && *at == ';') {
			at = memchr(at, '\n', (size_t)(end - at));
			if (!at)
				return end;
		} else if (!strchr(is_open ? " \t\r()\n" : " \t\r(", *at)) {
			return at;
		}
		is_open |= *at == '(';
	}
	return at;
}

/*
 * The file that the directive names, as a name of a version. @param at  behind the directive's word @return whether it
 * can be one
 */
static bool read_include_name(const char *zone, const char *at, const char *end,
                              char out[FILES_NAME_MAX + 1])
{
	const char *slash = strrchr(zone, '/');
	bool quoted;

	at = skip_blanks(at, end);
	quoted = at < end && *at == '"';
	at += quoted;

	const char *from = at;

	while (at < end && !strchr(quoted ? "\"\n" : " \t\r\n;\"()", *at))
		at++;

	int got = snprintf(out, FILES_NAME_MAX + 1, "%.*s%.*s", slash ? (int)(slash - zone + 1) : 0,
	                   zone, (int)(at - from), from);

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
		if ((at == text || at[-1] == '\n') && (size_t)(end - at) > n_word &&
		    !strncasecmp(at, DIRECTIVE, n_word) && strchr(" \t\r(\"", at[n_word]) &&
		    read_include_name(zone, at + n_word, end, name))
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

	if (w->depth > INCLUDES_DEPTH_MAX || w->n == INCLUDES_MAX)
		return 0; /* reading the zone reports it */
	w->n++;
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

/* Add a line as sha256sum(1) writes it; names hold no newline. */
static void add_line(struct sha256 *s, const struct files_item *item)
{
	char line[DIGEST_TEXT_MAX + FILES_NAME_MAX + 4];

	sha256_add(s, line,
	           (size_t)snprintf(line, sizeof(line), "%s  %s\n", item->digest, item->name));
}

struct summing {
	const struct files *files;
	const struct files_item *zone;
	struct sha256 sum;
	bool includes;
};

/* The zone's own file is the first line. */
static int sum_include(void *arg, const char *name)
{
	struct summing *s = arg;

	if (!s->includes) {
		sha256_begin(&s->sum);
		add_line(&s->sum, s->zone);
	}
	s->includes = true;
	add_line(&s->sum, files_find(s->files, name));
	return 0;
}

int includes_digest(const struct files *files, const char *zone, char out[DIGEST_TEXT_MAX])
{
	struct summing s = { .files = files, .zone = files_find(files, zone) };
	int err = includes_of(files, zone, sum_include, &s);
	uint8_t raw[SHA256_BYTES];

	if (err || !s.zone)
		return err ? err : -ENOENT;
	if (s.includes) {
		sha256_end(&s.sum, raw);
		digest_text(raw, out);
	} else {
		memcpy(out, s.zone->digest, DIGEST_TEXT_MAX);
	}
	return 0;
}
