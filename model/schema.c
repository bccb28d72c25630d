/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows are texts, as people read them. What the parser needs of a row (kind, parent, place,
 * limits as numbers) is worked out once from these texts, so a row is written in one form only and
 * the two cannot differ.
 */
#include "model/schema.h"

#include <pthread.h>
#include <string.h>

#include "model/quantity.h"

#define SCHEMA_FIELD(id, path_, type_, unit_, default_, limits_, marks_, member_, help_)           \
	{ .path = path_,                                                                           \
	  .type = type_,                                                                           \
	  .unit = unit_,                                                                           \
	  .default_text = default_,                                                                \
	  .limits = limits_,                                                                       \
	  .help = help_,                                                                           \
	  .restart = MARK(marks_ "   ", 'S'),                                                      \
	  .required = MARK(marks_ "   ", 'R'),                                                     \
	  .extent = MARK(marks_ "   ", 'N')   ? EXTENT_NODE                                        \
		    : MARK(marks_ "   ", 'D') ? EXTENT_SITE                                        \
		                              : EXTENT_EVERYWHERE,                                 \
	  .effective = MARK(marks_ "   ", 'E') },
/* Marks are at most three letters, padded with spaces. */
#define MARK(marks, letter)                                                                        \
	((marks)[0] == (letter) || (marks)[1] == (letter) || (marks)[2] == (letter))

const struct model_field model_schema[] = { SCHEMA_ROWS(SCHEMA_FIELD) };
const size_t model_schema_n = SCHEMA_COUNT;

#define IN(of, member)                                                                             \
	{                                                                                          \
		.offset = offsetof(struct of, member), .size = sizeof(((struct of *)0)->member)    \
	}
#define ARRAY(of, member, n_member)                                                                \
	{                                                                                          \
		.offset = offsetof(struct of, member), .size = sizeof(*((struct of *)0)->member),  \
		.count = offsetof(struct of, n_member)                                             \
	}
#define NOWHERE                                                                                    \
	{                                                                                          \
		.size = 0                                                                          \
	}
#define SCHEMA_BEGUN_ROW(id, path_, type_, unit_, default_, limits_, marks_, member_, help_)       \
	{ .member = member_, .sparse = MARK(marks_ "   ", 'O') },

/* What is not worked out from the texts. */
static const struct schema_row begun_rows[] = { SCHEMA_ROWS(SCHEMA_BEGUN_ROW) };

#define SCHEMA_KIND_TYPE(kind, type, expected)     type,
#define SCHEMA_KIND_EXPECTED(kind, type, expected) expected,

static const char *const kind_types[] = { SCHEMA_KINDS(SCHEMA_KIND_TYPE) };
const char *const schema_expected[] = { SCHEMA_KINDS(SCHEMA_KIND_EXPECTED) };

/* A kind's type that ends with a blank is followed by words or the name of a list. */
static enum schema_kind parse_kind_text(const char *type)
{
	for (enum schema_kind kind = 0; kind < KIND_COUNT; kind++) {
		const char *text = kind_types[kind];
		size_t n = strlen(text);

		if (text[n - 1] == ' ' ? !strncmp(type, text, n) : !strcmp(type, text))
			return kind;
	}
	return KIND_COUNT;
}

/* The row whose path, without "[]", is the first @p n bytes of @p path. */
static enum schema_id find_row(const char *path, size_t n)
{
	for (enum schema_id i = 0; i < SCHEMA_COUNT; i++)
		if (strncmp(model_schema[i].path, path, n) == 0 && model_schema[i].path[n] == '\0')
			return i;
	return SCHEMA_TOP;
}

