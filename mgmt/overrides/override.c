/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overrides are one array sorted by id. Merging looks an id up and keeps the later change;
 * between equal ones the greater canonical text decides, so that nodes agree whatever order
 * they merge in. States and levels are not stored: they follow from the instants at any time.
 */
#include "mgmt/overrides/override.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/plain.h"
#include "base/sorted.h"
#include "mgmt/overrides/hlc.h"

#define CANONICAL_MAX 1024 /* bytes: more than all texts and numbers of an override */
#define ROOM_LEAST    16u  /* items that there is memory for once there is one */

bool override_in(const struct override *list, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].id, id))
			return true;
	return false;
}

/* What an override has as a value and as the model has it: numbers, and texts, which the model borrows. */
#define OVERRIDE_VALUES(X)                                                                         \
	X(kind)                                                                                    \
	X(target)                                                                                  \
	X(generation)                                                                              \
	X(epoch)                                                                                   \
	X(step)                                                                                    \
	X(created_ms)                                                                              \
	X(from_ms)                                                                                 \
	X(over_ms)                                                                                 \
	X(until_ms)                                                                                \
	X(from_ppm)                                                                                \
	X(ended)                                                                                   \
	X(is_step)                                                                                 \
	X(to_ppm)                                                                                  \
	X(late_from_ms)                                                                            \
	X(own_vips)                                                                                \
	X(shared_vips)                                                                             \
	X(clients)
#define OVERRIDE_TEXTS(X)                                                                          \
	X(id)                                                                                      \
	X(pool)                                                                                    \
	X(name)                                                                                    \
	X(author)                                                                                  \
	X(reason)                                                                                  \
	X(node)                                                                                    \
	X(service)                                                                                 \
	X(operation)
#define COPY_MEMBER(member) .member = from->member,

void override_to_model(const struct override *from, struct model_override *out)
{
	*out = (struct model_override){ OVERRIDE_VALUES(COPY_MEMBER) OVERRIDE_TEXTS(COPY_MEMBER) };
}

/* Copy @p text if it fits. */
static bool copy_fitting_text(char *out, size_t size, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n >= size)
		return false;
	memcpy(out, text ? text : "", n + 1);
	return true;
}

#define COPY_TEXT(member) &&copy_fitting_text(o.member, sizeof(o.member), from->member)

int override_from(const struct model_override *from, struct override *out)
{
	struct override o = { OVERRIDE_VALUES(COPY_MEMBER) };

	if (!(true OVERRIDE_TEXTS(COPY_TEXT)) || !override_ok(&o))
		return -EINVAL;
	*out = o;
	return 0;
}

/* The document has times as texts: a time that has no text would make it unreadable. */
static bool time_ok(int64_t ms)
{
	return ms >= 0 && (ms < CLOCK_END_MS || ms == MODEL_TIME_NEVER);
}

/*
 * An operation's step never returns by itself: its operation ends it. What is no step has nothing
 * of one, so that equal overrides have equal texts.
 */
static bool step_ok(const struct override *o)
{
	if (!o->is_step)
		return !o->epoch && !o->step && !o->to_ppm && !o->late_from_ms && !o->own_vips &&
		       !o->shared_vips && (!*o->service || o->kind == MODEL_OVERRIDE_DRILL) &&
		       !*o->operation;
	return o->kind == MODEL_OVERRIDE_DRAIN && o->target == MODEL_TARGET_SITE &&
	       !*o->operation == !o->epoch && (o->epoch || !o->step) &&
	       o->to_ppm <= MODEL_PPM_ALL && time_ok(o->late_from_ms) &&
	       o->own_vips <= MODEL_VIPS_WITHDRAWN && o->shared_vips <= MODEL_VIPS_WITHDRAWN &&
	       (!*o->service || model_name_ok(o->service)) &&
	       (!*o->operation || model_name_ok(o->operation)) &&
	       (!*o->operation || o->ended || o->until_ms == MODEL_TIME_NEVER);
}

/* What is no drill has no clients; a drill has an end. */
static bool drill_ok(const struct override *o)
{
	static const struct addr none;

	if (o->kind != MODEL_OVERRIDE_DRILL)
		return !o->clients.bits && addr_equal(&o->clients.addr, &none);
	return o->target == MODEL_TARGET_SITE && !o->is_step && !o->over_ms && !o->from_ppm &&
	       o->clients.bits > 0 && o->clients.bits <= (addr_is4(&o->clients.addr) ? 32 : 128) &&
	       o->until_ms < MODEL_TIME_NEVER && (!*o->service || model_name_ok(o->service));
}

