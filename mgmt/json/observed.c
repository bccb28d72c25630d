/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/json/observed.h"

#include <inttypes.h>

#include "mgmt/json/command.h"
#include "weir/json.h"

json_t *judged_texts_json(const struct judge_verdict *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_reasons; i++)
		json_array_append_new(list, json_text(v->reasons[i].text));
	if (v->n_left_out)
		json_array_append_new(list, json_sprintf("and %zu more reasons", v->n_left_out));
	return list;
}

json_t *judged_reasons_json(const struct judge_reason *reasons, size_t n, bool dated)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct judge_reason *r = &reasons[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o, s:o*}", "code", r->code,
		                                      "subject", json_text(r->subject), "state",
		                                      judge_state_text(r->state), "text",
		                                      json_text(r->text), "since",
		                                      dated ? time_to_json(r->since_at_ms) : NULL));
	}
	return list;
}

json_t *observed_processes_json(const struct gather_process *processes, bool whole)
{
	json_t *list = json_array();

	for (int p = 0; p < OBSERVE_COUNT; p++) {
		const struct gather_process *s = &processes[p];
		const char *driver = s->dpdk ? "dpdk" : "xdp";

		if (!observe_is_shown((enum observe_process)p, s))
			continue;
		json_t *one = json_pack("{s:s, s:s, s:o}", "process",
		                        observe_name((enum observe_process)p), "state",
		                        !s->present  ? "absent"
		                        : s->running ? "running"
		                                     : "silent",
		                        "age_ms", json_number_or_null(s->present, s->age_ms));

		if (whole)
			json_object_update_new(
			        one, json_pack("{s:o, s:b, s:s*}", "document",
			                       json_number_or_null(s->document && s->running,
			                                           s->document),
			                       "refused", s->refused, "driver",
			                       s->has_ports && s->running ? driver : NULL));
		json_array_append_new(list, one);
	}
	return list;
}

/* The last word on a target; 0 where there is none. @return whether the page has the target */
static bool find_word(const struct observe_pages *pages, uint64_t target, health_word *word)
{
	int index = pages->health ? health_find_index(pages->health, target) : -1;

	*word = index < 0 ? 0 : health_read(pages->health, index);
	return index >= 0;
}

const char *observed_state(const struct observe_pages *pages, uint64_t target)
{
	health_word word;

	return find_word(pages, target, &word) && pages->health_fresh
	               ? health_state_text(health_state(word))
	               : "unknown";
}

bool observed_is_inconclusive(const struct observe_pages *pages, uint64_t target)
{
	health_word word;

	return find_word(pages, target, &word) && health_inconclusive(word);
}

bool observed_marks_family(const json_t *row, const char *name, const char *family)
{
	char in[32];

	snprintf(in, sizeof(in), "%s_in", name);
	const char *alone = json_get_text(row, in);

	return json_has_true(row, name) && (!alone || !strcmp(alone, family));
}

json_t *observed_target_json(const struct observe_pages *pages, uint64_t target, bool whole)
{
	health_word word;

	if (!find_word(pages, target, &word))
		return json_pack("{s:s, s:o*, s:o*}", "state", "unknown", "since",
		                 whole ? json_null() : NULL, "age_ms", whole ? json_null() : NULL);
	const char *last = health_state_text(health_state(word));
	return json_pack("{s:s, s:b, s:b, s:b, s:b, s:s, s:o, s:o*, s:s*}", "state",
	                 pages->health_fresh ? last : "unknown", "in_doubt", health_in_doubt(word),
	                 "inconclusive", health_inconclusive(word), "restored",
	                 health_restored(word), "damped", health_damped(word), "reason",
	                 health_reason_text(health_reason(word)), "since",
	                 time_to_json(health_since_s(word) * 1000), "age_ms",
	                 whole ? json_integer((json_int_t)pages->health_age_ms) : NULL, "last",
	                 pages->health_fresh ? NULL : last);
}

static json_t *target_id(uint64_t target, bool whole)
{
	return whole ? json_sprintf("%016" PRIx64, target) : NULL;
}

/* A node probes the backends of its own site. */
static void add_backends(const struct model *m, const struct observe_pages *pages, bool whole,
                         json_t *list)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		bool shown = whole || (m->self && pool->site == m->self->site);

		for (size_t k = 0; shown && k < pool->n_backends; k++) {
			const struct model_backend *b = &pool->backends[k];
			uint64_t target = health_target_backend(pool->name, b->id);

			json_array_append_new(
			        list,
			        json_pack("{s:o*, s:s, s:s, s:s*, s:s, s:o}", "target",
			                  target_id(target, whole), "pool", pool->name, "backend",
			                  b->name, "site", whole ? NULL : pool->site->name,
			                  "address", addr_text(&b->address, text), "observation",
			                  observed_target_json(pages, target, whole)));
		}
	}
}

/* weir-mgmt lists IPv6 first, and also what no check looks at. */
static void add_services(const struct model *m, const struct observe_pages *pages, bool whole,
                         json_t *list)
{
	health_word word;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < 2 * m->services[i].n_at; k++) {
			const char *name = m->services[i].name,
			           *site = m->services[i].at[k / 2].site->name;
			bool ip4 = (k % 2 != 0) == whole;
			uint64_t target = health_target_service(name, site, ip4);

			if (!whole && !find_word(pages, target, &word))
				continue;
			json_array_append_new(
			        list,
			        json_pack("{s:o*, s:s, s:s, s:s, s:o}", "target",
			                  target_id(target, whole), "service", name, "site", site,
			                  "family", ip4 ? "ipv4" : "ipv6", "observation",
			                  observed_target_json(pages, target, whole)));
		}
}

json_t *observed_targets_json(const struct model *m, const struct observe_pages *pages, bool whole)
{
	json_t *list = json_array();

	add_backends(m, pages, whole, list);
	add_services(m, pages, whole, list);
	return list;
}
