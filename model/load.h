/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading whole files that a document or an operator names: regular ones only, never waiting,
 * bounded. Implemented in model/load.c; any thread.
 */
#ifndef WEIR_MODEL_LOAD_H
#define WEIR_MODEL_LOAD_H

#include <stddef.h>

#include "base/checked.h"

/**
 * Read a file. @p out is malloc()ed, given, with a NUL behind its end.
 * @return 0, -EFBIG (over @p max bytes), -EISDIR, -EPERM (a FIFO, device or socket) or -errno
 */
MUST_CHECK int load_file(const char *path, size_t max, char **out, size_t *n);
/** The same for a file that weir-@p writer writes (base/owner.h). @return also -EOWNERDEAD: another user's, not believed */
MUST_CHECK int load_owned(const char *path, size_t max, const char *writer, char **out, size_t *n);
/** What a name is for which model_file_name_ok() is true, for an error message. */
#define LOAD_NAME_EXPECTED                                                                         \
	"a file below the configuration's directory, by its name from there: of letters, digits, " \
	"'.', '_', '-' and '/', no part begins with '.', and it is at most 200 bytes long"
/** The error text of load_file()'s @p err, to stand behind the path. */
const char *load_error(int err);
/** Whether the existing file @p path is, links resolved, below the directory @p dir. @return 0, -EXDEV (it is not) or -errno */
MUST_CHECK int load_check_below(const char *path, const char *dir);

#endif
