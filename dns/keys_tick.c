/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observed keys, as the server sees them: once a second it takes what the threads have handed over,
 * adds it to the window, and writes the page. Without memory for the window nothing is counted, and
 * there is no page: then drains are projected by weights.
 */
#include "dns/server.h"

#include "base/clock.h"
#include "base/log.h"

void keys_begin(struct server *s)
{
	if (keys_open(&s->keys, s->dirs->run, clock_mono_ms()) < 0)
		log_error("dns-keys-failed", "error=\"out of memory\"");
}

static bool read_steered(void *arg, size_t service, uint32_t site, uint64_t *answers)
{
	const struct server *s = arg;

	return counters_steered(s->serving->counters, s->serving->generation->steering, service,
	                        site, answers);
}

void keys_tick(struct server *s, uint64_t now_ms)
{
	if (!s->serving || now_ms < s->keys_ms + SERVER_KEYS_MS)
		return;
	s->keys_ms = now_ms;
	if (s->keys_load != s->load.finished)
		keys_set_names(&s->keys, s->serving->generation->steering);
	s->keys_load = s->load.finished;
	keys_turn(&s->keys, now_ms);
	for (unsigned i = 0; i < WORKERS_ALL; i++) {
		struct key_table *table = key_table_receive(&s->workers[i].key_tables);

		if (!table)
			continue;
		keys_add(&s->keys, table, now_ms);
		key_table_give_back(&s->workers[i].key_tables, table);
	}
	keys_write(&s->keys, s->serving->generation->steering, read_steered, s, now_ms);
}

void keys_join(struct server *s, struct dns_worker *w)
{
	uint64_t now_ms = clock_mono_ms();

	if (w->key_tables.full)
		keys_add(&s->keys, w->key_tables.full, now_ms);
	if (w->key_tables.own)
		keys_add(&s->keys, w->key_tables.own, now_ms);
	key_table_close(&w->key_tables);
}

void keys_end(struct server *s)
{
	keys_close(&s->keys);
}
