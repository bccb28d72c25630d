/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What handle_status.c, status_pools.c and status_intent.c share while they make a status.
 *
 * status_pools() is in status_pools.c, the others are in status_intent.c; called by the thread that makes the status.
 */
#ifndef WEIR_MGMT_API_STATUS_H
#define WEIR_MGMT_API_STATUS_H

#include "mgmt/api/facts.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/look.h"

struct status {
	struct look look;
	struct handle_filter filter;
	struct judge_verdict verdict;
	size_t n_backends, n_odd, n_shown; /* of the pools that the filter lets through */
};

/* Intent as JSON; the state is "serve" or an override's kind. */
json_t *status_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                      const char *name, uint32_t weight);
/* Whether anything is asked for a target. */
bool status_has_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                       const char *name);
/* Whether the filter lets what is at @p site through. */
bool status_at_site(const struct status *s, const struct model_site *site);
/* All pools that the filter lets through, with their backends. */
json_t *status_pools(struct status *s);

#endif
