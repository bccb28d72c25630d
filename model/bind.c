/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Walks the tree and the schema side by side. The kind of a row chooses the reader of its value, so
 * this file knows no field by name: a new setting of a known kind is a row in schema.h and nothing
 * here. A value that is wrong is reported and skipped, and the walk goes on, so that one reading
 * finds all errors.
 */
#include "model/bind.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "model/quantity.h"

#define ERROR_TEXT_MAX 512 /* bytes of a message */

/* One value being read. */
struct bind_spot {
	const struct bind *b;
	enum schema_id id;
	const struct tree *node;
};

/* Report @p node, or the missing @p name of it. */
__attribute__((format(printf, 4, 0))) static void report_node(const struct bind *b,
                                                              const struct tree *node,
                                                              const char *name, const char *format,
                                                              va_list args)
{
	char path[TREE_PATH_MAX], text[ERROR_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, args);
	errors_add(b->errors, node->at, tree_path(node, name, path), "%s", text);
}

__attribute__((format(printf, 3, 4))) static void
add_value_error(const struct bind_spot *s, const struct tree *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report_node(s->b, node, NULL, format, args);
	va_end(args);
}

/* Describe a value that was found, for an error message. */
static const char *describe_found(const struct tree *node, char text[96])
{
	if (node->kind == TREE_TEXT)
		snprintf(text, 96, "\"%.80s\"", node->text);
	else if (node->kind == TREE_INTEGER)
		snprintf(text, 96, "%" PRId64, node->integer);
	else if (node->kind == TREE_BOOLEAN)
		snprintf(text, 96, "%s", node->integer ? "true" : "false");
	else
		snprintf(text, 96, "%s", tree_kind_text(node->kind));
	return text;
}

static void add_found_error(const struct bind_spot *s, const struct tree *node, const char *what)
{
	char text[96];

	add_value_error(s, node, "found %s, expected %s", describe_found(node, text), what);
}

static void add_type_error(const struct bind_spot *s, const struct tree *node)
{
	add_found_error(s, node, schema_expected[schema()->rows[s->id].kind]);
}

static bool in_limits(const struct bind_spot *s, const struct tree *node, uint64_t n,
                      const char *what)
{
	const struct schema_row *row = &schema()->rows[s->id];

	if (!row->limited || (n >= row->least && n <= row->most))
		return true;
	if (what[0])
		add_value_error(s, node, "has %" PRIu64 " %s, expected %s", n, what,
		                model_schema[s->id].limits);
	else
		add_found_error(s, node, model_schema[s->id].limits);
	return false;
}

/* Lower case, without the final dot. */
static const char *domain_text(struct arena *arena, const char *text)
{
	char *out = arena_strdup(arena, text);

	if (!out)
		return NULL;
	for (char *p = out; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	size_t n = strlen(out);
	if (n > 1 && out[n - 1] == '.')
		out[n - 1] = '\0';
	return out;
}

static bool is_printable_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_interface(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isgraph((unsigned char)*p) || *p == '/' || *p == ':')
			return false;
	return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* Labels of letters, digits, '-' and '_', 1 to 63 long, 253 in all (RFC 1035, 2.3.4). */
static bool is_domain(const char *text)
{
	size_t label = 0, n = 0;

	for (; text[n]; n++) {
		char c = text[n];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!isalnum((unsigned char)c) && c != '-' && c != '_') {
			return false;
		} else if (++label > 63) {
			return false;
		}
	}
	return n >= 1 && n <= 253;
}

/* "https://HOST:PORT": without the port nobody could listen there. */
static bool is_url(const char *text)
{
	static const char scheme[] = "https://";
	const char *host = text + strlen(scheme);

	if (text[0] == '\0')
		return true;
	if (strncmp(text, scheme, strlen(scheme)) != 0 || !is_printable_text(text) ||
	    strchr(text, ' '))
		return false;
	const char *colon = strrchr(host, ':');
	bool has_host = colon && colon > host &&
	                (strchr(host, ':') == colon || (host[0] == '[' && colon[-1] == ']'));
	size_t n_digits = has_host ? strspn(colon + 1, "0123456789") : 0;

	return n_digits > 0 && n_digits <= 5 && colon[1 + n_digits] == '\0' &&
	       strtoul(colon + 1, NULL, 10) - 1 < 65535;
}

/*
 * Whether a text has the form of its kind; every text has, for a kind without a form. A form is about
 * bytes alone: limits on the length are the row's, and whether a name refers to something is for
 * build.c.
 */
