/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Documents are in libconfig's syntax, but the reader is our own: libconfig stops at the first
 * error, has no limits of size and crashes without memory. No process links it; one test does, as
 * the reference (tests/unit/model/test_tree.c).
 *
 * read_next() finds tokens, over all files; a function for each rule of the grammar (scan.h) takes
 * them and hangs what it reads into the tree. A wrong token ends the reading (broken), because what
 * follows would only be noise; a wrong value does not. A broken text has no more tokens, so that
 * each rule ends by itself.
 */
#include "model/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/escape.h"
#include "model/load.h"

const struct scan_limits scan_config_limits = { SCAN_CONFIG_MAX, SCAN_SETTINGS_MAX };
const struct scan_limits scan_effective_limits = { SCAN_EFFECTIVE_MAX,
	                                           SCAN_EFFECTIVE_SETTINGS_MAX };

/* A file that is being read. */
struct scan_cursor {
	const char *at, *end;
	const char *file;
	unsigned line;
	bool line_is_blank; /* nothing but blanks and comments so far on this line */
	char *bytes;        /* of an include, to be freed; else NULL */
	uint32_t source;    /* in the record */
};

/* A bracket or a separator is a token by its character; ":" is one by "=". */
enum scan_token {
	SCAN_END = '\0', /* of the document, or of what can be read of it */
	SCAN_NAME = 'n',
	SCAN_INTEGER = '0',
	SCAN_BOOLEAN = 'b',
	SCAN_TEXT = '"',
};

struct scan_reader {
	struct document_scan *s;
	struct scan_cursor files[SCAN_INCLUDE_DEPTH + 1]; /* each included by the one before */
	struct scan_cursor *t;                            /* the innermost */
	size_t n_files, n_bytes;
	bool broken;

	int token;         /* the present one */
	uint32_t n_tokens; /* so far, with it */
	const char *first; /* it is from here to the cursor */
	char text[SCAN_TEXT_MAX + 1];
	size_t n_text;

	model_named_file *found; /* include no file, tell its name */
	void *arg;
	int err; /* of found */

	unsigned n_open; /* brackets */
	uint32_t n_nodes;
	struct tree spare; /* in place of one that found no memory */
};

static struct where scan_position(const struct scan_reader *r)
{
	return (struct where){ r->t->file, r->t->line };
}

static void add_scan_error(struct scan_reader *r, const char *message)
{
	errors_add(r->s->errors, scan_position(r), "", "%s", message);
}

/* Whether nothing more can be read. Who looks at tokens alone has no arena. */
static bool is_over(const struct scan_reader *r)
{
	return r->broken || (r->s->arena && arena_failed(r->s->arena));
}

/* What is shown of the present token. */
static int shown_length(const struct scan_reader *r)
{
	return r->t->at - r->first > 40 ? 40 : (int)(r->t->at - r->first);
}

/* The present token is not what the grammar has here. */
static void refuse_token(struct scan_reader *r, const char *expected)
{
	if (is_over(r))
		return;
	if (r->token == SCAN_END)
		errors_add(r->s->errors, scan_position(r), "",
		           "syntax error: the document ends, expected %s", expected);
	else
		errors_add(r->s->errors, scan_position(r), "",
		           "syntax error: found %.*s, expected %s", shown_length(r), r->first,
		           expected);
	r->broken = true;
	r->token = SCAN_END;
}

