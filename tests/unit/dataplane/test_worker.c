/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: which way each frame goes, and what is counted when it cannot. No frame is lost or
 * sent twice.
 */
#include "tests/unit/suite.h"
#include "worker_scene.h"

#include "dataplane/dpdk/rss.h"

/* @p n frames at once. */
static void come_many(uint16_t port, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		come_in(port, DROPPED, 0, 0);
}

static void a_bursts_size_is_counted_by_its_power_of_two(void **state)
{
	static const struct {
		uint32_t n, size;
	} cases[] = { { 0, 0 }, { 1, 1 },  { 2, 2 },  { 3, 2 },  { 4, 3 }, { 7, 3 },
		      { 8, 4 }, { 15, 4 }, { 16, 5 }, { 31, 5 }, { 32, 6 } };

	(void)state;
	w.n_ports = 1;
	for (size_t i = 0; i < COUNT(cases); i++) {
		memset(&w.counts, 0, sizeof(w.counts));
		come_many(1, cases[i].n);
		make_rounds(1);
		for (uint32_t k = 0; k < DRIVER_BURST_SIZES; k++)
			assert_int_equal(w.counts.bursts[k], k == cases[i].size);
	}
}

static void a_forwarded_frame_leaves_by_its_backends_port_as_the_verdict_left_it(void **state)
{
	(void)state;
	come_in(1, FORWARDED, 6, 11);
	come_in(1, FORWARDED, 6, 12);
	come_in(1, FORWARDED, 7, 13);
	come_in(1, FORWARDED, 6, 14);
	come_in(1, FORWARDED, 0, 15); /* back */
	make_rounds(1);
	assert_int_equal(edge.n_sent, 5);
	assert_sent(0, 2, 11);
	assert_sent(1, 2, 12);
	assert_sent(2, 3, 13);
	assert_sent(3, 2, 14);
	assert_sent(4, 1, 15);
	assert_int_equal(edge.n_bursts, 4); /* to each port at once what may be */
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(edge.sent[i].off, OFF - GROWS);
		assert_int_equal(edge.sent[i].len, LEN + GROWS);
		assert_int_equal(edge.sent[i].pkt_len, LEN + GROWS);
		assert_int_equal(edge.sent[i].flags, 0);
	}
	assert_int_equal(count_of(FWD_REASON_FORWARDED), 5);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 0);
	assert_int_equal(world.t.cpus[0].received, 0); /* another worker's row */
}

static void a_burst_is_sent_whole_and_what_came_is_counted(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < WORKER_BURST + 3; i++)
		come_in(2, FORWARDED, 5, i);
	make_rounds(3);
	assert_int_equal(edge.n_sent, WORKER_BURST + 3);
	for (uint8_t i = 0; i < WORKER_BURST + 3; i++)
		assert_sent(i, 1, i);
	assert_int_equal(edge.n_bursts, 2);
	assert_int_equal(w.counts.frames, WORKER_BURST + 3);
	assert_int_equal(w.counts.bursts[6], 1);
	assert_int_equal(w.counts.bursts[2], 1);
	assert_int_equal(w.counts.bursts[0], 7); /* of three ports in three rounds */
}

