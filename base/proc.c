/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared options are rows of one table: option, environment variable, default and offset in
 * struct proc_dirs. Reading, defaults and errors are loops over the table. Shared options are taken
 * out of argv, so a process parses only its own.
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <unistd.h>

#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define LISTEN_FIRST 3    /* SD_LISTEN_FDS_START */
#define LISTEN_MOST  1024 /* descriptors; a larger LISTEN_FDS is not believed */

const char proc_dirs_help[] =
        "  --conf-dir DIR   weir.conf, zones, keys, tokens (/etc/weir)\n"
        "  --state-dir DIR  effective document, store, saved verdicts (/var/lib/weir)\n"
        "  --run-dir DIR    pages and sockets; on a tmpfs (/run/weir)\n"
        "  --bpf-dir DIR    pins; on a bpffs (/sys/fs/bpf/weir)\n"
        "  --node NAME      name of this node in the configuration (the host's name)\n"
        "  The environment gives defaults: WEIR_CONF_DIR, WEIR_STATE_DIR, WEIR_RUN_DIR,\n"
        "  WEIR_BPF_DIR, WEIR_NODE.\n";

/* An option: its texts, and where in struct proc_dirs its value goes. */
struct option_row {
	const char *option, *variable, *fallback;
	size_t off, size;
};

#define ROW(field, option, variable, fallback)                                                     \
	{                                                                                          \
		option, variable, fallback, offsetof(struct proc_dirs, field),                     \
		        sizeof(((struct proc_dirs *)0)->field)                                     \
	}

static const struct option_row rows[] = {
	ROW(conf, "--conf-dir", "WEIR_CONF_DIR", "/etc/weir"),
	ROW(state, "--state-dir", "WEIR_STATE_DIR", "/var/lib/weir"),
	ROW(run, "--run-dir", "WEIR_RUN_DIR", "/run/weir"),
	ROW(bpf, "--bpf-dir", "WEIR_BPF_DIR", "/sys/fs/bpf/weir"),
	ROW(node, "--node", "WEIR_NODE", NULL),
};

static int set_value(struct proc_dirs *dirs, const struct option_row *row, const char *value,
                     const char *from)
{
	size_t n = strlen(value);

	if (n == 0 || n >= row->size) {
		fprintf(stderr, "%s: %s\n", from, n ? "too long" : "empty");
		return -EINVAL;
	}
	memcpy((char *)dirs + row->off, value, n + 1);
	return 0;
}

static int set_default(struct proc_dirs *dirs, const struct option_row *row)
{
	char host[256] = "";
	const char *value = getenv(row->variable);

	if (value)
		return set_value(dirs, row, value, row->variable);
	if (row->fallback)
		return set_value(dirs, row, row->fallback, row->option);
	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	return set_value(dirs, row, host, "the host's name");
}

/* The row whose option is at argv[i], with its value; *used is how many arguments it takes. */
static const struct option_row *match_option(int argc, char **argv, int i, const char **value,
                                             int *used)
{
	for (size_t r = 0; r < COUNT(rows); r++) {
		size_t n = strlen(rows[r].option);

		if (strncmp(argv[i], rows[r].option, n) != 0)
			continue;
		if (argv[i][n] == '=') {
			*value = argv[i] + n + 1;
			*used = 1;
			return &rows[r];
		}
		if (argv[i][n] == '\0') {
			*value = i + 1 < argc ? argv[i + 1] : NULL;
			*used = 2;
			return &rows[r];
		}
	}
	return NULL;
}

int proc_dirs_from_args(struct proc_dirs *dirs, int *argc, char **argv)
{
	struct proc_dirs found;
	int kept = 1;

	for (size_t r = 0; r < COUNT(rows); r++)
		if (set_default(&found, &rows[r]))
			return -EINVAL;
	found.node_given = getenv("WEIR_NODE") != NULL;
	for (int i = 1, used = 1; i < *argc; i += used) {
		const char *value = NULL;
		const struct option_row *row = NULL;

		/* Behind "--" nothing is an option. */
		if (strcmp(argv[i], "--") == 0) {
			while (i < *argc)
				argv[kept++] = argv[i++];
			break;
		}
		used = 1;
		row = match_option(*argc, argv, i, &value, &used);
		if (!row) {
			argv[kept++] = argv[i];
			continue;
		}
		if (!value) {
			fprintf(stderr, "%s: a value is missing\n", row->option);
			return -EINVAL;
		}
		if (set_value(&found, row, value, row->option))
			return -EINVAL;
		found.node_given |= strcmp(row->option, "--node") == 0;
	}
	*argc = kept;
	argv[kept] = NULL;
	*dirs = found;
	return 0;
}

int proc_path(const char *dir, const char *name, char out[PATH_MAX])
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(out, path, (size_t)n + 1);
	return 0;
}

/* A whole decimal number from the environment, or -1. */
static long env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -1;
	errno = 0;
	long n = strtol(text, &end, 10);

	return errno || *end ? -1 : n;
}

int proc_listen_fd(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	long n = env_number("LISTEN_FDS");
	size_t length = strlen(name);

	if (env_number("LISTEN_PID") != getpid() || n < 1 || n > LISTEN_MOST || !names)
		return -ENOENT;
	for (int fd = LISTEN_FIRST; fd < LISTEN_FIRST + n; fd++) {
		size_t part = strcspn(names, ":");

		if (part == length && strncmp(names, name, length) == 0)
			return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -ENOENT : fd;
		names += part;
		if (*names++ == '\0')
			break;
	}
	return -ENOENT;
}
