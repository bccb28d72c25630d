/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that answers: its plans, what it counts, and UDP in batches. Its sockets are real ones of
 * the loopback; the test is the thread, in a time of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/answer/answer.h"
#include "dns/server.h"
#include "dns/tcp_internal.h"
#include "dns/worker.h"
#include "tests/unit/answers.h"
#include "tests/unit/dns/answers_scene.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"

#define UDP_BATCH 32u
#define UDP_AGAIN 4u
#define UDP_TURNS 8u

static uint64_t n_by_thread, drops[COUNTERS_DROP_COUNT];
static unsigned n_sends, n_interrupts, n_reads;
static unsigned failing_send; /* the number of the call that fails; 0: none */
static bool from_nowhere;     /* messages come from port 0 */
static int next_error;        /* of the next recvmmsg() */
static unsigned flood;        /* so many messages come by themselves */
static struct server s;
static struct dns_worker *w;
static struct proc_dirs dirs;
static struct sockaddr_in at; /* of the last socket that was made */
static int client;

/* The kernel takes some at a time. */
static int own_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	n_sends++;
	errno = n_interrupts ? EINTR : EPERM;
	if (n_interrupts) {
		n_interrupts--;
		return -1;
	}
	return n_sends == failing_send ? -1 : __real_sendmmsg(fd, m, n < 3 ? n : 3, flags);
}

/* One of a flood is a query of the client's. */
static void make_message(struct mmsghdr *m)
{
	socklen_t length = sizeof(at);

	m->msg_len = (unsigned)answers_query(1, m->msg_hdr.msg_iov->iov_base);
	assert_int_equal(getsockname(client, m->msg_hdr.msg_name, &length), 0);
	m->msg_hdr.msg_namelen = length;
}

static int own_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	int got = 0;

	n_reads++;
	errno = next_error;
	next_error = 0;
	if (errno)
		return -1;
	for (unsigned i = 0; i < n; i++) /* each place has room for any address again */
		assert_true(m[i].msg_hdr.msg_namelen >= sizeof(struct sockaddr_in6));
	for (; flood && got < (int)n; flood--)
		make_message(&m[got++]);
	if (!got)
		got = __real_recvmmsg(fd, m, n, flags, timeout);
	for (int i = 0; from_nowhere && i < got; i++)
		((struct sockaddr_in *)m[i].msg_hdr.msg_name)->sin_port = 0;
	return got;
}

static int open_socket(const char *address, int type, struct sockaddr_storage *bound, socklen_t *n)
{
	struct addr a;
	int fd;

	assert_int_equal(addr_parse(address, &a), 0);
	*n = addr_to_sockaddr(&a, 0, bound);
	fd = socket(bound->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)bound, *n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)bound, n), 0);
	return fd;
}

static int begin_scene(void **state)
{
	(void)state;
	answers_make("x TXT x\n");
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
	struct sockaddr_storage own;
	socklen_t n;

	(void)state;
	memset(&s, 0, sizeof(s));
	memset(drops, 0, sizeof(drops));
	n_by_thread = 0;
	n_sends = n_reads = n_interrupts = failing_send = flood = 0;
	next_error = 0;
	from_nowhere = false;
	simulated.now_ms = 1000000;
	strcpy(dirs.node, "a");
	s.dirs = &dirs;
	s.serving = &answers_from;
	for (unsigned i = 0; i < COUNTERS_DROP_COUNT; i++)
		s.counters.drops[i] = &drops[i];
	s.workers_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w = &s.workers[0];
	w->server = &s;
	w->queries = &n_by_thread;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	client = open_socket("127.0.0.1", SOCK_DGRAM, &own, &n);
	return s.workers_event < 0 || w->wake < 0 || loop_open(&w->loop) || udp_open(w);
}

static int tear_down(void **state)
{
	(void)state;
	tcp_close(w);
	worker_plan_free(w->plan);
	udp_close(w);
	loop_close(w->loop);
	close(w->wake);
	close(s.workers_event);
	close(client);
	return 0;
}

/* The thread is one of TCP. */
static void be_tcp(void)
{
	w->is_tcp = true;
	assert_int_equal(tcp_open(w), 0);
}

