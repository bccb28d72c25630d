/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/link.h"

#include <stdlib.h>
#include <string.h>

#include "tests/cluster/sched.h"

#define DELAY_MS    3u   /* of most messages, at most */
#define SLOW_MS     120u /* of few */
#define AGAIN_MS    50u  /* between two tries of a connection */
#define GIVEN_UP_MS 20000u

static struct {
	bool is_cut[LINK_HOSTS][LINK_HOSTS];
	uint32_t lost_per_mille;
} links;

struct link_message {
	unsigned from, to;
	void (*arrive)(void *arg);
	void (*lose)(void *arg);
	void *arg;
	uint64_t sent_ns;
	bool is_sent_again; /* after a cut */
	struct link_order *order;
	unsigned number; /* in it */
};

void link_cut(unsigned from, unsigned to, bool is_cut)
{
	links.is_cut[from][to] = is_cut;
}

void link_cut_both(unsigned a, unsigned b, bool is_cut)
{
	link_cut(a, b, is_cut);
	link_cut(b, a, is_cut);
}

bool link_is_cut(unsigned from, unsigned to)
{
	return links.is_cut[from][to];
}

void link_lose(uint32_t per_mille)
{
	links.lost_per_mille = per_mille;
}

void link_heal(void)
{
	memset(&links, 0, sizeof(links));
}

static void deliver_message(void *arg)
{
	struct link_message *m = arg;
	uint64_t now_ns = sched_now_ns();
	bool is_cut = link_is_cut(m->from, m->to);

	if ((is_cut && m->is_sent_again && now_ns - m->sent_ns < GIVEN_UP_MS * SCHED_MS) ||
	    (m->order && m->number != m->order->over)) { /* the one before comes first */
		sched_at(now_ns + AGAIN_MS * SCHED_MS, deliver_message, m);
		return;
	}
	if (m->order)
		m->order->over++;
	if (is_cut || sched_chance(links.lost_per_mille))
		m->lose(m->arg);
	else
		m->arrive(m->arg);
	free(m);
}

static uint64_t choose_delay_ms(void)
{
	if (sched_is_steady())
		return DELAY_MS;
	return 1 + sched_below(sched_chance(20) ? SLOW_MS : DELAY_MS);
}

void link_send(unsigned from, unsigned to, void (*arrive)(void *arg), void (*lose)(void *arg),
               void *arg, struct link_order *order)
{
	struct link_message *m = malloc(sizeof(*m));

	if (!m)
		abort();
	*m = (struct link_message){ .from = from,
		                    .to = to,
		                    .arrive = arrive,
		                    .lose = lose,
		                    .arg = arg,
		                    .sent_ns = sched_now_ns(),
		                    .is_sent_again =
		                            order || sched_is_steady() || sched_chance(500),
		                    .order = order,
		                    .number = order ? order->sent++ : 0 };
	sched_at(m->sent_ns + choose_delay_ms() * SCHED_MS, deliver_message, m);
}
