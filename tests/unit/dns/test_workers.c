/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which thread reads which socket, how many TCP clients it may have, and what becomes of threads
 * that end.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/server.h"
#include "dns/worker.h"
#include "tests/unit/answers.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/dns/answers_scene.h"
#include "tests/unit/dns/counters_scene.h"
#include "tests/unit/suite.h"

static bool no_threads;    /* the system has none left */
static unsigned n_failing; /* the last so many TCP threads do not start */
static bool are_real;      /* else a thread does nothing: its plan is for the test to read */

static int own_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                              void *arg)
{
	const struct dns_worker *w = arg;

	assert_ptr_equal(run, worker_serve);
	if (no_threads || (w->is_tcp && w->number >= WORKERS_MAX - n_failing))
		return EAGAIN;
	return are_real ? __real_pthread_create(thread, attr, run, arg) : 0;
}

static int own_pthread_join(pthread_t thread, void **result)
{
	return are_real ? __real_pthread_join(thread, result) : 0;
}

static struct server s;

/* Threads whose turns are watched. */
static unsigned count_signs(void)
{
	struct stats_reader *r;
	unsigned n = 0;

	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		n += e->used && !strcmp(e->name, STATS_TURNS);
	}
	stats_reader_close(r);
	return n;
}

static int64_t count_threads(void)
{
	return read_value("weir_dns_threads", "");
}

