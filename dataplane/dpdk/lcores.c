/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workers as a group. Each has an inbox, a ring into which other workers put frames of its
 * flows; all workers know all inboxes. With one worker there are none. Intervals are turned into
 * cycles of the time stamp counter once, so that a worker's round needs no system call to know the
 * time.
 */
#include "dataplane/dpdk/lcores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "base/log.h"
#include "dataplane/dpdk/eal.h"

#define TAP_US  50u    /* how often a busy worker reads its TAPs at most, a system call each */
#define TIME_US 1000u  /* how often it reads the clock: tables count seconds */
#define KEEP_US 20000u /* how often it lets bonds send: LACP needs that each 100 ms */

void lcores_set_tables(struct lcores *c, const struct fwd_tables *tables)
{
	for (uint32_t i = 0; i < c->n_workers; i++) {
		c->workers[i].tables = *tables;
		c->workers[i].tables.cpu = i;
	}
}

void lcores_park(struct lcores *c)
{
	for (uint32_t i = 0; i < c->n_running; i++)
		worker_park(&c->workers[i]);
}

void lcores_unpark(struct lcores *c)
{
	for (uint32_t i = 0; i < c->n_running; i++)
		worker_unpark(&c->workers[i]);
}

/* Memory and rings are taken near the CPU that the worker runs on. */
static int make_worker(struct lcores *c, uint32_t i, struct driver_reason *reason)
{
	struct worker *w = &c->workers[i];
	unsigned int socket = rte_lcore_to_socket_id(eal_lcore(i));
	char name[32];

	w->index = i;
	w->n_workers = c->n_workers;
	w->counts.cpu = eal_cpu(i);
	w->tap_every = w->tap_wait = rte_get_tsc_hz() / US_PER_S * TAP_US;
	w->time_every = rte_get_tsc_hz() / US_PER_S * TIME_US;
	w->keep_every = rte_get_tsc_hz() / US_PER_S * KEEP_US;
	w->pool = eal_pool((int)socket);
	w->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (!w->pool)
		return driver_set_reason(reason, -ENOMEM,
		                         "no memory for packets: raise dpdk.memory");
	if (w->wake < 0)
		return driver_set_reason(reason, -errno, "an eventfd cannot be made: %s",
		                         strerror(errno));
	if (c->n_workers == 1)
		return 0;
	snprintf(name, sizeof(name), "inbox-%u", i);
	w->inboxes[i] = rte_ring_create(name, LCORES_RING_LEN, (int)socket, RING_F_SC_DEQ);
	return w->inboxes[i] ? 0
	                     : driver_set_reason(reason, -ENOMEM,
	                                         "no memory for rings: raise dpdk.memory");
}

static int make_workers(struct lcores *c, struct driver_reason *reason)
{
	int err = 0;

	c->workers = aligned_alloc(_Alignof(struct worker), c->n_workers * sizeof(*c->workers));
	if (!c->workers)
		return driver_set_reason(reason, -ENOMEM, "out of memory");
	memset(c->workers, 0, c->n_workers * sizeof(*c->workers));
	for (uint32_t i = 0; i < c->n_workers; i++)
		c->workers[i].wake = -1;
	for (uint32_t i = 0; !err && i < c->n_workers; i++)
		err = make_worker(c, i, reason);
	for (uint32_t i = 0; i < c->n_workers; i++)
		for (uint32_t k = 0; k < c->n_workers; k++)
			c->workers[i].inboxes[k] = c->workers[k].inboxes[k];
	return err;
}

int lcores_start(struct lcores *c, uint32_t n_workers, const struct fwd_tables *tables,
                 struct driver_reason *reason)
{
	int err;

	c->n_workers = n_workers;
	err = make_workers(c, reason);
	if (err)
		return err;
	lcores_set_tables(c, tables);
	for (; c->n_running < c->n_workers; c->n_running++) {
		err = rte_eal_remote_launch(worker_main, &c->workers[c->n_running],
		                            eal_lcore(c->n_running));
		if (err)
			return driver_set_reason(reason, err, "worker %u cannot be started: %s",
			                         c->n_running, strerror(-err));
	}
	return 0;
}

static void log_stopped(const struct driver_worker *k)
{
	log_note("worker-stopped",
	         "cpu=%u frames=%llu bursts=%llu/%llu/%llu/%llu/%llu/%llu/%llu sleeps=%llu "
	         "handed_over=%llu",
	         k->cpu, (unsigned long long)k->frames, (unsigned long long)k->bursts[0],
	         (unsigned long long)k->bursts[1], (unsigned long long)k->bursts[2],
	         (unsigned long long)k->bursts[3], (unsigned long long)k->bursts[4],
	         (unsigned long long)k->bursts[5], (unsigned long long)k->bursts[6],
	         (unsigned long long)k->sleeps, (unsigned long long)k->handed_over);
}

void lcores_free_ring(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (ring && !rte_ring_dequeue(ring, (void **)&m))
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

/* Let worker_main() return after its round; a sleep is ended. */
static void stop_worker(struct worker *w)
{
	const uint64_t one = 1;

	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	(void)!write(w->wake, &one, sizeof(one));
}

void lcores_stop(struct lcores *c)
{
	for (uint32_t i = 0; i < c->n_running; i++)
		stop_worker(&c->workers[i]);
	for (uint32_t i = 0; i < c->n_running; i++) {
		rte_eal_wait_lcore(eal_lcore(i));
		log_stopped(&c->workers[i].counts);
	}
	c->n_running = 0;
}

void lcores_free(struct lcores *c)
{
	for (uint32_t i = 0; c->workers && i < c->n_workers; i++) {
		lcores_free_ring(c->workers[i].inboxes[i]);
		if (c->workers[i].wake >= 0)
			close(c->workers[i].wake);
	}
	free(c->workers);
}

void lcores_wait_bursts(struct lcores *c)
{
	for (uint32_t i = 0; i < c->n_running; i++)
		worker_grace(&c->workers[i]);
}

/*
 * A worker that idles looks within WORKER_WAIT_MS, so it is not woken. An answer to another batch
 * than the caller's is dropped: its caller gave it up.
 */
int lcores_prove(struct lcores *c, struct driver_probes *batch)
{
	struct worker *w;

	if (!c->n_running)
		return -ENODEV;
	w = &c->workers[c->prover % c->n_running];
	if (__atomic_load_n(&w->prove, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	if (c->prove_number == batch->number) {
		*batch = w->probes;
		c->prove_number = 0;
		c->prover = (c->prover + 1) % c->n_running;
		return 0;
	}
	w->probes = *batch;
	c->prove_number = batch->number;
	__atomic_store_n(&w->prove, true, __ATOMIC_RELEASE);
	return -EAGAIN;
}
