/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command is first worked out on copies: the live overrides that it changes or ends, and those
 * that it makes (struct command_work). Then the guards judge. Only then all copies are merged into
 * the intent at once, so that a refused command or a dry run changes nothing. All instants are
 * absolute, so that nodes which get an override later compute the same ramp.
 */
#include "mgmt/store/command.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "mgmt/overrides/hlc.h"

#define CHANGES_MAX 64u /* overrides of one command: half for those it ends, the rest for holds */

static const char *const words[COMMAND_COUNT] = { "drain", "disable", "force_up",
	                                          "hold",  "undrain", "enable" };

/* A command in progress: the overrides that it creates or changes. */
struct command_work {
	struct intent *in;
	const struct command *c;
	struct command_result *r;
	int64_t now_ms;
	uint64_t stamp; /* of this command: it is later than all that this node knows */
	bool was_there;
	struct override was;    /* the override before it was changed, ended or held */
	struct override target; /* kind of target, pool and name alone */
	struct override changes[CHANGES_MAX];
	size_t n_changes;
};

__attribute__((format(printf, 4, 5))) static enum command_outcome
answer_command(struct command_work *w, enum command_outcome outcome, const char *field,
               const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(w->r->text, sizeof(w->r->text), format, list);
	va_end(list);
	w->r->field = field;
	return outcome;
}

static bool is_site(const struct command_work *w)
{
	return w->target.target == MODEL_TARGET_SITE;
}

static bool is_node(const struct command_work *w)
{
	return w->target.target == MODEL_TARGET_NODE;
}

/*
 * Whether the command changes or ends overrides of @p kind. The undrain of a node also ends its
 * withdrawal, which `weir drain node --withdraw` makes.
 */
static bool concerns_kind(const struct command_work *w, enum model_override_kind kind)
{
	static const unsigned kinds[COMMAND_COUNT] = {
		[COMMAND_DRAIN] = 1u << MODEL_OVERRIDE_DRAIN,
		[COMMAND_DISABLE] = 1u << MODEL_OVERRIDE_DISABLE,
		[COMMAND_FORCE_UP] = 1u << MODEL_OVERRIDE_FORCE_UP,
		[COMMAND_HOLD] = 1u << MODEL_OVERRIDE_DRAIN,
		[COMMAND_UNDRAIN] = 1u << MODEL_OVERRIDE_DRAIN,
		[COMMAND_ENABLE] = 1u << MODEL_OVERRIDE_DISABLE | 1u << MODEL_OVERRIDE_FORCE_UP,
	};

	return (kinds[w->c->what] >> kind & 1) ||
	       (w->c->what == COMMAND_UNDRAIN && is_node(w) && kind == MODEL_OVERRIDE_DISABLE);
}

/*
 * The next live override of the command's target from index *@p at on; NULL: none. A held one is
 * live.
 */
static const struct override *find_live(const struct command_work *w, size_t *at)
{
	const struct overrides *overrides = intent_overrides(w->in);

	for (; *at < overrides->n_items; ++*at) {
		const struct override *o = &overrides->items[*at];

		if (!concerns_kind(w, o->kind) || !override_same_target(o, &w->target) ||
		    (w->c->id && strcmp(w->c->id, o->id)) ||
		    !strcmp(overrides_state(overrides, o, w->now_ms), "done"))
			continue;
		++*at;
		return o;
	}
	return NULL;
}

static enum command_outcome find_target(struct command_work *w)
{
	const struct override *o;

	if (w->c->id) {
		o = overrides_find(intent_overrides(w->in), w->c->id);
		if (!o)
			return answer_command(w, COMMAND_UNKNOWN, "id", "there is no override %s",
			                      w->c->id);
		w->target = *o;
		w->r->override = *o;
		return !w->c->generation || w->c->generation == o->generation ? COMMAND_OK
		                                                              : COMMAND_STALE;
	}
	bool backend = w->c->pool && *w->c->pool;
	w->target.target = backend         ? MODEL_TARGET_BACKEND
	                   : w->c->is_node ? MODEL_TARGET_NODE
	                                   : MODEL_TARGET_SITE;
	snprintf(w->target.pool, sizeof(w->target.pool), "%s", backend ? w->c->pool : "");
	snprintf(w->target.name, sizeof(w->target.name), "%s", w->c->name);
	snprintf(w->target.service, sizeof(w->target.service), "%s",
	         w->c->service ? w->c->service : "");
	return COMMAND_OK;
}

static enum command_outcome node_exists(struct command_work *w)
{
	const struct model_node *node = model_node(intent_model(w->in), w->target.name);

