/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides: listing them, and the commands that make, change and end them. A request is decoded
 * into a struct command (mgmt/json/command.h), which the store carries out under the lock
 * (mgmt/store/command.h), with the guards; this file turns outcomes into HTTP answers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/core/field.h"
#include "mgmt/controller/guard_facts.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/change/handle_scope.h"
#include "mgmt/sync/operations.h"
#include "mgmt/sync/shared_commands.h"
#include "mgmt/core/to_json.h"
#include "mgmt/judge/waiting_slots.h"
#include "mgmt/status/observer.h"
#include "mgmt/store/command.h"

#define TURN_MS                                                                                    \
	3000u /* for a command that waits for the store: it does not wait for longer, but rarely; */
#define TURN_GUARDED_MS                                                                            \
	15000u   /* one that takes traffic away does, as the guards have to see the one before */
#define TRIES 8u /* to judge a command by what is so when it is written */
#define FACTS_MS                                                                                   \
	2000u /* how old facts may be by which guards judge: those before it in line took their time */

void handle_overrides(struct core *core, struct http_request *r, struct http_reply *reply)
{
	uint64_t limit;
	bool ended;

	if (!handle_flag(r, "ended", &ended, reply) ||
	    !handle_number(r, "limit", 1, OVERRIDES_MAX, OVERRIDES_MAX, &limit, reply))
		return;
	json_t *items = json_array();

	core_lock(core);
	const struct overrides *overrides = intent_overrides(core->intent);
	int64_t now_ms = clock_believed_ms();
	for (size_t i = 0; i < overrides->n_items; i++)
		if (ended ||
		    strcmp(overrides_state(overrides, &overrides->items[i], now_ms), "done"))
			json_array_append_new(
			        items, override_to_json(overrides, &overrides->items[i], now_ms));
	operations_add_until(core, items);
	core_unlock(core);
	handle_list(items, limit, reply);
}

void handle_override(struct core *core, struct http_request *r, struct http_reply *reply)
{
	core_lock(core);
	const struct overrides *overrides = intent_overrides(core->intent);
	const struct override *o = overrides_find(overrides, r->parts[0]);
	if (o) {
		reply->json = override_to_json(overrides, o, clock_believed_ms());
		operations_add_until(core, reply->json);
		reply->status = 200;
		override_etag(o, reply->etag);
	} else {
		http_problem(reply, 404, "not-found", "there is no override %.40s", r->parts[0]);
	}
	core_unlock(core);
}

static void read_generation(const struct http_request *r, struct field_reader *f, struct command *c)
{
	char *end = NULL;

	if (!*r->if_match || !strcmp(r->if_match, "*"))
		return;
	if (!strncmp(r->if_match, "\"o", 2))
		c->generation = strtoull(r->if_match + 2, &end, 10);
	if (!end || strcmp(end, "\"") || !c->generation)
		field_error(f, "If-Match", "expected an override's ETag");
}

static bool read_command(const struct http_request *r, struct command *c, struct http_reply *reply,
                         int64_t now_ms)
{
	struct field_reader f;
	bool dry_run;

	if (!handle_flag(r, "dry_run", &dry_run, reply) || !handle_wait_ok(r, reply))
		return false;
	command_from_json(r->json, now_ms, &f, c);
	c->dry_run = dry_run;
	if (!c->author)
		c->author = r->principal;
	read_generation(r, &f, c);
	return field_end(&f, reply);
}

/* Each outcome is a problem of its own: programs go by the code, people by the text. */
static void set_command_problem(const struct command_result *result, enum command_outcome outcome,
                                struct http_reply *reply)
{
	char etag[HTTP_TEXT_MAX];

	switch (outcome) {
	case COMMAND_REFUSED:
		http_problem(reply, 409, "guard", "%s", result->text);
		json_object_set_new(reply->json, "guards", guards_to_json(&result->guards));
		return;
	case COMMAND_INVALID:
		http_problem(reply, 422, "invalid", "%s: %s", result->field, result->text);
		json_object_set_new(reply->json, "errors",
		                    field_errors_json(result->field, result->text));
		return;
	case COMMAND_NOTHING:
		http_problem(reply, 409, "nothing-to-end", "%s", result->text);
		return;
	case COMMAND_UNKNOWN:
		http_problem(reply, 404, "not-found", "%s", result->text);
		return;
	case COMMAND_STALE:
		override_etag(&result->override, etag);
		http_problem(reply, 412, "stale", "If-Match does not match: the current ETag is %s",
		             etag);
		json_object_set_new(reply->json, "head", json_string(etag));
		return;
	case COMMAND_OVERTAKEN:
		http_problem(reply, 409, "overtaken", "%s", result->text);
		return;
	case COMMAND_TOO_MANY:
		http_problem(reply, 409, "too-many", "%s", result->text);
		return;
	default: /* COMMAND_AGAIN too */
		http_problem(reply, 503, "busy", "%s", result->text);
	}
}

