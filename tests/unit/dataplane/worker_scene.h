/* SPDX-License-Identifier: BSD-2-Clause */
/* A worker with three ports, whose edges are in the test's hands. Includes dataplane/dpdk/worker.c. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_WORKER_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_WORKER_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "dpdk_edge.h"

#include "dataplane/dpdk/worker.c"

#define N_PORTS 3

/* Ports with DPDK's numbers 1, 2, 3, the kernel's 5, 6, 7; queue 0 of each. */
static struct worker w;
static struct round r;
static struct fwd_cpu cpus[2];
static struct fwd_root root;
static struct edge_line inboxes[2], outbox;

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	memset(&w, 0, sizeof(w));
	memset(&r, 0, sizeof(r));
	memset(cpus, 0, sizeof(cpus));
	memset(inboxes, 0, sizeof(inboxes));
	memset(&outbox, 0, sizeof(outbox));
	for (uint32_t i = 0; i < EDGE_PORTS; i++)
		edge.backends[i].ifindex = i;
	w.tables = (struct fwd_tables){ .root = &root, .cpus = cpus, .n_cpus = 2, .cpu = 1 };
	w.n_ports = N_PORTS;
	w.n_workers = 1;
	w.wake = -1;
	for (uint32_t i = 0; i < N_PORTS; i++)
		w.ports[i] = (struct worker_port){
			.id = (uint16_t)(i + 1), .ifindex = i + 5, .tap = -1, .interrupt = -1
		};
	for (uint32_t i = 0; i < 2; i++)
		w.inboxes[i] = (struct rte_ring *)(void *)&inboxes[i];
	edge.tsc = 1000000;
	edge.clock = (struct timespec){ .tv_sec = 77, .tv_nsec = 5 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(edge_count_out(), 0);
	return 0;
}

/* A frame comes in by the port with DPDK's number @p port. */
static inline struct rte_mbuf *come_in(uint16_t port, struct edge_head head)
{
	struct rte_mbuf *m = edge_make(head);

	m->port = port;
	assert_int_equal(edge_put(&edge.rx[port][0], m), 0);
	return m;
}

static inline void assert_sent(unsigned int i, uint16_t port, uint8_t mark)
{
	assert_true(i < edge.n_sent);
	assert_int_equal(edge.sent[i].port, port);
	assert_int_equal(edge.sent[i].mark, mark);
}

#endif
