/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to answers: how they spread over sites when all are up, and how long they are kept.
 */
#include <math.h>
#include <string.h>

#include "mgmt/rules/risk_internal.h"
#include "weir/steering.h"

/* A name's answers when all sites are up. */
struct name_shares {
	const struct model_service *service;
	struct steering_part parts[STEERING_SITES_MAX]; /* as its service's sites */
};

static void share_answers(const struct model_dns_name *n, struct name_shares *out)
{
	const struct model_service *s = n->service;

	out->service = s;
	for (size_t k = 0; k < s->n_at; k++)
		out->parts[k] = (struct steering_part){ s->at[k].weight, MODEL_PPM_ALL, 0 };
	steering_share(n->policy, out->parts, s->n_at);
}

/* Whether two VIPs have an address in common. */
static bool share_address(const struct model_vip *a, const struct model_vip *b)
{
	return risk_addresses_gone(a->addresses, a->n_addresses, b->addresses, b->n_addresses) <
	       a->n_addresses;
}

/* The addresses that @p vip adds to those that the name had, as a share of its own. */
static double added_share(const struct model_service *a, const struct model_vip *vip)
{
	size_t added = vip->n_addresses;

	for (size_t i = 0; i < a->n_at; i++) {
		const struct model_vip *old = a->at[i].vip;
		size_t gone = risk_addresses_gone(vip->addresses, vip->n_addresses, old->addresses,
		                                  old->n_addresses);

		added = gone < added ? gone : added;
	}
	return added == vip->n_addresses ? 0 : (double)added / (double)vip->n_addresses;
}

/* The share that goes to the addresses of @p vip. */
static double share_at(const struct name_shares *n, const struct model_vip *vip, bool *found)
{
	double share = 0;

	*found = false;
	for (size_t i = 0; i < n->service->n_at; i++)
		if (share_address(vip, n->service->at[i].vip)) {
			*found = true;
			share += n->parts[i].share;
		}
	return share;
}

/* The share of all sites that have the VIP of site number @p i, counted at the first of them. */
static double vip_share(const struct name_shares *n, size_t i)
{
	const struct model_at *at = n->service->at;
	double share = 0;

	for (size_t k = 0; k < n->service->n_at; k++) {
		if (at[k].vip != at[i].vip)
			continue;
		if (k < i)
			return 0;
		share += n->parts[k].share;
	}
	return share;
}

/* Gains and losses are found by addresses, not by sites' names, so that renaming moves nothing. */
static void measure_answers(struct risk_work *w, const char *subject,
                            const struct model_dns_name *a, const struct model_dns_name *b)
{
	double gained = 0, unproven = 0, emptied = 0, added = 0;
	struct name_shares before, after;
	const char *site = "";
	bool found;

	share_answers(a, &before);
	share_answers(b, &after);
	for (size_t i = 0; i < b->service->n_at; i++) {
		const struct model_vip *vip = b->service->at[i].vip;
		double was = share_at(&before, vip, &found);
		double gain = fmax(0, vip_share(&after, i) - was);

		added += after.parts[i].share * added_share(a->service, vip);
		if (found)
			gained += gain;
		else
			unproven += gain;
	}
	for (size_t i = 0; i < a->service->n_at; i++) {
		double was = before.parts[i].share;

		/* with failover a later site is still used when it is needed */
		if (was <= 0 || share_at(&after, a->service->at[i].vip, &found) > 0 ||
		    (found && b->policy == MODEL_POLICY_FAILOVER))
			continue;
		emptied += was;
		site = a->service->at[i].site->name;
	}
	risk_note(w, RISK_SITE_EMPTIED, emptied, subject, "site %s is not in the answers any more",
	          site);
	risk_note(w, RISK_ANSWERS_MOVE, gained, subject, "answers move between sites");
	if (!b->service->vip_check || b->policy == MODEL_POLICY_FAILOVER)
		risk_note(w, RISK_ANSWERS_UNPROVEN, unproven, subject,
		          "answers have addresses that were not in use before");
	/* a site's VIP is probed once in each family, not at each address */
	risk_note(w, RISK_ANSWERS_UNPROVEN, added, subject, "answers have additional addresses");
}

static void measure_ttl(struct risk_work *w, const char *subject, uint32_t before, uint32_t after,
                        const char *which)
{
	risk_note(w, RISK_TTL_LONGER, after >= 30 ? risk_times(before, after) : 0, subject,
	          "ttl.%s is %u s, was %u s", which, after, before);
	risk_note(w, RISK_TTL_SHORTER, risk_times(after, before), subject,
	          "ttl.%s is %u s, was %u s", which, after, before);
}

static void measure_gone_zones(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_zones; i++)
		if (!risk_named(w->to->zones, w->to->n_zones, sizeof(*w->to->zones),
		                w->from->zones[i].name))
			risk_note(w, RISK_ZONES_GONE, 1.0 / (double)w->from->n_zones,
			          risk_text(w, "zone %s", w->from->zones[i].name), "removed");
}

void risk_measure_names(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_dns_names; i++) {
		const struct model_dns_name *a = &w->from->dns_names[i];
		const struct model_dns_name *b =
		        risk_named(w->to->dns_names, w->to->n_dns_names, sizeof(*b), a->name);
		const char *subject = risk_text(w, "name %s", a->name);

		if (!b) {
			risk_note(w, RISK_NAMES_GONE, 1.0 / (double)w->from->n_dns_names, subject,
			          "removed");
			continue;
		}
		measure_answers(w, subject, a, b);
		measure_ttl(w, subject, a->ttl_max_s, b->ttl_max_s, "max");
		measure_ttl(w, subject, a->ttl_min_s, b->ttl_min_s, "min");
	}
	measure_gone_zones(w);
}
