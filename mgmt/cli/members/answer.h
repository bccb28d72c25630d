/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What an answer of the API means for a program that sends the same until it is carried out, and how long it waits before.
 *
 * Implemented in mgmt/cli/members/answer.c. Pure; any thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_ANSWER_H
#define WEIR_MGMT_CLI_MEMBERS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/cli/api.h"

#define TOKEN_MAX         256u /**< bytes of a token, with the NUL */
#define ANSWER_REASON_MAX 512u

/** What comes of an answer. */
enum answer_meaning {
	ANSWER_DONE,
	ANSWER_LATER,   /**< no answer, or one that does not last: the same is to be sent again */
	ANSWER_REFUSED, /**< it would be refused again */
};

/** What an answer means, whoever gave it. */
enum answer_meaning answer_judge(const struct api_reply *reply);
/** Whether another address may carry out what this answer does not. */
bool answer_goes_on(const struct api_reply *reply);
/** Why it was not carried out, in words. @return @p out */
const char *answer_reason(const struct api_reply *reply, char out[ANSWER_REASON_MAX]);
/** How long to wait after @p tries without success: at least what the answer says. @param random  any number */
uint32_t answer_pause_ms(unsigned tries, unsigned retry_s, uint32_t random);
/** About @p ms, a tenth more or less: programs that began together part. */
uint32_t answer_jitter_ms(uint32_t ms, uint32_t random);

/** Read a token's text, up to its end of line, into @p out. @return whether it is one */
MUST_CHECK bool token_read(const char *text, char out[TOKEN_MAX]);

#endif
