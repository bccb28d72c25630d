/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collecting the errors of a document. Implemented in model/errors.c; one thread at a time a
 * collection.
 */
#ifndef WEIR_MODEL_ERRORS_H
#define WEIR_MODEL_ERRORS_H

#include <stdarg.h>
#include <stddef.h>

#include "base/checked.h"
#include "weir/model.h"
#include "weir/suggest.h"

#define ERRORS_KEPT 1000u /* more are counted only; nobody reads a thousand */

/** A place in a document. */
struct where {
	const char *file; /**< outlives the mistake's adding only */
	unsigned line;
};

/** Start empty. @return 0 or -ENOMEM */
MUST_CHECK int errors_init(struct model_errors *m);
/** Add one; file and field are copied. Beyond ERRORS_KEPT it is only counted. */
void errors_add(struct model_errors *m, struct where at, const char *field, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/** Memory has failed: that becomes the only error, since what was found so far may be wrong. */
void errors_set_no_memory(struct model_errors *m);
/** The document takes more than it may: the same. */
void errors_set_too_large(struct model_errors *m);
/** Put them in the order of files (as first seen) and lines. */
void errors_sort(struct model_errors *m);

#endif
