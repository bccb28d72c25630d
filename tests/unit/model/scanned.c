/* SPDX-License-Identifier: BSD-2-Clause */
#include "scanned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

struct scanned scanned;

void scanned_begin(size_t memory, const char *dir, size_t bytes_max)
{
	scanned.arena = arena_new(memory);
	assert_non_null(scanned.arena);
	assert_int_equal(errors_init(&scanned.errors), 0);
	scanned.scan = (struct document_scan){ .arena = scanned.arena,
		                               .errors = &scanned.errors,
		                               .dir = dir,
		                               .max = { bytes_max, SCAN_SETTINGS_MAX } };
}

const struct tree *scanned_text(const char *text)
{
	scanned_begin((size_t)1 << 30, NULL, SCAN_CONFIG_MAX);
	assert_int_equal(scan_text(&scanned.scan, text, strlen(text), "weir.conf"), 0);
	return scanned.scan.top;
}

void scanned_forget(void)
{
	model_errors_free(&scanned.errors);
	arena_free(scanned.arena);
}

void scanned_show(const char *text)
{
	print_message("  %.200s\n", text);
	for (size_t i = 0; i < scanned.errors.n_items && i < 8; i++)
		print_message("    %s:%u: %s: %s\n", scanned.errors.items[i].file,
		              scanned.errors.items[i].line, scanned.errors.items[i].field,
		              scanned.errors.items[i].message);
}

void scanned_expect(const char *text, unsigned line, const char *file, const char *message,
                    bool broken)
{
	const struct model_error *first = scanned.errors.items;

	if (!scanned.errors.n_items || strcmp(first->message, message) != 0 ||
	    first->line != line || (scanned.scan.top == NULL) != broken)
		scanned_show(text);
	assert_true(scanned.errors.n_items > 0);
	assert_string_equal(first->message, message);
	assert_int_equal(first->line, line);
	assert_string_equal(first->file, file);
	assert_int_equal(scanned.scan.top == NULL, broken);
}

char *scanned_repeat(const char *before, const char *entry, size_t n, const char *after)
{
	char *text = malloc(strlen(before) + (strlen(entry) + 12) * n + strlen(after) + 1),
	     *at = text;

	assert_non_null(text);
	at += sprintf(at, "%s", before);
	for (size_t i = 0; i < n; i++) {
		size_t mark = strcspn(entry, "#");

		at += entry[mark] ? sprintf(at, "%.*s%zu%s", (int)mark, entry, i, entry + mark + 1)
		                  : sprintf(at, "%s", entry);
	}
	sprintf(at, "%s", after);
	return text;
}
