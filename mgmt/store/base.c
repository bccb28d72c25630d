/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a file was made from is known in two ways: the file says it (the comment line), or it is
 * assumed to be the newest version of the same person (base_last_of()). Each change of the plan is
 * then compared with the versions between that base and the head: a change that brings an earlier
 * value back undoes what somebody else did in between. The value may be from before an assumed base.
 */
#include "mgmt/store/base.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "weir/flatten.h"

#define LINE_BEGIN "# weir base "      /* then the version; `weir config show` writes it */
#define ARENA_MAX  ((size_t)256 << 20) /* bytes; bounds the flattened list of one version */

/* The line among the first comments and empty lines. @return NULL: there is none */
static char *find_line(char *text)
{
	for (char *line = text; *line; line += *line == '\n') {
		if (!strncmp(line, LINE_BEGIN, sizeof(LINE_BEGIN) - 1))
			return line;
		if (line[strspn(line, " \t\r")] != '\n' && *line != '#')
			return NULL;
		line += strcspn(line, "\n");
	}
	return NULL;
}

void base_extract_line(struct files *files, char out[BASE_TEXT_MAX])
{
	struct files_item *item = (struct files_item *)(uintptr_t)files_find(files, FILES_MAIN);
	char *line = item && item->bytes ? find_line(item->bytes) : NULL;

	out[0] = '\0';
	if (!line)
		return;
	char *name = line + sizeof(LINE_BEGIN) - 1;
	size_t n_name = strcspn(name, " \t\r\n"), n = strcspn(line, "\n");

	snprintf(out, BASE_TEXT_MAX, "%.*s",
	         (int)(n_name < BASE_TEXT_MAX ? n_name : BASE_TEXT_MAX - 1), name);
	n += line[n] == '\n';
	memmove(line, line + n, item->n_bytes - (size_t)(line - item->bytes) - n + 1);
	item->n_bytes -= n;
	files->n_bytes -= n;
	digest_bytes(item->bytes, item->n_bytes, item->digest);
}

bool base_read(const char *text, uint64_t *number, char digits[17])
{
	const char *from = text + (*text == 'v');
	size_t n = strspn(from, "0123456789");
	const char *behind = from + n;
	char found[17] = "";

	if (n == 0 || n > 15)
		return false;
	if (*text == 'v' && *behind) {
		if (*behind != '-' || strspn(behind + 1, "0123456789abcdef") != 16)
			return false;
		memcpy(found, behind + 1, 16);
		behind += 17;
	}
	if (*behind)
		return false;
	*number = strtoull(from, NULL, 10);
	memcpy(digits, found, sizeof(found));
	return *number > 0;
}

static bool is_by(const struct version *v, const char *principal, const char *author)
{
	return !strcmp(v->author, author) && !strcmp(v->principal, principal);
}

size_t base_last_of(const struct version *list, size_t n, const char *principal, const char *author)
{
	size_t i = 0;

	while (i < n && !is_by(&list[i], principal, author))
		i++;
	return i;
}

int base_look_start(struct base_look *l, const struct change_plan *plan, size_t base)
{
	*l = (struct base_look){ .marks = calloc(plan->n_changes + 1, sizeof(*l->marks)),
		                 .base = base };
	return l->marks ? 0 : -ENOMEM;
}

void base_look_fini(struct base_look *l)
{
	free(l->marks);
	*l = (struct base_look){ 0 };
}

static int compare_path(const void *path, const void *item)
{
	return flat_compare(path, ((const struct flat_item *)item)->path);
}

static const struct flat_item *find_item(const struct flat *flat, const char *path)
{
	return flat->n ? bsearch(path, flat->items, flat->n, sizeof(*flat->items), compare_path)
	               : NULL;
}

/* Whether the earlier version has another value than the head. */
static bool has_other_value(const struct plan_change *c, const struct flat_item *earlier)
{
	switch (c->kind) {
	case PLAN_REMOVED:
		return !earlier;
	case PLAN_ADDED:
		return earlier;
	default:
		return !earlier || strcmp(earlier->value, c->from) != 0;
	}
}

/*
 *   from the head to the file    the earlier version           the file
 *   removes an object            has none                      takes it back (somebody added it)
 *   adds an object               has one                       takes it back (somebody removed it)
 *   changes a value              has the file's                takes it back
 *   changes a value              has a third, and is the base  overwrites what it was not made from
 */
static bool reverts_change(const struct plan_change *c, const struct flat_item *earlier, bool last)
{
	if (c->kind == PLAN_REMOVED || c->kind == PLAN_ADDED)
		return has_other_value(c, earlier);
	return earlier &&
	       (!strcmp(earlier->value, c->to) || (last && strcmp(earlier->value, c->from) != 0));
}

static bool is_changed_since(const struct base_look *l, const struct base_mark *mark)
{
	return mark->found && mark->version_index < l->base;
}

bool base_look_is_open(const struct base_look *l, const struct change_plan *plan)
{
	for (size_t i = 0; i < plan->n_changes; i++)
		if (!l->marks[i].reverted && is_changed_since(l, &l->marks[i]))
			return true;
	return false;
}

int base_look_at(struct base_look *l, const struct change_plan *plan, const struct model *earlier,
                 size_t index, bool last)
{
	struct arena *arena = memory_must(arena_new(ARENA_MAX));
	struct flat flat = { 0 };
	int err = flatten_model(earlier, arena, &flat);

	for (size_t i = 0; !err && i < plan->n_changes; i++) {
		const struct flat_item *item = find_item(&flat, plan->changes[i].path);
		struct base_mark *mark = &l->marks[i];

		if (!mark->found && has_other_value(&plan->changes[i], item))
			*mark = (struct base_mark){ .found = true, .version_index = index - 1 };
		if (mark->reverted || !is_changed_since(l, mark) ||
		    !reverts_change(&plan->changes[i], item, last))
			continue;
		mark->reverted = true;
		l->n_reverted++;
	}
	arena_free(arena);
	return err;
}
