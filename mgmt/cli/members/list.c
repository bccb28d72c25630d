/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Items are read by the rows of the API (mgmt/json/member.h), so what weir-mgmt would refuse is named here, before anything
 * is sent. A label tells whose a member is, since it lies with the member: it is there for whoever looks, at all nodes, and
 * after a restart.
 */
#include "mgmt/cli/members/list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void list_refuse(struct list_errors *e, const char *format, ...)
{
	va_list args;

	if (e->n++ >= LIST_ERRORS_MAX)
		return;
	size_t left = sizeof(e->text) - e->used;
	int n;

	va_start(args, format);
	n = vsnprintf(e->text + e->used, left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n + 2 > left) {
		e->text[e->used] = '\0';
		return;
	}
	e->used += (size_t)n;
	e->text[e->used++] = '\n';
	e->text[e->used] = '\0';
}

void list_fini(struct list_members *list)
{
	free(list->items);
	*list = (struct list_members){ .n = 0 };
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct member_entry *)a)->id, ((const struct member_entry *)b)->id);
}

void list_sort(struct list_members *list)
{
	if (list->n)
		qsort(list->items, list->n, sizeof(*list->items), by_id);
}

static int is_id_of(const void *key, const void *item)
{
	return strcmp(key, ((const struct member_entry *)item)->id);
}

struct member_entry *list_find(const struct list_members *list, const char *id)
{
	return list->n ? bsearch(id, list->items, list->n, sizeof(*list->items), is_id_of) : NULL;
}

bool list_is_source(const char *source)
{
	size_t n = strspn(source, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return n > 0 && n < MODEL_NAME_MAX && !source[n];
}

bool list_has_source(const char *labels, const char *source)
{
	json_t *object = member_labels_json(labels);
	bool has = json_has_text(object, LIST_SOURCE, source);

	json_decref(object);
	return has;
}

/* The item with its source among its labels, given; what is wrong with it is left for the rows to find. */
static json_t *mark_item(const json_t *item, const char *source)
{
	json_t *labels = json_object_get(item, "labels");

	if (!json_is_object(item) || (labels && !json_is_object(labels) && !json_is_null(labels)))
		return json_incref((json_t *)(uintptr_t)item);
	json_t *out = json_copy((json_t *)(uintptr_t)item);

	labels = json_is_object(labels) ? json_copy(labels) : json_object();
	return json_with(out, "labels", json_with(labels, LIST_SOURCE, json_string(source)));
}

/* What only this program knows of an item. @return whether it is right so far */
static bool check_item(const json_t *item, const char *source, const char *id, size_t i,
                       struct list_errors *errors)
{
	const json_t *labels = json_object_get(item, "labels");
	const char *own = json_get_text(labels, LIST_SOURCE);
	const json_t *other = json_object_get(labels, LIST_SOURCE);

	if (json_object_get(item, "ttl"))
		list_refuse(errors, "[%zu] %s: ttl: is the list's: --ttl DURATION", i, id);
	else if (other && (!own || strcmp(own, source) != 0))
		list_refuse(errors, "[%zu] %s: labels: \"" LIST_SOURCE "\" is this program's own",
		            i, id);
	else
		return true;
	return false;
}

static void read_item(const json_t *item, const char *source, size_t i, struct member_entry *w,
                      struct list_errors *errors)
{
	const char *id = json_text_of(item, "id");
	struct field_reader f;

	if (!json_is_object(item)) {
		list_refuse(errors, "[%zu]: expected an object with id and address", i);
		return;
	}
	if (!check_item(item, source, id, i, errors))
		return;
	json_t *marked = mark_item(item, source), *error;
	size_t k;

	member_read_item(&f, marked, w);
	if (!field_close(&f)) {
		json_array_foreach(f.errors, k, error)
		        list_refuse(errors, "[%zu] %.64s: %s: %s", i, id,
		                    json_text_of(error, "field"), json_text_of(error, "detail"));
		json_decref(f.errors);
	}
	json_decref(marked);
}

static int by_address(const void *a, const void *b)
{
	return addr_compare(&(*(struct member_entry *const *)a)->address,
	                    &(*(struct member_entry *const *)b)->address);
}

/* Doubled ids stand side by side; addresses are sorted for it. */
static void find_doubles(const struct list_members *list, struct list_errors *errors)
{
	struct member_entry **sorted = memory_must(calloc(list->n, sizeof(struct member_entry *)));
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < list->n; i++)
		sorted[i] = &list->items[i];
	qsort(sorted, list->n, sizeof(struct member_entry *), by_address);
	for (size_t i = 1; i < list->n; i++) {
		if (!strcmp(list->items[i].id, list->items[i - 1].id))
			list_refuse(errors, "%s is there twice", list->items[i].id);
		if (addr_equal(&sorted[i]->address, &sorted[i - 1]->address))
			list_refuse(errors, "%s is the address of %s and of %s",
			            addr_text(&sorted[i]->address, text), sorted[i - 1]->id,
			            sorted[i]->id);
	}
	free(sorted);
}

