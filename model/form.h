/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which texts a setting of a kind may have: names, interfaces, domain names (RFC 1035, section
 * 2.3.4), URLs, paths. Implemented in model/form.c; pure functions.
 */
#ifndef WEIR_MODEL_FORM_H
#define WEIR_MODEL_FORM_H

#include <stdbool.h>

#include "model/schema.h"

/** Whether @p text has the form of @p kind; every text has, for a kind without a form. */
bool form_fits(enum schema_kind kind, const char *text);

#endif
