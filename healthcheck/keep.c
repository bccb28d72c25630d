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

static int write_all(FILE *f, const struct targets *t)
{
	size_t n = 0;

	fputs(HEAD, f);
	for (size_t i = 0; i < t->n; i++) {
		const struct target *x = &t->items[i];

		if (verdict_state(x->verdict) == HEALTH_UNKNOWN)
			continue;
		fprintf(f, "%016" PRIx64 " %016" PRIx64 "\n", x->id, target_word(x));
		n++;
	}
	fprintf(f, "end %zu\n", n);
	if (fflush(f) || fsync(fileno(f)))
		return -errno;
	return ferror(f) ? -EIO : 0;
}

int keep_write(const char *path, const struct targets *t)
{
	char temporary[PATH_MAX];
	int rc;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	FILE *f = fopen(temporary, "we");
	if (!f)
		return -errno;
	rc = write_all(f, t);
	if (fclose(f) && !rc)
		rc = -errno;
	if (!rc && rename(temporary, path))
		rc = -errno;
	if (rc)
		unlink(temporary);
	return rc;
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
