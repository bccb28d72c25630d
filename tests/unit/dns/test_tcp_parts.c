/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP clients as their thread keeps them: who is taken, whose turn it is, who is closed and why.
 * The clock is the test's.
 */
#include "tests/unit/dns/tcp_scene.h"

static void connections_are_counted_while_they_are_there(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turn();
	assert_true(accepted == 3 && opened == 3 && tcp_clients(w) == 3);
	next_end = TCP_CLIENT_DONE;
	run_turn();
	assert_true(opened == 0 && closed[COUNTERS_CLOSE_CLIENT] == 3);
	connect_from(1);
	run_turn();
	next_end = TCP_CLIENT_BAD;
	run_turn();
	assert_true(opened == 0 && closed[COUNTERS_CLOSE_BAD] == 1 && accepted == 4);
}

static void who_makes_no_progress_is_closed_at_the_limit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turn();
	time_ms += IDLE_MS - 1;
	enqueue_client(w->tcp, client_of(0)); /* bytes that make no query are no sign of life */
	serve_queue(w);
	next_work.progress = true;
	enqueue_client(w->tcp, client_of(1));
	serve_queue(w);
	client_of(2)->n_out = 5; /* it does not read what it asked for */
	run_tick();
	assert_int_equal(tcp_clients(w), 3);
	time_ms++;
	run_tick();
	assert_true(tcp_clients(w) == 1 && client_of(1));
	assert_true(closed[COUNTERS_CLOSE_IDLE] == 1 && closed[COUNTERS_CLOSE_UNREAD] == 1);
	assert_true(w->tcp->tick.heap_index); /* it goes on while anybody is there */
	time_ms += IDLE_MS - 1;
	run_tick();
	assert_int_equal(tcp_clients(w), 0);
	assert_false(w->tcp->tick.heap_index);
}

static void the_longest_idle_of_the_largest_network_makes_room(void **state)
{
	static const unsigned networks[] = { 7, 8, 8, 9 };

	(void)state;
	tcp_limit(w, 4);
	for (unsigned i = 0; i < 4; i++) {
		connect_from(networks[i]);
		note_ready();
		time_ms++;
	}
	assert_int_equal(tcp_clients(w), 4); /* exactly as many as there may be */
	assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], 0);
	connect_from(7);
	note_ready();
	assert_int_equal(tcp_clients(w), 4);
	assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], 1);
	assert_null(client_of(1)); /* the older of the two of network 8 */
	assert_true(client_of(0) && client_of(2) && client_of(3) && client_of(4));
	connect_from(9); /* 7 has two now, the older of which is the first of all */
	note_ready();
	assert_null(client_of(0));
	connect_from(10); /* 9 has two: who closed counts no more */
	note_ready();
	assert_null(client_of(3));
	assert_int_equal(tcp_clients(w), 4);
}

static void a_place_in_the_queue_is_one_whoever_has_it(void **state)
{
	(void)state;
	tcp_limit(w, 1);
	for (unsigned i = 0; i < 20; i++) {
		connect_from(1);
		note_ready(); /* takes it in the place of the one before, which is still in the queue */
		note_ready();
		assert_true(w->tcp->n_queued <= 1);
	}
	serve_queue(w);
	assert_int_equal(n_served, 1);
	assert_int_equal(w->tcp->n_queued, 0);
}

static void all_get_their_turn_and_a_turn_has_an_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	note_ready();
	note_ready();
	next_end = TCP_CLIENT_MORE;
	serve_queue(w);
	serve_queue(w);
	assert_int_equal(n_served, 6);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(served[i], served[i + 3]);
	assert_true(served[0] != served[1] && served[1] != served[2]);
	next_work.n_queries = TURN_QUERIES / 2;
	n_served = 0;
	serve_queue(w);
	assert_int_equal(n_served, 2);
	assert_true(w->tcp->again.heap_index); /* the rest comes in the next turn */
	next_work = (struct tcp_work){ .n_bytes = TURN_BYTES };
	n_served = 0;
	serve_queue(w);
	assert_int_equal(n_served, 1);
	next_work = (struct tcp_work){ .n_queries = TURN_QUERIES / BUSY_PART };
	s.workers[0].udp_waits = true; /* UDP of the same number comes first */
	n_served = 0;
	serve_queue(w);
	assert_int_equal(n_served, 1);
	next_work = (struct tcp_work){ .n_bytes = TURN_BYTES / BUSY_PART };
	s.workers[0].udp_waits = true; /* nor is more written */
	n_served = 0;
	serve_queue(w);
	assert_int_equal(n_served, 1);
	n_served = 0;
	serve_queue(w); /* it waits no more */
	assert_int_equal(n_served, 3);
}

static rlim_t limit_descriptors(rlim_t n)
{
	struct rlimit limit;
	rlim_t before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void without_descriptors_none_is_taken_for_a_while(void **state)
{
	(void)state;
	connect_from(1);
	rlim_t before = limit_descriptors(3);

	note_ready();
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(paused, 1);
	note_ready(); /* the listening socket does not keep the loop awake */
	assert_int_equal(paused, 1);
	limit_descriptors(before);
	time_ms += PAUSE_MS - 1;
	run_tick();
	note_ready();
	assert_int_equal(tcp_clients(w), 0);
	int second = dup(listener);
	struct epoll_event e;
	assert_int_equal(tcp_listen_add(w, second), 0); /* nor does one that comes meanwhile */
	assert_int_equal(epoll_wait(w->tcp->epoll_fd, &e, 1, 0), 0);
	note_ready();
	assert_int_equal(tcp_clients(w), 0);
	time_ms++;
	run_tick();
	note_ready();
	assert_int_equal(tcp_clients(w), 1);
	tcp_listen_remove(w, second);
	close(second);
}

static void who_is_idle_makes_room_once_a_turn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		connect_from(i);
	run_turn();
	for (unsigned i = 0; i < 4; i++)
		connect_from(5);
	rlim_t before = limit_descriptors(3); /* what is closed does not help, as others take it */

	for (unsigned i = 1; i <= 2; i++) {
		note_ready();
		assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], i);
		assert_int_equal(paused, i);
		time_ms += PAUSE_MS;
		run_tick();
	}
	limit_descriptors(before);
	note_ready();
	assert_int_equal(tcp_clients(w), 6);
}

static void all_are_closed_at_the_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turn();
	assert_int_equal(opened, 3);
	tcp_close(w);
	tally_flush(&w->tally);
	assert_int_equal(opened, 0);
	for (unsigned i = 0; i < 3; i++) {
		char byte;

		assert_int_equal(recv(peers[i], &byte, 1, 0), 0); /* and their clients hear of it */
	}
	assert_int_equal(tcp_open(w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(connections_are_counted_while_they_are_there),
		WITH(who_makes_no_progress_is_closed_at_the_limit),
		WITH(the_longest_idle_of_the_largest_network_makes_room),
		WITH(a_place_in_the_queue_is_one_whoever_has_it),
		WITH(all_get_their_turn_and_a_turn_has_an_end),
		WITH(without_descriptors_none_is_taken_for_a_while),
		WITH(who_is_idle_makes_room_once_a_turn),
		WITH(all_are_closed_at_the_end),
	};

	return cmocka_run_group_tests_name("dns tcp parts", tests, NULL, NULL);
}