static void fill_row_limits(const struct model_field *field, struct schema_row *row)
{
	char least[QUANTITY_TEXT_MAX] = "";
	const char *dots = strstr(field->limits, "..");
	enum schema_kind kind = row->kind;

	if (!dots || (size_t)(dots - field->limits) >= sizeof(least))
		return;
	if (kind != KIND_DURATION && kind != KIND_RATE && kind != KIND_BITS && kind != KIND_PERCENT)
		kind = KIND_INTEGER; /* of a text's bytes or a list's length */
	memcpy(least, field->limits, (size_t)(dots - field->limits));
	row->limited = quantity_parse(kind, least, &row->least) == 0 &&
	               quantity_parse(kind, dots + 2, &row->most) == 0;
}

/* "reference to sites[]": the row of the list. */
static enum schema_id find_target_row(const char *type)
{
	const char *list = strstr(type, "to ") + strlen("to ");

	return find_row(list, strcspn(list, "["));
}

#define TYPE_BYTES(id, path_, type_, ...) +sizeof(type_) + 1
static char all_words[0 SCHEMA_ROWS(TYPE_BYTES)];

/* "enum a|b" */
static const char *fill_words(const char *type, size_t *used)
{
	const char *words = &all_words[*used];

	for (type += strlen("enum "); *type; type++)
		all_words[(*used)++] = (char)(*type == '|' ? '\0' : *type);
	*used += 2;
	return words;
}

static void append_child(struct schema *s, enum schema_id parent, enum schema_id id)
{
	enum schema_id *last = &s->rows[parent].first_child;

	while (*last != SCHEMA_COUNT)
		last = &s->rows[*last].next;
	*last = id;
	last = &s->rows[parent].first_named;
	while (*last != SCHEMA_COUNT && strcmp(s->rows[*last].name, s->rows[id].name) < 0)
		last = &s->rows[*last].next_named;
	s->rows[id].next_named = *last;
	*last = id;
}

static void fill_schema_row(struct schema *s, enum schema_id id, size_t *n_words)
{
	const struct model_field *field = &model_schema[id];
	struct schema_row *row = &s->rows[id];
	const char *dot = strrchr(field->path, '.');
	size_t n = dot ? (size_t)(dot - field->path) : 0;

	if (n >= 2 && field->path[n - 1] == ']')
		n -= 2;
	*row = begun_rows[id];
	row->kind = parse_kind_text(field->type);
	if (row->kind == KIND_REFERENCE || row->kind == KIND_REFERENCES)
		row->target = find_target_row(field->type);
	if (row->kind == KIND_ENUM)
		row->words = fill_words(field->type, n_words);
	row->name = dot ? dot + 1 : field->path;
	row->parent = dot ? find_row(field->path, n) : SCHEMA_TOP;
	row->position = s->rows[row->parent].n_children++;
	row->first_child = row->next = row->first_named = SCHEMA_COUNT;
	append_child(s, row->parent, id);
	row->effective = field->effective;
	fill_row_limits(field, row);
}

static struct schema the_schema;

static void schema_fill(void)
{
	size_t n_words = 0; /* bytes */

	the_schema.rows[SCHEMA_TOP].kind = KIND_GROUP;
	the_schema.rows[SCHEMA_TOP].name = "";
	the_schema.rows[SCHEMA_TOP].first_child = the_schema.rows[SCHEMA_TOP].first_named =
	        SCHEMA_COUNT;
	for (enum schema_id i = 0; i < SCHEMA_COUNT; i++)
		fill_schema_row(&the_schema, i, &n_words);
}

const struct schema *schema(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, schema_fill);
	return &the_schema;
}

const char *schema_word(enum schema_id id, uint64_t i)
{
	const char *word = schema()->rows[id].words;

	for (; i > 0 && *word; i--)
		word += strlen(word) + 1;
	return *word ? word : NULL;
}

enum schema_id schema_find(enum schema_id parent, const char *name)
{
	const struct schema_row *rows = schema()->rows;
	enum schema_id id = rows[parent].first_child;

	while (id != SCHEMA_COUNT && strcmp(rows[id].name, name) != 0)
		id = rows[id].next;
	return id;
}