static void new_line(struct scan_cursor *t)
{
	t->line++;
	t->line_is_blank = true;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scan_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool starts_with(const struct scan_cursor *t, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(t->end - t->at) >= n && memcmp(t->at, word, n) == 0;
}

static void skip_line_comment(struct scan_cursor *t)
{
	while (t->at < t->end && *t->at != '\n')
		t->at++;
}

/* What follows cannot be understood. */
static void break_off(struct scan_reader *r, const char *message)
{
	add_scan_error(r, message);
	r->broken = true;
}

static void skip_block_comment(struct scan_reader *r)
{
	struct scan_cursor *t = r->t;
	unsigned first = t->line;

	for (t->at += 2; t->at < t->end && !starts_with(t, "*/"); t->at++)
		if (*t->at == '\n')
			new_line(t);
	if (t->at < t->end) {
		t->at += 2;
		return;
	}
	t->line = first;
	break_off(r, "a comment begins here and has no end: expected */");
}

/*
 * Read a quoted text, the cursor at its opening quote. @return false after reporting an error; the
 * cursor is then behind the text or at the line's end
 */
static bool read_quoted(struct scan_reader *r)
{
	struct scan_cursor *t = r->t;
	const char *wrong = NULL;

	r->n_text = 0;
	for (t->at++; t->at < t->end && *t->at != '"' && *t->at != '\n';) {
		int byte = (unsigned char)*t->at++;

		if (byte == '\\')
			byte = escape_read(&t->at, t->end);
		else if (byte < 0x20)
			byte = -1;
		if (byte < 0)
			wrong = "a text holds a control character or an unknown escape; known are "
			        "\\\" \\\\ \\n \\t \\r \\f and \\x01 to \\xff";
		else if (r->n_text < SCAN_TEXT_MAX)
			r->text[r->n_text++] = (char)byte;
		else
			wrong = "a text is longer than 4096 bytes";
	}
	if (t->at == t->end || *t->at == '\n') {
		break_off(r, "a text has no end on this line: expected \"");
		return false;
	}
	t->at++;
	r->text[r->n_text] = '\0';
	if (wrong)
		add_scan_error(r, wrong);
	return !wrong;
}

/* A file that cannot be read may be the reader's fault (rights, memory) and not the document's. */
static void note_scan_failure(struct document_scan *s, int err)
{
	s->errors->denied |= err == -EACCES;
	if (err == -ENOMEM)
		arena_fail(s->arena);
}

/* Record a file that begins; what it is included by is still the present one. @return its index */
static uint32_t record_source(const struct scan_reader *r, struct scan_source source)
{
	struct scan_record *record = r->s->record;

	if (!record)
		return 0;
	if (!record->sources)
		record->sources = calloc(SCAN_FILES_MAX + 1, sizeof(*record->sources));
	if (!record->sources) {
		arena_fail(r->s->arena);
		return 0;
	}
	record->sources[record->n_sources] = source;
	return (uint32_t)record->n_sources++;
}

static void begin_file(struct scan_reader *r, struct scan_cursor *t, const char *name,
                       const char *text, size_t n)
{
	struct scan_source source = { .name = name, .bytes = text, .n = n };

	if (t > r->files) {
		source.included = scan_position(r);
		source.parent = r->t->source;
	}
	*t = (struct scan_cursor){
		.at = text, .end = text + n, .file = name, .line = 1, .line_is_blank = true
	};
	t->source = record_source(r, source);
	r->t = t;
	r->n_bytes += n;
}

/* Go on in the file that the present one is included by. */
static void end_file(struct scan_reader *r)
{
	free(r->t->bytes);
	r->t--;
}

/* Read an include of at most @p max bytes from its directory. @p bytes are given. */
static int load_include(const struct document_scan *s, const char *name, size_t max, char **bytes,
                        size_t *n)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", s->dir, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	int err = load_file(path, max, bytes, n);
	return err ? err : load_check_below(path, s->dir);
}

/* Open the file that an include names: it is read next. */
static void begin_include(struct scan_reader *r, const char *name)
{
	struct document_scan *s = r->s;
	size_t n = 0, max = s->max.bytes - r->n_bytes;
	char *loaded = NULL;
	const char *bytes = NULL;
	int err = s->include ? s->include(s->include_arg, name, &bytes, &n)
	                     : load_include(s, name, max, &loaded, &n);

	if (!err && n > max)
		err = -EFBIG;
	if (err) {
		free(loaded);
		note_scan_failure(s, err);
		errors_add(s->errors, scan_position(r), "@include", "\"%s\" %s", name,
		           load_error(err));
		return;
	}
	r->n_files++;
	begin_file(r, r->t + 1, arena_strdup(s->arena, name), loaded ? loaded : bytes, n);
	r->t->bytes = loaded;
}

/* @return why an include of @p name is not allowed, or NULL */
static const char *include_refused(const struct scan_reader *r, const char *name)
{
	if (!r->s->dir && !r->s->include)
		return "an include is allowed only in the operator's own file";
	if (r->t == &r->files[SCAN_INCLUDE_DEPTH])
		return "includes are nested more than 8 deep (does a file include itself?)";
	if (r->n_files >= SCAN_FILES_MAX)
		return "more than 256 files are included";
	if (!model_file_name_ok(name))
		return "an include names " LOAD_NAME_EXPECTED;
	return NULL;
}

static void skip_line_blanks(struct scan_cursor *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\t' || *t->at == '\r'))
		t->at++;
}

