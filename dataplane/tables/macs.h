/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The MAC addresses that are our ports' own: gathered from the kernel's interfaces and the
 * document, written into the tables (weir/fwd/ingress.h), followed live (implemented in tables/macs.c).
 *
 * A port has the address of its interface, those of the interfaces stacked on it, and those in the
 * document's `macs`. A port that is a bond also has those of its parts: the kernel runs a bond's
 * XDP program on each of them, and frames then come in by the part. The loop's thread calls all of
 * this.
 */
#ifndef WEIR_DATAPLANE_TABLES_MACS_H
#define WEIR_DATAPLANE_TABLES_MACS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fwd_tables;
struct links;
struct model_node;

#define MACS_MAX 256u /**< of a node: pairs of an address and an interface */

/** The words of fwd_mac_word(), each once, the most used first. */
struct macs {
	uint64_t word[MACS_MAX];
	size_t n;
	size_t n_left_out; /**< beyond MACS_MAX, or without a place in the tables */
};

/**
 * Gather the MAC addresses of the ports of @p self: each port's interface first, then the
 * document's, then those stacked on it.
 */
void macs_gather(const struct links *links, const struct model_node *self, struct macs *out);

/**
 * Write the addresses into the tables, word by word, while packets read them. An address that is
 * there already stays where it is. One without room is counted in m->n_left_out.
 * @return whether anything changed
 */
bool macs_write(const struct fwd_tables *t, struct macs *m);

#endif
