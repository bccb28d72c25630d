/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The threads as the main thread sees them. A thread's loop, buffers and descriptors are made
 * before it starts and freed after it was joined, so a running thread never lacks anything.
 *
 * Socket number k of each address belongs to thread k modulo the number of threads of its kind:
 * however many sockets there are, each is read. A plan has duplicates of its sockets' descriptors,
 * which the thread closes when it gets the next plan. A socket that moves from one thread to
 * another is read by both for a moment, and never by none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/server.h"
#include "dns/worker.h"
#include "weir/stats.h"

#define CLIENTS_MOST 1024 /* TCP connections of all threads: each has up to 144 KiB of buffers */
/* Of one thread, if descriptors suffice: also with many threads each serves a useful number. */
#define CLIENTS_LEAST 64
#define FD_RESERVE    128 /* descriptors that clients leave for files, pages and the control socket */

/*
 * The limit of TCP clients of one thread. All threads together must leave FD_RESERVE descriptors
 * to everything else.
 */
static uint32_t clients_of_each(const struct server *s, unsigned n_threads)
{
	struct rlimit limit = { 0 };
	size_t most = CLIENTS_MOST, used = FD_RESERVE;

	for (unsigned i = 0; i < s->n_listens; i++)
		used += 2u * (s->listens[i].n[0] + s->listens[i].n[1]);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < most + used)
		most = limit.rlim_cur > 2 * used ? (size_t)limit.rlim_cur - used
		                                 : (size_t)limit.rlim_cur / 4;
	most /= n_threads;
	if (most < CLIENTS_LEAST && limit.rlim_cur >= CLIENTS_MOST)
		most = CLIENTS_LEAST;
	return most ? (uint32_t)most : 1;
}

static void add_duplicate(struct worker_plan *plan, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (own < 0)
		log_error("dns-listen-failed",
		          "what=\"duplicating a socket for a thread\" error=\"%s\"",
		          strerror(errno));
	else
		plan->sockets[plan->n++] = (struct worker_socket){ own };
}

/*
 * The plan of thread @p w if @p n threads of its kind shall serve: the others retire. @return
 * NULL without memory
 */
static struct worker_plan *make_worker_plan(const struct server *s, const struct dns_worker *w,
                                            unsigned n)
{
	size_t room = SERVER_SOCKETS_MAX * WORKERS_MAX;
	unsigned number = w->number, kind = w->is_tcp;
	struct worker_plan *plan = malloc(sizeof(*plan) + room * sizeof(plan->sockets[0]));

	if (!plan)
		return NULL;
	*plan = (struct worker_plan){ .what = number < n ? WORKER_SERVES : WORKER_RETIRES,
		                      .tcp_most = clients_of_each(s, n) };
	for (unsigned i = 0; i < s->n_listens; i++)
		for (unsigned k = number; number < n && k < s->listens[i].n[kind]; k += n)
			add_duplicate(plan, s->listens[i].fds[kind][k]);
	return plan;
}

static void send_plan(struct dns_worker *w, struct worker_plan *plan)
{
	char name[WORKER_NAME_MAX];
	uint64_t one = 1;

	worker_plan_free(__atomic_exchange_n(&w->next, plan, __ATOMIC_ACQ_REL));
	if (write(w->wake, &one, sizeof(one)) < 0)
		log_error("dns-thread-failed", "thread=%s what=waking error=\"%s\"",
		          worker_name(w, name), strerror(errno));
}

/*
 * TCP clients are closed here, by the main thread: the worker thread has ended, and may have left
 * some.
 */
static void close_worker(struct server *s, struct dns_worker *w)
{
	if (w->loop) {
		tcp_close(w);
		tally_flush(&w->tally);
	}
	keys_join(s, w);
	udp_close(w);
	worker_plan_free(w->plan);
	w->plan = NULL;
	if (w->wake >= 0)
		close(w->wake);
	w->wake = -1;
	loop_close(w->loop);
	w->loop = NULL;
}

