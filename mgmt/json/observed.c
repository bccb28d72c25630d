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

const struct record_kind judged_reason_kind = RECORD_OF(
        struct judge_reason, "reason", NULL, SHOW(struct judge_reason, code),
        SHOW(struct judge_reason, subject),
        SHOW_WORD(struct judge_reason, "state", state, judge_state_text, JUDGE_DOWN + 1),
        SHOW(struct judge_reason, text), SHOW_TIME(struct judge_reason, "since", since_at_ms));

json_t *judged_reasons_json(const struct judge_reason *reasons, size_t n, bool dated)
{
	struct record_kind kind = judged_reason_kind;

	kind.n_fields -= !dated;
	return record_list_shown(&kind, reasons, n);
}

/* A process, of which weir-mgmt shows more. */
#define PROCESS_ROW_ROWS(X, t)                                                                     \
	X(t, const char *, process)                                                                \
	X(t, const char *, state)                                                                  \
	X(t, struct shown_number, age_ms)                                                          \
	X(t, struct shown_number, document, ONLY_IF(struct t, whole))                              \
	X(t, bool, refused, ONLY_IF(struct t, whole))                                              \
	X(t, const char *, driver, .spare = true)                                                  \
	X(t, bool, whole, HIDDEN)
RECORD_ANSWER(process_row, "process", PROCESS_ROW_ROWS);

json_t *observed_processes_json(const struct gather_process *processes, bool whole)
{
	json_t *list = json_array();

	for (int p = 0; p < OBSERVE_COUNT; p++) {
		const struct gather_process *s = &processes[p];
		const struct process_row row = {
			.whole = whole,
			.process = observe_name((enum observe_process)p),
			.state = !s->present  ? "absent"
			         : s->running ? "running"
			                      : "silent",
			.driver = !whole || !s->has_ports || !s->running ? NULL
			          : s->dpdk                              ? "dpdk"
			                                                 : "xdp",
			.age_ms = { s->present, s->age_ms },
			.document = { s->document && s->running, s->document },
			.refused = s->refused,
		};

		if (observe_is_shown((enum observe_process)p, s))
			json_array_append_new(list, record_shown(&process_row_kind, &row));
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

/* What was seen of a target. */
struct observation {
	bool is_seen, is_dated, whole;
	const char *state, *reason, *last;
	bool in_doubt, inconclusive, restored, damped;
	int64_t since_ms;
	struct shown_number age_ms;
};

#define OF_SEEN(member) SHOW(struct observation, member, ONLY_IF(struct observation, is_seen))
static const struct record_kind observation_shown = RECORD_OF(
        struct observation, "observation", NULL, SHOW(struct observation, state), OF_SEEN(in_doubt),
        OF_SEEN(inconclusive), OF_SEEN(restored), OF_SEEN(damped), OF_SEEN(reason),
        SHOW_TIME(struct observation, "since", since_ms, ONLY_IF(struct observation, is_dated)),
        SHOW(struct observation, age_ms, ONLY_IF(struct observation, whole)),
        SHOW(struct observation, last, .spare = true));

static struct observation observe_target(const struct observe_pages *pages, uint64_t target,
                                         bool whole)
{
	struct observation o = { .state = "unknown", .is_dated = whole, .whole = whole };
	health_word word;

	if (!find_word(pages, target, &word))
		return o;
	const char *last = health_state_text(health_state(word));
	o.is_seen = o.is_dated = true;
	o.state = pages->health_fresh ? last : o.state;
	o.in_doubt = health_in_doubt(word);
	o.inconclusive = health_inconclusive(word);
	o.restored = health_restored(word);
	o.damped = health_damped(word);
	o.reason = health_reason_text(health_reason(word));
	o.since_ms = health_since_s(word) * 1000;
	o.age_ms = (struct shown_number){ true, pages->health_age_ms };
	o.last = pages->health_fresh ? NULL : last;
	return o;
}

json_t *observed_target_json(const struct observe_pages *pages, uint64_t target, bool whole)
{
	const struct observation o = observe_target(pages, target, whole);

	return record_shown(&observation_shown, &o);
}

/* A target of a backend, or of a service. */
#define TARGET_ROW_ROWS(X, t)                                                                      \
	X(t, uint64_t, target, .kind = FIELD_HEX, ONLY_IF(struct t, whole))                        \
	X(t, const char *, service, .spare = true)                                                 \
	X(t, const char *, pool, .spare = true)                                                    \
	X(t, const char *, backend, .spare = true)                                                 \
	X(t, const char *, site, .spare = true)                                                    \
	X(t, const char *, family, .spare = true)                                                  \
	X(t, struct addr, address, ONLY_IF(struct t, is_backend))                                  \
	X(t, struct observation, observation, .of = &observation_shown)                            \
	X(t, bool, whole, HIDDEN)                                                                  \
	X(t, bool, is_backend, HIDDEN)
RECORD_ANSWER(target_row, "target", TARGET_ROW_ROWS);

/* A node probes the backends of its own site. */
static void add_backends(const struct model *m, const struct observe_pages *pages, bool whole,
                         json_t *list)
{
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];
		bool shown = whole || (m->self && pool->site == m->self->site);

		for (size_t k = 0; shown && k < pool->n_backends; k++) {
			const struct model_backend *b = &pool->backends[k];
			uint64_t target = health_target_backend(pool->name, b->id);
			const struct target_row row = {
				.whole = whole,
				.is_backend = true,
				.target = target,
				.pool = pool->name,
				.backend = b->name,
				.site = whole ? NULL : pool->site->name,
				.address = b->address,
				.observation = observe_target(pages, target, whole),
			};

			json_array_append_new(list, record_shown(&target_row_kind, &row));
		}
	}
}

/* weir-mgmt lists IPv6 first, and also what no check looks at. */
static void add_services(const struct model *m, const struct observe_pages *pages, bool whole,
                         json_t *list)
{
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t k = 0; k < 2 * m->services[i].n_at; k++) {
			const char *name = m->services[i].name,
			           *site = m->services[i].at[k / 2].site->name;
			bool ip4 = (k % 2 != 0) == whole;
			uint64_t target = health_target_service(name, site, ip4);
			const struct target_row row = {
				.whole = whole,
				.target = target,
				.service = name,
				.site = site,
				.family = ip4 ? "ipv4" : "ipv6",
				.observation = observe_target(pages, target, whole),
			};

			if (whole || row.observation.is_seen)
				json_array_append_new(list, record_shown(&target_row_kind, &row));
		}
}

json_t *observed_targets_json(const struct model *m, const struct observe_pages *pages, bool whole)
{
	json_t *list = json_array();

	add_backends(m, pages, whole, list);
	add_services(m, pages, whole, list);
	return list;
}
