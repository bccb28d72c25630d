/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP at its edges: errors of the kernel's, events, limits, and the lists of clients and
 * listeners.
 */
#include "tests/unit/dns/tcp_scene.h"

/*
 * Want of room pauses, what concerns one connection lets the next one in, and anything else waits
 * for the next turn.
 */
static void a_failed_accept_is_taken_for_what_it_is(void **state)
{
	static const struct {
		int error;
		unsigned paused, n_clients; /* after the turn */
	} cases[] = {
		{ EMFILE, 1, 0 }, { ENFILE, 1, 0 },       { ENOBUFS, 1, 0 }, { ENOMEM, 1, 0 },
		{ EINTR, 0, 1 },  { ECONNABORTED, 0, 1 }, { EAGAIN, 0, 0 },  { EPERM, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		connect_from(1);
		paused = n_accepts = 0;
		accept_error = cases[i].error;
		note_ready();
		assert_int_equal(paused, cases[i].paused);
		assert_int_equal(w->tcp->paused, cases[i].paused);
		assert_int_equal(tcp_clients(w), cases[i].n_clients);
		assert_true(cases[i].n_clients || n_accepts == 1);
		assert_true(!cases[i].paused ||
		            (w->tcp->tick.heap_index && w->tcp->resume_ms == time_ms + PAUSE_MS));
		time_ms += PAUSE_MS;
		run_tick();
		note_ready(); /* nothing keeps it out for good */
		assert_int_equal(tcp_clients(w), 1);
		next_end = TCP_CLIENT_DONE;
		run_turn();
		assert_int_equal(tcp_clients(w), 0);
	}
}

static void a_turn_takes_so_many_of_all_listeners_together(void **state)
{
	int second = dup(listener);

	(void)state;
	assert_int_equal(tcp_listen_add(w, second), 0);
	for (unsigned i = 0; i < ACCEPT_BURST + 3; i++)
		connect_from(i);
	note_ready();
	assert_int_equal(tcp_clients(w), ACCEPT_BURST);
	assert_int_equal(n_accepts, ACCEPT_BURST);
	note_ready();
	assert_int_equal(tcp_clients(w), ACCEPT_BURST + 3);
	tcp_listen_remove(w, second);
	close(second);
}

/* What an event says of a client; it waits for room to write, and had nothing to read. */
static void events_are_noted_as_what_they_are(void **state)
{
	static const struct {
		uint32_t events;
		bool readable, ended, waits;
	} cases[] = {
		{ EPOLLIN, true, false, true },
		{ EPOLLOUT, false, false, false },
		{ EPOLLRDHUP, true, true, true },
		{ EPOLLHUP, true, true, false },
		{ EPOLLERR, true, true, false },
		{ EPOLLIN | EPOLLOUT, true, false, false },
		{ EPOLLIN | EPOLLRDHUP, true, true, true },
	};

	(void)state;
	connect_from(1);
	connect_from(2);
	run_turn();
	run_turn();
	struct tcp_client *c = client_of(1), *other = client_of(0);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c->readable = c->ended = other->readable = false;
		c->waits = other->waits = true;
		planned[0] = (struct epoll_event){ .events = cases[i].events,
			                           .data.u64 = client_index(w->tcp, c) };
		n_planned = 1;
		note_ready();
		assert_int_equal(c->readable, cases[i].readable);
		assert_int_equal(c->ended, cases[i].ended);
		assert_int_equal(c->waits, cases[i].waits);
		assert_true(c->queued && !other->queued && other->waits && !other->readable);
		assert_true(w->tcp->again.heap_index && w->tcp->again.at_ms == time_ms);
		planned[0].events = EPOLLOUT; /* it adds to what was said before */
		n_planned = 1;
		note_ready();
		assert_int_equal(c->readable, cases[i].readable);
		assert_int_equal(c->ended, cases[i].ended);
		serve_queue(w);
	}
}

