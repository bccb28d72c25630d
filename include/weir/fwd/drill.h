/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drills: new TCP flows of some clients go to the backup of their service's pool, to prove that it
 * would serve them.
 *
 * While a drill runs, all slots of the pool are unsettled (owner.h), with claims that have ended: so
 * a flow of which nothing is remembered goes to the slot's owner, as if there were no drill. Of each
 * slot claim[OWNER_CLASS_UDP].drill names the backend that the backup would give it to. A SYN of the
 * drill's clients goes there and is remembered, and the flow is followed for as long as it lives,
 * also after the drill. A flow that began before the drill is not remembered, and so stays. A drill
 * first only remembers, so that a SYN which comes again finds the backend of the first one.
 *
 * What is not TCP is not drilled: no datagram tells a new flow from an old one.
 *
 * A packet of a settled slot meets none of this.
 */
#ifndef WEIR_FWD_DRILL_H
#define WEIR_FWD_DRILL_H

#include "weir/fwd/encap.h"
#include "weir/fwd/owner.h"
#include "weir/fwd/port.h"

/** fwd_drill_find(): the drill's index is below, its state above. */
#define FWD_DRILL_STATE_AT 8u

/** What fwd_drill_find() wants to know of a packet, in one number. @param drills  fwd_service.drills */
FWD_INLINE uint32_t fwd_drill_query(const struct fwd_parsed *p, uint8_t drills)
{
	return drills | (uint32_t)p->flow.protocol << 8 | (uint32_t)(uint8_t)p->request << 16 |
	       (uint32_t)p->is4 << 24;
}

/**
 * The drill of a client.
 *
 * @param first, second  the client's address (fwd_addr.longs_be)
 * @param query          from fwd_drill_query()
 * @return its index + 1 | enum fwd_drill_state << FWD_DRILL_STATE_AT, 16 bits; 0: none
 */
FWD_SLOW uint32_t fwd_drill_find(uint64_t tables, uint64_t first, uint64_t second, uint32_t query)
{
	const struct fwd_tables *t = fwd_tables_of(tables);
	union fwd_addr client = { .longs_be = { first, second } };
	uint8_t drills = (uint8_t)query, protocol = (uint8_t)(query >> 8);
	uint8_t request = (uint8_t)(query >> 16);
	bool is4 = query >> 24;

	if (request != FWD_REQUEST_SERVICE || protocol != FWD_PROTO_TCP ||
	    is4 != fwd_addr_is4(&client))
		return 0;
	for (uint32_t i = 0; i < FWD_DRILLS_MAX; i++) {
		const struct fwd_drill *d = fwd_port_drill(t, i);
		uint32_t state = d && drills >> i & 1 ? OWNER_LOAD(uint32_t, &d->state) : 0;

		if (state && fwd_prefix_has(&d->clients, &client))
			return (i + 1) | state << FWD_DRILL_STATE_AT;
	}
	return 0;
}

/** Where a new flow of @p drill (not 0) goes: mostly aside, else where its slot leads. */
FWD_INLINE uint16_t fwd_drill_backend(const struct owner_cold *cold, uint32_t drill, uint16_t hot)
{
	uint16_t backend = 0;

	if (cold && drill >> FWD_DRILL_STATE_AT == FWD_DRILL_SENDS)
		backend = OWNER_LOAD(uint16_t, &cold->claim[OWNER_CLASS_UDP].drill) &
		          FWD_SLOT_BACKEND;
	return backend ? backend : hot & FWD_SLOT_BACKEND;
}

/**
 * Count a segment of a client of @p drill (not 0).
 *
 * @param event  enum owner_event: what was met
 * @param moved  it went where the drill sends new flows, which is not where its slot leads
 */
FWD_INLINE void fwd_drill_note(const struct fwd_tables *t, uint32_t drill, uint8_t segment,
                               uint32_t event, bool moved)
{
	struct fwd_drill_count *count =
	        fwd_port_drill_count(t, ((drill & 0xff) - 1) & (FWD_DRILLS_MAX - 1));

	if (!count)
		return;
	if (segment == FWD_SEGMENT_SYN && !moved)
		count->kept += drill >> FWD_DRILL_STATE_AT == FWD_DRILL_SENDS;
	else if (segment == FWD_SEGMENT_SYN && event == OWNER_EVENT_FOLLOWED)
		count->repeated++;
	else if (segment == FWD_SEGMENT_SYN)
		count->begun++;
	else if (moved && event == OWNER_EVENT_CONFIRMED && segment != FWD_SEGMENT_RST)
		count->followed++;
}

#endif
