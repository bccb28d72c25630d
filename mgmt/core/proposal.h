/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Proposals: changes of the configuration that a gate asks other persons to approve (gates[] of the schema). A proposal is a
 * record of the store that nodes share, proposal/ID. It holds no file: who proposed sends the change once more, and the digest says
 * whether it is what was approved.
 *
 * It is bound to the version that it was made from, ends after a day, and is gone with the change that uses it.
 *
 * Implemented in mgmt/core/proposal.c. What takes a core is called under its lock; the rest is pure.
 */
#ifndef WEIR_MGMT_CORE_PROPOSAL_H
#define WEIR_MGMT_CORE_PROPOSAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/store/shared.h"
#include "mgmt/store/store.h"
#include "record/fields.h"
#include "weir/canary.h"

#define PROPOSAL_PREFIX        "proposal/"
#define PROPOSALS_MAX          64u /**< that may still be used; one more is refused */
#define PROPOSALS_PERSON_MAX   16u /**< of them of one person */
#define PROPOSAL_MS            ((int64_t)24 * 3600 * 1000) /**< so long a proposal may be used */
#define PROPOSAL_APPROVALS_MAX 3u
#define PROPOSAL_LINES_MAX     24u  /**< differences that are listed; all are counted */
#define PROPOSAL_LINE_MAX      200u /**< bytes of one with its NUL; what is cut ends in "..." */
#define PROPOSAL_RISKS_MAX     6u   /**< risks likewise, of as many bytes */

struct proposal_approval {
	char person[HTTP_PERSON_MAX], principal[PRINCIPAL_MAX], reason[VERSION_REASON_MAX];
	int64_t time_ms;
};

struct proposal {
	char id[MODEL_ID_MAX];
	uint64_t head; /**< the version that it was made from */
	/** of that, and of what it would be: of all files */
	char head_digest[DIGEST_TEXT_MAX], digest[DIGEST_TEXT_MAX];
	char hash_key[MODEL_FINGERPRINT_MAX]; /**< of the key that it is made with */
	char canary[CANARY_MAX];              /**< where it is tried first; "": nowhere */
	char gate[MODEL_NAME_MAX];            /**< that asks for most approvals */
	uint32_t needed;                      /**< approvals, all gates together */
	char person[HTTP_PERSON_MAX], principal[PRINCIPAL_MAX]; /**< who proposed it */
	char author[VERSION_AUTHOR_MAX], reason[VERSION_REASON_MAX], node[MODEL_NAME_MAX];
	int64_t time_ms, until_ms;
	char withdrawn_by[PRINCIPAL_MAX],
	        withdrawn_reason[VERSION_REASON_MAX]; /**< "": it is not */
	struct proposal_approval approvals[PROPOSAL_APPROVALS_MAX];
	uint32_t n_approvals;
	char lines[PROPOSAL_LINES_MAX]
	          [PROPOSAL_LINE_MAX]; /**< "changed pools/web/mode: ipip -> gue" */
	uint32_t n_lines, n_lines_all;
	char risks[PROPOSAL_RISKS_MAX][PROPOSAL_LINE_MAX];
	uint32_t n_risks, n_risks_all;
};

/** What a proposal is good for now. */
enum proposal_state {
	PROPOSAL_WAITING,  /**< for more approvals */
	PROPOSAL_APPROVED, /**< the change may be made */
	PROPOSAL_OUTDATED, /**< another version is in force than it was made from */
	PROPOSAL_ENDED,    /**< its day is over */
	PROPOSAL_WITHDRAWN,
};

extern const struct record_kind proposal_record;
/** As people are shown it, with its state: GET /v1/proposals/ID. */
extern const struct record_kind proposal_shown_kind;

/** Begin a proposal, all zero, that is made at @p node now: its id, which no other has, and its times. */
void proposal_begin(struct proposal *p, const char *node, int64_t now_ms);
/** The name of the record of proposal @p id. @return @p out */
const char *proposal_name(const char *id, char out[SHARED_NAME_MAX]);
/** Where @p p is the proposal of a node whose version in force is @p head (NULL: none). */
enum proposal_state proposal_judge(const struct proposal *p, const struct version *head,
                                   int64_t now_ms);
/** Whether @p person, in letters of either case, has approved it. */
bool proposal_is_approved_by(const struct proposal *p, const char *person);
/** Whether it waits, or may be used: it counts among PROPOSALS_MAX. */
bool proposal_is_live(enum proposal_state state);
/** As JSON, given. */
json_t *proposal_to_json(const struct proposal *p, enum proposal_state state);
/** The persons who have approved it, as "bob, carol". */
void proposal_persons(const struct proposal *p, char out[VERSION_PERSONS_MAX]);

/**
 * Read proposal @p id as this node's copy has it.
 * @param revision  out: of its last change
 * @return whether there is one
 */
bool proposal_find(struct core *core, const char *id, struct proposal *out, int64_t *revision);
typedef void proposal_receive(void *arg, const struct proposal *p, int64_t revision);
/** Give each proposal to @p receive, by their ids. @return 0; -EROFS: there is no copy; or -errno: they are not known */
MUST_CHECK int proposal_each(struct core *core, proposal_receive *receive, void *arg);

#endif
