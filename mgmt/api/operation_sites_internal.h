/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that gather facts share (operation_gather.c, operation_sites.c, operation_vips.c, ...).
 * Pure; any thread. Implemented in operation_site_flows.c.
 */
#ifndef WEIR_MGMT_API_OPERATION_SITES_INTERNAL_H
#define WEIR_MGMT_API_OPERATION_SITES_INTERNAL_H

#include "mgmt/api/operation_snapshot.h"

/* Thousandths a second, added up over a site's nodes. */
struct operation_flow_sums {
	bool known, repeats_known;
	uint64_t own, arrived, backup, packets, repeats, drops, window_ms;
};

static inline enum operation_truth operation_truth_of(bool yes)
{
	return yes ? OPERATION_YES : OPERATION_NO;
}

/* No wins over unknown, and unknown over yes. */
static inline enum operation_truth operation_both(enum operation_truth a, enum operation_truth b)
{
	if (a == OPERATION_NO || b == OPERATION_NO)
		return OPERATION_NO;
	return a == OPERATION_YES && b == OPERATION_YES ? OPERATION_YES : OPERATION_UNKNOWN;
}

static inline struct operation_value operation_value_of(bool known, uint64_t value)
{
	return (struct operation_value){ .known = known, .value = known ? value : 0 };
}

/* A count of what a node sent. @return false: missing, malformed or out of its range */
bool operation_read_count(const json_t *object, const char *name, uint64_t *out);
/* The row @p name of an object, or that of a list whose @p field is @p name; NULL: there is none. */
const json_t *operation_find_row(const json_t *list, const char *field, const char *name);
/* Flows, packets, drops and bits of a site. */
void operation_gather_flows(const struct operation_snapshot *v, const struct operation *op,
                            struct operation_site *s, struct operation_flow_sums *sums);
/* The prefixes from which new flows came to the targets in the last minute. */
void operation_gather_late(const struct operation_snapshot *v, const struct operation *op,
                           struct operation_observed *out);

#endif
