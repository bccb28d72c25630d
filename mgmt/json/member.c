/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows say which fields there are and of what type; what a value may be is checked here, so that a program that sends a list
 * finds the errors that weir-mgmt would find.
 */
#include "mgmt/json/member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/model.h"
#include "weir/when.h"

#define LABEL_NAME_MAX 31u

/* Any text by any name. */
static const struct record_kind member_labels_kind = { .name = "labels" };
RECORD_KIND(member_body, "member", MEMBER_BODY_ROWS);
RECORD_KIND(member_item, "member of a list", MEMBER_ITEM_ROWS);

static bool is_plain(const char *text, const char *more, size_t most)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	while (text[n] && strchr(more, text[n]))
		n += 1 + strspn(text + n + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-");
	return n > 0 && n <= most && !text[n];
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Labels, sorted by name, as one text. */
static void read_labels(struct field_reader *f, const json_t *given, char out[MEMBER_LABELS_MAX])
{
	const char *names[MEMBER_LABELS_N], *name;
	size_t n = 0, used = 0;
	json_t *value;

	out[0] = '\0';
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		if (n == MEMBER_LABELS_N || !is_plain(name, "", LABEL_NAME_MAX) ||
		    !json_is_string(value) ||
		    !is_plain(json_string_value(value),
		              "ABCDEFGHIJKLMNOPQRSTUVWXYZ/:", MEMBER_LABELS_MAX)) {
			field_refuse(f, "labels",
			             "expected up to %u labels, each a name of a-z, 0-9, '.', '_' "
			             "and '-', and a text of letters, digits and ._-/:",
			             MEMBER_LABELS_N);
			return;
		}
		names[n++] = name;
	}
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n && used < MEMBER_LABELS_MAX; i++)
		used += (size_t)snprintf(out + used, MEMBER_LABELS_MAX - used, "%s%s=%s",
		                         i ? "," : "", names[i],
		                         json_string_value(json_object_get(given, names[i])));
	if (used >= MEMBER_LABELS_MAX)
		field_refuse(f, "labels", "have more than %u bytes together",
		             MEMBER_LABELS_MAX - 1);
}

void member_read_ttl(struct field_reader *f, const char *text, uint32_t *out)
{
	int64_t ms = 0;

	*out = 0;
	if (!text)
		return;
	if (when_duration(text, &ms) || ms < (int64_t)MEMBER_TTL_LEAST_S * 1000 ||
	    ms > (int64_t)MEMBER_TTL_MOST_S * 1000 || ms % 1000)
		field_refuse(f, "ttl", "found \"%s\", expected whole seconds from 5s to 1d", text);
	else
		*out = (uint32_t)(ms / 1000);
}

void member_read_body(struct field_reader *f, const struct member_body *b, struct member_entry *w)
{
	if (b->address && addr_parse(b->address, &w->address))
		field_refuse(f, "address", "found \"%s\", expected an IPv4 or IPv6 address",
		             b->address);
	w->weight = MEMBER_WEIGHT_DEFAULT;
	if (b->weight.known && b->weight.value > MEMBER_WEIGHT_MAX)
		field_refuse(f, "weight", "expected a whole number from 0 to %u",
		             MEMBER_WEIGHT_MAX);
	else if (b->weight.known)
		w->weight = (uint32_t)b->weight.value;
	member_read_ttl(f, b->ttl, &w->ttl_s);
	read_labels(f, b->labels, w->labels);
}

/* The record's text is "rack=7,zone=a": read_labels() let no comma in, and no '=' into a name. */
json_t *member_labels_json(const char *labels)
{
	json_t *object = json_object();
	char text[MEMBER_LABELS_MAX], *save = NULL;

	snprintf(text, sizeof(text), "%s", labels);
	for (char *at = strtok_r(text, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(at, '=');

		if (equals) {
			*equals = '\0';
			json_object_set_new(object, at, json_string(equals + 1));
		}
	}
	return object;
}

void member_read_item(struct field_reader *f, const json_t *item, struct member_entry *w)
{
	struct member_item b;

	field_read(f, json_is_object(item) ? item : NULL, &member_item_kind, &b);
	if (b.id && !model_name_ok(b.id))
		field_refuse(f, "id", "expected a name as a backend has");
	else if (b.id)
		snprintf(w->id, sizeof(w->id), "%s", b.id);
	member_read_body(f, &(struct member_body){ b.address, b.weight, b.ttl, b.labels }, w);
}

json_t *member_item_json(const struct member_entry *w, bool names)
{
	char address[ADDR_TEXT_MAX], ttl[16];
	struct member_item b = { .id = w->id,
		                 .address = addr_text(&w->address, address),
		                 .weight = { true, w->weight },
		                 .ttl = w->ttl_s ? ttl : NULL,
		                 .labels = *w->labels ? member_labels_json(w->labels) : NULL };

	snprintf(ttl, sizeof(ttl), "%us", w->ttl_s);
	json_t *out = record_shown(&member_item_kind, &b);

	if (!names)
		json_object_del(out, "id");
	return out;
}