	if (!node)
		return answer_command(w, COMMAND_UNKNOWN, "target.node", "there is no node %s",
		                      w->target.name);
	if (node->announce.daemon != MODEL_DAEMON_NONE)
		return COMMAND_OK;
	return answer_command(w, COMMAND_INVALID, "target.node",
	                      "node %s announces nothing (nodes[].announce.daemon is none): "
	                      "change its routers by hand",
	                      w->target.name);
}

static enum command_outcome target_exists(struct command_work *w)
{
	const struct model *m = intent_model(w->in);

	if (!m)
		return answer_command(w, COMMAND_UNKNOWN, "target", "%s",
		                      intent_nothing_text(w->in));
	if (is_site(w))
		return model_site(m, w->target.name)
		               ? COMMAND_OK
		               : answer_command(w, COMMAND_UNKNOWN, "target.site",
		                                "there is no site %s", w->target.name);
	if (is_node(w))
		return node_exists(w);
	const struct model_pool *pool = model_pool(m, w->target.pool);
	if (!pool)
		return answer_command(w, COMMAND_UNKNOWN, "target.pool", "there is no pool %s",
		                      w->target.pool);
	return model_backend(pool, w->target.name)
	               ? COMMAND_OK
	               : answer_command(w, COMMAND_UNKNOWN, "target.backend",
	                                "there is no backend %s in pool %s", w->target.name,
	                                w->target.pool);
}

/* A target to be taken out must exist; an override to be ended may name one that is gone. */
static enum command_outcome check_target(struct command_work *w)
{
	bool ends = w->c->what == COMMAND_UNDRAIN || w->c->what == COMMAND_ENABLE;

	return ends ? COMMAND_OK : target_exists(w);
}

/*
 * Callers check single texts; what goes with what is checked here, for the API and `--offline`
 * alike.
 */
static enum command_outcome check_shape(struct command_work *w)
{
	const struct command *c = w->c;
	bool makes = c->what == COMMAND_DRAIN || c->what == COMMAND_DISABLE ||
	             c->what == COMMAND_FORCE_UP;

	if (makes && c->until_ms < 0)
		return answer_command(w, COMMAND_INVALID, "until",
		                      "is required; \"never\" is allowed");
	if (makes && c->until_ms <= w->now_ms)
		return answer_command(w, COMMAND_INVALID, "until", "is in the past");
	if (!makes && c->until_ms >= 0)
		return answer_command(w, COMMAND_INVALID, "until",
		                      "is for drain, disable and force_up only");
	if (c->from_ms >= 0 && c->what != COMMAND_DRAIN)
		return answer_command(w, COMMAND_INVALID, "from", "is for drain only");
	if (c->from_ms >= 0 && (c->from_ms < w->now_ms || c->from_ms >= c->until_ms))
		return answer_command(w, COMMAND_INVALID, "from", "is in the past or after until");
	if (c->over_ms >= 0 && c->what != COMMAND_DRAIN && c->what != COMMAND_UNDRAIN)
		return answer_command(w, COMMAND_INVALID, "over", "is for drain and undrain only");
	if (c->now && c->from_ms >= 0)
		return answer_command(w, COMMAND_INVALID, "now", "cannot be combined with from");
	if (c->over_ms >= 0 && is_node(w))
		return answer_command(w, COMMAND_INVALID, "over",
		                      "is not for nodes: routers leave a node within 15 s");
	if (c->what == COMMAND_FORCE_UP && w->target.target != MODEL_TARGET_BACKEND)
		return answer_command(w, COMMAND_INVALID, "target", "force_up is for backends");
	if (c->what == COMMAND_HOLD && !is_site(w))
		return answer_command(w, COMMAND_INVALID, "target", "hold is for sites");
	if (c->service && *c->service && c->what != COMMAND_UNDRAIN && c->what != COMMAND_HOLD)
		return answer_command(w, COMMAND_INVALID, "target.service",
		                      "is for undrain and hold only: an operation drains it");
	return COMMAND_OK;
}

/* How long ahead a shift of the site starts: the longest TTL of a name that may give its address. */
static int64_t site_lead_ms(const struct command_work *w)
{
	const struct model *m = intent_model(w->in);

	return m ? (int64_t)model_site_ttl_s(m, w->target.name) * 1000 : 0;
}

static int64_t lead_ms(const struct command_work *w)
{
	return w->c->now ? 0 : site_lead_ms(w);
}

static struct override *change_override(struct command_work *w, const struct override *o)
{
	struct override *n = &w->changes[w->n_changes++];

