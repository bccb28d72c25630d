/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An object becomes a flat JSON object, {row: value}; so two versions are compared row by row, whatever an object's kind. A mark
 * is BEGIN-KNOWN-AT-ROWS: the numbers of three versions, and which rows are found, a bit for each; "~" in place of the second "-"
 * says that there was a version that could not be read.
 */
#include "mgmt/json/blame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/json/setting.h"

/* --- rows --- */

static bool is_list_of_groups(const json_t *value)
{
	return json_is_object(json_array_get(value, 0));
}

static json_t *show_value(const json_t *value);

static json_t *show_names(const json_t *list)
{
	json_t *names = json_array(), *one;
	size_t i;

	json_array_foreach(list, i, one)
	        json_array_append_new(names, json_string(setting_element_name(one)));
	return names;
}

static json_t *show_group(const json_t *group)
{
	json_t *out = json_object(), *one;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)group, name, one)
	        json_object_set_new(out, name, show_value(one));
	return out;
}

/* A value without what has rows of its own: of groups in a list their names. */
static json_t *show_value(const json_t *value)
{
	if (is_list_of_groups(value))
		return show_names(value);
	return json_is_object(value) ? show_group(value) : json_incref((json_t *)(uintptr_t)value);
}

static const char *join_row(const char *row, const char *name, char out[OBJECT_PATH_MAX])
{
	snprintf(out, OBJECT_PATH_MAX, "%s%s%s", row, *row ? "/" : "", name);
	return out;
}

/* Add the rows of @p value: of its settings, or of the elements of lists in it. */
static void add_rows(json_t *rows, const char *row, const json_t *value, bool elements)
{
	char below[OBJECT_PATH_MAX];
	const char *name;
	json_t *one;
	size_t i;

	if (!json_is_object(value) && !elements)
		json_object_set_new(rows, row, show_value(value));
	json_object_foreach((json_t *)(uintptr_t)value, name, one)
	        add_rows(rows, join_row(row, name, below), one, elements);
	if (elements && is_list_of_groups(value))
		json_array_foreach(value, i, one) json_object_set_new(
		        rows, join_row(row, setting_element_name(one), below), show_value(one));
}

/* All rows of the setting; none: it is not there. */
static json_t *make_rows(const json_t *object, const char *setting)
{
	const json_t *target = setting_find(object, setting, NULL);
	json_t *rows = json_object();

	if (!target || !rows)
		return rows;
	json_object_set_new(rows, "", show_value(target));
	add_rows(rows, "", target, false);
	add_rows(rows, "", target, true);
	return rows;
}

/* Of an object or a group itself it counts only that it is there. */
static bool is_same(const char *row, const json_t *a, const json_t *b)
{
	if (!a || !b)
		return !a && !b;
	return (!*row && json_is_object(a) && json_is_object(b)) || json_equal(a, b);
}

int blame_begin(struct blame *b, const json_t *object, const char *setting)
{
	memset(b, 0, sizeof(*b));
	b->setting = setting;
	b->now = make_rows(object, setting);
	if (!b->now)
		return -ENOMEM;
	if (json_object_size(b->now) == 0) /* it is not there: one row, to say since when */
		json_object_set_new(b->now, "", json_null());
	b->n_rows = json_object_size(b->now);
	if (b->n_rows > BLAME_ROWS_MAX) {
		b->n_more = b->n_rows - BLAME_ROWS_MAX;
		b->n_rows = BLAME_ROWS_MAX;
	}
	b->n_open = b->n_rows;
	return 0;
}

json_t *blame_now(const struct blame *b, const char *row)
{
	json_t *value = json_object_get(b->now, row);

	return json_is_null(value) ? NULL : value; /* no setting is null */
}

bool blame_is_nothing(const struct blame *b)
{
	return b->is_at_end && b->n_rows == 1 && b->n_open == 1 && !blame_now(b, "");
}

/* --- the walk --- */

/* Compare with an older version's object; NULL: it has none. */
static void look_at(struct blame *b, const json_t *object)
{
	json_t *older = make_rows(object, b->setting), *value;
	const char *row;
	size_t i = 0;

	json_object_foreach(b->now, row, value)
	{
		json_t *from = json_object_get(older, row);

		if (i == b->n_rows)
			break;
		if (!b->is_found[i] && older && !is_same(row, blame_now(b, row), from)) {
			b->found[b->n_found++] = (struct blame_found){
				.row = row,
				.from = json_incref(from),
				.version = b->known,
				.is_certain = !b->has_gap,
			};
			b->is_found[i] = true;
			b->n_open--;
		}
		i++;
	}
	json_decref(older);
}

