/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the running processes of this node, for a supervisor that follows another. No note is
 * trusted: a process is ours if it runs the program, as the program's user or ours, with our node
 * and our directories in its arguments, and if its run directory is the same inode as ours (another
 * mount namespace may have another one of that name).
 */
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervise/internal.h"

#define LINE_MAX_BYTES 16384 /* of a command line; ours are far shorter, and others may be cut */

/* The i-th argument of a command line as /proc has it, or NULL. */
static const char *find_argument(const char *line, size_t n, size_t i)
{
	const char *at = line, *end = line + n;

	while (at < end && i--)
		at += strlen(at) + 1;
	return at < end ? at : NULL;
}

/* Whether the command line has "--option VALUE". */
static bool has_option(const char *line, size_t n, const char *option, const char *value)
{
	const char *a;

	for (size_t i = 0; (a = find_argument(line, n, i)); i++) {
		const char *next = find_argument(line, n, i + 1);

		if (!strcmp(a, option) && next && !strcmp(next, value))
			return true;
	}
	return false;
}

static bool is_script(const char *program)
{
	char start[2] = "";
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	bool script = fd >= 0 && read(fd, start, 2) == 2 && !memcmp(start, "#!", 2);

	if (fd >= 0)
		close(fd);
	return script;
}

/* By the kernel's link /proc/PID/exe; only the name counts, since an upgrade replaces the file. */
static bool runs_program(const struct run *r, pid_t pid, const char *name, const char *line,
                         size_t n)
{
	char link[64], exe[PATH_MAX + 16], program[PATH_MAX + 32];
	static const char deleted[] = " (deleted)";

	snprintf(program, sizeof(program), "%s/weir-%s", r->bin, name);
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	ssize_t got = readlink(link, exe, sizeof(exe) - 1);
	if (got <= 0)
		return false;
	exe[got] = '\0';
	if ((size_t)got > strlen(deleted) && !strcmp(exe + (size_t)got - strlen(deleted), deleted))
		exe[(size_t)got - strlen(deleted)] = '\0';

	const char *slash = strrchr(exe, '/');
	if (slash && !strncmp(slash + 1, "weir-", 5) && !strcmp(slash + 6, name))
		return true;
	/* an interpreter runs it */
	const char *script = find_argument(line, n, 1);
	return script && !strcmp(script, program) && is_script(program);
}

static bool has_user(pid_t pid, const char *name)
{
	char path[64], user_name[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	snprintf(user_name, sizeof(user_name), "weir-%s", name);
	const struct passwd *user = getpwnam(user_name);

	/* a process that gave up rights is not dumpable: /proc/PID may be root's, so read status */
	char status[4096];
	size_t n = run_read_proc(pid, "status", status, sizeof(status));
	const char *at = n ? strstr(status, "\nUid:") : NULL;
	unsigned uid;

	if (stat(path, &st) != 0 || !at || sscanf(at, "\nUid: %u", &uid) != 1)
		return false;
	return uid == geteuid() || (user && uid == user->pw_uid);
}

static bool has_run_dir(const struct run *r, pid_t pid)
{
	char path[PATH_MAX + 64];
	struct stat own, theirs;

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, r->dirs->run);
	if (*r->dirs->run != '/') /* a relative path is relative to its own working directory */
		snprintf(path, sizeof(path), "/proc/%d/cwd/%s", (int)pid, r->dirs->run);
	return stat(r->dirs->run, &own) == 0 && stat(path, &theirs) == 0 &&
	       own.st_dev == theirs.st_dev && own.st_ino == theirs.st_ino;
}

static bool is_own_process(const struct run *r, pid_t pid, const char *name)
{
	static char line[LINE_MAX_BYTES];
	size_t n = run_read_proc(pid, "cmdline", line, sizeof(line));

	return n && has_option(line, n, "--run-dir", r->dirs->run) &&
	       has_option(line, n, "--conf-dir", r->dirs->conf) &&
	       has_option(line, n, "--node", r->dirs->node) &&
	       runs_program(r, pid, name, line, n) && has_user(pid, name) && has_run_dir(r, pid);
}

pid_t run_find(const struct run *r, const char *name)
{
	pid_t noted = run_state_find(r->dirs->run, name), found = 0;
	const struct dirent *e;

	if (noted && is_own_process(r, noted, name))
		return noted;
	DIR *d = opendir("/proc");
	while (d && !found && (e = readdir(d))) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (pid > 1 && !*end && pid != getpid() && is_own_process(r, (pid_t)pid, name))
			found = (pid_t)pid;
	}
	if (d)
		closedir(d);
	return found;
}
