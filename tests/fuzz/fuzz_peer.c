/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any JSON as what a peer answers: an override or version that is taken is the same when it is told
 * on, and words that are taken are words.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mgmt/peers/announce_words.h"
#include "mgmt/core/inforce.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/peers/peer_keys.h"
#include "mgmt/peers/state_fetch.h"
#include "mgmt/core/to_json.h"
#include "mgmt/peers/exchange_words.h"
#include "mgmt/peers/peer_health.h"
#include "base/page.h"
#include "mgmt/operations/record_json.h"
#include "mgmt/store/records.h"
#include "tests/fuzz/fuzz_text.h"
#include "weir/announce.h"
#include "weir/json.h"
#include "weir/peer_page.h"

static void check_override(const json_t *json)
{
	struct override o = { 0 }, again = { 0 };

	if (record_from_json(&override_record, json, &o, NULL))
		return;
	json_t *told = record_to_json(&override_record, &o);
	assert(told && record_from_json(&override_record, told, &again, NULL) == 0);
	assert(!strcmp(o.id, again.id) && o.generation == again.generation &&
	       o.kind == again.kind && o.target == again.target && o.until_ms == again.until_ms &&
	       o.ended == again.ended);
	assert(o.is_step == again.is_step && o.to_ppm == again.to_ppm &&
	       o.late_from_ms == again.late_from_ms && !strcmp(o.service, again.service) &&
	       !strcmp(o.operation, again.operation));
	assert(o.clients.bits == again.clients.bits &&
	       addr_equal(&o.clients.addr, &again.clients.addr));
	assert(!o.is_step || (o.kind == MODEL_OVERRIDE_DRAIN && o.to_ppm <= 1000000));
	json_decref(told);
}

static void check_version(const json_t *json)
{
	struct version v = { 0 }, again = { 0 };

	if (record_from_json(&version_record, json, &v, NULL))
		return;
	json_t *told = record_to_json(&version_record, &v);
	assert(told && record_from_json(&version_record, told, &again, NULL) == 0);
	assert(v.number == again.number && !strcmp(v.digest, again.digest) &&
	       v.time_ms == again.time_ms);
	json_decref(told);
}

static void check_contents(const json_t *json)
{
	char why[HTTP_TEXT_MAX];
	struct files files = { 0 };

	if (json_is_object(json) && files_from_json(json, NULL, &files, why) == 0) {
		assert(files_find(&files, FILES_MAIN));
		files_fini(&files);
	}
}

static int find_node(void *arg, const char *name)
{
	(void)arg;
	return !strcmp(name, "fra-1")   ? 0
	       : !strcmp(name, "fra-2") ? 1
	       : !strcmp(name, "ams-1") ? EXCHANGE_NOT_HIS
	                                : EXCHANGE_UNKNOWN;
}

/* Words that are taken are told on with the same stamp, and with an age that is not less. */
static void check_said(const struct exchange_said *said)
{
	struct exchange_word words[EXCHANGE_N_SECTIONS] = { 0 };
	uint64_t true_ms = exchange_true_ms(900000, 1000000, 50000, said->age_ms);

	assert(true_ms <= 950000 && said->node < 2);
	if (!said->body) { /* of words that were known when it was asked */
		words[said->section] = (struct exchange_word){ .stamp = "00000000000000aa",
			                                       .true_ms = 1,
			                                       .heard_ms = 1,
			                                       .body = json_object() };
		bool is_younger = true_ms > 1;

		assert((exchange_accept(&words[said->section], said, true_ms, 2, 1000000) ==
		        EXCHANGE_SAME) == is_younger);
	} else if (exchange_accept(&words[said->section], said, true_ms, 2, 1000000) ==
	           EXCHANGE_OTHER) {
		json_t *told = exchange_encode(words, NULL, 1000000);
		const json_t *age = json_array_get(told, said->section);
		const char *name;
		json_t *word;

		assert(json_is_null(age) || json_integer_value(age) >= (json_int_t)said->age_ms);
		json_object_foreach(json_array_get(told, EXCHANGE_N_SECTIONS), name, word)
		        assert(!strcmp(json_string_value(json_array_get(word, 0)), said->stamp));
		json_decref(told);
	}
	exchange_word_fini(&words[said->section]);
}

static void check_exchange(const json_t *json)
{
	const struct exchange_expected expected = {
		.node = "fra-1", .cluster = "t", .nodes_max = 4, .find = find_node
	};
	struct exchange_read read;
	const char *why = NULL;

	if (exchange_read(json, &expected, &read, &why)) {
		assert(why);
		return;
	}
	assert(read.n_said <= 4 * EXCHANGE_N_SECTIONS);
	for (size_t i = 0; i < read.n_said; i++)
		check_said(&read.said[i]);
	free(read.said);
}

static void check_words(const json_t *json)
{
	static uint64_t targets[] = { 0x1000000000000001, 0x10, 0xfedcba9876543210 };
	const struct health_section health = { .targets = targets, .n_targets = 3 };
	static struct page *page;
	const char *text = NULL;
	char path[64];

	if (!page) {
		snprintf(path, sizeof(path), "/tmp/fuzz-peer-%d.page", (int)getpid());
		if (page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, sizeof(struct peer_page),
		                &page))
			abort();
		unlink(path);
	}
	const struct peer_page *words = page_payload(page);
	uint64_t good_until_ms = peer_page_good_until_ms(words);
	if (peer_health_write(&health, page, json, good_until_ms + 1))
		assert(peer_page_good_until_ms(words) == good_until_ms);
	enum state_fetch_word word = state_fetch_read(json, &text);
	assert(word != STATE_FETCH_KNOWS || text);
}

