/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From verdicts to what is in force. For each pool: read the words of the health page and the state
 * of next hops, let the guards decide (tables/guard.h), write the flags of backends, give the owners the
 * new states.
 *
 * A death must be in the tables within a millisecond or two, so pools with a death come before all
 * others, and a verdict may come between the steps of a document. The health page is written by
 * another process without a lock: its words count only if the layout was the same before and after
 * they were read.
 */
#include "dataplane/tables/compiler_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/page.h"
#include "weir/health.h"
#include "weir/model.h"

/*
 * While the layout of the health page changes, it is read again so often. The writer takes far
 * less.
 */
#define LAYOUT_AGAIN_MS 10u

void compiler_set_health(struct compiler *n, const struct health_page *page)
{
	n->health = page;
	n->health_page = NULL;
	n->health_generation = 0;
}

void compiler_set_health_page(struct compiler *n, struct page *page)
{
	compiler_set_health(n, page_payload(page));
	n->health_page = page;
}

void compiler_find_page_indexes(struct compiler *n)
{
	uint32_t generation;

	if (!n->health)
		return;
	generation = __atomic_load_n(&n->health->generation, __ATOMIC_ACQUIRE);
	if ((generation & 1) || generation + 1 == n->health_generation)
		return;
	for (size_t i = 0; i < n->n_pools; i++)
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++) {
			struct compiler_backend *b = &n->pools[i].backends[k];

			b->page_index = health_find_index(n->health, b->target);
		}
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].backup)
			compiler_find_backup_checks(n, &n->pools[i]);
	n->health_generation = generation + 1;
}

/*
 * Whether the words that were read are those of our backends: the page has the layout of the last
 * look-up and is not damaged. Call it after they were read.
 */
static bool page_is_unchanged(const struct compiler *n)
{
	if (!n->health)
		return true;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&n->health->generation, __ATOMIC_RELAXED) + 1 ==
	               n->health_generation &&
	       (!n->health_page || page_is_sound(n->health_page));
}

/* The word of its check on the health page; 0: there is none. */
static health_word check_word(const struct compiler *n, const struct compiler_pool *p,
                              const struct compiler_backend *b)
{
	bool has = plan_pool_of(p->plan, b->plan)->check && n->health && b->page_index >= 0;

	return has ? health_read(n->health, b->page_index) : 0;
}

static uint8_t seen_of(const struct compiler_pool *p, const struct compiler_backend *b,
                       health_word word)
{
	if (!plan_pool_of(p->plan, b->plan)->check)
		return GUARD_UNCHECKED;
	switch (health_state(word)) {
	case HEALTH_UP:
		return GUARD_UP;
	case HEALTH_DOWN:
		return GUARD_DOWN;
	default:
		return GUARD_UNKNOWN;
	}
}

static enum owners_state owners_state_of(const struct compiler_backend *b)
{
	if (b->alive)
		return OWNERS_SERVES;
	return b->reason == EFFECT_REASON_WAITING ? OWNERS_WAITS : OWNERS_DEAD;
}

static void store_dead(struct compiler *n, const struct compiler_backend *b)
{
	struct fwd_backend e = n->shadow.t.backends[b->index];

	if (owners_state_of(b) == OWNERS_DEAD)
		e.flags |= FWD_BACKEND_DEAD;
	else
		e.flags &= (uint8_t)~FWD_BACKEND_DEAD;
	compiler_put_backend(n, b->index, &e);
}

/*
 * Bring the decision on one backend into force, count and log it; note what the owners have to
 * see.
 */
static void apply_decision(struct compiler *n, struct compiler_pool *p, struct compiler_backend *b,
                           const struct guard_backend *g)
{
	bool was = b->alive, differs = was != g->alive || b->reason != g->reason || !b->known;
	enum owners_state before = (enum owners_state)n->states[b->index];

	b->good = g->good;
	b->good_ms = g->good_ms;
	if (!differs)
		return;
	b->alive = g->alive;
	b->reason = g->reason;
	n->states[b->index] = (uint8_t)owners_state_of(b);
	p->changed |= !b->known || before != owners_state_of(b);
	p->died |= b->known && was && !b->alive;
	n->counters.deaths += b->known && was && !b->alive;
	n->counters.returns += b->known && !was && b->alive;
	n->counters.held += guard_is_hold((enum effect_reason)b->reason);
	store_dead(n, b);
	if (b->known && (was != b->alive || guard_is_hold((enum effect_reason)b->reason)))
		log_note(b->alive ? "backend-in-force" : "backend-out",
		         "pool=%s backend=%s reason=\"%s\"", plan_pool_of(p->plan, b->plan)->name,
		         b->plan->name, effect_reason_text((enum effect_reason)b->reason));
	b->known = true;
}

