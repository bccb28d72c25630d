/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to entries: an entry is a VIP's address, port and protocol at a site, and
 * leads to a pool. Entries are compared by themselves, so a service or VIP that is only renamed
 * loses none. But what is known of a service's sites, and the drain of it alone, go by its name.
 */
#include <string.h>

#include "mgmt/rules/risk_internal.h"

static bool has_address(const struct model_vip *v, const struct addr *address)
{
	for (size_t i = 0; i < v->n_addresses; i++)
		if (addr_equal(&v->addresses[i], address))
			return true;
	return false;
}

/* The same entry within one service of the other model. */
static const struct model_at *entry_in(const struct model_service *s, const struct risk_entry *e)
{
	if (s->protocol != e->service->protocol || s->port != e->service->port)
		return NULL;
	for (size_t i = 0; i < s->n_at; i++)
		if (!strcmp(s->at[i].site->name, e->at->site->name) &&
		    has_address(s->at[i].vip, e->address))
			return &s->at[i];
	return NULL;
}

struct risk_entry risk_find_entry(const struct model *m, const struct risk_entry *e)
{
	const struct model_service *s = model_service(m, e->service->name);
	const struct model_at *at = s ? entry_in(s, e) : NULL;

	for (size_t i = 0; !at && i < m->n_services; i++) {
		s = &m->services[i];
		at = entry_in(s, e);
	}
	return (struct risk_entry){ e->address, s, at };
}

static void measure_policies(struct risk_work *w, const char *subject,
                             const struct model_service *a, const struct model_service *b)
{
	risk_note(w, RISK_FLOWS_REHASHED, a->hash != b->hash, subject, "hash is %s, was %s",
	          b->hash == MODEL_HASH_SOURCE ? "source" : "flow",
	          a->hash == MODEL_HASH_SOURCE ? "source" : "flow");
	risk_note(w, RISK_ALL_DOWN, a->on_all_down != b->on_all_down, subject, "on_all_down is %s",
	          b->on_all_down == MODEL_ALL_DOWN_FAIL_CLOSED ? "fail_closed" : "last_good");
	if (a->protocol != MODEL_UDP || b->protocol != MODEL_UDP)
		return;
	if (b->udp_policy > a->udp_policy) /* keep, migrate, reset: each keeps less */
		risk_note(w, RISK_UDP_POLICY, 1, subject, "udp_policy keeps fewer flows");
	risk_note(w, RISK_FLOW_MEMORY, 1 - risk_times(a->udp_idle_ms, b->udp_idle_ms), subject,
	          "udp_idle is %u ms, was %u ms", b->udp_idle_ms, a->udp_idle_ms);
}

/* Whether the backup at @p a serves as much at @p b: the same one, and no less of it. */
static bool keeps_backup(const struct model_at *a, const struct model_at *b)
{
	return b->backup && !strcmp(a->backup->name, b->backup->name) &&
	       b->backup_max_flows >= a->backup_max_flows &&
	       b->backup_max_bits >= a->backup_max_bits;
}

/* An entry that is gone is a risk of its own. */
static void measure_backups(struct risk_work *w, const char *subject, const struct model_service *a)
{
	size_t n = 0, changed = 0;

	for (size_t i = 0; i < a->n_at; i++) {
		const struct risk_entry e = { a->at[i].vip->addresses, a, &a->at[i] };

		if (!a->at[i].backup || !a->at[i].vip->n_addresses)
			continue;
		const struct risk_entry now = risk_find_entry(w->to, &e);

		n++;
		changed += now.at && !keeps_backup(&a->at[i], now.at);
	}
	risk_note(w, RISK_BACKUP, n ? (double)changed / (double)n : 0, subject,
	          "%zu of its %zu backups are removed, exchanged or limited to less", changed, n);
}

/*
 * Each entry is looked for in all services of the new model, so that a renamed service loses none.
 */
static void measure_service(struct risk_work *w, const struct model_service *a)
{
	const struct model_service *b = model_service(w->to, a->name), *other = NULL;
	const char *subject = risk_text(w, "service %s", a->name);
	size_t n = 0, gone = 0, exchanged = 0, renamed = 0;

	for (size_t i = 0; i < a->n_at; i++)
		for (size_t k = 0; k < a->at[i].vip->n_addresses; k++) {
			const struct risk_entry e = { &a->at[i].vip->addresses[k], a, &a->at[i] };
			const struct risk_entry now = risk_find_entry(w->to, &e);

			n++;
			gone += !now.at;
			exchanged += now.at && strcmp(now.at->pool->name, a->at[i].pool->name) != 0;
			if (!now.at || !strcmp(now.service->name, a->name))
				continue;
			renamed++;
			other = now.service;
		}
	risk_note(w, RISK_ENTRIES_GONE, n ? (double)gone / (double)n : 0, subject,
	          "%zu of its %zu addresses and ports are not served any more", gone, n);
	risk_note(w, RISK_POOL_EXCHANGED, n ? (double)exchanged / (double)n : 0, subject,
	          "%zu of its %zu addresses and ports lead to another pool", exchanged, n);
	if (!model_service_has_one_vip(a))
		risk_note(w, RISK_SERVICE_RENAMED, n ? (double)renamed / (double)n : 0, subject,
		          "%zu of its %zu addresses and ports belong to service %s", renamed, n,
		          other ? other->name : "");
	measure_backups(w, subject, a);
	if (b || other)
		measure_policies(w, subject, a, b ? b : other);
}

void risk_measure_services(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_services; i++)
		measure_service(w, &w->from->services[i]);
}