	*n = *o;
	override_leave_operation(n, w->stamp);
	n->how = RAMP_FREE; /* a new generation's ramp begins again */
	snprintf(n->principal, sizeof(n->principal), "%s", intent_principal(w->in));
	snprintf(n->node, sizeof(n->node), "%s", w->target.node);
	return n;
}

static void sign_override(const struct command_work *w, struct override *o)
{
	snprintf(o->author, sizeof(o->author), "%s", w->c->author);
	snprintf(o->reason, sizeof(o->reason), "%s", w->c->reason);
}

static struct override *create_override(struct command_work *w, enum model_override_kind kind)
{
	struct override *o = &w->changes[w->n_changes++];

	*o = (struct override){ .kind = kind,
		                .target = w->target.target,
		                .generation = w->stamp,
		                .created_ms = w->now_ms,
		                .until_ms = w->c->until_ms };
	snprintf(o->pool, sizeof(o->pool), "%s", w->target.pool);
	snprintf(o->name, sizeof(o->name), "%s", w->target.name);
	snprintf(o->node, sizeof(o->node), "%s", w->target.node);
	snprintf(o->principal, sizeof(o->principal), "%s", intent_principal(w->in));
	override_make_id(o->node, w->now_ms, random_salt(), o->id);
	sign_override(w, o);
	return o;
}

/* End the holds of the target, so that its ramps run again. */
static void release_holds(struct command_work *w)
{
	const struct overrides *overrides = intent_overrides(w->in);

	for (size_t i = 0; i < overrides->n_items && w->n_changes < CHANGES_MAX; i++) {
		const struct override *o = &overrides->items[i];

		if (o->kind != MODEL_OVERRIDE_HOLD || !override_same_target(o, &w->target) ||
		    override_is_done(o, w->now_ms))
			continue;
		struct override *n = change_override(w, o);
		n->ended = true;
		n->until_ms = w->now_ms;
	}
}

static int64_t earlier_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A return at once has a ramp of 1 ms. */
static bool is_same_over(const struct command_work *w, const struct override *live)
{
	return w->c->over_ms < 0 || w->c->over_ms == live->over_ms ||
	       (w->c->over_ms == 0 && live->over_ms == 1);
}

/*
 * Whether the command asks for the ramp of @p live again: automation may repeat it each few seconds, and each time
 * another lead, or the ramp from its beginning, would put the change off for ever. A ramp that is held or late begins
 * again from its level.
 */
static bool repeats_ramp(const struct command_work *w, const struct override *live)
{
	return live && live->how == RAMP_FREE && w->c->from_ms < 0 && is_same_over(w, live) &&
	       !overrides_hold(intent_overrides(w->in), live, w->now_ms);
}

static void note_repeat(struct command_work *w, const char *way)
{
	snprintf(w->r->note, sizeof(w->r->note),
	         "the site is being %s already: its ramp stays as it was", way);
}

/* A drain that ended before it began would be one that nobody notices: it is refused. */
static enum command_outcome check_until(struct command_work *w, const struct override *o)
{
	char from[CLOCK_TEXT_MAX];

	return o->from_ms < o->until_ms
	               ? COMMAND_OK
	               : answer_command(w, COMMAND_INVALID, "until",
	                                "is not after the beginning of the drain, %s",
	                                clock_text(o->from_ms, from));
}

static void note_cut_ramp(struct command_work *w, const struct override *o)
{
	struct model_override as_model;

	if (o->from_ppm == MODEL_PPM_ALL || o->until_ms - o->from_ms >= o->over_ms)
		return;
	override_to_model(o, &as_model);
	snprintf(w->r->note, sizeof(w->r->note),
	         "until comes before the end of the ramp: the drain reaches %.1f %%, and the site "
	         "returns from there",
	         model_override_ppm(&as_model, o->until_ms) / 1e4);
}

/* A drain that is changed goes on from the level that it has, so that answers do not jump. */
static enum command_outcome drain_site(struct command_work *w, const struct override *live)
{
	uint32_t level = live ? overrides_level(intent_overrides(w->in), live, w->now_ms) : 0;
	bool repeats = repeats_ramp(w, live) && !live->is_step && live->from_ms < live->until_ms &&
	               w->now_ms < live->until_ms;
	struct override *o =
	        live ? change_override(w, live) : create_override(w, MODEL_OVERRIDE_DRAIN);

