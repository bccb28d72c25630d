/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A judgement follows from what the processes publish: their sign of life, the number of their
 * document, and their conditions. A condition is a refusal only if its code is among VERSION_RULES
 * and it has lasted INFORCE_STAYS_MS: a port that is attached again, or a socket that its former
 * owner still closes, recovers by itself. A condition that is older than the version is not the
 * version's fault. A process that never ran here is not waited for. A silent one is, and makes the
 * version late: no answer is no refusal.
 *
 * The members of a pool change a moment after all nodes have the document (COMPOSE_AHEAD_MS). Before that
 * the tables are those of the version before, so what the dataplane shows counts only from then on.
 */
#include "mgmt/sync/inforce_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/core/core.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/rules/rule.h"
#include "mgmt/sync/canary_watch.h"
#include "mgmt/sync/confirm_well.h"
#include "mgmt/store/key.h"
#include "weir/json.h"

#define MISSED_MAX_MS 60000 /* a head that is older was judged by the process before */
#define LOOK_MAX_MS   1000u /* between two looks: this process was stopped or late in the rest */
#define SHOWN_MS      500u  /* a document is composed, and taken, a moment after it is due */
#define EARLY_MS      200u  /* a process may have the document before the judgement is begun */

/* Whether a process states by it that it cannot do what a document asks for. */
static bool is_refusing_condition(const struct condition *c)
{
	int rule = rule_find(RULE_VERSION, c->code);

	return rule >= 0 && rule_rows[rule].level == RULE_STATED;
}

/*
 * Whether @p c speaks against the version. A refused document is none that was there before: while
 * a process has not got the document, what it says of the newest one is about this one.
 */
static bool speaks_against(const struct condition *c, const struct inforce *f, bool has_document,
                           uint64_t at_ms, uint64_t now_ms)
{
	if (!is_refusing_condition(c))
		return false;
	if (rule_is(REFUSED_DOCUMENT, c->code))
		return !has_document && at_ms >= f->accepted_ms + INFORCE_STAYS_MS;
	return c->since_ms >= f->accepted_ms && now_ms >= c->since_ms + INFORCE_STAYS_MS;
}

static void set_state(struct inforce *f, enum inforce_state state, const char *process,
                      const struct condition *c, const char *reason)
{
	f->state = state;
	snprintf(f->process, sizeof(f->process), "%s", process);
	snprintf(f->code, sizeof(f->code), "%s", c ? c->code : "");
	snprintf(f->subject, sizeof(f->subject), "%s", c ? c->subject : "");
	snprintf(f->reason, sizeof(f->reason), "%s", c ? c->text : reason);
}

/* From when on what @p name shows is about the version. */
static uint64_t shown_from_ms(const struct inforce *f, const char *name)
{
	uint64_t members_ms = f->members_ms > f->unshown_ms ? f->members_ms : f->unshown_ms;

	return !strcmp(name, "dataplane") && members_ms > f->accepted_ms ? members_ms
	                                                                 : f->accepted_ms;
}

enum inforce_state inforce_judge_process(struct inforce *f, const char *name,
                                         const struct gather_process *s, struct conditions *c,
                                         uint64_t now_ms)
{
	bool suspect = false;

	if (!s->present)
		return INFORCE_DONE;
	if (!s->has_conditions)
		*c = (struct conditions){ .document = s->document, .at_ms = now_ms };
	uint64_t document = s->document > c->document ? s->document : c->document;
	bool has_document = document >= f->document;
	for (uint32_t i = 0; s->running && i < c->n; i++) {
		if (speaks_against(&c->items[i], f, has_document, c->at_ms, now_ms)) {
			set_state(f, INFORCE_REFUSED, name, &c->items[i], "");
			return INFORCE_REFUSED;
		}
		/* too short a time: it may go */
		suspect |= is_refusing_condition(&c->items[i]) &&
		           c->items[i].since_ms >= f->accepted_ms;
	}
	/* what it states is of this document: it may have stated of the one before a moment ago */
	bool says = c->document >= f->document;
	if (s->running && says && c->at_ms >= shown_from_ms(f, name) && !suspect)
		return INFORCE_DONE;
	set_state(f, INFORCE_PENDING, name, NULL,
	          !s->running     ? "no sign of life"
	          : !has_document ? "has not taken the new document yet"
	          : says && c->at_ms >= f->accepted_ms && !suspect
	                  ? "has not reported yet that the backends have their new shares"
	                  : "has not reported yet whether all interfaces and addresses exist");
	return INFORCE_PENDING;
}

