/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file in which a node finds what a peer told it (weir/guests.h). The first line has what weir-
 * dataplane must know before it reads on: when it was written, so that an old answer is not taken
 * for a new one, and by whom.
 */
#include "weir/guests.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/proc.h"

#define HEAD_MAX 128 /* bytes of the first line: a time and a node's name */
#define HEAD     "weir-guests 1 "

int guests_write(const char *run_dir, const char *node, uint64_t now_ms, const char *text)
{
	char path[PATH_MAX], draft[OWNER_DRAFT_MAX];
	int rc = proc_path(run_dir, GUESTS_FILE, path);

	if (rc)
		return rc;
	FILE *f = owner_draft_stream(path, 0644, draft);
	if (!f)
		return -errno;
	if (fprintf(f, HEAD "%" PRIu64 " %.63s\n%s", now_ms, node, text) < 0)
		rc = -EIO;
	if (fclose(f) && !rc)
		rc = -errno;
	if (!rc && rename(draft, path))
		rc = -errno;
	if (rc)
		unlink(draft);
	return rc;
}

/* "weir-guests 1 TIME NODE" */
static int read_head(const char *line, struct guests_told *out)
{
	char *end;

	if (strncmp(line, HEAD, strlen(HEAD)) || line[strlen(HEAD)] < '0' ||
	    line[strlen(HEAD)] > '9')
		return -EPROTO;
	out->at_ms = strtoull(line + strlen(HEAD), &end, 10);
	size_t n = *end == ' ' ? strcspn(end + 1, " \n") : 0;
	if (n == 0 || n >= sizeof(out->node) || end[1 + n] != '\n')
		return -EPROTO;
	memcpy(out->node, end + 1, n);
	out->node[n] = '\0';
	return 0;
}

/* The rest of the file as text. */
static int read_text(FILE *f, char **out)
{
	char *text = malloc(GUESTS_TEXT_MAX + 2);

	if (!text)
		return -ENOMEM;
	size_t n = fread(text, 1, GUESTS_TEXT_MAX + 1, f);
	text[n] = '\0';
	if (ferror(f) || n > GUESTS_TEXT_MAX || strlen(text) != n) {
		free(text);
		return -EPROTO;
	}
	*out = text;
	return 0;
}

int guests_read(const char *run_dir, uint64_t after_ms, struct guests_told *out)
{
	struct guests_told told = { 0 };
	char path[PATH_MAX], line[HEAD_MAX];
	int rc = proc_path(run_dir, GUESTS_FILE, path);

	if (rc)
		return rc;
	FILE *f = owner_fopen(path, "mgmt");
	if (!f)
		return -errno;
	rc = fgets(line, sizeof(line), f) ? read_head(line, &told) : -EPROTO;
	if (!rc && told.at_ms <= after_ms)
		rc = -ENOENT;
	if (!rc)
		rc = read_text(f, &told.text);
	fclose(f);
	if (!rc)
		*out = told;
	return rc;
}
