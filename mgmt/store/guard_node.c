/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The drain of a node: routers send its packets to the other nodes that announce the same VIPs.
 *
 * Three guards. `last-announcer`: each VIP, and each address of DNS that the node announces, must have
 * another node that announces it. No other node could take over what is this node's alone by the
 * document: then another server of the zones must answer, which resolvers ask instead of an address
 * of DNS; and the site of a VIP must be drained for so long that no answer leads there. `room`: the
 * other nodes must be able to carry the load, which routers share equally among them (ECMP).
 * `unsettled`: the other nodes do not know which connections this node keeps at an earlier owner of a
 * slot, unless the backends have agents, which pass such packets on.
 *
 * The document says who may announce a VIP; what a node said of itself moments ago says who does.
 * A node of which nothing is known counts as one that may: then the verdict is unknown.
 */
#include "mgmt/store/guard_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/sorted.h"

struct node_check {
	const struct model *m;
	const struct overrides *overrides;
	const struct model_node *node;
	const struct guard_observed *seen;
	int64_t now_ms;
	struct guard_result *r;
};

static const struct guard_node *find_seen(const struct guard_observed *seen, const char *name)
{
	for (size_t i = 0; i < seen->n_nodes; i++)
		if (!strcmp(seen->nodes[i].name, name))
			return &seen->nodes[i];
	return NULL;
}

/* Whether routers could send to @p other what they send to the node: it is another one, and stays. */
static bool may_receive(const struct node_check *w, const struct model_node *other)
{
	return other != w->node &&
	       !guard_is_out(w->overrides, MODEL_TARGET_NODE, "", other->name, w->now_ms);
}

uint64_t guard_dns_key(const struct addr *address)
{
	static const struct hash_key key = { 0 };

	return hash_bytes(&key, address->bytes, sizeof(address->bytes));
}

enum guard_announced guard_said_of(const struct guard_said *s, uint64_t key)
{
	const struct guard_word *found =
	        s->n ? bsearch(&key, s->words, s->n, sizeof(*s->words), sorted_by_u64) : NULL;

	return found ? found->said : GUARD_NOT_ANNOUNCED;
}

/* What @p other itself says of a VIP or an address of DNS. */
static enum guard_announced read_announced(const struct node_check *w,
                                           const struct model_node *other, uint64_t key)
{
	const struct guard_node *n = find_seen(w->seen, other->name);

	return n && n->said ? guard_said_of(n->said, key) : GUARD_ANNOUNCED_UNKNOWN;
}

/* What a node announces: a VIP, or without one an address of DNS. */
struct announced_thing {
	const struct model_vip *vip;
	const struct addr *dns;
};

static bool lists_dns(const struct model_node *node, const struct addr *address)
{
	const struct model_announce *a = &node->announce;

	for (size_t i = 0; a->daemon != MODEL_DAEMON_NONE && i < a->n_dns; i++)
		if (addr_equal(&a->dns[i], address))
			return true;
	return false;
}

static bool does_announce(const struct model_node *node, const struct announced_thing *it)
{
	return it->vip ? model_node_announces(node, it->vip) : lists_dns(node, it->dns);
}

/* How it is announced elsewhere: the best that is said of any other node. */
static enum guard_announced find_announced(const struct node_check *w,
                                           const struct announced_thing *it)
{
	enum guard_announced best = GUARD_NOT_ANNOUNCED;
	uint64_t key = it->vip ? hash_text(it->vip->name) : guard_dns_key(it->dns);

	for (size_t i = 0; i < w->m->n_nodes; i++) {
		const struct model_node *other = &w->m->nodes[i];
		enum guard_announced one;

		if (!may_receive(w, other) || !does_announce(other, it))
			continue;
		one = read_announced(w, other, key);
		if (one > best)
			best = one;
	}
	return best;
}

/* Whether the document makes another node announce it. */
static bool is_listed_elsewhere(const struct node_check *w, const struct announced_thing *it)
{
	for (size_t i = 0; i < w->m->n_nodes; i++)
		if (&w->m->nodes[i] != w->node && does_announce(&w->m->nodes[i], it))
			return true;
	return false;
}

/*
 * For how long earlier answers may lead to the site: 0 or less once none does. MODEL_TIME_NEVER: it is not drained. A ramp that
 * is late has its own time.
 */
