/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker with three ports on real tables. Its devices, buffers, rings and clock are the test's; what is said of each
 * frame follows from its bytes. At the end no buffer may be out.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_WORKER_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_WORKER_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "dataplane/dpdk/spread.h"
#include "dataplane/dpdk/worker.h"
#include "tests/unit/answers.h"
#include "tests/unit/dataplane/buffers.h"
#include "tests/unit/dataplane/dpdk_answers.h"
#include "tests/unit/fwd/frames.h"
#include "tests/unit/fwd/small.h"

#define N_PORTS 3 /* DPDK's numbers 1, 2, 3, the kernel's 5, 6, 7; queue 0 of each */
#define QUEUES  4
#define OFF     RTE_PKTMBUF_HEADROOM /* where a frame begins */
#define LEN     58u                  /* of a frame to a backend */
#define GROWS   20u                  /* what is put in front of it */
#define LONG    (1ull << 40)         /* cycles: more than any test takes */

/* Frames by what is said of them. */
enum kind {
	FORWARDED, /* of a service with one backend, which is reached by the port named */
	RELAYED,   /* an ICMP error about such a frame */
	TOO_BIG,   /* of a service whose tunnel is narrow */
	ECHOED,
	DROPPED, /* of no service */
	FOREIGN,
	ARPED,
};

struct rx_queue {
	struct rte_mbuf *frames[64];
	unsigned int n;
};

struct tx_queue {
	uint16_t port, queue;
};

/* A frame that was sent. */
struct sent {
	uint16_t port, queue;
	uint8_t mark;
	uint16_t off, len;
	uint32_t pkt_len;
	uint64_t flags;
};

static struct {
	struct rx_queue rx[N_PORTS + 1][QUEUES];
	void *rx_data[N_PORTS + 1][QUEUES], *tx_data[N_PORTS + 1][QUEUES], *none[QUEUES];
	struct tx_queue tx[N_PORTS + 1][QUEUES];
	struct sent sent[BUFFERS];
	unsigned int n_sent, n_bursts, n_empty_sends,
	        tx_room; /* frames that a call takes; 0: all */
	int interrupts_on[N_PORTS + 1][QUEUES], interrupt_says;
	struct timespec clock;
	unsigned int n_clock, round, rounds_left;
	bool rounds_by_rx; /* not by the clock, which is read in each round */
	void (*on_round)(unsigned int round);
	void (*on_empty_send)(void);
	void (*on_sleep)(unsigned int us);
	void (*on_park)(void);
	int n_ready;         /* of what a sleep waited for */
	int kernel[N_PORTS]; /* ends of TAPs */
} edge;

static struct world world;
static struct worker w;

/* The worker stops with the last round that it is to make. */
static void begin_round(void)
{
	if (edge.on_round)
		edge.on_round(edge.round);
	edge.round++;
	if (!--edge.rounds_left)
		__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
}

static int own_clock_gettime(clockid_t id, struct timespec *out)
{
	*out = edge.clock;
	edge.n_clock++;
	if (id == CLOCK_MONOTONIC_COARSE && !edge.rounds_by_rx)
		begin_round();
	return 0;
}

static int own_rte_eth_dev_rx_intr_enable(uint16_t port, uint16_t queue)
{
	edge.interrupts_on[port][queue]++;
	return edge.interrupt_says;
}

static int own_rte_eth_dev_rx_intr_disable(uint16_t port, uint16_t queue)
{
	edge.interrupts_on[port][queue]--;
	return 0;
}

/* A sleep, which takes no time where the test wants to know of it. */
static int own_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *time,
                     const sigset_t *mask)
{
	static const struct timespec none = { 0 };

	if (!edge.on_sleep)
		return __real_ppoll(fds, n, time, mask);
	edge.on_sleep((unsigned int)(time->tv_nsec / 1000));
	edge.n_ready = __real_ppoll(fds, n, &none, mask);
	return edge.n_ready;
}

static int own_usleep(useconds_t us)
{
	if (!edge.on_park)
		return __real_usleep(us);
	edge.on_park();
	return 0;
}

