/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The members of an etcd cluster, reached through their JSON gateways: reads, transactions, leases.
 *
 * A gateway keeps connections open, remembers the member that answered last, and goes on to the next
 * one when a member fails. A request takes 2 s at most, a write with all its tries 8 s.
 *
 * Before anything is written at a member that is new or has failed, the member is asked for its
 * cluster's id: a foreign cluster is never written to.
 *
 * A thread uses a gateway of its own; several may have one each. The stop flag may be set by any
 * thread: a call that waits returns within 100 ms. Before the first, the program calls
 * curl_global_init().
 *
 * Implemented in mgmt/etcd/gateway.c, gateway_txn.c and member.c.
 */
#ifndef WEIR_MGMT_ETCD_GATEWAY_H
#define WEIR_MGMT_ETCD_GATEWAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/checked.h"
#include "mgmt/etcd/answer.h"
#include "mgmt/etcd/attempts.h"
#include "mgmt/etcd/transfer.h"

#define ETCD_ENDPOINTS_MAX 9u
#define ETCD_USER_MAX      128u /**< bytes with the NUL */
#define ETCD_PASSWORD_MAX  256u /**< bytes of the password's file */
#define ETCD_REQUEST_MS    2000u
#define ETCD_WRITE_MS      8000u
#define ETCD_STOP_MS       500u /**< within which a stop flag is seen */

struct etcd_settings {
	/** "https://10.0.0.1:2379", no path. A host's name may make a call last longer than it says
	 * while the resolver does not answer. */
	char endpoints[ETCD_ENDPOINTS_MAX][ETCD_URL_MAX];
	size_t n_endpoints;
	size_t n_own; /**< the first, which stay whatever members say; 0: all */
	struct etcd_tls tls;
	char user[ETCD_USER_MAX]; /**< "": without authentication */
	/** its first line is the password; a regular file that group and others cannot read */
	char password_file[PATH_MAX];
	/** answers of others are refused; 0: not known yet, any is accepted */
	uint64_t cluster_id;
	uint32_t limit_ms; /**< for a call; 0: ETCD_WRITE_MS */
};

struct etcd_gateway;

/**
 * Open a gateway; nothing is sent yet.
 * @param stop  while it is set, calls end; NULL: there is none
 * @return 0, -EINVAL (the settings; @p reason says what) or -ENOMEM
 */
MUST_CHECK int etcd_gateway_open(const struct etcd_settings *settings, const atomic_bool *stop,
                                 struct etcd_gateway **out, char reason[ETCD_REASON_MAX]);
void etcd_gateway_close(struct etcd_gateway *g);
/** Why the last call failed, with the member that said so; "" after one that did not. */
const char *etcd_gateway_reason(const struct etcd_gateway *g);
/** Wall time of the member that answered last, in whole seconds since 1970; 0: it did not say it. */
int64_t etcd_gateway_date_s(const struct etcd_gateway *g);
/** The member that answered last, or is tried next. */
const char *etcd_gateway_member(const struct etcd_gateway *g);
/** From now on refuse the answers of other clusters than @p cluster_id; 0: any is accepted. */
void etcd_gateway_expect(struct etcd_gateway *g, uint64_t cluster_id);
/** The id of another cluster, of which a member has answered in the last call; 0: none has. */
uint64_t etcd_gateway_foreign(const struct etcd_gateway *g);

/*
 * Reads, and requests about leases, which may be repeated. Each returns 0 and @p out; on failure
 * @p out is untouched:
 *   -EINVAL     the request is not possible; nothing was sent
 *   -EHOSTUNREACH  no member gave an answer in time
 *   -EACCES     etcd refuses the user, or what the user wants to do; or there is no password
 *   -ENOENT     there is no such lease
 *   -ESTALE     the revision that was asked for is compacted
 *   -ENOSPC     the database is full
 *   -EBADMSG    the answers are not etcd's, or another cluster's
 *   -ECANCELED  the stop flag
 *   -ENOMEM
 */

