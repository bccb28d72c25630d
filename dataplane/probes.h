/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnel probes on the dataplane's side: loads the egress program of weir/probe.h, fills its table from
 * each document, and puts it on the node's ports. weir-health sends the probes. One thread.
 */
#ifndef DATAPLANE_PROBES_H
#define DATAPLANE_PROBES_H

struct addr;
struct hop;
struct hops;
struct model;
struct probes_filler;
struct stats;

/*
 * Load the program and make the words in @p stats. Without the privilege or the kernel for it 0 is
 * returned as well, the reason is logged, and no tunnel probe will be judged.
 * @return 0 or -ENOMEM
 */
int probes_open(struct stats *stats, struct probes_filler **out);
/* Let go; what is attached stays. NULL is fine. */
void probes_close(struct probes_filler *f);
/*
 * Take @p m: fill the table, by the ports that @p hops knows, attach to the ports of its own node, leave ports that are no longer its.
 * What fails is logged, and the gauge PROBE_GAUGE says that this document's marks are not in force.
 */
void probes_take(struct probes_filler *f, const struct model *m, const struct hops *hops);
/* The next hop of @p address has changed: send its probes by that port; what is no backend's is ignored. */
void probes_hop(struct probes_filler *f, const struct addr *address, const struct hop *hop);
/* Write counters to the stats page, once a second. */
void probes_count(struct probes_filler *f);

#endif
