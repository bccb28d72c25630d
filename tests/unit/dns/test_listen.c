/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of weir-dns, real ones in a network namespace of the test's own: which there are, and
 * until when.
 */
#include "tests/unit/dns/listen_scene.h"
#include "tests/unit/suite.h"

static void each_address_has_a_socket_of_each_kind_for_each_thread(void **state)
{
	(void)state;
	m.dns_threads = 3;
	update_listen();
	assert_int_equal(s.n_listens, 2);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned kind = 0; kind < 2; kind++) {
			assert_int_equal(s.listens[i].n[kind], 3);
			for (unsigned k = 0; k < 3; k++) {
				int fd = s.listens[i].fds[kind][k];

				assert_true(handed_is_bound(fd, &wanted[i], kinds[kind]));
				assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
				assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			}
		}
	assert_int_equal(s.n_threads, 3);
	assert_true(s.again_ms == 0 && s.drain_ms == 0);
	update_listen(); /* nothing has changed */
	assert_int_equal(count_fds(), n_fds_before + 12);
	want_addresses(1);
	update_listen();
	assert_int_equal(s.n_listens, 1);
	assert_int_equal(count_fds(), n_fds_before + 6);
	wanted[0] = loopback_of(7); /* another one in its place */
	update_listen();
	assert_int_equal(s.n_listens, 1);
	assert_true(handed_is_bound(s.listens[0].fds[0][0], &wanted[0], SOCK_DGRAM));
	m.self = NULL; /* this node is none any more */
	update_listen();
	assert_int_equal(s.n_listens, 0);
	assert_int_equal(count_fds(), n_fds_before);
}

/* A UDP socket of the test's that sends to PORT of 127.0.0.1. */
static void send_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct sockaddr_storage to;
		struct addr a = loopback_of(1);
		socklen_t length = addr_to_sockaddr(&a, PORT, &to);
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* a port of its own */

		assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, length), 1);
		close(fd);
	}
}

static unsigned take_all(int fd)
{
	char bytes[16];
	unsigned n = 0;

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void sockets_too_many_get_nothing_and_are_closed_when_they_are_empty(void **state)
{
	unsigned spread = 0;

	(void)state;
	m.dns_threads = 3;
	want_addresses(1);
	update_listen();
	send_some(60);
	for (unsigned k = 0; k < 3; k++)
		spread += take_all(s.listens[0].fds[0][k]) > 0;
	assert_int_equal(spread, 3);
	m.dns_threads = 1;
	update_listen();
	assert_int_equal(s.n_threads, 1);
	assert_int_equal(s.listens[0].n[0], 3); /* what waits there is still read */
	send_some(60);
	assert_int_equal(take_all(s.listens[0].fds[0][0]), 60);
	assert_int_equal(s.drain_ms, simulated.now_ms + DRAIN_MS);
	note_answers();
	tick_listen(s.drain_ms - 1);
	assert_int_equal(s.listens[0].n[1], 3);
	(void)count_plans();
	tick_listen(s.drain_ms);
	assert_true(s.listens[0].n[0] == 1 && s.listens[0].n[1] == 1);
	assert_int_equal(count_plans(), 1); /* the threads let go of theirs, too */
	assert_int_equal(count_fds(), n_fds_before + 2);
	assert_int_equal(s.drain_ms, 0);
	send_some(20);
	assert_int_equal(take_all(s.listens[0].fds[0][0]), 20);
	m.dns_threads = 2; /* and more again */
	update_listen();
	send_some(60);
	assert_true(take_all(s.listens[0].fds[0][0]) > 0 && take_all(s.listens[0].fds[0][1]) > 0);
}

/* Only one of the addresses has too many: the others do not make that forgotten. */
static void one_address_with_too_many_is_drained_beside_others(void **state)
{
	(void)state;
	m.dns_threads = 2;
	want_addresses(1);
	update_listen();
	m.dns_threads = 1;
	want_addresses(2);
	update_listen();
	assert_true(s.drain_ms > 0);
	note_answers();
	tick_listen(s.drain_ms);
	assert_int_equal(count_fds(), n_fds_before + 4);
}

/* Twice: an address that goes and comes is asked again, and leaves no descriptor. */
static void an_address_is_queried_while_it_is_served(void **state)
{
	(void)state;
	for (int life = 0; life < 2; life++) {
		want_addresses(2);
		update_listen();
		tick_listen(simulated.now_ms);
		for (unsigned i = 0; i < 2; i++)
			assert_true(s.listens[i].own.fd >= 0 && !s.listens[i].own.answered);
		assert_int_equal(take_all(s.listens[1].fds[0][0]), 1);
		want_addresses(1);
		update_listen();
		assert_int_equal(count_fds(), n_fds_before + 3);
		want_addresses(0);
		update_listen();
		assert_int_equal(count_fds(), n_fds_before);
	}
}

static void what_cannot_be_bound_stops_no_other_and_is_tried_again(void **state)
{
	int other;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned kind = 0; kind < 2; kind++) {
			other = occupy_port(&wanted[i], kinds[kind]);
			update_listen();
			assert_int_equal(s.listens[i].n[kind], 0);
			assert_int_equal(s.listens[i].n[!kind], 1);
			assert_true(s.listens[!i].n[0] && s.listens[!i].n[1]);
			assert_int_equal(s.again_ms, simulated.now_ms + AGAIN_MS);
			close(other);
			tick_listen(s.again_ms - 1);
			assert_int_equal(s.listens[i].n[kind], 0);
			tick_listen(s.again_ms);
			assert_int_equal(s.listens[i].n[kind], 1);
			assert_int_equal(s.again_ms, 0);
			close_listen();
		}
	no_threads = true; /* sockets without a thread are no service either */
	update_listen();
	assert_int_equal(s.again_ms, simulated.now_ms + AGAIN_MS);
}

