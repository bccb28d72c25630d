/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Answers of etcd's JSON gateway, read with etcd's traps in mind.
 *
 * Absent fields are proto3's defaults: a transaction without "succeeded" was refused, an answer
 * without "kvs" has no keys, an event without "type" is a put, a keepalive without "TTL" says that
 * the lease is lost. An answer that does not fit its request is refused whole: keys that were not
 * asked for, results that are not those of the operations, revisions that cannot be.
 *
 * Each reader returns 0; -EBADMSG, and @p reason names what was wrong; or -ENOMEM. On failure @p out
 * is untouched. Lists and bytes of @p out are in @p arena, which is the caller's and may have grown
 * on failure, too; its limit bounds the answer in addition to ETCD_ANSWER_MAX.
 *
 * Implemented in mgmt/etcd/answer.c.
 * No state: any thread, each with an arena of its own.
 */
#ifndef WEIR_MGMT_ETCD_ANSWER_H
#define WEIR_MGMT_ETCD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/checked.h"
#include "mgmt/etcd/etcd.h"
#include "mgmt/etcd/request.h"

#define ETCD_TOKEN_MAX   4096u /**< bytes of a token with its NUL */
#define ETCD_MEMBERS_MAX 32u
#define ETCD_ALARMS_MAX  (2 * ETCD_MEMBERS_MAX)
#define ETCD_NAME_MAX    128u /**< bytes of a member's name with its NUL */
#define ETCD_URL_MAX     256u /**< bytes with the NUL */

/** gRPC's codes that mean something here. */
enum etcd_code {
	ETCD_CODE_NONE = -1, /**< the answer has no code */
	ETCD_CODE_INVALID = 3,
	ETCD_CODE_NOT_FOUND = 5,
	ETCD_CODE_PERMISSION = 7,
	ETCD_CODE_EXHAUSTED = 8,
	ETCD_CODE_PRECONDITION = 9,
	ETCD_CODE_OUT_OF_RANGE = 11,
	ETCD_CODE_UNAUTHENTICATED = 16,
};

/** An answer that is an error. */
struct etcd_error {
	long status;                /**< of HTTP */
	int code;                   /**< enum etcd_code, or another of gRPC's */
	char text[ETCD_REASON_MAX]; /**< etcd's own words, made plain */
};

/**
 * Whether an answer is an error: any status but 200; and with 200 a body with "error", as streams
 * end. All forms are read: etcd 3.4's (error, message, code), 3.6's (code, message, details), either
 * inside "error", and plain text, which has ETCD_CODE_NONE (404: a wrong path, or the gateway is
 * off).
 */
bool etcd_answer_error(long status, const char *bytes, size_t n, struct etcd_error *out);

/** Keys, in their order. */
struct etcd_keys {
	struct etcd_header header; /**< inside a transaction's answer: all 0 */
	const struct etcd_kv *kvs;
	size_t n;
	int64_t count; /**< of all keys in the range, without the limit */
	bool more;     /**< the limit left some out */
};

/** @p range is the one that was asked for. */
MUST_CHECK int etcd_answer_range(const char *bytes, size_t n, const struct etcd_range *range,
                                 struct arena *arena, struct etcd_keys *out,
                                 char reason[ETCD_REASON_MAX]);

/** What one operation did. */
struct etcd_op_result {
	enum etcd_op_kind kind;
	struct etcd_keys keys; /**< ETCD_RANGE */
};

struct etcd_txn_result {
	struct etcd_header header;
	bool succeeded; /**< all compares held */
	/** of the operations in success or failure, in their order, as many */
	const struct etcd_op_result *results;
	size_t n_results;
};

/** @p txn is the one that was sent. */
MUST_CHECK int etcd_answer_txn(const char *bytes, size_t n, const struct etcd_txn *txn,
                               struct arena *arena, struct etcd_txn_result *out,
                               char reason[ETCD_REASON_MAX]);

