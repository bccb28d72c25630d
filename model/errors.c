/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors are copied into an arena of the collection, because the document's own texts are freed
 * before they are shown. Only the first ERRORS_KEPT are kept; the others are counted. The nearest
 * name for a misspelt one is found by optimal string alignment: letters inserted, removed, changed,
 * or two neighbours swapped.
 */
#include "model/errors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"

#define ARENA_LIMIT    (16u << 20) /* bytes: ERRORS_KEPT messages of full length, with room */
#define MESSAGE_MAX    1024u       /* bytes of a message */
#define ERRORS_LOGGED  20u         /* one by one; the log has room for other things, too */
#define SUGGEST_LENGTH 64u         /* bytes; longer names are compared with none */
#define SUGGEST_FAR    99u         /* a distance beyond all that count as near */

int errors_init(struct model_errors *m)
{
	*m = (struct model_errors){ .arena = arena_new(ARENA_LIMIT) };
	if (!m->arena)
		return -ENOMEM;
	m->items = ARENA_ARRAY(m->arena, struct model_error, ERRORS_KEPT);
	return m->items ? 0 : -ENOMEM;
}

void model_errors_free(struct model_errors *m)
{
	arena_free(m->arena);
	*m = (struct model_errors){ 0 };
}

static void set_only_error(struct model_errors *m, struct model_error *only)
{
	arena_free(m->arena);
	*m = (struct model_errors){ .items = only, .n_items = 1, .n_total = 1 };
}

void errors_set_no_memory(struct model_errors *m)
{
	static struct model_error only = {
		"", 0, "",
		"out of memory: the document could not be read and was not checked; "
		"free memory, or raise the memory limit of this process, and try "
		"again"
	};

	set_only_error(m, &only);
}

void errors_set_too_large(struct model_errors *m)
{
	static struct model_error only = {
		"", 0, "",
		"too large: to read the document would take more memory than a document may, so it was not "
		"checked; give it fewer entries"
	};

	set_only_error(m, &only);
}

/* Control characters would let a document write to the terminal of its reader. */
static void replace_control_characters(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void errors_add(struct model_errors *m, struct where at, const char *field, const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	m->n_total++;
	if (m->n_items == ERRORS_KEPT)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	replace_control_characters(message);

	struct model_error error = { arena_strdup(m->arena, at.file), at.line,
		                     arena_strdup(m->arena, field),
		                     arena_strdup(m->arena, message) };
	if (error.file && error.field && error.message)
		m->items[m->n_items++] = error;
}

void model_errors_add(struct model_errors *m, const char *file, unsigned line, const char *field,
                      const char *message)
{
	if (!m->arena && errors_init(m) != 0)
		return;
	errors_add(m, (struct where){ file, line }, field, "%s", message);
}

static int compare_positions(const void *a, const void *b)
{
	const struct model_error *x = a, *y = b;
	int files = strcmp(x->file, y->file);

	return files ? files : (x->line > y->line) - (x->line < y->line);
}

void errors_sort(struct model_errors *m)
{
	if (m->n_items)
		qsort(m->items, m->n_items, sizeof(*m->items), compare_positions);
}

void model_errors_summarise(const struct model_errors *m, char *out, size_t size)
{
	const struct model_error *first = m->items;
	char line[16] = "", more[48] = "";

	out[0] = '\0';
	if (!m->n_items)
		return;
	if (first->line)
		snprintf(line, sizeof(line), ":%u", first->line);
	if (m->n_total > 1)
		snprintf(more, sizeof(more), " (%zu more: see the log)", m->n_total - 1);
	const char *field = first->field ? first->field : "";
	snprintf(out, size, "%s%s: %s%s%s%s", first->file, line, field, *field ? ": " : "",
	         first->message, more);
}

void model_errors_log(const struct model_errors *errors)
{
	char message[LOG_VALUE_MAX];

	for (size_t i = 0; i < errors->n_items && i < ERRORS_LOGGED; i++) {
		const struct model_error *x = &errors->items[i];

		log_error("document-error", "file=%s line=%u field=%s message=%s", x->file, x->line,
		          x->field ? x->field : "", log_value(x->message, message));
	}
}

void model_note_refusal(const char *path, int err, const struct model_errors *errors,
                        char refusal[MODEL_REFUSAL_MAX])
{
	char reason[MODEL_REFUSAL_MAX] = "", value[LOG_VALUE_MAX];

	if (err == -ENOENT)
		log_info("document-missing", "path=%s", path);
	else if (err)
		model_errors_summarise(errors, reason, sizeof(reason));
	if (err && err != -ENOENT && !*reason)
		snprintf(reason, sizeof(reason), "%s", strerror(-err));
	if (*reason && strcmp(refusal, reason) != 0) {
		model_errors_log(errors);
		log_error("document-refused", "path=%s error=%s", path, log_value(reason, value));
	}
	memcpy(refusal, reason, sizeof(reason));
}

bool model_may_pass(int err)
{
	return err == -ENOMEM || err == -EAGAIN || err == -EMFILE || err == -ENFILE ||
	       err == -EIO || err == -EACCES;
}

static unsigned smaller_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance with swaps of neighbours, by three rows of the table. */
static unsigned count_edits(const char *a, const char *b)
{
	size_t n_a = strlen(a), n_b = strlen(b);
	unsigned rows[3][SUGGEST_LENGTH + 1];

	if (n_a > SUGGEST_LENGTH || n_b > SUGGEST_LENGTH)
		return SUGGEST_FAR;
	for (size_t j = 0; j <= n_b; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		const unsigned *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
		unsigned *row = rows[i % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			row[j] = smaller_of(smaller_of(above[j], row[j - 1]) + 1,
			                    above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller_of(row[j], above2[j - 2] + 1);
		}
	}
	return rows[n_a % 3][n_b];
}

void suggest_try(struct suggest_best *suggest, const char *candidate)
{
	unsigned distance = count_edits(suggest->given, candidate);

	if (suggest->best && distance >= suggest->distance)
		return;
	suggest->best = candidate;
	suggest->distance = distance;
}

const char *suggest_text(const struct suggest_best *suggest, char text[SUGGEST_TEXT_MAX])
{
	size_t n = strlen(suggest->given);

	text[0] = '\0';
	if (suggest->best && suggest->distance <= (n < 4 ? 1 : n < 8 ? 2 : 3))
		snprintf(text, SUGGEST_TEXT_MAX, " (did you mean \"%s\"?)", suggest->best);
	return text;
}
