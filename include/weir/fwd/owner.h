/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Owners: which backend serves a flow while its slot's owner changes, and what is
 * remembered for it (docs/owners.md; docs/slot-life.md follows one slot).
 *
 * A slot's hot word names the current owner. A bit of it says that the slot is *unsettled*: an
 * earlier owner still has a claim. Only then does owner_find() read the slot's cold part and a
 * bucket of exceptions (remembered flows); else one load and one test decide.
 *
 * The rule: a remembered flow goes where it is remembered. A flow of which nothing is remembered
 * goes to the *base*, the owner when the slot last settled. A new flow (SYN) goes to the current
 * owner and is remembered, or to the base if there is no room.
 *
 * Who writes what:
 *   hot words            the control process alone (dataplane/owners/owners.c)
 *   claim.base           the control process alone, before the hot word that leads there
 *   claim.settle_at      the control process (0: settled); the packet path only moves it into
 *                        the future, when a flow of the base could not be remembered
 *   cold.scheduled_at    the control process, which alone reads it
 *   claim.seen_at, spilled_at, cold.kept_at   the packet path
 *   claim[UDP].drill     the control process alone, while a drill runs (drill.h)
 *   list (with agents)   the control process; the earlier owners by one store
 *   exceptions           the packet path stores whole words; the control process clears by CAS
 * Each value is read and written whole, so any number of CPUs may run this at a time. If two CPUs
 * put different new flows into the same way of a bucket within about 10 ns, one of them is lost:
 * about 1 in 10 million, at a million new flows a second. That is the price of plain stores.
 *
 * Why no connection breaks (each claim is a test in tests/sim):
 *  - A flow of which nothing is remembered belongs to the base: it began when the slot last
 *    settled or earlier, or it was sent to the base for want of room.
 *  - If a new flow finds no room, it goes to the base, and so do all new flows of that slot for
 *    OWNER_SPILL_S: the repetitions of its SYN go there too.
 *  - The slot is made unsettled some time before its owner changes, while the current owner is
 *    still the base. So a SYN that is repeated after the change finds its first one remembered.
 *  - A SYN proves nothing: its entry is *embryonic*, and only segments that fit its sequence
 *    number follow it. So a stray or forged SYN takes no segment from a live connection. Only
 *    embryonic entries are evicted, and not before OWNER_HANDSHAKE_S.
 *  - A slot settles only after all flows that use the base had time to be seen and remembered.
 *    A flow that cannot be remembered postpones that.
 * A false match of an exception needs the same bucket and tag, 35 more bits of the hash: about
 * n_flows * n_exceptions / 2^(35 + log2 of buckets). An embryonic entry has 19 bits and needs a
 * sequence number that fits by chance (3 / 65,536).
 *
 * In a pool with agents nothing is remembered for TCP: a packet names the current owner and up
 * to three earlier ones, which find out whose connection it is (second.h, decap_second.h).
 * So its slots have a list in place of the claim on TCP flows; UDP is as in any pool.
 *
 * Time is seconds of one clock for packet path and control process; comparisons are modular.
 * An entry's time has 11 bits of 8 s each, for idle times up to OWNER_IDLE_MAX_S. Ended entries
 * are swept at least that often, or they would seem alive again.
 */
#ifndef WEIR_FWD_OWNER_H
#define WEIR_FWD_OWNER_H

#include "weir/fwd/owner_list.h"
#include "weir/fwd/owner_word.h"
#include "weir/fwd/tables.h"

/** The claim of a slot's base on flows of which nothing is remembered. */
struct owner_claim {
	uint16_t base; /**< backend; the owner when the slot last settled */
	union {
		/** TCP: low bits of the time when a new flow could not be remembered */
		uint16_t spilled_at;
		/** UDP, which spills nothing: the backend of a drill's new TCP flows; 0: none */
		uint16_t drill;
	};
	uint32_t settle_at; /**< when the claim ends; 0: settled, the base is the current owner */
	uint32_t seen_at;   /**< when the base was last used */
};

/** TCP and UDP have a claim each, because they settle by different rules. */
enum owner_class { OWNER_CLASS_TCP, OWNER_CLASS_UDP, OWNER_CLASSES };

