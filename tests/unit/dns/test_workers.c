/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which thread reads which socket, how many TCP clients it may have, and what becomes of threads
 * that end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/loop.h"
#include "dns/server.h"
#include "dns/worker.h"
#include "weir/stats.h"

static char signs[WORKERS_ALL][WORKER_NAME_MAX]; /* of threads that are watched */
static unsigned n_failing;                       /* so many TCP threads do not start */
static unsigned n_closed;
static unsigned n_begun, n_ended[3]; /* by tcp_close(), keys_join(), udp_close(): each thread's */
static uint64_t word, queries[WORKERS_MAX];

static int fake_open(struct dns_worker *w)
{
	n_begun++;
	return w->is_tcp && w->number >= WORKERS_MAX - n_failing ? -ENOMEM : 0;
}

static void fake_close(struct dns_worker *w)
{
	/* what a connection that is closed counts is not lost with its thread */
	tally_add(&w->tally, &word, 1);
	n_closed++;
	n_ended[0]++;
}

static void fake_udp_close(struct dns_worker *w)
{
	(void)w;
	n_ended[2]++;
}

static int fake_tcp_open(struct dns_worker *w)
{
	assert_true(w->is_tcp);
	return fake_open(w);
}

static int fake_udp_open(struct dns_worker *w)
{
	assert_false(w->is_tcp);
	return fake_open(w);
}

/* A thread that only ends when it is asked to: its plan is for the test to read. */
static void *fake_run(void *arg)
{
	struct dns_worker *w = arg;
	uint64_t n;

	do
		usleep(1000);
	while (read(w->wake, &n, sizeof(n)) < 0 ||
	       __atomic_load_n(&w->next, __ATOMIC_ACQUIRE)->what != WORKER_STOPS);
	return NULL;
}

static const char *fake_name(const struct dns_worker *w, char out[WORKER_NAME_MAX])
{
	snprintf(out, WORKER_NAME_MAX, "%s%u", w->is_tcp ? "t" : "u", w->number);
	return out;
}

static struct worker_plan
        *given_up[1024]; /* a thread may be looking at one: freed when all have ended */
static unsigned n_given_up;

static void fake_join(struct server *of, struct dns_worker *w)
{
	assert_ptr_equal(of, w->server);
	n_ended[1]++;
	key_table_close(&w->key_tables);
}

static void fake_free(struct worker_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n; i++)
		close(plan->sockets[i].fd);
	assert_true(n_given_up < 1024);
	given_up[n_given_up++] = plan;
}

static uint64_t *fake_turns(struct stats *s, const char *thread)
{
	static uint64_t turns;

	(void)s;
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		if (!signs[i][0]) {
			snprintf(signs[i], WORKER_NAME_MAX, "%s", thread);
			break;
		}
	return &turns;
}

static void fake_turns_end(struct stats *s, const char *thread)
{
	(void)s;
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		if (!strcmp(signs[i], thread))
			signs[i][0] = '\0';
}

static unsigned count_signs(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKERS_ALL; i++)
		n += signs[i][0] != '\0';
	return n;
}

static uint64_t *fake_thread(struct counters *c, unsigned number)
{
	(void)c;
	return &queries[number];
}

static bool no_threads; /* the system has none left */

static int fake_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                       void *arg)
{
	return no_threads ? EAGAIN : pthread_create(thread, attr, run, arg);
}

/* The private parts too. */
#define pthread_create   fake_create
#define tcp_open         fake_tcp_open
#define udp_open         fake_udp_open
#define tcp_close        fake_close
#define udp_close        fake_udp_close
#define worker_serve     fake_run
#define worker_name      fake_name
#define worker_plan_free fake_free
#define keys_join        fake_join
#define stats_turns      fake_turns
#define stats_turns_end  fake_turns_end
#define counters_thread  fake_thread
#include "dns/workers.c"

static struct server s;
static uint64_t n_threads_word;

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

