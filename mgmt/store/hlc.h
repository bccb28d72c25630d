/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A clock that orders commands of people at nodes that cannot ask each other: a hybrid logical clock (Kulkarni et al.,
 * "Logical Physical Clocks", OPODIS 2014).
 *
 * A stamp is wall time in milliseconds and a count within it. A node's next stamp is later than each one that it has
 * made or seen, also when its wall clock is behind or goes back. So a command that was made with knowledge of another
 * one is the later of the two, if that one's stamp was believed; of two that did not know of each other the later time wins.
 *
 * A stamp of another node may be ahead of this node's clock. By more than HLC_AHEAD_MS it is not believed, or one node
 * with a wrong clock would win over all others until that time comes. Who does not believe a stamp does not give the
 * command one of its own either: nodes that each did so would disagree about which of two commands is the later. The
 * command is refused, with the refusing node's next stamp (hlc_next()), and the node that made the command stamps it
 * again, behind that one (hlc_again()). So a command has one stamp at all nodes, at each delivery.
 *
 * A pure module: time is passed in. Implemented in mgmt/store/hlc.c.
 */
#ifndef WEIR_MGMT_STORE_HLC_H
#define WEIR_MGMT_STORE_HLC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"

#define HLC_AHEAD_MS ((int64_t)5 * 60 * 1000)
#define HLC_TEXT_MAX 32u /**< bytes with the NUL */

struct hlc {
	int64_t ms;     /**< wall time; 0: no stamp */
	uint32_t count; /**< stamps before it within that time */
};

/** The next stamp of a node whose newest is @p c, which becomes it. */
struct hlc hlc_next(struct hlc *c, int64_t now_ms);
/**
 * A stamp @p theirs of another node has come.
 * @return true: it is believed, and those that follow here are later; false: it is too far ahead, and nothing changes
 *   here: refuse the command
 */
MUST_CHECK bool hlc_receive(struct hlc *c, struct hlc theirs, int64_t now_ms);
/**
 * The stamp for a command of this node that another has refused with its own stamp @p theirs: later than @p theirs, and than
 * what was seen here, unless that is too far ahead of @p theirs. Then this node's clock was wrong, and it goes back: no
 * other node has believed those stamps. The clock is not asked, it may be wrong still.
 */
struct hlc hlc_again(struct hlc *c, struct hlc theirs);
/** < 0: @p a is earlier; 0: the same; > 0: it is later. */
int hlc_compare(struct hlc a, struct hlc b);
/** As "1790000000000.3", the form of records. @return @p out */
const char *hlc_text(struct hlc c, char out[HLC_TEXT_MAX]);
/** Read that form, which may come from a stranger. @return whether it is one; @p out is untouched if not */
MUST_CHECK bool hlc_read(const char *text, struct hlc *out);

#endif