/** Earlier owners of a slot in a pool with agents; written by the control process alone. */
struct owner_list {
	uint64_t earlier; /**< newest in the low 16 bits; 0: there is none further; one store */
	uint16_t end[OWNER_LIST_MAX]; /**< the control process's: until when each must stay */
};

/** What is known of a slot besides its current owner; valid while it is unsettled. */
struct owner_cold {
	union {
		struct {
			/** The control process's: when a change was announced; 0: none is. */
			uint32_t scheduled_at;
			struct owner_claim claim[OWNER_CLASSES];
			/** when an exception of the slot was last made or prolonged */
			uint32_t kept_at;
		};
		/** with agents: in place of scheduled_at and TCP's claim */
		struct owner_list list;
	};
};
_Static_assert(sizeof(struct owner_cold) == 32, "two cold slots in a cache line");
_Static_assert(sizeof(struct owner_list) ==
                       __builtin_offsetof(struct owner_cold, claim[OWNER_CLASS_UDP]),
               "the claim on UDP flows is the same in every pool");

/**
 * X(NAME, "label", "sentence"): what a packet met in an unsettled slot. At most
 * one for each packet; none in the steady state. Counted in fwd_cpu.event[].
 */
#define OWNER_EVENTS(X)                                                                            \
	X(NONE, "none", "the slot has one owner")                                                  \
	X(CURRENT, "current", "nothing known of the flow, no earlier owner: current owner")        \
	X(BASE, "base", "nothing known of the flow: owner when the slot last settled")             \
	X(FOLLOWED, "followed", "the flow is remembered")                                          \
	X(CONFIRMED, "confirmed", "first segment that fits a remembered SYN")                      \
	X(BEGUN, "begun", "new flow to the current owner, remembered")                             \
	X(EVICTED, "evicted", "as begun; an older unconfirmed flow was forgotten for it")          \
	X(FULL, "full", "new flow that found no room to be remembered: to the base")               \
	X(SPILLED, "spilled", "new flow soon after another found no room: to the base")            \
	X(LEARNED, "learned", "a flow of the base, remembered before the slot settles")            \
	X(UNLEARNED, "unlearned", "as learned, but no room: the slot settles later")               \
	X(LISTED, "listed", "pool with agents: to the current owner, the earlier ones are named")

#define OWNER_EVENT_ENUM_(name, label, text) OWNER_EVENT_##name,
enum owner_event { OWNER_EVENTS(OWNER_EVENT_ENUM_) OWNER_EVENT_COUNT };
#undef OWNER_EVENT_ENUM_
_Static_assert(OWNER_EVENT_COUNT <= FWD_EVENTS_MAX, "room in struct fwd_cpu");

/** What the rules need to know besides the flow. */
struct owner_rule {
	uint32_t now_s;
	uint16_t idle_s;     /**< TCP: the pool's; UDP: the service's */
	uint16_t remember_s; /**< TCP: the pool's: last part of the settling time */
	uint8_t udp_policy;  /**< enum fwd_udp_policy */
	uint8_t reserved;
	uint16_t drill; /**< backend of the flow if it is new, as a drill has it; 0: no drill's */
};

/** Where the flow goes. */
struct owner_pick {
	uint16_t backend; /**< 0: none */
	uint8_t event;    /**< enum owner_event */
	uint8_t reserved;
};

/** Way of a bucket that holds the flow's entry, by its condition; OWNER_WAYS: it is not there. */
struct owner_scan {
	uint32_t known;    /**< TCP: open; UDP: the flow's entry */
	uint32_t finished; /**< finished or reset */
	uint32_t stale;    /**< ended */
};

/** Which of a slot's claims counts for the flow. */
FWD_INLINE enum owner_class owner_class(const struct fwd_flow *f)
{
	return f->protocol == 6 ? OWNER_CLASS_TCP : OWNER_CLASS_UDP;
}

/** How long an entry in @p state lives without a packet. */
FWD_INLINE uint32_t owner_state_idle(const struct owner_rule *rule, uint32_t state)
{
	if (state == OWNER_EMBRYONIC)
		return OWNER_EMBRYONIC_S;
	if ((state == OWNER_FINISHED || state == OWNER_RESET) && rule->idle_s > OWNER_CLOSING_S)
		return OWNER_CLOSING_S;
	return rule->idle_s;
}

