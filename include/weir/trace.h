/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * `weir trace`: what the node does with a packet, step by step. The same code as for packets
 * (include/weir/fwd/) runs on the tables in force, without changing them.
 *
 * The tables may belong to a living dataplane or to one that died: they are pinned. Implemented in
 * dataplane/export/trace.c and trace_json.c; any thread.
 */
#ifndef WEIR_TRACE_H
#define WEIR_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct fwd_tables; /* weir/fwd/user.h */

#define TRACE_STEPS_MAX 16
#define TRACE_TEXT_MAX  200

/** What to ask. */
struct trace_query {
	struct addr source, vip;
	uint16_t source_port, vip_port;
	uint8_t protocol; /**< 6 or 17 */
	bool syn;         /**< TCP: the first segment of a connection, else one in the middle */
	uint16_t length;  /**< of the IP packet, bytes, with its headers: trace_set_length() */
};

/** One step: a fixed word, and what happened there for people. */
struct trace_step {
	/** "parse", "service", "pool", "slot", "owner", "backend", "rewrite", "verdict" */
	const char *step;
	char text[TRACE_TEXT_MAX];
};

struct trace_result {
	struct trace_step steps[TRACE_STEPS_MAX];
	size_t n_steps;
	const char *action; /**< "forward", "pass" (to the kernel), "drop" or "answer" */
	const char *reason; /**< the reason's name, as in weir_dataplane_packets_total */
	uint64_t hash;
	uint32_t slot; /**< in the pool; ~0 where it did not come so far */
	uint32_t pool; /**< index in the tables; ~0 */
	/** The backend that the packet goes to; id 0: none. */
	uint64_t backend_id;
	struct addr backend;
	bool remembered;          /**< an exception decided */
	bool settled;             /**< the slot has no earlier owner */
	struct addr outer_source; /**< of the packet as it leaves */
	uint32_t ifindex;
};

/**
 * Read "SRC:PORT VIP:PORT/tcp" (IPv6 in brackets; "/udp"; "/tcp:syn" for a first segment).
 * @return 0 or -EINVAL; @p out untouched on failure
 */
int trace_parse(const char *source, const char *destination, struct trace_query *out);

/**
 * Ask of an IP packet of @p length bytes; trace_parse() asks of the shortest.
 * @return 0, or -EINVAL: none of this kind is so long, or so short
 */
int trace_set_length(struct trace_query *q, long long length);

/**
 * Run @p q on @p tables, which are not changed, at @p now_s of the packets' clock.
 * @return 0; -ENOMEM
 */
int trace_run(const struct fwd_tables *tables, const struct trace_query *q, uint32_t now_s,
              struct trace_result *out);
/** The packets' clock: CLOCK_MONOTONIC in seconds. */
uint32_t trace_now_s(void);

/**
 * As trace_run(), on the tables at @p dir (effect_tables_dir()); needs the right to open them.
 * @param err_text  a sentence on failure, [err_text_size]
 * @return 0, -ENOENT (no dataplane ever ran here), -EPERM, -EPROTO or -errno
 */
int trace_pinned(const char *dir, const struct trace_query *q, struct trace_result *out,
                 char *err_text, size_t err_text_size);

/**
 * The result as a line of JSON from malloc(), given; the control socket's answer to {"do":"trace"}.
 * @return NULL when out of memory
 */
char *trace_json(const struct trace_query *q, const struct trace_result *r);

#endif
