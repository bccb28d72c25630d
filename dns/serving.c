/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hazard pointers. The main thread publishes with a store to s->serving and then looks at what each
 * thread holds. A thread announces what it is about to read and then checks that this is still the
 * published one. Both pairs of store and load are sequentially consistent, so at least one side
 * sees the other's store: no thread reads what was freed.
 *
 * Each published state counts as a user of its generation. The generation is freed with the last of
 * them.
 */
#include "dns/serving.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/server.h"
#include "dns/worker.h"

/* A generation that is in force, or that a thread may still read. */
struct served {
	struct generation *generation;
	struct counters_services *counters;
	size_t n_users; /* servings */
};

bool serving_enter(struct dns_worker *w)
{
	struct serving *const *published = &w->server->serving;
	const struct serving *seen;

	do {
		seen = __atomic_load_n(published, __ATOMIC_SEQ_CST);
		__atomic_store_n(&w->held, seen, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(published, __ATOMIC_SEQ_CST) != seen);
	w->serving = seen;
	return seen;
}

void serving_leave(struct dns_worker *w)
{
	w->serving = NULL;
	__atomic_store_n(&w->held, NULL, __ATOMIC_RELEASE);
}

static bool is_held(const struct server *s, const struct serving *old)
{
	for (unsigned i = 0; i < WORKERS_ALL; i++)
		if (__atomic_load_n(&s->workers[i].held, __ATOMIC_SEQ_CST) == old)
			return true;
	return false;
}

static void drop_served(struct server *s, struct served *of)
{
	if (s->now)
		counters_drop(&s->counters, of->generation, s->now);
	counters_services_free(of->counters);
	generation_free(of->generation);
	free(of);
}

static void free_serving(struct server *s, struct serving *old)
{
	if (--old->of->n_users == 0 && (old->of != s->served || !s->now))
		drop_served(s, old->of);
	free(old);
}

/*
 * Free replaced states that no thread reads. A thread holds one for less than a millisecond, so
 * the list is short.
 */
static void free_unread(struct server *s)
{
	struct serving **link = &s->replaced;

	while (*link) {
		struct serving *old = *link;

		if (is_held(s, old)) {
			link = &old->older;
			continue;
		}
		*link = old->older;
		free_serving(s, old);
	}
}

static size_t state_bytes(const struct steering_state *state)
{
	return sizeof(*state) + state->n_sites * sizeof(state->sites[0]);
}

/* One allocation holds the head and the copy, so a state is freed in one step. */
static struct serving *copy_state(struct server *s)
{
	const struct steering_state *state = s->now->state;
	struct serving *copy = malloc(sizeof(*copy) + state_bytes(state));

	if (!copy)
		return NULL;
	*copy = (struct serving){
		.generation = s->now,
		.state = (struct steering_state *)(copy + 1),
		.counters = s->served->counters,
		.of = s->served,
	};
	memcpy(copy + 1, state, state_bytes(state));
	s->served->n_users++;
	return copy;
}

void serving_publish(struct server *s)
{
	struct serving *old = s->serving, *copy;

	free_unread(s);
	if (!s->now || (old && old->of == s->served &&
	                memcmp(old->state, s->now->state, state_bytes(old->state)) == 0))
		return;
	copy = copy_state(s); /* without memory the last state stays: the next tick tries again */
	if (!copy)
		return;
	__atomic_store_n(&s->serving, copy, __ATOMIC_SEQ_CST);
	if (old) {
		old->older = s->replaced;
		s->replaced = old;
	}
	free_unread(s);
}

int serving_install(struct server *s, struct generation *loaded)
{
	struct served *of = calloc(1, sizeof(*of)), *was = s->served;

	if (!of)
		return -ENOMEM;
	of->generation = loaded;
	if (was)
		counters_drop_zones(&s->counters, was->generation, loaded);
	else if (s->counters.stats)
		counters_drop_left(&s->counters, loaded);
	of->counters = counters_services_new(&s->counters, loaded);
	s->served = of;
	s->now = loaded;
	if (was && was->n_users == 0)
		drop_served(s, was); /* it was never published, for lack of memory */
	serving_publish(s);
	return 0;
}

void serving_close(struct server *s)
{
	bool unpublished = s->served && s->served->n_users == 0;

	s->now = NULL; /* nothing is in force: freeing the last state frees its generation */
	free_unread(s);
	if (s->serving)
		free_serving(s, s->serving);
	if (unpublished)
		drop_served(s, s->served);
	s->serving = NULL;
	s->served = NULL;
}
