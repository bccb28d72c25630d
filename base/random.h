/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Random numbers of the kernel, as text: ids that nobody else has, and secrets.
 *
 * Implemented in base/random.c. Any thread may call it.
 */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define RANDOM_BYTES_MAX 32u

/**
 * Write @p n random bytes (at most RANDOM_BYTES_MAX) as 2 * @p n hexadecimal digits and a NUL. Nothing of them is left on the
 * stack. @return 0 or -errno: @p out is untouched
 */
MUST_CHECK int random_hex(char *out, size_t n);

/** A number that two nodes hardly have at one moment; while the kernel has none, of the clock. Never waits. */
uint32_t random_salt(void);

#endif
