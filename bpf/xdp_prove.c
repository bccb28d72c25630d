/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probe packets through the XDP program: BPF_PROG_TEST_RUN runs the loaded program on a frame and
 * returns action and frame, without sending anything. The program is the one that the port carries:
 * the id that the kernel gives for the interface (bpf_xdp_query_id()) is compared with that of the
 * descriptor that is run. (To open a program by its id needs CAP_SYS_ADMIN, which the process has
 * not.) The kernel is asked for the interface's program once a second, because libbpf reads all
 * interfaces for it; the link, which cannot be replaced by another program's, is read each time.
 */
#include "bpf/xdp_internal.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "weir/fwd/reason.h"

#define QUERY_EVERY_MS 1000u

uint32_t xdp_program_id(int prog_fd)
{
	struct bpf_prog_info prog = { 0 };
	uint32_t n = sizeof(prog);

	return bpf_obj_get_info_by_fd(prog_fd, &prog, &n) ? 0 : prog.id;
}

/* A link whose interface is gone, or that was detached, holds no interface. */
enum xdp_carries xdp_carries(const struct xdp_driver *d, const struct xdp_port *p)
{
	struct bpf_link_info link = { 0 };
	uint32_t n = sizeof(link), own = xdp_program_id(d->now.prog_fd);

	if (bpf_obj_get_info_by_fd(p->link_fd, &link, &n))
		return XDP_CARRIES_OTHER;
	if (link.xdp.ifindex != p->shown.ifindex)
		return XDP_CARRIES_NONE;
	return own && link.prog_id == own ? XDP_CARRIES_PROGRAM : XDP_CARRIES_OTHER;
}

bool xdp_may_forward(const struct driver *driver, const char *interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	uint32_t ifindex = if_nametoindex(interface);

	(void)driver;
	if (!ifindex)
		return errno != ENODEV;
	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return true;
	return opts.prog_id || opts.drv_prog_id || opts.hw_prog_id || opts.skb_prog_id;
}

static uint64_t probe_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/*
 * Read back which program the interface has, if that is due; at once where it may be another one.
 */
static void query_program(struct xdp_port *p, bool is_known)
{
	uint64_t now_ms = probe_clock_ms();

	if (is_known && p->queried_ms && now_ms - p->queried_ms < QUERY_EVERY_MS)
		return;
	p->queried_ms = now_ms;
	if (bpf_xdp_query_id((int)p->shown.ifindex, 0, &p->shown.program))
		p->shown.program = 0;
}

static int check_port(struct xdp_driver *d, uint32_t ifindex)
{
	for (size_t i = 0; i < d->n_ports; i++) {
		struct xdp_port *p = &d->ports[i];
		uint32_t own = xdp_program_id(d->now.prog_fd);
		bool carries = xdp_carries(d, p) == XDP_CARRIES_PROGRAM;

		if (p->shown.ifindex != ifindex)
			continue;
		query_program(p, carries && p->shown.program == own);
		return carries && p->shown.program == own ? 0 : -ENOLINK;
	}
	return -ENOLINK;
}

/* Before Linux 5.14 a program cannot be given the interface, without which no frame is ours. */
static bool can_name_interface(void)
{
	unsigned major = 0, minor = 0;
	struct utsname kernel;

	if (uname(&kernel) || sscanf(kernel.release, "%u.%u", &major, &minor) != 2)
		return true;
	return major > 5 || (major == 5 && minor >= 14);
}

/*
 * Run one frame as if it came in by @p ifindex. -EINVAL is what an old kernel says, and a newer one
 * of an interface without a receive queue that is ready, such as one that is down.
 */
static int run_probe(int prog_fd, uint32_t ifindex, struct driver_probe *probe)
{
	struct xdp_md context = { .data_end = probe->length, .ingress_ifindex = ifindex };
	uint8_t out[DRIVER_PROBE_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = probe->frame, .data_size_in = probe->length,
	            .data_out = out, .data_size_out = sizeof(out), .ctx_in = &context,
	            .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(prog_fd, &opts))
		return errno == EINVAL && !can_name_interface() ? -EOPNOTSUPP : -errno;
	probe->reason = FWD_REASON_COUNT;
	probe->result = DRIVER_PROBE_KEPT;
	if (opts.retval != XDP_TX && opts.retval != XDP_REDIRECT)
		return 0;
	if (opts.data_size_out > sizeof(out))
		return -ENOSPC;
	memcpy(probe->frame, out, opts.data_size_out);
	probe->length = (uint16_t)opts.data_size_out;
	probe->result = DRIVER_PROBE_SENT;
	return 0;
}

int xdp_prove(struct driver *driver, struct driver_probes *batch)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	int err = check_port(d, batch->ifindex);

	for (uint32_t i = 0; !err && i < batch->n; i++)
		err = run_probe(d->now.prog_fd, batch->ifindex, &batch->probes[i]);
	return err;
}
