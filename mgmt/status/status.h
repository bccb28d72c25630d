/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files share that make a status (handle_status.c, status.c, status_pools.c,
 * status_services.c). All is called by the thread that makes the status.
 *
 * With ten thousand backends most of a status is not shown: a list is ranked first, whole, and only what the limit
 * leaves is made JSON, the worst first. Counts are always of all.
 */
#ifndef WEIR_MGMT_STATUS_STATUS_H
#define WEIR_MGMT_STATUS_STATUS_H

#include "mgmt/observe/backup_status.h"
#include "mgmt/status/facts.h"
#include "mgmt/status/look.h"
#include "mgmt/status/status_dns.h"
#include "mgmt/overrides/override_index.h"
#include "record/fields.h"

/* How much a row of a list needs a person; all but the first stand out. */
enum status_rank {
	STATUS_NORMAL,
	STATUS_REQUESTED, /* people requested it */
	STATUS_ODD,       /* not simply up and serving, or not known to be */
	STATUS_WRONG,     /* down, or out without a request */
	STATUS_DEAD,      /* a pool that forwards nothing, or whose backends are all down */
	STATUS_RANKS
};

/* What of the status is wanted. */
struct status_filter {
	const char *pool, *site; /* NULL: all */
	uint64_t limit;          /* backends at most, first those that stand out; 0: all */
};

struct status {
	struct look look;
	struct status_filter filter;
	struct judge_verdict verdict;
	struct override_index requested; /* of the look's overrides */
	struct status_dns dns;           /* of what weir-dns said */
	struct backup_tables tables;     /* of the own site */
	json_t *lists;                   /* of each list that the limit cuts: how much there is */
	/* of the pools that the filter lets through; shown are those in the answer */
	size_t n_backends, n_odd, n_shown;
	size_t n_backups, n_odd_backups; /* of the own site's services that it lets through */
	uint64_t too_big; /* packets that did not fit in their tunnels, if has_too_big */
	bool has_too_big;
};

/* What status_intent() says, and each of what is listed. */
extern const struct record_kind shown_intent_kind, shown_service_kind, status_pool_record,
        cut_lists_kind;

/* --- status.c --- */

/* Index what the look holds, if it has a model. @return 0 or -ENOMEM; status_fini() in any case */
int status_index(struct status *s) MUST_CHECK;
void status_fini(struct status *s);
/*
 * Which of @p n rows are shown, by their index: all in their order (@p limit 0), or @p limit of them, the
 * worst first. @p order  room for all. @return how many
 */
size_t status_order(const uint8_t *ranks, size_t n, uint64_t limit, size_t *order);
/* The limit for a list of @p n rows; 0: all have room. */
uint64_t status_limit(const struct status *s, size_t n);
/* Note in `lists` that of @p n rows in list @p name only @p shown are in the answer, if it is so. */
void status_note_cut(struct status *s, const char *name, const uint8_t *ranks, size_t n,
                     size_t shown);

/*
 * Intent as JSON; the state is "serve" or an override's kind.
 * @param service  of a service at a site; "": of a target as a whole, with the ids of all its overrides
 */
json_t *status_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                      const char *name, const char *service, uint32_t weight);
/* Whether anything is asked for a target. */
bool status_has_intent(const struct status *s, enum model_target_kind kind, const char *pool,
                       const char *name);
/* Whether people have drained all of the pool's backends that they have not disabled. */
bool status_all_drained(const struct status *s, const struct model_pool *pool);
/* The overrides that are not done; NULL: out of memory. */
json_t *status_overrides(struct status *s);
/* Whether the filter lets what is at @p site through. */
bool status_at_site(const struct status *s, const struct model_site *site);

/* --- status_pools.c, status_services.c --- */

/* The pools that the filter and the limit let through, with their backends; NULL: out of memory. */
json_t *status_pools(struct status *s);
/* What is in force for a backend of the pool; @p e  NULL: it is not in the tables. */
const char *status_effect_state(const struct look *l, const struct model_pool *pool,
                                const struct effect_backend *e);
/* The services likewise, where they are. */
json_t *status_services(struct status *s);

#endif
