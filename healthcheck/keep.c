/* SPDX-License-Identifier: BSD-2-Clause */
#include "healthcheck/keep.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "weir-verdicts 1\n"

/* The file's text. NULL: out of memory */
static char *text_of(const struct targets *t, size_t *n_text)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, n_text);

	if (!f)
		return NULL;
	fputs(HEAD, f);
	for (size_t i = 0; i < t->n; i++) {
		const struct target *x = &t->items[i];

		if (verdict_state(x->verdict) == HEALTH_UNKNOWN)
			continue;
		fprintf(f, "%016" PRIx64 " %016" PRIx64 "\n", x->id, target_word(x));
		n++;
	}
	fprintf(f, "end %zu\n", n);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static int write_text(const char *path, const char *text, size_t n_text)
{
	char temporary[PATH_MAX + 8];
	int rc = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	FILE *f = fopen(temporary, "we");
	if (!f)
		return -errno;
	if (fwrite(text, 1, n_text, f) != n_text || fflush(f) || fsync(fileno(f)))
		rc = -errno;
	if (fclose(f) && !rc)
		rc = -errno;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc)
		unlink(temporary);
	return rc;
}

int keep_write(const char *path, const struct targets *t)
{
	size_t n_text;
	char *text = text_of(t, &n_text);
	int rc;

	if (!text)
		return -ENOMEM;
	rc = write_text(path, text, n_text);
	free(text);
	return rc;
}

static void *write_beside(void *arg)
{
	struct keep_writer *w = arg;

	w->rc = write_text(w->path, w->text, w->n_text);
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
	w->last = w->rc;
	return w->last;
}

int keep_start(struct keep_writer *w, const char *path, const struct targets *t)
{
	if (w->started && !atomic_load(&w->done))
		return -EBUSY;
	keep_finish(w);
	if (snprintf(w->path, sizeof(w->path), "%s", path) >= (int)sizeof(w->path))
		return -ENAMETOOLONG;
	w->text = text_of(t, &w->n_text);
	if (!w->text)
		return -ENOMEM;
	atomic_store(&w->done, false);
	if (pthread_create(&w->thread, NULL, write_beside, w)) {
		free(w->text);
		return -EAGAIN;
	}
	w->started = true;
	return 0;
}

static int by_target(const void *a, const void *b)
{
	uint64_t x = ((const struct saved_word *)a)->target,
	         y = ((const struct saved_word *)b)->target;

	return (x > y) - (x < y);
}

static int read_all(FILE *f, struct saved_word *words, size_t *n)
{
	char line[64];
	size_t n_words = 0, n_said;
	int end = 0;

	if (!fgets(line, sizeof(line), f) || strcmp(line, HEAD))
		return -EPROTO;
	while (fgets(line, sizeof(line), f)) {
		struct saved_word w;

		end = -1;
		if (sscanf(line, "end %zu%n", &n_said, &end) == 1 && end > 0 && line[end] == '\n') {
			*n = n_words;
			return n_said == n_words ? 0 : -EPROTO;
		}
		end = -1;
		if (n_words >= HEALTH_TARGETS_MAX ||
		    sscanf(line, "%16" SCNx64 " %16" SCNx64 "%n", &w.target, &w.word, &end) != 2 ||
		    end < 0 || line[end] != '\n')
			return -EPROTO;
		words[n_words++] = w;
	}
	return -EPROTO;
}

int keep_read(const char *path, struct saved_word **out, size_t *n)
{
	FILE *f = fopen(path, "re");
	struct saved_word *words;
	size_t n_words = 0;
	int rc;

	if (!f)
		return -errno;
	words = calloc(HEALTH_TARGETS_MAX, sizeof(*words));
	rc = words ? read_all(f, words, &n_words) : -ENOMEM;
	fclose(f);
	if (rc) {
		free(words);
		return rc;
	}
	qsort(words, n_words, sizeof(*words), by_target);
	*out = words;
	*n = n_words;
	return 0;
}
