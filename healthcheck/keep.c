/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop's thread makes the text in memory; a thread that lives for one write does what may wait
 * for a disk (write, fsync, rename). Only one write is under way at a time; what changes meanwhile
 * is written by the next. The last line has the number of lines, so a torn file is recognised and
 * refused whole.
 */
#include "healthcheck/keep.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/owner.h"
#include "base/replace.h"
#include "base/sorted.h"

/* The first line goes on with the time of writing. */
#define HEAD "weir-verdicts 2 "

/* " +PATH" for each that has worked, " -PATH" for each that lacks. */
static void write_paths(FILE *f, const struct target *x)
{
	for (uint32_t k = 0; k < x->n_paths; k++)
		if ((x->worked | x->lacks) >> k & 1)
			fprintf(f, " %c%08" PRIx32, x->worked >> k & 1 ? '+' : '-',
			        target_path_digest(x, k));
}

/* The file's text. NULL: out of memory */
static char *make_verdicts_text(const struct targets *t, size_t *n_text)
{
	char *text = NULL;
	size_t n = 0;
	uint64_t now_ms = clock_mono_ms();
	FILE *f = open_memstream(&text, n_text);

	if (!f)
		return NULL;
	fprintf(f, HEAD "%" PRId64 "\n", clock_believed_ms());
	for (size_t i = 0; i < t->n; i++) {
		const struct target *x = &t->items[i];
		struct damp damp = x->damp;

		if (verdict_state(x->verdict) == HEALTH_UNKNOWN)
			continue;
		damp_pass(&damp, &x->damp_rule, now_ms);
		fprintf(f, "%016" PRIx64 " %016" PRIx64 " %.0f", x->id, target_word(x),
		        damp.penalty * 1000);
		write_paths(f, x);
		fputc('\n', f);
		n++;
	}
	fprintf(f, "end %zu\n", n);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

int keep_write_text(const char *path, const char *text, size_t n_text)
{
	return replace_file(path, 0644, text, n_text, REPLACE_SYNC_FILE);
}

int keep_write(const char *path, const struct targets *t)
{
	size_t n_text;
	char *text = make_verdicts_text(t, &n_text);
	int err;

	if (!text)
		return -ENOMEM;
	err = keep_write_text(path, text, n_text);
	free(text);
	return err;
}

static void *run_writer(void *arg)
{
	struct keep_writer *w = arg;

	w->err = keep_write_text(w->path, w->text, w->n_text);
	free(w->text);
	atomic_store(&w->done, true);
	return NULL;
}

int keep_finish(struct keep_writer *w)
{
	if (!w->started)
		return 0;
	pthread_join(w->thread, NULL);
	w->started = false;
	w->last = w->err;
	return w->last;
}

int keep_poll(struct keep_writer *w, bool *changed)
{
	int err = w->started && atomic_load(&w->done) ? keep_finish(w) : 0;

	*changed |= err != 0;
	return err;
}

int keep_start_text(struct keep_writer *w, const char *path, char *text, size_t n)
{
	if (w->started && !atomic_load(&w->done)) {
		free(text);
		return -EBUSY;
	}
	keep_finish(w);
	if (snprintf(w->path, sizeof(w->path), "%s", path) >= (int)sizeof(w->path)) {
		free(text);
		return -ENAMETOOLONG;
	}
	w->text = text;
	w->n_text = n;
	atomic_store(&w->done, false);
	if (pthread_create(&w->thread, NULL, run_writer, w)) {
		free(text);
		return -EAGAIN;
	}
	w->started = true;
	return 0;
}

int keep_start(struct keep_writer *w, const char *path, const struct targets *t)
{
	size_t n_text;
	char *text;

	if (w->started && !atomic_load(&w->done))
		return -EBUSY;
	text = make_verdicts_text(t, &n_text);
	return text ? keep_start_text(w, path, text, n_text) : -ENOMEM;
}

/* The first line. @return 0 with how old the file is, or -EPROTO */
static int read_verdicts_head(FILE *f, uint64_t *age_ms)
{
	char line[64];
	int64_t at_ms, now_ms = clock_believed_ms();
	int end = -1;

	*age_ms = 0;
	if (!fgets(line, sizeof(line), f))
		return -EPROTO;
	if (sscanf(line, HEAD "%" SCNd64 "%n", &at_ms, &end) != 1 || end < 0 || line[end] != '\n' ||
	    at_ms < 0)
		return -EPROTO;
	if (now_ms > at_ms)
		*age_ms = (uint64_t)(now_ms - at_ms);
	return 0;
}

/* " +PATH" or " -PATH", as often as it is there. @return where it ends; NULL: it is damaged */
static const char *read_paths(const char *at, struct saved_word *w)
{
	int end;

	for (; *at == ' '; at += end) {
		char sign = at[1];

		end = -1;
		if ((sign != '+' && sign != '-') || w->n_paths == PROBE_PATHS_MAX ||
		    !isxdigit((unsigned char)at[2]) ||
		    sscanf(at + 2, "%8" SCNx32 "%n", &w->paths[w->n_paths], &end) != 1 || end < 0)
			return NULL;
		w->lacks |= (uint16_t)((sign == '-') << w->n_paths++);
		end += 2;
	}
	return at;
}

/* "TARGET WORD PENALTY" and paths */
static bool read_verdict(const char *line, struct saved_word *w)
{
	uint32_t milli = 0;
	int end = -1, more = 0;

	if (sscanf(line, "%16" SCNx64 " %16" SCNx64 "%n", &w->target, &w->word, &end) != 2 ||
	    end < 0)
		return false;
	if (line[end] != ' ' || !isdigit((unsigned char)line[end + 1]) ||
	    sscanf(line + end, " %9" SCNu32 "%n", &milli, &more) != 1)
		return false;
	w->penalty = milli / 1000.0;
	line = read_paths(line + end + more, w);
	return line && *line == '\n';
}

/* All lines, or nothing: a verdict out of a damaged file could take a backend out of service. */
static int read_verdicts(FILE *f, struct saved_word *words, size_t *n)
{
	char line[64 + 10 * PROBE_PATHS_MAX + 1];
	size_t n_words = 0, n_said;
	uint64_t age_ms;
	int end = 0;

	if (read_verdicts_head(f, &age_ms))
		return -EPROTO;
	while (fgets(line, sizeof(line), f)) {
		struct saved_word w = { .age_ms = age_ms };

		end = -1;
		if (sscanf(line, "end %zu%n", &n_said, &end) == 1 && end > 0 && line[end] == '\n') {
			*n = n_words;
			return n_said == n_words ? 0 : -EPROTO;
		}
		if (n_words >= HEALTH_TARGETS_MAX || !read_verdict(line, &w))
			return -EPROTO;
		words[n_words++] = w;
	}
	return -EPROTO;
}

static void restore_paths(struct target *t, const struct saved_word *kept)
{
	for (uint32_t k = 0; t->pool && k < t->n_paths; k++)
		for (unsigned i = 0; i < kept->n_paths; i++) {
			if (kept->paths[i] != target_path_digest(t, k))
				continue;
			if (kept->lacks >> i & 1)
				t->lacks |= (uint16_t)(1u << k);
			else
				t->worked |= (uint16_t)(1u << k);
		}
}

void keep_restore(struct target *t, const struct saved_word *saved, size_t n, uint64_t now_ms)
{
	const struct saved_word key = { .target = t->id };
	const struct saved_word *kept =
	        n ? bsearch(&key, saved, n, sizeof(*saved), sorted_by_u64) : NULL;

	if (kept && !t->restored)
		target_restore(t, kept->word);
	if (kept)
		restore_paths(t, kept);
	if (kept)
		t->damp = damp_restore(kept->penalty, health_damped(kept->word), kept->age_ms,
		                       &t->damp_rule, now_ms);
}

int keep_read(const char *path, struct saved_word **out, size_t *n)
{
	FILE *f = owner_fopen(path, "health");
	struct saved_word *words;
	size_t n_words = 0;
	int err;

	if (!f)
		return -errno;
	words = calloc(HEALTH_TARGETS_MAX, sizeof(*words));
	err = words ? read_verdicts(f, words, &n_words) : -ENOMEM;
	fclose(f);
	if (err) {
		free(words);
		return err;
	}
	qsort(words, n_words, sizeof(*words), sorted_by_u64);
	*out = words;
	*n = n_words;
	return 0;
}
