/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * External verdicts (mgmt/overrides/external.h) between nodes, and to weir-health.
 *
 * A node's list counts its changes. A section of the exchange says how far it is: which process counts, and up to where. A
 * node that has less asks for the changes behind that (query "verdicts"), at most EXTERNALS_ANSWER_MAX an answer, until it
 * has them. So a change costs what it is, and a node that has started gets all of its peers.
 *
 * A node tells at once what a program said to it; what it heard of others, at most every EXTERNALS_HEARD_MS: those who
 * ask have mostly heard it themselves.
 *
 * Implemented in mgmt/peers/externals.c. Under the core's lock, of the exchange's thread where nothing else is said.
 */
#ifndef WEIR_MGMT_PEERS_EXTERNALS_H
#define WEIR_MGMT_PEERS_EXTERNALS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/overrides/external.h"

struct core;
struct page;

#define EXTERNALS_ANSWER_MAX 1000u /**< verdicts of an answer */
#define EXTERNALS_HEARD_MS   500u  /**< between two words of what others have said */
#define EXTERNALS_START_MS                                                                         \
	10000u /**< after a start peers are heard before a target counts as one without a verdict */

/** Up to which change a node has what another one has; zeroed: nothing is known. */
struct externals_position {
	uint64_t epoch, seq;
};

/** What the exchange's thread keeps. */
struct externals_out {
	struct page *page;
	uint64_t opened_ms;                 /**< when that was tried last */
	uint64_t seq, document, written_ms; /**< of what the page has */
	bool complete;
	struct externals_position said; /**< by the section */
	uint64_t said_ms;
};

/** At the start of the process: a list in which nothing was said; from malloc(), NULL: memory is short. Any thread. */
struct external_list *externals_new(const char *node);
void externals_free(struct external_list *all);

/** What the section says now, given; NULL: memory is short. */
json_t *externals_words(struct externals_out *out, const struct external_list *all,
                        uint64_t now_ms);
/** Read a section. @return false: it is none, and @p out is untouched */
bool externals_words_read(const json_t *body, struct externals_position *out);

/** What a query asks for behind @p position, given; NULL: memory is short. */
json_t *externals_question(const struct externals_position *position);
/** Answer it, given; NULL: it is none. Any thread. */
json_t *externals_answer(const struct external_list *all, const json_t *question, uint64_t now_ms);
/**
 * Take the answer to a question that was sent at @p sent_ms: whole, or nothing of it.
 * @param position  what is known now; untouched on failure
 * @return 0; -EINVAL: it is malformed, or holds more than EXTERNALS_ANSWER_MAX
 */
MUST_CHECK int externals_accept(struct external_list *all, const json_t *answer, uint64_t sent_ms,
                                uint64_t now_ms, int64_t wall_clock_ms,
                                struct externals_position *position);

/** Bring what is said onto the page, where it is another one than before. */
void externals_publish(struct externals_out *out, struct core *core, bool is_alone,
                       uint64_t now_ms);
void externals_out_fini(struct externals_out *out);

#endif
