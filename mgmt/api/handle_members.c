/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs say of pools: members and verdicts.
 *
 * Members of pools: backends that programs register (mgmt/overrides/member.h). A request is read into entries, these are
 * judged under the lock, and written by mgmt/sync/member_writes.h. Where somebody else came first they are judged again. What
 * changes nothing is not written: it renews.
 *
 * Verdicts on targets of external checks (mgmt/overrides/external.h): a target is a backend of the effective document, a
 * registered one, too. Nothing of them is written to a store, or decides anything: weir-health judges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/core/list_filter.h"
#include "mgmt/controller/guard_facts.h"
#include "mgmt/core/field.h"
#include "mgmt/core/to_json.h"
#include "mgmt/json/member.h"
#include "mgmt/judge/waiting_slots.h"
#include "mgmt/peers/externals.h"
#include "mgmt/store/command.h"
#include "mgmt/sync/member_writes.h"
#include "mgmt/sync/shared_run.h"

#define LIMIT_DEFAULT 100u
#define LIMIT_MOST    1000u
#define ATTEMPTS_MAX  10u
#define CURSOR_MAX    (2 * MODEL_NAME_MAX)
#define LASTS_MS                                                                                   \
	60000 /* that a drain lasts still: one that ends sooner is none of a member that leaves */
#define WITHOUT_STORE "deleted while the store could not be reached"

/* --- showing --- */

#define MEMBER_ROWS(X, t)                                                                          \
	X(t, const char *, id)                                                                     \
	X(t, const char *, address)                                                                \
	X(t, uint32_t, weight)                                                                     \
	X(t, json_t *, labels)                                                                     \
	X(t, struct shown_number, ttl_s)                                                           \
	X(t, const char *, state, .one_of = "joining|member|leaving|expired|left_out")             \
	X(t, struct shown_time, since)                                                             \
	X(t, struct shown_time, leaves)                                                            \
	X(t, struct shown_time, gone)                                                              \
	X(t, struct shown_number, renewed_s_ago)                                                   \
	X(t, const char *, principal)                                                              \
	X(t, const char *, outcome, .spare = true,                                                 \
	  .one_of = "joins|changes|renewed|leaves|absent|drained")
RECORD_ANSWER(member_shown, "member", MEMBER_ROWS);

#define MEMBERS_ROWS(X, t)                                                                         \
	X(t, json_t *, items, .each = &member_shown_kind)                                          \
	X(t, const char *, next, .or_null = true)
RECORD_ANSWER(members_answer, "members", MEMBERS_ROWS);

#define CHANGED_ITEM_ROWS(X, t) X(t, const char *, id) X(t, const char *, outcome)
RECORD_SHOWN(changed_member, "what became of a member", CHANGED_ITEM_ROWS);
#define CHANGED_ROWS(X, t) X(t, json_t *, items, .each = &changed_member_kind)
RECORD_ANSWER(members_changed, "changed members", CHANGED_ROWS);

/* As docs/api.md has the states. Whether the pool takes it shows with the document that has it as a backend. */
static const char *state_of(const struct member *m, const struct model_pool *pool, int64_t now_ms)
{
	const struct model_backend *b = pool ? model_backend(pool, m->id) : NULL;

	if (m->left_ms)
		return "leaving";
	if (!b || !b->registered)
		return now_ms < m->since_ms ? "joining" : "left_out";
	if (now_ms < m->since_ms)
		return "joining";
	return member_is_expired(m, clock_mono_ms()) ? "expired" : "member";
}

/* Given. @param pool  with its members, of the effective model; NULL: there is none. Under the lock */
static json_t *show_member(const struct member *m, const struct model_pool *pool, int64_t now_ms,
                           const char *outcome)
{
	char address[ADDR_TEXT_MAX];
	const struct member_shown shown = {
		.id = m->id,
		.address = addr_text(&m->address.addr, address),
		.weight = member_weight(m),
		.labels = member_labels_json(m->labels),
		.ttl_s = { m->ttl_s != 0, m->ttl_s },
		.state = state_of(m, pool, now_ms),
		.since = { m->since_ms },
		.leaves = { m->left_ms ? m->left_ms : MODEL_TIME_NEVER },
		.gone = { member_gone_ms(m) },
		.renewed_s_ago = { m->ttl_s != 0, (clock_mono_ms() - m->heard_ms) / 1000 },
		.principal = m->principal,
		.outcome = outcome,
	};

	return record_shown(&member_shown_kind, &shown);
}

/* Whether a program has put it there, and it is not gone. */
static bool is_shown(const struct member *m, int64_t now_ms)
{
	return now_ms < member_gone_ms(m);
}

/* The pool of the path in the effective model; NULL: @p reply says that there is none. Under the lock */
static const struct model_pool *find_pool(const struct core *core, const struct http_request *r,
                                          struct http_reply *reply)
{
	const struct model *m = intent_model(core->intent);
	const struct model_pool *pool = m ? model_pool(m, r->parts[0]) : NULL;

