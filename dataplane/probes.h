/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnel probes on the dataplane's side: loads the egress program of weir/probe.h, fills its table from
 * each document, puts it on the node's ports, and sees that it stays there. weir-health sends the
 * probes. One thread.
 */
#ifndef DATAPLANE_PROBES_H
#define DATAPLANE_PROBES_H

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct hop;
struct hops;
struct links;
struct model;
struct probes_filler;
struct stats;

#define PROBES_WHY_MAX 200u

/* What keeps probes from going by their program. */
struct probes_path {
	char subject[64];         /* a port, or a VIP; "" */
	char why[PROBES_WHY_MAX]; /* with what to do; "": nothing does */
};

/*
 * Load the program and make the words in @p stats. Without the privilege or the kernel for it 0 is
 * returned as well, the reason is logged, and no tunnel probe will be judged.
 * @return 0 or -ENOMEM
 */
int probes_open(struct stats *stats, struct hops *hops, struct probes_filler **out);
/* Let go, before the hops; what is attached stays. NULL is fine. */
void probes_close(struct probes_filler *f);
/*
 * Take @p m: fill the table, by the ports that next hops lead by, attach to the ports of its own node,
 * leave ports that are no longer its. What fails is logged; probes_see() follows.
 */
void probes_take(struct probes_filler *f, const struct model *m);
/*
 * Read back whether probes go by the program, attach it again where it is missing, and say so on the stats
 * page (PROBE_GAUGE and the others of weir/probe.h). To be called each second, and when interfaces, tc or routes change.
 */
void probes_see(struct probes_filler *f, const struct links *links, uint64_t now_ms);
/* What is wrong with the path for a second or longer. @return NULL: nothing, or nothing is probed */
const struct probes_path *probes_trouble(const struct probes_filler *f, uint64_t now_ms);
/*
 * The next hop of @p address has changed: send its probes by that port; what is no backend's is ignored.
 * @return whether it is a VIP's: probes_see() is to be called
 */
bool probes_hop(struct probes_filler *f, const struct addr *address, const struct hop *hop);
/* Write counters to the stats page, once a second. */
void probes_count(struct probes_filler *f);

#endif
