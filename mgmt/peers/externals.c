/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An answer is read whole into an array before any of it is taken; a verdict in it that is malformed refuses all of it. The
 * ages in an answer are counted from when the question was sent: so a verdict gets older on its way, and never younger.
 */
#include "mgmt/peers/externals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/proc.h"
#include "mgmt/core/core.h"
#include "weir/external_page.h"
#include "weir/json.h"
#include "weir/peer_page.h"

#define OPEN_AGAIN_MS 5000u
#define KEEP_MS       1000u /* between two looks whether the page is still at its path */

struct external_list *externals_new(const char *node)
{
	struct external_list *all = calloc(1, sizeof(*all));

	if (all)
		all->epoch = hash_mix(hash_text(node) ^ hash_mix((uint64_t)clock_realtime_ms()) ^
		                      clock_mono_ns()) |
		             1;
	return all;
}

void externals_free(struct external_list *all)
{
	if (!all)
		return;
	externals_fini(all);
	free(all);
}

/* --- the section --- */

static json_t *position_to_json(const struct externals_position *p)
{
	char epoch[PEER_PAGE_HEX_MAX];

	peer_page_hex(p->epoch, epoch);
	return json_pack("{s:s, s:I}", "epoch", epoch, "seq", (json_int_t)p->seq);
}

static bool read_position(const json_t *json, struct externals_position *out)
{
	const char *epoch = json_get_text(json, "epoch");
	struct externals_position p;

	if (!plain_is_hex(epoch, PEER_PAGE_HEX_MAX - 1) ||
	    !json_read_count(json_object_get(json, "seq"), INT64_MAX, &p.seq))
		return false;
	p.epoch = strtoull(epoch, NULL, 16);
	*out = p;
	return true;
}

/* Whether the words would be others now. */
static bool is_news(const struct externals_out *out, const struct external_list *all,
                    uint64_t now_ms)
{
	if (out->said.epoch != all->epoch || all->own_seq > out->said.seq)
		return true;
	return all->seq != out->said.seq && now_ms >= out->said_ms + EXTERNALS_HEARD_MS;
}

json_t *externals_words(struct externals_out *out, const struct external_list *all, uint64_t now_ms)
{
	if (is_news(out, all, now_ms)) {
		out->said = (struct externals_position){ all->epoch, all->seq };
		out->said_ms = now_ms;
	}
	return position_to_json(&out->said);
}

bool externals_words_read(const json_t *body, struct externals_position *out)
{
	return read_position(body, out);
}

/* --- the query --- */

json_t *externals_question(const struct externals_position *position)
{
	return position_to_json(position);
}

static uint64_t left_of(int64_t at_ms, uint64_t now_ms)
{
	return at_ms > (int64_t)now_ms ? (uint64_t)at_ms - now_ms : 0;
}

static json_t *entry_to_json(const struct external *e, uint64_t now_ms)
{
	struct external item = *e;

	item.age_ms = (uint64_t)((int64_t)now_ms - e->said_ms);
	item.kept_ms = left_of(e->kept_until_ms, now_ms);
	return record_to_json(&external_record, &item);
}

json_t *externals_answer(const struct external_list *all, const json_t *question, uint64_t now_ms)
{
	struct externals_position from, to = { all->epoch, all->seq };
	const struct external **list;
	json_t *items = json_array();

	if (!read_position(question, &from)) {
		json_decref(items);
		return NULL;
	}
	list = memory_must(calloc(EXTERNALS_ANSWER_MAX, sizeof(*list)));
	size_t n = externals_since(all, from.epoch == all->epoch ? from.seq : 0, list,
	                           EXTERNALS_ANSWER_MAX);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, entry_to_json(list[i], now_ms));
	if (n == EXTERNALS_ANSWER_MAX)
		to.seq = list[n - 1]->seq;
	free(list);
	return json_with(position_to_json(&to), "items", items);
}

/* @return from malloc(), given; NULL: one is malformed, or there are too many */
static struct external *read_items(const json_t *items, size_t *n)
{
	struct external *list;

	*n = json_array_size(items);
	if (!json_is_array(items) || *n > EXTERNALS_ANSWER_MAX)
		return NULL;
	list = memory_must(calloc(*n + 1, sizeof(*list)));
	for (size_t i = 0; i < *n; i++)
		if (record_from_json(&external_record, json_array_get(items, i), &list[i], NULL)) {
			free(list);
			return NULL;
		}
	return list;
}

