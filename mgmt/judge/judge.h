/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The judgement over a node: well, degraded or down, and why (implemented in judge.c).
 *
 * One pure function from facts to a verdict. Everything that shows a state calls it: `weir status`,
 * its exit code, `weir why`, `weir wait`, the API, events and metrics. The table below says which
 * condition gives which state, and why; tests/unit/mgmt/test_judge.c drives each row.
 *
 * Any thread may call it, in weir-mgmt and in the command line.
 */
#ifndef WEIR_MGMT_JUDGE_JUDGE_H
#define WEIR_MGMT_JUDGE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/condition.h"

/**
 * Each row: name, code, state, when it applies, and why it gives this state. The order is the order
 * in which reasons are shown. *Down* means that nothing serves packets or queries that this node
 * should serve. Everything else that is less than the configuration says, or that is not known, is
 * *degraded*.
 */
#define JUDGE_RULES(X)                                                                             \
	X(FORWARDING_STOPPED, "forwarding-stopped", DOWN,                                          \
	  "weir-dataplane is dead, hangs or (XDP) has not run yet, and forwards nothing: with "    \
	  "DPDK its workers are not seen to forward, with XDP no port has a program",              \
	  "no packets are forwarded")                                                              \
	X(NO_PORT, "no-port", DOWN, "ports are configured and none carries the program",           \
	  "no packet reaches the forwarding tables")                                               \
	X(ANSWERING_STOPPED, "answering-stopped", DOWN,                                            \
	  "weir-dns is dead or hangs, on a node that forwards nothing by its configuration",       \
	  "answering is all that this node does")                                                  \
	X(STATED_DOWN, "stated-down", DOWN, "a process states a condition of level down",          \
	  "the process that does the work says that the work is not done")                         \
	X(POOL_FORWARDS_NOTHING, "pool-forwards-nothing", DOWN,                                    \
	  "the tables send to no backend of a pool that has backends",                             \
	  "all packets for its services are dropped")                                              \
	X(POOL_ALL_DOWN, "pool-all-down", DOWN, "the checks of all backends of a pool fail",       \
	  "packets that a guard still sends to it are not answered")                               \
	X(PROCESS_SILENT, "process-silent", DEGRADED,                                              \
	  "a process is dead, or has shown no sign of life for 2 s",                               \
	  "the others go on with the last state; nothing new takes effect")                        \
	X(SUPERVISOR_SILENT, "supervisor-silent", DEGRADED,                                        \
	  "weir run was started here, and is dead or has shown no sign of life for 2 s",           \
	  "nothing restarts a process that dies or hangs")                                         \
	X(DOCUMENT_REFUSED, "document-refused", DEGRADED,                                          \
	  "a process refused the newest document (for want of memory, a descriptor "               \
	  "or a right it tries again by itself)",                                                  \
	  "the applied configuration is not in force")                                             \
	X(DOCUMENT_PENDING, "document-pending", DEGRADED,                                          \
	  "a running process has not taken a document for 3 s",                                    \
	  "the applied configuration is not in force yet")                                         \
	X(STATED_DEGRADED, "stated-degraded", DEGRADED,                                            \
	  "a process states a condition of level degraded",                                        \
	  "the process that does the work says that part of it is not done")                       \
	X(CONDITIONS_UNREAD, "conditions-unread", DEGRADED,                                        \
	  "a running process's conditions cannot be read, or did not all fit",                     \
	  "problems of that process may be hidden")                                                \
	X(PORTS_MISSING, "ports-missing", DEGRADED,                                                \
	  "fewer ports carry the program than are configured",                                     \
	  "packets that arrive by the others are not forwarded")                                   \
	X(EFFECT_UNKNOWN, "effect-unknown", DEGRADED,                                              \
	  "weir-dataplane runs, but its tables cannot be read, or it has no document yet",         \
	  "the effect of the configuration is unknown")                                            \
	X(CONNECTIONS_PENDING, "connections-pending", DEGRADED,                                    \
	  "weir-dataplane started on empty tables and waits for a peer's connection state",        \
	  "connections that moved while it was away would break")                                  \
	X(NO_CONFIGURATION, "no-configuration", DEGRADED, "there is no version",                   \
	  "the node serves nothing, although it may be meant to")                                  \
	X(STORE_FAILING, "store-failing", DEGRADED, "the store cannot be read or written",         \
	  "changes are refused or not kept")                                                       \
	X(DOCUMENT_UNWRITTEN, "document-unwritten", DEGRADED,                                      \
	  "the effective document cannot be written", "changes do not reach the processes")        \
	X(VERSION_UNCONFIRMED, "version-unconfirmed", DEGRADED, "a version waits to be confirmed", \
	  "it will be rolled back unless a person acts")                                           \
	X(BACKEND_NO_NEXT_HOP, "backend-no-next-hop", DEGRADED,                                    \
	  "a backend is meant to serve and owns slots, but has no next hop",                       \
	  "packets of its slots are dropped")                                                      \
	X(SLOTS_EMPTY, "slots-empty", DEGRADED, "slots of a pool have no owner",                   \
	  "packets of these slots are dropped")                                                    \
	X(BACKEND_DOWN, "backend-down", DEGRADED, "a backend's check fails",                       \
	  "its pool has less capacity than intended")                                              \
	X(BACKEND_OUT, "backend-out", DEGRADED,                                                    \
	  "a backend is meant to serve and is up, but the tables do not send to it",               \
	  "its pool has less capacity than intended")                                              \
	X(CHECKS_SILENT, "checks-silent", DEGRADED, "a backend has no verdict of its check",       \
	  "whether it serves is unknown")                                                          \
	X(CHECKS_INCONCLUSIVE, "checks-inconclusive", DEGRADED,                                    \
	  "the checks of all backends of a pool are inconclusive",                                 \
	  "the verdicts are old: whether they serve is unknown")                                   \
	X(POOL_ALL_DRAINED, "pool-all-drained", DEGRADED,                                          \
	  "all backends of a pool are drained by overrides",                                       \
	  "they keep serving, against the intent and with equal weights, since no other is left")  \
	X(SITE_DOWN, "site-down", DEGRADED, "all services of a site are seen down",                \
	  "its clients have to be served elsewhere")                                               \
	X(DRAIN_HELD, "drain-held", DEGRADED,                                                      \
	  "a site's drain has expired, and the site is not seen up",                               \
	  "the scheduled return does not happen")                                                  \
	X(PEER_TOKEN_MISSING, "peer-token-missing", DEGRADED,                                      \
	  "the configuration names other nodes, and there is no peer.token",                       \
	  "nothing is exchanged: versions, drains and observations stay on this node")             \
	X(PEER_TOKEN_REFUSED, "peer-token-refused", DEGRADED, "a peer refuses our peer.token",     \
	  "nothing is exchanged with this peer")                                                   \
	X(PEER_NEVER_HEARD, "peer-never-heard", DEGRADED,                                          \
	  "a configured node has not answered since weir-mgmt started",                            \
	  "its version, its drains and what it sees are unknown")                                  \
	X(PEER_UNREACHABLE, "peer-unreachable", DEGRADED, "a peer does not answer any more",       \
	  "its version, its drains and what it sees are unknown")                                  \
	X(PEER_BEHIND, "peer-behind", DEGRADED,                                                    \
	  "a peer has not taken this node's version or overrides for 15 s",                        \
	  "the nodes run different configurations; the peer cannot take the newer one")            \
	X(PEER_DIFFERS, "peer-differs", DEGRADED, "a peer runs another configuration",             \
	  "the nodes run different configurations; a person has to choose")