/* A plan with sockets; the client's messages go to the last one. */
static struct worker_plan *make_plan(int what, unsigned n)
{
	struct worker_plan *plan = calloc(1, sizeof(*plan) + n * sizeof(plan->sockets[0]));
	struct sockaddr_storage bound;
	socklen_t length;

	assert_non_null(plan);
	plan->what = what;
	plan->tcp_most = 7;
	for (; plan->n < n; plan->n++) {
		int fd = open_socket("127.0.0.1", w->is_tcp ? SOCK_STREAM : SOCK_DGRAM, &bound,
		                     &length);

		if (w->is_tcp)
			assert_int_equal(listen(fd, 8), 0);
		plan->sockets[plan->n].fd = fd;
		memcpy(&at, &bound, sizeof(at));
	}
	return plan;
}

static struct loop_timer pause_timer;
static unsigned n_turns;

static void end_turns(void *arg)
{
	if (--n_turns)
		(void)loop_timer_set(w->loop, &pause_timer, simulated.now_ms);
	else
		loop_stop(arg);
}

/* Let the thread go on as far as there is anything to do. @return whether it would end */
static bool run_on(void)
{
	bool ends;

	n_turns = 4;
	pause_timer = (struct loop_timer){ .cb = end_turns, .arg = w->loop };
	assert_int_equal(loop_timer_set(w->loop, &pause_timer, simulated.now_ms), 0);
	if (w->retire.cb)
		assert_int_equal(loop_run(w->loop), 0);
	else
		(void)worker_serve(w); /* its beginning */
	ends = n_turns > 0;
	loop_timer_cancel(w->loop, &pause_timer);
	return ends;
}

static bool apply_plan(struct worker_plan *plan)
{
	uint64_t one = 1;

	assert_null(__atomic_exchange_n(&w->next, plan, __ATOMIC_ACQ_REL));
	assert_int_equal(write(w->wake, &one, sizeof(one)), sizeof(one));
	return run_on();
}

/* The client sends so many queries, of which number @p bad is none. */
static void send_queries(unsigned n, unsigned bad)
{
	uint8_t bytes[ANSWERS_QUERY];

	for (unsigned i = 0; i < n; i++) {
		size_t length = i == bad ? 1 : answers_query(1, bytes);

		assert_int_equal(
		        sendto(client, bytes, length, 0, (struct sockaddr *)&at, sizeof(at)),
		        length);
	}
}

static unsigned count_answers(void)
{
	char bytes[512];
	unsigned n = 0;

	while (recv(client, bytes, sizeof(bytes), MSG_DONTWAIT) > (ssize_t)ANSWERS_QUERY)
		n++;
	return n;
}

#define NONE UINT32_MAX

static void batches_are_answered_and_one_that_cannot_be_sent_stops_no_other(void **state)
{
	int fd;

	(void)state;
	assert_false(apply_plan(make_plan(WORKER_SERVES, 1)));
	fd = w->plan->sockets[0].fd;
	send_queries(10, 4);
	n_interrupts = 2; /* which lose nothing */
	failing_send = 4; /* then the second call */
	udp_ready(w, fd, 0);
	assert_int_equal(count_answers(), 8);
	assert_int_equal(n_by_thread, 9);
	assert_int_equal(drops[COUNTERS_DROP_MALFORMED], 1);
	assert_int_equal(drops[COUNTERS_DROP_SEND], 1);
	assert_int_equal(drops[COUNTERS_DROP_PORT], 0);
	assert_false(w->udp_waits);
	from_nowhere = true; /* nowhere to answer to */
	send_queries(10, NONE);
	udp_ready(w, fd, 0);
	assert_int_equal(drops[COUNTERS_DROP_PORT], 10);
	assert_int_equal(n_by_thread, 9);
	assert_true(!w->serving && !w->held);
}

static void what_interrupts_a_batch_does_not_end_the_turn(void **state)
{
	static const int errors[] = { EINTR, ECONNREFUSED };

	(void)state;
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	for (unsigned i = 0; i < 2; i++) {
		send_queries(1, NONE);
		next_error = errors[i];
		udp_ready(w, w->plan->sockets[0].fd, 0);
		assert_int_equal(n_by_thread, i + 1);
	}
}