/*
 * Whether the backend is out because its check said so: not for want of a verdict, not by a
 * person's decision, and not because of its next hop, which is looked at afresh each time.
 */
static bool is_known_dead(const struct compiler_backend *b)
{
	return b->known && !b->alive && b->reason != EFFECT_REASON_WAITING &&
	       b->reason != EFFECT_REASON_DISABLED &&
	       !effect_reason_is_path((enum effect_reason)b->reason);
}

/*
 * What the guards have to know of @p b. @p at_ms is made earlier if its next hop will take it out
 * later.
 */
static struct guard_backend observe_backend(struct compiler *n, const struct compiler_pool *p,
                                            struct compiler_backend *b,
                                            const struct compiler_time *time, uint64_t *at_ms)
{
	health_word word = check_word(n, p, b);
	enum effect_reason cut = compiler_next_hop_reason(n, p, b, word, time, at_ms);

	b->word = word;
	return (struct guard_backend){ .id = b->plan->id,
		                       .weight = b->plan->weight,
		                       .verdict = cut ? GUARD_DOWN : seen_of(p, b, word),
		                       .intent = b->plan->intent,
		                       .down_reason = (uint8_t)cut,
		                       .known = b->known,
		                       .alive = b->alive,
		                       .good = b->good,
		                       .good_ms = b->good_ms,
		                       .dead = is_known_dead(b) };
}

/*
 * Report the results of checks to next hops: silence behind a next hop makes the kernel ask it at
 * once.
 */
static void report_checks(struct compiler *n, struct compiler_pool *p)
{
	for (size_t i = 0; n->hops && i < p->plan->n_backends; i++)
		if (p->plan->backends[i].class != PLAN_FULL)
			compiler_report_check(n, &p->backends[i],
			                      check_word(n, p, &p->backends[i]));
}

/* What the guards have to know of a pool's backends, own ones first, and whose rows they are. */
struct observed {
	struct guard_backend *g;
	uint32_t *at;
	size_t n_own, n_backup;
};

static size_t observe_class(struct compiler *n, struct compiler_pool *p, enum plan_class class,
                            const struct compiler_time *time, struct observed *o, size_t from,
                            uint64_t *cut_at_ms)
{
	size_t used = from;

	for (uint32_t i = 0; i < p->plan->n_backends; i++) {
		if (p->plan->backends[i].class != class)
			continue;
		o->g[used] = observe_backend(n, p, &p->backends[i], time, cut_at_ms);
		o->at[used++] = i;
	}
	return used - from;
}

static bool observe_pool(struct compiler *n, struct compiler_pool *p,
                         const struct compiler_time *time, struct observed *o, uint64_t *cut_at_ms)
{
	size_t count = p->plan->n_backends ? p->plan->n_backends : 1;

	*o = (struct observed){ .g = calloc(count, sizeof(*o->g)),
		                .at = calloc(count, sizeof(*o->at)) };
	if (!o->g || !o->at)
		return false;
	o->n_own = observe_class(n, p, PLAN_OWN, time, o, 0, cut_at_ms);
	o->n_backup = observe_class(n, p, PLAN_BACKUP, time, o, o->n_own, cut_at_ms);
	return true;
}

/*
 * No word of the page counts. Next hops are not on the page: who is out because of one stays out. (The
 * word that was read for it may be another's, by which its packets arrive.)
 */
static void forget_seen(const struct compiler *n, const struct compiler_pool *p,
                        const struct compiler_time *time, struct observed *o)
{
	for (size_t i = 0; i < o->n_own + o->n_backup; i++) {
		const struct compiler_backend *b = &p->backends[o->at[i]];
		struct guard_backend *g = &o->g[i];
		uint64_t at_ms = UINT64_MAX;

		if (seen_of(p, b, 0) == GUARD_UNCHECKED)
			continue;
		g->down_reason =
		        g->alive ? EFFECT_REASON_UNKNOWN
		                 : (uint8_t)compiler_next_hop_reason(n, p, b, 0, time, &at_ms);
		g->verdict = g->down_reason ? GUARD_DOWN : GUARD_UNKNOWN;
	}
}

