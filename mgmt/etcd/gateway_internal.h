/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What the files of the gateway and the watch share.
 *
 * Implemented in mgmt/etcd/member.c. As mgmt/etcd/gateway.h says of threads.
 */
#ifndef WEIR_MGMT_ETCD_GATEWAY_INTERNAL_H
#define WEIR_MGMT_ETCD_GATEWAY_INTERNAL_H

#include "mgmt/etcd/gateway.h"

struct etcd_gateway {
	struct etcd_settings settings;
	const atomic_bool *stop;
	CURLM *multi;
	struct etcd_transfer transfer;       /* for all requests but a watch */
	size_t current;                      /* the endpoint that answered last, or is next */
	size_t n_left;                       /* endpoints that failed since one answered */
	bool is_checked[ETCD_ENDPOINTS_MAX]; /* it is of our cluster, and has not failed since */
	uint64_t foreign;           /* cluster id of a member that is not ours; 0: none was seen */
	char token[ETCD_TOKEN_MAX]; /* "": there is none */
	char reason[ETCD_REASON_MAX];
};

bool etcd_gateway_is_stopped(const struct etcd_gateway *g);
/** For how long a call may go on. */
unsigned etcd_gateway_limit_ms(const struct etcd_gateway *g);
/** Note why a call fails, with the current member. @return @p err */
int etcd_gateway_fail(struct etcd_gateway *g, int err, const char *text);
/** Go to the next endpoint, since the current one has failed; each time round, wait a little. */
void etcd_gateway_leave(struct etcd_gateway *g);

/* Let transfers go on until there is news, @p until_ms has come, or it is time to look at the stop flag. */
void etcd_gateway_run(struct etcd_gateway *g, uint64_t until_ms);

/**
 * One request to the current member, with a token where one is needed, which ends before @p end_ms of the boot clock. *@p err: 0, or
 * what to report if this is the last word; the reason is noted then. With ETCD_TRY_SUCCEEDED the
 * answer has status 200 and no error, and is in g->transfer.
 */
enum etcd_try etcd_gateway_try_as_user(struct etcd_gateway *g, const struct etcd_request *request,
                                       uint64_t end_ms, int *err);
/**
 * Whether an answer counts, which its reader has read with @p err: it must be our cluster's. Some that decide nothing have no
 * header, which is all 0. @return 0, @p err or -EBADMSG, noted
 */
MUST_CHECK int etcd_gateway_judge(struct etcd_gateway *g, int err, const char *reason,
                                  const struct etcd_header *header);

#endif
