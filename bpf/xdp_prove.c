/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probe packets through the XDP program: BPF_PROG_TEST_RUN runs the loaded program on a frame and
 * returns action and frame, without sending anything. The program is the one that the port carries:
 * the id that the kernel gives for the interface (bpf_xdp_query_id()) is compared with that of the
 * descriptor that is run. (To open a program by its id needs CAP_SYS_ADMIN, which the process has
 * not.) The kernel is asked for the interface's program once a second, because libbpf reads all
 * interfaces for it; the link, which cannot be replaced by another program's, is read each time.
 *
 * The program counts such a frame like a packet. What it counts is worked out by the same code, and
 * taken back in the row that no CPU counts in. The loop's thread does both before it reads a counter.
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

#include "base/clock.h"
#include "weir/fwd/reason.h"
#include "weir/path.h"

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

/* What the tables make of a frame: what is counted, and what leaves. */
struct probe_outcome {
	struct fwd_cpu cpu;
	struct fwd_verdict verdict;
	uint64_t bytes; /* as it came */
	struct fwd_packet packet;
	_Alignas(8) uint8_t room[DRIVER_PROBE_ROOM + DRIVER_PROBE_LEN];
};

/* A probe's flow is such that nothing but counters is written. */
static void expect_probe(const struct fwd_tables *t, uint32_t ifindex,
                         const struct driver_probe *probe, struct probe_outcome *out)
{
	uint8_t *at = out->room + DRIVER_PROBE_ROOM;
	struct fwd_tables copy = *t;

	memset(out, 0, sizeof(*out));
	out->bytes = probe->length;
	out->packet = (struct fwd_packet){ at, at + probe->length, out->room };
	memcpy(at, probe->frame, probe->length);
	fwd_tables_count_apart(&copy, &out->cpu);
	copy.ingress = ifindex;
	copy.now_s = (uint32_t)(clock_mono_ms() / 1000);
	path_forward(&copy, &out->packet, &out->verdict);
}

/* Whether the program did the same: so it has counted the same, too. */
static bool is_as_expected(const struct driver_probe *probe, const struct probe_outcome *e)
{
	size_t length = (size_t)(e->packet.end - e->packet.data);

	if (fwd_reason_kind(e->verdict.reason) != FWD_KIND_TX)
		return probe->result == DRIVER_PROBE_KEPT;
	return probe->result == DRIVER_PROBE_SENT && probe->length == length &&
	       !memcmp(probe->frame, e->packet.data, length);
}

/* @param c  NULL: damaged tables name a counter that is not there, and the program counted nothing */
static void uncount_packet(struct fwd_count *c, uint64_t bytes)
{
	if (!c)
		return;
	c->packets--;
	c->bytes -= bytes;
}

static void uncount_probe(const struct fwd_tables *t, const struct probe_outcome *counted)
{
	const struct fwd_verdict *v = &counted->verdict;
	struct fwd_tables own = *t;
	struct fwd_cpu *cpu;

	own.cpu = t->n_cpus - 1;
	cpu = fwd_port_cpu(&own);
	cpu->received -= counted->cpu.received;
	cpu->received_bytes -= counted->cpu.received_bytes;
	for (uint32_t i = 0; i < FWD_REASONS_MAX; i++)
		cpu->reason[i] -= counted->cpu.reason[i];
	for (uint32_t i = 0; i < FWD_EVENTS_MAX; i++)
		cpu->event[i] -= counted->cpu.event[i];
	if (v->reason > FWD_REASON_ICMP_RELAYED || !v->service)
		return;
	uncount_packet(fwd_port_service_count(&own, t->root->n_service_counts, v->service->count),
	               counted->bytes);
	uncount_packet(fwd_port_backend_count(&own, t->root->n_backends, v->backend_index),
	               counted->bytes);
}

/* A program that does otherwise than the tables say has counted what nobody knows: it stays. */
static int run_uncounted(const struct xdp_driver *d, uint32_t ifindex, struct driver_probe *probe)
{
	const struct fwd_tables *t = &d->now.tables;
	struct probe_outcome outcome;
	int err;

	expect_probe(t, ifindex, probe, &outcome);
	err = run_probe(d->now.prog_fd, ifindex, probe);
	probe->reason = (uint8_t)outcome.verdict.reason;
	if (!err && is_as_expected(probe, &outcome))
		uncount_probe(t, &outcome);
	return err;
}

int xdp_prove(struct driver *driver, struct driver_probes *batch)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	int err = check_port(d, batch->ifindex);

	for (uint32_t i = 0; !err && i < batch->n; i++)
		err = run_uncounted(d, batch->ifindex, &batch->probes[i]);
	return err;
}
