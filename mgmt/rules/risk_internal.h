/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measures share. Internal to mgmt/rules/risk*.c, plan_effects.c and what_if.c; one thread.
 */
#ifndef WEIR_MGMT_RULES_RISK_INTERNAL_H
#define WEIR_MGMT_RULES_RISK_INTERNAL_H

#include "base/arena.h"
#include "mgmt/rules/risk.h"

/* A comparison in the making. */
struct risk_work {
	const struct model *from, *to;
	struct arena *arena;
	struct risk *items;
	size_t n, n_all;
};

/*
 * Note a measured @p figure about "SUBJECT: WHAT"; the table says whether it is risky. What is one way or the other has 1 or 0,
 * which is none.
 */
void risk_note(struct risk_work *w, enum rule_id id, double figure, const char *subject,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A text of this comparison, never NULL. */
const char *risk_text(struct risk_work *w, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/*
 * The item called @p name in an array that is sorted by the name that each item begins with;
 * NULL: there is none.
 */
const void *risk_named(const void *array, size_t n, size_t size, const char *name);
/* after / before; 1 where both are 0. */
double risk_times(double before, double after);
/* How many of the addresses @p a are not among @p b. */
size_t risk_addresses_gone(const struct addr *a, size_t n_a, const struct addr *b, size_t n_b);

/* Where packets for one address, port and protocol go at a site. */
struct risk_entry {
	const struct addr *address;
	const struct model_service *service;
	const struct model_at *at; /* NULL: nowhere */
};

/* The same entry in another model: in the service of the same name, mostly. */
struct risk_entry risk_find_entry(const struct model *m, const struct risk_entry *e);

/* The addresses that a node announces, in order. */
struct risk_announced {
	struct addr *sorted;
	size_t n;
};

/* Of @p a, in @p arena; none, if it has no daemon or memory is short. */
struct risk_announced risk_announced(struct arena *arena, const struct model_announce *a);
bool risk_announces(const struct risk_announced *list, const struct addr *address);

struct steering_site;

/* Whether a client is given the same addresses of a family by both; NULL: it is given none. In plan_effects.c. */
bool plan_is_same_answer(const struct steering_site *a, const struct steering_site *b, bool ip4);

/* The measures, one file each. */
void risk_measure_pools(struct risk_work *w);
void risk_measure_lost(struct risk_work *w, const struct model_override *list, size_t n);
void risk_measure_checks(struct risk_work *w);
void risk_measure_services(struct risk_work *w);
void risk_measure_vips(struct risk_work *w);
void risk_measure_announcements(struct risk_work *w);
void risk_measure_nodes(struct risk_work *w);
void risk_measure_names(struct risk_work *w);
void risk_measure_zones(struct risk_work *w);

#endif