bool override_ok(const struct override *o)
{
	return model_name_ok(o->id) && model_name_ok(o->name) && o->kind <= MODEL_OVERRIDE_DRILL &&
	       o->target <= MODEL_TARGET_NODE && drill_ok(o) &&
	       (o->target != MODEL_TARGET_BACKEND ? !*o->pool : model_name_ok(o->pool)) &&
	       o->generation > 0 && o->generation < HLC_END && o->prior < o->generation &&
	       step_ok(o) && time_ok(o->from_ms) && o->over_ms >= 0 &&
	       o->over_ms <= (int64_t)366 * 24 * 3600 * 1000 && time_ok(o->until_ms) &&
	       time_ok(o->created_ms) && o->from_ppm <= MODEL_PPM_ALL && plain_is(o->author) &&
	       plain_is(o->reason) && plain_is(o->node) && plain_is(o->principal);
}

/*
 * A step has no state of its own: what it does follows from its fields, as for any override.
 */

void override_leave_operation(struct override *o, uint64_t generation)
{
	o->prior = o->generation;
	o->generation = generation;
	o->epoch = o->step = 0;
	o->operation[0] = '\0';
	o->late_from_ms = 0;
	o->level_known = false;
	if (*o->service)
		return;
	o->is_step = false;
	o->to_ppm = 0;
	o->own_vips = o->shared_vips = MODEL_VIPS_ANNOUNCED;
}

void override_keep_level(struct override *o, uint32_t level_ppm, int64_t now_ms)
{
	o->is_step = true;
	o->from_ppm = o->to_ppm = level_ppm;
	o->from_ms = now_ms;
	o->over_ms = 0;
	o->until_ms = MODEL_TIME_NEVER;
}

bool override_is_step_at(const struct override *o, const char *site)
{
	return o->is_step && *o->operation && !strcmp(o->name, site);
}

const char *override_kind_text(int kind)
{
	static const char *const texts[] = { "drain", "disable", "force_up", "hold", "drill" };

	return texts[kind];
}

const char *override_target_text(int target)
{
	static const char *const texts[] = { "site", "backend", "node" };

	return texts[target];
}

int64_t override_done_ms(const struct override *o)
{
	bool ramps = o->target == MODEL_TARGET_SITE && o->kind != MODEL_OVERRIDE_DISABLE;

	if (o->until_ms >= MODEL_TIME_NEVER - o->over_ms)
		return MODEL_TIME_NEVER;
	return ramps ? o->until_ms + o->over_ms : o->until_ms;
}

int64_t override_time(const struct override *o, int64_t now_ms)
{
	return o->how == RAMP_FREE || o->at_ms > now_ms ? now_ms : o->at_ms;
}

bool override_is_done(const struct override *o, int64_t now_ms)
{
	return o->ended || override_time(o, now_ms) >= override_done_ms(o);
}

void override_make_id(const char *node, int64_t now_ms, uint32_t salt, char out[MODEL_ID_MAX])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint64_t value = (uint64_t)now_ms << 12 | (salt & 0xfff);
	char text[14];
	size_t n = sizeof(text) - 1;

	text[n] = '\0';
	do {
		text[--n] = digits[value % 36];
		value /= 36;
	} while (value && n);
	snprintf(out, MODEL_ID_MAX, "%.16s-%s", node, text + n);
}

bool override_same_target(const struct override *a, const struct override *b)
{
	return a->target == b->target && !strcmp(a->pool, b->pool) && !strcmp(a->name, b->name) &&
	       !strcmp(a->service, b->service);
}

/* All fields on which nodes must agree, as one text. */
static void write_canonical(const struct override *o, char out[CANONICAL_MAX])
{
	char clients[ADDR_LONG_TEXT_MAX];

	snprintf(out, CANONICAL_MAX,
	         "%s %016" PRIx64 " %d %d %s/%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
	         " %u %d %s\n%s\n%s\n%d %u %u %u %" PRId64 " %s/%s %d %d %s\n",
	         o->id, o->generation, o->kind, o->target, o->pool, o->name, o->created_ms,
	         o->from_ms, o->over_ms, o->until_ms, o->from_ppm, o->ended, o->node, o->author,
	         o->reason, o->is_step, o->epoch, o->step, o->to_ppm, o->late_from_ms, o->service,
	         o->operation, o->own_vips, o->shared_vips, prefix_text(&o->clients, clients));
}

