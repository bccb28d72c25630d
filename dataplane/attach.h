/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The driver's code on the node's ports: attached, read back, and attached again where it is
 * missing. Implemented in attach.c. The loop's thread calls this, while a document is in force.
 */
#ifndef WEIR_DATAPLANE_ATTACH_H
#define WEIR_DATAPLANE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>

struct model_node;
struct process;

/**
 * Whether document @p next would take a port away that carries packets, and names one instead that the node has not: a
 * mistyped name must not cut the node off. @param reason  then, in one sentence
 */
bool attach_would_lose(const struct process *p, const struct model_node *next, char *reason,
                       size_t size);
/** Attach all ports of the document; a failure is logged once, and attach_missing() tries again. */
void attach_all(struct process *p);
/**
 * Update the ports' own MAC addresses (tables/macs.h), read the ports back, and attach those that are
 * missing.
 */
void attach_missing(struct process *p);
/** Detach from the ports that the document no longer names. */
void detach_unnamed(struct process *p);

#endif
