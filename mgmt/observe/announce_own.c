/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request for each address, one after the other, so that weir-announce does other work between
 * them; many that come together share a round of its. It may be missing, hang, or be of another
 * release: each answer is looked at as if somebody else had sent it.
 */
#include "mgmt/observe/announce_own.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/proc.h"
#include "record/fields.h"
#include "weir/json.h"

#define NO_ANSWER  "no-answer"
#define ANSWER_MAX 32u /* bytes of a refusal's name */

bool announce_own_look(struct announce_own *o, const char *run_dir)
{
	int err = 0;

	if (!o->addresses)
		o->addresses = calloc(ANNOUNCED_MAX, sizeof(*o->addresses));
	if (!o->addresses)
		return false;
	if (!o->page)
		err = announced_open(run_dir, &o->page);
	if (err) {
		o->page = NULL;
		return false;
	}
	err = announced_read(o->page, &o->node, o->addresses, ANNOUNCED_MAX, o->neighbours);
	/* a page without a sign of life may have been removed: the next look opens it again */
	if (err == -ESTALE || err == -EPROTO ||
	    (!err && clock_mono_ms() > o->node.alive_ms + ANNOUNCE_OWN_LATE_MS)) {
		announced_close(o->page);
		o->page = NULL;
	}
	return !err;
}

void announce_own_close(struct announce_own *o)
{
	announced_close(o->page);
	free(o->addresses);
	*o = (struct announce_own){ 0 };
}

const char *announce_own_word(const struct announced_address *a)
{
	if (a->table != ANNOUNCE_NORMAL || !(a->in_kernel & 1u << ANNOUNCE_NORMAL))
		return NULL;
	if (a->exported)
		return ANNOUNCE_OWN_YES;
	return a->is_export_read ? NULL : ANNOUNCE_OWN_UNSURE;
}

void announce_own_hex(uint64_t value, char out[ANNOUNCE_OWN_HEX_MAX])
{
	snprintf(out, ANNOUNCE_OWN_HEX_MAX, "%016" PRIx64, value);
}

/* Send @p request (taken). @return its answer, given, if that says "ok"; else NULL */
static json_t *request_announce(const char *run_dir, json_t *request, int timeout_ms)
{
	char path[PATH_MAX], *text = NULL, *line = json_line(request);
	json_t *answer = NULL;

	if (line && timeout_ms > 0 && !proc_path(run_dir, "announce.ctl", path) &&
	    !ctl_request(path, line, timeout_ms, &text))
		answer = json_read(text, strlen(text), JSON_REJECT_DUPLICATES, NULL);
	free(text);
	free(line);
	if (json_has_true(answer, "ok"))
		return answer;
	json_decref(answer);
	return NULL;
}

/* How much of a call's time is left. */
static int left_ms(uint64_t until_ms)
{
	uint64_t now_ms = clock_mono_ms();

	return now_ms < until_ms ? (int)(until_ms - now_ms) : 0;
}

#define ANNOUNCE_MESSAGE_ROWS(X, t)                                                                \
	X(t, const char *, what, .shown = "do")                                                    \
	X(t, const char *, address)                                                                \
	X(t, const char *, from, .spare = true) /* from, by: NULL for the other message */         \
	X(t, const char *, by, .spare = true)                                                      \
	X(t, const char *, incarnation)                                                            \
	X(t, uint64_t, sent_ms)
RECORD_SHOWN(announce_message, "message", ANNOUNCE_MESSAGE_ROWS);

/* Send a message between nodes, @p m, about one address. @return as request_announce() */
static json_t *send_message(const char *run_dir, struct announce_message m,
                            const struct announce_item *item, uint64_t until_ms)
{
	char text[ADDR_TEXT_MAX];

	m.address = addr_text(&item->address, text);
	m.sent_ms = item->sent_ms;
	return request_announce(run_dir, record_shown(&announce_message_kind, &m),
	                        left_ms(until_ms));
}

json_t *announce_own_query(const char *run_dir, const char *from, const char *incarnation,
                           const struct announce_item *item, uint64_t until_ms)
{
	const struct announce_message m = { .what = "question",
		                            .from = from,
		                            .incarnation = incarnation };
	json_t *answer = send_message(run_dir, m, item, until_ms);
	const char *text = json_get_text(answer, "answer");
	json_t *word = json_string(text && strlen(text) < ANSWER_MAX ? text : NO_ANSWER);

	json_decref(answer);
	return word;
}

bool announce_own_confirm(const char *run_dir, const char *by, const char *incarnation,
                          const struct announce_item *item, uint64_t until_ms)
{
	const struct announce_message m = { .what = "confirmed",
		                            .by = by,
		                            .incarnation = incarnation };
	json_t *answer = send_message(run_dir, m, item, until_ms);

	json_decref(answer);
	return answer != NULL;
}

#define OTHERS_MESSAGE_ROWS(X, t)                                                                  \
	X(t, const char *, what, .shown = "do")                                                    \
	X(t, json_t *, heard)                                                                      \
	X(t, json_t *, silent)                                                                     \
	X(t, json_t *, addresses)
RECORD_SHOWN(others_message, "others", OTHERS_MESSAGE_ROWS);

bool announce_own_notify_others(const char *run_dir, json_t *heard, json_t *silent,
                                json_t *addresses)
{
	json_t *line = SHOWN(others_message, .what = "others", .heard = json_incref(heard),
	                     .silent = json_incref(silent), .addresses = json_incref(addresses));
	json_t *answer = request_announce(run_dir, line, ANNOUNCE_OWN_REPLY_MS);

	json_decref(answer);
	return answer != NULL;
}