/* On failure the caller closes what was opened. */
static int open_worker(struct server *s, struct dns_worker *w)
{
	int err;

	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = w->wake < 0 ? -errno : loop_open(&w->loop);
	if (err == 0)
		err = w->is_tcp ? tcp_open(w) : udp_open(w);
	if (err < 0)
		return err;
	if (key_table_open(&w->key_tables, w->loop) < 0)
		log_error("dns-keys-failed", "thread=%u error=\"out of memory\"", w->number);
	w->ended = false;
	if (s->counters.stats) {
		char name[WORKER_NAME_MAX];

		w->queries = counters_thread(&s->counters, w->number);
		loop_beat(w->loop, stats_turns(s->counters.stats, worker_name(w, name)));
	}
	return 0;
}

/* A thread that cannot be started leaves nothing behind, so that a later try begins afresh. */
static void start_worker(struct server *s, unsigned index)
{
	struct dns_worker *w = &s->workers[index];
	char name[WORKER_NAME_MAX];
	int err;

	w->server = s;
	w->number = index % WORKERS_MAX;
	w->is_tcp = index >= WORKERS_MAX;
	w->wake = -1;
	err = open_worker(s, w);
	if (err == 0)
		err = -pthread_create(&w->thread, NULL, worker_serve, w);
	w->running = err == 0;
	if (err == 0)
		return;
	log_error("dns-thread-failed", "thread=%s what=starting error=\"%s\"", worker_name(w, name),
	          strerror(-err));
	close_worker(s, w);
}

static void join_worker(struct server *s, struct dns_worker *w)
{
	char name[WORKER_NAME_MAX];

	pthread_join(w->thread, NULL);
	w->running = false;
	close_worker(s, w);
	worker_plan_free(
	        __atomic_exchange_n(&w->next, NULL, __ATOMIC_ACQ_REL)); /* not taken any more */
	if (s->counters.stats)
		stats_turns_end(s->counters.stats, worker_name(w, name));
}

/* Start the missing ones of the first @p n threads of a kind. @return how many run */
static unsigned start_workers(struct server *s, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!s->workers[first + i].running)
			start_worker(s, first + i);
		if (!s->workers[first + i].running)
			return i;
	}
	return n;
}

void workers_set_number(struct server *s, unsigned n)
{
	unsigned n_of[2] = { start_workers(s, 0, n), start_workers(s, WORKERS_MAX, n) };
	unsigned n_running = n_of[0] < n_of[1] ? n_of[0] : n_of[1];

	if (n_running != s->n_threads)
		log_note("dns-threads", "n=%u was=%u", n_running, s->n_threads);
	s->n_threads = n_running;
	if (s->counters.stats)
		stats_set(s->counters.threads, n_running);
	for (unsigned i = 0; i < WORKERS_ALL; i++) {
		unsigned of_kind = n_of[i >= WORKERS_MAX];
		struct worker_plan *plan = of_kind && s->workers[i].running
		                                   ? make_worker_plan(s, &s->workers[i], of_kind)
		                                   : NULL;

		if (plan)
			send_plan(&s->workers[i], plan);
	}
}

void workers_join_ended(void *arg, int fd, uint32_t events)
{
	struct server *s = arg;
	bool lacks = false;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	for (unsigned i = 0; i < WORKERS_ALL; i++) {
		struct dns_worker *w = &s->workers[i];

		if (!w->running || !__atomic_load_n(&w->ended, __ATOMIC_ACQUIRE))
			continue;
		join_worker(s, w);
		lacks |= w->number <
		         s->n_threads; /* it was to go on after all, or its loop has failed */
	}
	if (lacks)
		workers_set_number(s, s->n_threads);
}

void workers_stop(struct server *s)
{
	for (unsigned i = 0; i < WORKERS_ALL; i++) {
		struct worker_plan *plan = s->workers[i].running ? calloc(1, sizeof(*plan)) : NULL;

		if (!plan)
			continue;
		plan->what = WORKER_STOPS;
		send_plan(&s->workers[i], plan);
	}
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		if (s->workers[i].running)
			join_worker(s, &s->workers[i]);
}
