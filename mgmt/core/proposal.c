/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/proposal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/plain.h"
#include "base/random.h"
#include "mgmt/overrides/override.h"
#include "mgmt/store/copy.h"

static bool is_digest(const char *text)
{
	return plain_is_hex(text, DIGEST_TEXT_MAX - 1);
}

static bool is_approval_sound(const void *record)
{
	const struct proposal_approval *a = record;

	return *a->person && plain_is(a->person) && plain_is(a->principal) && plain_is(a->reason) &&
	       clock_is_time(a->time_ms);
}

static const struct record_kind approval_record =
        RECORD_OF(struct proposal_approval, "approval", is_approval_sound,
                  RECORD_TEXT(struct proposal_approval, person),
                  RECORD_TEXT(struct proposal_approval, principal),
                  RECORD_TEXT(struct proposal_approval, reason),
                  RECORD_VALUE(struct proposal_approval, time_ms, FIELD_I64));

static bool are_texts_plain(const struct proposal *p)
{
	for (uint32_t i = 0; i < p->n_lines; i++)
		if (!plain_is(p->lines[i]))
			return false;
	for (uint32_t i = 0; i < p->n_risks; i++)
		if (!plain_is(p->risks[i]))
			return false;
	return plain_is(p->id) && canary_is(p->canary) && plain_is(p->gate) &&
	       plain_is(p->person) && plain_is(p->principal) && plain_is(p->author) &&
	       plain_is(p->reason) && plain_is(p->withdrawn_by) && plain_is(p->withdrawn_reason) &&
	       plain_is(p->node);
}

bool proposal_is_approved_by(const struct proposal *p, const char *person)
{
	for (uint32_t i = 0; i < p->n_approvals; i++)
		if (!strcasecmp(p->approvals[i].person, person))
			return true;
	return false;
}

/* Other persons, each once. */
static bool are_approvals_sound(const struct proposal *p)
{
	struct proposal before = *p;

	for (before.n_approvals = 0; before.n_approvals < p->n_approvals; before.n_approvals++)
		if (proposal_is_approved_by(&before, p->approvals[before.n_approvals].person))
			return false;
	return !proposal_is_approved_by(p, p->person);
}

static bool is_proposal_sound(const void *record)
{
	const struct proposal *p = record;

	return *p->id && *p->person && p->head < SHARED_NUMBER_END && is_digest(p->digest) &&
	       is_digest(p->head_digest) && p->needed >= 1 && p->needed <= PROPOSAL_APPROVALS_MAX &&
	       clock_is_time(p->time_ms) && clock_is_time(p->until_ms) && are_texts_plain(p) &&
	       are_approvals_sound(p);
}

static const struct field an_approval = { .kind = FIELD_RECORD,
	                                  .size = sizeof(struct proposal_approval),
	                                  .of = &approval_record };
static const struct field a_line = { .kind = FIELD_TEXT, .size = PROPOSAL_LINE_MAX };

const struct record_kind proposal_record = RECORD_OF(
        struct proposal, "proposal", is_proposal_sound, RECORD_TEXT(struct proposal, id),
        RECORD_VALUE(struct proposal, head, FIELD_U64), RECORD_TEXT(struct proposal, head_digest),
        RECORD_TEXT(struct proposal, digest), RECORD_TEXT(struct proposal, hash_key),
        RECORD_TEXT(struct proposal, canary), RECORD_TEXT(struct proposal, gate),
        RECORD_VALUE(struct proposal, needed, FIELD_U32), RECORD_TEXT(struct proposal, person),
        RECORD_TEXT(struct proposal, principal), RECORD_TEXT(struct proposal, author),
        RECORD_TEXT(struct proposal, reason), RECORD_TEXT(struct proposal, node),
        RECORD_VALUE(struct proposal, time_ms, FIELD_I64),
        RECORD_VALUE(struct proposal, until_ms, FIELD_I64),
        RECORD_TEXT(struct proposal, withdrawn_by), RECORD_TEXT(struct proposal, withdrawn_reason),
        RECORD_LIST(struct proposal, approvals, n_approvals, &an_approval),
        RECORD_LIST(struct proposal, lines, n_lines, &a_line),
        RECORD_VALUE(struct proposal, n_lines_all, FIELD_U32),
        RECORD_LIST(struct proposal, risks, n_risks, &a_line),
        RECORD_VALUE(struct proposal, n_risks_all, FIELD_U32));

/* --- as people are shown it --- */

static const char *state_word(int state)
{
	static const char *const words[] = { "waiting", "approved", "outdated", "ended",
		                             "withdrawn" };

	return words[state];
}

static const struct record_kind approval_shown = RECORD_OF(
        struct proposal_approval, "approval", NULL, SHOW(struct proposal_approval, person),
        SHOW(struct proposal_approval, principal), SHOW(struct proposal_approval, reason),
        SHOW_TIME(struct proposal_approval, "time", time_ms));

struct proposal_row {
	struct proposal p;
	enum proposal_state state;
};