static int64_t count_site_wait_ms(const struct node_check *w, const char *site)
{
	int64_t wait_ms = MODEL_TIME_NEVER;

	for (size_t i = 0; i < w->overrides->n_items; i++) {
		const struct override *o = &w->overrides->items[i];
		struct model_override as_model;
		int64_t one_ms;

		if (o->target != MODEL_TARGET_SITE || *o->service || strcmp(o->name, site) != 0 ||
		    (o->kind != MODEL_OVERRIDE_DRAIN && o->kind != MODEL_OVERRIDE_DISABLE) ||
		    override_is_done(o, w->now_ms) ||
		    overrides_level(w->overrides, o, w->now_ms) != MODEL_PPM_ALL)
			continue;
		override_to_model(o, &as_model);
		one_ms = model_override_answers_ms(w->m, &as_model) - override_time(o, w->now_ms);
		wait_ms = one_ms < wait_ms ? one_ms : wait_ms;
	}
	return wait_ms;
}

/* The same of a VIP: all its sites. What an operation has withdrawn after it saw no packets come, nobody waits for. */
static int64_t count_vip_wait_ms(const struct node_check *w, const struct model_vip *vip)
{
	int64_t wait_ms = 0;

	if (vip->n_sites == 1 && overrides_withdrawn_by(w->overrides, vip->sites[0]->name))
		return 0;
	for (size_t i = 0; i < vip->n_sites; i++) {
		int64_t one_ms = count_site_wait_ms(w, vip->sites[i]->name);

		wait_ms = one_ms > wait_ms ? one_ms : wait_ms;
	}
	return wait_ms;
}

/* What is said of the addresses at which @p other serves: routers may know them without it. */
static enum guard_announced find_server(const struct node_check *w, const struct model_node *other)
{
	const struct model_announce *a = &other->announce;
	enum guard_announced best = GUARD_NOT_ANNOUNCED;

	if (a->daemon == MODEL_DAEMON_NONE || !a->n_dns)
		return other->n_dns_listen ? GUARD_ANNOUNCED_UNKNOWN : GUARD_NOT_ANNOUNCED;
	for (size_t i = 0; i < a->n_dns; i++) {
		enum guard_announced one = read_announced(w, other, guard_dns_key(&a->dns[i]));

		best = one > best ? one : best;
	}
	return best;
}

/* Whether another server of the zones answers: resolvers turn to it. */
static enum guard_announced find_other_server(const struct node_check *w)
{
	enum guard_announced best = GUARD_NOT_ANNOUNCED;

	for (size_t i = 0; i < w->m->n_nodes; i++) {
		const struct model_node *other = &w->m->nodes[i];
		enum guard_announced one =
		        may_receive(w, other) ? find_server(w, other) : GUARD_NOT_ANNOUNCED;

		best = one > best ? one : best;
	}
	return best;
}

/* What is said of where its packets, or questions, go without the node. */
static enum guard_announced find_receiver(const struct node_check *w,
                                          const struct announced_thing *it)
{
	if (is_listed_elsewhere(w, it))
		return find_announced(w, it);
	if (it->dns)
		return find_other_server(w);
	return count_vip_wait_ms(w, it->vip) ? GUARD_NOT_ANNOUNCED : GUARD_ANNOUNCED;
}

/* Names for people: "web, mail and 3 more". */
struct name_list {
	size_t n, n_left_out;
	char text[120];
};

static void add_name(struct name_list *list, const char *name)
{
	size_t used = strlen(list->text);

	list->n++;
	if (used + strlen(name) + 3 > sizeof(list->text))
		list->n_left_out++;
	else
		snprintf(list->text + used, sizeof(list->text) - used, "%s%s", used ? ", " : "",
		         name);
}

static const char *more_names(const struct name_list *list, char out[32])
{
	*out = '\0';
	if (list->n_left_out)
		snprintf(out, 32, " and %zu more", list->n_left_out);
	return out;
}

/* What the node announces, by whether others do so too. */
struct elsewhere {
	struct name_list alone, unknown;
	const char *site; /* of a VIP that no other node could announce: to drain first; or NULL */
	size_t n,
	        n_waiting; /* of those alone: their sites are drained, and answers still lead there */
	int64_t wait_ms;   /* until none does */
};

