/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker's round: read a burst from each receive queue, forward it by the shared code
 * (fwd_forward_burst()), send by port; then the inbox, the outboxes, and now and then the TAPs.
 * Frames to one port are collected and sent together. Nothing is locked: each queue, row of
 * counters and TAP queue belongs to one worker, and ports and tables change only while it is
 * parked.
 *
 * An idle worker polls on for a while, then sleeps longer and longer (sleep_idle()). Frames are
 * freed by whoever has them last; one that cannot be sent is counted again, under the reason of its
 * loss (recount_frame()), so that received = sent + passed + dropped holds exactly.
 */
#include "dataplane/dpdk/worker.h"

#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "dataplane/dpdk/kernel_path.h"
#include "dataplane/dpdk/rss.h"
#include "dataplane/dpdk/spread.h"
#include "weir/fwd/burst.h"
#include "weir/fwd/forward.h"

_Static_assert(WORKER_BURST <= FWD_BURST_MAX, "a burst fits");
_Static_assert(WORKER_BURST < 1u << (DRIVER_BURST_SIZES - 1), "a size each");
_Static_assert(POLICE_COUNT <= DRIVER_CLASSES_MAX, "a count each");

/* A burst, the buffers of its frames, and the frames that wait to be sent together. */
struct round {
	struct fwd_burst burst;
	struct rte_mbuf *in[WORKER_BURST];
	/* Frames for port `to`, in order, and the reason that each is counted under. */
	struct rte_mbuf *out[WORKER_BURST];
	uint8_t reasons[WORKER_BURST];
	uint16_t n_out;
	const struct worker_port *to;
	uint64_t now_ns;    /* the clock, once in a round; 0: not read yet */
	uint64_t ended_tsc; /* end of the round before, if it had frames; else 0 */
};

/*
 * Probe packets: they go through the same stages as a burst of received frames, and come back in
 * place of being sent. The control thread writes w->probes while w->prove is false, and sets
 * it; the worker reads and writes them while it is true, and clears it. So neither waits for the
 * other, and a worker that stands still shows as probes that do not come back.
 *
 * The frames have no mbufs: the stages need only a frame with room in front of it. They are no
 * packets that came, so they are counted apart, where nobody reads.
 */

_Static_assert(DRIVER_PROBES_MAX <= FWD_BURST_MAX, "one burst");
_Static_assert(DRIVER_PROBE_ROOM >= FWD_CACHE_LINE, "what is fetched in front of a frame is there");

/* The frames of the worker's burst, behind the room that outer headers are written to. */
static _Thread_local uint8_t probe_frames[DRIVER_PROBES_MAX][DRIVER_PROBE_ROOM + DRIVER_PROBE_LEN];

/* Where the stages count probe packets. */
static _Thread_local struct fwd_cpu probe_cpu;

/*
 * Make the frames of w->probes the burst @p b, each with room for outer headers in front.
 * @param tables  out: the worker's, with counters that nobody reads; for the stages over the burst
 */
static void load_probes(const struct worker *w, struct fwd_burst *b, struct fwd_tables *tables)
{
	*tables = w->tables;
	fwd_tables_count_apart(tables, &probe_cpu);
	b->n = w->probes.n;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct driver_probe *p = &w->probes.probes[i];
		uint8_t *frame = probe_frames[i] + DRIVER_PROBE_ROOM;

		memcpy(frame, p->frame, p->length);
		b->ingress[i] = w->probes.ifindex;
		b->packets[i] = (struct fwd_packet){ frame, frame + p->length, probe_frames[i] };
	}
}

/* As a received frame: one to be sent needs a port to leave by. */
static void report_probe(struct worker *w, const struct fwd_packet *packet,
                         const struct fwd_verdict *v, struct driver_probe *out)
{
	size_t length = (size_t)(packet->end - packet->data);
	uint32_t to = fwd_egress(v);

	out->reason = (uint8_t)v->reason;
	out->result = DRIVER_PROBE_KEPT;
	if (fwd_reason_kind(v->reason) != FWD_KIND_TX)
		return;
	if (!worker_port_of(w, to ? to : w->probes.ifindex)) {
		out->reason = FWD_REASON_NOT_SENT;
	} else if (length <= DRIVER_PROBE_LEN) {
		memcpy(out->frame, packet->data, length);
		out->length = (uint16_t)length;
		out->result = DRIVER_PROBE_SENT;
	}
}

