/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Asking peers from an event loop: requests begin at any time, and none waits for another.
 *
 * Implemented in mgmt/http/client_loop.c; called by the loop's thread alone.
 */
#ifndef WEIR_MGMT_HTTP_CLIENT_LOOP_H
#define WEIR_MGMT_HTTP_CLIENT_LOOP_H

#include "base/checked.h"
#include "base/loop.h"
#include "mgmt/http/client.h"

struct client_loop {
	struct peer_client *client;
	struct loop *loop;
	struct loop_timer timer;
};

/** Open @p client, as client_open(), and drive its requests from @p loop. @return 0 or -ENOMEM */
int client_loop_open(struct client_loop *l, struct peer_client *client, const char *conf_dir,
                     struct loop *loop) MUST_CHECK;
/** Begin @p r, which stays in place until its done() is called. */
void client_loop_begin(struct client_loop *l, struct client_request *r);

#endif