static uint16_t receive_burst(void *queue, struct rte_mbuf **out, uint16_t n)
{
	struct rx_queue *l = queue;
	uint16_t taken;

	if (edge.rounds_by_rx && l == &edge.rx[1][0])
		begin_round();
	taken = l->n < n ? (uint16_t)l->n : n;
	memcpy(out, l->frames, taken * sizeof(*out));
	l->n -= taken;
	memmove(l->frames, l->frames + taken, l->n * sizeof(*out));
	return taken;
}

static uint16_t send_burst(void *queue, struct rte_mbuf **frames, uint16_t n)
{
	const struct tx_queue *q = queue;
	uint16_t i;

	if (!frames) {
		edge.n_empty_sends++;
		assert_int_equal(n, 0);
		assert_int_equal(q->queue, 0);
		if (edge.on_empty_send)
			edge.on_empty_send();
		return 0;
	}
	edge.n_bursts++;
	for (i = 0; i < n && (!edge.tx_room || i < edge.tx_room); i++) {
		const struct rte_mbuf *m = frames[i];
		const uint8_t *bytes = rte_pktmbuf_mtod(m, const uint8_t *);

		edge.sent[edge.n_sent++] =
		        (struct sent){ q->port,     q->queue,    bytes[m->data_len - 1],
			               m->data_off, m->data_len, m->pkt_len,
			               m->ol_flags };
		rte_pktmbuf_free(frames[i]);
	}
	return i;
}

/* Backend i is reached by port i of the kernel's, 8 by the port that a frame came in by; 9 is TOO_BIG's, by 6. */
static void make_world(void)
{
	const struct driver_sizes sizes = { .services = 64,
		                            .service_counts = 16,
		                            .pools = 10,
		                            .backends = 10,
		                            .slots = 320,
		                            .exception_buckets = 4 };

	world_init(&world, &sizes, 2);
	world_set_source(&world, "10.255.1.0", 24);
	world_add_vip(&world, "192.0.2.80");
	for (uint32_t i = 1; i < 10; i++) {
		union fwd_addr a = world_addr("10.1.0.1");

		a.bytes[15] = (uint8_t)i;
		world_add_backend(&world, i, &a, FWD_ENCAP_IPIP, i < 8 ? i : i == 8 ? 0 : 6);
		world_add_service(&world, "192.0.2.80", (uint16_t)(1000 + i), FWD_PROTO_TCP, i, 0);
		world_add_pool(&world, i, 32 * i, 5, i, i);
	}
	world.t.backends[9].inner_mtu = 85;
	for (uint32_t i = 1; i <= N_PORTS; i++)
		world_add_mac(&world, (uint8_t[6]){ 2, 0xaa, 0, 0, 0, (uint8_t)i }, i + 4);
}

static int setup(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	memset(&w, 0, sizeof(w));
	reset_buffers();
	make_world();
	w.tables = world.t;
	w.tables.cpu = 1;
	w.pool = &buffers.pool;
	w.n_ports = N_PORTS;
	w.n_workers = 1;
	w.wake = -1;
	for (uint16_t i = 0; i < N_PORTS; i++) {
		uint16_t id = (uint16_t)(i + 1);

		w.ports[i] = (struct worker_port){
			.id = id, .ifindex = i + 5u, .tap = -1, .interrupt = -1
		};
		for (uint16_t q = 0; q < QUEUES; q++) {
			edge.tx[id][q] = (struct tx_queue){ id, q };
			edge.tx_data[id][q] = &edge.tx[id][q];
			edge.rx_data[id][q] = &edge.rx[id][q];
		}
		rte_eth_fp_ops[id] = (struct rte_eth_fp_ops){
			.rx_pkt_burst = receive_burst,
			.tx_pkt_burst = send_burst,
			.rxq = { .data = edge.rx_data[id], .clbk = edge.none },
			.txq = { .data = edge.tx_data[id], .clbk = edge.none },
		};
		edge.kernel[i] = -1;
	}
	edge.clock = (struct timespec){ .tv_sec = 77, .tv_nsec = 5 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&world);
	for (uint32_t i = 0; i < N_PORTS; i++)
		if (edge.kernel[i] >= 0) {
			close(edge.kernel[i]);
			close(w.ports[i].tap);
		}
	return buffers.n_out != 0;
}