	sign_override(w, o);
	o->until_ms = w->c->until_ms;
	o->over_ms = w->c->over_ms >= 0 ? w->c->over_ms : live ? live->over_ms : 0;
	o->from_ms = w->c->from_ms >= 0 ? w->c->from_ms
	             : level > 0        ? w->now_ms
	                                : w->now_ms + lead_ms(w);
	if (repeats && live->from_ms <= o->from_ms) {
		o->from_ms = live->from_ms;
		note_repeat(w, "drained");
	} else {
		o->from_ppm = level;
	}
	note_cut_ramp(w, o);
	release_holds(w);
	return check_until(w, o);
}

/*
 * The time for flows of a drain that runs, from its beginning, if the command's begins now. An earlier end counts
 * at once; a later one only for a longer time than the drain has in all, or automation that repeats the command
 * would put the end off for ever.
 */
static int64_t choose_time(const struct command_work *w, const struct override *live)
{
	int64_t over_ms = w->now_ms - live->from_ms + w->c->over_ms;

	return w->c->over_ms <= live->over_ms && over_ms > live->over_ms ? live->over_ms : over_ms;
}

/* A backend or node. Past instants stay as they are: member sets follow from them. */
static enum command_outcome drain_without_ramp(struct command_work *w, const struct override *live)
{
	bool runs = live && live->from_ms <= w->now_ms;
	int64_t ahead_ms = is_node(w) ? 0 : intent_ahead_ms(w->in);
	struct override *o =
	        live ? change_override(w, live) : create_override(w, MODEL_OVERRIDE_DRAIN);

	sign_override(w, o);
	o->until_ms = w->c->until_ms;
	if (!runs)
		o->from_ms = w->c->from_ms >= 0 ? w->c->from_ms
		             : live             ? earlier_ms(live->from_ms, w->now_ms + ahead_ms)
		                                : w->now_ms + ahead_ms;
	if (w->c->over_ms >= 0)
		o->over_ms = runs ? choose_time(w, live) : w->c->over_ms;
	return check_until(w, o);
}

/* Disable or force up: at once. */
static void put_instant_override(struct command_work *w, const struct override *live,
                                 enum model_override_kind kind)
{
	struct override *o = live ? change_override(w, live) : create_override(w, kind);

	sign_override(w, o);
	o->until_ms = w->c->until_ms;
	if (!live)
		o->from_ms = w->now_ms;
}

/*
 * The level that a step has in force: by its schedule, or further where weir-dns says so. What weir-dns
 * said last, @p known_ppm, may be of a moment before the step.
 */
static uint32_t choose_level(const struct override *o, uint32_t known_ppm, uint32_t scheduled_ppm)
{
	return (o->to_ppm < o->from_ppm) == (known_ppm < scheduled_ppm) ? known_ppm : scheduled_ppm;
}

static void keep_level(struct command_work *w, const struct override *live)
{
	uint32_t known_ppm = overrides_level(intent_overrides(w->in), live, w->now_ms);
	struct model_override as_model;

	override_to_model(live, &as_model);
	uint32_t level_ppm =
	        choose_level(live, known_ppm, model_override_ppm(&as_model, w->now_ms));
	struct override *o = change_override(w, live);

	sign_override(w, o);
	override_keep_level(o, level_ppm, w->now_ms);
}

static void hold_site(struct command_work *w, const struct override *live)
{
	if (live->is_step) {
		keep_level(w, live);
		return;
	}
	struct override *o = create_override(w, MODEL_OVERRIDE_HOLD);

	o->from_ms = w->now_ms;
	o->until_ms = MODEL_TIME_NEVER; /* a hold ends by a command only */
}

/*
 * A person's command on a site ends every operation there: what operations have drained stays as it
 * is, and no step follows.
 */
static void stop_operations(struct command_work *w)
{
	const struct overrides *overrides = intent_overrides(w->in);

	for (size_t i = 0; is_site(w) && i < overrides->n_items && w->n_changes < CHANGES_MAX;
	     i++) {
		const struct override *o = &overrides->items[i];

		if (override_is_step_at(o, w->target.name) && !override_is_done(o, w->now_ms) &&
		    !override_in(w->changes, w->n_changes, o->id))
			keep_level(w, o);
	}
}

/* An operation that was to write its first step: the person's override, which is over, refuses it. */
static void stop_unwritten(struct command_work *w)
{
	for (size_t i = 0; is_site(w) && i < w->c->n_unwritten && w->n_changes < CHANGES_MAX; i++) {
		const struct override *o = &w->c->unwritten[i];

		if (strcmp(o->name, w->target.name) != 0 ||
		    override_in(w->changes, w->n_changes, o->id))
			continue;
		if (!w->n_changes) { /* all that an undrain ends */
			w->was = *o;
			w->was_there = true;
		}
		struct override *n = change_override(w, o);
		sign_override(w, n);
		n->ended = true;
		n->until_ms = w->now_ms;
	}
}

