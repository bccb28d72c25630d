/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of GET /metrics share: the head of a family; metrics_announced.c has what this
 * node announces. The thread of the request.
 */
#ifndef WEIR_MGMT_API_METRICS_INTERNAL_H
#define WEIR_MGMT_API_METRICS_INTERNAL_H

#include <stdio.h>

#include "mgmt/api/look.h"

/* Write the lines before a family's first value; @p type is "gauge", "counter" or "histogram". */
static inline void metrics_put_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Write what this node announces; nothing without a routing daemon. */
void metrics_put_announced(FILE *out, const struct look *l);
/* Write states and levels of operations (metrics_operations.c). Not under the lock. */
void metrics_put_operations(FILE *out, struct core *core);

#endif