/* Read the next version, and compare. */
static void read_next(struct blame *b, const struct version *v, const struct blame_reader *reader)
{
	struct blame_unread *unread = &b->unread[b->n_unread];
	json_t *object = NULL;

	b->at++;
	if (reader->read(reader->arg, v, &object, unread->reason, sizeof(unread->reason))) {
		unread->version = b->at;
		b->n_unread++;
		b->has_gap = true;
		return;
	}
	look_at(b, object);
	b->known = b->at;
	json_decref(object);
}

void blame_walk(struct blame *b, const struct version *list, size_t n,
                const struct blame_reader *reader)
{
	unsigned n_reads = 0;

	while (b->n_open > 0 && b->at + 1 < n) {
		const struct version *next = &list[b->at + 1];

		if (!strcmp(next->digest, list[b->known].digest)) {
			b->known = ++b->at;
			continue;
		}
		if (n_reads == BLAME_READS_MAX ||
		    (n_reads > 0 && reader->may_go_on && !reader->may_go_on(reader->arg)))
			return;
		read_next(b, next, reader);
		n_reads++;
	}
	b->is_at_end = b->at + 1 >= n;
	if (b->is_at_end && n > 0 && !*list[n - 1].parent)
		look_at(b, NULL); /* nothing was before the first */
}

void blame_fini(struct blame *b)
{
	for (size_t i = 0; i < b->n_found; i++)
		json_decref(b->found[i].from);
	json_decref(b->now);
}

/* --- marks --- */

void blame_mark(const struct blame *b, const struct version *list, char out[BLAME_MARK_MAX])
{
	size_t n = (size_t)snprintf(out, BLAME_MARK_MAX, "%" PRIu64 "-%" PRIu64 "%c%" PRIu64 "-",
	                            list[0].number, list[b->known].number, b->has_gap ? '~' : '-',
	                            list[b->at].number);

	for (size_t i = 0; i < b->n_rows && n + 1 < BLAME_MARK_MAX; i += 4) {
		unsigned digit = 0;

		for (size_t k = i; k < i + 4 && k < b->n_rows; k++)
			digit |= (unsigned)b->is_found[k] << (k - i);
		out[n++] = "0123456789abcdef"[digit];
	}
	out[n] = '\0';
}

/* Read a number and the character behind it, which is one of @p ends. @return the number; 0: it is none */
static uint64_t read_number(const char **at, const char *ends)
{
	size_t n = strspn(*at, "0123456789");
	uint64_t number = n > 0 && n < 20 ? strtoull(*at, NULL, 10) : 0;

	if (!number || !(*at)[n] || !strchr(ends, (*at)[n]))
		return 0;
	*at += n + 1;
	return number;
}

uint64_t blame_mark_begin(const char *mark)
{
	return read_number(&mark, "-");
}

size_t blame_find(const struct version *list, size_t n, uint64_t number)
{
	size_t i = 0;

	while (i < n && list[i].number != number)
		i++;
	return i;
}

/* Read which rows are found. */
static bool read_rows(struct blame *b, const char *digits)
{
	static const char hex[] = "0123456789abcdef";

	if (strlen(digits) != (b->n_rows + 3) / 4 || digits[strspn(digits, hex)])
		return false;
	for (size_t i = 0; i < b->n_rows; i++) {
		unsigned digit = (unsigned)(strchr(hex, digits[i / 4]) - hex);

		b->is_found[i] = digit >> (i % 4) & 1;
		b->n_open -= b->is_found[i];
	}
	return true;
}

bool blame_resume(struct blame *b, const struct version *list, size_t n, const char *mark)
{
	uint64_t begin = read_number(&mark, "-"), known = begin ? read_number(&mark, "-~") : 0;
	bool has_gap = known && mark[-1] == '~';
	uint64_t at = known ? read_number(&mark, "-") : 0;

	b->known = blame_find(list, n, known);
	b->at = blame_find(list, n, at);
	b->has_gap = has_gap;
	return n > 0 && at && list[0].number == begin && b->at < n && b->known <= b->at &&
	       read_rows(b, mark);
}