/** A change of a key. */
struct etcd_event {
	bool is_deleted;
	struct etcd_kv kv; /**< deleted: its key and mod_revision only */
};

/** One line of a watch. */
struct etcd_watch_message {
	struct etcd_header header;
	bool is_created;
	bool is_canceled;
	int64_t compact_revision;    /**< canceled: what is before it is gone; 0: not the cause */
	char cause[ETCD_REASON_MAX]; /**< canceled: etcd's words; "": none */
	/** of rising revisions; those of one revision side by side */
	const struct etcd_event *events;
	size_t n_events;
};

/** @p range is the one that is watched. @p from is the first revision that may come. */
MUST_CHECK int etcd_answer_watch(const char *bytes, size_t n, const struct etcd_range *range,
                                 int64_t from, struct arena *arena, struct etcd_watch_message *out,
                                 char reason[ETCD_REASON_MAX]);

/** A lease after etcd_request_grant() or etcd_request_keepalive(). */
struct etcd_lease {
	struct etcd_header header;
	int64_t id;
	int64_t ttl_s; /**< 0: after a keepalive: the lease is lost */
};

/** Of the lease @p id after a keepalive; 0: of a grant, which without an id or a TTL is refused. */
MUST_CHECK int etcd_answer_lease(const char *bytes, size_t n, int64_t id, struct etcd_lease *out,
                                 char reason[ETCD_REASON_MAX]);
/** A token: printable ASCII without spaces, since it becomes a header. */
MUST_CHECK int etcd_answer_authenticate(const char *bytes, size_t n, struct etcd_header *header,
                                        char token[ETCD_TOKEN_MAX], char reason[ETCD_REASON_MAX]);
/**
 * An answer of which only the header counts: of a revocation or a compaction. Without one, which is
 * how etcd 3.4 answers about alarms, it is all 0.
 */
MUST_CHECK int etcd_answer_header(const char *bytes, size_t n, struct etcd_header *out,
                                  char reason[ETCD_REASON_MAX]);

/** What a member says of itself. */
struct etcd_status {
	struct etcd_header header;
	char version[32]; /**< "3.4.23" */
	int64_t db_bytes; /**< the file; the quota counts this */
	uint64_t leader;  /**< a member's id; 0: it knows none */
	bool is_learner;
	bool is_full; /**< a member's database is as large as its quota: nothing but deletions can be written */
};
MUST_CHECK int etcd_answer_status(const char *bytes, size_t n, struct etcd_status *out,
                                  char reason[ETCD_REASON_MAX]);

#define ETCD_ALARM_FULL "NOSPACE" /**< what is_full says */
struct etcd_alarms {
	struct etcd_header header; /**< all 0 from etcd 3.4 */
	struct {
		uint64_t member_id;
		char name[16]; /**< "NOSPACE", "CORRUPT" */
	} alarms[ETCD_ALARMS_MAX];
	size_t n;
};
MUST_CHECK int etcd_answer_alarms(const char *bytes, size_t n, struct etcd_alarms *out,
                                  char reason[ETCD_REASON_MAX]);

struct etcd_member {
	uint64_t id;
	char name[ETCD_NAME_MAX];      /**< "": it was added and has not started yet */
	char peer_url[ETCD_URL_MAX];   /**< the first; "": none */
	char client_url[ETCD_URL_MAX]; /**< the first; "": none */
	bool is_learner;
};
struct etcd_members {
	struct etcd_header header;
	struct etcd_member members[ETCD_MEMBERS_MAX];
	size_t n;
	uint64_t added; /**< by etcd_request_member_add(); else 0 */
};
/** Whether nodes may use it: it has a vote, and clients reach it by TLS. */
bool etcd_member_is_for_nodes(const struct etcd_member *m);
/** After any of the requests about members. */
MUST_CHECK int etcd_answer_members(const char *bytes, size_t n, struct etcd_members *out,
                                   char reason[ETCD_REASON_MAX]);

#endif