int override_compare(const struct override *a, const struct override *b)
{
	const uint64_t a_fields[] = { a->generation, a->epoch, a->step };
	const uint64_t b_fields[] = { b->generation, b->epoch, b->step };

	for (size_t i = 0; i < 3; i++)
		if (a_fields[i] != b_fields[i])
			return a_fields[i] < b_fields[i] ? -1 : 1;
	return 0;
}

/* Which kinds say something of the same: a hold is of a drain. */
static bool is_rival(enum model_override_kind later, enum model_override_kind kind)
{
	if (kind == MODEL_OVERRIDE_HOLD)
		return later == MODEL_OVERRIDE_DRAIN;
	return later == kind && kind != MODEL_OVERRIDE_DRILL;
}

/* Of two nodes' commands with one stamp that of the node with the greater name is the later; what it ended is none. */
static bool is_later(const struct override *a, const struct override *b)
{
	if (a->generation == b->generation)
		return !a->ended && strcmp(a->node, b->node) > 0;
	return a->generation > b->generation && a->prior != b->generation;
}

bool override_overrules(const struct override *later, const struct override *o)
{
	bool is_step = later->epoch || o->epoch;

	return is_later(later, o) && is_rival(later->kind, o->kind) &&
	       (!is_step || o->kind == MODEL_OVERRIDE_HOLD) && override_same_target(later, o) &&
	       strcmp(later->id, o->id) != 0;
}

void override_end_by(const struct override *o, const struct override *later, struct override *out)
{
	*out = *o;
	override_leave_operation(out, later->generation + (later->generation == o->generation));
	out->how = RAMP_FREE;
	out->until_ms = hlc_ms(later->generation) > o->created_ms ? hlc_ms(later->generation)
	                                                          : o->created_ms;
	out->ended = true;
}

/* Whether @p a replaces @p b. */
static bool wins_over(const struct override *a, const struct override *b)
{
	char x[CANONICAL_MAX], y[CANONICAL_MAX];
	int order = override_compare(a, b);

	if (order)
		return order > 0;
	write_canonical(a, x);
	write_canonical(b, y);
	return strcmp(x, y) > 0;
}

static size_t find_override_index(const struct overrides *overrides, const char *id, bool *found)
{
	return sorted_index(id, overrides->items, overrides->n_items, sizeof(*overrides->items),
	                    sorted_by_chars, found);
}

const struct override *overrides_find(const struct overrides *overrides, const char *id)
{
	bool found;
	size_t at = find_override_index(overrides, id, &found);

	return found ? &overrides->items[at] : NULL;
}

const char *overrides_withdrawn_by(const struct overrides *overrides, const char *site)
{
	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];

		if (override_is_step_at(o, site) && !o->ended && !*o->service &&
		    o->own_vips == MODEL_VIPS_WITHDRAWN)
			return o->operation;
	}
	return NULL;
}

const struct override *overrides_hold(const struct overrides *overrides, const struct override *o,
                                      int64_t now_ms)
{
	const struct override *first = NULL;

	for (size_t i = 0; i < overrides->n_items && o->target == MODEL_TARGET_SITE; i++) {
		const struct override *hold = &overrides->items[i];

		if (hold->kind == MODEL_OVERRIDE_HOLD && override_same_target(hold, o) &&
		    hold->from_ms <= now_ms && !override_is_done(hold, now_ms) &&
		    (!first || hold->from_ms < first->from_ms))
			first = hold;
	}
	return first;
}

/* The highest level that a drain of the target of @p hold has. */
static uint32_t held_level(const struct overrides *overrides, const struct override *hold,
                           int64_t now_ms)
{
	uint32_t level = 0;

	for (size_t i = 0; i < overrides->n_items && !override_is_done(hold, now_ms); i++) {
		const struct override *o = &overrides->items[i];
		bool held = o->kind == MODEL_OVERRIDE_DRAIN && override_same_target(o, hold);
		uint32_t own = held ? overrides_level(overrides, o, now_ms) : 0;

		level = own > level ? own : level;
	}
	return level;
}

uint32_t overrides_level(const struct overrides *overrides, const struct override *o,
                         int64_t now_ms)
{
	if (o->kind == MODEL_OVERRIDE_HOLD)
		return held_level(overrides, o, now_ms);
	const struct override *hold =
	        o->kind == MODEL_OVERRIDE_DRAIN ? overrides_hold(overrides, o, now_ms) : NULL;
	struct model_override as_model;
	int64_t at_ms = override_time(o, now_ms);

	if (hold && hold->from_ms < at_ms)
		at_ms = hold->from_ms;

	override_to_model(o, &as_model);
	if (o->is_step && o->level_known && !o->level_is_earlier && !o->ended && !hold)
		return o->level_ppm;
	if (o->target == MODEL_TARGET_SITE) /* of a drill: 0 */
		return model_override_ppm(&as_model, at_ms);
	return o->from_ms <= now_ms && !override_is_done(o, now_ms) ? MODEL_PPM_ALL : 0;
}