	if (!pool)
		http_problem(reply, 404, "not-found",
		             "the configuration in force has no pool %.63s", r->parts[0]);
	else
		reply->version = m->meta.version;
	return pool;
}

void handle_member(struct core *core, struct http_request *r, struct http_reply *reply)
{
	int64_t now_ms = clock_believed_ms();

	core_lock(core);
	const struct model_pool *pool = find_pool(core, r, reply);
	const struct member *m =
	        pool ? members_find(intent_members(core->intent), pool->name, r->parts[1]) : NULL;
	if (m && is_shown(m, now_ms)) {
		reply->json = show_member(m, pool, now_ms, NULL);
		reply->status = 200;
	} else if (pool) {
		http_problem(reply, 404, "not-found", "pool %s has no member %.63s", pool->name,
		             r->parts[1]);
	}
	core_unlock(core);
}

/* The page behind @p after; then @p after is its last one, or "" if it ends the list. Under the lock */
static json_t *make_page(const struct core *core, const struct model_pool *pool,
                         const struct list_filter *filter, uint64_t limit,
                         char after[MODEL_NAME_MAX])
{
	const struct member_list *all = intent_members(core->intent);
	int64_t now_ms = clock_believed_ms();
	size_t first, n = members_of(all, pool->name, &first), i = 0;
	json_t *items = json_array();

	while (i < n && *after && strcmp(all->items[first + i]->id, after) <= 0)
		i++;
	for (; i < n && json_array_size(items) < limit; i++) {
		const struct member *m = all->items[first + i];
		json_t *one = is_shown(m, now_ms) ? show_member(m, pool, now_ms, NULL) : NULL;

		if (one && list_filter_fits(filter, one))
			json_array_append_new(items, one);
		else
			json_decref(one);
		snprintf(after, MODEL_NAME_MAX, "%s", m->id);
	}
	if (i == n)
		after[0] = '\0';
	return items;
}

/* A word that no member has would else be an empty list, which looks like an answer. */
static bool is_filter_known(const struct list_filter *f, struct http_reply *reply)
{
	static const char *const known[] = { "id",    "address", "weight", "labels", "ttl_s",
		                             "state", "since",   "leaves", "gone",   "principal" };

	for (size_t i = 0; i < f->n; i++) {
		bool found = !strncmp(f->fields[i], "labels.", strlen("labels."));

		for (size_t k = 0; !found && k < sizeof(known) / sizeof(known[0]); k++)
			found = !strcmp(f->fields[i], known[k]);
		if (!found) {
			http_problem(reply, 400, "bad-request",
			             "filter: members have no %.40s, but id, address, weight, "
			             "labels.NAME, ttl_s, state, since, leaves, gone, principal",
			             f->fields[i]);
			return false;
		}
	}
	return true;
}

void handle_members(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *cursor = http_query(r, "cursor");
	char after[MODEL_NAME_MAX] = "";
	struct list_filter filter;
	uint64_t limit;

	if (!handle_number(r, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT, &limit, reply) ||
	    !list_filter_read(r, &filter, reply) || !is_filter_known(&filter, reply))
		return;
	if (cursor && (!*cursor || strlen(cursor) >= sizeof(after))) {
		http_problem(reply, 400, "bad-request", "cursor must be the next of an answer");
		return;
	}
	snprintf(after, sizeof(after), "%s", cursor ? cursor : "");
	core_lock(core);
	const struct model_pool *pool = find_pool(core, r, reply);
	if (pool) {
		struct members_answer a = { .items = make_page(core, pool, &filter, limit, after) };

		a.next = *after ? after : NULL;
		reply->json = record_shown(&members_answer_kind, &a);
		reply->status = 200;
	}
	core_unlock(core);
}

/* --- reading --- */

#define MEMBERS_BODY_ROWS(X, t)                                                                    \
	X(t, json_t *, put, .spare = true, .each = &member_item_kind)                              \
	X(t, json_t *, delete_, .shown = "delete", .spare = true, .element = &member_id)
/* A name as a backend has, in a list. */
static const struct field member_id = { .kind = FIELD_STRING,
	                                .pattern = "^[a-z0-9][a-z0-9._-]{0,62}$" };
RECORD_ANSWER(members_body, "members", MEMBERS_BODY_ROWS);

static bool refuse_item(struct field_reader *f, const char *list, size_t i,
                        struct http_reply *reply)
{
	const char *field = json_text_of(json_array_get(f->errors, 0), "field");
	const char *detail = json_text_of(json_array_get(f->errors, 0), "detail");
	char name[128];

