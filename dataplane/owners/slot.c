/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stores that change one slot while packets read it (owners/owners.h).
 *
 * A packet reads the slot's hot word first and its cold part afterwards, without a lock. So the
 * order of stores is the only protection (the readers' side is in fwd/owner.h):
 *   - a claim is stored before the hot word that makes its base an earlier owner: a packet that
 *     sees the new owner sees the claim of the old one;
 *   - a claim is ended after the hot word that gives the slot back to its base: no claim ends while
 *     the hot word names another owner.
 *
 * A claim has one base. A second change of the same slot leaves it alone: the base stays the owner
 * when the slot last settled, since any flow that is not remembered began there. Only its end may
 * move.
 */
#include "dataplane/owners/owners_internal.h"

#include <string.h>

/*
 * Exceptions count time in units of 8 s, and packets note their use each 4 s: so an exception may
 * live so many seconds longer than its idle time.
 */
#define COARSE_S 24u

/* 0 means "no time" in cold slots, and the clock's seconds pass through 0 when they wrap. */
static uint32_t not_zero(uint32_t at)
{
	return at != 0 ? at : 1;
}

static uint32_t load_u32(const uint32_t *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void store_u16(uint16_t *at, uint16_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* The hot word as packets read it, and its shadow. What is damaged is noted before it is mended. */
static void store_hot(struct owners *o, uint32_t s, uint16_t word)
{
	uint16_t *at = owners_hot(o, s);

	if (__atomic_load_n(at, __ATOMIC_RELAXED) != o->hot[s])
		owners_note_damage(o, s);
	o->hot[s] = word;
	store_u16(at, word);
}

static void store_u32(uint32_t *at, uint32_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

static uint32_t up_to_seconds(uint32_t ms)
{
	return ms / OWNERS_SECOND_MS + (ms % OWNERS_SECOND_MS != 0);
}

/* After so many seconds without use no exception of the slot can be alive. */
static uint32_t keep_s(const struct owners *o)
{
	uint32_t keep = up_to_seconds(o->times.idle_ms);

	if (keep < up_to_seconds(o->times.udp_idle_ms))
		keep = up_to_seconds(o->times.udp_idle_ms);
	return (keep < OWNER_CLOSING_S ? OWNER_CLOSING_S : keep) + COARSE_S;
}

uint32_t owners_udp_window_s(const struct owners *o)
{
	return up_to_seconds(o->times.udp_idle_ms) + 2;
}

/*
 * The cold part still has the values of an earlier change, so it is reset first: claims without
 * an end, times that are long past. Packets read it only after the hot word says so.
 */
void owners_slot_unsettle(struct owners *o, uint32_t s, uint32_t now_s)
{
	struct owner_cold *cold = owners_cold(o, s);
	uint16_t current = owners_current(o, s);

	if (owners_is_unsettled(o, s))
		return;
	for (int c = 0; c < OWNER_CLASSES; c++)
		cold->claim[c] = (struct owner_claim){ .base = current, .seen_at = now_s };
	cold->claim[OWNER_CLASS_TCP].spilled_at = (uint16_t)(now_s - OWNER_SPILL_S);
	store_u32(&cold->kept_at, now_s - keep_s(o) - 1);
	store_u32(&cold->scheduled_at, 0);
	if (o->times.agents)
		cold->list = (struct owner_list){ 0 };
	store_hot(o, s, current | FWD_SLOT_UNSETTLED);
}

/*
 * Store a claim, or move the end of one with the same base. A claim with another base stays: see
 * above.
 */
static void make_claim(struct owner_claim *claim, uint16_t base, uint32_t settle_at, uint32_t now_s)
{
	if (load_u32(&claim->settle_at) != 0 && claim->base != base)
		return;
	store_u16(&claim->base, base);
	store_u32(&claim->seen_at, now_s);
	store_u32(&claim->settle_at, not_zero(settle_at));
}

static void end_claim(struct owner_claim *claim)
{
	if (load_u32(&claim->settle_at) == 0)
		return;
	store_u32(&claim->settle_at, 0);
}

void owners_slot_schedule(struct owners *o, uint32_t s, const struct owners_clock *clock)
{
	struct owner_cold *cold = owners_cold(o, s);
	uint32_t now_s = owners_seconds(clock);

	owners_slot_unsettle(o, s, now_s);
	if (load_u32(&cold->scheduled_at) != 0)
		return;
	make_claim(&cold->claim[OWNER_CLASS_TCP], owners_current(o, s), now_s + OWNERS_CLAIM_MAX_S,
	           now_s);
	store_u32(&cold->scheduled_at, not_zero((uint32_t)clock->now_ms));
}

void owners_slot_unschedule(struct owners *o, uint32_t s)
{
	struct owner_cold *cold = owners_cold(o, s);
	uint16_t current = owners_current(o, s);

	store_u32(&cold->scheduled_at, 0);
	for (int c = 0; c < OWNER_CLASSES; c++)
		if (cold->claim[c].base == current)
			end_claim(&cold->claim[c]);
}

/* With agents the slot's list takes the memory of TCP's claim, which must not be touched then. */
static int first_claim(const struct owners *o)
{
	return o->times.agents ? OWNER_CLASS_UDP : 0;
}

/*
 * When the claim of @p owner ends that loses the slot now: at the drain's deadline, else after
 * the settling time.
 */
static uint32_t claim_end_s(const struct owners *o, uint32_t s, uint16_t owner, uint32_t now_s)
{
	if (o->before && o->before[s] == owner && (int32_t)(o->leave_s - now_s) > 0)
		return o->leave_s;
	return now_s + up_to_seconds(o->times.settle_ms);
}

/*
 * No datagram tells a new UDP flow from an old one: for a while all go to the old owner and are
 * remembered.
 */
static void claim_udp(struct owners *o, uint32_t s, uint16_t from, uint32_t now_s)
{
	if (o->times.udp_idle_ms > 0)
		make_claim(&owners_cold(o, s)->claim[OWNER_CLASS_UDP], from,
		           now_s + owners_udp_window_s(o), now_s);
}

/*
 * The claim first, then the hot word, and only then the schedule is cleared: at each moment a
 * packet finds the old owner or a claim of the old owner. A dead owner gets no claim: its flows
 * cannot continue.
 */
void owners_slot_move(struct owners *o, uint32_t s, uint16_t to, uint32_t now_s)
{
	uint16_t from = owners_current(o, s);
	struct owner_cold *cold = owners_cold(o, s);

	if (owners_keeps_flows(o, from)) {
		uint32_t end_s = claim_end_s(o, s, from, now_s);

		owners_slot_unsettle(o, s, now_s);
		make_claim(&cold->claim[OWNER_CLASS_TCP], from, end_s, now_s);
		claim_udp(o, s, from, now_s);
	}
	store_hot(o, s, to | (owners_is_unsettled(o, s) ? FWD_SLOT_UNSETTLED : 0));
	if (owners_is_unsettled(o, s))
		owners_slot_unschedule(o, s);
}

static void store_list(struct owner_list *to, const struct owner_list *list, uint64_t earlier)
{
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		to->end[i] = list->end[i];
	__atomic_store_n(&to->earlier, earlier, __ATOMIC_RELEASE);
}

/*
 * As owners_slot_move(), with a list instead of claims. Packets read the list in one load, some
 * nanoseconds before or after the hot word. So while the hot word changes, the list holds the old
 * owner and the new one: a packet never misses either. For this moment alone a list has room for one
 * entry more than packets name. A packet that finds a backend twice names it once.
 */
void owners_slot_store_list(struct owners *o, uint32_t s, uint16_t to,
                            const struct owner_list *list, uint32_t now_s)
{
	uint16_t from = owners_current(o, s);
	bool leaves = from != 0 && from != to && !owners_has(&o->dead, from);
	struct owner_cold *cold = owners_cold(o, s);

	if (list->earlier != 0 || leaves)
		owners_slot_unsettle(o, s, now_s);
	if (owners_is_unsettled(o, s) &&
	    (memcmp(list, &cold->list, sizeof(*list)) != 0 || from != to))
		store_list(&cold->list, list,
		           from == to ? list->earlier
		                      : owner_list_with(list->earlier, owner_list_n(list->earlier),
		                                        to));
	if (from == to)
		return;
	if (leaves)
		claim_udp(o, s, from, now_s);
	store_hot(o, s, to | (owners_is_unsettled(o, s) ? FWD_SLOT_UNSETTLED : 0));
	if (owners_is_unsettled(o, s))
		store_list(&cold->list, list, list->earlier);
}

/* As owners_slot_move() on empty tables, where each class may have another earlier owner. */
void owners_slot_seed(struct owners *o, uint32_t s, uint16_t to, const uint16_t base[OWNER_CLASSES],
                      const uint32_t end_s[OWNER_CLASSES], uint32_t now_s)
{
	for (int c = first_claim(o); c < OWNER_CLASSES; c++) {
		if (end_s[c] == 0 || base[c] == to || base[c] == 0 || owners_has(&o->dead, base[c]))
			continue;
		owners_slot_unsettle(o, s, now_s);
		make_claim(&owners_cold(o, s)->claim[c], base[c], end_s[c], now_s);
	}
	store_hot(o, s, to | (owners_is_unsettled(o, s) ? FWD_SLOT_UNSETTLED : 0));
}

/*
 * Flows of a dead base cannot continue. So first the base becomes the current owner, for packets
 * that still find the claim; then the claim ends. The claim of a scheduled slot stays: because of
 * it packets remember new flows.
 */
void owners_slot_expire_dead(struct owners *o, uint32_t s)
{
	struct owner_cold *cold = owners_cold(o, s);

	for (int c = first_claim(o); c < OWNER_CLASSES; c++) {
		struct owner_claim *claim = &cold->claim[c];

		if (load_u32(&claim->settle_at) == 0 || !owners_has(&o->dead, claim->base))
			continue;
		store_u16(&claim->base, owners_current(o, s));
		if (c != OWNER_CLASS_TCP || load_u32(&cold->scheduled_at) == 0)
			end_claim(claim);
	}
}

static bool is_past_s(uint32_t at_s, uint32_t now_s)
{
	return (int32_t)(now_s - at_s) >= 0;
}

/*
 * Units of time compare modulo 2^16. So a claim that has ended gets a new end in the last unit, again
 * and again: otherwise it would look like a claim that lasts when the units wrap.
 */
static void age_list(struct owner_list *list, uint32_t now_s)
{
	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		if (owner_list_at(list->earlier, i) != 0 && owner_list_is_over(list->end[i], now_s))
			list->end[i] = (uint16_t)(owners_list_unit(now_s) - 1);
}

/*
 * End TCP's claim when it is due, or when its base has had no packet for the idle time: then each
 * flow that could rely on it has ended. @return whether TCP keeps the slot on the slow path
 */
static bool settle_tcp(struct owners *o, uint32_t s, uint32_t now_s)
{
	struct owner_cold *cold = owners_cold(o, s);
	struct owner_claim *tcp = &cold->claim[OWNER_CLASS_TCP];
	uint32_t idle_at = load_u32(&tcp->seen_at) + up_to_seconds(o->times.idle_ms) + 1;

	if (o->times.agents) {
		age_list(&cold->list, now_s);
		return cold->list.earlier != 0;
	}
	if (load_u32(&cold->scheduled_at) != 0)
		return true;
	if (load_u32(&tcp->settle_at) != 0 &&
	    (is_past_s(load_u32(&tcp->settle_at), now_s) || is_past_s(idle_at, now_s)))
		end_claim(tcp);
	return load_u32(&tcp->settle_at) != 0;
}

/*
 * A slot returns to the fast path when no claim is left, no drill runs and no exception of it can be
 * alive: an exception may name another backend than the slot does.
 */
void owners_slot_settle(struct owners *o, uint32_t s, uint32_t now_s)
{
	struct owner_cold *cold = owners_cold(o, s);
	struct owner_claim *udp = &cold->claim[OWNER_CLASS_UDP];

	if (load_u32(&udp->settle_at) != 0 && is_past_s(load_u32(&udp->settle_at), now_s))
		end_claim(udp);
	if (!settle_tcp(o, s, now_s) && load_u32(&udp->settle_at) == 0 && !o->is_drilled &&
	    is_past_s(load_u32(&cold->kept_at) + keep_s(o), now_s))
		store_hot(o, s, owners_current(o, s));
}
