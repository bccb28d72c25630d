/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two uses of a generation. The main thread brings its state up to date (server_read_clock(),
 * server_observe());
 * the worker threads answer from the copy of that state that was published last (server_answer()).
 * Both lie below the files that call them: loading, the ticks, and the transports.
 */
#include "dns/server.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "dns/answer/answer.h"
#include "weir/model.h"
#include "weir/peer_page.h"

/* Only a change is logged: an untrusted clock may stay so for days. */
void server_read_clock(struct server *s, const struct model *m)
{
	bool trusted = !m || !m->self || m->self->clock == MODEL_CLOCK_TRUSTED;
	enum wall_clock_hold was = s->clock;

	if (m)
		believed_not_before(&s->believed, m->meta.written_ms);
	__atomic_store_n(&s->wall_clock_ms, believed_tick(&s->believed, s->dirs->run),
	                 __ATOMIC_RELAXED);
	s->clock = wall_clock_hold(&s->believed.wall_clock, trusted);
	if (s->clock == was)
		return;
	log_at(s->clock == WALL_CLOCK_RUNS ? LOG_NOTICE : LOG_WARNING, "dns-clock",
	       "state=%s was=%s effect=\"ramps of drains %s\"", wall_clock_hold_text(s->clock),
	       wall_clock_hold_text(was), wall_clock_holds_ramps(s->clock) ? "are held" : "run");
}

void server_observe(struct server *s, struct generation *g)
{
	const struct peer_health_input seen = {
		.own = s->health ? page_payload(s->health) : NULL,
		.own_page = s->health,
		.own_good_until_ms =
		        s->health ? page_header(s->health)->alive_ms + PEER_PAGE_GOOD_MS : 0,
		.run_dir = s->dirs->run,
		.now_ms = clock_mono_ms(),
	};
	const struct generation_time time = { .wall_clock_ms = s->wall_clock_ms,
		                              .clock_held = wall_clock_holds_ramps(s->clock) };

	generation_observe(g, &seen, &s->ramps, &s->decided, &time);
}

size_t server_answer(struct dns_worker *w, const uint8_t *query, size_t length,
                     const struct addr *client, bool tcp, uint8_t *out, size_t out_size)
{
	const struct server *s = w->server;
	const struct serving *from = w->serving;
	const char *node = s->dirs->node;
	const struct answer_env env = {
		.image = from->generation->image,
		.steering = from->generation->steering,
		.state = from->state,
		.nsid = (const uint8_t *)node,
		.nsid_length = strlen(node),
		.wall_clock_ms = __atomic_load_n(&s->wall_clock_ms, __ATOMIC_RELAXED),
	};
	const struct answer_query q = {
		.bytes = query, .length = length, .client = *client, .tcp = tcp
	};
	struct answer_info info;
	size_t n = answer(&env, &q, out, out_size, &info, NULL);

	if (n) {
		counters_answer(&s->counters, &w->tally, from, tcp, &info);
		worker_count(w, w->queries);
		if (info.dynamic >= 0)
			key_table_count(&w->key_tables, &info.key,
			                env.steering->names[info.dynamic].id, info.choice.ttl_s);
	} else {
		worker_count(w, s->counters.drops[COUNTERS_DROP_MALFORMED]);
	}
	return n;
}
