/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The table of rules: a row for each condition by which management refuses, holds, warns or calls a node less than well. What
 * a rule is called, what it means and what to do about it stand here alone; docs/status.md and docs/risks.md are printed from here.
 *
 * Whether a rule applies is decided where its facts are: mgmt/judge/judge.c (status),
 * mgmt/rules/risk_*.c (change). A finding names its row, and adds
 * subject and figures.
 *
 * Constant data, without dependency; any thread may read it. Implemented in mgmt/rules/rule.c.
 */
#ifndef WEIR_MGMT_RULES_RULE_H
#define WEIR_MGMT_RULES_RULE_H

/**
 * X(id, name, scope, level, means, more). The name is what people meet: in JSON, in metrics, in options. It is unique within
 * its scope; rows of one scope stand together. `more` is what else the row has of struct rule_row, by name.
 */
#define RULES(X) STATUS_RULES(X) CHANGE_RULES(X)

/* clang-format off */
/**
 * A node is less than well, in the order in which reasons are shown. *Down* means that nothing serves packets or queries
 * that this node should serve. Everything else that is less than the configuration says, or that is not known, is *degraded*.
 */
#define STATUS_RULES(X) \
	X(JUDGE_RULE_FORWARDING_STOPPED, "forwarding-stopped", STATUS, DOWN, \
	  "weir-dataplane is dead, hangs or (XDP) has not run yet, and forwards nothing: with DPDK its workers are not seen to forward, " \
	  "with XDP no port has a program", .harm = "no packets are forwarded", .cure = "start it") \
	X(JUDGE_RULE_NO_PORT, "no-port", STATUS, DOWN, "ports are configured and none carries the program", \
	  .harm = "no packet reaches the forwarding tables", .cure = "the log of weir-dataplane says why") \
	X(JUDGE_RULE_ANSWERING_STOPPED, "answering-stopped", STATUS, DOWN, \
	  "weir-dns is dead or hangs, on a node that forwards nothing by its configuration", .harm = "answering is all that this node does", \
	  .cure = "start it") \
	X(JUDGE_RULE_STATED_DOWN, "stated-down", STATUS, DOWN, "a process states a condition of level down", \
	  .harm = "the process that does the work says that the work is not done", .cure = "what the condition says") \
	X(JUDGE_RULE_POOL_FORWARDS_NOTHING, "pool-forwards-nothing", STATUS, DOWN, \
	  "the tables send to no backend of a pool that has backends", .harm = "all packets for its services are dropped", \
	  .cure = "see weir why pool NAME") \
	X(JUDGE_RULE_POOL_ALL_DOWN, "pool-all-down", STATUS, DOWN, "the checks of all backends of a pool fail", \
	  .harm = "packets that a guard still sends to it are not answered", .cure = "weir health shows why") \
	X(JUDGE_RULE_PROCESS_SILENT, "process-silent", STATUS, DEGRADED, "a process is dead, or has shown no sign of life for 2 s", \
	  .harm = "the others go on with the last state; nothing new takes effect", .cure = "see its log") \
	X(JUDGE_RULE_SUPERVISOR_SILENT, "supervisor-silent", STATUS, DEGRADED, \
	  "weir run was started here, and is dead or has shown no sign of life for 2 s", \
	  .harm = "nothing restarts a process that dies or hangs", .cure = "start it (running processes continue)") \
	X(JUDGE_RULE_DOCUMENT_REFUSED, "document-refused", STATUS, DEGRADED, \
	  "a process refused the newest document (for want of memory, a descriptor or a right it tries again by itself)", \
	  .harm = "the applied configuration is not in force", .cure = "its log says why") \
	X(JUDGE_RULE_DOCUMENT_PENDING, "document-pending", STATUS, DEGRADED, "a running process has not taken a document for 3 s", \
	  .harm = "the applied configuration is not in force yet", .cure = "see its log") \
	X(JUDGE_RULE_STATED_DEGRADED, "stated-degraded", STATUS, DEGRADED, "a process states a condition of level degraded", \
	  .harm = "the process that does the work says that part of it is not done", .cure = "what the condition says") \
	X(JUDGE_RULE_CONDITIONS_UNREAD, "conditions-unread", STATUS, DEGRADED, \
	  "a running process's conditions cannot be read, or did not all fit", .harm = "problems of that process may be hidden", \
	  .cure = "if this lasts, restart it (systemctl restart weir)") \
	X(JUDGE_RULE_PORTS_MISSING, "ports-missing", STATUS, DEGRADED, "fewer ports carry the program than are configured", \
	  .harm = "packets that arrive by the others are not forwarded", .cure = "its log says why") \
	X(JUDGE_RULE_EFFECT_UNKNOWN, "effect-unknown", STATUS, DEGRADED, \
	  "weir-dataplane runs, but its tables cannot be read, or it has no document yet", \
	  .harm = "the effect of the configuration is unknown", .cure = "see its log") \
	X(JUDGE_RULE_CONNECTIONS_PENDING, "connections-pending", STATUS, DEGRADED, \
	  "weir-dataplane started on empty tables and waits for a peer's connection state", \
	  .harm = "connections that moved while it was away would break", .cure = "routers should not send it packets yet") \
	X(JUDGE_RULE_NO_CONFIGURATION, "no-configuration", STATUS, DEGRADED, "there is no version", \
	  .harm = "the node serves nothing, although it may be meant to", .cure = "apply one (weir apply FILE)") \
	X(JUDGE_RULE_STORE_FAILING, "store-failing", STATUS, DEGRADED, "the store cannot be read or written", \
	  .harm = "changes are refused or not kept", .cure = "check the disk and store.db (handbook)") \
	X(JUDGE_RULE_DOCUMENT_UNWRITTEN, "document-unwritten", STATUS, DEGRADED, "the effective document cannot be written", \
	  .harm = "changes do not reach the processes", .cure = "free disk space, or let weir-mgmt write its directory") \
	X(JUDGE_RULE_VERSION_UNCONFIRMED, "version-unconfirmed", STATUS, DEGRADED, "a version waits to be confirmed", \
	  .harm = "it will be rolled back unless a person acts", .cure = "run weir confirm to keep it, else it is rolled back") \
	X(JUDGE_RULE_BACKEND_NO_NEXT_HOP, "backend-no-next-hop", STATUS, DEGRADED, \
	  "a backend is meant to serve and owns slots, but has no next hop", .harm = "packets of its slots are dropped", \
	  .cure = "ip route get ADDRESS") \
	X(JUDGE_RULE_SLOTS_EMPTY, "slots-empty", STATUS, DEGRADED, "slots of a pool have no owner", \
	  .harm = "packets of these slots are dropped", .cure = "weir status --pool NAME shows its backends") \
	X(JUDGE_RULE_BACKEND_DOWN, "backend-down", STATUS, DEGRADED, "a backend's check fails", \
	  .harm = "its pool has less capacity than intended", .cure = "weir health shows why") \
	X(JUDGE_RULE_BACKEND_OUT, "backend-out", STATUS, DEGRADED, \
	  "a backend is meant to serve and is up, but the tables do not send to it", .harm = "its pool has less capacity than intended", \
	  .cure = "weir why backend POOL/BACKEND shows why") \
	X(JUDGE_RULE_CHECKS_SILENT, "checks-silent", STATUS, DEGRADED, "a backend has no verdict of its check", \
	  .harm = "whether it serves is unknown", .cure = "weir health shows why") \
	X(JUDGE_RULE_CHECKS_INCONCLUSIVE, "checks-inconclusive", STATUS, DEGRADED, "the checks of all backends of a pool are inconclusive", \
	  .harm = "the verdicts are old: whether they serve is unknown", .cure = "weir health shows which") \
	X(JUDGE_RULE_POOL_ALL_DRAINED, "pool-all-drained", STATUS, DEGRADED, "all backends of a pool are drained by overrides", \
	  .harm = "they keep serving, against the intent and with equal weights, since no other is left", \
	  .cure = "weir undrain backend POOL/BACKEND") \
	X(JUDGE_RULE_SITE_DOWN, "site-down", STATUS, DEGRADED, "all services of a site are seen down", \
	  .harm = "its clients have to be served elsewhere", .cure = "see weir why site NAME") \
	X(JUDGE_RULE_DRAIN_HELD, "drain-held", STATUS, DEGRADED, "a site's drain has expired, and the site is not seen up", \
	  .harm = "the scheduled return does not happen", .cure = "weir undrain site NAME --scheduled --now ends it anyway") \
	X(JUDGE_RULE_PEER_TOKEN_MISSING, "peer-token-missing", STATUS, DEGRADED, \
	  "the configuration names other nodes, and there is no peer.token", \
	  .harm = "nothing is exchanged: versions, drains and observations stay on this node", .cure = "put the same file on every node") \
	X(JUDGE_RULE_PEER_TOKEN_REFUSED, "peer-token-refused", STATUS, DEGRADED, "a peer refuses our peer.token", \
	  .harm = "nothing is exchanged with this peer", .cure = "put the same file on both nodes") \
	X(JUDGE_RULE_PEER_NEVER_HEARD, "peer-never-heard", STATUS, DEGRADED, "a configured node has not answered since weir-mgmt started", \
	  .harm = "its version, its drains and what it sees are unknown", .cure = "the reason says why it was not reached") \
	X(JUDGE_RULE_PEER_UNREACHABLE, "peer-unreachable", STATUS, DEGRADED, "a peer does not answer any more", \
	  .harm = "its version, its drains and what it sees are unknown", .cure = "the reason says why it was not reached") \
	X(JUDGE_RULE_PEER_BEHIND, "peer-behind", STATUS, DEGRADED, "a peer has not taken this node's version or overrides for 15 s", \
	  .harm = "the nodes run different configurations; the peer cannot take the newer one", \
	  .cure = "weir status on that node shows why") \
	X(JUDGE_RULE_PEER_DIFFERS, "peer-differs", STATUS, DEGRADED, "a peer runs another configuration", \
	  .harm = "the nodes run different configurations; a person has to choose", .cure = "weir store status on each")

