/* SPDX-License-Identifier: BSD-2-Clause */
/* The scenes: each plays a story with a seed's times, and judges it (scene.h). */
#ifndef TESTS_CLUSTER_SCENES_H
#define TESTS_CLUSTER_SCENES_H

#include <stdio.h>
#include <stdlib.h>

#include "tests/cluster/scene.h"

/* tests/cluster/scenes_alone.c: one node without a store. */
void scenes_alone_versions(struct scene *s);
void scenes_alone_refusals(struct scene *s);
void scenes_alone_overrides(struct scene *s);
void scenes_alone_processes(struct scene *s);
void scenes_alone_clock(struct scene *s);
/* tests/cluster/scenes_shared.c: three nodes and their store. */
void scenes_shared_apply(struct scene *s);
void scenes_shared_edits(struct scene *s);
void scenes_shared_unconfirmed(struct scene *s);
void scenes_shared_overrides(struct scene *s);
void scenes_shared_cut_off(struct scene *s);
void scenes_shared_busy(struct scene *s);
void scenes_shared_went_back_alone(struct scene *s);
void scenes_shared_refused(struct scene *s);
void scenes_shared_clock(struct scene *s);
void scenes_shared_went_back(struct scene *s);
void scenes_shared_rebuilt(struct scene *s);
void scenes_shared_damaged(struct scene *s);
/* tests/cluster/scenes_guards.c: three nodes, and commands at the same moment. */
void scenes_shared_guards(struct scene *s);
void scenes_shared_many(struct scene *s);
void scenes_shared_removed(struct scene *s);
/* tests/cluster/scenes_members.c: three nodes, and programs that register backends. */
void scenes_shared_members(struct scene *s);
void scenes_shared_members_cut(struct scene *s);
void scenes_shared_members_batch(struct scene *s);
void scenes_shared_members_ttl(struct scene *s);

/* tests/cluster/scenes_verdicts.c: programs that say which targets are up. */
void scenes_shared_verdicts(struct scene *s);
void scenes_shared_verdicts_cut(struct scene *s);
void scenes_alone_verdicts(struct scene *s);
/* tests/cluster/scenes_files.c: three nodes, and large files. */
void scenes_shared_files(struct scene *s);
/* tests/cluster/scenes_operations.c: three nodes, and who may change an operation. */
void scenes_operation_owners(struct scene *s);
void scenes_operation_undecided(struct scene *s);
/* tests/cluster/scenes_diff.c: versions of other nodes. */
void scenes_shared_diff(struct scene *s);
/* tests/cluster/scenes_keys.c: requests that are sent again. */
void scenes_alone_keys(struct scene *s);
void scenes_shared_keys(struct scene *s);
/* tests/cluster/scenes_peers.c: three nodes, and what documents say of the others. */
void scenes_shared_peers(struct scene *s);
void scenes_shared_fetch(struct scene *s);
/* tests/cluster/scenes_random.c: three nodes, and all that can go wrong. */
void scenes_random(struct scene *s);
/* tests/cluster/scenes_shown.c: all that persons are shown. */
void scenes_shown_alone(struct scene *s);
void scenes_shown_shared(struct scene *s);
void scenes_shown_processes(struct scene *s);
void scenes_shown_requests(struct scene *s);
void scenes_shown_operation(struct scene *s);
/* tests/cluster/scenes_observed.c: all that persons are shown of what the other processes see and do. */
void scenes_shown_backend(struct scene *s);
void scenes_shown_drain(struct scene *s);
void scenes_shown_canary(struct scene *s);
void scenes_shown_held(struct scene *s);
void scenes_shown_sites(struct scene *s);
void scenes_shown_hung(struct scene *s);
void scenes_shown_node(struct scene *s);
void scenes_shown_waited(struct scene *s);
/* tests/cluster/scenes_plans.c: what plans say. */
void scenes_shown_plans(struct scene *s);

#endif
