/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/sockets.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cluster/sched.h"

#define SOCKETS_MAX 128u /* those of dead nodes stay */

struct socket_row {
	char path[PATH_MAX];
	ctl_handler *handler; /* NULL: it was closed */
	void *arg;
	bool hangs;
};

static struct socket_row rows[SOCKETS_MAX];
static size_t n_rows;

static struct socket_row *find_socket(const char *path)
{
	for (size_t i = 0; i < n_rows; i++)
		if (!strcmp(rows[i].path, path))
			return &rows[i];
	return NULL;
}

void sockets_serve(const char *path, ctl_handler *handler, void *arg)
{
	struct socket_row *row = find_socket(path);

	if (!row && n_rows == SOCKETS_MAX)
		abort();
	if (!row)
		row = &rows[n_rows++];
	*row = (struct socket_row){ .handler = handler, .arg = arg };
	snprintf(row->path, sizeof(row->path), "%s", path);
}

void sockets_hang(const char *path, bool hangs)
{
	struct socket_row *row = find_socket(path);

	if (row)
		row->hangs = hangs;
}

void sockets_close(const char *path)
{
	struct socket_row *row = find_socket(path);

	if (row)
		row->handler = NULL;
}

/* --- base/ctl.h, the client's side --- */

int ctl_request(const char *path, const char *line, int timeout_ms, char **answer)
{
	struct socket_row *row = find_socket(path);
	char *text;

	if (!row)
		return -ENOENT;
	if (!row->handler)
		return -ECONNREFUSED;
	if (row->hangs) {
		(void)sched_wait(NULL, NULL, sched_now_ns() + (uint64_t)timeout_ms * SCHED_MS);
		return -ETIMEDOUT;
	}
	text = row->handler(row->arg, line, strlen(line));
	if (!text)
		return -ECONNRESET;
	*answer = text;
	return 0;
}
