/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The files of the version in force with those of its zones as they are on the disk now.
 *
 * Implemented in mgmt/files/reload.c. Any thread may call.
 */
#ifndef WEIR_MGMT_FILES_RELOAD_H
#define WEIR_MGMT_FILES_RELOAD_H

#include "base/checked.h"
#include "mgmt/files/files.h"
#include "weir/model.h"

/**
 * Read the files of all zones again, with the files that they include.
 *
 * @param head  the files in force, of model @p m
 * @param skip  a zone whose file cannot be read keeps the files of the head
 * @param errors  files that cannot be read, with the reason; also with @p skip
 * @return 0; -EINVAL (files that cannot be read, without @p skip); -E2BIG or -ENOMEM; @p out is
 *   given
 */
MUST_CHECK int reload_files(const struct files *head, const struct model *m, const char *conf_dir,
                            bool skip, struct files *out, struct model_errors *errors);

#endif
