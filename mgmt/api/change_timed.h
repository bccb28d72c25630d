/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How long the last change of configuration took, by part: for the metrics, and once in the log.
 *
 * Implemented in mgmt/api/change_timed.c. Under the core's lock.
 */
#ifndef WEIR_MGMT_API_CHANGE_TIMED_H
#define WEIR_MGMT_API_CHANGE_TIMED_H

#include "mgmt/api/core.h"
#include "mgmt/http/http.h"

/**
 * A version was made. @param r  the request @param began_ns  monotonic: when its files had been read
 * @param times  of the other parts
 */
void change_timed(struct core *core, const struct http_request *r, uint64_t began_ns,
                  const struct change_times *times);

#endif
