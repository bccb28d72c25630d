/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as what a routing daemon answers. The first byte says which daemon, which question and
 * which neighbour. The end of an answer is the same however its bytes come, and what is read stays
 * within its bounds.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "announce/daemon.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define N_NEIGHBOURS 3u
#define KINDS        7u
#define STEPS_MAX    512u /* ends that are looked for byte by byte: it takes squared time */

static struct addr vips[2];
static struct daemon_route routes[2];

static struct daemon_route *find_route(void *arg, const struct addr *vip)
{
	(void)arg;
	for (size_t i = 0; i < 2; i++)
		if (addr_equal(&vips[i], vip))
			return &routes[i];
	return NULL;
}

/* The answer's end, as daemon.c looks for it when bytes come one by one. */
static ssize_t find_end_slowly(const struct daemon_ops *ops, const char *answer, size_t n)
{
	ssize_t end = 0;

	for (size_t have = 1; have <= n && !end; have++)
		end = ops->whole(answer, have, have - 1);
	return end;
}

static void fill_facts(struct daemon_facts *f)
{
	static const char *const names[N_NEIGHBOURS] = { "router1_4", "192.0.2.1", "2001:db8::1" };

	*f = (struct daemon_facts){ .n_neighbours = N_NEIGHBOURS };
	for (size_t i = 0; i < N_NEIGHBOURS; i++) {
		f->neighbours[i].established = true;
		strcpy(f->neighbours[i].name, names[i]);
	}
}

static void check_facts(const struct daemon_facts *f)
{
	assert(memchr(f->problem, 0, sizeof(f->problem)));
	assert(memchr(f->version, 0, sizeof(f->version)));
	assert(f->n_neighbours <= DAEMON_NEIGHBOURS_MAX);
	for (uint32_t i = 0; i < f->n_neighbours; i++) {
		assert(memchr(f->neighbours[i].name, 0, sizeof(f->neighbours[i].name)));
	}
	for (size_t i = 0; i < 2; i++)
		assert(routes[i].exported < 1u << N_NEIGHBOURS);
}

/* What is read of a neighbour is asked for later: its name must fit into the question. */
static void check_questions(const struct daemon_ops *ops, const struct daemon_facts *f)
{
	for (uint32_t i = 0; ops->queries_exports && i < f->n_neighbours; i++) {
		const struct daemon_query q = { .kind = DAEMON_QUERY_EXPORTS, .neighbour = i };
		char out[DAEMON_QUESTION_MAX];
		size_t n = ops->write(f, &q, out);

		assert(n > 0 && n < sizeof(out) && out[n - 1] == '\n');
		assert(!memchr(out, '\n', n - 1));
	}
}

static void read_answer(const struct daemon_ops *ops, unsigned how, const char *answer, size_t n)
{
	struct daemon_query q = { .kind = (enum daemon_query_kind)(how / 2 % KINDS),
		                  .neighbour = how / (2 * KINDS) % N_NEIGHBOURS };
	struct daemon_facts f;
	int err;

	fill_facts(&f);
	memset(routes, 0, sizeof(routes));
	if (how / (2 * KINDS * N_NEIGHBOURS) % 2)
		q.net = (struct prefix){ .addr = vips[0], .bits = 32 };
	err = ops->read(&f, &q, find_route, NULL, answer, n);
	assert(err <= 0);
	check_facts(&f);
	if (!err)
		check_questions(ops, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *answer = (const char *)bytes + 1;
	const struct daemon_ops *ops;
	ssize_t end;

	if (n < 2)
		return 0;
	assert(!addr_parse("10.100.0.1", &vips[0]) && !addr_parse("2001:db8::10", &vips[1]));
	ops = bytes[0] % 2 ? &daemon_frr : &daemon_bird;
	end = ops->whole(answer, n - 1, 0);
	assert(end <= (ssize_t)n - 1);
	if (n <= STEPS_MAX)
		assert(find_end_slowly(ops, answer, n - 1) == end);
	if (end > 0)
		read_answer(ops, bytes[0], answer, (size_t)end);
	return 0;
}
