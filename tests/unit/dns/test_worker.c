/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that answers, without an answer: its plans, what it counts, and UDP in batches.
 * Sockets are pairs.
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
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/answer/answer.h"
#include "dns/zone/image.h"
#include "dns/server.h"
#include "dns/serving.h"
#include "dns/worker.h"

static uint64_t time_ms, n_by_thread, drops[COUNTERS_DROP_COUNT];
static unsigned n_clients, n_answers, n_sends, n_interrupts, n_reads;
static int failing_send; /* the number of the call that fails; 0: none */
static bool said_tcp[2]; /* what the answer and its counter are told */
static struct answer_env said_env;
static struct answer_query said_query;
static size_t said_room;
static const struct serving *counted_from;
static uint32_t tcp_most;
static unsigned n_listeners;

static uint64_t fake_now(const struct loop *l)
{
	(void)l;
	return time_ms;
}

static size_t fake_answer(const struct answer_env *env, const struct answer_query *q, uint8_t *out,
                          size_t out_size, struct answer_info *info, struct answer_trace *trace)
{
	assert_null(trace);
	said_env = *env;
	said_query = *q;
	said_room = out_size;
	said_tcp[0] = q->tcp;
	*info = (struct answer_info){ .dynamic = -1 };
	if (q->length < 2)
		return 0;
	memcpy(out, q->bytes, q->length);
	n_answers++;
	return q->length;
}

static void fake_count(const struct counters *c, struct tally *tally, const struct serving *from,
                       bool tcp, const struct answer_info *info)
{
	(void)c;
	(void)tally;
	(void)info;
	counted_from = from;
	said_tcp[1] = tcp;
}

static const struct serving *served;

static bool fake_enter(struct dns_worker *w)
{
	w->serving = served;
	return served;
}

static void fake_leave(struct dns_worker *w)
{
	w->serving = NULL;
}

static void fake_limit(struct dns_worker *w, uint32_t most)
{
	(void)w;
	tcp_most = most;
}

static uint32_t fake_clients(const struct dns_worker *w)
{
	(void)w;
	return n_clients;
}

static int fake_listen_add(struct dns_worker *w, int fd)
{
	(void)w;
	(void)fd;
	n_listeners++;
	return 0;
}

static void fake_listen_remove(struct dns_worker *w, int fd)
{
	(void)w;
	(void)fd;
	n_listeners--;
}

static bool is_real; /* sockets of the kernel's, with addresses */

static int fake_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
	n_sends++;
	if (is_real)
		return sendmmsg(fd, m, n, flags);
	if (n_interrupts) {
		n_interrupts--;
		errno = EINTR;
		return -1;
	}
	if (failing_send && (int)n_sends == failing_send) {
		errno = EPERM;
		return -1;
	}
	for (unsigned i = 0; i < n && i < 3; i++) { /* the kernel takes some at a time */
		m[i].msg_hdr.msg_name = NULL;
		m[i].msg_hdr.msg_namelen = 0;
		if (sendmsg(fd, &m[i].msg_hdr, MSG_DONTWAIT) < 0)
			return i ? (int)i : -1;
	}
	return n < 3 ? (int)n : 3;
}

static uint16_t from_port = 5000;
static int next_error; /* of the next recvmmsg() */
static unsigned flood; /* so many messages come from nowhere */

static int fake_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	n_reads++;
	if (is_real)
		return recvmmsg(fd, m, n, flags, timeout);
	if (next_error) {
		errno = next_error;
		next_error = 0;
		return -1;
	}
	for (unsigned i = 0; i < n; i++) {
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(from_port) };
		struct msghdr plain = m[i].msg_hdr;

		assert_true(m[i].msg_hdr.msg_namelen >= sizeof(struct sockaddr_in6));
		plain.msg_name = NULL;
		plain.msg_namelen = 0;
		ssize_t got = flood ? 5 : recvmsg(fd, &plain, flags);

		if (got < 0)
			return i ? (int)i : -1;
		flood -= flood > 0;
		m[i].msg_len = (unsigned)got;
		memcpy(m[i].msg_hdr.msg_name, &at, sizeof(at));
		m[i].msg_hdr.msg_namelen = sizeof(at);
	}
	return (int)n;
}

/* The private parts too. */
#define loop_now_ms       fake_now
#define answer            fake_answer
#define counters_answer   fake_count
#define serving_enter     fake_enter
#define serving_leave     fake_leave
#define tcp_limit         fake_limit
#define tcp_clients       fake_clients
#define tcp_listen_add    fake_listen_add
#define tcp_listen_remove fake_listen_remove
#define sendmmsg          fake_sendmmsg
#define recvmmsg          fake_recvmmsg
#include "dns/server.c"
#include "dns/worker.c"
#include "dns/udp.c"

