/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The driver's code in the node's ports: put there, read back, put there again. The loop's
 * thread, while there is a document in force.
 */
#ifndef WEIR_DATAPLANE_ATTACH_H
#define WEIR_DATAPLANE_ATTACH_H

struct process;

/** Attach all that the document names; what fails is logged once and tried again by attach_missing(). */
void attach_all(struct process *p);
/** Keep the ports' own MAC addresses in the tables (macs.h), read back, and attach what came late, is another interface of the same name, or has lost the code. */
void attach_missing(struct process *p);
/** Leave the ports that the document no longer names. */
void detach_unnamed(struct process *p);

#endif