uint32_t overrides_level_shown(const struct overrides *overrides, const struct override *o,
                               int64_t now_ms)
{
	bool is_earlier = o->is_step && o->level_known && o->level_is_earlier && !o->ended;

	return is_earlier && !overrides_hold(overrides, o, now_ms)
	               ? o->level_ppm
	               : overrides_level(overrides, o, now_ms);
}

/* The state of a step in a word while it neither waits for its ramp nor returns by itself. */
static const char *step_state(const struct override *o, int64_t now_ms)
{
	if (o->from_ppm > o->to_ppm)
		return "returning";
	if (now_ms - o->from_ms < o->over_ms)
		return "ramping";
	if (o->to_ppm == MODEL_PPM_ALL)
		return "drained";
	return *o->operation ? "shifted" : "held"; /* a person's: nobody goes on with it */
}

const char *overrides_state(const struct overrides *overrides, const struct override *o,
                            int64_t now_ms)
{
	if (!o->ended && now_ms >= o->from_ms && o->kind == MODEL_OVERRIDE_DRAIN &&
	    overrides_hold(overrides, o, now_ms))
		return "held"; /* even after its until: the hold has not ended */
	if (override_is_done(o, now_ms))
		return "done";
	if (o->how == RAMP_HELD_SITE)
		return "expired_held";
	if (o->how == RAMP_HELD_CLOCK)
		return "held";
	now_ms = override_time(o, now_ms);
	if (now_ms < o->from_ms && overrides_level(overrides, o, now_ms) == 0)
		return "scheduled";
	if (o->kind == MODEL_OVERRIDE_DRILL)
		return "drilling";
	/* the level that was reached stays until the next ramp begins */
	if (now_ms < o->from_ms)
		return o->until_ms <= o->from_ms ? "returning" : "ramping";
	if (o->kind == MODEL_OVERRIDE_HOLD)
		return "held";
	/* a backend's return is shown from its announcement on */
	if (now_ms >= o->until_ms ||
	    (o->target == MODEL_TARGET_BACKEND && o->until_ms - now_ms <= OVERRIDE_ANNOUNCED_MS))
		return "returning";
	if (o->target == MODEL_TARGET_NODE && o->left != OVERRIDE_LEFT)
		return o->left == OVERRIDE_LEAVING ? "draining" : "unknown";
	if (o->kind == MODEL_OVERRIDE_DISABLE)
		return "disabled";
	if (o->kind == MODEL_OVERRIDE_FORCE_UP)
		return "forced_up";
	if (o->is_step)
		return step_state(o, now_ms);
	return now_ms - o->from_ms < o->over_ms ? "ramping" : "drained";
}

void overrides_note_edit(struct overrides *overrides)
{
	static _Atomic uint64_t editions;

	overrides->edition = ++editions;
}

static void drop_override(struct overrides *overrides, size_t at)
{
	overrides_note_edit(overrides);
	overrides->n_items--;
	memmove(overrides->items + at, overrides->items + at + 1,
	        (overrides->n_items - at) * sizeof(*overrides->items));
}

bool overrides_is_over(const struct overrides *overrides, const struct override *o, int64_t now_ms)
{
	return override_is_done(o, now_ms) && !overrides_level(overrides, o, now_ms);
}

/* Make room by dropping the tombstone that has been done the longest. */
static bool drop_oldest_done(struct overrides *overrides, int64_t now_ms)
{
	size_t oldest = overrides->n_items;

	for (size_t i = 0; i < overrides->n_items; i++)
		if (overrides_is_over(overrides, &overrides->items[i], now_ms) &&
		    (oldest == overrides->n_items ||
		     overrides->items[i].until_ms < overrides->items[oldest].until_ms))
			oldest = i;
	if (oldest == overrides->n_items)
		return false;
	drop_override(overrides, oldest);
	return true;
}

/* Over for OVERRIDE_KEPT_MS: no longer kept, nor accepted from peers. */
static bool is_forgotten(const struct overrides *overrides, const struct override *o,
                         int64_t now_ms)
{
	return o->until_ms <= now_ms - OVERRIDE_KEPT_MS && overrides_is_over(overrides, o, now_ms);
}

