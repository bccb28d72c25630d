/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK's edges in the test's hands, for a worker: frames from a small pool, queues and rings that
 * hold them, and verdicts that each frame carries itself. Include it, then the source. At the end
 * no frame may be out.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DPDK_EDGE_H
#define WEIR_TESTS_UNIT_DATAPLANE_DPDK_EDGE_H

#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "dataplane/dpdk/kernel_path.h"
#include "dataplane/dpdk/spread.h"
#include "weir/fwd/user.h"
#include "weir/fwd/burst.h"

#define EDGE_FRAMES 160
#define EDGE_ROOM   256
#define EDGE_OFF    96u /* where a frame begins */
#define EDGE_LEN    60u
#define EDGE_GROWS  20u /* what a verdict puts in front of a frame to be sent */
#define EDGE_PORTS  8
#define EDGE_QUEUES 4

/* What a frame carries at its beginning. */
struct edge_head {
	uint8_t mark, reason, backend; /* backends[i].ifindex is i; 0: none */
	uint8_t tap_says;              /* an enum fwd_reason: what kernel_path_give() answers */
	uint32_t hash;
};

struct edge_frame {
	struct rte_mbuf mbuf;
	uint8_t bytes[EDGE_ROOM];
	bool is_out;
};

/* A queue or a ring. */
struct edge_line {
	struct rte_mbuf *frames[64];
	unsigned int n, room; /* room 0: 64 */
};

/* A frame that was sent. */
struct edge_sent {
	uint16_t port, queue;
	uint8_t mark;
	uint16_t off, len;
	uint32_t pkt_len;
	uint64_t flags;
};

static struct {
	struct edge_frame frames[EDGE_FRAMES];
	struct edge_line rx[EDGE_PORTS][EDGE_QUEUES], taps[EDGE_PORTS];
	struct edge_sent sent[EDGE_FRAMES];
	unsigned int n_sent, n_bursts, n_empty_sends, n_pauses, n_given;
	unsigned int tx_room; /* frames that a call takes; 0: all */
	int interrupts_on[EDGE_PORTS][EDGE_QUEUES], interrupt_says;
	uint64_t tsc;
	struct timespec clock;
	uint32_t ingress[FWD_BURST_MAX], burst_now_s;
	uint64_t given_ns;
	struct fwd_backend backends[EDGE_PORTS];
} edge;

static inline void edge_free(struct rte_mbuf *m)
{
	struct edge_frame *f = (struct edge_frame *)m;

	if (!m)
		return;
	assert_true(f >= edge.frames && f < edge.frames + EDGE_FRAMES);
	assert_true(f->is_out);
	f->is_out = false;
}

static inline void edge_free_bulk(struct rte_mbuf **m, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		edge_free(m[i]);
}

static inline unsigned int edge_count_out(void)
{
	unsigned int n = 0;

	for (int i = 0; i < EDGE_FRAMES; i++)
		n += edge.frames[i].is_out;
	return n;
}

static inline struct edge_head *edge_head(const struct rte_mbuf *m)
{
	return (struct edge_head *)((uintptr_t)m->buf_addr + EDGE_OFF);
}

static inline struct rte_mbuf *edge_make(struct edge_head head)
{
	for (int i = 0; i < EDGE_FRAMES; i++) {
		struct edge_frame *f = &edge.frames[i];

		if (f->is_out)
			continue;
		f->is_out = true;
		f->mbuf = (struct rte_mbuf){ .buf_addr = f->bytes,
			                     .buf_len = EDGE_ROOM,
			                     .data_off = EDGE_OFF,
			                     .data_len = EDGE_LEN,
			                     .pkt_len = EDGE_LEN,
			                     .ol_flags = 1,
			                     .nb_segs = 1,
			                     .port = 0xffff };
		*edge_head(&f->mbuf) = head;
		return &f->mbuf;
	}
	fail();
	return NULL;
}

static inline int edge_put(struct edge_line *l, struct rte_mbuf *m)
{
	if (l->n >= (l->room ? l->room : 64))
		return -1;
	l->frames[l->n++] = m;
	return 0;
}

static inline unsigned int edge_get(struct edge_line *l, struct rte_mbuf **out, unsigned int n)
{
	unsigned int taken = l->n < n ? l->n : n;

	memcpy(out, l->frames, taken * sizeof(*out));
	l->n -= taken;
	memmove(l->frames, l->frames + taken, l->n * sizeof(*out));
	return taken;
}

static inline uint16_t edge_rx(uint16_t port, uint16_t queue, struct rte_mbuf **out, uint16_t n)
{
	return (uint16_t)edge_get(&edge.rx[port][queue], out, n);
}

