/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words become an item of a list, and that is read by the rows of the API: so what weir-mgmt would refuse is refused
 * before anything is sent, in its words.
 */
#include "mgmt/cli/members/register.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool register_host_id(const char *host, char id[MODEL_NAME_MAX])
{
	size_t n = 0;

	for (; *host && *host != '.' && n < MODEL_NAME_MAX - 1; host++) {
		char c = *host >= 'A' && *host <= 'Z' ? (char)(*host - 'A' + 'a') : *host;
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (is_plain || n > 0)
			id[n++] = is_plain || c == '_' ? c : '-';
	}
	id[n] = '\0';
	return n > 0;
}

/* "rack=7,zone=a" as an object; NULL: a part has no name or no value, or a name is twice. */
static json_t *read_label_words(const char *text)
{
	json_t *labels = json_object();

	while (*text) {
		size_t n = strcspn(text, ","), n_name = strcspn(text, "=");
		char name[MEMBER_LABELS_MAX];

		if (!n_name || n_name >= n || n_name >= sizeof(name))
			break;
		memcpy(name, text, n_name);
		name[n_name] = '\0';
		if (json_object_get(labels, name) ||
		    json_object_set_new(labels, name,
		                        json_stringn(text + n_name + 1, n - n_name - 1)))
			break;
		text += n + (text[n] == ',' && text[n + 1]);
	}
	if (!*text)
		return labels;
	json_decref(labels);
	return NULL;
}

/* A number as JSON; what is none stays a text, which the rows refuse. */
static json_t *read_number(const char *text)
{
	size_t n = strlen(text);

	return n && n < 10 && strspn(text, "0123456789") == n ? json_integer(atol(text))
	                                                      : json_string(text);
}

bool register_read(const struct register_words *words, struct member_entry *w, char *error,
                   size_t size)
{
	json_t *item = JSON_TEXTS({ "id", words->id }, { "address", words->address },
	                          { "ttl", words->ttl });
	json_t *labels = words->labels ? read_label_words(words->labels) : NULL;
	struct field_reader f;

	if (!item || (words->labels && !labels)) {
		snprintf(error, size, "%s",
		         item ? "labels: expected NAME=VALUE,..., each name once"
		              : "the arguments are not UTF-8");
		json_decref(item);
		json_decref(labels);
		return false;
	}
	if (words->weight)
		item = json_with(item, "weight", read_number(words->weight));
	if (labels)
		item = json_with(item, "labels", labels);
	*w = (struct member_entry){ .leaves = false };
	member_read_item(&f, item, w);
	bool ok = field_close(&f);

	if (!ok) {
		const json_t *first = json_array_get(f.errors, 0);

		snprintf(error, size, "%s: %s", json_text_of(first, "field"),
		         json_text_of(first, "detail"));
		json_decref(f.errors);
	}
	json_decref(item);
	return ok;
}
