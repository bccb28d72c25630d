/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of ramps: a line that names the format, a line for each record, and a last line, so that
 * a part of a file is not taken for all.
 *
 *     weir-ramps 1
 *     ams-1-k3j2 3655680000000000 1785000000000 held-site
 *     ams-1-7dq1 3655680000000000 1785000000000 free 64 2 250000 rises arrived 30
 *     end
 *
 * A step's line has six words more: epoch, step, level, direction, whether it has arrived, and the longest TTL.
 */
#include "weir/ramp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/proc.h"
#include "base/replace.h"
#include "record/fields.h"

#define HEAD           "weir-ramps 1\n"
#define LINE_MAX_BYTES 160 /* an id, six numbers and three words */
#define WORDS_MIN      4u
#define WORDS_MAX      10u
#define LEVEL_MAX      1000000
#define TTL_MAX_S      ((int64_t)1 << 31)
#define GENERATION_END ((uint64_t)1 << 53)

static const char *const texts[RAMP_HOW_COUNT] = { "free", "late", "held-clock", "held-site" };

const char *ramp_how_text(enum ramp_how how)
{
	return (unsigned)how < RAMP_HOW_COUNT ? texts[how] : "other";
}

static bool read_how(const char *text, enum ramp_how *how)
{
	for (int i = 0; i < RAMP_HOW_COUNT; i++)
		if (!strcmp(texts[i], text)) {
			*how = (enum ramp_how)i;
			return true;
		}
	return false;
}

/* A number of digits alone, below 2^62. */
static bool read_decimal(const char *text, int64_t *out)
{
	size_t n = strlen(text);

	if (n == 0 || n > 18 || strspn(text, "0123456789") != n)
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

/* One of two words. */
static bool read_either(const char *text, const char *yes, const char *no, bool *out)
{
	*out = !strcmp(text, yes);
	return *out || !strcmp(text, no);
}

/* The last six words of a step's line. */
static bool read_step_words(char *const *words, struct ramp_record *r)
{
	int64_t epoch, step, level_ppm, ttl_s;

	if (!read_decimal(words[0], &epoch) || epoch > UINT32_MAX ||
	    !read_decimal(words[1], &step) || step > UINT32_MAX ||
	    !read_decimal(words[2], &level_ppm) || level_ppm > LEVEL_MAX ||
	    !read_either(words[3], "falls", "rises", &r->falls) ||
	    !read_either(words[4], "arrived", "moves", &r->arrived) ||
	    !read_decimal(words[5], &ttl_s) || ttl_s > TTL_MAX_S)
		return false;
	r->epoch = (uint32_t)epoch;
	r->step = (uint32_t)step;
	r->level_known = true;
	r->level_ppm = (uint32_t)level_ppm;
	r->longest_ttl_s = (uint32_t)ttl_s;
	return true;
}

static bool read_ramp_line(char *line, struct ramp_record *out)
{
	char *remaining = line, *words[WORDS_MAX];
	struct ramp_record r = { 0 };
	int64_t generation;
	size_t n = 0;

	while (remaining && n < WORDS_MAX)
		words[n++] = strsep(&remaining, " ");
	if (remaining || (n != WORDS_MIN && n != WORDS_MAX))
		return false;
	if (!*words[0] || strlen(words[0]) >= sizeof(r.id) ||
	    !read_decimal(words[1], &generation) || generation < 1 ||
	    !read_decimal(words[2], &r.at_ms) || !read_how(words[3], &r.how) ||
	    (n == WORDS_MAX && !read_step_words(words + WORDS_MIN, &r)))
		return false;
	strcpy(r.id, words[0]);
	r.generation = (uint64_t)generation;
	*out = r;
	return true;
}

/* A wrong record makes the whole file invalid, so that a part of it is not taken for all. */
static int read_ramp_records(FILE *f, struct ramp_record *out)
{
	char line[LINE_MAX_BYTES];
	int n = 0;

	if (!fgets(line, sizeof(line), f) || strcmp(line, HEAD) != 0)
		return -EINVAL;
	while (fgets(line, sizeof(line), f)) {
		size_t length = strlen(line);

		if (length == 0 || line[length - 1] != '\n')
			return -EINVAL;
		line[length - 1] = '\0';
		if (!strcmp(line, "end"))
			return fgetc(f) == EOF ? n : -EINVAL;
		if (n == (int)RAMP_RECORDS_MAX || !read_ramp_line(line, &out[n]))
			return -EINVAL;
		n++;
	}
	return -EINVAL;
}

int ramp_read(const char *state_dir, struct ramp_record *out)
{
	struct ramp_record *list;
	char path[PATH_MAX];
	int err = proc_path(state_dir, RAMP_FILE, path);
	FILE *f = err ? NULL : owner_fopen(path, "dns");

	if (!f)
		return err ? err : errno == ENOENT ? 0 : -errno;
	list = calloc(RAMP_RECORDS_MAX, sizeof(*list));
	err = list ? read_ramp_records(f, list) : -ENOMEM;
	fclose(f);
	if (err > 0)
		memcpy(out, list, (size_t)err * sizeof(*list));
	free(list);
	return err;
}

static void write_ramp_line(FILE *f, const struct ramp_record *r)
{
	fprintf(f, "%s %" PRIu64 " %" PRId64 " %s", r->id, r->generation, r->at_ms,
	        ramp_how_text(r->how));
	if (r->level_known)
		fprintf(f, " %u %u %u %s %s %u", r->epoch, r->step, r->level_ppm,
		        r->falls ? "falls" : "rises", r->arrived ? "arrived" : "moves",
		        r->longest_ttl_s);
	fputc('\n', f);
}

int ramp_write(const char *state_dir, const struct ramp_record *records, size_t n)
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	int err = proc_path(state_dir, RAMP_FILE, path);

	if (err)
		return err;
	FILE *f = replace_begin_stream(path, 0644, temporary);
	if (!f)
		return -errno;
	fputs(HEAD, f);
	for (size_t i = 0; i < n; i++)
		write_ramp_line(f, &records[i]);
	fputs("end\n", f);
	return replace_end_stream(f, temporary, path, REPLACE_SYNC_FILE);
}