/* Behind few queries there is hardly another one. */
static void only_a_larger_batch_is_followed_by_a_read(void **state)
{
	(void)state;
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	for (unsigned n = 1; n <= UDP_AGAIN; n++) {
		n_reads = 0;
		n_by_thread = 0;
		send_queries(n, NONE);
		udp_ready(w, w->plan->sockets[0].fd, 0);
		assert_int_equal(n_by_thread, n);
		assert_int_equal(n_reads, n < UDP_AGAIN ? 1 : 2);
	}
}

static void a_turn_has_an_end_and_tcp_hears_of_it(void **state)
{
	(void)state;
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	flood = UDP_BATCH * UDP_TURNS - 1;
	udp_ready(w, w->plan->sockets[0].fd, 0);
	assert_int_equal(n_by_thread, UDP_BATCH * UDP_TURNS - 1);
	assert_false(w->udp_waits);
	flood = UDP_BATCH * UDP_TURNS + 1;
	udp_ready(w, w->plan->sockets[0].fd, 0);
	assert_int_equal(flood, 1);
	assert_true(w->udp_waits);
}

static void a_new_plan_takes_the_place_of_the_old_one(void **state)
{
	struct worker_plan *first = make_plan(WORKER_SERVES, 2);
	int old = dup(first->sockets[0].fd), fd = first->sockets[0].fd;

	(void)state;
	(void)apply_plan(first);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	assert_int_equal(w->plan->n, 1);
	assert_int_equal(loop_fd_set(w->loop, fd, EPOLLIN), -ENOENT);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
	close(old);
	send_queries(1, NONE);
	(void)run_on();
	assert_int_equal(count_answers(), 1);
}

/* A thread that stood still finds its next plan beside what came before: a socket that it loses may be closed then. */
static void what_waits_in_a_socket_is_answered_before_it_goes(void **state)
{
	static const struct {
		int what;
		unsigned n_sockets;
	} plans[] = { { WORKER_SERVES, 1 }, { WORKER_RETIRES, 0 } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		(void)apply_plan(make_plan(WORKER_SERVES, 1));
		send_queries(100, NONE);
		(void)apply_plan(make_plan(plans[i].what, plans[i].n_sockets));
		assert_int_equal(count_answers(), 100);
	}
}

static void at_the_end_it_stays_for_the_next_process(void **state)
{
	struct worker_plan *first = make_plan(WORKER_SERVES, 1);
	uint8_t bytes[ANSWERS_QUERY];
	int held = dup(first->sockets[0].fd);

	(void)state;
	(void)apply_plan(first);
	send_queries(1, NONE);
	(void)apply_plan(make_plan(WORKER_STOPS, 0));
	assert_int_equal(count_answers(), 0);
	assert_int_equal(recv(held, bytes, sizeof(bytes), MSG_DONTWAIT), sizeof(bytes));
	close(held);
}

static void a_plan_of_tcp_has_listeners_and_a_limit(void **state)
{
	(void)state;
	be_tcp();
	(void)apply_plan(make_plan(WORKER_SERVES, 2));
	assert_int_equal(w->tcp->n_max, 7);
	assert_int_equal(w->tcp->n_listeners, 2);
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	assert_int_equal(w->tcp->n_listeners, 1);
	assert_int_equal(w->tcp->listeners[0], w->plan->sockets[0].fd);
}

static void all_sockets_of_a_large_plan_are_watched_and_many_polled(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) /* the plan before leaves its room */
		(void)apply_plan(make_plan(WORKER_SERVES, LOOP_POLLED_MAX + 2));
	for (size_t i = 0; i < w->plan->n; i++)
		assert_int_equal(loop_fd_set(w->loop, w->plan->sockets[i].fd, EPOLLIN), 0);
	assert_int_equal(loop_fd_add_polled(w->loop, client, 0, udp_ready, w), -ENOSPC);
}