/* Keys that are taken are the same when they are told on. */
static void check_keys(const json_t *json)
{
	struct steer_keys *k = NULL, *again = NULL;

	if (peer_keys_read(json, 1000000, &k)) {
		assert(!k);
		return;
	}
	assert(k->n_keys <= STEER_KEYS_MAX && k->covered_s <= STEER_KEYS_WINDOW_S);
	for (size_t i = 0; i < k->n_keys; i++)
		assert(k->keys[i].queries && (!i || k->keys[i].queries <= k->keys[i - 1].queries));
	json_t *told = peer_keys_make(k, 1000000);
	assert(told && !peer_keys_read(told, 1000000, &again));
	assert(k->n_keys == again->n_keys && k->n_names == again->n_names &&
	       k->n_answers == again->n_answers);
	assert(!memcmp(k->keys, again->keys, k->n_keys * sizeof(*k->keys)));
	json_decref(told);
	steer_keys_free(k);
	steer_keys_free(again);
}

/* A record that is taken is in its range, and the same when it is told on. */
static void check_operation(const json_t *json)
{
	static struct operation op, again;

	if (operation_from_json(json, &op))
		return;
	assert(operation_ok(&op));
	assert(op.n_plan <= OPERATION_PLAN_MAX && op.step <= op.n_plan &&
	       op.n_steps <= OPERATION_HISTORY_MAX && op.level_ppm <= MODEL_PPM_ALL);
	json_t *told = operation_to_json(&op);
	assert(told && !operation_from_json(told, &again));
	assert(op.epoch == again.epoch && op.seq == again.seq && !strcmp(op.owner, again.owner));
	assert(op.n_steps == again.n_steps && op.n_failures == again.n_failures &&
	       op.n_late == again.n_late && op.step == again.step);
	json_decref(told);
}

#define VALUE_END ((uint64_t)1 << 62)

static void check_value(const struct operation_value *v)
{
	assert(v->known ? v->value < VALUE_END : v->value == 0);
}

static struct model_site site = { .name = "ams" };
static struct model_node node = { .name = "ams-1", .site = &site, .api = "" };
static struct model_pool pool = { .name = "web-ams", .site = &site };
static const struct model_vip vip = { .name = "v" };
static struct model_at at = { .site = &site, .vip = &vip, .pool = &pool };
static struct model_service service = { .name = "web", .at = &at, .n_at = 1 };
static struct model model = { .sites = &site,
	                      .n_sites = 1,
	                      .nodes = &node,
	                      .n_nodes = 1,
	                      .services = &service,
	                      .n_services = 1 };

/* What a node says it measures and has in force: known within its range, or not known. */
static void check_measure(json_t *json)
{
	static struct operation_snapshot view;
	static struct operation_observed seen;
	static const struct operation op = { .id = "o1",
		                             .owner = "fra-1",
		                             .epoch = 1,
		                             .stamp = 7,
		                             .n_targets = 1,
		                             .targets = { { "ams", "v1", { 0 } } } };

	view.m = &model;
	view.n_reports = 1;
	view.reports[0] = (struct operation_report){ .node = &node,
		                                     .reached = true,
		                                     .levels = json_object_get(json, "levels"),
		                                     .measure = json };
	operation_gather(&view, &op, 0, &seen);
	const struct operation_level *level = &seen.nodes[0].levels[0];
	const struct operation_site *s = &seen.sites[0];
	assert(level->level_ppm <= MODEL_PPM_ALL);
	check_value(&s->flows);
	check_value(&s->arrivals);
	check_value(&s->backup_flows);
	check_value(&s->established);
	check_value(&s->bits);
	check_value(&s->drops);
	check_value(&s->repeats);
	assert(s->arrivals.value >= s->flows.value);
	assert(seen.facts.n_late <= OPERATION_LATE_MAX);
	for (size_t i = 0; i < seen.facts.n_late; i++)
		assert(strnlen(seen.late[i].prefix, sizeof(seen.late[i].prefix)) <
		       sizeof(seen.late[i].prefix));
}

/* What a node says that it announces: of each address yes, no, or that it is not known. */
static void check_announced(const json_t *words)
{
	static const char *const texts[] = { "203.0.113.10", "2001:db8::10" };

	if (!announce_words_are_good(words))
		return;
	assert(json_is_object(words) && json_object_size(words) <= ANNOUNCED_MAX);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const json_t *word = json_object_get(words, texts[i]);
		struct addr address;

		assert(!addr_parse(texts[i], &address));
		enum guard_announced said = announce_words_of(words, &address);
		assert((said == GUARD_NOT_ANNOUNCED) == !word);
		if (said == GUARD_ANNOUNCED)
			assert(!strcmp(json_string_value(word), "announced"));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	json_t *json = json_read((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
	char fingerprint[MODEL_FINGERPRINT_MAX];

	if (!json)
		return 0;
	check_override(json);
	check_version(json);
	check_contents(json);
	check_words(json);
	check_exchange(json);
	check_keys(json);
	check_operation(json);
	check_measure(json);
	check_announced(json);
	(void)inforce_from_json(json);
	if (fingerprint_from_json(json, fingerprint))
		assert(strlen(fingerprint) < sizeof(fingerprint));
	json_decref(json);
	return 0;
}
