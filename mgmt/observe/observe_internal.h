/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What observe.c and observe_looks.c share: what the observer's thread has seen. Under the core's lock,
 * but for what is the thread's alone.
 */
#ifndef WEIR_MGMT_OBSERVE_OBSERVE_INTERNAL_H
#define WEIR_MGMT_OBSERVE_OBSERVE_INTERNAL_H

#include "mgmt/observe/dns_rate.h"
#include "mgmt/observe/flow_samples.h"
#include "mgmt/observe/node_drain.h"
#include "mgmt/observe/observe.h"
#include "mgmt/core/signs.h"
#include "mgmt/observe/vip_traffic.h"

/* The state of a target at the last event. */
struct logged_state {
	uint64_t target; /* first: sorted by it */
	enum health_state state;
	bool is_of_journal; /* and no verdict was seen since */
};

/* A process as it was seen last. */
struct observed_process {
	bool is_known,
	        running; /* as last logged; not known: it has not run here, as far as was seen */
	int64_t pid;
	uint64_t document;
	uint64_t behind_ms; /* since when it has had a newer document to take; 0: it has none */
};

#define OBSERVE_DRAIN_MAX 16 /* for a word of node_drain_state() */

struct observe {
	json_t *dns;
	uint64_t dns_ms;                /* when it was said; 0: never */
	uint64_t bytes, bytes_ms, rate; /* sent to backends at the last look; bits a second */
	bool rate_known;
	struct dns_rate dns_rate;
	struct signs_kept signs;              /* only the thread adds to it */
	struct flow_samples *samples;         /* likewise */
	struct vip_traffic *traffic;          /* NULL: not measured */
	struct node_drain drain;              /* of this node; only the thread writes it */
	char logged_drain[OBSERVE_DRAIN_MAX]; /* its state in the last event; "": not known yet */
	struct observed_process processes[OBSERVE_COUNT];
	struct life_watch watch; /* when the thread looks: what is seen of weir-mgmt's main one */
	struct logged_state *logged; /* sorted by target; the thread's alone */
	size_t n_logged;
};

#endif
