/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/worker.h"

#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "weir/fwd/burst.h"

_Static_assert(WORKER_BURST <= FWD_BURST_MAX, "a burst fits");

/* A burst with the buffers that its frames lie in. */
struct round {
	struct fwd_burst burst;
	struct rte_mbuf *in[WORKER_BURST];
	/* To one port at a time, in order. */
	struct rte_mbuf *out[WORKER_BURST];
	uint16_t n_out, out_port;
};

uint32_t worker_size(uint32_t n)
{
	uint32_t i = 0;

	while (n) {
		n >>= 1;
		i++;
	}
	return i < WORKER_SIZES ? i : WORKER_SIZES - 1;
}

static void count(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
}

static void flush(struct worker *w, struct round *r)
{
	uint16_t sent = r->n_out ? rte_eth_tx_burst(r->out_port, 0, r->out, r->n_out) : 0;

	if (sent < r->n_out) {
		count(&w->counts.unsent, r->n_out - sent);
		rte_pktmbuf_free_bulk(r->out + sent, (unsigned int)(r->n_out - sent));
	}
	r->n_out = 0;
}

static void put(struct worker *w, struct round *r, struct rte_mbuf *m, uint16_t port)
{
	if (port != r->out_port)
		flush(w, r);
	r->out_port = port;
	r->out[r->n_out++] = m;
}

/* The port with @p ifindex; without one the frame has nowhere to go. */
static const struct worker_port *port_of(const struct worker *w, uint32_t ifindex)
{
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].ifindex == ifindex)
			return &w->ports[i];
	return NULL;
}

static void set_frame(struct rte_mbuf *m, const struct fwd_packet *packet)
{
	m->data_off = (uint16_t)(packet->data - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(packet->end - packet->data);
	m->pkt_len = m->data_len;
	m->ol_flags = 0;
}

/*
 * Carry out a verdict. What is the kernel's it has already: a port is an AF_PACKET socket on
 * the kernel's own interface, which sees each frame beside it.
 */
static void finish(struct worker *w, struct round *r, const struct worker_port *in, uint32_t i)
{
	const struct fwd_verdict *v = &r->burst.verdicts[i];
	const struct worker_port *to = in;

	if (fwd_reason_kind(v->reason) != FWD_KIND_TX) {
		rte_pktmbuf_free(r->in[i]);
		return;
	}
	if (v->backend && v->backend->ifindex != in->ifindex)
		to = port_of(w, v->backend->ifindex);
	if (!to) {
		count(&w->counts.unsent, 1);
		rte_pktmbuf_free(r->in[i]);
		return;
	}
	set_frame(r->in[i], &r->burst.packets[i]);
	put(w, r, r->in[i], to->id);
}

/* Take what has come in. @return frames for the burst, all in one buffer each */
static uint32_t take(struct worker *w, struct round *r, const struct worker_port *port)
{
	uint16_t n = rte_eth_rx_burst(port->id, 0, r->in, WORKER_BURST);
	uint32_t kept = 0;

	count(&w->counts.bursts[worker_size(n)], 1);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = r->in[i];
		uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

		if (m->nb_segs != 1) {
			count(&w->counts.segmented, 1);
			rte_pktmbuf_free(m);
			continue;
		}
		r->in[kept] = m;
		r->burst.packets[kept++] =
		        (struct fwd_packet){ data, data + m->data_len, m->buf_addr };
	}
	r->burst.n = kept;
	return kept;
}

static uint32_t seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint32_t)t.tv_sec;
}

static uint32_t serve(struct worker *w, struct round *r, const struct worker_port *port)
{
	uint32_t n = take(w, r, port);

	if (!n)
		return 0;
	w->tables.now_s = seconds();
	fwd_forward_burst(&w->tables, w->tables.root, &r->burst);
	for (uint32_t i = 0; i < n; i++)
		finish(w, r, port, i);
	flush(w, r);
	return n;
}

/* Nothing came: poll on for a while, then sleep longer and longer. */
static void idle(struct worker *w, uint32_t empty)
{
	uint32_t us;

	if (empty < WORKER_IDLE_SPIN) {
		rte_pause();
		return;
	}
	us = (empty - WORKER_IDLE_SPIN + 1) * 10;
	count(&w->counts.sleeps, 1);
	usleep(us < WORKER_SLEEP_US ? us : WORKER_SLEEP_US);
}

static void rest_parked(struct worker *w)
{
	__atomic_store_n(&w->parked, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&w->park, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		usleep(10);
	__atomic_store_n(&w->parked, false, __ATOMIC_RELEASE);
}

int worker_run(void *arg)
{
	static _Thread_local struct round r;
	struct worker *w = arg;
	uint32_t empty = 0, n;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&w->park, __ATOMIC_ACQUIRE))
			rest_parked(w);
		n = 0;
		for (uint32_t i = 0; i < w->n_ports; i++)
			n += serve(w, &r, &w->ports[i]);
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELEASE);
		empty = n ? 0 : empty + (empty < WORKER_IDLE_SPIN + WORKER_SLEEP_US);
		if (empty)
			idle(w, empty);
	}
	return 0;
}

void worker_park(struct worker *w)
{
	__atomic_store_n(&w->park, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&w->parked, __ATOMIC_ACQUIRE))
		usleep(10);
}

void worker_unpark(struct worker *w)
{
	__atomic_store_n(&w->park, false, __ATOMIC_RELEASE);
	while (__atomic_load_n(&w->parked, __ATOMIC_ACQUIRE))
		usleep(10);
}

void worker_grace(struct worker *w)
{
	uint64_t rounds = __atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE);

	/* One round may have begun before the call; the one after it did not. */
	while (__atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) - rounds < 2 &&
	       !__atomic_load_n(&w->parked, __ATOMIC_ACQUIRE))
		usleep(10);
}
