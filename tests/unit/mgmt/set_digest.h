/* SPDX-License-Identifier: BSD-2-Clause */
/* The digest over all overrides of a set, also those that are forgotten. */
#ifndef WEIR_TESTS_MGMT_SET_DIGEST_H
#define WEIR_TESTS_MGMT_SET_DIGEST_H

#include <string.h>

#include "mgmt/overrides/override.h"

/** @return @p out */
static inline const char *set_digest(const struct overrides *set, char out[DIGEST_TEXT_MAX])
{
	struct overrides_digest made = { .edition = 0 };

	return strcpy(out, overrides_digest_at(set, INT64_MIN + OVERRIDE_KEPT_MS, &made));
}

#endif
