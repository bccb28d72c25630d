/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP clients as their thread keeps them: who is taken, whose turn it is, who is closed and why. Real
 * connections of the loopback, in turns and in a time of the test's own; the kernel's errors are the test's.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/server.h"
#include "dns/tcp_internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/dns/answers_scene.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define IDLE_MS       10000u
#define PAUSE_MS      100u
#define TICK_MS       100u
#define ACCEPT_BURST  16u
#define TURN_QUERIES  64u
#define TURN_BYTES    (64u << 10)
#define BUSY_PART     8u
#define BUSY_GAP_MS   1u
#define SEND_ROOM     (32 << 10)
#define SHARE_QUERIES 8u
#define ANSWER_BYTES  60u

static struct proc_dirs dirs = { .node = "a" };
static struct server s;
static struct dns_worker *const w = &s.workers[WORKERS_MAX];
static uint64_t accepted, opened, paused, closed[COUNTERS_CLOSE_COUNT];
static int listener, peers[64],
        taken[2048]; /* descriptors of clients, and of those that were accepted */
static unsigned n_peers, n_taken;
static struct sockaddr_in at;

static unsigned turns_left;
static int accept_error, watch_error, open_error; /* of the next call; 0: it is the kernel's */
static bool no_descriptors, no_memory, is_pretended;
static bool is_swallowed; /* all that is sent is taken */
static int unread_fd;     /* nothing is taken there */
static unsigned n_accepts;
static const char *come_from; /* the address of who is accepted; NULL: as it is */
static int sent[256];         /* descriptors, by turns */
static unsigned n_sent;
static unsigned n_first; /* sent before the thread first gave others its time, in the last turns */
static const uint8_t *given_back, *given_end;

static bool fails_now(int *error)
{
	errno = *error;
	*error = 0;
	return errno;
}

static int own_accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
	struct addr a;
	int got;

	n_accepts++;
	if (fails_now(&accept_error))
		return -1;
	errno = EMFILE;
	got = no_descriptors ? -1 : __real_accept4(fd, from, length, flags);
	if (got >= 0)
		taken[n_taken++] = got;
	if (got >= 0 && come_from) {
		assert_int_equal(addr_parse(come_from, &a), 0);
		*length = addr_to_sockaddr(&a, 1, (struct sockaddr_storage *)(void *)from);
	}
	return got;
}

static int own_epoll_ctl(int fd, int what, int of, struct epoll_event *e)
{
	if (is_pretended)
		return 0;
	return what == EPOLL_CTL_ADD && fails_now(&watch_error) ? -1
	                                                        : __real_epoll_ctl(fd, what, of, e);
}

static int own_epoll_create1(int flags)
{
	return fails_now(&open_error) ? -1 : __real_epoll_create1(flags);
}

/* The loop never waits, and has so many turns. */
static int own_epoll_wait(int fd, struct epoll_event *out, int most, int timeout_ms)
{
	(void)timeout_ms;
	if (fd != w->tcp->epoll_fd && turns_left-- == 0) {
		loop_stop(w->loop);
		return 0;
	}
	return __real_epoll_wait(fd, out, most, 0);
}

static ssize_t own_getrandom(void *bytes, size_t n, unsigned flags)
{
	(void)flags;
	memset(bytes, 7, n);
	return (ssize_t)n;
}

static int own_madvise(void *from, size_t n, int advice)
{
	assert_int_equal(advice, MADV_DONTNEED);
	given_back = from;
	given_end = given_back + n;
	return __real_madvise(from, n, advice);
}

static void *own_mmap(void *from, size_t n, int rights, int flags, int fd, off_t off)
{
	return no_memory ? MAP_FAILED : __real_mmap(from, n, rights, flags, fd, off);
}

static void *own_mmap64(void *from, size_t n, int rights, int flags, int fd, off_t off)
{
	return no_memory ? MAP_FAILED : __real_mmap64(from, n, rights, flags, fd, off);
}