/* What weir-mgmt itself refuses. */
static enum inforce_state refuse_own(struct inforce *f, enum rule_id rule, struct condition *c)
{
	snprintf(c->code, sizeof(c->code), "%s", rule_rows[rule].name);
	set_state(f, INFORCE_REFUSED, "mgmt", c, "");
	return INFORCE_REFUSED;
}

/* weir-mgmt itself: the address of its API. @return as inforce_judge_process() */
static enum inforce_state judge_api(const struct core *core, struct inforce *f, uint64_t now_ms)
{
	const struct model *m = intent_model(core->intent);
	const char *intended = m && m->self ? m->self->api : "";
	struct condition c = { 0 };
	bool tried = !strcmp(intended, core->api.address);

	if (tried && (!*core->api.fault || core->api.failed_ms < f->accepted_ms))
		return INFORCE_DONE;
	if (!tried || now_ms < core->api.failed_ms + INFORCE_STAYS_MS) {
		set_state(f, INFORCE_PENDING, "mgmt", NULL, "the API does not listen yet");
		return INFORCE_PENDING;
	}
	snprintf(c.subject, sizeof(c.subject), "%.130s", intended);
	snprintf(c.text, sizeof(c.text), "the API cannot listen on this address: %s",
	         core->api.fault);
	return refuse_own(f, REFUSED_LISTEN, &c);
}

/*
 * The file of a hash key that this version brings: without it the node places connections by the
 * former one.
 */
static enum inforce_state judge_key(const struct core *core, struct inforce *f, uint64_t now_ms)
{
	const struct intent_key *key = key_status(core->intent);
	struct condition c = { .subject = "hash.key" };

	if (!key_is_new(core->intent) || (key->number == f->number && !key->wrong))
		return INFORCE_DONE;
	if (key->number != f->number || now_ms < f->accepted_ms + INFORCE_STAYS_MS) {
		set_state(f, INFORCE_PENDING, "mgmt", NULL,
		          "the file of the new hash key is still missing");
		return INFORCE_PENDING;
	}
	snprintf(c.text, sizeof(c.text), "%s", key->reason);
	return refuse_own(f, REFUSED_KEY, &c);
}

/*
 * Late is what was waited for: the time in which weir-mgmt was stopped, dead or not yet started
 * is not counted.
 */
void inforce_conclude(struct inforce *f, bool pending, uint64_t now_ms)
{
	uint64_t passed_ms = f->looked_ms ? now_ms - f->looked_ms : 0;

	f->waited_ms += passed_ms < LOOK_MAX_MS ? passed_ms : LOOK_MAX_MS;
	f->looked_ms = now_ms;
	if (!pending)
		set_state(f, INFORCE_DONE, "", NULL, "");
	else if (f->waited_ms >= INFORCE_WITHIN_MS)
		f->state = INFORCE_LATE;
}

/* A refusal decides and ends the look at once; whatever is pending is collected until the end. */
static void judge_processes(struct core *core, struct inforce *f)
{
	uint64_t now_ms = clock_mono_ms();
	bool pending = false;

	for (enum observe_process p = 0; p < OBSERVE_MGMT; p++) {
		struct conditions c;
		struct gather_process observed = observe_look(core, p, &c);
		enum inforce_state s =
		        inforce_judge_process(f, observe_name(p), &observed, &c, now_ms);

		if (s == INFORCE_REFUSED)
			return;
		pending |= s == INFORCE_PENDING;
	}
	enum inforce_state api = judge_api(core, f, now_ms);
	if (api == INFORCE_REFUSED)
		return;
	enum inforce_state key = judge_key(core, f, now_ms);
	if (key == INFORCE_REFUSED)
		return;
	pending |= api == INFORCE_PENDING || key == INFORCE_PENDING;
	if (*intent_unwritten_reason(core->intent)) {
		set_state(f, INFORCE_PENDING, "mgmt", NULL, intent_unwritten_reason(core->intent));
		pending = true;
	}
	inforce_conclude(f, pending, now_ms);
}