/** Whether @p word is an embryonic entry of the flow's, whatever its SYN was. */
FWD_INLINE bool owner_is_embryonic(uint64_t word, uint32_t now_s, const struct fwd_flow *f)
{
	return word >> OWNER_EMBRYONIC_AT == (owner_tag(f->hash) & OWNER_EMBRYONIC_MASK) &&
	       owner_word_state(word) == OWNER_EMBRYONIC && owner_word_lives(word, now_s);
}

/** The way of an embryonic entry that the segment fits, or OWNER_WAYS. */
FWD_INLINE uint32_t owner_scan_embryonic(const struct fwd_exceptions *bucket, uint32_t now_s,
                                         const struct fwd_flow *f)
{
	FWD_UNROLL
	for (uint32_t i = 0; i < OWNER_WAYS; i++) {
		uint64_t word = OWNER_LOAD(uint64_t, &bucket->word[i]);

		if (owner_is_embryonic(word, now_s, f) && owner_embryonic_fits(word, f))
			return i;
	}
	return OWNER_WAYS;
}

/** Whether a flow with the same tag has begun that is not confirmed. */
FWD_INLINE bool owner_has_embryonic(const struct fwd_exceptions *bucket, uint32_t now_s,
                                    const struct fwd_flow *f)
{
	for (uint32_t i = 0; i < OWNER_WAYS; i++)
		if (owner_is_embryonic(OWNER_LOAD(uint64_t, &bucket->word[i]), now_s, f))
			return true;
	return false;
}

/** The way of the flow's entry that is not embryonic (there is one at most), or OWNER_WAYS. */
FWD_INLINE uint32_t owner_scan_tag(const struct fwd_exceptions *bucket, const struct fwd_flow *f)
{
	uint64_t tag = owner_tag(f->hash);

	for (uint32_t i = 0; i < OWNER_WAYS; i++) {
		uint64_t word = OWNER_LOAD(uint64_t, &bucket->word[i]);

		if (FWD_UNLIKELY(word >> OWNER_TAG_AT == tag) &&
		    owner_word_state(word) > OWNER_EMBRYONIC)
			return i;
	}
	return OWNER_WAYS;
}

/** Find the flow's entry in the bucket, if it has one that is not embryonic. */
FWD_INLINE void owner_scan_bucket(struct owner_scan *s, const struct fwd_exceptions *bucket,
                                  uint32_t now_s, const struct fwd_flow *f)
{
	uint32_t i = owner_launder(owner_scan_tag(bucket, f), f->hash);
	uint64_t word;

	s->known = s->finished = s->stale = OWNER_WAYS;
	if (i == OWNER_WAYS)
		return;
	word = OWNER_LOAD(uint64_t, &bucket->word[owner_bounded(i)]);
	if (!owner_word_lives(word, now_s))
		s->stale = i;
	else if (owner_word_state(word) == OWNER_FINISHED || owner_word_state(word) == OWNER_RESET)
		s->finished = i;
	else
		s->known = i;
}

/**
 * The way in which to remember the flow: that of its own ended entry, else a free or ended one,
 * else an embryonic one that may be evicted (@p evicts is set then); OWNER_WAYS: none.
 */
FWD_INLINE uint32_t owner_room(const struct owner_scan *s, const struct fwd_exceptions *bucket,
                               uint32_t now_s, bool *evicts)
{
	uint32_t evictable = OWNER_WAYS;

	*evicts = false;
	if (s->stale < OWNER_WAYS)
		return s->stale;
	for (uint32_t i = 0; i < OWNER_WAYS; i++) {
		uint64_t word = OWNER_LOAD(uint64_t, &bucket->word[i]);

		if (!owner_word_lives(word, now_s))
			return i;
		if (owner_word_state(word) == OWNER_EMBRYONIC &&
		    owner_word_left(word, now_s) <= OWNER_EVICTABLE_UNITS)
			evictable = i;
	}
	*evicts = evictable < OWNER_WAYS;
	return evictable;
}

/** Note that an exception of the slot was made or prolonged; at most every fourth second. */
FWD_INLINE void owner_keep(struct owner_cold *cold, uint32_t now_s)
{
	if (now_s - OWNER_LOAD(uint32_t, &cold->kept_at) >= 4)
		OWNER_STORE(uint32_t, &cold->kept_at, now_s);
}