static bool has_form(enum schema_kind kind, const char *text)
{
	switch (kind) {
	case KIND_NAME:
	case KIND_REFERENCE:
	case KIND_REFERENCES:
		return model_name_ok(text);
	case KIND_INTERFACE:
		return is_interface(text);
	case KIND_DOMAIN:
		return is_domain(text);
	case KIND_URL:
		return is_url(text);
	case KIND_PATH:
		return text[0] != '\0' && is_printable_text(text);
	case KIND_TEXT:
		return is_printable_text(text);
	default:
		return true;
	}
}

static bool bind_text(const struct bind_spot *s, struct value *v)
{
	enum schema_kind kind = schema()->rows[s->id].kind;

	if (s->node->kind != TREE_TEXT || !has_form(kind, s->node->text)) {
		add_type_error(s, s->node);
		return false;
	}
	if (!in_limits(s, s->node, strlen(s->node->text), "bytes"))
		return false;
	v->text = kind == KIND_DOMAIN ? domain_text(s->b->arena, s->node->text) : s->node->text;
	return v->text != NULL;
}

/* Integers stand bare, quantities quoted with a unit. DNS knows whole seconds only. */
static bool bind_quantity(const struct bind_spot *s, struct value *v)
{
	enum schema_kind kind = schema()->rows[s->id].kind;
	int err = -EINVAL;

	if (kind == KIND_INTEGER && s->node->kind == TREE_INTEGER && s->node->integer >= 0) {
		v->n = (uint64_t)s->node->integer;
		err = 0;
	} else if (kind != KIND_INTEGER && s->node->kind == TREE_TEXT) {
		err = quantity_parse(kind, s->node->text, &v->n);
	}
	if (err) {
		add_type_error(s, s->node);
		return false;
	}
	if (!in_limits(s, s->node, v->n, ""))
		return false;
	if (strcmp(model_schema[s->id].unit, "s") == 0 && v->n % 1000 != 0) {
		add_value_error(s, s->node, "found \"%s\", expected whole seconds", s->node->text);
		return false;
	}
	return true;
}

static bool bind_time(const struct bind_spot *s, struct value *v)
{
	int64_t ms = MODEL_TIME_NEVER;

	if (s->node->kind != TREE_TEXT ||
	    (strcmp(s->node->text, "never") != 0 && clock_parse(s->node->text, &ms) != 0)) {
		add_type_error(s, s->node);
		return false;
	}
	v->n = (uint64_t)ms;
	return true;
}

/* A wrong word is answered with all right ones, and with the one that was probably meant. */
static bool bind_enum(const struct bind_spot *s, struct value *v)
{
	const char *given = s->node->kind == TREE_TEXT ? s->node->text : "", *word;
	char found[96], suggestion[SUGGEST_TEXT_MAX];
	struct suggest_best suggest = { .given = given };

	for (; (word = schema_word(s->id, v->n)); v->n++) {
		if (!strcmp(given, word))
			return true;
		suggest_try(&suggest, word);
	}
	add_value_error(s, s->node, "found %s, expected one of %s%s",
	                describe_found(s->node, found), model_schema[s->id].type + strlen("enum "),
	                suggest_text(&suggest, suggestion));
	v->n = 0;
	return false;
}

static bool bind_address(const struct bind_spot *s, const struct tree *node, struct prefix *out)
{
	bool is_address = node->kind == TREE_TEXT && addr_parse(node->text, &out->addr) == 0;

	if (is_address && addr_is_host(&out->addr))
		return true;
	add_found_error(s, node,
	                is_address ? "the address of one host" : schema_expected[KIND_ADDRESS]);
	return false;
}

static bool bind_prefix(const struct bind_spot *s, const struct tree *node, struct prefix *out)
{
	if (node->kind == TREE_TEXT && prefix_parse(node->text, out) == 0)
		return true;
	add_found_error(s, node, "a prefix such as \"192.0.2.0/24\" with no host bits set");
	return false;
}

/* Read the MAC address of one host into the first six bytes of an address. */
static bool bind_mac(const struct bind_spot *s, const struct tree *node, struct prefix *out)
{
	uint8_t mac[6], any = 0;
	unsigned at[6];
	char end;

	memset(out, 0, sizeof(*out));
	if (node->kind == TREE_TEXT && strlen(node->text) == 17 &&
	    strspn(node->text, "0123456789abcdefABCDEF:") == 17 &&
	    sscanf(node->text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &at[0], &at[1], &at[2], &at[3], &at[4],
	           &at[5], &end) == 6) {
		for (int i = 0; i < 6; i++)
			any |= mac[i] = (uint8_t)at[i];
		memcpy(out->addr.bytes, mac, sizeof(mac));
		if (any && !(mac[0] & 1))
			return true;
	}
	add_found_error(s, node, "the MAC address of one host such as \"02:00:00:00:00:01\"");
	return false;
}