/** Read keys. Linearizable, unless @p range says otherwise. */
MUST_CHECK int etcd_gateway_range(struct etcd_gateway *g, const struct etcd_range *range,
                                  struct arena *arena, struct etcd_keys *out);
/**
 * A new lease. If an answer is lost, etcd may have made a second one, which ends by itself. The time
 * runs from before this call.
 */
MUST_CHECK int etcd_gateway_grant(struct etcd_gateway *g, int64_t ttl_s, struct etcd_lease *out);
/**
 * Let a lease begin again; -ENOENT: it is lost, and its keys are gone. Any other failure says
 * nothing about the lease, and a success not how long ago the last was: leases stand still while
 * the cluster has no leader.
 */
MUST_CHECK int etcd_gateway_keepalive(struct etcd_gateway *g, int64_t lease,
                                      struct etcd_lease *out);
/** What the member at endpoint number @p i says of itself; no other is asked. */
MUST_CHECK int etcd_gateway_status(struct etcd_gateway *g, size_t i, struct etcd_status *out);
/** The same of the current member. */
MUST_CHECK int etcd_gateway_status_here(struct etcd_gateway *g, struct etcd_status *out);

/** Members by their endpoints. */
struct etcd_endpoints {
	char urls[ETCD_ENDPOINTS_MAX][ETCD_URL_MAX];
	char names[ETCD_ENDPOINTS_MAX][ETCD_NAME_MAX]; /**< "": not known */
	uint32_t n;
	/** Also those that are not in the list, of the members that were read; 0: not known. */
	uint32_t n_voters;
};
/**
 * List the members that have a vote and are reached by TLS, as the current member knows them; no other is asked.
 * @return as the reads above
 */
MUST_CHECK int etcd_gateway_endpoints(struct etcd_gateway *g, struct etcd_endpoints *out);
/**
 * Ask the member at @p url, which is among the endpoints, whether it works; no other is asked. What the gateway says of its last
 * call stays. @return 0: it does, and knows a leader; -ENOENT: it is not among them; or -EHOSTUNREACH, with a reason
 */
MUST_CHECK int etcd_gateway_look_at(struct etcd_gateway *g, const char *url,
                                    char reason[ETCD_REASON_MAX]);
/**
 * Use those of @p more that are not among the endpoints as well, behind the others, as far as there is room. Those that are
 * not in it go, but for the settings' own and the current one.
 */
void etcd_gateway_use(struct etcd_gateway *g, const struct etcd_endpoints *more);

/** An answer that the caller reads, of any size up to ETCD_ANSWER_MAX. */
struct etcd_reply {
	const char *bytes; /**< until the next call */
	size_t n;
};
/**
 * Send any other request that changes something (of members) to one member after the other, until one has
 * got it. Returns as above, or -EINPROGRESS: it may be carried out, now or later.
 */
MUST_CHECK int etcd_gateway_send(struct etcd_gateway *g, const struct etcd_request *request,
                                 struct etcd_reply *out);
/** Send any other request that changes nothing (members, alarms), until one answers. Returns as above. */
MUST_CHECK int etcd_gateway_query(struct etcd_gateway *g, const struct etcd_request *request,
                                  struct etcd_reply *out);

/**
 * Carry out a transaction once. After an unclear try the same is tried at the next member, so
 * @p txn needs at least one compare, and all its compares together must not hold any more once it
 * was carried out; its failure list may read only. (A transaction without that is not sent.)
 *
 * @param out  with ETCD_DONE, ETCD_REFUSED and ETCD_REFUSED_UNSURE: what the operations gave; else
 *             untouched
 * @return what became of it; with ETCD_NOT_WRITTEN and ETCD_UNKNOWN etcd_gateway_reason() says why,
 *         and *@p err (which may be NULL) is one of the codes above
 */
MUST_CHECK enum etcd_result etcd_gateway_txn(struct etcd_gateway *g, const struct etcd_txn *txn,
                                             struct arena *arena, struct etcd_txn_result *out,
                                             int *err);

#endif
