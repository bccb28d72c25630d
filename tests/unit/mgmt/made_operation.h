/* SPDX-License-Identifier: BSD-2-Clause */
/* A record of an operation as it begins: a drain of site ams, by override v1. */
#ifndef WEIR_TESTS_MGMT_MADE_OPERATION_H
#define WEIR_TESTS_MGMT_MADE_OPERATION_H

#include "mgmt/operations/operation.h"

static inline void make_operation(struct operation *op, const char *id, const char *owner,
                                  int64_t created_ms)
{
	static const struct operation_target target = { .site = "ams", .override_id = "v1" };
	const struct operation_request r = { .id = id,
		                             .stamp = 7,
		                             .node = owner,
		                             .targets = &target,
		                             .n_targets = 1,
		                             .service = "",
		                             .person.author = "jw",
		                             .person.principal = "",
		                             .person.reason = "a test",
		                             .person.until_ms = MODEL_TIME_NEVER };
	char error[OPERATION_DETAIL_MAX];

	assert_int_equal(operation_init(op, &r, created_ms, error), 0);
}

#endif
