/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/hops.h"
#include "weir/bpf_why.h"
#include "weir/model.h"
#include "weir/probe.h"
#include "weir/stats.h"

#define PORTS_MAX  16
#define IFNAME_MAX 16

struct probes_filler {
	struct probes *probes; /* NULL: could not be loaded */
	char ports[PORTS_MAX][IFNAME_MAX];
	size_t n_ports;
	struct probe_tunnel *tunnels; /* in the table, by backend */
	size_t n_tunnels;
	uint64_t *document;
	uint64_t *sent, *unknown, *no_source, *too_big, *no_route;
};

static void make_words(struct probes_filler *f, struct stats *s)
{
	static const char name[] = "weir_dataplane_probe_packets_total";
	static const char help[] = "Packets of tunnel probes by what became of them.";

	f->document = stats_word(s, STATS_GAUGE, PROBE_GAUGE, "",
	                         "Document whose tunnel probes can be sent; 0: none.");
	f->sent = stats_word(s, STATS_COUNTER, name, "end=\"sent\"", help);
	f->unknown = stats_word(s, STATS_COUNTER, name, "end=\"unknown-mark\"", help);
	f->no_source = stats_word(s, STATS_COUNTER, name, "end=\"no-source\"", help);
	f->too_big = stats_word(s, STATS_COUNTER, name, "end=\"too-big\"", help);
	f->no_route = stats_word(s, STATS_COUNTER, name, "end=\"no-route\"", help);
}

int probes_open(struct stats *stats, struct probes_filler **out)
{
	struct probes_filler *f = calloc(1, sizeof(*f));
	char why[BPF_WHY_MAX];
	int rc;

	if (!f)
		return -ENOMEM;
	make_words(f, stats);
	rc = probe_open(&f->probes);
	if (rc) {
		f->probes = NULL;
		log_error("probes-not-loaded", "why=\"%s\"", bpf_why(rc, "", why));
	}
	*out = f;
	return 0;
}

void probes_close(struct probes_filler *f)
{
	if (!f)
		return;
	probe_close(f->probes);
	free(f->tunnels);
	free(f);
}

static int by_backend(const void *a, const void *b)
{
	return addr_compare(&((const struct probe_tunnel *)a)->backend,
	                    &((const struct probe_tunnel *)b)->backend);
}

static uint32_t interface_of(const struct hop *hop)
{
	return hop->state == HOP_KNOWN ? hop->route_ifindex : 0;
}

static int fill(struct probes_filler *f, const struct probe_mark *marks, size_t n,
                const struct hops *hops)
{
	struct probe_tunnel *tunnels = calloc(n + 1, sizeof(*tunnels));
	int rc;

	if (!tunnels)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct hop hop;

		tunnels[i].mark = marks[i].mark;
		tunnels[i].backend = marks[i].backend->address;
		tunnels[i].gue = marks[i].pool->mode == MODEL_MODE_GUE;
		if (hops_get(hops, &tunnels[i].backend, &hop))
			tunnels[i].ifindex = interface_of(&hop);
	}
	qsort(tunnels, n, sizeof(*tunnels), by_backend);
	rc = probe_set_tunnels(f->probes, tunnels, n);
	if (rc) {
		free(tunnels);
		return rc;
	}
	free(f->tunnels);
	f->tunnels = tunnels;
	f->n_tunnels = n;
	return 0;
}

void probes_hop(struct probes_filler *f, const struct addr *address, const struct hop *hop)
{
	const struct probe_tunnel key = { .backend = *address };
	struct probe_tunnel *t;
	uint32_t ifindex = interface_of(hop);

	if (!f || !f->n_tunnels || hop->state != HOP_KNOWN)
		return;
	t = bsearch(&key, f->tunnels, f->n_tunnels, sizeof(*t), by_backend);
	if (!t)
		return;
	while (t > f->tunnels && !by_backend(t - 1, &key))
		t--;
	for (; t < f->tunnels + f->n_tunnels && !by_backend(t, &key); t++) {
		int rc;

		if (t->ifindex == ifindex)
			continue;
		t->ifindex = ifindex;
		rc = probe_change_tunnel(f->probes, t);
		if (rc)
			log_error("probe-not-moved", "ifindex=%u error=%s", ifindex, strerror(-rc));
	}
}

static const struct prefix *given(const struct prefix *p)
{
	static const struct addr none;

	return p->bits == 0 && addr_equal(&p->addr, &none) ? NULL : p;
}

static bool has_port(const struct model_node *node, const char *name)
{
	for (size_t i = 0; i < node->n_ports; i++)
		if (!strcmp(node->ports[i].interface, name))
			return true;
	return false;
}

/* Leave the ports that are no longer @p node's. */
static void leave_ports(struct probes_filler *f, const struct model_node *node)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_ports; i++) {
		if (has_port(node, f->ports[i]))
			memmove(f->ports[n++], f->ports[i], IFNAME_MAX);
		else
			probe_detach(f->probes, f->ports[i]); /* gone with the port, or now */
	}
	f->n_ports = n;
}

static int attach(struct probes_filler *f, const struct model_node *node)
{
	leave_ports(f, node);
	for (size_t i = 0; i < node->n_ports && i < PORTS_MAX; i++) {
		const char *name = node->ports[i].interface;
		bool known = false;
		int rc = strlen(name) < IFNAME_MAX ? probe_attach(f->probes, name) : -ENODEV;

		if (rc) {
			log_error("probes-not-attached", "interface=%s error=%s", name,
			          strerror(-rc));
			return rc;
		}
		for (size_t j = 0; j < f->n_ports; j++)
			known = known || !strcmp(f->ports[j], name);
		if (!known)
			strcpy(f->ports[f->n_ports++], name);
	}
	return 0;
}

void probes_take(struct probes_filler *f, const struct model *m, const struct hops *hops)
{
	struct probe_mark *marks = NULL;
	size_t n = 0;
	int rc;

	if (!f || !f->probes)
		return;
	rc = probe_marks(m, &marks, &n);
	if (!rc)
		rc = probe_set_sources(f->probes, given(&m->self->tunnel_source4),
		                       given(&m->self->tunnel_source6));
	if (!rc)
		rc = fill(f, marks, n, hops);
	if (!rc && (n || f->n_ports))
		rc = attach(f, m->self);
	free(marks);
	if (rc)
		log_error("probes-not-in-force", "document=%llu error=%s",
		          (unsigned long long)m->meta.document, strerror(-rc));
	else
		stats_set(f->document, m->meta.document);
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
