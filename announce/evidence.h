/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From what weir-dataplane proves (weir/proof.h), and what the routing daemon shows
 * (announce/daemon.h), to the facts of the decision. Pure: times are passed in, and what is old is
 * unknown. Implemented in evidence.c.
 */
#ifndef ANNOUNCE_EVIDENCE_H
#define ANNOUNCE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "announce/daemon.h"
#include "announce/decide.h"
#include "announce/moves.h"
#include "weir/proof.h"

/* An answer of the daemon counts for so long: a round of many addresses takes 10 s. */
#define EVIDENCE_DAEMON_OLD_MS 15000u

/*
 * The node's facts: document, peers' state, port, program.
 * @param n         NULL: nothing is proved
 * @param document  the one by which this process announces
 * @param is_dead   the process that proves it has ended, and with it its driver (DPDK)
 */
void evidence_of_node(const struct proof_node *n, uint64_t document, bool is_dead,
                      struct announce_facts *f);
/*
 * The facts of one address of a VIP: next hops, pools, probe packet.
 * @param v          NULL: nothing is proved
 * @param needs_all  all services must have a backend
 */
void evidence_of_vip(const struct proof_vip *v, bool needs_all, struct announce_facts *f);
/* The facts of an address of DNS: @p answers says whether weir-dns shows signs of life. */
void evidence_of_dns(bool answers, struct announce_facts *f);

/*
 * What the daemon shows of one address: routes->imported, and facts->exported.
 * @param d         NULL: there is no daemon
 * @param r         NULL: nothing is known
 * @param added_ms  by enum announce_table: when this process added the route; 0: it was there
 * @return neighbours that get it, as bits; 0 when that is unknown
 */
uint32_t evidence_of_daemon(const struct daemon_facts *d, const struct daemon_route *r,
                            const uint64_t added_ms[3], uint64_t now_ms,
                            struct announce_routes *routes, struct announce_facts *f);

#endif