static int own_sched_yield(void)
{
	n_first = n_first ? n_first : n_sent;
	return 0;
}

static ssize_t own_send(int fd, const void *bytes, size_t n, int flags)
{
	errno = EAGAIN;
	if (fd == unread_fd)
		return -1;
	assert_true(n_sent < COUNT(sent));
	sent[n_sent++] = fd;
	return is_swallowed ? (ssize_t)n : __real_send(fd, bytes, n, flags);
}

static void run_turns(unsigned n)
{
	n_sent = n_first = 0;
	turns_left = n;
	assert_int_equal(loop_run(w->loop), 0);
}

static int begin_scene(void **state)
{
	(void)state;
	answers_size(ANSWER_BYTES - 2);
	return 0;
}

static int end_scene(void **state)
{
	(void)state;
	answers_free();
	return 0;
}

static int set_up(void **state)
{
	socklen_t length = sizeof(at);

	(void)state;
	memset(&s, 0, sizeof(s));
	memset(closed, 0, sizeof(closed));
	accepted = opened = paused = 0;
	n_peers = n_taken = n_accepts = n_sent = 0;
	accept_error = watch_error = open_error = 0;
	no_descriptors = no_memory = is_pretended = is_swallowed = false;
	unread_fd = -1;
	come_from = NULL;
	given_back = NULL;
	simulated.now_ms = 100000;
	s.dirs = &dirs;
	s.serving = &answers_from;
	s.counters.tcp_accepted = &accepted;
	s.counters.tcp_open = &opened;
	s.counters.tcp_paused = &paused;
	for (unsigned i = 0; i < COUNTERS_CLOSE_COUNT; i++)
		s.counters.tcp_closed[i] = &closed[i];
	w->server = &s;
	w->is_tcp = true;
	at = (struct sockaddr_in){ .sin_family = AF_INET };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return loop_open(&w->loop) || tcp_open(w) ||
	       bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 64) ||
	       getsockname(listener, (struct sockaddr *)&at, &length) ||
	       tcp_listen_add(w, listener);
}

static void close_peers(void)
{
	while (n_peers)
		if (peers[--n_peers] >= 0)
			close(peers[n_peers]);
}

static int tear_down(void **state)
{
	(void)state;
	close_peers();
	tcp_close(w);
	tally_flush(&w->tally);
	loop_close(w->loop);
	close(listener);
	return opened != 0 || w->held;
}

/* Connect from 127.0.NETWORK.1. */
static int connect_once(unsigned network)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(0x7f000001u + (network << 8)) },
	                   to = at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
	to.sin_addr.s_addr = htonl(0x7f000001u);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void connect_from(unsigned network)
{
	peers[n_peers++] = connect_once(network);
}

