/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose program is on a busy port. The kernel shows a process without CAP_SYS_ADMIN only the
 * programs and links that it can open. So Weir's own programs are looked for among its pins, below
 * the directories of other clusters and node names. The advice differs, because a link makes `ip
 * link set dev PORT xdp off` fail.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/xdp_internal.h"

/* Whether the pin at @p path is a link that holds @p ifindex. */
static bool holds_interface(const char *path, uint32_t ifindex)
{
	struct bpf_link_info info = { 0 };
	uint32_t n = sizeof(info);
	int fd = bpf_obj_get(path);
	bool is_so = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &n) &&
	             info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex;

	if (fd >= 0)
		close(fd);
	return is_so;
}

/* The next entry of a directory of pins, without "." and ".."; NULL: there are no more. */
static const char *next_name(DIR *dir)
{
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			return e->d_name;
	return NULL;
}

/* Names are pinned with ':' for '.', because a BPF file system refuses names with dots. */
static void plain_name(const char *pinned, char out[XDP_NAME_MAX])
{
	snprintf(out, XDP_NAME_MAX, "%s", pinned);
	for (char *c = out; *c; c++)
		if (*c == ':')
			*c = '.';
}

/*
 * Which directory @p depth levels below @p at has a link on the port. @param names  out: [depth], of the
 * directories on the way
 */
static bool find_link(const char *at, unsigned depth, const char *link, uint32_t ifindex,
                      char names[][XDP_NAME_MAX])
{
	DIR *dir = depth ? opendir(at) : NULL;
	char path[PATH_MAX];
	const char *name;
	bool found = false;

	if (depth == 0)
		return snprintf(path, sizeof(path), "%s/%s", at, link) < (int)sizeof(path) &&
		       holds_interface(path, ifindex);
	while (!found && (name = next_name(dir))) {
		found = snprintf(path, sizeof(path), "%s/%s", at, name) < (int)sizeof(path) &&
		        find_link(path, depth - 1, link, ifindex, names + 1);
		if (found)
			plain_name(name, names[0]);
	}
	if (dir)
		closedir(dir);
	return found;
}

int xdp_explain_busy(struct driver_reason *reason, int err, const char *pin_dir,
                     const char *interface, uint32_t ifindex)
{
	char copy[PATH_MAX], link[64], names[2][XDP_NAME_MAX]; /* cluster, node */

	snprintf(copy, sizeof(copy), "%s", pin_dir);
	const char *root = dirname(dirname(copy)); /* BPF/CLUSTER/NODE */
	snprintf(link, sizeof(link), "link-%s", interface);
	for (char *c = link; *c; c++)
		if (*c == '.')
			*c = ':';
	if (find_link(root, 2, link, ifindex, names))
		return driver_set_reason(
		        reason, err,
		        "%s carries Weir's own program of cluster %s, node %s; if that node must not "
		        "run here: weir-dataplane --detach --cluster %s --node %s --bpf-dir %.200s",
		        interface, names[0], names[1], names[0], names[1], root);
	return driver_set_reason(
	        reason, err,
	        "another XDP program is attached to %s: stop its owner, or remove it with `ip link set "
	        "dev %s xdp off`; if that is refused as busy, a link holds it: `bpftool link` shows "
	        "the link's number, `bpftool link detach id NUMBER` removes it",
	        interface, interface);
}
