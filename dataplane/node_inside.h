/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Inside the node: what its parts call of one another.
 */
#ifndef WEIR_DATAPLANE_NODE_INSIDE_H
#define WEIR_DATAPLANE_NODE_INSIDE_H

#include "dataplane/node.h"

/** Follow the next hop of @p address for backend @p index; fine when it is already. */
void node_watch(struct node *n, uint32_t index, const struct addr *address);
/** Take what next hops say of the way to @p address into n->ways[@p index]. */
void node_look_way(struct node *n, uint32_t index, const struct addr *address, bool l2);
/**
 * What takes @p b out of force by its way, against @p word of its check (0: there is none).
 * @param at_ms  made earlier if that is so only later
 * @return an enum effect_why, EFFECT_WHY_UNKNOWN: nothing does
 */
enum effect_why node_cut(const struct node *n, const struct node_pool *p,
                         const struct node_backend *b, uint64_t word, const struct node_time *time,
                         uint64_t *at_ms);
/** Tell next hops what the check of @p b hears. */
void node_hear(struct node *n, struct node_backend *b, uint64_t word);
/** The first of the indexes whose watched address may be @p a, to be followed by watched_next; 0: none. */
uint32_t node_first_at(const struct node *n, const struct addr *a);
/** The opposite of node_watch(); fine when it is not followed. */
void node_unwatch(struct node *n, uint32_t index);
/** The pool called @p name of the @p n, or NULL. */
struct node_pool *node_find_pool(struct node_pool *pools, size_t n, const char *name);
/** The backend @p id of the pool, or NULL. */
const struct node_backend *node_find_backend(const struct node_pool *p, uint64_t id);
/** Bring a waiting pool's part of the document into force. */
void node_switch_pool(struct node *n, struct node_pool *p, const struct node_time *time);

/** Write the backends table's element of @p b. */
void node_write_backend(struct node *n, const struct node_pool *p, const struct node_backend *b);
/** Write the pools table's element of @p p: from now on its slots can be reached. */
void node_write_pool(struct node *n, const struct node_pool *p);
/** Build the spare half of services in @p t from plan and pools, and switch to it. @return false when no seed does: two entries are equal */
bool node_write_services(struct node *n, struct fwd_tables *t);
/** Write which backend is behind which outer address in @p t. */
void node_write_destinations(const struct fwd_tables *t);
/** Write what root holds of the document but its number: key, tunnel sources. */
void node_write_root(const struct node *n, struct fwd_root *root);
/** Write the document's number: all of it is in force. */
void node_write_generation(const struct node *n, struct fwd_root *root);

/** Have tables of at least @p sizes. @return 0 or -errno with @p why */
int node_resize(struct node *n, const struct driver_sizes *sizes, char why[PLAN_WHY_MAX]);
/** Look all targets up on the health page again, if its layout is another. */
void node_find_places(struct node *n);
/** Decide what is in force in @p p and note in p->changed what the owners have to know. */
void node_decide_pool(struct node *n, struct node_pool *p, const struct node_time *time);
/** Give the owners what changed. */
void node_apply_pool(struct node *n, struct node_pool *p, const struct node_time *time);
/** Let all elements rest that plan and pools do not name. */
void node_rest(struct node *n, const struct node_time *time);
/** Free elements that rest and that nothing leads to. */
void node_release(struct node *n, const struct node_time *time);
/** Find what an earlier process left in the tables. */
void node_adopt(struct node *n);
/** Let the services of @p plan keep the counters that they had under an earlier process. */
void node_adopt_counts(struct node *n, const struct plan *plan);

#endif