/* Only on a line of its own, as libconfig reads it; the file takes the line's place. */
static void read_include(struct scan_reader *r)
{
	struct scan_cursor *t = r->t;
	const char *wrong = NULL, *refused;

	if (!t->line_is_blank || !starts_with(t, "@include")) {
		break_off(r, "found '@', expected only: @include \"FILE\" on a line of its own");
		return;
	}
	t->at += strlen("@include");
	skip_line_blanks(t);
	if (t->at == t->end || *t->at != '"')
		wrong = "expected: @include \"FILE\"";
	else if (!read_quoted(r))
		return;
	skip_line_blanks(t);
	if (!wrong && t->at < t->end && *t->at != '\n' && *t->at != '#' && !starts_with(t, "//"))
		wrong = "expected nothing else on the line of an @include";
	skip_line_comment(t);
	if (wrong) {
		add_scan_error(r, wrong);
		return;
	}
	if (r->found) {
		r->err = r->found(r->arg, r->text, true);
		r->broken = r->err != 0;
		return;
	}
	refused = include_refused(r, r->text);
	if (refused)
		errors_add(r->s->errors, scan_position(r), "@include", "\"%s\": %s", r->text,
		           refused);
	else
		begin_include(r, r->text);
}

static bool is_boolean(const char *word, size_t n)
{
	return (n == 4 && strncasecmp(word, "true", 4) == 0) ||
	       (n == 5 && strncasecmp(word, "false", 5) == 0);
}

/* A word is a boolean or a name: libconfig knows no other bare words. */
static int read_word(struct scan_cursor *t)
{
	const char *first = t->at;

	while (t->at < t->end &&
	       (is_letter(*t->at) || is_scan_digit(*t->at) || *t->at == '_' || *t->at == '-'))
		t->at++;
	return is_boolean(first, (size_t)(t->at - first)) ? SCAN_BOOLEAN : SCAN_NAME;
}

static int read_digits(struct scan_cursor *t)
{
	for (t->at++;
	     t->at < t->end && (is_scan_digit(*t->at) || is_letter(*t->at) || *t->at == '.');)
		t->at++;
	return SCAN_INTEGER;
}

static int read_unknown(struct scan_reader *r, unsigned char c)
{
	if (c >= 0x20 && c < 0x7f)
		errors_add(r->s->errors, scan_position(r), "",
		           "found '%c', which has no meaning here", c);
	else
		errors_add(r->s->errors, scan_position(r), "",
		           "found byte 0x%02x outside of a text", c);
	r->broken = true;
	return SCAN_END;
}

static int read_token(struct scan_reader *r)
{
	struct scan_cursor *t = r->t;
	char c = *t->at;

	r->first = t->at;
	t->line_is_blank = false;
	if (is_letter(c))
		return read_word(t);
	if (is_scan_digit(c) || c == '-' || c == '+')
		return read_digits(t);
	if (c == '"') {
		if (!read_quoted(r))
			r->n_text = 0;
		return SCAN_TEXT;
	}
	if (c == '\0' || !strchr("{}[]()=:,;", c))
		return read_unknown(r, (unsigned char)c);
	t->at++;
	return c == ':' ? '=' : c;
}

/* Read a token, or what is between tokens. @return SCAN_END: it was none */
static int read_piece(struct scan_reader *r)
{
	struct scan_cursor *t = r->t;
	char c = *t->at;

	if (c == '\n')
		new_line(t);
	if (c == '\n' || c == ' ' || c == '\t' || c == '\r')
		t->at++;
	else if (c == '#' || starts_with(t, "//"))
		skip_line_comment(t);
	else if (starts_with(t, "/*"))
		skip_block_comment(r);
	else if (c == '@')
		read_include(r);
	else
		return read_token(r);
	return SCAN_END;
}

/* Whether the present token is a name, or a value or its beginning: their number is bounded. */
static bool is_counted(const struct scan_reader *r)
{
	return r->token != SCAN_END && !strchr("=,;)]}", r->token);
}