/*
 * A drain of a backend may move fewer slots, and later, than expected: say how many. Under the
 * lock.
 */
static void add_waiting(const struct core *core, const struct command *c,
                        const struct command_result *result, const struct effect *effect,
                        int64_t now_ms, json_t *answer)
{
	const struct model *m = intent_model(core->intent);
	const struct override *o = &result->override;
	const struct model_pool *pool = m ? model_pool(m, o->pool) : NULL;
	const struct model_backend *b = pool ? model_backend(pool, o->name) : NULL;
	char text[WAITING_TEXT_MAX];
	struct waiting w;

	if (c->what != COMMAND_DRAIN || !b || !waiting_find(pool, effect, b->id, now_ms, &w))
		return;
	json_object_set_new(answer, "waiting", record_shown(&waiting_shown, &w));
	json_array_append_new(json_object_get(answer, "notes"),
	                      json_string(waiting_text(&w, pool->name, text)));
}

/** Who asks whether a command may be made. */
struct deciding {
	struct core *core;
	const struct http_request *r;
};

/* What others change while the lock is given up is not of this request. */
static enum command_may decide_changes(void *arg, const struct override *list, size_t n,
                                       struct command_result *result)
{
	const struct deciding *a = arg;

	core_detach(a->core);
	a->core->n_commanding++;
	enum command_may may = shared_commands_decide(a->core, list, n, result);

	a->core->n_commanding--; /* who waits gets the lock once this command is made */
	core_changed(a->core);

	core_attach(a->core, a->r);
	return may;
}

/** A command to be carried out. */
struct guarded_command {
	struct core *core;
	const struct http_request *r;
	const struct command *c;
	int64_t read_ms, now_ms; /* wall time: when it was read, and when it is judged */
	struct observe_pages pages;
	struct guard_facts *observed;
	uint64_t facts_ms;           /* when they were read */
	struct intent_shared *model; /* of the receivers' names: it may be replaced meanwhile */
};

static bool is_removal(const struct command *c)
{
	return c->what == COMMAND_DRAIN || c->what == COMMAND_DISABLE;
}

/* Where it takes a node out, the others are asked what they announce; a site, what arrives. Without the lock. @return 0 or -ENOMEM */
static int open_facts(struct guarded_command *g)
{
	const struct command *c = g->c;
	int err = guard_facts_open(g->core, is_removal(c) && c->is_node, g->observed);

	if (!err && is_removal(c) && !c->is_node && (!c->pool || !*c->pool))
		guard_facts_query_flows(g->core, g->observed);
	observe_open(g->core->dirs.run, &g->pages);
	g->facts_ms = clock_mono_ms();
	return err;
}

static void close_facts(struct guarded_command *g)
{
	observe_close(&g->pages);
	guard_facts_close(g->observed);
}

/*
 * One command after the other: the guards judge the next one by what the one before makes, which is not there yet while the store
 * is asked. Under the lock, which may be given up meanwhile. @return false: this one takes traffic away, and has to wait still
 */
static bool await_turn(const struct guarded_command *g, uint64_t until_ms)
{
	struct core *core = g->core;

	while (core->n_commanding && core_wait(core, until_ms))
		;
	return !is_removal(g->c) || !core->n_commanding;
}

/* Read them again. Under the lock, which is given up meanwhile; then the others wait, but for a dry run. @return 0 or -ENOMEM */
static int renew_facts(struct guarded_command *g)
{
	struct core *core = g->core;
	bool holds = !g->c->dry_run;

	core->n_commanding += holds;
	core_unlock(core);
	close_facts(g);
	int err = open_facts(g);

	core_lock(core);
	core->n_commanding -= holds;
	core_changed(core);
	return err;
}

/*
 * As await_turn(), and where the turn came late by facts that are read again: until none is written meanwhile.
 * @return 0, -EAGAIN or -ENOMEM
 */
static int await_facts(struct guarded_command *g)
{
	uint64_t until_ms = clock_mono_ms() + (is_removal(g->c) ? TURN_GUARDED_MS : TURN_MS);

	for (;;) {
		if (!await_turn(g, until_ms))
			return -EAGAIN;
		if (!is_removal(g->c) || clock_mono_ms() - g->facts_ms < FACTS_MS)
			return 0;
		int err = renew_facts(g);

		if (err || !g->core->n_commanding)
			return err;
	}
}

