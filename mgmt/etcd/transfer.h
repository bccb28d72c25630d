/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * One request to one member by libcurl.
 *
 * libcurl repeats a request by itself if a connection that it had kept turns out to be closed. A
 * write that the member had carried out before would then fail on its own compare, and look refused.
 * So the body comes from a callback that cannot begin again: once it has begun to be sent, the
 * transfer fails instead, and the caller knows.
 *
 * Implemented in mgmt/etcd/transfer.c. One thread at a time uses a transfer and its multi handle.
 */
#ifndef WEIR_MGMT_ETCD_TRANSFER_H
#define WEIR_MGMT_ETCD_TRANSFER_H

#include <curl/curl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/etcd/etcd.h"
#include "mgmt/etcd/request.h"

/** What is checked, and shown, at each new connection: paths of PEM files; "": none. */
struct etcd_tls {
	char ca[PATH_MAX];          /**< only this verifies members; "": the system's */
	char certificate[PATH_MAX]; /**< what we show to members */
	char key[PATH_MAX];
};

/** Bytes of an answer as they come. @return false to end the transfer */
typedef bool etcd_transfer_sink(void *arg, const char *bytes, size_t n);

struct etcd_transfer {
	CURL *handle; /**< keeps its options; the multi handle keeps connections */
	CURLM *multi;
	struct curl_slist *headers;
	const struct etcd_request *request; /**< borrowed until etcd_transfer_end() */
	size_t n_sent;                      /**< bytes of the body that libcurl has fetched */
	etcd_transfer_sink *sink; /**< gets an answer with status 200; NULL: it is collected */
	void *arg;
	char *bytes; /**< the answer, with a NUL behind; NULL: none yet */
	size_t n;
	bool is_too_large; /**< the answer was cut off at ETCD_ANSWER_MAX */
	bool is_running;
	CURLcode err;   /**< when it does not run any more */
	long status;    /**< of HTTP; 0: there is no answer */
	int64_t date_s; /**< wall time of who answered, by the answer's header; 0: it has none */
	char failure[CURL_ERROR_SIZE];
};

/** Make the handle. @return 0 or -ENOMEM; in any case to be ended by etcd_transfer_close() */
MUST_CHECK int etcd_transfer_open(struct etcd_transfer *t, const struct etcd_tls *tls);
void etcd_transfer_close(struct etcd_transfer *t);

/**
 * Begin @p request at @p endpoint ("https://10.0.0.1:2379") on @p multi.
 * @param token       for the header Authorization; "": none
 * @param timeout_ms  for all of it; 0: without end (a watch)
 * @return 0; -ENOMEM or -EIO, and it does not run
 */
MUST_CHECK int etcd_transfer_begin(struct etcd_transfer *t, CURLM *multi, const char *endpoint,
                                   const struct etcd_request *request, const char *token,
                                   unsigned timeout_ms);
/**
 * Let all transfers of @p multi go on for at most @p wait_ms; returns sooner when something
 * happened. Those that have ended have is_running false.
 */
void etcd_transfer_run(CURLM *multi, unsigned wait_ms);
/** Take it out of its multi handle, in any state. The answer stays until the next begin or close. */
void etcd_transfer_end(struct etcd_transfer *t);
/**
 * Whether the member may have the request: its whole body was given away. If not, it can carry
 * nothing out.
 */
bool etcd_transfer_is_sent(const struct etcd_transfer *t);

#endif
