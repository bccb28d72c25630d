/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dropping rights, with the kernel's own calls (capabilities(7)).
 * It comes first in main(), before threads: a capability set is a thread's own.
 */
#include "base/proc.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Drop from the bounding set what is not in @p caps, so that no exec brings it back. */
static int limit_bounds(uint64_t caps)
{
	for (int cap = 0; cap <= CAP_LAST_CAP && cap < 64; cap++)
		if (!(caps >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 &&
		    errno != EINVAL)
			return -errno;
	return 0;
}

static int set_caps(uint64_t caps)
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

static int change_user(const struct passwd *user, gid_t gid)
{
	if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
		return -errno;
	return 0;
}

int proc_become(const char *name, uint64_t caps)
{
	char user_name[64];

	if (snprintf(user_name, sizeof(user_name), "weir-%s", name) >= (int)sizeof(user_name))
		return -ENAMETOOLONG;
	if (geteuid() != 0)
		return 0;
	const struct passwd *user = getpwnam(user_name);

	if (!user)
		return 0;
	const struct group *group = getgrnam("weir");
	int rc = limit_bounds(caps);

	if (!rc && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		rc = -errno;
	if (!rc)
		rc = change_user(user, group ? group->gr_gid : user->pw_gid);
	if (!rc)
		rc = set_caps(caps);
	if (!rc)
		rc = set_ambient(caps);
	if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	return rc;
}