/* Record the present token. */
static void record_token(struct scan_reader *r)
{
	struct scan_record *record = r->s->record;

	if (record->n_marks == record->marks_room) {
		size_t room = record->marks_room ? 2 * record->marks_room : 4096;
		struct scan_mark *marks = realloc(record->marks, room * sizeof(*marks));

		if (!marks) {
			arena_fail(r->s->arena);
			return;
		}
		record->marks = marks;
		record->marks_room = room;
	}
	const struct scan_source *source = &record->sources[r->t->source];
	uint32_t end = (uint32_t)(r->t->at - source->bytes);
	bool is_end = r->token == SCAN_END;

	record->marks[record->n_marks++] =
	        (struct scan_mark){ r->t->source,
		                    is_end ? end : (uint32_t)(r->first - source->bytes), end,
		                    (char)r->token };
}

/* Find the next token, over the ends of includes; SCAN_END: there is none. */
static void find_token(struct scan_reader *r)
{
	struct document_scan *s = r->s;

	r->token = SCAN_END;
	while (r->token == SCAN_END && !is_over(r)) {
		if (r->t->at < r->t->end && s->n_settings > s->max.settings) {
			errors_add(s->errors, scan_position(r), "",
			           "the document has more than %zu values", s->max.settings);
			r->broken = true;
		} else if (r->t->at < r->t->end) {
			r->token = read_piece(r);
		} else if (r->t > r->files) {
			end_file(r);
		} else {
			return;
		}
	}
	if (r->broken)
		r->token = SCAN_END;
}

static void read_next(struct scan_reader *r)
{
	find_token(r);
	r->s->n_settings += is_counted(r);
	r->n_tokens++;
	if (r->s->record && !is_over(r))
		record_token(r);
}

/* A new value of @p parent, not yet among its children. */
static struct tree *new_node(struct scan_reader *r, const struct tree *parent, const char *name)
{
	struct tree *node = ARENA_ARRAY(r->s->arena, struct tree, 1);

	if (!node)
		node = &r->spare;
	*node = (struct tree){ .name = name,
		               .parent = parent,
		               .position = parent ? parent->n_children : 0,
		               .order = parent ? ++r->n_nodes : 0,
		               .first_token = parent ? r->n_tokens - 1 : 0,
		               .at = scan_position(r) };
	return node;
}

/* A group or a list whose values are being read, and where the next one goes. */
struct scan_level {
	struct tree *node, **end;
};

static void append_node(struct scan_level *level, struct tree *node)
{
	*level->end = node;
	level->end = &node->next;
	level->node->n_children++;
}

/* A number: decimal, whole, and within 32 bits. */
static int64_t number_of_token(struct scan_reader *r)
{
	const char *at = r->first + (*r->first == '-' || *r->first == '+');
	bool negative = *r->first == '-', decimal = at < r->t->at;
	int64_t n = 0;

	for (; at < r->t->at; at++) {
		decimal = decimal && is_scan_digit(*at);
		if (decimal && n <= UINT32_MAX)
			n = n * 10 + (*at - '0');
	}
	if (decimal && n <= (int64_t)INT32_MAX + negative)
		return negative ? -n : n;
	errors_add(r->s->errors, scan_position(r), "", "found %.*s, %s", shown_length(r), r->first,
	           decimal ? "which does not fit 32 bits; write large quantities as text "
	                     "with a unit, such as \"40Gbit\""
	                   : "expected a whole decimal number, or a text in quotes such as "
	                     "\"500ms\" or \"40Gbit\"");
	return 0;
}

/* Texts that follow each other are one. The room doubles: many small parts take linear time. */
static const char *read_text(struct scan_reader *r)
{
	char *text = arena_alloc(r->s->arena, r->n_text + 1, 1);
	size_t n = 0, room = r->n_text;

	while (text && r->token == SCAN_TEXT) {
		if (n + r->n_text > room) {
			const char *shorter = text;

			room = 2 * (n + r->n_text);
			text = arena_alloc(r->s->arena, room + 1, 1);
			if (!text)
				return NULL;
			memcpy(text, shorter, n);
		}
		memcpy(text + n, r->text, r->n_text);
		n += r->n_text;
		read_next(r);
	}
	return text;
}

static void read_group(struct scan_reader *r, struct tree *group, char close);
static void read_list(struct scan_reader *r, struct tree *list, char close);

static void read_brackets(struct scan_reader *r, struct tree *node)
{
	int open = r->token;

	node->kind = open == '{' ? TREE_GROUP : TREE_LIST;
	if (r->n_open == SCAN_DEPTH_MAX) {
		refuse_token(r, "brackets nested no more than 16 deep");
		return;
	}
	r->n_open++;
	read_next(r);
	if (open == '{')
		read_group(r, node, '}');
	else
		read_list(r, node, open == '(' ? ')' : ']');
	r->n_open--;
}