static struct server s;
static struct dns_worker *w;
static struct proc_dirs dirs;

static int set_up(void **state)
{
	static struct generation g;
	static struct serving serving = { .generation = &g };

	(void)state;
	memset(&s, 0, sizeof(s));
	memset(drops, 0, sizeof(drops));
	n_by_thread = 0;
	n_answers = n_sends = n_interrupts = n_clients = n_listeners = 0;
	failing_send = next_error = 0;
	flood = 0;
	from_port = 5000;
	time_ms = 1000;
	served = &serving;
	strcpy(dirs.node, "a");
	s.dirs = &dirs;
	for (unsigned i = 0; i < COUNTERS_DROP_COUNT; i++)
		s.counters.drops[i] = &drops[i];
	s.workers_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w = &s.workers[0];
	w->server = &s;
	w->queries = &n_by_thread;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->retire = (struct loop_timer){ .cb = end_if_idle, .arg = w };
	return s.workers_event < 0 || w->wake < 0 || loop_open(&w->loop) || udp_open(w);
}

static int tear_down(void **state)
{
	(void)state;
	worker_plan_free(w->plan);
	udp_close(w);
	loop_close(w->loop);
	close(w->wake);
	close(s.workers_event);
	return 0;
}

static int ends[2];

/* A plan with a socket, whose other end is ends[0]. */
static struct worker_plan *make_plan(int what, unsigned n)
{
	struct worker_plan *plan = calloc(1, sizeof(*plan) + n * sizeof(plan->sockets[0]));

	assert_non_null(plan);
	plan->what = what;
	plan->tcp_most = 7;
	for (; plan->n < n; plan->n++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
		plan->sockets[plan->n].fd = ends[1];
	}
	return plan;
}

