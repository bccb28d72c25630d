/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of tables/backup.h. In one table, where "ready" is that the backup's site is neither
 * drained nor down and at least min_healthy of its weight is up, and "maybe" that nothing speaks
 * against it:
 *
 *   needed   own backends   backup   class
 *   no       any            any      own, after BACKUP_RETURN_MS
 *   late     any            ready    backup
 *   late     any            maybe    own
 *   failed   some up        ready    backup
 *   failed   some up        maybe    own
 *   failed   none           ready    backup
 *   failed   none           maybe    backup
 *   any      any            neither  own, at once
 *
 * A backup that is used stays so while it is "maybe": a check that loses its verdict switches
 * nothing.
 */
#include "dataplane/tables/backup.h"

/* The load may rise to this part of the limit, so that its noise does not lower it again. */
#define AIM_PERCENT  95u
#define UNKNOWN_PART 8u /* of the late clients: while it is not known how many there are */
/* Below this part of the limit the share grows. */
#define GROW_PERCENT 80u

static bool is_down(const struct guard_backend *b)
{
	return b->verdict == GUARD_DOWN || (b->verdict == GUARD_UNKNOWN && b->dead);
}

struct backup_weights backup_add_up(const struct guard_backend *b, size_t n)
{
	struct backup_weights w = { 0 };
	bool alike = true;

	for (size_t i = 0; i < n; i++)
		alike &= b[i].weight == 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t weight = alike ? 1 : b[i].weight;

		if (b[i].intent == GUARD_DISABLED)
			continue;
		w.total += weight;
		if (b[i].intent == GUARD_FORCED_UP || b[i].verdict == GUARD_UP ||
		    b[i].verdict == GUARD_UNCHECKED)
			w.up += weight;
		else if (is_down(&b[i]))
			w.down += weight;
	}
	return w;
}

/* A pool whose backends a person has all disabled has none up, and that is no guess. */
static bool has_failed(const struct backup_weights *w, uint32_t min_percent)
{
	return w->down == w->total || (w->total - w->down) * 100 < w->total * min_percent;
}

static bool is_ready(const struct backup_weights *w, uint32_t min_percent)
{
	return w->up && w->up * 100 >= w->total * min_percent;
}

/*
 * Why the backup cannot be used, EFFECT_BACKUP_USABLE if it can. @p must_prove: it is not enough
 * that nothing speaks against it.
 */
static enum effect_backup_unused find_obstacle(const struct backup_facts *f, bool must_prove)
{
	if (f->site_drained)
		return EFFECT_BACKUP_SITE_DRAINED;
	if (f->site_down)
		return EFFECT_BACKUP_SITE_DOWN;
	if (has_failed(&f->backup, f->backup_min_percent))
		return EFFECT_BACKUP_POOL_DOWN;
	if (must_prove && !is_ready(&f->backup, f->backup_min_percent))
		return EFFECT_BACKUP_UNPROVEN;
	return EFFECT_BACKUP_USABLE;
}

static void set_class(struct backup_state *s, enum effect_class class, uint64_t now_ms)
{
	bool was_used = s->class != EFFECT_CLASS_OWN, is_used = class != EFFECT_CLASS_OWN;

	if (was_used != is_used) {
		s->since_ms = now_ms;
		s->share = is_used ? BACKUP_SHARE_ALL : 0;
		s->class = (uint8_t) class;
	}
}

uint64_t backup_decide(struct backup_state *s, const struct backup_facts *f, uint64_t now_ms)
{
	bool failed = has_failed(&f->own, f->own_min_percent);
	bool own_left = f->own.down < f->own.total;
	enum effect_backup_unused obstacle =
	        find_obstacle(f, own_left && s->class == EFFECT_CLASS_OWN);
	uint64_t end_ms = s->needed_ms + BACKUP_RETURN_MS;

	s->unused = EFFECT_BACKUP_USABLE;
	s->obstacle = (uint8_t)find_obstacle(f, true);
	if (failed || f->late) {
		s->cause = failed ? EFFECT_BACKUP_FAILED : EFFECT_BACKUP_LATE;
		s->unused = (uint8_t)obstacle;
		s->needed_ms = now_ms;
		set_class(s, obstacle ? EFFECT_CLASS_OWN : EFFECT_CLASS_BACKUP, now_ms);
		return UINT64_MAX;
	}
	if (s->class != EFFECT_CLASS_OWN && !obstacle && now_ms < end_ms)
		return end_ms;
	s->cause = EFFECT_BACKUP_NOT_NEEDED;
	set_class(s, EFFECT_CLASS_OWN, now_ms);
	return UINT64_MAX;
}

static uint64_t percent_of(uint64_t load, uint64_t limit)
{
	return limit ? load / limit * 100 + load % limit * 100 / limit : UINT64_MAX;
}

/* How much of the limit the load is, in percent, by the measure that is nearer to its limit. */
static uint64_t use_of(const struct backup_load *load, const struct backup_limit *limit)
{
	uint64_t flows = percent_of(load->flows_per_s, limit->flows_per_s);
	uint64_t bits = percent_of(load->bits_per_s, limit->bits_per_s);

	return flows > bits ? flows : bits;
}

/* @p share of the slots brings @p use percent of the limit: the share that brings AIM_PERCENT. */
static uint16_t aim_share(uint64_t share, uint64_t use)
{
	uint64_t to = share * AIM_PERCENT / use;

	if (to > BACKUP_SHARE_ALL)
		return BACKUP_SHARE_ALL;
	return to ? (uint16_t)to : 1;
}

static bool set_share(struct backup_state *s, uint16_t share)
{
	bool changed = share != s->share;

	s->share = share;
	s->class = share < BACKUP_SHARE_ALL ? EFFECT_CLASS_LIMITED : EFFECT_CLASS_BACKUP;
	return changed;
}

void backup_begin_share(struct backup_state *s, const struct backup_load *own,
                        const struct backup_limit *limit)
{
	uint64_t use = use_of(own, limit);

	if (!own->known)
		set_share(s, s->cause == EFFECT_BACKUP_LATE ? BACKUP_SHARE_ALL / UNKNOWN_PART
		                                            : BACKUP_SHARE_ALL);
	else
		set_share(s, use > 100 ? aim_share(BACKUP_SHARE_ALL, use) : BACKUP_SHARE_ALL);
}

bool backup_follow_load(struct backup_state *s, const struct backup_load *at_backup,
                        const struct backup_limit *limit)
{
	uint64_t use;
	uint32_t more;

	if (s->class == EFFECT_CLASS_OWN || !at_backup->known)
		return false;
	use = use_of(at_backup, limit);
	if (use > 100)
		return set_share(s, aim_share(s->share, use));
	if (use >= GROW_PERCENT || s->share == BACKUP_SHARE_ALL)
		return false;
	more = s->share + s->share / 4u + 1u;
	if (use && more > aim_share(s->share, use))
		more = aim_share(s->share, use);
	return set_share(s, more < BACKUP_SHARE_ALL ? (uint16_t)more : BACKUP_SHARE_ALL);
}
