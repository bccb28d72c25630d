/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulated clients (sim.h): TCP connections from SYN to the last acknowledgement, with
 * lost SYNs and answers, repetitions on both sides, long silences, resets, ports used again,
 * forged SYNs; UDP flows of each policy.
 *
 * A flow is broken when a segment of an established connection, or the acknowledgement that
 * completes one, goes to another backend than the one whose answer the client took.
 */
#include "sim.h"

#include <stdlib.h>

#define LOSS_1_IN    50u   /* SYNs and their answers */
#define SYN_MS       1000u /* before a SYN's first repetition; the second comes after twice that */
#define SYN_ATTEMPTS 3u
#define FORGED_1_IN  200u   /* segments beside which a forged SYN comes */
#define GAP_MS       28000u /* the longest silence: SIM_IDLE_S less some */
#define PASS_LATE_MS 6000u  /* a pass waits for ticks, a document for its node */
#define LINGER_MS    20000u /* a client that has sent FIN goes on acknowledging */

/* --- events: a binary heap by time --- */

static void push_event(struct sim *sim, struct sim_event e)
{
	uint32_t i = sim->n_heap++;

	if (sim->n_heap > SIM_EVENTS_MAX)
		abort();
	for (; i > 0 && sim->heap[(i - 1) / 2].at_ms > e.at_ms; i = (i - 1) / 2)
		sim->heap[i] = sim->heap[(i - 1) / 2];
	sim->heap[i] = e;
}

static struct sim_event pop_event(struct sim *sim)
{
	struct sim_event top = sim->heap[0], last = sim->heap[--sim->n_heap];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= sim->n_heap)
			break;
		if (child + 1 < sim->n_heap && sim->heap[child + 1].at_ms < sim->heap[child].at_ms)
			child++;
		if (sim->heap[child].at_ms >= last.at_ms)
			break;
		sim->heap[i] = sim->heap[child];
		i = child;
	}
	sim->heap[i] = last;
	return top;
}

static void add_event(struct sim *sim, uint32_t flow, enum sim_event_kind kind, uint64_t in_ms,
                      uint16_t backend, uint8_t attempt)
{
	push_event(sim, (struct sim_event){ .at_ms = sim->now_ms + in_ms,
	                                    .flow = flow,
	                                    .life = sim->flows[flow].life,
	                                    .kind = (uint8_t)kind,
	                                    .backend = (uint8_t)backend,
	                                    .attempt = attempt });
}

/* --- packets --- */

/* What backend @p b's sockets say of the flow's segment. */
static enum second_socket socket_at(const struct sim *sim, const struct sim_flow *f, uint16_t b)
{
	if (sim->backend[b].is_dead)
		return SECOND_SOCKET_NONE;
	if (f->phase >= SIM_OPEN && f->backend == b)
		return SECOND_SOCKET_HELD;
	return f->half_open >> b & 1 ? SECOND_SOCKET_OTHERS : SECOND_SOCKET_LISTEN;
}

/* Where a segment ends that asks one owner after another. */
static uint16_t ask_agents(struct sim *sim, struct sim_flow *f, const struct fwd_flow *packet)
{
	uint16_t owners[1 + SECOND_OWNERS_MAX];
	uint32_t n = sim_owners(sim, f->balancer, packet, owners), i = 0;
	bool is_syn = packet->segment == FWD_SEGMENT_SYN;

	while (i + 1 < n && !second_is_here(socket_at(sim, f, owners[i]), is_syn)) {
		sim->result.passed_on++;
		i++;
	}
	if (is_syn)
		f->half_open |= 1u << owners[i];
	return owners[i];
}

static uint16_t send_packet(struct sim *sim, struct sim_flow *f, uint8_t segment, uint32_t seq)
{
	struct fwd_flow packet = {
		.hash = f->hash, .seq = seq, .segment = segment, .protocol = f->protocol
	};

	if (f->roams && sim_below(sim, 8) == 0)
		f->balancer = (uint8_t)sim_below(sim, sim->options.balancers);
	if (sim->options.agents && f->protocol == 6)
		return ask_agents(sim, f, &packet);
	return sim_route(sim, f->balancer, &packet, f->policy);
}