static bool is_connected(unsigned i)
{
	char byte;

	return recv(peers[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
}

/* Client @p i sends so many bytes. */
static void send_bytes(unsigned i, const void *bytes, size_t n)
{
	assert_int_equal(__real_send(peers[i], bytes, n, MSG_NOSIGNAL), n);
}

static void send_queries(unsigned i, unsigned n)
{
	uint8_t bytes[2 + ANSWERS_QUERY] = { 0, ANSWERS_QUERY };

	answers_query(9, bytes + 2);
	while (n--)
		send_bytes(i, bytes, sizeof(bytes));
}

/* How many answers client @p i has got. */
static unsigned count_answers(unsigned i)
{
	static uint8_t bytes[1 << 16];
	ssize_t n = recv(peers[i], bytes, sizeof(bytes), MSG_DONTWAIT);

	assert_true(n < 0 || n % ANSWER_BYTES == 0);
	return n < 0 ? 0 : (unsigned)n / ANSWER_BYTES;
}

static void connections_are_counted_while_they_are_there(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turns(2);
	assert_true(accepted == 3 && opened == 3 && tcp_clients(w) == 3);
	close_peers();
	run_turns(2);
	assert_true(opened == 0 && closed[COUNTERS_CLOSE_CLIENT] == 3);
	connect_from(1);
	send_bytes(0, "\0\1x", 3);
	run_turns(2);
	assert_true(opened == 0 && closed[COUNTERS_CLOSE_BAD] == 1 && accepted == 4);
}

/* Bytes that make no query are no sign of life, nor is an answer that is not taken. */
static void who_makes_no_progress_is_closed_at_the_limit(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turns(2);
	unread_fd = taken[2];
	simulated.now_ms += IDLE_MS - 1;
	send_bytes(0, "\0", 1);
	send_queries(1, 1);
	send_queries(2, 1);
	run_turns(2);
	assert_int_equal(count_answers(1), 1);
	assert_int_equal(tcp_clients(w), 3);
	simulated.now_ms += 1;
	run_turns(1);
	simulated.now_ms += TICK_MS - 1;
	run_turns(1);
	assert_true(!is_connected(0) && is_connected(1) && !is_connected(2));
	assert_true(closed[COUNTERS_CLOSE_IDLE] == 1 && closed[COUNTERS_CLOSE_UNREAD] == 1);
	assert_true(w->tcp->tick.heap_index); /* it goes on while anybody is there */
	simulated.now_ms += IDLE_MS - TICK_MS - 1;
	run_turns(1);
	assert_int_equal(tcp_clients(w), 1);
	simulated.now_ms += TICK_MS;
	run_turns(1);
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(closed[COUNTERS_CLOSE_IDLE], 2);
	assert_false(w->tcp->tick.heap_index); /* nobody is left: the server sleeps */
}

static void the_longest_idle_of_the_largest_network_makes_room(void **state)
{
	static const unsigned networks[] = { 7, 8, 8, 9 };

	(void)state;
	tcp_limit(w, 4);
	for (unsigned i = 0; i < 4; i++) {
		connect_from(networks[i]);
		run_turns(1);
		simulated.now_ms++;
	}
	assert_int_equal(tcp_clients(w), 4); /* exactly as many as there may be */
	assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], 0);
	connect_from(7);
	run_turns(1);
	assert_int_equal(tcp_clients(w), 4);
	assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], 1);
	assert_false(is_connected(1)); /* the older of the two of network 8 */
	assert_true(is_connected(0) && is_connected(2) && is_connected(3) && is_connected(4));
	connect_from(9); /* 7 has two now, the older of which is the first of all */
	run_turns(1);
	assert_false(is_connected(0));
	connect_from(10); /* 9 has two: who closed counts no more */
	run_turns(1);
	assert_false(is_connected(3));
	assert_int_equal(tcp_clients(w), 4);
}

/* A /24 or a /56, as clients are placed by. */
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
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const from[] = { "198.51.100.1", cases[i].a, cases[i].b,
			                     "203.0.113.1" };

		close_peers();
		run_turns(2);
		tcp_limit(w, 3);
		for (unsigned k = 0; k < 4; k++) {
			come_from = from[k];
			connect_from(1);
			run_turns(1);
		}
		assert_int_equal(is_connected(0), cases[i].same);
		assert_int_equal(is_connected(1), !cases[i].same);
	}
}

/* Nothing is in force yet: who has something to do waits, each in one place of the queue. */
static void without_a_generation_nobody_is_served(void **state)
{
	(void)state;
	s.serving = NULL;
	tcp_limit(w, 1);
	for (unsigned i = 0; i < 20; i++) {
		connect_from(1);
		run_turns(2); /* in the place of the one before, which is still in the queue */
		assert_true(w->tcp->n_queued <= 1);
	}
	send_queries(19, 1);
	for (unsigned i = 0; i < 2; i++) {
		run_turns(3);
		assert_int_equal(n_sent, 0);
		assert_int_equal(w->tcp->n_queued, 1);
		assert_int_equal(w->tcp->again.at_ms,
		                 simulated.now_ms + TICK_MS); /* it is not forgotten */
		simulated.now_ms += TICK_MS;
	}
	s.serving = &answers_from;
	run_turns(1);
	assert_int_equal(count_answers(19), 1);
	assert_int_equal(w->tcp->n_queued, 0);
}