/* What replies to its sender goes back by the port it came in by. */
static void a_frame_to_be_sent_goes_back_or_to_its_backend(void **state)
{
	static const struct {
		enum kind kind;
		enum fwd_reason reason;
		uint8_t egress;
		uint16_t port; /* 0: dropped, for want of a port */
	} cases[] = {
		{ ECHOED, FWD_REASON_ECHO_REPLIED, 0, 3 },
		{ TOO_BIG, FWD_REASON_TOO_BIG_ANSWERED, 0, 3 },
		{ RELAYED, FWD_REASON_ICMP_RELAYED, 6, 2 },
		{ RELAYED, FWD_REASON_ICMP_RELAYED, 5, 1 },
		{ RELAYED, FWD_REASON_ICMP_RELAYED, 3, 0 },
		{ FORWARDED, FWD_REASON_FORWARDED, 3, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(teardown(state), 0);
		setup(state);
		come_in(3, cases[i].kind, cases[i].egress, 9);
		make_rounds(1);
		assert_int_equal(edge.n_sent, cases[i].port != 0);
		if (cases[i].port)
			assert_int_equal(edge.sent[0].port, cases[i].port);
		assert_int_equal(count_of(cases[i].reason), cases[i].port != 0);
		assert_int_equal(count_of(FWD_REASON_NOT_SENT), cases[i].port == 0);
		assert_int_equal(buffers.n_out, 0);
	}
}

/* What a TAP does with the frame that is for it. */
enum tap { NO_TAP, TAP_0, TAP_TAKES, TAP_REFUSES, TAP_WITHOUT_CREDIT };

static void spend_credit(unsigned int round)
{
	(void)round;
	edge.clock.tv_sec = 78;
	for (int i = 0; i < POLICE_COUNT; i++) {
		w.police.credit_ns[i] = 0;
		w.police.last_ns[i] = 78000000005;
	}
}

static void what_is_dropped_is_freed_and_what_is_passed_goes_to_its_ports_tap(void **state)
{
	static const struct {
		enum kind kind;
		enum tap tap;
		enum fwd_reason counted;
		bool given;
	} cases[] = {
		{ DROPPED, TAP_TAKES, FWD_REASON_NO_SERVICE, false },
		{ DROPPED, NO_TAP, FWD_REASON_NO_SERVICE, false },
		{ FOREIGN, TAP_0, FWD_REASON_NOT_OURS, true },
		{ FOREIGN, NO_TAP, FWD_REASON_NOT_OURS, false },
		{ ARPED, TAP_WITHOUT_CREDIT, FWD_REASON_KERNEL_POLICED, false },
		{ ARPED, TAP_REFUSES, FWD_REASON_KERNEL_REFUSED, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t frame[BUFFER_ROOM];

		assert_int_equal(teardown(state), 0);
		setup(state);
		if (cases[i].tap != NO_TAP)
			open_tap(1, cases[i].tap == TAP_0);
		if (cases[i].tap == TAP_REFUSES)
			shutdown(edge.kernel[1], SHUT_RD);
		if (cases[i].tap == TAP_WITHOUT_CREDIT)
			edge.on_round = spend_credit;
		come_in(2, cases[i].kind, 0, 9);
		make_rounds(1);
		assert_int_equal(w.counts.frames, 1);
		assert_int_equal(edge.n_sent, 0);
		assert_int_equal(read(edge.kernel[1], frame, sizeof(frame)) > 0, cases[i].given);
		if (cases[i].given)
			assert_int_equal(frame[LEN - 1], 9);
		for (unsigned int k = 0; k < FWD_REASON_COUNT; k++)
			assert_int_equal(count_of(k), k == cases[i].counted);
		assert_int_equal(buffers.n_out, 0);
	}
}

/* Credit grows by the time of each round in which it is asked for. */
static void arp_of_a_later_second(unsigned int round)
{
	if (!round)
		spend_credit(0);
	else
		edge.clock.tv_sec++;
	come_in(2, ARPED, 0, 9);
}

static void frames_for_the_kernel_are_policed_by_the_time_of_their_round(void **state)
{
	(void)state;
	open_tap(1, false);
	edge.on_round = arp_of_a_later_second;
	make_rounds(2);
	assert_int_equal(w.counts.policed[POLICE_NEIGHBOUR], 1);
	assert_int_equal(w.counts.to_kernel[POLICE_NEIGHBOUR], 1);
	assert_int_equal(w.police.last_ns[POLICE_NEIGHBOUR], 79000000005);
}

static void come_echoes_then_frames(unsigned int round)
{
	edge.tx_room = round;
	for (uint8_t i = 1; i <= 3; i++)
		come_in(1, round ? FORWARDED : ECHOED, round ? 6 : 0, (uint8_t)(3 * round + i));
}

/* What waited in the same place in an earlier round was something else. */
static void what_a_full_port_does_not_take_is_not_counted_by_what_was_there_before(void **state)
{
	(void)state;
	edge.on_round = come_echoes_then_frames;
	make_rounds(2);
	assert_int_equal(edge.n_sent, 4);
	assert_int_equal(count_of(FWD_REASON_FORWARDED), 1);
	assert_int_equal(count_of(FWD_REASON_ECHO_REPLIED), 3);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 2);
}

static void what_a_full_port_does_not_take_is_freed_and_counted_by_what_it_was(void **state)
{
	(void)state;
	come_in(1, FORWARDED, 5, 1);
	come_in(1, ECHOED, 0, 2);
	come_in(1, FORWARDED, 5, 3);
	come_in(1, ECHOED, 0, 4);
	come_in(1, ECHOED, 0, 5);
	edge.tx_room = 2;
	make_rounds(1);
	assert_int_equal(edge.n_sent, 2);
	assert_sent(0, 1, 1);
	assert_sent(1, 1, 2);
	assert_int_equal(count_of(FWD_REASON_FORWARDED), 1);
	assert_int_equal(count_of(FWD_REASON_ECHO_REPLIED), 1);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 3);
	assert_int_equal(world.t.cpus[1].received, 5);
	assert_int_equal(w.ports[0].not_sent, 3); /* of that port alone, and in each round */
	assert_int_equal(w.ports[1].not_sent, 0);
	edge.tx_room = 1;
	for (uint8_t i = 6; i <= 9; i++)
		come_in(1, FORWARDED, i < 8 ? 5 : 6, i);
	make_rounds(1);
	assert_int_equal(w.ports[0].not_sent, 4);
	assert_int_equal(w.ports[1].not_sent, 1);
}