/**
 * A change of the configuration is risky, from the figure of the level on: any part at all, a share (0 to 1), or so many times the
 * value before. The limits of shares: half of a pool is what its other half can be expected to carry; a third of a name's answers
 * is one site of three. Of times: what a person changes at one time without a thought is a factor of two.
 */
#define CHANGE_RULES(X) \
	X(RISK_FLOWS_REHASHED, "flows-rehashed", CHANGE, ANY, "connections go to backends that do not know them, and break") \
	X(RISK_POOL_EXCHANGED, "pool-exchanged", CHANGE, ANY, "connections go to backends that do not know them, and break") \
	X(RISK_ENCAPSULATION, "encapsulation-changed", CHANGE, ANY, "backends that do not expect these packets drop them") \
	X(RISK_MEMBERS_LEAVE, "members-leave", CHANGE, SHARE, "the load of these members moves to fewer, or to untried, backends", \
	  .limit = 0.5) \
	X(RISK_LOAD_GATHERS, "load-gathers", CHANGE, TIMES, "one backend gets several times its load", .limit = 2) \
	X(RISK_OVERRIDE_LOST, "override-lost", CHANGE, ANY, \
	  "an override goes by the backend's name: what was taken out of service gets traffic again, what was forced up may get none") \
	X(RISK_UNCHECKED_MEMBERS, "unchecked-members", CHANGE, ANY, "backends without a check get traffic even if they are dead") \
	X(RISK_CHECK_REMOVED, "check-removed", CHANGE, ANY, "dead targets are never detected") \
	X(RISK_CHECK_TARGET, "check-target", CHANGE, ANY, "the check probes something else: good targets may fail, dead targets may pass") \
	X(RISK_CHECK_SLOWER, "check-slower", CHANGE, TIMES, "dead targets keep their traffic for longer", .limit = 3) \
	X(RISK_CHECK_HASTY, "check-hasty", CHANGE, TIMES, "slow targets are taken for dead", .limit = 3) \
	X(RISK_CHECK_RETURN, "check-return", CHANGE, TIMES, "targets that have recovered stay out for longer", .limit = 5) \
	X(RISK_CHECK_RATE, "check-rate", CHANGE, TIMES, "probes put a load on the targets", .limit = 5) \
	X(RISK_DAMPING, "damping", CHANGE, ANY, "targets are held down, or flap without a limit") \
	X(RISK_GUARD_LOWERED, "guard-lowered", CHANGE, SHARE, "checks may take more of the pool out of service at once", .limit = 0.15) \
	X(RISK_REMOVAL_BLOCKED, "removal-blocked", CHANGE, SHARE, \
	  "dead backends keep their traffic, because the guard lets too few be removed", .limit = 0.5) \
	X(RISK_REMOVAL_SLOWED, "removal-slowed", CHANGE, TIMES, "dead backends are removed one after another", .limit = 4) \
	X(RISK_ALL_DOWN, "on-all-down", CHANGE, ANY, "the pool acts differently when all its backends are down") \
	X(RISK_BACKUP, "backup-changed", CHANGE, ANY, \
	  "late clients of a drained site, and clients of a pool that is down, are not served, or their connections break") \
	X(RISK_FLOW_MEMORY, "flow-memory", CHANGE, SHARE, "idle flows are forgotten, and break at the next change of members", .limit = 0.5) \
	X(RISK_UDP_POLICY, "udp-policy", CHANGE, ANY, "UDP flows move to other backends at the next change of members") \
	X(RISK_ENTRIES_GONE, "entries-gone", CHANGE, ANY, "clients of these addresses get no answer any more") \
	X(RISK_SERVICE_RENAMED, "service-renamed", CHANGE, ANY, \
	  "verdicts, and drains of the service alone, go by its name: a site that is down or so drained gets clients") \
	X(RISK_VIP_SITES, "vip-sites-changed", CHANGE, ANY, \
	  "routers move connections to another site, whose backends do not know them, and these break") \
	X(RISK_ANNOUNCE_STOPPED, "announce-stopped", CHANGE, ANY, "routers send no packets for these addresses to the node any more") \
	X(RISK_ANNOUNCE_MOVED, "announce-moved", CHANGE, ANY, "a routing daemon that is not set up for it withdraws the node's addresses") \
	X(RISK_ANNOUNCE_WHEN, "announce-when", CHANGE, ANY, "nodes withdraw the VIP, or keep announcing it, in other cases than before") \
	X(RISK_PORTS_GONE, "ports-gone", CHANGE, ANY, "packets that arrive at the port are not forwarded") \
	X(RISK_PORT_DEVICE, "port-device", CHANGE, ANY, "frames arrive at another device, or are not accepted") \
	X(RISK_DRIVER, "driver-changed", CHANGE, ANY, "the forwarding program is replaced under traffic") \
	X(RISK_NEXT_START, "next-start", CHANGE, ANY, "the change takes effect, or fails, only at the next start of weir-dataplane") \
	X(RISK_TUNNEL_SOURCE, "tunnel-source", CHANGE, ANY, "backends drop tunnels from source addresses that they do not know") \
	X(RISK_MTU, "mtu-changed", CHANGE, ANY, "large packets are refused, or lost on links that do not carry them") \
	X(RISK_LISTENERS_GONE, "listeners-gone", CHANGE, ANY, "DNS queries to these addresses are not answered any more") \
	X(RISK_NODE_GONE, "node-gone", CHANGE, ANY, "the node stops forwarding and answering") \
	X(RISK_NODE_MOVED, "node-moved", CHANGE, ANY, "the node forwards another site's services") \
	X(RISK_API_MOVED, "api-moved", CHANGE, ANY, \
	  "peers do not find this node: no exchange of files and peer health, nor of drains without the store") \
	X(RISK_CONTROLS_CHANGED, "controls-changed", CHANGE, ANY, "a failing network is taken for failing backends, or the other way round") \
	X(RISK_CLOCK_GUARD, "clock-guard", CHANGE, ANY, "ramps follow a clock that may be wrong") \
	X(RISK_CAPACITY_GUARD, "capacity-guard", CHANGE, TIMES, "the guard `room` allows drains whose traffic the others cannot carry", \
	  .limit = 2) \
	X(RISK_SITES_OUT, "sites-out", CHANGE, ANY, "the guard `max-sites-out` lets operations take more sites out at a time") \
	X(RISK_CLUSTER_RENAMED, "cluster-renamed", CHANGE, ANY, \
	  "the node finds its tables and its peers by the cluster's name: it starts without both") \
	X(RISK_TABLES_SMALLER, "tables-smaller", CHANGE, SHARE, "fewer flows are remembered during changes, or the tables do not fit", \
	  .limit = 0.5) \
	X(RISK_SITE_GONE, "site-gone", CHANGE, ANY, "the site is not configured any more") \
	X(RISK_SITE_EMPTIED, "site-emptied", CHANGE, ANY, "all clients of the site move at once: use weir drain, which moves them in steps") \
	X(RISK_ANSWERS_MOVE, "answers-move", CHANGE, SHARE, \
	  "clients move to other sites at once: use weir drain, which moves them in steps", .limit = 0.3) \
	X(RISK_ANSWERS_UNPROVEN, "answers-unproven", CHANGE, ANY, "clients go to addresses that no node checks") \
	X(RISK_TTL_LONGER, "ttl-longer", CHANGE, TIMES, "clients keep a dead site's address for longer", .limit = 5) \
	X(RISK_TTL_SHORTER, "ttl-shorter", CHANGE, TIMES, "resolvers send many times more queries", .limit = 10) \
	X(RISK_NAMES_GONE, "names-gone", CHANGE, ANY, "the name is not answered any more") \
	X(RISK_ZONES_GONE, "zones-gone", CHANGE, ANY, "the zone is not answered any more") \
	X(RISK_RECORDS_GONE, "records-gone", CHANGE, SHARE, "names of the zone are not answered any more", .limit = 0.2) \
	X(RISK_RECORDS_CHANGE, "records-change", CHANGE, SHARE, "names of the zone point elsewhere", .limit = 0.5) \
	X(RISK_ZONE_SERVERS, "zone-servers", CHANGE, ANY, "resolvers ask other servers for the whole zone") \
	X(RISK_ZONE_UNREAD, "zone-unread", CHANGE, ANY, "which records the zone loses is unknown")
/* clang-format on */

enum rule_id {
#define RULE_ID(id, ...) id,
	RULES(RULE_ID)
#undef RULE_ID
	        RULE_COUNT
};

/** What a rule is about. */
enum rule_scope {
	RULE_STATUS, /**< a node */
	RULE_CHANGE, /**< a change of the configuration */
	RULE_SCOPE_COUNT
};

/** How much it weighs. */
enum rule_level {
	RULE_DEGRADED, /**< of status */
	RULE_DOWN,
	RULE_ANY, /**< of a change: what its figure counts */
	RULE_SHARE,
	RULE_TIMES,
};

struct rule_row {
	const char *name;
	enum rule_scope scope;
	enum rule_level level;
	const char *means; /**< when it applies */
	const char *harm;  /**< what goes wrong: why it has this level */
	const char *cure;  /**< what to do; NAME: the subject */
	double limit;      /**< of a change: risky from this figure on; see risk_limit() */
};

/** All rows, by enum rule_id. */
extern const struct rule_row rule_rows[RULE_COUNT];

#endif
