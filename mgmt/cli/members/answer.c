/* SPDX-License-Identifier: BSD-2-Clause */
/* Pauses are doubled up to some seconds; what the API says itself comes on top, so that programs that were refused together part. */
#include "mgmt/cli/members/answer.h"

#include <stdio.h>
#include <string.h>

#include "mgmt/json/row.h"
#include "weir/json.h"

#define PAUSE_LEAST  250u /* ms, after the first failure; doubled with each */
#define PAUSE_MOST   5000u
#define PAUSE_STEPS  5u  /* until PAUSE_MOST */
#define RETRY_MOST_S 60u /* of a Retry-After that is followed */
#define JITTER_PARTS 10u

bool token_read(const char *text, char out[TOKEN_MAX])
{
	size_t n = strcspn(text, " \t\r\n"), end = n + strspn(text + n, " \t\r\n");

	if (!n || n >= TOKEN_MAX || text[end])
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	memcpy(out, text, n);
	out[n] = '\0';
	return true;
}

enum answer_meaning answer_judge(const struct api_reply *reply)
{
	if (api_succeeded(reply))
		return ANSWER_DONE;
	return reply->status == 0 || reply->status == 429 || reply->status >= 500 ? ANSWER_LATER
	                                                                          : ANSWER_REFUSED;
}

bool answer_goes_on(const struct api_reply *reply)
{
	return reply->status == 0 || reply->status == 401 || reply->status == 403 ||
	       reply->status >= 500;
}

const char *answer_reason(const struct api_reply *reply, char out[ANSWER_REASON_MAX])
{
	if (!reply->status)
		snprintf(out, ANSWER_REASON_MAX, "the API does not answer: %s", reply->failure);
	else if (json_is_string(json_at(reply->body, "title")))
		row_format(out, ANSWER_REASON_MAX, reply->body, "{title}[: {detail}]");
	else
		snprintf(out, ANSWER_REASON_MAX, "HTTP status %ld", reply->status);
	return out;
}

uint32_t answer_jitter_ms(uint32_t ms, uint32_t random)
{
	uint32_t part = ms / JITTER_PARTS;

	return ms - part + random % (2 * part + 1);
}

uint32_t answer_pause_ms(unsigned tries, unsigned retry_s, uint32_t random)
{
	uint32_t ms = tries > PAUSE_STEPS ? PAUSE_MOST : PAUSE_LEAST << (tries ? tries - 1 : 0);
	uint32_t least_ms = 1000 * (retry_s < RETRY_MOST_S ? retry_s : RETRY_MOST_S);

	ms = answer_jitter_ms(ms < PAUSE_MOST ? ms : PAUSE_MOST, random);
	return least_ms ? least_ms + ms : ms;
}