/* A VIP that no other node could announce, and that clients may still come to. */
static void note_only_here(const struct node_check *w, const struct model_vip *vip,
                           struct elsewhere *out)
{
	int64_t wait_ms = count_vip_wait_ms(w, vip);

	if (wait_ms == MODEL_TIME_NEVER) {
		out->site = w->node->site->name;
		return;
	}
	out->n_waiting++;
	out->wait_ms = wait_ms > out->wait_ms ? wait_ms : out->wait_ms;
}

static void sort_announced(const struct node_check *w, const struct announced_thing *it,
                           struct elsewhere *out)
{
	enum guard_announced found = find_receiver(w, it);
	char text[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX + 4];

	if (!it->vip)
		snprintf(name, sizeof(name), "DNS %s", addr_text(it->dns, text));
	out->n++;
	if (found == GUARD_NOT_ANNOUNCED && it->vip && !is_listed_elsewhere(w, it))
		note_only_here(w, it->vip, out);
	if (found != GUARD_ANNOUNCED)
		add_name(found == GUARD_NOT_ANNOUNCED ? &out->alone : &out->unknown,
		         it->vip ? it->vip->name : name);
}

static void look_elsewhere(const struct node_check *w, struct elsewhere *out)
{
	const struct model_announce *a = &w->node->announce;

	*out = (struct elsewhere){ .n = 0 };
	for (size_t i = 0; i < w->m->n_vips; i++) {
		const struct announced_thing it = { .vip = &w->m->vips[i] };

		if (does_announce(w->node, &it))
			sort_announced(w, &it, out);
	}
	for (size_t i = 0; a->daemon != MODEL_DAEMON_NONE && i < a->n_dns; i++)
		sort_announced(w, &(struct announced_thing){ .dns = &a->dns[i] }, out);
}

static void refuse_for_now(const struct node_check *w, const struct elsewhere *e)
{
	int64_t wait_s = (e->wait_ms + 999) / 1000;
	char more[32];

	guard_add_verdict(w->r, GUARD_LAST_ANNOUNCER, false,
	                  "for %" PRId64 " s more, answers given before the site was drained may "
	                  "lead to %s%s, which no other node announces",
	                  wait_s, e->alone.text, more_names(&e->alone, more))
	        ->wait_s = wait_s;
}

static void check_last_announcer(const struct node_check *w)
{
	struct elsewhere e;
	char more[32];

	look_elsewhere(w, &e);
	if (e.alone.n && e.n_waiting == e.alone.n)
		refuse_for_now(w, &e);
	else if (e.alone.n)
		guard_add_verdict(w->r, GUARD_LAST_ANNOUNCER, false,
		                  "no other node announces %s%s: a drain does not withdraw them, "
		                  "and --withdraw cuts their clients off%s%s%s",
		                  e.alone.text, more_names(&e.alone, more),
		                  e.site ? "; drain site " : "", e.site ? e.site : "",
		                  e.site ? " first" : "");
	else if (e.unknown.n)
		guard_add_verdict(w->r, GUARD_LAST_ANNOUNCER, true,
		                  "whether another node announces %s%s is unknown", e.unknown.text,
		                  more_names(&e.unknown, more))
		        ->unknown = true;
	else
		guard_add_verdict(
		        w->r, GUARD_LAST_ANNOUNCER, true,
		        "without this node, clients of its %zu VIPs and addresses of DNS reach "
		        "another node, or their site is drained and left",
		        e.n);
}

/* Whether @p other announces, or may announce, a VIP of the node. */
static bool shares_vip(const struct node_check *w, const struct model_node *other)
{
	for (size_t i = 0; i < w->m->n_vips; i++) {
		const struct model_vip *vip = &w->m->vips[i];

		if (model_node_announces(w->node, vip) && model_node_announces(other, vip) &&
		    read_announced(w, other, hash_text(vip->name)) != GUARD_NOT_ANNOUNCED)
			return true;
	}
	return false;
}

static void add_receiver(const struct node_check *w, const struct model_node *other)
{
	const struct guard_node *n = find_seen(w->seen, other->name);

	if (w->r->n_receivers == w->r->max_receivers)
		return;
	w->r->receivers[w->r->n_receivers++] = (struct guard_receiver){
		.name = other->name,
		.capacity_bits = n ? n->capacity_bits : 0,
		.before_bits = n ? n->bits : 0,
		.known = n && n->load_known,
	};
}

