/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnel probes on the dataplane's side: load the egress program of weir/probe.h, fill its table
 * from each document, attach it to the node's ports, and watch that it stays there. weir-health
 * sends the probes. Implemented in probes.c (the table) and probes_path.c (the ports). The loop's
 * thread calls this.
 */
#ifndef DATAPLANE_PROBES_H
#define DATAPLANE_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"

struct addr;
struct hop;
struct hops;
struct links;
struct model;
struct probes_filler;
struct stats;

#define PROBES_REASON_MAX 200u /* bytes of a reason: a condition has room for it and what follows */

/* Why probes do not go through their program. */
struct probes_path {
	char subject[64];               /* a port, or a VIP; "" */
	char reason[PROBES_REASON_MAX]; /* with what to do; "": they do */
};

/*
 * Load the program and make the words in @p stats. Without the privilege or the kernel for it 0 is
 * returned as well, the reason is logged, and no tunnel probe will be judged.
 * @return 0 or -ENOMEM
 */
int probes_open(struct stats *stats, struct hops *hops, struct probes_filler **out) MUST_CHECK;
/* Free everything; call it before hops_close(). What is attached stays. NULL is fine. */
void probes_close(struct probes_filler *f);
/*
 * Follow document @p m: fill the table, note the ports of this node, detach from ports that it no
 * longer has. Failures are logged. Call probes_read_back() afterwards, which attaches.
 */
void probes_apply_model(struct probes_filler *f, const struct model *m);
/*
 * Follow document @p m, the last that probes_apply_model() had, if that failed: the kernel may have
 * had no memory for an entry. Call it each second, before probes_read_back().
 */
void probes_retry(struct probes_filler *f, const struct model *m);
/*
 * Read back whether probes go through the program, attach it where it is missing, and write the
 * result to the stats page (PROBE_GAUGE and the others of weir/probe.h). Call it each second, and
 * when interfaces, tc or routes change.
 */
void probes_read_back(struct probes_filler *f, const struct links *links, uint64_t now_ms);
/*
 * What has been wrong with the path for a second or longer. @return NULL: nothing, or there are
 * no probes
 */
const struct probes_path *probes_trouble(const struct probes_filler *f, uint64_t now_ms);
/*
 * The next hop of @p address has changed: its probes leave by the new port. An address of no
 * backend is ignored.
 * @return whether it is the address of a VIP: then call probes_read_back()
 */
bool probes_hop(struct probes_filler *f, const struct addr *address, const struct hop *hop);
/* Write counters to the stats page, once a second. */
void probes_count(struct probes_filler *f);

#endif
