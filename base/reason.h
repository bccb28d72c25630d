/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Why something failed, as a sentence beside the errno.
 *
 * Implemented in base/reason.c. Any thread.
 */
#ifndef WEIR_BASE_REASON_H
#define WEIR_BASE_REASON_H

#include <stddef.h>

/**
 * Write the sentence to @p reason of @p size bytes; one that is too long is cut.
 * @return @p err, so that whoever fails says why in the same line
 */
int reason_write(char *reason, size_t size, int err, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

#endif