	snprintf(name, sizeof(name), "%s[%zu]%s%.60s", list, i, *field ? "." : "", field);
	http_problem(reply, 422, "invalid", "%s: %s", name, detail);
	json_object_set_new(reply->json, "errors", field_errors_json(name, detail));
	json_decref(f->errors);
	return false;
}

static bool read_item(const json_t *item, size_t i, struct member_entry *w,
                      struct http_reply *reply)
{
	struct field_reader f;

	member_read_item(&f, item, w);
	return field_close(&f) || refuse_item(&f, "put", i, reply);
}

static bool read_deleted(const json_t *item, size_t i, struct member_entry *w,
                         struct http_reply *reply)
{
	const char *id = json_string_value(item);
	char name[64];

	w->leaves = true;
	if (id && model_name_ok(id)) {
		snprintf(w->id, sizeof(w->id), "%s", id);
		return true;
	}
	snprintf(name, sizeof(name), "delete[%zu]", i);
	http_problem(reply, 422, "invalid", "%s: expected the name of a member", name);
	json_object_set_new(reply->json, "errors",
	                    field_errors_json(name, "expected the name of a member"));
	return false;
}

/* @return given, NULL: @p reply says why not */
static struct member_entry *read_list(const struct members_body *b, size_t *n,
                                      struct http_reply *reply)
{
	size_t n_puts = json_array_size(b->put);
	bool ok = true;

	*n = n_puts + json_array_size(b->delete_);
	if (*n > MEMBER_ENTRIES_MAX) {
		http_problem(reply, 422, "invalid",
		             "put, delete: have %zu members, expected up to %u together", *n,
		             MEMBER_ENTRIES_MAX);
		json_object_set_new(reply->json, "errors", field_errors_json("put", "too many"));
		return NULL;
	}
	struct member_entry *list = memory_must(calloc(*n + 1, sizeof(*list)));

	for (size_t i = 0; ok && i < *n; i++)
		ok = i < n_puts ? read_item(json_array_get(b->put, i), i, &list[i], reply)
		                : read_deleted(json_array_get(b->delete_, i - n_puts), i - n_puts,
		                               &list[i], reply);
	if (ok)
		return list;
	free(list);
	return NULL;
}

/* --- judging and writing --- */

/* A request that changes members. */
struct changing {
	struct core *core;
	const struct http_request *r;
	struct member_entry *list;
	size_t n;
	bool past_guard;
	struct observe_pages pages;
	struct guard_facts *facts; /* NULL: nothing is taken away */
};

static bool removes_weight(const struct member_entry *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (member_entry_drains(&list[i]))
			return true;
	return false;
}

static void set_refused(const struct member_refused *refused, struct http_reply *reply)
{
	switch (refused->reason) {
	case MEMBER_IS_IN_USE:
		http_problem(reply, 409, "in-use", "%s", refused->text);
		return;
	case MEMBER_IS_TOO_MUCH:
		http_problem(reply, 409, "too-many", "%s", refused->text);
		return;
	default:
		http_problem(reply, 422, "invalid", "%s", refused->text);
		json_object_set_new(reply->json, "errors",
		                    field_errors_json("members", refused->text));
	}
}

/* Whether the guards let all pass together. Under the lock */
static bool pass_guards(struct changing *c, const struct model_pool *pool, int64_t now_ms,
                        struct http_reply *reply)
{
	struct guard_result result = { .n_verdicts = 0 };

	if (!c->facts || c->past_guard)
		return true;
	bool *drained = member_writes_drained(c->core, pool);
	int err = guard_facts_gather(c->core, &c->pages, NULL, c->facts);

	if (!err)
		err = member_entries_guard(pool, intent_overrides(c->core->intent), drained,
		                           c->list, c->n, &c->facts->observed, now_ms, &result);
	free(drained);
	if (err) {
		http_problem(reply, 503, "busy", "out of memory: nothing was changed; try again");
		return false;
	}
	if (!result.n_verdicts || result.verdicts[0].ok)
		return true;
	http_problem(reply, 409, "guard", "%s", result.verdicts[0].detail);
	json_object_set_new(reply->json, "guards", guards_to_json(&result));
	return false;
}

/* Judge all by what is so now. Under the lock. @return whether they may be written */
static bool judge_entries(struct changing *c, struct http_reply *reply)
{
	struct core *core = c->core;
	int64_t now_ms = clock_believed_ms();
	const struct model_pool *pool = find_pool(core, c->r, reply);
	struct intent_shared *shared = intent_share(core->intent);
	const struct model *m = intent_shared_configured(shared);
	struct member_refused refused;
	int err = -ENOENT;

	if (pool && m) {
		const struct member_judging by = {
			.pool = model_pool(m, pool->name),
			.members = intent_members(core->intent),
			.now_ms = now_ms,
			.at_ms = member_instant_ms(now_ms, intent_ahead_ms(core->intent)),
			.principal = c->r->identity,
		};

		err = member_entries_judge(&by, c->list, c->n, &refused);
		if (err == -EINVAL)
			set_refused(&refused, reply);
		else if (err)
			http_problem(reply, 503, "busy", "out of memory: nothing was changed");
	}
	bool ok = !err && pass_guards(c, pool, now_ms, reply);
	intent_unshare(shared);
	return ok;
}

