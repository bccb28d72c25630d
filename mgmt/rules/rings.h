/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Which part of a pool's flows comes to another backend, by the rings that weir-dataplane fills (weir/ring.h). Shares alone say too
 * little: a ring of few slots moves more than the shares do, for each backend has a cap.
 *
 * Pure; implemented in mgmt/rules/rings.c. Any thread.
 */
#ifndef WEIR_MGMT_RULES_RINGS_H
#define WEIR_MGMT_RULES_RINGS_H

#include <stdint.h>

#include "base/checked.h"
#include "weir/model.h"

/**
 * The part of the slots of @p a whose owner is another backend in @p b, where both hash flows alike and all backends are up.
 * @param key  the cluster's hash key, of both
 * @return 0; -ENODATA: in one of them no backend of the configuration has a weight; -EINVAL: weir-dataplane would not fill one; -ENOMEM
 */
MUST_CHECK int rings_moved_ppm(const struct model_pool *a, const struct model_pool *b,
                               const uint64_t key[2], uint32_t *ppm);

#endif
