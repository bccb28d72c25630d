/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User-space half of the probes' egress program: load, fill, attach. The tc filter holds the
 * program and the program holds its maps, so nothing is pinned. A new process loads and fills a
 * program of its own, then replaces the filter in one step: probes never meet an empty table.
 * libbpf's messages are switched off, as callers report the errors. One thread.
 */
#include "base/sorted.h"
#include "weir/probe.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/probe_table.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/probe.skel.h"
#pragma GCC diagnostic pop

_Static_assert(PROBE_NO_WAY == PROBE_IFINDEX_NONE, "one value");

/* Fixed, so that the next process replaces this very filter; 0x57 is 'W'. */
#define FILTER_HANDLE   0x57
#define FILTER_PRIORITY 0x57

struct probes {
	struct weir_probe_bpf *skel;
	uint32_t *marks; /* in the table */
	size_t n_marks;
};

static int ignore_libbpf_line(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int probe_open(struct probes **out)
{
	struct probes *p = calloc(1, sizeof(*p));
	libbpf_print_fn_t before;
	int err;

	if (!p)
		return -ENOMEM;
	before = libbpf_set_print(ignore_libbpf_line);
	p->skel = weir_probe_bpf__open_and_load();
	err = p->skel ? 0 : -errno;
	libbpf_set_print(before);
	if (err) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

void probe_close(struct probes *p)
{
	if (!p)
		return;
	weir_probe_bpf__destroy(p->skel);
	free(p->marks);
	free(p);
}

static void set_prefix(struct fwd_prefix *out, const struct prefix *p)
{
	unsigned bits;

	if (!p)
		return;
	bits = p->bits + (addr_is4(&p->addr) ? 96u : 0u);
	memcpy(out->addr.bytes, p->addr.bytes, sizeof(out->addr.bytes));
	for (unsigned i = 0; i < bits; i++)
		out->mask.bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
}

int probe_set_sources(struct probes *p, const struct prefix *source4, const struct prefix *source6)
{
	struct probe_sources sources = { 0 };
	uint32_t zero = 0;

	set_prefix(&sources.source4, source4);
	set_prefix(&sources.source6, source6);
	return bpf_map_update_elem(bpf_map__fd(p->skel->maps.probe_sources), &zero, &sources, 0)
	               ? -errno
	               : 0;
}

static int put_tunnel(int map_fd, const struct probe_tunnel *t, uint64_t flags)
{
	struct probe_value v = { .ifindex = t->ifindex, .gue = t->gue };

	memcpy(v.dst.bytes, t->backend.bytes, sizeof(v.dst.bytes));
	return bpf_map_update_elem(map_fd, &t->mark, &v, flags) ? -errno : 0;
}

int probe_change_tunnel(struct probes *p, const struct probe_tunnel *tunnel)
{
	return put_tunnel(bpf_map__fd(p->skel->maps.probe_tunnels), tunnel, BPF_EXIST);
}

/* Add or replace all of @p tunnels. */
static int add_tunnels(int map_fd, const struct probe_tunnel *tunnels, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = put_tunnel(map_fd, &tunnels[i], BPF_ANY);
	return err;
}

int probe_set_tunnels(struct probes *p, const struct probe_tunnel *tunnels, size_t n)
{
	int map_fd = bpf_map__fd(p->skel->maps.probe_tunnels), err;
	uint32_t *marks;

	if (n > PROBES_MAX)
		return -E2BIG;
	marks = calloc(n + 1, sizeof(*marks));
	if (!marks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		marks[i] = tunnels[i].mark;
	qsort(marks, n, sizeof(*marks), sorted_by_u32);
	err = add_tunnels(map_fd, tunnels, n);
	if (err) {
		free(marks);
		return err;
	}
	for (size_t i = 0; i < p->n_marks; i++)
		if (!bsearch(&p->marks[i], marks, n, sizeof(*marks), sorted_by_u32))
			bpf_map_delete_elem(map_fd, &p->marks[i]);
	free(p->marks);
	p->marks = marks;
	p->n_marks = n;
	return 0;
}

/*
 * Whether our program is at @p point. If an ingress qdisc stands where clsact should be, both
 * points share one list of filters: the kernel accepts an egress filter and runs it for what comes
 * in.
 * @return 0, -ENOENT (it is not) or -ENOMEM
 */
static int look_for_filter(const struct probes *p, unsigned ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	struct bpf_prog_info info = { 0 };
	uint32_t n = sizeof(info);
	libbpf_print_fn_t before = libbpf_set_print(ignore_libbpf_line);
	int err = bpf_tc_query(&hook, &filter);

	libbpf_set_print(before);
	if (err == -ENOMEM)
		return err;
	return !err &&
	                       !bpf_obj_get_info_by_fd(bpf_program__fd(p->skel->progs.weir_probe),
	                                               &info, &n) &&
	                       filter.prog_id == info.id
	               ? 0
	               : -ENOENT;
}

int probe_attach(struct probes *p, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
	            .prog_fd = bpf_program__fd(p->skel->progs.weir_probe),
	            .flags = BPF_TC_F_REPLACE);
	libbpf_print_fn_t before;
	int err;

	if (!ifindex)
		return -ENODEV;
	before = libbpf_set_print(ignore_libbpf_line);
	err = bpf_tc_hook_create(&hook);
	if (!err || err == -EEXIST)
		err = bpf_tc_attach(&hook, &filter);
	libbpf_set_print(before);
	if (!err && look_for_filter(p, ifindex, BPF_TC_INGRESS) == 0) {
		(void)probe_detach(p, ifname);
		err = -EBUSY;
	}
	return err;
}

int probe_attached(const struct probes *p, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);

	if (!ifindex)
		return -ENODEV;
	int err = look_for_filter(p, ifindex, BPF_TC_EGRESS);

	if (err)
		return err;
	err = look_for_filter(p, ifindex, BPF_TC_INGRESS);
	return err == 0 ? -ENOENT : err == -ENOENT ? 0 : err;
}

int probe_detach(struct probes *p, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	libbpf_print_fn_t before;
	int err;

	(void)p;
	if (!ifindex)
		return -ENODEV;
	before = libbpf_set_print(ignore_libbpf_line);
	err = bpf_tc_detach(&hook, &filter);
	libbpf_set_print(before);
	return err;
}

int probe_counts(const struct probes *p, struct probe_counts *out)
{
	int n_cpus = libbpf_num_possible_cpus();
	uint64_t ends[PROBE_END_COUNT] = { 0 };
	uint64_t *per_cpu;
	int err = 0;

	if (n_cpus < 1)
		return n_cpus;
	per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	for (uint32_t i = 0; i < PROBE_END_COUNT && !err; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.probe_ends), &i, per_cpu))
			err = -errno;
		for (int c = 0; c < n_cpus && !err; c++)
			ends[i] += per_cpu[c];
	}
	free(per_cpu);
	if (err)
		return err;
	*out = (struct probe_counts){ .sent = ends[PROBE_END_SENT],
		                      .unknown = ends[PROBE_END_UNKNOWN],
		                      .no_source = ends[PROBE_END_NO_SOURCE],
		                      .too_big = ends[PROBE_END_TOO_BIG],
		                      .no_route = ends[PROBE_END_NO_ROUTE] };
	return 0;
}
