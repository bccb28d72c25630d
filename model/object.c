/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kind's row names its row of the schema, which says where a struct of the model has the list, and whose first setting
 * is the key. So one walk over the parents finds every object: in a list that is sorted by its names by binary search,
 * in another one (the sites of a service) one by one.
 */
#include "weir/object.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "model/build.h"
#include "model/setting.h"

#define OBJECT_ROW(kind, row, path_, parent_, word_)                                               \
	[OBJECT_##kind] = {                                                                        \
		.parent = OBJECT_##parent_, .list = SCHEMA_##row, .path = (path_), .word = (word_) \
	},

/* Depths and keys are filled in once; a parent stands before its children. */
static struct object_row object_rows[] = { OBJECT_KINDS(OBJECT_ROW) };

static void fill_object_rows(void)
{
	const struct schema_row *rows = schema()->rows;

	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		struct object_row *row = &object_rows[kind];

		row->depth = row->parent == OBJECT_NONE ? 1 : object_rows[row->parent].depth + 1;
		row->key = rows[rows[row->list].first_child].name;
	}
}

const struct object_row *object_row(enum object_kind kind)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fill_object_rows);
	return &object_rows[kind];
}

static enum schema_id key_of(enum object_kind kind)
{
	return schema()->rows[object_row(kind)->list].first_child;
}

bool object_is_list(const struct object_path *path)
{
	return path->n_names < object_row(path->kind)->depth;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Decode the @p n bytes of a name. A NUL would end it early, so it is no name. */
static int decode_name(const char *text, size_t n, char out[OBJECT_NAME_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0 || !(high | low))
				return -EINVAL;
			c = 16 * high + low;
			i += 2;
		}
		if (used == OBJECT_NAME_MAX - 1)
			return -EINVAL;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	return used ? 0 : -EINVAL;
}

/* As model/bind.c has it for domains. */
static void normalise_name(enum object_kind kind, char name[OBJECT_NAME_MAX])
{
	size_t n = strlen(name);

	if (schema()->rows[key_of(kind)].kind != KIND_DOMAIN)
		return;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)tolower((unsigned char)name[i]);
	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
}

/* The kind of each name of a path of @p kind: @p i counts from the outermost. */
static enum object_kind kind_of_name(enum object_kind kind, unsigned i)
{
	while (object_row(kind)->depth > i + 1)
		kind = object_row(kind)->parent;
	return kind;
}

/* Match @p text with the path of @p kind's lists; then @p text is what follows it. */
static int match_list(enum object_kind kind, const char **text, struct object_path *out)
{
	const char *pattern = object_row(kind)->path, *at = *text;
	int err = 0;

	*out = (struct object_path){ .kind = kind };
	while (*pattern) {
		if (*pattern == '{') {
			size_t n = strcspn(at, "/");

			if (decode_name(at, n, out->names[out->n_names]))
				err = -EINVAL;
			else
				normalise_name(kind_of_name(kind, out->n_names),
				               out->names[out->n_names]);
			out->n_names++;
			at += n;
			pattern += 2;
		} else if (*pattern++ != *at++) {
			return -ENOENT;
		}
	}
	if (*at && *at != '/')
		return -ENOENT;
	*text = at;
	return err;
}

/* The kind whose path fits the longest part of @p text: what follows may be the path of a kind within it. */
static int match_longest(const char **text, struct object_path *out)
{
	const char *from = *text;
	int found = -ENOENT;

	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		struct object_path path;
		const char *at = from;
		int err = match_list(kind, &at, &path);

		if (err != -ENOENT && (found == -ENOENT || at > *text)) {
			*text = at;
			*out = path;
			found = err;
		}
	}
	return found;
}

int object_path_read(const char *text, const char **behind, struct object_path *out)
{
	struct object_path path;
	const char *end = "";
	int err = match_longest(&text, &path);

	if (err)
		return err;
	if (*text == '/') {
		size_t n = strcspn(++text, "/");

		if (decode_name(text, n, path.names[path.n_names]))
			return -EINVAL;
		normalise_name(path.kind, path.names[path.n_names++]);
		end = text + n;
	}
	if (*end == '/' && (!behind || !end[1]))
		return -ENOENT;
	if (behind)
		*behind = *end ? end + 1 : end;
	*out = path;
	return 0;
}

