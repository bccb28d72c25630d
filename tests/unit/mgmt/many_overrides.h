/* SPDX-License-Identifier: BSD-2-Clause */
/* As many overrides as a list has room for, or more. */
#ifndef WEIR_TESTS_MGMT_MANY_OVERRIDES_H
#define WEIR_TESTS_MGMT_MANY_OVERRIDES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mgmt/overrides/override.h"

/* @p n like that one, each with an id of its own, n-0, n-1 and so on; for free(). */
static inline struct override *many_overrides(size_t n, const struct override *like)
{
	struct override *list = calloc(n, sizeof(*list));

	assert_non_null(list);
	for (size_t i = 0; i < n; i++) {
		list[i] = *like;
		snprintf(list[i].id, sizeof(list[i].id), "n-%zu", i);
	}
	return list;
}

#endif
