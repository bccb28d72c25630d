/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of pools: backends that programs register (mgmt/overrides/member.h). A request is read into entries, these are
 * judged under the lock, and written by mgmt/sync/member_writes.h. Where somebody else came first they are judged again. What
 * changes nothing is not written: it renews.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/handle_scope.h"
#include "mgmt/core/list_filter.h"
#include "mgmt/controller/guard_facts.h"
#include "mgmt/core/field.h"
#include "mgmt/core/to_json.h"
#include "mgmt/judge/waiting_slots.h"
#include "mgmt/store/command.h"
#include "mgmt/sync/member_writes.h"
#include "mgmt/sync/shared_run.h"
#include "weir/when.h"

#define LIMIT_DEFAULT  100u
#define LIMIT_MOST     1000u
#define ATTEMPTS_MAX   5u
#define WEIGHT_DEFAULT 100u /* as of a backend */
#define LABEL_NAME_MAX 31u
#define WITHOUT_STORE  "deleted while the store could not be reached"

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

static json_t *labels_json(const char *labels)
{
	json_t *object = json_object();
	char text[MEMBER_LABELS_MAX], *save = NULL;

	snprintf(text, sizeof(text), "%s", labels);
	for (char *at = strtok_r(text, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(at, '=');

		if (equals) {
			*equals = '\0';
			json_object_set_new(object, at, json_string(equals + 1));
		}
	}
	return object;
}

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
	int64_t gone_ms = pool ? member_gone_ms(m, pool->settle_ms) : MODEL_TIME_NEVER;
	const struct member_shown shown = {
		.id = m->id,
		.address = addr_text(&m->address.addr, address),
		.weight = member_weight(m),
		.labels = labels_json(m->labels),
		.ttl_s = { m->ttl_s != 0, m->ttl_s },
		.state = state_of(m, pool, now_ms),
		.since = { m->since_ms },
		.leaves = { m->left_ms ? m->left_ms : MODEL_TIME_NEVER },
		.gone = { gone_ms },
		.renewed_s_ago = { m->ttl_s != 0, (clock_mono_ms() - m->heard_ms) / 1000 },
		.principal = m->principal,
		.outcome = outcome,
	};

	return record_shown(&member_shown_kind, &shown);
}

