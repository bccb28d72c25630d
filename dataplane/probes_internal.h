/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What probes.c (the program's table) and probes_path.c (whether probes go through the program)
 * share.
 */
#ifndef WEIR_DATAPLANE_PROBES_INTERNAL_H
#define WEIR_DATAPLANE_PROBES_INTERNAL_H

#include "dataplane/probes.h"
#include "weir/probe.h"

#define PROBES_PORTS_MAX  16u
#define PROBES_IFNAME_MAX 16u /* IFNAMSIZ */

struct probes_filler {
	struct probes *probes;                           /* NULL: could not be loaded */
	struct hops *hops;                               /* borrowed, with what is watched */
	char ports[PROBES_PORTS_MAX][PROBES_IFNAME_MAX]; /* that are to carry the program */
	size_t n_ports;
	int failed[PROBES_PORTS_MAX];        /* the result of the last attempt at a port */
	uint64_t retry_ms[PROBES_PORTS_MAX]; /* when the next attempt is due */
	struct addr *vips;                   /* that probes connect to, in order; watched in hops */
	size_t n_vips;
	struct probe_tunnel *tunnels; /* in the table, by backend */
	size_t n_tunnels;
	size_t n_marks; /* probes of the document (probe_marks()); 0: no port is needed for them */
	uint64_t applied; /* the document that the table is of */
	int fill_err;     /* why the table is not of the newest document; 0: it is */
	bool has_filled, has_path;
	uint64_t lost_ms; /* when has_path last changed */
	struct probes_path path;
	uint64_t *document, *since, *families;
	uint64_t *sent, *unknown, *no_source, *too_big, *no_route;
};

/* Follow the routes to the VIPs that @p m checks through tunnels. @return 0 or -ENOMEM: the former ones are followed */
MUST_CHECK int probes_follow_vips(struct probes_filler *f, const struct model *m);
/* Stop following routes to VIPs. */
void probes_leave_vips(struct probes_filler *f);
/* Note the ports of this node by @p m, and detach from those that it no longer has. */
void probes_name_ports(struct probes_filler *f, const struct model *m);

#endif