static bool is_about_version(const struct inforce *f, const struct version *v)
{
	return v && f->number == v->number && !strcmp(f->digest, v->digest);
}

/*
 * How long ago the head was taken, of which this process has seen nothing: it was made a moment
 * ago, and weir-mgmt has been started again since. A wall clock that is wrong can only make that a
 * minute.
 */
static uint64_t missed_ms(const struct core *core, const struct version *head)
{
	int64_t age_ms = clock_realtime_ms() - head->time_ms;

	return core->judged.versions[0].number == 0 && age_ms > 0 && age_ms < MISSED_MAX_MS
	               ? (uint64_t)age_ms
	               : 0;
}

/*
 * Whether the pool's members change until @p at_ms. A document has only the next of the sets to come: where another change
 * comes first, those of @p at_ms are in a later document.
 */
static bool changes_members(const struct model_pool *pool, int64_t now_ms, int64_t at_ms)
{
	for (size_t i = 0; i < pool->n_member_sets; i++)
		if (pool->member_sets[i].from_ms > now_ms && pool->member_sets[i].from_ms <= at_ms)
			return true;
	return false;
}

/*
 * How far ahead the members of the head change: another node's clock may have said when, so it is at most as far as any node
 * announces it.
 */
static int64_t members_ahead_ms(const struct core *core)
{
	const int64_t most_ms = COMPOSE_AHEAD_MS + INTENT_SKEW_MAX_MS;
	int64_t ahead_ms = intent_head_since_ms(core->intent) - clock_believed_ms();

	return ahead_ms < most_ms ? ahead_ms : most_ms;
}

/*
 * When the pools of this node's site have their members of the head, if the document says that they change until then. @return
 * monotonic; 0: none changes
 */
static uint64_t members_change_ms(const struct core *core)
{
	const struct model *m = intent_model(core->intent);
	int64_t now_ms = clock_believed_ms(), ahead_ms = members_ahead_ms(core);
	bool some = false;

	for (size_t i = 0; m && m->self && i < m->n_pools && !some; i++)
		some = m->pools[i].site == m->self->site &&
		       changes_members(&m->pools[i], now_ms, intent_head_since_ms(core->intent));
	return some && ahead_ms > 0 ? clock_mono_ms() + (uint64_t)ahead_ms : 0;
}

/* Where clocks differ a change is announced sooner than documents show it. @return monotonic; 0: this one shows it */
static uint64_t members_unshown_ms(const struct core *core)
{
	int64_t wait_ms = members_ahead_ms(core) - COMPOSE_AHEAD_MS;

	return wait_ms > 0 ? clock_mono_ms() + (uint64_t)wait_ms + SHOWN_MS : 0;
}

/* The judgement of the head, begun when it is seen first. */
static struct inforce *begin_judgement(struct core *core, const struct version *head)
{
	struct inforce *f = &core->judged.versions[0];
	uint64_t now_ms = clock_mono_ms(), early_ms = EARLY_MS + missed_ms(core, head);

	if (is_about_version(f, head))
		return f;
	memmove(f + 1, f, (INFORCE_KEPT - 1) * sizeof(*f));
	*f = (struct inforce){ .number = head->number,
		               .state = INFORCE_PENDING,
		               /* it may be older than the boot */
		               .accepted_ms = now_ms > early_ms ? now_ms - early_ms : 0,
		               .members_ms = members_change_ms(core),
		               .unshown_ms = members_unshown_ms(core),
		               .document = intent_document(core->intent) };
	snprintf(f->digest, sizeof(f->digest), "%s", head->digest);
	return f;
}

static void log_state(struct core *core, const struct inforce *f)
{
	json_t *detail = inforce_detail(f);
	const char *reason = json_string_value(detail);
	char value[LOG_VALUE_MAX];

	if (f->state == INFORCE_REFUSED || f->state == INFORCE_LATE) {
		log_warn("version-not-in-force", "number=%" PRIu64 " state=%s reason=%s", f->number,
		         inforce_text(f->state), log_value(reason ? reason : "", value));
		journal_add(intent_journal(core->intent), clock_believed_ms(), "version",
		            "versions", "version %" PRIu64 " %s on this node: %s", f->number,
		            f->state == INFORCE_REFUSED ? "was refused"
		                                        : "did not take effect in time",
		            reason ? reason : "");
	}
	json_decref(detail);
	core_changed(core);
}