/* Start the return of a site's drain from the level that it has, if it has not been commanded before. */
static void return_site(struct command_work *w, const struct override *live, struct override *o,
                        uint32_t level)
{
	int64_t back_ms = w->now_ms + lead_ms(w);

	if (!w->c->now && level && live->from_ms == live->until_ms && live->until_ms <= back_ms &&
	    repeats_ramp(w, live)) {
		note_repeat(w, "returned");
		return;
	}
	if (w->c->over_ms >= 0)
		o->over_ms = w->c->over_ms;
	if (w->c->now || level == 0) {
		o->ended = true;
		o->until_ms = w->now_ms;
		return;
	}
	o->from_ppm = level;
	o->from_ms = o->until_ms = back_ms;
	if (o->over_ms == 0)
		o->over_ms = 1; /* the level stays until then, and falls at once */
}

static void end_one(struct command_work *w, const struct override *live)
{
	uint32_t level = overrides_level(intent_overrides(w->in), live, w->now_ms);
	struct override *o = change_override(w, live);

	if (live->kind == MODEL_OVERRIDE_DRAIN && live->target == MODEL_TARGET_SITE) {
		return_site(w, live, o, level);
		return;
	}
	int64_t end_ms = w->now_ms;
	if (live->target != MODEL_TARGET_BACKEND)
		o->ended = true;
	else if (live->kind != MODEL_OVERRIDE_FORCE_UP)
		end_ms += intent_ahead_ms(w->in); /* its return is announced */
	o->until_ms = earlier_ms(live->until_ms, end_ms);
	if (o->until_ms < o->from_ms)
		o->until_ms = o->from_ms; /* it never began */
}

/* Another drain of the site: of one service alone, or of all of them; NULL: there is none. */
static const struct override *find_other_drain(const struct command_work *w)
{
	const struct overrides *overrides = intent_overrides(w->in);

	for (size_t i = 0; is_site(w) && !w->c->id && i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];

		if (o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE &&
		    !strcmp(o->name, w->target.name) &&
		    strcmp(overrides_state(overrides, o, w->now_ms), "done") != 0)
			return o;
	}
	return NULL;
}

/* A site that is drained otherwise than is meant is not said to be back, nor to have no ramp. */
static enum command_outcome answer_other_drain(struct command_work *w, const struct override *other)
{
	bool holds = w->c->what == COMMAND_HOLD;

	return answer_command(w, COMMAND_INVALID, "target.service",
	                      "at site %s %s drained: weir %s site %s%s%s%s that", other->name,
	                      *other->service ? "one service alone is" : "all services are",
	                      holds ? "hold" : "undrain", other->name,
	                      *other->service ? " --service " : "", other->service,
	                      holds ? " holds" : " --scheduled returns");
}

/*
 * Ending what has ended already succeeds. A target that nobody knows is an error all the same: its
 * name may be mistyped.
 */
static enum command_outcome nothing_to_end(struct command_work *w)
{
	const struct overrides *overrides = intent_overrides(w->in);
	enum command_outcome known = w->c->id ? COMMAND_OK : target_exists(w);
	const struct override *other = find_other_drain(w);

	if (other && w->c->what == COMMAND_UNDRAIN)
		return answer_other_drain(w, other);
	for (size_t i = 0; known != COMMAND_OK && i < overrides->n_items; i++)
		if (override_same_target(&overrides->items[i], &w->target))
			known = COMMAND_OK;
	if (known != COMMAND_OK)
		return known;
	return answer_command(w, COMMAND_OVER, "target", "nothing to end: the target has no %s",
	                      w->c->what == COMMAND_UNDRAIN ? "drain" : "disable or force-up");
}

/*
 * A live override of the target is changed instead of making a second one, so that two drains of a
 * target cannot contradict each other.
 */
static enum command_outcome work_out(struct command_work *w)
{
	size_t at = 0;
	const struct override *live = find_live(w, &at), *other;