/* Two addresses with @p n sockets of each kind. */
static void listen_with(unsigned n)
{
	s.n_listens = 2;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			while (s.listens[i].n[kind] < n)
				s.listens[i].fds[kind][s.listens[i].n[kind]++] = open_socket();
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int n_fds_before;

static int set_up(void **state)
{
	(void)state;
	n_fds_before = count_fds();
	no_threads = false;
	memset(&s, 0, sizeof(s));
	memset(signs, 0, sizeof(signs));
	n_failing = n_begun = n_ended[0] = n_ended[1] = n_ended[2] = 0;
	s.workers_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s.counters.stats = (void *)&s; /* there is a page */
	s.counters.threads = &n_threads_word;
	listen_with(4);
	return s.workers_event < 0;
}

static int tear_down(void **state)
{
	(void)state;
	workers_stop(&s);
	for (unsigned i = 0; i < 3; i++) /* all that was begun was ended, once */
		assert_int_equal(n_ended[i], n_begun);
	for (unsigned i = 0; i < WORKERS_ALL; i++) {
		const struct dns_worker *w = &s.workers[i];

		assert_true(!w->running && !w->loop && !w->plan && !w->next);
		assert_true(!w->server || w->wake == -1);
	}
	while (n_given_up)
		free(given_up[--n_given_up]);
	for (unsigned i = 0; i < s.n_listens; i++)
		for (unsigned kind = 0; kind < 2; kind++)
			while (s.listens[i].n[kind])
				close(s.listens[i].fds[kind][--s.listens[i].n[kind]]);
	close(s.workers_event);
	return count_fds() != n_fds_before; /* whatever happened */
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
		assert_int_equal(n_threads_word, n);
		assert_int_equal(count_signs(), 2 * n);
		for (unsigned i = 0; i < WORKERS_ALL; i++) {
			const struct dns_worker *w = &s.workers[i];

			assert_int_equal(w->running, i % WORKERS_MAX < n);
			if (w->running)
				assert_ptr_equal(w->queries, &queries[i % WORKERS_MAX]);
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

static void threads_too_many_retire_and_are_joined(void **state)
{
	const struct worker_plan *plan;
	uint64_t one = 1;

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
	/* the third of each kind ends, as it was asked to */
	word = 0;
	n_closed = 0;
	for (unsigned i = 2; i < WORKERS_ALL; i += WORKERS_MAX) {
		struct worker_plan *end = calloc(1, sizeof(*end));

		end->what = WORKER_STOPS;
		send_plan(&s.workers[i], end);
		__atomic_store_n(&s.workers[i].ended, true, __ATOMIC_RELEASE);
	}
	assert_int_equal(write(s.workers_event, &one, sizeof(one)), sizeof(one));
	plan = s.workers[0].next;
	workers_join_ended(&s, s.workers_event, 0);
	assert_false(s.workers[2].running || s.workers[WORKERS_MAX + 2].running);
	assert_int_equal(write(s.workers_event, &one, sizeof(one)), sizeof(one));
	workers_join_ended(&s, s.workers_event, 0); /* no other has ended */
	assert_int_equal(n_closed, 2);
	assert_ptr_equal(s.workers[0].next, plan); /* nobody lacks: the others go on */
	assert_true(s.workers[0].running && s.workers[1].running);
	assert_int_equal(count_signs(), 4); /* nobody waits for the turns of those that ended */
	assert_int_equal(word, n_closed);
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
		struct worker_plan *end = calloc(1, sizeof(*end));
		uint64_t one = 1;

		end->what = WORKER_STOPS;
		send_plan(w, end);
		__atomic_store_n(&w->ended, true, __ATOMIC_RELEASE);
		assert_int_equal(write(s.workers_event, &one, sizeof(one)), sizeof(one));
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
	static const unsigned ending[] = { 0, WORKERS_MAX + 2 };
	uint64_t one = 1;

	(void)state;
	workers_set_number(&s, 3);
	workers_set_number(&s, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct worker_plan *end = calloc(1, sizeof(*end));

		end->what = WORKER_STOPS;
		send_plan(&s.workers[ending[i]], end);
		__atomic_store_n(&s.workers[ending[i]].ended, true, __ATOMIC_RELEASE);
	}
	assert_int_equal(write(s.workers_event, &one, sizeof(one)), sizeof(one));
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
	assert_int_equal(n_threads_word, 2);
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
	int n_fds = count_fds();

	(void)state;
	no_threads = true;
	workers_set_number(&s, 3);
	assert_int_equal(s.n_threads, 0);
	assert_int_equal(n_threads_word, 0);
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		assert_false(s.workers[i].running);
	assert_int_equal(count_fds(), n_fds);
	no_threads = false;
	workers_set_number(&s, 3);
	assert_int_equal(s.n_threads, 3);
	assert_int_equal(n_threads_word, 3);
	no_threads = true; /* those that run go on */
	workers_set_number(&s, 4);
	assert_int_equal(s.n_threads, 3);
	assert_int_equal(count_readers(1, 0, 3), 1);
}

static void tcp_clients_leave_descriptors_for_the_rest(void **state)
{
	(void)state;
	limit_descriptors(8192);
	assert_int_equal(clients_of_each(&s, 1), 1024);
	assert_int_equal(clients_of_each(&s, 4), 256);
	limit_descriptors(1024 + 128 + 32); /* just enough, and one too few */
	assert_int_equal(clients_of_each(&s, 1), 1024);
	limit_descriptors(1024 + 128 + 31);
	assert_int_equal(clients_of_each(&s, 1), 1023);
	limit_descriptors(2 * 160 + 1); /* half is for clients, and one */
	assert_int_equal(clients_of_each(&s, 1), 161);
	limit_descriptors(2 * 160);
	assert_int_equal(clients_of_each(&s, 1), 80);
	limit_descriptors(
	        1024); /* 128 for files, and 16 sockets twice: here, and in a thread's plan */
	assert_int_equal(clients_of_each(&s, 1), 1024 - 128 - 2 * 16);
	assert_int_equal(clients_of_each(&s, 2), (1024 - 128 - 2 * 16) / 2);
	listen_with(8);
	assert_int_equal(clients_of_each(&s, 1), 1024 - 128 - 2 * 32);
	assert_int_equal(clients_of_each(&s, 64), 64); /* some, however many threads share them */
	limit_descriptors(256);                        /* too few for all of that */
	assert_int_equal(clients_of_each(&s, 1), 64);
	assert_int_equal(clients_of_each(&s, 64), 1);
	assert_int_equal(clients_of_each(&s, 1000), 1);
	limit_descriptors(1024);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(each_socket_is_read_by_one_thread_however_many_there_are),
		WITH(threads_too_many_retire_and_are_joined),
		WITH(a_thread_that_ends_by_itself_is_started_again),
		WITH(of_two_that_end_the_one_that_lacks_comes_back),
		WITH(a_thread_that_does_not_start_leaves_its_sockets_to_others),
		WITH(without_threads_nothing_is_left_open_and_they_come_later),
		WITH(tcp_clients_leave_descriptors_for_the_rest),
	};

	return cmocka_run_group_tests_name("dns workers", tests, NULL, NULL);
}
