/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What nodes tell each other of themselves, in sections: as JSON and from it, with ages; and which nodes
 * each one asks.
 *
 * A word is one section of one node. It has a stamp, equal where the words are equal, and a time at
 * which it was true, by this node's monotonic clock. Between nodes only its age goes, never a time:
 * who takes a word counts the age back from the earliest moment at which the answer can have been
 * made. So a word may get older on its way, and never gets younger.
 *
 * Pure, implemented in mgmt/peers/exchange_words.c. Words belong to who has them; the core's lock
 * guards those of the exchange.
 */
#ifndef WEIR_MGMT_PEERS_EXCHANGE_WORDS_H
#define WEIR_MGMT_PEERS_EXCHANGE_WORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

/** The sections: the names by which they go, and whether news of them end the waiting of an answer. */
#define EXCHANGE_SECTIONS(X)                                                                       \
	X(EXCHANGE_HEAD, "head", true)                                                             \
	X(EXCHANGE_LOAD, "load", false)                                                            \
	X(EXCHANGE_HEALTH, "health", true)                                                         \
	X(EXCHANGE_ANNOUNCED, "announced", true)                                                   \
	X(EXCHANGE_ARRIVALS, "arrivals", false)                                                    \
	X(EXCHANGE_AUDIT, "audit", false)                                                          \
	X(EXCHANGE_MEMBERS, "members", false)                                                      \
	X(EXCHANGE_VERDICTS, "verdicts", true)

#define EXCHANGE_ID(id, name, wakes) id,
enum exchange_section { EXCHANGE_SECTIONS(EXCHANGE_ID) EXCHANGE_N_SECTIONS };
#undef EXCHANGE_ID

#define EXCHANGE_STAMP_MAX 17u    /**< 16 hex digits and the zero */
#define EXCHANGE_PASS_MS   10000u /**< older words are not passed on: nobody could use them */
#define EXCHANGE_PER_SITE  3u     /**< nodes of each other site that are asked */

struct exchange_word {
	char stamp[EXCHANGE_STAMP_MAX]; /**< "": nothing was ever said */
	uint64_t true_ms;               /**< monotonic */
	uint64_t heard_ms;              /**< monotonic: when another node's answer brought it */
	json_t *body;                   /**< owned */
};

/** Whether news of a section end the waiting of an answer. */
bool exchange_section_wakes(enum exchange_section section);

/** What became of words. */
enum exchange_accepted {
	EXCHANGE_OLDER, /**< they are not younger than those that are known, or find no room: nothing changed */
	EXCHANGE_SAME,  /**< the words that are known, true later */
	EXCHANGE_OTHER, /**< other words */
};
/**
 * Give @p word the words @p body (taken; NULL: memory was short), which are true at @p true_ms. @return what became of them;
 * EXCHANGE_OLDER: memory is short
 */
enum exchange_accepted exchange_word_set(struct exchange_word *word, json_t *body,
                                         uint64_t true_ms);
void exchange_word_fini(struct exchange_word *word);

/**
 * Whether a section that ends the waiting is another one for who has @p have of the node, as exchange_have() writes it; NULL:
 * nothing.
 */
bool exchange_is_news(const struct exchange_word words[EXCHANGE_N_SECTIONS], const char *have,
                      uint64_t now_ms);
/**
 * All words of a node for who has @p have of it: [AGE_MS or null for each section, {SECTION: [STAMP, BODY]}], given; the
 * object with those of another stamp, or left out. Nearly all that nodes say is that nothing is new: then it is some ages.
 * Where memory is short an item may lack, and say something else: memory_failed() tells, and nothing of it may be sent.
 */
json_t *exchange_encode(const struct exchange_word words[EXCHANGE_N_SECTIONS], const char *have,
                        uint64_t now_ms);
/** What a node has of another one, in the order of the sections: stamps, or as many '-' for what it has not. */
struct exchange_have {
	char stamps[EXCHANGE_N_SECTIONS * (EXCHANGE_STAMP_MAX - 1) + 1];
};
/** What this node has of another one, to ask for what is new; of section @p whole nothing (EXCHANGE_N_SECTIONS: none is). */
struct exchange_have exchange_have(const struct exchange_word words[EXCHANGE_N_SECTIONS],
                                   enum exchange_section whole);

/** An answer that was read: one section of one node. Borrows from the answer. */
struct exchange_said {
	size_t node; /**< as exchange_expected.find() says */
	enum exchange_section section;
	uint64_t age_ms;
	const char *stamp; /**< of the body; NULL without one */
	json_t *body;      /**< NULL: the words that were known when it was asked */
};

#define EXCHANGE_UNKNOWN (-1) /**< no node of this document: it is passed over */
#define EXCHANGE_NOT_HIS (-2) /**< a node for which the answering one cannot speak */

/** What an answer has to be. */
struct exchange_expected {
	const char *node, *cluster;
	size_t nodes_max;
	/** Which node @p name is, EXCHANGE_UNKNOWN or EXCHANGE_NOT_HIS. */
	int (*find)(void *arg, const char *name);
	void *arg;
};

/** What an answer says besides words. */
struct exchange_read {
	uint64_t waited_ms; /**< how long it was held */
	const json_t *clock_ms;
	struct exchange_said *said; /**< from malloc(), given */
	size_t n_said;
};

/**
 * Read an answer whole, or nothing of it.
 * @return 0, -ENOMEM, or -EINVAL with @p reason
 */
MUST_CHECK int exchange_read(const json_t *answer, const struct exchange_expected *expected,
                             struct exchange_read *out, const char **reason);

/**
 * When words were true that an answer gives an age of, by this node's clock: never later than they
 * can have been. 0: so old that nothing is known.
 */
uint64_t exchange_true_ms(uint64_t sent_ms, uint64_t received_ms, uint64_t waited_ms,
                          uint64_t age_ms);

/**
 * Take @p said into @p word if it is younger. It came at @p now_ms, for a question that was sent at @p sent_ms: what is unchanged since
 * then says nothing of a word that another node's answer has brought meanwhile.
 */
enum exchange_accepted exchange_accept(struct exchange_word *word, const struct exchange_said *said,
                                       uint64_t true_ms, uint64_t sent_ms, uint64_t now_ms);

/** A node that may be asked. */
struct exchange_candidate {
	size_t site;    /**< nodes of one site have one number */
	bool is_own;    /**< of the asking node's site */
	uint64_t rank;  /**< exchange_rank(); the lowest are asked */
	bool is_failed; /**< it did not answer last: another one is asked as well */
};

/** The place of @p node among those of its site for @p asker: rendezvous hashing, so that askers spread. */
uint64_t exchange_rank(const char *asker, const char *node);
/**
 * Choose the nodes to ask: all of the own site; of each other site, in the order of rank, as many as it takes
 * until EXCHANGE_PER_SITE of them answer.
 */
void exchange_choose(const struct exchange_candidate *candidates, size_t n, bool *chosen);

#endif