/*
 * Write what became of the burst into w->probes, and give these back to the control thread. A frame
 * for a port that the worker does not have is not sent, as one that is received would not be.
 */
static void report_probes(struct worker *w, const struct fwd_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		report_probe(w, &b->packets[i], &b->verdicts[i], &w->probes.probes[i]);
	__atomic_store_n(&w->prove, false, __ATOMIC_RELEASE);
}

/* In place of a reason: frames of the host's own, which no verdict has counted. */
#define OWN_FRAME FWD_REASON_COUNT

/* Which of driver_worker.bursts counts a burst of @p n frames. */
static uint32_t burst_size_class(uint32_t n)
{
	return n ? 32u - (uint32_t)__builtin_clz(n) : 0;
}

/* A frame that was counted under @p from has ended as @p to. */
static void recount_frame(struct worker *w, enum fwd_reason from, enum fwd_reason to)
{
	struct fwd_cpu *cpu = fwd_port_cpu(&w->tables);

	if (from == OWN_FRAME) {
		worker_count(&w->counts.from_kernel_lost, 1);
		return;
	}
	cpu->reason[to]++;
	cpu->reason[from]--;
}

/*
 * Frames take the reason that they are counted under along into an outbox. @return how many frames
 * were sent, or put into the outbox of the worker that sends
 */
static uint16_t send_out(struct round *r)
{
	const struct worker_port *to = r->to;

	if (to->tx >= 0)
		return rte_eth_tx_burst(to->id, (uint16_t)to->tx, r->out, r->n_out);
	for (uint16_t i = 0; i < r->n_out; i++)
		r->out[i]->hash.usr = r->reasons[i];
	return (uint16_t)rte_ring_enqueue_burst(to->outbox, (void **)r->out, r->n_out, NULL);
}

/* Frames from the first that was not sent on. */
static void drop_unsent(struct worker *w, struct round *r, uint16_t first)
{
	uint64_t *of_port = &w->ports[r->to - w->ports].not_sent;

	for (uint16_t i = first; i < r->n_out; i++) {
		recount_frame(w, (enum fwd_reason)r->reasons[i], FWD_REASON_NOT_SENT);
		if (r->reasons[i] != OWN_FRAME)
			worker_count(of_port, 1);
	}
	rte_pktmbuf_free_bulk(r->out + first, (unsigned int)(r->n_out - first));
}

static void flush_out(struct worker *w, struct round *r)
{
	uint16_t sent = r->n_out ? send_out(r) : 0;

	if (sent < r->n_out)
		drop_unsent(w, r, sent);
	r->n_out = 0;
}

/* No more frames wait than a burst has: each burst ends with flush_out(). */
static void put_out(struct worker *w, struct round *r, struct rte_mbuf *m,
                    const struct worker_port *to, enum fwd_reason reason)
{
	if (to != r->to)
		flush_out(w, r);
	r->to = to;
	r->reasons[r->n_out] = (uint8_t)reason;
	r->out[r->n_out++] = m;
}

static void set_frame(struct rte_mbuf *m, const struct fwd_packet *packet)
{
	m->data_off = (uint16_t)(packet->data - (uint8_t *)m->buf_addr);
	m->data_len = (uint16_t)(packet->end - packet->data);
	m->pkt_len = m->data_len;
	m->ol_flags = 0;
}

static uint64_t round_now_ns(struct round *r)
{
	struct timespec t;

	if (!r->now_ns) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		r->now_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	}
	return r->now_ns;
}

/*
 * Pass a frame to the kernel. If the port is an AF_PACKET socket, the kernel has seen the frame
 * already.
 */
