/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collecting the errors of a document. Implemented in model/mistakes.c; one thread at a time a
 * collection.
 */
#ifndef WEIR_MODEL_MISTAKES_H
#define WEIR_MODEL_MISTAKES_H

#include <stdarg.h>
#include <stddef.h>

#include "weir/model.h"
#include "weir/near.h"

#define MISTAKES_KEPT 1000u /* more are counted only; nobody reads a thousand */

/** A place in a document. */
struct where {
	const char *file; /**< outlives the mistake's adding only */
	unsigned line;
};

/** Start empty. @return 0 or -ENOMEM */
int mistakes_init(struct model_mistakes *m);
/** Add one; file and field are copied. Beyond MISTAKES_KEPT it is only counted. */
void mistakes_add(struct model_mistakes *m, struct where at, const char *field, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/** Memory has failed: that becomes the only error, since what was found so far may be wrong. */
void mistakes_no_memory(struct model_mistakes *m);
/** Put them in the order of files (as first seen) and lines. */
void mistakes_sort(struct model_mistakes *m);

#endif
