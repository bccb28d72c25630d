/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Namespaces of a test's own (mount and network) with a /run, a bpffs and a pair of interfaces, v0 and v1, on which no
 * router is solicited: what a test makes there goes with it. Needs root.
 */
#ifndef WEIR_TESTS_UNIT_BPF_SPACE_H
#define WEIR_TESTS_UNIT_BPF_SPACE_H

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_link.h>

/* With a dot, which is allowed above the bpffs and not in it. */
#define BPF_DIR "/run/weir-test.bpf"

static inline void __attribute__((format(printf, 1, 2), unused)) space_run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

/* Leave the present network namespace for one of our own. @return 0, or -1: no right to */
static inline __attribute__((unused)) int space_enter(bool with_bpf)
{
	if (geteuid() || unshare(CLONE_NEWNS | CLONE_NEWNET))
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
		return -1;
	if (with_bpf &&
	    ((mkdir(BPF_DIR, 0700) && errno != EEXIST) || mount("bpf", BPF_DIR, "bpf", 0, NULL)))
		return -1;
	space_run(
	        "mount -t sysfs sysfs /sys && echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 && "
	        "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	return 0;
}

/* The XDP program on @p interface; 0: none. */
static inline __attribute__((unused)) uint32_t space_xdp_of(const char *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	return bpf_xdp_query((int)if_nametoindex(interface), 0, &q) ? 0 : q.prog_id;
}

/* The map called @p name that program @p prog_id uses. @return descriptor, or -1 */
static inline __attribute__((unused)) int space_map_of(uint32_t prog_id, const char *name)
{
	struct bpf_prog_info prog = { 0 };
	uint32_t ids[32], size = sizeof(prog), n;
	int fd = bpf_prog_get_fd_by_id(prog_id), found = -1;

	prog.nr_map_ids = 32;
	prog.map_ids = (uint64_t)(uintptr_t)ids;
	n = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &prog, &size) ? prog.nr_map_ids : 0;
	for (uint32_t i = 0; i < n && found < 0; i++) {
		struct bpf_map_info map = { 0 };
		int map_fd = bpf_map_get_fd_by_id(ids[i]);

		size = sizeof(map);
		if (map_fd >= 0 && !bpf_obj_get_info_by_fd(map_fd, &map, &size) &&
		    !strcmp(map.name, name))
			found = map_fd;
		else if (map_fd >= 0)
			close(map_fd);
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* Take the program of the link pinned at @p path off, as an operator's `bpftool link detach` does. */
static inline __attribute__((unused)) void space_detach_link(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd < 0 || bpf_link_detach(fd))
		abort();
	close(fd);
}

/* Somebody else's XDP program, that does @p action with each frame. @return a descriptor */
static inline __attribute__((unused)) int space_load_action(enum xdp_action action)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = action },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", code, 2, &opts);

	if (fd < 0)
		abort();
	return fd;
}

/* One that redirects each frame to interface @p ifindex. @return a descriptor */
static inline __attribute__((unused)) int space_load_redirect(uint32_t ifindex)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = (int)ifindex },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "other", "GPL", code, 4, &opts);

	if (fd < 0)
		abort();
	return fd;
}

/* One that passes all. @return a descriptor */
static inline __attribute__((unused)) int space_load_other(void)
{
	return space_load_action(XDP_PASS);
}

/* Attach it to @p interface. */
static inline __attribute__((unused)) void space_attach_other(const char *interface)
{
	int fd = space_load_other();

	if (bpf_xdp_attach((int)if_nametoindex(interface), fd, XDP_FLAGS_DRV_MODE, NULL))
		abort();
	close(fd);
}

/* Have the link pinned at @p path carry it. */
static inline __attribute__((unused)) void space_swap_program(const char *path)
{
	int fd = space_load_other(), link = bpf_obj_get(path);

	if (link < 0 || bpf_link_update(link, fd, NULL))
		abort();
	close(link);
	close(fd);
}

#endif
