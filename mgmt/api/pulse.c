/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread of its own writes to the connections of requests under way. Nothing else is written there meanwhile: the
 * connection's thread is in the handler. A lock of its own keeps the end of one apart from the next pulse; a client
 * that does not read loses pulses, and its connection is not waited for.
 */
#include "mgmt/api/pulse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/thread.h"

#define FDS_MAX CORE_KEYS_MAX /* as many as there are connections */

struct pulse {
	struct thread thread;
	pthread_mutex_t lock;
	int fds[FDS_MAX];
	uint64_t since_ms[FDS_MAX];
	size_t n;
};

static void send_all(struct pulse *p)
{
	static const char text[] = "HTTP/1.1 102 Processing\r\n\r\n";
	uint64_t now_ms = clock_mono_ms();

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		if (now_ms - p->since_ms[i] >= PULSE_EVERY_MS / 2)
			(void)!send(p->fds[i], text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	pthread_mutex_unlock(&p->lock);
}

static void *run(void *arg)
{
	struct core *core = arg;
	bool stopping = false;

	while (!stopping) {
		uint64_t until_ms = clock_mono_ms() + PULSE_EVERY_MS;

		send_all(core->pulse);
		core_lock(core);
		while (core_wait(core, until_ms))
			;
		stopping = core->stopping;
		core_unlock(core);
	}
	return NULL;
}

int pulse_start(struct core *core)
{
	struct pulse *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	pthread_mutex_init(&p->lock, NULL);
	core->pulse = p;
	return thread_start(&p->thread, run, core);
}

void pulse_stop(struct core *core)
{
	if (!core->pulse)
		return;
	thread_join(&core->pulse->thread);
	free(core->pulse);
	core->pulse = NULL;
}

void pulse_begin(struct core *core, int fd)
{
	struct pulse *p = core->pulse;

	pthread_mutex_lock(&p->lock);
	if (p->n < FDS_MAX) {
		p->since_ms[p->n] = clock_mono_ms();
		p->fds[p->n++] = fd;
	}
	pthread_mutex_unlock(&p->lock);
}

void pulse_end(struct core *core, int fd)
{
	struct pulse *p = core->pulse;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++)
		if (p->fds[i] == fd) {
			p->fds[i] = p->fds[--p->n];
			p->since_ms[i] = p->since_ms[p->n];
			break;
		}
	pthread_mutex_unlock(&p->lock);
}