static bool bind_name(const struct bind_spot *s, const struct tree *node, const char **out)
{
	*out = node->text;
	if (node->kind == TREE_TEXT && has_form(KIND_REFERENCES, node->text))
		return true;
	add_found_error(s, node, schema_expected[KIND_NAME]);
	return false;
}

static bool bind_entry(const struct bind_spot *s, const struct tree *node, struct list_entry *out)
{
	switch (schema()->rows[s->id].kind) {
	case KIND_PREFIXES:
		return bind_prefix(s, node, &out->prefix);
	case KIND_MACS:
		return bind_mac(s, node, &out->prefix);
	case KIND_REFERENCES:
		return bind_name(s, node, &out->name);
	default:
		return bind_address(s, node, &out->prefix);
	}
}

/* Whether it is a list of as many entries as there may be. */
static bool is_fitting_list(const struct bind_spot *s)
{
	if (s->node->kind == TREE_LIST)
		return in_limits(s, s->node, s->node->n_children, "entries");
	add_type_error(s, s->node);
	return false;
}

static bool bind_entries(const struct bind_spot *s, struct value *v)
{
	bool ok = true;
	const struct tree *list = s->node;

	if (!is_fitting_list(s))
		return false;
	struct list_entry *entries =
	        ARENA_ARRAY(s->b->arena, struct list_entry, list->n_children + 1);
	if (!entries)
		return false;
	for (const struct tree *child = list->children; child; child = child->next)
		ok &= bind_entry(s, child, &entries[child->position]);
	v->entries = entries;
	v->count = list->n_children;
	return ok;
}

static bool bind_group(const struct bind *b, const struct tree *node, enum schema_id group,
                       struct item *item);

static bool bind_subgroup(const struct bind_spot *s, struct value *v)
{
	struct item *item = ARENA_ARRAY(s->b->arena, struct item, 1);

	if (!item)
		return false;
	if (s->node->kind != TREE_GROUP) {
		add_type_error(s, s->node);
		return false;
	}
	v->items = item;
	v->count = 1;
	return bind_group(s->b, s->node, s->id, item);
}

/*
 * A wrong group does not end the list: the errors in the others are found, too. But groups beyond the list's limit are
 * not read: what they would take has no bound, and rules between entries compare each with each.
 */
static bool bind_groups(const struct bind_spot *s, struct value *v)
{
	const struct schema_row *row = &schema()->rows[s->id];
	const struct tree *list = s->node;
	struct bind whole = *s->b;
	bool ok = is_fitting_list(s);
	uint32_t n = 0, most = list->n_children;

	if (list->kind != TREE_LIST)
		return false;
	whole.partial = false;
	if (row->limited && most > row->most)
		most = (uint32_t)row->most;
	struct item *items = ARENA_ARRAY(s->b->arena, struct item, most + 1);
	if (!items)
		return false;
	for (const struct tree *child = list->children; child && child->position < most;
	     child = child->next) {
		if (child->kind != TREE_GROUP) {
			add_found_error(s, child, schema_expected[KIND_GROUP]);
			ok = false;
			continue;
		}
		ok &= bind_group(&whole, child, s->id, &items[n++]);
	}
	v->items = items;
	v->count = n;
	return ok;
}

/* The table of readers, one for each kind. */
static bool bind_read_value(const struct bind_spot *s, struct value *v)
{
	switch (schema()->rows[s->id].kind) {
	case KIND_GROUP:
		return bind_subgroup(s, v);
	case KIND_GROUPS:
		return bind_groups(s, v);
	case KIND_ADDRESS:
		return bind_address(s, s->node, &v->prefix);
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		return bind_entries(s, v);
	case KIND_DURATION:
	case KIND_RATE:
	case KIND_BITS:
	case KIND_PERCENT:
	case KIND_INTEGER:
	case KIND_NUMBER:
		return bind_quantity(s, v);
	case KIND_TIME:
		return bind_time(s, v);
	case KIND_BOOLEAN:
		v->n = (uint64_t)s->node->integer;
		if (s->node->kind != TREE_BOOLEAN)
			add_type_error(s, s->node);
		return s->node->kind == TREE_BOOLEAN;
	case KIND_ENUM:
		return bind_enum(s, v);
	default:
		return bind_text(s, v);
	}
}

/* The members of a missing group still have their defaults. */
static void bind_empty_group(const struct bind *b, const struct tree *parent, enum schema_id id,
                             struct value *v)
{
	struct tree *node = ARENA_ARRAY(b->arena, struct tree, 1);
	struct item *item = ARENA_ARRAY(b->arena, struct item, 1);

	if (!node || !item)
		return;
	*node = (struct tree){ .kind = TREE_GROUP,
		               .name = schema()->rows[id].name,
		               .parent = parent,
		               .at = parent->at };
	v->items = item;
	v->count = 1;
	v->ok = bind_group(b, node, id, item);
}

