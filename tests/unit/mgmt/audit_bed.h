/* SPDX-License-Identifier: BSD-2-Clause */
/* An audit log in a directory of the suite's own, and its lines as a list that a test may spoil. */
#ifndef WEIR_TESTS_MGMT_AUDIT_BED_H
#define WEIR_TESTS_MGMT_AUDIT_BED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/audit/log.h"
#include "mgmt/audit/verify.h"
#include "mgmt/files/files.h"
#include "tests/unit/mgmt/told_time.h"

#define BED_LINES 4096u

struct bed_line {
	uint64_t file; /* by its first number */
	char *text;
};

struct bed {
	char dir[PATH_MAX];
	struct bed_line lines[BED_LINES];
	size_t n;
	uint64_t random;
	size_t file_max, files_max; /* of the log that was opened last */
};

static inline uint64_t bed_random(struct bed *b, uint64_t below)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random % below;
}

static inline void bed_begin(struct bed *b, uint64_t seed)
{
	memset(b, 0, sizeof(*b));
	b->random = 88172645463325252ull + seed * 7919;
	strcpy(b->dir, "/tmp/weir-audit-XXXXXX");
	if (!mkdtemp(b->dir))
		abort();
	told_ms = 1000000;
	told_wall_ms = 1800000000000;
	told_time_begin(TOLD_ALL);
}

static inline struct audit_log *bed_open(struct bed *b, size_t file_max, size_t files_max)
{
	const struct audit_log_options o = {
		.dir = b->dir, .node = "ams-1", .file_max = file_max, .files_max = files_max
	};

	b->file_max = file_max;
	b->files_max = files_max;
	return audit_log_open(&o);
}

static inline void bed_write(struct audit_log *log, const char *reason)
{
	struct audit_line line = { .kind = AUDIT_CHANGE,
		                   .who = "token:ada",
		                   .method = "POST",
		                   .path = "/v1/overrides",
		                   .status = 201 };

	snprintf(line.reason, sizeof(line.reason), "%s", reason);
	audit_log_write(log, &line);
}

static inline void bed_clear(struct bed *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->lines[i].text);
	b->n = 0;
}

static inline void bed_insert(struct bed *b, size_t at, uint64_t file, char *text)
{
	if (b->n == BED_LINES || !text)
		abort();
	memmove(b->lines + at + 1, b->lines + at, (b->n++ - at) * sizeof(b->lines[0]));
	b->lines[at] = (struct bed_line){ file, text };
}

static inline void bed_remove(struct bed *b, size_t at)
{
	free(b->lines[at].text);
	memmove(b->lines + at, b->lines + at + 1, (--b->n - at) * sizeof(b->lines[0]));
}

/* The lines of all files; the last may be torn. */
static inline void bed_read(struct bed *b)
{
	uint64_t *files = NULL;
	ssize_t n_files = audit_log_files(b->dir, &files);

	bed_clear(b);
	for (ssize_t i = 0; i < n_files; i++) {
		char path[PATH_MAX], *text;
		size_t n;

		audit_log_name(b->dir, files[i], path);
		if (files_slurp(path, &text, &n))
			abort();
		for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1)
			bed_insert(b, b->n, files[i], strndup(at, (size_t)(end - at)));
		free(text);
	}
	free(files);
}

static inline struct audit_line bed_line(const struct bed *b, size_t at)
{
	struct audit_line line;

	if (audit_line_read(b->lines[at].text, strlen(b->lines[at].text), &line))
		abort();
	return line;
}

/* Judge the lines, with the head that a peer holds; NULL: none. */
static inline void bed_judge(struct bed *b, const struct audit_head *head, bool is_part,
                             struct audit_verdict *out)
{
	struct audit_verify *v = audit_verify_new(is_part);

	audit_verify_bound(v, b->file_max, b->files_max);
	audit_verify_node(v, "ams-1");
	for (size_t i = 0, end; i < b->n; i = end) {
		char *text = NULL, name[PATH_MAX];
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);

		for (end = i; end < b->n && b->lines[end].file == b->lines[i].file; end++)
			fprintf(f, "%s\n", b->lines[end].text);
		fclose(f);
		audit_log_name("", b->lines[i].file, name);
		if (audit_verify_add(v, name, text, n))
			abort();
		free(text);
	}
	if (head)
		audit_verify_head(v, "fra-1", head);
	audit_verify_end(v, out);
	audit_verify_free(v);
}

static inline void bed_print(const struct audit_verdict *verdict)
{
	for (uint32_t i = 0; i < verdict->n_found_shown; i++)
		printf("found %s: %s:%" PRIu64 " (line %" PRIu64 "): %s\n", verdict->found[i].what,
		       verdict->found[i].file, verdict->found[i].line, verdict->found[i].seq,
		       verdict->found[i].detail);
	for (uint32_t i = 0; i < verdict->n_notes; i++)
		printf("note %s: (line %" PRIu64 "): %s\n", verdict->notes[i].what,
		       verdict->notes[i].seq, verdict->notes[i].detail);
}

static inline void bed_end(struct bed *b)
{
	bed_clear(b);
	files_remove_dir(b->dir);
}

#endif