FWD_INLINE void owner_see(struct owner_claim *claim, uint32_t now_s)
{
	if (OWNER_LOAD(uint32_t, &claim->seen_at) != now_s)
		OWNER_STORE(uint32_t, &claim->seen_at, now_s);
}

FWD_INLINE struct owner_pick owner_picked(uint32_t backend, enum owner_event event)
{
	return (struct owner_pick){ .backend = (uint16_t)backend, .event = (uint8_t)event };
}

/**
 * Follow the entry in way @p i, which is in @p state from now on. An entry that agrees with a
 * settled slot is not refreshed, so that it ends and the slot can leave the slow path. Where nothing
 * is to be stored, which is most packets of a remembered flow, the cold part is not read: it lies in
 * another cache line, and an entry that is not prolonged needs no note there.
 */
FWD_INLINE struct owner_pick owner_follow(const struct owner_rule *rule, const struct fwd_flow *f,
                                          uint16_t current, struct owner_cold *cold,
                                          struct fwd_exceptions *bucket, uint32_t i, uint32_t state)
{
	uint64_t *at = &bucket->word[owner_bounded(i)];
	uint64_t old = OWNER_LOAD(uint64_t, at);
	uint16_t backend = owner_word_backend(old);
	bool embryonic = state == OWNER_EMBRYONIC;
	uint64_t tag = embryonic ? old >> OWNER_TAG_AT : owner_tag(f->hash);
	uint64_t new = owner_word(backend, state,
	                          owner_end(rule->now_s, owner_state_idle(rule, state)), tag);

	if (new == old)
		return owner_picked(backend, OWNER_EVENT_FOLLOWED);
	if (backend == current && OWNER_LOAD(uint32_t, &cold->claim[owner_class(f)].settle_at) == 0)
		return owner_picked(backend, OWNER_EVENT_FOLLOWED);
	OWNER_STORE(uint64_t, at, new);
	owner_keep(cold, rule->now_s);
	if (owner_word_state(old) == OWNER_EMBRYONIC && !embryonic)
		return owner_picked(backend, OWNER_EVENT_CONFIRMED);
	return owner_picked(backend, OWNER_EVENT_FOLLOWED);
}

/** Remember the flow in way @p i. */
FWD_INLINE void owner_remember(const struct owner_rule *rule, const struct fwd_flow *f,
                               struct owner_cold *cold, struct fwd_exceptions *bucket, uint32_t i,
                               uint16_t backend, uint32_t state)
{
	uint64_t tag = state == OWNER_EMBRYONIC ? owner_embryonic_tag(f->hash, f->seq)
	                                        : owner_tag(f->hash);

	OWNER_STORE(uint64_t, &bucket->word[owner_bounded(i)],
	            owner_word(backend, state,
	                       owner_end(rule->now_s, owner_state_idle(rule, state)), tag));
	owner_keep(cold, rule->now_s);
}

/** A flow of the base could not be remembered: the base keeps its claim for longer. */
FWD_INLINE void owner_extend(const struct owner_rule *rule, struct owner_claim *claim,
                             uint32_t remember_s)
{
	uint32_t settle_at = OWNER_LOAD(uint32_t, &claim->settle_at);

	if (settle_at != 0 && (int32_t)(settle_at - rule->now_s) <= (int32_t)remember_s)
		OWNER_STORE(uint32_t, &claim->settle_at, rule->now_s + remember_s + 1);
}

/** A new flow found no room: it goes to the base, and so do those that come soon after. */
FWD_INLINE void owner_note_fullness(const struct owner_rule *rule, struct owner_claim *claim)
{
	OWNER_STORE(uint16_t, &claim->spilled_at, (uint16_t)rule->now_s);
	owner_extend(rule, claim, rule->remember_s);
}

/** A flow to the base, which it relies on. */
FWD_INLINE struct owner_pick owner_to_base(const struct owner_rule *rule, struct owner_claim *claim,
                                           enum owner_event event)
{
	owner_see(claim, rule->now_s);
	return owner_picked(OWNER_LOAD(uint16_t, &claim->base), event);
}

/**
 * A SYN soon after another SYN of its slot found no room. It may repeat that one, whose answer may
 * be under way, so it goes to the base, too. That is remembered if there is room now; else the time
 * starts again. So all repetitions of a SYN go one way.
 */
