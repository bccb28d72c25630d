/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reader of documents against libconfig, whose syntax they have: generated documents, right
 * ones and ones with a token out of place, and the fuzzer's corpus. What one takes the other takes,
 * as the same tree. libconfig is used here alone.
 */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <libconfig.h>

#include "base/arena.h"
#include "model/load.h"
#include "model/scan.h"
#include "tests/unit/suite.h"

#define DOCUMENT_MAX 65536
#define TOKENS_MAX   400
#define N_DOCUMENTS  20000

/* libconfig leaks what it has read when it meets an error. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static const char *corpus;
static uint64_t seed = 1;

static uint32_t draw_below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* A document as tokens, so that one of them can be put out of place. */
struct document {
	const char *tokens[TOKENS_MAX];
	size_t n;
	char names[TOKENS_MAX][8];
	char text[DOCUMENT_MAX];
};

static void add_token(struct document *d, const char *token)
{
	if (d->n < TOKENS_MAX - 40)
		d->tokens[d->n++] = token;
}

#define DRAW_FROM(list) ((list)[draw_below(sizeof(list) / sizeof((list)[0]))])

static const char *const numbers[] = { "0",  "7",           "-1",         "+3",
	                               "08", "-2147483648", "2147483647", "00012" };
static const char *const booleans[] = { "true", "FALSE", "True", "falsE" };
static const char *const texts[] = { "\"\"",           "\"a b\"",      "\"\\\"\\\\\\n\\t\\r\\f\"",
	                             "\"\\x41\\xfF\"", "\"# no /* \"", "\"\xc3\xa4\x7f\"" };

static void add_text(struct document *d)
{
	do
		add_token(d, DRAW_FROM(texts));
	while (draw_below(4) == 0);
}

static void add_scalar(struct document *d, uint32_t kind)
{
	if (kind == 0)
		add_token(d, DRAW_FROM(numbers));
	else if (kind == 1)
		add_token(d, DRAW_FROM(booleans));
	else
		add_text(d);
}

static void add_value(struct document *d, unsigned depth);

static void add_members(struct document *d, unsigned depth)
{
	static const char *const ends[] = { ";", ",", "" };

	for (uint32_t n = draw_below(5), i = 0; i < n; i++) {
		char *name = d->names[d->n];

		snprintf(name, sizeof(d->names[0]), "%c%c_-%u", "aZ"[draw_below(2)],
		         "b7"[draw_below(2)], i);
		add_token(d, name);
		add_token(d, draw_below(2) ? "=" : ":");
		add_value(d, depth);
		add_token(d, DRAW_FROM(ends));
	}
}

static void add_items(struct document *d, unsigned depth, bool array)
{
	uint32_t kind = draw_below(3);

	for (uint32_t n = draw_below(5), i = 0; i < n; i++) {
		if (i)
			add_token(d, ",");
		if (array)
			add_scalar(d, kind);
		else
			add_value(d, depth);
	}
}

static void add_value(struct document *d, unsigned depth)
{
	uint32_t kind = draw_below(depth < 4 ? 6 : 3);

	if (kind < 3) {
		add_scalar(d, kind);
	} else if (kind == 3) {
		add_token(d, "{");
		add_members(d, depth + 1);
		add_token(d, "}");
	} else {
		add_token(d, kind == 4 ? "(" : "[");
		add_items(d, depth + 1, kind == 5);
		add_token(d, kind == 4 ? ")" : "]");
	}
}

/* One token away, twice, or in place of another. */
static void misplace_token(struct document *d)
{
	static const char *const others[] = { "{", "}", "(",    ")",    "[",    "]",  "=",
		                              ":", ",", "true", "\"\"", "name", "12", ";" };
	size_t at = draw_below((uint32_t)d->n);

	if (draw_below(3) == 0)
		d->tokens[at] = "";
	else if (draw_below(2))
		d->tokens[at] = DRAW_FROM(others);
	else
		d->tokens[at] = d->tokens[draw_below((uint32_t)d->n)];
}

static void write_out(struct document *d)
{
	static const char *const blanks[] = { " ",    "\t",        "\n",          " # x {\n",
		                              "\r\n", " // y\"\n", " /* \n z */", " /***/ /*/*/ " };
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += (size_t)snprintf(d->text + n, sizeof(d->text) - n, "%s%s", d->tokens[i],
		                      draw_below(8) ? " " : DRAW_FROM(blanks));
	d->text[n] = '\0';
}

static void generate_document(struct document *d)
{
	d->n = 0;
	add_members(d, 0);
	if (d->n && draw_below(2))
		misplace_token(d);
	write_out(d);
}

static bool same_scalar(const struct tree *t, const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
		return t->kind == TREE_INTEGER && t->integer == config_setting_get_int(s);
	case CONFIG_TYPE_BOOL:
		return t->kind == TREE_BOOLEAN && t->integer == config_setting_get_bool(s);
	case CONFIG_TYPE_STRING:
		return t->kind == TREE_TEXT && strcmp(t->text, config_setting_get_string(s)) == 0;
	default:
		return false;
	}
}

static bool same_name(const struct tree *t, const config_setting_t *s)
{
	const char *name = config_setting_name(s);

	if (!t->name || !name)
		return !t->name && !name;
	return strcmp(t->name, name) == 0 && t->at.line == config_setting_source_line(s);
}

