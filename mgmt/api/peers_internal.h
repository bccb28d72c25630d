/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What peers.c and peers_round.c share: the peers as the last round left them.
 */
#ifndef WEIR_MGMT_API_PEERS_INTERNAL_H
#define WEIR_MGMT_API_PEERS_INTERNAL_H

#include "base/thread.h"
#include "mgmt/api/client.h"
#include "mgmt/api/peers.h"

struct peers {
	struct thread thread;
	struct peer_client client;
	struct peers_report reports[PEERS_MAX]; /* as published to other threads; under the lock */
	size_t n_reports;
	bool poked, notify_others;
	bool token_known, has_token;
};

#endif
