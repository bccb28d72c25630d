/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which errors are certain. etcd answers most refusals before it proposes the write to the others.
 * Two are not what they seem:
 *
 * - 429 "database space exceeded" comes before the proposal as a rule. But a member compares the
 *   size again when it carries the write out, and then reports the same error for a write that is
 *   done (quotaApplierV3 of etcd, all versions). So the compares are sent alone, which a full
 *   database allows: if they hold, it was not carried out.
 * - 503 comes for a proposal that got lost as well as for one that was made.
 */
#include "mgmt/etcd/attempts.h"

#include <string.h>

#define TOKENS_MAX 3u /* a member may be behind the one that gave the token */

static bool has_text(const struct etcd_error *error, const char *text)
{
	return strstr(error->text, text) != NULL;
}

/* An answer without a code is the HTTP server's own, which has not read the request: 4xx. */
static enum etcd_try try_of_status(long status)
{
	bool is_certain = status >= 400 && status < 500 && status != 408;

	return is_certain ? ETCD_TRY_NOT_SENT : ETCD_TRY_UNCLEAR;
}

static enum etcd_try try_of_exhausted(const struct etcd_error *error)
{
	if (has_text(error, "database space exceeded"))
		return ETCD_TRY_FULL;
	return has_text(error, "too many requests") ? ETCD_TRY_NOT_SENT : ETCD_TRY_UNCLEAR;
}

enum etcd_try etcd_try_of_error(const struct etcd_error *error)
{
	if (error->code == ETCD_CODE_UNAUTHENTICATED || error->status == 401 ||
	    has_text(error, "revision of auth store is old"))
		return ETCD_TRY_TOKEN;
	/* said of changes of members, before they are proposed */
	if (has_text(error, "not supported for learner") || has_text(error, "unhealthy cluster"))
		return ETCD_TRY_NOT_SENT;
	switch (error->code) {
	case ETCD_CODE_NONE:
		return try_of_status(error->status);
	case ETCD_CODE_INVALID:
	case ETCD_CODE_NOT_FOUND:
	case ETCD_CODE_PERMISSION:
	case ETCD_CODE_PRECONDITION:
	case ETCD_CODE_OUT_OF_RANGE:
		return ETCD_TRY_REJECTED;
	case ETCD_CODE_EXHAUSTED:
		return try_of_exhausted(error);
	default:
		return ETCD_TRY_UNCLEAR;
	}
}

void etcd_attempts_begin(struct etcd_attempts *a, size_t n_members, uint64_t now_ms,
                         unsigned limit_ms)
{
	*a = (struct etcd_attempts){ .n_members = n_members,
		                     .end_ms = now_ms + limit_ms,
		                     .result = ETCD_NOT_WRITTEN };
}

/* Nothing more is tried, and this try was not carried out. An earlier one may be. */
static enum etcd_next end_without(struct etcd_attempts *a)
{
	a->result = a->is_unclear ? ETCD_UNKNOWN : ETCD_NOT_WRITTEN;
	return ETCD_NEXT_END;
}

static enum etcd_next end_refused(struct etcd_attempts *a)
{
	a->result = a->is_unclear ? ETCD_REFUSED_UNSURE : ETCD_REFUSED;
	return ETCD_NEXT_END;
}

/* Each member gets one chance; after an unclear try, as many as there is time for. */
static enum etcd_next go_on(struct etcd_attempts *a, uint64_t now_ms)
{
	if (now_ms >= a->end_ms || (!a->is_unclear && a->n_failed >= a->n_members))
		return end_without(a);
	return ETCD_NEXT_OTHER;
}

enum etcd_next etcd_attempts_note(struct etcd_attempts *a, enum etcd_try outcome, uint64_t now_ms)
{
	switch (outcome) {
	case ETCD_TRY_SUCCEEDED:
		a->result = ETCD_DONE;
		return ETCD_NEXT_END;
	case ETCD_TRY_NOT_SUCCEEDED:
		return end_refused(a);
	case ETCD_TRY_REJECTED:
		return end_without(a);
	case ETCD_TRY_TOKEN:
		if (a->n_tokens++ < TOKENS_MAX && now_ms < a->end_ms)
			return ETCD_NEXT_TOKEN;
		return end_without(a);
	case ETCD_TRY_FULL:
		return ETCD_NEXT_VERIFY;
	case ETCD_TRY_NOT_SENT:
		a->n_failed++;
		return go_on(a, now_ms);
	case ETCD_TRY_UNCLEAR:
		break;
	}
	a->is_unclear = true;
	return go_on(a, now_ms);
}

enum etcd_next etcd_attempts_verified(struct etcd_attempts *a, enum etcd_try outcome,
                                      uint64_t now_ms)
{
	if (outcome == ETCD_TRY_SUCCEEDED)
		return end_without(a);
	a->is_unclear = true; /* the write that is refused as too much may be done */
	if (outcome == ETCD_TRY_NOT_SUCCEEDED)
		return end_refused(a);
	return go_on(a, now_ms);
}

void etcd_attempts_stop(struct etcd_attempts *a)
{
	(void)end_without(a);
}

enum etcd_result etcd_attempts_result(const struct etcd_attempts *a)
{
	return a->result;
}