/* Large requests go in parts, so some may be written. The same may be sent again: for what is written it is a renewal. */
static void set_unwritten(enum member_written result, uint32_t wait_s, size_t n_written,
                          struct http_reply *reply)
{
	switch (result) {
	case MEMBER_NOT_NOW:
		http_problem(reply, 429, "too-fast",
		             "changes of members wait for %u s already: %zu of these are written",
		             wait_s, n_written);
		reply->retry_s = wait_s;
		return;
	case MEMBER_UNKNOWN:
		http_problem(reply, 503, "outcome-unknown",
		             "%zu of these changes are written, and of the others it is not known: "
		             "send the same again",
		             n_written);
		return;
	case MEMBER_STORE_FULL:
		http_problem(
		        reply, 503, "store-unavailable",
		        "the store is full (%zu of these changes are written); weir store check shows how to make "
		        "room",
		        n_written);
		return;
	case MEMBER_WRITTEN_AGAIN:
		http_problem(
		        reply, 503, "busy",
		        "others change these members at the same time, again and again: %zu "
		        "of these changes are written, the others are not; send the same again",
		        n_written);
		reply->retry_s = 1;
		return;
	default:
		http_problem(reply, 503, "store-unavailable",
		             "the store cannot be reached (%zu of these members are written): "
		             "members stay, and others join when it is back",
		             n_written);
	}
}

/* What changes nothing has renewed. Under the lock */
static void note_renewed(const struct changing *c)
{
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < c->n; i++)
		if (!c->list[i].leaves)
			intent_renew_member(c->core->intent, c->r->parts[0], c->list[i].id, now_ms);
}

/* Under the lock, which is given up meanwhile. @return whether all is done; else @p reply says why not, and @p no_store */
static bool carry_out(struct changing *c, bool *no_store, struct http_reply *reply)
{
	enum member_written result = MEMBER_WRITTEN_AGAIN;
	uint32_t wait_s = 0;
	size_t n_written = 0, n;

	*no_store = false;
	for (unsigned i = 0; result == MEMBER_WRITTEN_AGAIN && i < ATTEMPTS_MAX; i++) {
		if (!judge_entries(c, reply))
			return false;
		result = member_writes_write(c->core, c->list, c->n, c->facts && !c->past_guard,
		                             &wait_s, &n);
		n_written += n;
	}
	*no_store = result == MEMBER_NO_STORE && !n_written;
	if (result == MEMBER_WRITTEN)
		note_renewed(c);
	else
		set_unwritten(result, wait_s, n_written, reply);
	return result == MEMBER_WRITTEN;
}

static bool read_past(const struct http_request *r, bool *out, struct http_reply *reply)
{
	const char *name = http_query(r, "override");

	*out = name && !strcmp(name, rule_rows[GUARD_LAST_BACKEND].name);
	if (name && !*out)
		http_problem(reply, 400, "bad-request", "override: the guard of members is %s",
		             rule_rows[GUARD_LAST_BACKEND].name);
	return !name || *out;
}

/*
 * What guards need is gathered only where weight goes away: renewals come by the thousand, and take none. Not under the lock.
 * @return as carry_out()
 */
static bool change_members(struct core *core, const struct http_request *r,
                           struct member_entry *list, size_t n, bool *no_store,
                           struct http_reply *reply)
{
	struct changing c = { .core = core, .r = r, .list = list, .n = n };
	bool is_done = false;

	*no_store = false;
	if (!read_past(r, &c.past_guard, reply) || !handle_may_command(core, reply))
		return false;
	if (removes_weight(list, n) && !c.past_guard) {
		c.facts = MEMORY_NEW(struct guard_facts);
		if (guard_facts_open(core, false, c.facts)) {
			http_problem(reply, 503, "busy", "out of memory");
			guard_facts_close(c.facts);
			free(c.facts);
			return false;
		}
		observe_open(core->dirs.run, &c.pages);
	}
	core_lock(core);
	is_done = carry_out(&c, no_store, reply);
	core_unlock(core);
	if (c.facts) {
		observe_close(&c.pages);
		guard_facts_close(c.facts);
		free(c.facts);
	}
	return is_done;
}

/* Answer with the member as it is now. */
static void answer_member(struct core *core, const struct member_entry *w, struct http_reply *reply)
{
	core_lock(core);
	const struct model *m = intent_model(core->intent);
	const struct model_pool *pool = m ? model_pool(m, w->member.pool) : NULL;
	const struct member *now =
	        members_find(intent_members(core->intent), w->member.pool, w->member.id);

	reply->json = show_member(now ? now : &w->member, pool, clock_believed_ms(),
	                          member_outcome_text(w->outcome));
	reply->status = w->outcome == MEMBER_JOINS ? 201 : 200;
	core_unlock(core);
}