/* Whether a program has put it there, and it is not gone. */
static bool is_shown(const struct member *m, const struct model_pool *pool, int64_t now_ms)
{
	return now_ms < member_gone_ms(m, pool ? pool->settle_ms : 0);
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
	if (m && is_shown(m, pool, now_ms)) {
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
		json_t *one = is_shown(m, pool, now_ms) ? show_member(m, pool, now_ms, NULL) : NULL;

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

void handle_members(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *cursor = http_query(r, "cursor");
	char after[MODEL_NAME_MAX] = "";
	struct list_filter filter;
	uint64_t limit;

	if (!handle_number(r, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT, &limit, reply) ||
	    !list_filter_read(r, &filter, reply))
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

#define MEMBER_BODY_ROWS(X, t)                                                                     \
	X(t, const char *, address, .most = ADDR_TEXT_MAX - 1,                                     \
	  .pattern = "^[0-9A-Fa-f]*[:.][0-9A-Fa-f:.]*$", .example = "192.0.2.7")                   \
	X(t, struct shown_number, weight, .spare = true, .most = MEMBER_WEIGHT_MAX)                \
	X(t, const char *, ttl, .most = 31, .spare = true, FIELD_IS_DURATION, .example = "30s")    \
	X(t, json_t *, labels, .spare = true, .of = &labels_kind)
#define MEMBER_ITEM_ROWS(X, t)                                                                     \
	X(t, const char *, id, .most = MODEL_NAME_MAX - 1, .example = "web-7")                     \
	MEMBER_BODY_ROWS(X, t)
#define MEMBERS_BODY_ROWS(X, t)                                                                    \
	X(t, json_t *, put, .spare = true, .each = &member_item_kind)                              \
	X(t, json_t *, delete_, .shown = "delete", .spare = true, .element = &member_id)
/* A name as a backend has, in a list. */
static const struct field member_id = { .kind = FIELD_STRING,
	                                .pattern = "^[a-z0-9][a-z0-9._-]{0,62}$" };
static const struct record_kind labels_kind = { .name = "labels" };
RECORD_ANSWER(member_body, "member", MEMBER_BODY_ROWS);
RECORD_SHOWN(member_item, "member of a list", MEMBER_ITEM_ROWS);
RECORD_ANSWER(members_body, "members", MEMBERS_BODY_ROWS);

static bool is_plain(const char *text, const char *more, size_t most)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	while (text[n] && strchr(more, text[n]))
		n += 1 + strspn(text + n + 1, "abcdefghijklmnopqrstuvwxyz0123456789._-");
	return n > 0 && n <= most && !text[n];
}

static bool is_member_id(const char *id)
{
	return is_plain(id, "", MODEL_NAME_MAX - 1) && !strchr("._-", id[0]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Labels, sorted by name, as one text. */
static void read_labels(struct field_reader *f, const json_t *given, char out[MEMBER_LABELS_MAX])
{
	const char *names[MEMBER_LABELS_N], *name;
	size_t n = 0, used = 0;
	json_t *value;

	out[0] = '\0';
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		if (n == MEMBER_LABELS_N || !is_plain(name, "", LABEL_NAME_MAX) ||
		    !json_is_string(value) ||
		    !is_plain(json_string_value(value),
		              "ABCDEFGHIJKLMNOPQRSTUVWXYZ/:", MEMBER_LABELS_MAX)) {
			field_refuse(f, "labels",
			             "expected up to %u labels, each a name of a-z, 0-9, '.', '_' "
			             "and '-', and a text of letters, digits and ._-/:",
			             MEMBER_LABELS_N);
			return;
		}
		names[n++] = name;
	}
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n && used < MEMBER_LABELS_MAX; i++)
		used += (size_t)snprintf(out + used, MEMBER_LABELS_MAX - used, "%s%s=%s",
		                         i ? "," : "", names[i],
		                         json_string_value(json_object_get(given, names[i])));
	if (used >= MEMBER_LABELS_MAX)
		field_refuse(f, "labels", "have more than %u bytes together",
		             MEMBER_LABELS_MAX - 1);
}

static void read_ttl(struct field_reader *f, const char *text, uint32_t *out)
{
	int64_t ms = 0;

	*out = 0;
	if (!text)
		return;
	if (when_duration(text, &ms) || ms < (int64_t)MEMBER_TTL_LEAST_S * 1000 ||
	    ms > (int64_t)MEMBER_TTL_MOST_S * 1000 || ms % 1000)
		field_refuse(f, "ttl", "found \"%s\", expected whole seconds from 5s to 1d", text);
	else
		*out = (uint32_t)(ms / 1000);
}

/* What a put says besides its name. */
static void fill_entry(struct field_reader *f, const struct member_body *b, struct member_entry *w)
{
	if (b->address && addr_parse(b->address, &w->address))
		field_refuse(f, "address", "found \"%s\", expected an IPv4 or IPv6 address",
		             b->address);
	w->weight = WEIGHT_DEFAULT;
	if (b->weight.known && b->weight.value > MEMBER_WEIGHT_MAX)
		field_refuse(f, "weight", "expected a whole number from 0 to %u",
		             MEMBER_WEIGHT_MAX);
	else if (b->weight.known)
		w->weight = (uint32_t)b->weight.value;
	read_ttl(f, b->ttl, &w->ttl_s);
	read_labels(f, b->labels, w->labels);
}

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
	struct member_item b;
	struct field_reader f;

	field_read(&f, json_is_object(item) ? item : NULL, &member_item_kind, &b);
	if (b.id && !is_member_id(b.id))
		field_refuse(&f, "id", "expected a name as a backend has");
	else if (b.id)
		snprintf(w->id, sizeof(w->id), "%s", b.id);
	fill_entry(&f, &(struct member_body){ b.address, b.weight, b.ttl, b.labels }, w);
	return field_close(&f) || refuse_item(&f, "put", i, reply);
}

static bool read_deleted(const json_t *item, size_t i, struct member_entry *w,
                         struct http_reply *reply)
{
	const char *id = json_string_value(item);
	char name[64];

	w->leaves = true;
	if (id && is_member_id(id)) {
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
		if (list[i].leaves || !list[i].weight)
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
	if (guard_facts_gather(c->core, &c->pages, NULL, c->facts) ||
	    member_entries_guard(pool, intent_overrides(c->core->intent), c->list, c->n,
	                         &c->facts->observed, now_ms, &result)) {
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

static void set_unwritten(enum member_written result, uint32_t wait_s, size_t n_written,
                          struct http_reply *reply)
{
	switch (result) {
	case MEMBER_NOT_NOW:
		http_problem(reply, 429, "too-fast",
		             "changes of members wait for %u s already: nothing was changed",
		             wait_s);
		reply->retry_s = wait_s;
		return;
	case MEMBER_UNKNOWN:
		http_problem(
		        reply, 503, "outcome-unknown",
		        "it is not known which of these members are written, %zu are: send the "
		        "same again",
		        n_written);
		return;
	case MEMBER_STORE_FULL:
		http_problem(
		        reply, 503, "store-unavailable",
		        "the store is full (%zu are written); weir store check shows how to make "
		        "room",
		        n_written);
		return;
	case MEMBER_WRITTEN_AGAIN:
		http_problem(reply, 503, "busy",
		             "others change these members at the same time, again and again");
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
	size_t n_written = 0;

	*no_store = false;
	for (unsigned i = 0; result == MEMBER_WRITTEN_AGAIN && i < ATTEMPTS_MAX; i++) {
		if (!judge_entries(c, reply))
			return false;
		result = member_writes_write(c->core, c->list, c->n, &wait_s, &n_written);
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

/* Not under the lock. @return as carry_out() */
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

/* The member of the path, for who may change those of its pool. A name that is none is not cut to one that is. */
static bool read_path(struct core *core, const struct http_request *r, char id[MODEL_NAME_MAX],
                      struct http_reply *reply)
{
	if (!handle_scope_has_pool(core, r, r->parts[0], reply))
		return false;
	if (!is_member_id(r->parts[1])) {
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
	fill_entry(&f, &b, &w);
	if (field_end(&f, reply) && change_members(core, r, &w, 1, &no_store, reply))
		answer_member(core, &w, reply);
}

/* Lost information removes nothing, but a program's word that it ends is kept: as a person's drain, without the store. */
static void drain_member(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	int64_t now_ms = clock_believed_ms();
	const struct command c = { .what = COMMAND_DRAIN,
		                   .pool = r->parts[0],
		                   .name = r->parts[1],
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = MODEL_TIME_NEVER,
		                   .author = r->principal,
		                   .reason = WITHOUT_STORE };

	core_lock(core);
	bool is_member = members_find(intent_members(core->intent), c.pool, c.name) != NULL;
	core_unlock(core);
	if (!is_member)
		return;
	http_reply_fini(reply);
	*reply = (struct http_reply){ .status = 0 };
	if (!handle_command_run(core, r, &c, now_ms, reply))
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
	if (n ? change_members(core, r, list, n, &no_store, reply) : has_pool(core, r, reply)) {
		struct members_changed a = { .items = json_array() };

		for (size_t i = 0; i < n; i++)
			json_array_append_new(a.items, SHOWN(changed_member, list[i].id,
			                                     member_outcome_text(list[i].outcome)));
		reply->json = record_shown(&members_changed_kind, &a);
		reply->status = 200;
	}
	free(list);
}