static void free_observed(struct observed *o)
{
	free(o->g);
	free(o->at);
}

/*
 * How long the check of @p m takes at most to see that a backend is up again: a success more than it
 * needs, since the checks of a pool do not look at the same time.
 */
static uint32_t recover_ms(const struct model_pool *m)
{
	const struct model_check *c = m->check;
	uint64_t ms = c ? (c->rise + 1ull) * c->interval_ms + c->timeout_ms : 0;

	return ms < GUARD_WINDOW_MS ? (uint32_t)ms : GUARD_WINDOW_MS;
}

/* Apply the guards, to each class by the rules of its own pool. @return when to decide again */
static uint64_t apply_guards(struct compiler_pool *p, uint64_t now_ms, struct observed *o)
{
	const struct model_pool *m = p->plan->model, *backup = p->plan->backup;
	const struct guard_pool rules = { m->min_healthy_percent, m->max_remove_percent,
		                          p->plan->fail_closed,
		                          p->backup && p->backup->state.class != EFFECT_CLASS_OWN,
		                          recover_ms(m) };
	uint64_t at_ms = guard_apply(&rules, p->window, now_ms, o->g, o->n_own), backup_at_ms;

	if (!backup)
		return at_ms;
	const struct guard_pool theirs = { backup->min_healthy_percent, backup->max_remove_percent,
		                           true, false, 0 };

	backup_at_ms =
	        guard_apply(&theirs, &p->backup->window, now_ms, o->g + o->n_own, o->n_backup);
	return at_ms < backup_at_ms ? at_ms : backup_at_ms;
}

static uint64_t earlier_ms(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Let the guards decide which backends of the pool are in force, and before them which class takes
 * the new flows; sets p->changed if the owners have to see it. The words are read first and checked
 * afterwards (page_is_unchanged()): if the page changed meanwhile, none of them counts, and the pool
 * is decided again soon.
 */
static void decide_pool(struct compiler *n, struct compiler_pool *p,
                        const struct compiler_time *time)
{
	uint64_t again_ms = UINT32_MAX, at_ms = UINT64_MAX;
	struct observed o;

	if (!observe_pool(n, p, time, &o, &at_ms)) { /* out of memory: nothing changes */
		free_observed(&o);
		p->guard_at_ms = time->now_ms + 1000;
		return;
	}
	if (page_is_unchanged(n)) {
		report_checks(n, p);
		if (p->backup)
			at_ms = earlier_ms(at_ms,
			                   compiler_decide_backup(n, p, o.g, o.n_own, o.g + o.n_own,
			                                          o.n_backup, time));
	} else { /* the layout is changing: nothing is taken out or brought back meanwhile */
		forget_seen(n, p, time, &o);
		again_ms = LAYOUT_AGAIN_MS;
	}
	at_ms = earlier_ms(at_ms, apply_guards(p, time->now_ms, &o));
	p->guard_at_ms = earlier_ms(at_ms, time->now_ms + again_ms);
	for (size_t i = 0; i < o.n_own + o.n_backup; i++)
		apply_decision(n, p, &p->backends[o.at[i]], &o.g[i]);
	free_observed(&o);
}

static size_t model_set_index(const struct model_pool *m, int64_t wall_clock_ms)
{
	size_t i = m->n_member_sets;

	while (i-- > 1 && m->member_sets[i].from_ms > wall_clock_ms)
		;
	return i;
}

/*
 * One of the document's sets, with this node's backend indexes. Dead backends that the set in force
 * does not name (disabled ones) are added without weight, so that the owners take away their slots.
 */
static size_t make_owners_set(const struct compiler *n, const struct compiler_pool *p,
                              const struct model_set *from, bool in_force,
                              struct owners_member *out)
{
	size_t at = 0, used = 0; /* members and backends are sorted by id */

	for (size_t i = 0; i < p->plan->n_backends; i++) {
		const struct compiler_backend *b = &p->backends[i];
		bool is_member;

		while (at < from->n_members && from->members[at].id < b->plan->id)
			at++;
		if (b->plan->class != PLAN_OWN)
			continue;
		is_member = at < from->n_members && from->members[at].id == b->plan->id;
		if (is_member || (in_force && n->states[b->index] == OWNERS_DEAD))
			out[used++] = (struct owners_member){
				.id = b->plan->id,
				.weight = is_member ? from->members[at].weight : 0,
				.backend = (uint16_t)b->index,
			};
	}
	return used;
}

/* The members of the backup, with this node's indexes, and the share that they have now. */
static struct owners_backup make_owners_backup(const struct compiler_pool *p,
                                               struct owners_member *out)
{
	size_t used = 0;

	for (size_t i = 0; i < p->plan->n_backends; i++) {
		const struct compiler_backend *b = &p->backends[i];

		if (b->plan->class == PLAN_BACKUP)
			out[used++] = (struct owners_member){ .id = b->plan->id,
				                              .weight = b->plan->weight,
				                              .backend = (uint16_t)b->index };
	}
	return (struct owners_backup){ out,
		                       used,
		                       p->backup->state.share,
		                       (uint16_t)p->backup->full_index,
		                       p->backup->is_drilled,
		                       p->backup->drill.share };
}

/* The plan's ring, translated to this node's backend indexes; NULL: there is none. */
static uint16_t *translate_ring(const struct compiler_pool *p, const uint16_t *ring)
{
	uint16_t *out = ring ? malloc(p->n_slots * sizeof(*out)) : NULL;

	for (uint32_t s = 0; out && s < p->n_slots; s++)
		out[s] = ring[s] ? (uint16_t)p->backends[ring[s] - 1].index : 0;
	return out;
}

static void free_rings(struct owners_set *member_sets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)member_sets[i].filled);
}

