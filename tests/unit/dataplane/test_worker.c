/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker: which way each frame goes, and what is counted when it cannot. No frame is lost or
 * sent twice.
 */
#include "worker_scene.h"

static void a_bursts_size_is_counted_by_its_power_of_two(void **state)
{
	static const struct {
		uint32_t n, size;
	} cases[] = {
		{ 0, 0 },  { 1, 1 },  { 2, 2 },  { 3, 2 },  { 4, 3 },  { 7, 3 },  { 8, 4 },
		{ 15, 4 }, { 16, 5 }, { 31, 5 }, { 32, 6 }, { 63, 6 }, { 64, 7 }, { 200, 7 }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(burst_size_class(cases[i].n), cases[i].size);
}

static void a_forwarded_frame_leaves_by_its_backends_port_as_the_verdict_left_it(void **state)
{
	(void)state;
	come_in(1, (struct edge_head){ 11, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 12, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 13, FWD_REASON_FORWARDED, 7, 0, 0 });
	come_in(1, (struct edge_head){ 14, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 15, FWD_REASON_FORWARDED, 0, 0, 0 }); /* back */
	assert_int_equal(serve_all(&w, &r, false), 5);
	assert_int_equal(edge.n_sent, 5);
	assert_sent(0, 2, 11);
	assert_sent(1, 2, 12);
	assert_sent(2, 3, 13);
	assert_sent(3, 2, 14);
	assert_sent(4, 1, 15);
	assert_int_equal(edge.n_bursts, 4); /* to each port at once what may be */
	for (unsigned int i = 0; i < 5; i++) {
		assert_int_equal(edge.sent[i].off, EDGE_OFF - EDGE_GROWS);
		assert_int_equal(edge.sent[i].len, EDGE_LEN + EDGE_GROWS);
		assert_int_equal(edge.sent[i].pkt_len, EDGE_LEN + EDGE_GROWS);
		assert_int_equal(edge.sent[i].flags, 0);
	}
	assert_int_equal(cpus[1].reason[FWD_REASON_FORWARDED], 5);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 0);
	assert_int_equal(cpus[0].received, 0); /* another worker's row */
	assert_int_equal(edge.ingress[0], 5);
}

static void a_burst_is_sent_whole_and_what_came_is_counted(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < WORKER_BURST + 3; i++)
		come_in(2, (struct edge_head){ i, FWD_REASON_FORWARDED, 5, 0, 0 });
	edge.tsc = 500;
	assert_int_equal(serve_all(&w, &r, false), WORKER_BURST);
	assert_int_equal(serve_all(&w, &r, false), 3);
	assert_int_equal(serve_all(&w, &r, false), 0);
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
		uint8_t reason, backend;
		uint16_t port; /* 0: dropped, for want of a port */
	} cases[] = {
		{ FWD_REASON_ECHO_REPLIED, 6, 3 },      { FWD_REASON_TOO_BIG_ANSWERED, 6, 3 },
		{ FWD_REASON_ICMP_RELAYED, 6, 2 },      { FWD_REASON_FRAGMENT_FOLLOWED, 5, 1 },
		{ FWD_REASON_ICMP_RELAYED, 3, 0 },      { FWD_REASON_FORWARDED, 3, 0 },
		{ FWD_REASON_FRAGMENT_FOLLOWED, 1, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		come_in(3, (struct edge_head){ 9, cases[i].reason, cases[i].backend, 0, 0 });
		serve_all(&w, &r, false);
		assert_int_equal(edge.n_sent, cases[i].port != 0);
		if (cases[i].port)
			assert_sent(0, cases[i].port, 9);
		assert_int_equal(cpus[1].reason[cases[i].reason], cases[i].port != 0);
		assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], cases[i].port == 0);
		assert_int_equal(edge_count_out(), 0);
	}
}

