/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other processes of a node, as weir-mgmt sees them: a thread of the host that takes each effective document, and writes
 * the pages of weir-dataplane and weir-health as if all was well. There is no weir-dns. They end with their host (a kill), or are ended.
 *
 * Implemented in tests/cluster/siblings.c; the scene's thread calls.
 */
#ifndef TESTS_CLUSTER_SIBLINGS_H
#define TESTS_CLUSTER_SIBLINGS_H

#include <stdbool.h>

#include "tests/cluster/node.h"

struct siblings;

/* Start them at @p n, whose host is what it is now. */
struct siblings *siblings_start(const struct node *n);
/* weir-dataplane states that it refuses what comes; or takes it. */
void siblings_refuse(struct siblings *s, bool refuses);
/* They live, and take no document; or take it. */
void siblings_be_late(struct siblings *s, bool are_late);
/* All backends of the own site are down by their checks; or up. */
void siblings_fail_checks(struct siblings *s, bool fail);
void siblings_stop(struct siblings *s);

#endif
