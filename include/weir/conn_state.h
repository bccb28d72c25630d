/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Connection state from a peer: the file through which a node that starts with empty tables gets the
 * owners of unsettled slots from another node of its site.
 *
 *   1. weir-mgmt of the starting node asks the peers' weir-mgmt over the API.
 *   2. A peer's weir-dataplane answers with a text that only dataplanes read.
 *   3. weir-mgmt of the starting node writes RUN/connections.state, whole or not at all: one line with the
 *      node's monotonic time and the peer's name, then the text. If no peer has anything to say, the
 *      name is "-" and the text is empty.
 *   4. weir-dataplane of the starting node reads the file and applies the text.
 *
 * Implemented in pages/conn_state.c; any thread.
 */
#ifndef WEIR_CONN_STATE_H
#define WEIR_CONN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define CONN_STATE_FILE     "connections.state"
#define CONN_STATE_TEXT_MAX ((size_t)3 << 20)
#define CONN_STATE_NODE_MAX 64u
#define CONN_STATE_NO_PEER  "-"

/** Write the file: @p text of peer @p node, fetched at @p now_ms. @return 0 or -errno */
MUST_CHECK int conn_state_write(const char *run_dir, const char *node, uint64_t now_ms,
                                const char *text);

struct conn_state {
	uint64_t at_ms; /**< when it was written */
	char node[CONN_STATE_NODE_MAX];
	char *text; /**< given, from malloc() */
};

/**
 * Read the peer's text if it was written after @p after_ms.
 * @return 0, -ENOENT (nothing yet), -EPROTO (another file) or -errno
 */
MUST_CHECK int conn_state_read(const char *run_dir, uint64_t after_ms, struct conn_state *out);

#endif
