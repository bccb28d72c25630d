/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What operation_sites.c and operation_site_flows.c share. Pure; any thread. Implemented in
 * operation_site_flows.c.
 */
#ifndef WEIR_MGMT_API_OPERATION_SITES_INTERNAL_H
#define WEIR_MGMT_API_OPERATION_SITES_INTERNAL_H

#include "mgmt/api/operation_snapshot.h"

/* Thousandths a second, added up over a site's nodes. */
struct operation_flow_sums {
	bool known, repeats_known;
	uint64_t own, arrived, backup, packets, repeats, drops, window_ms;
};

static inline struct operation_value operation_value_of(bool known, uint64_t value)
{
	return (struct operation_value){ .known = known, .value = known ? value : 0 };
}

/* A count of what a node sent. @return false: missing, malformed or out of its range */
bool operation_read_count(const json_t *object, const char *name, uint64_t *out);
/* The row @p name of an object, or that of a list whose @p field is @p name; NULL: there is none. */
const json_t *operation_find_row(const json_t *list, const char *field, const char *name);
bool operation_is_moved(const struct operation *op, const struct model_service *service);
/* Where @p service is at @p site; NULL: it is not. */
const struct model_at *operation_at_site(const struct model_service *service, const char *site);
/* Flows, packets, drops and bits of a site. */
void operation_gather_flows(const struct operation_snapshot *v, const struct operation *op,
                            struct operation_site *s, struct operation_flow_sums *sums);
/* The prefixes from which new flows came to the targets in the last minute. */
void operation_gather_late(const struct operation_snapshot *v, const struct operation *op,
                           struct operation_observed *out);

#endif