/* A client that is taken in the same turn in another's place has none of its events. */
static void a_new_client_has_nothing_of_the_one_before(void **state)
{
	(void)state;
	tcp_limit(w, 1);
	connect_from(1);
	run_turn();
	run_turn();
	struct tcp_client *c = client_of(0);

	c->n_in = c->n_out = c->out_at = 7;
	c->ended = c->waits = c->readable = true;
	connect_from(2);
	note_ready();
	assert_ptr_equal(client_of(1), c);
	assert_true(c->n_in == 0 && c->n_out == 0 && c->out_at == 0);
	assert_false(c->ended || c->waits || c->readable || c->large);
	assert_int_equal(c->seen_ms, time_ms);
}

static void what_a_large_client_used_is_given_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		connect_from(i);
	run_turn();
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_client *c = client_of(i);
		struct tcp_buffers *b = &w->tcp->buffers[client_index(w->tcp, c)];

		memset(b, 7, sizeof(*b));
		c->large = i;
		close_tcp_client(w, c, COUNTERS_CLOSE_CLIENT);
		assert_int_equal(b->in[sizeof(b->in) / 2], i ? 0 : 7);
		assert_int_equal(b->out[sizeof(b->out) / 2], i ? 0 : 7);
	}
}

/* Whole pages, and nothing of a neighbour's, wherever the buffers begin. */
static void what_is_given_back_is_no_neighbours(void **state)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	struct tcp_buffers *all = w->tcp->buffers;

	(void)state;
	for (unsigned i = 1; i < 5; i++) {
		const uint8_t *from = (uint8_t *)&all[i], *end = (uint8_t *)&all[i + 1];
		unsigned n_wrong = 0;

		memset(all, 7, 6 * sizeof(*all));
		release_buffers(&all[i]);
		for (const uint8_t *at_byte = (uint8_t *)all; at_byte < (uint8_t *)&all[6];
		     at_byte++) {
			const uintptr_t first = (uintptr_t)at_byte & ~(page - 1);
			bool own = first >= (uintptr_t)from && first + page <= (uintptr_t)end;

			n_wrong += *at_byte != (own ? 0 : 7);
		}
		assert_int_equal(n_wrong, 0);
	}
}

/* Who does not read its answers, and who asks nothing. */
static void the_idle_are_counted_by_what_they_left_undone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	note_ready();
	client_of(1)->n_out = 5;
	time_ms += IDLE_MS - 1;
	run_tick();
	assert_int_equal(tcp_clients(w), 3);
	time_ms++;
	run_tick();
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(closed[COUNTERS_CLOSE_UNREAD], 1);
	assert_int_equal(closed[COUNTERS_CLOSE_IDLE], 2);
	assert_int_equal(w->tcp->tick.heap_index, 0); /* nobody is left: the server sleeps */
}

/* A timer that is set stays where it is, and is set only for those who need it. */
static void timers_are_neither_moved_nor_set_for_nobody(void **state)
{
	struct tcp *t = w->tcp;

	(void)state;
	assert_true(t->again.cb == serve_queue && t->again.arg == w);
	assert_true(t->tick.cb == on_tcp_tick && t->tick.arg == w);
	for (uint32_t i = 0; i < TCP_CLIENTS_MAX; i++)
		assert_int_equal(client_at(t, i)->fd, -1);
	note_ready();
	serve_queue(w);
	assert_true(!t->tick.heap_index && !t->again.heap_index);
	connect_from(1);
	note_ready();
	assert_int_equal(t->tick.at_ms, time_ms + TICK_MS);
	time_ms += 5;
	connect_from(2);
	note_ready();
	assert_int_equal(t->tick.at_ms, time_ms - 5 + TICK_MS);
	note_ready(); /* both can be written to */
	assert_true(t->n_queued && t->again.heap_index);
	loop_timer_cancel(w->loop, &t->again);
	serve_queue(w);
	assert_true(!t->n_queued && !t->again.heap_index);
	assert_int_equal(loop_timer_set(w->loop, &t->again, time_ms + 7), 0);
	assert_int_equal(send(peers[0], "", 1, 0), 1);
	note_ready();
	assert_true(t->n_queued);
	assert_int_equal(t->again.at_ms, time_ms + 7);
}