static void batches_are_answered_and_one_that_cannot_be_sent_stops_no_other(void **state)
{
	char bytes[16];
	unsigned n = 0;

	(void)state;
	apply_plan(w, make_plan(WORKER_SERVES, 1));
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(send(ends[0], i == 4 ? "x" : "query", i == 4 ? 1 : 5, 0),
		                 i == 4 ? 1 : 5);
	n_interrupts = 2; /* which lose nothing */
	failing_send = 4; /* then the second call */
	udp_ready(w, ends[1], 0);
	while (recv(ends[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		n++;
	assert_int_equal(n_answers, 9);
	assert_int_equal(n, 8);
	assert_int_equal(n_by_thread, 9);
	assert_int_equal(drops[COUNTERS_DROP_MALFORMED], 1);
	assert_int_equal(drops[COUNTERS_DROP_SEND], 1);
	assert_int_equal(drops[COUNTERS_DROP_PORT], 0);
	assert_false(said_tcp[0] || said_tcp[1] || w->udp_waits);
	from_port = 0; /* nowhere to answer to; each place has room for any address again */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(send(ends[0], "query", 5, 0), 5);
	udp_ready(w, ends[1], 0);
	assert_int_equal(drops[COUNTERS_DROP_PORT], 10);
	assert_int_equal(n_answers, 9);
	assert_null(w->serving);
	close(ends[0]);
}

static void what_interrupts_a_batch_does_not_end_the_turn(void **state)
{
	static const int errors[] = { EINTR, ECONNREFUSED };

	(void)state;
	apply_plan(w, make_plan(WORKER_SERVES, 1));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(send(ends[0], "query", 5, 0), 5);
		next_error = errors[i];
		udp_ready(w, ends[1], 0);
		assert_int_equal(n_answers, i + 1);
	}
	close(ends[0]);
}

/* Behind few queries there is hardly another one. */
static void only_a_larger_batch_is_followed_by_a_read(void **state)
{
	(void)state;
	apply_plan(w, make_plan(WORKER_SERVES, 1));
	for (unsigned n = 1; n <= UDP_AGAIN; n++) {
		n_reads = n_answers = 0;
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(send(ends[0], "query", 5, 0), 5);
		udp_ready(w, ends[1], 0);
		assert_int_equal(n_answers, n);
		assert_int_equal(n_reads, n < UDP_AGAIN ? 1 : 2);
	}
	close(ends[0]);
}

static void a_turn_has_an_end_and_tcp_hears_of_it(void **state)
{
	(void)state;
	apply_plan(w, make_plan(WORKER_SERVES, 1));
	flood = UDP_BATCH * UDP_TURNS - 1;
	udp_ready(w, ends[1], 0);
	assert_int_equal(n_answers, UDP_BATCH * UDP_TURNS - 1);
	assert_false(w->udp_waits);
	flood = UDP_BATCH * UDP_TURNS + 1;
	udp_ready(w, ends[1], 0);
	assert_int_equal(flood, 1);
	assert_true(w->udp_waits);
	close(ends[0]);
}

static void an_answer_is_told_its_transport(void **state)
{
	const struct addr a = { 0 };
	uint8_t out[16];

	(void)state;
	(void)fake_enter(w);
	assert_int_equal(server_answer(w, (const uint8_t *)"query", 5, &a, true, out, sizeof(out)),
	                 5);
	assert_true(said_tcp[0] && said_tcp[1]);
	assert_int_equal(server_answer(w, (const uint8_t *)"query", 5, &a, false, out, sizeof(out)),
	                 5);
	assert_false(said_tcp[0] || said_tcp[1]);
	fake_leave(w);
}

static void a_new_plan_takes_the_place_of_the_old_one(void **state)
{
	struct worker_plan *first = make_plan(WORKER_SERVES, 2);
	int old = first->sockets[0].fd;

	(void)state;
	apply_plan(w, first);
	apply_plan(w, make_plan(WORKER_SERVES, 1));
	assert_int_equal(fcntl(old, F_GETFD), -1); /* closed */
	assert_int_equal(loop_fd_set(w->loop, ends[1], EPOLLIN), 0);
	assert_int_equal(w->plan->n, 1);
	w->is_tcp = true;
	worker_plan_free(w->plan);
	w->plan = NULL;
	apply_plan(w, make_plan(WORKER_SERVES, 2));
	assert_int_equal(tcp_most, 7);
	assert_int_equal(n_listeners, 2);
	apply_plan(w, make_plan(WORKER_SERVES, 1));
	assert_int_equal(n_listeners, 1);
	w->is_tcp = false;
}

static void all_sockets_of_a_large_plan_are_watched_and_many_polled(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) /* the plan before leaves its room */
		apply_plan(w, make_plan(WORKER_SERVES, LOOP_POLLED_MAX + 2));
	for (size_t i = 0; i < w->plan->n; i++)
		assert_int_equal(loop_fd_set(w->loop, w->plan->sockets[i].fd, EPOLLIN), 0);
	assert_int_equal(loop_fd_add_polled(w->loop, ends[0], 0, udp_ready, w), -ENOSPC);
}

/* Whether the thread would end: nothing is left to look for. */
static bool has_stopped(void)
{
	return !w->retire.heap_index;
}

static void a_thread_too_many_serves_its_clients_to_their_end(void **state)
{
	(void)state;
	w->is_tcp = true;
	n_clients = 1;
	apply_plan(w, make_plan(WORKER_RETIRES, 0));
	assert_false(has_stopped());
	apply_plan(w, make_plan(WORKER_SERVES, 0)); /* it is wanted after all */
	assert_true(!w->retire.heap_index);
	apply_plan(w, make_plan(WORKER_RETIRES, 0));
	for (unsigned i = 0; i < 2; i++) {
		loop_timer_cancel(w->loop, &w->retire);
		time_ms += WORKER_RETIRE_MS / 2 - (i == 0);
		end_if_idle(w);
		assert_false(has_stopped());
	}
	loop_timer_cancel(w->loop, &w->retire);
	time_ms++;
	end_if_idle(w); /* who stays longer is left */
	assert_true(has_stopped());
	apply_plan(w, make_plan(WORKER_RETIRES, 0));
	assert_false(has_stopped());
	loop_timer_cancel(w->loop, &w->retire);
	n_clients = 0;
	end_if_idle(w); /* all have gone */
	assert_true(has_stopped());
	w->is_tcp = false;
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

static int open_udp(const char *address, struct sockaddr_storage *at, socklen_t *n)
{
	struct addr a;
	int fd;

	assert_int_equal(addr_parse(address, &a), 0);
	*n = addr_to_sockaddr(&a, 0, at);
	fd = socket(at->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)at, *n) || getsockname(fd, (struct sockaddr *)at, n))
		fail();
	return fd;
}

/*
 * Three clients in one batch, of which the second sends nonsense: each of the others hears its
 * own answer.
 */