static void pass_to_kernel(struct worker *w, struct round *r, const struct worker_port *in,
                           uint32_t i)
{
	enum fwd_reason verdict = r->burst.verdicts[i].reason, reason;

	if (in->tap < 0) {
		rte_pktmbuf_free(r->in[i]);
		return;
	}
	reason = kernel_path_give(w, in, r->in[i], verdict, round_now_ns(r));
	if (reason != FWD_REASON_COUNT)
		recount_frame(w, verdict, reason);
}

/* Send a frame by the port with @p ifindex; 0: by the one that it came in by. */
static __attribute__((noinline)) void forward_out(struct worker *w, struct round *r,
                                                  const struct worker_port *in, uint32_t i,
                                                  uint32_t ifindex)
{
	const struct worker_port *to = r->to;
	const struct fwd_verdict *v = &r->burst.verdicts[i];

	if (!ifindex)
		to = in;
	else if (!to || to->ifindex != ifindex)
		to = worker_port_of(w, ifindex);
	if (!to) {
		recount_frame(w, v->reason, FWD_REASON_NOT_SENT);
		rte_pktmbuf_free(r->in[i]);
		return;
	}
	set_frame(r->in[i], &r->burst.packets[i]);
	put_out(w, r, r->in[i], to, v->reason);
}

static void finish_rare(struct worker *w, struct round *r, const struct worker_port *in, uint32_t i)
{
	const struct fwd_verdict *v = &r->burst.verdicts[i];
	enum fwd_kind kind = fwd_reason_kind(v->reason);

	if (kind == FWD_KIND_TX)
		forward_out(w, r, in, i, fwd_egress(v));
	else if (kind == FWD_KIND_PASS)
		pass_to_kernel(w, r, in, i);
	else
		rte_pktmbuf_free(r->in[i]);
}

/* Put a frame to those that wait, if they are for the same port. @return false: they are not */
static inline bool put_to_others(struct round *r, uint32_t i, uint32_t ifindex)
{
	if (FWD_UNLIKELY(!r->n_out || r->to->ifindex != ifindex))
		return false;
	set_frame(r->in[i], &r->burst.packets[i]);
	r->reasons[r->n_out] = FWD_REASON_FORWARDED;
	r->out[r->n_out++] = r->in[i];
	return true;
}

/* Carry out a verdict. At most as many frames wait as the burst has. */
static inline void carry_out_verdict(struct worker *w, struct round *r,
                                     const struct worker_port *in, uint32_t i)
{
	const struct fwd_verdict *v = &r->burst.verdicts[i];

	if (FWD_UNLIKELY(v->reason != FWD_REASON_FORWARDED))
		finish_rare(w, r, in, i);
	else if (FWD_UNLIKELY(!put_to_others(r, i, v->backend->ifindex)))
		forward_out(w, r, in, i, v->backend->ifindex);
}

static void drop_segmented(struct worker *w, struct rte_mbuf *m)
{
	struct fwd_cpu *cpu = fwd_port_cpu(&w->tables);

	cpu->received++;
	cpu->received_bytes += m->pkt_len;
	cpu->reason[FWD_REASON_SEGMENTED]++;
	rte_pktmbuf_free(m);
}

static const struct worker_port *port_by_id(const struct worker *w, uint16_t id)
{
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].id == id)
			return &w->ports[i];
	return NULL;
}

/*
 * Make the @p n frames in r->in the burst; frames in several buffers are dropped. @return how
 * many are left
 */
static uint32_t load_burst(struct worker *w, struct round *r, const struct worker_port *in,
                           uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = r->in[i];
		const struct worker_port *port = in ? in : port_by_id(w, m->port);
		uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

		if (m->nb_segs != 1) {
			drop_segmented(w, m);
			continue;
		}
		r->in[kept] = m;
		r->burst.ingress[kept] = port ? port->ifindex : 0;
		r->burst.packets[kept++] =
		        (struct fwd_packet){ data, data + m->data_len, m->buf_addr };
	}
	r->burst.n = kept;
	return kept;
}

