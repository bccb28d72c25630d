/* SPDX-License-Identifier: BSD-2-Clause */
/* What world.c and xdp.c share. */
#ifndef WEIR_TESTS_FWD_WORLD_PRIVATE_H
#define WEIR_TESTS_FWD_WORLD_PRIVATE_H

#include "fwd/world.h"
#include "weir/layout.h"

void world_root(struct world *w);
void world_fini_memory(struct world *w);

#endif
