/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What guard.c and guard_node.c share. Implemented in guard_verdict.c, guard_check_node() in
 * guard_node.c; pure, any thread.
 */
#ifndef WEIR_MGMT_STORE_GUARD_INTERNAL_H
#define WEIR_MGMT_STORE_GUARD_INTERNAL_H

#include "mgmt/store/guard.h"

/* The guards' names in commands, the API and the journal. */
#define GUARD_LAST_SITE      "last-site"
#define GUARD_LAST_BACKEND   "last-backend"
#define GUARD_LAST_ANNOUNCER "last-announcer"
#define GUARD_ROOM           "room"
#define GUARD_UNSETTLED      "unsettled"

/* Add a verdict with its sentence. The caller sets `unknown`, if it is, on the one returned. */
struct guard_verdict *guard_add_verdict(struct guard_result *r, const char *guard, bool ok,
                                        const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* Whether an override takes the target out of service now or soon. */
bool guard_is_out(const struct overrides *overrides, enum model_target_kind kind, const char *pool,
                  const char *name, int64_t now_ms);
/* The verdicts and receivers for node @p name, which is in @p m. */
void guard_check_node(const struct model *m, const struct overrides *overrides, const char *name,
                      const struct guard_observed *seen, int64_t now_ms, struct guard_result *r);

#endif
