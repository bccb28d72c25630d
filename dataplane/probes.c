/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of the egress program (weir/probe.h): a mark for each backend that is checked through a
 * tunnel, with the tunnel and the port that its probes leave by. A document fills the table; a
 * change of a next hop only moves the entries of that address, found by binary search, since
 * entries are sorted by backend. Without the program (no privilege, an old kernel) everything else
 * works, and no probe is judged.
 */
#include "dataplane/probes_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/nexthop/hops.h"
#include "weir/bpf_reason.h"
#include "weir/model.h"
#include "weir/stats.h"

static void make_probe_counters(struct probes_filler *f, struct stats *s)
{
	static const char name[] = "weir_dataplane_probe_packets_total";
	static const char help[] = "Packets of tunnel probes, by result.";

	f->document = stats_get_counter(s, STATS_GAUGE, PROBE_GAUGE, "",
	                                "Document whose tunnel probes can be sent; 0: none.");
	f->since = stats_get_counter(
	        s, STATS_GAUGE, PROBE_SINCE_GAUGE, "",
	        "Since when probes go through their program, ms since boot; 2^64 - 1: they do not.");
	f->families = stats_get_counter(s, STATS_GAUGE, PROBE_FAMILIES_GAUGE, "",
	                                "Families whose VIPs probes do not reach: 1 IPv4, 2 IPv6.");
	stats_set(f->document, 0); /* the page may have an earlier process's value */
	stats_set(f->since, PROBE_SINCE_NEVER);
	f->sent = stats_get_counter(s, STATS_COUNTER, name, "end=\"sent\"", help);
	f->unknown = stats_get_counter(s, STATS_COUNTER, name, "end=\"unknown-mark\"", help);
	f->no_source = stats_get_counter(s, STATS_COUNTER, name, "end=\"no-source\"", help);
	f->too_big = stats_get_counter(s, STATS_COUNTER, name, "end=\"too-big\"", help);
	f->no_route = stats_get_counter(s, STATS_COUNTER, name, "end=\"no-route\"", help);
}

int probes_open(struct stats *stats, struct hops *hops, struct probes_filler **out)
{
	struct probes_filler *f = calloc(1, sizeof(*f));
	char reason[BPF_REASON_MAX];
	int err;

	if (!f)
		return -ENOMEM;
	f->hops = hops;
	make_probe_counters(f, stats);
	err = probe_open(&f->probes);
	if (err) {
		f->probes = NULL;
		bpf_reason(err, "", reason);
		snprintf(f->path.reason, sizeof(f->path.reason),
		         "the probes' program cannot be loaded: %.150s", reason);
		log_error("probes-not-loaded", "reason=\"%s\"", reason);
	}
	*out = f;
	return 0;
}

void probes_close(struct probes_filler *f)
{
	if (!f)
		return;
	probes_leave_vips(f);
	probe_close(f->probes);
	free(f->tunnels);
	free(f);
}

static int by_tunnel_backend(const void *a, const void *b)
{
	return addr_compare(&((const struct probe_tunnel *)a)->backend,
	                    &((const struct probe_tunnel *)b)->backend);
}

/*
 * The interface by which probes leave to a backend behind @p hop; an unknown next hop keeps @p
 * before.
 */
static uint32_t interface_of(const struct hop *hop, uint32_t before)
{
	switch (hop->state) {
	case HOP_KNOWN:
		return hop->route_ifindex;
	case HOP_NO_ROUTE:
		return PROBE_NO_WAY;
	default:
		return before;
	}
}

/* The new table is installed before the old copy is freed: a failure keeps both as they were. */
static int fill_tunnels(struct probes_filler *f, const struct probe_mark *marks, size_t n)
{
	struct probe_tunnel *tunnels = calloc(n + 1, sizeof(*tunnels));
	int err;

	if (!tunnels)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct hop hop;

		tunnels[i].mark = marks[i].mark;
		tunnels[i].backend = marks[i].backend->address;
		tunnels[i].gue = marks[i].pool->mode == MODEL_MODE_GUE;
		if (hops_get(f->hops, &tunnels[i].backend, &hop))
			tunnels[i].ifindex = interface_of(&hop, 0);
	}
	qsort(tunnels, n, sizeof(*tunnels), by_tunnel_backend);
	err = probe_set_tunnels(f->probes, tunnels, n);
	if (err) {
		free(tunnels);
		return err;
	}
	free(f->tunnels);
	f->tunnels = tunnels;
	f->n_tunnels = n;
	return 0;
}