/*
 * All sets share one array of members, which the caller frees after owners_apply() has copied it.
 */
static int make_owners_sets(const struct compiler *n, const struct compiler_pool *p,
                            int64_t wall_clock_ms, struct owners_set *member_sets,
                            struct owners_member **members)
{
	const struct model_pool *m = p->plan->model;
	/* the first p->plan->n_backends are for the backup */
	size_t used = p->plan->n_backends, room = (m->n_member_sets + 1) * p->plan->n_backends;

	*members = calloc(room ? room : 1, sizeof(**members));
	if (!*members)
		return -ENOMEM;
	for (size_t s = 0; s < m->n_member_sets && s < OWNERS_SETS_MAX; s++) {
		size_t count =
		        make_owners_set(n, p, &m->member_sets[s],
		                        s == model_set_index(m, wall_clock_ms), *members + used);

		member_sets[s] = (struct owners_set){ m->member_sets[s].from_ms,
			                              m->member_sets[s].until_ms, *members + used,
			                              count, translate_ring(p, p->plan->rings[s]) };
		used += count;
	}
	return 0;
}

/*
 * Give the owners the new sets and verdicts. On failure nothing is stored, and `changed` stays set:
 * the tick tries again each second.
 */
static void apply_changed_pool(struct compiler *n, struct compiler_pool *p,
                               const struct compiler_time *time)
{
	const struct model_pool *m = p->plan->model;
	struct owners_times times = { m->settle_ms, m->idle_ms, p->plan->udp_idle_ms,
		                      plan_has_agents(p->plan), NULL };
	struct owners_backup backup;
	const struct owners_clock clock = { time->ticks_ms, time->wall_clock_ms };
	struct owners_set member_sets[OWNERS_SETS_MAX] = { 0 };
	struct owners_member *members = NULL;
	int err;

	err = make_owners_sets(n, p, time->wall_clock_ms, member_sets, &members);
	if (!err && p->backup) {
		backup = make_owners_backup(p, members);
		times.backup = &backup;
	}
	if (!err)
		err = owners_apply(p->owners, &times, member_sets, m->n_member_sets, n->states,
		                   n->sizes.backends, &clock);
	free(members);
	free_rings(member_sets, OWNERS_SETS_MAX);
	if (err) /* the tables stay as they were, the dead get nothing; tried again each second */
		log_error("owners-refused", "pool=%s error=\"%s\"", m->name, strerror(-err));
	else
		plan_free_rings(&n->plan->pools[p - n->pools]);
	p->changed = p->died = err != 0;
	p->owners_at_ms = time->now_ms;
}