/* Make room for one more. */
static int reserve_override(struct overrides *overrides)
{
	size_t room = 2 * overrides->n_items;

	if (overrides->n_items < overrides->room)
		return 0;
	room = room < ROOM_LEAST ? ROOM_LEAST : room < OVERRIDES_MAX ? room : OVERRIDES_MAX;
	struct override *items = realloc(overrides->items, room * sizeof(*items));

	if (!items)
		return -ENOMEM;
	overrides->items = items;
	overrides->room = room;
	return 0;
}

int overrides_merge(struct overrides *overrides, const struct override *o, int64_t now_ms)
{
	bool found;
	size_t at = find_override_index(overrides, o->id, &found);

	if (!found && is_forgotten(overrides, o, now_ms))
		return 0;

	if (found) {
		if (!wins_over(o, &overrides->items[at]))
			return 0;
		overrides->items[at] = *o;
		overrides_note_edit(overrides);
		return 1;
	}
	if (overrides->n_items >= OVERRIDES_MAX) {
		if (!drop_oldest_done(overrides, now_ms))
			return -ENOSPC;
		at = find_override_index(overrides, o->id, &found);
	}
	if (reserve_override(overrides))
		return -ENOMEM;
	struct override *items = overrides->items;

	memmove(items + at + 1, items + at, (overrides->n_items - at) * sizeof(*items));
	items[at] = *o;
	overrides->n_items++;
	overrides_note_edit(overrides);
	return 1;
}

/* A command that is stamped by what is ahead is not taken elsewhere: that is only for who must be later. */
uint64_t overrides_newest(const struct overrides *overrides, const struct override *o,
                          int64_t now_ms)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *p = &overrides->items[i];
		bool is_there = p->target == o->target && !strcmp(p->pool, o->pool) &&
		                !strcmp(p->name, o->name);

		if (p->generation > newest && (is_there || !hlc_is_ahead(p->generation, now_ms)))
			newest = p->generation;
	}
	return newest;
}

size_t overrides_live(const struct overrides *overrides, int64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < overrides->n_items; i++)
		n += !override_is_done(&overrides->items[i], now_ms);
	return n;
}

size_t overrides_prune(struct overrides *overrides, int64_t now_ms)
{
	size_t dropped = 0;

	for (size_t i = overrides->n_items; i-- > 0;) {
		if (!is_forgotten(overrides, &overrides->items[i], now_ms))
			continue;
		drop_override(overrides, i);
		dropped++;
	}
	return dropped;
}

static const char *make_digest(const struct overrides *overrides, int64_t now_ms,
                               char out[DIGEST_TEXT_MAX])
{
	char text[CANONICAL_MAX];
	uint8_t raw[SHA256_BYTES];
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < overrides->n_items; i++) {
		if (is_forgotten(overrides, &overrides->items[i], now_ms))
			continue;
		write_canonical(&overrides->items[i], text);
		sha256_add(&s, text, strlen(text));
	}
	sha256_end(&s, raw);
	return digest_text(raw, out);
}

/* When the next one is forgotten; MODEL_TIME_NEVER. */
static int64_t find_next_forgotten(const struct overrides *overrides, int64_t now_ms)
{
	int64_t next_ms = MODEL_TIME_NEVER;

	for (size_t i = 0; i < overrides->n_items; i++) {
		const struct override *o = &overrides->items[i];
		int64_t at_ms = o->until_ms < MODEL_TIME_NEVER - OVERRIDE_KEPT_MS
		                        ? o->until_ms + OVERRIDE_KEPT_MS
		                        : MODEL_TIME_NEVER;

		if (!is_forgotten(overrides, o, now_ms) && at_ms < next_ms)
			next_ms = at_ms;
	}
	return next_ms;
}

const char *overrides_digest_at(const struct overrides *overrides, int64_t now_ms,
                                struct overrides_digest *kept)
{
	if (*kept->text && kept->edition == overrides->edition && now_ms >= kept->from_ms &&
	    now_ms < kept->until_ms)
		return kept->text;
	kept->edition = overrides->edition;
	kept->from_ms = now_ms;
	kept->until_ms = find_next_forgotten(overrides, now_ms);
	return make_digest(overrides, now_ms, kept->text);
}

int overrides_copy(struct overrides *to, const struct overrides *from)
{
	struct override *items = malloc((from->n_items + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	if (from->n_items > 0)
		memcpy(items, from->items, from->n_items * sizeof(*items));
	*to = (struct overrides){ .items = items,
		                  .n_items = from->n_items,
		                  .edition = from->edition };
	return 0;
}

void overrides_fini(struct overrides *overrides)
{
	free(overrides->items);
	*overrides = (struct overrides){ 0 };
}