int externals_accept(struct external_list *all, const json_t *answer, uint64_t sent_ms,
                     uint64_t now_ms, int64_t wall_clock_ms, struct externals_position *position)
{
	struct externals_position to;
	size_t n;

	if (!read_position(answer, &to))
		return -EINVAL;
	struct external *list = read_items(json_object_get(answer, "items"), &n);

	if (!list)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (externals_hear(all, &list[i], sent_ms, now_ms, wall_clock_ms) ==
		    EXTERNAL_ACCEPTED)
			member_pace_hear(&all->pace, hash_text(list[i].node), 1, now_ms);
	free(list);
	*position = to;
	return 0;
}

/* --- the page --- */

static void open_page(struct externals_out *out, const char *run_dir, uint64_t now_ms)
{
	char path[PATH_MAX];

	if (out->page || (out->opened_ms && now_ms < out->opened_ms + OPEN_AGAIN_MS))
		return;
	int err = proc_path(run_dir, EXTERNAL_PAGE_FILE, path);

	if (!err)
		err = page_create(path, EXTERNAL_PAGE_KIND, EXTERNAL_PAGE_LAYOUT,
		                  sizeof(struct external_page), &out->page);
	if (err && !out->opened_ms)
		log_error("verdicts-not-published", "error=\"%s\" effect=\"will retry\"",
		          strerror(-err));
	out->opened_ms = now_ms;
	if (!err) { /* this process has not heard what the former one had */
		struct external_page *page = page_payload(out->page);

		__atomic_store_n(&page->complete, 0, __ATOMIC_RELEASE);
		out->written_ms = 0;
	}
}

/* The targets of external checks. @return from malloc(), given; NULL: memory is short */
static uint64_t *list_targets(const struct model *m, size_t *n)
{
	size_t room = 0;

	*n = 0;
	for (size_t i = 0; i < m->n_pools; i++)
		room += external_judges(&m->pools[i]) ? m->pools[i].n_backends : 0;
	room = room < HEALTH_TARGETS_MAX ? room : HEALTH_TARGETS_MAX;
	uint64_t *targets = calloc(room + 1, sizeof(*targets));

	for (size_t i = 0; targets && i < m->n_pools; i++)
		for (size_t k = 0; external_judges(&m->pools[i]) && k < m->pools[i].n_backends; k++)
			if (*n < room)
				targets[(*n)++] = health_target_backend(m->pools[i].name,
				                                        m->pools[i].backends[k].id);
	return targets;
}

/* @return whether anything is another word than before */
static bool write_words(struct health_page *table, const struct model *m,
                        const struct external_list *all, bool complete)
{
	bool changed = false;

	for (size_t i = 0; i < m->n_pools; i++)
		for (size_t k = 0; external_judges(&m->pools[i]) && k < m->pools[i].n_backends;
		     k++) {
			const struct model_backend *b = &m->pools[i].backends[k];
			const struct external *e = externals_find(all, m->pools[i].name, b->name);
			int index = health_find_index(
			        table, health_target_backend(m->pools[i].name, b->id));

			/* what the former process has published stands until others are heard */
			if (e || complete)
				changed |= health_write(
				        table, index,
				        e ? external_page_word(e->state, external_end_ms(e)) : 0);
		}
	return changed;
}

static void write_page(struct externals_out *out, const struct model *m,
                       const struct external_list *all, bool complete)
{
	struct external_page *page = page_payload(out->page);
	size_t n;
	uint64_t *targets = list_targets(m, &n);

	if (!targets || health_set_targets(&page->table, targets, n, m->meta.document)) {
		free(targets);
		return; /* the next look tries again */
	}
	free(targets);
	bool changed = write_words(&page->table, m, all, complete);
	bool was = __atomic_exchange_n(&page->complete, complete, __ATOMIC_ACQ_REL) != 0;

	if (changed || was != complete)
		page_publish(out->page);
	out->seq = all->seq;
	out->document = m->meta.document;
	out->complete = complete;
}

void externals_publish(struct externals_out *out, struct core *core, bool is_alone, uint64_t now_ms)
{
	const struct model *m = intent_model(core->intent);
	struct external_list *all = core->externals;
	bool complete = is_alone || now_ms >= core->started_ms + EXTERNALS_START_MS;
	bool first = false;

	open_page(out, core->dirs.run, now_ms);
	if (!out->page || !m)
		return;
	if (!out->written_ms || now_ms >= out->written_ms + KEEP_MS) {
		first = !out->written_ms || page_repair(out->page);
		externals_forget(all, now_ms);
		out->written_ms = now_ms;
	}
	if (first || out->seq != all->seq || out->document != m->meta.document ||
	    out->complete != complete)
		write_page(out, m, all, complete);
}

void externals_out_fini(struct externals_out *out)
{
	page_close(out->page);
	*out = (struct externals_out){ .page = NULL };
}