/*
 * The override that takes new flows from a backend, as soon as any can, and will for LASTS_MS. @return NULL: there is none. Under
 * the lock
 */
static const struct override *find_drain(const struct core *core, const char *pool, const char *id,
                                         int64_t now_ms)
{
	const struct overrides *all = intent_overrides(core->intent);
	int64_t soon_ms = now_ms + intent_ahead_ms(core->intent);

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (o->target == MODEL_TARGET_BACKEND && !o->ended && o->from_ms <= soon_ms &&
		    now_ms + LASTS_MS < o->until_ms &&
		    (o->kind == MODEL_OVERRIDE_DRAIN || o->kind == MODEL_OVERRIDE_DISABLE) &&
		    !strcmp(o->pool, pool) && !strcmp(o->name, id))
			return o;
	}
	return NULL;
}

/* What drain_member() made of a member that @p list registers again. @return NULL: there is none. Under the lock */
static const struct override *find_own_drain(const struct core *core, const char *pool,
                                             const struct member_entry *list, size_t n,
                                             int64_t now_ms)
{
	const struct overrides *all = intent_overrides(core->intent);

	for (size_t i = 0; i < all->n_items; i++) {
		const struct override *o = &all->items[i];

		if (o->until_ms != MODEL_TIME_NEVER || strcmp(o->reason, WITHOUT_STORE) != 0)
			continue;
		for (size_t k = 0; k < n; k++)
			if (!list[k].leaves && !strcmp(o->name, list[k].id) &&
			    o == find_drain(core, pool, o->name, now_ms))
				return o;
	}
	return NULL;
}

/*
 * End a drain that is still what it was: a command that a person gave meanwhile is theirs. Not under the lock.
 * @return false: it could not be ended, and @p reply says so
 */
static bool end_drain(struct core *core, const struct http_request *r, const struct override *own,
                      int64_t now_ms, struct http_reply *reply)
{
	struct http_reply ended = { .status = 0 };
	const struct command c = { .what = COMMAND_UNDRAIN,
		                   .id = own->id,
		                   .generation = own->generation,
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = -1,
		                   .author = r->principal,
		                   .reason = "registered again" };
	bool is_ended = handle_command_run(core, r, &c, now_ms, &ended) || ended.status == 412;

	http_reply_fini(&ended);
	if (!is_ended)
		http_problem(reply, 503, "busy",
		             "member %.63s is registered, but the drain %s of it stays: send the "
		             "same again",
		             own->name, own->id);
	return is_ended;
}

/*
 * What drain_member() made ends when a program registers that member again; a person's drain stays. Renewals come by the
 * thousand, and hardly any has such a drain: overrides are looked through once for all of them. Not under the lock.
 * @return false: one could not be ended, and @p reply says so
 */
static bool end_own_drains(struct core *core, const struct http_request *r,
                           const struct member_entry *list, size_t n, struct http_reply *reply)
{
	for (size_t i = 0; i < n; i++) { /* each member has one at most */
		int64_t now_ms = clock_believed_ms();
		struct override own = { .id = "" };

		core_lock(core);
		const struct override *o = find_own_drain(core, r->parts[0], list, n, now_ms);
		if (o)
			own = *o;
		core_unlock(core);
		if (!*own.id)
			return true;
		if (!end_drain(core, r, &own, now_ms, reply))
			return false;
	}
	return true;
}

/* The member of the path, for who may change those of its pool. A name that is none is not cut to one that is. */
static bool read_path(struct core *core, const struct http_request *r, char id[MODEL_NAME_MAX],
                      struct http_reply *reply)
{
	if (!handle_scope_has_pool(core, r, r->parts[0], reply))
		return false;
	if (!model_name_ok(r->parts[1])) {
		http_problem(reply, 404, "not-found", "%.80s is no name that a member can have",
		             r->parts[1]);
		return false;
	}
	snprintf(id, MODEL_NAME_MAX, "%.*s", (int)MODEL_NAME_MAX - 1, r->parts[1]);
	return true;
}

void handle_member_put(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct member_entry w = { .leaves = false };
	struct member_body b;
	struct field_reader f;
	bool no_store;

	if (!read_path(core, r, w.id, reply))
		return;
	field_read(&f, r->json, &member_body_kind, &b);
	member_read_body(&f, &b, &w);
	if (field_end(&f, reply) && change_members(core, r, &w, 1, &no_store, reply) &&
	    end_own_drains(core, r, &w, 1, reply))
		answer_member(core, &w, reply);
}