FWD_INLINE struct owner_pick owner_spill(const struct owner_rule *rule, const struct fwd_flow *f,
                                         struct owner_cold *cold, struct fwd_exceptions *bucket,
                                         uint32_t way)
{
	struct owner_claim *claim = &cold->claim[OWNER_CLASS_TCP];

	if (way < OWNER_WAYS)
		owner_remember(rule, f, cold, bucket, way, OWNER_LOAD(uint16_t, &claim->base),
		               OWNER_EMBRYONIC);
	else
		owner_note_fullness(rule, claim);
	return owner_to_base(rule, claim, OWNER_EVENT_SPILLED);
}

/** A SYN of a flow of which nothing useful is known; embryonic if the slot is unsettled. */
FWD_INLINE struct owner_pick owner_begin(const struct owner_rule *rule, const struct fwd_flow *f,
                                         uint16_t current, struct owner_cold *cold,
                                         struct fwd_exceptions *bucket, const struct owner_scan *s)
{
	struct owner_claim *claim = &cold->claim[OWNER_CLASS_TCP];
	bool settled = OWNER_LOAD(uint32_t, &claim->settle_at) == 0;
	uint16_t spilled = OWNER_LOAD(uint16_t, &claim->spilled_at);
	uint32_t way;
	bool evicts;

	if (settled && (s->finished == OWNER_WAYS || current == 0)) {
		if (s->stale < OWNER_WAYS)
			OWNER_STORE(uint64_t, &bucket->word[owner_bounded(s->stale)], 0);
		return owner_picked(current, OWNER_EVENT_CURRENT);
	}
	if (current == 0)
		return owner_to_base(rule, claim, OWNER_EVENT_BASE);
	way = owner_launder(owner_room(s, bucket, rule->now_s, &evicts), f->hash);
	if (s->finished == OWNER_WAYS && (uint16_t)(rule->now_s - spilled) < OWNER_SPILL_S)
		return owner_spill(rule, f, cold, bucket, way);
	if (way < OWNER_WAYS) {
		owner_remember(rule, f, cold, bucket, way, current, OWNER_EMBRYONIC);
		return owner_picked(current, evicts ? OWNER_EVENT_EVICTED : OWNER_EVENT_BEGUN);
	}
	if (s->finished < OWNER_WAYS)
		return owner_follow(rule, f, current, cold, bucket, s->finished, OWNER_OPEN);
	owner_note_fullness(rule, claim);
	return owner_to_base(rule, claim, OWNER_EVENT_FULL);
}

/**
 * A SYN of a drill's client: to the drill's backend, and remembered whatever the slot's claims. If
 * there is no room it goes where it would go without a drill, and so do its repetitions.
 */
FWD_INLINE struct owner_pick owner_drill(const struct owner_rule *rule, const struct fwd_flow *f,
                                         uint16_t current, struct owner_cold *cold,
                                         struct fwd_exceptions *bucket, const struct owner_scan *s)
{
	struct owner_claim *claim = &cold->claim[OWNER_CLASS_TCP];
	bool settled = OWNER_LOAD(uint32_t, &claim->settle_at) == 0, evicts;
	uint16_t spilled_s = (uint16_t)rule->now_s - OWNER_LOAD(uint16_t, &claim->spilled_at);
	bool spills = spilled_s < OWNER_SPILL_S;
	uint16_t to = spills ? current : rule->drill;
	uint32_t way = owner_launder(owner_room(s, bucket, rule->now_s, &evicts), f->hash);

	if (!settled && (spills || way >= OWNER_WAYS))
		return owner_begin(rule, f, current, cold, bucket, s);
	if (way < OWNER_WAYS) {
		owner_remember(rule, f, cold, bucket, way, to, OWNER_EMBRYONIC);
		return owner_picked(to, spills   ? OWNER_EVENT_SPILLED
		                        : evicts ? OWNER_EVENT_EVICTED
		                                 : OWNER_EVENT_BEGUN);
	}
	owner_note_fullness(rule, claim);
	return owner_picked(current, OWNER_EVENT_FULL);
}

