/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What routers told packets of the ways to backends (fwd/tunnel_error.h): taken from the tables, bounded
 * (path.h) and brought into force. A way is an address's: all backends there follow.
 */
#include "dataplane/node_inside.h"

#include "base/log.h"
#include "weir/model.h"

/* How often packets noted something: all since the tables were made. */
static uint64_t count_told(const struct fwd_tables *t)
{
	uint64_t sum = 0;

	for (uint32_t c = 0; c < t->n_cpus; c++)
		sum += OWNER_LOAD(uint64_t, &t->cpus[c].reason[FWD_REASON_TUNNEL_TOO_BIG]);
	return sum;
}

/* Backend @p index by its name, if the document has one for it. */
static void tell(const struct node *n, const char *event, uint32_t index, uint32_t more)
{
	char address[ADDR_TEXT_MAX];
	const char *pool = "", *name = "";

	for (size_t i = 0; i < n->n_pools; i++)
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++) {
			if (n->pools[i].backends[k].index != index)
				continue;
			pool = n->pools[i].plan->model->name;
			name = n->pools[i].plan->backends[k].name;
		}
	log_note(event, "pool=%s backend=%s address=%s path_mtu=%u inner_mtu=%u more=%u", pool,
	         name, addr_text(&n->watched[index], address), n->paths[index].mtu,
	         n->t.backends[index].inner_mtu, more);
}

/* Packets of @p mtu bytes at most reach @p address. @return whether that is news of a backend there */
static bool lower(struct node *n, const struct addr *address, uint16_t mtu, uint64_t now_ms)
{
	bool news = false;
	struct hop hop;

	if (!hops_get(n->hops, address, &hop) || hop.state != HOP_KNOWN)
		return false;
	for (uint32_t i = node_first_at(n, address); i; i = n->watched_next[i]) {
		bool first = !n->paths[i].mtu;

		if (!addr_equal(&n->watched[i], address) ||
		    !path_lower(&n->paths[i], mtu, hop.mtu, now_ms))
			continue;
		n->n_low += first;
		news = true;
	}
	if (news)
		node_hop(n, address, &hop);
	return news;
}

/* What packets noted since the last look. */
static void take_told(struct node *n, uint64_t now_ms)
{
	uint32_t n_lowered = 0, first = 0;

	for (uint32_t i = 1; i < n->sizes.backends; i++) {
		uint16_t *at = &n->t.backends[i].told_mtu, mtu;

		if (!__atomic_load_n(at, __ATOMIC_RELAXED))
			continue;
		mtu = __atomic_exchange_n(at, 0, __ATOMIC_RELAXED);
		if (n->is_watched[i] && lower(n, &n->watched[i], mtu, now_ms) && !n_lowered++)
			first = i;
	}
	n->counters.paths_lowered += n_lowered;
	if (n_lowered)
		tell(n, "path-mtu-lowered", first, n_lowered - 1);
}

/* What was told is over after a while: what is configured is tried again. */
static void end_paths(struct node *n, uint64_t now_ms)
{
	uint32_t n_ended = 0, first = 0;
	struct hop hop;

	for (uint32_t i = 1; i < n->sizes.backends; i++) {
		if (!n->is_watched[i] || !path_end(&n->paths[i], now_ms))
			continue;
		if (hops_get(n->hops, &n->watched[i], &hop))
			node_hop(n, &n->watched[i], &hop);
		if (!n_ended++)
			first = i;
	}
	n->n_low -= n_ended;
	n->counters.paths_restored += n_ended;
	if (n_ended)
		tell(n, "path-mtu-restored", first, n_ended - 1);
}

void node_told(struct node *n, uint64_t now_ms)
{
	uint64_t count = count_told(&n->t);

	if (n->hops && count != n->told)
		take_told(n, now_ms);
	n->told = count;
	if (n->n_low)
		end_paths(n, now_ms);
}
