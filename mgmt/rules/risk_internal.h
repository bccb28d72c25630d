/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules, and what the measures share. Internal to mgmt/rules/risk*.c; one thread.
 */
#ifndef WEIR_MGMT_RULES_RISK_INTERNAL_H
#define WEIR_MGMT_RULES_RISK_INTERNAL_H

#include "base/arena.h"
#include "mgmt/rules/risk.h"

/* For rules where any part at all is risky: above the noise of floating point. */
#define RISK_ANY 1e-6

/*
 * id, name, unit, limit, harm. The limits of shares: half of a pool is what its other half can be
 * expected to carry; a third of a name's answers is one site of three. Of times: what a person
 * changes at one time without a thought is a factor of two.
 */
#define RISK_RULES(X)                                                                              \
	X(FLOWS_REHASHED, "flows-rehashed", SHARE, RISK_ANY,                                       \
	  "connections go to backends that do not know them, and break")                           \
	X(POOL_EXCHANGED, "pool-exchanged", SHARE, RISK_ANY,                                       \
	  "connections go to backends that do not know them, and break")                           \
	X(ENCAPSULATION, "encapsulation-changed", SHARE, RISK_ANY,                                 \
	  "backends that do not expect these packets drop them")                                   \
	X(MEMBERS_LEAVE, "members-leave", SHARE, 0.5,                                              \
	  "the load of these members moves to fewer, or to untried, backends")                     \
	X(LOAD_GATHERS, "load-gathers", TIMES, 2, "one backend gets several times its load")       \
	X(OVERRIDE_LOST, "override-lost", SHARE, RISK_ANY,                                         \
	  "an override goes by the backend's name: what was taken out of service gets "            \
	  "traffic again, what was forced up may get none")                                        \
	X(UNCHECKED_MEMBERS, "unchecked-members", SHARE, RISK_ANY,                                 \
	  "backends without a check get traffic even if they are dead")                            \
	X(CHECK_REMOVED, "check-removed", SHARE, RISK_ANY, "dead targets are never detected")      \
	X(CHECK_TARGET, "check-target", SHARE, RISK_ANY,                                           \
	  "the check probes something else: good targets may fail, dead targets may pass")         \
	X(CHECK_SLOWER, "check-slower", TIMES, 3, "dead targets keep their traffic for longer")    \
	X(CHECK_HASTY, "check-hasty", TIMES, 3, "slow targets are taken for dead")                 \
	X(CHECK_RETURN, "check-return", TIMES, 5,                                                  \
	  "targets that have recovered stay out for longer")                                       \
	X(CHECK_RATE, "check-rate", TIMES, 5, "probes put a load on the targets")                  \
	X(DAMPING, "damping", SHARE, RISK_ANY, "targets are held down, or flap without a limit")   \
	X(GUARD_LOWERED, "guard-lowered", SHARE, 0.15,                                             \
	  "checks may take more of the pool out of service at once")                               \
	X(REMOVAL_BLOCKED, "removal-blocked", SHARE, 0.5,                                          \
	  "dead backends keep their traffic, because the guard lets too few be removed")           \
	X(REMOVAL_SLOWED, "removal-slowed", TIMES, 4,                                              \
	  "dead backends are removed one after another")                                           \
	X(ALL_DOWN, "on-all-down", SHARE, RISK_ANY,                                                \
	  "the pool acts differently when all its backends are down")                              \
	X(BACKUP, "backup-changed", SHARE, RISK_ANY,                                               \
	  "late clients of a drained site, and clients of a pool that is down, are not served, "   \
	  "or their connections break")                                                            \
	X(FLOW_MEMORY, "flow-memory", SHARE, 0.5,                                                  \
	  "idle flows are forgotten, and break at the next change of members")                     \
	X(UDP_POLICY, "udp-policy", SHARE, RISK_ANY,                                               \
	  "UDP flows move to other backends at the next change of members")                        \
	X(ENTRIES_GONE, "entries-gone", SHARE, RISK_ANY,                                           \
	  "clients of these addresses get no answer any more")                                     \
	X(SERVICE_RENAMED, "service-renamed", SHARE, RISK_ANY,                                     \
	  "verdicts, and drains of the service alone, go by its name: a site that is down or so "  \
	  "drained gets clients")                                                                  \
	X(VIP_SITES, "vip-sites-changed", SHARE, RISK_ANY,                                         \
	  "routers move connections to another site, whose backends do not know them, and "        \
	  "these break")                                                                           \
	X(ANNOUNCE_STOPPED, "announce-stopped", SHARE, RISK_ANY,                                   \
	  "routers send no packets for these addresses to the node any more")                      \
	X(ANNOUNCE_MOVED, "announce-moved", SHARE, RISK_ANY,                                       \
	  "a routing daemon that is not set up for it withdraws the node's addresses")             \
	X(ANNOUNCE_WHEN, "announce-when", SHARE, RISK_ANY,                                         \
	  "nodes withdraw the VIP, or keep announcing it, in other cases than before")             \
	X(PORTS_GONE, "ports-gone", SHARE, RISK_ANY,                                               \
	  "packets that arrive at the port are not forwarded")                                     \
	X(PORT_DEVICE, "port-device", SHARE, RISK_ANY,                                             \
	  "frames arrive at another device, or are not accepted")                                  \
	X(DRIVER, "driver-changed", SHARE, RISK_ANY,                                               \
	  "the forwarding program is replaced under traffic")                                      \
	X(NEXT_START, "next-start", SHARE, RISK_ANY,                                               \
	  "the change takes effect, or fails, only at the next start of weir-dataplane")           \
	X(TUNNEL_SOURCE, "tunnel-source", SHARE, RISK_ANY,                                         \
	  "backends drop tunnels from source addresses that they do not know")                     \
	X(MTU, "mtu-changed", SHARE, RISK_ANY,                                                     \
	  "large packets are refused, or lost on links that do not carry them")                    \
	X(LISTENERS_GONE, "listeners-gone", SHARE, RISK_ANY,                                       \
	  "DNS queries to these addresses are not answered any more")                              \
	X(NODE_GONE, "node-gone", SHARE, RISK_ANY, "the node stops forwarding and answering")      \
	X(NODE_MOVED, "node-moved", SHARE, RISK_ANY, "the node forwards another site's services")  \
	X(API_MOVED, "api-moved", SHARE, RISK_ANY,                                                 \
	  "peers do not find this node: no exchange of files and peer health, nor of "             \
	  "drains without the store")                                                              \
	X(CONTROLS_CHANGED, "controls-changed", SHARE, RISK_ANY,                                   \
	  "a failing network is taken for failing backends, or the other way round")               \
	X(CLOCK_GUARD, "clock-guard", SHARE, RISK_ANY, "ramps follow a clock that may be wrong")   \
	X(CAPACITY_GUARD, "capacity-guard", TIMES, 2,                                              \
	  "the guard `room` allows drains whose traffic the others cannot carry")                  \
	X(SITES_OUT, "sites-out", SHARE, RISK_ANY,                                                 \
	  "the guard `max-sites-out` lets operations take more sites out at a time")               \
	X(CLUSTER_RENAMED, "cluster-renamed", SHARE, RISK_ANY,                                     \
	  "the node finds its tables and its peers by the cluster's name: it starts "              \
	  "without both")                                                                          \
	X(TABLES_SMALLER, "tables-smaller", SHARE, 0.5,                                            \
	  "fewer flows are remembered during changes, or the tables do not fit")                   \
	X(SITE_GONE, "site-gone", SHARE, RISK_ANY, "the site is not configured any more")          \
	X(SITE_EMPTIED, "site-emptied", SHARE, RISK_ANY,                                           \
	  "all clients of the site move at once: use weir drain, which moves them in "             \
	  "steps")                                                                                 \
	X(ANSWERS_MOVE, "answers-move", SHARE, 0.3,                                                \
	  "clients move to other sites at once: use weir drain, which moves them in steps")        \
	X(ANSWERS_UNPROVEN, "answers-unproven", SHARE, RISK_ANY,                                   \
	  "clients go to addresses that no node checks")                                           \
	X(TTL_LONGER, "ttl-longer", TIMES, 5, "clients keep a dead site's address for longer")     \
	X(TTL_SHORTER, "ttl-shorter", TIMES, 10, "resolvers send many times more queries")         \
	X(NAMES_GONE, "names-gone", SHARE, RISK_ANY, "the name is not answered any more")          \
	X(ZONES_GONE, "zones-gone", SHARE, RISK_ANY, "the zone is not answered any more")          \
	X(RECORDS_GONE, "records-gone", SHARE, 0.2, "names of the zone are not answered any more") \
	X(RECORDS_CHANGE, "records-change", SHARE, 0.5, "names of the zone point elsewhere")       \
	X(ZONE_SERVERS, "zone-servers", SHARE, RISK_ANY,                                           \
	  "resolvers ask other servers for the whole zone")                                        \
	X(ZONE_UNREAD, "zone-unread", SHARE, RISK_ANY, "which records the zone loses is unknown")