FWD_INLINE struct owner_pick owner_syn(const struct owner_rule *rule, const struct fwd_flow *f,
                                       uint16_t current, struct owner_cold *cold,
                                       struct fwd_exceptions *bucket, const struct owner_scan *s)
{
	uint32_t syn_way = owner_launder(owner_scan_embryonic(bucket, rule->now_s, f), f->hash);

	if (syn_way < OWNER_WAYS) /* the same SYN again */
		return owner_follow(rule, f, current, cold, bucket, syn_way, OWNER_EMBRYONIC);
	if (s->known < OWNER_WAYS) /* alive: its backend answers for it (RFC 5961, section 4) */
		return owner_follow(rule, f, current, cold, bucket, s->known, OWNER_OPEN);
	if (FWD_UNLIKELY(rule->drill))
		return owner_drill(rule, f, current, cold, bucket, s);
	return owner_begin(rule, f, current, cold, bucket, s);
}

/** A packet of a flow of which nothing is remembered: to the base; near the end, remember it. */
FWD_INLINE struct owner_pick owner_unknown(const struct owner_rule *rule, const struct fwd_flow *f,
                                           uint16_t current, struct owner_cold *cold,
                                           struct fwd_exceptions *bucket,
                                           const struct owner_scan *s, uint32_t state,
                                           uint32_t remember_s)
{
	struct owner_claim *claim = &cold->claim[owner_class(f)];
	uint32_t settle_at = OWNER_LOAD(uint32_t, &claim->settle_at);
	uint32_t way;
	bool evicts;

	if (settle_at == 0) {
		if (s->stale < OWNER_WAYS)
			OWNER_STORE(uint64_t, &bucket->word[owner_bounded(s->stale)], 0);
		return owner_picked(current, OWNER_EVENT_CURRENT);
	}
	if (state == OWNER_RESET || (int32_t)(settle_at - rule->now_s) > (int32_t)remember_s)
		return owner_to_base(rule, claim, OWNER_EVENT_BASE);
	way = owner_launder(owner_room(s, bucket, rule->now_s, &evicts), f->hash);
	if (way < OWNER_WAYS) {
		uint16_t base = OWNER_LOAD(uint16_t, &claim->base);

		owner_remember(rule, f, cold, bucket, way, base, state);
		return owner_picked(base, OWNER_EVENT_LEARNED);
	}
	owner_extend(rule, claim, remember_s);
	return owner_to_base(rule, claim, OWNER_EVENT_UNLEARNED);
}

/** The state that a segment leaves an open entry in. */
FWD_INLINE uint32_t owner_next_state(uint8_t segment)
{
	if (segment == FWD_SEGMENT_RST)
		return OWNER_RESET;
	return segment == FWD_SEGMENT_FIN ? OWNER_FINISHED : OWNER_OPEN;
}

/** A TCP segment other than a SYN. */
FWD_INLINE struct owner_pick owner_segment(const struct owner_rule *rule, const struct fwd_flow *f,
                                           uint16_t current, struct owner_cold *cold,
                                           struct fwd_exceptions *bucket,
                                           const struct owner_scan *s)
{
	uint32_t state = owner_next_state(f->segment), syn_way;

	if (s->known < OWNER_WAYS)
		return owner_follow(rule, f, current, cold, bucket, s->known, state);
	syn_way = owner_launder(owner_scan_embryonic(bucket, rule->now_s, f), f->hash);
	if (syn_way < OWNER_WAYS) {
		uint32_t before = s->finished < OWNER_WAYS ? s->finished : s->stale;

		if (before < OWNER_WAYS) /* of an earlier flow with the same ports */
			OWNER_STORE(uint64_t, &bucket->word[owner_bounded(before)], 0);
		return owner_follow(rule, f, current, cold, bucket, syn_way, state);
	}
	if (s->finished < OWNER_WAYS) {
		uint32_t old = owner_word_state(
		        OWNER_LOAD(uint64_t, &bucket->word[owner_bounded(s->finished)]));

		/* What follows a reset shows that it was forged, unless a new flow has begun. */
		if (old == OWNER_FINISHED || owner_has_embryonic(bucket, rule->now_s, f))
			state = f->segment == FWD_SEGMENT_RST ? OWNER_RESET : old;
		return owner_follow(rule, f, current, cold, bucket, s->finished, state);
	}
	return owner_unknown(rule, f, current, cold, bucket, s, state, rule->remember_s);
}

