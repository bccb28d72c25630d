/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each thread is one of the system's, which sleeps at a semaphore until it has the turn. (Threads of our own making would be
 * faster, but sanitizers and variables of threads know only the system's.) Who gives the turn up chooses the next one.
 */
#include "tests/cluster/sched.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define START_NS  ((int64_t)1795000000 * 1000000000) /* wall time at the beginning */
#define BEGIN_NS  (1000 * SCHED_MS)                  /* virtual time then: 0 often means none */
#define TURN_NS   20000u    /* what a turn takes: a loop that waits for time to go on ends */
#define STILL_MAX 1000u     /* the same where turns take no time */
#define TURNS_MAX 20000000u /* then nothing goes on */

struct sched_thread {
	struct sched_thread *next;
	pthread_t id;
	sem_t turn;
	struct sched_host *host;
	void *(*run)(void *arg);
	void *arg;
	bool has_ended, is_abandoned, is_detached, is_poked;
	/* what it waits for */
	uint64_t until_ns;
	bool (*is_ready)(void *arg);
	void *ready_arg;
	uint64_t waits_since; /* counts turns */
	const void *key;      /* NULL: for no signal */
	bool is_signalled;
};

struct sched_event {
	uint64_t at_ns, number; /* those of one moment in their order */
	void (*run)(void *arg);
	void *arg;
};

static struct {
	struct sched_thread *threads, *running;
	struct sched_event *events; /* a heap, the earliest first */
	size_t n_events, room;
	uint64_t number, now_ns, turns, rng, rng_names;
	unsigned n_still; /* turns at this moment */
	bool is_steady;
} sched;

static _Thread_local struct sched_thread *self;

bool sched_is_on(void)
{
	return self != NULL;
}

struct sched_host *sched_host(void)
{
	return self ? self->host : NULL;
}

uint64_t sched_now_ns(void)
{
	return sched.now_ns;
}

int64_t sched_boot_ns(const struct sched_host *h)
{
	return (int64_t)sched.now_ns - (h ? h->boot_ns : 0);
}

int64_t sched_wall_ns(const struct sched_host *h)
{
	return START_NS + (int64_t)sched.now_ns + (h ? h->wall_off_ns : 0);
}

/* splitmix64 */
static uint32_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 32);
}

uint32_t sched_below(uint32_t n)
{
	return next_random(&sched.rng) % n;
}

unsigned char sched_byte(void)
{
	return (unsigned char)next_random(&sched.rng_names);
}

void sched_be_steady(void)
{
	sched.is_steady = true;
}

bool sched_is_steady(void)
{
	return sched.is_steady;
}

bool sched_chance(uint32_t per_mille)
{
	return sched_below(1000) < per_mille;
}

/* --- what happens at a time --- */

static bool is_before(const struct sched_event *a, const struct sched_event *b)
{
	return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->number < b->number);
}

void sched_at(uint64_t at_ns, void (*run)(void *arg), void *arg)
{
	struct sched_event e = { at_ns, sched.number++, run, arg };

	if (sched.n_events == sched.room) {
		sched.room = sched.room ? 2 * sched.room : 64;
		sched.events = reallocarray(sched.events, sched.room, sizeof(e));
		if (!sched.events)
			abort();
	}
	size_t i = sched.n_events++;

	for (; i && is_before(&e, &sched.events[(i - 1) / 2]); i = (i - 1) / 2)
		sched.events[i] = sched.events[(i - 1) / 2];
	sched.events[i] = e;
}

static struct sched_event take_event(void)
{
	struct sched_event first = sched.events[0], last = sched.events[--sched.n_events];
	size_t i = 0, n = sched.n_events;

	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		child += child + 1 < n && is_before(&sched.events[child + 1], &sched.events[child]);
		if (!is_before(&sched.events[child], &last))
			break;
		sched.events[i] = sched.events[child];
	}
	sched.events[i] = last;
	return first;
}

static void run_events(void)
{
	while (sched.n_events && sched.events[0].at_ns <= sched.now_ns) {
		struct sched_event e = take_event();

		e.run(e.arg);
	}
}

/* --- turns --- */

static bool can_go_on(const struct sched_thread *t)
{
	if (t->has_ended || t->is_abandoned)
		return false;
	return t->is_poked || t->until_ns <= sched.now_ns || (t->key && t->is_signalled) ||
	       (t->is_ready && t->is_ready(t->ready_arg));
}

/* One of those that can go on, by the seed, or the one that has waited longest; NULL: none can. */
static struct sched_thread *choose_thread(void)
{
	struct sched_thread *chosen = NULL;
	uint32_t n = 0;

	for (struct sched_thread *t = sched.threads; t; t = t->next) {
		if (!can_go_on(t))
			continue;
		if (sched.is_steady ? !chosen || t->waits_since < chosen->waits_since
		                    : sched_below(++n) == 0)
			chosen = t;
	}
	return chosen;
}

static void move_time(void)
{
	uint64_t next_ns = sched.n_events ? sched.events[0].at_ns : SCHED_NEVER;

	for (const struct sched_thread *t = sched.threads; t; t = t->next)
		if (!t->has_ended && !t->is_abandoned && t->until_ns < next_ns)
			next_ns = t->until_ns;
	if (next_ns == SCHED_NEVER || sched.turns > TURNS_MAX) {
		fprintf(stderr, "cluster: no thread goes on\n");
		abort();
	}
	sched.now_ns = next_ns;
	sched.n_still = 0;
}