static void all_get_their_turn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turns(2);
	for (unsigned i = 0; i < 3; i++)
		send_queries(i, 2 * SHARE_QUERIES + 1);
	run_turns(5);
	assert_int_equal(n_sent, 9);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(sent[i], taken[i % 3]);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(count_answers(i), 2 * SHARE_QUERIES + 1);
}

/* How many shares a turn has, if answers have @p n bytes, and @p n_queries wait of each of 12 clients. */
static unsigned count_shares(size_t n, unsigned n_queries, bool busy)
{
	close_peers();
	run_turns(3);
	answers_size(n);
	for (unsigned i = 0; i < 12; i++)
		connect_from(i);
	run_turns(3);
	for (unsigned i = 0; i < 12; i++)
		send_queries(i, n_queries);
	s.workers[w->number].udp_waits = busy;
	is_swallowed = true;
	run_turns(1);
	return n_first;
}

static void a_turn_has_an_end(void **state)
{
	(void)state;
	assert_int_equal(count_shares(ANSWER_BYTES - 2, SHARE_QUERIES, false),
	                 TURN_QUERIES / SHARE_QUERIES);
	run_turns(1); /* the rest comes in the next turn */
	assert_int_equal(w->tcp->n_queued, 0);
	assert_int_equal(count_shares(TURN_BYTES / 2 - 2, 1, false), 2);
	assert_int_equal(count_shares(TURN_BYTES / 4 - 3, 1, false), 5);
	assert_int_equal(count_shares(ANSWER_BYTES - 2, TURN_QUERIES / BUSY_PART, true), 1);
	run_turns(3);
	assert_int_equal(n_sent, 0); /* a pause follows */
	assert_int_equal(w->tcp->again.at_ms, simulated.now_ms + BUSY_GAP_MS);
	simulated.now_ms += BUSY_GAP_MS;
	run_turns(1); /* UDP waits no more */
	assert_int_equal(n_first, TURN_QUERIES / SHARE_QUERIES);
	assert_int_equal(count_shares(TURN_BYTES / BUSY_PART - 2, 1, true), 1);
	simulated.now_ms += BUSY_GAP_MS;
	run_turns(3);
	answers_size(ANSWER_BYTES - 2);
}

static void only_udp_of_its_own_number_slows_tcp(void **state)
{
	(void)state;
	w->number = 2;
	connect_from(1);
	run_turns(2);
	for (unsigned i = 0; i < 4; i++) {
		s.workers[i].udp_waits = true;
		send_queries(0, SHARE_QUERIES + 1);
		run_turns(2);
		assert_int_equal(count_answers(0), i == 2 ? SHARE_QUERIES : SHARE_QUERIES + 1);
		assert_int_equal(s.workers[i].udp_waits, i != 2);
		simulated.now_ms += BUSY_GAP_MS;
		run_turns(1);
		assert_int_equal(count_answers(0), i == 2);
	}
}

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
	for (size_t i = 0; i < COUNT(cases); i++) {
		connect_from(1);
		paused = n_accepts = 0;
		accept_error = cases[i].error;
		run_turns(1);
		assert_int_equal(paused, cases[i].paused);
		assert_int_equal(tcp_clients(w), cases[i].n_clients);
		assert_true(cases[i].n_clients || n_accepts == 1);
		simulated.now_ms += PAUSE_MS;
		run_turns(2); /* nothing keeps it out for good */
		assert_int_equal(tcp_clients(w), 1);
		close_peers();
		run_turns(2);
		assert_int_equal(tcp_clients(w), 0);
	}
}