static size_t put_name(const char *name, char *out)
{
	size_t n = 0;

	for (; *name; name++)
		if (isalnum((unsigned char)*name) || strchr("._~-", *name))
			out[n++] = *name;
		else
			n += (size_t)sprintf(out + n, "%%%02X", (unsigned char)*name);
	return n;
}

const char *object_path_text(const struct object_path *path, char out[OBJECT_PATH_MAX])
{
	const char *pattern = object_row(path->kind)->path;
	size_t n = 0;
	unsigned i = 0;

	while (*pattern)
		if (*pattern == '{') {
			n += put_name(path->names[i++], out + n);
			pattern += 2;
		} else {
			out[n++] = *pattern++;
		}
	if (i < path->n_names) {
		out[n++] = '/';
		n += put_name(path->names[i], out + n);
	}
	out[n] = '\0';
	return out;
}

/* The path of the object around @p path. @return false: it is at the top */
static bool find_parent(const struct object_path *path, struct object_path *out)
{
	const struct object_row *row = object_row(path->kind);

	if (row->parent == OBJECT_NONE)
		return false;
	*out = *path;
	out->kind = row->parent;
	out->n_names = row->depth - 1;
	return true;
}

int object_path_below(const struct object_path *parent, enum object_kind kind, const char *name,
                      struct object_path *out)
{
	struct object_path path = { .kind = kind };

	if (parent) {
		path = *parent;
		path.kind = kind;
	}
	if (!*name || strlen(name) >= OBJECT_NAME_MAX)
		return -EINVAL;
	snprintf(path.names[path.n_names], OBJECT_NAME_MAX, "%s", name);
	normalise_name(kind, path.names[path.n_names++]);
	*out = path;
	return 0;
}

bool object_is_named(enum object_kind kind, const char *given, const char *name)
{
	size_t n = strlen(given);

	if (schema()->rows[key_of(kind)].kind != KIND_DOMAIN)
		return !strcmp(given, name);
	n -= n > 1 && given[n - 1] == '.';
	return n == strlen(name) && !strncasecmp(given, name, n);
}

const void *object_find_around(const struct model *m, const struct object_path *path)
{
	struct object_path parent;

	return find_parent(path, &parent) ? object_find(m, &parent) : (const void *)m;
}

const void *object_find(const struct model *m, const struct object_path *path)
{
	enum schema_id list = object_row(path->kind)->list, key = key_of(path->kind);
	const struct schema_row *rows = schema()->rows;
	const void *around = object_find_around(m, path);
	char text[SETTING_TEXT_MAX];

	if (!around || object_is_list(path))
		return NULL;
	const char *name = path->names[path->n_names - 1];
	size_t n = setting_count(list, around);
	if (rows[key].kind != KIND_REFERENCE)
		return build_find(setting_element(list, around, 0), n, rows[list].member.size,
		                  name);
	for (size_t i = 0; i < n; i++) {
		const void *element = setting_element(list, around, i);

		if (!strcmp(setting_text(key, element, text), name))
			return element;
	}
	return NULL;
}

size_t object_count(const struct model *m, const struct object_path *path)
{
	const void *around = object_find_around(m, path);

	return around ? setting_count(object_row(path->kind)->list, around) : 0;
}

void object_path_at(const struct model *m, const struct object_path *path, size_t i,
                    struct object_path *out)
{
	const void *element =
	        setting_element(object_row(path->kind)->list, object_find_around(m, path), i);
	char text[SETTING_TEXT_MAX];

	*out = *path;
	out->n_names = object_row(path->kind)->depth;
	snprintf(out->names[out->n_names - 1], OBJECT_NAME_MAX, "%s",
	         setting_text(key_of(path->kind), element, text));
}
