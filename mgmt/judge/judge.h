/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The judgement over a node: well, degraded or down, and why (implemented in judge.c).
 *
 * One pure function from facts to a verdict. Everything that shows a state calls it: `weir status`,
 * its exit code, `weir why`, `weir wait`, the API, events and metrics. The table of rules (mgmt/rules/rule.h) says which
 * condition gives which state, and why; tests/unit/mgmt/test_judge.c drives each row.
 *
 * Any thread may call it, in weir-mgmt and in the command line.
 */
#ifndef WEIR_MGMT_JUDGE_JUDGE_H
#define WEIR_MGMT_JUDGE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/rules/rule.h"
#include "weir/condition.h"

enum judge_state { JUDGE_WELL, JUDGE_DEGRADED, JUDGE_DOWN };

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
	uint64_t unconfirmed;       /**< the number of the version that waits; 0: none */
	const char *unconfirmed_at; /**< where it is tried until then; "" or NULL: everywhere */
	/** for what that waits besides people; "" or NULL: for nothing */
	const char *unconfirmed_waits;
	uint64_t document; /**< newest effective document */
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
	enum rule_id rule;
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
const char *judge_state_text(int state);

#endif