/* Lost information removes nothing, but a program's word that it ends is kept: as a person's drain, without the store. */
static void drain_member(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	int64_t now_ms = clock_believed_ms();
	const char *past = http_query(r, "override");
	const struct command c = { .what = COMMAND_DRAIN,
		                   .pool = r->parts[0],
		                   .name = r->parts[1],
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = MODEL_TIME_NEVER,
		                   .author = r->principal,
		                   .reason = WITHOUT_STORE,
		                   .past = { past },
		                   .n_past = past != NULL };

	core_lock(core);
	bool is_member = members_find(intent_members(core->intent), c.pool, c.name) != NULL;
	bool is_drained =
	        find_drain(core, c.pool, c.name, now_ms) != NULL; /* it keeps its reason */
	core_unlock(core);
	if (!is_member)
		return;
	http_reply_fini(reply);
	*reply = (struct http_reply){ .status = 0 };
	if (!is_drained && !handle_command_run(core, r, &c, now_ms, reply))
		return;
	http_reply_fini(reply);
	*reply = (struct http_reply){ .status = 200 };
	core_lock(core);
	const struct model_pool *pool = find_pool(core, r, reply);
	const struct member *m =
	        pool ? members_find(intent_members(core->intent), pool->name, r->parts[1]) : NULL;
	if (m)
		reply->json = show_member(m, pool, now_ms, "drained");
	else if (pool)
		http_problem(reply, 404, "not-found", "pool %s has no member %.63s", pool->name,
		             r->parts[1]);
	core_unlock(core);
}

void handle_member_delete(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct member_entry w = { .leaves = true };
	bool no_store;

	if (!read_path(core, r, w.id, reply))
		return;
	bool is_done = change_members(core, r, &w, 1, &no_store, reply);
	if (no_store)
		drain_member(core, r, reply);
	else if (is_done && !w.member.n_from)
		http_problem(reply, 404, "not-found", "pool %.63s has no member %.63s", r->parts[0],
		             r->parts[1]);
	else if (is_done)
		answer_member(core, &w, reply);
}

/* Whether a request that changes nothing is one all the same. Not under the lock. */
static bool has_pool(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	bool past_guard;

	if (!read_past(r, &past_guard, reply))
		return false;
	core_lock(core);
	bool found = find_pool(core, r, reply) != NULL;
	core_unlock(core);
	return found;
}

void handle_members_change(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct members_body b;
	struct field_reader f;
	bool no_store;
	size_t n;

	if (!handle_scope_has_pool(core, r, r->parts[0], reply))
		return;
	field_read(&f, r->json, &members_body_kind, &b);
	if (!field_end(&f, reply))
		return;
	struct member_entry *list = read_list(&b, &n, reply);
	if (!list)
		return;
	if (n ? change_members(core, r, list, n, &no_store, reply) &&
	                    end_own_drains(core, r, list, n, reply)
	      : has_pool(core, r, reply)) {
		struct members_changed a = { .items = json_array() };

		for (size_t i = 0; i < n; i++)
			json_array_append_new(a.items, SHOWN(changed_member, list[i].id,
			                                     member_outcome_text(list[i].outcome)));
		reply->json = record_shown(&members_changed_kind, &a);
		reply->status = 200;
	}
	free(list);
}

/* --- verdicts that programs give on targets of external checks --- */

#define VERDICT_ROWS(X, t)                                                                         \
	X(t, const char *, pool)                                                                   \
	X(t, const char *, backend)                                                                \
	X(t, const char *, check)                                                                  \
	X(t, const char *, verdict, .one_of = "up|down|unknown")                                   \
	X(t, const char *, reason, .or_null = true)                                                \
	X(t, const char *, principal, .or_null = true)                                             \
	X(t, const char *, node, .or_null = true)                                                  \
	X(t, struct shown_time, said)                                                              \
	X(t, struct shown_number, age_s)                                                           \
	X(t, struct shown_number, ttl_s)                                                           \
	X(t, struct shown_time, ends)                                                              \
	X(t, const char *, outcome, .spare = true, .one_of = "said|renewed|taken_back|absent")
RECORD_ANSWER(verdict_shown, "verdict", VERDICT_ROWS);

#define VERDICTS_ROWS(X, t)                                                                        \
	X(t, json_t *, items, .each = &verdict_shown_kind)                                         \
	X(t, const char *, next, .or_null = true)
RECORD_ANSWER(verdicts_answer, "verdicts", VERDICTS_ROWS);

/* A target as it is named in a path. */
struct verdict_target {
	const struct model_pool *pool;
	const struct model_backend *backend;
};

