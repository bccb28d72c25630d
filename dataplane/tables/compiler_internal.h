/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Inside the compiler of tables: what the files tables/compiler*.c call of one another. The loop's thread.
 */
#ifndef WEIR_DATAPLANE_TABLES_COMPILER_INTERNAL_H
#define WEIR_DATAPLANE_TABLES_COMPILER_INTERNAL_H

#include "dataplane/tables/compiler.h"

/** Follow the next hop of @p address for backend @p index; no effect if that is done already. */
void compiler_watch(struct compiler *n, uint32_t index, const struct addr *address);
/** Bring the `way` of n->paths[@p index] up to date by the next hop of @p address. */
void compiler_update_next_hop(struct compiler *n, uint32_t index, const struct addr *address,
                              bool l2);
/**
 * Why the network path takes @p b out of force, although its check says @p word (0: no check).
 * @param at_ms  made earlier if the path will do so later
 * @return EFFECT_REASON_UNKNOWN: it does not
 */
enum effect_reason compiler_next_hop_reason(const struct compiler *n, const struct compiler_pool *p,
                                            const struct compiler_backend *b, uint64_t word,
                                            const struct compiler_time *time, uint64_t *at_ms);
/** Report the result of @p b's check to its next hop. */
void compiler_report_check(struct compiler *n, struct compiler_backend *b, uint64_t word);
/**
 * The first backend index in the bucket of address @p a; the others follow by compiler_path.next. 0:
 * none.
 */
uint32_t compiler_first_at(const struct compiler *n, const struct addr *a);
/** Undo compiler_watch(); no effect if the next hop is not followed. */
void compiler_unwatch(struct compiler *n, uint32_t index);
/** The pool called @p name of the @p n, the first of its tables; NULL: none is called so. */
struct compiler_pool *compiler_find_pool(struct compiler_pool *pools, size_t n, const char *name);
/** The backend @p id of the pool, or NULL. */
const struct compiler_backend *compiler_find_backend(const struct compiler_pool *p, uint64_t id);

/** Store element @p i of the backends table, and its shadow. */
void compiler_put_backend(struct compiler *n, uint32_t i, const struct fwd_backend *e);
/** Write the element of @p b in the backends table. */
void compiler_write_backend(struct compiler *n, const struct compiler_pool *p,
                            const struct compiler_backend *b);
/** Write the element of @p p in the pools table: from now on packets reach its slots. */
void compiler_write_pool(struct compiler *n, const struct compiler_pool *p);
/**
 * Build the spare half of the services table, and switch packets to it. @return false:
 * two entries are equal, so that no hash seed fits
 */
bool compiler_write_services(struct compiler *n);
/** Write the table of backends by outer address, for ICMP errors about our tunnels. */
void compiler_write_destinations(struct compiler *n);
/** Write what root holds of the document, except its number: key, tunnel sources. */
void compiler_write_root(struct compiler *n);
/** Write the document's number: it says that all of it is in force. */
void compiler_write_generation(struct compiler *n);

/** Look up the index of each backend on the health page again, if the page's layout has changed. */
void compiler_find_page_indexes(struct compiler *n);
/** Make what is known of the table's backup, from the document before if it was there. */
void compiler_bind_backup(struct compiler *n, const struct compiler_pool *old,
                          struct compiler_pool *p);
/** Look up the checks of the backup's site on the health page. */
void compiler_find_backup_checks(const struct compiler *n, struct compiler_pool *p);
/**
 * Decide which class takes the table's new flows, by what the guards are going to see of its own
 * backends and of its backup's. Sets p->changed on a change.
 * @return when to decide again though nothing changed, or UINT64_MAX
 */
uint64_t compiler_decide_backup(struct compiler *n, struct compiler_pool *p,
                                const struct guard_backend *own, size_t n_own,
                                const struct guard_backend *backup, size_t n_backup,
                                const struct compiler_time *time);
/**
 * Measure the load of all tables with a backup, and keep their backups' below the limit.
 * @return when to measure again, or UINT64_MAX
 */
uint64_t compiler_limit_backups(struct compiler *n, const struct compiler_time *time);
/**
 * Give the plan's drills their rows in the table, where one that was there keeps its own and its
 * counters. Those that are not in the plan are over.
 */
void compiler_bind_drills(struct compiler *n);
/** Begin and end drills that are due. @return when the next one is, or UINT64_MAX */
uint64_t compiler_run_drills(struct compiler *n, const struct compiler_time *time);
/** @p from as an address and a mask. */
struct fwd_prefix compiler_prefix(const struct prefix *from);
/** Bring the part of the document that concerns a waiting pool into force. */
void compiler_switch_pool(struct compiler *n, struct compiler_pool *p,
                          const struct compiler_time *time);
/** Put all elements that the plan does not name into quarantine. */
void compiler_quarantine(struct compiler *n, const struct compiler_time *time);
/** Free the elements in quarantine whose time has passed and to which nothing leads. */
void compiler_release(struct compiler *n, const struct compiler_time *time);
/** Take over the elements that an earlier process left in the tables. */
void compiler_adopt(struct compiler *n);
/** Make slots empty that no packet is led to. */
void compiler_clear_slots(struct compiler *n, uint32_t first, uint32_t n_slots);
/**
 * Make those of the pool's slots empty that an earlier process left and that lead to a backend which
 * is not the pool's: the document gives them an owner again.
 */
void compiler_check_slots(struct compiler *n, const struct compiler_pool *p);
/**
 * Give the services of @p plan their counters: those that they had, also under an earlier process, or zeroed ones.
 */
void compiler_allocate_counts(struct compiler *n, const struct plan *plan);

#endif