/* Connect to the last listener, from a socket that blocks. */
static int connect_to_listener(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int connect_client(void)
{
	int fd = connect_to_listener();

	(void)run_on();
	return fd;
}

/* A query by TCP, and its answer. */
static void keep_alive(int fd)
{
	uint8_t bytes[512] = { 0, ANSWERS_QUERY };

	answers_query(1, bytes + 2);
	assert_int_equal(send(fd, bytes, 2 + ANSWERS_QUERY, 0), 2 + ANSWERS_QUERY);
	(void)run_on();
	assert_true(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0);
}

static void who_waits_at_a_listener_is_served_before_it_goes(void **state)
{
	int fds[7];

	(void)state;
	be_tcp();
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	for (unsigned i = 0; i < 7; i++)
		fds[i] = connect_to_listener();
	assert_false(apply_plan(make_plan(WORKER_RETIRES, 0)));
	assert_int_equal(tcp_clients(w), 7);
	for (unsigned i = 0; i < 7; i++) {
		keep_alive(fds[i]);
		close(fds[i]);
	}
}

static void a_thread_too_many_serves_its_clients_to_their_end(void **state)
{
	int fd;

	(void)state;
	be_tcp();
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	fd = connect_client();
	assert_int_equal(tcp_clients(w), 1);
	assert_false(apply_plan(make_plan(WORKER_RETIRES, 0)));
	assert_false(apply_plan(make_plan(WORKER_SERVES, 0))); /* it is wanted after all */
	for (unsigned i = 0; i < 3; i++) {
		simulated.now_ms += WORKER_RETIRE_MS / 2;
		keep_alive(fd);
		assert_false(run_on());
	}
	assert_false(apply_plan(make_plan(WORKER_RETIRES, 0)));
	for (unsigned i = 0; i < 2; i++) {
		simulated.now_ms += WORKER_RETIRE_MS / 2 - (i == 0);
		keep_alive(fd);
		assert_false(run_on());
	}
	simulated.now_ms += 100;
	assert_true(run_on()); /* who stays longer is left */
	assert_int_equal(tcp_clients(w), 1);
	assert_false(apply_plan(make_plan(WORKER_RETIRES, 0)));
	close(fd);
	assert_false(run_on());
	assert_int_equal(tcp_clients(w), 0);
	simulated.now_ms += 100;
	assert_true(run_on());                                 /* all have gone */
	assert_true(apply_plan(make_plan(WORKER_RETIRES, 0))); /* nobody is there */
}

static void a_thread_that_ends_has_counted_all_and_says_so(void **state)
{
	static uint64_t last;
	pthread_t thread;
	uint64_t one = 1, n = 0;

	(void)state;
	last = 0;
	tally_add(&w->tally, &last, 3);
	assert_int_equal(pthread_create(&thread, NULL, worker_serve, w), 0);
	__atomic_store_n(&w->next, make_plan(WORKER_STOPS, 0), __ATOMIC_RELEASE);
	assert_int_equal(write(w->wake, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(w->ended);
	assert_int_equal(last, 3);
	assert_int_equal(read(s.workers_event, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
}

/*
 * Three clients in one batch, of which the second sends nonsense: each of the others hears its
 * own answer.
 */
static void an_answer_goes_back_to_where_its_query_came_from(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "::1" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sockaddr_storage to, own;
		socklen_t n, n_own;
		int fd = open_socket(addresses[i], SOCK_DGRAM, &to, &n), clients[3];
		uint8_t bytes[512];

		for (uint16_t k = 0; k < 3; k++) {
			size_t length = answers_query(k, bytes);

			clients[k] = open_socket(addresses[i], SOCK_DGRAM, &own, &n_own);
			assert_true(sendto(clients[k], bytes, k == 1 ? 1 : length, 0,
			                   (struct sockaddr *)&to, n) > 0);
		}
		udp_ready(w, fd, 0);
		for (unsigned k = 0; k < 3; k++) {
			ssize_t got = recv(clients[k], bytes, sizeof(bytes), MSG_DONTWAIT);

			assert_int_equal(got < 0, k == 1);
			assert_true(k == 1 || bytes[1] == k);
			close(clients[k]);
		}
		close(fd);
	}
	assert_int_equal(drops[COUNTERS_DROP_MALFORMED], 2);
	assert_int_equal(drops[COUNTERS_DROP_SEND] + drops[COUNTERS_DROP_PORT], 0);
}

static void threads_have_names_of_their_own(void **state)
{
	static const struct {
		unsigned number;
		bool is_tcp;
		const char *name;
	} cases[] = { { 0, false, "dns-1" },
		      { 0, true, "dns-tcp-1" },
		      { 7, false, "dns-8" },
		      { 7, true, "dns-tcp-8" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dns_worker one = { .number = cases[i].number,
			                        .is_tcp = cases[i].is_tcp };
		char name[WORKER_NAME_MAX];

		assert_string_equal(worker_name(&one, name), cases[i].name);
	}
}

/* A thread of UDP has nothing to wait for; sockets of the plan before are watched no more. */
static void a_thread_of_udp_ends_at_once_and_lets_go_of_its_sockets(void **state)
{
	struct worker_plan *first = make_plan(WORKER_SERVES, 1);
	int kept = dup(first->sockets[0].fd), fd = first->sockets[0].fd;

	(void)state;
	assert_false(apply_plan(first));
	assert_int_equal(loop_fd_set(w->loop, fd, EPOLLIN), 0);
	assert_true(apply_plan(make_plan(WORKER_RETIRES, 0)));
	assert_int_equal(loop_fd_set(w->loop, fd, EPOLLIN), -ENOENT);
	close(kept);
}

/* www.z.test, placed at two sites of which the second is down. */
static struct steering_site sites[] = {
	{ .name = "ams", .id = 1, .weight = 1, .n_addresses = { 0, 1 } },
	{ .name = "fra", .id = 2, .weight = 1, .n_addresses = { 0, 1 } }
};
static const struct steering_service service = { .name = "web", .n_sites = 2, .sites = sites };
static const struct steering_name name = {
	.name = "www.z.test", .service = &service, .id = 7, .ttl_min_s = 5, .ttl_max_s = 60
};
static struct steering place = {
	.n_names = 1, .names = &name, .n_services = 1, .services = &service, .n_states = 2
};

/* With the name of the node asked for (NSID). */
static const uint8_t query_www[] = "\0\1\0\0\0\1\0\0\0\0\0\1\3www\1z\4test\0\0\1\0\1"
                                   "\0\0\x29\x04\xd0\0\0\0\0\0\4\0\3\0\0";

/* All that is in force, this node's name, the clock, and the query as it came with its client. */
static void an_answer_is_made_from_what_is_in_force(void **state)
{
	struct steering_state *two = calloc(1, sizeof(*two) + 2 * sizeof(two->sites[0]));
	uint64_t queries[2] = { 0 }, of_ams = 0, of_fra = 0,
	         *by_site[] = { &of_ams, &of_fra, NULL }, *classes[8] = { NULL };
	struct counters_services counted = { .by_site = by_site, .classes = classes };
	const struct serving now = { .generation = &answers_of,
		                     .state = two,
		                     .counters = &counted };
	struct addr a;
	uint8_t out[300];

	(void)state;
	assert_int_equal(addr_parse("192.0.2.7", &a), 0);
	(void)addr_parse("203.0.113.1", &sites[0].addresses[1][0]);
	(void)addr_parse("203.0.113.2", &sites[1].addresses[1][0]);
	answers_dynamic = name.name;
	answers_make("");
	answers_of.steering = &place;
	two->n_sites = 2;
	two->sites[0].words[1] = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);
	two->sites[1].words[1] = health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1);
	s.wall_clock_ms = 1234567890123;
	two->sites[0].next_ms = two->sites[1].next_ms = s.wall_clock_ms + 17500;
	strcpy(dirs.node, "fra-1");
	s.counters.stats = (void *)&s; /* there is a page */
	s.counters.queries[0] = &queries[0];
	s.counters.queries[1] = &queries[1];
	w->serving = &now;
	assert_int_equal(key_table_open(&w->key_tables, w->loop), 0);
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		size_t n = server_answer(w, query_www, sizeof(query_www) - 1, &a, tcp, out,
		                         sizeof(out));

		/* the question, one record with its TTL, and the node's name at the end */
		assert_int_equal(n, 28 + 16 + 11 + 4 + 5);
		assert_memory_equal(out + 28, "\xc0\x0c\0\1\0\1\0\0\0\x11\0\4\xcb\0\x71\1", 16);
		assert_memory_equal(out + n - 9, "\0\3\0\5fra-1", 9);
		tally_flush(&w->tally);
		assert_int_equal(queries[tcp], 1);
	}
	assert_int_equal(queries[0], 1);
	assert_true(of_ams == 2 && of_fra == 0);
	assert_int_equal(w->key_tables.own->n, 2); /* and who asked */
	assert_int_equal(w->key_tables.own->names[7].longest_ttl_s, 17);
	assert_int_equal(server_answer(w, query_www, 20, &a, false, out, 27), 12); /* FORMERR */
	assert_int_equal(w->key_tables.own->n, 2);
	key_table_close(&w->key_tables);
	w->serving = NULL;
	answers_of.steering = NULL;
	answers_dynamic = NULL;
	answers_make("x TXT x\n");
	free(two);
}

/* A query over UDP may have 4,096 bytes: of a longer one so many are seen. Its answer has the room of UDP. */
static void a_query_over_udp_has_a_largest_size(void **state)
{
	static const size_t sizes[] = { 4095, 4096, 4097, 9000 };
	static uint8_t bytes[9000], heard[4096];

	(void)state;
	answers_size(2000);
	(void)apply_plan(make_plan(WORKER_SERVES, 1));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		/* an OPT with 4,096 bytes of room for the answer, and padding to the size */
		size_t at_opt = answers_query(1, bytes), rest = sizes[i] - at_opt - 11 - 4;

		bytes[11] = 1;
		memcpy(bytes + at_opt, "\0\0\x29\x10\0\0\0\0\0", 9);
		bytes[at_opt + 9] = (uint8_t)((rest + 4) >> 8);
		bytes[at_opt + 10] = (uint8_t)(rest + 4);
		memcpy(bytes + at_opt + 11, "\0\x0c", 2);
		bytes[at_opt + 13] = (uint8_t)(rest >> 8);
		bytes[at_opt + 14] = (uint8_t)rest;
		assert_int_equal(
		        sendto(client, bytes, sizes[i], 0, (struct sockaddr *)&at, sizeof(at)),
		        sizes[i]);
		udp_ready(w, w->plan->sockets[0].fd, 0);
		ssize_t n = recv(client, heard, sizeof(heard), MSG_DONTWAIT);

		assert_in_range(n, 12, ANSWER_UDP_MAX);
		assert_int_equal(heard[3] & 15, sizes[i] <= 4096 ? 0 : 1); /* else FORMERR */
		assert_int_equal(heard[2] & 2, sizes[i] <= 4096 ? 2 : 0);  /* it has no room */
	}
	answers_make("x TXT x\n");
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(worker)
{
	const struct CMUnitTest tests[] = {
		WITH(batches_are_answered_and_one_that_cannot_be_sent_stops_no_other),
		WITH(what_interrupts_a_batch_does_not_end_the_turn),
		WITH(only_a_larger_batch_is_followed_by_a_read),
		WITH(a_turn_has_an_end_and_tcp_hears_of_it),
		WITH(a_new_plan_takes_the_place_of_the_old_one),
		WITH(what_waits_in_a_socket_is_answered_before_it_goes),
		WITH(at_the_end_it_stays_for_the_next_process),
		WITH(who_waits_at_a_listener_is_served_before_it_goes),
		WITH(a_plan_of_tcp_has_listeners_and_a_limit),
		WITH(all_sockets_of_a_large_plan_are_watched_and_many_polled),
		WITH(a_thread_too_many_serves_its_clients_to_their_end),
		WITH(a_thread_that_ends_has_counted_all_and_says_so),
		WITH(an_answer_goes_back_to_where_its_query_came_from),
		WITH(threads_have_names_of_their_own),
		WITH(a_thread_of_udp_ends_at_once_and_lets_go_of_its_sockets),
		WITH(an_answer_is_made_from_what_is_in_force),
		WITH(a_query_over_udp_has_a_largest_size),
	};

	simulated_clock();
	answer_recvmmsg = own_recvmmsg;
	answer_sendmmsg = own_sendmmsg;
	return cmocka_run_group_tests_name("dns worker", tests, begin_scene, end_scene);
}
