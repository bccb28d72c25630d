/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Gathering the files of a configuration from a directory, and reading their model.
 *
 * The files of a version are laid out below STATE/config/DIGEST, where processes read zone
 * files from; secrets stay in the configuration directory.
 *
 * Implemented in mgmt/files/gather.c. Any thread may call.
 */
#ifndef WEIR_MGMT_FILES_GATHER_H
#define WEIR_MGMT_FILES_GATHER_H

#include "base/checked.h"
#include "mgmt/files/files.h"
#include "mgmt/files/zones.h"
#include "weir/model.h"

/**
 * Gather DIR/weir.conf (or another @p main_name, which is then called weir.conf) with all files
 * that it includes and all zone files that it names. Missing files are left out: reading the
 * configuration reports them.
 *
 * @return 0, -ENOENT (no configuration), -E2BIG, -EINVAL (a name that cannot be kept) or -errno; @p
 *   out is given, untouched on failure
 */
MUST_CHECK int gather_files(const char *dir, const char *main_name, struct files *out);

/** STATE/config/DIGEST, where the files of a version are. @return 0 or -ENAMETOOLONG */
MUST_CHECK int gather_dir(const char *state_dir, const char *digest, char out[PATH_MAX]);

/**
 * Lay @p files out below @p state_dir and read their model. Zones have their digests, and paths as
 * laid out; the key is read from @p conf_dir. In errors, files are named as they are in @p files.
 *
 * @param node  as model_read_config()
 * @return as model_read_config(); -ENOSPC and other -errno when they cannot be laid out
 */
MUST_CHECK int gather_model(const struct files *files, const char *state_dir, const char *conf_dir,
                            const char *node, struct model **out, struct model_errors *errors);

/** The same for a version whose key's fingerprint is known, as model_read_laid_out() has it. */
MUST_CHECK int gather_keyed(const struct files *files, const char *state_dir, const char *conf_dir,
                            const char *key_expected, const char *node, struct model **out,
                            struct model_errors *errors);

/**
 * Look at the zones of a model that gather_model() gave for @p files, as weir-dns would.
 * @return as zones_judge(); texts name files as they are in @p files
 */
MUST_CHECK int gather_check_zones(const struct model *m, const struct files *files,
                                  const char *state_dir, const struct model *head,
                                  struct model_errors *errors, struct zones_findings *said);
/** Write the first of @p errors, for a person: with its line and setting. */
void gather_first_error(const struct model_errors *errors, char *out, size_t size);
/** Log the errors of the document @p what, which is refused. */
void gather_log_errors(const char *what, const struct model_errors *errors);

#endif
