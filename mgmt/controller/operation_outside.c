/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A site is up as observed from outside if one of its services is, in one address family: more of the
 * other sites' fresh observations say up than say down. Where sites do not vote, weir-dns goes by
 * this node's own checks, which are from outside for other sites alone. A site that nobody else
 * checks is not "checked": then its own pools decide. Where nobody knows, or as many say up as down,
 * "up" is missing.
 */
#include "mgmt/controller/operation_measure.h"

#include <string.h>

#include "mgmt/json/observed.h"
#include "mgmt/operations/operation.h"
#include "record/fields.h"

/* Observations of one service at a site in one family. */
struct outside_count {
	unsigned n_up, n_down;
};

static void count_word(const char *word, struct outside_count *c)
{
	if (word && !strcmp(word, "up"))
		c->n_up++;
	else if (word && !strcmp(word, "down"))
		c->n_down++;
}

/* What nodes of other sites say of @p row in @p family, or this node alone where sites do not vote. */
static struct outside_count count_outside(const json_t *row, const char *family,
                                          const char *own_site)
{
	const json_t *heard = json_object_get(row, "views");
	const char *site = json_text_of(row, "site");
	struct outside_count c = { 0 };

	for (size_t i = 0; i < json_array_size(heard); i++) {
		const json_t *snapshot = json_array_get(heard, i);

		if (json_has_true(snapshot, "fresh") &&
		    !observed_marks_family(snapshot, "inconclusive", family) &&
		    !observed_marks_family(snapshot, "unproven", family) &&
		    strcmp(json_text_of(snapshot, "site"), site) != 0)
			count_word(json_text_of(snapshot, family), &c);
	}
	if (json_array_size(heard) == 0 && strcmp(site, own_site) != 0 &&
	    !observed_marks_family(row, "unproven", family))
		count_word(json_text_of(row, family), &c);
	return c;
}

/* The word that weir-dns answers by; "up" of a VIP that was never up as yet proves nothing. */
static const char *in_force_word(const json_t *row, const char *family)
{
	const char *word = json_text_of(row, family);

	return observed_marks_family(row, "unproven", family) && !strcmp(word, "up") ? "" : word;
}

#define OUTSIDE_SITE_ROWS(X, t)                                                                    \
	X(t, const char *, site)                                                                   \
	X(t, bool, checked)                                                                        \
	X(t, bool, failing)                                                                        \
	X(t, bool, disabled)                                                                       \
	X(t, bool, up, KNOWN_IF(t, known), .spare = true)                                          \
	X(t, bool, known, HIDDEN) /* whether it is up */
RECORD_SHOWN(outside_site, "site", OUTSIDE_SITE_ROWS);

struct outside_sites {
	struct outside_site items[OPERATION_SITES_MAX];
	size_t n;
};

/* @return NULL: there is no room for one more */
static struct outside_site *find_site(struct outside_sites *sites, const char *name)
{
	for (size_t i = 0; i < sites->n; i++)
		if (!strcmp(sites->items[i].site, name))
			return &sites->items[i];
	if (sites->n == OPERATION_SITES_MAX)
		return NULL;
	sites->items[sites->n] = (struct outside_site){ .site = name };
	return &sites->items[sites->n++];
}

static void note_site(struct outside_sites *sites, const json_t *row, const char *own_site)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	struct outside_site *site = find_site(sites, json_text_of(row, "site"));

	if (!site)
		return;
	site->disabled |= json_has_true(row, "disabled");
	for (size_t i = 0; i < 2; i++) {
		struct outside_count c = count_outside(row, families[i], own_site);

		site->checked |= c.n_up + c.n_down > 0;
		site->failing |= c.n_down > 0;
		if (c.n_up + c.n_down == 0) /* none outside says: what is in force, if known */
			count_word(in_force_word(row, families[i]), &c);
		site->known |= c.n_up != c.n_down;
		site->up |= c.n_up > c.n_down;
	}
}

json_t *operation_sites_json(const json_t *dns, const char *own_site)
{
	const json_t *names = json_object_get(dns, "names");
	struct outside_sites sites = { .n = 0 };

	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *rows = json_object_get(json_array_get(names, i), "sites");

		for (size_t k = 0; k < json_array_size(rows); k++)
			note_site(&sites, json_array_get(rows, k), own_site);
	}
	return record_list_shown(&outside_site_kind, sites.items, sites.n);
}
