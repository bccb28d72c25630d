/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What this node announces to routers, and why (docs/api.md): for each address that the
 * configuration makes it announce, what weir-announce intends, what weir-dataplane has proved, and
 * what the routing daemon exports. The same from weir-mgmt and from `weir status` without it.
 *
 * Implemented in mgmt/json/announcement.c. Any thread; a struct announcements belongs to one.
 */
#ifndef WEIR_MGMT_JSON_ANNOUNCEMENT_H
#define WEIR_MGMT_JSON_ANNOUNCEMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "record/fields.h"
#include "weir/announce.h"

struct model;

/** An address that the configuration makes this node announce. */
struct announcement {
	const char *vip; /**< its name, the model's; NULL: an address of DNS */
	struct addr address;
	/** what weir-announce says of it; NULL: that is not known, and so is all else */
	const struct announced_address *shown;
};

/** One consistent copy of the announce page, next to the configuration. */
struct announcements {
	const struct model *m; /**< borrowed */
	bool is_known;         /**< the page is there, and its writer has shown a sign of life */
	uint64_t now_ms;       /**< monotonic, of the copy */
	struct announced_node node;
	struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	struct announced_address *addresses; /**< [node.n_addresses], sorted by address */
	struct announcement *items;          /**< [n], in the configuration's order */
	size_t n;
};

/** Whether the configuration names a routing daemon for this node; @p m may be NULL. */
bool announcements_apply(const struct model *m);
/**
 * Copy the page, and list the addresses of @p m, to which announcements_apply(). A page that is
 * missing, damaged or too old is no error: everything is unknown then.
 * @param out  given, for announcements_fini(), which is to be called after an error as well
 * @return 0 or -ENOMEM
 */
MUST_CHECK int announcements_read(const char *run_dir, const struct model *m, uint64_t now_ms,
                                  struct announcements *out);
void announcements_fini(struct announcements *a);

/** What the daemon shows of @p it: yes, no, or unknown, as enum proof_fact (weir/proof.h). */
uint8_t announcement_exported(const struct announcements *a, const struct announcement *it);
/** Whether all that an announcement needs is proved, likewise. */
uint8_t announcement_proved(const struct announcement *it);
/** "normal", "shutdown", "none", "unknown" */
const char *announcement_intended(const struct announcement *it);
/** "announced", "pools-down", …, "unknown" */
const char *announcement_reason(const struct announcement *it);

/** What is known of a VIP's packets at this node. */
struct announcement_traffic {
	uint64_t packets;    /**< of its clients, since since_ms */
	uint64_t since_ms;   /**< monotonic */
	uint64_t arrived_ms; /**< monotonic: when packets were last seen to arrive; 0: never */
};
/** @return whether the packets of @p vip are known */
typedef bool announcement_traffic_of(void *arg, const char *vip, struct announcement_traffic *out);

/** What of the announcements is wanted, and what else belongs to them. */
struct announcement_filter {
	const char *vip; /**< NULL: all */
	/** addresses at most, first those that are not announced, proved and exported; 0: all */
	uint64_t limit;
	int64_t wall_clock_ms;               /**< at the time of the copy */
	announcement_traffic_of *traffic_of; /**< NULL: no VIP's packets are known */
	void *arg;                           /**< of traffic_of */
};

/** The announcements as JSON, given. */
MUST_CHECK json_t *announcements_to_json(const struct announcements *a,
                                         const struct announcement_filter *filter);
/** The same of a node without a routing daemon. */
MUST_CHECK json_t *announcements_none_to_json(const char *node);
/** What both make. */
extern const struct record_kind announcements_shown_kind;

#endif
