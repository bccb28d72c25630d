/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Proposals and their approvals (mgmt/core/proposal.h), for those who make changes.
 *
 * Implemented in mgmt/api/change/handle_proposals.c; called by the threads of handlers, under the core's lock, which writing gives up
 * meanwhile.
 */
#ifndef WEIR_MGMT_API_CHANGE_HANDLE_PROPOSALS_H
#define WEIR_MGMT_API_CHANGE_HANDLE_PROPOSALS_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/store/intent.h"

struct change_request;

/** Whether who asks may propose, if that is asked for; else @p reply says why not. Without a lock. */
MUST_CHECK bool proposals_may(const struct http_request *r, const struct change_request *c,
                              struct http_reply *reply);
/**
 * Let the change, whose files have @p digest, have what was approved of the proposal that it names, if it names one.
 * @return false: @p reply says why it cannot be used
 */
MUST_CHECK bool proposals_use(struct core *core, struct change_request *c, const char *digest,
                              struct http_reply *reply);
/**
 * Keep what a dry run has judged as a proposal, if that was asked for, and add it to the answer, which becomes 202; or make
 * @p reply say why not.
 */
void proposals_make(struct core *core, const struct change_request *c,
                    const struct intent_changed *changed, struct http_reply *reply);

#endif
