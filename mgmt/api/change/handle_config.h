/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The ordinary way of a change of configuration, whatever it was made from: a candidate with its plan, guards and risks,
 * then a version, then the wait until it is in force.
 *
 *     core->candidate_lock
 *       handle_change_prepare()    now with the core's lock
 *       handle_change_commit()     or intent_candidate_drop()
 *     handle_change_unlock()       both
 *     handle_change_answer()
 *
 * Implemented in mgmt/api/change/handle_config.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_HANDLE_CONFIG_H
#define WEIR_MGMT_API_HANDLE_CONFIG_H

#include "base/checked.h"
#include "mgmt/api/change/old_file.h"
#include "mgmt/core/confirm_if.h"
#include "mgmt/core/core.h"
#include "mgmt/core/field.h"
#include "mgmt/core/proposal.h"
#include "mgmt/core/to_json.h"
#include "record/fields.h"
#include "weir/object.h"

/** Where a change's files come from: an earlier version, the request, this node's disk. */
enum origin { ORIGIN_VERSION, ORIGIN_REQUEST, ORIGIN_DISK };

/** A change as read from a request; its texts belong to the request. */
struct change_request {
	struct files files;
	struct intent_change change;
	struct old_file from; /**< what the file was made from */
	enum origin origin;   /**< a reload waits for a new version alone */
	int old_rc;           /**< of looking for that */
	json_t *reverted;     /**< settings changed since that the file would revert; NULL: none */
	struct file_source source;
	const struct http_request *request; /**< whose change it is; NULL: a dry run */
	const char *scope;    /**< that it is judged by: handle_scope_begin(); NULL: by none */
	json_t *outside;      /**< what it touches outside of that, once it was judged */
	const char *proposal; /**< the one that was approved, by its id; NULL: none */
	struct intent_approval approval; /**< what it gives */
	uint64_t joined; /**< the unconfirmed version that was judged, too; 0: none */
	/** Of edits the objects that they change: all else is proved to be as it was. NULL: what differs is judged */
	const struct object_path *paths;
	size_t n_paths;
};

/** The rows of bodies that say how a change is made. */
#define CONFIRM_WITHIN_PATTERN "^(none|([0-9]+(d|h|m|s|ms))+)$"
#define CONFIRM_WITHIN_ROW(X, t)                                                                   \
	X(t, const char *, confirm_within, .most = 32, .spare = true,                              \
	  .pattern = CONFIRM_WITHIN_PATTERN, .example = "10m|none|24h")
#define CONFIRM_IF_ROW(X, t)                                                                       \
	X(t, const char *, confirm_if, .most = CONFIRM_IF_MAX - 1, .spare = true,                  \
	  .pattern = CONFIRM_IF_PATTERN, .example = "well for 5m")
#define CANARY_ROW(X, t)                                                                           \
	X(t, const char *, canary, .most = CANARY_MAX - 1, .spare = true,                          \
	  .example = "node/ams-1|ams")
#define IF_QUIET_ROW(X, t)                                                                         \
	X(t, const char *, if_quiet, .most = 4, .spare = true, .one_of = "back|go")
#define WITHOUT_GATES_ROW(X, t)                                                                    \
	X(t, const char *, without_gates, .most = GATE_NAMES_MAX - 1, .spare = true,               \
	  .example = "holidays")
#define PENDING_ROW(X, t)                                                                          \
	X(t, const char *, pending, .most = 16, .spare = true, .one_of = "refuse|confirm|join")

/** All of them, in one list, so that none can be left out. */
#define CHANGE_TERMS(X, t)                                                                         \
	CONFIRM_WITHIN_ROW(X, t)                                                                   \
	CONFIRM_IF_ROW(X, t)                                                                       \
	CANARY_ROW(X, t)                                                                           \
	IF_QUIET_ROW(X, t)                                                                         \
	WITHOUT_GATES_ROW(X, t)                                                                    \
	PENDING_ROW(X, t)
#define DECLARE_TERM(t, type, name, ...) type name;
/** What they say; NULL: nothing. */
struct change_terms {
	CHANGE_TERMS(DECLARE_TERM, )
};
#define COPY_TERM_OF(from, type, name, ...) .name = (from)->name,
/** Those of a body or a query that has these rows, by a pointer to its struct. */
#define CHANGE_TERMS_OF(from) ((struct change_terms){ CHANGE_TERMS(COPY_TERM_OF, from) })

/** The row of a body's files. */
extern const struct record_kind files_body;
#define FILES_ROW(X, t)                                                                            \
	X(t, json_t *, files, .of = &files_body, .example = "{\"weir.conf\": \"schema = 1; ...\"}")
/** Read them. @param object  NULL: they are missing, which @p f knows */
void handle_change_files(struct field_reader *f, const json_t *object, struct change_request *c);
/** Free what the request owns. */
void handle_change_end(struct change_request *c);
/** Read what the queries of all changes say: `dry_run`, `propose`, `proposal`, `wait`. @return false: @p reply says what is wrong */
MUST_CHECK bool handle_change_flags(const struct http_request *r, struct change_request *c,
                                    struct http_reply *reply);
/** End the reading of a change, whose author is known. @return whether there is no error; else @p reply has them */
MUST_CHECK bool handle_change_close(struct field_reader *f, const struct http_request *r,
                                    struct change_request *c, struct http_reply *reply);
/** Read it into @p change for @p r; what is wrong is noted in @p f. */
void handle_change_read(struct field_reader *f, const struct http_request *r,
                        const struct change_terms *terms, struct intent_change *change);

/**
 * Prepare a candidate. The caller has core->candidate_lock and not the core's; this returns with both, also without a
 * candidate. @return 0, or why there is none: for handle_change_commit()
 */
MUST_CHECK int handle_change_prepare(struct core *core, struct change_request *c,
                                     struct intent_candidate *candidate);
/**
 * Make the candidate a version, or plan it, and fill @p reply; the candidate has ended then. @param err  of preparing it.
 * Under both locks.
 */
void handle_change_commit(struct core *core, struct change_request *c,
                          struct intent_candidate *candidate, int err, struct http_reply *reply);
/** Give up both locks. */
void handle_change_unlock(struct core *core);
/** Complete the answer, and wait as the request says until the version is in force. Without a lock. */
void handle_change_answer(struct core *core, const struct http_request *r,
                          const struct change_request *c, struct http_reply *reply);

/*
 * The answer to a change, and to a plan of one; the last four are of a plan. Edits have a row more (handle_edits.c).
 */
#define CHANGE_ROWS(X, t)                                                                          \
	X(t, json_t *, version, .of = &version_shown)                                              \
	X(t, bool, changed)                                                                        \
	X(t, json_t *, plan, .of = &plan_shown)                                                    \
	X(t, json_t *, skipped_zones, .element = &record_string)                                   \
	X(t, uint64_t, rolls_back_to, .later = true)                                               \
	X(t, struct shown_number, before, .later = true)                                           \
	X(t, uint64_t, confirmed, .later = true)                                                   \
	X(t, json_t *, files_at, .later = true, .element = &record_string)                         \
	X(t, bool, dry_run, .later = true)                                                         \
	X(t, json_t *, unconfirmed, .later = true, .of = &unconfirmed_shown_kind)                  \
	X(t, const char *, base, .later = true)                                                    \
	X(t, json_t *, old_file, .later = true, .of = &old_file_shown_kind)                        \
	X(t, json_t *, proposal, .later = true, .of = &proposal_shown_kind)

#endif