static void an_answer_goes_back_to_where_its_query_came_from(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "::1" };
	static const char *const queries[] = { "one", "x", "three" };

	(void)state;
	is_real = true;
	for (unsigned i = 0; i < 2; i++) {
		struct sockaddr_storage to, own;
		socklen_t n, n_own;
		int fd = open_udp(addresses[i], &to, &n), clients[3];
		char bytes[16];

		for (unsigned k = 0; k < 3; k++) {
			clients[k] = open_udp(addresses[i], &own, &n_own);
			assert_true(sendto(clients[k], queries[k], strlen(queries[k]), 0,
			                   (struct sockaddr *)&to, n) > 0);
		}
		udp_ready(w, fd, 0);
		for (unsigned k = 0; k < 3; k++) {
			ssize_t got = recv(clients[k], bytes, sizeof(bytes), MSG_DONTWAIT);

			assert_int_equal(got, k == 1 ? -1 : (ssize_t)strlen(queries[k]));
			if (got > 0)
				assert_memory_equal(bytes, queries[k], (size_t)got);
			close(clients[k]);
		}
		close(fd);
	}
	is_real = false;
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
	n_clients = 5; /* TCP's, not its */
	apply_plan(w, first);
	assert_int_equal(loop_fd_set(w->loop, fd, EPOLLIN), 0);
	apply_plan(w, make_plan(WORKER_RETIRES, 0));
	assert_true(has_stopped());
	assert_int_equal(loop_fd_set(w->loop, fd, EPOLLIN), -ENOENT);
	close(kept);
	close(ends[0]);
}

/* All that is in force, this node's name, the clock, and the query as it came with its client. */
static void an_answer_is_made_from_what_is_in_force(void **state)
{
	static struct image image;
	static struct steering place;
	static struct steering_state one;
	static struct generation g = { .image = &image, .steering = &place };
	const struct serving serving = { .generation = &g, .state = &one };
	const uint8_t query[] = "a query";
	struct addr a;
	uint8_t out[100];

	(void)state;
	assert_int_equal(addr_parse("192.0.2.7", &a), 0);
	served = &serving;
	strcpy(dirs.node, "fra-1");
	s.wall_clock_ms = 1234567890123;
	assert_true(fake_enter(w));
	assert_int_equal(server_answer(w, query, 5, &a, false, out, 99), 5);
	fake_leave(w);
	assert_ptr_equal(said_env.image, &image);
	assert_ptr_equal(said_env.steering, &place);
	assert_ptr_equal(said_env.state, &one);
	assert_int_equal(said_env.nsid_length, 5);
	assert_memory_equal(said_env.nsid, "fra-1", 5);
	assert_true(said_env.wall_clock_ms == 1234567890123);
	assert_ptr_equal(said_query.bytes, query);
	assert_int_equal(said_query.length, 5);
	assert_true(addr_equal(&said_query.client, &a));
	assert_int_equal(said_room, 99);
	assert_ptr_equal(counted_from, &serving);
}

/*
 * A query over UDP may have 4,096 bytes; of a longer one so many are seen, and its answer has the
 * room of UDP.
 */
static void a_query_over_udp_has_a_largest_size(void **state)
{
	static const size_t sizes[] = { 4095, 4096, 4097, 9000 };
	static char bytes[9000];

	(void)state;
	is_real = true;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sockaddr_storage to, own;
		socklen_t n, n_own;
		int fd = open_udp("127.0.0.1", &to, &n),
		    client = open_udp("127.0.0.1", &own, &n_own);

		assert_int_equal(sendto(client, bytes, sizes[i], 0, (struct sockaddr *)&to, n),
		                 sizes[i]);
		udp_ready(w, fd, 0);
		assert_int_equal(said_query.length, sizes[i] < 4096 ? sizes[i] : 4096);
		assert_int_equal(said_room, ANSWER_UDP_MAX);
		assert_int_equal(addr_bytes4(&said_query.client)[3], 1);
		close(client);
		close(fd);
	}
	is_real = false;
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(batches_are_answered_and_one_that_cannot_be_sent_stops_no_other),
		WITH(what_interrupts_a_batch_does_not_end_the_turn),
		WITH(only_a_larger_batch_is_followed_by_a_read),
		WITH(a_turn_has_an_end_and_tcp_hears_of_it),
		WITH(an_answer_is_told_its_transport),
		WITH(a_new_plan_takes_the_place_of_the_old_one),
		WITH(all_sockets_of_a_large_plan_are_watched_and_many_polled),
		WITH(a_thread_too_many_serves_its_clients_to_their_end),
		WITH(a_thread_that_ends_has_counted_all_and_says_so),
		WITH(an_answer_goes_back_to_where_its_query_came_from),
		WITH(threads_have_names_of_their_own),
		WITH(a_thread_of_udp_ends_at_once_and_lets_go_of_its_sockets),
		WITH(an_answer_is_made_from_what_is_in_force),
		WITH(a_query_over_udp_has_a_largest_size),
	};

	return cmocka_run_group_tests_name("dns worker", tests, NULL, NULL);
}