	if (live && w->c->generation && w->c->generation != live->generation) {
		w->r->override = *live;
		return COMMAND_STALE;
	}
	w->r->created = !live;
	w->was_there = live != NULL;
	if (live)
		w->was = *live;
	switch (w->c->what) {
	case COMMAND_DRAIN:
		return (is_site(w) ? drain_site : drain_without_ramp)(w, live);
	case COMMAND_DISABLE:
		put_instant_override(w, live, MODEL_OVERRIDE_DISABLE);
		return COMMAND_OK;
	case COMMAND_FORCE_UP:
		put_instant_override(w, live, MODEL_OVERRIDE_FORCE_UP);
		return COMMAND_OK;
	case COMMAND_HOLD:
		other = live ? NULL : find_other_drain(w);
		if (other)
			return answer_other_drain(w, other);
		if (!live || overrides_hold(intent_overrides(w->in), live, w->now_ms))
			return answer_command(w, COMMAND_NOTHING, "target", "no ramp is running");
		w->r->created = !live->is_step;
		hold_site(w, live);
		return COMMAND_OK;
	default:
		break;
	}
	for (; live && w->n_changes < CHANGES_MAX / 2; live = find_live(w, &at))
		end_one(w, live);
	if (w->n_changes == 0 && w->c->what == COMMAND_UNDRAIN)
		stop_unwritten(w);
	if (w->n_changes == 0)
		return nothing_to_end(w);
	w->r->n_others = w->n_changes - 1;
	w->r->created = false;
	if (w->c->what == COMMAND_UNDRAIN)
		release_holds(w);
	return COMMAND_OK;
}

/* Whether the operator has overridden @p guard by name, or will not wait. */
static bool is_overridden_guard(const struct command *c, const char *guard)
{
	if (c->now && rule_is(GUARD_UNSETTLED, guard))
		return true;
	for (size_t i = 0; i < c->n_past; i++)
		if (!strcmp(c->past[i], guard))
			return true;
	return false;
}

/* The event's subject is the site or node, or the backend with its pool. */
static void note_refusal(const struct command_work *w)
{
	char subject[2 * MODEL_NAME_MAX + 32];

	snprintf(subject, sizeof(subject),
	         w->target.target == MODEL_TARGET_BACKEND ? "pools/%s/backends/%s" : "%s%s",
	         w->target.pool, w->target.name);
	journal_add(intent_journal(w->in), w->now_ms, "guard", subject, "%s by %s refused: %s",
	            words[w->c->what], w->c->author, w->r->text);
}

/* Only drain and disable take traffic away, so only these are guarded. */
static enum command_outcome check_guards(struct command_work *w, const struct guard_observed *seen)
{
	const struct model *m = intent_model(w->in);
	bool refused = false;

	w->r->guards.receivers = w->r->receivers;
	w->r->guards.max_receivers = COMMAND_RECEIVERS_MAX;
	if (!m || (w->c->what != COMMAND_DRAIN && w->c->what != COMMAND_DISABLE))
		return COMMAND_OK;
	int err =
	        guard_check(m, intent_overrides(w->in), &w->target, seen, w->now_ms, &w->r->guards);
	if (err < 0)
		return answer_command(w, COMMAND_FAILED, NULL, "%s", strerror(-err));
	for (size_t i = 0; i < w->r->guards.n_verdicts; i++) {
		const struct guard_verdict *v = &w->r->guards.verdicts[i];

		if (!v->ok && !is_overridden_guard(w->c, v->guard)) {
			refused = true;
			answer_command(w, COMMAND_REFUSED, NULL, "%s: %s", v->guard, v->detail);
		}
	}
	if (refused && !w->c->dry_run)
		note_refusal(w);
	return refused ? COMMAND_REFUSED : COMMAND_OK;
}

/* A later command that came while the lock was given up: what was commanded here is not in force. */
static const struct override *find_overtaking(const struct command_work *w)
{
	const struct override *o = overrides_find(intent_overrides(w->in), w->r->override.id);

	return w->c->decide && o && o->generation > w->stamp ? o : NULL;
}

static enum command_outcome answer_overtaken(struct command_work *w)
{
	w->r->override = *find_overtaking(w);
	return answer_command(w, COMMAND_OVERTAKEN, NULL,
	                      "a later command there came from another node meanwhile: look at the "
	                      "overrides, then give yours again");
}

/* What no other node would take, nor this one after a start; a ramp that goes on is counted from its beginning. */
static bool are_changes_ok(const struct command_work *w)
{
	for (size_t i = 0; i < w->n_changes; i++)
		if (!override_ok(&w->changes[i]))
			return false;
	return true;
}

/*
 * Journal and log come first: merging adds events about the overrides' new states, which belong
 * behind the command.
 */
static enum command_outcome commit_command(struct command_work *w)
{
	const struct overrides *overrides = intent_overrides(w->in);
	char value[LOG_VALUE_MAX];