/* One client makes room in a turn; then all listeners wait, also the one that comes next. */
static void room_is_made_once_for_all_listeners(void **state)
{
	int second = dup(listener);

	(void)state;
	assert_int_equal(tcp_listen_add(w, second), 0);
	connect_from(1);
	note_ready();
	connect_from(2);
	n_accepts = 0;
	accept_error = EMFILE;
	note_ready();
	assert_int_equal(paused, 0);
	assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], 1);
	assert_int_equal(tcp_clients(w), 1); /* the new one has its room */
	connect_from(3);
	w->tcp->short_of_room = false;
	next_end = TCP_CLIENT_DONE;
	run_turn();
	n_accepts = 0;
	while (w->tcp->n)
		close_tcp_client(w, client_at(w->tcp, w->tcp->oldest), COUNTERS_CLOSE_CLIENT);
	connect_from(4);
	accept_error = EMFILE;
	note_ready();
	assert_int_equal(paused, 1);
	assert_int_equal(n_accepts, 1);
	tcp_listen_remove(w, second);
	close(second);
}

static void clients_keep_their_order_when_the_queue_goes_round(void **state)
{
	struct tcp *t = w->tcp;

	(void)state;
	for (uint32_t i = 0; i < 3 * TCP_CLIENTS_MAX + 5; i++) {
		for (uint32_t k = 0; k < 3; k++) {
			enqueue_client(t, client_at(t, (i + k) % TCP_CLIENTS_MAX));
			enqueue_client(t,
			               client_at(t, i % TCP_CLIENTS_MAX)); /* it is there already */
		}
		for (uint32_t k = 0; k < 3; k++)
			assert_int_equal(client_index(t, dequeue_client(t)),
			                 (i + k) % TCP_CLIENTS_MAX);
		assert_int_equal(t->n_queued, 0);
	}
}

/* Those idle longest come first, whoever goes or shows life; both directions of the list agree. */
static void the_list_of_idle_clients_is_in_order(void **state)
{
	struct tcp *t = w->tcp;
	unsigned dice = 1;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		connect_from(i);
	note_ready();
	for (unsigned i = 0; i < 100; i++) {
		struct tcp_client *c = client_of((dice = dice * 69069 + 1) >> 29);
		uint32_t before = TCP_NO_CLIENT, k;
		unsigned n = 0;

		time_ms++;
		next_work.progress = i % 3;
		enqueue_client(t, c);
		serve_queue(w);
		assert_true(!next_work.progress ||
		            (c->seen_ms == time_ms && t->newest == client_index(t, c)));
		for (k = t->oldest; k != TCP_NO_CLIENT;
		     before = k, k = client_at(t, k)->newer, n++) {
			assert_int_equal(client_at(t, k)->older, before);
			assert_true(before == TCP_NO_CLIENT ||
			            client_at(t, before)->seen_ms <= client_at(t, k)->seen_ms);
		}
		assert_int_equal(t->newest, before);
		assert_int_equal(n, 8);
	}
}

/*
 * It had an answer, and then said what is no query: it goes, and the list of the others is whole.
 */
static void who_is_closed_is_not_the_newest(void **state)
{
	struct tcp *t = w->tcp;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	note_ready();
	assert_true(t->tick.heap_index && t->tick.at_ms == time_ms + TICK_MS);
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_client *c = client_of(1 + i);

		next_end = i ? TCP_CLIENT_DONE : TCP_CLIENT_BAD;
		next_work.progress = true;
		enqueue_client(t, c);
		serve_queue(w);
		assert_int_equal(c->fd, -1);
		assert_int_equal(tcp_clients(w), 2 - i);
		assert_int_equal(t->free, client_index(t, c));
		for (uint32_t k = t->oldest; k != TCP_NO_CLIENT; k = client_at(t, k)->newer)
			assert_true(client_at(t, k)->fd >= 0);
	}
	assert_ptr_equal(client_at(t, t->oldest), client_of(0));
	assert_int_equal(t->oldest, t->newest);
}

static void a_connection_that_cannot_be_watched_is_closed(void **state)
{
	char byte;

	(void)state;
	connect_from(1);
	watch_error = ENOSPC;
	note_ready();
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(accepted, 0);
	assert_int_equal(recv(peers[0], &byte, 1, 0), 0);
	connect_from(1);
	note_ready();
	assert_int_equal(tcp_clients(w), 1);
}

