/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line for each process: name, pid and start time. The last two name a process for good: the
 * kernel gives the pid of an ended process to another one, but not with the same start time. The
 * directory is open to group weir, so the file is read only if it is ours, and is written beside it
 * and renamed, never through what lies there.
 */
#include "supervise/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/replace.h"

size_t run_read_proc(pid_t pid, const char *file, char *out, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, size - 1) : 0;

	if (fd >= 0)
		close(fd);
	n = n > 0 ? n : 0;
	out[n] = '\0';
	return (size_t)n;
}

/* Field 22 of /proc/PID/stat, behind the name in brackets (proc(5)). */
uint64_t run_start_time(pid_t pid)
{
	char line[1024];
	uint64_t start = 0;

	run_read_proc(pid, "stat", line, sizeof(line));
	const char *at = strrchr(line, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at && sscanf(at, "%" SCNu64, &start) == 1 ? start : 0;
}

/* Whether one of two masks of /proc/PID/status has the signal. */
static bool has_signal(pid_t pid, int signo, const char *first, const char *second)
{
	const char *const names[] = { first, second };
	char text[16384]; /* before the masks are all groups of the process */
	bool has = false;

	run_read_proc(pid, "status", text, sizeof(text));
	for (size_t i = 0; i < 2; i++) {
		const char *mask = strstr(text, names[i]);

		if (mask)
			has |= strtoull(mask + strlen(names[i]), NULL, 16) >> (signo - 1) & 1;
	}
	return has;
}

bool run_handles_signal(pid_t pid, int signo)
{
	return has_signal(pid, signo, "\nSigCgt:", "\nSigBlk:");
}

bool run_has_pending(pid_t pid, int signo)
{
	return has_signal(pid, signo, "\nShdPnd:", "\nSigPnd:");
}

/* A file of another user could make us end or trust processes that are not ours. */
static FILE *open_own(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *f = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		f = fdopen(fd, "r");
	if (!f && fd >= 0)
		close(fd);
	return f;
}

pid_t run_state_find(const char *run_dir, const char *name)
{
	char path[PATH_MAX], word[32];
	uint64_t start;
	pid_t found = 0;
	int pid;

	if (proc_path(run_dir, RUN_STATE_FILE, path) != 0)
		return 0;
	FILE *f = open_own(path);
	if (!f)
		return 0;
	while (fscanf(f, "%31s %d %" SCNu64 "\n", word, &pid, &start) == 3)
		if (strcmp(word, name) == 0 && pid > 1 && start && run_start_time(pid) == start)
			found = pid;
	fclose(f);
	return found;
}

int run_state_write(const char *run_dir, const struct run_noted *noted, size_t n)
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	int err = proc_path(run_dir, RUN_STATE_FILE, path);

	if (err)
		return err;
	FILE *f = replace_begin_stream(path, 0644, temporary);
	if (!f)
		return -errno;
	for (size_t i = 0; i < n; i++)
		if (noted[i].pid > 0)
			fprintf(f, "%s %d %" PRIu64 "\n", noted[i].name, (int)noted[i].pid,
			        run_start_time(noted[i].pid));
	return replace_end_stream(f, temporary, path, REPLACE_SYNC_NONE);
}