static void read_value(struct scan_reader *r, struct tree *node, const char *expected)
{
	switch (r->token) {
	case SCAN_INTEGER:
	case SCAN_BOOLEAN:
		node->kind = r->token == SCAN_INTEGER ? TREE_INTEGER : TREE_BOOLEAN;
		node->integer =
		        node->kind == TREE_INTEGER ? number_of_token(r) : r->t->at - r->first == 4;
		read_next(r);
		break;
	case SCAN_TEXT:
		node->kind = TREE_TEXT;
		node->text = read_text(r);
		break;
	case '{':
	case '(':
	case '[':
		read_brackets(r, node);
		break;
	default:
		refuse_token(r, expected);
	}
	node->last_token = r->n_tokens - 2; /* the present one is behind the value */
}

static const struct tree *child_named(const struct tree *group, const char *name, size_t n)
{
	const struct tree *child = group->children;

	while (child && (strncmp(child->name, name, n) != 0 || child->name[n] != '\0'))
		child = child->next;
	return child;
}

static const char *copy_token(struct scan_reader *r, size_t n)
{
	char *copy = arena_alloc(r->s->arena, n + 1, 1);

	if (copy)
		memcpy(copy, r->first, n);
	return copy;
}

/* The node of a name in @p level. A second one of the same name is reported, read and not kept. */
static struct tree *read_name(struct scan_reader *r, struct scan_level *level)
{
	size_t n = (size_t)(r->t->at - r->first);
	const struct tree *twin = child_named(level->node, r->first, n);
	struct tree *node = new_node(r, level->node, twin ? twin->name : copy_token(r, n));

	if (n > SCAN_NAME_MAX)
		break_off(r, "a setting's name is longer than 63 bytes");
	else if (level->node->n_children == SCAN_MEMBERS_MAX)
		break_off(r, "a group has more than 64 settings");
	else if (twin)
		errors_add(r->s->errors, scan_position(r), twin->name,
		           "is given twice in this group; first on line %u", twin->at.line);
	else
		append_node(level, node);
	read_next(r);
	return node;
}

/* @p close: what ends the group; SCAN_END of the document's */
static void read_group(struct scan_reader *r, struct tree *group, char close)
{
	struct scan_level level = { group, &group->children };
	const char *expected = close ? "the name of a setting, or }" : "the name of a setting";

	while (r->token == SCAN_NAME) {
		struct tree *node = read_name(r, &level);

		if (r->token != '=') {
			refuse_token(r, "= after the name of a setting");
			return;
		}
		read_next(r);
		read_value(r, node, "a value");
		if (r->token == ',' || r->token == ';') {
			read_next(r);
			expected = close ? "the name of a setting, or }" : "the name of a setting";
		} else {
			expected = close ? "; or the name of a setting or }"
			                 : "; or the name of a setting";
		}
	}
	if (r->token != close)
		refuse_token(r, expected);
	else if (close)
		read_next(r);
}

/* @return what is wrong with the present token as a value of an array, or NULL */
static const char *array_refuses(const struct scan_reader *r, const struct tree *array, int kind)
{
	if (r->token != SCAN_INTEGER && r->token != SCAN_BOOLEAN && r->token != SCAN_TEXT)
		return array->n_children ? "a number, text or boolean"
		                         : "a number, text or boolean, or ]";
	return r->token == kind ? NULL : "values of one kind between [ and ]";
}

/* @p close: ']' of an array, ')' of any list */
static void read_list(struct scan_reader *r, struct tree *list, char close)
{
	struct scan_level level = { list, &list->children };
	int kind = r->token;

	if (kind == close) {
		read_next(r);
		return;
	}
	for (;; read_next(r)) {
		const char *expected = close == ']' ? array_refuses(r, list, kind) : NULL;
		struct tree *node;

		if (expected) {
			refuse_token(r, expected);
			return;
		}
		expected = list->n_children ? "a value" : "a value or )";
		node = new_node(r, list, NULL);
		append_node(&level, node);
		read_value(r, node, expected);
		if (r->token != ',')
			break;
	}
	if (r->token != close)
		refuse_token(r, close == ')' ? ", or )" : ", or ]");
	else
		read_next(r);
}

void scan_record_free(struct scan_record *record)
{
	free(record->marks);
	free(record->sources);
	*record = (struct scan_record){ 0 };
}

