/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Path MTUs. A router on the way to a backend answers a packet that is too big with an ICMP error,
 * and the packet path notes its MTU in the backend's element (fwd/tunnel_error.h). Ten times a
 * second the loop calls compiler_update_mtus(): it sees by a counter whether there is news, takes
 * the noted values, bounds them (tables/path_mtu.h) and writes the new inner MTU. A path MTU belongs to an
 * address: all backends there get it.
 */
#include "dataplane/tables/compiler_internal.h"

#include "base/log.h"
#include "weir/model.h"

/* How many errors packets have noted since the tables were made: a cheap sign of news. */
static uint64_t count_mtu_errors(const struct fwd_tables *t)
{
	uint64_t sum = 0;

	for (uint32_t c = 0; c < t->n_cpus; c++)
		sum += OWNER_LOAD(uint64_t, &t->cpus[c].reason[FWD_REASON_TUNNEL_TOO_BIG]);
	return sum;
}

/*
 * Log a change at backend @p index, with its name if the document has it; @p more: how many
 * others changed.
 */
static void log_path_mtu(const struct compiler *n, const char *event, uint32_t index, uint32_t more)
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
	         name, addr_text(&n->paths[index].address, address), n->paths[index].reported.mtu,
	         n->t.backends[index].inner_mtu, more);
}

/* Lower the path MTU of @p address to @p mtu. @return whether that changes a backend */
static bool lower_path_mtu(struct compiler *n, const struct addr *address, uint16_t mtu,
                           uint64_t now_ms)
{
	bool news = false;
	struct hop hop;

	if (!hops_get(n->hops, address, &hop) || hop.state != HOP_KNOWN)
		return false;
	for (uint32_t i = compiler_first_at(n, address); i; i = n->paths[i].next) {
		struct compiler_path *path = &n->paths[i];
		bool first = !path->reported.mtu;

		if (!addr_equal(&path->address, address) ||
		    !path_mtu_lower(&path->reported, mtu, hop.mtu, now_ms))
			continue;
		n->n_low += first;
		news = true;
	}
	if (news)
		compiler_on_hop(n, address, &hop);
	return news;
}

/* Apply the MTUs that packets have noted since the last call. */
static void apply_noted_mtus(struct compiler *n, uint64_t now_ms)
{
	uint32_t n_lowered = 0, first = 0;

	for (uint32_t i = 1; i < n->sizes.backends; i++) {
		uint16_t *at = &n->t.backends[i].learned_mtu, mtu;

		if (!__atomic_load_n(at, __ATOMIC_RELAXED))
			continue;
		mtu = __atomic_exchange_n(at, 0, __ATOMIC_RELAXED);
		if (n->paths[i].is_watched &&
		    lower_path_mtu(n, &n->paths[i].address, mtu, now_ms) && !n_lowered++)
			first = i;
	}
	n->counters.paths_lowered += n_lowered;
	if (n_lowered)
		log_path_mtu(n, "path-mtu-lowered", first, n_lowered - 1);
}

/*
 * End path MTUs that are old (tables/path_mtu.h): the path may have changed, so the configured MTU is tried
 * again.
 */
static void end_paths(struct compiler *n, uint64_t now_ms)
{
	uint32_t n_ended = 0, first = 0;
	struct hop hop;

	for (uint32_t i = 1; i < n->sizes.backends; i++) {
		struct compiler_path *path = &n->paths[i];

		if (!path->is_watched || !path_mtu_expire(&path->reported, now_ms))
			continue;
		if (hops_get(n->hops, &path->address, &hop))
			compiler_on_hop(n, &path->address, &hop);
		if (!n_ended++)
			first = i;
	}
	n->n_low -= n_ended;
	n->counters.paths_restored += n_ended;
	if (n_ended)
		log_path_mtu(n, "path-mtu-restored", first, n_ended - 1);
}

void compiler_update_mtus(struct compiler *n, uint64_t now_ms)
{
	uint64_t count = count_mtu_errors(&n->t);

	if (n->hops && count != n->mtu_errors)
		apply_noted_mtus(n, now_ms);
	n->mtu_errors = count;
	if (n->n_low)
		end_paths(n, now_ms);
}