const struct ramp_record *ramp_find_any(const struct ramp_record *records, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(records[i].id, id))
			return &records[i];
	return NULL;
}

const struct ramp_record *ramp_find(const struct ramp_record *records, size_t n,
                                    const struct model_override *o)
{
	for (size_t i = 0; i < n; i++) {
		const struct ramp_record *r = &records[i];

		if (r->generation == o->generation && r->epoch == o->epoch && r->step == o->step &&
		    !strcmp(r->id, o->id))
			return r;
	}
	return NULL;
}

static const struct record_kind level_record =
        RECORD_OF(struct ramp_record, "level", NULL,
                  RECORD_ALWAYS(struct ramp_record, "override", id, FIELD_TEXT),
                  RECORD_ALWAYS(struct ramp_record, "generation", generation, FIELD_U64),
                  RECORD_ALWAYS(struct ramp_record, "epoch", epoch, FIELD_U32),
                  RECORD_ALWAYS(struct ramp_record, "step", step, FIELD_U32),
                  RECORD_ALWAYS(struct ramp_record, "level_ppm", level_ppm, FIELD_U32),
                  RECORD_ALWAYS(struct ramp_record, "longest_ttl_s", longest_ttl_s, FIELD_U32),
                  RECORD_ALWAYS(struct ramp_record, "arrived", arrived, FIELD_BOOL));
static const struct field one_level = { .kind = FIELD_RECORD, .of = &level_record };
static bool are_levels_sound(const void *record)
{
	const struct ramp_levels *levels = record;

	for (uint32_t i = 0; i < levels->n; i++) {
		const struct ramp_record *r = &levels->items[i];

		if (!r->generation || r->generation >= GENERATION_END || r->level_ppm > LEVEL_MAX ||
		    r->longest_ttl_s >= TTL_MAX_S)
			return false;
	}
	return true;
}

const struct record_kind ramp_levels_record =
        RECORD_OF(struct ramp_levels, "levels", are_levels_sound,
                  RECORD_VALUE(struct ramp_levels, ok, FIELD_BOOL),
                  RECORD_ALWAYS_LIST(struct ramp_levels, "levels", items, n, &one_level));