/* Routers share the node's load equally among the receivers. */
static void forecast_loads(const struct node_check *w)
{
	const struct guard_node *own = find_seen(w->seen, w->node->name);
	uint32_t n = (uint32_t)w->r->n_receivers;

	for (uint32_t i = 0; i < n; i++) {
		struct guard_receiver *x = &w->r->receivers[i];

		x->before_ppm = MODEL_PPM_ALL / (n + 1);
		x->after_ppm = MODEL_PPM_ALL / n;
		x->known = x->known && own && own->load_known;
		x->after_bits = x->known ? x->before_bits + own->bits / n : 0;
	}
}

static void check_room(const struct node_check *w)
{
	size_t unknown = 0;

	for (size_t i = 0; i < w->r->n_receivers; i++) {
		const struct guard_receiver *x = &w->r->receivers[i];
		uint64_t percent;
		enum guard_fit fit = guard_fit(x->capacity_bits, x->known, x->after_bits, &percent);

		unknown += fit == GUARD_FIT_NOT_STATED || fit == GUARD_FIT_UNKNOWN;
		if (fit != GUARD_FIT_NO)
			continue;
		guard_add_verdict(w->r, GUARD_ROOM, false,
		                  "node %s would have %" PRIu64
		                  " bits/s, more than %u %% of its capacity of %" PRIu64,
		                  x->name, x->after_bits, GUARD_ROOM_PERCENT, x->capacity_bits);
		return;
	}
	if (!w->r->n_receivers)
		guard_add_verdict(w->r, GUARD_ROOM, true,
		                  "no other node would receive its packets, so none has room")
		        ->unknown = true;
	else if (unknown)
		guard_add_verdict(w->r, GUARD_ROOM, true,
		                  "load or capacity of %zu of %zu receiving nodes is unknown",
		                  unknown, w->r->n_receivers)
		        ->unknown = true;
	else
		guard_add_verdict(w->r, GUARD_ROOM, true,
		                  "all receiving nodes stay below %u %% of their capacity",
		                  GUARD_ROOM_PERCENT);
}

/*
 * Pools without agents: connections that are not where the slot's owner alone would send them would
 * break. While a slot is unsettled, any of its connections may be such a one. Afterwards those that
 * are remembered still are: no other node knows of them.
 */
static void check_unsettled(const struct node_check *w)
{
	const struct guard_unsettled *first = NULL;
	uint64_t remembered = 0;
	size_t n = 0;

	for (size_t i = 0; i < w->seen->n_pools; i++) {
		const struct guard_unsettled *p = &w->seen->pools[i];

		if (!p->unsettled && !p->remembered)
			continue;
		if (!n++)
			first = p;
		remembered += p->remembered;
	}
	if (!w->seen->pools_known)
		guard_add_verdict(
		        w->r, GUARD_UNSETTLED, true,
		        "unsettled slots of pools without agents are unknown here: ask on "
		        "the node itself")
		        ->unknown = true;
	else if (first)
		guard_add_verdict(w->r, GUARD_UNSETTLED, false,
		                  "%s (%" PRIu32 " of %" PRIu32
		                  " slots unsettled), first of %zu pools "
		                  "without agents: up to %" PRIu64
		                  " connections at risk. Wait until they end, or use --now",
		                  first->name, first->unsettled, first->n_slots, n, remembered);
	else
		guard_add_verdict(w->r, GUARD_UNSETTLED, true,
		                  "no pool without agents has unsettled slots or remembered "
		                  "connections: none is at risk");
}

void guard_check_node(const struct model *m, const struct overrides *overrides, const char *name,
                      const struct guard_observed *seen, int64_t now_ms, struct guard_result *r)
{
	const struct node_check w = { m, overrides, model_node(m, name), seen, now_ms, r };

	if (!w.node)
		return;
	for (size_t i = 0; i < m->n_nodes; i++)
		if (may_receive(&w, &m->nodes[i]) && shares_vip(&w, &m->nodes[i]))
			add_receiver(&w, &m->nodes[i]);
	forecast_loads(&w);
	check_last_announcer(&w);
	check_room(&w);
	check_unsettled(&w);
}