static void forge_syn(struct sim *sim, struct sim_flow *f)
{
	struct sim_flow other = *f;

	if (sim_below(sim, FORGED_1_IN) != 0 || f->protocol != 6)
		return;
	send_packet(sim, &other, FWD_SEGMENT_SYN,
	            f->seq + 0x60000000u + (uint32_t)sim_random(sim) % 0x40000000u);
	f->half_open |= other.half_open;
}

/* --- the ends of flows --- */

static void end_flow(struct sim *sim, uint32_t i, bool again)
{
	struct sim_flow *f = &sim->flows[i];

	f->life++;
	f->phase = SIM_FREE;
	if (again && !sim->quiet && sim_below(sim, 10) < 3) {
		f->iss = f->seq + 0x200000u + (uint32_t)sim_random(sim) % 0x40000000u;
		f->is_again = true;
		add_event(sim, i, SIM_START, 100 + sim_below(sim, 60000), 0, 0);
		return;
	}
	f->iss = 0;
	sim->free_flows[sim->n_free++] = i;
}

static void count_broken(struct sim *sim, const struct sim_flow *f)
{
	if (f->roams)
		sim->result.broken_roaming++;
	else if (f->protocol == 17)
		sim->result.broken_udp++;
	else
		sim->result.broken++;
}

void sim_flows_kill(struct sim *sim, uint16_t backend)
{
	for (uint32_t i = 0; i < SIM_FLOWS_MAX; i++) {
		struct sim_flow *f = &sim->flows[i];

		f->half_open &= ~(1u << backend);
		if (f->phase < SIM_OPEN || f->backend != backend)
			continue;
		sim->result.killed++;
		end_flow(sim, i, true);
	}
}

/* Whether the packet went where the flow lives; if not, the flow is over. */
static bool packet_arrives(struct sim *sim, uint32_t i, uint16_t at)
{
	struct sim_flow *f = &sim->flows[i];

	if (at == f->backend)
		return true;
	count_broken(sim, f);
	end_flow(sim, i, true);
	return false;
}

/* An ICMP error about a packet of the flow finds its backend, too. */
static bool quote_arrives(struct sim *sim, uint32_t i)
{
	struct sim_flow *f = &sim->flows[i];

	if (sim_below(sim, 8) != 0)
		return true;
	sim->result.quoted++;
	return packet_arrives(sim, i, send_packet(sim, f, FWD_SEGMENT_QUOTED, 0));
}

/* --- connections --- */

static uint64_t gap_ms(struct sim *sim)
{
	uint32_t longest = sim_below(sim, 3) ? 3000 : GAP_MS;

	return 50 + sim_below(sim, longest);
}

static void send_syn(struct sim *sim, const struct sim_event *e)
{
	struct sim_flow *f = &sim->flows[e->flow];
	uint16_t at;

	if (f->phase != SIM_CONNECTING)
		return;
	if (e->attempt >= SYN_ATTEMPTS) {
		sim->result.refused++;
		end_flow(sim, e->flow, false);
		return;
	}
	add_event(sim, e->flow, SIM_SYN, SYN_MS << e->attempt, 0, (uint8_t)(e->attempt + 1));
	if (sim_below(sim, LOSS_1_IN) == 0)
		return;
	at = send_packet(sim, f, FWD_SEGMENT_SYN, f->iss);
	if (at == 0 || sim->backend[at].is_dead)
		return;
	if (e->attempt == 0 && !f->is_again && sim->backend[at].leaves_at_ms < sim->now_ms - 2000)
		sim->result.begun_on_leavers++;
	f->half_open |= 1u << at;
	if (sim_below(sim, LOSS_1_IN) != 0)
		add_event(sim, e->flow, SIM_SYN_ACK, f->rtt_ms, at, 0);
	if (sim_below(sim, LOSS_1_IN) != 0)
		add_event(sim, e->flow, SIM_SYN_ACK, f->rtt_ms + SYN_MS, at, 0);
}

static void syn_ack(struct sim *sim, const struct sim_event *e)
{
	struct sim_flow *f = &sim->flows[e->flow];

	if (f->phase != SIM_CONNECTING || !(f->half_open >> e->backend & 1))
		return;
	f->phase = SIM_OPEN;
	f->backend = e->backend;
	f->seq = f->iss + 1;
	if (sim->backend[e->backend].is_dead) { /* since it answered */
		sim->result.killed++;
		end_flow(sim, e->flow, true);
		return;
	}
	if (!packet_arrives(sim, e->flow, send_packet(sim, f, FWD_SEGMENT_TCP, f->seq)))
		return;
	add_event(sim, e->flow, SIM_SEGMENT, sim_below(sim, 2) ? 1 : gap_ms(sim), 0, 0);
}

