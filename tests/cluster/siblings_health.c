/* SPDX-License-Identifier: BSD-2-Clause */
/* weir-health: a word for each backend of the own site, and for each VIP of all sites. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/page.h"
#include "tests/cluster/siblings_internal.h"
#include "weir/json.h"

static const struct siblings_word *find_word(const struct siblings *s, const char *what)
{
	for (size_t i = 0; i < s->n_words; i++)
		if (!strcmp(s->words[i].what, what))
			return &s->words[i];
	return NULL;
}

static health_word word_of(const struct siblings *s, const char *what)
{
	const struct siblings_word *w = find_word(s, what);

	if (w)
		return health_make(w->state, w->marks, w->reason, 0);
	if (s->fails)
		return health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 0);
	return health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 0);
}

health_word siblings_backend_word(const struct siblings *s, const struct model_backend *b)
{
	char what[2 * MODEL_NAME_MAX];

	snprintf(what, sizeof(what), "%s/%s", b->pool->name, b->name);
	return word_of(s, what);
}

/* Of the own site its pools say, and a service has one pool here. */
static health_word own_site_word(const struct siblings *s)
{
	for (size_t i = 0; i < s->m->n_pools; i++)
		for (size_t k = 0; siblings_is_own(s, s->m->pools[i].site) &&
		                   s->m->pools[i].check && k < s->m->pools[i].n_backends;
		     k++)
			if (health_state(siblings_backend_word(s, &s->m->pools[i].backends[k])) ==
			    HEALTH_UP)
				return health_make(HEALTH_UP, 0, HEALTH_REASON_POOL, 0);
	return health_make(HEALTH_DOWN, 0, HEALTH_REASON_POOL, 0);
}

health_word siblings_site_word(const struct siblings *s, const struct model_site *site)
{
	char what[MODEL_NAME_MAX + 8];

	if (siblings_is_own(s, site))
		return own_site_word(s);
	snprintf(what, sizeof(what), "site %s", site->name);
	const struct siblings_word *w = find_word(s, what);

	return w ? health_make(w->state, w->marks, w->reason, 0)
	         : health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 0);
}

/* --- the page --- */

struct health_rows {
	uint64_t targets[2 * SIBLINGS_BACKENDS_MAX];
	health_word words[2 * SIBLINGS_BACKENDS_MAX];
	size_t n;
};

static void add_row(struct health_rows *rows, uint64_t target, health_word word)
{
	if (rows->n == 2 * SIBLINGS_BACKENDS_MAX)
		abort();
	rows->targets[rows->n] = target;
	rows->words[rows->n++] = word;
}

/* Those of the own site, and those that are its backups. */
static bool is_probed(const struct siblings *s, const struct model_pool *pool)
{
	if (s->clients && !pool->check)
		return false;
	if (siblings_is_own(s, pool->site))
		return true;
	for (size_t i = 0; s->clients && i < s->m->n_services; i++)
		for (size_t k = 0; k < s->m->services[i].n_at; k++)
			if (siblings_is_own(s, s->m->services[i].at[k].site) &&
			    s->m->services[i].at[k].backup == pool)
				return true;
	return false;
}

static void add_backends(const struct siblings *s, struct health_rows *rows)
{
	for (size_t i = 0; i < s->m->n_pools; i++)
		for (size_t k = 0; is_probed(s, &s->m->pools[i]) && k < s->m->pools[i].n_backends;
		     k++) {
			const struct model_backend *b = &s->m->pools[i].backends[k];

			add_row(rows, health_target_backend(b->pool->name, b->id),
			        siblings_backend_word(s, b));
		}
}

static void add_services(const struct siblings *s, struct health_rows *rows)
{
	for (size_t i = 0; i < s->m->n_services; i++)
		for (size_t k = 0; s->clients && k < s->m->services[i].n_at; k++) {
			const struct model_service *service = &s->m->services[i];
			const struct model_vip *vip = service->at[k].vip;

			for (size_t a = 0; service->vip_check && a < vip->n_addresses; a++)
				add_row(rows,
				        health_target_service(service->name,
				                              service->at[k].site->name,
				                              addr_is4(&vip->addresses[a])),
				        siblings_site_word(s, service->at[k].site));
		}
}

/* A word of another state is so since now. */
static void write_word(struct health_page *page, uint64_t target, health_word word)
{
	int at = health_find_index(page, target);
	health_word before = health_read(page, at);
	bool stays = health_since_s(before) && health_state(before) == health_state(word);

	word |= (uint64_t)(stays ? health_since_s(before) : clock_realtime_ms() / 1000) << 32;
	health_write(page, at, word);
}

void siblings_write_health(struct siblings *s)
{
	struct health_page *page = page_payload(s->health);
	struct health_rows rows = { .n = 0 };

	if (!siblings_goes_on(s, SIBLING_HEALTH))
		return;
	add_backends(s, &rows);
	add_services(s, &rows);
	if (health_set_targets(page, rows.targets, rows.n, s->document))
		abort();
	for (size_t i = 0; i < rows.n; i++)
		write_word(page, rows.targets[i], rows.words[i]);
	page_publish(s->health);
	if (!s->clients)
		return;
	siblings_set(s, SIBLING_HEALTH, STATS_GAUGE, "weir_health_targets", "", rows.n);
	siblings_set(s, SIBLING_HEALTH, STATS_COUNTER, "weir_health_lateness_ms_total", "", 1500);
}

/* --- the control socket --- */

static json_t *list_targets(const struct siblings *s, const char *pool)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->m->n_pools; i++)
		for (size_t k = 0;
		     siblings_is_own(s, s->m->pools[i].site) && k < s->m->pools[i].n_backends;
		     k++) {
			const struct model_backend *b = &s->m->pools[i].backends[k];
			health_word word = siblings_backend_word(s, b);

			if (!pool || !strcmp(pool, b->pool->name))
				json_array_append_new(
				        list,
				        json_pack("{s:s, s:s, s:s, s:s}", "pool", b->pool->name,
				                  "backend", b->name, "state",
				                  health_state_text(health_state(word)), "reason",
				                  health_reason_text(health_reason(word))));
		}
	return json_pack("{s:b, s:o}", "ok", 1, "targets", list);
}

char *siblings_health_answer(void *siblings, const char *line, size_t length)
{
	const struct siblings *s = siblings;
	json_t *request = json_loadb(line, length, 0, NULL), *answer;

	if (!s->m)
		answer = json_refusal("there is no document yet");
	else if (json_has_text(request, "do", "list"))
		answer = list_targets(s, json_get_text(request, "pool"));
	else if (json_has_text(request, "do", "check"))
		answer = json_pack("{s:b, s:O}", "ok", 1, "checked", request);
	else
		answer = json_refusal("unknown request");
	json_decref(request);
	return siblings_answer(answer);
}