static void read_items(const json_t *array, const char *source, uint32_t ttl_s,
                       struct list_members *list, struct list_errors *errors)
{
	const json_t *item;
	size_t i;

	list->n = json_array_size(array);
	list->items = memory_must(calloc(list->n, sizeof(*list->items)));
	json_array_foreach(array, i, item)
	{
		read_item(item, source, i, &list->items[i], errors);
		list->items[i].ttl_s = ttl_s;
	}
	list_sort(list);
	if (!errors->n)
		find_doubles(list, errors);
}

bool list_read(const char *text, size_t n, const char *source, uint32_t ttl_s,
               struct list_members *out, struct list_errors *errors)
{
	struct list_members list = { .n = 0 };
	json_error_t error;
	json_t *array;

	*errors = (struct list_errors){ .n = 0 };
	if (n > LIST_BYTES_MAX) {
		list_refuse(errors, "it has more than %u bytes", LIST_BYTES_MAX);
		return false;
	}
	array = json_read(text, n, JSON_REJECT_DUPLICATES, &error);
	if (!array)
		list_refuse(errors, "line %d, column %d: %s", error.line, error.column, error.text);
	else if (!json_is_array(array))
		list_refuse(errors, "it is no array of members");
	else if (!json_array_size(array))
		list_refuse(
		        errors,
		        "it is empty: that would take all members away; delete the last ones by hand");
	else if (json_array_size(array) > LIST_MEMBERS_MAX)
		list_refuse(errors, "it has %zu members, more than %u", json_array_size(array),
		            LIST_MEMBERS_MAX);
	else
		read_items(array, source, ttl_s, &list, errors);
	json_decref(array);
	if (errors->n) {
		list_fini(&list);
		return false;
	}
	*out = list;
	return true;
}

/* --- lines --- */

void list_lines_fini(struct list_lines *l)
{
	free(l->bytes);
	*l = (struct list_lines){ .n = 0 };
}

char *list_lines_room(struct list_lines *l, size_t least)
{
	size_t room = l->room ? l->room : 4096;

	while (room - l->n < least)
		room *= 2;
	if (room != l->room) {
		char *more = realloc(l->bytes, room);

		if (!more)
			return NULL;
		l->bytes = more;
		l->room = room;
	}
	return l->bytes + l->n;
}

static bool is_blank(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr(" \t\r", bytes[i]) || !bytes[i])
			return false;
	return true;
}

static void keep_line(const char *bytes, size_t n, char **line, size_t *length)
{
	char *copy = memory_must(malloc(n + 1));

	memcpy(copy, bytes, n);
	copy[n] = '\0';
	free(*line);
	*line = copy;
	*length = n;
}

/* The line from @p begin to @p end has come whole. */
static void end_line(struct list_lines *l, size_t begin, size_t end, enum list_line *got,
                     char **line, size_t *length)
{
	if (l->is_too_long || end - begin > LIST_BYTES_MAX)
		*got = LIST_LINE_TOO_LONG;
	else if (!is_blank(l->bytes + begin, end - begin)) {
		keep_line(l->bytes + begin, end - begin, line, length);
		*got = LIST_LINE_WHOLE;
	}
	l->is_too_long = false;
}

enum list_line list_lines_accept(struct list_lines *l, size_t n, bool ends, char **line,
                                 size_t *length)
{
	enum list_line got = LIST_LINE_NONE;
	size_t begin = 0;

	*line = NULL;
	l->n += n;
	for (size_t i = l->scanned; i < l->n; i++)
		if (l->bytes[i] == '\n') {
			end_line(l, begin, i, &got, line, length);
			begin = i + 1;
		}
	if (ends && (begin < l->n || l->is_too_long)) {
		end_line(l, begin, l->n, &got, line, length);
		begin = l->n;
	}
	if (begin) {
		memmove(l->bytes, l->bytes + begin, l->n - begin);
		l->n -= begin;
	}
	if (l->n > LIST_BYTES_MAX)
		l->is_too_long = true;
	if (l->is_too_long)
		l->n = 0;
	l->scanned = l->n;
	if (got == LIST_LINE_TOO_LONG) {
		free(*line);
		*line = NULL;
	}
	return got;
}
