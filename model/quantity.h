/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quantities with units as text ("40Gbit", "50k/s", "5m"), to numbers and back. Pure functions in
 * model/quantity.c, for any thread.
 */
#ifndef WEIR_MODEL_QUANTITY_H
#define WEIR_MODEL_QUANTITY_H

#include <stdint.h>

#include "model/schema.h"

#define QUANTITY_TEXT_MAX 32 /* bytes: 20 digits and a unit */

/**
 * Read @p text as a quantity of @p kind (KIND_DURATION in ms, KIND_RATE in 1/s, KIND_BITS in bit/s,
 * KIND_PERCENT, KIND_INTEGER and KIND_NUMBER without unit).
 * A fraction is fine where the result is whole: "1.5s". @return 0, -EINVAL or -ERANGE
 */
int quantity_parse(enum schema_kind kind, const char *text, uint64_t *out);
/** Write @p n with the largest unit that keeps it whole. @return @p text */
const char *quantity_text(enum schema_kind kind, uint64_t n, char text[QUANTITY_TEXT_MAX]);

#endif
