/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared options are rows of one table: option, environment variable, default and offset in
 * struct proc_dirs. Reading, defaults and errors are loops over the table. Shared options are taken
 * out of argv, so a process parses only its own.
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owner.h"

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

/*
 * Rights are given up with the kernel's own calls (capabilities(7)), in this order: bounding set,
 * groups and user (PR_SET_KEEPCAPS carries the capabilities over), the capabilities that are kept,
 * no new privileges. It comes first in main(), before threads: a capability set is a thread's own.
 */

/* Drop from the bounding set what is not in @p caps, so that no exec brings it back. */
static int limit_bounds(uint64_t caps)
{
	for (int cap = 0; cap <= CAP_LAST_CAP && cap < 64; cap++)
		if (!(caps >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EINVAL)
			return -errno;
	return 0;
}

static int set_capabilities(uint64_t caps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(caps >> (32 * i));

		data[i] = (struct __user_cap_data_struct){ part, part, part };
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int set_ambient(uint64_t caps)
{
	for (int cap = 0; cap < 64; cap++)
		if (caps >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	return 0;
}

/*
 * Besides group weir the user's own group is kept: files for this process alone, such as the hash
 * key, are readable for it. Of @p others, groups of other programs, those that exist.
 */
static int change_user(const struct passwd *user, gid_t gid, const char *const *others,
                       size_t n_others)
{
	gid_t groups[2 + PROC_GROUPS_MAX] = { gid };
	size_t n = 1;

	if (user->pw_gid != gid)
		groups[n++] = user->pw_gid;
	for (size_t i = 0; i < n_others && i < PROC_GROUPS_MAX; i++) {
		const struct group *group = getgrnam(others[i]);

		if (group)
			groups[n++] = group->gr_gid;
	}
	if (setgroups(n, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return -errno;
	return 0;
}

void proc_join_group(void)
{
	const struct group *group = geteuid() == 0 ? getgrnam("weir") : NULL;
	gid_t list[64];
	int n = group ? getgroups(sizeof(list) / sizeof(list[0]) - 1, list) : -1;

	if (n < 0)
		return;
	list[n] = group->gr_gid;
	if (setgroups((size_t)n + 1, list) < 0)
		log_warn("group-not-joined", "group=weir error=\"%s\"", strerror(errno));
}

/*
 * WEIR_USERS=none keeps all processes root: for labs, and for the demo on a machine without Weir's
 * users.
 */
static bool stays_root(const char *name)
{
	const char *users = getenv(PROC_USERS_VARIABLE);

	if (!users || strcmp(users, "none") != 0)
		return false;
	log_warn("rights-kept", "process=weir-%s reason=\"" PROC_USERS_VARIABLE "=none\"", name);
	return true;
}

/*
 * Without the user the process ends: going on as root would be the opposite of the intent.
 */
static int refuse_root(const char *missing)
{
	log_error(
	        "user-missing",
	        "missing=\"%s\" advice=\"create it: install the package or run systemd-sysusers; to "
	        "run all processes as root, set " PROC_USERS_VARIABLE "=none\"",
	        missing);
	return -ENOENT;
}

int proc_become(const char *name, uint64_t caps)
{
	return proc_become_with(name, caps, NULL, 0);
}

int proc_become_with(const char *name, uint64_t caps, const char *const *groups, size_t n)
{
	char user_name[64];

	if (snprintf(user_name, sizeof(user_name), "weir-%s", name) >= (int)sizeof(user_name))
		return -ENAMETOOLONG;
	uid_t found;

	(void)owner_of(name, &found); /* while users may still be looked up */
	if (geteuid() != 0)
		return 0;
	if (stays_root(name))
		return 0;
	const struct passwd *user = getpwnam(user_name);
	const struct group *group = getgrnam("weir");

	if (!user || !group)
		return refuse_root(user ? "group weir" : user_name);
	const gid_t weir = group->gr_gid; /* the next look-up may use its memory again */
	int err = limit_bounds(caps);

	if (!err && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		err = -errno;
	if (!err)
		err = change_user(user, weir, groups, n);
	if (!err)
		err = set_capabilities(caps);
	if (!err)
		err = set_ambient(caps);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	return err;
}

/*
 * The service manager's protocol without its library: one datagram for each message (sd_notify(3)).
 * And the signals that a process ignores.
 */

void proc_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	/* A courtesy: without a listener the process works just as well. */
	sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

void proc_ready(void)
{
	proc_notify("READY=1");
}

unsigned proc_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;

	if (!text || *text < '1' || *text > '9')
		return 0;
	if (pid && strtol(pid, NULL, 10) != getpid())
		return 0;
	errno = 0;
	unsigned long long us = strtoull(text, &end, 10);

	return errno || *end || us / 1000 > 3600000u ? 0 : (unsigned)(us / 1000);
}

void proc_ignore_signals(void)
{
	static const int ignored[] = { SIGHUP,  SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2,
		                       SIGTSTP, SIGTTIN, SIGTTOU, SIGIO,   SIGVTALRM,
		                       SIGPROF, SIGPWR,  SIGXFSZ, SIGXCPU, SIGSTKFLT };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		signal(signo, SIG_IGN);
}

int proc_document_mark(const char *path, char out[PROC_MARK_MAX])
{
	struct stat st;

	if (stat(path, &st) != 0)
		return -errno;
	snprintf(out, PROC_MARK_MAX, "%lld-%lld.%09ld", (long long)st.st_size,
	         (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return 0;
}

const char *proc_document(const char *path, char room[PATH_MAX])
{
	const char *skip = getenv(PROC_SKIP_VARIABLE), *slash = strrchr(path, '/');
	int n_dir = slash ? (int)(slash + 1 - path) : 0;
	char mark[PROC_MARK_MAX];

	if (!skip || proc_document_mark(path, mark) || strcmp(skip, mark) != 0 ||
	    snprintf(room, PATH_MAX, "%.*s" PROC_GOOD_FILE, n_dir, path) >= PATH_MAX)
		return path;
	return room;
}

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

int proc_dirs_only(struct proc_dirs *dirs, int argc, char **argv, const char *name,
                   const char *does)
{
	int err = proc_dirs_from_args(dirs, &argc, argv);
	bool wants_help = argc == 2 && !strcmp(argv[1], "--help");

	if (!err && argc == 1)
		return -1;
	fprintf(wants_help ? stdout : stderr, "usage: weir-%s [options]\n%s\n\n%s", name, does,
	        proc_dirs_help);
	return !wants_help;
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
