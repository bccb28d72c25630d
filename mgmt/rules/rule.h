/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The table of rules: a row for each condition by which management refuses, holds, warns or calls a node less than well. What
 * a rule is called, what it means and what to do about it stand here alone; docs/status.md is printed from here.
 *
 * Whether a rule applies is decided where its facts are: mgmt/judge/judge.c (status). A finding names its row, and adds
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
#define RULES(X) STATUS_RULES(X)

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
	RULE_SCOPE_COUNT
};

/** How much it weighs. */
enum rule_level { RULE_DEGRADED, RULE_DOWN };

struct rule_row {
	const char *name;
	enum rule_scope scope;
	enum rule_level level;
	const char *means; /**< when it applies */
	const char *harm;  /**< what goes wrong: why it has this level */
	const char *cure;  /**< what to do; NAME: the subject */
};

/** All rows, by enum rule_id. */
extern const struct rule_row rule_rows[RULE_COUNT];

#endif