/* All listeners pause, also one that comes meanwhile, and are served again. */
static void without_descriptors_none_is_taken_for_a_while(void **state)
{
	struct sockaddr_in first = at, own = { .sin_family = AF_INET };
	int second = dup(listener),
	    third = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(own);
	struct epoll_event e;

	(void)state;
	assert_int_equal(bind(third, (struct sockaddr *)&own, n), 0);
	assert_int_equal(listen(third, 8), 0);
	assert_int_equal(getsockname(third, (struct sockaddr *)&own, &n), 0);
	assert_int_equal(tcp_listen_add(w, third), 0);
	connect_from(1);
	no_descriptors = true;
	run_turns(1);
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(paused, 1);
	no_descriptors = false;
	assert_int_equal(tcp_listen_add(w, second), 0);
	at = own;
	connect_from(2);
	assert_int_equal(__real_epoll_wait(w->tcp->epoll_fd, &e, 1, 0),
	                 0); /* it does not keep the loop awake */
	simulated.now_ms += PAUSE_MS - 1;
	run_turns(3);
	assert_int_equal(tcp_clients(w), 0);
	simulated.now_ms++;
	run_turns(2);
	assert_int_equal(tcp_clients(w), 2);
	assert_int_equal(paused, 1);
	at = first;
	tcp_listen_remove(w, second);
	tcp_listen_remove(w, third);
	close(second);
	close(third);
}

static void who_is_idle_makes_room_once_a_turn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		connect_from(i);
	run_turns(2);
	for (unsigned i = 0; i < 4; i++)
		connect_from(5);
	no_descriptors = true; /* what is closed does not help, as others take it */
	for (unsigned i = 1; i <= 2; i++) {
		run_turns(1);
		assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], i);
		assert_int_equal(paused, i);
		simulated.now_ms += PAUSE_MS;
		run_turns(1);
	}
	no_descriptors = false;
	run_turns(1);
	assert_int_equal(tcp_clients(w), 6);
	accept_error = EMFILE; /* this time it helps: the new one has its room */
	connect_from(6);
	run_turns(1);
	assert_int_equal(closed[COUNTERS_CLOSE_CROWDED], 3);
	assert_int_equal(tcp_clients(w), 6);
	assert_int_equal(paused, 2);
}

static void all_are_closed_at_the_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turns(2);
	assert_int_equal(opened, 3);
	tcp_close(w);
	tally_flush(&w->tally);
	assert_int_equal(opened, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_false(is_connected(i)); /* and their clients hear of it */
	assert_int_equal(tcp_open(w), 0);
}

static void a_turn_takes_so_many_of_all_listeners_together(void **state)
{
	int second = dup(listener);

	(void)state;
	assert_int_equal(tcp_listen_add(w, second), 0);
	for (unsigned i = 0; i < ACCEPT_BURST + 3; i++)
		connect_from(i);
	run_turns(1);
	assert_int_equal(tcp_clients(w), ACCEPT_BURST);
	assert_int_equal(n_accepts, ACCEPT_BURST);
	run_turns(1);
	assert_int_equal(tcp_clients(w), ACCEPT_BURST + 3);
	tcp_listen_remove(w, second);
	close(second);
}

