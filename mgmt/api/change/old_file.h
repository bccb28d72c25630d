/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Files that were made from an old version: what applying them would take back.
 *
 * Implemented in mgmt/api/change/old_file.c; called by the threads of handlers.
 */
#ifndef WEIR_MGMT_API_OLD_FILE_H
#define WEIR_MGMT_API_OLD_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "mgmt/store/base.h"
#include "record/fields.h"

/** What is known of a file's origin. */
struct old_file {
	char base[BASE_TEXT_MAX]; /**< the version that it was made from, "" where nobody said */
	bool guess;               /**< without a base: the author's last change counts as one */
	const char *principal, *author;
};

/**
 * Find settings that were changed since and that the candidate reverts. Not under the lock;
 * core->candidate_lock is held.
 * @return 0: none; -ESTALE: see @p reverted; -ENOENT: there is no such version here, and @p reverted has what is known all the same
 */
int old_file_check(struct core *core, const struct old_file *from,
                   const struct intent_candidate *candidate, json_t **reverted);
/** What @p reverted is. */
extern const struct record_kind old_file_shown_kind;
/** Make @p reply the refusal. */
void old_file_refuse(struct core *core, const struct old_file *from, int err, json_t *reverted,
                     struct http_reply *reply);

#endif