/* A start that came while it waited is now. */
static int64_t start_of(const struct guarded_command *g)
{
	bool is_past = g->c->from_ms >= g->read_ms && g->c->from_ms < g->now_ms;

	return is_past ? g->now_ms : g->c->from_ms;
}

/* It would be over before it began: it waited for that long. */
static bool was_overtaken(const struct guarded_command *g)
{
	return g->c->until_ms > g->read_ms && g->c->until_ms <= g->now_ms;
}

/* Run the command with what the guards see now. Under the lock, which may be given up meanwhile. */
static enum command_outcome run_once(struct guarded_command *g, struct command_result *result)
{
	struct core *core = g->core;
	struct override unwritten[OPERATIONS_UNWRITTEN_MAX];
	struct deciding deciding = { core, g->r };
	struct command with = *g->c;

	*result = (struct command_result){
		.text = "other commands are being written to the store still: nothing was changed; "
		        "give yours again"
	};
	int err = await_facts(g);
	if (err == -EAGAIN)
		return COMMAND_AGAIN;
	intent_unshare(g->model);
	g->model = intent_share(core->intent);
	g->now_ms = clock_believed_ms();
	if (was_overtaken(g)) {
		*result = (struct command_result){
			.text = "it would have been over before it could be made: nothing was changed"
		};
		return COMMAND_AGAIN;
	}
	with.from_ms = start_of(g);
	with.decide = decide_changes;
	with.decide_arg = &deciding;
	with.unwritten = unwritten;
	with.n_unwritten = operations_list_unwritten(core, unwritten);
	*result = (struct command_result){ .text = "out of memory" };
	if (err ||
	    guard_facts_gather(core, &g->pages, g->c->is_node ? g->c->name : NULL, g->observed))
		return COMMAND_FAILED;
	core_attach(core, g->r);
	enum command_outcome outcome =
	        command_run(core->intent, &with, &g->observed->observed, g->now_ms, result);

	core_detach(core);
	return outcome;
}

/* Run it until what it rests on was so when it was written, or somebody else is always first. */
static enum command_outcome run_guarded(struct guarded_command *g, struct command_result *result)
{
	uint64_t until_ms = clock_mono_ms() + TURN_GUARDED_MS;
	enum command_outcome outcome = run_once(g, result);

	for (unsigned i = 1; outcome == COMMAND_AGAIN && i < TRIES && clock_mono_ms() < until_ms;
	     i++)
		outcome = run_once(g, result);
	return outcome;
}

bool handle_command_run(struct core *core, const struct http_request *r, const struct command *c,
                        int64_t now_ms, struct http_reply *reply)
{
	if (!handle_scope_has_target(core, r, c, reply) || !handle_may_command(core, reply))
		return false;
	struct command_result *result = MEMORY_NEW(struct command_result);
	struct guarded_command g = { .core = core,
		                     .r = r,
		                     .c = c,
		                     .read_ms = now_ms,
		                     .now_ms = now_ms,
		                     .observed = MEMORY_NEW(struct guard_facts) };
	int err = open_facts(&g);

	core_lock(core);
	enum command_outcome outcome = COMMAND_FAILED;
	*result = (struct command_result){ .text = "out of memory" };
	if (!err)
		outcome = run_guarded(&g, result);
	if (outcome == COMMAND_OK) {
		observer_note_nodes(core);
		if (result->override.target == MODEL_TARGET_NODE)
			result->override.left = observer_node_left(core, result->override.name);
		reply->json = command_to_json(core->intent, c, result, NULL, g.now_ms);
		add_waiting(core, c, result, g.pages.effect_fresh ? g.pages.effect : NULL, g.now_ms,
		            reply->json);
		reply->status = result->created && !c->dry_run ? 201 : 200;
		override_etag(&result->override, reply->etag);
	} else if (outcome == COMMAND_OVER) {
		reply->json = nothing_to_end_to_json(c, result);
		reply->status = 200;
	} else {
		set_command_problem(result, outcome, reply);
	}
	core_changed(core);
	core_unlock(core);
	intent_unshare(g.model);
	close_facts(&g);
	free(g.observed);
	free(result);
	return outcome == COMMAND_OK || outcome == COMMAND_OVER;
}

void handle_command(struct core *core, struct http_request *r, struct http_reply *reply)
{
	int64_t now_ms = clock_believed_ms();
	struct command c;

	if (read_command(r, &c, reply, now_ms) && handle_command_run(core, r, &c, now_ms, reply) &&
	    reply->etag[0] && !c.dry_run)
		handle_wait(core, r, reply);
}
