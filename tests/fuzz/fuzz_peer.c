/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any JSON as what a peer answers: an override or version that is taken is the same when it is told
 * on, and words that are taken are words.
 */
#include <assert.h>

#include "mgmt/api/announce_reply.h"
#include "mgmt/api/inforce.h"
#include "mgmt/api/peer_keys.h"
#include "mgmt/api/state_fetch.h"
#include "mgmt/api/to_json.h"
#include "mgmt/api/health_exchange.h"
#include "tests/fuzz/fuzz_text.h"
#include "weir/announce.h"
#include "weir/json.h"
#include "weir/peer_page.h"

static void check_override(const json_t *json)
{
	struct override o = { 0 }, again = { 0 };

	if (override_from_peer_json(json, &o))
		return;
	json_t *told = override_to_peer_json(&o);
	assert(told && override_from_peer_json(told, &again) == 0);
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

	if (version_from_peer_json(json, &v))
		return;
	json_t *told = version_to_peer_json(&v);
	assert(told && version_from_peer_json(told, &again) == 0);
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

static void check_words(const json_t *json)
{
	static const uint64_t targets[] = { 0x1000000000000001, 0x10, 0xfedcba9876543210 };
	static struct peer_page page;
	const char *why = NULL, *text = NULL;

	memset(&page, 0, sizeof(page));
	if (health_exchange_accept(&page, json, "fra-1", "t", targets, 3, 1000, &why))
		assert(why);
	enum state_fetch_word word = state_fetch_read(json, "fra-1", "t", &text);
	assert(word != STATE_FETCH_KNOWS || text);
}

/* Keys that are taken are the same when they are told on. */
static void check_keys(const json_t *json)
{
	struct steer_keys *k = NULL, *again = NULL;
	const char *why = NULL;

	if (peer_keys_read(json, "fra-1", "t", 1000000, &k, &why)) {
		assert(why && !k);
		return;
	}
	assert(k->n_keys <= STEER_KEYS_MAX && k->covered_s <= STEER_KEYS_WINDOW_S);
	for (size_t i = 0; i < k->n_keys; i++)
		assert(k->keys[i].queries && (!i || k->keys[i].queries <= k->keys[i - 1].queries));
	json_t *told = peer_keys_make("fra-1", "t", k, 1000000);
	assert(told && !peer_keys_read(told, "fra-1", "t", 1000000, &again, &why));
	assert(k->n_keys == again->n_keys && k->n_names == again->n_names &&
	       k->n_answers == again->n_answers);
	assert(!memcmp(k->keys, again->keys, k->n_keys * sizeof(*k->keys)));
	json_decref(told);
	steer_keys_free(k);
	steer_keys_free(again);
}

static void check_addresses(const json_t *addresses)
{
	static const char *const texts[] = { "203.0.113.10", "2001:db8::10" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const json_t *word = json_object_get(addresses, texts[i]);
		struct addr address;

		assert(!addr_parse(texts[i], &address));
		enum guard_announced said = announce_reply_of(addresses, &address);
		assert((said == GUARD_NOT_ANNOUNCED) == !word);
		if (said == GUARD_ANNOUNCED)
			assert(!strcmp(json_string_value(word), "announced"));
	}
}

/* Of the exchange between nodes that announce: nothing counts, or it is an answer to what was sent. */
static void check_announcements(const json_t *json)
{
	static const char known[] = "00000000000000aa";

	for (size_t n = 0; n < 4; n++) {
		struct announce_reply r = { .age_ms = 1 };
		const char *why = NULL;
		size_t n_confirmed = 0;

		if (announce_reply_read(json, "fra-1", "t", known, n, &r, &why)) {
			assert(why && r.age_ms == 1 && !r.words);
			continue;
		}
		assert(json_array_size(r.words) == n && r.age_ms <= INT64_MAX);
		assert(r.has_age ? strlen(r.state) == strlen(known) : !r.state && !r.addresses);
		assert(!r.has_age || json_is_object(r.addresses) || !strcmp(r.state, known));
		assert(json_object_size(r.addresses) <= ANNOUNCED_MAX);
		for (size_t i = 0; i <= n; i++)
			n_confirmed += announce_reply_confirms(json_array_get(r.words, i));
		assert(n_confirmed <= n);
		check_addresses(r.addresses);
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
	check_keys(json);
	check_announcements(json);
	(void)inforce_from_json(json);
	if (fingerprint_from_json(json, fingerprint))
		assert(strlen(fingerprint) < sizeof(fingerprint));
	json_decref(json);
	return 0;
}