static void what_is_dropped_is_freed_and_what_is_passed_goes_to_its_ports_tap(void **state)
{
	static const struct {
		uint8_t reason, tap_says;
		int tap;
		uint8_t counted;
		bool given;
	} cases[] = {
		{ FWD_REASON_MARTIAN, 0, 4, FWD_REASON_MARTIAN, false },
		{ FWD_REASON_NO_BACKEND, 0, -1, FWD_REASON_NO_BACKEND, false },
		{ FWD_REASON_NOT_OURS, FWD_REASON_COUNT, 0, FWD_REASON_NOT_OURS, true },
		{ FWD_REASON_NOT_OURS, FWD_REASON_COUNT, -1, FWD_REASON_NOT_OURS, false },
		{ FWD_REASON_NOT_IP, FWD_REASON_KERNEL_POLICED, 4, FWD_REASON_KERNEL_POLICED,
		  true },
		{ FWD_REASON_NEIGHBOUR, FWD_REASON_KERNEL_REFUSED, 4, FWD_REASON_KERNEL_REFUSED,
		  true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		w.ports[1].tap = cases[i].tap;
		come_in(2, (struct edge_head){ 9, cases[i].reason, 6, cases[i].tap_says, 0 });
		assert_int_equal(serve_all(&w, &r, false), 1);
		assert_int_equal(edge.n_sent, 0);
		assert_int_equal(edge.n_given, cases[i].given);
		assert_int_equal(edge.given_ns, cases[i].given ? 77000000005 : 0);
		for (unsigned int k = 0; k < FWD_REASON_COUNT; k++)
			assert_int_equal(cpus[1].reason[k], k == cases[i].counted);
		assert_int_equal(edge_count_out(), 0);
	}
}

/* What waited in the same place in an earlier round was something else. */
static void what_a_full_port_does_not_take_is_not_counted_by_what_was_there_before(void **state)
{
	(void)state;
	for (uint8_t i = 1; i <= 3; i++)
		come_in(1, (struct edge_head){ i, FWD_REASON_ECHO_REPLIED, 0, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_sent, 3);
	for (uint8_t i = 4; i <= 6; i++)
		come_in(1, (struct edge_head){ i, FWD_REASON_FORWARDED, 6, 0, 0 });
	edge.tx_room = 1;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_sent, 4);
	assert_int_equal(cpus[1].reason[FWD_REASON_FORWARDED], 1);
	assert_int_equal(cpus[1].reason[FWD_REASON_ECHO_REPLIED], 3);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 2);
}

