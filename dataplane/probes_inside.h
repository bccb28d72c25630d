/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the probes' filler: what its two halves share. probes.c fills the table, probes_path.c sees that
 * probes get by it.
 */
#ifndef WEIR_DATAPLANE_PROBES_INSIDE_H
#define WEIR_DATAPLANE_PROBES_INSIDE_H

#include "dataplane/probes.h"
#include "weir/probe.h"

#define PROBES_PORTS_MAX  16u
#define PROBES_IFNAME_MAX 16u
#define PROBES_VIPS_MAX   256u /* whose routes are followed; of more, the first ones */

struct probes_filler {
	struct probes *probes;                           /* NULL: could not be loaded */
	struct hops *hops;                               /* borrowed, with what is watched */
	char ports[PROBES_PORTS_MAX][PROBES_IFNAME_MAX]; /* that are to carry the program */
	size_t n_ports;
	int failed[PROBES_PORTS_MAX];        /* how the last attempt at a port ended, and */
	uint64_t retry_ms[PROBES_PORTS_MAX]; /* when the next one is due */
	struct addr vips[PROBES_VIPS_MAX];   /* that probes connect to, watched */
	size_t n_vips;
	struct probe_tunnel *tunnels; /* in the table, by backend */
	size_t n_tunnels;
	size_t n_wanted; /* that the document has; 0: no port is needed for them */
	uint64_t taken; /* the document that the table is of */
	bool has_taken, in_place;
	uint64_t lost_ms; /* since when it is not */
	struct probes_path path;
	uint64_t *document, *since, *families;
	uint64_t *sent, *unknown, *no_source, *too_big, *no_route;
};

/* Follow the routes of the VIPs that @p m has probed through tunnels. */
void probes_follow_vips(struct probes_filler *f, const struct model *m);
/* Follow none. */
void probes_leave_vips(struct probes_filler *f);
/* Let the ports that are no longer @p m's own node's go, and know those that are. */
void probes_name_ports(struct probes_filler *f, const struct model *m);

#endif
