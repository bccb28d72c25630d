/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The prover: sends probe packets for each VIP address through the driver's code, and writes the
 * page of weir/proof.h. Only addresses that the node announces get any: the state of all others is
 * unknown. At most DRIVER_PROBES_MAX of them are run each PROVER_TURN_MS, spread evenly; each
 * address is proved once a second, or as often as that allows, and always before its proof is too
 * old. An address whose document, pools or ports have changed comes first. After a batch that could
 * not be run, the next one waits for PROVER_PERIOD_MS.
 *
 * Implemented in prover.c (turns, page), prover_batch.c (probe packets), prover_ports.c,
 * prover_rows.c and prover_frame.c. The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_PROVER_H
#define WEIR_DATAPLANE_PROVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "weir/proof.h"

struct process;
struct prover;

#define PROVER_TURN_MS 100u
/** An address is proved so often, if there are few. */
#define PROVER_PERIOD_MS 1000u

/** Begin to prove what @p p forwards; without a document all is unknown. @return 0 or -ENOMEM */
MUST_CHECK int prover_open(struct process *p, struct prover **out);
/** The page stays. NULL is fine. */
void prover_close(struct prover *r);
/** An interface has changed: read the ports and write the page now. */
void prover_links_changed(struct prover *r);
/**
 * Forwarding ends soon, with the process or with its driver: the page says so now, and until
 * another driver is in force.
 */
void prover_say_stopping(struct prover *r);
/**
 * Why probe packets cannot be run, and what to do. @param interface  out: the port. @return NULL:
 * they can, or none is needed. @p r may be NULL
 */
const char *prover_problem(const struct prover *r, const char **interface);
/** Whether nothing leaves for an address, by any port to its backends (leaving.h). */
bool prover_is_blocked(const struct prover *r);
/** Count the addresses by enum proof_state. */
void prover_count_states(const struct prover *r, size_t n[PROOF_STATE_REFUSED + 1]);

#endif
