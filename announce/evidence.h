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
#include "weir/proof.h"

/*
 * An answer of the daemon counts for so long, or for two rounds if it must be asked about one of
 * many addresses at a time; never longer than the second number.
 */
#define EVIDENCE_DAEMON_OLD_MS 15000u
#define EVIDENCE_ROUND_OLD_MS  300000u
_Static_assert(DAEMON_ROUND_MS + DAEMON_DEADLINE_MS < EVIDENCE_DAEMON_OLD_MS,
               "a whole round counts");
/*
 * A promise to another node rests on nothing older: a probe packet of the last 2 s and the second
 * between two, exports that were read or proved to be unchanged, which is tried each second.
 */
#define EVIDENCE_PROMISE_MS 3000u
#define EVIDENCE_EXPORT_MS  5000u
/* weir-dataplane sends 20 probe packets in 100 ms: so long for each address, if there are many. */
#define EVIDENCE_PROBE_MS 5u

/*
 * The node's facts: document, peers' state, port, program, each port's program. A regular stop of
 * weir-dataplane that ends forwarding is a command.
 * @param n         NULL: nothing is proved
 * @param document  the one by which this process announces
 * @param is_dead   the process that proves it has ended, and with it its driver (DPDK)
 */
void evidence_of_node(const struct proof_node *n, uint64_t document, bool is_dead,
                      struct announce_facts *f);
/*
 * The facts of one address of a VIP: next hops, pools, probe packet.
 * @param v          NULL: nothing is proved
 * @param n_vips     how many addresses are proved in turn
 * @param needs_all  all services must have a backend, and its next hop
 */
void evidence_of_vip(const struct proof_vip *v, uint32_t n_vips, bool needs_all, uint64_t now_ms,
                     struct announce_facts *f);
/*
 * The facts of an address of DNS, after evidence_of_node(). With XDP the kernel serves it, so
 * nothing of the forwarding counts; with DPDK its packets come through the driver.
 * @param answers    whether weir-dns shows signs of life; no: its process has ended for good
 * @param holds      whether weir-dns says that it serves the address by UDP and TCP
 * @param by_kernel  the driver is not DPDK
 */
void evidence_of_dns(enum announce_truth answers, enum announce_truth holds, bool by_kernel,
                     struct announce_facts *f);

/* How long an answer of the daemon counts, ms. @param d  NULL: there is no daemon */
uint64_t evidence_daemon_old_ms(const struct daemon_facts *d);

/*
 * What the daemon shows of one address: routes->imported and routes->exported; and facts->exported
 * of the normal table, which is unknown when the answer is too old for a promise.
 * @param d         NULL: there is no daemon
 * @param r         NULL: nothing is known
 * @param old_ms    evidence_daemon_old_ms()
 * @param added_ms  by enum announce_table: when this process added the route; 0: it was there
 * @return neighbours that get it, as bits; 0 when that is unknown
 */
uint32_t evidence_of_daemon(const struct daemon_facts *d, const struct daemon_route *r,
                            const uint64_t added_ms[3], uint64_t old_ms, uint64_t now_ms,
                            struct announce_routes *routes, struct announce_facts *f);
/*
 * Whether neighbours get something else than @p intended: nothing, something, or the route of the
 * other table. Unknown, if it is not known of both tables what the daemon has, or not to whom it
 * exports it.
 */
enum announce_truth evidence_differs(enum announce_table intended,
                                     const struct announce_routes *routes);

#endif