FWD_INLINE struct owner_pick owner_datagram(const struct owner_rule *rule, const struct fwd_flow *f,
                                            uint16_t current, struct owner_cold *cold,
                                            struct fwd_exceptions *bucket,
                                            const struct owner_scan *s)
{
	uint32_t state = rule->udp_policy == FWD_UDP_MIGRATE ? OWNER_UDP_LEASE : OWNER_UDP;

	if (s->known < OWNER_WAYS)
		return owner_follow(rule, f, current, cold, bucket, s->known, state);
	/* No packet tells a new flow from an old one: each is learned until the claim ends. */
	return owner_unknown(rule, f, current, cold, bucket, s, state, rule->idle_s);
}

/** An ICMP error about the flow: goes where the flow goes, and changes nothing. */
FWD_INLINE struct owner_pick owner_quoted(const struct fwd_flow *f, uint16_t current,
                                          const struct owner_cold *cold,
                                          const struct fwd_exceptions *bucket,
                                          const struct owner_scan *s)
{
	const struct owner_claim *claim = &cold->claim[owner_class(f)];
	uint32_t i = s->known < OWNER_WAYS ? s->known : s->finished;

	if (i < OWNER_WAYS)
		return owner_picked(
		        owner_word_backend(OWNER_LOAD(uint64_t, &bucket->word[owner_bounded(i)])),
		        OWNER_EVENT_FOLLOWED);
	if (OWNER_LOAD(uint32_t, &claim->settle_at) != 0)
		return owner_picked(OWNER_LOAD(uint16_t, &claim->base), OWNER_EVENT_BASE);
	return owner_picked(current, OWNER_EVENT_CURRENT);
}

/** Whether the flow moves with its slot at once: neither a memory nor the base's claim holds it. */
FWD_INLINE bool owner_is_reset(const struct owner_rule *rule, const struct fwd_flow *f)
{
	return rule->udp_policy == FWD_UDP_RESET && owner_class(f) == OWNER_CLASS_UDP;
}

/** Without a bucket nothing is remembered: the base serves all while it has a claim. */
FWD_INLINE struct owner_pick owner_memoryless(const struct owner_rule *rule,
                                              const struct fwd_flow *f, uint16_t current,
                                              struct owner_cold *cold)
{
	struct owner_claim *claim = &cold->claim[owner_class(f)];

	if (OWNER_LOAD(uint32_t, &claim->settle_at) == 0)
		return owner_picked(current, OWNER_EVENT_CURRENT);
	if (f->segment == FWD_SEGMENT_QUOTED)
		return owner_picked(OWNER_LOAD(uint16_t, &claim->base), OWNER_EVENT_BASE);
	return owner_to_base(rule, claim, OWNER_EVENT_BASE);
}

/**
 * The backend of a flow in an unsettled slot.
 *
 * @param rule    time, and the pool's or service's times
 * @param f       the flow's packet
 * @param hot     the slot's hot word, whose FWD_SLOT_UNSETTLED is set
 * @param cold    the slot's cold part; NULL: as if it had settled
 * @param bucket  owner_bucket(f->hash); NULL: there is no memory
 * @return the backend and what was met; `weir trace` passes copies of @p cold and @p bucket,
 *         for all but a quoted flow may change them
 */
FWD_INLINE struct owner_pick owner_find(const struct owner_rule *rule, const struct fwd_flow *f,
                                        uint16_t hot, struct owner_cold *cold,
                                        struct fwd_exceptions *bucket)
{
	uint16_t current = hot & FWD_SLOT_BACKEND;
	struct owner_scan s;

	if (!cold || owner_is_reset(rule, f))
		return owner_picked(current, OWNER_EVENT_CURRENT);
	if (!bucket)
		return owner_memoryless(rule, f, current, cold);
	owner_scan_bucket(&s, bucket, rule->now_s, f);
	switch (f->segment) {
	case FWD_SEGMENT_SYN:
		return owner_syn(rule, f, current, cold, bucket, &s);
	case FWD_SEGMENT_UDP:
		return owner_datagram(rule, f, current, cold, bucket, &s);
	case FWD_SEGMENT_QUOTED:
		return owner_quoted(f, current, cold, bucket, &s);
	default:
		return owner_segment(rule, f, current, cold, bucket, &s);
	}
}

#endif