/* Read the clock each millisecond: tables count seconds. */
static void keep_time(struct worker *w, uint64_t tsc)
{
	struct timespec t;

	if (tsc - w->time_tsc < w->time_every)
		return;
	w->time_tsc = tsc;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	w->now_s = (uint32_t)t.tv_sec;
}

/* The stages over r->burst: one copy of the code, for packets and for what proves that it works. */
static __attribute__((noinline)) void run_stages(const struct fwd_tables *t, struct round *r)
{
	fwd_forward_burst(t, t->root, &r->burst);
}

/* What is there only to prove that the stages work. */
static void prove_stages(struct worker *w, struct round *r)
{
	struct fwd_tables apart;

	load_probes(w, &r->burst, &apart);
	apart.now_s = w->now_s;
	run_stages(&apart, r);
	report_probes(w, &r->burst);
}

/*
 * Forward the @p n frames in r->in. @param in  the port that they came by; NULL: the frame says
 * so (m->port)
 */
static void forward_frames(struct worker *w, struct round *r, const struct worker_port *in,
                           uint32_t n)
{
	n = load_burst(w, r, in, n);
	if (!n)
		return;
	w->tables.now_s = w->now_s; /* each time: the tables may have been replaced */
	run_stages(&w->tables, r);
	for (uint32_t i = 0; i < n; i++) {
		const struct worker_port *from = in ? in : port_by_id(w, r->in[i]->port);

		if (from) {
			carry_out_verdict(w, r, from, i);
		} else { /* the port went while the frame was handed over */
			recount_frame(w, r->burst.verdicts[i].reason, FWD_REASON_NOT_SENT);
			rte_pktmbuf_free(r->in[i]);
		}
	}
	flush_out(w, r);
}

/*
 * Hand frames to the workers of their flows, which keeps a flow in order. If an inbox is full, the
 * frame is forwarded here: out of order is better than lost. @return how many stay, in r->in
 */
static uint32_t hand_frames_over(struct worker *w, struct round *r, const struct worker_port *port,
                                 uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct rte_mbuf *m = r->in[i];
		uint32_t hash = spread_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len),
		         to = (uint32_t)((uint64_t)hash * w->n_workers >> 32);

		r->in[i]->port = port->id;
		if (to == w->index || rte_ring_enqueue(w->inboxes[to], r->in[i]))
			r->in[kept++] = r->in[i];
		else
			worker_count(&w->counts.handed_over, 1);
	}
	return kept;
}

/* Note the flow of one frame (rss.h). One of each burst is enough. */
static void note_flow(struct worker *w, const struct worker_port *port, const struct rte_mbuf *m)
{
	uint64_t *seen = &w->seen[port - w->ports];
	uint32_t hash = spread_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);

	__atomic_store_n(seen, rss_flows_with(*seen, hash), __ATOMIC_RELAXED);
}

/* Receive a burst from our queue of @p port, and forward it or hand it over. @return frames */
static uint32_t serve_receive_queue(struct worker *w, struct round *r,
                                    const struct worker_port *port)
{
	uint32_t n = rte_eth_rx_burst(port->id, (uint16_t)port->rx, r->in, WORKER_BURST), kept = n;

	worker_count(&w->counts.bursts[burst_size_class(n)], 1);
	if (!n)
		return 0;
	worker_count(&w->counts.frames, n);
	if (port->watched)
		note_flow(w, port, r->in[0]);
	if (port->spread)
		kept = hand_frames_over(w, r, port, n);
	forward_frames(w, r, port, kept);
	return n;
}

static uint32_t serve_inbox(struct worker *w, struct round *r)
{
	uint32_t n =
	        rte_ring_dequeue_burst(w->inboxes[w->index], (void **)r->in, WORKER_BURST, NULL);

	if (n)
		forward_frames(w, r, NULL, n);
	return n;
}

/* Send the frames of workers that have no send queue of the port. */
static uint32_t serve_outbox(struct worker *w, struct round *r, const struct worker_port *port)
{
	uint32_t n = rte_ring_dequeue_burst(port->outbox, (void **)r->in, WORKER_BURST, NULL);

	for (uint32_t i = 0; i < n; i++)
		put_out(w, r, r->in[i], port, (enum fwd_reason)r->in[i]->hash.usr);
	flush_out(w, r);
	return n;
}

