/* SPDX-License-Identifier: BSD-2-Clause */
/* Escapes in the texts of documents. Pure; implemented in model/escape.c, for any thread. */
#ifndef WEIR_MODEL_ESCAPE_H
#define WEIR_MODEL_ESCAPE_H

#include "base/checked.h"

/** Read what follows a backslash at @p at, before @p end, and move on. @return the byte, or -1 (also for \\x00) */
MUST_CHECK int escape_read(const char **at, const char *end);

#endif