/* A reset ends a client at once, also one that does not read; an end that comes with a query is behind its answer. */
static void the_end_of_a_connection_is_seen_at_once(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		connect_from(i);
	run_turns(2);
	unread_fd = taken[0];
	send_queries(0, 1);
	send_queries(1, 1);
	shutdown(peers[1], SHUT_WR);
	run_turns(3);
	assert_int_equal(count_answers(1), 1);
	assert_false(is_connected(1));
	assert_int_equal(tcp_clients(w), 1);
	unread_fd = -1;
	assert_int_equal(setsockopt(peers[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close_peers();
	run_turns(2);
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(closed[COUNTERS_CLOSE_CLIENT], 2);
}

/* Who does not read gets the rest when it does; nobody else waits for it. */
static void an_answer_waits_for_its_reader(void **state)
{
	static uint8_t bytes[1 << 16];
	size_t heard = 0, turns = 0;
	ssize_t n;

	(void)state;
	answers_size(50000);
	connect_from(1);
	connect_from(2);
	run_turns(2);
	send_queries(0, 20);
	run_turns(30);
	assert_true(w->tcp->clients[0].n_out > 0 || w->tcp->clients[1].n_out > 0);
	answers_size(ANSWER_BYTES - 2);
	send_queries(1, 1);
	run_turns(2);
	assert_int_equal(count_answers(1), 1);
	for (; turns < 1000 && closed[COUNTERS_CLOSE_CLIENT] == 0; turns++) {
		n = recv(peers[0], bytes, sizeof(bytes), MSG_DONTWAIT);
		heard += n > 0 ? (size_t)n : 0;
		if (n < 0 && turns > 500)
			break;
		run_turns(2);
	}
	assert_true(heard > 50002);
	assert_int_equal(heard % 50002 % ANSWER_BYTES, 0);
	assert_int_equal(heard / 50002 + heard % 50002 / ANSWER_BYTES, 20);
}

/* A client that is taken in another's place has nothing of it. */
static void a_new_client_has_nothing_of_the_one_before(void **state)
{
	(void)state;
	tcp_limit(w, 1);
	connect_from(1);
	run_turns(2);
	unread_fd = taken[0];
	send_queries(0, 1);
	send_bytes(0, "\0\x50half", 6);
	run_turns(2);
	unread_fd = -1;
	connect_from(2);
	run_turns(1);
	send_queries(1, 1);
	run_turns(2);
	assert_int_equal(count_answers(1), 1);
	assert_false(is_connected(0));
}

/* Whole pages, and nothing of a neighbour's; of who was small nothing. */
static void what_a_large_client_used_is_given_back(void **state)
{
	static uint8_t query[2 + 20000];
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)state;
	query[0] = 20000 >> 8;
	query[1] = 20000 & 255;
	for (unsigned i = 0; i < 5; i++) {
		connect_from(i);
		run_turns(1);
	}
	for (unsigned i = 0; i < 5; i++) {
		const struct tcp_buffers *own = &w->tcp->buffers[i];
		uintptr_t from = (uintptr_t)own, to = (uintptr_t)(own + 1);

		given_back = given_end = NULL;
		if (i)
			send_bytes(i, query, sizeof(query));
		else
			send_queries(i, 1);
		run_turns(10);
		close(peers[i]);
		peers[i] = -1;
		run_turns(2);
		assert_int_equal(tcp_clients(w), 4 - i);
		if (i) {
			assert_int_equal((uintptr_t)given_back, (from + page - 1) / page * page);
			assert_int_equal((uintptr_t)given_end, to / page * page);
		} else {
			assert_null(given_back);
		}
	}
}

/* A timer that is set stays where it is, and is set only for those who need it. */
static void timers_are_neither_moved_nor_set_for_nobody(void **state)
{
	(void)state;
	run_turns(2);
	assert_true(!w->tcp->tick.heap_index && !w->tcp->again.heap_index);
	connect_from(1);
	run_turns(1);
	assert_int_equal(w->tcp->tick.at_ms, simulated.now_ms + TICK_MS);
	simulated.now_ms += 5;
	connect_from(2);
	run_turns(2);
	assert_int_equal(w->tcp->tick.at_ms, simulated.now_ms - 5 + TICK_MS);
	assert_false(w->tcp->again.heap_index); /* all is done */
}

static void clients_keep_their_order_when_the_queue_goes_round(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		connect_from(i);
	run_turns(2);
	for (unsigned i = 0; i < TCP_CLIENTS_MAX / 2; i++) {
		for (unsigned k = 0; k < 3; k++)
			send_queries((i + k) % 3, 1);
		run_turns(1);
		assert_int_equal(n_sent, 3);
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(sent[k], taken[(i + k) % 3]);
			assert_int_equal(count_answers(k), 1);
		}
	}
}

/* Whoever shows life, or goes after a query that was none: the longest idle makes room. */
static void the_longest_idle_goes_first(void **state)
{
	uint64_t seen_ms[8];
	unsigned dice = 1;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		connect_from(1);
		run_turns(1);
		seen_ms[i] = simulated.now_ms++;
	}
	for (unsigned i = 0; i < 100; i++) {
		unsigned k = (dice = dice * 69069 + 1) >> 29;

		simulated.now_ms++;
		if (i % 7) {
			send_queries(k, 1);
			run_turns(2);
			assert_int_equal(count_answers(k), 1);
			seen_ms[k] = simulated.now_ms;
		} else if (i % 2) {
			send_bytes(k, "\0", 1); /* no sign of life; the rest of a query may come */
			run_turns(2);
			send_bytes(k, "\x0c\0\1\0\0\0\0\0\0\0\0\0\0", 13);
			simulated.now_ms++;
			run_turns(2);
			assert_int_equal(recv(peers[k], (char[64]){ 0 }, 64, MSG_DONTWAIT), 14);
			seen_ms[k] = simulated.now_ms;
		} else {
			send_queries(k, 1);
			send_bytes(k, "\0\0", 2);
			run_turns(2);
			assert_int_equal(count_answers(k), 1);
			assert_false(is_connected(k));
			close(peers[k]);
			peers[k] = connect_once(1);
			run_turns(1);
			seen_ms[k] = simulated.now_ms;
		}
		assert_int_equal(tcp_clients(w), 8);
	}
	tcp_limit(w, 8);
	for (unsigned i = 0; i < 8; i++) {
		unsigned oldest = 0;

		for (unsigned k = 1; k < 8; k++)
			if (seen_ms[k] < seen_ms[oldest])
				oldest = k;
		connect_from(20 + i); /* from networks with fewer */
		if (i == 7)
			break; /* all have one now */
		run_turns(1);
		for (unsigned k = 0; k < 8; k++)
			assert_int_equal(is_connected(k), k != oldest && seen_ms[k] != UINT64_MAX);
		seen_ms[oldest] = UINT64_MAX;
	}
}