/* Port 2 is sent by through an outbox, or (as the worker with its queue 3) what is in there is sent. */
static struct rte_ring *use_outbox(unsigned int room)
{
	w.ports[1].tx = -1;
	w.ports[1].outbox = make_ring(0, room);
	w.inboxes[0] = make_ring(1, 1);
	w.n_workers = 2;
	return w.ports[1].outbox;
}

static void send_outbox(uint16_t tx_room)
{
	w.ports[1].tx = 3;
	edge.tx_room = tx_room;
	make_rounds(1);
}

/* An outbox has frames of each sort: what is lost of them is taken from what each was counted as. */
static void what_comes_through_an_outbox_keeps_what_it_was_counted_as(void **state)
{
	const struct rte_ring *outbox = use_outbox(3);

	(void)state;
	come_in(1, FORWARDED, 6, 1);
	come_in(1, RELAYED, 6, 2);
	make_rounds(1);
	assert_int_equal(rte_ring_count(outbox), 2);
	send_outbox(1);
	assert_int_equal(count_of(FWD_REASON_FORWARDED), 1);
	assert_int_equal(count_of(FWD_REASON_ICMP_RELAYED), 0);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 1);
	assert_int_equal(w.ports[1].not_sent, 1);
}

static void a_port_without_a_queue_of_ours_is_sent_by_through_its_outbox(void **state)
{
	const struct rte_ring *outbox = use_outbox(2);

	(void)state;
	for (uint8_t i = 1; i <= 3; i++)
		come_in(1, FORWARDED, 6, i);
	make_rounds(1);
	assert_int_equal(edge.n_sent, 0);
	assert_int_equal(rte_ring_count(outbox), 2);
	assert_int_equal(count_of(FWD_REASON_FORWARDED), 2);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 1);
	uint64_t n_cycles = w.counts.cycles;

	make_rounds(1);
	assert_int_equal(w.counts.cycles, n_cycles); /* nothing to do: it is no reader of it */
	send_outbox(1);                              /* who has the queue sends them */
	assert_int_equal(edge.n_sent, 1);
	assert_sent(0, 2, 1);
	assert_int_equal(edge.sent[0].queue, 3);
	assert_int_equal(count_of(FWD_REASON_FORWARDED), 1);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 2);
	assert_int_equal(rte_ring_count(outbox), 0);
}

static void a_frame_in_several_buffers_is_dropped_and_the_others_go_on(void **state)
{
	(void)state;
	come_in(1, FORWARDED, 6, 1);
	struct rte_mbuf *long_one = come_in(1, FORWARDED, 6, 2);

	come_in(1, FORWARDED, 6, 3);
	long_one->nb_segs = 2;
	long_one->pkt_len = 3000;
	make_rounds(1);
	assert_int_equal(w.counts.frames, 3);
	assert_int_equal(edge.n_sent, 2);
	assert_sent(0, 2, 1);
	assert_sent(1, 2, 3);
	assert_int_equal(world.t.cpus[1].received, 3);
	assert_int_equal(world.t.cpus[1].received_bytes, 3000 + 2 * LEN);
	assert_int_equal(count_of(FWD_REASON_SEGMENTED), 1);
	come_in(1, FORWARDED, 6, 4)->nb_segs = 2;
	make_rounds(1); /* nothing is left of this burst */
	assert_int_equal(w.counts.frames, 4);
	assert_int_equal(count_of(FWD_REASON_SEGMENTED), 2);
	assert_int_equal(edge.n_sent, 2);
}