	if (w->r->created && overrides_live(overrides, w->now_ms) >= OVERRIDES_LIVE_MAX)
		return answer_command(w, COMMAND_TOO_MANY, NULL,
		                      "%u overrides are in force already: end some of them first",
		                      OVERRIDES_LIVE_MAX);
	if (!are_changes_ok(w))
		return answer_command(w, COMMAND_INVALID, "over",
		                      "is too long for what has begun already");
	if (w->c->dry_run)
		return COMMAND_OK;
	enum command_may may =
	        w->c->decide ? w->c->decide(w->c->decide_arg, w->changes, w->n_changes, w->r)
	                     : COMMAND_MAY;
	if (may != COMMAND_MAY)
		return may == COMMAND_MAY_AGAIN ? COMMAND_AGAIN : COMMAND_OVERTAKEN;
	journal_add(intent_journal(w->in), w->now_ms, "override", w->r->override.id,
	            "%s of %s%s%s by %s (%s)%s%s", words[w->c->what], w->r->override.pool,
	            *w->r->override.pool ? "/" : "", w->r->override.name, w->c->author,
	            intent_principal(w->in), *w->c->reason ? ": " : "", w->c->reason);
	log_note("override", "do=%s target=%s%s%s id=%s author=%s principal=%s reason=%s",
	         words[w->c->what], w->r->override.pool, *w->r->override.pool ? "/" : "",
	         w->r->override.name, w->r->override.id, w->c->author, intent_principal(w->in),
	         log_value(w->c->reason, value));
	int err = intent_merge(w->in, w->changes, w->n_changes, w->now_ms);
	if (err < 0)
		return answer_command(w, COMMAND_FAILED, NULL, "%s", strerror(-err));
	return find_overtaking(w) ? answer_overtaken(w) : COMMAND_OK;
}

/* Operations that have written nothing yet are known by their own command alone. */
static uint64_t next_stamp(const struct command_work *w)
{
	uint64_t newest = overrides_newest(intent_overrides(w->in), &w->target, w->now_ms);

	for (size_t i = 0; i < w->c->n_unwritten; i++)
		if (w->c->unwritten[i].generation > newest &&
		    !strcmp(w->c->unwritten[i].name, w->target.name))
			newest = w->c->unwritten[i].generation;
	return hlc_next(newest, intent_stamp_ms(w->in, w->now_ms));
}

/*
 * An undo line is for a person who copies it into a shell: it has all options, of which TEXT is to be replaced, and
 * absolute times. Commands refuse instants that have passed, so none is named that may have passed
 * when the line is used. A note says what a command leads to where that takes its time.
 */

/*
 * An instant that is nearer may have passed before a person has the line in a shell: a command waits
 * for other nodes up to 75 s before it prints.
 */
#define UNDO_AHEAD_MS 120000

enum command_do command_from_text(const char *text)
{
	int i = 0;

	while (i < COMMAND_COUNT && strcmp(words[i], text))
		i++;
	return (enum command_do)i;
}

/* Whether the line that makes @p o again names its beginning. */
static bool names_beginning(const struct override *o, int64_t now_ms)
{
	return o->kind == MODEL_OVERRIDE_DRAIN && o->from_ms > now_ms + UNDO_AHEAD_MS;
}

/*
 * Whether override @p was ends so soon by itself, or has ended so, that nobody can make it again. The drain of a site
 * that goes on from no level begins only with the site's lead.
 */
static bool is_nearly_over(const struct command_work *w, const struct override *was)
{
	bool has_lead = was->kind == MODEL_OVERRIDE_DRAIN && is_site(w) &&
	                !names_beginning(was, w->now_ms) &&
	                (was->from_ms > w->now_ms || w->r->override.ended);
	int64_t ahead_ms = UNDO_AHEAD_MS + (has_lead ? site_lead_ms(w) : 0);

	return was->until_ms != MODEL_TIME_NEVER && was->until_ms <= w->now_ms + ahead_ms;
}

/* The options of a command line that creates @p o again: its instants that are still to come. */
static void write_times(const struct override *o, int64_t now_ms, char *out, size_t size)
{
	char until[CLOCK_TEXT_MAX] = "never", from[CLOCK_TEXT_MAX], over[32] = "", start[48] = "";
	bool drain = o->kind == MODEL_OVERRIDE_DRAIN;

	if (o->until_ms != MODEL_TIME_NEVER)
		clock_text(o->until_ms, until);
	if (drain && o->over_ms > 0)
		snprintf(over, sizeof(over), " --over %" PRId64 "%s",
		         o->over_ms % 1000 ? o->over_ms : o->over_ms / 1000,
		         o->over_ms % 1000 ? "ms" : "s");
	if (names_beginning(o, now_ms))
		snprintf(start, sizeof(start), " --from %s", clock_text(o->from_ms, from));
	snprintf(out, size, "%s%s --until %s", over, start, until);
}

