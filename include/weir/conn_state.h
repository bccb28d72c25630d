/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Guests: the temporary owners of slots. A node that started on empty tables learns them from a
 * peer, another node of its site.
 *
 * The peer's weir-dataplane writes the text. weir-mgmt of the starting node fetches it and puts it
 * into RUN/guests.told, whole or not at all: a line with this node's monotonic time and the peer's
 * name ("-": no peer knows more), then the peer's text, which only the two dataplanes read.
 * Implemented in pages/conn_state.c; any thread.
 */
#ifndef WEIR_CONN_STATE_H
#define WEIR_CONN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#define CONN_STATE_FILE     "guests.told"
#define CONN_STATE_TEXT_MAX ((size_t)3 << 20)
#define CONN_STATE_NODE_MAX 64u
#define CONN_STATE_NO_PEER  "-"

/** Write what @p node told. @return 0 or -errno */
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
