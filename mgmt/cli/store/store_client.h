/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store as this host's store.conf has it, with the members that weir-mgmt has heard of since, asked by a command without weir-mgmt. The key is readable for weir-mgmt and
 * root alone. Implemented in mgmt/cli/store/store_client.c; for the command's one thread.
 */
#ifndef WEIR_MGMT_CLI_STORE_CLIENT_H
#define WEIR_MGMT_CLI_STORE_CLIENT_H

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "mgmt/setup/store_members.h"
#include "mgmt/store/store_conf.h"

/* What is left to do where no majority comes back. */
#define STORE_LOST_ADVICE                                                                          \
	"If a majority is lost for good, begin the store again from a node's copy: weir store "    \
	"init --id, rebuild, join, as the handbook says (A majority of the members is lost)"

struct store_client {
	struct store_conf conf;
	struct etcd_settings settings;
	struct etcd_gateway *gateway;
};

/* Open it. @return the client, for store_client_close(); NULL: after a message, and @p status is the exit status */
MUST_CHECK struct store_client *store_client_open(const struct cli *cli, int *status);
void store_client_close(struct store_client *c);
/*
 * What the member at @p url says of itself; no other is asked. @p ahead_ms: how far its clock is ahead of this host's, to
 * about a second; 0 where it is not known; may be NULL. @return 0, or as etcd_gateway_status() with its @p reason
 */
MUST_CHECK int store_client_status(const struct store_client *c, const char *url,
                                   struct etcd_status *out, int64_t *ahead_ms,
                                   char reason[ETCD_REASON_MAX]);

#endif
