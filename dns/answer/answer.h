/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The answer to a query: one pure function of the zones' image, the state of the dynamic names, the
 * time, the query and the client. It allocates nothing, locks nothing, and calls nothing that does.
 * The workers, the fuzzers and `weir dns explain` all call it. Implemented in dns/answer/answer.c; any thread.
 */
#ifndef WEIR_DNS_ANSWER_ANSWER_H
#define WEIR_DNS_ANSWER_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "dns/steering/steering.h"
#include "dns/answer/query.h"

struct image;

/** Enough for any answer over UDP. */
#define ANSWER_UDP_MAX EDNS_UDP_MAX
/** Enough for any answer. */
#define ANSWER_MAX 65535
/** Aliases followed for one query; the client can follow a longer chain itself. */
#define ANSWER_ALIASES_MAX 16

/** What answers come from; all borrowed and unchanged for the call. */
struct answer_env {
	const struct image *image;
	/** The dynamic names that the image was compiled with; NULL: none. */
	const struct steering *steering;
	const struct steering_state *state; /**< of `steering` */
	const uint8_t *nsid; /**< given to clients that ask for it (RFC 5001); NULL: not given */
	size_t nsid_length;
	int64_t wall_clock_ms;
};

struct answer_query {
	const uint8_t *bytes;
	size_t length;
	struct addr client; /**< the resolver's address */
	bool tcp;
};

/** What was answered, for counters. */
struct answer_info {
	enum dns_rcode rcode;
	bool has_question;
	uint16_t type;
	bool has_edns, has_subnet;
	bool truncated;
	int32_t dynamic; /**< number of the dynamic name that gave addresses (or none); -1: not one */
	bool ip4;
	struct steering_choice choice; /**< with dynamic >= 0 */
	struct steering_key key;       /**< likewise: by which it was made */
};

enum answer_step_kind {
	ANSWER_STEP_NODE,     /**< `node`: the name itself exists */
	ANSWER_STEP_ENCLOSER, /**< `node`: the deepest existing name above */
	ANSWER_STEP_WILDCARD, /**< `node`: its records stand for the name */
	ANSWER_STEP_PARENT,   /**< `node`: the parent zone's side of a zone's apex */
	ANSWER_STEP_REFERRAL, /**< `node`: a delegation */
	ANSWER_STEP_DATA,     /**< `node` has the type asked for */
	ANSWER_STEP_ALIAS,    /**< `node` has a CNAME */
	ANSWER_STEP_DNAME,    /**< `node` has a DNAME, which renames all names below it */
	ANSWER_STEP_TOO_LONG, /**< the DNAME's new name would be over 255 bytes */
	ANSWER_STEP_BROKEN,   /**< `node` is in a zone whose file cannot be used */
	ANSWER_STEP_STEERED,  /**< `node` is dynamic: key and choice */
	ANSWER_STEP_NODATA,
	ANSWER_STEP_NXDOMAIN,
	ANSWER_STEP_OUTSIDE, /**< in none of the zones */
	ANSWER_STEP_LEAVES,  /**< an alias leads out of the zone, back, or too far */
	ANSWER_STEP_TRUNCATED,
};

struct answer_step {
	enum answer_step_kind kind;
	uint32_t node_off; /**< in the image; 0: none */
	uint32_t dynamic;
	bool key_is_subnet; /**< the key comes from the query's client subnet */
	struct steering_key key;
	struct steering_choice choice;
};

/** The steps in their order; surplus ones are dropped. */
struct answer_trace {
	unsigned n;
	struct answer_step steps[4 * ANSWER_ALIASES_MAX];
};

/**
 * Answer one query.
 * @param out   room for the answer; at least ANSWER_UDP_MAX, over TCP ANSWER_MAX to give all
 * @param info  filled in each case
 * @param trace NULL, or to be filled
 * @return the answer's length; 0: there is no answer (the message is too short, or an answer
 *         itself)
 */
size_t answer(const struct answer_env *env, const struct answer_query *query, uint8_t *out,
              size_t out_size, struct answer_info *info, struct answer_trace *trace) MUST_CHECK
        NONNULL(1, 2, 3, 5);

#endif