/* A descriptor that is known again by its inode. */
static int open_socket(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	return ends[0];
}

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void limit_descriptors(rlim_t n)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* So many addresses with @p n sockets of each kind. */
static void listen_at(unsigned n_addresses, unsigned n)
{
	s.n_listens = n_addresses;
	for (unsigned i = 0; i < n_addresses; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			while (s.listens[i].n[kind] < n)
				s.listens[i].fds[kind][s.listens[i].n[kind]++] = open_socket();
}

static void listen_with(unsigned n)
{
	listen_at(2, n);
}

static unsigned n_fds_before;

static int begin_scene(void **state)
{
	memset(&s, 0, sizeof(s));
	no_threads = are_real = false;
	n_failing = 0;
	if (set_up(state))
		return -1;
	n_fds_before = count_descriptors();
	s.counters = c;
	s.workers_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	listen_with(4);
	return s.workers_event < 0;
}

static int end_scene(void **state)
{
	workers_stop(&s);
	for (unsigned i = 0; i < WORKERS_ALL; i++) {
		const struct dns_worker *w = &s.workers[i];

		assert_true(!w->running && !w->loop && !w->plan && !w->next);
		assert_true(!w->tcp && !w->udp && !w->key_tables.own);
		assert_true(!w->server || w->wake == -1);
	}
	for (unsigned i = 0; i < s.n_listens; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			while (s.listens[i].n[kind])
				close(s.listens[i].fds[kind][--s.listens[i].n[kind]]);
	close(s.workers_event);
	assert_int_equal(count_descriptors(), n_fds_before); /* whatever happened */
	return tear_down(state);
}

/*
 * How many threads are given socket @p k of kind @p kind of address @p i, and none of another
 * kind.
 */
static unsigned count_readers(unsigned i, unsigned kind, unsigned k)
{
	ino_t wanted = inode_of(s.listens[i].fds[kind][k]);
	unsigned n = 0;

	for (unsigned number = 0; number < WORKERS_ALL; number++) {
		const struct dns_worker *w = &s.workers[number];
		const struct worker_plan *plan = w->running ? w->next : NULL;

		for (size_t at = 0; plan && at < plan->n; at++)
			if (inode_of(plan->sockets[at].fd) == wanted) {
				assert_int_equal(w->is_tcp, kind);
				assert_int_not_equal(plan->sockets[at].fd,
				                     s.listens[i].fds[kind][k]);
				n++;
			}
	}
	return n;
}

static void each_socket_is_read_by_one_thread_however_many_there_are(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++) {
		workers_set_number(&s, n);
		assert_int_equal(s.n_threads, n);
		assert_int_equal(count_threads(), n);
		assert_int_equal(count_signs(), 2 * n);
		for (unsigned i = 0; i < WORKERS_ALL; i++) {
			const struct dns_worker *w = &s.workers[i];

			assert_int_equal(w->running, i % WORKERS_MAX < n);
			if (w->running)
				assert_ptr_equal(w->queries,
				                 counters_thread(&s.counters, i % WORKERS_MAX));
		}
		for (unsigned i = 0; i < 2; i++)
			for (unsigned k = 0; k < 4; k++)
				for (unsigned kind = 0; kind < 2; kind++)
					assert_int_equal(count_readers(i, kind, k), 1);
	}
	listen_with(6); /* those of UDP and TCP may differ */
	while (s.listens[1].n[0] > 3)
		close(s.listens[1].fds[0][--s.listens[1].n[0]]);
	workers_set_number(&s, 5);
	for (unsigned k = 0; k < 6; k++)
		assert_int_equal(count_readers(1, 1, k), 1);
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(count_readers(1, 0, k), 1);
}

/* The thread says that it has ended. */
static void end_thread(unsigned index)
{
	uint64_t one = 1;

	__atomic_store_n(&s.workers[index].ended, true, __ATOMIC_RELEASE);
	assert_int_equal(write(s.workers_event, &one, sizeof(one)), sizeof(one));
}

static void threads_too_many_retire_and_are_joined(void **state)
{
	const struct worker_plan *plan;
	uint64_t counted = 0;

	(void)state;
	workers_set_number(&s, 3);
	workers_set_number(&s, 2);
	assert_int_equal(s.n_threads, 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(s.workers[i].next->what, i < 2 ? WORKER_SERVES : WORKER_RETIRES);
		assert_int_equal(s.workers[WORKERS_MAX + i].next->what,
		                 i < 2 ? WORKER_SERVES : WORKER_RETIRES);
	}
	assert_int_equal(s.workers[2].next->n, 0);
	tally_add(&s.workers[2].tally, &counted, 3);
	end_thread(2); /* as it was asked to */
	end_thread(WORKERS_MAX + 2);
	plan = s.workers[0].next;
	workers_join_ended(&s, s.workers_event, 0);
	assert_false(s.workers[2].running || s.workers[WORKERS_MAX + 2].running);
	workers_join_ended(&s, s.workers_event, 0); /* no other has ended */
	assert_ptr_equal(s.workers[0].next, plan);  /* nobody lacks: the others go on */
	assert_true(s.workers[0].running && s.workers[1].running);
	assert_int_equal(counted, 3);
	assert_int_equal(count_signs(), 4); /* nobody waits for the turns of those that ended */
	assert_int_equal(s.n_threads, 2);
}

/*
 * A loop that fails ends its thread, which nobody has asked to: it is started again, whichever of
 * several it is.
 */
static void a_thread_that_ends_by_itself_is_started_again(void **state)
{
	(void)state;
	workers_set_number(&s, 3);
	for (unsigned i = 0; i < 3; i++) {
		struct dns_worker *w = &s.workers[i];

		end_thread(i);
		workers_join_ended(&s, s.workers_event, 0);
		assert_true(w->running);
		assert_false(w->ended);
		assert_int_equal(w->next->what, WORKER_SERVES);
		assert_int_equal(count_readers(0, 0, i), 1);
		assert_int_equal(count_signs(), 6);
	}
	workers_join_ended(&s, s.workers_event, 0); /* none has ended */
	assert_int_equal(s.n_threads, 3);
}

/* One that was to go on, and one that was not, in the same round. */
static void of_two_that_end_the_one_that_lacks_comes_back(void **state)
{
	(void)state;
	workers_set_number(&s, 3);
	workers_set_number(&s, 2);
	end_thread(0);
	end_thread(WORKERS_MAX + 2);
	workers_join_ended(&s, s.workers_event, 0);
	assert_true(s.workers[0].running);
	assert_false(s.workers[WORKERS_MAX + 2].running);
}

static void a_thread_that_does_not_start_leaves_its_sockets_to_others(void **state)
{
	(void)state;
	n_failing = WORKERS_MAX - 2; /* two of TCP */
	workers_set_number(&s, 3);
	assert_int_equal(s.n_threads, 2); /* what is told is what there is of both kinds */
	assert_int_equal(count_threads(), 2);
	for (unsigned k = 0; k < 4; k++) {
		assert_int_equal(count_readers(1, 0, k), 1);
		assert_int_equal(count_readers(1, 1, k), 1);
	}
	n_failing = 0;
	workers_set_number(&s, 3);
	assert_int_equal(s.n_threads, 3);
}

static void without_threads_nothing_is_left_open_and_they_come_later(void **state)
{
	unsigned n_fds = count_descriptors();

	(void)state;
	no_threads = true;
	workers_set_number(&s, 3);
	assert_int_equal(s.n_threads, 0);
	assert_int_equal(count_threads(), 0);
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		assert_false(s.workers[i].running);
	assert_int_equal(count_descriptors(), n_fds);
	no_threads = false;
	workers_set_number(&s, 3);
	assert_int_equal(s.n_threads, 3);
	assert_int_equal(count_threads(), 3);
	no_threads = true; /* those that run go on */
	workers_set_number(&s, 4);
	assert_int_equal(s.n_threads, 3);
	assert_int_equal(count_readers(1, 0, 3), 1);
}

/* The limit of each thread, of @p n. */
static uint32_t limit_of(unsigned n)
{
	workers_set_number(&s, n);
	return s.workers[WORKERS_MAX].next->tcp_most;
}

static void tcp_clients_leave_descriptors_for_the_rest(void **state)
{
	(void)state;
	limit_descriptors(8192);
	assert_int_equal(limit_of(8), 128);
	assert_int_equal(limit_of(1), 1024);
	limit_descriptors(1024 + 128 + 32); /* just enough, and one too few */
	assert_int_equal(limit_of(1), 1024);
	limit_descriptors(1024 + 128 + 31);
	assert_int_equal(limit_of(1), 1023);
	limit_descriptors(2 * 160 + 1); /* half is for clients, and one */
	assert_int_equal(limit_of(1), 161);
	limit_descriptors(2 * 160);
	assert_int_equal(limit_of(1), 80);
	limit_descriptors(
	        1024); /* 128 for files, and 16 sockets twice: here, and in a thread's plan */
	assert_int_equal(limit_of(1), 1024 - 128 - 2 * 16);
	assert_int_equal(limit_of(2), (1024 - 128 - 2 * 16) / 2);
	listen_with(8);
	assert_int_equal(limit_of(1), 1024 - 128 - 2 * 32);
	listen_at(13, 8);
	assert_int_equal(limit_of(8), 64); /* some, however many threads share them */
	limit_descriptors(1023);           /* too few for all of that */
	assert_int_equal(limit_of(8), 1023 / 4 / 8);
	limit_descriptors(16);
	assert_int_equal(limit_of(8), 1);
	limit_descriptors(8192);
}

/* What a connection counts that is closed with its thread is not lost. */
static void a_client_that_is_there_at_the_end_is_counted(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	uint8_t bytes[512] = { 0, ANSWERS_QUERY };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	are_real = true;
	answers_make("x TXT x\n");
	s.serving = &answers_from;
	s.dirs = &(struct proc_dirs){ .node = "a" };
	assert_int_equal(bind(listener, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
	close(s.listens[0].fds[1][1]);
	s.listens[0].fds[1][1] = listener;
	workers_set_number(&s, 2);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	answers_query(1, bytes + 2);
	assert_int_equal(send(fd, bytes, 2 + ANSWERS_QUERY, 0), 2 + ANSWERS_QUERY);
	assert_true(recv(fd, bytes, sizeof(bytes), 0) > 0);
	assert_int_equal(read_value("weir_dns_tcp_open", ""), 1);
	workers_stop(&s);
	assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 0);
	assert_int_equal(read_value("weir_dns_tcp_open", ""), 0);
	assert_int_equal(read_value("weir_dns_tcp_closed_total", "reason=\"client\""), 1);
	close(fd);
	s.serving = NULL;
	answers_free();
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin_scene, end_scene)

SUITE(workers)
{
	const struct CMUnitTest tests[] = {
		WITH(each_socket_is_read_by_one_thread_however_many_there_are),
		WITH(threads_too_many_retire_and_are_joined),
		WITH(a_thread_that_ends_by_itself_is_started_again),
		WITH(of_two_that_end_the_one_that_lacks_comes_back),
		WITH(a_thread_that_does_not_start_leaves_its_sockets_to_others),
		WITH(without_threads_nothing_is_left_open_and_they_come_later),
		WITH(tcp_clients_leave_descriptors_for_the_rest),
		WITH(a_client_that_is_there_at_the_end_is_counted),
	};

	answer_pthread_create = own_pthread_create;
	answer_pthread_join = own_pthread_join;
	return cmocka_run_group_tests_name("dns workers", tests, NULL, NULL);
}