/* The client closes: half wait for what the server still has to say. */
static void finish_flow(struct sim *sim, uint32_t i)
{
	struct sim_flow *f = &sim->flows[i];
	uint32_t how = sim_below(sim, 10);

	if (f->protocol == 6 && how < 6) {
		if (!packet_arrives(sim, i, send_packet(sim, f, FWD_SEGMENT_FIN, f->seq++)))
			return;
		f->phase = SIM_CLOSING;
		f->end_ms = sim->now_ms + sim_below(sim, LINGER_MS);
		add_event(sim, i, SIM_SEGMENT, 20 + sim_below(sim, 4000), 0, 0);
		return;
	}
	if (f->protocol == 6 && how < 8)
		send_packet(sim, f, FWD_SEGMENT_RST, f->seq);
	end_flow(sim, i, true);
}

static void tcp_segment(struct sim *sim, uint32_t i)
{
	struct sim_flow *f = &sim->flows[i];

	forge_syn(sim, f);
	f->seq += f->n_sent < 8 ? sim_below(sim, 7000) : sim_below(sim, 3000000);
	f->n_sent += f->n_sent < 8;
	sim->result.segments++;
	if (!packet_arrives(sim, i, send_packet(sim, f, FWD_SEGMENT_TCP, f->seq)) ||
	    !quote_arrives(sim, i))
		return;
	add_event(sim, i, SIM_SEGMENT,
	          f->phase == SIM_CLOSING ? 20 + sim_below(sim, 4000) : gap_ms(sim), 0, 0);
}

/* --- UDP --- */

/* Whether the flow may move from its backend now, by its policy. */
static bool may_move(const struct sim *sim, const struct sim_flow *f)
{
	const struct sim_backend *b = &sim->backend[f->backend];

	if (f->policy == FWD_UDP_RESET)
		return true;
	/* Forgotten while the backend was drained, seen by its next packet. */
	return f->policy == FWD_UDP_MIGRATE && sim->now_ms >= b->lease_ms &&
	       (b->leaves_at_ms != UINT64_MAX ||
	        sim->now_ms < b->rejoins_at_ms + SIM_UDP_IDLE_S * 1000);
}

/* Whether the flow is still with a backend that it should have left by its policy. */
static bool flow_overstays(const struct sim *sim, const struct sim_flow *f)
{
	const struct sim_backend *b = &sim->backend[f->backend];
	uint64_t anew_ms = sim->balancer[f->balancer].started_at_ms + sim->times.settle_ms;
	uint64_t until_ms = b->leaves_at_ms + (SIM_UDP_IDLE_S + 2) * 1000;

	if (f->policy != FWD_UDP_MIGRATE || b->leaves_at_ms == UINT64_MAX ||
	    !sim->balancer[f->balancer].owners)
		return false;
	if (until_ms < b->drained_ms)
		until_ms = b->drained_ms;
	/* A process that starts may know no better than that the drain begins then. */
	if (until_ms < anew_ms)
		until_ms = anew_ms;
	return sim->now_ms > until_ms + OWNERS_PASS_MS + PASS_LATE_MS;
}

static void udp_segment(struct sim *sim, uint32_t i)
{
	struct sim_flow *f = &sim->flows[i];
	uint16_t at = send_packet(sim, f, FWD_SEGMENT_UDP, 0);

	sim->result.segments++;
	if (f->backend == 0)
		f->backend = at;
	if (sim->backend[at].is_dead) { /* the control process has not seen it yet */
		sim->result.refused++;
		end_flow(sim, i, true);
		return;
	}
	if (at != f->backend && at != 0 && may_move(sim, f)) {
		sim->result.migrated += f->policy == FWD_UDP_MIGRATE;
		sim->result.reset += f->policy == FWD_UDP_RESET;
		f->backend = at;
	}
	if (!packet_arrives(sim, i, at) || !quote_arrives(sim, i))
		return;
	sim->result.stayed += flow_overstays(sim, f);
	add_event(sim, i, SIM_SEGMENT, 20 + sim_below(sim, SIM_UDP_IDLE_S * 900), 0, 0);
}

