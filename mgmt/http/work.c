/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two lists under one lock: jobs that wait for a thread, and jobs that are done. The server's
 * thread never waits here: it gives a job, and an eventfd wakes it when one is done. Threads are
 * started one by one, because most servers never need the last.
 */
#include "mgmt/http/work.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"

struct http_pool {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct http_job *first, **last; /* that wait for a thread */
	struct http_job *done;
	struct thread *threads;
	size_t n_threads, max_threads, n_idle, n_waiting;
	int wake_fd;
	bool stopping;
};

/* The next job, or NULL at the end. Under the lock. */
static struct http_job *next_job(struct http_pool *p)
{
	p->n_idle++;
	while (!p->first && !p->stopping)
		pthread_cond_wait(&p->more, &p->lock);
	p->n_idle--;
	struct http_job *job = p->first;
	if (job) {
		p->first = job->next;
		p->n_waiting--;
		if (!p->first)
			p->last = &p->first;
	}
	return job;
}

static void *run_jobs(void *arg)
{
	struct http_pool *p = arg;
	struct http_job *job;
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	while ((job = next_job(p))) {
		pthread_mutex_unlock(&p->lock);
		job->run(job);
		pthread_mutex_lock(&p->lock);
		bool is_first = !p->done; /* else the server is woken already, and takes all */
		job->next = p->done;
		p->done = job;
		if (is_first)
			(void)!write(p->wake_fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int http_pool_open(size_t n_threads, int wake_fd, struct http_pool **out)
{
	struct http_pool *p = calloc(1, sizeof(*p));

	if (!p || !(p->threads = calloc(n_threads, sizeof(*p->threads)))) {
		free(p);
		return -ENOMEM;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	p->last = &p->first;
	p->max_threads = n_threads;
	p->wake_fd = wake_fd;
	*out = p;
	return 0;
}

void http_pool_close(struct http_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n_threads; i++)
		thread_join(&p->threads[i]);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}

bool http_pool_is_free(struct http_pool *p)
{
	pthread_mutex_lock(&p->lock);
	bool is_free = p->n_idle > p->n_waiting || p->n_threads < p->max_threads;
	pthread_mutex_unlock(&p->lock);
	return is_free;
}

int http_pool_give(struct http_pool *p, struct http_job *job)
{
	int err = 0;

	pthread_mutex_lock(&p->lock);
	if (p->n_idle <= p->n_waiting && p->n_threads < p->max_threads) {
		err = thread_start(&p->threads[p->n_threads], run_jobs, p);
		p->n_threads += err == 0;
	}
	if (err && p->n_threads > 0)
		err = 0; /* another thread takes it when it is free */
	if (!err) {
		job->next = NULL;
		*p->last = job;
		p->last = &job->next;
		p->n_waiting++;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	return err;
}

struct http_job *http_pool_done(struct http_pool *p)
{
	pthread_mutex_lock(&p->lock);
	struct http_job *done = p->done;
	p->done = NULL;
	pthread_mutex_unlock(&p->lock);
	return done;
}