static void a_connection_that_cannot_be_watched_is_closed(void **state)
{
	(void)state;
	connect_from(1);
	watch_error = ENOSPC;
	run_turns(1);
	assert_int_equal(tcp_clients(w), 0);
	assert_int_equal(accepted, 0);
	assert_false(is_connected(0));
	connect_from(1);
	run_turns(1);
	assert_int_equal(tcp_clients(w), 1);
}

static int option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &n), 0);
	return value;
}

static void listeners_are_bounded_and_hand_their_options_down(void **state)
{
	int second = dup(listener);

	(void)state;
	connect_from(1);
	run_turns(1);
	assert_int_equal(option_of(taken[0], SOL_SOCKET, SO_SNDBUF), 2 * SEND_ROOM);
	assert_int_equal(option_of(taken[0], IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(tcp_listen_add(w, second), 0);
	assert_int_equal(tcp_listen_add(w, second), -EEXIST);
	tcp_listen_remove(w, 12345); /* it has no such one */
	tcp_listen_remove(w, listener);
	connect_from(1);
	run_turns(1);
	assert_int_equal(tcp_clients(w), 2);              /* by the other one */
	assert_int_equal(tcp_listen_add(w, listener), 0); /* it was really taken out */
	tcp_listen_remove(w, second);
	tcp_listen_remove(w, listener);
	close(second);
	connect_from(1);
	run_turns(2);
	assert_int_equal(tcp_clients(w), 2);
	is_pretended = true;
	for (int fd = 0; fd < TCP_LISTENERS_MAX; fd++)
		assert_int_equal(tcp_listen_add(w, 100000 + fd), 0);
	assert_int_equal(tcp_listen_add(w, 99999), -ENOSPC);
	tcp_listen_remove(w, 100000);
	assert_int_equal(tcp_listen_add(w, 99999), 0);
	is_pretended = false;
}

static void there_are_never_more_clients_than_places(void **state)
{
	static const uint32_t cases[][2] = { { 1, 1 },
		                             { TCP_CLIENTS_MAX - 1, TCP_CLIENTS_MAX - 1 },
		                             { TCP_CLIENTS_MAX, TCP_CLIENTS_MAX },
		                             { TCP_CLIENTS_MAX + 1, TCP_CLIENTS_MAX } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		tcp_limit(w, cases[i][0]);
		assert_int_equal(w->tcp->n_max, cases[i][1]);
	}
}

static void what_cannot_be_opened_says_why_and_leaves_nothing(void **state)
{
	static struct server of;
	struct dns_worker *other = &of.workers[WORKERS_MAX];
	struct loop_timer alone = { .heap_index = 0 };
	unsigned n_before;

	(void)state;
	other->server = &of;
	assert_int_equal(loop_open(&other->loop), 0);
	n_before = count_descriptors();
	no_memory = true;
	assert_int_equal(tcp_open(other), -ENOMEM);
	tcp_close(other);
	no_memory = false;
	open_error = EMFILE;
	assert_int_equal(tcp_open(other), -EMFILE);
	tcp_close(other);
	assert_null(other->tcp);
	tcp_close(other);
	assert_int_equal(count_descriptors(), n_before);
	assert_int_equal(tcp_open(other), 0); /* and with its timers set */
	assert_int_equal(loop_timer_set(other->loop, &other->tcp->again, simulated.now_ms), 0);
	assert_int_equal(loop_timer_set(other->loop, &other->tcp->tick, simulated.now_ms), 0);
	tcp_close(other);
	assert_int_equal(count_descriptors(), n_before);
	assert_int_equal(loop_timer_set(other->loop, &alone, simulated.now_ms), 0);
	assert_int_equal(alone.heap_index, 1);
	loop_timer_cancel(other->loop, &alone);
	loop_close(other->loop);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(tcp_clients)
{
	const struct CMUnitTest tests[] = {
		WITH(connections_are_counted_while_they_are_there),
		WITH(who_makes_no_progress_is_closed_at_the_limit),
		WITH(the_longest_idle_of_the_largest_network_makes_room),
		WITH(networks_are_those_of_placing),
		WITH(without_a_generation_nobody_is_served),
		WITH(all_get_their_turn),
		WITH(a_turn_has_an_end),
		WITH(only_udp_of_its_own_number_slows_tcp),
		WITH(a_failed_accept_is_taken_for_what_it_is),
		WITH(without_descriptors_none_is_taken_for_a_while),
		WITH(who_is_idle_makes_room_once_a_turn),
		WITH(all_are_closed_at_the_end),
		WITH(a_turn_takes_so_many_of_all_listeners_together),
		WITH(the_end_of_a_connection_is_seen_at_once),
		WITH(an_answer_waits_for_its_reader),
		WITH(a_new_client_has_nothing_of_the_one_before),
		WITH(what_a_large_client_used_is_given_back),
		WITH(timers_are_neither_moved_nor_set_for_nobody),
		WITH(clients_keep_their_order_when_the_queue_goes_round),
		WITH(the_longest_idle_goes_first),
		WITH(a_connection_that_cannot_be_watched_is_closed),
		WITH(listeners_are_bounded_and_hand_their_options_down),
		WITH(there_are_never_more_clients_than_places),
		WITH(what_cannot_be_opened_says_why_and_leaves_nothing),
	};

	answer_accept4 = own_accept4;
	simulated_clock();
	answer_epoll_create1 = own_epoll_create1;
	answer_epoll_ctl = own_epoll_ctl;
	answer_epoll_wait = own_epoll_wait;
	answer_getrandom = own_getrandom;
	answer_madvise = own_madvise;
	answer_mmap = own_mmap;
	answer_mmap64 = own_mmap64;
	answer_sched_yield = own_sched_yield;
	answer_send = own_send;
	return cmocka_run_group_tests_name("dns tcp clients", tests, begin_scene, end_scene);
}