static void send_segment(struct sim *sim, const struct sim_event *e)
{
	struct sim_flow *f = &sim->flows[e->flow];

	if (sim->now_ms >= f->end_ms && f->phase == SIM_OPEN)
		finish_flow(sim, e->flow);
	else if (sim->now_ms >= f->end_ms)
		end_flow(sim, e->flow, true);
	else if (f->protocol == 6)
		tcp_segment(sim, e->flow);
	else
		udp_segment(sim, e->flow);
}

/* --- beginnings --- */

static void start_flow(struct sim *sim, uint32_t i)
{
	static const uint32_t lives_ms[] = { 5000, 50000, 300000, 1500000 };
	struct sim_flow *f = &sim->flows[i];

	f->phase = f->protocol == 6 ? SIM_CONNECTING : SIM_OPEN;
	f->half_open = 0;
	f->backend = 0;
	f->n_sent = 0;
	f->rtt_ms = (uint16_t)(1 + sim_below(sim, sim_below(sim, 20) ? 200 : 1800));
	f->end_ms = sim->now_ms + sim_below(sim, lives_ms[sim_below(sim, 4)]);
	f->roams =
	        sim_unit(sim) < sim->options.roaming && (f->protocol == 6 || !sim->options.agents);
	sim->result.flows++;
	sim->result.udp_flows += f->protocol == 17;
	sim->result.roaming_flows += f->roams;
	add_event(sim, i, f->protocol == 6 ? SIM_SYN : SIM_SEGMENT, 0, 0, 0);
}

static void start_new(struct sim *sim)
{
	uint32_t i;

	if (sim->n_free == 0)
		abort();
	i = sim->free_flows[--sim->n_free];
	sim->flows[i].hash = sim_random(sim);
	sim->flows[i].is_again = false;
	sim->flows[i].iss = (uint32_t)sim_random(sim);
	sim->flows[i].protocol = sim_unit(sim) < sim->options.udp_share ? 17 : 6;
	sim->flows[i].policy =
	        sim->flows[i].protocol == 17 ? (uint8_t)sim_below(sim, 3) : FWD_UDP_KEEP;
	sim->flows[i].balancer = (uint8_t)sim_below(sim, sim->options.balancers);
	start_flow(sim, i);
}

static void run_event(struct sim *sim, const struct sim_event *e)
{
	if (e->life != sim->flows[e->flow].life)
		return;
	switch (e->kind) {
	case SIM_START:
		start_flow(sim, e->flow);
		break;
	case SIM_SYN:
		send_syn(sim, e);
		break;
	case SIM_SYN_ACK:
		syn_ack(sim, e);
		break;
	default:
		send_segment(sim, e);
		break;
	}
}

void sim_flows_run(struct sim *sim)
{
	uint64_t until_ms = sim->now_ms;

	while (sim->n_heap > 0 && sim->heap[0].at_ms <= until_ms) {
		struct sim_event e = pop_event(sim);

		run_event(sim, &e);
	}
	while (!sim->quiet && sim->next_start_ms <= until_ms) {
		sim->next_start_ms +=
		        1 + (uint64_t)(2000 * sim_unit(sim) / sim->options.starts_per_s);
		start_new(sim);
	}
}

uint32_t sim_flows_living(const struct sim *sim)
{
	return SIM_FLOWS_MAX - sim->n_free;
}

void sim_flows_init(struct sim *sim)
{
	sim->heap = calloc(SIM_EVENTS_MAX, sizeof(*sim->heap));
	sim->flows = calloc(SIM_FLOWS_MAX, sizeof(*sim->flows));
	sim->free_flows = calloc(SIM_FLOWS_MAX, sizeof(*sim->free_flows));
	if (!sim->heap || !sim->flows || !sim->free_flows)
		abort();
	for (uint32_t i = 0; i < SIM_FLOWS_MAX; i++)
		sim->free_flows[i] = i;
	sim->n_free = SIM_FLOWS_MAX;
	sim->next_start_ms = sim->now_ms;
}

void sim_flows_fini(struct sim *sim)
{
	free(sim->heap);
	free(sim->flows);
	free(sim->free_flows);
}