static void what_a_full_port_does_not_take_is_freed_and_counted_by_what_it_was(void **state)
{
	(void)state;
	come_in(1, (struct edge_head){ 1, FWD_REASON_FORWARDED, 5, 0, 0 });
	come_in(1, (struct edge_head){ 2, FWD_REASON_ECHO_REPLIED, 0, 0, 0 });
	come_in(1, (struct edge_head){ 3, FWD_REASON_FORWARDED, 5, 0, 0 });
	come_in(1, (struct edge_head){ 4, FWD_REASON_ECHO_REPLIED, 0, 0, 0 });
	come_in(1, (struct edge_head){ 5, FWD_REASON_ECHO_REPLIED, 0, 0, 0 });
	edge.tx_room = 2;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_sent, 2);
	assert_sent(0, 1, 1);
	assert_sent(1, 1, 2);
	assert_int_equal(cpus[1].reason[FWD_REASON_FORWARDED], 1);
	assert_int_equal(cpus[1].reason[FWD_REASON_ECHO_REPLIED], 1);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 3);
	assert_int_equal(cpus[1].received, 5);
	assert_int_equal(w.ports[0].not_sent, 3); /* of that port alone, and in each round */
	assert_int_equal(w.ports[1].not_sent, 0);
	edge.tx_room = 1;
	for (uint8_t i = 6; i <= 9; i++)
		come_in(1, (struct edge_head){ i, FWD_REASON_FORWARDED, i < 8 ? 5 : 6, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(w.ports[0].not_sent, 4);
	assert_int_equal(w.ports[1].not_sent, 1);
}

/* An outbox has frames of each sort: what is lost of them is taken from what each was counted as. */
static void what_comes_through_an_outbox_keeps_what_it_was_counted_as(void **state)
{
	(void)state;
	w.ports[1].tx = -1;
	w.ports[1].outbox = (struct rte_ring *)(void *)&outbox;
	outbox.room = 3;
	come_in(1, (struct edge_head){ 1, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 2, FWD_REASON_ICMP_RELAYED, 6, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(outbox.n, 2);
	w.ports[1].tx = 3;
	w.n_workers = 2;
	edge.tx_room = 1;
	serve_all(&w, &r, false);
	assert_int_equal(cpus[1].reason[FWD_REASON_FORWARDED], 1);
	assert_int_equal(cpus[1].reason[FWD_REASON_ICMP_RELAYED], 0);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 1);
	assert_int_equal(w.ports[1].not_sent, 1);
}

static void a_frame_in_several_buffers_is_dropped_and_the_others_go_on(void **state)
{
	(void)state;
	come_in(1, (struct edge_head){ 1, FWD_REASON_FORWARDED, 6, 0, 0 });
	struct rte_mbuf *long_one =
	        come_in(1, (struct edge_head){ 2, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 3, FWD_REASON_FORWARDED, 6, 0, 0 });
	long_one->nb_segs = 2;
	long_one->pkt_len = 3000;
	assert_int_equal(serve_all(&w, &r, false), 3);
	assert_int_equal(edge.n_sent, 2);
	assert_sent(0, 2, 1);
	assert_sent(1, 2, 3);
	assert_int_equal(cpus[1].received, 3);
	assert_int_equal(cpus[1].received_bytes, 3000);
	assert_int_equal(cpus[1].reason[FWD_REASON_SEGMENTED], 1);
	come_in(1, (struct edge_head){ 4, FWD_REASON_FORWARDED, 6, 0, 0 })->nb_segs = 2;
	assert_int_equal(serve_all(&w, &r, false), 1); /* nothing is left of this burst */
	assert_int_equal(cpus[1].reason[FWD_REASON_SEGMENTED], 2);
	assert_int_equal(edge.n_sent, 2);
}

static void a_port_without_a_queue_of_ours_is_sent_by_through_its_outbox(void **state)
{
	(void)state;
	w.ports[1].tx = -1;
	w.ports[1].outbox = (struct rte_ring *)(void *)&outbox;
	outbox.room = 2;
	for (uint8_t i = 1; i <= 3; i++)
		come_in(1, (struct edge_head){ i, FWD_REASON_FORWARDED, 6, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_sent, 0);
	assert_int_equal(outbox.n, 2);
	assert_int_equal(cpus[1].reason[FWD_REASON_FORWARDED], 2);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 1);
	/* who has the queue sends them */
	w.ports[1].tx = 3;
	w.n_workers = 2;
	edge.tx_room = 1;
	assert_int_equal(serve_all(&w, &r, false), 2);
	assert_int_equal(edge.n_sent, 1);
	assert_sent(0, 2, 1);
	assert_int_equal(edge.sent[0].queue, 3);
	assert_int_equal(cpus[1].reason[FWD_REASON_FORWARDED], 1);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 2);
	assert_int_equal(outbox.n, 0);
}

/* Worker 1 of 2 keeps the upper half of the hashes. */
static void frames_of_other_workers_flows_are_handed_over(void **state)
{
	(void)state;
	w.n_workers = 2;
	w.index = 1;
	w.ports[0].spread = true;
	inboxes[0].room = 2;
	come_in(1, (struct edge_head){ 1, FWD_REASON_FORWARDED, 6, 0, 0x7fffffff });
	come_in(1, (struct edge_head){ 2, FWD_REASON_FORWARDED, 6, 0, 0x80000000 });
	come_in(1, (struct edge_head){ 3, FWD_REASON_FORWARDED, 6, 0, 0 });
	come_in(1, (struct edge_head){ 4, FWD_REASON_FORWARDED, 6, 0, 0x10000000 })->port = 0;
	assert_int_equal(serve_all(&w, &r, false), 4);
	assert_int_equal(inboxes[0].n, 2);
	assert_int_equal(edge_head(inboxes[0].frames[0])->mark, 1);
	assert_int_equal(edge_head(inboxes[0].frames[1])->mark, 3);
	assert_int_equal(w.counts.handed_over, 2);
	assert_int_equal(edge.n_sent, 2); /* its own, and what the other one is overrun by */
	assert_sent(0, 2, 2);
	assert_sent(1, 2, 4);
	/* the other one has no queue of the port */
	w.index = 0;
	for (uint32_t i = 0; i < N_PORTS; i++)
		w.ports[i].rx = -1;
	assert_int_equal(serve_all(&w, &r, false), 2);
	assert_int_equal(edge.n_sent, 4);
	assert_sent(2, 2, 1);
	assert_sent(3, 2, 3);
	assert_int_equal(edge.ingress[0], 5);
	assert_int_equal(edge.ingress[1], 5);
	assert_int_equal(w.counts.frames, 4); /* counted where they came in */
}

static void a_frame_whose_port_went_meanwhile_is_dropped(void **state)
{
	(void)state;
	w.n_workers = 2;
	for (uint8_t i = 0; i < 3; i++) {
		struct rte_mbuf *m =
		        edge_make((struct edge_head){ i, FWD_REASON_ECHO_REPLIED, 0, 0, 0 });

		m->port = i == 1 ? 7 : 3;
		edge_put(&inboxes[0], m);
	}
	assert_int_equal(serve_all(&w, &r, false), 3);
	assert_int_equal(edge.n_sent, 2);
	assert_sent(0, 3, 0);
	assert_sent(1, 3, 2);
	assert_int_equal(edge.ingress[0], 7);
	assert_int_equal(edge.ingress[1], 0);
	assert_int_equal(cpus[1].reason[FWD_REASON_NOT_SENT], 1);
	assert_int_equal(cpus[1].reason[FWD_REASON_ECHO_REPLIED], 2);
}

static void flows_are_noted_of_a_watched_port_alone(void **state)
{
	(void)state;
	w.ports[1].watched = true;
	serve_all(&w, &r, false); /* nothing came */
	for (uint16_t port = 1; port <= N_PORTS; port++) {
		come_in(port, (struct edge_head){ 1, FWD_REASON_MARTIAN, 0, 0, 5 });
		come_in(port, (struct edge_head){ 2, FWD_REASON_MARTIAN, 0, 0, 9 });
	}
	serve_all(&w, &r, false);
	assert_int_equal(w.seen[0], 0);
	assert_int_equal(w.seen[1], 1 << 5); /* the first one of a burst is enough */
	assert_int_equal(w.seen[2], 0);
	come_in(2, (struct edge_head){ 1, FWD_REASON_MARTIAN, 0, 0, 9 });
	serve_all(&w, &r, false);
	assert_int_equal(w.seen[1], 1 << 5 | 1 << 9);
}

static void the_time_is_asked_for_each_millisecond_and_given_to_the_tables(void **state)
{
	(void)state;
	w.time_every = 1000;
	edge.tsc = 5000;
	edge.clock.tv_sec = 100;
	serve_all(&w, &r, false);
	assert_int_equal(w.now_s, 100);
	edge.clock.tv_sec = 101;
	edge.tsc = 5999;
	serve_all(&w, &r, false);
	assert_int_equal(w.now_s, 100);
	edge.tsc = 6000;
	come_in(1, (struct edge_head){ 1, FWD_REASON_MARTIAN, 0, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(w.now_s, 101);
	assert_int_equal(edge.burst_now_s, 101);
}

/* Rounds that follow each other have one clock reading between them; an idle one ends the chain. */
static void cycles_are_counted_of_rounds_that_had_frames(void **state)
{
	(void)state;
	edge.tsc = 1000;
	r.ended_tsc = 900;
	come_in(1, (struct edge_head){ 1, FWD_REASON_MARTIAN, 0, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(w.counts.cycles, 100);
	assert_int_equal(r.ended_tsc, 1000);
	edge.tsc = 1250;
	serve_all(&w, &r, false); /* nothing came */
	assert_int_equal(w.counts.cycles, 100);
	assert_int_equal(r.ended_tsc, 0);
	edge.tsc = 2000;
	come_in(1, (struct edge_head){ 1, FWD_REASON_MARTIAN, 0, 0, 0 });
	serve_all(&w, &r, false);
	assert_int_equal(w.counts.cycles, 100);
}

static void the_hosts_own_frames_leave_by_their_port_and_lost_ones_are_counted_apart(void **state)
{
	(void)state;
	w.ports[1].tap = 0;
	w.ports[2].tap = 3;
	for (uint8_t i = 0; i < 3; i++)
		edge_put(&edge.taps[2], edge_make((struct edge_head){ i, 0, 0, 0, 0 }));
	edge_put(&edge.taps[3], edge_make((struct edge_head){ 7, 0, 0, 0, 0 }));
	edge.tx_room = 2;
	assert_int_equal(serve_all(&w, &r, true), 4);
	assert_int_equal(edge.n_sent, 3);
	assert_sent(0, 2, 0);
	assert_sent(1, 2, 1);
	assert_sent(2, 3, 7);
	assert_int_equal(w.counts.from_kernel_lost, 1);
	for (unsigned int k = 0; k < FWD_REASON_COUNT; k++)
		assert_int_equal(cpus[1].reason[k], 0); /* they are no traffic */
	assert_int_equal(w.counts.frames, 0);
}

static void taps_are_read_now_and_then_and_by_an_idle_worker_always(void **state)
{
	(void)state;
	w.ports[0].tap = 3;
	w.tap_every = w.tap_wait = 100;
	w.tap_tsc = edge.tsc;
	edge_put(&edge.taps[1], edge_make((struct edge_head){ 1, 0, 0, 0, 0 }));
	edge.tsc += 99;
	assert_int_equal(serve_all(&w, &r, false), 0);
	edge.tsc += 1;
	assert_int_equal(serve_all(&w, &r, false), 1);
	edge_put(&edge.taps[1], edge_make((struct edge_head){ 2, 0, 0, 0, 0 }));
	edge.tsc += 99;
	assert_int_equal(serve_all(&w, &r, false), 0);
	assert_int_equal(serve_all(&w, &r, true), 1);
	assert_int_equal(edge.n_sent, 2);
}

static void taps_that_have_nothing_are_read_less_often(void **state)
{
	static const uint64_t waits[] = { 100, 200, 400, 800, 800, 800 };

	(void)state;
	w.ports[0].tap = 3;
	w.tap_every = w.tap_wait = 100;
	w.tap_tsc = edge.tsc;
	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		assert_int_equal(w.tap_wait, waits[i]);
		edge.tsc += waits[i];
		assert_int_equal(serve_all(&w, &r, false), 0);
		assert_int_equal(w.tap_tsc, edge.tsc);
	}
	edge_put(&edge.taps[1], edge_make((struct edge_head){ 1, 0, 0, 0, 0 }));
	edge.tsc += 799;
	assert_int_equal(serve_all(&w, &r, false), 0);
	edge.tsc += 1;
	assert_int_equal(serve_all(&w, &r, false), 1);
	assert_int_equal(w.tap_wait, 100);
}

static void a_bond_is_sent_by_in_time_by_who_has_its_first_queue(void **state)
{
	(void)state;
	w.keep_every = 1000;
	w.keep_tsc = edge.tsc;
	w.ports[0].keep = true;
	edge.tsc += 999;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_empty_sends, 0);
	edge.tsc += 1;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_empty_sends, 1);
	edge.tsc += 999;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_empty_sends, 1);
	edge.tsc += 1;
	w.ports[0].tx = 1;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_empty_sends, 1);
	edge.tsc += 1000;
	w.ports[0].tx = -1;
	w.ports[0].outbox = (struct rte_ring *)(void *)&outbox;
	serve_all(&w, &r, false);
	assert_int_equal(edge.n_empty_sends, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_bursts_size_is_counted_by_its_power_of_two),
		T(a_forwarded_frame_leaves_by_its_backends_port_as_the_verdict_left_it),
		T(a_burst_is_sent_whole_and_what_came_is_counted),
		T(a_frame_to_be_sent_goes_back_or_to_its_backend),
		T(what_is_dropped_is_freed_and_what_is_passed_goes_to_its_ports_tap),
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
		T(the_hosts_own_frames_leave_by_their_port_and_lost_ones_are_counted_apart),
		T(taps_are_read_now_and_then_and_by_an_idle_worker_always),
		T(taps_that_have_nothing_are_read_less_often),
		T(a_bond_is_sent_by_in_time_by_who_has_its_first_queue),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