/*
 * An operation does it again: neither a part of a site nor one service can be drained by the clock, and one that has
 * written no step yet has drained nothing.
 */
static bool needs_operation(const struct override *was)
{
	return was->is_step &&
	       (was->to_ppm < MODEL_PPM_ALL || *was->service || (*was->operation && !was->step));
}

static void write_operation(struct command_result *r, const struct override *was)
{
	uint32_t level_ppm = was->to_ppm ? was->to_ppm : was->from_ppm;
	char level[48] = "";

	if (level_ppm < MODEL_PPM_ALL)
		snprintf(level, sizeof(level), " %g%% --until never", level_ppm / 1e4);
	snprintf(r->undo, sizeof(r->undo), "weir %s site %s%s%s%s --reason TEXT",
	         *level ? "shift" : "drain", was->name, level, *was->service ? " --service " : "",
	         was->service);
}

/*
 * Write r->undo: the command that ends the new override r->override, or that makes again the one
 * that was changed, ended or held (@p was; NULL: there was none). Nothing is written where @p was
 * would have ended by itself before a person could make it again.
 */
static void write_undo(const struct command_work *w, const struct override *was)
{
	static const char *const ends[] = { "undrain", "enable", "enable" }, *const makes[] = {
		"drain", "disable", "force-up"
	};
	struct command_result *r = w->r;
	const struct override *o = &r->override;
	char times[128] = "";
	bool scheduled = o->target == MODEL_TARGET_SITE && !*o->operation &&
	                 (was ? was->kind : o->kind) == MODEL_OVERRIDE_DRAIN;

	if (was && needs_operation(was)) {
		write_operation(r, was);
		return;
	}
	if (was && is_nearly_over(w, was))
		return;
	if (was)
		write_times(was, w->now_ms, times, sizeof(times));
	snprintf(r->undo, sizeof(r->undo), "weir %s %s %s%s%s%s%s%s",
	         was ? makes[was->kind] : ends[o->kind], override_target_text(o->target), o->pool,
	         *o->pool ? "/" : "", o->name, times, scheduled ? " --scheduled" : "",
	         was ? " --reason TEXT" : "");
}

/* Write r->note for a command on a node: what happens from now on. */
static void write_node_note(struct command_result *r, enum command_do what)
{
	static const char *const notes[COMMAND_COUNT] = {
		[COMMAND_DRAIN] =
		        "routers get graceful shutdown routes first. An address is withdrawn once "
		        "its packets have left, after 15 s at the latest, and only if another node "
		        "confirms that it announces the same address",
		[COMMAND_DISABLE] = "all addresses of the node are withdrawn at once. Clients of "
		                    "an address that no other node announces are cut off",
		[COMMAND_UNDRAIN] = "each address is announced again once a probe packet proves "
		                    "that it is forwarded; there is no hold-down",
	};
	const char *note = notes[what == COMMAND_ENABLE ? COMMAND_UNDRAIN : what];

	snprintf(r->note, sizeof(r->note), "%s", note ? note : "");
}

enum command_outcome command_run(struct intent *in, const struct command *c,
                                 const struct guard_observed *seen, int64_t now_ms,
                                 struct command_result *result)
{
	struct command_work w = { .in = in, .c = c, .r = result, .now_ms = now_ms };

	*result = (struct command_result){ .guards.receivers = result->receivers };
	enum command_outcome outcome =
	        *intent_document_refusal(in, NULL)
	                ? answer_command(&w, COMMAND_UNKNOWN, NULL, "%s", intent_nothing_text(in))
	                : find_target(&w);
	w.stamp = next_stamp(&w);
	snprintf(w.target.node, sizeof(w.target.node), "%s", intent_node(in));
	if (outcome == COMMAND_OK)
		outcome = check_shape(&w);
	if (outcome == COMMAND_OK)
		outcome = check_target(&w);
	if (outcome == COMMAND_OK)
		outcome = work_out(&w);
	if (outcome == COMMAND_OK) {
		result->override = w.changes[0];
		write_undo(&w, w.was_there ? &w.was : NULL);
		if (is_node(&w))
			write_node_note(result, c->what);
		outcome = check_guards(&w, seen);
		stop_operations(&w);
		stop_unwritten(&w);
	}
	return outcome == COMMAND_OK ? commit_command(&w) : outcome;
}
