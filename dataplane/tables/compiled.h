/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Compiled documents: read, checked and planned, with their rings, but not in force yet.
 *
 * A thread of its own compiles one document at a time (base/loop_job.h), so that verdicts do not wait for it.
 * The thread owns all that it makes. Of others it reads only the model in force, which is const and
 * stays until the compiled document is handed over. Implemented in tables/compiled.c.
 */
#ifndef WEIR_DATAPLANE_TABLES_COMPILED_H
#define WEIR_DATAPLANE_TABLES_COMPILED_H

#include <limits.h>
#include <stdint.h>

#include "base/believed.h"
#include "base/checked.h"
#include "dataplane/tables/plan.h"
#include "weir/model.h"

struct compiled {
	int err;             /**< of reading or planning; `errors` and `refusal` have the reasons */
	struct model *model; /**< NULL if it could not be read */
	struct plan *plan;   /**< of model; NULL with an error */
	bool spare_is_free;  /**< no packet reads the spare half of the services table any more */
	struct model_errors errors;
	char refusal[PLAN_REASON_MAX]; /**< why there is no plan, or "" */
	struct compiled_times took;    /**< all but `switch_us` */
};

/** What is to be read. */
struct compiled_source {
	char path[PATH_MAX];
	const char *node;
	/** A copy: what a document may set is known before it is read (believed_not_before()). */
	struct believed believed;
	const struct model *before;   /**< in force, or NULL; its rings are not made again */
	const struct driver_ops *ops; /**< of driver */
	struct driver *driver; /**< waits out a grace period after the last switch; NULL: none */
	/**
	 * Called with the document once it is read, before the work of compiling it. NULL: nothing
	 * is.
	 */
	void (*on_model)(void *arg, const struct model *m);
	void *arg;
};

/** Compile a document here and now. @param out  to be freed with compiled_free() */
void compiled_make(const struct compiled_source *from, struct compiled *out);
/**
 * Free what was compiled, except what the caller has taken: it takes `model` and `plan` by setting
 * them to NULL.
 */
void compiled_free(struct compiled *d);

#endif
