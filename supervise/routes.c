/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The routes of DNS addresses at a stop. weir-announce leaves its routes when it ends, because an
 * XDP program forwards on; weir-dns answers nothing after its end, so its addresses must go first.
 *
 * The supervisor deletes them itself: it is there in each case, also where weir-announce hangs or
 * was killed. Routes of VIPs are not touched (dataplane/withdraw.h has those of DPDK).
 */
#include <string.h>

#include "base/log.h"
#include "supervise/run.h"
#include "weir/own_routes.h"

void run_routes_note(struct run_routes *r, const struct model_node *self)
{
	const struct model_announce *a = &self->announce;

	r->n = 0;
	if (a->daemon == MODEL_DAEMON_NONE)
		return;
	r->tables[0] = a->table;
	r->tables[1] = a->gshut_table;
	for (size_t i = 0; i < a->n_dns && r->n < RUN_ADDRESSES_MAX; i++)
		r->addresses[r->n++] = a->dns[i];
}

/* Delete the addresses from one table. @return whether it had one, or that is not known */
static bool empty_table(const struct run_routes *r, struct own_routes *routes, uint32_t table,
                        int *err)
{
	struct addr first;
	size_t before = 1, after = 0; /* untouched by a list that fails */
	int failed = own_routes_list(routes, table, &first, 1, &before);

	if (!before)
		return false;
	for (size_t i = 0; i < r->n; i++) {
		int refused = own_routes_delete(routes, table, &r->addresses[i]);

		failed = failed ? failed : refused;
	}
	if (!failed)
		failed = own_routes_list(routes, table, &first, 1, &after);
	*err = *err ? *err : failed;
	return after < before;
}

bool run_routes_withdraw(const struct run_routes *r)
{
	struct own_routes *routes = NULL;
	bool had_some = false;
	int err = r->n ? own_routes_open(&routes) : 0;

	for (int i = 0; routes && i < 2; i++)
		had_some |= empty_table(r, routes, r->tables[i], &err);
	own_routes_close(routes);
	if (err)
		log_warn("routes-left", "tables=%u,%u error=\"%s\" effect=\"%s\"", r->tables[0],
		         r->tables[1], strerror(-err),
		         "routers may send queries that get no answer");
	else if (had_some)
		log_note("routes-withdrawn", "tables=%u,%u addresses=%zu of=dns", r->tables[0],
		         r->tables[1], r->n);
	return had_some;
}
