/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any JSON as what a peer answers: an override or version that is taken is the same when it is told
 * on, and words that are taken are words.
 */
#include <assert.h>

#include "mgmt/api/inforce.h"
#include "mgmt/api/state_fetch.h"
#include "mgmt/api/to_json.h"
#include "mgmt/api/health_exchange.h"
#include "tests/fuzz/fuzz_text.h"
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
	(void)inforce_from_json(json);
	if (fingerprint_from_json(json, fingerprint))
		assert(strlen(fingerprint) < sizeof(fingerprint));
	json_decref(json);
	return 0;
}