const struct record_kind proposal_shown_kind = RECORD_OF(
        struct proposal_row, "proposal", NULL, SHOW_AS(struct proposal_row, "id", p.id),
        SHOW_WORD(struct proposal_row, "state", state, state_word, PROPOSAL_WITHDRAWN + 1),
        SHOW_AS(struct proposal_row, "canary", p.canary, .spare = true),
        SHOW_AS(struct proposal_row, "gate", p.gate),
        SHOW_AS(struct proposal_row, "needed", p.needed),
        SHOW_RECORDS(struct proposal_row, "approvals", p.approvals, p.n_approvals, &approval_shown),
        SHOW_AS(struct proposal_row, "base", p.head),
        SHOW_AS(struct proposal_row, "digest", p.digest),
        SHOW_AS(struct proposal_row, "person", p.person),
        SHOW_AS(struct proposal_row, "principal", p.principal),
        SHOW_AS(struct proposal_row, "author", p.author),
        SHOW_AS(struct proposal_row, "reason", p.reason),
        SHOW_AS(struct proposal_row, "node", p.node),
        SHOW_TIME(struct proposal_row, "time", p.time_ms),
        SHOW_TIME(struct proposal_row, "until", p.until_ms),
        SHOW_LIST(struct proposal_row, "changes", p.lines, p.n_lines, &a_line),
        SHOW_AS(struct proposal_row, "changes_all", p.n_lines_all),
        SHOW_LIST(struct proposal_row, "risks", p.risks, p.n_risks, &a_line),
        SHOW_AS(struct proposal_row, "risks_all", p.n_risks_all),
        SHOW_AS(struct proposal_row, "withdrawn_by", p.withdrawn_by, .spare = true),
        SHOW_AS(struct proposal_row, "withdrawn_reason", p.withdrawn_reason, .spare = true),
        SHOW_LATER("dry_run", FIELD_BOOL));

void proposal_begin(struct proposal *p, const char *node, int64_t now_ms)
{
	override_make_id(node, now_ms, random_salt(), p->id);
	snprintf(p->node, sizeof(p->node), "%s", node);
	p->time_ms = now_ms;
	p->until_ms = now_ms + PROPOSAL_MS;
}

const char *proposal_name(const char *id, char out[SHARED_NAME_MAX])
{
	snprintf(out, SHARED_NAME_MAX, PROPOSAL_PREFIX "%s", id);
	return out;
}

enum proposal_state proposal_judge(const struct proposal *p, const struct version *head,
                                   int64_t now_ms)
{
	if (*p->withdrawn_by)
		return PROPOSAL_WITHDRAWN;
	if (now_ms >= p->until_ms)
		return PROPOSAL_ENDED;
	if (!head || head->number != p->head || strcmp(head->digest, p->head_digest) != 0)
		return PROPOSAL_OUTDATED;
	return p->n_approvals < p->needed ? PROPOSAL_WAITING : PROPOSAL_APPROVED;
}

bool proposal_is_live(enum proposal_state state)
{
	return state == PROPOSAL_WAITING || state == PROPOSAL_APPROVED;
}

json_t *proposal_to_json(const struct proposal *p, enum proposal_state state)
{
	struct proposal_row *row = MEMORY_NEW(struct proposal_row);

	row->p = *p;
	row->state = state;
	json_t *json = record_shown(&proposal_shown_kind, row);
	free(row);
	return json;
}

void proposal_persons(const struct proposal *p, char out[VERSION_PERSONS_MAX])
{
	_Static_assert(VERSION_PERSONS_MAX >= PROPOSAL_APPROVALS_MAX * (HTTP_PERSON_MAX + 1),
	               "all have room");
	size_t n = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < p->n_approvals && n < VERSION_PERSONS_MAX; i++)
		n += (size_t)snprintf(out + n, VERSION_PERSONS_MAX - n, "%s%s", i ? ", " : "",
		                      p->approvals[i].person);
}

/* --- in this node's copy --- */

/* What cannot be read is none: of another release, for example. */
static bool read_proposal(const struct shared_record *r, struct proposal *out)
{
	char error[RECORD_ERROR_MAX], name[SHARED_NAME_MAX];

	return r->text && !record_from_text(&proposal_record, r->text, out, error) &&
	       !strcmp(proposal_name(out->id, name), r->name);
}

bool proposal_find(struct core *core, const char *id, struct proposal *out, int64_t *revision)
{
	struct store *store = intent_store(core->intent);
	struct shared_record r = { 0 };
	char name[SHARED_NAME_MAX];
	bool is_there =
	        store && !copy_read(store, proposal_name(id, name), &r) && read_proposal(&r, out);

	*revision = r.revision;
	free(r.text);
	return is_there;
}

struct receiver {
	proposal_receive *receive;
	void *arg;
	struct proposal *p;
};

static int receive_record(void *arg, const struct shared_record *r)
{
	struct receiver *to = arg;

	if (read_proposal(r, to->p))
		to->receive(to->arg, to->p, r->revision);
	return 0;
}

int proposal_each(struct core *core, proposal_receive *receive, void *arg)
{
	struct store *store = intent_store(core->intent);
	struct receiver to = { receive, arg, MEMORY_NEW(struct proposal) };
	int n = store ? copy_each(store, PROPOSAL_PREFIX, receive_record, &to) : -EROFS;

	free(to.p);
	return n < 0 ? n : 0;
}
