/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether probes go through their program. The program is attached to the egress of interfaces that
 * others may delete, rename or reconfigure. So it is read back from the kernel each second and
 * after changes of links and tc, and attached again where it is missing. Besides, a probe meets the
 * program only if its VIP is routed out of one of the ports, to a next hop that answers: so VIPs
 * are followed like backends.
 *
 *     trouble                                                what weir-health must not judge
 *     a port is missing, or does not have the program        any probe
 *     the program had to be attached again                   probes that were sent before
 *     a VIP's route leads elsewhere, or to no next hop       probes to VIPs of that family
 *     no VIP has a route                                     nothing is sent: only stated
 *     the table has not taken the document                   probes of what is new in it
 */
#include "dataplane/probes_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/log.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/nexthop/links.h"
#include "weir/model.h"
#include "weir/stats.h"

#define STATE_AFTER_MS 1000u /* shorter gaps are not stated as a condition */
#define ABOVE_MAX      64u   /* interfaces stacked on a port */
#define RETRY_MS       900u  /* before the next attempt: less than the second between two calls */

static void note_trouble(struct probes_path *p, const char *subject, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Note a trouble; the first one of a round is kept. */
static void note_trouble(struct probes_path *p, const char *subject, const char *format, ...)
{
	va_list list;

	if (p->reason[0])
		return;
	snprintf(p->subject, sizeof(p->subject), "%s", subject);
	va_start(list, format);
	vsnprintf(p->reason, sizeof(p->reason), format, list);
	va_end(list);
}

static bool is_node_port(const struct model_node *node, const char *name)
{
	for (size_t i = 0; i < node->n_ports; i++)
		if (!strcmp(node->ports[i].interface, name))
			return true;
	return false;
}

void probes_name_ports(struct probes_filler *f, const struct model *m)
{
	for (size_t i = 0; i < f->n_ports; i++)
		if (!is_node_port(m->self, f->ports[i]))
			probe_detach(f->probes, f->ports[i]); /* gone with the port, or now */
	f->n_ports = 0;
	memset(f->retry_ms, 0, sizeof(f->retry_ms));
	for (size_t i = 0; i < m->self->n_ports && i < PROBES_PORTS_MAX; i++)
		snprintf(f->ports[f->n_ports++], PROBES_IFNAME_MAX, "%s",
		         m->self->ports[i].interface);
}

/* The VIPs in order, each once. @p out is given: free(). @return how many, or -ENOMEM */
static ssize_t list_vips(const struct model *m, struct addr **out)
{
	struct probe_path paths[PROBE_PATHS_MAX];
	struct addr *vips = calloc(m->n_pools * PROBE_PATHS_MAX + 1, sizeof(*vips));
	size_t n = 0, n_once = 0;

	if (!vips)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		size_t n_paths = probe_is_tunnelled(m, pool) ? probe_paths(m, pool, paths) : 0;

		for (size_t k = 0; k < n_paths; k++)
			vips[n++] = paths[k].vip;
	}
	qsort(vips, n, sizeof(*vips), addr_order);
	for (size_t i = 0; i < n; i++)
		if (!n_once || !addr_equal(&vips[n_once - 1], &vips[i]))
			vips[n_once++] = vips[i];
	*out = vips;
	return (ssize_t)n_once;
}

void probes_leave_vips(struct probes_filler *f)
{
	for (size_t i = 0; i < f->n_vips; i++)
		hops_unwatch(f->hops, &f->vips[i]);
	f->n_vips = 0;
	free(f->vips);
	f->vips = NULL;
}

int probes_follow_vips(struct probes_filler *f, const struct model *m)
{
	struct addr *vips;
	ssize_t n = list_vips(m, &vips);
	size_t n_watched = 0;

	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++)
		if (!hops_watch(f->hops, &vips[i]))
			vips[n_watched++] = vips[i];
	probes_leave_vips(f);
	f->vips = vips;
	f->n_vips = n_watched;
	return 0;
}

/*
 * Read one port back, and attach the program if it is missing. @return whether it is there now;
 * @p gap: it was not
 */
static bool see_port(struct probes_filler *f, size_t i, uint64_t now_ms, bool *gap)
{
	const char *name = f->ports[i];
	int err = probe_attached(f->probes, name);

	if (!err)
		return true;
	*gap = true;
	if (err == -ENODEV) {
		note_trouble(
		        &f->path, name,
		        "interface %s is missing, so probes may leave by another one: bring it back, or "
		        "remove it from the node's ports",
		        name);
		return false;
	}
	/* An attempt is itself a change of tc, which calls us again: so attempts are spaced. */
	err = now_ms < f->retry_ms[i] ? f->failed[i] : probe_attach(f->probes, name);
	if (err && now_ms >= f->retry_ms[i])
		f->retry_ms[i] = now_ms + RETRY_MS;
	f->failed[i] = err;
	if (err == -EBUSY)
		note_trouble(
		        &f->path, name,
		        "the probes' program cannot be attached to the egress of %s: an ingress qdisc "
		        "has the place of clsact: note its filters (tc filter show), then tc qdisc "
		        "del dev %s ingress",
		        name, name);
	else if (err)
		note_trouble(&f->path, name,
		             "the probes' program cannot be attached to the egress of %s: %s", name,
		             strerror(-err));
	return !err;
}