/* Fill in the schema's default. Defaults are valid, because a test of the schema checks them. */
static void bind_default(const struct bind *b, enum schema_id id, struct value *v)
{
	const struct schema_row *row = &schema()->rows[id];
	const char *text = model_schema[id].default_text;
	struct tree node = { .kind = TREE_TEXT, .text = text };
	const struct bind_spot s = { b, id, &node };

	v->text = text;
	v->ok = true;
	if (text[0] == '\0')
		return;
	if (row->kind == KIND_INTEGER)
		quantity_parse(KIND_INTEGER, text, &v->n);
	else if (row->kind == KIND_BOOLEAN)
		v->n = strcmp(text, "true") == 0;
	else
		v->ok = bind_read_value(&s, v);
}

/* Find the row of each child, and report children that have none. */
static void assign_children(const struct bind *b, const struct tree *node, enum schema_id group,
                            struct value *values)
{
	const struct schema_row *rows = schema()->rows;

	for (const struct tree *child = node->children; child; child = child->next) {
		enum schema_id id = schema_find(group, child->name);
		struct suggest_best suggest = { .given = child->name };
		char path[TREE_PATH_MAX], text[SUGGEST_TEXT_MAX];

		if (id != SCHEMA_COUNT && (b->effective || !rows[id].effective)) {
			values[rows[id].position].node = child;
			continue;
		}
		for (id = rows[group].first_child; id != SCHEMA_COUNT; id = rows[id].next)
			if (b->effective || !rows[id].effective)
				suggest_try(&suggest, rows[id].name);
		errors_add(b->errors, child->at, tree_path(child, NULL, path),
		           "there is no such setting%s", suggest_text(&suggest, text));
	}
}

/* A missing group is bound as an empty one, so that the defaults of its rows hold. */
static bool bind_row(const struct bind *b, const struct tree *node, enum schema_id id,
                     struct value *v)
{
	bool applies = b->effective || !schema()->rows[id].effective;
	const struct bind_spot s = { b, id, v->node };
	char path[TREE_PATH_MAX];

	if (v->node) {
		v->ok = bind_read_value(&s, v);
		return v->ok;
	}
	if (model_schema[id].required && applies && !b->partial) {
		errors_add(b->errors, node->at, tree_path(node, schema()->rows[id].name, path),
		           "is missing, expected %s",
		           schema()->rows[id].kind == KIND_ENUM
		                   ? model_schema[id].type + strlen("enum ")
		                   : schema_expected[schema()->rows[id].kind]);
		return false;
	}
	if (schema()->rows[id].kind == KIND_GROUP && applies)
		bind_empty_group(b, node, id, v);
	else
		bind_default(b, id, v);
	return true;
}

static bool bind_group(const struct bind *b, const struct tree *node, enum schema_id group,
                       struct item *item)
{
	const struct schema_row *rows = schema()->rows;
	struct value *values = ARENA_ARRAY(b->arena, struct value, rows[group].n_children);
	bool ok = true;

	*item = (struct item){ node, group, values };
	if (!values)
		return false;
	if (node->n_children)
		assign_children(b, node, group, values);
	for (enum schema_id id = rows[group].first_child; id != SCHEMA_COUNT; id = rows[id].next)
		ok &= bind_row(b, node, id, &values[rows[id].position]);
	return ok;
}

const struct item *bind_document(const struct bind *b, const struct tree *top)
{
	struct item *item = ARENA_ARRAY(b->arena, struct item, 1);

	if (!item)
		return NULL;
	bind_group(b, top, SCHEMA_TOP, item);
	return arena_failed(b->arena) ? NULL : item;
}

bool bind_object(const struct bind *b, const struct tree *node, enum schema_id group,
                 struct item *item)
{
	return bind_group(b, node, group, item);
}

const struct value *bind_value(const struct item *item, enum schema_id id)
{
	return &item->values[schema()->rows[id].position];
}

void bind_error(const struct bind *b, const struct item *item, enum schema_id id,
                const char *format, ...)
{
	const struct value *v = bind_value(item, id);
	va_list args;

	va_start(args, format);
	if (v->node)
		report_node(b, v->node, NULL, format, args);
	else
		report_node(b, item->node, schema()->rows[id].name, format, args);
	va_end(args);
}

void bind_entry_error(const struct bind *b, const struct item *item, enum schema_id id, uint32_t i,
                      const char *format, ...)
{
	const struct tree *entry = bind_value(item, id)->node->children;
	va_list args;

	while (entry->position < i)
		entry = entry->next;
	va_start(args, format);
	report_node(b, entry, NULL, format, args);
	va_end(args);
}