static uint32_t hash_of(const struct rte_mbuf *m)
{
	return spread_hash(rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
}

/* A frame of a flow whose hash is in the upper half, or in the lower one. */
static void come_of_half(bool upper, uint8_t mark)
{
	struct rte_mbuf *m = come_in(1, FORWARDED, 6, mark);

	while (hash_of(m) >> 31 != upper)
		rte_pktmbuf_mtod(m, uint8_t *)[35]++; /* of the client's port */
}

/* Worker 1 of 2 keeps the upper half of the hashes. */
static void frames_of_other_workers_flows_are_handed_over(void **state)
{
	(void)state;
	w.n_workers = 2;
	w.index = 1;
	w.ports[0].spread = true;
	w.inboxes[0] = make_ring(0, 2);
	w.inboxes[1] = make_ring(1, 2);
	come_of_half(false, 1);
	come_of_half(true, 2);
	come_of_half(false, 3);
	come_of_half(false, 4);
	make_rounds(1);
	assert_int_equal(rte_ring_count(w.inboxes[0]), 2);
	assert_int_equal(w.counts.handed_over, 2);
	assert_int_equal(edge.n_sent, 2); /* its own, and what the other one is overrun by */
	assert_sent(0, 2, 2);
	assert_sent(1, 2, 4);
	/* the other one has no queue of the port */
	w.index = 0;
	for (uint32_t i = 0; i < N_PORTS; i++)
		w.ports[i].rx = -1;
	make_rounds(1);
	assert_int_equal(edge.n_sent, 4);
	assert_sent(2, 2, 1);
	assert_sent(3, 2, 3);
	assert_int_equal(count_of(FWD_REASON_FORWARDED),
	                 4);                  /* by the MAC of the port they came by */
	assert_int_equal(w.counts.frames, 4); /* counted where they came in */
}

static void a_frame_whose_port_went_meanwhile_is_dropped(void **state)
{
	(void)state;
	w.n_workers = 2;
	w.inboxes[0] = make_ring(0, 3);
	for (uint8_t i = 0; i < 3; i++) {
		struct rte_mbuf *m = make_frame(ECHOED, 3, 0, i);

		m->port = i == 1 ? 7 : 3;
		assert_int_equal(rte_ring_enqueue(w.inboxes[0], m), 0);
	}
	make_rounds(1);
	assert_int_equal(edge.n_sent, 2);
	assert_sent(0, 3, 0);
	assert_sent(1, 3, 2);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 1);
	assert_int_equal(count_of(FWD_REASON_ECHO_REPLIED), 2);
}

static void flows_are_noted_of_a_watched_port_alone(void **state)
{
	uint64_t first = 0;

	(void)state;
	w.ports[1].watched = true;
	make_rounds(1); /* nothing came */
	for (uint16_t port = 1; port <= N_PORTS; port++) {
		struct rte_mbuf *m = come_in(port, FORWARDED, 5, 1);

		first = port == 2 ? rss_flows_with(0, hash_of(m)) : first;
		come_in(port, FORWARDED, 6, 2);
	}
	make_rounds(1);
	assert_int_equal(w.seen[0], 0);
	assert_true(first);
	assert_int_equal(w.seen[1], first); /* the first one of a burst is enough */
	assert_int_equal(w.seen[2], 0);
	first = rss_flows_with(first, hash_of(come_in(2, FORWARDED, 7, 1)));
	make_rounds(1);
	assert_int_equal(w.seen[1], first);
	assert_int_equal(__builtin_popcountll(first), 2);
}

/* After round 1 it is time, and after no other. */
static void let_time_pass(unsigned int round)
{
	edge.clock.tv_sec = 100 + round;
	if (round == 1)
		w.time_tsc = rte_rdtsc() - LONG;
	come_in(1, TOO_BIG, 0, 1);
}