/* Given. @param e  NULL: nothing is known. Under the lock */
static json_t *show_verdict(const struct verdict_target *t, const struct external *e,
                            const char *outcome)
{
	uint64_t now_ms = clock_mono_ms();
	struct verdict_shown shown = {
		.pool = t->pool->name,
		.backend = t->backend->name,
		.check = t->pool->check->name,
		.verdict = health_state_text(external_state(e, now_ms)),
		.said = { MODEL_TIME_NEVER },
		.ends = { MODEL_TIME_NEVER },
		.outcome = outcome,
	};

	if (e) {
		int64_t age_ms = (int64_t)now_ms - e->said_ms;

		shown.reason = *e->reason ? e->reason : NULL;
		shown.principal = e->principal;
		shown.node = e->node;
		shown.said.ms = clock_believed_ms() - age_ms;
		shown.age_s = (struct shown_number){ true, (uint64_t)age_ms / 1000 };
		shown.ttl_s = (struct shown_number){ e->ttl_s != 0, e->ttl_s };
		if (e->ttl_s)
			shown.ends.ms = shown.said.ms + (int64_t)e->ttl_s * 1000;
	}
	return record_shown(&verdict_shown_kind, &shown);
}

/* The target of the path. @return false: @p reply says what is wrong with it. Under the lock */
static bool find_target(const struct core *core, const struct http_request *r,
                        struct verdict_target *out, struct http_reply *reply)
{
	const struct model *m = intent_model(core->intent);

	out->pool = m ? model_pool(m, r->parts[0]) : NULL;
	out->backend = out->pool ? model_backend(out->pool, r->parts[1]) : NULL;
	if (!out->pool)
		http_problem(reply, 404, "not-found",
		             "the configuration in force has no pool %.63s", r->parts[0]);
	else if (!external_judges(out->pool))
		http_problem(reply, 404, "not-found",
		             "pool %s has %s%s: only targets of a check of type external are given "
		             "verdicts",
		             out->pool->name,
		             out->pool->check ? "a check that probes, " : "no check",
		             out->pool->check ? out->pool->check->name : "");
	else if (!out->backend)
		http_problem(reply, 404, "not-found", "pool %s has no backend %.63s",
		             out->pool->name, r->parts[1]);
	else
		reply->version = m->meta.version;
	return out->pool && external_judges(out->pool) && out->backend;
}

void handle_verdict(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct verdict_target t;

	core_lock(core);
	if (find_target(core, r, &t, reply)) {
		reply->json = show_verdict(
		        &t, externals_find(core->externals, t.pool->name, t.backend->name), NULL);
		reply->status = 200;
	}
	core_unlock(core);
}

/* A page of targets, by pool and backend. */
struct verdict_page {
	const struct list_filter *filter;
	uint64_t limit;
	/* "pool/backend", the last one of the page before, or of this; "": from the beginning */
	char after[CURSOR_MAX];
	json_t *items;
};

static void name_target(const struct model_backend *b, char out[CURSOR_MAX])
{
	snprintf(out, CURSOR_MAX, "%s/%s", b->pool->name, b->name);
}

/* @return false: the page is full */
static bool add_target(const struct core *core, const struct model_backend *b,
                       struct verdict_page *page)
{
	const struct verdict_target t = { b->pool, b };

	if (json_array_size(page->items) >= page->limit)
		return false;
	json_t *one =
	        show_verdict(&t, externals_find(core->externals, b->pool->name, b->name), NULL);

	if (list_filter_fits(page->filter, one))
		json_array_append_new(page->items, one);
	else
		json_decref(one);
	name_target(b, page->after);
	return true;
}

/* Whether a target is listed after the one of a cursor. */
static bool is_behind(const struct model_backend *b, const char *after)
{
	size_t n = strcspn(after, "/"), n_pool = strlen(b->pool->name);
	int order = strncmp(b->pool->name, after, n);

	if (!order && n_pool > n)
		order = 1;
	return order > 0 || (!order && after[n] && strcmp(b->name, after + n + 1) > 0) || !*after;
}

/* Targets of all external checks; a model has pools and backends by name. Under the lock. @return whether it ends the list */
static bool make_verdicts_page(const struct core *core, struct verdict_page *page)
{
	const struct model *m = intent_model(core->intent);
	char after[CURSOR_MAX];

	memcpy(after, page->after, sizeof(after));
	for (size_t i = 0; m && i < m->n_pools; i++)
		for (size_t k = 0; external_judges(&m->pools[i]) && k < m->pools[i].n_backends; k++)
			if (is_behind(&m->pools[i].backends[k], after) &&
			    !add_target(core, &m->pools[i].backends[k], page))
				return false;
	return true;
}

void handle_verdicts(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *cursor = http_query(r, "cursor");
	struct list_filter filter;
	struct verdict_page page = { .filter = &filter, .after = "" };

	if (!handle_number(r, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT, &page.limit, reply) ||
	    !list_filter_read(r, &filter, reply))
		return;
	if (cursor && (!*cursor || strlen(cursor) >= sizeof(page.after))) {
		http_problem(reply, 400, "bad-request", "cursor must be the next of an answer");
		return;
	}
	snprintf(page.after, sizeof(page.after), "%s", cursor ? cursor : "");
	page.items = json_array();
	core_lock(core);
	bool ends = make_verdicts_page(core, &page);
	core_unlock(core);

	const struct verdicts_answer a = { .items = page.items, .next = ends ? NULL : page.after };
	reply->json = record_shown(&verdicts_answer_kind, &a);
	reply->status = 200;
}