int scan_text(struct document_scan *s, const char *text, size_t n, const char *name)
{
	struct scan_reader r = { .s = s };

	s->top = NULL;
	s->n_settings = 0;
	if (n > s->max.bytes) {
		errors_add(s->errors, (struct where){ name, 0 }, "",
		           "the document is larger than %zu bytes", s->max.bytes);
		return 0;
	}
	begin_file(&r, r.files, arena_strdup(s->arena, name), text, n);
	struct tree *top = new_node(&r, NULL, NULL);
	read_next(&r);
	read_group(&r, top, SCAN_END);
	while (r.t > r.files)
		end_file(&r);
	if (arena_failed(s->arena))
		return -ENOMEM;
	if (!r.broken)
		s->top = top;
	return 0;
}

int scan_file(struct document_scan *s, const char *path)
{
	char *bytes = NULL;
	size_t n = 0;
	/*
	 * only weir-mgmt may write an effective document, but others may put files into its
	 * directory
	 */
	int err = s->dir ? load_file(path, s->max.bytes, &bytes, &n)
	                 : load_owned(path, s->max.bytes, "mgmt", &bytes, &n);

	if (err) {
		note_scan_failure(s, err);
		errors_add(s->errors, (struct where){ path, 0 }, "", "%s", load_error(err));
		return err;
	}
	err = scan_text(s, bytes, n, path);
	free(bytes);
	return err;
}

/* Errors are counted and not kept, as if there were too many. */
static struct model_errors no_errors(void)
{
	return (struct model_errors){ .n_items = ERRORS_KEPT };
}

bool scan_fits(const char *text, size_t n, const struct scan_limits *max)
{
	struct model_errors errors = no_errors();
	struct document_scan s = { .errors = &errors, .max = *max };
	struct scan_reader r = { .s = &s };

	begin_file(&r, r.files, NULL, text, n);
	do
		read_next(&r);
	while (r.token != SCAN_END);
	return n <= max->bytes && s.n_settings <= max->settings;
}

/* Texts that follow each other are one name. One that is too long for a file's stays so. */
static void read_file_name(struct scan_reader *r, char name[MODEL_FILE_NAME_MAX + 2])
{
	size_t n = 0;

	for (; r->token == SCAN_TEXT; read_next(r)) {
		size_t room = MODEL_FILE_NAME_MAX + 1 - n,
		       part = r->n_text < room ? r->n_text : room;

		memcpy(name + n, r->text, part);
		n += part;
	}
	name[n] = '\0';
}

int model_named_files(const char *text, size_t n, model_named_file *found, void *arg)
{
	struct model_errors errors = no_errors();
	struct document_scan s = { .errors = &errors, .max = scan_config_limits };
	struct scan_reader r = { .s = &s, .found = found, .arg = arg };
	char name[MODEL_FILE_NAME_MAX + 2];

	begin_file(&r, r.files, NULL, text, n);
	do {
		bool is_file = r.token == SCAN_NAME && r.t->at - r.first == 4 &&
		               !memcmp(r.first, "file", 4);

		read_next(&r);
		if (!is_file || r.token != '=')
			continue;
		read_next(&r);
		read_file_name(&r, name);
		if (*name && !r.err)
			r.err = found(arg, name, false);
	} while (r.token != SCAN_END && !r.err);
	return r.err;
}

const char *tree_path(const struct tree *node, const char *name, char path[TREE_PATH_MAX])
{
	const struct tree *chain[SCAN_DEPTH_MAX + 2];
	size_t n = 0, used = 0;

	path[0] = '\0';
	for (; node && node->parent && n < SCAN_DEPTH_MAX + 2; node = node->parent)
		chain[n++] = node;
	while (n-- > 0 && used < TREE_PATH_MAX) {
		const char *dot = used ? "." : "";

		used += (size_t)(chain[n]->name ? snprintf(path + used, TREE_PATH_MAX - used,
		                                           "%s%s", dot, chain[n]->name)
		                                : snprintf(path + used, TREE_PATH_MAX - used,
		                                           "[%u]", chain[n]->position));
	}
	if (name && used < TREE_PATH_MAX)
		snprintf(path + used, TREE_PATH_MAX - used, "%s%s", used ? "." : "", name);
	return path;
}

const char *tree_kind_text(enum tree_kind kind)
{
	static const char *const texts[] = { "a group { ... }", "a list ( ... )", "a text",
		                             "a number", "a boolean" };

	return texts[kind];
}
