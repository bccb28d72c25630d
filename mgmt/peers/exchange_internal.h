/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What exchange.c (asks) and handle_exchange.c (answers) share. The core's lock guards all of it but
 * for what belongs to the thread.
 */
#ifndef WEIR_MGMT_PEERS_EXCHANGE_INTERNAL_H
#define WEIR_MGMT_PEERS_EXCHANGE_INTERNAL_H

#include "base/loop.h"
#include "base/thread.h"
#include "mgmt/peers/announce_words.h"
#include "mgmt/peers/exchange.h"
#include "mgmt/peers/exchange_words.h"
#include "mgmt/peers/externals.h"
#include "mgmt/peers/peer_health.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/http/client.h"

#define EXCHANGE_FORMER                                                                            \
	4u /* digests of overrides that this node had: more than change while a peer is asked */

/* A peer; the one at i has the report at i. */
struct exchange_peer {
	struct exchange *exchange;
	struct exchange_peer *next_gone;
	char node[MODEL_NAME_MAX], site[MODEL_NAME_MAX], api[256];
	uint64_t listed_ms; /* since when it is a peer */
	bool is_own_site;
	bool is_chosen; /* one of those that are asked: exchange_choose() */
	uint64_t rank;
	struct exchange_word words[EXCHANGE_N_SECTIONS];
	bool is_failed;             /* it did not answer last */
	uint64_t failed_ms;         /* when that request was sent */
	uint64_t next_ms;           /* it is not asked before */
	uint64_t pause_ms;          /* after the next failure */
	char reason[HTTP_TEXT_MAX]; /* of the failure */
	uint64_t silent_ms; /* when it first gave no answer at all; 0: it does, or was not asked */
	bool is_refused;    /* it does not accept our peer.token */
	/* of the thread */
	struct client_request request, overrides, verdicts;
	char *body; /* of the request; NULL: none is under way */
	uint64_t sent_ms;
	char *query; /* of the request for its overrides; NULL: none is under way */
	char fetched[DIGEST_TEXT_MAX];
	uint64_t fetched_ms;
	uint64_t differs_ms;  /* since when its overrides are others than ours; 0: they are not */
	char *verdicts_query; /* of the request for its verdicts; NULL: none is under way */
	uint64_t verdicts_ms; /* when that request was sent */
	uint64_t verdicts_next_ms; /* they are not asked for before */
	struct externals_position verdicts_there,
	        verdicts_had; /* how far it is; how far of it this node has */
	bool is_gone;         /* of no document any more: freed when no request is under way */
	struct page *page;
};

struct exchange {
	struct core *core;
	struct exchange_peer *peers[PEERS_MAX];
	size_t n;
	struct exchange_word own[EXCHANGE_N_SECTIONS];
	char cluster[MODEL_NAME_MAX];
	uint64_t phase_ms; /* of the instants at which answers end without news */
	/* of the thread */
	struct thread thread;
	struct loop *loop;
	struct loop_timer timer;
	struct peer_client client;
	struct client_loop requests;
	struct health_section health;
	struct announced_section announced;
	struct externals_out externals;
	struct exchange_peer *gone;
	uint64_t looked_ms, token_ms;
	uint64_t states_ms;              /* when the peers are related again; 0: they are */
	char overrides[DIGEST_TEXT_MAX]; /* the digest of the own ones, and of those before */
	char former[EXCHANGE_FORMER][DIGEST_TEXT_MAX];
	size_t n_former;
	unsigned late_bells; /* to be rung */
	uint64_t late_ms;    /* at this time */
};

#endif
