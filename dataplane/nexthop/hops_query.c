/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to the kernel, and requests that it is made to send to next hops.
 *
 * NTF_USE says that an entry is in use: the kernel resolves or confirms it, but accepts TCP's word
 * as a confirmation. NUD_PROBE makes it ask the neighbour itself: three requests to the MAC address
 * that it knows; without an answer the entry becomes FAILED, and the next use asks by broadcast.
 * NUD_PROBE would turn an entry that is permanent or NOARP into an ordinary one, so the entry is
 * read right before.
 */
#include "dataplane/nexthop/hops_internal.h"

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>

#define PROBE_EVERY_MS  9000u /* with a tick of 1 s: each next hop at least every 10 s */
#define PROBE_GAP_MS    2000u /* the shortest time between two probes of a next hop */
#define PROBES_PER_TICK 1024u /* ARP requests a second that the network has to bear */

bool hops_needs_use(const struct via *v)
{
	return !(v->state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP | NUD_DELAY | NUD_PROBE |
	                     NUD_INCOMPLETE));
}

void hops_use(struct hops *h, const struct via *v)
{
	char question[RTNL_REQUEST_MAX];
	size_t n = rtnl_write_use(question, v->ifindex, &v->addr, ++h->seq);

	/* A failure shows as a neighbour that stays unknown; the next tick tries again. */
	(void)mnl_socket_sendto(h->notifications, question, n);
}

static bool keep_fact(void *out, const struct rtnl_fact *f)
{
	*(struct rtnl_fact *)out = *f;
	return false;
}

/* Send request number h->seq, whose answer is a single message. @return 0 or -errno */
static int query_fact(struct hops *h, const void *question, size_t n, struct rtnl_fact *out)
{
	return rtnl_query(h->queries, h->buffer, HOP_BUFFER_BYTES, question, n, h->seq, keep_fact,
	                  out);
}

int hops_query_route(struct hops *h, const struct addr *to, struct rtnl_route *out)
{
	char question[RTNL_REQUEST_MAX];
	struct rtnl_fact f = { .kind = RTNL_DONE };
	int err = query_fact(h, question, rtnl_write_route(question, to, ++h->seq), &f);

	if (err)
		return err;
	if (f.kind != RTNL_ROUTE)
		return -EIO;
	*out = f.route;
	return 0;
}

/*
 * The kernel's errors for routes and rules that refuse: unreachable, prohibit, blackhole (Linux,
 * fib_props).
 */
bool hops_is_refusal(int err)
{
	return err == -EHOSTUNREACH || err == -EACCES || err == -EINVAL;
}

/*
 * The kernel's other errors where there is no route: none in the tables, or none of this family.
 * All other errors (no memory, a socket that fails) say nothing about the route.
 */
bool hops_is_answer(int err)
{
	return !err || hops_is_refusal(err) || err == -ENETUNREACH || err == -ENETDOWN ||
	       err == -ENODEV || err == -ESRCH || err == -EAFNOSUPPORT || err == -EOPNOTSUPP;
}

uint8_t hops_read_neighbour(struct hops *h, struct via *v)
{
	char question[RTNL_REQUEST_MAX];
	struct rtnl_fact f = { .kind = RTNL_DONE };

	if (query_fact(h, question, rtnl_write_neighbour(question, v->ifindex, &v->addr, ++h->seq),
	               &f) ||
	    f.kind != RTNL_NEIGHBOUR) {
		v->state = NUD_NONE;
		return 0;
	}
	v->state = f.neighbour.state;
	if (f.neighbour.has_mac) {
		v->has_mac = true;
		memcpy(v->mac, f.neighbour.mac, sizeof(v->mac));
	}
	return f.neighbour.flags;
}

/*
 * Make the kernel ask @p v itself, whoever has confirmed it.
 * The entry is read first, into a copy: `v` changes only by the kernel's messages. An entry that
 * is not in use is put to use, which makes the kernel ask, too. Entries that a control plane
 * keeps (extern_learn), that are permanent, or that are being asked already are left alone.
 */
static void probe_via(struct hops *h, struct via *v)
{
	uint64_t now_ms = loop_now_ms(h->loop);
	char question[RTNL_REQUEST_MAX];
	struct via seen = *v;
	uint8_t flags;

	if (v->probed_ms && now_ms < v->probed_ms + PROBE_GAP_MS)
		return;
	v->probed_ms = now_ms;
	v->due_ms = now_ms + PROBE_EVERY_MS;
	flags = hops_read_neighbour(h, &seen);
	if (hops_needs_use(&seen) && !(seen.state & NUD_STALE)) {
		hops_use(h, v);
		return;
	}
	if ((flags & NTF_EXT_LEARNED) || !(seen.state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY)))
		return;
	h->counters.probes++;
	(void)mnl_socket_sendto(h->notifications, question,
	                        rtnl_write_probe(question, v->ifindex, &v->addr, ++h->seq));
}

void hops_probe_due(struct hops *h)
{
	uint64_t now_ms = loop_now_ms(h->loop);
	uint32_t n_probed = 0;

	for (uint32_t i = 0; i < h->top_via && n_probed < PROBES_PER_TICK; i++) {
		struct via *v = &h->vias[h->next_probe];

		if (v->refs && v->due_ms <= now_ms) {
			probe_via(h, v);
			n_probed++;
		}
		h->next_probe = (h->next_probe + 1) % h->top_via;
	}
}

void hops_on_doubt(void *hops)
{
	struct hops *h = hops;

	for (size_t i = 0; i < h->n_doubts; i++) {
		struct via *v = &h->vias[h->doubts[i]];

		v->doubted = false;
		if (v->refs)
			probe_via(h, v);
	}
	h->n_doubts = 0;
}

void hops_doubt_via(struct hops *h, uint32_t i)
{
	if (i == HOP_NONE || h->vias[i].doubted || h->n_doubts == HOP_DOUBTS_MAX)
		return; /* the others' turn comes within 10 s */
	h->vias[i].doubted = true;
	h->doubts[h->n_doubts++] = i;
	if (!h->doubt.heap_index)
		loop_timer_set(h->loop, &h->doubt, loop_now_ms(h->loop));
}

void hops_count_heard(struct hops *h, const struct dest *d, int sign)
{
	struct via *v = d->via == HOP_NONE ? NULL : &h->vias[d->via];

	if (v && d->heard == HOP_HEARD_ANSWERS)
		v->n_answer += (uint32_t)sign;
	if (v && d->heard == HOP_HEARD_SILENCE)
		v->n_silent += (uint32_t)sign;
}

void hops_look_silent(struct hops *h, uint32_t via)
{
	if (via != HOP_NONE && h->vias[via].n_silent && !h->vias[via].n_answer)
		hops_doubt_via(h, via);
}
