/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The drain of this node while it runs: whether its clients' packets have left, how far its
 * addresses are, and what the routers made of graceful shutdown.
 *
 * The observer looks twice a second. Packets are those that weir-dataplane forwarded for services.
 * They have left when there are fewer a second than NODE_DRAIN_PPM of the minute before the drain,
 * or than NODE_DRAIN_LEAST. weir-mgmt then notifies weir-announce, which withdraws; it does so after 15 s in
 * any case, if another node confirms.
 *
 * Implemented in mgmt/observe/node_drain.c (rules) and node_drain_look.c (pages, events, messages). A
 * struct node_drain belongs to the observer; others copy it under the core's lock.
 */
#ifndef WEIR_MGMT_OBSERVE_NODE_DRAIN_H
#define WEIR_MGMT_OBSERVE_NODE_DRAIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/announce.h"
#include "weir/model.h"

struct core;

#define NODE_DRAIN_SAMPLES   61u    /**< a second apart: a minute */
#define NODE_DRAIN_SAMPLE_MS 1000u  /**< ms between two samples */
#define NODE_DRAIN_WINDOW_MS 2000u  /**< ms over which the present rate is measured */
#define NODE_DRAIN_PPM       10000u /**< 1 % of the rate before */
#define NODE_DRAIN_LEAST     10u    /**< packets a second */
/** ms after which graceful shutdown has not worked; sooner than weir-announce withdraws in any case */
#define NODE_DRAIN_LATE_MS 12000u

/** A neighbour of the routing daemon, with a session. */
struct node_drain_neighbour {
	char name[ANNOUNCED_TEXT_MAX];
	bool has_shutdown; /**< it gets an address in graceful shutdown */
};

/** The addresses of this node as weir-announce shows them, counted; zeroed: not known. */
struct node_drain_routes {
	bool known;
	uint32_t n;             /**< that the document makes it announce */
	uint32_t n_normal;      /**< announced */
	uint32_t n_shutdown;    /**< in graceful shutdown */
	uint32_t n_unconfirmed; /**< of these: kept, as no other node confirms */
	uint32_t n_commanded;   /**< withdrawn by a person's command */
	uint32_t n_waiting;     /**< not announced, and nothing speaks against it: not proved yet */
	uint32_t n_left;        /**< to be withdrawn, and still in the kernel or at a neighbour */
	/** to be withdrawn, and the daemon does not say whether a neighbour still gets it */
	uint32_t n_unread;
	uint32_t n_neighbours;
	struct node_drain_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
};

/** How the routers took graceful shutdown. */
enum node_drain_honoured {
	/** too few packets to tell, one of several neighbours did not, or no other node announces */
	NODE_DRAIN_UNKNOWN,
	NODE_DRAIN_HONOURED,
	NODE_DRAIN_NOT_HONOURED, /**< the only neighbour sent packets on */
};

struct node_drain {
	enum model_node_drain target;
	struct node_drain_routes routes;
	struct {
		uint64_t at_ms, packets;
	} samples[NODE_DRAIN_SAMPLES]; /**< oldest first */
	size_t n_samples;
	bool before_known, rate_known;
	uint64_t before_per_s; /**< packets, in the minute before the drain */
	uint64_t per_s;        /**< at present, in graceful shutdown */
	uint64_t shutdown_ms;  /**< since when no address is announced as usual; 0: it is not so */
	bool empty;            /**< the packets have left */
	bool returns;          /**< a drain has ended, and not all addresses were proved since */
	uint64_t port_bits;    /**< a second: speed of the node's ports together; 0: not known */
	uint64_t port_read_ms; /**< when that was read; 0: never */
	enum node_drain_honoured honoured;
	/** those of the drain's time in graceful shutdown: a withdrawal ends has_shutdown */
	struct node_drain_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	uint32_t n_neighbours;
};

/**
 * Count one address of the announce page. Whoever begins has set r->known; one of which it is not
 * known where its routes are takes that back.
 */
void node_drain_count(struct node_drain_routes *r, const struct announced_address *a);
/**
 * Note what is seen now.
 * @param packets  forwarded since the counter began; NULL: not known
 */
void node_drain_note(struct node_drain *d, enum model_node_drain target,
                     const struct node_drain_routes *routes, const uint64_t *packets,
                     uint64_t now_ms);
/** Where the node is: the name of one of DRAIN_RULES (mgmt/rules/rule.h). */
const char *node_drain_state(const struct node_drain *d);
/** State, counts and rates for status and `weir why node`; given. */
MUST_CHECK json_t *node_drain_to_json(const struct node_drain *d);

/** Look now: pages, an event if the state has changed, word to weir-announce. Not under the lock. */
void node_drain_look(struct core *core, const struct model *m);
/** A copy of what was seen last. Under the lock. */
struct node_drain node_drain_copy(const struct core *core);

#endif
