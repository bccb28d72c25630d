/* SPDX-License-Identifier: BSD-2-Clause */
#include "weir/path.h"

#include "weir/fwd/forward.h"

void path_forward(const struct fwd_tables *t, struct fwd_packet *packet, struct fwd_verdict *v)
{
	fwd_forward(t, t->root, packet, v);
}
