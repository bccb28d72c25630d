/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes wrong with XDP, in words that say what to do: the kernel's errno alone tells
 * an operator nothing. Each errno has the causes that drivers are known to give it for.
 */
#include "bpf/xdp_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "weir/bpf_reason.h"

#define BPF_FS_MAGIC_NUMBER 0xcafe4a11u /* BPF_FS_MAGIC of linux/magic.h */

int xdp_explain_load(struct driver_reason *reason, int err, const char *log)
{
	char text[BPF_REASON_MAX];

	return driver_set_reason(reason, err, "%s", bpf_reason(err, log, text));
}

int xdp_explain_attach(struct driver_reason *reason, int err, const char *interface)
{
	switch (-err) {
	case ENODEV:
		return driver_set_reason(
		        reason, err, "there is no interface %s: check nodes[].ports", interface);
	case ERANGE:
		return driver_set_reason(
		        reason, err,
		        "the MTU of %s (or of its peer) is too large for native XDP: set it to 3,498 or "
		        "less, usually 1500",
		        interface);
	case EPERM:
	case EACCES:
		return driver_set_reason(reason, err,
		                         "no right to attach to %s: CAP_NET_ADMIN is needed",
		                         interface);
	case EINVAL:
		return driver_set_reason(
		        reason, err,
		        "the driver of %s refuses the program: the usual reasons are large receive offload "
		        "(`ethtool -K %s lro off`), an MTU over 3,498, or more CPUs than transmit queues",
		        interface, interface);
	case EOPNOTSUPP:
		return driver_set_reason(reason, err,
		                         "the driver of %s does not support native XDP", interface);
	default:
		return driver_set_reason(reason, err, "the program cannot be attached to %s: %s",
		                         interface, strerror(-err));
	}
}

/* Whether the nearest existing parent of @p dir is on a bpffs. */
static int check_bpffs(const char *dir, struct driver_reason *reason)
{
	char path[PATH_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s", dir);
	while (statfs(path, &fs)) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT || !slash || slash == path)
			return driver_set_reason(reason, -errno, "%s cannot be read: %s", path,
			                         strerror(errno));
		*slash = 0;
	}
	if (fs.f_type != BPF_FS_MAGIC_NUMBER)
		return driver_set_reason(
		        reason, -ENODEV,
		        "%s is not on a BPF file system: `mount -t bpf bpf /sys/fs/bpf`, or name one "
		        "with --bpf-dir (`ip netns exec` hides /sys/fs/bpf)",
		        dir);
	return 0;
}

int xdp_make_dir(const char *dir, struct driver_reason *reason)
{
	char path[PATH_MAX];
	int err = check_bpffs(dir, reason);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s", dir);
	for (char *p = path + 1;; p++) {
		char was = *p;

		if (was && was != '/')
			continue;
		*p = 0;
		if (mkdir(path, 0700) && errno != EEXIST)
			return driver_set_reason(reason, -errno, "%s cannot be made: %s", path,
			                         strerror(errno));
		if (!was)
			return 0;
		*p = was;
	}
}