/* The peer that refuses the version, as far as it is heard; NULL: none does. */
static const struct peers_report *refusing_peer(const struct core *core, const struct version *v)
{
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0;

	for (size_t i = 0; i < n; i++)
		if (reports[i].state != PEERS_UNREACHABLE &&
		    reports[i].inforce.state == INFORCE_REFUSED &&
		    is_about_version(&reports[i].inforce, v))
			return &reports[i];
	return NULL;
}

/* The reason of a rollback in the room that a version has for it: cut after a word, with "…". */
static void rollback_reason(char out[VERSION_REASON_MAX], uint64_t number, const char *node,
                            const char *detail)
{
	static const char more[] = " …";
	char text[VERSION_REASON_MAX + CONDITION_TEXT_MAX];
	size_t end = VERSION_REASON_MAX - sizeof(more);

	snprintf(text, sizeof(text), "version %" PRIu64 " is refused on %.64s: %s", number, node,
	         detail);
	if (strlen(text) >= VERSION_REASON_MAX) {
		while (end > VERSION_REASON_MAX / 2 && text[end] != ' ')
			end--;
		if (text[end] != ' ') /* one long word: it ends between two characters */
			for (end = VERSION_REASON_MAX - sizeof(more); (text[end] & 0xc0) == 0x80;)
				end--;
		memcpy(text + end, more, sizeof(more));
	}
	memcpy(out, text, strlen(text) + 1);
}

/*
 * A version that waits to be confirmed is taken back by the node that made it, also if it is in force at others alone; if that one
 * does not, as it is dead or cut off, by the nodes that refuse it.
 */
static void roll_back_refused(struct core *core, struct inforce *f)
{
	struct version waiting;

	if (!intent_waiting(core->intent, &waiting))
		return;
	const struct peers_report *peer = refusing_peer(core, &waiting);
	const struct inforce *by = f->state == INFORCE_REFUSED && is_about_version(f, &waiting) ? f
	                           : peer ? &peer->inforce
	                                  : NULL;
	char reason[VERSION_REASON_MAX];

	bool own = !strcmp(waiting.node, core->dirs.node);
	if (!by || (!own && (by != f || clock_mono_ms() < f->accepted_ms + INFORCE_WITHIN_MS)))
		return;
	json_t *detail = inforce_detail(by);
	rollback_reason(reason, waiting.number, by == f ? core->dirs.node : peer->node,
	                detail ? json_string_value(detail) : "");
	json_decref(detail);
	if (!intent_decide_unconfirmed(core->intent, CHAIN_ENDED, reason, clock_believed_ms())) {
		f->rolled_back |= is_about_version(f, &waiting);
		if (by != f) { /* the peer speaks of the next version by the time somebody asks */
			core->judged.refusal = *by;
			snprintf(core->judged.refused_by, sizeof(core->judged.refused_by), "%s",
			         peer->node);
		}
		core_changed(core);
	}
}

/* A version that is watched, and from which clients suffer, is refused. */
static void judge_canary(struct core *core, struct inforce *f)
{
	struct condition c = { 0 };
	char text[SIGNS_TEXT_MAX];

	if (!canary_watch_look(core, f, text))
		return;
	snprintf(c.text, sizeof(c.text), "%s", text);
	(void)refuse_own(f, REFUSED_WORSE, &c);
}

void inforce_judge(struct core *core)
{
	const struct version *head = intent_head(core->intent);

	if (!head)
		return;
	struct inforce *f = begin_judgement(core, head);
	enum inforce_state was = f->state;
	if (!f->members_ms && f->unshown_ms && was != INFORCE_DONE)
		f->members_ms = members_change_ms(core);
	if (clock_mono_ms() < f->members_ms) /* until then documents bring members that count */
		f->document = intent_document(core->intent);
	if (was != INFORCE_DONE)
		judge_processes(core, f);
	judge_canary(core, f);
	if (f->state != was)
		log_state(core, f);
	roll_back_refused(core, f);
	confirm_well_look(core);
}
