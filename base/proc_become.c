/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rights are given up with the kernel's own calls (capabilities(7)), in this order: bounding set,
 * groups and user (PR_SET_KEEPCAPS carries the capabilities over), the capabilities that are kept,
 * no new privileges. It comes first in main(), before threads: a capability set is a thread's own.
 */
#include "base/proc.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owner.h"

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