static bool check_probe_ports(struct probes_filler *f, uint64_t now_ms, bool *gap)
{
	bool all = true;

	for (size_t i = 0; i < f->n_ports && f->n_marks; i++)
		all &= see_port(f, i, now_ms, gap);
	return all;
}

/* Whether frames that leave by interface @p ifindex leave by one of the ports. */
static bool leads_by_port(const struct probes_filler *f, const struct links *links,
                          uint32_t ifindex)
{
	uint32_t above[ABOVE_MAX];

	for (size_t i = 0; i < f->n_ports; i++) {
		const struct rtnl_link *port = links_named(links, f->ports[i]);
		size_t n = port ? links_above(links, port->ifindex, above, ABOVE_MAX) : 0;

		for (size_t k = 0; k < n; k++)
			if (above[k] == ifindex)
				return true;
	}
	return false;
}

/*
 * @return whether probes to @p vip leave by a port. Without a route none is sent, so none is
 * misjudged: true
 */
static bool see_vip(struct probes_filler *f, const struct links *links, const struct addr *vip)
{
	char text[ADDR_TEXT_MAX];
	const struct rtnl_link *link;
	struct hop hop;

	if (!hops_get(f->hops, vip, &hop) || hop.state == HOP_NO_ROUTE)
		return true;
	addr_text(vip, text);
	link = links_find(links, hop.route_ifindex);
	if (link && !leads_by_port(f, links, hop.route_ifindex)) {
		note_trouble(
		        &f->path, text,
		        "the route to VIP %s leaves by %s, which is none of the node's ports, so probes miss "
		        "their program: route VIPs through a port",
		        text, link->name);
		return false;
	}
	if (hop.state == HOP_KNOWN && !hop.bad)
		return true;
	note_trouble(
	        &f->path, text,
	        "probes to VIP %s do not leave: %s of its route (ip route get %s); probes need that route "
	        "as far as the port",
	        text,
	        hop.bad == HOP_BAD_NEIGHBOUR ? "no answer from the next hop"
	                                     : hop_state_text(hop.state),
	        text);
	return false;
}

static uint32_t see_vips(struct probes_filler *f, const struct links *links)
{
	uint32_t cut = 0;

	for (size_t i = 0; i < f->n_vips; i++)
		if (!see_vip(f, links, &f->vips[i]))
			cut |= addr_is4(&f->vips[i]) ? PROBE_FAMILY_IP4 : PROBE_FAMILY_IP6;
	return cut;
}

/*
 * Probes to a VIP without a route are not sent and harm no backend. If no VIP has one, nothing is
 * checked: say so.
 */
static void see_nowhere(struct probes_filler *f)
{
	char text[ADDR_TEXT_MAX];
	struct hop hop;

	for (size_t i = 0; i < f->n_vips; i++)
		if (!hops_get(f->hops, &f->vips[i], &hop) || hop.state != HOP_NO_ROUTE)
			return;
	if (!f->n_vips)
		return;
	addr_text(&f->vips[0], text);
	note_trouble(
	        &f->path, text,
	        "probes to VIP %s are not sent: this node has no route to it, or one that refuses (ip "
	        "route get %s); probes need one as far as the port",
	        text, text);
}

static void log_path_turn(struct probes_filler *f, bool has_path, uint64_t now_ms)
{
	if (has_path == f->has_path)
		return;
	f->has_path = has_path;
	f->lost_ms = now_ms;
	if (has_path)
		log_note("probe-path-in-place", "document=%llu", (unsigned long long)f->applied);
	else
		log_warn("probe-path-missing", "subject=%s reason=\"%s\"", f->path.subject,
		         f->path.reason);
}

/* What the table lacks is not judged: its document's number is an earlier one. */
static void see_table(struct probes_filler *f)
{
	if (f->fill_err)
		note_trouble(&f->path, "",
		             "the table of the probes' program has not taken the document (%s) and "
		             "is filled again each second: targets that are new in it wait",
		             strerror(-f->fill_err));
}

/*
 * `since` moves forward whenever the program was missing: weir-health ignores probes from before.
 */
static void read_path_back(struct probes_filler *f, const struct links *links, uint64_t now_ms)
{
	bool gap = false, ports;
	uint32_t cut;

	ports = check_probe_ports(f, now_ms, &gap);
	cut = ports ? see_vips(f, links) : 0;
	see_nowhere(f);
	if (!ports)
		stats_set(f->since, PROBE_SINCE_NEVER);
	else if (gap || *f->since == PROBE_SINCE_NEVER)
		stats_set(f->since, now_ms);
	stats_set(f->families, cut);
	stats_set(f->document, ports ? f->applied : 0);
	log_path_turn(f, ports && !cut, now_ms);
}

void probes_read_back(struct probes_filler *f, const struct links *links, uint64_t now_ms)
{
	if (!f || !f->probes)
		return;
	f->path.reason[0] = 0;
	if (f->has_filled)
		read_path_back(f, links, now_ms);
	see_table(f);
}

const struct probes_path *probes_trouble(const struct probes_filler *f, uint64_t now_ms)
{
	if (!f || !(f->n_marks || f->fill_err) || !f->path.reason[0])
		return NULL;
	return !f->probes || f->lost_ms + STATE_AFTER_MS <= now_ms ? &f->path : NULL;
}
