/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the owner of an operation knows at one moment: all that the engine decides by.
 *
 * Each value says whether it is known. Zeroed is: nothing is known. A value that is old (more than
 * 3 s) is not known; whoever gathers decides that. Rates are means over the last 5 s at least, so
 * that one second without packets is not a silent site.
 *
 * Plain values; the arrays are borrowed for the length of one call.
 */
#ifndef WEIR_MGMT_OPERATIONS_OPERATION_FACTS_H
#define WEIR_MGMT_OPERATIONS_OPERATION_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mgmt/operations/operation.h"

enum operation_truth { OPERATION_UNKNOWN, OPERATION_NO, OPERATION_YES };

/** Points of a plan: where the running way began, and the level after each of its steps. */
#define OPERATION_POINTS (OPERATION_PLAN_MAX + 1u)

/** What a node has in force for one target. */
struct operation_level {
	bool known;
	uint32_t epoch, step; /**< of the operation's last write that it has; 0, 0: none */
	bool person;          /**< a person's command that is later than the operation's */
	/** in force in its weir-dns; of the document where that does not run */
	uint32_t level_ppm;
};

struct operation_node {
	const char *name, *site;
	bool self;
	bool reached;             /**< it answered in the last 2 s; self: always */
	bool refuses;             /**< its configuration does not have this node */
	enum operation_truth dns; /**< weir-dns runs there and answers */
	struct operation_level levels[OPERATION_TARGETS_MAX]; /**< by the operation's targets */
};

/**
 * A site at a point of the running plan, by the projection (mgmt/operations/projection.h): the load
 * now plus all that the steps up to this point still bring.
 */
struct operation_projected {
	enum operation_truth receives;    /**< the way brings it clients, or its pool is a backup */
	struct operation_value share_ppm; /**< of the new flows of what the operation moves */
	struct operation_value flows, bits; /**< a second */
	/** on top, when late clients come to backup pools here (`--now`: all that the targets have) */
	struct operation_value backup_flows, backup_bits;
};

struct operation_site {
	const char *name;
	bool serves; /**< a name that the operation moves can be answered with this site */
	bool backs;  /**< a target has a backup pool there, for what the operation moves */
	bool absent; /**< all its nodes are named absent, or none was reached when it began */
	enum operation_truth up;      /**< as seen from outside */
	bool checked;                 /**< a site that can reach it checks its VIPs from outside */
	enum operation_truth failing; /**< a check of its VIPs by a site that can reach it fails */
	enum operation_truth pools;   /**< its own pools are above min_healthy, by its own checks */
	/** it gets no clients: drained completely by another override or operation, or a node drain */
	enum operation_truth out;
	/** another operation at it is held below 100 %, or a drain by the clock is to come: it gets clients, and counts as out */
	bool held;
	bool incomplete; /**< a node that is named absent does not say what it gets: sums lack it */
	/** new flows a second of what the operation moves; silent SYNs are not among them */
	struct operation_value flows;        /**< that own backends accept */
	struct operation_value arrivals;     /**< that arrive, whichever pool takes them */
	uint64_t arrivals_heard;             /**< the same, or the part of them that nodes said */
	struct operation_value bits;         /**< a second from clients */
	struct operation_value backup_flows; /**< new flows a second that its backup pools take */
	struct operation_value established;  /**< packets a second of established flows */
	struct operation_value repeats;      /**< repeated SYNs a second, estimated */
	struct operation_value drops;        /**< a second, of reasons that clients suffer from */
	struct operation_value capacity_flows, capacity_bits; /**< stated; unknown: none stated */
	struct operation_projected at[OPERATION_POINTS];
	/* of a target */
	enum operation_truth backup_ok; /**< its backup pools would serve; if has_backup */
	bool has_backup;
	/**
	 * A service that does not move and has the slots of the moved one's backup: late clients stay with
	 * own backends, as those slots are its clients', too. NULL: none.
	 */
	const char *slots_with;
	enum operation_truth backup_left; /**< no backup member has a slot at any reached node */
	enum operation_truth announced;   /**< its VIPs are announced, with proof (or never are) */
	enum operation_truth elsewhere;   /**< shared VIPs: another site announces and forwards */
	struct operation_value named;     /**< answers a second that name this site */
};

/** What the targets together may have of the new flows, where one resolver may ask for many clients. */
struct operation_band {
	struct operation_value least_ppm, most_ppm;
};

/** An operation that is not over. */
struct operation_other {
	char id[MODEL_ID_MAX];
	int64_t created_ms;
	bool moves;
};

/** What the document in force says of the operation's subjects. */
enum operation_document {
	OPERATION_DOCUMENT_UNKNOWN,
	OPERATION_DOCUMENT_FINE,
	OPERATION_DOCUMENT_SITE_GONE,
	OPERATION_DOCUMENT_SERVICE_GONE, /**< it is not at a target any more */
	OPERATION_DOCUMENT_NO_DNS,       /**< no dynamic name chooses a target */
};

struct operation_facts {
	int64_t elapsed_ms; /**< since the last call for this operation, monotonic; 0: the first */
	const char *self;   /**< this node's name */
	enum operation_truth clock;         /**< the wall clock is believed */
	const struct operation_node *nodes; /**< all configured, this one too */
	size_t n_nodes;
	const struct operation_site *sites; /**< all configured */
	size_t n_sites;
	/** a service that moves and is at no other site that is up and not out; NULL: there is none */
	const char *left_alone;
	const char *left_together; /**< one of these that is at a site that others took out; NULL */
	const char *left_unknown;  /**< a service of which that is not known; NULL: there is none */
	const struct operation_other *others; /**< this one may be among them */
	size_t n_others;
	enum operation_document document;
	enum operation_truth unconfirmed; /**< a change waits to be confirmed */
	uint64_t key_fingerprint;         /**< of the key that chooses clients; 0: not known */
	struct operation_value max_sites_out;
	struct operation_value ttl_s;          /**< longest TTL of any answer given, over nodes */
	struct operation_value window_flows;   /**< new flows at all sites in the window of rates */
	struct operation_value window_answers; /**< answers in the projection's window */
	/** clients of the sites that lose some whose prefix is no observed key: resolvers ask for them */
	struct operation_value unseen_ppm;
	const char *unheard; /**< a name server whose clients are not known; NULL: none */
	struct operation_band share[OPERATION_POINTS];
	const struct operation_late *late; /**< clients that the backup serves, or still come */
	size_t n_late;
};

#endif