/* Let the worker make @p n rounds. */
static inline void make_rounds(unsigned int n)
{
	edge.rounds_left = n;
	edge.round = 0;
	w.stop = false;
	assert_int_equal(worker_main(&w), 0);
}

/* Give port @p i a TAP; descriptor 0 is as good as any. */
static inline void open_tap(uint32_t i, bool as_0)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	edge.kernel[i] = fds[1];
	w.ports[i].tap = fds[0];
	if (!as_0 || !fds[0])
		return;
	assert_int_equal(dup2(fds[0], 0), 0);
	close(fds[0]);
	w.ports[i].tap = 0;
}

/* A ring of @p n frames, one of two. */
static inline struct rte_ring *make_ring(int which, unsigned int n)
{
	static union {
		struct rte_ring ring;
		uint8_t bytes[4096];
	} rings[2];

	assert_true(rte_ring_get_memsize(64) <= (ssize_t)sizeof(rings[0]));
	assert_int_equal(rte_ring_init(&rings[which].ring, "ring", n, RING_F_EXACT_SZ), 0);
	return &rings[which].ring;
}

static const char *const texts[] = {
	[FORWARDED] = TCP4, [RELAYED] = ERROR4, [TOO_BIG] = TCP4, [ECHOED] = ECHO4,
	[DROPPED] = TCP4,   [FOREIGN] = TCP4,   [ARPED] = ARP
};

/* The frame of @p kind for the port with DPDK's number @p port, behind @p egress; its last byte is @p mark. @return its length */
static uint16_t write_frame(uint8_t *out, enum kind kind, uint16_t port, uint32_t egress,
                            uint8_t mark)
{
	uint16_t n = (uint16_t)(strlen(texts[kind]) / 2);

	for (uint16_t i = 0; i < n; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(texts[kind] + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	if (kind != ARPED)
		out[5] = (uint8_t)port;
	if (kind == FORWARDED)
		put_be16(out + 36, 1000 + (egress ? egress : 8));
	if (kind == TOO_BIG) {
		put_be16(out + 36, 1009);
		put_be16(out + 16, 86); /* bytes behind the Ethernet header */
		memset(out + n, 0, 100u - n);
		n = 100;
	}
	if (kind == RELAYED)
		put_be16(out + 62, 1000 + egress);
	if (kind == DROPPED)
		put_be16(out + 36, 1);
	if (kind == FOREIGN)
		out[33] = 99;
	out[n - 1] = mark;
	return n;
}

static inline struct rte_mbuf *make_frame(enum kind kind, uint16_t port, uint32_t egress,
                                          uint8_t mark)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(&buffers.pool);

	assert_non_null(m);
	m->data_len = write_frame(rte_pktmbuf_mtod(m, uint8_t *), kind, port, egress, mark);
	m->pkt_len = m->data_len;
	m->ol_flags = RTE_MBUF_F_RX_VLAN;
	return m;
}

/* A frame comes in by the port with DPDK's number @p port. */
static inline struct rte_mbuf *come_in(uint16_t port, enum kind kind, uint32_t egress, uint8_t mark)
{
	struct rte_mbuf *m = make_frame(kind, port, egress, mark);
	struct rx_queue *l = &edge.rx[port][0];

	assert_true(l->n < COUNT(l->frames));
	l->frames[l->n++] = m;
	return m;
}

static inline uint64_t count_of(enum fwd_reason reason)
{
	return world.t.cpus[1].reason[reason];
}

static inline void assert_sent(unsigned int i, uint16_t port, uint8_t mark)
{
	assert_true(i < edge.n_sent);
	assert_int_equal(edge.sent[i].port, port);
	assert_int_equal(edge.sent[i].mark, mark);
}

/* From now on these calls are answered here. */
static inline void answer_all(void)
{
	answer_clock_gettime = own_clock_gettime;
	answer_ppoll = own_ppoll;
	answer_rte_eth_dev_rx_intr_disable = own_rte_eth_dev_rx_intr_disable;
	answer_rte_eth_dev_rx_intr_enable = own_rte_eth_dev_rx_intr_enable;
	answer_usleep = own_usleep;
}

#endif
