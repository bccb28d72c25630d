/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What peers.c and exchange.c share: the peers as last heard.
 */
#ifndef WEIR_MGMT_PEERS_PEERS_INTERNAL_H
#define WEIR_MGMT_PEERS_PEERS_INTERNAL_H

#include "mgmt/peers/peers.h"

struct peers {
	struct peers_report reports[PEERS_MAX];
	size_t n_reports;
	bool token_known, has_token;
};

#endif
