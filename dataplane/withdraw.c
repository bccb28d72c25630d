/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The routes are deleted, not compared: whoever proves the VIPs adds them again, and a route too
 * few for a second costs less than a route too many.
 */
#include "dataplane/withdraw.h"

#include <string.h>

#include "base/log.h"
#include "weir/model.h"
#include "weir/own_routes.h"

void withdraw_left_routes(const struct model_node *self)
{
	const struct model_announce *a = &self->announce;
	struct own_routes *routes = NULL;
	int err;

	if (a->daemon == MODEL_DAEMON_NONE)
		return;
	err = own_routes_open(&routes);
	if (!err)
		err = own_routes_delete_all(routes, a->table);
	if (!err)
		err = own_routes_delete_all(routes, a->gshut_table);
	own_routes_close(routes);
	if (err)
		log_warn("routes-left", "tables=%u,%u error=\"%s\" effect=\"%s\"", a->table,
		         a->gshut_table, strerror(-err),
		         "routers may send packets before this node forwards them");
}