static uint32_t serve_kernel(struct worker *w, struct round *r, const struct worker_port *port)
{
	uint32_t n = kernel_path_read(w, port, r->in, WORKER_BURST);

	for (uint32_t i = 0; i < n; i++)
		put_out(w, r, r->in[i], port, OWN_FRAME);
	flush_out(w, r);
	return n;
}

/*
 * Reading a TAP costs a system call, so a busy worker does not do it in each round, and still less
 * often while nothing comes.
 */
static uint32_t serve_kernels(struct worker *w, struct round *r, uint64_t tsc, bool is_idle)
{
	uint32_t n = 0;

	if (!is_idle && tsc - w->tap_tsc < w->tap_wait)
		return 0;
	w->tap_tsc = tsc;
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].tap >= 0)
			n += serve_kernel(w, r, &w->ports[i]);
	if (n)
		w->tap_wait = w->tap_every;
	else if (w->tap_wait < WORKER_TAP_SLOWER * w->tap_every)
		w->tap_wait *= 2;
	return n;
}

/* A bond sends its own frames (LACP) only within a call that sends: so call it, with no frames. */
static void keep_bonds(struct worker *w, uint64_t tsc)
{
	if (tsc - w->keep_tsc < w->keep_every)
		return;
	w->keep_tsc = tsc;
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].keep && w->ports[i].tx == 0)
			(void)rte_eth_tx_burst(w->ports[i].id, 0, NULL, 0);
}

/*
 * One round. Cycles count only if there were frames, so that they can be divided by frames.
 * @return frames of any kind
 */
static uint32_t serve_all(struct worker *w, struct round *r, bool is_idle)
{
	uint64_t from = r->ended_tsc ? r->ended_tsc : rte_rdtsc();
	uint32_t n = 0;

	r->now_ns = 0;
	r->ended_tsc = 0;
	keep_time(w, from);
	if (FWD_UNLIKELY(__atomic_load_n(&w->prove, __ATOMIC_ACQUIRE)))
		prove_stages(w, r);
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].rx >= 0)
			n += serve_receive_queue(w, r, &w->ports[i]);
	if (w->n_workers > 1) {
		n += serve_inbox(w, r);
		for (uint32_t i = 0; i < w->n_ports; i++)
			if (w->ports[i].tx >= 0 && w->ports[i].outbox)
				n += serve_outbox(w, r, &w->ports[i]);
	}
	if (n) {
		r->ended_tsc = rte_rdtsc();
		worker_count(&w->counts.cycles, r->ended_tsc - from);
	}
	keep_bonds(w, from);
	return n + serve_kernels(w, r, from, is_idle);
}

/* Turn receive interrupts on or off. @return whether every source of our frames has one */
static bool set_interrupts(const struct worker *w, bool on)
{
	bool all = true;

	for (uint32_t i = 0; i < w->n_ports; i++) {
		const struct worker_port *p = &w->ports[i];

		if (p->rx < 0)
			continue;
		if (p->interrupt < 0)
			all = false;
		else if (on)
			all &= !rte_eth_dev_rx_intr_enable(p->id, (uint16_t)p->rx);
		else
			(void)rte_eth_dev_rx_intr_disable(p->id, (uint16_t)p->rx);
	}
	return all && !w->shares; /* what other workers hand over raises none */
}

static bool is_interrupt(const struct worker *w, int fd)
{
	for (uint32_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].interrupt == fd)
			return true;
	return false;
}

/*
 * Sleep until a TAP has frames, an interrupt or the control thread wakes us, or @p ns are over.
 * @return whether an interrupt came
 */