static void a_port_that_was_in_use_can_be_bound_at_once(void **state)
{
	struct sockaddr_storage to;
	socklen_t length = addr_to_sockaddr(&wanted[0], PORT, &to);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	(void)state;
	want_addresses(1);
	update_listen();
	assert_int_equal(connect(client, (struct sockaddr *)&to, length), 0);
	server = accept4(s.listens[0].fds[1][0], NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	close(server); /* first: the port waits for a minute */
	close(client);
	close_listen();
	update_listen();
	assert_int_equal(s.listens[0].n[1], 1);
}

static void what_was_bound_early_is_taken_and_the_rest_is_closed(void **state)
{
	(void)state;
	m.dns_threads = 2;
	/* the second one is not wanted any more */
	write_document("a", (const struct addr[]){ wanted[1], wanted[4] }, 2);
	listen_early(&s);
	assert_int_equal(s.n_early, 8);
	int first = s.early[0], second = s.early[1];

	update_listen();
	assert_int_equal(s.n_early, 0);
	assert_int_equal(s.listens[1].fds[0][0], first); /* in the order of binding */
	assert_int_equal(s.listens[1].fds[0][1], second);
	assert_int_equal(count_fds(), n_fds_before + 8);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
	return value;
}

static void sockets_that_are_handed_down_are_duplicated_and_none_is_made_beside_them(void **state)
{
	(void)state;
	want_addresses(1);
	m.dns_threads = 3;
	hold_sockets(0, 2);
	hold_sockets(1, 2);
	update_listen();
	for (unsigned kind = 0; kind < 2; kind++) {
		assert_int_equal(s.listens[0].n[kind],
		                 2); /* the third is the supervisor's to make */
		assert_int_not_equal(s.listens[0].fds[kind][0], HELD_FD(kind, 0));
		assert_true(fcntl(s.listens[0].fds[kind][1], F_GETFL) & O_NONBLOCK);
		if (kinds[kind] == SOCK_DGRAM) /* what a supervisor made gets it, too */
			assert_int_equal(
			        option_of(s.listens[0].fds[kind][1], IPPROTO_IP, IP_MTU_DISCOVER),
			        IP_PMTUDISC_OMIT);
	}
	assert_int_equal(s.n_threads, 2); /* as many threads as have sockets */
	assert_int_equal(s.again_ms, 0);
	m.dns_threads = 1;
	update_listen();
	tick_listen(s.drain_ms);
	for (unsigned kind = 0; kind < 2; kind++) /* so that their packets are nobody's no more */
		assert_true(is_held(kind, 0) && !is_held(kind, 1));
	assert_int_equal(s.listens[0].n[0], 1);
}

static void what_is_not_handed_down_of_an_address_is_bound(void **state)
{
	(void)state;
	want_addresses(1);
	hold_sockets(0, 1); /* of an older supervisor: UDP alone */
	update_listen();
	assert_true(s.listens[0].n[0] == 1 && s.listens[0].n[1] == 1);
	assert_int_equal(s.again_ms, 0);
}

static void more_than_are_wanted_are_read_until_they_may_go(void **state)
{
	(void)state;
	want_addresses(1);
	hold_sockets(0, 3);
	hold_sockets(1, 1);
	update_listen();
	assert_int_equal(s.listens[0].n[0], 3);
	assert_int_equal(s.n_threads, 1);
	assert_int_equal(s.drain_ms, simulated.now_ms + DRAIN_MS);
	s.passed_ms = simulated.now_ms -
	              1000; /* they have just come: the document that wants them has its time */
	update_listen();
	assert_int_equal(s.drain_ms, s.passed_ms + PASSED_MS);
	s.passed_ms = simulated.now_ms - PASSED_MS + DRAIN_MS - 1;
	update_listen();
	assert_int_equal(s.drain_ms, simulated.now_ms + DRAIN_MS);
	m.dns_threads = 3;
	update_listen();
	assert_true(s.drain_ms == 0 && s.passed_ms == 0);
}

static void more_addresses_than_there_is_room_for_stop_none(void **state)
{
	(void)state;
	want_addresses(SERVER_SOCKETS_MAX + 1);
	update_listen();
	assert_int_equal(s.n_listens, SERVER_SOCKETS_MAX);
	assert_int_equal(count_fds(), n_fds_before + 2 * SERVER_SOCKETS_MAX);
	assert_true(s.again_ms > 0);
}

/*
 * A burst waits in UDP's room; TCP starts again at once beside connections that linger; IPv6
 * leaves IPv4 to others.
 */
static void sockets_have_the_options_that_their_kind_needs(void **state)
{
	(void)state;
	assert_int_equal(addr_parse("::1", &wanted[1]), 0);
	update_listen();
	for (unsigned i = 0; i < 2; i++) {
		int udp = s.listens[i].fds[0][0], tcp = s.listens[i].fds[1][0];

		assert_true(option_of(udp, SOL_SOCKET, SO_RCVBUF) >= SERVER_RCVBUF);
		assert_true(option_of(tcp, SOL_SOCKET, SO_RCVBUF) < SERVER_RCVBUF);
		assert_int_equal(option_of(udp, SOL_SOCKET, SO_REUSEADDR), 0);
		assert_int_equal(option_of(tcp, SOL_SOCKET, SO_REUSEADDR), 1);
		assert_int_equal(option_of(tcp, SOL_SOCKET, SO_ACCEPTCONN), 1);
		assert_int_equal(i ? option_of(udp, IPPROTO_IPV6, IPV6_MTU_DISCOVER)
		                   : option_of(udp, IPPROTO_IP, IP_MTU_DISCOVER),
		                 i ? IPV6_PMTUDISC_OMIT : IP_PMTUDISC_OMIT);
		for (unsigned kind = 0; i && kind < 2; kind++)
			assert_int_equal(
			        option_of(s.listens[1].fds[kind][0], IPPROTO_IPV6, IPV6_V6ONLY), 1);
	}
	assert_int_equal(s.again_ms, 0);
}

static void without_a_document_nothing_is_tried_again(void **state)
{
	(void)state;
	update_listen();
	(void)count_plans();
	s.now = NULL;
	s.again_ms = 1;
	tick_listen(simulated.now_ms);
	assert_int_equal(count_plans(), 0);
	s.now = &g;
	s.again_ms = simulated.now_ms + 1;
	tick_listen(simulated.now_ms);
	assert_int_equal(count_plans(), 0);
	tick_listen(simulated.now_ms + 1);
	assert_int_equal(count_plans(), 1);
	assert_int_equal(s.again_ms, 0);
}

SUITE(listen)
{
	const struct CMUnitTest tests[] = {
		WITH(each_address_has_a_socket_of_each_kind_for_each_thread),
		WITH(sockets_too_many_get_nothing_and_are_closed_when_they_are_empty),
		WITH(one_address_with_too_many_is_drained_beside_others),
		WITH(an_address_is_queried_while_it_is_served),
		WITH(what_cannot_be_bound_stops_no_other_and_is_tried_again),
		WITH(a_port_that_was_in_use_can_be_bound_at_once),
		WITH(what_was_bound_early_is_taken_and_the_rest_is_closed),
		WITH(sockets_that_are_handed_down_are_duplicated_and_none_is_made_beside_them),
		WITH(what_is_not_handed_down_of_an_address_is_bound),
		WITH(more_than_are_wanted_are_read_until_they_may_go),
		WITH(more_addresses_than_there_is_room_for_stop_none),
		WITH(sockets_have_the_options_that_their_kind_needs),
		WITH(without_a_document_nothing_is_tried_again),
	};

	answer_bind = own_bind;
	simulated_clock();
	answer_geteuid = own_geteuid;
	answer_pthread_create = own_pthread_create;
	answer_pthread_join = own_pthread_join;
	answer_sched_getaffinity = own_sched_getaffinity;
	answer_setsockopt = own_setsockopt;
	logged_begin();
	if (geteuid())
		return 77;
	return cmocka_run_group_tests_name("dns listen", tests, enter_space, NULL);
}
