/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The section "announced" of the exchange: what each node announces, {ADDRESS: "announced" | "unsure"}.
 * It is true as long as that weir-announce shows signs of life; of one that does not, the words age.
 *
 * Implemented in mgmt/peers/announce_words.c. The section is the exchange's thread's; what only reads is pure.
 */
#ifndef WEIR_MGMT_PEERS_ANNOUNCE_WORDS_H
#define WEIR_MGMT_PEERS_ANNOUNCE_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/observe/announce_own.h"
#include "mgmt/core/core.h"
#include "mgmt/peers/exchange_words.h"
#include "mgmt/overrides/guard.h"

#define ANNOUNCE_WORDS_GOOD_MS                                                                     \
	5000u /**< so long words count: they are on their way for some of it */

/** What this section needs of the own page, zeroed at the start. */
struct announced_section {
	struct announce_own own;
	uint64_t digest; /**< of the words that peers got last */
};

/**
 * Look at the own announce page and put what it says into @p word, which the core's lock guards.
 * @return whether there are other words
 */
bool announce_words_look(struct announced_section *s, struct core *core,
                         struct exchange_word *word);
void announce_words_fini(struct announced_section *s);

/** Whether @p words, a peer's, are of as many addresses, or VIPs, as a node can have. */
bool announce_words_are_good(const json_t *words);
/** What @p words say of an address. A word of a later release is unknown. */
enum guard_announced announce_words_of(const json_t *words, const struct addr *address);

/**
 * Whether @p json, the answer of @p node of @p m to a question of the exchange, says what it announces now.
 * @param out  for guard_said_fini() then; else untouched
 */
bool announce_words_read(const json_t *json, const struct model *m, const struct model_node *node,
                         struct guard_said *out) MUST_CHECK;

#endif
