/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses that a document makes this node announce: those of its VIPs, and the DNS addresses
 * that it names, and what people demand of this node. Pure; any thread. Implemented in intended.c.
 */
#ifndef ANNOUNCE_INTENDED_H
#define ANNOUNCE_INTENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "announce/decide.h"
#include "base/addr.h"
#include "base/checked.h"

struct model;
struct model_node;
struct model_vip;

struct intended {
	struct addr address;        /* first: sorted by it */
	const char *vip;            /* its name, the model's; NULL: an address of DNS */
	const struct model_vip *of; /* the VIP itself, the model's; NULL likewise */
	uint64_t vip_hash;          /* hash_text() of it; 0 for DNS */
	bool needs_all;             /* vips[].announce_when = "all" */
	bool is_shared;             /* the document makes another node announce it as well */
	/*
	 * A drain of the node withdraws it without a confirmation: by the document no other node could take
	 * it over, and none need. Resolvers have other servers than an address of DNS; the VIP's sites are
	 * drained, and no earlier answer leads to it.
	 */
	bool leaves_unconfirmed;
	enum announce_command command; /* announce_command_of() */
};

/*
 * List them, sorted by address, each once; none without a daemon.
 * @param out  [n_max], borrows names from @p m
 * @return how many there are; those that do not fit are left out
 */
size_t intended_list(const struct model *m, struct intended *out, size_t n_max);
/* Whether the document makes @p node announce the address @p it; @p node is of the same model. */
bool intended_by(const struct model_node *node, const struct intended *it);
/*
 * What people and operations demand by the document: of the model's own node for VIP @p vip (its model's);
 * NULL: for an address of DNS.
 */
enum announce_command announce_command_of(const struct model *m, const struct model_vip *vip);

#endif