static inline uint16_t edge_tx(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n)
{
	uint16_t i;

	if (!frames) {
		edge.n_empty_sends++;
		assert_int_equal(n, 0);
		assert_int_equal(queue, 0);
		return 0;
	}
	edge.n_bursts++;
	for (i = 0; i < n && (!edge.tx_room || i < edge.tx_room); i++) {
		const struct rte_mbuf *m = frames[i];

		edge.sent[edge.n_sent++] =
		        (struct edge_sent){ port,        queue,       edge_head(m)->mark,
			                    m->data_off, m->data_len, m->pkt_len,
			                    m->ol_flags };
		edge_free(frames[i]);
	}
	return i;
}

static inline unsigned int edge_enqueue_burst(struct rte_ring *r, void **frames, unsigned int n,
                                              unsigned int *left)
{
	unsigned int i = 0;

	(void)left;
	while (i < n && !edge_put((struct edge_line *)(void *)r, frames[i]))
		i++;
	return i;
}

static inline int edge_enqueue(struct rte_ring *r, void *frame)
{
	return edge_put((struct edge_line *)(void *)r, frame) ? -ENOBUFS : 0;
}

static inline unsigned int edge_dequeue_burst(struct rte_ring *r, void **out, unsigned int n,
                                              unsigned int *left)
{
	(void)left;
	return edge_get((struct edge_line *)(void *)r, (struct rte_mbuf **)out, n);
}

static inline int edge_interrupt_on(uint16_t port, uint16_t queue)
{
	edge.interrupts_on[port][queue]++;
	return edge.interrupt_says;
}

static inline int edge_interrupt_off(uint16_t port, uint16_t queue)
{
	edge.interrupts_on[port][queue]--;
	return 0;
}

static inline int edge_clock(clockid_t id, struct timespec *out)
{
	(void)id;
	*out = edge.clock;
	return 0;
}

/* Verdicts as the frames say; what is to be sent grows in front. */
static inline void edge_forward_burst(const struct fwd_tables *t, const struct fwd_root *root,
                                      struct fwd_burst *b)
{
	struct fwd_cpu *cpu = fwd_port_cpu(t);

	assert_ptr_equal(root, t->root);
	memcpy(edge.ingress, b->ingress, sizeof(edge.ingress));
	edge.burst_now_s = t->now_s;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct edge_head *h = (const void *)b->packets[i].data;
		enum fwd_reason reason = (enum fwd_reason)h->reason;

		assert_int_equal(b->packets[i].end - b->packets[i].data, EDGE_LEN);
		b->verdicts[i] = (struct fwd_verdict){ .reason = reason,
			                               .backend = &edge.backends[h->backend] };
		cpu->received++;
		cpu->reason[reason]++;
		if (fwd_reason_kind(reason) == FWD_KIND_TX)
			b->packets[i].data -= EDGE_GROWS;
	}
}

static inline enum fwd_reason edge_give(struct worker *w, const struct worker_port *port,
                                        struct rte_mbuf *m, enum fwd_reason verdict,
                                        uint64_t now_ns)
{
	enum fwd_reason says = (enum fwd_reason)edge_head(m)->tap_says;

	(void)w;
	assert_int_equal(fwd_reason_kind(verdict), FWD_KIND_PASS);
	assert_true(port->tap >= 0);
	edge.n_given++;
	edge.given_ns = now_ns;
	edge_free(m);
	return says;
}

static inline uint32_t edge_take(struct worker *w, const struct worker_port *port,
                                 struct rte_mbuf **out, uint32_t max)
{
	(void)w;
	assert_true(port->tap >= 0);
	return edge_get(&edge.taps[port->id], out, max);
}

static inline uint32_t edge_hash(const uint8_t *frame, size_t n)
{
	assert_int_equal(n, EDGE_LEN);
	return ((const struct edge_head *)(const void *)frame)->hash;
}

#undef rte_rdtsc
#define rte_eth_rx_burst            edge_rx
#define rte_eth_tx_burst            edge_tx
#define rte_eth_dev_rx_intr_enable  edge_interrupt_on
#define rte_eth_dev_rx_intr_disable edge_interrupt_off
#define rte_ring_enqueue_burst      edge_enqueue_burst
#define rte_ring_enqueue            edge_enqueue
#define rte_ring_dequeue_burst      edge_dequeue_burst
#define rte_pktmbuf_free            edge_free
#define rte_pktmbuf_free_bulk       edge_free_bulk
#define rte_rdtsc()                 (edge.tsc)
#define rte_pause()                 ((void)edge.n_pauses++)
#define clock_gettime               edge_clock
#define fwd_forward_burst           edge_forward_burst
#define kernel_path_give            edge_give
#define kernel_path_read            edge_take
#define spread_hash                 edge_hash

#endif
