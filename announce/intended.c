/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VIP is announced by each node of its sites that has a routing daemon and whose list, if there
 * is one, names the VIP; an address of DNS by each node that lists it. The same rules say whether
 * another node announces it as well.
 */
#include "announce/process.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "weir/model.h"

static bool does_announce_dns(const struct model_node *node, const struct addr *address)
{
	if (node->announce.daemon == MODEL_DAEMON_NONE)
		return false;
	for (size_t i = 0; i < node->announce.n_dns; i++)
		if (addr_equal(&node->announce.dns[i], address))
			return true;
	return false;
}

bool intended_by(const struct model_node *node, const struct intended *it)
{
	return it->of ? model_node_announces(node, it->of) : does_announce_dns(node, &it->address);
}

static bool does_another(const struct model *m, const struct intended *it)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		if (&m->nodes[i] != m->self && intended_by(&m->nodes[i], it))
			return true;
	return false;
}

static bool is_of_whole_site(const struct model_override *o, const char *site)
{
	return o->target == MODEL_TARGET_SITE && !o->ended && !(o->service && *o->service) &&
	       strcmp(o->name, site) == 0;
}

/*
 * How far the drain @p o has come for certain at the instant of the document: a step stands still under
 * the holds of people, and goes on when their time is over. What is disabled stays so under them. @return false while one holds
 */
static bool find_instant(const struct model *m, const struct model_override *o, int64_t *out)
{
	int64_t now_ms = m->meta.written_ms, instant_ms = now_ms;

	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *hold = &m->overrides[i];
		int64_t from_ms = hold->from_ms > o->from_ms ? hold->from_ms : o->from_ms;

		if (o->kind != MODEL_OVERRIDE_DRAIN || hold->kind != MODEL_OVERRIDE_HOLD ||
		    !is_of_whole_site(hold, o->name) || now_ms < hold->from_ms)
			continue;
		if (now_ms < hold->until_ms)
			return false;
		if (hold->until_ms > from_ms)
			instant_ms -= hold->until_ms - from_ms;
	}
	*out = instant_ms;
	return true;
}

/*
 * Whether the site is drained completely, or disabled, at the instant of the document, for so long that no earlier answer leads
 * there.
 */
static bool is_site_left(const struct model *m, const char *site)
{
	bool left = false;

	for (size_t i = 0; i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];
		int64_t instant_ms;

		if (!is_of_whole_site(o, site) ||
		    (o->kind != MODEL_OVERRIDE_DRAIN && o->kind != MODEL_OVERRIDE_DISABLE))
			continue;
		if (!find_instant(m, o, &instant_ms))
			continue;
		left |= model_override_ppm(o, m->meta.written_ms) == MODEL_PPM_ALL &&
		        model_override_answers_ms(m, o) <= instant_ms;
	}
	return left;
}

/* Whether all clients of the VIP have gone elsewhere. */
static bool is_vip_left(const struct model *m, const struct model_vip *vip)
{
	for (size_t i = 0; i < vip->n_sites; i++)
		if (!is_site_left(m, vip->sites[i]->name))
			return false;
	return true;
}

static size_t list_vip(const struct model *m, const struct model_vip *vip, struct intended *out,
                       size_t n_max)
{
	struct intended it = { .vip = vip->name,
		               .of = vip,
		               .vip_hash = hash_text(vip->name),
		               .needs_all = vip->announce_when == MODEL_ANNOUNCE_ALL };
	size_t n = 0;

	it.is_shared = does_another(m, &it);
	it.leaves_unconfirmed = !it.is_shared && is_vip_left(m, vip);
	it.command = announce_command_of(m, vip);
	for (size_t i = 0; i < vip->n_addresses && n < n_max; i++) {
		it.address = vip->addresses[i];
		out[n++] = it;
	}
	return n;
}

size_t intended_list(const struct model *m, struct intended *out, size_t n_max)
{
	const struct model_announce *a;
	size_t n = 0, kept = 0;

	if (!m->self || m->self->announce.daemon == MODEL_DAEMON_NONE)
		return 0;
	a = &m->self->announce;
	for (size_t i = 0; i < m->n_vips; i++)
		if (model_node_announces(m->self, &m->vips[i]))
			n += list_vip(m, &m->vips[i], out + n, n_max - n);
	for (size_t i = 0; i < a->n_dns && n < n_max; i++) {
		out[n] = (struct intended){ .address = a->dns[i],
			                    .command = announce_command_of(m, NULL) };
		out[n].is_shared = does_another(m, &out[n]);
		out[n].leaves_unconfirmed = !out[n].is_shared;
		n++;
	}
	if (n)
		qsort(out, n, sizeof(*out), addr_order);
	for (size_t i = 0; i < n; i++)
		if (!kept || addr_order(&out[kept - 1], &out[i]) != 0)
			out[kept++] = out[i];
	return kept;
}

enum announce_command announce_command_of(const struct model *m, const struct model_vip *vip)
{
	switch (vip ? model_vip_drain(m, m->self, vip) : model_node_drain(m, m->self)) {
	case MODEL_NODE_DRAINED:
		return ANNOUNCE_COMMAND_DRAIN;
	case MODEL_NODE_WITHDRAWN:
		return ANNOUNCE_COMMAND_WITHDRAW;
	default:
		return ANNOUNCE_COMMAND_NONE;
	}
}