#define RISK_ID(id, ...) RISK_##id,
enum risk_id { RISK_RULES(RISK_ID) RISK_COUNT };
#undef RISK_ID

/* A comparison in the making. */
struct risk_work {
	const struct model *from, *to;
	struct arena *arena;
	struct risk *items;
	size_t n, n_all;
};

/*
 * Note a measured @p figure about "SUBJECT: WHAT"; the table says whether it is risky. What is one way or the other has 1 or 0,
 * which is none.
 */
void risk_note(struct risk_work *w, enum risk_id id, double figure, const char *subject,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A text of this comparison, never NULL. */
const char *risk_text(struct risk_work *w, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/*
 * The item called @p name in an array that is sorted by the name that each item begins with;
 * NULL: there is none.
 */
const void *risk_named(const void *array, size_t n, size_t size, const char *name);
/* after / before; 1 where both are 0. */
double risk_times(double before, double after);
/* How many of the addresses @p a are not among @p b. */
size_t risk_addresses_gone(const struct addr *a, size_t n_a, const struct addr *b, size_t n_b);

/* The measures, one file each. */
void risk_measure_pools(struct risk_work *w);
void risk_measure_lost(struct risk_work *w, const struct model_override *list, size_t n);
void risk_measure_checks(struct risk_work *w);
void risk_measure_services(struct risk_work *w);
void risk_measure_vips(struct risk_work *w);
void risk_measure_announcements(struct risk_work *w);
void risk_measure_nodes(struct risk_work *w);
void risk_measure_names(struct risk_work *w);
void risk_measure_zones(struct risk_work *w);

#endif