static void the_time_is_asked_for_each_millisecond_and_given_to_the_tables(void **state)
{
	static const uint32_t seen[] = { 55, 55, 101, 101 };

	(void)state;
	edge.rounds_by_rx = true;
	edge.on_round = let_time_pass;
	w.time_every = LONG;
	for (unsigned int n = 1; n <= COUNT(seen); n++) {
		w.now_s = 55;
		w.time_tsc = rte_rdtsc();
		make_rounds(n);
		assert_int_equal(w.now_s, seen[n - 1]);
		assert_int_equal(world.t.cpus[1].answers_s, seen[n - 1]);
	}
}

/* More cycles than a round takes, even one that the machine interrupts. */
#define WASTED 200000000u

static void waste_cycles(void)
{
	uint64_t from = rte_rdtsc();

	while (rte_rdtsc() - from < WASTED)
		;
}

/* Behind the first round, as a bond is sent by. */
static void waste_behind_first(void)
{
	if (edge.round == 1)
		waste_cycles();
}

static uint64_t cycles[4]; /* as counted before each round */
static bool idles;         /* nothing comes in round 1 */

static void note_cycles(unsigned int round)
{
	cycles[round] = w.counts.cycles;
	if (round == 1 && idles)
		waste_cycles();
	else if (round < 3)
		come_in(1, DROPPED, 0, 1);
}

/* Rounds that follow each other have one clock reading between them; an idle one ends the chain. */
static void cycles_are_counted_of_rounds_that_had_frames(void **state)
{
	(void)state;
	edge.on_round = note_cycles;
	edge.on_empty_send = waste_behind_first;
	w.ports[1].keep = true;
	for (int i = 0; i < 2; i++) {
		idles = i;
		w.counts.cycles = 0;
		make_rounds(4);
		assert_int_equal(cycles[0], 0);
		assert_true(cycles[1] > 0);
		assert_int_equal(cycles[2] == cycles[1], idles);
		assert_true(idles || cycles[2] - cycles[1] >= WASTED);
		assert_true(cycles[3] > cycles[2]);
	}
	assert_true(cycles[3] - cycles[2] < WASTED); /* since the idle round */
}

/* Round 0 is one before a park, in which port 3 goes and time passes; both rounds have a frame to it. */
static void park_later(unsigned int round)
{
	cycles[round] = w.counts.cycles;
	come_in(1, FORWARDED, 7, (uint8_t)round);
	w.park = round == 0;
}

static void take_port_3(void)
{
	assert_true(w.parked);
	w.n_ports = 2;
	w.park = false;
	waste_cycles();
}

static void what_was_found_of_ports_counts_until_a_park(void **state)
{
	(void)state;
	edge.on_round = park_later;
	edge.on_park = take_port_3;
	make_rounds(2);
	assert_false(w.parked);
	assert_int_equal(edge.n_sent, 1);
	assert_sent(0, 3, 0);
	assert_int_equal(count_of(FWD_REASON_NOT_SENT), 1);
	assert_true(w.counts.cycles - cycles[1] < WASTED); /* nor are cycles of a park counted */
}

/* @p n frames of the host's own for port @p i. */
static void put_own(uint32_t i, uint8_t n, uint8_t mark)
{
	uint8_t frame[LEN] = { 0 };

	for (; n; n--) {
		frame[LEN - 1] = mark++;
		assert_int_equal(write(edge.kernel[i], frame, LEN), LEN);
	}
}

static void the_hosts_own_frames_leave_by_their_port_and_lost_ones_are_counted_apart(void **state)
{
	(void)state;
	open_tap(1, true);
	open_tap(2, false);
	put_own(1, 3, 0);
	put_own(2, 1, 7);
	edge.tx_room = 2;
	make_rounds(1);
	assert_int_equal(edge.n_sent, 3);
	assert_sent(0, 2, 0);
	assert_sent(1, 2, 1);
	assert_sent(2, 3, 7);
	assert_int_equal(w.counts.from_kernel_lost, 1);
	for (unsigned int k = 0; k < FWD_REASON_COUNT; k++)
		assert_int_equal(count_of(k), 0); /* they are no traffic */
	assert_int_equal(w.counts.frames, 0);
}

static bool is_due; /* the next reading of the TAPs */

