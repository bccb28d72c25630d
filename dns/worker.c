/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that answers. The main thread hands over plans through one pointer that both sides
 * exchange, so a newer plan replaces one that was not read yet and no lock is needed. The worker
 * applies a plan between two callbacks of its loop: while a callback runs, its sockets stay as they
 * are.
 */
#include "dns/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "dns/server.h"
#include "dns/serving.h"

#define RETIRE_LOOK_MS 100 /* between two looks whether a retiring thread has clients left */

const char *worker_name(const struct dns_worker *w, char out[WORKER_NAME_MAX])
{
	snprintf(out, WORKER_NAME_MAX, w->is_tcp ? "dns-tcp-%u" : "dns-%u", w->number + 1);
	return out;
}

void worker_plan_free(struct worker_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n; i++)
		close(plan->sockets[i].fd);
	free(plan);
}

/* A UDP thread polls the few descriptors that most nodes have: each datagram costs less. */
static int watch_fd(struct dns_worker *w, int fd, loop_fd_cb *cb)
{
	int err = w->is_tcp ? -ENOSPC : loop_fd_add_polled(w->loop, fd, EPOLLIN, cb, w);

	return err == -ENOSPC ? loop_fd_add(w->loop, fd, EPOLLIN, cb, w) : err;
}

static void add_socket(struct dns_worker *w, const struct worker_socket *socket)
{
	char name[WORKER_NAME_MAX];
	int err = w->is_tcp ? tcp_listen_add(w, socket->fd) : watch_fd(w, socket->fd, udp_ready);

	if (err < 0)
		log_error("dns-listen-failed", "thread=%s error=\"%s\"", worker_name(w, name),
		          strerror(-err));
}

/* A socket that is removed may be closed behind us, however long this thread stood still. */
static void serve_waiting(struct dns_worker *w, const struct worker_socket *socket)
{
	if (w->is_tcp)
		tcp_accept_waiting(w, socket->fd);
	else
		udp_answer_waiting(w, socket->fd);
}

static void remove_socket(struct dns_worker *w, const struct worker_socket *socket)
{
	if (w->is_tcp)
		tcp_listen_remove(w, socket->fd);
	else
		loop_fd_remove(w->loop, socket->fd);
}

/* End a retiring thread when its last TCP client has gone, or when it has waited long enough. */
static void end_if_idle(void *arg)
{
	struct dns_worker *w = arg;
	uint64_t now_ms = loop_now_ms(w->loop);

	if (!w->is_tcp || tcp_clients(w) == 0 || now_ms >= w->retire_ms)
		loop_stop(w->loop);
	else if (loop_timer_set(w->loop, &w->retire, now_ms + RETIRE_LOOK_MS) < 0)
		loop_stop(w->loop);
}

/*
 * The old sockets are removed before the new ones are added, so that these find room among the polled
 * ones. A socket that is in both plans has two descriptors.
 */
static void apply_plan(struct dns_worker *w, struct worker_plan *plan)
{
	struct worker_plan *old = w->plan;

	w->plan = plan;
	if (w->is_tcp)
		tcp_limit(w, plan->tcp_most);
	for (size_t i = 0; old && i < old->n; i++) {
		if (plan->what != WORKER_STOPS) /* else it stays for the next process */
			serve_waiting(w, &old->sockets[i]);
		remove_socket(w, &old->sockets[i]);
	}
	for (size_t i = 0; i < plan->n; i++)
		add_socket(w, &plan->sockets[i]);
	worker_plan_free(old);
	loop_timer_cancel(w->loop, &w->retire);
	if (plan->what == WORKER_STOPS)
		loop_stop(w->loop);
	if (plan->what == WORKER_RETIRES) {
		w->retire_ms = loop_now_ms(w->loop) + WORKER_RETIRE_MS;
		end_if_idle(w);
	}
}

/* Of plans in quick succession only the newest is found: a later wake then finds none. */
static void on_new_plan(void *arg, int fd, uint32_t events)
{
	struct dns_worker *w = arg;
	struct worker_plan *plan;
	uint64_t n;

	(void)events;
	if (read(fd, &n, sizeof(n)) < 0)
		return;
	plan = __atomic_exchange_n(&w->next, NULL, __ATOMIC_ACQ_REL);
	if (plan)
		apply_plan(w, plan);
}

void *worker_serve(void *arg)
{
	struct dns_worker *w = arg;
	char name[WORKER_NAME_MAX];
	uint64_t one = 1;
	int err;

	(void)pthread_setname_np(pthread_self(), worker_name(w, name));
	w->retire = (struct loop_timer){ .cb = end_if_idle, .arg = w };
	err = watch_fd(w, w->wake, on_new_plan);
	if (err == 0)
		err = loop_run(w->loop);
	if (err < 0)
		log_error("dns-thread-failed",
		          "thread=%s error=\"%s\" effect=\"the thread is restarted\"",
		          worker_name(w, name), strerror(-err));
	tally_flush(&w->tally);
	__atomic_store_n(&w->ended, true, __ATOMIC_RELEASE);
	return write(w->server->workers_event, &one, sizeof(one)) < 0 ? arg : NULL;
}