enum judge_state { JUDGE_WELL, JUDGE_DEGRADED, JUDGE_DOWN };

enum judge_rule {
#define JUDGE_RULE_NAME(name, code, state, when, rationale) JUDGE_RULE_##name,
	JUDGE_RULES(JUDGE_RULE_NAME)
#undef JUDGE_RULE_NAME
	        JUDGE_RULE_COUNT
};

#define JUDGE_REASONS_MAX 64u    /**< kept; more are counted: nobody reads a hundred */
#define JUDGE_NOTES_MAX   16u    /**< the same of notes */
#define JUDGE_TEXT_MAX    512u   /**< bytes of a reason's sentence */
#define JUDGE_NAMED_MAX   3u     /**< backends that are named one by one */
#define JUDGE_PENDING_MS  3000u  /**< a process takes a usual document in less */
#define JUDGE_BEHIND_MS   15000u /**< a peer takes a version in less */
#define JUDGE_START_MS    10000u /**< a process that is started has a page in less */

/** Backends of a pool with one thing in common: how many, and the first few by name. */
struct judge_names {
	const char *first[JUDGE_NAMED_MAX];
	size_t n;
};

/** A process of this node. */
struct judge_process {
	const char *name;                    /**< "dataplane" */
	bool present;                        /**< it has run here */
	bool running;                        /**< it exists and has shown a sign of life lately */
	bool refused;                        /**< it refused the newest document */
	uint64_t age_ms;                     /**< since its last sign of life, if present */
	uint64_t document;                   /**< that it has taken; 0: not known */
	uint64_t pending_ms;                 /**< for how long it has had a newer one to take */
	const struct conditions *conditions; /**< borrowed; NULL: it has none that can be read */
	bool conditions_unread;              /**< it has run here, and they cannot be read */
};

