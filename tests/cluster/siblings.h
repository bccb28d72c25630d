/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other processes of a node, as weir-mgmt sees them: a thread of the host that takes each effective document, and writes
 * their pages with the product's page writers, as those processes do, and answers at their control sockets. By themselves all
 * is well; the scene says what they meet. They end with their host (a kill), or are ended.
 *
 * What they do follows from the document and from what they see:
 * - weir-health sees backends, and the VIPs of other sites, as the scene has it.
 * - weir-dataplane sends to backends that are up and asked for, else to the backup, and counts the clients who come.
 * - weir-dns steers the prefixes of clients by the product's own function, at the levels of the document.
 * - weir-announce announces what the document says; drained, it asks the other nodes, and withdraws what one confirms.
 *
 * Implemented in tests/cluster/siblings*.c; the scene's thread calls.
 */
#ifndef TESTS_CLUSTER_SIBLINGS_H
#define TESTS_CLUSTER_SIBLINGS_H

#include <stdbool.h>

#include "tests/cluster/node.h"
#include "weir/condition.h"
#include "weir/health.h"

enum sibling {
	SIBLING_DATAPLANE,
	SIBLING_HEALTH,
	SIBLING_DNS,
	SIBLING_ANNOUNCE,
	SIBLING_RUN, /* weir run, who restarts the others */
	SIBLINGS
};

struct siblings;

/* All clients of the cluster, who come by the answers that the nodes' weir-dns give; the scene's to change. */
struct siblings_clients {
	unsigned flows_per_s; /* new ones */
	unsigned silent_ppm;  /* of which no further packet follows a SYN */
	unsigned repeats_ppm; /* SYNs that are sent again */
};

/* Start weir-dataplane and weir-health alone at @p n, whose host is what it is now. There are no clients. */
struct siblings *siblings_start(const struct node *n);
/* Start all. @param clients  outlives them */
struct siblings *siblings_start_all(const struct node *n, const struct siblings_clients *clients);
/* weir-dataplane states that it refuses what comes; or takes it. */
void siblings_refuse(struct siblings *s, bool refuses);
/* They live, and take no document; or take it. */
void siblings_be_late(struct siblings *s, bool are_late);
/* All backends of the own site are down by their checks; or up. */
void siblings_fail_checks(struct siblings *s, bool fail);
/*
 * weir-health sees @p what so from now on: "POOL/BACKEND" of the own site, or "site SITE", all VIPs of another one.
 * @param marks  HEALTH_MARK_*
 */
void siblings_see(struct siblings *s, const char *what, enum health_state state, unsigned marks,
                  enum health_reason reason);
/* A process hangs: its pages show no sign of life, and who asks it waits; or goes on. */
void siblings_hang(struct siblings *s, enum sibling which, bool hangs);
/* A process has ended, and left its pages; or has been started again. */
void siblings_end(struct siblings *s, enum sibling which, bool is_over);
/* A process states this condition beside those of its own; code NULL: none any more. Texts are borrowed. */
void siblings_condition(struct siblings *s, enum sibling which, const char *code,
                        enum condition_level level, const char *subject, const char *text);
/* weir-dataplane has empty tables, and asks for connection state until some has come. */
void siblings_forget_connections(struct siblings *s);
/* The way to a backend of the own site is not known: nothing is sent to it; or is. @param name  NULL: to none is so */
void siblings_lose_hop(struct siblings *s, const char *name);
/* Packets of clients come to the node, by its routes; or do not, as routers send them elsewhere. */
void siblings_cut_clients(struct siblings *s, bool are_cut);
/* So many of the clients who come to the node from now on get no answer at first, and send their SYNs again. */
void siblings_harm_clients(struct siblings *s, unsigned ppm);
/* The routing daemon answers; or does not. */
void siblings_lose_daemon(struct siblings *s, bool is_lost);
void siblings_stop(struct siblings *s);

#endif