static bool same_tree(const struct tree *t, const config_setting_t *s)
{
	const struct tree *child = t->children;
	unsigned n = 0;

	if (!same_name(t, s))
		return false;
	if (!config_setting_is_aggregate(s))
		return same_scalar(t, s);
	if ((t->kind == TREE_GROUP) != config_setting_is_group(s) || t->kind > TREE_LIST ||
	    t->n_children != (uint32_t)config_setting_length(s))
		return false;
	for (; child; child = child->next, n++)
		if (child->position != n || child->parent != t ||
		    !same_tree(child, config_setting_get_elem(s, n)))
			return false;
	return n == t->n_children;
}

static void show_difference(const char *text, bool ours, bool theirs)
{
	print_message("---\n%s\n--- %s\n", text,
	              ours && theirs ? "different trees"
	              : ours         ? "libconfig refuses it"
	                             : "only libconfig takes it");
}

/* How the two read @p text. @return whether they agree; @p taken by both */
static bool read_both(const char *text, size_t n, const char *dir, bool *taken)
{
	struct arena *arena = arena_new(64u << 20);
	struct model_errors errors;
	config_t config;

	if (__lsan_disable)
		__lsan_disable();
	config_init(&config);
	config_set_include_dir(&config, dir);
	bool theirs = config_read_string(&config, text) == CONFIG_TRUE;
	if (__lsan_enable)
		__lsan_enable();
	assert_int_equal(errors_init(&errors), 0);
	struct document_scan scan = {
		.arena = arena, .errors = &errors, .dir = dir, .max = scan_config_limits
	};

	assert_int_equal(scan_text(&scan, text, n, "weir.conf"), 0);
	bool ours = errors.n_total == 0;
	bool same = ours == theirs && (!ours || same_tree(scan.top, config_root_setting(&config)));
	*taken = ours && theirs;
	if (!same)
		show_difference(text, ours, theirs);
	config_destroy(&config);
	model_errors_free(&errors);
	arena_free(arena);
	return same;
}

static void generated_documents_are_read_as_libconfig_reads_them(void **state)
{
	static struct document d;
	unsigned n_taken = 0;
	bool taken;

	(void)state;
	for (unsigned i = 0; i < N_DOCUMENTS; i++) {
		generate_document(&d);
		assert_true(read_both(d.text, strlen(d.text), "/nonexistent", &taken));
		n_taken += taken;
	}
	print_message("  %u documents, %u of them taken\n", N_DOCUMENTS, n_taken);
	assert_in_range(n_taken, N_DOCUMENTS / 4, N_DOCUMENTS * 3 / 4);
}

/* The corpus has what libconfig misreads and we refuse: only what we take is compared. */
static bool compare_file(const char *path, const char *dir)
{
	char *text = NULL;
	size_t n = 0;
	bool taken;

	assert_int_equal(load_file(path, SCAN_CONFIG_MAX, &text, &n), 0);
	struct arena *arena = arena_new(64u << 20);
	struct model_errors errors;

	assert_int_equal(errors_init(&errors), 0);
	struct document_scan scan = {
		.arena = arena, .errors = &errors, .dir = dir, .max = scan_config_limits
	};

	assert_int_equal(scan_text(&scan, text, n, path), 0);
	bool ours = errors.n_total == 0;
	model_errors_free(&errors);
	arena_free(arena);
	if (ours)
		assert_true(read_both(text, n, dir, &taken));
	free(text);
	return ours;
}

static void the_corpus_is_read_as_libconfig_reads_it(void **state)
{
	struct dirent *entry;
	unsigned n = 0;
	DIR *d = opendir(corpus);
	char path[4096];

	(void)state;
	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", corpus, entry->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			n += compare_file(path, corpus);
	}
	closedir(d);
	print_message("  %u files compared\n", n);
	assert_in_range(n, 4, 10000);
}

static const struct tree *parse_text(struct arena *arena, const char *text, size_t n)
{
	struct model_errors errors;

	assert_int_equal(errors_init(&errors), 0);
	struct document_scan scan = {
		.arena = arena, .errors = &errors, .dir = NULL, .max = scan_config_limits
	};

	assert_int_equal(scan_text(&scan, text, n, "weir.conf"), 0);
	assert_int_equal(errors.n_total, 0);
	model_errors_free(&errors);
	return scan.top;
}

static void a_text_of_many_parts_costs_what_it_is_long(void **state)
{
	const size_t n_parts = 200000;
	struct arena *arena = arena_new(16u << 20);
	char *text = malloc(n_parts * 5 + 8), *at = text;

	(void)state;
	at += sprintf(at, "a = ");
	for (size_t i = 0; i < n_parts; i++)
		at += sprintf(at, "\"xy\"\n");
	const struct tree *top = parse_text(arena, text, (size_t)(at - text));
	assert_int_equal(strlen(top->children->text), 2 * n_parts);
	assert_int_equal(top->children->at.line, 1);
	assert_true(arena_used(arena) < 4u << 20);
	arena_free(arena);
	free(text);
}

SUITE(tree)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_documents_are_read_as_libconfig_reads_them),
		cmocka_unit_test(the_corpus_is_read_as_libconfig_reads_it),
		cmocka_unit_test(a_text_of_many_parts_costs_what_it_is_long),
	};

	corpus = arguments[0] ? arguments[0] : "tests/fuzz/corpus/config";
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