static void networks_are_those_of_placing(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.255", true },
		{ "192.0.2.1", "192.0.3.1", false },
		{ "2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1", true },
		{ "2001:db8:0:100::1", "2001:db8:0:200::1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a, b;
		unsigned same = 0;

		assert_int_equal(addr_parse(cases[i].a, &a), 0);
		assert_int_equal(addr_parse(cases[i].b, &b), 0);
		for (unsigned k = 0; k < 3; k++) { /* by chance two may share a bucket */
			w->tcp->key = (struct hash_key){ k, k };
			same += network_of(w->tcp, &a) == network_of(w->tcp, &b);
		}
		assert_int_equal(same == 3, cases[i].same);
	}
	connect_from(3);
	note_ready();
	assert_int_equal(addr_bytes4(&client_of(0)->address)[2], 3);
}

static void only_udp_of_its_own_number_slows_tcp(void **state)
{
	(void)state;
	w->number = 2;
	connect_from(1);
	run_turn();
	next_end = TCP_CLIENT_MORE;
	for (unsigned i = 0; i < 4; i++) {
		s.workers[i].udp_waits = true;
		enqueue_client(w->tcp, client_of(0));
		serve_queue(w);
		assert_true(w->tcp->again.heap_index);
		assert_int_equal(w->tcp->again.at_ms, time_ms + (i == 2 ? BUSY_GAP_MS : 0));
		assert_int_equal(s.workers[i].udp_waits, i != 2);
	}
}

/* Nothing is in force yet: who has something to do waits. */
static void without_a_generation_nobody_is_served(void **state)
{
	(void)state;
	connect_from(1);
	note_ready();
	note_ready();
	is_published = false;
	for (unsigned i = 0; i < 2; i++) {
		loop_timer_cancel(w->loop, &w->tcp->again); /* it is due */
		serve_queue(w);
		assert_int_equal(n_served, 0);
		assert_int_equal(w->tcp->n_queued, 1);
		assert_true(w->tcp->again.heap_index); /* and is not forgotten */
		assert_int_equal(w->tcp->again.at_ms, time_ms + TICK_MS);
	}
	is_published = true;
	serve_queue(w);
	assert_int_equal(n_served, 1);
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &n), 0);
	return value;
}