/* Several pools may have the address: all its entries stand next to each other. */
static void move_tunnels(struct probes_filler *f, const struct addr *address, const struct hop *hop)
{
	const struct probe_tunnel key = { .backend = *address };
	struct probe_tunnel *t;

	if (!f->tunnels)
		return;
	t = bsearch(&key, f->tunnels, f->n_tunnels, sizeof(*t), by_tunnel_backend);
	if (!t)
		return;
	while (t > f->tunnels && !by_tunnel_backend(t - 1, &key))
		t--;
	for (; t < f->tunnels + f->n_tunnels && !by_tunnel_backend(t, &key); t++) {
		uint32_t ifindex = interface_of(hop, t->ifindex);
		int err;

		if (t->ifindex == ifindex)
			continue;
		t->ifindex = ifindex;
		err = probe_change_tunnel(f->probes, t);
		if (err)
			log_error("probe-not-moved", "ifindex=%u error=%s", ifindex,
			          strerror(-err));
	}
}

static const struct prefix *prefix_or_null(const struct prefix *p)
{
	static const struct addr none;

	return p->bits == 0 && addr_equal(&p->addr, &none) ? NULL : p;
}

bool probes_hop(struct probes_filler *f, const struct addr *address, const struct hop *hop)
{
	if (!f)
		return false;
	move_tunnels(f, address, hop);
	for (size_t i = 0; i < f->n_vips; i++)
		if (addr_equal(&f->vips[i], address))
			return true;
	return false;
}

/* Fill the program's maps from @p m, if it is loaded. A failure keeps what can be probed so far. */
static int fill_maps(struct probes_filler *f, const struct model *m)
{
	struct probe_mark *marks = NULL;
	size_t n = 0;
	int err = probe_marks(m, &marks, &n);

	if (err)
		return err;
	f->n_marks = n;
	if (f->probes)
		err = probe_set_sources(f->probes, prefix_or_null(&m->self->tunnel_source4),
		                        prefix_or_null(&m->self->tunnel_source6));
	if (f->probes && !err)
		err = fill_tunnels(f, marks, n);
	free(marks);
	return err;
}

/*
 * On failure the document number stays the former one, so no probe of the new document is judged.
 */
static int apply_document(struct probes_filler *f, const struct model *m)
{
	f->fill_err = fill_maps(f, m);
	if (f->fill_err || !f->probes)
		return f->fill_err;
	if (f->n_marks || f->n_ports)
		probes_name_ports(f, m);
	f->fill_err = probes_follow_vips(f, m);
	if (f->fill_err)
		return f->fill_err;
	f->applied = m->meta.document;
	f->has_filled = true;
	return 0;
}

void probes_apply_model(struct probes_filler *f, const struct model *m)
{
	int err = f ? apply_document(f, m) : 0;

	if (err)
		log_error("probes-not-in-force", "document=%llu error=%s",
		          (unsigned long long)m->meta.document, strerror(-err));
}

void probes_retry(struct probes_filler *f, const struct model *m)
{
	if (f && f->fill_err && !apply_document(f, m))
		log_note("probes-in-force", "document=%llu", (unsigned long long)m->meta.document);
}

void probes_count(struct probes_filler *f)
{
	struct probe_counts c;

	if (!f || !f->probes || probe_counts(f->probes, &c))
		return;
	stats_set(f->sent, c.sent);
	stats_set(f->unknown, c.unknown);
	stats_set(f->no_source, c.no_source);
	stats_set(f->too_big, c.too_big);
	stats_set(f->no_route, c.no_route);
}