static bool sleep_until_event(const struct worker *w, uint64_t ns)
{
	struct pollfd fds[2 * DRIVER_PORTS_MAX + 1] = { { w->wake, POLLIN, 0 } };
	const struct timespec t = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
	bool interrupted = false;
	uint64_t events;
	nfds_t n = 1;

	for (uint32_t i = 0; i < w->n_ports; i++) {
		if (w->ports[i].tap >= 0)
			fds[n++] = (struct pollfd){ w->ports[i].tap, POLLIN, 0 };
		if (w->ports[i].interrupt >= 0)
			fds[n++] = (struct pollfd){ w->ports[i].interrupt, POLLIN, 0 };
	}
	if (ppoll(fds, n, &t, NULL) <= 0)
		return false;
	for (nfds_t i = 0; i < n; i++) {
		bool ours = is_interrupt(w, fds[i].fd);

		if (!(fds[i].revents & POLLIN))
			continue;
		interrupted |= ours;
		if (ours || fds[i].fd == w->wake)
			(void)!read(fds[i].fd, &events, sizeof(events));
	}
	return interrupted;
}

/*
 * Nothing came. First poll on, for a burst may follow; then sleep longer and longer; at last until
 * an interrupt, where all queues have one. A frame that came before interrupts were on raises none,
 * so the queues are read once more after they are turned on.
 */
static void sleep_idle(struct worker *w, struct round *r, uint32_t *empty)
{
	uint32_t us;

	if (*empty < WORKER_IDLE_SPIN) {
		rte_pause();
		return;
	}
	us = (*empty - WORKER_IDLE_SPIN + 1) * 10;
	worker_count(&w->counts.sleeps, 1);
	if (us < WORKER_SLEEP_US) {
		sleep_until_event(w, us * 1000ull);
		return;
	}
	if (!set_interrupts(w, true)) {
		sleep_until_event(w, WORKER_SLEEP_US * 1000ull);
	} else if (serve_all(w, r, true)) {
		*empty = 0;
	} else {
		worker_count(&w->counts.interrupts,
		             sleep_until_event(w, WORKER_WAIT_MS * 1000000ull));
	}
	(void)set_interrupts(w, false);
}

static void wait_parked(struct worker *w)
{
	__atomic_store_n(&w->parked, true, __ATOMIC_RELEASE);
	while (__atomic_load_n(&w->park, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE))
		usleep(10);
	__atomic_store_n(&w->parked, false, __ATOMIC_RELEASE);
}

/* Show the round to other processes: a plain store, as no other thread writes there. */
static inline void show_life(const struct worker *w)
{
	uint64_t *beat = __atomic_load_n(&w->beat, __ATOMIC_RELAXED);

	if (beat)
		__atomic_store_n(beat, w->rounds, __ATOMIC_RELAXED);
}

/*
 * `rounds` goes up after each round: worker_grace() counts on no burst being under way at that
 * moment.
 */
int worker_main(void *arg)
{
	struct round r = { 0 }; /* thread-local, its address would be asked for at each use */
	struct worker *w = arg;
	uint32_t empty = 0;

	police_init(&w->police, round_now_ns(&r));
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&w->park, __ATOMIC_ACQUIRE)) {
			r.to = NULL; /* ports may be others afterwards */
			r.ended_tsc = 0;
			wait_parked(w);
		}
		if (serve_all(w, &r, empty > WORKER_IDLE_SPIN))
			empty = 0;
		else
			empty += empty < WORKER_IDLE_SPIN + WORKER_SLEEP_US;
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELEASE);
		show_life(w);
		if (empty)
			sleep_idle(w, &r, &empty);
	}
	return 0;
}

static void wake_worker(const struct worker *w)
{
	const uint64_t one = 1;

	(void)!write(w->wake, &one, sizeof(one));
}

void worker_park(struct worker *w)
{
	__atomic_store_n(&w->park, true, __ATOMIC_RELEASE);
	wake_worker(w);
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

	/* The round in progress may have begun before the call; the one after it has not. */
	while (__atomic_load_n(&w->rounds, __ATOMIC_ACQUIRE) - rounds < 2 &&
	       !__atomic_load_n(&w->parked, __ATOMIC_ACQUIRE)) {
		wake_worker(w);
		usleep(10);
	}
}