static void listeners_are_bounded_and_hand_their_options_down(void **state)
{
	struct tcp *t = w->tcp;
	int third = dup(listener), second = dup(listener);
	unsigned n;

	(void)state;
	connect_from(1);
	note_ready();
	assert_int_equal(option_of(client_of(0)->fd, SOL_SOCKET, SO_SNDBUF), 2 * SEND_ROOM);
	assert_int_equal(option_of(client_of(0)->fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(tcp_listen_add(w, second), 0);
	assert_int_equal(tcp_listen_add(w, second), -EEXIST);
	assert_int_equal(tcp_listen_add(w, third), 0);
	assert_int_equal(t->n_listeners, 3);
	tcp_listen_remove(w, 12345); /* it has no such one */
	assert_int_equal(t->n_listeners, 3);
	tcp_listen_remove(w, listener);
	assert_true(t->n_listeners == 2 && t->listeners[0] == third && t->listeners[1] == second);
	assert_int_equal(tcp_listen_add(w, listener), 0); /* it was really taken out */
	n = t->n_listeners;
	t->n_listeners = TCP_LISTENERS_MAX;
	tcp_listen_remove(w, second);
	assert_int_equal(t->n_listeners, TCP_LISTENERS_MAX - 1);
	t->n_listeners = TCP_LISTENERS_MAX;
	assert_int_equal(tcp_listen_add(w, second), -ENOSPC);
	t->n_listeners = n - 1;
	t->listeners[0] = third;
	t->listeners[1] = listener;
	tcp_listen_remove(w, third);
	close(second);
	close(third);
}

/* Two sockets of their own: while none can be taken both wait, and afterwards both are served. */
static void all_listeners_wait_and_are_served_again(void **state)
{
	struct sockaddr_in first = at, own = { .sin_family = AF_INET };
	socklen_t n = sizeof(own);
	int second = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct epoll_event e;

	(void)state;
	assert_int_equal(bind(second, (struct sockaddr *)&own, n), 0);
	assert_int_equal(listen(second, 8), 0);
	assert_int_equal(getsockname(second, (struct sockaddr *)&own, &n), 0);
	assert_int_equal(tcp_listen_add(w, second), 0);
	connect_from(1);
	accept_error = EMFILE;
	note_ready();
	at = own;
	connect_from(2);
	assert_int_equal(epoll_wait(w->tcp->epoll_fd, &e, 1, 0), 0);
	time_ms += PAUSE_MS;
	run_tick();
	note_ready();
	assert_int_equal(tcp_clients(w), 2);
	at = first;
	tcp_listen_remove(w, second);
	close(second);
}

static void there_are_never_more_clients_than_places(void **state)
{
	static const uint32_t cases[][2] = { { 1, 1 },
		                             { TCP_CLIENTS_MAX - 1, TCP_CLIENTS_MAX - 1 },
		                             { TCP_CLIENTS_MAX, TCP_CLIENTS_MAX },
		                             { TCP_CLIENTS_MAX + 1, TCP_CLIENTS_MAX } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tcp_limit(w, cases[i][0]);
		assert_int_equal(w->tcp->n_max, cases[i][1]);
	}
}

static void what_cannot_be_opened_says_why_and_leaves_nothing(void **state)
{
	static struct server of;
	struct dns_worker *other = &of.workers[WORKERS_MAX];
	struct loop_timer alone = { .heap_index = 0 };
	int next = dup(listener);

	(void)state;
	close(next);
	other->server = &of;
	assert_int_equal(loop_open(&other->loop), 0);
	int first = dup(listener);
	no_memory = true;
	assert_int_equal(tcp_open(other), -ENOMEM);
	tcp_close(other);
	no_memory = false;
	open_error = EMFILE;
	assert_int_equal(tcp_open(other), -EMFILE);
	tcp_close(other);
	assert_null(other->tcp);
	tcp_close(other);
	int last = dup(listener);
	assert_int_equal(last, first + 1);
	close(first);
	close(last);
	assert_int_equal(tcp_open(other), 0); /* and with its timers set */
	assert_int_equal(loop_timer_set(other->loop, &other->tcp->again, time_ms), 0);
	assert_int_equal(loop_timer_set(other->loop, &other->tcp->tick, time_ms), 0);
	tcp_close(other);
	assert_int_equal(loop_timer_set(other->loop, &alone, time_ms), 0);
	assert_int_equal(alone.heap_index, 1);
	loop_timer_cancel(other->loop, &alone);
	loop_close(other->loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(a_failed_accept_is_taken_for_what_it_is),
		WITH(a_turn_takes_so_many_of_all_listeners_together),
		WITH(events_are_noted_as_what_they_are),
		WITH(a_new_client_has_nothing_of_the_one_before),
		WITH(what_a_large_client_used_is_given_back),
		WITH(what_is_given_back_is_no_neighbours),
		WITH(the_idle_are_counted_by_what_they_left_undone),
		WITH(timers_are_neither_moved_nor_set_for_nobody),
		WITH(room_is_made_once_for_all_listeners),
		WITH(clients_keep_their_order_when_the_queue_goes_round),
		WITH(the_list_of_idle_clients_is_in_order),
		WITH(who_is_closed_is_not_the_newest),
		WITH(a_connection_that_cannot_be_watched_is_closed),
		WITH(networks_are_those_of_placing),
		WITH(only_udp_of_its_own_number_slows_tcp),
		WITH(without_a_generation_nobody_is_served),
		WITH(listeners_are_bounded_and_hand_their_options_down),
		WITH(all_listeners_wait_and_are_served_again),
		WITH(there_are_never_more_clients_than_places),
		WITH(what_cannot_be_opened_says_why_and_leaves_nothing),
	};

	return cmocka_run_group_tests_name("dns tcp edges", tests, NULL, NULL);
}
