/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The bytes of a watch: lines of JSON in pieces of any size, made events by revision.
 *
 * Each revision's events are given in one call, in order: what one transaction wrote comes into
 * force at once or not at all. Progress notifications say that the stream lives, and nothing else is
 * concluded from them: a watch goes on behind the last event, which may be older than needed, and
 * etcd says so (-ESTALE) if that is compacted.
 *
 * Implemented in mgmt/etcd/stream.c. No I/O and no clock; one thread at a time uses a stream.
 */
#ifndef WEIR_MGMT_ETCD_STREAM_H
#define WEIR_MGMT_ETCD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/etcd/answer.h"

/**
 * Gets the events of one revision, which are borrowed for the call.
 * @return false: they cannot be taken; the stream ends as after a compaction (-ESTALE: list)
 */
typedef bool etcd_stream_sink(void *arg, int64_t revision, const struct etcd_event *events,
                              size_t n);

struct etcd_stream {
	struct etcd_range range; /**< its keys; their bytes are the caller's */
	uint64_t cluster_id;     /**< whose events are accepted; 0: any cluster's */
	int64_t next;            /**< the revision behind the last that was given */
	bool is_created;         /**< etcd has confirmed the watch */
	etcd_stream_sink *sink;
	void *arg;
	char *line; /**< the line that is not whole yet */
	size_t n, size;
	int err; /**< sticky */
	char reason[ETCD_REASON_MAX];
};

/** Begin a stream of @p range's keys from revision @p next on. To be ended by etcd_stream_fini(). */
void etcd_stream_init(struct etcd_stream *s, const struct etcd_range *range, uint64_t cluster_id,
                      int64_t next, etcd_stream_sink *sink, void *arg);
void etcd_stream_fini(struct etcd_stream *s);
/**
 * Accept the next bytes; the sink is called for each revision that is whole.
 * @return 0; or why the stream is of no use any more, with a sentence in s->reason, and again at each
 *         further call: -ESTALE (events were compacted: list, then watch again), -EFBIG (a line of
 *         more than ETCD_ANSWER_MAX: list), -EBADMSG (not etcd's, or another cluster's),
 *         -ECONNABORTED (etcd ended the watch: go on at another member), -EACCES (not permitted, or
 *         the token has expired), -ENOMEM
 */
MUST_CHECK int etcd_stream_feed(struct etcd_stream *s, const char *bytes, size_t n);

#endif
