/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The room of a connection at its server: whether there is some, its place in the list from the oldest to the newest,
 * what its source may use of the server's time, and until when it may stay in a state. It knows neither
 * who accepts nor how a connection proceeds.
 */
#include "mgmt/http/internal.h"

#include "base/loop.h"

#define EVICT_AGE_MS 1000u /* a stranger has had time to send its request */

/* A handshake costs about a millisecond of CPU: bound what strangers may use. */
static const struct http_rate handshakes_of_one = { 40, 20 }, handshakes_of_all = { 200, 200 };

/*
 * Reads of what strangers go on sending after their refusal: 16 MiB a second of one source, 32 of
 * all. To throw bytes away costs little here, but each read opens the sender's window: the kernel
 * then takes the next bytes in, in this thread's time.
 */
static const struct http_rate drops_of_one = { 32, 256 }, drops_of_all = { 64, 512 };

void http_enter(struct http_conn *c, enum http_state state, uint64_t within_ms)
{
	c->server->n_queued += (state == HTTP_QUEUED) - (size_t)(c->state == HTTP_QUEUED);
	c->server->n_held += (state == HTTP_HELD) - (size_t)(c->state == HTTP_HELD);
	c->state = state;
	c->since_ms = loop_now_ms(c->server->loop);
	c->deadline_ms = c->since_ms + within_ms;
}

void http_server_forget(struct http_server *s, struct http_conn *c)
{
	*(c->older ? &c->older->newer : &s->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &s->newest) = c->older;
	s->n_conns[c->known]--;
	c->source->n_conns--;
}

void http_server_link(struct http_server *s, struct http_conn *c)
{
	c->older = s->newest;
	*(s->newest ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
	s->n_conns[c->known]++;
	c->source->n_conns++;
}

void http_server_know(struct http_server *s, struct http_conn *c)
{
	c->source->was_peer = true;
	if (c->known)
		return;
	c->known = true;
	s->n_conns[0]--;
	s->n_conns[1]++;
}

bool http_server_handshake_ok(struct http_server *s, struct http_conn *c)
{
	uint64_t now_ms = loop_now_ms(s->loop);

	return c->known || (http_tokens_left(&s->handshakes, handshakes_of_all, now_ms) &&
	                    http_tokens_spend(&c->source->handshakes, handshakes_of_one, now_ms) &&
	                    http_tokens_spend(&s->handshakes, handshakes_of_all, now_ms));
}

bool http_server_drop_ok(struct http_server *s, struct http_conn *c)
{
	uint64_t now_ms = loop_now_ms(s->loop);

	return c->known || (http_tokens_left(&s->drops, drops_of_all, now_ms) &&
	                    http_tokens_spend(&c->source->drops, drops_of_one, now_ms) &&
	                    http_tokens_spend(&s->drops, drops_of_all, now_ms));
}

/*
 * Whether a connection may give way: what runs may not, nor whose bytes have moved as fast as the
 * slowest client's must since its first second.
 */
static bool may_give_way(const struct http_conn *c, uint64_t now_ms)
{
	size_t n_moved = c->state == HTTP_BODY ? c->n_body : c->at_out;

	if (c->state == HTTP_BODY || c->state == HTTP_WRITE)
		return now_ms >= c->since_ms + EVICT_AGE_MS + n_moved / HTTP_SLOWEST * 1000;
	return c->state != HTTP_RUNNING && c->state != HTTP_HELD;
}

/* The oldest connection that may give way of the stranger's source that has most connections. */
static struct http_conn *find_evictable_conn(const struct http_server *s)
{
	struct http_conn *best = NULL;
	uint64_t now_ms = loop_now_ms(s->loop);

	for (struct http_conn *c = s->oldest; c; c = c->newer)
		if (!c->known && may_give_way(c, now_ms) &&
		    (!best || c->source->n_conns > best->source->n_conns))
			best = c;
	return best;
}

/* Who makes room for a stranger, but not for one more connection of a source that has many. */
static struct http_conn *find_victim(const struct http_server *s, const struct http_source *source)
{
	struct http_conn *victim = find_evictable_conn(s);

	if (!victim || victim->source == source ||
	    (victim->source->n_conns <= source->n_conns + 1 &&
	     loop_now_ms(s->loop) < victim->since_ms + EVICT_AGE_MS))
		return NULL;
	return victim;
}

bool http_server_room(const struct http_server *s, const struct http_source *source, bool known,
                      struct http_conn **victim)
{
	const struct http_limits *l = s->limits;

	*victim = NULL;
	if (source->n_conns >= (known ? l->per_known : l->per_stranger))
		return false;
	if (s->n_conns[known] < (known ? l->known : l->strangers))
		return true;
	if (!known)
		*victim = find_victim(s, source);
	return *victim != NULL;
}

struct ssl_ctx_st *http_server_tls(struct http_server *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->next_tls) {
		http_tls_context_free(s->tls); /* connections keep it as long as they need it */
		s->tls = s->next_tls;
		s->next_tls = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return s->tls;
}