/**
 * A pool of this node's site. Backends that are configured with weight 0 are not meant to serve.
 */
struct judge_pool {
	const char *name;
	size_t n_backends;
	size_t n_meant;    /**< with weight, and neither drained nor disabled by a person */
	size_t n_drained;  /**< by a person */
	bool checked;      /**< it has a check */
	bool health_fresh; /**< weir-health's page is fresh: the next four are known */
	size_t n_up;
	struct judge_names down, silent, inconclusive;
	bool in_force; /**< the dataplane's page is fresh and has the pool: the rest is known */
	size_t n_serving;
	size_t n_backup_serving;        /**< backends of its backup that take its packets */
	struct judge_names no_next_hop; /**< meant to serve, alive, with slots, without next hop */
	struct judge_names out;         /**< meant to serve, seen up if it has a check, not alive */
	uint32_t n_slots, n_empty;
};

enum judge_peer_state {
	JUDGE_PEER_WELL,
	JUDGE_PEER_NEVER,
	JUDGE_PEER_UNREACHABLE,
	JUDGE_PEER_REFUSED,
	JUDGE_PEER_DIFFERS,
	JUDGE_PEER_BEHIND,
};

struct judge_peer {
	const char *node, *detail; /**< detail: why it was not reached, or "" */
	enum judge_peer_state state;
	uint64_t behind_ms; /**< for how long it has been behind with the same version */
};

/** Another site, or the own one, as far as it matters here. */
struct judge_site {
	const char *name;
	bool down;       /**< seen down in all its services */
	bool drain_held; /**< its drain has expired and does not return */
};

/** All input of the judgement; everything is borrowed. Zeroed: nothing is known. */
struct judge_facts {
	bool has_configuration, has_intent; /**< has_intent: weir-mgmt speaks, and knows versions */
	const char *store_reason, *unwritten_reason; /**< "" or NULL: nothing is wrong */
	uint64_t unconfirmed; /**< the number of the version that waits; 0: none */
	uint64_t document;    /**< newest effective document */
	const struct judge_process *processes;
	size_t n_processes;
	struct judge_process supervisor; /**< weir run; not present: processes run without one */
	bool starts; /**< weir-mgmt has just started: other processes may be starting, too */
	bool dpdk, waits_for_connections;
	bool workers_forward; /**< weir-dataplane exists, and weir run sees its workers count rounds */
	bool no_program;      /**< weir-dataplane does not run, and no port has an XDP program */
	bool ports_known, answers; /**< answers: the configuration gives it addresses for DNS */
	size_t n_ports, n_ports_meant;
	bool effect_fresh;
	const struct judge_pool *pools;
	size_t n_pools;
	const struct judge_site *sites;
	size_t n_sites;
	bool has_peers, has_token;
	const struct judge_peer *peers;
	size_t n_peers;
};

/** One reason why a node is less than well. */
struct judge_reason {
	char code[CONDITION_CODE_MAX]; /**< a rule's, or the condition's that a process states */
	char subject[CONDITION_SUBJECT_MAX]; /**< what it is about, or "" */
	char text[JUDGE_TEXT_MAX];
	enum judge_rule rule;
	enum judge_state state;
	uint64_t since_ms;   /**< monotonic, by the process that states it; 0: not known here */
	int64_t since_at_ms; /**< wall time, the same at each call: state_since(); 0: not known */
};

struct judge_verdict {
	enum judge_state state;
	/** the worst first; if there are more, of each code some */
	struct judge_reason reasons[JUDGE_REASONS_MAX];
	size_t n_reasons, n_left_out;
	/** shown, of each code some; they do not change the state */
	struct judge_reason notes[JUDGE_NOTES_MAX];
	size_t n_notes, n_notes_left_out;
};

/** Judge. Pure: equal facts give equal verdicts. */
void judge(const struct judge_facts *facts, struct judge_verdict *out);

/** "well", "degraded", "down" */
const char *judge_state_text(enum judge_state state);
/** A row of the table. */
struct judge_row {
	const char *code;
	enum judge_state state;
	const char *when, *rationale;
};
/** All rows, by enum judge_rule. */
extern const struct judge_row judge_rows[JUDGE_RULE_COUNT];

#endif
