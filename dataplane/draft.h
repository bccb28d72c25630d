/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drafts: documents that are read, checked, planned and have their rings, but are not in force.
 *
 * A drafter makes one draft at a time in a thread of its own, so that verdicts do not wait for a
 * document. The thread owns all that it makes. Of others it reads only the model in force, which is
 * const and stays until the draft is handed over. Implemented in draft.c; the loop's thread calls
 * all of this.
 */
#ifndef WEIR_DATAPLANE_DRAFT_H
#define WEIR_DATAPLANE_DRAFT_H

#include <limits.h>
#include <stdint.h>

#include "dataplane/plan.h"
#include "weir/model.h"

struct loop;
struct drafter;

struct draft {
	int err;             /**< of reading or planning; `mistakes` and `why` have the reasons */
	struct model *model; /**< NULL if it could not be read */
	struct plan *plan;   /**< of model; NULL with an error */
	bool graced; /**< a grace period has passed since the switch before the draft began */
	struct model_mistakes mistakes;
	char why[PLAN_WHY_MAX]; /**< why there is no plan, or "" */
};

/** What is to be read. */
struct draft_source {
	char path[PATH_MAX];
	const char *node;
	const struct model *before;   /**< in force, or NULL; its rings are not made again */
	const struct driver_ops *ops; /**< of driver */
	struct driver *driver; /**< waits out a grace period after the last switch; NULL: none */
};

/** Make a draft here and now. @param out  to be freed with draft_free() */
void draft_make(const struct draft_source *from, struct draft *out);
/**
 * Free the draft, except what the caller has taken: it takes `model` and `plan` by setting them
 * to NULL.
 */
void draft_free(struct draft *d);

/** A draft is done. The callee may take `model` and `plan`; the rest is freed afterwards. */
typedef void draft_done(void *arg, struct draft *d);

/** @return 0 or -errno */
int drafter_open(struct loop *l, draft_done *done, void *arg, struct drafter **out);
/**
 * Start a draft. @return 0, -EBUSY (another one is in progress: start again when it is done) or
 * -errno
 */
int drafter_start(struct drafter *d, const struct draft_source *from);
/** Wait for the thread and drop its draft. NULL is fine. */
void drafter_close(struct drafter *d);

#endif
