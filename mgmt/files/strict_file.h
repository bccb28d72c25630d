/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A small file that is one record as JSON (record/fields.h), written by a person or brought from another host. A name
 * that has no field is refused: a misspelt one must not be left out silently.
 *
 * Implemented in mgmt/files/strict_file.c. Any thread may call.
 */
#ifndef WEIR_MGMT_FILES_STRICT_FILE_H
#define WEIR_MGMT_FILES_STRICT_FILE_H

#include "base/checked.h"
#include "record/fields.h"

#define STRICT_REASON_MAX 256u /**< bytes of a sentence with its NUL */

/**
 * Read the record of the regular file @p path.
 * @param name  of the file in @p reason, "store.conf"
 * @param max   most bytes of the file
 * @return 0; -ENOENT; -EINVAL: it is wrong; or -errno, each with a reason. @p out is untouched on failure
 */
MUST_CHECK int strict_file_read(const char *path, const char *name, size_t max,
                                const struct record_kind *kind, void *out,
                                char reason[STRICT_REASON_MAX]);
/** Write @p record to @p path, whole, with @p mode; or leave what was there. @return 0 or -errno */
MUST_CHECK int strict_file_write(const char *path, unsigned mode, const struct record_kind *kind,
                                 const void *record);

#endif
