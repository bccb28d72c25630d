/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file in which a node finds what a peer told it (weir/conn_state.h). The first line has what weir-
 * dataplane must know before it reads on: when it was written, so that an old answer is not taken
 * for a new one, and from which peer it is.
 */
#include "weir/conn_state.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/proc.h"
#include "base/replace.h"

#define HEAD_MAX 128 /* bytes of the first line: a time and a node's name */
#define HEAD     "weir-connections 1 "

int conn_state_write(const char *run_dir, const char *node, uint64_t now_ms, const char *text)
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	int err = proc_path(run_dir, CONN_STATE_FILE, path);

	if (err)
		return err;
	FILE *f = replace_begin_stream(path, 0644, temporary);
	if (!f)
		return -errno;
	fprintf(f, HEAD "%" PRIu64 " %.63s\n%s", now_ms, node, text);
	return replace_end_stream(f, temporary, path, REPLACE_SYNC_NONE);
}

/* "weir-connections 1 TIME NODE" */
static int read_conn_head(const char *line, struct conn_state *out)
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
static int read_conn_text(FILE *f, char **out)
{
	char *text = malloc(CONN_STATE_TEXT_MAX + 2);

	if (!text)
		return -ENOMEM;
	size_t n = fread(text, 1, CONN_STATE_TEXT_MAX + 1, f);
	text[n] = '\0';
	if (ferror(f) || n > CONN_STATE_TEXT_MAX || strlen(text) != n) {
		free(text);
		return -EPROTO;
	}
	*out = text;
	return 0;
}

int conn_state_read(const char *run_dir, uint64_t after_ms, struct conn_state *out)
{
	struct conn_state state = { 0 };
	char path[PATH_MAX], line[HEAD_MAX];
	int err = proc_path(run_dir, CONN_STATE_FILE, path);

	if (err)
		return err;
	FILE *f = owner_fopen(path, "mgmt");
	if (!f)
		return -errno;
	err = fgets(line, sizeof(line), f) ? read_conn_head(line, &state) : -EPROTO;
	if (!err && state.at_ms <= after_ms)
		err = -ENOENT;
	if (!err)
		err = read_conn_text(f, &state.text);
	fclose(f);
	if (!err)
		*out = state;
	return err;
}