static void count_turn(void)
{
	self->waits_since = ++sched.turns;
	if (!sched.is_steady || ++sched.n_still % STILL_MAX == 0)
		sched.now_ns += TURN_NS;
}

/* The believed time is one for a process (base/clock.h): a host's comes and goes with its threads. */
static void change_host(const struct sched_thread *from, const struct sched_thread *to)
{
	if (from->host == to->host)
		return;
	if (from->host)
		from->host->believed_ms = clock_believed_at(0);
	clock_believe(to->host ? to->host->believed_ms : INT64_MIN);
}

/* Give the turn to the next thread, which may be the same. */
static void pass_turn(void)
{
	struct sched_thread *next, *me = self;

	count_turn();
	for (run_events(); !(next = choose_thread()); run_events())
		move_time();
	if (next == me)
		return;
	change_host(me, next);
	sched.running = next;
	bool is_over = me->has_ended;

	sem_post(&next->turn);
	while (!is_over && sem_wait(&me->turn) && errno == EINTR)
		;
}

bool sched_wait(bool (*is_ready)(void *arg), void *arg, uint64_t until_ns)
{
	self->is_ready = is_ready;
	self->ready_arg = arg;
	self->until_ns = until_ns;
	pass_turn();
	self->until_ns = SCHED_NEVER;
	self->is_poked = false;
	self->is_ready = NULL;
	return is_ready && is_ready(arg);
}

bool sched_wait_signal(const void *key, uint64_t until_ns)
{
	self->key = key;
	self->is_signalled = false;
	(void)sched_wait(NULL, NULL, until_ns);
	self->key = NULL;
	return self->is_signalled;
}

void sched_signal(const void *key, bool all)
{
	for (struct sched_thread *t = sched.threads; t; t = t->next) {
		if (t->key != key || t->is_signalled || t->is_abandoned)
			continue;
		t->is_signalled = true;
		if (!all)
			return;
	}
}

/* --- threads --- */

static void add_thread(struct sched_thread *t)
{
	sem_init(&t->turn, 0, 0);
	t->next = sched.threads;
	sched.threads = t;
}

/* One of the threads runs at a time: it costs less to go on where the one before was. */
static void keep_processor(void)
{
	cpu_set_t one;
	int here = sched_getcpu();

	CPU_ZERO(&one);
	CPU_SET(here < 0 ? 0 : (size_t)here, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

void sched_begin(uint64_t seed)
{
	self = calloc(1, sizeof(*self));
	if (!self)
		abort();
	self->until_ns = SCHED_NEVER;
	self->id = pthread_self();
	sched.rng = seed * 0x2545f4914f6cdd1d + 1;
	sched.rng_names = ~sched.rng;
	sched.now_ns = BEGIN_NS;
	sched.running = self;
	add_thread(self);
	keep_processor();
}

static void remove_thread(struct sched_thread *t)
{
	struct sched_thread **at = &sched.threads;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
}

static void *run_thread(void *arg)
{
	self = arg;
	while (sem_wait(&self->turn) && errno == EINTR)
		;
	self->until_ns = SCHED_NEVER;
	void *result = self->run(self->arg);
	struct sched_thread *mine = self->is_detached ? self : NULL;

	self->has_ended = true;
	if (mine)
		remove_thread(mine);
	pass_turn();
	free(mine);
	return result;
}

static bool start_thread(const struct sched_thread *with, pthread_t *id)
{
	struct sched_thread *t = malloc(sizeof(*t));

	if (!t)
		return false;
	*t = *with; /* it can go on at once */
	add_thread(t);
	if (pthread_create(&t->id, NULL, run_thread, t)) {
		remove_thread(t);
		free(t);
		return false;
	}
	*id = t->id;
	return true;
}

bool sched_start(struct sched_host *host, void *(*run)(void *arg), void *arg, pthread_t *id)
{
	const struct sched_thread with = { .host = host, .run = run, .arg = arg };

	return start_thread(&with, id);
}

void sched_spawn(struct sched_host *host, void *(*run)(void *arg), void *arg)
{
	const struct sched_thread with = {
		.host = host, .run = run, .arg = arg, .is_detached = true
	};
	pthread_t id;

	if (!start_thread(&with, &id))
		abort();
	pthread_detach(id);
}

static bool has_ended(void *arg)
{
	const struct sched_thread *t = arg;

	return t->has_ended;
}

static struct sched_thread *find_thread(pthread_t id)
{
	struct sched_thread *t = sched.threads;

	while (!pthread_equal(t->id, id) || t->is_abandoned)
		t = t->next;
	return t;
}

void sched_join(pthread_t id)
{
	struct sched_thread *t = find_thread(id);

	while (!sched_wait(has_ended, t, SCHED_NEVER))
		;
	pthread_join(id, NULL);
	remove_thread(t);
	free(t);
}

void sched_poke(pthread_t id)
{
	find_thread(id)->is_poked = true;
}

void sched_abandon(struct sched_host *host)
{
	for (struct sched_thread *t = sched.threads; t; t = t->next)
		t->is_abandoned |= t->host == host;
}