#define VERDICT_BODY_ROWS(X, t)                                                                    \
	X(t, const char *, verdict, .most = 7, .one_of = "up|down", .example = "down")             \
	X(t, const char *, ttl, .most = 31, FIELD_IS_DURATION, .example = "30s")                   \
	X(t, const char *, reason, .most = EXTERNAL_REASON_MAX - 1, .spare = true,                 \
	  .example = "replication lag is 40 s")
RECORD_ANSWER(verdict_body, "verdict", VERDICT_BODY_ROWS);

static bool read_verdict(const struct http_request *r, struct external *out,
                         struct http_reply *reply)
{
	struct verdict_body b;
	struct field_reader f;

	field_read(&f, r->json, &verdict_body_kind, &b);
	if (b.ttl)
		member_read_ttl(&f, b.ttl, &out->ttl_s);
	if (b.verdict && !strcmp(b.verdict, "up"))
		out->state = HEALTH_UP;
	else if (b.verdict && !strcmp(b.verdict, "down"))
		out->state = HEALTH_DOWN;
	else if (b.verdict)
		field_refuse(&f, "verdict", "found \"%s\", expected up or down", b.verdict);
	snprintf(out->reason, sizeof(out->reason), "%s", b.reason ? b.reason : "");
	return field_end(&f, reply);
}

/* Whether a write may be now: a node takes as many verdicts a second as members. Under the lock */
static bool is_in_pace(struct core *core, struct http_reply *reply)
{
	struct member_pace *pace = &core->externals->pace;
	uint64_t now_ms = clock_mono_ms();

	if (member_pace_allows(pace, now_ms)) {
		member_pace_spend(pace, 1, now_ms);
		return true;
	}
	http_problem(reply, 429, "too-fast",
	             "more verdicts are given than nodes tell each other: nothing was changed");
	reply->retry_s = 1;
	return false;
}

/* What became of it, by what stood before. */
static const char *outcome_of(const struct external *before, const struct external *e)
{
	enum health_state was = external_state(before, clock_mono_ms());

	if (e->state == HEALTH_UNKNOWN)
		return was == HEALTH_UNKNOWN ? "absent" : "taken_back";
	return was == e->state && !strcmp(before->reason, e->reason) ? "renewed" : "said";
}

/* Under the lock. */
static void say_verdict(struct core *core, const struct http_request *r,
                        const struct verdict_target *t, struct external *e,
                        struct http_reply *reply)
{
	const struct external *before =
	        externals_find(core->externals, t->pool->name, t->backend->name);
	const char *outcome = outcome_of(before, e);
	bool is_needed = strcmp(outcome, "absent") != 0;

	snprintf(e->pool, sizeof(e->pool), "%s", t->pool->name);
	snprintf(e->backend, sizeof(e->backend), "%s", t->backend->name);
	snprintf(e->principal, sizeof(e->principal), "%s", r->identity);
	snprintf(e->node, sizeof(e->node), "%s", core->dirs.node);
	int err = is_needed ? externals_say(core->externals, e, clock_mono_ms(),
	                                    intent_stamp_ms(core->intent, clock_believed_ms()))
	                    : 0;

	if (err) {
		http_problem(reply, 409, "too-many",
		             "the cluster knows %u verdicts, which is all it can: nothing was "
		             "changed",
		             EXTERNALS_KNOWN_MAX);
		return;
	}
	reply->json = show_verdict(
	        t, externals_find(core->externals, t->pool->name, t->backend->name), outcome);
	reply->status = 200;
	if (is_needed)
		core_changed(core);
}

/* For who may change the pool; @p e has what is said. */
static void change_verdict(struct core *core, const struct http_request *r, struct external *e,
                           struct http_reply *reply)
{
	struct verdict_target t;

	core_lock(core);
	if (find_target(core, r, &t, reply) && is_in_pace(core, reply))
		say_verdict(core, r, &t, e, reply);
	core_unlock(core);
}

void handle_verdict_put(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct external e = { .state = HEALTH_UNKNOWN };

	if (handle_scope_has_pool(core, r, r->parts[0], reply) && read_verdict(r, &e, reply) &&
	    handle_may_command(core, reply))
		change_verdict(core, r, &e, reply);
}

void handle_verdict_delete(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct external e = { .state = HEALTH_UNKNOWN };

	if (handle_scope_has_pool(core, r, r->parts[0], reply) && handle_may_command(core, reply))
		change_verdict(core, r, &e, reply);
}
