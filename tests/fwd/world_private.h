/* SPDX-License-Identifier: BSD-2-Clause */
/* What world.c and xdp.c share. */
#ifndef WEIR_TESTS_FWD_WORLD_PRIVATE_H
#define WEIR_TESTS_FWD_WORLD_PRIVATE_H

#include "fwd/world.h"

void world_size_tables(struct fwd_tables *t, const struct driver_sizes *s, uint32_t n_cpus);
void world_root(struct world *w);
void world_fini_memory(struct world *w);

#endif
