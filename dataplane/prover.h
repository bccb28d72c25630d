/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The prover: sends probe packets for each VIP address through the driver's code, and writes the
 * page of weir/proof.h. A node without nodes[].announce.daemon sends none: its states are unknown. At most DRIVER_PROBES_MAX of them each PROVER_TURN_MS, spread evenly; each
 * address is proved once a second, or as often as that allows. An address whose document, pools or
 * ports have changed comes first.
 *
 * Implemented in prover.c (turns, page), prover_batch.c (probe packets), prover_ports.c,
 * prover_rows.c and prover_frame.c. The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_PROVER_H
#define WEIR_DATAPLANE_PROVER_H

#include "base/checked.h"

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

#endif