static void apply_pool(struct compiler *n, struct compiler_pool *p,
                       const struct compiler_time *time)
{
	if (p->changed)
		apply_changed_pool(n, p, time);
}

void compiler_switch_pool(struct compiler *n, struct compiler_pool *p,
                          const struct compiler_time *time)
{
	for (size_t i = 0; i < p->plan->n_backends; i++)
		if (p->plan->backends[i].class != PLAN_FULL)
			compiler_update_next_hop(
			        n, p->backends[i].index, &p->plan->backends[i].address,
			        plan_pool_of(p->plan, &p->plan->backends[i])->mode ==
			                MODEL_MODE_L2);
	decide_pool(n, p, time);
	for (size_t i = 0; i < p->plan->n_backends; i++)
		compiler_write_backend(n, p, &p->backends[i]);
	p->waits = false;
	apply_pool(n, p, time);
	compiler_write_pool(n, p);
}

/* Give the owners of all pools what changed; @p died: only of pools with a death. */
static void apply_pools(struct compiler *n, bool died, const struct compiler_time *time)
{
	for (size_t i = 0; i < n->n_pools; i++) {
		struct compiler_pool *p = &n->pools[i];

		if (died && !p->died)
			continue;
		if (!p->waits)
			apply_pool(n, p, time);
		else if (p->died)
			compiler_switch_pool(n, p, time);
	}
}

/* Whether a check says another thing than when the pool was decided last; a backup has checks of its own. */
static bool has_news(const struct compiler *n, const struct compiler_pool *p)
{
	bool has_words = p->plan->model->check && n->health;

	if (p->backup)
		return true;
	for (size_t i = 0; i < p->plan->n_backends; i++) {
		const struct compiler_backend *b = &p->backends[i];

		if (b->word != (has_words ? health_read(n->health, b->page_index) : 0))
			return true;
	}
	return false;
}

void compiler_follow_verdicts(struct compiler *n, const struct compiler_time *time)
{
	compiler_find_page_indexes(n);
	for (size_t i = 0; i < n->n_pools; i++)
		if (has_news(n, &n->pools[i]))
			decide_pool(n, &n->pools[i], time);
	apply_pools(n, true, time);
	apply_pools(n, false, time);
}

void compiler_read_verdicts(struct compiler *n, const struct compiler_time *time)
{
	compiler_find_page_indexes(n);
	n->next_hops_changed = false;
	for (size_t i = 0; i < n->n_pools; i++)
		decide_pool(n, &n->pools[i], time);
	apply_pools(n, true, time);
	apply_pools(n, false, time);
}

static uint64_t tick_pool(struct compiler *n, struct compiler_pool *p,
                          const struct compiler_time *time)
{
	const struct owners_clock clock = { time->ticks_ms, time->wall_clock_ms };

	if (p->guard_at_ms <= time->now_ms) {
		compiler_find_page_indexes(n);
		decide_pool(n, p, time);
	}
	apply_pool(n, p, time);
	if (p->owners_at_ms <= time->now_ms)
		p->owners_at_ms = time->now_ms + owners_tick(p->owners, &clock);
	return p->guard_at_ms < p->owners_at_ms ? p->guard_at_ms : p->owners_at_ms;
}

uint64_t compiler_tick(struct compiler *n, const struct compiler_time *time)
{
	const struct owners_clock clock = { time->ticks_ms, time->wall_clock_ms };
	uint64_t due = time->now_ms + OWNERS_IDLE_MS;

	if (!n->plan)
		return due;
	if (plan_update(n->plan, time->wall_clock_ms) || n->next_hops_changed)
		compiler_read_verdicts(n, time);
	due = earlier_ms(due, compiler_limit_backups(n, time));
	for (size_t i = 0; i < n->n_pools; i++) {
		uint64_t at = tick_pool(n, &n->pools[i], time);

		compiler_yield(n);
		if (at < due)
			due = at;
	}
	owners_memory_tick(n->memory, &clock);
	due = earlier_ms(due, compiler_run_drills(n, time));
	compiler_release(n, time);
	return due > time->now_ms ? due : time->now_ms + 1;
}
