/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The packet path for one frame, for those who ask what it would do: weir trace, the XDP driver of its
 * probe packets. It is the code that packets meet (weir/fwd/forward.h), compiled once for all of them.
 * Implemented in pages/path.c; any thread may call.
 */
#ifndef WEIR_PATH_H
#define WEIR_PATH_H

#include "weir/fwd/user.h"

#include "weir/fwd/decide.h"

/**
 * Forward a frame: as fwd_forward() does.
 * @param t       tables; they are written to as by a packet, so whoever changes nothing gives a copy
 * @param packet  in and out; rewritten as it would be sent
 * @param v       out; all zero before
 */
void path_forward(const struct fwd_tables *t, struct fwd_packet *packet, struct fwd_verdict *v);

#endif
