/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Documents are in libconfig's syntax, but scanner and grammar are our own: libconfig stops at the
 * first error, has no limits of size and crashes without memory. No process links it; one test
 * does, as the reference (tests/unit/model/test_tree.c). A wrong token ends the scan (broken),
 * because what follows would only be noise; a wrong value does not.
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

/* A text being scanned. */
struct scan_cursor {
	struct document_scan *s;
	const char *at, *end;
	const char *file;
	unsigned line;
	bool line_is_blank; /* nothing but blanks and comments so far on this line */
	unsigned include_depth;
};

static struct where scan_position(const struct scan_cursor *t)
{
	return (struct where){ t->file, t->line };
}

static void add_scan_error(struct scan_cursor *t, const char *message)
{
	errors_add(t->s->errors, scan_position(t), "", "%s", message);
}

/*
 * Give the grammar the token from @p first to the cursor, and report one that it does not expect.
 */
static bool accept_token(struct scan_cursor *t, enum grammar_token token, const char *first)
{
	const char *expected = grammar_accept(&t->s->grammar, token, *first);
	int n = t->at - first > 40 ? 40 : (int)(t->at - first);

	if (!expected)
		return true;
	errors_add(t->s->errors, scan_position(t), "", "syntax error: found %.*s, expected %s", n,
	           first, expected);
	t->s->broken = true;
	return false;
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

static void skip_block_comment(struct scan_cursor *t)
{
	unsigned first = t->line;

	for (t->at += 2; t->at < t->end && !starts_with(t, "*/"); t->at++)
		if (*t->at == '\n')
			new_line(t);
	if (t->at < t->end) {
		t->at += 2;
		return;
	}
	t->line = first;
	add_scan_error(t, "a comment begins here and has no end: expected */");
	t->s->broken = true;
}

/*
 * Read a quoted text, the cursor behind its opening quote, into @p out (SCAN_TEXT_MAX + 1 bytes).
 * @return false after reporting an error; the cursor is then behind the text or at the line's end
 */
static bool scan_quoted_text(struct scan_cursor *t, char *out, size_t *n_out)
{
	const char *wrong = NULL;
	size_t n = 0;

	while (t->at < t->end && *t->at != '"' && *t->at != '\n') {
		int byte = (unsigned char)*t->at++;

		if (byte == '\\')
			byte = escape_read(&t->at, t->end);
		else if (byte < 0x20)
			byte = -1;
		if (byte < 0)
			wrong = "a text holds a control character or an unknown escape; known are "
			        "\\\" \\\\ \\n \\t \\r \\f and \\x01 to \\xff";
		else if (n < SCAN_TEXT_MAX)
			out[n++] = (char)byte;
		else
			wrong = "a text is longer than 4096 bytes";
	}
	if (t->at == t->end || *t->at == '\n') {
		add_scan_error(t, "a text has no end on this line: expected \"");
		t->s->broken = true;
		return false;
	}
	t->at++;
	out[n] = '\0';
	*n_out = n;
	if (wrong)
		add_scan_error(t, wrong);
	return !wrong;
}

static void scan_quoted(struct scan_cursor *t)
{
	char value[SCAN_TEXT_MAX + 1];
	const char *first = t->at;
	size_t n = 0;

	bool more = grammar_in_text(&t->s->grammar);

	t->at++;
	if (!scan_quoted_text(t, value, &n))
		n = 0;
	if (t->s->broken || !accept_token(t, GRAMMAR_TEXT, first))
		return;
	if (more)
		tree_add_more_text(&t->s->tree, value, n);
	else
		tree_add_text(&t->s->tree, value, n, scan_position(t));
	t->s->n_settings++;
}

/* A number: decimal, whole, and within 32 bits. */
static void scan_number(struct scan_cursor *t)
{
	const char *first = t->at;
	bool negative = *t->at == '-', decimal = true;
	int64_t n = 0;

	if (*t->at == '-' || *t->at == '+')
		t->at++;
	const char *digits = t->at;
	for (; t->at < t->end && (is_scan_digit(*t->at) || is_letter(*t->at) || *t->at == '.');
	     t->at++) {
		decimal = decimal && is_scan_digit(*t->at);
		if (decimal && n <= UINT32_MAX)
			n = n * 10 + (*t->at - '0');
	}
	int length = t->at - first > 40 ? 40 : (int)(t->at - first);
	if (!accept_token(t, GRAMMAR_INTEGER, first))
		return;
	struct where at = scan_position(t);
	if (!decimal || t->at == digits) {
		errors_add(
		        t->s->errors, at, "",
		        "found %.*s, expected a whole decimal number, or a text in quotes such as "
		        "\"500ms\" or \"40Gbit\"",
		        length, first);
		n = 0;
	} else if (n > (int64_t)INT32_MAX + negative) {
		errors_add(t->s->errors, at, "",
		           "found %.*s, which does not fit 32 bits; write large quantities as text "
		           "with a unit, such as \"40Gbit\"",
		           length, first);
		n = 0;
	}
	tree_add_number(&t->s->tree, TREE_INTEGER, negative ? -n : n, scan_position(t));
	t->s->n_settings++;
}

/* Name the value that follows. A second one of the same name is reported, and read but not kept. */
static void accept_name(struct scan_cursor *t, const char *name, size_t n)
{
	const struct tree *first = tree_name(&t->s->tree, name, n, scan_position(t));

	if (!first)
		return;
	errors_add(t->s->errors, scan_position(t), first->name,
	           "is given twice in this group; first on line %u", first->at.line);
}

static bool is_boolean(const char *word, size_t n)
{
	return (n == 4 && strncasecmp(word, "true", 4) == 0) ||
	       (n == 5 && strncasecmp(word, "false", 5) == 0);
}

/* A word is a boolean or a name: libconfig knows no other bare words. */
static void scan_word(struct scan_cursor *t)
{
	const char *first = t->at;

	while (t->at < t->end &&
	       (is_letter(*t->at) || is_scan_digit(*t->at) || *t->at == '_' || *t->at == '-'))
		t->at++;
	size_t n = (size_t)(t->at - first);
	bool boolean = is_boolean(first, n);
	if (!accept_token(t, boolean ? GRAMMAR_BOOLEAN : GRAMMAR_NAME, first))
		return;
	t->s->n_settings++;
	if (boolean) {
		tree_add_number(&t->s->tree, TREE_BOOLEAN, n == 4, scan_position(t));
	} else if (n > SCAN_NAME_MAX) {
		add_scan_error(t, "a setting's name is longer than 63 bytes");
		t->s->broken = true;
	} else if (tree_members(&t->s->tree) == SCAN_MEMBERS_MAX) {
		add_scan_error(t, "a group has more than 64 settings");
		t->s->broken = true;
	} else {
		accept_name(t, first, n);
	}
}

/* A bracket or separator. */
static void scan_mark(struct scan_cursor *t)
{
	static const struct {
		const char *marks;
		enum grammar_token token;
	} rows[] = { { "{[(", GRAMMAR_OPEN },
		     { "}])", GRAMMAR_CLOSE },
		     { "=:", GRAMMAR_EQUALS },
		     { ",", GRAMMAR_COMMA },
		     { ";", GRAMMAR_SEMICOLON } };
	const char *first = t->at++;
	size_t i = 0;

	while (!strchr(rows[i].marks, *first))
		i++;
	if (!accept_token(t, rows[i].token, first))
		return;
	if (rows[i].token == GRAMMAR_OPEN) {
		tree_open(&t->s->tree, *first == '{' ? TREE_GROUP : TREE_LIST, scan_position(t));
		t->s->n_settings++;
	} else if (rows[i].token == GRAMMAR_CLOSE) {
		tree_close(&t->s->tree);
	}
}

static void scan_document(struct scan_cursor *t);

/* A file that cannot be read may be the reader's fault (rights, memory) and not the document's. */
static void note_scan_failure(struct document_scan *s, int err)
{
	s->errors->denied |= err == -EACCES;
	if (err == -ENOMEM)
		arena_fail(s->arena);
}

/* Open the file that an include names and scan it in place. */
static void include_file(struct scan_cursor *t, const char *name)
{
	struct document_scan *s = t->s;
	char path[PATH_MAX], *bytes = NULL;
	size_t n = 0;
	int err =
	        snprintf(path, sizeof(path), "%s/%s", s->dir, name) >= PATH_MAX ? -ENAMETOOLONG : 0;
	struct where at = scan_position(t);

	if (!err)
		err = load_file(path, s->max.bytes - s->n_bytes, &bytes, &n);
	if (!err)
		err = load_check_below(path, s->dir);
	if (err) {
		free(bytes);
		note_scan_failure(s, err);
		errors_add(s->errors, at, "@include", "\"%s\" %s", name, load_error(err));
		return;
	}
	s->n_bytes += n;
	s->n_files++;
	struct scan_cursor inner = { .s = s,
		                     .at = bytes,
		                     .end = bytes + n,
		                     .file = arena_strdup(s->arena, name),
		                     .line = 1,
		                     .line_is_blank = true,
		                     .include_depth = t->include_depth + 1 };
	scan_document(&inner);
	free(bytes);
}

/* @return why an include of @p name is not allowed, or NULL */
static const char *include_refused(const struct scan_cursor *t, const char *name)
{
	if (!t->s->dir)
		return "an include is allowed only in the operator's own file";
	if (t->include_depth >= SCAN_INCLUDE_DEPTH)
		return "includes are nested more than 8 deep (does a file include itself?)";
	if (t->s->n_files >= SCAN_FILES_MAX)
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
static void scan_include(struct scan_cursor *t)
{
	char name[SCAN_TEXT_MAX + 1];
	size_t n;
	const char *refused;

	if (!t->line_is_blank || !starts_with(t, "@include")) {
		add_scan_error(t,
		               "found '@', expected only: @include \"FILE\" on a line of its own");
		t->s->broken = true;
		skip_line_comment(t);
		return;
	}
	t->at += strlen("@include");
	skip_line_blanks(t);
	if (t->at == t->end || *t->at != '"') {
		add_scan_error(t, "expected: @include \"FILE\"");
		skip_line_comment(t);
		return;
	}
	t->at++;
	if (!scan_quoted_text(t, name, &n))
		return;
	skip_line_blanks(t);
	if (t->at < t->end && *t->at != '\n' && *t->at != '#' && !starts_with(t, "//")) {
		add_scan_error(t, "expected nothing else on the line of an @include");
		skip_line_comment(t);
		return;
	}
	skip_line_comment(t);
	refused = strlen(name) == n ? include_refused(t, name) : "a file's name holds no NUL";
	if (refused)
		errors_add(t->s->errors, scan_position(t), "@include", "\"%s\": %s", name, refused);
	else
		include_file(t, name);
}

static void scan_unknown(struct scan_cursor *t)
{
	unsigned char c = (unsigned char)*t->at;
	struct where at = scan_position(t);

	if (c >= 0x20 && c < 0x7f)
		errors_add(t->s->errors, at, "", "found '%c', which has no meaning here", c);
	else
		errors_add(t->s->errors, at, "", "found byte 0x%02x outside of a text", c);
	t->s->broken = true;
	skip_line_comment(t);
}

static void scan_token(struct scan_cursor *t)
{
	char c = *t->at;

	if (is_letter(c)) {
		scan_word(t);
	} else if (is_scan_digit(c) || c == '-' || c == '+') {
		scan_number(t);
	} else if (c == '"') {
		scan_quoted(t);
	} else if (c != '\0' && strchr("{}[]()=:,;", c)) {
		scan_mark(t);
	} else if (c == '@') {
		scan_include(t);
		return;
	} else {
		scan_unknown(t);
	}
	t->line_is_blank = false;
}

/*
 * Each include runs this with its own cursor; grammar, tree and limits are those of the whole
 * document.
 */
static void scan_document(struct scan_cursor *t)
{
	while (t->at < t->end && !t->s->broken && !arena_failed(t->s->arena)) {
		if (t->s->n_settings > t->s->max.settings) {
			errors_add(t->s->errors, scan_position(t), "",
			           "the document has more than %zu values", t->s->max.settings);
			t->s->broken = true;
			return;
		}
		if (*t->at == '\n') {
			t->at++;
			new_line(t);
		} else if (*t->at == ' ' || *t->at == '\t' || *t->at == '\r') {
			t->at++;
		} else if (*t->at == '#' || starts_with(t, "//")) {
			skip_line_comment(t);
		} else if (starts_with(t, "/*")) {
			skip_block_comment(t);
		} else {
			scan_token(t);
		}
	}
}

void scan_init(struct document_scan *s, struct arena *arena, struct model_errors *errors,
               const char *dir, const struct scan_limits *max)
{
	*s = (struct document_scan){ .arena = arena, .errors = errors, .dir = dir, .max = *max };
	grammar_init(&s->grammar);
}

int scan_text(struct document_scan *s, const char *text, size_t n, const char *name)
{
	struct scan_cursor t = { .s = s,
		                 .at = text,
		                 .end = text + n,
		                 .file = arena_strdup(s->arena, name),
		                 .line = 1,
		                 .line_is_blank = true };

	tree_begin(&s->tree, s->arena, scan_position(&t));
	s->n_bytes += n;
	if (s->n_bytes > s->max.bytes) {
		errors_add(s->errors, (struct where){ name, 0 }, "",
		           "the document is larger than %zu bytes", s->max.bytes);
		s->broken = true;
		return 0;
	}
	scan_document(&t);
	if (arena_failed(s->arena))
		return -ENOMEM;
	if (!s->broken && grammar_end(&s->grammar)) {
		errors_add(s->errors, scan_position(&t), "",
		           "syntax error: the document ends, expected %s",
		           grammar_end(&s->grammar));
		s->broken = true;
	}
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

const struct tree *scan_tree(const struct document_scan *s)
{
	return s->broken ? NULL : s->tree.top;
}

/* Skip a quoted text, from behind its opening quote. @return behind it */
static const char *skip_quoted(const char *at, const char *end)
{
	for (; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at + 1;
}

/* Skip a name, a boolean, a number or a comment, up to one of @p marks. @return there */
static const char *skip_bare(const char *at, const char *end, const char *marks)
{
	while (at < end && !strchr(marks, *at))
		at++;
	return at;
}

bool scan_fits(const char *text, size_t n, const struct scan_limits *max)
{
	const char *at = text, *end = text + n;
	size_t n_settings = 0;

	while (at < end) {
		char c = *at;

		if (c == '#') {
			at = skip_bare(at, end, "\n");
			continue;
		}
		at++;
		if (strchr(" \n=;,)]}", c))
			continue;
		n_settings++;
		if (c == '"')
			at = skip_quoted(at, end);
		else if (!strchr("([{", c))
			at = skip_bare(at, end, " \n=;,");
	}
	return n <= max->bytes && n_settings <= max->settings;
}