static void make_due(unsigned int round)
{
	(void)round;
	w.tap_tsc = rte_rdtsc() - w.tap_wait + (is_due ? -(LONG / 4) : LONG / 2);
}

static void a_round_reads(unsigned int n)
{
	unsigned int before = edge.n_sent;
	uint64_t from = rte_rdtsc();

	make_rounds(1);
	assert_int_equal(edge.n_sent, before + n);
	assert_int_equal(w.tap_tsc >= from && w.tap_tsc <= rte_rdtsc(), is_due);
}

static void taps_are_read_now_and_then_less_often_while_nothing_comes(void **state)
{
	static const uint64_t waits[] = { 1, 2, 4, 8, 8, 8 };

	(void)state;
	open_tap(0, false);
	w.tap_every = w.tap_wait = LONG;
	edge.on_round = make_due;
	for (size_t i = 0; i < COUNT(waits); i++) {
		assert_int_equal(w.tap_wait, waits[i] * LONG);
		is_due = false;
		a_round_reads(0);
		is_due = true;
		a_round_reads(0);
	}
	put_own(0, 1, 1);
	is_due = false;
	a_round_reads(0);
	is_due = true;
	a_round_reads(1);
	assert_int_equal(w.tap_wait, LONG);
}

static void no_sleep(unsigned int us)
{
	(void)us;
}

static void an_idle_worker_reads_taps_always(void **state)
{
	(void)state;
	open_tap(0, false);
	w.tap_every = w.tap_wait = LONG;
	edge.on_sleep = no_sleep;
	put_own(0, 1, 1);
	for (unsigned int more = 1; more <= 2; more++) {
		w.tap_tsc = rte_rdtsc();
		make_rounds(WORKER_IDLE_SPIN + more);
		assert_int_equal(edge.n_sent, more == 2); /* not idle before that one */
	}
}

static void a_bond_is_sent_by_in_time_by_who_has_its_first_queue(void **state)
{
	static const struct {
		bool keep, due;
		int16_t tx;
		unsigned int n;
	} cases[] = {
		{ true, true, 0, 1 }, { true, false, 0, 0 }, { false, true, 0, 0 },
		{ true, true, 1, 0 }, { true, true, -1, 0 },
	};

	(void)state;
	w.keep_every = LONG;
	w.ports[0].outbox = make_ring(0, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		w.ports[0].keep = cases[i].keep;
		w.ports[0].tx = cases[i].tx;
		w.keep_tsc = rte_rdtsc() - (cases[i].due ? LONG : 0);
		edge.n_empty_sends = 0;
		make_rounds(2);
		assert_int_equal(edge.n_empty_sends, cases[i].n);
	}
}

SUITE(worker)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_bursts_size_is_counted_by_its_power_of_two),
		T(a_forwarded_frame_leaves_by_its_backends_port_as_the_verdict_left_it),
		T(a_burst_is_sent_whole_and_what_came_is_counted),
		T(a_frame_to_be_sent_goes_back_or_to_its_backend),
		T(what_is_dropped_is_freed_and_what_is_passed_goes_to_its_ports_tap),
		T(frames_for_the_kernel_are_policed_by_the_time_of_their_round),
		T(what_a_full_port_does_not_take_is_not_counted_by_what_was_there_before),
		T(what_a_full_port_does_not_take_is_freed_and_counted_by_what_it_was),
		T(what_comes_through_an_outbox_keeps_what_it_was_counted_as),
		T(a_frame_in_several_buffers_is_dropped_and_the_others_go_on),
		T(a_port_without_a_queue_of_ours_is_sent_by_through_its_outbox),
		T(frames_of_other_workers_flows_are_handed_over),
		T(a_frame_whose_port_went_meanwhile_is_dropped),
		T(flows_are_noted_of_a_watched_port_alone),
		T(the_time_is_asked_for_each_millisecond_and_given_to_the_tables),
		T(cycles_are_counted_of_rounds_that_had_frames),
		T(what_was_found_of_ports_counts_until_a_park),
		T(the_hosts_own_frames_leave_by_their_port_and_lost_ones_are_counted_apart),
		T(taps_are_read_now_and_then_less_often_while_nothing_comes),
		T(an_idle_worker_reads_taps_always),
		T(a_bond_is_sent_by_in_time_by_who_has_its_first_queue),
	};

	answer_all();
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
