/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The own weir-announce: what it shows on its page, and what it is asked and told over its control
 * socket. The requests are those of announce/command.c.
 *
 * Implemented in mgmt/observe/announce_own.c. Any thread, each with a struct announce_own of its own,
 * and never under the core's lock: a request waits for the other process.
 */
#ifndef WEIR_MGMT_OBSERVE_ANNOUNCE_OWN_H
#define WEIR_MGMT_OBSERVE_ANNOUNCE_OWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "weir/announce.h"

#define ANNOUNCE_OWN_LATE_MS  2000u /**< ms without a sign of life: what it shows is unknown */
#define ANNOUNCE_OWN_HEX_MAX  17u   /**< 16 hexadecimal digits and NUL */
#define ANNOUNCE_OWN_REPLY_MS 400   /**< ms that requests which come together may wait in all */

/** The page as last read; zeroed at the start. */
struct announce_own {
	struct announced_page *page; /**< kept open; NULL: there was none */
	struct announced_node node;
	struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	struct announced_address *addresses; /**< [node.n_addresses]; NULL before the first look */
};

/** An address with the question about it. */
struct announce_item {
	struct addr address;
	uint64_t sent_ms; /**< by the clock of the node that asks */
};

/** Read the page. @return whether there is one; else what was read before is undefined */
bool announce_own_look(struct announce_own *o, const char *run_dir);
void announce_own_close(struct announce_own *o);

#define ANNOUNCE_OWN_YES    "announced" /**< the words of announce_own_word() */
#define ANNOUNCE_OWN_UNSURE "unsure"
/**
 * What nodes say of an address that they announce: that a neighbour gets its normal route, or that
 * this is not known yet. NULL: it is not announced, in graceful shutdown, or known to reach nobody.
 */
const char *announce_own_word(const struct announced_address *a);

/** 16 hexadecimal digits: what requests and answers carry for 64 bits. */
void announce_own_hex(uint64_t value, char out[ANNOUNCE_OWN_HEX_MAX]);

/**
 * Ask whether another node may withdraw an address.
 * @param from         the node that asks; @p incarnation  of it, 16 hexadecimal digits
 * @param until_ms     monotonic: then it is waited for no longer
 * @return a text, given: "confirmed", the name of a refusal, or "no-answer"; NULL when out of memory
 */
json_t *announce_own_query(const char *run_dir, const char *from, const char *incarnation,
                           const struct announce_item *item, uint64_t until_ms);
/** Tell it that node @p by confirmed an address. @return whether it took that, whether it counts or not */
bool announce_own_confirm(const char *run_dir, const char *by, const char *incarnation,
                          const struct announce_item *item, uint64_t until_ms);
/**
 * Tell it who else announces: one line of at most 64 KiB.
 * @param heard, silent  names of nodes
 * @param addresses      an object of lists of names; all three as announce/command.c says, borrowed
 * @return whether it took that
 */
bool announce_own_notify_others(const char *run_dir, json_t *heard, json_t *silent,
                                json_t *addresses);

#endif
